/* SPDX-License-Identifier: Apache-2.0 */
/* smtp_talk.c - the conversation as a table.  Layer: core.
 *
 * In the order it happens. say_X writes a command; heard_X reads its reply and returns the next state; both are used in the table only, so a deleted row
 * is a compile error. With PIPELINING say_mail says what follows too; its replies are heard in the same states, in the same order. When the first error
 * has spoken, the replies that are still owed are only counted (ECHO). A mail that was said behind another begins with a RSET (MARK): whatever became
 * of the one before, its recipients and its content are not taken for those of this one. And so does the first mail of a session that lay idle (CHECK), alone:
 * who forgot the connection on the way says nothing, and a mail said into it would wait for minutes and be in doubt.
 */
#include "daemon/core/smtp_talk.h"

#include "daemon/core/smtp_check.h"

#include <string.h>

#define ROOM_KEPT 16384u /* of a content, between mails */

static void say_mail(struct smtp_proto *proto);
static void say_rcpt(struct smtp_proto *proto);
static void say_data(struct smtp_proto *proto);
static void say_end(struct smtp_proto *proto);
static void say_lone_dot(struct smtp_proto *proto);
static void say_rset(struct smtp_proto *proto);
static void say_quit(struct smtp_proto *proto);

static enum smtp_state heard_unasked(struct smtp_proto *proto, const struct smtp_reply *reply);
static enum smtp_state heard_check(struct smtp_proto *proto, const struct smtp_reply *reply);
static enum smtp_state heard_flight(struct smtp_proto *proto, const struct smtp_reply *reply);
static enum smtp_state heard_mark(struct smtp_proto *proto, const struct smtp_reply *reply);
static enum smtp_state heard_mail(struct smtp_proto *proto, const struct smtp_reply *reply);
static enum smtp_state heard_rcpt(struct smtp_proto *proto, const struct smtp_reply *reply);
static enum smtp_state heard_data(struct smtp_proto *proto, const struct smtp_reply *reply);
static enum smtp_state heard_content(struct smtp_proto *proto, const struct smtp_reply *reply);
static enum smtp_state heard_end(struct smtp_proto *proto, const struct smtp_reply *reply);
static enum smtp_state heard_bdat(struct smtp_proto *proto, const struct smtp_reply *reply);
static enum smtp_state heard_echo(struct smtp_proto *proto, const struct smtp_reply *reply);
static enum smtp_state heard_lone_dot(struct smtp_proto *proto, const struct smtp_reply *reply);
static enum smtp_state heard_rset(struct smtp_proto *proto, const struct smtp_reply *reply);
static enum smtp_state heard_quit(struct smtp_proto *proto, const struct smtp_reply *reply);

/* clang-format off */
const struct smtp_row smtp_talk_rows[STATE_COUNT] = {
	[STATE_GREETING] = { "the greeting", "waiting for the greeting", ND_MIN(5), NULL, smtp_talk_heard_greeting,
	                     SMTP_AT_GREETING, PHASE_OPENING, SMTP_WISH_READ },
	[STATE_EHLO] = { "EHLO", "introducing itself", ND_MIN(5), smtp_talk_say_ehlo, smtp_talk_heard_ehlo,
	                 SMTP_AT_EHLO, PHASE_OPENING, SMTP_WISH_READ },
	[STATE_STARTTLS] = { "STARTTLS", "asking for encryption", ND_MIN(5), smtp_talk_say_starttls, smtp_talk_heard_starttls,
	                     SMTP_AT_STARTTLS, PHASE_OPENING, SMTP_WISH_READ },
	[STATE_TLS] = { "TLS", "agreeing on encryption", ND_MIN(2), NULL, NULL,
	                SMTP_AT_CERTIFICATE, PHASE_OPENING, SMTP_WISH_TLS },
	[STATE_AUTH] = { "AUTH", "signing in", ND_MIN(5), smtp_talk_say_auth, smtp_talk_heard_auth,
	                 SMTP_AT_AUTH, PHASE_OPENING, SMTP_WISH_READ },
	[STATE_AUTH_MESSAGE] = { "AUTH", "signing in", ND_MIN(5), smtp_talk_say_auth_message, smtp_talk_heard_auth_message,
	                         SMTP_AT_AUTH, PHASE_OPENING, SMTP_WISH_READ },
	[STATE_AUTH_REFUSAL] = { "AUTH", "signing in", ND_MIN(5), smtp_talk_say_auth_refusal, smtp_talk_heard_auth_refusal,
	                         SMTP_AT_AUTH, PHASE_OPENING, SMTP_WISH_READ },
	[STATE_AUTH_PROOF] = { "AUTH", "signing in", ND_MIN(5), NULL, smtp_talk_nonsense,
	                       SMTP_AT_AUTH, PHASE_OPENING, SMTP_WISH_PROOF },
	[STATE_AUTH_ANSWER] = { "AUTH", "signing in", ND_MIN(5), smtp_talk_say_auth_answer, smtp_talk_heard_auth_answer,
	                        SMTP_AT_AUTH, PHASE_OPENING, SMTP_WISH_READ },
	[STATE_AUTH_VERIFIED] = { "AUTH", "signing in", ND_MIN(5), smtp_talk_say_auth_nothing, smtp_talk_heard_auth_refusal,
	                          SMTP_AT_AUTH, PHASE_OPENING, SMTP_WISH_READ },
	[STATE_READY] = { "nothing", "waiting for work", 0, NULL, heard_unasked,
	                  SMTP_AT_IDLE, PHASE_IDLING, SMTP_WISH_MAIL },
	[STATE_CHECK] = { "RSET", "making sure of the idle session", ND_SEC(10), say_rset, heard_check,
	                  SMTP_AT_MAIL, PHASE_MAILING, SMTP_WISH_READ },
	[STATE_FLIGHT] = { "nothing", "preparing the message", ND_MIN(3), say_mail, heard_flight,
	                   SMTP_AT_MAIL, PHASE_MAILING, SMTP_WISH_CONTENT },
	[STATE_MARK] = { "RSET", "waiting for the relay to take the message", ND_MIN(5), NULL, heard_mark,
	                 SMTP_AT_MAIL, PHASE_MAILING, SMTP_WISH_READ },
	[STATE_MAIL] = { "MAIL", "naming the sender", ND_MIN(5), say_mail, heard_mail,
	                 SMTP_AT_MAIL, PHASE_MAILING, SMTP_WISH_READ },
	[STATE_RCPT] = { "RCPT", "naming a recipient", ND_MIN(5), say_rcpt, heard_rcpt,
	                 SMTP_AT_RCPT, PHASE_MAILING, SMTP_WISH_READ },
	[STATE_DATA] = { "DATA", "starting the message", ND_MIN(2), say_data, heard_data,
	                 SMTP_AT_DATA, PHASE_MAILING, SMTP_WISH_READ },
	[STATE_CONTENT] = { "the message", "sending the message", ND_MIN(3), NULL, heard_content,
	                    SMTP_AT_CONTENT, PHASE_MAILING, SMTP_WISH_CONTENT },
	[STATE_END] = { "the end of the message", "waiting for the relay to take the message", ND_MIN(10), say_end,
	                heard_end, SMTP_AT_END, PHASE_MAILING, SMTP_WISH_READ },
	[STATE_CHUNK] = { "nothing", "sending the message", ND_MIN(3), NULL, heard_content,
	                  SMTP_AT_CONTENT, PHASE_MAILING, SMTP_WISH_CONTENT },
	[STATE_BDAT] = { "BDAT", "waiting for the relay to take the message", ND_MIN(10), smtp_talk_say_bdat,
	                 heard_bdat, SMTP_AT_END, PHASE_MAILING, SMTP_WISH_READ },
	[STATE_ECHO] = { "what was said ahead", "clearing the transaction", ND_MIN(2), NULL, heard_echo,
	                 SMTP_AT_IDLE, PHASE_IDLING, SMTP_WISH_READ },
	[STATE_LONE_DOT] = { "an empty message", "clearing the transaction", ND_MIN(2), say_lone_dot, heard_lone_dot,
	                     SMTP_AT_IDLE, PHASE_IDLING, SMTP_WISH_READ },
	[STATE_RSET] = { "RSET", "clearing the transaction", ND_SEC(20), say_rset, heard_rset,
	                 SMTP_AT_IDLE, PHASE_IDLING, SMTP_WISH_READ },
	[STATE_NEXT] = { "nothing", "turning to the next message", 0, NULL, NULL,
	                 SMTP_AT_IDLE, PHASE_IDLING, SMTP_WISH_READ },
	[STATE_QUIT] = { "QUIT", "leaving", ND_SEC(10), say_quit, heard_quit,
	                 SMTP_AT_IDLE, PHASE_IDLING, SMTP_WISH_READ },
	[STATE_CLOSED] = { "nothing", "closing", 0, NULL, NULL,
	                   SMTP_AT_IDLE, PHASE_IDLING, SMTP_WISH_CLOSE },
};
/* clang-format on */

enum smtp_state
smtp_talk_fault(struct smtp_proto *proto, enum smtp_stage stage, const struct nd_why *why)
{
	proto->faulted = true;
	proto->fault.stage = stage;
	proto->fault.why = *why;
	return STATE_CLOSED;
}

enum smtp_state
smtp_talk_outcome(struct smtp_proto *proto, enum smtp_end end, const struct smtp_reply *reply, enum smtp_state next)
{
	const bool company = proto->follower || proto->behind_count > 0;

	/* A server that refuses the sender and takes the content all the same is out of step: what it says next belongs elsewhere. */
	proto->withheld = company && proto->owed > 0;
	proto->ended = !proto->withheld;
	proto->outcome = (struct smtp_outcome){ .end = end,
		.stage = smtp_talk_rows[proto->state].stage,
		.accused = proto->accused,
		.company = company,
		.pace = proto->pace };
	if (reply)
		proto->outcome.reply = *reply;
	if (reply && reply->code / 100 == 2)
		proto->proved = true;
	return next;
}

/* While the end of it is still here, nobody can have taken it. */
bool
smtp_talk_left(const struct smtp_proto *proto)
{
	return proto->out.len + proto->unsent <= proto->behind_octets;
}

static void
lose(struct smtp_proto *proto, const struct nd_why *why, bool cut)
{
	const bool uncertain = proto->given && smtp_talk_left(proto);
	const bool stale = proto->state == STATE_CHECK;

	(void)smtp_talk_outcome(proto, SMTP_ENDED_LOST, NULL, STATE_CLOSED);
	proto->outcome.why = *why;
	proto->outcome.uncertain = uncertain;
	proto->outcome.stale = stale;
	proto->outcome.unharmed = !stale && !uncertain && (proto->follower || (cut && proto->reused));
	if (uncertain)
		proto->outcome.stage = SMTP_AT_END;
}

void
smtp_talk_orphan(struct smtp_proto *proto)
{
	lose(proto, &proto->over, true);
	if (!proto->outcome.uncertain)
		proto->outcome.stage = SMTP_AT_MAIL;
	proto->withheld = false;
	proto->ended = true;
}

enum smtp_state
smtp_talk_break(struct smtp_proto *proto, const struct nd_why *why, bool cut)
{
	const enum smtp_state state = proto->state;
	const struct smtp_row *row = &smtp_talk_rows[state];

	if (row->phase == PHASE_OPENING)
		return smtp_talk_fault(proto, row->stage, why);
	proto->over = *why;
	if (row->phase == PHASE_MAILING) {
		lose(proto, why, cut);
	} else if (proto->withheld || proto->behind_count > 0) {
		return STATE_CLOSED; /* told by the outcomes */
	} else if (!cut && state != STATE_QUIT) {
		return smtp_talk_fault(proto, row->stage, why);
	}
	return STATE_CLOSED;
}

enum smtp_state
smtp_talk_nonsense(struct smtp_proto *proto, const struct smtp_reply *reply)
{
	struct nd_why why;

	(void)nd_fail(&why, ND_EPROTOCOL, 0, "%s does not keep to the protocol: it answered %s by %d %.160s",
	    proto->settings->host, smtp_talk_rows[proto->state].name, reply->code, reply->text);
	return smtp_talk_break(proto, &why, false);
}

/* ---- one mail ---- */

static unsigned
count_askable(const struct smtp_proto *proto, const struct smtp_mail *mail)
{
	struct smtp_reply refusal;
	unsigned n, askable = 0;

	for (n = 0; n < mail->rcpt_count; n++)
		askable += smtp_check_address(mail->rcpts[n], &proto->usable, proto->settings->host, &refusal);
	return askable;
}

bool
smtp_talk_flies(const struct smtp_proto *proto, const struct smtp_mail *mail)
{
	return mail->pace == SMTP_ONE_FLIGHT && mail->size <= SMTP_TALK_CHUNK_MAX &&
	       mail->rcpt_count <= SMTP_TALK_FLIGHT_RCPTS && count_askable(proto, mail) > 0;
}

/* A larger content goes by DATA: that takes no more turns than BDAT, and its length need not be known. */
static void
choose(struct smtp_proto *proto)
{
	const struct smtp_mail *mail = &proto->mail;
	const struct smtp_caps *caps = &proto->usable;
	enum smtp_pace pace = mail->pace;

	if (pace == SMTP_ONE_FLIGHT && (!caps->pipelining || !smtp_talk_flies(proto, mail)))
		pace = SMTP_CHUNKED;
	if (pace >= SMTP_CHUNKED && (!caps->chunking || mail->size > SMTP_TALK_CHUNK_MAX))
		pace = SMTP_GROUPED;
	if (pace == SMTP_GROUPED && !caps->pipelining)
		pace = SMTP_STEPWISE;
	proto->pace = pace;
	proto->ahead = pace != SMTP_STEPWISE && caps->pipelining;
	proto->stuff = (struct smtp_stuff){ .chunk = pace >= SMTP_CHUNKED };
	proto->owed = 0;
	nd_buf_clear(&proto->body);
	if (pace == SMTP_ONE_FLIGHT)
		(void)nd_buf_reserve(&proto->body, (size_t)mail->size + 2);
}

enum smtp_state
smtp_talk_begin(struct smtp_proto *proto)
{
	choose(proto);
	return proto->pace == SMTP_ONE_FLIGHT ? STATE_FLIGHT : STATE_MAIL;
}

/* What of it the refusal may speak of, beside what was added to MAIL and RCPT. */
static unsigned
manners(const struct smtp_proto *proto)
{
	unsigned used = 0;

	if (proto->follower || proto->behind_count > 0)
		used |= SMTP_EXT_BIT(SMTP_EXT_WINDOW);
	if (proto->pace == SMTP_ONE_FLIGHT)
		used |= SMTP_EXT_BIT(SMTP_EXT_FLIGHT);
	if (proto->state == STATE_BDAT)
		used |= SMTP_EXT_BIT(SMTP_EXT_CHUNKING);
	else if (proto->ahead)
		used |= SMTP_EXT_BIT(SMTP_EXT_PIPELINING);
	return used;
}

static enum smtp_ext
accuse(const struct smtp_proto *proto, const struct smtp_reply *reply)
{
	return smtp_ext_accused(reply, smtp_talk_rows[proto->state].stage, proto->used | manners(proto));
}

/* Server and client may be out of step when a manner is not understood, and the content may be taken for commands: leave. What was added to MAIL is only
 * left out the next time. */
static enum smtp_state
end_misfit(struct smtp_proto *proto, const struct smtp_reply *reply, enum smtp_ext accused)
{
	const enum smtp_state next = smtp_ext_manner(accused) ? STATE_CLOSED : STATE_READY;

	proto->accused = accused;
	(void)smtp_talk_outcome(proto, SMTP_ENDED_REPLY, reply, next);
	proto->outcome.misfit = true;
	return next;
}

unsigned
smtp_talk_write_envelope(struct smtp_proto *proto, const struct smtp_mail *mail, unsigned used)
{
	struct smtp_reply refusal;
	unsigned count = 1;

	smtp_ext_write_mail(mail, used, &proto->out);
	for (unsigned n = 0; n < mail->rcpt_count; n++) {
		if (!smtp_check_address(mail->rcpts[n], &proto->usable, proto->settings->host, &refusal))
			continue;
		smtp_ext_write_rcpt(mail->rcpts[n], used, &proto->out);
		count++;
	}
	return count;
}

/* RFC 2920 3.1: DATA may end a group. */
static void
say_mail(struct smtp_proto *proto)
{
	if (!proto->ahead) {
		smtp_ext_write_mail(&proto->mail, proto->used, &proto->out);
		return;
	}
	proto->owed += smtp_talk_write_envelope(proto, &proto->mail, proto->used) - 1;
	if (proto->pace != SMTP_GROUPED || proto->owed == 0)
		return;
	(void)nd_buf_adds(&proto->out, "DATA\r\n");
	proto->owed++;
}

/* The reply that keeps two mails apart. RSET cannot be refused (RFC 5321 4.2.4): without its 250 nobody knows whose replies these are. */
static enum smtp_state
heard_mark(struct smtp_proto *proto, const struct smtp_reply *reply)
{
	struct nd_why why;

	if (reply->code / 100 == 2)
		return STATE_MAIL;
	if (reply->code != 421)
		return smtp_talk_nonsense(proto, reply);
	(void)nd_fail(&why, ND_ECLOSED, 0, "%s ended the session: %d %s%s%.160s", proto->settings->host, reply->code,
	    reply->enhanced, reply->enhanced[0] ? " " : "", reply->text);
	return smtp_talk_break(proto, &why, true);
}

/* After the recipients. */
static enum smtp_state
next_content(const struct smtp_proto *proto)
{
	if (proto->pace < SMTP_CHUNKED)
		return STATE_DATA;
	return proto->given ? STATE_BDAT : STATE_CHUNK;
}

/* The next recipient that can be asked; after the last, the content if anybody will get it. */
static enum smtp_state
next_recipient(struct smtp_proto *proto)
{
	const struct smtp_mail *mail = &proto->mail;

	for (; proto->rcpt < mail->rcpt_count; proto->rcpt++) {
		struct smtp_rcpt_result *result = &mail->results[proto->rcpt];

		if (smtp_check_address(mail->rcpts[proto->rcpt], &proto->usable, proto->settings->host, &result->reply))
			return STATE_RCPT;
		result->asked = true;
	}
	if (proto->accepted > 0 && !mail->trial)
		return next_content(proto);
	(void)smtp_talk_outcome(proto, SMTP_ENDED_RCPTS, NULL, STATE_RSET);
	proto->outcome.stage = SMTP_AT_RCPT;
	return STATE_RSET;
}

static enum smtp_state
end_idle(struct smtp_proto *proto, const struct smtp_reply *reply)
{
	struct nd_why why;

	(void)nd_fail(&why, ND_ECLOSED, 0, "%s had given up the idle session: %d %.160s", proto->settings->host,
	    reply->code, reply->text);
	return smtp_talk_break(proto, &why, true);
}

/* RSET cannot be refused: whatever else comes, this session carries no mail. */
static enum smtp_state
heard_check(struct smtp_proto *proto, const struct smtp_reply *reply)
{
	return reply->code / 100 == 2 ? smtp_talk_begin(proto) : end_idle(proto, reply);
}

static enum smtp_state
heard_mail(struct smtp_proto *proto, const struct smtp_reply *reply)
{
	enum smtp_ext accused;

	if (reply->code / 100 == 2)
		return next_recipient(proto);
	if (reply->code < 400)
		return smtp_talk_nonsense(proto, reply);
	if (proto->reused && !proto->follower && smtp_check_timeout(reply)) {
		proto->unsent = SIZE_MAX / 2; /* whatever was said behind MAIL, it was not taken */
		return end_idle(proto, reply);
	}
	accused = accuse(proto, reply);
	if (accused != SMTP_EXT_NONE)
		return end_misfit(proto, reply, accused);
	return smtp_talk_outcome(proto, SMTP_ENDED_REPLY, reply, STATE_READY); /* no transaction was begun: no RSET */
}

/* Nothing of the flight has left yet: what comes now was said while the session was idle. */
static enum smtp_state
heard_flight(struct smtp_proto *proto, const struct smtp_reply *reply)
{
	if (reply->code < 400)
		return smtp_talk_nonsense(proto, reply);
	(void)heard_mail(proto, reply);
	return STATE_CLOSED;
}

static void
say_rcpt(struct smtp_proto *proto)
{
	smtp_ext_write_rcpt(proto->mail.rcpts[proto->rcpt], proto->used, &proto->out);
}

static enum smtp_state
heard_rcpt(struct smtp_proto *proto, const struct smtp_reply *reply)
{
	struct smtp_rcpt_result *result = &proto->mail.results[proto->rcpt];
	const enum smtp_ext accused = accuse(proto, reply);

	if (reply->code / 100 == 3)
		return smtp_talk_nonsense(proto, reply);
	/* When somebody was accepted, and the content is on its way, it may be taken: the reply to it decides. */
	if (smtp_ext_manner(accused) && !(proto->given && proto->accepted > 0))
		return end_misfit(proto, reply, accused);
	/* The others may be taken all the same. */
	*result = (struct smtp_rcpt_result){ .asked = true, .misfit = accused != SMTP_EXT_NONE, .reply = *reply };
	if (result->misfit)
		proto->accused = accused;
	if (reply->code == 421)
		return smtp_talk_outcome(proto, SMTP_ENDED_REPLY, reply, STATE_CLOSED);
	if (reply->code / 100 == 2)
		proto->accepted++;
	proto->rcpt++;
	return next_recipient(proto);
}

static void
say_data(struct smtp_proto *proto)
{
	(void)nd_buf_adds(&proto->out, "DATA\r\n");
}

static enum smtp_state
heard_data(struct smtp_proto *proto, const struct smtp_reply *reply)
{
	const enum smtp_ext accused = accuse(proto, reply);

	if (reply->code / 100 == 3)
		return STATE_CONTENT;
	if (reply->code / 100 == 2)
		return smtp_talk_nonsense(proto, reply);
	if (accused != SMTP_EXT_NONE)
		return end_misfit(proto, reply, accused);
	return smtp_talk_outcome(proto, SMTP_ENDED_REPLY, reply, STATE_RSET);
}

/* A server may refuse before it has seen all. The end was not said, so nothing is delivered; but it may take the rest for commands: leave. */
static enum smtp_state
heard_content(struct smtp_proto *proto, const struct smtp_reply *reply)
{
	if (reply->code < 400)
		return smtp_talk_nonsense(proto, reply);
	return smtp_talk_outcome(proto, SMTP_ENDED_REPLY, reply, STATE_CLOSED);
}

static void
say_end(struct smtp_proto *proto)
{
	smtp_stuff_end(&proto->stuff, &proto->out);
}

static enum smtp_state
heard_end(struct smtp_proto *proto, const struct smtp_reply *reply)
{
	if (reply->code / 100 == 3)
		return smtp_talk_nonsense(proto, reply);
	return smtp_talk_outcome(proto, SMTP_ENDED_REPLY, reply, STATE_READY); /* RFC 5321 4.1.1.4: all is cleared */
}

/* RFC 3030 4.2: after a chunk that was refused nobody knows what the server keeps; RSET. */
void
smtp_talk_say_bdat(struct smtp_proto *proto)
{
	struct nd_buf *body = &proto->body;

	smtp_stuff_end(&proto->stuff, body);
	(void)nd_buf_adds(&proto->out, "BDAT ");
	(void)nd_buf_addi(&proto->out, (int64_t)body->len);
	(void)nd_buf_adds(&proto->out, " LAST\r\n");
	if (body->len > 0)
		(void)nd_buf_add(&proto->out, body->octets, body->len);
	if (!body->failed && body->room > ROOM_KEPT)
		nd_buf_done(body);
	else if (!body->failed)
		nd_buf_clear(body);
}

static enum smtp_state
heard_bdat(struct smtp_proto *proto, const struct smtp_reply *reply)
{
	const enum smtp_ext accused = accuse(proto, reply);

	if (reply->code / 100 == 3)
		return smtp_talk_nonsense(proto, reply);
	if (accused != SMTP_EXT_NONE)
		return end_misfit(proto, reply, accused);
	return smtp_talk_outcome(proto, SMTP_ENDED_REPLY, reply, reply->code / 100 == 2 ? STATE_READY : STATE_RSET);
}

/* ---- between mails ---- */

/* The mail has ended; each command said ahead still gets its reply: 503, 551 Discarded, even 250. Only a go-ahead to DATA, the last of its group, wants
 * an answer (RFC 2920 3.1). */
static enum smtp_state
heard_echo(struct smtp_proto *proto, const struct smtp_reply *reply)
{
	struct nd_why why;

	if (proto->withheld && reply->code < 400) {
		(void)nd_fail(&why, ND_EPROTOCOL, 0,
		    "%s is out of step: it refused a message and then said %d %.160s while others were under way",
		    proto->settings->host, reply->code, reply->text);
		proto->over = why;
		lose(proto, &why, false);
		return STATE_CLOSED;
	}
	if (proto->owed > 0)
		return STATE_ECHO;
	return reply->code / 100 == 3 ? STATE_LONE_DOT : STATE_RSET;
}

static void
say_lone_dot(struct smtp_proto *proto)
{
	(void)nd_buf_adds(&proto->out, ".\r\n");
}

static enum smtp_state
heard_lone_dot(struct smtp_proto *proto, const struct smtp_reply *reply)
{
	(void)proto;
	(void)reply;
	return STATE_RSET;
}

static enum smtp_state
heard_unasked(struct smtp_proto *proto, const struct smtp_reply *reply)
{
	return reply->code / 100 == 4 ? STATE_CLOSED : smtp_talk_nonsense(proto, reply);
}

static void
say_rset(struct smtp_proto *proto)
{
	(void)nd_buf_adds(&proto->out, "RSET\r\n");
}

static enum smtp_state
heard_rset(struct smtp_proto *proto, const struct smtp_reply *reply)
{
	(void)proto;
	return reply->code / 100 == 2 ? STATE_READY : STATE_CLOSED;
}

static void
say_quit(struct smtp_proto *proto)
{
	(void)nd_buf_adds(&proto->out, "QUIT\r\n");
}

static enum smtp_state
heard_quit(struct smtp_proto *proto, const struct smtp_reply *reply)
{
	(void)proto;
	(void)reply;
	return STATE_CLOSED;
}
