/* SPDX-License-Identifier: Apache-2.0 */
/* settle_mail.c - which recipients of a job go in its next transaction.  Layer: core. */
#include "daemon/core/settle.h"

#include "common/mem.h"
#include "common/str.h"

#include <string.h>

/* One that was put off keeps nobody waiting: it is asked again when everybody was. */
static bool
may_go(const struct queue_rcpt *rcpt)
{
	return rcpt->state == RCPT_PENDING && !rcpt->wait && !rcpt->put_off;
}

static bool
goes_along(const struct queue_rcpt *rcpt)
{
	return may_go(rcpt) && !rcpt->alone;
}

/* The domains of one transaction. */
struct domains {
	const char *seen[SETTLE_DOMAINS];
	unsigned count;
};

/* The server may not take so many domains at once: then those of the first ones go. */
static bool
joins(struct domains *domains, const struct queue_job *job, const struct queue_rcpt *rcpt)
{
	const unsigned most = job->domains < SETTLE_DOMAINS ? job->domains : SETTLE_DOMAINS;
	const char *at, *domain;

	if (!goes_along(rcpt))
		return false;
	if (most == 0)
		return true;
	at = strrchr(rcpt->address, '@');
	domain = at ? at + 1 : "";
	for (unsigned n = 0; n < domains->count; n++)
		if (nd_str_eq_nocase(domains->seen[n], domain))
			return true;
	if (domains->count == most)
		return false;
	domains->seen[domains->count++] = domain;
	return true;
}

unsigned
settle_mail_together(const struct queue_job *job)
{
	struct domains domains = { .count = 0 };
	unsigned i, count = 0, most = job->most > 0 ? job->most : SETTLE_RCPTS;

	for (i = 0; i < job->rcpt_count && count < most; i++)
		count += joins(&domains, job, &job->rcpts[i]);
	return count;
}

/* Of those that go alone; rcpt_count: nobody is left. */
static unsigned
whose_turn(const struct queue_job *job)
{
	unsigned i = 0;

	while (i < job->rcpt_count && !may_go(&job->rcpts[i]))
		i++;
	return i;
}

bool
settle_round_over(struct queue_job *job)
{
	unsigned put_off = 0;

	if (whose_turn(job) < job->rcpt_count)
		return false;
	for (unsigned i = 0; i < job->rcpt_count; i++) {
		put_off += job->rcpts[i].state == RCPT_PENDING && job->rcpts[i].put_off;
		job->rcpts[i].put_off = false;
	}
	return put_off > 0;
}

unsigned
settle_mail_size(const struct queue_job *job)
{
	const unsigned most = settle_mail_together(job);

	return most > 0 ? most : whose_turn(job) < job->rcpt_count;
}

struct settle_mail *
settle_mail_new(const struct queue_job *job)
{
	struct domains domains = { .count = 0 };
	struct settle_mail *mail;
	unsigned i, n = 0, most = settle_mail_together(job), lone = most == 0 ? whose_turn(job) : job->rcpt_count;

	if (lone < job->rcpt_count)
		most = 1;
	/* One block: this is done for every mail. */
	mail = nd_xalloc(sizeof(*mail) + most * (sizeof(*mail->results) + sizeof(*mail->rcpts) + sizeof(*mail->index)));
	mail->rcpts = (const char **)(mail + 1);
	mail->results = (struct smtp_rcpt_result *)(mail->rcpts + most);
	mail->index = (unsigned *)(mail->results + most);
	for (i = 0; i < job->rcpt_count && n < most; i++)
		if (i == lone || joins(&domains, job, &job->rcpts[i])) {
			mail->rcpts[n] = job->rcpts[i].address;
			mail->index[n++] = i;
		}
	mail->mail.from = job->envelope_from;
	mail->mail.rcpts = mail->rcpts;
	mail->mail.rcpt_count = n;
	mail->mail.results = mail->results;
	return mail;
}
