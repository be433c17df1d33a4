/* SPDX-License-Identifier: Apache-2.0 */
/* report.c - what was not delivered, gathered for one mail to the administrators.  Layer: core. */
#include "daemon/core/report.h"

#include "common/mem.h"
#include "common/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORDS 4096u /* of one job */

/* The first ones go. */
static void
drop(struct report *report, unsigned count)
{
	unsigned i;

	for (i = 0; i < count; i++) {
		report->octets -= report->job[i].len;
		free(report->job[i].words);
	}
	report->count -= count;
	memmove(&report->job[0], &report->job[count], report->count * sizeof(report->job[0]));
}

static bool
undelivered(const struct queue_rcpt *rcpt)
{
	return rcpt->state == RCPT_REFUSED || rcpt->state == RCPT_EXPIRED;
}

bool
report_worthy(const struct queue_job *job)
{
	unsigned i;

	for (i = 0; job_state_final(job->state) && i < job->rcpt_count; i++)
		if (undelivered(&job->rcpts[i]))
			return true;
	return false;
}

/* No character is cut in two: the mail would be refused. */
static void
put_cut(const char *text, size_t most, struct nd_buf *out)
{
	(void)nd_buf_add(out, text, nd_str_utf8_cut(text, strlen(text), most));
}

static void
put_rcpt(const struct queue_job *job, const struct queue_rcpt *rcpt, struct nd_buf *out)
{
	const char *words = rcpt->code != 0 ? rcpt->text : job->reason;

	/* Held, or its account was in trouble all the time: nobody has said anything of it. */
	if (!words && rcpt->code == 0 && rcpt->state == RCPT_EXPIRED && job->attempt_count == 0)
		words = "its time was over before it was tried";
	(void)nd_buf_addf(out, "  %s: %s", rcpt->address, job_rcpt_state_name(rcpt->state));
	if (rcpt->code != 0)
		(void)nd_buf_addf(out, ": %d%s%s ", rcpt->code, rcpt->enhanced[0] ? " " : "", rcpt->enhanced);
	else if (words)
		(void)nd_buf_adds(out, ": ");
	put_cut(words ? words : "", 400, out);
	(void)nd_buf_addc(out, '\n');
}

static void
put_job(const struct queue_job *job, const char *subject, const char *remedy, struct nd_buf *out)
{
	unsigned i, told = 0, more = 0;

	(void)nd_buf_addf(out, "%s  ", job->id);
	put_cut(subject ? subject : "(its subject is not kept)", 200, out);
	(void)nd_buf_addc(out, '\n');
	for (i = 0; i < job->rcpt_count; i++) {
		if (!undelivered(&job->rcpts[i]))
			continue;
		if (told < REPORT_RCPTS && out->len < WORDS / 2)
			put_rcpt(job, &job->rcpts[i], out);
		else
			more++;
		told++;
	}
	if (more > 0)
		(void)nd_buf_addf(out, "  and %u more recipients\n", more);
	if (remedy[0] != '\0') {
		(void)nd_buf_adds(out, "  What to do: ");
		put_cut(remedy, 1000, out);
		(void)nd_buf_addc(out, '\n');
	}
	(void)nd_buf_addc(out, '\n');
}

void
report_add(struct report *report, const struct queue_job *job, const char *subject, const char *remedy)
{
	struct report_job *entry = &report->job[report->count];
	struct nd_buf words;

	nd_buf_init(&words, 2 * WORDS);
	put_job(job, subject, remedy, &words);
	if (words.failed || report->count >= REPORT_JOBS || report->octets + words.len > REPORT_OCTETS) {
		report->more++;
		nd_buf_done(&words);
		return;
	}
	memcpy(entry->id, job->id, sizeof(entry->id));
	entry->len = words.len;
	entry->words = nd_buf_take(&words, NULL);
	report->octets += entry->len;
	report->count++;
}

void
report_forget(struct report *report, const char *id)
{
	unsigned i;

	for (i = 0; i < report->count; i++) {
		if (strcmp(report->job[i].id, id) != 0)
			continue;
		report->octets -= report->job[i].len;
		free(report->job[i].words);
		report->count--;
		report->telling_count -= i < report->telling_count;
		memmove(&report->job[i], &report->job[i + 1], (report->count - i) * sizeof(report->job[0]));
		return;
	}
}

nd_ms
report_due(const struct report *report, nd_ms since, nd_ms every, nd_ms now)
{
	nd_ms at = since + (every < REPORT_GATHER ? every : REPORT_GATHER), other;

	if (report->telling || (report->count == 0 && report->more == 0))
		return ND_NEVER;
	if (report->sent_count > 0 && (other = report->sent[report->sent_count - 1] + every) > at)
		at = other;
	if (report->sent_count == REPORT_HOUR && (other = report->sent[0] + ND_HOUR(1)) > at)
		at = other;
	if (report->again > at)
		at = report->again;
	return at > now ? at : now;
}

void
report_tell(struct report *report, const char *host, struct nd_buf *subject, struct nd_buf *text)
{
	const uint64_t all = report->count + report->more;
	unsigned i;

	(void)nd_buf_addf(
	    subject, "notifyd: %llu message%s could not be delivered", (unsigned long long)all, all == 1 ? "" : "s");
	(void)nd_buf_addf(text, "notifyd on %s could not deliver %llu message%s to everybody.\n\n", host,
	    (unsigned long long)all, all == 1 ? "" : "s");
	for (i = 0; i < report->count; i++)
		(void)nd_buf_adds(text, report->job[i].words);
	if (report->more > 0)
		(void)nd_buf_addf(
		    text, "And %llu more: notifyctl list --state failed,expired\n\n", (unsigned long long)report->more);
	(void)nd_buf_adds(
	    text, "All that is known of one: notifyctl show ID. To try again what failed: notifyctl retry ID.\n");
	report->telling = true;
	report->telling_count = report->count;
	report->telling_more = report->more;
}

void
report_told(struct report *report, nd_ms now)
{
	drop(report, report->telling_count);
	report->more -= report->telling_more;
	report->telling_count = 0;
	report->telling_more = 0;
	report->telling = false;
	report->again = 0;
	if (report->sent_count == REPORT_HOUR)
		memmove(&report->sent[0], &report->sent[1], --report->sent_count * sizeof(report->sent[0]));
	report->sent[report->sent_count++] = now;
}

#define KEPT_WORDS (REPORT_HOUR * 24)

char *
report_keep(const struct report *report, struct nd_now now)
{
	char *words;
	int len = 0;

	if (report->sent_count == 0)
		return NULL;
	words = nd_xalloc(KEPT_WORDS);
	for (unsigned i = 0; i < report->sent_count; i++)
		len += snprintf(words + len, KEPT_WORDS - (size_t)len, "%s%lld", i == 0 ? "" : " ",
		    (long long)(now.unix_ms - (now.ms - report->sent[i])));
	return words;
}

void
report_recall(struct report *report, const char *kept, struct nd_now now)
{
	char *end;

	if (report->sent_count > 0)
		return; /* one of this run, which came first */
	while (kept && *kept != '\0' && report->sent_count < REPORT_HOUR) {
		const nd_unix at = strtoll(kept, &end, 10);

		if (end == kept)
			return;
		/* In the future: the clock went back since, and nobody knows how far. */
		report->sent[report->sent_count++] = at < now.unix_ms ? now.ms - (now.unix_ms - at) : now.ms;
		kept = end;
	}
}

void
report_refused(struct report *report, nd_ms now)
{
	report->telling_count = 0;
	report->telling_more = 0;
	report->telling = false;
	report->again = now + REPORT_AGAIN;
}

void
report_done(struct report *report)
{
	drop(report, report->count);
	report->telling_count = 0;
	report->more = report->telling_more = 0;
	report->telling = false;
}
