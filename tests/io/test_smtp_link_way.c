/* SPDX-License-Identifier: Apache-2.0 */
/* test_smtp_link_way.c - tests of the way to the server: proxies, the local address, the family. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/io/ahead.h"
#include "tests/io/smtp_link_kit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>

/* -- a proxy for one connection, on a thread -- */

struct proxy {
	int listener;
	uint16_t port, relay_port; /* whatever is asked for, it is the relay that answers */
	bool socks;
	bool glued;          /* the relay's greeting comes in one piece with the proxy's own words */
	const char *refuses; /* says this instead of opening the way, and closes */
	size_t refuses_len;
	char heard[600]; /* the request */
	size_t heard_len;
	pthread_t thread;
};

static struct proxy proxy;

static bool
read_more(int fd, size_t whole)
{
	while (proxy.heard_len < whole) {
		ssize_t got = read(fd, proxy.heard + proxy.heard_len, sizeof(proxy.heard) - 1 - proxy.heard_len);

		if (got <= 0)
			return false;
		proxy.heard_len += (size_t)got;
		if (!proxy.socks && strstr(proxy.heard, "\r\n\r\n") != NULL)
			break;
	}
	return true;
}

static void
put(int fd, const void *octets, size_t len)
{
	(void)!send(fd, octets, len, MSG_NOSIGNAL);
}

static int
open_relay(void)
{
	struct sockaddr_in to = {
		.sin_family = AF_INET, .sin_port = htons(proxy.relay_port), .sin_addr = { htonl(INADDR_LOOPBACK) }
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (connect(fd, (const struct sockaddr *)&to, sizeof(to)) != 0)
		abort();
	return fd;
}

static void
pump(int client, int relay)
{
	struct pollfd fds[2] = { { .fd = client, .events = POLLIN }, { .fd = relay, .events = POLLIN } };
	char octets[4096];

	while (poll(fds, 2, -1) > 0) {
		for (int i = 0; i < 2; i++) {
			ssize_t got = fds[i].revents != 0 ? read(fds[i].fd, octets, sizeof(octets)) : 1;

			if (got <= 0)
				return;
			if (fds[i].revents != 0)
				put(fds[1 - i].fd, octets, (size_t)got);
		}
	}
}

static bool
hear_request(int client)
{
	if (!proxy.socks)
		return read_more(client, sizeof(proxy.heard) - 1);
	if (!read_more(client, 3) || memcmp(proxy.heard, "\5\1\0", 3) != 0)
		return false;
	put(client, "\5\0", 2);
	return read_more(client, 3 + 10); /* the shortest: of an IPv4 address */
}

static void
open_way(int client)
{
	static const char http[] = "HTTP/1.1 200 Connection established\r\n\r\n", socks[] = "\5\0\0\1\0\0\0\0\0\0";
	const char *words = proxy.socks ? socks : http;
	size_t len = proxy.socks ? sizeof(socks) - 1 : sizeof(http) - 1;
	char both[1024];
	ssize_t got;
	int relay = open_relay();

	memcpy(both, words, len);
	if (proxy.glued) {
		got = read(relay, both + len, sizeof(both) - len);
		len += got > 0 ? (size_t)got : 0;
	}
	put(client, both, len);
	pump(client, relay);
	(void)close(relay);
}

static void *
play_proxy(void *arg)
{
	int client = accept4(proxy.listener, NULL, NULL, SOCK_CLOEXEC);

	(void)arg;
	if (client < 0)
		return NULL;
	if (hear_request(client)) {
		if (proxy.refuses != NULL)
			put(client, proxy.refuses, proxy.refuses_len);
		else
			open_way(client);
	}
	(void)close(client);
	return NULL;
}

static void
start_proxy(enum proxy_talk_kind kind)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t len = sizeof(at);

	proxy.socks = kind == PROXY_TALK_SOCKS5;
	proxy.relay_port = play.conf.port;
	proxy.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(proxy.listener, (const struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(proxy.listener, 1), 0);
	assert_int_equal(getsockname(proxy.listener, (struct sockaddr *)&at, &len), 0);
	assert_int_equal(pthread_create(&proxy.thread, NULL, play_proxy, NULL), 0);
	play.conf.proxy = (struct proxy_talk_server){ .kind = kind, .host = "127.0.0.1", .port = ntohs(at.sin_port) };
	play.conf.host = "relay.example"; /* which no resolver of ours knows */
}

static void
end_proxy(void)
{
	(void)shutdown(proxy.listener, SHUT_RDWR);
	assert_int_equal(pthread_join(proxy.thread, NULL), 0);
	(void)close(proxy.listener);
}

static int
begin_way(void **state)
{
	memset(&proxy, 0, sizeof(proxy));
	atomic_store(&moved, false);
	atomic_store(&ahead, 0);
	return begin(state);
}

/* -- the mail that goes that way -- */

#define MAIL_STEPS                                                                                                     \
	"C: MAIL FROM:{any}\nS: 250 ok\nC: RCPT TO:<ops@example.com>\nS: 250 ok\nC: DATA\nS: 354 go on\nCONTENT\n"     \
	"S: 250 2.0.0 queued\nC: QUIT\nS: 221 bye\n"
#define CLEAR_STEPS "S: 220 relay.example\nC: EHLO host.example\nS: 250 relay.example\n"
#define STARTTLS_STEPS                                                                                                 \
	"S: 220 relay.example\nC: EHLO host.example\nS: 250-relay.example\nS: 250 STARTTLS\nC: STARTTLS\nS: 220 "      \
	"go\nTLS\n"                                                                                                    \
	"C: EHLO host.example\nS: 250-relay.example\nS: 250 AUTH PLAIN\nC: AUTH PLAIN {plain}\nS: 235 2.7.0 ok\n"

static void
add_mail(void)
{
	struct mail *mail = &play.mails[play.mail_count++];

	(void)snprintf(mail->rcpts[mail->rcpt_count++], sizeof(mail->rcpts[0]), "ops@example.com");
	(void)nd_buf_adds(&mail->body, "Subject: x\r\n\r\nhello\r\n");
}

static void
go_by(enum proxy_talk_kind kind, bool glued)
{
	char want[96];

	start_script(STARTTLS_STEPS MAIL_STEPS, "good.pem", NULL, NULL);
	play.conf.settings.security = SMTP_STARTTLS;
	play.conf.settings.auth = SMTP_AUTH_PASSWORD;
	add_mail();
	proxy.glued = glued;
	start_proxy(kind);
	run();
	assert_done("= reply end 250 2.0.0");
	assert_done("= closed");
	(void)snprintf(want, sizeof(want), "relay.example[by 127.0.0.1:%u]:%u", (unsigned)play.conf.proxy.port,
	    (unsigned)play.conf.port);
	assert_string_equal(play.relay, want);
	assert_memory_equal(play.tls_words, "TLSv1.3", 7);
	end_proxy();
	assert_int_equal(end_relay(), 0);
}

static void
a_mail_goes_through_an_http_proxy_with_starttls(void **state)
{
	char want[96];

	(void)state;
	go_by(PROXY_TALK_CONNECT, false);
	(void)snprintf(want, sizeof(want), "CONNECT relay.example:%u HTTP/1.1\r\n", (unsigned)play.conf.port);
	assert_memory_equal(proxy.heard, want, strlen(want));
}

static void
a_mail_goes_through_a_socks_proxy_that_looks_the_name_up(void **state)
{
	(void)state;
	go_by(PROXY_TALK_SOCKS5, false);
	assert_memory_equal(proxy.heard + 3, "\5\1\0\3\15relay.example", 18);
}

static void
a_greeting_in_one_piece_with_the_proxys_words_is_heard(void **state)
{
	(void)state;
	go_by(PROXY_TALK_CONNECT, true);
}

static void
a_greeting_in_one_piece_with_the_socks_reply_is_heard(void **state)
{
	(void)state;
	go_by(PROXY_TALK_SOCKS5, true);
}

static void
tls_from_the_start_goes_through_a_proxy_too(void **state)
{
	(void)state;
	start_script("TLS\n" CLEAR_STEPS MAIL_STEPS, "good.pem", NULL, NULL);
	play.conf.settings.security = SMTP_TLS;
	add_mail();
	start_proxy(PROXY_TALK_CONNECT);
	run();
	assert_done("= reply end 250 2.0.0");
	end_proxy();
	assert_int_equal(end_relay(), 0);
}

static void
refused_with(enum proxy_talk_kind kind, const char *words, size_t len)
{
	proxy.refuses = words;
	proxy.refuses_len = len;
	play.conf.port = 587;
	start_proxy(kind);
	run();
	end_proxy();
}

static void
a_proxy_that_refuses_is_told_with_its_words(void **state)
{
	static const char words[] = "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n";

	(void)state;
	refused_with(PROXY_TALK_CONNECT, words, sizeof(words) - 1);
	assert_done("= fault connect connect-failed");
	assert_told("403 Forbidden");
	assert_told("relay.example, port 587");
}

static void
a_socks_proxy_that_refuses_is_told_with_its_words(void **state)
{
	(void)state;
	refused_with(PROXY_TALK_SOCKS5, "\5\5\0\1", 4);
	assert_done("= fault connect connect-failed");
	assert_told("connection refused");
}

static void
a_proxy_that_leaves_without_a_word_is_told(void **state)
{
	(void)state;
	refused_with(PROXY_TALK_CONNECT, "", 0);
	assert_done("= fault connect connection-lost");
	assert_told("while the proxy was asked");
}

static void
a_proxy_that_is_not_there_is_named(void **state)
{
	(void)state;
	play.conf.proxy = (struct proxy_talk_server){ .kind = PROXY_TALK_CONNECT, .host = "127.0.0.1", .port = 1 };
	play.conf.host = "relay.example";
	play.conf.port = 587;
	run();
	assert_done("= fault connect connect-failed");
	assert_told("the proxy 127.0.0.1, port 1");
}

static void
a_password_never_goes_in_clear_through_a_proxy_not_even_one_of_this_host(void **state)
{
	(void)state;
	start_script("S: 220 relay.example\nC: EHLO host.example\nS: 250-relay.example\nS: 250 AUTH PLAIN\n",
	    "good.pem", NULL, NULL);
	play.conf.settings.security = SMTP_PLAINTEXT;
	play.conf.settings.auth = SMTP_AUTH_PASSWORD;
	add_mail();
	start_proxy(PROXY_TALK_CONNECT);
	run();
	assert_done("= fault auth tls-failed");
	assert_told("not encrypted");
	end_proxy();
	assert_int_equal(end_relay(), 0);
}

/* -- the local address, the family -- */

static void
sessions_come_from_the_address_that_bind_names(void **state)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } }, peer = { 0 };
	socklen_t len = sizeof(at);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), fd;

	(void)state;
	assert_int_equal(bind(listener, (const struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&at, &len), 0);
	play.conf.port = ntohs(at.sin_port);
	play.conf.bind = "127.0.0.9";
	play.free_at = NOWHERE;
	play.link = smtp_link_new(play.loop, play.resolver, &play.conf, &events, &play);
	while (smtp_link_relay(play.link)[0] == '\0')
		one_turn();
	len = sizeof(peer);
	fd = accept4(listener, (struct sockaddr *)&peer, &len, SOCK_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(ntohl(peer.sin_addr.s_addr), 0x7f000009);
	(void)close(fd);
	(void)close(listener);
}

static void
an_address_that_is_not_of_this_host_is_told(void **state)
{
	(void)state;
	play.conf.port = 25;
	play.conf.bind = "192.0.2.77";
	run();
	assert_done("= fault connect connect-failed");
	assert_told("Cannot assign requested address");
}

static void
a_bind_that_is_no_address_binds_nothing_else(void **state)
{
	(void)state;
	play.conf.port = 25;
	play.conf.bind = "1.2.3";
	run();
	assert_done("= fault connect bad-configuration");
}

static void
addresses_of_the_other_family_are_not_tried(void **state)
{
	(void)state;
	play.conf.host = "two.test";
	play.conf.port = 25;
	play.conf.family = AF_INET6;
	run();
	assert_done("= fault connect name-not-found");
	assert_told("two.test has no IPv6 address");
	assert_string_equal(play.why.field, "family");
	play.conf.family = AF_UNSPEC;
	play.conf.bind = "::1"; /* which can reach no IPv4 address */
	run();
	assert_string_equal(play.why.field, "bind");
}

/* -- the connection -- */

/* TCP_NODELAY of our end of the one connection to the relay; -1: there is none. */
static int
no_delay(void)
{
	struct sockaddr_in peer;
	int on = -1, fd;

	for (fd = 3; fd < 256; fd++) {
		socklen_t len = sizeof(peer), on_len = sizeof(on);

		if (getpeername(fd, (struct sockaddr *)&peer, &len) == 0 && peer.sin_family == AF_INET &&
		    ntohs(peer.sin_port) == play.conf.port)
			assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, &on_len), 0);
	}
	return on;
}

static void
look_when_ready(void *owner, struct smtp_link *link)
{
	(void)owner;
	did("no delay: %d", no_delay());
	smtp_link_quit(link);
}

static void
commands_leave_as_they_come(void **state)
{
	static struct smtp_link_events looking;

	(void)state;
	looking = events;
	looking.ready = look_when_ready;
	start_script(CLEAR_STEPS "C: QUIT\nS: 221 bye\n", "good.pem", NULL, NULL);
	play.link = smtp_link_new(play.loop, play.resolver, &play.conf, &looking, &play);
	loop_run(play.loop);
	smtp_link_free(play.link);
	play.link = NULL;
	one_turn();
	assert_done("no delay: 1");
	assert_int_equal(end_relay(), 0);
}

static void
go_to(const char *address)
{
	char want[64];

	start_script(CLEAR_STEPS "C: QUIT\nS: 221 bye\n", "good.pem", "--host", address);
	play.conf.host = "moves.test";
	run();
	assert_done("= ready");
	(void)snprintf(want, sizeof(want), "moves.test[%s]:%u", address, (unsigned)play.conf.port);
	assert_string_equal(play.relay, want);
	assert_int_equal(end_relay(), 0);
	nd_buf_clear(&play.did);
}

static void
a_server_that_has_moved_is_found_by_the_next_session_a_minute_later(void **state)
{
	(void)state;
	go_to("127.0.0.1");
	atomic_store(&moved, true);
	atomic_store(&ahead, 61);
	go_to("127.0.0.2");
}

int
main(void)
{
#define WAY_TEST(f) cmocka_unit_test_setup_teardown(f, begin_way, end)
	const struct CMUnitTest tests[] = {
		WAY_TEST(a_mail_goes_through_an_http_proxy_with_starttls),
		WAY_TEST(a_mail_goes_through_a_socks_proxy_that_looks_the_name_up),
		WAY_TEST(a_greeting_in_one_piece_with_the_proxys_words_is_heard),
		WAY_TEST(a_greeting_in_one_piece_with_the_socks_reply_is_heard),
		WAY_TEST(tls_from_the_start_goes_through_a_proxy_too),
		WAY_TEST(a_proxy_that_refuses_is_told_with_its_words),
		WAY_TEST(a_socks_proxy_that_refuses_is_told_with_its_words),
		WAY_TEST(a_proxy_that_leaves_without_a_word_is_told),
		WAY_TEST(a_proxy_that_is_not_there_is_named),
		WAY_TEST(a_password_never_goes_in_clear_through_a_proxy_not_even_one_of_this_host),
		WAY_TEST(sessions_come_from_the_address_that_bind_names),
		WAY_TEST(an_address_that_is_not_of_this_host_is_told),
		WAY_TEST(a_bind_that_is_no_address_binds_nothing_else),
		WAY_TEST(addresses_of_the_other_family_are_not_tried),
		WAY_TEST(commands_leave_as_they_come),
		WAY_TEST(a_server_that_has_moved_is_found_by_the_next_session_a_minute_later),
	};

	return cmocka_run_group_tests_name("smtp_link_way", tests, certs_make, certs_remove);
}
