/* SPDX-License-Identifier: Apache-2.0 */
/* smtp_proto.c - our half of an SMTP submission session.  Layer: core.
 *
 * Takes replies, time and events, and moves along the table of smtp_talk.c. enter() is the only place that assigns the state. A reply always belongs to
 * the present state: of what was said ahead only the number is kept, and a state that was said is entered without saying it again.
 */
#include "daemon/core/smtp_proto.h"

#include "daemon/core/smtp_check.h"
#include "daemon/core/smtp_talk.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define INPUT_MAX_OCTETS (65536u + 4096u)               /* more than a reply may have */
#define OUTPUT_MAX_OCTETS ((size_t)64 * 1024 * 1024)    /* the driver feeds slices and takes what was made of them */
#define BODY_MAX_OCTETS (2u * SMTP_TALK_CHUNK_MAX + 2u) /* each of its octets a lone LF */
#define IDLE_FROM ND_SEC(1)                             /* a session that was ready for so long counts as used before */
#define IDLE_CHECKED ND_SEC(5)                          /* ... and for so long, is asked whether it is alive */

const char *
smtp_proto_stage_name(enum smtp_stage stage)
{
	/* clang-format off */
	static const char *const names[SMTP_AT_COUNT] = {
		[SMTP_AT_CONNECT] = "connect", [SMTP_AT_GREETING] = "greeting", [SMTP_AT_EHLO] = "ehlo",
		[SMTP_AT_STARTTLS] = "starttls", [SMTP_AT_CERTIFICATE] = "certificate", [SMTP_AT_AUTH] = "auth",
		[SMTP_AT_MAIL] = "mail", [SMTP_AT_RCPT] = "rcpt", [SMTP_AT_DATA] = "data",
		[SMTP_AT_CONTENT] = "content", [SMTP_AT_END] = "end", [SMTP_AT_IDLE] = "idle",
	};
	/* clang-format on */

	return names[stage];
}

/* Those behind the mail that ended last learn why they will get no replies, but not the relay's words: they may quote a mail of somebody else. What has not
 * left by now never will. */
static void
end_session(struct smtp_proto *proto)
{
	const struct smtp_reply *reply = &proto->outcome.reply;

	proto->owed = 0;
	proto->unsent += proto->out.len;
	nd_buf_done(&proto->body);
	if (proto->behind_count > 0 && proto->over.err == ND_OK)
		(void)nd_fail(&proto->over, ND_ECLOSED, 0,
		    "the session with %s ended while other messages were under way: %d%s%s", proto->settings->host,
		    reply->code, reply->enhanced[0] ? " " : "", reply->enhanced);
}

static void
forget_exchange(struct smtp_proto *proto)
{
	if (proto->exchange != NULL)
		nd_wipe_free(proto->exchange, sizeof(*proto->exchange));
	proto->exchange = NULL;
}

static void
enter(struct smtp_proto *proto, enum smtp_state state)
{
	const struct smtp_row *row;

	const bool over = state == STATE_READY || state == STATE_RSET;

	if (proto->owed > 0 && over)
		state = STATE_ECHO;
	else if (proto->behind_count > 0 && over)
		state = STATE_NEXT; /* which begins with a RSET of its own */
	if (state == STATE_READY && proto->quitting)
		state = STATE_QUIT;
	if (state == STATE_CLOSED)
		end_session(proto);
	if (state != STATE_ECHO && proto->withheld) {
		proto->withheld = false;
		proto->ended = true;
	}
	row = &smtp_talk_rows[state];
	if (state == STATE_CLOSED || (proto->out_secret && proto->out.len == 0)) {
		nd_buf_wipe(&proto->out);
		proto->out_secret = false;
	}
	proto->state = state;
	proto->deadline = row->patience > 0 ? proto->now + row->patience : ND_NEVER;
	if (state == STATE_READY) {
		proto->ready_since = proto->now;
		forget_exchange(proto);
	}
	if (proto->owed > 0)
		proto->owed--;
	else if (row->say)
		row->say(proto);
}

/* After anything was written: without memory for it the session cannot go on. */
static void
check_output(struct smtp_proto *proto)
{
	struct nd_why why;

	if (!proto->out.failed && !proto->body.failed)
		return;
	(void)nd_fail(&why, ND_EMEMORY, 0, "there was no memory for the session with %s", proto->settings->host);
	enter(proto, smtp_talk_break(proto, &why, false));
}

/* RFC 3207 and CVE-2026-55558: what follows the 220 in clear was not said by the server we are about to verify. */
static void
hear_injection(struct smtp_proto *proto)
{
	struct nd_why why;

	(void)nd_fail(&why, ND_ETLS, 0,
	    "octets came in clear behind the answer of %s to STARTTLS: somebody may be tampering with the connection",
	    proto->settings->host);
	enter(proto, smtp_talk_fault(proto, SMTP_AT_STARTTLS, &why));
}

/* ---- inputs ---- */

struct smtp_proto *
smtp_proto_new(const struct smtp_settings *settings, nd_ms now)
{
	struct smtp_proto *proto = nd_xalloc(sizeof(*proto));

	proto->settings = settings;
	proto->now = now;
	proto->tls = settings->security == SMTP_TLS;
	nd_buf_init(&proto->in, INPUT_MAX_OCTETS);
	nd_buf_init(&proto->out, OUTPUT_MAX_OCTETS);
	nd_buf_init(&proto->body, BODY_MAX_OCTETS);
	enter(proto, STATE_GREETING);
	return proto;
}

void
smtp_proto_free(struct smtp_proto *proto)
{
	if (!proto)
		return;
	forget_exchange(proto);
	nd_buf_done(&proto->in);
	nd_buf_wipe(&proto->out);
	nd_buf_done(&proto->body);
	free(proto);
}

/* A reply to a command that was not even taken for sending yet answers something else, and counting it would shift all that follow. Only a 421, or a refusal
 * while the message is on its way, means the same at any time; and before MAIL has left, that the idle session was given up. */
static void
hear(struct smtp_proto *proto, const struct smtp_reply *reply)
{
	const bool early = proto->out.len > proto->behind_octets;
	const bool sending = proto->state == STATE_CONTENT || proto->state == STATE_END || proto->state == STATE_BDAT;
	const bool before = proto->state == STATE_CHECK || proto->state == STATE_MAIL || proto->state == STATE_FLIGHT;
	const bool idle = proto->reused && before;
	enum smtp_state next;

	if (early && reply->code != 421 && !(sending && reply->code >= 400) && !(idle && smtp_check_timeout(reply)))
		next = smtp_talk_nonsense(proto, reply);
	else
		next = smtp_talk_rows[proto->state].heard(proto, reply);
	if (early || reply->code == 421)
		next = STATE_CLOSED;
	enter(proto, next);
}

static void
hear_replies(struct smtp_proto *proto)
{
	/* What is said about the next mail waits until the outcome of this one was taken. */
	while (proto->in.len > 0 && proto->state != STATE_CLOSED && proto->state != STATE_NEXT) {
		struct smtp_caps *caps = proto->state == STATE_EHLO ? &proto->caps : NULL;
		struct smtp_reply reply;
		struct nd_why why;
		long used;

		if (proto->state == STATE_TLS) {
			hear_injection(proto);
			return;
		}
		used = smtp_reply_read(proto->in.octets, proto->in.len, &reply, caps);
		if (used == 0)
			return;
		if (used > 0) {
			nd_buf_drop(&proto->in, (size_t)used);
			smtp_talk_hush(proto, &reply);
			hear(proto, &reply);
		} else {
			(void)nd_fail(&why, ND_EPROTOCOL, 0, "what %s sent while %s is not SMTP", proto->settings->host,
			    smtp_proto_doing(proto));
			enter(proto, smtp_talk_break(proto, &why, false));
		}
		check_output(proto);
	}
}

void
smtp_proto_input(struct smtp_proto *proto, const char *octets, size_t len, nd_ms now)
{
	struct nd_why why;

	proto->now = now;
	while (len > 0 && proto->state != STATE_CLOSED) {
		const size_t room = INPUT_MAX_OCTETS - proto->in.len;
		const size_t take = len < room ? len : room;

		if (take == 0 || !nd_buf_add(&proto->in, octets, take)) {
			(void)nd_fail(
			    &why, ND_EMEMORY, 0, "there was no memory for a reply of %s", proto->settings->host);
			enter(proto, smtp_talk_break(proto, &why, false));
			return;
		}
		octets += take;
		len -= take;
		hear_replies(proto);
	}
}

void
smtp_proto_lost(struct smtp_proto *proto, const struct nd_why *why, nd_ms now)
{
	proto->now = now;
	if (proto->state != STATE_CLOSED)
		enter(proto, smtp_talk_break(proto, why, true));
}

void
smtp_proto_late(struct smtp_proto *proto, nd_ms now)
{
	const struct smtp_row *row = &smtp_talk_rows[proto->state];
	struct nd_why why;

	if (now < proto->deadline)
		return;
	proto->now = now;
	(void)nd_fail(&why, ND_EDEADLINE, 0, "%s did not answer for %d s while %s", proto->settings->host,
	    (int)(row->patience / 1000), smtp_proto_doing(proto));
	enter(proto, smtp_talk_break(proto, &why, true));
}

void
smtp_proto_tls_up(struct smtp_proto *proto, nd_ms now)
{
	assert(proto->state == STATE_TLS);
	proto->now = now;
	proto->tls = true;
	proto->caps = (struct smtp_caps){ 0 }; /* RFC 3207 4.2: all that was learned in clear is forgotten */
	nd_buf_clear(&proto->in);
	enter(proto, STATE_EHLO);
	check_output(proto);
}

void
smtp_proto_tls_injected(struct smtp_proto *proto, nd_ms now)
{
	proto->now = now;
	if (proto->state == STATE_TLS)
		hear_injection(proto);
}

void
smtp_proto_answer(struct smtp_proto *proto, const struct smtp_answer *answer, const struct nd_why *why, nd_ms now)
{
	if (proto->state != STATE_AUTH_PROOF)
		return;
	proto->now = now;
	if (answer == NULL) {
		enter(proto, smtp_talk_fault(proto, SMTP_AT_AUTH, why));
		return;
	}
	proto->exchange->answer = *answer;
	enter(proto, STATE_AUTH_ANSWER);
	check_output(proto);
}

void
smtp_proto_mail(struct smtp_proto *proto, const struct smtp_mail *mail, nd_ms now)
{
	struct smtp_reply reply;

	assert(smtp_proto_wish(proto) == SMTP_WISH_MAIL);
	proto->now = now;
	proto->mail = *mail;
	proto->rcpt = 0;
	proto->accepted = 0;
	proto->given = proto->follower = false;
	proto->unsent = 0;
	proto->pace = SMTP_STEPWISE; /* of the one before it nothing holds */
	proto->accused = SMTP_EXT_NONE;
	proto->usable = proto->caps;
	smtp_ext_leave_out(&proto->usable, mail->without);
	proto->usable.requiretls = proto->usable.requiretls && proto->tls; /* RFC 8689 2 */
	proto->used = smtp_ext_used(mail, &proto->usable);
	if (now - proto->ready_since >= IDLE_FROM)
		proto->proved = false;
	proto->reused = proto->transactions > 0 || now - proto->ready_since >= IDLE_FROM;
	for (unsigned n = 0; n < mail->rcpt_count; n++)
		mail->results[n] = (struct smtp_rcpt_result){ 0 };
	if (!smtp_check_mail(mail, &proto->usable, proto->settings->host, &reply)) {
		(void)smtp_talk_outcome(proto, SMTP_ENDED_REPLY, &reply, STATE_READY);
		proto->outcome.stage = SMTP_AT_MAIL;
		return;
	}
	proto->transactions++;
	enter(proto, now - proto->ready_since >= IDLE_CHECKED ? STATE_CHECK : smtp_talk_begin(proto));
	check_output(proto);
}

/* All of it was given. A flight is complete now, and its first reply is awaited. */
static void
end_content(struct smtp_proto *proto)
{
	proto->given = true;
	if (proto->state == STATE_CONTENT) {
		enter(proto, STATE_END);
	} else if (proto->state == STATE_CHUNK) {
		enter(proto, STATE_BDAT);
	} else {
		smtp_talk_say_bdat(proto);
		proto->owed += 2; /* MAIL and BDAT, beside the recipients */
		enter(proto, STATE_MAIL);
	}
}

void
smtp_proto_content(struct smtp_proto *proto, const char *octets, size_t len, bool last, nd_ms now)
{
	const enum smtp_state state = proto->state;
	const bool chunk = state == STATE_CHUNK || state == STATE_FLIGHT;

	if (smtp_talk_rows[state].wish != SMTP_WISH_CONTENT)
		return; /* refused or lost meanwhile */
	proto->now = now;
	proto->deadline = now + smtp_talk_rows[state].patience;
	smtp_stuff_add(&proto->stuff, chunk ? &proto->body : &proto->out, octets, len);
	if (last && !proto->out.failed && !proto->body.failed)
		end_content(proto);
	check_output(proto);
}

void
smtp_proto_unsent(struct smtp_proto *proto, size_t octets)
{
	if (proto->state != STATE_CLOSED)
		proto->unsent = octets;
}

/* ---- several at once ---- */

/* The first mail after a pause goes alone: a session that died meanwhile shall not take a whole window with it. */
bool
smtp_proto_room(const struct smtp_proto *proto, const struct smtp_mail *mail)
{
	const struct smtp_row *row = &smtp_talk_rows[proto->state];
	struct smtp_reply reply;

	if (!proto->given || proto->pace != SMTP_ONE_FLIGHT || row->phase != PHASE_MAILING || !proto->proved ||
	    proto->quitting || proto->behind_count == SMTP_WINDOW_MAX - 1)
		return false;
	return !mail || (mail->without == proto->mail.without && smtp_talk_flies(proto, mail) &&
			    smtp_check_mail(mail, &proto->usable, proto->settings->host, &reply));
}

void
smtp_proto_ahead(struct smtp_proto *proto, const struct smtp_mail *mail, const char *content, size_t len, nd_ms now)
{
	struct smtp_flight *flight = &proto->behind[proto->behind_count];
	const size_t before = proto->out.len;
	bool failed;

	assert(smtp_proto_room(proto, mail));
	proto->now = now;
	for (unsigned n = 0; n < mail->rcpt_count; n++)
		mail->results[n] = (struct smtp_rcpt_result){ 0 };
	(void)nd_buf_adds(&proto->out, "RSET\r\n");
	*flight = (struct smtp_flight){ .mail = *mail, .used = smtp_ext_used(mail, &proto->usable) };
	flight->replies = 2 + smtp_talk_write_envelope(proto, mail, flight->used);
	proto->stuff = (struct smtp_stuff){ .chunk = true };
	smtp_stuff_add(&proto->stuff, &proto->body, content, len);
	smtp_talk_say_bdat(proto);
	failed = proto->out.failed || proto->body.failed;
	flight->octets = proto->out.len - before + failed; /* what could not be written whole has not left */
	proto->unsent += failed;
	proto->behind_octets += flight->octets;
	proto->behind_count++;
	proto->transactions++;
	check_output(proto);
}

/* The oldest of those behind is the one whose replies come now. */
static void
turn(struct smtp_proto *proto)
{
	const struct smtp_flight flight = proto->behind[0];

	memmove(proto->behind, proto->behind + 1, --proto->behind_count * sizeof(flight));
	proto->behind_octets -= flight.octets;
	proto->mail = flight.mail;
	proto->used = flight.used;
	proto->accused = SMTP_EXT_NONE;
	proto->rcpt = proto->accepted = 0;
	proto->given = proto->reused = proto->follower = true;
	if (proto->state == STATE_CLOSED) {
		smtp_talk_orphan(proto);
		return;
	}
	proto->owed = flight.replies;
	enter(proto, STATE_MARK);
	hear_replies(proto);
}

void
smtp_proto_quit(struct smtp_proto *proto, nd_ms now)
{
	proto->now = now;
	proto->quitting = true;
	if (proto->state == STATE_READY)
		enter(proto, STATE_QUIT);
	check_output(proto);
}

/* ---- questions ---- */

enum smtp_wish
smtp_proto_wish(const struct smtp_proto *proto)
{
	return proto->ended ? SMTP_WISH_RESULT : smtp_talk_rows[proto->state].wish;
}

nd_ms
smtp_proto_deadline(const struct smtp_proto *proto)
{
	return proto->deadline;
}

struct nd_buf *
smtp_proto_output(struct smtp_proto *proto, bool *secret)
{
	*secret = proto->out_secret;
	return &proto->out;
}

bool
smtp_proto_holds(const struct smtp_proto *proto)
{
	return proto->state == STATE_FLIGHT;
}

bool
smtp_proto_chunks(const struct smtp_proto *proto)
{
	return proto->pace >= SMTP_CHUNKED;
}

void
smtp_proto_result(struct smtp_proto *proto, struct smtp_outcome *out)
{
	assert(proto->ended);
	*out = proto->outcome;
	proto->ended = false;
	proto->mail = (struct smtp_mail){ 0 };
	if (proto->behind_count > 0)
		turn(proto);
}

const struct smtp_question *
smtp_proto_question(const struct smtp_proto *proto)
{
	return proto->state == STATE_AUTH_PROOF ? &proto->exchange->question : NULL;
}

const struct smtp_fault *
smtp_proto_fault(const struct smtp_proto *proto)
{
	return proto->faulted ? &proto->fault : NULL;
}

const struct smtp_caps *
smtp_proto_caps(const struct smtp_proto *proto)
{
	return &proto->caps;
}

enum smtp_stage
smtp_proto_stage(const struct smtp_proto *proto)
{
	return smtp_talk_rows[proto->state].stage;
}

const char *
smtp_proto_doing(const struct smtp_proto *proto)
{
	const enum smtp_state state = proto->state;
	const bool flown = proto->given && smtp_talk_rows[state].phase == PHASE_MAILING;

	return smtp_talk_rows[flown ? STATE_END : state].doing;
}
