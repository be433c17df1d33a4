/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz.h - what every fuzz program begins with. */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *octets, size_t len);

/* Not assert(): it must hold in every build. */
static inline void
must(bool claim)
{
	if (!claim)
		abort();
}

#endif
