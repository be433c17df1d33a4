/* SPDX-License-Identifier: Apache-2.0 */
/* buf.h - a byte buffer with a limit from birth.  Layer: common, base.
 *
 * Appending past the limit, or without memory, sets `failed` and leaves the octets as they were; every later append is refused too. So a
 * writer appends freely and asks once at the end. Octets are always followed by a NUL that is not counted.
 */
#ifndef ND_COMMON_BUF_H
#define ND_COMMON_BUF_H

#include "common/err.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Takes octets for good; false: it cannot, and the buffer has failed. */
typedef bool nd_buf_sink(void *arg, const char *octets, size_t len);

struct nd_buf {
	char *octets; /* owned; NULL while nothing was added */
	size_t len;
	size_t room;
	size_t limit;
	bool failed;
	nd_buf_sink *sink; /* NULL: all octets stay */
	void *sink_arg;
};

void nd_buf_init(struct nd_buf *buf, size_t limit);
/* A writer of much that ends elsewhere: what nd_buf_pass lets go of is the sink's, and the limit is one of the rest. */
void nd_buf_init_sink(struct nd_buf *buf, size_t limit, nd_buf_sink *sink, void *arg);
/* A place where the writer needs nothing of what it wrote but the last `keep` octets. Nothing happens without a sink, or with few octets. */
void nd_buf_pass(struct nd_buf *buf, size_t keep);
bool nd_buf_flush(struct nd_buf *buf); /* the rest goes to the sink; false: it or a writer has failed */
void nd_buf_done(struct nd_buf *buf);  /* frees; the buffer may be used again, with the same limit */
void nd_buf_wipe(struct nd_buf *buf);  /* as done, for secrets: overwritten first */
void nd_buf_clear(struct nd_buf *buf); /* empties, keeps the memory, forgets `failed` */
bool nd_buf_add(struct nd_buf *buf, const void *octets, size_t len);
bool nd_buf_adds(struct nd_buf *buf, const char *text);
bool nd_buf_addc(struct nd_buf *buf, char c);
bool nd_buf_addi(struct nd_buf *buf, int64_t number); /* its digits */
bool nd_buf_addf(struct nd_buf *buf, const char *format, ...) ND_PRINTF(2, 3);
/* Room for `len` more octets: the place to write them, or NULL (then `failed`). Call nd_buf_grown() after. */
char *nd_buf_reserve(struct nd_buf *buf, size_t len);
void nd_buf_grown(struct nd_buf *buf, size_t len);
void nd_buf_drop(struct nd_buf *buf, size_t len);  /* forgets the first `len` octets */
const char *nd_buf_text(const struct nd_buf *buf); /* never NULL */
/* The octets, now the caller's (free them); the buffer is empty. NULL when nothing was added. */
char *nd_buf_take(struct nd_buf *buf, size_t *len);

#endif
