/* SPDX-License-Identifier: Apache-2.0 */
/* keyfile.c - the JSON files that Google's console gives to download.  Layer: core.  Pure.
 *
 * What they name is bounded and checked as the settings of the same meaning are: a URL is https and has no user in it.
 */
#include "daemon/core/keyfile.h"

#include "common/json.h"
#include "common/str.h"
#include "daemon/core/oauth_inner.h"

#include <stdlib.h>
#include <string.h>

#define TEXT_MAX 1000u
#define AGAIN "download it again, and keep it as it is"

static enum nd_err
spoiled(const char *what, const char *key, struct nd_why *why)
{
	(void)nd_fail(why, ND_ESECRET, 0, "%s in the downloaded JSON %s", key, what);
	return nd_fail_at(why, NULL, 0, AGAIN);
}

/* A member that is there must be a plain text; out stays NULL when it is not there. */
static enum nd_err
take_text(const struct json_node *object, const char *key, char **out, struct nd_why *why)
{
	const struct json_node *node = json_get(object, key);

	if (node == NULL)
		return ND_OK;
	if (node->type != JSON_STRING || node->len == 0 || node->len > TEXT_MAX ||
	    !nd_str_ascii(node->text, node->len) || strchr(node->text, ' ') != NULL)
		return spoiled("is not a text that can be used", key, why);
	*out = nd_xstrndup(node->text, node->len);
	return ND_OK;
}

static enum nd_err
take_url(const struct json_node *object, char **out, struct nd_why *why)
{
	enum nd_err err = take_text(object, "token_uri", out, why);
	size_t host;

	if (err != ND_OK || *out == NULL)
		return err;
	host = nd_str_starts_nocase(*out, "https://") ? strcspn(*out + 8, "/?#") : 0;
	if (host == 0 || memchr(*out + 8, '@', host) != NULL)
		return spoiled("is not an https address", "token_uri", why);
	return ND_OK;
}

static enum nd_err
missing(const char *what, struct nd_why *why)
{
	(void)nd_fail(why, ND_ESECRET, 0, "the downloaded JSON has no %s", what);
	return nd_fail_at(why, NULL, 0, AGAIN);
}

static enum nd_err
read_client(const struct json_node *root, struct keyfile_client *out, struct nd_why *why)
{
	const struct json_node *client = json_get(root, "installed");
	const struct json_node *secret;
	enum nd_err err;

	if (client == NULL)
		client = json_get(root, "web");
	if (client == NULL && json_get(root, "private_key") != NULL) {
		(void)nd_fail(why, ND_ESECRET, 0, "this is the key of a service account, not a client");
		return nd_fail_at(why, NULL, 0, "name it with key, and set grant = jwt_bearer");
	}
	if (client == NULL || client->type != JSON_OBJECT)
		return missing("\"installed\" or \"web\"", why);
	err = take_text(client, "client_id", &out->client_id, why);
	if (err == ND_OK)
		err = take_url(client, &out->url, why);
	if (err != ND_OK)
		return err;
	if (out->client_id == NULL)
		return missing("client_id", why);
	secret = json_get(client, "client_secret");
	if (secret == NULL || secret->type != JSON_STRING || secret->len == 0 || secret->len > TEXT_MAX)
		return missing("client_secret", why);
	nd_secret_set(&out->secret, secret->text, secret->len);
	return ND_OK;
}

enum nd_err
keyfile_client(const struct nd_secret *text, struct keyfile_client *out, struct nd_why *why)
{
	struct keyfile_client client = { 0 };
	struct json_tree tree;
	enum nd_err err;

	if (text->len == 0 || text->octets[0] != '{' ||
	    json_read(&tree, text->octets, text->len, &json_limits_small, NULL, NULL) != ND_OK) {
		nd_secret_set(&client.secret, text->octets, text->len);
		*out = client;
		return ND_OK;
	}
	err = read_client(tree.root, &client, why);
	oauth_inner_wipe(json_get(json_get(tree.root, "installed"), "client_secret"));
	oauth_inner_wipe(json_get(json_get(tree.root, "web"), "client_secret"));
	oauth_inner_wipe(json_get(tree.root, "private_key"));
	json_done(&tree);
	if (err == ND_OK)
		*out = client;
	else
		keyfile_client_done(&client);
	return err;
}

void
keyfile_client_done(struct keyfile_client *client)
{
	free(client->client_id);
	free(client->url);
	nd_secret_done(&client->secret);
	*client = (struct keyfile_client){ 0 };
}

static enum nd_err
read_service(const struct json_node *root, struct keyfile_service *out, struct nd_why *why)
{
	const struct json_node *key = json_get(root, "private_key");
	const char *type = json_get_text(root, "type");
	enum nd_err err;

	if (type == NULL || strcmp(type, "service_account") != 0) {
		(void)nd_fail(why, ND_ESECRET, 0, "the JSON is not the key of a service account");
		return nd_fail_at(
		    why, NULL, 0, "make a JSON key for the service account in Google's console, and name that file");
	}
	err = take_text(root, "client_email", &out->email, why);
	if (err == ND_OK)
		err = take_text(root, "private_key_id", &out->key_id, why);
	if (err == ND_OK)
		err = take_url(root, &out->url, why);
	if (err != ND_OK)
		return err;
	if (out->email == NULL)
		return missing("client_email", why);
	if (key == NULL || key->type != JSON_STRING || key->len == 0)
		return missing("private_key", why);
	nd_secret_set(&out->key, key->text, key->len);
	return ND_OK;
}

enum nd_err
keyfile_service(const struct nd_secret *text, struct keyfile_service *out, struct nd_why *why)
{
	struct keyfile_service service = { 0 };
	struct json_tree tree;
	enum nd_err err;

	if (json_read(&tree, text->octets == NULL ? "" : text->octets, text->len, &json_limits_small, NULL, NULL) !=
	    ND_OK) {
		(void)nd_fail(why, ND_ESECRET, 0, "the key of a service account is a JSON file, and this is none");
		return nd_fail_at(why, NULL, 0, "name the file that Google's console gave, as it is");
	}
	err = read_service(tree.root, &service, why);
	oauth_inner_wipe(json_get(tree.root, "private_key"));
	json_done(&tree);
	if (err == ND_OK)
		*out = service;
	else
		keyfile_service_done(&service);
	return err;
}

void
keyfile_service_done(struct keyfile_service *service)
{
	free(service->email);
	free(service->key_id);
	free(service->url);
	nd_secret_done(&service->key);
	*service = (struct keyfile_service){ 0 };
}
