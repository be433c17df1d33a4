/* SPDX-License-Identifier: Apache-2.0 */
/* keyring.c - a secret that the kernel keeps.  Layer: io.  Knows keyctl(2).
 *
 * By the system call itself: three operations need no library.
 */
#include "daemon/io/keyring.h"

#include <errno.h>
#include <linux/keyctl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#define HINT_SIZE 240

static const int32_t rings[] = { KEY_SPEC_SESSION_KEYRING, KEY_SPEC_USER_SESSION_KEYRING, KEY_SPEC_USER_KEYRING };

/* clang-format off */
static const struct {
	int sys_errno;
	bool add; /* it helps to add the key anew */
	const char *problem, *hint;
} faults[] = {
	{ ENOKEY, true, "neither the session nor the user keyring has a key of type user with this description",
	  "keys of other users and sessions are not looked at (KeyringMode=)" },
	{ EKEYEXPIRED, true, "the key has expired", "" },
	{ EKEYREVOKED, true, "the key was revoked", "" },
	{ EACCES, true, "the key is there, but must not be read", "its possessor needs the right to search" },
	{ EPERM, false, "reading keys is forbidden here", "the unit's SystemCallFilter= must have @keyring, a container's seccomp profile keyctl" },
	{ ENOSYS, false, "this kernel has no keyrings", "use credential:NAME" },
	{ EDQUOT, false, "the user has no more room for keys", "raise kernel.keys.maxkeys and kernel.keys.maxbytes, or take keys out" },
};
/* clang-format on */

static enum nd_err
fail(const char *description, int sys_errno, struct nd_why *why)
{
	char hint[HINT_SIZE] = "";
	size_t len = 0;

	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		if (faults[i].sys_errno != sys_errno)
			continue;
		(void)nd_fail(
		    why, ND_ESECRET, 0, "reading the secret \"keyring:%.160s\": %s", description, faults[i].problem);
		if (faults[i].add)
			len = (size_t)snprintf(hint, sizeof(hint),
			    "sudo -u notifyd keyctl padd user '%.100s' @u < FILE%s", description,
			    faults[i].hint[0] != '\0' ? "; " : "");
		(void)snprintf(hint + len, sizeof(hint) - len, "%s", faults[i].hint);
		(void)nd_fail_at(why, NULL, 0, hint);
		if (why != NULL && sys_errno == ENOKEY)
			why->sys_errno = ENOENT;
		return ND_ESECRET;
	}
	return nd_fail(
	    why, ND_ESECRET, sys_errno, "reading the secret \"keyring:%.160s\": it cannot be had", description);
}

/* Found there and linked to the keyring of this thread: a key of @u that the session keyring does not lead to could be found, but not read. */
static long
find(int32_t ring, const char *description)
{
	long key = syscall(SYS_keyctl, KEYCTL_SEARCH, ring, "user", description, KEY_SPEC_THREAD_KEYRING);

	if (key < 0 && errno == EACCES) /* it may not be linked: then it must do as it is */
		key = syscall(SYS_keyctl, KEYCTL_SEARCH, ring, "user", description, 0);
	return key;
}

enum nd_err
keyring_read(const char *description, char *octets, size_t room, size_t *len, struct nd_why *why)
{
	long key = -1, got;
	int worst = ENOKEY, sys_errno;

	for (size_t i = 0; key < 0 && i < sizeof(rings) / sizeof(rings[0]); i++) {
		key = find(rings[i], description);
		if (key < 0 && errno != ENOKEY && worst == ENOKEY)
			worst = errno;
	}
	if (key < 0)
		return fail(description, worst, why);
	got = syscall(SYS_keyctl, KEYCTL_READ, (int32_t)key, octets, room);
	sys_errno = errno;
	(void)syscall(SYS_keyctl, KEYCTL_UNLINK, (int32_t)key, KEY_SPEC_THREAD_KEYRING);
	if (got < 0)
		return fail(description, sys_errno, why);
	*len = (size_t)got < room ? (size_t)got : room;
	return ND_OK;
}
