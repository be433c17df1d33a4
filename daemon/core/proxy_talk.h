/* SPDX-License-Identifier: Apache-2.0 */
/* proxy_talk.h - asking a proxy for the way to a server: HTTP CONNECT (RFC 9110 9.3.6) and SOCKS5 (RFC 1928).  Layer: core.  Pure: octets in, octets out.
 *
 * The proxy looks the server's name up. Of what the proxy says exactly its own reply is taken: what comes behind it is the server's.
 */
#ifndef ND_CORE_PROXY_TALK_H
#define ND_CORE_PROXY_TALK_H

#include "common/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum proxy_talk_kind { PROXY_TALK_NONE, PROXY_TALK_CONNECT, PROXY_TALK_SOCKS5 };

struct proxy_talk_server { /* the proxy */
	enum proxy_talk_kind kind;
	char host[256]; /* without brackets */
	uint16_t port;
};
/* Reads http://host:port or socks5://host:port; "" is no proxy. false: neither. */
bool proxy_talk_server(const char *url, struct proxy_talk_server *out);

struct proxy_talk_goal {  /* where to */
	const char *host; /* borrowed for the talk's life; without brackets */
	uint16_t port;
	uint8_t address[16];  /* when host is an address, in network order */
	unsigned address_len; /* 4, 16, or 0: host is a name */
};

#define PROXY_TALK_MAX 16384u /* octets of a proxy's reply */

enum proxy_talk_state {
	PROXY_TALK_ASKING, /* more is to be heard */
	PROXY_TALK_STANDS, /* the connection is the server's now */
	PROXY_TALK_REFUSED /* why */
};

struct proxy_talk {
	enum proxy_talk_kind kind;
	struct proxy_talk_goal goal;
	enum proxy_talk_state state;
	struct nd_why why;
	char out[640]; /* to be written; the driver empties it (out_len = 0) */
	size_t out_len;

	size_t heard;
	char line[160]; /* HTTP: what is kept of the line */
	size_t line_len;
	char status[100]; /* HTTP: "403 Forbidden"; "" before it was heard */
	char reason[100]; /* HTTP: what a field of the reply says more */
	uint8_t reply[8]; /* SOCKS5: the start of the reply that is heard now */
	size_t reply_len, reply_whole;
	bool agreed; /* SOCKS5: on a method */
};

void proxy_talk_init(struct proxy_talk *talk, enum proxy_talk_kind kind, const struct proxy_talk_goal *goal);
/* Takes octets of the proxy; returns how many were its own. Less than `len` only when the way stands or is refused. */
size_t proxy_talk_input(struct proxy_talk *talk, const char *octets, size_t len);

#endif
