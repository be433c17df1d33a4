/* SPDX-License-Identifier: Apache-2.0 */
/* post.c - hands jobs to the daemon, once, and tells what became of them.  Layer: client.
 *
 * A job with an idempotency key may be sent again when nobody knows whether it arrived: the daemon knows it by its key. A client that gives up too
 * early loses an alert, one that hangs stops a cron job: again.h says how long it tries.
 */
#include "client/post.h"

#include "client/again.h"
#include "client/dry.h"
#include "client/progress.h"
#include "common/str.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define NDJSON "application/x-ndjson"

/* The answer to several values, line by line. */
struct lines {
	struct cmd *cmd;
	const struct post *post;
	unsigned seen;     /* of this try */
	unsigned told;     /* of all tries: the same jobs with the same keys are answered with the same ids */
	unsigned accepted; /* of those told */
	struct progress progress;
	int code;
};

static bool take_lines(void *arg, struct link_reply *reply);

void
post_key(char out[POST_KEY_SIZE])
{
	static const char hex[] = "0123456789abcdef";
	unsigned char random[16];
	size_t i;

	/* Sixteen octets never come in part once the pool is ready (getrandom(2)). */
	if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
		abort();
	memcpy(out, "nctl-", 5);
	for (i = 0; i < sizeof(random); i++) {
		out[5 + 2 * i] = hex[random[i] >> 4];
		out[6 + 2 * i] = hex[random[i] & 15];
	}
	out[5 + 2 * sizeof(random)] = '\0';
}

bool
post_wait(struct cmd *cmd, const struct args *args, int option, bool dry_run, struct post *post)
{
	const char *value = args_value(args, option);
	nd_ms span = ND_SEC(30);

	post->dry_run = dry_run;
	if (!args_has(args, option))
		return true;
	if (value != NULL && (!nd_str_duration(value, &span) || span < ND_SEC(1) || span > ND_SEC(300))) {
		(void)cmd_usage(cmd, "--wait takes a duration from 1s to 300s, not \"%.40s\"", value);
		return false;
	}
	post->wait_seconds = (unsigned)(span / 1000);
	return true;
}

/* What is left of the time to wait goes with each try. */
static void
set_path(const struct post *post, nd_ms left, char path[64], struct link_request *request)
{
	const int64_t seconds = left > 0 ? (left + 999) / 1000 : 1;
	char wait[40] = "";

	if (post->wait_seconds > 0)
		(void)snprintf(wait, sizeof(wait), "?wait=%lld", (long long)seconds);
	(void)snprintf(path, 64, "/v1/jobs%s%s", wait,
	    !post->dry_run    ? ""
	    : wait[0] != '\0' ? "&dry_run=1"
			      : "?dry_run=1");
	request->path = path;
	request->patience = LINK_PATIENCE + (post->wait_seconds > 0 ? ND_SEC(seconds) : 0);
}

/* Asks until there is an answer worth having; the last answer or failure stands. */
static enum nd_err
ask(struct cmd *cmd, const struct post *post, nd_ms end, struct lines *lines, struct link_reply *reply,
    struct nd_why *why)
{
	char path[64];
	struct link_request request = {
		.method = "POST",
		.type = post->several ? NDJSON : "application/json",
		.body = post->body,
		.len = post->len,
		.idempotency_key = post->header_key,
		.take = post->several ? take_lines : NULL,
		.arg = lines,
	};
	struct again again = { 0 };
	enum nd_err err;
	nd_ms pause;

	for (;;) {
		set_path(post, end - link_now(), path, &request);
		lines->seen = 0;
		err = link_call(cmd->socket, &request, reply, why);
		pause = post->again ? again_pause(&again, link_now(), err, why, reply) : 0;
		if (pause == 0)
			return err;
		link_reply_done(reply);
		(void)poll(NULL, 0, (int)pause);
	}
}

static int
tell_lost(struct cmd *cmd, const struct post *post, struct nd_why *why)
{
	char hint[320] = "it is not known whether the jobs were accepted: see notifyctl list";

	if (post->again)
		(void)snprintf(hint, sizeof(hint),
		    "it is not known whether the job was accepted: see notifyctl list, or send it again with %s%.128s",
		    post->key != NULL ? "--idempotency-key=" : "the same idempotency key",
		    post->key != NULL ? post->key : "");
	/* Without an answer nobody knows, and people should not send it twice. */
	if (why->err == ND_ECLOSED || why->err == ND_EDEADLINE)
		(void)nd_fail_at(why, "", 0, hint);
	return cmd_fail(cmd, why);
}

static bool
is_over(const char *state)
{
	return strcmp(state, "queued") != 0 && strcmp(state, "sending") != 0;
}

static int
exit_of_wait(const char *state)
{
	if (strcmp(state, "delivered") == 0 || strcmp(state, "merged") == 0)
		return CMD_DONE;
	return is_over(state) ? CMD_UNDELIVERED : CMD_PENDING;
}

int
post_tell_job(struct cmd *cmd, const struct json_node *job)
{
	const char *id = json_get_text(job, "id"), *state = json_get_text(job, "state");
	const char *reason = json_get_text(job, "reason");
	char *hint;
	struct nd_buf words;

	if (cmd->json)
		return exit_of_wait(state);
	nd_buf_init(&words, 65536);
	cmd_job_words(job, &words);
	writer_line(&cmd->out, WRITER_PLAIN, "%s %s: %s", id, state, nd_buf_text(&words));
	nd_buf_done(&words);
	if (reason != NULL)
		writer_line(&cmd->err, WRITER_PLAIN, "notifyctl: %s", reason);
	hint = cmd_hint(cmd, job);
	if (hint != NULL)
		writer_line(&cmd->err, WRITER_PLAIN, "  hint: %s", hint);
	free(hint);
	return exit_of_wait(state);
}

/* One accepted job. */
static int
tell_accepted(struct cmd *cmd, const struct post *post, const struct json_node *job)
{
	const char *id = json_get_text(job, "id"), *state = json_get_text(job, "state");

	if (post->wait_seconds > 0)
		return post_tell_job(cmd, job);
	if (cmd->json)
		return CMD_DONE;
	writer_line(&cmd->out, WRITER_PLAIN, "%s", id);
	if (strcmp(state, "held") == 0)
		writer_line(&cmd->err, WRITER_PLAIN, "notifyctl: accepted, but held: see notifyctl show %s", id);
	return CMD_DONE;
}

static bool
is_accepted(const struct json_node *node)
{
	return json_get_text(node, "id") != NULL && json_get_text(node, "state") != NULL;
}

/* `where` says which job of many. */
static int
tell_refused(struct cmd *cmd, const char *where, const struct json_node *problem)
{
	const char *code = json_get_text(problem, "code");
	char text[160];

	(void)snprintf(text, sizeof(text), "%.80s was refused (%.48s): ", where, code != NULL ? code : "no code");
	return cmd_problem_tell(cmd, text, problem);
}

/* What became of many; not for programs, which count the results. */
static void
sum_up(struct cmd *cmd, unsigned all, unsigned told, unsigned accepted)
{
	char lost[64] = "";

	if (cmd->json || (all < 2 && told < 2))
		return;
	if (all > told)
		(void)snprintf(lost, sizeof(lost), ", %u not answered", all - told);
	writer_line(&cmd->err, WRITER_PLAIN, "%u jobs: %u accepted, %u refused%s", all > told ? all : told, accepted,
	    told - accepted, lost);
}

/* Results of a batch, in order. All refused for one kind of reason: its exit code; else "refused". */
static int
tell_batch(struct cmd *cmd, const struct post *post, const struct json_node *array)
{
	const struct json_node *node;
	int code = CMD_DONE, one;
	unsigned accepted = 0, n = 0;
	char where[48];

	for (node = array->child; node != NULL; node = node->next, n++) {
		if (is_accepted(node)) {
			accepted++;
			(void)tell_accepted(cmd, post, node);
			continue;
		}
		(void)snprintf(where, sizeof(where), "job %u of %u", n + 1, array->count);
		one = tell_refused(cmd, where, node);
		code = code == CMD_DONE || code == one ? one : CMD_REFUSED;
	}
	sum_up(cmd, array->count, n, accepted);
	return code != CMD_DONE && accepted > 0 ? CMD_REFUSED : code;
}

static void
tell_line(struct lines *lines, const struct json_node *answer)
{
	struct cmd *cmd = lines->cmd;
	const struct json_node *line;
	char where[64];
	int code;

	if (is_accepted(answer)) {
		lines->accepted++;
		(void)tell_accepted(cmd, lines->post, answer);
		return;
	}
	line = json_get(answer, "line");
	(void)snprintf(where, sizeof(where), "job %u%s%.20s", lines->told, line != NULL ? " on line " : "",
	    line != NULL && line->text != NULL ? line->text : "");
	code = tell_refused(cmd, where, answer);
	lines->code = lines->code == CMD_DONE || lines->code == code ? code : CMD_REFUSED;
}

static bool
each_line(void *arg, const char *line, size_t len)
{
	struct lines *lines = arg;
	struct json_tree tree = { 0 };
	struct nd_why why;

	if (++lines->seen <= lines->told)
		return true;
	lines->told = lines->seen;
	if (json_read(&tree, line, len, &json_limits_small, NULL, &why) != ND_OK) {
		(void)nd_fail(&why, ND_EPROTOCOL, 0, "line %u of the answer is not understood", lines->seen);
		lines->code = cmd_fail(lines->cmd, &why);
		return true;
	}
	if (lines->cmd->json)
		writer_json(&lines->cmd->out, line, len);
	tell_line(lines, tree.root);
	json_done(&tree);
	return true;
}

static bool
take_lines(void *arg, struct link_reply *reply)
{
	struct lines *lines = arg;

	if (strcmp(reply->type, NDJSON) != 0)
		return true;
	if (memchr(nd_buf_text(&reply->body), '\n', reply->body.len) == NULL)
		return true;
	progress_clear(&lines->progress);
	(void)link_lines(reply, each_line, lines);
	(void)fflush(lines->cmd->out.file);
	progress_step(&lines->progress, link_now(), lines->told, lines->post->count, lines->told - lines->accepted);
	return true;
}

static int
tell_reply(struct cmd *cmd, const struct post *post, const struct link_reply *reply)
{
	struct json_tree tree = { 0 };
	struct nd_why why;
	int code;

	if (reply->status != 200 && reply->status != 202 && reply->status != 207 && reply->status != 422)
		return cmd_problem(cmd, reply);
	if (cmd_read(reply, &tree, &why) != ND_OK)
		return cmd_fail(cmd, &why);
	if (tree.root->type == JSON_ARRAY) {
		code = tell_batch(cmd, post, tree.root);
	} else if (reply->status == 422) {
		json_done(&tree);
		return cmd_problem(cmd, reply);
	} else if (is_accepted(tree.root)) {
		code = tell_accepted(cmd, post, tree.root);
	} else {
		/* A dry run: nothing was accepted, the answer is all there is. */
		code = CMD_DONE;
		if (!cmd->json)
			dry_tell(cmd, tree.root);
	}
	json_done(&tree);
	if (cmd->json)
		writer_json(&cmd->out, nd_buf_text(&reply->body), reply->body.len);
	return code;
}

/* A daemon that stops answers before the time is up. The job is accepted, whatever comes of asking for it again. */
static void
wait_on(struct cmd *cmd, nd_ms end, struct link_reply *reply)
{
	struct json_tree tree = { 0 };
	struct link_reply later;
	struct nd_why why;
	bool met = true;
	enum nd_err err;

	if (reply->status != 202 || end - link_now() < ND_SEC(1) || cmd_read(reply, &tree, &why) != ND_OK)
		return;
	if (is_accepted(tree.root) && !is_over(json_get_text(tree.root, "state"))) {
		err = cmd_wait_for(cmd, json_get_text(tree.root, "id"), end, &met, &later, &why);
		if (err == ND_OK && (later.status == 200 || later.status == 202)) {
			link_reply_done(reply);
			*reply = later;
		} else {
			link_reply_done(&later);
		}
	}
	json_done(&tree);
}

int
post_jobs(struct cmd *cmd, const struct post *post)
{
	struct lines lines = { .cmd = cmd, .post = post };
	struct link_reply reply;
	struct nd_why why;
	nd_ms end = link_now() + ND_SEC(post->wait_seconds);
	enum nd_err err;
	int code;

	progress_init(&lines.progress, &cmd->err, link_now());
	err = ask(cmd, post, end, &lines, &reply, &why);
	progress_clear(&lines.progress);
	if (err == ND_OK && post->wait_seconds > 0)
		wait_on(cmd, end, &reply);
	if (err != ND_OK)
		code = tell_lost(cmd, post, &why);
	else if (post->several && reply.status == 202)
		code = lines.code;
	else
		code = tell_reply(cmd, post, &reply);
	if (lines.told > 0)
		sum_up(cmd, post->count, lines.told, lines.accepted);
	/* Some are accepted: nobody may take it that it can all be sent again. */
	if (code != CMD_DONE && lines.accepted > 0)
		code = CMD_REFUSED;
	link_reply_done(&reply);
	return code;
}
