/* SPDX-License-Identifier: Apache-2.0 */
/* test_seal.c - tests of sealed messages: nothing but what was sealed, with its key, comes out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/mem.h"
#include "common/str.h"
#include "daemon/io/seal.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ID "01KAHM8R000000000000000001"
#define OTHER "01KAHM8R000000000000000002"
#define LEN (3 * SEAL_CHUNK + 100u)
#define TAG 16u

static struct {
	uint8_t key[SEAL_KEY];
	char octets[LEN], back[LEN + 1];
	int fd;
} box;

static int
set_up(void **state)
{
	char path[] = "/tmp/notifyd-seal-XXXXXX";
	size_t i;

	(void)state;
	box.fd = mkstemp(path);
	(void)unlink(path);
	memset(box.back, 0, sizeof(box.back));
	for (i = 0; i < LEN; i++)
		box.octets[i] = (char)(i % 251);
	seal_fresh(box.key);
	return box.fd < 0 ? -1 : 0;
}

static int
tear_down(void **state)
{
	(void)state;
	return close(box.fd);
}

static void
write_in_pieces(size_t len, size_t piece)
{
	struct seal *seal = seal_new(box.key, ID, 0);

	assert_int_equal(ftruncate(box.fd, 0), 0);
	assert_int_equal(lseek(box.fd, 0, SEEK_SET), 0);
	for (size_t at = 0; at < len; at += piece)
		assert_int_equal(seal_add(seal, box.fd, box.octets + at, len - at < piece ? len - at : piece), 0);
	assert_int_equal(seal_end(seal, box.fd), 0);
	seal_free(seal);
}

static void
write_it(size_t len)
{
	write_in_pieces(len, 65536);
}

/* Reads in pieces of `piece` until the end; how many octets came before a failure. */
static size_t
read_it(const char *id, uint64_t len, size_t piece, struct nd_why *why)
{
	struct seal *seal = seal_new(box.key, id, len);
	size_t have = 0;
	ssize_t got;

	*why = (struct nd_why){ .err = ND_OK };
	while ((got = seal_read(seal, box.fd, have, box.back + have, piece, why)) > 0)
		have += (size_t)got;
	assert_int_equal(got < 0, why->err != ND_OK);
	seal_free(seal);
	return have;
}

static void
turn_bit(off_t at)
{
	char octet;

	assert_int_equal(pread(box.fd, &octet, 1, at), 1);
	octet ^= 1;
	assert_int_equal(pwrite(box.fd, &octet, 1, at), 1);
}

static void
what_was_sealed_comes_back_in_any_pieces(void **state)
{
	static const size_t lengths[] = { 0, 1, SEAL_CHUNK - 1, SEAL_CHUNK, SEAL_CHUNK + 1, 2 * SEAL_CHUNK, LEN };
	static const size_t pieces[] = { 1000, SEAL_CHUNK, 65536 };
	struct nd_why why;
	size_t i, k;

	(void)state;
	for (i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		for (k = 0; k < 3; k++) {
			write_in_pieces(lengths[i], pieces[2 - k]);
			memset(box.back, 0, sizeof(box.back));
			assert_int_equal(read_it(ID, lengths[i], pieces[k], &why), lengths[i]);
			assert_int_equal(why.err, ND_OK);
			assert_memory_equal(box.back, box.octets, lengths[i]);
		}
	}
}

static void
nothing_of_the_message_is_in_the_file(void **state)
{
	static char sealed[LEN + 4 * TAG + 1];

	(void)state;
	write_it(LEN);
	assert_int_equal(pread(box.fd, sealed, sizeof(sealed), 0), LEN + 4 * TAG);
	assert_null(memmem(sealed, sizeof(sealed), box.octets, 8));
	assert_null(memmem(sealed, sizeof(sealed), box.key, 8));
}

static void
equal_messages_of_two_jobs_look_different(void **state)
{
	char one[64], two[64];

	(void)state;
	write_it(64);
	assert_int_equal(pread(box.fd, one, 64, 0), 64);
	seal_fresh(box.key);
	write_it(64);
	assert_int_equal(pread(box.fd, two, 64, 0), 64);
	assert_memory_not_equal(one, two, 64);
}

static void
another_key_or_job_opens_nothing_and_another_length_not_the_end(void **state)
{
	struct nd_why why;

	(void)state;
	write_it(LEN);
	assert_int_equal(read_it(ID, LEN - 1, 65536, &why), 3 * SEAL_CHUNK); /* the last chunk opens no more */
	assert_int_equal(why.err, ND_EBODYGONE);
	memset(box.back, 0, sizeof(box.back));
	assert_int_equal(read_it(OTHER, LEN, 65536, &why), 0);
	assert_int_equal(why.err, ND_EBODYGONE);
	box.key[31] ^= 1;
	assert_int_equal(read_it(ID, LEN, 65536, &why), 0);
	assert_int_equal(why.err, ND_EBODYGONE);
	assert_memory_equal(box.back, (char[16]){ 0 }, 16);
}

static void
a_changed_octet_is_noticed_before_its_chunk_is_given_out(void **state)
{
	const off_t second = SEAL_CHUNK + TAG;
	struct nd_why why;

	(void)state;
	write_it(LEN);
	turn_bit(second + 5);
	assert_int_equal(read_it(ID, LEN, 65536, &why), SEAL_CHUNK);
	assert_int_equal(why.err, ND_EBODYGONE);
	turn_bit(second + 5);
	turn_bit(second + SEAL_CHUNK); /* its tag */
	assert_int_equal(read_it(ID, LEN, 65536, &why), SEAL_CHUNK);
	assert_int_equal(why.err, ND_EBODYGONE);
}

static void
a_cut_file_is_damaged(void **state)
{
	struct nd_why why;

	(void)state;
	write_it(LEN);
	assert_int_equal(ftruncate(box.fd, LEN + 4 * TAG - 1), 0);
	assert_int_equal(read_it(ID, LEN, 65536, &why), 3 * SEAL_CHUNK);
	assert_int_equal(why.err, ND_EBODYGONE);
	assert_int_equal(ftruncate(box.fd, 2 * (SEAL_CHUNK + TAG)), 0); /* between two chunks */
	assert_int_equal(read_it(ID, LEN, 65536, &why), 2 * SEAL_CHUNK);
	assert_int_equal(why.err, ND_EBODYGONE);
}

static void
chunks_cannot_change_places(void **state)
{
	char *chunk = nd_xalloc(SEAL_CHUNK + TAG);
	struct nd_why why;

	(void)state;
	write_it(LEN);
	assert_int_equal(pread(box.fd, chunk, SEAL_CHUNK + TAG, SEAL_CHUNK + TAG), SEAL_CHUNK + TAG);
	assert_int_equal(pwrite(box.fd, chunk, SEAL_CHUNK + TAG, 0), SEAL_CHUNK + TAG);
	assert_int_equal(read_it(ID, LEN, 65536, &why), 0);
	assert_int_equal(why.err, ND_EBODYGONE);
	free(chunk);
}

static void
a_file_that_cannot_be_read_is_another_trouble(void **state)
{
	struct seal *seal = seal_new(box.key, ID, LEN);
	struct nd_why why;

	(void)state;
	assert_int_equal(seal_read(seal, -1, 0, box.back, 100, &why), -1);
	assert_int_equal(why.err, ND_EDISK);
	seal_free(seal);
}

static void
a_short_text_opens_with_its_secret_and_name_only(void **state)
{
	struct nd_secret secret = { 0 }, other = { 0 };
	struct nd_buf sealed, again, plain;
	struct nd_why why;

	(void)state;
	nd_secret_set(&secret, "0123456789abcdef", 16);
	nd_secret_set(&other, "0123456789abcdeg", 16);
	nd_buf_init(&sealed, 4096);
	nd_buf_init(&again, 4096);
	nd_buf_init(&plain, 4096);
	seal_text(&secret, "m365", "a grant", 7, &sealed);
	seal_text(&secret, "m365", "a grant", 7, &again);
	assert_true(seal_text_is(sealed.octets, sealed.len));
	assert_false(seal_text_is("{}", 2));
	assert_memory_not_equal(sealed.octets, again.octets, sealed.len); /* a key of its own each time */
	assert_null(memmem(sealed.octets, sealed.len, "grant", 5));
	assert_int_equal(seal_text_open(&secret, "m365", sealed.octets, sealed.len, &plain, &why), ND_OK);
	assert_int_equal(plain.len, 7);
	assert_memory_equal(plain.octets, "a grant", 7);
	nd_buf_clear(&plain);
	assert_int_equal(seal_text_open(&secret, "gmail", sealed.octets, sealed.len, &plain, &why), ND_ETOKENSLOCKED);
	assert_int_equal(seal_text_open(&other, "m365", sealed.octets, sealed.len, &plain, &why), ND_ETOKENSLOCKED);
	assert_int_equal(
	    seal_text_open(&secret, "m365", sealed.octets, sealed.len - 1, &plain, &why), ND_ETOKENSLOCKED);
	for (size_t i = 0; i < sealed.len; i++) {
		sealed.octets[i] ^= 1;
		assert_int_equal(
		    seal_text_open(&secret, "m365", sealed.octets, sealed.len, &plain, &why), ND_ETOKENSLOCKED);
		sealed.octets[i] ^= 1;
	}
	assert_int_equal(plain.len, 0);
	nd_buf_done(&sealed);
	nd_buf_done(&again);
	nd_buf_done(&plain);
	nd_secret_done(&secret);
	nd_secret_done(&other);
}

static void
a_digest_depends_on_the_key(void **state)
{
	uint8_t key[SEAL_KEY], digest[32], again[32];
	char hex[65];

	(void)state;
	for (unsigned i = 0; i < SEAL_KEY; i++)
		key[i] = (uint8_t)i;
	seal_digest(key, "text", 4, digest);
	nd_str_hex(hex, digest, sizeof(digest));
	assert_string_equal(
	    hex, "27a0eabaf34a3623827e82713f146e82e8c1a889564c6df9e5045f5fc6f61709"); /* Python's hmac */
	key[31] ^= 1;
	seal_digest(key, "text", 4, again);
	assert_memory_not_equal(digest, again, sizeof(digest));
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_short_text_opens_with_its_secret_and_name_only),
		TEST(what_was_sealed_comes_back_in_any_pieces),
		TEST(nothing_of_the_message_is_in_the_file),
		TEST(a_digest_depends_on_the_key),
		TEST(equal_messages_of_two_jobs_look_different),
		TEST(another_key_or_job_opens_nothing_and_another_length_not_the_end),
		TEST(a_changed_octet_is_noticed_before_its_chunk_is_given_out),
		TEST(a_cut_file_is_damaged),
		TEST(chunks_cannot_change_places),
		TEST(a_file_that_cannot_be_read_is_another_trouble),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
