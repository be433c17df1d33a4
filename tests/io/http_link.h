/* SPDX-License-Identifier: Apache-2.0 */
/* http_link.h - the client's half of the tests of http_server: blocking HTTP, as rude as a test wants. */
#ifndef TESTS_IO_HTTP_LINK_H
#define TESTS_IO_HTTP_LINK_H

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define PATIENCE 20 /* seconds; only a broken server makes a test wait so long */

struct reply {
	int status; /* 0: the connection was closed before a whole reply; -1: nothing came in time */
	char head[1024];
	char body[4096]; /* its start */
	size_t body_len;
};

/* What a connection has read but not used. */
struct link {
	int fd;
	char octets[8192];
	size_t len;
};

static void
reach(struct link *link, const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct timeval patience = { PATIENCE, 0 };

	link->len = 0;
	link->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	(void)setsockopt(link->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	(void)setsockopt(link->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (connect(link->fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
		(void)close(link->fd);
		link->fd = -1;
	}
}

static void
leave(struct link *link)
{
	(void)close(link->fd);
	link->fd = -1;
}

static bool
say_octets(struct link *link, const char *octets, size_t len)
{
	while (len > 0) {
		ssize_t n = send(link->fd, octets, len, MSG_NOSIGNAL);

		if (n <= 0)
			return false;
		octets += n;
		len -= (size_t)n;
	}
	return true;
}

static bool
say(struct link *link, const char *text)
{
	return say_octets(link, text, strlen(text));
}

/* One more piece. 1 read, 0 closed, -1 nothing came. */
static int
hear_more(struct link *link)
{
	ssize_t n = recv(link->fd, link->octets + link->len, sizeof(link->octets) - 1 - link->len, 0);

	if (n > 0) {
		link->len += (size_t)n;
		link->octets[link->len] = '\0';
		return 1;
	}
	return n == 0 || errno == ECONNRESET ? 0 : -1;
}

static void
use(struct link *link, size_t len)
{
	memmove(link->octets, link->octets + len, link->len - len);
	link->len -= len;
	link->octets[link->len] = '\0';
}

static size_t
length_in(const char *head)
{
	const char *field = strstr(head, "Content-Length: ");

	return field != NULL ? strtoul(field + 16, NULL, 10) : 0;
}

static void
hear(struct link *link, struct reply *reply)
{
	char *end = NULL;
	size_t head;
	int more = 1;

	memset(reply, 0, sizeof(*reply));
	link->octets[link->len] = '\0';
	while (more > 0 && (end = strstr(link->octets, "\r\n\r\n")) == NULL)
		more = hear_more(link);
	if (end == NULL) {
		reply->status = more;
		return;
	}
	head = (size_t)(end - link->octets) + 4;
	(void)snprintf(reply->head, sizeof(reply->head), "%.*s", (int)head, link->octets);
	use(link, head);
	while (more > 0 && reply->body_len < length_in(reply->head)) {
		size_t want = length_in(reply->head) - reply->body_len;
		size_t n = want < link->len ? want : link->len;

		if (reply->body_len + n < sizeof(reply->body))
			memcpy(reply->body + reply->body_len, link->octets, n);
		reply->body_len += n;
		use(link, n);
		if (n == 0)
			more = hear_more(link);
	}
	reply->status = more > 0 ? (int)strtol(reply->head + strcspn(reply->head, " "), NULL, 10) : more;
}

/* True when the server closes the connection (what still comes is skipped). */
static inline bool
closed(struct link *link)
{
	int more;

	do {
		link->len = 0;
		more = hear_more(link);
	} while (more > 0);
	return more == 0;
}

#endif
