/* SPDX-License-Identifier: Apache-2.0 */
/* sd.c - what we tell systemd and get from it.  Layer: io.  Knows libsystemd. */
#include "daemon/io/sd.h"

#include <stdio.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <time.h>

#define STATUS_SIZE 256

static char told[STATUS_SIZE]; /* the status systemd shows now */

/* STATUS= is one line; a newline in it would begin an assignment of its own. */
static void
put_line(char out[STATUS_SIZE], const char *text)
{
	(void)snprintf(out, STATUS_SIZE, "%s", text != NULL ? text : "");
	for (char *c = out; *c != '\0'; c++)
		if ((unsigned char)*c < 0x20)
			*c = ' ';
}

/* Sends `state` with the status when there is one. Whether systemd hears it changes nothing for us. */
static void
tell(const char *state, const char *status)
{
	char line[STATUS_SIZE];

	put_line(line, status);
	if (line[0] == '\0') {
		(void)sd_notify(0, state);
		return;
	}
	(void)sd_notifyf(0, "%s\nSTATUS=%s", state, line);
	memcpy(told, line, sizeof(told));
}

void
sd_ready(const char *status)
{
	tell("READY=1", status);
}

void
sd_reloading(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	(void)sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%lld", (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
}

void
sd_stopping(const char *status)
{
	tell("STOPPING=1", status);
}

void
sd_status(const char *status)
{
	char line[STATUS_SIZE];

	put_line(line, status);
	if (strcmp(line, told) == 0)
		return;
	(void)sd_notifyf(0, "STATUS=%s", line);
	memcpy(told, line, sizeof(told));
}

nd_ms
sd_watchdog_interval(void)
{
	uint64_t usec = 0;

	if (sd_watchdog_enabled(0, &usec) <= 0)
		return 0;
	return usec / 2000 > 0 ? (nd_ms)(usec / 2000) : 1;
}

void
sd_watchdog_alive(void)
{
	(void)sd_notify(0, "WATCHDOG=1");
}
