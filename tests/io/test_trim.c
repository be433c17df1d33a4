/* SPDX-License-Identifier: Apache-2.0 */
/* test_trim.c - tests of giving memory back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/io/tls.h"
#include "daemon/io/trim.h"

#include <stdio.h>
#include <string.h>

static long
resident(void)
{
	FILE *file = fopen("/proc/self/statm", "re");
	long size, pages;

	assert_non_null(file);
	assert_int_equal(fscanf(file, "%ld %ld", &size, &pages), 2);
	(void)fclose(file);
	return pages;
}

static void
code_leaves_memory_and_is_there_when_it_is_called_again(void **state)
{
	uint8_t before[32], after[32];
	long with, without;

	(void)state;
	tls_sha256("abc", 3, before);
	(void)resident();
	with = resident();
	trim_heap();
	trim_code();
	without = resident();
	assert_true(without < with);
	tls_sha256("abc", 3, after);
	assert_memory_equal(before, after, sizeof(after));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(code_leaves_memory_and_is_there_when_it_is_called_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
