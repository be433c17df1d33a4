/* SPDX-License-Identifier: Apache-2.0 */
/* sasl.c - what signing in by proof takes of cryptography.  Layer: io.  Knows OpenSSL. */
#include "daemon/io/sasl.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

#define HASH 32

static bool
mac(const uint8_t *with, const void *text, size_t len, uint8_t out[HASH])
{
	return HMAC(EVP_sha256(), with, HASH, text, len, out, NULL) != NULL;
}

static bool
prove_scram(const struct smtp_question *question, const struct nd_secret *password, struct smtp_answer *out)
{
	static const char client[] = "Client Key", server[] = "Server Key";
	uint8_t salted[HASH], key[HASH], stored[HASH];
	bool good = PKCS5_PBKDF2_HMAC(password->octets, (int)password->len, question->salt, (int)question->salt_len,
			(int)question->iterations, EVP_sha256(), HASH, salted) == 1;

	good = good && mac(salted, client, sizeof(client) - 1, key) &&
	       EVP_Digest(key, HASH, stored, NULL, EVP_sha256(), NULL) == 1 &&
	       mac(stored, question->text, question->text_len, out->proof);
	for (size_t i = 0; good && i < HASH; i++)
		out->proof[i] ^= key[i];
	good = good && mac(salted, server, sizeof(server) - 1, key) &&
	       mac(key, question->text, question->text_len, out->server);
	OPENSSL_cleanse(salted, sizeof(salted));
	OPENSSL_cleanse(key, sizeof(key));
	OPENSSL_cleanse(stored, sizeof(stored));
	return good;
}

static bool
prove_cram(const struct smtp_question *question, const struct nd_secret *password, struct smtp_answer *out)
{
	EVP_MD *md5 = EVP_MD_fetch(NULL, "MD5", NULL); /* NULL under FIPS */
	bool good = md5 != NULL && HMAC(md5, password->octets, (int)password->len, (const uint8_t *)question->text,
				       question->text_len, out->proof, NULL) != NULL;

	EVP_MD_free(md5);
	return good;
}

enum nd_err
sasl_answer(
    const struct smtp_question *question, const struct nd_secret *password, struct smtp_answer *out, struct nd_why *why)
{
	bool cram = question->kind == SMTP_ASK_CRAM_MD5;
	struct smtp_answer answer = { .proof = { 0 } };

	if (cram ? prove_cram(question, password, &answer) : prove_scram(question, password, &answer)) {
		*out = answer;
		return ND_OK;
	}
	ERR_clear_error();
	(void)nd_fail(why, ND_EAUTH, 0, "OpenSSL has no %s here: CRAM-MD5 and SCRAM-SHA-256 need it",
	    cram ? "MD5 (a FIPS provider does not offer it)" : "PBKDF2 with SHA-256");
	return ND_EAUTH;
}
