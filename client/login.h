/* SPDX-License-Identifier: Apache-2.0 */
/* login.h - the inside of notifyctl account login.  Layer: client.
 *
 *   login.c  what is asked of the daemon      login_browser.c  by a browser here, or one whose last address is pasted
 *   cmd_login.c  the commands                 login_device.c   by a code on another device
 */
#ifndef ND_CLIENT_LOGIN_H
#define ND_CLIENT_LOGIN_H

#include "client/back.h"
#include "client/cmd.h"
#include "client/paste.h"
#include "common/stamp.h"

struct login {
	struct cmd *cmd;
	const char *account;
	char path[96];  /* of the sign-in */
	char uri[1024]; /* where the browser comes back to */
	char span[ND_STAMP_SIZE];
	nd_ms ends;
	struct back back;
	struct paste paste;
	bool listens, reads; /* which of them serve */
	bool microsoft;
};

/* All of them: exit codes of notifyctl, CMD_DONE when it went well. */
int login_by_browser(struct login *login, bool paste);
int login_by_device(struct login *login);

nd_ms login_now(void);
/* body NULL: GET. */
int login_ask(struct cmd *cmd, const char *path, const struct nd_buf *body, struct link_reply *reply);
/* Asks, shows the answer as JSON when that is wanted, and reads it in any case. */
int login_ask_json(struct cmd *cmd, const char *path, const struct nd_buf *body, struct json_tree *tree);
/* {"name":"text", …}: two members at most. */
void login_write_body(struct nd_buf *body, const char *name, const char *text, const char *name2, const char *text2);
int login_begin(struct login *login, const char *mode, struct json_tree *tree);
void login_print_done(struct cmd *cmd, const char *account, const struct json_node *done);
int login_too_late(struct login *login);
int login_not_understood(struct cmd *cmd);

#endif
