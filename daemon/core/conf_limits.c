/* SPDX-License-Identifier: Apache-2.0 */
/* conf_limits.c - how much an account may send: the provider's limits, and this host's share of them.  Layer: core.  Pure. */
#include "daemon/core/conf_inner.h"

#include <stddef.h>
#include <string.h>

#define SHARE_MAX 100000

/* clang-format off */
static const struct limit_row {
	const char *key;
	size_t field, preset; /* in struct conf_account, struct conf_provider_row */
	bool shared;          /* what a fleet has together */
} limits[] = {
#define LIMIT(key, shared) { #key, offsetof(struct conf_account, key), offsetof(struct conf_provider_row, key), shared }
	LIMIT(messages_per_minute, true),
	LIMIT(messages_per_day, true),
	LIMIT(recipients_per_day, true),
	LIMIT(messages_per_recipient_hour, true),
	LIMIT(logins_per_minute, true),
	LIMIT(recipients_per_message, false),
#undef LIMIT
};
/* clang-format on */

bool
conf_limits_share(const char *text, int64_t *part, int64_t *of)
{
	char copy[32], *slash;

	if (strlen(text) >= sizeof(copy))
		return false;
	memcpy(copy, text, strlen(text) + 1);
	slash = strchr(copy, '/');
	if (slash == NULL)
		return false;
	*slash = '\0';
	return nd_str_int(copy, 1, SHARE_MAX, part) && nd_str_int(slash + 1, *part, SHARE_MAX, of);
}

void
conf_limits_settle(const struct conf_check *check)
{
	struct conf_provider_row presets = *check->preset;
	int64_t part = 1, of = 1;

	conf_provider_lesser(check->account, &presets);
	(void)conf_limits_share(check->account->share, &part, &of);
	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		const struct limit_row *row = &limits[i];
		int64_t *field = (int64_t *)(void *)((char *)check->account + row->field);
		int64_t preset = *(const int64_t *)(const void *)((const char *)&presets + row->preset);

		if (conf_check_given(check, row->key))
			continue;
		if (row->shared && preset > 0)
			preset = preset * part / of > 0 ? preset * part / of : 1; /* 0 would be no limit */
		*field = preset;
	}
}
