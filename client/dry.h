/* SPDX-License-Identifier: Apache-2.0 */
/* dry.h - the answer to a dry run, for people.  Layer: client. */
#ifndef ND_CLIENT_DRY_H
#define ND_CLIENT_DRY_H

#include "client/cmd.h"

void dry_tell(struct cmd *cmd, const struct json_node *answer);

#endif
