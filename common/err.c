/* SPDX-License-Identifier: Apache-2.0 */
/* err.c - failures: a code, its kind, the words.  Layer: common, base. */
#include "common/err.h"

#include "common/str.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct row {
	enum nd_kind kind;
	int http;
	const char *name, *words, *hint;
};

static const struct row rows[ND_ERR_COUNT] = {
#define X(symbol, kind, http, name, words, hint) [symbol] = { ND_KIND_##kind, http, name, words, hint },
#include "common/err.def"
#undef X
};

static const struct row *
find(enum nd_err err)
{
	return (unsigned)err < ND_ERR_COUNT ? &rows[err] : &rows[ND_EBUG];
}

enum nd_kind
nd_err_kind(enum nd_err err)
{
	return find(err)->kind;
}

int
nd_err_http(enum nd_err err)
{
	return find(err)->http;
}

const char *
nd_err_name(enum nd_err err)
{
	return find(err)->name;
}

const char *
nd_err_words(enum nd_err err)
{
	return find(err)->words;
}

const char *
nd_err_hint(enum nd_err err)
{
	return find(err)->hint;
}

/* Texts may quote what a peer sent: only valid UTF-8 without control characters reaches people and JSON. */
static void
put_clean(char *out, size_t size, const char *text)
{
	size_t left = strlen(text), used = 0;

	while (left > 0) {
		size_t n = nd_str_utf8_len(text, left);
		bool clean = n > 0 && !nd_str_has_control(text, n);

		if (n == 0)
			n = 1;
		if (used + (clean ? n : 1) >= size)
			break;
		if (clean)
			memcpy(out + used, text, n);
		else
			out[used] = '?';
		used += clean ? n : 1;
		text += n;
		left -= n;
	}
	out[used] = '\0';
}

enum nd_err
nd_fail(struct nd_why *why, enum nd_err err, int sys_errno, const char *format, ...)
{
	/* Formatted aside: the arguments may be parts of *why. */
	char text[1024], reason[128];
	va_list args;
	size_t len;

	if (why == NULL)
		return err;
	va_start(args, format);
	if (vsnprintf(text, sizeof(text), format, args) < 0)
		text[0] = '\0';
	va_end(args);
	len = strlen(text);
	if (sys_errno != 0)
		(void)snprintf(text + len, sizeof(text) - len, ": %s", strerror_r(sys_errno, reason, sizeof(reason)));
	why->err = err;
	why->sys_errno = sys_errno;
	why->line = 0;
	why->retry_after = 0;
	why->field[0] = '\0';
	why->hint[0] = '\0';
	put_clean(why->text, sizeof(why->text), text);
	return err;
}

enum nd_err
nd_fail_retry(struct nd_why *why, long long wait_ms)
{
	long long seconds = wait_ms > 1000LL * ND_RETRY_AFTER_MAX ? ND_RETRY_AFTER_MAX : (wait_ms + 999) / 1000;

	if (why == NULL)
		return ND_OK;
	why->retry_after = seconds < 1 ? 1 : (unsigned)seconds;
	return why->err;
}

enum nd_err
nd_fail_at(struct nd_why *why, const char *field, unsigned line, const char *hint)
{
	if (why == NULL)
		return ND_EBUG;
	if (field != NULL)
		put_clean(why->field, sizeof(why->field), field);
	if (line != 0)
		why->line = line;
	if (hint != NULL)
		put_clean(why->hint, sizeof(why->hint), hint);
	return why->err;
}

const char *
nd_why_hint(const struct nd_why *why)
{
	return why->hint[0] != '\0' ? why->hint : nd_err_hint(why->err);
}
