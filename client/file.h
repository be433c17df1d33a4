/* SPDX-License-Identifier: Apache-2.0 */
/* file.h - reads whole files, bounded.  Layer: client. */
#ifndef ND_CLIENT_FILE_H
#define ND_CLIENT_FILE_H

#include "common/buf.h"
#include "common/err.h"

#include <stdbool.h>

/* Appends a file, or stdin for "-". ND_ENOTFOUND it cannot be read (errno in the text), ND_ETOOBIG over the buffer's limit. */
enum nd_err file_read(const char *path, struct nd_buf *out, struct nd_why *why) ND_MUST_CHECK;
/* Whether stdin is a pipe or a file, so that somebody meant to say something there. Not a terminal, not /dev/null. */
bool file_stdin_given(void);
/* The name without its folders, and the media type that its ending tells (NULL: unknown). */
const char *file_base(const char *path);
const char *file_type(const char *path);

#endif
