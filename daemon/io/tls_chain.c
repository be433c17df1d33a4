/* SPDX-License-Identifier: Apache-2.0 */
/* tls_chain.c - what certificates say, for people.  Layer: io.  Knows OpenSSL. */
#include "daemon/io/tls_inner.h"

#include "common/mem.h"
#include "common/str.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TEXT_SIZE 256
#define TEXT_FLAGS                                                                                                     \
	(XN_FLAG_SEP_CPLUS_SPC | XN_FLAG_FN_SN | (ASN1_STRFLGS_RFC2253 & ~(unsigned long)ASN1_STRFLGS_ESC_MSB))

/* Whoever made the certificate chose the octets. */
static void
clean(char *text, size_t len)
{
	const bool utf8 = nd_str_utf8(text, len);

	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] < ' ' || text[i] == 0x7f || (!utf8 && (unsigned char)text[i] >= 0x80))
			text[i] = '?';
	text[len] = '\0';
}

void
tls_chain_name(const X509_NAME *name, char *out, size_t size)
{
	BIO *bio = BIO_new(BIO_s_mem());
	int len = 0;

	if (bio != NULL && X509_NAME_print_ex(bio, name, 0, TEXT_FLAGS) >= 0)
		len = BIO_read(bio, out, (int)size - 1);
	clean(out, len > 0 ? nd_str_utf8_cut(out, (size_t)len, (size_t)len) : 0);
	BIO_free(bio);
}

bool
tls_chain_spki(X509 *cert, uint8_t out[32])
{
	unsigned char *der = NULL;
	const int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &der);

	if (len > 0)
		tls_sha256(der, (size_t)len, out);
	OPENSSL_free(der);
	return len > 0;
}

static nd_unix
time_of(const ASN1_TIME *text)
{
	struct tm tm;

	return ASN1_TIME_to_tm(text, &tm) == 1 ? (nd_unix)timegm(&tm) * 1000 : 0;
}

static bool
write_name(const GENERAL_NAME *name, char *out, size_t size)
{
	const ASN1_STRING *text = name->d.ia5;
	char address[64];
	const unsigned char *octets;
	size_t len;

	if (name->type == GEN_IPADD) {
		octets = ASN1_STRING_get0_data(name->d.iPAddress);
		len = (size_t)ASN1_STRING_length(name->d.iPAddress);
		if ((len != 4 && len != 16) ||
		    inet_ntop(len == 4 ? AF_INET : AF_INET6, octets, address, sizeof(address)) == NULL)
			return false;
		(void)snprintf(out, size, "%s", address);
		return true;
	}
	if (name->type != GEN_DNS && name->type != GEN_URI && name->type != GEN_EMAIL)
		return false;
	len = (size_t)ASN1_STRING_length(text);
	if (len >= size)
		len = size - 1;
	memcpy(out, ASN1_STRING_get0_data(text), len);
	clean(out, len);
	return true;
}

static void
note_names(struct tls_cert *to, const X509 *cert)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	char text[TEXT_SIZE];

	for (int i = 0; i < sk_GENERAL_NAME_num(names) && to->name_count < TLS_CERT_NAMES; i++)
		if (write_name(sk_GENERAL_NAME_value(names, i), text, sizeof(text)))
			to->names[to->name_count++] = nd_xstrdup(text);
	GENERAL_NAMES_free(names);
}

static void
note_cert(struct tls_cert *to, X509 *cert)
{
	unsigned char *der = NULL;
	char text[TEXT_SIZE];
	const int len = i2d_X509(cert, &der);

	if (len > 0)
		tls_sha256(der, (size_t)len, to->sha256);
	OPENSSL_free(der);
	(void)tls_chain_spki(cert, to->spki_sha256);
	tls_chain_name(X509_get_subject_name(cert), text, sizeof(text));
	to->subject = nd_xstrdup(text);
	tls_chain_name(X509_get_issuer_name(cert), text, sizeof(text));
	to->issuer = nd_xstrdup(text);
	to->not_before = time_of(X509_get0_notBefore(cert));
	to->not_after = time_of(X509_get0_notAfter(cert));
	note_names(to, cert);
}

void
tls_chain_note(struct tls_chain *chain, X509_STORE_CTX *store, bool verified)
{
	STACK_OF(X509) *presented = X509_STORE_CTX_get0_untrusted(store);
	const int error = X509_STORE_CTX_get_error(store);

	tls_chain_done(chain);
	for (int i = 0; i < sk_X509_num(presented) && chain->count < TLS_CHAIN_MAX; i++)
		note_cert(&chain->cert[chain->count++], sk_X509_value(presented, i));
	chain->verified = verified;
	if (!verified)
		(void)snprintf(chain->words, sizeof(chain->words), "%s", X509_verify_cert_error_string(error));
	ERR_clear_error();
}

static int
verify_and_note(X509_STORE_CTX *store, void *chain)
{
	const int good = X509_verify_cert(store);

	tls_chain_note(chain, store, good == 1);
	return good;
}

void
tls_note_chain(void *context, struct tls_chain *chain)
{
	SSL_CTX_set_cert_verify_callback(context, verify_and_note, chain);
}

void
tls_chain_done(struct tls_chain *chain)
{
	for (unsigned i = 0; i < chain->count; i++) {
		free(chain->cert[i].subject);
		free(chain->cert[i].issuer);
		for (unsigned n = 0; n < chain->cert[i].name_count; n++)
			free(chain->cert[i].names[n]);
	}
	*chain = (struct tls_chain){ .count = 0 };
}
