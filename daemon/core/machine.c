/* SPDX-License-Identifier: Apache-2.0 */
/* machine.c - is this state directory this machine's?  Layer: core.  Pure. */
#include "daemon/core/machine.h"

#include <stdio.h>
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

void
machine_border_after(const char *last_id, char border[ND_ULID_LEN + 1])
{
	static const uint8_t nothing[10];
	struct nd_ulid_maker maker = { 0 };

	/* The daemon makes its first id in the same way, with the time of day: never below. */
	nd_ulid_after(&maker, last_id);
	nd_ulid_next(&maker, maker.last, nothing, border);
}

void
machine_border_write(const char *id, const char *border, char text[MACHINE_BORDER_SIZE])
{
	(void)snprintf(text, MACHINE_BORDER_SIZE, "%.32s %.26s\n", id, border);
}

bool
machine_border_read(const char *text, const char *id, char border[ND_ULID_LEN + 1])
{
	char found[ND_ULID_LEN + 1] = "";

	if (text == NULL || !is_id(id) || strncmp(text, id, MACHINE_ID_LEN) != 0 || text[MACHINE_ID_LEN] != ' ')
		return false;
	(void)snprintf(found, sizeof(found), "%s", text + MACHINE_ID_LEN + 1);
	if (!nd_ulid_valid(found) || strcmp(text + MACHINE_ID_LEN + 1 + ND_ULID_LEN, "\n") != 0)
		return false;
	memcpy(border, found, sizeof(found));
	return true;
}
