/* SPDX-License-Identifier: Apache-2.0 */
/* test_conf_compare.c - what a new configuration changes in an account. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/mem.h"
#include "daemon/core/conf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void
read_account(struct conf *conf, const char *more)
{
	static const struct conf_host host = { "web01", "web01.contoso.com" };
	struct conf_faults faults = { 0 };
	char text[1024];
	int len = snprintf(text, sizeof(text),
	    "[account a]\nprovider = smtp\nhost = mail.example\nfrom = a@b.example\nauth = password\nuser = u\n"
	    "password = file:/one\n%s",
	    more);

	conf_init(conf, &host);
	conf_read(conf, "notifyd.conf", text, (size_t)len, &faults);
	conf_finish(conf, &faults);
	assert_int_equal(faults.count, 0);
	conf_faults_done(&faults);
}

static enum conf_change
compared(const char *before, const char *after)
{
	struct conf a, b;
	enum conf_change change;

	read_account(&a, before);
	read_account(&b, after);
	change = conf_compare(&a.account[0], &b.account[0]);
	conf_done(&a);
	conf_done(&b);
	return change;
}

static void
the_same_words_and_other_words_for_the_same_are_no_change(void **state)
{
	(void)state;
	assert_int_equal(compared("", ""), CONF_SAME);
	assert_int_equal(compared("", "# a comment\nport = 587\nmax_connections = 2\n"), CONF_SAME);
	assert_int_equal(compared("from_policy = allow\nfrom_allow = a@x.example, *@y.example\n",
			     "from_policy = allow\nfrom_allow = a@x.example,*@y.example\n"),
	    CONF_SAME);
}

static void
settings_of_how_it_sends_are_a_change(void **state)
{
	(void)state;
	assert_int_equal(compared("", "max_connections = 3\n"), CONF_CHANGED);
	assert_int_equal(compared("", "envelope_from = c@b.example\n"), CONF_CHANGED);
	assert_int_equal(compared("", "from_policy = force\n"), CONF_CHANGED);
	assert_int_equal(compared("from_policy = allow\nfrom_allow = a@x.example\n",
			     "from_policy = allow\nfrom_allow = a@x.example, b@x.example\n"),
	    CONF_CHANGED);
}

static void
another_server_or_log_in_is_another_account(void **state)
{
	(void)state;
	assert_int_equal(compared("", "port = 2525\n"), CONF_OTHER);
	assert_int_equal(compared("", "security = tls\n"), CONF_OTHER);
	assert_int_equal(compared("max_connections = 3\n", "port = 2525\n"), CONF_OTHER);
}

static uint64_t
print_of(const char *more)
{
	struct conf conf;
	uint64_t print;

	read_account(&conf, more);
	print = conf_print(&conf.account[0]);
	conf_done(&conf);
	return print;
}

static void
the_print_of_an_account_changes_with_its_settings_alone(void **state)
{
	static const char *const others[] = { "", "port = 2525\n", "max_connections = 3\n", "from_policy = force\n",
		"share = 1/20\n", "from_policy = allow\nfrom_allow = a@x.example\n",
		"from_policy = allow\nfrom_allow = a@x.example, b@x.example\n" };

	(void)state;
	assert_true(print_of("") == print_of("")); /* of texts, not of where they lie */
	for (unsigned i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		for (unsigned k = 0; k < sizeof(others) / sizeof(others[0]); k++)
			assert_int_equal(print_of(others[i]) == print_of(others[k]), i == k);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_words_and_other_words_for_the_same_are_no_change),
		cmocka_unit_test(settings_of_how_it_sends_are_a_change),
		cmocka_unit_test(another_server_or_log_in_is_another_account),
		cmocka_unit_test(the_print_of_an_account_changes_with_its_settings_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
