# SPDX-License-Identifier: Apache-2.0
"""Accounts of one mailbox have its sessions together: a provider counts them by mailbox, not by the names we give."""
import unittest

from test_paced import JOB, Limits

CONFIG = '''
[daemon]
hostname = host.example
[access]
to_allow = *
''' + ''.join('''
[account %s]
provider = smtp
host = 127.0.0.1:%%(port)d
security = none
auth = none
from = "%s" <alerts@example.com>
max_connections = 2
''' % (name, name) for name in 'abc')


class Mailbox(Limits):
    def test_there_are_never_more_sessions_than_the_mailbox_may_have(self):
        fake = self.lenient('8BITMIME', 'PIPELINING')
        d = self.daemon(CONFIG % {'port': fake.port})
        jobs = [d.submit(**dict(JOB, account='abc'[n % 3])) for n in range(30)]
        for n, job in enumerate(jobs):
            shown = d.final(job)
            self.assertEqual((shown['state'], shown['account']), ('delivered', 'abc'[n % 3]), shown)
        self.assertEqual(len(fake.mails), 30)
        now = most = 0
        for stage, _ in list(fake.heard):
            now += {'GREETING': 1, 'QUIT': -1}.get(stage, 0)
            most = max(most, now)
        self.assertLessEqual(most, 2)
        self.assertGreaterEqual(sum(stage == 'GREETING' for stage, _ in fake.heard), 3)  # each had one of its own


if __name__ == '__main__':
    unittest.main()
