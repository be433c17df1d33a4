/* SPDX-License-Identifier: Apache-2.0 */
/* echo.c - knows credentials that were said when a server repeats them.  Layer: core. */
#include "daemon/core/echo.h"

#include <string.h>

#define LEAST                                                                                                          \
	(sizeof(ECHO_HIDDEN) -                                                                                         \
	    1) /* octets: a shorter word is in many a reply, and the mask would not fit in its place */

size_t
echo_note(struct echo *echo, const char *line, size_t len)
{
	char *said = echo->said[echo->count % ECHO_SAID];
	size_t word;

	while (len > 0 && (line[len - 1] == '\n' || line[len - 1] == '\r'))
		len--;
	for (word = len; word > 0 && line[word - 1] != ' ';)
		word--;
	if (len - word < LEAST)
		return word;
	len = len - word < sizeof(echo->said[0]) - 1 ? len - word : sizeof(echo->said[0]) - 1;
	memcpy(said, line + word, len);
	said[len] = '\0';
	echo->count++;
	return word;
}

void
echo_hide(const struct echo *echo, char *text)
{
	static const char word[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=-_";
	const unsigned count = echo->count < ECHO_SAID ? echo->count : ECHO_SAID;

	for (unsigned i = 0; i < count; i++) {
		char *at = text;

		while ((at = strstr(at, echo->said[i])) != NULL) {
			const char *behind = at + strspn(at, word);

			memcpy(at, ECHO_HIDDEN, LEAST);
			at += LEAST;
			memmove(at, behind, strlen(behind) + 1);
		}
	}
}
