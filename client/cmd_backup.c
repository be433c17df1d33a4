/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_backup.c - notifyctl backup FILE: a tar file of the queue while notifyd runs.  Layer: client.
 *
 * The daemon makes a copy in its state directory, tar(1) reads it, the daemon removes it. So who may not read that directory gets nothing.
 */
#include "client/cmd.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE ND_HOUR(6)

static volatile sig_atomic_t given_up; /* by this signal */
static volatile pid_t packer;          /* tar, while it runs */

/* The copy must not stay, and holds messages: the first signal ends tar, and what follows clears up. A second one ends us at once. */
static void
give_up(int number)
{
	given_up = number;
	if (packer > 0)
		(void)kill(packer, SIGTERM);
}

static void
mind_signals(void)
{
	static const int numbers[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction action = { .sa_handler = give_up, .sa_flags = (int)SA_RESETHAND }, old;

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		if (sigaction(numbers[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN) /* nohup */
			(void)sigaction(numbers[i], &action, NULL);
}

/* POST or DELETE /v1/backup; the path when it was made. */
static int
ask(struct cmd *cmd, const char *method, char *path, size_t size)
{
	struct link_request request = { .method = method, .path = "/v1/backup", .patience = PATIENCE };
	struct json_tree tree = { 0 };
	struct link_reply reply;
	const char *text;
	struct nd_why why;
	int code = CMD_DONE;

	if (link_call(cmd->socket, &request, &reply, &why) != ND_OK) {
		code = cmd_fail(cmd, &why);
	} else if (reply.status != 200) {
		code = cmd_problem(cmd, &reply);
	} else if (path != NULL) {
		text = cmd_read(&reply, &tree, &why) == ND_OK ? json_get_text(tree.root, "path") : NULL;
		if (text == NULL || strlen(text) >= size) {
			(void)nd_fail(&why, ND_EPROTOCOL, 0, "the answer does not say where the copy is");
			code = cmd_fail(cmd, &why);
		} else {
			memcpy(path, text, strlen(text) + 1);
		}
	}
	json_done(&tree);
	link_reply_done(&reply);
	return code;
}

/* tar of a folder to `fd`; 0, or an errno, or -1 when tar failed and said why. */
static int
pack(const char *folder, int fd)
{
	const char *const words[] = { "tar", "-C", folder, "-cf", "-", "queue.db", "spool", NULL };
	posix_spawn_file_actions_t actions;
	int error, status = 0;
	siginfo_t ended;
	pid_t pid;

	error = posix_spawn_file_actions_init(&actions);
	if (error != 0)
		return error;
	error = posix_spawn_file_actions_adddup2(&actions, fd, STDOUT_FILENO);
	if (error == 0)
		error = posix_spawnp(&pid, "tar", &actions, NULL, (char *const *)(uintptr_t)words, environ);
	(void)posix_spawn_file_actions_destroy(&actions);
	if (error != 0)
		return error;
	packer = pid;
	if (given_up != 0) /* just now */
		(void)kill(pid, SIGTERM);
	while (waitid(P_PID, (id_t)pid, &ended, WEXITED | WNOWAIT) < 0 && errno == EINTR)
		continue;
	packer = 0; /* its number is free after this */
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return errno;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -1;
}

static enum nd_err
write_file(const char *folder, const char *file, struct nd_why *why)
{
	char fresh[4200];
	int fd, error;

	(void)snprintf(fresh, sizeof(fresh), "%s.new", file);
	if (access(folder, R_OK | X_OK) != 0) {
		(void)nd_fail(why, ND_EOPERATOR, errno, "%s cannot be read", folder);
		return nd_fail_at(why, "", 0, "run it as root, or as the user that notifyd runs as");
	}
	(void)unlink(fresh);
	fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return nd_fail(why, ND_EINVALID, errno, "%s cannot be made", fresh);
	error = pack(folder, fd);
	if (error == 0 && fsync(fd) != 0)
		error = errno;
	if (close(fd) != 0 && error == 0)
		error = errno;
	if (error == 0 && rename(fresh, file) != 0)
		error = errno;
	if (error == 0)
		return ND_OK;
	(void)unlink(fresh);
	return nd_fail(why, ND_EDISK, error > 0 ? error : 0, "%s cannot be written", file);
}

static void
tell(struct cmd *cmd, const char *file, long long octets)
{
	struct json_out out;
	struct nd_buf buf;

	if (!cmd->json) {
		writer_line(&cmd->out, WRITER_PLAIN, "%s: %lld octets", file, octets);
		return;
	}
	nd_buf_init(&buf, 65536);
	json_out_init(&out, &buf);
	json_out_object(&out, NULL);
	json_out_text(&out, "path", file);
	json_out_int(&out, "octets", octets);
	json_out_object_end(&out);
	(void)nd_buf_addc(&buf, '\n');
	writer_json(&cmd->out, nd_buf_text(&buf), buf.len);
	nd_buf_done(&buf);
}

int
cmd_backup_run(struct cmd *cmd, const struct args *args)
{
	const char *file = args->words[0];
	char folder[4096];
	struct nd_why why;
	struct stat st;
	int code, dropped;

	if (strlen(file) > 4000)
		return cmd_usage(cmd, "the name of the file is too long");
	mind_signals();
	code = ask(cmd, "POST", folder, sizeof(folder));
	if (code != CMD_DONE)
		return code;
	if (write_file(folder, file, &why) != ND_OK)
		code = cmd_fail(cmd, &why);
	dropped = ask(cmd, "DELETE", NULL, 0);
	if (given_up != 0 && code != CMD_DONE)
		(void)raise(given_up); /* by its default now: who called sees why this ended */
	if (code == CMD_DONE && stat(file, &st) == 0)
		tell(cmd, file, (long long)st.st_size);
	return code != CMD_DONE ? code : dropped;
}
