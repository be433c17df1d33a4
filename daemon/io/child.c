/* SPDX-License-Identifier: Apache-2.0 */
/* child.c - runs a command for what it prints.  Layer: io.
 *
 * Its group is killed before it is waited for: as long as the leader is not reaped, nobody else can have its number.
 */
#include "daemon/io/child.h"

#include "common/clock.h"
#include "common/mem.h"
#include "common/str.h"
#include "daemon/core/command.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#define WORDS_MAX 160u /* of its standard error */

struct child {
	struct child *next;
	pid_t pid;
	int pidfd, out, err; /* -1: closed */
	char *octets;        /* what it printed, borrowed */
	size_t room, len;
	char words[WORDS_MAX + 1];
	size_t words_len;
	bool much, late;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct child *running; /* under the lock */
static bool stopped;          /* under the lock */

static nd_ms
clock_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (nd_ms)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void
shut(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
	*fd = -1;
}

/* --- its start --- */

static int
add_actions(posix_spawn_file_actions_t *actions, int out, int err)
{
	int failed = posix_spawn_file_actions_addopen(actions, 0, "/dev/null", O_RDONLY, 0);

	if (failed == 0)
		failed = posix_spawn_file_actions_adddup2(actions, out, 1);
	if (failed == 0)
		failed = posix_spawn_file_actions_adddup2(actions, err, 2);
	return failed == 0 ? posix_spawn_file_actions_addclosefrom_np(actions, 3) : failed;
}

/* Signals as a program expects them: none blocked, none ignored. */
static int
set_attributes(posix_spawnattr_t *attributes)
{
	sigset_t none, all;
	int failed;

	(void)sigemptyset(&none);
	(void)sigfillset(&all);
	failed = posix_spawnattr_setflags(
	    attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	if (failed == 0)
		failed = posix_spawnattr_setpgroup(attributes, 0);
	if (failed == 0)
		failed = posix_spawnattr_setsigmask(attributes, &none);
	return failed == 0 ? posix_spawnattr_setsigdefault(attributes, &all) : failed;
}

static int
spawn(struct child *child, char *const args[], int out, int err)
{
	char path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", lang[] = "LANG=C.UTF-8";
	char home[512] = "HOME=/";
	char *environment[] = { path, lang, home, NULL };
	const char *own_home = secure_getenv("HOME");
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	int failed;

	if (own_home != NULL && strlen(own_home) < sizeof(home) - 5)
		(void)snprintf(home, sizeof(home), "HOME=%s", own_home);
	if (posix_spawn_file_actions_init(&actions) != 0 || posix_spawnattr_init(&attributes) != 0)
		abort();
	failed = add_actions(&actions, out, err);
	if (failed == 0)
		failed = set_attributes(&attributes);
	if (failed == 0)
		failed = posix_spawn(&child->pid, args[0], &actions, &attributes, args, environment);
	(void)posix_spawn_file_actions_destroy(&actions);
	(void)posix_spawnattr_destroy(&attributes);
	return failed;
}

/* 0, or an errno. ECANCELED: the daemon ends. */
static int
start(struct child *child, char *const args[])
{
	int out[2] = { -1, -1 }, err[2] = { -1, -1 }, failed = 0;

	if (pipe2(out, O_CLOEXEC) != 0 || pipe2(err, O_CLOEXEC) != 0 || fcntl(out[0], F_SETFL, O_NONBLOCK) != 0 ||
	    fcntl(err[0], F_SETFL, O_NONBLOCK) != 0)
		failed = errno;
	child->out = out[0];
	child->err = err[0];
	(void)pthread_mutex_lock(&lock);
	if (failed == 0)
		failed = stopped ? ECANCELED : spawn(child, args, out[1], err[1]);
	if (failed == 0) {
		child->pidfd = pidfd_open(child->pid, 0);
		child->next = running;
		running = child;
	}
	(void)pthread_mutex_unlock(&lock);
	shut(&out[1]);
	shut(&err[1]);
	return failed;
}

/* --- its life --- */

/* What it has to say for itself; false: its end is closed, or it says too much. */
static bool
read_out(struct child *child)
{
	char more;
	ssize_t got;

	for (;;) {
		bool full = child->len == child->room;

		got = read(child->out, full ? &more : child->octets + child->len, full ? 1 : child->room - child->len);
		if (got < 0)
			return errno == EAGAIN || errno == EINTR;
		if (got == 0)
			return false;
		if (full) {
			explicit_bzero(&more, 1);
			child->much = true;
			return false;
		}
		child->len += (size_t)got;
	}
}

static bool
read_err(struct child *child)
{
	char piece[4096];
	ssize_t got = -1;

	/* the rest stays in the pipe for the next turn: one that talks without end has its deadline all the same */
	errno = EAGAIN;
	for (unsigned turn = 0; turn < 16 && (got = read(child->err, piece, sizeof(piece))) > 0; turn++) {
		size_t room = WORDS_MAX - child->words_len, part = (size_t)got < room ? (size_t)got : room;

		memcpy(child->words + child->words_len, piece, part);
		child->words_len += part;
	}
	return got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR));
}

static void
read_both(struct child *child)
{
	if (child->out >= 0 && !read_out(child))
		shut(&child->out);
	if (child->err >= 0 && !read_err(child))
		shut(&child->err);
}

/* Until it has ended, said too much, or its time is over. */
static void
attend(struct child *child)
{
	const nd_ms end = clock_ms() + ND_SEC(CHILD_SECONDS);

	while (child->pidfd >= 0 && !child->much && !child->late) {
		struct pollfd fds[] = { { child->out, POLLIN, 0 }, { child->err, POLLIN, 0 },
			{ child->pidfd, POLLIN, 0 } };
		const nd_ms left = end - clock_ms();
		int ready = left > 0 ? poll(fds, 3, (int)left) : 0;

		read_both(child);
		if (ready > 0 && fds[2].revents != 0)
			return;
		child->late = ready == 0 && end <= clock_ms();
	}
}

/* Its end, and that of everything it started. Returns the status as waitpid() has it. */
static int
reap(struct child *child)
{
	struct child **at = &running;
	int status = 0;

	(void)pthread_mutex_lock(&lock);
	while (*at != child)
		at = &(*at)->next;
	*at = child->next;
	(void)kill(-child->pid, SIGKILL);
	(void)pthread_mutex_unlock(&lock);
	while (waitpid(child->pid, &status, 0) < 0 && errno == EINTR)
		;
	read_both(child);
	shut(&child->out);
	shut(&child->err);
	shut(&child->pidfd);
	return status;
}

/* --- in words --- */

/* The first line of its standard error, as far as it can be shown. */
static const char *
first_line(struct child *child)
{
	child->words[strcspn(child->words, "\r\n")] = '\0';
	child->words[nd_str_utf8_cut(child->words, strlen(child->words), WORDS_MAX)] = '\0';
	if (!nd_str_utf8(child->words, strlen(child->words)))
		for (char *at = child->words; *at != '\0'; at++)
			if ((unsigned char)*at > 0x7e)
				*at = '?';
	return child->words;
}

static enum nd_err
tell_failure(struct child *child, const char *path, int status, struct nd_why *why)
{
	const char *words = first_line(child), *colon = words[0] != '\0' ? ": " : "";

	if (child->late)
		return nd_fail(why, ND_EDEADLINE, 0, "%.100s did not end within %d s and was killed%s%s", path,
		    CHILD_SECONDS, colon, words);
	if (child->much)
		return nd_fail(why, ND_ESECRET, 0, "%.100s printed more than 64 KiB", path);
	if (WIFSIGNALED(status))
		return nd_fail(
		    why, ND_ESECRET, 0, "%.100s was killed by signal %d%s%s", path, WTERMSIG(status), colon, words);
	return nd_fail(why, WEXITSTATUS(status) == EX_TEMPFAIL ? ND_EDEADLINE : ND_ESECRET, 0,
	    "%.100s ended with status %d%s%s", path, WEXITSTATUS(status), colon, words);
}

static enum nd_err
tell_no_start(int failed, const char *path, struct nd_why *why)
{
	if (failed == ECANCELED)
		return nd_fail(why, ND_EDEADLINE, 0, "%.100s was not run: notifyd ends", path);
	(void)nd_fail(why, ND_ESECRET, failed, "%.100s cannot be run", path);
	return nd_fail_at(why, NULL, 0, "name a program that the user of notifyd may run, by its whole path");
}

enum nd_err
child_run(const char *text, char *out, size_t room, size_t *len, struct nd_why *why)
{
	struct child child = { .pidfd = -1, .out = -1, .err = -1, .octets = out, .room = room };
	struct command command;
	enum nd_err err = command_split(text, &command, why);
	int status, failed;

	if (err != ND_OK)
		return err;
	failed = start(&child, command.args);
	if (failed == 0) {
		attend(&child);
		status = reap(&child);
		if (child.late || child.much || status != 0)
			err = tell_failure(&child, command.args[0], status, why);
	} else {
		shut(&child.out);
		shut(&child.err);
		err = tell_no_start(failed, command.args[0], why);
	}
	command_done(&command);
	*len = child.len;
	if (err != ND_OK)
		explicit_bzero(out, child.len);
	return err;
}

void
child_stop(void)
{
	(void)pthread_mutex_lock(&lock);
	stopped = true;
	for (const struct child *child = running; child != NULL; child = child->next)
		(void)kill(-child->pid, SIGKILL);
	(void)pthread_mutex_unlock(&lock);
}
