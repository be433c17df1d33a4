/* SPDX-License-Identifier: Apache-2.0 */
/* json_build.h - yajl's events => a tree.  Layer: common, words.  For json.c and json_tree.c alone.
 *
 * The callbacks give 0 to stop the reading, and say why in `why`.
 */
#ifndef ND_COMMON_JSON_BUILD_H
#define ND_COMMON_JSON_BUILD_H

#include "common/json.h"

#include <yajl/yajl_parse.h>

#define JSON_BUILD_DEPTH 32u
#define JSON_BUILD_BLOCK 992u /* octets of a tree's first block: most jobs fit, and malloc has such at hand */

struct json_block;

struct json_level {
	struct json_node *node, *last;
};

struct json_text {
	const char *octets;
	size_t len;
};

struct json_build {
	struct json_block *blocks; /* all that the tree holds */
	size_t block_size;         /* of the next one */
	struct json_limits limits; /* depth: at most JSON_BUILD_DEPTH */
	struct json_node *root;
	struct json_level levels[JSON_BUILD_DEPTH];
	unsigned depth, nodes;
	const char *key;         /* of the member that comes next */
	struct json_text lifted; /* what the next string or key really is; octets NULL: as yajl says */
	struct nd_why why;       /* err != ND_OK: a callback stopped the reading, and why */
};
extern const yajl_callbacks json_build_callbacks; /* their context: the struct json_build */

void *json_build_take(struct json_build *build, size_t size); /* NULL: no memory, and `why` says so */
/* A copy with a NUL behind it; NULL: no memory. A lifted string is not copied. */
const char *json_build_keep(struct json_build *build, const void *octets, size_t len);
void json_build_free(struct json_block *blocks); /* NULL does nothing */

#endif
