/* SPDX-License-Identifier: Apache-2.0 */
/* link.c - one HTTP/1.1 request over the daemon's Unix socket.  Layer: client. */
#include "client/link.h"

#include "client/http.h"
#include "client/version.h"
#include "common/api.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define CONNECT_PATIENCE ND_SEC(5)
#define BACKLOG_PAUSE 20 /* ms between tries while the daemon's backlog is full */
#define READ_SIZE 65536u

struct wire {
	int fd;
	nd_ms deadline;
	struct nd_buf head;
	const struct link_request *request;
	size_t sent; /* of head and body together */
	bool deaf;   /* the daemon takes no more: its answer may still come */
	bool at_end; /* nothing more will come */
	int trouble; /* errno that ended it */
	struct http reader;
};

nd_ms
link_now(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_BOOTTIME, &t);
	return (nd_ms)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Connects within the deadline; 0 or an errno. A full backlog (EAGAIN) is waited for. */
static int
connect_to(const char *path, nd_ms deadline, int *out)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd, trouble = 0;

	if (strlen(path) >= sizeof(address.sun_path))
		return ENAMETOOLONG;
	memcpy(address.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return errno;
	while (connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0) {
		trouble = errno;
		if (trouble == EINTR)
			continue;
		if (trouble != EAGAIN || link_now() >= deadline) {
			(void)close(fd);
			return trouble == EAGAIN ? ETIMEDOUT : trouble;
		}
		(void)poll(NULL, 0, BACKLOG_PAUSE);
	}
	*out = fd;
	return 0;
}

static const char *
connect_hint(int trouble)
{
	switch (trouble) {
	case ENOENT:
		return "is notifyd installed and its socket active (systemctl start notifyd.socket)? else name the "
		       "socket with --socket";
	case ECONNREFUSED:
		return "nobody listens there: start notifyd (systemctl start notifyd.socket)";
	case EACCES:
	case EPERM:
		return "the permissions of the socket or of a folder above it do not let you in";
	default:
		return NULL;
	}
}

/* The operator's socket where it may be opened, else the submitters'. */
static enum nd_err
open_wire(struct wire *wire, const char *socket_path, struct nd_why *why)
{
	char admin[256];
	nd_ms deadline = link_now() + CONNECT_PATIENCE;
	enum nd_err err;
	int trouble = ENOENT;

	if (api_admin_path(socket_path, admin, sizeof(admin)) != NULL)
		trouble = connect_to(admin, deadline, &wire->fd);
	if (trouble != 0)
		trouble = connect_to(socket_path, deadline, &wire->fd);
	if (trouble == 0)
		return ND_OK;
	err = nd_fail(why, ND_ECONNECT, trouble, "notifyd cannot be reached at %.120s", socket_path);
	(void)nd_fail_at(why, "", 0, connect_hint(trouble));
	return err;
}

static void
write_head(struct wire *wire)
{
	const struct link_request *request = wire->request;
	struct nd_buf *head = &wire->head;

	nd_buf_init(head, 65536);
	nd_buf_addf(head, "%s %s HTTP/1.1\r\nHost: localhost\r\nUser-Agent: notifyctl/%s\r\nConnection: close\r\n",
	    request->method, request->path, VERSION_TEXT);
	if (request->idempotency_key != NULL)
		nd_buf_addf(head, "Idempotency-Key: %s\r\n", request->idempotency_key);
	if (request->language != NULL)
		nd_buf_addf(head, "Accept-Language: %s\r\n", request->language);
	if (request->type != NULL)
		nd_buf_addf(head, "Content-Type: %s\r\nContent-Length: %zu\r\n", request->type, request->len);
	else if (strcmp(request->method, "GET") != 0)
		nd_buf_adds(head, "Content-Length: 0\r\n");
	nd_buf_adds(head, "\r\n");
}

static size_t
left_to_send(const struct wire *wire)
{
	return wire->deaf ? 0 : wire->head.len + wire->request->len - wire->sent;
}

static void
send_some(struct wire *wire)
{
	size_t in_head = wire->sent < wire->head.len ? wire->head.len - wire->sent : 0;
	size_t in_body = wire->sent > wire->head.len ? wire->sent - wire->head.len : 0;
	const char *body = wire->request->body != NULL ? wire->request->body : ""; /* most requests have none */
	struct iovec parts[2] = {
		{ wire->head.octets + wire->head.len - in_head, in_head },
		{ (char *)(uintptr_t)body + in_body, wire->request->len - in_body },
	};
	struct msghdr message = { .msg_iov = parts, .msg_iovlen = 2 };
	ssize_t n = sendmsg(wire->fd, &message, MSG_NOSIGNAL);

	if (n >= 0)
		wire->sent += (size_t)n;
	else if (errno != EAGAIN && errno != EINTR)
		wire->deaf = true;
}

static nd_ms
patience_of(const struct link_request *request)
{
	return request->patience > 0 ? request->patience : LINK_PATIENCE;
}

static void
receive_some(struct wire *wire)
{
	char *room = nd_buf_reserve(&wire->reader.in, READ_SIZE);
	ssize_t n;

	if (room == NULL) {
		wire->at_end = true;
		wire->trouble = ENOBUFS;
		return;
	}
	n = recv(wire->fd, room, READ_SIZE, 0);
	if (n > 0) {
		nd_buf_grown(&wire->reader.in, (size_t)n);
		if (wire->request->take != NULL)
			wire->deadline = link_now() + patience_of(wire->request);
	} else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
		wire->at_end = true;
		wire->trouble = n == 0 ? 0 : errno;
	}
}

/* One round of waiting; false when time is up. */
static bool
turn(struct wire *wire)
{
	struct pollfd fd = { .fd = wire->fd, .events = (short)(POLLIN | (left_to_send(wire) > 0 ? POLLOUT : 0)) };
	nd_ms left = wire->deadline - link_now();
	int ready;

	if (left <= 0)
		return false;
	ready = poll(&fd, 1, left > 3600000 ? 3600000 : (int)left);
	if (ready <= 0)
		return ready < 0 || link_now() < wire->deadline;
	if ((fd.revents & POLLOUT) != 0)
		send_some(wire);
	if ((fd.revents & (POLLIN | POLLHUP | POLLERR)) != 0)
		receive_some(wire);
	return true;
}

static bool
enough(const struct link_request *request, struct link_reply *reply)
{
	return request->take != NULL && reply->status / 100 == 2 && reply->body.len > 0 &&
	       !request->take(request->arg, reply);
}

static enum nd_err
converse(struct wire *wire, struct link_reply *reply, struct nd_why *why)
{
	enum nd_err err;

	for (;;) {
		err = http_read(&wire->reader, reply, wire->at_end, why);
		if (err == ND_OK && enough(wire->request, reply))
			return ND_OK;
		if (err != ND_OK || wire->reader.stage == HTTP_COMPLETE)
			return err;
		if (wire->at_end)
			return nd_fail(
			    why, ND_ECLOSED, wire->trouble, "notifyd closed the connection before it had answered");
		if (!turn(wire))
			return nd_fail(why, ND_EDEADLINE, 0, "notifyd did not answer in time");
	}
}

enum nd_err
link_call(const char *socket_path, const struct link_request *request, struct link_reply *reply, struct nd_why *why)
{
	struct wire wire = { .fd = -1, .request = request };
	enum nd_err err;

	*reply = (struct link_reply){ 0 };
	nd_buf_init(&reply->body, HTTP_MAX_BODY);
	err = open_wire(&wire, socket_path, why);
	if (err != ND_OK)
		return err;
	wire.deadline = link_now() + patience_of(request);
	write_head(&wire);
	http_init(&wire.reader);
	err = wire.head.failed ? nd_fail(why, ND_ETOOBIG, 0, "the request line is too long")
			       : converse(&wire, reply, why);
	http_done(&wire.reader);
	nd_buf_done(&wire.head);
	(void)close(wire.fd);
	return err;
}

void
link_reply_done(struct link_reply *reply)
{
	nd_buf_done(&reply->body);
}

bool
link_lines(struct link_reply *reply, bool (*each)(void *arg, const char *line, size_t len), void *arg)
{
	const char *text = nd_buf_text(&reply->body), *end;
	size_t at = 0;
	bool more = true;

	while (more && (end = memchr(text + at, '\n', reply->body.len - at)) != NULL) {
		more = each(arg, text + at, (size_t)(end + 1 - text) - at);
		at = (size_t)(end + 1 - text);
	}
	nd_buf_drop(&reply->body, at);
	return more;
}
