#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# symbols.sh [ARCHIVE...] - a call names its file: every global symbol of foo.o begins with foo_.
#   Split files share the name of the file they came from (conf_keys.o: conf_), the base of common has nd_.
. "$(dirname "$0")/lib.sh"
[ $# -gt 0 ] || { cd "${top_builddir:-.}" && set -- libcommon.a libcore.a libio.a; } || exit 1
nm=${NM:-nm}
lint_seen=0

# Files whose symbols do not carry the file's own name, and why that is so.
#   nd_: the words every file uses.  queue_: the jobs the store keeps.  The machines of resolve and http_server have two nouns.
declare -A prefixes=(
  [err]='nd_' [mem]='nd_' [buf]='nd_' [str]='nd_' [stamp]='nd_' [ulid]='nd_' [log]='nd_'
  [core/store]='store_|queue_' [resolve]='resolve_|resolver_' [http_server]='http_server_|http_request_')

allowed() { # allowed LIBRARY MEMBER: the prefixes, as a regular expression
  local name=$2 up
  while :; do
    [ -n "${prefixes[$1/$name]-}" ] && { echo "${prefixes[$1/$name]}"; return; }
    [ -n "${prefixes[$name]-}" ] && { echo "${prefixes[$name]}"; return; }
    # a split file belongs to the file it was split from, when there is one
    up=${name%_*}
    [ "$up" != "$name" ] || break
    case " $members " in *" $up "*) name=$up ;; *) [ "$up" = "${up%_*}" ] && break || name=$up ;; esac
  done
  case " $members " in *" $name "*) echo "${name}_" ;; *) echo "${2}_" ;; esac
}

for archive in "$@"; do
  library=$(basename "$archive" .a)
  library=${library#lib}
  members=$("${AR:-ar}" t "$archive" | sed 's/\.o$//' | tr '\n' ' ')
  while read -r member symbol; do
    lint_seen=$((lint_seen + 1))
    want=$(allowed "$library" "$member")
    [[ $symbol =~ ^($want) ]] || bad "$library: $member.o has $symbol, which does not begin with ${want//|/ or }"
  done < <($nm -g --defined-only "$archive" 2> /dev/null |
    awk '/^[^ ]*\.o:$/ { member = substr($1, 1, length($1) - 3) } NF == 3 && $2 ~ /^[TDBRVWCS]$/ && $3 !~ /^(__|_fini|_init)/ { print member, $3 }')
done
lint_end
