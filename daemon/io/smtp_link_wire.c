/* SPDX-License-Identifier: Apache-2.0 */
/* smtp_link_wire.c - octets between the connection and the machine.  Layer: io. */
#include "daemon/io/smtp_link_inner.h"

#include "common/log.h"
#include "common/mem.h"

#include <errno.h>
#include <event2/buffer.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CHUNK 4096u /* of input, at a time */
#define TRACE_MAX 400
#define ROOM_KEPT 16384u /* of the machine's output, between mails */

static bool
traced(const struct smtp_link *link)
{
	return link->session[0] != '\0' && nd_log_wanted(ND_LOG_DEBUG);
}

void
smtp_link_say(struct smtp_link *link, const char *what, const char *value)
{
	transcript_note(&link->transcript, what, value, smtp_link_now(link));
	if (traced(link))
		nd_log(ND_LOG_DEBUG, ND_FIELDS({ "SESSION", link->session }), "%s %s", what, value);
}

static void
trace_line(const struct smtp_link *link, char direction, const char *octets, size_t len)
{
	char line[TRACE_MAX + 1];

	while (len > 0 && (octets[len - 1] == '\n' || octets[len - 1] == '\r'))
		len--;
	if (len > TRACE_MAX)
		len = TRACE_MAX;
	for (size_t i = 0; i < len; i++)
		line[i] = (unsigned char)octets[i] < ' ' || octets[i] == 0x7f ? '?' : octets[i];
	line[len] = '\0';
	if (direction == '<')
		transcript_hide(&link->transcript, TRANSCRIPT_SERVER, line, sizeof(line));
	nd_log(ND_LOG_DEBUG, ND_FIELDS({ "SESSION", link->session }), "%c %s", direction, line);
}

/* What lies behind `shown`: commands that waited for the content were shown when they were said. */
static void
trace_output(const struct smtp_link *link, const struct nd_buf *out, const char *hidden)
{
	const char *at = out->octets + link->shown, *end = out->octets + out->len;

	if (!traced(link) || at == end)
		return;
	if (hidden != NULL) {
		nd_log(ND_LOG_DEBUG, ND_FIELDS({ "SESSION", link->session }), "> %zu octets of %s",
		    out->len - link->shown, hidden);
		return;
	}
	while (at < end) {
		const char *lf = memchr(at, '\n', (size_t)(end - at));
		const char *next = lf ? lf + 1 : end;

		trace_line(link, '>', at, (size_t)(next - at));
		at = next;
	}
}

/* A command, and the octets of a message behind it. */
static void
note_chunk(struct smtp_link *link, const char *octets, size_t len)
{
	const char *lf = memchr(octets, '\n', len);
	const size_t command = lf ? (size_t)(lf + 1 - octets) : len;

	transcript_said(&link->transcript, octets, command, smtp_link_now(link));
	if (len > command)
		transcript_gave(&link->transcript, len - command, smtp_link_now(link));
}

/* The same for the transcript. */
static void
note_output(struct smtp_link *link, const struct nd_buf *out, bool secret, bool content)
{
	const char *octets = out->octets + link->shown;
	const size_t len = out->len - link->shown;

	if (len == 0)
		return;
	if (secret)
		transcript_hid(&link->transcript, octets, len, smtp_link_now(link));
	else if (content && smtp_proto_chunks(link->proto))
		note_chunk(link, octets, len);
	else if (content)
		transcript_gave(&link->transcript, len, smtp_link_now(link));
	else
		transcript_said(&link->transcript, octets, len, smtp_link_now(link));
}

/* The machine takes input now. What comes behind a reply that ends something waits until that is dealt with. */
static bool
hears(const struct smtp_link *link)
{
	enum smtp_wish wish = smtp_proto_wish(link->proto);

	return wish == SMTP_WISH_READ || wish == SMTP_WISH_MAIL || wish == SMTP_WISH_CONTENT;
}

static void
hear_line(struct smtp_link *link, const char *octets, size_t len)
{
	if (traced(link))
		trace_line(link, '<', octets, len);
	transcript_heard(&link->transcript, octets, len, smtp_link_now(link));
	smtp_proto_input(link->proto, octets, len, smtp_link_now(link));
}

/* Line by line: octets behind the 220 to STARTTLS must stay where they can be seen. */
static void
feed(struct smtp_link *link)
{
	struct evbuffer *input = bufferevent_get_input(link->bev);
	char chunk[CHUNK];

	while (hears(link) && evbuffer_get_length(input) > 0) {
		struct evbuffer_ptr lf = evbuffer_search_eol(input, NULL, NULL, EVBUFFER_EOL_LF);
		size_t want = lf.pos >= 0 ? (size_t)lf.pos + 1 : evbuffer_get_length(input);
		int got = evbuffer_remove(input, chunk, want < sizeof(chunk) ? want : sizeof(chunk));

		if (got <= 0)
			break;
		hear_line(link, chunk, (size_t)got);
	}
}

/* A relay that refuses amid the content says so and closes: writing fails first, its words are still in the socket. */
static void
feed_rest(struct smtp_link *link)
{
	char chunk[CHUNK];
	size_t len;

	if (link->secure) {
		len = tls_rest(bufferevent_openssl_get_ssl(link->bev), chunk, sizeof(chunk));
	} else {
		ssize_t got = recv(bufferevent_getfd(link->bev), chunk, sizeof(chunk), MSG_DONTWAIT);

		len = got > 0 ? (size_t)got : 0;
	}
	for (size_t at = 0; at < len && hears(link);) {
		const char *lf = memchr(chunk + at, '\n', len - at);
		size_t line = lf ? (size_t)(lf - chunk) + 1 - at : len - at;

		hear_line(link, chunk + at, line);
		at += line;
	}
}

/* What did not leave cannot have been taken. */
static void
note_unsent(struct smtp_link *link)
{
	if (link->bev != NULL)
		smtp_proto_unsent(link->proto, evbuffer_get_length(bufferevent_get_output(link->bev)));
}

void
smtp_link_tell_lost(struct smtp_link *link)
{
	link->lost_told = true;
	note_unsent(link);
	smtp_proto_lost(link->proto, &link->why, smtp_link_now(link));
}

/* What was under way is known only when all that came before the end was heard. */
static void
add_doing(struct smtp_link *link)
{
	size_t len = strlen(link->why.text);

	(void)snprintf(link->why.text + len, sizeof(link->why.text) - len, " while %s", smtp_proto_doing(link->proto));
}

void
smtp_link_listen(struct smtp_link *link)
{
	enum smtp_wish wish;

	note_unsent(link);
	feed(link);
	if (link->late) {
		link->late = false;
		if (smtp_proto_deadline(link->proto) <= smtp_link_now(link)) /* it may have moved in this turn */
			smtp_proto_late(link->proto, smtp_link_now(link));
	}
	if (!link->lost || link->lost_told)
		return;
	if (link->write_failed && hears(link)) {
		link->write_failed = false;
		feed_rest(link);
	}
	wish = smtp_proto_wish(link->proto);
	if (wish == SMTP_WISH_RESULT || wish == SMTP_WISH_CLOSE)
		return;
	add_doing(link);
	smtp_link_tell_lost(link);
}

static void
wipe(const void *octets, size_t len, void *arg)
{
	(void)octets;
	nd_wipe_free(arg, len);
}

static void
discard(const void *octets, size_t len, void *arg)
{
	(void)octets;
	(void)len;
	free(arg);
}

/* Referenced, not copied. */
static bool
hand_over(struct smtp_link *link, struct nd_buf *out, evbuffer_ref_cleanup_cb release)
{
	size_t len;
	char *octets = nd_buf_take(out, &len);

	if (evbuffer_add_reference(bufferevent_get_output(link->bev), octets, len, release, octets) == 0)
		return true;
	release(octets, len, octets);
	return false;
}

static void
lack_memory(struct smtp_link *link)
{
	link->lost = true;
	(void)nd_fail(&link->why, ND_EMEMORY, 0, "there is no memory to write to %.120s", link->relay);
}

/* A mail beside others is a piece of the output of its own: TLS takes it whole or not at all, and then says so. Otherwise the end of one mail might have
 * left in a write that is not done yet because of the next. */
void
smtp_link_fly(struct smtp_link *link)
{
	bool secret;
	struct nd_buf *out = smtp_proto_output(link->proto, &secret);
	const char *bdat = out->len > 0 ? memmem(out->octets, out->len, "\nBDAT ", 6) : NULL;
	const char *body = bdat ? memchr(bdat + 1, '\n', out->len - (size_t)(bdat + 1 - out->octets)) : NULL;

	if (bdat != NULL) {
		transcript_said(&link->transcript, out->octets, (size_t)(bdat + 1 - out->octets), smtp_link_now(link));
		note_chunk(link, bdat + 1, out->len - (size_t)(bdat + 1 - out->octets));
	}
	if (body != NULL && traced(link)) {
		const struct nd_buf commands = { .octets = out->octets, .len = (size_t)(body + 1 - out->octets) };

		trace_output(link, &commands, NULL);
		link->shown = commands.len;
		trace_output(link, out, "content");
		link->shown = 0;
	}
	if (out->len > 0 && !hand_over(link, out, discard))
		lack_memory(link);
}

/* What is small goes into the socket at once: libevent would watch it for room, write in the next turn, and stop watching. Not when something has
 * come: it may be the end, and what is said into a closed connection is in doubt. */
static bool
write_now(const struct smtp_link *link, const struct nd_buf *out)
{
	char c;

	if (!link->secure || out->len > TLS_WRITE_MAX || evbuffer_get_length(bufferevent_get_output(link->bev)) > 0 ||
	    recv(bufferevent_getfd(link->bev), &c, 1, MSG_PEEK | MSG_DONTWAIT) >= 0)
		return false;
	return tls_write(bufferevent_openssl_get_ssl(link->bev), out->octets, out->len);
}

void
smtp_link_flush(struct smtp_link *link, bool content)
{
	bool secret = false, done;
	struct nd_buf *out = smtp_proto_output(link->proto, &secret);
	const char *hidden = secret ? "a secret" : content ? "content" : NULL;

	if (out->len == 0)
		return;
	if (smtp_proto_holds(link->proto)) { /* one write, one TLS record */
		trace_output(link, out, NULL);
		note_output(link, out, false, false);
		link->shown = out->len;
		return;
	}
	if (link->lost) {
		link->shown = 0;
		if (secret)
			nd_buf_wipe(out);
		else
			nd_buf_drop(out, out->len);
		return;
	}
	trace_output(link, out, hidden);
	note_output(link, out, secret, content);
	link->shown = 0;
	if (secret) {
		done = hand_over(link, out, wipe); /* it is wiped as soon as it is written */
	} else {
		/* A record that TLS could not write yet must be the same octets at the same place when it is tried again. */
		done = write_now(link, out) ||
		       (link->secure ? hand_over(link, out, discard)
				     : evbuffer_add(bufferevent_get_output(link->bev), out->octets, out->len) == 0);
		if (out->room > ROOM_KEPT)
			nd_buf_done(out);
		else
			nd_buf_clear(out);
	}
	if (!done)
		lack_memory(link);
}

bool
smtp_link_roomy(struct smtp_link *link)
{
	link->full = evbuffer_get_length(bufferevent_get_output(link->bev)) > SMTP_LINK_OUTPUT_LOW;
	return !link->full;
}

/* The next piece of the content, at most `room` octets. */
static bool
next_piece(struct smtp_link *link, size_t room, const char **octets, size_t *len)
{
	const struct smtp_link_mail *mail = &link->mail;
	uint64_t left = (link->at < mail->head_len ? mail->head_len : link->total) - link->at;
	ssize_t got;

	*len = left < room ? (size_t)left : room;
	if (link->at < mail->head_len) {
		*octets = mail->head + link->at;
		return true;
	}
	if ((mail->fd < 0 && mail->read == NULL) || *len == 0) {
		*octets = mail->body_len > 0 ? mail->body + (link->at - mail->head_len) : "";
		return true;
	}
	if (link->piece == NULL)
		link->piece = nd_xalloc(SMTP_LINK_PIECE_MAX);
	*octets = link->piece;
	if (mail->seal != NULL || mail->read != NULL) {
		got = mail->read != NULL ? mail->read(mail->read_arg, link->piece, *len, &link->why)
					 : seal_read(mail->seal, mail->fd, mail->skip + link->at - mail->head_len,
					       link->piece, *len, &link->why);
		link->piece_used = SMTP_LINK_PIECE_MAX;
		if (got > 0)
			*len = (size_t)got;
		return got > 0;
	}
	do {
		got = pread(mail->fd, link->piece, *len, (off_t)(mail->skip + link->at - mail->head_len));
	} while (got < 0 && errno == EINTR);
	if (got > 0) {
		*len = (size_t)got;
		return true;
	}
	(void)nd_fail(&link->why, ND_EDISK, got < 0 ? errno : 0, "the stored message %s",
	    got < 0 ? "cannot be read" : "is shorter than it was");
	return false;
}

static void
break_off(struct smtp_link *link)
{
	link->lost = true;
	smtp_link_tell_lost(link);
}

/* Gives one piece; false: no more can be done now. */
static bool
give_piece(struct smtp_link *link, size_t pending)
{
	const char *octets;
	size_t len;
	bool last;

	if (!next_piece(link, SMTP_LINK_PIECE_MAX - pending, &octets, &len)) {
		break_off(link);
		return false;
	}
	last = link->at + len == link->total;
	if (last && !link->events->ending(link->owner, link)) {
		if (link->phase != OVER) {
			(void)nd_fail(&link->why, ND_ECLOSED, 0, "the session was ended before the end of the message");
			break_off(link);
		}
		return false;
	}
	if (link->phase == OVER)
		return false;
	link->at += len;
	if (link->mail.given)
		link->mail.given(link->mail.given_arg, octets, len);
	smtp_proto_content(link->proto, octets, len, last, smtp_link_now(link));
	return !last;
}

/* Small contents leave in one write, head and body together. true: the machine may wish something else now. */
bool
smtp_link_give(struct smtp_link *link)
{
	struct evbuffer *output = bufferevent_get_output(link->bev);
	bool secret, more = true;

	while (more && evbuffer_get_length(output) < SMTP_LINK_OUTPUT_FULL) {
		size_t pending = smtp_proto_output(link->proto, &secret)->len;

		if (smtp_proto_holds(link->proto)) {
			pending = 0;
		} else if (pending >= SMTP_LINK_PIECE_MAX) {
			smtp_link_flush(link, true);
			continue;
		}
		more = give_piece(link, pending);
		if (link->phase == OVER)
			return false;
		more = more && smtp_proto_wish(link->proto) == SMTP_WISH_CONTENT;
	}
	smtp_link_flush(link, true);
	link->full = more;
	return !more;
}
