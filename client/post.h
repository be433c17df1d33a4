/* SPDX-License-Identifier: Apache-2.0 */
/* post.h - hands jobs to the daemon, once, and tells what became of them.  Layer: client. */
#ifndef ND_CLIENT_POST_H
#define ND_CLIENT_POST_H

#include "client/cmd.h"

struct post {
	const char *body; /* JSON; borrowed */
	size_t len;
	const char *header_key; /* sent as Idempotency-Key; NULL: none, or in the body */
	bool again;             /* the job carries a key: a lost connection may be tried again */
	const char *key;        /* that of notifyctl send, to be told when nobody knows what became of it; NULL none */
	unsigned wait_seconds;  /* for the job to come to its end; 0: its id is enough */
	bool dry_run;           /* nothing is accepted */
	bool several;           /* values one after another (NDJSON), answered line by line */
	unsigned count;         /* of several, as far as they can be counted; 0 not known */
};

/* --wait[=D] and --dry-run; false after a usage failure was told. */
bool post_wait(struct cmd *cmd, const struct args *args, int option, bool dry_run, struct post *post);
#define POST_KEY_SIZE 40
/* A fresh idempotency key. */
void post_key(char out[POST_KEY_SIZE]);
/* Tells a job as the daemon shows it, unless in JSON: its state; returns the exit code of --wait. */
int post_tell_job(struct cmd *cmd, const struct json_node *job);
/* Sends it, for some seconds again when the connection is lost or the daemon is busy; prints the ids. Returns the exit code. */
int post_jobs(struct cmd *cmd, const struct post *post);

#endif
