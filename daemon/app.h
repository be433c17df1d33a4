/* SPDX-License-Identifier: Apache-2.0 */
/* app.h - the parts of the daemon that are wired together, seen by the files of daemon/ only.
 *
 *   app.c       builds, runs and stops it all          deliver.c  engine <-> SMTP links and the store
 *   recover.c   what an earlier run left               tokens.c   engine <-> token endpoint and STATE/tokens
 *   intake.c    a submission => a committed job        handlers.c one function for each route
 *   admit.c     room and quotas: may a job come in
 *   operate.c   what an operator does to notifyd as a whole
 *   sender.c    the From of a job for an account
 *   shape.c     jobs, accounts, status as JSON         waiters.c  requests that wait for a job's end
 */
#ifndef ND_DAEMON_APP_H
#define ND_DAEMON_APP_H

#include "common/ulid.h"
#include "daemon/core/conf.h"
#include "daemon/core/engine.h"
#include "daemon/core/intake_limit.h"
#include "daemon/core/machine.h"
#include "daemon/core/quota.h"
#include "daemon/io/filer.h"
#include "daemon/io/http_client.h"
#include "daemon/io/http_server.h"
#include "daemon/io/inflight.h"
#include "daemon/io/listen.h"
#include "daemon/io/loop.h"
#include "daemon/io/resolve.h"
#include "daemon/io/spool.h"
#include "daemon/io/store.h"
#include "daemon/io/tls.h"

struct app_options {
	const char *config; /* NULL: the installed one */
	const char *socket; /* NULL: systemd's, or the standard one */
	const char *state_dir;
	int log_level; /* -1: of the configuration */
	bool check;
};

/* What an account needs outside core; engine_account.user. */
struct app_account {
	struct app *app;
	struct engine_account *engine; /* borrowed */
	struct tls *tls;               /* made when the first session opens */
	char tls_words[96];            /* of the last session */
	struct nd_secret token;        /* access token in use */
	struct nd_secret fresh;        /* one that is being written to disk */
	nd_ms fresh_obtained, fresh_expires;
	char identity[80];
	char *token_path;
};

struct app_waiter;

struct app {
	struct conf conf;
	struct app_options options;
	struct loop *loop;
	struct worker *files;
	struct store *store;
	struct spool *spool;
	struct inflight *inflight;
	struct resolver *resolver;
	struct http_client *http_client;
	struct http_server *http_server;
	struct listen_set sockets;
	struct engine *engine;
	struct app_account *accounts; /* as many as the engine's */
	struct loop_timer *engine_timer, *sweep_timer, *prune_timer, *stop_timer, *watchdog_timer, *retry_timer;
	struct store_req *retry; /* outcomes that a full disk refused: tried again */
	struct app_waiter *waiters;
	struct nd_ulid_maker ids;
	nd_unix started;
	unsigned intake; /* submissions between handler and commit */
	struct quota *quota;
	uint64_t admitted, admitted_octets; /* let in and not yet committed */
	int64_t disk_free;                  /* as of disk_looked; -1 not known */
	nd_ms disk_looked;
	uint64_t unfinished;              /* jobs in the queue: no sweep is needed without */
	unsigned outcomes;                /* outcomes between engine and commit */
	struct nd_why store_fault;        /* the last write that failed; err ND_OK: none since a success */
	char machine[MACHINE_ID_LEN + 1]; /* this one's id; "" not known */
	bool another_machine;             /* the state is another one's: nothing is sent */
	bool copying;                     /* a backup is being made or removed */
	bool stopping;                    /* nothing new is taken */
	bool down;                        /* the loop has ended: what still comes back is only cleared away */
	int exit_code;
};

/* app.c */
enum nd_err app_configure(const struct app_options *options, struct conf *conf, struct conf_faults *faults);
int app_run(const struct app_options *options);               /* exit code */
void app_pump(void *app);                                     /* asks the engine what to do, soon */
void app_wrote(struct app *app, const struct store_req *req); /* a write came back: remembers faults of the disk */

/* deliver.c */
void deliver_open(struct app *app, struct engine_account *account, struct pool_session *session);
void deliver_send(struct app *app, struct pool_session *session);
void deliver_close(struct pool_session *session);
void deliver_abandon(struct app *app); /* at the end: all links go */
void deliver_store(struct app *app, const struct engine_action *action);
void deliver_load(struct app *app, struct engine_account *account);
/* Commits the end of a job that is not in memory; takes the row. */
void deliver_end(struct app *app, struct queue_job *job);

/* Outcomes that a full disk never let be written: their in-flight notes stay, the next start knows. */
void deliver_drop(struct app *app);

/* tokens.c */
void tokens_open(struct app *app, struct app_account *account); /* what STATE/tokens holds */
void tokens_ask(struct app *app, struct engine_account *account);

/* recover.c */
void recover_start(struct app *app);
/* STATE/downtime: when the accounts could not be used. The time in which no notifyd ran counts as such. */
void recover_ages(struct app *app);
void recover_keep_ages(struct app *app);
void recover_sweep(void *app); /* expiry; every minute while there are jobs */
void recover_prune(void *app); /* history; hourly */

/* intake.c */
void intake_submit(void *app, struct http_request *request);

/* admit.c */
struct intake_limit_load admit_load(struct app *app);
/* Room and quota for a composed job: ND_OK, then admit_over once it is committed or given up. ND_EQUEUEFULL, ND_EDISKFULL, ND_EOVERQUOTA. */
enum nd_err admit_job(
    struct app *app, const struct access_peer *peer, const struct queue_job *row, struct nd_why *why) ND_MUST_CHECK;
void admit_over(struct app *app, uint64_t octets);

/* sender.c */
/* Writes the job's head and envelope sender for an account. */
void sender_write(struct queue_job *job, const struct conf_account *account, bool has_reply_to);

/* waiters.c */
/* Answers with the job once it is final or held, or when `seconds` are over. Takes over the request. */
void waiters_add(struct app *app, struct http_request *request, const char *id, nd_ms wait);
void waiters_wake(struct app *app, const char *id, enum job_state state);
void waiters_end(struct app *app); /* all are answered: notifyd stops */

/* shape.c */
struct json_out;
void shape_job(struct app *app, const struct queue_job *job, const struct queue_attempt *attempts, unsigned count,
    bool full, struct json_out *out);
void shape_status(struct app *app, const struct store_req *totals, bool operator_right, struct json_out *out);

/* operate.c */
http_handler operate_backup, operate_backup_drop, operate_adopt;
void operate_machine(struct app *app); /* at start: holds the queue when the state is another machine's */

/* handlers.c */
extern http_handler *const handlers_routes[API_ROUTE_COUNT];
/* Reads the job and answers with it (status 200, or 202 while it is not over and `waited`). */
void handlers_show(struct app *app, struct http_request *request, const char *id, bool waited);
bool handlers_wait(const struct http_request *request, nd_ms *wait, struct nd_why *why); /* ?wait=: 0 none */

#endif
