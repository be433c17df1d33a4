/* SPDX-License-Identifier: Apache-2.0 */
/* mime_print.c - reads one job (JSON) on stdin, writes its message on stdout: the C half of mime_oracle.py. */
#include "common/job.h"
#include "common/json.h"
#include "common/mem.h"
#include "daemon/core/mime.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROOM ((size_t)128 << 20)
#define CREATED 1795334880000 /* Sun, 22 Nov 2026 08:08:00 +0000 */

static enum nd_err
print(const char *octets, size_t len, struct nd_why *why)
{
	struct conf_account account = { .from_policy = CONF_FROM_REWRITE };
	struct json_tree tree;
	struct job_draft draft;
	struct mime_sender sender = { .origin = "root on web01", .reply_to_allowed = true };
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
	sender.has_reply_to = draft.reply_to.address != NULL;
	mime_head(&account, &sender, &head, &envelope);
	err = mime_body(&draft, "01JD7Z2V8N4K6M9Q3R5T7W1X0Y", CREATED, "web01.contoso.com", &body, why);
	job_draft_done(&draft);
	if (err == ND_OK) {
		(void)fwrite(nd_buf_text(&head), 1, head.len, stdout);
		(void)fwrite(nd_buf_text(&body), 1, body.len, stdout);
	}
out:
	nd_buf_done(&head);
	nd_buf_done(&body);
	nd_buf_done(&envelope);
	nd_mailbox_done(&account.from_box);
	return err;
}

int
main(void)
{
	struct nd_buf in;
	struct nd_why why;
	char *room;
	size_t got;
	enum nd_err err;

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
