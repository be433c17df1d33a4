/* SPDX-License-Identifier: Apache-2.0 */
/* skew.c - this host's clock against another's: how bad, and in which words.  Layer: common. */
#include "common/skew.h"

#include <stdio.h>
#include <stdlib.h>

#define BORNE 60L
#define FATAL 600L

enum skew
skew_judge(const char *account, long seconds, char *out, size_t size, const char **remedy)
{
	static const char *const remedies[] = { NULL, "see to it that a time service runs: timedatectl set-ntp true",
		"set the clock (timedatectl set-ntp true): tokens and certificates are refused by one that is 10 "
		"minutes "
		"off" };
	const long by = labs(seconds);
	const enum skew level = by >= FATAL ? SKEW_FATAL : by > BORNE ? SKEW_SEEN : SKEW_NONE;

	(void)snprintf(out, size, "this host's clock is %ld s %s that of account %.60s's token endpoint", by,
	    seconds < 0 ? "behind" : "ahead of", account);
	*remedy = remedies[level];
	return level;
}
