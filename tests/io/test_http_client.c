/* SPDX-License-Identifier: Apache-2.0 */
/* test_http_client.c - requests for tokens against a real HTTPS server (tests/fake/https.py). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/buf.h"
#include "common/mem.h"
#include "daemon/io/http_client.h"
#include "tests/io/explained.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE ND_SEC(25)

struct server {
	pid_t pid;
	int stdin_fd; /* closed: it ends */
	char folder[64], ca[96];
	unsigned port, other_port, proxy_port;
};

struct heard {
	struct loop *loop;
	bool done, late;
	int status;
	long retry_after;
	char challenge[64];
	struct nd_buf body;
	struct nd_why why;
};

static const char *proxy, *no_proxy; /* of the next requests */
static bool metadata;

static const char *
script(void)
{
	static char path[1024];
	const char *top = getenv("top_srcdir");

	if (top == NULL)
		top = getenv("srcdir");
	(void)snprintf(path, sizeof(path), "%s/tests/fake/https.py", top == NULL ? "." : top);
	return path;
}

static int
start_server(void **state)
{
	struct server *server = nd_xalloc(sizeof(*server));
	int in[2], out[2];
	FILE *lines;

	(void)snprintf(server->folder, sizeof(server->folder), "/tmp/nd-http.XXXXXX");
	assert_non_null(mkdtemp(server->folder));
	(void)snprintf(server->ca, sizeof(server->ca), "%s/ca.crt", server->folder);
	assert_int_equal(pipe(in), 0);
	assert_int_equal(pipe(out), 0);
	server->pid = fork();
	assert_true(server->pid >= 0);
	if (server->pid == 0) {
		(void)dup2(in[0], 0);
		(void)dup2(out[1], 1);
		(void)close(in[1]);
		(void)close(out[0]);
		(void)execlp("python3", "python3", script(), server->folder, (char *)NULL);
		_exit(127);
	}
	(void)close(in[0]);
	(void)close(out[1]);
	server->stdin_fd = in[1];
	lines = fdopen(out[0], "r");
	assert_non_null(lines);
	assert_int_equal(fscanf(lines, "%u %u %u", &server->port, &server->other_port, &server->proxy_port), 3);
	(void)fclose(lines);
	*state = server;
	return 0;
}

static int
stop_server(void **state)
{
	static const char *const names[] = { "ca.key", "ca.crt", "ca.srl", "localhost.key", "localhost.csr",
		"localhost.ext", "localhost.crt", "elsewhere.example.key", "elsewhere.example.csr",
		"elsewhere.example.ext", "elsewhere.example.crt" };
	struct server *server = *state;
	char path[200];

	(void)close(server->stdin_fd);
	(void)waitpid(server->pid, NULL, 0);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", server->folder, names[i]);
		(void)unlink(path);
	}
	(void)rmdir(server->folder);
	free(server);
	return 0;
}

static void
hear(void *arg, const struct http_client_reply *reply)
{
	struct heard *heard = arg;

	assert_false(heard->done);
	heard->done = true;
	heard->status = reply->status;
	heard->retry_after = reply->retry_after;
	heard->why = reply->why;
	(void)snprintf(heard->challenge, sizeof(heard->challenge), "%s", reply->challenge ? reply->challenge : "none");
	nd_buf_add(&heard->body, reply->body, reply->len);
	loop_stop(heard->loop);
}

static void
give_up(void *arg)
{
	struct heard *heard = arg;

	heard->late = true;
	loop_stop(heard->loop);
}

static const char *ca_dir; /* of the next requests */

static void
post(struct http_client *client, const char *url, const char *ca, const char *authorization, struct heard *heard)
{
	struct http_client_request request = { .url = nd_xstrdup(url),
		.authorization = nd_xstrdup(authorization),
		.body = nd_xstrdup("a=b&c=d%20e"),
		.body_len = strlen("a=b&c=d%20e"),
		.ca_file = nd_xstrdup(ca),
		.ca_dir = nd_xstrdup(ca_dir),
		.metadata = metadata };

	http_client_post(client, &request, hear, heard);
	assert_null(request.url);
	assert_null(request.body);
}

/* One request and its reply. */
static void
ask(const char *url, const char *ca, const char *authorization, struct heard *heard)
{
	struct loop *loop = loop_new();
	struct http_client *client = http_client_new(loop);
	struct loop_timer *timer = loop_timer_new(loop, give_up, heard);

	*heard = (struct heard){ .loop = loop };
	nd_buf_init(&heard->body, 1 << 20);
	http_client_proxy(client, proxy, no_proxy);
	post(client, url, ca, authorization, heard);
	loop_timer_set(timer, loop_now(loop).ms + PATIENCE);
	loop_run(loop);
	loop_timer_free(timer);
	http_client_free(client);
	loop_free(loop);
	assert_false(heard->late);
	assert_true(heard->done);
}

static void
ask_path(const struct server *server, const char *path, struct heard *heard)
{
	char url[200];

	(void)snprintf(url, sizeof(url), "https://localhost:%u/%s", server->port, path);
	ask(url, server->ca, NULL, heard);
}

static void
a_form_is_posted_and_the_reply_comes_back(void **state)
{
	const struct server *server = *state;
	struct heard heard;
	char url[200];

	/* the environment has no say */
	assert_int_equal(setenv("https_proxy", "http://127.0.0.1:1", 1), 0);
	assert_int_equal(setenv("ALL_PROXY", "http://127.0.0.1:1", 1), 0);
	(void)snprintf(url, sizeof(url), "https://localhost:%u/echo", server->port);
	ask(url, server->ca, "Basic c2VjcmV0", &heard);
	assert_int_equal(heard.status, 200);
	assert_int_equal(heard.retry_after, -1);
	assert_non_null(strstr(nd_buf_text(&heard.body), "\"body\": \"a=b&c=d%20e\""));
	assert_non_null(strstr(nd_buf_text(&heard.body), "\"content-type\": \"application/x-www-form-urlencoded\""));
	assert_non_null(strstr(nd_buf_text(&heard.body), "\"authorization\": \"Basic c2VjcmV0\""));
	assert_non_null(strstr(nd_buf_text(&heard.body), "\"user-agent\": \"notifyd"));
	assert_non_null(strstr(nd_buf_text(&heard.body), "\"accept\": \"application/json\""));
	nd_buf_done(&heard.body);
}

static void
the_wish_to_wait_is_read_as_seconds_and_as_a_date(void **state)
{
	static const struct {
		const char *path;
		int status;
		long low, high;
	} cases[] = { { "later/37", 503, 37, 37 }, { "date/100", 429, 90, 100 }, { "later/999999", 503, 3600, 3600 },
		{ "later/soon", 503, -1, -1 }, { "later/0", 503, -1, -1 }, { "status/500", 500, -1, -1 } };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct heard heard;

		ask_path(*state, cases[i].path, &heard);
		assert_int_equal(heard.status, cases[i].status);
		assert_true(heard.retry_after >= cases[i].low && heard.retry_after <= cases[i].high);
		nd_buf_done(&heard.body);
	}
}

static void
a_redirect_is_not_followed(void **state)
{
	struct heard heard;

	ask_path(*state, "redirect", &heard);
	assert_int_equal(heard.status, 302);
	assert_int_equal(heard.body.len, 0);
	nd_buf_done(&heard.body);
}

static void
a_reply_has_at_most_64_kib(void **state)
{
	struct heard heard;

	ask_path(*state, "big/65536", &heard);
	assert_int_equal(heard.status, 200);
	assert_int_equal(heard.body.len, 65536);
	nd_buf_done(&heard.body);
	ask_path(*state, "big/65537", &heard);
	assert_int_equal(heard.status, 0);
	assert_int_equal(heard.why.err, ND_ETOKEN);
	assert_non_null(strstr(heard.why.text, "larger than 64 KiB"));
	nd_buf_done(&heard.body);
}

static void
a_connection_that_breaks_is_a_transient_failure(void **state)
{
	struct heard heard;

	ask_path(*state, "drop", &heard);
	assert_int_equal(heard.status, 0);
	assert_int_equal(heard.why.err, ND_ECLOSED);
	nd_buf_done(&heard.body);
}

static void
an_authority_that_is_not_trusted_is_a_failure_of_tls_in_words(void **state)
{
	const struct server *server = *state;
	struct heard heard;
	char url[200];

	(void)snprintf(url, sizeof(url), "https://localhost:%u/echo", server->port);
	ask(url, NULL, NULL, &heard);
	assert_int_equal(heard.status, 0);
	assert_int_equal(heard.why.err, ND_ETLS);
	assert_non_null(strstr(heard.why.text, "localhost: SSL certificate problem: "));
	assert_non_null(strstr(heard.why.text, "; issuer is CN=Test CA"));
	assert_true(explained(&heard.why, "token_ca_file"));
	nd_buf_done(&heard.body);
	ask(url, "/nonexistent/ca.crt", NULL, &heard);
	assert_int_equal(heard.why.err, ND_ETLS);
	nd_buf_done(&heard.body);
}

static void
the_authorities_may_be_in_a_folder(void **state)
{
	const struct server *server = *state;
	struct heard heard;

	ca_dir = server->folder;
	ask_path(server, "echo", &heard);
	assert_int_equal(heard.status, 200);
	nd_buf_done(&heard.body);
	ca_dir = "/nonexistent";
	ask_path(server, "echo", &heard);
	assert_int_equal(heard.why.err, ND_ECONF);
	assert_string_equal(heard.why.field, "ca_dir");
	nd_buf_done(&heard.body);
	ca_dir = NULL;
}

static void
a_certificate_for_another_name_is_refused(void **state)
{
	const struct server *server = *state;
	struct heard heard;
	char url[200];

	(void)snprintf(url, sizeof(url), "https://localhost:%u/echo", server->other_port);
	ask(url, server->ca, NULL, &heard);
	assert_int_equal(heard.status, 0);
	assert_int_equal(heard.why.err, ND_ETLS);
	nd_buf_done(&heard.body);
}

static void
only_https_is_spoken(void **state)
{
	static const char *const urls[] = { "http://localhost:1/", "file:///etc/passwd", "ftp://localhost:1/",
		"nonsense://x" };

	(void)state;
	for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
		struct heard heard;

		ask(urls[i], NULL, NULL, &heard);
		assert_int_equal(heard.status, 0);
		assert_int_equal(heard.why.err, ND_ECONF);
		nd_buf_done(&heard.body);
	}
}

static void
a_challenge_comes_with_its_reply(void **state)
{
	struct heard heard;

	ask_path(*state, "challenge", &heard);
	assert_int_equal(heard.status, 401);
	assert_string_equal(heard.challenge, "Basic realm=/a/b.key");
	nd_buf_done(&heard.body);
	ask_path(*state, "status/401", &heard);
	assert_string_equal(heard.challenge, "none");
	nd_buf_done(&heard.body);
}

/* Nobody listens on port 1, but the proxy's way leads elsewhere. */
static void
a_proxy_is_used_but_for_hosts_that_need_none(void **state)
{
	const struct server *server = *state;
	struct heard heard;
	char address[64], words[128];

	(void)snprintf(address, sizeof(address), "http://127.0.0.1:%u", server->proxy_port);
	proxy = address;
	ask("https://localhost:1/echo", server->ca, NULL, &heard);
	assert_int_equal(heard.status, 200);
	nd_buf_done(&heard.body);
	ask("https://forbidden.localhost:1/echo", server->ca, NULL, &heard);
	assert_int_equal(heard.status, 0);
	assert_non_null(strstr(heard.why.text, "407"));
	(void)snprintf(words, sizeof(words),
	    "forbidden.localhost, by the proxy 127.0.0.1:%u (setting proxy): ", server->proxy_port);
	assert_memory_equal(heard.why.text, words, strlen(words));
	assert_true(explained(&heard.why, "a proxy that asks for a password is not supported"));
	nd_buf_done(&heard.body);
	ask("https://closed.localhost:1/echo", server->ca, NULL, &heard);
	assert_memory_equal(heard.why.text, "closed.localhost, by the proxy", strlen("closed.localhost, by the proxy"));
	assert_true(explained(&heard.why, "have the proxy allow CONNECT"));
	nd_buf_done(&heard.body);
	no_proxy = "example.net,localhost";
	ask("https://localhost:1/echo", server->ca, NULL, &heard);
	assert_int_equal(heard.why.err, ND_ECONNECT);
	assert_null(strstr(heard.why.text, "proxy"));
	nd_buf_done(&heard.body);
	proxy = no_proxy = NULL;
	ask("https://localhost:1/echo", server->ca, NULL, &heard);
	assert_int_equal(heard.why.err, ND_ECONNECT);
	nd_buf_done(&heard.body);
}

/* The endpoint is not to blame. */
static void
a_proxy_that_cannot_be_asked_is_named(void **state)
{
	static const struct {
		const char *proxy, *begins, *remedy;
	} cases[] = {
		{ "http://127.0.0.1:1",
		    "localhost, by the proxy 127.0.0.1:1 (setting proxy): ", "check address, port and kind" },
		{ "socks5://127.0.0.1:1/",
		    "localhost, by the proxy 127.0.0.1:1 (setting proxy): ", "check address, port and kind" },
		{ "http://proxy.invalid:3128", "localhost, by the proxy proxy.invalid:3128 (setting proxy): ",
		    "check proxy in the section [daemon]" },
	};
	const struct server *server = *state;
	struct heard heard;

	no_proxy = "host";
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		proxy = cases[i].proxy;
		ask("https://localhost:1/echo", server->ca, NULL, &heard);
		assert_memory_equal(heard.why.text, cases[i].begins, strlen(cases[i].begins));
		assert_true(explained(&heard.why, cases[i].remedy));
		nd_buf_done(&heard.body);
	}
	proxy = no_proxy = NULL;
}

static void
plain_http_goes_to_the_metadata_services_alone(void **state)
{
	static const char *const urls[] = { "http://localhost:40342/x", "http://169.254.169.254:81/x",
		"http://169.254.169.254.example/x", "http://127.0.0.1:40343/x", "http://u@169.254.169.254/x",
		"https://169.254.169.254/x", "HTTP://169.254.169.254/x" };
	struct heard heard;

	(void)state;
	metadata = true;
	for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
		ask(urls[i], NULL, NULL, &heard);
		assert_int_equal(heard.status, 0);
		assert_int_equal(heard.why.err, ND_ECONF);
		nd_buf_done(&heard.body);
	}
	metadata = false;
	ask("http://127.0.0.1:40342/x", NULL, NULL, &heard);
	assert_int_equal(heard.why.err, ND_ECONF);
	nd_buf_done(&heard.body);
}

static void
nobody_listening_and_no_such_name_are_told_apart(void **state)
{
	struct sockaddr_in any = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(any);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	struct heard heard;
	char url[300], label[70];

	(void)state;
	/* bound but not listening: the port stays ours and refuses */
	assert_int_equal(bind(fd, (struct sockaddr *)&any, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&any, &len), 0);
	(void)snprintf(url, sizeof(url), "https://127.0.0.1:%u/", ntohs(any.sin_port));
	ask(url, NULL, NULL, &heard);
	assert_int_equal(heard.why.err, ND_ECONNECT);
	nd_buf_done(&heard.body);
	(void)close(fd);
	/* a label this long is refused without asking any name server */
	memset(label, 'x', sizeof(label) - 1);
	label[sizeof(label) - 1] = '\0';
	(void)snprintf(url, sizeof(url), "https://%s.invalid/", label);
	ask(url, NULL, NULL, &heard);
	assert_int_equal(heard.why.err, ND_ERESOLVE);
	nd_buf_done(&heard.body);
}

static void
requests_go_side_by_side_and_each_gets_its_own_reply(void **state)
{
	const struct server *server = *state;
	struct loop *loop = loop_new();
	struct http_client *client = http_client_new(loop);
	struct heard heard[20];
	char url[200];
	unsigned left = 20;

	for (unsigned i = 0; i < 20; i++) {
		heard[i] = (struct heard){ .loop = loop };
		nd_buf_init(&heard[i].body, 65536);
		(void)snprintf(url, sizeof(url), "https://localhost:%u/status/%u", server->port, 400 + i);
		post(client, url, server->ca, NULL, &heard[i]);
	}
	while (left > 0) {
		loop_run(loop);
		left = 0;
		for (unsigned i = 0; i < 20; i++)
			left += !heard[i].done;
	}
	for (unsigned i = 0; i < 20; i++) {
		assert_int_equal(heard[i].status, 400 + i);
		nd_buf_done(&heard[i].body);
	}
	http_client_free(client);
	loop_free(loop);
}

static void
a_client_that_ends_gives_up_what_is_under_way_without_a_word(void **state)
{
	const struct server *server = *state;
	struct loop *loop = loop_new();
	struct http_client *client = http_client_new(loop);
	struct heard heard = { .loop = loop }, other = { .loop = loop };
	char url[200];

	nd_buf_init(&heard.body, 65536);
	nd_buf_init(&other.body, 65536);
	(void)snprintf(url, sizeof(url), "https://localhost:%u/silent", server->port);
	post(client, url, server->ca, NULL, &heard);
	(void)snprintf(url, sizeof(url), "https://localhost:%u/echo", server->port);
	post(client, url, server->ca, NULL, &other);
	loop_run(loop); /* until the other one's reply */
	assert_true(other.done);
	post(client, "http://refused/", NULL, NULL, &heard);
	http_client_free(client);
	loop_free(loop);
	assert_false(heard.done);
	nd_buf_done(&other.body);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_form_is_posted_and_the_reply_comes_back),
		cmocka_unit_test(the_wish_to_wait_is_read_as_seconds_and_as_a_date),
		cmocka_unit_test(a_redirect_is_not_followed),
		cmocka_unit_test(a_reply_has_at_most_64_kib),
		cmocka_unit_test(a_connection_that_breaks_is_a_transient_failure),
		cmocka_unit_test(an_authority_that_is_not_trusted_is_a_failure_of_tls_in_words),
		cmocka_unit_test(the_authorities_may_be_in_a_folder),
		cmocka_unit_test(a_certificate_for_another_name_is_refused),
		cmocka_unit_test(only_https_is_spoken),
		cmocka_unit_test(a_challenge_comes_with_its_reply),
		cmocka_unit_test(a_proxy_is_used_but_for_hosts_that_need_none),
		cmocka_unit_test(a_proxy_that_cannot_be_asked_is_named),
		cmocka_unit_test(plain_http_goes_to_the_metadata_services_alone),
		cmocka_unit_test(nobody_listening_and_no_such_name_are_told_apart),
		cmocka_unit_test(requests_go_side_by_side_and_each_gets_its_own_reply),
		cmocka_unit_test(a_client_that_ends_gives_up_what_is_under_way_without_a_word),
	};

	return cmocka_run_group_tests(tests, start_server, stop_server);
}
