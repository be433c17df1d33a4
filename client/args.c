/* SPDX-License-Identifier: Apache-2.0 */
/* args.c - the options and words of a command line, by a table.  Layer: client.  Pure. */
#include "client/args.h"

#include "common/mem.h"
#include "common/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_OPTIONS 64

struct reader {
	struct args *args;
	const struct args_option *options;
	char **argv;
	int argc, at;
	struct nd_why *why;
};

static bool
optional(const struct args_option *option)
{
	return option->value != NULL && option->value[0] == '[';
}

static void
keep(struct reader *reader, int option, const char *value)
{
	reader->args->given[reader->args->given_count++] = (struct args_given){ option, value };
}

static enum nd_err
unknown(struct reader *reader, const char *name)
{
	const char *known[MAX_OPTIONS + 1] = { NULL }, *near;
	enum nd_err err = nd_fail(reader->why, ND_EUNKNOWN, 0, "there is no option --%.60s", name);
	char hint[100];
	int i;

	for (i = 0; i < MAX_OPTIONS && reader->options[i].name != NULL; i++)
		known[i] = reader->options[i].name;
	near = nd_str_nearest(name, known);
	if (near != NULL)
		(void)snprintf(hint, sizeof(hint), "did you mean --%s?", near);
	(void)nd_fail_at(reader->why, "", 0, near != NULL ? hint : "see --help");
	return err;
}

/* The option's value: what stood behind it, else the next argument. */
static enum nd_err
take_value(struct reader *reader, int option, const char *value)
{
	const struct args_option *row = &reader->options[option];

	if (row->value == NULL && value != NULL)
		return nd_fail(reader->why, ND_EINVALID, 0, "option --%s takes no value", row->name);
	if (row->value == NULL || optional(row) || value != NULL) {
		keep(reader, option, value);
		return ND_OK;
	}
	if (reader->at >= reader->argc)
		return nd_fail(reader->why, ND_EINVALID, 0, "option --%s needs a value: %s", row->name, row->value);
	keep(reader, option, reader->argv[reader->at++]);
	return ND_OK;
}

static enum nd_err
read_long(struct reader *reader, const char *text)
{
	const char *equals = strchr(text, '=');
	size_t len = equals != NULL ? (size_t)(equals - text) : strlen(text);
	enum nd_err err;
	char *name;
	int i;

	for (i = 0; reader->options[i].name != NULL; i++)
		if (strlen(reader->options[i].name) == len && memcmp(reader->options[i].name, text, len) == 0)
			return take_value(reader, i, equals != NULL ? equals + 1 : NULL);
	name = nd_xstrndup(text, len);
	err = unknown(reader, name);
	free(name);
	return err;
}

/* "-xy": x alone and then y, or x with the value "y". */
static enum nd_err
read_short(struct reader *reader, const char *text)
{
	enum nd_err err;
	int i;

	for (; *text != '\0'; text++) {
		for (i = 0; reader->options[i].name != NULL && reader->options[i].letter != *text; i++)
			continue;
		if (reader->options[i].name == NULL)
			return nd_fail(reader->why, ND_EUNKNOWN, 0, "there is no option -%c", *text);
		if (reader->options[i].value != NULL && !optional(&reader->options[i]))
			return take_value(reader, i, text[1] != '\0' ? text + 1 : NULL);
		if ((err = take_value(reader, i, NULL)) != ND_OK)
			return err;
	}
	return ND_OK;
}

static enum nd_err
read_all(struct reader *reader, int *rest)
{
	enum nd_err err = ND_OK;
	bool options = true;
	const char *text;

	while (reader->at < reader->argc && err == ND_OK) {
		text = reader->argv[reader->at];
		if (!options || text[0] != '-' || text[1] == '\0') {
			if (rest != NULL)
				break;
			reader->args->words[reader->args->word_count++] = reader->argv[reader->at++];
			continue;
		}
		reader->at++;
		if (strcmp(text, "--") == 0)
			options = false;
		else
			err = text[1] == '-' ? read_long(reader, text + 2) : read_short(reader, text + 1);
	}
	if (rest != NULL)
		*rest = reader->at;
	return err;
}

enum nd_err
args_read(struct args *args, const struct args_option *options, int argc, char **argv, int *rest, struct nd_why *why)
{
	struct reader reader = { .args = args, .options = options, .argv = argv, .argc = argc, .why = why };
	size_t letters = 0;
	enum nd_err err;
	int i;

	/* "-xyz" may be as many options as it has letters. */
	for (i = 0; i < argc; i++)
		letters += strlen(argv[i]) + 1;
	*args = (struct args){ 0 };
	args->given = nd_xalloc((letters + 1) * sizeof(*args->given));
	args->words = nd_xalloc(((size_t)argc + 1) * sizeof(*args->words));
	err = read_all(&reader, rest);
	if (err != ND_OK)
		args_done(args);
	return err;
}

void
args_done(struct args *args)
{
	free(args->given);
	free(args->words);
	*args = (struct args){ 0 };
}

const char *
args_value(const struct args *args, int option)
{
	const char *value = NULL;
	unsigned i;

	for (i = 0; i < args->given_count; i++)
		if (args->given[i].option == option)
			value = args->given[i].value;
	return value;
}

bool
args_has(const struct args *args, int option)
{
	unsigned i;

	for (i = 0; i < args->given_count; i++)
		if (args->given[i].option == option)
			return true;
	return false;
}
