# SPDX-License-Identifier: Apache-2.0
"""Credentials that end: one warning by mail for each stage, in status, metrics and journal, also across restarts."""
import datetime
import os
import re
import tempfile

from notifyd import ProgramTest, until
from test_faults import HEAD, JOB, MICROSOFT, provider

ADMIN = 'admin_to = admin@contoso.example\n'


def day(days):
    return (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days)).strftime('%Y-%m-%d')


class Expiry(ProgramTest):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.fake = provider.StandIn(folder.name, ttl=3600)
        self.addCleanup(self.fake.close)

    def config(self, ends, admin=ADMIN):
        return HEAD.replace('[daemon]\n', '[daemon]\n' + admin) + MICROSOFT % dict(self.fake.facts, name='m', query='') + \
            ('client_secret_expires = %s\n' % ends if ends else '')

    def jobs(self, d):
        return d.get('/v1/jobs?source=notifyd', True).json['jobs']

    def warnings(self, d):
        return [warning for warning in d.status()['warnings'] if warning['code'] == 'credential-expires']

    def after_a_round(self, d):
        """Something that comes after whatever the start or the reload began."""
        self.assertEqual(d.final(d.submit(**JOB))['state'], 'delivered')

    def test_each_warning_is_mailed_once(self):
        d = self.daemon(self.config(day(10)))
        until(lambda: self.jobs(d), 'a warning')
        job = d.final(self.jobs(d)[0]['id'])
        self.assertEqual((job['state'], job['severity'], job['key'], [r['address'] for r in job['recipients']]),
                         ('delivered', 'warning', 'credential:m', ['admin@contoso.example']), job)
        self.assertIn('ends in 10 days, on ' + day(10), job['subject'])
        self.assertIn('the client secret of account m', d.tail())
        for _ in range(2):    # neither a restart nor a reload says it again
            d.stop()
            d.start()
            self.assertEqual(d.post('/v1/reload', None, True).status, 200)
            self.after_a_round(d)
            self.assertEqual(len(self.jobs(d)), 1)
        # the next stage
        d.configure(self.config(day(2)))
        self.assertEqual(d.post('/v1/reload', None, True).status, 200)
        until(lambda: len(self.jobs(d)) == 2, 'the next warning')
        self.assertEqual(self.jobs(d)[0]['severity'], 'critical')
        # a new secret with a new date
        d.configure(self.config(day(300)))
        self.assertEqual(d.post('/v1/reload', None, True).status, 200)
        until(lambda: not self.warnings(d), 'all is well')
        self.after_a_round(d)
        self.assertEqual(len(self.jobs(d)), 2)

    def test_status_and_metrics_tell_it(self):
        d = self.daemon(self.config(day(-1), admin=''))
        warning = until(lambda: self.warnings(d), 'a warning')[0]
        self.assertIn('ended on ' + day(-1), warning['detail'])
        self.assertIn('notifyctl secret rotate', warning['hint'])
        self.after_a_round(d)
        self.assertEqual(self.jobs(d), [])    # there is nobody to be told by mail
        metrics = d.get('/metrics', True).body.decode()
        line = next(line for line in metrics.splitlines() if line.startswith('notifyd_credential_expires_seconds{'))
        self.assertIn('{account="m",kind="client_secret"}', line)
        self.assertTrue(-2 * 86400 < int(line.split()[-1]) < 0, line)
        self.assertNotIn('notifyd_credential', d.get('/metrics').body.decode())
        self.assertEqual(d.account('m')['secret_expires'], day(-1))

    def test_an_unknown_end_is_told_after_five_months_in_use(self):
        d = self.daemon(self.config(None))
        self.after_a_round(d)
        path = os.path.join(d.state, 'credentials')
        with open(path, encoding='ascii') as file:
            kept = until(lambda: file.seek(0) or file.read(), 'it is kept')
        self.assertEqual(self.warnings(d), [])
        d.stop()
        since = re.search(r'"since":(\d+)', kept).group(1)
        with open(path, 'w', encoding='ascii') as file:
            file.write(kept.replace(since, str(int(since) - 151 * 86400000)))
        d.start()
        warning = until(lambda: self.warnings(d), 'a warning')[0]
        self.assertIn('in use since', warning['detail'])
        until(lambda: len(self.jobs(d)) == 1, 'a mail')
