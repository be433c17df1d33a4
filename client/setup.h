/* SPDX-License-Identifier: Apache-2.0 */
/* setup.h - what an account of a provider needs, and what its administrator has to do: tables.  Layer: client. */
#ifndef ND_CLIENT_SETUP_H
#define ND_CLIENT_SETUP_H

#include "common/buf.h"
#include "common/explain.h"

#include <stdbool.h>

enum setup_value {
	SETUP_NAME,
	SETUP_FROM,
	SETUP_USER,
	SETUP_TENANT,
	SETUP_CLIENT_ID,
	SETUP_HOST,
	SETUP_EXPIRES,
	SETUP_CERTIFICATE,
	SETUP_THUMBPRINT,
	SETUP_PEM,      /* lines */
	SETUP_ADDRESS,  /* of from, without its name */
	SETUP_PROVIDER, /* of Microsoft: of which cloud */
	SETUP_VALUES
};

/* A way to log in at a provider: --grant. */
enum setup_way {
	SETUP_MS_APP,
	SETUP_MS_RBAC,
	SETUP_MS_APP_CERT,
	SETUP_MS_RBAC_CERT,
	SETUP_MS_CODE,
	SETUP_MS_DEVICE,
	SETUP_GOOGLE_CODE,
	SETUP_GOOGLE_SERVICE,
	SETUP_GOOGLE_PASSWORD,
	SETUP_SES,
	SETUP_SMTP,
	SETUP_SMTP_OPEN,
	SETUP_WAYS
};
struct setup_way_row {
	const char *provider, *grant; /* as they are given */
	const char *name;             /* of the account, when nobody chose one */
	const char
	    *needs; /* the values that are asked for, a letter each: setup_questions; a capital one may be left empty */
	const char *settings; /* of the drop-in, with {…} in it */
	bool certificate;     /* --certificate */
};
extern const struct setup_way_row setup_ways[SETUP_WAYS];

/* What Microsoft has besides its worldwide cloud: --cloud, --hve. */
enum setup_variant { SETUP_USGOV, SETUP_DOD, SETUP_CHINA, SETUP_HVE, SETUP_VARIANTS, SETUP_WORLDWIDE = SETUP_VARIANTS };
struct setup_variant_row {
	const char *cloud, *provider; /* cloud: NULL it is none */
};
extern const struct setup_variant_row setup_variants[SETUP_VARIANTS];

struct setup_question {
	char letter;
	const char *key, *question;
	const char *empty; /* what it means to leave it empty, where that is allowed */
};
extern const struct setup_question setup_questions[SETUP_VALUES];

struct setup {
	enum setup_way way;
	enum setup_variant variant;
	char *value[SETUP_VALUES]; /* owned; NULL not given */
};

/* Text with its {…} filled in; what is not known stays as <tenant>. `quoted`: for PowerShell, between single quotes. */
void setup_fill(const struct setup *setup, const char *text, bool quoted, struct nd_buf *out);
/* The drop-in. */
void setup_settings(const struct setup *setup, struct nd_buf *out);
/* The sheet for whoever administers the provider; each line begins with `start`. */
void setup_sheet(const struct setup *setup, enum explain_lang lang, const char *start, struct nd_buf *out);

/* Settings that are tried by notifyd --check before they are written: with all that the configuration has besides, if it will read them from
 * `output`, else alone. unlisted: they are good, but [daemon] accounts does not name the account. What is wrong notifyd tells on stderr. */
struct setup_check {
	const char *program, *config, *output, *name;
	const struct nd_buf *settings;
};
enum nd_err setup_check(const struct setup_check *wish, bool *unlisted, struct nd_why *why) ND_MUST_CHECK;
#define SETUP_UNLISTED "; only for jobs that name it" /* behind such an account, by notifyd --check */
/* conf.d/NAME.conf beside `config`; false: it is too long. */
bool setup_drop_in(const char *config, const char *name, char *path, size_t size);

#endif
