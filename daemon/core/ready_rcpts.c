/* SPDX-License-Identifier: Apache-2.0 */
/* ready_rcpts.c - the addresses of a To, Cc or Bcc field.  Layer: core (of ready).  Pure.
 *
 * Only what a mail goes to is taken: names, comments and the names of groups are skipped. A comma in quotes, in a comment or between < and >
 * ends nothing. Whether an address is one is judged by nd_str_mailbox, later.
 */
#include "daemon/core/ready.h"

#include "common/str.h"

#include <string.h>

struct reader {
	const char *at;
	struct nd_buf plain, angle; /* outside and inside of < > */
	bool in_angle, had_angle;
	struct json_out *out;
	unsigned count;
};

static struct nd_buf *
current(struct reader *reader)
{
	return reader->in_angle ? &reader->angle : &reader->plain;
}

/* At "(": moves to its ")". Comments nest. */
static bool
skip_comment(struct reader *reader)
{
	unsigned depth = 0;

	for (; *reader->at != '\0'; reader->at++) {
		if (*reader->at == '\\' && reader->at[1] != '\0')
			reader->at++;
		else if (*reader->at == '(')
			depth++;
		else if (*reader->at == ')' && --depth == 0)
			return true;
	}
	return false;
}

/* At a quote or "[": copies up to the octet that closes it. */
static bool
copy_closed(struct reader *reader, char close)
{
	(void)nd_buf_addc(current(reader), *reader->at++);
	for (; *reader->at != '\0'; reader->at++) {
		(void)nd_buf_addc(current(reader), *reader->at);
		if (*reader->at == close)
			return true;
		if (*reader->at == '\\' && reader->at[1] != '\0')
			(void)nd_buf_addc(current(reader), *++reader->at);
	}
	return false;
}

static void
end_address(struct reader *reader)
{
	struct nd_buf *buf = reader->had_angle ? &reader->angle : &reader->plain;
	const char *text = nd_buf_text(buf);
	size_t len = buf->len;

	while (len > 0 && *text == ' ') {
		text++;
		len--;
	}
	while (len > 0 && text[len - 1] == ' ')
		len--;
	if (len > 0) {
		json_out_textn(reader->out, NULL, text, len);
		reader->count++;
	}
	reader->had_angle = false;
	nd_buf_clear(&reader->plain);
	nd_buf_clear(&reader->angle);
}

/* One octet, or what it opens; false: something that was opened is never closed. */
static bool
step(struct reader *reader)
{
	switch (*reader->at) {
	case '(':
		return skip_comment(reader);
	case '"':
		return copy_closed(reader, '"');
	case '[':
		return copy_closed(reader, ']');
	case '<':
		if (reader->had_angle)
			return false;
		reader->in_angle = reader->had_angle = true;
		return true;
	case '>':
		if (!reader->in_angle)
			return false;
		reader->in_angle = false;
		return true;
	case ':': /* after the name of a group, or a route (RFC 5322 4.4) */
		nd_buf_clear(current(reader));
		return true;
	case ',':
	case ';':
		if (reader->in_angle)
			nd_buf_clear(&reader->angle);
		else
			end_address(reader);
		return true;
	default:
		(void)nd_buf_addc(current(reader), *reader->at);
		return true;
	}
}

enum nd_err
ready_rcpts(const char *field, const char *text, struct json_out *out, unsigned *count, struct nd_why *why)
{
	struct reader reader = { .at = text, .out = out };
	bool good = true;

	nd_buf_init(&reader.plain, strlen(text) + 1);
	nd_buf_init(&reader.angle, strlen(text) + 1);
	for (; good && *reader.at != '\0'; reader.at++)
		good = step(&reader);
	if (good && !reader.in_angle)
		end_address(&reader);
	nd_buf_done(&reader.plain);
	nd_buf_done(&reader.angle);
	if (!good || reader.in_angle) {
		(void)nd_fail(why, ND_EINVALID, 0,
		    "the message's %s has a quote, a bracket or a comment that is not closed", field);
		return nd_fail_at(why, field, 0, NULL);
	}
	*count += reader.count;
	return ND_OK;
}
