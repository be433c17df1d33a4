/* SPDX-License-Identifier: Apache-2.0 */
/* skew.c - this host's clock against another's: how bad, and in which words.  Layer: common. */
#include "common/skew.h"

#include <stdio.h>
#include <stdlib.h>

#define BORNE 60L
#define FATAL 600L

enum skew
skew_judge(enum explain_lang lang, const char *account, long seconds, char *out, size_t size, const char **remedy)
{
	const long by = labs(seconds);
	const enum skew level = by >= FATAL ? SKEW_FATAL : by > BORNE ? SKEW_SEEN : SKEW_NONE;

	if (lang == EXPLAIN_JA)
		(void)snprintf(out, size,
		    "このホストの時計は、アカウント %.60s のトークンエンドポイントより %ld 秒%sいます", account, by,
		    seconds < 0 ? "遅れて" : "進んで");
	else
		(void)snprintf(out, size, "this host's clock is %ld s %s that of account %.60s's token endpoint", by,
		    seconds < 0 ? "behind" : "ahead of", account);
	*remedy = NULL;
	if (level == SKEW_SEEN)
		*remedy = explain_say(lang, "see to it that a time service runs: timedatectl set-ntp true",
		    "時刻同期サービスを動作させてください: timedatectl set-ntp true");
	else if (level == SKEW_FATAL)
		*remedy = explain_say(lang,
		    "set the clock (timedatectl set-ntp true): tokens and certificates are refused by one that is 10 "
		    "minutes off",
		    "時刻を合わせてください (timedatectl set-ntp true)。10 "
		    "分ずれていると、トークンや証明書が拒否されます");
	return level;
}
