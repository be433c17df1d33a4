/* SPDX-License-Identifier: Apache-2.0 */
/* http_client_words.c - why there was no reply.  Layer: io.  Knows libcurl. */
#include "daemon/io/http_client_inner.h"

#include <curl/curl.h>
#include <string.h>

/* clang-format off */
static const struct {
	CURLcode code;
	enum nd_err err;
} failures[] = {
	{ CURLE_COULDNT_RESOLVE_HOST,     ND_ERESOLVE },
	{ CURLE_COULDNT_RESOLVE_PROXY,    ND_ERESOLVE },
	{ CURLE_PROXY,                    ND_ECONNECT },
	{ CURLE_COULDNT_CONNECT,          ND_ECONNECT },
	{ CURLE_OPERATION_TIMEDOUT,       ND_EDEADLINE },
	{ CURLE_GOT_NOTHING,              ND_ECLOSED },
	{ CURLE_SEND_ERROR,               ND_ECLOSED },
	{ CURLE_RECV_ERROR,               ND_ECLOSED },
	{ CURLE_PARTIAL_FILE,             ND_ECLOSED },
	{ CURLE_PEER_FAILED_VERIFICATION, ND_ETLS },
	{ CURLE_SSL_CONNECT_ERROR,        ND_ETLS },
	{ CURLE_SSL_CACERT_BADFILE,       ND_ETLS },
	{ CURLE_SSL_CIPHER,               ND_ETLS },
	{ CURLE_SSL_ISSUER_ERROR,         ND_ETLS },
	{ CURLE_SSL_CERTPROBLEM,          ND_ETLS },
	{ CURLE_SSL_INVALIDCERTSTATUS,    ND_ETLS },
	{ CURLE_URL_MALFORMAT,            ND_ECONF },
	{ CURLE_UNSUPPORTED_PROTOCOL,     ND_ECONF },
	{ CURLE_OUT_OF_MEMORY,            ND_EMEMORY },
};
/* clang-format on */

/* The host of a URL, for messages. */
static int
host_of(const char *url, const char **host)
{
	const char *start = strstr(url, "://");

	*host = start == NULL ? url : start + 3;
	return (int)strcspn(*host, "/:?");
}

/* As curl does: a host of the list, or below one of it. */
static bool
is_listed(const char *host, size_t len, const char *list)
{
	for (size_t n; *list != '\0'; list += n) {
		const char *item = list + strspn(list, ", .");

		n = strcspn(item, ", ");
		if (n > 0 && n <= len && strncasecmp(host + len - n, item, n) == 0 &&
		    (n == len || host[len - n - 1] == '.'))
			return true;
		n += (size_t)(item - list);
	}
	return false;
}

const char *
http_client_by(const char *url, const char *proxy, const char *no_proxy)
{
	const char *host, *scheme, *user;
	const int len = host_of(url, &host);

	if (proxy[0] == '\0' || is_listed(host, (size_t)len, no_proxy))
		return NULL;
	scheme = strstr(proxy, "://");
	if (scheme != NULL)
		proxy = scheme + 3;
	user = strrchr(proxy, '@');
	return user != NULL ? user + 1 : proxy;
}

/* An authority that this host does not know has signed the certificate: often a box on the way, so it is named. */
static void
tell_refused(const struct tls_refused *refused, const char *host, int host_len, struct nd_why *why)
{
	(void)nd_fail(why, ND_ETLS, 0, "%.*s: SSL certificate problem: %s; issuer is %s", host_len, host,
	    refused->reason, refused->issuer[0] != '\0' ? refused->issuer : "not named");
}

void
http_client_failure(const char *url, const struct http_client_cause *cause, struct nd_why *why)
{
	const int code = cause->code;
	const char *words = cause->said[0] != '\0' ? cause->said : curl_easy_strerror((CURLcode)code);
	enum nd_err err = ND_EPROTOCOL;
	const char *host;
	int host_len = host_of(url, &host);

	if (why->err != ND_OK) /* what is trusted could not be read, and that is told already */
		return;
	if (cause->refused->reason[0] != '\0') {
		tell_refused(cause->refused, host, host_len, why);
		return;
	}
	for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++) {
		if ((int)failures[i].code == code)
			err = failures[i].err;
	}
	/* a connection that breaks during the handshake says nothing about trust */
	if (code == CURLE_SSL_CONNECT_ERROR &&
	    (strstr(words, "SSL_ERROR_SYSCALL") != NULL || strstr(words, "reset by peer") != NULL))
		err = ND_ECLOSED;
	if (code == CURLE_WRITE_ERROR || code == CURLE_FILESIZE_EXCEEDED) {
		words = "the reply is larger than 64 KiB";
		err = ND_ETOKEN; /* whoever answers so is no token endpoint: asking again is of no use */
	}
	if (cause->proxy != NULL && err != ND_ETOKEN && err != ND_ETLS)
		(void)nd_fail(why, err, 0, "%.*s, by the proxy %.*s (setting proxy): %s", host_len, host,
		    (int)strcspn(cause->proxy, "/"), cause->proxy, words);
	else
		(void)nd_fail(why, err, 0, "%.*s: %s", host_len, host, words);
}
