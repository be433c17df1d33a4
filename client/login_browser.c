/* SPDX-License-Identifier: Apache-2.0 */
/* login_browser.c - a sign-in by a browser that comes back to a page of this machine, or whose last address is pasted.  Layer: client. */
#include "client/login.h"
#include "client/page.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* -- what comes back -- */

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
	struct nd_buf html, meaning, remedy;

	if (page.detail == NULL)
		page.detail = json_get_text(root, "title");
	if (page.detail == NULL) /* the page says something also when the daemon is gone */
		page.detail = "notifyd did not answer";
	nd_buf_init(&html, 65536);
	nd_buf_init(&meaning, 8192);
	nd_buf_init(&remedy, 8192);
	if (!good && page.japanese)
		cmd_meaning(login->cmd, page.detail, EXPLAIN_JA, &meaning, &remedy);
	page.meaning = nd_buf_text(&meaning);
	if (remedy.len > 0)
		page.hint = nd_buf_text(&remedy);
	page_write(&page, &html);
	back_answer(&login->back, good ? 200 : 400, &html);
	nd_buf_done(&html);
	nd_buf_done(&meaning);
	nd_buf_done(&remedy);
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

	login_write_body(&body, "redirected", came, NULL, NULL);
	code = login_ask(login->cmd, login->path, &body, &reply);
	nd_buf_wipe(&body);
	*again = reply.status == 400;
	if (cmd_read(&reply, &tree, &why) != ND_OK && code == CMD_DONE)
		code = cmd_fail(login->cmd, &why);
	answer_browser(login, tree.root, code == CMD_DONE);
	if (code == CMD_DONE && login->cmd->json)
		writer_json(&login->cmd->out, nd_buf_text(&reply.body), reply.body.len);
	else if (code == CMD_DONE)
		login_print_done(login->cmd, login->account, tree.root);
	json_done(&tree);
	link_reply_done(&reply);
	return code;
}

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
		left = login->ends - login_now();
		if (left <= 0)
			return login_too_late(login);
		if (poll(polls, BACK_POLLS + 1, (int)left) <= 0)
			continue;
		if (polls[BACK_POLLS].revents != 0)
			code = take_paste(login, &over);
		if (!over && back_turn(&login->back, polls))
			code = take_browser(login, &over);
	}
	return code;
}

/* -- the way there -- */

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
			? "What it shows there does not matter, \"connection refused\" neither."
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

static int
sign_in(struct login *login, const struct json_node *start, bool paste)
{
	const char *url = json_get_text(start, "url"), *uri = json_get_text(start, "redirect_uri");
	char obstacle[400] = "";
	int code;

	if (url == NULL || uri == NULL || strlen(uri) >= sizeof(login->uri))
		return login_not_understood(login->cmd);
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

int
login_by_browser(struct login *login, bool paste)
{
	struct json_tree tree;
	int code;

	propose(login, paste);
	code = login_begin(login, "code", &tree);
	if (code == CMD_DONE)
		code = sign_in(login, tree.root, paste);
	json_done(&tree);
	back_close(&login->back);
	return code;
}
