#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# certs.sh DIR - a CA and server certificates for tests, made anew: DIR/NAME.pem holds certificate and key.
#   ca (the CA's certificate alone)  good  other  address  common  expired (issued by it)  selfsigned
#   inspected (with an issuer in between, of a CA that nobody trusts)
# DIR/NAME.pin is the base64 SHA-256 of its public key.
set -eu
cd "$1"

key() { openssl ecparam -name prime256v1 -genkey -noout -out "$1.key" 2> /dev/null; }

# issue NAME SUBJECT SAN DAYS
issue() {
  key "$1"
  openssl req -new -key "$1.key" -subj "$2" -out "$1.csr" 2> /dev/null
  if [ -n "$3" ]; then echo "subjectAltName=$3" > "$1.ext"; else : > "$1.ext"; fi
  openssl x509 -req -in "$1.csr" -CA ca.pem -CAkey ca.key -set_serial "0x$(openssl rand -hex 8)" -days "$4" \
    -extfile "$1.ext" -out "$1.crt" 2> /dev/null
  cat "$1.crt" "$1.key" > "$1.pem"
}

key ca
openssl req -x509 -new -key ca.key -days 2 -subj "/O=Test Trust/CN=Test CA" -out ca.pem 2> /dev/null
issue good "/CN=unused" "DNS:relay.example,DNS:*.wild.example" 2
issue other "/CN=relay.example" "DNS:other.example" 2
issue address "/CN=unused" "IP:127.0.0.1,IP:::1" 2
issue common "/CN=relay.example" "" 2
issue expired "/CN=unused" "DNS:relay.example" -1
key selfsigned
openssl req -x509 -new -key selfsigned.key -days 2 -subj "/CN=relay.example" -addext "subjectAltName=DNS:relay.example" \
  -out selfsigned.crt 2> /dev/null
cat selfsigned.crt selfsigned.key > selfsigned.pem
# A box on the way that makes its own certificates.
key corp
openssl req -x509 -new -key corp.key -days 2 -subj "/O=Corp/CN=Corp Proxy CA" -out corp.pem 2> /dev/null
key issuing
openssl req -new -key issuing.key -subj "/CN=Corp Proxy Issuing" -out issuing.csr 2> /dev/null
echo "basicConstraints=critical,CA:TRUE" > issuing.ext
openssl x509 -req -in issuing.csr -CA corp.pem -CAkey corp.key -set_serial 2 -days 2 -extfile issuing.ext \
  -out issuing.crt 2> /dev/null
key inspected
openssl req -new -key inspected.key -subj "/CN=unused" -out inspected.csr 2> /dev/null
echo "subjectAltName=DNS:relay.example,IP:2001:db8::25" > inspected.ext
openssl x509 -req -in inspected.csr -CA issuing.crt -CAkey issuing.key -set_serial 3 -days 2 -extfile inspected.ext \
  -out inspected.crt 2> /dev/null
cat inspected.crt issuing.crt inspected.key > inspected.pem

for name in ca good other expired selfsigned inspected; do
  openssl pkey -in "$name.key" -pubout -outform DER | openssl dgst -sha256 -binary | openssl base64 > "$name.pin"
done
