/* SPDX-License-Identifier: Apache-2.0 */
/* back.c - where a browser comes back to after a sign-in.  Layer: client. */
#include "client/back.h"

#include "common/str.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define HEAD_MAX 20480u /* a code is up to 8 KiB, cookies of other pages of this host come along */
#define FREE_PORTS 8    /* tries to find one that is free for IPv4 and IPv6 */

/* clang-format off */
static const struct host { const char *name; bool four, six; } hosts[] = {
	{ "localhost", true,  true },
	{ "127.0.0.1", true,  false },
	{ "[::1]",     false, true },
};
/* clang-format on */

static const struct host *
host_of(const char *name, size_t len)
{
	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++)
		if (strlen(hosts[i].name) == len && strncmp(hosts[i].name, name, len) == 0)
			return &hosts[i];
	return NULL;
}

bool
back_place_read(const char *uri, struct back_place *place)
{
	static const char scheme[] = "http://";
	char digits[8];
	int64_t port = 80;

	if (strncmp(uri, scheme, sizeof(scheme) - 1) != 0)
		return false;
	uri += sizeof(scheme) - 1;
	size_t len = uri[0] == '[' ? strcspn(uri, "]") + 1 : strcspn(uri, ":/?#");
	if (len > strlen(uri) || host_of(uri, len) == NULL)
		return false;
	(void)snprintf(place->host, sizeof(place->host), "%s", host_of(uri, len)->name);
	uri += len;
	if (uri[0] == ':') {
		len = strcspn(++uri, "/?#");
		(void)snprintf(digits, sizeof(digits), "%.*s", len < sizeof(digits) ? (int)len : 0, uri);
		if (!nd_str_int(digits, 1, 65535, &port))
			return false;
		uri += len;
	}
	place->port = (uint16_t)port;
	len = strcspn(uri, "?#");
	if ((uri[0] != '\0' && uri[0] != '/' && len > 0) || len >= sizeof(place->path))
		return false;
	(void)snprintf(place->path, sizeof(place->path), "%.*s", len > 0 ? (int)len : 1, len > 0 ? uri : "/");
	return true;
}

/* -- listening -- */

/* 0, or an errno. *port 0: any; it is set. */
static int
listen_at(bool six, uint16_t *port, int *out)
{
	struct sockaddr_in four = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_in6 address = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	struct sockaddr *any = six ? (struct sockaddr *)&address : (struct sockaddr *)&four;
	socklen_t len = six ? sizeof(address) : sizeof(four);
	int one = 1, trouble, fd;

	address.sin6_port = four.sin_port = htons(*port);
	fd = socket(six ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return errno;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (six)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	if (bind(fd, any, len) != 0 || listen(fd, 16) != 0 || getsockname(fd, any, &len) != 0) {
		trouble = errno;
		(void)close(fd);
		return trouble;
	}
	*port = ntohs(six ? address.sin6_port : four.sin_port);
	*out = fd;
	return 0;
}

static void
deafen(struct back *back)
{
	for (unsigned i = 0; i < 2; i++) {
		if (back->listeners[i] >= 0)
			(void)close(back->listeners[i]);
		back->listeners[i] = -1;
	}
}

/* "localhost" may be both: a browser tries one after the other, and nobody else shall sit on the second. Without IPv6 the first will do. */
static int
listen_on(struct back *back, const struct host *host, uint16_t wanted)
{
	int trouble = 0;

	back->place.port = wanted;
	if (host->four)
		trouble = listen_at(false, &back->place.port, &back->listeners[0]);
	if (trouble == 0 && host->six)
		trouble = listen_at(true, &back->place.port, &back->listeners[1]);
	if (host->four && back->listeners[0] >= 0 && (trouble == EAFNOSUPPORT || trouble == EADDRNOTAVAIL))
		trouble = 0;
	if (trouble != 0)
		deafen(back);
	return trouble;
}

void
back_init(struct back *back)
{
	memset(back, 0, sizeof(*back));
	back->browser = back->listeners[0] = back->listeners[1] = -1;
	for (unsigned i = 0; i < BACK_CONNECTIONS; i++)
		back->connections[i].fd = -1;
}

enum nd_err
back_open(struct back *back, const struct back_place *place, struct nd_why *why)
{
	const struct host *host = host_of(place->host, strlen(place->host));
	int trouble = EINVAL, tries = place->port == 0 ? FREE_PORTS : 1;

	back->place = *place;
	for (; host != NULL && tries > 0; tries--) {
		trouble = listen_on(back, host, place->port);
		if (trouble != EADDRINUSE)
			break;
	}
	if (trouble == 0)
		return ND_OK;
	return nd_fail(why, ND_ECONNECT, trouble, "port %u of this machine cannot be listened at", place->port);
}

static void
drop(struct back_connection *connection)
{
	if (connection->fd >= 0)
		(void)close(connection->fd);
	connection->fd = -1;
	nd_buf_wipe(&connection->head);
}

void
back_close(struct back *back)
{
	deafen(back);
	for (unsigned i = 0; i < BACK_CONNECTIONS; i++)
		drop(&back->connections[i]);
	nd_buf_wipe(&back->came);
	back->browser = -1;
}

bool
back_is_open(const struct back *back)
{
	return back->listeners[0] >= 0 || back->listeners[1] >= 0;
}

void
back_polls(const struct back *back, struct pollfd polls[BACK_POLLS])
{
	for (unsigned i = 0; i < BACK_POLLS; i++)
		polls[i] = (struct pollfd){
			.fd = i < 2 ? back->listeners[i] : back->connections[i - 2].fd,
			.events = POLLIN,
		};
}

/* -- requests -- */

static void
take_new(struct back *back, int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	unsigned at = 0;

	if (fd < 0)
		return;
	while (at < BACK_CONNECTIONS && back->connections[at].fd >= 0)
		at++;
	if (at == BACK_CONNECTIONS) {
		at = back->oldest;
		back->oldest = (back->oldest + 1) % BACK_CONNECTIONS;
		drop(&back->connections[at]);
	}
	back->connections[at].fd = fd;
	nd_buf_init(&back->connections[at].head, HEAD_MAX);
}

/* A page of a few KiB to a browser on this machine: it is taken at once, or not at all. */
static void
answer(struct back_connection *connection, int status, const char *type, const char *text, size_t len)
{
	struct nd_buf reply;
	ssize_t n;

	nd_buf_init(&reply, 131072);
	nd_buf_addf(&reply,
	    "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\nConnection: close\r\nCache-Control: "
	    "no-store\r\n"
	    "Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'\r\n"
	    "Referrer-Policy: no-referrer\r\nX-Content-Type-Options: nosniff\r\n%s\r\n",
	    status, status == 200 ? "OK" : "No", type, len, status == 405 ? "Allow: GET\r\n" : "");
	nd_buf_add(&reply, text, len);
	for (size_t sent = 0; !reply.failed && sent < reply.len; sent += (size_t)n) {
		struct pollfd room = { .fd = connection->fd, .events = POLLOUT };

		n = send(connection->fd, reply.octets + sent, reply.len - sent, MSG_NOSIGNAL);
		if (n < 0 && errno == EAGAIN && poll(&room, 1, 2000) > 0)
			n = 0;
		else if (n < 0)
			break;
	}
	nd_buf_done(&reply);
	(void)shutdown(connection->fd, SHUT_WR);
	drop(connection);
}

static void
refuse(struct back_connection *connection, int status, const char *text)
{
	answer(connection, status, "text/plain; charset=utf-8", text, strlen(text));
}

/* Whether the first language that the browser names is Japanese. */
static bool
reads_japanese(const char *head)
{
	static const char name[] = "accept-language:";

	for (const char *line = strstr(head, "\r\n"); line != NULL; line = strstr(line + 2, "\r\n")) {
		if (!nd_str_starts_nocase(line + 2, name))
			continue;
		line += 2 + sizeof(name) - 1;
		line += strspn(line, " \t");
		return nd_str_starts_nocase(line, "ja") && strchr("-,; \r", line[2]) != NULL;
	}
	return false;
}

static bool
has_word(const char *query, size_t len, const char *word)
{
	const char *at = query, *end = query + len;
	size_t n = strlen(word);

	while (at != NULL && at + n < end) {
		if (strncmp(at, word, n) == 0 && at[n] == '=')
			return true;
		at = memchr(at, '&', (size_t)(end - at));
		at = at != NULL ? at + 1 : NULL;
	}
	return false;
}

/* The request's head is whole: true when it is the one. */
static bool
look_at(struct back *back, unsigned i)
{
	struct back_connection *connection = &back->connections[i];
	const char *head = nd_buf_text(&connection->head), *target = head + 4, *query;
	size_t len, path;

	if (strncmp(head, "GET /", 5) != 0) {
		refuse(connection, 405, "Only GET.\n");
		return false;
	}
	len = strcspn(target, " \r\n");
	path = strcspn(target, "? \r\n");
	query = target + path + (path < len);
	if (strlen(back->place.path) != path || strncmp(target, back->place.path, path) != 0 ||
	    !(has_word(query, len - path, "code") || has_word(query, len - path, "error"))) {
		refuse(connection, 404, "Nothing here: notifyctl waits for the end of a sign-in.\n");
		return false;
	}
	nd_buf_wipe(&back->came);
	nd_buf_init(&back->came, HEAD_MAX + 64);
	nd_buf_addf(&back->came, "http://%s:%u%.*s", back->place.host, back->place.port, (int)len, target);
	back->japanese = reads_japanese(head);
	back->browser = (int)i;
	return true;
}

static bool
read_some(struct back *back, unsigned i)
{
	struct back_connection *connection = &back->connections[i];
	char octets[4096];
	ssize_t n = recv(connection->fd, octets, sizeof(octets), 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n <= 0 || memchr(octets, '\0', (size_t)n) != NULL) {
		drop(connection);
		return false;
	}
	nd_buf_add(&connection->head, octets, (size_t)n);
	explicit_bzero(octets, sizeof(octets));
	if (connection->head.failed)
		refuse(connection, 431, "Too long.\n");
	else if (strstr(nd_buf_text(&connection->head), "\r\n\r\n") != NULL)
		return look_at(back, i);
	return false;
}

bool
back_turn(struct back *back, const struct pollfd polls[BACK_POLLS])
{
	for (unsigned i = 2; i < BACK_POLLS; i++)
		if (polls[i].fd >= 0 && polls[i].revents != 0 && read_some(back, i - 2))
			return true;
	for (unsigned i = 0; i < 2; i++)
		if (polls[i].fd >= 0 && polls[i].revents != 0)
			take_new(back, polls[i].fd);
	return false;
}

void
back_answer(struct back *back, int status, const struct nd_buf *page)
{
	if (back->browser >= 0)
		answer(&back->connections[back->browser], status, "text/html; charset=utf-8", nd_buf_text(page),
		    page->len);
	back->browser = -1;
}
