/* SPDX-License-Identifier: Apache-2.0 */
/* tls_authorities.c - whom this host trusts.  Layer: io.  Knows OpenSSL. */
#include "daemon/io/tls_inner.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILES_MAX 4096u /* of a folder that are looked at */

const char *
tls_version(void)
{
	return OpenSSL_version(OPENSSL_VERSION);
}

static const char *
named(const char *variable, const char *standard)
{
	const char *value = secure_getenv(variable);

	return value != NULL && value[0] != '\0' ? value : standard;
}

const char *
tls_authorities_place(void)
{
	return named(X509_get_default_cert_dir_env(), X509_get_default_cert_dir());
}

static int
count_file(X509_STORE *store, const char *file)
{
	STACK_OF(X509_OBJECT) * objects;
	int count = -1;

	if (X509_STORE_load_file(store, file) == 1) {
		objects = X509_STORE_get0_objects(store);
		count = sk_X509_OBJECT_num(objects);
	}
	ERR_clear_error();
	return count;
}

/* "0a1b2c3d.0": how OpenSSL finds an authority by its name. */
static bool
hashed(const char *name)
{
	size_t len = 0;

	while (isxdigit((unsigned char)name[len]))
		len++;
	return len == 8 && name[8] == '.' && isdigit((unsigned char)name[9]);
}

static void
add_folder(X509_STORE *store, const char *folder)
{
	const struct dirent *entry;
	unsigned seen = 0;
	char path[4096];
	DIR *dir = opendir(folder);

	/* NOLINTNEXTLINE(concurrency-mt-unsafe): the stream is nobody else's */
	while (dir != NULL && seen < FILES_MAX && (entry = readdir(dir)) != NULL) {
		if (!hashed(entry->d_name))
			continue;
		seen++;
		(void)snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		(void)X509_STORE_load_file(store, path);
		ERR_clear_error();
	}
	if (dir != NULL)
		(void)closedir(dir);
}

int
tls_authorities(const char *file, char *reason, size_t size)
{
	X509_STORE *store = X509_STORE_new();
	FILE *opened;
	int count;

	if (store == NULL)
		abort(); /* no memory */
	if (file == NULL) {
		add_folder(store, tls_authorities_place());
		(void)count_file(store, named(X509_get_default_cert_file_env(), X509_get_default_cert_file()));
		count = sk_X509_OBJECT_num(X509_STORE_get0_objects(store));
	} else {
		count = count_file(store, file);
	}
	if (count < 0) {
		opened = fopen(file, "re");
		(void)snprintf(reason, size, "%s",
		    opened == NULL ? strerrordesc_np(errno) : "it holds no certificate that can be read");
		if (opened != NULL)
			(void)fclose(opened);
	}
	X509_STORE_free(store);
	return count;
}

static bool
issued_by(const struct tls_chain *chain, const char *file)
{
	char subject[256] = "";
	bool found = false;
	FILE *from = fopen(file, "re");
	X509 *cert = from != NULL ? PEM_read_X509(from, NULL, NULL, NULL) : NULL;

	if (cert != NULL)
		tls_chain_name(X509_get_subject_name(cert), subject, sizeof(subject));
	for (unsigned i = 0; subject[0] != '\0' && i < chain->count && !found; i++)
		found = strcmp(chain->cert[i].issuer, subject) == 0;
	X509_free(cert);
	if (from != NULL)
		(void)fclose(from);
	ERR_clear_error();
	return found;
}

const char *
tls_chain_local(const struct tls_chain *chain, const char *folder, char *path, size_t size)
{
	const struct dirent *entry;
	DIR *dir = opendir(folder);
	unsigned seen = 0;
	bool found = false;
	size_t len;

	/* NOLINTNEXTLINE(concurrency-mt-unsafe): the stream is nobody else's */
	while (dir != NULL && !found && seen++ < FILES_MAX && (entry = readdir(dir)) != NULL) {
		len = strlen(entry->d_name);
		if (len < 5 || strcmp(entry->d_name + len - 4, ".crt") != 0)
			continue;
		(void)snprintf(path, size, "%s/%s", folder, entry->d_name);
		found = issued_by(chain, path);
	}
	if (dir != NULL)
		(void)closedir(dir);
	if (!found)
		path[0] = '\0';
	return path;
}
