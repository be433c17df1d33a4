/* SPDX-License-Identifier: Apache-2.0 */
/* rows.h - rows of the queue made by hand, for the tests of core. */
#ifndef ND_TESTS_ROWS_H
#define ND_TESTS_ROWS_H

#include "common/mem.h"
#include "daemon/core/conf.h"
#include "daemon/core/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Job number n for one recipient, due at `due`. */
static inline struct queue_job *
row_make(unsigned n, const char *account, nd_unix due, enum job_severity severity, unsigned rcpts)
{
	struct queue_job *job = nd_xalloc(sizeof(*job));
	unsigned i;
	char address[64];

	(void)snprintf(job->id, sizeof(job->id), "01K0000000000000000%07u", n);
	job->account = nd_xstrdup(account);
	job->due = due;
	job->created = due;
	job->severity = (uint8_t)severity;
	job->head = nd_xstrdup("From: a@b.example\r\n");
	job->envelope_from = nd_xstrdup("a@b.example");
	job->body = nd_xstrdup("Subject: x\r\n\r\nx\r\n");
	job->body_len = strlen(job->body);
	job->rcpt_count = rcpts;
	job->rcpts = nd_xalloc(rcpts * sizeof(*job->rcpts));
	for (i = 0; i < rcpts; i++) {
		(void)snprintf(address, sizeof(address), "r%u@b.example", i);
		job->rcpts[i].address = nd_xstrdup(address);
	}
	return job;
}

/* A configuration with these accounts (NULL-terminated names), as conf_finish leaves it. Free with rows_conf_done. */
static inline void
rows_conf(struct conf *conf, const char *const *names, unsigned max_connections)
{
	unsigned i;

	*conf = (struct conf){ .max_age = ND_DAY(14), .memory = 64 << 20 };
	for (i = 0; names[i]; i++)
		conf->account_count++;
	conf->account = nd_xalloc((i + 1) * sizeof(*conf->account));
	for (i = 0; names[i]; i++) {
		conf->account[i].name = nd_xstrdup(names[i]);
		conf->account[i].provider = CONF_SMTP;
		conf->account[i].auth = CONF_PASSWORD;
		conf->account[i].max_connections = max_connections;
		conf->account[i].window = 1;
	}
}

static inline void
rows_conf_done(struct conf *conf)
{
	unsigned i;

	for (i = 0; i < conf->account_count; i++)
		free(conf->account[i].name);
	free(conf->account);
}

#endif
