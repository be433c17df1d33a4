/* SPDX-License-Identifier: Apache-2.0 */
/* ahead.h - a clock that the test can set ahead, for what happens after a minute. Include it in the test program's own file only. */
#ifndef ND_TESTS_IO_AHEAD_H
#define ND_TESTS_IO_AHEAD_H

#include <stdatomic.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static _Atomic time_t ahead; /* s */

/* Takes the place of the library's. */
int
clock_gettime(clockid_t id, struct timespec *now)
{
	int rc = (int)syscall(SYS_clock_gettime, id, now);

	if (rc == 0 && id == CLOCK_BOOTTIME)
		now->tv_sec += atomic_load(&ahead);
	return rc;
}

#endif
