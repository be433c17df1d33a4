/* SPDX-License-Identifier: Apache-2.0 */
/* intake_limit.h - is there room for one more job?  Layer: core.  Pure.
 *
 * [queue] max_jobs, max_bytes and min_free. The last 5 % of each are kept for severity critical and worse.
 */
#ifndef ND_CORE_INTAKE_LIMIT_H
#define ND_CORE_INTAKE_LIMIT_H

#include "daemon/core/conf.h"

struct intake_limit_load {
	uint64_t jobs, octets; /* unfinished, and those on their way into the queue */
	int64_t free;          /* octets of the disk; -1 not known */
};

/* ND_OK, ND_EQUEUEFULL or ND_EDISKFULL with the setting. octets: of the job. severe: critical or worse. */
enum nd_err intake_limit_check(const struct conf *conf, const struct intake_limit_load *load, uint64_t octets,
    bool severe, struct nd_why *why) ND_MUST_CHECK;

/* What is more than 80 % used up: the n-th of it, false past the end. */
struct intake_limit_warning {
	const char *code, *hint;
	char detail[160];
};
bool intake_limit_warning(
    const struct conf *conf, const struct intake_limit_load *load, unsigned n, struct intake_limit_warning *out);

#endif
