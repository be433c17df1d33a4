/* SPDX-License-Identifier: Apache-2.0 */
/* app.h - the parts of the daemon that are wired together, seen by the files of daemon/ only.
 *
 *   app.c       builds, runs and stops it all          deliver.c  engine <-> SMTP links
 *   outcomes.c  what became of jobs => the store
 *   recover.c   what an earlier run left               tokens*.c  engine <-> token endpoint and STATE/tokens
 *   intake.c    a submission => a committed job        handlers.c one function for each route
 *   acts*.c     retry, hold, release, cancel, one or many; flush, pause, resume
 *   intake_read.c its body => JSON                     intake_dry.c what would become of it
 *   intake_stream.c several jobs one after another    intake_large.c what is too large for the loop
 *   intake_message.c a ready message => such a job    intake_digest.c whether it is the same as before
 *   intake_key.c  idempotency keys
 *   sender.c    the From of a job for an account      accounts.c their life, pause and resume, /v1/accounts
 *   settings.c  the files                             reload.c   new settings in place of the old ones
 *   admit.c     room and quotas: may a job come in     operate.c  what an operator does to notifyd as a whole
 *   shape.c     jobs, accounts, status as JSON         waiters.c  requests that wait for a job's end
 *   feed.c      tells what happens to those who follow
 *   credentials.c  when secrets, certificates and sign-ins end
 *   reports.c   what was not delivered, by mail         evidence.c  what was
 *   intake_own.c   jobs that notifyd writes itself
 *   endings.c      jobs that will expire soon
 *   secrets.c   secrets that an operator hands over
 *   vault.c     STATE/tokens, sealed or not            grants.c   the life of refresh tokens
 *   logins*.c   people sign in                         logouts.c  and out
 *   explanations.c  what failures mean, and POST /v1/explain
 *   proof.c     reads what proves an account, off the loop     identity.c asks Azure's metadata services
 *   limits.c    engine <-> what mailboxes have sent, on disk
 *   trust.c     the way to an account's server, and whom it trusts there
 *   probe*.c    tests of an account, step by step (probe.h)
 *   doctor.c    what notifyd sees of its host
 */
#ifndef ND_DAEMON_APP_H
#define ND_DAEMON_APP_H

#include "common/ulid.h"
#include "daemon/core/conf.h"
#include "daemon/core/ending.h"
#include "daemon/core/engine.h"
#include "daemon/core/expiry.h"
#include "daemon/core/filter.h"
#include "daemon/core/intake_limit.h"
#include "daemon/core/machine.h"
#include "daemon/core/mime_plain.h"
#include "daemon/core/oauth.h"
#include "daemon/core/quota.h"
#include "daemon/core/report.h"
#include "daemon/core/watchdog.h"
#include "daemon/io/filer.h"
#include "daemon/io/http_client.h"
#include "daemon/io/http_server.h"
#include "daemon/io/inflight.h"
#include "daemon/io/listen.h"
#include "daemon/io/loop.h"
#include "daemon/io/resolve.h"
#include "daemon/io/seal.h"
#include "daemon/io/spool.h"
#include "daemon/io/store.h"
#include "daemon/io/tls.h"

#include <stdatomic.h>

struct app_options {
	const char *config; /* NULL: the installed one */
	const char *socket; /* NULL: systemd's, or the standard one */
	const char *state_dir;
	int log_level;     /* -1: of the configuration */
	const char *probe; /* an account to test; NULL: none */
	const char *to;    /* with it: where a message goes; NULL: the account's own mailbox */
	bool no_send;      /* with it: no message */
	bool doctor;       /* a look at the host, and nothing else */
	bool check;
	const char *certificate;     /* the name of a pair to make, and nothing else; NULL: none */
	bool show;                   /* it is there: its certificate is shown */
	const char *credentials_dir; /* with it; NULL: the installed one */
	bool next;                   /* with it: beside the pair that is there */
};

/* Secrets that an operator handed over: PUT /v1/accounts/{id}/secret. */
enum secrets_field { SECRETS_CLIENT, SECRETS_CLIENT_NEXT, SECRETS_PASSWORD, SECRETS_FIELDS };
struct secrets_given {
	struct nd_secret secret; /* used for as long as its reference still gives `before` */
	struct nd_secret before; /* what the reference gave when it came; empty: it could not be read */
};

/* What is known of an account's secrets; proof.c. */
struct app_secrets {
	bool try_next;     /* client_secret_next is read instead of client_secret */
	bool next_in_use;  /* and the endpoint took it */
	unsigned changes;  /* counts the changes seen: what was refused before one may be good after it */
	nd_unix not_after; /* of the certificate; 0 not known */
};

/* What an account needs outside core; engine_account.user. */
struct app_account {
	struct app *app;
	struct engine_account *engine; /* borrowed */
	struct conf *conf;             /* which engine->conf is a part of; held */
	struct tls *tls;               /* made when the first session opens */
	struct nd_secret token;        /* access token in use */
	struct claims claims;          /* what it says of itself */
	struct app_asking *asking;     /* requests for tokens that are not done with */
	struct expiry credentials[EXPIRY_KINDS];
	struct ending ending;   /* of its jobs */
	bool credentials_known; /* what STATE/credentials tells was read */
	struct secrets_given given[SECRETS_FIELDS];
	struct secrets_trial *trials; /* secrets that are being tried */
	struct app_secrets secrets;
	uint64_t files_print; /* of the key, password and certificate in files; in memory alone */
	bool files_known;
	uint64_t files_prints; /* of all files with secrets, and of the rights to them */
	bool files_looked;
	int64_t moved;     /* jobs that went on to another account */
	unsigned settings; /* counts its changes: answers to questions of before are not taken */
	char identity[80];
	char *token_path;
	struct oauth_saved grant; /* of a sign-in: what the file at token_path holds */
	unsigned grants;          /* counts sign-ins and sign-outs: answers about a grant of before are not taken */
	long skew;                /* s; this host's clock against the token endpoint's, when it was asked last */
	bool skew_known;
	bool answer_lost;                    /* a refresh of an earlier run got an answer that never came to the disk */
	struct nd_why locked;                /* err ND_ETOKENSLOCKED: the file cannot be opened, and is left as it is */
	struct transcripts_kept *transcript; /* transcripts.c: of its last failure; NULL none */
};

struct json_out;
struct app_waiter;
struct app_login;
struct app_leaving;
struct feed;
struct app_act;
struct app_look;
struct app_doctor;
struct probe;

struct app {
	struct conf *conf; /* held: reload.c */
	struct app_options options;
	struct loop *loop;
	struct worker *files, *composer;
	struct worker *proofs;     /* secrets and commands are read here */
	struct watch *watch;       /* files of secrets */
	atomic_bool composer_stop; /* the loop has ended: nothing more is composed */
	struct store *store;
	struct spool *spool;
	struct inflight *inflight;
	struct resolver *resolver;
	struct http_client *http_client;
	struct http_server *http_server;
	struct listen_set sockets;
	struct engine *engine;
	struct loop_timer *engine_timer, *sweep_timer, *prune_timer, *stop_timer, *watchdog_timer, *retry_timer,
	    *disk_timer, *recover_timer, *status_timer, *credentials_timer, *report_timer, *endings_timer;
	nd_ms status_at;         /* systemd may be told the next status */
	struct store_req *retry; /* outcomes that a full disk refused: tried again */
	struct app_waiter *waiters;
	struct app_look *looks; /* at what servers present */
	struct app_doctor *doctors;
	struct app_login *logins; /* people who are signing in */
	struct app_leaving *leavings;
	struct probe *probes;               /* tests of accounts */
	struct app_act *acts;               /* actions that wait for a commit or a load */
	struct identity_asking *identities; /* under way */
	struct feed *feed;
	struct report report;
	nd_ms endings_at;             /* they are counted again */
	struct ending_digest endings; /* of jobs that will expire though no account is in trouble */
	nd_ms report_since;           /* the first of it was added */
	int64_t report_place,
	    report_telling; /* in the store: of the last that was added; of the last that a mail tells */
	struct watchdog watchdog;
	struct nd_ulid_maker ids;
	nd_unix started;
	struct quota *quota;
	uint64_t admitted, admitted_octets; /* let in and not yet committed */
	int64_t disk_free;                  /* as of disk_looked; -1 not known */
	nd_ms disk_looked;
	uint8_t request_key[SEAL_KEY];    /* intake_digest.c; not changed once it runs */
	char machine[MACHINE_ID_LEN + 1]; /* this one's id; "" not known */
	bool another_machine;             /* the state is another one's: nothing is sent */
	char border[ND_ULID_LEN + 1];     /* jobs below it came with that state */
	bool deciding;                    /* whose the state is to be */
	bool credentials_changed;         /* not written yet */
	bool counting_endings;
	bool copying;         /* a backup is being made or removed */
	unsigned intake;      /* submissions between handler and commit */
	uint64_t unfinished;  /* jobs in the queue: no sweep is needed without */
	unsigned sweep_step;  /* of the sweep under way: 1 all jobs, then each account's; 0: none is */
	bool hurry, hurrying; /* the clock went back: what waits is to be made due; it is being done */
	unsigned moving;      /* jobs that change their account, not yet committed */
	bool open;            /* the start is done: the engine may begin */
	bool marked, move_failed, more_orphans;
	unsigned outcomes;         /* outcomes between engine and commit */
	struct nd_why store_fault; /* the last write that failed; err ND_OK: none since a success */
	char degraded[1024];       /* the files are bad and older settings rule: the first fault; "" none */
	bool orphans_asked, orphans_again;
	bool stopping; /* nothing new is taken */
	bool down;     /* the loop has ended: what still comes back is only cleared away */
	int exit_code;
};

/* app.c */
int app_run(const struct app_options *options);          /* exit code */
int certificate_make(const struct app_options *options); /* certificate.c; exit code */
int certificate_show(const struct app_options *options);
void app_pump(void *arg);                                     /* asks the engine what to do, soon */
void app_wrote(struct app *app, const struct store_req *req); /* a write came back: remembers faults of the disk */

/* deliver.c */
void deliver_open(struct app *app, struct engine_account *account, struct pool_session *session);
void deliver_send(struct app *app, struct pool_session *session, struct sched_job *job);
void deliver_close(struct pool_session *session);
void deliver_cut(struct app *app, struct engine_account *account); /* ends sessions that are only being opened */
/* Its mail is under way, and the end of it has not begun to leave: ends its session. */
void deliver_withdraw(struct app *app, const struct queue_job *row);
void deliver_abandon(struct app *app); /* at the end: all links go */
void deliver_load(struct app *app, struct engine_account *account, unsigned most);

/* outcomes.c */
void outcomes_store(struct app *app, const struct engine_action *action);
/* The job goes to another account, unless it asked for this one. */
void outcomes_move(struct app *app, const struct engine_action *action);
/* Commits the end of a job that is not in memory; takes the row. */
void outcomes_end(struct app *app, struct queue_job *job);
/* Counts the jobs in the queue (a job was there before, it is after): the first one starts the sweeps. */
void outcomes_count(struct app *app, bool before, bool after);
/* Outcomes that a full disk never let be written: their in-flight notes stay, the next start knows. */
void outcomes_drop(struct app *app);

/* evidence.c: what a relay took. The digest of a message in the spool is made of its octets while they leave. */
struct evidence_sum;
struct evidence_sum *evidence_sum_new(
    const struct queue_job *job, uint64_t whole); /* of so many octets; NULL: none is kept of this one */
void evidence_sum_add(void *arg, const char *octets, size_t len); /* arg: the sum */
/* Its transaction is over: job->sha256 is that of the whole, "" if it was not that. NULL for both is fine. Frees. */
void evidence_sum_end(struct evidence_sum *sum, struct sched_job *job);
/* Gives an outcome what is known of its transaction, and how it travelled; nothing when nobody was reached by it. */
void evidence_of(const struct sched_job *sched_job, struct store_req *req);

/* reports.c: what could not be delivered, by mail to admin_to. */
bool reports_wants(const struct app *app, const struct queue_job *job); /* is it one to be told? */
/* It has come to its end, and that is on disk; place: of the note of it. */
void reports_job(struct app *app, const struct queue_job *job, int64_t place);
void reports_recover(struct app *app);               /* what an earlier run has not told */
void reports_again(struct app *app, const char *id); /* it is tried once more */
void reports_send(void *arg);

/* limits.c */
void limits_recall(struct app *app, const char *limit);
void limits_keep(struct app *app, const char *limit, char *record); /* takes it */

/* tokens*.c */
void tokens_use(struct app_account *account, const struct nd_secret *token); /* from now on */
void tokens_open(struct app *app, struct app_account *account);              /* what STATE/tokens holds */
void tokens_ask(struct app *app, struct engine_account *engine);
void tokens_drop(struct app_account *account); /* forgets the token in memory; answers on their way are not taken */
void tokens_done(struct app_account *account); /* at its end, or the daemon's */
/* Sends a request to one of the account's endpoints; takes `wanted`. */
void tokens_post(struct app_account *account, struct oauth_request *wanted, http_client_done *done, void *arg);
/* Renews the grant with another client secret (client_id, url NULL: as set), and keeps what comes of it. done: once, unless notifyd ends; good: the
 * endpoint took it; else why, and `later`: it was no verdict. ND_EBUSY: a refresh is under way; ND_ENOTFOUND: there is no grant to renew. */
typedef void tokens_tried(void *arg, bool good, bool later, const struct nd_why *why);
struct tokens_try {
	const struct nd_secret *client_secret;
	const char *client_id, *url;
	tokens_tried *done;
	void *arg;
};
enum nd_err tokens_try(struct app_account *account, const struct tokens_try *try, struct nd_why *why) ND_MUST_CHECK;
/* For notifyd --probe: what the state directory keeps of the account's tokens with these settings; nothing is changed. */
enum nd_err tokens_look(struct app_account *account, struct oauth_saved *out, struct nd_why *why) ND_MUST_CHECK;
void tokens_stop(struct app *app); /* before the loop ends */
bool tokens_busy(struct app *app); /* an answer is awaited that may hold the only refresh token */

/* vault.c: STATE/tokens, sealed when there is a tokens-key. */
enum nd_err vault_read(
    const struct app_account *account, const char *path, struct oauth_saved *out, struct nd_why *why) ND_MUST_CHECK;
/* done on the loop, later; not when it fails at once. */
enum nd_err vault_write(struct app_account *account, const char *path, const struct oauth_saved *saved,
    filer_done *done, void *arg, struct nd_why *why) ND_MUST_CHECK;
#define VAULT_ASIDE 3u
/* Before it is written anew: ACCOUNT.KIND-1 is what it was, whatever becomes of the writing. */
void vault_keep(struct app_account *account, const char *kind);
void vault_aside(struct app_account *account, const char *kind); /* the file becomes ACCOUNT.KIND-1 */
/* The place of a grant of other settings: ACCOUNT.IDENTITY. */
char *vault_other(const struct app_account *account, const char *identity);
void vault_put_off(struct app_account *account, const char *identity); /* the file goes there */
/* What may be there becomes ACCOUNT.IDENTITY.KIND-1. */
void vault_aside_other(struct app_account *account, const char *identity, const char *kind);

/* grants.c: refresh tokens, of sign-ins and brought ones. */
/* Takes what the file holds. */
void grants_take(struct app_account *account, struct oauth_saved *saved);
/* A refresh token that was brought from elsewhere; true: it is a new one. */
bool grants_brought(struct app_account *account, const struct nd_secret *token);
/* The endpoint says that the grant is dead: puts it aside; `why` is what the account is held for. */
void grants_refused(struct app_account *account, const char *said, struct nd_why *why);
/* A sign-in that is on disk already; takes `saved`. */
void grants_sign_in(struct app_account *account, struct oauth_saved *saved);
void grants_sign_out(struct app_account *account);
void grants_warn(struct app *app, struct json_out *out);

/* logins*.c: people sign in. */
http_handler logins_begin, logins_end;
/* The account's sign-ins end; `words` lives on: what is told to who waits for one. */
void logins_drop(struct app *app, const struct app_account *account, const char *words);
void logins_stop(struct app *app); /* all are answered: notifyd stops */
void logins_free(struct app *app); /* after the loop */

/* logouts.c: people sign out. */
http_handler logouts_handle;
void logouts_free(struct app *app);

/* proof.c */
/* What proves an account's application, read afresh for one request. A public client's is empty. */
struct app_proof {
	struct nd_secret client_secret, client_assertion, assertion;
	struct nd_secret password; /* of proof_password, and the refresh token of proof_brought */
	char *client_id, *url;     /* from a downloaded JSON; NULL: the account's */
	bool next;                 /* it is client_secret_next */
};
/* On the loop, later, once; not when notifyd ends first. proof NULL: why. Borrowed for the call. */
typedef void proof_done(void *arg, const struct app_proof *proof, const struct nd_why *why);
struct proof_reading;
struct proof_reading *proof_read(struct app *app, struct app_account *account, proof_done *done, void *arg);
struct proof_reading *proof_password(struct app *app, struct app_account *account, proof_done *done, void *arg);
struct proof_reading *proof_brought(struct app *app, struct app_account *account, proof_done *done, void *arg);
void proof_clean_password(const struct conf_account *conf, struct nd_secret *password);
void proof_forget(struct proof_reading *reading); /* its done is not called any more; NULL is fine */
void proof_fill(const struct app_proof *proof, struct oauth_ask *ask); /* points the ask at the proof */
/* The endpoint's answer to a request with a proof. true: it refused the secret and another one is there: prove it once more, and ask again. */
bool proof_refused(struct app_account *account, bool next, const struct oauth_reply *reply);
void proof_accepted(struct app_account *account, bool next);
/* When the application's secret or certificate ends; false: not known. */
bool proof_expires(const struct app_account *account, nd_unix *when);

/* proof_files.c */
void proof_open(
    struct app_account *account);  /* a new account, or new settings: looks at its files, forgets what was learned */
void proof_watch(struct app *app); /* for the files that the settings name now */
/* The certificate's end, read when there had been so many changes; 0 not known. */
void proof_dated(struct app_account *account, unsigned changes, nd_unix not_after);

/* identity.c */
typedef void identity_done(
    void *arg, const struct oauth_reply *reply); /* on the loop, once; not when notifyd ends first */
void identity_ask(struct app *app, struct app_account *account, identity_done *done, void *arg);
void identity_end(struct app *app); /* after the loop's end */

/* secrets.c */
http_handler secrets_put;
/* The secret that was handed over, else what its reference gives. On any thread. */
enum nd_err secrets_read(
    const struct secrets_given *given, const char *reference, struct nd_secret *out, struct nd_why *why) ND_MUST_CHECK;
void secrets_copy(const struct secrets_given *from, struct secrets_given *to);
void secrets_given_done(struct secrets_given *given);
void secrets_drop(struct app_account *account); /* those that were handed over */
void secrets_done(struct app_account *account); /* at its end, or the daemon's */

/* recover.c */
void recover_start(struct app *app);
void recover_again(void *arg);         /* what a full disk put off */
void recover_orphans(struct app *app); /* jobs of accounts that are no more get another one */
/* STATE/downtime: when the accounts could not be used. The time in which no notifyd ran counts as such. */
void recover_ages(struct app *app);
void recover_keep_ages(struct app *app);

/* --- changes.c --- */

struct json_node;
void changes_read(struct app *app, const struct json_node *kept); /* NULL: this is the first start */
void changes_write(struct app *app, struct json_out *out);
/* Looks whether the wall clock leapt. */
void recover_leap(struct app *app);
void recover_sweep(void *arg); /* expiry; every minute while there are jobs */
void recover_prune(void *arg); /* history; hourly */

/* settings.c */
/* Reads the files. names NULL: asks the resolver for the host's. The texts as read go to `texts`, for settings_keep. */
enum nd_err settings_read(const struct app_options *options, const struct conf_host *names, struct conf *conf,
    struct nd_buf *texts, struct conf_faults *faults);
/* STATE/config.good: the last configuration that was good. */
enum nd_err settings_read_good(const struct app_options *options, struct conf *conf, struct nd_why *why);
void settings_keep(struct app *app, const struct nd_buf *texts);

/* reload.c */
struct conf *reload_new(void); /* held once */
struct conf *reload_hold(struct conf *conf);
void reload_release(struct conf *conf); /* frees it with its last holder */
/* The files' settings take over, or nothing changes and `faults` says why. */
enum nd_err reload_all(struct app *app, struct conf_faults *faults);
void reload_signal(void *arg); /* SIGHUP */
void reload_handle(void *owner, struct http_request *request);
size_t reload_memory(const struct app *app); /* for requests */
void reload_apply(struct app *app); /* what app->conf says beside accounts: log level, memory; the explanations */

/* accounts.c */
void accounts_build(struct app *app);  /* for each of the engine's accounts that has none */
void accounts_change(struct app *app); /* after engine_reconfigure */
void accounts_forget(struct app *app, struct engine_account *engine);
void accounts_free(struct app *app);
void accounts_read_paused(struct app *app); /* STATE/paused */
struct engine_account *accounts_asked_for(
    struct app *app, struct http_request *request); /* the account of the path; NULL: answered */
http_handler accounts_list, accounts_show, accounts_pause, accounts_resume, accounts_refresh;

/* trust.c */
struct smtp_link_conf;
struct tls *trust_tls(const struct conf_account *account, struct nd_why *why); /* a context; NULL: why */
void trust_tokens(
    const struct conf_account *account, struct http_client_request *out); /* whom its token requests trust */
/* Everything but the context and the credentials; borrows from both. */
void trust_way(const struct conf *conf, const struct conf_account *account, struct smtp_link_conf *out);
http_handler trust_chain;
void trust_end(struct app *app); /* all are answered: notifyd stops */

/* probe*.c */
http_handler probe_configured, probe_given; /* …/accounts/NAME/test, …/accounts/test */
int probe_alone(struct app *app);           /* notifyd --probe: without engine, store and sockets; exit code */
void probe_end(struct app *app);            /* all are answered: notifyd stops */
void probe_free(struct app *app);           /* after the loop's end */

/* doctor.c */
http_handler doctor_handle;
int doctor_alone(struct app *app); /* notifyd --doctor: without engine, store and sockets; exit code */
void doctor_end(struct app *app);  /* all are answered: notifyd stops */

/* intake.c; more in intake_inner.h */
void intake_submit(void *owner, struct http_request *request);
void intake_message(void *owner, struct http_request *request);
enum nd_err intake_open(struct app *app, struct nd_why *why); /* whether jobs are taken now */

/* intake_digest.c */
void intake_digest_open(struct app *app); /* reads its key, or makes one */

/* intake_own.c */
/* Once, when it is known: err ND_OK it is accepted. Maybe at once; maybe at the very end (app->down). */
typedef void intake_told(struct app *app, void *arg, const struct nd_why *why);
void intake_own(struct app *app, const struct nd_buf *job, intake_told *told,
    void *arg);            /* a job as JSON; that it is refused is logged */
struct intake_notice {     /* borrowed */
	const char *words; /* the subject */
	const char *text;
	enum job_severity severity;
	const char *key;
	const char *
	    once; /* idempotency key: were notifyd to end before it is known that this was told, it would not be told twice */
	intake_told *told; /* NULL none */
	void *arg;
};
void intake_notice(struct app *app, const struct intake_notice *notice); /* to [daemon] admin_to, if there is any */

/* endings.c */
void endings_look(void *arg);        /* now and then while an account is in trouble */
void endings_sweep(struct app *app); /* with each sweep */
void endings_soon(struct app *app);
void endings_warn(struct app *app, struct json_out *out);

/* credentials.c */
void credentials_look(void *arg);       /* hourly: warns of what ends */
void credentials_soon(struct app *app); /* something has changed: looks now */
void credentials_used(struct app_account *account, const struct nd_secret *secret); /* this client secret was sent */
struct credentials_fact {
	const char *account;
	enum expiry_kind kind;
	const struct expiry *expiry; /* NULL: nothing here */
};
bool credentials_nth(struct app *app, unsigned n, struct credentials_fact *fact); /* false past the end */

/* admit.c */
struct intake_limit_load admit_load(struct app *app);
/* Room and quota for a composed job: ND_OK, then admit_over once it is committed or given up. ND_EQUEUEFULL, ND_EDISKFULL, ND_EOVERQUOTA, ND_ETOOBIG. */
struct admitted {
	bool is;
	uint64_t octets;
	unsigned foreign; /* recipients outside the own domains */
};
enum nd_err admit_job(struct app *app, const struct access_peer *peer, const struct queue_job *row,
    struct admitted *admitted, struct nd_why *why) ND_MUST_CHECK;
/* fresh: it is a new job of the queue; else it does not count against the quota. Fine when it was never admitted. */
void admit_over(struct app *app, const struct access_peer *peer, struct admitted *admitted, bool fresh);
/* Whether there is room for about so much, before it is composed. Nothing is taken. */
enum nd_err admit_room(struct app *app, uint64_t octets, struct nd_why *why) ND_MUST_CHECK;

/* sender.c */
/* Its rendition for an account, and whether it wants no other one. What a rendition needs to know of the job is a fact of it. */
#define SENDER_ANSWERS                                                                                                 \
	"from_answers"       /* the fact that the sender it asked for may be named as Reply-To, and nobody else is */
#define SENDER_UTF8 "utf8"   /* the fact that its header names somebody whose address has no ASCII form */
#define SENDER_WORDS "words" /* the fact that its header has words that are not ASCII, and no such address */
bool sender_pinned(const struct queue_job *job);
enum mime_plain sender_plain(const struct queue_job *job);
bool sender_requires_tls(const struct queue_job *job);
/* Its head and envelope sender. answers: the fact of that name. */
void sender_write(struct queue_job *job, const struct conf_account *account, bool answers);
/* It leaves the account it has for this one; NULL: for none. */
void sender_move(struct queue_job *job, const struct conf_account *account);

/* acts.c */
http_handler acts_retry, acts_hold, acts_release, acts_cancel, acts_retry_all, acts_hold_all, acts_release_all,
    acts_cancel_all, acts_flush, acts_pause, acts_resume;
void acts_stored(struct app *app, const char *id, enum job_state state); /* a row of the engine's was committed */
void acts_loaded(struct app *app);                                       /* a load has ended */
/* A failed job is queued again, for this reason (static), with the end it had. */
void acts_again(struct app *app, const char *id, const char *reason);
void acts_end(struct app *app); /* notifyd stops: all are answered but those whose change will still be stored */
/* Cancels all unfinished jobs with ids below `border`, or only counts them (reason NULL). done: how many it was about, how many changed. */
typedef void acts_bulk_done(void *arg, uint64_t matched, uint64_t changed, const struct nd_why *why);
void acts_cancel_below(struct app *app, const char *border, const char *reason, acts_bulk_done *done, void *arg);
void acts_pause_open(struct app *app); /* paused before the restart? */

/* waiters.c */
/* Answers with the job once it is final or held, or when `seconds` are over. Takes over the request. */
void waiters_add(struct app *app, struct http_request *request, const char *id, nd_ms wait);
void waiters_wake(struct app *app, const char *id, enum job_state state);
void waiters_end(struct app *app); /* all are answered: notifyd stops */

/* feed.c */
void feed_open(struct app *app);
void feed_handle(void *owner, struct http_request *request);
/* What happened. A job has come to a state and the store knows it, by an attempt or not (NULL). */
void feed_job(struct app *app, const struct queue_job *job, const struct queue_attempt *attempt);
void feed_moved(struct app *app, const struct queue_job *job); /* to another account: the one it has now */
void feed_account(struct app *app, const struct engine_account *account);
void feed_token(struct app *app, const struct engine_account *account);
void feed_config(struct app *app);
void feed_end(struct app *app); /* nobody follows any more: notifyd stops */
void feed_free(struct app *app);

/* shape.c */
bool shape_sending(struct app *app, const struct queue_job *job); /* the store calls it queued */
/* For whoever asked by `request`. tale: the answer to a SHOW, for attempts and evidence; NULL: without. */
/* Why no job at all is sent, and the remedy; nothing, and false, when that is not so. */
bool shape_bar(struct app *app, struct json_out *out);
void shape_job(struct app *app, const struct http_request *request, const struct queue_job *job,
    const struct store_req *tale, struct json_out *out);
/* name NULL: all that are configured, as {"accounts":[…]}. */
void shape_accounts(struct app *app, const struct store_req *totals, const char *name, struct json_out *out);
void shape_health(struct app *app, const struct http_request *request, const struct engine_account *account,
    struct json_out *out); /* of one that is not ok: reason, hint */
/* When the job's time will be over, if nothing changes. Without an end of its own it depends on its account; 0, unknown, while that is in
 * trouble: its clock stands still then. */
nd_unix shape_end(struct app *app, const struct queue_job *job);
struct shape_counts {
	int64_t queued, sending;
};
struct shape_counts shape_counts(struct app *app, const struct store_req *totals);
void shape_status(struct app *app, const struct store_req *totals, bool all, struct json_out *out);

/* intake_dry.c */
bool intake_dry_asked(const struct http_request *request, bool *dry, struct nd_why *why); /* ?dry_run= */

/* warnings.c: "warnings":[…] of the status. */
void warnings_one(const char *code, const char *detail, const char *hint, struct json_out *out);
#define QUEUE_PAUSED "the queue is paused: jobs are accepted, nothing is sent"
#define QUEUE_PAUSED_HINT "notifyctl resume"
#define OTHER_MACHINE "the state directory is another machine's: jobs are accepted and nothing is sent"
#define OTHER_MACHINE_HINT                                                                                             \
	"when that machine will not send these jobs itself: notifyctl state adopt; to cancel them and start afresh: "  \
	"notifyctl state new"
void warnings_put(struct app *app, struct json_out *out);

/* operate.c */
http_handler operate_backup, operate_backup_drop, operate_adopt, operate_new;
void operate_machine(struct app *app); /* at start: holds the queue when the state is another machine's */
void operate_border(struct app *app, const char *last_id); /* then: which jobs came with that state */

/* explanations.c */
void explanations_load(struct app *app); /* the table, with the changes of explain.d beside the configuration */
http_handler explanations_answer;

/* handlers.c */
extern http_handler *const handlers_routes[API_ROUTE_COUNT];
/* Answers with the JSON in `buf`, and frees it. */
void handlers_reply(struct http_request *request, int status, struct nd_buf *buf);
/* It has no parameters. What seems to say which job or account is meant would else be passed over, and more be meant. False: it is answered. */
bool handlers_bare(struct http_request *request);
/* Reads the job and answers with it (status 200, or 202 while it is not over and `waited`). */
void handlers_show(struct app *app, struct http_request *request, const char *id, bool waited);
bool handlers_may_see(const struct access_peer *peer, const struct queue_job *job);
/* The filters of a list (?state= &account= …) with the peer's rights; filter_done is due in any case. */
enum nd_err handlers_filter(
    struct app *app, const struct http_request *request, struct store_filter *filter, struct nd_why *why) ND_MUST_CHECK;
/* Tells a filter that has one of `queued` and `sending` what is being sent now, before it goes to the store. */
void handlers_filter_sending(struct app *app, struct store_filter *filter);
/* Does it mean this job, as it is now? */
bool handlers_fits(struct app *app, const struct queue_job *job, const struct store_filter *filter);
/* Reads the counters; `tell` answers with them. No query parameter is taken. */
typedef void handlers_tell(struct app *app, struct http_request *request, const struct store_req *totals);
void handlers_totals(struct app *app, struct http_request *request, handlers_tell *tell);
/* Answers with one account, or all of them. */
void handlers_accounts(struct app *app, struct http_request *request, const char *name);
bool handlers_wait(const struct http_request *request, nd_ms *wait, struct nd_why *why); /* ?wait=: 0 none */

/* handlers_message.c */
/* Answers with the job's head and body. Takes the job. */
void handlers_give(struct app *app, struct http_request *request, struct queue_job *job);

/* handlers_metrics.c */
void handlers_metrics(void *owner, struct http_request *request);
void handlers_openapi(void *owner, struct http_request *request);

#endif
