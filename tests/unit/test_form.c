/* SPDX-License-Identifier: Apache-2.0 */
/* test_form.c - forms become the JSON of a job. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/form.h"
#include "common/json.h"
#include "common/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct nd_why why;
static struct nd_buf json;

static enum nd_err
turn_octets(const char *octets, size_t len)
{
	/* its own memory: reading past the end is seen */
	char *copy = nd_xstrndup(octets, len);
	struct form form;
	enum nd_err err;

	nd_buf_done(&json);
	nd_buf_init(&json, 65536);
	form_init(&form);
	err = form_split(&form, copy, len, &why);
	if (err == ND_OK)
		err = form_object(&form, form_job_fields, &json, &why);
	form_done(&form);
	free(copy);
	return err;
}

static void
turns_into(const char *octets, const char *wanted)
{
	if (turn_octets(octets, strlen(octets)) != ND_OK)
		fail_msg("%s: %s", octets, why.text);
	assert_string_equal(nd_buf_text(&json), wanted);
}

static void
is_refused(const char *octets, enum nd_err err, const char *field, const char *hint)
{
	assert_int_equal(turn_octets(octets, strlen(octets)), err);
	assert_string_equal(why.field, field);
	assert_string_equal(why.hint, hint);
}

static void
fields_go_by_name_and_escapes_are_undone(void **state)
{
	(void)state;
	turns_into(
	    "subject=Disk+failing%21&text=a%0Ab%26c%3Dd=e", "{\"subject\":\"Disk failing!\",\"text\":\"a\\nb&c=d=e\"}");
	turns_into("&&subject=x&", "{\"subject\":\"x\"}");
	turns_into("", "{}");
}

static void
recipients_repeat_and_may_be_lists(void **state)
{
	(void)state;
	turns_into("to=a@b.c&subject=x&to=d@e.f,%22N,+I%22+%3Cg@h.i%3E",
	    "{\"to\":[\"a@b.c\",\"d@e.f\",\"\\\"N, I\\\" <g@h.i>\"],\"subject\":\"x\"}");
}

static void
labels_and_headers_are_gathered(void **state)
{
	(void)state;
	turns_into("label.device=/dev/sda&header.X-Team=storage&label.empty=&text=x",
	    "{\"text\":\"x\",\"labels\":{\"device\":\"/dev/"
	    "sda\",\"empty\":\"\"},\"headers\":{\"X-Team\":\"storage\"}}");
}

static void
an_empty_value_counts_as_not_given(void **state)
{
	(void)state;
	turns_into("subject=x&severity=&key&to=", "{\"subject\":\"x\"}");
}

static void
sensitive_is_a_truth(void **state)
{
	(void)state;
	turns_into("sensitive=1", "{\"sensitive\":true}");
	turns_into("require_tls=1", "{\"require_tls\":true}");
	turns_into("sensitive=false", "{\"sensitive\":false}");
	is_refused("sensitive=perhaps", ND_EINVALID, "sensitive", nd_err_hint(ND_EINVALID));
}

static void
an_unknown_field_is_told_the_nearest(void **state)
{
	(void)state;
	is_refused("subjct=x", ND_EUNKNOWN, "subjct", "did you mean \"subject\"?");
	is_refused("labels=x", ND_EUNKNOWN, "labels", "did you mean \"label.NAME\"?");
	is_refused("attachments=x", ND_EUNKNOWN, "attachments", "send the job as JSON: a form cannot hold attachments");
	is_refused("hello world", ND_EUNKNOWN, "hello world", "");
	/* t belongs to ready messages */
	is_refused("t=1", ND_EUNKNOWN, "t", "did you mean \"to\"?");
}

static void
one_field_twice_is_refused(void **state)
{
	(void)state;
	is_refused("text=a&text=b", ND_ESYNTAX, "text", "");
}

static void
bad_escapes_are_refused(void **state)
{
	static const char *const bad[] = { "text=%", "text=%4", "text=%zz", "text=a%00b", "te%00xt=a" };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(turn_octets(bad[i], strlen(bad[i])), ND_ESYNTAX);
}

static void
a_text_of_strange_octets_is_kept_and_a_name_is_not(void **state)
{
	(void)state;
	turns_into("text=a%ffb", "{\"text\":\"a\xef\xbf\xbd"
				 "b\"}");
	is_refused("subject=a%ffb", ND_EINVALID, "subject", "");
	is_refused("%ff=b", ND_ESYNTAX, "", "");
}

static void
a_nul_in_a_plain_text_becomes_a_replacement(void **state)
{
	struct form form;

	(void)state;
	form_init(&form);
	nd_buf_clear(&json);
	assert_int_equal(form_add(&form, "text", "\0a\0", 3, &why), ND_OK);
	assert_int_equal(form_object(&form, form_job_fields, &json, &why), ND_OK);
	assert_string_equal(nd_buf_text(&json), "{\"text\":\"\xef\xbf\xbd"
						"a\xef\xbf\xbd\"}");
	form_done(&form);
}

static void
line_breaks_between_addresses_are_refused(void **state)
{
	(void)state;
	is_refused("to=a@b.c%0D%0A,d@e.f", ND_EINVALID, "to", "");
}

static void
too_many_fields_are_refused(void **state)
{
	struct nd_buf many;

	(void)state;
	nd_buf_init(&many, 1u << 20);
	for (unsigned i = 0; i < FORM_MAX_PAIRS; i++)
		assert_true(nd_buf_addf(&many, "%slabel.n%u=v", i > 0 ? "&" : "", i));
	assert_int_equal(turn_octets(nd_buf_text(&many), many.len), ND_OK);
	assert_true(nd_buf_adds(&many, "&text=x"));
	assert_int_equal(turn_octets(nd_buf_text(&many), many.len), ND_ETOOBIG);
	nd_buf_done(&many);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields_go_by_name_and_escapes_are_undone),
		cmocka_unit_test(recipients_repeat_and_may_be_lists),
		cmocka_unit_test(labels_and_headers_are_gathered),
		cmocka_unit_test(an_empty_value_counts_as_not_given),
		cmocka_unit_test(sensitive_is_a_truth),
		cmocka_unit_test(an_unknown_field_is_told_the_nearest),
		cmocka_unit_test(one_field_twice_is_refused),
		cmocka_unit_test(bad_escapes_are_refused),
		cmocka_unit_test(a_text_of_strange_octets_is_kept_and_a_name_is_not),
		cmocka_unit_test(a_nul_in_a_plain_text_becomes_a_replacement),
		cmocka_unit_test(line_breaks_between_addresses_are_refused),
		cmocka_unit_test(too_many_fields_are_refused),
	};
	int failed = cmocka_run_group_tests_name("form", tests, NULL, NULL);

	nd_buf_done(&json);
	return failed;
}
