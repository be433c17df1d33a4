# SPDX-License-Identifier: Apache-2.0
"""A password that is a key of the kernel: read for each session, told when it is not there, and changed by nobody but its keeper."""
import ctypes
import os
import platform

import leaks
import notifyd
from notifyd import ProgramTest, until
from test_secrets import RELAY, relay_that_knows

OLD, NEW = 'kernel-Key~1234567890', 'kernel-Key~0987654321'
leaks.known(OLD, NEW)
CALLS = {'x86_64': (248, 250), 'aarch64': (217, 219)}.get(platform.machine())    # add_key, keyctl
SESSION, UNLINK = ctypes.c_long(-3), 9
LIBC = ctypes.CDLL(None, use_errno=True)


class Keyring(ProgramTest):
    def setUp(self):
        if not CALLS:
            self.skipTest('the numbers of the system calls are not known for ' + platform.machine())
        self.name = 'notifyd-test-%d' % os.getpid()
        self.put(OLD)    # the daemon is started with the same session keyring

    def put(self, secret):
        key = LIBC.syscall(CALLS[0], b'user', self.name.encode(), secret.encode(), ctypes.c_long(len(secret)), SESSION)
        if key < 0:
            self.skipTest('keyrings cannot be had here: ' + os.strerror(ctypes.get_errno()))
        self.addCleanup(LIBC.syscall, CALLS[1], UNLINK, key, SESSION)
        return key

    def run_daemon(self, password):
        self.relay = relay_that_knows(password)
        self.addCleanup(self.relay.close)
        return self.daemon('[access]\nto_allow = *\n' + (RELAY % self.relay.port).replace('credential:relay', 'keyring:' + self.name))

    def test_a_mail_goes_with_a_password_from_the_keyring(self):
        d = self.run_daemon(OLD)
        self.assertEqual(d.final(d.submit(to='ops@example.com', text='x'))['state'], 'delivered')

    def test_a_changed_key_is_read_for_the_next_session(self):
        d = self.run_daemon(NEW)
        job = d.submit(to='ops@example.com', text='x')
        until(lambda: d.account('relay')['state'] == 'held', 'the old password to be refused')
        self.put(NEW)
        self.assertEqual(d.post('/v1/accounts/relay/refresh', None, True).status, 200)
        self.assertEqual(d.final(job)['state'], 'delivered')

    def test_a_key_that_is_not_there_is_told_with_the_line_that_adds_it(self):
        LIBC.syscall(CALLS[1], UNLINK, self.put(OLD), SESSION)
        d = self.run_daemon(OLD)
        job = d.submit(to='ops@example.com', text='x')
        account = until(lambda: (lambda one: one if one['state'] == 'held' else None)(d.account('relay')), 'account held')
        self.assertIn('"keyring:%s": neither the session nor the user keyring has a key' % self.name, account['reason'])
        self.assertIn('sudo -u notifyd keyctl padd user NAME @u', account['hint'])
        self.put(OLD)
        self.assertEqual(d.post('/v1/accounts/relay/refresh', None, True).status, 200)
        self.assertEqual(d.final(job)['state'], 'delivered')

    def test_a_key_is_changed_where_it_is_kept(self):
        d = self.run_daemon(OLD)
        reply = notifyd.request(d.admin, 'PUT', '/v1/accounts/relay/secret', {'field': 'password', 'secret': NEW})
        self.assert_problem(reply, 422, 'secret-refused', 'is what a key of the kernel holds', 'keyctl padd')
