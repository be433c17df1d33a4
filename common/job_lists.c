/* SPDX-License-Identifier: Apache-2.0 */
/* job_lists.c - checks labels, headers, links and attachments of a job.  Layer: common, words.  Pure. */
#include "common/job_inner.h"
#include "common/mem.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define MAX_LINKS 100u
#define MAX_HEADERS 100u
#define MAX_HEADER_NAME 76u
#define MAX_VALUE 8192u

static enum nd_err
check_count(struct job_checker *check, const char *field, const struct json_node *node, unsigned max)
{
	if (node->count > max)
		return job_at(check, field,
		    nd_fail(check->why, ND_ETOOBIG, 0, "%.60s has %u entries, more than %u", field, node->count, max));
	return ND_OK;
}

enum nd_err
job_check_labels(struct job_checker *check, const struct job_field *field, const struct json_node *node)
{
	struct job_draft *draft = &check->draft;
	enum nd_err err;
	char name[80];

	if (node->type != JSON_OBJECT)
		return job_wrong_type(check, field->name, node, "an object");
	err = check_count(check, field->name, node, JOB_MAX_LABELS);
	if (err != ND_OK)
		return err;
	draft->labels = nd_xalloc(node->count * sizeof(*draft->labels));
	for (const struct json_node *item = node->child; item != NULL; item = item->next) {
		(void)snprintf(name, sizeof(name), "labels.%.60s", item->key);
		if (item->key[0] == '\0' || strlen(item->key) > JOB_MAX_NAME ||
		    nd_str_has_control(item->key, strlen(item->key)))
			return job_at(check, name,
			    nd_fail(check->why, ND_EINVALID, 0,
				"a label's name must have 1 to %u octets and no control character", JOB_MAX_NAME));
		if (item->type != JSON_STRING)
			return job_wrong_type(check, name, item, "a string");
		if (item->len > MAX_VALUE)
			return job_too_long(check, name, MAX_VALUE);
		draft->labels[draft->label_count++] = (struct job_pair){ item->key, item->text };
	}
	return ND_OK;
}

/* RFC 5322 2.2: printable ASCII but the colon. */
static bool
is_header_name(const char *name)
{
	size_t len = strlen(name);

	return len > 0 && len <= MAX_HEADER_NAME && nd_str_ascii(name, len) && strpbrk(name, " :") == NULL;
}

static enum nd_err
check_header(struct job_checker *check, const struct json_node *item)
{
	struct job_draft *draft = &check->draft;
	const char *value;
	enum nd_err err;
	char name[80];

	(void)snprintf(name, sizeof(name), "headers.%.60s", item->key);
	if (!is_header_name(item->key))
		return job_at(check, name,
		    nd_fail(check->why, ND_EINVALID, 0, "\"%.60s\" cannot be the name of a header field", item->key));
	if (job_header_reserved(item->key))
		return job_at(check, name,
		    nd_fail(
			check->why, ND_EINVALID, 0, "the header field %.60s is written by notifyd itself", item->key));
	for (unsigned i = 0; i < draft->header_count; i++) {
		if (nd_str_eq_nocase(draft->headers[i].name, item->key))
			return job_at(check, name,
			    nd_fail(check->why, ND_EINVALID, 0, "the header field %.60s is given twice", item->key));
	}
	err = job_read_line(check, name, item, MAX_VALUE, &value);
	if (err == ND_OK)
		draft->headers[draft->header_count++] = (struct job_pair){ item->key, value };
	return err;
}

enum nd_err
job_check_headers(struct job_checker *check, const struct job_field *field, const struct json_node *node)
{
	enum nd_err err;

	if (node->type != JSON_OBJECT)
		return job_wrong_type(check, field->name, node, "an object");
	err = check_count(check, field->name, node, MAX_HEADERS);
	if (err != ND_OK)
		return err;
	check->draft.headers = nd_xalloc(node->count * sizeof(*check->draft.headers));
	for (const struct json_node *item = node->child; item != NULL && err == ND_OK; item = item->next)
		err = check_header(check, item);
	return err;
}

/* Schemes that a reader may click on without harm. */
static bool
is_link(const char *url)
{
	size_t rest = nd_str_starts_nocase(url, "https://")  ? 8
		      : nd_str_starts_nocase(url, "http://") ? 7
		      : nd_str_starts_nocase(url, "mailto:") ? 7
							     : 0;

	return rest > 0 && url[rest] != '\0' && url[rest] != '/' && strpbrk(url, " <>\"\\^`{|}") == NULL;
}

static enum nd_err
read_link(struct job_checker *check, const struct json_node *item, unsigned index)
{
	static const char *const known[] = { "title", "url", NULL };
	struct job_pair link = { NULL, NULL };
	char name[80];

	(void)snprintf(name, sizeof(name), "links[%u]", index);
	if (item->type != JSON_OBJECT)
		return job_wrong_type(check, name, item, "an object");
	for (const struct json_node *member = item->child; member != NULL; member = member->next) {
		enum nd_err err;

		(void)snprintf(name, sizeof(name), "links[%u].%.40s", index, member->key);
		if (strcmp(member->key, "title") == 0)
			err = job_read_line(check, name, member, MAX_VALUE, &link.name);
		else if (strcmp(member->key, "url") == 0)
			err = job_read_line(check, name, member, MAX_VALUE, &link.value);
		else
			err = job_unknown(check, name, member->key, known);
		if (err != ND_OK)
			return err;
	}
	(void)snprintf(name, sizeof(name), "links[%u].url", index);
	if (link.value == NULL)
		return job_at(check, name, nd_fail(check->why, ND_EINVALID, 0, "a link needs a url"));
	if (!is_link(link.value))
		return job_at(check, name,
		    nd_fail(check->why, ND_EINVALID, 0, "\"%.80s\" is not a http, https or mailto URL", link.value));
	if (link.name == NULL || link.name[0] == '\0')
		link.name = link.value;
	check->draft.links[check->draft.link_count++] = link;
	return ND_OK;
}

enum nd_err
job_check_links(struct job_checker *check, const struct job_field *field, const struct json_node *node)
{
	enum nd_err err;

	if (node->type != JSON_ARRAY)
		return job_wrong_type(check, field->name, node, "an array");
	err = check_count(check, field->name, node, MAX_LINKS);
	if (err != ND_OK)
		return err;
	check->draft.links = nd_xalloc(node->count * sizeof(*check->draft.links));
	for (const struct json_node *item = node->child; item != NULL && err == ND_OK; item = item->next)
		err = read_link(check, item, check->draft.link_count);
	return err;
}

/* --- attachments --- */

/* RFC 2045 5.1: token "/" token. */
static bool
is_mime_type(const char *type)
{
	const char *slash = strchr(type, '/');

	if (!nd_str_ascii(type, strlen(type)) || strpbrk(type, " ()<>@,;:\\\"[]?=") != NULL)
		return false;
	return slash != NULL && slash != type && slash[1] != '\0' && strchr(slash + 1, '/') == NULL;
}

/* RFC 2046 5.1.1, 5.2.1: these two kinds are never base64, as attachments here are. */
static enum nd_err
check_type(struct job_checker *check, const char *field, const char *type)
{
	enum nd_err err;

	if (!is_mime_type(type))
		return job_at(check, field, nd_fail(check->why, ND_EINVALID, 0, "\"%.60s\" is not a media type", type));
	if (!nd_str_starts_nocase(type, "multipart/") && !nd_str_starts_nocase(type, "message/"))
		return ND_OK;
	err = nd_fail(check->why, ND_EINVALID, 0, "an attachment cannot be of type %.60s", type);
	(void)nd_fail_at(check->why, field, 0, "use application/octet-stream");
	return err;
}

static enum nd_err
read_content(struct job_checker *check, const char *field, const struct json_node *node, struct job_attachment *part)
{
	if (node->type != JSON_STRING)
		return job_wrong_type(check, field, node, "a string");
	part->content = node->text;
	part->content_len = node->len;
	/* The line breaks of the base64 tool are taken out when it is written. */
	if (nd_str_unbase64_size(node->text, node->len, true, &part->size))
		return ND_OK;
	return job_at(check, field, nd_fail(check->why, ND_EINVALID, 0, "%s is not base64", field));
}

static enum nd_err
read_part_member(
    struct job_checker *check, const char *field, const struct json_node *member, struct job_attachment *part)
{
	static const char *const known[] = { "name", "type", "content", "inline", NULL };
	enum nd_err err;

	if (strcmp(member->key, "name") == 0) {
		err = job_read_line(check, field, member, JOB_MAX_NAME, &part->name);
		if (err == ND_OK && (part->name[0] == '\0' || strchr(part->name, '/') != NULL))
			err = job_at(check, field,
			    nd_fail(
				check->why, ND_EINVALID, 0, "an attachment's name must not be empty or have a '/'"));
		return err;
	}
	if (strcmp(member->key, "type") == 0) {
		err = job_read_line(check, field, member, JOB_MAX_NAME, &part->type);
		return err == ND_OK ? check_type(check, field, part->type) : err;
	}
	if (strcmp(member->key, "content") == 0)
		return read_content(check, field, member, part);
	if (strcmp(member->key, "inline") != 0)
		return job_unknown(check, field, member->key, known);
	if (member->type != JSON_BOOL)
		return job_wrong_type(check, field, member, "true or false");
	part->inline_part = member->boolean;
	return ND_OK;
}

static enum nd_err
read_attachment(struct job_checker *check, const struct json_node *item, unsigned index)
{
	struct job_attachment part = { .name = NULL };
	char name[80];

	(void)snprintf(name, sizeof(name), "attachments[%u]", index);
	if (item->type != JSON_OBJECT)
		return job_wrong_type(check, name, item, "an object");
	for (const struct json_node *member = item->child; member != NULL; member = member->next) {
		enum nd_err err;

		(void)snprintf(name, sizeof(name), "attachments[%u].%.40s", index, member->key);
		err = read_part_member(check, name, member, &part);
		if (err != ND_OK)
			return err;
	}
	(void)snprintf(name, sizeof(name), "attachments[%u].%s", index, part.name == NULL ? "name" : "content");
	if (part.name == NULL || part.content == NULL)
		return job_at(
		    check, name, nd_fail(check->why, ND_EINVALID, 0, "an attachment needs a name and content"));
	check->draft.attachments[check->draft.attachment_count++] = part;
	return ND_OK;
}

enum nd_err
job_check_attachments(struct job_checker *check, const struct job_field *field, const struct json_node *node)
{
	enum nd_err err;

	if (node->type != JSON_ARRAY)
		return job_wrong_type(check, field->name, node, "an array");
	err = check_count(check, field->name, node, JOB_MAX_ATTACHMENTS);
	if (err != ND_OK)
		return err;
	check->draft.attachments = nd_xalloc(node->count * sizeof(*check->draft.attachments));
	for (const struct json_node *item = node->child; item != NULL && err == ND_OK; item = item->next)
		err = read_attachment(check, item, check->draft.attachment_count);
	return err;
}
