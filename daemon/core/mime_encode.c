/* SPDX-License-Identifier: Apache-2.0 */
/* mime_encode.c - the body of a part as 7-bit octets.  Layer: core (of mime).  Pure. */
#include "daemon/core/mime_encode.h"

#include "common/str.h"

#include <stdint.h>
#include <string.h>

#define ROW 76        /* RFC 2045 6.7, 6.8: no encoded line is longer */
#define LINE_FULL 900 /* there is no need to wait until it has 998 */

/* Walks over the lines of all pieces, whatever ends them. */
struct cursor {
	const struct mime_piece *piece, *end;
	const char *at, *limit; /* what is left of the piece */
	bool cr;                /* the piece holds a CR: rare, so that LF alone is looked for elsewhere */
};

static void
enter(struct cursor *cursor)
{
	cursor->at = cursor->piece->octets;
	cursor->limit = cursor->at + cursor->piece->len;
	cursor->cr = memchr(cursor->at, '\r', cursor->piece->len) != NULL;
}

static struct cursor
start(const struct mime_piece *pieces, unsigned count)
{
	struct cursor cursor = { .piece = pieces, .end = pieces + count };

	if (count > 0)
		enter(&cursor);
	return cursor;
}

static const char *
line_end(const struct cursor *cursor)
{
	const char *p;

	if (!cursor->cr) {
		p = memchr(cursor->at, '\n', (size_t)(cursor->limit - cursor->at));
		return p != NULL ? p : cursor->limit;
	}
	for (p = cursor->at; p < cursor->limit && *p != '\n' && *p != '\r'; p++)
		continue;
	return p;
}

static bool
next_line(struct cursor *cursor, const char **line, size_t *len)
{
	const char *p;

	while (cursor->at == cursor->limit) {
		if (cursor->piece == cursor->end || ++cursor->piece == cursor->end)
			return false;
		enter(cursor);
	}
	p = line_end(cursor);
	*line = cursor->at;
	*len = (size_t)(p - cursor->at);
	if (p < cursor->limit)
		p += (cursor->cr && p + 1 < cursor->limit && p[0] == '\r' && p[1] == '\n') ? 2 : 1;
	cursor->at = p;
	return true;
}

struct facts {
	size_t octets;  /* with CRLFs */
	size_t escapes; /* octets that quoted-printable must escape */
	bool plain;     /* fit for 7bit */
};

static bool
blank(char c)
{
	return c == ' ' || c == '\t';
}

/* What an octet costs, in two counters: those that 7bit may not have, and '=', which only quoted-printable must escape. */
#define STRANGE (UINT64_C(1) << 32)
/* clang-format off */
static const uint64_t cost[256] = {
	[0 ... 8] = STRANGE, [10 ... 31] = STRANGE, ['='] = 1, [127 ... 255] = STRANGE,
};
/* clang-format on */

/* Whether the next eight octets cost nothing: most text is such, so eight are looked at in one step. A TAB counts as costly here. */
static bool
eight_free(const char *octets)
{
	const uint64_t ones = UINT64_C(0x0101010101010101), tops = ones << 7;
	uint64_t x, equals;

	memcpy(&x, octets, sizeof(x));
	equals = x ^ (ones * '=');
	/* Of octets below 128 a difference has its top bit when it is less than 0. */
	return ((x | (x + ones) | (x - ones * 0x20) | (equals - ones)) & tops) == 0;
}

/* "From " at a line's start is changed by mailboxes in mbox format, a lone dot ends a message for careless relays. */
static bool
fragile(const char *line, size_t len)
{
	return (len >= 5 && memcmp(line, "From ", 5) == 0) || (len == 1 && line[0] == '.');
}

static void
look_at(struct facts *facts, const char *line, size_t len, bool in_multipart)
{
	uint64_t sum = 0, strange;
	size_t i, n;

	for (i = 0; i + 8 <= len; i += 8) {
		if (eight_free(line + i))
			continue;
		for (n = 0; n < 8; n++)
			sum += cost[(unsigned char)line[i + n]];
	}
	for (; i < len; i++)
		sum += cost[(unsigned char)line[i]];
	strange = sum >> 32;
	if (fragile(line, len) || (len > 0 && blank(line[len - 1])))
		strange++;
	facts->octets += len + 2;
	facts->escapes += strange + (sum & UINT32_MAX);
	if (strange > 0 || len > ROW || (in_multipart && len >= 4 && memcmp(line, "--=_", 4) == 0))
		facts->plain = false;
}

static struct facts
look(const struct mime_piece *pieces, unsigned count, bool in_multipart)
{
	struct facts facts = { .plain = true };
	struct cursor cursor = start(pieces, count);
	const char *line;
	size_t len;

	while (next_line(&cursor, &line, &len))
		look_at(&facts, line, len, in_multipart);
	return facts;
}

/* `octets`: how many it will be. What is kept in memory gets its place at once. */
static void
as_is(struct nd_buf *out, const struct mime_piece *pieces, unsigned count, size_t octets)
{
	static const char head[] = "Content-Transfer-Encoding: 7bit\r\n\r\n";
	struct cursor cursor = start(pieces, count);
	const char *line;
	char *place;
	size_t len;

	if (out->sink == NULL)
		(void)nd_buf_reserve(out, sizeof(head) - 1 + octets);
	nd_buf_adds(out, head);
	while (next_line(&cursor, &line, &len) && (place = nd_buf_reserve(out, len + 2)) != NULL) {
		memcpy(place, line, len);
		memcpy(place + len, "\r\n", 2);
		nd_buf_grown(out, len + 2);
		nd_buf_pass(out, 0);
	}
}

/* A row of quoted-printable. */
struct row {
	struct nd_buf *out; /* NULL: only counted */
	size_t *size;
	size_t used;
	bool guarded; /* no boundary may come out */
	char octets[ROW + 2];
};

static void
end_row(struct row *row, const char *end)
{
	size_t len = strlen(end);

	memcpy(row->octets + row->used, end, len);
	*row->size += row->used + len;
	if (row->out != NULL) {
		nd_buf_add(row->out, row->octets, row->used + len);
		nd_buf_pass(row->out, 0);
	}
	row->used = 0;
}

/* `widest`: the last octet of a line may take the column that is else kept free for the '=' of a soft break. */
static void
put(struct row *row, unsigned char c, bool plain, size_t widest)
{
	static const char hex[] = "0123456789ABCDEF";

	if (row->used + (plain ? 1 : 3) > widest)
		end_row(row, "=\r\n");
	if (plain && !(row->guarded && row->used == 0 && c == '-')) {
		row->octets[row->used++] = (char)c;
	} else {
		row->octets[row->used++] = '=';
		row->octets[row->used++] = hex[c >> 4];
		row->octets[row->used++] = hex[c & 15];
	}
}

static void
quote_line(struct nd_buf *out, const char *line, size_t len, bool guarded, size_t *size)
{
	struct row row = { .out = out, .size = size, .guarded = guarded };
	const unsigned char *p = (const unsigned char *)line, *last = p + (len > 0 ? len - 1 : 0);

	if (len > 1 && (fragile(line, len) || (guarded && *p == '-')))
		put(&row, *p++, false, ROW - 1);
	for (; p < last; p++) {
		for (; last - p > 8 && row.used + 8 < ROW && eight_free((const char *)p); p += 8) {
			memcpy(row.octets + row.used, p, 8);
			row.used += 8;
		}
		put(&row, *p, cost[*p] == 0, ROW - 1);
	}
	if (len > 0)
		put(&row, *last, cost[*last] == 0 && !blank(line[len - 1]) && !(len == 1 && fragile(line, len)), ROW);
	end_row(&row, "\r\n");
}

/* How many octets it takes; `out` NULL: that only. */
static size_t
quoted(struct nd_buf *out, const struct mime_piece *pieces, unsigned count)
{
	struct cursor cursor = start(pieces, count);
	const char *line;
	size_t len, size = 0;

	while (next_line(&cursor, &line, &len) && (out == NULL || !out->failed))
		quote_line(out, line, len, false, &size);
	return size;
}

void
mime_encode_line(struct nd_buf *out, const char *line, size_t len)
{
	size_t size = 0;

	quote_line(out, line, len, true, &size);
}

void
mime_encode_rows_end(struct mime_encode_rows *rows, struct nd_buf *out)
{
	if (rows->used == 0)
		return;
	nd_str_base64(out, rows->octets, rows->used);
	nd_buf_adds(out, "\r\n");
	nd_buf_pass(out, 0);
	rows->used = 0;
}

void
mime_encode_rows_add(struct mime_encode_rows *rows, struct nd_buf *out, const char *octets, size_t len)
{
	size_t n;

	while (len > 0) {
		n = MIME_ENCODE_ROW - rows->used;
		if (n > len)
			n = len;
		memcpy(rows->octets + rows->used, octets, n);
		rows->used += n;
		octets += n;
		len -= n;
		if (rows->used == MIME_ENCODE_ROW)
			mime_encode_rows_end(rows, out);
	}
}

static void
based(struct nd_buf *out, const struct mime_piece *pieces, unsigned count)
{
	struct cursor cursor = start(pieces, count);
	struct mime_encode_rows rows = { .used = 0 };
	const char *line;
	size_t len;

	nd_buf_adds(out, "Content-Transfer-Encoding: base64\r\n\r\n");
	while (next_line(&cursor, &line, &len) && !out->failed) {
		mime_encode_rows_add(&rows, out, line, len);
		mime_encode_rows_add(&rows, out, "\r\n", 2);
	}
	mime_encode_rows_end(&rows, out);
}

static size_t
base64_size(size_t octets)
{
	size_t chars = (octets + 2) / 3 * 4;

	return chars + (chars + ROW - 1) / ROW * 2;
}

/* Soft line breaks are counted only where they decide: each stands behind at least ROW - 3 columns and takes 3 octets. */
static bool
quoted_is_shorter(const struct facts *facts, const struct mime_piece *pieces, unsigned count)
{
	size_t most = base64_size(facts->octets), least = facts->octets + 2 * facts->escapes;

	if (least > most)
		return false;
	return least + 3 * (least / (ROW - 3)) <= most || quoted(NULL, pieces, count) <= most;
}

void
mime_encode_text(struct nd_buf *out, const struct mime_piece *pieces, unsigned count, bool in_multipart)
{
	struct facts facts = look(pieces, count, in_multipart);

	if (facts.plain) {
		as_is(out, pieces, count, facts.octets);
		return;
	}
	if (quoted_is_shorter(&facts, pieces, count)) {
		nd_buf_adds(out, "Content-Transfer-Encoding: quoted-printable\r\n\r\n");
		(void)quoted(out, pieces, count);
	} else {
		based(out, pieces, count);
	}
}

void
mime_encode_mend(struct nd_buf *out, const char *line, size_t len)
{
	size_t column = 0;

	for (size_t i = 0; i < len; i++) {
		const unsigned char c = (unsigned char)line[i];

		if (c <= 0x7f) {
			(void)nd_buf_addc(out, line[i]);
			column++;
			continue;
		}
		if (column > ROW - 4) {
			(void)nd_buf_adds(out, "=\r\n");
			column = 0;
		}
		(void)nd_buf_addf(out, "=%02X", c);
		column += 3;
		if (column + len - i > LINE_FULL) {
			(void)nd_buf_adds(out, "=\r\n");
			column = 0;
		}
	}
}

void
mime_encode_without(struct nd_buf *out, const char *octets, size_t len, const char *instead)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)octets[i] <= 0x7f)
			(void)nd_buf_addc(out, octets[i]);
		else
			(void)nd_buf_adds(out, instead);
}

static bool
alphabet(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '/' ||
	       c == '=';
}

bool
mime_encode_rewrap(struct nd_buf *out, const char *base64, size_t len)
{
	char row[ROW + 2];
	size_t used = 0, i;

	for (i = 0; i < len && !out->failed; i++) {
		if (blank(base64[i]) || base64[i] == '\r' || base64[i] == '\n')
			continue;
		if (!alphabet(base64[i]))
			return false;
		row[used++] = base64[i];
		if (used < ROW)
			continue;
		memcpy(row + used, "\r\n", 2);
		nd_buf_add(out, row, used + 2);
		nd_buf_pass(out, 0);
		used = 0;
	}
	if (used > 0) {
		memcpy(row + used, "\r\n", 2);
		nd_buf_add(out, row, used + 2);
	}
	return true;
}
