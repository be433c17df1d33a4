/* SPDX-License-Identifier: Apache-2.0 */
/* test_job.c - states, and a submission checked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/job.h"
#include "common/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct nd_why why;

/* Reads and checks; the quotes of `text` are ' for readable tests. */
static enum nd_err
check_text(struct job_draft *draft, const char *text)
{
	struct json_tree tree;
	char *json = nd_xstrdup(text);
	enum nd_err err;

	for (char *p = json; *p != '\0'; p++) {
		if (*p == '\'')
			*p = '"';
	}
	if (json_read(&tree, json, strlen(json), &json_limits_job, NULL, &why) != ND_OK)
		fail_msg("%s: %s", text, why.text);
	free(json);
	err = job_check(draft, &tree, tree.root, &why);
	if (err == ND_OK)
		assert_null(tree.root);
	else
		assert_non_null(tree.root);
	json_done(&tree);
	return err;
}

static void
take_job(struct job_draft *draft, const char *text)
{
	if (check_text(draft, text) != ND_OK)
		fail_msg("%s: %s", text, why.text);
}

static void
refuse(const char *text, enum nd_err err, const char *field)
{
	struct job_draft draft = { .subject = "untouched" };
	enum nd_err met = check_text(&draft, text);

	if (met != err)
		fail_msg("%s: %s instead of %s", text, nd_err_name(met), nd_err_name(err));
	assert_int_equal(why.err, err);
	assert_string_equal(why.field, field);
	assert_true(why.text[0] != '\0');
	assert_string_equal(draft.subject, "untouched");
}

static void
states_move_as_the_table_says(void **state)
{
	enum job_state found;

	(void)state;
	assert_true(job_may_move(JOB_QUEUED, JOB_SENDING));
	assert_true(job_may_move(JOB_SENDING, JOB_DELIVERED));
	assert_true(job_may_move(JOB_FAILED, JOB_QUEUED));
	assert_true(job_may_move(JOB_HELD, JOB_HELD));
	assert_false(job_may_move(JOB_DELIVERED, JOB_QUEUED));
	assert_false(job_may_move(JOB_CANCELLED, JOB_QUEUED));
	assert_false(job_may_move(JOB_HELD, JOB_DELIVERED));
	for (unsigned i = 0; i < JOB_STATE_COUNT; i++) {
		assert_true(job_state_named(job_state_name((enum job_state)i), &found) && found == i);
		assert_true(strlen(job_state_words((enum job_state)i)) > 0);
	}
	assert_true(job_state_final(JOB_MERGED));
	assert_false(job_state_final(JOB_HELD));
	assert_false(job_state_named("gone", &found));
}

static void
no_final_state_but_failed_and_expired_is_left(void **state)
{
	(void)state;
	for (unsigned from = 0; from < JOB_STATE_COUNT; from++) {
		for (unsigned to = 0; to < JOB_STATE_COUNT; to++) {
			if (!job_state_final((enum job_state)from) || from == to ||
			    !job_may_move((enum job_state)from, (enum job_state)to))
				continue;
			assert_true(from == JOB_FAILED || from == JOB_EXPIRED);
			assert_int_equal(to, JOB_QUEUED);
		}
	}
}

static void
names_of_severities_read_back(void **state)
{
	enum job_severity severity;

	(void)state;
	for (unsigned i = 0; i < JOB_SEVERITY_COUNT; i++)
		assert_true(job_severity_named(job_severity_name((enum job_severity)i), &severity) && severity == i);
	assert_false(job_severity_named("bad", &severity));
	assert_true(JOB_EMERGENCY < JOB_DEBUG);
}

static void
every_field_of_the_table_is_known_to_the_check(void **state)
{
	(void)state;
	for (const char *const *name = job_field_names(); *name != NULL; name++) {
		struct job_draft draft;
		char text[100];

		assert_non_null(job_field_words(*name));
		(void)snprintf(text, sizeof(text), "{'%s':[{}]}", *name); /* fits no field: wrong, but not unknown */
		assert_int_not_equal(check_text(&draft, text), ND_OK);
		assert_int_not_equal(why.err, ND_EUNKNOWN);
	}
	assert_null(job_field_words("nothing"));
}

static void
a_whole_job_is_taken(void **state)
{
	struct job_draft draft;

	(void)state;
	take_job(&draft,
	    "{'to':['ops@contoso.com','Night desk <night@contoso.com>'],'cc':'a@b.example, \\'X, Y\\' <c@d.example>',"
	    "'bcc':[],'reply_to':'Desk <r@x.example>','from':'root@web01','subject':'Disk "
	    "failing','text':'SMART\\r\\n\\tx',"
	    "'html':'<p>','severity':'critical','status':'resolved','source':'smartd','labels':{'device':'/dev/"
	    "sda','n':''},"
	    "'key':'disk:/dev/sda','links':[{'title':'Dash','url':'https://d.example/'},{'url':'mailto:x@y'}],"
	    "'attachments':[{'name':'log.txt','type':'text/"
	    "plain','content':'aGVsbG8=','inline':true},{'name':'b','content':''}],"
	    "'headers':{'X-Team':'storage'},'account':'m365','event_time':'2026-11-21T08:00:00Z',"
	    "'not_before':'2026-11-21T10:00:00+01:00','expires_in':'48h','idempotency_key':'k 1','client_ref':'ref',"
	    "'sensitive':false,'require_tls':true}");
	assert_int_equal(draft.rcpt_count, 4);
	assert_string_equal(draft.rcpts[1].box.name, "Night desk");
	assert_int_equal(draft.rcpts[1].kind, JOB_TO_RCPT);
	assert_string_equal(draft.rcpts[3].box.name, "X, Y");
	assert_string_equal(draft.rcpts[3].box.address, "c@d.example");
	assert_int_equal(draft.rcpts[3].kind, JOB_CC_RCPT);
	assert_string_equal(draft.reply_to.name, "Desk");
	assert_string_equal(draft.from.address, "root@web01");
	assert_string_equal(draft.subject, "Disk failing");
	assert_string_equal(draft.text, "SMART\r\n\tx");
	assert_int_equal(draft.text_len, 9);
	assert_int_equal(draft.html_len, 3);
	assert_int_equal(draft.severity, JOB_CRITICAL);
	assert_true(draft.resolved);
	assert_string_equal(draft.source, "smartd");
	assert_int_equal(draft.label_count, 2);
	assert_string_equal(draft.labels[0].name, "device");
	assert_string_equal(draft.labels[0].value, "/dev/sda");
	assert_string_equal(draft.key, "disk:/dev/sda");
	assert_int_equal(draft.link_count, 2);
	assert_string_equal(draft.links[1].name, "mailto:x@y");
	assert_int_equal(draft.attachment_count, 2);
	assert_true(draft.attachments[0].inline_part);
	assert_int_equal(draft.attachments[0].content_len, 8);
	assert_null(draft.attachments[1].type);
	assert_string_equal(draft.headers[0].value, "storage");
	assert_string_equal(draft.account, "m365");
	assert_true(draft.event_time == 1795248000000);
	assert_true(draft.not_before == 1795248000000 + ND_HOUR(1));
	assert_true(draft.expires_in == ND_HOUR(48));
	assert_string_equal(draft.idempotency_key, "k 1");
	assert_string_equal(draft.client_ref, "ref");
	job_draft_done(&draft);
	assert_null(draft.rcpts);
}

static void
what_is_not_given_stays_empty(void **state)
{
	struct job_draft draft;

	(void)state;
	take_job(&draft, "{'subject':'s','text':'','html':null,'to':null,'key':'','from':'','severity':null}");
	assert_int_equal(draft.rcpt_count, 0);
	assert_null(draft.text);
	assert_null(draft.html);
	assert_null(draft.key);
	assert_null(draft.from.address);
	assert_null(draft.account);
	assert_int_equal(draft.severity, JOB_WARNING);
	assert_false(draft.resolved);
	assert_true(draft.event_time == 0 && draft.not_before == 0 && draft.expires_in == 0);
	job_draft_done(&draft);
}

static void
a_job_must_say_something(void **state)
{
	(void)state;
	refuse("{}", ND_EINVALID, "");
	refuse("{'subject':'','text':'','to':'a@b'}", ND_EINVALID, "");
	refuse("[]", ND_ESYNTAX, "");
	refuse("'x'", ND_ESYNTAX, "");
}

static void
an_unknown_field_names_the_nearest(void **state)
{
	(void)state;
	refuse("{'severty':'info','text':'t'}", ND_EUNKNOWN, "severty");
	assert_string_equal(why.hint, "did you mean \"severity\"?");
	refuse("{'Subject':'x'}", ND_EUNKNOWN, "Subject");
	assert_string_equal(why.hint, "did you mean \"subject\"?");
	refuse("{'completely-else':1}", ND_EUNKNOWN, "completely-else");
	assert_string_equal(nd_why_hint(&why), "");
	refuse("{'text':'t','links':[{'ulr':'https://x'}]}", ND_EUNKNOWN, "links[0].ulr");
	assert_string_equal(why.hint, "did you mean \"url\"?");
	refuse("{'text':'t','attachments':[{'nam':'x'}]}", ND_EUNKNOWN, "attachments[0].nam");
}

static void
a_wrong_type_is_told_with_its_field(void **state)
{
	(void)state;
	refuse("{'to':1}", ND_ESYNTAX, "to");
	refuse("{'to':['a@b.example',2]}", ND_ESYNTAX, "to[1]");
	refuse("{'subject':['x']}", ND_ESYNTAX, "subject");
	assert_string_equal(why.text, "subject must be a string, not an array");
	refuse("{'text':5}", ND_ESYNTAX, "text");
	refuse("{'severity':3}", ND_ESYNTAX, "severity");
	refuse("{'status':true}", ND_ESYNTAX, "status");
	refuse("{'labels':['x']}", ND_ESYNTAX, "labels");
	refuse("{'labels':{'x':1}}", ND_ESYNTAX, "labels.x");
	refuse("{'links':{}}", ND_ESYNTAX, "links");
	refuse("{'links':['x']}", ND_ESYNTAX, "links[0]");
	refuse("{'attachments':[{'name':'a','content':'','inline':'no'}]}", ND_ESYNTAX, "attachments[0].inline");
	refuse("{'headers':[]}", ND_ESYNTAX, "headers");
	refuse("{'headers':{'X-A':1}}", ND_ESYNTAX, "headers.X-A");
	refuse("{'event_time':5}", ND_ESYNTAX, "event_time");
	refuse("{'expires_in':true}", ND_ESYNTAX, "expires_in");
	refuse("{'sensitive':'no'}", ND_ESYNTAX, "sensitive");
	refuse("{'require_tls':'yes'}", ND_ESYNTAX, "require_tls");
	refuse("{'from':['x@y']}", ND_ESYNTAX, "from");
}

static void
line_breaks_and_controls_are_refused_where_headers_come_from(void **state)
{
	(void)state;
	refuse("{'subject':'a\\r\\nBcc: x@y.example'}", ND_EINVALID, "subject");
	refuse("{'subject':'a\\u0085b'}", ND_EINVALID, "subject");
	refuse("{'text':'t','to':'a@b.example\\r\\nX: y'}", ND_EINVALID, "to");
	refuse("{'text':'t','to':['A\\u0007 <a@b.example>']}", ND_EINVALID, "to[0]");
	refuse("{'text':'t','from':'A\\n <a@b.example>'}", ND_EINVALID, "from");
	refuse("{'text':'t','headers':{'X-A':'b\\tc'}}", ND_EINVALID, "headers.X-A");
	refuse("{'text':'t','source':'a\\nb'}", ND_EINVALID, "source");
	refuse("{'text':'t','key':'a\\nb'}", ND_EINVALID, "key");
	refuse("{'text':'t','labels':{'a\\nb':'c'}}", ND_EINVALID, "labels.a?b");
	refuse("{'text':'t','attachments':[{'name':'a\\nb','content':''}]}", ND_EINVALID, "attachments[0].name");
	refuse("{'text':'t','links':[{'title':'a\\nb','url':'https://x'}]}", ND_EINVALID, "links[0].title");
}

static void
addresses_are_checked_one_by_one(void **state)
{
	(void)state;
	refuse("{'text':'t','to':['a@b.example','nobody']}", ND_EINVALID, "to[1]");
	refuse("{'text':'t','cc':'a@b.example, nobody'}", ND_EINVALID, "cc");
	refuse("{'text':'t','to':['a@b.example, c@d.example']}", ND_EINVALID, "to[0]");
	refuse("{'text':'t','reply_to':'x'}", ND_EINVALID, "reply_to");
	refuse("{'text':'t','to':'\xc3\xbc@b.example'}", ND_EINVALID, "to");
	assert_non_null(strstr(why.text, "SMTPUTF8"));
	refuse("{'text':'t','from':'a@b\xc3\xbc"
	       "cher.example'}",
	    ND_EINVALID, "from");
}

static void
there_are_no_groups_yet(void **state)
{
	(void)state;
	refuse("{'text':'t','to':['a@b.example','@oncall']}", ND_ENOGROUP, "to[1]");
	assert_string_equal(why.text, "there is no group \"oncall\"");
	refuse("{'text':'t','cc':'a@b.example, @oncall'}", ND_ENOGROUP, "cc");
}

static void
the_same_address_counts_once_and_the_first_wins(void **state)
{
	struct job_draft draft;

	(void)state;
	take_job(&draft, "{'text':'t','to':['a@b.example','Name <a@B.Example>'],'cc':'a@b.example, "
			 "A@b.example','bcc':['x@y.example']}");
	assert_int_equal(draft.rcpt_count, 3);
	assert_null(draft.rcpts[0].box.name);
	assert_string_equal(draft.rcpts[1].box.address, "A@b.example"); /* the local part has a case */
	assert_int_equal(draft.rcpts[1].kind, JOB_CC_RCPT);
	assert_int_equal(draft.rcpts[2].kind, JOB_BCC_RCPT);
	job_draft_done(&draft);
}

/* A job whose field has `count` entries made by `format` (one %u), in brackets. */
static char *
make_many(const char *start, const char *entry, const char *end, unsigned count)
{
	struct nd_buf buf;

	nd_buf_init(&buf, 10000000);
	(void)nd_buf_adds(&buf, start);
	for (unsigned i = 0; i < count; i++) {
		const char *mark = strchr(entry, '#');

		if (i > 0)
			(void)nd_buf_addc(&buf, ',');
		if (mark != NULL)
			(void)nd_buf_addf(&buf, "%.*s%u%s", (int)(mark - entry), entry, i, mark + 1);
		else
			(void)nd_buf_adds(&buf, entry);
	}
	(void)nd_buf_adds(&buf, end);
	return nd_buf_take(&buf, NULL);
}

static void
check_bound(const char *start, const char *entry, const char *end, unsigned max, const char *field)
{
	char *text = make_many(start, entry, end, max);
	struct job_draft draft;

	take_job(&draft, text);
	job_draft_done(&draft);
	free(text);
	text = make_many(start, entry, end, max + 1);
	refuse(text, ND_ETOOBIG, field);
	free(text);
}

static void
lists_have_their_bounds(void **state)
{
	(void)state;
	check_bound("{'text':'t','to':[", "'r#@x.example'", "]}", JOB_MAX_RCPTS, "to[1000]");
	check_bound("{'text':'t','to':'", "r#@x.example", "'}", JOB_MAX_RCPTS, "to");
	check_bound("{'text':'t','to':'", "r@x.example", "'}", 4000, "to"); /* the same one: also bounded */
	check_bound("{'text':'t','labels':{", "'l#':''", "}}", JOB_MAX_LABELS, "labels");
	check_bound(
	    "{'text':'t','attachments':[", "{'name':'a#','content':''}", "]}", JOB_MAX_ATTACHMENTS, "attachments");
	check_bound("{'text':'t','links':[", "{'url':'http://#.example'}", "]}", 100, "links");
	check_bound("{'text':'t','headers':{", "'X-#':''", "}}", 100, "headers");
}

static void
a_subject_has_at_most_998_octets(void **state)
{
	char text[1100] = "{'subject':'", end[] = "'}";
	struct job_draft draft;

	(void)state;
	memset(text + 12, 's', 998);
	memcpy(text + 12 + 998, end, sizeof(end));
	take_job(&draft, text);
	job_draft_done(&draft);
	memset(text + 12, 's', 999);
	memcpy(text + 12 + 999, end, sizeof(end));
	refuse(text, ND_ETOOBIG, "subject");
}

static void
severity_status_and_key_belong_together(void **state)
{
	(void)state;
	refuse("{'text':'t','severity':'severe'}", ND_EINVALID, "severity");
	refuse("{'text':'t','status':'over'}", ND_EINVALID, "status");
	refuse("{'text':'t','status':'resolved'}", ND_EINVALID, "key");
	refuse("{'text':'t','status':'resolved','key':''}", ND_EINVALID, "key");
}

static void
headers_of_notifyd_are_reserved(void **state)
{
	static const char *const names[] = { "From", "to", "CC", "bcc", "Sender", "Reply-To", "Subject", "Date",
		"Message-Id", "MIME-version", "Content-Type", "content-anything", "Received", "DKIM-Signature",
		"ARC-Seal", "Resent-To", "Return-Path", "X-Notifyd-Job", "Auto-Submitted" };
	struct job_draft draft;
	char text[200];

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char field[100];

		assert_true(job_header_reserved(names[i]));
		(void)snprintf(text, sizeof(text), "{'text':'t','headers':{'%s':'x'}}", names[i]);
		(void)snprintf(field, sizeof(field), "headers.%s", names[i]);
		refuse(text, ND_EINVALID, field);
	}
	assert_false(job_header_reserved("X-Team"));
	assert_false(job_header_reserved("List-Id"));
	refuse("{'text':'t','headers':{'':'x'}}", ND_EINVALID, "headers.");
	refuse("{'text':'t','headers':{'X A':'x'}}", ND_EINVALID, "headers.X A");
	refuse("{'text':'t','headers':{'X:A':'x'}}", ND_EINVALID, "headers.X:A");
	refuse("{'text':'t','headers':{'X\xc3\xa9':'x'}}", ND_EINVALID, "headers.X\xc3\xa9");
	refuse("{'text':'t','headers':{'X-A':'x','x-a':'y'}}", ND_EINVALID, "headers.x-a");
	take_job(&draft, "{'text':'t','headers':{'X-A':'\xc3\xa9'}}");
	job_draft_done(&draft);
}

static void
links_lead_to_the_web_or_to_mail_only(void **state)
{
	static const char *const bad[] = { "javascript:alert(1)", "file:///etc/passwd", "ftp://x", "http:/x",
		"https://", "x", "https:///x", "mailto:", "http://a b", "http://a<b", "", "data:text/html,x" };
	struct job_draft draft;
	char text[200];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		(void)snprintf(text, sizeof(text), "{'text':'t','links':[{'url':'%s'}]}", bad[i]);
		refuse(text, ND_EINVALID, "links[0].url");
	}
	refuse("{'text':'t','links':[{'title':'x'}]}", ND_EINVALID, "links[0].url");
	take_job(&draft, "{'text':'t','links':[{'url':'HTTP://x.example?a=b&c=%20#d','title':''}]}");
	assert_string_equal(draft.links[0].name, "HTTP://x.example?a=b&c=%20#d");
	job_draft_done(&draft);
}

static void
attachments_are_checked(void **state)
{
	struct job_draft draft;

	(void)state;
	refuse("{'text':'t','attachments':[{'name':'a','content':'aGVsbG8'}]}", ND_EINVALID, "attachments[0].content");
	refuse("{'text':'t','attachments':[{'name':'a','content':''},{'content':''}]}", ND_EINVALID,
	    "attachments[1].name");
	refuse("{'text':'t','attachments':[{'name':'a'}]}", ND_EINVALID, "attachments[0].content");
	refuse("{'text':'t','attachments':[{'name':'','content':''}]}", ND_EINVALID, "attachments[0].name");
	refuse("{'text':'t','attachments':[{'name':'../a','content':''}]}", ND_EINVALID, "attachments[0].name");
	refuse(
	    "{'text':'t','attachments':[{'name':'a','content':'','type':'text'}]}", ND_EINVALID, "attachments[0].type");
	refuse("{'text':'t','attachments':[{'name':'a','content':'','type':'text/plain; x=y'}]}", ND_EINVALID,
	    "attachments[0].type");
	refuse("{'text':'t','attachments':[{'name':'a','content':'','type':'text/'}]}", ND_EINVALID,
	    "attachments[0].type");
	refuse("{'text':'t','attachments':[{'name':'a','content':'','type':'message/rfc822'}]}", ND_EINVALID,
	    "attachments[0].type");
	/* What the base64 program prints has line breaks; they are taken out when it is written. */
	take_job(&draft,
	    "{'text':'t','attachments':[{'name':'\xc3\xa9.txt','content':'aGVs\\nbG8=\\n','type':'image/svg+xml'}]}");
	assert_string_equal(draft.attachments[0].content, "aGVs\nbG8=\n");
	assert_int_equal(draft.attachments[0].size, 5);
	job_draft_done(&draft);
}

static void
times_have_their_forms(void **state)
{
	struct job_draft draft;

	(void)state;
	refuse("{'text':'t','event_time':'yesterday'}", ND_EINVALID, "event_time");
	refuse("{'text':'t','not_before':'2026-11-21T08:00:00'}", ND_EINVALID, "not_before");
	refuse("{'text':'t','expires_in':'0s'}", ND_EINVALID, "expires_in");
	refuse("{'text':'t','expires_in':'15d'}", ND_EINVALID, "expires_in");
	refuse("{'text':'t','expires_in':'soon'}", ND_EINVALID, "expires_in");
	refuse("{'text':'t','expires_in':1.5}", ND_EINVALID, "expires_in");
	take_job(&draft, "{'text':'t','expires_in':'14d','event_time':'1970-01-01T00:00:00Z'}");
	assert_true(draft.expires_in == ND_DAY(14));
	assert_true(draft.event_time != 0);
	job_draft_done(&draft);
	take_job(&draft, "{'text':'t','expires_in':1}");
	assert_true(draft.expires_in == ND_SEC(1));
	job_draft_done(&draft);
}

static void
an_idempotency_key_is_printable_and_short(void **state)
{
	char text[300] = "{'text':'t','idempotency_key':'", end[] = "'}";
	struct job_draft draft;
	size_t at = strlen(text);

	(void)state;
	refuse("{'text':'t','idempotency_key':''}", ND_EINVALID, "idempotency_key");
	refuse("{'text':'t','idempotency_key':'a\xc3\xa9'}", ND_EINVALID, "idempotency_key");
	refuse("{'text':'t','idempotency_key':'a\\n'}", ND_EINVALID, "idempotency_key");
	memset(text + at, 'k', 128);
	memcpy(text + at + 128, end, sizeof(end));
	take_job(&draft, text);
	job_draft_done(&draft);
	memset(text + at, 'k', 129);
	memcpy(text + at + 129, end, sizeof(end));
	refuse(text, ND_EINVALID, "idempotency_key");
}

static void
what_this_version_lacks_is_said(void **state)
{
	(void)state;
	refuse("{'text':'t','template':'alert'}", ND_EINVALID, "template");
	assert_non_null(strstr(why.text, "not in this version"));
}

static void
of_a_sensitive_job_no_fact_tells_the_message(void **state)
{
	struct job_draft draft;
	struct nd_buf out;

	(void)state;
	take_job(&draft, "{'subject':'x','labels':{'a':'b'},'links':[{'title':'x','url':'https://x'}],"
			 "'attachments':[{'name':'x','content':'aGVsbG8='}],'client_ref':'c','sensitive':true}");
	assert_true(draft.sensitive);
	nd_buf_init(&out, 10000);
	job_facts(&draft, "x", &out);
	assert_string_equal(nd_buf_text(&out), "{\"labels\":{\"a\":\"b\"},\"client_ref\":\"c\"}");
	nd_buf_done(&out);
	job_draft_done(&draft);
	take_job(&draft, "{'text':'t','sensitive':false}");
	assert_false(draft.sensitive);
	job_draft_done(&draft);
}

static void
several_jobs_can_lie_in_one_tree(void **state)
{
	static const char text[] = "[{\"text\":\"one\"},{\"text\":\"two\"}]";
	struct job_draft one, two;
	struct json_tree tree;

	(void)state;
	assert_int_equal(json_read(&tree, text, sizeof(text) - 1, &json_limits_job, NULL, NULL), ND_OK);
	assert_int_equal(job_check(&one, NULL, tree.root->child, NULL), ND_OK);
	assert_int_equal(job_check(&two, NULL, tree.root->child->next, NULL), ND_OK);
	job_draft_done(&one);
	assert_string_equal(two.text, "two");
	job_draft_done(&two);
	json_done(&tree);
}

static void
facts_are_what_nothing_decides_by(void **state)
{
	struct job_draft draft;
	struct nd_buf out;

	(void)state;
	take_job(&draft,
	    "{'text':'t','from':'\\'Desk, \\\\\\'A\\\\\\'\\' <d@x.example>','reply_to':'Plain "
	    "<r@x.example>','labels':{'a':'b'},"
	    "'links':[{'title':'T','url':'https://x'}],'attachments':[{'name':'n','type':'a/b','content':'aGVsbG8='}],"
	    "'client_ref':'c'}");
	nd_buf_init(&out, 10000);
	job_facts(&draft, "made up", &out);
	assert_string_equal(nd_buf_text(&out),
	    "{\"subject\":\"made up\",\"from\":\"\\\"Desk, \\\\\\\"A\\\\\\\"\\\" <d@x.example>\",\"reply_to\":\"Plain "
	    "<r@x.example>\","
	    "\"labels\":{\"a\":\"b\"},\"links\":[{\"title\":\"T\",\"url\":\"https://x\"}],"
	    "\"attachments\":[{\"name\":\"n\",\"type\":\"a/b\",\"size\":5}],\"client_ref\":\"c\"}");
	nd_buf_done(&out);
	job_draft_done(&draft);
	take_job(&draft, "{'text':'t'}");
	job_facts(&draft, NULL, &out);
	assert_string_equal(nd_buf_text(&out), "{}");
	nd_buf_done(&out);
	job_draft_done(&draft);
	job_draft_done(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(states_move_as_the_table_says),
		cmocka_unit_test(no_final_state_but_failed_and_expired_is_left),
		cmocka_unit_test(names_of_severities_read_back),
		cmocka_unit_test(every_field_of_the_table_is_known_to_the_check),
		cmocka_unit_test(a_whole_job_is_taken),
		cmocka_unit_test(what_is_not_given_stays_empty),
		cmocka_unit_test(a_job_must_say_something),
		cmocka_unit_test(an_unknown_field_names_the_nearest),
		cmocka_unit_test(a_wrong_type_is_told_with_its_field),
		cmocka_unit_test(line_breaks_and_controls_are_refused_where_headers_come_from),
		cmocka_unit_test(addresses_are_checked_one_by_one),
		cmocka_unit_test(there_are_no_groups_yet),
		cmocka_unit_test(the_same_address_counts_once_and_the_first_wins),
		cmocka_unit_test(lists_have_their_bounds),
		cmocka_unit_test(a_subject_has_at_most_998_octets),
		cmocka_unit_test(severity_status_and_key_belong_together),
		cmocka_unit_test(headers_of_notifyd_are_reserved),
		cmocka_unit_test(links_lead_to_the_web_or_to_mail_only),
		cmocka_unit_test(attachments_are_checked),
		cmocka_unit_test(times_have_their_forms),
		cmocka_unit_test(an_idempotency_key_is_printable_and_short),
		cmocka_unit_test(what_this_version_lacks_is_said),
		cmocka_unit_test(of_a_sensitive_job_no_fact_tells_the_message),
		cmocka_unit_test(several_jobs_can_lie_in_one_tree),
		cmocka_unit_test(facts_are_what_nothing_decides_by),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
