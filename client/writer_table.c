/* SPDX-License-Identifier: Apache-2.0 */
/* writer_table.c - texts in columns.  Layer: client.  The only user of libsmartcols.
 *
 * The library is loaded when the first table is printed: most runs of the program print none, and must not pay for it.
 * Where it is not installed, a table is its texts with TABs between them.
 */
#include "client/writer.h"

#include "common/mem.h"

#include <dlfcn.h>
#include <libsmartcols.h>
#include <stdlib.h>
#include <string.h>

#define LIBRARY "libsmartcols.so.1"
#define MAX_COLUMNS 16
#define CELL_ROOM 65536u
#define GAP "  "

struct writer_cell {
	char *text; /* owned, clean */
	enum writer_color color;
};

/* clang-format off */
#define CALLS(X) \
	X(new_table) X(unref_table) X(table_new_column) X(table_new_line) X(line_set_data) X(line_get_cell) \
	X(cell_set_color) X(column_get_header) X(table_enable_colors) X(table_enable_noencoding) X(table_set_termforce) \
	X(table_set_termwidth) X(table_set_column_separator) X(table_set_stream) X(print_table)
#define MEMBER(name) __typeof__(scols_##name) *name; /* NOLINT(bugprone-macro-parentheses) */
#define NAME(name) "scols_" #name,
struct scols {
	CALLS(MEMBER)
};
static const char *const names[] = { CALLS(NAME) };
/* clang-format on */

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
	struct nd_buf clean;

	if (table->cell_count == table->room) {
		table->room = table->room > 0 ? 2 * table->room : 64;
		table->cells = nd_xrealloc(table->cells, table->room * sizeof(*table->cells));
	}
	nd_buf_init(&clean, CELL_ROOM);
	if (text != NULL)
		writer_clean(text, strnlen(text, CELL_ROOM / 4), &clean);
	table->cells[table->cell_count++] = (struct writer_cell){ nd_xstrdup(nd_buf_text(&clean)), color };
	nd_buf_done(&clean);
}

/* Columns without any text are left out. */
static void
find_used(const struct writer_table *table, bool used[MAX_COLUMNS])
{
	size_t i;

	memset(used, 0, MAX_COLUMNS * sizeof(*used));
	for (i = 0; i < table->cell_count; i++)
		if (table->cells[i].text[0] != '\0')
			used[i % table->column_count] = true;
}

/* -- without the library --------------------------------------------------------------------------------------- */

static void
print_plain(const struct writer_table *table, const bool used[MAX_COLUMNS], FILE *file)
{
	size_t i, column, rows = table->cell_count / table->column_count;
	const char *gap = "";

	for (i = 0; i < (rows + 1) * table->column_count; i++) {
		column = i % table->column_count;
		if (used[column]) {
			(void)fprintf(file, "%s%s", gap,
			    i < table->column_count ? table->columns[column].title
						    : table->cells[i - table->column_count].text);
			gap = "\t";
		}
		if (column + 1 == table->column_count) {
			(void)fputc('\n', file);
			gap = "";
		}
	}
}

/* -- with it --------------------------------------------------------------------------------------------------- */

/* It stays loaded: the program ends soon. */
static bool
load(struct scols *scols)
{
	void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL), *call;
	size_t i;

	for (i = 0; library != NULL && i < sizeof(names) / sizeof(names[0]); i++) {
		call = dlsym(library, names[i]);
		if (call == NULL)
			return false;
		memcpy((char *)scols + i * sizeof(call), &call, sizeof(call));
	}
	return library != NULL;
}

static bool
add_columns(const struct scols *scols, struct libscols_table *out, const struct writer_table *table,
    const bool used[MAX_COLUMNS])
{
	struct libscols_column *column;
	unsigned i;

	for (i = 0; i < table->column_count; i++) {
		if (!used[i])
			continue;
		column = scols->table_new_column(out, table->columns[i].title, table->columns[i].share,
		    (table->columns[i].right ? SCOLS_FL_RIGHT : 0) |
			(table->columns[i].share > 0 ? SCOLS_FL_TRUNC : 0));
		if (column == NULL)
			return false;
		(void)scols->cell_set_color(scols->column_get_header(column), writer_code(WRITER_DIM));
	}
	return true;
}

static bool
add_row(const struct scols *scols, struct libscols_table *out, const struct writer_table *table,
    const bool used[MAX_COLUMNS], const struct writer_cell *row)
{
	struct libscols_line *line = scols->table_new_line(out, NULL);
	size_t n = 0, i;

	for (i = 0; line != NULL && i < table->column_count; i++) {
		if (!used[i])
			continue;
		if (scols->line_set_data(line, n, row[i].text) != 0)
			return false;
		if (row[i].color != WRITER_PLAIN)
			(void)scols->cell_set_color(scols->line_get_cell(line, n), writer_code(row[i].color));
		n++;
	}
	return line != NULL;
}

static bool
fill(const struct scols *scols, struct libscols_table *out, const struct writer_table *table,
    const bool used[MAX_COLUMNS])
{
	size_t row;

	if (!add_columns(scols, out, table, used))
		return false;
	for (row = 0; row + table->column_count <= table->cell_count; row += table->column_count)
		if (!add_row(scols, out, table, used, table->cells + row))
			return false;
	return true;
}

/* False: nothing was printed. */
static bool
print_smart(const struct writer_table *table, const bool used[MAX_COLUMNS], const struct writer *writer)
{
	struct libscols_table *out;
	struct scols scols;
	bool printed = false;

	if (!load(&scols) || (out = scols.new_table()) == NULL)
		return false;
	(void)scols.table_enable_colors(out, writer->color);
	(void)scols.table_enable_noencoding(out, 1); /* the texts are clean */
	(void)scols.table_set_termforce(out, writer->width > 0 ? SCOLS_TERMFORCE_ALWAYS : SCOLS_TERMFORCE_NEVER);
	(void)scols.table_set_termwidth(out, writer->width);
	(void)scols.table_set_column_separator(out, GAP);
	(void)scols.table_set_stream(out, writer->file);
	if (fill(&scols, out, table, used))
		printed = scols.print_table(out) == 0;
	scols.unref_table(out);
	return printed;
}

void
writer_table_print(struct writer_table *table, struct writer *writer)
{
	bool used[MAX_COLUMNS];

	find_used(table, used);
	if (!print_smart(table, used, writer))
		print_plain(table, used, writer->file);
}
