/* SPDX-License-Identifier: Apache-2.0 */
/* command.c - splits a command into its arguments.  Layer: core.  Pure. */
#include "daemon/core/command.h"

#include "common/mem.h"

#include <stdbool.h>
#include <string.h>

/* Copies one argument without its quotes; false: a quote is not closed. */
static bool
take(const char **from, char **to)
{
	bool quoted = false;
	const char *at = *from;

	for (; *at != '\0' && (quoted || (*at != ' ' && *at != '\t')); at++) {
		if (*at == '"')
			quoted = !quoted;
		else
			*(*to)++ = *at;
	}
	*(*to)++ = '\0';
	*from = at;
	return !quoted;
}

/* `out` holds the words' memory already. */
static enum nd_err
split(const char *text, struct command *out, struct nd_why *why)
{
	char *to = out->words;
	unsigned count = 0;

	for (text += strspn(text, " \t"); *text != '\0'; text += strspn(text, " \t")) {
		if (count == COMMAND_ARGS)
			return nd_fail(why, ND_ESECRET, 0, "the command has more than %u arguments", COMMAND_ARGS - 1);
		out->args[count++] = to;
		if (!take(&text, &to))
			return nd_fail(why, ND_ESECRET, 0, "a double quote in the command is not closed");
	}
	out->args[count] = NULL;
	if (count == 0 || out->args[0][0] != '/') {
		(void)nd_fail(why, ND_ESECRET, 0, "the command does not begin with a path");
		return nd_fail_at(why, NULL, 0, "give the whole path: command:/usr/bin/…");
	}
	return ND_OK;
}

enum nd_err
command_split(const char *text, struct command *out, struct nd_why *why)
{
	struct command command = { .words = nd_xalloc(strlen(text) + 2) };
	enum nd_err err = split(text, &command, why);

	/* every argument is no longer than it was written, with the space before it */
	if (err == ND_OK)
		*out = command;
	else
		nd_wipe_free(command.words, strlen(text) + 2);
	return err;
}

void
command_done(struct command *command)
{
	size_t len = 0;

	for (unsigned i = 0; command->words != NULL && command->args[i] != NULL; i++)
		len = (size_t)(command->args[i] - command->words) + strlen(command->args[i]);
	nd_wipe_free(command->words, len);
	*command = (struct command){ 0 };
}
