/* SPDX-License-Identifier: Apache-2.0 */
/* echo.h - knows credentials that were said when a server repeats them.  Layer: core.  Pure.
 *
 * "500 Command unrecognized: AUTH PLAIN AGFu…": such words go to logs and people. Only the beginnings are kept.
 */
#ifndef ND_CORE_ECHO_H
#define ND_CORE_ECHO_H

#include <stddef.h>

#define ECHO_SAID 4u /* messages of one sign-in: the last ones */
#define ECHO_HIDDEN "<hidden>"

struct echo {
	char said[ECHO_SAID][17];
	unsigned count;
};

/* A line with a credential is said: its last word. Returns how many octets stand before that. */
size_t echo_note(struct echo *echo, const char *line, size_t len);
/* Wherever one of them begins in the text, the word is hidden. It gets no longer. */
void echo_hide(const struct echo *echo, char *text);

#endif
