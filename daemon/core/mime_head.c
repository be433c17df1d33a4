/* SPDX-License-Identifier: Apache-2.0 */
/* mime_head.c - the header lines that depend on the account.  Layer: core (of mime).  Pure. */
#include "common/idn.h"
#include "daemon/core/mime.h"
#include "daemon/core/mime_header.h"

#include <string.h>

static void
add_mailbox(struct nd_buf *head, const char *name, const struct nd_mailbox *box)
{
	struct mime_header header;

	mime_header_begin(&header, head, name);
	mime_header_mailbox(&header, box, 0);
	mime_header_end(&header);
}

/* The author of a mail has an address that every relay can say. */
static bool
usable(const struct nd_mailbox *box)
{
	char ascii[IDN_ADDRESS_SIZE];

	return box->address != NULL && !idn_local(box->address) && idn_address(box->address, ascii, NULL) == ND_OK;
}

static bool
allowed(const struct conf_account *account, const char *address)
{
	char wire[IDN_ADDRESS_SIZE];
	const char *ascii = idn_wire(address, wire);
	unsigned i;

	for (i = 0; i < account->from_allow.count; i++)
		if (nd_str_match(account->from_allow.items[i], address) ||
		    nd_str_match(account->from_allow.items[i], ascii))
			return true;
	return false;
}

/* The original sender stays visible: as Reply-To where answers may go there, else in a field of its own. */
static void
add_original(const struct mime_sender *sender, const struct nd_mailbox *wished, struct nd_buf *head)
{
	if (!usable(wished))
		mime_header_text(head, "X-Original-From", sender->from);
	else if (sender->answers)
		add_mailbox(head, "Reply-To", wished);
	else
		add_mailbox(head, "X-Original-From", wished);
}

static bool
is_own(const struct conf_account *account, const struct nd_mailbox *wished)
{
	return wished->address != NULL && idn_same_address(wished->address, account->from_box.address);
}

/* May it stand, though it is not the account's own? */
static bool
may_stand(const struct conf_account *account, const struct nd_mailbox *wished)
{
	return account->from_policy == CONF_FROM_ALLOW && usable(wished) && allowed(account, wished->address);
}

static void
add_from(const struct conf_account *account, const struct mime_sender *sender, const struct nd_mailbox *wished,
    struct nd_buf *head)
{
	struct nd_mailbox from = account->from_box; /* borrowed texts */
	bool same = is_own(account, wished);

	if (account->from_policy == CONF_FROM_FORCE || sender->from == NULL) {
		add_mailbox(head, "From", &from);
		return;
	}
	if (same || may_stand(account, wished)) {
		from.address = wished->address;
		if (wished->name != NULL || !same)
			from.name = wished->name;
		add_mailbox(head, "From", &from);
		return;
	}
	if (sender->origin != NULL && sender->origin[0] != '\0')
		add_mailbox(head, "From", &(struct nd_mailbox){ (char *)(uintptr_t)sender->origin, from.address });
	else
		add_mailbox(head, "From", &from);
	add_original(sender, wished, head);
}

void
mime_head(const struct conf_account *account, const struct mime_sender *sender, struct nd_buf *head,
    struct nd_buf *envelope_from)
{
	struct nd_mailbox wished = { NULL, NULL };

	if (sender->from != NULL)
		(void)!nd_str_mailbox(sender->from, strlen(sender->from), &wished, NULL);
	add_from(account, sender, &wished, head);
	nd_mailbox_done(&wished);
	nd_buf_adds(envelope_from, account->envelope_from != NULL && account->envelope_from[0] != '\0'
				       ? account->envelope_from
				       : account->from_box.address);
}

bool
mime_head_foreign(const struct conf_account *account, const char *from)
{
	struct nd_mailbox wished = { NULL, NULL };
	bool foreign;

	if (from == NULL || account->from_policy != CONF_FROM_ALLOW)
		return false;
	(void)!nd_str_mailbox(from, strlen(from), &wished, NULL);
	foreign = may_stand(account, &wished) && !is_own(account, &wished);
	nd_mailbox_done(&wished);
	return foreign;
}
