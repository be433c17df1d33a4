/* SPDX-License-Identifier: Apache-2.0 */
/* spool.c - bodies over 64 KiB, one file each.  Layer: io. */
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
	int folder;
	atomic_uint users; /* tasks under way may outlive spool_close */
};

struct task {
	struct worker_task task; /* first: run() gets it */
	struct loop_note note;
	struct spool *spool;
	char id[ND_ULID_LEN + 1];
	char *octets;
	size_t len;
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
	free(spool->path);
	free(spool);
}

struct spool *
spool_open(const char *state_dir, struct loop *loop, struct worker *files, struct nd_why *why)
{
	struct spool *spool = nd_xalloc(sizeof(*spool));
	size_t size = strlen(state_dir) + sizeof("/spool");

	spool->loop = loop;
	spool->files = files;
	spool->folder = -1;
	atomic_init(&spool->users, 1);
	spool->path = nd_xalloc(size);
	(void)snprintf(spool->path, size, "%s/spool", state_dir);
	if (filer_mkdir(spool->path, why) != ND_OK) {
		leave(spool);
		return NULL;
	}
	spool->folder = open(spool->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (spool->folder < 0) {
		(void)nd_fail(why, ND_EDISK, errno, "%s cannot be opened", spool->path);
		leave(spool);
		return NULL;
	}
	return spool;
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

struct spool_file *
spool_begin(struct spool *spool, const char *id, struct nd_why *why)
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
	return file;
}

bool
spool_add(void *arg, const char *octets, size_t len)
{
	struct spool_file *file = arg;

	if (file->why.err == ND_OK && filer_write_all(file->fd, octets, len) != 0)
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
	if (!file->kept && file->id[0] != '\0')
		(void)unlinkat(file->spool->folder, file->id, 0);
	leave(file->spool);
	free(file);
}

static enum nd_err
write_body(struct task *task)
{
	struct spool_file *file = spool_begin(task->spool, task->id, &task->why);
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
	free(task->octets);
	loop_post(task->spool->loop, &task->note);
}

void
spool_put(struct spool *spool, const char *id, char *octets, size_t len, filer_done *done, void *arg)
{
	struct task *task = new_task(spool, id, run_put);

	task->octets = octets;
	task->len = len;
	task->done = done;
	task->arg = arg;
	task->note.fn = tell;
	task->note.arg = task;
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

static void
run_remove(struct worker_task *worker_task)
{
	struct task *task = (struct task *)worker_task;

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

void
spool_sweep(struct spool *spool, bool (*known)(void *arg, const char *id), void *arg)
{
	int fd = openat(spool->folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *entry;
	unsigned removed = 0;

	if (dir == NULL) {
		if (fd >= 0)
			(void)close(fd);
		return;
	}
	/* Only what bears our names: nothing else in the folder is ours to remove. */
	/* NOLINTNEXTLINE(concurrency-mt-unsafe): the stream is nobody else's */
	while ((entry = readdir(dir)) != NULL)
		if (nd_ulid_valid(entry->d_name) && !known(arg, entry->d_name) &&
		    unlinkat(spool->folder, entry->d_name, 0) == 0)
			removed++;
	(void)closedir(dir);
	if (removed > 0)
		nd_log(ND_LOG_INFO, NULL, "%u spool files that no job needs were removed", removed);
}
