/* SPDX-License-Identifier: Apache-2.0 */
/* access.h - who may send to whom, whose jobs are whose.  Layer: core.  Pure. */
#ifndef ND_CORE_ACCESS_H
#define ND_CORE_ACCESS_H

#include "common/err.h"
#include "daemon/core/conf.h"

#include <stdbool.h>
#include <stdint.h>

/* The peer of a connection: uid, gid and unit are proof, pid and comm hints. */
struct access_peer {
	uint32_t uid, gid, pid;
	char unit[96]; /* "" none */
	char comm[32];
	bool operator_right; /* came through the operator's socket */
};

/* design.md 3, "Rights": every address named in the configuration, the domains of the accounts' from, and [access] to_allow. Operators and, while there is
 * no account, everybody: ND_OK. Else ND_ERCPTDENIED with the line to add as hint. */
enum nd_err access_recipient(
    const struct conf *conf, const struct access_peer *peer, const char *address, struct nd_why *why) ND_MUST_CHECK;
/* Is the address outside the domains that the accounts send from? Nothing is while there is no account. */
bool access_foreign(const struct conf *conf, const char *address);
bool access_needs_unit(uint32_t uid); /* a dynamic one: it tells nobody apart by itself */
/* Own = same uid; for dynamic uids (61184-65519) the same unit too. */
bool access_own(const struct access_peer *peer, uint32_t uid, const char *unit);

#endif
