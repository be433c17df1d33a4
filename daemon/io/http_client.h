/* SPDX-License-Identifier: Apache-2.0 */
/* http_client.h - one HTTPS request, one bounded reply, on a thread of its own.  Layer: io.  The only user of libcurl.
 *
 * https only, no redirects, verified, reply <= 64 KiB, 10 s to connect and 30 s in all, QUICK_EXIT. Secrets are
 * wiped when the request ends. Proxies come from the settings, never from the environment.
 * Plain http goes to Azure's metadata services alone: http://169.254.169.254/ and http://127.0.0.1:40342/, never by a proxy.
 */
#ifndef ND_IO_HTTP_CLIENT_H
#define ND_IO_HTTP_CLIENT_H

#include "common/err.h"
#include "daemon/io/loop.h"

#include <stdbool.h>
#include <stddef.h>

struct http_client;
struct tls_chain; /* io/tls.h */
struct http_client *http_client_new(struct loop *loop);
void http_client_free(struct http_client *client); /* gives up what is under way: no done()s after */

/* For all requests from now on: http://host:port or socks5://host:port (which resolves names too), NULL or "" none; no_proxy: hosts and domains
 * with commas between. Any time. */
void http_client_proxy(struct http_client *client, const char *proxy, const char *no_proxy);

struct http_client_request { /* all owned by the client after the call */
	char *url;
	char *authorization; /* NULL none */
	char *body;          /* POST, form */
	size_t body_len;
	char *ca_file, *ca_dir; /* both NULL: system CAs */
	bool inspect;           /* by a connection of its own, whose certificates the reply tells */
	bool
	    metadata; /* a GET with "Metadata: true" to one of the two addresses for which http is allowed; `body` has no use */
};
struct http_client_reply {
	int status; /* 0: none; then why */
	const char *body;
	size_t len;
	long retry_after;              /* s; -1 none. Seconds or an HTTP date */
	nd_unix date;                  /* the server's clock; 0 not told */
	const char *challenge;         /* WWW-Authenticate; NULL none */
	const struct tls_chain *chain; /* with `inspect`; NULL: there is none */
	struct nd_why why;
};
typedef void http_client_done(void *arg, const struct http_client_reply *reply); /* on the loop, once */
void http_client_post(
    struct http_client *client, struct http_client_request *request, http_client_done *done, void *arg);

/* The file of authorities that is trusted without a ca_file; "" none. */
const char *http_client_authorities(void);

#endif
