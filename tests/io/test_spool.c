/* SPDX-License-Identifier: Apache-2.0 */
/* test_spool.c - tests of the files of large bodies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/mem.h"
#include "daemon/io/spool.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define A "01KAHM8R000000000000000001"
#define B "01KAHM8R000000000000000002"
#define C "01KAHM8R000000000000000003"

static struct {
	char folder[64];
	struct loop *loop;
	struct worker *files;
	struct spool *spool;
	enum nd_err err;
	unsigned answers;
} box;

static const char *
file(const char *name)
{
	static char path[160];

	(void)snprintf(path, sizeof(path), "%s/spool/%s", box.folder, name);
	return path;
}

static const char *
key(const char *name)
{
	static char path[160];

	(void)snprintf(path, sizeof(path), "%s/keys/%s", box.folder, name);
	return path;
}

static int
set_up(void **state)
{
	(void)state;
	memset(&box, 0, sizeof(box));
	(void)snprintf(box.folder, sizeof(box.folder), "/tmp/notifyd-spool-XXXXXX");
	if (mkdtemp(box.folder) == NULL)
		return -1;
	box.loop = loop_new();
	box.files = worker_new("files", 1);
	box.spool = spool_open(box.folder, box.loop, box.files, NULL);
	return box.spool != NULL ? 0 : -1;
}

static int
tear_down(void **state)
{
	static const char *const names[] = { A, B, C, "README" };
	size_t i;

	(void)state;
	worker_free(box.files);
	spool_close(box.spool);
	loop_free(box.loop);
	for (i = 0; i < 4; i++)
		(void)unlink(file(names[i]));
	for (i = 0; i < 3; i++)
		(void)unlink(key(names[i]));
	(void)rmdir(file(""));
	(void)rmdir(key(""));
	return rmdir(box.folder);
}

static void
answered(void *arg, enum nd_err err, const struct nd_why *why)
{
	assert_ptr_equal(arg, &box);
	assert_int_equal(err, why->err);
	box.err = err;
	box.answers++;
	loop_stop(box.loop);
}

static enum nd_err
put(const char *id, const char *octets, size_t len)
{
	char *body = nd_xalloc(len);

	memcpy(body, octets, len);
	spool_put(box.spool, id, body, len, answered, &box);
	loop_run(box.loop);
	return box.err;
}

static void
a_body_is_on_disk_when_its_answer_comes(void **state)
{
	char *octets = nd_xalloc(300000), *back = nd_xalloc(300001);
	struct stat st;
	int fd;

	(void)state;
	memset(octets, 'b', 300000);
	assert_int_equal(put(A, octets, 300000), ND_OK);
	assert_int_equal(stat(file(A), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(st.st_size, 300000);
	fd = spool_read_open(box.spool, A, NULL);
	assert_true(fd >= 0);
	assert_int_equal(read(fd, back, 300001), 300000);
	assert_memory_equal(back, octets, 300000);
	(void)close(fd);
	free(octets);
	free(back);
}

static void
a_body_is_never_written_twice(void **state)
{
	struct stat st;

	(void)state;
	assert_int_equal(put(A, "first", 5), ND_OK);
	assert_int_equal(put(A, "2", 1), ND_EDISK);
	/* The failure did not cost the first one. */
	assert_int_equal(stat(file(A), &st), 0);
	assert_int_equal(st.st_size, 5);
}

static bool
is_b(void *arg, const char *id)
{
	(*(unsigned *)arg)++;
	return strcmp(id, B) == 0;
}

static enum nd_err
put_sealed(const char *id, const char *octets, size_t len)
{
	char *body = nd_xalloc(len);

	memcpy(body, octets, len);
	spool_seal(box.spool, id, body, len, answered, &box);
	loop_run(box.loop);
	return box.err;
}

/* All of a body, as long as it can be read. */
static enum nd_err
read_back(const struct queue_job *job, char *out, size_t *len, struct nd_why *why)
{
	struct spool_body body;
	ssize_t got;

	*len = 0;
	if (spool_body_open(box.spool, job, &body, why) != ND_OK)
		return why->err;
	while ((got = spool_body_read(&body, out + *len, 10000, why)) > 0)
		*len += (size_t)got;
	spool_body_close(&body);
	return got == 0 ? ND_OK : why->err;
}

static void
a_sealed_body_is_read_with_its_key_alone(void **state)
{
	static const char text[] = "what nobody else may read";
	struct queue_job job = { .id = A, .spooled = true, .sealed = true, .body_len = 100000 };
	char *octets = nd_xalloc(100000), *back = nd_xalloc(120000), before[32];
	struct nd_why why;
	struct stat st;
	size_t len;
	FILE *kept;

	(void)state;
	for (len = 0; len + sizeof(text) < 100000; len += sizeof(text))
		memcpy(octets + len, text, sizeof(text));
	assert_int_equal(put_sealed(A, octets, 100000), ND_OK);
	assert_int_equal(stat(key(A), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(st.st_size, 32);
	kept = fopen(file(A), "re");
	assert_non_null(kept);
	len = fread(back, 1, 120000, kept);
	(void)fclose(kept);
	assert_true(len > 100000);
	assert_null(memmem(back, len, "nobody", 6));
	assert_int_equal(read_back(&job, back, &len, &why), ND_OK);
	assert_int_equal(len, 100000);
	assert_memory_equal(back, octets, 100000);
	/* A link keeps hold of the key's octets, as a copy by somebody else would: they are written over. */
	assert_int_equal(link(key(A), file("README")), 0);
	spool_remove(box.spool, A);
	assert_int_equal(put(B, "b", 1), ND_OK); /* in order: now it is done */
	assert_int_not_equal(access(key(A), F_OK), 0);
	assert_int_not_equal(access(file(A), F_OK), 0);
	kept = fopen(file("README"), "re");
	assert_non_null(kept);
	assert_int_equal(fread(before, 1, sizeof(before), kept), 32);
	(void)fclose(kept);
	assert_memory_equal(before, (char[32]){ 0 }, 32);
	assert_int_equal(read_back(&job, back, &len, &why), ND_EBODYGONE);
	assert_non_null(strstr(why.text, "key"));
	free(octets);
	free(back);
}

static void
a_sealed_body_that_cannot_be_written_leaves_no_key(void **state)
{
	(void)state;
	assert_int_equal(put(A, "in its way", 10), ND_OK);
	assert_int_equal(put_sealed(A, "secret", 6), ND_EDISK);
	assert_int_not_equal(access(key(A), F_OK), 0);
}

static void
the_sweep_wipes_keys_that_no_job_needs(void **state)
{
	unsigned asked = 0;

	(void)state;
	assert_int_equal(put_sealed(A, "a", 1), ND_OK);
	assert_int_equal(put_sealed(B, "b", 1), ND_OK);
	spool_sweep(box.spool, is_b, &asked);
	assert_int_equal(asked, 4);
	assert_int_not_equal(access(key(A), F_OK), 0);
	assert_int_equal(access(key(B), F_OK), 0);
	assert_int_not_equal(access(file(A), F_OK), 0);
}

static void
a_body_that_is_gone_says_so(void **state)
{
	struct nd_why why = { .err = ND_OK };

	(void)state;
	assert_int_equal(spool_read_open(box.spool, B, &why), -1);
	assert_int_equal(why.err, ND_EBODYGONE);
	assert_int_equal(spool_read_open(box.spool, "../queue.db", &why), -1);
	assert_int_equal(why.err, ND_EBUG);
}

static void
removing_is_done_in_order_and_a_missing_file_is_fine(void **state)
{
	(void)state;
	assert_int_equal(put(A, "a", 1), ND_OK);
	spool_remove(box.spool, A);
	spool_remove(box.spool, B);
	spool_remove(box.spool, "../spool");
	assert_int_equal(put(C, "c", 1), ND_OK); /* behind them */
	assert_int_not_equal(access(file(A), F_OK), 0);
	assert_int_equal(access(file(C), F_OK), 0);
}

static void
the_sweep_removes_what_no_job_names(void **state)
{
	unsigned asked = 0;
	int fd;

	(void)state;
	assert_int_equal(put(A, "a", 1), ND_OK);
	assert_int_equal(put(B, "b", 1), ND_OK);
	assert_int_equal(put(C, "c", 1), ND_OK);
	fd = open(file("README"), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	(void)close(fd);
	spool_sweep(box.spool, is_b, &asked);
	assert_int_equal(asked, 3);
	assert_int_not_equal(access(file(A), F_OK), 0);
	assert_int_equal(access(file(B), F_OK), 0);
	assert_int_not_equal(access(file(C), F_OK), 0);
	assert_int_equal(access(file("README"), F_OK), 0); /* not ours */
}

static void
tasks_under_way_outlive_the_closing(void **state)
{
	char *body = nd_xalloc(1);
	struct spool *spool = spool_open(box.folder, box.loop, box.files, NULL);

	(void)state;
	assert_non_null(spool);
	spool_put(spool, A, body, 1, answered, &box);
	spool_remove(spool, B);
	spool_close(spool);
	loop_run(box.loop);
	assert_int_equal(box.err, ND_OK);
	assert_int_equal(access(file(A), F_OK), 0);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_body_is_on_disk_when_its_answer_comes),
		TEST(a_body_is_never_written_twice),
		TEST(a_sealed_body_is_read_with_its_key_alone),
		TEST(a_sealed_body_that_cannot_be_written_leaves_no_key),
		TEST(the_sweep_wipes_keys_that_no_job_needs),
		TEST(a_body_that_is_gone_says_so),
		TEST(removing_is_done_in_order_and_a_missing_file_is_fine),
		TEST(the_sweep_removes_what_no_job_names),
		TEST(tasks_under_way_outlive_the_closing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
