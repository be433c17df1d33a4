/* SPDX-License-Identifier: Apache-2.0 */
/* load.c - clients that submit as fast as they are answered: each waits for the durable yes before its next mail.
 *
 *   load http --socket PATH [options]    JSON jobs to notifyd over HTTP/1.1 keep-alive on its Unix socket
 *   load smtp --port N [options]         mails to 127.0.0.1, MAIL RCPT DATA in one flight, connections kept
 *
 *   --clients N  --count N  --size OCTETS of the text  --to ADDRESS  --seconds S (ends early)
 *   --stepwise   smtp: for servers that take neither pipelined mails nor many connections at once: each command waits for the
 *                reply before, each connection for the greeting of the one before, and time counts from the last greeting
 *
 * One line of JSON: accepts a second, 50th and 99th percentile from the first octet sent to the last octet of the yes, when it began and ended.
 */
#include "tests/bench/wire.h"

#include <getopt.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct client {
	struct wire wire;
	double since;
	unsigned left; /* replies still to come before the next step */
	int step;      /* of smtp */
};

static struct load {
	const char *socket, *to;
	uint16_t port;
	unsigned long clients, count, size, seconds;
	unsigned long begun, done, errors, open;
	float *took; /* seconds, one of each */
	double start, end;
	char *ask; /* http: one request; smtp: the first flight before the content */
	size_t ask_len;
	bool stepwise;
	char *rcpt, *data; /* smtp: further flights */
	char *content;     /* smtp */
	size_t content_len;
} load = { .to = "ops@bench.example", .clients = 16, .count = 10000, .size = 2048 };

static char *
text_of(size_t size, const char *newline, size_t *len)
{
	static const char words[] = "2026-11-21T08:00:00Z web01 smartd[812]: Device: /dev/sda, 12 pending sectors";
	size_t at = 0, piece = sizeof(words) - 1, end = strlen(newline);
	char *text = malloc(size + piece + end + 1);

	if (text == NULL)
		wire_die("malloc");
	while (at < size) {
		memcpy(text + at, words, piece);
		memcpy(text + at + piece, newline, end);
		at += piece + end;
		if (at + piece + end > size)
			break;
	}
	text[at] = '\0';
	*len = at;
	return text;
}

static char *__attribute__((format(printf, 2, 3))) print(size_t *len, const char *format, ...)
{
	char *text;
	va_list list;
	int got;

	va_start(list, format);
	got = vasprintf(&text, format, list);
	va_end(list);
	if (got < 0)
		wire_die("vasprintf");
	*len = (size_t)got;
	return text;
}

static void
prepare(bool http)
{
	size_t len;
	char *text = text_of(load.size, http ? "\\n" : "\r\n", &len), *body;

	if (http) {
		body = print(&len,
		    "{\"to\":[\"%s\"],\"subject\":\"Disk failing on "
		    "web01\",\"severity\":\"warning\",\"source\":\"smartd\",\"text\":\"%s\"}",
		    load.to, text);
		load.ask = print(&load.ask_len,
		    "POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: "
		    "%zu\r\n\r\n%s",
		    len, body);
		free(body);
	} else {
		load.rcpt = print(&len, "RCPT TO:<%s>\r\n", load.to);
		load.data = print(&len, "DATA\r\n");
		load.ask = print(&load.ask_len, "MAIL FROM:<alerts@bench.example>\r\n%s%s",
		    load.stepwise ? "" : load.rcpt, load.stepwise ? "" : load.data);
		load.content = print(&load.content_len,
		    "From: alerts@bench.example\r\nTo: %s\r\nSubject: Disk failing on web01\r\n"
		    "Date: Sat, 21 Nov 2026 08:00:00 +0000\r\nMessage-ID: <1@bench.example>\r\n\r\n%s.\r\n",
		    load.to, text);
	}
	free(text);
}

static bool
next(struct client *client)
{
	if (load.begun == load.count || (load.seconds && wire_now() - load.start > (double)load.seconds))
		return false;
	load.begun++;
	client->since = wire_now();
	wire_put(&client->wire, load.ask, load.ask_len);
	return true;
}

static void
leave(struct client *client)
{
	load.open--;
	wire_close(&client->wire);
}

static void
yes(struct client *client)
{
	load.end = wire_now();
	load.took[load.done++] = (float)(load.end - client->since);
	if (!next(client))
		leave(client);
}

static void
no(struct client *client, const char *text, size_t len)
{
	if (load.errors++ == 0)
		fprintf(stderr, "load: refused: %.*s\n", (int)len, text);
	if (!next(client))
		leave(client);
}

static void
lost(struct wire *wire)
{
	(void)wire;
	fprintf(stderr, "load: a connection was lost\n");
	load.errors++;
	load.open--;
}

/* One whole answer: status line, headers, Content-Length octets. */
static void
hear_http(struct wire *wire)
{
	struct client *client = (struct client *)wire;
	size_t len, whole;
	const char *text = wire_text(wire, &len), *end = memmem(text, len, "\r\n\r\n", 4), *length;

	if (end == NULL)
		return;
	length = memmem(text, (size_t)(end - text), "Content-Length:", 15);
	whole = (size_t)(end - text) + 4 + (length ? strtoul(length + 15, NULL, 10) : 0);
	if (len < whole)
		return;
	if (memcmp(text, "HTTP/1.1 202", 12) == 0) {
		wire_eat(wire, whole);
		yes(client);
	} else {
		no(client, text, whole);
		if (!wire->gone)
			wire_eat(wire, whole);
	}
}

/* clang-format off */
static const struct step { int code; const char *say; } steps[] = {
	{ 220, "EHLO client.bench.example\r\n" },
	{ 250, NULL },              /* to EHLO: the first mail */
	{ 250, "" }, { 250, "" },   /* to MAIL and RCPT */
	{ 354, "" },                /* to DATA: the content */
	{ 250, NULL },              /* it is kept */
};
/* clang-format on */

static void
step_on(struct client *client, int code)
{
	if (code != steps[client->step].code) {
		fprintf(stderr, "load: %d at step %d\n", code, client->step);
		exit(1);
	}
	switch (client->step++) {
	case 0:
		wire_puts(&client->wire, steps[0].say);
		break;
	case 1:
		if (!next(client))
			leave(client);
		break;
	case 2:
		if (load.stepwise)
			wire_puts(&client->wire, load.rcpt);
		break;
	case 3:
		if (load.stepwise)
			wire_puts(&client->wire, load.data);
		break;
	case 4:
		wire_put(&client->wire, load.content, load.content_len);
		break;
	case 5:
		client->step = 2;
		yes(client);
		break;
	default:
		break;
	}
}

static void
hear_smtp(struct wire *wire)
{
	int code;

	while (!wire->gone && (code = wire_reply(wire)) != 0)
		step_on((struct client *)wire, code);
}

static int
compare(const void *a, const void *b)
{
	float one = *(const float *)a, other = *(const float *)b;

	return one < other ? -1 : one > other;
}

static double
percentile(double part)
{
	size_t at = (size_t)((double)load.done * part);

	return load.done == 0 ? 0 : (double)load.took[at < load.done ? at : load.done - 1];
}

static void
tell(void)
{
	double seconds = load.end - load.start;

	qsort(load.took, load.done, sizeof(*load.took), compare);
	printf("{\"accepts\": %lu, \"errors\": %lu, \"seconds\": %.6f, \"rate\": %.1f, \"p50_ms\": %.3f, \"p99_ms\": "
	       "%.3f, "
	       "\"max_ms\": %.3f, \"start\": %.6f, \"end\": %.6f}\n",
	    load.done, load.errors, seconds, seconds > 0 ? (double)load.done / seconds : 0, percentile(0.5) * 1e3,
	    percentile(0.99) * 1e3, percentile(1) * 1e3, load.start, load.end);
}

/* A connection that finds a short backlog full is tried again only after a second or more. */
static void
await_greeting(int fd)
{
	struct pollfd greeting = { .fd = fd, .events = POLLIN };

	if (poll(&greeting, 1, 30000) != 1)
		wire_die("no greeting");
	load.start = wire_now();
}

static void
run(bool http)
{
	unsigned long i;

	load.took = calloc(load.count + 1, sizeof(*load.took));
	if (load.took == NULL)
		wire_die("calloc");
	load.open = load.clients;
	load.start = wire_now();
	for (i = 0; i < load.clients; i++) {
		struct client *client = calloc(1, sizeof(*client));

		if (client == NULL)
			wire_die("calloc");
		client->wire.heard = http ? hear_http : hear_smtp;
		client->wire.lost = lost;
		wire_open(&client->wire, http ? wire_dial_unix(load.socket) : wire_dial(load.port));
		if (!http && load.stepwise)
			await_greeting(client->wire.fd);
		if (http && !next(client))
			leave(client);
		else
			wire_flush(&client->wire);
	}
	while (load.open > 0)
		wire_turn(-1);
	tell();
}

static bool
options_of(int argc, char **argv)
{
	static const struct option options[] = { { "socket", required_argument, NULL, 's' },
		{ "port", required_argument, NULL, 'p' }, { "clients", required_argument, NULL, 'c' },
		{ "count", required_argument, NULL, 'n' }, { "size", required_argument, NULL, 'z' },
		{ "to", required_argument, NULL, 't' }, { "seconds", required_argument, NULL, 'e' },
		{ "stepwise", no_argument, NULL, 'w' }, { 0 } };
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 's':
			load.socket = optarg;
			break;
		case 'p':
			load.port = (uint16_t)wire_number(optarg);
			break;
		case 'c':
			load.clients = wire_number(optarg);
			break;
		case 'n':
			load.count = wire_number(optarg);
			break;
		case 'z':
			load.size = wire_number(optarg);
			break;
		case 't':
			load.to = optarg;
			break;
		case 'e':
			load.seconds = wire_number(optarg);
			break;
		case 'w':
			load.stepwise = true;
			break;
		default:
			return false;
		}
	}
	return optind == argc - 1;
}

int
main(int argc, char **argv)
{
	bool http;

	if (!options_of(argc, argv) || (strcmp(argv[optind], "http") != 0 && strcmp(argv[optind], "smtp") != 0)) {
		fprintf(stderr, "usage: load http --socket PATH | smtp --port N  [--clients N] [--count N] [--size N] "
				"[--to ADDRESS] [--seconds N] [--stepwise]\n");
		return 64;
	}
	http = strcmp(argv[optind], "http") == 0;
	if (http && load.socket == NULL)
		return 64;
	prepare(http);
	run(http);
	return load.errors > 0;
}
