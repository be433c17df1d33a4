/* SPDX-License-Identifier: Apache-2.0 */
/* form.c - names and values of a form or a query => the same job as JSON.  Layer: common, words.  Pure. */
#include "common/form.h"

#include "common/json.h"
#include "common/mem.h"
#include "common/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIELDS_MAX 40u

const char *const form_job_fields[] = { "to", "cc", "bcc", "reply_to", "from", "subject", "text", "html", "severity",
	"status", "source", "labels", "key", "headers", "template", "account", "event_time", "not_before", "expires_in",
	"idempotency_key", "client_ref", "sensitive", "require_tls", NULL };

/* What becomes of a field's text. */
enum shape { LINE, FREE_TEXT, LIST, TRUTH, GROUP };
static const struct {
	const char *name;
	enum shape shape;
	const char *prefix; /* GROUP: what stands before the NAME of a member */
} shapes[] = {
	{ "to", LIST, NULL },
	{ "cc", LIST, NULL },
	{ "bcc", LIST, NULL },
	{ "text", FREE_TEXT, NULL },
	{ "html", FREE_TEXT, NULL },
	{ "sensitive", TRUTH, NULL },
	{ "require_tls", TRUTH, NULL },
	{ "t", TRUTH, NULL },
	{ "labels", GROUP, "label." },
	{ "headers", GROUP, "header." },
};

void
form_init(struct form *form)
{
	*form = (struct form){ .pairs = NULL };
}

void
form_done(struct form *form)
{
	free(form->pairs);
	nd_buf_done(&form->words);
	form_init(form);
}

enum nd_err
form_add(struct form *form, const char *name, const char *value, size_t len, struct nd_why *why)
{
	if (form->count == FORM_MAX_PAIRS)
		return nd_fail(why, ND_ETOOBIG, 0, "the form has more than %u fields", FORM_MAX_PAIRS);
	if (form->count == form->room) {
		form->room = form->room == 0 ? 16 : form->room * 2;
		form->pairs = nd_xrealloc(form->pairs, form->room * sizeof(*form->pairs));
	}
	form->pairs[form->count++] = (struct form_pair){ name, value, len };
	return ND_OK;
}

/* --- application/x-www-form-urlencoded --- */

/* Adds the decoded text and its NUL; NULL: a bad escape. The room was reserved, so nothing moves. */
static const char *
decode(struct nd_buf *words, const char *text, size_t len)
{
	size_t at = words->len;

	if (!nd_str_unpercent(words, text, len, true) || !nd_buf_addc(words, '\0'))
		return NULL;
	return words->octets + at;
}

static enum nd_err
split_pair(struct form *form, const char *text, size_t len, struct nd_why *why)
{
	const char *equals = memchr(text, '=', len), *name, *value;
	size_t name_len = equals != NULL ? (size_t)(equals - text) : len;

	name = decode(&form->words, text, name_len);
	value = name == NULL
		    ? NULL
		    : decode(&form->words, text + name_len + (equals != NULL), len - name_len - (equals != NULL));
	if (value == NULL) {
		(void)nd_fail(why, ND_ESYNTAX, 0, "the form has a bad percent escape");
		(void)nd_fail_at(why, name, 0, "write % as %25 (curl: --data-urlencode); %00 is not allowed");
		return ND_ESYNTAX;
	}
	return form_add(form, name, value, (size_t)(form->words.octets + form->words.len - 1 - value), why);
}

enum nd_err
form_split(struct form *form, const char *octets, size_t len, struct nd_why *why)
{
	const char *end = octets + len, *stop;
	size_t pairs = 1;
	enum nd_err err = ND_OK;

	for (const char *p = octets; p < end; p++)
		pairs += *p == '&';
	if (pairs > FORM_MAX_PAIRS)
		return nd_fail(why, ND_ETOOBIG, 0, "the form has more than %u fields", FORM_MAX_PAIRS);
	nd_buf_init(&form->words, len + 2 * pairs);
	if (nd_buf_reserve(&form->words, len + 2 * pairs) == NULL)
		return nd_fail(why, ND_EMEMORY, 0, "there is no memory for a form of %zu octets now", len);
	for (; octets < end && err == ND_OK; octets = stop + 1) {
		stop = memchr(octets, '&', (size_t)(end - octets));
		if (stop == NULL)
			stop = end;
		if (stop > octets)
			err = split_pair(form, octets, (size_t)(stop - octets), why);
	}
	return err;
}

/* --- as JSON --- */

static enum shape
shape_of(const char *field, const char **prefix)
{
	*prefix = NULL;
	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		if (strcmp(shapes[i].name, field) == 0) {
			*prefix = shapes[i].prefix;
			return shapes[i].shape;
		}
	}
	return LINE;
}

/* Whether the pair gives (a part of) the field. */
static bool
gives(const struct form_pair *pair, const char *field)
{
	const char *prefix;

	if (shape_of(field, &prefix) == GROUP)
		return strncmp(pair->name, prefix, strlen(prefix)) == 0;
	return strcmp(pair->name, field) == 0;
}

static enum nd_err
unknown(const char *name, const char *const *fields, struct nd_why *why)
{
	const char *known[FIELDS_MAX + 1], *prefix, *near;
	static const char *const written[] = { "label.NAME", "header.NAME" };
	char hint[96] = "";
	unsigned count = 0;

	for (; *fields != NULL && count < FIELDS_MAX; fields++) {
		known[count++] = *fields;
		if (shape_of(*fields, &prefix) == GROUP)
			known[count - 1] = written[prefix[0] == 'h'];
	}
	known[count] = NULL;
	near = nd_str_nearest(name, known);
	if (near == NULL && (strcmp(name, "labels") == 0 || strcmp(name, "headers") == 0))
		near = written[name[0] == 'h'];
	if (near != NULL)
		(void)snprintf(hint, sizeof(hint), "did you mean \"%s\"?", near);
	else if (strcmp(name, "attachments") == 0 || strcmp(name, "links") == 0)
		(void)snprintf(hint, sizeof(hint), "send the job as JSON: a form cannot hold %s", name);
	(void)nd_fail(why, ND_EUNKNOWN, 0, "there is no field \"%.60s\" here", name);
	(void)nd_fail_at(why, name, 0, hint);
	return ND_EUNKNOWN;
}

/* A NUL is the one character that JSON cannot bring into a job. */
static bool
put_free_text(struct json_out *out, const char *field, const struct form_pair *pair)
{
	const char *rest = pair->value, *nul;
	size_t left = pair->len;
	struct nd_buf clean;
	bool whole;

	if (memchr(rest, '\0', left) == NULL) {
		json_out_textn(out, field, rest, left);
		return true;
	}
	nd_buf_init(&clean, 3 * left);
	for (; (nul = memchr(rest, '\0', left)) != NULL; rest = nul + 1) {
		(void)nd_buf_add(&clean, rest, (size_t)(nul - rest));
		(void)nd_buf_adds(&clean, "\xef\xbf\xbd");
		left -= (size_t)(nul + 1 - rest);
	}
	whole = nd_buf_add(&clean, rest, left);
	json_out_textn(out, field, nd_buf_text(&clean), clean.len);
	nd_buf_done(&clean);
	return whole;
}

/* Each address is an item of its own. */
static enum nd_err
put_addresses(struct json_out *out, const struct form_pair *pair, struct nd_why *why)
{
	const char *rest = pair->value, *start;
	size_t len;

	if (nd_str_has_control(pair->value, pair->len)) {
		(void)nd_fail(why, ND_EINVALID, 0, "%s holds a control character or a line break", pair->name);
		return nd_fail_at(why, pair->name, 0, NULL);
	}
	while (nd_str_list_next(&rest, &start, &len))
		json_out_textn(out, NULL, start, len);
	return ND_OK;
}

static enum nd_err
put_truth(struct json_out *out, const struct form_pair *pair, struct nd_why *why)
{
	bool truth;

	if (!nd_str_bool(pair->value, &truth)) {
		(void)nd_fail(why, ND_EINVALID, 0, "%s is 1 or 0, not \"%.40s\"", pair->name, pair->value);
		return nd_fail_at(why, pair->name, 0, NULL);
	}
	json_out_bool(out, pair->name, truth);
	return ND_OK;
}

static enum nd_err
put_pair(struct json_out *out, const char *field, const struct form_pair *pair, struct nd_why *why)
{
	const char *prefix;
	enum shape shape = shape_of(field, &prefix);

	if (shape == FREE_TEXT)
		return put_free_text(out, field, pair)
			   ? ND_OK
			   : nd_fail(why, ND_EMEMORY, 0, "there is no memory for the %s now", field);
	if (!nd_str_utf8(pair->value, pair->len)) {
		(void)nd_fail(why, ND_EINVALID, 0, "%.60s is not valid UTF-8", pair->name);
		return nd_fail_at(why, pair->name, 0, NULL);
	}
	if (shape == LIST)
		return put_addresses(out, pair, why);
	if (shape == TRUTH)
		return put_truth(out, pair, why);
	json_out_textn(out, shape == GROUP ? pair->name + strlen(prefix) : field, pair->value, pair->len);
	return ND_OK;
}

static enum nd_err
put_field(const struct form *form, struct json_out *out, const char *field, struct nd_why *why)
{
	const char *prefix;
	enum shape shape = shape_of(field, &prefix);
	enum nd_err err = ND_OK;
	bool open = false;

	for (unsigned i = 0; i < form->count && err == ND_OK; i++) {
		const struct form_pair *pair = &form->pairs[i];

		if (!gives(pair, field) || (pair->len == 0 && shape != GROUP))
			continue;
		if (!open && shape == LIST)
			json_out_array(out, field);
		else if (!open && shape == GROUP)
			json_out_object(out, field);
		else if (open && shape != LIST && shape != GROUP) {
			(void)nd_fail(why, ND_ESYNTAX, 0, "%s is given twice", field);
			return nd_fail_at(why, field, 0, NULL);
		}
		open = true;
		err = put_pair(out, field, pair, why);
	}
	if (open && shape == LIST)
		json_out_array_end(out);
	else if (open && shape == GROUP)
		json_out_object_end(out);
	return err;
}

enum nd_err
form_object(const struct form *form, const char *const *fields, struct nd_buf *json, struct nd_why *why)
{
	struct json_out out;
	enum nd_err err = ND_OK;

	for (unsigned i = 0; i < form->count; i++) {
		const char *const *field = fields;

		if (!nd_str_utf8(form->pairs[i].name, strlen(form->pairs[i].name)))
			return nd_fail(why, ND_ESYNTAX, 0, "the name of a field is not valid UTF-8");
		while (*field != NULL && !gives(&form->pairs[i], *field))
			field++;
		if (*field == NULL)
			return unknown(form->pairs[i].name, fields, why);
	}
	json_out_init(&out, json);
	json_out_object(&out, NULL);
	for (; *fields != NULL && err == ND_OK; fields++)
		err = put_field(form, &out, *fields, why);
	json_out_object_end(&out);
	if (err == ND_OK && json->failed)
		err = nd_fail(why, ND_ETOOBIG, 0, "the job is larger than %zu octets", json->limit);
	return err;
}

/* --- as a tree --- */

#define LARGE 65536u
/* What is left without the large texts, escaped. */
#define OBJECT_LIMIT (64u << 20)

static const struct json_limits tree_limits = { .octets = OBJECT_LIMIT, .depth = 16, .nodes = 10000 };

static bool
is_large(const struct form_pair *pair, const char *const *fields)
{
	const char *prefix;

	if (pair->len <= LARGE || shape_of(pair->name, &prefix) != FREE_TEXT)
		return false;
	while (*fields != NULL && strcmp(*fields, pair->name) != 0)
		fields++;
	return *fields != NULL;
}

static enum nd_err
read_small(const struct form *form, const char *const *fields, struct json_tree *tree, struct nd_why *why)
{
	struct form small = { .pairs = NULL };
	struct nd_buf json;
	enum nd_err err = ND_OK;

	nd_buf_init(&json, OBJECT_LIMIT);
	for (unsigned i = 0; i < form->count && err == ND_OK; i++)
		if (!is_large(&form->pairs[i], fields))
			err = form_add(&small, form->pairs[i].name, form->pairs[i].value, form->pairs[i].len, why);
	if (err == ND_OK)
		err = form_object(&small, fields, &json, why);
	if (err == ND_OK)
		err = json_read(tree, nd_buf_text(&json), json.len, &tree_limits, NULL, why);
	nd_buf_done(&json);
	form_done(&small);
	return err;
}

enum nd_err
form_tree(const struct form *form, const char *const *fields, struct json_tree *tree, struct nd_why *why)
{
	struct json_tree own = { NULL, NULL };
	enum nd_err err = read_small(form, fields, &own, why);

	for (unsigned i = 0; i < form->count && err == ND_OK; i++)
		if (is_large(&form->pairs[i], fields))
			err = json_add_text(&own, form->pairs[i].name, form->pairs[i].value, form->pairs[i].len, why);
	if (err != ND_OK) {
		json_done(&own);
		return err;
	}
	*tree = own;
	return ND_OK;
}
