/* SPDX-License-Identifier: Apache-2.0 */
/* engine_limit.c - the limits of an account at work: which mail may go, what is told of it, what of it is kept on disk.  Layer: core. */
#include "daemon/core/engine_inner.h"

#include "common/idn.h"
#include "common/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RECORD_MAX (1024u * 1024u)
#define AGAIN ND_SEC(1)
#define TOLD_MOST ND_HOUR(4) /* no server is believed to have asked for more */

/* -- whose limit it is -- */

/* A mailbox is a user at a server, by whatever account, application and login, and by whatever name of the server: so the providers count. */
static char *
name_of(const struct conf_account *conf)
{
	const char *user = conf->user ? conf->user : "";
	char address[IDN_ADDRESS_SIZE], host[IDN_DOMAIN_SIZE];
	struct nd_buf name;
	char *text;

	nd_buf_init(&name, 2048);
	(void)nd_buf_addf(&name, "%s at %s", idn_address(user, address, NULL) == ND_OK ? address : user,
	    conf->host ? idn_host(conf_provider_server(conf), host) : "");
	text = nd_buf_take(&name, NULL);
	for (char *at = text; *at; at++)
		if (*at >= 'A' && *at <= 'Z')
			*at = (char)(*at + 'a' - 'A');
	return text;
}

static struct limit *
find(const struct engine *engine, const char *name)
{
	struct limit *limit = engine->limits;

	while (limit && strcmp(limit->name, name) != 0)
		limit = limit->next;
	return limit;
}

void
engine_limit_leave(struct engine_account *account)
{
	if (account->limit) {
		account->limit->users--;
		account->limit->open -= pool_total(&account->pool);
	}
	account->limit = NULL;
}

void
engine_limit_join(struct engine *engine, struct engine_account *account)
{
	const struct conf_account *conf = account->conf;
	char *name = name_of(conf);
	struct limit *limit = find(engine, name);

	account->rules = (struct limit_rules){ (uint32_t)conf->messages_per_minute, (uint32_t)conf->messages_per_day,
		(uint32_t)conf->recipients_per_day, (uint32_t)conf->messages_per_recipient_hour };
	if (!limit) {
		limit = limit_new(name);
		limit->next = engine->limits;
		engine->limits = limit;
	}
	free(name);
	limit->users++;
	engine_limit_leave(account);
	account->limit = limit;
	limit->open += pool_total(&account->pool);
	engine_limit_tidy(engine);
}

void
engine_limit_tidy(struct engine *engine)
{
	struct limit **at = &engine->limits, *limit;

	while ((limit = *at) != NULL) {
		/* Its lease stays on disk: who comes back to this mailbox counts it as used. */
		if (limit->users == 0 && limit->going == 0 && !limit->asking && !limit->saving) {
			*at = limit->next;
			limit_free(limit);
		} else {
			at = &limit->next;
		}
	}
}

void
engine_limit_done(struct engine *engine)
{
	struct limit *limit;

	while ((limit = engine->limits) != NULL) {
		engine->limits = limit->next;
		limit_free(limit);
	}
}

/* -- a mail under way -- */

static void
each_rcpt(struct engine_account *account, const struct sched_job *job, const struct settle_mail *mail, bool begins,
    bool happened, nd_ms now)
{
	for (unsigned i = 0; i < mail->mail.rcpt_count; i++)
		if (begins)
			limit_rcpt_begin(account->limit, mail->rcpts[i], now);
		else
			limit_rcpt_end(job->limit, mail->rcpts[i], happened, now);
}

void
engine_limit_begin(struct engine_account *account, struct sched_job *job, nd_ms now)
{
	struct settle_mail *mail;

	job->limit = account->limit;
	job->rcpts = settle_mail_size(job->job);
	job->limited_rcpts = account->rules.rcpt > 0;
	limit_begin(account->limit, sched_severe(job->job), job->rcpts);
	if (!job->limited_rcpts)
		return;
	mail = settle_mail_new(job->job);
	each_rcpt(account, job, mail, true, false, now);
	free(mail);
}

void
engine_limit_end(struct engine_account *account, struct sched_job *job, const struct smtp_outcome *outcome, nd_ms now)
{
	/* A relay that was not even asked to take the content counts no message. In one flight it comes unasked. */
	const bool happened =
	    outcome && !outcome->local && !outcome->stale &&
	    !(outcome->end != SMTP_ENDED_LOST && outcome->stage < SMTP_AT_DATA && outcome->pace != SMTP_ONE_FLIGHT);
	struct settle_mail *mail;

	if (!job->limit)
		return;
	limit_end(job->limit, sched_severe(job->job), job->rcpts, happened, now);
	if (job->limited_rcpts) {
		mail = settle_mail_new(job->job); /* the job is as it was when the mail began */
		each_rcpt(account, job, mail, false, happened, now);
		free(mail);
	}
	job->limit = NULL;
}

/* -- which one is next -- */

/* Recipients who have had their part of this hour are left out. Returns which of them may get it first; NULL: nobody is left out. */
static const char *
choose_rcpts(struct engine_account *account, struct queue_job *job, nd_ms now)
{
	const char *who = NULL;
	nd_ms first = ND_NEVER, when;

	for (unsigned i = 0; i < job->rcpt_count; i++) {
		struct queue_rcpt *rcpt = &job->rcpts[i];

		rcpt->wait = false;
		if (account->rules.rcpt == 0 || rcpt->state != RCPT_PENDING)
			continue;
		when = limit_rcpt_when(account->limit, &account->rules, rcpt->address, now);
		rcpt->wait = when > now;
		if (!rcpt->wait || (who && when >= first))
			continue;
		first = when;
		who = rcpt->address;
	}
	return who;
}

static const char put_off_word[] = "paced"; /* of its reason; it decides about no more than a place in a line */

/* All its recipients have had enough: it waits in the store, in nobody's way, until it is its turn. */
static void
put_off(
    struct engine *engine, struct engine_account *account, struct sched_job *job, const char *who, struct nd_now now)
{
	const bool again = job->job->reason && strncmp(job->job->reason, put_off_word, strlen(put_off_word)) == 0;
	const nd_ms until =
	    limit_rcpt_turn(account->limit, &account->rules, who, sched_severe(job->job), again, now.ms);

	job->job->due = now.unix_ms + (until - now.ms) + (nd_ms)(engine_roll(engine) % 1000);
	if (account->readers_until < until)
		account->readers_until = until;
	settle_reason(job->job, put_off_word,
	    "its recipient has got as many messages in this hour as messages_per_recipient_hour allows",
	    "fewer messages to one address: a digest, or several readers");
	engine_to_store(engine, account, job, NULL);
}

/* The first job that has somebody to go to; NULL none. */
static struct sched_job *
candidate(struct engine *engine, struct engine_account *account, struct nd_now now)
{
	struct sched_job *job;
	const char *who;

	while ((job = sched_first(&account->sched)) != NULL) {
		if (engine_leaves(account, job->job)) {
			engine_to_store(engine, account, job, NULL);
			continue;
		}
		who = choose_rcpts(account, job->job, now.ms);
		smtp_habits_rcpts(&account->habits, (unsigned)account->conf->recipients_per_message, &job->job->most,
		    &job->job->domains);
		if (!who || settle_mail_size(job->job) > 0)
			return job;
		if (settle_round_over(job->job) && settle_mail_size(job->job) > 0)
			return job; /* those that were put off do not wait for the hour of the others */
		put_off(engine, account, job, who, now);
	}
	return NULL;
}

static void
tell(struct engine_account *account, const struct limit_word *word, nd_ms now)
{
	static const char *const details[LIMIT_WHY_COUNT] = {
		[LIMIT_RATE] = "the server asked for fewer messages a minute",
		[LIMIT_MINUTE] = "so many in a minute as are allowed have gone",
		[LIMIT_DAY] = "so many messages in a day as are allowed have gone",
		[LIMIT_RCPTS_DAY] = "so many recipients in a day as are allowed have been written to",
	};

	health_pace(&account->health, limit_why_key(word->why), details[word->why], word->until, now);
}

/* -- what its server asked for -- */

void
engine_limit_tell(const struct engine_account *account, struct nd_now now, struct json_out *out)
{
	const struct health *health = &account->health;
	const struct limit *limit = account->limit;

	if (health->state == HEALTH_THROTTLED && health->until > now.ms) {
		json_out_int(out, "until", now.unix_ms + (health->until - now.ms));
		json_out_text(out, "reason", health->reason);
		json_out_text(out, "detail", health->detail);
		json_out_text(out, "hint", health->hint);
	}
	if (limit->login_after > now.ms) {
		json_out_int(out, "login_after", now.unix_ms + (limit->login_after - now.ms));
		json_out_int(out, "login_refusals", limit->login_refusals);
	}
}

/* So long still, by the wall clock; 0 not at all. */
static nd_ms
still(const struct json_node *kept, const char *name, nd_unix now)
{
	int64_t until;

	if (!json_int(json_get(kept, name), 0, INT64_MAX / 2, &until) || until <= now)
		return 0;
	return until - now < TOLD_MOST ? until - now : TOLD_MOST;
}

void
engine_limit_told(struct engine_account *account, const struct json_node *kept, struct nd_now now)
{
	const char *reason = json_get_text(kept, "reason"), *detail = json_get_text(kept, "detail"),
		   *hint = json_get_text(kept, "hint");
	struct health_fault fault = { .state = HEALTH_THROTTLED,
		.reason = reason,
		.detail = detail ? detail : "",
		.hint = hint ? hint : "",
		.wait = still(kept, "until", now.unix_ms) };
	const nd_ms login = still(kept, "login_after", now.unix_ms);
	int64_t refusals;

	if (fault.wait > 0 && reason)
		health_fault(&account->health, &fault, 0, now.ms);
	if (login == 0 || !json_int(json_get(kept, "login_refusals"), 0, UINT32_MAX, &refusals))
		return;
	if (account->limit->login_after < now.ms + login)
		account->limit->login_after = now.ms + login;
	account->limit->login_refusals = (uint32_t)refusals;
}

void
engine_limit_mind(struct engine *engine, struct engine_account *account, struct nd_now now)
{
	struct sched_job *job = NULL;

	account->word = (struct limit_word){ LIMIT_GO, 0, now.ms };
	if (limit_sessions(account->limit, (unsigned)account->conf->max_connections, now.ms) != account->pool.max)
		engine_fit_pool(account, now.ms);
	if (!engine->stopping && !engine->held && engine->bars == 0)
		job = candidate(engine, account, now);
	account->urgent = job && job->severe;
	if (job) {
		account->word = limit_ask(
		    account->limit, &account->rules, sched_severe(job->job), settle_mail_size(job->job), now.ms);
		account->wanted = settle_mail_size(job->job);
		if (account->word.why == LIMIT_GO && account->word.rcpts < account->wanted)
			job->job->most = account->word.rcpts;
	}
	if (account->word.why > LIMIT_LEASE)
		tell(account, &account->word, now.ms);
	else if (!job && account->sched.ready[SCHED_SMALL] + account->sched.ready[SCHED_BIG] == 0 &&
		 !account->sched.behind && !account->sched.loading)
		health_unpace(&account->health, now.ms);
}

/* -- on disk -- */

bool
engine_limit_next(
    struct engine *engine, struct engine_account *account, struct nd_now now, struct engine_action *action)
{
	struct limit *limit = account->limit;
	struct json_out out;
	struct nd_buf buf;

	if (!limit_ruled(&account->rules) || engine->held)
		return false;
	action->limit = limit->name;
	if (now.ms < limit->save_after)
		return false;
	if (!limit->known && !limit->asking && !engine->stopping) {
		limit->asking = true;
		action->act = ENGINE_RECALL;
		return true;
	}
	if (!limit_wants(limit, &account->rules, account->wanted, engine->stopping, now.ms))
		return false;
	nd_buf_init(&buf, RECORD_MAX);
	json_out_init(&out, &buf);
	limit_write(limit, &account->rules, account->wanted, engine->stopping, engine->boot, now, &out);
	action->act = ENGINE_KEEP;
	action->record = nd_buf_take(&buf, NULL);
	return true;
}

static void
suppose(struct engine *engine, struct limit *limit, nd_ms now)
{
	for (unsigned i = 0; i < engine->count; i++) {
		struct engine_account *account = engine->accounts[i];

		if (account->limit == limit && limit_ruled(&account->rules))
			limit_unread(limit, &account->rules, account->wanted, now);
	}
}

bool
engine_limit_recalled(struct engine *engine, const char *name, const char *record, struct nd_now now)
{
	struct limit *limit = find(engine, name);
	struct json_tree tree = { 0 };
	bool well;

	if (!limit)
		return true;
	well = !record || json_read(&tree, record, strlen(record), &json_limits_job, NULL, NULL) == ND_OK;
	if (!well)
		tree.root = NULL;
	well = limit_read(limit, tree.root, engine->boot, now) && well;
	json_done(&tree);
	if (!well)
		suppose(engine, limit, now.ms);
	return well;
}

void
engine_limit_recall_failed(struct engine *engine, const char *name, struct nd_now now)
{
	struct limit *limit = find(engine, name);

	if (!limit)
		return;
	limit->asking = false;
	limit->save_after = now.ms + AGAIN;
}

void
engine_limit_kept(struct engine *engine, const char *name, bool well, struct nd_now now)
{
	struct limit *limit = find(engine, name);

	if (!limit)
		return;
	limit_saved(limit, well);
	limit->save_after = well ? 0 : now.ms + AGAIN;
	engine_limit_tidy(engine);
}

void
engine_limit_leapt(struct engine *engine)
{
	for (struct limit *limit = engine->limits; limit; limit = limit->next)
		limit_leapt(limit);
}

bool
engine_limit_busy(const struct engine *engine)
{
	for (const struct limit *limit = engine->limits; limit; limit = limit->next)
		if (limit->saving)
			return true;
	return false;
}

void
engine_boot(struct engine *engine, const char *boot)
{
	(void)snprintf(engine->boot, sizeof(engine->boot), "%s", boot);
}

nd_ms
engine_limit_deadline(const struct engine_account *account, nd_ms now)
{
	nd_ms at = limit_deadline(account->limit, now), login;

	if (account->word.why > LIMIT_LEASE && account->word.until < at)
		at = account->word.until;
	if (account->limit->save_after > now && account->limit->save_after < at)
		at = account->limit->save_after;
	if (limit_ruled(&account->rules) && account->limit->kept + LIMIT_FRESH < at)
		at = account->limit->kept + LIMIT_FRESH;
	login = limit_login_when(account->limit, (uint32_t)account->conf->logins_per_minute, now);
	return login > now && login < at ? login : at;
}

nd_unix
engine_through(struct engine_account *account, uint64_t queued, struct nd_now now)
{
	return now.unix_ms + (limit_through(account->limit, &account->rules, queued, now.ms) - now.ms);
}
