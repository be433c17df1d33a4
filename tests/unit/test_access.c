/* SPDX-License-Identifier: Apache-2.0 */
/* test_access.c - tests of who may send to whom. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/core/access.h"

#include <string.h>

static char to_one[] = "Night desk <night@ops.example>", admin_one[] = "root@admin.example";
static char allowed_address[] = "partner@elsewhere.example", allowed_domain[] = "@friends.example";
static char from_address[] = "alerts@contoso.com", bounce[] = "bounce@contoso.net", user[] = "mailbox@contoso.org";
static char host[] = "host.example", everybody[] = "*";
static char *to_items[] = { to_one, NULL };
static char *admin_items[] = { admin_one, NULL };
static char *allow_items[] = { allowed_address, allowed_domain, NULL };
static char *open_items[] = { everybody, NULL };

static struct conf_account account = {
	.from_box = { NULL, from_address },
	.envelope_from = bounce,
	.user = user,
	.host = host,
};
static const struct conf conf = {
	.to = { to_items, 1 },
	.admin_to = { admin_items, 1 },
	.to_allow = { allow_items, 2 },
	.account = &account,
	.account_count = 1,
};
static const struct access_peer submitter = { .uid = 1000, .gid = 1000 };
static const struct access_peer operator= { .uid = 1000, .gid = 1000, .operator_right = true };

static enum nd_err
ask(const char *address, struct nd_why *why)
{
	return access_recipient(&conf, &submitter, address, why);
}

static void
every_address_of_the_configuration_may_be_written_to(void **state)
{
	(void)state;
	assert_int_equal(ask("night@ops.example", NULL), ND_OK);
	assert_int_equal(ask("root@admin.example", NULL), ND_OK);
	assert_int_equal(ask("alerts@contoso.com", NULL), ND_OK);
	assert_int_equal(ask("bounce@contoso.net", NULL), ND_OK);
	assert_int_equal(ask("mailbox@contoso.org", NULL), ND_OK);
	assert_int_equal(ask("partner@elsewhere.example", NULL), ND_OK);
}

static void
an_address_may_be_written_in_two_ways(void **state)
{
	static char item[] = "ops@müller.example", domain[] = "@xn--r8jz45g.jp";
	char *items[] = { item, domain, NULL };
	struct conf opened = conf;

	(void)state;
	opened.to_allow = (struct conf_list){ items, 2 };
	assert_int_equal(access_recipient(&opened, &submitter, "ops@xn--mller-kva.example", NULL), ND_OK);
	assert_int_equal(access_recipient(&opened, &submitter, "größe@例え.jp", NULL), ND_OK);
	assert_int_equal(access_recipient(&opened, &submitter, "ops@muller.example", NULL), ND_ERCPTDENIED);
}

static void
the_domain_of_an_account_is_open_and_no_other_is(void **state)
{
	(void)state;
	assert_int_equal(ask("anybody@contoso.com", NULL), ND_OK);
	assert_int_equal(ask("anybody@CONTOSO.com", NULL), ND_OK);
	assert_int_equal(ask("anybody@friends.example", NULL), ND_OK);
	assert_int_equal(ask("anybody@contoso.net", NULL), ND_ERCPTDENIED);
	assert_int_equal(ask("anybody@contoso.org", NULL), ND_ERCPTDENIED);
	assert_int_equal(ask("other@ops.example", NULL), ND_ERCPTDENIED);
	assert_int_equal(ask("anybody@sub.contoso.com", NULL), ND_ERCPTDENIED);
	assert_int_equal(ask("anybody@notcontoso.com", NULL), ND_ERCPTDENIED);
	assert_int_equal(ask("anybody@contoso.com.evil.example", NULL), ND_ERCPTDENIED);
	assert_int_equal(ask("\"a@contoso.com\"@evil.example", NULL), ND_ERCPTDENIED);
	assert_int_equal(ask("nobody", NULL), ND_ERCPTDENIED);
	assert_int_equal(ask("contoso.com", NULL), ND_ERCPTDENIED);
}

static void
a_refusal_gives_the_line_to_add(void **state)
{
	struct nd_why why;

	(void)state;
	assert_int_equal(ask("who@new.example", &why), ND_ERCPTDENIED);
	assert_int_equal(why.err, ND_ERCPTDENIED);
	assert_non_null(strstr(why.text, "who@new.example"));
	assert_non_null(strstr(why.hint, "to_allow = partner@elsewhere.example, @friends.example, who@new.example"));
}

static void
a_hint_that_would_be_too_long_names_the_address_alone(void **state)
{
	char *items[12];
	struct conf many = conf;
	struct nd_why why;

	(void)state;
	for (unsigned i = 0; i < 12; i++)
		items[i] = allowed_address;
	many.to_allow = (struct conf_list){ items, 12 };
	assert_int_equal(access_recipient(&many, &submitter, "who@new.example", &why), ND_ERCPTDENIED);
	assert_non_null(strstr(why.hint, "add who@new.example to [access] to_allow"));
}

static void
foreign_is_what_no_account_sends_from(void **state)
{
	struct conf none = conf;

	(void)state;
	assert_false(access_foreign(&conf, "anybody@Contoso.com"));
	assert_true(access_foreign(&conf, "partner@elsewhere.example"));
	assert_true(access_foreign(&conf, "night@ops.example"));
	none.account_count = 0;
	assert_false(access_foreign(&none, "partner@elsewhere.example"));
}

static void
a_star_opens_it_to_everybody(void **state)
{
	struct conf opened = conf;

	(void)state;
	opened.to_allow = (struct conf_list){ open_items, 1 };
	assert_int_equal(access_recipient(&opened, &submitter, "who@new.example", NULL), ND_OK);
}

static void
operators_are_exempt(void **state)
{
	(void)state;
	assert_int_equal(access_recipient(&conf, &operator, "who@new.example", NULL), ND_OK);
}

static void
nobody_is_refused_while_there_is_no_account(void **state)
{
	struct conf empty = conf;

	(void)state;
	empty.account = NULL;
	empty.account_count = 0;
	assert_int_equal(access_recipient(&empty, &submitter, "who@new.example", NULL), ND_OK);
}

static void
a_job_is_its_users(void **state)
{
	const struct access_peer root = { .uid = 0 };

	(void)state;
	assert_true(access_own(&submitter, 1000, ""));
	assert_true(access_own(&submitter, 1000, "other.service"));
	assert_false(access_own(&submitter, 1001, ""));
	assert_false(access_own(&root, 1000, ""));
}

static void
a_dynamic_uid_owns_only_with_its_unit(void **state)
{
	struct access_peer peer = { .uid = 61184, .unit = "a.service" };

	(void)state;
	assert_true(access_own(&peer, 61184, "a.service"));
	assert_false(access_own(&peer, 61184, "b.service"));
	assert_false(access_own(&peer, 61184, ""));
	assert_false(access_own(&peer, 61184, NULL));
	peer.uid = 65519;
	assert_false(access_own(&peer, 65519, "b.service"));
	peer.uid = 61183;
	assert_true(access_own(&peer, 61183, "b.service"));
	peer.uid = 65520;
	assert_true(access_own(&peer, 65520, "b.service"));
	/* no proof that it is the same service */
	peer.uid = 61200;
	peer.unit[0] = '\0';
	assert_false(access_own(&peer, 61200, ""));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_address_of_the_configuration_may_be_written_to),
		cmocka_unit_test(an_address_may_be_written_in_two_ways),
		cmocka_unit_test(the_domain_of_an_account_is_open_and_no_other_is),
		cmocka_unit_test(a_refusal_gives_the_line_to_add),
		cmocka_unit_test(a_hint_that_would_be_too_long_names_the_address_alone),
		cmocka_unit_test(foreign_is_what_no_account_sends_from),
		cmocka_unit_test(a_star_opens_it_to_everybody),
		cmocka_unit_test(operators_are_exempt),
		cmocka_unit_test(nobody_is_refused_while_there_is_no_account),
		cmocka_unit_test(a_job_is_its_users),
		cmocka_unit_test(a_dynamic_uid_owns_only_with_its_unit),
	};

	return cmocka_run_group_tests_name("access", tests, NULL, NULL);
}
