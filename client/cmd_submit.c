/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_submit.c - notifyctl submit FILE|-: jobs that are JSON already.  Layer: client. */
#include "client/file.h"
#include "client/post.h"
#include "common/job.h"

#include <string.h>

enum { OPT_WAIT, OPT_DRY_RUN };

/* clang-format off */
const struct args_option cmd_submit_options[] = {
	[OPT_WAIT]    = { 0, "wait", "[=D]", "Waits until the job is final, at most D (30s; up to 300s); one job only." },
	[OPT_DRY_RUN] = { 0, "dry-run", NULL, "Asks what would become of it; nothing is accepted." },
	{ 0 },
};
/* clang-format on */

/* A single object without a key of its own gets one, so that it may be tried again. The daemon reads what is wrong with the rest. */
static bool
wants_key(const struct nd_buf *body)
{
	struct json_tree tree = { 0 };
	bool wants;

	if (json_read(&tree, nd_buf_text(body), body->len, &json_limits_job, NULL, NULL) != ND_OK)
		return false;
	wants = tree.root->type == JSON_OBJECT && json_get(tree.root, "idempotency_key") == NULL;
	json_done(&tree);
	return wants;
}

static bool
every_job_has_a_key(const struct nd_buf *body)
{
	struct json_tree tree = { 0 };
	const struct json_node *node;
	bool all = true;

	if (json_read(&tree, nd_buf_text(body), body->len, &json_limits_job, NULL, NULL) != ND_OK)
		return false;
	if (tree.root->type == JSON_OBJECT)
		all = json_get(tree.root, "idempotency_key") != NULL;
	for (node = tree.root->type == JSON_ARRAY ? tree.root->child : NULL; node != NULL; node = node->next)
		all = all && json_get(node, "idempotency_key") != NULL;
	json_done(&tree);
	return all;
}

int
cmd_submit_run(struct cmd *cmd, const struct args *args)
{
	struct post post = { .query = "" };
	char key[POST_KEY_SIZE], query[48];
	struct nd_buf body;
	struct nd_why why;
	int code;

	if (!post_wait(cmd, args, OPT_WAIT, args_has(args, OPT_DRY_RUN), &post, query))
		return CMD_USAGE;
	nd_buf_init(&body, JOB_MAX_OCTETS);
	if (file_read(args->words[0], &body, &why) != ND_OK) {
		(void)cmd_fail(cmd, &why);
		nd_buf_done(&body);
		return why.err == ND_ETOOBIG ? CMD_REFUSED : CMD_NO_INPUT;
	}
	if (wants_key(&body)) {
		post_key(key);
		post.header_key = key;
		post.again = true;
	} else {
		post.again = every_job_has_a_key(&body);
	}
	post.body = nd_buf_text(&body);
	post.len = body.len;
	code = post_jobs(cmd, &post);
	nd_buf_done(&body);
	return code;
}
