/* SPDX-License-Identifier: Apache-2.0 */
/* idn.c - domains of all scripts (IDNA2008).  Layer: common, base.  Pure; the only user of libidn2. */
#include "common/idn.h"

#include "common/str.h"

#include <idn2.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

#define LABEL_MAX 63u
#define NAME_MAX_OCTETS 253u /* RFC 1035 3.1: 255 on the wire */

static const char remedy[] = "give the name as it is registered, or in its xn-- form";

static bool
is_ascii(const char *text)
{
	return !nd_str_eight(text, strlen(text));
}

static void
lower(char *text)
{
	for (; *text != '\0'; text++)
		if (*text >= 'A' && *text <= 'Z')
			*text = (char)(*text | 0x20);
}

static enum nd_err
refuse(const char *domain, const char *what, struct nd_why *why)
{
	const int shown = (int)nd_str_utf8_cut(domain, strlen(domain), 80);

	if (!nd_str_utf8(domain, strlen(domain)))
		return nd_fail(why, ND_EINVALID, 0, "a domain is not valid UTF-8");
	(void)nd_fail(why, ND_EINVALID, 0, "the domain \"%.*s\" is not one: %s", shown, domain, what);
	(void)nd_fail_at(why, NULL, 0, remedy);
	return ND_EINVALID;
}

/* What the mapping has made of it may be anything that is ASCII: a full-width '/' has become one. NULL: it is a name. */
static const char *
fault_of(const char *name)
{
	size_t label = 0;
	const char *at;

	for (at = name; *at != '\0'; at++) {
		const bool plain = (*at >= 'a' && *at <= 'z') || (*at >= '0' && *at <= '9') || *at == '-' || *at == '_';

		if (*at == '.' && label == 0)
			return "a label is empty";
		if (*at != '.' && !plain)
			return "it holds a character that no name may have";
		label = *at == '.' ? 0 : label + 1;
		if (label > LABEL_MAX)
			return "a label is longer than 63 octets in its xn-- form";
	}
	if (label == 0)
		return "a label is empty";
	return at - name > (ptrdiff_t)NAME_MAX_OCTETS ? "it is longer than 253 octets in its xn-- form" : NULL;
}

static enum nd_err
convert(const char *domain, char out[IDN_DOMAIN_SIZE], struct nd_why *why)
{
	uint8_t *name = NULL;
	const char *fault;
	int result;

	/* Non-transitional: ß is a letter of its own. */
	result = idn2_lookup_u8((const uint8_t *)domain, &name, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
	if (result == IDN2_MALLOC)
		return nd_fail(why, ND_EMEMORY, 0, "there is no memory to convert a domain");
	if (result != IDN2_OK)
		return refuse(domain, idn2_strerror(result), why);
	fault = fault_of((const char *)name);
	if (fault == NULL)
		memcpy(out, name, strlen((const char *)name) + 1);
	idn2_free(name);
	return fault == NULL ? ND_OK : refuse(domain, fault, why);
}

enum nd_err
idn_domain(const char *domain, char out[IDN_DOMAIN_SIZE], struct nd_why *why)
{
	const size_t len = strlen(domain);

	if (!is_ascii(domain))
		return convert(domain, out, why);
	if (len >= IDN_DOMAIN_SIZE)
		return refuse(domain, "it is longer than 253 octets", why);
	memcpy(out, domain, len + 1);
	lower(out);
	return ND_OK;
}

/* Octets up to the domain, the '@' with them; 0: there is none, or no room. */
static size_t
local_len(const char *address)
{
	const size_t len = (size_t)(nd_str_domain(address) - address);

	return address[len] == '\0' || len >= IDN_ADDRESS_SIZE - IDN_DOMAIN_SIZE ? 0 : len;
}

enum nd_err
idn_address(const char *address, char out[IDN_ADDRESS_SIZE], struct nd_why *why)
{
	const size_t len = local_len(address);
	char domain[IDN_DOMAIN_SIZE];
	enum nd_err err;

	if (len == 0)
		return nd_fail(why, ND_EINVALID, 0, "an address has no domain, or is too long");
	err = idn_domain(address + len, domain, why);
	if (err != ND_OK)
		return err;
	memcpy(out, address, len);
	memcpy(out + len, domain, strlen(domain) + 1);
	return ND_OK;
}

bool
idn_local(const char *address)
{
	const char *domain = nd_str_domain(address);

	for (; address < domain; address++)
		if ((unsigned char)*address >= 0x80)
			return true;
	return false;
}

/* The domain behind the first `len` octets in U-labels: the form that RFC 6531 names, whatever was typed. */
static void
put_unicode(const char *ascii, size_t len, char out[IDN_ADDRESS_SIZE])
{
	char *name = NULL;
	const int result = idn2_to_unicode_8z8z(ascii, &name, 0);

	if (result == IDN2_OK && strlen(name) < IDN_ADDRESS_SIZE - len)
		memcpy(out + len, name, strlen(name) + 1);
	else
		memcpy(out + len, ascii, strlen(ascii) + 1);
	idn2_free(name);
}

const char *
idn_wire(const char *address, char out[IDN_ADDRESS_SIZE])
{
	const size_t len = local_len(address);
	char ascii[IDN_DOMAIN_SIZE];

	if (len == 0 || is_ascii(address + len) || idn_domain(address + len, ascii, NULL) != ND_OK)
		return address;
	memcpy(out, address, len);
	if (idn_local(address))
		put_unicode(ascii, len, out);
	else
		memcpy(out + len, ascii, strlen(ascii) + 1);
	return out;
}

const char *
idn_host(const char *host, char out[IDN_DOMAIN_SIZE])
{
	return is_ascii(host) || idn_domain(host, out, NULL) != ND_OK ? host : out;
}

bool
idn_same_domain(const char *a, const char *b)
{
	char left[IDN_DOMAIN_SIZE], right[IDN_DOMAIN_SIZE];

	if (is_ascii(a) && is_ascii(b))
		return nd_str_eq_nocase(a, b);
	return nd_str_eq_nocase(idn_host(a, left), idn_host(b, right));
}

bool
idn_same_address(const char *a, const char *b)
{
	const char *left = nd_str_domain(a), *right = nd_str_domain(b);
	const size_t len = (size_t)(left - a);

	return (size_t)(right - b) == len && strncasecmp(a, b, len) == 0 && idn_same_domain(left, right);
}
