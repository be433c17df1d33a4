/* SPDX-License-Identifier: Apache-2.0 */
/* explain_table.c - files of explanations => the table.  Layer: common, words.  Pure.
 *
 * Every line is held to be right by itself: a faulty one is told and skipped, the rest stands.
 */
#include "common/explain_inner.h"
#include "common/mem.h"
#include "common/str.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FORMAT 1
#define HEAD "explanations"
#define ID_CHARS "abcdefghijklmnopqrstuvwxyz0123456789-"
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum kind { TEXT, WORDS, LIST, PATTERNS, COMMANDS, CLASS, PROVIDER, WAIT, FLAG, TOKEN };
struct key {
	const char *name;
	enum kind kind;
	size_t offset; /* in struct explain_row */
};
#define AT(member) offsetof(struct explain_row, member)
static const struct key keys[] = {
	{ "match", PATTERNS, AT(match) },
	{ "provider", PROVIDER, AT(provider) },
	{ "class", CLASS, AT(class) },
	{ "wait", WAIT, AT(wait) },
	{ "spreads", FLAG, AT(spreads) },
	{ "token", TOKEN, AT(token) },
	{ "cause.en", WORDS, AT(cause[EXPLAIN_EN]) },
	{ "cause.ja", WORDS, AT(cause[EXPLAIN_JA]) },
	{ "remedy.en", WORDS, AT(remedy[EXPLAIN_EN]) },
	{ "remedy.ja", WORDS, AT(remedy[EXPLAIN_JA]) },
	{ "command", COMMANDS, AT(command) },
	{ "source", TEXT, AT(source) },
	{ "example", LIST, AT(example) },
};

struct reader {
	struct explain_table *table;
	struct explain_row *row; /* of the section; NULL none, or a faulty one */
	const struct explain_ear *ear;
	const char *file;
	unsigned line, revision;
	int64_t format;
	bool base, head; /* the whole table, not a change; inside [explanations] */
};

static void
complain(const struct reader *reader, const char *fault)
{
	if (reader->ear != NULL && reader->ear->tell != NULL)
		reader->ear->tell(reader->ear->arg, reader->file, reader->line, fault);
}

static void
complain_of(const struct reader *reader, const char *what, const char *fault)
{
	char text[256];

	(void)snprintf(text, sizeof(text), "%.*s: %s", (int)nd_str_utf8_cut(what, strlen(what), 80), what, fault);
	complain(reader, text);
}

static struct explain_row *
find(const struct explain_table *table, const char *id)
{
	for (unsigned i = 0; i < table->count; i++)
		if (strcmp(table->rows[i]->id, id) == 0)
			return table->rows[i];
	return NULL;
}

static struct explain_row *
add(struct reader *reader, const char *id)
{
	struct explain_table *table = reader->table;
	struct explain_row *row;
	unsigned at = reader->base ? table->count : table->front++;

	if (table->count == table->room) {
		table->room = table->room > 0 ? table->room * 2 : 256;
		table->rows = nd_xrealloc(table->rows, table->room * sizeof(struct explain_row *));
	}
	row = nd_xalloc(sizeof(*row));
	*row = (struct explain_row){
		.id = id, .provider = "", .source = "", .cause = { "", "" }, .remedy = { "", "" }, .line = reader->line
	};
	memmove(table->rows + at + 1, table->rows + at, (table->count - at) * sizeof(struct explain_row *));
	table->rows[at] = row;
	table->count++;
	return row;
}

static void
read_section(struct reader *reader, char *text)
{
	size_t len = strlen(text);
	char *id = text + 1;
	struct explain_row *row;

	reader->row = NULL;
	reader->head = false;
	if (text[len - 1] != ']') {
		complain(reader, "the section has no ] at its end");
		return;
	}
	text[len - 1] = '\0';
	if (strcmp(id, HEAD) == 0) {
		reader->head = true;
		return;
	}
	if (*id == '\0' || strspn(id, ID_CHARS) != strlen(id)) {
		complain_of(reader, id, "an id has small letters, digits and - only");
		return;
	}
	row = find(reader->table, id);
	if (row != NULL && reader->base) {
		complain_of(reader, id, "this id was there before");
		return;
	}
	if (row == NULL && reader->table->count == EXPLAIN_ROWS) {
		complain(reader, "there are too many rows");
		return;
	}
	reader->row = row != NULL ? row : add(reader, id);
	reader->row->renew = UINT32_MAX;
}

static void
read_head(struct reader *reader, const char *name, const char *value)
{
	int64_t number;

	if (strcmp(name, "format") == 0 && nd_str_int(value, 0, INT32_MAX, &reader->format))
		return;
	if (strcmp(name, "revision") == 0 && nd_str_int(value, 0, INT32_MAX, &number))
		reader->revision = (unsigned)number;
	else
		complain_of(reader, name, "this section has format and revision, both numbers");
}

static void
lower(char *text)
{
	for (; *text != '\0'; text++)
		if (*text >= 'A' && *text <= 'Z')
			*text = (char)(*text - 'A' + 'a');
}

static const char *
add_item(struct explain_row *row, const struct key *key, char *value)
{
	struct explain_list *list = (struct explain_list *)(void *)((char *)row + key->offset);
	unsigned bit = 1u << (key - keys);
	const char *fault = NULL;

	if (key->kind == PATTERNS) {
		lower(value);
		fault = explain_pattern_fault(value);
	} else if (key->kind == COMMANDS && explain_stranger(value) != NULL) {
		fault = "there is no such placeholder";
	}
	if (fault != NULL)
		return fault;
	if (row->renew & bit)
		list->count = 0;
	row->renew &= ~bit;
	if (list->count == EXPLAIN_LIST)
		return "there are too many of these";
	if (list->items == NULL)
		list->items = nd_xalloc(EXPLAIN_LIST * sizeof(char *));
	list->items[list->count++] = value;
	return NULL;
}

static const char *
read_class(struct explain_row *row, const char *value)
{
	for (unsigned i = EXPLAIN_NO_CLASS + 1; i < EXPLAIN_CLASS_COUNT; i++) {
		if (strcmp(explain_class_name((enum explain_class)i), value) == 0) {
			row->class = (enum explain_class)i;
			return NULL;
		}
	}
	return "there is no such class";
}

static const char *
read_provider(struct explain_row *row, const char *value)
{
	const char *family = explain_family(value);

	if (family == NULL || strcmp(family, value) != 0)
		return "a provider is microsoft, google or ses";
	row->provider = family;
	return NULL;
}

static const char *
read_token(struct explain_row *row, const char *value)
{
	static const char *const names[] = {
		[EXPLAIN_LOGIN] = "login", [EXPLAIN_MAILBOX] = "mailbox", [EXPLAIN_SENDER] = "sender"
	};

	for (unsigned i = EXPLAIN_LOGIN; i < COUNT(names); i++) {
		if (strcmp(names[i], value) == 0) {
			row->token = (enum explain_token)i;
			return NULL;
		}
	}
	return "this is login, mailbox or sender";
}

/* Takes one value; NULL or its fault. */
static const char *
take(struct explain_row *row, const struct key *key, char *value)
{
	const char **text = (const char **)(void *)((char *)row + key->offset);

	switch (key->kind) {
	case TEXT:
	case WORDS:
		if (key->kind == WORDS && explain_stranger(value) != NULL)
			return "there is no such placeholder";
		*text = value;
		return NULL;
	case LIST:
	case PATTERNS:
	case COMMANDS:
		return add_item(row, key, value);
	case CLASS:
		return read_class(row, value);
	case PROVIDER:
		return read_provider(row, value);
	case WAIT:
		return nd_str_duration(value, &row->wait) ? NULL : "this is no duration (90s, 15m, 1h)";
	case FLAG:
		row->spreads = strcmp(value, "yes") == 0;
		return row->spreads || strcmp(value, "no") == 0 ? NULL : "this is yes or no";
	case TOKEN:
		return read_token(row, value);
	default:
		return NULL;
	}
}

static void
read_key(struct reader *reader, char *text)
{
	char *equals = strchr(text, '='), *end;
	const char *fault;

	if (equals == NULL || equals == text) {
		complain(reader, "a line is: key = value");
		return;
	}
	for (end = equals; end > text && end[-1] == ' ';)
		end--;
	*end = '\0';
	for (equals++; *equals == ' ';)
		equals++;
	if (reader->head) {
		read_head(reader, text, equals);
		return;
	}
	if (reader->row == NULL)
		return; /* its section was told */
	for (size_t i = 0; i < COUNT(keys); i++) {
		if (strcmp(keys[i].name, text) != 0)
			continue;
		fault = *equals == '\0' ? "there is no value" : take(reader->row, &keys[i], equals);
		if (fault != NULL)
			complain_of(reader, text, fault);
		return;
	}
	complain_of(reader, text, "there is no such key");
}

/* One line, without the white space around it. */
static void
read_line(struct reader *reader, char *line, size_t len)
{
	while (len > 0 && (line[len - 1] == ' ' || line[len - 1] == '\t' || line[len - 1] == '\r'))
		len--;
	line[len] = '\0';
	if (len == 0 || line[0] == '#')
		return;
	if (len > EXPLAIN_LINE)
		complain(reader, "the line is too long");
	else if (strlen(line) != len || !nd_str_utf8(line, len) || nd_str_has_control(line, len))
		complain(reader, "the line has control characters, or is not UTF-8");
	else if (line[0] == '[')
		read_section(reader, line);
	else
		read_key(reader, line);
}

/* The text is copied: the rows point into it. */
static void
read_text(struct reader *reader, const char *text, size_t len)
{
	struct explain_table *table = reader->table;
	char *copy, *line, *end;

	if (len > EXPLAIN_FILE) {
		complain(reader, "the file is too large");
		return;
	}
	copy = nd_xalloc(len + 1);
	memcpy(copy, text, len);
	table->texts = nd_xrealloc(table->texts, (table->text_count + 1) * sizeof(char *));
	table->texts[table->text_count++] = copy;
	for (line = copy; line <= copy + len; line = end + 1) {
		end = memchr(line, '\n', (size_t)(copy + len - line));
		if (end == NULL)
			end = copy + len;
		reader->line++;
		read_line(reader, line, (size_t)(end - line));
	}
	reader->line = 0;
}

static struct explain_table *
read_base(const char *file, const char *text, size_t len, const struct explain_ear *ear, int64_t *format)
{
	struct reader reader = {
		.table = nd_xalloc(sizeof(struct explain_table)), .ear = ear, .file = file, .base = true
	};

	read_text(&reader, text, len);
	reader.table->revision = reader.revision;
	*format = reader.format;
	return reader.table;
}

struct explain_table *
explain_new(const char *file, const char *text, size_t len, const struct explain_ear *ear)
{
	struct explain_table *mine, *other;
	struct reader reader = { .ear = ear, .file = file };
	int64_t format;

	mine = read_base("explanations", explain_built_in, strlen(explain_built_in), NULL, &format);
	if (text == NULL)
		return mine;
	other = read_base(file, text, len, ear, &format);
	if (format == FORMAT && other->revision >= mine->revision && other->count > 0) {
		explain_free(mine);
		return other;
	}
	complain(&reader, "the file is not used: it is older than the program, or of another format");
	explain_free(other);
	return mine;
}

void
explain_change(
    struct explain_table *table, const char *file, const char *text, size_t len, const struct explain_ear *ear)
{
	struct reader reader = { .table = table, .ear = ear, .file = file, .format = FORMAT };

	read_text(&reader, text, len);
	if (reader.format != FORMAT)
		complain(&reader, "the file says that it is of another format");
}

static void
free_row(struct explain_row *row)
{
	free(row->match.items);
	free(row->example.items);
	free(row->command.items);
	free(row);
}

void
explain_finish(struct explain_table *table, const struct explain_ear *ear)
{
	struct reader reader = { .ear = ear, .file = "explain.d" };
	unsigned kept = 0;

	for (unsigned i = 0; i < table->count; i++) {
		struct explain_row *row = table->rows[i];

		if (row->match.count > 0 && row->class != EXPLAIN_NO_CLASS && row->cause[EXPLAIN_EN][0] != '\0' &&
		    row->remedy[EXPLAIN_EN][0] != '\0') {
			table->rows[kept++] = row;
			continue;
		}
		reader.line = row->line;
		complain_of(&reader, row->id, "match, class, cause.en and remedy.en are needed");
		free_row(row);
	}
	table->count = kept;
}

void
explain_free(struct explain_table *table)
{
	if (table == NULL)
		return;
	for (unsigned i = 0; i < table->count; i++)
		free_row(table->rows[i]);
	for (unsigned i = 0; i < table->text_count; i++)
		free(table->texts[i]);
	free(table->rows);
	free(table->texts);
	free(table);
}
