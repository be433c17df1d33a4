/* SPDX-License-Identifier: Apache-2.0 */
/* deposit.c - writes files of the configuration: secrets where the daemon reads them, drop-ins.  Layer: client. */
#include "client/deposit.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define NEW_PATH (DEPOSIT_PATH + 8)
#define PIPE_OCTETS 65536u /* what a pipe holds, pipe(7) */

static int
write_all(int fd, const char *octets, size_t len)
{
	ssize_t n;

	for (; len > 0; octets += n, len -= (size_t)n) {
		n = write(fd, octets, len);
		if (n < 0 && errno == EINTR)
			n = 0;
		else if (n < 0)
			return -1;
	}
	return 0;
}

enum nd_err
deposit_sync(const char *path, struct nd_why *why)
{
	const char *slash = strrchr(path, '/');
	char folder[DEPOSIT_PATH];
	int fd, failed;

	(void)snprintf(folder, sizeof(folder), "%.*s", slash ? (int)(slash - path) : 1, slash ? path : ".");
	fd = open(folder[0] != '\0' ? folder : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	failed = fd < 0 || fsync(fd) != 0 ? errno : 0;
	if (fd >= 0)
		(void)close(fd);
	return failed == 0 ? ND_OK : nd_fail(why, ND_EDISK, failed, "cannot sync the folder of %.200s", path);
}

/* The owner of what it replaces, else who is to read it. */
static int
own(int fd, const char *path, uid_t reader)
{
	struct stat st;
	gid_t group = (gid_t)-1;

	if (lstat(path, &st) == 0 && S_ISREG(st.st_mode)) {
		reader = st.st_uid;
		group = st.st_gid;
	}
	return reader == DEPOSIT_WRITER || reader == geteuid() ? 0 : fchown(fd, reader, group);
}

struct content {
	const void *octets;
	size_t len;
	mode_t mode;
};

static enum nd_err
write_for(const char *path, const struct content *content, uid_t reader, struct nd_why *why)
{
	char fresh[NEW_PATH];
	int fd, failed;
	bool owned;

	(void)snprintf(fresh, sizeof(fresh), "%s.new", path);
	(void)unlink(fresh); /* of a run that was cut short */
	fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return nd_fail(why, ND_EDISK, errno, "cannot write %.200s", path);
	owned = own(fd, path, reader) == 0;
	failed = !owned || write_all(fd, content->octets, content->len) != 0 || fsync(fd) != 0 ||
			 fchmod(fd, content->mode) != 0
		     ? errno
		     : 0;
	if (close(fd) != 0 && failed == 0)
		failed = errno;
	if (failed == 0 && rename(fresh, path) != 0)
		failed = errno;
	if (failed != 0) {
		(void)unlink(fresh);
		(void)nd_fail(why, ND_EDISK, failed, owned ? "cannot write %.200s" : "cannot give away %.200s", path);
		return owned
			   ? why->err
			   : nd_fail_at(why, "", 0,
				 "notifyd runs as another user, who has to read it: run this as root or as that user");
	}
	return deposit_sync(path, why);
}

enum nd_err
deposit_write(const char *path, const void *octets, size_t len, mode_t mode, struct nd_why *why)
{
	return write_for(path, &(struct content){ octets, len, mode }, DEPOSIT_WRITER, why);
}

static enum nd_err
write_plain(const char *path, const struct nd_secret *secret, uid_t reader, struct nd_why *why)
{
	return write_for(path, &(struct content){ secret->octets, secret->len, 0600 }, reader, why);
}

/* The secret goes to the program by a pipe, never by argv. It fits into the pipe, whose reading end stays open here till then: a
 * program that does not read it does no harm. */
static enum nd_err
feed(pid_t child, const int ends[2], const struct nd_secret *secret, struct nd_why *why)
{
	int sent = secret->len > PIPE_OCTETS ? -1 : write_all(ends[1], secret->octets, secret->len), status;

	(void)close(ends[0]);
	(void)close(ends[1]);
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		continue;
	if (sent == 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return ND_OK;
	(void)nd_fail(why, ND_EDISK, 0, "systemd-creds could not seal the secret");
	return nd_fail_at(why, "", 0, "its reason stands above; without sealing: --no-seal");
}

/* systemd-creds encrypt; the name is part of what is sealed, and the service loads it as crede_NAME. */
static enum nd_err
seal_to(const char *name, const char *path, const struct nd_secret *secret, struct nd_why *why)
{
	char option[300], program[] = "systemd-creds", verb[] = "encrypt", in[] = "-", *out = nd_xstrdup(path);
	char *argv[] = { program, verb, option, in, out, NULL };
	posix_spawn_file_actions_t actions;
	enum nd_err err;
	int ends[2], failed;
	pid_t child;

	(void)snprintf(option, sizeof(option), "--name=crede_%s", name);
	if (pipe2(ends, O_CLOEXEC) != 0) {
		free(out);
		return nd_fail(why, ND_EMEMORY, errno, "no pipe can be made");
	}
	(void)posix_spawn_file_actions_init(&actions);
	(void)posix_spawn_file_actions_adddup2(&actions, ends[0], STDIN_FILENO);
	(void)posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
	failed = posix_spawnp(&child, program, &actions, NULL, argv, environ);
	(void)posix_spawn_file_actions_destroy(&actions);
	if (failed == 0)
		err = feed(child, ends, secret, why);
	else {
		(void)close(ends[0]);
		(void)close(ends[1]);
		err = nd_fail(why, ND_EDISK, failed, "systemd-creds cannot be run");
	}
	free(out);
	return err;
}

static bool
has_octets(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0;
}

static enum nd_err
write_sealed(const char *name, const char *path, const struct nd_secret *secret, struct nd_why *why)
{
	char fresh[NEW_PATH];
	enum nd_err err;

	(void)snprintf(fresh, sizeof(fresh), "%s.new", path);
	(void)unlink(fresh);
	err = seal_to(name, fresh, secret, why);
	if (err == ND_OK && !has_octets(fresh))
		err = nd_fail(why, ND_EDISK, 0, "systemd-creds wrote nothing");
	if (err == ND_OK && (chmod(fresh, 0600) != 0 || rename(fresh, path) != 0))
		err = nd_fail(why, ND_EDISK, errno, "cannot write %.200s", path);
	if (err != ND_OK)
		(void)unlink(fresh);
	else
		err = deposit_sync(path, why);
	return err;
}

/* Where the unit looks for sealed ones. */
static bool
has_place(const char *folder, struct nd_why *why)
{
	char place[DEPOSIT_PATH];
	struct stat st;

	(void)snprintf(place, sizeof(place), "%s.encrypted", folder);
	if (stat(place, &st) == 0 && S_ISDIR(st.st_mode))
		return true;
	(void)nd_fail(why, ND_EDISK, 0, "there is no folder %.100s", place);
	return false;
}

static enum nd_err
write_credential(const struct deposit_place *place, const char *name, const struct nd_secret *secret,
    struct deposit_done *done, struct nd_why *why)
{
	const char *folder = place->folder;
	char plain[DEPOSIT_PATH], sealed[DEPOSIT_PATH];
	bool must;
	enum nd_err err;

	if (name[0] == '\0' || name[0] == '.' || strchr(name, '/') != NULL || strlen(name) > 200)
		return nd_fail(why, ND_EINVALID, 0, "\"%.60s\" cannot be the name of a credential", name);
	(void)snprintf(plain, sizeof(plain), "%s/%s", folder, name);
	(void)snprintf(sealed, sizeof(sealed), "%s.encrypted/%s", folder, name);
	must = place->seal == DEPOSIT_SEALED || access(sealed, F_OK) == 0;
	done->sealed = must || place->seal == DEPOSIT_WHERE_IT_WORKS;
	if (done->sealed) {
		err = must || has_place(folder, why) ? write_sealed(name, sealed, secret, why) : why->err;
		if (err == ND_OK && unlink(plain) != 0 && errno != ENOENT) /* it would be read instead */
			return nd_fail(why, ND_EDISK, errno, "cannot remove %.200s", plain);
		(void)snprintf(done->path, DEPOSIT_PATH, "%s", sealed);
		if (err == ND_OK || must)
			return err;
		(void)snprintf(done->remark, sizeof(done->remark), "%.190s", why->text);
	}
	done->sealed = false;
	(void)snprintf(done->path, DEPOSIT_PATH, "%s", plain);
	return write_plain(plain, secret, place->reader, why);
}

enum nd_err
deposit_secret(
    const struct deposit_place *place, const struct nd_secret *secret, struct deposit_done *done, struct nd_why *why)
{
	static const char credential[] = "credential:", file[] = "file:";
	const char *reference = place->reference;

	*done = (struct deposit_done){ .sealed = false };
	if (strncmp(reference, credential, sizeof(credential) - 1) == 0)
		return write_credential(place, reference + sizeof(credential) - 1, secret, done, why);
	if (strncmp(reference, file, sizeof(file) - 1) == 0 && reference[sizeof(file) - 1] == '/' &&
	    place->seal != DEPOSIT_SEALED) {
		(void)snprintf(done->path, DEPOSIT_PATH, "%s", reference + sizeof(file) - 1);
		return write_plain(done->path, secret, place->reader, why);
	}
	(void)nd_fail(why, ND_ESTATE, 0, "%.100s is not a place that notifyctl can store a secret in", reference);
	return nd_fail_at(why, "", 0, "store it there by the means of that place");
}
