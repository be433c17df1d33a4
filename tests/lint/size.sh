#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# size.sh [TOP] - no file over 800 lines, no function over 80: what is longer is about two things.
. "$(dirname "$0")/lib.sh"
cd "${1:-${top_srcdir:-.}}" || exit 1
lint_seen=0
while read -r file; do
  lint_seen=$((lint_seen + 1))
  lines=$(wc -l < "$file")
  [ "$lines" -le 800 ] || bad "$file has $lines lines: split it"
  # the formatter puts the braces of a function at the line's start
  while read -r line length; do bad "$file:$line: a function of $length lines: split it"; done < <(
    awk '/^{/ { start = NR } /^}/ && start { if (NR - start - 1 > 80) print start, NR - start - 1; start = 0 }' "$file")
done < <(find common daemon client -name '*.[ch]' | sort)
lint_end
