/* SPDX-License-Identifier: Apache-2.0 */
/* test_smtp_window.c - several mails under way in one session, against a server that decides by dice: what each side believes of each mail must agree. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/buf.h"
#include "daemon/core/smtp_proto.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAILS 12u
#define RCPTS 2u
#define WORLDS 2400u

/* The server reads what came and decides; it knows mails and recipients by their names. */
struct server {
	struct nd_buf in, out;
	bool greeted, mail, gone;
	bool keeps;       /* a transaction whose content was refused is not cleared: only RSET does that */
	unsigned trouble; /* in a thousand commands: it hangs up, or says 421 and does */
	bool rcpt[MAILS][RCPTS], got[MAILS][RCPTS];
	unsigned taken[MAILS];
};

struct world {
	uint32_t dice;
	struct server server;
	struct smtp_proto *proto;
	unsigned window, given, ended;
	struct nd_buf wire; /* what the client's driver took, on its way */
	size_t chunk;       /* of octets at a time */
	char address[MAILS][RCPTS][32];
	const char *rcpts[MAILS][RCPTS];
	struct smtp_rcpt_result results[MAILS][RCPTS];
	struct smtp_outcome outcomes[MAILS];
};

static unsigned
roll(struct world *w, unsigned sides)
{
	w->dice ^= w->dice << 13;
	w->dice ^= w->dice >> 17;
	w->dice ^= w->dice << 5;
	return w->dice % sides;
}

static void
answer(struct server *server, const char *line)
{
	(void)nd_buf_adds(&server->out, line);
	(void)nd_buf_adds(&server->out, "\r\n");
}

static void
clear(struct server *server)
{
	server->mail = false;
	memset(server->rcpt, 0, sizeof(server->rcpt));
}

static void
hear_rcpt(struct world *w, const char *line)
{
	struct server *server = &w->server;
	unsigned mail = 0, n = 0;

	assert_int_equal(sscanf(line, "RCPT TO:<m%u-%u@", &mail, &n), 2);
	if (!server->mail) {
		answer(server, "503 5.5.1 MAIL first");
	} else if (roll(w, 5) == 0) {
		answer(server, "550 5.1.1 no such user");
	} else {
		server->rcpt[mail][n] = true;
		answer(server, "250 2.1.5 ok");
	}
}

/* All octets of the content have come; they name the mail. */
static void
hear_content(struct world *w, const char *content)
{
	struct server *server = &w->server;
	unsigned number = 0, count = 0;

	assert_int_equal(sscanf(content, "mail %u", &number), 1);
	for (unsigned m = 0; m < MAILS; m++)
		for (unsigned n = 0; n < RCPTS; n++) {
			count += server->rcpt[m][n];
			assert_false(server->rcpt[m][n] && m != number); /* another mail's reader */
		}
	if (count == 0) {
		answer(server, "554 5.5.1 no valid recipients");
	} else if (roll(w, 6) == 0) {
		answer(server, roll(w, 2) ? "452 4.3.1 no space" : "554 5.7.1 no");
		count = 0;
	} else {
		memcpy(server->got[number], server->rcpt[number], sizeof(server->got[number]));
		server->taken[number]++;
		answer(server, "250 2.0.0 taken");
	}
	if (count > 0 || !server->keeps)
		clear(server);
}

/* One command; false: it has not come whole. */
static bool
hear_command(struct world *w)
{
	struct server *server = &w->server;
	const char *text = nd_buf_text(&server->in), *end = strstr(text, "\r\n");
	size_t len = end ? (size_t)(end - text) + 2 : 0, content = 0;

	if (!end)
		return false;
	if (sscanf(text, "BDAT %zu LAST", &content) == 1 && server->in.len < len + content)
		return false;
	if (server->trouble > 0 && roll(w, 1000) < server->trouble) {
		if (roll(w, 2))
			answer(server, "421 4.3.2 shutting down");
		server->gone = true;
		return false;
	}
	if (strncmp(text, "EHLO", 4) == 0) {
		answer(server, "250-relay.example\r\n250-PIPELINING\r\n250 CHUNKING");
	} else if (strncmp(text, "RSET", 4) == 0) {
		clear(server);
		answer(server, "250 2.0.0 ok");
	} else if (strncmp(text, "MAIL", 4) == 0) {
		assert_false(server->mail);
		server->mail = roll(w, 8) != 0;
		answer(server, server->mail ? "250 2.1.0 ok" : "550 5.7.1 not you");
	} else if (strncmp(text, "RCPT", 4) == 0) {
		hear_rcpt(w, text);
	} else if (strncmp(text, "BDAT", 4) == 0) {
		hear_content(w, text + len);
	} else {
		assert_memory_equal(text, "QUIT", 4);
		answer(server, "221 bye");
	}
	nd_buf_drop(&server->in, len + content);
	return true;
}

/* ---- the client ---- */

static void
give(struct world *w, bool beside)
{
	const unsigned number = w->given;
	struct smtp_mail mail = { .from = "a@example.com",
		.rcpts = w->rcpts[number],
		.rcpt_count = 1 + roll(w, RCPTS),
		.results = w->results[number],
		.pace = SMTP_ONE_FLIGHT };
	char content[64];

	for (unsigned n = 0; n < RCPTS; n++) {
		(void)snprintf(w->address[number][n], sizeof(w->address[0][0]), "m%u-%u@example.com", number, n);
		w->rcpts[number][n] = w->address[number][n];
	}
	(void)snprintf(content, sizeof(content), "mail %u\r\n%s", number, roll(w, 2) ? "RSET\r\nQUIT\r\n" : "");
	mail.size = strlen(content);
	if (beside && !smtp_proto_room(w->proto, &mail))
		return;
	w->given++;
	if (beside) {
		smtp_proto_ahead(w->proto, &mail, content, strlen(content), 0);
		return;
	}
	smtp_proto_mail(w->proto, &mail, 0);
	smtp_proto_content(w->proto, content, strlen(content), true, 0);
}

static void
obey(struct world *w)
{
	for (;;) {
		switch (smtp_proto_wish(w->proto)) {
		case SMTP_WISH_RESULT:
			assert_true(w->ended < w->given); /* one outcome each, and in order */
			smtp_proto_result(w->proto, &w->outcomes[w->ended++]);
			break;
		case SMTP_WISH_MAIL:
			assert_int_equal(w->ended, w->given);
			if (w->given < MAILS)
				give(w, false);
			else
				smtp_proto_quit(w->proto, 0);
			break;
		case SMTP_WISH_READ:
			if (w->given < MAILS && w->given - w->ended < w->window && roll(w, 3) > 0)
				give(w, true);
			return;
		case SMTP_WISH_TLS:
		case SMTP_WISH_PROOF:
		case SMTP_WISH_CONTENT:
		case SMTP_WISH_CLOSE:
			return;
		}
	}
}

/* Some octets travel one way, then the other. */
static void
move(struct world *w)
{
	bool secret;
	struct nd_buf *out = smtp_proto_output(w->proto, &secret);
	size_t some = 1 + roll(w, (unsigned)w->chunk);
	char piece[512];

	if (out->len > 0)
		(void)nd_buf_add(&w->wire, out->octets, out->len);
	nd_buf_clear(out);
	if (some > w->wire.len)
		some = w->wire.len;
	if (some > 0) {
		(void)nd_buf_add(&w->server.in, w->wire.octets, some);
		nd_buf_drop(&w->wire, some);
	}
	smtp_proto_unsent(w->proto, w->wire.len);
	while (!w->server.gone && hear_command(w))
		continue;
	some = 1 + roll(w, (unsigned)w->chunk);
	if (some > w->server.out.len)
		some = w->server.out.len;
	if (some == 0)
		return;
	memcpy(piece, w->server.out.octets, some);
	nd_buf_drop(&w->server.out, some);
	for (size_t at = 0; at < some; at++) {
		smtp_proto_input(w->proto, piece + at, 1, 0);
		obey(w);
	}
}

/* What the client believes of mail n, against what became of it. */
static void
compare(const struct world *w, unsigned n)
{
	const struct smtp_outcome *outcome = &w->outcomes[n];
	const bool delivered =
	    outcome->end == SMTP_ENDED_REPLY && outcome->stage == SMTP_AT_END && outcome->reply.code / 100 == 2;

	assert_true(w->server.taken[n] <= 1);
	if (outcome->uncertain) {
		assert_int_equal(outcome->end, SMTP_ENDED_LOST);
		return;
	}
	assert_int_equal(delivered, w->server.taken[n]);
	for (unsigned k = 0; k < RCPTS && delivered; k++)
		assert_int_equal(w->results[n][k].asked && w->results[n][k].reply.code / 100 == 2, w->server.got[n][k]);
	if (outcome->end == SMTP_ENDED_LOST && outcome->company && n > 0)
		assert_true(outcome->unharmed);
}

static void
play(uint32_t seed, unsigned window, size_t chunk, unsigned trouble, unsigned *company)
{
	static const struct smtp_settings settings = {
		.ehlo = "host.example", .host = "relay.example", .security = SMTP_PLAINTEXT, .loopback = true
	};
	struct world *w = calloc(1, sizeof(*w));
	struct nd_why why;

	assert_non_null(w);
	w->dice = seed * 2654435761u | 1;
	w->window = window;
	w->chunk = chunk;
	w->server.trouble = trouble;
	w->server.keeps = roll(w, 2);
	nd_buf_init(&w->wire, 1024 * 1024);
	nd_buf_init(&w->server.in, 1024 * 1024);
	nd_buf_init(&w->server.out, 1024 * 1024);
	answer(&w->server, "220 relay.example");
	w->proto = smtp_proto_new(&settings, 0);
	while (smtp_proto_wish(w->proto) != SMTP_WISH_CLOSE && !(w->server.gone && w->server.out.len == 0)) {
		obey(w);
		move(w);
	}
	(void)nd_fail(&why, ND_ECLOSED, 0, "gone");
	smtp_proto_lost(w->proto, &why, 0);
	obey(w);
	assert_int_equal(w->ended, w->given);
	for (unsigned n = 0; n < w->given; n++) {
		compare(w, n);
		*company += w->outcomes[n].company;
	}
	if (trouble == 0)
		assert_int_equal(w->given, MAILS);
	smtp_proto_free(w->proto);
	nd_buf_done(&w->wire);
	nd_buf_done(&w->server.in);
	nd_buf_done(&w->server.out);
	free(w);
}

static void
each_mail_has_one_outcome_that_is_true_whatever_the_server_says_and_when(void **state)
{
	static const size_t chunks[] = { 1, 7, 60, 500 };
	unsigned company = 0;

	(void)state;
	for (uint32_t seed = 0; seed < WORLDS; seed++)
		play(seed, 1 + seed % SMTP_WINDOW_MAX, chunks[seed / 16 % 4], seed % 3 ? 30 : 0, &company);
	assert_true(company > WORLDS); /* it was about several at once */
}

static void
a_window_of_one_never_has_company(void **state)
{
	unsigned company = 0;

	(void)state;
	for (uint32_t seed = 0; seed < 200; seed++)
		play(seed, 1, 60, 0, &company);
	assert_int_equal(company, 0);
}

/* ---- cut at every octet ---- */

/* Four mails under way; so many octets of the replies come, so many of what was said have left. */
static void
cut(size_t heard, size_t unsent, const char *replies)
{
	static const struct smtp_settings settings = {
		.ehlo = "host.example", .host = "relay.example", .security = SMTP_PLAINTEXT, .loopback = true
	};
	static const char *const rcpts[] = { "ops@example.com" };
	struct smtp_rcpt_result results[5];
	struct smtp_proto *proto = smtp_proto_new(&settings, 0);
	static const char opening[] = "220 hi\r\n", offer[] = "250-hi\r\n250-PIPELINING\r\n250 CHUNKING\r\n";
	size_t lengths[5] = { 0 }, behind = 0, at = 0;
	struct smtp_outcome outcome;
	struct nd_why why;
	bool secret;

	smtp_proto_input(proto, opening, strlen(opening), 0);
	nd_buf_clear(smtp_proto_output(proto, &secret));
	smtp_proto_input(proto, offer, strlen(offer), 0);
	for (unsigned n = 0; n < 5; n++) {
		const struct smtp_mail mail = { .from = "a@example.com",
			.rcpts = rcpts,
			.rcpt_count = 1,
			.results = &results[n],
			.size = 4,
			.pace = SMTP_ONE_FLIGHT };

		if (n < 2) {
			smtp_proto_mail(proto, &mail, 0);
			smtp_proto_content(proto, "hi\r\n", 4, true, 0);
		} else {
			assert_true(smtp_proto_room(proto, &mail));
			smtp_proto_ahead(proto, &mail, "hi\r\n", 4, 0);
		}
		lengths[n] = smtp_proto_output(proto, &secret)->len;
		nd_buf_clear(smtp_proto_output(proto, &secret));
		if (n > 0)
			continue;
		smtp_proto_input(proto, "250 ok\r\n250 ok\r\n250 ok\r\n", 24, 0);
		smtp_proto_result(proto, &outcome);
	}
	smtp_proto_unsent(proto, unsent);
	for (unsigned n = 1; n < 5; n++) {
		const unsigned owed = n == 1 ? 3 : 4;
		const bool whole = heard >= at + 8 * owed;

		for (; at < heard && at < (size_t)8 * (3 + 4 * (n - 1)); at++)
			smtp_proto_input(proto, replies + at, 1, 0);
		if (!whole && smtp_proto_wish(proto) != SMTP_WISH_RESULT) {
			(void)nd_fail(&why, ND_ECLOSED, 0, "gone");
			smtp_proto_lost(proto, &why, 0);
		}
		assert_int_equal(smtp_proto_wish(proto), SMTP_WISH_RESULT);
		smtp_proto_result(proto, &outcome);
		behind = 0;
		for (unsigned k = n + 1; k < 5; k++)
			behind += lengths[k];
		if (whole && at == (size_t)8 * (3 + 4 * (n - 1))) {
			assert_int_equal(outcome.end, SMTP_ENDED_REPLY);
			assert_int_equal(outcome.reply.code, 250);
			continue;
		}
		assert_int_equal(outcome.end, SMTP_ENDED_LOST);
		assert_int_equal(outcome.uncertain, unsent <= behind);
		assert_int_equal(outcome.unharmed, unsent > behind);
	}
	smtp_proto_free(proto);
}

static void
a_window_of_four_that_is_cut_at_any_octet_is_uncertain_for_what_had_left_and_was_not_answered(void **state)
{
	char replies[8 * 15 + 1] = "";

	(void)state;
	for (unsigned n = 0; n < 15; n++)
		memcpy(replies + 8 * (size_t)n, "250 ok\r\n", 9);
	for (size_t heard = 0; heard < 8 * 15; heard++)
		for (size_t unsent = 0; unsent < 250; unsent += heard % 8 ? 31 : 1)
			cut(heard, unsent, replies);
}

static void
there_is_no_room_before_the_session_has_taken_a_mail_and_after_it_lay_idle(void **state)
{
	static const struct smtp_settings settings = {
		.ehlo = "host.example", .host = "relay.example", .security = SMTP_PLAINTEXT, .loopback = true
	};
	static const char *const rcpts[] = { "ops@example.com" }, *const odd[] = { "a b@example.com\r\n" };
	static const char opening[] = "220 hi\r\n",
			  offer[] = "250-hi\r\n250-PIPELINING\r\n250-SIZE 9999\r\n250 CHUNKING\r\n";
	struct smtp_rcpt_result result;
	struct smtp_proto *proto = smtp_proto_new(&settings, 0);
	const struct smtp_mail mail = { .from = "a@example.com",
		.rcpts = rcpts,
		.rcpt_count = 1,
		.results = &result,
		.size = 4,
		.pace = SMTP_ONE_FLIGHT };
	struct smtp_mail other = mail;
	struct smtp_outcome outcome;
	nd_ms now = 0;
	bool secret;

	(void)state;
	smtp_proto_input(proto, opening, strlen(opening), 0);
	nd_buf_clear(smtp_proto_output(proto, &secret));
	smtp_proto_input(proto, offer, strlen(offer), 0);
	for (unsigned n = 0; n < 3; n++) {
		assert_false(smtp_proto_room(proto, NULL));
		smtp_proto_mail(proto, &mail, now);
		assert_false(smtp_proto_room(proto, NULL));
		smtp_proto_content(proto, "hi\r\n", 4, true, now);
		nd_buf_clear(smtp_proto_output(proto, &secret));
		assert_int_equal(smtp_proto_room(proto, &mail), n == 1);
		if (n == 1) {
			other.pace = SMTP_CHUNKED;
			assert_false(smtp_proto_room(proto, &other));
			other = mail;
			other.size = 65537;
			assert_false(smtp_proto_room(proto, &other));
			other.size = 10000; /* more than it takes */
			assert_false(smtp_proto_room(proto, &other));
			other = mail;
			other.rcpts = odd;
			assert_false(smtp_proto_room(proto, &other));
			other = mail;
			other.rcpt_count = 51;
			assert_false(smtp_proto_room(proto, &other));
		}
		smtp_proto_input(proto, "250 ok\r\n250 ok\r\n250 ok\r\n", 24, now);
		smtp_proto_result(proto, &outcome);
		now += n == 1 ? ND_SEC(1) : 0;
	}
	smtp_proto_free(proto);
}

static void
no_more_than_sixteen_are_under_way(void **state)
{
	static const struct smtp_settings settings = {
		.ehlo = "host.example", .host = "relay.example", .security = SMTP_PLAINTEXT, .loopback = true
	};
	static const char *const rcpts[] = { "ops@example.com" };
	static const char opening[] = "220 hi\r\n", offer[] = "250-hi\r\n250-PIPELINING\r\n250 CHUNKING\r\n";
	struct smtp_rcpt_result result;
	struct smtp_proto *proto = smtp_proto_new(&settings, 0);
	const struct smtp_mail mail = { .from = "a@example.com",
		.rcpts = rcpts,
		.rcpt_count = 1,
		.results = &result,
		.size = 4,
		.pace = SMTP_ONE_FLIGHT };
	struct smtp_outcome outcome;
	unsigned under_way = 1;
	bool secret;

	(void)state;
	smtp_proto_input(proto, opening, strlen(opening), 0);
	nd_buf_clear(smtp_proto_output(proto, &secret));
	smtp_proto_input(proto, offer, strlen(offer), 0);
	for (unsigned n = 0; n < 2; n++) {
		smtp_proto_mail(proto, &mail, 0);
		smtp_proto_content(proto, "hi\r\n", 4, true, 0);
		nd_buf_clear(smtp_proto_output(proto, &secret));
		if (n > 0)
			break;
		smtp_proto_input(proto, "250 ok\r\n250 ok\r\n250 ok\r\n", 24, 0);
		smtp_proto_result(proto, &outcome);
	}
	for (; smtp_proto_room(proto, &mail); under_way++)
		smtp_proto_ahead(proto, &mail, "hi\r\n", 4, 0);
	assert_int_equal(under_way, SMTP_WINDOW_MAX);
	smtp_proto_free(proto);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_mail_has_one_outcome_that_is_true_whatever_the_server_says_and_when),
		cmocka_unit_test(a_window_of_one_never_has_company),
		cmocka_unit_test(
		    a_window_of_four_that_is_cut_at_any_octet_is_uncertain_for_what_had_left_and_was_not_answered),
		cmocka_unit_test(there_is_no_room_before_the_session_has_taken_a_mail_and_after_it_lay_idle),
		cmocka_unit_test(no_more_than_sixteen_are_under_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
