/* SPDX-License-Identifier: Apache-2.0 */
/* http_client_inner.h - what the files of the HTTP client share.  Layer: io.  For http_client*.c only. */
#ifndef ND_IO_HTTP_CLIENT_INNER_H
#define ND_IO_HTTP_CLIENT_INNER_H

#include "daemon/io/http_client.h"
#include "daemon/io/tls.h"

/* http_client_words.c: a CURLcode, what curl said of it ("" nothing), the proxy that was asked (NULL none), and the certificate that was not
 * believed. A `why` that tells something already is left as it is. */
struct http_client_cause {
	int code;
	const char *said, *proxy;
	const struct tls_refused *refused;
};
void http_client_failure(const char *url, const struct http_client_cause *cause, struct nd_why *why);
/* The proxy that is asked for a URL, without its scheme; NULL: none is, or the host is one of no_proxy. */
const char *http_client_by(const char *url, const char *proxy, const char *no_proxy);

#endif
