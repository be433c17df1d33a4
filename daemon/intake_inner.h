/* SPDX-License-Identifier: Apache-2.0 */
/* intake_inner.h - what intake.c and intake_stream.c share. Only they include it. */
#ifndef ND_DAEMON_INTAKE_INNER_H
#define ND_DAEMON_INTAKE_INNER_H

#include "daemon/app.h"

struct submission;

struct intake_job { /* one job between check and commit */
	struct submission *submission;
	struct queue_job *row; /* NULL once committed, or refused */
	char *key;             /* idempotency */
	uint8_t digest[32];
	enum job_state state;
	char id[ND_ULID_LEN + 1];
	bool duplicate, admitted;
	uint64_t octets;   /* when admitted */
	struct nd_why why; /* err ND_OK: accepted */
};

struct submission { /* one request */
	struct app *app;
	struct http_request *request; /* NULL: the client has left; its jobs go on */
	const struct ready *ready;    /* borrowed while the request is taken */
	bool array;                   /* or several values */
	nd_ms wait;
	unsigned count, open; /* open: not yet committed or refused */
	struct intake_job *jobs;
	void (*closed)(struct intake_job *job); /* each is told of; NULL: the last one answers for all */
};

/* intake.c */
/* Takes one job as far as it goes without waiting; app->intake has counted it. */
void intake_one(struct intake_job *job, const struct json_node *value, const struct access_peer *peer);
/* It is committed, or refused with job->why. */
void intake_close(struct intake_job *job);
void intake_answer(const struct intake_job *job, struct json_out *out); /* of one that was accepted */

#endif
