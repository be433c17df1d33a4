/* SPDX-License-Identifier: Apache-2.0 */
/* http_server.c - HTTP/1.1 on the Unix sockets: libmicrohttpd in the loop, connections, deadlines.  Layer: io.
 *
 * The ten rules of living with libmicrohttpd 0.9.75:
 *  1. MHD_ALLOW_SUSPEND_RESUME; its epoll descriptor is an event of the loop ⇒ MHD_run, again while MHD_get_timeout
 *     says 0 (at most four times a turn).
 *  2. MHD_run after every batch of resumes: in this mode nothing else tells it of them.
 *  3. NOTIFY_CONNECTION: peer, caps, list of connections, deadline.
 *  4. NOTIFY_COMPLETED is the only place that frees a request.
 *  5. A suspended connection is not watched: an event of our own notices a client that leaves, on long waits only.
 *     It is suspended after the handler's call, not in it: see http_server_answer_suspend().
 *  6. Headers and lengths are checked in the first call of the handler.
 *  7. Own checks instead of MHD_OPTION_STRICT_FOR_CLIENT.
 *  8. Memory limit 14 KiB: what is over HTTP_HEAD_MAX is refused in our words and not in HTML, and no more, since all of it
 *     is overwritten with zeroes for each request; CONNECTION_LIMIT above our own cap (at it, clients would hang in the
 *     backlog); the logger is the first option.
 *  9. One daemon for each listening socket.
 * 10. Stop: quiesce, close idle connections, finish what is suspended, then stop.
 * Its timeout counts silence only, so one octet now and then would hold a connection for ever: the deadlines here are
 * our own, and cut by shutdown(2).
 */
#include "daemon/io/http_server_internal.h"

#include "common/log.h"
#include "common/mem.h"
#include "daemon/io/peer.h"

#include <errno.h>
#include <event2/event.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define POOL_OCTETS ((size_t)14336) /* of one connection: read buffer, headers, head of the reply */
#define RESERVE 64u                 /* connections beyond the cap that are told "busy" */
#define OPERATOR_RESERVE 32u        /* operators get in when the cap is reached */
#define REFUSED_TIME ND_SEC(2)      /* one that is refused has this long to ask */
#define QUIESCED_TIME ND_SEC(2)     /* so has one whose request has begun to come when the server ends */
#define ROUNDS 4                    /* of MHD_run in a turn */
#define REMARKS 5u                  /* log lines about clients in REMARK_TIME */
#define REMARK_TIME ND_MIN(1)

/* -- remarks: clients can cause any number of them ------------------------------------------------------------- */

static bool
may_log(struct http_server *server)
{
	nd_ms now = loop_now(server->loop).ms;

	if (now - server->log_since >= REMARK_TIME) {
		server->log_since = now;
		server->log_count = 0;
	}
	return server->log_count++ < REMARKS;
}

static void remark(void *arg, const char *format, va_list args) __attribute__((format(printf, 2, 0)));

/* What libmicrohttpd has to say; it is mostly about clients that went away. */
static void
remark(void *arg, const char *format, va_list args)
{
	char text[256];
	size_t len;

	if (!may_log(arg))
		return;
	if (vsnprintf(text, sizeof(text), format, args) < 0)
		return;
	len = strcspn(text, "\r\n");
	text[len] = '\0';
	nd_log(strstr(text, "resource limit") != NULL ? ND_LOG_WARNING : ND_LOG_DEBUG, NULL, "libmicrohttpd: %s", text);
}

/* -- deadlines: one timer for all connections ------------------------------------------------------------------ */

void
http_server_phase(struct http_connection *connection, enum http_phase phase, nd_ms deadline)
{
	struct http_server *server = connection->listener->server;

	if (phase <= HTTP_BODY && deadline > server->last_octet)
		deadline = server->last_octet;
	connection->phase = phase;
	connection->deadline = deadline;
	/* A deadline that moves away leaves the timer: when it fires for nothing it is set anew. */
	if (deadline < server->sweep_at) {
		server->sweep_at = deadline;
		loop_timer_set(server->sweep, deadline);
	}
}

void
http_server_unwatch(struct http_connection *connection)
{
	if (connection->watch != NULL)
		event_free(connection->watch);
	connection->watch = NULL;
}

/* A client that only closed its writing side still wants its reply: that is no POLLHUP. */
static void
see_leaving(evutil_socket_t fd, short what, void *arg)
{
	struct http_connection *connection = arg;
	struct http_request *request = connection->request;
	struct pollfd state = { fd, 0, 0 };

	(void)what;
	if (request == NULL || !request->suspended || request->gone == NULL)
		return;
	if (poll(&state, 1, 0) > 0 && (state.revents & (POLLHUP | POLLERR)) != 0)
		http_server_gone(request);
}

static void
watch(struct http_connection *connection)
{
	struct http_request *request = connection->request;
	struct event_base *base = loop_base(connection->listener->server->loop);

	if (connection->watch != NULL || request == NULL || !request->suspended || request->gone == NULL)
		return;
	/* Edges only: a half-closed connection stays readable for ever. */
	connection->watch =
	    event_new(base, connection->fd, EV_READ | EV_CLOSED | EV_ET | EV_PERSIST, see_leaving, connection);
	if (connection->watch != NULL && event_add(connection->watch, NULL) != 0)
		http_server_unwatch(connection);
}

/* libmicrohttpd sees the end of the connection and closes it. */
static void
cut(struct http_connection *connection)
{
	(void)shutdown(connection->fd, SHUT_RDWR);
}

static void
sweep(void *arg)
{
	struct http_server *server = arg;
	nd_ms now = loop_now(server->loop).ms;
	nd_ms next = ND_NEVER;

	for (struct http_connection *connection = server->connections; connection != NULL;
	     connection = connection->next) {
		if (connection->deadline <= now) {
			connection->deadline = ND_NEVER;
			if (connection->phase == HTTP_WAIT)
				watch(connection);
			else
				cut(connection);
		} else if (connection->deadline < next) {
			next = connection->deadline;
		}
	}
	server->sweep_at = next;
	loop_timer_set(server->sweep, next);
}

/* -- connections ----------------------------------------------------------------------------------------------- */

/* How many connections of this uid are served; one place for each uid. */
static struct http_uid *
uid_place(struct http_server *server, uint32_t uid)
{
	struct http_uid *spare = NULL;

	for (unsigned i = 0; i < server->uid_count; i++) {
		if (server->uids[i].count > 0 && server->uids[i].uid == uid)
			return &server->uids[i];
		if (server->uids[i].count == 0)
			spare = &server->uids[i];
	}
	if (spare == NULL) {
		if (server->uid_count == server->uid_room) {
			server->uid_room = server->uid_room ? server->uid_room * 2 : 8;
			server->uids = nd_xrealloc(server->uids, server->uid_room * sizeof(*server->uids));
		}
		spare = &server->uids[server->uid_count++];
	}
	*spare = (struct http_uid){ uid, 0 };
	return spare;
}

/* Root is never kept out by its own number; operators not by submitters. */
static const char *
too_many(const struct http_server *server, const struct http_connection *connection, const struct http_uid *uid)
{
	bool operator_right = connection->peer.operator_right;

	if (server->served >= server->limits.connections &&
	    !(operator_right && server->served_operator < OPERATOR_RESERVE))
		return "in all";
	if (connection->peer.uid != 0 && uid->count >= server->limits.connections_uid)
		return "of one user";
	return NULL;
}

static void
admit(struct http_server *server, struct http_connection *connection)
{
	struct http_uid *uid = uid_place(server, connection->peer.uid);
	const char *which = too_many(server, connection, uid);
	char number[16];

	if (which == NULL) {
		server->served++;
		server->served_operator += connection->peer.operator_right;
		uid->count++;
		return;
	}
	connection->refused = true;
	(void)snprintf(number, sizeof(number), "%u", connection->peer.uid);
	if (may_log(server))
		nd_log(ND_LOG_WARNING, ND_FIELDS({ "UID", number }, { "UNIT", connection->peer.unit }),
		    "Too many connections %s: further ones are answered 503 busy.", which);
}

static struct http_connection *
open_connection(struct http_listener *listener, int fd)
{
	struct http_server *server = listener->server;
	struct http_connection *connection = nd_xalloc(sizeof(*connection));
	nd_ms patience = server->limits.header_time;

	connection->listener = listener;
	connection->fd = fd;
	connection->peer.operator_right = listener->operator_right;
	peer_read(fd, &connection->peer);
	connection->next = server->connections;
	if (connection->next != NULL)
		connection->next->prev = connection;
	server->connections = connection;
	admit(server, connection);
	if (connection->refused && patience > REFUSED_TIME)
		patience = REFUSED_TIME;
	http_server_phase(connection, HTTP_FRESH, loop_now(server->loop).ms + patience);
	return connection;
}

static void
close_connection(struct http_connection *connection)
{
	struct http_server *server = connection->listener->server;

	http_server_unwatch(connection);
	if (!connection->refused) {
		server->served--;
		server->served_operator -= connection->peer.operator_right;
		uid_place(server, connection->peer.uid)->count--;
	}
	if (connection->next != NULL)
		connection->next->prev = connection->prev;
	if (connection->prev != NULL)
		connection->prev->next = connection->next;
	else
		server->connections = connection->next;
	free(connection);
}

static void
notice_connection(void *arg, struct MHD_Connection *mhd, void **slot, enum MHD_ConnectionNotificationCode code)
{
	const union MHD_ConnectionInfo *info;

	if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
		if (*slot != NULL)
			close_connection(*slot);
		*slot = NULL;
		return;
	}
	info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
	*slot = info != NULL ? open_connection(arg, info->connect_fd) : NULL;
}

/* -- libmicrohttpd in the loop --------------------------------------------------------------------------------- */

static bool
wants_more(struct MHD_Daemon *daemon)
{
	MHD_UNSIGNED_LONG_LONG wait;

	return MHD_get_timeout(daemon, &wait) == MHD_YES && wait == 0;
}

static void
work(void *arg)
{
	struct http_listener *listener = arg;
	int round = 0;
	bool more;

	do {
		(void)MHD_run(listener->daemon);
		http_server_answer_suspend(listener);
		more = wants_more(listener->daemon);
	} while (more && ++round < ROUNDS);
	loop_timer_set(listener->again, more ? loop_now(listener->server->loop).ms : ND_NEVER);
}

void
http_server_kick(struct http_listener *listener)
{
	loop_soon(listener->server->loop, work, listener);
}

static void
ready(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	http_server_kick(arg);
}

static void
kick(void *arg)
{
	http_server_kick(arg);
}

static struct MHD_Daemon *
start_daemon(struct http_listener *listener, int fd)
{
	struct http_server *server = listener->server;

	return MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0, NULL, NULL,
	    http_server_answer, listener, MHD_OPTION_EXTERNAL_LOGGER, remark, server, MHD_OPTION_LISTEN_SOCKET, fd,
	    MHD_OPTION_NOTIFY_CONNECTION, notice_connection, listener, MHD_OPTION_NOTIFY_COMPLETED,
	    http_server_answer_done, listener, MHD_OPTION_URI_LOG_CALLBACK, http_server_answer_line, listener,
	    MHD_OPTION_CONNECTION_MEMORY_LIMIT, POOL_OCTETS, MHD_OPTION_CONNECTION_LIMIT,
	    server->limits.connections + OPERATOR_RESERVE + RESERVE, MHD_OPTION_CONNECTION_TIMEOUT, 0u, MHD_OPTION_END);
}

static enum nd_err
open_listener(struct http_server *server, const struct listen_socket *sock, struct nd_why *why)
{
	struct http_listener *listener = &server->listener[server->listener_count];
	const union MHD_DaemonInfo *info;

	listener->server = server;
	listener->operator_right = sock->admin;
	listener->daemon = start_daemon(listener, sock->fd);
	if (listener->daemon == NULL)
		return nd_fail(why, ND_EBUG, errno, "starting the HTTP server on \"%.120s\"", sock->path);
	server->listener_count++;
	listener->again = loop_timer_new(server->loop, kick, listener);
	info = MHD_get_daemon_info(listener->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	listener->event =
	    info != NULL ? event_new(loop_base(server->loop), info->epoll_fd, EV_READ | EV_PERSIST, ready, listener)
			 : NULL;
	if (listener->event == NULL || event_add(listener->event, NULL) != 0)
		return nd_fail(why, ND_EBUG, 0, "watching the HTTP server on \"%.120s\"", sock->path);
	return ND_OK;
}

/* -- life ------------------------------------------------------------------------------------------------------ */

struct http_server *
http_server_new(struct loop *loop, const struct listen_set *sockets, const struct http_server_limits *limits,
    http_handler *const handlers[API_ROUTE_COUNT], void *owner, struct nd_why *why)
{
	struct http_server *server = nd_xalloc(sizeof(*server));

	server->loop = loop;
	server->limits = *limits;
	memcpy(server->handlers, handlers, sizeof(server->handlers));
	server->owner = owner;
	server->sweep = loop_timer_new(loop, sweep, server);
	server->sweep_at = server->last_octet = ND_NEVER;
	server->log_since = loop_now(loop).ms;
	for (unsigned i = 0; i < sockets->count; i++) {
		if (open_listener(server, &sockets->socket[i], why) == ND_OK)
			continue;
		http_server_free(server);
		return NULL;
	}
	return server;
}

/* What a client has sent already is still read, and answered: "stopping". */
static bool
silent(const struct http_connection *connection)
{
	struct pollfd state = { connection->fd, POLLIN, 0 };

	return (connection->phase == HTTP_FRESH || connection->phase == HTTP_IDLE) && poll(&state, 1, 0) == 0;
}

void
http_server_quiesce(struct http_server *server)
{
	if (server == NULL || server->quiesced)
		return;
	server->quiesced = true;
	/* The sockets stay open: they belong to listen.h's set, and systemd keeps its own. */
	for (unsigned i = 0; i < server->listener_count; i++)
		(void)MHD_quiesce_daemon(server->listener[i].daemon);
	server->last_octet = loop_now(server->loop).ms + QUIESCED_TIME;
	for (struct http_connection *connection = server->connections; connection != NULL;
	     connection = connection->next)
		if (silent(connection))
			cut(connection);
		else if (connection->phase <= HTTP_BODY)
			http_server_phase(connection, connection->phase, connection->deadline);
}

void
http_server_memory(struct http_server *server, size_t octets)
{
	server->limits.memory = octets;
}

unsigned
http_server_pending(const struct http_server *server)
{
	return server->pending;
}

static void
close_listener(struct http_listener *listener)
{
	if (listener->event != NULL)
		event_free(listener->event);
	loop_timer_free(listener->again);
	loop_forget(listener->server->loop, listener);
	MHD_stop_daemon(listener->daemon);
}

void
http_server_free(struct http_server *server)
{
	if (server == NULL)
		return;
	http_server_quiesce(server);
	server->freeing = true;
	/* libmicrohttpd must not be stopped while a connection is suspended. */
	for (struct http_connection *connection = server->connections; connection != NULL;
	     connection = connection->next)
		if (connection->request != NULL && connection->request->suspended)
			http_server_gone(connection->request);
	for (unsigned i = 0; i < server->listener_count; i++)
		(void)MHD_run(server->listener[i].daemon);
	for (unsigned i = 0; i < server->listener_count; i++)
		close_listener(&server->listener[i]);
	loop_timer_free(server->sweep);
	http_server_answer_pool_free(server);
	free(server->uids);
	free(server);
}
