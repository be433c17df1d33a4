/* SPDX-License-Identifier: Apache-2.0 */
/* doctor.h - what an alert needs of its host: facts => findings, each with its level, its cause and its cure.  Layer: core.  Pure.
 *
 * FAIL: mail will not go out, or not for long. WARN: it does, but somebody should look. OK has no remedy.
 */
#ifndef ND_CORE_DOCTOR_H
#define ND_CORE_DOCTOR_H

#include "common/err.h"
#include "common/explain.h"
#include "daemon/core/conf.h"

#include <stdbool.h>
#include <stdint.h>

enum doctor_level { DOCTOR_OK, DOCTOR_WARN, DOCTOR_FAIL };

struct doctor_finding {
	enum explain_lang lang; /* of the words; given */
	const char *check;      /* "resolver" */
	enum doctor_level level;
	char detail[900], remedy[1000];
};
const char *doctor_level_name(enum doctor_level level);

/* A server that must be reachable; each is named once, for the first account that needs it. */
struct doctor_target {
	const char *what, *ja; /* "the server", "the token endpoint", "the proxy" */
	const char *account;
	char host[256];
	uint16_t port;
};
#define DOCTOR_TARGETS 32u
unsigned doctor_targets(const struct conf *conf, struct doctor_target out[DOCTOR_TARGETS]);

/* address: the first of `count`; count 0: why. took: ms. */
void doctor_resolved(const struct doctor_target *target, const char *address, unsigned count, nd_ms took,
    const struct nd_why *why, struct doctor_finding *out);
/* address: the one that answered; NULL: why. */
void doctor_reached(const struct doctor_target *target, const char *address, nd_ms took, const struct nd_why *why,
    struct doctor_finding *out);

/* skew: s, this host's clock against the one of the account's token endpoint. */
void doctor_clock(const char *account, long skew, struct doctor_finding *out);

struct doctor_folder {
	const char *path;
	bool there;
	unsigned mode;              /* permissions */
	const char *owner, *wanted; /* names of users */
	int64_t free;               /* octets; -1 not known */
};
void doctor_state(const struct doctor_folder *folder, struct doctor_finding *out);
void doctor_room(const struct doctor_folder *folder, int64_t min_free, struct doctor_finding *out);

/* own: a setting names it; else it is one of the system's. count < 0: it cannot be read, for this reason. */
void doctor_authorities(const char *place, bool own, int count, const char *reason, struct doctor_finding *out);
void doctor_fips(const char *version, bool properties, bool kernel, struct doctor_finding *out);

struct doctor_secret {
	const char *account, *key, *reference; /* "client_secret" "credential:m365" */
	const char *path;                      /* "" none */
	unsigned mode;
	bool loaded;              /* systemd made it */
	const struct nd_why *why; /* it cannot be read; NULL: it can */
};
void doctor_secret(const struct doctor_secret *secret, struct doctor_finding *out);

#endif
