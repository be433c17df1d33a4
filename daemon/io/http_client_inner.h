/* SPDX-License-Identifier: Apache-2.0 */
/* http_client_inner.h - what the files of the HTTP client share.  Layer: io.  For http_client*.c only. */
#ifndef ND_IO_HTTP_CLIENT_INNER_H
#define ND_IO_HTTP_CLIENT_INNER_H

#include "daemon/io/http_client.h"
#include "daemon/io/tls.h"

/* http_client_words.c: a CURLcode, what curl said of it ("" nothing), and the certificate that was not believed. A `why` that tells something
 * already is left as it is. */
void http_client_failure(
    const char *url, int code, const char *said, const struct tls_refused *refused, struct nd_why *why);

#endif
