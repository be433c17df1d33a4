# SPDX-License-Identifier: Apache-2.0
"""Secrets and tokens that tests use, and every output that is looked through for them.

The stand-in of the provider writes what it issues to $ND_ISSUED, the lab's to $LAB_STATE/oidc/issued; tests name their own by known().
seen() is given what notifyd says: replies and events of its sockets, its log, the files of its state but those for tokens, and what
programs print. Whatever holds a secret, the beginning of a token, or either in base64 fails the test that it is seen in."""
import base64
import os
import re
import subprocess
import tempfile

SHORTEST = 8          # of a secret that is searched for as it stands
PREFIX = 28           # of a token: who prints a part of it is found too
WORD = re.compile(r'[A-Za-z0-9._~!*$-]{%d,}' % PREFIX)
BEARER = re.compile(r'dXNlcj[A-Za-z0-9+/]{40,}')    # "user=…", as XOAUTH2 sends it: nothing else begins so
JWT = re.compile(r'eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}')    # one that no provider wrote down: an assertion
KEY = re.compile(r'-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----(?:\s|\\[nr])*[A-Za-z0-9+/]{40}')
secrets, tokens = {}, set()


class Leak(AssertionError):
    """A secret or a token stands where it must not."""


def spellings(secret):
    """As it is, and inside of base64 at each of the three places where it can begin."""
    yield secret
    octets = secret.encode()
    for before in range(3):
        inner = base64.b64encode(b'\0' * before + octets)[(before * 8 + 5) // 6:(before + len(octets)) * 8 // 6]
        if len(inner) >= 12:
            yield inner.decode()


def known(*more):
    for secret in more:
        if len(secret) >= SHORTEST:
            secrets[secret] = tuple(spellings(secret))


class Issued:
    """Tokens that a provider wrote down."""

    def __init__(self, path):
        self.path, self.at = path, 0

    def read(self):
        try:
            with open(self.path, encoding='utf-8') as file:
                file.seek(self.at)
                for line in iter(file.readline, ''):
                    if not line.endswith('\n'):
                        break    # the rest comes soon
                    kind, _, text = line.rstrip('\n').partition(' ')
                    if kind == 'secret':
                        known(text)
                    else:
                        parts = text.split('.')[1:] if text.startswith('eyJ') else [text]    # the head of a JWT is no secret
                        tokens.update(part[:PREFIX] for part in parts)
                    self.at = file.tell()
        except (FileNotFoundError, PermissionError):
            pass    # a test's program that runs as another user: what it prints is looked through by the test


if 'ND_ISSUED' not in os.environ:
    folder = tempfile.TemporaryDirectory(prefix='notifyd-issued.')
    os.environ['ND_ISSUED'] = os.path.join(folder.name, 'issued')
sources = [Issued(os.environ['ND_ISSUED'])]
if os.environ.get('LAB_STATE'):
    sources.append(Issued(os.path.join(os.environ['LAB_STATE'], 'oidc/issued')))


def hit(text):
    """What of a secret or a token stands in the text; None: nothing."""
    for source in sources:
        source.read()
    for forms in secrets.values():
        for form in forms:
            if form in text:
                return form
    for word in WORD.findall(text):
        for part in {word, *word.split('.')}:
            if part[:PREFIX] in tokens:
                return part
    found = BEARER.search(text) or JWT.search(text) or KEY.search(text)
    return found.group(0) if found else None


def seen(where, text):
    if isinstance(text, (bytes, bytearray, memoryview)):
        text = bytes(text).decode('latin-1')
    found = hit(text) if text else None
    if found:
        at = text.find(found)
        raise Leak('%s shows a secret or token (%d characters, "%s…"): …%s[it]%s…' % (
            where, len(found), found[:3], text[max(0, at - 80):at], text[at + len(found):at + len(found) + 80]))


def seen_state(folder):
    """The files of a state directory; those for tokens are the ones that may hold them."""
    for path, _, names in os.walk(folder):
        for name in names:
            whole = os.path.join(path, name)
            if '/tokens' in whole[len(folder):] or not os.path.isfile(whole):
                continue
            with open(whole, 'rb') as file:
                seen(whole, file.read(1 << 24))


class Tee:
    """The replies of a socket as they come, for http.client."""

    def __init__(self, file, where):
        self.file, self.where, self.tail = file, where, b''

    def look(self, octets):
        text = self.tail + bytes(octets)
        self.tail = text[-200:]    # what is cut in two by the reading
        seen(self.where, text)
        return octets

    def read(self, *size):
        return self.look(self.file.read(*size))

    def read1(self, *size):
        return self.look(self.file.read1(*size))

    def readline(self, *size):
        return self.look(self.file.readline(*size))

    def readinto(self, buffer):
        count = self.file.readinto(buffer)
        self.look(memoryview(buffer)[:count or 0])
        return count

    def __getattr__(self, name):
        return getattr(self.file, name)


class Watched(subprocess.Popen):
    """What programs print is looked through, where it is read by communicate() or subprocess.run()."""

    def communicate(self, *args, **more):
        out, err = super().communicate(*args, **more)
        if OURS.search(str(self.args[0] if isinstance(self.args, (list, tuple)) else self.args)):
            for name, text in (('stdout', out), ('stderr', err)):
                seen('%s of %s' % (name, self.args), text)
        return out, err


OURS = re.compile(r'notifyctl|notifyd$')


def watch_programs():
    subprocess.Popen = Watched
