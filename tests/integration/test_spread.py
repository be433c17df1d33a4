# SPDX-License-Identifier: Apache-2.0
"""Right after an account was set up or changed, what its change explains is a known delay: no alarm, no mail, and the time of the next try."""
import json
import os
import re
import time
import unittest

from notifyd import NOTIFYCTL, until
from test_paced import CONFIG as PACED
from test_paced import JOB, Limits, run

CONFIG = PACED.replace('[daemon]\n', '[daemon]\nadmin_to = admins@contoso.example\n')
DENIED = '550 5.7.60 SMTP; Client does not have permissions to send as this sender'
WORDS = r'send-as-denied: known propagation delay, next try at \d\d:\d\d UTC: 550 5\.7\.60 SMTP; Client does not have permissions'


class Spread(Limits):
    def until_delayed(self, d):
        """Not as long as a try is under way: then that is said in place of the next one's time."""
        self.until_state(d, 'failing')
        until(lambda: re.search(WORDS, d.account('a').get('reason', '')), 'the delay is told')

    def refusing(self, reply=DENIED):
        self.relay = self.lenient(faults={'MAIL': lambda _: self.reply})
        self.reply = reply
        return self.daemon(CONFIG % (self.relay.port, ''), start=False)

    def ctl(self, d, *words):
        return run(NOTIFYCTL, '--socket', d.socket, *words)

    def kept(self, d):
        with open(os.path.join(d.state, 'downtime'), encoding='ascii') as file:
            return json.load(file)['changed']['a']

    def change_kept(self, d, **what):
        """As if it had been then."""
        path = os.path.join(d.state, 'downtime')
        with open(path, encoding='ascii') as file:
            all_of_it = json.load(file)
        all_of_it['changed']['a'].update(what)
        with open(path, 'w', encoding='ascii') as file:
            json.dump(all_of_it, file)

    def test_a_new_account_waits_in_quiet_and_goes_when_the_change_is_known(self):
        d = self.refusing().start()
        job = d.submit(**dict(JOB, expires_in='20h'))    # within a day: of an account in trouble that would be a mail
        account = self.until_state(d, 'failing')
        self.assertRegex(account['reason'], WORDS)
        self.assertIn('SendAs', account['hint'])
        self.assertGreater(account['quiet_until'], account['until'])
        shown = d.job(job)
        self.assertEqual((shown['state'], shown['attempt_count']), ('queued', 0), shown)
        self.assertRegex(shown['reason'], 'account a is failing: ' + WORDS)
        self.assertRegex(self.ctl(d, 'status').stdout, WORDS)
        self.assertRegex(self.ctl(d, 'show', job).stdout, WORDS)
        self.assertRegex(self.ctl(d, 'account', 'show', 'a').stdout, WORDS)
        self.assertRegex(d.tail(), 'account a is failing: ' + WORDS)
        self.assertFalse([w for w in d.status()['warnings'] if w['code'] == 'jobs-expire'])
        check = self.ctl(d, 'check')
        self.assertEqual(check.returncode, 0, check)
        self.assertRegex(check.stdout, WORDS)
        self.assertEqual(len(d.get('/v1/jobs', True).json['jobs']), 1, 'nobody is told by mail')
        self.reply = None
        self.assertEqual(d.post('/v1/accounts/a/resume', None, True).status, 200)
        shown = d.final(job)
        self.assertEqual((shown['state'], shown['attempt_count']), ('delivered', 1), shown)
        self.until_state(d, 'ok')

    def test_a_restart_keeps_the_time_and_sees_changed_settings(self):
        d = self.refusing().start()
        d.submit(**JOB)
        first = self.until_state(d, 'failing')
        d.stop()
        d.start()
        self.assertEqual(self.until_state(d, 'failing')['quiet_until'][:16], first['quiet_until'][:16])
        d.stop()
        # three quarters of an hour later
        self.change_kept(d, at=self.kept(d)['at'] - 45 * 60 * 1000)
        d.start()
        account = self.until_state(d, 'held')
        self.assertTrue(account['reason'].startswith('send-as-denied: 550 5.7.60'), account)
        self.assertNotIn('quiet_until', account)
        self.assertEqual(self.ctl(d, 'check').returncode, 2)
        # a bare reload is no change; other settings are, also while it does not run
        self.assertEqual(d.post('/v1/reload', None, True).status, 200)
        until(lambda: self.relay.sessions >= 4, 'a probe')
        self.until_state(d, 'held')
        d.stop()
        d.configure(CONFIG % (self.relay.port, 'max_connections = 1'))
        before = int(time.time() * 1000)
        d.start()
        self.until_state(d, 'failing')
        until(lambda: self.kept(d)['at'] >= before, 'the new time is kept')

    def test_settings_changed_by_a_reload_begin_a_delay_and_what_no_time_mends_is_none(self):
        d = self.refusing().long_in_use().start()
        d.submit(**JOB)
        self.until_state(d, 'held')
        d.configure(CONFIG % (self.relay.port, 'max_connections = 1'))
        self.assertEqual(d.post('/v1/reload', None, True).status, 200)
        self.until_delayed(d)
        self.reply = '550 5.1.8 Access denied, bad outbound sender'
        self.assertEqual(d.post('/v1/accounts/a/resume', None, True).status, 200)
        self.assertIn('5.1.8', self.until_state(d, 'held')['reason'])

    def write(self, path, octets):
        with open(path, 'w', encoding='ascii') as file:
            file.write(octets)
        os.chmod(path, 0o600)

    def secret_changes(self, d, path, other):
        """Held; then its secret is written as it was, then another one, by hand."""
        d.submit(**JOB)
        self.until_state(d, 'held')
        with open(path, encoding='ascii') as file:
            same = file.read()
        self.write(path + '.new', same)
        os.rename(path + '.new', path)
        self.assertEqual(d.post('/v1/accounts/a/resume', None, True).status, 200)    # a written file alone is not tried
        until(lambda: self.relay.sessions >= 2, 'a try')
        self.until_state(d, 'held')
        until(lambda: self.relay.ended == self.relay.sessions, 'the try is over')
        self.assertNotIn('quiet_until', d.account('a'), 'nothing has changed')
        self.assertNotIn('a file with a secret of account a has changed', d.tail(1000))
        before = int(time.time() * 1000)
        self.write(path, other)
        self.until_delayed(d)
        until(lambda: self.kept(d)['at'] >= before, 'it is kept')
        self.assertIn('a file with a secret of account a has changed', d.tail())

    def test_a_password_that_is_changed_by_hand_begins_a_delay(self):
        d = self.refusing()
        self.relay.offer.append('AUTH PLAIN')
        path = os.path.join(d.folder, 'password')
        self.write(path, 'sesame')
        d.configure((CONFIG % (self.relay.port, '')).replace('auth = none', 'auth = password\nuser = u\npassword = file:' + path))
        self.secret_changes(d.long_in_use().start(), path, 'simsalabim')


if __name__ == '__main__':
    unittest.main()
