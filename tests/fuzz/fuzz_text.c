/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_text.c - any octets for the readers of small texts: addresses, lists, times, spans, sizes, codes, ids, patterns. */
#include "common/idn.h"
#include "common/stamp.h"
#include "common/str.h"
#include "common/ulid.h"
#include "tests/fuzz/fuzz.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static void
check_box(const char *text, size_t len)
{
	char wire[IDN_ADDRESS_SIZE], ascii[IDN_ADDRESS_SIZE];
	struct nd_mailbox box, again;
	struct nd_why why;

	if (nd_str_mailbox(text, len, &box, &why) != ND_OK) {
		must(why.text[0] != '\0' && nd_str_utf8(why.text, strlen(why.text)));
		return;
	}
	must(nd_str_utf8(box.address, strlen(box.address)) && !nd_str_has_control(box.address, strlen(box.address)));
	must(strlen(box.address) <= 64 + 1 + 255 && nd_str_domain(box.address)[0] != '\0');
	must(box.name == NULL ||
	     (nd_str_utf8(box.name, strlen(box.name)) && !nd_str_has_control(box.name, strlen(box.name))));
	/* An address is a mailbox by itself, and the same one. */
	must(nd_str_mailbox(box.address, strlen(box.address), &again, &why) == ND_OK);
	must(strcmp(again.address, box.address) == 0 && again.name == NULL);
	if (idn_address(box.address, ascii, &why) == ND_OK) {
		const char *said = idn_wire(box.address, wire), *domain = nd_str_domain(ascii);

		must(nd_str_ascii(domain, strlen(domain)) && idn_same_address(ascii, box.address));
		must(idn_local(said) ? nd_str_utf8(said, strlen(said)) : nd_str_ascii(said, strlen(said)));
		must(idn_same_address(said, box.address));
	} else {
		must(why.text[0] != '\0' && nd_str_utf8(why.text, strlen(why.text)));
	}
	nd_mailbox_done(&again);
	nd_mailbox_done(&box);
}

static void
check_list(const char *text)
{
	const char *rest = text, *end = text + strlen(text), *start, *before = text;
	size_t len;

	while (nd_str_list_next(&rest, &start, &len)) {
		must(len > 0 && start >= before && start + len <= end && rest <= end && rest >= start + len);
		before = rest;
		check_box(start, len);
	}
}

/* What was encoded is decoded to the same; what is decoded can be encoded. */
static void
check_codes(const char *octets, size_t len)
{
	struct nd_buf coded, back;

	nd_buf_init(&coded, 4 * len + 16);
	nd_buf_init(&back, 4 * len + 16);
	must(nd_str_base64(&coded, octets, len) && nd_str_unbase64(&back, nd_buf_text(&coded), coded.len, false));
	must(back.len == len && (len == 0 || memcmp(back.octets, octets, len) == 0));
	nd_buf_clear(&coded);
	nd_buf_clear(&back);
	must(nd_str_percent(&coded, octets, len));
	must(coded.len == 0 || nd_str_ascii(coded.octets, coded.len));
	if (nd_str_unpercent(&back, nd_buf_text(&coded), coded.len, true))
		must(back.len == len && (len == 0 || memcmp(back.octets, octets, len) == 0));
	else
		must(memchr(octets, '\0', len) != NULL);
	nd_buf_clear(&back);
	if (nd_str_unbase64(&back, octets, len, true))
		must(back.len <= len / 4 * 3 + 3);
	must(nd_str_unbase64(NULL, octets, len, false) <= nd_str_unbase64(NULL, octets, len, true));
	nd_buf_clear(&back);
	if (nd_str_unpercent(&back, octets, len, false))
		must(back.len <= len && (back.len == 0 || memchr(back.octets, '\0', back.len) == NULL));
	nd_buf_done(&coded);
	nd_buf_done(&back);
}

static void
check_times(const char *text)
{
	char out[ND_STAMP_SIZE];
	nd_unix when, again;
	nd_ms span;
	int64_t n;
	bool yes;

	if (nd_stamp_read(text, &when)) {
		must(nd_stamp_rfc3339(when, out) == out && nd_stamp_read(out, &again) && again == when);
		must(nd_stamp_rfc5322(when, out) == out && out[0] != '\0');
	}
	if (nd_str_duration(text, &span))
		must(span >= 0 && nd_stamp_span(span, out) == out);
	if (nd_str_size(text, &n))
		must(n >= 0);
	if (nd_str_int(text, -5, 1000, &n))
		must(n >= -5 && n <= 1000);
	(void)nd_str_bool(text, &yes);
}

static void
check_words(const char *text, size_t len)
{
	static const char *const words[] = { "severity", "subject", "expires_in", "not_before", NULL };
	char id[ND_ULID_LEN + 1];
	const char *half = text + len / 2;

	if (nd_ulid_tail(text, id))
		must(strlen(id) >= 6 && strlen(id) <= ND_ULID_LEN);
	if (nd_ulid_valid(text))
		must(nd_ulid_time(text) >= 0 && nd_ulid_tail(text, id) && strcmp(id, text) == 0);
	must(nd_str_match("*", text) &&
	     (strchr(text, '*') != NULL || strchr(text, '?') != NULL || nd_str_match(text, text)));
	(void)nd_str_match(half, text);
	(void)nd_str_nearest(text, words);
	must(nd_str_distance(text, text, 3) == (len <= 64 ? 0 : 4)); /* longer ones are not compared */
	must(nd_str_utf8_cut(text, len, len / 2) <= len / 2);
	must(nd_str_eq_nocase(text, text) && nd_str_starts_nocase(text, text));
}

int
LLVMFuzzerTestOneInput(const uint8_t *octets, size_t len)
{
	char *text;

	if (len > 4096) /* all of them are short */
		return 0;
	text = malloc(len + 1);
	must(text != NULL);
	memcpy(text, octets, len);
	text[len] = '\0';
	check_codes(text, len);
	check_box(text, len);
	check_list(text);
	check_times(text);
	check_words(text, strlen(text));
	free(text);
	return 0;
}
