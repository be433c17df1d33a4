#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# run.sh SECONDS PROGRAM... - lets each libFuzzer program look for new inputs; what it finds stays in fuzz-new/ of the build.
set -eu
seconds=$1 bad=0
shift
[ $# -gt 0 ] || { echo "fuzz: no programs" >&2; exit 1; }
corpus=$(cd "$(dirname "$0")/corpus" && pwd)
for program; do
  name=$(basename "$program")
  name=${name#fuzz_}
  mkdir -p "fuzz-new/$name"
  echo "== fuzz_$name, $seconds s"
  "./$program" -max_total_time="$seconds" -timeout=25 -rss_limit_mb=2048 -print_final_stats=1 -verbosity=1 \
    -artifact_prefix="fuzz-new/$name-" "fuzz-new/$name" "$corpus/$name" || { echo "fuzz: fuzz_$name failed"; bad=1; }
done
exit $bad
