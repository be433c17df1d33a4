/* SPDX-License-Identifier: Apache-2.0 */
/* certs.h - a folder with certificates for a test program, made by certs.sh and removed at the end. */
#ifndef ND_TEST_CERTS_H
#define ND_TEST_CERTS_H

#include <dirent.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static char certs_dir[] = "/tmp/notifyd-test-XXXXXX";
static char certs_text[4][512];

/* A file of the folder, or of the source tree. The text lives until the fourth call after it. */
static inline const char *
certs_join(const char *dir, const char *name)
{
	static unsigned next;
	char *text = certs_text[next++ % 4];

	(void)snprintf(text, sizeof(certs_text[0]), "%s/%s", dir, name);
	return text;
}

static inline const char *
certs_file(const char *name)
{
	return certs_join(certs_dir, name);
}

static inline const char *
certs_source(const char *name)
{
	const char *top = getenv("top_srcdir");

	if (top == NULL)
		top = getenv("srcdir");
	return certs_join(top ? top : ".", name);
}

static inline int
certs_make(void **state)
{
	char program[512];
	char *argv[3];
	pid_t child;
	int status;

	(void)state;
	if (mkdtemp(certs_dir) == NULL)
		return -1;
	(void)snprintf(program, sizeof(program), "%s", certs_source("tests/io/certs.sh"));
	argv[0] = program;
	argv[1] = certs_dir;
	argv[2] = NULL;
	if (posix_spawn(&child, program, NULL, NULL, argv, environ) != 0)
		return -1;
	return waitpid(child, &status, 0) == child && status == 0 ? 0 : -1;
}

static inline int
certs_remove(void **state)
{
	DIR *dir = opendir(certs_dir);
	const struct dirent *entry;

	(void)state;
	while (dir != NULL && (entry = readdir(dir)) != NULL)
		(void)unlink(certs_file(entry->d_name));
	if (dir != NULL)
		(void)closedir(dir);
	return rmdir(certs_dir);
}

#endif
