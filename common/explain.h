/* SPDX-License-Identifier: Apache-2.0 */
/* explain.h - a failure's text => what it means, what to do, how long to wait.  Layer: common, words.  Pure.
 *
 * One table, written in share/explanations (its head says how) and built into both programs. A newer file of the same name in
 * /usr/share/notifyd stands in for it, and the files of /etc/notifyd/explain.d change it row by row; whoever may read files hands
 * their texts over. The rows that fit a text come in the order of the table: what says more stands before what says less.
 */
#ifndef ND_COMMON_EXPLAIN_H
#define ND_COMMON_EXPLAIN_H

#include "common/buf.h"
#include "common/clock.h"
#include "common/err.h"

#include <stdbool.h>

enum explain_lang { EXPLAIN_EN, EXPLAIN_JA, EXPLAIN_LANG_COUNT };

#define EXPLAIN_CLASSES(X)                                                                                             \
	X(CONFIG, "config")                                                                                            \
	X(CREDENTIAL, "credential")                                                                                    \
	X(CONSENT, "consent")                                                                                          \
	X(PERMISSION, "permission")                                                                                    \
	X(POLICY, "policy")                                                                                            \
	X(THROTTLE, "throttle")                                                                                        \
	X(QUOTA, "quota")                                                                                              \
	X(CONTENT, "content")                                                                                          \
	X(RECIPIENT, "recipient")                                                                                      \
	X(NETWORK, "network")                                                                                          \
	X(TLS, "tls")                                                                                                  \
	X(DNS, "dns")                                                                                                  \
	X(RELAY, "relay")                                                                                              \
	X(CLOCK, "clock")
enum explain_class {
	EXPLAIN_NO_CLASS,
#define X(symbol, name) EXPLAIN_##symbol,
	EXPLAIN_CLASSES(X)
#undef X
	    EXPLAIN_CLASS_COUNT
};

/* A refused token says more about a reply: the reply is about signing in, the right on the mailbox, or the sender. */
enum explain_token { EXPLAIN_NO_TOKEN, EXPLAIN_LOGIN, EXPLAIN_MAILBOX, EXPLAIN_SENDER };

#define EXPLAIN_LIST 32u        /* values of one list */
#define EXPLAIN_ROWS 2000u      /* of a table */
#define EXPLAIN_LINE 2000u      /* octets of a line */
#define EXPLAIN_TEXT 8192u      /* octets of a text that are looked at */
#define EXPLAIN_FOUND 8u        /* rows that are told at most */
#define EXPLAIN_FILE (1u << 20) /* octets of a file */

struct explain_list {
	char **items; /* owned array, borrowed texts */
	unsigned count;
};
/* All texts belong to the table; "" = none. */
struct explain_row {
	const char *id;
	struct explain_list match, example, command;
	const char *provider; /* family: microsoft google ses; "" any */
	enum explain_class class;
	nd_ms wait; /* another try before makes no sense; 0 none */
	enum explain_token token;
	bool spreads; /* after a change it means at first that the change has not spread yet */
	const char *cause[EXPLAIN_LANG_COUNT], *remedy[EXPLAIN_LANG_COUNT];
	const char *source;
	unsigned line;  /* of the section that named it first */
	unsigned renew; /* lists that the section being read begins anew, as bits */
};

/* A fault in a file: a warning, never more. line 0: the whole file. */
typedef void explain_tell(void *arg, const char *file, unsigned line, const char *fault);
struct explain_ear {
	explain_tell *tell; /* NULL: nobody listens */
	void *arg;
};

struct explain_table;
/* The built-in table; `text` takes its place when it is one of the same format that is not older. text NULL: none was found. */
struct explain_table *explain_new(const char *file, const char *text, size_t len, const struct explain_ear *ear);
/* One file of explain.d: rows of a known id are changed key by key, new ones stand before all others. */
void explain_change(
    struct explain_table *table, const char *file, const char *text, size_t len, const struct explain_ear *ear);
/* After all files: takes out the rows that say too little. */
void explain_finish(struct explain_table *table, const struct explain_ear *ear);
void explain_free(struct explain_table *table);
unsigned explain_revision(const struct explain_table *table);
const struct explain_row *explain_nth(const struct explain_table *table, unsigned n); /* NULL past the end */

/* What is known of the account concerned; NULL or "" = not known. */
struct explain_facts {
	const char *provider; /* as in notifyd.conf */
	const char *account, *user, *tenant, *client_id, *host, *from, *redirect_uri;
	const char *object_id, *person, *audience,
	    *rights; /* by the access token: of an application; of a person; both */
};
/* The rows that fit, at most EXPLAIN_FOUND; those of another provider than the account's are left out. */
unsigned explain_find(const struct explain_table *table, const char *text, const struct explain_facts *facts,
    const struct explain_row *found[EXPLAIN_FOUND]);
/* Words with {account} and the like filled in: by the facts, else by ACCOUNT and the like. */
void explain_fill(const char *words, const struct explain_facts *facts, struct nd_buf *out);
/* {"lang","revision","matches":[{"id","class","cause","remedy","commands","wait_seconds","provider","source","token"}]}, one line.
 * first: by what the account's token says, before all others and marked so; NULL none. */
void explain_json(const struct explain_table *table, const char *text, const struct explain_row *first,
    const struct explain_facts *facts, enum explain_lang lang, struct nd_buf *out);

/* "ja", "ja_JP.UTF-8", "ja-JP;q=1, en" are Japanese, all else English. NULL is English. */
enum explain_lang explain_lang_of(const char *name);
/* By the locale, whose variables `get` tells (getenv). */
enum explain_lang explain_lang_here(char *(*get)(const char *name));
const char *explain_lang_name(enum explain_lang lang);
/* Of two texts the one in this language. As formats both are held against what they print. */
const char *explain_say(enum explain_lang lang, const char *en, const char *ja) ND_FORMATS(2, 3);
const char *explain_class_name(enum explain_class class);
const char *explain_cause(const struct explain_row *row, enum explain_lang lang); /* English where there is no other */
const char *explain_remedy(const struct explain_row *row, enum explain_lang lang);

/* The table that hints are taken from: the built-in one until another is given, which is owned from then on. NULL: the built-in one. */
void explain_use(struct explain_table *table);
const struct explain_table *explain_used(void);
/* The row's remedy, its commands behind it. */
void explain_cure(
    const struct explain_row *row, const struct explain_facts *facts, enum explain_lang lang, struct nd_buf *out);
/* The remedy of the first row that fits, commands behind it. false: nothing is known, `out` is as it was. */
bool explain_hint(const char *text, const struct explain_facts *facts, enum explain_lang lang, struct nd_buf *out);

#endif
