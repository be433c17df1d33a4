/* SPDX-License-Identifier: Apache-2.0 */
/* peer.h - who is at the other end of a Unix socket.  Layer: io.  Knows libsystemd (unit of a pid). */
#ifndef ND_IO_PEER_H
#define ND_IO_PEER_H

#include "daemon/core/access.h"

/* SO_PEERCRED, unit from the cgroup, comm. What cannot be read stays empty. */
void peer_read(int fd, struct access_peer *peer);

#endif
