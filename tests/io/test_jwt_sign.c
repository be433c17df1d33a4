/* SPDX-License-Identifier: Apache-2.0 */
/* test_jwt_sign.c - certificates, keys and signatures of assertions; openssl makes them and verifies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/str.h"
#include "daemon/io/filer.h"
#include "daemon/io/jwt.h"
#include "tests/io/shell.h"

#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOW INT64_C(1800000000000)

static struct nd_secret
key_of(const char *name)
{
	struct nd_secret key = { 0 };
	char *octets;
	size_t len;

	assert_int_equal(filer_read(shell_path(name), 65536, &octets, &len, NULL), ND_OK);
	nd_secret_set(&key, octets, len);
	nd_wipe_free(octets, len);
	return key;
}

static int
make(void **state)
{
	static const char *const commands[] = {
		"openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=a -days 30 -keyout a.key -out a.crt",
		"openssl genrsa -out b.key 2048", "openssl genrsa -out short.key 1024",
		"openssl ecparam -name prime256v1 -genkey -noout -out ec.key",
		"openssl genpkey -algorithm RSA-PSS -pkeyopt rsa_keygen_bits:2048 -out pss.key",
		"openssl pkey -in a.key -aes128 -passout pass:sesame -out locked.key",
		"openssl pkey -in a.key -pubout -out a.pub", "cat a.crt a.key > both.pem", "echo nothing > empty.pem"
	};

	(void)state;
	assert_non_null(mkdtemp(shell_folder));
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		assert_int_equal(shell_run(commands[i]), 0);
	return 0;
}

static int
clear(void **state)
{
	(void)state;
	assert_int_equal(shell_run("rm -f ./*"), 0);
	(void)rmdir(shell_folder);
	return 0;
}

/* The signature of "head.claims", verified by openssl with the public key. */
static void
check_signature(const char *key_name, const char *options, bool pss)
{
	struct nd_secret key = key_of(key_name);
	struct nd_buf text, raw;
	char command[256];

	nd_buf_init(&text, 8192);
	nd_buf_init(&raw, 8192);
	nd_buf_adds(&text, "head.claims");
	assert_int_equal(jwt_sign(&key, NULL, pss, &text, NULL), ND_OK);
	assert_memory_equal(nd_buf_text(&text), "head.claims.", 12);
	assert_null(strpbrk(nd_buf_text(&text), "+/="));
	nd_buf_drop(&text, 12);
	for (char *c = text.octets; *c != '\0'; c++)
		*c = *c == '-' ? '+' : *c == '_' ? '/' : *c;
	while (text.len % 4 != 0)
		nd_buf_addc(&text, '=');
	assert_true(nd_str_unbase64(&raw, nd_buf_text(&text), text.len, false));
	assert_int_equal(filer_write(shell_path("signature"), nd_buf_text(&raw), raw.len, NULL), ND_OK);
	assert_int_equal(filer_write(shell_path("signed"), "head.claims", 11, NULL), ND_OK);
	(void)snprintf(
	    command, sizeof(command), "openssl dgst -sha256 -verify a.pub -signature signature %s signed", options);
	assert_int_equal(shell_run(command), 0);
	assert_int_equal(filer_write(shell_path("signed"), "head.claimz", 11, NULL), ND_OK);
	assert_int_not_equal(shell_run(command), 0);
	nd_buf_done(&text);
	nd_buf_done(&raw);
	nd_secret_done(&key);
}

static void
both_ways_of_signing_are_those_of_their_names(void **state)
{
	(void)state;
	check_signature("a.key", "", false);
	check_signature(
	    "a.key", "-sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:32 -sigopt rsa_mgf1_md:sha256", true);
	check_signature("both.pem", "", false);
}

static void
a_certificate_tells_its_thumbprint_and_dates(void **state)
{
	struct jwt_certificate certificate;
	char command[512];

	(void)state;
	assert_int_equal(jwt_certificate_read(shell_path("a.crt"), &certificate, NULL), ND_OK);
	(void)snprintf(command, sizeof(command),
	    "test \"$(openssl x509 -in a.crt -outform DER | openssl dgst -sha256 -binary | base64 | tr +/ -_ | tr -d "
	    "=)\" = %s",
	    certificate.thumbprint);
	assert_int_equal(shell_run(command), 0);
	assert_int_equal(certificate.not_after - certificate.not_before, ND_DAY(30));
	(void)snprintf(command, sizeof(command),
	    "test \"$(date -d \"$(openssl x509 -in a.crt -noout -enddate | cut -d= -f2)\" "
	    "+%%s)\" = %lld",
	    (long long)(certificate.not_after / 1000));
	assert_int_equal(shell_run(command), 0);
	jwt_certificate_done(&certificate);
}

static void
a_certificate_is_good_between_its_dates(void **state)
{
	const struct jwt_certificate certificate = { .not_before = NOW, .not_after = NOW + ND_DAY(1) };
	struct nd_why why;

	(void)state;
	assert_int_equal(jwt_valid(&certificate, NOW, &why), ND_OK);
	assert_int_equal(jwt_valid(&certificate, NOW + ND_DAY(1) - 1, &why), ND_OK);
	assert_int_equal(jwt_valid(&certificate, NOW + ND_DAY(1), &why), ND_ESECRET);
	assert_string_equal(why.text, "the certificate expired on 2027-01-16");
	assert_int_equal(jwt_valid(&certificate, NOW - 1, &why), ND_ESECRET);
	assert_non_null(strstr(why.text, "valid only from 2027-01-15"));
}

static void
what_is_no_certificate_is_refused(void **state)
{
	struct jwt_certificate certificate;
	struct nd_why why;

	(void)state;
	assert_int_equal(jwt_certificate_read(shell_path("empty.pem"), &certificate, &why), ND_ESECRET);
	assert_non_null(strstr(why.text, "no certificate (PEM)"));
	assert_int_equal(jwt_certificate_read(shell_path("a.key"), &certificate, &why), ND_ESECRET);
	assert_int_equal(jwt_certificate_read(shell_path("nowhere"), &certificate, &why), ND_ESECRET);
	assert_int_equal(why.err, ND_ESECRET);
}

static void
a_key_that_cannot_be_used_is_refused_in_one_sentence(void **state)
{
	static const struct {
		const char *key;
		bool pss, fits;
		const char *said;
	} cases[] = {
		{ "b.key", true, true, "the key does not belong to the certificate" },
		{ "locked.key", true, false, "the key is encrypted with a passphrase" },
		{ "ec.key", true, false, "the key is an EC key, and assertions are signed with RSA" },
		{ "short.key", true, false, "the RSA key is shorter than 2048 bits" },
		{ "pss.key", false, false, "the key can sign PS256 only" },
		{ "a.crt", true, false, "the key is not a private key (PEM)" },
		{ "empty.pem", true, false, "the key is not a private key (PEM)" },
	};
	struct jwt_certificate certificate;
	struct nd_buf text;

	(void)state;
	assert_int_equal(jwt_certificate_read(shell_path("a.crt"), &certificate, NULL), ND_OK);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct nd_secret key = key_of(cases[i].key);
		struct nd_why why;

		nd_buf_init(&text, 4096);
		nd_buf_adds(&text, "a.b");
		assert_int_equal(
		    jwt_sign(&key, cases[i].fits ? &certificate : NULL, cases[i].pss, &text, &why), ND_ESECRET);
		assert_string_equal(why.text, cases[i].said);
		assert_true(nd_why_hint(&why)[0] != '\0');
		assert_string_equal(nd_buf_text(&text), "a.b");
		nd_buf_done(&text);
		nd_secret_done(&key);
	}
	jwt_certificate_done(&certificate);
}

static void
the_certificate_s_own_key_is_taken(void **state)
{
	struct nd_secret own = key_of("a.key"), pss = key_of("pss.key");
	struct jwt_certificate certificate;
	struct nd_buf text;

	(void)state;
	nd_buf_init(&text, 4096);
	assert_int_equal(jwt_certificate_read(shell_path("both.pem"), &certificate, NULL), ND_OK);
	assert_int_equal(jwt_sign(&own, &certificate, true, &text, NULL), ND_OK);
	assert_int_equal(jwt_sign(&pss, NULL, true, &text, NULL), ND_OK);
	jwt_certificate_done(&certificate);
	nd_buf_done(&text);
	nd_secret_done(&own);
	nd_secret_done(&pss);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_ways_of_signing_are_those_of_their_names),
		cmocka_unit_test(a_certificate_tells_its_thumbprint_and_dates),
		cmocka_unit_test(a_certificate_is_good_between_its_dates),
		cmocka_unit_test(what_is_no_certificate_is_refused),
		cmocka_unit_test(a_key_that_cannot_be_used_is_refused_in_one_sentence),
		cmocka_unit_test(the_certificate_s_own_key_is_taken),
	};

	return cmocka_run_group_tests(tests, make, clear);
}
