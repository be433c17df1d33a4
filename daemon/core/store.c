/* SPDX-License-Identifier: Apache-2.0 */
/* store.c - the ends of what the queue hands around, and which jobs a filter means.  Layer: core.  Pure.
 *
 * Every text is a block of its own: whoever fills a job or an attempt may set the members one by one.
 */
#include "daemon/core/store.h"

#include "common/json.h"
#include "common/mem.h"

#include <stdlib.h>
#include <string.h>

#define DYNAMIC_UID_MIN 61184u /* systemd's DynamicUser= */
#define DYNAMIC_UID_MAX 65519u

void
queue_job_free(struct queue_job *job)
{
	unsigned i;

	if (job == NULL)
		return;
	for (i = 0; i < job->rcpt_count; i++) {
		free(job->rcpts[i].address);
		free(job->rcpts[i].text);
	}
	free(job->rcpts);
	free(job->reason);
	free(job->hint);
	free(job->declined);
	free(job->begun);
	free(job->account);
	free(job->unit);
	free(job->comm);
	free(job->source);
	free(job->key);
	free(job->facts);
	free(job->head);
	free(job->envelope_from);
	free(job->from);
	if (job->sealed)
		nd_wipe_free(job->body, (size_t)job->body_len);
	else
		free(job->body);
	free(job);
}

bool
queue_says(const struct queue_job *job, const char *fact)
{
	struct json_tree facts = { 0 };
	/* Most jobs have none of those that are asked for. */
	bool says = job->facts && strstr(job->facts, fact) &&
		    json_read(&facts, job->facts, strlen(job->facts), &json_limits_job, NULL, NULL) == ND_OK &&
		    json_get(facts.root, fact);

	json_done(&facts);
	return says;
}

bool
queue_in_doubt(const struct queue_job *job)
{
	return job->uncertain &&
	       (job->declined || (job->reason && strncmp(job->reason, QUEUE_IN_DOUBT, strlen(QUEUE_IN_DOUBT)) == 0));
}

void
queue_attempt_done(struct queue_attempt *attempt)
{
	union {
		const char *borrowed;
		char *owned;
	} stage = { attempt->stage }, verdict = { attempt->verdict };

	free(attempt->account);
	free(attempt->relay);
	free(attempt->session);
	free(attempt->text);
	if (attempt->owned) {
		free(stage.owned);
		free(verdict.owned);
	}
	*attempt = (struct queue_attempt){ 0 };
}

void
queue_evidence_done(struct queue_evidence *evidence)
{
	free(evidence->account);
	free(evidence->relay);
	free(evidence->tls);
	*evidence = (struct queue_evidence){ 0 };
}

void
queue_tale_free(struct store_req *req)
{
	unsigned i;

	for (i = 0; req->attempts != NULL && i < req->attempt_count; i++)
		queue_attempt_done(&req->attempts[i]);
	for (i = 0; req->evidences != NULL && i < req->evidence_count; i++)
		queue_evidence_done(&req->evidences[i]);
	free(req->attempts);
	free(req->evidences);
	free(req->found_transcript);
	req->found_transcript = NULL;
	req->attempts = NULL;
	req->evidences = NULL;
	req->attempt_count = req->evidence_count = 0;
}

/* Is `text` one of a comma list? An empty part of it is no name. */
static bool
listed(const char *text, const char *list)
{
	size_t len;

	if (list == NULL)
		return true;
	if (text == NULL)
		return false;
	for (;; list += len + 1) {
		len = strcspn(list, ",");
		if (len > 0 && strlen(text) == len && memcmp(text, list, len) == 0)
			return true;
		if (list[len] == '\0')
			return false;
	}
}

static bool
owned(const struct queue_job *job, const struct store_filter *filter)
{
	if (job->uid != filter->uid)
		return false;
	if (job->uid < DYNAMIC_UID_MIN || job->uid > DYNAMIC_UID_MAX)
		return true;
	/* Such a uid is given to another service tomorrow. Without a unit nobody owns it. */
	return job->unit != NULL && filter->unit != NULL && strcmp(job->unit, filter->unit) == 0;
}

static int
by_id(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* As people see it. */
static unsigned
state_of(const struct queue_job *job, const struct store_filter *filter)
{
	bool sending = filter->apart && job->state == JOB_QUEUED && filter->sending_count > 0 &&
		       bsearch(job->id, filter->sending, filter->sending_count, sizeof(*filter->sending), by_id);

	return sending ? JOB_SENDING : job->state;
}

bool
queue_fits(const struct queue_job *job, const struct store_filter *filter)
{
	return (filter->states == 0 || (filter->states >> state_of(job, filter) & 1) != 0) &&
	       (filter->severities == 0 || (filter->severities >> job->severity & 1) != 0) &&
	       job->created >= filter->since && (!filter->own || owned(job, filter)) &&
	       listed(job->account, filter->account) && listed(job->source, filter->source) &&
	       listed(job->key, filter->key);
}
