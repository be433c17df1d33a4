/* SPDX-License-Identifier: Apache-2.0 */
/* pkce.c - proof key for code exchange.  Layer: core.  Pure. */
#include "daemon/core/pkce.h"

const char *
pkce_text(const uint8_t octets[32], char out[PKCE_SIZE])
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	uint32_t bits = 0;
	unsigned have = 0, n = 0;

	for (unsigned i = 0; i < 32; i++) {
		bits = (bits << 8) | octets[i];
		have += 8;
		while (have >= 6) {
			have -= 6;
			out[n++] = digits[(bits >> have) & 63];
		}
	}
	out[n++] = digits[(bits << (6 - have)) & 63];
	out[n] = '\0';
	return out;
}
