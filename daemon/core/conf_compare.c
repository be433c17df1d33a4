/* SPDX-License-Identifier: Apache-2.0 */
/* conf_compare.c - what a new configuration changes in an account.  Layer: core.  Pure. */
#include "daemon/core/conf.h"

#include "daemon/core/conf_inner.h"

#include <stdint.h>
#include <string.h>

/* What an account is for the server and the token endpoint. */
static const char *const identity[] = { "provider", "host", "port", "security", "auth", "user", "grant", "tenant",
	"client_id", "token_url", "scope", NULL };

static bool
same_text(const void *a, const void *b)
{
	const char *before = *(char *const *)a, *after = *(char *const *)b;

	return strcmp(before ? before : "", after ? after : "") == 0;
}

static bool
same_list(const struct conf_list *before, const struct conf_list *after)
{
	unsigned i;

	for (i = 0; i < before->count && i < after->count; i++)
		if (strcmp(before->items[i], after->items[i]) != 0)
			return false;
	return before->count == after->count;
}

enum shape { NUMBER, RATE, CHOICE, LIST, TEXT };

static enum shape
shape_of(const struct conf_keys_row *row)
{
	switch (row->type) {
	case CONF_KEYS_INT:
	case CONF_KEYS_SIZE:
	case CONF_KEYS_TIME:
		return NUMBER;
	case CONF_KEYS_RATE:
		return RATE;
	case CONF_KEYS_CHOICE:
		return CHOICE;
	case CONF_KEYS_MAILBOXES:
	case CONF_KEYS_NAMES:
	case CONF_KEYS_ALLOWED:
	case CONF_KEYS_PATTERNS:
	case CONF_KEYS_DOMAINS:
	case CONF_KEYS_PINS:
		return LIST;
	case CONF_KEYS_TEXT:
	case CONF_KEYS_HOSTNAME:
	case CONF_KEYS_HOST:
	case CONF_KEYS_MAILBOX:
	case CONF_KEYS_ADDRESS:
	case CONF_KEYS_REFERENCE:
	case CONF_KEYS_DATE:
	case CONF_KEYS_PATH:
	case CONF_KEYS_URL:
	case CONF_KEYS_REDIRECT:
	case CONF_KEYS_PROXY:
	case CONF_KEYS_IP:
	case CONF_KEYS_TENANT:
	case CONF_KEYS_ID:
	case CONF_KEYS_SHARE:
	case CONF_KEYS_TYPE_COUNT:
		break;
	}
	return TEXT;
}

static bool
same(const struct conf_keys_row *row, const struct conf_account *before, const struct conf_account *after)
{
	const void *a = (const char *)before + row->offset, *b = (const char *)after + row->offset;

	switch (shape_of(row)) {
	case NUMBER:
		return *(const int64_t *)a == *(const int64_t *)b;
	case RATE:
		return memcmp(a, b, sizeof(struct conf_rate)) == 0;
	case CHOICE:
		return *(const int *)a == *(const int *)b;
	case LIST:
		return same_list(a, b);
	case TEXT:
		break;
	}
	return same_text(a, b);
}

static bool
of_identity(const char *name)
{
	unsigned i;

	for (i = 0; identity[i]; i++)
		if (strcmp(identity[i], name) == 0)
			return true;
	return false;
}

enum conf_change
conf_compare(const struct conf_account *before, const struct conf_account *after)
{
	enum conf_change change = CONF_SAME;
	unsigned i;

	for (i = 0; i < conf_keys_count; i++) {
		const struct conf_keys_row *row = &conf_keys_rows[i];

		if (row->later || strcmp(row->section, "account") != 0 || same(row, before, after))
			continue;
		if (of_identity(row->name))
			return CONF_OTHER;
		change = CONF_CHANGED;
	}
	return change;
}

static void
stir(uint64_t *print, const void *octets, size_t len)
{
	const unsigned char *at = octets;

	while (len-- > 0)
		*print = (*print ^ *at++) * 0x100000001b3u; /* FNV-1a */
}

static void
stir_text(uint64_t *print, const char *text)
{
	stir(print, text ? text : "", (text ? strlen(text) : 0) + 1);
}

static void
stir_value(uint64_t *print, const struct conf_keys_row *row, const void *value)
{
	const struct conf_list *list = value;

	switch (shape_of(row)) {
	case NUMBER:
		stir(print, value, sizeof(int64_t));
		break;
	case RATE:
		stir(print, value, sizeof(struct conf_rate));
		break;
	case CHOICE:
		stir(print, value, sizeof(int));
		break;
	case LIST:
		for (unsigned i = 0; i < list->count; i++)
			stir_text(print, list->items[i]);
		break;
	case TEXT:
		stir_text(print, *(char *const *)value);
		break;
	}
}

uint64_t
conf_print(const struct conf_account *account)
{
	uint64_t print = 0xcbf29ce484222325u;

	for (unsigned i = 0; i < conf_keys_count; i++) {
		const struct conf_keys_row *row = &conf_keys_rows[i];

		/* Another version with other defaults, or more settings, is no change of this one. */
		if (row->later || strcmp(row->section, "account") != 0 || !conf_account_given(account, row->name))
			continue;
		stir_text(&print, row->name);
		stir_value(&print, row, (const char *)account + row->offset);
	}
	return print;
}
