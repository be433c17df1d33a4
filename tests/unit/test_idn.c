/* SPDX-License-Identifier: Apache-2.0 */
/* test_idn.c - tests of domains of all scripts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/idn.h"
#include "common/str.h"

#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define JOINER "\xe2\x80\x8d"
#define ALEF "\xd7\x90"

static void
domains_are_converted_as_idna2008_says(void **state)
{
	static const struct {
		const char *written, *ascii;
	} rows[] = {
		{ "Example.COM", "example.com" },
		{ "web01", "web01" },
		{ "a_b.example", "a_b.example" },
		{ "[192.0.2.1]", "[192.0.2.1]" },
		{ "[IPv6:2001:DB8::1]", "[ipv6:2001:db8::1]" },
		{ "müller.example", "xn--mller-kva.example" },
		{ "MÜLLER.example", "xn--mller-kva.example" },
		{ "u\xcc\x88.example", "xn--tda.example" }, /* u and a combining diaeresis */
		{ "例え.jp", "xn--r8jz45g.jp" },
		{ "例え。jp", "xn--r8jz45g.jp" },
		{ "faß.de", "xn--fa-hia.de" }, /* not fass.de: nontransitional */
		{ "ａ１.müller.example", "a1.xn--mller-kva.example" },
		{ "xn--mller-kva.müller.example", "xn--mller-kva.xn--mller-kva.example" },
		{ "a_b.müller.example", "a_b.xn--mller-kva.example" },
		{ ALEF "1.example", "xn--1-zhc.example" },
		{ "क्" JOINER "ष.example", "xn--11b2ezcw70k.example" },
		{ "xn--i-7iq.ws",
		    "xn--i-7iq.ws" }, /* no name of IDNA2008, but registered: its owner is taken at his word */
		{ "日本語日本語日本語日本語日本語日本語日本語日本語日本語日本語日本語日本語.jp",
		    "xn--wgvaaaaaaaaaaa453bbabbbbbbbbbb2497tcacccccccccc.jp" },
	};
	char out[IDN_DOMAIN_SIZE];
	struct nd_why why;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		if (idn_domain(rows[i].written, out, &why) != ND_OK)
			fail_msg("%s was refused: %s", rows[i].written, why.text);
		assert_string_equal(out, rows[i].ascii);
	}
}

static void
what_is_no_domain_is_refused_and_says_why(void **state)
{
	static const struct {
		const char *written, *words;
	} rows[] = {
		{ "\xff.example", "not valid UTF-8" },
		{ "ü\xed\xa0\x80.example", "not valid UTF-8" },
		{ "i❤.ws", "disallowed" },
		{ "😀.example", "disallowed" },
		{ "⒈.ü.example", "disallowed" },
		{ "-ü.example", "hyphen" },
		{ "ü-.example", "hyphen" },
		{ "ab--ü.example", "hyphens" },
		{ "\xcc\x81ü.example", "combining" },
		{ "a" JOINER "b.ü.example", "context-j" },
		{ ALEF "a.example", "bi-directional" },
		{ "1" ALEF ".example", "bi-directional" },
		{ "ü..example", "a label is empty" },
		{ ".ü.example", "a label is empty" },
		{ "ü.example.", "a label is empty" },
		{ "／.ü.example", "a character that no name may have" }, /* full-width: becomes '/' */
		{ "＠.ü.example", "a character that no name may have" },
		{ "xn--zzzzzz-.ü.example", "punycode" },
	};
	char out[IDN_DOMAIN_SIZE] = "untouched";
	struct nd_why why;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		if (idn_domain(rows[i].written, out, &why) != ND_EINVALID)
			fail_msg("%s was taken as %s", rows[i].written, out);
		if (!strstr(why.text, rows[i].words))
			fail_msg("%s: %s", rows[i].written, why.text);
		assert_true(nd_str_utf8(why.text, strlen(why.text)));
		assert_string_equal(out, "untouched");
	}
	assert_int_equal(idn_domain("i❤.ws", out, NULL), ND_EINVALID);
}

/* A label of ä grows by what its ASCII form needs; what counts is that form. */
static void
limits_are_those_of_the_ascii_form(void **state)
{
	char written[600] = "ü", out[IDN_DOMAIN_SIZE];
	struct nd_why why;
	size_t len, taken = 0;

	(void)state;
	memset(written + 2, 'a', 80);
	for (len = 1; len < 80; len++) {
		written[2 + len] = '\0';
		if (idn_domain(written, out, &why) != ND_OK)
			break;
		taken = strlen(out);
		written[2 + len] = 'a';
	}
	assert_int_equal(taken, 63);
	/* 253 octets are a name, 254 are none: 4 labels of 62 and their dots, one of 1, and the xn-- form of ü (7). */
	(void)memcpy(written, "ü.", 4);
	memset(written + 3, 'a', 253);
	for (len = 0; len < 4; len++)
		written[3 + 61 + 62 * len] = '.';
	written[3 + 253 - 8] = '\0';
	assert_int_equal(idn_domain(written, out, &why), ND_OK);
	assert_int_equal(strlen(out), 253);
	written[3 + 253 - 8] = 'a';
	written[3 + 254 - 8] = '\0';
	assert_int_equal(idn_domain(written, out, &why), ND_EINVALID);
	/* ASCII is not judged, but for its room. */
	memset(written, 'a', 300);
	written[255] = '\0';
	assert_int_equal(idn_domain(written, out, &why), ND_OK);
	written[255] = 'a';
	written[256] = '\0';
	assert_int_equal(idn_domain(written, out, &why), ND_EINVALID);
}

static void
addresses_keep_their_local_part(void **state)
{
	char out[IDN_ADDRESS_SIZE];
	struct nd_why why;

	(void)state;
	assert_int_equal(idn_address("Ops@MÜLLER.example", out, &why), ND_OK);
	assert_string_equal(out, "Ops@xn--mller-kva.example");
	assert_int_equal(idn_address("\"a@ü\"@Example.com", out, &why), ND_OK);
	assert_string_equal(out, "\"a@ü\"@example.com");
	assert_int_equal(idn_address("Größe@müller.example", out, &why), ND_OK);
	assert_string_equal(out, "Größe@xn--mller-kva.example");
	assert_int_equal(idn_address("ops", out, &why), ND_EINVALID);
	assert_int_equal(idn_address("ops@i❤.ws", out, &why), ND_EINVALID);
	assert_non_null(strstr(why.text, "i❤.ws"));
	assert_non_null(strstr(why.hint, "xn--"));
	assert_true(idn_local("größe@example.com"));
	assert_false(idn_local("ops@müller.example"));
	assert_true(idn_local("größe"));
}

static void
on_the_wire_an_address_is_all_ascii_or_all_utf8(void **state)
{
	char out[IDN_ADDRESS_SIZE];

	(void)state;
	assert_string_equal(idn_wire("Ops@Example.com", out), "Ops@Example.com");
	assert_string_equal(idn_wire("ops@müller.example", out), "ops@xn--mller-kva.example");
	assert_string_equal(idn_wire("größe@example.com", out), "größe@example.com");
	assert_string_equal(idn_wire("größe@MÜLLER。example", out), "größe@müller.example");
	assert_string_equal(idn_wire("größe@xn--mller-kva.example", out), "größe@xn--mller-kva.example");
	assert_string_equal(idn_wire("ops@i❤.ws", out), "ops@i❤.ws");
	assert_string_equal(idn_wire("", out), "");
	assert_string_equal(idn_host("smtp.müller.example", out), "smtp.xn--mller-kva.example");
	assert_string_equal(idn_host("192.0.2.1", out), "192.0.2.1");
	assert_string_equal(idn_host("i❤.ws", out), "i❤.ws");
}

static void
a_mailbox_written_two_ways_is_one(void **state)
{
	(void)state;
	assert_true(idn_same_address("ops@müller.example", "ops@xn--mller-kva.example"));
	assert_true(idn_same_address("ops@XN--MLLER-KVA.example", "Ops@MÜLLER.Example"));
	assert_true(idn_same_address("ops@example.com", "OPS@EXAMPLE.com"));
	assert_false(idn_same_address("ops@müller.example", "ops@muller.example"));
	assert_false(idn_same_address("ops@müller.example", "op@müller.example"));
	assert_false(idn_same_address("ops@faß.de", "ops@fass.de"));
	assert_true(idn_same_domain("例え。jp", "例え.JP"));
	assert_false(idn_same_domain("i❤.ws", "i.ws"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(domains_are_converted_as_idna2008_says),
		cmocka_unit_test(what_is_no_domain_is_refused_and_says_why),
		cmocka_unit_test(limits_are_those_of_the_ascii_form),
		cmocka_unit_test(addresses_keep_their_local_part),
		cmocka_unit_test(on_the_wire_an_address_is_all_ascii_or_all_utf8),
		cmocka_unit_test(a_mailbox_written_two_ways_is_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
