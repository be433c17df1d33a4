/* SPDX-License-Identifier: Apache-2.0 */
/* smtp_link.c - drives one smtp_proto over libevent and OpenSSL.  Layer: io.
 *
 *   RESOLVING ─► CONNECTING ─► (PROXYING) ─► (SECURING, implicit TLS) ─► TALKING ◄─► SECURING (STARTTLS)
 *                                                            └─► OVER
 *
 * Callbacks only note what happened and mark the link due. obey() runs in the loop's soon phase, does what the phase
 * and the machine's wish ask for until nothing more can be done, and is the only place from which events are told.
 * So the owner may free the link in any of them: whoever calls an event looks at the phase after it.
 */
#include "daemon/io/smtp_link_inner.h"

#include "common/mem.h"
#include "common/str.h"
#include "daemon/io/sasl.h"

#include <assert.h>
#include <errno.h>
#include <event2/buffer.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define REPLIES_USUAL 512u /* octets of input that room is made for; libevent would take 16 KiB for each reply */

static void obey(void *arg);

void
smtp_link_due(struct smtp_link *link)
{
	if (link->phase != OVER && !link->obeying)
		loop_soon(link->loop, obey, link);
}

nd_ms
smtp_link_now(struct smtp_link *link)
{
	return loop_now(link->loop).ms;
}

/* -- what libevent and the timer say -- */

static void
on_read(struct bufferevent *bev, void *arg)
{
	(void)bev;
	smtp_link_due(arg);
}

static void
on_write(struct bufferevent *bev, void *arg)
{
	struct smtp_link *link = arg;

	(void)bev;
	if (link->full)
		smtp_link_due(link);
}

static void
on_event(struct bufferevent *bev, short what, void *arg)
{
	struct smtp_link *link = arg;
	int sys_errno = errno;

	if (what & BEV_EVENT_CONNECTED) {
		link->up = true;
	} else if (!link->lost) {
		link->lost = true;
		link->write_failed = (what & BEV_EVENT_WRITING) && !(what & BEV_EVENT_EOF);
		link->last_errno = what & BEV_EVENT_ERROR ? sys_errno : 0;
		if (link->secure)
			(void)tls_failure(bev, link->conf->tls_name, &link->why);
		else if (what & BEV_EVENT_EOF)
			(void)nd_fail(&link->why, ND_ECLOSED, 0, "%.120s closed the connection", link->relay);
		else
			(void)nd_fail(&link->why, ND_ECLOSED, sys_errno, "the connection to %.120s broke", link->relay);
	}
	smtp_link_due(link);
}

static void
on_time(void *arg)
{
	struct smtp_link *link = arg;

	link->late = true;
	smtp_link_due(link);
}

void
smtp_link_attend(struct smtp_link *link, struct bufferevent *bev)
{
	if (bev == NULL)
		abort(); /* no memory */
	link->bev = bev;
	bufferevent_setcb(bev, on_read, on_write, on_event, link);
	bufferevent_setwatermark(bev, EV_READ, 0, SMTP_LINK_INPUT_MAX);
	(void)bufferevent_set_max_single_read(bev, REPLIES_USUAL);
	bufferevent_setwatermark(bev, EV_WRITE, SMTP_LINK_OUTPUT_LOW, 0);
}

/* -- the end -- */

void
smtp_link_hang_up(struct smtp_link *link)
{
	if (link->bev != NULL)
		bufferevent_free(link->bev);
	link->bev = NULL;
	link->secure = false;
}

static void
end_mail(struct smtp_link *link)
{
	if (link->mailing && link->mail.fd >= 0)
		(void)close(link->mail.fd);
	if (link->mailing)
		seal_free(link->mail.seal);
	link->mailing = false;
	link->full = false;
	nd_wipe_free(link->piece, link->piece_used);
	link->piece_used = 0;
	link->piece = NULL;
}

/* Everything but the memory, which callers further up may still look at. */
static void
wind_up(struct smtp_link *link)
{
	link->phase = OVER;
	loop_forget(link->loop, link);
	resolver_cancel(link->ask);
	link->ask = NULL;
	loop_timer_free(link->timer);
	link->timer = NULL;
	smtp_link_stop_dialing(link);
	smtp_link_hang_up(link);
	end_mail(link);
}

static void
finish(struct smtp_link *link, const struct smtp_fault *fault)
{
	if (link->secure && !link->lost)
		tls_shutdown(bufferevent_openssl_get_ssl(link->bev));
	wind_up(link);
	link->events->gone(link->owner, link, fault);
}

void
smtp_link_fail(struct smtp_link *link, enum smtp_stage stage)
{
	link->fault.stage = stage;
	link->fault.why = link->why;
	finish(link, &link->fault);
}

/* -- what the machine wishes -- */

static bool
upgrade(struct smtp_link *link)
{
	if (evbuffer_get_length(bufferevent_get_input(link->bev)) > 0)
		smtp_proto_tls_injected(link->proto, smtp_link_now(link));
	else
		smtp_link_secure(link);
	return true;
}

static bool
prove(struct smtp_link *link)
{
	struct smtp_answer answer;
	struct nd_why why;

	if (sasl_answer(smtp_proto_question(link->proto), link->settings.secret, &answer, &why) == ND_OK)
		smtp_proto_answer(link->proto, &answer, NULL, smtp_link_now(link));
	else
		smtp_proto_answer(link->proto, NULL, &why, smtp_link_now(link));
	explicit_bzero(&answer, sizeof(answer));
	return true;
}

static bool
offer(struct smtp_link *link)
{
	link->stood = true;
	if (link->quit) {
		if (link->quit_said)
			return false;
		link->quit_said = true;
		smtp_proto_quit(link->proto, smtp_link_now(link));
		return true;
	}
	if (link->told)
		return false;
	link->told = true;
	link->events->ready(link->owner, link);
	return true;
}

/* Whether something was done. */
static bool
offer_room(struct smtp_link *link)
{
	if (link->events->room == NULL || link->room_told || link->quit || link->lost ||
	    !smtp_proto_room(link->proto, NULL) || !smtp_link_roomy(link))
		return false;
	link->room_told = true;
	link->events->room(link->owner, link);
	return true;
}

static void
tell_outcome(struct smtp_link *link)
{
	struct smtp_outcome outcome;

	memset(&outcome, 0, sizeof(outcome));
	smtp_proto_result(link->proto, &outcome);
	end_mail(link);
	link->told = link->room_told = false;
	link->events->outcome(link->owner, link, &outcome);
	transcript_over(&link->transcript);
}

/* The machine calls it no fault when a session ends while idle; one nobody could use must not look like success. */
static void
close_session(struct smtp_link *link)
{
	const struct smtp_fault *fault = smtp_proto_fault(link->proto);

	if (fault != NULL || link->stood || link->quit) {
		finish(link, fault);
		return;
	}
	(void)nd_fail(&link->why, ND_ECLOSED, 0, "%.120s ended the session as soon as it was ready", link->relay);
	smtp_link_fail(link, SMTP_AT_IDLE);
}

/* One step; false: nothing to do until something happens. */
static bool
step_talking(struct smtp_link *link)
{
	smtp_link_listen(link);
	smtp_link_flush(link, false);
	switch (smtp_proto_wish(link->proto)) {
	case SMTP_WISH_READ:
		return (link->lost && !link->lost_told) || offer_room(link);
	case SMTP_WISH_TLS:
		return upgrade(link);
	case SMTP_WISH_PROOF:
		return prove(link);
	case SMTP_WISH_CONTENT:
		return smtp_link_give(link);
	case SMTP_WISH_MAIL:
		return offer(link);
	case SMTP_WISH_RESULT:
		tell_outcome(link);
		return true;
	case SMTP_WISH_CLOSE:
		close_session(link);
		return false;
	}
	abort();
}

static bool
step(struct smtp_link *link)
{
	if (link->quit && !link->stood && link->phase != OVER)
		finish(link, NULL); /* there is no session to end */
	switch (link->phase) {
	case SMTP_LINK_RESOLVING:
		return smtp_link_resolving(link);
	case SMTP_LINK_CONNECTING:
		return smtp_link_connecting(link);
	case SMTP_LINK_PROXYING:
		return smtp_link_proxying(link);
	case SMTP_LINK_SECURING:
		return smtp_link_securing(link);
	case SMTP_LINK_TALKING:
		return step_talking(link);
	case SMTP_LINK_OVER:
		break;
	}
	return false;
}

static void
tell_moved(struct smtp_link *link)
{
	const enum smtp_stage stage = link->proto != NULL ? smtp_proto_stage(link->proto) : SMTP_AT_CONNECT;
	const unsigned now = (unsigned)link->phase * SMTP_AT_COUNT + (unsigned)stage;

	if (link->phase == OVER || now == link->moved_to || link->events->moved == NULL)
		return;
	link->moved_to = now;
	link->events->moved(link->owner, link);
}

static void
obey(void *arg)
{
	struct smtp_link *link = arg;

	link->obeying = true;
	while (step(link))
		tell_moved(link);
	tell_moved(link);
	link->obeying = false;
	if (link->phase != OVER && link->proto != NULL)
		loop_timer_set(link->timer, smtp_proto_deadline(link->proto));
}

/* -- the interface -- */

static void
make_nonce(struct smtp_link *link)
{
	uint8_t random[(sizeof(link->nonce) - 1) / 2];

	tls_random(random, sizeof(random));
	nd_str_hex(link->nonce, random, sizeof(random));
	link->settings.nonce = link->nonce;
}

struct smtp_link *
smtp_link_new(struct loop *loop, struct resolver *resolver, const struct smtp_link_conf *conf,
    const struct smtp_link_events *events, void *owner)
{
	const char *dialed = conf->proxy.kind != PROXY_TALK_NONE ? conf->proxy.host : conf->host;
	struct smtp_link *link = nd_xalloc(sizeof(*link));

	link->loop = loop;
	link->conf = conf;
	link->events = events;
	link->owner = owner;
	link->settings = conf->settings;
	link->settings.loopback = false;
	make_nonce(link);
	link->timer = loop_timer_new(loop, on_time, link);
	transcript_begin(&link->transcript, smtp_link_now(link));
	transcript_note(&link->transcript, "looking up", dialed, smtp_link_now(link));
	smtp_link_begin_dialing(link, resolver);
	return link;
}

void
smtp_link_send(struct smtp_link *link, const struct smtp_link_mail *mail)
{
	assert(link->phase == TALKING && link->told && !link->mailing);
	link->mail = *mail;
	link->mailing = true;
	link->at = 0;
	link->total = mail->head_len + mail->body_len;
	transcript_mail(&link->transcript, smtp_link_now(link));
	smtp_proto_mail(link->proto, &link->mail.mail, smtp_link_now(link));
	smtp_link_due(link);
}

bool
smtp_link_fits(struct smtp_link *link, const struct smtp_link_mail *mail)
{
	link->room_told = false;
	return link->phase == TALKING && !link->quit && !link->lost && mail->fd < 0 && smtp_link_roomy(link) &&
	       smtp_proto_room(link->proto, &mail->mail);
}

void
smtp_link_ahead(struct smtp_link *link, const struct smtp_link_mail *mail)
{
	struct nd_buf content;

	nd_buf_init(&content, mail->head_len + mail->body_len + 1);
	(void)nd_buf_add(&content, mail->head, mail->head_len);
	if (mail->body_len > 0)
		(void)nd_buf_add(&content, mail->body, mail->body_len);
	if (content.failed)
		abort(); /* no memory for 64 KiB */
	smtp_proto_ahead(link->proto, &mail->mail, nd_buf_text(&content), content.len, smtp_link_now(link));
	nd_buf_done(&content);
	transcript_beside(&link->transcript);
	smtp_link_fly(link);
	smtp_link_due(link);
}

void
smtp_link_quit(struct smtp_link *link)
{
	link->quit = true;
	smtp_link_due(link);
}

static void
discard(void *arg)
{
	struct smtp_link *link = arg;

	smtp_proto_free(link->proto);
	free(link);
}

void
smtp_link_free(struct smtp_link *link)
{
	if (link == NULL)
		return;
	wind_up(link);
	loop_free_later(link->loop, discard, link);
}

const char *
smtp_link_relay(const struct smtp_link *link)
{
	return link->relay;
}

const char *
smtp_link_tls(const struct smtp_link *link)
{
	return link->tls;
}

const struct transcript *
smtp_link_transcript(const struct smtp_link *link)
{
	return &link->transcript;
}

const struct smtp_proto *
smtp_link_proto(const struct smtp_link *link)
{
	return link->proto;
}

enum smtp_link_at
smtp_link_at(const struct smtp_link *link)
{
	return link->phase;
}

void
smtp_link_trace(struct smtp_link *link, const char *session)
{
	(void)snprintf(link->session, sizeof(link->session), "%s", session);
}
