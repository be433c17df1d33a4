/* SPDX-License-Identifier: Apache-2.0 */
/* form.h - names and values of a form or a query => the same job as JSON.  Layer: common, words.  Pure.
 *
 * Only the shape is changed here: what a field may hold is job_check's to say, so a form is judged as its JSON would be.
 */
#ifndef ND_COMMON_FORM_H
#define ND_COMMON_FORM_H

#include "common/buf.h"
#include "common/err.h"

#include <stdbool.h>
#include <stddef.h>

#define FORM_MAX_PAIRS 2048u

struct form_pair {
	const char *name, *value; /* borrowed; value may hold NULs */
	size_t len;               /* of value */
};
struct form {
	struct form_pair *pairs; /* owned */
	unsigned count, room;
	struct nd_buf words; /* what form_split decoded */
};

void form_init(struct form *form);
void form_done(struct form *form);
/* One more pair; the texts are borrowed. ND_ETOOBIG: more than FORM_MAX_PAIRS. */
enum nd_err form_add(
    struct form *form, const char *name, const char *value, size_t len, struct nd_why *why) ND_MUST_CHECK;
/* Adds the pairs of application/x-www-form-urlencoded octets; once for each form. */
enum nd_err form_split(struct form *form, const char *octets, size_t len, struct nd_why *why) ND_MUST_CHECK;

/* The fields of a job that a form can give. "labels" and "headers" are written label.NAME and header.NAME. */
extern const char *const form_job_fields[];
/* Writes one JSON object. `fields` (NULL-terminated) are the names taken: to, cc, bcc any number of times, others once; an empty value counts
 * as not given. Octets of text and html that are no UTF-8 become U+FFFD: a log is worth more than its encoding. */
enum nd_err form_object(
    const struct form *form, const char *const *fields, struct nd_buf *json, struct nd_why *why) ND_MUST_CHECK;

/* As form_object, and read; texts of more than 64 KiB are borrowed from the form where they can be. */
struct json_tree;
enum nd_err form_tree(
    const struct form *form, const char *const *fields, struct json_tree *tree, struct nd_why *why) ND_MUST_CHECK;

#endif
