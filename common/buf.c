/* SPDX-License-Identifier: Apache-2.0 */
/* buf.c - a byte buffer with a limit from birth.  Layer: common, base. */
#include "common/buf.h"

#include "common/mem.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_ROOM 256u
/* Up to here a buffer that moves wipes its old place: it may hold a secret, and the cost is nothing. */
#define WIPED_ROOM 65536u
/* A sink is given so many octets at a time, or more. */
#define PASSED 65536u
/* So that no sum of a length and a room overflows. */
#define MOST (SIZE_MAX / 4)

void
nd_buf_init(struct nd_buf *buf, size_t limit)
{
	*buf = (struct nd_buf){ .limit = limit < MOST ? limit : MOST };
}

void
nd_buf_init_sink(struct nd_buf *buf, size_t limit, nd_buf_sink *sink, void *arg)
{
	nd_buf_init(buf, limit);
	buf->sink = sink;
	buf->sink_arg = arg;
}

static void
pass(struct nd_buf *buf, size_t len)
{
	if (buf->failed || len == 0)
		return;
	if (buf->sink(buf->sink_arg, buf->octets, len))
		nd_buf_drop(buf, len);
	else
		buf->failed = true;
}

void
nd_buf_pass(struct nd_buf *buf, size_t keep)
{
	if (buf->sink != NULL && buf->len >= PASSED + keep)
		pass(buf, buf->len - keep);
}

bool
nd_buf_flush(struct nd_buf *buf)
{
	pass(buf, buf->len);
	return !buf->failed;
}

void
nd_buf_done(struct nd_buf *buf)
{
	if (buf == NULL)
		return;
	free(buf->octets);
	nd_buf_init(buf, buf->limit);
}

void
nd_buf_wipe(struct nd_buf *buf)
{
	if (buf == NULL)
		return;
	/* The whole room: octets that were dropped or cleared lie behind the end. */
	nd_wipe_free(buf->octets, buf->octets != NULL ? buf->room + 1 : 0);
	nd_buf_init(buf, buf->limit);
}

void
nd_buf_clear(struct nd_buf *buf)
{
	buf->len = 0;
	buf->failed = false;
	if (buf->octets != NULL)
		buf->octets[0] = '\0';
}

static bool
move(struct nd_buf *buf, size_t room)
{
	char *octets;

	if (buf->room > WIPED_ROOM) {
		octets = realloc(buf->octets, room + 1);
		if (octets == NULL)
			return false;
	} else {
		octets = malloc(room + 1);
		if (octets == NULL)
			return false;
		if (buf->octets != NULL) {
			memcpy(octets, buf->octets, buf->len + 1);
			nd_wipe_free(buf->octets, buf->room + 1);
		}
	}
	buf->octets = octets;
	buf->room = room;
	return true;
}

static char *
make_room(struct nd_buf *buf, size_t len)
{
	size_t room = buf->room < FIRST_ROOM ? FIRST_ROOM : buf->room;

	if (buf->failed)
		return NULL;
	if (len > buf->limit - buf->len) {
		buf->failed = true;
		return NULL;
	}
	while (room - buf->len < len)
		room = room > buf->limit / 2 ? buf->limit : room * 2;
	if (room > buf->limit)
		room = buf->limit;
	if (!move(buf, room)) {
		buf->failed = true;
		return NULL;
	}
	buf->octets[buf->len] = '\0';
	return buf->octets + buf->len;
}

/* Nearly always there is room; it never exceeds the limit. */
static inline char *
place_of(struct nd_buf *buf, size_t len)
{
	if (buf->octets != NULL && !buf->failed && len <= buf->room - buf->len)
		return buf->octets + buf->len;
	return make_room(buf, len);
}

char *
nd_buf_reserve(struct nd_buf *buf, size_t len)
{
	return place_of(buf, len);
}

void
nd_buf_grown(struct nd_buf *buf, size_t len)
{
	buf->len += len;
	buf->octets[buf->len] = '\0';
}

bool
nd_buf_add(struct nd_buf *buf, const void *octets, size_t len)
{
	char *place = place_of(buf, len);

	if (place == NULL)
		return false;
	if (len > 0)
		memcpy(place, octets, len);
	place[len] = '\0';
	buf->len += len;
	return true;
}

bool
nd_buf_adds(struct nd_buf *buf, const char *text)
{
	return nd_buf_add(buf, text, strlen(text));
}

bool
nd_buf_addc(struct nd_buf *buf, char c)
{
	if (buf->failed || buf->len >= buf->room)
		return nd_buf_add(buf, &c, 1);
	buf->octets[buf->len++] = c;
	buf->octets[buf->len] = '\0';
	return true;
}

bool
nd_buf_addi(struct nd_buf *buf, int64_t number)
{
	char digits[20]; /* of 9223372036854775808, and the sign */
	char *first = digits + sizeof(digits);
	uint64_t left = number < 0 ? -(uint64_t)number : (uint64_t)number;

	do
		*--first = (char)('0' + left % 10);
	while ((left /= 10) > 0);
	if (number < 0)
		*--first = '-';
	return nd_buf_add(buf, first, (size_t)(digits + sizeof(digits) - first));
}

bool
nd_buf_addf(struct nd_buf *buf, const char *format, ...)
{
	va_list args;
	char *place = nd_buf_reserve(buf, 0);
	int len;

	if (place == NULL)
		return false;
	va_start(args, format);
	len = vsnprintf(place, buf->room - buf->len + 1, format, args);
	va_end(args);
	if (len >= 0 && (size_t)len <= buf->room - buf->len) { /* it fitted at once, as it nearly always does */
		nd_buf_grown(buf, (size_t)len);
		return true;
	}
	*place = '\0';
	place = len >= 0 ? nd_buf_reserve(buf, (size_t)len) : NULL;
	if (place == NULL) {
		buf->failed = true;
		return false;
	}
	va_start(args, format);
	(void)vsnprintf(place, (size_t)len + 1, format, args);
	va_end(args);
	nd_buf_grown(buf, (size_t)len);
	return true;
}

void
nd_buf_drop(struct nd_buf *buf, size_t len)
{
	if (buf->octets == NULL || len == 0)
		return;
	if (len > buf->len)
		len = buf->len;
	memmove(buf->octets, buf->octets + len, buf->len - len + 1);
	buf->len -= len;
}

const char *
nd_buf_text(const struct nd_buf *buf)
{
	return buf->octets != NULL ? buf->octets : "";
}

char *
nd_buf_take(struct nd_buf *buf, size_t *len)
{
	char *octets = buf->octets;

	if (len != NULL)
		*len = buf->len;
	nd_buf_init(buf, buf->limit);
	return octets;
}
