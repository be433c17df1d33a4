/* SPDX-License-Identifier: Apache-2.0 */
/* outcomes.c - what became of jobs, on its way to the disk: outcomes, moves, ends. */
#include "daemon/app.h"

#include "common/log.h"
#include "common/mem.h"
#include "daemon/core/declined.h"

#include <stdio.h>
#include <stdlib.h>

struct settling { /* owner of an OUTCOME request */
	struct app *app;
	struct engine_account *account;
	struct sched_job *job; /* NULL: the row is not in memory; req->job is ours */
	bool moved;
};

static void
say_final(const struct queue_job *job, const struct queue_attempt *attempt)
{
	const char *words = job->reason ? job->reason : attempt ? attempt->text : NULL;
	unsigned i, delivered = 0;
	char code[16];

	for (i = 0; i < job->rcpt_count; i++)
		delivered += job->rcpts[i].state == RCPT_DELIVERED;
	(void)snprintf(code, sizeof(code), "%d", attempt ? attempt->code : 0);
	nd_log(ND_LOG_INFO,
	    ND_FIELDS({ "JOB", job->id }, { "ACCOUNT", job->account }, { "STATE", job_state_name(job->state) },
		{ "SESSION", attempt ? attempt->session : NULL }, { "RELAY", attempt ? attempt->relay : NULL },
		{ "REPLY", attempt ? code : NULL }),
	    "job %s: %s, %u of %u recipients%s%s", job->id, job_state_words(job->state), delivered, job->rcpt_count,
	    words ? "; " : "", words ? words : "");
}

static void
free_outcome(struct store_req *req)
{
	struct settling *settling = req->owner;
	struct queue_attempt *attempt = (struct queue_attempt *)(uintptr_t)req->attempt;

	if (attempt)
		queue_attempt_done(attempt);
	free(attempt);
	if (!settling->job)
		queue_job_free(req->job);
	if (req->evidence)
		queue_evidence_done(req->evidence);
	free(req->evidence);
	free((void *)(uintptr_t)req->transcript);
	free(settling);
	free(req);
}

/* The row is on disk, or gone. */
static void
let_go(struct settling *settling)
{
	struct app *app = settling->app;

	if (!settling->job)
		return;
	if (settling->job->slot >= 0)
		inflight_drop(app->inflight, settling->job->slot);
	settling->job->slot = -1;
	engine_stored(app->engine, settling->account, settling->job, loop_now(app->loop));
}

/* It has ended meanwhile, in the store: nothing of this can be kept, and trying again would be for ever. */
static void
outcome_lost(struct store_req *req)
{
	struct settling *settling = req->owner;
	struct app *app = settling->app;

	app->outcomes--;
	if (settling->job) {
		nd_log(ND_LOG_WARNING, ND_FIELDS({ "JOB", req->job->id }),
		    "job %s ended while it was under way: what became of that is not kept", req->job->id);
		req->job->state = JOB_CANCELLED;
		acts_stored(app, req->job->id, JOB_CANCELLED);
		let_go(settling);
	}
	free_outcome(req);
	loop_soon(app->loop, app_pump, app);
}

void
outcomes_count(struct app *app, bool before, bool after)
{
	if (before && !after && app->unfinished > 0)
		app->unfinished--;
	if (!before && after && app->unfinished++ == 0)
		loop_timer_set(app->sweep_timer, loop_now(app->loop).ms + ND_MIN(1));
}

static void
outcome_stored(struct store_req *req)
{
	struct settling *settling = req->owner;
	struct app *app = settling->app;
	struct queue_job *row = req->job;

	app_wrote(app, req);
	if (req->err == ND_ENOTFOUND) {
		outcome_lost(req);
		return;
	}
	if (req->err != ND_OK) {
		/* Kept as it is: tried again when the disk has room; after a restart an in-flight note makes it uncertain. */
		req->next = app->retry;
		app->retry = req;
		loop_timer_set(app->retry_timer, loop_now(app->loop).ms + ND_SEC(1));
		return;
	}
	app->outcomes--;
	outcomes_count(app, !job_state_final((enum job_state)req->former), !job_state_final(row->state));
	if (job_state_final(row->state)) {
		say_final(row, req->attempt);
		if (req->tell)
			reports_job(app, row, req->place);
		if (row->spooled && (row->sealed || (row->state != JOB_FAILED && row->state != JOB_EXPIRED)))
			spool_remove(app->spool, row->id);
	}
	if (settling->moved)
		feed_moved(app, row);
	else
		feed_job(app, row, req->attempt);
	waiters_wake(app, row->id, row->state);
	acts_stored(app, row->id, row->state);
	let_go(settling);
	free_outcome(req);
	loop_soon(app->loop, app_pump, app);
}

void
outcomes_drop(struct app *app)
{
	struct store_req *req;

	while ((req = app->retry) != NULL) {
		app->retry = req->next;
		nd_log(ND_LOG_WARNING, ND_FIELDS({ "JOB", req->job->id }),
		    "the outcome of job %s could not be written: it may be sent again", req->job->id);
		free_outcome(req);
	}
}

/* With the evidence of a delivery, when `tried` is given. */
static void
submit_outcome(struct queue_job *row, struct settling settling, struct queue_attempt *attempt, struct sched_job *tried)
{
	struct store_req *req = nd_xalloc(sizeof(*req));
	struct app *app = settling.app;

	req->op = STORE_OUTCOME;
	req->done = outcome_stored;
	req->owner = nd_xalloc(sizeof(settling));
	*(struct settling *)req->owner = settling;
	req->job = row;
	req->attempt = attempt;
	if (tried) {
		evidence_of(tried, req);
		req->transcript = tried->transcript;
		tried->transcript = NULL;
	}
	req->tell = reports_wants(app, row);
	app->outcomes++;
	store_submit(app->store, req);
}

void
outcomes_store(struct app *app, const struct engine_action *action)
{
	submit_outcome(action->job->job, (struct settling){ app, action->account, action->job, false }, action->attempt,
	    action->job);
}

void
outcomes_move(struct app *app, const struct engine_action *action)
{
	const struct health *health = &action->account->health;
	const char *from = action->account->conf->name, *detail = health->detail;
	struct queue_job *row = action->job->job;
	struct queue_attempt *attempt;
	struct nd_buf words;

	if (sender_pinned(row)) {
		engine_stays(app->engine, action->account, action->job, loop_now(app->loop));
		return;
	}
	nd_buf_init(&words, 2048);
	if (declined_by(row, from))
		(void)nd_buf_addf(&words, "account %s cannot take it: %s; goes on by %s", from,
		    row->reason ? row->reason : "", action->to->name);
	else
		(void)nd_buf_addf(&words, "account %s is %s: %s%s%s; goes on by %s", from,
		    health_state_name(health->state), health->reason, detail[0] ? ": " : "", detail, action->to->name);
	attempt = nd_xalloc(sizeof(*attempt));
	attempt->n = row->attempt_count;
	attempt->account = nd_xstrdup(from);
	attempt->start = attempt->end = loop_now(app->loop).unix_ms;
	attempt->stage = "account";
	attempt->verdict = "moved";
	attempt->text = nd_xstrdup(nd_buf_text(&words));
	settle_reason(row, "moved", nd_buf_text(&words), NULL);
	nd_log(ND_LOG_INFO, ND_FIELDS({ "JOB", row->id }, { "ACCOUNT", action->to->name }), "job %s moves: %s", row->id,
	    nd_buf_text(&words));
	nd_buf_done(&words);
	engine_age_moves(app->engine, action->account, action->to->name, row, loop_now(app->loop).unix_ms);
	sender_move(row, action->to);
	((struct app_account *)action->account->user)->moved++;
	submit_outcome(row, (struct settling){ app, action->account, action->job, true }, attempt, NULL);
}

void
outcomes_end(struct app *app, struct queue_job *job)
{
	submit_outcome(job, (struct settling){ .app = app }, NULL, NULL);
}
