#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# docs.sh - the manual names every setting, route, problem, field, state and command, and none that is not there.
#   What is there comes from the tables themselves (tests/lint/dump, notifyctl --help); what the manual names stands in its
#   lists: ".It Ic NAME" and the like, below the section that is about them.
# docs.sh --compare LIST MANUAL  compares two lists, for the self-test.
. "$(dirname "$0")/lib.sh"

compare() { # compare LIST MANUAL: lines "kind name"
  local line
  [ -s "$1" ] && [ -s "$2" ] || { bad "nothing to look at: $(wc -l < "$1") names, $(wc -l < "$2") in the manual"; return; }
  while read -r line; do bad "$line is not in the manual"; done < <(LC_ALL=C comm -23 "$1" "$2")
  while read -r line; do bad "the manual names $line, which is not there"; done < <(LC_ALL=C comm -13 "$1" "$2")
}

if [ "${1-}" = --compare ]; then
  compare "$2" "$3"
  lint_end
fi

export LC_ALL=C
top=${top_srcdir:-.} build=${top_builddir:-.}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# section PAGE TITLE: its lines; of a .Sh also those of its .Ss
section() {
  awk -v want="$2" '
    /^\.Sh / { sh = ss = substr($0, 5); gsub(/"/, "", sh) }
    /^\.Ss / { ss = substr($0, 5) } { gsub(/"/, "", ss) }
    sh == want || ss == want' "$top/man/$1"
}
"$build/tests/lint/dump" > "$work/dump" || bad "tests/lint/dump does not run"

# The settings: notifyd.conf(5) has a section for each of the file's; the names of later versions stand in a text of their own.
grep -E '^key ' "$work/dump" | sort > "$work/list"
for section in daemon queue access account; do section notifyd.conf.5 "${section^^}" | sed -n "s/^\.It Ic /key $section./p"; done | sort > "$work/manual"
compare "$work/list" "$work/manual"
grep -E '^later (daemon|queue|access|account)\.' "$work/dump" | sort > "$work/list"
section notifyd.conf.5 'NOT IN THIS VERSION' |
  awk '/^\.Ql \[/ { in_section = $2; gsub(/[][]/, "", in_section) } /^[a-z][a-z0-9_]*[,.]?$/ && in_section { sub(/[,.]$/, ""); print "later " in_section "." $0 }' |
  sort > "$work/manual"
compare "$work/list" "$work/manual"

# The sample file has no setting that is not there.
awk '/^#?\[[a-z]+/ { in_section = $1; gsub(/[][#]/, "", in_section) } /^#?[a-z][a-z0-9_]* = / { sub(/^#/, ""); print "key " in_section "." $1 }' \
  "$top/etc/notifyd.conf" | sort -u > "$work/manual"
grep -E '^key ' "$work/dump" | sort > "$work/list"
[ -s "$work/manual" ] || bad 'etc/notifyd.conf: nothing to look at'
while read -r line; do bad "etc/notifyd.conf has $line, which is not there"; done < <(LC_ALL=C comm -13 "$work/list" "$work/manual")

# The options of the daemon.
"$build/notifyd" --help | sed -n 's/^  --\([a-z-]*\).*/option \1/p' | sort > "$work/list"
section notifyd.8 DESCRIPTION | sed -n 's/^\.It Fl -\([a-z-]*\).*/option \1/p' | sort > "$work/manual"
compare "$work/list" "$work/manual"

# The API.
while read -r kind title; do
  grep "^$kind " "$work/dump" | sort > "$work/list"
  section notifyd-api.7 "$title" | sed -n "s/^\.It Ic /$kind /p" | sort > "$work/manual"
  compare "$work/list" "$work/manual"
done << 'TITLES'
route ROUTES
field JOB FIELDS
state JOB STATES
rcpt-state RECIPIENT STATES
severity SEVERITIES
problem PROBLEMS
metric METRICS
TITLES

# The client: its commands, and the options of each.
"$build/notifyctl" --help | sed -n '/^commands:/,/^$/s/^  \([a-z-][a-z-]*\) .*/command \1/p' | sort > "$work/list"
section notifyctl.1 COMMANDS | sed -n 's/^\.It Ic \([a-z-]*\).*/command \1/p' | sort > "$work/manual"
compare "$work/list" "$work/manual"
options() { sed -n 's/^[[:space:]]*\(-[a-z], \)\{0,1\}--\([a-z-]*\).*/option \2/p' | sort; }
said() { sed -n 's/^\.It Fl \([a-z] , Fl \)\{0,1\}-\([a-z-]*\).*/option \2/p' | sort; }
"$build/notifyctl" --help | options > "$work/common"
section notifyctl.1 DESCRIPTION | said > "$work/manual"
compare "$work/common" "$work/manual"
for command in $(sed -n 's/^command //p' "$work/list"); do
  "$build/notifyctl" "$command" --help | options | comm -23 - "$work/common" > "$work/options"
  section notifyctl.1 "OPTIONS OF ${command^^}" | said > "$work/manual"
  [ -s "$work/options" ] || [ -s "$work/manual" ] || continue
  compare "$work/options" "$work/manual"
done
lint_end
