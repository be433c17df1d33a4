/* SPDX-License-Identifier: Apache-2.0 */
/* job.h - what a job is: its states, and a submission checked.  Layer: common, words.  Pure. */
#ifndef ND_COMMON_JOB_H
#define ND_COMMON_JOB_H

#include "common/clock.h"
#include "common/err.h"
#include "common/json.h"
#include "common/str.h"

#include <stdbool.h>

enum job_state {
#define JOB_STATE(symbol, name, words, final, to) symbol,
#include "common/job.def"
#undef JOB_STATE
	JOB_STATE_COUNT
};
enum rcpt_state {
#define RCPT_STATE(symbol, name) symbol,
#include "common/job.def"
#undef RCPT_STATE
	RCPT_STATE_COUNT
};
enum job_severity {
#define JOB_SEVERITY(symbol, name) symbol,
#include "common/job.def"
#undef JOB_SEVERITY
	JOB_SEVERITY_COUNT
};
enum job_action {
#define JOB_ACTION(symbol, name, in, to, words) symbol,
#include "common/job.def"
#undef JOB_ACTION
	JOB_ACTION_COUNT
};
enum job_rcpt_kind { JOB_TO_RCPT, JOB_CC_RCPT, JOB_BCC_RCPT };

#define JOB_MAX_OCTETS 36700160u /* of the request */
#define JOB_MAX_RCPTS 1000u
#define JOB_MAX_ATTACHMENTS 100u
#define JOB_MAX_LABELS 64u
#define JOB_MAX_SUBJECT 998u /* octets */

const char *job_state_name(enum job_state state);
const char *job_state_words(enum job_state state);
bool job_state_named(const char *name, enum job_state *out);
bool job_state_final(enum job_state state);
bool job_may_move(enum job_state from, enum job_state to); /* the table's word; staying is allowed */
const char *job_action_name(enum job_action action);
bool job_action_fits(enum job_action action, enum job_state state); /* the table's word */
enum job_state job_action_leads_to(enum job_action action);
const char *job_rcpt_state_name(enum rcpt_state state);
const char *job_severity_name(enum job_severity severity);
bool job_severity_named(const char *name, enum job_severity *out);
/* The field names, NULL-terminated, and the sentence of one (NULL: no such field). */
const char *const *job_field_names(void);
const char *job_field_words(const char *name);

struct job_rcpt {
	enum job_rcpt_kind kind;
	struct nd_mailbox box;
};

struct job_attachment {
	const char *name, *type; /* type NULL: application/octet-stream */
	const char *content;     /* base64 as given, checked; white space may stand between its digits */
	size_t content_len;
	bool inline_part;
	size_t size; /* of what the content stands for */
};

struct job_pair { /* a label, a header or a link (title, url) */
	const char *name, *value;
};

/* A submission, checked but not yet resolved: no account, no defaults that need the configuration.
 * Strings are borrowed from `tree`, which the draft owns. */
struct job_draft {
	struct json_tree tree;
	struct job_rcpt *rcpts; /* to, cc, bcc in order; the same address only once (first wins) */
	unsigned rcpt_count;
	struct nd_mailbox reply_to, from; /* address NULL: not given */
	const char *subject;              /* NULL: not given (mime makes it from the text) */
	const char *text, *html;          /* NULL: not given; at least one of the three is */
	size_t text_len, html_len;
	enum job_severity severity;
	bool resolved, sensitive, require_tls;
	const char *source, *key, *account, *client_ref, *idempotency_key;
	struct job_pair *labels, *links, *headers;
	unsigned label_count, link_count, header_count;
	struct job_attachment *attachments;
	unsigned attachment_count;
	nd_unix event_time, not_before; /* 0: not given */
	nd_ms expires_in;               /* 0: not given */
};

/* Checks one value of JSON as a job (design.md 4). A member that is null counts as not given. On success the draft owns what it needs of the tree (`*tree` is emptied).
 * `tree` NULL: the tree stays with the caller and must outlive the draft (several jobs in one array).
 * Errors name the field ("attachments[2].content") in why->field: ND_ESYNTAX wrong type, ND_EUNKNOWN with the nearest field in the hint,
 * ND_EINVALID, ND_ETOOBIG, ND_ENOGROUP for "@name". CR, LF, NUL and control characters in any header value, address or name are refused. */
enum nd_err job_check(
    struct job_draft *draft, struct json_tree *tree, const struct json_node *value, struct nd_why *why) ND_MUST_CHECK;
void job_draft_done(struct job_draft *draft);
/* The header names that `headers` may not set (design.md 4): From To Date Message-ID Received Content-* DKIM-* … */
bool job_header_reserved(const char *name);
/* The facts of a draft that nothing decides by (subject, from, reply_to, labels, links, attachment names and sizes, client_ref) as one JSON object,
 * the API's names. Of a sensitive one nothing that belongs to its message: no subject, links, attachments. */
void job_facts(const struct job_draft *draft, const char *subject, struct nd_buf *out);

#endif
