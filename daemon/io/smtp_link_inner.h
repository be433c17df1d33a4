/* SPDX-License-Identifier: Apache-2.0 */
/* smtp_link_inner.h - the inside of a link, for smtp_link*.c alone.  Layer: io.
 *
 *   smtp_link.c       life, events, what the machine wishes
 *   smtp_link_dial.c  from a name to a connection, plain or with TLS
 *   smtp_link_proxy.c through a proxy
 *   smtp_link_wire.c  octets between the connection and the machine
 */
#ifndef ND_IO_SMTP_LINK_INNER_H
#define ND_IO_SMTP_LINK_INNER_H

#include "daemon/core/transcript.h"
#include "daemon/io/smtp_link.h"

#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>

#define SMTP_LINK_INPUT_MAX 65536u    /* unread octets */
#define SMTP_LINK_OUTPUT_FULL 131072u /* no more content is given while so much is unsent */
#define SMTP_LINK_OUTPUT_LOW 65536u   /* and again when it is down to this */
#define SMTP_LINK_PIECE_MAX 65536u    /* of content, at a time */

/* The phases, by shorter names. */
#define RESOLVING SMTP_LINK_RESOLVING
#define CONNECTING SMTP_LINK_CONNECTING
#define PROXYING SMTP_LINK_PROXYING
#define SECURING SMTP_LINK_SECURING
#define TALKING SMTP_LINK_TALKING
#define OVER SMTP_LINK_OVER

struct smtp_link_try { /* one address */
	struct smtp_link *link;
	struct event *event; /* NULL: not begun, or over */
	int fd;
	bool known; /* it stands, or has failed */
	nd_ms late;
};

struct smtp_link {
	struct loop *loop;                 /* borrowed, as are the four below */
	const struct smtp_link_conf *conf; /* for the link's life */
	const struct smtp_link_events *events;
	void *owner;
	struct smtp_settings settings;
	char nonce[33]; /* new for each session */
	enum smtp_link_at phase;
	unsigned moved_to; /* the owner knows so far */
	bool obeying;

	struct sockaddr_storage from; /* the local address */
	socklen_t from_len;           /* 0: any */
	struct resolve_ask *ask;
	struct resolve_answer answer;
	unsigned address; /* the next to try */
	struct smtp_link_try tries[RESOLVE_MAX];
	nd_ms next_try;  /* if none has answered until then */
	char tried[160]; /* what became of those before */
	int last_errno;

	struct proxy_talk talk; /* while PROXYING */
	struct bufferevent *bev;
	bool secure; /* bev does TLS */
	struct loop_timer *timer;
	struct smtp_proto *proto;
	struct smtp_fault fault; /* of what the machine does not know */

	bool up;           /* resolved, connected, or TLS stands: not yet dealt with */
	bool late;         /* the timer fired: not yet dealt with */
	bool lost;         /* the connection is no more: `why` */
	bool lost_told;    /* and the machine knows */
	bool write_failed; /* it was seen by writing: what the peer said last may be unread */
	struct nd_why why;

	bool stood;     /* the session has been ready */
	bool told;      /* the owner knows that it is ready now */
	bool quit;      /* asked for */
	bool quit_said; /* done */

	bool mailing;
	struct smtp_link_mail mail;
	uint64_t at, total; /* octets of the content: given, in all */
	bool full;          /* waiting for room in the output */
	bool room_told;     /* the owner knows that another mail fits */
	char *piece;        /* owned; of the file */
	size_t piece_used;  /* octets at its start that are secret */
	size_t shown;       /* of the machine's output: in the trace and the transcript already */
	struct transcript transcript;

	char relay[336], tls[96], session[48];
};

/* smtp_link.c */
nd_ms smtp_link_now(struct smtp_link *link);
void smtp_link_due(struct smtp_link *link);
void smtp_link_attend(struct smtp_link *link, struct bufferevent *bev); /* takes it, with the callbacks */
void smtp_link_hang_up(struct smtp_link *link);
void smtp_link_fail(
    struct smtp_link *link, enum smtp_stage stage); /* gone(link->why): a fault the machine does not know of */

/* smtp_link_dial.c: a step of the phase; false: nothing to do until something happens */
bool smtp_link_resolving(struct smtp_link *link);
bool smtp_link_connecting(struct smtp_link *link);
bool smtp_link_securing(struct smtp_link *link);
resolve_done smtp_link_resolved;
void smtp_link_begin_dialing(struct smtp_link *link, struct resolver *resolver);
void smtp_link_reached(struct smtp_link *link); /* the connection that stands is the server's: TLS, or its greeting */
void smtp_link_secure(struct smtp_link *link);  /* TLS on the connection that stands */

void smtp_link_stop_dialing(struct smtp_link *link);

/* smtp_link_proxy.c */
void smtp_link_ask_proxy(struct smtp_link *link); /* on the connection that stands */
bool smtp_link_proxying(struct smtp_link *link);

/* smtp_link_wire.c */
void smtp_link_say(
    struct smtp_link *link, const char *what, const char *value); /* one line of the trace, and of the transcript */
void smtp_link_listen(struct smtp_link *link);                    /* tells the machine what came, and the end of it */
void smtp_link_tell_lost(struct smtp_link *link);
void smtp_link_flush(struct smtp_link *link, bool content); /* writes what the machine has to say */
void smtp_link_fly(struct smtp_link *link);                 /* writes a mail that was said beside others */
bool smtp_link_roomy(struct smtp_link *link);               /* the output has room for another mail; else `full` */
bool smtp_link_give(
    struct smtp_link *link); /* content, while there is room; true: the machine may wish something else now */

#endif
