#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# selftest.sh - each lint finds the fault it is there for, and says nothing about the same tree without it.
set -u
here=$(cd "$(dirname "$0")" && pwd)
top=$(mktemp -d)
trap 'rm -rf "$top"' EXIT
failed=0 ran=0

fresh() { # a tree that every lint is content with
  rm -rf "${top:?}"/*
  mkdir -p "$top"/{common,daemon/core,daemon/io,client,tests/unit,man}
  printf '#include "common/err.h"\n\n#include <string.h>\n' > "$top/common/err.c"
  printf 'int nd_err;\n' > "$top/common/err.h"
  printf '#include "common/err.h"\n' > "$top/daemon/core/retry.c"
  printf '#include "daemon/core/retry.h"\n\n#include <event2/event.h>\n' > "$top/daemon/io/loop.c"
  printf 'int retry_next(void);\n' > "$top/daemon/core/retry.h"
  printf '#include "common/err.h"\n' > "$top/client/main.c"
  : > "$top/tests/unit/test_retry.c"
  printf '\t%%D%%/err.c %%D%%/err.h\n' > "$top/common/local.mk"
  printf '\t%%D%%/core/retry.c %%D%%/core/retry.h \\\n\t%%D%%/io/loop.c\n' > "$top/daemon/local.mk"
  printf '\t%%D%%/main.c\n' > "$top/client/local.mk"
  printf '\t%%D%%/unit/test_retry\n' > "$top/tests/local.mk"
  printf '.Dd November 21, 2026\n.Dt X 8\n.Os\n.Sh NAME\n.Nm x\n.Nd a page\n.Sh DESCRIPTION\nText.\n' > "$top/man/x.8"
  cp "$here/../../.clang-format" "$top/"
}

case_() { # case_ LINT WORDS: the tree as it stands must fail with these words
  ran=$((ran + 1))
  local out rc
  out=$("$here/$1.sh" "$top" 2>&1)
  rc=$?
  [ $rc = 77 ] && return
  if [ $rc = 0 ] || ! grep -qF -- "$2" <<< "$out"; then
    echo "selftest: $1 did not say \"$2\" (exit $rc): $out"
    failed=1
  fi
}
clean() { # clean LINT...: no word about the tree without a fault
  local lint out
  for lint; do
    ran=$((ran + 1))
    out=$("$here/$lint.sh" "$top" 2>&1) || [ $? = 77 ] || { echo "selftest: $lint found a fault where there is none: $out"; failed=1; }
  done
}

fresh
clean layers banned size format man sources

wrong() { # wrong LINT FILE LINE WORDS: adds the line, expects the words, starts again
  printf '%b\n' "$3" >> "$top/$2"
  case_ "$1" "$4"
  fresh
}
wrong layers common/err.c '#include "daemon/core/retry.h"' 'common must not use "daemon/core/retry.h"'
wrong layers common/err.c '#include <yajl/yajl_parse.h>' 'common must not use <yajl/yajl_parse.h>'
wrong layers common/err.c '#include <sys/socket.h>' 'common must not use <sys/socket.h>'
wrong layers daemon/core/retry.c '#include <event2/event.h>' 'core must not use <event2/event.h>'
wrong layers daemon/core/retry.c '#include <unistd.h>' 'core must not use <unistd.h>'
wrong layers daemon/core/retry.c '#include <time.h>' 'core must not use <time.h>'
wrong layers daemon/core/retry.h '#  include "daemon/io/loop.h"' 'core must not use "daemon/io/loop.h"'
wrong layers daemon/io/loop.c '#include "daemon/app.h"' 'io must not use "daemon/app.h"'
wrong layers daemon/io/loop.c '#include <sqlite3.h>' 'io must not use <sqlite3.h>'
wrong layers client/main.c '#include "daemon/core/retry.h"' 'client must not use "daemon/core/retry.h"'
wrong layers client/main.c '#include <curl/curl.h>' 'client must not use <curl/curl.h>'
wrong layers client/main.c '#include "err.h"' 'write the path from the top'
wrong banned common/err.c 'int x = sprintf (b, "x");' 'sprintf() is not used here'
wrong banned common/err.c 'int x = exit(1);' 'exit() is not used here'
wrong banned daemon/io/loop.c '\tsleep(1);' 'sleep() is not used here'
printf '/* sprintf(x) */ int y; char *z = "system(x)"; a->exit(1);\n' >> "$top/common/err.c"
clean banned
fresh
wrong size common/err.c "$(printf 'int x;\\n%.0s' $(seq 801))" 'split it'
wrong size common/err.c "int\nf(void)\n{$(printf '\\n\\tx();%.0s' $(seq 81))\n}" 'a function of 81 lines'
wrong format common/err.c 'int   x;' 'common/err.c is not formatted'
wrong man man/x.8 '.Foo bar' 'x.8'
wrong sources common/other.c '' 'common/other.c is not named in common/local.mk'
wrong sources tests/unit/test_other.c '' 'tests/unit/test_other.c is not named in tests/local.mk'
rm -rf "${top:?}"/*
mkdir -p "$top"/{common,daemon,client,tests}
for lint in layers banned size format man sources; do case_ $lint 'nothing to look at'; done

# symbols reads archives
archive() { # archive MEMBER CODE
  rm -f "$top"/*.a
  printf '%s\n' "$2" > "$top/$1.c"
  "${CC:-cc}" -c -o "$top/$1.o" "$top/$1.c" && (cd "$top" && ar cr libcore.a ./*.o)
}
symbols() { # symbols WORDS ("" none)
  ran=$((ran + 1))
  local out
  out=$("$here/symbols.sh" "$top/libcore.a" 2>&1)
  case $? in 0) [ -z "$1" ] && return ;; *) [ -n "$1" ] && grep -qF -- "$1" <<< "$out" && return ;; esac
  echo "selftest: symbols did not say \"$1\": $out"
  failed=1
}
archive retry 'int retry_next; static int anything; int *retry_p(void); int *retry_p(void) { return &anything; }'
symbols ''
archive retry 'int next;'
symbols 'retry.o has next, which does not begin with retry_'
archive retry 'void retry_x(void); void retry_x(void) {} void other(void); void other(void) {}'
symbols 'retry.o has other'
archive retry 'int retry_next;'
archive retry_keys 'int retry_keys_all; int retry_one;'
symbols ''
archive retry_keys 'int keys_all;'
symbols 'does not begin with retry_'
rm -f "$top"/*.o
archive store 'int store_free; int queue_job_free;'
symbols ''

# docs compares two lists
docs() { # docs LIST MANUAL WORDS
  ran=$((ran + 1))
  printf '%b' "$1" > "$top/list"
  printf '%b' "$2" > "$top/man.txt"
  local out
  out=$("$here/docs.sh" --compare "$top/list" "$top/man.txt" 2>&1)
  case $? in 0) [ -z "$3" ] && return ;; *) [ -n "$3" ] && grep -qF -- "$3" <<< "$out" && return ;; esac
  echo "selftest: docs did not say \"$3\": $out"
  failed=1
}
docs 'key a\nkey b\n' 'key a\nkey b\n' ''
docs 'key a\nkey b\n' 'key a\n' 'key b is not in the manual'
docs 'key a\n' 'key a\nkey c\n' 'the manual names key c'
docs '' '' 'nothing to look at'

echo "selftest: $ran cases"
exit $failed
