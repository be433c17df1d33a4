/* SPDX-License-Identifier: Apache-2.0 */
/* program.h - runs notifyd for what only it can do: check settings, make keys.  Layer: client. */
#ifndef ND_CLIENT_PROGRAM_H
#define ND_CLIENT_PROGRAM_H

#include "common/err.h"

#include <stdbool.h>
#include <stddef.h>

#define PROGRAM_PATH 4096

/* Where notifyd is: as it was given (NULL: not), beside this program, or where it is installed. false: nowhere; the path is its name alone, for PATH. */
bool program_notifyd(const char *given, char path[PROGRAM_PATH]);

enum program_output { PROGRAM_SHOWN, PROGRAM_UNSEEN, PROGRAM_ON_STDERR };
/* Runs words[0] and waits for its end; stderr is ours. *status is its exit code, -1 when a signal ended it. */
enum nd_err program_run(
    const char *const *words, enum program_output output, int *status, struct nd_why *why) ND_MUST_CHECK;
/* Runs it and gives each line of its output; its exit code, -1: it could not be run. SILENT: what it complains of is for nobody. */
enum program_noise { PROGRAM_ALOUD, PROGRAM_SILENT };
typedef void program_line(void *arg, const char *line, size_t len);
int program_lines(const char *const *words, enum program_noise noise, program_line *each, void *arg);

#endif
