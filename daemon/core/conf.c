/* SPDX-License-Identifier: Apache-2.0 */
/* conf.c - the settings: sections, keys and every fault in them.  Layer: core.  Pure. */
#include "daemon/core/conf.h"

#include "common/mem.h"
#include "daemon/core/conf_inner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct reader {
	struct conf *conf;
	struct conf_faults *faults;
	const char *file;
	unsigned file_index;
	const struct conf_keys_section *section; /* NULL: none yet, or keys are to be skipped */
	bool skip;                               /* the section was a fault: its keys say nothing new */
	unsigned account;                        /* in an account's section: its index */
};

static const char *const account_section = "account";

void
conf_fault_add(struct conf_faults *faults, const char *file, unsigned line, const char *field, struct nd_why *why)
{
	if (faults->count >= CONF_MAX_FAULTS)
		return;
	if (faults->count == faults->room) {
		faults->room = faults->room == 0 ? 8 : faults->room * 2;
		faults->fault = nd_xrealloc(faults->fault, faults->room * sizeof(*faults->fault));
	}
	struct conf_fault *fault = &faults->fault[faults->count++];
	if (faults->count == CONF_MAX_FAULTS)
		(void)nd_fail(why, ND_ECONF, 0, "there are more faults; mend these first");
	(void)nd_fail_at(why, field, line, NULL);
	fault->why = *why;
	(void)snprintf(fault->file, sizeof(fault->file), "%s", file);
}

void
conf_faults_done(struct conf_faults *faults)
{
	free(faults->fault);
	*faults = (struct conf_faults){ 0 };
}

const char *
conf_fault_line(const struct conf_fault *fault, char *out, size_t size)
{
	char where[32] = "";
	const char *hint = nd_why_hint(&fault->why);

	if (fault->why.line > 0)
		(void)snprintf(where, sizeof(where), ":%u", fault->why.line);
	(void)snprintf(out, size, "%s%s: %s%s%s%s%s", fault->file, where, fault->why.field,
	    fault->why.field[0] != '\0' ? ": " : "", fault->why.text, hint[0] != '\0' ? "; " : "", hint);
	return out;
}

/* Sets the defaults of one section's keys. A row whose own default cannot be read is a bug. */
static void
set_defaults(const struct conf *conf, bool account, void *base)
{
	for (unsigned i = 0; i < conf_keys_count; i++) {
		const struct conf_keys_row *row = &conf_keys_rows[i];
		struct nd_why why;

		if (row->later || (strcmp(row->section, account_section) == 0) != account)
			continue;
		if (conf_value_set(row, base, conf, row->initial, &why) != ND_OK)
			abort();
	}
}

static void
forget_values(bool account, void *base)
{
	for (unsigned i = 0; i < conf_keys_count; i++) {
		if ((strcmp(conf_keys_rows[i].section, account_section) == 0) == account)
			conf_value_done(&conf_keys_rows[i], base);
	}
}

static char *
usable_name(const char *name)
{
	struct nd_why why;

	/* a host may call itself anything; a name that mail cannot carry is not used */
	if (name == NULL || name[0] == '\0' || conf_text_check(CONF_KEYS_HOSTNAME, name, &why) != ND_OK)
		name = "localhost";
	return nd_xstrdup(name);
}

void
conf_init(struct conf *conf, const struct conf_host *host)
{
	*conf = (struct conf){ 0 };
	conf->host = usable_name(host == NULL ? NULL : host->host);
	conf->fqdn = usable_name(host == NULL ? NULL : host->fqdn);
	conf->marks = nd_xalloc(conf_keys_count * sizeof(*conf->marks));
	set_defaults(conf, false, conf);
}

void
conf_done(struct conf *conf)
{
	for (unsigned i = 0; i < conf->account_count; i++) {
		struct conf_account *account = &conf->account[i];

		forget_values(true, account);
		nd_mailbox_done(&account->from_box);
		free(account->marks);
		free(account->name);
	}
	free(conf->account);
	forget_values(false, conf);
	conf_value_list_done(&conf->files);
	conf_faults_done(&conf->warnings);
	free(conf->marks);
	free(conf->host);
	free(conf->fqdn);
	*conf = (struct conf){ 0 };
}

static void
complain(struct reader *reader, unsigned line, const char *field, const char *hint, struct nd_why *why)
{
	(void)nd_fail_at(why, field, 0, hint);
	conf_fault_add(reader->faults, reader->file, line, field, why);
}

static const char *
did_you_mean(const char *nearest, char *out, size_t size)
{
	if (nearest == NULL)
		return NULL;
	(void)snprintf(out, size, "did you mean %s?", nearest);
	return out;
}

static struct conf_account *
find_account(const struct conf *conf, const char *name)
{
	for (unsigned i = 0; i < conf->account_count; i++) {
		if (nd_str_eq_nocase(conf->account[i].name, name))
			return &conf->account[i];
	}
	return NULL;
}

static enum nd_err
enter_account(struct reader *reader, const char *name, unsigned line, struct nd_why *why)
{
	struct conf *conf = reader->conf;
	struct conf_account *account = find_account(conf, name);

	if (name[0] == '\0')
		return nd_fail(why, ND_ECONF, 0, "an account needs a name: [account NAME]");
	if (!conf_text_account_name(name)) {
		(void)nd_fail(why, ND_ECONF, 0, "\"%.40s\" cannot be the name of an account", name);
		return nd_fail_at(why, "", 0, "up to 32 letters, digits, . _ and -, a letter or digit first");
	}
	if (account == NULL) {
		if (conf->account_count >= CONF_MAX_ACCOUNTS)
			return nd_fail(why, ND_ECONF, 0, "there are more than %u accounts", CONF_MAX_ACCOUNTS);
		conf->account = nd_xrealloc(conf->account, (conf->account_count + 1) * sizeof(*conf->account));
		account = &conf->account[conf->account_count++];
		*account = (struct conf_account){ .name = nd_xstrdup(name), .file = reader->file_index, .line = line };
		account->marks = nd_xalloc(conf_keys_count * sizeof(*account->marks));
		set_defaults(conf, true, account);
	}
	reader->account = (unsigned)(account - conf->account);
	return ND_OK;
}

static void
enter_section(struct reader *reader, const struct conf_syntax_item *item)
{
	const struct conf_keys_section *section = conf_keys_section(item->name);
	struct nd_why why;
	char field[80], hint[80];
	const char *advice = NULL;
	enum nd_err err = ND_OK;

	(void)snprintf(field, sizeof(field), "[%.60s]", item->name);
	if (section == NULL) {
		err = nd_fail(&why, ND_ECONF, 0, "there is no such section");
		advice = did_you_mean(conf_keys_section_nearest(item->name), hint, sizeof(hint));
	} else if (section->later)
		err = nd_fail(&why, ND_ECONF, 0, "this section is not in this version");
	else if (section->named)
		err = enter_account(reader, item->value, item->line, &why);
	else if (item->value[0] != '\0')
		err = nd_fail(&why, ND_ECONF, 0, "this section takes no name");
	if (err != ND_OK)
		complain(reader, item->line, field, advice, &why);
	reader->section = section;
	reader->skip = err != ND_OK;
}

/* Sets a known key. `field` names it in faults. */
static void
set_key(struct reader *reader, unsigned row_index, const struct conf_syntax_item *item, const char *field)
{
	const struct conf_keys_row *row = &conf_keys_rows[row_index];
	struct conf_account *account = reader->section->named ? &reader->conf->account[reader->account] : NULL;
	struct conf_mark *mark = account != NULL ? &account->marks[row_index] : &reader->conf->marks[row_index];
	void *base = account != NULL ? (void *)account : (void *)reader->conf;
	bool empty = item->value[0] == '\0';
	struct nd_why why;

	if (row->later) {
		(void)nd_fail(&why, ND_ECONF, 0, "this setting is not in this version");
		complain(reader, item->line, field, "take the line out", &why);
		return;
	}
	if (mark->line > 0 && mark->file == reader->file_index) {
		(void)nd_fail(&why, ND_ECONF, 0, "it is given twice in this file, first in line %u", mark->line);
		complain(reader, item->line, field, NULL, &why);
		return;
	}
	enum nd_err err = conf_value_set(row, base, reader->conf, empty ? row->initial : item->value, &why);
	*mark = (struct conf_mark){ reader->file_index, item->line, err == ND_OK && !empty, err != ND_OK };
	if (err != ND_OK)
		complain(reader, item->line, field, NULL, &why);
}

static void
read_key(struct reader *reader, const struct conf_syntax_item *item)
{
	struct nd_why why;
	char field[80], hint[80];

	if (reader->skip)
		return;
	if (reader->section == NULL) {
		(void)snprintf(field, sizeof(field), "%.40s", item->name);
		(void)nd_fail(&why, ND_ECONF, 0, "this setting stands before any [section]");
		complain(reader, item->line, field, NULL, &why);
		return;
	}
	if (reader->section->named)
		(void)snprintf(field, sizeof(field), "[account %s] %.30s", reader->conf->account[reader->account].name,
		    item->name);
	else
		(void)snprintf(field, sizeof(field), "[%s] %.40s", reader->section->name, item->name);
	unsigned row = conf_keys_find(reader->section->name, item->name);
	if (row != CONF_KEYS_NONE) {
		set_key(reader, row, item, field);
		return;
	}
	(void)nd_fail(&why, ND_ECONF, 0, "there is no such setting");
	complain(reader, item->line, field,
	    did_you_mean(conf_keys_nearest(reader->section->name, item->name), hint, sizeof(hint)), &why);
}

/* What makes a text no settings file at all. The line of it, 0 none. */
static unsigned
unreadable(const char *text, size_t len, const char **complaint)
{
	unsigned line = 1;

	for (size_t at = 0; at < len; line++) {
		const char *end = memchr(text + at, '\n', len - at);
		size_t n = end != NULL ? (size_t)(end - text) - at : len - at;

		*complaint =
		    memchr(text + at, '\0', n) != NULL ? "there is a NUL octet in this line" : "this line is not UTF-8";
		if (memchr(text + at, '\0', n) != NULL || !nd_str_utf8(text + at, n))
			return line;
		at += n + 1;
	}
	return 0;
}

void
conf_read(struct conf *conf, const char *file, const char *text, size_t len, struct conf_faults *faults)
{
	struct reader reader = { .conf = conf, .faults = faults, .file = file, .file_index = conf->files.count };
	struct conf_syntax syntax;
	struct conf_syntax_item item;
	const char *complaint = NULL;
	struct nd_why why;

	conf_value_list_add(&conf->files, file, strlen(file));
	if (len > CONF_MAX_OCTETS) {
		(void)nd_fail(&why, ND_ECONF, 0, "the file is larger than 1 MiB");
		complain(&reader, 0, "", NULL, &why);
		return;
	}
	unsigned line = unreadable(text, len, &complaint);
	if (line > 0) {
		(void)nd_fail(&why, ND_ECONF, 0, "%s", complaint);
		complain(&reader, line, "", NULL, &why);
		return;
	}
	conf_syntax_init(&syntax, text, len);
	/* when the list of faults is full, reading on would say nothing */
	while (faults->count < CONF_MAX_FAULTS && (item = conf_syntax_next(&syntax)).kind != CONF_SYNTAX_END) {
		if (item.kind == CONF_SYNTAX_SECTION)
			enter_section(&reader, &item);
		else if (item.kind == CONF_SYNTAX_KEY)
			read_key(&reader, &item);
		else {
			(void)nd_fail(&why, ND_ECONF, 0, "%s", item.complaint);
			complain(&reader, item.line, "", item.hint, &why);
			reader.skip = reader.skip || item.section; /* whose keys follow is not known */
		}
	}
	conf_syntax_done(&syntax);
}

void
conf_finish(struct conf *conf, struct conf_faults *faults)
{
	conf_check_all(conf, faults);
}

const struct conf_account *
conf_account_named(const struct conf *conf, const char *name)
{
	return find_account(conf, name);
}

bool
conf_account_given(const struct conf_account *account, const char *key)
{
	unsigned row = conf_keys_find("account", key);

	return account->marks != NULL && row != CONF_KEYS_NONE && account->marks[row].given;
}

const struct conf_account *
conf_account_nth(const struct conf *conf, unsigned n)
{
	return n < conf->accounts.count ? find_account(conf, conf->accounts.items[n]) : NULL;
}

static const char *
or_empty(const char *text)
{
	return text == NULL ? "" : text;
}

bool
conf_key_nth(unsigned n, struct conf_key_info *out)
{
	if (n >= conf_keys_count)
		return false;
	const struct conf_keys_row *row = &conf_keys_rows[n];
	*out = (struct conf_key_info){ row->section, row->name, row->initial, or_empty(row->choices), row->text,
		row->later };
	return true;
}
