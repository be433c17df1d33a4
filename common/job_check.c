/* SPDX-License-Identifier: Apache-2.0 */
/* job_check.c - a value of JSON => a job's draft, or what is wrong with it.  Layer: common, words.  Pure.
 *
 * One table: a row for each field, with the function that checks it and the place of its value in the draft.
 */
#include "common/idn.h"
#include "common/job_inner.h"
#include "common/mem.h"
#include "common/stamp.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define RCPT_LISTED 4000u /* entries read before the doubles are dropped */

/* --- helpers --- */

/* Says where `err` was met. */
enum nd_err
job_at(struct job_checker *check, const char *field, enum nd_err err)
{
	(void)nd_fail_at(check->why, field, 0, NULL);
	return err;
}

enum nd_err
job_wrong_type(struct job_checker *check, const char *field, const struct json_node *node, const char *wanted)
{
	return job_at(check, field,
	    nd_fail(check->why, ND_ESYNTAX, 0, "%.60s must be %s, not %s", field, wanted, json_type_name(node->type)));
}

enum nd_err
job_unknown(struct job_checker *check, const char *field, const char *name, const char *const *known)
{
	const char *near = nd_str_nearest(name, known);
	char hint[80] = "";

	if (near != NULL)
		(void)snprintf(hint, sizeof(hint), "did you mean \"%s\"?", near);
	(void)nd_fail(check->why, ND_EUNKNOWN, 0, "there is no field \"%.60s\"", name);
	(void)nd_fail_at(check->why, field, 0, hint);
	return ND_EUNKNOWN;
}

enum nd_err
job_too_long(struct job_checker *check, const char *field, size_t max)
{
	return job_at(check, field, nd_fail(check->why, ND_ETOOBIG, 0, "%.60s is longer than %zu octets", field, max));
}

/* One line: a string without control characters. */
enum nd_err
job_read_line(struct job_checker *check, const char *field, const struct json_node *node, size_t max, const char **out)
{
	if (node->type != JSON_STRING)
		return job_wrong_type(check, field, node, "a string");
	if (nd_str_has_control(node->text, node->len))
		return job_at(check, field,
		    nd_fail(check->why, ND_EINVALID, 0, "%.60s has a line break or a control character", field));
	if (node->len > max)
		return job_too_long(check, field, max);
	*out = node->text;
	return ND_OK;
}

static void *
place(struct job_checker *check, size_t offset)
{
	return (char *)&check->draft + offset;
}

/* --- plain fields --- */

static enum nd_err
check_line(struct job_checker *check, const struct job_field *field, const struct json_node *node)
{
	const char **to = place(check, field->place);
	enum nd_err err = job_read_line(check, field->name, node, field->max, to);

	if (err == ND_OK && **to == '\0')
		*to = NULL;
	return err;
}

/* Any text: the composer encodes what a mail cannot hold as it is. */
static enum nd_err
check_body(struct job_checker *check, const struct job_field *field, const struct json_node *node)
{
	const char **to = place(check, field->place);
	size_t *len = place(check, field->len_place);

	if (node->type != JSON_STRING)
		return job_wrong_type(check, field->name, node, "a string");
	*to = node->len > 0 ? node->text : NULL;
	*len = node->len;
	return ND_OK;
}

static enum nd_err
check_severity(struct job_checker *check, const struct job_field *field, const struct json_node *node)
{
	if (node->type != JSON_STRING)
		return job_wrong_type(check, field->name, node, "a string");
	if (job_severity_named(node->text, &check->draft.severity))
		return ND_OK;
	(void)nd_fail(check->why, ND_EINVALID, 0, "there is no severity \"%.40s\"", node->text);
	(void)nd_fail_at(check->why, field->name, 0, "one of emergency alert critical error warning notice info debug");
	return ND_EINVALID;
}

static enum nd_err
check_status(struct job_checker *check, const struct job_field *field, const struct json_node *node)
{
	if (node->type != JSON_STRING)
		return job_wrong_type(check, field->name, node, "a string");
	check->draft.resolved = nd_str_eq_nocase(node->text, "resolved");
	if (check->draft.resolved || nd_str_eq_nocase(node->text, "firing"))
		return ND_OK;
	(void)nd_fail(check->why, ND_EINVALID, 0, "there is no status \"%.40s\"", node->text);
	(void)nd_fail_at(check->why, field->name, 0, "firing or resolved");
	return ND_EINVALID;
}

static enum nd_err
check_time(struct job_checker *check, const struct job_field *field, const struct json_node *node)
{
	nd_unix *to = place(check, field->place);

	if (node->type != JSON_STRING)
		return job_wrong_type(check, field->name, node, "a string");
	if (!nd_stamp_read(node->text, to)) {
		(void)nd_fail(check->why, ND_EINVALID, 0, "%s \"%.40s\" is not a time", field->name, node->text);
		(void)nd_fail_at(check->why, field->name, 0, "write it as 2026-11-21T08:00:00Z (RFC 3339)");
		return ND_EINVALID;
	}
	if (*to == 0)
		*to = 1; /* 0 means not given */
	return ND_OK;
}

static enum nd_err
check_expires(struct job_checker *check, const struct job_field *field, const struct json_node *node)
{
	nd_ms span;

	if (node->type != JSON_STRING && node->type != JSON_NUMBER)
		return job_wrong_type(check, field->name, node, "a string such as \"48h\"");
	if (!nd_str_duration(node->text, &span) || span < ND_SEC(1) || span > ND_DAY(14)) {
		(void)nd_fail(
		    check->why, ND_EINVALID, 0, "%s \"%.40s\" is not a time of 1s to 14d", field->name, node->text);
		(void)nd_fail_at(check->why, field->name, 0, "such as 90s, 15m, 48h or 7d");
		return ND_EINVALID;
	}
	check->draft.expires_in = span;
	return ND_OK;
}

static enum nd_err
check_idempotency(struct job_checker *check, const struct job_field *field, const struct json_node *node)
{
	if (node->type != JSON_STRING)
		return job_wrong_type(check, field->name, node, "a string");
	if (node->len < 1 || node->len > 128 || !nd_str_ascii(node->text, node->len))
		return job_at(check, field->name,
		    nd_fail(check->why, ND_EINVALID, 0, "%s must be 1 to 128 printable ASCII characters", field->name));
	check->draft.idempotency_key = node->text;
	return ND_OK;
}

static enum nd_err
check_template(struct job_checker *check, const struct job_field *field, const struct json_node *node)
{
	if (node->type != JSON_STRING)
		return job_wrong_type(check, field->name, node, "a string");
	return job_at(
	    check, field->name, nd_fail(check->why, ND_EINVALID, 0, "templates are not in this version of notifyd"));
}

static enum nd_err
check_sensitive(struct job_checker *check, const struct job_field *field, const struct json_node *node)
{
	if (node->type != JSON_BOOL)
		return job_wrong_type(check, field->name, node, "true or false");
	check->draft.sensitive = node->boolean;
	return ND_OK;
}

static enum nd_err
check_require_tls(struct job_checker *check, const struct job_field *field, const struct json_node *node)
{
	if (node->type != JSON_BOOL)
		return job_wrong_type(check, field->name, node, "true or false");
	check->draft.require_tls = node->boolean;
	return ND_OK;
}

/* --- addresses --- */

static enum nd_err
read_mailbox(struct job_checker *check, const char *field, const char *text, size_t len, struct nd_mailbox *out)
{
	char wire[IDN_ADDRESS_SIZE];
	enum nd_err err = nd_str_mailbox(text, len, out, check->why);

	if (err != ND_OK)
		return job_at(check, field, err);
	err = idn_address(out->address, wire, check->why);
	if (err != ND_OK) {
		nd_mailbox_done(out);
		return job_at(check, field, err);
	}
	return ND_OK;
}

static enum nd_err
check_mailbox(struct job_checker *check, const struct job_field *field, const struct json_node *node)
{
	if (node->type != JSON_STRING)
		return job_wrong_type(check, field->name, node, "a string");
	if (node->len == 0)
		return ND_OK;
	return read_mailbox(check, field->name, node->text, node->len, place(check, field->place));
}

/* RFC 5321 2.4: the local part belongs to its host, case and all; the domain has no case. */
static bool
same_address(const char *a, const char *b)
{
	size_t local = (size_t)(nd_str_domain(a) - a);

	return (size_t)(nd_str_domain(b) - b) == local && strncmp(a, b, local) == 0 &&
	       idn_same_domain(a + local, b + local);
}

static uint32_t
hash(const char *address)
{
	char wire[IDN_ADDRESS_SIZE];
	uint32_t value = 2166136261u;

	if (idn_address(address, wire, NULL) == ND_OK)
		address = wire;
	for (; *address != '\0'; address++)
		value = (value ^ ((unsigned char)*address | 0x20u)) * 16777619u;
	return value ^ value >> 15;
}

/* Takes `box` over. */
static enum nd_err
add_rcpt(struct job_checker *check, const char *field, enum job_rcpt_kind kind, struct nd_mailbox *box)
{
	struct job_draft *draft = &check->draft;
	uint32_t slot = hash(box->address);

	for (; check->slots[slot % JOB_RCPT_SLOTS] != 0; slot++) {
		if (same_address(draft->rcpts[check->slots[slot % JOB_RCPT_SLOTS] - 1].box.address, box->address)) {
			nd_mailbox_done(box);
			return ND_OK;
		}
	}
	if (draft->rcpt_count == JOB_MAX_RCPTS) {
		nd_mailbox_done(box);
		return job_at(
		    check, field, nd_fail(check->why, ND_ETOOBIG, 0, "a job has at most %u recipients", JOB_MAX_RCPTS));
	}
	if (draft->rcpt_count == check->rcpt_room) {
		check->rcpt_room = check->rcpt_room == 0 ? 4 : check->rcpt_room * 2;
		draft->rcpts = nd_xrealloc(draft->rcpts, check->rcpt_room * sizeof(*draft->rcpts));
	}
	draft->rcpts[draft->rcpt_count++] = (struct job_rcpt){ .kind = kind, .box = *box };
	check->slots[slot % JOB_RCPT_SLOTS] = (uint16_t)draft->rcpt_count;
	return ND_OK;
}

static enum nd_err
read_rcpt(struct job_checker *check, const char *field, enum job_rcpt_kind kind, const char *text, size_t len)
{
	struct nd_mailbox box;
	enum nd_err err;

	if (++check->rcpts_listed > RCPT_LISTED)
		return job_at(
		    check, field, nd_fail(check->why, ND_ETOOBIG, 0, "a job has at most %u recipients", JOB_MAX_RCPTS));
	if (len > 0 && *text == '@') {
		(void)nd_fail(check->why, ND_ENOGROUP, 0, "there is no group \"%.*s\"",
		    (int)nd_str_utf8_cut(text + 1, len - 1, 60), text + 1);
		(void)nd_fail_at(check->why, field, 0, "give the addresses themselves");
		return ND_ENOGROUP;
	}
	err = read_mailbox(check, field, text, len, &box);
	return err == ND_OK ? add_rcpt(check, field, kind, &box) : err;
}

static enum nd_err
check_rcpts(struct job_checker *check, const struct job_field *field, const struct json_node *node)
{
	const char *rest = node->text, *start;
	char name[40];
	unsigned i = 0;
	size_t len;
	enum nd_err err = ND_OK;

	if (node->type == JSON_STRING) {
		/* Between the addresses, where nobody else looks. */
		if (nd_str_has_control(node->text, node->len))
			err = job_at(check, field->name,
			    nd_fail(check->why, ND_EINVALID, 0, "%s holds a control character", field->name));
		while (err == ND_OK && nd_str_list_next(&rest, &start, &len))
			err = read_rcpt(check, field->name, field->kind, start, len);
		return err;
	}
	if (node->type != JSON_ARRAY)
		return job_wrong_type(check, field->name, node, "an array or a string");
	for (const struct json_node *item = node->child; item != NULL; item = item->next, i++) {
		if (item->type == JSON_STRING)
			err = read_rcpt(check, field->name, field->kind, item->text, item->len);
		if (item->type == JSON_STRING && err == ND_OK)
			continue;
		(void)snprintf(name, sizeof(name), "%s[%u]", field->name, i);
		return err != ND_OK ? job_at(check, name, err) : job_wrong_type(check, name, item, "a string");
	}
	return err;
}

/* --- the table --- */

#define AT(member) .place = offsetof(struct job_draft, member)
#define LEN_AT(member) .len_place = offsetof(struct job_draft, member)
/* clang-format off */
static const struct job_field fields[] = {
	{ .name = "to",              .check = check_rcpts, .kind = JOB_TO_RCPT },
	{ .name = "cc",              .check = check_rcpts, .kind = JOB_CC_RCPT },
	{ .name = "bcc",             .check = check_rcpts, .kind = JOB_BCC_RCPT },
	{ .name = "reply_to",        .check = check_mailbox, AT(reply_to) },
	{ .name = "from",            .check = check_mailbox, AT(from) },
	{ .name = "subject",         .check = check_line, AT(subject), .max = JOB_MAX_SUBJECT },
	{ .name = "text",            .check = check_body, AT(text), LEN_AT(text_len) },
	{ .name = "html",            .check = check_body, AT(html), LEN_AT(html_len) },
	{ .name = "severity",        .check = check_severity },
	{ .name = "status",          .check = check_status },
	{ .name = "source",          .check = check_line, AT(source), .max = JOB_MAX_NAME },
	{ .name = "labels",          .check = job_check_labels },
	{ .name = "key",             .check = check_line, AT(key), .max = 1024 },
	{ .name = "links",           .check = job_check_links },
	{ .name = "attachments",     .check = job_check_attachments },
	{ .name = "headers",         .check = job_check_headers },
	{ .name = "template",        .check = check_template },
	{ .name = "account",         .check = check_line, AT(account), .max = JOB_MAX_NAME },
	{ .name = "event_time",      .check = check_time, AT(event_time) },
	{ .name = "not_before",      .check = check_time, AT(not_before) },
	{ .name = "expires_in",      .check = check_expires },
	{ .name = "idempotency_key", .check = check_idempotency },
	{ .name = "client_ref",      .check = check_line, AT(client_ref), .max = 4096 },
	{ .name = "sensitive",       .check = check_sensitive },
	{ .name = "require_tls",     .check = check_require_tls },
};
/* clang-format on */
#undef AT
#undef LEN_AT

static const struct job_field *
find_field(const char *name)
{
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		if (fields[i].name[0] == name[0] && strcmp(fields[i].name, name) == 0)
			return &fields[i];
	}
	return NULL;
}

static enum nd_err
check_whole(struct job_checker *check)
{
	const struct job_draft *draft = &check->draft;

	if (draft->subject == NULL && draft->text == NULL && draft->html == NULL)
		return nd_fail(
		    check->why, ND_EINVALID, 0, "a job needs a subject, a text or an html that is not empty");
	if (draft->resolved && draft->key == NULL) {
		(void)nd_fail(check->why, ND_EINVALID, 0, "status resolved needs a key: which alert is over?");
		(void)nd_fail_at(check->why, "key", 0, "give the key that the firing alert had");
		return ND_EINVALID;
	}
	return ND_OK;
}

static enum nd_err
check_members(struct job_checker *check, const struct json_node *value)
{
	enum nd_err err = ND_OK;

	if (value->type != JSON_OBJECT)
		return nd_fail(
		    check->why, ND_ESYNTAX, 0, "a job must be an object, not %s", json_type_name(value->type));
	for (const struct json_node *member = value->child; member != NULL && err == ND_OK; member = member->next) {
		const struct job_field *field = find_field(member->key);

		if (field == NULL)
			err = job_unknown(check, member->key, member->key, job_field_names());
		else if (member->type != JSON_NULL)
			err = field->check(check, field, member);
	}
	return err == ND_OK ? check_whole(check) : err;
}

enum nd_err
job_check(struct job_draft *draft, struct json_tree *tree, const struct json_node *value, struct nd_why *why)
{
	struct job_checker check = { .draft = { .severity = JOB_WARNING } };
	struct nd_why own;
	enum nd_err err;

	check.why = why != NULL ? why : &own;
	err = check_members(&check, value);
	if (err != ND_OK) {
		job_draft_done(&check.draft);
		return err;
	}
	if (tree != NULL) {
		check.draft.tree = *tree;
		*tree = (struct json_tree){ NULL, NULL };
	}
	*draft = check.draft;
	return ND_OK;
}
