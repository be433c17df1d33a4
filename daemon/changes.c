/* SPDX-License-Identifier: Apache-2.0 */
/* changes.c - when accounts were changed last, over a restart: what a provider refuses soon after is a known delay. In STATE/downtime,
 * with a number of the settings, so that a change while notifyd did not run is seen too; and what servers asked to wait for. */
#include "daemon/app.h"

#include "common/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define PRINT_SIZE 17

static const char *
print_of(const struct engine_account *account, char out[PRINT_SIZE])
{
	(void)snprintf(out, PRINT_SIZE, "%016" PRIx64, conf_print(account->conf));
	return out;
}

static void
read_one(struct engine_account *account, const struct json_node *kept, struct nd_now now)
{
	const char *print = json_get_text(kept, "settings");
	char mine[PRINT_SIZE];
	int64_t at;

	account->changed = now.unix_ms;
	if (!print || strcmp(print, print_of(account, mine)) != 0)
		return; /* its first start, or others than before */
	account->changed = json_int(json_get(kept, "at"), 0, INT64_MAX / 2, &at) ? at : 0;
	engine_limit_told(account, kept, now);
}

void
changes_read(struct app *app, const struct json_node *kept)
{
	struct engine_account *account;

	for (unsigned i = 0; (account = engine_account_nth(app->engine, i)) != NULL; i++)
		read_one(account, json_get(kept, account->conf->name), loop_now(app->loop));
}

void
changes_write(struct app *app, struct json_out *out)
{
	struct engine_account *account;
	char print[PRINT_SIZE];

	json_out_object(out, "changed");
	for (unsigned i = 0; (account = engine_account_nth(app->engine, i)) != NULL; i++) {
		if (account->gone)
			continue;
		json_out_object(out, account->conf->name);
		json_out_int(out, "at", account->changed);
		json_out_text(out, "settings", print_of(account, print));
		engine_limit_tell(account, loop_now(app->loop), out);
		json_out_object_end(out);
	}
	json_out_object_end(out);
}
