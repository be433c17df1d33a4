# SPDX-License-Identifier: Apache-2.0
"""A state directory that came from another machine: its jobs are not sent before an operator says so."""
import os
import subprocess
import unittest

import notifyd
from notifyd import ProgramTest, until
from test_limits import CONFIG, JOB


def has_id():
    try:
        with open('/etc/machine-id', encoding='ascii') as file:
            return len(file.read().strip()) == 32
    except OSError:
        return False


@unittest.skipUnless(has_id(), 'this machine has no id')
class Machine(ProgramTest):
    def setUp(self):
        self.d = self.daemon(CONFIG % ('', ''))
        self.id = os.path.join(self.d.state, 'machine-id')

    def notifyctl(self, *words):
        return subprocess.run([notifyd.NOTIFYCTL, '--socket', self.d.socket, *words], stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=60)

    def move(self):
        """As if the state had been made elsewhere."""
        self.d.stop()
        with open(self.id, 'w', encoding='ascii') as file:
            file.write('0123456789abcdef' * 2)
        self.d.start()

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

    def test_other_words_are_refused(self):
        self.assertEqual(self.notifyctl('state', 'new').returncode, 64)
