/* SPDX-License-Identifier: Apache-2.0 */
/* watch.c - tells when one of some files has changed.  Layer: io.  Knows inotify.
 *
 * Folders are watched, for files are replaced by others of the same name. Whatever happens in one, its files are looked at: what counts is that
 * stat() says something else.
 */
#include "daemon/io/watch.h"

#include "common/mem.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#define EVENTS (IN_CLOSE_WRITE | IN_MOVED_TO | IN_ATTRIB | IN_CREATE)
#define FILES_MAX 512u

struct watched {
	char *path;
	struct stat seen;
	bool there;
};

struct watch {
	struct loop *loop;
	watch_fn *changed;
	void *arg;
	int fd; /* -1: no inotify to be had */
	struct event *event;
	struct watched *files;
	unsigned count;
	bool freed;
};

static bool
same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

/* Looks; true: it is another one than at the last look, and has something in it. */
static bool
look(struct watched *file)
{
	const struct watched before = *file;
	const struct stat *a = &before.seen, *b = &file->seen;

	file->there = stat(file->path, &file->seen) == 0;
	if (!file->there || file->seen.st_size == 0)
		return false;
	return !before.there || a->st_dev != b->st_dev || a->st_ino != b->st_ino || a->st_size != b->st_size ||
	       a->st_mode != b->st_mode || a->st_uid != b->st_uid || !same_time(&a->st_mtim, &b->st_mtim) ||
	       !same_time(&a->st_ctim, &b->st_ctim);
}

static void
look_all(void *arg)
{
	struct watch *watch = arg;

	for (unsigned i = 0; i < watch->count && !watch->freed; i++)
		if (look(&watch->files[i]))
			watch->changed(watch->arg, watch->files[i].path);
}

/* What exactly happened is of no interest, so events that were lost are not missed either. */
static void
on_event(evutil_socket_t fd, short what, void *arg)
{
	struct watch *watch = arg;
	char events[8192];

	(void)what;
	while (read(fd, events, sizeof(events)) > 0)
		;
	loop_soon(watch->loop, look_all, watch);
}

struct watch *
watch_new(struct loop *loop, watch_fn *changed, void *arg)
{
	struct watch *watch = nd_xalloc(sizeof(*watch));

	watch->loop = loop;
	watch->changed = changed;
	watch->arg = arg;
	watch->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (watch->fd < 0)
		return watch;
	watch->event = event_new(loop_base(loop), watch->fd, EV_READ | EV_PERSIST, on_event, watch);
	if (watch->event == NULL || event_add(watch->event, NULL) != 0)
		abort();
	return watch;
}

void
watch_add(struct watch *watch, const char *path)
{
	const char *slash = strrchr(path, '/');
	struct watched *file;
	char *folder;

	if (watch->fd < 0 || slash == NULL || watch->count == FILES_MAX)
		return;
	folder = nd_xstrndup(path, slash == path ? 1 : (size_t)(slash - path));
	watch->files = nd_xrealloc(watch->files, (watch->count + 1) * sizeof(*watch->files));
	file = &watch->files[watch->count++];
	*file = (struct watched){ .path = nd_xstrdup(path) };
	(void)inotify_add_watch(watch->fd, folder, EVENTS);
	(void)look(file);
	free(folder);
}

static void
free_late(void *arg)
{
	struct watch *watch = arg;

	for (unsigned i = 0; i < watch->count; i++)
		free(watch->files[i].path);
	free(watch->files);
	free(watch);
}

void
watch_free(struct watch *watch)
{
	if (watch == NULL)
		return;
	watch->freed = true;
	loop_forget(watch->loop, watch);
	if (watch->event != NULL)
		event_free(watch->event);
	if (watch->fd >= 0)
		(void)close(watch->fd);
	loop_free_later(watch->loop, free_late, watch);
}
