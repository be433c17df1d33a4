/* SPDX-License-Identifier: Apache-2.0 */
/* filter.c - which jobs a list, or what is done to many, is about: its parameters.  Layer: core.  Pure. */
#include "daemon/core/filter.h"

#include "common/mem.h"
#include "common/stamp.h"
#include "common/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum nd_err
bad_value(const char *name, const char *value, const char *wanted, struct nd_why *why)
{
	(void)nd_fail(why, ND_EINVALID, 0, "%s=%.40s is not %s", name, value, wanted);
	return nd_fail_at(why, name, 0, NULL);
}

static enum nd_err
no_name(const char *name, struct nd_why *why)
{
	char hint[64];

	(void)nd_fail(why, ND_EINVALID, 0, "%s is given without a value", name);
	(void)snprintf(hint, sizeof(hint), "leave %s out to mean all jobs", name);
	return nd_fail_at(why, name, 0, hint);
}

static bool
state_named(const char *name, unsigned *out)
{
	enum job_state state;
	bool known = job_state_named(name, &state);

	*out = known ? state : 0;
	return known;
}

static bool
severity_named(const char *name, unsigned *out)
{
	enum job_severity severity;
	bool known = job_severity_named(name, &severity);

	*out = known ? severity : 0;
	return known;
}

/* A comma list of names into bits. */
static enum nd_err
take_bits(
    const char *name, const char *list, bool (*named)(const char *, unsigned *), uint32_t *bits, struct nd_why *why)
{
	const char *rest = list, *start;
	unsigned value;
	size_t len;
	char one[32];

	while (nd_str_list_next(&rest, &start, &len)) {
		if (len >= sizeof(one))
			return bad_value(name, start, "known", why);
		memcpy(one, start, len);
		one[len] = '\0';
		if (!named(one, &value))
			return bad_value(name, one, "known", why);
		*bits |= 1u << value;
	}
	return *bits != 0 ? ND_OK : no_name(name, why);
}

static enum nd_err
take_states(struct store_filter *filter, const char *list, struct nd_why *why)
{
	enum nd_err err = take_bits("state", list, state_named, &filter->states, why);

	filter->apart = (filter->states >> JOB_QUEUED & 1) != (filter->states >> JOB_SENDING & 1);
	return err;
}

static enum nd_err
take_text(const char **place, const char *name, const char *list, struct nd_why *why)
{
	if (list[strspn(list, ", \t")] == '\0')
		return no_name(name, why);
	*place = nd_xstrdup(list);
	return ND_OK;
}

static enum nd_err
take_since(nd_unix *since, const char *text, nd_unix now, struct nd_why *why)
{
	nd_ms ago;

	if (nd_stamp_read(text, since))
		return ND_OK;
	if (!nd_str_duration(text, &ago))
		return bad_value("since", text, "a time (RFC 3339) or a duration such as 2h", why);
	*since = now - ago;
	return ND_OK;
}

enum nd_err
filter_take(struct store_filter *filter, const char *name, const char *value, nd_unix now, struct nd_why *why)
{
	if (strcmp(name, "state") == 0)
		return take_states(filter, value, why);
	if (strcmp(name, "severity") == 0)
		return take_bits(name, value, severity_named, &filter->severities, why);
	if (strcmp(name, "account") == 0)
		return take_text(&filter->account, name, value, why);
	if (strcmp(name, "source") == 0)
		return take_text(&filter->source, name, value, why);
	if (strcmp(name, "key") == 0)
		return take_text(&filter->key, name, value, why);
	if (strcmp(name, "since") == 0)
		return take_since(&filter->since, value, now, why);
	if (strcmp(name, "id") == 0 && !nd_ulid_tail(value, filter->tail))
		return bad_value(name, value, "the last 6 or more characters of a job id", why);
	if (strcmp(name, "cursor") != 0)
		return ND_OK;
	if (!nd_ulid_valid(value))
		return bad_value(name, value, "the \"next\" of an earlier list", why);
	memcpy(filter->before, value, sizeof(filter->before));
	return ND_OK;
}

void
filter_done(struct store_filter *filter)
{
	free((void *)(uintptr_t)filter->account);
	free((void *)(uintptr_t)filter->source);
	free((void *)(uintptr_t)filter->key);
	free((void *)(uintptr_t)filter->unit);
	free((void *)(uintptr_t)filter->sending);
}
