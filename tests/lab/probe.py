#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Speak SMTP submission by hand and print every byte of the dialogue (stdlib only).

probe.py HOST:PORT --ca CA [--starttls|--tls|--plain] [--mech XOAUTH2|OAUTHBEARER|PLAIN|LOGIN] [--user U]
         [--token T | --password P] [--two-step] [--reply '*'|''|AQ==] [--from A --rcpt B --data FILE]
"""
import argparse, base64, socket, ssl, sys

ap = argparse.ArgumentParser()
ap.add_argument('server'); ap.add_argument('--ca')
ap.add_argument('--starttls', action='store_true', default=True)
ap.add_argument('--tls', action='store_true'); ap.add_argument('--plain', action='store_true')
ap.add_argument('--name', default=None, help='name to verify (default: the host)')
ap.add_argument('--mech'); ap.add_argument('--user', default=''); ap.add_argument('--token', default='')
ap.add_argument('--password', default=''); ap.add_argument('--two-step', action='store_true')
ap.add_argument('--reply', default='AQ==', help='answer to a failure challenge; "" is an empty line')
ap.add_argument('--mail-from', '--from', dest='mfrom'); ap.add_argument('--rcpt', action='append', default=[])
ap.add_argument('--data'); ap.add_argument('--ehlo', default='client.lab.test'); ap.add_argument('--timeout', type=float, default=20)
ap.add_argument('--raw', action='append', default=[], help='extra command lines before QUIT')
a = ap.parse_args()
host, port = a.server.rsplit(':', 1)

def show(who, b):
    for line in b.splitlines(keepends=True):
        note = ''
        body = line.rstrip(b'\r\n')
        if who == 'S' and body.startswith(b'334 ') and len(body) > 4:
            try: note = '   # ' + repr(base64.b64decode(body[4:], validate=True))
            except Exception: pass
        print(f'{who}: {line!r}{note}', flush=True)

class Link:
    def __init__(self, s): self.s, self.buf = s, b''
    def line(self):
        while b'\n' not in self.buf:
            d = self.s.recv(65536)
            if not d:
                print('S: <EOF>'); return b''
            self.buf += d
        l, _, self.buf = self.buf.partition(b'\n')
        return l + b'\n'
    def reply(self):
        out = b''
        while True:
            l = self.line(); out += l
            if not l or l[3:4] != b'-': break
        show('S', out)
        return int(out[:3]) if out[:3].isdigit() else 0
    def cmd(self, b, hide=False):
        show('C', b + b'\r\n'); self.s.sendall(b + b'\r\n'); return self.reply()

def wrap(s):
    ctx = ssl.create_default_context(cafile=a.ca)
    t = ctx.wrap_socket(s, server_hostname=a.name or host)
    print(f'-- TLS {t.version()} {t.cipher()[0]}')
    return t

s = socket.create_connection((host, int(port)), timeout=a.timeout)
k = Link(wrap(s) if a.tls else s)
k.reply(); k.cmd(b'EHLO ' + a.ehlo.encode())
if not a.tls and not a.plain:
    if k.cmd(b'STARTTLS') != 220: sys.exit(2)
    k = Link(wrap(s)); k.cmd(b'EHLO ' + a.ehlo.encode())
rc = 0
if a.mech:
    m, u = a.mech.upper(), a.user.encode()
    if m == 'LOGIN':
        c = k.cmd(b'AUTH LOGIN')
        if c == 334: c = k.cmd(base64.b64encode(u))
        if c == 334: c = k.cmd(base64.b64encode(a.password.encode()))
    else:
        ir = {'XOAUTH2': b'user=' + u + b'\x01auth=Bearer ' + a.token.encode() + b'\x01\x01',
              'OAUTHBEARER': b'n,a=' + u + b',\x01host=' + host.encode() + b'\x01port=' + port.encode() + b'\x01auth=Bearer ' + a.token.encode() + b'\x01\x01',
              'PLAIN': b'\0' + u + b'\0' + a.password.encode()}[m]
        b64 = base64.b64encode(ir)
        if a.two_step:
            c = k.cmd(b'AUTH ' + m.encode())
            if c == 334: c = k.cmd(b64)
        else:
            c = k.cmd(b'AUTH ' + m.encode() + b' ' + b64)
    if c == 334: c = k.cmd(a.reply.encode())
    rc = 0 if c == 235 else 3
if rc == 0 and a.mfrom is not None:
    c = k.cmd(b'MAIL FROM:<' + a.mfrom.encode() + b'>')
    ok = [r for r in a.rcpt if k.cmd(b'RCPT TO:<' + r.encode() + b'>') < 300]
    if ok and k.cmd(b'DATA') == 354:
        body = open(a.data, 'rb').read()
        if not body.endswith(b'\r\n'): body += b'\r\n'
        stuffed = b''.join((b'.' + l if l.startswith(b'.') else l) for l in body.splitlines(keepends=True))
        k.s.sendall(stuffed); print(f'C: <{len(stuffed)} bytes of data>')
        rc = 0 if k.cmd(b'.') == 250 else 4
    else: rc = 4
for r in a.raw: k.cmd(r.encode().decode('unicode_escape').encode('latin-1'))
k.cmd(b'QUIT'); sys.exit(rc)
