/* SPDX-License-Identifier: Apache-2.0 */
/* access.c - who may send to whom, whose jobs are whose.  Layer: core.  Pure. */
#include "daemon/core/access.h"

#include "common/idn.h"

#include <stdio.h>
#include <string.h>

/* systemd's range for DynamicUser=: such a uid is given to another unit once its first one has ended. */
#define DYNAMIC_FIRST 61184u
#define DYNAMIC_LAST 65519u

static bool
same(const char *text, const char *address)
{
	return text != NULL && text[0] != '\0' && idn_same_address(text, address);
}

/* "Name <a@b>" and "a@b" name the same reader. */
static bool
names(const char *written, const char *address)
{
	struct nd_mailbox box = { NULL, NULL };
	bool found;

	if (same(written, address))
		return true;
	if (strchr(written, '<') == NULL || nd_str_mailbox(written, strlen(written), &box, NULL) != ND_OK)
		return false;
	found = same(box.address, address);
	nd_mailbox_done(&box);
	return found;
}

static bool
listed(const struct conf_list *list, const char *address)
{
	for (unsigned i = 0; i < list->count; i++)
		if (names(list->items[i], address))
			return true;
	return false;
}

static bool
domain_is(const char *address, const char *domain)
{
	const char *at = strrchr(address, '@');

	return at != NULL && at[1] != '\0' && domain != NULL && idn_same_domain(at + 1, domain);
}

/* The account's own addresses, and everybody in the domain it sends from. */
static bool
account_knows(const struct conf_account *account, const char *address)
{
	const char *from = account->from_box.address;
	const char *at = from != NULL ? strrchr(from, '@') : NULL;

	return same(from, address) || same(account->envelope_from, address) || same(account->user, address) ||
	       (at != NULL && domain_is(address, at + 1));
}

static bool
opened(const struct conf_list *to_allow, const char *address)
{
	for (unsigned i = 0; i < to_allow->count; i++) {
		const char *item = to_allow->items[i];

		if (strcmp(item, "*") == 0 || (item[0] == '@' && domain_is(address, item + 1)) || names(item, address))
			return true;
	}
	return false;
}

/* The whole line, as it would have to read; when that is too long, only what to add. */
static void
line_to_add(const struct conf_list *to_allow, const char *address, char *out, size_t size)
{
	static const char start[] = "an operator can allow it in notifyd.conf, [access]: to_allow = ";
	int used = snprintf(out, size, "%s", start);

	for (unsigned i = 0; i < to_allow->count && used >= 0 && (size_t)used < size; i++)
		used += snprintf(out + used, size - (size_t)used, "%s, ", to_allow->items[i]);
	if (used >= 0 && (size_t)used < size)
		used += snprintf(out + used, size - (size_t)used, "%s", address);
	if (used < 0 || (size_t)used >= size)
		(void)snprintf(
		    out, size, "an operator can allow it in notifyd.conf: add %s to [access] to_allow", address);
}

enum nd_err
access_recipient(const struct conf *conf, const struct access_peer *peer, const char *address, struct nd_why *why)
{
	char hint[sizeof(((struct nd_why *)NULL)->hint)];

	if (peer->operator_right || conf->account_count == 0)
		return ND_OK;
	if (opened(&conf->to_allow, address) || listed(&conf->to, address) || listed(&conf->admin_to, address))
		return ND_OK;
	for (unsigned i = 0; i < conf->account_count; i++)
		if (account_knows(&conf->account[i], address))
			return ND_OK;
	line_to_add(&conf->to_allow, address, hint, sizeof(hint));
	(void)nd_fail(why, ND_ERCPTDENIED, 0, "\"%.200s\" is not on the list of allowed recipients", address);
	(void)nd_fail_at(why, "to", 0, hint);
	return ND_ERCPTDENIED;
}

bool
access_foreign(const struct conf *conf, const char *address)
{
	for (unsigned i = 0; i < conf->account_count; i++) {
		const char *from = conf->account[i].from_box.address, *at = from != NULL ? strrchr(from, '@') : NULL;

		if (at != NULL && domain_is(address, at + 1))
			return false;
	}
	return conf->account_count > 0;
}

bool
access_needs_unit(uint32_t uid)
{
	return uid >= DYNAMIC_FIRST && uid <= DYNAMIC_LAST;
}

bool
access_own(const struct access_peer *peer, uint32_t uid, const char *unit)
{
	if (peer->uid != uid)
		return false;
	if (!access_needs_unit(uid))
		return true;
	/* Without a unit there is no proof that it is still the same service. */
	return unit != NULL && unit[0] != '\0' && strcmp(peer->unit, unit) == 0;
}
