# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# lib.sh - what the lints share. Sourced; a lint calls bad for each finding and ends with lint_end.
set -u
lint_name=$(basename "$0" .sh)
lint_bad=0
bad() {
  printf '%s: %s\n' "$lint_name" "$*"
  lint_bad=$((lint_bad + 1))
}
lint_end() { # exit 1 when something was found, or when nothing was looked at
  [ "${lint_seen:-1}" -gt 0 ] || bad "nothing to look at: is the path right?"
  [ "$lint_bad" = 0 ] || exit 1
  exit 0
}
# need TOOL: without it the lint is skipped (77), or fails when LINT_STRICT=1 (scripts/test and scripts/lint).
need() {
  command -v "$1" > /dev/null && return
  echo "$lint_name: $1 is not installed"
  [ "${LINT_STRICT:-0}" = 1 ] && exit 1
  exit 77
}
