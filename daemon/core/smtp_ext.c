/* SPDX-License-Identifier: Apache-2.0 */
/* smtp_ext.c - the extensions of SMTP that a mail may make use of.  Layer: core. */
#include "daemon/core/smtp_ext.h"

#include "common/idn.h"
#include "common/str.h"
#include "daemon/core/smtp_check.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define ENVID_MAX 100u /* RFC 3461 4.4, as it travels */
#define ORCPT_MAX 500u /* 4.2, as it travels */

#define AT(stage) (1u << (stage))
#define ENVELOPE (AT(SMTP_AT_MAIL) | AT(SMTP_AT_RCPT))
#define DATA AT(SMTP_AT_DATA)
#define END AT(SMTP_AT_END)

#define CODES 5u
#define NO_CAP SIZE_MAX

struct ext {
	const char *name;
	size_t offered; /* of its flag in struct smtp_caps; NO_CAP none */
	bool (*wanted)(const struct smtp_mail *mail, const struct smtp_caps *caps);
	void (*on_mail)(const struct smtp_mail *mail, struct nd_buf *out);
	void (*on_rcpt)(const char *address, struct nd_buf *out);
	unsigned stages;   /* where a refusal may accuse it, and by which code: */
	int codes[CODES];  /* ended by 0 */
	const char *words; /* stand in a refusal that speaks of it; NULL none */
	bool manner;
	bool
	    named; /* a bare 500 or 501 is not taken for a word on it: whom it is needed for cannot be served without it */
};

static bool
want_always(const struct smtp_mail *mail, const struct smtp_caps *caps)
{
	(void)mail;
	(void)caps;
	return true;
}

/* About a failure report nobody wants another one. */
static bool
want_reports(const struct smtp_mail *mail, const struct smtp_caps *caps)
{
	(void)caps;
	return mail->envid && mail->from[0] != '\0';
}

static bool
want_utf8(const struct smtp_mail *mail, const struct smtp_caps *caps)
{
	return caps->smtputf8 && smtp_check_needs_utf8(mail);
}

static bool
want_eight(const struct smtp_mail *mail, const struct smtp_caps *caps)
{
	return mail->eight || want_utf8(mail, caps);
}

static bool
want_tls(const struct smtp_mail *mail, const struct smtp_caps *caps)
{
	(void)caps;
	return mail->require_tls;
}

/* Whose report comes back names the job. The report holds the head of the message: the text of an alert is nothing to pass around once more. */
static void
add_envid(const struct smtp_mail *mail, struct nd_buf *out)
{
	struct nd_buf xtext;

	(void)nd_buf_adds(out, " RET=HDRS");
	nd_buf_init(&xtext, ENVID_MAX);
	smtp_ext_xtext(mail->envid, &xtext);
	if (!xtext.failed && xtext.len > 0)
		(void)nd_buf_addf(out, " ENVID=%s", nd_buf_text(&xtext));
	nd_buf_done(&xtext);
}

/* An alert that is late, or lost, behind the relay is worth knowing; that it arrived is not worth a mail. Of an address that is not ASCII the original is
 * not told: it takes another address type, which not every server that offers DSN reads. */
static void
add_notify(const char *address, struct nd_buf *out)
{
	struct nd_buf xtext;

	(void)nd_buf_adds(out, " NOTIFY=FAILURE,DELAY");
	if (!nd_str_ascii(address, strlen(address)))
		return;
	nd_buf_init(&xtext, ORCPT_MAX - strlen("rfc822;"));
	smtp_ext_xtext(address, &xtext);
	if (!xtext.failed)
		(void)nd_buf_addf(out, " ORCPT=rfc822;%s", nd_buf_text(&xtext));
	nd_buf_done(&xtext);
}

static void
add_size(const struct smtp_mail *mail, struct nd_buf *out)
{
	(void)nd_buf_adds(out, " SIZE=");
	(void)nd_buf_addi(out, (int64_t)mail->size);
}

static void
add_eight(const struct smtp_mail *mail, struct nd_buf *out)
{
	(void)mail;
	(void)nd_buf_adds(out, " BODY=8BITMIME");
}

static void
add_utf8(const struct smtp_mail *mail, struct nd_buf *out)
{
	(void)mail;
	(void)nd_buf_adds(out, " SMTPUTF8");
}

static void
add_require_tls(const struct smtp_mail *mail, struct nd_buf *out)
{
	(void)mail;
	(void)nd_buf_adds(out, " REQUIRETLS");
}

/* In the order in which they are blamed when the server does not say what it means: what can be missed most easily comes first. RFC 5321 4.2.4 has the
 * codes: 500 502 503 tell that a command, or its place, is not understood; 501 504 555 that its parameters are not. */
/* clang-format off */
#define CAP(flag) offsetof(struct smtp_caps, flag)
static const struct ext table[SMTP_EXT_COUNT] = {
	[SMTP_EXT_NONE] = { .name = "nothing", .offered = NO_CAP },
	[SMTP_EXT_WINDOW] = { "several messages at once", NO_CAP, NULL, NULL, NULL,
	                      ENVELOPE | END, { 500, 502, 503 }, NULL, true, false },
	[SMTP_EXT_FLIGHT] = { "one flight", NO_CAP, NULL, NULL, NULL,
	                      ENVELOPE | END, { 500, 502, 503 }, NULL, true, false },
	[SMTP_EXT_CHUNKING] = { "CHUNKING", CAP(chunking), NULL, NULL, NULL,
	                        END, { 500, 501, 502, 503, 504 }, "BDAT", true, false },
	[SMTP_EXT_PIPELINING] = { "PIPELINING", CAP(pipelining), NULL, NULL, NULL,
	                          ENVELOPE | DATA, { 500, 502, 503 }, NULL, true, false },
	[SMTP_EXT_DSN] = { "DSN", CAP(dsn), want_reports, add_envid, add_notify,
	                   ENVELOPE, { 500, 501, 504, 553, 555 }, "RET= ENVID NOTIFY ORCPT DSN", false, false },
	[SMTP_EXT_SIZE] = { "SIZE", CAP(size), want_always, add_size, NULL,
	                    AT(SMTP_AT_MAIL), { 500, 501, 504, 555 }, "SIZE", false, false },
	[SMTP_EXT_8BITMIME] = { "8BITMIME", CAP(eightbitmime), want_eight, add_eight, NULL,
	                        AT(SMTP_AT_MAIL), { 500, 501, 504, 555 }, "BODY 8BITMIME", false, false },
	[SMTP_EXT_SMTPUTF8] = { "SMTPUTF8", CAP(smtputf8), want_utf8, add_utf8, NULL,
	                        AT(SMTP_AT_MAIL), { 500, 501, 504, 555 }, "SMTPUTF8", false, true },
	[SMTP_EXT_REQUIRETLS] = { "REQUIRETLS", CAP(requiretls), want_tls, add_require_tls, NULL,
	                          0, { 0 }, "REQUIRETLS", false, false },
};
/* clang-format on */

const char *
smtp_ext_name(enum smtp_ext ext)
{
	return table[ext].name;
}

bool
smtp_ext_manner(enum smtp_ext ext)
{
	return table[ext].manner;
}

/* ---- what is said ---- */

void
smtp_ext_leave_out(struct smtp_caps *caps, unsigned without)
{
	for (unsigned ext = 0; ext < SMTP_EXT_COUNT; ext++)
		if ((without & SMTP_EXT_BIT(ext)) && table[ext].offered != NO_CAP)
			*(bool *)((char *)caps + table[ext].offered) = false;
}

unsigned
smtp_ext_used(const struct smtp_mail *mail, const struct smtp_caps *caps)
{
	unsigned ext, used = 0;

	for (ext = 0; ext < SMTP_EXT_COUNT; ext++)
		if (table[ext].wanted && *(const bool *)((const char *)caps + table[ext].offered) &&
		    table[ext].wanted(mail, caps))
			used |= SMTP_EXT_BIT(ext);
	return used;
}

void
smtp_ext_write_mail(const struct smtp_mail *mail, unsigned used, struct nd_buf *out)
{
	char wire[IDN_ADDRESS_SIZE];

	(void)nd_buf_adds(out, "MAIL FROM:<");
	(void)nd_buf_adds(out, idn_wire(mail->from, wire));
	(void)nd_buf_addc(out, '>');
	for (unsigned ext = 0; ext < SMTP_EXT_COUNT; ext++)
		if ((used & SMTP_EXT_BIT(ext)) && table[ext].on_mail)
			table[ext].on_mail(mail, out);
	(void)nd_buf_adds(out, "\r\n");
}

void
smtp_ext_write_rcpt(const char *address, unsigned used, struct nd_buf *out)
{
	char wire[IDN_ADDRESS_SIZE];

	address = idn_wire(address, wire);
	(void)nd_buf_adds(out, "RCPT TO:<");
	(void)nd_buf_adds(out, address);
	(void)nd_buf_addc(out, '>');
	for (unsigned ext = 0; ext < SMTP_EXT_COUNT; ext++)
		if ((used & SMTP_EXT_BIT(ext)) && table[ext].on_rcpt)
			table[ext].on_rcpt(address, out);
	(void)nd_buf_adds(out, "\r\n");
}

void
smtp_ext_xtext(const char *text, struct nd_buf *out)
{
	static const char digits[] = "0123456789ABCDEF";

	for (; *text; text++) {
		const unsigned char c = (unsigned char)*text;

		if (c >= 33 && c <= 126 && c != '+' && c != '=') {
			(void)nd_buf_addc(out, *text);
			continue;
		}
		(void)nd_buf_addc(out, '+');
		(void)nd_buf_addc(out, digits[c >> 4]);
		(void)nd_buf_addc(out, digits[c & 15]);
	}
}

/* ---- what is refused ---- */

static bool
speaks_of(const struct smtp_reply *reply, const char *words)
{
	char pattern[32];
	size_t len;

	for (; words && *words; words += len + (words[len] == ' ')) {
		len = strcspn(words, " ");
		(void)snprintf(pattern, sizeof(pattern), "*%.*s*", (int)len, words);
		if (nd_str_match(pattern, reply->text))
			return true;
	}
	return false;
}

/* 500, 501 and 553 are also said of an address: RFC 3463 has x.5.y for the protocol. Without such a code one to MAIL, whose address the account has sent
 * from before, counts; one to RCPT when its words are of parameters. */
static bool
accuses(const struct ext *ext, const struct smtp_reply *reply, enum smtp_stage stage)
{
	unsigned n = 0;

	while (n < CODES && ext->codes[n] != reply->code)
		n++;
	if (n == CODES || !(ext->stages & AT((unsigned)stage)))
		return false;
	if (ext->manner || reply->code == 504 || reply->code == 555 || speaks_of(reply, ext->words))
		return true;
	if (reply->code == 553 || ext->named)
		return false;
	if (reply->enhanced[0] != '\0')
		return nd_str_match("5.5.*", reply->enhanced);
	return stage == SMTP_AT_MAIL || speaks_of(reply, "parameter argument option line");
}

enum smtp_ext
smtp_ext_accused(const struct smtp_reply *reply, enum smtp_stage stage, unsigned used)
{
	enum smtp_ext found = SMTP_EXT_NONE;

	/* Without that the mail is not to go, so it is the mail that was refused. */
	if ((used & SMTP_EXT_BIT(SMTP_EXT_REQUIRETLS)) && speaks_of(reply, table[SMTP_EXT_REQUIRETLS].words))
		return SMTP_EXT_NONE;
	for (unsigned ext = 0; ext < SMTP_EXT_COUNT; ext++) {
		if (!(used & SMTP_EXT_BIT(ext)) || !accuses(&table[ext], reply, stage))
			continue;
		if (speaks_of(reply, table[ext].words))
			return (enum smtp_ext)ext;
		if (found == SMTP_EXT_NONE)
			found = (enum smtp_ext)ext;
	}
	return found;
}
