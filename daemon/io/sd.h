/* SPDX-License-Identifier: Apache-2.0 */
/* sd.h - what we tell systemd and get from it.  Layer: io.  Knows libsystemd. */
#ifndef ND_IO_SD_H
#define ND_IO_SD_H

#include "common/clock.h"

void sd_ready(const char *status);
void sd_reloading(void); /* sd_ready ends it */
void sd_stopping(const char *status);
void sd_status(const char *status); /* one line; sent only when it changed */
nd_ms sd_watchdog_interval(void);   /* half of what systemd asks; 0 none */
void sd_watchdog_alive(void);

#endif
