/* SPDX-License-Identifier: Apache-2.0 */
/* doctor.h - the inside of notifyctl doctor, for cmd_doctor.c and doctor_*.c alone.  Layer: client.
 *
 *   cmd_doctor.c    the run: the daemon, its own findings, the accounts      doctor_host.c  clock, sockets, folders of credentials
 *   doctor_unit.c   what systemd makes of notifyd.service
 */
#ifndef ND_CLIENT_DOCTOR_H
#define ND_CLIENT_DOCTOR_H

#include "client/cmd.h"

enum doctor_level { DOCTOR_OK, DOCTOR_WARN, DOCTOR_FAIL };

#define DOCTOR_NAMES 64u

struct doctor {
	struct cmd *cmd;
	enum explain_lang lang;
	const char *config;
	bool up; /* the daemon answers */
	unsigned counts[DOCTOR_FAIL + 1];
	unsigned unproved;         /* accounts that a message alone would prove */
	char *names[DOCTOR_NAMES]; /* of the accounts; owned */
	unsigned name_count;
};

/* One finding; remedy NULL or "": none. */
void doctor_say(
    struct doctor *doctor, const char *what, enum doctor_level level, const char *detail, const char *remedy);

/* doctor_host.c */
void doctor_clock(struct doctor *doctor);
void doctor_sockets(struct doctor *doctor);
void doctor_credentials(struct doctor *doctor);

/* doctor_unit.c */
void doctor_unit(struct doctor *doctor);

#endif
