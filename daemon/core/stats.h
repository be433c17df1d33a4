/* SPDX-License-Identifier: Apache-2.0 */
/* stats.h - numbers for Prometheus, in its text format 0.0.4.  Layer: core.  Pure. */
#ifndef ND_CORE_STATS_H
#define ND_CORE_STATS_H

#include "common/buf.h"

#include <stdbool.h>
#include <stdint.h>

#define STATS_TYPE "text/plain; version=0.0.4; charset=utf-8"

enum stats_name {
#define STAT(symbol, name, type, operator_only, words) symbol,
#include "daemon/core/stats.def"
#undef STAT
	STATS_COUNT
};

struct stats_label {
	const char *name, *value;
};

const char *stats_word(enum stats_name name);
bool stats_secret(enum stats_name name); /* not for submitters */
/* The two comment lines before the samples of a metric. */
void stats_begin(enum stats_name name, struct nd_buf *out);
/* One sample. `labels` end with a name that is NULL; values are escaped here. NULL: none. */
void stats_sample(enum stats_name name, const struct stats_label *labels, int64_t value, struct nd_buf *out);

#endif
