/* SPDX-License-Identifier: Apache-2.0 */
/* dialogue.h - plays tests/dialogues/NN-title.smtp against smtp_proto, without a socket.  The format: tests/dialogues/README.md. */
#ifndef ND_TEST_DIALOGUE_H
#define ND_TEST_DIALOGUE_H

#include <stdbool.h>
#include <stddef.h>

#define DIALOGUE_COMPLAINT 1024

/* Plays a file; the server's octets come in slices of `slice` (0: all that is sent in a row at once). false: `complaint` says file, line, what was
 * expected, what came. */
bool dialogue_play(const char *path, size_t slice, char complaint[DIALOGUE_COMPLAINT]);

enum dialogue_cut { DIALOGUE_LOST, DIALOGUE_GARBAGE, DIALOGUE_LATE };
/* Plays a file up to server octet `after`, then breaks the session. It must then be over, by a fault, an outcome or quietly, and uncertain only when
 * all of the content was given. *done: the file had no more octets. */
bool dialogue_break(
    const char *path, size_t after, enum dialogue_cut how, bool *done, char complaint[DIALOGUE_COMPLAINT]);

#endif
