/* SPDX-License-Identifier: Apache-2.0 */
/* settings.c - finds the configuration files and reads them: FILE, then the drop-ins of conf.d beside it, by name. */
#include "daemon/app.h"

#include "common/mem.h"

#include <errno.h>
#include <glob.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define FILE_LIMIT (1024u * 1024)

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
read_file(struct conf *conf, const char *path, bool required, struct conf_faults *faults)
{
	const char *name = strrchr(path, '/');
	struct conf_fault *fault;
	struct nd_why why;
	char *text;
	size_t len;

	if (filer_read(path, FILE_LIMIT, &text, &len, &why) == ND_OK) {
		conf_read(conf, name ? name + 1 : path, text, len, faults);
		free(text);
		return;
	}
	if (!required && why.err == ND_ENOTFOUND)
		return;
	faults->fault = nd_xrealloc(faults->fault, (faults->count + 1) * sizeof(*faults->fault));
	faults->room = faults->count + 1;
	fault = &faults->fault[faults->count++];
	memset(fault, 0, sizeof(*fault));
	(void)snprintf(fault->file, sizeof(fault->file), "%s", path);
	fault->why = why;
}

static void
read_drop_ins(struct conf *conf, const char *path, struct conf_faults *faults)
{
	const char *slash = strrchr(path, '/');
	char pattern[4096];
	glob_t found;
	size_t i;

	(void)snprintf(pattern, sizeof(pattern), "%.*sconf.d/*.conf", slash ? (int)(slash - path + 1) : 0, path);
	if (glob(pattern, 0, NULL, &found) != 0)
		return;
	for (i = 0; i < found.gl_pathc; i++)
		read_file(conf, found.gl_pathv[i], true, faults);
	globfree(&found);
}

enum nd_err
app_configure(const struct app_options *options, struct conf *conf, struct conf_faults *faults)
{
	const char *path = options->config ? options->config : ND_SYSCONFDIR "/notifyd/notifyd.conf";
	char host[256], fqdn[256];
	struct conf_host names = { host, fqdn };

	host_names(host, fqdn, sizeof(host));
	conf_init(conf, &names);
	read_file(conf, path, options->config != NULL, faults);
	read_drop_ins(conf, path, faults);
	conf_finish(conf, faults);
	return faults->count == 0 ? ND_OK : ND_ECONF;
}
