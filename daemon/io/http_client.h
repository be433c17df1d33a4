/* SPDX-License-Identifier: Apache-2.0 */
/* http_client.h - one HTTPS request, one bounded reply, on a thread of its own.  Layer: io.  The only user of libcurl.
 *
 * https only, no redirects, verified, reply <= 64 KiB, 10 s to connect and 30 s in all, QUICK_EXIT. Secrets are
 * wiped when the request ends.
 */
#ifndef ND_IO_HTTP_CLIENT_H
#define ND_IO_HTTP_CLIENT_H

#include "common/err.h"
#include "daemon/io/loop.h"

struct http_client;
struct http_client *http_client_new(struct loop *loop);
void http_client_free(struct http_client *client); /* gives up what is under way: no done()s after */

struct http_client_request { /* all owned by the client after the call */
	char *url;
	char *authorization; /* NULL none */
	char *body;          /* POST, form */
	size_t body_len;
	char *ca_file; /* NULL: system CAs */
};
struct http_client_reply {
	int status; /* 0: none; then why */
	const char *body;
	size_t len;
	long retry_after; /* s; -1 none. Seconds or an HTTP date */
	struct nd_why why;
};
typedef void http_client_done(void *arg, const struct http_client_reply *reply); /* on the loop, once */
void http_client_post(
    struct http_client *client, struct http_client_request *request, http_client_done *done, void *arg);

#endif
