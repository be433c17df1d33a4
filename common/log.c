/* SPDX-License-Identifier: Apache-2.0 */
/* log.c - lines for the operator.  Layer: common, base.  Thread-safe. */
#include "common/log.h"

#include "common/buf.h"
#include "common/str.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#define LINE_MAX_OCTETS 8192u
#define LINE_USUAL 600u

static const char *const names[] = {
	[ND_LOG_ERR] = "err",
	[ND_LOG_WARNING] = "warning",
	[ND_LOG_NOTICE] = "notice",
	[ND_LOG_INFO] = "info",
	[ND_LOG_DEBUG] = "debug",
};

static _Atomic(nd_log_sink *) current = nd_log_stderr;
static atomic_int highest_level = ND_LOG_INFO;

void
nd_log_to(nd_log_sink *sink)
{
	atomic_store(&current, sink != NULL ? sink : nd_log_stderr);
}

void
nd_log_level(enum nd_level highest)
{
	atomic_store(&highest_level, (int)highest);
}

bool
nd_log_wanted(enum nd_level level)
{
	return (int)level <= atomic_load_explicit(&highest_level, memory_order_relaxed);
}

bool
nd_log_level_named(const char *name, enum nd_level *out)
{
	for (unsigned i = ND_LOG_ERR; i <= ND_LOG_DEBUG; i++) {
		if (nd_str_eq_nocase(name, names[i])) {
			*out = (enum nd_level)i;
			return true;
		}
	}
	return false;
}

void
nd_log(enum nd_level level, const struct nd_field *fields, const char *format, ...)
{
	int saved = errno; /* a log line must not change what its caller is about to report */
	char text[1024];
	va_list args;

	if (!nd_log_wanted(level))
		return;
	va_start(args, format);
	if (vsnprintf(text, sizeof(text), format, args) < 0)
		text[0] = '\0';
	va_end(args);
	if (strlen(text) == sizeof(text) - 1)
		text[nd_str_utf8_cut(text, sizeof(text) - 1, sizeof(text) - 2)] = '\0';
	atomic_load (&current)(level, text, fields);
	errno = saved;
}

/* Printable ASCII at the beginning. */
static size_t
plain(const char *text, size_t len)
{
	size_t n = nd_str_printable(text, len);

	while (n < len && text[n] >= ' ' && text[n] < 0x7f)
		n++;
	return n;
}

/* Nobody who sends us octets may write to the operator's terminal, or begin a line of his own. */
static void
put_escaped(struct nd_buf *line, const char *text)
{
	size_t left = strlen(text);

	while (left > 0 && !line->failed) {
		size_t n = plain(text, left);
		bool shown = n > 0;

		/* One by one behind the limit: as much as fits is kept. */
		if (n == 0 || n > line->limit - line->len) {
			n = nd_str_utf8_len(text, left);
			shown = n > 0 && !nd_str_has_control(text, n);
		}
		if (shown) {
			(void)nd_buf_add(line, text, n);
		} else {
			n = 1;
			(void)nd_buf_addf(line, "\\x%02x", (unsigned)(unsigned char)*text);
		}
		text += n;
		left -= n;
	}
}

void
nd_log_stderr(enum nd_level level, const char *text, const struct nd_field *fields)
{
	const char *between = " (";
	struct nd_buf line;

	nd_buf_init(&line, LINE_MAX_OCTETS);
	(void)nd_buf_reserve(&line, LINE_USUAL);
	(void)nd_buf_adds(&line, level >= ND_LOG_ERR && level <= ND_LOG_DEBUG ? names[level] : "err");
	(void)nd_buf_adds(&line, ": ");
	put_escaped(&line, text);
	for (; fields != NULL && fields->name != NULL; fields++) {
		if (fields->value == NULL)
			continue;
		(void)nd_buf_adds(&line, between);
		(void)nd_buf_adds(&line, fields->name);
		(void)nd_buf_addc(&line, '=');
		put_escaped(&line, fields->value);
		between = " ";
	}
	if (between[1] == '\0')
		(void)nd_buf_addc(&line, ')');
	/* stderr is not buffered: one call is one write, so lines of threads do not mix. */
	line.failed = false;
	if (!nd_buf_addc(&line, '\n'))
		line.octets[line.len - 1] = '\n';
	(void)fwrite(line.octets, 1, line.len, stderr);
	nd_buf_done(&line);
}
