/* SPDX-License-Identifier: Apache-2.0 */
/* probe.h - tests of accounts: asked of the daemon, or of notifyd --probe when there is none.  Layer: client. */
#ifndef ND_CLIENT_PROBE_H
#define ND_CLIENT_PROBE_H

#include "client/cmd.h"

struct probe_ask {
	const char *name;
	const char *to, *config; /* NULL none */
	bool no_send;
};
typedef void probe_each(void *arg, const struct json_node *step, const char *line, size_t len);

/* Gives each line of the test. CMD_DONE: the lines have told all; else nothing came of it, and it is told. */
int probe_ask(struct cmd *cmd, const struct probe_ask *ask, probe_each *each, void *arg);
/* The exit code that the last line, "result", stands for. */
int probe_code(const struct json_node *result);
/* A mark before a line: what this terminal can show. */
const char *probe_mark(bool ok);

#endif
