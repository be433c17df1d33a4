/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_intake.c - any octets as a form and as a ready message: what is taken is JSON that can be read, and a mail that hides nothing. */
#include "common/form.h"
#include "common/job.h"
#include "common/str.h"
#include "daemon/core/ready.h"
#include "tests/fuzz/fuzz.h"

#include <stdint.h>
#include <string.h>

/* Two labels of one name are JSON's to refuse. */
static void
check_form(const char *octets, size_t len)
{
	struct job_draft draft = { 0 };
	struct json_tree tree = { 0 };
	struct form form;
	struct nd_buf json;
	struct nd_why why;

	form_init(&form);
	nd_buf_init(&json, 1u << 24);
	if (form_split(&form, octets, len, &why) == ND_OK &&
	    form_object(&form, form_job_fields, &json, &why) == ND_OK) {
		enum nd_err err = json_read(&tree, nd_buf_text(&json), json.len, &json_limits_job, NULL, &why);

		must(err == ND_OK || strstr(why.text, "twice") != NULL);
		if (err == ND_OK && job_check(&draft, &tree, tree.root, &why) == ND_OK)
			job_draft_done(&draft);
		json_done(&tree);
	}
	nd_buf_done(&json);
	form_done(&form);
}

/* Lines as a relay splits them: no octet of an end stands alone, none is too long; the header has no secret left. */
static void
check_mail(const char *mail, size_t len)
{
	const char *end = mail + len;
	bool header = true;

	must(memchr(mail, '\0', len) == NULL);
	while (mail < end) {
		const char *stop = memchr(mail, '\n', (size_t)(end - mail));

		must(stop != NULL && stop > mail && stop[-1] == '\r');
		must(memchr(mail, '\r', (size_t)(stop - mail)) == stop - 1);
		must((size_t)(stop - 1 - mail) <= READY_LINE_MAX);
		header = header && stop - 1 > mail;
		must(!header || (!nd_str_starts_nocase(mail, "Bcc:") && !nd_str_starts_nocase(mail, "From:")));
		mail = stop + 1;
	}
	must(!header);
}

static void
check_ready(const char *octets, size_t len)
{
	static const char all[] = "{\"t\":true}";
	struct json_tree envelope, job;
	struct ready ready, again;
	struct nd_buf out;
	struct nd_why why;

	if (ready_read(&ready, octets, len, &why) != ND_OK)
		return;
	nd_buf_init(&out, 1u << 24);
	must(ready_write(&ready, "01ARYZ6S43ABCDEFGHJKMNPQRS", 0, "h.example", &out, &why) == ND_OK);
	check_mail(nd_buf_text(&out), out.len);
	must(ready_read(&again, nd_buf_text(&out), out.len, &why) == ND_OK);
	must(
	    again.from == NULL && again.has_date && again.has_message_id && again.has_mime_version && again.has_reader);
	ready_done(&again);
	nd_buf_clear(&out);
	must(json_read(&envelope, all, sizeof(all) - 1, &json_limits_small, NULL, &why) == ND_OK);
	if (ready_job(&ready, envelope.root, &out, &why) == ND_OK) {
		must(json_read(&job, nd_buf_text(&out), out.len, &json_limits_job, NULL, &why) == ND_OK);
		json_done(&job);
	}
	json_done(&envelope);
	nd_buf_done(&out);
	ready_done(&ready);
}

int
LLVMFuzzerTestOneInput(const uint8_t *octets, size_t len)
{
	check_form((const char *)octets, len);
	check_ready((const char *)octets, len);
	return 0;
}
