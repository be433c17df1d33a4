#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# format.sh [TOP] - the source is as clang-format 14 writes it; "scripts/format" does so.
. "$(dirname "$0")/lib.sh"
cd "${1:-${top_srcdir:-.}}" || exit 1
tool=clang-format-14
command -v $tool > /dev/null || tool=clang-format
need $tool
version=$($tool --version | sed 's/.*version \([0-9]*\).*/\1/')
[ "$version" = 14 ] || { echo "format: clang-format $version writes otherwise than 14"; [ "${LINT_STRICT:-0}" = 1 ] && exit 1; exit 77; }
lint_seen=0
while read -r file; do
  lint_seen=$((lint_seen + 1))
  $tool --style=file "$file" | cmp -s - "$file" || bad "$file is not formatted: run scripts/format"
done < <(find common daemon client tests -name node_modules -prune -o -name '*.[ch]' -print | sort)
lint_end
