/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_smtp.c - what a server may send, against smtp_proto.
 *
 * Octet 0: bits 0-1 security, 2-3 sign-in, 4 the connection ends by silence, 5 on a loopback address,
 * 6-7 how mails are said. Octet 1: the length of slices (0 all at
 * once). The rest is what the server sends. Whatever it is, the session must end, no mail may count as delivered that was not sent whole, and what was refused
 * and is left out is not blamed again.
 */
#include "common/mem.h"
#include "daemon/core/smtp_ext.h"
#include "daemon/core/smtp_proto.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define MAILS 3u
#define BESIDE 4u /* more, while others are under way */
#define RCPTS 2u

/* Not assert(): it must hold in every build. */
#define MUST(claim)                                                                                                    \
	do {                                                                                                           \
		if (!(claim))                                                                                          \
			abort();                                                                                       \
	} while (0)

struct world {
	struct smtp_settings settings;
	struct smtp_proto *proto;
	nd_ms now;
	unsigned mails, ended;
	enum smtp_pace pace;
	bool whole[MAILS + BESIDE]; /* the content of the mail was given to its end */
	bool tls;
	unsigned without;                  /* the extensions that were refused so far */
	unsigned left_out[MAILS + BESIDE]; /* so many bits of them for each mail */
	struct smtp_rcpt_result results[MAILS + BESIDE][RCPTS];
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
take_output(struct world *w)
{
	bool secret;
	struct nd_buf *out = smtp_proto_output(w->proto, &secret);

	MUST(!secret || w->tls || (w->settings.auth == SMTP_AUTH_PASSWORD && w->settings.loopback));
	MUST(!out->failed && out->len < 65536);
	nd_buf_drop(out, out->len);
}

static void
check_outcome(const struct world *w, unsigned mail, const struct smtp_outcome *outcome)
{
	const struct smtp_rcpt_result *results = w->results[mail];
	const bool at_end = outcome->stage == SMTP_AT_END;

	MUST(mail < w->mails && (!at_end || w->whole[mail]));
	MUST(outcome->uncertain == (outcome->end == SMTP_ENDED_LOST && at_end));
	MUST(!outcome->unharmed || (outcome->end == SMTP_ENDED_LOST && !outcome->uncertain));
	MUST(!outcome->stale ||
	     (outcome->end == SMTP_ENDED_LOST && !outcome->uncertain && !outcome->unharmed && !results[0].asked));
	MUST(!outcome->misfit || (outcome->end == SMTP_ENDED_REPLY && outcome->accused != SMTP_EXT_NONE));
	MUST(outcome->pace <= w->pace);
	MUST(outcome->end != SMTP_ENDED_REPLY || outcome->reply.code >= 400 || (at_end && outcome->reply.code < 300));
	MUST(outcome->accused == SMTP_EXT_NONE || !(w->left_out[mail] & SMTP_EXT_BIT(outcome->accused)));
	for (unsigned n = 0; n < RCPTS; n++) {
		MUST(!results[n].asked || results[n].reply.code / 100 != 3);
		MUST(!results[n].misfit || (results[n].asked && results[n].reply.code >= 400));
	}
}

static void
give_mail(struct world *w, bool beside)
{
	static const char *const rcpts[RCPTS] = { "a@example.com", "gr\xc3\xb6\xc3\x9f"
								   "e@example.com" };
	const bool no_flight = (w->without & SMTP_EXT_BIT(SMTP_EXT_FLIGHT)) != 0; /* as smtp_habits has it */
	const struct smtp_mail mail = {
		.from = "x@example.com",
		.rcpts = rcpts,
		.rcpt_count = RCPTS,
		.results = w->results[w->mails],
		.size = 22,
		.envid = "JOB",
		.eight = true,
		.utf8 = w->mails % 2 == 1,
		.require_tls = w->mails == 2,
		.author = "x@example.com",
		.without = w->without,
		.pace = no_flight && w->pace == SMTP_ONE_FLIGHT ? SMTP_CHUNKED : w->pace,
	};

	if (beside && (no_flight || !smtp_proto_room(w->proto, &mail)))
		return;
	w->left_out[w->mails] = w->without;
	w->whole[w->mails++] = beside;
	if (beside)
		smtp_proto_ahead(w->proto, &mail, "Subject: x\r\n\r\n.hidden\n", 22, w->now);
	else
		smtp_proto_mail(w->proto, &mail, w->now);
	take_output(w);
}

/* Does what the machine wishes until it waits for the server. */
static void
obey(struct world *w)
{
	struct smtp_outcome outcome;

	for (;;) {
		take_output(w);
		switch (smtp_proto_wish(w->proto)) {
		case SMTP_WISH_TLS:
			w->tls = true;
			smtp_proto_tls_up(w->proto, w->now);
			break;
		case SMTP_WISH_PROOF:
			MUST(smtp_proto_question(w->proto)->text_len > 0);
			smtp_proto_answer(w->proto, &(struct smtp_answer){ .proof = { 0 } }, NULL, w->now);
			break;
		case SMTP_WISH_CONTENT:
			smtp_proto_content(w->proto, "Subject: x\r\n\r\n", 14, false, w->now);
			take_output(w);
			w->whole[w->mails - 1] = true;
			smtp_proto_content(w->proto, ".hidden\n", 8, true, w->now);
			break;
		case SMTP_WISH_RESULT:
			smtp_proto_result(w->proto, &outcome);
			check_outcome(w, w->ended++, &outcome);
			w->without |= SMTP_EXT_BIT(outcome.accused);
			break;
		case SMTP_WISH_MAIL:
			if (w->mails == MAILS - 1)
				w->now += ND_SEC(6); /* the last one after a pause */
			if (w->mails < MAILS)
				give_mail(w, false);
			else
				smtp_proto_quit(w->proto, w->now);
			break;
		case SMTP_WISH_READ:
			if (w->mails < MAILS + BESIDE)
				give_mail(w, true);
			MUST(smtp_proto_deadline(w->proto) != ND_NEVER);
			return;
		case SMTP_WISH_CLOSE:
			MUST(smtp_proto_deadline(w->proto) == ND_NEVER && w->ended == w->mails);
			return;
		}
	}
}

static void
end(struct world *w, bool silence)
{
	struct nd_why why;

	(void)nd_fail(&why, ND_ECLOSED, 0, "the connection was closed");
	if (smtp_proto_wish(w->proto) == SMTP_WISH_READ && silence) {
		w->now = smtp_proto_deadline(w->proto);
		smtp_proto_late(w->proto, w->now);
	} else {
		smtp_proto_lost(w->proto, &why, w->now);
	}
	obey(w);
	MUST(smtp_proto_wish(w->proto) == SMTP_WISH_CLOSE);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct nd_secret secret = { 0 };
	struct world w = { .settings = { .ehlo = "host.example", .host = "relay.example", .user = "u@example.com" } };
	size_t slice;

	if (size < 2)
		return 0;
	nd_secret_set(&secret, "secret", 6);
	w.settings.security = (enum smtp_security)((data[0] & 3u) % 3);
	w.settings.nonce = "nonce";
	w.settings.auth = (enum smtp_auth)((data[0] >> 2 & 3u) % 3);
	w.settings.loopback = (data[0] & 32u) != 0;
	w.settings.secret = &secret;
	w.pace = (enum smtp_pace)(data[0] >> 6);
	w.tls = w.settings.security == SMTP_TLS;
	w.proto = smtp_proto_new(&w.settings, 0);
	slice = data[1] > 0 ? data[1] : size;
	for (size_t at = 2; at < size; at += slice) {
		w.now += 10;
		smtp_proto_input(w.proto, (const char *)data + at, slice < size - at ? slice : size - at, w.now);
		obey(&w);
	}
	end(&w, (data[0] & 16u) != 0);
	smtp_proto_free(w.proto);
	nd_secret_done(&secret);
	return 0;
}
