#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# valgrind.sh BUILD - the unit tests of a build without sanitizers: no error, no leak.
. "$(dirname "$0")/lib.sh"
build=${1:?usage: valgrind.sh BUILD}
need valgrind
top_srcdir=$(cd "$(dirname "$0")/../.." && pwd)
export top_srcdir top_builddir=$build CMOCKA_TEST_ABORT=0
log=$(mktemp)
trap 'rm -f "$log"' EXIT
lint_seen=0
for program in "$build"/tests/unit/test_*; do
  [ -x "$program" ] && [ -f "$program" ] || continue
  case $program in *.o | *.log | *.trs) continue ;; esac
  lint_seen=$((lint_seen + 1))
  valgrind -q --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite,indirect "$program" > "$log" 2>&1 ||
    { bad "$(basename "$program")"; grep '^==' "$log" | head -30; }
done
echo "valgrind: $lint_seen programs"
lint_end
