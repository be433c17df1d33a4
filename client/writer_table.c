/* SPDX-License-Identifier: Apache-2.0 */
/* writer_table.c - texts in columns.  Layer: client. */
#include "client/writer.h"

#include "common/mem.h"
#include "common/str.h"

#include <stdlib.h>
#include <string.h>

#define MAX_COLUMNS 16
#define CELL_ROOM 65536u
#define GAP 2u
#define NARROWEST_FLEXIBLE 16u

struct writer_cell {
	char *text; /* owned, clean */
	unsigned columns;
	enum writer_color color;
};

void
writer_table_init(struct writer_table *table, const struct writer_column *columns, unsigned count)
{
	*table = (struct writer_table){ .columns = columns, .column_count = count < MAX_COLUMNS ? count : MAX_COLUMNS };
}

void
writer_table_done(struct writer_table *table)
{
	size_t i;

	for (i = 0; i < table->cell_count; i++)
		free(table->cells[i].text);
	free(table->cells);
	*table = (struct writer_table){ 0 };
}

void
writer_table_cell(struct writer_table *table, enum writer_color color, const char *text)
{
	struct writer_cell *cell;
	struct nd_buf clean;

	if (table->cell_count == table->room) {
		table->room = table->room > 0 ? 2 * table->room : 64;
		table->cells = nd_xrealloc(table->cells, table->room * sizeof(*table->cells));
	}
	cell = &table->cells[table->cell_count++];
	nd_buf_init(&clean, CELL_ROOM);
	if (text != NULL)
		writer_clean(text, strnlen(text, CELL_ROOM / 4), &clean);
	*cell = (struct writer_cell){ nd_xstrdup(nd_buf_text(&clean)), writer_columns(nd_buf_text(&clean)), color };
	nd_buf_done(&clean);
}

/* What each column takes: its widest text, 0 when it has none. */
static void
measure(const struct writer_table *table, unsigned width[MAX_COLUMNS])
{
	unsigned column, title;
	size_t i;

	memset(width, 0, MAX_COLUMNS * sizeof(*width));
	for (i = 0; i < table->cell_count; i++) {
		column = (unsigned)(i % table->column_count);
		if (table->cells[i].columns > width[column])
			width[column] = table->cells[i].columns;
	}
	for (column = 0; column < table->column_count; column++) {
		title = writer_columns(table->columns[column].title);
		if (width[column] > 0 && width[column] < title)
			width[column] = title;
	}
}

/* Takes from the flexible columns, widest first, what the terminal lacks. */
static void
squeeze(const struct writer_table *table, unsigned width[MAX_COLUMNS], unsigned limit, unsigned indent)
{
	unsigned sum, i, widest;

	for (;;) {
		sum = indent;
		widest = MAX_COLUMNS;
		for (i = 0; i < table->column_count; i++) {
			sum += width[i] > 0 ? width[i] + GAP : 0;
			if (table->columns[i].flexible && width[i] > NARROWEST_FLEXIBLE &&
			    (widest == MAX_COLUMNS || width[i] > width[widest]))
				widest = i;
		}
		if (sum <= limit + GAP || widest == MAX_COLUMNS)
			return;
		width[widest]--;
	}
}

/* The start of `text` that takes at most `columns`. */
static size_t
cut(const char *text, unsigned columns)
{
	size_t at = 0, n;
	char one[8];

	while (text[at] != '\0') {
		n = nd_str_utf8_len(text + at, strlen(text + at));
		n = n > 0 ? n : 1;
		memcpy(one, text + at, n);
		one[n] = '\0';
		if (writer_columns(one) > columns)
			break;
		columns -= writer_columns(one);
		at += n;
	}
	return at;
}

static void
pad(struct writer *writer, unsigned columns)
{
	(void)fprintf(writer->file, "%*s", (int)columns, "");
}

/* One cell, cut with an ellipsis or filled up; the last one of a row is not filled. */
static void
print_cell(struct writer *writer, const struct writer_cell *cell, unsigned width, bool right, bool last)
{
	char *text = cell->text, *shorter = NULL;
	unsigned columns = cell->columns;
	struct writer plain = *writer;
	size_t at;

	if (columns > width) {
		at = cut(text, width - 1);
		shorter = nd_xalloc(at + 4);
		memcpy(shorter, text, at);
		memcpy(shorter + at, "…", 4);
		text = shorter;
		columns = writer_columns(text);
	}
	if (right)
		pad(&plain, width > columns ? width - columns : 0);
	writer_text(writer, cell->color, text);
	if (!right && !last)
		pad(&plain, width > columns ? width - columns : 0);
	free(shorter);
}

static void
print_row(const struct writer_table *table, struct writer *writer, const struct writer_cell *row,
    const unsigned width[MAX_COLUMNS], unsigned indent)
{
	unsigned i, last = 0, due = indent;

	for (i = 0; i < table->column_count; i++)
		last = width[i] > 0 && row[i].columns > 0 ? i : last;
	for (i = 0; i <= last && i < table->column_count; i++) {
		if (width[i] == 0)
			continue;
		pad(writer, due);
		print_cell(writer, &row[i], width[i], table->columns[i].right, i == last);
		due = GAP;
	}
	(void)fputc('\n', writer->file);
}

void
writer_table_print(struct writer_table *table, struct writer *writer, unsigned indent)
{
	unsigned width[MAX_COLUMNS], i;
	struct writer_cell titles[MAX_COLUMNS];
	size_t row;

	measure(table, width);
	if (writer->width > 0)
		squeeze(table, width, writer->width, indent);
	for (i = 0; i < table->column_count; i++) {
		titles[i] = (struct writer_cell){ nd_xstrdup(table->columns[i].title),
			writer_columns(table->columns[i].title), WRITER_DIM };
	}
	print_row(table, writer, titles, width, indent);
	for (i = 0; i < table->column_count; i++)
		free(titles[i].text);
	for (row = 0; row + table->column_count <= table->cell_count; row += table->column_count)
		print_row(table, writer, table->cells + row, width, indent);
}
