/* SPDX-License-Identifier: Apache-2.0 */
/* listen.h - the listening sockets: passed by systemd or our own.  Layer: io.
 *
 * systemd's are told apart by FileDescriptorName: "api" (several) and "admin". Own ones: PATH 0666 and PATH-admin 0660
 * (given to group notifyd-admin where it exists and we may, else 0600); with the default path also
 * /run/notifyd-submit/notifyd.sock when that folder is there to be written. A stale file is replaced only when nobody
 * answers on it.
 */
#ifndef ND_IO_LISTEN_H
#define ND_IO_LISTEN_H

#include "common/err.h"

#include <stdbool.h>

#define LISTEN_MAX 8

struct listen_socket {
	int fd;
	bool admin;
	bool own; /* path is ours to remove at the end */
	char path[108];
};
struct listen_set {
	struct listen_socket socket[LISTEN_MAX];
	unsigned count;
};
/* systemd's sockets when there are any (`path` is then not used, and the log says so); else own ones at `path`, NULL:
 * API_SOCKET. ND_ELOCKED when somebody answers there; ND_ECONF. */
enum nd_err listen_open(const char *path, struct listen_set *out, struct nd_why *why) ND_MUST_CHECK;
void listen_close(struct listen_set *set); /* closes; removes own paths */

#endif
