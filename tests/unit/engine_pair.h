/* SPDX-License-Identifier: Apache-2.0 */
/* engine_pair.h - two accounts in order, and relays that answer at once. Wants cmocka.h before it. */
#ifndef TESTS_UNIT_ENGINE_PAIR_H
#define TESTS_UNIT_ENGINE_PAIR_H

#include "daemon/core/smtp_check.h"
#include "tests/unit/engine_kit.h"

static const char *const two[] = { "a", "b", NULL };

/* Two accounts; those in `down` cannot be connected to, those in `bad` refuse every sender, those in `small` every message; those in `unasked` are not asked
 * about any. */
struct world {
	struct conf conf;
	char *order[3];
	struct engine *engine;
	nd_ms now;
	bool down[2], bad[2], small[2], unasked[2];
	unsigned delivered[2][10], tried[2], moved, pinned, failed;
	char reason[80]; /* of the last one that failed */
};

static void
begin(struct world *world)
{
	*world = (struct world){ 0 };
	rows_conf(&world->conf, two, 1);
	world->order[0] = world->conf.account[0].name;
	world->order[1] = world->conf.account[1].name;
	world->conf.accounts = (struct conf_list){ world->order, 2 };
	world->conf.failover_after = ND_MIN(2);
	world->conf.uncertain_wait = ND_MIN(15);
	world->engine = engine_new(&world->conf, 7, at(0));
}

static void
end(struct world *world)
{
	engine_free(world->engine);
	world->conf.accounts = (struct conf_list){ NULL, 0 };
	rows_conf_done(&world->conf);
}

static unsigned
number(const struct engine_account *account)
{
	return account->conf->name[0] == 'b';
}

static struct engine_account *
account(struct world *world, unsigned n)
{
	return engine_account_nth(world->engine, n);
}

static unsigned
job_number(const struct queue_job *job)
{
	return (unsigned)strtoul(job->id + 19, NULL, 10);
}

static void
accept(struct world *world, unsigned n, const char *name, bool uncertain)
{
	struct queue_job *job = row_make(n, name, at(world->now).unix_ms, JOB_WARNING, 1);

	job->uncertain = uncertain;
	engine_accepted(world->engine, job, at(world->now));
}

static void
play_open(struct world *world, struct pool_session *session)
{
	static const struct smtp_fault fault = { .stage = SMTP_AT_CONNECT,
		.why = { .err = ND_ECONNECT, .text = "refused" } };

	if (world->down[number(session->account)])
		engine_gone(world->engine, session, &fault, at(world->now));
	else
		engine_ready(world->engine, session, at(world->now));
}

static void
play_mail(struct world *world, const struct engine_action *send)
{
	const unsigned n = number(send->account);
	struct smtp_outcome outcome = { .end = SMTP_ENDED_REPLY,
		.stage = world->bad[n] ? SMTP_AT_MAIL : SMTP_AT_END,
		.reply = { .code = world->bad[n] ? 550 : 250, .lines = 1 } };
	struct settle_mail *mail = settle_mail_new(send->job->job);
	struct engine_told told = { &outcome, mail, "relay", 0 };

	mail->results[0] = (struct smtp_rcpt_result){ .asked = true, .reply = { .code = 250, .lines = 1 } };
	if (world->unasked[n]) {
		outcome.stage = SMTP_AT_MAIL;
		smtp_check_refuse("it is too large", &outcome.reply);
		mail->results[0] = (struct smtp_rcpt_result){ 0 };
	} else if (world->small[n]) {
		outcome = (struct smtp_outcome){ .end = SMTP_ENDED_REPLY,
			.stage = SMTP_AT_MAIL,
			.reply = { .code = 552, .enhanced = "5.3.4", .lines = 1 } };
		(void)snprintf(outcome.reply.text, sizeof(outcome.reply.text), "too big for %s", two[n]);
	}
	world->tried[n]++;
	world->delivered[n][job_number(send->job->job)] += outcome.reply.code == 250;
	engine_outcome(world->engine, send->session, &told, at(world->now));
	free(mail);
	engine_ready(world->engine, send->session, at(world->now));
}

static void
play_move(struct world *world, const struct engine_action *move)
{
	struct queue_job *row = move->job->job;

	if (world->pinned & 1u << job_number(row)) {
		engine_stays(world->engine, move->account, move->job, at(world->now));
		return;
	}
	world->moved++;
	free(row->account);
	row->account = nd_xstrdup(move->to->name);
	engine_stored(world->engine, move->account, move->job, at(world->now));
}

static void
play(struct world *world, struct engine_action *action)
{
	if (action->act == ENGINE_LOAD)
		engine_loaded(world->engine, action->account, NULL, 0, false, ND_NEVER, at(world->now));
	else if (action->act == ENGINE_OPEN)
		play_open(world, action->session);
	else if (action->act == ENGINE_CLOSE)
		engine_gone(world->engine, action->session, NULL, at(world->now));
	else if (action->act == ENGINE_SEND)
		play_mail(world, action);
	else if (action->act == ENGINE_RECALL)
		(void)engine_limit_recalled(world->engine, action->limit, NULL, at(world->now));
	else if (action->act == ENGINE_KEEP) {
		engine_limit_kept(world->engine, action->limit, true, at(world->now));
		free(action->record);
	} else if (action->act == ENGINE_MOVE)
		play_move(world, action);
	else if (action->act == ENGINE_STORE) {
		if (action->job->job->state == JOB_FAILED) {
			world->failed++;
			(void)snprintf(world->reason, sizeof(world->reason), "%s", action->job->job->reason);
		}
		if (action->attempt)
			queue_attempt_done(action->attempt);
		free(action->attempt);
		engine_stored(world->engine, action->account, action->job, at(world->now));
	}
}

static void
run(struct world *world)
{
	struct engine_action action;
	unsigned guard = 0;

	while (engine_next(world->engine, at(world->now), &action)) {
		assert_true(++guard < 1000);
		play(world, &action);
	}
}

static void
run_to(struct world *world, nd_ms until)
{
	nd_ms next;

	for (run(world); (next = engine_deadline(world->engine, at(world->now))) <= until; run(world))
		world->now = next;
	world->now = until;
	run(world);
}

static inline const char *
route(struct world *world)
{
	return engine_route(world->engine, false, at(world->now))->name;
}

#endif
