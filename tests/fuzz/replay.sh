#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# replay.sh - gives every fuzz program its corpus, as any compiler can build them: no crash, no sanitizer's word.
set -u
cd "$(dirname "$0")/corpus" || exit 1
build=$(cd "$OLDPWD" && cd "${top_builddir:-.}" && pwd) bad=0 ran=0
for program in "$build"/tests/fuzz/fuzz_*; do
  [ -x "$program" ] && [ -f "$program" ] || continue
  name=$(basename "$program")
  name=${name#fuzz_}
  [ -n "$(ls "$name" 2> /dev/null)" ] || { echo "replay: no corpus for fuzz_$name"; bad=1; continue; }
  ran=$((ran + 1))
  find "$name" -type f -print0 | xargs -0 "$program" || { echo "replay: fuzz_$name failed"; bad=1; }
done
echo "replay: $ran programs"
[ $ran -gt 0 ] && exit $bad
exit 1
