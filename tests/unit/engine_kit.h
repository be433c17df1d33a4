/* SPDX-License-Identifier: Apache-2.0 */
/* engine_kit.h - the engine under test: what it does next. Wants cmocka.h before it. */
#ifndef TESTS_UNIT_ENGINE_KIT_H
#define TESTS_UNIT_ENGINE_KIT_H

#include "daemon/core/engine.h"
#include "tests/unit/rows.h"

static inline struct nd_now
at(nd_ms ms)
{
	return (struct nd_now){ ms, 1000000000 + ms };
}

/* The next action, which must be `act`. */
static inline struct engine_action
expect(struct engine *engine, enum engine_act act, nd_ms now)
{
	struct engine_action action;

	assert_true(engine_next(engine, at(now), &action));
	assert_int_equal(action.act, act);
	return action;
}

static inline void
expect_rest(struct engine *engine, nd_ms now)
{
	struct engine_action action;

	assert_false(engine_next(engine, at(now), &action));
}

static inline void
finish(struct engine *engine, struct conf *conf)
{
	engine_free(engine);
	rows_conf_done(conf);
}

#endif
