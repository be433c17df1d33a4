/* SPDX-License-Identifier: Apache-2.0 */
/* trim.h - memory that is not needed for being idle is given back.  Layer: io.  Any thread. */
#ifndef ND_IO_TRIM_H
#define ND_IO_TRIM_H

void trim_heap(void); /* free memory of malloc */
/* The program's and its libraries' code: most of it runs at start only, or while mails are sent. What is used again comes back from the page cache. */
void trim_code(void);

#endif
