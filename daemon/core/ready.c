/* SPDX-License-Identifier: Apache-2.0 */
/* ready.c - a message that somebody else composed => a job.  Layer: core.  Pure. */
#include "daemon/core/ready.h"

#include "common/job.h"
#include "common/mem.h"
#include "common/stamp.h"
#include "common/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const ready_fields[] = { "from", "to", "t", "severity", "status", "source", "key", "account", "labels",
	"idempotency_key", "sensitive", "require_tls", NULL };

struct cursor {
	const char *at, *end;
	unsigned line; /* of the last one read */
};

/* A field with its folded lines. */
struct field {
	const char *name, *value; /* value: after the colon */
	size_t name_len, value_len;
};

/* Fields that are not passed on. */
static const char *const dropped[] = { "From", "Sender", "Bcc", "Resent-Bcc", "Return-Path", NULL };

/* The next line without its end: LF, CRLF or a CR alone, so that nobody who splits otherwise finds another header. */
static bool
next_line(struct cursor *cursor, const char **line, size_t *len)
{
	const char *stop = cursor->at;

	if (stop >= cursor->end)
		return false;
	while (stop < cursor->end && *stop != '\n' && *stop != '\r')
		stop++;
	*line = cursor->at;
	*len = (size_t)(stop - cursor->at);
	cursor->line++;
	if (stop + 1 < cursor->end && stop[0] == '\r' && stop[1] == '\n')
		stop++;
	cursor->at = stop < cursor->end ? stop + 1 : cursor->end;
	return true;
}

static bool
is_folded(const struct cursor *cursor)
{
	return cursor->at < cursor->end && (*cursor->at == ' ' || *cursor->at == '\t');
}

static struct cursor
begin(const struct ready *ready)
{
	struct cursor cursor = { ready->octets, ready->octets + ready->len, 0 };
	const char *line;
	size_t len;

	/* How mailboxes (mbox) separate messages. */
	if (ready->len > 5 && memcmp(ready->octets, "From ", 5) == 0)
		(void)next_line(&cursor, &line, &len);
	return cursor;
}

static bool
is_name(const char *name, size_t len)
{
	return len > 0 && nd_str_ascii(name, len) && memchr(name, ' ', len) == NULL;
}

/* The next field; false at the end of the header: the body begins at the cursor. */
static bool
next_field(struct cursor *cursor, struct field *field, struct nd_why *why)
{
	const char *line, *colon;
	size_t len;

	if (!next_line(cursor, &line, &len) || len == 0)
		return false;
	colon = memchr(line, ':', len);
	field->name = line;
	field->name_len = colon != NULL ? (size_t)(colon - line) : 0;
	while (field->name_len > 0 && (line[field->name_len - 1] == ' ' || line[field->name_len - 1] == '\t'))
		field->name_len--; /* obsolete, and still met */
	if (colon == NULL || !is_name(line, field->name_len)) {
		(void)nd_fail(why, ND_EINVALID, 0, "line %u of the message is not a header field", cursor->line);
		(void)nd_fail_at(
		    why, NULL, cursor->line, "a message is its header (Subject: ...), an empty line, then the text");
		field->name_len = 0;
		return false;
	}
	field->value = colon + 1;
	field->value_len = (size_t)(line + len - field->value);
	while (is_folded(cursor)) {
		(void)next_line(cursor, &line, &len);
		field->value_len = (size_t)(line + len - field->value);
	}
	return true;
}

static bool
is(const struct field *field, const char *name)
{
	return strlen(name) == field->name_len && nd_str_starts_nocase(field->name, name);
}

/* The value on one line, trimmed; owned. */
static char *
unfold(const struct field *field)
{
	char *text = nd_xalloc(field->value_len + 1), *to = text;
	size_t from = 0;

	for (size_t i = 0; i < field->value_len; i++) {
		char c = field->value[i];

		if (c != '\r' && c != '\n')
			*to++ = c == '\t' ? ' ' : c;
	}
	while (to > text && to[-1] == ' ')
		to--;
	*to = '\0';
	while (text[from] == ' ')
		from++;
	memmove(text, text + from, (size_t)(to - text) - from + 1);
	return text;
}

/* --- looking --- */

static void
keep_first(char **slot, const struct field *field)
{
	if (*slot == NULL)
		*slot = unfold(field);
	if ((*slot)[0] == '\0') {
		free(*slot);
		*slot = NULL;
	}
}

static void
note(struct ready *ready, const struct field *field)
{
	if (is(field, "From"))
		keep_first(&ready->from, field);
	else if (is(field, "Subject"))
		keep_first(&ready->subject, field);
	ready->has_reply_to = ready->has_reply_to || is(field, "Reply-To");
	ready->has_date = ready->has_date || is(field, "Date");
	ready->has_message_id = ready->has_message_id || is(field, "Message-ID");
	ready->has_mime_version = ready->has_mime_version || is(field, "MIME-Version");
	ready->has_reader = ready->has_reader || is(field, "To") || is(field, "Cc");
}

static enum nd_err
check_lines(const struct ready *ready, struct nd_why *why)
{
	struct cursor cursor = { ready->octets, ready->octets + ready->len, 0 };
	const char *line;
	size_t len;

	if (ready->len == 0)
		return nd_fail(why, ND_EINVALID, 0, "the message is empty");
	while (next_line(&cursor, &line, &len)) {
		if (len <= READY_LINE_MAX && memchr(line, '\0', len) == NULL)
			continue;
		if (len <= READY_LINE_MAX)
			(void)nd_fail(why, ND_EINVALID, 0,
			    "line %u of the message holds a NUL, which no mail can carry", cursor.line);
		else
			(void)nd_fail(why, ND_EINVALID, 0,
			    "line %u of the message has %zu octets; a mail's line has at most %u", cursor.line, len,
			    READY_LINE_MAX);
		return nd_fail_at(
		    why, NULL, cursor.line, "encode it: Content-Transfer-Encoding quoted-printable or base64");
	}
	return ND_OK;
}

enum nd_err
ready_read(struct ready *ready, const char *octets, size_t len, struct nd_why *why)
{
	struct ready seen = { .octets = octets, .len = len };
	struct nd_why own = { .err = ND_OK };
	struct cursor cursor;
	struct field field;
	enum nd_err err = check_lines(&seen, why);

	if (err != ND_OK)
		return err;
	for (cursor = begin(&seen); next_field(&cursor, &field, &own);)
		note(&seen, &field);
	if (own.err != ND_OK) {
		ready_done(&seen);
		if (why != NULL)
			*why = own;
		return own.err;
	}
	*ready = seen;
	return ND_OK;
}

void
ready_done(struct ready *ready)
{
	free(ready->from);
	free(ready->subject);
	*ready = (struct ready){ .octets = NULL };
}

/* --- writing --- */

static bool
is_dropped(const struct field *field)
{
	for (const char *const *name = dropped; *name != NULL; name++)
		if (is(field, *name))
			return true;
	return false;
}

static void
write_lines(struct nd_buf *out, const char *octets, size_t len)
{
	struct cursor cursor = { octets, octets + len, 0 };
	const char *line;

	while (next_line(&cursor, &line, &len) && !out->failed) {
		(void)nd_buf_add(out, line, len);
		(void)nd_buf_add(out, "\r\n", 2);
		nd_buf_pass(out, 0);
	}
}

static void
write_missing(const struct ready *ready, const char *id, nd_unix created, const char *hostname, struct nd_buf *out)
{
	char stamp[ND_STAMP_SIZE];

	if (!ready->has_date)
		(void)nd_buf_addf(out, "Date: %s\r\n", nd_stamp_rfc5322(created, stamp));
	if (!ready->has_message_id)
		(void)nd_buf_addf(out, "Message-ID: <%s@%s>\r\n", id, hostname);
	if (!ready->has_mime_version)
		(void)nd_buf_adds(out, "MIME-Version: 1.0\r\n");
	if (!ready->has_reader)
		(void)nd_buf_adds(out, "To: undisclosed-recipients:;\r\n");
}

enum nd_err
ready_write(const struct ready *ready, const char *id, nd_unix created, const char *hostname, struct nd_buf *out,
    struct nd_why *why)
{
	struct cursor cursor = begin(ready);
	struct field field;

	write_missing(ready, id, created, hostname, out);
	while (next_field(&cursor, &field, NULL)) {
		if (is_dropped(&field))
			continue;
		(void)nd_buf_add(out, field.name, field.name_len);
		(void)nd_buf_addc(out, ':');
		write_lines(out, field.value, field.value_len);
		if (field.value_len == 0)
			(void)nd_buf_adds(out, "\r\n");
	}
	(void)nd_buf_adds(out, "\r\n");
	write_lines(out, cursor.at, (size_t)(cursor.end - cursor.at));
	if (out->failed)
		return nd_fail(why, ND_ETOOBIG, 0, "the message is larger than %zu octets", out->limit);
	return ND_OK;
}

/* --- as a job --- */

static bool
is_true(const struct json_node *node)
{
	return node != NULL && node->type == JSON_BOOL && node->boolean;
}

static enum nd_err
check_names(const struct json_node *envelope, struct nd_why *why)
{
	const struct json_node *t = json_get(envelope, "t");
	char hint[96] = "";

	if (envelope->type != JSON_OBJECT)
		return nd_fail(
		    why, ND_ESYNTAX, 0, "the envelope is a JSON object, not %s", json_type_name(envelope->type));
	for (const struct json_node *member = envelope->child; member != NULL; member = member->next) {
		const char *const *name = ready_fields;
		const char *near = nd_str_nearest(member->key, ready_fields);

		while (*name != NULL && strcmp(*name, member->key) != 0)
			name++;
		if (*name != NULL)
			continue;
		if (near != NULL)
			(void)snprintf(hint, sizeof(hint), "did you mean \"%s\"?", near);
		(void)nd_fail(why, ND_EUNKNOWN, 0, "an envelope has no field \"%.60s\"", member->key);
		return nd_fail_at(why, member->key, 0, hint);
	}
	if (t != NULL && t->type != JSON_BOOL && t->type != JSON_NULL) {
		(void)nd_fail(why, ND_ESYNTAX, 0, "t must be true or false, not %s", json_type_name(t->type));
		return nd_fail_at(why, "t", 0, NULL);
	}
	return ND_OK;
}

static enum nd_err
put_header_rcpts(const struct ready *ready, struct json_out *out, struct nd_why *why)
{
	static const char *const names[] = { "To", "Cc", "Bcc" };
	struct cursor cursor = begin(ready);
	struct field field;
	enum nd_err err = ND_OK;
	unsigned count = 0;

	while (err == ND_OK && next_field(&cursor, &field, NULL)) {
		for (size_t i = 0; i < 3 && err == ND_OK; i++) {
			char *text;

			if (!is(&field, names[i]))
				continue;
			text = unfold(&field);
			err = ready_rcpts(names[i], text, out, &count, why);
			free(text);
		}
	}
	if (err == ND_OK && count == 0) {
		(void)nd_fail(why, ND_ENORCPT, 0, "the message names nobody in To, Cc or Bcc");
		return nd_fail_at(why, "t", 0, "give the recipients with to=");
	}
	return err;
}

static enum nd_err
put_rcpts(const struct ready *ready, const struct json_node *envelope, struct json_out *out, struct nd_why *why)
{
	const struct json_node *to = json_get(envelope, "to");
	const char *rest = to != NULL ? to->text : NULL, *start;
	enum nd_err err = ND_OK;
	size_t len;

	if (to != NULL && to->type != JSON_STRING && to->type != JSON_ARRAY && to->type != JSON_NULL) {
		(void)nd_fail(why, ND_ESYNTAX, 0, "to must be an array or a string, not %s", json_type_name(to->type));
		return nd_fail_at(why, "to", 0, NULL);
	}
	if (rest != NULL && nd_str_has_control(rest, to->len)) {
		(void)nd_fail(why, ND_EINVALID, 0, "to holds a control character");
		return nd_fail_at(why, "to", 0, NULL);
	}
	json_out_array(out, "to");
	if (to != NULL && to->type == JSON_ARRAY)
		for (to = to->child; to != NULL; to = to->next)
			json_out_node(out, NULL, to);
	else
		while (nd_str_list_next(&rest, &start, &len))
			json_out_textn(out, NULL, start, len);
	if (is_true(json_get(envelope, "t")))
		err = put_header_rcpts(ready, out, why);
	json_out_array_end(out);
	return err;
}

/* The sender as people are shown it: the header's when it is one address, else the envelope's. */
static enum nd_err
put_from(const struct ready *ready, const struct json_node *envelope, struct json_out *out, struct nd_why *why)
{
	const struct json_node *node = json_get(envelope, "from");
	struct nd_mailbox box = { NULL, NULL };
	bool named = false;
	enum nd_err err;

	if (ready->from != NULL && nd_str_mailbox(ready->from, strlen(ready->from), &box, NULL) == ND_OK) {
		named = nd_str_ascii(box.address, strlen(box.address));
		nd_mailbox_done(&box);
	}
	if (named)
		json_out_text(out, "from", ready->from);
	/* An empty sender: the message itself is about a delivery. */
	if (node == NULL || node->type == JSON_NULL ||
	    (node->type == JSON_STRING && (node->len == 0 || strcmp(node->text, "<>") == 0)))
		return ND_OK;
	if (!named) {
		json_out_node(out, "from", node);
		return ND_OK;
	}
	if (node->type != JSON_STRING)
		err = nd_fail(why, ND_ESYNTAX, 0, "from must be a string, not %s", json_type_name(node->type));
	else
		err = nd_str_mailbox(node->text, node->len, &box, why);
	if (err != ND_OK)
		return nd_fail_at(why, "from", 0, NULL);
	nd_mailbox_done(&box);
	return ND_OK;
}

/* job_check takes no control character; and U+FFFD for what is no UTF-8 could be too long. */
static void
clean(const struct nd_buf *words, struct nd_buf *out)
{
	size_t len =
	    words->len > JOB_MAX_SUBJECT ? nd_str_utf8_cut(words->octets, words->len, JOB_MAX_SUBJECT) : words->len;

	for (size_t i = 0, n; i<len; i += n> 0 ? n : 1) {
		n = nd_str_utf8_len(words->octets + i, len - i);
		if (n == 0 || nd_str_has_control(words->octets + i, n))
			(void)nd_buf_addc(out, '?');
		else
			(void)nd_buf_add(out, words->octets + i, n);
	}
}

static void
put_subject(const struct ready *ready, struct json_out *out)
{
	/* Far more than is kept: a field may be as long as the message. */
	size_t len = ready->subject != NULL ? strnlen(ready->subject, 4 * JOB_MAX_SUBJECT) : 0;
	char *subject = nd_xstrndup(ready->subject != NULL ? ready->subject : "", len);
	struct nd_buf words, text;

	nd_buf_init(&words, 2 * len + 1);
	nd_buf_init(&text, 2 * JOB_MAX_SUBJECT);
	ready_words(subject, &words);
	free(subject);
	clean(&words, &text);
	json_out_text(out, "subject", text.len > 0 ? nd_buf_text(&text) : "(no subject)");
	nd_buf_done(&words);
	nd_buf_done(&text);
}

enum nd_err
ready_job(const struct ready *ready, const struct json_node *envelope, struct nd_buf *json, struct nd_why *why)
{
	static const char *const ours[] = { "from", "to", "t" };
	struct json_out out;
	enum nd_err err = check_names(envelope, why);

	if (err != ND_OK)
		return err;
	json_out_init(&out, json);
	json_out_object(&out, NULL);
	err = put_rcpts(ready, envelope, &out, why);
	if (err == ND_OK)
		err = put_from(ready, envelope, &out, why);
	put_subject(ready, &out);
	for (const struct json_node *member = envelope->child; member != NULL; member = member->next)
		if (strcmp(member->key, ours[0]) != 0 && strcmp(member->key, ours[1]) != 0 &&
		    strcmp(member->key, ours[2]) != 0)
			json_out_node(&out, member->key, member);
	if (json_get(envelope, "severity") == NULL)
		json_out_text(&out, "severity", job_severity_name(JOB_NOTICE));
	json_out_object_end(&out);
	if (err == ND_OK && json->failed)
		err = nd_fail(why, ND_ETOOBIG, 0, "the envelope is larger than %zu octets", json->limit);
	return err;
}
