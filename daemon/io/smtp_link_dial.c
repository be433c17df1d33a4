/* SPDX-License-Identifier: Apache-2.0 */
/* smtp_link_dial.c - from a name to a connection, plain or with TLS.  Layer: io. */
#include "daemon/io/smtp_link_inner.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CONNECT_PATIENCE ND_SEC(30) /* each address */
#define CONNECT_STAGGER 250         /* ms until the next is tried beside it (RFC 8305 5) */
#define TLS_PATIENCE ND_SEC(60)     /* implicit TLS; after STARTTLS the machine's patience rules */

static bool
by_proxy(const struct smtp_link *link)
{
	return link->conf->proxy.kind != PROXY_TALK_NONE;
}

static const char *
dialed_host(const struct smtp_link *link)
{
	return by_proxy(link) ? link->conf->proxy.host : link->conf->host;
}

static uint16_t
dialed_port(const struct smtp_link *link)
{
	return by_proxy(link) ? link->conf->proxy.port : link->conf->port;
}

/* A socket whose connecting has begun, or -1 and errno. */
static int
begin_connecting(const struct smtp_link *link, const struct resolve_addr *to)
{
	int one = 1, sys_errno;
	int fd = socket(to->addr.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);

	if (fd < 0)
		return -1;
	/* Commands and content leave as they come: with Nagle each mail waits for a delayed acknowledgement. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	/* The port is chosen when the other end is known: else all sessions of the host share one range. */
	(void)setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
	if ((link->from_len == 0 || bind(fd, (const struct sockaddr *)&link->from, link->from_len) == 0) &&
	    (connect(fd, (const struct sockaddr *)&to->addr, to->len) == 0 || errno == EINPROGRESS))
		return fd;
	sys_errno = errno;
	(void)close(fd);
	errno = sys_errno;
	return -1;
}

static void
note_tried(struct smtp_link *link, unsigned address, int sys_errno)
{
	size_t len = strlen(link->tried);
	const char *words = strerrordesc_np(sys_errno);

	link->last_errno = sys_errno;
	(void)snprintf(link->tried + len, sizeof(link->tried) - len, "%s%s: %s", len ? "; " : "",
	    link->answer.addr[address].text, words ? words : "unknown error");
}

/* -- addresses, one after the other or side by side -- */

static void
on_connected(evutil_socket_t fd, short what, void *arg)
{
	struct smtp_link_try *try = arg;

	(void)fd;
	(void)what;
	try->known = true;
	smtp_link_due(try->link);
}

static void
end_try(struct smtp_link_try *try, bool keep_fd)
{
	if (try->event == NULL)
		return;
	event_free(try->event);
	if (!keep_fd)
		(void)close(try->fd);
	*try = (struct smtp_link_try){ 0 };
}

void
smtp_link_stop_dialing(struct smtp_link *link)
{
	for (unsigned i = 0; i < link->address; i++)
		end_try(&link->tries[i], false);
}

/* Begins with the next address that can be tried at all; false: there is none. */
static bool
try_next(struct smtp_link *link)
{
	while (link->address < link->answer.count) {
		const unsigned address = link->address++;
		struct smtp_link_try *try = &link->tries[address];
		int fd = begin_connecting(link, &link->answer.addr[address]);

		if (fd < 0) {
			note_tried(link, address, errno);
			continue;
		}
		*try = (struct smtp_link_try){ .link = link, .fd = fd, .late = smtp_link_now(link) + CONNECT_PATIENCE };
		try->event = event_new(loop_base(link->loop), fd, EV_WRITE, on_connected, try);
		if (try->event == NULL || event_add(try->event, NULL) != 0)
			abort(); /* no memory */
		link->next_try = smtp_link_now(link) + CONNECT_STAGGER;
		return true;
	}
	return false;
}

/* What became of a try: 0 it stands, EINPROGRESS, or why not. */
static int
look_at(const struct smtp_link_try *try, nd_ms now)
{
	int sys_errno = 0;
	socklen_t len = sizeof(sys_errno);

	if (!try->known)
		return now >= try->late ? ETIMEDOUT : EINPROGRESS;
	if (getsockopt(try->fd, SOL_SOCKET, SO_ERROR, &sys_errno, &len) != 0)
		return errno;
	return sys_errno;
}

static void
tell_unconnected(struct smtp_link *link)
{
	(void)nd_fail(&link->why, ND_ECONNECT, 0, "no connection to %s%.100s, port %u: %s",
	    by_proxy(link) ? "the proxy " : "", dialed_host(link), (unsigned)dialed_port(link), link->tried);
	link->why.sys_errno = link->last_errno;
	smtp_link_fail(link, SMTP_AT_CONNECT);
}

static bool
is_loopback(const struct sockaddr_storage *addr)
{
	const struct in6_addr *six = &((const struct sockaddr_in6 *)addr)->sin6_addr;
	const struct in_addr *four = &((const struct sockaddr_in *)addr)->sin_addr;

	if (addr->ss_family == AF_INET)
		return ntohl(four->s_addr) >> 24 == 127;
	if (addr->ss_family != AF_INET6)
		return false;
	return IN6_IS_ADDR_LOOPBACK(six) || (IN6_IS_ADDR_V4MAPPED(six) && six->s6_addr[12] == 127);
}

/* The plain bufferevent gives up its socket to one that does TLS. */
void
smtp_link_secure(struct smtp_link *link)
{
	struct ssl_st *ssl;
	int fd;

	assert(link->conf->tls != NULL);
	ssl = tls_session(link->conf->tls, link->conf->tls_name, &link->why);
	link->phase = SECURING;
	if (ssl == NULL) {
		link->lost = true;
		return;
	}
	fd = bufferevent_getfd(link->bev);
	(void)bufferevent_setfd(link->bev, -1);
	smtp_link_hang_up(link);
	smtp_link_attend(link, bufferevent_openssl_socket_new(
				   loop_base(link->loop), fd, ssl, BUFFEREVENT_SSL_CONNECTING, BEV_OPT_CLOSE_ON_FREE));
	link->secure = true;
	(void)bufferevent_enable(link->bev, EV_READ | EV_WRITE);
}

static void
begin_talking(struct smtp_link *link)
{
	link->proto = smtp_proto_new(&link->settings, smtp_link_now(link));
	link->phase = TALKING;
}

void
smtp_link_reached(struct smtp_link *link)
{
	if (link->settings.security != SMTP_TLS) {
		begin_talking(link);
		return;
	}
	loop_timer_set(link->timer, smtp_link_now(link) + TLS_PATIENCE);
	smtp_link_secure(link);
}

static void
name_relay(struct smtp_link *link, const struct resolve_addr *to)
{
	const unsigned port = link->conf->port;

	if (by_proxy(link))
		(void)snprintf(link->relay, sizeof(link->relay), "%.150s[by %.150s:%u]:%u", link->conf->host,
		    dialed_host(link), (unsigned)dialed_port(link), port);
	else
		(void)snprintf(link->relay, sizeof(link->relay), "%.255s[%s]:%u", link->conf->host, to->text, port);
}

static void
connected(struct smtp_link *link, unsigned address)
{
	const struct resolve_addr *to = &link->answer.addr[address];
	int fd = link->tries[address].fd;

	end_try(&link->tries[address], true);
	smtp_link_stop_dialing(link);
	smtp_link_attend(link, bufferevent_socket_new(loop_base(link->loop), fd, BEV_OPT_CLOSE_ON_FREE));

	name_relay(link, to);
	smtp_link_say(link, "connected to", link->relay);
	link->late = false;
	link->settings.loopback = !by_proxy(link) && is_loopback(&to->addr);
	(void)bufferevent_enable(link->bev, EV_READ | EV_WRITE);
	if (by_proxy(link))
		smtp_link_ask_proxy(link);
	else
		smtp_link_reached(link);
}

/* When something is to be done though nothing happens. */
static void
set_alarm(struct smtp_link *link)
{
	nd_ms at = link->address < link->answer.count ? link->next_try : ND_NEVER;

	for (unsigned i = 0; i < link->address; i++)
		if (link->tries[i].event != NULL && link->tries[i].late < at)
			at = link->tries[i].late;
	loop_timer_set(link->timer, at);
}

/* One step of the phases before the machine's; false: nothing to do now. The first address that answers wins; the next is tried when one has failed, or
 * does not answer at once. */
bool
smtp_link_connecting(struct smtp_link *link)
{
	const nd_ms now = smtp_link_now(link);
	unsigned open = 0;
	bool failed = false;

	link->late = false;
	for (unsigned i = 0; i < link->address; i++) {
		int sys_errno = link->tries[i].event != NULL ? look_at(&link->tries[i], now) : -1;

		if (sys_errno == 0) {
			connected(link, i);
			return true;
		}
		if (sys_errno == EINPROGRESS) {
			open++;
		} else if (sys_errno > 0) {
			note_tried(link, i, sys_errno);
			end_try(&link->tries[i], false);
			failed = true;
		}
	}
	if ((open == 0 || failed || now >= link->next_try) && try_next(link))
		open++;
	if (open == 0)
		tell_unconnected(link);
	else
		set_alarm(link);
	return false;
}

bool
smtp_link_resolving(struct smtp_link *link)
{
	if (link->up) {
		link->up = false;
		link->phase = CONNECTING;
		return true;
	}
	if (link->lost)
		smtp_link_fail(link, SMTP_AT_CONNECT);
	return false;
}

/* After STARTTLS the machine decides what a lost or late handshake means. */
static void
secure_late(struct smtp_link *link)
{
	if (link->lost)
		smtp_link_tell_lost(link);
	else
		smtp_proto_late(link->proto, smtp_link_now(link));
	link->late = false;
	if (smtp_proto_wish(link->proto) != SMTP_WISH_TLS)
		link->phase = TALKING;
}

bool
smtp_link_securing(struct smtp_link *link)
{
	if (link->up) {
		link->up = false;
		(void)tls_words(bufferevent_openssl_get_ssl(link->bev), link->tls, sizeof(link->tls));
		smtp_link_say(link,
		    tls_resumed(bufferevent_openssl_get_ssl(link->bev)) ? "TLS stands again:" : "TLS stands:",
		    link->tls);
		link->phase = TALKING;
		if (link->proto != NULL)
			smtp_proto_tls_up(link->proto, smtp_link_now(link));
		else
			begin_talking(link);
		return true;
	}
	if (!link->lost && !link->late)
		return false;
	if (link->proto != NULL) {
		secure_late(link);
		return link->phase == TALKING;
	}
	if (!link->lost)
		(void)nd_fail(
		    &link->why, ND_EDEADLINE, 0, "%.120s did not answer the TLS handshake in time", link->relay);
	smtp_link_fail(link, SMTP_AT_CERTIFICATE);
	return false;
}

/* The family that is wanted, or can be reached from the local address. */
static int
wanted_family(const struct smtp_link *link)
{
	return link->from_len > 0 ? link->from.ss_family : link->conf->family;
}

/* Takes the addresses of other families out; false: none is left. */
static bool
keep_family(struct smtp_link *link)
{
	const int family = wanted_family(link);
	unsigned kept = 0;

	for (unsigned i = 0; i < link->answer.count; i++)
		if (family == AF_UNSPEC || link->answer.addr[i].addr.ss_family == family)
			link->answer.addr[kept++] = link->answer.addr[i];
	link->answer.count = kept;
	if (kept > 0)
		return true;
	(void)nd_fail(
	    &link->why, ND_ERESOLVE, 0, "%.120s has no IPv%d address", dialed_host(link), family == AF_INET ? 4 : 6);
	(void)nd_fail_at(&link->why, link->from_len > 0 ? "bind" : "family", 0, NULL);
	return false;
}

static bool
read_local(struct smtp_link *link)
{
	const char *text = link->conf->bind;
	struct sockaddr_in four = { .sin_family = AF_INET };
	struct sockaddr_in6 six = { .sin6_family = AF_INET6 };

	if (text == NULL || text[0] == '\0')
		return true;
	if (inet_pton(AF_INET, text, &four.sin_addr) == 1) {
		memcpy(&link->from, &four, sizeof(four));
		link->from_len = sizeof(four);
	} else if (inet_pton(AF_INET6, text, &six.sin6_addr) == 1) {
		memcpy(&link->from, &six, sizeof(six));
		link->from_len = sizeof(six);
	} else {
		(void)nd_fail(
		    &link->why, ND_ECONF, 0, "\"%.60s\" is not an address that connections can come from", text);
		(void)nd_fail_at(&link->why, "bind", 0, NULL);
	}
	return link->from_len > 0;
}

void
smtp_link_begin_dialing(struct smtp_link *link, struct resolver *resolver)
{
	if (read_local(link)) {
		link->ask = resolver_ask(resolver, dialed_host(link), dialed_port(link), smtp_link_resolved, link);
		return;
	}
	link->lost = true;
	smtp_link_due(link);
}

void
smtp_link_resolved(void *arg, const struct resolve_answer *answer, const struct nd_why *why)
{
	struct smtp_link *link = arg;

	link->ask = NULL;
	if (answer != NULL) {
		link->answer = *answer;
		link->up = keep_family(link);
		link->lost = !link->up;
	} else {
		link->why = *why;
		link->lost = true;
	}
	smtp_link_due(link);
}
