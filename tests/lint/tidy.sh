#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# tidy.sh [FILE...] - clang-tidy by .clang-tidy; without a name all the source.
. "$(dirname "$0")/lib.sh"
cd "$(dirname "$0")/../.." || exit 1
need clang-tidy-14
files=("$@")
[ $# -gt 0 ] || mapfile -t files < <(find common daemon client -name '*.c' | sort)
lint_seen=${#files[@]}
tidy() {
  # shellcheck disable=SC2046 # a list of words
  clang-tidy-14 --quiet "$1" -- -std=gnu11 -D_GNU_SOURCE -I. '-DPACKAGE_VERSION="0"' '-DND_SYSCONFDIR="/etc"' \
    '-DND_LOCALSTATEDIR="/var"' '-DND_SBINDIR="/usr/sbin"' '-DND_PKGDATADIR="/usr/share/notifyd"' $(pkg-config --cflags yajl libidn2 libevent libssl libcurl sqlite3 libmicrohttpd libsystemd smartcols) 2> /dev/null
}
export -f tidy
printf '%s\0' "${files[@]}" | xargs -0 -P "$(nproc)" -I FILE bash -c 'tidy FILE || exit 1' || bad "see above"
lint_end
