/* SPDX-License-Identifier: Apache-2.0 */
/* paste.c - one long line from the terminal, or from stdin.  Layer: client. */
#include "client/paste.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#define END_OF_INPUT 4 /* Ctrl-D */
#define CLEAR_LINE 21  /* Ctrl-U */
#define BACKSPACE '\b'
#define DELETE 127

static struct termios before;
static volatile sig_atomic_t changed;

void
paste_open(struct paste *paste)
{
	struct termios raw;

	nd_buf_init(&paste->line, PASTE_MAX);
	paste->terminal = isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &before) == 0;
	if (!paste->terminal)
		return;
	raw = before;
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	changed = 1;
	(void)tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
}

void
paste_restore(void)
{
	if (changed)
		(void)tcsetattr(STDIN_FILENO, TCSADRAIN, &before);
	changed = 0;
}

void
paste_next(struct paste *paste)
{
	nd_buf_wipe(&paste->line);
	nd_buf_init(&paste->line, PASTE_MAX);
}

void
paste_close(struct paste *paste)
{
	nd_buf_wipe(&paste->line);
	paste_restore();
	paste->terminal = false;
}

static void
show(const struct paste *paste, const char *octets, size_t len)
{
	/* to a terminal alone: a file of messages must not hold the code */
	if (paste->terminal && isatty(STDERR_FILENO) && write(STDERR_FILENO, octets, len) < 0)
		return; /* nobody looks */
}

/* One octet, as a terminal's line editing would treat it. true: the line is whole. */
static bool
take(struct paste *paste, char c)
{
	if (c == '\n' || c == '\r') {
		show(paste, "\r\n", 2);
		return paste->line.len > 0 || paste->line.failed;
	}
	if (paste->terminal && (c == BACKSPACE || c == DELETE)) {
		if (paste->line.len > 0) {
			paste->line.octets[--paste->line.len] = '\0';
			show(paste, "\b \b", 3);
		}
	} else if (paste->terminal && c == CLEAR_LINE) {
		paste_next(paste);
		show(paste, "\r\n", 2);
	} else if ((unsigned char)c >= ' ') {
		nd_buf_addc(&paste->line, c);
		show(paste, &c, 1);
	}
	return false;
}

enum paste_state
paste_read(struct paste *paste)
{
	char c;
	ssize_t n = read(STDIN_FILENO, &c, 1);

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return PASTE_MORE;
	if (n <= 0 || (paste->terminal && c == END_OF_INPUT))
		return paste->line.len > 0 ? PASTE_LINE : PASTE_END;
	return take(paste, c) ? PASTE_LINE : PASTE_MORE;
}
