/* SPDX-License-Identifier: Apache-2.0 */
/* writer.c - text for people: colours, nothing that drives a terminal.  Layer: client. */
#include "client/writer.h"

#include "common/str.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define TEXT_ROOM ((size_t)4 << 20)
#define NARROWEST 40u

/* clang-format off */
static const char *const codes[] = {
	[WRITER_PLAIN] = "", [WRITER_GOOD] = "\033[32m", [WRITER_WARN] = "\033[33m", [WRITER_BAD] = "\033[31m",
	[WRITER_DIM] = "\033[2m", [WRITER_BOLD] = "\033[1m",
};
/* clang-format on */

static unsigned
terminal_width(int fd)
{
	struct winsize size;

	if (ioctl(fd, TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
		return 80;
	return size.ws_col < NARROWEST ? NARROWEST : size.ws_col;
}

void
writer_init(struct writer *writer, FILE *file, bool no_color)
{
	const char *off = getenv("NO_COLOR"), *term = getenv("TERM");

	*writer = (struct writer){ .file = file, .terminal = isatty(fileno(file)) == 1 };
	writer->color = writer->terminal && !no_color && (off == NULL || off[0] == '\0') && term != NULL &&
			strcmp(term, "dumb") != 0;
	writer->width = writer->terminal ? terminal_width(fileno(file)) : 0;
}

static uint32_t
decode(const char *text, size_t len)
{
	static const unsigned char first[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
	uint32_t code = (unsigned char)text[0] & first[len];
	size_t i;

	for (i = 1; i < len; i++)
		code = code << 6 | ((unsigned char)text[i] & 0x3f);
	return code;
}

/* Characters that a terminal obeys, or that let a text look like another. */
static bool
drives(uint32_t code)
{
	return code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x200e || code == 0x200f ||
	       (code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069) || code == 0xfeff;
}

void
writer_clean(const char *text, size_t len, struct nd_buf *out)
{
	size_t n;

	for (; len > 0; text += n, len -= n) {
		n = nd_str_utf8_len(text, len);
		if (n > 0 && !drives(decode(text, n))) {
			nd_buf_add(out, text, n);
			continue;
		}
		nd_buf_addc(out, *text == '\n' || *text == '\r' || *text == '\t' ? ' ' : '?');
		n = n > 0 ? n : 1;
	}
}

const char *
writer_code(enum writer_color color)
{
	return codes[color];
}

static void
put(struct writer *writer, enum writer_color color, const char *clean)
{
	bool colored = writer->color && color != WRITER_PLAIN;

	(void)fprintf(writer->file, "%s%s%s", colored ? codes[color] : "", clean, colored ? "\033[0m" : "");
}

void
writer_text(struct writer *writer, enum writer_color color, const char *text)
{
	struct nd_buf clean;

	nd_buf_init(&clean, TEXT_ROOM);
	writer_clean(text, strlen(text), &clean);
	put(writer, color, nd_buf_text(&clean));
	nd_buf_done(&clean);
}

void
writer_line(struct writer *writer, enum writer_color color, const char *format, ...)
{
	va_list args;
	char *text = NULL;

	va_start(args, format);
	if (vasprintf(&text, format, args) < 0)
		text = NULL;
	va_end(args);
	writer_text(writer, color, text != NULL ? text : "(out of memory)");
	(void)fputc('\n', writer->file);
	free(text);
}

void
writer_json(struct writer *writer, const char *json, size_t len)
{
	size_t i;
	unsigned char c;

	if (!writer->terminal) {
		(void)fwrite(json, 1, len, writer->file);
	} else {
		for (i = 0; i < len; i++) {
			c = (unsigned char)json[i];
			if (c == 0x7f || (c < 0x20 && c != '\n' && c != '\t' && c != '\r'))
				(void)fprintf(writer->file, "\\u%04x", c);
			else if (c == 0xc2 && i + 1 < len && (unsigned char)json[i + 1] < 0xa0)
				(void)fprintf(writer->file, "\\u%04x", (unsigned char)json[++i]);
			else
				(void)fputc(c, writer->file);
		}
	}
	if (len == 0 || json[len - 1] != '\n')
		(void)fputc('\n', writer->file);
}

void
writer_message(struct writer *writer, const char *octets, size_t len)
{
	struct nd_buf clean;
	const char *end;
	size_t n;

	if (!writer->terminal) {
		(void)fwrite(octets, 1, len, writer->file);
		return;
	}
	while (len > 0) {
		end = memchr(octets, '\n', len);
		n = end != NULL ? (size_t)(end - octets) : len;
		nd_buf_init(&clean, TEXT_ROOM);
		writer_clean(octets, n > 0 && octets[n - 1] == '\r' ? n - 1 : n, &clean);
		(void)fprintf(writer->file, "%s\n", nd_buf_text(&clean));
		nd_buf_done(&clean);
		n += end != NULL;
		octets += n;
		len -= n;
	}
}

/* The locale that the user asked for: the program's own is always one that knows Unicode. */
bool
writer_unicode(void)
{
	static const char *const names[] = { "LC_ALL", "LC_CTYPE", "LANG" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const char *value = getenv(names[i]);

		if (value != NULL && value[0] != '\0')
			return strcasestr(value, "utf-8") != NULL || strcasestr(value, "utf8") != NULL;
	}
	return false;
}
