/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_job.c - any octets are a job or refused by name; a draft keeps its promises. */
#include "common/idn.h"
#include "common/job.h"
#include "tests/fuzz/fuzz.h"

#include <stdint.h>
#include <string.h>

static void
check_line(const char *text)
{
	must(text == NULL || (nd_str_utf8(text, strlen(text)) && !nd_str_has_control(text, strlen(text))));
}

static void
check_box(const struct nd_mailbox *box)
{
	char ascii[IDN_ADDRESS_SIZE];

	check_line(box->name);
	if (box->address == NULL)
		return;
	must(idn_address(box->address, ascii, NULL) == ND_OK &&
	     nd_str_ascii(nd_str_domain(ascii), strlen(nd_str_domain(ascii))));
	must(strchr(box->address, '@') != NULL && nd_str_domain(box->address)[0] != '\0');
}

static void
check_lists(const struct job_draft *draft)
{
	must(draft->label_count <= JOB_MAX_LABELS && draft->attachment_count <= JOB_MAX_ATTACHMENTS);
	for (unsigned i = 0; i < draft->header_count; i++) {
		check_line(draft->headers[i].name);
		check_line(draft->headers[i].value);
		must(!job_header_reserved(draft->headers[i].name));
	}
	for (unsigned i = 0; i < draft->link_count; i++) {
		check_line(draft->links[i].name);
		check_line(draft->links[i].value);
	}
	for (unsigned i = 0; i < draft->attachment_count; i++) {
		const struct job_attachment *part = &draft->attachments[i];

		check_line(part->name);
		check_line(part->type);
		must(nd_str_unbase64(NULL, part->content, part->content_len, true)); /* white space is let pass */
	}
}

static void
check_draft(const struct job_draft *draft)
{
	must(draft->subject != NULL || draft->text != NULL || draft->html != NULL);
	must(!draft->resolved || draft->key != NULL);
	must(draft->rcpt_count <= JOB_MAX_RCPTS);
	for (unsigned i = 0; i < draft->rcpt_count; i++) {
		must(draft->rcpts[i].box.address != NULL);
		check_box(&draft->rcpts[i].box);
	}
	check_box(&draft->from);
	check_box(&draft->reply_to);
	check_line(draft->subject);
	check_line(draft->source);
	check_line(draft->key);
	check_line(draft->client_ref);
	check_lists(draft);
}

/* The facts are an object that reads as one. */
static void
check_facts(const struct job_draft *draft)
{
	static const struct json_limits limits = { .octets = (size_t)1 << 24, .depth = 16, .nodes = 200000 };
	struct json_tree tree;
	struct nd_buf facts;

	nd_buf_init(&facts, (size_t)1 << 24);
	job_facts(draft, draft->subject, &facts);
	must(!facts.failed && json_read(&tree, facts.octets, facts.len, &limits, NULL, NULL) == ND_OK);
	json_done(&tree);
	nd_buf_done(&facts);
}

int
LLVMFuzzerTestOneInput(const uint8_t *octets, size_t len)
{
	struct json_tree tree;
	struct job_draft draft;
	struct nd_why why;

	if (json_read(&tree, (const char *)octets, len, &json_limits_job, NULL, &why) != ND_OK)
		return 0;
	if (job_check(&draft, &tree, tree.root, &why) != ND_OK) {
		must(why.text[0] != '\0' && nd_str_utf8(why.text, strlen(why.text)));
		must(nd_str_utf8(why.field, strlen(why.field)) && nd_str_utf8(why.hint, strlen(why.hint)));
		json_done(&tree);
		return 0;
	}
	must(tree.root == NULL);
	check_draft(&draft);
	check_facts(&draft);
	job_draft_done(&draft);
	return 0;
}
