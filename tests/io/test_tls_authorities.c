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
	    "echo x > local/broken.crt; cp other local/other.pem; mkdir own empty; cp corp own/corp.pem; cp other "
	    "own/other.crt; "
	    "echo x > own/README; echo x > own/.hidden.pem; mkfifo own/pipe; echo x > empty/ca.txt");
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
	assert_int_equal(tls_authorities(shell_path("both"), NULL, reason, sizeof(reason)), 2);
	assert_int_equal(tls_authorities(shell_path("none"), NULL, reason, sizeof(reason)), -1);
	assert_string_equal(reason, "it holds no certificate that can be read");
	assert_int_equal(tls_authorities(shell_path("gone"), NULL, reason, sizeof(reason)), -1);
	assert_string_equal(reason, "No such file or directory");
}

static void
expect_untrusted(const char *file, const char *folder, const char *words, const char *field)
{
	struct nd_why why;

	assert_null(tls_new(file, folder, &why));
	assert_int_equal(why.err, ND_ECONF);
	assert_string_equal(why.field, field);
	if (strstr(why.text, words) == NULL)
		fail_msg("\"%s\" is not in: %s", words, why.text);
}

static void
a_folder_of_ones_own_needs_no_hashed_names_and_tells_which_file_is_bad(void **state)
{
	char reason[300] = "", folder[200];
	struct nd_why why;
	struct tls *tls;

	(void)state;
	(void)snprintf(folder, sizeof(folder), "%s", shell_path("own"));
	assert_int_equal(tls_authorities(NULL, folder, reason, sizeof(reason)), 2);
	tls = tls_new(shell_path("both"), folder, &why);
	assert_non_null(tls);
	tls_free(tls);
	expect_untrusted(shell_path("gone"), folder, "No such file or directory", "ca_file");
	expect_untrusted(NULL, shell_path("gone"), "gone\" cannot be read: No such file or directory", "ca_dir");
	expect_untrusted(NULL, shell_path("empty"), "empty\" cannot be read: there is none", "ca_dir");
	expect_untrusted(NULL, shell_path("local"), "local/broken.crt\" cannot be read", "ca_dir");
	assert_int_equal(tls_authorities(NULL, shell_path("local"), reason, sizeof(reason)), -1);
	assert_non_null(strstr(reason, "broken.crt"));
	assert_int_equal(tls_authorities(folder, NULL, reason, sizeof(reason)), -1); /* no file, and below: no folder */
	assert_int_equal(tls_authorities(NULL, shell_path("both"), reason, sizeof(reason)), -1);
	assert_int_equal(shell_run("mv own/pipe own/pipe.pem"), 0);
	expect_untrusted(NULL, folder, "own/pipe.pem\" cannot be read: it is not a regular file", "ca_dir");
	assert_int_equal(shell_run("rm own/pipe.pem; head -c 1048577 /dev/zero > own/big.pem"), 0);
	expect_untrusted(NULL, folder, "own/big.pem\" cannot be read: it is larger than 1 MiB", "ca_dir");
	assert_int_equal(shell_run("rm own/big.pem; for i in $(seq 1000); do ln -s corp.pem own/$i.pem; done"), 0);
	expect_untrusted(NULL, folder, "own\" cannot be read: there are more than 1000", "ca_dir");
}

static void
those_of_the_system_are_found_where_openssl_looks(void **state)
{
	(void)state;
	assert_int_equal(setenv("SSL_CERT_DIR", shell_path("local"), 1), 0);
	assert_int_equal(setenv("SSL_CERT_FILE", shell_path("both"), 1), 0);
	assert_string_equal(tls_authorities_place(), shell_path("local"));
	assert_int_equal(tls_authorities(NULL, NULL, NULL, 0), 2);
	assert_int_equal(setenv("SSL_CERT_FILE", shell_path("gone"), 1), 0);
	assert_int_equal(tls_authorities(NULL, NULL, NULL, 0), 0);
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
		cmocka_unit_test(a_folder_of_ones_own_needs_no_hashed_names_and_tells_which_file_is_bad),
		cmocka_unit_test(those_of_the_system_are_found_where_openssl_looks),
		cmocka_unit_test(an_authority_that_was_added_is_recognised),
	};

	return cmocka_run_group_tests(tests, make, clear);
}
