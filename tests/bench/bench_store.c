/* SPDX-License-Identifier: Apache-2.0 */
/* bench_store.c - how many jobs a second the queue takes and finishes, with n of them outstanding.
 *
 *   bench_store FOLDER [OUTSTANDING [JOBS [BODY OCTETS]]]     the folder must be on the disk that is meant
 */
#include "common/mem.h"
#include "daemon/io/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

static struct bench {
	struct loop *loop;
	struct store *store;
	struct nd_ulid_maker ids;
	size_t body_len;
	unsigned long wanted, started, done;
} bench;

struct lane {
	struct store_req req;
	struct queue_attempt attempt;
};

static double
seconds(void)
{
	struct timespec ts;

	if (clock_gettime(CLOCK_MONOTONIC, &ts) != 0)
		abort();
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static struct queue_job *
make(void)
{
	struct queue_job *job = nd_xalloc(sizeof(*job));
	uint8_t fresh[10] = { 0 };

	nd_ulid_next(&bench.ids, 1795248000000 + (nd_unix)(bench.started / 20), fresh, job->id);
	job->state = JOB_QUEUED;
	job->severity = JOB_WARNING;
	job->created = job->due = 1795248000000;
	job->account = nd_xstrdup("m365");
	job->unit = nd_xstrdup("backup.service");
	job->comm = nd_xstrdup("backup");
	job->source = nd_xstrdup("backup");
	job->facts = nd_xstrdup("{\"subject\":\"Disk failing on web01\",\"labels\":{\"device\":\"/dev/sda\"}}");
	job->head = nd_xstrdup("From: Alerts web01 <alerts@contoso.com>\r\n");
	job->envelope_from = nd_xstrdup("alerts@contoso.com");
	job->body_len = bench.body_len;
	job->body = nd_xalloc(bench.body_len + 1);
	memset(job->body, 'x', bench.body_len);
	job->rcpts = nd_xalloc(sizeof(*job->rcpts));
	job->rcpt_count = 1;
	job->rcpts[0].address = nd_xstrdup("ops@contoso.com");
	return job;
}

static void finished(struct store_req *req);

static void
stored(struct store_req *req)
{
	struct lane *lane = req->owner;
	struct queue_job *job = req->job;
	struct queue_rcpt *rcpt = &job->rcpts[0];

	if (req->err != ND_OK) {
		fprintf(stderr, "%s\n", req->why.text);
		abort();
	}
	job->state = JOB_DELIVERED;
	job->attempt_count = 1;
	rcpt->state = RCPT_DELIVERED;
	rcpt->code = 250;
	rcpt->at = job->due + 1;
	rcpt->text = nd_xstrdup("2.0.0 OK <01KAHM8R@web01.contoso.com> queued as 4d5f66");
	lane->attempt = (struct queue_attempt){ .n = 1,
		.account = job->account,
		.relay = nd_xstrdup("smtp.office365.com[192.0.2.1]:587"),
		.start = job->due,
		.end = job->due + 1,
		.stage = "end of data",
		.verdict = "delivered",
		.code = 250 };
	req->op = STORE_OUTCOME;
	req->attempt = &lane->attempt;
	req->done = finished;
	store_submit(bench.store, req);
}

static void
finished(struct store_req *req)
{
	struct lane *lane = req->owner;

	if (req->err != ND_OK)
		abort();
	lane->attempt.account = NULL;
	queue_attempt_done(&lane->attempt);
	queue_job_free(req->job);
	req->job = NULL;
	if (++bench.done == bench.wanted)
		loop_stop(bench.loop);
	if (bench.started == bench.wanted)
		return;
	bench.started++;
	req->op = STORE_PUT;
	req->job = make();
	req->done = stored;
	store_submit(bench.store, req);
}

static unsigned long
number(int argc, char **argv, int at, unsigned long otherwise)
{
	return argc > at ? strtoul(argv[at], NULL, 10) : otherwise;
}

int
main(int argc, char **argv)
{
	unsigned long lanes = number(argc, argv, 2, 64), i;
	struct nd_why why;
	struct lane *lane;
	struct rusage usage;
	double start, took, cpu;

	if (argc < 2) {
		fprintf(stderr, "usage: bench_store FOLDER [OUTSTANDING [JOBS [BODY OCTETS]]]\n");
		return 64;
	}
	bench.wanted = number(argc, argv, 3, 100000);
	bench.body_len = number(argc, argv, 4, 2048);
	bench.loop = loop_new();
	bench.store = store_open(argv[1], bench.loop, &why);
	if (bench.store == NULL) {
		fprintf(stderr, "%s\n", why.text);
		return 1;
	}
	lane = nd_xalloc(lanes * sizeof(*lane));
	start = seconds();
	for (i = 0; i < lanes && i < bench.wanted; i++) {
		bench.started++;
		lane[i].req = (struct store_req){ .op = STORE_PUT, .job = make(), .done = stored, .owner = &lane[i] };
		store_submit(bench.store, &lane[i].req);
	}
	loop_run(bench.loop);
	took = seconds() - start;
	(void)getrusage(RUSAGE_SELF, &usage);
	cpu = (double)usage.ru_utime.tv_sec + (double)usage.ru_stime.tv_sec +
	      (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
	printf("%lu outstanding: %.0f jobs/s stored and finished, %.1f jobs a commit, %.1f us of CPU a job, %ld KiB at "
	       "most\n",
	    lanes, (double)bench.wanted / took, (double)bench.wanted * 2 / (double)store_commits(bench.store),
	    cpu * 1e6 / (double)bench.wanted, usage.ru_maxrss);
	store_close(bench.store);
	loop_free(bench.loop);
	free(lane);
	return 0;
}
