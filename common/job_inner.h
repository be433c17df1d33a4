/* SPDX-License-Identifier: Apache-2.0 */
/* job_inner.h - what the files of job_check share.  Layer: common, words.  Only job_*.c may include it. */
#ifndef ND_COMMON_JOB_INNER_H
#define ND_COMMON_JOB_INNER_H

#include "common/job.h"

#include <stddef.h>
#include <stdint.h>

#define JOB_RCPT_SLOTS 2048u /* a power of two, over 2 * JOB_MAX_RCPTS */
#define JOB_MAX_NAME 255u    /* octets of a name: source, account, label, attachment */

struct job_checker {
	struct job_draft draft;
	struct nd_why *why;
	unsigned rcpts_listed, rcpt_room;
	uint16_t slots[JOB_RCPT_SLOTS]; /* rcpts by address: index + 1; 0 free */
};

struct job_field {
	const char *name;
	enum nd_err (*check)(struct job_checker *check, const struct job_field *field, const struct json_node *node);
	size_t place, len_place; /* offsets in struct job_draft */
	size_t max;              /* octets */
	enum job_rcpt_kind kind;
};

/* Says that `err`, which is reported already, was met at `field`; returns it. */
enum nd_err job_at(struct job_checker *check, const char *field, enum nd_err err);
enum nd_err job_wrong_type(
    struct job_checker *check, const char *field, const struct json_node *node, const char *wanted);
/* `name` is none of `known`: the nearest is the hint. */
enum nd_err job_unknown(struct job_checker *check, const char *field, const char *name, const char *const *known);
enum nd_err job_too_long(struct job_checker *check, const char *field, size_t max);
/* One line: a string without control characters. */
enum nd_err job_read_line(
    struct job_checker *check, const char *field, const struct json_node *node, size_t max, const char **out);

enum nd_err job_check_labels(struct job_checker *check, const struct job_field *field, const struct json_node *node);
enum nd_err job_check_headers(struct job_checker *check, const struct job_field *field, const struct json_node *node);
enum nd_err job_check_links(struct job_checker *check, const struct job_field *field, const struct json_node *node);
enum nd_err job_check_attachments(
    struct job_checker *check, const struct job_field *field, const struct json_node *node);

#endif
