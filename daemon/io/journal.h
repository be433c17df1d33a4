/* SPDX-License-Identifier: Apache-2.0 */
/* journal.h - the journal as a sink of log.h, with fields NOTIFYD_*.  Layer: io.  Knows libsystemd. */
#ifndef ND_IO_JOURNAL_H
#define ND_IO_JOURNAL_H

#include "common/log.h"

#include <stdbool.h>

bool journal_wanted(void); /* stderr is connected to the journal ($JOURNAL_STREAM) */
void journal_sink(enum nd_level level, const char *text, const struct nd_field *fields);

#endif
