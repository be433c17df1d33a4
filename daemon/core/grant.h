/* SPDX-License-Identifier: Apache-2.0 */
/* grant.h - the life of a refresh token: when it is dead, when it dies of age, and the words for it.  Layer: core.  Pure.
 *
 * Kept fresh without a queue: an access token lives a day at most (oauth_read), so each grant is used at least daily.
 */
#ifndef ND_CORE_GRANT_H
#define ND_CORE_GRANT_H

#include "daemon/core/conf.h"

#define GRANT_TEXT 320

/* The account lives on a refresh token. */
bool grant_refreshed(const struct conf_account *account);
/* The error of a refused refresh says that the grant is dead: asking again with the same token is of no use. Errors about the application are not among
 * them: its secret may be mended. */
bool grant_dead(const char *error);
/* Why nobody is signed in any more, and what to do. said: the endpoint's words. lost: an earlier answer, with a new token in it, never came here. */
void grant_tell(const struct conf_account *account, const char *said, bool lost, struct nd_why *why);
/* Nobody is signed in; `refused` as kept in the file, "" never was. */
void grant_missing(const struct conf_account *account, const char *refused, struct nd_why *why);

/* When the grant dies of age unless it is used before; 0 never, as far as known. */
nd_unix grant_end(const struct conf_account *account, nd_unix refreshed);

#endif
