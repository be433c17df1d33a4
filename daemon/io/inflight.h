/* SPDX-License-Identifier: Apache-2.0 */
/* inflight.h - which jobs may have been taken by a relay without our knowing: slots that outlive SIGKILL.  Layer: io.
 *
 * STATE/inflight is a shared mapping. A session notes its job before the last octets of the content leave; the note goes when the outcome is committed.
 * After an unclean end the noted jobs are uncertain; after an unclean reboot (another boot id) every job that was due is.
 */
#ifndef ND_IO_INFLIGHT_H
#define ND_IO_INFLIGHT_H

#include "common/err.h"
#include "common/ulid.h"

#include <stdbool.h>
#include <stdint.h>

#define INFLIGHT_SLOTS 4096u

struct inflight;
/* Opens or makes the file, reads what the last run left, and marks it as in use. NULL: why. */
struct inflight *inflight_open(const char *state_dir, struct nd_why *why);
/* What the last run left: ids noted, and whether the host went down uncleanly. Valid until inflight_begin. `lates`: what was noted of each. */
unsigned inflight_left(
    const struct inflight *inflight, const char (**ids)[ND_ULID_LEN + 1], const uint32_t **lates, bool *reboot);
/* An id of this run of the host; "" not known. */
const char *inflight_boot(const struct inflight *inflight);
void inflight_begin(struct inflight *inflight); /* forgets what was left: its jobs are marked now */
/* late: what its rendition began as, not 0. Slot, or -1 when all are taken. */
int inflight_note(struct inflight *inflight, const char *id, uint32_t late);
void inflight_drop(struct inflight *inflight, int slot);
void inflight_close(struct inflight *inflight); /* a clean end, when no slot is taken */

#endif
