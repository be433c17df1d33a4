/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_proxy.c - whatever a proxy answers, the way stands, is refused in words, or more is awaited; split or whole makes no difference.
 *
 * The first octet chooses the kind of proxy and where the reply is split.
 */
#include "common/str.h"
#include "daemon/core/proxy_talk.h"
#include "tests/fuzz/fuzz.h"

#include <stdint.h>
#include <string.h>

static size_t
hear(struct proxy_talk *talk, const char *octets, size_t len)
{
	const size_t used = proxy_talk_input(talk, octets, len);

	must(used <= len && talk->out_len <= sizeof(talk->out));
	must(used == len || talk->state != PROXY_TALK_ASKING);
	must((talk->state == PROXY_TALK_REFUSED) == (talk->why.err != ND_OK));
	if (talk->state == PROXY_TALK_REFUSED)
		must(talk->why.text[0] != '\0' && nd_str_utf8(talk->why.text, strlen(talk->why.text)));
	return used;
}

int
LLVMFuzzerTestOneInput(const uint8_t *octets, size_t len)
{
	const struct proxy_talk_goal goal = { .host = "smtp.contoso.example", .port = 587 };
	struct proxy_talk whole, split;
	enum proxy_talk_kind kind;
	const char *reply;
	size_t at, used;

	if (len < 1 || len > 4 * PROXY_TALK_MAX)
		return 0;
	kind = octets[0] & 1 ? PROXY_TALK_SOCKS5 : PROXY_TALK_CONNECT;
	reply = (const char *)octets + 1;
	at = (size_t)(octets[0] >> 1) % len; /* len - 1 octets of reply */
	proxy_talk_init(&whole, kind, &goal);
	proxy_talk_init(&split, kind, &goal);
	used = hear(&split, reply, at);
	if (used == at)
		used += hear(&split, reply + at, len - 1 - at);
	must(hear(&whole, reply, len - 1) == used && whole.state == split.state);
	must(strcmp(whole.why.text, split.why.text) == 0);
	return 0;
}
