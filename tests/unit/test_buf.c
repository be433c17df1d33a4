/* SPDX-License-Identifier: Apache-2.0 */
/* test_buf.c - a byte buffer with a limit from birth. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/buf.h"

#include <stdlib.h>
#include <string.h>

static void
octets_come_out_as_they_went_in(void **state)
{
	struct nd_buf buf;

	(void)state;
	nd_buf_init(&buf, 100000);
	assert_string_equal(nd_buf_text(&buf), "");
	for (int i = 0; i < 10000; i++)
		assert_true(nd_buf_addf(&buf, "%04d,", i));
	assert_int_equal(buf.len, 50000);
	assert_memory_equal(buf.octets, "0000,0001,", 10);
	assert_string_equal(buf.octets + 49990, "9998,9999,");
	nd_buf_done(&buf);
	assert_int_equal(buf.limit, 100000);
	assert_null(buf.octets);
}

static void
numbers_are_written_as_digits(void **state)
{
	struct nd_buf buf;

	(void)state;
	nd_buf_init(&buf, 100);
	assert_true(nd_buf_addi(&buf, 0) && nd_buf_addc(&buf, ' '));
	assert_true(nd_buf_addi(&buf, 2048) && nd_buf_addc(&buf, ' '));
	assert_true(nd_buf_addi(&buf, INT64_MAX) && nd_buf_addi(&buf, INT64_MIN));
	assert_string_equal(nd_buf_text(&buf), "0 2048 9223372036854775807-9223372036854775808");
	nd_buf_done(&buf);
}

static void
a_nul_follows_the_octets(void **state)
{
	struct nd_buf buf;

	(void)state;
	nd_buf_init(&buf, 1000);
	assert_true(nd_buf_add(&buf, "a\0b", 3));
	assert_true(nd_buf_addc(&buf, 'c'));
	assert_int_equal(buf.len, 4);
	assert_memory_equal(buf.octets, "a\0bc\0", 5);
	nd_buf_clear(&buf);
	assert_string_equal(nd_buf_text(&buf), "");
	nd_buf_done(&buf);
}

static void
the_limit_is_reached_and_not_passed(void **state)
{
	struct nd_buf buf;

	(void)state;
	nd_buf_init(&buf, 10);
	assert_true(nd_buf_adds(&buf, "0123456789"));
	assert_true(nd_buf_adds(&buf, ""));
	assert_false(nd_buf_addc(&buf, 'x'));
	assert_true(buf.failed);
	assert_string_equal(nd_buf_text(&buf), "0123456789");
	nd_buf_done(&buf);
}

static void
after_a_failure_everything_is_refused_until_it_is_cleared(void **state)
{
	struct nd_buf buf;

	(void)state;
	nd_buf_init(&buf, 4);
	assert_true(nd_buf_adds(&buf, "ab"));
	assert_false(nd_buf_addf(&buf, "%s", "cde"));
	assert_false(nd_buf_addc(&buf, 'c'));
	assert_null(nd_buf_reserve(&buf, 1));
	assert_string_equal(nd_buf_text(&buf), "ab");
	nd_buf_clear(&buf);
	assert_false(buf.failed);
	assert_true(nd_buf_adds(&buf, "wxyz"));
	nd_buf_done(&buf);
}

static void
a_zeroed_buffer_holds_nothing(void **state)
{
	struct nd_buf buf = { .octets = NULL };

	(void)state;
	assert_false(nd_buf_addc(&buf, 'x'));
	nd_buf_done(&buf);
	nd_buf_wipe(&buf);
	nd_buf_done(NULL);
}

static void
an_endless_length_is_refused(void **state)
{
	struct nd_buf buf;

	(void)state;
	nd_buf_init(&buf, SIZE_MAX);
	assert_true(nd_buf_addc(&buf, 'x'));
	assert_null(nd_buf_reserve(&buf, SIZE_MAX));
	assert_true(buf.failed);
	nd_buf_done(&buf);
}

static void
reserved_room_is_used_in_place(void **state)
{
	struct nd_buf buf;
	char *place;

	(void)state;
	nd_buf_init(&buf, 1000);
	(void)nd_buf_adds(&buf, "ab");
	place = nd_buf_reserve(&buf, 500);
	assert_non_null(place);
	assert_int_equal(buf.len, 2);
	memset(place, 'c', 500);
	nd_buf_grown(&buf, 500);
	assert_int_equal(buf.len, 502);
	assert_int_equal(strlen(buf.octets), 502);
	nd_buf_done(&buf);
}

static void
the_beginning_can_be_dropped(void **state)
{
	struct nd_buf buf;

	(void)state;
	nd_buf_init(&buf, 100);
	nd_buf_drop(&buf, 5);
	(void)nd_buf_adds(&buf, "hello world");
	nd_buf_drop(&buf, 6);
	assert_string_equal(nd_buf_text(&buf), "world");
	nd_buf_drop(&buf, 100);
	assert_int_equal(buf.len, 0);
	assert_string_equal(nd_buf_text(&buf), "");
	nd_buf_done(&buf);
}

static void
the_octets_can_be_taken(void **state)
{
	struct nd_buf buf;
	size_t len = 7;
	char *octets;

	(void)state;
	nd_buf_init(&buf, 100);
	assert_null(nd_buf_take(&buf, &len));
	assert_int_equal(len, 0);
	(void)nd_buf_adds(&buf, "mine");
	octets = nd_buf_take(&buf, &len);
	assert_string_equal(octets, "mine");
	assert_int_equal(len, 4);
	assert_int_equal(buf.len, 0);
	assert_true(nd_buf_adds(&buf, "next"));
	assert_string_equal(octets, "mine");
	free(octets);
	nd_buf_done(&buf);
}

static bool
gather(void *arg, const char *octets, size_t len)
{
	return nd_buf_add(arg, octets, len);
}

static void
a_sink_gets_all_but_what_is_still_needed(void **state)
{
	struct nd_buf all, buf;

	(void)state;
	nd_buf_init(&all, 200000);
	nd_buf_init_sink(&buf, 100000, gather, &all);
	for (int i = 0; i < 150000; i++) {
		assert_true(nd_buf_addc(&buf, (char)('a' + i % 26)));
		nd_buf_pass(&buf, 10);
		assert_true(buf.len + all.len == (size_t)i + 1 && (all.len == 0 || buf.len >= 10));
	}
	assert_true(all.len >= 65536);
	assert_true(nd_buf_flush(&buf));
	assert_int_equal(all.len, 150000);
	assert_int_equal(all.octets[149999], 'a' + 149999 % 26);
	nd_buf_done(&buf);
	nd_buf_done(&all);
}

static void
a_sink_that_refuses_fails_the_buffer(void **state)
{
	struct nd_buf all, buf;

	(void)state;
	nd_buf_init(&all, 10);
	nd_buf_init_sink(&buf, 100, gather, &all);
	assert_true(nd_buf_adds(&buf, "more than ten"));
	assert_false(nd_buf_flush(&buf));
	assert_false(nd_buf_addc(&buf, 'x'));
	nd_buf_done(&buf);
	nd_buf_done(&all);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(octets_come_out_as_they_went_in),
		cmocka_unit_test(numbers_are_written_as_digits),
		cmocka_unit_test(a_nul_follows_the_octets),
		cmocka_unit_test(the_limit_is_reached_and_not_passed),
		cmocka_unit_test(after_a_failure_everything_is_refused_until_it_is_cleared),
		cmocka_unit_test(a_zeroed_buffer_holds_nothing),
		cmocka_unit_test(an_endless_length_is_refused),
		cmocka_unit_test(reserved_room_is_used_in_place),
		cmocka_unit_test(the_beginning_can_be_dropped),
		cmocka_unit_test(the_octets_can_be_taken),
		cmocka_unit_test(a_sink_gets_all_but_what_is_still_needed),
		cmocka_unit_test(a_sink_that_refuses_fails_the_buffer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
