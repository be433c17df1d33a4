/* SPDX-License-Identifier: Apache-2.0 */
/* transcript.h - what was said on an SMTP session, to be shown when an attempt fails.  Layer: core.  Pure.
 *
 * A session feeds it as octets leave and come: into fixed room, the first lines and the last ones, without memory or formatting of its own. A
 * credential never enters, of the message there is only the size. With several mails under way each line belongs to one of them: whose attempt
 * failed is told of his own mail alone.
 */
#ifndef ND_CORE_TRANSCRIPT_H
#define ND_CORE_TRANSCRIPT_H

#include "common/buf.h"
#include "common/clock.h"
#include "daemon/core/echo.h"

#include <stdbool.h>
#include <stdint.h>

#define TRANSCRIPT_LINES 64u /* the first ones and the last ones */
#define TRANSCRIPT_FIRST 12u
#define TRANSCRIPT_LINE 512u    /* octets of one: what is longer is cut */
#define TRANSCRIPT_OCTETS 8192u /* of all lines together */
#define TRANSCRIPT_FIRST_OCTETS 2048u
#define TRANSCRIPT_TEXT 32768u /* octets of the text */
#define TRANSCRIPT_AHEAD 16u   /* mails under way */

enum transcript_side { TRANSCRIPT_NOTE, TRANSCRIPT_CLIENT, TRANSCRIPT_SERVER };

struct transcript_line {
	uint32_t ms;
	uint32_t start; /* of its octets, as they are counted */
	uint16_t len;
	uint16_t mail;
	uint8_t side; /* enum transcript_side */
	bool cut;
	bool open;      /* its end has not come yet */
	size_t content; /* octets of message that left; then there is no text */
};

/* All zero is empty. */
struct transcript {
	nd_ms began;
	bool used;            /* a mail was given */
	uint16_t said, heard; /* whose commands leave now, whose replies come */
	struct transcript_line lines[TRANSCRIPT_LINES];
	unsigned first;        /* lines of the beginning */
	bool full;             /* there will be no more of those */
	unsigned oldest, last; /* of the others: at oldest % N and on, `last` lines */
	uint32_t first_octets, octets_put;
	uint32_t left_out[TRANSCRIPT_AHEAD]; /* lines of each mail under way */
	struct echo echo;                    /* what was hidden */
	char octets[TRANSCRIPT_OCTETS];
};

void transcript_begin(struct transcript *transcript, nd_ms now);
/* A mail begins, alone. The first one of a session has its opening too; before others all is forgotten. */
void transcript_mail(struct transcript *transcript, nd_ms now);
void transcript_beside(struct transcript *transcript); /* another mail is said now, behind those under way */
void transcript_over(struct transcript *transcript); /* the outcome of the oldest was told: replies to the next come */

void transcript_note(struct transcript *transcript, const char *what, const char *value, nd_ms now);
void transcript_said(struct transcript *transcript, const char *octets, size_t len, nd_ms now); /* lines */
void transcript_hid(
    struct transcript *transcript, const char *octets, size_t len, nd_ms now); /* one with a credential */
void transcript_gave(struct transcript *transcript, size_t octets, nd_ms now); /* so much of a message */
void transcript_heard(struct transcript *transcript, const char *octets, size_t len, nd_ms now); /* of a line */

/* What is no one's business in a line: credentials that were said in this session and are said again, and what a challenge asks. It gets no longer, but for
 * a short challenge; `size` octets are there. */
void transcript_hide(const struct transcript *transcript, enum transcript_side side, char *line, size_t size);

/* The lines of the oldest mail that is under way, or of the session if there was none, as a text; `end` (NULL: nothing) is the last note. transcript NULL:
 * `end` alone. A line when it began, then each line as "MS SIDE WORDS". */
char *transcript_text(const struct transcript *transcript, const char *end, struct nd_now now);

/* Reads the text: first when it began, then line by line. false: there is no more. */
struct transcript_word {
	int64_t ms;
	enum transcript_side side;
	const char *text; /* borrowed, not terminated */
	size_t len;
};
bool transcript_start(const char **rest, nd_unix *began);
bool transcript_next(const char **rest, struct transcript_word *word);
const char *transcript_side_name(enum transcript_side side);

#endif
