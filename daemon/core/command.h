/* SPDX-License-Identifier: Apache-2.0 */
/* command.h - splits a command into its arguments.  Layer: core.  Pure. */
#ifndef ND_CORE_COMMAND_H
#define ND_CORE_COMMAND_H

#include "common/err.h"

#define COMMAND_ARGS 64u

struct command {
	char *words;                   /* owned */
	char *args[COMMAND_ARGS + 1u]; /* in it; NULL after the last */
};
/* At spaces and tabs; double quotes keep one argument together, and there is no other sign with a meaning. The first is a path that
 * begins with /. */
enum nd_err command_split(const char *text, struct command *out, struct nd_why *why) ND_MUST_CHECK;
void command_done(struct command *command); /* arguments may be secret: wiped */

#endif
