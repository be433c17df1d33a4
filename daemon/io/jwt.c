/* SPDX-License-Identifier: Apache-2.0 */
/* jwt.c - certificates and signatures of assertions.  Layer: io.  Knows OpenSSL. */
#include "daemon/io/jwt.h"

#include "common/stamp.h"
#include "daemon/core/jwt.h"
#include "daemon/io/secret.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RSA_BITS_MIN 2048
#define SALT_OCTETS 32 /* RFC 7518 3.5: as long as the digest */
#define SIGNATURE_MAX 2048u

static enum nd_err
fail(struct nd_why *why, const char *what, const char *hint)
{
	ERR_clear_error();
	(void)nd_fail(why, ND_ESECRET, 0, "%s", what);
	(void)nd_fail_at(why, NULL, 0, hint);
	return ND_ESECRET;
}

/* --- certificates --- */

/* Without the C library's calendar: by the days since a known one. */
static nd_unix
unix_of(const ASN1_TIME *when)
{
	ASN1_TIME *zero = ASN1_TIME_set(NULL, 0);
	int days = 0, seconds = 0;

	if (zero == NULL || ASN1_TIME_diff(&days, &seconds, zero, when) != 1)
		days = seconds = 0;
	ASN1_TIME_free(zero);
	return ((nd_unix)days * 86400 + seconds) * 1000;
}

static void
describe(struct jwt_certificate *certificate)
{
	unsigned char sum[EVP_MAX_MD_SIZE];
	struct nd_buf text;
	unsigned len = 0;

	if (X509_digest(certificate->x509, EVP_sha256(), sum, &len) != 1)
		abort();
	nd_buf_init(&text, sizeof(certificate->thumbprint) - 1);
	jwt_base64url(&text, sum, len);
	(void)snprintf(certificate->thumbprint, sizeof(certificate->thumbprint), "%s", nd_buf_text(&text));
	nd_buf_done(&text);
	certificate->not_before = unix_of(X509_get0_notBefore(certificate->x509));
	certificate->not_after = unix_of(X509_get0_notAfter(certificate->x509));
}

enum nd_err
jwt_certificate_read(const char *path, struct jwt_certificate *out, struct nd_why *why)
{
	struct jwt_certificate certificate = { 0 };
	char *octets;
	size_t len;
	BIO *bio;

	if (secret_file("certificate", path, &octets, &len, why) != ND_OK)
		return ND_ESECRET;
	bio = BIO_new_mem_buf(octets, (int)len);
	if (bio == NULL)
		abort();
	certificate.x509 = PEM_read_bio_X509(bio, NULL, NULL, NULL);
	BIO_free(bio);
	nd_wipe_free(octets, len); /* the key may be in the same file */
	ERR_clear_error();
	if (certificate.x509 == NULL) {
		(void)nd_fail(why, ND_ESECRET, 0, "there is no certificate (PEM) in \"%.160s\"", path);
		(void)nd_fail_at(why, "certificate", 0, "it begins with -----BEGIN CERTIFICATE-----");
		return ND_ESECRET;
	}
	describe(&certificate);
	*out = certificate;
	return ND_OK;
}

void
jwt_certificate_done(struct jwt_certificate *certificate)
{
	X509_free(certificate->x509);
	*certificate = (struct jwt_certificate){ 0 };
}

enum nd_err
jwt_valid(const struct jwt_certificate *certificate, nd_unix now, struct nd_why *why)
{
	char when[ND_STAMP_SIZE];

	if (now >= certificate->not_after) {
		(void)nd_fail(why, ND_ESECRET, 0, "the certificate expired on %.10s",
		    nd_stamp_rfc3339(certificate->not_after, when));
		(void)nd_fail_at(why, "certificate", 0, "make a new one, and upload it to the application first");
		return ND_ESECRET;
	}
	if (now < certificate->not_before) {
		(void)nd_fail(why, ND_ESECRET, 0, "the certificate is valid only from %s",
		    nd_stamp_rfc3339(certificate->not_before, when));
		(void)nd_fail_at(why, "certificate", 0, "is the clock of this host right?");
		return ND_ESECRET;
	}
	return ND_OK;
}

/* --- keys --- */

/* Nobody is there to type a passphrase; that one is wanted is noted. */
static int
no_passphrase(char *out, int size, int writing, void *asked)
{
	(void)out;
	(void)size;
	(void)writing;
	*(bool *)asked = true;
	return -1;
}

static enum nd_err
check_key(const EVP_PKEY *key, bool pss, struct nd_why *why)
{
	if (EVP_PKEY_is_a(key, "RSA-PSS") && !pss)
		return fail(why, "the key can sign PS256 only", "set assertion_alg = PS256");
	if (!EVP_PKEY_is_a(key, "RSA") && !EVP_PKEY_is_a(key, "RSA-PSS"))
		return fail(why,
		    EVP_PKEY_is_a(key, "EC") ? "the key is an EC key, and assertions are signed with RSA"
					     : "the key is not an RSA key",
		    "make an RSA key of 2048 bits or more, and a certificate for it");
	if (EVP_PKEY_get_bits(key) < RSA_BITS_MIN)
		return fail(why, "the RSA key is shorter than 2048 bits", "make one of 2048 bits or more");
	return ND_OK;
}

static enum nd_err
load(const struct nd_secret *secret, bool pss, EVP_PKEY **out, struct nd_why *why)
{
	bool asked = false;
	BIO *bio = BIO_new_mem_buf(secret->octets, (int)secret->len);
	EVP_PKEY *key;
	enum nd_err err;

	if (bio == NULL)
		abort();
	key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, &asked);
	BIO_free(bio);
	if (key == NULL && asked)
		return fail(why, "the key is encrypted with a passphrase",
		    "store it without one (openssl pkey -in KEY -out NEW), mode 0600, or as an encrypted credential");
	if (key == NULL)
		return fail(why, "the key is not a private key (PEM)", "it begins with -----BEGIN PRIVATE KEY-----");
	err = check_key(key, pss, why);
	if (err == ND_OK)
		*out = key;
	else
		EVP_PKEY_free(key);
	return err;
}

static bool
set_padding(EVP_PKEY_CTX *context, bool pss)
{
	if (!pss)
		return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) == 1;
	return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING) == 1 &&
	       EVP_PKEY_CTX_set_rsa_mgf1_md(context, EVP_sha256()) == 1 &&
	       EVP_PKEY_CTX_set_rsa_pss_saltlen(context, SALT_OCTETS) == 1;
}

static bool
sign(EVP_PKEY *key, bool pss, const struct nd_buf *text, unsigned char *out, size_t *len)
{
	EVP_MD_CTX *digest = EVP_MD_CTX_new();
	EVP_PKEY_CTX *context; /* the digest's */
	bool done = digest != NULL && EVP_DigestSignInit(digest, &context, EVP_sha256(), NULL, key) == 1 &&
		    set_padding(context, pss) &&
		    EVP_DigestSign(digest, out, len, (const unsigned char *)nd_buf_text(text), text->len) == 1;

	EVP_MD_CTX_free(digest);
	return done;
}

enum nd_err
jwt_sign(const struct nd_secret *key, const struct jwt_certificate *certificate, bool pss, struct nd_buf *text,
    struct nd_why *why)
{
	unsigned char signature[SIGNATURE_MAX];
	size_t len = sizeof(signature);
	EVP_PKEY *pkey = NULL;
	enum nd_err err = load(key, pss, &pkey, why);

	if (err != ND_OK)
		return err;
	if (certificate != NULL && EVP_PKEY_eq(X509_get0_pubkey(certificate->x509), pkey) != 1)
		err = fail(
		    why, "the key does not belong to the certificate", "name the key the certificate was made with");
	else if (!sign(pkey, pss, text, signature, &len))
		err = fail(why, "the assertion cannot be signed with this key", "make an RSA key of 2048 bits or more");
	else
		jwt_finish(text, signature, len);
	EVP_PKEY_free(pkey);
	return err;
}
