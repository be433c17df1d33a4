/* SPDX-License-Identifier: Apache-2.0 */
/* job.c - what a job is: its states, its names, its facts.  Layer: common, words.  Pure. */
#include "common/job.h"

#include <stdlib.h>
#include <string.h>

struct state_row {
	const char *name, *words;
	bool final;
	unsigned to;
};

#define JOB_TO(state) (1u << JOB_##state)
static const struct state_row states[JOB_STATE_COUNT] = {
#define JOB_STATE(symbol, name, words, final, to) [symbol] = { name, words, final, to },
#include "common/job.def"
#undef JOB_STATE
};
#undef JOB_TO

struct action_row {
	const char *name;
	unsigned in;
	enum job_state to;
};

#define JOB_IN(state) (1u << JOB_##state)
static const struct action_row actions[JOB_ACTION_COUNT] = {
#define JOB_ACTION(symbol, name, in, to, words) [symbol] = { name, in, to },
#include "common/job.def"
#undef JOB_ACTION
};
#undef JOB_IN

static const char *const rcpt_states[RCPT_STATE_COUNT] = {
#define RCPT_STATE(symbol, name) [symbol] = (name),
#include "common/job.def"
#undef RCPT_STATE
};

static const char *const severities[JOB_SEVERITY_COUNT] = {
#define JOB_SEVERITY(symbol, name) [symbol] = (name),
#include "common/job.def"
#undef JOB_SEVERITY
};

static const char *const field_names[] = {
#define JOB_FIELD(name, words) name,
#include "common/job.def"
#undef JOB_FIELD
	NULL,
};

static const char *const field_words[] = {
#define JOB_FIELD(name, words) words,
#include "common/job.def"
#undef JOB_FIELD
};

/* What notifyd writes itself, what relays add, and what would change the message's form; '*' ends a start. */
static const char *const reserved[] = {
	"From",
	"Sender",
	"Reply-To",
	"To",
	"Cc",
	"Bcc",
	"Subject",
	"Date",
	"Message-ID",
	"MIME-Version",
	"Content-*",
	"Received",
	"Received-SPF",
	"Return-Path",
	"Delivered-To",
	"Auto-Submitted",
	"Authentication-Results",
	"DKIM-*",
	"DomainKey-*",
	"ARC-*",
	"Resent-*",
	"X-Original-From",
	"X-Notifyd-*",
	NULL,
};

const char *
job_state_name(enum job_state state)
{
	return (unsigned)state < JOB_STATE_COUNT ? states[state].name : "?";
}

const char *
job_state_words(enum job_state state)
{
	return (unsigned)state < JOB_STATE_COUNT ? states[state].words : "?";
}

bool
job_state_named(const char *name, enum job_state *out)
{
	for (unsigned i = 0; i < JOB_STATE_COUNT; i++) {
		if (nd_str_eq_nocase(name, states[i].name)) {
			*out = (enum job_state)i;
			return true;
		}
	}
	return false;
}

bool
job_state_final(enum job_state state)
{
	return (unsigned)state < JOB_STATE_COUNT && states[state].final;
}

bool
job_may_move(enum job_state from, enum job_state to)
{
	if ((unsigned)from >= JOB_STATE_COUNT || (unsigned)to >= JOB_STATE_COUNT)
		return false;
	return from == to || (states[from].to & 1u << to) != 0;
}

const char *
job_action_name(enum job_action action)
{
	return actions[action].name;
}

bool
job_action_fits(enum job_action action, enum job_state state)
{
	return (actions[action].in & (1u << state)) != 0;
}

enum job_state
job_action_leads_to(enum job_action action)
{
	return actions[action].to;
}

const char *
job_rcpt_state_name(enum rcpt_state state)
{
	return (unsigned)state < RCPT_STATE_COUNT ? rcpt_states[state] : "?";
}

const char *
job_severity_name(enum job_severity severity)
{
	return (unsigned)severity < JOB_SEVERITY_COUNT ? severities[severity] : "?";
}

bool
job_severity_named(const char *name, enum job_severity *out)
{
	for (unsigned i = 0; i < JOB_SEVERITY_COUNT; i++) {
		if (nd_str_eq_nocase(name, severities[i])) {
			*out = (enum job_severity)i;
			return true;
		}
	}
	return false;
}

const char *const *
job_field_names(void)
{
	return field_names;
}

const char *
job_field_words(const char *name)
{
	for (size_t i = 0; field_names[i] != NULL; i++) {
		if (strcmp(name, field_names[i]) == 0)
			return field_words[i];
	}
	return NULL;
}

bool
job_header_reserved(const char *name)
{
	for (size_t i = 0; reserved[i] != NULL; i++) {
		if (nd_str_match(reserved[i], name))
			return true;
	}
	return false;
}

void
job_draft_done(struct job_draft *draft)
{
	if (draft == NULL)
		return;
	for (unsigned i = 0; i < draft->rcpt_count; i++)
		nd_mailbox_done(&draft->rcpts[i].box);
	free(draft->rcpts);
	nd_mailbox_done(&draft->reply_to);
	nd_mailbox_done(&draft->from);
	free(draft->labels);
	free(draft->links);
	free(draft->headers);
	free(draft->attachments);
	json_done(&draft->tree);
	*draft = (struct job_draft){ .rcpts = NULL };
}

/* --- facts --- */

#define MAILBOX_TEXT_MAX 8192u

/* "Name <address>", the name in quotes where the grammar asks for them: job_check reads it again. */
static void
put_mailbox(struct json_out *out, const char *key, const struct nd_mailbox *box)
{
	bool quotes = box->name != NULL && strpbrk(box->name, "()<>[]:;@\\,.\"") != NULL;
	struct nd_buf text;

	if (box->address == NULL)
		return;
	if (box->name == NULL) {
		json_out_text(out, key, box->address);
		return;
	}
	nd_buf_init(&text, MAILBOX_TEXT_MAX);
	if (quotes)
		(void)nd_buf_addc(&text, '"');
	for (const char *p = box->name; *p != '\0'; p++) {
		if (*p == '"' || *p == '\\')
			(void)nd_buf_addc(&text, '\\');
		(void)nd_buf_addc(&text, *p);
	}
	(void)nd_buf_addf(&text, "%s <%s>", quotes ? "\"" : "", box->address);
	json_out_text(out, key, nd_buf_text(&text));
	nd_buf_done(&text);
}

static void
put_labels(struct json_out *out, const struct job_draft *draft)
{
	if (draft->label_count > 0) {
		json_out_object(out, "labels");
		for (unsigned i = 0; i < draft->label_count; i++)
			json_out_text(out, draft->labels[i].name, draft->labels[i].value);
		json_out_object_end(out);
	}
}

static void
put_lists(struct json_out *out, const struct job_draft *draft)
{
	if (draft->link_count > 0) {
		json_out_array(out, "links");
		for (unsigned i = 0; i < draft->link_count; i++) {
			json_out_object(out, NULL);
			json_out_text(out, "title", draft->links[i].name);
			json_out_text(out, "url", draft->links[i].value);
			json_out_object_end(out);
		}
		json_out_array_end(out);
	}
	if (draft->attachment_count > 0) {
		json_out_array(out, "attachments");
		for (unsigned i = 0; i < draft->attachment_count; i++) {
			const struct job_attachment *part = &draft->attachments[i];

			json_out_object(out, NULL);
			json_out_text(out, "name", part->name);
			json_out_text(out, "type", part->type);
			json_out_int(out, "size", (int64_t)part->size);
			json_out_object_end(out);
		}
		json_out_array_end(out);
	}
}

void
job_facts(const struct job_draft *draft, const char *subject, struct nd_buf *out)
{
	struct json_out json;

	json_out_init(&json, out);
	json_out_object(&json, NULL);
	if (!draft->sensitive)
		json_out_text(&json, "subject", subject);
	put_mailbox(&json, "from", &draft->from);
	put_mailbox(&json, "reply_to", &draft->reply_to);
	put_labels(&json, draft);
	if (!draft->sensitive)
		put_lists(&json, draft);
	json_out_text(&json, "client_ref", draft->client_ref);
	if (draft->require_tls)
		json_out_bool(&json, "require_tls", true);
	json_out_object_end(&json);
}
