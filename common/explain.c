/* SPDX-License-Identifier: Apache-2.0 */
/* explain.c - a failure's text => what it means, what to do, how long to wait.  Layer: common, words.  Pure. */
#include "common/explain_inner.h"

#include "common/json.h"
#include "common/str.h"

#include <stddef.h>
#include <string.h>

/* -- names -- */

const char *explain_class_name(enum explain_class class)
{
	static const char *const names[EXPLAIN_CLASS_COUNT] = { [EXPLAIN_NO_CLASS] = "",
#define X(symbol, name) [EXPLAIN_##symbol] = (name),
		EXPLAIN_CLASSES(X)
#undef X
	};

	return (unsigned)class < EXPLAIN_CLASS_COUNT ? names[class] : "";
}

enum explain_lang
explain_lang_of(const char *name)
{
	bool ja = name != NULL && nd_str_starts_nocase(name, "ja") && (name[2] == '\0' || strchr("_-.;,@ ", name[2]));

	return ja ? EXPLAIN_JA : EXPLAIN_EN;
}

enum explain_lang
explain_lang_here(char *(*get)(const char *name))
{
	static const char *const names[] = { "LC_ALL", "LC_MESSAGES", "LANG" };
	const char *value;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if ((value = get(names[i])) != NULL && value[0] != '\0')
			return explain_lang_of(value);
	return EXPLAIN_EN;
}

const char *
explain_lang_name(enum explain_lang lang)
{
	return lang == EXPLAIN_JA ? "ja" : "en";
}

const char *
explain_say(enum explain_lang lang, const char *en, const char *ja)
{
	return lang == EXPLAIN_JA ? ja : en;
}

const char *
explain_cause(const struct explain_row *row, enum explain_lang lang)
{
	return row->cause[lang][0] != '\0' ? row->cause[lang] : row->cause[EXPLAIN_EN];
}

const char *
explain_remedy(const struct explain_row *row, enum explain_lang lang)
{
	return row->remedy[lang][0] != '\0' ? row->remedy[lang] : row->remedy[EXPLAIN_EN];
}

unsigned
explain_revision(const struct explain_table *table)
{
	return table->revision;
}

const struct explain_row *
explain_nth(const struct explain_table *table, unsigned n)
{
	return n < table->count ? table->rows[n] : NULL;
}

/* -- placeholders -- */

struct placeholder {
	const char *name, *unknown;
	size_t offset; /* in struct explain_facts */
	bool list;     /* words with spaces between */
};
#define FACT(member) offsetof(struct explain_facts, member)
static const struct placeholder placeholders[] = {
	{ "{account}", "ACCOUNT", FACT(account), false },
	{ "{user}", "MAILBOX", FACT(user), false },
	{ "{tenant}", "TENANT-ID", FACT(tenant), false },
	{ "{client_id}", "CLIENT-ID", FACT(client_id), false },
	{ "{host}", "HOST", FACT(host), false },
	{ "{from}", "FROM-ADDRESS", FACT(from), false },
	{ "{redirect_uri}", "http://localhost", FACT(redirect_uri), false },
	{ "{object_id}", "OBJECT-ID", FACT(object_id), false },
	{ "{person}", "PERSON", FACT(person), false },
	{ "{audience}", "AUDIENCE", FACT(audience), false },
	{ "{rights}", "RIGHTS", FACT(rights), true },
};

static const struct placeholder *
placeholder_at(const char *words)
{
	for (size_t i = 0; i < sizeof(placeholders) / sizeof(placeholders[0]); i++)
		if (strncmp(words, placeholders[i].name, strlen(placeholders[i].name)) == 0)
			return &placeholders[i];
	return NULL;
}

const char *
explain_stranger(const char *words)
{
	for (; (words = strchr(words, '{')) != NULL; words++) {
		size_t name = strspn(words + 1, "abcdefghijklmnopqrstuvwxyz_");

		if (name > 0 && words[name + 1] == '}' && placeholder_at(words) == NULL)
			return words;
	}
	return NULL;
}

/* People paste commands into a shell: a value that could end its quotes is not put in. */
static const char *
value_of(const struct placeholder *placeholder, const struct explain_facts *facts)
{
	const char *value = NULL;

	if (facts != NULL)
		value = *(const char *const *)(const void *)((const char *)facts + placeholder->offset);
	if (value == NULL || value[0] == '\0' || strlen(value) > 320 || strpbrk(value, "\"'`$;&|<>(){}\\") != NULL ||
	    (!placeholder->list && strchr(value, ' ') != NULL) || nd_str_has_control(value, strlen(value)))
		return placeholder->unknown;
	return value;
}

void
explain_fill(const char *words, const struct explain_facts *facts, struct nd_buf *out)
{
	const struct placeholder *placeholder;

	while (*words != '\0') {
		size_t plain = strcspn(words, "{");

		(void)nd_buf_add(out, words, plain);
		words += plain;
		if (*words == '\0')
			break;
		placeholder = placeholder_at(words);
		if (placeholder == NULL) {
			(void)nd_buf_addc(out, *words++);
			continue;
		}
		(void)nd_buf_adds(out, value_of(placeholder, facts));
		words += strlen(placeholder->name);
	}
}

/* -- looking up -- */

const char *
explain_family(const char *provider)
{
	static const char *const families[] = { "microsoft", "google", "ses" };

	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++)
		if (strncmp(provider, families[i], strlen(families[i])) == 0)
			return families[i];
	return NULL;
}

/* Another provider's row says nothing of this account; an account of no known provider may be with any. */
static bool
concerns(const struct explain_row *row, const struct explain_facts *facts)
{
	const char *family = facts != NULL && facts->provider != NULL ? explain_family(facts->provider) : NULL;

	return row->provider[0] == '\0' || family == NULL || strcmp(row->provider, family) == 0;
}

unsigned
explain_find(const struct explain_table *table, const char *text, const struct explain_facts *facts,
    const struct explain_row *found[EXPLAIN_FOUND])
{
	char plain[EXPLAIN_TEXT + 1];
	unsigned count = 0;

	if (text == NULL || explain_plain(text, plain) == 0)
		return 0;
	for (unsigned i = 0; i < table->count && count < EXPLAIN_FOUND; i++) {
		const struct explain_row *row = table->rows[i];

		if (!concerns(row, facts))
			continue;
		for (unsigned k = 0; k < row->match.count; k++) {
			if (explain_fits(row->match.items[k], plain)) {
				found[count++] = row;
				break;
			}
		}
	}
	return count;
}

static void
put_filled(
    struct json_out *out, const char *key, const char *words, const struct explain_facts *facts, struct nd_buf *text)
{
	nd_buf_clear(text);
	explain_fill(words, facts, text);
	json_out_textn(out, key, nd_buf_text(text), text->len);
}

static void
put_row(const struct explain_row *row, const struct explain_facts *facts, enum explain_lang lang, bool by_token,
    struct json_out *out)
{
	struct nd_buf text;

	nd_buf_init(&text, (size_t)16 * EXPLAIN_LINE);
	json_out_object(out, NULL);
	json_out_text(out, "id", row->id);
	json_out_text(out, "class", explain_class_name(row->class));
	put_filled(out, "cause", explain_cause(row, lang), facts, &text);
	put_filled(out, "remedy", explain_remedy(row, lang), facts, &text);
	if (row->command.count > 0) {
		json_out_array(out, "commands");
		for (unsigned i = 0; i < row->command.count; i++)
			put_filled(out, NULL, row->command.items[i], facts, &text);
		json_out_array_end(out);
	}
	if (row->wait > 0)
		json_out_int(out, "wait_seconds", row->wait / 1000);
	json_out_text(out, "provider", row->provider[0] != '\0' ? row->provider : NULL);
	json_out_text(out, "source", row->source[0] != '\0' ? row->source : NULL);
	if (by_token)
		json_out_bool(out, "token", true);
	json_out_object_end(out);
	nd_buf_done(&text);
}

void
explain_json(const struct explain_table *table, const char *text, const struct explain_row *first,
    const struct explain_facts *facts, enum explain_lang lang, struct nd_buf *out)
{
	const struct explain_row *found[EXPLAIN_FOUND];
	unsigned count = explain_find(table, text, facts, found);
	struct json_out json;

	json_out_init(&json, out);
	json_out_object(&json, NULL);
	json_out_text(&json, "lang", explain_lang_name(lang));
	json_out_int(&json, "revision", table->revision);
	json_out_array(&json, "matches");
	if (first != NULL)
		put_row(first, facts, lang, true, &json);
	for (unsigned i = 0; i < count; i++)
		put_row(found[i], facts, lang, false, &json);
	json_out_array_end(&json);
	json_out_object_end(&json);
	(void)nd_buf_addc(out, '\n');
}

/* -- hints -- */

static struct explain_table *used;

void
explain_use(struct explain_table *table)
{
	explain_free(used);
	used = table;
}

const struct explain_table *
explain_used(void)
{
	if (used == NULL) {
		used = explain_new(NULL, NULL, 0, NULL);
		explain_finish(used, NULL);
	}
	return used;
}

void
explain_cure(
    const struct explain_row *row, const struct explain_facts *facts, enum explain_lang lang, struct nd_buf *out)
{
	explain_fill(explain_remedy(row, lang), facts, out);
	for (unsigned i = 0; i < row->command.count; i++) {
		(void)nd_buf_adds(out, i == 0 ? ": " : "; ");
		explain_fill(row->command.items[i], facts, out);
	}
}

bool
explain_hint(const char *text, const struct explain_facts *facts, enum explain_lang lang, struct nd_buf *out)
{
	const struct explain_row *found[EXPLAIN_FOUND];

	if (explain_find(explain_used(), text, facts, found) == 0)
		return false;
	explain_cure(found[0], facts, lang, out);
	return true;
}
