/* SPDX-License-Identifier: Apache-2.0 */
/* peer.c - who is at the other end of a Unix socket.  Layer: io.  Knows libsystemd. */
#include "daemon/io/peer.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <systemd/sd-login.h>
#include <unistd.h>

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77 /* Linux 6.5 */
#endif

/* The process chose these octets itself: only what can be printed anywhere is kept. */
static void
put_printable(char *out, size_t size, const char *text, size_t len)
{
	size_t used = 0;

	for (size_t i = 0; i < len && text[i] != '\0' && text[i] != '\n' && used + 1 < size; i++)
		out[used++] = text[i] >= 0x20 && text[i] < 0x7f ? text[i] : '?';
	out[used] = '\0';
}

static void
read_comm(pid_t pid, char *out, size_t size)
{
	char path[40], text[64];
	ssize_t n;
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/%ld/comm", (long)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	n = read(fd, text, sizeof(text));
	(void)close(fd);
	if (n > 0)
		put_printable(out, size, text, (size_t)n);
}

/* A system unit, else a unit of a user's own manager. A name that does not fit is none: cut, it could be another's. */
static void
read_unit(pid_t pid, char *out, size_t size)
{
	char *unit = NULL;

	if (sd_pid_get_unit(pid, &unit) < 0) {
		unit = NULL;
		if (sd_pid_get_user_unit(pid, &unit) < 0)
			unit = NULL;
	}
	if (unit != NULL && strlen(unit) < size)
		put_printable(out, size, unit, strlen(unit));
	free(unit);
}

/* A pid may belong to somebody else by now; where the kernel gives a pidfd of the peer it tells. */
static bool
ended(int fd)
{
	socklen_t len = sizeof(int);
	struct pollfd pidfd = { -1, POLLIN, 0 };
	bool is;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD, &pidfd.fd, &len) != 0)
		return false;
	is = poll(&pidfd, 1, 0) > 0;
	(void)close(pidfd.fd);
	return is;
}

void
peer_read(int fd, struct access_peer *peer)
{
	struct ucred who;
	socklen_t len = sizeof(who);
	bool operator_right = peer->operator_right; /* the socket's, not ours to judge */

	memset(peer, 0, sizeof(*peer));
	peer->operator_right = operator_right;
	peer->uid = peer->gid = UINT32_MAX; /* nobody's: matches no owner */
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) != 0)
		return;
	peer->uid = who.uid;
	peer->gid = who.gid;
	if (who.pid <= 0) /* of another pid namespace */
		return;
	peer->pid = (uint32_t)who.pid;
	read_unit(who.pid, peer->unit, sizeof(peer->unit));
	read_comm(who.pid, peer->comm, sizeof(peer->comm));
	if (ended(fd))
		peer->unit[0] = peer->comm[0] = '\0';
}
