/* SPDX-License-Identifier: Apache-2.0 */
/* machine.h - is this state directory this machine's?  Layer: core.  Pure.
 *
 * A clone or a restored image would send what the machine it came from sends too. So the state directory remembers its machine's id (machine-id(5)).
 */
#ifndef ND_CORE_MACHINE_H
#define ND_CORE_MACHINE_H

#include "common/ulid.h"

#include <stdbool.h>
#include <stddef.h>

#define MACHINE_ID_LEN 32u
#define MACHINE_FILE_LIMIT 256u /* octets of a file with an id */

enum machine_word {
	MACHINE_UNKNOWN, /* the host has no id, as in some containers: nothing is known */
	MACHINE_FIRST,   /* nothing is remembered: now it is this one's */
	MACHINE_SAME,
	MACHINE_OTHER,
};

/* The texts of both files; NULL: there is none. `id` gets the host's id ("" when unknown). What is remembered and is no id is another machine's. */
enum machine_word machine_judge(const char *kept, const char *host, char id[MACHINE_ID_LEN + 1]);

/* Jobs with ids below the border came with the state, the others were accepted on this machine since. The file that remembers it, for one machine:
 * "id border". The border behind the newest id ("" none) of the state: */
void machine_border_after(const char *last_id, char border[ND_ULID_LEN + 1]);
#define MACHINE_BORDER_SIZE (MACHINE_ID_LEN + 1 + ND_ULID_LEN + 2) /* of the text, with its NUL */
void machine_border_write(const char *id, const char *border, char text[MACHINE_BORDER_SIZE]);
/* false: there is none (NULL), or it is another machine's: what that one accepted came with the state, too. */
bool machine_border_read(const char *text, const char *id, char border[ND_ULID_LEN + 1]);

#endif
