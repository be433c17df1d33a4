/* SPDX-License-Identifier: Apache-2.0 */
/* sender.c - the part of a message that depends on the account: who sends it. */
#include "daemon/app.h"

#include "common/mem.h"
#include "common/str.h"
#include "daemon/core/late.h"
#include "daemon/core/mime.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "root on web01" for root@web01.example.com: what readers see when the account's address takes the place of a foreign one. */
static void
origin_words(const char *from, char *out, size_t size)
{
	struct nd_mailbox box = { 0 };
	const char *at;

	out[0] = '\0';
	if (!from || nd_str_mailbox(from, strlen(from), &box, NULL) != ND_OK)
		return;
	at = strrchr(box.address, '@');
	if (box.name)
		(void)snprintf(out, size, "%s", box.name);
	else if (at)
		(void)snprintf(
		    out, size, "%.*s on %.*s", (int)(at - box.address), box.address, (int)strcspn(at + 1, "."), at + 1);
	nd_mailbox_done(&box);
}

void
sender_write(struct queue_job *job, const struct conf_account *account, bool answers)
{
	char origin[400];
	struct mime_sender sender = { .from = job->from, .origin = origin, .answers = answers };
	struct nd_buf head, envelope;

	origin_words(job->from, origin, sizeof(origin));
	nd_buf_init(&head, 16384);
	nd_buf_init(&envelope, 1024);
	mime_head(account, &sender, &head, &envelope);
	free(job->head);
	free(job->envelope_from);
	job->head = nd_buf_take(&head, NULL);
	job->envelope_from = nd_buf_take(&envelope, NULL);
	if (!job->envelope_from)
		job->envelope_from = nd_xstrdup("");
}

bool
sender_pinned(const struct queue_job *job)
{
	return queue_says(job, QUEUE_PINNED);
}

enum mime_plain
sender_plain(const struct queue_job *job)
{
	if (queue_says(job, SENDER_UTF8))
		return MIME_PLAIN_ADDRESSES;
	return queue_says(job, SENDER_WORDS) ? MIME_PLAIN_WORDS : MIME_PLAIN_ALREADY;
}

bool
sender_requires_tls(const struct queue_job *job)
{
	return queue_says(job, "require_tls");
}

void
sender_move(struct queue_job *job, const struct conf_account *account)
{
	late_move(job, account != NULL ? account->name : "");
	free(job->account);
	job->account = nd_xstrdup(account != NULL ? account->name : "");
	if (account != NULL)
		sender_write(job, account, queue_says(job, SENDER_ANSWERS));
}
