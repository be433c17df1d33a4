/* SPDX-License-Identifier: Apache-2.0 */
/* deposit.h - writes files of the configuration: secrets where the daemon reads them, drop-ins.  Layer: client. */
#ifndef ND_CLIENT_DEPOSIT_H
#define ND_CLIENT_DEPOSIT_H

#include "common/err.h"
#include "common/mem.h"

#include <stdbool.h>
#include <sys/types.h>

#define DEPOSIT_CREDENTIALS ND_SYSCONFDIR "/notifyd/credentials"
#define DEPOSIT_PATH 4096

/* Beside its place, synced, then renamed: the old octets or the new ones. An existing file keeps its owner. */
enum nd_err deposit_write(
    const char *path, const void *octets, size_t len, mode_t mode, struct nd_why *why) ND_MUST_CHECK;
/* The folder that `path` is in: a rename in it is on disk after this. */
enum nd_err deposit_sync(const char *path, struct nd_why *why) ND_MUST_CHECK;
/* Sealed: encrypted to this machine by systemd-creds, in FOLDER.encrypted. One that is sealed stays so whatever the wish. */
enum deposit_seal {
	DEPOSIT_PLAIN,
	DEPOSIT_WHERE_IT_WORKS, /* else as it is, and `remark` tells why */
	DEPOSIT_SEALED
};
struct deposit_done {
	char path[DEPOSIT_PATH]; /* where it went */
	bool sealed;
	char remark[200]; /* why not, where it was to be where that works */
};
#define DEPOSIT_WRITER ((uid_t)-1)
struct deposit_place {
	const char *folder, *reference; /* credential:NAME, below the folder, or file:/path */
	enum deposit_seal seal;
	uid_t reader; /* whose a new file is to be; DEPOSIT_WRITER: who runs this */
};
/* A secret in its place. ND_ESTATE: nothing can be written there (command:, env:). */
enum nd_err deposit_secret(const struct deposit_place *place, const struct nd_secret *secret, struct deposit_done *done,
    struct nd_why *why) ND_MUST_CHECK;

#endif
