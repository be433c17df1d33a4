/* SPDX-License-Identifier: Apache-2.0 */
/* str.h - strict readers of small texts, and encodings.  Layer: common, base.  Pure. */
#ifndef ND_COMMON_STR_H
#define ND_COMMON_STR_H

#include "common/buf.h"
#include "common/clock.h"
#include "common/err.h"

#include <stdbool.h>
#include <stdint.h>

/* Whole text must match; no sign but '-', no spaces. false: not a number or out of range. */
bool nd_str_int(const char *text, int64_t min, int64_t max, int64_t *out);
/* "90s" "15m" "48h" "7d" "2w", also a bare number of seconds and sums ("1h30m"); result in ms. */
bool nd_str_duration(const char *text, nd_ms *out);
/* "512" "64K" "36M" "1G" (1024). */
bool nd_str_size(const char *text, int64_t *out);
bool nd_str_bool(const char *text, bool *out);    /* yes no true false on off 1 0 */
bool nd_str_utf8(const char *octets, size_t len); /* strict: no overlong, no surrogate, none above U+10FFFF */
/* Octets of the valid character that `octets` begins with; 0: none does. */
size_t nd_str_utf8_len(const char *octets, size_t len);
bool nd_str_has_control(const char *octets, size_t len); /* C0 (TAB, CR, LF included), DEL, C1 as UTF-8 */
/* At least so many octets at the beginning are printable ASCII: it looks at eight in one step. */
size_t nd_str_printable(const char *octets, size_t len);
bool nd_str_ascii(const char *octets, size_t len); /* printable 0x20-0x7e only */
bool nd_str_eight(const char *octets, size_t len); /* one of them is above 0x7f; looks at eight in one step */
/* Length of the longest start of `octets` that is at most `max` octets and ends between UTF-8 characters. */
size_t nd_str_utf8_cut(const char *octets, size_t len, size_t max);
bool nd_str_eq_nocase(const char *a, const char *b); /* ASCII */
bool nd_str_starts_nocase(const char *text, const char *start);
/* Edit distance without regard to ASCII case (two letters swapped count once), at most `max`+1: for "did you mean". */
unsigned nd_str_distance(const char *a, const char *b, unsigned max);
/* The candidate nearest to `text` (NULL-terminated array), or NULL when none is near (distance > 1 + len/4). */
const char *nd_str_nearest(const char *text, const char *const *candidates);
/* Wildcard match, ASCII without case: '*' any run, '?' one. */
bool nd_str_match(const char *pattern, const char *text);

/* Two digits for each octet, lower case, and a NUL: `out` has 2 * len + 1. */
void nd_str_hex(char *out, const void *octets, size_t len);
/* RFC 4648 with padding, one line. `out` grows by the encoded octets. */
bool nd_str_base64(struct nd_buf *out, const void *octets, size_t len);
/* Decodes; white space inside is skipped when `lax`. false: not base64, or `out` refused. `out` NULL: only checks. */
bool nd_str_unbase64(struct nd_buf *out, const char *text, size_t len, bool lax);
/* Checks as nd_str_unbase64 does, and tells how many octets it would give. */
bool nd_str_unbase64_size(const char *text, size_t len, bool lax, size_t *size);
/* As text or attribute value of HTML. */
bool nd_str_html(struct nd_buf *out, const char *text);
/* application/x-www-form-urlencoded and URL query parts (RFC 3986 unreserved stay, rest %XX). */
bool nd_str_percent(struct nd_buf *out, const char *octets, size_t len);
/* Undoes it; '+' is a space when `plus`. false on a bad %XX or a NUL. */
bool nd_str_unpercent(struct nd_buf *out, const char *text, size_t len, bool plus);

/* One mailbox as people write it (RFC 5322 3.4, no comments, no groups, no route):
 * "a@b", "<a@b>", "Name <a@b>", "\"Name, Inc.\" <a@b>". local part: dot-atom or quoted-string; domain: dot-atom or [literal];
 * UTF-8 allowed in name and (checked elsewhere) address. Limits: local 64, domain 255. */
struct nd_mailbox {
	char *name;    /* owned, unquoted; NULL when none */
	char *address; /* owned */
};
enum nd_err nd_str_mailbox(const char *text, size_t len, struct nd_mailbox *out, struct nd_why *why) ND_MUST_CHECK;
void nd_mailbox_done(struct nd_mailbox *mailbox);
/* Splits at commas outside quotes and <>, empty parts are skipped; calls nothing: *rest moves on. false at the end. [*start,*len) is trimmed. */
bool nd_str_list_next(const char **rest, const char **start, size_t *len);
/* The part after the last '@'; "" when there is none. */
const char *nd_str_domain(const char *address);

#endif
