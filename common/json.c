/* SPDX-License-Identifier: Apache-2.0 */
/* json.c - bounded JSON in.  Layer: common, words.  With json_build.c the only user of yajl.
 *
 * yajl gives events, the tree is ours: it has no depth limit, checks UTF-8 weakly, mangles lone surrogates and lets
 * keys appear twice. So the octets it took and their escapes are checked once more, here, before anybody sees the tree.
 */
#include "common/json.h"

#include "common/json_build.h"
#include "common/json_here.h"
#include "common/mem.h"
#include "common/str.h"

#include <stdlib.h>
#include <string.h>

#define LIFTED 64u /* octets: longer strings are taken where they lie */

const struct json_limits json_limits_job = { .octets = 36700160, .depth = 16, .nodes = 200000 };
const struct json_limits json_limits_small = { .octets = 65536, .depth = 16, .nodes = 2000 };

/* yajl does not check its own allocations. What it needs is small, but for a string with escapes: twice its length. So the first blocks
 * lie here, one behind the other, and only what does not fit is malloc's. */
struct scratch {
	size_t used;
	_Alignas(max_align_t) char octets[4096];
};

static bool
is_scratch(const struct scratch *scratch, const void *octets)
{
	return (uintptr_t)octets - (uintptr_t)scratch->octets < sizeof(scratch->octets);
}

static void *
yajl_take(void *context, size_t size)
{
	struct scratch *scratch = context;
	const size_t at = scratch->used, taken = (size + 15) & ~(size_t)15;

	if (taken < size || taken > sizeof(scratch->octets) - at)
		return nd_xrealloc(NULL, size);
	scratch->used += taken;
	return scratch->octets + at;
}

static void *
yajl_retake(void *context, void *old, size_t size)
{
	const struct scratch *scratch = context;
	size_t most;
	void *octets;

	if (old == NULL)
		return yajl_take(context, size);
	if (!is_scratch(scratch, old))
		return nd_xrealloc(old, size);
	/* Nobody knows how long it was: no longer than what lies from there on. */
	most = (size_t)(scratch->octets + sizeof(scratch->octets) - (char *)old);
	octets = nd_xrealloc(NULL, size);
	return memcpy(octets, old, most < size ? most : size);
}

static void
yajl_leave(void *context, void *old)
{
	if (!is_scratch(context, old))
		free(old);
}

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
	struct json_build *build;
	yajl_handle yajl;
	const char *octets; /* the input */
	size_t len;
	size_t base;    /* where the piece that yajl has begins in it */
	unsigned lines; /* line ends before that */
	struct nd_why *why;
};

static bool
is_whole(const struct json_build *build)
{
	return build->root != NULL && build->depth == 0;
}

/* What yajl or a callback has against the piece. */
static enum nd_err
refuse(struct feeding *feeding, size_t piece_len)
{
	const char *piece = feeding->octets + feeding->base;
	size_t at = yajl_get_bytes_consumed(feeding->yajl);
	enum nd_err err;

	if (feeding->build->why.err != ND_OK) {
		*feeding->why = feeding->build->why;
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
	if (*taken > len || !is_whole(feeding->build))
		*taken = len;
	return ND_OK;
}

static enum nd_err
check_piece(struct feeding *feeding, size_t len)
{
	enum nd_err err = json_here_check(feeding->octets + feeding->base, len, 0, feeding->why);

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
	if (is_whole(feeding->build) || yajl_complete_parse(feeding->yajl) == yajl_status_ok)
		return check_piece(feeding, *taken);
	if (feeding->build->why.err != ND_OK)
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
	const size_t plain = nd_str_printable(string, len); /* most often nearly all of it */
	unsigned line = feeding->lines + 1;
	enum nd_err err;
	size_t decoded;

	if (json_here_control(string + plain, len - plain) != NULL)
		return wrong_string(
		    feeding, "a string has a raw line break or control character, write \\n for it", line);
	err = json_here_check(string, len, plain, feeding->why);
	if (err != ND_OK)
		return nd_fail_at(feeding->why, NULL, line, NULL);
	if (!json_here_decode(string, len, &decoded))
		return wrong_string(feeding, "a string has an escape that JSON does not know", line);
	feeding->build->lifted = (struct json_text){ string, decoded };
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
		if (err != ND_OK || is_whole(feeding->build))
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
	struct scratch scratch;
	yajl_alloc_funcs memory = { .malloc = yajl_take, .realloc = yajl_retake, .free = yajl_leave, .ctx = &scratch };
	enum nd_err err;
	size_t taken = 0;

	scratch.used = 0;
	feeding->yajl = yajl_alloc(&json_build_callbacks, &memory, feeding->build);
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
	struct json_build build = { .block_size = JSON_BUILD_BLOCK, .limits = *limits };
	struct nd_why own;
	enum nd_err err;

	if (feeding->why == NULL)
		feeding->why = &own;
	feeding->build = &build;
	if (build.limits.depth > JSON_BUILD_DEPTH)
		build.limits.depth = JSON_BUILD_DEPTH;
	if (used == NULL && feeding->len > limits->octets)
		err = nd_fail(feeding->why, ND_ETOOBIG, 0, "the JSON has more than %zu octets", limits->octets);
	else
		err = read(feeding, here, used, limits);
	feeding->build = NULL;
	feeding->why = NULL;
	if (err != ND_OK) {
		json_build_free(build.blocks);
		return err;
	}
	*tree = (struct json_tree){ .root = build.root, .blocks = build.blocks };
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
