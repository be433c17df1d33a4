/* SPDX-License-Identifier: Apache-2.0 */
/* smtp_auth.c - SASL mechanisms: which one, and what it says.  Layer: core. */
#include "daemon/core/smtp_auth.h"

#include "common/idn.h"
#include "common/str.h"

#include <string.h>

#define MESSAGE_MAX_OCTETS 32768u
#define COMMAND_MAX_OCTETS 512u /* with CRLF: RFC 5321 4.5.3.1.4 */

static void
say_xoauth2(const struct smtp_settings *settings, struct nd_buf *out)
{
	(void)nd_buf_addf(out, "user=%s\1auth=Bearer ", settings->user);
	(void)nd_buf_add(out, settings->secret->octets, settings->secret->len);
	(void)nd_buf_adds(out, "\1\1");
}

/* RFC 7628 3.1. The port is left out: it is optional. */
static void
say_oauthbearer(const struct smtp_settings *settings, struct nd_buf *out)
{
	char ascii[IDN_DOMAIN_SIZE];

	(void)nd_buf_adds(out, "n,a=");
	scram_name(settings->user, out);
	(void)nd_buf_addf(out, ",\1host=%s\1auth=Bearer ", idn_host(settings->host, ascii));
	(void)nd_buf_add(out, settings->secret->octets, settings->secret->len);
	(void)nd_buf_adds(out, "\1\1");
}

static void
say_plain(const struct smtp_settings *settings, struct nd_buf *out)
{
	(void)nd_buf_addc(out, '\0');
	(void)nd_buf_adds(out, settings->user);
	(void)nd_buf_addc(out, '\0');
	(void)nd_buf_add(out, settings->secret->octets, settings->secret->len);
}

static void
say_user(const struct smtp_settings *settings, struct nd_buf *out)
{
	(void)nd_buf_adds(out, settings->user);
}

static void
say_password(const struct smtp_settings *settings, struct nd_buf *out)
{
	(void)nd_buf_add(out, settings->secret->octets, settings->secret->len);
}

static void
say_scram(const struct smtp_settings *settings, struct nd_buf *out)
{
	scram_first(settings->user, settings->nonce, out);
}

static enum nd_err
ask_scram(const struct smtp_settings *settings, const char *challenge, size_t len, struct smtp_auth_exchange *exchange,
    struct nd_why *why)
{
	const struct scram *scram = &exchange->scram;
	struct smtp_question *question = &exchange->question;
	enum nd_err err = scram_read(settings->user, settings->nonce, challenge, len, &exchange->scram, why);

	if (err != ND_OK)
		return err;
	*question = (struct smtp_question){ .kind = SMTP_ASK_SCRAM_SHA256,
		.salt = scram->salt,
		.salt_len = scram->salt_len,
		.iterations = scram->iterations,
		.text = scram->message,
		.text_len = strlen(scram->message) };
	return ND_OK;
}

static void
answer_scram(const struct smtp_settings *settings, const struct smtp_auth_exchange *exchange, struct nd_buf *out)
{
	(void)settings;
	scram_final(&exchange->scram, exchange->answer.proof, out);
}

/* RFC 2195: the challenge as it is goes into the digest. */
static enum nd_err
ask_cram(const struct smtp_settings *settings, const char *challenge, size_t len, struct smtp_auth_exchange *exchange,
    struct nd_why *why)
{
	char *kept = exchange->scram.message;

	(void)settings;
	if (len == 0 || len >= sizeof(exchange->scram.message))
		return nd_fail(why, ND_EPROTOCOL, 0, "its challenge of CRAM-MD5 is empty or too long");
	memcpy(kept, challenge, len);
	exchange->question = (struct smtp_question){ .kind = SMTP_ASK_CRAM_MD5, .text = kept, .text_len = len };
	return ND_OK;
}

static void
answer_cram(const struct smtp_settings *settings, const struct smtp_auth_exchange *exchange, struct nd_buf *out)
{
	char digest[2 * 16 + 1]; /* RFC 2195 2 */

	nd_str_hex(digest, exchange->answer.proof, 16);
	(void)nd_buf_addf(out, "%s %s", settings->user, digest);
}

/* In the order of our choice. "AQ==" is the single 0x01 of RFC 7628 3.2.3; "*" cancels (RFC 4954 4). */
/* clang-format off */
static const struct smtp_auth_mech mechanisms[] = {
	{ .name = "XOAUTH2", .needs = SMTP_AUTH_OAUTH, .offered = offsetof(struct smtp_caps, auth_xoauth2),
	  .to_refusal = "", .message = { say_xoauth2 } },
	{ .name = "OAUTHBEARER", .needs = SMTP_AUTH_OAUTH, .offered = offsetof(struct smtp_caps, auth_oauthbearer),
	  .to_refusal = "AQ==", .message = { say_oauthbearer } },
	{ .name = "SCRAM-SHA-256", .needs = SMTP_AUTH_PASSWORD, .offered = offsetof(struct smtp_caps, auth_scram_sha256),
	  .to_refusal = "*", .message = { say_scram }, .ask = ask_scram, .answer = answer_scram, .mutual = true },
	{ .name = "PLAIN", .needs = SMTP_AUTH_PASSWORD, .offered = offsetof(struct smtp_caps, auth_plain),
	  .to_refusal = "*", .message = { say_plain } },
	{ .name = "LOGIN", .needs = SMTP_AUTH_PASSWORD, .offered = offsetof(struct smtp_caps, auth_login),
	  .to_refusal = "*", .message = { say_user, say_password } },
	{ .name = "CRAM-MD5", .needs = SMTP_AUTH_PASSWORD, .offered = offsetof(struct smtp_caps, auth_cram_md5),
	  .to_refusal = "*", .ask = ask_cram, .answer = answer_cram },
};
/* clang-format on */

/* May the credential be used on this session, and can it be? */
static enum nd_err
check_credential(const struct smtp_settings *settings, bool tls, struct nd_why *why)
{
	const bool token = settings->auth == SMTP_AUTH_OAUTH;
	const char *what = token ? "access token" : "password";
	const struct nd_secret *secret = settings->secret;

	if (!tls && (token || settings->security != SMTP_PLAINTEXT || !settings->loopback))
		return nd_fail(why, ND_ETLS, 0, "the session with %s is not encrypted: no %s is sent over it",
		    settings->host, what);
	if (!secret || secret->len == 0)
		return nd_fail(why, ND_ESECRET, 0, "there is no %s for %s", what, settings->host);
	if (nd_str_has_control(settings->user, strlen(settings->user)))
		return nd_fail(why, ND_ESECRET, 0, "the user name for %s holds a control character", settings->host);
	/* In a token a stray 0x01 would end a field of the message and begin another. */
	for (size_t i = 0; i < secret->len; i++) {
		const unsigned char c = (unsigned char)secret->octets[i];

		if (c == 0 || (token && (c < 0x21 || c > 0x7e)))
			return nd_fail(
			    why, ND_ESECRET, 0, "the %s for %s holds characters that none has", what, settings->host);
	}
	return ND_OK;
}

/* Both carry the token. XOAUTH2 is Google's and Microsoft's own, OAUTHBEARER the standard. */
static bool
gives_way(const struct smtp_auth_mech *mech, const struct smtp_settings *settings, const struct smtp_caps *caps)
{
	return settings->bearer && settings->mechanism == NULL && caps->auth_oauthbearer &&
	       mech->offered == offsetof(struct smtp_caps, auth_xoauth2);
}

const struct smtp_auth_mech *
smtp_auth_choose(const struct smtp_settings *settings, const struct smtp_caps *caps, bool tls, struct nd_why *why)
{
	if (check_credential(settings, tls, why) != ND_OK)
		return NULL;
	for (size_t i = 0; i < sizeof(mechanisms) / sizeof(mechanisms[0]); i++) {
		const struct smtp_auth_mech *mech = &mechanisms[i];

		if (mech->needs == settings->auth && *(const bool *)((const char *)caps + mech->offered) &&
		    (!settings->mechanism || strcmp(mech->name, settings->mechanism) == 0) &&
		    !gives_way(mech, settings, caps))
			return mech;
	}
	if (caps->auth[0] == '\0')
		(void)nd_fail(why, ND_EAUTH, 0, "%s offers no way to sign in", settings->host);
	else if (settings->mechanism)
		(void)nd_fail(why, ND_EAUTH, 0, "%s offers to sign in by %s, but not by %s, which auth_mechanism names",
		    settings->host, caps->auth, settings->mechanism);
	else
		(void)nd_fail(why, ND_EAUTH, 0, "%s offers to sign in by %s, but not by %s", settings->host, caps->auth,
		    settings->auth == SMTP_AUTH_OAUTH ? "XOAUTH2 or OAUTHBEARER"
						      : "SCRAM-SHA-256, PLAIN, LOGIN or CRAM-MD5");
	return NULL;
}

void
smtp_auth_message(
    const struct smtp_auth_mech *mech, unsigned n, const struct smtp_settings *settings, struct nd_buf *out)
{
	struct nd_buf plain;

	nd_buf_init(&plain, MESSAGE_MAX_OCTETS);
	mech->message[n](settings, &plain);
	if (plain.failed || !nd_str_base64(out, plain.octets, plain.len) || !nd_buf_adds(out, "\r\n"))
		out->failed = true;
	nd_buf_wipe(&plain);
}

bool
smtp_auth_command(const struct smtp_auth_mech *mech, const struct smtp_settings *settings, struct nd_buf *out)
{
	struct nd_buf line;
	bool whole = false;

	nd_buf_init(&line, COMMAND_MAX_OCTETS);
	if (mech->message[0] && !mech->message[1] && !settings->no_initial) {
		(void)nd_buf_addf(&line, "AUTH %s ", mech->name);
		smtp_auth_message(mech, 0, settings, &line);
		whole = !line.failed;
	}
	if (whole)
		(void)nd_buf_add(out, line.octets, line.len);
	else
		(void)nd_buf_addf(out, "AUTH %s\r\n", mech->name);
	nd_buf_wipe(&line);
	return whole;
}

enum nd_err
smtp_auth_ask(const struct smtp_auth_mech *mech, const struct smtp_settings *settings, const char *text,
    struct smtp_auth_exchange *exchange, struct nd_why *why)
{
	struct nd_buf plain;
	enum nd_err err;

	nd_buf_init(&plain, SMTP_REPLY_TEXT);
	if (nd_str_unbase64(&plain, text, strlen(text), false))
		err = mech->ask(settings, nd_buf_text(&plain), plain.len, exchange, why);
	else
		err = nd_fail(why, ND_EPROTOCOL, 0, "its challenge of %s is not base64", mech->name);
	nd_buf_done(&plain);
	return err;
}

void
smtp_auth_answer(const struct smtp_auth_mech *mech, const struct smtp_settings *settings,
    const struct smtp_auth_exchange *exchange, struct nd_buf *out)
{
	struct nd_buf plain;

	nd_buf_init(&plain, MESSAGE_MAX_OCTETS);
	mech->answer(settings, exchange, &plain);
	if (plain.failed || !nd_str_base64(out, plain.octets, plain.len) || !nd_buf_adds(out, "\r\n"))
		out->failed = true;
	nd_buf_wipe(&plain);
}

bool
smtp_auth_verified(const char *text, const struct smtp_auth_exchange *exchange)
{
	struct nd_buf plain;
	bool good;

	nd_buf_init(&plain, SMTP_REPLY_TEXT);
	good = nd_str_unbase64(&plain, text, strlen(text), false) &&
	       scram_verified(nd_buf_text(&plain), plain.len, exchange->answer.server);
	nd_buf_done(&plain);
	return good;
}

void
smtp_auth_app_password(struct nd_secret *password)
{
	char letters[17] = "";
	size_t n = 0;

	for (size_t i = 0; i < password->len; i++) {
		const char c = password->octets[i];

		if (c == ' ')
			continue;
		if (c < 'a' || c > 'z' || n == 16)
			return;
		letters[n++] = c;
	}
	if (n == 16 && password->len > 16)
		nd_secret_set(password, letters, n);
	explicit_bzero(letters, sizeof(letters));
}

void
smtp_auth_challenge(const char *text, char *out, size_t size)
{
	struct nd_buf plain;
	const size_t len = strlen(text) & ~(size_t)3; /* a long one was cut */

	nd_buf_init(&plain, SMTP_REPLY_TEXT);
	if (nd_str_unbase64(&plain, text, len, false))
		smtp_reply_clean(out, size, nd_buf_text(&plain), plain.len);
	else
		out[0] = '\0';
	nd_buf_done(&plain);
}
