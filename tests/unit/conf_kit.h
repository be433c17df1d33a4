/* SPDX-License-Identifier: Apache-2.0 */
/* conf_kit.h - settings as they are read, and what is said of them. Wants cmocka.h before it. */
#ifndef TESTS_UNIT_CONF_KIT_H
#define TESTS_UNIT_CONF_KIT_H

#include "common/mem.h"
#include "daemon/core/conf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct conf_host this_host = { "web01", "web01.contoso.com" };

/* The settings of up to two files, and what was wrong with them. */
struct told {
	struct conf conf;
	struct conf_faults faults;
	char lines[16384]; /* every fault as a line */
};

static inline void
tell(struct told *told)
{
	char line[900];
	size_t len = 0;

	told->lines[0] = '\0';
	for (unsigned i = 0; i < told->faults.count && len + sizeof(line) < sizeof(told->lines); i++) {
		conf_fault_line(&told->faults.fault[i], line, sizeof(line));
		len += (size_t)snprintf(told->lines + len, sizeof(told->lines) - len, "%s\n", line);
	}
}

static inline struct told *
read_two(const char *first, const char *second)
{
	struct told *told = nd_xalloc(sizeof(*told));

	conf_init(&told->conf, &this_host);
	conf_read(&told->conf, "notifyd.conf", first, strlen(first), &told->faults);
	if (second != NULL)
		conf_read(&told->conf, "conf.d/10.conf", second, strlen(second), &told->faults);
	conf_finish(&told->conf, &told->faults);
	tell(told);
	return told;
}

static inline struct told *
read_one(const char *text)
{
	return read_two(text, NULL);
}

static inline void
forget(struct told *told)
{
	conf_done(&told->conf);
	conf_faults_done(&told->faults);
	free(told);
}

static const char good_account[] = "[account m365]\n"
				   "provider = microsoft\n"
				   "from = \"Alerts ${host}\" <alerts@contoso.com>\n"
				   "tenant = 1f3c0000-0000-0000-0000-000000000000\n"
				   "client_id = 9ab20000-0000-0000-0000-000000000000\n"
				   "client_secret = credential:m365\n";

static inline struct told *
read_account_and(const char *more)
{
	char text[4096];

	(void)snprintf(text, sizeof(text), "%s%s", good_account, more);
	return read_one(text);
}

static inline void
expect_only(struct told *told, const char *line)
{
	assert_string_equal(told->lines, line);
	forget(told);
}

static inline void
expect_in(struct told *told, const char *part)
{
	if (strstr(told->lines, part) == NULL)
		fail_msg("\"%s\" is not in:\n%s", part, told->lines);
	forget(told);
}

#endif
