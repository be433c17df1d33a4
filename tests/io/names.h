/* SPDX-License-Identifier: Apache-2.0 */
/* names.h - names for tests: two.test has two addresses, moves.test one that changes; all others are unknown. Include cmocka.h first. */
#ifndef ND_TESTS_IO_NAMES_H
#define ND_TESTS_IO_NAMES_H

#include <dlfcn.h>
#include <netdb.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

typedef int real_getaddrinfo(const char *, const char *, const struct addrinfo *, struct addrinfo **);

static atomic_bool moved; /* moves.test is at 127.0.0.2 by now */

int
getaddrinfo(const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **out)
{
	void *found = dlsym(RTLD_NEXT, "getaddrinfo");
	real_getaddrinfo *real;
	struct addrinfo numeric = { .ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM };

	memcpy(&real, &found, sizeof(real));
	if (hints->ai_flags & AI_NUMERICHOST)
		return real(host, service, hints, out);
	if (strcmp(host, "moves.test") == 0)
		return real(atomic_load(&moved) ? "127.0.0.2" : "127.0.0.1", NULL, &numeric, out);
	if (strcmp(host, "two.test") != 0)
		return EAI_NONAME;
	if (real("127.0.0.2", NULL, &numeric, out) != 0)
		return EAI_FAIL;
	return real("127.0.0.1", NULL, &numeric, &(*out)->ai_next);
}

#endif
