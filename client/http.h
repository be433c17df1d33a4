/* SPDX-License-Identifier: Apache-2.0 */
/* http.h - the daemon's answer: octets => status, type, body (RFC 9112).  Layer: client.  Pure. */
#ifndef ND_CLIENT_HTTP_H
#define ND_CLIENT_HTTP_H

#include "client/link.h"
#include "common/buf.h"

#include <stdbool.h>
#include <stdint.h>

#define HTTP_MAX_HEAD 32768u
#define HTTP_MAX_BODY ((size_t)128 << 20)

enum http_stage { HTTP_HEAD, HTTP_LENGTH, HTTP_CHUNK_SIZE, HTTP_CHUNK, HTTP_TRAILER, HTTP_TO_END, HTTP_COMPLETE };

struct http {
	struct nd_buf in; /* what came and was not yet used; the caller appends */
	size_t at;        /* what is used of it */
	uint64_t left;    /* of the body or the chunk */
	enum http_stage stage;
};

void http_init(struct http *http);
void http_done(struct http *http);
/* Uses what came. `at_end`: nothing more will. The stage tells whether the reply is whole. ND_EPROTOCOL, ND_ETOOBIG. */
enum nd_err http_read(struct http *http, struct link_reply *reply, bool at_end, struct nd_why *why) ND_MUST_CHECK;

#endif
