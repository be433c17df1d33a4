/* SPDX-License-Identifier: Apache-2.0 */
/* test_proxy_talk.c - tests of asking a proxy for the way. Every reply is heard whole and split at every octet. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/core/proxy_talk.h"

#include <stdio.h>
#include <string.h>

static const struct proxy_talk_goal by_name = { .host = "smtp.contoso.example", .port = 587 };
static const struct proxy_talk_goal by_four = {
	.host = "192.0.2.25", .port = 25, .address = { 192, 0, 2, 25 }, .address_len = 4
};
static const struct proxy_talk_goal by_six = {
	.host = "2001:db8::25", .port = 465, .address = { 0x20, 0x01, 0x0d, 0xb8, [15] = 0x25 }, .address_len = 16
};

static void
expect_out(struct proxy_talk *talk, const char *octets, size_t len)
{
	assert_int_equal(talk->out_len, len);
	assert_memory_equal(talk->out, octets, len);
	talk->out_len = 0;
}

/* Everything a proxy says, in two pieces; how much of it was its own. */
static size_t
hear(struct proxy_talk *talk, const char *octets, size_t len, size_t split)
{
	size_t used = proxy_talk_input(talk, octets, split);

	if (used == split)
		used += proxy_talk_input(talk, octets + split, len - split);
	return used;
}

/* The end of a talk, the same however the reply is split. SOCKS5: the reply to the greeting comes before `octets`. */
static struct proxy_talk
end_of(enum proxy_talk_kind kind, const struct proxy_talk_goal *goal, const char *octets, size_t len, size_t *used)
{
	struct proxy_talk talk = { .heard = 0 }, first = { .heard = 0 };

	for (size_t split = 0; split <= len; split++) {
		size_t took;

		proxy_talk_init(&talk, kind, goal);
		if (kind == PROXY_TALK_SOCKS5) {
			assert_int_equal(proxy_talk_input(&talk, "\5", 1), 1);
			assert_int_equal(proxy_talk_input(&talk, "\0", 1), 1);
		}
		talk.out_len = 0;
		took = hear(&talk, octets, len, split);
		if (split == 0) {
			first = talk;
			if (used != NULL)
				*used = took;
		}
		assert_int_equal(talk.state, first.state);
		assert_string_equal(talk.why.text, first.why.text);
		assert_int_equal(talk.out_len, 0);
	}
	return talk;
}

static struct proxy_talk
http(const char *reply)
{
	return end_of(PROXY_TALK_CONNECT, &by_name, reply, strlen(reply), NULL);
}

static void
a_proxy_is_read_from_its_url(void **state)
{
	struct proxy_talk_server server;

	(void)state;
	assert_true(proxy_talk_server("", &server));
	assert_int_equal(server.kind, PROXY_TALK_NONE);
	assert_true(proxy_talk_server("http://proxy.example:3128", &server));
	assert_int_equal(server.kind, PROXY_TALK_CONNECT);
	assert_string_equal(server.host, "proxy.example");
	assert_int_equal(server.port, 3128);
	assert_true(proxy_talk_server("SOCKS5://[2001:db8::1]:1080", &server));
	assert_int_equal(server.kind, PROXY_TALK_SOCKS5);
	assert_string_equal(server.host, "2001:db8::1");
	assert_int_equal(server.port, 1080);
	assert_false(proxy_talk_server("https://proxy.example:3128", &server));
	assert_false(proxy_talk_server("http://proxy.example", &server));
	assert_false(proxy_talk_server("http://:3128", &server));
	assert_false(proxy_talk_server("http://proxy.example:99999", &server));
	assert_int_equal(server.port, 1080); /* untouched */
}

static void
connect_names_the_server_and_its_port(void **state)
{
	static const char name[] =
	    "CONNECT smtp.contoso.example:587 HTTP/1.1\r\nHost: smtp.contoso.example:587\r\n\r\n";
	static const char six[] = "CONNECT [2001:db8::25]:465 HTTP/1.1\r\nHost: [2001:db8::25]:465\r\n\r\n";
	struct proxy_talk talk;

	(void)state;
	proxy_talk_init(&talk, PROXY_TALK_CONNECT, &by_name);
	expect_out(&talk, name, sizeof(name) - 1);
	proxy_talk_init(&talk, PROXY_TALK_CONNECT, &by_six);
	expect_out(&talk, six, sizeof(six) - 1);
}

static void
what_follows_the_reply_is_the_servers(void **state)
{
	static const char reply[] = "HTTP/1.1 200 Connection established\r\nVia: 1.1 p\r\n\r\n",
			  more[] = "220 relay\r\n";
	static const char socks[] = "\5\0\0\1\177\0\0\1\4\70";
	char both[100];
	struct proxy_talk talk;
	size_t used = 0;

	(void)state;
	(void)snprintf(both, sizeof(both), "%s%s", reply, more);
	talk = end_of(PROXY_TALK_CONNECT, &by_name, both, strlen(both), &used);
	assert_int_equal(talk.state, PROXY_TALK_STANDS);
	assert_int_equal(used, sizeof(reply) - 1);
	memcpy(both, socks, sizeof(socks) - 1);
	memcpy(both + sizeof(socks) - 1, more, sizeof(more) - 1);
	talk = end_of(PROXY_TALK_SOCKS5, &by_name, both, sizeof(socks) + sizeof(more) - 2, &used);
	assert_int_equal(talk.state, PROXY_TALK_STANDS);
	assert_int_equal(used, sizeof(socks) - 1);
}

static void
replies_of_every_shape_open_the_way(void **state)
{
	(void)state;
	assert_int_equal(http("HTTP/1.0 200\r\n\r\n").state, PROXY_TALK_STANDS);
	assert_int_equal(http("HTTP/1.1 204 ok\n\n").state, PROXY_TALK_STANDS);
	assert_int_equal(http("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n").state, PROXY_TALK_STANDS);
	assert_int_equal(http("HTTP/1.1 200 OK\r\n").state, PROXY_TALK_ASKING);
}

static void
a_refusal_says_why(void **state)
{
	static const struct {
		const char *reply, *words;
	} rows[] = {
		{ "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\n\r\n",
		    "407 Proxy Authentication Required - it wants a user and a password" },
		{ "HTTP/1.1 403 Forbidden\r\nX-Squid-Error: ERR_ACCESS_DENIED 0\r\n\r\n",
		    "403 Forbidden - its rules forbid it (ERR_ACCESS_DENIED 0)" },
		{ "HTTP/1.1 502 Bad Gateway\r\n\r\n", "502 Bad Gateway - it cannot reach the server" },
		{ "HTTP/1.1 504 Gateway Timeout\r\n\r\n", "the server does not answer it" },
		{ "HTTP/1.1 302 Found\r\nLocation: http://login.example/\r\n\r\n", "302 Found" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct proxy_talk talk = http(rows[i].reply);

		assert_int_equal(talk.state, PROXY_TALK_REFUSED);
		assert_int_equal(talk.why.err, ND_ECONNECT);
		assert_non_null(strstr(talk.why.text, "smtp.contoso.example, port 587"));
		assert_non_null(strstr(talk.why.text, rows[i].words));
		assert_string_equal(talk.why.field, "smtp_proxy");
	}
}

static void
what_is_no_proxy_is_told_at_its_first_octets(void **state)
{
	static const char *const said[] = { "220 relay.example ESMTP\r\n", "SSH-2.0-OpenSSH\r\n", "HTTP/2 200\r\n",
		"HTTP/1.1 abc\r\n", "HTTP/1.1 2000 OK\r\n", "HTTP/1.1\r\n", "\r\n" };

	(void)state;
	for (size_t i = 0; i < sizeof(said) / sizeof(said[0]); i++) {
		struct proxy_talk talk = http(said[i]);

		assert_int_equal(talk.state, PROXY_TALK_REFUSED);
		assert_int_equal(talk.why.err, ND_EPROTOCOL);
		assert_non_null(strstr(talk.why.text, "does not answer as an HTTP proxy"));
	}
}

static void
a_reply_without_an_end_is_not_heard_for_ever(void **state)
{
	static const char field[] =
	    "X-Long: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n";
	struct proxy_talk talk;
	size_t given = 0;

	(void)state;
	proxy_talk_init(&talk, PROXY_TALK_CONNECT, &by_name);
	assert_int_equal(proxy_talk_input(&talk, "HTTP/1.1 200 OK\r\n", 17), 17);
	while (talk.state == PROXY_TALK_ASKING && given < 10 * PROXY_TALK_MAX)
		given += proxy_talk_input(&talk, field, sizeof(field) - 1);
	assert_int_equal(talk.state, PROXY_TALK_REFUSED);
	assert_true(given <= PROXY_TALK_MAX);
	assert_non_null(strstr(talk.why.text, "does not end"));
}

static void
socks_greets_and_then_names_the_server(void **state)
{
	static const char name[] = "\5\1\0\3\24smtp.contoso.example\2\113", four[] = "\5\1\0\1\300\0\2\31\0\31";
	static const char six[] = "\5\1\0\4\40\1\15\270\0\0\0\0\0\0\0\0\0\0\0\45\1\321";
	const struct {
		const struct proxy_talk_goal *goal;
		const char *octets;
		size_t len;
	} rows[] = { { &by_name, name, sizeof(name) - 1 }, { &by_four, four, sizeof(four) - 1 },
		{ &by_six, six, sizeof(six) - 1 } };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct proxy_talk talk;

		proxy_talk_init(&talk, PROXY_TALK_SOCKS5, rows[i].goal);
		expect_out(&talk, "\5\1\0", 3);
		assert_int_equal(proxy_talk_input(&talk, "\5\0", 2), 2);
		expect_out(&talk, rows[i].octets, rows[i].len);
	}
}

static void
socks_replies_carry_an_address_of_any_kind(void **state)
{
	static const char four[] = "\5\0\0\1\1\2\3\4\5\6", name[] = "\5\0\0\3\4host\5\6", empty[] = "\5\0\0\3\0\5\6";
	static const char six[] = "\5\0\0\4\0\1\2\3\4\5\6\7\10\11\12\13\14\15\16\17\5\6";
	const struct {
		const char *octets;
		size_t len;
	} rows[] = { { four, sizeof(four) - 1 }, { name, sizeof(name) - 1 }, { empty, sizeof(empty) - 1 },
		{ six, sizeof(six) - 1 } };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t used = 0;

		assert_int_equal(
		    end_of(PROXY_TALK_SOCKS5, &by_name, rows[i].octets, rows[i].len, &used).state, PROXY_TALK_STANDS);
		assert_int_equal(used, rows[i].len);
		assert_int_equal(end_of(PROXY_TALK_SOCKS5, &by_name, rows[i].octets, rows[i].len - 1, &used).state,
		    PROXY_TALK_ASKING);
	}
}

static void
socks_refusals_have_their_words(void **state)
{
	static const char *const words[] = { "general failure", "its rules forbid it", "network unreachable",
		"host unreachable", "connection refused", "time to live expired", "it does not open connections",
		"it does not know this kind of address", "unknown reply" };

	(void)state;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		const char reply[] = { 5, (char)(i + 1) }; /* and nothing behind it */
		struct proxy_talk talk = end_of(PROXY_TALK_SOCKS5, &by_four, reply, 2, NULL);

		assert_int_equal(talk.state, PROXY_TALK_REFUSED);
		assert_int_equal(talk.why.err, ND_ECONNECT);
		assert_non_null(strstr(talk.why.text, words[i]));
		assert_non_null(strstr(talk.why.text, "192.0.2.25, port 25"));
	}
}

static void
a_socks_proxy_that_wants_a_password_or_is_none_is_told(void **state)
{
	struct proxy_talk talk;

	(void)state;
	proxy_talk_init(&talk, PROXY_TALK_SOCKS5, &by_name);
	(void)proxy_talk_input(&talk, "\5\377", 2);
	assert_int_equal(talk.state, PROXY_TALK_REFUSED);
	assert_non_null(strstr(talk.why.text, "it wants a user and a password"));
	proxy_talk_init(&talk, PROXY_TALK_SOCKS5, &by_name);
	(void)proxy_talk_input(&talk, "HTTP/1.1 400 Bad Request\r\n", 26);
	assert_int_equal(talk.why.err, ND_EPROTOCOL);
	proxy_talk_init(&talk, PROXY_TALK_SOCKS5, &by_name);
	(void)proxy_talk_input(&talk, "\5\2", 2); /* a method nobody offered */
	assert_int_equal(talk.why.err, ND_EPROTOCOL);
	talk = end_of(PROXY_TALK_SOCKS5, &by_name, "\5\0\0\11\0\0", 6, NULL);
	assert_int_equal(talk.why.err, ND_EPROTOCOL);
}

static void
a_name_that_no_request_can_hold_is_refused_before_anything_is_said(void **state)
{
	char name[300];
	struct proxy_talk_goal goal = { .host = name, .port = 25 };
	struct proxy_talk talk;

	(void)state;
	memset(name, 'a', sizeof(name));
	name[256] = '\0';
	proxy_talk_init(&talk, PROXY_TALK_SOCKS5, &goal);
	assert_int_equal(talk.state, PROXY_TALK_REFUSED);
	assert_int_equal(talk.out_len, 0);
	name[255] = '\0';
	proxy_talk_init(&talk, PROXY_TALK_CONNECT, &goal);
	assert_int_equal(talk.state, PROXY_TALK_ASKING);
	assert_memory_equal(talk.out + talk.out_len - 4, "\r\n\r\n", 4);
	proxy_talk_init(&talk, PROXY_TALK_SOCKS5, &goal);
	assert_int_equal(proxy_talk_input(&talk, "\5\0", 2), 2);
	assert_int_equal(talk.out_len, 4 + 1 + 255 + 2);
}

static void
a_name_of_another_script_is_asked_for_in_ascii(void **state)
{
	const struct proxy_talk_goal goal = { .host = "smtp.BÜCHER.example", .port = 587 };
	static const char http_wanted[] =
	    "CONNECT smtp.xn--bcher-kva.example:587 HTTP/1.1\r\nHost: smtp.xn--bcher-kva.example:587\r\n\r\n";
	static const char socks_wanted[] = "\5\1\0\3\x1asmtp.xn--bcher-kva.example\2\x4b";
	struct proxy_talk talk;

	(void)state;
	proxy_talk_init(&talk, PROXY_TALK_CONNECT, &goal);
	expect_out(&talk, http_wanted, strlen(http_wanted));
	proxy_talk_init(&talk, PROXY_TALK_SOCKS5, &goal);
	talk.out_len = 0;
	assert_int_equal(proxy_talk_input(&talk, "\5\0", 2), 2);
	expect_out(&talk, socks_wanted, sizeof(socks_wanted) - 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_of_another_script_is_asked_for_in_ascii),
		cmocka_unit_test(a_proxy_is_read_from_its_url),
		cmocka_unit_test(connect_names_the_server_and_its_port),
		cmocka_unit_test(what_follows_the_reply_is_the_servers),
		cmocka_unit_test(replies_of_every_shape_open_the_way),
		cmocka_unit_test(a_refusal_says_why),
		cmocka_unit_test(what_is_no_proxy_is_told_at_its_first_octets),
		cmocka_unit_test(a_reply_without_an_end_is_not_heard_for_ever),
		cmocka_unit_test(socks_greets_and_then_names_the_server),
		cmocka_unit_test(socks_replies_carry_an_address_of_any_kind),
		cmocka_unit_test(socks_refusals_have_their_words),
		cmocka_unit_test(a_socks_proxy_that_wants_a_password_or_is_none_is_told),
		cmocka_unit_test(a_name_that_no_request_can_hold_is_refused_before_anything_is_said),
	};

	return cmocka_run_group_tests_name("proxy_talk", tests, NULL, NULL);
}
