/* SPDX-License-Identifier: Apache-2.0 */
/* test_cert.c - keys and certificates that notifyd makes; openssl reads them, and the signer of assertions takes them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/io/cert.h"
#include "daemon/io/filer.h"
#include "daemon/io/jwt.h"
#include "tests/io/shell.h"

#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOW INT64_C(1800000000123)

static struct cert_pair pair, other;

static int
make(void **state)
{
	struct nd_why why;

	(void)state;
	assert_non_null(mkdtemp(shell_folder));
	assert_int_equal(cert_make("m365", NOW, &pair, &why), ND_OK);
	assert_int_equal(cert_make("m365", NOW, &other, &why), ND_OK);
	assert_int_equal(filer_write(shell_path("key"), pair.key.octets, pair.key.len, &why), ND_OK);
	assert_int_equal(filer_write(shell_path("cer"), pair.public.octets, pair.public.len, &why), ND_OK);
	assert_int_equal(filer_write(shell_path("other"), other.public.octets, other.public.len, &why), ND_OK);
	return 0;
}

static int
clear(void **state)
{
	(void)state;
	assert_int_equal(shell_run("rm -f ./*"), 0);
	(void)rmdir(shell_folder);
	cert_done(&pair);
	cert_done(&other);
	return 0;
}

static void
openssl_reads_what_was_asked_for(void **state)
{
	static const char *const commands[] = {
		"openssl x509 -in cer -noout -subject -nameopt RFC2253 | grep -qx subject=CN=m365",
		"openssl x509 -in cer -noout -issuer -nameopt RFC2253 | grep -qx issuer=CN=m365",
		"openssl x509 -in cer -noout -text | grep -q 'Version: 3 '",
		"openssl x509 -in cer -noout -text | grep -q 'Public-Key: (3072 bit)'",
		"openssl x509 -in cer -noout -text | grep -q 'Signature Algorithm: sha256WithRSAEncryption'",
		"openssl x509 -in cer -noout -text | grep -q CA:FALSE",
		"test \"$(openssl x509 -in cer -noout -ext keyUsage | tail -1 | tr -d ' ')\" = DigitalSignature",
		"openssl verify -CAfile cer -partial_chain -no_check_time cer",
		"openssl pkey -in key -noout -check",
		"test \"$(openssl pkey -in key -pubout)\" = \"$(openssl x509 -in cer -noout -pubkey)\"",
		"grep -qx -e '-----BEGIN PRIVATE KEY-----' key",
		"test \"$(openssl x509 -in cer -noout -serial)\" != \"$(openssl x509 -in other -noout -serial)\"",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (shell_run(commands[i]) != 0)
			fail_msg("not so: %s", commands[i]);
	assert_int_not_equal(
	    shell_run("test \"$(openssl pkey -in key -pubout)\" = \"$(openssl x509 -in other -noout -pubkey)\""), 0);
}

static void
the_thumbprints_are_those_of_openssl(void **state)
{
	char command[300];

	(void)state;
	assert_int_equal(strlen(pair.sha1), 40);
	assert_int_equal(strlen(pair.sha256), 64);
	(void)snprintf(command, sizeof(command),
	    "openssl x509 -in cer -noout -fingerprint -sha1 | tr -d : | grep -q '=%s$'", pair.sha1);
	assert_int_equal(shell_run(command), 0);
	(void)snprintf(command, sizeof(command),
	    "openssl x509 -in cer -noout -fingerprint -sha256 | tr -d : | grep -q '=%s$'", pair.sha256);
	assert_int_equal(shell_run(command), 0);
}

static void
it_is_good_from_now_on_for_two_years(void **state)
{
	struct jwt_certificate certificate;

	(void)state;
	assert_int_equal(jwt_certificate_read(shell_path("cer"), &certificate, NULL), ND_OK);
	assert_int_equal(certificate.not_before, NOW / 1000 * 1000);
	assert_int_equal(certificate.not_after - certificate.not_before, ND_DAY(730));
	assert_int_equal(certificate.not_after, pair.not_after);
	assert_int_equal(jwt_valid(&certificate, NOW, NULL), ND_OK);
	jwt_certificate_done(&certificate);
}

static void
assertions_are_signed_with_the_pair_and_no_other(void **state)
{
	struct jwt_certificate certificate, foreign;
	struct nd_buf text;
	struct nd_why why;

	(void)state;
	nd_buf_init(&text, 8192);
	assert_int_equal(jwt_certificate_read(shell_path("cer"), &certificate, NULL), ND_OK);
	assert_int_equal(jwt_certificate_read(shell_path("other"), &foreign, NULL), ND_OK);
	nd_buf_adds(&text, "head.claims");
	assert_int_equal(jwt_sign(&pair.key, &certificate, true, &text, NULL), ND_OK);
	assert_int_equal(text.len, strlen("head.claims.") + 512); /* 384 octets */
	assert_int_equal(jwt_sign(&pair.key, &foreign, true, &text, &why), ND_ESECRET);
	jwt_certificate_done(&certificate);
	jwt_certificate_done(&foreign);
	nd_buf_done(&text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(openssl_reads_what_was_asked_for),
		cmocka_unit_test(the_thumbprints_are_those_of_openssl),
		cmocka_unit_test(it_is_good_from_now_on_for_two_years),
		cmocka_unit_test(assertions_are_signed_with_the_pair_and_no_other),
	};

	return cmocka_run_group_tests(tests, make, clear);
}
