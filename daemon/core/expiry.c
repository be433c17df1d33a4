/* SPDX-License-Identifier: Apache-2.0 */
/* expiry.c - what an account logs in with ends one day: when to say so, and that each warning is given once.  Layer: core.  Pure. */
#include "daemon/core/expiry.h"

#include "common/stamp.h"

#include <stdio.h>
#include <string.h>

#define OLD ND_DAY(150)

static const struct {
	enum expiry_stage stage;
	nd_ms left;
} stages[] = {
	/* the latest first */
	{ EXPIRY_OVER, 0 },
	{ EXPIRY_1, ND_DAY(1) },
	{ EXPIRY_3, ND_DAY(3) },
	{ EXPIRY_7, ND_DAY(7) },
	{ EXPIRY_14, ND_DAY(14) },
	{ EXPIRY_30, ND_DAY(30) },
};

static const struct {
	const char *name, *words, *remedy;
} kinds[EXPIRY_KINDS] = {
	[EXPIRY_CLIENT_SECRET] = { "client_secret", "the client secret",
	    "make a new client secret at the provider, then: notifyctl secret rotate ACCOUNT, and set "
	    "client_secret_expires to "
	    "its last day" },
	[EXPIRY_CERTIFICATE] = { "certificate", "the certificate",
	    "notifyctl cert renew ACCOUNT, upload the certificate beside the old one, then: notifyctl cert renew "
	    "ACCOUNT --activate" },
	[EXPIRY_GRANT] = { "grant", "the sign-in",
	    "see why notifyd, which renews it daily, cannot: notifyctl status; or sign in again: notifyctl account "
	    "login "
	    "ACCOUNT" },
};

const char *
expiry_kind_name(enum expiry_kind kind)
{
	return kinds[kind].name;
}

const char *
expiry_remedy(enum expiry_kind kind)
{
	return kinds[kind].remedy;
}

void
expiry_ends(struct expiry *expiry, nd_unix ends)
{
	if (expiry->ends == ends)
		return;
	expiry->ends = ends;
	expiry->told = EXPIRY_NONE;
}

void
expiry_used(struct expiry *expiry, const char *mark, nd_unix now)
{
	if (expiry->since != 0 && strcmp(expiry->mark, mark) == 0)
		return;
	(void)snprintf(expiry->mark, sizeof(expiry->mark), "%s", mark);
	expiry->since = now;
	if (expiry->ends == 0)
		expiry->told = EXPIRY_NONE;
}

enum expiry_stage
expiry_stage(const struct expiry *expiry, nd_unix now)
{
	if (expiry->ends == 0)
		return expiry->since != 0 && now - expiry->since >= OLD ? EXPIRY_OLD : EXPIRY_NONE;
	for (size_t i = 0; i < sizeof(stages) / sizeof(stages[0]); i++)
		if (expiry->ends - now <= stages[i].left)
			return stages[i].stage;
	return EXPIRY_NONE;
}

bool
expiry_due(struct expiry *expiry, nd_unix now)
{
	enum expiry_stage stage = expiry_stage(expiry, now);

	if (stage <= expiry->told)
		return false;
	expiry->told = stage;
	return true;
}

void
expiry_refused(struct expiry *expiry, enum expiry_stage stage)
{
	if (expiry->told == stage && stage > EXPIRY_NONE)
		expiry->told = stage - 1;
}

enum job_severity
expiry_severity(enum expiry_stage stage)
{
	return stage >= EXPIRY_3 ? JOB_CRITICAL : JOB_WARNING;
}

bool
expiry_words(const struct expiry *expiry, enum expiry_kind kind, const char *account, nd_unix now, struct nd_buf *out)
{
	enum expiry_stage stage = expiry_stage(expiry, now);
	char day[ND_STAMP_SIZE];
	long long days;

	if (stage == EXPIRY_NONE)
		return false;
	(void)nd_stamp_rfc3339(stage == EXPIRY_OLD ? expiry->since : expiry->ends, day);
	day[strlen("2026-11-21")] = '\0';
	days = (expiry->ends - now + ND_DAY(1) - 1) / ND_DAY(1);
	if (stage == EXPIRY_OLD)
		nd_buf_addf(out, "%s of account %s is in use since %s, and its end is not known", kinds[kind].words,
		    account, day);
	else if (stage == EXPIRY_OVER)
		nd_buf_addf(out, "%s of account %s ended on %s", kinds[kind].words, account, day);
	else
		nd_buf_addf(out, "%s of account %s ends in %lld day%s, on %s", kinds[kind].words, account, days,
		    days == 1 ? "" : "s", day);
	return true;
}

void
expiry_write(const struct expiry *expiry, enum expiry_kind kind, struct json_out *out)
{
	if (expiry->ends == 0 && expiry->since == 0)
		return;
	json_out_object(out, kinds[kind].name);
	json_out_int(out, "ends", expiry->ends);
	json_out_int(out, "since", expiry->since);
	json_out_text(out, "mark", expiry->mark);
	json_out_int(out, "told", expiry->told);
	json_out_object_end(out);
}

void
expiry_read(struct expiry *expiry, const struct json_node *object)
{
	const char *mark = json_get_text(object, "mark");
	int64_t ends, since, told;

	if (!json_int(json_get(object, "ends"), 0, INT64_MAX / 2, &ends) ||
	    !json_int(json_get(object, "since"), 0, INT64_MAX / 2, &since) ||
	    !json_int(json_get(object, "told"), EXPIRY_NONE, EXPIRY_OVER, &told) || mark == NULL ||
	    strlen(mark) >= EXPIRY_MARK)
		return;
	*expiry = (struct expiry){ .ends = ends, .since = since, .told = (unsigned)told };
	(void)snprintf(expiry->mark, sizeof(expiry->mark), "%s", mark);
}
