/* SPDX-License-Identifier: Apache-2.0 */
/* progress.c - one line that tells how far a long run has come, on a terminal alone.  Layer: client. */
#include "client/progress.h"

#include <string.h>

#define EVERY 100

void
progress_init(struct progress *progress, struct writer *writer, nd_ms now)
{
	*progress = (struct progress){ .writer = writer, .begun = now };
}

/* Spaces, and no escape sequence: that works on every terminal. */
void
progress_clear(struct progress *progress)
{
	if (progress->columns > 0)
		(void)fprintf(progress->writer->file, "\r%*s\r", (int)progress->columns, "");
	progress->columns = 0;
	(void)fflush(progress->writer->file);
}

/* A line that reached the last column would make the terminal scroll. */
void
progress_text(struct progress *progress, const char *text)
{
	unsigned len = (unsigned)strlen(text);

	if (!progress->writer->terminal)
		return;
	if (len >= progress->writer->width)
		len = progress->writer->width - 1;
	(void)fprintf(progress->writer->file, "\r%.*s%*s", (int)len, text,
	    progress->columns > len ? (int)(progress->columns - len) : 0, "");
	(void)fflush(progress->writer->file);
	progress->columns = len > progress->columns ? len : progress->columns;
}

void
progress_step(struct progress *progress, nd_ms now, unsigned done, unsigned total, unsigned refused)
{
	unsigned long long rate;
	char text[160], of[48] = "", bad[32] = "";

	if (now - progress->begun < PROGRESS_AFTER || (progress->drawn > 0 && now - progress->drawn < EVERY))
		return;
	progress->drawn = now;
	rate = 1000ULL * done / (unsigned long long)(now - progress->begun);
	if (total > 0)
		(void)snprintf(of, sizeof(of), " of %u (%u %%)", total, (unsigned)(100ULL * done / total));
	if (refused > 0)
		(void)snprintf(bad, sizeof(bad), ", %u refused", refused);
	(void)snprintf(text, sizeof(text), "%u%s jobs, %llu/s%s", done, of, rate, bad);
	progress_text(progress, text);
}
