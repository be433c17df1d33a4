/* SPDX-License-Identifier: Apache-2.0 */
/* store_shim.h - SQLite's own file layer, for tests: fails on demand, counts, and ends the process in the middle of a write, as a crash or a loss of power
 * would. It is made the default, so that the store takes it unknowingly, below what it has of its own. */
#ifndef ND_TESTS_IO_STORE_SHIM_H
#define ND_TESTS_IO_STORE_SHIM_H

#include <stdatomic.h>

struct store_shim {
	atomic_bool sync_log, sync_db; /* syncs fail */
	atomic_bool full;              /* writes to the log find no room: half of one is written */
	atomic_bool quota;             /* they hit a quota */
	atomic_bool broken;            /* they meet an I/O error */
	atomic_int spare;              /* so many writes to the log go well before that */
	atomic_int writes_of_log, syncs_of_log;
	atomic_int steps;    /* writes and syncs, of all files */
	atomic_int crash_at; /* the step in which the process ends; 0: none */
	atomic_bool power;   /* and what was not synced by then is garbage */
};
extern struct store_shim store_shim;

int store_shim_install(void **state);
void store_shim_mend(void); /* no fault any more, all counts 0 */

#endif
