/* SPDX-License-Identifier: Apache-2.0 */
/* filer.c - small files written durably.  Layer: io. */
#include "daemon/io/filer.h"

#include "common/buf.h"
#include "common/log.h"
#include "common/mem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

static enum nd_err
fail(struct nd_why *why, const char *path, const char *what)
{
	int error = errno;

	return nd_fail(
	    why, error == ENOSPC || error == EDQUOT ? ND_EDISKFULL : ND_EDISK, error, "%s cannot be %s", path, what);
}

int
filer_write_all(int fd, const char *octets, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, octets, len);

		if (n < 0 && errno != EINTR)
			return -1;
		if (n > 0) {
			octets += n;
			len -= (size_t)n;
		}
	}
	return 0;
}

static int
sync_folder(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *folder = slash == NULL ? nd_xstrdup(".") : nd_xstrndup(path, slash == path ? 1 : (size_t)(slash - path));
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc = fd < 0 ? -1 : fsync(fd), error = errno;

	if (fd >= 0)
		(void)close(fd);
	free(folder);
	errno = error;
	return rc;
}

static enum nd_err
write_new(const char *path, mode_t mode, const void *octets, size_t len, struct nd_why *why)
{
	enum nd_err err = ND_OK;
	int fd;

	/* What a crash left behind: never written through, its mode or its links may be another's choice. */
	if (unlink(path) != 0 && errno != ENOENT)
		return fail(why, path, "removed");
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return fail(why, path, "made");
	if (filer_write_all(fd, octets, len) != 0 || fchmod(fd, mode) != 0)
		err = fail(why, path, "written");
	else if (fsync(fd) != 0)
		err = fail(why, path, "synced");
	if (close(fd) != 0 && err == ND_OK)
		err = fail(why, path, "closed");
	if (err != ND_OK)
		(void)unlink(path);
	return err;
}

enum nd_err
filer_write(const char *path, const void *octets, size_t len, struct nd_why *why)
{
	size_t size = strlen(path) + sizeof(".new");
	char *fresh = nd_xalloc(size);
	enum nd_err err;

	(void)snprintf(fresh, size, "%s.new", path);
	err = write_new(fresh, 0600, octets, len, why);
	if (err == ND_OK && rename(fresh, path) != 0) {
		err = fail(why, path, "replaced");
		(void)unlink(fresh);
	}
	free(fresh);
	if (err == ND_OK && sync_folder(path) != 0)
		err = fail(why, path, "synced with its folder");
	return err;
}

enum nd_err
filer_create(const char *path, mode_t mode, const void *octets, size_t len, struct nd_why *why)
{
	size_t size = strlen(path) + sizeof(".new");
	char *fresh = nd_xalloc(size);
	enum nd_err err;

	(void)snprintf(fresh, size, "%s.new", path);
	err = write_new(fresh, mode, octets, len, why);
	if (err == ND_OK && renameat2(AT_FDCWD, fresh, AT_FDCWD, path, RENAME_NOREPLACE) != 0) {
		err = errno == EEXIST ? nd_fail(why, ND_ESTATE, EEXIST, "%s is there", path) : fail(why, path, "made");
		(void)unlink(fresh);
	}
	free(fresh);
	if (err == ND_OK && sync_folder(path) != 0)
		err = fail(why, path, "synced with its folder");
	return err;
}

static enum nd_err
read_all(int fd, const char *path, struct nd_buf *buf, struct nd_why *why)
{
	struct stat st;
	size_t step = 4096;

	if (fstat(fd, &st) != 0)
		return fail(why, path, "read");
	if (S_ISDIR(st.st_mode))
		return nd_fail(why, ND_EDISK, EISDIR, "%s cannot be read", path);
	/* At once in one piece: a buffer that grows would leave copies of a secret. Some files have no size. */
	if (st.st_size > 0)
		step = (uintmax_t)st.st_size >= buf->limit ? buf->limit : (size_t)st.st_size + 1;
	for (;;) {
		size_t room = buf->limit - buf->len < step ? buf->limit - buf->len : step;
		char *at = room > 0 ? nd_buf_reserve(buf, room) : NULL;
		ssize_t n;

		if (room == 0)
			return nd_fail(why, ND_ETOOBIG, 0, "%s is larger than %zu octets", path, buf->limit - 1);
		if (at == NULL)
			return nd_fail(why, ND_EMEMORY, 0, "%s cannot be read: there is no memory", path);
		n = read(fd, at, room);
		if (n == 0)
			return ND_OK;
		if (n > 0)
			nd_buf_grown(buf, (size_t)n);
		else if (errno != EINTR)
			return fail(why, path, "read");
	}
}

enum nd_err
filer_read(const char *path, size_t limit, char **octets, size_t *len, struct nd_why *why)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	struct nd_buf buf;
	enum nd_err err;

	if (fd < 0 && errno == ENOENT)
		return nd_fail(why, ND_ENOTFOUND, errno, "%s cannot be opened", path);
	if (fd < 0)
		return fail(why, path, "opened");
	nd_buf_init(&buf, limit + 1); /* one more, to see that there is more */
	err = read_all(fd, path, &buf, why);
	(void)close(fd);
	if (err != ND_OK) {
		nd_buf_wipe(&buf);
		return err;
	}
	*octets = nd_buf_take(&buf, len);
	if (*octets == NULL) {
		*octets = nd_xalloc(1);
		*len = 0;
	}
	nd_buf_done(&buf);
	return ND_OK;
}

static bool
ends_so(const char *name, const char *end)
{
	size_t len = strlen(name), end_len = strlen(end);

	return name[0] != '.' && len >= end_len && strcmp(name + len - end_len, end) == 0;
}

enum nd_err
filer_list(const char *folder, const char *end, struct filer_list *list, struct nd_why *why)
{
	struct dirent **entries;
	int count = scandir(folder, &entries, NULL, alphasort);

	if (count < 0 && errno != ENOENT)
		return fail(why, folder, "read");
	*list = (struct filer_list){ 0 };
	if (count < 0)
		return ND_OK;
	list->paths = nd_xalloc(((size_t)count + 1) * sizeof(*list->paths));
	for (int i = 0; i < count; i++) {
		size_t size = strlen(folder) + strlen(entries[i]->d_name) + 2;

		if (ends_so(entries[i]->d_name, end)) {
			list->paths[list->count] = nd_xalloc(size);
			(void)snprintf(list->paths[list->count++], size, "%s/%s", folder, entries[i]->d_name);
		}
		free(entries[i]);
	}
	free(entries);
	return ND_OK;
}

void
filer_list_done(struct filer_list *list)
{
	for (unsigned i = 0; i < list->count; i++)
		free(list->paths[i]);
	free(list->paths);
	*list = (struct filer_list){ 0 };
}

enum nd_err
filer_mkdir(const char *path, struct nd_why *why)
{
	struct stat st;

	if (mkdir(path, 0700) == 0)
		return sync_folder(path) == 0 ? ND_OK : fail(why, path, "synced with its folder");
	if (errno != EEXIST)
		return fail(why, path, "made");
	if (stat(path, &st) != 0)
		return fail(why, path, "read");
	if (!S_ISDIR(st.st_mode))
		return nd_fail(why, ND_EDISK, ENOTDIR, "%s cannot be used", path);
	return ND_OK;
}

int64_t
filer_free(const char *path)
{
	struct statvfs fs;

	if (statvfs(path, &fs) != 0)
		return -1;
	return fs.f_bavail > INT64_MAX / (fs.f_frsize | 1) ? INT64_MAX : (int64_t)(fs.f_bavail * fs.f_frsize);
}

/* -- later -- */

struct later {
	struct worker_task task; /* first: run() gets it */
	struct loop_note note;
	struct loop *loop;
	char *path, *octets;
	size_t len;
	filer_done *done;
	void *arg;
	enum nd_err err;
	struct nd_why why;
};

static void
tell(void *arg)
{
	struct later *later = arg;

	if (later->done != NULL)
		later->done(later->arg, later->err, &later->why);
	free(later->path);
	free(later);
}

static void
run(struct worker_task *task)
{
	struct later *later = (struct later *)task;

	later->err = filer_write(later->path, later->octets, later->len, &later->why);
	nd_wipe_free(later->octets, later->len);
	loop_post(later->loop, &later->note);
}

void /* NOLINTNEXTLINE(readability-function-size): what is written, where, by whom, and who is told */
filer_write_later(struct worker *files, struct loop *loop, const char *path, const void *octets, size_t len,
    filer_done *done, void *arg)
{
	struct later *later = nd_xalloc(sizeof(*later));

	later->task.run = run;
	later->note.fn = tell;
	later->note.arg = later;
	later->loop = loop;
	later->path = nd_xstrdup(path);
	later->octets = nd_xstrndup(octets, len);
	later->len = len;
	later->done = done;
	later->arg = arg;
	worker_put(files, &later->task);
}

/* -- aside -- */

struct aside {
	struct worker_task task; /* first */
	struct loop_note note;
	struct loop *loop;
	char *path, *kind; /* kind NULL: it is removed */
	unsigned keep;
	bool stays;
	filer_done *done; /* NULL: what goes wrong is logged */
	void *arg;
	enum nd_err err;
	struct nd_why why;
};

static void
name_aside(const struct aside *aside, unsigned n, char *out, size_t size)
{
	if (aside->keep == 0)
		(void)snprintf(out, size, "%s.%s", aside->path, aside->kind);
	else
		(void)snprintf(out, size, "%s.%s-%u", aside->path, aside->kind, n);
}

static void
put_aside(struct worker_task *task)
{
	struct aside *aside = (struct aside *)task;
	char from[4160], to[4160];

	if (aside->kind == NULL) {
		if (unlink(aside->path) != 0 && errno != ENOENT)
			aside->err = fail(&aside->why, aside->path, "removed");
		else if (sync_folder(aside->path) != 0)
			aside->err = fail(&aside->why, aside->path, "synced with its folder");
		loop_post(aside->loop, &aside->note);
		return;
	}
	/* The others move up only when there is one to come. */
	for (unsigned n = aside->keep; n > 1 && access(aside->path, F_OK) == 0; n--) {
		name_aside(aside, n - 1, from, sizeof(from));
		name_aside(aside, n, to, sizeof(to));
		if (rename(from, to) != 0 && errno != ENOENT)
			aside->err = fail(&aside->why, from, "moved aside");
	}
	name_aside(aside, 1, to, sizeof(to));
	if (aside->stays)
		(void)unlink(to);
	if (aside->err == ND_OK && (aside->stays ? link : rename)(aside->path, to) != 0 && errno != ENOENT)
		aside->err = fail(&aside->why, aside->path, "moved aside");
	if (aside->err == ND_OK && sync_folder(aside->path) != 0)
		aside->err = fail(&aside->why, aside->path, "synced with its folder");
	loop_post(aside->loop, &aside->note);
}

static void
tell_aside(void *arg)
{
	struct aside *aside = arg;

	if (aside->done != NULL)
		aside->done(aside->arg, aside->err, &aside->why);
	else if (aside->err != ND_OK)
		nd_log(ND_LOG_ERR, ND_FIELDS({ "ERR", nd_err_name(aside->err) }), "%s", aside->why.text);
	free(aside->path);
	free(aside->kind);
	free(aside);
}

static struct aside *
ask_aside(struct loop *loop, const char *path, const char *kind)
{
	struct aside *aside = nd_xalloc(sizeof(*aside));

	aside->task.run = put_aside;
	aside->note.fn = tell_aside;
	aside->note.arg = aside;
	aside->loop = loop;
	aside->path = nd_xstrdup(path);
	aside->kind = nd_xstrdup(kind);
	return aside;
}

void
filer_aside_later(struct worker *files, struct loop *loop, const char *path, const char *kind, unsigned keep)
{
	struct aside *aside = ask_aside(loop, path, kind);

	aside->keep = keep;
	worker_put(files, &aside->task);
}

void
filer_keep_later(struct worker *files, struct loop *loop, const char *path, const char *kind, unsigned keep)
{
	struct aside *aside = ask_aside(loop, path, kind);

	aside->keep = keep;
	aside->stays = true;
	worker_put(files, &aside->task);
}

void
filer_remove_later(struct worker *files, struct loop *loop, const char *path, filer_done *done, void *arg)
{
	struct aside *aside = ask_aside(loop, path, NULL);

	aside->done = done;
	aside->arg = arg;
	worker_put(files, &aside->task);
}
