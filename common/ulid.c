/* SPDX-License-Identifier: Apache-2.0 */
/* ulid.c - job ids.  Layer: common, base.  Pure: randomness is passed in. */
#include "common/ulid.h"

#include <string.h>

#define TIME_CHARS 10
#define TAIL_MIN 6
#define TIME_MAX ((INT64_C(1) << 48) - 1)

static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/* -1: not a digit of Crockford's. */
static int
value_of(char c)
{
	const char *found = c != '\0' ? strchr(digits, c) : NULL;

	return found != NULL ? (int)(found - digits) : -1;
}

/* false: it was all ones and is 0 now. */
static bool
count_up(uint8_t entropy[10])
{
	for (int i = 9; i >= 0; i--) {
		if (++entropy[i] != 0)
			return true;
	}
	return false;
}

static void
write_id(nd_unix when, const uint8_t entropy[10], char out[ND_ULID_LEN + 1])
{
	for (int i = TIME_CHARS - 1; i >= 0; i--) {
		out[i] = digits[when & 31];
		when >>= 5;
	}
	for (int i = 0; i < 16; i++) {
		int bit = i * 5, octet = bit / 8, shift = 11 - bit % 8;
		unsigned pair = (unsigned)entropy[octet] << 8 | (octet < 9 ? entropy[octet + 1] : 0u);

		out[TIME_CHARS + i] = digits[pair >> shift & 31];
	}
	out[ND_ULID_LEN] = '\0';
}

void
nd_ulid_next(struct nd_ulid_maker *maker, nd_unix now, const uint8_t fresh[10], char out[ND_ULID_LEN + 1])
{
	if (now > TIME_MAX)
		now = TIME_MAX;
	if (now > maker->last) {
		maker->last = now;
		memcpy(maker->entropy, fresh, sizeof(maker->entropy));
	} else if (!count_up(maker->entropy) && maker->last < TIME_MAX) {
		/* All ids of this millisecond are used up: the next one is borrowed. */
		maker->last++;
	}
	write_id(maker->last, maker->entropy, out);
}

static void
read_entropy(const char *id, uint8_t entropy[10])
{
	unsigned bits = 0;
	int have = 0, at = 0;

	for (int i = TIME_CHARS; i < ND_ULID_LEN; i++) {
		bits = bits << 5 | (unsigned)value_of(id[i]);
		have += 5;
		if (have >= 8) {
			have -= 8;
			entropy[at++] = (uint8_t)(bits >> have & 0xff);
		}
	}
}

void
nd_ulid_after(struct nd_ulid_maker *maker, const char *id)
{
	char last[ND_ULID_LEN + 1];

	if (!nd_ulid_valid(id))
		return;
	write_id(maker->last, maker->entropy, last);
	if (strcmp(id, last) <= 0)
		return;
	maker->last = nd_ulid_time(id);
	read_entropy(id, maker->entropy);
}

bool
nd_ulid_valid(const char *text)
{
	if (text == NULL || strnlen(text, ND_ULID_LEN + 1) != ND_ULID_LEN || text[0] > '7')
		return false;
	for (int i = 0; i < ND_ULID_LEN; i++) {
		if (value_of(text[i]) < 0)
			return false;
	}
	return true;
}

bool
nd_ulid_tail(const char *text, char out[ND_ULID_LEN + 1])
{
	char tail[ND_ULID_LEN + 1];
	size_t len = strnlen(text, ND_ULID_LEN + 1);

	if (len < TAIL_MIN || len > ND_ULID_LEN)
		return false;
	for (size_t i = 0; i < len; i++) {
		char c = text[i] >= 'a' && text[i] <= 'z' ? (char)(text[i] - 32) : text[i];

		c = c == 'I' || c == 'L' ? '1' : c == 'O' ? '0' : c;
		if (value_of(c) < 0)
			return false;
		tail[i] = c;
	}
	if (len == ND_ULID_LEN && tail[0] > '7')
		return false;
	tail[len] = '\0';
	memcpy(out, tail, len + 1);
	return true;
}

nd_unix
nd_ulid_time(const char *id)
{
	nd_unix when = 0;

	if (!nd_ulid_valid(id))
		return 0;
	for (int i = 0; i < TIME_CHARS; i++)
		when = when * 32 + value_of(id[i]);
	return when;
}
