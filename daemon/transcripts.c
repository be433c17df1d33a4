/* SPDX-License-Identifier: Apache-2.0 */
/* transcripts.c - the conversation of an attempt that failed, with its job or with the account whose fault it was.
 *
 * A fault of the account leaves its jobs as they were, so there is no row to write: the account's last one is in memory, and another try after a
 * restart brings another. Its opening concerns whoever waits; words about a mail are shown with that mail alone.
 */
#include "daemon/transcripts.h"
#include "daemon/app.h"

#include "common/json.h"
#include "common/mem.h"
#include "daemon/core/transcript.h"
#include "daemon/io/smtp_link.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct transcripts_kept {
	unsigned met;              /* the fault of the account that it tells of: health.met */
	char job[ND_ULID_LEN + 1]; /* "": of the opening of a session */
	char *text;
};

void
transcripts_free(struct transcripts_kept *kept)
{
	if (!kept)
		return;
	free(kept->text);
	free(kept);
}

static void
forget(struct app_account *account)
{
	transcripts_free(account->transcript);
	account->transcript = NULL;
}

static void
keep(struct app_account *account, const char *job, char *text)
{
	forget(account);
	account->transcript = nd_xalloc(sizeof(*account->transcript));
	account->transcript->met = account->engine->health.met;
	(void)snprintf(account->transcript->job, sizeof(account->transcript->job), "%s", job);
	account->transcript->text = text;
}

void
transcripts_outcome(struct app *app, const struct pool_session *session, struct sched_job *job,
    const struct smtp_link *link, const struct smtp_outcome *outcome, bool blamed)
{
	struct app_account *account = session->account->user;
	const bool stored = job->place == SCHED_SETTLING;
	char *text;

	if (stored && (job->job->state == JOB_DELIVERED || !job->job->reason)) { /* nobody was left out */
		if (account->transcript)
			forget(account);
		return;
	}
	if (job->job->sealed || (!stored && !blamed))
		return;
	/* What failed here before anything was said is not what the session said last. */
	text = transcript_text(link && !outcome->local ? smtp_link_transcript(link) : NULL,
	    outcome->end == SMTP_ENDED_LOST ? outcome->why.text : NULL, loop_now(app->loop));
	if (!stored) {
		keep(account, job->job->id, text);
		return;
	}
	free(job->transcript);
	job->transcript = text;
}

void
transcripts_unopened(
    struct app *app, struct engine_account *account, const struct smtp_link *link, const struct smtp_fault *fault)
{
	char words[sizeof(fault->why.text) + sizeof(fault->challenge) + 32];

	(void)snprintf(words, sizeof(words), "%s%s%s", fault->why.text,
	    fault->challenge[0] ? "; the server added " : "", fault->challenge);
	keep(account->user, "", transcript_text(link ? smtp_link_transcript(link) : NULL, words, loop_now(app->loop)));
}

void
transcripts_opened(const struct pool_session *session)
{
	struct app_account *account = session->account->user;

	if (account->transcript && account->transcript->job[0] == '\0')
		forget(account);
}

/* What its account is kept from sending by, if it was said to a server: not when that is something else by now, as a token. */
static const char *
of_account(struct app *app, const struct queue_job *job)
{
	const struct engine_account *account = engine_account_named(app->engine, job->account);
	const struct transcripts_kept *kept = account ? ((struct app_account *)account->user)->transcript : NULL;

	if (!kept || kept->met != account->health.met || job->state != JOB_QUEUED ||
	    (account->health.state != HEALTH_FAILING && account->health.state != HEALTH_HELD &&
		account->health.state != HEALTH_THROTTLED))
		return NULL;
	return kept->job[0] == '\0' || strcmp(kept->job, job->id) == 0 ? kept->text : NULL;
}

void
transcripts_put(struct app *app, const struct queue_job *job, const struct store_req *tale, struct json_out *out)
{
	const char *text = of_account(app, job);
	struct transcript_word word;
	nd_unix began;

	if (!text)
		text = tale->found_transcript;
	if (!text || job->sealed || !transcript_start(&text, &began))
		return;
	json_out_time(out, "transcript_start", began);
	json_out_array(out, "transcript");
	while (transcript_next(&text, &word)) {
		json_out_object(out, NULL);
		json_out_int(out, "ms", word.ms);
		json_out_text(out, "from", transcript_side_name(word.side));
		json_out_textn(out, "text", word.text, word.len);
		json_out_object_end(out);
	}
	json_out_array_end(out);
}
