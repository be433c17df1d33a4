/* SPDX-License-Identifier: Apache-2.0 */
/* mime_type.h - what a part that somebody else composed says it is, and its parameters (RFC 2045 5.1).  Layer: core (of mime).  Pure. */
#ifndef ND_CORE_MIME_TYPE_H
#define ND_CORE_MIME_TYPE_H

#include "common/buf.h"

#define MIME_TYPE_BOUNDARY 200u /* RFC 2046 5.1.1 allows 70 */

struct mime_type {
	char name[80];                         /* "text/plain", in lower case; "" it is none */
	char boundary[MIME_TYPE_BOUNDARY + 1]; /* "" none, or one that cannot be one */
	bool charset;                          /* it is named */
};

/* `value`: of Content-Type, behind the colon, with its folds. */
void mime_type_read(struct mime_type *type, const char *value, size_t len);
/* Of Content-Transfer-Encoding. */
enum mime_type_encoding {
	MIME_TYPE_UNSAID,
	MIME_TYPE_SEVEN_BIT,
	MIME_TYPE_EIGHT_BIT, /* or binary */
	MIME_TYPE_QUOTED,
	MIME_TYPE_BASED,
	MIME_TYPE_UNKNOWN
};
enum mime_type_encoding mime_type_encoding(const char *value);
/* Adds the field, "Name: ..." with its line ends; each parameter in UTF-8 as RFC 2231 has it, all else as it is. */
void mime_type_say(struct nd_buf *out, const char *field, size_t len);

#endif
