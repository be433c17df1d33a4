/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_login.c - notifyctl account login and logout.  Layer: client.
 *
 * The daemon makes the address, keeps what proves the sign-in to be ours, and talks to the provider; here is the person: a browser that comes
 * back to a page of this machine, or whose last address is pasted, or another device with a code.
 */
#include "client/back.h"
#include "client/cmd.h"
#include "client/page.h"
#include "client/paste.h"
#include "client/qr.h"
#include "common/mem.h"
#include "common/stamp.h"
#include "common/str.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define DEVICE_WAIT 30           /* s, in one request */
#define DEVICE_PAUSE 1000        /* ms, when the daemon does not wait */
#define END_PATIENCE ND_SEC(120) /* the provider's answer, through the daemon */

struct login {
	struct cmd *cmd;
	const char *account;
	char path[96];  /* of the sign-in */
	char uri[1024]; /* where the browser comes back to */
	char span[ND_STAMP_SIZE];
	nd_ms ends;
	struct back back;
	struct paste paste;
	bool listens, reads; /* which of them serve */
	bool microsoft;
};

static nd_ms
now(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_BOOTTIME, &t);
	return (nd_ms)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* -- giving up -- */

static void
give_up(int number)
{
	static const char words[] = "\nnotifyctl: given up\n";

	paste_restore();
	if (write(STDERR_FILENO, words, sizeof(words) - 1) < 0) {
		/* nobody reads it */
	}
	(void)raise(number); /* by its default now: who called sees why this ended */
}

static void
mind_signals(void)
{
	static const int numbers[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction action = { .sa_handler = give_up, .sa_flags = (int)SA_RESETHAND };

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		(void)sigaction(numbers[i], &action, NULL);
}

/* -- asking the daemon -- */

static int
ask(struct cmd *cmd, const char *path, const struct nd_buf *body, struct link_reply *reply)
{
	struct link_request request = {
		.method = body != NULL ? "POST" : "GET",
		.path = path,
		.type = body != NULL ? "application/json" : NULL,
		.body = body != NULL ? nd_buf_text(body) : NULL,
		.len = body != NULL ? body->len : 0,
		.patience = END_PATIENCE,
	};
	struct nd_why why;

	if (link_call(cmd->socket, &request, reply, &why) != ND_OK)
		return cmd_fail(cmd, &why);
	return reply->status == 200 || reply->status == 202 ? CMD_DONE : cmd_problem(cmd, reply);
}

/* {"name":"text", …}: two members at most. */
static void
write_body(struct nd_buf *body, const char *name, const char *text, const char *name2, const char *text2)
{
	struct json_out out;

	nd_buf_init(body, 131072);
	json_out_init(&out, body);
	json_out_object(&out, NULL);
	if (name != NULL)
		json_out_text(&out, name, text);
	if (name2 != NULL)
		json_out_text(&out, name2, text2);
	json_out_object_end(&out);
}

/* Asks, shows the answer as JSON when that is wanted, and reads it in any case. */
static int
ask_json(struct cmd *cmd, const char *path, const struct nd_buf *body, struct json_tree *tree)
{
	struct link_reply reply;
	struct nd_why why;
	int code = ask(cmd, path, body, &reply);

	*tree = (struct json_tree){ 0 };
	if (code == CMD_DONE && cmd_read(&reply, tree, &why) != ND_OK)
		code = cmd_fail(cmd, &why);
	else if (code == CMD_DONE && cmd->json && body != NULL) {
		writer_json(&cmd->out, nd_buf_text(&reply.body), reply.body.len);
		(void)fflush(cmd->out.file);
	}
	link_reply_done(&reply);
	return code;
}

/* -- what came of it -- */

static void
print_done(struct cmd *cmd, const char *account, const struct json_node *done)
{
	const char *who = json_get_text(done, "signed_in"), *scope = json_get_text(done, "scope");
	const struct json_node *warnings = json_get(done, "warnings");

	writer_line(&cmd->out, WRITER_GOOD, "signed in%s%s", who != NULL ? " as " : "", who != NULL ? who : "");
	if (scope != NULL && scope[0] != '\0')
		writer_line(&cmd->out, WRITER_PLAIN, "granted: %s", scope);
	for (const struct json_node *one = warnings != NULL ? warnings->child : NULL; one != NULL; one = one->next) {
		const char *detail = json_get_text(one, "detail"), *hint = json_get_text(one, "hint");

		writer_line(&cmd->out, WRITER_WARN, "warning: %s", detail != NULL ? detail : "?");
		if (hint != NULL && hint[0] != '\0')
			writer_line(&cmd->out, WRITER_PLAIN, "  hint: %s", hint);
	}
	writer_line(&cmd->out, WRITER_PLAIN, "next: notifyctl account test %s", account);
}

static void
answer_browser(struct login *login, const struct json_node *root, bool good)
{
	const struct json_node *warnings = json_get(root, "warnings");
	struct page page = {
		.good = good,
		.japanese = login->back.japanese,
		.remark = warnings != NULL && warnings->child != NULL,
		.account = login->account,
		.who = json_get_text(root, "signed_in"),
		.detail = json_get_text(root, "detail"),
		.hint = json_get_text(root, "hint"),
	};
	struct nd_buf html;

	if (page.detail == NULL)
		page.detail = json_get_text(root, "title");
	if (page.detail == NULL) /* the page says something also when the daemon is gone */
		page.detail = "notifyd did not answer";
	nd_buf_init(&html, 65536);
	page_write(&page, &html);
	back_answer(&login->back, good ? 200 : 400, &html);
	nd_buf_done(&html);
}

/* Hands over what the browser came back with. *again: it was not of this sign-in, which goes on. */
static int
hand_over(struct login *login, const char *came, bool *again)
{
	struct json_tree tree = { 0 };
	struct link_reply reply;
	struct nd_buf body;
	struct nd_why why;
	int code;

	write_body(&body, "redirected", came, NULL, NULL);
	code = ask(login->cmd, login->path, &body, &reply);
	nd_buf_wipe(&body);
	*again = reply.status == 400;
	if (cmd_read(&reply, &tree, &why) != ND_OK && code == CMD_DONE)
		code = cmd_fail(login->cmd, &why);
	answer_browser(login, tree.root, code == CMD_DONE);
	if (code == CMD_DONE && login->cmd->json)
		writer_json(&login->cmd->out, nd_buf_text(&reply.body), reply.body.len);
	else if (code == CMD_DONE)
		print_done(login->cmd, login->account, tree.root);
	json_done(&tree);
	link_reply_done(&reply);
	return code;
}

static int
too_late(struct login *login)
{
	struct nd_why why;

	(void)nd_fail(&why, ND_EDEADLINE, 0, "nobody finished the sign-in within %s", login->span);
	(void)nd_fail_at(&why, "", 0, "begin again: notifyctl account login NAME");
	return cmd_fail(login->cmd, &why);
}

/* -- by a browser -- */

static void
prompt(const struct login *login)
{
	if (login->reads && login->paste.terminal) {
		(void)fputs("> ", login->cmd->err.file);
		(void)fflush(login->cmd->err.file);
	}
}

/* What is pasted. *over: the end of the sign-in, or of the input. */
static int
take_paste(struct login *login, bool *over)
{
	enum paste_state state = paste_read(&login->paste);
	bool again = false;
	int code = CMD_DONE;

	*over = false;
	if (state == PASTE_MORE)
		return CMD_DONE;
	if (state == PASTE_END) {
		login->reads = false;
		*over = !login->listens;
		return *over ? cmd_usage(login->cmd, "nothing was pasted: nobody is signed in") : CMD_DONE;
	}
	if (login->paste.line.failed)
		code = cmd_usage(login->cmd, "what was pasted is too long for an address");
	else
		code = hand_over(login, nd_buf_text(&login->paste.line), &again);
	paste_next(&login->paste);
	*over = !(again && login->paste.terminal);
	if (!*over)
		prompt(login);
	return code;
}

/* What the browser brings: a stray request of another page must not end the sign-in. */
static int
take_browser(struct login *login, bool *over)
{
	bool again;
	int code = hand_over(login, nd_buf_text(&login->back.came), &again);

	*over = !again;
	return code;
}

static int
wait_for_browser(struct login *login)
{
	struct pollfd polls[BACK_POLLS + 1];
	bool over = false;
	int code = CMD_DONE;
	nd_ms left;

	prompt(login);
	while (!over) {
		back_polls(&login->back, polls);
		polls[BACK_POLLS] = (struct pollfd){ .fd = login->reads ? STDIN_FILENO : -1, .events = POLLIN };
		left = login->ends - now();
		if (left <= 0)
			return too_late(login);
		if (poll(polls, BACK_POLLS + 1, (int)left) <= 0)
			continue;
		if (polls[BACK_POLLS].revents != 0)
			code = take_paste(login, &over);
		if (!over && back_turn(&login->back, polls))
			code = take_browser(login, &over);
	}
	return code;
}

/* A browser of the one who is at this screen; root's would be another one. */
static void
open_browser(const char *url)
{
	static char name[] = "xdg-open";
	char *argv[] = { name, (char *)(uintptr_t)url, NULL };
	posix_spawn_file_actions_t actions;
	pid_t pid;

	if ((getenv("DISPLAY") == NULL && getenv("WAYLAND_DISPLAY") == NULL) || geteuid() == 0 ||
	    strncmp(url, "https://", 8) != 0 || posix_spawn_file_actions_init(&actions) != 0)
		return;
	(void)signal(SIGCHLD, SIG_IGN); /* it ends when it likes */
	for (int fd = 0; fd < 3; fd++)
		(void)posix_spawn_file_actions_addopen(&actions, fd, "/dev/null", O_RDWR, 0);
	(void)posix_spawnp(&pid, name, &actions, NULL, argv, environ);
	(void)posix_spawn_file_actions_destroy(&actions);
}

static void
print_way(struct login *login, const char *obstacle)
{
	struct writer *out = &login->cmd->out;
	unsigned port = login->back.place.port;
	char host[256] = "THIS-HOST";

	if (obstacle[0] != '\0')
		writer_line(out, WRITER_WARN, "%s", obstacle);
	if (login->listens)
		writer_line(out, WRITER_PLAIN, "Waiting at %s, %s at most; Ctrl-C gives up.", login->uri, login->span);
	if (login->listens && getenv("SSH_CONNECTION") != NULL) {
		(void)gethostname(host, sizeof(host) - 1);
		writer_line(out, WRITER_PLAIN,
		    "The browser is on another computer? Run there first: ssh -L %u:localhost:%u %s", port, port, host);
	}
	if (login->reads && login->listens)
		writer_line(out, WRITER_PLAIN,
		    "Or, when the browser ends at a page that cannot be reached: paste the whole address of that page "
		    "here.");
	else if (login->reads)
		writer_line(out, WRITER_PLAIN,
		    "After the sign-in the browser goes to %s. %s Copy the whole address of that page from the "
		    "browser's "
		    "address bar and paste it here, %s at most; Ctrl-C gives up.",
		    login->uri,
		    strncmp(login->uri, "https:", 6) == 0
			? "What it shows there does not matter."
			: "It may well say \"connection refused\" or \"cannot be reached\": that is expected.",
		    login->span);
}

static void
print_address(struct login *login, const char *url)
{
	struct writer *out = &login->cmd->out;

	writer_line(out, WRITER_PLAIN, "To sign in to account %s, open this address in a browser:", login->account);
	(void)fputc('\n', out->file);
	writer_line(out, WRITER_BOLD, "%s", url);
	(void)fputc('\n', out->file);
}

/* Listens where the browser is to come back, when that is here and allowed. What keeps from it goes to `obstacle`. */
static void
listen_there(struct login *login, char obstacle[400])
{
	struct back_place place;
	struct nd_why why;

	if (!back_place_read(login->uri, &place)) {
		(void)snprintf(obstacle, 400, "%.300s is not on this machine, so the browser's last address is needed.",
		    login->uri);
	} else if (back_open(&login->back, &place, &why) != ND_OK) {
		(void)snprintf(obstacle, 400, "%s: so the browser's last address is needed.", why.text);
	} else {
		login->listens = true;
	}
}

/* The address that is proposed: of a free port that is open already, unless the address is to be pasted anyway. */
static void
propose(struct login *login, bool paste)
{
	const char *host = login->microsoft ? "localhost" : "127.0.0.1"; /* what their registrations take */
	struct back_place place = { .path = "/" };
	struct nd_why why;

	(void)snprintf(place.host, sizeof(place.host), "%s", host);
	if (!paste && back_open(&login->back, &place, &why) == ND_OK)
		(void)snprintf(login->uri, sizeof(login->uri), "http://%s:%u", host, login->back.place.port);
	else
		(void)snprintf(login->uri, sizeof(login->uri), "http://%s", host);
	login->listens = back_is_open(&login->back);
}

static bool
keep_start(struct login *login, const struct json_node *start)
{
	const char *id = json_get_text(start, "login");
	int64_t seconds;

	if (id == NULL || strlen(id) > 64 ||
	    strspn(id, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_") != strlen(id) ||
	    !json_int(json_get(start, "expires_in_seconds"), 0, 86400, &seconds))
		return false;
	(void)snprintf(login->path, sizeof(login->path), "/v1/logins/%s", id);
	login->ends = now() + ND_SEC(seconds);
	(void)nd_stamp_span(ND_SEC(seconds), login->span);
	return true;
}

static int
not_understood(struct cmd *cmd)
{
	struct nd_why why;

	(void)nd_fail(&why, ND_EPROTOCOL, 0, "the daemon's answer to the sign-in is not understood");
	return cmd_fail(cmd, &why);
}

static int
begin(struct login *login, const char *mode, struct json_tree *tree)
{
	struct nd_buf path, body;
	int code;

	cmd_account_path(login->account, "/login", &path);
	write_body(&body, "mode", mode, login->uri[0] != '\0' ? "redirect_uri" : NULL, login->uri);
	code = ask_json(login->cmd, nd_buf_text(&path), &body, tree);
	if (code == CMD_DONE && !keep_start(login, tree->root))
		code = not_understood(login->cmd);
	nd_buf_done(&body);
	nd_buf_done(&path);
	return code;
}

static int
by_browser(struct login *login, const struct json_node *start, bool paste)
{
	const char *url = json_get_text(start, "url"), *uri = json_get_text(start, "redirect_uri");
	char obstacle[400] = "";
	int code;

	if (url == NULL || uri == NULL || strlen(uri) >= sizeof(login->uri))
		return not_understood(login->cmd);
	if (strcmp(uri, login->uri) != 0) { /* the account has one of its own */
		back_close(&login->back);
		login->listens = false;
		(void)snprintf(login->uri, sizeof(login->uri), "%s", uri);
		if (!paste)
			listen_there(login, obstacle);
	}
	paste_open(&login->paste);
	login->reads = !login->listens || login->paste.terminal;
	if (!login->cmd->json) {
		print_address(login, url);
		print_way(login, obstacle);
		(void)fflush(login->cmd->out.file);
	}
	if (login->listens)
		open_browser(url);
	code = wait_for_browser(login);
	paste_close(&login->paste);
	return code;
}

static int
login_by_code(struct login *login, bool paste)
{
	struct json_tree tree;
	int code;

	propose(login, paste);
	code = begin(login, "code", &tree);
	if (code == CMD_DONE)
		code = by_browser(login, tree.root, paste);
	json_done(&tree);
	back_close(&login->back);
	return code;
}

/* -- by another device -- */

static int
print_code(struct login *login, const struct json_node *start)
{
	const char *code = json_get_text(start, "user_code"), *uri = json_get_text(start, "verification_uri");
	const char *whole = json_get_text(start, "verification_uri_complete");
	struct writer *out = &login->cmd->out;

	if (code == NULL || uri == NULL)
		return not_understood(login->cmd);
	if (login->cmd->json)
		return CMD_DONE;
	writer_line(out, WRITER_PLAIN, "To sign in to account %s, open on any device", login->account);
	(void)fputc('\n', out->file);
	writer_line(out, WRITER_BOLD, "    %s", uri);
	writer_line(out, WRITER_PLAIN, "and enter the code");
	writer_line(out, WRITER_BOLD, "    %s", code);
	if (whole != NULL)
		writer_line(out, WRITER_PLAIN, "or open %s", whole);
	(void)fputc('\n', out->file);
	if (qr_print(out, whole != NULL ? whole : uri))
		(void)fputc('\n', out->file);
	writer_line(out, WRITER_PLAIN, "Enter only a code that you see here. Waiting, %s at most; Ctrl-C gives up.",
	    login->span);
	(void)fflush(out->file);
	return CMD_DONE;
}

/* The daemon asks the provider, as often as that wants it; here is only waited. */
static int
wait_for_device(struct login *login)
{
	struct json_tree tree = { 0 };
	struct nd_buf body;
	char path[128];
	const char *state;
	nd_ms asked;
	int code;

	(void)snprintf(path, sizeof(path), "%s?wait=%d", login->path, DEVICE_WAIT);
	write_body(&body, NULL, NULL, NULL, NULL);
	do {
		json_done(&tree);
		asked = now();
		struct link_reply reply;
		struct nd_why why;

		code = ask(login->cmd, path, &body, &reply);
		if (code == CMD_DONE && cmd_read(&reply, &tree, &why) != ND_OK)
			code = cmd_fail(login->cmd, &why);
		state = code == CMD_DONE ? json_get_text(tree.root, "state") : "failed";
		if (code == CMD_DONE && reply.status == 200 && login->cmd->json)
			writer_json(&login->cmd->out, nd_buf_text(&reply.body), reply.body.len);
		link_reply_done(&reply);
		if (state != NULL && strcmp(state, "pending") == 0 && now() - asked < DEVICE_PAUSE)
			(void)poll(NULL, 0, DEVICE_PAUSE);
	} while (state != NULL && strcmp(state, "pending") == 0 && now() < login->ends + ND_SEC(DEVICE_WAIT));
	if (state != NULL && strcmp(state, "pending") == 0)
		code = too_late(login);
	else if (code == CMD_DONE && !login->cmd->json)
		print_done(login->cmd, login->account, tree.root);
	nd_buf_done(&body);
	json_done(&tree);
	return code;
}

static int
login_by_device(struct login *login)
{
	struct json_tree tree;
	int code = begin(login, "device", &tree);

	if (code == CMD_DONE)
		code = print_code(login, tree.root);
	if (code == CMD_DONE)
		code = wait_for_device(login);
	json_done(&tree);
	return code;
}

/* -- the commands -- */

int
cmd_login_run(struct cmd *cmd, const struct args *args)
{
	bool paste = args_has(args, CMD_ACCOUNT_PASTE), device = args_has(args, CMD_ACCOUNT_DEVICE);
	struct login login = { .cmd = cmd, .account = args->words[1] };
	const char *provider, *grant;
	struct json_tree tree;
	struct nd_buf path;
	int code;

	if (paste && device)
		return cmd_usage(cmd, "--paste and --device are two ways to sign in: give one");
	cmd_account_path(login.account, "", &path);
	code = ask_json(cmd, nd_buf_text(&path), NULL, &tree);
	nd_buf_done(&path);
	provider = json_get_text(tree.root, "provider");
	grant = json_get_text(tree.root, "grant");
	login.microsoft = provider == NULL || strncmp(provider, "microsoft", 9) == 0;
	device = device || (!paste && grant != NULL && strcmp(grant, "device_code") == 0);
	json_done(&tree);
	back_init(&login.back);
	mind_signals();
	if (code != CMD_DONE)
		return code;
	return device ? login_by_device(&login) : login_by_code(&login, paste);
}

static bool
is_sure(struct cmd *cmd, const char *name)
{
	char line[8] = "";

	(void)fprintf(
	    cmd->err.file, "sign out of account %s? Its mail waits until somebody signs in again. [y/N] ", name);
	(void)fflush(cmd->err.file);
	return fgets(line, sizeof(line), stdin) != NULL && (line[0] == 'y' || line[0] == 'Y');
}

int
cmd_logout_run(struct cmd *cmd, const struct args *args)
{
	const char *name = args->words[1], *detail;
	const struct json_node *revoked;
	struct json_tree tree;
	struct nd_buf path, body;
	int code;

	if (!args_has(args, CMD_ACCOUNT_YES) && !isatty(STDIN_FILENO))
		return cmd_usage(cmd, "account logout needs --yes when there is no terminal to ask at");
	if (!args_has(args, CMD_ACCOUNT_YES) && !is_sure(cmd, name))
		return cmd_usage(cmd, "nothing was done");
	cmd_account_path(name, "/logout", &path);
	write_body(&body, NULL, NULL, NULL, NULL);
	code = ask_json(cmd, nd_buf_text(&path), &body, &tree);
	if (code == CMD_DONE && !cmd->json) {
		revoked = json_get(tree.root, "revoked");
		detail = json_get_text(tree.root, "detail");
		bool gone = revoked != NULL && revoked->type == JSON_BOOL && revoked->boolean;
		writer_line(&cmd->out, WRITER_GOOD, "signed out of account %s", name);
		if (detail != NULL)
			writer_line(&cmd->out, gone ? WRITER_PLAIN : WRITER_WARN, "%s", detail);
	}
	json_done(&tree);
	nd_buf_done(&body);
	nd_buf_done(&path);
	return code;
}
