/* SPDX-License-Identifier: Apache-2.0 */
/* probe_smtp.c - a test's session: from the name of the server to the reply to a mail, or to its envelope. */
#include "daemon/probe.h"

#include "common/idn.h"
#include "common/mem.h"
#include "common/stamp.h"

#include <stdio.h>
#include <string.h>

#define HEAD_LIMIT 8192u

/* Providers that look at permission, From and quota only behind the end of data: there nothing but a message proves anything. */
static bool
judges_late(const struct conf_account *conf)
{
	return conf->provider <= CONF_MICROSOFT_HVE;
}

bool
probe_sends(const struct probe *probe)
{
	if (probe->to || probe->send == PROBE_SEND_YES)
		return true;
	return probe->send == PROBE_SEND_AUTO && judges_late(probe->conf);
}

/* -- how far it is -- */

static enum probe_step
step_of_talk(const struct probe *probe, const struct smtp_link *link)
{
	const bool clear = probe->conf->security == CONF_STARTTLS && smtp_link_tls(link)[0] == '\0';

	switch (smtp_proto_stage(smtp_link_proto(link))) {
	case SMTP_AT_GREETING:
		return PROBE_GREETING;
	case SMTP_AT_EHLO:
		return clear ? PROBE_STARTTLS : PROBE_EHLO;
	case SMTP_AT_STARTTLS:
		return PROBE_STARTTLS;
	case SMTP_AT_CERTIFICATE:
		return PROBE_CERTIFICATE;
	case SMTP_AT_AUTH:
		return PROBE_AUTH;
	case SMTP_AT_MAIL:
		return PROBE_MAIL;
	case SMTP_AT_RCPT:
		return PROBE_RCPT;
	case SMTP_AT_DATA:
	case SMTP_AT_CONTENT:
	case SMTP_AT_END:
		return PROBE_SEND;
	case SMTP_AT_CONNECT:
	case SMTP_AT_IDLE:
	case SMTP_AT_COUNT:
		break;
	}
	return probe->step;
}

static enum probe_step
step_of(const struct probe *probe, const struct smtp_link *link)
{
	switch (smtp_link_at(link)) {
	case SMTP_LINK_RESOLVING:
		return PROBE_DNS;
	case SMTP_LINK_CONNECTING:
	case SMTP_LINK_PROXYING:
		return PROBE_TCP;
	case SMTP_LINK_SECURING:
		return PROBE_CERTIFICATE;
	case SMTP_LINK_TALKING:
		return step_of_talk(probe, link);
	case SMTP_LINK_OVER:
		break;
	}
	return probe->step;
}

/* -- what each step has found -- */

/* A public provider whose certificate comes from an authority that somebody added to this host: a box on the way speaks for it. */
void
probe_inspection(const struct conf_account *conf, const struct tls_chain *chain, bool own, char *path, size_t size)
{
	static const char *const folders[] = { "/usr/local/share/ca-certificates", "/etc/pki/ca-trust/source/anchors" };

	path[0] = '\0';
	if (conf->provider == CONF_SMTP || own || chain->pinned)
		return;
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]) && path[0] == '\0'; i++)
		(void)tls_chain_local(chain, folders[i], path, size);
}

const char *
probe_inspected(const struct probe *probe)
{
	return explain_say(probe->lang, "; TLS is inspected on the way, by leave of ",
	    "。経路上で TLS が検査されています。次の認証局によるものです: ");
}

static void
pass_certificate(struct probe *probe, enum probe_step next)
{
	const char *issuer = probe->chain.count > 0 ? probe->chain.cert[0].issuer : NULL;
	const struct conf_account *conf = probe->conf;
	const enum explain_lang lang = probe->lang;
	char path[512];

	probe_inspection(conf, &probe->chain, conf->ca_file[0] != '\0' || conf->ca_dir[0] != '\0', path, sizeof(path));
	probe->inspected = path[0] != '\0';
	probe_pass(probe, next, "%s, %s%s%s%s%s%s", smtp_link_tls(probe->link),
	    probe->chain.pinned ? explain_say(lang, "pinned for ", "ピン留めした証明書: ")
				: explain_say(lang, "trusted for ", "信頼された証明書: "),
	    probe->link_conf.tls_name, issuer ? explain_say(lang, "; issuer is ", "。発行者は ") : "",
	    issuer ? issuer : "", probe->inspected ? probe_inspected(probe) : "", path);
}

static void
pass_ehlo(struct probe *probe, enum probe_step next)
{
	const struct smtp_caps *caps = smtp_proto_caps(smtp_link_proto(probe->link));

	probe_pass(probe, next, explain_say(probe->lang, "offers %s%s%s%s%s%s", "利用可能: %s%s%s%s%s%s"),
	    caps->auth[0] ? "AUTH " : explain_say(probe->lang, "no AUTH", "AUTH なし"), caps->auth,
	    caps->pipelining ? ", PIPELINING" : "", caps->chunking ? ", CHUNKING" : "",
	    caps->eightbitmime ? ", 8BITMIME" : "", caps->smtputf8 ? ", SMTPUTF8" : "");
}

static void
pass_recipient(struct probe *probe, enum probe_step next)
{
	const struct smtp_reply *reply = &probe->result.reply;

	probe_pass(probe, next,
	    explain_say(probe->lang, "%s is taken: %d %s %.300s", "宛先 %s が受け付けられました: %d %s %.300s"),
	    probe->rcpt, reply->code, reply->enhanced, reply->text);
}

static void
pass(struct probe *probe, enum probe_step next)
{
	const enum explain_lang lang = probe->lang;

	switch (probe->step) {
	case PROBE_DNS:
		probe_pass(probe, next, explain_say(lang, "%s has addresses", "%s のアドレスが見つかりました"),
		    probe->link_conf.proxy.kind != PROXY_TALK_NONE ? probe->link_conf.proxy.host
								   : probe->link_conf.host);
		break;
	case PROBE_TCP:
		probe_pass(probe, next, explain_say(lang, "connected to %s", "%s に接続しました"),
		    smtp_link_relay(probe->link));
		break;
	case PROBE_GREETING:
		probe_pass(probe, next, explain_say(lang, "the server is ready", "サーバーの準備ができています"));
		break;
	case PROBE_STARTTLS:
		probe_pass(probe, next, explain_say(lang, "offered and taken", "提供されており、開始しました"));
		break;
	case PROBE_CERTIFICATE:
		pass_certificate(probe, next);
		break;
	case PROBE_EHLO:
		pass_ehlo(probe, next);
		break;
	case PROBE_AUTH:
		probe_pass(probe, next, explain_say(lang, "signed in as %s", "%s としてサインインしました"),
		    probe->conf->user);
		break;
	case PROBE_MAIL:
		probe_pass(probe, next,
		    explain_say(lang, "%s is taken as the sender", "送信者 %s が受け付けられました"),
		    probe->conf->envelope_from);
		break;
	case PROBE_RCPT:
		pass_recipient(probe, next);
		break;
	case PROBE_CONFIG:
	case PROBE_SECRET:
	case PROBE_TOKEN:
	case PROBE_CLAIMS:
	case PROBE_SEND:
	case PROBE_STEPS:
		break;
	}
}

static void
on_moved(void *owner, struct smtp_link *link)
{
	struct probe *probe = owner;
	const enum probe_step at = step_of(probe, link);

	if (at != probe->step && !probe->taken)
		pass(probe, at);
}

/* -- the mail -- */

static void
write_head(struct probe *probe)
{
	const struct conf_account *conf = probe->conf;
	char date[ND_STAMP_SIZE], id[33], from[IDN_ADDRESS_SIZE], to[IDN_ADDRESS_SIZE];
	uint8_t dice[16];
	struct nd_buf head;

	tls_random(dice, sizeof(dice));
	nd_str_hex(id, dice, sizeof(dice));
	nd_buf_init(&head, HEAD_LIMIT);
	(void)nd_buf_addf(&head,
	    "From: <%s>\r\nTo: <%s>\r\nSubject: notifyd test of account %s\r\nDate: %s\r\nMessage-ID: <%s@%s>\r\n"
	    "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=us-ascii\r\nAuto-Submitted: auto-generated\r\n\r\n"
	    "This is a test of notifyd's account %s\r\non %s. Nothing is to be done.\r\n",
	    idn_wire(conf->from_box.address, from), idn_wire(probe->rcpt, to), conf->name,
	    nd_stamp_rfc5322(loop_now(probe->app->loop).unix_ms, date), id, probe->held->hostname, conf->name,
	    probe->held->hostname);
	probe->head = nd_buf_take(&head, NULL);
}

static void
on_ready(void *owner, struct smtp_link *link)
{
	struct probe *probe = owner;
	struct smtp_link_mail mail = { .fd = -1 };

	if (probe->stood)
		return; /* the mail's outcome was told */
	probe->stood = true;
	pass(probe, PROBE_MAIL);
	nd_secret_done(&probe->password);
	if (probe->login_only) {
		probe->taken = true;
		smtp_link_quit(link);
		return;
	}
	probe->rcpt = probe->to                                ? probe->to
		      : strchr(probe->conf->user, '@') != NULL ? probe->conf->user
							       : probe->conf->from_box.address;
	write_head(probe);
	mail.head = probe->head;
	mail.head_len = strlen(probe->head);
	mail.mail = (struct smtp_mail){ .from = probe->conf->envelope_from,
		.author = probe->conf->from_box.address,
		.utf8 = idn_local(probe->conf->from_box.address),
		.rcpts = &probe->rcpt,
		.rcpt_count = 1,
		.results = &probe->result,
		.size = mail.head_len,
		.pace = SMTP_STEPWISE,
		.trial = !probe_sends(probe) };
	smtp_link_send(link, &mail);
}

static bool
on_ending(void *owner, struct smtp_link *link)
{
	(void)owner;
	(void)link;
	return true;
}

static void
fail_reply(struct probe *probe, const struct smtp_reply *reply)
{
	struct nd_why why;

	(void)nd_fail(&why, ND_EAUTH, 0, "%d%s%s %.260s", reply->code, reply->enhanced[0] ? " " : "", reply->enhanced,
	    reply->text);
	probe_fail(probe, &(struct probe_fault){ .why = &why, .reply = reply });
}

/* A good word ends the session politely, and only then the test. */
static void
leave(struct probe *probe, struct smtp_link *link, const struct smtp_reply *reply)
{
	if (reply->code / 100 != 2) {
		fail_reply(probe, reply);
		return;
	}
	probe->taken = true;
	probe->last = *reply;
	smtp_link_quit(link);
}

static void
finish_mail(struct probe *probe)
{
	const struct smtp_reply *reply = &probe->last;

	probe_pass(probe, PROBE_STEPS,
	    explain_say(probe->lang, "accepted by %s: %d %s %.300s", "%s が受け付けました: %d %s %.300s"),
	    smtp_link_relay(probe->link), reply->code, reply->enhanced, reply->text);
	probe_succeed(probe, true,
	    explain_say(probe->lang, "account %s works: a message to %s was accepted by %s",
		"アカウント %s は使用できます。%s 宛てのメールを %s が受け付けました"),
	    probe->conf->name, probe->rcpt, probe->conf->host);
}

static void
finish_trial(struct probe *probe)
{
	const enum explain_lang lang = probe->lang;

	pass_recipient(probe, PROBE_STEPS);
	if (judges_late(probe->conf))
		probe_succeed(probe, false,
		    explain_say(lang,
			"NOT PROVED: all is well so far, but this provider looks at permission, From and quota only "
			"when a message is sent; run the test with a message",
			"未確認 (NOT PROVED): "
			"ここまでは問題ありません。ただしこのプロバイダーは、権限、From、送信上限をメールの送信時に"
			"初めて確認します。メールを送信するテストを実行してください"));
	else
		probe_succeed(probe, true,
		    explain_say(lang,
			"account %s works: signed in, and sender and recipient were taken; no message was sent",
			"アカウント %s "
			"は使用できます。サインインでき、送信者と宛先が受け付けられました。メールは送信していません"),
		    probe->conf->name);
}

static void
on_outcome(void *owner, struct smtp_link *link, const struct smtp_outcome *outcome)
{
	struct probe *probe = owner;
	const struct smtp_reply *reply = &outcome->reply;

	if (outcome->end == SMTP_ENDED_LOST) {
		probe_fail(probe, &(struct probe_fault){ .why = &outcome->why });
	} else if (outcome->end == SMTP_ENDED_RCPTS) {
		if (probe->step == PROBE_MAIL)
			pass(probe, PROBE_RCPT);
		leave(probe, link, &probe->result.reply);
	} else {
		leave(probe, link, reply);
	}
}

/* The step that a fault belongs to may be one that was only about to begin. */
static void
on_gone(void *owner, struct smtp_link *link, const struct smtp_fault *fault)
{
	struct probe *probe = owner;
	struct nd_why why;

	(void)link;
	if (probe->taken && probe->login_only) {
		probe_succeed(probe, true,
		    explain_say(probe->lang, "%s took the password", "%s がパスワードを受け付けました"),
		    probe->conf->host);
		return;
	}
	if (probe->taken) {
		if (probe_sends(probe))
			finish_mail(probe);
		else
			finish_trial(probe);
		return;
	}
	if (!fault) {
		(void)nd_fail(&why, ND_ECLOSED, 0, "%.100s ended the session", probe->conf->host);
		probe_fail(probe, &(struct probe_fault){ .why = &why });
		return;
	}
	if (fault->stage == SMTP_AT_AUTH && probe->step == PROBE_EHLO)
		pass(probe, PROBE_AUTH);
	if (fault->stage == SMTP_AT_CERTIFICATE)
		probe->step = PROBE_CERTIFICATE;
	probe_fail(
	    probe, &(struct probe_fault){ .why = &fault->why, .reply = fault->reply.code ? &fault->reply : NULL });
}

static const struct smtp_link_events events = {
	.ready = on_ready,
	.ending = on_ending,
	.outcome = on_outcome,
	.moved = on_moved,
	.gone = on_gone,
};

void
probe_connect(struct probe *probe)
{
	static const enum smtp_auth auths[] = {
		[CONF_OAUTH2] = SMTP_AUTH_OAUTH,
		[CONF_PASSWORD] = SMTP_AUTH_PASSWORD,
		[CONF_NO_AUTH] = SMTP_AUTH_NONE,
	};
	const struct conf_account *conf = probe->conf;
	struct nd_why why;

	trust_way(probe->held, conf, &probe->link_conf);
	probe->link_conf.settings.auth = auths[conf->auth];
	probe->link_conf.settings.secret = conf->auth == CONF_PASSWORD ? &probe->password : &probe->token;
	if (conf->security != CONF_PLAIN && (probe->tls = trust_tls(conf, &why)) == NULL) {
		probe->step = PROBE_CERTIFICATE;
		probe_fail(probe, &(struct probe_fault){ .why = &why });
		return;
	}
	if (probe->tls)
		tls_inspect(probe->tls, &probe->chain);
	probe->link_conf.tls = probe->tls;
	probe->link = smtp_link_new(probe->app->loop, probe->app->resolver, &probe->link_conf, &events, probe);
}
