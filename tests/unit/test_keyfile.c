/* SPDX-License-Identifier: Apache-2.0 */
/* test_keyfile.c - Google's downloaded JSON files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/core/keyfile.h"

#include <stdio.h>
#include <string.h>

static enum nd_err
read_client(const char *text, struct keyfile_client *out, struct nd_why *why)
{
	struct nd_secret secret = { 0 };
	enum nd_err err;

	nd_secret_set(&secret, text, strlen(text));
	err = keyfile_client(&secret, out, why);
	nd_secret_done(&secret);
	return err;
}

static enum nd_err
read_service(const char *text, struct keyfile_service *out, struct nd_why *why)
{
	struct nd_secret secret = { 0 };
	enum nd_err err;

	nd_secret_set(&secret, text, strlen(text));
	err = keyfile_service(&secret, out, why);
	nd_secret_done(&secret);
	return err;
}

static void
a_bare_secret_is_the_secret(void **state)
{
	static const char *const texts[] = { "sesame", "{not JSON", "{\"a\":", "[1]", "\"x\"" };
	struct keyfile_client client;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		assert_int_equal(read_client(texts[i], &client, NULL), ND_OK);
		assert_null(client.client_id);
		assert_null(client.url);
		assert_string_equal(client.secret.octets, texts[i]);
		keyfile_client_done(&client);
	}
}

static void
a_downloaded_client_brings_its_id_secret_and_address(void **state)
{
	static const char *const kinds[] = { "installed", "web" };
	struct keyfile_client client;
	char text[512];

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		(void)snprintf(text, sizeof(text),
		    "{\"%s\":{\"client_id\":\"1-a.apps.example\",\"project_id\":\"p\",\"auth_uri\":\"https://a.example/"
		    "\","
		    "\"token_uri\":\"https://t.example/token\",\"client_secret\":\"GOCSPX-s\",\"redirect_uris\":"
		    "[\"http://localhost\"]}}",
		    kinds[i]);
		assert_int_equal(read_client(text, &client, NULL), ND_OK);
		assert_string_equal(client.client_id, "1-a.apps.example");
		assert_string_equal(client.url, "https://t.example/token");
		assert_string_equal(client.secret.octets, "GOCSPX-s");
		keyfile_client_done(&client);
	}
}

static void
a_client_that_lacks_something_is_refused_in_words(void **state)
{
	static const struct {
		const char *text, *said;
	} cases[] = {
		{ "{}", "\"installed\" or \"web\"" },
		{ "{\"installed\":1}", "\"installed\" or \"web\"" },
		{ "{\"installed\":{\"client_secret\":\"sesame\"}}", "no client_id" },
		{ "{\"installed\":{\"client_id\":\"i\"}}", "no client_secret" },
		{ "{\"installed\":{\"client_id\":\"i\",\"client_secret\":\"\"}}", "no client_secret" },
		{ "{\"installed\":{\"client_id\":7,\"client_secret\":\"sesame\"}}", "client_id" },
		{ "{\"web\":{\"client_id\":\"a b\",\"client_secret\":\"sesame\"}}", "client_id" },
		{ "{\"web\":{\"client_id\":\"i\",\"client_secret\":\"sesame\",\"token_uri\":\"http://t.example/\"}}",
		    "token_uri" },
		{ "{\"web\":{\"client_id\":\"i\",\"client_secret\":\"sesame\",\"token_uri\":\"https://u@t.example/\"}}",
		    "token_uri" },
		{ "{\"web\":{\"client_id\":\"i\",\"client_secret\":\"sesame\",\"token_uri\":\"https:///x\"}}",
		    "token_uri" },
		{ "{\"type\":\"service_account\",\"private_key\":\"sesame\"}", "service account" },
	};
	struct keyfile_client client = { 0 };
	struct nd_why why;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(read_client(cases[i].text, &client, &why), ND_ESECRET);
		if (strstr(why.text, cases[i].said) == NULL || strstr(why.text, "sesame") != NULL)
			fail_msg("%s: %s", cases[i].text, why.text);
		assert_null(client.secret.octets);
	}
}

static void
a_service_account_brings_its_key(void **state)
{
	struct keyfile_service service;

	(void)state;
	assert_int_equal(
	    read_service("{\"type\":\"service_account\",\"project_id\":\"p\",\"private_key_id\":\"k1\","
			 "\"private_key\":\"-----BEGIN\\nx\\n\",\"client_email\":\"r@p.example\",\"client_id\":"
			 "\"123\",\"token_uri\":\"https://t.example/token\"}",
		&service, NULL),
	    ND_OK);
	assert_string_equal(service.email, "r@p.example");
	assert_string_equal(service.key_id, "k1");
	assert_string_equal(service.url, "https://t.example/token");
	assert_string_equal(service.key.octets, "-----BEGIN\nx\n");
	keyfile_service_done(&service);
	assert_int_equal(read_service("{\"type\":\"service_account\",\"private_key\":\"k\",\"client_email\":\"r@p\"}",
			     &service, NULL),
	    ND_OK);
	assert_null(service.key_id);
	assert_null(service.url);
	keyfile_service_done(&service);
}

static void
what_is_no_service_account_is_refused_in_words(void **state)
{
	static const struct {
		const char *text, *said;
	} cases[] = {
		{ "-----BEGIN PRIVATE KEY-----", "JSON" },
		{ "{\"installed\":{}}", "not the key of a service account" },
		{ "{\"type\":\"authorized_user\"}", "not the key of a service account" },
		{ "{\"type\":\"service_account\",\"private_key\":\"sesame\"}", "no client_email" },
		{ "{\"type\":\"service_account\",\"client_email\":\"r@p\"}", "no private_key" },
		{ "{\"type\":\"service_account\",\"client_email\":\"r@p\",\"private_key\":5}", "no private_key" },
	};
	struct keyfile_service service = { 0 };
	struct nd_why why;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(read_service(cases[i].text, &service, &why), ND_ESECRET);
		if (strstr(why.text, cases[i].said) == NULL || strstr(why.text, "sesame") != NULL)
			fail_msg("%s: %s", cases[i].text, why.text);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_bare_secret_is_the_secret),
		cmocka_unit_test(a_downloaded_client_brings_its_id_secret_and_address),
		cmocka_unit_test(a_client_that_lacks_something_is_refused_in_words),
		cmocka_unit_test(a_service_account_brings_its_key),
		cmocka_unit_test(what_is_no_service_account_is_refused_in_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
