/* SPDX-License-Identifier: Apache-2.0 */
/* idn.h - domains of all scripts (IDNA2008).  Layer: common, base.  Pure; the only user of libidn2.
 *
 * People read and write müller.example; DNS, certificates and envelopes know xn--mller-kva.example. A domain is kept as it was written and converted where it
 * leaves us or is compared. ASCII is never judged: who writes xn-- himself, or a name that is only used at home, is taken at his word.
 */
#ifndef ND_COMMON_IDN_H
#define ND_COMMON_IDN_H

#include "common/err.h"

#include <stdbool.h>

#define IDN_DOMAIN_SIZE 256u  /* with its NUL */
#define IDN_ADDRESS_SIZE 640u /* the longest local part of an address, quoted, '@', domain; with its NUL */

/* The domain in A-labels and lower case. ND_EINVALID when there is no such form: not UTF-8, a character that no name may have, a label or the whole too
 * long, directions mixed. `out` is untouched then. A literal ("[192.0.2.1]") stays as it is. */
enum nd_err idn_domain(const char *domain, char out[IDN_DOMAIN_SIZE], struct nd_why *why) ND_MUST_CHECK;
/* The same for the domain of an address; its local part stays as it is. */
enum nd_err idn_address(const char *address, char out[IDN_ADDRESS_SIZE], struct nd_why *why) ND_MUST_CHECK;

/* The local part is outside ASCII: no other form of the address exists, it needs SMTPUTF8. */
bool idn_local(const char *address);
/* The address as it goes over the wire, in envelope and header: all ASCII when the local part is; else all UTF-8, the domain in U-labels. What has no such
 * form stays as it is. */
const char *idn_wire(const char *address, char out[IDN_ADDRESS_SIZE]);
/* The host as DNS, TLS and a proxy are asked for it; what has no such form stays as it is. */
const char *idn_host(const char *host, char out[IDN_DOMAIN_SIZE]);
/* The same domain, however it is written; the same address (domains alike, local parts without regard to ASCII case). */
bool idn_same_domain(const char *a, const char *b);
bool idn_same_address(const char *a, const char *b);

#endif
