/* SPDX-License-Identifier: Apache-2.0 */
/* keyfile.h - the JSON files that Google's console gives to download: a client, or a service account.  Layer: core.  Pure. */
#ifndef ND_CORE_KEYFILE_H
#define ND_CORE_KEYFILE_H

#include "common/err.h"
#include "common/mem.h"

struct keyfile_client {
	char *client_id; /* NULL: a bare secret, not JSON */
	char *url;       /* where it asks for tokens; NULL not said */
	struct nd_secret secret;
};
/* {"installed":{…}} or {"web":{…}}; anything that is not JSON is the secret itself. */
enum nd_err keyfile_client(const struct nd_secret *text, struct keyfile_client *out, struct nd_why *why) ND_MUST_CHECK;
void keyfile_client_done(struct keyfile_client *client);

struct keyfile_service {
	char *email;
	char *key_id;         /* NULL not said */
	char *url;            /* NULL not said */
	struct nd_secret key; /* PEM */
};
enum nd_err keyfile_service(
    const struct nd_secret *text, struct keyfile_service *out, struct nd_why *why) ND_MUST_CHECK;
void keyfile_service_done(struct keyfile_service *service);

#endif
