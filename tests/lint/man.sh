#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# man.sh [TOP] - mandoc has nothing to say about the manual.
. "$(dirname "$0")/lib.sh"
cd "${1:-${top_srcdir:-.}}" || exit 1
need mandoc
lint_seen=0
for page in man/*.[1-8]; do
  [ -e "$page" ] || continue
  lint_seen=$((lint_seen + 1))
  while read -r line; do bad "$line"; done < <(mandoc -Tlint -W warning "$page" 2>&1)
done
lint_end
