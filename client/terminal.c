/* SPDX-License-Identifier: Apache-2.0 */
/* terminal.c - questions to a person, and secrets that are not shown.  Layer: client. */
#include "client/terminal.h"

#include "common/str.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#define LINE_MAX_OCTETS 1024

bool
terminal_here(void)
{
	return isatty(STDIN_FILENO) && isatty(STDERR_FILENO);
}

char *
terminal_ask(const char *question, const char *initial)
{
	char line[LINE_MAX_OCTETS], *start = line;
	size_t len;

	if (initial != NULL && initial[0] != '\0')
		(void)fprintf(stderr, "%s [%s]: ", question, initial);
	else
		(void)fprintf(stderr, "%s: ", question);
	(void)fflush(stderr);
	if (fgets(line, sizeof(line), stdin) == NULL)
		return NULL;
	start += strspn(start, " \t");
	len = strlen(start);
	while (len > 0 && strchr(" \t\r\n", start[len - 1]) != NULL)
		len--;
	return len > 0 ? nd_xstrndup(start, len) : nd_xstrdup(initial != NULL ? initial : "");
}

bool
terminal_agrees(const char *question)
{
	char *said = terminal_ask(question, "y/N");
	bool agrees = said != NULL && strcmp(said, "y/N") != 0 && (said[0] == 'y' || said[0] == 'Y');

	free(said);
	return agrees;
}

static void
interrupted(int number)
{
	(void)number; /* read() comes back: the echo is put in order first */
}

/* At a terminal to the line end, else to the end. */
static enum nd_err
read_octets(char *octets, size_t room, bool line, size_t *len, struct nd_why *why)
{
	ssize_t n = 1;

	for (*len = 0; n > 0 && *len < room; *len += (size_t)n) {
		n = read(STDIN_FILENO, octets + *len, room - *len);
		if (n < 0)
			return nd_fail(why, ND_ENOTFOUND, errno, "the secret cannot be read");
		if (line && n > 0 && memchr(octets + *len, '\n', (size_t)n) != NULL) {
			*len += (size_t)n;
			break;
		}
	}
	return *len < room ? ND_OK : nd_fail(why, ND_ETOOBIG, 0, "the secret is longer than 64 KiB");
}

static enum nd_err
read_unseen(const char *question, char *octets, size_t room, size_t *len, struct nd_why *why)
{
	struct sigaction ours = { .sa_handler = interrupted }, before[3];
	static const int numbers[] = { SIGINT, SIGTERM, SIGHUP };
	struct termios shown, unseen;
	enum nd_err err;

	if (tcgetattr(STDIN_FILENO, &shown) != 0)
		return nd_fail(why, ND_ENOTFOUND, errno, "the terminal cannot be asked");
	for (unsigned i = 0; i < 3; i++)
		(void)sigaction(numbers[i], &ours, &before[i]);
	unseen = shown;
	unseen.c_lflag &= ~(tcflag_t)(ECHO | ECHOE | ECHOK);
	(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &unseen);
	(void)fprintf(stderr, "%s (not shown): ", question);
	(void)fflush(stderr);
	err = read_octets(octets, room, true, len, why);
	(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown);
	(void)fputc('\n', stderr);
	for (unsigned i = 0; i < 3; i++)
		(void)sigaction(numbers[i], &before[i], NULL);
	return err;
}

enum nd_err
terminal_secret(const char *question, struct nd_secret *out, struct nd_why *why)
{
	const size_t room = TERMINAL_SECRET_MAX + 3;
	char *octets = nd_xalloc(room);
	size_t len = 0;
	enum nd_err err = isatty(STDIN_FILENO) ? read_unseen(question, octets, room, &len, why)
					       : read_octets(octets, room, false, &len, why);

	while (len > 0 && (octets[len - 1] == '\n' || octets[len - 1] == '\r'))
		len--;
	if (err == ND_OK && len == 0)
		err = nd_fail(why, ND_EINVALID, 0, "the secret is empty");
	else if (err == ND_OK && (memchr(octets, '\0', len) != NULL || !nd_str_utf8(octets, len)))
		err = nd_fail(why, ND_EINVALID, 0, "the secret is not text");
	if (err == ND_OK)
		nd_secret_set(out, octets, len);
	nd_wipe_free(octets, room);
	return err;
}
