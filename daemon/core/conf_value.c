/* SPDX-License-Identifier: Apache-2.0 */
/* conf_value.c - the text of a setting => its field, by the type of its row.  Layer: core.  Pure.
 *
 * A type says where the value is kept: as a text, a number or a list. What a text must look like is conf_text's matter.
 */
#include "daemon/core/conf_inner.h"

#include "common/mem.h"
#include "common/stamp.h"

#include <stdlib.h>
#include <string.h>

#define VALUE_MAX 16384u /* octets, after ${host} */

enum keeping { KEEP_TEXT, KEEP_LIST, KEEP_INT, KEEP_SIZE, KEEP_TIME, KEEP_RATE, KEEP_CHOICE };

/* clang-format off */
static const enum keeping keepings[CONF_KEYS_TYPE_COUNT] = {
	[CONF_KEYS_INT]       = KEEP_INT,
	[CONF_KEYS_SIZE]      = KEEP_SIZE,
	[CONF_KEYS_TIME]      = KEEP_TIME,
	[CONF_KEYS_RATE]      = KEEP_RATE,
	[CONF_KEYS_CHOICE]    = KEEP_CHOICE,
	[CONF_KEYS_MAILBOXES] = KEEP_LIST,
	[CONF_KEYS_NAMES]     = KEEP_LIST,
	[CONF_KEYS_ALLOWED]   = KEEP_LIST,
	[CONF_KEYS_PATTERNS]  = KEEP_LIST,
	[CONF_KEYS_DOMAINS]   = KEEP_LIST,
	[CONF_KEYS_PINS]      = KEEP_LIST,
};
/* clang-format on */

void
conf_value_list_add(struct conf_list *list, const char *item, size_t len)
{
	list->items = nd_xrealloc(list->items, (list->count + 2) * sizeof(*list->items));
	list->items[list->count++] = nd_xstrndup(item, len);
	list->items[list->count] = NULL;
}

void
conf_value_list_done(struct conf_list *list)
{
	for (unsigned i = 0; i < list->count; i++)
		free(list->items[i]);
	free(list->items);
	*list = (struct conf_list){ 0 };
}

/* ${host} and ${fqdn}. */
static enum nd_err
expand(const struct conf *conf, const char *text, struct nd_buf *out, struct nd_why *why)
{
	for (const char *at = text; *at != '\0';) {
		const char *dollar = strstr(at, "${");

		if (dollar == NULL) {
			nd_buf_adds(out, at);
			break;
		}
		nd_buf_add(out, at, (size_t)(dollar - at));
		if (strncmp(dollar, "${host}", 7) == 0)
			nd_buf_adds(out, conf->host);
		else if (strncmp(dollar, "${fqdn}", 7) == 0)
			nd_buf_adds(out, conf->fqdn);
		else
			return nd_fail(why, ND_ECONF, 0, "after ${ only host} and fqdn} are known");
		at = strchr(dollar, '}') + 1;
	}
	if (out->failed || out->len > VALUE_MAX)
		return nd_fail(why, ND_ECONF, 0, "the value is too long");
	return ND_OK;
}

static enum nd_err
set_text(const struct conf_keys_row *row, char **field, const char *text, struct nd_why *why)
{
	enum nd_err err = text[0] == '\0' ? ND_OK : conf_text_check(row->type, text, why);

	if (err != ND_OK)
		return err;
	if (row->max > 0 && strlen(text) > (size_t)row->max)
		return nd_fail(why, ND_ECONF, 0, "it is longer than %lld characters", (long long)row->max);
	free(*field);
	*field = nd_xstrdup(text);
	return ND_OK;
}

static enum nd_err
set_list(const struct conf_keys_row *row, struct conf_list *field, const char *text, struct nd_why *why)
{
	struct conf_list list = { 0 };
	enum nd_err err = ND_OK;
	const char *start;
	size_t len;

	for (const char *rest = text; err == ND_OK && nd_str_list_next(&rest, &start, &len);) {
		if (len == 0)
			continue; /* a comma too many harms nobody */
		conf_value_list_add(&list, start, len);
		err = conf_text_check(row->type, list.items[list.count - 1], why);
		if (err == ND_OK && list.count > row->max)
			err = nd_fail(why, ND_ECONF, 0, "there are more than %lld", (long long)row->max);
	}
	if (err == ND_OK) {
		conf_value_list_done(field);
		*field = list;
	} else
		conf_value_list_done(&list);
	return err;
}

static enum nd_err
set_int(const struct conf_keys_row *row, int64_t *field, const char *text, struct nd_why *why)
{
	int64_t value = 0;

	if (text[0] != '\0' && !nd_str_int(text, row->min, row->max, &value))
		return nd_fail(why, ND_ECONF, 0, "\"%.40s\" is not a number from %lld to %lld", text,
		    (long long)row->min, (long long)row->max);
	*field = value;
	return ND_OK;
}

static enum nd_err
set_size(const struct conf_keys_row *row, int64_t *field, const char *text, struct nd_why *why)
{
	int64_t value;

	if (!nd_str_size(text, &value))
		return nd_fail(why, ND_ECONF, 0, "\"%.40s\" is not a size such as 64M or 1G", text);
	if (value < row->min || value > row->max)
		return nd_fail(why, ND_ECONF, 0, "%.40s is not between %lld and %lld octets", text, (long long)row->min,
		    (long long)row->max);
	*field = value;
	return ND_OK;
}

static enum nd_err
set_time(const struct conf_keys_row *row, nd_ms *field, const char *text, struct nd_why *why)
{
	char low[ND_STAMP_SIZE], high[ND_STAMP_SIZE];
	nd_ms value;

	if (!nd_str_duration(text, &value))
		return nd_fail(why, ND_ECONF, 0, "\"%.40s\" is not a duration such as 90s, 15m, 48h or 7d", text);
	if (value < ND_SEC(row->min) || value > ND_SEC(row->max))
		return nd_fail(why, ND_ECONF, 0, "%.40s is not between %s and %s", text,
		    nd_stamp_span(ND_SEC(row->min), low), nd_stamp_span(ND_SEC(row->max), high));
	*field = value;
	return ND_OK;
}

/* One "N/min". Each unit once. */
static bool
read_rate(const struct conf_keys_row *row, const char *word, size_t len, struct conf_rate *rate)
{
	const struct {
		const char *unit;
		int64_t *n;
	} units[] = { { "min", &rate->minute }, { "hour", &rate->hour }, { "day", &rate->day } };
	char copy[32], *slash;

	if (len >= sizeof(copy))
		return false;
	memcpy(copy, word, len);
	copy[len] = '\0';
	slash = strchr(copy, '/');
	if (slash == NULL)
		return false;
	*slash = '\0';
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (strcmp(slash + 1, units[i].unit) == 0)
			return *units[i].n == 0 && nd_str_int(copy, 1, row->max, units[i].n);
	return false;
}

static enum nd_err
set_rate(const struct conf_keys_row *row, struct conf_rate *field, const char *text, struct nd_why *why)
{
	struct conf_rate rate = { 0, 0, 0 };
	size_t len;

	for (const char *at = strcmp(text, "none") == 0 ? "" : text; *at != '\0'; at += len) {
		at += strspn(at, " \t,");
		len = strcspn(at, " \t,");
		if (len > 0 && !read_rate(row, at, len, &rate))
			return nd_fail(why, ND_ECONF, 0,
			    "\"%.40s\" is not a rate such as 30/min, 30/min 10000/day, or none", text);
	}
	*field = rate;
	return ND_OK;
}

/* Place of a word in a list of words, or -1. */
static int
word_at(const char *words, const char *word)
{
	size_t len = strlen(word);
	int n = 0;

	if (words == NULL || len == 0 || strchr(word, ' ') != NULL)
		return -1;
	for (const char *at = words; *at != '\0'; n++) {
		size_t here = strcspn(at, " ");

		if (here == len && memcmp(at, word, len) == 0)
			return n;
		at += here + (at[here] == ' ');
	}
	return -1;
}

static enum nd_err
set_choice(const struct conf_keys_row *row, int *field, const char *text, struct nd_why *why)
{
	int place = text[0] == '\0' ? 0 : word_at(row->choices, text); /* no default: what it is is settled later */

	if (place < 0 && word_at(row->later_choices, text) >= 0)
		return nd_fail(why, ND_ECONF, 0, "%.40s is not in this version, which has: %s", text, row->choices);
	if (place < 0)
		return nd_fail(why, ND_ECONF, 0, "\"%.40s\" is not one of: %s", text, row->choices);
	*field = place + (int)row->min;
	return ND_OK;
}

enum nd_err
conf_value_set(
    const struct conf_keys_row *row, void *base, const struct conf *conf, const char *text, struct nd_why *why)
{
	void *field = (char *)base + row->offset;
	struct nd_buf value;
	enum nd_err err = ND_OK;

	nd_buf_init(&value, CONF_MAX_OCTETS);
	/* before ${…} is looked for: a fault there would show a piece of a secret that was put into the file */
	if (row->type == CONF_KEYS_REFERENCE && text[0] != '\0')
		err = conf_text_check(row->type, text, why);
	if (err == ND_OK)
		err = expand(conf, text, &value, why);
	text = nd_buf_text(&value);
	if (err == ND_OK) {
		switch (keepings[row->type]) {
		case KEEP_TEXT:
			err = set_text(row, field, text, why);
			break;
		case KEEP_LIST:
			err = set_list(row, field, text, why);
			break;
		case KEEP_INT:
			err = set_int(row, field, text, why);
			break;
		case KEEP_SIZE:
			err = set_size(row, field, text, why);
			break;
		case KEEP_TIME:
			err = set_time(row, field, text, why);
			break;
		case KEEP_RATE:
			err = set_rate(row, field, text, why);
			break;
		case KEEP_CHOICE:
			err = set_choice(row, field, text, why);
			break;
		}
	}
	nd_buf_wipe(&value);
	return err;
}

void
conf_value_done(const struct conf_keys_row *row, void *base)
{
	void *field = (char *)base + row->offset;

	if (row->later)
		return;
	if (keepings[row->type] == KEEP_LIST)
		conf_value_list_done(field);
	else if (keepings[row->type] == KEEP_TEXT) {
		char **text = field;

		free(*text);
		*text = NULL;
	}
}
