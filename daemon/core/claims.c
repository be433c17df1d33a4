/* SPDX-License-Identifier: Apache-2.0 */
/* claims.c - what an access token says about itself, and what that explains.  Layer: core. */
#include "daemon/core/claims.h"

#include "common/idn.h"
#include "common/json.h"
#include "common/stamp.h"
#include "common/str.h"
#include "daemon/core/jwt.h"
#include "daemon/core/smtp_reply.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CLAIMS_OCTETS 16384u
#define SKEW ND_MIN(1)      /* less is not worth a word */
#define BACKDATED ND_MIN(7) /* issuers let a token begin some minutes before it is issued */

/* -- reading -- */

static void
take(const struct json_node *root, const char *key, char *out, size_t size)
{
	const struct json_node *node = json_get(root, key);

	if (node != NULL && node->type == JSON_ARRAY)
		node = node->child; /* aud may be several: the first speaks */
	if (node != NULL && node->type == JSON_STRING && out[0] == '\0')
		smtp_reply_clean(out, size, node->text, node->len);
}

static void
take_list(const struct json_node *root, const char *key, char *out, size_t size)
{
	const struct json_node *node = json_get(root, key);
	struct nd_buf words;

	nd_buf_init(&words, size - 1);
	if (node != NULL && node->type == JSON_STRING)
		(void)nd_buf_adds(&words, node->text);
	for (node = node != NULL && node->type == JSON_ARRAY ? node->child : NULL; node != NULL; node = node->next)
		if (node->type == JSON_STRING)
			(void)nd_buf_addf(&words, "%s%s", words.len > 0 ? " " : "", node->text);
	smtp_reply_clean(out, size, nd_buf_text(&words), words.len);
	nd_buf_done(&words);
}

static nd_unix
take_time(const struct json_node *root, const char *key)
{
	int64_t seconds;

	return json_int(json_get(root, key), 0, INT64_MAX / 1000, &seconds) ? seconds * 1000 : 0;
}

static void
take_all(const struct json_node *root, struct claims *out)
{
	out->jwt = true;
	take(root, "aud", out->audience, sizeof(out->audience));
	take(root, "tid", out->tenant, sizeof(out->tenant));
	take(root, "oid", out->object, sizeof(out->object));
	take(root, "appid", out->app, sizeof(out->app));
	take(root, "azp", out->app, sizeof(out->app));
	take(root, "upn", out->user, sizeof(out->user));
	take(root, "preferred_username", out->user, sizeof(out->user));
	take_list(root, "roles", out->roles, sizeof(out->roles));
	take_list(root, "scp", out->scopes, sizeof(out->scopes));
	out->issued = take_time(root, "iat");
	out->begins = take_time(root, "nbf");
	out->expires = take_time(root, "exp");
}

void
claims_read(const struct nd_secret *token, struct claims *out)
{
	struct json_tree tree = { 0 };
	struct nd_buf text;

	*out = (struct claims){ 0 };
	nd_buf_init(&text, CLAIMS_OCTETS);
	if (jwt_payload(token, &text) &&
	    json_read(&tree, nd_buf_text(&text), text.len, &json_limits_small, NULL, NULL) == ND_OK &&
	    tree.root->type == JSON_OBJECT)
		take_all(tree.root, out);
	json_done(&tree);
	nd_buf_wipe(&text);
}

/* -- what is known of audiences and rights -- */

/* clang-format off */
static const char *const mail_services[] = { "outlook.office365.com", "outlook.office.com", "outlook.office365.us",
	"partner.outlook.cn", "ps.outlook.com" };
/* Services of Microsoft that sign nobody in to SMTP; Graph also by its application id. */
static const struct { const char *audience, *name; } other_services[] = {
	{ "graph.microsoft.com", "Microsoft Graph" },
	{ "graph.microsoft.us", "Microsoft Graph" },
	{ "dod-graph.microsoft.us", "Microsoft Graph" },
	{ "microsoftgraph.chinacloudapi.cn", "Microsoft Graph" },
	{ "00000003-0000-0000-c000-000000000000", "Microsoft Graph" },
	{ "graph.windows.net", "Azure AD Graph" },
	{ "00000002-0000-0000-c000-000000000000", "Azure AD Graph" },
	{ "management.azure.com", "Azure Resource Manager" },
	{ "vault.azure.net", "Azure Key Vault" },
};
/* Rights that nobody needs in order to send, and what they let somebody do who got hold of the token. */
static const struct { const char *pattern, *words, *ja; } broad[] = {
	{ "Directory.*", "read your directory", "ディレクトリの読み取り" },
	{ "User.Read*All", "read all users", "すべてのユーザーの読み取り" },
	{ "Group.Read*All", "read all groups", "すべてのグループの読み取り" },
	{ "Mail.Read*", "read mail", "メールの読み取り" },
	{ "full_access_as_app", "read and change all mailboxes", "すべてのメールボックスの読み取りと変更" },
	{ "EWS.AccessAsUser.All", "use the mailbox in every way", "メールボックスのあらゆる操作" },
	{ "IMAP.AccessAs*", "read mail by IMAP", "IMAP によるメールの読み取り" },
	{ "POP.AccessAs*", "read mail by POP", "POP によるメールの読み取り" },
	{ "Exchange.ManageAsApp", "administer Exchange", "Exchange の管理" },
	{ "Application.ReadWrite*", "change applications", "アプリケーションの変更" },
	{ "RoleManagement.ReadWrite*", "give rights", "権限の付与" },
	{ "Files.Read*", "read files", "ファイルの読み取り" },
	{ "Sites.*", "read sites", "サイトの読み取り" },
};
/* clang-format on */

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))

/* The host of a URL, or the text itself. */
static bool
is_service(const char *audience, const char *service)
{
	const char *host = strstr(audience, "://");
	size_t len;

	host = host != NULL ? host + 3 : audience;
	len = strcspn(host, "/");
	return len == strlen(service) && nd_str_starts_nocase(host, service);
}

static bool
is_mail(const char *audience)
{
	for (size_t i = 0; i < ROWS(mail_services); i++)
		if (is_service(audience, mail_services[i]))
			return true;
	return false;
}

static const char *
other_service(const char *audience)
{
	for (size_t i = 0; i < ROWS(other_services); i++)
		if (is_service(audience, other_services[i].audience))
			return other_services[i].name;
	return NULL;
}

/* The next of words with a space between; false: there is none. */
static bool
next_word(const char **rest, char *out, size_t size)
{
	size_t len;

	*rest += strspn(*rest, " ");
	len = strcspn(*rest, " ");
	(void)snprintf(out, size, "%.*s", (int)len, *rest);
	*rest += len;
	return len > 0;
}

/* Scopes may be written with the service before them. */
static const char *
bare_right(const char *word)
{
	const char *slash = strrchr(word, '/');

	return slash != NULL && slash[1] != '\0' ? slash + 1 : word;
}

static bool
has_right(const char *rights, const char *pattern)
{
	char word[128];

	while (next_word(&rights, word, sizeof(word)))
		if (nd_str_match(pattern, bare_right(word)))
			return true;
	return false;
}

static bool
is_microsoft(const struct conf_account *account)
{
	return account->provider <= CONF_MICROSOFT_HVE;
}

/* -- words -- */

static void
add_fact(struct nd_buf *out, size_t start, const char *name, const char *value)
{
	if (value[0] != '\0')
		(void)nd_buf_addf(out, "%s%s %s", out->len > start ? ", " : "", name, value);
}

static void
add_broad(const char *rights, enum explain_lang lang, struct nd_buf *out)
{
	for (size_t i = 0; i < ROWS(broad); i++)
		if (has_right(rights, broad[i].pattern))
			(void)nd_buf_addf(out,
			    explain_say(lang, "; this token can also %s (%s): take that right away",
				"。このトークンでは%sもできます (%s)。その権限を外してください"),
			    explain_say(lang, broad[i].words, broad[i].ja), broad[i].pattern);
}

bool
claims_broad(const struct claims *claims)
{
	for (size_t i = 0; i < ROWS(broad); i++)
		if (has_right(claims->roles, broad[i].pattern) || has_right(claims->scopes, broad[i].pattern))
			return true;
	return false;
}

nd_ms
claims_ahead(const struct claims *claims, nd_unix now)
{
	const nd_unix at = claims->issued != 0 ? claims->issued : claims->begins;

	if (at == 0)
		return 0;
	if (at - now > SKEW)
		return now - at;
	return now - at > BACKDATED ? now - at : 0;
}

static void
add_clock(nd_ms ahead, enum explain_lang lang, struct nd_buf *out)
{
	char span[ND_STAMP_SIZE];

	if (ahead != 0)
		(void)nd_buf_addf(out,
		    explain_say(lang, "; this host's clock is about %s %s", "。このホストの時計は約 %s %sいます"),
		    nd_stamp_span(ahead < 0 ? -ahead : ahead, span),
		    ahead < 0 ? explain_say(lang, "behind", "遅れて") : explain_say(lang, "ahead", "進んで"));
}

void
claims_write(const struct claims *claims, nd_unix now, bool fresh, enum explain_lang lang, struct nd_buf *out)
{
	const size_t start = out->len;
	char span[ND_STAMP_SIZE];

	if (!claims->jwt) {
		(void)nd_buf_adds(out, explain_say(lang, "the token is opaque: it cannot be looked into",
					   "不透明なトークンのため、中身は確認できません"));
		return;
	}
	add_fact(out, start, explain_say(lang, "for", "対象"), claims->audience);
	add_fact(out, start, explain_say(lang, "tenant", "テナント"), claims->tenant);
	add_fact(out, start, explain_say(lang, "application", "アプリケーション"), claims->app);
	add_fact(out, start, explain_say(lang, "object id", "オブジェクト ID"), claims->object);
	add_fact(out, start, explain_say(lang, "user", "ユーザー"), claims->user);
	add_fact(out, start, explain_say(lang, "roles", "ロール"), claims->roles);
	add_fact(out, start, explain_say(lang, "scopes", "スコープ"), claims->scopes);
	if (claims->expires > now)
		add_fact(
		    out, start, explain_say(lang, "good for", "残り時間"), nd_stamp_span(claims->expires - now, span));
	if (out->len == start)
		(void)nd_buf_adds(out, explain_say(lang, "the token says nothing about itself",
					   "トークンには自身についての記載がありません"));
	add_broad(claims->roles, lang, out);
	add_broad(claims->scopes, lang, out);
	if (fresh)
		add_clock(claims_ahead(claims, now), lang, out);
}

/* -- before the server is asked -- */

enum nd_err
claims_check(const struct claims *claims, const struct conf_account *account, nd_unix now, struct nd_why *why)
{
	const char *service = other_service(claims->audience);

	if (is_microsoft(account) && service != NULL) {
		(void)nd_fail(why, ND_ETOKEN, 0,
		    "the token is for %s (%s), not for Exchange Online: SMTP takes no such token", service,
		    claims->audience);
		return nd_fail_at(why, "scope", 0, "take scope out of the account's section");
	}
	if (claims->expires != 0 && claims->expires <= now) {
		(void)nd_fail(why, ND_ETOKEN, 0,
		    "by this host's clock the token is over already: the clock is ahead, or the issuer's is behind");
		return nd_fail_at(why, "", 0, "set the clock: timedatectl set-ntp true");
	}
	return ND_OK;
}

/* -- after the server has refused -- */

static const char *const fault_names[CLAIMS_FAULT_COUNT] = {
	[CLAIMS_UNKNOWN] = "unknown",
	[CLAIMS_WRONG_AUDIENCE] = "wrong-audience",
	[CLAIMS_NO_CONSENT] = "no-consent",
	[CLAIMS_NO_ROLE] = "no-role",
	[CLAIMS_NO_SCOPE] = "no-scope",
	[CLAIMS_WRONG_PERSON] = "wrong-person",
	[CLAIMS_NO_PRINCIPAL] = "no-principal",
	[CLAIMS_SEND_AS] = "send-as",
};

const char *
claims_fault_name(enum claims_fault fault)
{
	return fault_names[fault];
}

static bool
is_mine(const char *address, const char *user)
{
	return address[0] == '\0' || idn_same_address(address, user);
}

/* High Volume Email goes by another right. */
static bool
may_send(const char *rights, const char *right, const struct conf_account *account)
{
	return has_right(rights, right) || (account->provider == CONF_MICROSOFT_HVE && has_right(rights, "Mail.Send"));
}

static enum claims_fault
judge_person(const struct claims *claims, const struct conf_account *account)
{
	if (!may_send(claims->scopes, "SMTP.Send", account))
		return CLAIMS_NO_SCOPE;
	return is_mine(claims->user, account->user) ? CLAIMS_UNKNOWN : CLAIMS_WRONG_PERSON;
}

/* An application whose rights are given in Exchange (RBAC for Applications) has no role in its token, so nothing is certain without one. */
static enum claims_fault
judge_application(const struct claims *claims, const struct conf_account *account, enum explain_token what)
{
	if (account->provider == CONF_MICROSOFT_HVE)
		return CLAIMS_UNKNOWN; /* its rights are others, and its replies name them */
	if (claims->roles[0] == '\0')
		return CLAIMS_NO_CONSENT;
	if (!may_send(claims->roles, "SMTP.SendAsApp", account))
		return CLAIMS_NO_ROLE;
	return what == EXPLAIN_LOGIN ? CLAIMS_NO_PRINCIPAL : CLAIMS_UNKNOWN;
}

/* A service by its URL that is not one for mail. By its application id it may be any. */
static bool
is_foreign(const char *audience)
{
	return strstr(audience, "://") != NULL && !is_mail(audience);
}

enum claims_fault
claims_blame(const struct claims *claims, const struct conf_account *account, enum explain_token what)
{
	if (what == EXPLAIN_NO_TOKEN || !claims->jwt || !is_microsoft(account))
		return CLAIMS_UNKNOWN;
	if (what == EXPLAIN_SENDER) /* it has signed in: the token is good */
		return claims->scopes[0] != '\0' ? CLAIMS_SEND_AS : CLAIMS_UNKNOWN;
	if (is_foreign(claims->audience) && !is_service(claims->audience, account->host))
		return CLAIMS_WRONG_AUDIENCE;
	return claims->scopes[0] != '\0' ? judge_person(claims, account) : judge_application(claims, account, what);
}

void
claims_facts(const struct claims *claims, struct explain_facts *facts)
{
	const bool person = claims->scopes[0] != '\0';

	if (!claims->jwt)
		return;
	if (claims->app[0] != '\0')
		facts->client_id = claims->app;
	facts->audience = claims->audience;
	facts->rights = person ? claims->scopes : claims->roles;
	if (!person)
		facts->object_id = claims->object;
	else
		facts->person = claims->user[0] != '\0' ? claims->user : facts->user;
}
