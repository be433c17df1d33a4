/* SPDX-License-Identifier: Apache-2.0 */
/* store_kit.c - see store_kit.h. */
#include "tests/io/store_kit.h"

#include "common/mem.h"

#include <assert.h>
#include <dirent.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHECK(claim)                                                                                                   \
	do {                                                                                                           \
		if (!(claim)) {                                                                                        \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #claim);                            \
			abort();                                                                                       \
		}                                                                                                      \
	} while (0)

void
kit_start(struct kit *kit)
{
	struct nd_why why = { .err = ND_OK };

	kit->store = store_open(kit->folder, kit->loop, &why);
	if (kit->store == NULL)
		fprintf(stderr, "store_open: %s\n", why.text);
	CHECK(kit->store != NULL);
}

void
kit_stop(struct kit *kit)
{
	store_close(kit->store);
	kit->store = NULL;
}

void
kit_open(struct kit *kit)
{
	*kit = (struct kit){ .waiting = 0 };
	(void)snprintf(kit->folder, sizeof(kit->folder), "/tmp/notifyd-store-XXXXXX");
	CHECK(mkdtemp(kit->folder) != NULL);
	kit->loop = loop_new();
	kit_start(kit);
}

void
kit_close(struct kit *kit)
{
	const struct dirent *entry;
	char path[512];
	DIR *dir;

	if (kit->store != NULL)
		kit_stop(kit);
	loop_free(kit->loop);
	dir = opendir(kit->folder);
	CHECK(dir != NULL);
	while ((entry = readdir(dir)) != NULL) {
		(void)snprintf(path, sizeof(path), "%s/%s", kit->folder, entry->d_name);
		(void)unlink(path);
	}
	(void)closedir(dir);
	(void)rmdir(kit->folder);
}

static void
came_back(struct store_req *req)
{
	struct kit *kit = req->owner;

	if (--kit->waiting == 0)
		loop_stop(kit->loop);
}

void
kit_submit(struct kit *kit, struct store_req *req)
{
	req->owner = kit;
	req->done = came_back;
	kit->waiting++;
	store_ops.submit(kit->store, req);
}

void
kit_wait(struct kit *kit)
{
	if (kit->waiting > 0)
		loop_run(kit->loop);
	CHECK(kit->waiting == 0);
}

void
kit_ask(struct kit *kit, struct store_req *req)
{
	kit_submit(kit, req);
	kit_wait(kit);
}

void
kit_set(char **text, const char *value)
{
	free(*text);
	*text = nd_xstrdup(value);
}

struct queue_job *
kit_job_at(struct kit *kit, nd_unix created)
{
	struct queue_job *job = nd_xalloc(sizeof(*job));
	uint8_t fresh[10] = { 0 };
	unsigned n = kit->made++;

	memcpy(fresh, &n, sizeof(n)); /* tells the first of a millisecond apart; the others rise */
	nd_ulid_next(&kit->ids, created, fresh, job->id);
	job->state = JOB_QUEUED;
	job->severity = JOB_WARNING;
	job->created = job->event_time = job->due = created;
	job->uid = 1000;
	job->gid = 1001;
	job->pid = 4242;
	job->account = nd_xstrdup("m365");
	job->unit = nd_xstrdup("backup.service");
	job->comm = nd_xstrdup("backup");
	job->source = nd_xstrdup("バックアップ");
	job->facts = nd_xstrdup("{\"subject\":\"ディスクの故障\"}");
	job->head = nd_xstrdup("From: alerts@contoso.com\r\n");
	job->envelope_from = nd_xstrdup("alerts@contoso.com");
	job->from = nd_xstrdup("root <root@web01>");
	job->body = nd_xstrdup("Subject: =?UTF-8?B?44OH?=\r\n\r\n/dev/sda が故障しました\r\n");
	job->body_len = strlen(job->body);
	job->body_kept = true;
	job->rcpts = nd_xalloc(sizeof(*job->rcpts));
	job->rcpt_count = 1;
	job->rcpts[0].address = nd_xstrdup("ops@contoso.com");
	return job;
}

struct queue_job *
kit_job(struct kit *kit)
{
	return kit_job_at(kit, KIT_NOW);
}

enum nd_err
kit_put(struct kit *kit, struct queue_job *job)
{
	struct store_req req = { .op = STORE_PUT, .job = job };

	kit_ask(kit, &req);
	return req.err;
}

enum nd_err
kit_move(struct kit *kit, struct queue_job *job)
{
	struct store_req req = { .op = STORE_MOVE, .job = job };

	kit_ask(kit, &req);
	return req.err;
}

enum nd_err
kit_outcome(struct kit *kit, struct queue_job *job, enum job_state state, nd_unix at)
{
	struct queue_attempt attempt = {
		.n = ++job->attempt_count,
		.account = job->account,
		.relay = nd_xstrdup("smtp.office365.com[192.0.2.1]:587"),
		.session = nd_xstrdup("s7f"),
		.start = at - 120,
		.end = at,
		.stage = "end of data",
		.verdict = state == JOB_DELIVERED ? "delivered" : "retry",
		.code = state == JOB_DELIVERED ? 250 : 451,
		.enhanced = "2.0.0",
		.text = nd_xstrdup("受け付けました"),
	};
	struct queue_evidence evidence = { .at = at,
		.account = job->account,
		.relay = attempt.relay,
		.tls = nd_xstrdup("TLSv1.3"),
		.sha256 = "ab12",
		.octets = 77 };
	struct store_req req = { .op = STORE_OUTCOME, .job = job, .attempt = &attempt };
	unsigned i;

	req.evidence = state == JOB_DELIVERED ? &evidence : NULL;

	job->state = (uint8_t)state;
	for (i = 0; i < job->rcpt_count; i++) {
		job->rcpts[i].state = state == JOB_DELIVERED ? RCPT_DELIVERED
				      : state == JOB_FAILED  ? RCPT_REFUSED
							     : RCPT_PENDING;
		job->rcpts[i].code = attempt.code;
		job->rcpts[i].at = state == JOB_QUEUED ? 0 : at;
		kit_set(&job->rcpts[i].text, "受け付けました");
	}
	kit_ask(kit, &req);
	free(evidence.tls);
	attempt.account = NULL; /* the job's */
	queue_attempt_done(&attempt);
	return req.err;
}

enum nd_err
kit_put_keyed(struct kit *kit, struct queue_job *job, uint8_t digest, struct store_req *req)
{
	*req = (struct store_req){ .op = STORE_PUT, .job = job, .idempotency_key = "k-1" };
	memset(req->digest.kept, digest, sizeof(req->digest.kept));
	kit_ask(kit, req);
	return req->err;
}

enum nd_err
kit_load(struct kit *kit, struct store_req *req, const char *account, nd_unix until)
{
	req->op = STORE_LOAD;
	req->account = account;
	req->until = until;
	kit_ask(kit, req);
	return req->err;
}

enum nd_err
kit_totals(struct kit *kit, struct store_req *req)
{
	*req = (struct store_req){ .op = STORE_TOTALS };
	kit_ask(kit, req);
	return req->err;
}

enum nd_err
kit_show(struct kit *kit, struct store_req *req, const char *id)
{
	*req = (struct store_req){ .op = STORE_SHOW };
	memcpy(req->id, id, strlen(id) + 1);
	kit_ask(kit, req);
	return req->err;
}

void
kit_forget(struct store_req *req)
{
	unsigned i;

	for (i = 0; i < req->job_count; i++)
		queue_job_free(req->jobs[i]);
	free(req->jobs);
	queue_job_free(req->found);
	queue_tale_free(req);
	for (i = 0; i < req->count_count; i++)
		free(req->counts[i].account);
	free(req->counts);
	free(req->pruned);
}

int64_t
kit_sql(const struct kit *kit, const char *sql)
{
	sqlite3 *db = NULL;
	sqlite3_stmt *stmt = NULL;
	char path[128];
	int64_t value = -1;
	int rc;

	(void)snprintf(path, sizeof(path), "%s/queue.db", kit->folder);
	CHECK(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, "unix") == SQLITE_OK);
	rc = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);
	if (rc != SQLITE_OK)
		fprintf(stderr, "%s: %s\n", sql, sqlite3_errmsg(db));
	CHECK(rc == SQLITE_OK);
	if (sqlite3_step(stmt) == SQLITE_ROW)
		value = sqlite3_column_int64(stmt, 0);
	CHECK(sqlite3_finalize(stmt) == SQLITE_OK);
	CHECK(sqlite3_close(db) == SQLITE_OK);
	return value;
}
