/* SPDX-License-Identifier: Apache-2.0 */
/* listen.c - the listening sockets: passed by systemd or our own.  Layer: io.  Knows libsystemd. */
#include "daemon/io/listen.h"

#include "common/api.h"
#include "common/log.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#define BACKLOG 256 /* as notifyd.socket asks of systemd */
#define ADMIN_GROUP "notifyd-admin"
/* A folder that can be bound into containers: it outlives the socket. */
#define SUBMIT_FOLDER "/run/notifyd-submit"
#define SUBMIT_SOCKET SUBMIT_FOLDER "/notifyd.sock"

_Static_assert(sizeof(((struct listen_socket *)NULL)->path) == sizeof(((struct sockaddr_un *)NULL)->sun_path),
    "listen.h gives the length of a Unix socket's path");

static enum nd_err
fail(struct nd_why *why, enum nd_err err, int sys_errno, const char *path, const char *problem, const char *hint)
{
	(void)nd_fail(why, err, sys_errno, "opening the socket \"%.120s\": %s", path, problem);
	(void)nd_fail_at(why, NULL, 0, hint);
	return err;
}

/* -- sockets of systemd ---------------------------------------------------------------------------------------- */

/* The path is for people only: a name that cannot be read is left empty. */
static void
read_path(int fd, char out[108])
{
	struct sockaddr_un name;
	socklen_t len = sizeof(name);

	memset(&name, 0, sizeof(name));
	if (getsockname(fd, (struct sockaddr *)&name, &len) == 0 && name.sun_path[0] == '/')
		(void)snprintf(out, 108, "%.*s", (int)sizeof(name.sun_path) - 1, name.sun_path);
}

static enum nd_err
take_passed(int fd, const char *name, struct listen_set *set, struct nd_why *why)
{
	struct listen_socket *sock = &set->socket[set->count];
	int flags = fcntl(fd, F_GETFL);

	if (strcmp(name, "api") != 0 && strcmp(name, "admin") != 0) {
		(void)nd_fail(why, ND_ECONF, 0,
		    "systemd passed a socket named \"%.60s\"; notifyd knows \"api\" and \"admin\"", name);
		(void)nd_fail_at(why, NULL, 0, "set FileDescriptorName=api or =admin in the .socket unit");
		return ND_ECONF;
	}
	if (sd_is_socket_unix(fd, SOCK_STREAM, 1, NULL, 0) <= 0)
		return fail(why, ND_ECONF, 0, name, "systemd passed something else than a listening Unix stream socket",
		    "use ListenStream= with a path in the .socket unit");
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0)
		return fail(why, ND_ECONF, errno, name, "making it non-blocking", NULL);
	memset(sock, 0, sizeof(*sock));
	sock->fd = fd;
	sock->admin = strcmp(name, "admin") == 0;
	read_path(fd, sock->path);
	set->count++;
	return ND_OK;
}

static void
free_names(char **names)
{
	for (char **name = names; name != NULL && *name != NULL; name++)
		free(*name);
	free(names);
}

/* All of them are ours from here on: those that are not kept are closed. */
static enum nd_err
open_passed(struct listen_set *set, struct nd_why *why)
{
	char **names = NULL;
	int count = sd_listen_fds_with_names(1, &names);
	enum nd_err err = ND_OK;

	if (count < 0)
		return fail(why, ND_ECONF, -count, "LISTEN_FDS", "systemd's sockets cannot be taken", NULL);
	if (count > LISTEN_MAX)
		err = fail(
		    why, ND_ECONF, 0, "LISTEN_FDS", "systemd passed more than 8 sockets", "remove some ListenStream=");
	for (int i = 0; i < count; i++) {
		int fd = SD_LISTEN_FDS_START + i;

		if (err == ND_OK)
			err = take_passed(fd, names[i], set, why);
		if (err != ND_OK)
			(void)close(fd);
	}
	free_names(names);
	return err;
}

/* -- our own --------------------------------------------------------------------------------------------------- */

static enum nd_err
put_path(struct sockaddr_un *address, const char *path, struct nd_why *why)
{
	size_t len = strlen(path);

	if (len == 0 || len >= sizeof(address->sun_path))
		return fail(why, ND_ECONF, 0, path, "the path of a Unix socket has 1 to 107 octets",
		    "give --socket a shorter path");
	memset(address, 0, sizeof(*address));
	address->sun_family = AF_UNIX;
	memcpy(address->sun_path, path, len + 1);
	return ND_OK;
}

/* 0: somebody answers (or would, when its backlog had room); else why not. */
static int
knock(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int result;

	if (fd < 0)
		return errno;
	result = connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 ? 0 : errno;
	(void)close(fd);
	return result == EAGAIN || result == EPROTOTYPE ? 0 : result;
}

/* Removes what a dead process left; whatever else is there stays. */
static enum nd_err
clear_path(const struct sockaddr_un *address, struct nd_why *why)
{
	const char *path = address->sun_path;
	struct stat st;
	int answer;

	if (lstat(path, &st) != 0)
		return errno == ENOENT ? ND_OK : fail(why, ND_ECONF, errno, path, "looking at what is there", NULL);
	if (!S_ISSOCK(st.st_mode))
		return fail(
		    why, ND_ECONF, 0, path, "a file that is no socket is there", "give another path with --socket");
	answer = knock(address);
	if (answer == 0) {
		(void)nd_fail(why, ND_ELOCKED, 0, "another program answers on \"%.120s\"", path);
		(void)nd_fail_at(why, NULL, 0, "stop it first, or give another path with --socket");
		return ND_ELOCKED;
	}
	if (answer == ENOENT)
		return ND_OK;
	if (answer != ECONNREFUSED)
		return fail(why, ND_ECONF, answer, path, "it cannot be told whether another program uses it",
		    "remove the file, or give another path with --socket");
	if (unlink(path) != 0 && errno != ENOENT)
		return fail(why, ND_ECONF, errno, path, "removing the one a dead process left", NULL);
	return ND_OK;
}

/* The operator's socket is for the group when it is given to it; else for its owner alone. */
static mode_t
admin_mode(const char *path)
{
	struct group entry, *group = NULL;
	char names[4096]; /* of its members; a group that needs more is no use here */

	if (getgrnam_r(ADMIN_GROUP, &entry, names, sizeof(names), &group) != 0 || group == NULL) {
		nd_log(ND_LOG_DEBUG, NULL, "There is no group " ADMIN_GROUP ": only the owner may use %s.", path);
		return 0600;
	}
	if (lchown(path, (uid_t)-1, group->gr_gid) != 0) {
		nd_log(
		    ND_LOG_DEBUG, NULL, "Giving %s to group " ADMIN_GROUP " failed: only the owner may use it.", path);
		return 0600;
	}
	return 0660;
}

/* Nobody can connect before the mode is right: it begins as 0600 and listens last. */
static int
make(const struct sockaddr_un *address, bool admin)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	mode_t mask;
	int bound, keep;

	if (fd < 0)
		return -1;
	mask = umask(0177);
	bound = bind(fd, (const struct sockaddr *)address, sizeof(*address));
	keep = errno;
	(void)umask(mask);
	errno = keep;
	if (bound == 0 && chmod(address->sun_path, admin ? admin_mode(address->sun_path) : 0666) == 0 &&
	    listen(fd, BACKLOG) == 0)
		return fd;
	keep = errno;
	if (bound == 0)
		(void)unlink(address->sun_path);
	(void)close(fd);
	errno = keep;
	return -1;
}

static enum nd_err
open_own(const char *path, bool admin, struct listen_set *set, struct nd_why *why)
{
	struct listen_socket *sock = &set->socket[set->count];
	struct sockaddr_un address;
	enum nd_err err = put_path(&address, path, why);

	if (err == ND_OK)
		err = clear_path(&address, why);
	if (err != ND_OK)
		return err;
	memset(sock, 0, sizeof(*sock));
	sock->fd = make(&address, admin);
	if (sock->fd < 0)
		return fail(why, ND_ECONF, errno, path, "creating it",
		    "give --socket a path in a folder that exists and may be written");
	sock->admin = admin;
	sock->own = true;
	memcpy(sock->path, address.sun_path, sizeof(sock->path));
	set->count++;
	return ND_OK;
}

static enum nd_err
open_all_own(const char *path, struct listen_set *set, struct nd_why *why)
{
	const char *api = path != NULL ? path : API_SOCKET;
	char admin[sizeof(set->socket[0].path)];
	enum nd_err err;

	if (api_admin_path(api, admin, sizeof(admin)) == NULL)
		return fail(why, ND_ECONF, 0, api, "the path of the operator's socket beside it would be too long",
		    "give --socket a shorter path");
	err = open_own(api, false, set, why);
	if (err == ND_OK)
		err = open_own(admin, true, set, why);
	if (err == ND_OK && path == NULL && access(SUBMIT_FOLDER, W_OK) == 0)
		err = open_own(SUBMIT_SOCKET, false, set, why);
	return err;
}

/* -- both ------------------------------------------------------------------------------------------------------ */

enum nd_err
listen_open(const char *path, struct listen_set *out, struct nd_why *why)
{
	struct listen_set set = { .count = 0 };
	enum nd_err err = open_passed(&set, why);

	if (err == ND_OK && set.count == 0)
		err = open_all_own(path, &set, why);
	else if (err == ND_OK && path != NULL)
		nd_log(ND_LOG_NOTICE, NULL, "The sockets are systemd's: --socket %s is not used.", path);
	if (err != ND_OK) {
		listen_close(&set);
		return err;
	}
	*out = set;
	return ND_OK;
}

void
listen_close(struct listen_set *set)
{
	if (set == NULL)
		return;
	for (unsigned i = 0; i < set->count; i++) {
		if (set->socket[i].own)
			(void)unlink(set->socket[i].path);
		(void)close(set->socket[i].fd);
	}
	set->count = 0;
}
