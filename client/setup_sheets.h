/* SPDX-License-Identifier: Apache-2.0 */
/* setup_sheets.h - the lines of the sheets: what a provider's administrator has to do.  Layer: client. */
#ifndef ND_CLIENT_SETUP_SHEETS_H
#define ND_CLIENT_SETUP_SHEETS_H

#define SETUP_STEP 0x10000u         /* it has a number */
#define SETUP_NOT_HVE 0x20000u      /* not for High Volume Email */
#define SETUP_ONLY_HVE 0x40000u     /* for that alone */
#define SETUP_WORLD 0x80000u        /* for the worldwide cloud */
#define SETUP_NATION 0x100000u      /* for the others */
#define SETUP_FOREIGN 0x200000u     /* only where mails come from another address than the mailbox's own */
#define SETUP_TENANT_OWN 0x400000u  /* only where the tenant is one */
#define SETUP_LINES 0x1000000u      /* in its place the certificate, line by line */
#define SETUP_TENANT_NONE 0x800000u /* only where it is a word for many: common and the like */

struct setup_line {
	unsigned ways;  /* a bit for each way it is about, and the marks above */
	const char *en; /* beginning with spaces: to be typed, not translated */
	const char *ja; /* NULL: as in English */
};
extern const struct setup_line setup_sheets[]; /* ends with en NULL */

#endif
