# SPDX-License-Identifier: Apache-2.0
"""What notifyctl stores for the next start, notifyd can read: also as a user of its own."""
import os
import shutil
import stat
import subprocess
import unittest

import notifyd
from notifyd import until
from test_faults import HEAD, MICROSOFT
from test_secrets import NEW, OLD, Secrets

NOBODY = 65534


@unittest.skipUnless(os.geteuid() == 0 and shutil.which('setpriv'), 'needs root, to be somebody else')
class Owner(Secrets):
    def as_nobody(self):
        """notifyd, not started by systemd, as a user who can read what everybody can; the place of its secret is new."""
        notifyd.UNDER[:0] = words = ['setpriv', '--reuid', str(NOBODY), '--regid', str(NOBODY), '--clear-groups']
        self.addCleanup(lambda: notifyd.UNDER.__delitem__(slice(len(words))))
        for path in (os.path.dirname(self.kept), self.kept):
            os.chmod(path, 0o755)
        self.place = os.path.join(self.kept, 'secret')
        d = self.daemon(HEAD + (MICROSOFT % dict(self.fake.facts, name='m', query='')).replace(
            'file:' + self.fake.facts['secret'], 'file:' + self.place), start=False)
        os.mkdir(d.state, 0o700)
        for path in (d.folder, d.state):
            os.chown(path, NOBODY, NOBODY)
        return d.start()

    def test_a_new_file_is_the_one_of_who_runs_notifyd(self):
        d = self.as_nobody()
        until(lambda: d.account('m')['state'] == 'held', 'there is no secret')
        done = self.set(d, OLD)
        self.assertEqual(done.returncode, 0, self.said)
        kept = os.stat(self.place)
        self.assertEqual((kept.st_uid, stat.S_IMODE(kept.st_mode)), (NOBODY, 0o600))
        d.stop()
        self.endpoint(NEW)
        d.start()
        until(lambda: d.account('m')['state'] == 'held', 'the endpoint wants another one')
        self.assertIn('7000215', d.account('m')['reason'])    # it was read
        self.assertEqual(self.set(d, NEW).returncode, 0, self.said)
        self.assertEqual((os.stat(self.place).st_uid, self.kept_text('secret')), (NOBODY, NEW))
        self.final(d)

    def test_who_may_not_give_it_away_is_told(self):
        d = self.as_nobody()
        done = subprocess.run(['setpriv', '--bounding-set', '-chown', '--inh-caps', '-chown', notifyd.NOTIFYCTL, '--socket', d.socket,
                               'secret', 'set', 'm'], input=OLD.encode() + b'\n', capture_output=True, check=False)
        words = done.stderr.decode()
        self.assertNotEqual(done.returncode, 0, words)
        for part in ('cannot give away ' + self.place, 'run this as root or as that user', 'until it is started again'):
            self.assertIn(part, words)
        self.assertEqual(os.listdir(self.kept), [])
        self.final(d)    # it is in use all the same


if __name__ == '__main__':
    unittest.main()
