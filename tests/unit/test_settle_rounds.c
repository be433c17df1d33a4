/* SPDX-License-Identifier: Apache-2.0 */
/* test_settle_rounds.c - who is asked when, of recipients that are put off. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/core/settle.h"
#include "tests/unit/rows.h"

#define NOW 1000000
#define MANY 60u

static struct conf_account account = { .name = (char[]){ "a" }, .provider = CONF_SMTP, .auth = CONF_PASSWORD };

/* One transaction: of the first `bad` recipients RCPT is answered by `code`, of the others by 250. Returns how many it had. */
static unsigned
transact(struct queue_job *job, unsigned bad, int code, const char *enhanced, unsigned *asked)
{
	static const struct settle_suspect nobody;
	struct settle_mail *mail = settle_mail_new(job);
	struct smtp_outcome outcome = { .end = SMTP_ENDED_RCPTS, .stage = SMTP_AT_RCPT };
	struct settle_case c = { &account, &outcome, mail, ND_DAY(14), 0x80000000u, NOW, &nobody, NULL, false, true };
	const unsigned count = mail->mail.rcpt_count;
	struct settle_word word;

	for (unsigned k = 0; k < count; k++) {
		struct smtp_rcpt_result *result = &mail->results[k];

		asked[mail->index[k]]++;
		*result = (struct smtp_rcpt_result){ .asked = true, .reply = { .code = 250, .lines = 1 } };
		if (mail->index[k] < bad) {
			result->reply.code = code;
			(void)snprintf(result->reply.enhanced, sizeof(result->reply.enhanced), "%s", enhanced);
		} else {
			outcome = (struct smtp_outcome){
				.end = SMTP_ENDED_REPLY, .stage = SMTP_AT_END, .reply = { .code = 250, .lines = 1 }
			};
		}
	}
	settle_outcome(job, &c, &word);
	free(mail);
	return count;
}

static void
who_is_put_off_keeps_nobody_from_being_asked(void **state)
{
	struct queue_job *job = row_make(1, "a", NOW, JOB_WARNING, 3);
	unsigned asked[3] = { 0 };

	(void)state;
	job->most = 1;
	for (unsigned n = 0; n < 2; n++) {
		assert_int_equal(transact(job, 2, 450, "4.2.0", asked), 1);
		assert_int_equal(job->due, NOW);
	}
	assert_int_equal(transact(job, 2, 450, "4.2.0", asked), 1);
	assert_int_equal(job->rcpts[2].state, RCPT_DELIVERED);
	assert_int_equal(job->due, NOW + ND_SEC(10)); /* the first round is over */
	assert_int_equal(asked[0], 1);
	assert_int_equal(asked[1], 1);
	(void)transact(job, 2, 450, "4.2.0", asked);
	assert_int_equal(job->due, NOW);
	(void)transact(job, 2, 450, "4.2.0", asked);
	assert_int_equal(job->due, NOW + ND_SEC(30)); /* by rounds, not by transactions */
	assert_int_equal(asked[0], 2);
	assert_int_equal(asked[1], 2);
	queue_job_free(job);
}

static void
the_good_ones_behind_many_bad_ones_get_their_mail_at_once(void **state)
{
	struct queue_job *job = row_make(1, "a", NOW, JOB_WARNING, MANY);
	unsigned asked[MANY] = { 0 };

	(void)state;
	assert_int_equal(transact(job, 50, 450, "4.2.0", asked), 50);
	assert_int_equal(job->due, NOW);
	assert_int_equal(transact(job, 50, 450, "4.2.0", asked), 10);
	for (unsigned i = 50; i < MANY; i++)
		assert_int_equal(job->rcpts[i].state, RCPT_DELIVERED);
	assert_int_equal(job->due, NOW + ND_SEC(10));
	/* What was counted is gone when it comes back from the store. */
	job->beside = 0;
	assert_int_equal(transact(job, 50, 450, "4.2.0", asked), 50);
	assert_int_equal(job->due, NOW + ND_SEC(30));
	queue_job_free(job);
}

static void
a_long_wait_of_one_holds_nobody_who_was_not_asked(void **state)
{
	struct queue_job *job = row_make(1, "a", NOW, JOB_WARNING, 2);
	unsigned asked[2] = { 0 };

	(void)state;
	account.provider = CONF_MICROSOFT;
	job->most = 1;
	(void)transact(job, 1, 550, "5.2.121", asked);
	assert_int_equal(job->due, NOW);
	(void)transact(job, 1, 550, "5.2.121", asked);
	assert_int_equal(job->rcpts[1].state, RCPT_DELIVERED);
	assert_int_equal(job->due, NOW + ND_HOUR(1)); /* and it is not forgotten for the others' sake */
	account.provider = CONF_SMTP;
	queue_job_free(job);
}

static void
those_for_another_transaction_get_it_though_one_is_put_off(void **state)
{
	struct queue_job *job = row_make(1, "a", NOW, JOB_WARNING, 2);
	struct settle_mail *mail = settle_mail_new(job);
	struct smtp_outcome outcome = { .end = SMTP_ENDED_RCPTS, .stage = SMTP_AT_RCPT };
	const struct settle_suspect nobody = { 0 };
	struct settle_case c = { &account, &outcome, mail, ND_DAY(14), 0x80000000u, NOW, &nobody, NULL, false, true };
	unsigned asked[2] = { 0 };
	struct settle_word word;

	(void)state;
	mail->results[0] = (struct smtp_rcpt_result){ .asked = true, .reply = { .code = 450, .lines = 1 } };
	mail->results[1] = (struct smtp_rcpt_result){ .asked = true,
		.reply = { .code = 451,
		    .enhanced = "4.3.0",
		    .text = "Multiple destination domains per transaction is unsupported",
		    .lines = 1 } };
	settle_outcome(job, &c, &word);
	free(mail);
	assert_int_equal(job->due, NOW);
	assert_int_equal(transact(job, 1, 450, "4.2.0", asked), 1);
	assert_int_equal(asked[1], 1);
	assert_int_equal(job->rcpts[1].state, RCPT_DELIVERED);
	queue_job_free(job);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_is_put_off_keeps_nobody_from_being_asked),
		cmocka_unit_test(the_good_ones_behind_many_bad_ones_get_their_mail_at_once),
		cmocka_unit_test(a_long_wait_of_one_holds_nobody_who_was_not_asked),
		cmocka_unit_test(those_for_another_transaction_get_it_though_one_is_put_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
