/* SPDX-License-Identifier: Apache-2.0 */
/* paste.h - one long line from the terminal, or from stdin.  Layer: client.
 *
 * A terminal's own line editing ends lines at 4,095 octets; an address with a code in it may be longer.
 */
#ifndef ND_CLIENT_PASTE_H
#define ND_CLIENT_PASTE_H

#include "common/buf.h"

#include <stdbool.h>

#define PASTE_MAX 16384u

enum paste_state {
	PASTE_MORE, /* not whole yet */
	PASTE_LINE, /* paste->line, not empty; a secret. paste_next goes on */
	PASTE_END,  /* nothing more will come */
};

struct paste {
	struct nd_buf line;
	bool terminal;
};

void paste_open(struct paste *paste);
/* Reads once from stdin. */
enum paste_state paste_read(struct paste *paste);
void paste_next(struct paste *paste);
/* Wipes the line, gives the terminal back as it was. */
void paste_close(struct paste *paste);
/* Only the latter; for handlers of signals. */
void paste_restore(void);

#endif
