/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_seven.c - whatever a message is, what is made of it for a relay without 8BITMIME has seven bits but for fields that cannot be said otherwise, no line
 * too long, is the same however the octets came, and is left alone the next time.
 *
 * The first octet is the length of slices.
 */
#include "common/str.h"
#include "daemon/core/mime_seven.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

#define LINE_MAX_OCTETS 998u /* RFC 5322 2.1.1 */
#define LENGTH_MAX 100000u

static void
feed(struct mime_seven *seven, struct nd_buf *out, const char *octets, size_t len, size_t slice)
{
	for (size_t n; len > 0; octets += n, len -= n) {
		n = len < slice ? len : slice;
		mime_seven_add(seven, out, octets, n);
	}
	mime_seven_end(seven, out);
}

/* Lines that are fields may hold a name that is not UTF-8; a body never. */
static void
check_lines(const char *octets, size_t len, bool longer)
{
	const char *end = octets + len, *stop;

	for (; octets < end; octets = stop + 1) {
		size_t n;

		stop = memchr(octets, '\n', (size_t)(end - octets));
		stop = stop != NULL ? stop : end;
		n = (size_t)(stop - octets);
		must(longer || n <= LINE_MAX_OCTETS + 1);
		must(!nd_str_eight(octets, n) || octets[0] == ' ' || octets[0] == '\t' ||
		     memchr(octets, ':', n) != NULL || nd_str_starts_nocase(octets, "From ") ||
		     nd_str_starts_nocase(octets, ">From "));
	}
}

/* A field whose line is nearly as long as a line can be has no room for what stands for its octets. */
static bool
has_long_line(const char *octets, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		n = octets[i] == '\n' ? 0 : n + 1;
		if (n > LINE_MAX_OCTETS / 2)
			return true;
	}
	return false;
}

int
LLVMFuzzerTestOneInput(const uint8_t *octets, size_t len)
{
	const char *message = (const char *)octets + 1;
	struct mime_seven *seven;
	struct nd_buf out, again;

	if (len < 2 || len > LENGTH_MAX || memchr(message, '\0', len - 1) != NULL)
		return 0;
	len--;
	seven = mime_seven_new();
	nd_buf_init(&out, MIME_SEVEN_ROOM(len));
	nd_buf_init(&again, MIME_SEVEN_ROOM(len));
	feed(seven, NULL, message, len, octets[0] + 1u);
	if (mime_seven_needed(seven) && mime_seven_never(seven) == NULL) {
		feed(seven, &out, message, len, octets[0] + 1u);
		feed(seven, &again, message, len, len);
		must(!out.failed && out.len == again.len && memcmp(out.octets, again.octets, out.len) == 0);
		check_lines(nd_buf_text(&out), out.len, has_long_line(message, len));
	}
	mime_seven_free(seven);
	nd_buf_done(&out);
	nd_buf_done(&again);
	return 0;
}
