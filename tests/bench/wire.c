/* SPDX-License-Identifier: Apache-2.0 */
/* wire.c - connections of the bench programs. */
#include "tests/bench/wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define PIECE 65536u

static int loop = -1;
static struct wire *over; /* to be freed */

double
wire_now(void)
{
	struct timespec ts;

	if (clock_gettime(CLOCK_MONOTONIC, &ts) != 0)
		wire_die("clock_gettime");
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

void
wire_die(const char *what)
{
	perror(what);
	exit(1);
}

unsigned long
wire_number(const char *text)
{
	char *end;
	unsigned long number = strtoul(text, &end, 10);

	if (*text == '\0' || *end != '\0') {
		fprintf(stderr, "%s is not a number\n", text);
		exit(64);
	}
	return number;
}

static char *
room_for(struct wire_octets *octets, size_t len)
{
	if (octets->from > 0 && octets->from + octets->len + len > octets->room) {
		memmove(octets->at, octets->at + octets->from, octets->len);
		octets->from = 0;
	}
	if (octets->len + len > octets->room) {
		octets->room = 2 * (octets->len + len);
		octets->at = realloc(octets->at, octets->room);
		if (octets->at == NULL)
			wire_die("realloc");
	}
	return octets->at + octets->from + octets->len;
}

static void
eat(struct wire_octets *octets, size_t len)
{
	octets->from += len;
	octets->len -= len;
	if (octets->len == 0)
		octets->from = 0;
}

void
wire_eat(struct wire *wire, size_t len)
{
	eat(&wire->in, len);
}

int
wire_reply(struct wire *wire)
{
	size_t len, line, at = 0;
	const char *text = wire_text(wire, &len), *end;

	while ((end = memchr(text + at, '\n', len - at)) != NULL) {
		line = (size_t)(end - (text + at)) + 1;
		if (line < 4 || text[at + 3] != '-') {
			int code = line < 4 ? 999 : (int)strtol(text + at, NULL, 10);

			wire_eat(wire, at + line);
			return code;
		}
		at += line;
	}
	return 0;
}

static void
watch(struct wire *wire, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = wire };

	if (wire->events == events)
		return;
	if (epoll_ctl(loop, wire->events == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, wire->fd, &event) != 0)
		wire_die("epoll_ctl");
	wire->events = events;
}

void
wire_open(struct wire *wire, int fd)
{
	if (loop < 0 && (loop = epoll_create1(EPOLL_CLOEXEC)) < 0)
		wire_die("epoll_create1");
	wire->fd = fd;
	watch(wire, EPOLLIN);
}

void
wire_close(struct wire *wire)
{
	if (wire->gone)
		return;
	wire->gone = true;
	SSL_free(wire->ssl);
	(void)close(wire->fd);
	free(wire->in.at);
	free(wire->out.at);
	wire->in = wire->out = (struct wire_octets){ 0 };
	wire->next = over;
	over = wire;
}

static void
lose(struct wire *wire)
{
	ERR_clear_error();
	if (wire->gone)
		return;
	if (wire->lost)
		wire->lost(wire);
	wire_close(wire);
}

void
wire_put(struct wire *wire, const void *octets, size_t len)
{
	memcpy(room_for(&wire->out, len), octets, len);
	wire->out.len += len;
}

void
wire_puts(struct wire *wire, const char *text)
{
	wire_put(wire, text, strlen(text));
}

void
wire_tls(struct wire *wire, SSL_CTX *context, bool server)
{
	wire->ssl = SSL_new(context);
	if (wire->ssl == NULL || SSL_set_fd(wire->ssl, wire->fd) != 1)
		wire_die("SSL_new");
	if (server)
		SSL_set_accept_state(wire->ssl);
	else
		SSL_set_connect_state(wire->ssl);
	wire->shaking = true;
	wire_eat(wire, wire->in.len);
}

/* Octets read or written; 0 not now; -1 the end. */
static ssize_t
move(struct wire *wire, char *at, size_t len, bool in)
{
	int got, error;
	ssize_t count;

	if (wire->ssl == NULL) {
		count = in ? recv(wire->fd, at, len, 0) : send(wire->fd, at, len, MSG_NOSIGNAL);
		if (count < 0)
			return errno == EAGAIN || errno == EINTR ? 0 : -1;
		return count == 0 ? -1 : count;
	}
	got = in ? SSL_read(wire->ssl, at, (int)len) : SSL_write(wire->ssl, at, (int)len);
	if (got > 0)
		return got;
	error = SSL_get_error(wire->ssl, got);
	return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? 0 : -1;
}

void
wire_flush(struct wire *wire)
{
	ssize_t sent;

	while (!wire->gone && !wire->shaking && wire->out.len > 0) {
		sent = move(wire, wire->out.at + wire->out.from, wire->out.len, false);
		if (sent < 0) {
			lose(wire);
			return;
		}
		if (sent == 0)
			break;
		eat(&wire->out, (size_t)sent);
	}
	if (wire->gone)
		return;
	if (wire->closing && wire->out.len == 0)
		wire_close(wire);
	else
		watch(wire, wire->out.len > 0 && !wire->shaking ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

static void
shake(struct wire *wire)
{
	int done = SSL_do_handshake(wire->ssl);
	int error = done == 1 ? SSL_ERROR_NONE : SSL_get_error(wire->ssl, done);

	if (error == SSL_ERROR_NONE) {
		wire->shaking = false;
		watch(wire, EPOLLIN);
		if (wire->secured)
			wire->secured(wire);
		wire_flush(wire);
	} else if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) {
		watch(wire, error == SSL_ERROR_WANT_READ ? EPOLLIN : EPOLLIN | EPOLLOUT);
	} else {
		ERR_print_errors_fp(stderr);
		lose(wire);
	}
}

static void take_in(struct wire *wire);

/* A client speaks first. What it said at once after the handshake may have been read with it: no event tells of that. */
static void
shake_first(struct wire *wire)
{
	shake(wire);
	if (!wire->gone && !wire->shaking && SSL_has_pending(wire->ssl))
		take_in(wire);
}

static void
take_in(struct wire *wire)
{
	ssize_t got;

	do {
		got = move(wire, room_for(&wire->in, PIECE), PIECE, true);
		if (got > 0)
			wire->in.len += (size_t)got;
	} while (got > 0 && wire->ssl && SSL_has_pending(wire->ssl));
	if (wire->in.len > 0)
		wire->heard(wire);
	if (got < 0)
		lose(wire);
	else if (wire->shaking)
		shake_first(wire);
	else
		wire_flush(wire);
}

static void
serve(struct wire *wire, uint32_t events)
{
	if (wire->gone)
		return;
	if (wire->shaking)
		shake(wire);
	if (wire->gone || wire->shaking)
		return;
	if (events & EPOLLOUT)
		wire_flush(wire);
	if (!wire->gone && events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		take_in(wire);
}

static void
bury(void)
{
	struct wire **at = &over, *wire;

	while ((wire = *at) != NULL) {
		if (wire->held > 0) {
			at = &wire->next;
			continue;
		}
		*at = wire->next;
		free(wire);
	}
}

void
wire_turn(int timeout_ms)
{
	struct epoll_event events[128];
	int i, count = epoll_wait(loop, events, 128, timeout_ms);

	if (count < 0 && errno != EINTR)
		wire_die("epoll_wait");
	for (i = 0; i < count; i++) {
		struct wire *wire = events[i].data.ptr;

		if (wire->listens)
			wire->heard(wire);
		else
			serve(wire, events[i].events);
	}
	bury();
}

static int
socket_of(int family)
{
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		wire_die("socket");
	return fd;
}

/* Connected, or failed: from now on nothing blocks. */
static int
unblock(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0)
		wire_die("O_NONBLOCK");
	return fd;
}

/* A command waits for its reply: without this the second half of two writes would wait for the peer's acknowledgement. */
static int
hurry(int fd)
{
	static const int on = 1;

	if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0)
		wire_die("TCP_NODELAY");
	return fd;
}

static struct sockaddr_in
loopback(uint16_t port)
{
	return (struct sockaddr_in){
		.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)
	};
}

int
wire_listen(uint16_t port, uint16_t *got)
{
	static const int on = 1;
	struct sockaddr_in address = loopback(port);
	socklen_t len = sizeof(address);
	int fd = socket_of(AF_INET);

	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
	    bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 || listen(fd, 1024) != 0 ||
	    getsockname(fd, (struct sockaddr *)&address, &len) != 0)
		wire_die("listen");
	*got = ntohs(address.sin_port);
	return unblock(fd);
}

int
wire_accept(int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	return fd < 0 ? -1 : hurry(fd);
}

int
wire_dial(uint16_t port)
{
	struct sockaddr_in address = loopback(port);
	int fd = socket_of(AF_INET);

	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0)
		wire_die("connect");
	return unblock(hurry(fd));
}

int
wire_dial_unix(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket_of(AF_UNIX);

	if (strlen(path) >= sizeof(address.sun_path)) {
		errno = ENAMETOOLONG;
		wire_die(path);
	}
	memcpy(address.sun_path, path, strlen(path) + 1);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0)
		wire_die(path);
	return unblock(fd);
}

SSL_CTX *
wire_context(const char *cert, const char *key)
{
	SSL_CTX *context = SSL_CTX_new(cert ? TLS_server_method() : TLS_client_method());

	if (context == NULL || (cert && (SSL_CTX_use_certificate_chain_file(context, cert) != 1 ||
					    SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) != 1))) {
		ERR_print_errors_fp(stderr);
		exit(1);
	}
	SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_options(context, SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_read_ahead(context, 1);
	return context;
}
