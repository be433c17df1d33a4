/* SPDX-License-Identifier: Apache-2.0 */
/* dialogue_inner.h - what dialogue.c (the steps) and dialogue_words.c (settings, expectations) share. */
#ifndef ND_TEST_DIALOGUE_INNER_H
#define ND_TEST_DIALOGUE_INNER_H

#include "common/buf.h"
#include "common/mem.h"
#include "daemon/core/smtp_proto.h"
#include "tests/unit/dialogue.h"

#define RCPT_MAX 16u
#define MAILS_MAX 24u
#define BUF_MAX ((size_t)16 * 1024 * 1024)

struct play_mail {
	char envid[128];
	bool require_tls;
	char from[320];
	char rcpts[RCPT_MAX][320];
	const char *rcpt_list[RCPT_MAX];
	struct smtp_rcpt_result results[RCPT_MAX];
	unsigned rcpt_count;
	struct nd_buf body;
	bool body_said;
	bool due;   /* it is to be given when the session is ready, or has room */
	bool ahead; /* beside the one before */
	bool content_given, begun;
	bool have_outcome, outcome_told, uncertain_told, unharmed_told, stale_told, misfit_told, accused_told;
	struct smtp_outcome outcome;
};

struct play {
	const char *path;
	unsigned line;
	char *complaint;
	bool failed, over;
	size_t slice;

	struct smtp_settings settings;
	struct nd_secret secret;
	char user[256], ehlo[256], host[256];
	char mechanism[32];
	enum smtp_pace pace;
	bool trial, eight;
	unsigned without;
	struct play_mail mails[MAILS_MAX];
	struct play_mail *mail; /* the one that is described, or was begun last */
	struct play_mail *next; /* the one that ends next */
	struct play_mail *of;   /* the one an expectation is about */

	struct smtp_proto *proto;
	nd_ms now;
	struct nd_buf server; /* what the server sends in a row */
	struct nd_buf said;   /* what the client has sent and no step has taken */
	bool secret_said;     /* the last of it was marked as secret */

	bool fault_told, refused_told;

	bool breaking; /* dialogue_break */
	enum dialogue_cut how;
	size_t break_after, fed;
};

/* The first complaint counts, and ends the play. */
void dialogue_complain(struct play *p, const char *format, ...) ND_PRINTF(2, 3);
void dialogue_set_text(struct play *p, char *out, size_t size, const char *value);
/* One line of settings. */
void dialogue_set(struct play *p, const char *name, const char *value);
/* The line of the client with its names filled in; {any} becomes '\1'. Returns whether it carries a secret. */
bool dialogue_expand(struct play *p, const char *text, struct nd_buf *out);
bool dialogue_matches(const char *pattern, const char *text, size_t len);
/* One line of expectations, without its "= "; at the end of its mails; at the end of the file. */
void dialogue_expect(struct play *p, char *line);
void dialogue_check_marks(struct play *p);
void dialogue_check_end(struct play *p);

#endif
