/* SPDX-License-Identifier: Apache-2.0 */
/* program.c - runs notifyd for what only it can do: check settings, make keys.  Layer: client. */
#include "client/program.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define INSTALLED "/usr/sbin/notifyd"

void
program_notifyd(const char *given, char path[PROGRAM_PATH])
{
	char own[PATH_MAX];
	ssize_t len = given == NULL ? readlink("/proc/self/exe", own, sizeof(own) - 1) : -1;
	char *slash;

	if (len > 0) {
		own[len] = '\0';
		slash = strrchr(own, '/');
		(void)snprintf(path, PROGRAM_PATH, "%.*s/notifyd", slash != NULL ? (int)(slash - own) : 0, own);
		if (access(path, X_OK) == 0)
			return;
	}
	(void)snprintf(path, PROGRAM_PATH, "%s",
	    given != NULL                  ? given
	    : access(INSTALLED, X_OK) == 0 ? INSTALLED
					   : "notifyd");
}

enum nd_err
program_run(const char *const *words, enum program_output output, int *status, struct nd_why *why)
{
	posix_spawn_file_actions_t actions;
	int failed, ended;
	pid_t child;

	(void)fflush(stdout); /* what we said comes before what it says */
	(void)posix_spawn_file_actions_init(&actions);
	if (output == PROGRAM_UNSEEN)
		(void)posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	if (output == PROGRAM_ON_STDERR)
		(void)posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
	/* the words are not changed by it: its interface is older than const */
	failed = posix_spawnp(&child, words[0], &actions, NULL, (char *const *)(uintptr_t)words, environ);
	(void)posix_spawn_file_actions_destroy(&actions);
	if (failed != 0) {
		(void)nd_fail(why, ND_ECONF, failed, "%.100s cannot be run", words[0]);
		return nd_fail_at(why, "", 0, "say where the program is: --notifyd PATH");
	}
	while (waitpid(child, &ended, 0) < 0 && errno == EINTR)
		continue;
	*status = WIFEXITED(ended) ? WEXITSTATUS(ended) : -1;
	return ND_OK;
}
