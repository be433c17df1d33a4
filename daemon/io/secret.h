/* SPDX-License-Identifier: Apache-2.0 */
/* secret.h - reads a secret by its reference.  Layer: io.
 *
 * credential:NAME  $CREDENTIALS_DIRECTORY/NAME, …/cred_NAME, …/crede_NAME (modes not checked there); without the variable /etc/notifyd/credentials/NAME
 * file:/path       regular, absolute, not readable or writable by group and others
 * command:/path …  what the program prints (io/child.h): up to 10 s, so not on the loop's thread
 * env:NAME
 * keyring:NAME     a key of the kernel (io/keyring.h)
 * why->sys_errno is ENOENT when there is no such secret, or its folder is shut. One newline at the end is taken off. Empty, with NUL or over 64 KiB: refused. The text of a failure never holds the secret.
 */
#ifndef ND_IO_SECRET_H
#define ND_IO_SECRET_H

#include "common/err.h"
#include "common/mem.h"

#include <stdbool.h>
#include <stddef.h>

enum nd_err secret_read(const char *reference, struct nd_secret *out, struct nd_why *why) ND_MUST_CHECK;
/* A file that proves an account and is no secret by itself, named by its setting: a certificate, an assertion. The octets are the caller's, to be wiped;
 * NUL after the end. */
enum nd_err secret_file(
    const char *setting, const char *path, char **octets, size_t *len, struct nd_why *why) ND_MUST_CHECK;
/* Where a secret comes from, looked at as secret_read would; a command is not run. path "": no file. */
struct secret_place {
	char path[4096];
	unsigned mode;
	bool loaded; /* systemd made the file at the start */
};
enum nd_err secret_look(const char *reference, struct secret_place *out, struct nd_why *why) ND_MUST_CHECK;
/* The file that a reference reads anew each time, when it has one: false for env:, command: and the credentials systemd copied at the start. */
bool secret_path(const char *reference, char *path, size_t size);
/* It is a credential that the service manager loads: sealed files are opened by it. */
bool secret_loaded(const char *reference);

#endif
