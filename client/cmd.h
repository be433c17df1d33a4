/* SPDX-License-Identifier: Apache-2.0 */
/* cmd.h - what the commands share: their table, exit codes, asking the daemon, telling failures.  Layer: client. */
#ifndef ND_CLIENT_CMD_H
#define ND_CLIENT_CMD_H

#include "client/args.h"
#include "client/link.h"
#include "client/progress.h"
#include "client/writer.h"
#include "common/explain.h"
#include "common/json.h"

/* Scripts decide by these. */
enum cmd_exit {
	CMD_DONE = 0,
	CMD_PENDING = 3,      /* accepted, not yet final: not to be sent again */
	CMD_USAGE = 64,       /* wrong command line */
	CMD_REFUSED = 65,     /* the daemon refused the request */
	CMD_NO_INPUT = 66,    /* a file cannot be read */
	CMD_UNDELIVERED = 69, /* --wait: failed, expired, cancelled or held */
	CMD_BUG = 70,
	CMD_LATER = 75,    /* not reached, or busy: never after acceptance */
	CMD_PROTOCOL = 76, /* the answer is not understood */
	CMD_DENIED = 77,   /* a missing right */
	CMD_CONFIG = 78,   /* the configuration is at fault */
};

/* One run of the program. */
struct cmd {
	const char *socket; /* borrowed */
	bool json;          /* the API's JSON instead of text */
	const char *
	    account; /* whom refusals are about, so that their hints can be told in the user's language; NULL: they are told as they come */
	struct writer out, err;
};

typedef int cmd_run(struct cmd *cmd, const struct args *args);

struct cmd_row {
	const char *name, *arguments, *words;
	const struct args_option *options; /* its own; NULL none */
	cmd_run *run;
	unsigned words_min, words_max;
	bool submits; /* its success must not be taken back by a broken stdout */
};

cmd_run cmd_setup_run;
extern const struct args_option cmd_setup_options[];
/* Tests the account until all is well, then submits a mail through it and waits until it went out: for an hour at most. to NULL: [daemon] to. */
int cmd_setup_resume(struct cmd *cmd, const char *account, const char *to, nd_ms every);
cmd_run cmd_secret_run;
extern const struct args_option cmd_secret_options[];
cmd_run cmd_cert_run;
extern const struct args_option cmd_cert_options[];
/* Tries an account again at once, with what proves it read afresh, and shows it. */
int cmd_account_refresh(struct cmd *cmd, const char *name);
cmd_run cmd_backup_run, cmd_state_run, cmd_explain_run;
extern const struct args_option cmd_explain_options[];
cmd_run cmd_send_run, cmd_submit_run, cmd_status_run, cmd_list_run, cmd_show_run, cmd_message_run;
cmd_run cmd_retry_run, cmd_hold_run, cmd_release_run, cmd_cancel_run, cmd_flush_run;
extern const struct args_option cmd_send_options[], cmd_submit_options[], cmd_list_options[], cmd_show_options[],
    cmd_act_options[], cmd_state_options[];
/* Asks for the job until it has come to its end, also over a restart of the daemon, or until `end`: *reply is the last answer. *met: the
 * daemon was there; one that never was is not waited for. */
enum nd_err cmd_wait_for(
    struct cmd *cmd, const char *id, nd_ms end, bool *met, struct link_reply *reply, struct nd_why *why) ND_MUST_CHECK;
cmd_run cmd_watch_run, cmd_wait_run;
extern const struct args_option cmd_watch_options[], cmd_wait_options[];
cmd_run cmd_account_run, cmd_test_run, cmd_doctor_run;
/* /v1/accounts/NAME and what follows; nd_buf_done(). */
void cmd_account_path(const char *name, const char *rest, struct nd_buf *path);
/* Of cmd_account_options: each belongs to one of its verbs. */
enum {
	CMD_ACCOUNT_TO,
	CMD_ACCOUNT_NO_SEND,
	CMD_ACCOUNT_CONFIG,
	CMD_ACCOUNT_PASTE,
	CMD_ACCOUNT_DEVICE,
	CMD_ACCOUNT_YES
};
extern const struct args_option cmd_account_options[], cmd_doctor_options[];
cmd_run cmd_login_run, cmd_logout_run;
cmd_run cmd_check_run, cmd_pause_run, cmd_reload_run, cmd_resume_run;

/* The language of LC_ALL, LC_MESSAGES, LANG. */
enum explain_lang cmd_language(void);
/* Tells a failure on stderr, as text or as a problem in JSON; returns its exit code. */
int cmd_fail(struct cmd *cmd, const struct nd_why *why);
/* Tells the daemon's problem in the same way; `where` is "" or what it is about, as "job 3: ". */
int cmd_problem(struct cmd *cmd, const struct link_reply *reply);
int cmd_problem_tell(struct cmd *cmd, const char *where, const struct json_node *problem);
/* Text of a command line mistake; returns CMD_USAGE. */
int cmd_usage(struct cmd *cmd, const char *format, ...) ND_PRINTF(2, 3);
/* GET `path`: 200 gives the reply (to be done), anything else is told. Returns CMD_DONE or the exit code. */
int cmd_get(struct cmd *cmd, const char *path, struct link_reply *reply);
/* As above, and reads the JSON; with --json it is printed and `tree` stays empty (root NULL). */
int cmd_get_json(struct cmd *cmd, const char *path, struct json_tree *tree);
/* POST without a body, in the same way; 202 is as good as 200. patience: 0 the usual. `progress` (NULL none) ends before anything is told. */
int cmd_post_json(struct cmd *cmd, const char *path, nd_ms patience, struct progress *progress, struct json_tree *tree);
enum nd_err cmd_read(const struct link_reply *reply, struct json_tree *tree, struct nd_why *why) ND_MUST_CHECK;

/* "3m" since an RFC 3339 text, or "in 3m"; "" when it is none. Returns `out`. */
const char *cmd_age(const char *stamp, char out[48]);
const char *cmd_until(const char *stamp, char out[48]);
/* "2026-11-21 08:00:00Z" of an RFC 3339 text; the text itself when it is none. */
const char *cmd_stamp(const char *stamp, char out[48]);
/* "00:24" of this host's clock, with the day when that is far. */
const char *cmd_clock(const char *stamp, char out[48]);
/* A state's name => its words and colour. */
const char *cmd_state_words(const char *name);
enum writer_color cmd_state_color(const char *name);
enum writer_color cmd_severity_color(const char *name);
/* The reply of a server: "250 2.0.0 OK", without what is missing. */
void cmd_reply_text(const struct json_node *node, struct nd_buf *out);
/* The "hint" of a job or an account in the user's language: another one than English comes from the table, by its "reason" and by what the
 * daemon knows of the account. Owned; NULL none. */
char *cmd_hint(struct cmd *cmd, const struct json_node *node);
/* What a failure of cmd->account means, and what to do, in a language that need not be the user's. Nothing is added for one that nobody knows. */
void cmd_meaning(
    struct cmd *cmd, const char *failure, enum explain_lang lang, struct nd_buf *meaning, struct nd_buf *remedy);
/* Accounts as a table, with what keeps each from sending. */
void cmd_account_print(struct cmd *cmd, const struct json_node *accounts);
/* "accepted by smtp.office365.com" and kin, for a job. */
void cmd_job_words(const struct json_node *job, struct nd_buf *out);

#endif
