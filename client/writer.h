/* SPDX-License-Identifier: Apache-2.0 */
/* writer.h - text for people: columns, colours, nothing that drives a terminal.  Layer: client.
 *
 * Whatever came from the daemon goes through here: control characters, and marks that turn the direction of writing, become '?'.
 */
#ifndef ND_CLIENT_WRITER_H
#define ND_CLIENT_WRITER_H

#include "common/buf.h"

#include <stdbool.h>
#include <stdio.h>

enum writer_color { WRITER_PLAIN, WRITER_GOOD, WRITER_WARN, WRITER_BAD, WRITER_DIM, WRITER_BOLD };

struct writer {
	FILE *file; /* borrowed */
	bool terminal;
	bool color;
	unsigned width; /* columns of the terminal; 0: no limit */
};

/* Colours only on a terminal that can, without NO_COLOR (no-color.org) and unless `no_color`. */
void writer_init(struct writer *writer, FILE *file, bool no_color);
/* Text with all of its oddities replaced; line ends and TABs become spaces. */
void writer_clean(const char *text, size_t len, struct nd_buf *out);
/* What a terminal is sent before text of this colour. */
bool writer_unicode(void); /* whether the terminal knows more than ASCII */
const char *writer_code(enum writer_color color);
void writer_text(struct writer *writer, enum writer_color color, const char *text);
/* Texts of our own and cleaned ones: printf, cleaned as a whole, with a line end. */
void writer_line(struct writer *writer, enum writer_color color, const char *format, ...) ND_PRINTF(3, 4);
/* JSON as it came, with a line end; on a terminal DEL and C1 characters are written as \u00XX. */
void writer_json(struct writer *writer, const char *json, size_t len);
/* A message as it came; on a terminal cleaned line by line. */
void writer_message(struct writer *writer, const char *octets, size_t len);

/* A table is filled cell by cell, row by row, and printed at once: as wide as its texts, but not wider than the terminal. */
struct writer_column {
	const char *title;
	bool right;   /* aligned to the right */
	double share; /* of the terminal's width: what it gives way to when that is too narrow; 0: it gives nothing */
};
struct writer_cell;
struct writer_table {
	const struct writer_column *columns; /* borrowed */
	unsigned column_count;
	struct writer_cell *cells; /* owned */
	size_t cell_count, room;
};
void writer_table_init(struct writer_table *table, const struct writer_column *columns, unsigned count);
void writer_table_cell(struct writer_table *table, enum writer_color color, const char *text); /* NULL is empty */
void writer_table_print(struct writer_table *table, struct writer *writer); /* columns without any text are left out */
void writer_table_done(struct writer_table *table);

#endif
