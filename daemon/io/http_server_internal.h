/* SPDX-License-Identifier: Apache-2.0 */
/* http_server_internal.h - what the files of http_server share.  Layer: io.  Only they include it.
 *
 * http_server.c          life: daemons of libmicrohttpd in the loop, connections, deadlines
 * http_server_answer.c   a request's way: headers checked, body taken, handler called
 * http_server_reply.c    replies: made, kept until libmicrohttpd asks again, handed over
 * http_server_stream.c   replies that are written piece by piece
 * http_server_request.c  what a handler may ask of a request; its target taken apart
 */
#ifndef ND_IO_HTTP_SERVER_INTERNAL_H
#define ND_IO_HTTP_SERVER_INTERNAL_H

#include "daemon/io/http_server.h"

#include <microhttpd.h>
#include <stdbool.h>

#define HTTP_SMALL_BODY 65536u /* always admitted; more is counted against limits.memory */
#define HTTP_HEAD_MAX 8192u    /* request line and headers; libmicrohttpd's pool must hold more */
#define HTTP_PARAMS_MAX 64u
/* Most replies come sooner: those requests are spared the two system calls of a watch. */
#define HTTP_WATCH_AFTER 100

struct event;
struct http_stream;

struct http_listener {
	struct http_server *server;
	struct MHD_Daemon *daemon; /* owned */
	struct event *event;       /* owned: its epoll descriptor */
	struct loop_timer *again;  /* owned: it has more to do than one turn's share */
	struct http_request *due;  /* borrowed list: to be suspended when libmicrohttpd's call has returned */
	bool operator_right;
};

enum http_phase {
	HTTP_FRESH,   /* accepted, nothing read */
	HTTP_IDLE,    /* between two requests */
	HTTP_HEADERS, /* the request line is read */
	HTTP_BODY,    /* the headers are read */
	HTTP_WAIT,    /* the handler has it */
	HTTP_REPLY    /* the reply is on its way */
};

struct http_connection {
	struct http_connection *prev, *next;
	struct http_listener *listener; /* borrowed */
	struct http_request *request;   /* borrowed: the one under way, or NULL */
	struct access_peer peer;
	struct event *watch; /* owned; NULL: not watched for leaving */
	int fd;              /* borrowed from libmicrohttpd */
	enum http_phase phase;
	nd_ms deadline; /* HTTP_WAIT: when to begin watching; else when to cut it; ND_NEVER */
	bool refused;   /* one too many: its first request is answered 503 */
};

struct http_param { /* offsets into words */
	size_t name, value;
};

struct http_request {
	struct http_request *next;          /* in the pool, or of those to be suspended */
	struct http_connection *connection; /* borrowed */
	struct MHD_Connection *mhd;         /* borrowed */
	nd_ms begun;                        /* when its request line was read */
	bool entered;                       /* the headers are read: it counts as pending */
	bool suspended;
	bool answered;      /* response is the reply (NULL: no memory for it) */
	bool head;          /* HEAD: the reply goes without its body */
	bool swallow;       /* the rest of the body is read and forgotten */
	bool dead;          /* no reply: close the connection */
	uint64_t announced; /* Content-Length; 0 none */
	size_t charged;     /* octets counted against limits.memory */
	uint64_t received;
	enum api_route route;
	char segment[API_SEGMENT_SIZE];
	struct nd_buf target; /* as it came */
	struct nd_buf words;  /* its path and parameters decoded, a NUL after each */
	struct http_param param[HTTP_PARAMS_MAX];
	unsigned param_count;
	struct nd_buf body;
	struct MHD_Response *response; /* owned */
	size_t response_len;
	struct http_stream *stream; /* owned: the reply is a stream */
	unsigned status;
	void *context; /* the handler's */
	void (*gone)(void *context);
};

struct http_uid {
	uint32_t uid;
	unsigned count;
};

struct http_server {
	struct loop *loop; /* borrowed */
	struct http_server_limits limits;
	http_handler *handlers[API_ROUTE_COUNT];
	void *owner; /* borrowed */
	struct http_listener listener[LISTEN_MAX];
	unsigned listener_count;
	struct http_connection *connections; /* owned list */
	unsigned served, served_operator;    /* connections that are not refused */
	struct http_uid *uids;               /* owned: connections of each uid */
	unsigned uid_count, uid_room;
	struct loop_timer *sweep;  /* owned */
	nd_ms sweep_at;            /* what it is set to */
	nd_ms last_octet;          /* when requests must have come whole: ND_NEVER until it is quiesced */
	struct http_request *pool; /* owned */
	unsigned pool_count;
	unsigned pending;
	size_t memory; /* octets charged now */
	bool quiesced, freeing;
	nd_ms log_since; /* the rate limit of remarks */
	unsigned log_count;
};

/* http_server.c */
void http_server_phase(struct http_connection *connection, enum http_phase phase, nd_ms deadline);
void http_server_unwatch(struct http_connection *connection);
void http_server_kick(struct http_listener *listener); /* MHD_run at the end of the turn */

/* http_server_answer.c: libmicrohttpd's callbacks */
void *http_server_answer_line(void *listener, const char *uri, struct MHD_Connection *mhd);
enum MHD_Result http_server_answer(void *listener, struct MHD_Connection *mhd, const char *url, const char *method,
    const char *version, const char *upload, size_t *upload_len, void **request);
void http_server_answer_done(
    void *listener, struct MHD_Connection *mhd, void **request, enum MHD_RequestTerminationCode code);
void http_server_answer_suspend(struct http_listener *listener); /* those whose handlers have not answered */
void http_server_answer_pool_free(struct http_server *server);
void http_server_drop_body(struct http_request *request);

/* http_server_reply.c */
/* Written past libmicrohttpd, which will not come to hear of the request; nothing more is read from that client. */
void http_server_refuse_line(struct http_connection *connection, const struct nd_why *why);
enum MHD_Result http_server_queue(struct http_request *request); /* its reply, to libmicrohttpd */
/* The client left while the handler has the request: tells the handler and lets the connection be closed. */
void http_server_gone(struct http_request *request);
void http_server_resume(struct http_request *request); /* it is suspended no longer */

/* http_server_stream.c */
void http_server_stream_free(struct http_request *request);

/* http_server_request.c */
/* Takes request->target apart. ND_ESYNTAX. */
enum nd_err http_request_parse(struct http_request *request, struct nd_why *why) ND_MUST_CHECK;
enum nd_err http_request_overfull(struct nd_why *why);             /* says that it has too many parameters */
const char *http_request_path(const struct http_request *request); /* decoded */

#endif
