/* SPDX-License-Identifier: Apache-2.0 */
/* test_secret.c - tests of reading secrets by reference. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/io/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static char folder[] = "/tmp/notifyd-secret-XXXXXX";

static const char *
path_of(const char *name)
{
	static char path[128];

	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

static void
put(const char *name, const void *octets, size_t len, mode_t mode)
{
	int fd = open(path_of(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, octets, len), len);
	assert_int_equal(fchmod(fd, mode), 0);
	assert_int_equal(close(fd), 0);
}

static const char *
file_reference(const char *name)
{
	static char reference[160];

	(void)snprintf(reference, sizeof(reference), "file:%s", path_of(name));
	return reference;
}

/* The secret must be `expected`; NULL: refused, with `said` in the text or hint. */
static void
check(const char *reference, const char *expected, const char *said)
{
	struct nd_secret secret = { NULL, 0 };
	struct nd_why why;
	enum nd_err err = secret_read(reference, &secret, &why);

	if (expected != NULL) {
		assert_int_equal(err, ND_OK);
		assert_string_equal(secret.octets, expected);
		assert_int_equal(secret.len, strlen(expected));
	} else {
		assert_int_equal(err, ND_ESECRET);
		assert_int_equal(why.err, ND_ESECRET);
		assert_null(secret.octets);
		if (strstr(why.text, said) == NULL && strstr(why.hint, said) == NULL)
			fail_msg("\"%s\" (%s) does not say \"%s\"", why.text, why.hint, said);
		assert_null(strstr(why.text, "sesame"));
		assert_null(strstr(why.hint, "sesame"));
	}
	nd_secret_done(&secret);
}

static void
a_file_is_read_without_its_last_newline(void **state)
{
	(void)state;
	put("a", "sesame\n", 7, 0600);
	check(file_reference("a"), "sesame", NULL);
	put("a", "sesame", 6, 0400);
	check(file_reference("a"), "sesame", NULL);
	put("a", " sesame \r\n", 10, 0600);
	check(file_reference("a"), " sesame ", NULL);
	put("a", "ses\name\n\n", 9, 0600);
	check(file_reference("a"), "ses\name\n", NULL);
}

static void
a_file_that_others_may_touch_is_refused(void **state)
{
	static const mode_t modes[] = { 0640, 0604, 0620, 0602, 0601 };

	(void)state;
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		put("b", "sesame\n", 7, modes[i]);
		check(file_reference("b"), NULL, "chmod 600");
	}
}

static void
a_file_of_another_user_is_refused(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip(); /* only root can give a file away */
	put("c", "sesame\n", 7, 0600);
	assert_int_equal(chown(path_of("c"), 12345, (gid_t)-1), 0);
	check(file_reference("c"), NULL, "another user");
}

static void
only_regular_files_hold_secrets(void **state)
{
	(void)state;
	assert_int_equal(mkfifo(path_of("fifo"), 0600), 0);
	check(file_reference("fifo"), NULL, "not a regular file"); /* and it does not wait for a writer */
	check("file:/dev/null", NULL, "not a regular file");
	check(file_reference("."), NULL, "not a regular file");
	check(file_reference("nowhere"), NULL, "No such file");
	check("file:relative/path", NULL, "whole path");
}

static void
what_cannot_be_a_secret_is_refused(void **state)
{
	static char large[65538];

	(void)state;
	put("d", "", 0, 0600);
	check(file_reference("d"), NULL, "empty");
	put("d", "\n", 1, 0600);
	check(file_reference("d"), NULL, "empty");
	put("d", "ses\0ame", 7, 0600);
	check(file_reference("d"), NULL, "NUL");
	memset(large, 'x', sizeof(large));
	put("d", large, 65537, 0600);
	check(file_reference("d"), NULL, "64 KiB");
	put("d", large, sizeof(large), 0600);
	check(file_reference("d"), NULL, "64 KiB");
	large[65536] = '\n';
	put("d", large, 65537, 0600);
	large[65536] = '\0';
	check(file_reference("d"), large, NULL);
}

static void
credentials_are_found_by_all_three_names(void **state)
{
	(void)state;
	assert_int_equal(setenv("CREDENTIALS_DIRECTORY", folder, 1), 0);
	put("crede_m365", "sealed sesame\n", 14, 0444); /* modes are systemd's there */
	check("credential:m365", "sealed sesame", NULL);
	put("cred_m365", "kept sesame\n", 12, 0444);
	check("credential:m365", "kept sesame", NULL);
	put("m365", "own sesame\n", 11, 0444);
	check("credential:m365", "own sesame", NULL);
	check("credential:gmail", NULL, "no credential of this name");
	assert_int_equal(unsetenv("CREDENTIALS_DIRECTORY"), 0);
}

static void
a_credential_is_a_name_and_no_path(void **state)
{
	(void)state;
	assert_int_equal(setenv("CREDENTIALS_DIRECTORY", folder, 1), 0);
	check("credential:", NULL, "no name");
	check("credential:../a", NULL, "no name");
	check("credential:..", NULL, "no name");
	check("credential:/etc/passwd", NULL, "no name");
	assert_int_equal(unsetenv("CREDENTIALS_DIRECTORY"), 0);
	check("credential:no-such-credential-here", NULL, "cannot be opened");
}

static void
the_environment_can_hold_one(void **state)
{
	(void)state;
	assert_int_equal(setenv("NOTIFYD_TEST_SECRET", "sesame", 1), 0);
	check("env:NOTIFYD_TEST_SECRET", "sesame", NULL);
	assert_int_equal(unsetenv("NOTIFYD_TEST_SECRET"), 0);
	check("env:NOTIFYD_TEST_SECRET", NULL, "no such variable");
}

static void
what_is_no_reference_is_refused_without_repeating_it(void **state)
{
	(void)state;
	check("sesame", NULL, "credential:NAME");
	check("", NULL, "credential:NAME");
}

static void
a_command_prints_one(void **state)
{
	(void)state;
	check("command:/bin/echo sesame", "sesame", NULL);
	check("command:/bin/echo \"open  sesame\"", "open  sesame", NULL);
	check("command:/bin/sh -c \"echo vault is sealed >&2; exit 1\" sesame", NULL, "vault is sealed");
	check("command:/bin/true sesame", NULL, "reading the secret \"command:/bin/true\": it is empty");
	check("command:/bin/sh -c \"head -c 65537 /dev/zero | tr '\\0' x\"", NULL, "64 KiB");
	check("command:/does/not/exist sesame", NULL, "cannot be run");
	check("command:echo sesame", NULL, "whole path");
}

/* systemd 257 makes them readable by the group of root and gives the service its own right by a list (ACL). */
static void
modes_below_the_folder_of_credentials_are_systemd_s_affair(void **state)
{
	(void)state;
	assert_int_equal(setenv("CREDENTIALS_DIRECTORY", folder, 1), 0);
	put("m365", "sesame", 6, 0440);
	check("credential:m365", "sesame", NULL);
	check(file_reference("m365"), "sesame", NULL);
	put("m365", "sesame", 6, 0400);
	check("credential:m365", "sesame", NULL);
	assert_int_equal(unsetenv("CREDENTIALS_DIRECTORY"), 0);
	put("m365", "sesame", 6, 0440);
	check(file_reference("m365"), NULL, "read or written by others");
}

static void
the_file_of_a_reference_is_told(void **state)
{
	char path[1024]; /* "make distcheck" configures with long folders */

	(void)state;
	assert_true(secret_path("file:/a/b", path, sizeof(path)));
	assert_string_equal(path, "/a/b");
	assert_true(secret_path("credential:m365", path, sizeof(path)));
	assert_non_null(strstr(path, "/notifyd/credentials/m365"));
	assert_int_equal(setenv("CREDENTIALS_DIRECTORY", folder, 1), 0);
	assert_false(secret_path("credential:m365", path, sizeof(path)));
	assert_int_equal(unsetenv("CREDENTIALS_DIRECTORY"), 0);
	assert_false(secret_path("credential:../x", path, sizeof(path)));
	assert_false(secret_path("env:X", path, sizeof(path)));
	assert_false(secret_path("command:/bin/x", path, sizeof(path)));
	assert_false(secret_path("file:/a/b", path, 4));
}

static void
a_failure_leaves_the_old_secret(void **state)
{
	struct nd_secret secret = { NULL, 0 };

	(void)state;
	nd_secret_set(&secret, "old", 3);
	assert_int_equal(secret_read("file:/nowhere/at/all", &secret, NULL), ND_ESECRET);
	assert_string_equal(secret.octets, "old");
	nd_secret_done(&secret);
}

/* As systemd starts a service: a session keyring of its own, from which no way leads to the user's. */
static void
own_session(void)
{
	if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) < 0) {
		print_message("skipped: keyrings cannot be had here: %s\n", strerror(errno));
		skip();
	}
}

static long
add_key(const char *name, const void *octets, size_t len, int ring)
{
	long key = syscall(SYS_add_key, "user", name, octets, len, ring);

	assert_true(key > 0);
	return key;
}

static void
a_key_of_the_session_is_read(void **state)
{
	long key;

	(void)state;
	own_session();
	key = add_key("nd:test@1", "sesame\n", 7, KEY_SPEC_SESSION_KEYRING);
	check("keyring:nd:test@1", "sesame", NULL);
	(void)add_key("nd:test@1", "open sesame", 11, KEY_SPEC_SESSION_KEYRING);
	check("keyring:nd:test@1", "open sesame", NULL); /* read anew */
	check("keyring:nd:test@2", NULL, "has a key of type user with this description");
	check("keyring:nd:test@2", NULL, "sudo -u notifyd keyctl padd user 'nd:test@2' @u");
	(void)add_key("nd:test@1", "ses\0ame", 7, KEY_SPEC_SESSION_KEYRING);
	check("keyring:nd:test@1", NULL, "NUL");
	assert_int_equal(syscall(SYS_keyctl, KEYCTL_REVOKE, key), 0);
	check("keyring:nd:test@1", NULL, "revoked");
}

static void
a_key_of_the_user_is_read_though_the_session_does_not_lead_to_it(void **state)
{
	struct nd_secret secret = { NULL, 0 };
	struct nd_why why;
	char name[40], reference[60];
	long key;

	(void)state;
	own_session();
	(void)snprintf(name, sizeof(name), "nd-test-%ld", (long)getpid());
	(void)snprintf(reference, sizeof(reference), "keyring:%s", name);
	assert_int_equal(secret_read(reference, &secret, &why), ND_ESECRET);
	assert_int_equal(why.sys_errno, ENOENT);
	key = add_key(name, "sesame", 6, KEY_SPEC_USER_KEYRING);
	check(reference, "sesame", NULL);
	check(reference, "sesame", NULL); /* nothing was left that the second time could find */
	assert_int_equal(syscall(SYS_keyctl, KEYCTL_READ, key, name, 0), -1);
	assert_int_equal(errno, EACCES);
	assert_int_equal(syscall(SYS_keyctl, KEYCTL_UNLINK, key, KEY_SPEC_USER_KEYRING), 0);
}

static void
a_key_that_must_not_be_read_is_told_from_one_that_is_not_there(void **state)
{
	long key;

	(void)state;
	own_session();
	key = add_key("nd-test", "sesame", 6, KEY_SPEC_SESSION_KEYRING);
	assert_int_equal(
	    syscall(SYS_keyctl, KEYCTL_SETPERM, key, 0x01000000), 0); /* its possessor may look at it, no more */
	check("keyring:nd-test", NULL, "must not be read");
}

static int
begin(void **state)
{
	(void)state;
	return mkdtemp(folder) == NULL;
}

static int
end(void **state)
{
	static const char *const names[] = { "a", "b", "c", "d", "fifo", "m365", "cred_m365", "crede_m365" };

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		(void)unlink(path_of(names[i]));
	return rmdir(folder);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_is_read_without_its_last_newline),
		cmocka_unit_test(a_file_that_others_may_touch_is_refused),
		cmocka_unit_test(a_file_of_another_user_is_refused),
		cmocka_unit_test(only_regular_files_hold_secrets),
		cmocka_unit_test(what_cannot_be_a_secret_is_refused),
		cmocka_unit_test(credentials_are_found_by_all_three_names),
		cmocka_unit_test(a_credential_is_a_name_and_no_path),
		cmocka_unit_test(the_environment_can_hold_one),
		cmocka_unit_test(what_is_no_reference_is_refused_without_repeating_it),
		cmocka_unit_test(a_failure_leaves_the_old_secret),
		cmocka_unit_test(a_command_prints_one),
		cmocka_unit_test(a_key_of_the_session_is_read),
		cmocka_unit_test(a_key_of_the_user_is_read_though_the_session_does_not_lead_to_it),
		cmocka_unit_test(a_key_that_must_not_be_read_is_told_from_one_that_is_not_there),
		cmocka_unit_test(modes_below_the_folder_of_credentials_are_systemd_s_affair),
		cmocka_unit_test(the_file_of_a_reference_is_told),
	};

	return cmocka_run_group_tests_name("secret", tests, begin, end);
}
