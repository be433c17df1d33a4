/* SPDX-License-Identifier: Apache-2.0 */
/* oauth_inner.h - what the files of oauth share.  Layer: core.  For oauth*.c only. */
#ifndef ND_CORE_OAUTH_INNER_H
#define ND_CORE_OAUTH_INNER_H

#include "common/json.h"

#include <stdbool.h>

#define OAUTH_INNER_TOKEN_MAX 12000u

/* A string of 1 to 12,000 octets in 0x21-0x7e: anything else could forge fields of an XOAUTH2 line. NULL is not ok. */
bool oauth_inner_token_ok(const struct json_node *node);
/* Overwrites the text of a node: the tree frees its memory without wiping. NULL is fine. */
void oauth_inner_wipe(const struct json_node *node);

#endif
