/* SPDX-License-Identifier: Apache-2.0 */
/* test_settle.c - what a transaction came to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/core/settle.h"
#include "tests/unit/rows.h"

#define NOW 1000000

static struct conf_account account = { .name = (char[]){ "a" }, .provider = CONF_SMTP, .auth = CONF_PASSWORD };

struct play {
	struct queue_job *job;
	struct settle_mail *mail;
	struct smtp_outcome outcome;
	struct settle_word word;
	bool elsewhere, alone;
};

static void
begin(struct play *play, unsigned rcpts)
{
	*play = (struct play){ .job = row_make(1, "a", NOW, JOB_WARNING, rcpts) };
	play->mail = settle_mail_new(play->job);
	play->outcome = (struct smtp_outcome){ .end = SMTP_ENDED_REPLY, .stage = SMTP_AT_END };
}

static void
reply(struct smtp_reply *to, int code, const char *enhanced, const char *text)
{
	*to = (struct smtp_reply){ .code = code, .lines = 1 };
	(void)snprintf(to->enhanced, sizeof(to->enhanced), "%s", enhanced);
	(void)snprintf(to->text, sizeof(to->text), "%s", text);
}

static void
rcpt(struct play *play, unsigned k, int code, const char *enhanced, const char *text)
{
	play->mail->results[k].asked = true;
	reply(&play->mail->results[k].reply, code, enhanced, text);
}

static struct settle_suspect nobody;

static void
settle(struct play *play)
{
	struct settle_case c = { &account, &play->outcome, play->mail, ND_DAY(14), 0x80000000u, NOW, &nobody, NULL,
		play->elsewhere, play->alone };

	settle_outcome(play->job, &c, &play->word);
}

static void
end(struct play *play)
{
	free(play->mail);
	queue_job_free(play->job);
}

static void
a_refused_recipient_does_not_stop_the_others(void **state)
{
	struct play play;

	(void)state;
	begin(&play, 3);
	rcpt(&play, 0, 250, "2.1.5", "ok");
	rcpt(&play, 1, 550, "5.1.1", "no such user");
	rcpt(&play, 2, 250, "2.1.5", "ok");
	reply(&play.outcome.reply, 250, "2.0.0", "OK queued");
	settle(&play);
	assert_int_equal(play.job->state, JOB_DELIVERED);
	assert_int_equal(play.job->rcpts[0].state, RCPT_DELIVERED);
	assert_int_equal(play.job->rcpts[0].code, 250);
	assert_int_equal(play.job->rcpts[1].state, RCPT_REFUSED);
	assert_int_equal(play.job->rcpts[1].code, 550);
	assert_string_equal(play.job->rcpts[1].enhanced, "5.1.1");
	assert_int_equal(play.job->rcpts[2].state, RCPT_DELIVERED);
	assert_true(play.word.counted && play.word.delivered && !play.word.account_fault);
	assert_int_equal(play.job->attempt_count, 1);
	end(&play);
}

static void
only_the_undelivered_are_tried_again(void **state)
{
	struct play play;

	(void)state;
	begin(&play, 2);
	rcpt(&play, 0, 250, "", "ok");
	rcpt(&play, 1, 450, "4.2.1", "mailbox busy");
	reply(&play.outcome.reply, 250, "", "ok");
	settle(&play);
	assert_int_equal(play.job->state, JOB_QUEUED);
	assert_int_equal(play.job->due, NOW + ND_SEC(10));
	assert_non_null(strstr(play.job->reason, "450 4.2.1 mailbox busy"));
	free(play.mail);
	play.mail = settle_mail_new(play.job);
	assert_int_equal(play.mail->mail.rcpt_count, 1);
	assert_string_equal(play.mail->rcpts[0], "r1@b.example");
	assert_int_equal(play.mail->index[0], 1);
	end(&play);
}

static void
all_refused_is_failed_with_the_relays_words(void **state)
{
	struct play play;

	(void)state;
	begin(&play, 1);
	rcpt(&play, 0, 550, "5.1.1", "no such user");
	play.outcome.end = SMTP_ENDED_RCPTS;
	play.outcome.stage = SMTP_AT_RCPT;
	settle(&play);
	assert_int_equal(play.job->state, JOB_FAILED);
	assert_non_null(strstr(play.job->reason, "550 5.1.1 no such user"));
	end(&play);
}

static void
too_big_for_this_account_is_for_another_one(void **state)
{
	struct play play;

	(void)state;
	begin(&play, 2);
	play.elsewhere = true;
	play.outcome.stage = SMTP_AT_MAIL;
	reply(&play.outcome.reply, 552, "5.3.4", "too big for a");
	settle(&play);
	assert_int_equal(play.job->state, JOB_QUEUED);
	assert_int_equal(play.job->due, NOW);
	assert_true(play.word.counted && play.word.elsewhere && !play.word.account_fault);
	assert_int_equal(play.job->rcpts[1].state, RCPT_PENDING);
	assert_string_equal(play.job->declined, "too-big: 552 5.3.4 too big for a\na");
	/* The last one there is refuses it as well. */
	account.name[0] = 'b';
	play.elsewhere = false;
	reply(&play.outcome.reply, 552, "5.3.4", "too big for b");
	settle(&play);
	account.name[0] = 'a';
	assert_int_equal(play.job->state, JOB_FAILED);
	assert_string_equal(play.job->reason, "too-big: 552 5.3.4 too big for a");
	assert_string_equal(play.job->rcpts[0].text, "too big for a");
	assert_int_equal(play.job->attempt_count, 2);
	assert_int_equal(play.word.refused.job[0], 0); /* no matter of the account */
	end(&play);
}

/* A job may stand as somebody else (from_policy = allow): that this is not allowed there is no fault of the account. */
static void
a_sender_of_its_own_that_is_refused_does_not_hold_the_account(void **state)
{
	static const char *const texts[] = { "SendAsDenied; alerts@a.example not allowed to send as hr@a.example",
		"Message rejected: Email address is not verified. The following identities failed: hr@a.example" };
	struct conf_account before = account;
	struct play play;

	(void)state;
	account.from_box.address = (char[]){ "alerts@a.example" };
	account.from_policy = CONF_FROM_ALLOW;
	account.from_allow = (struct conf_list){ (char *[]){ (char[]){ "*@a.example" } }, 1 };
	for (unsigned i = 0; i < 6; i++) {
		begin(&play, 1);
		play.elsewhere = i / 2 == 1;
		free(play.job->from);
		play.job->from = nd_xstrdup(i / 2 < 2 ? "HR <hr@a.example>" : "<Alerts@a.example>");
		reply(&play.outcome.reply, 554, "", texts[i % 2]);
		settle(&play);
		assert_int_equal(play.word.account_fault, i / 2 == 2);
		assert_int_equal(play.word.elsewhere, i / 2 == 1);
		assert_int_equal(play.job->state, i / 2 == 0 ? JOB_FAILED : JOB_QUEUED);
		end(&play);
	}
	/* The envelope has the account's sender. */
	begin(&play, 1);
	free(play.job->from);
	play.job->from = nd_xstrdup("hr@a.example");
	play.outcome.stage = SMTP_AT_MAIL;
	reply(&play.outcome.reply, 550, "5.7.60", "Client does not have permissions to send as this sender");
	settle(&play);
	assert_true(play.word.account_fault);
	end(&play);
	account = before;
}

/* Amazon SES in its sandbox, about a reader. */
static void
a_reader_who_is_not_verified_is_refused_alone(void **state)
{
	static const char text[] =
	    "Message rejected: Email address is not verified. The following identities failed the check in region "
	    "EU-WEST-1: R1@b.example, x-r0@b.example";
	struct conf_account before = account;
	struct play play;

	(void)state;
	account.from_box.address = (char[]){ "alerts@a.example" };
	begin(&play, 2);
	reply(&play.outcome.reply, 554, "", text);
	settle(&play);
	assert_false(play.word.account_fault);
	assert_int_equal(play.job->state, JOB_QUEUED);
	assert_int_equal(play.job->due, NOW);
	assert_int_equal(play.job->rcpts[0].state, RCPT_PENDING);
	assert_int_equal(play.job->rcpts[1].state, RCPT_REFUSED);
	end(&play);
	/* The account's own address is among them: nothing leaves till it is verified. */
	account.from_box.address = (char[]){ "x-r0@b.example" };
	begin(&play, 2);
	reply(&play.outcome.reply, 554, "", text);
	settle(&play);
	assert_true(play.word.account_fault);
	end(&play);
	account = before;
}

static void
only_who_cannot_be_named_here_goes_elsewhere(void **state)
{
	struct play play;

	(void)state;
	begin(&play, 3);
	play.elsewhere = true;
	rcpt(&play, 0, 250, "2.1.5", "ok");
	rcpt(&play, 1, 553, "5.6.7", "needs SMTPUTF8");
	rcpt(&play, 2, 550, "5.1.1", "no such user");
	reply(&play.outcome.reply, 250, "2.0.0", "OK queued");
	settle(&play);
	assert_int_equal(play.job->state, JOB_QUEUED);
	assert_int_equal(play.job->rcpts[0].state, RCPT_DELIVERED);
	assert_int_equal(play.job->rcpts[1].state, RCPT_PENDING);
	assert_int_equal(play.job->rcpts[2].state, RCPT_REFUSED);
	assert_true(play.word.elsewhere && play.word.delivered);
	assert_non_null(strstr(play.job->reason, "needs-smtputf8"));
	settle_declined(play.job, NOW + 1); /* whoever was left has gone meanwhile */
	assert_int_equal(play.job->state, JOB_DELIVERED);
	assert_int_equal(play.job->rcpts[1].state, RCPT_REFUSED);
	assert_int_equal(play.job->rcpts[1].at, NOW + 1);
	end(&play);
}

static void
what_a_filter_says_of_a_sensitive_message_is_judged_and_not_kept(void **state)
{
	struct play play;

	(void)state;
	begin(&play, 1);
	play.job->sealed = true;
	rcpt(&play, 0, 250, "2.1.5", "ok");
	reply(&play.outcome.reply, 554, "5.7.1", "the link https://example.com/reset/4711 is blocked");
	settle(&play);
	assert_int_equal(play.job->state, JOB_FAILED);
	assert_int_equal(play.job->rcpts[0].code, 554);
	assert_string_equal(play.job->rcpts[0].enhanced, "5.7.1");
	assert_null(strstr(play.job->rcpts[0].text, "4711"));
	assert_null(strstr(play.job->reason, "4711"));
	assert_null(strstr(play.word.reply->text, "4711"));
	end(&play);
	begin(&play, 1); /* what was said before the content, and of an ordinary one, is kept */
	play.job->sealed = true;
	rcpt(&play, 0, 550, "5.1.1", "no such user");
	play.outcome.end = SMTP_ENDED_RCPTS;
	settle(&play);
	assert_string_equal(play.job->rcpts[0].text, "no such user");
	end(&play);
	begin(&play, 1);
	rcpt(&play, 0, 250, "2.1.5", "ok");
	reply(&play.outcome.reply, 554, "5.7.1", "blocked");
	settle(&play);
	assert_string_equal(play.job->rcpts[0].text, "blocked");
	end(&play);
}

/* The tenant has sent enough to the outside. */
static void
external_recipients_wait_an_hour_unless_another_account_would_take_them(void **state)
{
	static const char words[] = "Your message can't be sent because your tenant has exceeded its daily limit for "
				    "sending email to external recipients";
	struct play play;

	(void)state;
	account.provider = CONF_MICROSOFT;
	begin(&play, 2);
	play.alone = true;
	rcpt(&play, 0, 550, "5.7.233", words);
	rcpt(&play, 1, 250, "2.1.5", "ok");
	reply(&play.outcome.reply, 250, "2.0.0", "ok");
	settle(&play);
	assert_false(play.word.account_fault);
	assert_int_equal(play.job->state, JOB_QUEUED);
	assert_int_equal(play.job->rcpts[0].state, RCPT_PENDING);
	assert_int_equal(play.job->rcpts[1].state, RCPT_DELIVERED);
	assert_true(play.job->due >= NOW + ND_HOUR(1));
	end(&play);
	/* nobody knows whom the reply to the whole mail means; with another account all goes there */
	for (int n = 0; n < 2; n++) {
		begin(&play, 1);
		play.alone = n == 0;
		if (n == 0) {
			rcpt(&play, 0, 250, "2.1.5", "ok");
			reply(&play.outcome.reply, 550, "5.7.233", words);
		} else {
			rcpt(&play, 0, 550, "5.7.233", words);
			play.outcome.end = SMTP_ENDED_RCPTS;
			play.outcome.stage = SMTP_AT_RCPT;
		}
		settle(&play);
		assert_true(play.word.account_fault);
		assert_string_equal(play.word.fault.reason, "quota");
		assert_int_equal(play.word.fault.verdict, VERDICT_THROTTLED);
		end(&play);
	}
	account.provider = CONF_SMTP;
}

static void
a_message_that_is_found_damaged_amid_its_content_fails(void **state)
{
	struct play play;

	(void)state;
	begin(&play, 1);
	play.outcome = (struct smtp_outcome){ .end = SMTP_ENDED_LOST, .stage = SMTP_AT_END, .unharmed = true };
	(void)nd_fail(&play.outcome.why, ND_EBODYGONE, 0, "it is damaged");
	settle(&play);
	assert_true(play.word.counted);
	assert_false(play.word.account_fault);
	assert_int_equal(play.job->state, JOB_FAILED);
	end(&play);
}

static void
a_lost_end_of_data_is_uncertain_and_tried_again(void **state)
{
	struct play play;

	(void)state;
	begin(&play, 1);
	rcpt(&play, 0, 250, "", "ok");
	play.outcome = (struct smtp_outcome){ .end = SMTP_ENDED_LOST, .stage = SMTP_AT_END, .uncertain = true };
	(void)nd_fail(&play.outcome.why, ND_ECLOSED, 0, "the connection was lost");
	settle(&play);
	assert_int_equal(play.job->state, JOB_QUEUED);
	assert_true(play.job->uncertain);
	assert_true(play.job->rcpts[0].uncertain);
	assert_true(play.job->due > NOW);
	/* Delivered at last: it may have arrived twice, and that stays told. */
	play.outcome = (struct smtp_outcome){ .end = SMTP_ENDED_REPLY, .stage = SMTP_AT_END };
	reply(&play.outcome.reply, 250, "", "ok");
	settle(&play);
	assert_int_equal(play.job->state, JOB_DELIVERED);
	assert_true(play.job->uncertain);
	assert_true(play.job->rcpts[0].uncertain);
	end(&play);
}

static void
one_who_was_refused_has_not_got_what_others_may_have(void **state)
{
	struct play play;

	(void)state;
	begin(&play, 2);
	rcpt(&play, 0, 250, "", "ok");
	rcpt(&play, 1, 450, "4.2.0", "greylisted");
	play.outcome = (struct smtp_outcome){ .end = SMTP_ENDED_LOST, .stage = SMTP_AT_END, .uncertain = true };
	settle(&play);
	assert_int_equal(play.job->state, JOB_QUEUED);
	assert_true(play.job->uncertain);
	assert_true(play.job->rcpts[0].uncertain);
	assert_false(play.job->rcpts[1].uncertain);
	end(&play);
}

static void
a_reused_session_that_dies_costs_no_attempt(void **state)
{
	struct play play;

	(void)state;
	begin(&play, 1);
	play.outcome = (struct smtp_outcome){ .end = SMTP_ENDED_LOST, .stage = SMTP_AT_MAIL, .unharmed = true };
	settle(&play);
	assert_false(play.word.counted);
	assert_int_equal(play.job->attempt_count, 0);
	assert_int_equal(play.job->state, JOB_QUEUED);
	assert_int_equal(play.job->due, NOW);
	end(&play);
}

/* What breaks each session may be its own content. */
static void
the_second_reused_session_in_a_row_that_dies_costs_an_attempt(void **state)
{
	static const enum nd_err errs[] = { ND_ECLOSED, ND_EDEADLINE };
	static const char *const words[] = { "connection-lost: gone", "timeout: gone" };
	struct play play;

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		begin(&play, 1);
		play.outcome =
		    (struct smtp_outcome){ .end = SMTP_ENDED_LOST, .stage = SMTP_AT_CONTENT, .unharmed = true };
		(void)nd_fail(&play.outcome.why, errs[i], 0, "gone");
		for (unsigned turn = 1; turn < 7; turn++) {
			settle(&play);
			assert_int_equal(play.word.counted, turn % 2 == 0);
			assert_int_equal(play.job->attempt_count, turn / 2);
		}
		assert_int_equal(play.job->state, JOB_QUEUED);
		assert_true(play.job->due > NOW + ND_SEC(40)); /* as after any third attempt */
		assert_string_equal(play.job->reason, words[i]);
		assert_false(play.job->uncertain);
		end(&play);
	}
}

static void
what_is_counted_between_two_lost_sessions_makes_the_second_the_first(void **state)
{
	struct play play;

	(void)state;
	begin(&play, 1);
	for (unsigned turn = 0; turn < 3; turn++) {
		play.outcome = (struct smtp_outcome){ .end = SMTP_ENDED_LOST, .stage = SMTP_AT_MAIL, .unharmed = true };
		settle(&play);
		assert_false(play.word.counted);
		play.outcome = (struct smtp_outcome){ .end = SMTP_ENDED_REPLY, .stage = SMTP_AT_END };
		reply(&play.outcome.reply, 451, "4.3.0", "busy");
		settle(&play);
		assert_true(play.word.counted);
		assert_int_equal(play.job->attempt_count, turn + 1);
	}
	end(&play);
}

/* That a recipient was refused, and the job counted for it, makes the loss no other one. */
static void
a_session_lost_after_a_refused_recipient_is_remembered(void **state)
{
	struct play play;

	(void)state;
	begin(&play, 2);
	rcpt(&play, 0, 250, "", "ok");
	rcpt(&play, 1, 550, "5.1.1", "no such user");
	play.outcome = (struct smtp_outcome){ .end = SMTP_ENDED_LOST, .stage = SMTP_AT_CONTENT, .unharmed = true };
	(void)nd_fail(&play.outcome.why, ND_ECLOSED, 0, "gone");
	settle(&play);
	assert_true(play.word.counted);
	assert_int_equal(play.job->due, NOW);
	free(play.mail);
	play.mail = settle_mail_new(play.job);
	rcpt(&play, 0, 250, "", "ok");
	settle(&play);
	assert_true(play.word.counted);
	assert_true(play.job->due > NOW);
	end(&play);
}

static void
a_fault_of_the_account_leaves_the_job_as_it_was(void **state)
{
	struct play play;

	(void)state;
	begin(&play, 1);
	rcpt(&play, 0, 250, "", "ok");
	play.outcome.stage = SMTP_AT_MAIL;
	play.mail->results[0].asked = false;
	reply(&play.outcome.reply, 530, "5.7.57", "Client not authenticated to send mail");
	account.provider = CONF_MICROSOFT;
	settle(&play);
	account.provider = CONF_SMTP;
	assert_true(play.word.account_fault);
	assert_int_equal(play.word.fault.verdict, VERDICT_HELD);
	assert_false(play.word.counted);
	assert_int_equal(play.job->attempt_count, 0);
	assert_int_equal(play.job->rcpts[0].state, RCPT_PENDING);
	assert_int_equal(play.job->state, JOB_QUEUED);
	end(&play);
}

static void
a_recipient_put_off_alone_is_tried_later_not_at_once(void **state)
{
	struct play play;

	(void)state;
	begin(&play, 1);
	rcpt(&play, 0, 452, "4.5.3", "too many recipients");
	play.outcome.end = SMTP_ENDED_RCPTS;
	play.outcome.stage = SMTP_AT_RCPT;
	settle(&play);
	assert_true(play.word.counted);
	assert_int_equal(play.job->state, JOB_QUEUED);
	assert_true(play.job->due > NOW);
	end(&play);
}

static void
too_many_for_one_transaction_are_delivered_in_the_next_at_once(void **state)
{
	struct play play;

	(void)state;
	begin(&play, 4);
	rcpt(&play, 0, 250, "2.1.5", "ok");
	rcpt(&play, 1, 452, "4.5.3", "Error: too many recipients");
	rcpt(&play, 2, 552, "", "too many recipients");
	rcpt(&play, 3, 451, "4.5.3", "no more in this one");
	reply(&play.outcome.reply, 250, "2.0.0", "OK queued");
	settle(&play);
	assert_int_equal(play.job->state, JOB_QUEUED);
	assert_int_equal(play.job->due, NOW);
	assert_true(play.word.delivered && !play.word.account_fault);
	assert_string_equal(play.word.cause.reason, "too-many-recipients");
	assert_int_equal(play.job->rcpts[0].state, RCPT_DELIVERED);
	for (unsigned k = 1; k < 4; k++)
		assert_int_equal(play.job->rcpts[k].state, RCPT_PENDING);
	free(play.mail);
	play.mail = settle_mail_new(play.job);
	assert_int_equal(play.mail->mail.rcpt_count, 3);
	for (unsigned k = 0; k < 3; k++) {
		assert_int_equal(play.mail->index[k], k + 1);
		rcpt(&play, k, 250, "2.1.5", "ok");
	}
	settle(&play);
	assert_int_equal(play.job->state, JOB_DELIVERED);
	assert_int_equal(play.job->attempt_count, 2);
	assert_null(play.job->reason);
	end(&play);
}

static void
many_recipients_go_in_several_transactions(void **state)
{
	struct play play;
	unsigned k;

	(void)state;
	begin(&play, SETTLE_RCPTS + 7);
	assert_int_equal(play.mail->mail.rcpt_count, SETTLE_RCPTS);
	for (k = 0; k < SETTLE_RCPTS; k++)
		rcpt(&play, k, 250, "", "ok");
	reply(&play.outcome.reply, 250, "", "ok");
	settle(&play);
	assert_int_equal(play.job->state, JOB_QUEUED);
	assert_int_equal(play.job->due, NOW); /* the rest at once */
	end(&play);
}

static void
when_the_time_is_over_pending_recipients_expire(void **state)
{
	struct play play;

	(void)state;
	begin(&play, 2);
	play.job->expires = NOW;
	rcpt(&play, 0, 250, "", "ok");
	rcpt(&play, 1, 450, "", "later");
	reply(&play.outcome.reply, 250, "", "ok");
	settle(&play);
	assert_int_equal(play.job->state, JOB_EXPIRED);
	assert_int_equal(play.job->rcpts[0].state, RCPT_DELIVERED);
	assert_int_equal(play.job->rcpts[1].state, RCPT_EXPIRED);
	end(&play);
}

static void
a_manner_that_was_refused_costs_the_mail_nothing(void **state)
{
	struct play play;

	(void)state;
	begin(&play, 2);
	rcpt(&play, 0, 250, "", "ok");
	rcpt(&play, 1, 250, "", "ok");
	reply(&play.outcome.reply, 503, "5.5.1", "bad sequence of commands");
	play.outcome.misfit = true;
	settle(&play);
	assert_false(play.word.counted || play.word.account_fault);
	assert_int_equal(play.job->state, JOB_QUEUED);
	assert_int_equal(play.job->due, NOW);
	assert_int_equal(play.job->attempt_count, 0);
	end(&play);

	begin(&play, 2); /* a recipient that was refused before is refused all the same */
	rcpt(&play, 0, 250, "", "ok");
	rcpt(&play, 1, 550, "5.1.1", "no such user");
	reply(&play.outcome.reply, 503, "5.5.1", "bad sequence of commands");
	play.outcome.misfit = true;
	settle(&play);
	assert_true(play.word.counted && !play.word.account_fault);
	assert_int_equal(play.job->state, JOB_QUEUED);
	assert_int_equal(play.job->due, NOW);
	assert_int_equal(play.job->rcpts[0].state, RCPT_PENDING);
	assert_int_equal(play.job->rcpts[1].state, RCPT_REFUSED);
	end(&play);
}

static void
a_server_that_counts_domains_gets_those_of_the_first_ones(void **state)
{
	static const char *const addresses[] = { "a@one.example", "b@two.example", "c@ONE.example", "d@three.example",
		"e@two.example" };
	static const unsigned of_two[] = { 0, 1, 2, 4 }, of_one[] = { 0, 2 };
	struct queue_job *job = row_make(1, "a", NOW, JOB_WARNING, 5);
	struct settle_mail *mail;

	(void)state;
	for (unsigned i = 0; i < 5; i++) {
		free(job->rcpts[i].address);
		job->rcpts[i].address = nd_xstrdup(addresses[i]);
	}
	job->domains = 2;
	mail = settle_mail_new(job);
	assert_int_equal(mail->mail.rcpt_count, 4);
	assert_memory_equal(mail->index, of_two, sizeof(of_two));
	free(mail);
	job->domains = 1;
	mail = settle_mail_new(job);
	assert_int_equal(mail->mail.rcpt_count, 2);
	assert_memory_equal(mail->index, of_one, sizeof(of_one));
	free(mail);
	job->most = 1; /* both limits hold */
	assert_int_equal(settle_mail_size(job), 1);
	job->most = 0;
	job->domains = 1000;
	assert_int_equal(settle_mail_size(job), 5);
	job->domains = 1;
	job->rcpts[0].state = job->rcpts[2].state = RCPT_DELIVERED; /* the next domain's turn */
	mail = settle_mail_new(job);
	assert_int_equal(mail->mail.rcpt_count, 2);
	assert_string_equal(mail->rcpts[0], "b@two.example");
	assert_string_equal(mail->rcpts[1], "e@two.example");
	free(mail);
	queue_job_free(job);
}

static void
a_recipient_refused_for_what_was_added_to_rcpt_is_asked_again(void **state)
{
	struct play play;

	(void)state;
	begin(&play, 2); /* nobody was taken: nothing has happened */
	rcpt(&play, 0, 555, "5.5.4", "unsupported option");
	rcpt(&play, 1, 555, "5.5.4", "unsupported option");
	play.mail->results[0].misfit = play.mail->results[1].misfit = true;
	play.outcome.end = SMTP_ENDED_RCPTS;
	play.outcome.stage = SMTP_AT_RCPT;
	settle(&play);
	assert_false(play.word.counted || play.word.account_fault);
	assert_int_equal(play.job->state, JOB_QUEUED);
	assert_int_equal(play.job->due, NOW);
	assert_int_equal(play.job->rcpts[0].state, RCPT_PENDING);
	assert_int_equal(play.job->attempt_count, 0);
	end(&play);

	begin(&play, 2); /* the other one has it, and does not get it twice */
	rcpt(&play, 0, 555, "5.5.4", "unsupported option");
	rcpt(&play, 1, 250, "", "ok");
	play.mail->results[0].misfit = true;
	reply(&play.outcome.reply, 250, "2.0.0", "queued");
	settle(&play);
	assert_true(play.word.counted && play.word.delivered && !play.word.account_fault);
	assert_int_equal(play.job->state, JOB_QUEUED);
	assert_int_equal(play.job->due, NOW);
	assert_int_equal(play.job->rcpts[0].state, RCPT_PENDING);
	assert_int_equal(play.job->rcpts[1].state, RCPT_DELIVERED);
	end(&play);
}

/* RCPT k was answered by a 421; those before it were accepted, those behind it never asked. */
static void
cut(struct play *play, unsigned k)
{
	unsigned i;

	free(play->mail);
	play->mail = settle_mail_new(play->job);
	play->outcome = (struct smtp_outcome){ .end = SMTP_ENDED_REPLY, .stage = SMTP_AT_RCPT };
	for (i = 0; i < k; i++)
		rcpt(play, i, 250, "", "ok");
	rcpt(play, k, 421, "4.3.0", "try again later");
	play->outcome.reply = play->mail->results[k].reply;
	settle(play);
}

static void
pass(struct play *play)
{
	unsigned i;

	free(play->mail);
	play->mail = settle_mail_new(play->job);
	play->outcome = (struct smtp_outcome){ .end = SMTP_ENDED_REPLY, .stage = SMTP_AT_END };
	for (i = 0; i < play->mail->mail.rcpt_count; i++)
		rcpt(play, i, 250, "", "ok");
	reply(&play->outcome.reply, 250, "", "ok");
	settle(play);
}

static void
a_recipient_that_ends_the_session_goes_alone_and_behind_the_others(void **state)
{
	struct play play;

	(void)state;
	begin(&play, 3);
	cut(&play, 1);
	assert_false(play.word.account_fault || play.word.counted);
	assert_string_equal(play.word.suspect.rcpt, "r1@b.example");
	assert_int_equal(play.job->due, NOW);
	pass(&play); /* the others */
	assert_int_equal(play.mail->mail.rcpt_count, 2);
	assert_int_equal(play.job->rcpts[0].state, RCPT_DELIVERED);
	assert_int_equal(play.job->rcpts[1].state, RCPT_PENDING);
	assert_int_equal(play.job->rcpts[2].state, RCPT_DELIVERED);
	assert_int_equal(play.job->due, NOW);
	cut(&play, 0); /* it alone: put off as any other */
	assert_int_equal(play.mail->mail.rcpt_count, 1);
	assert_true(play.word.counted && !play.word.account_fault);
	assert_int_equal(play.job->attempt_count, 2);
	assert_true(play.job->due > NOW);
	assert_non_null(strstr(play.job->reason, "421 4.3.0"));
	end(&play);
}

static void
two_recipients_that_end_the_session_take_turns(void **state)
{
	struct play play;

	(void)state;
	begin(&play, 2);
	cut(&play, 0);
	cut(&play, 0);
	assert_string_equal(play.mail->rcpts[0], "r1@b.example");
	assert_false(play.word.account_fault || play.word.counted); /* one job says nothing about the account */
	cut(&play, 0);
	assert_string_equal(play.mail->rcpts[0], "r0@b.example");
	assert_int_equal(play.job->attempt_count, 1);
	cut(&play, 0);
	assert_string_equal(play.mail->rcpts[0], "r1@b.example");
	end(&play);
}

static void
the_session_ends_over_mails_of_two_jobs_and_it_is_the_account(void **state)
{
	struct settle_suspect other = { .job = "01K00000000000000000000009", .rcpt = "r9@b.example" };
	struct play play;

	(void)state;
	nobody = other;
	begin(&play, 2);
	cut(&play, 0);
	assert_true(play.word.account_fault && !play.word.counted);
	assert_int_equal(play.word.fault.verdict, VERDICT_FAILING);
	assert_int_equal(play.job->attempt_count, 0);
	assert_int_equal(play.job->rcpts[0].code, 0);
	end(&play);

	/* Two jobs for one and the same: it is that recipient. */
	(void)snprintf(nobody.rcpt, sizeof(nobody.rcpt), "r0@b.example");
	begin(&play, 2);
	cut(&play, 0);
	assert_true(play.word.counted && !play.word.account_fault);
	assert_int_equal(play.job->due, NOW); /* r1 need not wait for it */
	pass(&play);
	assert_int_equal(play.job->rcpts[1].state, RCPT_DELIVERED);
	end(&play);
	nobody = (struct settle_suspect){ 0 };
}

static void
a_mail_that_is_answered_421_at_its_end_is_sent_once_more_then_later(void **state)
{
	struct play play;

	(void)state;
	begin(&play, 1);
	rcpt(&play, 0, 250, "", "ok");
	reply(&play.outcome.reply, 421, "4.3.2", "closing");
	settle(&play);
	assert_false(play.word.counted || play.word.account_fault);
	assert_string_equal(play.word.suspect.job, play.job->id);
	assert_int_equal(play.job->due, NOW);
	settle(&play);
	assert_true(play.word.counted && !play.word.account_fault);
	assert_int_equal(play.job->state, JOB_QUEUED);
	assert_true(play.job->due > NOW);
	end(&play);
}

static void
a_mail_that_is_put_off_in_changing_words_is_sent_once_more_and_no_oftener(void **state)
{
	struct play play;

	(void)state;
	begin(&play, 1);
	play.outcome.stage = SMTP_AT_MAIL;
	reply(&play.outcome.reply, 421, "4.3.2", "closing");
	settle(&play);
	assert_false(play.word.counted || play.word.account_fault);
	nobody = play.word.suspect;
	reply(&play.outcome.reply, 454, "4.7.1", "not now");
	settle(&play);
	assert_true(play.word.counted && !play.word.account_fault);
	assert_true(play.job->due > NOW);
	end(&play);
	nobody = (struct settle_suspect){ 0 };
}

static void
one_454_among_delivered_recipients_is_that_recipient(void **state)
{
	struct settle_suspect other = { .job = "01K00000000000000000000009", .rcpt = "r9@b.example" };
	struct play play;

	(void)state;
	nobody = other;
	begin(&play, 2);
	rcpt(&play, 0, 250, "", "ok");
	rcpt(&play, 1, 454, "4.7.1", "relay access denied");
	reply(&play.outcome.reply, 250, "", "ok");
	settle(&play);
	assert_false(play.word.account_fault);
	assert_int_equal(play.job->rcpts[0].state, RCPT_DELIVERED);
	assert_int_equal(play.job->rcpts[1].state, RCPT_PENDING);
	assert_true(play.job->due > NOW);
	end(&play);
	nobody = (struct settle_suspect){ 0 };
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_refused_recipient_does_not_stop_the_others),
		cmocka_unit_test(only_the_undelivered_are_tried_again),
		cmocka_unit_test(all_refused_is_failed_with_the_relays_words),
		cmocka_unit_test(too_big_for_this_account_is_for_another_one),
		cmocka_unit_test(a_sender_of_its_own_that_is_refused_does_not_hold_the_account),
		cmocka_unit_test(a_reader_who_is_not_verified_is_refused_alone),
		cmocka_unit_test(only_who_cannot_be_named_here_goes_elsewhere),
		cmocka_unit_test(what_a_filter_says_of_a_sensitive_message_is_judged_and_not_kept),
		cmocka_unit_test(external_recipients_wait_an_hour_unless_another_account_would_take_them),
		cmocka_unit_test(a_message_that_is_found_damaged_amid_its_content_fails),
		cmocka_unit_test(a_lost_end_of_data_is_uncertain_and_tried_again),
		cmocka_unit_test(one_who_was_refused_has_not_got_what_others_may_have),
		cmocka_unit_test(a_reused_session_that_dies_costs_no_attempt),
		cmocka_unit_test(the_second_reused_session_in_a_row_that_dies_costs_an_attempt),
		cmocka_unit_test(what_is_counted_between_two_lost_sessions_makes_the_second_the_first),
		cmocka_unit_test(a_session_lost_after_a_refused_recipient_is_remembered),
		cmocka_unit_test(a_fault_of_the_account_leaves_the_job_as_it_was),
		cmocka_unit_test(a_recipient_put_off_alone_is_tried_later_not_at_once),
		cmocka_unit_test(too_many_for_one_transaction_are_delivered_in_the_next_at_once),
		cmocka_unit_test(many_recipients_go_in_several_transactions),
		cmocka_unit_test(when_the_time_is_over_pending_recipients_expire),
		cmocka_unit_test(a_manner_that_was_refused_costs_the_mail_nothing),
		cmocka_unit_test(a_server_that_counts_domains_gets_those_of_the_first_ones),
		cmocka_unit_test(a_recipient_refused_for_what_was_added_to_rcpt_is_asked_again),
		cmocka_unit_test(a_recipient_that_ends_the_session_goes_alone_and_behind_the_others),
		cmocka_unit_test(a_mail_that_is_put_off_in_changing_words_is_sent_once_more_and_no_oftener),
		cmocka_unit_test(two_recipients_that_end_the_session_take_turns),
		cmocka_unit_test(the_session_ends_over_mails_of_two_jobs_and_it_is_the_account),
		cmocka_unit_test(a_mail_that_is_answered_421_at_its_end_is_sent_once_more_then_later),
		cmocka_unit_test(one_454_among_delivered_recipients_is_that_recipient),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
