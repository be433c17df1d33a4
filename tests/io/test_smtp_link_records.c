/* SPDX-License-Identifier: Apache-2.0 */
/* test_smtp_link_records.c - how many TLS records a small mail is, as the relay sees them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/io/smtp_link_kit.h"

#define HELLO_STEPS                                                                                                    \
	"S: 220 relay.example\nC: EHLO host.example\nS: 250-relay.example\nS: 250 STARTTLS\nC: STARTTLS\nS: 220 "      \
	"go\nTLS\n"                                                                                                    \
	"C: EHLO host.example\nS: 250-relay.example\nS: 250-PIPELINING\nS: 250 CHUNKING\n"
#define ENVELOPE_STEPS "C: MAIL FROM:{any}\nC: RCPT TO:<ops@example.com>\n"
#define FLIGHT_STEPS ENVELOPE_STEPS "CHUNK\nS: 250 ok\nS: 250 ok\nS: 250 2.0.0 queued\n"
#define BYE_STEPS "C: QUIT\nS: 221 bye\n"

static void
add_mail(enum smtp_pace pace)
{
	struct mail *mail = &play.mails[play.mail_count++];

	mail->pace = pace;
	(void)snprintf(mail->rcpts[mail->rcpt_count++], sizeof(mail->rcpts[0]), "ops@example.com");
	(void)nd_buf_adds(&mail->body, "Subject: Disk\r\n\r\nsda is full\r\n");
}

/* What the relay counted: a line for each time that we spoke, and for each flight. */
static void
assert_records(const char *steps, const char *want)
{
	char file[256], found[256];
	FILE *records;

	(void)snprintf(file, sizeof(file), "%s", certs_file("records"));
	start_script(steps, "good.pem", "--records", file);
	play.conf.settings.security = SMTP_STARTTLS;
	run();
	assert_done("= closed");
	assert_int_equal(end_relay(), 0);
	records = fopen(file, "r");
	assert_non_null(records);
	found[fread(found, 1, sizeof(found) - 1, records)] = '\0';
	(void)fclose(records);
	assert_string_equal(found, want);
}

static void
a_small_mail_in_one_flight_is_one_record(void **state)
{
	(void)state;
	add_mail(SMTP_ONE_FLIGHT);
	assert_records(HELLO_STEPS FLIGHT_STEPS BYE_STEPS, "1\n" /* EHLO */ "1\n" /* the mail */ "1\n" /* QUIT */);
	assert_done("= reply end 250 2.0.0");
}

static void
so_is_the_next_one_of_the_session(void **state)
{
	(void)state;
	add_mail(SMTP_ONE_FLIGHT);
	add_mail(SMTP_ONE_FLIGHT);
	assert_records(HELLO_STEPS FLIGHT_STEPS FLIGHT_STEPS BYE_STEPS, "1\n1\n1\n1\n");
}

static void
a_group_is_one_record_and_its_small_content_another(void **state)
{
	(void)state;
	add_mail(SMTP_CHUNKED);
	assert_records(HELLO_STEPS ENVELOPE_STEPS "S: 250 ok\nS: 250 ok\nCHUNK\nS: 250 2.0.0 queued\n" BYE_STEPS,
	    "1\n" /* EHLO */ "1\n" /* MAIL, RCPT */ "1\n" /* BDAT */ "1\n" /* QUIT */);
	forget_dialogue();
	add_mail(SMTP_GROUPED);
	assert_records(HELLO_STEPS ENVELOPE_STEPS
	    "C: DATA\nS: 250 ok\nS: 250 ok\nS: 354 go on\nCONTENT\nS: 250 2.0.0 queued\n" BYE_STEPS,
	    "1\n" /* EHLO */ "1\n" /* MAIL, RCPT, DATA */ "1\n" /* the content and the dot */ "1\n" /* QUIT */);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(a_small_mail_in_one_flight_is_one_record),
		TEST(so_is_the_next_one_of_the_session),
		TEST(a_group_is_one_record_and_its_small_content_another),
	};

	return cmocka_run_group_tests_name("smtp_link_records", tests, certs_make, certs_remove);
}
