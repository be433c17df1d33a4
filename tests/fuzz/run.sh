#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# run.sh SECONDS PROGRAM... - lets each libFuzzer program look for new inputs, one on each core; what it finds stays in
# fuzz-new/ of the build.
set -eu
seconds=$1
shift
[ $# -gt 0 ] || { echo "fuzz: no programs" >&2; exit 1; }
corpus=$(cd "$(dirname "$0")/corpus" && pwd)
fuzz() { # SECONDS CORPUS PROGRAM: the end of its log, all of it when it failed
  local name log
  name=$(basename "$3")
  name=${name#fuzz_}
  mkdir -p "fuzz-new/$name"
  log=fuzz-new/$name.log
  if "./$3" -max_total_time="$1" -timeout=25 -rss_limit_mb=2048 -print_final_stats=1 -verbosity=1 \
    -artifact_prefix="fuzz-new/$name-" "fuzz-new/$name" "$2/$name" > "$log" 2>&1; then
    printf '== fuzz_%s, %s s\n%s\n' "$name" "$1" "$(tail -8 "$log")"
  else
    printf '== fuzz_%s, %s s\n%s\nfuzz: fuzz_%s failed\n' "$name" "$1" "$(cat "$log")" "$name"
    return 1
  fi
}
export -f fuzz
# shellcheck disable=SC2016 # the shell that is started expands it
printf '%s\0' "$@" | xargs -0 -P "$(nproc)" -I PROGRAM bash -c 'fuzz "$1" "$2" "$3"' - "$seconds" "$corpus" PROGRAM
