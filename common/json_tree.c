/* SPDX-License-Identifier: Apache-2.0 */
/* json_tree.c - a tree that was read: asked, added to, ended.  Layer: common, words. */
#include "common/json_build.h"
#include "common/str.h"

#include <stdlib.h>
#include <string.h>

/* A copy that has U+FFFD for each octet that is no UTF-8, and for NUL. */
static const char *
keep_clean(struct json_build *build, const char *text, size_t len, size_t *kept)
{
	char *copy = json_build_take(build, 3 * len + 1), *to = copy;

	for (size_t i = 0, n; copy != NULL && i < len; i += n) {
		n = text[i] != '\0' ? nd_str_utf8_len(text + i, len - i) : 0;
		memcpy(to, n > 0 ? text + i : "\xef\xbf\xbd", n > 0 ? n : 3);
		to += n > 0 ? n : 3;
		n += n == 0;
	}
	if (copy != NULL)
		*to = '\0';
	*kept = (size_t)(to - copy);
	return copy;
}

size_t
json_weight(const struct json_node *node)
{
	size_t octets = node->len;

	for (const struct json_node *child = node->child; child != NULL; child = child->next)
		octets += sizeof(*child) + json_weight(child);
	return octets;
}

enum nd_err
json_add_text(struct json_tree *tree, const char *key, const char *text, size_t len, struct nd_why *why)
{
	struct json_node **end = &tree->root->child, *node;
	struct json_build build = { .blocks = tree->blocks, .block_size = JSON_BUILD_BLOCK };
	struct nd_why own;
	bool clean = nd_str_utf8(text, len) && memchr(text, '\0', len) == NULL;

	if (why == NULL)
		why = &own;
	for (; *end != NULL; end = &(*end)->next) {
		if (strcmp((*end)->key, key) == 0) {
			(void)nd_fail(why, ND_ESYNTAX, 0, "%s is given twice", key);
			return nd_fail_at(why, key, 0, NULL);
		}
	}
	node = json_build_take(&build, sizeof(*node));
	if (node != NULL) {
		*node = (struct json_node){ .type = JSON_STRING, .text = text, .len = len };
		node->key = json_build_keep(&build, key, strlen(key));
		if (!clean)
			node->text = keep_clean(&build, text, len, &node->len);
	}
	tree->blocks = build.blocks;
	if (node == NULL || node->key == NULL || node->text == NULL)
		return nd_fail(why, ND_EMEMORY, 0, "no memory is left to read JSON");
	*end = node;
	tree->root->count++;
	return ND_OK;
}

void
json_done(struct json_tree *tree)
{
	if (tree == NULL)
		return;
	json_build_free(tree->blocks);
	*tree = (struct json_tree){ NULL, NULL };
}

const struct json_node *
json_get(const struct json_node *object, const char *key)
{
	if (object == NULL || object->type != JSON_OBJECT)
		return NULL;
	for (const struct json_node *member = object->child; member != NULL; member = member->next) {
		if (strcmp(member->key, key) == 0)
			return member;
	}
	return NULL;
}

bool
json_true(const struct json_node *object, const char *key)
{
	const struct json_node *member = json_get(object, key);

	return member != NULL && member->type == JSON_BOOL && member->boolean;
}

const char *
json_get_text(const struct json_node *object, const char *key)
{
	const struct json_node *member = json_get(object, key);

	return member != NULL && member->type == JSON_STRING ? member->text : NULL;
}

enum nd_err
json_only(const struct json_node *node, const char *const *known, struct nd_why *why)
{
	unsigned i;

	if (node->type != JSON_OBJECT)
		return nd_fail(why, ND_ESYNTAX, 0, "the body is %s, not an object", json_type_name(node->type));
	for (const struct json_node *member = node->child; member != NULL; member = member->next) {
		for (i = 0; known[i] != NULL && strcmp(known[i], member->key) != 0; i++)
			;
		if (known[i] == NULL)
			return nd_fail(why, ND_EUNKNOWN, 0, "there is no field \"%.40s\"", member->key);
	}
	return ND_OK;
}

bool
json_int(const struct json_node *node, int64_t min, int64_t max, int64_t *out)
{
	return node != NULL && node->type == JSON_NUMBER && nd_str_int(node->text, min, max, out);
}

const char *
json_type_name(enum json_type type)
{
	switch (type) {
	case JSON_NULL:
		return "null";
	case JSON_BOOL:
		return "true or false";
	case JSON_NUMBER:
		return "a number";
	case JSON_STRING:
		return "a string";
	case JSON_ARRAY:
		return "an array";
	case JSON_OBJECT:
		return "an object";
	}
	return "a value";
}
