/* SPDX-License-Identifier: Apache-2.0 */
/* filter.h - which jobs a list, or what is done to many, is about: its parameters.  Layer: core.  Pure. */
#ifndef ND_CORE_FILTER_H
#define ND_CORE_FILTER_H

#include "daemon/core/store.h"

/* Takes a parameter, each once: state account source severity key since id cursor. Others are none of its business. ND_EINVALID; a list without a name
 * is refused, for the empty variable of a script must not mean all jobs. filter_done is due in any case. */
enum nd_err filter_take(
    struct store_filter *filter, const char *name, const char *value, nd_unix now, struct nd_why *why) ND_MUST_CHECK;
void filter_done(struct store_filter *filter); /* frees its texts, and the ids of what is sent */

#endif
