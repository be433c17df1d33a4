/* SPDX-License-Identifier: Apache-2.0 */
/* sink.c - an SMTP server that takes every mail and counts: what notifyd and Postfix are measured against.
 *
 *   sink --cert FILE --key FILE [--port N] [--rtt MS] [--until N]
 *
 * STARTTLS, AUTH PLAIN, LOGIN and XOAUTH2 (whatever the secret), PIPELINING, CHUNKING, 8BITMIME, SIZE. --rtt makes each reply visible MS after its
 * command came, as a long line does: commands that come together are answered together. The TLS handshake itself is not delayed.
 * Lines of JSON on stdout: the port once it listens; the counters at SIGUSR1, at SIGTERM, and when N mails have come.
 */
#include "tests/bench/wire.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define REPLY 256

enum state { COMMAND, AUTH, DATA, BDAT };
enum then { GO_ON, START_TLS, LEAVE };

struct session {
	struct wire wire;
	enum state state;
	size_t left;    /* of a chunk */
	unsigned lines; /* of AUTH still to come */
	bool last, mail, rcpt, known;
};

struct reply { /* on its way */
	struct session *session;
	double due;
	enum then then;
	struct reply *next;
	char text[REPLY];
};

static struct sink {
	SSL_CTX *context;
	double rtt;
	unsigned long until, mails, recipients, octets, connections;
	double first, last;
	struct reply *replies, **replies_end;
	struct wire *listener;
} sink = { .replies_end = &sink.replies };

static volatile sig_atomic_t asked, ended;

static void
on_signal(int number)
{
	if (number == SIGUSR1)
		asked = 1;
	else
		ended = 1;
}

static void
tell(void)
{
	printf("{\"mails\": %lu, \"recipients\": %lu, \"octets\": %lu, \"connections\": %lu, \"first\": %.6f, "
	       "\"last\": %.6f}\n",
	    sink.mails, sink.recipients, sink.octets, sink.connections, sink.first, sink.last);
	(void)fflush(stdout);
}

static void
arrive(struct session *session, const char *text, enum then then)
{
	wire_puts(&session->wire, text);
	if (then == START_TLS) {
		wire_flush(&session->wire);
		if (!session->wire.gone)
			wire_tls(&session->wire, sink.context, true);
	} else if (then == LEAVE) {
		session->wire.closing = true;
	}
}

static void
say(struct session *session, const char *text, enum then then)
{
	struct reply *reply;

	if (sink.rtt <= 0) {
		arrive(session, text, then);
		return;
	}
	reply = calloc(1, sizeof(*reply));
	if (reply == NULL)
		wire_die("calloc");
	reply->session = session;
	reply->due = wire_now() + sink.rtt;
	reply->then = then;
	(void)snprintf(reply->text, sizeof(reply->text), "%s", text);
	session->wire.held++;
	*sink.replies_end = reply;
	sink.replies_end = &reply->next;
}

/* What has travelled long enough. All replies travel equally long, so the first is always the first. */
static void
deliver(void)
{
	double now = wire_now();
	struct reply *reply;

	while ((reply = sink.replies) != NULL && reply->due <= now) {
		struct session *session = reply->session;

		sink.replies = reply->next;
		if (sink.replies == NULL)
			sink.replies_end = &sink.replies;
		session->wire.held--;
		if (!session->wire.gone) {
			arrive(session, reply->text, reply->then);
			if (sink.replies == NULL || sink.replies->session != session || sink.replies->due > now)
				wire_flush(&session->wire);
		}
		free(reply);
	}
}

static void
greet(struct session *session)
{
	say(session, "220 sink.example ESMTP\r\n", GO_ON);
}

static void
say_ehlo(struct session *session, char *line)
{
	(void)line;
	say(session,
	    session->wire.ssl
		? "250-sink.example\r\n250-PIPELINING\r\n250-SIZE 36700160\r\n250-AUTH PLAIN LOGIN XOAUTH2\r\n"
		  "250-ENHANCEDSTATUSCODES\r\n250-8BITMIME\r\n250 CHUNKING\r\n"
		: "250-sink.example\r\n250-PIPELINING\r\n250-SIZE 36700160\r\n250-STARTTLS\r\n"
		  "250-ENHANCEDSTATUSCODES\r\n250-8BITMIME\r\n250 CHUNKING\r\n",
	    GO_ON);
}

static void
say_starttls(struct session *session, char *line)
{
	(void)line;
	if (session->wire.ssl)
		say(session, "503 5.5.1 TLS is on\r\n", GO_ON);
	else
		say(session, "220 2.0.0 go ahead\r\n", START_TLS);
}

static void
say_auth(struct session *session, char *line)
{
	char *mechanism = line + 5, *initial = strchr(mechanism, ' ');

	if (!session->wire.ssl || strncasecmp(line, "AUTH ", 5) != 0) {
		say(session, "538 5.7.11 not without TLS\r\n", GO_ON);
		return;
	}
	session->lines = strncasecmp(mechanism, "LOGIN", 5) == 0 ? 2 : 1;
	session->lines -= initial != NULL;
	if (session->lines == 0) {
		session->known = true;
		say(session, "235 2.7.0 welcome\r\n", GO_ON);
		return;
	}
	session->state = AUTH;
	say(session,
	    session->lines == 2                       ? "334 VXNlcm5hbWU6\r\n"
	    : strncasecmp(mechanism, "LOGIN", 5) == 0 ? "334 UGFzc3dvcmQ6\r\n"
						      : "334 \r\n",
	    GO_ON);
}

static void
hear_auth(struct session *session)
{
	if (--session->lines > 0) {
		say(session, "334 UGFzc3dvcmQ6\r\n", GO_ON);
		return;
	}
	session->state = COMMAND;
	session->known = true;
	say(session, "235 2.7.0 welcome\r\n", GO_ON);
}

static void
say_mail(struct session *session, char *line)
{
	(void)line;
	if (!session->known) {
		say(session, "530 5.7.0 sign in first\r\n", GO_ON);
	} else if (session->mail) {
		say(session, "503 5.5.1 a mail is under way\r\n", GO_ON);
	} else {
		session->mail = true;
		say(session, "250 2.1.0 ok\r\n", GO_ON);
	}
}

static void
say_rcpt(struct session *session, char *line)
{
	(void)line;
	if (!session->mail) {
		say(session, "503 5.5.1 MAIL first\r\n", GO_ON);
		return;
	}
	session->rcpt = true;
	sink.recipients++;
	say(session, "250 2.1.5 ok\r\n", GO_ON);
}

static void
say_data(struct session *session, char *line)
{
	(void)line;
	if (!session->rcpt) {
		say(session, "503 5.5.1 RCPT first\r\n", GO_ON);
		return;
	}
	session->state = DATA;
	say(session, "354 go ahead\r\n", GO_ON);
}

static void
say_bdat(struct session *session, char *line)
{
	char *rest;

	session->left = strtoul(line + 4, &rest, 10);
	session->last = strcasestr(rest, "LAST") != NULL;
	session->state = BDAT;
}

static void
say_rset(struct session *session, char *line)
{
	(void)line;
	session->mail = session->rcpt = false;
	say(session, "250 2.0.0 ok\r\n", GO_ON);
}

static void
say_noop(struct session *session, char *line)
{
	(void)line;
	say(session, "250 2.0.0 ok\r\n", GO_ON);
}

static void
say_quit(struct session *session, char *line)
{
	(void)line;
	say(session, "221 2.0.0 bye\r\n", LEAVE);
}

/* clang-format off */
static const struct command {
	const char *name;
	void (*say)(struct session *session, char *line);
} commands[] = {
	{ "MAIL", say_mail }, { "RCPT", say_rcpt }, { "BDAT", say_bdat }, { "DATA", say_data },
	{ "EHLO", say_ehlo }, { "HELO", say_noop }, { "AUTH", say_auth }, { "STARTTLS", say_starttls },
	{ "RSET", say_rset }, { "NOOP", say_noop }, { "QUIT", say_quit },
};
/* clang-format on */

static void
take_mail(struct session *session)
{
	sink.last = wire_now();
	if (sink.mails++ == 0)
		sink.first = sink.last;
	session->mail = session->rcpt = false;
	say(session, "250 2.0.0 taken\r\n", GO_ON);
	if (sink.mails == sink.until)
		tell();
}

static void
obey(struct session *session, char *line)
{
	size_t i;

	if (session->state == AUTH) {
		hear_auth(session);
		return;
	}
	for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strncasecmp(line, commands[i].name, strlen(commands[i].name)) == 0) {
			commands[i].say(session, line);
			return;
		}
	}
	say(session, "500 5.5.2 what?\r\n", GO_ON);
}

/* Each hear_… eats what it can; false: more must come. */
static bool
hear_line(struct session *session)
{
	char line[16384];
	size_t len, line_len;
	const char *text = wire_text(&session->wire, &len), *end = memchr(text, '\n', len);

	if (end == NULL)
		return false;
	line_len = (size_t)(end - text);
	len = line_len < sizeof(line) ? line_len : sizeof(line) - 1;
	memcpy(line, text, len);
	line[len] = '\0';
	if (len > 0 && line[len - 1] == '\r')
		line[len - 1] = '\0';
	wire_eat(&session->wire, line_len + 1);
	obey(session, line);
	return true;
}

static bool
hear_chunk(struct session *session)
{
	size_t len;

	(void)wire_text(&session->wire, &len);
	if (len > session->left)
		len = session->left;
	wire_eat(&session->wire, len);
	session->left -= len;
	sink.octets += len;
	if (session->left > 0)
		return false;
	session->state = COMMAND;
	if (!session->rcpt)
		say(session, "503 5.5.1 RCPT first\r\n", GO_ON);
	else if (session->last)
		take_mail(session);
	else
		say(session, "250 2.0.0 more\r\n", GO_ON);
	return true;
}

static bool
hear_data(struct session *session)
{
	size_t len;
	const char *text = wire_text(&session->wire, &len), *end = memmem(text, len, "\r\n.\r\n", 5);
	size_t eaten = end ? (size_t)(end - text) + 2 : len > 4 ? len - 4 : 0;

	sink.octets += eaten;
	wire_eat(&session->wire, eaten + (end ? 3 : 0));
	if (end == NULL)
		return false;
	session->state = COMMAND;
	take_mail(session);
	return true;
}

static void
hear(struct wire *wire)
{
	struct session *session = (struct session *)wire;
	bool more = true;

	while (more && !wire->gone && (wire->in.len > 0 || (session->state == BDAT && session->left == 0))) {
		if (session->state == DATA)
			more = hear_data(session);
		else if (session->state == BDAT)
			more = hear_chunk(session);
		else
			more = hear_line(session);
	}
}

static void
welcome(struct wire *listener)
{
	struct session *session;
	int fd;

	while ((fd = wire_accept(listener->fd)) >= 0) {
		session = calloc(1, sizeof(*session));
		if (session == NULL)
			wire_die("calloc");
		session->wire.heard = hear;
		sink.connections++;
		wire_open(&session->wire, fd);
		greet(session);
		wire_flush(&session->wire);
	}
}

static void
start(uint16_t port)
{
	static struct wire listener = { .heard = welcome, .listens = true };
	struct sigaction action = { .sa_handler = on_signal };
	uint16_t got;

	(void)sigaction(SIGUSR1, &action, NULL);
	(void)sigaction(SIGTERM, &action, NULL);
	(void)sigaction(SIGINT, &action, NULL);
	wire_open(&listener, wire_listen(port, &got));
	printf("{\"port\": %u}\n", got);
	(void)fflush(stdout);
}

static int
patience(void)
{
	double left;

	if (asked || ended)
		return 0;
	if (sink.replies == NULL)
		return 1000; /* a signal between the question and the wait is then late, not lost */
	left = (sink.replies->due - wire_now()) * 1000;
	return left <= 0 ? 0 : (int)left + 1;
}

static void
run(void)
{
	while (!ended) {
		wire_turn(patience());
		deliver();
		if (asked) {
			asked = 0;
			tell();
		}
	}
	tell();
}

int
main(int argc, char **argv)
{
	static const struct option options[] = { { "port", required_argument, NULL, 'p' },
		{ "cert", required_argument, NULL, 'c' }, { "key", required_argument, NULL, 'k' },
		{ "rtt", required_argument, NULL, 'r' }, { "until", required_argument, NULL, 'u' }, { 0 } };
	const char *cert = NULL, *key = NULL;
	unsigned long port = 0;
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 'p':
			port = wire_number(optarg);
			break;
		case 'c':
			cert = optarg;
			break;
		case 'k':
			key = optarg;
			break;
		case 'r':
			sink.rtt = (double)wire_number(optarg) / 1000;
			break;
		case 'u':
			sink.until = wire_number(optarg);
			break;
		default:
			return 64;
		}
	}
	if (cert == NULL || key == NULL || optind < argc) {
		fprintf(stderr, "usage: sink --cert FILE --key FILE [--port N] [--rtt MS] [--until N]\n");
		return 64;
	}
	sink.context = wire_context(cert, key);
	start((uint16_t)port);
	run();
	return 0;
}
