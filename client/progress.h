/* SPDX-License-Identifier: Apache-2.0 */
/* progress.h - one line that tells how far a long run has come, on a terminal alone.  Layer: client.
 *
 * Whatever else is printed meanwhile clears it first; it comes back with the next step.
 */
#ifndef ND_CLIENT_PROGRESS_H
#define ND_CLIENT_PROGRESS_H

#include "client/writer.h"
#include "common/clock.h"

struct progress {
	struct writer *writer; /* borrowed */
	nd_ms begun, drawn;
	unsigned columns; /* what stands on the terminal now */
};

void progress_init(struct progress *progress, struct writer *writer, nd_ms now);
/* `total` 0: not known. Drawn once it takes PROGRESS_AFTER, and not more often than people can read. */
#define PROGRESS_AFTER 300
void progress_step(struct progress *progress, nd_ms now, unsigned done, unsigned total, unsigned refused);
void progress_text(struct progress *progress, const char *text);
void progress_clear(struct progress *progress);

#endif
