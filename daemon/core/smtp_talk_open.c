/* SPDX-License-Identifier: Apache-2.0 */
/* smtp_talk_open.c - the rows of the conversation until the session is ready: greeting, EHLO, STARTTLS, AUTH.  Layer: core. */
#include "daemon/core/smtp_talk.h"

#include <string.h>

/* A refusal that ends the session before it is ready. */
static enum smtp_state
refuse_session(struct smtp_proto *proto, const struct smtp_reply *reply)
{
	const struct smtp_row *row = &smtp_talk_rows[proto->state];
	const bool for_good = reply->code >= 500;
	enum nd_err err = ND_ECONNECT;
	struct nd_why why;

	if (reply->code < 400)
		return smtp_talk_nonsense(proto, reply);
	if (for_good && row->stage == SMTP_AT_AUTH)
		err = ND_EAUTH;
	else if (for_good && row->stage == SMTP_AT_STARTTLS)
		err = ND_ETLS;
	(void)nd_fail(&why, err, 0, "%s refused while %s: %d%s%s %.200s", proto->settings->host, row->doing,
	    reply->code, reply->enhanced[0] ? " " : "", reply->enhanced, reply->text);
	proto->fault.reply = *reply;
	proto->fault.token_refused = for_good && row->stage == SMTP_AT_AUTH &&
				     proto->settings->auth == SMTP_AUTH_OAUTH &&
				     (reply->code == 535 || proto->challenged);
	return smtp_talk_fault(proto, row->stage, &why);
}

/* ---- opening ---- */

enum smtp_state
smtp_talk_heard_greeting(struct smtp_proto *proto, const struct smtp_reply *reply)
{
	return reply->code / 100 == 2 ? STATE_EHLO : refuse_session(proto, reply);
}

void
smtp_talk_say_ehlo(struct smtp_proto *proto)
{
	(void)nd_buf_addf(&proto->out, "EHLO %s\r\n", proto->settings->ehlo);
}

enum smtp_state
smtp_talk_heard_ehlo(struct smtp_proto *proto, const struct smtp_reply *reply)
{
	const struct smtp_settings *settings = proto->settings;
	struct nd_why why;

	if (reply->code / 100 != 2)
		return refuse_session(proto, reply);
	if (settings->security == SMTP_STARTTLS && !proto->tls) {
		if (proto->caps.starttls)
			return STATE_STARTTLS;
		(void)nd_fail(&why, ND_ETLS, 0,
		    "%s does not offer STARTTLS: something on the way may have taken it out", settings->host);
		return smtp_talk_fault(proto, SMTP_AT_STARTTLS, &why);
	}
	if (settings->auth == SMTP_AUTH_NONE)
		return STATE_READY;
	proto->mech = smtp_auth_choose(settings, &proto->caps, proto->tls, &why);
	return proto->mech ? STATE_AUTH : smtp_talk_fault(proto, SMTP_AT_AUTH, &why);
}

void
smtp_talk_say_starttls(struct smtp_proto *proto)
{
	(void)nd_buf_adds(&proto->out, "STARTTLS\r\n");
}

enum smtp_state
smtp_talk_heard_starttls(struct smtp_proto *proto, const struct smtp_reply *reply)
{
	return reply->code / 100 == 2 ? STATE_TLS : refuse_session(proto, reply);
}

/* ---- signing in ---- */

/* A challenge is as it is: what answers it must be right. */
void
smtp_talk_hush(const struct smtp_proto *proto, struct smtp_reply *reply)
{
	if (smtp_talk_rows[proto->state].stage == SMTP_AT_AUTH && reply->code / 100 != 3)
		echo_hide(&proto->echo, reply->text);
}

static void
hide(struct smtp_proto *proto)
{
	proto->out_secret = true;
	(void)echo_note(&proto->echo, nd_buf_text(&proto->out), proto->out.len);
}

void
smtp_talk_say_auth(struct smtp_proto *proto)
{
	proto->said = smtp_auth_command(proto->mech, proto->settings, &proto->out) ? 1 : 0;
	if (proto->said > 0)
		hide(proto);
}

static enum smtp_state
refuse_unproved(struct smtp_proto *proto)
{
	struct nd_why why;

	(void)nd_fail(&why, ND_EAUTH, 0,
	    "%s did not prove that it knows the password: it may not be the server it says", proto->settings->host);
	return smtp_talk_fault(proto, SMTP_AT_AUTH, &why);
}

/* What a 2xx, 4xx or 5xx in any step of AUTH means. Where both sides prove what they know, a yes counts only behind the server's proof. */
static enum smtp_state
sign_in(struct smtp_proto *proto, const struct smtp_reply *reply)
{
	if (reply->code / 100 != 2)
		return refuse_session(proto, reply);
	return proto->mech->mutual && proto->state != STATE_AUTH_VERIFIED ? refuse_unproved(proto) : STATE_READY;
}

/* A challenge behind the message: XOAUTH2 and OAUTHBEARER tell so why they are about to refuse. */
static enum smtp_state
hear_challenge(struct smtp_proto *proto, const struct smtp_reply *reply)
{
	struct smtp_reply shown = *reply;

	proto->challenged = true;
	echo_hide(&proto->echo, shown.text);
	if (strcmp(shown.text, reply->text) == 0) /* else it is what we said ourselves */
		smtp_auth_challenge(reply->text, proto->fault.challenge, sizeof(proto->fault.challenge));
	return STATE_AUTH_REFUSAL;
}

/* What the challenge asks takes cryptography. */
static enum smtp_state
hear_question(struct smtp_proto *proto, const struct smtp_reply *reply)
{
	struct nd_why inner, why;

	if (proto->exchange == NULL)
		proto->exchange = nd_xalloc(sizeof(*proto->exchange));
	if (smtp_auth_ask(proto->mech, proto->settings, reply->text, proto->exchange, &inner) == ND_OK)
		return STATE_AUTH_PROOF;
	(void)nd_fail(&why, inner.err, 0, "%s does not keep to the protocol: %s", proto->settings->host, inner.text);
	return smtp_talk_fault(proto, SMTP_AT_AUTH, &why);
}

enum smtp_state
smtp_talk_heard_auth(struct smtp_proto *proto, const struct smtp_reply *reply)
{
	if (reply->code / 100 != 3)
		return sign_in(proto, reply);
	if (proto->mech->ask && (!proto->mech->message[0] || (proto->said > 0 && reply->text[0] != '\0')))
		return hear_question(proto, reply);
	/* An empty challenge after an initial response: a server that does not know of those. */
	if (proto->said > 0 && reply->text[0] != '\0')
		return hear_challenge(proto, reply);
	proto->said = 0;
	return STATE_AUTH_MESSAGE;
}

void
smtp_talk_say_auth_message(struct smtp_proto *proto)
{
	smtp_auth_message(proto->mech, proto->said++, proto->settings, &proto->out);
	hide(proto);
}

enum smtp_state
smtp_talk_heard_auth_message(struct smtp_proto *proto, const struct smtp_reply *reply)
{
	if (reply->code / 100 != 3)
		return sign_in(proto, reply);
	if (proto->mech->ask)
		return hear_question(proto, reply);
	return proto->said < 2 && proto->mech->message[proto->said] ? STATE_AUTH_MESSAGE : hear_challenge(proto, reply);
}

void
smtp_talk_say_auth_refusal(struct smtp_proto *proto)
{
	(void)nd_buf_addf(&proto->out, "%s\r\n", proto->mech->to_refusal);
}

enum smtp_state
smtp_talk_heard_auth_refusal(struct smtp_proto *proto, const struct smtp_reply *reply)
{
	return sign_in(proto, reply);
}

void
smtp_talk_say_auth_answer(struct smtp_proto *proto)
{
	smtp_auth_answer(proto->mech, proto->settings, proto->exchange, &proto->out);
	hide(proto);
}

enum smtp_state
smtp_talk_heard_auth_answer(struct smtp_proto *proto, const struct smtp_reply *reply)
{
	enum smtp_state next;

	if (reply->code / 100 != 3)
		return sign_in(proto, reply);
	if (proto->mech->mutual && smtp_auth_verified(reply->text, proto->exchange))
		return STATE_AUTH_VERIFIED;
	next = hear_challenge(proto, reply);
	if (!proto->mech->mutual || strncmp(proto->fault.challenge, "e=", 2) == 0)
		return next; /* a refusal follows, with words */
	return refuse_unproved(proto);
}

void
smtp_talk_say_auth_nothing(struct smtp_proto *proto)
{
	(void)nd_buf_adds(&proto->out, "\r\n");
}
