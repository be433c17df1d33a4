/* SPDX-License-Identifier: Apache-2.0 */
/* wire.h - connections of the bench programs: non-blocking, with or without TLS, one epoll loop.
 *
 * Made to cost as little as it can, because it shares the machine with what it measures: one read takes whatever is there (OpenSSL reads ahead),
 * all that is put while one event is handled leaves in one write.
 */
#ifndef ND_BENCH_WIRE_H
#define ND_BENCH_WIRE_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct wire_octets {
	char *at; /* owned */
	size_t from, len, room;
};

struct wire {
	int fd;
	SSL *ssl; /* NULL in clear */
	bool listens;
	bool shaking, gone;
	bool closing; /* once all is written */
	uint32_t events;
	unsigned held; /* not freed while somebody else points to it */
	struct wire_octets in, out;
	void (*heard)(struct wire *wire);   /* `in` has more; of one that listens: somebody calls */
	void (*secured)(struct wire *wire); /* the handshake is done; may be NULL */
	void (*lost)(struct wire *wire);    /* by the peer; may be NULL */
	struct wire *next;                  /* of those to be freed */
};

double wire_now(void); /* CLOCK_MONOTONIC in seconds: the same for all programs of this host */

/* `wire` begins a larger struct on the heap, zeroed but for its callbacks. Takes the socket. */
void wire_open(struct wire *wire, int fd);
void wire_tls(struct wire *wire, SSL_CTX *context, bool server); /* from now on */
void wire_put(struct wire *wire, const void *octets, size_t len);
void wire_puts(struct wire *wire, const char *text);
void wire_flush(struct wire *wire); /* called by itself after heard and secured */
void wire_close(struct wire *wire); /* freed when the turn is over, the whole struct with it */

static inline const char *
wire_text(const struct wire *wire, size_t *len)
{
	*len = wire->in.len;
	return wire->in.at + wire->in.from;
}

void wire_eat(struct wire *wire, size_t len);
/* Eats whole replies (SMTP), as far as they have come: the code of the last line of the first one, 0 when it is not complete. */
int wire_reply(struct wire *wire);

int wire_listen(uint16_t port, uint16_t *got); /* 127.0.0.1; port 0: any */
int wire_accept(int listener);                 /* -1 nobody */
int wire_dial(uint16_t port);                  /* 127.0.0.1 */
int wire_dial_unix(const char *path);
SSL_CTX *wire_context(
    const char *cert, const char *key); /* a server's; NULL, NULL: a client's, that verifies nothing */

void wire_turn(int timeout_ms); /* one round of the loop; -1 waits for ever */
void wire_die(const char *what) __attribute__((noreturn));
unsigned long wire_number(const char *text);

#endif
