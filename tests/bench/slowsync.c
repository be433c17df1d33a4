/* SPDX-License-Identifier: Apache-2.0 */
/* slowsync.c - a slow disk: with LD_PRELOAD each fsync, fdatasync and msync takes $SLOWSYNC_MS (5) longer.
 *
 * What the disk of a real machine costs: the virtual disks of test machines often answer a sync out of a cache.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static void
wait_first(void)
{
	static long ms = -1;
	struct timespec left;

	if (ms < 0) {
		const char *text = getenv("SLOWSYNC_MS");

		ms = text ? strtol(text, NULL, 10) : 5;
	}
	left = (struct timespec){ .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };
	while (nanosleep(&left, &left) != 0 && errno == EINTR)
		;
}

#define SLOW(name, parameters, ...)                                                                                    \
	int name parameters                                                                                            \
	{                                                                                                              \
		static int(*real) parameters;                                                                          \
                                                                                                                       \
		if (!real)                                                                                             \
			*(void **)(&real) = dlsym(RTLD_NEXT, #name);                                                   \
		wait_first();                                                                                          \
		return real(__VA_ARGS__);                                                                              \
	}

SLOW(fsync, (int fd), fd)
SLOW(fdatasync, (int fd), fd)
SLOW(msync, (void *at, size_t len, int flags), at, len, flags)
