/* SPDX-License-Identifier: Apache-2.0 */
/* test_tls_authorities.c - how many authorities are trusted, and whether one was added to this host by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/io/cert.h"
#include "daemon/io/filer.h"
#include "daemon/io/tls.h"
#include "tests/io/shell.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NOW INT64_C(1800000000123)

static int
make(void **state)
{
	static const char *const names[] = { "corp", "other" };
	struct cert_pair pair = { 0 };
	struct nd_why why;

	(void)state;
	assert_non_null(mkdtemp(shell_folder));
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(cert_make(names[i], NOW, &pair, &why), ND_OK);
		assert_int_equal(filer_write(shell_path(names[i]), pair.public.octets, pair.public.len, &why), ND_OK);
		cert_done(&pair);
	}
	return shell_run(
	    "cat corp other > both; echo nothing > none; mkdir local; openssl x509 -in corp -out local/corp.crt; "
	    "echo x > local/broken.crt; cp other local/other.pem");
}

static int
clear(void **state)
{
	(void)state;
	assert_int_equal(shell_run("rm -rf ./*"), 0);
	return rmdir(shell_folder);
}

static void
certificates_of_a_file_are_counted(void **state)
{
	char reason[100] = "";

	(void)state;
	assert_int_equal(tls_authorities(shell_path("both"), reason, sizeof(reason)), 2);
	assert_int_equal(tls_authorities(shell_path("none"), reason, sizeof(reason)), -1);
	assert_string_equal(reason, "it holds no certificate that can be read");
	assert_int_equal(tls_authorities(shell_path("gone"), reason, sizeof(reason)), -1);
	assert_string_equal(reason, "No such file or directory");
}

static void
those_of_the_system_are_found_where_openssl_looks(void **state)
{
	(void)state;
	assert_int_equal(setenv("SSL_CERT_DIR", shell_path("local"), 1), 0);
	assert_int_equal(setenv("SSL_CERT_FILE", shell_path("both"), 1), 0);
	assert_string_equal(tls_authorities_place(), shell_path("local"));
	assert_int_equal(tls_authorities(NULL, NULL, 0), 2);
	assert_int_equal(setenv("SSL_CERT_FILE", shell_path("gone"), 1), 0);
	assert_int_equal(tls_authorities(NULL, NULL, 0), 0);
}

static void
an_authority_that_was_added_is_recognised(void **state)
{
	char corp[] = "CN=corp", stranger[] = "CN=other", path[200], folder[200];
	struct tls_chain chain = { .count = 1 };

	(void)state;
	(void)snprintf(folder, sizeof(folder), "%s", shell_path("local"));
	chain.cert[0].issuer = corp;
	assert_string_equal(tls_chain_local(&chain, folder, path, sizeof(path)), shell_path("local/corp.crt"));
	chain.cert[0].issuer = stranger; /* its file has another ending */
	assert_string_equal(tls_chain_local(&chain, folder, path, sizeof(path)), "");
	assert_string_equal(tls_chain_local(&chain, shell_path("gone"), path, sizeof(path)), "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(certificates_of_a_file_are_counted),
		cmocka_unit_test(those_of_the_system_are_found_where_openssl_looks),
		cmocka_unit_test(an_authority_that_was_added_is_recognised),
	};

	return cmocka_run_group_tests(tests, make, clear);
}
