/* SPDX-License-Identifier: Apache-2.0 */
/* secret.c - reads a secret by its reference.  Layer: io.
 *
 * What is opened is what is checked (fstat of the descriptor). Paths and names may be told; the octets never.
 */
#include "daemon/io/secret.h"

#include "common/str.h"
#include "daemon/io/child.h"
#include "daemon/io/filer.h"
#include "daemon/io/keyring.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECRET_MAX 65536u
/* A file of root's that is closed to others is closed to the daemon as well, when it runs as its own user. */
#define GIVE "give it to the user of notifyd alone: chown notifyd FILE; chmod 600 FILE"
#define CREDENTIALS ND_SYSCONFDIR "/notifyd/credentials"

static enum nd_err
fail(struct nd_why *why, int sys_errno, const char *reference, const char *problem, const char *hint)
{
	(void)nd_fail(why, ND_ESECRET, sys_errno, "reading the secret \"%.160s\": %s", reference, problem);
	(void)nd_fail_at(why, NULL, 0, hint);
	return ND_ESECRET;
}

/* Keeps what was read, without the newline that editors and echo leave at the end. */
static enum nd_err
keep(const char *reference, const char *octets, size_t len, struct nd_secret *out, struct nd_why *why)
{
	if (len > 0 && octets[len - 1] == '\n') {
		len--;
		if (len > 0 && octets[len - 1] == '\r')
			len--;
	}
	if (len == 0)
		return fail(why, 0, reference, "it is empty", "store the secret there, on one line");
	if (len > SECRET_MAX)
		return fail(why, 0, reference, "it is longer than 64 KiB", "store nothing but the secret there");
	if (memchr(octets, '\0', len) != NULL)
		return fail(why, 0, reference, "it holds a NUL octet", "store the secret there as plain text");
	nd_secret_set(out, octets, len);
	return ND_OK;
}

/* Reads to the end or until `room` is full. -1 with errno. */
static ssize_t
read_all(int fd, char *octets, size_t room)
{
	size_t len = 0;

	while (len < room) {
		ssize_t n = read(fd, octets + len, room - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		if (n == 0)
			break;
		len += (size_t)n;
	}
	return (ssize_t)len;
}

/* Whoever may write the file decides what we log in with; whoever may read it can log in as we do. */
static enum nd_err
check_owner(const char *reference, const struct stat *st, struct nd_why *why)
{
	if (st->st_uid != 0 && st->st_uid != geteuid())
		return fail(why, 0, reference, "the file belongs to another user", GIVE);
	if ((st->st_mode & 077) != 0)
		return fail(why, 0, reference, "the file may be read or written by others", GIVE);
	return ND_OK;
}

static enum nd_err
read_fd(int fd, const char *reference, bool check_modes, struct nd_secret *out, struct nd_why *why)
{
	const size_t room = SECRET_MAX + 3; /* CR LF, and one octet that says "too long" */
	enum nd_err err;
	struct stat st;
	char *octets;
	ssize_t len;

	if (fstat(fd, &st) != 0)
		return fail(why, errno, reference, "its file cannot be examined", NULL);
	if (!S_ISREG(st.st_mode))
		return fail(why, 0, reference, "it is not a regular file", "name a file that holds the secret");
	err = check_modes ? check_owner(reference, &st, why) : ND_OK;
	if (err != ND_OK)
		return err;
	octets = nd_xalloc(room);
	len = read_all(fd, octets, room);
	err = len < 0 ? fail(why, errno, reference, "its file cannot be read", NULL)
		      : keep(reference, octets, (size_t)len, out, why);
	nd_wipe_free(octets, room);
	return err;
}

/* O_NONBLOCK: a FIFO must not hold us up before it is refused. */
static int
open_secret(const char *path)
{
	return open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

/* systemd guards its folder: up to version 252 with mode 0400, since then with lists of rights that look like 0440. */
static bool
below_credentials(const char *path)
{
	const char *folder = secure_getenv("CREDENTIALS_DIRECTORY");
	size_t len = folder != NULL && folder[0] == '/' ? strlen(folder) : 0;

	return len > 1 && strncmp(path, folder, len) == 0 && path[len] == '/' && strstr(path, "/../") == NULL;
}

static const char *
file_hint(int error)
{
	return error == ENOENT   ? "put the file there, or mend the path"
	       : error == EACCES ? "the user of notifyd must be able to read it"
				 : "name a file that holds it and nothing else";
}

enum nd_err
secret_file(const char *setting, const char *path, char **octets, size_t *len, struct nd_why *why)
{
	struct nd_why cause = { 0 };
	enum nd_err err = filer_read(path, SECRET_MAX, octets, len, &cause);

	if (err == ND_OK)
		return ND_OK;
	(void)nd_fail(why, ND_ESECRET, cause.sys_errno, "reading the %s \"%.160s\": %s", setting, path,
	    err == ND_ETOOBIG ? "it is longer than 64 KiB" : "it cannot be read");
	return nd_fail_at(why, setting, 0, file_hint(cause.sys_errno));
}

static enum nd_err
read_path(const char *path, const char *reference, struct nd_secret *out, struct nd_why *why)
{
	enum nd_err err;
	int fd = open_secret(path);

	if (fd < 0)
		return fail(why, errno, reference, "its file cannot be opened",
		    errno == EACCES ? "the user of notifyd must be able to read it: see credential: in notifyd.conf(5)"
				    : "create the file, mode 0600, or mend the name");
	err = read_fd(fd, reference, !below_credentials(path), out, why);
	(void)close(fd);
	return err;
}

/* The names LoadCredential= gives: its own, and those of the two folders of notifyd.service. */
static enum nd_err
open_loaded(
    const char *folder, const char *name, const char *reference, char path[PATH_MAX], int *out, struct nd_why *why)
{
	static const char *const prefixes[] = { "", "cred_", "crede_" };

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
		int len = snprintf(path, PATH_MAX, "%s/%s%s", folder, prefixes[i], name);

		if (len < 0 || len >= PATH_MAX)
			return fail(why, 0, reference, "the name is too long", NULL);
		*out = open_secret(path);
		if (*out >= 0)
			return ND_OK;
		if (errno != ENOENT)
			return fail(why, errno, reference, "its file cannot be opened", NULL);
	}
	(void)fail(why, 0, reference, "systemd passed no credential of this name",
	    "put the secret into " CREDENTIALS ", then restart notifyd (credentials are loaded at its start)");
	if (why != NULL)
		why->sys_errno = ENOENT;
	return ND_ESECRET;
}

static enum nd_err
read_loaded(const char *folder, const char *name, const char *reference, struct nd_secret *out, struct nd_why *why)
{
	char path[PATH_MAX];
	enum nd_err err;
	int fd;

	err = open_loaded(folder, name, reference, path, &fd, why);
	if (err != ND_OK)
		return err;
	err = read_fd(fd, reference, false, out, why);
	(void)close(fd);
	return err;
}

static bool
credential_name_ok(const char *name)
{
	return name[0] != '\0' && strchr(name, '/') == NULL && strcmp(name, ".") != 0 && strcmp(name, "..") != 0 &&
	       strlen(name) <= NAME_MAX;
}

static enum nd_err
read_credential(const char *name, const char *reference, struct nd_secret *out, struct nd_why *why)
{
	const char *folder = secure_getenv("CREDENTIALS_DIRECTORY");
	char path[PATH_MAX];
	enum nd_err err;

	if (!credential_name_ok(name))
		return fail(
		    why, 0, reference, "this is no name of a credential", "write credential:NAME, without a path");
	if (folder != NULL && folder[0] == '/')
		return read_loaded(folder, name, reference, out, why);
	(void)snprintf(path, sizeof(path), "%s/%s", CREDENTIALS, name);
	err = read_path(path, reference, out, why);
	/* Who may not look into the folder has no secrets there; a secret that is there and shut is another matter. */
	if (err != ND_OK && why != NULL && why->sys_errno == EACCES && access(CREDENTIALS, X_OK) != 0)
		why->sys_errno = ENOENT;
	return err;
}

static enum nd_err
read_file(const char *path, const char *reference, struct nd_secret *out, struct nd_why *why)
{
	if (path[0] != '/')
		return fail(why, 0, reference, "the path does not begin with /", "give the whole path: file:/etc/…");
	return read_path(path, reference, out, why);
}

static enum nd_err
read_env(const char *name, const char *reference, struct nd_secret *out, struct nd_why *why)
{
	const char *value = secure_getenv(name);

	if (value == NULL)
		return fail(
		    why, 0, reference, "the environment has no such variable", "set it, or use credential:NAME");
	return keep(reference, value, strlen(value), out, why);
}

static enum nd_err
read_command(const char *command, const char *reference, struct nd_secret *out, struct nd_why *why)
{
	const size_t room = SECRET_MAX + 2;
	char *octets = nd_xalloc(room), name[170];
	size_t len;
	enum nd_err err = child_run(command, octets, room, &len, why);

	/* its arguments may hold a secret: they are not repeated */
	(void)snprintf(name, sizeof(name), "%.*s", (int)(strcspn(command, " \t") + strlen("command:")), reference);
	if (err == ND_OK)
		err = keep(name, octets, len, out, why);
	nd_wipe_free(octets, room);
	return err;
}

static enum nd_err
read_keyring(const char *name, const char *reference, struct nd_secret *out, struct nd_why *why)
{
	const size_t room = SECRET_MAX + 3; /* as of a file */
	char *octets = nd_xalloc(room);
	size_t len;
	enum nd_err err = keyring_read(name, octets, room, &len, why);

	if (err == ND_OK)
		err = keep(reference, octets, len, out, why);
	nd_wipe_free(octets, room);
	return err;
}

struct kind {
	const char *prefix;
	enum nd_err (*read)(const char *rest, const char *reference, struct nd_secret *out, struct nd_why *why);
};

/* clang-format off */
static const struct kind kinds[] = {
	{ "credential:", read_credential },
	{ "file:",       read_file },
	{ "env:",        read_env },
	{ "command:",    read_command },
	{ "keyring:",    read_keyring },
};
/* clang-format on */

enum nd_err
secret_read(const char *reference, struct nd_secret *out, struct nd_why *why)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		size_t len = strlen(kinds[i].prefix);

		if (strncmp(reference, kinds[i].prefix, len) == 0)
			return kinds[i].read(reference + len, reference, out, why);
	}
	/* It may be the secret itself, written where its reference belongs. */
	return fail(why, 0, "…", "it is not a reference", "write credential:NAME, file:/path or env:NAME");
}

bool
secret_path(const char *reference, char *path, size_t size)
{
	const char *folder = secure_getenv("CREDENTIALS_DIRECTORY");
	int len = 0;

	if (strncmp(reference, "file:/", 6) == 0)
		len = snprintf(path, size, "%s", reference + 5);
	else if (strncmp(reference, "credential:", 11) == 0 && credential_name_ok(reference + 11) &&
		 (folder == NULL || folder[0] != '/'))
		len = snprintf(path, size, "%s/%s", CREDENTIALS, reference + 11);
	return len > 0 && (size_t)len < size;
}

/* -- where it comes from -- */

static bool
is_loaded(const char *reference, const char **folder)
{
	*folder = secure_getenv("CREDENTIALS_DIRECTORY");
	return strncmp(reference, "credential:", 11) == 0 && credential_name_ok(reference + 11) && *folder != NULL &&
	       *folder[0] == '/';
}

bool
secret_loaded(const char *reference)
{
	const char *folder;

	return is_loaded(reference, &folder);
}

static enum nd_err
look_at_command(const char *command, struct nd_why *why)
{
	char program[PATH_MAX];

	(void)snprintf(program, sizeof(program), "%.*s", (int)strcspn(command, " \t"), command);
	if (access(program, X_OK) == 0)
		return ND_OK;
	return fail(why, errno, program, "the command cannot be run", "name an executable program by its whole path");
}

enum nd_err
secret_look(const char *reference, struct secret_place *out, struct nd_why *why)
{
	struct nd_secret secret = { 0 };
	const char *folder;
	struct stat st;
	enum nd_err err;
	int fd = -1;

	*out = (struct secret_place){ .path = "" };
	if (strncmp(reference, "command:", 8) == 0)
		return look_at_command(reference + 8, why);
	err = secret_read(reference, &secret, why);
	nd_secret_done(&secret);
	if (err != ND_OK)
		return err;
	out->loaded = is_loaded(reference, &folder);
	if (out->loaded) {
		if (open_loaded(folder, reference + 11, reference, out->path, &fd, why) == ND_OK)
			(void)close(fd);
	} else if (secret_path(reference, out->path, sizeof(out->path))) {
		out->loaded = below_credentials(out->path);
	} else {
		out->path[0] = '\0';
	}
	if (out->path[0] != '\0' && stat(out->path, &st) == 0)
		out->mode = st.st_mode & 07777;
	return ND_OK;
}
