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
#include <sys/stat.h>

#define FILES_MAX 4096u /* of a folder that are looked at */
#define OWN_MAX 1000u   /* of an account's own folder */
#define OWN_OCTETS (1 << 20)

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

/* -- the authorities of an account -- */

static enum nd_err
fail_own(const char *key, const char *path, const char *problem, const char *hint, struct nd_why *why)
{
	(void)nd_fail(why, ND_ECONF, 0, "the CA certificates in \"%.120s\" cannot be read: %s", path, problem);
	return nd_fail_at(why, key, 0, hint);
}

/* What a folder for people holds besides: READMEs, keys, links of c_rehash to the same files. */
static bool
named_pem(const char *name)
{
	static const char *const ends[] = { ".pem", ".crt" };
	const size_t len = strlen(name);

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		if (len > 4 && name[0] != '.' && strcmp(name + len - 4, ends[i]) == 0)
			return true;
	return false;
}

static enum nd_err
add_own(X509_STORE *store, const char *path, struct nd_why *why)
{
	static const char hint[] = "give PEM certificates in it, or move it out of the folder";
	struct stat st;

	if (stat(path, &st) != 0)
		return fail_own("ca_dir", path, strerrordesc_np(errno), hint, why);
	if (!S_ISREG(st.st_mode)) /* a FIFO would hold us up */
		return fail_own("ca_dir", path, "it is not a regular file", hint, why);
	if (st.st_size > OWN_OCTETS)
		return fail_own("ca_dir", path, "it is larger than 1 MiB", hint, why);
	ERR_clear_error();
	if (X509_STORE_load_file(store, path) != 1) {
		(void)fail_own("ca_dir", path, tls_reason(ERR_peek_error()), hint, why);
		ERR_clear_error();
		return ND_ECONF;
	}
	return ND_OK;
}

/* Each file by itself, so nobody has to make the hashed names that OpenSSL wants of a folder. */
static enum nd_err
add_own_folder(X509_STORE *store, const char *folder, struct nd_why *why)
{
	const struct dirent *entry;
	enum nd_err err = ND_OK;
	unsigned files = 0;
	char path[4096];
	DIR *dir = opendir(folder);

	if (dir == NULL)
		return fail_own(
		    "ca_dir", folder, strerrordesc_np(errno), "the user notifyd must be able to read the folder", why);
	/* NOLINTNEXTLINE(concurrency-mt-unsafe): the stream is nobody else's */
	while (err == ND_OK && (entry = readdir(dir)) != NULL) {
		if (!named_pem(entry->d_name))
			continue;
		if (++files > OWN_MAX) {
			err = fail_own(
			    "ca_dir", folder, "there are more than 1000", "one file may hold many certificates", why);
		} else if (snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name) >= (int)sizeof(path)) {
			err = fail_own("ca_dir", folder, "its name is too long", NULL, why);
		} else {
			err = add_own(store, path, why);
		}
	}
	(void)closedir(dir);
	if (err == ND_OK && files == 0)
		err =
		    fail_own("ca_dir", folder, "there is none", "put PEM files there, named NAME.pem or NAME.crt", why);
	return err;
}

static enum nd_err
add_own_file(X509_STORE *store, const char *file, struct nd_why *why)
{
	ERR_clear_error();
	if (X509_STORE_load_file(store, file) == 1)
		return ND_OK;
	(void)fail_own(
	    "ca_file", file, tls_reason(ERR_peek_error()), "give a PEM file that holds the CA's certificate", why);
	ERR_clear_error();
	return ND_ECONF;
}

enum nd_err
tls_trust(void *context, const char *ca_file, const char *ca_dir, struct nd_why *why)
{
	const bool file = ca_file != NULL && ca_file[0] != '\0', folder = ca_dir != NULL && ca_dir[0] != '\0';
	X509_STORE *store;
	enum nd_err err = ND_OK;

	if (!file && !folder) {
		ERR_clear_error();
		if (SSL_CTX_set_default_verify_paths(context) == 1)
			return ND_OK;
		return fail_own("ca_file", "the system's store", tls_reason(ERR_get_error()), NULL, why);
	}
	store = X509_STORE_new(); /* not the context's own: libcurl may share that one with others */
	if (store == NULL)
		abort(); /* no memory */
	if (file)
		err = add_own_file(store, ca_file, why);
	if (err == ND_OK && folder)
		err = add_own_folder(store, ca_dir, why);
	if (err == ND_OK)
		SSL_CTX_set_cert_store(context, store);
	else
		X509_STORE_free(store);
	return err;
}

/* -- how many there are -- */

static int
count_folder(X509_STORE *store, const char *folder, char *reason, size_t size)
{
	struct nd_why why;

	if (add_own_folder(store, folder, &why) == ND_OK)
		return sk_X509_OBJECT_num(X509_STORE_get0_objects(store));
	(void)snprintf(reason, size, "%s", why.text);
	return -1;
}

static void
tell_unread(const char *file, char *reason, size_t size)
{
	FILE *opened = fopen(file, "re");

	(void)snprintf(
	    reason, size, "%s", opened == NULL ? strerrordesc_np(errno) : "it holds no certificate that can be read");
	if (opened != NULL)
		(void)fclose(opened);
}

int
tls_authorities(const char *file, const char *folder, char *reason, size_t size)
{
	X509_STORE *store = X509_STORE_new();
	int count;

	if (store == NULL)
		abort(); /* no memory */
	if (file == NULL && folder == NULL) {
		add_folder(store, tls_authorities_place());
		(void)count_file(store, named(X509_get_default_cert_file_env(), X509_get_default_cert_file()));
		count = sk_X509_OBJECT_num(X509_STORE_get0_objects(store));
	} else if (folder != NULL) {
		count = count_folder(store, folder, reason, size);
	} else {
		count = count_file(store, file);
		if (count < 0)
			tell_unread(file, reason, size);
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
