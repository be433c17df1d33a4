/* SPDX-License-Identifier: Apache-2.0 */
/* http_server_request.c - what a handler may ask of a request; its target taken apart.  Layer: io.
 *
 * libmicrohttpd decodes paths and queries too, but cuts them at %00. So the target is kept as it came and read here,
 * strictly.
 */
#include "daemon/io/http_server_internal.h"

#include "common/str.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* -- the target ------------------------------------------------------------------------------------------------ */

static enum nd_err
malformed(struct nd_why *why, const char *problem, const char *hint)
{
	(void)nd_fail(why, ND_ESYNTAX, 0, "%s", problem);
	(void)nd_fail_at(why, NULL, 0, hint);
	return ND_ESYNTAX;
}

/* Adds the decoded text and its NUL to words; *at is where it begins. */
static bool
decode(struct http_request *request, const char *text, size_t len, bool plus, size_t *at)
{
	*at = request->words.len;
	return nd_str_unpercent(&request->words, text, len, plus) && nd_buf_addc(&request->words, '\0');
}

enum nd_err
http_request_overfull(struct nd_why *why)
{
	return malformed(why, "the query has more than 64 parameters",
	    "send many recipients with the message, as application/x-notifyd-message");
}

static enum nd_err
parse_param(struct http_request *request, const char *text, size_t len, struct nd_why *why)
{
	const char *equals = memchr(text, '=', len);
	size_t name_len = equals != NULL ? (size_t)(equals - text) : len;
	struct http_param *param = &request->param[request->param_count];
	const char *name, *value;

	if (len == 0)
		return ND_OK;
	if (request->param_count == HTTP_PARAMS_MAX)
		return http_request_overfull(why);
	if (!decode(request, text, name_len, true, &param->name) ||
	    !decode(request, equals != NULL ? equals + 1 : "", equals != NULL ? len - name_len - 1 : 0, true,
		&param->value))
		return malformed(why, "the query has a bad percent escape", "write % as %25; %00 is not allowed");
	name = request->words.octets + param->name;
	value = request->words.octets + param->value;
	if (!nd_str_utf8(name, strlen(name)) || !nd_str_utf8(value, strlen(value)))
		return malformed(why, "the query is not UTF-8", NULL);
	request->param_count++;
	return ND_OK;
}

static enum nd_err
parse_query(struct http_request *request, const char *query, struct nd_why *why)
{
	enum nd_err err = ND_OK;

	while (err == ND_OK && *query != '\0') {
		size_t len = strcspn(query, "&");

		err = parse_param(request, query, len, why);
		query += len + (query[len] == '&');
	}
	return err;
}

enum nd_err
http_request_parse(struct http_request *request, struct nd_why *why)
{
	const char *target = nd_buf_text(&request->target);
	size_t path_len = strcspn(target, "?");
	size_t path;

	if (target[0] != '/')
		return malformed(why, "the request names a whole URL or a host where only a path belongs",
		    "send the path alone: curl --unix-socket /run/notifyd.sock http://localhost/v1/status");
	for (const char *c = target; *c != '\0'; c++)
		if (*c <= ' ' || *c >= 0x7f)
			return malformed(why, "the path holds a space or an octet that must be percent-encoded", NULL);
	if (!decode(request, target, path_len, false, &path))
		return malformed(why, "the path has a bad percent escape", "write % as %25; %00 is not allowed");
	return target[path_len] == '?' ? parse_query(request, target + path_len + 1, why) : ND_OK;
}

const char *
http_request_path(const struct http_request *request)
{
	return nd_buf_text(&request->words); /* it is the first word */
}

/* -- questions of handlers ------------------------------------------------------------------------------------- */

const struct access_peer *
http_request_peer(const struct http_request *request)
{
	return &request->connection->peer;
}

const char *
http_request_segment(const struct http_request *request)
{
	return request->segment;
}

const char *
http_request_header(const struct http_request *request, const char *name)
{
	return MHD_lookup_connection_value(request->mhd, MHD_HEADER_KIND, name);
}

static const char *
param_name(const struct http_request *request, unsigned i)
{
	return request->words.octets + request->param[i].name;
}

const char *
http_request_query(const struct http_request *request, const char *name)
{
	for (unsigned i = 0; i < request->param_count; i++)
		if (strcmp(param_name(request, i), name) == 0)
			return request->words.octets + request->param[i].value;
	return NULL;
}

bool
http_request_param(const struct http_request *request, unsigned i, const char **name, const char **value)
{
	if (i >= request->param_count)
		return false;
	*name = param_name(request, i);
	*value = request->words.octets + request->param[i].value;
	return true;
}

static enum nd_err
unknown(const char *name, const char *const *known, struct nd_why *why)
{
	const char *near = nd_str_nearest(name, known);
	char hint[96];

	(void)nd_fail(why, ND_EUNKNOWN, 0, "there is no query parameter \"%.60s\" here", name);
	if (near != NULL)
		(void)snprintf(hint, sizeof(hint), "did you mean \"%s\"?", near);
	(void)nd_fail_at(why, name, 0, near != NULL ? hint : NULL);
	return ND_EUNKNOWN;
}

enum nd_err
http_request_only(const struct http_request *request, const char *const *known, struct nd_why *why)
{
	for (unsigned i = 0; i < request->param_count; i++) {
		const char *name = param_name(request, i);
		unsigned k = 0;

		while (known[k] != NULL && strcmp(known[k], name) != 0)
			k++;
		if (known[k] == NULL)
			return unknown(name, known, why);
		for (unsigned j = 0; j < i; j++) {
			if (strcmp(param_name(request, j), name) != 0)
				continue;
			/* Using one of them and dropping the other would be a riddle. */
			(void)nd_fail(why, ND_ESYNTAX, 0, "the query parameter \"%.60s\" is given twice", name);
			(void)nd_fail_at(why, name, 0, NULL);
			return ND_ESYNTAX;
		}
	}
	return ND_OK;
}

const char *
http_request_body(const struct http_request *request, size_t *len)
{
	if (len != NULL)
		*len = request->body.len;
	return nd_buf_text(&request->body);
}

void
http_request_take_body(struct http_request *request, struct http_body *body)
{
	body->octets = nd_buf_take(&request->body, &body->len);
	body->charged = request->charged;
	request->charged = 0;
}

void
http_server_body_done(struct http_server *server, struct http_body *body)
{
	free(body->octets);
	if (server != NULL)
		server->memory -= body->charged;
	*body = (struct http_body){ NULL, 0, 0 };
}

void
http_request_own(struct http_request *request, void *context, void (*gone)(void *context))
{
	struct http_connection *connection = request->connection;

	request->context = context;
	request->gone = gone;
	if (gone == NULL) /* nobody wants to know, and the request must stay until it is answered */
		http_server_unwatch(connection);
	else if (request->suspended && connection->watch == NULL)
		http_server_phase(
		    connection, HTTP_WAIT, loop_now(connection->listener->server->loop).ms + HTTP_WATCH_AFTER);
}
