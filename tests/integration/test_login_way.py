# SPDX-License-Identifier: Apache-2.0
"""notifyctl account login where a configured redirect URI leads: to its port and path, to one that is taken, to port 80; the browser that is
opened; and codes to scan."""
import contextlib
import ctypes
import ctypes.util
import errno
import fcntl
import os
import pty
import re
import select
import socket
import struct
import subprocess
import tempfile
import termios
import unittest
import urllib.parse

import leaks
import test_signin
from login import NOBODY, Browser, LoginProgram
from notifyd import NOTIFYCTL, until

DEVICE_PAGE = 'https://microsoft.example/devicelogin'


class LoginTest(LoginProgram, test_signin.SignInTest):
    pass


def free_port():
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


class Configured(LoginTest):
    def signed_in_at(self, uri):
        """It listens at this address and at no other, and the browser that comes back there ends the sign-in."""
        self.open(more='redirect_uri = ' + uri)
        program = self.start('login', 'm365')
        url = self.address(program)
        self.assertIn('redirect_uri=' + urllib.parse.quote(uri, safe=''), url, 'it is sent byte for byte')
        self.assertTrue(self.line(program, 'Waiting at').startswith('Waiting at %s, ' % uri))
        back = self.consent(url)
        self.assertTrue(back.startswith(uri + '?'), back)
        place = urllib.parse.urlsplit(back)
        for other in ('/', place.path + 'x', place.path.lower() + '/x'):
            self.assertEqual(Browser.get('http://%s%s' % (place.netloc, other))[0], 404, other)
        status, page = Browser.get(back)
        self.assertEqual(status, 200, page)
        self.assertIn('signed in as ' + self.facts['user'], self.finish(program))
        until(lambda: self.d.account('m365')['state'] == 'ok', 'the account is ok')

    def test_its_port_and_path_are_listened_at_as_they_are_written(self):
        self.signed_in_at('http://localhost:%d/RestAPI/WC/OAuthSetting' % free_port())

    def test_an_address_instead_of_a_name_and_a_slash_at_the_end(self):
        self.signed_in_at('http://127.0.0.1:%d/MxMail/' % free_port())

    def test_a_port_that_is_taken_is_said_and_the_address_is_pasted(self):
        with socket.create_server(('127.0.0.1', 0)) as other:
            uri = 'http://localhost:%d/MxMail/' % other.getsockname()[1]
            self.open(more='redirect_uri = ' + uri)
            program = self.start('login', 'm365', stdin=subprocess.PIPE)
            back = self.consent(self.address(program))
            out, _ = self.paste(program, back)
            self.assertIn(str(other.getsockname()[1]), out)
            self.assertIn(os.strerror(errno.EADDRINUSE), out)
            self.assertIn("so the browser's last address is needed", out)
            self.assertIn('"connection refused"', out, 'or what else the browser says')
            self.assertNotIn('Waiting at', out)
            self.assertIn('signed in as', out)
            other.settimeout(0)
            with self.assertRaises(BlockingIOError):
                other.accept()    # nobody was sent there

    def test_a_port_that_is_for_root_is_not_needed_either(self):
        with open('/proc/sys/net/ipv4/ip_unprivileged_port_start', encoding='ascii') as file:
            first = int(file.read())
        if first <= 80:
            self.skipTest('here anybody may listen at port 80 (net.ipv4.ip_unprivileged_port_start = %d)' % first)
        self.open(more='redirect_uri = http://localhost/MxMail/')
        program = self.start_as_a_user('login', 'm365', stdin=subprocess.PIPE)
        url = self.address(program)
        self.assertIn('redirect_uri=' + urllib.parse.quote('http://localhost/MxMail/', safe=''), url)
        obstacle = self.line(program, 'port 80 of this machine cannot be listened at')
        self.assertIn(os.strerror(errno.EACCES), obstacle)
        self.assertIn("so the browser's last address is needed", obstacle)
        what_to_do = self.line(program, 'After the sign-in')    # at once: nothing was pasted yet
        for words in ('the browser goes to http://localhost/MxMail/. ', '"connection refused" or "cannot be reached": that is expected.',
                      'Copy the whole address of that page', 'paste it here'):
            self.assertIn(words, what_to_do)
        out, _ = self.paste(program, self.consent(url))
        self.assertNotIn('Waiting at', out)
        self.assertIn('signed in as ' + self.facts['user'], out)
        until(lambda: self.d.account('m365')['state'] == 'ok', 'the account is ok')

    @unittest.skipUnless(os.getuid() == 0, 'port 80 is for root')
    def test_root_listens_at_port_80(self):
        for address in (('127.0.0.1', 80), ('::1', 80)):
            with contextlib.ExitStack() as stack:
                try:
                    stack.enter_context(socket.create_server(address, family=socket.AF_INET6 if ':' in address[0] else socket.AF_INET))
                except OSError as why:
                    if why.errno == errno.EADDRINUSE:
                        self.skipTest('something listens at port 80 of this host')
        self.signed_in_at('http://localhost/MxMail/')


class Opened(LoginTest):
    """A browser is opened where somebody is at the screen, and never as root."""

    def opened(self, start, **screen):
        """What an xdg-open was given, and the address that was printed. What it says goes to a pipe that is at its end when it and notifyctl are."""
        told, tell = os.pipe()
        os.fchown(tell, *[NOBODY if os.getuid() == 0 else -1] * 2)
        folder = os.path.join(self.d.folder, 'bin')
        os.mkdir(folder)
        with open(os.path.join(folder, 'xdg-open'), 'w', encoding='utf-8') as file:
            file.write('#!/bin/sh\nprintf "%s\\n" "$#" "$@" > "/proc/self/fd/$TELL"\n')
        os.chmod(file.name, 0o755)
        environ = {name: value for name, value in os.environ.items() if name not in ('DISPLAY', 'WAYLAND_DISPLAY')}
        program = start('login', 'm365', pass_fds=[tell], env=dict(environ, PATH=folder + ':' + environ['PATH'], TELL=str(tell), **screen))
        os.close(tell)
        url = self.address(program)
        Browser.get(self.consent(url))
        self.finish(program)
        with open(told, encoding='utf-8') as file:
            return file.read().splitlines(), url

    def test_the_browser_of_who_is_at_the_screen_gets_exactly_the_address(self):
        for screen in ({'DISPLAY': ':0'}, {'WAYLAND_DISPLAY': 'wayland-0'}):
            with self.subTest(screen):
                self.open()
                opened, url = self.opened(self.start_as_a_user, **screen)
                self.assertTrue(url.startswith('https://'), url)
                self.assertEqual(opened, ['1', url])

    def test_without_a_screen_none_is_opened(self):
        self.open()
        self.assertEqual(self.opened(self.start_as_a_user)[0], [])

    @unittest.skipUnless(os.getuid() == 0, 'needs root')
    def test_root_opens_none(self):
        self.open()
        self.assertEqual(self.opened(self.start, DISPLAY=':0', WAYLAND_DISPLAY='wayland-0')[0], [])


def modules_of(library, text):
    """The code as libqrencode makes it: rows of true for dark, with two light modules around."""
    class Code(ctypes.Structure):
        _fields_ = [('version', ctypes.c_int), ('width', ctypes.c_int), ('data', ctypes.POINTER(ctypes.c_ubyte))]
    library.QRcode_encodeString.restype = ctypes.POINTER(Code)
    code = library.QRcode_encodeString(text.encode(), 0, 0, 2, 1).contents
    width = code.width
    empty = [False] * (width + 4)
    rows = [[False, False] + [bool(code.data[y * width + x] & 1) for x in range(width)] + [False, False] for y in range(width)]
    return [empty, empty] + rows + [empty, empty]


class Codes(LoginTest):
    def shown(self, columns=120, page=DEVICE_PAGE, **environ):
        """What a terminal of this width shows till the program waits, without colours."""
        self.open('device_code')
        self.behave(device='pending', device_page=page)
        master, slave = pty.openpty()
        self.addCleanup(os.close, master)
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack('HHHH', 60, columns, 0, 0))
        program = subprocess.Popen([NOTIFYCTL, '--socket', self.d.socket, 'account', 'login', 'm365'], stdin=subprocess.DEVNULL,
                                   stdout=slave, stderr=slave, env=dict(os.environ, NO_COLOR='1', TERM='xterm', **environ))
        self.addCleanup(self.drop, program)
        os.close(slave)
        said = b''
        while b'Waiting' not in said:
            self.assertTrue(select.select([master], [], [], 60)[0], said)
            said += os.read(master, 65536)
        self.behave(device='done')
        with contextlib.suppress(OSError):    # the other end is closed
            while select.select([master], [], [], 60)[0]:
                said += os.read(master, 65536)
        self.assertEqual(program.wait(60), 0, said)
        said = said.decode().replace('\r\n', '\n')
        leaks.seen('account login', said)
        for words in (page, 'ABCD-1234', 'signed in'):
            self.assertIn(words, said)
        return said

    def drawn(self, said):
        """The modules back from half blocks; without colours the light ones are drawn."""
        halves = {' ': (True, True), '▄': (True, False), '▀': (False, True), '█': (False, False)}
        rows = []
        for line in re.findall('^  ([ ▄▀█]{20,})$', said, re.M):
            pairs = [halves[mark] for mark in line]
            rows += [[pair[0] for pair in pairs], [pair[1] for pair in pairs]]
        return rows

    def test_a_code_to_scan_leads_to_the_page(self):
        name = ctypes.util.find_library('qrencode')
        if not name:
            self.skipTest('libqrencode is not installed')
        wanted = modules_of(ctypes.CDLL(name), DEVICE_PAGE)
        rows = self.drawn(self.shown())
        self.assertEqual(rows[:len(wanted)], wanted)
        self.assertLessEqual(len(rows), len(wanted) + 1)

    def test_a_terminal_that_is_too_narrow_gets_none(self):
        page = DEVICE_PAGE + '/' + 'x' * 200    # 49 modules and more
        self.assertEqual(self.drawn(self.shown(columns=50, page=page)), [])

    def test_without_the_library_address_and_code_do(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        with open(os.path.join(folder.name, 'libqrencode.so.4'), 'w', encoding='ascii'):
            pass    # found first, and no library
        said = self.shown(LD_LIBRARY_PATH=folder.name)
        self.assertEqual(self.drawn(said), [])
        self.assertNotRegex(said, '[▄▀█]')


del LoginTest

if __name__ == '__main__':
    unittest.main()
