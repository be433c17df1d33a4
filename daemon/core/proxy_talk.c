/* SPDX-License-Identifier: Apache-2.0 */
/* proxy_talk.c - asking a proxy for the way to a server.  Layer: core.  Pure. */
#include "daemon/core/proxy_talk.h"

#include "common/idn.h"
#include "common/str.h"

#include <stdio.h>
#include <string.h>

#define SOCKS_VERSION 5
#define SOCKS_CONNECT 1
#define SOCKS_NO_METHOD 0xff
enum { SOCKS_IPV4 = 1, SOCKS_NAME = 3, SOCKS_IPV6 = 4 };

struct refusal {
	int code;
	const char *words;
};

/* clang-format off */
static const struct refusal http_refusals[] = {
	{ 400, "" },
	{ 403, "its rules forbid it" },
	{ 405, "it does not open connections" },
	{ 407, "it wants a user and a password" },
	{ 501, "it does not open connections" },
	{ 502, "it cannot reach the server" },
	{ 503, "it cannot reach the server" },
	{ 504, "the server does not answer it" },
	{ 0, "" },
};

static const struct refusal socks_refusals[] = { /* RFC 1928 6 */
	{ 1, "general failure" },
	{ 2, "its rules forbid it" },
	{ 3, "network unreachable" },
	{ 4, "host unreachable" },
	{ 5, "connection refused" },
	{ 6, "time to live expired" },
	{ 7, "it does not open connections" },
	{ 8, "it does not know this kind of address" },
	{ 0, "unknown reply" },
};
/* clang-format on */

static const struct refusal *
find(const struct refusal *row, int code)
{
	while (row->code != 0 && row->code != code)
		row++;
	return row;
}

bool
proxy_talk_server(const char *url, struct proxy_talk_server *out)
{
	static const struct {
		const char *scheme;
		enum proxy_talk_kind kind;
	} schemes[] = { { "http://", PROXY_TALK_CONNECT }, { "socks5://", PROXY_TALK_SOCKS5 } };
	const char *host = url, *colon = strrchr(url, ':');
	struct proxy_talk_server server = { .kind = PROXY_TALK_NONE };
	int64_t port;
	size_t len;

	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
		if (!nd_str_starts_nocase(url, schemes[i].scheme))
			continue;
		server.kind = schemes[i].kind;
		host = url + strlen(schemes[i].scheme);
	}
	if (url[0] != '\0') {
		if (server.kind == PROXY_TALK_NONE || colon < host || !nd_str_int(colon + 1, 1, 65535, &port))
			return false;
		len = (size_t)(colon - host);
		if (len > 2 && host[0] == '[' && host[len - 1] == ']') {
			host++;
			len -= 2;
		}
		if (len == 0 || len >= sizeof(server.host))
			return false;
		memcpy(server.host, host, len);
		server.port = (uint16_t)port;
	}
	*out = server;
	return true;
}

static void
refuse(struct proxy_talk *talk, enum nd_err err, const char *said, const struct refusal *row)
{
	talk->state = PROXY_TALK_REFUSED;
	(void)nd_fail(&talk->why, err, 0, "the proxy does not open the way to %.100s, port %u: %s%s%s%s",
	    talk->goal.host, (unsigned)talk->goal.port, said, row != NULL && row->words[0] != '\0' ? " - " : "",
	    row != NULL ? row->words : "", talk->reason);
	(void)nd_fail_at(&talk->why, "smtp_proxy", 0, NULL);
}

/* -- HTTP -- */

static void
ask_http(struct proxy_talk *talk)
{
	const bool six = strchr(talk->goal.host, ':') != NULL;
	char goal[300], ascii[IDN_DOMAIN_SIZE];
	int len;

	(void)snprintf(goal, sizeof(goal), "%s%.255s%s:%u", six ? "[" : "", idn_host(talk->goal.host, ascii),
	    six ? "]" : "", (unsigned)talk->goal.port);
	len = snprintf(talk->out, sizeof(talk->out), "CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n", goal, goal);
	talk->out_len = (size_t)len;
}

/* "HTTP/1.1 200 OK" */
static void
hear_status(struct proxy_talk *talk)
{
	const char *line = talk->line;
	int64_t code;
	char digits[4];

	(void)snprintf(digits, sizeof(digits), "%.3s", talk->line_len > 9 ? line + 9 : "");
	if (strncmp(line, "HTTP/1.", 7) != 0 || line[7] == '\0' || line[8] != ' ' ||
	    !nd_str_int(digits, 100, 599, &code) || (line[12] != '\0' && line[12] != ' ')) {
		refuse(talk, ND_EPROTOCOL, "it does not answer as an HTTP proxy", NULL);
		return;
	}
	(void)snprintf(talk->status, sizeof(talk->status), "%.99s", line + 9);
}

/* What proxies say about a failure beyond its number. */
static void
hear_field(struct proxy_talk *talk)
{
	static const char *const fields[] = { "X-Squid-Error:", "Proxy-Status:" };

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		const char *value = talk->line + strlen(fields[i]);

		if (!nd_str_starts_nocase(talk->line, fields[i]))
			continue;
		while (*value == ' ' || *value == '\t')
			value++;
		(void)snprintf(talk->reason, sizeof(talk->reason), " (%.80s)", value);
	}
}

static void
end_head(struct proxy_talk *talk)
{
	const int code = (talk->status[0] - '0') * 100 + (talk->status[1] - '0') * 10 + (talk->status[2] - '0');

	if (code / 100 == 2)
		talk->state = PROXY_TALK_STANDS;
	else if (code / 100 != 1)
		refuse(talk, ND_ECONNECT, talk->status, find(http_refusals, code));
	talk->status[0] = '\0'; /* after 1xx another reply follows */
}

static void
hear_line(struct proxy_talk *talk)
{
	if (talk->line_len > 0 && talk->line[talk->line_len - 1] == '\r')
		talk->line_len--;
	talk->line[talk->line_len] = '\0';
	if (talk->status[0] == '\0')
		hear_status(talk);
	else if (talk->line_len == 0)
		end_head(talk);
	else
		hear_field(talk);
	talk->line_len = 0;
}

static void
hear_http(struct proxy_talk *talk, char c)
{
	static const char start[] = "HTTP/1.";

	if (c == '\n') {
		hear_line(talk);
		return;
	}
	if (talk->line_len < sizeof(talk->line) - 1)
		talk->line[talk->line_len++] = c;
	/* Whatever is no proxy may never end its line: told apart at once. */
	if (talk->status[0] == '\0' && talk->line_len < sizeof(start) && c != start[talk->line_len - 1])
		refuse(talk, ND_EPROTOCOL, "it does not answer as an HTTP proxy", NULL);
}

/* -- SOCKS5 -- */

static void
greet_socks(struct proxy_talk *talk)
{
	static const char greeting[] = { SOCKS_VERSION, 1, 0 /* no authentication */ };

	memcpy(talk->out, greeting, sizeof(greeting));
	talk->out_len = sizeof(greeting);
	talk->reply_whole = 2;
}

static void
ask_socks(struct proxy_talk *talk)
{
	const struct proxy_talk_goal *goal = &talk->goal;
	char ascii[IDN_DOMAIN_SIZE];
	const char *host = idn_host(goal->host, ascii);
	size_t name_len = strlen(host), len = 4;

	talk->agreed = true;
	talk->reply_len = 0;
	talk->reply_whole = 5;
	talk->out[0] = SOCKS_VERSION;
	talk->out[1] = SOCKS_CONNECT;
	talk->out[2] = 0;
	if (goal->address_len > 0) {
		talk->out[3] = goal->address_len == 4 ? SOCKS_IPV4 : SOCKS_IPV6;
		memcpy(talk->out + len, goal->address, goal->address_len);
		len += goal->address_len;
	} else {
		talk->out[3] = SOCKS_NAME;
		talk->out[len++] = (char)(uint8_t)name_len;
		memcpy(talk->out + len, host, name_len);
		len += name_len;
	}
	talk->out[len++] = (char)(goal->port >> 8);
	talk->out[len++] = (char)(goal->port & 0xff);
	talk->out_len = len;
}

static void
hear_method(struct proxy_talk *talk)
{
	static const struct refusal password = { 0, "it wants a user and a password" };

	if (talk->reply_len < 2)
		return;
	if (talk->reply[1] == 0)
		ask_socks(talk);
	else if (talk->reply[1] == SOCKS_NO_METHOD)
		refuse(talk, ND_ECONNECT, "no method of signing in suits it", &password);
	else
		refuse(talk, ND_EPROTOCOL, "it does not answer as a SOCKS5 proxy", NULL);
}

/* How long the reply is, by the address in it that nobody needs; 0: it is none. */
static size_t
whole_reply(const uint8_t reply[8])
{
	switch (reply[3]) {
	case SOCKS_IPV4:
		return 4 + 4 + 2;
	case SOCKS_IPV6:
		return 4 + 16 + 2;
	case SOCKS_NAME:
		return 4 + 1 + (size_t)reply[4] + 2;
	default:
		return 0;
	}
}

static void
hear_reply(struct proxy_talk *talk)
{
	const struct refusal *row;
	char said[64];

	/* Some close right behind the code. */
	if (talk->reply_len == 2 && talk->reply[1] != 0) {
		row = find(socks_refusals, talk->reply[1]);
		(void)snprintf(said, sizeof(said), "SOCKS reply %u", (unsigned)talk->reply[1]);
		refuse(talk, ND_ECONNECT, said, row);
	} else if (talk->reply_len == 5) {
		talk->reply_whole = whole_reply(talk->reply);
		if (talk->reply_whole == 0)
			refuse(talk, ND_EPROTOCOL, "it does not answer as a SOCKS5 proxy", NULL);
	} else if (talk->reply_len == talk->reply_whole) {
		talk->state = PROXY_TALK_STANDS;
	}
}

static void
hear_socks(struct proxy_talk *talk, uint8_t octet)
{
	if (talk->reply_len < sizeof(talk->reply))
		talk->reply[talk->reply_len] = octet;
	talk->reply_len++;
	if (talk->reply[0] != SOCKS_VERSION)
		refuse(talk, ND_EPROTOCOL, "it does not answer as a SOCKS5 proxy", NULL);
	else if (!talk->agreed)
		hear_method(talk);
	else
		hear_reply(talk);
}

/* -- both -- */

void
proxy_talk_init(struct proxy_talk *talk, enum proxy_talk_kind kind, const struct proxy_talk_goal *goal)
{
	*talk = (struct proxy_talk){ .kind = kind, .goal = *goal };
	if (strlen(goal->host) > 255 || (goal->address_len != 0 && goal->address_len != 4 && goal->address_len != 16))
		refuse(talk, ND_ECONF, "the name is too long", NULL);
	else if (kind == PROXY_TALK_SOCKS5)
		greet_socks(talk);
	else
		ask_http(talk);
}

size_t
proxy_talk_input(struct proxy_talk *talk, const char *octets, size_t len)
{
	size_t used = 0;

	while (used < len && talk->state == PROXY_TALK_ASKING) {
		if (++talk->heard > PROXY_TALK_MAX)
			refuse(talk, ND_EPROTOCOL, "its reply does not end", NULL);
		else if (talk->kind == PROXY_TALK_SOCKS5)
			hear_socks(talk, (uint8_t)octets[used++]);
		else
			hear_http(talk, octets[used++]);
	}
	return used;
}
