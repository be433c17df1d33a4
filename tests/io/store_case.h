/* SPDX-License-Identifier: Apache-2.0 */
/* store_case.h - each test of a program has a store of its own: `kit`. */
#ifndef ND_TESTS_IO_STORE_CASE_H
#define ND_TESTS_IO_STORE_CASE_H

#include "tests/io/store_kit.h"

static struct kit kit;

static int
set_up(void **state)
{
	(void)state;
	kit_open(&kit);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	kit_close(&kit);
	return 0;
}

#endif
