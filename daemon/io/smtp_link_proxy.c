/* SPDX-License-Identifier: Apache-2.0 */
/* smtp_link_proxy.c - the way through a proxy, between the connection to it and the first octet of the server.  Layer: io. */
#include "daemon/io/smtp_link_inner.h"

#include <arpa/inet.h>
#include <event2/buffer.h>
#include <stdio.h>
#include <string.h>

#define PROXY_PATIENCE ND_SEC(60) /* it tries the server's addresses meanwhile */

static void
write_out(struct smtp_link *link)
{
	if (link->talk.out_len > 0 && bufferevent_write(link->bev, link->talk.out, link->talk.out_len) != 0) {
		(void)nd_fail(&link->why, ND_EMEMORY, 0, "there is no memory to write to %.120s", link->relay);
		link->lost = true;
	}
	link->talk.out_len = 0;
}

void
smtp_link_ask_proxy(struct smtp_link *link)
{
	struct proxy_talk_goal goal = { .host = link->conf->host, .port = link->conf->port };

	if (inet_pton(AF_INET, goal.host, goal.address) == 1)
		goal.address_len = 4;
	else if (inet_pton(AF_INET6, goal.host, goal.address) == 1)
		goal.address_len = 16;
	proxy_talk_init(&link->talk, link->conf->proxy.kind, &goal);
	write_out(link);
	link->phase = PROXYING;
	loop_timer_set(link->timer, smtp_link_now(link) + PROXY_PATIENCE);
}

/* Octets behind the proxy's reply stay where they are: they are the server's. */
static void
hear(struct smtp_link *link)
{
	struct evbuffer *input = bufferevent_get_input(link->bev);
	char chunk[512];
	ssize_t got;

	while (link->talk.state == PROXY_TALK_ASKING && (got = evbuffer_copyout(input, chunk, sizeof(chunk))) > 0)
		(void)evbuffer_drain(input, proxy_talk_input(&link->talk, chunk, (size_t)got));
	write_out(link);
}

bool
smtp_link_proxying(struct smtp_link *link)
{
	hear(link);
	if (link->talk.state == PROXY_TALK_STANDS) {
		smtp_link_say(link, "the proxy opened the way to", link->conf->host);
		link->late = false;
		smtp_link_reached(link);
		return true;
	}
	if (link->talk.state == PROXY_TALK_REFUSED) {
		link->why = link->talk.why;
	} else if (link->lost) {
		size_t len = strlen(link->why.text);

		(void)snprintf(link->why.text + len, sizeof(link->why.text) - len, " while the proxy was asked");
	} else if (link->late) {
		(void)nd_fail(
		    &link->why, ND_EDEADLINE, 0, "the proxy did not open the way to %.120s in time", link->relay);
	} else {
		return false;
	}
	smtp_link_fail(link, SMTP_AT_CONNECT);
	return false;
}
