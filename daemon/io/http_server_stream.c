/* SPDX-License-Identifier: Apache-2.0 */
/* http_server_stream.c - replies of unknown length: written piece by piece, taken by the client at its own pace.  Layer: io.
 *
 * libmicrohttpd asks read_stream() for octets whenever the socket takes some. With nothing to give, the connection is
 * suspended until more is written or the stream ends:
 *
 *   begin ─► queue ─► flowing ─nothing left─► asleep ─write, end─► flowing ─► … ─► done
 *
 * While octets wait, the client has limits.total_time to take some; while it sleeps it may take for ever, and is
 * watched for leaving.
 */
#include "daemon/io/http_server_internal.h"

#include "common/mem.h"

#include <stdlib.h>
#include <string.h>

#define BLOCK 4096u /* what libmicrohttpd asks for at a time without chunks (HTTP/1.0) */

struct http_stream {
	struct nd_buf buf; /* not yet taken */
	void (*room)(void *context);
	bool ended, broken;
	bool asleep; /* suspended by read_stream */
	bool wanted; /* the writer was refused: it is told of room */
};

static struct http_server *
server_of(const struct http_request *request)
{
	return request->connection->listener->server;
}

/* Told at the end of the turn: libmicrohttpd must not meet a suspend or resume of its own callback's making. */
static void
tell_room(void *arg)
{
	struct http_request *request = arg;
	struct http_stream *stream = request->stream;

	if (stream == NULL || stream->ended || !stream->wanted || request->gone == NULL)
		return;
	stream->wanted = false;
	if (stream->room != NULL)
		stream->room(request->context);
}

static ssize_t
fall_asleep(struct http_request *request)
{
	struct http_stream *stream = request->stream;

	if (stream->ended)
		return stream->broken ? MHD_CONTENT_READER_END_WITH_ERROR : MHD_CONTENT_READER_END_OF_STREAM;
	stream->asleep = true;
	MHD_suspend_connection(request->mhd);
	request->suspended = true;
	http_server_phase(request->connection, HTTP_WAIT, loop_now(server_of(request)->loop).ms + HTTP_WATCH_AFTER);
	return 0;
}

static ssize_t
read_stream(void *arg, uint64_t at, char *octets, size_t max)
{
	struct http_request *request = arg;
	struct http_stream *stream = request->stream;
	struct http_server *server = server_of(request);
	size_t len = stream->buf.len < max ? stream->buf.len : max;

	(void)at;
	if (request->dead)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	if (len == 0)
		return fall_asleep(request);
	memcpy(octets, stream->buf.octets, len);
	nd_buf_drop(&stream->buf, len);
	/* It has taken what came before: from here on its time runs anew. */
	http_server_phase(request->connection, HTTP_REPLY, loop_now(server->loop).ms + server->limits.total_time);
	if (stream->wanted && stream->buf.len <= HTTP_STREAM_ROOM / 2)
		loop_soon(server->loop, tell_room, request);
	return (ssize_t)len;
}

static void
wake(struct http_request *request)
{
	if (!request->stream->asleep)
		return;
	request->stream->asleep = false;
	http_server_resume(request);
}

enum nd_err
http_server_stream_begin(
    struct http_request *request, int status, const char *type, void (*room)(void *context), struct nd_why *why)
{
	struct MHD_Response *response;

	response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK, read_stream, request, NULL);
	if (response == NULL)
		return nd_fail(why, ND_EMEMORY, 0, "there is no memory for the answer");
	(void)MHD_add_response_header(response, "Content-Type", type);
	request->stream = nd_xalloc(sizeof(*request->stream));
	nd_buf_init(&request->stream->buf, HTTP_STREAM_ROOM);
	request->stream->room = room;
	request->response = response;
	request->status = (unsigned)status;
	request->answered = true;
	if (request->suspended)
		http_server_resume(request);
	return ND_OK;
}

bool
http_server_stream_write(struct http_request *request, const char *octets, size_t len)
{
	struct http_stream *stream = request->stream;

	if (len > HTTP_STREAM_ROOM - stream->buf.len || !nd_buf_add(&stream->buf, octets, len)) {
		stream->wanted = true;
		return false;
	}
	wake(request);
	return true;
}

void
http_server_stream_end(struct http_request *request)
{
	request->stream->ended = true;
	request->context = NULL;
	request->gone = NULL;
	wake(request);
}

void
http_server_stream_break(struct http_request *request)
{
	request->stream->broken = true;
	http_server_stream_end(request);
}

void
http_server_stream_free(struct http_request *request)
{
	if (request->stream == NULL)
		return;
	loop_forget(server_of(request)->loop, request);
	nd_buf_wipe(&request->stream->buf); /* it may have been a message that nobody else should read */
	free(request->stream);
	request->stream = NULL;
}
