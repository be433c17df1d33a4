/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_state.c - notifyctl state adopt: the state directory of a clone or a restored image is this machine's.  Layer: client. */
#include "client/cmd.h"

#include <string.h>

int
cmd_state_run(struct cmd *cmd, const struct args *args)
{
	struct link_request request = { .method = "POST", .path = "/v1/state/adopt" };
	struct link_reply reply;
	struct nd_why why;
	int code = CMD_DONE;

	if (strcmp(args->words[0], "adopt") != 0)
		return cmd_usage(cmd, "notifyctl state knows adopt, not \"%.60s\"", args->words[0]);
	if (link_call(cmd->socket, &request, &reply, &why) != ND_OK)
		code = cmd_fail(cmd, &why);
	else if (reply.status != 200)
		code = cmd_problem(cmd, &reply);
	else if (cmd->json)
		writer_json(&cmd->out, nd_buf_text(&reply.body), reply.body.len);
	else
		writer_line(&cmd->out, WRITER_PLAIN, "the state is this machine's; what was held is sent");
	link_reply_done(&reply);
	return code;
}
