# SPDX-License-Identifier: Apache-2.0
"""The page that a browser shows after the sign-in, in headless Chromium. Left out where there is none (scripts/test --full installs it)."""
import os
import shutil
import struct
import subprocess
import tempfile
import unittest
import zlib

import test_signin
from login import Browser, LoginProgram

CHROMIUM = shutil.which('chromium')


def rows_of(png):
    """The rows of an 8-bit RGB or RGBA picture, each as its pixels."""
    with open(png, 'rb') as file:
        octets = file.read()
    width, height, depth, kind = struct.unpack('>IIBB', octets[16:26])
    assert octets[:8] == b'\x89PNG\r\n\x1a\n' and depth == 8 and kind in (2, 6), octets[:32]
    data, at = b'', 8
    while at < len(octets):
        length, name = struct.unpack('>I4s', octets[at:at + 8])
        data += octets[at + 8:at + 8 + length] if name == b'IDAT' else b''
        at += 12 + length
    data, size = zlib.decompress(data), 4 if kind == 6 else 3
    before, rows = bytearray(width * size), []
    for y in range(height):
        line = data[y * (width * size + 1):(y + 1) * (width * size + 1)]
        row = bytearray(line[1:])
        for i, octet in enumerate(row):
            left = row[i - size] if i >= size else 0
            corner = before[i - size] if i >= size else 0
            guess = left + before[i] - corner
            near = min((abs(guess - left), 0, left), (abs(guess - before[i]), 1, before[i]), (abs(guess - corner), 2, corner))[2]
            row[i] = (octet + (0, left, before[i], (left + before[i]) // 2, near)[line[0]]) & 255
        rows.append([bytes(row[i:i + 3]) for i in range(0, len(row), size)])
        before = row
    return rows


@unittest.skipUnless(CHROMIUM, 'chromium is not installed')
class Page(LoginProgram, test_signin.SignInTest):
    def setUp(self):
        super().setUp()
        self.folder = tempfile.mkdtemp(prefix='notifyd-page.')
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def chromium(self, url, *words):
        done = subprocess.run([CHROMIUM, '--headless=new', '--no-sandbox', '--disable-gpu', '--hide-scrollbars', '--window-size=900,600',
                               '--no-first-run', '--disable-background-networking', '--no-proxy-server', '--user-data-dir=' + self.folder + '/profile',
                               *words, url], capture_output=True, text=True, timeout=120, check=False)
        self.assertEqual(done.returncode, 0, done.stderr[-2000:])
        return done.stdout

    def picture(self, html, name):
        with open(os.path.join(self.folder, name + '.html'), 'w', encoding='utf-8') as file:
            file.write(html)
        png = os.path.join(self.folder, name + '.png')
        self.chromium('file://' + os.path.join(self.folder, name + '.html'), '--screenshot=' + png)
        if os.environ.get('ND_PICTURES'):
            shutil.copy(png, os.environ['ND_PICTURES'])
        return rows_of(png)

    def test_a_browser_that_comes_back_shows_that_one_is_signed_in(self):
        self.open()
        program = self.start('login', 'm365')
        shown = self.chromium(self.consent(self.address(program)), '--dump-dom')
        self.assertIn('Signed in', shown)
        self.assertIn('</main>', shown)
        self.finish(program)

    def test_the_page_can_be_read(self):
        self.open()
        program = self.start('login', 'm365')
        good = Browser.get(self.consent(self.address(program)))[1]
        self.finish(program)
        self.behave(authorize='access_denied')
        program = self.start('login', 'm365')
        bad = Browser.get(self.consent(self.address(program)))[1]
        self.finish(program, 65)
        program = self.start('login', 'm365')
        bad_ja = Browser.get(self.consent(self.address(program)), 'ja')[1]
        self.finish(program, 65)
        for name, html in (('good', good), ('bad', bad), ('bad-ja', bad_ja)):
            self.assertNotIn('<script', html)
            self.assertNotIn('src=', html)
            rows = self.picture(html, name)
            ground = max({row[0] for row in rows}, key=[row[0] for row in rows].count)
            written = [y for y, row in enumerate(rows) if any(pixel != ground for pixel in row)]
            self.assertGreater(len(written), 40, name)    # some lines of text
            self.assertLess(written[-1], 590, name)    # that fit the window
            columns = [x for x in range(len(rows[0])) if any(rows[y][x] != ground for y in written)]
            self.assertGreater(columns[0], 10, name)    # and have margins
            self.assertLess(columns[-1], len(rows[0]) - 10, name)
            darkest = min(sum(pixel) for y in written for pixel in rows[y])
            self.assertGreater(abs(darkest - sum(ground)), 350, name)    # black on white, or nearly


if __name__ == '__main__':
    unittest.main()
