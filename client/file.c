/* SPDX-License-Identifier: Apache-2.0 */
/* file.c - reads whole files, bounded.  Layer: client. */
#include "client/file.h"

#include "common/str.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_SIZE 65536u

static enum nd_err
read_fd(int fd, const char *name, struct nd_buf *out, struct nd_why *why)
{
	ssize_t n;
	size_t want;
	char *room, beyond;

	for (;;) {
		want = out->limit - out->len < READ_SIZE ? out->limit - out->len : READ_SIZE;
		room = want > 0 ? nd_buf_reserve(out, want) : &beyond;
		if (room == NULL)
			return nd_fail(why, ND_EMEMORY, 0, "no memory to read %.120s", name);
		n = read(fd, room, want > 0 ? want : 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return nd_fail(why, ND_ENOTFOUND, errno, "cannot read %.120s", name);
		if (n == 0)
			return ND_OK;
		if (want == 0)
			return nd_fail(why, ND_ETOOBIG, 0, "%.120s is too large", name);
		nd_buf_grown(out, (size_t)n);
	}
}

enum nd_err
file_read(const char *path, struct nd_buf *out, struct nd_why *why)
{
	enum nd_err err;
	struct stat st;
	int fd;

	if (strcmp(path, "-") == 0)
		return read_fd(STDIN_FILENO, "standard input", out, why);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return nd_fail(why, ND_ENOTFOUND, errno, "cannot open %.120s", path);
	if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode))
		err = nd_fail(why, ND_ENOTFOUND, EISDIR, "cannot read %.120s", path);
	else
		err = read_fd(fd, path, out, why);
	(void)close(fd);
	return err;
}

bool
file_stdin_given(void)
{
	struct stat st;

	return fstat(STDIN_FILENO, &st) == 0 && (S_ISFIFO(st.st_mode) || S_ISREG(st.st_mode));
}

const char *
file_base(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? slash + 1 : path;
}

const char *
file_type(const char *path)
{
	static const struct {
		const char *ending, *type;
	} types[] = {
		{ "txt", "text/plain" },
		{ "log", "text/plain" },
		{ "csv", "text/csv" },
		{ "html", "text/html" },
		{ "json", "application/json" },
		{ "xml", "application/xml" },
		{ "pdf", "application/pdf" },
		{ "png", "image/png" },
		{ "jpg", "image/jpeg" },
		{ "jpeg", "image/jpeg" },
		{ "gif", "image/gif" },
		{ "svg", "image/svg+xml" },
		{ "gz", "application/gzip" },
		{ "zip", "application/zip" },
	};
	const char *dot = strrchr(file_base(path), '.');
	size_t i;

	for (i = 0; dot != NULL && i < sizeof(types) / sizeof(types[0]); i++)
		if (nd_str_eq_nocase(dot + 1, types[i].ending))
			return types[i].type;
	return NULL;
}
