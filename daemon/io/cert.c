/* SPDX-License-Identifier: Apache-2.0 */
/* cert.c - makes a key and a certificate for it, for an application that proves itself by assertions; reads the latter.  Layer: io.  Knows OpenSSL. */
#include "daemon/io/cert.h"

#include "daemon/io/jwt.h"

#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <stdio.h>

#define SERIAL_BITS 127 /* positive in 16 octets */

static bool
add_extension(X509 *x509, int nid, const char *value)
{
	X509V3_CTX context;
	X509_EXTENSION *extension;
	bool added;

	X509V3_set_ctx(&context, x509, x509, NULL, NULL, 0);
	extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
	added = extension != NULL && X509_add_ext(x509, extension, -1) == 1;
	X509_EXTENSION_free(extension);
	return added;
}

/* By chance: two certificates of the same name are told apart. */
static bool
set_serial(X509 *x509)
{
	BIGNUM *number = BN_new();
	bool set = number != NULL && BN_rand(number, SERIAL_BITS, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) == 1 &&
		   BN_to_ASN1_INTEGER(number, X509_get_serialNumber(x509)) != NULL;

	BN_free(number);
	return set;
}

static bool
set_names(X509 *x509, const char *name)
{
	X509_NAME *subject = X509_get_subject_name(x509);

	return X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, (const unsigned char *)name, -1, -1, 0) == 1 &&
	       X509_set_issuer_name(x509, subject) == 1;
}

static bool
set_dates(X509 *x509, nd_unix now)
{
	time_t start = (time_t)(now / 1000);

	return ASN1_TIME_set(X509_getm_notBefore(x509), start) != NULL &&
	       ASN1_TIME_adj(X509_getm_notAfter(x509), start, CERT_DAYS, 0) != NULL;
}

static bool
fill(X509 *x509, EVP_PKEY *key, const char *name, nd_unix now)
{
	return X509_set_version(x509, X509_VERSION_3) == 1 && set_serial(x509) && set_names(x509, name) &&
	       set_dates(x509, now) && X509_set_pubkey(x509, key) == 1 &&
	       add_extension(x509, NID_basic_constraints, "critical,CA:FALSE") &&
	       add_extension(x509, NID_key_usage, "critical,digitalSignature") &&
	       X509_sign(x509, key, EVP_sha256()) != 0;
}

static bool
digest(const X509 *x509, const EVP_MD *kind, char *out, size_t size)
{
	unsigned char sum[EVP_MAX_MD_SIZE];
	unsigned len = 0;

	if (X509_digest(x509, kind, sum, &len) != 1)
		return false;
	for (unsigned i = 0; i < len && 2 * (size_t)i + 2 < size; i++)
		(void)snprintf(out + 2 * (size_t)i, 3, "%02X", sum[i]);
	return true;
}

static bool
take(BIO *bio, struct nd_secret *out)
{
	char *octets;
	long len = BIO_get_mem_data(bio, &octets);

	if (len <= 0)
		return false;
	nd_secret_set(out, octets, (size_t)len);
	return true;
}

/* The memory of BIO_s_secmem is wiped when it is freed. */
static bool
write_texts(X509 *x509, EVP_PKEY *key, struct cert_pair *out)
{
	BIO *private = BIO_new(BIO_s_secmem()), *public = BIO_new(BIO_s_mem());
	bool written = private != NULL && public != NULL &&
		       PEM_write_bio_PrivateKey(private, key, NULL, NULL, 0, NULL, NULL) == 1 &&
		       PEM_write_bio_X509(public, x509) == 1 && take(private, &out->key) && take(public, &out->public);

	BIO_free(private);
	BIO_free(public);
	return written;
}

enum nd_err
cert_make(const char *name, nd_unix now, struct cert_pair *out, struct nd_why *why)
{
	EVP_PKEY *key = EVP_RSA_gen(CERT_BITS);
	X509 *x509 = X509_new();
	bool made;

	*out = (struct cert_pair){ .not_after = (now / 1000 + (nd_unix)CERT_DAYS * 86400) * 1000 };
	made = key != NULL && x509 != NULL && fill(x509, key, name, now) && write_texts(x509, key, out) &&
	       digest(x509, EVP_sha1(), out->sha1, sizeof(out->sha1)) &&
	       digest(x509, EVP_sha256(), out->sha256, sizeof(out->sha256));
	X509_free(x509);
	EVP_PKEY_free(key);
	ERR_clear_error();
	return made ? ND_OK : nd_fail(why, ND_ESECRET, 0, "OpenSSL could not make a key and a certificate");
}

enum nd_err
cert_read(const char *path, struct cert_pair *out, struct nd_why *why)
{
	BIO *public = BIO_new(BIO_s_mem());
	struct jwt_certificate found;
	enum nd_err err = jwt_certificate_read(path, &found, why);

	*out = (struct cert_pair){ 0 };
	if (err == ND_OK) {
		out->not_after = found.not_after;
		if (public == NULL || PEM_write_bio_X509(public, found.x509) != 1 || !take(public, &out->public) ||
		    !digest(found.x509, EVP_sha1(), out->sha1, sizeof(out->sha1)) ||
		    !digest(found.x509, EVP_sha256(), out->sha256, sizeof(out->sha256)))
			err = nd_fail(why, ND_ESECRET, 0, "OpenSSL could not show the certificate %.200s", path);
		jwt_certificate_done(&found);
	}
	BIO_free(public);
	ERR_clear_error();
	return err;
}

void
cert_done(struct cert_pair *pair)
{
	nd_secret_done(&pair->key);
	nd_secret_done(&pair->public);
}
