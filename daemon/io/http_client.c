/* SPDX-License-Identifier: Apache-2.0 */
/* http_client.c - one HTTPS request, one bounded reply, on a thread of its own.  Layer: io.  The only user of libcurl.
 *
 *   http_client_post (loop) ─► fresh ─► curl multi (thread) ─► answered, note ─► done() (loop)
 *
 * The client and its notes live until the last of these has run: `holds` counts the client itself and each note
 * under way.
 */
#include "daemon/io/http_client.h"

#include "common/buf.h"
#include "common/mem.h"
#include "daemon/io/http_client_inner.h"
#include "daemon/io/tls.h"

#include <curl/curl.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REPLY_MAX 65536u
#define CONNECT_SECONDS 10L
#define TOTAL_SECONDS 30L
#define RETRY_AFTER_MAX 3600
#define IDLE_MS 3600000 /* posting and ending wake the thread: the wait has no need to end */

#ifdef PACKAGE_VERSION
#define USER_AGENT "notifyd/" PACKAGE_VERSION
#else
#define USER_AGENT "notifyd"
#endif

struct call {
	struct loop_note note;
	struct http_client *client;
	struct http_client_request request;
	http_client_done *done;
	void *arg;
	struct call *next; /* in fresh or live */
	CURL *easy;
	struct curl_slist *headers;
	struct nd_buf body; /* of the reply */
	char *challenge;
	char words[CURL_ERROR_SIZE];
	char *proxy, *no_proxy;     /* "" none */
	struct tls_refused refused; /* the certificate that was not believed */
	struct tls_chain chain;     /* with `inspect` */
	struct http_client_reply reply;
};

struct http_client {
	struct loop *loop;
	CURLM *multi;
	pthread_t thread;
	pthread_mutex_t lock;
	struct call *fresh;     /* under the lock: posted, not yet seen by the thread */
	bool stopping;          /* under the lock */
	char *proxy, *no_proxy; /* the loop's: of the next request */
	struct call *live;      /* the thread's */
	bool open;              /* the loop's: done()s may be called */
	unsigned holds;         /* the loop's */
};

static pthread_once_t curl_ready = PTHREAD_ONCE_INIT;

static void
start_curl(void)
{
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		abort();
}

static void
free_call(struct call *call)
{
	struct http_client_request *request = &call->request;

	for (struct curl_slist *line = call->headers; line != NULL; line = line->next)
		explicit_bzero(line->data, strlen(line->data));
	curl_slist_free_all(call->headers);
	if (request->authorization != NULL)
		nd_wipe_free(request->authorization, strlen(request->authorization));
	nd_wipe_free(request->body, request->body_len);
	free(request->url);
	free(request->ca_file);
	free(request->ca_dir);
	free(call->challenge);
	free(call->proxy);
	free(call->no_proxy);
	nd_buf_wipe(&call->body);
	tls_chain_done(&call->chain);
	free(call);
}

static void
let_go(struct http_client *client)
{
	if (--client->holds > 0)
		return;
	pthread_mutex_destroy(&client->lock);
	free(client->proxy);
	free(client->no_proxy);
	free(client);
}

/* On the loop. */
static void
deliver(void *arg)
{
	struct call *call = arg;
	struct http_client *client = call->client;

	if (client->open)
		call->done(call->arg, &call->reply);
	free_call(call);
	let_go(client);
}

/* --- on the thread --- */

static size_t
collect(char *octets, size_t size, size_t count, void *arg)
{
	struct call *call = arg;

	return nd_buf_add(&call->body, octets, size * count) ? size * count : 0;
}

static bool
add_header(struct call *call, const char *name, const char *value)
{
	struct nd_buf line;
	struct curl_slist *longer;

	nd_buf_init(&line, SIZE_MAX);
	nd_buf_adds(&line, name);
	nd_buf_adds(&line, value);
	longer = line.failed ? NULL : curl_slist_append(call->headers, nd_buf_text(&line));
	nd_buf_wipe(&line);
	if (longer == NULL)
		return false;
	call->headers = longer;
	return true;
}

static CURLcode
set_trust(CURL *easy, const struct http_client_request *request)
{
	CURLcode code = curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);

#if LIBCURL_VERSION_NUM >= 0x075700
	if (code == CURLE_OK) /* a file that was changed holds at once */
		code = curl_easy_setopt(easy, CURLOPT_CA_CACHE_TIMEOUT, 0L);
#endif
	if (code != CURLE_OK || (request->ca_file == NULL && request->ca_dir == NULL))
		return code;
	/* Instead of the system's: a file or a path that is not given would leave those. A folder is read by listen_in; named here
	 * it keeps curl from using a connection that was made under another trust. */
	code = curl_easy_setopt(easy, CURLOPT_CAINFO, request->ca_file);
	return code != CURLE_OK ? code : curl_easy_setopt(easy, CURLOPT_CAPATH, request->ca_dir);
}

/* curl's own words leave out who signed a certificate that is not believed. */
static CURLcode
listen_in(CURL *easy, void *context, void *arg)
{
	struct call *call = arg;

	(void)easy;
	tls_note_refused(context, &call->refused);
	if (call->request.inspect)
		tls_note_chain(context, &call->chain);
	if (call->request.ca_dir == NULL ||
	    tls_trust(context, call->request.ca_file, call->request.ca_dir, &call->reply.why) == ND_OK)
		return CURLE_OK;
	return CURLE_SSL_CACERT_BADFILE;
}

static bool
has_openssl(void)
{
	const char *words = curl_version_info(CURLVERSION_NOW)->ssl_version;

	return words != NULL && strncmp(words, "OpenSSL/", 8) == 0;
}

/* Azure's metadata services speak http, on these addresses, which never leave the machine. */
static bool
is_metadata(const char *url)
{
	static const char *const services[] = { "http://169.254.169.254/", "http://127.0.0.1:40342/" };

	for (size_t i = 0; i < sizeof(services) / sizeof(services[0]); i++)
		if (strncmp(url, services[i], strlen(services[i])) == 0)
			return true;
	return false;
}

static CURLcode
set_way(struct call *call)
{
	const bool metadata = call->request.metadata;
	CURL *easy = call->easy;
	CURLcode code = curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, metadata ? "http" : "https");

	if (metadata && !is_metadata(call->request.url))
		return CURLE_UNSUPPORTED_PROTOCOL;
	/* "": never from the environment */
	if (code == CURLE_OK)
		code = curl_easy_setopt(easy, CURLOPT_PROXY, metadata ? "" : call->proxy);
	if (code == CURLE_OK)
		code = curl_easy_setopt(easy, CURLOPT_NOPROXY, metadata ? "*" : call->no_proxy);
	if (code == CURLE_OK && metadata)
		return curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
	if (code == CURLE_OK && has_openssl()) {
		code = curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, call);
		if (code == CURLE_OK)
			code = curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, listen_in);
	}
	return code;
}

static CURLcode
set_limits(struct call *call)
{
	const long inspect = call->request.inspect;
	CURL *easy = call->easy;
	const struct {
		CURLoption option;
		long value;
	} numbers[] = {
		{ CURLOPT_NOSIGNAL, 1 },
		{ CURLOPT_FOLLOWLOCATION, 0 },
		{ CURLOPT_CONNECTTIMEOUT, CONNECT_SECONDS },
		{ CURLOPT_TIMEOUT, TOTAL_SECONDS },
		{ CURLOPT_QUICK_EXIT, 1 }, /* else a name server that is silent holds the thread */
		{ CURLOPT_MAXFILESIZE, REPLY_MAX },
		{ CURLOPT_POST, 1 },
		/* a session that goes on, or continues another, presents nothing */
		{ CURLOPT_FRESH_CONNECT, inspect },
		{ CURLOPT_FORBID_REUSE, inspect },
		{ CURLOPT_SSL_SESSIONID_CACHE, !inspect },
	};
	CURLcode code = CURLE_OK;

	for (size_t i = 0; code == CURLE_OK && i < sizeof(numbers) / sizeof(numbers[0]); i++)
		code = curl_easy_setopt(easy, numbers[i].option, numbers[i].value);
	return code;
}

static CURLcode
set_request(struct call *call)
{
	const struct http_client_request *request = &call->request;
	const struct {
		CURLoption option;
		const void *value;
	} pointers[] = {
		{ CURLOPT_URL, request->url },
		{ CURLOPT_USERAGENT, USER_AGENT },
		{ CURLOPT_POSTFIELDS, request->body != NULL ? request->body : "" },
		{ CURLOPT_HTTPHEADER, call->headers },
		{ CURLOPT_ERRORBUFFER, call->words },
		{ CURLOPT_WRITEDATA, call },
		{ CURLOPT_PRIVATE, call },
	};
	CURLcode code = curl_easy_setopt(call->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_len);

	for (size_t i = 0; code == CURLE_OK && i < sizeof(pointers) / sizeof(pointers[0]); i++)
		code = curl_easy_setopt(call->easy, pointers[i].option, pointers[i].value);
	if (code == CURLE_OK)
		code = curl_easy_setopt(call->easy, CURLOPT_WRITEFUNCTION, collect);
	return code;
}

static CURLcode
prepare(struct call *call)
{
	CURLcode code;

	call->easy = curl_easy_init();
	if (call->easy == NULL || !add_header(call, "Accept: ", "application/json") ||
	    (call->request.metadata && !add_header(call, "Metadata: ", "true")) ||
	    (call->request.authorization != NULL && !add_header(call, "Authorization: ", call->request.authorization)))
		return CURLE_OUT_OF_MEMORY;
	code = set_limits(call);
	if (code == CURLE_OK)
		code = set_request(call);
	if (code == CURLE_OK)
		code = set_way(call);
	return code == CURLE_OK ? set_trust(call->easy, &call->request) : code;
}

/* The header that a challenge is in, for as long as the handle lives: copied. */
static void
take_challenge(struct call *call)
{
	struct curl_header *header;

	if (curl_easy_header(call->easy, "WWW-Authenticate", 0, CURLH_HEADER, -1, &header) == CURLHE_OK)
		call->challenge = nd_xstrdup(header->value);
	call->reply.challenge = call->challenge;
}

static void
take_date(struct call *call)
{
	struct curl_header *header;
	time_t date;

	if (curl_easy_header(call->easy, "Date", 0, CURLH_HEADER, -1, &header) != CURLHE_OK)
		return;
	date = curl_getdate(header->value, NULL);
	if (date > 0)
		call->reply.date = (nd_unix)date * 1000;
}

static void
answer(struct call *call, CURLcode code)
{
	struct http_client_reply *reply = &call->reply;
	long status = 0;
	curl_off_t wait = 0;

	reply->retry_after = -1;
	reply->chain = call->chain.count > 0 ? &call->chain : NULL;
	if (code == CURLE_OK)
		(void)curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
	if (status > 0) {
		reply->status = (int)status;
		reply->body = nd_buf_text(&call->body);
		reply->len = call->body.len;
		take_challenge(call);
		take_date(call);
		if (curl_easy_getinfo(call->easy, CURLINFO_RETRY_AFTER, &wait) == CURLE_OK && wait > 0)
			reply->retry_after = wait < RETRY_AFTER_MAX ? (long)wait : RETRY_AFTER_MAX;
	} else {
		const struct http_client_cause cause = { (int)code, call->words,
			call->request.metadata ? NULL : http_client_by(call->request.url, call->proxy, call->no_proxy),
			&call->refused };

		http_client_failure(call->request.url, &cause, &reply->why);
	}
	/* before the request is wiped: the handle borrows it */
	curl_easy_cleanup(call->easy);
	call->easy = NULL;
	call->note.fn = deliver;
	call->note.arg = call;
	loop_post(call->client->loop, &call->note);
}

static void
begin(struct http_client *client, struct call *call)
{
	CURLcode code = prepare(call);

	if (code == CURLE_OK && curl_multi_add_handle(client->multi, call->easy) != CURLM_OK)
		code = CURLE_OUT_OF_MEMORY;
	if (code != CURLE_OK) {
		answer(call, code);
		return;
	}
	call->next = client->live;
	client->live = call;
}

static void
end(struct http_client *client, CURL *easy, CURLcode code)
{
	struct call **at = &client->live;

	while ((*at)->easy != easy)
		at = &(*at)->next;
	struct call *call = *at;
	*at = call->next;
	(void)curl_multi_remove_handle(client->multi, easy);
	answer(call, code);
}

/* What was posted since the last look, in order. false: the client ends. */
static bool
take_fresh(struct http_client *client)
{
	struct call *fresh, *ordered = NULL;
	bool stopping;

	(void)pthread_mutex_lock(&client->lock);
	fresh = client->fresh;
	client->fresh = NULL;
	stopping = client->stopping;
	(void)pthread_mutex_unlock(&client->lock);
	while (fresh != NULL) {
		struct call *next = fresh->next;

		fresh->next = ordered;
		ordered = fresh;
		fresh = next;
	}
	while (ordered != NULL) {
		struct call *next = ordered->next;

		begin(client, ordered);
		ordered = next;
	}
	return !stopping;
}

static void *
work(void *arg)
{
	struct http_client *client = arg;

	(void)pthread_setname_np(pthread_self(), "nd-http");
	while (take_fresh(client)) {
		int running, left;
		CURLMsg *message;

		(void)curl_multi_perform(client->multi, &running);
		while ((message = curl_multi_info_read(client->multi, &left)) != NULL) {
			if (message->msg == CURLMSG_DONE)
				end(client, message->easy_handle, message->data.result);
		}
		if (client->live == NULL)
			running = 0;
		/* with transfers under way curl's own timers end the wait earlier */
		(void)curl_multi_poll(client->multi, NULL, 0, running > 0 ? 1000 : IDLE_MS, NULL);
	}
	return NULL;
}

/* --- on the loop --- */

struct http_client *
http_client_new(struct loop *loop)
{
	struct http_client *client = nd_xalloc(sizeof(*client));
	sigset_t all, before;

	(void)pthread_once(&curl_ready, start_curl);
	client->loop = loop;
	client->open = true;
	client->holds = 1;
	client->multi = curl_multi_init();
	if (client->multi == NULL || pthread_mutex_init(&client->lock, NULL) != 0)
		abort();
	(void)curl_multi_setopt(client->multi, CURLMOPT_MAXCONNECTS, 8L);
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	if (pthread_create(&client->thread, NULL, work, client) != 0)
		abort();
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	return client;
}

void
http_client_free(struct http_client *client)
{
	if (client == NULL)
		return;
	(void)pthread_mutex_lock(&client->lock);
	client->stopping = true;
	(void)pthread_mutex_unlock(&client->lock);
	(void)curl_multi_wakeup(client->multi);
	(void)pthread_join(client->thread, NULL);
	while (client->live != NULL) {
		struct call *call = client->live;

		client->live = call->next;
		(void)curl_multi_remove_handle(client->multi, call->easy);
		curl_easy_cleanup(call->easy);
		free_call(call);
		client->holds--;
	}
	(void)curl_multi_cleanup(client->multi);
	client->open = false;
	let_go(client);
}

void
http_client_proxy(struct http_client *client, const char *proxy, const char *no_proxy)
{
	static const char by_address[] = "socks5://", by_name[] = "socks5h://";
	struct nd_buf text;
	size_t len;

	nd_buf_init(&text, SIZE_MAX);
	/* behind a proxy the names of the world outside are often not known */
	if (proxy != NULL && strncasecmp(proxy, by_address, strlen(by_address)) == 0) {
		nd_buf_adds(&text, by_name);
		proxy += strlen(by_address);
	}
	nd_buf_adds(&text, proxy != NULL ? proxy : "");
	free(client->proxy);
	free(client->no_proxy);
	client->proxy = nd_buf_take(&text, &len);
	client->no_proxy = nd_xstrdup(no_proxy);
}

void
http_client_post(struct http_client *client, struct http_client_request *request, http_client_done *done, void *arg)
{
	struct call *call = nd_xalloc(sizeof(*call));

	call->client = client;
	call->request = *request;
	*request = (struct http_client_request){ 0 };
	call->done = done;
	call->arg = arg;
	call->proxy = nd_xstrdup(client->proxy != NULL ? client->proxy : "");
	call->no_proxy = nd_xstrdup(client->no_proxy != NULL ? client->no_proxy : "");
	nd_buf_init(&call->body, REPLY_MAX);
	client->holds++;
	(void)pthread_mutex_lock(&client->lock);
	call->next = client->fresh;
	client->fresh = call;
	(void)pthread_mutex_unlock(&client->lock);
	(void)curl_multi_wakeup(client->multi);
}

const char *
http_client_authorities(void)
{
	const curl_version_info_data *info = curl_version_info(CURLVERSION_NOW);

	return info->age >= CURLVERSION_SEVENTH && info->cainfo != NULL ? info->cainfo : "";
}
