/* SPDX-License-Identifier: Apache-2.0 */
/* intake_own.c - jobs that notifyd writes itself: ordinary ones, by the same way as everybody's. */
#include "daemon/intake_inner.h"

#include "common/log.h"
#include "common/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct own {
	struct submission submission;
	intake_told *told; /* NULL none */
	void *arg;
};

static void
closed(struct intake_job *job)
{
	struct submission *submission = job->submission;
	struct own *own = (struct own *)submission;

	if (own->told)
		own->told(submission->app, own->arg, &job->why);
	if (job->why.err != ND_OK && !submission->app->down)
		nd_log(ND_LOG_WARNING, ND_FIELDS({ "ERR", nd_err_name(job->why.err) }),
		    "a mail of notifyd's own is not taken: %s", job->why.text);
	free(job->key);
	free(submission->jobs);
	intake_end(submission);
	free(own);
}

/* Also while notifyd stops: what it has to say is taken last. */
static enum nd_err
writable(const struct app *app, struct nd_why *why)
{
	if (app->store_fault.err == ND_EDISK)
		*why = app->store_fault;
	return app->store_fault.err == ND_EDISK ? ND_EDISK : ND_OK;
}

void
intake_own(struct app *app, const struct nd_buf *job, intake_told *told, void *arg)
{
	struct own *own = nd_xalloc(sizeof(*own));
	struct submission *submission = &own->submission;
	struct nd_why why;

	own->told = told;
	own->arg = arg;
	submission->app = app;
	submission->closed = closed;
	submission->peer = (struct access_peer){
		.uid = getuid(), .gid = getgid(), .pid = (uint32_t)getpid(), .comm = "notifyd", .operator_right = true
	};
	submission->count = 1;
	submission->jobs = nd_xalloc(sizeof(*submission->jobs));
	submission->jobs[0].submission = submission;
	app->intake++;
	if (writable(app, &why) == ND_OK &&
	    json_read(&submission->reading.tree, nd_buf_text(job), job->len, &json_limits_job, NULL, &why) == ND_OK) {
		intake_one(&submission->jobs[0], submission->reading.tree.root);
		return;
	}
	submission->jobs[0].why = why;
	intake_close(&submission->jobs[0]);
}

void
intake_notice(struct app *app, const struct intake_notice *notice)
{
	static const struct nd_why nobody; /* wants to know it */
	const struct conf_list *to = &app->conf->admin_to;
	struct json_out out;
	struct nd_buf buf, subject;

	if (to->count == 0) {
		if (notice->told)
			notice->told(app, notice->arg, &nobody);
		return;
	}
	nd_buf_init(&buf, 65536);
	nd_buf_init(&subject, 4096);
	nd_buf_addf(&subject, "notifyd: %s", notice->words);
	json_out_init(&out, &buf);
	json_out_object(&out, NULL);
	json_out_array(&out, "to");
	for (unsigned i = 0; i < to->count; i++)
		json_out_text(&out, NULL, to->items[i]);
	json_out_array_end(&out);
	json_out_text(&out, "subject", nd_buf_text(&subject));
	json_out_text(&out, "text", notice->text);
	json_out_text(&out, "severity", job_severity_name(notice->severity));
	json_out_text(&out, "source", "notifyd");
	json_out_text(&out, "key", notice->key);
	json_out_text(&out, "idempotency_key", notice->once);
	json_out_object_end(&out);
	intake_own(app, &buf, notice->told, notice->arg);
	nd_buf_done(&subject);
	nd_buf_done(&buf);
}
