/* SPDX-License-Identifier: Apache-2.0 */
/* store_row.c - rows to structs and back; the JSON text of a history row.  Layer: io.
 *
 * The text is {"r":[[address,state,uncertain,code,enhanced,text,at],…],"a":[[n,account,relay,session,start,end,stage,verdict,code,enhanced,text],…],
 * "e":[[at,sha256,octets,tls,account,relay],…]}: arrays by place, because a million of them are kept. Account and relay are null when they are
 * those of the last attempt, which ended at that time.
 */
#include "common/json.h"
#include "common/mem.h"
#include "common/str.h"
#include "daemon/core/late.h"
#include "daemon/io/store_internal.h"

#include <stdlib.h>
#include <string.h>

#define FACTS_MAX (16u * 1024u * 1024u)
static const struct json_limits facts_limits = { .octets = FACTS_MAX, .depth = 16, .nodes = 200000 };

char *
store_row_copy(sqlite3_stmt *stmt, int column, bool *short_of_memory)
{
	const void *octets = sqlite3_column_blob(stmt, column);
	size_t len = (size_t)sqlite3_column_bytes(stmt, column);
	char *out;

	if (sqlite3_column_type(stmt, column) == SQLITE_NULL)
		return NULL;
	out = malloc(len + 1);
	if (out == NULL) {
		*short_of_memory = true;
		return NULL;
	}
	if (len > 0)
		memcpy(out, octets, len);
	out[len] = '\0';
	return out;
}

void
store_row_copy_short(sqlite3_stmt *stmt, int column, char *out, size_t size)
{
	const char *text = (const char *)sqlite3_column_text(stmt, column);
	size_t len = text != NULL ? strnlen(text, size - 1) : 0;

	if (len > 0)
		memcpy(out, text, len);
	out[len] = '\0';
}

static void
fill(sqlite3_stmt *stmt, struct queue_job *job, bool *short_of_memory)
{
	char **const texts[ROW_COMMON] = {
		[ROW_ACCOUNT] = &job->account,
		[ROW_UNIT] = &job->unit,
		[ROW_COMM] = &job->comm,
		[ROW_SOURCE] = &job->source,
		[ROW_KEY] = &job->key,
		[ROW_REASON] = &job->reason,
		[ROW_HINT] = &job->hint,
		[ROW_ENVELOPE_FROM] = &job->envelope_from,
		[ROW_SENDER] = &job->from,
		[ROW_FACTS] = &job->facts,
	};
	int i;

	store_row_copy_short(stmt, ROW_ID, job->id, sizeof(job->id));
	job->state = (uint8_t)sqlite3_column_int(stmt, ROW_STATE);
	job->severity = (uint8_t)sqlite3_column_int(stmt, ROW_SEVERITY);
	job->resolved = sqlite3_column_int(stmt, ROW_RESOLVED) != 0;
	job->uncertain = sqlite3_column_int(stmt, ROW_UNCERTAIN) != 0;
	job->spooled = sqlite3_column_int(stmt, ROW_SPOOLED) != STORE_IN_ROW;
	job->sealed = sqlite3_column_int(stmt, ROW_SPOOLED) == STORE_SEALED;
	job->attempt_count = (uint32_t)sqlite3_column_int64(stmt, ROW_ATTEMPT_COUNT);
	job->created = sqlite3_column_int64(stmt, ROW_CREATED);
	job->event_time = sqlite3_column_int64(stmt, ROW_EVENT_TIME);
	job->not_before = sqlite3_column_int64(stmt, ROW_NOT_BEFORE);
	job->expires = sqlite3_column_int64(stmt, ROW_EXPIRES);
	if (job->expires < 0) {
		job->age_from = -job->expires;
		job->expires = 0;
	}
	job->due = sqlite3_column_int64(stmt, ROW_DUE);
	job->uid = (uint32_t)sqlite3_column_int64(stmt, ROW_UID);
	job->gid = (uint32_t)sqlite3_column_int64(stmt, ROW_GID);
	job->pid = (uint32_t)sqlite3_column_int64(stmt, ROW_PID);
	job->body_len = (uint64_t)sqlite3_column_int64(stmt, ROW_BODY_LEN);
	for (i = ROW_ACCOUNT; i < ROW_COMMON; i++)
		*texts[i] = store_row_copy(stmt, i, short_of_memory);
}

int
store_row_job(struct store *store, sqlite3_stmt *stmt, struct queue_job **out)
{
	struct queue_job *job = nd_xalloc(sizeof(*job));
	int64_t seq = sqlite3_column_int64(stmt, ROW_SEQ);
	bool short_of_memory = false;
	int rc;

	fill(stmt, job, &short_of_memory);
	job->head = store_row_copy(stmt, ROW_HEAD, &short_of_memory);
	job->body = store_row_copy(stmt, ROW_BODY, &short_of_memory);
	job->body_kept = true;
	job->place = seq;
	job->again = sqlite3_column_int(stmt, ROW_AGAIN) & STORE_AGAIN;
	job->passed = sqlite3_column_int(stmt, ROW_AGAIN) & STORE_PASSED;
	job->declined = store_row_copy(stmt, ROW_DECLINED, &short_of_memory);
	job->late = (uint32_t)sqlite3_column_int64(stmt, ROW_LATE);
	job->begun = store_row_copy(stmt, ROW_BEGUN, &short_of_memory);
	if (job->state == JOB_QUEUED && seq <= store->new_uncertain_seq && job->due <= store->new_uncertain_due) {
		job->uncertain = true;
		job->late = job->late == LATE_FRESH ? LATE_OPEN : job->late; /* it may have been sent since */
	}
	rc = short_of_memory ? SQLITE_NOMEM : store_rcpt_read(store, stmt, ROW_RCPTS, seq, job);
	if (rc != SQLITE_OK) {
		queue_job_free(job);
		return rc;
	}
	*out = job;
	return SQLITE_OK;
}

int
store_row_attempts(struct store *store, int64_t seq, struct queue_attempt **attempts, unsigned *count)
{
	sqlite3_stmt *stmt = store_db_stmt(store, SQL_ATTEMPTS);
	bool row, short_of_memory = false;
	int rc;

	store_db_int(stmt, 1, seq);
	for (rc = store_db_step(stmt, &row); row; rc = store_db_step(stmt, &row)) {
		struct queue_attempt *attempt;

		*attempts = nd_xrealloc(*attempts, (*count + 1) * sizeof(**attempts));
		attempt = &(*attempts)[(*count)++];
		*attempt = (struct queue_attempt){
			.n = (uint32_t)sqlite3_column_int64(stmt, 0),
			.account = store_row_copy(stmt, 1, &short_of_memory),
			.relay = store_row_copy(stmt, 2, &short_of_memory),
			.session = store_row_copy(stmt, 3, &short_of_memory),
			.start = sqlite3_column_int64(stmt, 4),
			.end = sqlite3_column_int64(stmt, 5),
			.stage = store_row_copy(stmt, 6, &short_of_memory),
			.verdict = store_row_copy(stmt, 7, &short_of_memory),
			.code = (int16_t)sqlite3_column_int(stmt, 8),
			.text = store_row_copy(stmt, 10, &short_of_memory),
			.owned = true,
		};
		store_row_copy_short(stmt, 9, attempt->enhanced, sizeof(attempt->enhanced));
	}
	return rc == SQLITE_OK && short_of_memory ? SQLITE_NOMEM : rc;
}

int
store_row_evidence(struct store *store, int64_t seq, struct queue_evidence **evidences, unsigned *count)
{
	sqlite3_stmt *stmt = store_db_stmt(store, SQL_EVIDENCE);
	bool row, short_of_memory = false;
	int rc;

	store_db_int(stmt, 1, seq);
	for (rc = store_db_step(stmt, &row); row; rc = store_db_step(stmt, &row)) {
		struct queue_evidence *evidence;

		*evidences = nd_xrealloc(*evidences, (*count + 1) * sizeof(**evidences));
		evidence = &(*evidences)[(*count)++];
		*evidence = (struct queue_evidence){
			.at = sqlite3_column_int64(stmt, 0),
			.octets = (uint64_t)sqlite3_column_int64(stmt, 2),
			.tls = store_row_copy(stmt, 3, &short_of_memory),
			.account = store_row_copy(stmt, 4, &short_of_memory),
			.relay = store_row_copy(stmt, 5, &short_of_memory),
		};
		store_row_copy_short(stmt, 1, evidence->sha256, sizeof(evidence->sha256));
	}
	return rc == SQLITE_OK && short_of_memory ? SQLITE_NOMEM : rc;
}

/* -- history: writing -- */

/* A relay may say anything: what is not UTF-8 becomes '?', the JSON must be readable for ever. */
static void
put_text(struct json_out *out, const char *text)
{
	size_t i, len;
	char *clean;

	if (text == NULL) {
		json_out_null(out, NULL);
		return;
	}
	len = strlen(text);
	if (nd_str_utf8(text, len)) {
		json_out_textn(out, NULL, text, len);
		return;
	}
	clean = nd_xstrndup(text, len);
	for (i = 0; i < len; i++)
		if ((unsigned char)clean[i] >= 0x80)
			clean[i] = '?';
	json_out_textn(out, NULL, clean, len);
	free(clean);
}

static void
put_attempt(struct json_out *out, const struct queue_attempt *attempt)
{
	json_out_array(out, NULL);
	json_out_int(out, NULL, attempt->n);
	put_text(out, attempt->account);
	put_text(out, attempt->relay);
	put_text(out, attempt->session);
	json_out_int(out, NULL, attempt->start);
	json_out_int(out, NULL, attempt->end);
	put_text(out, attempt->stage);
	put_text(out, attempt->verdict);
	json_out_int(out, NULL, attempt->code);
	put_text(out, attempt->enhanced);
	put_text(out, attempt->text);
	json_out_array_end(out);
}

static void
put_rcpt(struct json_out *out, const struct queue_rcpt *rcpt)
{
	json_out_array(out, NULL);
	put_text(out, rcpt->address);
	json_out_int(out, NULL, rcpt->state);
	json_out_int(out, NULL, rcpt->uncertain);
	json_out_int(out, NULL, rcpt->code);
	put_text(out, rcpt->enhanced);
	put_text(out, rcpt->text);
	json_out_int(out, NULL, rcpt->at);
	json_out_array_end(out);
}

static void
put_evidence(struct json_out *out, const struct queue_evidence *evidence, bool told)
{
	json_out_array(out, NULL);
	json_out_int(out, NULL, evidence->at);
	put_text(out, evidence->sha256);
	json_out_int(out, NULL, (int64_t)evidence->octets);
	put_text(out, evidence->tls);
	put_text(out, told ? NULL : evidence->account);
	put_text(out, told ? NULL : evidence->relay);
	json_out_array_end(out);
}

bool
store_row_pack(const struct store_facts *facts, struct nd_buf *buf)
{
	struct json_out out;
	unsigned i;

	nd_buf_init(buf, FACTS_MAX);
	json_out_init(&out, buf);
	json_out_object(&out, NULL);
	json_out_array(&out, "r");
	for (i = 0; i < facts->job->rcpt_count; i++)
		put_rcpt(&out, &facts->job->rcpts[i]);
	json_out_array_end(&out);
	json_out_array(&out, "a");
	for (i = 0; i < facts->attempt_count; i++)
		put_attempt(&out, &facts->attempts[i]);
	if (facts->attempt != NULL)
		put_attempt(&out, facts->attempt);
	json_out_array_end(&out);
	if (facts->evidence != NULL || facts->evidence_count > 0) {
		json_out_array(&out, "e");
		for (i = 0; i < facts->evidence_count; i++)
			put_evidence(&out, &facts->evidences[i], false);
		if (facts->evidence != NULL)
			put_evidence(&out, facts->evidence, facts->attempt != NULL);
		json_out_array_end(&out);
	}
	json_out_object_end(&out);
	return !buf->failed;
}

/* -- history: reading -- */

static int64_t
take_int(const struct json_node **node)
{
	int64_t value = 0;

	if (*node != NULL) {
		(void)json_int(*node, INT64_MIN, INT64_MAX, &value);
		*node = (*node)->next;
	}
	return value;
}

static char *
take_text(const struct json_node **node)
{
	char *text = NULL;

	if (*node != NULL) {
		if ((*node)->type == JSON_STRING)
			text = nd_xstrndup((*node)->text, (*node)->len);
		*node = (*node)->next;
	}
	return text;
}

static void
take_short(const struct json_node **node, char *out, size_t size)
{
	size_t len = 0;

	if (*node != NULL) {
		if ((*node)->type == JSON_STRING)
			len = strnlen((*node)->text, size - 1);
		if (len > 0)
			memcpy(out, (*node)->text, len);
		*node = (*node)->next;
	}
	out[len] = '\0';
}

static void
take_rcpts(struct queue_job *job, const struct json_node *list)
{
	const struct json_node *row, *at;

	if (list == NULL || list->type != JSON_ARRAY || list->count == 0)
		return;
	job->rcpts = nd_xalloc(list->count * sizeof(*job->rcpts));
	for (row = list->child; row != NULL; row = row->next) {
		struct queue_rcpt *rcpt = &job->rcpts[job->rcpt_count++];

		at = row->child;
		rcpt->address = take_text(&at);
		if (rcpt->address == NULL) /* never written so, and readers rely on it */
			rcpt->address = nd_xstrdup("");
		rcpt->state = (uint8_t)take_int(&at);
		rcpt->uncertain = take_int(&at) != 0;
		rcpt->code = (int16_t)take_int(&at);
		take_short(&at, rcpt->enhanced, sizeof(rcpt->enhanced));
		rcpt->text = take_text(&at);
		rcpt->at = take_int(&at);
	}
}

static void
take_attempts(const struct json_node *list, struct queue_attempt **attempts, unsigned *count)
{
	const struct json_node *row, *at;

	if (list == NULL || list->type != JSON_ARRAY || list->count == 0)
		return;
	*attempts = nd_xalloc(list->count * sizeof(**attempts));
	for (row = list->child; row != NULL; row = row->next) {
		struct queue_attempt *attempt = &(*attempts)[(*count)++];

		at = row->child;
		attempt->owned = true;
		attempt->n = (uint32_t)take_int(&at);
		attempt->account = take_text(&at);
		attempt->relay = take_text(&at);
		attempt->session = take_text(&at);
		attempt->start = take_int(&at);
		attempt->end = take_int(&at);
		attempt->stage = take_text(&at);
		attempt->verdict = take_text(&at);
		attempt->code = (int16_t)take_int(&at);
		take_short(&at, attempt->enhanced, sizeof(attempt->enhanced));
		attempt->text = take_text(&at);
	}
}

static void
take_evidence(const struct json_node *list, struct store_get *get)
{
	const struct queue_attempt *last = get->attempt_count > 0 ? &get->attempts[get->attempt_count - 1] : NULL;
	const struct json_node *row, *at;

	if (list == NULL || list->type != JSON_ARRAY || list->count == 0)
		return;
	get->evidences = nd_xalloc(list->count * sizeof(*get->evidences));
	for (row = list->child; row != NULL; row = row->next) {
		struct queue_evidence *evidence = &get->evidences[get->evidence_count++];

		at = row->child;
		evidence->at = take_int(&at);
		take_short(&at, evidence->sha256, sizeof(evidence->sha256));
		evidence->octets = (uint64_t)take_int(&at);
		evidence->tls = take_text(&at);
		evidence->account = take_text(&at);
		evidence->relay = take_text(&at);
		if (evidence->account == NULL && last != NULL && last->end == evidence->at) {
			evidence->account = nd_xstrdup(last->account);
			evidence->relay = nd_xstrdup(last->relay);
		}
	}
}

int
store_row_history(sqlite3_stmt *stmt, struct store_get *get)
{
	struct queue_job *job = nd_xalloc(sizeof(*job));
	const char *data = (const char *)sqlite3_column_text(stmt, ROW_DATA);
	size_t len = (size_t)sqlite3_column_bytes(stmt, ROW_DATA);
	bool short_of_memory = false;
	struct json_tree tree;

	fill(stmt, job, &short_of_memory);
	if (short_of_memory) {
		queue_job_free(job);
		return SQLITE_NOMEM;
	}
	job->spooled = false;
	get->job = job;
	/* Facts that cannot be read (a file that somebody edited) must not hide the job. */
	if (data == NULL || json_read(&tree, data, len, &facts_limits, NULL, NULL) != ND_OK)
		return SQLITE_OK;
	take_rcpts(job, json_get(tree.root, "r"));
	take_attempts(json_get(tree.root, "a"), &get->attempts, &get->attempt_count);
	take_evidence(json_get(tree.root, "e"), get);
	json_done(&tree);
	return SQLITE_OK;
}
