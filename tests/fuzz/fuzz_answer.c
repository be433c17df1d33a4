/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_answer.c - whatever the client reads on its socket is an answer or refused, and the same in any slices.
 *
 * Octet 0: the length of slices (0 all at once). The rest is what came.
 */
#include "client/http.h"
#include "common/str.h"
#include "tests/fuzz/fuzz.h"

#include <stdint.h>
#include <string.h>

static enum nd_err
read_all(const char *octets, size_t len, size_t slice, struct link_reply *reply, bool *complete)
{
	enum nd_err err = ND_OK;
	struct http http;
	struct nd_why why;

	*reply = (struct link_reply){ 0 };
	nd_buf_init(&reply->body, HTTP_MAX_BODY);
	http_init(&http);
	for (size_t at = 0; err == ND_OK && at < len && http.stage != HTTP_COMPLETE; at += slice) {
		must(nd_buf_add(&http.in, octets + at, slice < len - at ? slice : len - at));
		err = http_read(&http, reply, false, &why);
		must(http.at == 0 && (err == ND_OK || why.text[0] != '\0'));
	}
	if (err == ND_OK)
		err = http_read(&http, reply, true, &why);
	*complete = http.stage == HTTP_COMPLETE;
	must(!*complete || (reply->status >= 100 && reply->status <= 999));
	must(reply->body.len <= len && strlen(reply->type) < sizeof(reply->type));
	http_done(&http);
	return err;
}

int
LLVMFuzzerTestOneInput(const uint8_t *octets, size_t len)
{
	struct link_reply whole, sliced;
	bool complete, again;
	enum nd_err err;

	if (len < 2 || len > 1u << 16)
		return 0;
	err = read_all((const char *)octets + 1, len - 1, len, &whole, &complete);
	if (err == ND_OK && octets[0] != 0) {
		must(read_all((const char *)octets + 1, len - 1, octets[0], &sliced, &again) == ND_OK);
		must(again == complete && sliced.status == whole.status && strcmp(sliced.type, whole.type) == 0);
		must(sliced.body.len == whole.body.len &&
		     (whole.body.len == 0 || memcmp(sliced.body.octets, whole.body.octets, whole.body.len) == 0));
		nd_buf_done(&sliced.body);
	}
	nd_buf_done(&whole.body);
	return 0;
}
