/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_json.c - any octets are read as JSON or refused; what is read can be written and read again, and says the same.
 *
 * Values may follow one another, as jobs do in a stream.
 */
#include "common/json.h"
#include "common/str.h"
#include "tests/fuzz/fuzz.h"

#include <stdint.h>
#include <string.h>

static unsigned
check_node(const struct json_node *node, unsigned depth)
{
	unsigned nodes = 1, count = 0;

	must(depth <= json_limits_small.depth + 1);
	must(node->key == NULL || nd_str_utf8(node->key, strlen(node->key)));
	if (node->text != NULL) {
		must(node->text[node->len] == '\0' && strlen(node->text) == node->len);
		must(nd_str_utf8(node->text, node->len));
	}
	for (const struct json_node *child = node->child; child != NULL; child = child->next) {
		count++;
		nodes += check_node(child, depth + 1);
		must((child->key != NULL) == (node->type == JSON_OBJECT));
		must(child->key == NULL || json_get(node, child->key) == child); /* no key twice */
	}
	must(count == node->count);
	return nodes;
}

static void
write_tree(const struct json_tree *tree, struct nd_buf *buf)
{
	struct json_out out;

	nd_buf_init(buf, (size_t)1 << 24);
	json_out_init(&out, buf);
	json_out_node(&out, NULL, tree->root);
	must(!buf->failed);
}

/* The first value of these octets; the octets it took, 0: there is none. */
static size_t
check_value(const char *octets, size_t len)
{
	static const struct json_limits again_limits = { .octets = (size_t)1 << 24, .depth = 16, .nodes = 2000 };
	struct json_tree tree, again;
	struct nd_buf first, second;
	struct nd_why why;
	size_t used = 0;

	if (json_read(&tree, octets, len, &json_limits_small, &used, &why) != ND_OK) {
		must(why.text[0] != '\0' && nd_str_utf8(why.text, strlen(why.text)));
		return 0;
	}
	must(used > 0 && used <= len && nd_str_utf8(octets, used));
	must(check_node(tree.root, 1) <= json_limits_small.nodes);
	write_tree(&tree, &first);
	must(json_read(&again, first.octets, first.len, &again_limits, NULL, &why) == ND_OK);
	write_tree(&again, &second);
	must(first.len == second.len && memcmp(first.octets, second.octets, first.len) == 0);
	nd_buf_done(&first);
	nd_buf_done(&second);
	json_done(&tree);
	json_done(&again);
	return used;
}

int
LLVMFuzzerTestOneInput(const uint8_t *octets, size_t len)
{
	const char *text = (const char *)octets;
	struct json_tree tree;
	struct nd_why why;
	size_t at = 0, used;

	if (json_read(&tree, text, len, &json_limits_small, NULL, &why) != ND_OK)
		must(why.text[0] != '\0' && nd_str_utf8(why.text, strlen(why.text)));
	else
		json_done(&tree);
	do {
		used = check_value(text + at, len - at);
		at += used;
	} while (used > 0 && at < len);
	return 0;
}
