/* SPDX-License-Identifier: Apache-2.0 */
/* spool.c - bodies over 64 KiB and those of sensitive jobs, one file each; the keys of the latter.  Layer: io. */
#include "daemon/io/spool.h"

#include "common/log.h"
#include "common/mem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct spool {
	struct loop *loop;
	struct worker *files;
	char *path; /* of the folder, for words */
	int folder, keys;
	atomic_uint users; /* tasks under way may outlive spool_close */
};

struct task {
	struct worker_task task; /* first: run() gets it */
	struct loop_note note;
	struct spool *spool;
	char id[ND_ULID_LEN + 1];
	char *octets;
	size_t len;
	bool sealed;
	filer_done *done;
	void *arg;
	enum nd_err err;
	struct nd_why why;
};

static void
leave(struct spool *spool)
{
	if (atomic_fetch_sub(&spool->users, 1) != 1)
		return;
	(void)close(spool->folder);
	(void)close(spool->keys);
	free(spool->path);
	free(spool);
}

/* The folder, made if need be; -1: why. */
static int
open_folder(const char *path, struct nd_why *why)
{
	int fd;

	if (filer_mkdir(path, why) != ND_OK)
		return -1;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		(void)nd_fail(why, ND_EDISK, errno, "%s cannot be opened", path);
	return fd;
}

static char *
join(const char *folder, const char *name)
{
	size_t size = strlen(folder) + strlen(name) + 1;
	char *path = nd_xalloc(size);

	(void)snprintf(path, size, "%s%s", folder, name);
	return path;
}

struct spool *
spool_open(const char *state_dir, struct loop *loop, struct worker *files, struct nd_why *why)
{
	struct spool *spool = nd_xalloc(sizeof(*spool));
	char *keys = join(state_dir, "/keys");

	spool->loop = loop;
	spool->files = files;
	spool->keys = -1;
	atomic_init(&spool->users, 1);
	spool->path = join(state_dir, "/spool");
	spool->folder = open_folder(spool->path, why);
	if (spool->folder >= 0)
		spool->keys = open_folder(keys, why);
	free(keys);
	if (spool->keys >= 0)
		return spool;
	leave(spool);
	return NULL;
}

void
spool_close(struct spool *spool)
{
	if (spool != NULL)
		leave(spool);
}

static struct task *
new_task(struct spool *spool, const char *id, void (*run)(struct worker_task *task))
{
	struct task *task = nd_xalloc(sizeof(*task));

	atomic_fetch_add(&spool->users, 1);
	task->task.run = run;
	task->spool = spool;
	(void)snprintf(task->id, sizeof(task->id), "%s", id);
	return task;
}

static void
end(struct task *task)
{
	leave(task->spool);
	free(task);
}

/* -- writing -- */

struct spool_file {
	struct spool *spool;
	char id[ND_ULID_LEN + 1]; /* "" it has no name */
	int fd;
	struct seal *seal; /* NULL: in the open */
	bool kept;
	uint64_t len;
	void *map;         /* NULL none */
	struct nd_why why; /* what failed first */
};

static enum nd_err
fail(struct spool_file *file, const char *what)
{
	int error = errno;

	return nd_fail(&file->why, error == ENOSPC || error == EDQUOT ? ND_EDISKFULL : ND_EDISK, error,
	    "%s/%s cannot be %s", file->spool->path, file->id, what);
}

/* The key can be read nowhere any more: it is written over before its file goes. A file that is not there is fine. */
static int
wipe_key(int keys, const char *id)
{
	static const uint8_t nothing[SEAL_KEY];
	int fd = openat(keys, id, O_WRONLY | O_CLOEXEC | O_NOFOLLOW), error = 0;

	if (fd < 0)
		return errno == ENOENT ? 0 : -1;
	if (pwrite(fd, nothing, sizeof(nothing), 0) != (ssize_t)sizeof(nothing) || fsync(fd) != 0)
		error = errno;
	(void)close(fd);
	if (unlinkat(keys, id, 0) != 0 && error == 0)
		error = errno;
	errno = error;
	return error == 0 ? 0 : -1;
}

static enum nd_err
write_key(struct spool_file *file, const uint8_t key[SEAL_KEY])
{
	int keys = file->spool->keys;
	int fd = openat(keys, file->id, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	enum nd_err err = ND_OK;

	if (fd < 0)
		return fail(file, "given a key");
	if (filer_write_all(fd, (const char *)key, SEAL_KEY) != 0 || fsync(fd) != 0)
		err = fail(file, "given a key");
	(void)close(fd);
	if (err == ND_OK && fsync(keys) != 0)
		err = fail(file, "given a key");
	if (err != ND_OK)
		(void)wipe_key(keys, file->id);
	return err;
}

/* What follows is sealed; the key is on disk before anything it opens. */
static enum nd_err
begin_sealing(struct spool_file *file)
{
	uint8_t key[SEAL_KEY];

	seal_fresh(key);
	if (write_key(file, key) == ND_OK)
		file->seal = seal_new(key, file->id, 0);
	explicit_bzero(key, sizeof(key));
	return file->why.err;
}

struct spool_file *
spool_begin(struct spool *spool, const char *id, bool sealed, struct nd_why *why)
{
	struct spool_file *file = nd_xalloc(sizeof(*file));
	int flags = O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW;

	file->spool = spool;
	if (id != NULL) {
		(void)snprintf(file->id, sizeof(file->id), "%s", id);
		file->fd = openat(spool->folder, id, O_WRONLY | flags, 0600);
	} else {
		(void)unlinkat(spool->folder, "scratch", 0); /* of one that died in between */
		file->fd = openat(spool->folder, "scratch", O_RDWR | flags, 0600);
		(void)unlinkat(spool->folder, "scratch", 0);
	}
	if (file->fd < 0) {
		(void)fail(file, "made");
		*why = file->why;
		free(file);
		return NULL;
	}
	atomic_fetch_add(&spool->users, 1);
	if (sealed && begin_sealing(file) != ND_OK) {
		*why = file->why;
		spool_end(file);
		return NULL;
	}
	return file;
}

bool
spool_add(void *arg, const char *octets, size_t len)
{
	struct spool_file *file = arg;

	int failed = 0;

	if (file->why.err == ND_OK)
		failed =
		    file->seal ? seal_add(file->seal, file->fd, octets, len) : filer_write_all(file->fd, octets, len);
	if (failed)
		(void)fail(file, "written");
	file->len += len;
	return file->why.err == ND_OK;
}

uint64_t
spool_len(const struct spool_file *file)
{
	return file->len;
}

enum nd_err
spool_keep(struct spool_file *file, struct nd_why *why)
{
	if (file->why.err == ND_OK && file->seal && seal_end(file->seal, file->fd) != 0)
		(void)fail(file, "written");
	if (file->why.err == ND_OK && fsync(file->fd) != 0)
		(void)fail(file, "synced");
	if (file->why.err == ND_OK && fsync(file->spool->folder) != 0)
		(void)fail(file, "synced with its folder");
	file->kept = file->why.err == ND_OK;
	if (!file->kept)
		*why = file->why;
	return file->why.err;
}

const char *
spool_map(struct spool_file *file, struct nd_why *why)
{
	if (file->why.err == ND_OK && file->map == NULL && file->len > 0) {
		file->map = mmap(NULL, (size_t)file->len, PROT_READ, MAP_SHARED, file->fd, 0);
		if (file->map == MAP_FAILED) {
			file->map = NULL;
			(void)nd_fail(&file->why, ND_EMEMORY, errno, "a scratch file cannot be mapped");
		}
	}
	if (file->why.err != ND_OK)
		*why = file->why;
	return file->why.err != ND_OK ? NULL : file->map != NULL ? file->map : "";
}

void
spool_relax(struct spool_file *file)
{
	if (file->map != NULL)
		(void)madvise(file->map, (size_t)file->len, MADV_DONTNEED);
}

void
spool_end(struct spool_file *file)
{
	if (file == NULL)
		return;
	if (file->map != NULL)
		(void)munmap(file->map, (size_t)file->len);
	(void)close(file->fd);
	if (!file->kept && file->seal)
		(void)wipe_key(file->spool->keys, file->id);
	seal_free(file->seal);
	if (!file->kept && file->id[0] != '\0')
		(void)unlinkat(file->spool->folder, file->id, 0);
	leave(file->spool);
	free(file);
}

static enum nd_err
write_body(struct task *task)
{
	struct spool_file *file = spool_begin(task->spool, task->id, task->sealed, &task->why);
	enum nd_err err;

	if (file == NULL)
		return task->why.err;
	(void)spool_add(file, task->octets, task->len);
	err = spool_keep(file, &task->why);
	spool_end(file);
	return err;
}

static void
tell(void *arg)
{
	struct task *task = arg;

	task->done(task->arg, task->err, &task->why);
	end(task);
}

static void
run_put(struct worker_task *worker_task)
{
	struct task *task = (struct task *)worker_task;

	task->err = write_body(task);
	if (task->sealed)
		explicit_bzero(task->octets, task->len);
	free(task->octets);
	loop_post(task->spool->loop, &task->note);
}

static struct task *
new_put(struct spool *spool, const char *id, char *octets, size_t len, filer_done *done, void *arg)
{
	struct task *task = new_task(spool, id, run_put);

	task->octets = octets;
	task->len = len;
	task->done = done;
	task->arg = arg;
	task->note.fn = tell;
	task->note.arg = task;
	return task;
}

void
spool_put(struct spool *spool, const char *id, char *octets, size_t len, filer_done *done, void *arg)
{
	worker_put(spool->files, &new_put(spool, id, octets, len, done, arg)->task);
}

void
spool_seal(struct spool *spool, const char *id, char *octets, size_t len, filer_done *done, void *arg)
{
	struct task *task = new_put(spool, id, octets, len, done, arg);

	task->sealed = true;
	worker_put(spool->files, &task->task);
}

/* -- reading, removing -- */

int
spool_read_open(struct spool *spool, const char *id, struct nd_why *why)
{
	int fd = nd_ulid_valid(id) ? openat(spool->folder, id, O_RDONLY | O_CLOEXEC | O_NOFOLLOW) : -1;

	if (!nd_ulid_valid(id))
		(void)nd_fail(why, ND_EBUG, 0, "\"%.40s\" is not the id of a job", id);
	else if (fd < 0) /* a lost file does not come back: nobody should wait for it */
		(void)nd_fail(
		    why, errno == ENOENT ? ND_EBODYGONE : ND_EDISK, errno, "%s/%s cannot be opened", spool->path, id);
	return fd;
}

static enum nd_err
read_key(const struct spool *spool, const char *id, uint8_t key[SEAL_KEY], struct nd_why *why)
{
	int fd = openat(spool->keys, id, O_RDONLY | O_CLOEXEC | O_NOFOLLOW), error = errno;
	ssize_t got = fd >= 0 ? pread(fd, key, SEAL_KEY, 0) : -1;

	if (fd >= 0) {
		error = errno;
		(void)close(fd);
	}
	if (got == (ssize_t)SEAL_KEY)
		return ND_OK;
	if (got < 0 && error != ENOENT)
		return nd_fail(why, ND_EDISK, error, "the key of job %s cannot be read", id);
	(void)nd_fail(why, ND_EBODYGONE, 0, "the key of the sensitive job %s is gone: its message cannot be read", id);
	return nd_fail_at(why, "", 0, "submit the job again; a backup holds no such keys");
}

enum nd_err
spool_body_open(struct spool *spool, const struct queue_job *job, struct spool_body *body, struct nd_why *why)
{
	uint8_t key[SEAL_KEY];
	struct seal *seal = NULL;
	int fd;

	if (job->sealed) {
		if (read_key(spool, job->id, key, why) != ND_OK)
			return why->err;
		seal = seal_new(key, job->id, job->body_len);
		explicit_bzero(key, sizeof(key));
	}
	fd = spool_read_open(spool, job->id, why);
	if (fd < 0) {
		seal_free(seal);
		return why->err;
	}
	*body = (struct spool_body){ .fd = fd, .seal = seal };
	return ND_OK;
}

ssize_t
spool_body_read(struct spool_body *body, void *out, size_t len, struct nd_why *why)
{
	ssize_t got;

	if (body->seal != NULL) {
		got = seal_read(body->seal, body->fd, body->at, out, len, why);
	} else {
		do {
			got = pread(body->fd, out, len, (off_t)body->at);
		} while (got < 0 && errno == EINTR);
		if (got < 0)
			(void)nd_fail(why, ND_EDISK, errno, "the stored message cannot be read");
	}
	if (got > 0)
		body->at += (uint64_t)got;
	return got;
}

void
spool_body_close(struct spool_body *body)
{
	seal_free(body->seal);
	(void)close(body->fd);
}

static void
run_remove(struct worker_task *worker_task)
{
	struct task *task = (struct task *)worker_task;

	if (wipe_key(task->spool->keys, task->id) != 0)
		nd_log(ND_LOG_WARNING, ND_FIELDS({ "JOB", task->id }),
		    "the key of a finished sensitive job cannot be wiped: %s", strerrordesc_np(errno));
	/* What stays behind is swept at the next start. */
	if (unlinkat(task->spool->folder, task->id, 0) != 0 && errno != ENOENT)
		nd_log(ND_LOG_WARNING, ND_FIELDS({ "JOB", task->id }),
		    "the spool file of a finished job cannot be removed: %s", strerrordesc_np(errno));
	end(task);
}

void
spool_remove(struct spool *spool, const char *id)
{
	if (nd_ulid_valid(id))
		worker_put(spool->files, &new_task(spool, id, run_remove)->task);
}

static unsigned
sweep(int folder, int (*drop)(int folder, const char *id), bool (*known)(void *arg, const char *id), void *arg)
{
	int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *entry;
	unsigned removed = 0;

	if (dir == NULL) {
		if (fd >= 0)
			(void)close(fd);
		return 0;
	}
	/* Only what bears our names: nothing else in the folder is ours to remove. */
	/* NOLINTNEXTLINE(concurrency-mt-unsafe): the stream is nobody else's */
	while ((entry = readdir(dir)) != NULL)
		if (nd_ulid_valid(entry->d_name) && !known(arg, entry->d_name) && drop(folder, entry->d_name) == 0)
			removed++;
	(void)closedir(dir);
	return removed;
}

static int
drop_body(int folder, const char *id)
{
	return unlinkat(folder, id, 0);
}

void
spool_sweep(struct spool *spool, bool (*known)(void *arg, const char *id), void *arg)
{
	unsigned removed = sweep(spool->keys, wipe_key, known, arg);

	removed += sweep(spool->folder, drop_body, known, arg);
	if (removed > 0)
		nd_log(ND_LOG_INFO, NULL, "%u files of messages that no job needs were removed", removed);
}
