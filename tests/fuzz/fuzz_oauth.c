/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_oauth.c - whatever a token endpoint answers, it is a token that can be used, or a failure in words.
 *
 * The first octet chooses the HTTP status; the rest is the reply, and also what a saved token's file may hold.
 */
#include "common/str.h"
#include "daemon/core/oauth.h"
#include "tests/fuzz/fuzz.h"

#include <stdint.h>
#include <string.h>

static void
check_token(const struct nd_secret *token)
{
	must(token->len > 0 && token->len <= 12000 && token->octets[token->len] == '\0');
	must(nd_str_ascii(token->octets, token->len) && memchr(token->octets, ' ', token->len) == NULL);
}

static void
check_reply(int status, const char *body, size_t len)
{
	struct nd_secret secret = { 0 };
	struct oauth_reply reply;

	oauth_read(status, body, len, 7, NULL, &reply);
	if (reply.class == OAUTH_TOKEN) {
		must(status == 200);
		check_token(&reply.token);
		must(reply.life >= ND_SEC(1) && reply.life <= ND_DAY(1));
	} else {
		must(reply.token.octets == NULL && reply.why.text[0] != '\0');
		must(reply.retry_after == (reply.class == OAUTH_LATER ? ND_SEC(7) : 0));
		must(nd_str_utf8(reply.why.text, strlen(reply.why.text)));
		nd_secret_set(&secret, "refused", 7);
		oauth_reply_blame(&reply, &(struct conf_account){ .provider = CONF_MICROSOFT }, &secret);
		must(strstr(reply.why.text, "refused") == NULL);
		nd_secret_done(&secret);
	}
	oauth_reply_done(&reply);
}

static bool
alike(const struct nd_secret *one, const struct nd_secret *other)
{
	if (one->len > 0)
		check_token(one);
	return one->len == other->len && (one->len == 0 || memcmp(one->octets, other->octets, one->len) == 0);
}

/* 0, the time that is left out, cannot be written. */
static bool
writable(const struct oauth_saved *saved)
{
	return (saved->token.len == 0 || (saved->issued != 0 && saved->expires != 0)) &&
	       (saved->refresh_token.len == 0 || saved->refreshed != 0);
}

static void
check_saved(const char *octets, size_t len)
{
	struct oauth_saved saved = { 0 }, again = { 0 };
	struct nd_buf text;
	struct nd_why why;

	if (oauth_saved_read(octets, len, &saved, &why) != ND_OK) {
		must(why.text[0] != '\0');
		return;
	}
	nd_buf_init(&text, 1 << 20);
	oauth_saved_write(&saved, &text);
	if (writable(&saved)) {
		must(oauth_saved_read(nd_buf_text(&text), text.len, &again, &why) == ND_OK);
		must(alike(&saved.token, &again.token) && alike(&saved.refresh_token, &again.refresh_token) &&
		     alike(&saved.previous, &again.previous));
		must(strcmp(saved.identity, again.identity) == 0 && strcmp(saved.refused, again.refused) == 0);
	}
	nd_buf_wipe(&text);
	oauth_saved_done(&saved);
	oauth_saved_done(&again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *octets, size_t len)
{
	static const int statuses[] = { 200, 400, 401, 429, 503, 302, 204, 404 };

	if (len == 0)
		return 0;
	check_reply(statuses[octets[0] % 8], (const char *)octets + 1, len - 1);
	check_saved((const char *)octets + 1, len - 1);
	return 0;
}
