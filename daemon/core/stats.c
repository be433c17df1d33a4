/* SPDX-License-Identifier: Apache-2.0 */
/* stats.c - numbers for Prometheus, in its text format 0.0.4.  Layer: core.  Pure. */
#include "daemon/core/stats.h"

#include <inttypes.h>

static const struct {
	const char *name, *type;
	bool operator_only;
	const char *words;
} rows[STATS_COUNT] = {
#define STAT(symbol, name, type, operator_only, words) [symbol] = { name, type, operator_only, words },
#include "daemon/core/stats.def"
#undef STAT
};

const char *
stats_word(enum stats_name name)
{
	return rows[name].name;
}

bool
stats_secret(enum stats_name name)
{
	return rows[name].operator_only;
}

void
stats_begin(enum stats_name name, struct nd_buf *out)
{
	(void)nd_buf_addf(
	    out, "# HELP %s %s\n# TYPE %s %s\n", rows[name].name, rows[name].words, rows[name].name, rows[name].type);
}

static void
put_value(const char *text, struct nd_buf *out)
{
	for (; *text != '\0'; text++) {
		if (*text == '\n') {
			(void)nd_buf_adds(out, "\\n");
			continue;
		}
		if (*text == '"' || *text == '\\')
			(void)nd_buf_addc(out, '\\');
		(void)nd_buf_addc(out, *text);
	}
}

void
stats_sample(enum stats_name name, const struct stats_label *labels, int64_t value, struct nd_buf *out)
{
	char before = '{';

	(void)nd_buf_adds(out, rows[name].name);
	for (; labels != NULL && labels->name != NULL; labels++) {
		(void)nd_buf_addc(out, before);
		(void)nd_buf_adds(out, labels->name);
		(void)nd_buf_adds(out, "=\"");
		put_value(labels->value, out);
		(void)nd_buf_addc(out, '"');
		before = ',';
	}
	if (before == ',')
		(void)nd_buf_addc(out, '}');
	(void)nd_buf_addf(out, " %" PRId64 "\n", value);
}
