/* SPDX-License-Identifier: Apache-2.0 */
/* help.h - what --help prints: names on the left, sentences on the right, within 80 columns.  Layer: client. */
#ifndef ND_CLIENT_HELP_H
#define ND_CLIENT_HELP_H

#include <stdio.h>

/* `words` begin at `column`, and go on there on further lines; a name that is too long has a line of its own. Text is UTF-8, a column a character. */
void help_entry(FILE *file, const char *name, unsigned column, const char *words);

#endif
