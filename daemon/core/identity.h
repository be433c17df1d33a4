/* SPDX-License-Identifier: Apache-2.0 */
/* identity.h - Azure's managed identities: what to ask, and what the answers mean.  Layer: core.  Pure.
 *
 *   VM   GET http://169.254.169.254/…                                   -> token
 *   Arc  GET http://127.0.0.1:40342/… -> 401, realm = path of a file -> GET with its content -> token
 */
#ifndef ND_CORE_IDENTITY_H
#define ND_CORE_IDENTITY_H

#include "daemon/core/oauth.h"

#define IDENTITY_KEY_MAX 4096u /* octets of the agent's file */

/* CONF_IDENTITY_AUTO: which one, by the signs of the Arc agent. endpoint: IDENTITY_ENDPOINT of the environment, NULL none. */
int identity_source(int wanted, const char *endpoint, bool agent);
/* Appends the URL. The scope without /.default is the resource. */
void identity_url(const struct conf_account *account, int source, struct nd_buf *out);
/* The path of the agent's file, from WWW-Authenticate: right below /var/opt/azcmagent/tokens/, ending in .key. */
enum nd_err identity_key_path(const char *challenge, char *path, size_t size, struct nd_why *why) ND_MUST_CHECK;
/* As oauth_read, with the statuses of these services. */
void identity_read(const struct conf_account *account, int source, int status, const char *body, size_t len,
    long retry_after, const struct nd_why *failure, struct oauth_reply *out);

#endif
