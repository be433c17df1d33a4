/* SPDX-License-Identifier: Apache-2.0 */
/* doctor.c - what an alert needs of its host: facts => findings, each with its level, its cause and its cure.  Layer: core. */
#include "daemon/core/doctor.h"

#include "common/skew.h"
#include "daemon/core/proxy_talk.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define SLOW_LOOKUP ND_SEC(2)
#define MIB (INT64_C(1) << 20)

static void ND_PRINTF(4, 5)
    find(struct doctor_finding *out, const char *check, enum doctor_level level, const char *format, ...)
{
	va_list args;

	out->check = check;
	out->level = level;
	out->remedy[0] = '\0';
	va_start(args, format);
	(void)vsnprintf(out->detail, sizeof(out->detail), format, args);
	va_end(args);
}

static void ND_PRINTF(2, 3) cure(struct doctor_finding *out, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)vsnprintf(out->remedy, sizeof(out->remedy), format, args);
	va_end(args);
}

const char *
doctor_level_name(enum doctor_level level)
{
	static const char *const names[] = { [DOCTOR_OK] = "ok", [DOCTOR_WARN] = "warn", [DOCTOR_FAIL] = "fail" };

	return names[level];
}

/* -- who must be reachable -- */

/* https://host[:port]/… */
static bool
read_url(const char *url, struct doctor_target *out)
{
	const char *host = strncmp(url, "https://", 8) == 0 ? url + 8 : NULL, *end;
	long port = 443;

	if (host == NULL)
		return false;
	if (*host == '[') {
		end = strchr(++host, ']');
		if (end == NULL)
			return false;
	} else {
		end = host + strcspn(host, ":/?#");
	}
	if (end == host || (size_t)(end - host) >= sizeof(out->host))
		return false;
	memcpy(out->host, host, (size_t)(end - host));
	out->host[end - host] = '\0';
	end += *end == ']';
	if (*end == ':')
		port = strtol(end + 1, NULL, 10);
	out->port = (uint16_t)port;
	return port > 0 && port <= UINT16_MAX;
}

static bool
read_proxy(const char *url, struct doctor_target *out)
{
	struct proxy_talk_server server;

	if (url == NULL || !proxy_talk_server(url, &server) || server.kind == PROXY_TALK_NONE)
		return false;
	out->what = "the proxy";
	(void)snprintf(out->host, sizeof(out->host), "%s", server.host);
	out->port = server.port;
	return true;
}

static void
add(struct doctor_target *list, unsigned *count, const struct doctor_target *target)
{
	for (unsigned i = 0; i < *count; i++)
		if (list[i].port == target->port && strcasecmp(list[i].host, target->host) == 0)
			return;
	if (*count < DOCTOR_TARGETS)
		list[(*count)++] = *target;
}

static void
add_server(const struct conf_account *account, struct doctor_target *list, unsigned *count)
{
	struct doctor_target target = { .what = "the server", .account = account->name };

	if (!read_proxy(account->smtp_proxy, &target)) {
		(void)snprintf(target.host, sizeof(target.host), "%s", account->host);
		target.port = (uint16_t)account->port;
	}
	add(list, count, &target);
}

/* A managed identity's address is the machine's own, and answers nobody else. */
static void
add_endpoint(const struct conf *conf, const struct conf_account *account, struct doctor_target *list, unsigned *count)
{
	struct doctor_target target = { .what = "the token endpoint", .account = account->name };

	if (account->auth != CONF_OAUTH2 || account->grant == CONF_MANAGED_IDENTITY)
		return;
	/* Hosts of no_proxy are reached without it: both ways are looked at. */
	if (read_proxy(conf->proxy, &target)) {
		add(list, count, &target);
		if (conf->no_proxy.count == 0)
			return;
		target.what = "the token endpoint";
	}
	if (read_url(account->token_url, &target))
		add(list, count, &target);
}

unsigned
doctor_targets(const struct conf *conf, struct doctor_target out[DOCTOR_TARGETS])
{
	unsigned count = 0;

	for (unsigned i = 0; i < conf->account_count; i++) {
		add_server(&conf->account[i], out, &count);
		add_endpoint(conf, &conf->account[i], out, &count);
	}
	return count;
}

void
doctor_resolved(const struct doctor_target *target, const char *address, unsigned count, nd_ms took,
    const struct nd_why *why, struct doctor_finding *out)
{
	if (count == 0) {
		find(out, "resolver", DOCTOR_FAIL, "%s, %s of account %s: %s, after %lld ms", target->host,
		    target->what, target->account, why->text, (long long)took);
		cure(out,
		    "getent ahosts %s must give an address: see to the name servers in /etc/resolv.conf, or to the "
		    "name in "
		    "notifyd.conf",
		    target->host);
		return;
	}
	find(out, "resolver", took > SLOW_LOOKUP ? DOCTOR_WARN : DOCTOR_OK,
	    "%s has %u address%s, the first is %s; it took %lld ms", target->host, count, count == 1 ? "" : "es",
	    address, (long long)took);
	if (out->level != DOCTOR_OK)
		cure(
		    out, "one of the name servers in /etc/resolv.conf answers late or not at all: put it last, or out");
}

void
doctor_reached(const struct doctor_target *target, const char *address, nd_ms took, const struct nd_why *why,
    struct doctor_finding *out)
{
	if (address != NULL) {
		find(out, "port", DOCTOR_OK, "%s port %u: connected to %s in %lld ms", target->host,
		    (unsigned)target->port, address, (long long)took);
		return;
	}
	find(out, "port", DOCTOR_FAIL, "%s port %u, %s of account %s: %s", target->host, (unsigned)target->port,
	    target->what, target->account, why->text);
	cure(out, "let this host out to %s port %u in every firewall on the way, or name the proxy in notifyd.conf",
	    target->host, (unsigned)target->port);
}

/* -- the host -- */

void
doctor_clock(const char *account, long skew, struct doctor_finding *out)
{
	static const enum doctor_level levels[] = {
		[SKEW_NONE] = DOCTOR_OK, [SKEW_SEEN] = DOCTOR_WARN, [SKEW_FATAL] = DOCTOR_FAIL
	};
	const char *remedy;
	char text[200];
	const enum skew seen = skew_judge(account, skew, text, sizeof(text), &remedy);

	find(out, "clock", levels[seen], "%s", text);
	if (remedy != NULL)
		cure(out, "%s", remedy);
}

void
doctor_state(const struct doctor_folder *folder, struct doctor_finding *out)
{
	if (!folder->there) {
		find(out, "state", DOCTOR_OK, "%s is not there: the unit makes it", folder->path);
	} else if (strcmp(folder->owner, folder->wanted) != 0) {
		find(out, "state", DOCTOR_FAIL, "%s belongs to %s, not to %s", folder->path, folder->owner,
		    folder->wanted);
		cure(out, "systemctl stop notifyd; chown -R %s: %s; systemctl start notifyd", folder->wanted,
		    folder->path);
	} else if ((folder->mode & 0700) != 0700) {
		find(
		    out, "state", DOCTOR_FAIL, "%s has mode %04o: its owner cannot use it", folder->path, folder->mode);
		cure(out, "chmod 700 %s", folder->path);
	} else if ((folder->mode & 077) != 0) {
		find(out, "state", DOCTOR_WARN, "%s has mode %04o: others see what is in the queue", folder->path,
		    folder->mode);
		cure(out, "chmod 700 %s", folder->path);
	} else {
		find(out, "state", DOCTOR_OK, "%s belongs to %s, mode %04o", folder->path, folder->owner, folder->mode);
	}
}

void
doctor_room(const struct doctor_folder *folder, int64_t min_free, struct doctor_finding *out)
{
	const char *path = folder->path;

	if (folder->free < 0) {
		find(out, "room", DOCTOR_WARN, "the free space of %s is not known", path);
		cure(out, "df %s", path);
		return;
	}
	find(out, "room",
	    folder->free < min_free       ? DOCTOR_FAIL
	    : folder->free < 2 * min_free ? DOCTOR_WARN
					  : DOCTOR_OK,
	    "%s has %" PRId64 " MiB free, min_free is %" PRId64 " MiB", path, folder->free / MIB, min_free / MIB);
	if (out->level == DOCTOR_FAIL)
		cure(out, "free space there: jobs are refused (disk-full), or set [queue] min_free");
	else if (out->level == DOCTOR_WARN)
		cure(out, "free space there before jobs are refused");
}

void
doctor_authorities(const char *place, bool own, int count, const char *reason, struct doctor_finding *out)
{
	if (count > 0) {
		find(out, "authorities", DOCTOR_OK, "%s: %d certificate%s loaded", place, count, count == 1 ? "" : "s");
		return;
	}
	find(out, "authorities", DOCTOR_FAIL, "%s: %s: no server is trusted", place,
	    count < 0 ? reason : "there is no certificate");
	if (own)
		cure(out,
		    "ca_file and token_ca_file name PEM files that the user notifyd can read, ca_dir a folder of them");
	else
		cure(out, "install the package ca-certificates, or run update-ca-certificates");
}

void
doctor_fips(const char *version, bool properties, bool kernel, struct doctor_finding *out)
{
	if (kernel && !properties) {
		find(out, "fips", DOCTOR_WARN, "the kernel is in FIPS mode, %s is not: its properties lack fips=yes",
		    version);
		cure(out, "activate the FIPS provider and default_properties = fips=yes in OpenSSL's openssl.cnf");
		return;
	}
	find(out, "fips", DOCTOR_OK, "%s %s", version,
	    properties ? "offers FIPS algorithms only (fips=yes): CRAM-MD5 is not used"
		       : "is not in FIPS mode, nor is the kernel");
}

/* -- secrets -- */

static bool
hidden(const char *reference)
{
	return strncmp(reference, "file:/home/", 11) == 0 || strncmp(reference, "file:/root/", 11) == 0 ||
	       strncmp(reference, "file:/run/user/", 15) == 0;
}

/* systemd 252 makes 0400, later ones 0440 with a list of rights for the one user. */
static bool
as_systemd_makes_it(unsigned mode)
{
	return (mode & ~0440U) == 0;
}

void
doctor_secret(const struct doctor_secret *secret, struct doctor_finding *out)
{
	/* a command's arguments are nobody's business */
	const int shown = (int)strcspn(secret->reference, " ");

	if (secret->why != NULL) {
		find(out, "secret", DOCTOR_FAIL, "%s of account %s: %s", secret->key, secret->account,
		    secret->why->text);
		if (hidden(secret->reference))
			cure(out,
			    "notifyd.service hides /home, /root and /run/user (ProtectHome=): use credential:NAME, or "
			    "move the "
			    "file to /etc/notifyd");
		else
			cure(out, "%s", nd_why_hint(secret->why));
	} else if (secret->path[0] == '\0') {
		find(out, "secret", DOCTOR_OK, "%s of account %s: %.*s", secret->key, secret->account, shown,
		    secret->reference);
	} else if (secret->loaded && !as_systemd_makes_it(secret->mode)) {
		find(out, "secret", DOCTOR_WARN, "%s of account %s: %s has mode %04o, which is not systemd's doing",
		    secret->key, secret->account, secret->path, secret->mode);
		cure(out, "systemctl restart notifyd makes it anew, mode 0400 or 0440; then find what changed it");
	} else {
		find(out, "secret", DOCTOR_OK, "%s of account %s: %s, mode %04o%s", secret->key, secret->account,
		    secret->path, secret->mode, secret->loaded ? ", by systemd" : "");
	}
}
