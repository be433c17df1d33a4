#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# shell.sh - shellcheck finds nothing (warnings and worse) in any script.
. "$(dirname "$0")/lib.sh"
cd "$(dirname "$0")/../.." || exit 1
need shellcheck
mapfile -t files < <(grep -rlE --exclude-dir=node_modules '^#!.*(bash|/sh)' .ci scripts tests | sort)
lint_seen=${#files[@]}
shellcheck --severity=warning --external-sources --source-path=SCRIPTDIR "${files[@]}" || bad "see above"
lint_end
