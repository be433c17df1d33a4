/* SPDX-License-Identifier: Apache-2.0 */
/* skew.h - this host's clock against another's: how bad, and in which words.  Layer: common.  Pure. */
#ifndef ND_COMMON_SKEW_H
#define ND_COMMON_SKEW_H

#include "common/explain.h"

#include <stddef.h>

enum skew {
	SKEW_NONE,
	SKEW_SEEN, /* more than the way there takes */
	SKEW_FATAL /* 10 minutes: assertions are refused, and soon certificates */
};
/* seconds > 0: this host's is ahead. Writes a sentence; *remedy NULL: none is needed. */
enum skew skew_judge(
    enum explain_lang lang, const char *account, long seconds, char *out, size_t size, const char **remedy);

#endif
