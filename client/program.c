/* SPDX-License-Identifier: Apache-2.0 */
/* program.c - runs notifyd for what only it can do: check settings, make keys.  Layer: client. */
#include "client/program.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define INSTALLED ND_SBINDIR "/notifyd"
#define LINE_MAX_OCTETS 65536u

bool
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
			return true;
	}
	(void)snprintf(path, PROGRAM_PATH, "%s", given != NULL ? given : INSTALLED);
	if (given != NULL || access(path, X_OK) == 0)
		return true;
	(void)snprintf(path, PROGRAM_PATH, "notifyd");
	return false;
}

/* Its exit code; -1: a signal ended it. */
static int
await(pid_t child)
{
	int ended;

	while (waitpid(child, &ended, 0) < 0)
		if (errno != EINTR)
			return -1;
	return WIFEXITED(ended) ? WEXITSTATUS(ended) : -1;
}

enum nd_err
program_run(const char *const *words, enum program_output output, int *status, struct nd_why *why)
{
	posix_spawn_file_actions_t actions;
	int failed;
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
	*status = await(child);
	return ND_OK;
}

static void
give_lines(FILE *from, program_line *each, void *arg)
{
	char *line = NULL;
	size_t room = 0;
	ssize_t len;

	while ((len = getline(&line, &room, from)) > 0)
		if ((size_t)len <= LINE_MAX_OCTETS)
			each(arg, line, (size_t)len);
	free(line);
}

int
program_lines(const char *const *words, enum program_noise noise, program_line *each, void *arg)
{
	posix_spawn_file_actions_t actions;
	int ends[2], error;
	FILE *from;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) != 0)
		return -1;
	error = posix_spawn_file_actions_init(&actions);
	if (error == 0)
		error = posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
	if (error == 0 && noise == PROGRAM_SILENT)
		error = posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	if (error == 0)
		error = posix_spawnp(&pid, words[0], &actions, NULL, (char *const *)(uintptr_t)words, environ);
	(void)posix_spawn_file_actions_destroy(&actions);
	(void)close(ends[1]);
	from = fdopen(ends[0], "r");
	if (from == NULL)
		(void)close(ends[0]);
	else if (error == 0)
		give_lines(from, each, arg);
	if (from != NULL)
		(void)fclose(from);
	return error == 0 ? await(pid) : -1;
}
