/* SPDX-License-Identifier: Apache-2.0 */
/* child.h - runs a command for what it prints.  Layer: io.  Not for the loop's thread: it waits.
 *
 * No shell, a small environment (PATH, HOME, LANG), no descriptor of ours but its own three, a process group of its own. 10 seconds; then, and
 * when it ends, the whole group is killed.
 */
#ifndef ND_IO_CHILD_H
#define ND_IO_CHILD_H

#include "common/err.h"

#include <stddef.h>

#define CHILD_SECONDS 10

/* What the command (core/command.h) printed, at most `room` octets. ND_ESECRET: it cannot be run, failed, printed more; ND_EDEADLINE: it did not
 * end in time, or said "not now" by ending with 75 (EX_TEMPFAIL). The text may have the first line of its standard error, never its output. */
enum nd_err child_run(const char *text, char *out, size_t room, size_t *len, struct nd_why *why) ND_MUST_CHECK;
/* Kills those that run and lets none start any more: the daemon ends. Any thread. */
void child_stop(void);

#endif
