# SPDX-License-Identifier: Apache-2.0
"""A state directory that came from another machine: its jobs are not sent before an operator says so."""
import os
import pty
import subprocess
import unittest

import notifyd
from notifyd import ProgramTest, later, until
from test_limits import CONFIG, JOB
from test_signin import SignInTest

OTHER = '0123456789abcdef' * 2


def has_id():
    try:
        with open('/etc/machine-id', encoding='ascii') as file:
            return len(file.read().strip()) == 32
    except OSError:
        return False


def move(daemon):
    """As if the state had been made elsewhere."""
    daemon.stop()
    with open(os.path.join(daemon.state, 'machine-id'), 'w', encoding='ascii') as file:
        file.write(OTHER)
    daemon.start()


@unittest.skipUnless(has_id(), 'this machine has no id')
class Machine(ProgramTest):
    def setUp(self):
        self.d = self.daemon(CONFIG % ('', ''))

    def notifyctl(self, *words):
        return subprocess.run([notifyd.NOTIFYCTL, '--socket', self.d.socket, *words], stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=60)

    def move(self):
        move(self.d)

    def warnings(self):
        return [warning['code'] for warning in self.d.status()['warnings']]

    def test_on_its_own_machine_nothing_is_held(self):
        self.d.stop()
        self.d.start()
        self.assertEqual(self.warnings(), [])
        self.assert_problem(self.d.post('/v1/state/adopt', b'', True), 409, 'wrong-state')

    def test_the_jobs_of_another_machine_wait_for_an_operator(self):
        first = self.d.submit(**JOB)
        until(lambda: self.d.account('relay')['state'] == 'failing', 'the relay is tried')
        self.move()
        second = self.d.submit(**JOB)
        self.assertEqual(self.warnings(), ['another-machine'])
        for job in (first, second):
            shown = self.d.job(job)
            self.assertEqual(shown['state'], 'queued')
            self.assertIn('another-machine', shown['reason'])
        account = self.d.account('relay')
        self.assertEqual((account['state'], account['sessions']), ('ok', 0))    # it was not tried
        self.assert_problem(self.d.post('/v1/state/adopt', b''), 403, 'operator-only')
        self.move()    # a restart changes nothing
        self.assertEqual(self.warnings(), ['another-machine'])
        done = self.notifyctl('state', 'adopt')
        self.assertEqual((done.returncode, done.stderr), (0, ''), done)
        until(lambda: self.d.account('relay')['state'] == 'failing', 'the relay is tried')
        self.assertEqual(self.warnings(), [])
        self.d.stop()
        self.d.start()
        self.assertEqual(self.warnings(), [])

    def test_to_start_afresh_cancels_what_came_and_sends_what_was_accepted_since(self):
        put_off = {'not_before': later()}
        held = self.d.submit(**JOB)
        self.assertEqual(self.d.post('/v1/queue/pause', b'', True).status, 200)
        self.assertIn(self.d.post('/v1/jobs/%s/hold' % held, b'', True).status, (200, 202))
        until(lambda: self.d.job(held)['state'] == 'held', 'it is held')
        old = [held] + [self.d.submit(**dict(JOB, **put_off)) for _ in range(3)]
        old += [self.d.submit(**dict(JOB, text='0123456789' * 20000)), self.d.submit(**dict(JOB, sensitive=True))]
        ended = self.d.submit(**JOB)
        self.assertEqual(self.d.post('/v1/jobs/%s/cancel' % ended, b'', True).status, 200)
        self.assertEqual(self.d.post('/v1/queue/resume', b'', True).status, 200)
        with open(os.path.join(self.d.state, 'tokens', 'x'), 'w', encoding='ascii') as file:
            file.write('a grant')
        self.move()
        first = self.d.submit(**dict(JOB, **put_off))
        self.d.kill()    # what came is still known for what it is
        self.d.start()
        young = [first, self.d.submit(**JOB)]
        hint = self.d.status()['warnings'][0]['hint']
        self.assertTrue('state adopt' in hint and 'state new' in hint, hint)
        self.assert_problem(self.d.post('/v1/state/new', b''), 403, 'operator-only')
        self.assert_problem(self.d.post('/v1/state/new?dryrun=1', b'', True), 400, 'unknown-field', 'dry_run')
        self.assertEqual(self.d.post('/v1/state/new?dry_run=1', b'', True).json, {'jobs': len(old)})
        self.assertEqual(self.warnings(), ['another-machine'])
        done = self.notifyctl('state', 'new')
        self.assertEqual(done.returncode, 64, done)
        self.assertIn('--yes', done.stderr)
        done = self.notifyctl('state', 'new', '--yes')
        self.assertEqual((done.returncode, done.stderr), (0, ''), done)
        self.assertIn(' %d jobs ' % len(old), done.stdout)
        for job in old:
            shown = self.d.job(job)
            self.assertEqual((shown['state'], shown['recipients'][0]['state']), ('cancelled', 'cancelled'))
            self.assertIn('state-new: it came with the state of another machine', shown['reason'])
        self.assertNotIn('reason', self.d.job(ended))
        until(lambda: self.d.account('relay')['state'] == 'failing', 'the relay is tried')
        self.assertEqual([self.d.job(job)['state'] for job in young], ['queued'] * 2)
        self.assertEqual(self.d.status()['queue']['queued'], 2)
        until(lambda: not os.listdir(os.path.join(self.d.state, 'spool')) + os.listdir(os.path.join(self.d.state, 'keys')),
              'their messages are gone')
        with open(os.path.join(self.d.state, 'tokens.%s.0' % OTHER, 'x'), encoding='ascii') as file:
            self.assertEqual(file.read(), 'a grant')
        self.assertEqual(os.listdir(os.path.join(self.d.state, 'tokens')), [])
        self.assertEqual(self.warnings(), [])
        self.assert_problem(self.d.post('/v1/state/new', b'', True), 409, 'wrong-state')
        self.d.stop()
        self.assertFalse(os.path.exists(os.path.join(self.d.state, 'machine-border')))
        self.d.start()
        self.assertEqual(self.warnings(), [])
        self.assertEqual(self.d.status()['queue']['queued'], 2)

    def test_what_a_second_machine_accepted_is_of_another_one_on_the_third(self):
        first = self.d.submit(**JOB)
        self.move()
        second = self.d.submit(**JOB)
        self.d.stop()
        with open(os.path.join(self.d.state, 'machine-border'), encoding='ascii') as file:
            line = file.read()
        with open(os.path.join(self.d.state, 'machine-border'), 'w', encoding='ascii') as file:
            file.write('f' * 32 + line[32:])
        self.d.start()
        self.assertEqual(self.d.post('/v1/state/new', b'', True).json['cancelled'], 2)
        self.assertEqual([self.d.job(job)['state'] for job in (first, second)], ['cancelled'] * 2)

    def test_more_than_a_page_of_jobs_is_cancelled(self):
        for _ in range(3):
            self.assertEqual(self.d.post('/v1/jobs', [dict(JOB, not_before=later())] * 400, True).status, 202)
        self.move()
        self.d.submit(**JOB)
        self.assertEqual(self.d.post('/v1/state/new', b'', True).json['cancelled'], 1200)
        self.assertEqual(self.d.status()['totals']['cancelled'], 1200)

    def at_a_terminal(self, answer):
        """notifyctl state new, and what is typed when it asks; exit status and what the terminal showed."""
        parent, child = pty.openpty()
        process = subprocess.Popen([notifyd.NOTIFYCTL, '--socket', self.d.socket, 'state', 'new'], stdin=child, stdout=child, stderr=child)
        os.close(child)
        shown = b''
        try:
            while b'[y/N]' not in shown:
                shown += os.read(parent, 1000)
            os.write(parent, answer + b'\n')
            while True:
                shown += os.read(parent, 1000)
        except OSError:    # the other end is closed
            pass
        os.close(parent)
        return process.wait(), shown.decode()

    def test_at_a_terminal_it_asks_and_says_how_many(self):
        for _ in range(2):
            self.d.submit(**JOB)
        self.move()
        status, shown = self.at_a_terminal(b'n')
        self.assertEqual((status, 'cancel 2 unfinished jobs' in shown), (64, True), shown)
        self.assertEqual(self.warnings(), ['another-machine'])
        status, shown = self.at_a_terminal(b'y')
        self.assertEqual((status, ' 2 jobs ' in shown), (0, True), shown)
        self.assertEqual(self.warnings(), [])

    def test_other_words_are_refused(self):
        self.assertEqual(self.notifyctl('state', 'old').returncode, 64)
        self.assertEqual(self.notifyctl('state', 'adopt', '--yes').returncode, 64)


@unittest.skipUnless(has_id(), 'this machine has no id')
class SignedIn(SignInTest):
    def move_signed_in(self, **more):
        """A state with a grant that belongs to another machine; its refresh token."""
        self.open(**more)
        self.sign_in()
        token = until(lambda: self.kept().get('refresh_token'), 'the sign-in is kept')
        move(self.d)
        return token

    def test_afresh_the_grant_stays_the_other_machines(self):
        token = self.move_signed_in()
        self.assertEqual(self.d.post('/v1/accounts/m365/refresh', None, True).status, 200)
        self.assertEqual(self.d.post('/v1/state/new', b'', True).status, 200)
        self.is_held('sign-in-needed', 'nobody has signed in yet')
        self.assertEqual(self.d.post('/v1/accounts/m365/refresh', None, True).status, 200)
        self.is_held('sign-in-needed')
        self.d.stop()
        self.d.start()
        self.is_held('sign-in-needed', 'notifyctl account login m365')
        self.sign_in()
        self.refreshed()
        self.refreshed()
        used = [request['used'] for request in self.requests()]
        self.assertEqual((len(used), token in used), (2, False), used)
        with open(os.path.join(self.d.state, 'tokens.%s.0' % OTHER, 'm365'), encoding='utf-8') as file:
            self.assertIn(token, file.read())

    def test_undecided_nothing_is_done_with_the_grant(self):
        secret = 'a-secret-of-this-test'
        token = self.move_signed_in(more='client_secret = env:NOTIFYD_S\n', env={'NOTIFYD_S': secret})
        self.assert_problem(self.begin(), 409, 'wrong-state', "another machine's")
        self.assert_problem(self.d.post('/v1/accounts/m365/logout', None, True), 409, 'wrong-state', "another machine's")
        reply = notifyd.request(self.d.admin, 'PUT', '/v1/accounts/m365/secret', {'field': 'client_secret', 'secret': 'new-' + secret})
        self.assert_problem(reply, 409, 'wrong-state', "another machine's")
        self.assertEqual(self.d.post('/v1/accounts/m365/refresh', None, True).status, 200)
        self.assertEqual(self.d.post('/v1/state/adopt', b'', True).status, 200)
        self.refreshed()
        self.assertEqual(self.requests()[0]['used'], token)
