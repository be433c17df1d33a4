/* SPDX-License-Identifier: Apache-2.0 */
/* intake_digest.c - is it the same request? What is kept beside an idempotency key.
 *
 * A short secret in a known text is found by trying, when its digest is kept. So that of a sensitive request is made with a key of this
 * state folder, which is neither in the database nor in its backups.
 */
#include "daemon/intake_inner.h"

#include "common/log.h"
#include "common/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void
intake_digest_open(struct app *app)
{
	char path[4096], *kept = NULL;
	struct nd_why why;
	size_t len = 0;
	enum nd_err err;

	(void)snprintf(path, sizeof(path), "%s/request-key", app->options.state_dir);
	err = filer_read(path, sizeof(app->request_key), &kept, &len, &why);
	if (err == ND_OK && len == sizeof(app->request_key)) {
		memcpy(app->request_key, kept, len);
	} else {
		seal_fresh(app->request_key);
		err = filer_write(path, app->request_key, sizeof(app->request_key), &why);
	}
	nd_wipe_free(kept, len);
	/* Until the next start it does all the same. */
	if (err != ND_OK)
		nd_log(ND_LOG_WARNING, NULL,
		    "the key for digests of sensitive requests cannot be kept, so after a restart one that is sent "
		    "again "
		    "is not known as the same: %s",
		    why.text);
}

static bool
add_to_digest(void *digest, const char *octets, size_t len)
{
	tls_digest_add(digest, octets, len);
	return true;
}

void
intake_digest(const struct app *app, const struct json_node *value, const struct ready *ready, bool sensitive,
    struct store_digest *out)
{
	struct tls_digest *digest = tls_digest_new();
	struct nd_buf buf;
	struct json_out json;

	nd_buf_init_sink(&buf, 4 * (size_t)JOB_MAX_OCTETS, add_to_digest, digest);
	json_out_init(&json, &buf);
	json_out_node(&json, NULL, value);
	(void)nd_buf_flush(&buf);
	nd_buf_done(&buf);
	if (ready) {
		uint8_t message[32];

		tls_sha256(ready->octets, ready->len, message);
		tls_digest_add(digest, message, sizeof(message));
	}
	tls_digest_end(digest, out->plain);
	if (sensitive)
		seal_digest(app->request_key, out->plain, sizeof(out->plain), out->kept);
	else
		memcpy(out->kept, out->plain, sizeof(out->kept));
}
