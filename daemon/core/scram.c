/* SPDX-License-Identifier: Apache-2.0 */
/* scram.c - the texts of SCRAM.  Layer: core.  Pure. */
#include "daemon/core/scram.h"

#include "common/str.h"

#include <stdio.h>
#include <string.h>

void
scram_name(const char *user, struct nd_buf *out)
{
	for (; *user != '\0'; user++) {
		if (*user == ',' || *user == '=')
			(void)nd_buf_adds(out, *user == ',' ? "=2C" : "=3D");
		else
			(void)nd_buf_addc(out, *user);
	}
}

/* Without the header "n,,". */
static void
say_bare(const char *user, const char *nonce, struct nd_buf *out)
{
	(void)nd_buf_adds(out, "n=");
	scram_name(user, out);
	(void)nd_buf_addf(out, ",r=%s", nonce);
}

void
scram_first(const char *user, const char *nonce, struct nd_buf *out)
{
	(void)nd_buf_adds(out, "n,,");
	say_bare(user, nonce, out);
}

/* "x=value" up to the next comma or the end; false: something else stands there. */
static bool
take(const char **at, const char *end, char name, const char **value, size_t *len)
{
	const char *comma;

	if (end - *at < 2 || (*at)[0] != name || (*at)[1] != '=')
		return false;
	*value = *at + 2;
	comma = memchr(*value, ',', (size_t)(end - *value));
	*len = (size_t)((comma ? comma : end) - *value);
	*at = comma ? comma + 1 : end;
	return true;
}

static bool
take_salt(const char *text, size_t len, struct scram *out)
{
	struct nd_buf salt;
	bool good;

	nd_buf_init(&salt, sizeof(out->salt));
	good = nd_str_unbase64(&salt, text, len, false) && salt.len > 0 && salt.len <= sizeof(out->salt);
	if (good) {
		memcpy(out->salt, salt.octets, salt.len);
		out->salt_len = salt.len;
	}
	nd_buf_done(&salt);
	return good;
}

static bool
take_iterations(const char *text, size_t len, unsigned *out)
{
	char digits[12];
	int64_t n;

	if (len >= sizeof(digits))
		return false;
	memcpy(digits, text, len);
	digits[len] = '\0';
	if (!nd_str_int(digits, 1, SCRAM_ITERATIONS_MAX, &n))
		return false;
	*out = (unsigned)n;
	return true;
}

static bool
take_nonce(const char *text, size_t len, const char *ours, struct scram *out)
{
	const size_t n = strlen(ours);

	if (len <= n || len >= sizeof(out->nonce) || memcmp(text, ours, n) != 0)
		return false;
	memcpy(out->nonce, text, len);
	out->nonce[len] = '\0';
	return true;
}

enum nd_err
scram_read(const char *user, const char *nonce, const char *text, size_t len, struct scram *out, struct nd_why *why)
{
	struct scram scram = { .nonce = "" };
	const char *at = text, *end = text + len, *value;
	struct nd_buf message;
	size_t n;
	bool good;

	if (!take(&at, end, 'r', &value, &n) || !take_nonce(value, n, nonce, &scram))
		return nd_fail(why, ND_EPROTOCOL, 0, "its answer to SCRAM does not continue our nonce");
	if (!take(&at, end, 's', &value, &n) || !take_salt(value, n, &scram) || !take(&at, end, 'i', &value, &n))
		return nd_fail(why, ND_EPROTOCOL, 0, "its answer to SCRAM has no salt or no number of iterations");
	if (!take_iterations(value, n, &scram.iterations))
		return nd_fail(why, ND_EPROTOCOL, 0, "it wants more than %u iterations of SCRAM", SCRAM_ITERATIONS_MAX);
	nd_buf_init(&message, sizeof(scram.message) - 1);
	say_bare(user, nonce, &message);
	(void)nd_buf_addc(&message, ',');
	(void)nd_buf_add(&message, text, len);
	good = nd_buf_addf(&message, ",c=biws,r=%s", scram.nonce) && !message.failed;
	if (good)
		memcpy(scram.message, nd_buf_text(&message), message.len + 1);
	nd_buf_done(&message);
	if (!good)
		return nd_fail(why, ND_EPROTOCOL, 0, "its answer to SCRAM is too long");
	*out = scram;
	return ND_OK;
}

void
scram_final(const struct scram *scram, const uint8_t proof[SCRAM_HASH], struct nd_buf *out)
{
	(void)nd_buf_addf(out, "c=biws,r=%s,p=", scram->nonce);
	(void)nd_str_base64(out, (const char *)proof, SCRAM_HASH);
}

bool
scram_verified(const char *text, size_t len, const uint8_t signature[SCRAM_HASH])
{
	const char *at = text, *value;
	struct nd_buf plain;
	size_t n;
	bool same;

	if (!take(&at, text + len, 'v', &value, &n))
		return false;
	nd_buf_init(&plain, 2 * SCRAM_HASH);
	same = nd_str_unbase64(&plain, value, n, false) && plain.len == SCRAM_HASH &&
	       memcmp(plain.octets, signature, SCRAM_HASH) == 0;
	nd_buf_done(&plain);
	return same;
}
