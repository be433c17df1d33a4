#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compare the message a test submitted with what lies in the mailbox, byte for byte.

exact.py SENT.eml DELIVERED [--allow Received,Return-Path,...]
SENT uses CRLF (as submitted in DATA, without dot-stuffing); DELIVERED is the Maildir file (LF) or an IMAP fetch (CRLF).
Prints the trace headers the server put on top; exit 0 when everything below them is identical.
"""
import sys
sent = open(sys.argv[1], 'rb').read(); got = open(sys.argv[2], 'rb').read()
if b'\r\n' not in got.split(b'\n\n')[0]: got = got.replace(b'\n', b'\r\n')
i = got.find(sent)
if i < 0 or got[i + len(sent):] not in (b'',):
    n = next((k for k in range(min(len(sent), len(got))) if sent[-1 - k] != got[-1 - k]), None)
    print(f'DIFFERS: sent {len(sent)} bytes, mailbox {len(got)} bytes, first difference counted from the end: {n}')
    if n: print('sent:', sent[-n - 30:][:60], 'got:', got[-n - 30:][:60])
    sys.exit(1)
print('IDENTICAL:', len(sent), 'bytes below', i, 'bytes of trace headers:')
print(got[:i].decode('utf-8', 'replace'))
