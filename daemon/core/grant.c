/* SPDX-License-Identifier: Apache-2.0 */
/* grant.c - the life of a refresh token.  Layer: core.  Pure. */
#include "daemon/core/grant.h"

#include <stdio.h>
#include <string.h>

#define MICROSOFT_AGE ND_DAY(90)
#define GOOGLE_AGE ND_DAY(180) /* six months without use */

bool
grant_refreshed(const struct conf_account *account)
{
	return account->auth == CONF_OAUTH2 && (CONF_GRANTS_REFRESHED & CONF_GRANT_BIT(account->grant)) != 0;
}

bool
grant_dead(const char *error)
{
	static const char *const dead[] = { "invalid_grant", "interaction_required", "consent_required",
		"login_required" };

	for (size_t i = 0; i < sizeof(dead) / sizeof(dead[0]); i++)
		if (strcmp(error, dead[i]) == 0)
			return true;
	return false;
}

static void
hint(const struct conf_account *account, struct nd_why *why)
{
	char text[240];

	(void)snprintf(text, sizeof(text), "%snotifyctl account login %s",
	    account->grant == CONF_REFRESH_TOKEN ? "put a new refresh token where refresh_token says, or: " : "",
	    account->name);
	(void)nd_fail_at(why, "", 0, text);
}

void
grant_tell(const struct conf_account *account, const char *said, bool lost, struct nd_why *why)
{
	static const char gone[] = "; an earlier refresh was cut off before its answer was on disk: the new refresh "
				   "token in it is lost, the old one "
				   "spent";
	size_t room = sizeof(why->text) - 1 - (lost ? sizeof(gone) : 0) - strlen("the sign-in is no longer good: ");

	(void)nd_fail(why, ND_ESIGNIN, 0, "the sign-in is no longer good: %.*s%s",
	    (int)nd_str_utf8_cut(said, strlen(said), room), said, lost ? gone : "");
	hint(account, why);
}

void
grant_missing(const struct conf_account *account, const char *refused, struct nd_why *why)
{
	(void)nd_fail(why, ND_ESIGNIN, 0, "%s", refused[0] != '\0' ? refused : "nobody has signed in yet");
	hint(account, why);
}

nd_unix
grant_end(const struct conf_account *account, nd_unix refreshed)
{
	if (refreshed == 0 || !grant_refreshed(account))
		return 0;
	if (account->provider <= CONF_MICROSOFT_HVE)
		return refreshed + MICROSOFT_AGE;
	return account->provider == CONF_GOOGLE || account->provider == CONF_GOOGLE_RELAY ? refreshed + GOOGLE_AGE : 0;
}
