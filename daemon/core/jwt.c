/* SPDX-License-Identifier: Apache-2.0 */
/* jwt.c - the texts of signed assertions.  Layer: core.  Pure. */
#include "daemon/core/jwt.h"

#include "common/json.h"
#include "common/str.h"

#include <string.h>

#define TEXT_MAX 8192u
#define PAYLOAD_MAX 16384u

void
jwt_base64url(struct nd_buf *out, const void *octets, size_t len)
{
	size_t from = out->len;

	(void)nd_str_base64(out, octets, len);
	if (out->failed)
		return;
	for (size_t i = from; i < out->len; i++) {
		if (out->octets[i] == '+')
			out->octets[i] = '-';
		else if (out->octets[i] == '/')
			out->octets[i] = '_';
	}
	while (out->len > from && out->octets[out->len - 1] == '=')
		out->octets[--out->len] = '\0';
}

static void
put_text(struct json_out *json, const char *key, const char *text)
{
	if (text != NULL && text[0] != '\0')
		json_out_text(json, key, text);
}

static void
write_header(const struct jwt_ask *ask, struct nd_buf *text)
{
	struct json_out json;

	json_out_init(&json, text);
	json_out_object(&json, NULL);
	json_out_text(&json, "alg", ask->alg);
	json_out_text(&json, "typ", "JWT");
	put_text(&json, "kid", ask->kid);
	put_text(&json, "x5t#S256", ask->thumbprint);
	json_out_object_end(&json);
}

static void
write_claims(const struct jwt_ask *ask, struct nd_buf *text)
{
	const int64_t now = ask->now / 1000;
	struct json_out json;

	json_out_init(&json, text);
	json_out_object(&json, NULL);
	put_text(&json, "aud", ask->aud);
	put_text(&json, "iss", ask->iss);
	put_text(&json, "sub", ask->sub);
	put_text(&json, "scope", ask->scope);
	put_text(&json, "jti", ask->jti);
	if (ask->nbf)
		json_out_int(&json, "nbf", now);
	json_out_int(&json, "iat", now);
	json_out_int(&json, "exp", now + ask->life / 1000);
	json_out_object_end(&json);
}

void
jwt_write(const struct jwt_ask *ask, struct nd_buf *out)
{
	struct nd_buf text;

	nd_buf_init(&text, TEXT_MAX);
	write_header(ask, &text);
	jwt_base64url(out, nd_buf_text(&text), text.len);
	nd_buf_addc(out, '.');
	nd_buf_clear(&text);
	write_claims(ask, &text);
	jwt_base64url(out, nd_buf_text(&text), text.len);
	nd_buf_done(&text);
}

void
jwt_finish(struct nd_buf *out, const void *signature, size_t len)
{
	nd_buf_addc(out, '.');
	jwt_base64url(out, signature, len);
}

bool
jwt_payload(const struct nd_secret *jwt, struct nd_buf *out)
{
	const char *start = jwt->len > 0 ? memchr(jwt->octets, '.', jwt->len) : NULL, *end;
	struct nd_buf base64;
	bool good;

	if (start == NULL)
		return false;
	start++;
	end = memchr(start, '.', jwt->len - (size_t)(start - jwt->octets));
	if (end == NULL)
		return false;
	nd_buf_init(&base64, PAYLOAD_MAX);
	for (const char *c = start; c < end; c++)
		(void)nd_buf_addc(&base64, *c == '-' ? '+' : *c == '_' ? '/' : *c);
	while (base64.len % 4 != 0 && !base64.failed)
		(void)nd_buf_addc(&base64, '=');
	good = !base64.failed && nd_str_unbase64(out, nd_buf_text(&base64), base64.len, false);
	nd_buf_wipe(&base64);
	return good;
}

const char *
jwt_guid(const uint8_t dice[16], char out[JWT_GUID_SIZE])
{
	static const char digits[] = "0123456789abcdef";
	size_t at = 0;

	for (unsigned i = 0; i < 16; i++) {
		uint8_t octet = dice[i];

		if (i == 6)
			octet = (uint8_t)((octet & 0x0f) | 0x40);
		else if (i == 8)
			octet = (uint8_t)((octet & 0x3f) | 0x80);
		if (i == 4 || i == 6 || i == 8 || i == 10)
			out[at++] = '-';
		out[at++] = digits[octet >> 4];
		out[at++] = digits[octet & 15];
	}
	out[at] = '\0';
	return out;
}
