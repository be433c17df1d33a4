/* SPDX-License-Identifier: Apache-2.0 */
/* pkce.c - proof key for code exchange.  Layer: core.  Pure. */
#include "daemon/core/pkce.h"

#include "daemon/core/jwt.h"

#include <string.h>

const char *
pkce_text(const uint8_t octets[32], char out[PKCE_SIZE])
{
	struct nd_buf text;

	nd_buf_init(&text, PKCE_SIZE + 1); /* a padding octet is there for a moment */
	jwt_base64url(&text, octets, 32);
	memcpy(out, nd_buf_text(&text), text.len + 1);
	nd_buf_wipe(&text);
	return out;
}
