/* SPDX-License-Identifier: Apache-2.0 */
/* setup_check.c - has notifyd check the settings of a new account before they are written.  Layer: client.
 *
 * In a folder of our own: in another one anybody could put a conf.d beside them. What they join stands there by links.
 */
#include "client/deposit.h"
#include "client/program.h"
#include "client/setup.h"
#include "common/str.h"

#include <errno.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PLACE_SIZE 4096

struct place {
	char folder[sizeof("/tmp/notifyctl-setup.XXXXXX")], conf[64], drop_ins[64];
};

/* The last part of a path. */
static const char *
base_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? slash + 1 : path;
}

static void
link_to(const char *path, const char *name)
{
	char whole[PATH_MAX];

	if (realpath(path, whole) != NULL)
		(void)!symlink(whole, name); /* notifyd misses it and says so */
}

/* The files beside the new one; the one that it takes the place of is left out. */
static void
link_drop_ins(const struct place *place, const char *config, const char *output)
{
	char pattern[PLACE_SIZE], link[PLACE_SIZE];
	glob_t found;

	setup_drop_in(config, "*", pattern, sizeof(pattern));
	if (glob(pattern, 0, NULL, &found) != 0)
		return;
	for (size_t i = 0; i < found.gl_pathc; i++) {
		if (strcmp(base_of(found.gl_pathv[i]), base_of(output)) == 0)
			continue;
		(void)snprintf(link, sizeof(link), "%s/%.255s", place->drop_ins, base_of(found.gl_pathv[i]));
		link_to(found.gl_pathv[i], link);
	}
	globfree(&found);
}

static void
clear(const struct place *place)
{
	char pattern[PLACE_SIZE];
	glob_t found;

	(void)snprintf(pattern, sizeof(pattern), "%s/*", place->drop_ins);
	if (glob(pattern, 0, NULL, &found) == 0) {
		for (size_t i = 0; i < found.gl_pathc; i++)
			(void)unlink(found.gl_pathv[i]);
		globfree(&found);
	}
	(void)rmdir(place->drop_ins);
	(void)unlink(place->conf);
	(void)rmdir(place->folder);
}

struct checked {
	const char *name;
	bool unlisted;
};

/* "  m365: microsoft, …; only for jobs that name it" */
static void
take_line(void *arg, const char *line, size_t len)
{
	struct checked *checked = arg;
	const size_t name = strlen(checked->name);

	if (len > name + 2 && strncmp(line, "  ", 2) == 0 && strncmp(line + 2, checked->name, name) == 0 &&
	    line[name + 2] == ':' && memmem(line, len, SETUP_UNLISTED, strlen(SETUP_UNLISTED)) != NULL)
		checked->unlisted = true;
}

static enum nd_err
check(const char *program, const char *path, struct checked *checked, struct nd_why *why)
{
	const char *words[] = { program, "--check", "--config", path, NULL };
	int code;

	if (strchr(program, '/') != NULL && access(program, X_OK) != 0)
		return nd_fail(why, ND_EDISK, errno, "%.200s cannot be run", program);
	code = program_lines(words, PROGRAM_ALOUD, take_line, checked);
	return code == 0 ? ND_OK : nd_fail(why, ND_ECONF, 0, "nothing is written: the settings have errors");
}

bool
setup_drop_in(const char *config, const char *name, char *path, size_t size)
{
	const char *slash = strrchr(config, '/');
	const int folder = slash != NULL ? (int)(slash - config + 1) : 0;
	const int len = snprintf(path, size, "%.*sconf.d/%s.conf", folder, config, name);

	return len > 0 && (size_t)len < size;
}

/* Whether the file will be one of those that notifyd reads beside `config`. */
static bool
joins(const char *config, const char *output)
{
	char pattern[PLACE_SIZE];

	return setup_drop_in(config, "", pattern, sizeof(pattern)) && access(config, F_OK) == 0 &&
	       strncmp(output, pattern, (size_t)(base_of(pattern) - pattern)) == 0 &&
	       base_of(output) == output + (base_of(pattern) - pattern);
}

enum nd_err
setup_check(const struct setup_check *wish, bool *unlisted, struct nd_why *why)
{
	struct place place = { .folder = "/tmp/notifyctl-setup.XXXXXX" };
	struct checked checked = { .name = wish->name };
	char path[PLACE_SIZE];
	enum nd_err err;

	if (mkdtemp(place.folder) == NULL)
		return nd_fail(why, ND_EDISK, errno, "no temporary folder can be made");
	(void)snprintf(place.conf, sizeof(place.conf), "%s/notifyd.conf", place.folder);
	(void)snprintf(place.drop_ins, sizeof(place.drop_ins), "%s/conf.d", place.folder);
	(void)snprintf(path, sizeof(path), "%s", place.conf);
	if (joins(wish->config, wish->output) && mkdir(place.drop_ins, 0700) == 0) {
		link_to(wish->config, place.conf);
		link_drop_ins(&place, wish->config, wish->output);
		(void)snprintf(path, sizeof(path), "%s/%.255s", place.drop_ins, base_of(wish->output));
	}
	err = deposit_write(path, nd_buf_text(wish->settings), wish->settings->len, 0600, why);
	if (err == ND_OK)
		err = check(wish->program, place.conf, &checked, why);
	clear(&place);
	*unlisted = checked.unlisted;
	return err;
}
