/* SPDX-License-Identifier: Apache-2.0 */
/* smtp_stuff.c - the content of a mail as it travels after DATA, or in a chunk.  Layer: core. */
#include "daemon/core/smtp_stuff.h"

#include <string.h>

static void
end_line(struct smtp_stuff *stuff, struct nd_buf *out)
{
	(void)nd_buf_add(out, "\r\n", 2);
	stuff->inside = stuff->held_cr = false;
}

static void
add_run(struct smtp_stuff *stuff, struct nd_buf *out, const char *octets, size_t len)
{
	if (stuff->held_cr) {
		(void)nd_buf_addc(out, ' ');
		stuff->held_cr = false;
		stuff->inside = true;
	}
	if (len == 0)
		return;
	if (!stuff->inside && !stuff->chunk && octets[0] == '.')
		(void)nd_buf_addc(out, '.');
	(void)nd_buf_add(out, octets, len);
	stuff->inside = true;
}

/* How many octets are whole lines that travel as they are. We made most of what we send, so this is nearly all of it. */
static size_t
clean(const struct smtp_stuff *stuff, const char *octets, size_t len)
{
	const char *at = octets, *end = octets + len, *lf;

	if (stuff->inside || stuff->held_cr)
		return 0;
	while (at < end && (stuff->chunk || *at != '.')) {
		lf = memchr(at, '\n', (size_t)(end - at));
		if (lf == NULL || lf == at || lf[-1] != '\r' || memchr(at, '\r', (size_t)(lf - 1 - at)) != NULL)
			break;
		at = lf + 1;
	}
	return (size_t)(at - octets);
}

void
smtp_stuff_add(struct smtp_stuff *stuff, struct nd_buf *out, const char *octets, size_t len)
{
	size_t n;

	for (size_t at = 0; at < len; at += n) {
		n = clean(stuff, octets + at, len - at);
		if (n > 0) {
			(void)nd_buf_add(out, octets + at, n);
			continue;
		}
		while (at + n < len && octets[at + n] != '\r' && octets[at + n] != '\n')
			n++;
		if (n > 0) {
			add_run(stuff, out, octets + at, n);
			continue;
		}
		n = 1;
		if (octets[at] == '\n') {
			end_line(stuff, out);
		} else {
			add_run(stuff, out, NULL, 0); /* of two CR the first stands alone */
			stuff->held_cr = true;
		}
	}
}

void
smtp_stuff_end(struct smtp_stuff *stuff, struct nd_buf *out)
{
	if (stuff->inside || stuff->held_cr)
		end_line(stuff, out);
	if (!stuff->chunk)
		(void)nd_buf_add(out, ".\r\n", 3);
}
