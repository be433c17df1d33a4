/* SPDX-License-Identifier: Apache-2.0 */
/* test_json.c - bounded JSON in, JSON out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/json.h"
#include "common/mem.h"
#include "common/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct nd_why why;

static enum nd_err
read_text(struct json_tree *tree, const char *text)
{
	return json_read(tree, text, strlen(text), &json_limits_job, NULL, &why);
}

static void
check_refused(const char *text, enum nd_err err)
{
	struct json_tree tree = { NULL, NULL };
	enum nd_err met = read_text(&tree, text);

	if (met != err)
		fail_msg("%s: %s instead of %s", text, nd_err_name(met), nd_err_name(err));
	assert_int_equal(why.err, err);
	assert_true(why.line > 0 || err == ND_ETOOBIG);
	assert_true(why.text[0] != '\0');
	assert_null(tree.root);
	assert_null(tree.blocks);
}

static void
a_tree_holds_what_was_written(void **state)
{
	struct json_tree tree;
	const struct json_node *node;
	int64_t n;

	(void)state;
	assert_int_equal(
	    read_text(&tree, " {\"a\":[1,\"two\",null,true,{\"b\":-2.5e3}],\"c\":false,\"\":\"\"}\n"), ND_OK);
	assert_int_equal(tree.root->type, JSON_OBJECT);
	assert_int_equal(tree.root->count, 3);
	assert_null(tree.root->key);
	node = json_get(tree.root, "a");
	assert_int_equal(node->type, JSON_ARRAY);
	assert_int_equal(node->count, 5);
	node = node->child;
	assert_true(json_int(node, 0, 9, &n) && n == 1);
	assert_false(json_int(node, 2, 9, &n));
	node = node->next;
	assert_string_equal(node->text, "two");
	assert_int_equal(node->len, 3);
	assert_null(node->key);
	node = node->next;
	assert_int_equal(node->type, JSON_NULL);
	node = node->next;
	assert_true(node->type == JSON_BOOL && node->boolean);
	node = json_get(node->next, "b");
	assert_int_equal(node->type, JSON_NUMBER);
	assert_string_equal(node->text, "-2.5e3");
	assert_false(json_int(node, INT64_MIN, INT64_MAX, &n));
	assert_string_equal(json_get_text(tree.root, ""), "");
	assert_null(json_get_text(tree.root, "c"));
	assert_false(json_true(tree.root, "c") || json_true(tree.root, "a") || json_true(tree.root, "d"));
	assert_null(json_get(tree.root, "d"));
	assert_null(json_get(json_get(tree.root, "a"), "b"));
	assert_null(json_get(NULL, "b"));
	json_done(&tree);
	assert_null(tree.root);
}

static void
numbers_stay_as_they_are_written(void **state)
{
	struct json_tree tree;
	int64_t n;

	(void)state;
	assert_int_equal(read_text(&tree, "[1e999,-9223372036854775808,9223372036854775808,-0]"), ND_OK);
	assert_string_equal(tree.root->child->text, "1e999");
	assert_true(json_int(tree.root->child->next, INT64_MIN, 0, &n) && n == INT64_MIN);
	assert_false(json_int(tree.root->child->next->next, INT64_MIN, INT64_MAX, &n));
	json_done(&tree);
	assert_int_equal(read_text(&tree, "42"), ND_OK); /* known to be whole only at the end */
	assert_true(json_int(tree.root, 0, 100, &n) && n == 42);
	json_done(&tree);
}

static void
escapes_become_characters(void **state)
{
	struct json_tree tree;

	(void)state;
	assert_int_equal(
	    read_text(&tree, "\"a\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\u20AC\\ud83d\\uDE00\\\\ud800\""), ND_OK);
	assert_string_equal(tree.root->text, "a\"\\/\b\f\n\r\t\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\\ud800");
	json_done(&tree);
}

static void
malformed_json_is_refused(void **state)
{
	static const char *const bad[] = { "", " ", "{", "[", "\"", "\"abc", "{\"a\":1,}", "[1,]", "[,1]", "[1 2]",
		"{\"a\" 1}", "{a:1}", "{'a':1}", "nul", "tru", "NaN", "Infinity", "01", "-", "1.", ".5", "1e", "+1",
		"0x1", "[1]]", "{}}", "1 1", "\"a\nb\"", "\"\\x\"", "\"\\u12\"", "\"\\u12g4\"", "/* c */ 1", "// c\n1",
		"\xef\xbb\xbf{}", "{\"a\":}", "[\"a\":1]", "{1:2}", "{}x" };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		check_refused(bad[i], ND_ESYNTAX);
}

static void
the_line_and_the_character_are_told(void **state)
{
	(void)state;
	check_refused("{\n\"a\": 1,\n\"b\": x\n}", ND_ESYNTAX);
	assert_int_equal(why.line, 3);
	assert_non_null(strstr(why.text, "(at \"x\")"));
	check_refused("[1,\n2", ND_ESYNTAX);
	assert_int_equal(why.line, 2);
	assert_non_null(strstr(why.text, "too early"));
	check_refused("{}\n\n\n7", ND_ESYNTAX);
	assert_int_equal(why.line, 4);
	check_refused("\n\"\\n \\ud800\"", ND_ESYNTAX);
	assert_int_equal(why.line, 2);
	check_refused("[\n\"a\xff\"]", ND_ESYNTAX);
	assert_int_equal(why.line, 2);
	assert_non_null(strstr(why.text, "0xff"));
}

static void
no_more_of_the_input_than_a_character_is_told(void **state)
{
	(void)state;
	check_refused("{\"access_token\":\"secret\" \"other-secret\"}", ND_ESYNTAX);
	assert_null(strstr(why.text, "secret"));
}

static void
broken_utf8_is_refused_everywhere(void **state)
{
	static const char *const bad[] = { "\"\xc0\x80\"", "\"\xe0\x80\xaf\"", "\"\xed\xa0\x80\"",
		"\"\xf4\x90\x80\x80\"", "\"\xf7\xbf\xbf\xbf\"", "\"\xff\"", "\"\xc3\"", "{\"\xc3\":1}",
		"[\"ok\",\"\xe2\x82\"]", "{} \xff" };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		check_refused(bad[i], ND_ESYNTAX);
}

static void
half_characters_and_nuls_are_refused(void **state)
{
	static const char *const bad[] = { "\"\\u0000\"", "{\"a\\u0000b\":1}", "\"\\ud800\"", "\"\\udc00\"",
		"\"\\ud800x\"", "\"\\ud800\\n\"", "\"\\ud800\\u0041\"", "\"\\ud800\\ud800\"", "\"\\udc00\\ud800\"",
		"\"\\ud83d\\ude00\\ude00\"", "{\"\\udfff\":1}", "\"\\\\\\udbff\"" };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		check_refused(bad[i], ND_ESYNTAX);
}

static void
a_raw_nul_octet_is_refused(void **state)
{
	struct json_tree tree;

	(void)state;
	assert_int_equal(json_read(&tree, "\"a\0b\"", 5, &json_limits_job, NULL, &why), ND_ESYNTAX);
	assert_int_equal(json_read(&tree, "{}\0", 3, &json_limits_job, NULL, &why), ND_ESYNTAX);
}

static void
a_key_may_not_come_twice(void **state)
{
	struct json_tree tree;
	struct nd_buf buf;

	(void)state;
	check_refused("{\"a\":1,\"a\":2}", ND_ESYNTAX);
	assert_string_equal(why.text, "the key \"a\" appears twice");
	check_refused("{\"a\":1,\"\\u0061\":2}", ND_ESYNTAX);
	check_refused("[{\"x\":{\"a\":1,\"b\":2,\"a\":3}}]", ND_ESYNTAX);
	assert_int_equal(read_text(&tree, "[{\"a\":1},{\"a\":2,\"A\":{\"a\":1}}]"), ND_OK);
	json_done(&tree);
	/* In objects of every size: the few and the many are checked in different ways. */
	nd_buf_init(&buf, 100000);
	for (int size = 2; size < 40; size++) {
		for (int twin = 0; twin < size - 1; twin++) {
			nd_buf_clear(&buf);
			for (int i = 0; i < size; i++)
				(void)nd_buf_addf(&buf, "%s\"k%d\":0", i == 0 ? "{" : ",", i == size - 1 ? twin : i);
			(void)nd_buf_addc(&buf, '}');
			check_refused(buf.octets, ND_ESYNTAX);
			assert_non_null(strstr(why.text, "appears twice"));
		}
	}
	nd_buf_done(&buf);
}

static void
many_members_do_not_take_long(void **state)
{
	struct json_tree tree;
	struct nd_buf buf;

	(void)state;
	nd_buf_init(&buf, 10000000);
	for (int i = 0; i < 150000; i++)
		(void)nd_buf_addf(&buf, "%s\"%06d\":0", i == 0 ? "{" : ",", (i * 7919) % 150000);
	(void)nd_buf_addc(&buf, '}');
	assert_int_equal(read_text(&tree, buf.octets), ND_OK);
	assert_int_equal(tree.root->count, 150000);
	json_done(&tree);
	nd_buf_done(&buf);
}

static void
depth_has_a_limit(void **state)
{
	static char text[100001];
	struct json_tree tree;

	(void)state;
	assert_int_equal(read_text(&tree, "[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]"), ND_OK);
	json_done(&tree);
	check_refused("[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]", ND_ESYNTAX);
	assert_non_null(strstr(why.text, "deeper than 16"));
	memset(text, '[', 100000);
	check_refused(text, ND_ESYNTAX);
	assert_non_null(strstr(why.text, "deeper than 16"));
	for (size_t i = 0; i < 100000; i += 5)
		memcpy(text + i, "{\"a\":", 5);
	check_refused(text, ND_ESYNTAX);
	assert_non_null(strstr(why.text, "deeper than 16"));
}

static void
size_and_number_of_values_have_limits(void **state)
{
	static const struct json_limits limits = { .octets = 20, .depth = 2, .nodes = 4 };
	struct json_tree tree;
	size_t used;

	(void)state;
	assert_int_equal(json_read(&tree, "[1,2,3]", 7, &limits, NULL, &why), ND_OK);
	json_done(&tree);
	assert_int_equal(json_read(&tree, "[1,2,3,4]", 9, &limits, NULL, &why), ND_ETOOBIG);
	assert_int_equal(json_read(&tree, "\"123456789012345678\"", 20, &limits, NULL, &why), ND_OK);
	json_done(&tree);
	assert_int_equal(json_read(&tree, "\"1234567890123456789\"", 21, &limits, NULL, &why), ND_ETOOBIG);
	assert_int_equal(json_read(&tree, "\"1234567890123456789\"", 21, &limits, &used, &why), ND_ETOOBIG);
	/* Of several values each is measured alone. */
	assert_int_equal(json_read(&tree, "[1] [2] [3] [4] [5] [6] [7]", 27, &limits, &used, &why), ND_OK);
	assert_int_equal(used, 4);
	json_done(&tree);
}

static void
values_in_a_row_are_read_one_by_one(void **state)
{
	const char *text = "{\"a\":1}{\"b\":2}\n\n[3] 4 \"five\"\n";
	static const enum json_type types[] = { JSON_OBJECT, JSON_OBJECT, JSON_ARRAY, JSON_NUMBER, JSON_STRING };
	struct json_tree tree;
	size_t used, n = 0;

	(void)state;
	while (*text != '\0') {
		assert_int_equal(json_read(&tree, text, strlen(text), &json_limits_job, &used, &why), ND_OK);
		assert_int_equal(tree.root->type, types[n++]);
		json_done(&tree);
		text += used;
	}
	assert_int_equal(n, 5);
	assert_int_equal(json_read(&tree, "{} x", 4, &json_limits_job, &used, NULL), ND_OK);
	json_done(&tree);
	assert_int_equal(used, 3);
	assert_int_equal(json_read(&tree, "01", 2, &json_limits_job, &used, &why), ND_ESYNTAX);
	assert_int_equal(json_read(&tree, "\n", 1, &json_limits_job, &used, &why), ND_ESYNTAX);
	assert_int_equal(json_read(&tree, "{}\xff", 3, &json_limits_job, &used, &why), ND_ESYNTAX);
}

static void
a_large_string_stands_beside_small_ones(void **state)
{
	size_t len = 3000000;
	char *text = nd_xalloc(len + 100);
	struct json_tree tree;
	size_t at;

	(void)state;
	at = (size_t)snprintf(text, 100, "[\"small\",\"");
	memset(text + at, 'A', len);
	memcpy(text + at + len, "\",\"last\"]", 10);
	assert_int_equal(read_text(&tree, text), ND_OK);
	assert_string_equal(tree.root->child->text, "small");
	assert_int_equal(tree.root->child->next->len, len);
	assert_int_equal(tree.root->child->next->text[len - 1], 'A');
	assert_string_equal(tree.root->child->next->next->text, "last");
	json_done(&tree);
	free(text);
}

static void
writing_puts_commas_and_quotes(void **state)
{
	struct json_out out;
	struct nd_buf buf;

	(void)state;
	nd_buf_init(&buf, 10000);
	json_out_init(&out, &buf);
	json_out_object(&out, NULL);
	json_out_text(&out, "a\"", "b\\\n\x01\x7f\xc3\xa9");
	json_out_text(&out, "gone", NULL);
	json_out_int(&out, "n", INT64_MIN);
	json_out_array(&out, "list");
	json_out_object(&out, NULL);
	json_out_object_end(&out);
	json_out_bool(&out, NULL, true);
	json_out_array(&out, NULL);
	json_out_array_end(&out);
	json_out_null(&out, NULL);
	json_out_textn(&out, NULL, "abc", 2);
	json_out_array_end(&out);
	json_out_time(&out, "at", 1795248000000);
	json_out_time(&out, "never", 0);
	json_out_raw(&out, "raw", "[1, 2]");
	json_out_object_end(&out);
	assert_string_equal(nd_buf_text(&buf),
	    "{\"a\\\"\":\"b\\\\\\n\\u0001\x7f\xc3\xa9\",\"n\":-9223372036854775808,\"list\":[{},true,[],null,\"ab\"],"
	    "\"at\":\"2026-11-21T08:00:00.000Z\",\"raw\":[1, 2]}");
	nd_buf_done(&buf);
}

static void
what_is_written_is_valid_utf8_whatever_came_in(void **state)
{
	struct json_out out;
	struct nd_buf buf;

	(void)state;
	nd_buf_init(&buf, 10000);
	json_out_init(&out, &buf);
	json_out_textn(&out, NULL,
	    "a\xff"
	    "b\xe2\x82",
	    5);
	assert_string_equal(nd_buf_text(&buf), "\"a\xef\xbf\xbd"
					       "b\xef\xbf\xbd\xef\xbf\xbd\"");
	nd_buf_done(&buf);
}

static void
a_tree_is_written_again_as_it_was_read(void **state)
{
	const char *text = "{\"a\":[1,\"t\\\\wo\",null,true,{\"b\":-2.5e3,\"c\":[]}],\"d\":{},\"e\":false}";
	struct json_tree tree;
	struct json_out out;
	struct nd_buf buf;

	(void)state;
	assert_int_equal(read_text(&tree, text), ND_OK);
	nd_buf_init(&buf, 10000);
	json_out_init(&out, &buf);
	json_out_node(&out, NULL, tree.root);
	assert_string_equal(nd_buf_text(&buf), text);
	nd_buf_done(&buf);
	json_done(&tree);
}

static void
a_full_buffer_ends_the_writing(void **state)
{
	struct json_out out;
	struct nd_buf buf;

	(void)state;
	nd_buf_init(&buf, 8);
	json_out_init(&out, &buf);
	json_out_object(&out, NULL);
	json_out_text(&out, "a", "long enough");
	json_out_object_end(&out);
	assert_true(buf.failed);
	assert_in_range(buf.len, 0, 8);
	nd_buf_done(&buf);
}

static void
types_have_names(void **state)
{
	(void)state;
	assert_string_equal(json_type_name(JSON_STRING), "a string");
	assert_string_equal(json_type_name(JSON_ARRAY), "an array");
	json_done(NULL);
}

static void
members_that_do_not_belong_there_are_named(void **state)
{
	static const char *const known[] = { "mode", "uri", NULL };
	static const struct {
		const char *text;
		enum nd_err err;
		const char *words;
	} rows[] = {
		{ "{}", ND_OK, "" },
		{ "{\"uri\":1,\"mode\":[2]}", ND_OK, "" },
		{ "{\"mode\":1,\"moed\":1}", ND_EUNKNOWN, "\"moed\"" },
		{ "[1]", ND_ESYNTAX, "an array" },
		{ "[{\"mode\":1}]", ND_ESYNTAX, "an array" },
		{ "\"mode\"", ND_ESYNTAX, "a string" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct nd_why told = { 0 };
		struct json_tree tree;

		assert_int_equal(
		    json_read(&tree, rows[i].text, strlen(rows[i].text), &json_limits_small, NULL, NULL), ND_OK);
		assert_int_equal(json_only(tree.root, known, &told), rows[i].err);
		assert_non_null(strstr(told.text, rows[i].words));
		json_done(&tree);
	}
}

/* --- where they lie --- */

static char *
written(const struct json_node *root)
{
	struct nd_buf buf;
	struct json_out out;

	nd_buf_init(&buf, 1u << 20);
	json_out_init(&out, &buf);
	json_out_node(&out, NULL, root);
	return nd_buf_take(&buf, NULL);
}

#define A64 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static void
reading_where_it_lies_finds_the_same(void **state)
{
	static const char *const inputs[] = {
		"{\"a\":\"" A64 "\",\"b\":[\"x\",\"" A64 "\\n\\t\\\"\\\\\\/\\u00e9\\u2603\\ud83d\\ude00" A64
		"\",1.5,null]}",
		"{\"" A64 "\\u0041\":{\"" A64 "\":\"" A64 A64 "\"},\"n\":-3}",
		"\"" A64 "\"",
		" [ \"" A64 "\" , true ]\n",
		"{\"a\":\"" A64 "\\",
		"{\"a\":\"" A64 "\\x\"}",
		"{\"a\":\"" A64 "\\ud800\"}",
		"{\"a\":\"" A64 "\\u0000\"}",
		"{\"a\":\"" A64 "\\u12g4\"}",
		"{\"a\":\"" A64 "\xff\"}",
		"{\"a\":\"" A64 "\n\"}",
		"{\"a\" \"" A64 "\"}",
		"{\"a\":1}\"" A64 "\"",
		"{\"" A64 "\":1,\"" A64 "\":2}",
		"{\"a\":\"" A64 "\"",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(inputs) / sizeof(inputs[0]); i++) {
		struct json_tree copied = { NULL, NULL }, here = { NULL, NULL };
		struct nd_why told, told_here;
		char *octets = strdup(inputs[i]);
		enum nd_err err = json_read(&copied, inputs[i], strlen(inputs[i]), &json_limits_job, NULL, &told);

		assert_int_equal(
		    json_read_here(&here, octets, strlen(octets), &json_limits_job, NULL, NULL, &told_here), err);
		if (err == ND_OK) {
			char *one = written(copied.root), *other = written(here.root);

			assert_string_equal(one, other);
			free(one);
			free(other);
		} else {
			assert_int_equal(told_here.line, told.line);
		}
		json_done(&copied);
		json_done(&here);
		free(octets);
	}
}

static void
a_bad_octet_is_seen_in_every_place_of_a_long_string(void **state)
{
	static const struct {
		const char *octets;
		enum nd_err err;
	} rows[] = {
		{ "\x01", ND_ESYNTAX },
		{ "\t", ND_ESYNTAX },
		{ "\n", ND_ESYNTAX },
		{ "\x1f", ND_ESYNTAX },
		{ "\x80", ND_ESYNTAX },
		{ "\xc3", ND_ESYNTAX },
		{ "\xff", ND_ESYNTAX },
		{ "\\x", ND_ESYNTAX },
		{ "\x7f", ND_OK },
		{ "\xc3\xb6", ND_OK },
		{ "\xe2\x82\xac", ND_OK },
		{ "\\n", ND_OK },
	};
	struct json_tree tree;
	char text[106];

	(void)state;
	for (size_t at = 2; at < sizeof(text) - 5; at++) {
		for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
			memset(text, 'a', sizeof(text));
			memcpy(text, "[\"", 2);
			memcpy(text + sizeof(text) - 2, "\"]", 2);
			memcpy(text + at, rows[i].octets, strlen(rows[i].octets));
			assert_int_equal(
			    json_read_here(&tree, text, sizeof(text), &json_limits_small, NULL, NULL, NULL),
			    rows[i].err);
			if (rows[i].err == ND_OK)
				json_done(&tree);
		}
	}
}

/* The first octets that are decoded lie in one place, more of them in another. */
static void
an_escape_is_decoded_in_a_string_of_every_size(void **state)
{
	static char text[10008];
	struct json_tree tree;

	(void)state;
	for (size_t len = 1; len < 10000; len += len < 100 ? 1 : 97) {
		const char *got;

		memset(text, 'a', sizeof(text));
		memcpy(text, "[\"\\n", 4);
		memcpy(text + 4 + len, "\\t\"]", 4);
		assert_int_equal(json_read(&tree, text, len + 8, &json_limits_small, NULL, NULL), ND_OK);
		got = tree.root->child->text;
		assert_int_equal(tree.root->child->len, len + 2);
		assert_true(got[0] == '\n' && got[len + 1] == '\t' && strspn(got + 1, "a") == len);
		json_done(&tree);
	}
}

static void
a_value_before_others_is_taken_alone_and_its_lines_are_counted(void **state)
{
	char octets[] = "{\n\"a\":\"" A64 "\\n\"\n,\"b\":2}\n{\"c\":\"" A64 "\"}";
	struct json_tree tree = { NULL, NULL };
	unsigned lines = 0;
	size_t used;

	(void)state;
	assert_int_equal(
	    json_read_here(&tree, octets, sizeof(octets) - 1, &json_limits_job, &used, &lines, NULL), ND_OK);
	assert_int_equal(lines, 3);
	assert_int_equal(octets[used], '{');
	assert_int_equal(json_get(tree.root, "a")->len, 65);
	assert_int_equal(json_get_text(tree.root, "a")[64], '\n');
	json_done(&tree);
	assert_int_equal(
	    json_read_here(&tree, octets + used, sizeof(octets) - 1 - used, &json_limits_job, NULL, &lines, NULL),
	    ND_OK);
	json_done(&tree);
}

static void
a_span_ends_with_its_last_bracket(void **state)
{
	static const char text[] = "{\"a\":\"}]\\\"}\",\"b\":[{}]} {\"c\":1}";

	(void)state;
	assert_int_equal(json_span(text, sizeof(text) - 1), strchr(text, ' ') - text);
	assert_int_equal(json_span(text, 10), 11);
	assert_int_equal(json_span("[\"", 2), 3);
	assert_int_equal(json_span("12", 2), 0);
}

static void
a_member_is_added_once_and_clean(void **state)
{
	struct json_tree tree = { NULL, NULL };

	(void)state;
	assert_int_equal(json_read(&tree, "{\"a\":1}", 7, &json_limits_small, NULL, NULL), ND_OK);
	assert_int_equal(json_add_text(&tree, "text", "x\0\xffy", 4, NULL), ND_OK);
	assert_string_equal(json_get_text(tree.root, "text"), "x\xef\xbf\xbd\xef\xbf\xbdy");
	assert_int_equal(json_get(tree.root, "text")->len, 8);
	assert_int_equal(json_add_text(&tree, "text", "z", 1, NULL), ND_ESYNTAX);
	assert_int_equal(tree.root->count, 2);
	json_done(&tree);
}

static void
only_a_member_that_is_true_is_true(void **state)
{
	static const char text[] = "{\"yes\":true,\"no\":false,\"text\":\"true\",\"one\":1}";
	struct json_tree tree;

	(void)state;
	assert_int_equal(json_read(&tree, text, sizeof(text) - 1, &json_limits_small, NULL, NULL), ND_OK);
	assert_true(json_true(tree.root, "yes"));
	assert_false(json_true(tree.root, "no") || json_true(tree.root, "text") || json_true(tree.root, "one"));
	assert_false(json_true(tree.root, "none") || json_true(tree.root->child, "yes") || json_true(NULL, "yes"));
	json_done(&tree);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_a_member_that_is_true_is_true),
		cmocka_unit_test(a_tree_holds_what_was_written),
		cmocka_unit_test(numbers_stay_as_they_are_written),
		cmocka_unit_test(escapes_become_characters),
		cmocka_unit_test(malformed_json_is_refused),
		cmocka_unit_test(the_line_and_the_character_are_told),
		cmocka_unit_test(no_more_of_the_input_than_a_character_is_told),
		cmocka_unit_test(broken_utf8_is_refused_everywhere),
		cmocka_unit_test(half_characters_and_nuls_are_refused),
		cmocka_unit_test(a_raw_nul_octet_is_refused),
		cmocka_unit_test(a_key_may_not_come_twice),
		cmocka_unit_test(many_members_do_not_take_long),
		cmocka_unit_test(depth_has_a_limit),
		cmocka_unit_test(size_and_number_of_values_have_limits),
		cmocka_unit_test(values_in_a_row_are_read_one_by_one),
		cmocka_unit_test(a_large_string_stands_beside_small_ones),
		cmocka_unit_test(writing_puts_commas_and_quotes),
		cmocka_unit_test(what_is_written_is_valid_utf8_whatever_came_in),
		cmocka_unit_test(a_tree_is_written_again_as_it_was_read),
		cmocka_unit_test(a_full_buffer_ends_the_writing),
		cmocka_unit_test(types_have_names),
		cmocka_unit_test(members_that_do_not_belong_there_are_named),
		cmocka_unit_test(reading_where_it_lies_finds_the_same),
		cmocka_unit_test(a_bad_octet_is_seen_in_every_place_of_a_long_string),
		cmocka_unit_test(an_escape_is_decoded_in_a_string_of_every_size),
		cmocka_unit_test(a_value_before_others_is_taken_alone_and_its_lines_are_counted),
		cmocka_unit_test(a_span_ends_with_its_last_bracket),
		cmocka_unit_test(a_member_is_added_once_and_clean),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
