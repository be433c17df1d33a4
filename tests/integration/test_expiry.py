# SPDX-License-Identifier: Apache-2.0
"""Credentials that end: one warning by mail for each stage, in status, metrics and journal, also across restarts."""
import datetime
import json
import os
import re
import sqlite3
import subprocess
import sys
import tempfile
import unittest

from notifyd import ProgramTest, later, until
from test_faults import HEAD, JOB, MICROSOFT, provider

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'fake'))
import relay

ADMIN = 'admin_to = admin@contoso.example\n'

ENDING = '''
[daemon]
hostname = host.example
admin_to = admin@example.com
accounts = good, bad
[access]
to_allow = *
[account good]
host = 127.0.0.1:%d
from = a@example.com
security = none
[account bad]
host = 127.0.0.1:%d
from = a@example.com
security = none
auth = password
user = me
'''


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
        until(lambda: os.path.exists(path), 'it is kept')
        with open(path, encoding='ascii') as file:
            kept = file.read()
        self.assertEqual(self.warnings(d), [])
        d.stop()
        since = re.search(r'"since":(\d+)', kept).group(1)
        with open(path, 'w', encoding='ascii') as file:
            file.write(kept.replace(since, str(int(since) - 151 * 86400000)))
        d.start()
        warning = until(lambda: self.warnings(d), 'a warning')[0]
        self.assertIn('in use since', warning['detail'])
        until(lambda: len(self.jobs(d)) == 1, 'a mail')

    def certificate(self, days):
        """The application's, which the stand-in knows, made anew in its place."""
        folder = os.path.dirname(self.fake.facts['secret'])
        os.makedirs(os.path.join(folder, 'clients'), exist_ok=True)
        subprocess.run(('openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-subj', '/CN=app',
                        '-days', str(days), '-keyout', 'app.key', '-out', 'clients/app.crt'), cwd=folder, capture_output=True, check=True)
        os.chmod(os.path.join(folder, 'app.key'), 0o600)
        return 'certificate = %s/clients/app.crt\nkey = file:%s/app.key\n' % (folder, folder)

    def test_a_certificate_that_ends_in_five_days_is_told_of_by_itself(self):
        lines = self.certificate(5)
        secret = 'client_secret = file:%s\n' % self.fake.facts['secret']
        text = self.config(None)
        self.assertIn(secret, text)
        d = self.daemon(text.replace(secret, lines))
        warning = until(lambda: self.warnings(d), 'a warning')[0]
        self.assertRegex(warning['detail'], 'the certificate of account m ends in [45] days, on %s' % day(5))
        self.assertIn('notifyctl cert renew', warning['hint'])
        self.assertEqual(d.account('m')['secret_expires'], day(5))
        line = next(line for line in d.get('/metrics', True).body.decode().splitlines() if 'kind="certificate"' in line)
        self.assertTrue(line.startswith('notifyd_credential_expires_seconds{account="m",'), line)
        self.assertTrue(4.9 * 86400 < int(line.split()[-1]) <= 5 * 86400, line)
        until(lambda: self.jobs(d), 'a mail')
        job = d.final(self.jobs(d)[0]['id'])    # by the account itself: it still signs in
        self.assertEqual((job['state'], job['severity'], [r['address'] for r in job['recipients']]),
                         ('delivered', 'warning', ['admin@contoso.example']), job)
        self.assertEqual(d.tail(100000).count('the certificate of account m ends in'), 1)
        for _ in range(3):    # the token is still good: nobody but the start itself reads the certificate
            d.stop()
            d.start()
            until(lambda: d.account('m').get('secret_expires') == day(5), 'its end is known')
            self.assertRegex(self.warnings(d)[0]['detail'], 'the certificate of account m ends in')
            self.after_a_round(d)
            self.assertIn('notifyd_credential_expires_seconds{account="m",kind="certificate"}', d.get('/metrics', True).body.decode())
            self.assertEqual(len(self.jobs(d)), 1, 'said once')
            self.assertEqual(d.tail(100000).count('the certificate of account m ends in'), 1, 'also in the journal')
        self.certificate(90)
        self.assertEqual(d.post('/v1/reload', None, True).status, 200)
        until(lambda: not self.warnings(d), 'the new one is good for long')


class Ending(ProgramTest):
    """Jobs that will expire within a day while their account is in trouble."""

    def setUp(self):
        self.bad = self.lenient({'AUTH': '535 5.7.8 no'})
        self.good = self.lenient({})
        self.d = self.daemon(ENDING % (self.good.port, self.bad.port), start=False)
        with open(os.path.join(self.d.folder, 'password'), 'w', encoding='ascii') as file:
            file.write('sesame')
        os.chmod(os.path.join(self.d.folder, 'password'), 0o600)
        self.d.configure(ENDING % (self.good.port, self.bad.port) + 'password = file:%s/password\n' % self.d.folder)
        self.d.start()

    def lenient(self, faults):
        fake = relay.Lenient(('AUTH PLAIN',), faults)
        self.addCleanup(fake.close)
        return fake

    def warnings(self):
        return [warning for warning in self.d.status()['warnings'] if warning['code'] == 'jobs-expire']

    def mails(self):
        return [content for _, content in self.good.mails if b'jobs-expire' in content or b'end within' in content or b'ends within' in content]

    def test_they_are_told_once_in_status_journal_and_by_mail(self):
        for expires in ('20h', '10h', '3d'):
            self.d.submit(to=['ops@example.com'], subject='x', account='bad', expires_in=expires)
        self.d.submit(to=['ops@example.com'], subject='x', account='bad')    # its time stands still
        warning = until(self.warnings, 'a warning')[0]
        self.assertRegex(warning['detail'], r'^2 jobs of account bad end within 24 hours, the first at .*Z, and the account is held: ')
        self.assertIn('notifyctl list --account', warning['hint'])
        until(lambda: len(self.good.mails) == 1, 'the mail')
        rcpts, content = self.good.mails[0]
        self.assertEqual(rcpts, ['admin@example.com'])
        self.assertIn(b'2 jobs of account bad end within 24 hours', b' '.join(content.split()))
        self.assertEqual(self.d.tail(100000).count('2 jobs of account bad end within'), 1)
        for _ in range(2):    # a restart does not say it again
            self.d.stop()
            self.d.start()
            until(self.warnings, 'the warning stays')
        self.assertEqual(len(self.good.mails), 1)
        self.assertEqual(self.d.post('/v1/jobs/cancel?account=bad', None, True).json['changed'], 4)
        self.bad.faults.clear()
        self.assertEqual(self.d.post('/v1/accounts/bad/resume', None, True).status, 200)
        self.assertEqual(self.d.final(self.d.submit(to=['ops@example.com'], subject='x', account='bad'))['state'], 'delivered')
        self.assertEqual(self.warnings(), [])

    def test_a_mail_that_found_the_queue_full_is_sent_when_there_is_room(self):
        with open(self.d.config, encoding='utf-8') as file:
            config = file.read()
        self.d.stop()
        self.d.configure(config + '[queue]\nmax_jobs = 1\n')
        self.d.start()
        self.d.submit(to=['ops@example.com'], subject='x', account='bad', expires_in='20h')
        until(lambda: "a mail of notifyd's own is not taken" in self.d.tail(), 'it is refused')
        self.d.stop()
        self.d.configure(config)
        self.d.start()
        until(lambda: len(self.good.mails) == 1, 'the mail')
        self.assertIn(b'1 job of account bad ends within 24 hours', b' '.join(self.good.mails[0][1].split()))


AGES = '''
[daemon]
hostname = host.example
admin_to = admin@example.com
[access]
to_allow = *
'''
ACCOUNT = '''
[account %s]
host = 127.0.0.1:%d
from = a@example.com
security = none
'''
JUST = {'to': ['ops@example.com'], 'subject': 'x'}
DIGITS = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'


def older(job, days):
    """The id that the job would have had so many days ago."""
    time = sum(DIGITS.index(c) << 5 * (9 - n) for n, c in enumerate(job[:10])) - int(days * 86400000)
    return ''.join(DIGITS[time >> 5 * (9 - n) & 31] for n in range(10)) + job[10:]


class Ages(ProgramTest):
    """The default age counts only time in which an account of the job could be used."""

    def setUp(self):
        self.put_off = False
        self.relay = relay.Lenient(faults={'RCPT': lambda rest: '451 4.2.1 later' if self.put_off and 'ops@' in rest else None})
        self.addCleanup(self.relay.close)
        self.account = ACCOUNT % ('a', self.relay.port)

    def days_pass(self, d, days, **down):
        """While notifyd ran, and its accounts but for those in `down` worked: what is in the queue has been there for so long."""
        d.stop()
        with sqlite3.connect(os.path.join(d.state, 'queue.db')) as base:
            for seq, job in base.execute('SELECT seq,id FROM job').fetchall():
                base.execute('UPDATE job SET id=?,created=created-?,expires=iif(expires<0,expires+?,expires) WHERE seq=?',
                             (older(job, days), int(days * 86400000), int(days * 86400000), seq))
        base.close()
        path = os.path.join(d.state, 'downtime')
        with open(path, encoding='ascii') as file:
            kept = json.load(file)
        kept['accounts'] = {name: [[kept['alive'] - int(down[name] * 86400000), kept['alive']]] if name in down else [] for name in kept['accounts']}
        with open(path, 'w', encoding='ascii') as file:
            json.dump(kept, file)

    def swept(self, d):
        """A reload looks for jobs whose time is over; what was asked for after it is answered after it."""
        self.assertEqual(d.post('/v1/reload', None, True).status, 200)
        late = d.submit(**dict(JUST, not_before=later(), expires_in='1s'))
        self.assertEqual(d.post('/v1/jobs/%s/cancel' % late, None, True).status, 200)

    def days_until(self, stamp):
        return (datetime.datetime.fromisoformat(stamp.replace('Z', '+00:00')) - datetime.datetime.now(datetime.timezone.utc)).total_seconds() / 86400

    def test_the_first_account_sends_what_waited_for_it(self):
        for restart in False, True:
            d = self.daemon(AGES)
            jobs = [d.submit(**JUST) for _ in range(3)]
            self.days_pass(d, 6)
            if not restart:
                d.start()
            d.configure(AGES + self.account)
            if restart:
                d.start()
            self.assertEqual(d.post('/v1/reload', None, True).status, 200)
            self.assertEqual([d.final(older(job, 6))['state'] for job in jobs], 3 * ['delivered'], restart)

    def test_jobs_of_an_account_that_goes_have_their_time_by_the_next_one(self):
        both = AGES + ACCOUNT % ('down', 1) + self.account
        d = self.daemon(both)
        job = d.submit(account='down', **JUST)
        until(lambda: d.account('down')['state'] == 'failing', 'it fails')
        self.days_pass(d, 6, down=6)
        d.start()
        self.assertEqual(d.job(older(job, 6))['state'], 'queued')
        d.configure(AGES + self.account)    # which worked for all of the six days
        self.assertEqual(d.post('/v1/reload', None, True).status, 200)
        self.assertEqual(d.final(older(job, 6))['state'], 'delivered')

    def test_a_job_for_next_week_is_there_next_week(self):
        d = self.daemon(AGES + self.account)
        when = later(8)
        job = d.submit(**dict(JUST, not_before=when))
        dry = d.post('/v1/jobs?dry_run=1', dict(JUST, not_before=when))
        self.assertEqual(dry.status, 200, dry)
        for expires in dry.json['expires'], d.job(job)['expires']:
            self.assertAlmostEqual(self.days_until(expires), 13, delta=0.1)
        self.assertAlmostEqual(self.days_until(d.post('/v1/jobs?dry_run=1', JUST).json['expires']), 5, delta=0.1)
        self.days_pass(d, 6)
        d.start()
        self.swept(d)
        shown = d.job(older(job, 6))
        self.assertEqual((shown['state'], shown['not_before']), ('queued', when.replace('Z', '.000Z')))
        self.assert_problem(d.post('/v1/jobs', dict(JUST, not_before=later(15))), 400, 'invalid-value', 'max_age')
        self.assert_problem(d.post('/v1/jobs?dry_run=1', dict(JUST, not_before=later(15))), 400, 'invalid-value', 'max_age')

    def test_a_retry_gives_time_and_takes_none(self):
        self.put_off = True
        d = self.daemon(AGES + self.account)
        job, own = d.submit(**JUST), d.submit(**dict(JUST, expires_in='7d'))
        until(lambda: d.job(job)['attempt_count'] and d.job(own)['attempt_count'], 'they were tried')
        self.days_pass(d, 6)
        job, own = older(job, 6), older(own, 6)
        d.start()
        self.assertEqual(d.final(job)['state'], 'expired')
        for one in job, own:
            self.assertEqual(d.post('/v1/jobs/%s/retry' % one, None, True).status, 200)
            until(lambda one=one: d.job(one)['attempt_count'] == 1, 'it is tried again')
        self.swept(d)
        for one, days in (job, 5), (own, 7):
            self.assertEqual(d.job(one)['state'], 'queued')
            self.assertAlmostEqual(self.days_until(d.job(one)['expires']), days, delta=0.1)
        self.days_pass(d, 8.5)
        d.start()
        job = older(job, 8.5)
        self.assertEqual(d.final(job)['state'], 'expired')    # nothing outlives max_age
        self.assert_problem(d.post('/v1/jobs/%s/retry' % job, None, True), 409, 'wrong-state', 'max_age')

    def test_jobs_that_are_put_off_for_days_are_told_in_time_in_one_mail(self):
        self.put_off = True
        d = self.daemon(AGES + self.account)
        put_off, held, young = d.submit(**JUST), d.submit(**JUST), d.submit(**dict(JUST, expires_in='6d'))
        until(lambda: d.job(put_off)['attempt_count'] and d.job(young)['attempt_count'], 'they were tried')
        self.assertEqual(d.post('/v1/jobs/%s/hold' % held, None, True).status, 200)
        self.assertEqual(d.status()['warnings'], [])
        self.days_pass(d, 4.5)
        d.start()
        (warning,) = until(lambda: d.status()['warnings'], 'a warning', 100)
        self.assertEqual(warning['code'], 'jobs-expire')
        self.assertRegex(warning['detail'], r'^2 jobs end within 24 hours, the first at .*Z: 1 is held, 1 was put off again and again$')
        first = re.search(r' at (\S+Z):', warning['detail']).group(1)
        self.assertAlmostEqual(self.days_until(first), 0.5, delta=0.1)
        until(lambda: self.relay.mails, 'the mail')
        d.stop()
        d.start()
        until(lambda: d.status()['warnings'], 'the warning stays', 100)
        ((rcpts, content),) = self.relay.mails    # and is not mailed again
        self.assertEqual(rcpts, ['admin@example.com'])
        self.assertIn(b'2 jobs end within 24 hours', b' '.join(content.split()))


if __name__ == '__main__':
    unittest.main()
