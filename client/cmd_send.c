/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_send.c - notifyctl send: a job from options.  Layer: client.
 *
 * Each option is a row: the field it becomes, and the function that writes it. Fields that may be given several times become one array or object.
 */
#include "client/file.h"
#include "client/post.h"
#include "common/job.h"
#include "common/str.h"

#include <string.h>

enum {
	OPT_TO,
	OPT_CC,
	OPT_BCC,
	OPT_FROM,
	OPT_REPLY_TO,
	OPT_SUBJECT,
	OPT_TEXT,
	OPT_HTML,
	OPT_ATTACH,
	OPT_INLINE,
	OPT_SEVERITY,
	OPT_SOURCE,
	OPT_KEY,
	OPT_RESOLVED,
	OPT_LABEL,
	OPT_LINK,
	OPT_HEADER,
	OPT_TEMPLATE,
	OPT_ACCOUNT,
	OPT_EVENT_TIME,
	OPT_AT,
	OPT_EXPIRES,
	OPT_IDEMPOTENCY_KEY,
	OPT_CLIENT_REF,
	OPT_SENSITIVE,
	OPT_REQUIRE_TLS,
	OPT_WAIT,
	OPT_DRY_RUN,
};

/* clang-format off */
const struct args_option cmd_send_options[] = {
	[OPT_TO]        = { 't', "to", "ADDR[,ADDR]", "Recipients; may be given again. Without any, [daemon] to is used." },
	[OPT_CC]        = { 0, "cc", "ADDR[,ADDR]", "More recipients, named in Cc." },
	[OPT_BCC]       = { 0, "bcc", "ADDR[,ADDR]", "More recipients, named nowhere in the message." },
	[OPT_FROM]      = { 0, "from", "ADDR", "The sender, the account's unless given; its from_policy decides what becomes of another." },
	[OPT_REPLY_TO]  = { 0, "reply-to", "ADDR", "Where answers should go." },
	[OPT_SUBJECT]   = { 's', "subject", "TEXT", "One line; the first line of the text unless given." },
	[OPT_TEXT]      = { 'm', "text", "TEXT|-", "The text; - reads standard input, as does leaving it out when a pipe or file is there." },
	[OPT_HTML]      = { 0, "html", "FILE", "The HTML text; - reads standard input." },
	[OPT_ATTACH]    = { 'a', "attach", "FILE", "Attaches a file; may be given again." },
	[OPT_INLINE]    = { 0, "inline", "FILE", "Attaches a file that the HTML shows as cid:NAME." },
	[OPT_SEVERITY]  = { 0, "severity", "S", "emergency alert critical error warning notice info debug (warning)." },
	[OPT_SOURCE]    = { 0, "source", "S", "Who speaks; the unit or the command unless given." },
	[OPT_KEY]       = { 0, "key", "K", "What the alert is about; the same alert again has the same key." },
	[OPT_RESOLVED]  = { 0, "resolved", NULL, "The alert of this --key is over." },
	[OPT_LABEL]     = { 0, "label", "N=V", "A label; may be given again." },
	[OPT_LINK]      = { 0, "link", "T=URL", "A link with its title, shown below the text; may be given again." },
	[OPT_HEADER]    = { 0, "header", "N=V", "One more header field; may be given again." },
	[OPT_TEMPLATE]  = { 0, "template", "NAME", "How the message is laid out." },
	[OPT_ACCOUNT]   = { 0, "account", "A", "The account to send through; [daemon] accounts unless given." },
	[OPT_EVENT_TIME] = { 0, "event-time", "T", "When it happened (RFC 3339); now unless given." },
	[OPT_AT]        = { 0, "at", "T", "Not to be sent before this time (RFC 3339); at once unless given." },
	[OPT_EXPIRES]   = { 0, "expires", "D", "How long it is worth sending: 90s 15m 48h 7d; [queue] expires_in unless given." },
	[OPT_IDEMPOTENCY_KEY] = { 0, "idempotency-key", "K", "The same job sent again within 24 h is accepted once; made up unless given." },
	[OPT_CLIENT_REF] = { 0, "client-ref", "R", "Kept and shown, never read." },
	[OPT_SENSITIVE] = { 0, "sensitive", NULL, "Encrypted at rest, shown nowhere, wiped when the job ends." },
	[OPT_REQUIRE_TLS] = { 0, "require-tls", NULL, "Every relay on the way must use TLS, or send the message back (RFC 8689)." },
	[OPT_WAIT]      = { 0, "wait", "[=D]", "Waits until the job is final, at most D (30s; up to 300s)." },
	[OPT_DRY_RUN]   = { 0, "dry-run", NULL, "Asks what would become of it; nothing is accepted." },
	{ 0 },
};

/* Options that become a field of one text; the others have functions of their own. */
static const struct { int option; const char *field; } texts[] = {
	{ OPT_FROM, "from" }, { OPT_REPLY_TO, "reply_to" }, { OPT_SUBJECT, "subject" }, { OPT_SEVERITY, "severity" },
	{ OPT_SOURCE, "source" }, { OPT_KEY, "key" }, { OPT_TEMPLATE, "template" }, { OPT_ACCOUNT, "account" },
	{ OPT_EVENT_TIME, "event_time" }, { OPT_AT, "not_before" }, { OPT_EXPIRES, "expires_in" }, { OPT_CLIENT_REF, "client_ref" },
};
/* clang-format on */

struct build {
	struct cmd *cmd;
	const struct args *args;
	struct json_out out;
	bool stdin_taken;
	int code; /* CMD_DONE while nothing went wrong */
};

/* Text as JSON can hold it: a NUL, which it cannot, becomes U+FFFD as other octets that are no UTF-8 do. */
static void
add_octets(struct build *build, const char *field, const struct nd_buf *octets)
{
	const char *p = nd_buf_text(octets), *nul;
	size_t left = octets->len;
	struct nd_buf clean;

	if (memchr(p, '\0', left) == NULL) {
		json_out_textn(&build->out, field, p, left);
		return;
	}
	nd_buf_init(&clean, 3 * (size_t)JOB_MAX_OCTETS);
	while ((nul = memchr(p, '\0', left)) != NULL) {
		nd_buf_add(&clean, p, (size_t)(nul - p));
		nd_buf_adds(&clean, "\xef\xbf\xbd");
		left -= (size_t)(nul + 1 - p);
		p = nul + 1;
	}
	nd_buf_add(&clean, p, left);
	json_out_textn(&build->out, field, nd_buf_text(&clean), clean.len);
	nd_buf_done(&clean);
}

static bool
read_input(struct build *build, const char *path, struct nd_buf *octets)
{
	struct nd_why why;

	nd_buf_init(octets, JOB_MAX_OCTETS);
	if (strcmp(path, "-") == 0 && build->stdin_taken) {
		build->code = cmd_usage(build->cmd, "standard input can be read only once");
		return false;
	}
	build->stdin_taken = build->stdin_taken || strcmp(path, "-") == 0;
	if (file_read(path, octets, &why) == ND_OK)
		return true;
	(void)cmd_fail(build->cmd, &why);
	build->code = why.err == ND_ETOOBIG ? CMD_REFUSED : CMD_NO_INPUT;
	nd_buf_done(octets);
	return false;
}

/* Each --to may be a list with commas; in the JSON each address is an item of its own. */
static void
add_addresses(struct build *build, int option, const char *field)
{
	const char *rest, *start;
	unsigned i;
	size_t len;

	if (!args_has(build->args, option))
		return;
	json_out_array(&build->out, field);
	for (i = 0; i < build->args->given_count; i++) {
		if (build->args->given[i].option != option)
			continue;
		rest = build->args->given[i].value;
		while (nd_str_list_next(&rest, &start, &len))
			json_out_textn(&build->out, NULL, start, len);
	}
	json_out_array_end(&build->out);
}

/* NAME=VALUE; false: no name. */
static bool
split(struct build *build, const char *text, const char *marks, char name[256], const char **value)
{
	size_t len = strcspn(text, marks);

	if (len == 0 || len > 255 || text[len] == '\0') {
		build->code = cmd_usage(build->cmd, "\"%.80s\" is not of the form NAME=VALUE", text);
		return false;
	}
	memcpy(name, text, len);
	name[len] = '\0';
	*value = text + len + 1;
	return true;
}

static void
add_object(struct build *build, int option, const char *field, const char *marks)
{
	char name[256];
	const char *value;
	unsigned i;

	if (!args_has(build->args, option))
		return;
	json_out_object(&build->out, field);
	for (i = 0; i < build->args->given_count && build->code == CMD_DONE; i++) {
		if (build->args->given[i].option != option ||
		    !split(build, build->args->given[i].value, marks, name, &value))
			continue;
		json_out_text(&build->out, name, value + strspn(value, " "));
	}
	json_out_object_end(&build->out);
}

/* TITLE=URL; a URL alone has no title, though a '=' may stand in its query. */
static void
add_links(struct build *build)
{
	const char *text, *url;
	char title[256];
	unsigned i;

	if (!args_has(build->args, OPT_LINK))
		return;
	json_out_array(&build->out, "links");
	for (i = 0; i < build->args->given_count && build->code == CMD_DONE; i++) {
		if (build->args->given[i].option != OPT_LINK)
			continue;
		text = build->args->given[i].value;
		title[0] = '\0';
		url = text;
		if (!nd_str_starts_nocase(text, "https://") && !nd_str_starts_nocase(text, "http://") &&
		    !nd_str_starts_nocase(text, "mailto:") && !split(build, text, "=", title, &url))
			break;
		json_out_object(&build->out, NULL);
		json_out_text(&build->out, "title", title[0] != '\0' ? title : NULL);
		json_out_text(&build->out, "url", url);
		json_out_object_end(&build->out);
	}
	json_out_array_end(&build->out);
}

static void
add_file(struct build *build, const char *path, bool shown)
{
	struct nd_buf octets, text;

	if (!read_input(build, path, &octets))
		return;
	nd_buf_init(&text, 2 * (size_t)JOB_MAX_OCTETS);
	if (!nd_str_base64(&text, nd_buf_text(&octets), octets.len))
		build->out.buf->failed = true;
	nd_buf_done(&octets);
	json_out_object(&build->out, NULL);
	json_out_text(&build->out, "name", strcmp(path, "-") == 0 ? "stdin.txt" : file_base(path));
	json_out_text(&build->out, "type", file_type(path));
	json_out_textn(&build->out, "content", nd_buf_text(&text), text.len);
	if (shown)
		json_out_bool(&build->out, "inline", true);
	json_out_object_end(&build->out);
	nd_buf_done(&text);
}

static void
add_files(struct build *build)
{
	const struct args *args = build->args;
	unsigned i;

	if (!args_has(args, OPT_ATTACH) && !args_has(args, OPT_INLINE))
		return;
	json_out_array(&build->out, "attachments");
	for (i = 0; i < args->given_count && build->code == CMD_DONE; i++)
		if (args->given[i].option == OPT_ATTACH || args->given[i].option == OPT_INLINE)
			add_file(build, args->given[i].value, args->given[i].option == OPT_INLINE);
	json_out_array_end(&build->out);
}

static void
add_input(struct build *build, const char *path, const char *field)
{
	struct nd_buf octets;

	if (!read_input(build, path, &octets))
		return;
	if (octets.len > 0)
		add_octets(build, field, &octets);
	nd_buf_done(&octets);
}

/* The text: given, or read; from a pipe unless something else is there to be said. */
static void
add_bodies(struct build *build)
{
	const char *text = args_value(build->args, OPT_TEXT), *html = args_value(build->args, OPT_HTML);

	if (html != NULL)
		add_input(build, html, "html");
	if (build->code != CMD_DONE)
		return;
	if (text != NULL && strcmp(text, "-") != 0)
		json_out_text(&build->out, "text", text);
	else if (text != NULL || (html == NULL && !build->stdin_taken && file_stdin_given()))
		add_input(build, "-", "text");
}

static void
build_job(struct build *build, const char *key)
{
	const struct args *args = build->args;
	size_t i;

	json_out_object(&build->out, NULL);
	add_addresses(build, OPT_TO, "to");
	add_addresses(build, OPT_CC, "cc");
	add_addresses(build, OPT_BCC, "bcc");
	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		json_out_text(&build->out, texts[i].field, args_value(args, texts[i].option));
	json_out_text(&build->out, "status", args_has(args, OPT_RESOLVED) ? "resolved" : NULL);
	json_out_text(&build->out, "idempotency_key", key);
	if (args_has(args, OPT_SENSITIVE))
		json_out_bool(&build->out, "sensitive", true);
	if (args_has(args, OPT_REQUIRE_TLS))
		json_out_bool(&build->out, "require_tls", true);
	add_object(build, OPT_LABEL, "labels", "=");
	add_object(build, OPT_HEADER, "headers", "=:");
	add_links(build);
	add_files(build);
	add_bodies(build);
	json_out_object_end(&build->out);
}

int
cmd_send_run(struct cmd *cmd, const struct args *args)
{
	struct build build = { .cmd = cmd, .args = args };
	struct post post = { .again = true };
	const char *given = args_value(args, OPT_IDEMPOTENCY_KEY);
	char key[POST_KEY_SIZE];
	struct nd_buf body;
	struct nd_why why;

	if (!post_wait(cmd, args, OPT_WAIT, args_has(args, OPT_DRY_RUN), &post))
		return CMD_USAGE;
	post_key(key);
	nd_buf_init(&body, JOB_MAX_OCTETS);
	json_out_init(&build.out, &body);
	post.key = given != NULL ? given : key;
	build_job(&build, post.key);
	if (build.code == CMD_DONE && body.failed) {
		(void)nd_fail(
		    &why, ND_ETOOBIG, 0, "the job is larger than %u octets with its attachments", JOB_MAX_OCTETS);
		build.code = cmd_fail(cmd, &why);
	}
	post.body = nd_buf_text(&body);
	post.len = body.len;
	if (build.code == CMD_DONE)
		build.code = post_jobs(cmd, &post);
	nd_buf_done(&body);
	return build.code;
}
