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
export memcheck="valgrind -q --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite,indirect"
programs=()
for program in "$build"/tests/unit/test_* "$build"/tests/io/test_*; do
  [ -x "$program" ] && [ -f "$program" ] || continue
  case $program in *.o | *.log | *.trs) continue ;; esac
  # valgrind 3.19 knows no pidfd_open, and its fork cannot tell that a program could not be run.
  case ${program##*/} in test_child | test_secret) continue ;; esac
  programs+=("$program")
done
lint_seen=${#programs[@]}
look() { # PROGRAM
  local begin=$SECONDS said
  # shellcheck disable=SC2086 # a list of words
  if said=$(cd "$top_builddir" && $memcheck "$1" 2>&1); then
    echo "valgrind: $(basename "$1"), $((SECONDS - begin)) s"
  else
    printf '%s: memcheck\n%s\n' "$(basename "$1")" "$(grep '^==\|FAILED\|^\[  *ERROR' <<< "$said" | head -40)"
    return 1
  fi
}
export -f look
# shellcheck disable=SC2016 # the shell that is started expands it
printf '%s\0' "${programs[@]}" | xargs -0 -P "$(nproc)" -I PROGRAM bash -c 'look "$1"' - PROGRAM || bad "see above"
# Acts of people, a copy of the queue, mails, intake, reloads and tokens, clients that follow.
ND_UNDER=$memcheck python3 "$top_srcdir/tests/integration/run.py" --jobs "$(nproc)" --builddir "$build" \
  test_acts test_backup test_flights test_intake test_reload test_stream.Client > "$log" 2>&1 || { bad "the daemon"; grep -v ' \.\.\. ok$' "$log" | tail -100; }
tail -1 "$log"
echo "valgrind: $lint_seen programs and the daemon"
lint_end
