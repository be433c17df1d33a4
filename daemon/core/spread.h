/* SPDX-License-Identifier: Apache-2.0 */
/* spread.h - what a provider refuses while a change of rights or switches spreads over its servers is a known delay.  Layer: core.  Pure.
 *
 * Whoever sets an account up does it at two places, and the provider's takes up to half an hour and more to be known to all of its
 * servers. So after a change of the account here (settings, secret, sign-in, first start) these refusals are tried again in quiet
 * for SPREAD_TIME; then they are what they say. Which ones: the rows of the explanations that have spreads = yes.
 */
#ifndef ND_CORE_SPREAD_H
#define ND_CORE_SPREAD_H

#include "common/clock.h"
#include "daemon/core/conf.h"

#include <stdbool.h>

#define SPREAD_TIME ND_MIN(45)
#define SPREAD_WAIT ND_MIN(5) /* between two tries, at least */

/* The end of the known delay that `words` speak of; 0: it is none, or is over. changed: the account was, 0 not lately. */
nd_ms spread_until(const struct conf_account *account, const char *words, nd_unix changed, struct nd_now now);

#endif
