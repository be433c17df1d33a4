/* SPDX-License-Identifier: Apache-2.0 */
/* probe.h - the inside of a test of an account, for probe*.c alone.
 *
 *   probe.c         life, lines, what the result is        probe_token.c   secret, token, what the token says
 *   probe_smtp.c    from the name of the server to a mail   probe_routes.c  the API     probe_alone.c  notifyd --probe
 *
 * The steps come in their order, each line when its step is over; the first fault is the last step. Nothing of the engine is touched: the secret is
 * read, the token asked for and the session opened for this test alone.
 */
#ifndef ND_DAEMON_PROBE_H
#define ND_DAEMON_PROBE_H

#include "daemon/app.h"

#include "common/explain.h"

#include "daemon/core/claims.h"
#include "daemon/io/smtp_link.h"

enum probe_step {
	PROBE_CONFIG,
	PROBE_SECRET,
	PROBE_TOKEN,
	PROBE_CLAIMS,
	PROBE_DNS,
	PROBE_TCP,
	PROBE_GREETING,
	PROBE_STARTTLS,
	PROBE_CERTIFICATE,
	PROBE_EHLO,
	PROBE_AUTH,
	PROBE_MAIL,
	PROBE_RCPT,
	PROBE_SEND,
	PROBE_STEPS
};
enum probe_send { PROBE_SEND_AUTO, PROBE_SEND_YES, PROBE_SEND_NO };
enum probe_result { PROBE_PROVED, PROBE_NOT_PROVED, PROBE_FAILED, PROBE_BAD_CONFIG };

typedef void probe_line(void *arg, const char *line, size_t len); /* one line of JSON, with its end */
typedef void probe_over(void *arg, enum probe_result result);     /* once, after the last line */

/* Why it failed. verdict: the server has refused the credentials for good. */
typedef void probe_fault_told(void *arg, bool verdict, const struct nd_why *why);

struct probe_wish {
	struct conf *held;               /* the probe holds it too */
	const struct conf_account *conf; /* in it */
	enum probe_send send;
	const char *to;         /* NULL: the account's own mailbox */
	enum explain_lang lang; /* of all but the words of failures */
	probe_line *line;
	probe_over *over;
	void *arg;
	/* For a password that is to be tried: it, instead of what the settings name; the test ends behind the log-in. NULL: none */
	const struct nd_secret *password;
	probe_fault_told *fault; /* before `over`; NULL: nobody asks */
};

struct probe {
	struct probe *next; /* of app->probes */
	struct app *app;
	struct conf *held;
	const struct conf_account *conf;
	enum probe_send send;
	enum explain_lang lang;
	char *to;
	probe_line *line; /* NULL: nobody listens any more */
	probe_over *tell_over;
	probe_fault_told *tell_fault;
	bool login_only;
	void *arg;

	enum probe_step step;
	nd_ms since; /* it began */
	struct loop_timer *timer;
	unsigned waiting; /* answers on their way, which come whether anybody wants them or not */
	bool over;

	struct engine_account engine; /* a copy of nothing: what proof.c and identity.c want to see */
	struct app_account account;
	struct nd_secret sent, token, password;
	bool next_secret, again; /* which of two went, and whether it is the second try */
	bool fresh;              /* the token was issued for this test */
	long skew;               /* s; this host's clock against the endpoint's */
	bool skew_known;
	bool token_own;     /* the settings name authorities for the token endpoint */
	char token_by[512]; /* the authority of this host's own that speaks for the token endpoint; "" none */
	struct claims claims;

	struct tls *tls;
	struct tls_chain chain;
	bool inspected; /* an authority of this host's own speaks for a public provider */
	struct smtp_link_conf link_conf;
	struct smtp_link *link;
	bool stood;             /* the session was ready */
	bool taken;             /* the mail, or its envelope: what is left is to leave */
	struct smtp_reply last; /* to the end of data */
	char *head;             /* of the message; it has no body */
	const char *rcpt;
	struct smtp_rcpt_result result;
};

/* probe.c */
struct probe *probe_start(struct app *app, const struct probe_wish *wish);
/* An answer that was waited for has come: whether the test still wants it. */
bool probe_back(struct probe *probe);
void probe_leave(struct probe *probe); /* nobody listens any more: it ends, and does not say so */
/* The present step is over, and went well; the next one begins. */
void probe_pass(struct probe *probe, enum probe_step next, const char *format, ...) ND_PRINTF(3, 4);
struct probe_fault {
	const struct nd_why *why;
	const struct smtp_reply *reply; /* NULL none */
	const char *error;              /* of OAuth; NULL none */
	nd_ms wait;                     /* the other side's wish; 0 none */
};
void probe_fail(struct probe *probe, const struct probe_fault *fault);
void probe_succeed(struct probe *probe, bool proved, const char *format, ...) ND_PRINTF(3, 4);
/* What cannot even begin: the configuration's faults as a test that failed. */
void probe_misconfigured(
    const struct conf_faults *faults, const char *name, enum explain_lang lang, probe_line *tell, void *arg);
/* The configuration's account of that name, or its only one (name NULL); NULL: why. */
const struct conf_account *probe_account(const struct conf *conf, const char *name, struct nd_why *why);

/* probe_token.c */
void probe_secret(struct probe *probe); /* and all that follows */

/* probe_smtp.c */
const char *probe_inspected(const struct probe *probe); /* words that stand before the file of an authority */
/* The file of an authority that somebody added to this host, and that speaks for a public provider; "" none. own: the settings name authorities. */
void probe_inspection(
    const struct conf_account *conf, const struct tls_chain *chain, bool own, char *path, size_t size);
void probe_connect(struct probe *probe);
bool probe_sends(const struct probe *probe); /* a message, not only its envelope */

#endif
