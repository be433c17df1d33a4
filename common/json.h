/* SPDX-License-Identifier: Apache-2.0 */
/* json.h - bounded JSON in, JSON out.  Layer: common, words.  json.c and json_build.c are the only users of yajl.
 *
 * Reading gives a flat tree: one array of nodes, one arena of strings. RFC 8259, and stricter (design.md 3): valid UTF-8 (no
 * surrogates, no overlong), no duplicate keys, depth <= limits.depth, no NUL, no comments, nothing after the value.
 */
#ifndef ND_COMMON_JSON_H
#define ND_COMMON_JSON_H

#include "common/buf.h"
#include "common/err.h"

#include <stdbool.h>
#include <stdint.h>

enum json_type { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

struct json_node {
	enum json_type type;
	bool boolean;
	const char *key;                /* of an object's member, else NULL; borrowed from the tree */
	const char *text;               /* STRING: its octets, NUL after; NUMBER: as written; else NULL */
	size_t len;                     /* of text */
	unsigned count;                 /* ARRAY, OBJECT: children */
	struct json_node *child, *next; /* first child, next sibling */
};

struct json_limits {
	size_t octets;  /* of the input */
	unsigned depth; /* 16 */
	unsigned nodes;
};
extern const struct json_limits json_limits_job;   /* 36,700,160 octets, depth 16, 200,000 nodes */
extern const struct json_limits json_limits_small; /* 64 KiB, depth 16, 2,000 nodes: token replies, files of our own */

struct json_block;
struct json_tree {
	struct json_node *root;
	struct json_block *blocks; /* owned memory */
};

/* Reads the first value of `octets`. used == NULL: anything but white space after it is an error; else *used is how much it took
 * (white space after it too). ND_ESYNTAX (why->line set, the text names what), ND_ETOOBIG, ND_EMEMORY. The tree must be done. */
enum nd_err json_read(struct json_tree *tree, const char *octets, size_t len, const struct json_limits *limits,
    size_t *used, struct nd_why *why) ND_MUST_CHECK;
/* As json_read, for large inputs that the caller needs no more: strings are decoded where they lie, and the tree borrows them, so
 * `octets` must outlive it. What was taken is not JSON any longer, read or refused. *lines (NULL: not asked) grows by its line ends. */
enum nd_err json_read_here(struct json_tree *tree, char *octets, size_t len, const struct json_limits *limits,
    size_t *used, unsigned *lines, struct nd_why *why) ND_MUST_CHECK;
/* How long the first object or array is, as its brackets and quotes tell; more than `len`: it has no end there. What begins otherwise has length 0. */
size_t json_span(const char *octets, size_t len);
/* One more member of a tree's object. The text is borrowed, unless it is no UTF-8 or holds a NUL: then a copy has U+FFFD there.
 * ND_ESYNTAX: it has such a member, ND_EMEMORY. */
enum nd_err json_add_text(
    struct json_tree *tree, const char *key, const char *text, size_t len, struct nd_why *why) ND_MUST_CHECK;
void json_done(struct json_tree *tree);
size_t json_weight(const struct json_node *node); /* about the octets of all below it */
const struct json_node *json_get(const struct json_node *object, const char *key); /* NULL: none, or not an object */
bool json_true(const struct json_node *object, const char *key);                   /* a member that is true */
/* A string member's text or NULL. */
const char *json_get_text(const struct json_node *object, const char *key);
/* An object whose members are all among `known`, which ends with NULL. ND_ESYNTAX, ND_EUNKNOWN. */
enum nd_err json_only(const struct json_node *node, const char *const *known, struct nd_why *why) ND_MUST_CHECK;
bool json_int(const struct json_node *node, int64_t min, int64_t max, int64_t *out); /* NUMBER without fraction */
const char *json_type_name(enum json_type type);                                     /* "a string", "an object" … */

/* Writing: valid UTF-8 in, compact JSON out, appended to `buf` (which keeps the limit). Commas and quotes are the writer's. */
struct json_out {
	struct nd_buf *buf; /* borrowed */
	unsigned depth;
	uint32_t comma; /* bit per depth: a comma is due */
};
void json_out_init(struct json_out *out, struct nd_buf *buf);
void json_out_object(struct json_out *out, const char *key); /* key NULL in arrays and at the top */
void json_out_object_end(struct json_out *out);
void json_out_array(struct json_out *out, const char *key);
void json_out_array_end(struct json_out *out);
void json_out_text(struct json_out *out, const char *key, const char *text); /* text NULL: the member is left out */
void json_out_textn(struct json_out *out, const char *key, const char *text, size_t len);
void json_out_int(struct json_out *out, const char *key, int64_t value);
void json_out_bool(struct json_out *out, const char *key, bool value);
void json_out_null(struct json_out *out, const char *key);
/* RFC 3339; 0 leaves the member out. */
void json_out_time(struct json_out *out, const char *key, int64_t unix_ms);
/* A node of a tree, written again as it is. */
void json_out_node(struct json_out *out, const char *key, const struct json_node *node);
/* Octets that are JSON already. */
void json_out_raw(struct json_out *out, const char *key, const char *json);

#endif
