/* SPDX-License-Identifier: Apache-2.0 */
/* smtp_link.h - drives one smtp_proto over libevent and OpenSSL.  Layer: io.
 *
 * Resolve, connect (each address 30 s at most, the next one beside it after 250 ms; a proxy's, which is then asked for the way), then one function, obey(), does what the machine wishes. Events go to `struct smtp_link_events`, always from
 * the loop's soon phase, so the owner may call back into the link or free it (smtp_link_free frees late).
 */
#ifndef ND_IO_SMTP_LINK_H
#define ND_IO_SMTP_LINK_H

#include "daemon/core/proxy_talk.h"
#include "daemon/core/smtp_proto.h"
#include "daemon/io/loop.h"
#include "daemon/io/resolve.h"
#include "daemon/io/seal.h"
#include "daemon/io/tls.h"

struct smtp_link_conf { /* borrowed for the life of the link, but for the secret: only until ready or gone */
	const char *host;
	uint16_t port;
	const char *tls_name;           /* expected in the certificate */
	struct tls *tls;                /* NULL with SMTP_PLAINTEXT */
	struct proxy_talk_server proxy; /* kind PROXY_TALK_NONE: straight; else it looks host up */
	const char *bind;               /* the local address; NULL or "": any */
	int family;                     /* of the addresses that are tried: AF_UNSPEC, AF_INET, AF_INET6 */
	struct smtp_settings settings;  /* `loopback` is set by the link */
};

/* A message to send: memory or file. */
struct smtp_link_mail {
	struct smtp_mail mail; /* size is set by the link's user */
	const char *head;      /* first octets of the content */
	size_t head_len;
	const char *body; /* the rest, or NULL: */
	size_t body_len;  /* of the rest, wherever it is */
	int fd;           /* -1, or the rest from this file; the link closes it */
	uint64_t skip; /* octets at the start of the file that stand in `head` already; mail.size does not count them */
	struct seal *seal; /* of a file that is sealed, else NULL; the link frees it */
	/* NULL, or the rest comes from here, in pieces as it likes; -1: why. */
	ssize_t (*read)(void *arg, char *out, size_t len, struct nd_why *why);
	void *read_arg;
	void (*given)(void *arg, const char *octets,
	    size_t
		len); /* what leaves of the content, in order; before the outcome. NULL none; not of mails said ahead */
	void *given_arg;
};

struct transcript;
struct smtp_link;
struct smtp_link_events {
	void (*ready)(void *owner, struct smtp_link *link); /* session stands; mail may be given */
	bool (*ending)(void *owner,
	    struct smtp_link *link); /* before the last octets leave: note it; false: not now, drop the session */
	void (*outcome)(void *owner, struct smtp_link *link,
	    const struct smtp_outcome
		*outcome); /* of the oldest mail; after that of the last one `ready`, if the session goes on */
	void (*room)(void *owner, struct smtp_link *link);  /* another mail fits beside those under way; may be NULL */
	void (*moved)(void *owner, struct smtp_link *link); /* smtp_link_at() is another; may be NULL */
	void (*gone)(void *owner, struct smtp_link *link,
	    const struct smtp_fault *fault); /* last event; fault NULL: ended as asked or while idle */
};

struct smtp_link *smtp_link_new(struct loop *loop, struct resolver *resolver, const struct smtp_link_conf *conf,
    const struct smtp_link_events *events, void *owner);
void smtp_link_send(struct smtp_link *link, const struct smtp_link_mail *mail); /* when ready; borrowed until outcome */
/* Whether this mail, all of it in memory, may be said now beside those under way; and says it. Note it as in flight between the two: its last
 * octets leave at once, `ending` is not told. */
bool smtp_link_fits(struct smtp_link *link, const struct smtp_link_mail *mail);
void smtp_link_ahead(struct smtp_link *link, const struct smtp_link_mail *mail);
void smtp_link_quit(struct smtp_link *link); /* QUIT, then gone(NULL) */
void smtp_link_free(struct smtp_link *link); /* at once, without QUIT and without events */
const char *smtp_link_relay(const struct smtp_link
	*link); /* "smtp.office365.com[192.0.2.1]:587", "…[by proxy.example:3128]:587"; "" before connected */
const char *smtp_link_tls(const struct smtp_link *link); /* "TLSv1.3 …" or "" */
/* What was said. In `outcome` and `gone`: about that mail, or the opening of the session. */
const struct transcript *smtp_link_transcript(const struct smtp_link *link);
const struct smtp_proto *smtp_link_proto(const struct smtp_link *link); /* NULL before connected */

/* What the link waits for. In TALKING: what smtp_proto_stage() says. */
enum smtp_link_at {
	SMTP_LINK_RESOLVING,
	SMTP_LINK_CONNECTING,
	SMTP_LINK_PROXYING,
	SMTP_LINK_SECURING,
	SMTP_LINK_TALKING,
	SMTP_LINK_OVER
};
enum smtp_link_at smtp_link_at(const struct smtp_link *link);

/* Traces each line of the dialogue at debug level; secrets as their length. `session`: id for the field SESSION. */
void smtp_link_trace(struct smtp_link *link, const char *session);

#endif
