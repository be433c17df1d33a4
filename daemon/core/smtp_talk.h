/* SPDX-License-Identifier: Apache-2.0 */
/* smtp_talk.h - the conversation as a table, for smtp_proto.c alone.  Layer: core.
 *
 * A row tells what a state says and hears; smtp_proto.c moves between them. How a session or a mail ends is here too, for both.
 */
#ifndef ND_CORE_SMTP_TALK_H
#define ND_CORE_SMTP_TALK_H

#include "daemon/core/echo.h"
#include "daemon/core/smtp_auth.h"
#include "daemon/core/smtp_ext.h"
#include "daemon/core/smtp_proto.h"
#include "daemon/core/smtp_stuff.h"

#define SMTP_TALK_CHUNK_MAX 65536u /* of content as one chunk */
#define SMTP_TALK_FLIGHT_RCPTS 50u

enum smtp_state {
	STATE_GREETING,
	STATE_EHLO,
	STATE_STARTTLS,
	STATE_TLS,
	STATE_AUTH,
	STATE_AUTH_MESSAGE,
	STATE_AUTH_REFUSAL,
	STATE_AUTH_PROOF,
	STATE_AUTH_ANSWER,
	STATE_AUTH_VERIFIED,
	STATE_READY,
	STATE_CHECK,
	STATE_FLIGHT,
	STATE_MARK,
	STATE_MAIL,
	STATE_RCPT,
	STATE_DATA,
	STATE_CONTENT,
	STATE_END,
	STATE_CHUNK,
	STATE_BDAT,
	STATE_ECHO,
	STATE_LONE_DOT,
	STATE_RSET,
	STATE_NEXT,
	STATE_QUIT,
	STATE_CLOSED,
	STATE_COUNT
};

/* Whose matter it is when the session breaks: its own (a fault), the mail's (an outcome), or nobody's. */
enum smtp_phase { PHASE_OPENING, PHASE_MAILING, PHASE_IDLING };

struct smtp_row {
	const char *name;
	const char *doing; /* completes "while …" */
	nd_ms patience;    /* RFC 5321 4.5.3.2 where it has one; 0: nothing is awaited */
	void (*say)(struct smtp_proto *proto);
	enum smtp_state (*heard)(struct smtp_proto *proto, const struct smtp_reply *reply);
	enum smtp_stage stage;
	enum smtp_phase phase;
	enum smtp_wish wish;
};

struct smtp_flight { /* a mail that was said before the replies to the one before it came */
	struct smtp_mail mail;
	unsigned used;
	size_t octets; /* from its RSET to the end of its content */
	unsigned replies;
};

struct smtp_proto {
	const struct smtp_settings *settings; /* borrowed */
	enum smtp_state state;
	nd_ms now, deadline, ready_since;
	struct nd_buf in, out;
	bool out_secret;         /* `out` holds, or held, a credential */
	struct echo echo;        /* those that were said */
	bool tls;                /* the session is encrypted */
	bool quitting;           /* QUIT as soon as it is ready */
	bool challenged;         /* all messages of AUTH were said and answered by a challenge */
	unsigned said;           /* messages of AUTH */
	bool reused;             /* it was used, or lay idle, before this mail */
	struct smtp_caps caps;   /* as offered */
	struct smtp_caps usable; /* of them, what this mail and those behind it may use */
	const struct smtp_auth_mech *mech;
	struct smtp_auth_exchange *exchange; /* while it signs in by proof */
	struct smtp_mail mail;               /* borrowed inside */
	unsigned rcpt, accepted, transactions;
	struct smtp_stuff stuff;
	enum smtp_pace pace; /* of this mail */
	unsigned used;       /* what it adds to MAIL and RCPT: a set of SMTP_EXT_BIT */
	enum smtp_ext accused;
	bool ahead;         /* commands are said in groups */
	unsigned owed;      /* replies to commands said ahead, behind the one that is awaited now */
	struct nd_buf body; /* the content, until BDAT can tell its length */
	bool given;         /* the content and its end were said */
	size_t unsent;      /* of what the driver took: octets that never left it */
	bool follower;      /* this mail was said behind another one */
	bool proved;        /* the server has taken a mail since the session last lay idle */
	struct smtp_flight behind[SMTP_WINDOW_MAX - 1]; /* first the oldest */
	unsigned behind_count;
	size_t behind_octets; /* of all of them */
	struct nd_why over;   /* why those behind get no replies any more */
	bool ended;           /* `outcome` waits to be taken */
	bool withheld;        /* `outcome` stands only when the replies still owed refuse too */
	struct smtp_outcome outcome;
	bool faulted;
	struct smtp_fault fault;
};

extern const struct smtp_row smtp_talk_rows[STATE_COUNT];

/* A reply in the sign-in: a credential that it repeats goes no further. */
void smtp_talk_hush(const struct smtp_proto *proto, struct smtp_reply *reply);

/* All return the state that follows. */

/* The session ends by a fault at `stage`. */
enum smtp_state smtp_talk_fault(struct smtp_proto *proto, enum smtp_stage stage, const struct nd_why *why);
/* The mail ends in the present state; `reply` may be NULL. */
enum smtp_state smtp_talk_outcome(
    struct smtp_proto *proto, enum smtp_end end, const struct smtp_reply *reply, enum smtp_state next);
/* The session broke in the present state: a fault, an outcome or nothing. `cut`: by the connection, not by what was said on it. */
enum smtp_state smtp_talk_break(struct smtp_proto *proto, const struct nd_why *why, bool cut);
/* The mail begins. How it is said: what it asks for, as far as the server offers it. */
enum smtp_state smtp_talk_begin(struct smtp_proto *proto);
/* Whether a mail can be one flight on a server that offers what that needs. */
bool smtp_talk_flies(const struct smtp_proto *proto, const struct smtp_mail *mail);
/* MAIL and each RCPT; returns how many commands. `used`: smtp_ext_used. */
unsigned smtp_talk_write_envelope(struct smtp_proto *proto, const struct smtp_mail *mail, unsigned used);
/* BDAT with the content that was gathered. */
void smtp_talk_say_bdat(struct smtp_proto *proto);
/* All octets of the present mail have left. */
bool smtp_talk_left(const struct smtp_proto *proto);
/* The present mail was said on a session that is over now. */
void smtp_talk_orphan(struct smtp_proto *proto);
/* The reply is one that nothing allows here. */
enum smtp_state smtp_talk_nonsense(struct smtp_proto *proto, const struct smtp_reply *reply);

/* The rows of the opening: smtp_talk_open.c. */
void smtp_talk_say_ehlo(struct smtp_proto *proto);
void smtp_talk_say_starttls(struct smtp_proto *proto);
void smtp_talk_say_auth(struct smtp_proto *proto);
void smtp_talk_say_auth_message(struct smtp_proto *proto);
void smtp_talk_say_auth_refusal(struct smtp_proto *proto);
void smtp_talk_say_auth_answer(struct smtp_proto *proto);
void smtp_talk_say_auth_nothing(struct smtp_proto *proto);
enum smtp_state smtp_talk_heard_greeting(struct smtp_proto *proto, const struct smtp_reply *reply);
enum smtp_state smtp_talk_heard_ehlo(struct smtp_proto *proto, const struct smtp_reply *reply);
enum smtp_state smtp_talk_heard_starttls(struct smtp_proto *proto, const struct smtp_reply *reply);
enum smtp_state smtp_talk_heard_auth(struct smtp_proto *proto, const struct smtp_reply *reply);
enum smtp_state smtp_talk_heard_auth_message(struct smtp_proto *proto, const struct smtp_reply *reply);
enum smtp_state smtp_talk_heard_auth_refusal(struct smtp_proto *proto, const struct smtp_reply *reply);
enum smtp_state smtp_talk_heard_auth_answer(struct smtp_proto *proto, const struct smtp_reply *reply);

#endif
