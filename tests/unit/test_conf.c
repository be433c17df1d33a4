/* SPDX-License-Identifier: Apache-2.0 */
/* test_conf.c - the settings: what is understood, and that every mistake is told with its place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/mem.h"
#include "tests/unit/conf_kit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void
nothing_set_gives_the_documented_defaults(void **state)
{
	struct told *told = read_one("");

	(void)state;
	assert_string_equal(told->lines, "");
	assert_string_equal(told->conf.hostname, "web01.contoso.com");
	assert_int_equal(told->conf.memory, 64 * 1024 * 1024);
	assert_int_equal(told->conf.expires_in, ND_DAY(5));
	assert_int_equal(told->conf.max_age, ND_DAY(14));
	assert_int_equal(told->conf.history, ND_DAY(30));
	assert_int_equal(told->conf.keep_failed, ND_DAY(14));
	assert_int_equal(told->conf.keep_failed_bytes, 1024 * 1024 * 1024);
	assert_int_equal(told->conf.log_level, ND_LOG_INFO);
	assert_int_equal(told->conf.account_count, 0);
	assert_null(conf_account_nth(&told->conf, 0));
	forget(told);
}

static void
the_limits_are_the_providers_and_a_share_divides_them(void **state)
{
	static const struct {
		const char *text;
		int64_t minute, day, rcpts, hour, logins, message;
	} rows[] = {
		{ "provider = microsoft\n", 30, 0, 10000, 1000, 0, 100 },
		{ "provider = microsoft-china\n", 30, 0, 10000, 1000, 0, 100 },
		{ "provider = microsoft-hve\n", 0, 0, 0, 0, 0, 50 },
		{ "provider = google\n", 0, 2000, 10000, 0, 10, 100 },
		{ "provider = google\nuser = a@GMail.com\n", 0, 500, 500, 0, 10, 100 },
		{ "provider = google\nuser = a@googlemail.com\nshare = 1/5\n", 0, 100, 100, 0, 2, 100 },
		{ "provider = google\nuser = a@gmail.com\nmessages_per_day = 2000\n", 0, 2000, 500, 0, 10, 100 },
		{ "provider = google\nuser = a@gmail.com\nrecipients_per_day = 1500\n", 0, 500, 1500, 0, 10, 100 },
		{ "provider = google\nuser = a@gmail.com.b.example\n", 0, 2000, 10000, 0, 10, 100 },
		{ "provider = smtp\nuser = a@gmail.com\n", 0, 0, 0, 0, 0, 50 },
		{ "provider = google-relay\n", 0, 10000, 10000, 0, 0, 100 },
		{ "provider = ses\n", 0, 0, 0, 0, 0, 50 },
		{ "provider = smtp\n", 0, 0, 0, 0, 0, 50 },
		{ "provider = microsoft\nshare = 1/20\n", 1, 0, 500, 50, 0, 100 },
		{ "provider = microsoft\nshare = 1/100\n", 1, 0, 100, 10, 0, 100 },
		{ "provider = microsoft\nshare = 2/3\nmessages_per_minute = 50\n", 50, 0, 6666, 666, 0, 100 },
		{ "provider = microsoft\nmessages_per_minute = 0\nrecipients_per_message = 7\n", 0, 0, 10000, 1000, 0,
		    7 },
	};
	char text[256];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct told *told;
		const struct conf_account *account;

		(void)snprintf(text, sizeof(text), "[account a]\nfrom = a@b.example\n%s", rows[i].text);
		told = read_one(text);
		account = &told->conf.account[0];
		assert_int_equal(account->messages_per_minute, rows[i].minute);
		assert_int_equal(account->messages_per_day, rows[i].day);
		assert_int_equal(account->recipients_per_day, rows[i].rcpts);
		assert_int_equal(account->messages_per_recipient_hour, rows[i].hour);
		assert_int_equal(account->logins_per_minute, rows[i].logins);
		assert_int_equal(account->recipients_per_message, rows[i].message);
		forget(told);
	}
	expect_in(read_one("[account a]\nshare = 3/2\n"),
	    "notifyd.conf:2: [account a] share: \"3/2\" is not a part such as 1/20");
	expect_in(read_one("[account a]\nshare = 0/2\n"), "is not a part");
	expect_in(read_one("[account a]\nshare = all\n"), "is not a part");
}

static void
a_microsoft_account_needs_five_lines_and_gets_the_rest_from_its_preset(void **state)
{
	struct told *told = read_one(good_account);
	const struct conf_account *account = conf_account_nth(&told->conf, 0);

	(void)state;
	assert_string_equal(told->lines, "");
	assert_non_null(account);
	assert_int_equal(account->provider, CONF_MICROSOFT);
	assert_string_equal(account->host, "smtp.office365.com");
	assert_string_equal(account->tls_name, "smtp.office365.com");
	assert_int_equal(account->port, 587);
	assert_int_equal(account->security, CONF_STARTTLS);
	assert_int_equal(account->auth, CONF_OAUTH2);
	assert_string_equal(account->token_url,
	    "https://login.microsoftonline.com/1f3c0000-0000-0000-0000-000000000000/oauth2/v2.0/token");
	assert_string_equal(account->scope, "https://outlook.office365.com/.default");
	assert_int_equal(account->max_connections, 2);
	assert_string_equal(account->from_box.name, "Alerts web01");
	assert_string_equal(account->from_box.address, "alerts@contoso.com");
	assert_string_equal(account->user, "alerts@contoso.com");
	assert_string_equal(account->envelope_from, "alerts@contoso.com");
	assert_string_equal(account->ehlo, "web01.contoso.com");
	assert_int_equal(account->line, 1);
	forget(told);
}

static void
each_provider_has_a_name_and_the_choice_in_the_key_table_matches_it(void **state)
{
	struct conf_key_info info = { 0 };
	char names[400] = "";

	(void)state;
	for (unsigned n = 0; strcmp(info.name == NULL ? "" : info.name, "provider") != 0; n++)
		assert_true(conf_key_nth(n, &info));
	for (int i = 0; i < CONF_PROVIDER_COUNT; i++) {
		size_t len = strlen(names);

		(void)snprintf(names + len, sizeof(names) - len, "%s%s", i > 0 ? " " : "", conf_provider_name(i));
	}
	assert_string_equal(names, info.choices);
}

static void
the_clouds_of_microsoft_have_their_own_servers(void **state)
{
	static const struct {
		const char *provider, *host, *token_url, *scope;
	} clouds[] = {
		{ "microsoft-usgov", "smtp.office365.us",
		    "https://login.microsoftonline.us/t.example/oauth2/v2.0/token",
		    "https://outlook.office365.us/.default" },
		{ "microsoft-dod", "outlook-dod.office365.us",
		    "https://login.microsoftonline.us/t.example/oauth2/v2.0/token",
		    "https://outlook.office365.us/.default" },
		{ "microsoft-china", "smtp.partner.outlook.cn",
		    "https://login.partner.microsoftonline.cn/t.example/oauth2/v2.0/token",
		    "https://partner.outlook.cn/.default" },
		{ "microsoft-hve", "smtp.hve.mx.microsoft",
		    "https://login.microsoftonline.com/t.example/oauth2/v2.0/token",
		    "https://outlook.office.com/.default" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(clouds) / sizeof(clouds[0]); i++) {
		char text[400];

		(void)snprintf(text, sizeof(text),
		    "[account a]\nprovider = %s\nfrom = a@b.example\ntenant = t.example\nclient_id = x\nclient_secret "
		    "= env:S\n",
		    clouds[i].provider);
		struct told *told = read_one(text);
		assert_string_equal(told->lines, "");
		assert_string_equal(told->conf.account[0].host, clouds[i].host);
		assert_string_equal(told->conf.account[0].token_url, clouds[i].token_url);
		assert_string_equal(told->conf.account[0].scope, clouds[i].scope);
		assert_int_equal(told->conf.account[0].token_margin,
		    strcmp(clouds[i].provider, "microsoft-hve") == 0 ? ND_MIN(11) : ND_MIN(5));
		forget(told);
	}
}

static void
a_plain_relay_needs_only_host_and_from(void **state)
{
	struct told *told = read_one("[account r]\nhost = relay\nfrom = a@b.example\nsecurity = none\n");

	(void)state;
	assert_string_equal(told->lines, "");
	assert_int_equal(told->conf.account[0].auth, CONF_NO_AUTH);
	assert_int_equal(told->conf.account[0].port, 25);
	assert_int_equal(told->conf.account[0].provider, CONF_SMTP);
	forget(told);
}

static void
the_credential_that_is_given_says_how_to_log_in(void **state)
{
	struct told *told =
	    read_one("[account g]\nprovider = google\nfrom = a@b.example\npassword = credential:g\nsecurity = tls\n");

	(void)state;
	assert_string_equal(told->lines, "");
	assert_int_equal(told->conf.account[0].auth, CONF_PASSWORD);
	assert_int_equal(told->conf.account[0].port, 465);
	assert_string_equal(told->conf.account[0].user, "a@b.example");
	forget(told);
	told = read_one("[account s]\nhost = relay\nfrom = a@b.example\nclient_id = i\nclient_secret = env:S\n"
			"token_url = https://sso.example/token\n");
	assert_string_equal(told->lines, "");
	assert_int_equal(told->conf.account[0].auth, CONF_OAUTH2);
	forget(told);
}

static void
a_host_may_be_a_name_an_address_or_a_url(void **state)
{
	static const struct {
		const char *text, *host;
		int64_t port;
		int security;
	} hosts[] = {
		{ "relay.example", "relay.example", 587, CONF_STARTTLS },
		{ "192.0.2.7", "192.0.2.7", 587, CONF_STARTTLS },
		{ "relay:2525", "relay", 2525, CONF_STARTTLS },
		{ "2001:db8::25", "2001:db8::25", 587, CONF_STARTTLS },
		{ "[2001:db8::25]", "2001:db8::25", 587, CONF_STARTTLS },
		{ "[2001:db8::25]:26", "2001:db8::25", 26, CONF_STARTTLS },
		{ "smtp://relay:25/", "relay", 25, CONF_STARTTLS },
		{ "smtps://relay", "relay", 465, CONF_TLS },
		{ "SMTPS://[::1]:4650/", "::1", 4650, CONF_TLS },
		{ "submission://relay", "relay", 587, CONF_STARTTLS },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
		char text[200];

		(void)snprintf(text, sizeof(text), "[account a]\nfrom = a@b.example\nhost = %s\n", hosts[i].text);
		struct told *told = read_one(text);
		assert_string_equal(told->lines, "");
		assert_string_equal(told->conf.account[0].host, hosts[i].host);
		assert_int_equal(told->conf.account[0].port, hosts[i].port);
		assert_int_equal(told->conf.account[0].security, hosts[i].security);
		forget(told);
	}
}

static void
hosts_that_are_none_are_refused(void **state)
{
	static const char *const hosts[] = { "relay:0", "relay:70000", "relay:", "re lay", "http://relay",
		"smtp://u:p@relay", "[2001:db8::1", "[relay]:25", "[::1]25", "relay..example", "-relay", "smtp://",
		"relay/x", "ホスト..example", "smtp.i❤.ws" };

	(void)state;
	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
		char text[200];

		(void)snprintf(text, sizeof(text), "[account a]\nfrom = a@b.example\nhost = %s\n", hosts[i]);
		struct told *told = read_one(text);
		assert_int_equal(told->faults.count, 1);
		assert_string_equal(told->faults.fault[0].why.field, "[account a] host");
		assert_int_equal(told->faults.fault[0].why.line, 3);
		forget(told);
	}
}

static void
what_host_says_twice_must_agree(void **state)
{
	(void)state;
	expect_in(read_one("[account a]\nfrom = a@b.example\nhost = smtps://relay\nsecurity = starttls\n"),
	    "notifyd.conf:4: [account a] security: it says starttls, but the scheme in host says tls");
	expect_in(read_one("[account a]\nfrom = a@b.example\nhost = relay:26\nport = 25\n"),
	    "notifyd.conf:4: [account a] port: it says 25, but host says 26");
}

static void
comments_quotes_and_continued_lines_read_as_documented(void **state)
{
	struct told *told = read_one("\xef\xbb\xbf# a comment\r\n"
				     "[daemon]   # here too\r\n"
				     "hostname = \"mail.contoso.com\"\t# quotes around all go\r\n"
				     "to = \"Night # desk, west\" <n@b.example>, \\\r\n"
				     "     ops@b.example,   # the last one\r\n"
				     "admin_to = x#y@b.example\r\n"
				     "memory=8M");

	(void)state;
	assert_string_equal(told->lines, "");
	assert_string_equal(told->conf.hostname, "mail.contoso.com");
	assert_int_equal(told->conf.to.count, 2);
	assert_string_equal(told->conf.to.items[0], "\"Night # desk, west\" <n@b.example>");
	assert_string_equal(told->conf.to.items[1], "ops@b.example");
	assert_null(told->conf.to.items[2]);
	assert_string_equal(told->conf.admin_to.items[0], "x#y@b.example");
	assert_int_equal(told->conf.memory, 8 << 20);
	forget(told);
}

static void
a_comment_never_continues_the_line(void **state)
{
	struct told *told = read_one("[daemon]\n# one \\\nhostname = a.example # two \\\nmemory = 8M\n");

	(void)state;
	assert_string_equal(told->lines, "");
	assert_string_equal(told->conf.hostname, "a.example");
	assert_int_equal(told->conf.memory, 8 << 20);
	forget(told);
}

static void
one_pair_of_quotes_is_taken_off_with_its_escapes(void **state)
{
	struct told *told = read_one("[account a]\nfrom = a@b.example\nhost = relay\nscope = \"a \\\"b\\\" \\\\ # c\"\n"
				     "client_id = x\nclient_secret = env:S\ntoken_url = https://sso/t\n");

	(void)state;
	assert_string_equal(told->lines, "");
	assert_string_equal(told->conf.account[0].scope, "a \"b\" \\ # c");
	forget(told);
}

static void
a_later_file_replaces_a_key_and_an_empty_value_restores_the_default(void **state)
{
	struct told *told =
	    read_two("[daemon]\nmemory = 8M\nlog_level = debug\n[account a]\nhost = one\nfrom = a@b.example\n",
		"[daemon]\nmemory =\n[account A]\nhost = two\n");

	(void)state;
	assert_string_equal(told->lines, "");
	assert_int_equal(told->conf.memory, 64 << 20);
	assert_int_equal(told->conf.log_level, ND_LOG_DEBUG);
	assert_int_equal(told->conf.account_count, 1);
	assert_string_equal(told->conf.account[0].name, "a");
	assert_string_equal(told->conf.account[0].host, "two");
	forget(told);
}

static void
the_same_key_twice_in_one_file_is_a_fault(void **state)
{
	(void)state;
	expect_only(read_one("[daemon]\nmemory = 8M\n[queue]\nhistory = 1d\n[daemon]\nmemory = 9M\n"),
	    "notifyd.conf:6: [daemon] memory: it is given twice in this file, first in line 2\n");
}

static void
all_faults_are_told_at_once_with_their_places_and_the_nearest_name(void **state)
{
	(void)state;
	expect_only(read_two("[daemon]\n"
			     "memry = 1\n"
			     "memory = lots\n"
			     "just words\n"
			     "[qeue]\n"
			     "history = x\n"
			     "[account m365]\n"
			     "gramt = x\n",
			"[daemon x]\nlog_level = loud\n[queue\nhistory = never\n"),
	    "notifyd.conf:2: [daemon] memry: there is no such setting; did you mean memory?\n"
	    "notifyd.conf:3: [daemon] memory: \"lots\" is not a size such as 64M or 1G\n"
	    "notifyd.conf:4: there is no = in this line; settings are written: key = value\n"
	    "notifyd.conf:5: [qeue]: there is no such section; did you mean queue?\n"
	    "notifyd.conf:8: [account m365] gramt: there is no such setting; did you mean grant?\n"
	    "conf.d/10.conf:1: [daemon]: this section takes no name\n"
	    "conf.d/10.conf:3: the section has no ] at its end\n"
	    "notifyd.conf:7: [account m365] host: it is missing; give host, or name a provider: provider = microsoft, "
	    "google, ses …\n"
	    "notifyd.conf:7: [account m365] from: it is missing; such as from = alerts@contoso.com\n");
}

static void
rates_are_numbers_by_minute_hour_and_day(void **state)
{
	static const char *const bad[] = { "6000", "6000/s", "/min", "0/min", "-1/day", "5/min 6/min", "5 /min",
		"none 5/min", "9999999999/day", "12345678901234567890123456789012/min" };
	struct told *told = read_one("[access]\nquota_jobs = 30/min 10000/day\nquota_recipients = none\n");

	(void)state;
	assert_int_equal(told->faults.count, 0);
	assert_int_equal(told->conf.quota_jobs.minute, 30);
	assert_int_equal(told->conf.quota_jobs.hour, 0);
	assert_int_equal(told->conf.quota_jobs.day, 10000);
	assert_int_equal(told->conf.quota_recipients.day, 0);
	forget(told);
	told = read_one("[access]\nquota_jobs = 7/hour, 9/day\nquota_recipients =\n");
	assert_int_equal(told->conf.quota_jobs.minute, 0);
	assert_int_equal(told->conf.quota_jobs.hour, 7);
	assert_int_equal(told->conf.quota_jobs.day, 9);
	assert_int_equal(told->conf.quota_recipients.day, 500);
	forget(told);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char text[128];

		(void)snprintf(text, sizeof(text), "[access]\nquota_jobs = %s\n", bad[i]);
		expect_in(read_one(text), "is not a rate such as 30/min");
	}
}

static void
names_kept_for_later_versions_are_refused_in_words(void **state)
{
	struct conf_key_info info;
	unsigned later = 0;

	(void)state;
	expect_only(read_one("[alarm]\nto = x\n[route ops]\nx = y\n[daemon]\nsocket = x\n"),
	    "notifyd.conf:1: [alarm]: this section is not in this version\n"
	    "notifyd.conf:3: [route]: this section is not in this version\n"
	    "notifyd.conf:6: [daemon] socket: this setting is not in this version; take the line out\n");
	expect_only(read_one("[account a]\nprovider = microsoft-graph\nfrom = a@b.example\n"),
	    "notifyd.conf:2: [account a] provider: microsoft-graph is not in this version, which has: microsoft "
	    "microsoft-usgov microsoft-dod microsoft-china microsoft-hve google google-relay ses smtp\n");
	for (unsigned n = 0; conf_key_nth(n, &info); n++) {
		assert_non_null(info.text);
		later += info.later;
	}
	assert_true(later > 0);
}

static void
a_secret_in_the_file_is_refused_without_being_shown(void **state)
{
	static const char *const values[] = { "hunter2", "s3cr3t${x}", "\"open", "a b", "credential:../hunter2",
		"file:hunter2", "env:hunter 2", "command:hunter2" };

	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		char text[1000];

		(void)snprintf(text, sizeof(text),
		    "[account m]\nprovider = microsoft\nfrom = a@b.example\ntenant = t\nclient_id = i\nclient_secret = "
		    "%s\n",
		    values[i]);
		struct told *told = read_one(text);
		assert_true(told->faults.count >= 1);
		assert_int_equal(told->faults.fault[0].why.line, 6);
		assert_null(strstr(told->lines, "hunter"));
		assert_null(strstr(told->lines, "s3cr3t"));
		forget(told);
	}
	expect_only(read_one("[account m]\nhost = relay\nfrom = a@b.example\npassword = hunter2\nauth = password\n"),
	    "notifyd.conf:4: [account m] password: secrets are never in the file; write credential:NAME, file:/path, "
	    "command:/path arguments, env:NAME or keyring:NAME, and keep the secret there\n");
}

static void
references_to_secrets_are_kept_as_they_are(void **state)
{
	static const char *const values[] = { "credential:m365.next-1", "file:/run/secrets/m365", "env:M365_SECRET" };

	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		char text[200];

		(void)snprintf(
		    text, sizeof(text), "[account m]\nhost = relay\nfrom = a@b.example\npassword = %s\n", values[i]);
		struct told *told = read_one(text);
		assert_string_equal(told->lines, "");
		assert_string_equal(told->conf.account[0].password, values[i]);
		forget(told);
	}
}

static void
lists_and_texts_have_their_limits(void **state)
{
	struct nd_buf text;

	(void)state;
	expect_in(read_account_and("from_allow = <a@b.example>\n"), "is not a pattern of addresses");
	expect_in(
	    read_two(good_account, "[account m365]\ntenant = a b\n"), "it is neither a tenant ID nor a domain; copy");
	expect_in(read_account_and("user = a b\n"), "it is too long or has a space in it");
	expect_in(read_one("[daemon]\naccounts = a/b\n"), "\"a/b\" is not the name of an account");
	expect_in(read_one("[account a]\nhost = h\nfrom = a@i❤.ws\n"), "the domain \"i❤.ws\" is not one");
	expect_in(read_one("[]\n"), "the section has no name");
	expect_in(read_one("[daemon]\n = x\n"), "there is no key before the =");
	nd_buf_init(&text, 65536);
	nd_buf_adds(&text, "[access]\nto_allow = ");
	for (int i = 0; i < 1001; i++)
		nd_buf_addf(&text, "@d%d.example,", i);
	expect_in(read_one(nd_buf_text(&text)), "[access] to_allow: there are more than 1000");
	nd_buf_clear(&text);
	nd_buf_addf(&text, "%s scope = %01001d\n", good_account, 7);
	expect_in(read_one(nd_buf_text(&text)), "[account m365] scope: it is longer than 1000 characters");
	nd_buf_clear(&text);
	nd_buf_adds(&text, "[daemon]\nhostname = ");
	for (int i = 0; i < 3000; i++)
		nd_buf_adds(&text, "${fqdn}");
	expect_in(read_one(nd_buf_text(&text)), "[daemon] hostname: the value is too long");
	nd_buf_done(&text);
}

static void
an_oauth_account_without_its_parts_is_told_each_of_them(void **state)
{
	(void)state;
	expect_only(read_one("[account m]\nprovider = microsoft\n"),
	    "notifyd.conf:1: [account m] from: it is missing; such as from = alerts@contoso.com\n"
	    "notifyd.conf:1: [account m] client_id: it is missing, and auth = oauth2 needs it\n"
	    "notifyd.conf:1: [account m] client_secret: it is missing, and auth = oauth2 needs it; such as "
	    "client_secret = credential:NAME, or certificate and key\n"
	    "notifyd.conf:1: [account m] tenant: it is missing, and token_url needs it; copy \"Directory (tenant) ID\" "
	    "from "
	    "the application's overview in Entra ID\n");
	expect_in(
	    read_one(
		"[account m]\nhost = relay\nfrom = a@b.example\nauth = oauth2\nclient_id = i\nclient_secret = env:S\n"),
	    "[account m] token_url: it is missing");
}

static void
a_shared_tenant_cannot_ask_for_itself(void **state)
{
	(void)state;
	expect_only(read_one("[account m]\nprovider = microsoft\nfrom = a@b.example\ntenant = Common\nclient_id = i\n"
			     "client_secret = env:S\n"),
	    "notifyd.conf:4: [account m] tenant: client_credentials needs a tenant of your own, not common; copy "
	    "\"Directory (tenant) ID\" from the application's overview in Entra ID\n");
}

static void
each_grant_says_what_it_cannot_do_without(void **state)
{
	static const struct {
		const char *provider, *lines, *complaint; /* "" none */
	} cases[] = {
		{ "google", "client_id = i\nclient_secret = env:S\n",
		    "[account a] provider: Google has no client_credentials grant; use grant = authorization_code" },
		{ "google", "grant = device_code\nclient_id = i\n",
		    "[account a] grant: Google gives no device code for mail; use "
		    "grant = authorization_code and notifyctl account login NAME --paste" },
		{ "google", "grant = authorization_code\nclient_id = i\nclient_secret = env:S\n", "" },
		{ "google", "grant = jwt_bearer\nkey = file:/etc/sa.json\n", "" },
		{ "google", "grant = jwt_bearer\n", "[account a] key: it is missing, and grant = jwt_bearer needs it" },
		{ "microsoft", "tenant = t\ngrant = authorization_code\nclient_id = i\n", "" },
		{ "microsoft", "tenant = common\ngrant = device_code\nclient_id = i\n", "" },
		{ "microsoft", "grant = device_code\nclient_id = i\n",
		    "[account a] tenant: it is missing, and token_url needs it" },
		{ "microsoft", "tenant = t\ngrant = device_code\n",
		    "[account a] client_id: it is missing, and grant = device_code" },
		{ "microsoft", "tenant = t\ngrant = refresh_token\nclient_id = i\n",
		    "[account a] refresh_token: it is missing, and grant = refresh_token needs it" },
		{ "microsoft", "grant = managed_identity\n", "" },
		{ "microsoft", "grant = managed_identity\nclient_secret = env:S\n",
		    "[account a] client_secret: it has no use with grant = managed_identity" },
		{ "microsoft", "tenant = t\nclient_id = i\ncertificate = /etc/c.pem\nkey = file:/etc/k.pem\n", "" },
		{ "microsoft", "tenant = t\nclient_id = i\ncertificate = /etc/c.pem\n",
		    "[account a] key: it is missing" },
		{ "microsoft", "tenant = t\nclient_id = i\nkey = file:/etc/k.pem\nclient_secret = env:S\n",
		    "[account a] certificate: it is missing" },
		{ "microsoft", "tenant = t\nclient_id = i\nassertion_file = /run/token\n", "" },
		{ "microsoft", "tenant = t\nclient_id = i\nassertion_file = /run/token\nclient_secret = env:S\n",
		    "[account a] assertion_file: client_secret proves the application's identity already" },
		{ "microsoft", "tenant = t\nclient_id = i\nclient_secret = env:S\nredirect_uri = http://localhost/\n",
		    "[account a] redirect_uri: it has no use with grant = client_credentials" },
		{ "smtp",
		    "host = relay\ngrant = authorization_code\nclient_id = i\ntoken_url = https://id.example/token\n",
		    "[account a] authorize_url: it is missing, and grant = authorization_code needs it" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[1000];

		(void)snprintf(text, sizeof(text), "[account a]\nprovider = %s\nfrom = a@b.example\n%s",
		    cases[i].provider, cases[i].lines);
		if (cases[i].complaint[0] != '\0')
			expect_in(read_one(text), cases[i].complaint);
		else
			expect_only(read_one(text), "");
	}
}

static void
a_sign_in_asks_for_another_scope_than_an_application(void **state)
{
	struct told *told =
	    read_one("[account a]\nprovider = microsoft\nfrom = a@b.example\ntenant = t\nclient_id = i\n"
		     "grant = device_code\n");
	const struct conf_account *account = conf_account_nth(&told->conf, 0);

	(void)state;
	assert_string_equal(account->scope, "https://outlook.office.com/SMTP.Send offline_access");
	assert_string_equal(account->device_url, "https://login.microsoftonline.com/t/oauth2/v2.0/devicecode");
	assert_string_equal(account->authorize_url, "https://login.microsoftonline.com/t/oauth2/v2.0/authorize");
	expect_only(told, "");
}

static void
what_works_but_not_as_one_might_think_is_a_warning(void **state)
{
	static const struct {
		const char *lines, *warning; /* "" none */
	} cases[] = {
		{ "provider = microsoft\nauth = password\npassword = env:P\n",
		    "] auth: Exchange Online retires passwords for SMTP" },
		{ "provider = google\nauth = password\npassword = env:P\n", "" },
		{ "provider = google\nauth = password\npassword = env:P\nuser = other@b.example\n",
		    "] from: the sender is not the mailbox that logs in: Google" },
		{ "provider = microsoft\nclient_id = i\ntenant = t\nclient_secret = env:S\nuser = other@b.example\n",
		    "] from: the sender is not the mailbox that logs in: Exchange Online refuses it without Send As; "
		    "Add-RecipientPermission -Identity a@b.example -AccessRights SendAs -Trustee other@b.example; then "
		    "the same with -Trustee and the object ID of the enterprise application" },
		{ "provider = microsoft\nclient_id = i\ntenant = t\ngrant = device_code\nuser = other@b.example\n",
		    "Add-RecipientPermission -Identity a@b.example -AccessRights SendAs -Trustee other@b.example; it "
		    "takes 15" },
		{ "provider = microsoft\nclient_id = i\ntenant = t\ngrant = device_code\nuser = o'brien@b.example\n",
		    "-Identity a@b.example -AccessRights SendAs -Trustee MAILBOX; it takes 15" },
		{ "provider = microsoft-hve\nclient_id = i\ntenant = t\nclient_secret = env:S\nuser = "
		  "other@b.example\n",
		    "] from: the sender is not the mailbox that logs in: High Volume Email refuses it (5.7.62, "
		    "5.6.241); "
		    "set from to the address of that mailbox" },
		{ "host = relay.b.example:465\n",
		    "] port: 465 is the port of TLS from the start, but security = starttls" },
		{ "host = relay.b.example:587\nsecurity = tls\n", "] port: 587 is the port of STARTTLS" },
		{ "host = relay.b.example:465\nsecurity = none\n",
		    "] security: 465 is the port of TLS from the start, but security = none: nothing is encrypted; set "
		    "security = tls" },
		{ "host = localhost:465\nsecurity = none\n", "] security: 465 is the port of TLS from the start" },
		{ "provider = ses\nhost = email-smtp.eu-west-1.amazonaws.com:2465\nuser = u\npassword = env:P\n",
		    "] port: 2465 is the port of TLS from the start, but security = starttls; set security = tls, or "
		    "port = 2587" },
		{ "provider = ses\nhost = email-smtp.eu-west-1.amazonaws.com:2587\nsecurity = tls\nuser = u\npassword "
		  "= env:P\n",
		    "] port: 2587 is the port of STARTTLS, but security = tls; set security = starttls, or port = "
		    "2465" },
		{ "provider = ses\nhost = email-smtp.eu-west-1.amazonaws.com:2465\nsecurity = tls\nuser = u\npassword "
		  "= env:P\n",
		    "" },
		{ "provider = ses\nhost = email-smtp.eu-west-1.amazonaws.com:2587\nuser = u\npassword = env:P\n", "" },
		{ "host = relay.b.example:2465\n", "" },
		{ "provider = microsoft\nclient_id = i\ntenant = t\nclient_secret = env:S\nport = 465\n",
		    "] port: Exchange Online offers STARTTLS on port 587 only; take port out" },
		{ "provider = microsoft\nclient_id = i\ntenant = t\nclient_secret = env:S\nsecurity = tls\nport = "
		  "587\n",
		    "] security: Exchange Online offers STARTTLS on port 587 only; take security and port out" },
		{ "host = relay.b.example\nsecurity = none\n", "] security: mail to this host travels in clear" },
		{ "host = localhost\nsecurity = none\n", "" },
		{ "host = localhost\nsecurity = none\nenvelope_from = größe@b.example\n",
		    "] from: a sender who is not ASCII before the @ needs a server that offers SMTPUTF8" },
		{ "provider = microsoft\nclient_id = i\ntenant = t\nclient_secret = env:S\nfrom = a@müller.example\n"
		  "user = A@xn--mller-kva.example\n",
		    "" },
		{ "provider = ses\nhost = email-smtp.eu-west-1.amazonaws.com:25\nuser = u\npassword = env:P\n",
		    "] port: Amazon throttles port 25" },
		{ "provider = microsoft\nclient_id = i\ntenant = t\nclient_secret = env:S\nsecurity = tls\nport = "
		  "465\n",
		    "] security: Exchange Online offers STARTTLS on port 587 only" },
		{ "host = smtp.Gmail.com\nauth = password\nuser = u\npassword = env:P\n",
		    "] provider: the host is Google's: with provider = smtp neither its limits nor all of its replies "
		    "are "
		    "known; set provider = google; host may stay" },
		{ "host = smtp-relay.gmail.com:587\n", "set provider = google-relay; host may stay" },
		{ "host = email-smtp.eu-west-1.amazonaws.com\nauth = password\nuser = u\npassword = env:P\n",
		    "] provider: the host is Amazon's: with provider = smtp neither its limits nor all of its replies "
		    "are "
		    "known; set provider = ses; host may stay" },
		{ "host = smtp-hve.office365.com\nauth = password\nuser = u\npassword = env:P\n",
		    "] provider: the host is Microsoft's: with provider = smtp neither its limits nor all of its "
		    "replies "
		    "are known; set provider = microsoft-hve; host may stay" },
		{ "host = smtp.office365.us\n", "set provider = microsoft-usgov; host may stay" },
		{ "host = smtp.gmail.com.b.example\n", "" },
		{ "provider = microsoft\nhost = 192.0.2.1\nclient_id = i\ntenant = t\nclient_secret = env:S\n",
		    "] host: Exchange Online must be reached by its name" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[1000], line[900] = "";

		(void)snprintf(text, sizeof(text), "[account a]\n%s%s",
		    strstr(cases[i].lines, "\nfrom = ") ? "" : "from = a@b.example\n", cases[i].lines);
		struct told *told = read_one(text);
		assert_string_equal(told->lines, "");
		assert_int_equal(told->conf.warnings.count, cases[i].warning[0] != '\0');
		if (told->conf.warnings.count > 0)
			conf_fault_line(&told->conf.warnings.fault[0], line, sizeof(line));
		if (strstr(line, cases[i].warning) == NULL)
			fail_msg("\"%s\" is not in: %s", cases[i].warning, line);
		forget(told);
	}
}

static void
proxies_addresses_pins_and_redirects_are_checked_where_they_stand(void **state)
{
	(void)state;
	expect_only(read_one("[daemon]\nproxy = https://p.example:3128\nno_proxy = .contoso.com, 10.0.0.1, *\n"),
	    "notifyd.conf:2: [daemon] proxy: it is neither http://host:port nor socks5://host:port\n");
	expect_only(read_one("[daemon]\nproxy = http://u:p@p.example:3128\n"),
	    "notifyd.conf:2: [daemon] proxy: a proxy that asks for a password is not supported\n");
	expect_only(
	    read_one("[account a]\nhost = relay\nfrom = a@b.example\nbind = eth0\nsmtp_proxy = socks5://p:1080\n"),
	    "notifyd.conf:4: [account a] bind: \"eth0\" is not an address such as 192.0.2.10 or 2001:db8::10\n");
	expect_only(read_one("[account a]\nhost = relay\nfrom = a@b.example\nbind = 192.0.2.256\n"),
	    "notifyd.conf:4: [account a] bind: \"192.0.2.256\" is not an address such as 192.0.2.10 or 2001:db8::10\n");
	expect_only(read_one("[account a]\nhost = relay\nfrom = a@b.example\nbind = 192.0.2.255\nfamily = ipv4\n"), "");
	expect_only(read_one("[account a]\nhost = relay\nfrom = a@b.example\nbind = 2001:db8::9\nfamily = ipv4\n"),
	    "notifyd.conf:5: [account a] family: bind is an address of the other kind; take family out: bind "
	    "decides\n");
	expect_only(read_one("[account a]\nhost = relay\nfrom = a@b.example\npin_sha256 = abc\n"),
	    "notifyd.conf:4: [account a] pin_sha256: \"abc\" is not the base64 of a SHA-256 digest (44 characters); "
	    "notifyctl "
	    "account trust NAME prints the line\n");
	expect_only(read_one("[account a]\nhost = relay\nfrom = a@b.example\n"
			     "pin_sha256 = 47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n"),
	    "");
	expect_in(
	    read_one("[account a]\nprovider = google\nfrom = a@b.example\ngrant = authorization_code\nclient_id = i\n"
		     "redirect_uri = http://web01:8080/\n"),
	    "[account a] redirect_uri: it is neither an https:// URL nor http:// to localhost or 127.0.0.1");
	expect_only(
	    read_one("[account a]\nprovider = google\nfrom = a@b.example\ngrant = authorization_code\nclient_id = i\n"
		     "redirect_uri = http://localhost:8080/RestAPI/WC/OAuthSetting\n"),
	    "");
}

static void
a_password_never_goes_in_clear_through_a_proxy(void **state)
{
	(void)state;
	expect_only(read_one("[account a]\nhost = 127.0.0.1\nfrom = a@b.example\nsecurity = none\nauth = password\n"
			     "password = env:P\nsmtp_proxy = http://127.0.0.1:3128\n"),
	    "notifyd.conf:4: [account a] security: a password is never sent without TLS through a proxy; set security "
	    "= "
	    "starttls or tls\n");
}

static void
a_token_never_goes_without_tls(void **state)
{
	(void)state;
	expect_only(read_account_and("host = localhost\nsecurity = none\n"),
	    "notifyd.conf:8: [account m365] security: a token is never sent without TLS; set security = starttls or "
	    "tls\n");
}

static void
a_password_goes_without_tls_to_loopback_only(void **state)
{
	static const struct {
		const char *host;
		unsigned faults;
	} hosts[] = { { "localhost", 0 }, { "127.0.0.1", 0 }, { "127.8.8.8:26", 0 }, { "[::1]:25", 0 }, { "relay", 1 },
		{ "127.0.0.1.evil.example", 1 }, { "::2", 1 }, { "localhost.evil.example", 1 } };

	(void)state;
	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
		char text[300];

		(void)snprintf(text, sizeof(text),
		    "[account a]\nfrom = a@b.example\nhost = %s\nsecurity = none\nauth = password\npassword = env:P\n",
		    hosts[i].host);
		struct told *told = read_one(text);
		assert_int_equal(told->faults.count, hosts[i].faults);
		forget(told);
	}
}

static void
keys_of_another_log_in_are_faults(void **state)
{
	(void)state;
	expect_only(read_account_and("auth = oauth2\npassword = env:P\n"),
	    "notifyd.conf:8: [account m365] password: it has no use with auth = oauth2; take it out, or change auth\n");
	expect_only(
	    read_one(
		"[account a]\nhost = relay\nfrom = a@b.example\nauth = password\npassword = env:P\nclient_id = x\n"),
	    "notifyd.conf:6: [account a] client_id: it has no use with auth = password; take it out, or change auth\n");
	expect_only(read_one("[account a]\nhost = relay\nfrom = a@b.example\nuser = u\n"),
	    "notifyd.conf:4: [account a] user: it has no use with auth = none; take it out, or change auth\n");
}

static void
the_order_of_accounts_is_kept_and_checked(void **state)
{
	static const char accounts[] =
	    "[account one]\nhost = a\nfrom = a@b.example\n[account Two]\nhost = b\nfrom = a@b.example\n";
	struct told *told = read_two(accounts, "[daemon]\naccounts = two, one\n");

	(void)state;
	assert_string_equal(told->lines, "");
	assert_string_equal(conf_account_nth(&told->conf, 0)->name, "Two");
	assert_string_equal(conf_account_nth(&told->conf, 1)->name, "one");
	assert_null(conf_account_nth(&told->conf, 2));
	assert_string_equal(told->conf.accounts.items[0], "Two");
	assert_string_equal(conf_account_named(&told->conf, "TWO")->host, "b");
	assert_null(conf_account_named(&told->conf, "three"));
	forget(told);
	told = read_one(accounts);
	assert_string_equal(conf_account_nth(&told->conf, 0)->name, "one");
	forget(told);
	expect_only(read_two(accounts, "[daemon]\naccounts = one, twoo, One\n"),
	    "conf.d/10.conf:2: [daemon] accounts: there is no [account twoo]; did you mean Two?\n"
	    "conf.d/10.conf:2: [daemon] accounts: \"One\" is listed twice\n");
}

static void
names_of_accounts_are_checked_and_counted(void **state)
{
	struct nd_buf text;

	(void)state;
	expect_in(read_one("[account]\n"), "notifyd.conf:1: [account]: an account needs a name");
	expect_in(read_one("[account -x]\n"), "\"-x\" cannot be the name of an account");
	expect_in(read_one("[account ../x]\n"), "cannot be the name of an account");
	expect_in(read_one("[account a23456789012345678901234567890123]\n"), "cannot be the name of an account");
	nd_buf_init(&text, 65536);
	for (int i = 0; i < 66; i++)
		nd_buf_addf(&text, "[account a%d]\nhost = h\nfrom = a@b.example\n", i);
	struct told *told = read_one(nd_buf_text(&text));
	nd_buf_done(&text);
	assert_int_equal(told->conf.account_count, 64);
	expect_only(told, "notifyd.conf:193: [account]: there are more than 64 accounts\n"
			  "notifyd.conf:196: [account]: there are more than 64 accounts\n");
}

static void
urls_of_tokens_are_https_only(void **state)
{
	(void)state;
	expect_in(read_account_and("token_url = http://login.example/token\n"),
	    "notifyd.conf:7: [account m365] token_url: http:// would send the secret in clear");
	expect_in(read_account_and("token_url = ftp://x\n"), "it must begin with https://");
	expect_in(read_account_and("token_url = https:///x\n"), "has no host");
	expect_in(read_account_and("token_url = https://u:p@h/x\n"), "has no host, or a user name in it");
	struct told *told = read_account_and("token_url = https://localhost:8443/{tenant}/token\n");
	assert_string_equal(told->lines, "");
	assert_string_equal(
	    told->conf.account[0].token_url, "https://localhost:8443/1f3c0000-0000-0000-0000-000000000000/token");
	forget(told);
}

static void
addresses_and_numbers_are_checked_where_they_stand(void **state)
{
	(void)state;
	expect_in(read_one("[daemon]\nto = a@b.example, nobody\n"),
	    "notifyd.conf:2: [daemon] to: \"nobody\" is not a mail address");
	expect_in(read_one("[daemon]\nadmin_to = @oncall\n"), "groups are not in this version");
	expect_in(read_one("[daemon]\nhostname = my_host!\n"), "is not a host name");
	expect_in(read_one("[daemon]\nlog_level = loud\n"), "\"loud\" is not one of: err warning notice info debug");
	expect_in(read_one("[daemon]\nto = ${domain}@x.example\n"), "after ${ only host} and fqdn} are known");
	expect_in(read_one("[queue]\nhistory = 1y\n"), "is not a duration");
	expect_in(read_one("[queue]\nexpires_in = 1s\n"), "1s is not between 1m and 365d00h");
	expect_in(read_one("[access]\nto_allow = contoso.com\n"), "a whole domain is written @contoso.com");
	expect_in(read_account_and("port = 0\n"), "\"0\" is not a number from 1 to 65535");
	expect_in(read_account_and("client_secret_expires = soon\n"), "is not a date");
	expect_in(read_account_and("ca_file = ca.pem\n"), "is not an absolute path");
	expect_in(read_account_and("envelope_from = A <a@b.example>\n"), "must be an address alone");
	expect_in(
	    read_account_and("max_connections = 4\n"), "smtp.office365.com takes at most 3 sessions of one mailbox");
	expect_in(
	    read_one("[queue]\nexpires_in = 20d\n"), "notifyd.conf:2: [queue] expires_in: it is longer than max_age");
	expect_in(read_one("[account a]\nhost = h\nfrom = Alerts\n"),
	    "notifyd.conf:3: [account a] from: \"Alerts\" is not a mail");
}

static void
a_shorter_max_age_shortens_the_default_expiry(void **state)
{
	struct told *told = read_one("[queue]\nmax_age = 2d\n");

	(void)state;
	assert_string_equal(told->lines, "");
	assert_int_equal(told->conf.expires_in, ND_DAY(2));
	forget(told);
}

static void
what_may_be_addressed_is_a_list_of_three_kinds(void **state)
{
	struct told *told = read_one("[access]\nto_allow = a@b.example, @contoso.com, *\n");

	(void)state;
	assert_string_equal(told->lines, "");
	assert_int_equal(told->conf.to_allow.count, 3);
	forget(told);
}

static void
names_of_all_scripts_are_kept_and_converted_where_they_leave_us(void **state)
{
	struct told *told =
	    read_one("[daemon]\nto = größe@müller.example\n[access]\nto_allow = @例え.jp, ops@müller.example\n"
		     "[account a]\nhost = smtp.MÜLLER.example:2525\nfrom = Alerts <alerts@müller.example>\n"
		     "auth = none\n");
	const struct conf_account *account = &told->conf.account[0];

	(void)state;
	assert_string_equal(told->lines, "");
	assert_string_equal(account->host, "smtp.MÜLLER.example");
	assert_string_equal(account->tls_name, "smtp.xn--mller-kva.example");
	assert_string_equal(account->user, "alerts@xn--mller-kva.example");
	assert_string_equal(account->envelope_from, "alerts@müller.example");
	assert_int_equal(account->port, 2525);
	forget(told);
	expect_in(read_one("[access]\nto_allow = @i❤.ws\n"), "the domain \"i❤.ws\" is not one");
	expect_in(read_one("[access]\nto_allow = müller.example\n"), "a whole domain is written @contoso.com");
	expect_in(
	    read_one("[account a]\nhost = smtp.i❤.ws\nfrom = a@b.example\n"), "the domain \"smtp.i❤.ws\" is not one");
	expect_in(read_one("[daemon]\nadmin_to = a@-ü.example\n"), "[daemon] admin_to: \"a@-ü.example\" is not a mail");
}

static void
a_file_that_is_no_text_is_refused_whole(void **state)
{
	struct told *told = nd_xalloc(sizeof(*told));
	char *big = nd_xalloc(CONF_MAX_OCTETS + 1);

	(void)state;
	memset(big, '\n', CONF_MAX_OCTETS + 1);
	conf_init(&told->conf, &this_host);
	conf_read(&told->conf, "nul", "[daemon]\nmemory = 1\0M\n", 22, &told->faults);
	conf_read(&told->conf, "latin1", "[daemon]\n# caf\xe9\n", 16, &told->faults);
	conf_read(&told->conf, "big", big, CONF_MAX_OCTETS + 1, &told->faults);
	conf_read(&told->conf, "bell", "[daemon]\nmemory = \a1M\n", 22, &told->faults);
	conf_read(&told->conf, "quote", "[daemon]\nhostname = \"x\n", 23, &told->faults);
	conf_read(&told->conf, "end", "[daemon]\nhostname = x\\", 22, &told->faults);
	conf_read(&told->conf, "early", "memory = 1M\n", 12, &told->faults);
	conf_finish(&told->conf, &told->faults);
	tell(told);
	free(big);
	expect_only(told, "nul:2: there is a NUL octet in this line\n"
			  "latin1:2: this line is not UTF-8\n"
			  "big: the file is larger than 1 MiB\n"
			  "bell:2: there is a control character in this line\n"
			  "quote:2: a quote is opened and not closed\n"
			  "end:2: the file ends inside a continued line\n"
			  "early:1: memory: this setting stands before any [section]\n");
}

static void
the_list_of_faults_is_bounded(void **state)
{
	struct nd_buf text;

	(void)state;
	nd_buf_init(&text, 65536);
	for (int i = 0; i < 5000; i++)
		nd_buf_adds(&text, "x\n");
	struct told *told = read_one(nd_buf_text(&text));
	nd_buf_done(&text);
	assert_int_equal(told->faults.count, CONF_MAX_FAULTS);
	assert_string_equal(
	    told->faults.fault[CONF_MAX_FAULTS - 1].why.text, "there are more faults; mend these first");
	forget(told);
}

static void
a_host_with_an_unusable_name_still_starts(void **state)
{
	const struct conf_host odd = { "my host", NULL };
	struct conf conf;

	(void)state;
	conf_init(&conf, &odd);
	assert_string_equal(conf.hostname, "localhost");
	conf_done(&conf);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_set_gives_the_documented_defaults),
		cmocka_unit_test(a_microsoft_account_needs_five_lines_and_gets_the_rest_from_its_preset),
		cmocka_unit_test(each_provider_has_a_name_and_the_choice_in_the_key_table_matches_it),
		cmocka_unit_test(the_clouds_of_microsoft_have_their_own_servers),
		cmocka_unit_test(the_limits_are_the_providers_and_a_share_divides_them),
		cmocka_unit_test(a_plain_relay_needs_only_host_and_from),
		cmocka_unit_test(the_credential_that_is_given_says_how_to_log_in),
		cmocka_unit_test(a_host_may_be_a_name_an_address_or_a_url),
		cmocka_unit_test(hosts_that_are_none_are_refused),
		cmocka_unit_test(what_host_says_twice_must_agree),
		cmocka_unit_test(comments_quotes_and_continued_lines_read_as_documented),
		cmocka_unit_test(a_comment_never_continues_the_line),
		cmocka_unit_test(one_pair_of_quotes_is_taken_off_with_its_escapes),
		cmocka_unit_test(a_later_file_replaces_a_key_and_an_empty_value_restores_the_default),
		cmocka_unit_test(the_same_key_twice_in_one_file_is_a_fault),
		cmocka_unit_test(all_faults_are_told_at_once_with_their_places_and_the_nearest_name),
		cmocka_unit_test(rates_are_numbers_by_minute_hour_and_day),
		cmocka_unit_test(names_kept_for_later_versions_are_refused_in_words),
		cmocka_unit_test(a_secret_in_the_file_is_refused_without_being_shown),
		cmocka_unit_test(references_to_secrets_are_kept_as_they_are),
		cmocka_unit_test(lists_and_texts_have_their_limits),
		cmocka_unit_test(an_oauth_account_without_its_parts_is_told_each_of_them),
		cmocka_unit_test(a_shared_tenant_cannot_ask_for_itself),
		cmocka_unit_test(each_grant_says_what_it_cannot_do_without),
		cmocka_unit_test(a_sign_in_asks_for_another_scope_than_an_application),
		cmocka_unit_test(what_works_but_not_as_one_might_think_is_a_warning),
		cmocka_unit_test(proxies_addresses_pins_and_redirects_are_checked_where_they_stand),
		cmocka_unit_test(a_password_never_goes_in_clear_through_a_proxy),
		cmocka_unit_test(a_token_never_goes_without_tls),
		cmocka_unit_test(a_password_goes_without_tls_to_loopback_only),
		cmocka_unit_test(keys_of_another_log_in_are_faults),
		cmocka_unit_test(the_order_of_accounts_is_kept_and_checked),
		cmocka_unit_test(names_of_accounts_are_checked_and_counted),
		cmocka_unit_test(urls_of_tokens_are_https_only),
		cmocka_unit_test(addresses_and_numbers_are_checked_where_they_stand),
		cmocka_unit_test(a_shorter_max_age_shortens_the_default_expiry),
		cmocka_unit_test(what_may_be_addressed_is_a_list_of_three_kinds),
		cmocka_unit_test(names_of_all_scripts_are_kept_and_converted_where_they_leave_us),
		cmocka_unit_test(a_file_that_is_no_text_is_refused_whole),
		cmocka_unit_test(the_list_of_faults_is_bounded),
		cmocka_unit_test(a_host_with_an_unusable_name_still_starts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
