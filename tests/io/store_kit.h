/* SPDX-License-Identifier: Apache-2.0 */
/* store_kit.h - a store in a folder of its own, and jobs to put into it: for the tests and the benchmark. */
#ifndef ND_TESTS_IO_STORE_KIT_H
#define ND_TESTS_IO_STORE_KIT_H

#include "daemon/io/store.h"

#define KIT_NOW ((nd_unix)1795248000000) /* 2026-11-21 08:00 UTC */

struct kit {
	char folder[64];
	struct loop *loop;
	struct store *store;
	struct nd_ulid_maker ids;
	unsigned made;
	unsigned waiting; /* requests under way */
};

void kit_open(struct kit *kit);
void kit_close(struct kit *kit); /* also removes the folder */
void kit_start(struct kit *kit); /* the store only */
void kit_stop(struct kit *kit);
void kit_submit(struct kit *kit, struct store_req *req); /* req->owner and done are set */
void kit_wait(struct kit *kit);                          /* until nothing is under way */
void kit_ask(struct kit *kit, struct store_req *req);    /* submit, wait */

/* A queued warning of account "m365" with one recipient and Japanese texts, due KIT_NOW. */
struct queue_job *kit_job(struct kit *kit);
struct queue_job *kit_job_at(struct kit *kit, nd_unix created);
void kit_set(char **text, const char *value);
enum nd_err kit_put(struct kit *kit, struct queue_job *job);
/* MOVE; what is in the job. */
enum nd_err kit_move(struct kit *kit, struct queue_job *job);
/* OUTCOME of attempt n that ended at `at`: delivered gives the recipients the reply 250, else the job becomes `state`. */
enum nd_err kit_outcome(struct kit *kit, struct queue_job *job, enum job_state state, nd_unix at);
/* PUT with the idempotency key "k-1" and a digest of this octet. */
enum nd_err kit_put_keyed(struct kit *kit, struct queue_job *job, uint8_t digest, struct store_req *req);
/* LOAD; the other members of the request are the caller's. */
enum nd_err kit_load(struct kit *kit, struct store_req *req, const char *account, nd_unix until);
enum nd_err kit_totals(struct kit *kit, struct store_req *req);
/* SHOW of a whole id; the caller frees the results with kit_forget. */
enum nd_err kit_show(struct kit *kit, struct store_req *req, const char *id);
void kit_forget(struct store_req *req);
/* The first number that a statement gives, on a connection of its own: only while the store is stopped. */
int64_t kit_sql(const struct kit *kit, const char *sql);

#endif
