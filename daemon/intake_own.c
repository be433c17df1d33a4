/* SPDX-License-Identifier: Apache-2.0 */
/* intake_own.c - jobs that notifyd writes itself: ordinary ones, by the same way as everybody's. */
#include "daemon/intake_inner.h"

#include "common/log.h"
#include "common/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void
closed(struct intake_job *job)
{
	struct submission *submission = job->submission;

	if (job->why.err != ND_OK && !submission->app->down)
		nd_log(ND_LOG_WARNING, ND_FIELDS({ "ERR", nd_err_name(job->why.err) }),
		    "a mail of notifyd's own is not taken: %s", job->why.text);
	free(job->key);
	free(submission->jobs);
	intake_end(submission);
	free(submission);
}

void
intake_own(struct app *app, const struct nd_buf *job)
{
	struct submission *submission = nd_xalloc(sizeof(*submission));
	struct nd_why why;

	submission->app = app;
	submission->closed = closed;
	submission->peer = (struct access_peer){
		.uid = getuid(), .gid = getgid(), .pid = (uint32_t)getpid(), .comm = "notifyd", .operator_right = true
	};
	submission->count = 1;
	submission->jobs = nd_xalloc(sizeof(*submission->jobs));
	submission->jobs[0].submission = submission;
	app->intake++;
	if (intake_open(app, &why) == ND_OK &&
	    json_read(&submission->reading.tree, nd_buf_text(job), job->len, &json_limits_small, NULL, &why) == ND_OK) {
		intake_one(&submission->jobs[0], submission->reading.tree.root);
		return;
	}
	submission->jobs[0].why = why;
	intake_close(&submission->jobs[0]);
}
