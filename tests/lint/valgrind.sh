#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# valgrind.sh BUILD - memcheck finds no error and no leak: in the unit tests, in the tests of io, in the daemon while it is used.
#   BUILD has no sanitizers.
. "$(dirname "$0")/lib.sh"
build=$(cd "${1:?usage: valgrind.sh BUILD}" && pwd) || exit 1
need valgrind
top_srcdir=$(cd "$(dirname "$0")/../.." && pwd)
export top_srcdir srcdir=$top_srcdir top_builddir=$build CMOCKA_TEST_ABORT=0
log=$(mktemp)
trap 'rm -f "$log"' EXIT
memcheck=(valgrind -q --error-exitcode=99 --leak-check=full "--errors-for-leak-kinds=definite,indirect")
lint_seen=0
for program in "$build"/tests/unit/test_* "$build"/tests/io/test_*; do
  [ -x "$program" ] && [ -f "$program" ] || continue
  case $program in *.o | *.log | *.trs) continue ;; esac
  lint_seen=$((lint_seen + 1))
  begin=$SECONDS
  (cd "$build" && "${memcheck[@]}" "$program") > "$log" 2>&1 || { bad "$(basename "$program")"; grep '^==\|FAILED\|^\[  *ERROR' "$log" | head -40; }
  echo "valgrind: $(basename "$program"), $((SECONDS - begin)) s"
done
# Acts of people, a copy of the queue, mails, intake, reloads and tokens, clients that follow.
ND_UNDER="${memcheck[*]}" python3 "$top_srcdir/tests/integration/run.py" --builddir "$build" -k test_acts -k test_backup -k test_flights \
  -k test_intake -k test_reload -k test_stream.Client > "$log" 2>&1 || { bad "the daemon"; grep -v ' \.\.\. ok$' "$log" | tail -100; }
tail -1 "$log"
echo "valgrind: $lint_seen programs and the daemon"
lint_end
