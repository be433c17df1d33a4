/* SPDX-License-Identifier: Apache-2.0 */
/* pair.c - the key and the certificate of an application: where they are, making them, taking new ones into use.  Layer: client. */
#include "client/pair.h"

#include "common/buf.h"
#include "common/mem.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MADE_TOGETHER 60 /* seconds between the key and its certificate, at the most */

enum nd_err
pair_name(struct pair *pair, const char *name, const char *folder, const char *config, struct nd_why *why)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
	static const char *const ends[PAIRS] = { "", ".next", ".old" };
	char beside[DEPOSIT_PATH], whole[PATH_MAX];
	const char *slash;
	size_t len = strlen(name);

	if (len == 0 || len > 40 || strspn(name, letters) != len || name[0] == '-')
		return nd_fail(why, ND_EINVALID, 0, "the name of a certificate has up to 40 letters, digits, _ and -");
	(void)snprintf(pair->name, sizeof(pair->name), "%s", name);
	(void)snprintf(pair->folder, sizeof(pair->folder), "%s", folder != NULL ? folder : DEPOSIT_CREDENTIALS);
	(void)snprintf(pair->config, sizeof(pair->config), "%s", config != NULL ? config : PAIR_CONFIG);
	slash = strrchr(pair->config, '/');
	(void)snprintf(beside, sizeof(beside), "%.*s/.", slash != NULL ? (int)(slash - pair->config) : 1,
	    slash != NULL ? pair->config : ".");
	if (strlen(pair->folder) + len > DEPOSIT_PATH - 64 || realpath(beside, whole) == NULL ||
	    strlen(whole) + len > DEPOSIT_PATH - 64)
		return nd_fail(
		    why, ND_EINVALID, errno, "there is no folder for the certificate beside %.160s", pair->config);
	for (unsigned i = 0; i < PAIRS; i++) {
		(void)snprintf(pair->path[i].key, DEPOSIT_PATH, "%.4000s/%s-key%s", pair->folder, pair->name, ends[i]);
		(void)snprintf(pair->path[i].certificate, DEPOSIT_PATH, "%.4000s/%s%s.cer",
		    strcmp(whole, "/") == 0 ? "" : whole, pair->name, ends[i]);
	}
	return ND_OK;
}

bool
pair_is_there(const struct pair *pair, enum pair_which which)
{
	return access(pair->path[which].key, F_OK) == 0 && access(pair->path[which].certificate, F_OK) == 0;
}

enum nd_err
pair_make(const struct pair *pair, const char *program, bool next, enum program_output output, struct nd_why *why)
{
	const char *words[] = { program, "--make-certificate", pair->name, "--credentials-dir", pair->folder,
		"--config", pair->config, next ? "--next" : NULL, NULL };
	int status;

	/* The key is written first: alone, it is what a run that was cut short has left. */
	if (next && access(pair->path[PAIR_NEXT].certificate, F_OK) != 0)
		(void)unlink(pair->path[PAIR_NEXT].key);
	if (program_run(words, output, &status, why) != ND_OK)
		return why->err;
	return status == 0 ? ND_OK : nd_fail(why, ND_ECONF, 0, "no key and certificate were made");
}

/* --- showing it --- */

struct shown {
	char *thumbprint;
	struct nd_buf pem;
};

static void
take_line(void *arg, const char *line, size_t len)
{
	static const char before[] = "thumbprint ", first[] = "-----BEGIN ";
	struct shown *shown = arg;
	const char *value;

	if (shown->pem.len > 0 || strncmp(line, first, sizeof(first) - 1) == 0) {
		(void)nd_buf_add(&shown->pem, line, len);
	} else if (shown->thumbprint == NULL && strncmp(line, before, sizeof(before) - 1) == 0) {
		value = line + strcspn(line, " ");
		value += strspn(value, " ");
		shown->thumbprint = nd_xstrndup(value, strcspn(value, " \n"));
	}
}

enum nd_err
pair_show(const struct pair *pair, const char *program, char **thumbprint, char **pem, struct nd_why *why)
{
	const char *words[] = { program, "--show-certificate", pair->name, "--config", pair->config, NULL };
	struct shown shown = { 0 };

	nd_buf_init(&shown.pem, 65536);
	if (program_lines(words, PROGRAM_ALOUD, take_line, &shown) != 0 || shown.thumbprint == NULL ||
	    shown.pem.len == 0) {
		(void)nd_fail(why, ND_ECONF, 0, "%.200s cannot be shown", pair->path[PAIR_USED].certificate);
		free(shown.thumbprint);
		nd_buf_done(&shown.pem);
		return why->err;
	}
	*thumbprint = shown.thumbprint;
	*pem = nd_xstrdup(nd_buf_text(&shown.pem));
	nd_buf_done(&shown.pem);
	return ND_OK;
}

/* --- taking them into use --- */

/* The old file keeps a name while the next one takes its place: at every moment there is one. */
static enum nd_err
move(const char *next, const char *used, const char *old, struct nd_why *why)
{
	(void)unlink(old);
	if (link(used, old) != 0)
		return nd_fail(why, ND_EDISK, errno, "cannot keep %.200s as %.100s", used, old);
	if (rename(next, used) != 0)
		return nd_fail(why, ND_EDISK, errno, "cannot replace %.200s", used);
	return deposit_sync(used, why);
}

/* After a switch that was cut short between the two files: the key in use is that of the next certificate. */
static bool
key_is_moved(const struct pair *pair)
{
	struct stat key, certificate;

	return access(pair->path[PAIR_NEXT].key, F_OK) != 0 && stat(pair->path[PAIR_USED].key, &key) == 0 &&
	       stat(pair->path[PAIR_NEXT].certificate, &certificate) == 0 && key.st_mtime <= certificate.st_mtime &&
	       certificate.st_mtime - key.st_mtime <= MADE_TOGETHER;
}

enum nd_err
pair_switch(const struct pair *pair, struct nd_why *why)
{
	bool moved = key_is_moved(pair);
	enum nd_err err = ND_OK;
	char hint[160];

	if (!pair_is_there(pair, PAIR_USED) || (!pair_is_there(pair, PAIR_NEXT) && !moved)) {
		(void)snprintf(
		    hint, sizeof(hint), "make it, then upload its certificate: notifyctl cert renew %s", pair->name);
		(void)nd_fail(why, ND_ESTATE, 0, "there is no new pair %s to take into use", pair->name);
		return nd_fail_at(why, "", 0, hint);
	}
	if (!moved)
		err = move(pair->path[PAIR_NEXT].key, pair->path[PAIR_USED].key, pair->path[PAIR_OLD].key, why);
	if (err == ND_OK)
		err = move(pair->path[PAIR_NEXT].certificate, pair->path[PAIR_USED].certificate,
		    pair->path[PAIR_OLD].certificate, why);
	return err;
}
