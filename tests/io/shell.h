/* SPDX-License-Identifier: Apache-2.0 */
/* shell.h - a folder for one test program, and commands in it.  For tests of io; cmocka.h comes before it. */
#ifndef ND_TESTS_IO_SHELL_H
#define ND_TESTS_IO_SHELL_H

#include <spawn.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static char shell_folder[] = "/tmp/notifyd-shell-XXXXXX"; /* mkdtemp() makes it */

/* A name in it; the text stays until the next call. */
static inline const char *
shell_path(const char *name)
{
	static char path[128];

	(void)snprintf(path, sizeof(path), "%s/%s", shell_folder, name);
	return path;
}

/* A command in the folder, without a word; its status. */
static inline int
shell_run(const char *command)
{
	char line[2048], shell[] = "sh", option[] = "-c";
	char *args[] = { shell, option, line, NULL };
	int status = -1;
	pid_t pid;

	/* without OPENSSL_CONF: a test program may run under FIPS, what makes its short keys and old files cannot */
	(void)snprintf(
	    line, sizeof(line), "unset OPENSSL_CONF; cd %s && { %s; } >/dev/null 2>&1", shell_folder, command);
	assert_int_equal(posix_spawn(&pid, "/bin/sh", NULL, NULL, args, environ), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

#endif
