/* SPDX-License-Identifier: Apache-2.0 */
/* json_build.c - yajl's events => a tree.  Layer: common, words. */
#include "common/json_build.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* Objects of more members are checked for equal keys when they end, by sorting. */
#define FEW_MEMBERS 12u
#define BLOCK_MAX 262144u
#define WIPED_MAX 65536u

struct json_block {
	struct json_block *older;
	size_t used, size;
	_Alignas(max_align_t) char octets[];
};

/* --- memory --- */

void *
json_build_take(struct json_build *build, size_t size)
{
	struct json_block *block = build->blocks;
	void *place;

	size = (size + sizeof(void *) - 1) & ~(sizeof(void *) - 1);
	if (block == NULL || size > block->size - block->used) {
		bool alone = size > build->block_size / 4;
		size_t room = alone ? size : build->block_size;

		block = malloc(sizeof(*block) + room);
		if (block == NULL) {
			(void)nd_fail(&build->why, ND_EMEMORY, 0, "no memory is left to read JSON");
			return NULL;
		}
		block->size = room;
		block->used = 0;
		/* A large one stands behind the block in use, which goes on being filled. */
		if (alone && build->blocks != NULL) {
			block->older = build->blocks->older;
			build->blocks->older = block;
		} else {
			block->older = build->blocks;
			build->blocks = block;
		}
		if (!alone && build->block_size < BLOCK_MAX)
			build->block_size *= 2;
	}
	place = block->octets + block->used;
	block->used += size;
	return place;
}

const char *
json_build_keep(struct json_build *build, const void *octets, size_t len)
{
	const char *lifted = build->lifted.octets;
	char *copy;

	build->lifted.octets = NULL;
	if (lifted != NULL)
		return lifted;
	copy = json_build_take(build, len + 1);
	if (copy == NULL)
		return NULL;
	if (len > 0)
		memcpy(copy, octets, len);
	copy[len] = '\0';
	return copy;
}

void
json_build_free(struct json_block *block)
{
	while (block != NULL) {
		struct json_block *older = block->older;

		/* Small trees may be of a token endpoint's reply. */
		if (block->used <= WIPED_MAX)
			explicit_bzero(block->octets, block->used);
		free(block);
		block = older;
	}
}

/* --- callbacks: each gives 0 to stop --- */

static struct json_node *
add(struct json_build *build, enum json_type type)
{
	struct json_node *node;

	if (++build->nodes > build->limits.nodes) {
		(void)nd_fail(&build->why, ND_ETOOBIG, 0, "the JSON has more than %u values", build->limits.nodes);
		return NULL;
	}
	node = json_build_take(build, sizeof(*node));
	if (node == NULL)
		return NULL;
	*node = (struct json_node){ .type = type, .key = build->key };
	build->key = NULL;
	if (build->depth == 0) {
		build->root = node;
	} else {
		struct json_level *level = &build->levels[build->depth - 1];

		if (level->last == NULL)
			level->node->child = node;
		else
			level->last->next = node;
		level->last = node;
		level->node->count++;
	}
	return node;
}

static int
add_text(struct json_build *build, enum json_type type, const void *octets, size_t len)
{
	struct json_node *node = add(build, type);

	if (node == NULL)
		return 0;
	node->len = build->lifted.octets != NULL ? build->lifted.len : len;
	node->text = json_build_keep(build, octets, len);
	return node->text != NULL;
}

static int
add_nest(struct json_build *build, enum json_type type)
{
	struct json_node *node;

	if (build->depth >= build->limits.depth) {
		(void)nd_fail(&build->why, ND_ESYNTAX, 0, "the JSON is nested deeper than %u", build->limits.depth);
		return 0;
	}
	node = add(build, type);
	if (node == NULL)
		return 0;
	build->levels[build->depth++] = (struct json_level){ .node = node };
	return 1;
}

static int
on_null(void *context)
{
	return add(context, JSON_NULL) != NULL;
}

static int
on_bool(void *context, int value)
{
	struct json_node *node = add(context, JSON_BOOL);

	if (node != NULL)
		node->boolean = value != 0;
	return node != NULL;
}

static int
on_number(void *context, const char *octets, size_t len)
{
	return add_text(context, JSON_NUMBER, octets, len);
}

static int
on_string(void *context, const unsigned char *octets, size_t len)
{
	return add_text(context, JSON_STRING, octets, len);
}

static int
on_object(void *context)
{
	return add_nest(context, JSON_OBJECT);
}

static int
on_array(void *context)
{
	return add_nest(context, JSON_ARRAY);
}

static int
on_array_end(void *context)
{
	struct json_build *build = context;

	build->depth--;
	return 1;
}

static int
twice(struct json_build *build, const char *key)
{
	(void)nd_fail(&build->why, ND_ESYNTAX, 0, "the key \"%.80s\" appears twice", key);
	return 0;
}

static int
on_key(void *context, const unsigned char *octets, size_t len)
{
	struct json_build *build = context;
	const struct json_node *object = build->levels[build->depth - 1].node;

	build->key = json_build_keep(build, octets, len);
	if (build->key == NULL)
		return 0;
	if (object->count >= FEW_MEMBERS)
		return 1;
	for (const struct json_node *member = object->child; member != NULL; member = member->next) {
		if (strcmp(member->key, build->key) == 0)
			return twice(build, build->key);
	}
	return 1;
}

static int
compare_keys(const void *a, const void *b)
{
	const char *const *left = a, *const *right = b;

	return strcmp(*left, *right);
}

static int
on_object_end(void *context)
{
	struct json_build *build = context;
	const struct json_node *object = build->levels[--build->depth].node;
	const char **keys;
	unsigned n = 0;
	int fine = 1;

	if (object->count <= FEW_MEMBERS)
		return 1;
	keys = malloc(object->count * sizeof(*keys));
	if (keys == NULL) {
		(void)nd_fail(&build->why, ND_EMEMORY, 0, "no memory is left to read JSON");
		return 0;
	}
	for (const struct json_node *member = object->child; member != NULL; member = member->next)
		keys[n++] = member->key;
	qsort(keys, n, sizeof(*keys), compare_keys);
	for (unsigned i = 1; i < n && fine; i++) {
		if (strcmp(keys[i - 1], keys[i]) == 0)
			fine = twice(build, keys[i]);
	}
	free(keys);
	return fine;
}

const yajl_callbacks json_build_callbacks = {
	.yajl_null = on_null,
	.yajl_boolean = on_bool,
	.yajl_number = on_number,
	.yajl_string = on_string,
	.yajl_start_map = on_object,
	.yajl_map_key = on_key,
	.yajl_end_map = on_object_end,
	.yajl_start_array = on_array,
	.yajl_end_array = on_array_end,
};
