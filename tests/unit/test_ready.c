/* SPDX-License-Identifier: Apache-2.0 */
/* test_ready.c - messages that somebody else composed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/job.h"
#include "common/mem.h"
#include "daemon/core/ready.h"

#include <stdlib.h>
#include <string.h>

#define ID "01ARYZ6S43ABCDEFGHJKMNPQRS"
#define DATE "Date: Sat, 21 Nov 2026 08:00:00 +0000\r\n"
#define MSGID "Message-ID: <" ID "@h.example>\r\n"
#define MIME "MIME-Version: 1.0\r\n"
#define NOBODY "To: undisclosed-recipients:;\r\n"
#define CREATED 1795248000000

static struct nd_why why;
static struct nd_buf out;

/* In memory of its own, so that reading past the end is seen. */
static char *octets;

static enum nd_err
look(struct ready *ready, const char *text, size_t len)
{
	free(octets);
	octets = malloc(len > 0 ? len : 1);
	memcpy(octets, text, len);
	return ready_read(ready, octets, len, &why);
}

static void
looked(struct ready *ready, const char *text)
{
	if (look(ready, text, strlen(text)) != ND_OK)
		fail_msg("%s", why.text);
}

static void
becomes(const char *text, const char *wanted)
{
	struct ready ready;

	looked(&ready, text);
	nd_buf_clear(&out);
	assert_int_equal(ready_write(&ready, ID, CREATED, "h.example", &out, &why), ND_OK);
	assert_string_equal(nd_buf_text(&out), wanted);
	ready_done(&ready);
}

static void
what_is_missing_is_added(void **state)
{
	(void)state;
	becomes("Subject: x\r\n\r\ntext\r\n", DATE MSGID MIME NOBODY "Subject: x\r\n\r\ntext\r\n");
	becomes("\ntext", DATE MSGID MIME NOBODY "\r\ntext\r\n");
	becomes("date: d\r\nMESSAGE-ID: <m>\r\nMime-Version: 1.0\r\ncc: a@b.c\r\n\r\n",
	    "date: d\r\nMESSAGE-ID: <m>\r\nMime-Version: 1.0\r\ncc: a@b.c\r\n\r\n");
}

static void
a_message_without_a_body_gets_its_empty_line(void **state)
{
	(void)state;
	becomes("To: a@b.c\nSubject: x", DATE MSGID MIME "To: a@b.c\r\nSubject: x\r\n\r\n");
}

static void
senders_and_hidden_readers_leave_the_header(void **state)
{
	(void)state;
	becomes("From root Sat Nov 21\nReturn-Path: <r@b.c>\nFrom: a@b.c\nSender: s@b.c\nTo: t@b.c\nBcc: h@b.c,\n "
		"i@b.c\nresent-bcc: k@b.c\n"
		"X-Bcc: stays\n\nBcc: body\n",
	    DATE MSGID MIME "To: t@b.c\r\nX-Bcc: stays\r\n\r\nBcc: body\r\n");
	becomes("To: t@b.c\nBcc : h@b.c\n\n", DATE MSGID MIME "To: t@b.c\r\n\r\n");
}

static void
every_line_ends_with_crlf(void **state)
{
	(void)state;
	becomes("To: t@b.c\rSubject: a\n b\r\n\tc\r\n\r\n1\n\n2\r3\r\r4\r\n.\r\n",
	    DATE MSGID MIME "To: t@b.c\r\nSubject: a\r\n b\r\n\tc\r\n\r\n1\r\n\r\n2\r\n3\r\n\r\n4\r\n.\r\n");
}

/* A CR alone ends a line here as for any relay that reads it so: nobody finds a Bcc that we did not. */
static void
a_cr_alone_hides_no_field(void **state)
{
	(void)state;
	becomes("To: t@b.c\rBcc: h@b.c\r\rtext", DATE MSGID MIME "To: t@b.c\r\n\r\ntext\r\n");
}

static void
facts_are_unfolded(void **state)
{
	struct ready ready;

	(void)state;
	looked(&ready, "From: \"N, I\"\r\n <a@b.c> \r\nSubject:\r\n two\r\n\tlines\r\nReply-To: r@b.c\r\nFrom: "
		       "second@b.c\r\n\r\n");
	assert_string_equal(ready.from, "\"N, I\" <a@b.c>");
	assert_string_equal(ready.subject, "two lines");
	assert_true(ready.has_reply_to);
	assert_false(ready.has_date);
	ready_done(&ready);
}

static void
is_refused(const char *text, size_t len, unsigned line)
{
	struct ready ready = { .len = 77 };

	assert_int_equal(look(&ready, text, len), ND_EINVALID);
	assert_int_equal(why.line, line);
	assert_int_equal(ready.len, 77);
}

static void
what_cannot_be_a_message_is_refused_with_its_line(void **state)
{
	char longest[1100];

	(void)state;
	is_refused("", 0, 0);
	is_refused("hello world\n", 12, 1);
	is_refused("Subject: x\nhello world\n\n", 24, 2);
	is_refused(" folded: x\n\n", 12, 1);
	is_refused(": x\n\n", 5, 1);
	is_refused("Sub ject: x\n\n", 13, 1);
	is_refused("S\xc3\xa4: x\n\n", 8, 1);
	is_refused("Subject: x\n\na\0b\n", 16, 3);
	is_refused("Sub\0ject: x\n\n", 13, 1);
	memset(longest, 'a', sizeof(longest));
	longest[0] = longest[999] = '\n';
	becomes("\na\n", DATE MSGID MIME NOBODY "\r\na\r\n");
	{
		struct ready ready;

		assert_int_equal(look(&ready, longest, 1000), ND_OK);
		ready_done(&ready);
	}
	longest[999] = 'a';
	is_refused(longest, 1000, 2);
}

/* --- recipients --- */

static enum nd_err
addresses(const char *text)
{
	struct json_out json;
	unsigned count = 0;
	enum nd_err err;

	nd_buf_clear(&out);
	json_out_init(&json, &out);
	json_out_array(&json, NULL);
	err = ready_rcpts("To", text, &json, &count, &why);
	json_out_array_end(&json);
	return err;
}

static void
the_addresses_of_a_field_are_found(void **state)
{
	static const char *const rows[][2] = {
		{ "", "[]" },
		{ "a@b.c", "[\"a@b.c\"]" },
		{ "a@b.c, d@e.f ,,", "[\"a@b.c\",\"d@e.f\"]" },
		{ "A B <a@b.c>, \"C, D <x@y.z>\" <d@e.f>", "[\"a@b.c\",\"d@e.f\"]" },
		{ "\"a, b\"@c.d", "[\"\\\"a, b\\\"@c.d\"]" },
		{ "\"q\\\",\" <a@b.c>", "[\"a@b.c\"]" },
		{ "a@b.c (comment, with (another, <x@y.z>) and \\) ), d@e.f", "[\"a@b.c\",\"d@e.f\"]" },
		{ "undisclosed-recipients:;", "[]" },
		{ "Team: a@b.c, D <d@e.f>;, g@h.i", "[\"a@b.c\",\"d@e.f\",\"g@h.i\"]" },
		{ "<@r.x,@s.x:a@b.c>", "[\"a@b.c\"]" },
		{ "<>", "[]" },
		{ "a@[IPv6:::1], b@[1.2.3.4]", "[\"a@[IPv6:::1]\",\"b@[1.2.3.4]\"]" },
		{ "=?utf-8?B?w6Q=?= < a@b.c >", "[\"a@b.c\"]" },
		{ "root", "[\"root\"]" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (addresses(rows[i][0]) != ND_OK)
			fail_msg("%s: %s", rows[i][0], why.text);
		assert_string_equal(nd_buf_text(&out), rows[i][1]);
	}
}

static void
what_is_never_closed_is_refused(void **state)
{
	static const char *const rows[] = { "\"a@b.c", "a@b.c (x", "<a@b.c", "a@b.c>", "<a@b.c> <d@e.f>", "a@[1",
		"\"a\\", "(\\" };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (addresses(rows[i]) != ND_EINVALID)
			fail_msg("%s was taken: %s", rows[i], nd_buf_text(&out));
		assert_string_equal(why.field, "To");
	}
}

/* --- words --- */

static void
encoded_words_are_read(void **state)
{
	static const char *const rows[][2] = {
		{ "", "" },
		{ "plain  text", "plain  text" },
		{ "=?UTF-8?B?w6TDtg==?=", "\xc3\xa4\xc3\xb6" },
		{ "a =?utf-8?q?b_=3D_100%?= c", "a b = 100% c" },
		{ "=?utf-8?B?w6Q=?=  =?utf-8?Q?=C3=B6?= x", "\xc3\xa4\xc3\xb6 x" },
		{ "=?utf-8?B?ww==?= =?utf-8?B?pA==?=", "\xc3\xa4" },
		{ "=?iso-8859-1*en?Q?=E4?=", "\xc3\xa4" },
		{ "=?koi8-r?B?w6Q=?= =?utf-8?B?*?= =?utf-8?X?a?= =?utf-8?Q?a",
		    "=?koi8-r?B?w6Q=?= =?utf-8?B?*?= =?utf-8?X?a?= =?utf-8?Q?a" },
		{ "=?utf-8?Q?a b?= =?", "=?utf-8?Q?a b?= =?" },
		{ "x =?utf-8?Q?=00?=", "x =?utf-8?Q?=00?=" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		nd_buf_clear(&out);
		ready_words(rows[i][0], &out);
		assert_string_equal(nd_buf_text(&out), rows[i][1]);
	}
}

/* --- the job --- */

static enum nd_err
job_of(const char *message, const char *envelope)
{
	struct json_tree tree;
	struct ready ready;
	char *json = nd_xstrdup(envelope);
	enum nd_err err;

	for (char *p = json; *p != '\0'; p++)
		if (*p == '\'')
			*p = '"';
	if (json_read(&tree, json, strlen(json), &json_limits_small, NULL, &why) != ND_OK)
		fail_msg("%s", why.text);
	looked(&ready, message);
	nd_buf_clear(&out);
	err = ready_job(&ready, tree.root, &out, &why);
	ready_done(&ready);
	json_done(&tree);
	free(json);
	return err;
}

static void
job_is(const char *message, const char *envelope, const char *wanted)
{
	struct job_draft draft;
	struct json_tree tree;

	if (job_of(message, envelope) != ND_OK)
		fail_msg("%s", why.text);
	assert_string_equal(nd_buf_text(&out), wanted);
	assert_int_equal(json_read(&tree, nd_buf_text(&out), out.len, &json_limits_job, NULL, &why), ND_OK);
	assert_int_equal(job_check(&draft, &tree, tree.root, &why), ND_OK);
	job_draft_done(&draft);
	json_done(&tree);
}

static void
envelope_and_message_make_a_job(void **state)
{
	(void)state;
	job_is("From: A <a@b.c>\nSubject: s\n\n", "{'to':'x@y.z, w@y.z','severity':'critical','labels':{'n':'v'}}",
	    "{\"to\":[\"x@y.z\",\"w@y.z\"],\"from\":\"A "
	    "<a@b.c>\",\"subject\":\"s\",\"severity\":\"critical\",\"labels\":{\"n\":\"v\"}}");
	job_is("From: root (Cron Daemon)\n\n", "{'from':'e@b.c','to':['x@y.z']}",
	    "{\"to\":[\"x@y.z\"],\"from\":\"e@b.c\",\"subject\":\"(no subject)\",\"severity\":\"notice\"}");
	job_is("From: a@b.c\nTo: not@this.one\n\n", "{'from':'<>','t':false}",
	    "{\"to\":[],\"from\":\"a@b.c\",\"subject\":\"(no subject)\",\"severity\":\"notice\"}");
	job_is("Subject: a\x01\xff"
	       "b\n\n",
	    "{}", "{\"to\":[],\"subject\":\"a??b\",\"severity\":\"notice\"}");
}

static void
the_header_names_the_recipients_when_t_is_true(void **state)
{
	(void)state;
	job_is("To: A <a@b.c>,\n\td@e.f\nCc: g@h.i\nBcc: hidden@b.c\n\n", "{'t':true,'to':['x@y.z']}",
	    "{\"to\":[\"x@y.z\",\"a@b.c\",\"d@e.f\",\"g@h.i\",\"hidden@b.c\"],\"subject\":\"(no "
	    "subject)\",\"severity\":\"notice\"}");
	assert_int_equal(job_of("Subject: x\n\n", "{'t':true}"), ND_ENORCPT);
	assert_int_equal(job_of("To: \"x\n\n", "{'t':true}"), ND_EINVALID);
	/* nobody asked for it */
	assert_int_equal(job_of("To: \"x\n\n", "{'to':'a@b.c'}"), ND_OK);
}

static void
a_wrong_envelope_is_refused(void **state)
{
	(void)state;
	assert_int_equal(job_of("a: b\n\n", "[]"), ND_ESYNTAX);
	assert_int_equal(job_of("a: b\n\n", "{'text':'x'}"), ND_EUNKNOWN);
	assert_string_equal(why.field, "text");
	assert_int_equal(job_of("a: b\n\n", "{'lables':{}}"), ND_EUNKNOWN);
	assert_string_equal(why.hint, "did you mean \"labels\"?");
	assert_int_equal(job_of("a: b\n\n", "{'t':'1'}"), ND_ESYNTAX);
	assert_int_equal(job_of("a: b\n\n", "{'to':7}"), ND_ESYNTAX);
	assert_int_equal(job_of("From: a@b.c\n\n", "{'from':7}"), ND_ESYNTAX);
	assert_int_equal(job_of("From: a@b.c\n\n", "{'from':'nobody'}"), ND_EINVALID);
	assert_int_equal(job_of("a: b\n\n", "{'to':'a@b.c\\n,d@e.f'}"), ND_EINVALID);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_missing_is_added),
		cmocka_unit_test(a_message_without_a_body_gets_its_empty_line),
		cmocka_unit_test(senders_and_hidden_readers_leave_the_header),
		cmocka_unit_test(every_line_ends_with_crlf),
		cmocka_unit_test(a_cr_alone_hides_no_field),
		cmocka_unit_test(facts_are_unfolded),
		cmocka_unit_test(what_cannot_be_a_message_is_refused_with_its_line),
		cmocka_unit_test(the_addresses_of_a_field_are_found),
		cmocka_unit_test(what_is_never_closed_is_refused),
		cmocka_unit_test(encoded_words_are_read),
		cmocka_unit_test(envelope_and_message_make_a_job),
		cmocka_unit_test(the_header_names_the_recipients_when_t_is_true),
		cmocka_unit_test(a_wrong_envelope_is_refused),
	};
	int failed;

	nd_buf_init(&out, 65536);
	failed = cmocka_run_group_tests_name("ready", tests, NULL, NULL);
	nd_buf_done(&out);
	free(octets);
	return failed;
}
