/* SPDX-License-Identifier: Apache-2.0 */
/* test_smtp_link.c - tests of the link: every dialogue, then what dialogues cannot tell. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/io/explained.h"
#include "tests/io/smtp_link_dialogue.h"
#include "tests/io/smtp_link_kit.h"

#include <glob.h>

/* -- the dialogues of tests/dialogues -- */

static void
play_all(void)
{
	const char *args[200] = { "--cert" };
	char pem[256];
	size_t count = 2, played = 0;
	glob_t found;

	assert_int_equal(glob(certs_source("tests/dialogues/*.smtp"), 0, NULL, &found), 0);
	(void)snprintf(pem, sizeof(pem), "%s", certs_file("good.pem"));
	args[1] = pem;
	for (size_t i = 0; i < found.gl_pathc && count < 199; i++)
		if (play_file(found.gl_pathv[i], false))
			args[count++] = found.gl_pathv[i];
	start_relay(args);
	for (size_t i = 2; i < count; i++, played++)
		(void)play_file(args[i], true);
	globfree(&found);
	assert_true(played > 0);
	assert_int_equal(end_relay(), 0); /* else it has said what it missed */
}

static void
every_dialogue_comes_out_over_a_real_socket_as_it_should(void **state)
{
	(void)state;
	play_all();
}

static void
and_with_the_content_from_a_file(void **state)
{
	(void)state;
	play.from_file = true;
	play_all();
}

/* -- single tests -- */

#define MAIL_STEPS                                                                                                     \
	"C: MAIL FROM:{any}\nS: 250 ok\nC: RCPT TO:<ops@example.com>\nS: 250 ok\nC: DATA\nS: 354 go on\nCONTENT\n"
#define STARTTLS_STEPS                                                                                                 \
	"S: 220 relay.example\nC: EHLO host.example\nS: 250-relay.example\nS: 250 STARTTLS\nC: STARTTLS\nS: 220 go\n"
#define TLS_STEPS STARTTLS_STEPS "TLS\nC: EHLO host.example\nS: 250-relay.example\nS: 250 AUTH PLAIN XOAUTH2\n"
#define AUTH_STEPS TLS_STEPS "C: AUTH PLAIN {plain}\nS: 235 2.7.0 ok\n"
#define CLEAR_STEPS "S: 220 relay.example\nC: EHLO host.example\nS: 250 relay.example\n"
#define TAKEN_STEPS "S: 250 2.0.0 queued\n"

static void
add_mail(const char *body)
{
	struct mail *mail = &play.mails[play.mail_count++];

	(void)snprintf(mail->rcpts[mail->rcpt_count++], sizeof(mail->rcpts[0]), "ops@example.com");
	(void)nd_buf_adds(&mail->body, body);
}

static void
use_starttls(enum smtp_auth auth)
{
	play.conf.settings.security = SMTP_STARTTLS;
	play.conf.settings.auth = auth;
}

static void
two_mails_go_over_one_session_after_starttls(void **state)
{
	char want[64];

	(void)state;
	start_script(
	    AUTH_STEPS MAIL_STEPS TAKEN_STEPS MAIL_STEPS TAKEN_STEPS "C: QUIT\nS: 221 bye\n", "good.pem", NULL, NULL);
	use_starttls(SMTP_AUTH_PASSWORD);
	add_mail("Subject: one\r\n\r\nfirst\r\n");
	add_mail("Subject: two\r\n\r\nsecond\r\n");
	run();
	assert_string_equal(nd_buf_text(&play.did),
	    "ready\nending\noutcome\n= ops@example.com ok\n= reply end 250\n= reply end 250 2.0.0\n"
	    "ready\n= ready\nending\noutcome\n= ops@example.com ok\n= reply end 250\n= reply end 250 2.0.0\n"
	    "ready\n= ready\n= closed\n");
	(void)snprintf(want, sizeof(want), "127.0.0.1[127.0.0.1]:%u", (unsigned)play.conf.port);
	assert_string_equal(play.relay, want);
	assert_memory_equal(play.tls_words, "TLSv1.3 TLS_", 12);
	assert_int_equal(end_relay(), 0);
}

static void
tls_from_the_start_works_and_is_told(void **state)
{
	(void)state;
	start_script("TLS\n" CLEAR_STEPS MAIL_STEPS TAKEN_STEPS, "good.pem", NULL, NULL);
	play.conf.settings.security = SMTP_TLS;
	add_mail("hello\r\n");
	run();
	assert_done("= reply end 250 2.0.0");
	assert_done("= closed");
	assert_memory_equal(play.tls_words, "TLSv1.", 6);
	assert_int_equal(end_relay(), 0);
}

static void
a_server_that_speaks_no_tls_from_the_start_is_told_with_a_hint(void **state)
{
	(void)state;
	start_script("S: 220 relay.example\nEOF PART\n", "good.pem", NULL, NULL);
	play.conf.settings.security = SMTP_TLS;
	run();
	assert_done("= fault certificate tls-failed");
	assert_true(explained(&play.why, "starttls"));
	(void)end_relay(); /* it may have seen a reset */
}

static void
a_certificate_for_another_name_ends_the_session_with_words(void **state)
{
	(void)state;
	start_script(STARTTLS_STEPS "TLS\n", "other.pem", NULL, NULL);
	use_starttls(SMTP_AUTH_PASSWORD);
	run();
	assert_done("= fault certificate tls-failed");
	assert_told("hostname mismatch");
	assert_told("other.example");
	assert_not_done("ready");
	assert_int_not_equal(end_relay(), 0); /* its handshake failed */
}

static void
a_certificate_of_an_unknown_ca_ends_the_session_with_words(void **state)
{
	(void)state;
	start_script("TLS\n", "selfsigned.pem", NULL, NULL);
	play.conf.settings.security = SMTP_TLS;
	run();
	assert_done("= fault certificate tls-failed");
	assert_told("self-signed");
	assert_int_not_equal(end_relay(), 0);
}

static void
octets_injected_behind_starttls_end_the_session(void **state)
{
	(void)state;
	start_script(STARTTLS_STEPS "INJECT 250-relay.example\\r\\n250 AUTH PLAIN\\r\\n\n", "good.pem", NULL, NULL);
	use_starttls(SMTP_AUTH_PASSWORD);
	run();
	assert_done("= fault starttls tls-failed");
	assert_told("tampering");
	assert_int_equal(end_relay(), 0);
}

static void
a_closed_port_is_told_with_the_address(void **state)
{
	(void)state;
	start_script("EOF\n", "good.pem", NULL, NULL);
	run(); /* the relay plays once and ends: now its port is closed */
	assert_int_equal(end_relay(), 0);
	nd_buf_clear(&play.did);
	run();
	assert_done("= fault connect connect-failed");
	assert_told("127.0.0.1: Connection refused");
	assert_true(explained(&play.why, "port"));
}

static void
an_unknown_host_is_told_at_connect(void **state)
{
	(void)state;
	play.conf.host = "gone.test";
	play.conf.port = 25;
	run();
	assert_done("= fault connect name-not-found");
	assert_told("gone.test");
}

static void
the_next_address_is_tried_when_one_refuses(void **state)
{
	char want[64];

	(void)state;
	start_script(CLEAR_STEPS, "good.pem", NULL, NULL); /* on 127.0.0.1 only, the second address */
	play.conf.host = "two.test";
	run();
	assert_done("= ready");
	(void)snprintf(want, sizeof(want), "two.test[127.0.0.1]:%u", (unsigned)play.conf.port);
	assert_string_equal(play.relay, want);
	assert_int_equal(end_relay(), 0);
}

/* Its queue is full, so a SYN gets no answer. */
static int
open_deaf_port(int fillers[2])
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(play.conf.port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	to.sin_addr.s_addr = htonl(0x7f000002);
	assert_int_equal(bind(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	assert_int_equal(listen(fd, 0), 0);
	for (int i = 0; i < 2; i++) {
		fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		(void)connect(fillers[i], (struct sockaddr *)&to, sizeof(to));
	}
	return fd;
}

static void
the_next_address_is_tried_beside_one_that_does_not_answer(void **state)
{
	int fillers[2], deaf;
	char want[64];
	nd_ms began;

	(void)state;
	start_script(CLEAR_STEPS, "good.pem", NULL, NULL);
	deaf = open_deaf_port(fillers);
	play.conf.host = "two.test";
	began = loop_now(play.loop).ms;
	run();
	assert_done("= ready");
	(void)snprintf(want, sizeof(want), "two.test[127.0.0.1]:%u", (unsigned)play.conf.port);
	assert_string_equal(play.relay, want);
	assert_in_range(loop_now(play.loop).ms - began, 250, 15000);
	assert_int_equal(end_relay(), 0);
	(void)close(fillers[0]);
	(void)close(fillers[1]);
	(void)close(deaf);
}

static void
when_no_address_answers_all_are_told(void **state)
{
	(void)state;
	start_script("EOF\n", "good.pem", NULL, NULL);
	run();
	assert_int_equal(end_relay(), 0);
	nd_buf_clear(&play.did);
	play.conf.host = "two.test";
	run();
	assert_done("= fault connect connect-failed");
	assert_told("127.0.0.2: Connection refused; 127.0.0.1: Connection refused");
}

static void
a_reset_while_the_session_begins_is_a_lost_connection(void **state)
{
	(void)state;
	start_script("S: 220 relay.example\nC: EHLO host.example\nEOF\n", "good.pem", "--reset", NULL);
	run();
	assert_done("= fault ehlo connection-lost");
	assert_told("127.0.0.1");
	assert_told("reset by peer while introducing itself");
	assert_int_equal(end_relay(), 0);
}

static void
a_reset_after_the_dot_leaves_the_mail_uncertain(void **state)
{
	(void)state;
	start_script(AUTH_STEPS MAIL_STEPS "EOF\n", "good.pem", "--reset", NULL);
	use_starttls(SMTP_AUTH_PASSWORD);
	add_mail("hello\r\n");
	run();
	assert_done("= lost end connection-lost");
	assert_done("= uncertain");
	assert_done("= closed");
	assert_int_equal(end_relay(), 0);
}

static void
a_refusal_amid_a_long_content_is_heard(const char *steps, enum smtp_security security)
{
	start_script(steps, "good.pem", "--last-words", "552 5.3.4 too big");
	play.conf.settings.security = security;
	play.from_file = true;
	add_mail("");
	set_body_octets(&play.mails[0], "5242880");
	run();
	assert_done("= reply content 552 5.3.4");
	assert_not_done("ending");
	assert_not_done("= uncertain");
	assert_int_equal(end_relay(), 0);
}

#define PART_STEPS                                                                                                     \
	"C: MAIL FROM:{any}\nS: 250 ok\nC: RCPT TO:<ops@example.com>\nS: 250 ok\nC: DATA\nS: 354 go on\nEOF PART\n"

static void
a_relay_that_refuses_amid_the_content_and_closes_is_heard_in_clear(void **state)
{
	(void)state;
	a_refusal_amid_a_long_content_is_heard(CLEAR_STEPS PART_STEPS, SMTP_PLAINTEXT);
}

static void
a_relay_that_refuses_amid_the_content_and_closes_is_heard_over_tls(void **state)
{
	(void)state;
	a_refusal_amid_a_long_content_is_heard("TLS\n" CLEAR_STEPS PART_STEPS, SMTP_TLS);
}

/* What must arrive: dots at the starts of lines doubled, and the end. */
static void
check_saved(const struct mail *mail)
{
	FILE *file = fopen(certs_file("saved"), "r");
	bool start = true;
	int c;

	assert_non_null(file);
	for (size_t i = 0; i < mail->body.len; i++) {
		c = fgetc(file);
		if (start && c == '.')
			c = fgetc(file);
		if (c != mail->body.octets[i])
			fail_msg("octet %zu differs", i);
		start = c == '\n';
	}
	assert_int_equal(fgetc(file), '.');
	assert_int_equal(fgetc(file), '\r');
	assert_int_equal(fgetc(file), '\n');
	assert_int_equal(fgetc(file), EOF);
	(void)fclose(file);
}

static void
send_big(bool from_file, enum smtp_security security)
{
	struct mail *mail = &play.mails[0];
	char saved[256];

	(void)snprintf(saved, sizeof(saved), "%s", certs_file("saved"));
	start_script(
	    security == SMTP_TLS ? "TLS\n" CLEAR_STEPS MAIL_STEPS TAKEN_STEPS : CLEAR_STEPS MAIL_STEPS TAKEN_STEPS,
	    "good.pem", "--save", saved);
	play.conf.settings.security = security;
	play.from_file = from_file;
	add_mail("");
	for (unsigned line = 0; mail->body.len < BIG; line++)
		(void)nd_buf_addf(&mail->body, "%sline %u of many\r\n", line % 7 ? "" : ".", line);
	run();
	assert_done("= reply end 250 2.0.0");
	assert_int_equal(end_relay(), 0);
	check_saved(mail);
}

static void
five_megabytes_of_memory_arrive_as_they_are_over_tls(void **state)
{
	(void)state;
	send_big(false, SMTP_TLS);
}

static void
five_megabytes_of_a_file_arrive_as_they_are(void **state)
{
	(void)state;
	send_big(true, SMTP_PLAINTEXT);
}

static void
five_megabytes_of_a_reader_arrive_as_they_are(void **state)
{
	(void)state;
	play.from_reader = true;
	send_big(false, SMTP_TLS);
}

/* What the content is read from has 100 octets less than was said. */
static void
content_that_ends_too_soon(bool *source, const char *octets)
{
	start_script(CLEAR_STEPS
	    "C: MAIL FROM:{any}\nS: 250 ok\nC: RCPT TO:{any}\nS: 250 ok\nC: DATA\nS: 354 go on\nLATE PART\n",
	    "good.pem", NULL, NULL);
	*source = true;
	play.file_missing = 100;
	add_mail("");
	set_body_octets(&play.mails[0], octets);
	run();
	assert_done("= lost content disk-error");
	assert_not_done("ending");
	assert_not_done("= uncertain");
	assert_int_equal(end_relay(), 0);
}

static void
a_stored_message_that_got_shorter_is_not_ended(void **state)
{
	(void)state;
	content_that_ends_too_soon(&play.from_file, "1000");
}

static void
a_reader_that_has_no_more_ends_nothing(void **state)
{
	(void)state;
	content_that_ends_too_soon(&play.from_reader, "3000");
	assert_string_equal(play.why.text, "there is no more of it");
}

static void
when_the_owner_does_not_want_the_end_the_last_octets_stay_here(void **state)
{
	(void)state;
	start_script(CLEAR_STEPS
	    "C: MAIL FROM:{any}\nS: 250 ok\nC: RCPT TO:{any}\nS: 250 ok\nC: DATA\nS: 354 go on\nLATE\n",
	    "good.pem", NULL, NULL);
	play.refuses_ending = true;
	add_mail("hello\r\n");
	run();
	assert_done("ending");
	assert_done("= lost content connection-lost");
	assert_not_done("= uncertain");
	assert_done("= closed");
	assert_int_equal(end_relay(), 0);
}

static void
a_session_that_the_relay_ends_between_mails_is_gone_without_a_fault(void **state)
{
	(void)state;
	start_script(CLEAR_STEPS MAIL_STEPS TAKEN_STEPS "S: 421 4.4.2 that is enough\nEOF\n", "good.pem", NULL, NULL);
	add_mail("hello\r\n");
	run();
	assert_done("= reply end 250 2.0.0"); /* the 421 came in the same octets and is not its reply */
	assert_done("= closed");
	assert_int_equal(end_relay(), 0);
}

static void
a_session_that_ends_before_anybody_could_use_it_is_a_fault(void **state)
{
	(void)state;
	start_script(CLEAR_STEPS "S: 421 4.3.2 too busy\nEOF\n", "good.pem", NULL, NULL);
	add_mail("hello\r\n");
	run();
	assert_string_equal(nd_buf_text(&play.did), "= fault idle connection-lost\n");
	assert_int_equal(end_relay(), 0);
}

static void
a_link_that_is_asked_to_quit_before_it_is_ready_just_ends(void **state)
{
	(void)state;
	start_script("S: 220 relay.example\nLATE\n", "good.pem", NULL, NULL);
	play.link = smtp_link_new(play.loop, play.resolver, &play.conf, &events, &play);
	smtp_link_quit(play.link);
	loop_run(play.loop);
	assert_string_equal(nd_buf_text(&play.did), "= closed\n");
	(void)kill(relay_pid, SIGTERM); /* nobody came */
	(void)end_relay();
}

static void
the_owner_may_free_the_link_in_any_event(void **state)
{
	static const enum at ats[] = { AT_READY, AT_ENDING, AT_OUTCOME, AT_GONE };

	(void)state;
	for (size_t i = 0; i < sizeof(ats) / sizeof(ats[0]); i++) {
		forget_dialogue();
		start_script(AUTH_STEPS MAIL_STEPS TAKEN_STEPS, "good.pem", NULL, NULL);
		use_starttls(SMTP_AUTH_PASSWORD);
		add_mail("hello\r\n");
		play.free_at = ats[i];
		run();
		assert_int_equal(was_done("= closed"), ats[i] == AT_GONE);
		assert_int_equal(was_done("outcome"), ats[i] >= AT_OUTCOME);
		(void)end_relay(); /* may complain that we left */
	}
}

static void
a_link_is_freed_at_any_moment_of_its_connecting(void **state)
{
	(void)state;
	play.conf.host = "two.test";
	play.conf.port = 9;
	smtp_link_free(smtp_link_new(play.loop, play.resolver, &play.conf, &events, &play));
	play.conf.host = "127.0.0.1";
	smtp_link_free(smtp_link_new(play.loop, play.resolver, &play.conf, &events, &play));
	one_turn();
	assert_string_equal(nd_buf_text(&play.did), "");
}

static struct nd_buf trace;

static void
keep_trace(enum nd_level level, const char *text, const struct nd_field *fields)
{
	assert_int_equal(level, ND_LOG_DEBUG);
	assert_string_equal(fields[0].name, "SESSION");
	assert_string_equal(fields[0].value, "s1");
	(void)nd_buf_addf(&trace, "%s\n", text);
}

static void
the_trace_has_every_line_but_neither_secret_nor_content(void **state)
{
	struct nd_buf encoded, plain;
	const char *text;

	(void)state;
	nd_buf_init(&trace, 65536);
	nd_buf_init(&encoded, 256);
	nd_buf_init(&plain, 256);
	nd_log_to(keep_trace);
	nd_log_level(ND_LOG_DEBUG);
	start_script(AUTH_STEPS MAIL_STEPS TAKEN_STEPS, "good.pem", NULL, NULL);
	use_starttls(SMTP_AUTH_PASSWORD);
	add_mail("Subject: private\r\n\r\nprivate\r\n");
	run();
	nd_log_to(NULL);
	nd_log_level(ND_LOG_INFO);
	text = nd_buf_text(&trace);
	(void)nd_buf_add(&plain, "\0alerts@example.com\0secret", 26);
	(void)nd_str_base64(&encoded, plain.octets, plain.len);
	assert_null(strstr(text, nd_buf_text(&encoded)));
	assert_null(strstr(text, "private"));
	assert_non_null(strstr(text, "< 220 relay.example\n> EHLO host.example\n< 250-relay.example\n"));
	assert_non_null(strstr(text, "TLS stands: TLSv1."));
	assert_non_null(strstr(text, "octets of a secret\n< 235 2.7.0 ok\n> MAIL FROM"));
	assert_non_null(strstr(text, "octets of content\n< 250 2.0.0 queued\n"));
	nd_buf_done(&trace);
	nd_buf_done(&encoded);
	nd_buf_done(&plain);
	assert_int_equal(end_relay(), 0);
}

static void
a_session_that_follows_another_continues_its_tls(void **state)
{
	const char *args[5] = { "--cert", NULL, NULL, NULL, NULL };
	static const char script[] = TLS_STEPS;
	char file[256], pem[256];

	(void)state;
	(void)snprintf(file, sizeof(file), "%s", write_file("script.smtp", script, sizeof(script) - 1));
	(void)snprintf(pem, sizeof(pem), "%s", certs_file("good.pem"));
	args[1] = pem;
	args[2] = args[3] = file; /* twice, by one relay */
	start_relay(args);
	nd_buf_init(&trace, 65536);
	nd_log_to(keep_trace);
	nd_log_level(ND_LOG_DEBUG);
	use_starttls(SMTP_AUTH_NONE);
	run();
	assert_null(strstr(nd_buf_text(&trace), "TLS stands again"));
	nd_buf_clear(&trace);
	run();
	nd_log_to(NULL);
	nd_log_level(ND_LOG_INFO);
	assert_non_null(strstr(nd_buf_text(&trace), "TLS stands again: TLSv1.3"));
	nd_buf_done(&trace);
	assert_int_equal(end_relay(), 0);
}

#define FLIGHT_STEPS                                                                                                   \
	"S: 220 relay.example\nC: EHLO host.example\nS: 250-relay.example\nS: 250-PIPELINING\nS: 250 CHUNKING\n"

/* The relay expects nothing, and complains of whatever comes. */
static void
when_the_owner_does_not_want_the_end_nothing_of_a_flight_leaves(void **state)
{
	(void)state;
	start_script(FLIGHT_STEPS, "good.pem", NULL, NULL);
	play.refuses_ending = true;
	add_mail("hello\r\n");
	play.mails[0].pace = SMTP_ONE_FLIGHT;
	run();
	assert_done("ending");
	assert_done("= lost mail connection-lost");
	assert_not_done("= uncertain");
	assert_done("= closed");
	assert_int_equal(end_relay(), 0);
}

static void
a_flight_is_in_the_trace_like_any_other_commands(void **state)
{
	(void)state;
	nd_buf_init(&trace, 65536);
	nd_log_to(keep_trace);
	nd_log_level(ND_LOG_DEBUG);
	start_script(FLIGHT_STEPS
	    "C: MAIL FROM:{any}\nC: RCPT TO:<ops@example.com>\nCHUNK\nS: 250 ok\nS: 250 ok\n" TAKEN_STEPS
	    "C: MAIL FROM:{any}\nC: RCPT TO:<ops@example.com>\nS: 250 ok\nS: 250 ok\nCHUNK\n" TAKEN_STEPS,
	    "good.pem", NULL, NULL);
	add_mail("private\r\n");
	add_mail("private\r\n");
	play.mails[0].pace = SMTP_ONE_FLIGHT;
	play.mails[1].pace = SMTP_CHUNKED;
	run();
	nd_log_to(NULL);
	nd_log_level(ND_LOG_INFO);
	assert_non_null(strstr(nd_buf_text(&trace), "> MAIL FROM:<alerts@example.com>\n> RCPT TO:<ops@example.com>\n"
						    "> 22 octets of content\n< 250 ok\n< 250 ok\n< 250 2.0.0 queued\n"
						    "> MAIL FROM:<alerts@example.com>\n> RCPT TO:<ops@example.com>\n"
						    "< 250 ok\n< 250 ok\n> 22 octets of content\n"));
	assert_null(strstr(nd_buf_text(&trace), "private"));
	nd_buf_done(&trace);
	assert_int_equal(end_relay(), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_dialogue_comes_out_over_a_real_socket_as_it_should),
		TEST(and_with_the_content_from_a_file),
		TEST(two_mails_go_over_one_session_after_starttls),
		TEST(tls_from_the_start_works_and_is_told),
		TEST(a_server_that_speaks_no_tls_from_the_start_is_told_with_a_hint),
		TEST(a_certificate_for_another_name_ends_the_session_with_words),
		TEST(a_certificate_of_an_unknown_ca_ends_the_session_with_words),
		TEST(octets_injected_behind_starttls_end_the_session),
		TEST(a_closed_port_is_told_with_the_address),
		TEST(an_unknown_host_is_told_at_connect),
		TEST(the_next_address_is_tried_when_one_refuses),
		TEST(the_next_address_is_tried_beside_one_that_does_not_answer),
		TEST(when_no_address_answers_all_are_told),
		TEST(a_reset_while_the_session_begins_is_a_lost_connection),
		TEST(a_reset_after_the_dot_leaves_the_mail_uncertain),
		TEST(a_relay_that_refuses_amid_the_content_and_closes_is_heard_in_clear),
		TEST(a_relay_that_refuses_amid_the_content_and_closes_is_heard_over_tls),
		TEST(five_megabytes_of_memory_arrive_as_they_are_over_tls),
		TEST(five_megabytes_of_a_file_arrive_as_they_are),
		TEST(a_stored_message_that_got_shorter_is_not_ended),
		TEST(five_megabytes_of_a_reader_arrive_as_they_are),
		TEST(a_reader_that_has_no_more_ends_nothing),
		TEST(when_the_owner_does_not_want_the_end_the_last_octets_stay_here),
		TEST(when_the_owner_does_not_want_the_end_nothing_of_a_flight_leaves),
		TEST(a_session_that_follows_another_continues_its_tls),
		TEST(a_flight_is_in_the_trace_like_any_other_commands),
		TEST(a_session_that_the_relay_ends_between_mails_is_gone_without_a_fault),
		TEST(a_session_that_ends_before_anybody_could_use_it_is_a_fault),
		TEST(a_link_that_is_asked_to_quit_before_it_is_ready_just_ends),
		TEST(the_owner_may_free_the_link_in_any_event),
		TEST(a_link_is_freed_at_any_moment_of_its_connecting),
		TEST(the_trace_has_every_line_but_neither_secret_nor_content),
	};

	return cmocka_run_group_tests_name("smtp_link", tests, certs_make, certs_remove);
}
