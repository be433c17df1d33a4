#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Proves the lab itself: run after "lab up". Prints one line per check; exit 1 when any fails.
HERE=$(cd "$(dirname "$0")" && pwd); cd "$HERE" || exit 1
STATE=${LAB_STATE:-/var/tmp/notifyd-lab}; . "$STATE/env"; T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; bad=0
probe() { python3 "$HERE/probe.py" --ca "$LAB_CA" "$@" > "$T/out" 2>&1; }
t() { local name=$1 want=$2; shift 2; if "$@" && grep -q -F -- "$want" "$T/out"; then echo "ok   $name"; else echo "FAIL $name (wanted: $want)"; tail -3 "$T/out"; bad=1; fi; }
f() { local name=$1 want=$2; shift 2; if ! "$@" && grep -q -F -- "$want" "$T/out"; then echo "ok   $name"; else echo "FAIL $name (wanted: $want)"; tail -3 "$T/out"; bad=1; fi; }
printf 'From: alerts@lab.test\r\nTo: bob@lab.test\r\nSubject: selftest\r\nDate: Sat, 21 Nov 2026 22:00:00 +0000\r\nMessage-ID: <s@lab.test>\r\n\r\n.dot\r\n..dots\r\n\xe6\x97\xa5\xe6\x9c\xac \r\nend\r\n' > "$T/m.eml"
./lab set ttl=3600 format=opaque rotate=yes > /dev/null; TOK=$(./lab token); ./lab mail clear bob@lab.test
A=(--user alerts@lab.test "--token=$TOK")
t 'XOAUTH2, real token, message accepted' '250 2.0.0 Ok: queued' probe "$LAB_SMTP" --mech XOAUTH2 "${A[@]}" --mail-from alerts@lab.test --rcpt bob@lab.test --data "$T/m.eml"
./lab mail wait bob@lab.test 1 5; ./lab mail raw bob@lab.test > "$T/got"; t 'the mailbox holds it byte for byte' IDENTICAL bash -c "python3 exact.py $T/m.eml $T/got > $T/out"
t 'OAUTHBEARER, real token' '235 2.7.0' probe "$LAB_SMTP" --mech OAUTHBEARER "${A[@]}"
t 'two-step XOAUTH2 on the Exchange-like listener' '235 2.7.0' probe "$LAB_EXO" --mech XOAUTH2 "${A[@]}" --two-step
t 'implicit TLS' '235 2.7.0' probe "$LAB_SMTPS" --tls --mech XOAUTH2 "${A[@]}"
f 'wrong token, XOAUTH2: 334 challenge' 'S: b'"'"'334 eyJzdGF0dXMiOiI0MDEi' probe "$LAB_SMTP" --mech XOAUTH2 --user alerts@lab.test --token nope
f 'wrong token, XOAUTH2: 535' '535 5.7.8 Error: authentication failed' probe "$LAB_SMTP" --mech XOAUTH2 --user alerts@lab.test --token nope
f 'wrong token, OAUTHBEARER: invalid_token' '"status":"invalid_token"' probe "$LAB_SMTP" --mech OAUTHBEARER --user alerts@lab.test --token nope
f 'a token of another mailbox' '535 5.7.8' probe "$LAB_SMTP" --mech XOAUTH2 --user alice@lab.test "--token=$TOK"
f 'MAIL FROM not owned' '553 5.7.1' probe "$LAB_SMTP" --mech XOAUTH2 "${A[@]}" --mail-from other@lab.test --rcpt bob@lab.test --data "$T/m.eml"
f 'no STARTTLS' '530 5.7.0 Must issue a STARTTLS command first' probe "$LAB_SMTP" --plain --mech XOAUTH2 "${A[@]}"
f 'throttled recipient' '432 4.3.2' probe "$LAB_SMTP" --mech XOAUTH2 "${A[@]}" --mail-from alerts@lab.test --rcpt throttle@lab.test --data "$T/m.eml"
./lab set ttl=1 > /dev/null; OLD=$(./lab token); ./lab set ttl=3600 > /dev/null
expired() { local _; for _ in $(seq 50); do probe "$LAB_SMTP" --mech XOAUTH2 --user alerts@lab.test "--token=$OLD" || return 1; done; }   # until it is refused
f 'expired token' '535 5.7.8' expired
cc() { curl -sS --cacert "$LAB_CA" "$@" -d grant_type=client_credentials "$LAB_TOKEN_URL" > "$T/out" 2>&1; }
t 'provider: secret in the header' '"access_token"' cc -u "$LAB_CLIENT_BASIC:$LAB_SECRET_BASIC"
t 'provider: secret in the form' '"access_token"' cc -d "client_id=$LAB_CLIENT_POST" -d "client_secret=$LAB_SECRET_POST"
t 'provider: wrong secret' '"invalid_client"' cc -u "$LAB_CLIENT_BASIC:wrong"
./lab fault 503 1 7 > /dev/null
t 'provider: a fault on demand' 'lab fault' cc -u "$LAB_CLIENT_BASIC:$LAB_SECRET_BASIC"
t 'provider: and only once' '"access_token"' cc -u "$LAB_CLIENT_BASIC:$LAB_SECRET_BASIC"
exit $bad
