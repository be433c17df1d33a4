/* SPDX-License-Identifier: Apache-2.0 */
/* test_tls.c - tests of TLS sessions: real handshakes over a socket pair, the server's half on a thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/str.h"
#include "daemon/io/loop.h"
#include "daemon/io/tls_inner.h"
#include "tests/io/certs.h"
#include "tests/io/explained.h"

#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

/* -- the server -- */

enum manner { SERVES, SERVES_OLD, TALKS_PLAIN, LEAVES };

struct server {
	int fd;
	enum manner manner;
	const char *pem;
	char sni[64];  /* heard */
	bool shutdown; /* the client closed in order */
};

static void
shake_hands(struct server *server)
{
	OSSL_LIB_CTX *old = server->manner == SERVES_OLD ? OSSL_LIB_CTX_new() : NULL; /* under FIPS ours is too young */
	SSL_CTX *context = SSL_CTX_new_ex(old, NULL, TLS_server_method());
	SSL *ssl;
	char octets[16];

	if (server->manner == SERVES_OLD) {
		SSL_CTX_set_security_level(context, 0);
		(void)SSL_CTX_set_min_proto_version(context, TLS1_VERSION);
		(void)SSL_CTX_set_max_proto_version(context, TLS1_1_VERSION);
	}
	if (SSL_CTX_use_certificate_chain_file(context, server->pem) != 1 ||
	    SSL_CTX_use_PrivateKey_file(context, server->pem, SSL_FILETYPE_PEM) != 1)
		abort();
	ssl = SSL_new(context);
	(void)SSL_set_fd(ssl, server->fd);
	if (SSL_accept(ssl) == 1) {
		const char *sni = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

		(void)snprintf(server->sni, sizeof(server->sni), "%s", sni ? sni : "none");
		while (SSL_read(ssl, octets, sizeof(octets)) > 0)
			continue;
		server->shutdown = (SSL_get_shutdown(ssl) & SSL_RECEIVED_SHUTDOWN) != 0;
	}
	SSL_free(ssl);
	SSL_CTX_free(context);
	OSSL_LIB_CTX_free(old);
}

static void *
serve(void *arg)
{
	struct server *server = arg;
	char hello;

	if (server->manner == SERVES || server->manner == SERVES_OLD)
		shake_hands(server);
	else
		(void)!read(server->fd, &hello, 1);
	if (server->manner == TALKS_PLAIN)
		(void)!write(server->fd, "220 relay.example ESMTP\r\n", 25);
	(void)close(server->fd);
	return NULL;
}

/* -- the client -- */

struct tried {
	struct loop *loop;
	const char *name;
	bool up;
	enum nd_err err;
	struct nd_why why;
	char words[96];
	struct server server;
};

static void
happened(struct bufferevent *bev, short what, void *arg)
{
	struct tried *tried = arg;

	if (what & BEV_EVENT_CONNECTED) {
		tried->up = true;
		(void)tls_words(bufferevent_openssl_get_ssl(bev), tried->words, sizeof(tried->words));
		tls_shutdown(bufferevent_openssl_get_ssl(bev));
		tls_shutdown(bufferevent_openssl_get_ssl(bev)); /* once is enough */
	} else {
		tried->err = tls_failure(bev, tried->name, &tried->why);
	}
	loop_stop(tried->loop);
}

/* The context of the next try: with these pins, noting the chain. */
static char *next_pins[4];
static unsigned next_pin_count;
static struct tls_chain *next_chain;

static struct tried
try_name(const char *ca_file, const char *name, const char *pem, enum manner manner)
{
	struct tried tried;
	struct bufferevent *bev;
	struct ssl_st *ssl;
	struct tls *tls;
	pthread_t thread;
	int ends[2];

	memset(&tried, 0, sizeof(tried));
	tried.loop = loop_new();
	tried.name = name;
	tls = tls_new(ca_file, NULL, &tried.why);
	assert_non_null(tls);
	if (next_pin_count > 0)
		assert_int_equal(tls_pin(tls, next_pins, next_pin_count, &tried.why), ND_OK);
	if (next_chain != NULL)
		tls_inspect(tls, next_chain);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	assert_int_equal(evutil_make_socket_nonblocking(ends[0]), 0);
	tried.server.fd = ends[1];
	tried.server.manner = manner;
	tried.server.pem = pem;
	assert_int_equal(pthread_create(&thread, NULL, serve, &tried.server), 0);
	ssl = tls_session(tls, name, &tried.why);
	assert_non_null(ssl);
	bev = bufferevent_openssl_socket_new(
	    loop_base(tried.loop), ends[0], ssl, BUFFEREVENT_SSL_CONNECTING, BEV_OPT_CLOSE_ON_FREE);
	assert_non_null(bev);
	bufferevent_setcb(bev, NULL, NULL, happened, &tried);
	(void)bufferevent_enable(bev, EV_READ);
	loop_run(tried.loop);
	bufferevent_free(bev);
	loop_free(tried.loop); /* closes the socket */
	assert_int_equal(pthread_join(thread, NULL), 0);
	tls_free(tls);
	return tried;
}

static struct tried
try_ours(const char *name, const char *pem)
{
	return try_name(certs_file("ca.pem"), name, certs_file(pem), SERVES);
}

/* -- tests -- */

static void
the_right_name_is_trusted_and_told_to_the_server(void **state)
{
	struct tried tried = try_ours("relay.example", "good.pem");

	(void)state;
	assert_true(tried.up);
	assert_memory_equal(tried.words, "TLSv1.3 TLS_", 12);
	assert_string_equal(tried.server.sni, "relay.example");
	assert_true(tried.server.shutdown);
	tried = try_ours("relay.example.", "good.pem");
	assert_true(tried.up);
	assert_string_equal(tried.server.sni, "relay.example");
	assert_true(try_ours("RELAY.EXAMPLE", "good.pem").up);
	assert_true(try_ours("one.wild.example", "good.pem").up);
}

static void
an_address_is_looked_for_among_the_addresses(void **state)
{
	struct tried tried = try_ours("127.0.0.1", "address.pem");

	(void)state;
	assert_true(tried.up);
	assert_string_equal(tried.server.sni, "none"); /* RFC 6066: no addresses */
	assert_true(try_ours("[::1]", "address.pem").up);
	tried = try_ours("127.0.0.1", "good.pem");
	assert_int_equal(tried.err, ND_ETLS);
	assert_non_null(strstr(tried.why.text, "IP address mismatch"));
}

static void
a_wrong_name_is_refused_and_the_names_and_the_issuer_are_told(void **state)
{
	struct tried tried = try_ours("relay.example", "other.pem");

	(void)state;
	assert_false(tried.up);
	assert_int_equal(tried.err, ND_ETLS);
	assert_int_equal(tried.why.err, ND_ETLS);
	assert_non_null(strstr(tried.why.text, "relay.example"));
	assert_non_null(strstr(tried.why.text, "hostname mismatch"));
	assert_non_null(strstr(tried.why.text, "names other.example"));
	assert_non_null(strstr(tried.why.text, "Test CA"));
	assert_true(explained(&tried.why, "tls_name"));
	assert_false(try_ours("a.b.wild.example", "good.pem").up);
}

static void
the_common_name_does_not_count(void **state)
{
	struct tried tried = try_ours("relay.example", "common.pem");

	(void)state;
	assert_int_equal(tried.err, ND_ETLS);
	assert_non_null(strstr(tried.why.text, "hostname mismatch"));
	assert_non_null(strstr(tried.why.text, "names no host"));
}

static void
an_unknown_ca_is_refused_and_named(void **state)
{
	struct tried tried = try_ours("relay.example", "selfsigned.pem");

	(void)state;
	assert_int_equal(tried.err, ND_ETLS);
	assert_non_null(strstr(tried.why.text, "self-signed"));
	assert_true(explained(&tried.why, "ca_file"));
	tried = try_name(NULL, "relay.example", certs_file("good.pem"), SERVES); /* the system's CAs do not know ours */
	assert_int_equal(tried.err, ND_ETLS);
	assert_non_null(strstr(tried.why.text, "issued by O=Test Trust"));
	assert_true(explained(&tried.why, "ca-certificates"));
	assert_false(try_name("", "relay.example", certs_file("good.pem"), SERVES).up);
}

static void
an_expired_certificate_is_refused(void **state)
{
	struct tried tried = try_ours("relay.example", "expired.pem");

	(void)state;
	assert_int_equal(tried.err, ND_ETLS);
	assert_non_null(strstr(tried.why.text, "expired"));
	assert_true(explained(&tried.why, "clock"));
}

static void
a_server_without_tls_and_one_that_is_too_old_are_told_apart(void **state)
{
	struct tried tried = try_name(certs_file("ca.pem"), "relay.example", certs_file("good.pem"), TALKS_PLAIN);

	(void)state;
	assert_int_equal(tried.err, ND_ETLS);
	assert_true(explained(&tried.why, "starttls"));
	tried = try_name(certs_file("ca.pem"), "relay.example", certs_file("good.pem"), SERVES_OLD);
	assert_int_equal(tried.err, ND_ETLS);
	assert_true(explained(&tried.why, "brought up to date"));
}

static void
a_peer_that_leaves_is_a_lost_connection(void **state)
{
	struct tried tried = try_name(certs_file("ca.pem"), "relay.example", certs_file("good.pem"), LEAVES);

	(void)state;
	assert_int_equal(tried.err, ND_ECLOSED);
	assert_non_null(strstr(tried.why.text, "relay.example"));
}

static void
a_ca_file_that_cannot_be_read_is_a_fault_of_the_configuration(void **state)
{
	struct nd_why why;

	(void)state;
	assert_null(tls_new(certs_file("none.pem"), NULL, &why));
	assert_int_equal(why.err, ND_ECONF);
	assert_string_equal(why.field, "ca_file");
	assert_non_null(strstr(why.text, "none.pem"));
	assert_null(tls_new(certs_file("good.key"), NULL, &why)); /* no certificate in it */
	assert_int_equal(why.err, ND_ECONF);
}

static void
a_box_that_inspects_tls_is_named_by_the_last_issuer(void **state)
{
	struct tried tried = try_ours("relay.example", "inspected.pem");

	(void)state;
	assert_int_equal(tried.err, ND_ETLS);
	assert_non_null(strstr(tried.why.text, "issued by CN=Corp Proxy Issuing"));
	assert_non_null(strstr(tried.why.text, "the last issuer is O=Corp, CN=Corp Proxy CA"));
	assert_true(explained(&tried.why, "account trust"));
}

/* -- pins -- */

/* What openssl says of a file's key; the text lives until the fourth call after it. */
static char *
pin_of(const char *pem)
{
	static char pins[4][48];
	static unsigned next;
	char *pin = pins[next++ % 4];
	char name[64];
	FILE *file;

	(void)snprintf(name, sizeof(name), "%.*s.pin", (int)strcspn(pem, "."), pem);
	file = fopen(certs_file(name), "r");
	assert_non_null(file);
	assert_non_null(fgets(pin, 48, file));
	pin[strcspn(pin, "\n")] = '\0';
	(void)fclose(file);
	return pin;
}

static struct tried
try_pinned(const char *pem, const char *first, const char *second)
{
	struct tried tried;

	next_pins[0] = pin_of(first);
	next_pins[1] = second != NULL ? pin_of(second) : NULL;
	next_pin_count = second != NULL ? 2 : 1;
	tried = try_ours("relay.example", pem);
	next_pin_count = 0;
	return tried;
}

static void
a_pinned_key_takes_the_place_of_chain_name_and_date(void **state)
{
	(void)state;
	assert_true(try_pinned("selfsigned.pem", "selfsigned.pem", NULL).up);
	assert_true(try_pinned("expired.pem", "expired.pem", NULL).up);
	assert_true(try_pinned("other.pem", "other.pem", NULL).up); /* another name */
	assert_true(try_pinned("inspected.pem", "good.pem", "inspected.pem").up);
}

static void
a_key_that_is_not_pinned_is_refused_though_its_chain_is_good(void **state)
{
	struct tried tried = try_pinned("good.pem", "other.pem", "selfsigned.pem");

	(void)state;
	assert_false(tried.up);
	assert_int_equal(tried.err, ND_ETLS);
	assert_non_null(strstr(tried.why.text, pin_of("good.pem"))); /* to compare with */
	assert_string_equal(tried.why.field, "pin_sha256");
	assert_true(explained(&tried.why, "over another way"));
	/* The pin is of the server's own key: one of the CA's lets nobody in. */
	assert_false(try_pinned("good.pem", "ca.pem", NULL).up);
}

static void
a_pin_that_is_no_digest_is_refused_and_changes_nothing(void **state)
{
	char *bad[] = { pin_of("good.pem"), (char[]){ "abc=" } };
	struct nd_why why;
	struct tls *tls = tls_new(certs_file("ca.pem"), NULL, &why);

	(void)state;
	assert_int_equal(tls_pin(tls, bad, 2, &why), ND_ECONF);
	assert_string_equal(why.field, "pin_sha256");
	tls_free(tls);
}

static void
the_whole_chain_is_noted_though_it_is_refused(void **state)
{
	struct tls_chain chain = { .count = 0 };
	char pin[48];
	struct nd_buf text;

	(void)state;
	next_chain = &chain;
	assert_false(try_ours("relay.example", "inspected.pem").up);
	next_chain = NULL;
	assert_int_equal(chain.count, 2);
	assert_false(chain.verified);
	assert_false(chain.pinned);
	assert_string_equal(chain.cert[0].issuer, "CN=Corp Proxy Issuing");
	assert_int_equal(chain.cert[0].name_count, 2);
	assert_string_equal(chain.cert[0].names[0], "relay.example");
	assert_string_equal(chain.cert[0].names[1], "2001:db8::25");
	assert_string_equal(chain.cert[1].subject, "CN=Corp Proxy Issuing");
	assert_string_equal(chain.cert[1].issuer, "O=Corp, CN=Corp Proxy CA");
	assert_true(chain.cert[0].not_before > 0);
	assert_int_equal(chain.cert[0].not_after - chain.cert[0].not_before, ND_SEC(2 * 86400));
	nd_buf_init(&text, 64);
	(void)nd_str_base64(&text, chain.cert[0].spki_sha256, 32);
	(void)snprintf(pin, sizeof(pin), "%s", nd_buf_text(&text));
	nd_buf_done(&text);
	assert_string_equal(pin, pin_of("inspected.pem"));
	assert_true(chain.words[0] != '\0');
	tls_chain_done(&chain);
}

static void
a_chain_that_is_looked_at_is_verified_like_any_other(void **state)
{
	struct tls_chain chain = { .count = 0 };

	(void)state;
	next_chain = &chain;
	assert_true(try_ours("relay.example", "good.pem").up);
	assert_true(chain.verified);
	assert_int_equal(chain.count, 1);
	assert_false(try_ours("relay.example", "other.pem").up); /* looking is no way in */
	assert_false(chain.verified);
	assert_true(try_pinned("expired.pem", "expired.pem", NULL).up);
	assert_false(chain.verified);
	assert_true(chain.pinned);
	next_chain = NULL;
	tls_chain_done(&chain);
}

/* -- tickets -- */

struct keeper { /* a server that knows its tickets from one connection to the next */
	SSL_CTX *context;
	int fd;
};

static void *
serve_one(void *arg)
{
	const struct keeper *keeper = arg;
	SSL *ssl = SSL_new(keeper->context);
	char octet;

	(void)SSL_set_fd(ssl, keeper->fd);
	if (SSL_accept(ssl) == 1 && SSL_write(ssl, "x", 1) == 1)
		(void)SSL_read(ssl, &octet, 1);
	(void)SSL_shutdown(ssl);
	SSL_free(ssl);
	(void)close(keeper->fd);
	return NULL;
}

enum after { LEAVES_IN_ORDER, JUST_GOES };

/* One connection, and whether it continued an earlier one; -1: there was none. */
static int
meet(struct tls *tls, SSL_CTX *context, const char *name, enum after after)
{
	struct keeper keeper = { .context = context };
	struct nd_why why;
	pthread_t thread;
	int ends[2], resumed = -1;
	char octet;
	SSL *ssl;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	keeper.fd = ends[1];
	assert_int_equal(pthread_create(&thread, NULL, serve_one, &keeper), 0);
	ssl = tls_session(tls, name, &why);
	assert_non_null(ssl);
	(void)SSL_set_fd(ssl, ends[0]);
	if (SSL_connect(ssl) == 1 && SSL_read(ssl, &octet, 1) == 1)
		resumed = tls_resumed(ssl);
	if (after == LEAVES_IN_ORDER)
		tls_shutdown(ssl);
	SSL_free(ssl);
	(void)close(ends[0]);
	assert_int_equal(pthread_join(thread, NULL), 0);
	return resumed;
}

static SSL_CTX *
make_server(int version)
{
	SSL_CTX *context = SSL_CTX_new(TLS_server_method());

	assert_int_equal(SSL_CTX_use_certificate_chain_file(context, certs_file("good.pem")), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey_file(context, certs_file("good.pem"), SSL_FILETYPE_PEM), 1);
	(void)SSL_CTX_set_max_proto_version(context, version);
	(void)SSL_CTX_set_num_tickets(context, 1);
	return context;
}

static void
try_tickets(int version)
{
	struct nd_why why;
	struct tls *tls = tls_new(certs_file("ca.pem"), NULL, &why);
	SSL_CTX *server = make_server(version);

	assert_int_equal(meet(tls, server, "relay.example", LEAVES_IN_ORDER), 0);
	assert_int_equal(meet(tls, server, "relay.example", LEAVES_IN_ORDER), 1);
	assert_int_equal(meet(tls, server, "one.wild.example", LEAVES_IN_ORDER), 0); /* verified for another name */
	assert_int_equal(meet(tls, server, "relay.example", LEAVES_IN_ORDER), 0);
	assert_int_equal(
	    meet(tls, server, "other.example", LEAVES_IN_ORDER), -1); /* never for a name that is not in it */
	SSL_CTX_free(server);
	server = make_server(version); /* one that does not know them makes no difference but time */
	assert_int_equal(meet(tls, server, "relay.example", LEAVES_IN_ORDER), 0);
	SSL_CTX_free(server);
	tls_free(tls);
}

static void
a_later_session_for_the_same_name_continues_an_earlier_one(void **state)
{
	(void)state;
	try_tickets(TLS1_3_VERSION);
	try_tickets(TLS1_2_VERSION);
}

static void
a_ticket_is_used_once(void **state)
{
	struct nd_why why;
	struct tls *tls = tls_new(certs_file("ca.pem"), NULL, &why);
	SSL_CTX *server = make_server(TLS1_3_VERSION);

	(void)state;
	assert_int_equal(meet(tls, server, "relay.example", LEAVES_IN_ORDER), 0);
	(void)SSL_CTX_set_num_tickets(server, 0); /* no new one for the next session */
	assert_int_equal(meet(tls, server, "relay.example", LEAVES_IN_ORDER), 1);
	assert_int_equal(meet(tls, server, "relay.example", LEAVES_IN_ORDER), 0);
	SSL_CTX_free(server);
	tls_free(tls);
}

static void
sessions_that_continue_one_another_still_see_a_certificate_each_hour(void **state)
{
	struct nd_why why;
	struct tls *tls = tls_new(certs_file("ca.pem"), NULL, &why);
	SSL_CTX *server = make_server(TLS1_3_VERSION);
	time_t verified;

	(void)state;
	assert_int_equal(meet(tls, server, "relay.example", LEAVES_IN_ORDER), 0);
	assert_int_equal(tls->ticket_count, 1);
	verified = tls->verified[0] -= 3000;
	assert_int_equal(meet(tls, server, "relay.example", LEAVES_IN_ORDER), 1);
	assert_int_equal(tls->ticket_count, 1);
	assert_int_equal(tls->verified[0], verified); /* the new ticket is as old as the first */
	tls->verified[0] -= 1000;
	assert_int_equal(meet(tls, server, "relay.example", LEAVES_IN_ORDER), 0);
	assert_true(tls->verified[0] > verified);
	SSL_CTX_free(server);
	tls_free(tls);
}

static void
a_session_that_was_not_left_in_order_is_not_continued(void **state)
{
	struct nd_why why;
	struct tls *tls = tls_new(certs_file("ca.pem"), NULL, &why);
	SSL_CTX *server = make_server(TLS1_2_VERSION);

	(void)state;
	assert_int_equal(meet(tls, server, "relay.example", JUST_GOES), 0);
	assert_int_equal(meet(tls, server, "relay.example", LEAVES_IN_ORDER), 0);
	assert_int_equal(meet(tls, server, "relay.example", LEAVES_IN_ORDER), 1);
	SSL_CTX_free(server);
	tls_free(tls);
}

static void
more_tickets_than_are_kept_do_no_harm(void **state)
{
	struct nd_why why;
	struct tls *tls = tls_new(certs_file("ca.pem"), NULL, &why);
	SSL_CTX *server = make_server(TLS1_3_VERSION);

	(void)state;
	(void)SSL_CTX_set_num_tickets(server, 9);
	for (int i = 0; i < 3; i++)
		assert_int_equal(meet(tls, server, "relay.example", LEAVES_IN_ORDER), i > 0);
	SSL_CTX_free(server);
	tls_free(tls);
}

/* A ticket would let a session stand whose key was never compared. */
static void
a_session_that_was_not_pinned_is_not_continued_by_a_pinned_one(void **state)
{
	char *wrong[] = { pin_of("other.pem") }, *right[] = { pin_of("good.pem") };
	struct nd_why why;
	struct tls *tls = tls_new(certs_file("ca.pem"), NULL, &why);
	SSL_CTX *server = make_server(TLS1_3_VERSION);

	(void)state;
	assert_int_equal(meet(tls, server, "relay.example", LEAVES_IN_ORDER), 0);
	assert_int_equal(tls_pin(tls, right, 1, &why), ND_OK);
	assert_int_equal(meet(tls, server, "relay.example", LEAVES_IN_ORDER), 0);
	assert_int_equal(meet(tls, server, "relay.example", LEAVES_IN_ORDER), 1); /* pinned the same way */
	assert_int_equal(tls_pin(tls, wrong, 1, &why), ND_OK);
	assert_int_equal(meet(tls, server, "relay.example", LEAVES_IN_ORDER), -1);
	SSL_CTX_free(server);
	tls_free(tls);
}

static void
a_session_without_a_name_is_refused(void **state)
{
	struct nd_why why;
	struct tls *tls = tls_new(certs_file("ca.pem"), NULL, &why);

	(void)state;
	assert_null(tls_session(tls, "", &why));
	assert_int_equal(why.err, ND_ECONF);
	tls_free(tls);
	tls_free(NULL);
}

static void
digests_are_sha256(void **state)
{
	static const uint8_t abc[32] = { 0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40, 0xde, 0x5d,
		0xae, 0x22, 0x23, 0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17, 0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00,
		0x15, 0xad };
	uint8_t got[32];
	struct tls_digest *digest = tls_digest_new();

	(void)state;
	tls_sha256("abc", 3, got);
	assert_memory_equal(got, abc, 32);
	tls_digest_add(digest, "a", 1);
	tls_digest_add(digest, "", 0);
	tls_digest_add(digest, "bc", 2);
	tls_digest_end(digest, got);
	assert_memory_equal(got, abc, 32);
}

static void
random_octets_differ(void **state)
{
	uint8_t one[16] = { 0 }, two[16] = { 0 };

	(void)state;
	tls_random(one, sizeof(one));
	tls_random(two, sizeof(two));
	assert_memory_not_equal(one, two, sizeof(one));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_right_name_is_trusted_and_told_to_the_server),
		cmocka_unit_test(an_address_is_looked_for_among_the_addresses),
		cmocka_unit_test(a_wrong_name_is_refused_and_the_names_and_the_issuer_are_told),
		cmocka_unit_test(the_common_name_does_not_count),
		cmocka_unit_test(an_unknown_ca_is_refused_and_named),
		cmocka_unit_test(an_expired_certificate_is_refused),
		cmocka_unit_test(a_box_that_inspects_tls_is_named_by_the_last_issuer),
		cmocka_unit_test(a_pinned_key_takes_the_place_of_chain_name_and_date),
		cmocka_unit_test(a_key_that_is_not_pinned_is_refused_though_its_chain_is_good),
		cmocka_unit_test(a_pin_that_is_no_digest_is_refused_and_changes_nothing),
		cmocka_unit_test(the_whole_chain_is_noted_though_it_is_refused),
		cmocka_unit_test(a_chain_that_is_looked_at_is_verified_like_any_other),
		cmocka_unit_test(a_session_that_was_not_pinned_is_not_continued_by_a_pinned_one),
		cmocka_unit_test(a_server_without_tls_and_one_that_is_too_old_are_told_apart),
		cmocka_unit_test(a_peer_that_leaves_is_a_lost_connection),
		cmocka_unit_test(a_ca_file_that_cannot_be_read_is_a_fault_of_the_configuration),
		cmocka_unit_test(a_later_session_for_the_same_name_continues_an_earlier_one),
		cmocka_unit_test(a_ticket_is_used_once),
		cmocka_unit_test(sessions_that_continue_one_another_still_see_a_certificate_each_hour),
		cmocka_unit_test(a_session_that_was_not_left_in_order_is_not_continued),
		cmocka_unit_test(more_tickets_than_are_kept_do_no_harm),
		cmocka_unit_test(a_session_without_a_name_is_refused),
		cmocka_unit_test(digests_are_sha256),
		cmocka_unit_test(random_octets_differ),
	};

	return cmocka_run_group_tests_name("tls", tests, certs_make, certs_remove);
}
