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

/* What the daemon will find; what is wrong with it, it tells. */
struct look {
	bool several;   /* values one after another */
	bool wants_key; /* a single object without a key of its own gets one, so that it may be tried again */
	bool keyed;     /* every job has a key */
	unsigned count; /* of the values that can be read */
};

static bool
has_key(const struct json_node *job)
{
	return json_get(job, "idempotency_key") != NULL;
}

static bool
all_keyed(const struct json_node *value)
{
	const struct json_node *node;

	if (value->type == JSON_OBJECT)
		return has_key(value);
	for (node = value->type == JSON_ARRAY ? value->child : NULL; node != NULL; node = node->next)
		if (!has_key(node))
			return false;
	return true;
}

static struct look
look_at(const struct nd_buf *body)
{
	struct look look = { .keyed = true };
	struct json_tree tree = { 0 };
	size_t at = 0, used;
	unsigned count = 0;

	while (at < body->len &&
	       json_read(&tree, nd_buf_text(body) + at, body->len - at, &json_limits_job, &used, NULL) == ND_OK) {
		look.wants_key = count == 0 && tree.root->type == JSON_OBJECT && !has_key(tree.root);
		look.keyed = look.keyed && all_keyed(tree.root);
		json_done(&tree);
		at += used;
		count++;
	}
	look.several = count > 1 || (count == 1 && at < body->len && strchr("{[", body->octets[at]) != NULL);
	look.count = count;
	look.keyed = look.keyed && at == body->len;
	look.wants_key = look.wants_key && at == body->len;
	return look;
}

int
cmd_submit_run(struct cmd *cmd, const struct args *args)
{
	struct post post = { 0 };
	char key[POST_KEY_SIZE];
	struct nd_buf body;
	struct nd_why why;
	struct look look;
	int code;

	if (!post_wait(cmd, args, OPT_WAIT, args_has(args, OPT_DRY_RUN), &post))
		return CMD_USAGE;
	nd_buf_init(&body, JOB_MAX_OCTETS);
	if (file_read(args->words[0], &body, &why) != ND_OK) {
		(void)cmd_fail(cmd, &why);
		nd_buf_done(&body);
		return why.err == ND_ETOOBIG ? CMD_REFUSED : CMD_NO_INPUT;
	}
	look = look_at(&body);
	if (look.wants_key) {
		post_key(key);
		post.header_key = key;
	}
	post.again = look.wants_key || look.keyed;
	post.several = look.several;
	post.count = look.count;
	post.body = nd_buf_text(&body);
	post.len = body.len;
	code = post_jobs(cmd, &post);
	nd_buf_done(&body);
	return code;
}
