/* SPDX-License-Identifier: Apache-2.0 */
/* page.h - the page that a browser ends at after a sign-in.  Layer: client.  Pure. */
#ifndef ND_CLIENT_PAGE_H
#define ND_CLIENT_PAGE_H

#include "common/buf.h"

#include <stdbool.h>

struct page {
	bool good, japanese;
	bool remark;               /* the terminal tells more */
	const char *account;       /* its name */
	const char *who;           /* who signed in; NULL: not known */
	const char *detail, *hint; /* of a failure; NULL none */
	const char *meaning; /* of a failure whose detail is in another language; NULL or "": the detail says it */
};

/* HTML that needs nothing from elsewhere; every text is escaped. */
void page_write(const struct page *page, struct nd_buf *out);

#endif
