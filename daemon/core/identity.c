/* SPDX-License-Identifier: Apache-2.0 */
/* identity.c - Azure's managed identities: what to ask, and what the answers mean.  Layer: core.  Pure. */
#include "daemon/core/identity.h"

#include "common/json.h"
#include "common/str.h"

#include <stdio.h>
#include <string.h>

#define KEY_FOLDER "/var/opt/azcmagent/tokens/"
#define UPDATE_TIME ND_SEC(70) /* 410: the service is back within */

/* clang-format off */
static const struct service {
	const char *name, *url, *version;
} services[] = {
	[CONF_IDENTITY_VM]  = { "the instance metadata service", "http://169.254.169.254/metadata/identity/oauth2/token",
	                        "2018-02-01" },
	[CONF_IDENTITY_ARC] = { "the Arc agent", "http://127.0.0.1:40342/metadata/identity/oauth2/token", "2019-11-01" },
};
/* clang-format on */

int
identity_source(int wanted, const char *endpoint, bool agent)
{
	/* other services of Azure set the variable too, with other addresses */
	static const char *const signs[] = { "http://127.0.0.1:40342/", "http://localhost:40342/" };

	if (wanted != CONF_IDENTITY_AUTO)
		return wanted;
	for (size_t i = 0; endpoint != NULL && i < sizeof(signs) / sizeof(signs[0]); i++)
		agent = agent || nd_str_starts_nocase(endpoint, signs[i]);
	return agent ? CONF_IDENTITY_ARC : CONF_IDENTITY_VM;
}

void
identity_url(const struct conf_account *account, int source, struct nd_buf *out)
{
	static const char end[] = "/.default";
	size_t len = strlen(account->scope);

	if (len > strlen(end) && strcmp(account->scope + len - strlen(end), end) == 0)
		len -= strlen(end);
	nd_buf_addf(out, "%s?api-version=%s&resource=", services[source].url, services[source].version);
	(void)nd_str_percent(out, account->scope, len);
	if (account->client_id[0] == '\0')
		return;
	nd_buf_adds(out, "&client_id=");
	(void)nd_str_percent(out, account->client_id, strlen(account->client_id));
}

enum nd_err
identity_key_path(const char *challenge, char *path, size_t size, struct nd_why *why)
{
	static const char start[] = "Basic realm=", folder[] = KEY_FOLDER, end[] = ".key";
	const char *from = challenge != NULL && nd_str_starts_nocase(challenge, start) ? challenge + strlen(start) : "";
	size_t len = strcspn(from, " ,;");

	if (len >= 2 && from[0] == '"' && from[len - 1] == '"') {
		from++;
		len -= 2;
	}
	if (len == 0)
		return nd_fail(why, ND_ETOKEN, 0, "the Arc agent did not say which file proves who asks");
	/* directly in that folder: a path with another turn in it could be any file that notifyd can read */
	if (len >= size || len <= strlen(folder) + strlen(end) || strncmp(from, folder, strlen(folder)) != 0 ||
	    memchr(from + strlen(folder), '/', len - strlen(folder)) != NULL ||
	    strncmp(from + len - strlen(end), end, strlen(end)) != 0)
		return nd_fail(why, ND_ETOKEN, 0,
		    "the Arc agent named a file that is not one of its keys (" KEY_FOLDER "*.key): it is not read");
	memcpy(path, from, len);
	path[len] = '\0';
	return ND_OK;
}

/* The statuses that mean something else here than at a token endpoint. */
static void
tell_status(int source, int status, struct oauth_reply *out)
{
	const bool later = status == 404 || status == 410 || out->class == OAUTH_LATER;
	char words[sizeof(out->why.text)];
	const char *colon = strstr(out->why.text, "): ");

	(void)snprintf(words, sizeof(words), "%s", colon != NULL ? colon + 1 : "");
	out->class = later ? OAUTH_LATER : OAUTH_REFUSED;
	(void)nd_fail(&out->why, later ? ND_ETOKENLATER : ND_ETOKEN, 0, "%s %s (%d%s%s)%s", services[source].name,
	    later ? "cannot answer now" : "refused", status, out->error[0] != '\0' ? ", " : "", out->error, words);
	if (status == 410 && out->retry_after < UPDATE_TIME)
		out->retry_after = UPDATE_TIME;
	else if (status == 400)
		(void)nd_fail_at(&out->why, "", 0, "check scope, and client_id when it names a user-assigned identity");
	else if (status == 401 && source == CONF_IDENTITY_VM)
		(void)nd_fail_at(
		    &out->why, "", 0, "give this machine a managed identity in Azure (Identity, status On)");
	else if (status == 401 || (status == 403 && source == CONF_IDENTITY_ARC))
		(void)nd_fail_at(&out->why, "", 0, "is the user of notifyd in the group himds?");
	else if (status == 403)
		(void)nd_fail_at(&out->why, "", 0, "see what this machine may ask 169.254.169.254");
}

/* The agent says whose token it gave: another identity's would send from another mailbox, or from none. */
static bool
is_another(const struct conf_account *account, const char *body, size_t len)
{
	struct json_tree tree;
	const char *given;
	bool another;

	if (account->client_id[0] == '\0' || json_read(&tree, body, len, &json_limits_small, NULL, NULL) != ND_OK)
		return false;
	given = json_get_text(tree.root, "client_id");
	another = given == NULL || !nd_str_eq_nocase(given, account->client_id);
	json_done(&tree);
	return another;
}

/* NOLINTBEGIN(readability-function-size): those of oauth_read, whom it was and who was asked */
void
identity_read(const struct conf_account *account, int source, int status, const char *body, size_t len,
    long retry_after, const struct nd_why *failure, struct oauth_reply *out)
{
	oauth_read(status, body, len, retry_after, failure, out);
	if (status <= 0) {
		out->class = OAUTH_LATER;
		(void)nd_fail_at(&out->why, "", 0,
		    source == CONF_IDENTITY_VM ? "grant = managed_identity needs an Azure VM, or the Arc agent"
					       : "is the Arc agent running? azcmagent show tells");
	} else if (out->class != OAUTH_TOKEN && status != 200) {
		tell_status(source, status, out);
	} else if (out->class == OAUTH_TOKEN && source == CONF_IDENTITY_ARC && is_another(account, body, len)) {
		oauth_reply_done(out);
		out->class = OAUTH_REFUSED;
		(void)nd_fail(
		    &out->why, ND_ETOKEN, 0, "the Arc agent gave the token of another identity than client_id");
		(void)nd_fail_at(&out->why, "", 0, "take client_id out to use the machine's own identity");
	}
}
/* NOLINTEND(readability-function-size) */
