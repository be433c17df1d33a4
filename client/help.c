/* SPDX-License-Identifier: Apache-2.0 */
/* help.c - what --help prints: names on the left, sentences on the right, within 80 columns.  Layer: client. */
#include "client/help.h"

#include <string.h>

#define WIDTH 80u

static unsigned
columns_of(const char *text, size_t len)
{
	unsigned columns = 0;

	for (; len > 0; text++, len--)
		columns += ((unsigned char)*text & 0xc0) != 0x80;
	return columns;
}

void
help_entry(FILE *file, const char *name, unsigned column, const char *words)
{
	unsigned at = columns_of(name, strlen(name)), take;
	size_t len;

	(void)fputs(name, file);
	if (at > 0 && at >= column && *words != '\0') {
		(void)fputc('\n', file);
		at = 0;
	}
	while (*words != '\0') {
		len = strcspn(words, " ");
		take = columns_of(words, len);
		if (at > column && at + 1 + take > WIDTH) {
			(void)fputc('\n', file);
			at = 0;
		}
		(void)fprintf(file, "%*s%.*s", at > column ? 1 : (int)(column - at), "", (int)len, words);
		at = (at > column ? at + 1 : column) + take;
		words += len + strspn(words + len, " ");
	}
	(void)fputc('\n', file);
}
