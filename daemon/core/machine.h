/* SPDX-License-Identifier: Apache-2.0 */
/* machine.h - is this state directory this machine's?  Layer: core.  Pure.
 *
 * A clone or a restored image would send what the machine it came from sends too. So the state directory remembers its machine's id (machine-id(5)).
 */
#ifndef ND_CORE_MACHINE_H
#define ND_CORE_MACHINE_H

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

#endif
