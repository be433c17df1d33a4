/* SPDX-License-Identifier: Apache-2.0 */
/* test_explain.c - what failures mean: the table row by row, and files that change it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/explain_inner.h"
#include "common/json.h"
#include "common/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *id, *text;
} texts[] = {
#define EXPLAINED(id, text) { id, text },
#include "tests/unit/explain_texts.def"
#undef EXPLAINED
};

/* -- the faults of files, as lines -- */

static char told[4096];

static void
note(void *arg, const char *file, unsigned line, const char *fault)
{
	size_t len = strlen(told);

	(void)arg;
	(void)snprintf(told + len, sizeof(told) - len, "%s:%u: %s\n", file, line, fault);
}

static const struct explain_ear ear = { note, NULL };

static struct explain_table *
built_in(void)
{
	struct explain_table *table = explain_new(NULL, NULL, 0, NULL);

	told[0] = '\0';
	return table;
}

static void
change(struct explain_table *table, const char *text)
{
	explain_change(table, "site.conf", text, strlen(text), &ear);
	explain_finish(table, &ear);
}

static const char *
first(const struct explain_table *table, const char *text, const char *provider)
{
	const struct explain_row *found[EXPLAIN_FOUND];
	struct explain_facts facts = { .provider = provider };

	return explain_find(table, text, &facts, found) > 0 ? found[0]->id : "";
}

static const char *
id(const char *text)
{
	return first(explain_used(), text, NULL);
}

static const char *
hint(const char *text, const struct explain_facts *facts)
{
	static char words[4096];
	struct nd_buf out;

	nd_buf_init(&out, sizeof(words) - 1);
	words[0] = '\0';
	if (explain_hint(text, facts, EXPLAIN_EN, &out))
		(void)snprintf(words, sizeof(words), "%s", nd_buf_text(&out));
	nd_buf_done(&out);
	return words;
}

/* -- the table -- */

static void
the_table_has_no_fault(void **state)
{
	struct explain_table *table;

	(void)state;
	told[0] = '\0';
	table = explain_new("explanations", explain_built_in, strlen(explain_built_in), &ear);
	explain_finish(table, &ear);
	assert_string_equal(told, "");
	assert_true(explain_revision(table) >= 20261122);
	assert_true(table->count > 150);
	explain_free(table);
}

static void
each_row_speaks_both_languages_and_proves_itself(void **state)
{
	const struct explain_row *row;

	(void)state;
	for (unsigned i = 0; (row = explain_nth(explain_used(), i)) != NULL; i++) {
		for (int lang = 0; lang < EXPLAIN_LANG_COUNT; lang++) {
			if (row->cause[lang][0] == '\0' || row->remedy[lang][0] == '\0')
				fail_msg("[%s] lacks words", row->id);
		}
		/* Japanese is not ASCII, and ends as a sentence does. */
		if (nd_str_ascii(row->cause[EXPLAIN_JA], strlen(row->cause[EXPLAIN_JA])) ||
		    nd_str_ascii(row->remedy[EXPLAIN_JA], strlen(row->remedy[EXPLAIN_JA])) ||
		    strcmp(row->cause[EXPLAIN_JA] + strlen(row->cause[EXPLAIN_JA]) - 3, "。") != 0)
			fail_msg("[%s] is not told in Japanese", row->id);
		if (row->source[0] == '\0' || row->example.count == 0)
			fail_msg("[%s] names no source or no example", row->id);
		if (strlen(hint(row->example.items[0], NULL)) > 900)
			fail_msg("[%s] makes too long a hint", row->id);
	}
}

static void
each_example_is_explained_by_its_own_row(void **state)
{
	const struct explain_row *row;
	unsigned bad = 0;

	(void)state;
	for (unsigned i = 0; (row = explain_nth(explain_used(), i)) != NULL; i++) {
		for (unsigned k = 0; k < row->example.count; k++) {
			if (strcmp(id(row->example.items[k]), row->id) == 0)
				continue;
			print_error("[%s] \"%s\" is explained by [%s]\n", row->id, row->example.items[k],
			    id(row->example.items[k]));
			bad++;
		}
	}
	assert_int_equal(bad, 0);
}

static void
each_pattern_is_reached_by_an_example_or_a_text(void **state)
{
	const struct explain_row *row;
	char plain[EXPLAIN_TEXT + 1];
	unsigned bad = 0;

	(void)state;
	for (unsigned i = 0; (row = explain_nth(explain_used(), i)) != NULL; i++) {
		/* A pattern alone is an example of itself where it holds no wildcard: it must not be hidden by an earlier row. */
		for (unsigned k = 0; k < row->match.count; k++) {
			const char *pattern = row->match.items[k];

			(void)explain_plain(pattern + (*pattern == '^'), plain);
			if (strpbrk(pattern, "*#") == NULL && strcmp(id(plain), row->id) != 0) {
				print_error("[%s] %s is hidden by [%s]\n", row->id, pattern, id(plain));
				bad++;
			}
		}
	}
	assert_int_equal(bad, 0);
}

static void
the_texts_of_the_providers_are_explained(void **state)
{
	unsigned bad = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		if (strcmp(id(texts[i].text), texts[i].id) == 0)
			continue;
		print_error("\"%s\" is explained by [%s], not [%s]\n", texts[i].text, id(texts[i].text), texts[i].id);
		bad++;
	}
	assert_int_equal(bad, 0);
}

static void
what_nobody_knows_is_not_explained(void **state)
{
	(void)state;
	assert_string_equal(id(NULL), "");
	assert_string_equal(id(""), "");
	assert_string_equal(id(" \n"), "");
	assert_string_equal(id("250 2.0.0 OK"), "");
	assert_string_equal(id("the dog ate it"), "");
	assert_string_equal(id("550 messages were sent to 10.5.7.3"), "rfc-recipient-refused");
	assert_string_equal(id("I sent 550 messages"), "");
}

static void
a_reply_of_an_unknown_kind_is_explained_by_its_code(void **state)
{
	(void)state;
	assert_string_equal(id("599 5.7.999 who knows"), "rfc-security");
	assert_string_equal(id("466 what"), "rfc-later");
	assert_string_equal(id("566 what"), "rfc-never");
	assert_string_equal(id("421 bye"), "rfc-leaving");
	assert_string_equal(id("550 5.1.6 moved"), "rfc-address");
}

/* -- patterns -- */

static bool
fits(const char *pattern, const char *text)
{
	char plain[EXPLAIN_TEXT + 1];

	assert_null(explain_pattern_fault(pattern));
	(void)explain_plain(text, plain);
	return explain_fits(pattern, plain);
}

static void
numbers_fit_as_a_whole(void **state)
{
	(void)state;
	assert_true(fits("aadsts70001", "AADSTS70001: disabled"));
	assert_false(fits("aadsts70001", "AADSTS700016: not found"));
	assert_false(fits("5.7.3", "550 5.7.30 no"));
	assert_false(fits("5.7.3", "host 10.5.7.3 is gone"));
	assert_false(fits("5.7.3", "host 5.7.3.1 is gone"));
	assert_true(fits("5.7.3", "550-5.7.3."));
	assert_true(fits("5.7.3", "5.7.3"));
	assert_true(fits("5.7.3", "5.7.30 and then 5.7.3"));
}

static void
wildcards_are_any_run_a_number_and_the_start(void **state)
{
	(void)state;
	assert_true(fits("port 25:*timed out", "no connection to a, PORT 25: 192.0.2.1:  Connection\ntimed out"));
	assert_false(fits("port 25:*timed out", "timed out at port 25: x"));
	assert_true(fits("4.7.5#", "451 4.7.500 Server busy"));
	assert_true(fits("4.7.5#", "451 4.7.55"));
	assert_false(fits("4.7.5#", "451 4.7.5 busy"));
	assert_false(fits("4.7.5#", "451 4.7.600"));
	assert_true(fits("^5#", "550 no"));
	assert_false(fits("^5#", "a 550 no"));
	assert_false(fits("^5#", "5.7.1 no"));
	assert_true(fits("^55*no", "55 x no"));
	assert_false(fits("ab*bc", "abc"));
	assert_true(fits("ab*bc*", "ab bc"));
}

static void
patterns_that_would_fit_everything_are_faults(void **state)
{
	static const char *const faulty[] = { "", "*", "^", "#", "^*x", "*x", "a##", "x^", "^ *", "^#" };

	(void)state;
	for (size_t i = 0; i < sizeof(faulty) / sizeof(faulty[0]); i++)
		assert_non_null(explain_pattern_fault(faulty[i]));
}

/* Backtracking would take 8192^3 steps here. */
static void
no_pattern_takes_long(void **state)
{
	static char text[EXPLAIN_TEXT * 2];

	(void)state;
	memset(text, 'a', sizeof(text) - 1);
	for (unsigned i = 0; i < 20; i++)
		assert_false(fits("a*a*a*a*a*a*a*a*a*a*a*a*b", text));
	memset(text, '1', sizeof(text) - 1);
	for (unsigned i = 0; i < 20; i++) {
		assert_false(fits("1#*1#*x", text));
		assert_false(fits("#x", text));
	}
}

/* -- placeholders, providers, JSON -- */

static void
what_is_known_of_the_account_is_filled_in(void **state)
{
	struct explain_facts facts = { .provider = "microsoft",
		.account = "m365",
		.user = "alerts@contoso.com",
		.client_id = "9ab2",
		.from = "a\"; rm -rf /@x" };

	(void)state;
	assert_non_null(strstr(hint("535 5.7.3 Authentication unsuccessful", &facts),
	    "New-ServicePrincipal -AppId 9ab2 -ObjectId OBJECT-ID; "
	    "Add-MailboxPermission -Identity alerts@contoso.com -User OBJECT-ID -AccessRights FullAccess"));
	assert_non_null(strstr(hint("535 5.7.3 Authentication unsuccessful", NULL), "-AppId CLIENT-ID"));
	assert_non_null(
	    strstr(hint("535 5.7.3 Authentication unsuccessful", &facts), "never that of App registrations"));
	/* what would end a shell's quotes is not pasted */
	assert_non_null(
	    strstr(hint("554 5.2.252 SendAsDenied", &facts), "-Identity FROM-ADDRESS -AccessRights SendAs"));
	assert_non_null(strstr(hint("AADSTS90002: no tenant", &facts), "TENANT-ID"));
}

/* Each cloud and each grant has a scope of its own, which the account knows; a redirect URI is the account's. */
static void
no_cloud_is_told_the_scope_of_another(void **state)
{
	struct explain_facts facts = {
		.provider = "microsoft-usgov", .account = "gov", .redirect_uri = "http://localhost:8400/cb"
	};
	static const char *const replies[] = { "AADSTS70011: scope", "AADSTS500011: resource", "AADSTS90009: itself",
		"invalid_scope", "token fault wrong-audience", "token fault no-scope" };

	(void)state;
	for (size_t i = 0; i < sizeof(replies) / sizeof(replies[0]); i++) {
		assert_non_null(strstr(hint(replies[i], &facts), "take scope out of the section of account gov"));
		assert_null(strstr(hint(replies[i], &facts), "https://"));
	}
	assert_non_null(strstr(hint("AADSTS50011: redirect", &facts), "register http://localhost:8400/cb as"));
	assert_non_null(strstr(hint("AADSTS50011: redirect", NULL), "register http://localhost as"));
}

static void
rows_of_another_provider_are_left_out(void **state)
{
	const struct explain_table *table = explain_used();

	(void)state;
	assert_string_equal(first(table, "550 5.7.705 no", "microsoft-hve"), "exo-tenant-blocked");
	assert_string_equal(first(table, "550 5.7.705 no", "google"), "rfc-security");
	assert_string_equal(first(table, "550 5.7.705 no", "smtp"), "exo-tenant-blocked");
	assert_string_equal(first(table, "454 4.7.0 Too many login attempts", "ses"), "rfc-security");
}

static void
json_tells_all_rows_that_fit(void **state)
{
	struct explain_facts facts = { .user = "alerts@contoso.com" };
	const struct json_node *match;
	struct json_tree tree;
	struct nd_buf out;
	struct nd_why why;
	int64_t wait;

	(void)state;
	nd_buf_init(&out, 65536);
	explain_json(explain_used(),
	    "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Mailbox.", NULL,
	    &facts, EXPLAIN_JA, &out);
	assert_int_equal(json_read(&tree, nd_buf_text(&out), out.len, &json_limits_small, NULL, &why), ND_OK);
	assert_string_equal(json_get_text(tree.root, "lang"), "ja");
	match = json_get(tree.root, "matches")->child;
	assert_string_equal(json_get_text(match, "id"), "exo-smtp-auth-mailbox");
	assert_string_equal(json_get_text(match, "class"), "policy");
	assert_non_null(strstr(json_get_text(match, "remedy"), "10 分ほどお待ちください"));
	assert_string_equal(json_get(match, "commands")->child->text,
	    "Set-CASMailbox -Identity alerts@contoso.com -SmtpClientAuthenticationDisabled $false");
	assert_true(json_int(json_get(match, "wait_seconds"), 600, 600, &wait));
	assert_string_equal(json_get_text(match->next, "id"), "exo-smtp-auth-tenant");
	assert_string_equal(json_get_text(match->next->next, "id"), "exo-auth-setting");
	json_done(&tree);
	nd_buf_clear(&out);
	explain_json(explain_used(), "nothing of that", NULL, NULL, EXPLAIN_EN, &out);
	assert_non_null(strstr(nd_buf_text(&out), "\"matches\":[]}\n"));
	nd_buf_done(&out);
}

static char *
messages_in_japanese(const char *name)
{
	static char ja[] = "ja_JP.UTF-8", c[] = "C", none[] = "";

	return strcmp(name, "LC_MESSAGES") == 0 ? ja : strcmp(name, "LANG") == 0 ? c : none;
}

static void
the_language_is_read_from_locales_and_http(void **state)
{
	(void)state;
	assert_int_equal(explain_lang_of("ja_JP.UTF-8"), EXPLAIN_JA);
	assert_int_equal(explain_lang_of("ja"), EXPLAIN_JA);
	assert_int_equal(explain_lang_of("ja-JP,en;q=0.5"), EXPLAIN_JA);
	assert_int_equal(explain_lang_of("jav"), EXPLAIN_EN);
	assert_int_equal(explain_lang_of("C"), EXPLAIN_EN);
	assert_int_equal(explain_lang_of(""), EXPLAIN_EN);
	assert_int_equal(explain_lang_of(NULL), EXPLAIN_EN);
	assert_int_equal(explain_lang_here(messages_in_japanese), EXPLAIN_JA);
	assert_string_equal(explain_say(EXPLAIN_EN, "good", "良好"), "good");
	assert_string_equal(explain_say(EXPLAIN_JA, "good", "良好"), "良好");
}

/* -- files -- */

static void
a_known_row_is_changed_key_by_key(void **state)
{
	struct explain_table *table = built_in();
	const struct explain_row *found[EXPLAIN_FOUND];

	(void)state;
	change(table,
	    "[entra-secret-expired]\nremedy.en = ask the identity team, extension 4711\nmatch = AADSTS7000222\n"
	    "match = our secret is old\n");
	assert_string_equal(told, "");
	assert_int_equal(explain_find(table, "AADSTS7000222", NULL, found), 1);
	assert_string_equal(explain_remedy(found[0], EXPLAIN_EN), "ask the identity team, extension 4711");
	assert_string_equal(explain_cause(found[0], EXPLAIN_EN), "the client secret has expired");
	assert_string_equal(first(table, "Our Secret is OLD", NULL), "entra-secret-expired");
	explain_free(table);
}

static void
a_new_row_stands_before_all_others(void **state)
{
	struct explain_table *table = built_in();
	const struct explain_row *found[EXPLAIN_FOUND];

	(void)state;
	change(table, "# ours\n[our-relay]\nmatch = 5.7.1 *blocked by corp\nclass = policy\nwait = 2h\n"
		      "cause.en = the firewall team blocks it\nremedy.en = open a ticket\n"
		      "[second]\nmatch = blocked\nclass = policy\ncause.en = a\nremedy.en = b\n");
	assert_string_equal(told, "");
	assert_true(explain_find(table, "550 5.7.1 mail blocked by corp.example", NULL, found) >= 3);
	assert_string_equal(found[0]->id, "our-relay");
	assert_string_equal(found[1]->id, "second");
	assert_string_equal(found[2]->id, "rfc-security");
	assert_int_equal(found[0]->wait, 7200000);
	assert_string_equal(explain_cause(found[0], EXPLAIN_JA), "the firewall team blocks it");
	explain_free(table);
}

static void
faults_are_told_by_file_and_line_and_the_rest_stands(void **state)
{
	struct explain_table *table = built_in();

	(void)state;
	change(table,
	    "lost = x\n[bad id]\nmatch = y\n[unclosed\n[ok]\nmatch = *\nmatch = fine words\nclass = colour\nclass = "
	    "relay\n"
	    "wait = soon\nprovider = yahoo\ncause.en = {who} knows\ncause.en = c\nremedy.en =\nremedy.en = r\n"
	    "nonsense\nremdy.en = x\ncommand = run {that}\n[half]\nmatch = half words\n[explanations]\nformat = 2\nx = "
	    "1\n"
	    "caf\xe9 = 1\n");
	assert_string_equal(told, "site.conf:2: bad id: an id has small letters, digits and - only\n"
				  "site.conf:4: the section has no ] at its end\n"
				  "site.conf:6: match: a pattern need not begin with *\n"
				  "site.conf:8: class: there is no such class\n"
				  "site.conf:10: wait: this is no duration (90s, 15m, 1h)\n"
				  "site.conf:11: provider: a provider is microsoft, google or ses\n"
				  "site.conf:12: cause.en: there is no such placeholder\n"
				  "site.conf:14: remedy.en: there is no value\n"
				  "site.conf:16: a line is: key = value\n"
				  "site.conf:17: remdy.en: there is no such key\n"
				  "site.conf:18: command: there is no such placeholder\n"
				  "site.conf:23: x: this section has format and revision, both numbers\n"
				  "site.conf:24: the line has control characters, or is not UTF-8\n"
				  "site.conf:0: the file says that it is of another format\n"
				  "explain.d:19: half: match, class, cause.en and remedy.en are needed\n");
	assert_string_equal(first(table, "some Fine Words here", NULL), "ok");
	assert_string_equal(first(table, "half words", NULL), "");
	explain_free(table);
}

static void
files_that_are_too_large_or_long_are_refused(void **state)
{
	struct explain_table *table = built_in();
	char *text = malloc(EXPLAIN_FILE + 1);

	(void)state;
	assert_non_null(text);
	memset(text, 'x', EXPLAIN_FILE + 1);
	explain_change(table, "big.conf", text, EXPLAIN_FILE + 1, &ear);
	explain_change(table, "long.conf", text, EXPLAIN_LINE + 1, &ear);
	assert_string_equal(told, "big.conf:0: the file is too large\nlong.conf:1: the line is too long\n");
	told[0] = '\0';
	explain_change(table, "nul.conf", "a = \0b\n", 7, &ear);
	assert_string_equal(told, "nul.conf:1: the line has control characters, or is not UTF-8\n");
	free(text);
	explain_free(table);
}

static void
a_list_and_the_table_end_somewhere(void **state)
{
	struct explain_table *table = built_in();
	struct nd_buf text;

	(void)state;
	nd_buf_init(&text, EXPLAIN_FILE);
	nd_buf_adds(&text, "[many]\nclass = relay\ncause.en = c\nremedy.en = r\n");
	for (unsigned i = 0; i <= EXPLAIN_LIST; i++)
		nd_buf_addf(&text, "match = word%ux\n", i);
	change(table, nd_buf_text(&text));
	assert_string_equal(told, "site.conf:37: match: there are too many of these\n");
	told[0] = '\0';
	nd_buf_clear(&text);
	for (unsigned i = 0; i <= EXPLAIN_ROWS; i++)
		nd_buf_addf(&text, "[row-%u]\n", i);
	explain_change(table, "rows.conf", nd_buf_text(&text), text.len, &ear);
	assert_non_null(strstr(told, ": there are too many rows\n"));
	nd_buf_done(&text);
	explain_free(table);
}

static void
only_a_newer_file_stands_in_for_the_built_in_table(void **state)
{
	static const char newer[] = "[explanations]\nformat = 1\nrevision = 29991231\n"
				    "[one]\nmatch = one word\nclass = relay\ncause.en = c\nremedy.en = r\n";
	static const char older[] = "[explanations]\nformat = 1\nrevision = 20200101\n[one]\nmatch = one word\n";
	static const char other[] = "[explanations]\nformat = 2\nrevision = 29991231\n[one]\nmatch = one word\n";
	struct explain_table *table;

	(void)state;
	told[0] = '\0';
	table = explain_new("explanations", newer, strlen(newer), &ear);
	assert_int_equal(explain_revision(table), 29991231);
	assert_string_equal(first(table, "one word", NULL), "one");
	assert_string_equal(told, "");
	explain_free(table);
	table = explain_new("explanations", older, strlen(older), &ear);
	assert_string_equal(first(table, "AADSTS7000215", NULL), "entra-secret-wrong");
	explain_free(table);
	table = explain_new("explanations", other, strlen(other), &ear);
	assert_string_equal(first(table, "AADSTS7000215", NULL), "entra-secret-wrong");
	assert_non_null(strstr(told, "explanations:0: the file is not used"));
	explain_free(table);
}

static void
the_table_in_use_can_be_replaced(void **state)
{
	struct explain_table *table = built_in();

	(void)state;
	change(table,
	    "[ours]\nmatch = our word\nclass = relay\ncause.en = c\nremedy.en = do {account}\ncommand = run {user}\n");
	explain_use(table);
	assert_string_equal(hint("our word", NULL), "do ACCOUNT: run MAILBOX");
	explain_use(NULL);
	assert_string_equal(hint("our word", NULL), "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_table_has_no_fault),
		cmocka_unit_test(each_row_speaks_both_languages_and_proves_itself),
		cmocka_unit_test(each_example_is_explained_by_its_own_row),
		cmocka_unit_test(each_pattern_is_reached_by_an_example_or_a_text),
		cmocka_unit_test(the_texts_of_the_providers_are_explained),
		cmocka_unit_test(what_nobody_knows_is_not_explained),
		cmocka_unit_test(a_reply_of_an_unknown_kind_is_explained_by_its_code),
		cmocka_unit_test(numbers_fit_as_a_whole),
		cmocka_unit_test(wildcards_are_any_run_a_number_and_the_start),
		cmocka_unit_test(patterns_that_would_fit_everything_are_faults),
		cmocka_unit_test(no_pattern_takes_long),
		cmocka_unit_test(what_is_known_of_the_account_is_filled_in),
		cmocka_unit_test(no_cloud_is_told_the_scope_of_another),
		cmocka_unit_test(rows_of_another_provider_are_left_out),
		cmocka_unit_test(json_tells_all_rows_that_fit),
		cmocka_unit_test(the_language_is_read_from_locales_and_http),
		cmocka_unit_test(a_known_row_is_changed_key_by_key),
		cmocka_unit_test(a_new_row_stands_before_all_others),
		cmocka_unit_test(faults_are_told_by_file_and_line_and_the_rest_stands),
		cmocka_unit_test(files_that_are_too_large_or_long_are_refused),
		cmocka_unit_test(a_list_and_the_table_end_somewhere),
		cmocka_unit_test(only_a_newer_file_stands_in_for_the_built_in_table),
		cmocka_unit_test(the_table_in_use_can_be_replaced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
