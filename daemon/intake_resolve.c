/* SPDX-License-Identifier: Apache-2.0 */
/* intake_resolve.c - what the configuration decides of a submitted job: recipients, account, rights, its row in the queue. */
#include "daemon/intake_inner.h"

#include "common/idn.h"
#include "common/mem.h"
#include "common/stamp.h"
#include "daemon/core/late.h"
#include "daemon/core/mime.h"
#include "daemon/core/mime_plain.h"

#include <stdio.h>
#include <string.h>

/* Without recipients of its own the job goes to [daemon] to. */
static enum nd_err
add_defaults(const struct conf *conf, struct job_draft *draft, struct nd_why *why)
{
	unsigned i;
	enum nd_err err;

	if (draft->rcpt_count > 0)
		return ND_OK;
	if (conf->to.count == 0)
		return nd_fail(why, ND_ENORCPT, 0, "the job names no recipient and [daemon] to is not set");
	draft->rcpts = nd_xalloc(conf->to.count * sizeof(*draft->rcpts));
	for (i = 0; i < conf->to.count; i++) {
		err = nd_str_mailbox(conf->to.items[i], strlen(conf->to.items[i]), &draft->rcpts[i].box, why);
		if (err != ND_OK)
			return err;
		draft->rcpts[i].kind = JOB_TO_RCPT;
		draft->rcpt_count++;
	}
	return ND_OK;
}

static void
set_rcpts(const struct job_draft *draft, struct queue_job *row)
{
	unsigned i;

	row->rcpt_count = draft->rcpt_count;
	row->rcpts = nd_xalloc(draft->rcpt_count * sizeof(*row->rcpts));
	for (i = 0; i < draft->rcpt_count; i++)
		row->rcpts[i].address = nd_xstrdup(draft->rcpts[i].box.address);
}

static enum nd_err
find_account(struct app *app, const struct job_draft *draft, const struct conf_account **account, struct nd_why *why)
{
	const struct conf *conf = app->conf;

	*account = draft->account ? conf_account_named(conf, draft->account)
				  : engine_route(app->engine, draft->severity <= JOB_CRITICAL, loop_now(app->loop));
	if (!*account && draft->account && conf->account_count > 0) {
		(void)nd_fail(why, ND_ENOACCOUNT, 0, "there is no account \"%.60s\"", draft->account);
		return nd_fail_at(why, "account", 0, NULL);
	}
	return ND_OK;
}

static enum nd_err
check_rights(const struct conf *conf, const struct access_peer *peer, const struct queue_job *row, struct nd_why *why)
{
	enum nd_err err = ND_OK;
	unsigned i;

	for (i = 0; err == ND_OK && i < row->rcpt_count; i++)
		err = access_recipient(conf, peer, row->rcpts[i].address, why);
	return err;
}

/* Nothing outlives max_age: what was not to be sent before that would never be. */
static enum nd_err
check_start(struct app *app, const struct job_draft *draft, struct nd_why *why)
{
	const nd_unix now = loop_now(app->loop).unix_ms, last = now + engine_max_age(app->engine, now);
	char words[ND_STAMP_SIZE], hint[ND_STAMP_SIZE + 32];

	if (draft->not_before < last)
		return ND_OK;
	(void)nd_fail(why, ND_EINVALID, 0, "the job would be older than [queue] max_age before it may be sent");
	(void)snprintf(hint, sizeof(hint), "give a time before %s", nd_stamp_rfc3339(last, words));
	return nd_fail_at(why, "not_before", 0, hint);
}

/* A fact beside those that the job tells. */
static void
add_fact(struct nd_buf *facts, const char *name)
{
	if (facts->len == 0 || facts->octets[facts->len - 1] != '}')
		return;
	facts->len--;
	(void)nd_buf_addf(facts, "%s\"%s\":true}", facts->len > 1 ? "," : "", name);
}

/* The fact of its header that tells what in it is not ASCII; NULL none. */
static const char *
header_fact(const struct job_draft *draft, const struct ready *ready)
{
	static const char *const names[] = { [MIME_PLAIN_WORDS] = SENDER_WORDS, [MIME_PLAIN_ADDRESSES] = SENDER_UTF8 };
	bool found = !ready && draft->reply_to.address && idn_local(draft->reply_to.address);
	enum mime_plain kind;
	size_t len;
	unsigned i;

	if (ready) {
		len = mime_plain_header_len(ready->octets, ready->len);
		kind = mime_plain_of(ready->octets, len);
		/* One too large to be rewritten goes as it is; with an address in it, it cannot. */
		return kind == MIME_PLAIN_WORDS && len >= MIME_PLAIN_MOST / 2 ? NULL : names[kind];
	}
	for (i = 0; i < draft->rcpt_count && !found; i++)
		found = draft->rcpts[i].kind != JOB_BCC_RCPT && idn_local(draft->rcpts[i].box.address);
	return found ? SENDER_UTF8 : NULL;
}

struct asker { /* what he may */
	bool operator_right, answers;
};

/* Readers may answer to the sender that the job asks for: it is one to whom the peer may send. */
static bool
answers(
    const struct conf *conf, const struct access_peer *peer, const struct job_draft *draft, const struct ready *ready)
{
	struct nd_why ignored;

	return draft->from.address != NULL && !(ready ? ready->has_reply_to : draft->reply_to.address != NULL) &&
	       access_recipient(conf, peer, draft->from.address, &ignored) == ND_OK;
}

static void
set_facts(struct queue_job *row, const struct job_draft *draft, const struct ready *ready, struct asker asker)
{
	const char *fact = header_fact(draft, ready);
	struct nd_buf subject, facts;

	nd_buf_init(&subject, 4096);
	nd_buf_init(&facts, INTAKE_MESSAGE_MAX);
	if (!draft->sensitive)
		mime_subject(draft, &subject);
	job_facts(draft, nd_buf_text(&subject), &facts);
	if (asker.answers)
		add_fact(&facts, SENDER_ANSWERS);
	/* Who asked matters when the job waits for its first account: see recover.c. */
	if (asker.operator_right)
		add_fact(&facts, "operator");
	if (draft->account)
		add_fact(&facts, QUEUE_PINNED);
	if (fact)
		add_fact(&facts, fact);
	row->facts = nd_buf_take(&facts, NULL);
	nd_buf_done(&subject);
}

static void
set_row(struct app *app, const struct access_peer *peer, const struct job_draft *draft, const struct ready *ready,
    struct queue_job *row)
{
	nd_unix now = loop_now(app->loop).unix_ms;
	uint8_t fresh[10] = { 0 };

	if (now != app->ids.last) /* within a millisecond ids rise by counting */
		tls_random(fresh, sizeof(fresh));
	nd_ulid_next(&app->ids, now, fresh, row->id);
	row->created = now;
	row->event_time = draft->event_time;
	row->not_before = draft->not_before;
	row->due = draft->not_before > now ? draft->not_before : now;
	row->expires = draft->expires_in ? row->due + draft->expires_in : 0;
	row->severity = (uint8_t)draft->severity;
	row->resolved = draft->resolved;
	row->uid = peer->uid;
	row->gid = peer->gid;
	row->pid = peer->pid;
	row->unit = peer->unit[0] ? nd_xstrdup(peer->unit) : NULL;
	row->comm = peer->comm[0] ? nd_xstrdup(peer->comm) : NULL;
	row->source = nd_xstrdup(draft->source ? draft->source : row->unit ? row->unit : row->comm);
	row->key = nd_xstrdup(draft->key);
	row->body_kept = true;
	row->sealed = draft->sensitive;
	row->late = ready ? LATE_NEVER : LATE_OPEN;
}

static void
set_from(const struct job_draft *draft, struct queue_job *row)
{
	struct nd_buf buf;

	if (!draft->from.address)
		return;
	nd_buf_init(&buf, 4096);
	if (draft->from.name) {
		const char *c;

		(void)nd_buf_addc(&buf, '"');
		for (c = draft->from.name; *c != '\0'; c++) {
			if (*c == '"' || *c == '\\')
				(void)nd_buf_addc(&buf, '\\');
			(void)nd_buf_addc(&buf, *c);
		}
		(void)nd_buf_addf(&buf, "\" <%s>", draft->from.address);
	} else {
		(void)nd_buf_adds(&buf, draft->from.address);
	}
	row->from = nd_buf_take(&buf, NULL);
}

/* The draft as a row of the queue, without its body. */
enum nd_err
intake_resolve(struct app *app, const struct access_peer *peer, struct job_draft *draft, const struct ready *ready,
    struct queue_job *row, struct nd_why *why)
{
	const struct conf_account *account;
	struct asker asker;
	enum nd_err err;

	if ((err = find_account(app, draft, &account, why)) != ND_OK || (err = check_start(app, draft, why)) != ND_OK ||
	    (err = add_defaults(app->conf, draft, why)) != ND_OK)
		return err;
	set_rcpts(draft, row);
	if ((err = check_rights(app->conf, peer, row, why)) != ND_OK)
		return err;
	set_row(app, peer, draft, ready, row);
	if (ready && ready->from)
		row->from = nd_xstrdup(ready->from);
	else
		set_from(draft, row);
	asker = (struct asker){ .operator_right = peer->operator_right && !account,
		/* while there is no account nobody is judged, and nothing foreign is promised */
		.answers = (account || peer->operator_right) && answers(app->conf, peer, draft, ready) };
	set_facts(row, draft, ready, asker);
	row->account = nd_xstrdup(account ? account->name : "");
	if (account) {
		sender_write(row, account, asker.answers);
	} else {
		row->state = JOB_HELD;
		settle_reason(row, "no-account", NULL,
		    "no account yet: add an [account NAME] to notifyd.conf, then: notifyctl reload");
	}
	return ND_OK;
}
