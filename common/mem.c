/* SPDX-License-Identifier: Apache-2.0 */
/* mem.c - memory that cannot be had, and secrets.  Layer: common, base. */
#include "common/mem.h"

#include <stdlib.h>
#include <string.h>

#define SMALL 1024u

/* glibc's calloc (before 2.41) passes over the thread's own cache of small blocks, which malloc takes from and free fills. */
void *
nd_xalloc(size_t size)
{
	void *octets = size <= SMALL ? malloc(size > 0 ? size : 1) : calloc(1, size);

	if (octets == NULL)
		abort();
	return size <= SMALL ? memset(octets, 0, size) : octets;
}

void *
nd_xrealloc(void *old, size_t size)
{
	void *octets = realloc(old, size > 0 ? size : 1);

	if (octets == NULL)
		abort();
	return octets;
}

char *
nd_xstrdup(const char *text)
{
	return text != NULL ? nd_xstrndup(text, strlen(text)) : NULL;
}

char *
nd_xstrndup(const char *text, size_t len)
{
	char *copy = nd_xrealloc(NULL, len + 1);

	if (len > 0)
		memcpy(copy, text, len);
	copy[len] = '\0';
	return copy;
}

void
nd_secret_set(struct nd_secret *secret, const char *octets, size_t len)
{
	/* Copied first: the new one may be a part of the old one. */
	char *copy = octets != NULL ? nd_xstrndup(octets, len) : NULL;

	nd_wipe_free(secret->octets, secret->len);
	secret->octets = copy;
	secret->len = copy != NULL ? len : 0;
}

void
nd_secret_done(struct nd_secret *secret)
{
	if (secret == NULL)
		return;
	nd_wipe_free(secret->octets, secret->len);
	secret->octets = NULL;
	secret->len = 0;
}

void
nd_wipe_free(void *octets, size_t len)
{
	if (octets == NULL)
		return;
	explicit_bzero(octets, len);
	free(octets);
}
