/* SPDX-License-Identifier: Apache-2.0 */
/* smtp_link_kit.h - a link that is run against tests/fake/relay.py, over real sockets and TLS.  Include cmocka.h first.
 *
 * What comes of a session is written down in the words that the dialogues use ("= ops@example.com ok"), with the
 * events between ("ready", "ending"), a line each.
 */
#ifndef ND_TEST_SMTP_LINK_KIT_H
#define ND_TEST_SMTP_LINK_KIT_H

#include "common/log.h"
#include "common/str.h"
#include "daemon/core/smtp_ext.h"
#include "daemon/io/smtp_link.h"
#include "tests/io/certs.h"
#include "tests/io/names.h"

#include <fcntl.h>
#include <string.h>

#define RCPTS_MAX 16
#define MAILS_MAX 10
#define PATIENCE ND_SEC(20)
#define BIG (5u * 1024 * 1024)

enum at { NOWHERE, AT_READY, AT_ENDING, AT_OUTCOME, AT_GONE };

struct mail {
	char from[128];
	char rcpts[RCPTS_MAX][128];
	const char *rcpt_list[RCPTS_MAX];
	struct smtp_rcpt_result results[RCPTS_MAX];
	unsigned rcpt_count;
	struct nd_buf body;
	bool body_given;
	enum smtp_pace pace;
	bool beside;  /* said before the replies to the one before it */
	size_t given; /* octets that the link told of while they left */
};

struct play {
	struct loop *loop;
	struct resolver *resolver;
	struct tls *tls;
	struct smtp_link_conf conf;
	struct smtp_link *link;
	char text[6][256]; /* user, ehlo, host … */
	struct nd_secret secret;

	struct mail mails[MAILS_MAX];
	unsigned mail_count, mails_sent, mails_ended;
	bool numbered;
	bool from_file;      /* the content, but for its head */
	size_t file_missing; /* octets the file loses before it is read */
	bool from_reader;    /* all of the content; it lacks file_missing */
	size_t read;         /* by that reader */
	bool stays;          /* does not quit when there is nothing more to send */
	bool refuses_ending;
	enum at free_at;

	struct nd_buf did;
	struct nd_why why;                /* of the last fault or lost mail */
	char words[SMTP_REPLY_TEXT + 16]; /* its text, or that of the reply to the last mail */
	char challenge[256];
	char relay[336], tls_words[96];
};

static struct play play;
static pid_t relay_pid;

/* -- the relay -- */

static inline uint16_t
read_port(int fd)
{
	char line[64];
	size_t len = 0;
	int64_t port = 0;

	while (len < sizeof(line) - 1 && read(fd, line + len, 1) == 1 && line[len] != '\n')
		len++;
	line[len] = '\0';
	(void)close(fd);
	assert_memory_equal(line, "port ", 5);
	assert_true(nd_str_int(line + 5, 1, 65535, &port));
	return (uint16_t)port;
}

/* Starts relay.py with these arguments (NULL-terminated) and remembers its port. */
static inline void
start_relay(const char *const *args)
{
	const char *argv[208] = { "python3", certs_source("tests/fake/relay.py") };
	posix_spawn_file_actions_t actions;
	char *spawned[208];
	int out[2];
	size_t n = 2;

	for (; *args != NULL && n < 207; args++)
		argv[n++] = *args;
	memcpy(spawned, argv, sizeof(spawned));
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	assert_int_equal(posix_spawn_file_actions_init(&actions), 0);
	assert_int_equal(posix_spawn_file_actions_adddup2(&actions, out[1], 1), 0);
	assert_int_equal(posix_spawnp(&relay_pid, "python3", &actions, NULL, spawned, environ), 0);
	(void)posix_spawn_file_actions_destroy(&actions);
	(void)close(out[1]);
	play.conf.port = read_port(out[0]);
}

static inline int
end_relay(void)
{
	int status = -1;

	assert_int_equal(waitpid(relay_pid, &status, 0), relay_pid);
	relay_pid = 0;
	return status;
}

static inline const char *
write_file(const char *name, const char *octets, size_t len)
{
	const char *path = certs_file(name);
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(octets, 1, len, file), len);
	assert_int_equal(fclose(file), 0);
	return path;
}

/* A relay for one dialogue, given as text. */
static inline void
start_script(const char *script, const char *cert, const char *option, const char *value)
{
	const char *args[8] = { "--cert", NULL, NULL, NULL, NULL, NULL, NULL, NULL };
	char file[256], pem[256], name[256];

	(void)snprintf(file, sizeof(file), "%s", write_file("script.smtp", script, strlen(script)));
	(void)snprintf(pem, sizeof(pem), "%s", certs_file(cert));
	args[1] = pem;
	args[2] = file;
	if (option != NULL) {
		(void)snprintf(name, sizeof(name), "%s", option);
		args[2] = name;
		args[3] = value ? value : file;
		args[4] = value ? file : NULL;
	}
	start_relay(args);
}

/* -- what happens -- */

static inline void did(const char *format, ...) ND_PRINTF(1, 2);

static inline void
did(const char *format, ...)
{
	char line[512];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	(void)nd_buf_addf(&play.did, "%s\n", line);
}

static inline bool
was_done(const char *line)
{
	const char *text = nd_buf_text(&play.did);
	size_t len = strlen(line);

	for (const char *at = text; (at = strstr(at, line)) != NULL; at++)
		if ((at == text || at[-1] == '\n') && at[len] == '\n')
			return true;
	return false;
}

#define assert_done(line)                                                                                              \
	do {                                                                                                           \
		if (!was_done(line))                                                                                   \
			fail_msg("\"%s\" is missing in:\n%s", line, nd_buf_text(&play.did));                           \
	} while (0)
#define assert_not_done(line) assert_false(was_done(line))
#define assert_told(part) assert_non_null(strstr(play.why.text, part))

static inline bool
leave(enum at at)
{
	if (play.free_at != at)
		return false;
	smtp_link_free(play.link);
	play.link = NULL;
	loop_stop(play.loop);
	return true;
}

static inline int
open_body(const struct mail *mail, size_t skip)
{
	const char *path = write_file("body", mail->body.octets + skip, mail->body.len - skip);
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static inline void
on_given(void *arg, const char *octets, size_t len)
{
	struct mail *mail = arg;

	assert_true(len <= mail->body.len - mail->given);
	assert_memory_equal(octets, mail->body.octets + mail->given, len);
	mail->given += len;
}

static inline ssize_t
read_on(void *arg, char *out, size_t len, struct nd_why *why)
{
	const struct mail *mail = arg;
	const size_t left = mail->body.len - play.file_missing - play.read;
	const size_t most = len < 1000 ? len : 1000, n = left < most ? left : most;

	if (n == 0)
		(void)nd_fail(why, ND_EDISK, 0, "there is no more of it");
	memcpy(out, mail->body.octets + play.read, n);
	play.read += n;
	return n > 0 ? (ssize_t)n : -1;
}

static inline struct smtp_link_mail
describe(struct mail *mail)
{
	struct smtp_link_mail send = { .fd = -1 };

	for (unsigned i = 0; i < mail->rcpt_count; i++)
		mail->rcpt_list[i] = mail->rcpts[i];
	send.mail = (struct smtp_mail){ .from = mail->from,
		.rcpts = mail->rcpt_list,
		.rcpt_count = mail->rcpt_count,
		.results = mail->results,
		.size = mail->body.len,
		.pace = mail->pace };
	send.given = on_given;
	send.given_arg = mail;
	send.head = mail->body.octets;
	send.head_len = mail->body.len / 3;
	send.body_len = mail->body.len - send.head_len;
	if (play.from_reader) {
		send.head_len = 0;
		send.body_len = mail->body.len;
		send.read = read_on;
		send.read_arg = mail;
	} else if (play.from_file)
		send.fd = open_body(mail, send.head_len);
	else
		send.body = mail->body.octets + send.head_len;
	return send;
}

static inline void
send_next(struct smtp_link *link)
{
	struct mail *mail = &play.mails[play.mails_sent++];
	const struct smtp_link_mail send = describe(mail);

	smtp_link_send(link, &send);
	if (play.file_missing > 0 && play.from_file)
		assert_int_equal(
		    truncate(certs_file("body"), (off_t)(mail->body.len - send.head_len - play.file_missing)), 0);
}

static inline void
on_ready(void *owner, struct smtp_link *link)
{
	assert_ptr_equal(owner, &play);
	did("ready");
	(void)snprintf(play.relay, sizeof(play.relay), "%s", smtp_link_relay(link));
	(void)snprintf(play.tls_words, sizeof(play.tls_words), "%s", smtp_link_tls(link));
	if (leave(AT_READY))
		return;
	if (play.mails_sent > 0 || play.mail_count == 0)
		did("= ready");
	if (play.mails_sent < play.mail_count)
		send_next(link);
	else if (!play.stays)
		smtp_link_quit(link);
}

static inline void
on_room(void *owner, struct smtp_link *link)
{
	struct mail *mail = &play.mails[play.mails_sent];
	struct smtp_link_mail send;

	(void)owner;
	if (play.mails_sent == play.mail_count || !mail->beside)
		return;
	send = describe(mail);
	assert_true(smtp_link_fits(link, &send));
	play.mails_sent++;
	smtp_link_ahead(link, &send);
}

static inline bool
on_ending(void *owner, struct smtp_link *link)
{
	(void)owner;
	(void)link;
	did("ending");
	(void)leave(AT_ENDING);
	return !play.refuses_ending;
}

/* What came of a mail, with its number too if there are several at once. */
static inline void did_mail(const char *format, ...) ND_PRINTF(1, 2);

static inline void
did_mail(const char *format, ...)
{
	char line[512];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	did("= %s", line);
	if (play.numbered)
		did("=%u %s", play.mails_ended, line);
}

static inline void
did_mail_reply(const char *start, const struct smtp_reply *reply)
{
	did_mail("%s %d", start, reply->code);
	if (reply->enhanced[0] != '\0')
		did_mail("%s %d %s", start, reply->code, reply->enhanced);
}

static inline void
did_reply(const char *start, const struct smtp_reply *reply)
{
	did("%s %d", start, reply->code);
	if (reply->enhanced[0] != '\0')
		did("%s %d %s", start, reply->code, reply->enhanced);
}

static inline void
on_outcome(void *owner, struct smtp_link *link, const struct smtp_outcome *outcome)
{
	const struct mail *mail = &play.mails[play.mails_ended++];
	const char *stage = smtp_proto_stage_name(outcome->stage);
	char start[256];

	(void)owner;
	(void)link;
	did("outcome");
	if (!mail->beside && outcome->end == SMTP_ENDED_REPLY && outcome->reply.code / 100 == 2)
		assert_int_equal(mail->given, mail->body.len);
	for (unsigned i = 0; i < mail->rcpt_count; i++) {
		const struct smtp_rcpt_result *result = &mail->results[i];

		(void)snprintf(start, sizeof(start), "%s", mail->rcpts[i]);
		if (!result->asked)
			did_mail("%s unasked", start);
		else if (result->reply.code / 100 == 2)
			did_mail("%s ok", start);
		else
			did_mail_reply(start, &result->reply);
	}
	(void)snprintf(start, sizeof(start), "reply %s", stage);
	if (outcome->end == SMTP_ENDED_REPLY)
		did_mail_reply(start, &outcome->reply);
	else if (outcome->end == SMTP_ENDED_RCPTS)
		did_mail("rcpts");
	else
		did_mail("lost %s %s", stage, nd_err_name(outcome->why.err));
	if (outcome->end == SMTP_ENDED_LOST)
		play.why = outcome->why;
	(void)snprintf(play.words, sizeof(play.words), "%s",
	    outcome->end == SMTP_ENDED_LOST ? outcome->why.text : outcome->reply.text);
	if (outcome->uncertain)
		did_mail("uncertain");
	if (outcome->unharmed)
		did_mail("unharmed");
	if (outcome->misfit)
		did_mail("misfit");
	if (outcome->accused != SMTP_EXT_NONE)
		did_mail("accused %s", smtp_ext_name(outcome->accused));
	(void)leave(AT_OUTCOME);
}

static inline void
on_gone(void *owner, struct smtp_link *link, const struct smtp_fault *fault)
{
	char start[256];

	(void)owner;
	(void)link;
	if (fault == NULL) {
		did("= closed");
	} else {
		(void)snprintf(start, sizeof(start), "= fault %s %s", smtp_proto_stage_name(fault->stage),
		    nd_err_name(fault->why.err));
		did("%s", start);
		if (fault->reply.code != 0)
			did_reply(start, &fault->reply);
		if (fault->token_refused)
			did("= token-refused");
		(void)snprintf(play.challenge, sizeof(play.challenge), "%s", fault->challenge);
		play.why = fault->why;
		(void)snprintf(play.words, sizeof(play.words), "%s", fault->why.text);
	}
	(void)leave(AT_GONE);
	loop_stop(play.loop);
}

static const struct smtp_link_events events = {
	.ready = on_ready, .ending = on_ending, .outcome = on_outcome, .room = on_room, .gone = on_gone
};

static inline void
too_long(void *arg)
{
	(void)arg;
	did("nothing came for 20 s");
	loop_stop(play.loop);
}

static inline void
stop(void *arg)
{
	(void)arg;
	loop_stop(play.loop);
}

/* So that sockets are closed and late frees done. */
static inline void
one_turn(void)
{
	loop_soon(play.loop, stop, NULL);
	loop_run(play.loop);
}

/* Runs the link to its end. */
static inline void
run(void)
{
	struct loop_timer *timer = loop_timer_new(play.loop, too_long, NULL);

	play.link = smtp_link_new(play.loop, play.resolver, &play.conf, &events, &play);
	smtp_link_trace(play.link, "s1");
	assert_string_equal(smtp_link_relay(play.link), "");
	loop_timer_set(timer, loop_now(play.loop).ms + PATIENCE);
	loop_run(play.loop);
	loop_timer_free(timer);
	smtp_link_free(play.link);
	play.link = NULL;
	one_turn();
}

static const char *const default_texts[] = { "alerts@example.com", "host.example", "relay.example" };

static inline void
forget_dialogue(void)
{
	for (size_t i = 0; i < MAILS_MAX; i++)
		nd_buf_done(&play.mails[i].body);
	memset(play.mails, 0, sizeof(play.mails));
	for (size_t i = 0; i < MAILS_MAX; i++) {
		nd_buf_init(&play.mails[i].body, 2 * BIG);
		(void)snprintf(play.mails[i].from, sizeof(play.mails[i].from), "alerts@example.com");
	}
	play.mail_count = play.mails_sent = play.mails_ended = 0;
	play.challenge[0] = '\0';
	nd_buf_clear(&play.did);
	for (size_t i = 0; i < 3; i++)
		(void)snprintf(play.text[i], sizeof(play.text[i]), "%s", default_texts[i]);
	nd_secret_set(&play.secret, "secret", 6);
	play.conf.settings = (struct smtp_settings){ .user = play.text[0],
		.ehlo = play.text[1],
		.host = play.text[2],
		.security = SMTP_PLAINTEXT,
		.secret = &play.secret };
	play.stays = play.numbered = false;
}

static inline int
begin(void **state)
{
	struct nd_why why;

	(void)state;
	memset(&play, 0, sizeof(play));
	nd_buf_init(&play.did, 65536);
	play.loop = loop_new();
	play.resolver = resolver_new(play.loop);
	play.tls = tls_new(certs_file("ca.pem"), NULL, &why);
	play.conf.host = "127.0.0.1";
	play.conf.tls_name = "relay.example";
	play.conf.tls = play.tls;
	forget_dialogue();
	return play.tls != NULL ? 0 : -1;
}

static inline int
end(void **state)
{
	int status;

	(void)state;
	if (relay_pid != 0) { /* a test failed */
		(void)kill(relay_pid, SIGTERM);
		(void)waitpid(relay_pid, &status, 0);
		relay_pid = 0;
	}
	smtp_link_free(play.link);
	forget_dialogue();
	nd_buf_done(&play.did);
	nd_secret_done(&play.secret);
	resolver_free(play.resolver);
	loop_free(play.loop);
	tls_free(play.tls);
	return 0;
}

#endif
