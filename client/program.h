/* SPDX-License-Identifier: Apache-2.0 */
/* program.h - runs notifyd for what only it can do: check settings, make keys.  Layer: client. */
#ifndef ND_CLIENT_PROGRAM_H
#define ND_CLIENT_PROGRAM_H

#include "common/err.h"

#define PROGRAM_PATH 4096

/* Where notifyd is: as it was given (NULL: not), beside this program, /usr/sbin, or wherever PATH finds it. */
void program_notifyd(const char *given, char path[PROGRAM_PATH]);

enum program_output { PROGRAM_SHOWN, PROGRAM_UNSEEN, PROGRAM_ON_STDERR };
/* Runs words[0] and waits for its end; stderr is ours. *status is its exit code, -1 when a signal ended it. */
enum nd_err program_run(
    const char *const *words, enum program_output output, int *status, struct nd_why *why) ND_MUST_CHECK;

#endif
