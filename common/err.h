/* SPDX-License-Identifier: Apache-2.0 */
/* err.h - failures: a code, its kind, the words.  Layer: common, base.
 *
 * A function that can fail returns enum nd_err (0 is ND_OK), is marked ND_MUST_CHECK and takes `struct nd_why *why`
 * last, which is filled only on failure (NULL is allowed). The struct has a fixed size, so reporting cannot fail.
 */
#ifndef ND_COMMON_ERR_H
#define ND_COMMON_ERR_H

#include <stddef.h>

#define ND_MUST_CHECK __attribute__((warn_unused_result))
#define ND_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define ND_FORMATS(one, other) __attribute__((format_arg(one), format_arg(other))) /* returns one of two formats */

enum nd_err {
#define X(symbol, kind, http, name, words, hint) symbol,
#include "common/err.def"
#undef X
	ND_ERR_COUNT
};

enum nd_kind { ND_KIND_OK, ND_KIND_TRANSIENT, ND_KIND_PERMANENT, ND_KIND_CONFIG };

struct nd_why {
	enum nd_err err;
	int sys_errno;        /* 0, or the errno that caused it */
	unsigned line;        /* line of the input, 1-based; 0 = none */
	unsigned retry_after; /* seconds until it is worth trying again; 0 = not known */
	char field[80];       /* the field, header or setting concerned; "" = none */
	char text[320];       /* one sentence for people; never a secret */
	char hint[240];       /* what to do; "" = the table's hint */
};

enum nd_kind nd_err_kind(enum nd_err err);
int nd_err_http(enum nd_err err);
const char *nd_err_name(enum nd_err err);
const char *nd_err_words(enum nd_err err);
const char *nd_err_hint(enum nd_err err);

/* Fills `why` (when not NULL; field, line and hint are emptied first) and returns `err`. sys_errno != 0 appends ": strerror". Text is cut,
 * on a UTF-8 boundary, and control characters in it become '?'. */
enum nd_err nd_fail(struct nd_why *why, enum nd_err err, int sys_errno, const char *format, ...) ND_PRINTF(4, 5);
/* Adds the field, line (0 keeps) and hint (NULL keeps) to a filled `why`; returns why->err. */
enum nd_err nd_fail_at(struct nd_why *why, const char *field, unsigned line, const char *hint);
/* Adds when to try again, in milliseconds from now: rounded up to seconds, 1 to ND_RETRY_AFTER_MAX; returns why->err. */
#define ND_RETRY_AFTER_MAX 86400
enum nd_err nd_fail_retry(struct nd_why *why, long long wait_ms);
/* The hint to show: the failure's own, else the table's. */
const char *nd_why_hint(const struct nd_why *why);

#endif
