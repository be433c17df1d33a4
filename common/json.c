/* SPDX-License-Identifier: Apache-2.0 */
/* json.c - bounded JSON in, JSON out.  Layer: common, words.  The only user of yajl.
 *
 * yajl gives events, the tree is ours: it has no depth limit, checks UTF-8 weakly, mangles lone surrogates and lets
 * keys appear twice. So the octets it took and their escapes are checked once more, here, before anybody sees the tree.
 */
#include "common/json.h"

#include "common/mem.h"
#include "common/str.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <yajl/yajl_parse.h>

#define DEPTH_MAX 32u
/* Objects of more members are checked for equal keys when they end, by sorting. */
#define FEW_MEMBERS 12u
#define BLOCK_FIRST 8192u
#define BLOCK_MAX 262144u
#define WIPED_MAX 65536u

const struct json_limits json_limits_job = { .octets = 36700160, .depth = 16, .nodes = 200000 };
const struct json_limits json_limits_small = { .octets = 65536, .depth = 16, .nodes = 2000 };

struct block {
	struct block *older;
	size_t used, size;
	_Alignas(max_align_t) char octets[];
};

struct level {
	struct json_node *node, *last;
};

struct reader {
	struct block *blocks;
	size_t block_size;
	struct json_limits limits;
	struct json_node *root;
	struct level levels[DEPTH_MAX];
	unsigned depth, nodes;
	const char *key;   /* of the member that comes next */
	struct nd_why why; /* err != ND_OK: a callback stopped the reading, and why */
};

/* --- memory --- */

static void *
take(struct reader *reader, size_t size)
{
	struct block *block = reader->blocks;
	void *place;

	size = (size + sizeof(void *) - 1) & ~(sizeof(void *) - 1);
	if (block == NULL || size > block->size - block->used) {
		bool alone = size > reader->block_size / 4;
		size_t room = alone ? size : reader->block_size;

		block = malloc(sizeof(*block) + room);
		if (block == NULL) {
			(void)nd_fail(&reader->why, ND_EMEMORY, 0, "no memory is left to read JSON");
			return NULL;
		}
		block->size = room;
		block->used = 0;
		/* A large one stands behind the block in use, which goes on being filled. */
		if (alone && reader->blocks != NULL) {
			block->older = reader->blocks->older;
			reader->blocks->older = block;
		} else {
			block->older = reader->blocks;
			reader->blocks = block;
		}
		if (!alone && reader->block_size < BLOCK_MAX)
			reader->block_size *= 2;
	}
	place = block->octets + block->used;
	block->used += size;
	return place;
}

static const char *
keep(struct reader *reader, const void *octets, size_t len)
{
	char *copy = take(reader, len + 1);

	if (copy == NULL)
		return NULL;
	if (len > 0)
		memcpy(copy, octets, len);
	copy[len] = '\0';
	return copy;
}

static void
free_blocks(struct block *block)
{
	while (block != NULL) {
		struct block *older = block->older;

		/* Small trees may be of a token endpoint's reply. */
		if (block->used <= WIPED_MAX)
			explicit_bzero(block->octets, block->used);
		free(block);
		block = older;
	}
}

/* yajl does not check its own allocations. What it needs is small, but for a string with escapes: twice its length. */
static void *
yajl_take(void *context, size_t size)
{
	(void)context;
	return nd_xrealloc(NULL, size);
}

static void *
yajl_retake(void *context, void *old, size_t size)
{
	(void)context;
	return nd_xrealloc(old, size);
}

static void
yajl_leave(void *context, void *old)
{
	(void)context;
	free(old);
}

/* --- callbacks: each gives 0 to stop --- */

static struct json_node *
add(struct reader *reader, enum json_type type)
{
	struct json_node *node;

	if (++reader->nodes > reader->limits.nodes) {
		(void)nd_fail(&reader->why, ND_ETOOBIG, 0, "the JSON has more than %u values", reader->limits.nodes);
		return NULL;
	}
	node = take(reader, sizeof(*node));
	if (node == NULL)
		return NULL;
	*node = (struct json_node){ .type = type, .key = reader->key };
	reader->key = NULL;
	if (reader->depth == 0) {
		reader->root = node;
	} else {
		struct level *level = &reader->levels[reader->depth - 1];

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
add_text(struct reader *reader, enum json_type type, const void *octets, size_t len)
{
	struct json_node *node = add(reader, type);

	if (node == NULL)
		return 0;
	node->text = keep(reader, octets, len);
	node->len = len;
	return node->text != NULL;
}

static int
add_nest(struct reader *reader, enum json_type type)
{
	struct json_node *node;

	if (reader->depth >= reader->limits.depth) {
		(void)nd_fail(&reader->why, ND_ESYNTAX, 0, "the JSON is nested deeper than %u", reader->limits.depth);
		return 0;
	}
	node = add(reader, type);
	if (node == NULL)
		return 0;
	reader->levels[reader->depth++] = (struct level){ .node = node };
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
	struct reader *reader = context;

	reader->depth--;
	return 1;
}

static int
twice(struct reader *reader, const char *key)
{
	(void)nd_fail(&reader->why, ND_ESYNTAX, 0, "the key \"%.80s\" appears twice", key);
	return 0;
}

static int
on_key(void *context, const unsigned char *octets, size_t len)
{
	struct reader *reader = context;
	const struct json_node *object = reader->levels[reader->depth - 1].node;

	reader->key = keep(reader, octets, len);
	if (reader->key == NULL)
		return 0;
	if (object->count >= FEW_MEMBERS)
		return 1;
	for (const struct json_node *member = object->child; member != NULL; member = member->next) {
		if (strcmp(member->key, reader->key) == 0)
			return twice(reader, reader->key);
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
	struct reader *reader = context;
	const struct json_node *object = reader->levels[--reader->depth].node;
	const char **keys;
	unsigned n = 0;
	int fine = 1;

	if (object->count <= FEW_MEMBERS)
		return 1;
	keys = malloc(object->count * sizeof(*keys));
	if (keys == NULL) {
		(void)nd_fail(&reader->why, ND_EMEMORY, 0, "no memory is left to read JSON");
		return 0;
	}
	for (const struct json_node *member = object->child; member != NULL; member = member->next)
		keys[n++] = member->key;
	qsort(keys, n, sizeof(*keys), compare_keys);
	for (unsigned i = 1; i < n && fine; i++) {
		if (strcmp(keys[i - 1], keys[i]) == 0)
			fine = twice(reader, keys[i]);
	}
	free(keys);
	return fine;
}

static const yajl_callbacks callbacks = {
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

/* --- reading --- */

static unsigned
line_at(const char *octets, size_t at)
{
	unsigned line = 1;

	for (size_t i = 0; i < at; i++)
		line += octets[i] == '\n';
	return line;
}

static enum nd_err
fail_at(struct nd_why *why, const char *octets, size_t at)
{
	return nd_fail_at(why, NULL, line_at(octets, at), NULL);
}

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Four hex digits, which yajl has checked. */
static unsigned
hex4(const char *digits)
{
	unsigned value = 0;

	for (int i = 0; i < 4; i++) {
		char c = digits[i];

		value = value * 16 + (unsigned)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
	}
	return value;
}

/* A backslash stands in strings only, and yajl has seen to it that each begins a whole escape.
 * NULL, or what is wrong at *at, which is moved behind the escape. */
static const char *
check_escape(const char *octets, size_t len, size_t *at)
{
	unsigned unit;
	size_t i = *at;

	if (octets[i + 1] != 'u' || len - i < 6) {
		*at = i + 2;
		return NULL;
	}
	unit = hex4(octets + i + 2);
	*at = i + 6;
	if (unit == 0)
		return "a string has a NUL (\\u0000)";
	if (unit < 0xd800 || unit > 0xdfff)
		return NULL;
	*at = i + 12;
	if (unit < 0xdc00 && len - i >= 12 && octets[i + 6] == '\\' && octets[i + 7] == 'u') {
		unsigned second = hex4(octets + i + 8);

		if (second >= 0xdc00 && second <= 0xdfff)
			return NULL;
	}
	*at = i;
	return "a string has half a character (a lone surrogate such as \\ud800)";
}

/* What yajl lets pass in the octets that it took. */
static enum nd_err
check_octets(const char *octets, size_t len, struct nd_why *why)
{
	const char *backslash, *wrong;
	size_t at = 0;

	if (!nd_str_utf8(octets, len)) {
		size_t n;

		while ((n = nd_str_utf8_len(octets + at, len - at)) > 0)
			at += n;
		(void)nd_fail(
		    why, ND_ESYNTAX, 0, "the JSON is not valid UTF-8 (octet 0x%02x)", (unsigned char)octets[at]);
		return fail_at(why, octets, at);
	}
	while ((backslash = memchr(octets + at, '\\', len - at)) != NULL) {
		at = (size_t)(backslash - octets);
		wrong = check_escape(octets, len, &at);
		if (wrong != NULL) {
			(void)nd_fail(why, ND_ESYNTAX, 0, "%s", wrong);
			return fail_at(why, octets, at);
		}
	}
	return ND_OK;
}

/* yajl's words, without its first line's class ("lexical error: "), and the character it met: never more of the input,
 * which may be a secret. */
static enum nd_err
tell(yajl_handle yajl, const char *octets, size_t len, struct nd_why *why)
{
	size_t at = yajl_get_bytes_consumed(yajl), n;
	unsigned char *words = yajl_get_error(yajl, 0, NULL, 0);
	const char *text = (const char *)words, *colon = words != NULL ? strstr(text, ": ") : NULL;

	if (at > 0)
		at--;
	if (at > len)
		at = len;
	if (colon != NULL)
		text = colon + 2;
	if (text == NULL)
		text = "it cannot be read";
	/* What a shell's quoting makes of a text: yajl's words say too little. */
	if (strncmp(text, "invalid character inside string", 31) == 0)
		text = "a string has a raw line break or control character, write \\n for it";
	n = nd_str_utf8_len(octets + at, len - at);
	(void)nd_fail(why, ND_ESYNTAX, 0, "the JSON is malformed: %.*s (at \"%.*s\")", (int)strcspn(text, "\n"), text,
	    (int)n, octets + at);
	if (words != NULL)
		yajl_free_error(yajl, words);
	return fail_at(why, octets, at);
}

/* Runs yajl over the first value; *taken is how many octets it has. */
static enum nd_err
parse(struct reader *reader, const char *octets, size_t len, size_t *taken, struct nd_why *why)
{
	yajl_alloc_funcs memory = { .malloc = yajl_take, .realloc = yajl_retake, .free = yajl_leave };
	yajl_handle yajl = yajl_alloc(&callbacks, &memory, reader);
	yajl_status status;
	enum nd_err err = ND_OK;

	(void)yajl_config(yajl, yajl_allow_trailing_garbage, 1);
	(void)yajl_config(yajl, yajl_dont_validate_strings, 1);
	status = yajl_parse(yajl, (const unsigned char *)octets, len);
	*taken = yajl_get_bytes_consumed(yajl);
	if (status == yajl_status_ok && (reader->root == NULL || reader->depth > 0)) {
		/* A number at the very end is known to be whole only now. */
		status = yajl_complete_parse(yajl);
		*taken = len;
		if (status != yajl_status_ok && reader->why.err == ND_OK) {
			(void)nd_fail(why, ND_ESYNTAX, 0, "the JSON ends too early");
			err = fail_at(why, octets, len);
		}
	}
	if (reader->why.err != ND_OK) {
		*why = reader->why;
		err = fail_at(why, octets, *taken > len ? len : *taken);
	} else if (status != yajl_status_ok && err == ND_OK) {
		err = tell(yajl, octets, len, why);
	}
	yajl_free(yajl);
	return err;
}

/* What follows the value at *taken: nothing when it must be the only one; else a space or the next one's bracket. */
static enum nd_err
check_rest(const char *octets, size_t len, size_t *taken, bool alone, struct nd_why *why)
{
	size_t at = *taken, spaces;

	while (at < len && is_space(octets[at]))
		at++;
	spaces = at - *taken;
	if (at < len && (alone || (spaces == 0 && octets[at] != '{' && octets[at] != '['))) {
		size_t n = nd_str_utf8_len(octets + at, len - at);

		(void)nd_fail(why, ND_ESYNTAX, 0, "there is something after the end of the JSON (at \"%.*s\")", (int)n,
		    octets + at);
		return fail_at(why, octets, at);
	}
	*taken = at;
	return ND_OK;
}

enum nd_err
json_read(struct json_tree *tree, const char *octets, size_t len, const struct json_limits *limits, size_t *used,
    struct nd_why *why)
{
	struct reader reader = { .block_size = BLOCK_FIRST, .limits = *limits };
	struct nd_why own;
	size_t taken = 0;
	enum nd_err err;

	if (why == NULL)
		why = &own;
	if (reader.limits.depth > DEPTH_MAX)
		reader.limits.depth = DEPTH_MAX;
	if (used == NULL && len > limits->octets)
		return nd_fail(why, ND_ETOOBIG, 0, "the JSON has more than %zu octets", limits->octets);
	err = parse(&reader, octets, len, &taken, why);
	if (err == ND_OK && taken > limits->octets)
		err = nd_fail(why, ND_ETOOBIG, 0, "the JSON has more than %zu octets", limits->octets);
	if (err == ND_OK)
		err = check_octets(octets, taken, why);
	if (err == ND_OK)
		err = check_rest(octets, len, &taken, used == NULL, why);
	if (err != ND_OK) {
		free_blocks(reader.blocks);
		return err;
	}
	*tree = (struct json_tree){ .root = reader.root, .blocks = reader.blocks };
	if (used != NULL)
		*used = taken;
	return ND_OK;
}

void
json_done(struct json_tree *tree)
{
	if (tree == NULL)
		return;
	free_blocks(tree->blocks);
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

const char *
json_get_text(const struct json_node *object, const char *key)
{
	const struct json_node *member = json_get(object, key);

	return member != NULL && member->type == JSON_STRING ? member->text : NULL;
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
