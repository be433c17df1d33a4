/* SPDX-License-Identifier: Apache-2.0 */
/* smtp_proto.h - our half of an SMTP submission session.  Layer: core.  Pure: octets in, octets out, times passed in.
 *
 * One table of states in the order they happen (smtp_proto.c): say_X writes a command, heard_X reads its reply and RETURNS the next state.
 * The driver (io/smtp_link) moves octets between socket and machine and obeys smtp_proto_wish(). The machine never calls back.
 *
 *   init ─► greeting ─► EHLO ─► STARTTLS ─► (TLS) ─► EHLO ─► AUTH … ─► READY ─► MAIL ─► RCPT × n ─► DATA ─► content ─► end ─► READY
 *                                                                      └─► QUIT ─► CLOSED
 * A session that lay idle for some seconds says RSET before MAIL, and waits for its 250.
 * Commands may be said ahead of their replies (enum smtp_pace); each reply is heard in the state of its own command all the same. And so may whole mails
 * (smtp_proto_ahead): they wait in a row, and when the results of one are out the replies to the next are heard.
 */
#ifndef ND_CORE_SMTP_PROTO_H
#define ND_CORE_SMTP_PROTO_H

#include "common/buf.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/mem.h"
#include "daemon/core/smtp_reply.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SMTP_WINDOW_MAX 16u /* mails of one session whose replies are owed */

enum smtp_security { SMTP_STARTTLS, SMTP_TLS, SMTP_PLAINTEXT };
enum smtp_auth { SMTP_AUTH_NONE, SMTP_AUTH_PASSWORD, SMTP_AUTH_OAUTH };

/* Where a session or a transaction ended: also the words of attempts[].stage in the API. */
enum smtp_stage {
	SMTP_AT_CONNECT,
	SMTP_AT_GREETING,
	SMTP_AT_EHLO,
	SMTP_AT_STARTTLS,
	SMTP_AT_CERTIFICATE,
	SMTP_AT_AUTH,
	SMTP_AT_MAIL,
	SMTP_AT_RCPT,
	SMTP_AT_DATA,
	SMTP_AT_CONTENT,
	SMTP_AT_END,
	SMTP_AT_IDLE,
	SMTP_AT_COUNT
};
const char *smtp_proto_stage_name(enum smtp_stage stage);

struct smtp_settings {               /* borrowed for the life of the session */
	const char *ehlo;            /* our name */
	const char *host;            /* configured name of the server, for messages and OAUTHBEARER */
	enum smtp_security security; /* credentials only after TLS, whatever this says; see loopback */
	bool loopback; /* connected to a loopback address: PLAINTEXT may carry a password (never a token) */
	enum smtp_auth auth;
	const char *mechanism; /* the only one that may be used; NULL: the best that is offered */
	bool bearer;           /* of those for tokens OAUTHBEARER is the better one: who documents XOAUTH2 wants that */
	bool no_initial;       /* the message waits for its challenge, also when it would fit with the command */
	const char *user;
	const struct nd_secret *secret; /* password or access token; read while AUTH is said, never kept */
	const char *nonce;              /* random and printable, without commas: for SCRAM */
};

/* What only cryptography can answer, with the password (RFC 7677, RFC 2195). Borrowed from the machine. */
enum smtp_ask { SMTP_ASK_SCRAM_SHA256, SMTP_ASK_CRAM_MD5 };
struct smtp_question {
	enum smtp_ask kind;
	const uint8_t *salt; /* SCRAM */
	size_t salt_len;
	unsigned iterations;
	const char *text; /* SCRAM: the AuthMessage; CRAM-MD5: the challenge */
	size_t text_len;
};
struct smtp_answer {
	uint8_t proof[32];  /* SCRAM: ClientProof; CRAM-MD5: the first 16 are the digest */
	uint8_t server[32]; /* SCRAM: ServerSignature */
};

/* How a mail is said; what the server does not offer, or the mail is too large for, is said more plainly. */
enum smtp_pace {
	SMTP_STEPWISE,  /* one command, one reply; DATA */
	SMTP_GROUPED,   /* MAIL, RCPT and DATA in one write; then the content (RFC 2920) */
	SMTP_CHUNKED,   /* MAIL and RCPT in one write; then BDAT with the content (RFC 3030), up to 64 KiB */
	SMTP_ONE_FLIGHT /* all of it in one write */
};

/* What of the protocol a mail may make use of: smtp_ext.h. In the order in which they are blamed. */
enum smtp_ext {
	SMTP_EXT_NONE,
	SMTP_EXT_WINDOW, /* several mails at once */
	SMTP_EXT_FLIGHT,
	SMTP_EXT_CHUNKING,
	SMTP_EXT_PIPELINING,
	SMTP_EXT_DSN,
	SMTP_EXT_SIZE,
	SMTP_EXT_8BITMIME,
	SMTP_EXT_SMTPUTF8,
	SMTP_EXT_REQUIRETLS, /* never done without */
	SMTP_EXT_COUNT
};

struct smtp_rcpt_result {
	bool asked;  /* RCPT was said and answered, or refused by our own check (reply.lines is 0) */
	bool misfit; /* `reply` refuses what was added to RCPT, not the recipient */
	struct smtp_reply reply;
};

/* One transaction. The content is fed piecewise by the driver (smtp_proto_content). All borrowed until the result is out. */
struct smtp_mail {
	const char *from;   /* MAIL FROM address; "" for <> */
	const char *author; /* the address of the header's From, which must be sayable too; NULL: not looked at */
	const char *const *rcpts;
	unsigned rcpt_count;
	struct smtp_rcpt_result *results; /* rcpt_count of them, filled by the machine */
	uint64_t size;                    /* octets of the content, dot-stuffing not counted (RFC 1870) */
	enum smtp_pace pace;              /* at most */
	uint64_t too_big;                 /* the server refused a message of so many octets; 0 it did not */
	bool utf8;                        /* the header holds addresses in UTF-8 (RFC 6532) */
	unsigned without;  /* a set of SMTP_EXT_BIT: what the server offers and is not asked all the same */
	const char *envid; /* what a failure report shall name (RFC 3461); NULL: none is asked for */
	bool require_tls;  /* whoever passes it on, too (RFC 8689) */
	bool eight;        /* the content may hold octets above 0x7f (RFC 6152) */
	bool
	    trial; /* behind the recipients comes RSET: nothing is sent, and it ends as ENDED_RCPTS whatever they were told; SMTP_STEPWISE only */
};

/* Delivered is who has a 2xx of his own, when `end` is REPLY, `stage` END and `reply` 2xx. In any other outcome an accepted RCPT counts for nothing.
 * A 421 to RCPT ends all: REPLY at RCPT with that 421; recipients after it are not asked. */
enum smtp_end {
	SMTP_ENDED_REPLY, /* `reply` ended the transaction: 250 to the content, or a refusal at `stage` */
	SMTP_ENDED_RCPTS, /* every recipient was refused; reply unused */
	SMTP_ENDED_LOST   /* connection lost, timeout or protocol error: `why` */
};
struct smtp_outcome { /* of one transaction */
	enum smtp_end end;
	enum smtp_stage stage;
	struct smtp_reply reply;
	struct nd_why why;
	bool uncertain; /* lost after the last octet of the content was handed over and before its reply */
	bool local;     /* the driver's own trouble before anything was said: no fault of relay or account */
	bool unharmed;  /* lost on a reused session before the content was complete: not counted the first time */
	bool stale;     /* lost before anything of the mail was said: the session had died while it lay idle */
	bool misfit;    /* `reply` refuses the way it was said, not the mail: nothing was taken, say it more plainly */
	enum smtp_ext accused; /* what was refused though it is offered, by `reply` or by that to a recipient */
	bool company;          /* replies to another mail were owed as well */
	enum smtp_pace pace;   /* how it was said */
};
struct smtp_fault { /* of a session: why it never became ready, or ended */
	enum smtp_stage stage;
	struct smtp_reply reply; /* code 0: no reply; then why */
	struct nd_why why;
	bool token_refused;  /* AUTH with a token was answered 5xx (535 or after 334 + JSON) */
	char challenge[256]; /* decoded JSON of XOAUTH2's 334, printable; "" none */
};

enum smtp_wish {
	SMTP_WISH_READ, /* feed smtp_proto_input */
	SMTP_WISH_TLS, /* start TLS now; then smtp_proto_tls_up. Plaintext left in the driver's buffer: smtp_proto_tls_injected */
	SMTP_WISH_PROOF,   /* answer smtp_proto_question by smtp_proto_answer */
	SMTP_WISH_CONTENT, /* feed smtp_proto_content */
	SMTP_WISH_MAIL,    /* ready: smtp_proto_mail or smtp_proto_quit; input is still watched */
	SMTP_WISH_RESULT,  /* a transaction ended: smtp_proto_result, then ask again */
	SMTP_WISH_CLOSE    /* over: close; smtp_proto_fault says why. NULL: after our QUIT, told to go while idle, or an
			      outcome has told */
};

struct smtp_proto;
struct smtp_proto *smtp_proto_new(
    const struct smtp_settings *settings, nd_ms now); /* after the TCP connection stands; with SMTP_TLS after TLS */
void smtp_proto_free(struct smtp_proto *proto);

/* Inputs. Octets are consumed at once; nothing is kept of them across STARTTLS. */
void smtp_proto_input(struct smtp_proto *proto, const char *octets, size_t len, nd_ms now);
void smtp_proto_lost(struct smtp_proto *proto, const struct nd_why *why,
    nd_ms now);                                            /* EOF, reset, TLS failure (before tls_up: at CERTIFICATE) */
void smtp_proto_late(struct smtp_proto *proto, nd_ms now); /* the deadline has passed */
void smtp_proto_tls_up(struct smtp_proto *proto, nd_ms now);
void smtp_proto_tls_injected(struct smtp_proto *proto, nd_ms now); /* octets came behind the 220 to STARTTLS */
/* answer NULL: there can be none, `why` says why. */
void smtp_proto_answer(struct smtp_proto *proto, const struct smtp_answer *answer, const struct nd_why *why, nd_ms now);
void smtp_proto_mail(struct smtp_proto *proto, const struct smtp_mail *mail, nd_ms now);
/* Content, dot-stuffed here (RFC 5321 4.5.2); last: the end of data follows. The driver notes the job as in flight BEFORE it says last. */
void smtp_proto_content(struct smtp_proto *proto, const char *octets, size_t len, bool last, nd_ms now);
/* So many octets at the end of the output that was taken have not left yet. Told before `lost`, `late` and input: a mail of which something is among
 * them cannot have been taken by the server. */
void smtp_proto_unsent(struct smtp_proto *proto, size_t octets);
/* Whether this mail may be said now, behind those whose replies are owed: in one flight, on a session that has just taken a mail. `mail` may be
 * NULL: any such mail. */
bool smtp_proto_room(const struct smtp_proto *proto, const struct smtp_mail *mail);
/* Says it, all at once, when there is room for it. The outcomes come in the same order. The driver notes the job as in flight BEFORE. */
void smtp_proto_ahead(
    struct smtp_proto *proto, const struct smtp_mail *mail, const char *content, size_t len, nd_ms now);
void smtp_proto_quit(struct smtp_proto *proto, nd_ms now);

/* Questions. */
enum smtp_wish smtp_proto_wish(const struct smtp_proto *proto);
nd_ms smtp_proto_deadline(const struct smtp_proto *proto); /* ND_NEVER when nothing is awaited */
struct nd_buf *smtp_proto_output(struct smtp_proto *proto,
    bool *secret); /* octets to write; the driver drops what it took. secret: wipe, never trace */
/* The output waits for the end of the content, to leave with it in one write: it is not taken yet. */
bool smtp_proto_holds(const struct smtp_proto *proto);
/* The content of this mail goes behind BDAT. */
bool smtp_proto_chunks(const struct smtp_proto *proto);
void smtp_proto_result(struct smtp_proto *proto, struct smtp_outcome *out);
const struct smtp_question *smtp_proto_question(const struct smtp_proto *proto);
const struct smtp_fault *smtp_proto_fault(const struct smtp_proto *proto);
const struct smtp_caps *smtp_proto_caps(const struct smtp_proto *proto);
enum smtp_stage smtp_proto_stage(const struct smtp_proto *proto); /* what is awaited now */
const char *smtp_proto_doing(const struct smtp_proto *proto);     /* "naming a recipient" */

#endif
