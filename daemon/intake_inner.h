/* SPDX-License-Identifier: Apache-2.0 */
/* intake_inner.h - what the files of intake share. Only they include it. */
#ifndef ND_DAEMON_INTAKE_INNER_H
#define ND_DAEMON_INTAKE_INNER_H

#include "daemon/app.h"

#include "common/form.h"
#include "common/job.h"
#include "common/json.h"
#include "daemon/core/ready.h"

#include <stdatomic.h>

/* Larger bodies, and larger jobs among several, are read and composed on the composer thread: they would keep the loop from all else. */
#define INTAKE_LARGE (256u * 1024)
/* So much of several jobs is taken in one turn, and may wait in memory for its commit. */
#define INTAKE_TURN (256u * 1024)
#define INTAKE_FLYING (4u * 1024 * 1024)
#define INTAKE_MESSAGE_MAX (64u * 1024 * 1024)

struct submission;

struct intake_job { /* one job between check and commit */
	struct submission *submission;
	struct queue_job *row; /* NULL once committed, or refused */
	char *key;             /* idempotency */
	struct store_digest digest;
	enum job_state state;
	char id[ND_ULID_LEN + 1];
	bool duplicate;
	struct admitted admitted;
	size_t flying;     /* of them, in memory until the commit */
	struct nd_why why; /* err ND_OK: accepted */
};

/* What the body of a request is, told by its headers, its query and its first octet. */
enum intake_shape { INTAKE_JSON, INTAKE_STREAM, INTAKE_FORM, INTAKE_TEXT, INTAKE_MESSAGE, INTAKE_ENVELOPE };
struct intake_plan {
	enum intake_shape shape;
	struct nd_buf query; /* TEXT, MESSAGE: the fields in the query, as JSON */
};

/* What was read of a body. It borrows from the body. */
struct intake_reading {
	struct json_tree tree;
	struct form form;   /* the tree borrows from it */
	struct ready ready; /* octets NULL: the message is composed */
	bool several;       /* more than one value: the tree is empty */
};

struct submission { /* one request */
	struct app *app;
	struct http_request *request; /* NULL: the client has left; what was accepted goes on */
	struct access_peer peer;
	struct http_body body; /* octets NULL: the request keeps it */
	struct intake_plan plan;
	struct intake_reading reading;
	const struct ready *ready; /* borrowed; NULL: the message is composed */
	char *header_key;          /* Idempotency-Key; NULL none */
	bool array;                /* or several values */
	bool dry;
	nd_ms wait;
	unsigned count, open; /* open: not yet committed or refused */
	struct intake_job *jobs;
	const struct json_node *next; /* the value of jobs[taken] */
	unsigned taken;
	size_t flying;
	bool taking, busy;                      /* busy: the composer has a job of it */
	atomic_bool left;                       /* request is NULL, for the composer */
	void (*closed)(struct intake_job *job); /* each is told of; NULL: the last one answers for all */
};

/* intake.c */
/* Takes one job as far as it goes without waiting; app->intake has counted it. */
void intake_one(struct intake_job *job, const struct json_node *value);
/* Its steps. On any thread: */
enum nd_err intake_check(struct intake_job *job, const struct json_node *value, struct job_draft *draft);
enum nd_err intake_compose(const struct job_draft *draft, const struct ready *ready, const struct queue_job *row,
    const char *hostname, struct nd_buf *body, struct nd_why *why);
/* On the loop: the row, without its body; then what is composed goes to the store, and the job is closed. `in_spool`: it lies there already. */
enum nd_err intake_place(struct intake_job *job, struct job_draft *draft);
void intake_enter(struct intake_job *job, bool in_spool);
/* It is committed, or refused with job->why. */
void intake_close(struct intake_job *job);
void intake_answer(const struct intake_job *job, struct json_out *out); /* of one that was accepted */
void intake_end(struct submission *submission);                         /* frees what it holds, not itself */
/* The body was read, or not: its jobs are taken, or why not is answered. Takes the submission over. */
void intake_was_read(struct submission *submission, enum nd_err err, struct nd_why *why);

/* intake_key.c */
/* Its key: the field's, else the header's. On any thread. */
enum nd_err intake_key_read(struct intake_job *job, const struct job_draft *draft, struct nd_why *why);
/* The header's is of one job: several are refused with it. */
enum nd_err intake_key_alone(const struct submission *submission, struct nd_why *why) ND_MUST_CHECK;
void intake_key_known(struct intake_job *job, const struct store_req *req); /* it was accepted before, as a duplicate */
/* It is refused with job->why, and closed; when its key says that it was accepted before, that is the answer. */
void intake_refuse(struct intake_job *job);

/* intake_resolve.c */
/* The draft as a row of the queue, without its body. On the loop. */
enum nd_err intake_resolve(struct app *app, const struct access_peer *peer, struct job_draft *draft,
    const struct ready *ready, struct queue_job *row, struct nd_why *why);

/* intake_large.c */
/* The body is read on the composer thread, then taken. `plan` is the submission's. */
void intake_large_body(struct submission *submission);
/* A large job: as intake_one, but it waits for the composer. submission->busy until it is composed. */
void intake_large_one(struct intake_job *job, const struct json_node *value);
/* A large job that is not read yet; read(job, used, lines) tells how far it went, 0: it cannot be read. */
void intake_large_value(struct intake_job *job, char *octets, size_t len,
    void (*read)(struct intake_job *job, size_t used, unsigned lines));

/* intake_digest.c */
/* Of the request, on any thread. */
void intake_digest(const struct app *app, const struct json_node *value, const struct ready *ready, bool sensitive,
    struct store_digest *out);

/* intake_read.c */
/* `ours`: the parameters that are no fields (NULL-terminated). */
enum nd_err intake_plan(
    const struct http_request *request, const char *const *ours, struct intake_plan *plan, struct nd_why *why);
void intake_plan_done(struct intake_plan *plan);
/* The body as plan says. `here`: the octets are the reading's own; it changes them. On any thread. */
enum nd_err intake_read(const struct intake_plan *plan, char *octets, size_t len, bool here,
    struct intake_reading *reading, struct nd_why *why);
void intake_read_done(struct intake_reading *reading);

/* intake_message.c */
enum nd_err intake_message_plan(const struct http_request *request, struct intake_plan *plan, struct nd_why *why);
enum nd_err intake_message_read(
    const struct intake_plan *plan, const char *octets, size_t len, struct intake_reading *reading, struct nd_why *why);

/* intake_stream.c */
/* Takes the values of the body one after another and answers each when it is on disk. ND_OK: the submission is no more. */
enum nd_err intake_stream(struct submission *submission, struct nd_why *why) ND_MUST_CHECK;

/* intake_dry.c */
/* The job is composed: answers what would become of it. Nothing is stored. */
void intake_dry(struct intake_job *job, const struct json_node *value);
/* The same for a message that lies in a scratch file, which is taken over. submission->request must be there. */
void intake_dry_large(struct intake_job *job, const struct json_node *value, struct spool_file *file);

#endif
