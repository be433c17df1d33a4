/* SPDX-License-Identifier: Apache-2.0 */
/* test_api.c - routes and problems. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/api.h"
#include "common/json.h"
#include "daemon/core/ready.h"

#include <string.h>

static void
every_route_is_found_by_its_own_words(void **state)
{
	enum api_route route;
	char segment[API_SEGMENT_SIZE];

	(void)state;
	assert_int_equal(api_match("POST", "/v1/jobs", &route, segment, NULL), ND_OK);
	assert_int_equal(route, API_SUBMIT);
	assert_string_equal(segment, "");
	assert_int_equal(api_match("GET", "/v1/jobs", &route, segment, NULL), ND_OK);
	assert_int_equal(route, API_LIST);
	assert_int_equal(api_match("GET", "/v1/jobs/01ARYZ6S43ABCDEFGHJKMNPQRS", &route, segment, NULL), ND_OK);
	assert_int_equal(route, API_SHOW);
	assert_string_equal(segment, "01ARYZ6S43ABCDEFGHJKMNPQRS");
	assert_int_equal(api_match("GET", "/v1/jobs/ABCDEF/message", &route, segment, NULL), ND_OK);
	assert_int_equal(route, API_MESSAGE);
	assert_string_equal(segment, "ABCDEF");
	assert_int_equal(api_match("GET", "/v1/status", &route, segment, NULL), ND_OK);
	assert_int_equal(route, API_STATUS);
}

static void
other_paths_are_not_there(void **state)
{
	static const char *const paths[] = { "", "/", "/v1", "/v1/job", "/v1/jobss", "/v1/jobs/", "/v1/jobs//message",
		"/v1/jobs/a/b", "/v1/jobs/a/message/", "/V1/jobs", "v1/jobs",
		"/v1/jobs/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" };
	enum api_route route = API_HEALTH;
	char segment[API_SEGMENT_SIZE] = "kept";
	struct nd_why why;

	(void)state;
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		assert_int_equal(api_match("GET", paths[i], &route, segment, &why), ND_ENOTFOUND);
		assert_int_equal(route, API_HEALTH);
		assert_string_equal(segment, "kept");
	}
}

static void
the_longest_segment_that_fits_is_taken(void **state)
{
	char path[9 + API_SEGMENT_SIZE + 1] = "/v1/jobs/", segment[API_SEGMENT_SIZE];
	enum api_route route;

	(void)state;
	memset(path + 9, 'A', API_SEGMENT_SIZE - 1);
	assert_int_equal(api_match("GET", path, &route, segment, NULL), ND_OK);
	assert_int_equal(strlen(segment), API_SEGMENT_SIZE - 1);
	path[9 + API_SEGMENT_SIZE - 1] = 'A';
	assert_int_equal(api_match("GET", path, &route, segment, NULL), ND_ENOTFOUND);
}

static void
a_wrong_method_is_told_the_right_ones(void **state)
{
	enum api_route route;
	char segment[API_SEGMENT_SIZE];
	struct nd_why why;

	(void)state;
	assert_int_equal(api_match("DELETE", "/v1/jobs", &route, segment, &why), ND_EMETHOD);
	assert_string_equal(why.hint, "POST, GET");
	assert_int_equal(api_match("POST", "/v1/status", &route, segment, &why), ND_EMETHOD);
	assert_string_equal(why.hint, "GET");
	assert_int_equal(api_match("get", "/v1/status", &route, segment, &why), ND_EMETHOD);
}

static void
a_problem_tells_everything_in_order(void **state)
{
	struct nd_why why;
	struct nd_buf out;

	(void)state;
	nd_buf_init(&out, 4096);
	(void)nd_fail(&why, ND_EUNKNOWN, 0, "there is no field \"subjet\"");
	(void)nd_fail_at(&why, "subjet", 3, "did you mean \"subject\"?");
	api_problem(&why, 2, &out);
	assert_string_equal(nd_buf_text(&out),
	    "{\"type\":\"about:blank\",\"status\":400,\"title\":\"there is no such field\",\"code\":\"unknown-field\","
	    "\"detail\":\"there is no field \\\"subjet\\\"\",\"field\":\"subjet\",\"line\":3,"
	    "\"hint\":\"did you mean \\\"subject\\\"?\",\"index\":2}");
	nd_buf_done(&out);
}

static void
a_problem_leaves_out_what_is_not_known(void **state)
{
	struct nd_why why;
	struct nd_buf out;

	(void)state;
	nd_buf_init(&out, 4096);
	(void)nd_fail(&why, ND_EINVALID, 0, "no");
	api_problem(&why, -1, &out);
	assert_string_equal(nd_buf_text(&out), "{\"type\":\"about:blank\",\"status\":400,\"title\":\"a value is not "
					       "allowed\",\"code\":\"invalid-value\",\"detail\":\"no\"}");
	nd_buf_clear(&out);
	(void)nd_fail(&why, ND_EMEDIATYPE, 0, "no");
	api_problem(&why, 0, &out);
	assert_non_null(strstr(nd_buf_text(&out), "\"hint\":\"send application/json\",\"index\":0}"));
	nd_buf_done(&out);
}

static void
the_operators_socket_lies_beside_the_other(void **state)
{
	char out[32];

	(void)state;
	assert_string_equal(api_admin_path(API_SOCKET, out, sizeof(out)), API_ADMIN_SOCKET);
	assert_string_equal(api_admin_path("/tmp/x", out, sizeof(out)), "/tmp/x-admin");
	assert_string_equal(api_admin_path(".sock", out, sizeof(out)), ".sock-admin");
	assert_null(api_admin_path("/tmp/a-rather-long-name.sock", out, sizeof(out)));
}

static void
every_route_is_in_the_openapi_document_once(void **state)
{
	const struct json_node *paths, *path;
	struct json_tree tree;
	struct nd_buf out;
	unsigned operations = 0;

	(void)state;
	nd_buf_init(&out, 1u << 20);
	api_openapi("1.2", &out);
	assert_int_equal(json_read(&tree, nd_buf_text(&out), out.len, &json_limits_job, NULL, NULL), ND_OK);
	paths = json_get(tree.root, "paths");
	for (unsigned i = 0; i < API_ROUTE_COUNT; i++) {
		char method[16] = "";

		for (size_t c = 0; api_routes[i].method[c] != '\0'; c++)
			method[c] = (char)(api_routes[i].method[c] | 0x20);
		path = json_get(paths, api_routes[i].path);
		assert_non_null(path);
		assert_string_equal(json_get_text(json_get(path, method), "summary"), api_routes[i].words);
	}
	for (path = paths->child; path != NULL; path = path->next)
		operations += path->count;
	assert_int_equal(operations, API_ROUTE_COUNT);
	assert_string_equal(json_get_text(json_get(tree.root, "info"), "version"), "1.2");
	json_done(&tree);
	nd_buf_done(&out);
}

static bool
has_parameter(const struct json_node *operation, const char *name, const char *in)
{
	const struct json_node *parameter = json_get(operation, "parameters")->child;

	for (; parameter != NULL; parameter = parameter->next)
		if (strcmp(json_get_text(parameter, "name"), name) == 0 &&
		    strcmp(json_get_text(parameter, "in"), in) == 0)
			return true;
	return false;
}

static void
the_openapi_document_tells_bodies_and_parameters(void **state)
{
	static const struct {
		const char *path, *method, *type, *parameter;
	} rows[] = {
		{ "/v1/jobs", "post", "application/json", "wait" },
		{ "/v1/jobs", "post", "text/plain", "subject" },
		{ "/v1/messages", "post", "message/rfc822", "t" },
		{ "/v1/accounts/{id}/secret", "put", "application/json", NULL },
		{ "/v1/accounts/test", "post", "text/plain", "account" },
		{ "/v1/jobs", "get", NULL, "cursor" },
		{ "/v1/jobs/cancel", "post", NULL, "severity" },
		{ "/v1/jobs/{id}", "get", NULL, "wait" },
	};
	const struct json_node *paths, *operation, *body;
	struct json_tree tree;
	struct nd_buf out;

	(void)state;
	nd_buf_init(&out, 1u << 20);
	api_openapi("1.2", &out);
	assert_int_equal(json_read(&tree, nd_buf_text(&out), out.len, &json_limits_job, NULL, NULL), ND_OK);
	paths = json_get(tree.root, "paths");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		operation = json_get(json_get(paths, rows[i].path), rows[i].method);
		body = json_get(operation, "requestBody");
		assert_true((body != NULL) == (rows[i].type != NULL));
		if (body != NULL)
			assert_non_null(json_get(json_get(body, "content"), rows[i].type));
		if (body != NULL)
			assert_true(json_get(body, "required")->boolean);
		assert_true(rows[i].parameter == NULL || has_parameter(operation, rows[i].parameter, "query"));
		assert_true(strchr(rows[i].path, '{') == NULL || has_parameter(operation, "id", "path"));
	}
	for (unsigned i = 0; i < API_ROUTE_COUNT; i++)
		if (strcmp(api_routes[i].method, "PUT") == 0)
			assert_non_null(json_get(json_get(json_get(paths, api_routes[i].path), "put"), "requestBody"));
	operation = json_get(json_get(paths, "/v1/messages"), "post");
	for (const char *const *name = ready_fields; *name != NULL; name++)
		assert_true(strcmp(*name, "labels") == 0 || has_parameter(operation, *name, "query"));
	json_done(&tree);
	nd_buf_done(&out);
}

static void
a_bad_configuration_tells_every_fault(void **state)
{
	struct nd_why one, two;
	struct api_fault faults[] = { { "notifyd.conf", &one }, { "x.conf", &two } };
	struct nd_buf out;

	(void)state;
	nd_buf_init(&out, 4096);
	(void)nd_fail(&one, ND_ENOTFOUND, 0, "first");
	(void)nd_fail_at(&one, "[queue] x", 3, "do");
	(void)nd_fail(&two, ND_ECONF, 0, "second");
	api_problem_faults(faults, 2, &out);
	assert_string_equal(nd_buf_text(&out),
	    "{\"type\":\"about:blank\",\"status\":422,\"title\":\"the configuration has an error\","
	    "\"code\":\"bad-configuration\",\"detail\":\"first\",\"field\":\"[queue] x\",\"line\":3,"
	    "\"hint\":\"do\",\"errors\":[{\"file\":\"notifyd.conf\",\"detail\":\"first\","
	    "\"field\":\"[queue] x\",\"line\":3,\"hint\":\"do\"},{\"file\":\"x.conf\",\"detail\":\"second\"}]}");
	nd_buf_done(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_route_is_found_by_its_own_words),
		cmocka_unit_test(other_paths_are_not_there),
		cmocka_unit_test(the_longest_segment_that_fits_is_taken),
		cmocka_unit_test(a_wrong_method_is_told_the_right_ones),
		cmocka_unit_test(a_problem_tells_everything_in_order),
		cmocka_unit_test(a_problem_leaves_out_what_is_not_known),
		cmocka_unit_test(the_operators_socket_lies_beside_the_other),
		cmocka_unit_test(every_route_is_in_the_openapi_document_once),
		cmocka_unit_test(the_openapi_document_tells_bodies_and_parameters),
		cmocka_unit_test(a_bad_configuration_tells_every_fault),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
