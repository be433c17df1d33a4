/* SPDX-License-Identifier: Apache-2.0 */
/* back.h - where a browser comes back to after a sign-in: a page on this machine, for as long as somebody waits.  Layer: client.
 *
 * Loopback addresses only (RFC 8252 7.3). Browsers open connections that they never use, ask for icons, and come twice: what is not the one request
 * that is waited for is answered and forgotten. What that request says is the daemon's to judge.
 */
#ifndef ND_CLIENT_BACK_H
#define ND_CLIENT_BACK_H

#include "common/buf.h"
#include "common/err.h"

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#define BACK_CONNECTIONS 8u
#define BACK_POLLS (2u + BACK_CONNECTIONS)

/* A redirect URI that leads to this machine. */
struct back_place {
	char host[16]; /* localhost, 127.0.0.1 or [::1] */
	uint16_t port; /* 0: any free one */
	char path[512];
};

struct back_connection {
	int fd; /* -1: none */
	struct nd_buf head;
};

struct back {
	struct back_place place;
	int listeners[2]; /* -1: none */
	struct back_connection connections[BACK_CONNECTIONS];
	unsigned oldest;    /* gives way when all are taken */
	int browser;        /* the connection that waits for its page; -1 none */
	bool japanese;      /* what the browser's user reads */
	struct nd_buf came; /* the whole URL it asked for; a secret */
};

/* false: it is not plain http on this machine. */
bool back_place_read(const char *uri, struct back_place *place);
void back_init(struct back *back); /* listens nowhere */
/* Listens at that place. ND_ECONNECT: no right to the port, or it is taken. Nothing is open then. */
enum nd_err back_open(struct back *back, const struct back_place *place, struct nd_why *why) ND_MUST_CHECK;
void back_close(struct back *back);
bool back_is_open(const struct back *back);
/* What to wait for: always BACK_POLLS entries. */
void back_polls(const struct back *back, struct pollfd polls[BACK_POLLS]);
/* Deals with what came. true: the browser is back (back->came) and waits for back_answer. */
bool back_turn(struct back *back, const struct pollfd polls[BACK_POLLS]);
void back_answer(struct back *back, int status, const struct nd_buf *page);

#endif
