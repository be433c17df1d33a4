/* SPDX-License-Identifier: Apache-2.0 */
/* watch.h - tells when one of some files has changed.  Layer: io.  Knows inotify.
 *
 * A file that is written, replaced, made or given other rights; also one behind a symbolic link in the same folder that turns to another place.
 * A file whose folder is not there is not watched.
 */
#ifndef ND_IO_WATCH_H
#define ND_IO_WATCH_H

#include "daemon/io/loop.h"

struct watch;
typedef void watch_fn(void *arg, const char *path);

struct watch *watch_new(struct loop *loop, watch_fn *changed, void *arg);
void watch_add(struct watch *watch, const char *path); /* absolute */
void watch_free(struct watch *watch);                  /* NULL is fine; safe inside `changed` */

#endif
