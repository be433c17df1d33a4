/* SPDX-License-Identifier: Apache-2.0 */
/* journal.c - the journal as a sink of log.h.  Layer: io.  Knows libsystemd. */
#define SD_JOURNAL_SUPPRESS_LOCATION /* every line would name this file */

#include "daemon/io/journal.h"

#include "common/buf.h"

#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#define FIXED 3u       /* MESSAGE, PRIORITY, SYSLOG_IDENTIFIER */
#define FIELDS_MAX 24u /* more than any line of ours has */
#define LINE_MAX_OCTETS 65536u
#define NAME_MAX_OCTETS 64u /* the journal drops fields of longer names */

bool
journal_wanted(void)
{
	const char *stream = secure_getenv("JOURNAL_STREAM");
	char *colon, *end;
	unsigned long long device, inode;
	struct stat st;

	if (stream == NULL)
		return false;
	device = strtoull(stream, &colon, 10);
	if (colon == stream || *colon != ':')
		return false;
	inode = strtoull(colon + 1, &end, 10);
	if (end == colon + 1 || *end != '\0')
		return false;
	return fstat(STDERR_FILENO, &st) == 0 && st.st_dev == (dev_t)device && st.st_ino == (ino_t)inode;
}

static bool
name_allowed(const char *name)
{
	size_t len = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");

	return len > 0 && name[len] == '\0' && len + strlen("NOTIFYD_") <= NAME_MAX_OCTETS;
}

/* One assignment, appended; where it begins goes to starts[]. What does not fit is left out, never cut. */
static void
put(struct nd_buf *buf, size_t *starts, unsigned *count, const char *prefix, const char *name, const char *value)
{
	size_t before = buf->len;

	if (buf->failed || !nd_buf_addf(buf, "%s%s=%s", prefix, name, value)) {
		buf->failed = false;
		return;
	}
	starts[(*count)++] = before;
}

void
journal_sink(enum nd_level level, const char *text, const struct nd_field *fields)
{
	size_t starts[FIXED + FIELDS_MAX + 1];
	struct iovec parts[FIXED + FIELDS_MAX];
	struct nd_buf buf;
	char priority[12];
	unsigned count = 0;

	nd_buf_init(&buf, LINE_MAX_OCTETS);
	(void)snprintf(priority, sizeof(priority), "%d", (int)level);
	put(&buf, starts, &count, "", "PRIORITY", priority);
	put(&buf, starts, &count, "", "SYSLOG_IDENTIFIER", "notifyd");
	put(&buf, starts, &count, "", "MESSAGE", text);
	for (; fields != NULL && fields->name != NULL && count < FIXED + FIELDS_MAX; fields++)
		if (fields->value != NULL && name_allowed(fields->name))
			put(&buf, starts, &count, "NOTIFYD_", fields->name, fields->value);
	starts[count] = buf.len;
	for (unsigned i = 0; i < count; i++)
		parts[i] = (struct iovec){ buf.octets + starts[i], starts[i + 1] - starts[i] };
	/* A lost line must not become a failure of the mail. */
	(void)sd_journal_sendv(parts, (int)count);
	nd_buf_done(&buf);
}
