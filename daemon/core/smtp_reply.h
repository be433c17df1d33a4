/* SPDX-License-Identifier: Apache-2.0 */
/* smtp_reply.h - one SMTP reply: octets => code, enhanced code, text, capabilities.  Layer: core.  Pure.
 *
 * RFC 5321 4.2 with the tolerance the world needs: a bare code without text, LF without CR. Bounded: 4 KiB a line, 64 lines, 64 KiB in all.
 */
#ifndef ND_CORE_SMTP_REPLY_H
#define ND_CORE_SMTP_REPLY_H

#include "common/buf.h"

#include <stdbool.h>
#include <stdint.h>

#define SMTP_REPLY_TEXT 512

struct smtp_reply {
	int code;                   /* 200-599 */
	char enhanced[12];          /* "5.7.3" or "" (RFC 3463) */
	char text[SMTP_REPLY_TEXT]; /* all lines joined by one space, enhanced code taken off; printable UTF-8, cut */
	unsigned lines;
};

/* What EHLO told (RFC 5321 4.1.1.1). */
struct smtp_caps {
	bool starttls, pipelining, chunking, eightbitmime, smtputf8, dsn, size, enhanced, requiretls;
	bool auth_plain, auth_login, auth_xoauth2, auth_oauthbearer, auth_scram_sha256, auth_cram_md5;
	uint64_t size_max; /* 0 unknown */
	/* LIMITS (RFC 9422): of a transaction recipients, and domains of these; of a session transactions. 0 unknown */
	unsigned rcpt_max, rcpt_domain_max, mail_max;
	char auth[96]; /* the mechanisms as offered, for messages; "" none */
};

/* Looks for one complete reply at the start of `octets`. Returns the octets it took; 0: not complete yet; -1: malformed or over a limit. `caps` (may be
 * NULL) is filled from the lines of an EHLO reply. */
long smtp_reply_read(const char *octets, size_t len, struct smtp_reply *reply, struct smtp_caps *caps);

/* A peer's octets made fit to be shown: printable UTF-8, anything else becomes '?', white space one space; cut to `size` with its NUL. */
void smtp_reply_clean(char *out, size_t size, const char *octets, size_t len);

#endif
