/* SPDX-License-Identifier: Apache-2.0 */
/* http.c - the daemon's answer: octets => status, type, body (RFC 9112).  Layer: client.  Pure. */
#include "client/http.h"

#include "common/str.h"

#include <ctype.h>
#include <string.h>

#define IN_ROOM ((size_t)1 << 20) /* more than a head, a chunk's line and what one read adds */

void
http_init(struct http *http)
{
	*http = (struct http){ .stage = HTTP_HEAD };
	nd_buf_init(&http->in, IN_ROOM);
}

void
http_done(struct http *http)
{
	nd_buf_done(&http->in);
}

static enum nd_err
odd(struct nd_why *why, const char *what)
{
	return nd_fail(why, ND_EPROTOCOL, 0, "the answer is not understood: %s", what);
}

/* The next whole line, without its end; NULL: it has not come yet. */
static char *
line(struct http *http, size_t *len)
{
	char *from = http->in.octets + http->at, *end;

	if (http->in.len == http->at || (end = memchr(from, '\n', http->in.len - http->at)) == NULL)
		return NULL;
	http->at += (size_t)(end + 1 - from);
	if (end > from && end[-1] == '\r')
		end--;
	*end = '\0';
	*len = (size_t)(end - from);
	return from;
}

static enum nd_err
status_line(const char *text, struct link_reply *reply, struct nd_why *why)
{
	if (strncmp(text, "HTTP/1.", 7) != 0 || strlen(text) < 12 || text[8] != ' ' ||
	    !isdigit((unsigned char)text[9]) || !isdigit((unsigned char)text[10]) ||
	    !isdigit((unsigned char)text[11]) || isdigit((unsigned char)text[12]))
		return odd(why, "it does not begin with an HTTP status");
	reply->status = (text[9] - '0') * 100 + (text[10] - '0') * 10 + (text[11] - '0');
	return ND_OK;
}

static enum nd_err
header_length(struct http *http, const char *value, struct nd_why *why)
{
	int64_t length;

	if (!nd_str_int(value, 0, INT64_MAX, &length))
		return odd(why, "its Content-Length is no number");
	if ((uint64_t)length > HTTP_MAX_BODY)
		return nd_fail(why, ND_ETOOBIG, 0, "the answer is larger than %zu octets", HTTP_MAX_BODY);
	/* Chunks win over a length (RFC 9112 6.3). */
	if (http->stage == HTTP_TO_END) {
		http->stage = HTTP_LENGTH;
		http->left = (uint64_t)length;
	}
	return ND_OK;
}

static enum nd_err
header(struct http *http, struct link_reply *reply, char *text, struct nd_why *why)
{
	char *value = strchr(text, ':');
	int64_t seconds;
	size_t len;

	if (value == NULL)
		return odd(why, "a header line has no colon");
	*value++ = '\0';
	value += strspn(value, " \t");
	for (len = strlen(value); len > 0 && (value[len - 1] == ' ' || value[len - 1] == '\t'); len--)
		value[len - 1] = '\0';
	if (nd_str_eq_nocase(text, "Content-Length"))
		return header_length(http, value, why);
	if (nd_str_eq_nocase(text, "Transfer-Encoding")) {
		if (!nd_str_eq_nocase(value, "chunked"))
			return odd(why, "its Transfer-Encoding is unknown");
		http->stage = HTTP_CHUNK_SIZE;
	} else if (nd_str_eq_nocase(text, "Content-Type")) {
		for (len = 0; len + 1 < sizeof(reply->type) && value[len] > ' ' && value[len] != ';'; len++)
			reply->type[len] = (char)tolower((unsigned char)value[len]);
		reply->type[len] = '\0';
	} else if (nd_str_eq_nocase(text, "Retry-After") && nd_str_int(value, 0, 86400, &seconds)) {
		reply->retry_after = (unsigned)seconds;
	}
	return ND_OK;
}

/* The whole head at once, when it is there. */
static enum nd_err
head(struct http *http, struct link_reply *reply, struct nd_why *why)
{
	const char *from = nd_buf_text(&http->in) + http->at;
	size_t have = http->in.len - http->at, len;
	enum nd_err err;
	char *text;

	if (memmem(from, have, "\r\n\r\n", 4) == NULL && memmem(from, have, "\n\n", 2) == NULL)
		return have > HTTP_MAX_HEAD ? odd(why, "its headers are too long") : ND_OK;
	text = line(http, &len);
	err = status_line(text, reply, why);
	http->stage = HTTP_TO_END;
	while (err == ND_OK && (text = line(http, &len)) != NULL && len > 0)
		err = header(http, reply, text, why);
	if (err != ND_OK)
		return err;
	if (reply->status < 200)
		http->stage = HTTP_HEAD; /* 100: the real answer follows */
	else if (reply->status == 204 || reply->status == 304)
		http->stage = HTTP_COMPLETE;
	return ND_OK;
}

/* Moves what came of the body, or of a chunk. */
static enum nd_err
body(struct http *http, struct link_reply *reply, uint64_t most, struct nd_why *why)
{
	size_t have = http->in.len - http->at;

	if (have > most)
		have = (size_t)most;
	if (have > 0 && !nd_buf_add(&reply->body, http->in.octets + http->at, have))
		return nd_fail(why, ND_ETOOBIG, 0, "the answer is larger than %zu octets", HTTP_MAX_BODY);
	http->at += have;
	http->left -= http->stage == HTTP_TO_END ? 0 : have;
	return ND_OK;
}

static enum nd_err
chunk_size(struct http *http, struct nd_why *why)
{
	size_t len, digits;
	char *text = line(http, &len);
	uint64_t size = 0;

	if (text == NULL)
		return http->in.len - http->at > 1000 ? odd(why, "a chunk has no size") : ND_OK;
	digits = strspn(text, "0123456789abcdefABCDEF");
	if (digits == 0 || digits > 8 || strchr("; \t", text[digits]) == NULL)
		return odd(why, "a chunk has no size");
	for (len = 0; len < digits; len++)
		size = size * 16 +
		       (uint64_t)(isdigit((unsigned char)text[len]) ? text[len] - '0' : (text[len] | 0x20) - 'a' + 10);
	http->left = size;
	http->stage = size > 0 ? HTTP_CHUNK : HTTP_TRAILER;
	return ND_OK;
}

/* The chunk's octets, then the line end behind them. */
static enum nd_err
chunk(struct http *http, struct link_reply *reply, struct nd_why *why)
{
	size_t len;
	enum nd_err err = body(http, reply, http->left, why);

	if (err != ND_OK || http->left > 0 || line(http, &len) == NULL)
		return err;
	if (len > 0)
		return odd(why, "a chunk is longer than its size");
	http->stage = HTTP_CHUNK_SIZE;
	return ND_OK;
}

static enum nd_err
trailer(struct http *http, struct nd_why *why)
{
	size_t len;
	char *text = line(http, &len);

	if (text != NULL && len == 0)
		http->stage = HTTP_COMPLETE;
	return text == NULL && http->in.len - http->at > HTTP_MAX_HEAD ? odd(why, "its trailer is too long") : ND_OK;
}

static enum nd_err
step(struct http *http, struct link_reply *reply, bool at_end, struct nd_why *why)
{
	enum nd_err err;

	switch (http->stage) {
	case HTTP_HEAD:
		return head(http, reply, why);
	case HTTP_LENGTH:
		err = body(http, reply, http->left, why);
		if (http->left == 0)
			http->stage = HTTP_COMPLETE;
		return err;
	case HTTP_CHUNK_SIZE:
		return chunk_size(http, why);
	case HTTP_CHUNK:
		return chunk(http, reply, why);
	case HTTP_TRAILER:
		return trailer(http, why);
	case HTTP_TO_END:
		err = body(http, reply, UINT64_MAX, why);
		if (at_end)
			http->stage = HTTP_COMPLETE;
		return err;
	case HTTP_COMPLETE:
		break;
	}
	return ND_OK;
}

enum nd_err
http_read(struct http *http, struct link_reply *reply, bool at_end, struct nd_why *why)
{
	enum http_stage stage;
	enum nd_err err;
	size_t at;

	do {
		stage = http->stage;
		at = http->at;
		err = step(http, reply, at_end, why);
	} while (err == ND_OK && http->stage != HTTP_COMPLETE && (http->stage != stage || http->at != at));
	nd_buf_drop(&http->in, http->at);
	http->at = 0;
	return err;
}
