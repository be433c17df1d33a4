/* SPDX-License-Identifier: Apache-2.0 */
/* pair.h - the key and the certificate of an application: where they are, making them, taking new ones into use.  Layer: client.
 *
 *   in use   DIR/NAME-key        NAME.cer        beside the configuration file
 *   next     DIR/NAME-key.next   NAME.next.cer   made, perhaps uploaded
 *   old      DIR/NAME-key.old    NAME.old.cer    those before
 */
#ifndef ND_CLIENT_PAIR_H
#define ND_CLIENT_PAIR_H

#include "client/deposit.h"
#include "client/program.h"

#define PAIR_CONFIG ND_SYSCONFDIR "/notifyd/notifyd.conf"

enum pair_which { PAIR_USED, PAIR_NEXT, PAIR_OLD, PAIRS };

struct pair {
	char name[48];
	char folder[DEPOSIT_PATH], config[DEPOSIT_PATH];
	struct {
		char key[DEPOSIT_PATH], certificate[DEPOSIT_PATH];
	} path[PAIRS];
};

/* folder, config NULL: the installed ones. */
enum nd_err pair_name(
    struct pair *pair, const char *name, const char *folder, const char *config, struct nd_why *why) ND_MUST_CHECK;
/* Both files. */
bool pair_is_there(const struct pair *pair, enum pair_which which);
/* notifyd --make-certificate; it says what to do with them, on `output`. */
enum nd_err pair_make(const struct pair *pair, const char *program, bool next, enum program_output output,
    struct nd_why *why) ND_MUST_CHECK;
/* The thumbprint of the certificate in use, as Entra ID shows it, and its PEM; both owned by the caller. */
enum nd_err pair_show(
    const struct pair *pair, const char *program, char **thumbprint, char **pem, struct nd_why *why) ND_MUST_CHECK;
/* The next pair takes the place of the one in use, which becomes the old one. Cut short, it is finished by another call. */
enum nd_err pair_switch(const struct pair *pair, struct nd_why *why) ND_MUST_CHECK;

#endif
