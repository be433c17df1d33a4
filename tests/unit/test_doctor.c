/* SPDX-License-Identifier: Apache-2.0 */
/* test_doctor.c - what an alert needs of its host: which finding, how bad, and with which cure. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/core/doctor.h"

#include <string.h>

#define MIB (INT64_C(1) << 20)

static struct doctor_finding found;

/* How bad, and words of the detail and of the remedy. */
static void
is(const char *check, enum doctor_level level, const char *detail, const char *remedy)
{
	assert_string_equal(found.check, check);
	assert_string_equal(doctor_level_name(found.level), doctor_level_name(level));
	if (strstr(found.detail, detail) == NULL || strstr(found.remedy, remedy) == NULL)
		fail_msg("\"%s\" / \"%s\" lack \"%s\" / \"%s\"", found.detail, found.remedy, detail, remedy);
	assert_int_equal(found.remedy[0] != '\0', level != DOCTOR_OK);
}

static void
configure(struct conf *conf, const char *text)
{
	const struct conf_host names = { "host", "host.example.com" };
	struct conf_faults faults = { 0 };

	conf_init(conf, &names);
	conf_read(conf, "notifyd.conf", text, strlen(text), &faults);
	conf_finish(conf, &faults);
	assert_int_equal(faults.count, 0);
	conf_faults_done(&faults);
}

#define ACCOUNT(name)                                                                                                  \
	"[account " name "]\nprovider = microsoft\nfrom = a@contoso.com\ntenant = contoso.com\n"                       \
	"client_id = 9ab20000-0000-0000-0000-000000000000\nclient_secret = credential:m\n"
#define RELAY "[account r]\nprovider = smtp\nfrom = a@contoso.com\nauth = none\nhost = relay.example.com:26\n"

static void
is_target(const struct doctor_target *target, const char *what, const char *host, unsigned port)
{
	assert_string_equal(target->what, what);
	assert_string_equal(target->host, host);
	assert_int_equal(target->port, port);
}

static void
each_server_and_endpoint_is_visited_once(void **state)
{
	struct doctor_target targets[DOCTOR_TARGETS];
	struct conf conf;

	(void)state;
	configure(&conf, ACCOUNT("m") ACCOUNT("n") RELAY);
	assert_int_equal(doctor_targets(&conf, targets), 3);
	is_target(&targets[0], "the server", "smtp.office365.com", 587);
	is_target(&targets[1], "the token endpoint", "login.microsoftonline.com", 443);
	is_target(&targets[2], "the server", "relay.example.com", 26);
	conf_done(&conf);
	configure(&conf, ACCOUNT("m") "token_url = https://[2001:db8::1]:8443/token\n");
	assert_int_equal(doctor_targets(&conf, targets), 2);
	is_target(&targets[1], "the token endpoint", "2001:db8::1", 8443);
	conf_done(&conf);
}

static void
where_a_proxy_stands_it_is_visited_instead(void **state)
{
	struct doctor_target targets[DOCTOR_TARGETS];
	struct conf conf;

	(void)state;
	configure(&conf, "[daemon]\nproxy = http://proxy.example.com:3128\n" ACCOUNT(
			     "m") "smtp_proxy = socks5://s.example.com:1080\n");
	assert_int_equal(doctor_targets(&conf, targets), 2);
	is_target(&targets[0], "the proxy", "s.example.com", 1080);
	is_target(&targets[1], "the proxy", "proxy.example.com", 3128);
	conf_done(&conf);
	configure(
	    &conf, "[daemon]\nproxy = http://proxy.example.com:3128\nno_proxy = microsoftonline.com\n" ACCOUNT("m"));
	assert_int_equal(doctor_targets(&conf, targets), 3);
	is_target(&targets[2], "the token endpoint", "login.microsoftonline.com", 443);
	conf_done(&conf);
}

static void
a_name_or_a_port_that_is_out_of_reach_is_named(void **state)
{
	const struct doctor_target target = {
		.what = "the server", .ja = "サーバー", .account = "m", .host = "smtp.example.com", .port = 587
	};
	struct nd_why why;

	(void)state;
	(void)nd_fail(&why, ND_ERESOLVE, 0, "nobody knows it");
	doctor_resolved(&target, "", 0, 5000, &why, &found);
	is("resolver", DOCTOR_FAIL, "smtp.example.com, the server of account m: nobody knows it, after 5000 ms",
	    "getent ahosts smtp.example.com");
	doctor_resolved(&target, "192.0.2.1", 2, 10, NULL, &found);
	is("resolver", DOCTOR_OK, "smtp.example.com has 2 addresses, the first is 192.0.2.1; it took 10 ms", "");
	doctor_resolved(&target, "192.0.2.1", 1, 5001, NULL, &found);
	is("resolver", DOCTOR_WARN, "1 address, ", "answers late");
	doctor_reached(&target, "192.0.2.1", 7, NULL, &found);
	is("port", DOCTOR_OK, "smtp.example.com port 587: connected to 192.0.2.1 in 7 ms", "");
	doctor_reached(&target, NULL, 0, &why, &found);
	is("port", DOCTOR_FAIL, "smtp.example.com port 587, the server of account m: nobody",
	    "smtp.example.com port 587");
}

static void
ten_minutes_of_clock_are_too_many(void **state)
{
	(void)state;
	doctor_clock("m", -60, &found);
	is("clock", DOCTOR_OK, "60 s behind", "");
	doctor_clock("m", 61, &found);
	is("clock", DOCTOR_WARN, "61 s ahead of that of account m", "set-ntp");
	doctor_clock("m", -599, &found);
	is("clock", DOCTOR_WARN, "599 s behind", "set-ntp");
	doctor_clock("m", -600, &found);
	is("clock", DOCTOR_FAIL, "600 s behind", "10 minutes");
}

static void
the_state_directory_is_its_owners_alone(void **state)
{
	struct doctor_folder folder = {
		.path = "/s", .there = true, .mode = 0700, .owner = "notifyd", .wanted = "notifyd"
	};

	(void)state;
	doctor_state(&folder, &found);
	is("state", DOCTOR_OK, "/s belongs to notifyd, mode 0700", "");
	folder.mode = 0750;
	doctor_state(&folder, &found);
	is("state", DOCTOR_WARN, "mode 0750", "chmod 700 /s");
	folder.mode = 0500;
	doctor_state(&folder, &found);
	is("state", DOCTOR_FAIL, "mode 0500", "chmod 700 /s");
	folder.owner = "root";
	doctor_state(&folder, &found);
	is("state", DOCTOR_FAIL, "belongs to root, not to notifyd", "chown -R notifyd: /s");
	folder.there = false;
	doctor_state(&folder, &found);
	is("state", DOCTOR_OK, "is not there", "");
}

static void
room_is_measured_by_min_free(void **state)
{
	struct doctor_folder folder = { .path = "/s", .free = 512 * MIB };

	(void)state;
	doctor_room(&folder, 256 * MIB, &found);
	is("room", DOCTOR_OK, "512 MiB free, min_free is 256 MiB", "");
	folder.free--;
	doctor_room(&folder, 256 * MIB, &found);
	is("room", DOCTOR_WARN, "511 MiB", "before jobs are refused");
	folder.free = 256 * MIB - 1;
	doctor_room(&folder, 256 * MIB, &found);
	is("room", DOCTOR_FAIL, "255 MiB", "min_free");
	folder.free = -1;
	doctor_room(&folder, 256 * MIB, &found);
	is("room", DOCTOR_WARN, "not known", "df /s");
}

static void
nobody_to_trust_is_a_fault(void **state)
{
	(void)state;
	doctor_authorities("/etc/ssl/certs", false, 142, "", &found);
	is("authorities", DOCTOR_OK, "/etc/ssl/certs: 142 certificates loaded", "");
	doctor_authorities("/etc/ssl/certs", false, 0, "", &found);
	is("authorities", DOCTOR_FAIL, "no server is trusted", "ca-certificates");
	doctor_authorities("/etc/own.pem", true, -1, "Permission denied", &found);
	is("authorities", DOCTOR_FAIL, "/etc/own.pem: Permission denied", "ca_file");
}

static void
fips_is_what_openssl_says(void **state)
{
	(void)state;
	doctor_fips("OpenSSL 3.0", false, false, &found);
	is("fips", DOCTOR_OK, "OpenSSL 3.0 is not in FIPS mode", "");
	doctor_fips("OpenSSL 3.0", true, true, &found);
	is("fips", DOCTOR_OK, "fips=yes", "");
	doctor_fips("OpenSSL 3.0", false, true, &found);
	is("fips", DOCTOR_WARN, "the kernel is in FIPS mode, OpenSSL 3.0 is not", "openssl.cnf");
}

static void
secrets_are_told_by_their_place_and_mode(void **state)
{
	struct doctor_secret secret = {
		.account = "m", .key = "password", .reference = "command:/bin/pass --token hush", .path = ""
	};
	struct nd_why why;

	(void)state;
	doctor_secret(&secret, &found);
	is("secret", DOCTOR_OK, "password of account m: command:/bin/pass", "");
	assert_null(strstr(found.detail, "hush"));
	secret.path = "/run/credentials/notifyd.service/cred_m";
	secret.loaded = true;
	for (unsigned i = 0; i < 2; i++) {
		secret.mode = i == 0 ? 0400 : 0440; /* systemd 252, 257 */
		doctor_secret(&secret, &found);
		is("secret", DOCTOR_OK, "by systemd", "");
	}
	secret.mode = 0444;
	doctor_secret(&secret, &found);
	is("secret", DOCTOR_WARN, "0444", "systemctl restart notifyd");
	secret.reference = "file:/home/me/secret";
	(void)nd_fail(&why, ND_ESECRET, 2, "reading the secret: no such file");
	secret.why = &why;
	doctor_secret(&secret, &found);
	is("secret", DOCTOR_FAIL, "no such file", "ProtectHome=");
	secret.reference = "file:/etc/x";
	(void)nd_fail_at(&why, NULL, 0, "chmod 600 the file");
	doctor_secret(&secret, &found);
	is("secret", DOCTOR_FAIL, "no such file", "chmod 600 the file");
}

static void
what_is_found_is_told_in_japanese_too(void **state)
{
	const struct doctor_target target = {
		.what = "the server", .ja = "サーバー", .account = "m", .host = "smtp.example.com", .port = 587
	};
	struct doctor_secret secret = { .account = "m", .key = "password", .reference = "file:/x", .path = "" };
	struct nd_why why;

	(void)state;
	found.lang = EXPLAIN_JA;
	(void)nd_fail(&why, ND_ECONNECT, 0, "no connection: Connection refused");
	doctor_reached(&target, NULL, 0, &why, &found);
	is("port", DOCTOR_FAIL, "(アカウント m のサーバー): ", "notifyd.conf でプロキシを指定してください");
	is("port", DOCTOR_FAIL, "(no connection: Connection refused)", "smtp.example.com ポート 587");
	(void)nd_fail(&why, ND_ESECRET, 0, "a fault that no table knows");
	(void)nd_fail_at(&why, NULL, 0, "its own cure");
	secret.why = &why;
	doctor_secret(&secret, &found);
	is("secret", DOCTOR_FAIL, "password (アカウント m): a fault that no table knows", "its own cure");
	doctor_clock("m", -700, &found);
	is("clock", DOCTOR_FAIL, "700 秒遅れています", "timedatectl");
	found.lang = EXPLAIN_EN;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_server_and_endpoint_is_visited_once),
		cmocka_unit_test(where_a_proxy_stands_it_is_visited_instead),
		cmocka_unit_test(a_name_or_a_port_that_is_out_of_reach_is_named),
		cmocka_unit_test(ten_minutes_of_clock_are_too_many),
		cmocka_unit_test(the_state_directory_is_its_owners_alone),
		cmocka_unit_test(room_is_measured_by_min_free),
		cmocka_unit_test(nobody_to_trust_is_a_fault),
		cmocka_unit_test(fips_is_what_openssl_says),
		cmocka_unit_test(secrets_are_told_by_their_place_and_mode),
		cmocka_unit_test(what_is_found_is_told_in_japanese_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
