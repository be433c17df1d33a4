/* SPDX-License-Identifier: Apache-2.0 */
/* log.h - lines for the operator.  Layer: common, base.  Thread-safe.
 *
 * One line = one event: a sentence, then fields. The sink is set by main (stderr or the journal). Core never logs.
 * Levels are syslog's. Fields are NAME=value pairs, names [A-Z0-9_]; the journal sink prefixes NOTIFYD_.
 */
#ifndef ND_COMMON_LOG_H
#define ND_COMMON_LOG_H

#include "common/err.h"

#include <stdbool.h>

enum nd_level { ND_LOG_ERR = 3, ND_LOG_WARNING = 4, ND_LOG_NOTICE = 5, ND_LOG_INFO = 6, ND_LOG_DEBUG = 7 };

struct nd_field {
	const char *name;  /* NULL ends the list */
	const char *value; /* NULL: the field is left out */
};

typedef void nd_log_sink(enum nd_level level, const char *text, const struct nd_field *fields);

void nd_log_to(nd_log_sink *sink); /* NULL: stderr */
void nd_log_level(enum nd_level highest);
bool nd_log_wanted(enum nd_level level);
bool nd_log_level_named(const char *name, enum nd_level *out); /* err warning notice info debug */
void nd_log(enum nd_level level, const struct nd_field *fields, const char *format, ...) ND_PRINTF(3, 4);
/* nd_log(ND_LOG_INFO, ND_FIELDS({ "JOB", id }, { "ACCOUNT", name }), "…"); or NULL for none */
#define ND_FIELDS(...) ((const struct nd_field[]){ __VA_ARGS__, { NULL, NULL } })

void nd_log_stderr(enum nd_level level, const char *text, const struct nd_field *fields);

#endif
