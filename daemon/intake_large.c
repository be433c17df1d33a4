/* SPDX-License-Identifier: Apache-2.0 */
/* intake_large.c - what is too large for the loop: bodies are read, jobs checked and composed on the composer thread.
 *
 *   loop                 composer
 *   intake_large_body ─► read the body where it lies ─► intake_was_read
 *   intake_large_one  ─► check, digest ─► place (recipients, account, id) ─► compose into the spool ─► enter (room, quota, commit)
 *
 * One thread, so one large job is worked on at a time; the bodies that wait count against [daemon] memory. A job costs no memory beside
 * its body: strings stay where they lie, and what is composed goes to the disk piece by piece.
 */
#include "daemon/intake_inner.h"

#include "common/mem.h"
#include "daemon/core/mime.h"
#include "daemon/core/mime_text.h"

#include <stdlib.h>
#include <string.h>

#define HTML_LARGE 65536u /* the text of larger html goes to a scratch file */

struct large {
	struct worker_task task; /* first */
	struct loop_note note;
	struct submission *submission;
	struct intake_job *job; /* NULL: the whole body */
	char *octets;           /* what is still to be read; NULL: nothing */
	size_t len, used;
	unsigned lines;
	struct json_tree tree; /* of octets */
	const struct json_node *value;
	struct job_draft draft;
	char *subject; /* the draft's, when it was made from the texts */
	struct conf *conf;
	struct spool_file *text, *file; /* the text made from html; the body */
	struct nd_buf body;             /* what is not yet in the file: all of it when that is little */
	enum nd_err err;
	struct nd_why why;
	void (*read)(struct intake_job *job, size_t used, unsigned lines);
};

static void
end(struct large *large)
{
	job_draft_done(&large->draft);
	json_done(&large->tree);
	nd_buf_wipe(&large->body);
	spool_end(large->text);
	spool_end(large->file);
	free(large->subject);
	if (large->conf)
		reload_release(large->conf);
	free(large);
}

static void
hand_over(struct large *large, void (*run)(struct worker_task *), loop_fn *then)
{
	large->task.run = run;
	large->note.fn = then;
	large->note.arg = large;
	worker_put(large->submission->app->composer, &large->task);
}

static void
hand_back(struct large *large)
{
	loop_post(large->submission->app->loop, &large->note);
}

/* Nobody waits for it any more. */
static bool
is_idle(struct large *large)
{
	struct submission *submission = large->submission;

	if (!atomic_load(&submission->left) && !atomic_load(&submission->app->composer_stop))
		return false;
	large->err = nd_fail(&large->why, ND_ESTOPPING, 0, "it was not taken any more");
	return true;
}

/* -- the body -------------------------------------------------------------------------------------------------- */

static void
body_read(void *arg)
{
	struct large *large = arg;
	struct submission *submission = large->submission;
	struct nd_why why = large->why;
	enum nd_err err = large->err;

	submission->app->intake--;
	end(large);
	intake_was_read(submission, err, &why);
}

static void
read_body(struct worker_task *task)
{
	struct large *large = (struct large *)task;
	struct submission *submission = large->submission;

	if (!is_idle(large))
		large->err = intake_read(&submission->plan, submission->body.octets, submission->body.len, true,
		    &submission->reading, &large->why);
	hand_back(large);
}

void
intake_large_body(struct submission *submission)
{
	struct large *large = nd_xalloc(sizeof(*large));

	large->submission = submission;
	submission->app->intake++;
	hand_over(large, read_body, body_read);
}

/* -- composing ------------------------------------------------------------------------------------------------- */

static void
close_job(struct large *large)
{
	struct intake_job *job = large->job;
	const bool refused = large->err != ND_OK;

	if (refused)
		job->why = large->why;
	large->submission->busy = false;
	end(large);
	(refused ? intake_refuse : intake_close)(job);
}

/* Of a dry run. */
static void
show(struct large *large)
{
	struct intake_job *job = large->job;

	if (large->err != ND_OK || !large->submission->request)
		return;
	if (large->file) {
		intake_dry_large(job, large->value, large->file);
		large->file = NULL;
		return;
	}
	job->row->body = nd_buf_take(&large->body, NULL);
	intake_dry(job, large->value);
}

static void
composed(void *arg)
{
	struct large *large = arg;
	struct intake_job *job = large->job;
	bool in_spool = large->file != NULL;

	/* Its file is swept at the next start. */
	if (large->err == ND_OK && large->submission->app->down)
		large->err = nd_fail(&large->why, ND_ESTOPPING, 0, "notifyd has stopped");
	if (large->err != ND_OK || large->submission->dry) {
		show(large);
		close_job(large);
		return;
	}
	if (!in_spool)
		job->row->body = nd_buf_take(&large->body, NULL);
	large->submission->busy = false;
	end(large);
	intake_enter(job, in_spool);
}

static bool
write_piece(void *arg, const char *octets, size_t len)
{
	struct large *large = arg;
	struct queue_job *row = large->job->row;

	if (is_idle(large))
		return false;
	row->body_len += len;
	if (row->body_len > INTAKE_MESSAGE_MAX) {
		large->err =
		    nd_fail(&large->why, ND_ETOOBIG, 0, "the message is larger than %u octets", INTAKE_MESSAGE_MAX);
		return false;
	}
	if (!large->file)
		large->file = spool_begin(
		    large->submission->app->spool, large->submission->dry ? NULL : row->id, row->sealed, &large->why);
	if (!large->file || !spool_add(large->file, octets, len)) {
		large->err = large->file ? spool_keep(large->file, &large->why) : large->why.err;
		return false;
	}
	if (large->text)
		spool_relax(large->text);
	return true;
}

static bool
write_text(void *arg, const char *octets, size_t len)
{
	struct large *large = arg;

	return !is_idle(large) && spool_add(large->text, octets, len);
}

/* The text of a large html would be as large again: it is made beforehand, and lies on the disk while it is encoded. That of a sensitive one
 * stays in memory. */
static enum nd_err
make_text(struct large *large)
{
	struct job_draft *draft = &large->draft;
	struct nd_buf text;
	const char *map;

	if (draft->text_len > 0 || draft->html_len <= HTML_LARGE || draft->sensitive)
		return ND_OK;
	large->text = spool_begin(large->submission->app->spool, NULL, false, &large->why);
	if (!large->text)
		return large->why.err;
	nd_buf_init_sink(&text, INTAKE_MESSAGE_MAX, write_text, large);
	mime_text_from_html(&text, draft->html, draft->html_len);
	(void)nd_buf_flush(&text);
	nd_buf_done(&text);
	if (is_idle(large))
		return large->err;
	map = spool_map(large->text, &large->why);
	if (!map)
		return large->why.err;
	draft->text = map;
	draft->text_len = (size_t)spool_len(large->text);
	return ND_OK;
}

static enum nd_err
compose_body(struct large *large)
{
	struct queue_job *row = large->job->row;
	enum nd_err err;

	if (row->sealed && large->submission->dry) /* not even as a scratch file */
		nd_buf_init(&large->body, INTAKE_MESSAGE_MAX);
	else
		nd_buf_init_sink(&large->body, INTAKE_MESSAGE_MAX, write_piece, large);
	err = intake_compose(
	    &large->draft, large->submission->ready, row, large->conf->hostname, &large->body, &large->why);
	if (err == ND_OK && !large->file &&
	    (large->body.len <= SPOOL_OVER || (row->sealed && large->submission->dry))) {
		row->body_len = large->body.len;
		return ND_OK;
	}
	if (err == ND_OK && nd_buf_flush(&large->body))
		return large->submission->dry ? ND_OK : spool_keep(large->file, &large->why);
	/* The sink knows better than the writer why there is no more. */
	return large->err != ND_OK ? large->err : err;
}

static void
compose(struct worker_task *task)
{
	struct large *large = (struct large *)task;
	enum nd_err err = ND_OK;

	if (!is_idle(large)) {
		err = make_text(large);
		if (err == ND_OK)
			err = compose_body(large);
		large->err = err;
	}
	if (large->err != ND_OK) {
		spool_end(large->file);
		large->file = NULL;
	}
	hand_back(large);
}

/* -- checking -------------------------------------------------------------------------------------------------- */

static void
checked(void *arg)
{
	struct large *large = arg;
	struct intake_job *job = large->job;
	struct app *app = large->submission->app;

	if (large->read)
		large->read(job, large->used, large->lines);
	if (large->err == ND_OK && app->down)
		large->err = nd_fail(&large->why, ND_ESTOPPING, 0, "notifyd has stopped");
	if (large->err == ND_OK)
		large->err = admit_room(app, large->submission->body.len, &large->why);
	if (large->err == ND_OK) {
		large->err = intake_place(job, &large->draft);
		large->why = job->why;
	}
	if (large->err != ND_OK) {
		close_job(large);
		return;
	}
	large->conf = reload_hold(app->conf);
	hand_over(large, compose, composed);
}

/* Here, and once: on the loop the whole html would be looked through. */
static void
find_subject(struct large *large)
{
	struct nd_buf subject;

	if (large->draft.subject)
		return;
	nd_buf_init(&subject, 4096);
	mime_subject(&large->draft, &subject);
	large->draft.subject = large->subject = nd_buf_take(&subject, NULL);
	nd_buf_done(&subject);
}

static void
check(struct worker_task *task)
{
	struct large *large = (struct large *)task;

	if (!is_idle(large) && large->octets) {
		large->err = json_read_here(&large->tree, large->octets, large->len, &json_limits_job, &large->used,
		    &large->lines, &large->why);
		large->value = large->tree.root;
	}
	if (large->err == ND_OK) {
		large->err = intake_check(large->job, large->value, &large->draft);
		large->why = large->job->why;
	}
	if (large->err == ND_OK)
		find_subject(large);
	hand_back(large);
}

static struct large *
begin(struct intake_job *job)
{
	struct large *large = nd_xalloc(sizeof(*large));

	large->submission = job->submission;
	large->job = job;
	job->submission->busy = true;
	return large;
}

void
intake_large_one(struct intake_job *job, const struct json_node *value)
{
	struct large *large = begin(job);

	large->value = value;
	hand_over(large, check, checked);
}

void
intake_large_value(
    struct intake_job *job, char *octets, size_t len, void (*read)(struct intake_job *job, size_t used, unsigned lines))
{
	struct large *large = begin(job);

	large->octets = octets;
	large->len = len;
	large->read = read;
	hand_over(large, check, checked);
}
