/* SPDX-License-Identifier: Apache-2.0 */
/* mime_type.c - what a part that somebody else composed says it is, and its parameters (RFC 2045 5.1).  Layer: core (of mime).  Pure. */
#include "daemon/core/mime_type.h"

#include "common/str.h"
#include "daemon/core/mime_header.h"

#include <string.h>

#define VALUE_MAX 8192u

struct reader {
	const char *at, *end;
};

struct param {
	const char *begin, *end; /* from its semicolon on */
	char name[40];
	struct nd_buf value;
};

static bool
blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Behind blanks, ends of lines and comments, which nest. */
static void
skip(struct reader *reader)
{
	unsigned comments = 0;

	for (; reader->at < reader->end; reader->at++) {
		if (*reader->at == '\\' && comments > 0)
			reader->at += reader->at + 1 < reader->end;
		else if (*reader->at == '(')
			comments++;
		else if (*reader->at == ')' && comments > 0)
			comments--;
		else if (comments == 0 && !blank(*reader->at))
			break;
	}
}

/* In lower case; "" it does not fit. */
static void
read_token(struct reader *reader, char *out, size_t size)
{
	size_t len = 0;

	for (; reader->at < reader->end && !blank(*reader->at); reader->at++) {
		const char c = *reader->at;

		if (c == ';' || c == '=' || c == '(' || c == '"')
			break;
		if (len < size)
			out[len++] = (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
	}
	out[len < size ? len : 0] = '\0';
}

/* A word, or a text in quotes. */
static void
read_value(struct reader *reader, struct nd_buf *out)
{
	const bool quoted = reader->at < reader->end && *reader->at == '"';

	for (reader->at += quoted; reader->at < reader->end; reader->at++) {
		if (quoted ? *reader->at == '"'
			   : blank(*reader->at) || *reader->at == ';' || *reader->at == '(' || *reader->at == '"')
			break;
		if (quoted && *reader->at == '\\' && reader->at + 1 < reader->end)
			reader->at++;
		if (*reader->at != '\r' && *reader->at != '\n')
			(void)nd_buf_addc(out, *reader->at);
	}
	reader->at += quoted && reader->at < reader->end;
}

/* What stands between two parameters and is none is passed over. false: there is no other one. */
static bool
next_param(struct reader *reader, struct param *param)
{
	nd_buf_clear(&param->value);
	for (skip(reader); reader->at < reader->end && *reader->at != ';'; skip(reader))
		reader->at++;
	if (reader->at == reader->end)
		return false;
	param->begin = reader->at++;
	skip(reader);
	read_token(reader, param->name, sizeof(param->name));
	skip(reader);
	if (reader->at < reader->end && *reader->at == '=') {
		reader->at++;
		skip(reader);
		read_value(reader, &param->value);
	}
	param->end = reader->at;
	return true;
}

/* No white space ends it (RFC 2046 5.1.1). */
static void
take_boundary(struct mime_type *type, const struct nd_buf *value)
{
	size_t len = value->len;

	while (len > 0 && blank(value->octets[len - 1]))
		len--;
	if (value->failed || len > MIME_TYPE_BOUNDARY || nd_str_has_control(nd_buf_text(value), len) ||
	    nd_str_eight(nd_buf_text(value), len))
		len = 0;
	memcpy(type->boundary, nd_buf_text(value), len);
	type->boundary[len] = '\0';
}

void
mime_type_read(struct mime_type *type, const char *value, size_t len)
{
	struct reader reader = { value, value + len };
	struct param param;
	bool seen = false;

	*type = (struct mime_type){ .charset = false };
	skip(&reader);
	read_token(&reader, type->name, sizeof(type->name));
	if (strchr(type->name, '/') == NULL)
		type->name[0] = '\0';
	nd_buf_init(&param.value, VALUE_MAX);
	while (next_param(&reader, &param)) {
		if (strcmp(param.name, "boundary") == 0 && !seen) {
			take_boundary(type, &param.value);
			seen = true;
		}
		type->charset = type->charset || strcmp(param.name, "charset") == 0;
	}
	nd_buf_wipe(&param.value);
}

enum mime_type_encoding
mime_type_encoding(const char *value)
{
	static const struct {
		const char *name;
		enum mime_type_encoding encoding;
	} names[] = { { "7bit", MIME_TYPE_SEVEN_BIT }, { "8bit", MIME_TYPE_EIGHT_BIT },
		{ "binary", MIME_TYPE_EIGHT_BIT }, { "quoted-printable", MIME_TYPE_QUOTED },
		{ "base64", MIME_TYPE_BASED } };

	value += strspn(value, " \t\r\n");
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (nd_str_starts_nocase(value, names[i].name) &&
		    strchr(" \t\r\n(;", value[strlen(names[i].name)]) != NULL) /* or the end */
			return names[i].encoding;
	return MIME_TYPE_UNKNOWN;
}

void
mime_type_say(struct nd_buf *out, const char *field, size_t len)
{
	const char *colon = memchr(field, ':', len), *done = field;
	struct reader reader = { colon != NULL ? colon + 1 : field + len, field + len };
	const size_t begin = out->len;
	struct param param;

	nd_buf_init(&param.value, VALUE_MAX);
	while (next_param(&reader, &param)) {
		const char *value = nd_buf_text(&param.value), *feed;
		struct mime_header header = { .out = out };

		if (param.value.failed || param.name[0] == '\0' || strchr(param.name, '*') != NULL ||
		    !nd_str_eight(value, param.value.len) || !nd_str_utf8(value, param.value.len) ||
		    nd_str_has_control(value, param.value.len))
			continue;
		(void)nd_buf_add(out, done, (size_t)(param.begin - done));
		feed = out->len > begin ? memrchr(out->octets + begin, '\n', out->len - begin) : NULL;
		header.line = feed != NULL ? (size_t)(feed + 1 - out->octets) : begin;
		mime_header_param(&header, param.name, value);
		done = param.end;
	}
	(void)nd_buf_add(out, done, (size_t)(field + len - done));
	nd_buf_wipe(&param.value);
}
