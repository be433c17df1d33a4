/* SPDX-License-Identifier: Apache-2.0 */
/* keyring.h - a secret that the kernel keeps: keyrings(7).  Layer: io.  Knows keyctl(2).
 *
 * A key of type "user", looked for by its description in the session, the user-session and the user keyring, in this order.
 */
#ifndef ND_IO_KEYRING_H
#define ND_IO_KEYRING_H

#include "common/err.h"

#include <stddef.h>

/* Up to `room` octets of it; *len is `room` when there are more. why->sys_errno is ENOENT when there is no such key. Does not wait. ND_ESECRET. */
enum nd_err keyring_read(
    const char *description, char *octets, size_t room, size_t *len, struct nd_why *why) ND_MUST_CHECK;

#endif
