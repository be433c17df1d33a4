#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# test-units.sh BUILD [SUITE] - installs a build into a throw-away Debian with a real systemd, and looks at it as an operator would:
#   units, sockets, users, who a client is, the sandbox, restarts. Needs root, systemd-container and mmdebstrap.
set -u
build=$(cd "${1:?usage: test-units.sh BUILD [SUITE]}" && pwd) || exit 1
here=$(cd "$(dirname "$0")" && pwd)
[ "$(id -u)" = 0 ] || { echo "test-units: needs root"; exit 77; }
for tool in systemd-nspawn mmdebstrap; do command -v $tool > /dev/null || { echo "test-units: $tool is missing"; exit 77; }; done
export SDBOX_NAME=notifyd-$$
work=$(mktemp -d)
box() { "$here/systemd-box" exec "$@"; }
end() { forget_key > /dev/null 2>&1; "$here/systemd-box" down; rm -rf "$work"; }
trap end EXIT
failed=0 passed=0

ok() { passed=$((passed + 1)); echo "ok   $1"; }
no() { failed=$((failed + 1)); echo "FAIL $1"; shift; [ $# = 0 ] || printf '     %s\n' "$@" | head -20; }
is() { # is NAME WANT GOT
  if [ "$2" = "$3" ]; then ok "$1"; else no "$1" "wanted: $2" "got:    $3"; fi
}
succeeds() { # succeeds NAME COMMAND...
  local name=$1 out
  shift
  if out=$("$@" 2>&1); then ok "$name"; else no "$name" "$out"; fi
}
fails() { local name=$1 out; shift; if out=$("$@" 2>&1); then no "$name" "$out"; else ok "$name"; fi; }
holds() { # holds NAME WORDS TEXT
  case $3 in *"$2"*) ok "$1" ;; *) no "$1" "wanted: $2" "in:     $3" ;; esac
}
# Keys belong to the kernel: what a box leaves behind, the next one and the host itself would find.
key=notifyd-test-$$
as_notifyd() { box setpriv --reuid notifyd --regid notifyd --clear-groups "$@"; }
add_key() { as_notifyd sh -c "printf 'kernel-key~$1' | keyctl padd user $key @u"; }
forget_key() { as_notifyd sh -c "keyctl unlink \$(keyctl search @u user $key) @u"; }
property() { box systemctl show -P "$2" "$1"; }
# becomes NAME UNIT PROPERTY WANT: within 20 s
becomes() {
  local got='' end=$((SECONDS + 20))
  until got=$(property "$2" "$3"); [ "$got" = "$4" ] || [ $SECONDS -ge $end ]; do box sleep 0.2; done
  is "$1" "$4" "$got"
}
api() { # api SOCKET TARGET [CURL-OPTION...]
  local socket=$1 target=$2
  shift 2
  box curl -sS --max-time 20 --unix-socket "$socket" "$@" "http://localhost$target"
}

make -s -C "$build" install DESTDIR="$work/root" > "$work/install.log" 2>&1 || { cat "$work/install.log"; exit 1; }
"$here/systemd-box" up --suite "${2:-bookworm}" --include \
  libevent-core-2.1-7,libevent-openssl-2.1-7,libcurl4,libyajl2,libidn2-0,libssl3,libsqlite3-0,libmicrohttpd12,ca-certificates,curl,keyutils -- --system-call-filter=@keyring || exit 1
"$here/systemd-box" copy "$work/root/." /
cat > "$work/notifyd.conf" <<'C'
[daemon]
hostname = box.example
[account relay]
provider = smtp
host = localhost:9
security = none
auth = none
from = alerts@example.com
C
"$here/systemd-box" copy "$work/notifyd.conf" /etc/notifyd/notifyd.conf

# what the package's scripts would do
box systemd-sysusers && box systemd-tmpfiles --create && box systemctl daemon-reload
is 'the user is there' notifyd "$(box id -un notifyd)"
is 'the group of operators is there' notifyd-admin "$(box getent group notifyd-admin | cut -d: -f1)"
is 'the credentials are for root alone' '700 root' "$(box stat -c '%a %U' /etc/notifyd/credentials)"
is 'systemd has nothing to say about the units' '' \
  "$(box systemd-analyze verify --man=no notifyd.service notifyd.socket notifyd-admin.socket 2>&1)"
succeeds 'the sandbox keeps its score (2.0 of 10 and better)' box systemd-analyze security --threshold=20 --no-pager notifyd.service

# sockets first, the daemon by its first client
box systemctl start notifyd.socket notifyd-admin.socket
is 'the submitters'\'' socket' '666 root root' "$(box stat -c '%a %U %G' /run/notifyd.sock)"
is 'the one for containers' '666 root root' "$(box stat -c '%a %U %G' /run/notifyd-submit/notifyd.sock)"
is 'the operators'\'' socket' '660 root notifyd-admin' "$(box stat -c '%a %U %G' /run/notifyd-admin.sock)"
is 'the daemon waits for a client' inactive "$(property notifyd.service ActiveState)"
box useradd -m -u 1000 alice > /dev/null 2>&1
job='{"to":"ops@example.com","subject":"from the box","text":"x"}'
id=$(box setpriv --reuid 1000 --regid 1000 --clear-groups curl -sS --max-time 30 --unix-socket /run/notifyd.sock -d "$job" http://localhost/v1/jobs |
  sed -n 's/.*"id":"\([^"]*\)".*/\1/p')
holds 'a first job is accepted' 0 "$id"
is 'the daemon runs' active "$(property notifyd.service ActiveState)"
pid=$(property notifyd.service MainPID)
is 'as its own user' notifyd "$(box ps -o user= -p "$pid" | tr -d ' ')"
is 'without any capability' 0000000000000000 "$(box sed -n 's/^CapEff:[[:space:]]*//p' "/proc/$pid/status")"
is 'under seccomp' 2 "$(box sed -n 's/^Seccomp:[[:space:]]*//p' "/proc/$pid/status")"
is 'its state is closed to others' '700 notifyd' "$(box stat -c '%a %U' /var/lib/notifyd)"

# who a client is
shown=$(api /run/notifyd-admin.sock "/v1/jobs/$id")
holds 'the client'\''s uid is known' '"uid":1000' "$shown"
unit_id=$(box systemd-run -q --pipe --wait --unit=probe-one -p DynamicUser=yes curl -sS --max-time 20 --unix-socket /run/notifyd.sock -d "$job" \
  http://localhost/v1/jobs | sed -n 's/.*"id":"\([^"]*\)".*/\1/p')
holds 'the client'\''s unit is known' '"unit":"probe-one.service"' "$(api /run/notifyd-admin.sock "/v1/jobs/$unit_id")"
fails 'a user is kept from the operators'\'' socket' box setpriv --reuid 1000 --regid 1000 --clear-groups curl -sS --max-time 5 \
  --unix-socket /run/notifyd-admin.sock http://localhost/v1/health
box usermod -aG notifyd-admin alice
succeeds 'a member of notifyd-admin is let in' box setpriv --reuid 1000 --regid 1000 --init-groups curl -sSf --max-time 5 \
  --unix-socket /run/notifyd-admin.sock http://localhost/v1/health
holds 'a socket for containers serves too' '"id"' "$(api /run/notifyd-submit/notifyd.sock /v1/jobs -d "$job")"
succeeds 'notifyctl finds the socket by itself' box notifyctl status

# stopping, starting, falling
box systemctl stop notifyd.service 2> /dev/null
is 'it stops cleanly' success "$(property notifyd.service Result)"
is 'its socket stays' active "$(property notifyd.socket ActiveState)"
holds 'the next client starts it, and the job is still there' "$id" "$(api /run/notifyd-admin.sock "/v1/jobs/$id")"
was=$(property notifyd.service MainPID)
box kill -KILL "$was"
becomes 'it comes back after a crash' notifyd.service NRestarts 1
becomes 'and is ready again' notifyd.service ActiveState active
holds 'with its jobs' "$id" "$(api /run/notifyd-admin.sock "/v1/jobs/$id")"
is 'the host is not said to have gone down with it' 0 "$("$here/systemd-box" journal -u notifyd.service -o cat | grep -c 'and the host with it')"
holds 'the journal has its lines' notifyd "$("$here/systemd-box" journal -u notifyd.service -n 20 -o cat)"

# secrets by credentials
printf 'the-secret\n' > "$work/secret"
chmod 600 "$work/secret"
"$here/systemd-box" copy "$work/secret" /etc/notifyd/credentials/relay
sed -e 's/^auth = none/auth = password\npassword = credential:relay\nuser = alerts/' "$work/notifyd.conf" > "$work/second.conf"
"$here/systemd-box" copy "$work/second.conf" /etc/notifyd/notifyd.conf
box systemctl restart notifyd.service
status=$(api /run/notifyd-admin.sock /v1/status)
holds 'a credential is read' '"accounts"' "$status"
case $status in *bad-secret*) no 'and found' "$status" ;; *) ok 'and found' ;; esac

# a secret that the kernel keeps, with the unit's own keyring and system calls
cat > "$work/third.conf" << C
[daemon]
hostname = box.example
[account m365]
provider = microsoft
tenant = 1f3c0000-0000-0000-0000-000000000000
client_id = 9ab20000-0000-0000-0000-000000000000
client_secret = keyring:$key
user = alerts@contoso.example
from = alerts@contoso.example
C
"$here/systemd-box" copy "$work/third.conf" /etc/notifyd/notifyd.conf
box systemctl restart notifyd.service
tried() { box notifyctl account test m365 2>&1; }
holds 'a key that is not there is told' 'neither the session nor the user keyring has a key of type user' "$(tried)"
holds 'the doctor knows it' "client_secret of account m365: reading the secret \"keyring:$key\"" "$(box notifyctl doctor 2>&1)"
holds 'and the line that adds it' "sudo -u notifyd keyctl padd user '$key' @u" "$(box notifyctl doctor 2>&1)"
add_key 1 > /dev/null
holds 'added by that line it is read, without a restart' "read: keyring:$key" "$(tried)"
holds 'the doctor sees it too' "client_secret of account m365: keyring:$key" "$(box notifyctl doctor 2>&1 | grep -v reading)"
box systemctl restart notifyd.service
holds 'it outlives a restart' "read: keyring:$key" "$(tried)"
forget_key
drop_in() { # drop_in LINE: the unit's only one
  printf '[Service]\n%s\n' "$1" > "$work/keyring.conf"
  box mkdir -p /etc/systemd/system/notifyd.service.d
  "$here/systemd-box" copy "$work/keyring.conf" /etc/systemd/system/notifyd.service.d/keyring.conf
  box sh -c 'systemctl daemon-reload && systemctl restart notifyd.service'
}
drop_in "ExecStartPre=/bin/sh -c 'printf kernel-key~2 | keyctl padd user $key @u'"
holds 'the unit itself can add it before each start' "read: keyring:$key" "$(tried)"
drop_in 'SystemCallFilter=~@keyring'
holds 'a filter that forbids it is named' 'let SystemCallFilter= of the unit have @keyring' "$(tried)"
box sh -c 'rm -r /etc/systemd/system/notifyd.service.d && systemctl daemon-reload'
forget_key

# a bad configuration
box systemctl stop notifyd.socket notifyd-admin.socket notifyd.service
is 'the sockets stop' inactive "$(property notifyd.socket ActiveState)"
box sh -c 'rm -rf /var/lib/notifyd/config.good; printf "[daemon]\nnonsense = 1\n" > /etc/notifyd/notifyd.conf'
fails 'a bad configuration is refused' box systemctl start notifyd.service
is 'with its own exit status' 78 "$(property notifyd.service ExecMainStatus)"
is 'and not tried again' 0 "$(property notifyd.service NRestarts)"

echo "$passed passed, $failed failed, 0 skipped"
[ $failed = 0 ]
