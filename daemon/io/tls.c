/* SPDX-License-Identifier: Apache-2.0 */
/* tls.c - TLS client contexts, verification, words for failures.  Layer: io.  Knows OpenSSL.
 *
 * OpenSSL forgets the certificate it refused, so the verification callback notes who made it out and for whom: that is
 * what tells a wrong name from an expired certificate from a box on the way that inspects TLS.
 */
#include "daemon/io/tls_inner.h"

#include "common/mem.h"
#include "common/str.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/bufferevent_ssl.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NAMES_SHOWN 3
#define TICKET_SECONDS 3600 /* a certificate that was verified longer ago is looked at again */

/* -- what a refused certificate said -- */

static int refused_index;
static int verified_index; /* of sessions that continue another: when its certificate was verified */
static int listener_index; /* of contexts: where another library wants it noted */
static pthread_once_t refused_once = PTHREAD_ONCE_INIT;

static void
free_refused(void *parent, void *data, CRYPTO_EX_DATA *all, int index, long argl, void *argp)
{
	(void)parent;
	(void)all;
	(void)index;
	(void)argl;
	(void)argp;
	free(data);
}

static void
make_index(void)
{
	refused_index = SSL_get_ex_new_index(0, NULL, NULL, NULL, free_refused);
	verified_index = SSL_get_ex_new_index(0, NULL, NULL, NULL, NULL);
	listener_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, NULL);
	if (refused_index < 0 || verified_index < 0 || listener_index < 0)
		abort();
}

static void
write_names(const X509 *cert, char *out, size_t size)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	size_t len = 0;
	int shown = 0;

	out[0] = '\0';
	for (int i = 0; i < sk_GENERAL_NAME_num(names) && shown < NAMES_SHOWN; i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
		int added;

		if (name->type != GEN_DNS)
			continue;
		added = snprintf(out + len, size - len, "%s%.*s", shown ? ", " : "",
		    ASN1_STRING_length(name->d.dNSName), (const char *)ASN1_STRING_get0_data(name->d.dNSName));
		if (added < 0 || (size_t)added >= size - len)
			break;
		len += (size_t)added;
		shown++;
	}
	GENERAL_NAMES_free(names);
}

/* The issuer that the chain ends at: what a trusted CA would have to be. */
static const X509 *
last_of(X509_STORE_CTX *store, const X509 *leaf)
{
	STACK_OF(X509) *chain = X509_STORE_CTX_get0_chain(store);
	const int count = chain != NULL ? sk_X509_num(chain) : 0;

	return count > 0 ? sk_X509_value(chain, count - 1) : leaf;
}

static struct refused *
refusal_of(SSL *ssl)
{
	struct refused *refused = SSL_get_ex_data(ssl, refused_index);

	if (refused == NULL) {
		refused = nd_xalloc(sizeof(*refused));
		if (!SSL_set_ex_data(ssl, refused_index, refused)) {
			free(refused);
			return NULL;
		}
	}
	return refused;
}

static void
tell_listener(const SSL *ssl, const X509 *leaf, int code)
{
	struct tls_refused *out = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), listener_index);

	if (out == NULL || out->reason[0] != '\0')
		return;
	(void)snprintf(out->reason, sizeof(out->reason), "%s", X509_verify_cert_error_string(code));
	tls_chain_name(X509_get_issuer_name(leaf), out->issuer, sizeof(out->issuer));
	write_names(leaf, out->names, sizeof(out->names));
}

static int
note_refused(int good, X509_STORE_CTX *store)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
	const X509 *leaf = X509_STORE_CTX_get0_cert(store);
	struct refused *refused;

	if (good || ssl == NULL || leaf == NULL)
		return good;
	tell_listener(ssl, leaf, X509_STORE_CTX_get_error(store));
	if (SSL_get_ex_data(ssl, refused_index) != NULL || (refused = refusal_of(ssl)) == NULL)
		return good;
	tls_chain_name(X509_get_issuer_name(leaf), refused->issuer, sizeof(refused->issuer));
	tls_chain_name(X509_get_issuer_name(last_of(store, leaf)), refused->last, sizeof(refused->last));
	write_names(leaf, refused->names, sizeof(refused->names));
	return good;
}

void
tls_note_refused(void *context, struct tls_refused *out)
{
	if (pthread_once(&refused_once, make_index) != 0 || SSL_CTX_set_ex_data(context, listener_index, out) != 1)
		abort();
	SSL_CTX_set_verify(context, SSL_CTX_get_verify_mode(context), note_refused);
}

/* -- pins -- */

static void drop_tickets(struct tls *tls);

static void
note_unpinned(X509_STORE_CTX *store, const uint8_t digest[32])
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct refused *refused = ssl != NULL ? refusal_of(ssl) : NULL;
	struct nd_buf text;

	if (refused == NULL)
		return;
	nd_buf_init(&text, 64);
	(void)nd_str_base64(&text, digest, 32);
	(void)snprintf(refused->pin, sizeof(refused->pin), "%s", nd_buf_text(&text));
	nd_buf_done(&text);
}

static bool
is_pinned(const struct tls *tls, const uint8_t digest[32])
{
	for (unsigned i = 0; i < tls->pin_count; i++)
		if (memcmp(tls->pins[i], digest, 32) == 0)
			return true;
	return false;
}

/* Pins take the place of chain, name and date (RFC 5280 is not asked at all): the handshake itself proves that the key is the server's. */
static int
check_pin(const struct tls *tls, X509_STORE_CTX *store)
{
	X509 *leaf = X509_STORE_CTX_get0_cert(store);
	uint8_t digest[32];
	const bool known = leaf != NULL && tls_chain_spki(leaf, digest);
	const bool good = known && is_pinned(tls, digest);

	if (known && !good)
		note_unpinned(store, digest);
	if (tls->chain != NULL)
		tls->chain->pinned = good;
	X509_STORE_CTX_set_error(store, good ? X509_V_OK : X509_V_ERR_APPLICATION_VERIFICATION);
	return good ? 1 : 0;
}

static int
verify(X509_STORE_CTX *store, void *arg)
{
	const SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
	const struct tls *tls = ssl != NULL ? SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)) : NULL;
	int good = 0;

	(void)arg;
	if (tls == NULL) { /* freed under its session: nobody can say what it trusts */
		X509_STORE_CTX_set_error(store, X509_V_ERR_APPLICATION_VERIFICATION);
		return 0;
	}
	if (tls->pin_count == 0 || tls->chain != NULL)
		good = X509_verify_cert(store) == 1;
	if (tls->chain != NULL)
		tls_chain_note(tls->chain, store, good == 1);
	return tls->pin_count > 0 ? check_pin(tls, store) : good;
}

enum nd_err
tls_pin(struct tls *tls, char *const *pins, unsigned count, struct nd_why *why)
{
	uint8_t digests[TLS_PINS_MAX][32];
	struct nd_buf octets;

	for (unsigned i = 0; i < count; i++) {
		bool good;

		nd_buf_init(&octets, 64);
		good =
		    i < TLS_PINS_MAX && nd_str_unbase64(&octets, pins[i], strlen(pins[i]), false) && octets.len == 32;
		if (good)
			memcpy(digests[i], octets.octets, 32);
		nd_buf_done(&octets);
		if (!good) {
			(void)nd_fail(why, ND_ECONF, 0, "\"%.60s\" is not the base64 of a SHA-256 digest", pins[i]);
			return nd_fail_at(why, "pin_sha256", 0, NULL);
		}
	}
	drop_tickets(tls); /* of sessions that were trusted for another reason */
	memcpy(tls->pins, digests, count * sizeof(digests[0]));
	tls->pin_count = count;
	return ND_OK;
}

void
tls_inspect(struct tls *tls, struct tls_chain *chain)
{
	drop_tickets(tls); /* a session that continues another presents nothing */
	tls->chain = chain;
}

/* -- tickets -- */

static void
drop_tickets(struct tls *tls)
{
	while (tls->ticket_count > 0)
		SSL_SESSION_free(tls->tickets[--tls->ticket_count]);
}

/* Called by OpenSSL when the server has sent one; the session stands, so its certificate was verified. 1: it is ours now. */
static int
keep_ticket(SSL *ssl, SSL_SESSION *session)
{
	struct tls *tls = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
	const char *name = X509_VERIFY_PARAM_get0_host(SSL_get0_param(ssl), 0); /* none: an address */

	if (tls == NULL || tls->chain != NULL || name == NULL || SSL_get_verify_result(ssl) != X509_V_OK)
		return 0;
	if (strcmp(tls->name, name) != 0)
		drop_tickets(tls);
	(void)snprintf(tls->name, sizeof(tls->name), "%s", name);
	if (tls->ticket_count == TLS_TICKETS) {
		SSL_SESSION_free(tls->tickets[0]);
		memmove(tls->tickets, tls->tickets + 1, (TLS_TICKETS - 1) * sizeof(SSL_SESSION *));
		memmove(tls->verified, tls->verified + 1, (TLS_TICKETS - 1) * sizeof(tls->verified[0]));
		tls->ticket_count--;
	}
	/* A ticket is new in a resumed session too, but nobody looked at a certificate there. */
	tls->verified[tls->ticket_count] =
	    SSL_session_reused(ssl) ? (time_t)(intptr_t)SSL_get_ex_data(ssl, verified_index) : time(NULL);
	tls->tickets[tls->ticket_count++] = session;
	return 1;
}

/* The newest ticket goes with this session. Used once (RFC 8446 C.4), so that nobody on the way can tell that two sessions are ours. */
static void
use_ticket(struct tls *tls, SSL *ssl, const char *name)
{
	bool used = false;

	if (strcmp(tls->name, name) != 0)
		return;
	while (!used && tls->ticket_count > 0) {
		SSL_SESSION *ticket = tls->tickets[--tls->ticket_count];
		const time_t verified = tls->verified[tls->ticket_count], age = time(NULL) - verified;

		if (SSL_SESSION_is_resumable(ticket) && age >= 0 && age < TICKET_SECONDS)
			used = SSL_set_ex_data(ssl, verified_index, (void *)(intptr_t)verified) ==
				   1 && // NOLINT(performance-no-int-to-ptr)
			       SSL_set_session(ssl, ticket) == 1;
		SSL_SESSION_free(ticket);
	}
}

/* -- contexts and sessions -- */

const char *
tls_reason(unsigned long error)
{
	const char *reason = error ? ERR_reason_error_string(error) : NULL;

	if (reason == NULL && ERR_SYSTEM_ERROR(error))
		reason = strerrordesc_np(ERR_GET_REASON(error));
	return reason ? reason : "unknown fault";
}

struct tls *
tls_new(const char *ca_file, const char *ca_dir, struct nd_why *why)
{
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());
	struct tls *tls;

	if (context == NULL || pthread_once(&refused_once, make_index) != 0)
		abort();
	SSL_CTX_set_verify(context, SSL_VERIFY_PEER, note_refused);
	SSL_CTX_set_cert_verify_callback(context, verify, NULL);
	/* Replies are framed, so a missing close_notify cannot cut one short unseen. */
	(void)SSL_CTX_set_options(
	    context, SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
	(void)SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(context, keep_ticket);
	if (SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1)
		abort();
	if (tls_trust(context, ca_file, ca_dir, why) != ND_OK) {
		SSL_CTX_free(context);
		return NULL;
	}
	tls = nd_xalloc(sizeof(*tls));
	tls->context = context;
	(void)SSL_CTX_set_app_data(context, tls);
	return tls;
}

void
tls_free(struct tls *tls)
{
	if (tls == NULL)
		return;
	drop_tickets(tls);
	(void)SSL_CTX_set_app_data(tls->context, NULL); /* a session may outlive it by a turn */
	SSL_CTX_free(tls->context);
	free(tls);
}

/* The name as OpenSSL wants it: no brackets around an address, no dot at the end. */
static bool
trim_name(const char *name, char *out, size_t size)
{
	size_t len = strlen(name);

	if (len > 2 && name[0] == '[' && name[len - 1] == ']') {
		name++;
		len -= 2;
	} else if (len > 1 && name[len - 1] == '.') {
		len--;
	}
	if (len == 0 || len >= size)
		return false;
	memcpy(out, name, len);
	out[len] = '\0';
	return true;
}

static bool
expect(SSL *ssl, const char *name)
{
	struct in6_addr address;

	if (inet_pton(AF_INET, name, &address) == 1 || inet_pton(AF_INET6, name, &address) == 1)
		return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name) == 1;
	SSL_set_hostflags(ssl, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	/* What SSL_set_tlsext_host_name() does; the macro casts the const away. */
	return SSL_set1_host(ssl, name) == 1 &&
	       SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, (void *)(uintptr_t)name) == 1;
}

struct ssl_st *
tls_session(struct tls *tls, const char *name, struct nd_why *why)
{
	char trimmed[256];
	SSL *ssl = SSL_new(tls->context);

	if (ssl == NULL) {
		ERR_clear_error();
		(void)nd_fail(why, ND_EMEMORY, 0, "there is no memory for a TLS session");
		return NULL;
	}
	/* Without a name to expect any certificate of the CA would do: refuse. */
	if (!trim_name(name, trimmed, sizeof(trimmed)) || !expect(ssl, trimmed)) {
		ERR_clear_error();
		SSL_free(ssl);
		(void)nd_fail(why, ND_ECONF, 0, "\"%.80s\" is not a name a certificate can be checked for", name);
		(void)nd_fail_at(why, "tls_name", 0, NULL);
		return NULL;
	}
	use_ticket(tls, ssl, trimmed);
	return ssl;
}

/* -- words -- */

static enum nd_err
tell_unpinned(const char *pin, const char *name, struct nd_why *why)
{
	(void)nd_fail(why, ND_ETLS, 0, "the key of the certificate for %.60s is not a pinned one: its pin_sha256 is %s",
	    name, pin);
	return nd_fail_at(why, "pin_sha256", 0, NULL);
}

static enum nd_err
tell_refused(const SSL *ssl, long code, const char *name, struct nd_why *why)
{
	const struct refused *refused = SSL_get_ex_data(ssl, refused_index);
	const char *names = refused && refused->names[0] ? refused->names : "no host";
	const char *issuer = refused && refused->issuer[0] ? refused->issuer : "an unknown CA";
	const bool longer = refused && refused->last[0] && strcmp(refused->last, refused->issuer) != 0;

	if (refused && refused->pin[0])
		return tell_unpinned(refused->pin, name, why);
	(void)nd_fail(why, ND_ETLS, 0, "the certificate for %.60s is not trusted: %s; it names %s, issued by %s%s%s",
	    name, X509_verify_cert_error_string(code), names, issuer, longer ? ", the last issuer is " : "",
	    longer ? refused->last : "");
	return ND_ETLS;
}

enum nd_err
tls_failure(struct bufferevent *bev, const char *name, struct nd_why *why)
{
	int sys_errno = errno;
	const SSL *ssl = bufferevent_openssl_get_ssl(bev);
	bool stands = SSL_is_init_finished(ssl);
	long code = SSL_get_verify_result(ssl);
	enum nd_err err = stands ? ND_ECLOSED : ND_ETLS;
	struct tls *tls = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
	unsigned long error;

	if (!stands && tls != NULL)
		drop_tickets(tls); /* they may be what the server does not like */
	if (code != X509_V_OK)
		return tell_refused(ssl, code, name, why);
	while ((error = bufferevent_get_openssl_error(bev)) != 0) {
		/* libevent puts its own SSL_ERROR_SYSCALL, which has no library, in this queue too. */
		if (ERR_SYSTEM_ERROR(error) || ERR_GET_LIB(error) == 0)
			continue;
		(void)nd_fail(why, err, 0, "%s %.60s: %s", stands ? "the TLS session broke with" : "TLS failed with",
		    name, tls_reason(error));
		return err;
	}
	if (sys_errno != ECONNRESET && sys_errno != EPIPE && sys_errno != ETIMEDOUT)
		sys_errno = 0; /* of something else */
	return nd_fail(why, ND_ECLOSED, sys_errno, "%.60s closed the connection%s", name,
	    stands ? "" : " during the TLS handshake");
}

const char *
tls_words(const struct ssl_st *ssl, char *out, size_t size)
{
	(void)snprintf(out, size, "%s %s", SSL_get_version(ssl), SSL_get_cipher_name(ssl));
	return out;
}

bool
tls_resumed(const struct ssl_st *ssl)
{
	return SSL_session_reused(ssl) == 1;
}

void
tls_shutdown(struct ssl_st *ssl)
{
	if (ssl == NULL || !SSL_is_init_finished(ssl) || (SSL_get_shutdown(ssl) & SSL_SENT_SHUTDOWN))
		return;
	ERR_clear_error();
	(void)SSL_shutdown(ssl);
	ERR_clear_error();
}

size_t
tls_rest(struct ssl_st *ssl, void *out, size_t size)
{
	size_t len = 0;

	ERR_clear_error();
	if (!SSL_is_init_finished(ssl) || SSL_read_ex(ssl, out, size, &len) != 1)
		len = 0;
	ERR_clear_error();
	return len;
}

bool
tls_write(struct ssl_st *ssl, const void *octets, size_t len)
{
	size_t written;
	bool done;

	ERR_clear_error();
	done = SSL_is_init_finished(ssl) && SSL_write_ex(ssl, octets, len, &written) == 1;
	ERR_clear_error();
	return done;
}

/* -- digests, randomness -- */

struct tls_digest {
	EVP_MD_CTX *context;
};

static EVP_MD *sha256; /* for ever; looked up once, which takes longer than a small digest */
static pthread_once_t sha256_once = PTHREAD_ONCE_INIT;

static void
fetch_sha256(void)
{
	sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	if (sha256 == NULL)
		abort();
}

void
tls_sha256(const void *octets, size_t len, uint8_t out[32])
{
	if (EVP_Digest(octets, len, out, NULL, EVP_sha256(), NULL) != 1)
		abort();
}

bool
tls_fips(void)
{
	return EVP_default_properties_is_fips_enabled(NULL) == 1;
}

void
tls_random(void *out, size_t len)
{
	if (len > INT32_MAX || RAND_bytes(out, (int)len) != 1)
		abort();
}

struct tls_digest *
tls_digest_new(void)
{
	struct tls_digest *digest = nd_xalloc(sizeof(*digest));

	digest->context = EVP_MD_CTX_new();
	if (pthread_once(&sha256_once, fetch_sha256) != 0 || digest->context == NULL ||
	    EVP_DigestInit_ex(digest->context, sha256, NULL) != 1)
		abort();
	return digest;
}

void
tls_digest_add(struct tls_digest *digest, const void *octets, size_t len)
{
	if (EVP_DigestUpdate(digest->context, octets, len) != 1)
		abort();
}

void
tls_digest_end(struct tls_digest *digest, uint8_t out[32])
{
	if (EVP_DigestFinal_ex(digest->context, out, NULL) != 1)
		abort();
	EVP_MD_CTX_free(digest->context);
	free(digest);
}
