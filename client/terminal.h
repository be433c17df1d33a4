/* SPDX-License-Identifier: Apache-2.0 */
/* terminal.h - questions to a person, and secrets that are not shown.  Layer: client. */
#ifndef ND_CLIENT_TERMINAL_H
#define ND_CLIENT_TERMINAL_H

#include "common/err.h"
#include "common/mem.h"

#include <stdbool.h>

#define TERMINAL_SECRET_MAX 65536u

/* Whether there is somebody to ask: stdin and stderr are a terminal. */
bool terminal_here(void);
/* One line; an empty one gives `initial` (NULL: ""). NULL at the end of the input. Owned. */
char *terminal_ask(const char *question, const char *initial);
/* y or yes; anything else, and the end of the input, is no. */
bool terminal_agrees(const char *question);
/* A secret: asked for without echo at a terminal, else all of stdin without the line end. */
enum nd_err terminal_secret(const char *question, struct nd_secret *out, struct nd_why *why) ND_MUST_CHECK;

#endif
