/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_explain.c - any octets are a table of explanations, or changes to one, or a text to explain.
 *
 * What stands before the first form feed is a file, the rest a text.
 */
#include "common/explain.h"
#include "common/str.h"
#include "tests/fuzz/fuzz.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static void
hear(void *arg, const char *file, unsigned line, const char *fault)
{
	(void)arg;
	(void)line;
	must(file[0] != '\0' && fault[0] != '\0' && nd_str_utf8(fault, strlen(fault)));
}

static void
ask(struct explain_table *table, const char *text)
{
	static const struct explain_facts facts = { .provider = "microsoft", .account = "m365", .host = "x\"; y" };
	const struct explain_row *found[EXPLAIN_FOUND];
	struct nd_buf out;

	must(explain_find(table, text, &facts, found) <= EXPLAIN_FOUND);
	nd_buf_init(&out, 1 << 20);
	explain_json(table, text, NULL, &facts, EXPLAIN_JA, &out);
	must(out.failed || nd_str_utf8(nd_buf_text(&out), out.len));
	nd_buf_done(&out);
	explain_free(table);
}

int
LLVMFuzzerTestOneInput(const uint8_t *octets, size_t len)
{
	static const struct explain_ear ear = { hear, NULL };
	const char *file = (const char *)octets, *end = len > 0 ? memchr(octets, '\f', len) : NULL;
	size_t n = end != NULL ? (size_t)(end - file) : len;
	char *text = strndup(end != NULL ? end + 1 : "535 5.7.3 x", end != NULL ? len - n - 1 : 11);
	struct explain_table *table;

	must(text != NULL);
	table = explain_new("fuzz", file, n, &ear);
	explain_finish(table, &ear);
	ask(table, text);
	table = explain_new(NULL, NULL, 0, &ear);
	explain_change(table, "fuzz", file, n, &ear);
	explain_finish(table, &ear);
	ask(table, text);
	free(text);
	return 0;
}
