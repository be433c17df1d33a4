/* SPDX-License-Identifier: Apache-2.0 */
/* mime_print.c - reads one job (JSON) on stdin, writes its message on stdout: the C half of mime_oracle.py.
 *
 * mime_print [WORDS [LEN]]: with this notice, found in the first LEN octets of the body, if it can be. */
#include "common/job.h"
#include "common/json.h"
#include "common/mem.h"
#include "daemon/core/mime.h"
#include "daemon/core/mime_notice.h"
#include "daemon/core/mime_plain.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROOM ((size_t)128 << 20)
#define ID "01JD7Z2V8N4K6M9Q3R5T7W1X0Y"
#define CREATED 1795334880000 /* Sun, 22 Nov 2026 08:08:00 +0000 */

static char **words; /* of the command line, behind its name */

static void
print_body(const struct nd_buf *body)
{
	const size_t len = words[0] && words[1] ? (size_t)strtoul(words[1], NULL, 10) : body->len;
	size_t start = mime_plain_header_len(body->octets, body->len);
	struct nd_buf out;

	if (!words[0]) {
		(void)fwrite(nd_buf_text(body), 1, body->len, stdout);
		return;
	}
	(void)fwrite(nd_buf_text(body), 1, start, stdout);
	nd_buf_init(&out, ROOM);
	start = len < body->len && mime_notice_add(&out, ID, body->octets, len, false, words[0]) ? len : body->len;
	if (start == body->len && !mime_notice_add(&out, ID, body->octets, body->len, true, words[0]))
		abort();
	(void)fwrite(nd_buf_text(&out), 1, out.len, stdout);
	(void)fwrite(body->octets + start, 1, body->len - start, stdout);
	nd_buf_done(&out);
}

static enum nd_err
print(const char *octets, size_t len, struct nd_why *why)
{
	struct conf_account account = { .from_policy = CONF_FROM_REWRITE };
	struct json_tree tree;
	struct job_draft draft;
	struct mime_sender sender = { .origin = "root on web01", .answers = true };
	struct nd_buf head, body, envelope;
	enum nd_err err;

	account.from_box = (struct nd_mailbox){ nd_xstrdup("Alerts, web01"), nd_xstrdup("alerts@contoso.com") };
	nd_buf_init(&head, ROOM);
	nd_buf_init(&body, ROOM);
	nd_buf_init(&envelope, ROOM);
	err = json_read(&tree, octets, len, &json_limits_job, NULL, why);
	if (err != ND_OK)
		goto out;
	err = job_check(&draft, &tree, tree.root, why);
	json_done(&tree);
	if (err != ND_OK)
		goto out;
	sender.from = draft.from.address;
	sender.answers = draft.reply_to.address == NULL;
	mime_head(&account, &sender, &head, &envelope);
	err = mime_body(&draft, ID, CREATED, "web01.contoso.com", &body, why);
	job_draft_done(&draft);
	if (err == ND_OK) {
		(void)fwrite(nd_buf_text(&head), 1, head.len, stdout);
		print_body(&body);
	}
out:
	nd_buf_done(&head);
	nd_buf_done(&body);
	nd_buf_done(&envelope);
	nd_mailbox_done(&account.from_box);
	return err;
}

int
main(int argc, char **argv)
{
	struct nd_buf in;
	struct nd_why why;
	char *room;
	size_t got;
	enum nd_err err;

	words = argv + (argc > 0);
	nd_buf_init(&in, ROOM);
	while ((room = nd_buf_reserve(&in, 65536)) != NULL && (got = fread(room, 1, 65536, stdin)) > 0)
		nd_buf_grown(&in, got);
	err = print(nd_buf_text(&in), in.len, &why);
	nd_buf_done(&in);
	if (err == ND_OK)
		return 0;
	(void)fprintf(stderr, "%s: %s: %s\n", nd_err_name(err), why.field, why.text);
	return 1;
}
