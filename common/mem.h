/* SPDX-License-Identifier: Apache-2.0 */
/* mem.h - memory that cannot be had, and secrets.  Layer: common, base.
 *
 * nd_x*: for needs of a size that no peer decides; they abort when memory is gone (the queue is durable and
 * systemd restarts us). What a peer can size goes through nd_buf or checks NULL itself.
 */
#ifndef ND_COMMON_MEM_H
#define ND_COMMON_MEM_H

#include <stddef.h>

void *nd_xalloc(size_t size);              /* zeroed; never NULL; free() it */
void *nd_xrealloc(void *old, size_t size); /* not zeroed */
char *nd_xstrdup(const char *text);        /* NULL stays NULL */
char *nd_xstrndup(const char *text, size_t len);

/* Octets that must not be seen: wiped when replaced or done, never printed. Zeroed struct = none. */
struct nd_secret {
	char *octets; /* owned, NUL after the end for convenience */
	size_t len;
};

void nd_secret_set(struct nd_secret *secret, const char *octets, size_t len); /* copies; wipes the old one */
void nd_secret_done(struct nd_secret *secret);
/* Wipes and frees `octets` of `len`; NULL is fine. */
void nd_wipe_free(void *octets, size_t len);

#endif
