/* SPDX-License-Identifier: Apache-2.0 */
/* declined.c - which accounts a job cannot go by.  Layer: core. */
#include "daemon/core/declined.h"

#include "common/buf.h"
#include "common/mem.h"
#include "common/str.h"

#include <stdlib.h>
#include <string.h>

#define OCTETS_MAX 16384u

bool
declined_by(const struct queue_job *job, const char *account)
{
	const size_t len = strlen(account);
	const char *line = job->declined ? strchr(job->declined, '\n') : NULL;

	for (; line; line = strchr(line, '\n')) {
		line++;
		if (strcspn(line, "\n") == len && nd_str_starts_nocase(line, account))
			return true;
	}
	return false;
}

void
declined_note(struct queue_job *job, const char *account)
{
	const char *reason = job->reason ? job->reason : "";
	struct nd_buf lines;

	if (declined_by(job, account))
		return;
	nd_buf_init(&lines, OCTETS_MAX);
	if (job->declined)
		(void)nd_buf_adds(&lines, job->declined);
	else
		(void)nd_buf_add(&lines, reason, strcspn(reason, "\n"));
	(void)nd_buf_addf(&lines, "\n%s", account);
	free(job->declined);
	job->declined = nd_buf_take(&lines, NULL);
}

void
declined_tell(struct queue_job *job)
{
	if (!job->declined || job->declined[0] == '\n')
		return;
	free(job->reason);
	job->reason = nd_xstrndup(job->declined, strcspn(job->declined, "\n"));
}
