/* SPDX-License-Identifier: Apache-2.0 */
/* limit.h - how much one mailbox may send: by the minute, the day, the reader's hour; and how often it may log in.  Layer: core.  Pure.
 *
 * A mail is counted from before it begins (limit_begin) until a whole span after it ended (limit_end), so no span holds more mails that began than
 * allowed, however long each of them takes.
 *
 * What was sent must outlive a crash: a lease of so many mails and recipients is on disk before they are sent, and whatever of it may have been used
 * counts as used at the next start. So a crash can cost some of the limit, and never exceed it. A lease is renewed when half of it is used, beside
 * the commits that are made anyway, and once a day: records that nobody renews are removed.
 *
 * Time is CLOCK_BOOTTIME, so leaps of the wall clock change nothing. The wall clock has a say only for what an earlier boot left; after a leap the record
 * is written anew. What nobody can see is a clock that leaps ahead while the host is down.
 */
#ifndef ND_CORE_LIMIT_H
#define ND_CORE_LIMIT_H

#include "daemon/core/growth.h"
#include "daemon/core/limit_window.h"

#include <stdbool.h>

#define LIMIT_FRESH ND_DAY(1) /* a lease that is older is written anew, used or not */
#define LIMIT_OLD ND_DAY(2)   /* one that is older may have gone from the disk: nothing is sent by it */
#define LIMIT_RCPTS 1024u     /* whose hour is known one by one; those beyond share one */

struct limit_rules {     /* 0: no limit */
	uint32_t minute; /* mails in 60 s; half of them only for severe ones */
	uint32_t day;    /* mails in 24 h */
	uint32_t rcpts;  /* recipients in 24 h */
	uint32_t rcpt;   /* mails to one recipient in an hour */
};

struct limit_rcpt {
	uint64_t hash; /* of the address */
	unsigned going;
	struct limit_window hour;
	/* The mails that were put off will have gone by then, one after another at the pace of the rule; severe ones (1) do not wait for the others. */
	nd_ms line[2];
};

struct limit {
	char *name;         /* of the mailbox: server and user; owned */
	struct limit *next; /* the engine's */
	unsigned users;     /* accounts */
	struct limit_window minute, ordinary, day, rcpts, logins;
	struct limit_rcpt *rcpt; /* owned array */
	unsigned rcpt_count;
	struct limit_rcpt rest;  /* those beyond LIMIT_RCPTS together */
	struct limit_window any; /* what every recipient may have got, for all that is known */
	nd_ms rcpt_swept;
	uint32_t going, going_ordinary, going_rcpts; /* under way */

	bool known;                /* what an earlier run left was read */
	bool asking;               /* it is being read */
	bool saving;               /* a lease is being written */
	bool closed;               /* the last one was given back */
	bool leapt;                /* the wall clock did: what is on disk names a time that means another one now */
	nd_ms save_after;          /* reading or writing failed: not before */
	uint32_t left, left_rcpts; /* of the lease on disk */
	uint32_t next_left, next_left_rcpts; /* saving: of the one that is written */
	nd_ms kept, next_kept;               /* when the one on disk was written, and the one that is being */

	unsigned open; /* sessions, of all its accounts */
	struct growth growth;
	uint32_t login_refusals; /* in a row */
	nd_ms login_after;
	unsigned crowd, crowd_goal; /* the most sessions for now; 0: as many as are set */
	nd_ms crowd_grows;
	uint32_t rate, rate_goal; /* the most mails in a minute for now; 0: as many as are set */
	nd_ms rate_grows;
};

struct limit *limit_new(const char *name);
void limit_free(struct limit *limit);
bool limit_ruled(const struct limit_rules *rules); /* there is any */

/* -- may it go? -- */

enum limit_why {
	LIMIT_GO,
	LIMIT_LEASE,  /* as soon as a lease is on disk */
	LIMIT_RATE,   /* the server asked for less */
	LIMIT_MINUTE, /* the rules, by their names */
	LIMIT_DAY,
	LIMIT_RCPTS_DAY,
	LIMIT_RCPT_HOUR, /* no answer of limit_ask: it is each recipient's own */
	LIMIT_WHY_COUNT
};
struct limit_word {
	enum limit_why why;
	unsigned rcpts; /* GO: so many of the recipients */
	nd_ms until;    /* else: not before; ND_NEVER: when a mail under way ends */
};
struct limit_word limit_ask(
    struct limit *limit, const struct limit_rules *rules, bool severe, unsigned rcpts, nd_ms now);
/* What each rule leaves to one job now; returns how many rules there are. */
#define LIMIT_RULES 4u
struct limit_left {
	enum limit_why why; /* RATE, MINUTE, DAY, RCPTS_DAY, RCPT_HOUR */
	uint32_t most;
	uint32_t left;       /* messages; RCPTS_DAY: recipients; RCPT_HOUR: to the recipient who may get the fewest */
	nd_ms until;         /* when the job may go, by this rule; ND_NEVER: when a mail under way ends */
	const char *address; /* RCPT_HOUR: that recipient, borrowed; else NULL */
};
struct limit_mail {
	bool severe;
	const char *const *rcpts; /* borrowed */
	unsigned rcpt_count;
};
unsigned limit_left(struct limit *limit, const struct limit_rules *rules, const struct limit_mail *mail, nd_ms now,
    struct limit_left out[LIMIT_RULES]);
const char *limit_why_key(enum limit_why why); /* the setting's name */
/* When the limits of the day have room for so many mails more, of one recipient each; ND_NEVER: not before some end that are under way. */
nd_ms limit_day_when(struct limit *limit, const struct limit_rules *rules, uint64_t mails, nd_ms now);
void limit_begin(struct limit *limit, bool severe, unsigned rcpts);
/* happened: its data may have begun. */
void limit_end(struct limit *limit, bool severe, unsigned rcpts, bool happened, nd_ms now);
/* One recipient: when it may get another one: now, or later; ND_NEVER: when one under way ends. */
nd_ms limit_rcpt_when(struct limit *limit, const struct limit_rules *rules, const char *address, nd_ms now);
/* The same for a mail that is put off now: it stands behind those that were before it. again: it was put off before, and its place was taken. */
nd_ms limit_rcpt_turn(
    struct limit *limit, const struct limit_rules *rules, const char *address, bool severe, bool again, nd_ms now);
void limit_rcpt_begin(struct limit *limit, const char *address, nd_ms now);
void limit_rcpt_end(struct limit *limit, const char *address, bool happened, nd_ms now);
/* When the last of so many ordinary mails to one recipient each will have gone, if all goes well. */
nd_ms limit_through(struct limit *limit, const struct limit_rules *rules, uint64_t mails, nd_ms now);

/* -- on disk -- */

/* Should a lease be written now? rcpts: of the next mail. closing: nothing is sent any more, what is left is given back. */
bool limit_wants(const struct limit *limit, const struct limit_rules *rules, unsigned rcpts, bool closing, nd_ms now);
/* What is to be written; `saving` until limit_saved. boot: an id of this run of the host. */
void limit_write(struct limit *limit, const struct limit_rules *rules, unsigned rcpts, bool closing, const char *boot,
    struct nd_now now, struct json_out *out);
void limit_saved(struct limit *limit, bool well);
void limit_leapt(struct limit *limit); /* the wall clock did */
/* What an earlier run wrote; NULL nothing. false: it cannot be understood: limit_unread. */
bool limit_read(struct limit *limit, const struct json_node *record, const char *boot, struct nd_now now);
/* There was a record, and nobody knows what it said: as much as these rules lease counts as sent just now. */
void limit_unread(struct limit *limit, const struct limit_rules *rules, unsigned rcpts, nd_ms now);

/* -- what the server says -- */

/* Logins: when the next one may be; 0 of a minute: no limit of our own. */
nd_ms limit_login_when(struct limit *limit, uint32_t minute, nd_ms now);
void limit_login_begin(struct limit *limit, nd_ms now);
void limit_login_well(struct limit *limit);
/* "Too many logins": not before the time that is returned, twice as long each time. */
nd_ms limit_login_refused(struct limit *limit, nd_ms at_least, nd_ms now);
/* "Too many sessions", when there were `open` of `max`: fewer for a while. Returns how long to wait, 10 to 60 s by the dice. */
nd_ms limit_crowded(struct limit *limit, unsigned open, unsigned max, uint32_t dice, nd_ms now);
unsigned limit_sessions(struct limit *limit, unsigned max, nd_ms now); /* of `max` so many for now */
/* "Too many messages": half of what went in the last minute, and slowly more again. */
void limit_hurried(struct limit *limit, const struct limit_rules *rules, nd_ms now);
uint32_t limit_rate(struct limit *limit, nd_ms now);        /* the most in a minute for now; 0: as many as are set */
nd_ms limit_deadline(const struct limit *limit, nd_ms now); /* when any of this changes by itself */

#endif
