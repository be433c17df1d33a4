/* SPDX-License-Identifier: Apache-2.0 */
/* args.h - the options and words of a command line, by a table.  Layer: client.  Pure. */
#ifndef ND_CLIENT_ARGS_H
#define ND_CLIENT_ARGS_H

#include "common/err.h"

#include <stdbool.h>

/* One option: -x, --name; value NULL: it takes none. A table ends with name NULL. */
struct args_option {
	char letter; /* 0: no short form */
	const char *name;
	const char *value; /* what people read in its place: "ADDR"; "[=D]" an optional one */
	const char *words; /* one sentence for --help */
};

struct args_given {
	int option;        /* the row in the table */
	const char *value; /* borrowed from argv; NULL none */
};

/* A command line that was read: the options in order, then the words. */
struct args {
	struct args_given *given; /* owned */
	char **words;             /* owned array, borrowed texts */
	unsigned given_count, word_count;
};

/* Reads argv (without the program's name). Options and words may be mixed, "--" ends the options; --name=V, --name V, -xV, -x V.
 * `first_word_ends`: stops before the first word, *rest is how many were taken. ND_EUNKNOWN with the nearest name in the hint, ND_EINVALID. */
enum nd_err args_read(struct args *args, const struct args_option *options, int argc, char **argv, int *rest,
    struct nd_why *why) ND_MUST_CHECK;
void args_done(struct args *args);
/* The value of the last such option; NULL: not given, or without value. */
const char *args_value(const struct args *args, int option);
bool args_has(const struct args *args, int option);

#endif
