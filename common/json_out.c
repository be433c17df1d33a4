/* SPDX-License-Identifier: Apache-2.0 */
/* json_out.c - JSON out.  Layer: common, words. */
#include "common/json.h"
#include "common/stamp.h"
#include "common/str.h"

#include <string.h>

#define RUN 65536u /* octets that are added at a time: see nd_buf_pass */

/* Octets that cannot stand in a string as they are, by their first octet: 'u' \u00XX, '8' UTF-8 to be checked. */
static const char special[256] = {
	[0 ... 0x07] = 'u',
	[0x0b] = 'u',
	[0x0e ... 0x1f] = 'u',
	['\b'] = 'b',
	['\f'] = 'f',
	['\n'] = 'n',
	['\r'] = 'r',
	['\t'] = 't',
	['"'] = '"',
	['\\'] = '\\',
	[0x80 ... 0xff] = '8',
};

/* Text may come from a peer: what is not UTF-8 becomes U+FFFD, so the reader of our JSON always can read it. */
static size_t
put_special(struct nd_buf *buf, const char *text, size_t len)
{
	unsigned char c = (unsigned char)*text;
	size_t n;

	switch (special[c]) {
	case 'u':
		(void)nd_buf_addf(buf, "\\u%04x", c);
		return 1;
	case '8':
		n = nd_str_utf8_len(text, len);
		(void)nd_buf_add(buf, n > 0 ? text : "\xef\xbf\xbd", n > 0 ? n : 3);
		return n > 0 ? n : 1;
	default:
		(void)nd_buf_addc(buf, '\\');
		(void)nd_buf_addc(buf, special[c]);
		return 1;
	}
}

static void
put_string(struct nd_buf *buf, const char *text, size_t len)
{
	size_t at = 0;

	(void)nd_buf_addc(buf, '"');
	while (at < len && !buf->failed) {
		size_t run = at;

		while (run < len && run - at < RUN && special[(unsigned char)text[run]] == 0)
			run++;
		(void)nd_buf_add(buf, text + at, run - at);
		at = run;
		if (at < len && special[(unsigned char)text[at]] != 0)
			at += put_special(buf, text + at, len - at);
		nd_buf_pass(buf, 0);
	}
	(void)nd_buf_addc(buf, '"');
}

void
json_out_init(struct json_out *out, struct nd_buf *buf)
{
	*out = (struct json_out){ .buf = buf };
}

/* The comma that is due, and the key. */
static void
begin(struct json_out *out, const char *key)
{
	uint32_t bit = (uint32_t)1 << (out->depth & 31);

	if ((out->comma & bit) != 0)
		(void)nd_buf_addc(out->buf, ',');
	out->comma |= bit;
	if (key != NULL) {
		put_string(out->buf, key, strlen(key));
		(void)nd_buf_addc(out->buf, ':');
	}
}

static void
open_nest(struct json_out *out, const char *key, char bracket)
{
	begin(out, key);
	(void)nd_buf_addc(out->buf, bracket);
	out->depth++;
	out->comma &= ~((uint32_t)1 << (out->depth & 31));
}

void
json_out_object(struct json_out *out, const char *key)
{
	open_nest(out, key, '{');
}

void
json_out_object_end(struct json_out *out)
{
	out->depth--;
	(void)nd_buf_addc(out->buf, '}');
}

void
json_out_array(struct json_out *out, const char *key)
{
	open_nest(out, key, '[');
}

void
json_out_array_end(struct json_out *out)
{
	out->depth--;
	(void)nd_buf_addc(out->buf, ']');
}

void
json_out_text(struct json_out *out, const char *key, const char *text)
{
	if (text != NULL)
		json_out_textn(out, key, text, strlen(text));
}

void
json_out_textn(struct json_out *out, const char *key, const char *text, size_t len)
{
	begin(out, key);
	put_string(out->buf, text, len);
}

void
json_out_int(struct json_out *out, const char *key, int64_t value)
{
	begin(out, key);
	(void)nd_buf_addi(out->buf, value);
}

void
json_out_bool(struct json_out *out, const char *key, bool value)
{
	begin(out, key);
	(void)nd_buf_adds(out->buf, value ? "true" : "false");
}

void
json_out_null(struct json_out *out, const char *key)
{
	begin(out, key);
	(void)nd_buf_adds(out->buf, "null");
}

void
json_out_time(struct json_out *out, const char *key, int64_t unix_ms)
{
	char stamp[ND_STAMP_SIZE];

	if (unix_ms != 0)
		json_out_text(out, key, nd_stamp_rfc3339(unix_ms, stamp));
}

void
json_out_raw(struct json_out *out, const char *key, const char *json)
{
	begin(out, key);
	(void)nd_buf_adds(out->buf, json);
}

/* Recursion is bounded by the depth that the tree was read with. */
void
json_out_node(struct json_out *out, const char *key, const struct json_node *node)
{
	switch (node->type) {
	case JSON_NULL:
		json_out_null(out, key);
		break;
	case JSON_BOOL:
		json_out_bool(out, key, node->boolean);
		break;
	case JSON_NUMBER:
		json_out_raw(out, key, node->text);
		break;
	case JSON_STRING:
		json_out_textn(out, key, node->text, node->len);
		break;
	case JSON_ARRAY:
	case JSON_OBJECT:
		open_nest(out, key, node->type == JSON_ARRAY ? '[' : '{');
		for (const struct json_node *child = node->child; child != NULL; child = child->next)
			json_out_node(out, child->key, child);
		out->depth--;
		(void)nd_buf_addc(out->buf, node->type == JSON_ARRAY ? ']' : '}');
		break;
	}
}
