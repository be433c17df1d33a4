/* SPDX-License-Identifier: Apache-2.0 */
/* settings.c - finds the configuration files and reads them: FILE, then the drop-ins of conf.d beside it, by name; keeps those that
 * were good. */
#include "daemon/app.h"

#include "common/log.h"
#include "common/mem.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define FILE_LIMIT (1024u * 1024)
#define GOOD_LIMIT (16u * 1024 * 1024) /* of all files */

/* The host's full name: what the resolver says of its own name, when that has a dot. No network: /etc/hosts and the like decide in time. */
static void
host_names(char *host, char *fqdn, size_t size)
{
	struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_flags = AI_CANONNAME }, *list = NULL;

	if (gethostname(fqdn, size - 1) != 0)
		(void)snprintf(fqdn, size, "localhost");
	fqdn[size - 1] = '\0';
	if (!strchr(fqdn, '.') && getaddrinfo(fqdn, NULL, &hints, &list) == 0) {
		if (list->ai_canonname && strchr(list->ai_canonname, '.'))
			(void)snprintf(fqdn, size, "%s", list->ai_canonname);
		freeaddrinfo(list);
	}
	(void)snprintf(host, size, "%.*s", (int)strcspn(fqdn, "."), fqdn);
}

static void
add_fault(struct conf_faults *faults, const char *file, const struct nd_why *why)
{
	struct conf_fault *fault;

	faults->fault = nd_xrealloc(faults->fault, (faults->count + 1) * sizeof(*faults->fault));
	faults->room = faults->count + 1;
	fault = &faults->fault[faults->count++];
	memset(fault, 0, sizeof(*fault));
	(void)snprintf(fault->file, sizeof(fault->file), "%s", file);
	fault->why = *why;
	fault->why.err = ND_ECONF;
}

static void
read_file(struct conf *conf, const char *path, bool required, struct nd_buf *texts, struct conf_faults *faults)
{
	const char *name = strrchr(path, '/');
	struct nd_why why;
	char *text;
	size_t len;

	name = name ? name + 1 : path;
	if (filer_read(path, FILE_LIMIT, &text, &len, &why) == ND_OK) {
		conf_read(conf, name, text, len, faults);
		(void)nd_buf_addf(texts, "%zu %s\n", len, name);
		(void)nd_buf_add(texts, text, len);
		(void)nd_buf_addc(texts, '\n');
		free(text);
		return;
	}
	if (required || why.err != ND_ENOTFOUND)
		add_fault(faults, path, &why);
}

static void
read_drop_ins(struct conf *conf, const char *path, struct nd_buf *texts, struct conf_faults *faults)
{
	const char *slash = strrchr(path, '/');
	struct filer_list found;
	struct nd_why why;
	char folder[4096];

	(void)snprintf(folder, sizeof(folder), "%.*sconf.d", slash ? (int)(slash - path + 1) : 0, path);
	/* One that cannot be read is not empty: its accounts would be gone. */
	if (filer_list(folder, ".conf", &found, &why) != ND_OK) {
		add_fault(faults, folder, &why);
		return;
	}
	for (unsigned i = 0; i < found.count; i++)
		read_file(conf, found.paths[i], true, texts, faults);
	filer_list_done(&found);
}

enum nd_err
settings_read(const struct app_options *options, const struct conf_host *names, struct conf *conf, struct nd_buf *texts,
    struct conf_faults *faults)
{
	const char *path = options->config ? options->config : ND_SYSCONFDIR "/notifyd/notifyd.conf";
	char host[256], fqdn[256];
	struct conf_host found = { host, fqdn };

	if (!names)
		host_names(host, fqdn, sizeof(host));
	conf_init(conf, names ? names : &found);
	nd_buf_init(texts, GOOD_LIMIT);
	read_file(conf, path, options->config != NULL, texts, faults);
	read_drop_ins(conf, path, texts, faults);
	conf_finish(conf, faults);
	return faults->count == 0 ? ND_OK : ND_ECONF;
}

static void
good_path(const struct app_options *options, char *path, size_t size)
{
	(void)snprintf(path, size, "%s/config.good", options->state_dir);
}

/* For each file "LENGTH NAME", a line end, its text, a line end. */
static enum nd_err
read_texts(struct conf *conf, char *at, size_t left, struct conf_faults *faults, struct nd_why *why)
{
	char *end, *name;
	size_t len;

	while (left > 0) {
		end = memchr(at, '\n', left);
		len = end ? strtoul(at, &name, 10) : 0;
		if (!end || name == at || *name != ' ' || len >= left - (size_t)(end - at) - 1)
			return nd_fail(why, ND_ECONF, 0, "it is damaged");
		*end = '\0';
		conf_read(conf, name + 1, end + 1, len, faults);
		left -= (size_t)(end + 1 - at) + len + 1;
		at = end + 1 + len + 1;
	}
	return ND_OK;
}

enum nd_err
settings_read_good(const struct app_options *options, struct conf *conf, struct nd_why *why)
{
	struct conf_faults faults = { 0 };
	char host[256], fqdn[256], path[4096], *text;
	struct conf_host names = { host, fqdn };
	enum nd_err err;
	size_t len;

	good_path(options, path, sizeof(path));
	err = filer_read(path, GOOD_LIMIT, &text, &len, why);
	if (err != ND_OK)
		return err;
	host_names(host, fqdn, sizeof(host));
	conf_init(conf, &names);
	err = read_texts(conf, text, len, &faults, why);
	free(text);
	conf_finish(conf, &faults);
	if (err == ND_OK && faults.count > 0) {
		*why = faults.fault[0].why;
		err = why->err;
	}
	conf_faults_done(&faults);
	if (err != ND_OK)
		conf_done(conf);
	return err;
}

static void
kept(void *arg, enum nd_err err, const struct nd_why *why)
{
	(void)arg;
	if (err != ND_OK)
		nd_log(ND_LOG_WARNING, NULL, "this configuration cannot be kept for the day the files are bad: %s",
		    why->text);
}

void
settings_keep(struct app *app, const struct nd_buf *texts)
{
	char path[4096];

	good_path(&app->options, path, sizeof(path));
	if (!texts->failed)
		filer_write_later(app->files, app->loop, path, nd_buf_text(texts), texts->len, kept, NULL);
}
