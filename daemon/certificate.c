/* SPDX-License-Identifier: Apache-2.0 */
/* certificate.c - notifyd --make-certificate, --show-certificate: a key that never leaves this host, and its certificate for the provider.
 *
 *   DIR/NAME-key       0600  credential:NAME-key; with --next NAME-key.next
 *   NAME.cer           0644  beside the configuration file: what is uploaded and what the setting certificate names; NAME.next.cer
 *
 * The key comes first: a certificate that is there has its key. */
#include "daemon/app.h"

#include "common/stamp.h"
#include "daemon/io/cert.h"
#include "daemon/io/filer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#define CONFIG ND_SYSCONFDIR "/notifyd/notifyd.conf"
#define FOLDER ND_SYSCONFDIR "/notifyd/credentials"
#define NAME_LIMIT 40u
#define PATH_SIZE 4096

struct making {
	const char *name, *folder;
	bool next;
	char key[PATH_SIZE], certificate[PATH_SIZE];
	struct cert_pair pair;
};

/* It becomes part of two paths, of a setting and of the certificate's subject. */
static enum nd_err
check_name(const char *name, struct nd_why *why)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
	size_t len = strlen(name);

	if (len > 0 && len <= NAME_LIMIT && strspn(name, letters) == len && name[0] != '-')
		return ND_OK;
	return nd_fail(why, ND_EINVALID, 0, "the name of a certificate has up to 40 letters, digits, _ and -");
}

/* Beside the configuration file. A whole path, for the setting needs one. */
static enum nd_err
name_files(struct making *making, const char *config, struct nd_why *why)
{
	const char *slash = strrchr(config, '/'), *next = making->next ? ".next" : "";
	char *folder = nd_xstrndup(slash != NULL ? config : ".", slash == NULL ? 1 : (size_t)(slash - config));
	char *whole = realpath(folder[0] != '\0' ? folder : "/", NULL);
	enum nd_err err = ND_OK;
	int key, certificate;

	if (whole == NULL)
		err = nd_fail(why, ND_EDISK, errno, "there is no folder %.160s for the certificate", folder);
	else {
		key = snprintf(making->key, sizeof(making->key), "%s/%s-key%s", making->folder, making->name, next);
		certificate = snprintf(making->certificate, sizeof(making->certificate), "%s/%s%s.cer",
		    strcmp(whole, "/") == 0 ? "" : whole, making->name, next);
		if (key >= PATH_SIZE || certificate >= PATH_SIZE)
			err = nd_fail(why, ND_EINVALID, 0, "the paths are too long");
	}
	free(folder);
	free(whole);
	return err;
}

static enum nd_err
is_there(const struct making *making, const char *path, struct nd_why *why)
{
	char hint[200];

	(void)snprintf(hint, sizeof(hint), "%s: notifyctl cert renew %s%s",
	    making->next ? "when its certificate is uploaded" : "for a new pair beside it", making->name,
	    making->next ? " --activate" : "");
	(void)nd_fail(why, ND_ESTATE, 0, "%.200s is there, and is never overwritten", path);
	return nd_fail_at(why, "", 0, hint);
}

/* A sealed key would be hidden by a plain one of its name. */
static enum nd_err
check_free(const struct making *making, struct nd_why *why)
{
	char sealed[PATH_SIZE + 16];

	(void)snprintf(sealed, sizeof(sealed), "%s.encrypted/%s-key", making->folder, making->name);
	if (access(making->key, F_OK) == 0)
		return is_there(making, making->key, why);
	if (access(making->certificate, F_OK) == 0)
		return is_there(making, making->certificate, why);
	if (access(sealed, F_OK) != 0)
		return ND_OK;
	(void)nd_fail(why, ND_ESTATE, 0, "%.200s is a sealed key of this name, and is never overwritten", sealed);
	return nd_fail_at(why, "", 0, "choose another name, and name its pair in the settings of the account");
}

static enum nd_err
write_pair(struct making *making, struct nd_why *why)
{
	const struct cert_pair *pair = &making->pair;
	enum nd_err err = filer_mkdir(making->folder, why);

	if (err == ND_OK)
		err = filer_create(making->key, 0600, pair->key.octets, pair->key.len, why);
	if (err != ND_OK)
		return err;
	err = filer_create(making->certificate, 0644, pair->public.octets, pair->public.len, why);
	if (err != ND_OK)
		(void)unlink(making->key); /* just made, and good for nothing */
	return err;
}

static enum nd_err
make(struct making *making, const char *config, struct nd_why *why)
{
	struct timespec now;
	enum nd_err err = check_name(making->name, why);

	if (err == ND_OK)
		err = name_files(making, config, why);
	if (err == ND_OK)
		err = check_free(making, why);
	if (err != ND_OK)
		return err;
	(void)clock_gettime(CLOCK_REALTIME, &now);
	err = cert_make(making->name, (nd_unix)now.tv_sec * 1000, &making->pair, why);
	return err == ND_OK ? write_pair(making, why) : err;
}

static void
tell_certificate(const struct making *making)
{
	char end[ND_STAMP_SIZE];

	(void)printf("upload       %s\n", making->certificate);
	(void)printf("thumbprint   %s (SHA-1, as Entra ID shows it)\n", making->pair.sha1);
	(void)printf("SHA-256      %s\n", making->pair.sha256);
	(void)printf("ends         %.10s\n", nd_stamp_rfc3339(making->pair.not_after, end));
}

static void
tell(const struct making *making)
{
	(void)printf("key          %s (it stays here)\n", making->key);
	tell_certificate(making);
	if (!making->next)
		(void)printf("\nin notifyd.conf:\ncertificate = %s\nkey = credential:%s-key\n", making->certificate,
		    making->name);
}

static int
fail(const struct nd_why *why)
{
	(void)fprintf(stderr, "notifyd: %s\n", why->text);
	if (why->hint[0] != '\0')
		(void)fprintf(stderr, "  hint: %s\n", why->hint);
	return why->err == ND_EINVALID ? EX_USAGE : why->err == ND_ESTATE ? EX_CANTCREAT : EX_IOERR;
}

static struct making
asked(const struct app_options *options)
{
	return (struct making){ .name = options->certificate,
		.folder = options->credentials_dir != NULL ? options->credentials_dir : FOLDER,
		.next = options->next };
}

int
certificate_make(const struct app_options *options)
{
	struct making making = asked(options);
	struct nd_why why;
	int code = EX_OK;

	if (make(&making, options->config != NULL ? options->config : CONFIG, &why) != ND_OK)
		code = fail(&why);
	else
		tell(&making);
	cert_done(&making.pair);
	return code;
}

int
certificate_show(const struct app_options *options)
{
	struct making making = asked(options);
	struct nd_why why;
	int code = EX_OK;

	if (check_name(making.name, &why) != ND_OK ||
	    name_files(&making, options->config != NULL ? options->config : CONFIG, &why) != ND_OK)
		code = fail(&why);
	else if (cert_read(making.certificate, &making.pair, &why) != ND_OK) {
		(void)fail(&why);
		code = EX_NOINPUT;
	} else {
		tell_certificate(&making);
		(void)printf("\n%.*s", (int)making.pair.public.len, making.pair.public.octets);
	}
	cert_done(&making.pair);
	return code;
}
