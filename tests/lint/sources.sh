#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# sources.sh [TOP] - every source file and test is named in its folder's local.mk: what is not built is not tested.
. "$(dirname "$0")/lib.sh"
cd "${1:-${top_srcdir:-.}}" || exit 1
lint_seen=0
named() { # named FRAGMENT FOLDER FILE: test programs are named without .c
  local name=${3#"$2"/}
  grep -qE "(^|[[:space:]])%D%/${name//./\\.}([[:space:]]|\$)" "$1" && return
  case $3 in tests/*.c) grep -qE "(^|[[:space:]])%D%/${name%.c}([[:space:]]|\$)" "$1" ;; *) false ;; esac
}
for folder in common daemon client tests; do
  while read -r file; do
    lint_seen=$((lint_seen + 1))
    named "$folder/local.mk" "$folder" "$file" || bad "$file is not named in $folder/local.mk"
  done < <(find "$folder" -name node_modules -prune -o \( -name '*.[ch]' -o -name '*.def' \) -print | sort)
done
lint_end
