/* SPDX-License-Identifier: Apache-2.0 */
/* machine.c - is this state directory this machine's?  Layer: core.  Pure. */
#include "daemon/core/machine.h"

#include <stdbool.h>
#include <string.h>

/* 32 hexadecimal digits and a newline or none. Before the first boot is over it may say "uninitialized". */
static bool
is_id(const char *text)
{
	size_t len = text != NULL ? strspn(text, "0123456789abcdef") : 0;

	return len == MACHINE_ID_LEN && (text[len] == '\0' || (text[len] == '\n' && text[len + 1] == '\0')) &&
	       strspn(text, "0") < MACHINE_ID_LEN;
}

enum machine_word
machine_judge(const char *kept, const char *host, char id[MACHINE_ID_LEN + 1])
{
	id[0] = '\0';
	if (!is_id(host))
		return MACHINE_UNKNOWN;
	memcpy(id, host, MACHINE_ID_LEN);
	id[MACHINE_ID_LEN] = '\0';
	if (kept == NULL)
		return MACHINE_FIRST;
	return is_id(kept) && memcmp(kept, host, MACHINE_ID_LEN) == 0 ? MACHINE_SAME : MACHINE_OTHER;
}
