/* SPDX-License-Identifier: Apache-2.0 */
/* transcript.c - what was said on an SMTP session, to be shown when an attempt fails.  Layer: core. */
#include "daemon/core/transcript.h"

#include "common/mem.h"
#include "common/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LAST (TRANSCRIPT_LINES - TRANSCRIPT_FIRST)
#define RING (TRANSCRIPT_OCTETS - TRANSCRIPT_FIRST_OCTETS)
#define ROOM (TRANSCRIPT_LINE + 64u) /* of a line that is made to be shown */

static const char sides[] = { [TRANSCRIPT_NOTE] = '*', [TRANSCRIPT_CLIENT] = '>', [TRANSCRIPT_SERVER] = '<' };

const char *
transcript_side_name(enum transcript_side side)
{
	static const char *const names[] = {
		[TRANSCRIPT_NOTE] = "note", [TRANSCRIPT_CLIENT] = "client", [TRANSCRIPT_SERVER] = "server"
	};

	return names[side];
}

static struct transcript_line *
last_line(struct transcript *transcript, unsigned n)
{
	return &transcript->lines[TRANSCRIPT_FIRST + (transcript->oldest + n) % LAST];
}

/* The newest line; NULL there is none. */
static struct transcript_line *
newest(struct transcript *transcript)
{
	if (transcript->last > 0)
		return last_line(transcript, transcript->last - 1);
	return transcript->first > 0 ? &transcript->lines[transcript->first - 1] : NULL;
}

static bool
is_first(const struct transcript *transcript, const struct transcript_line *line)
{
	return line < &transcript->lines[TRANSCRIPT_FIRST];
}

/* The oldest of the last lines makes room. */
static void
leave_out(struct transcript *transcript)
{
	const struct transcript_line *line = last_line(transcript, 0);

	if (line->mail >= transcript->heard)
		transcript->left_out[line->mail % TRANSCRIPT_AHEAD]++;
	transcript->oldest = (transcript->oldest + 1) % LAST;
	transcript->last--;
}

static struct transcript_line *
add_line(struct transcript *transcript, enum transcript_side side, uint16_t mail, nd_ms now)
{
	struct transcript_line *line;
	uint32_t start;

	/* Whatever comes for it has room there. */
	transcript->full = transcript->full || transcript->first == TRANSCRIPT_FIRST ||
			   transcript->first_octets + TRANSCRIPT_LINE > TRANSCRIPT_FIRST_OCTETS;
	if (!transcript->full) {
		line = &transcript->lines[transcript->first++];
		start = transcript->first_octets;
	} else {
		if (transcript->last == LAST)
			leave_out(transcript);
		line = last_line(transcript, transcript->last++);
		start = transcript->octets_put;
	}
	*line = (struct transcript_line){
		.ms = (uint32_t)(now - transcript->began), .start = start, .mail = mail, .side = (uint8_t)side
	};
	return line;
}

/* To the end of the newest line. */
static void
add_octets(struct transcript *transcript, struct transcript_line *line, const char *octets, size_t len)
{
	const size_t room = TRANSCRIPT_LINE - line->len;
	char *ring = transcript->octets + TRANSCRIPT_FIRST_OCTETS;
	size_t at, part;

	if (len > room) {
		line->cut = true;
		len = room;
	}
	line->len = (uint16_t)(line->len + len);
	if (is_first(transcript, line)) {
		memcpy(transcript->octets + transcript->first_octets, octets, len);
		transcript->first_octets += (uint32_t)len;
		return;
	}
	at = transcript->octets_put % RING;
	part = len < RING - at ? len : RING - at;
	memcpy(ring + at, octets, part);
	memcpy(ring, octets + part, len - part);
	transcript->octets_put += (uint32_t)len;
	while (transcript->octets_put - last_line(transcript, 0)->start > RING)
		leave_out(transcript);
}

/* The octets of a line, as they came, into `out`. */
static void
copy_octets(const struct transcript *transcript, const struct transcript_line *line, char *out)
{
	const char *ring = transcript->octets + TRANSCRIPT_FIRST_OCTETS;
	const size_t at = line->start % RING, part = line->len < RING - at ? line->len : RING - at;

	if (is_first(transcript, line)) {
		memcpy(out, transcript->octets + line->start, line->len);
		return;
	}
	memcpy(out, ring + at, part);
	memcpy(out + part, ring, line->len - part);
}

void
transcript_begin(struct transcript *transcript, nd_ms now)
{
	transcript->began = now;
	transcript->used = transcript->full = false;
	transcript->said = transcript->heard = 0;
	transcript->first = transcript->oldest = transcript->last = 0;
	transcript->first_octets = transcript->octets_put = 0;
	memset(transcript->left_out, 0, sizeof(transcript->left_out));
	transcript->echo.count = 0;
}

void
transcript_mail(struct transcript *transcript, nd_ms now)
{
	if (transcript->used)
		transcript_begin(transcript, now);
	transcript->used = true;
}

void
transcript_beside(struct transcript *transcript)
{
	transcript->said++;
	transcript->left_out[transcript->said % TRANSCRIPT_AHEAD] = 0;
}

void
transcript_over(struct transcript *transcript)
{
	transcript->heard++;
}

static size_t
without_end(const char *octets, size_t len)
{
	while (len > 0 && (octets[len - 1] == '\n' || octets[len - 1] == '\r'))
		len--;
	return len;
}

static void
add(struct transcript *transcript, enum transcript_side side, const char *octets, size_t len, nd_ms now)
{
	const uint16_t mail = side == TRANSCRIPT_SERVER ? transcript->heard : transcript->said;

	add_octets(transcript, add_line(transcript, side, mail, now), octets, without_end(octets, len));
}

void
transcript_note(struct transcript *transcript, const char *what, const char *value, nd_ms now)
{
	struct transcript_line *line = add_line(transcript, TRANSCRIPT_NOTE, transcript->said, now);

	add_octets(transcript, line, what, strlen(what));
	add_octets(transcript, line, " ", 1);
	add_octets(transcript, line, value, strlen(value));
}

void
transcript_said(struct transcript *transcript, const char *octets, size_t len, nd_ms now)
{
	const char *end = octets + len;

	while (octets < end) {
		const char *lf = memchr(octets, '\n', (size_t)(end - octets));
		const char *next = lf ? lf + 1 : end;

		add(transcript, TRANSCRIPT_CLIENT, octets, (size_t)(next - octets), now);
		octets = next;
	}
}

/* Of "AUTH PLAIN AGFu…" the last word; of a message of AUTH all. */
void
transcript_hid(struct transcript *transcript, const char *octets, size_t len, nd_ms now)
{
	struct transcript_line *line = add_line(transcript, TRANSCRIPT_CLIENT, transcript->said, now);
	const size_t before = echo_note(&transcript->echo, octets, len);

	if (len >= 5 && memcmp(octets, "AUTH ", 5) == 0)
		add_octets(transcript, line, octets, before);
	add_octets(transcript, line, ECHO_HIDDEN, strlen(ECHO_HIDDEN));
}

void
transcript_gave(struct transcript *transcript, size_t octets, nd_ms now)
{
	struct transcript_line *line = newest(transcript);

	if (!line || line->content == 0 || line->mail != transcript->said)
		line = add_line(transcript, TRANSCRIPT_CLIENT, transcript->said, now);
	line->content += octets;
}

void
transcript_heard(struct transcript *transcript, const char *octets, size_t len, nd_ms now)
{
	struct transcript_line *line = newest(transcript);

	if (len == 0)
		return;
	if (!line || !line->open || line->side != TRANSCRIPT_SERVER || line->mail != transcript->heard)
		line = add_line(transcript, TRANSCRIPT_SERVER, transcript->heard, now);
	line->open = octets[len - 1] != '\n';
	add_octets(transcript, line, octets, without_end(octets, len));
}

/* -- as a text -- */

/* Who repeats a credential, or asks with one: a challenge of AUTH may be answered by trying. */
void
transcript_hide(const struct transcript *transcript, enum transcript_side side, char *line, size_t size)
{
	if (transcript->echo.count == 0)
		return;
	if (side == TRANSCRIPT_SERVER && strncmp(line, "334 ", 4) == 0 && line[4] != '\0')
		(void)snprintf(line + 4, size - 4, ECHO_HIDDEN);
	echo_hide(&transcript->echo, line);
}

/* What cannot be shown is replaced; a line is one. */
static void
clean(char *text, size_t len)
{
	size_t at = 0, one;

	for (; at < len; at += one) {
		one = nd_str_utf8_len(text + at, len - at);
		if (one == 0 || nd_str_has_control(text + at, one)) {
			one = one == 0 ? 1 : one;
			memset(text + at, '?', one);
		}
	}
	text[len] = '\0';
}

/* 2314 => "<2,314 octets>" */
static void
put_size(struct nd_buf *out, size_t octets)
{
	char digits[24];
	int len = snprintf(digits, sizeof(digits), "%zu", octets);

	(void)nd_buf_addc(out, '<');
	for (int i = 0; i < len; i++) {
		(void)nd_buf_addc(out, digits[i]);
		if (i + 1 < len && (len - i) % 3 == 1)
			(void)nd_buf_addc(out, ',');
	}
	(void)nd_buf_adds(out, octets == 1 ? " octet>" : " octets>");
}

static void
put_line(const struct transcript *transcript, const struct transcript_line *line, struct nd_buf *out)
{
	char text[ROOM];
	size_t len = line->len;

	(void)nd_buf_addf(out, "%u %c ", (unsigned)line->ms, sides[line->side]);
	if (line->content > 0) {
		put_size(out, line->content);
	} else {
		copy_octets(transcript, line, text);
		if (line->cut) /* not amid a character */
			len = nd_str_utf8_cut(text, len, len - 3);
		clean(text, len);
		transcript_hide(transcript, (enum transcript_side)line->side, text, sizeof(text));
		(void)nd_buf_adds(out, text);
		if (line->cut)
			(void)nd_buf_adds(out, "…");
	}
	(void)nd_buf_addc(out, '\n');
}

static void
put_lines(const struct transcript *transcript, struct nd_buf *out)
{
	const uint16_t mail = transcript->heard;
	const unsigned left_out = transcript->left_out[mail % TRANSCRIPT_AHEAD];
	bool told = left_out == 0;

	for (unsigned i = 0; i < transcript->first; i++)
		if (transcript->lines[i].mail == mail)
			put_line(transcript, &transcript->lines[i], out);
	for (unsigned i = 0; i < transcript->last; i++) {
		const struct transcript_line *line =
		    &transcript->lines[TRANSCRIPT_FIRST + (transcript->oldest + i) % LAST];

		if (line->mail != mail)
			continue;
		if (!told)
			(void)nd_buf_addf(out, "%u * %u line%s left out here\n", (unsigned)line->ms, left_out,
			    left_out == 1 ? " is" : "s are");
		told = true;
		put_line(transcript, line, out);
	}
}

char *
transcript_text(const struct transcript *transcript, const char *end, struct nd_now now)
{
	const nd_ms began = transcript ? transcript->began : now.ms;
	char text[ROOM];
	struct nd_buf out;
	size_t len;

	nd_buf_init(&out, TRANSCRIPT_TEXT);
	(void)nd_buf_addf(&out, "%lld\n", (long long)(now.unix_ms - (now.ms - began)));
	if (transcript)
		put_lines(transcript, &out);
	if (end && end[0] != '\0') {
		len = nd_str_utf8_cut(end, strlen(end), TRANSCRIPT_LINE);
		memcpy(text, end, len);
		clean(text, len);
		if (transcript)
			transcript_hide(transcript, TRANSCRIPT_NOTE, text, sizeof(text));
		(void)nd_buf_addf(&out, "%lld * %s\n", (long long)(now.ms - began), text);
	}
	return nd_buf_take(&out, NULL);
}

/* A number and one octet behind it. */
static bool
take_number(const char **rest, char behind, int64_t *out)
{
	char digits[24];
	const size_t len = strspn(*rest, "0123456789");

	if (len == 0 || len >= sizeof(digits) || (*rest)[len] != behind)
		return false;
	memcpy(digits, *rest, len);
	digits[len] = '\0';
	*rest += len + 1;
	return nd_str_int(digits, 0, INT64_MAX, out);
}

bool
transcript_start(const char **rest, nd_unix *began)
{
	return take_number(rest, '\n', began);
}

bool
transcript_next(const char **rest, struct transcript_word *word)
{
	const char *at = *rest, *side, *lf;

	if (!take_number(&at, ' ', &word->ms) || at[0] == '\0' || at[1] != ' ')
		return false;
	side = memchr(sides, at[0], sizeof(sides));
	lf = strchr(at, '\n');
	if (!side || !lf)
		return false;
	word->side = (enum transcript_side)(side - sides);
	word->text = at + 2;
	word->len = (size_t)(lf - word->text);
	*rest = lf + 1;
	return true;
}
