#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# banned.sh [TOP] - functions that are refused, and why there is something better.
. "$(dirname "$0")/lib.sh"
here=$(cd "$(dirname "$0")" && pwd)
cd "${1:-${top_srcdir:-.}}" || exit 1
need perl
lint_seen=0

# unbounded: sprintf strcpy strcat gets   not thread-safe: strtok gmtime localtime   no errors: atoi   a shell: system popen
# blocking: sleep usleep   ends the process behind the caller's back: exit (a main may)
banned='sprintf vsprintf strcpy stpcpy strcat strtok atoi atol atoll gets system popen gmtime localtime asctime ctime sleep usleep exit alloca'
pattern="(^|[^_[:alnum:]>.])(${banned// /|})[[:space:]]*\("

while read -r file; do
  lint_seen=$((lint_seen + 1))
  while IFS=: read -r line text; do
    [[ $text =~ $pattern ]]
    [ "${BASH_REMATCH[2]}" = exit ] && [ "$(basename "$file")" = main.c ] && continue
    bad "$file:$line: ${BASH_REMATCH[2]}() is not used here"
  done < <(perl "$here/code.pl" "$file" | grep -nE "$pattern")
done < <(find common daemon client -name '*.[ch]' | sort)
lint_end
