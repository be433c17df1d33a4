/* SPDX-License-Identifier: Apache-2.0 */
/* json.c - bounded JSON in, JSON out.  Layer: common, words.  The only user of yajl.
 *
 * yajl gives events, the tree is ours: it has no depth limit, checks UTF-8 weakly, mangles lone surrogates and lets
 * keys appear twice. So the octets it took and their escapes are checked once more, here, before anybody sees the tree.
 */
#include "common/json.h"

#include "common/json_here.h"
#include "common/mem.h"
#include "common/str.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <yajl/yajl_parse.h>

#define DEPTH_MAX 32u
/* Objects of more members are checked for equal keys when they end, by sorting. */
#define FEW_MEMBERS 12u
#define BLOCK_FIRST 960u /* with its header a size that malloc keeps at hand */
#define BLOCK_MAX 262144u
#define WIPED_MAX 65536u
#define LIFTED 64u /* octets: longer strings are taken where they lie */

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

struct json_text {
	const char *octets;
	size_t len;
};

struct reader {
	struct block *blocks;
	size_t block_size;
	struct json_limits limits;
	struct json_node *root;
	struct level levels[DEPTH_MAX];
	unsigned depth, nodes;
	const char *key;         /* of the member that comes next */
	struct json_text lifted; /* what the next string or key really is; octets NULL: as yajl says */
	struct nd_why why;       /* err != ND_OK: a callback stopped the reading, and why */
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
	const char *lifted = reader->lifted.octets;
	char *copy;

	reader->lifted.octets = NULL;
	if (lifted != NULL)
		return lifted;
	copy = take(reader, len + 1);
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
	node->len = reader->lifted.octets != NULL ? reader->lifted.len : len;
	node->text = keep(reader, octets, len);
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

static enum nd_err
fail_at(struct nd_why *why, const char *octets, size_t at)
{
	return nd_fail_at(why, NULL, json_here_line(octets, at), NULL);
}

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
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

/* One reading. The input is fed to yajl whole; or, when strings are taken where they lie, in pieces: what stands between
 * the long ones, each of which yajl sees as an empty string. */
struct feeding {
	struct reader *reader;
	yajl_handle yajl;
	const char *octets; /* the input */
	size_t len;
	size_t base;    /* where the piece that yajl has begins in it */
	unsigned lines; /* line ends before that */
	struct nd_why *why;
};

static bool
is_whole(const struct reader *reader)
{
	return reader->root != NULL && reader->depth == 0;
}

/* What yajl or a callback has against the piece. */
static enum nd_err
refuse(struct feeding *feeding, size_t piece_len)
{
	const char *piece = feeding->octets + feeding->base;
	size_t at = yajl_get_bytes_consumed(feeding->yajl);
	enum nd_err err;

	if (feeding->reader->why.err != ND_OK) {
		*feeding->why = feeding->reader->why;
		err = fail_at(feeding->why, piece, at > piece_len ? piece_len : at);
	} else {
		err = tell(feeding->yajl, piece, piece_len, feeding->why);
	}
	feeding->why->line += feeding->lines;
	return err;
}

/* yajl gets the next `len` octets; *taken are of the value. */
static enum nd_err
feed(struct feeding *feeding, size_t len, size_t *taken)
{
	const char *piece = feeding->octets + feeding->base;

	if (yajl_parse(feeding->yajl, (const unsigned char *)piece, len) != yajl_status_ok)
		return refuse(feeding, len);
	*taken = yajl_get_bytes_consumed(feeding->yajl);
	if (*taken > len || !is_whole(feeding->reader))
		*taken = len;
	return ND_OK;
}

static enum nd_err
check_piece(struct feeding *feeding, size_t len)
{
	enum nd_err err = json_here_check(feeding->octets + feeding->base, len, feeding->why);

	if (err != ND_OK)
		feeding->why->line += feeding->lines;
	return err;
}

/* The rest of the input. A number at its very end is known to be whole only when yajl is told that it was the end. */
static enum nd_err
feed_last(struct feeding *feeding, size_t *taken)
{
	size_t len = feeding->len - feeding->base;
	enum nd_err err = feed(feeding, len, taken);

	if (err != ND_OK)
		return err;
	if (is_whole(feeding->reader) || yajl_complete_parse(feeding->yajl) == yajl_status_ok)
		return check_piece(feeding, *taken);
	if (feeding->reader->why.err != ND_OK)
		return refuse(feeding, len);
	(void)nd_fail(feeding->why, ND_ESYNTAX, 0, "the JSON ends too early");
	(void)fail_at(feeding->why, feeding->octets + feeding->base, len);
	feeding->why->line += feeding->lines;
	return ND_ESYNTAX;
}

/* --- strings where they lie --- */

static enum nd_err
wrong_string(struct feeding *feeding, const char *words, unsigned line)
{
	(void)nd_fail(feeding->why, ND_ESYNTAX, 0, "the JSON is malformed: %s", words);
	return nd_fail_at(feeding->why, NULL, line, NULL);
}

/* yajl has seen the quote that opens the string: it gets the other one, and finds nothing between them. */
static enum nd_err
lift(struct feeding *feeding, char *string, size_t len)
{
	unsigned line = feeding->lines + 1;
	enum nd_err err;
	size_t decoded;

	if (json_here_control(string, len) != NULL)
		return wrong_string(
		    feeding, "a string has a raw line break or control character, write \\n for it", line);
	err = json_here_check(string, len, feeding->why);
	if (err != ND_OK)
		return nd_fail_at(feeding->why, NULL, line, NULL);
	if (!json_here_decode(string, len, &decoded))
		return wrong_string(feeding, "a string has an escape that JSON does not know", line);
	feeding->reader->lifted = (struct json_text){ string, decoded };
	if (yajl_parse(feeding->yajl, (const unsigned char *)"\"", 1) != yajl_status_ok)
		return refuse(feeding, 0);
	return ND_OK;
}

static unsigned
count_lines(const char *octets, size_t len)
{
	return json_here_line(octets, len) - 1;
}

/* Feeds what stands before the long strings, takes those from under yajl's eyes, then feeds the rest. */
static enum nd_err
feed_pieces(struct feeding *feeding, char *octets, size_t *taken)
{
	size_t len = feeding->len, at = 0, end, piece;
	enum nd_err err;
	const char *quote;

	while ((quote = memchr(octets + at, '"', len - at)) != NULL) {
		at = (size_t)(quote - octets) + 1;
		end = json_here_end(octets, len, at);
		if (end - at < LIFTED || end == len) {
			at = end < len ? end + 1 : len;
			continue;
		}
		piece = at - feeding->base;
		err = feed(feeding, piece, taken);
		if (err == ND_OK)
			err = check_piece(feeding, *taken);
		/* The value ended before the string, or yajl does not take it for one. */
		if (err != ND_OK || is_whole(feeding->reader))
			return err;
		feeding->lines += count_lines(octets + feeding->base, piece);
		feeding->base = at;
		err = lift(feeding, octets + at, end - at);
		if (err != ND_OK)
			return err;
		feeding->base = at = end + 1;
	}
	return feed_last(feeding, taken);
}

/* What follows the value at *taken: nothing when it must be the only one; else a space or the next one's bracket. */
static enum nd_err
check_rest(const char *octets, size_t len, size_t *taken, bool alone, struct nd_why *why)
{
	size_t at = *taken, spaces;

	while (at < len &&
	       is_space(octets[at])) /* NOLINT(clang-analyzer-core.NullDereference): no octets have no length */
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

/* `here` NULL: strings are copied; else it is `octets`, and strings stay in it. */
static enum nd_err
read(struct feeding *feeding, char *here, size_t *used, const struct json_limits *limits)
{
	yajl_alloc_funcs memory = { .malloc = yajl_take, .realloc = yajl_retake, .free = yajl_leave };
	enum nd_err err;
	size_t taken = 0;

	feeding->yajl = yajl_alloc(&callbacks, &memory, feeding->reader);
	(void)yajl_config(feeding->yajl, yajl_allow_trailing_garbage, 1);
	(void)yajl_config(feeding->yajl, yajl_dont_validate_strings, 1);
	err = here != NULL ? feed_pieces(feeding, here, &taken) : feed_last(feeding, &taken);
	yajl_free(feeding->yajl);
	if (err == ND_OK && feeding->base + taken > limits->octets)
		err = nd_fail(feeding->why, ND_ETOOBIG, 0, "the JSON has more than %zu octets", limits->octets);
	if (err == ND_OK) {
		err = check_rest(
		    feeding->octets + feeding->base, feeding->len - feeding->base, &taken, used == NULL, feeding->why);
		if (err != ND_OK)
			feeding->why->line += feeding->lines;
	}
	if (err == ND_OK && used != NULL)
		*used = feeding->base + taken;
	if (err == ND_OK && here != NULL)
		feeding->lines += count_lines(feeding->octets + feeding->base, taken);
	return err;
}

static enum nd_err
read_tree(struct json_tree *tree, struct feeding *feeding, char *here, size_t *used, const struct json_limits *limits)
{
	struct reader reader = { .block_size = BLOCK_FIRST, .limits = *limits };
	struct nd_why own;
	enum nd_err err;

	if (feeding->why == NULL)
		feeding->why = &own;
	feeding->reader = &reader;
	if (reader.limits.depth > DEPTH_MAX)
		reader.limits.depth = DEPTH_MAX;
	if (used == NULL && feeding->len > limits->octets)
		err = nd_fail(feeding->why, ND_ETOOBIG, 0, "the JSON has more than %zu octets", limits->octets);
	else
		err = read(feeding, here, used, limits);
	feeding->reader = NULL;
	feeding->why = NULL;
	if (err != ND_OK) {
		free_blocks(reader.blocks);
		return err;
	}
	*tree = (struct json_tree){ .root = reader.root, .blocks = reader.blocks };
	return ND_OK;
}

enum nd_err
json_read(struct json_tree *tree, const char *octets, size_t len, const struct json_limits *limits, size_t *used,
    struct nd_why *why)
{
	struct feeding feeding = { .octets = octets, .len = len, .why = why };

	return read_tree(tree, &feeding, NULL, used, limits);
}

/* NOLINTBEGIN(readability-function-size): json_read's parameters, and what only here must be told */
enum nd_err
json_read_here(struct json_tree *tree, char *octets, size_t len, const struct json_limits *limits, size_t *used,
    unsigned *lines, struct nd_why *why)
{
	struct feeding feeding = { .octets = octets, .len = len, .why = why };
	enum nd_err err = read_tree(tree, &feeding, octets, used, limits);

	if (err == ND_OK && lines != NULL)
		*lines += feeding.lines;
	return err;
}
/* NOLINTEND(readability-function-size) */

/* A copy that has U+FFFD for each octet that is no UTF-8, and for NUL. */
static const char *
keep_clean(struct reader *reader, const char *text, size_t len, size_t *kept)
{
	char *copy = take(reader, 3 * len + 1), *to = copy;

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
	struct reader reader = { .blocks = tree->blocks, .block_size = BLOCK_FIRST };
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
	node = take(&reader, sizeof(*node));
	if (node != NULL) {
		*node = (struct json_node){ .type = JSON_STRING, .text = text, .len = len };
		node->key = keep(&reader, key, strlen(key));
		if (!clean)
			node->text = keep_clean(&reader, text, len, &node->len);
	}
	tree->blocks = reader.blocks;
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
