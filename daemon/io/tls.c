/* SPDX-License-Identifier: Apache-2.0 */
/* tls.c - TLS client contexts, verification, words for failures.  Layer: io.  Knows OpenSSL.
 *
 * OpenSSL forgets the certificate it refused, so the verification callback notes who made it out and for whom: that is
 * what tells a wrong name from an expired certificate from a box on the way that inspects TLS.
 */
#include "daemon/io/tls.h"

#include "common/mem.h"

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
#define TICKETS 4           /* a server gives two for each session */
#define TICKET_SECONDS 3600 /* a certificate that was verified longer ago is looked at again */

struct tls {
	SSL_CTX *context;
	SSL_SESSION *tickets[TICKETS]; /* the newest last */
	unsigned ticket_count;
	char name[256]; /* they are for */
};

/* -- what a refused certificate said -- */

static int refused_index;
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
	listener_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, NULL);
	if (refused_index < 0 || listener_index < 0)
		abort();
}

static void
write_issuer(const X509 *cert, char *out, size_t size)
{
	BIO *bio = BIO_new(BIO_s_mem());
	int len = 0;

	if (bio != NULL && X509_NAME_print_ex(bio, X509_get_issuer_name(cert), 0,
			       XN_FLAG_SEP_CPLUS_SPC | XN_FLAG_FN_SN |
				   (ASN1_STRFLGS_RFC2253 & ~(unsigned long)ASN1_STRFLGS_ESC_MSB)) >= 0)
		len = BIO_read(bio, out, (int)size - 1);
	out[len > 0 ? len : 0] = '\0';
	BIO_free(bio);
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

static void
tell_listener(const SSL *ssl, const X509 *leaf, int code)
{
	struct tls_refused *out = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), listener_index);

	if (out == NULL || out->reason[0] != '\0')
		return;
	(void)snprintf(out->reason, sizeof(out->reason), "%s", X509_verify_cert_error_string(code));
	write_issuer(leaf, out->issuer, sizeof(out->issuer));
	write_names(leaf, out->names, sizeof(out->names));
}

static int
note_refused(int good, X509_STORE_CTX *store)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
	const X509 *leaf = X509_STORE_CTX_get0_cert(store);

	if (!good && ssl != NULL && leaf != NULL)
		tell_listener(ssl, leaf, X509_STORE_CTX_get_error(store));
	if (!good && ssl != NULL && leaf != NULL && SSL_get_ex_data(ssl, refused_index) == NULL) {
		struct tls_refused *refused = nd_xalloc(sizeof(*refused));

		write_issuer(leaf, refused->issuer, sizeof(refused->issuer));
		write_names(leaf, refused->names, sizeof(refused->names));
		if (!SSL_set_ex_data(ssl, refused_index, refused))
			free(refused);
	}
	return good;
}

void
tls_note_refused(void *context, struct tls_refused *out)
{
	if (pthread_once(&refused_once, make_index) != 0 || SSL_CTX_set_ex_data(context, listener_index, out) != 1)
		abort();
	SSL_CTX_set_verify(context, SSL_CTX_get_verify_mode(context), note_refused);
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

	if (tls == NULL || name == NULL || SSL_get_verify_result(ssl) != X509_V_OK)
		return 0;
	if (strcmp(tls->name, name) != 0)
		drop_tickets(tls);
	(void)snprintf(tls->name, sizeof(tls->name), "%s", name);
	if (tls->ticket_count == TICKETS) {
		SSL_SESSION_free(tls->tickets[0]);
		memmove(tls->tickets, tls->tickets + 1, (TICKETS - 1) * sizeof(SSL_SESSION *));
		tls->ticket_count--;
	}
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
		const long age = (long)time(NULL) - SSL_SESSION_get_time(ticket);

		if (SSL_SESSION_is_resumable(ticket) && age >= 0 && age < TICKET_SECONDS)
			used = SSL_set_session(ssl, ticket) == 1;
		SSL_SESSION_free(ticket);
	}
}

/* -- contexts and sessions -- */

static const char *
reason_of(unsigned long error)
{
	const char *reason = error ? ERR_reason_error_string(error) : NULL;

	if (reason == NULL && ERR_SYSTEM_ERROR(error))
		reason = strerrordesc_np(ERR_GET_REASON(error));
	return reason ? reason : "unknown fault";
}

static enum nd_err
load_trust(SSL_CTX *context, const char *ca_file, struct nd_why *why)
{
	int loaded;

	ERR_clear_error();
	if (ca_file == NULL || ca_file[0] == '\0')
		loaded = SSL_CTX_set_default_verify_paths(context);
	else
		loaded = SSL_CTX_load_verify_file(context, ca_file);
	if (loaded == 1)
		return ND_OK;
	nd_fail(why, ND_ECONF, 0, "the CA certificates in \"%.120s\" cannot be read: %s",
	    ca_file ? ca_file : "the system's store", reason_of(ERR_peek_error()));
	ERR_clear_error();
	(void)nd_fail_at(why, "ca_file", 0, "give a PEM file that holds the CA's certificate");
	return ND_ECONF;
}

struct tls *
tls_new(const char *ca_file, struct nd_why *why)
{
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());
	struct tls *tls;

	if (context == NULL || pthread_once(&refused_once, make_index) != 0)
		abort();
	SSL_CTX_set_verify(context, SSL_VERIFY_PEER, note_refused);
	/* Replies are framed, so a missing close_notify cannot cut one short unseen. */
	(void)SSL_CTX_set_options(
	    context, SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
	(void)SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(context, keep_ticket);
	if (SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1)
		abort();
	if (load_trust(context, ca_file, why) != ND_OK) {
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
tell_refused(const SSL *ssl, long code, const char *name, struct nd_why *why)
{
	const struct tls_refused *refused = SSL_get_ex_data(ssl, refused_index);
	const char *names = refused && refused->names[0] ? refused->names : "no host";
	const char *issuer = refused && refused->issuer[0] ? refused->issuer : "an unknown CA";

	(void)nd_fail(why, ND_ETLS, 0, "the certificate for %.60s is not trusted: %s; it names %s, issued by %s", name,
	    X509_verify_cert_error_string(code), names, issuer);
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
		    name, reason_of(error));
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
