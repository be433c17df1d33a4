/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_conf.c - any octets are settings or are refused with reasons; settings without a fault can be used.
 *
 * A form feed alone on a line begins the next file.
 */
#include "common/str.h"
#include "daemon/core/conf.h"
#include "tests/fuzz/fuzz.h"

#include <stdint.h>
#include <string.h>

static void
check_faults(const struct conf_faults *faults)
{
	char line[1024];

	must(faults->count <= CONF_MAX_FAULTS);
	for (unsigned i = 0; i < faults->count; i++) {
		const struct nd_why *why = &faults->fault[i].why;

		must(why->err == ND_ECONF && why->text[0] != '\0');
		must(conf_fault_line(&faults->fault[i], line, sizeof(line)) == line);
		must(nd_str_utf8(line, strlen(line)) && !nd_str_has_control(line, strlen(line)));
	}
}

static void
check_reference(const char *text)
{
	must(strncmp(text, "credential:", 11) == 0 || strncmp(text, "file:/", 6) == 0 || strncmp(text, "env:", 4) == 0);
}

/* What the rest of the program relies on. */
static void
check_account(const struct conf_account *account)
{
	must(account->name[0] != '\0' && strlen(account->name) <= 32 && strchr(account->name, '/') == NULL);
	must(account->host[0] != '\0' && account->tls_name[0] != '\0' && account->ehlo[0] != '\0');
	must(account->port >= 1 && account->port <= 65535 && account->max_connections >= 1);
	must(account->from_box.address != NULL && account->envelope_from[0] != '\0' && account->user[0] != '\0');
	must(account->provider >= 0 && account->provider < CONF_PROVIDER_COUNT);
	if (account->auth == CONF_OAUTH2) {
		must(account->security != CONF_PLAIN && account->client_id[0] != '\0');
		must(nd_str_starts_nocase(account->token_url, "https://"));
		check_reference(account->client_secret);
	} else if (account->auth == CONF_PASSWORD)
		check_reference(account->password);
}

int
LLVMFuzzerTestOneInput(const uint8_t *octets, size_t len)
{
	static const struct conf_host host = { "web01", "web01.contoso.com" };
	const char *text = (const char *)octets;
	struct conf_faults faults = { 0 };
	struct conf conf;

	conf_init(&conf, &host);
	for (unsigned files = 0; files < 4; files++) {
		const char *end = len > 0 ? memmem(text, len, "\f\n", 2) : NULL;
		size_t n = end != NULL ? (size_t)(end - text) : len;

		conf_read(&conf, "fuzz.conf", text, n, &faults);
		if (end == NULL)
			break;
		text += n + 2;
		len -= n + 2;
	}
	conf_finish(&conf, &faults);
	check_faults(&faults);
	must(conf.account_count <= CONF_MAX_ACCOUNTS);
	for (unsigned i = 0; faults.count == 0 && i < conf.account_count; i++)
		check_account(&conf.account[i]);
	for (unsigned i = 0; faults.count == 0 && i < conf.accounts.count; i++)
		must(conf_account_nth(&conf, i) != NULL);
	conf_faults_done(&faults);
	conf_done(&conf);
	return 0;
}
