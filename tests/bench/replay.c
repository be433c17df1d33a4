/* SPDX-License-Identifier: Apache-2.0 */
/* replay.c - the bound of any sender on this host: ready octets over TLS connections, as fast as the replies come.
 *
 *   replay --port N [--connections N] [--count N] [--size OCTETS]
 *
 * MAIL, RCPT and BDAT LAST in one flight; nothing is composed, stored or decided. One line of JSON: mails a second.
 */
#include "tests/bench/wire.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum step { GREETING, EHLO, STARTTLS, EHLO_AGAIN, SIGN_IN, MAIL, RCPT, BDAT };

struct lane {
	struct wire wire;
	enum step step;
};

static struct replay {
	SSL_CTX *context;
	unsigned long begun, done, count, open;
	char *flight;
	size_t flight_len;
	double start, end;
} replay = { .count = 100000 };

static void
prepare(size_t size)
{
	int len = asprintf(&replay.flight,
	    "MAIL FROM:<alerts@bench.example> SIZE=%zu\r\nRCPT TO:<ops@bench.example>\r\nBDAT %zu LAST\r\n%0*d", size,
	    size, (int)size, 0);

	if (len < 0)
		wire_die("asprintf");
	replay.flight_len = (size_t)len;
}

static void
next(struct lane *lane)
{
	if (replay.begun == replay.count) {
		replay.open--;
		wire_close(&lane->wire);
		return;
	}
	replay.begun++;
	lane->step = MAIL;
	wire_put(&lane->wire, replay.flight, replay.flight_len);
}

/* clang-format off */
static const struct { int code; const char *say; } steps[] = {
	[GREETING] =   { 220, "EHLO client.bench.example\r\n" },
	[EHLO] =       { 250, "STARTTLS\r\n" },
	[STARTTLS] =   { 220, NULL },
	[EHLO_AGAIN] = { 250, "AUTH PLAIN AGFsZXJ0cwBzZWNyZXQ=\r\n" },
	[SIGN_IN] =    { 235, NULL },
	[MAIL] =       { 250, NULL },
	[RCPT] =       { 250, NULL },
	[BDAT] =       { 250, NULL },
};
/* clang-format on */

static void
step_on(struct lane *lane, int code)
{
	enum step step = lane->step++;

	if (code != steps[step].code) {
		fprintf(stderr, "replay: %d at step %d\n", code, (int)step);
		exit(1);
	}
	if (steps[step].say) {
		wire_puts(&lane->wire, steps[step].say);
	} else if (step == STARTTLS) {
		wire_tls(&lane->wire, replay.context, false);
	} else if (step == SIGN_IN) {
		if (replay.start <= 0)
			replay.start = wire_now();
		next(lane);
	} else if (step == BDAT) {
		replay.done++;
		next(lane);
	}
}

static void
hear(struct wire *wire)
{
	int code;

	while (!wire->gone && (code = wire_reply(wire)) != 0)
		step_on((struct lane *)wire, code);
}

static void
secured(struct wire *wire)
{
	wire_puts(wire, "EHLO client.bench.example\r\n");
}

static void
lost(struct wire *wire)
{
	(void)wire;
	fprintf(stderr, "replay: a connection was lost\n");
	exit(1);
}

int
main(int argc, char **argv)
{
	static const struct option options[] = { { "port", required_argument, NULL, 'p' },
		{ "connections", required_argument, NULL, 'c' }, { "count", required_argument, NULL, 'n' },
		{ "size", required_argument, NULL, 'z' }, { 0 } };
	unsigned long port = 0, connections = 10, size = 2048, i;
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 'p':
			port = wire_number(optarg);
			break;
		case 'c':
			connections = wire_number(optarg);
			break;
		case 'n':
			replay.count = wire_number(optarg);
			break;
		case 'z':
			size = wire_number(optarg);
			break;
		default:
			return 64;
		}
	}
	if (port == 0 || optind < argc) {
		fprintf(stderr, "usage: replay --port N [--connections N] [--count N] [--size OCTETS]\n");
		return 64;
	}
	replay.context = wire_context(NULL, NULL);
	prepare(size);
	replay.open = connections;
	for (i = 0; i < connections; i++) {
		struct lane *lane = calloc(1, sizeof(*lane));

		if (lane == NULL)
			wire_die("calloc");
		lane->wire.heard = hear;
		lane->wire.secured = secured;
		lane->wire.lost = lost;
		wire_open(&lane->wire, wire_dial((uint16_t)port));
	}
	while (replay.open > 0)
		wire_turn(-1);
	replay.end = wire_now();
	printf("{\"mails\": %lu, \"seconds\": %.6f, \"rate\": %.1f}\n", replay.done, replay.end - replay.start,
	    (double)replay.done / (replay.end - replay.start));
	return 0;
}
