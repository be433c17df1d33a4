# SPDX-License-Identifier: Apache-2.0
"""What could not be delivered is told to admin_to by one mail, and about that mail there is none."""
import datetime
import email
import email.policy
import signal
import unittest

from notifyd import later, until
from test_paced import CONFIG, JOB, Limits


class Reports(Limits):
    def refusing(self, refused, every='1s', more=''):
        fake = self.lenient(faults={'RCPT': lambda rest: '550 5.1.1 no such user' if refused(rest) else None})
        self.relay = fake
        return self.daemon((CONFIG % (fake.port, '')).replace(
            '[daemon]\n', '[daemon]\nadmin_to = admin@contoso.example\nreport_every = %s\n' % every) + more)

    def hurry(self, d):
        """From the next start on."""
        with open(d.config, encoding='utf-8') as file:
            config = file.read()
        d.configure(config.replace('report_every = 5m\n', 'report_every = 1s\n'))

    def own(self, d):
        return d.get('/v1/jobs?source=notifyd', True).json['jobs']

    def test_a_refused_recipient_is_told_with_words_and_remedy(self):
        d = self.refusing(lambda rest: 'gone@' in rest)
        both = d.submit(**dict(JOB, to=['gone@contoso.example', 'ops@contoso.example']))
        self.assertEqual(d.final(both)['state'], 'delivered')
        report = d.final(until(lambda: self.own(d), 'a report')[0]['id'])
        self.assertEqual((report['state'], report['subject'], [r['address'] for r in report['recipients']]),
                         ('delivered', 'notifyd: 1 message could not be delivered', ['admin@contoso.example']), report)
        text = until(lambda: [c for r, c in self.relay.mails if r == ['admin@contoso.example']], 'it')[0].decode()
        for word in (both, 'Disk', 'gone@contoso.example: refused: 550 5.1.1 no such user', 'What to do:'):
            self.assertIn(word, text.replace('=\r\n', ''))
        self.assertNotIn('ops@contoso.example:', text)

    def until_expired(self, d, job):
        """A reload looks for jobs whose time is over."""
        def look():
            self.assertEqual(d.post('/v1/reload', None, True).status, 200)
            return d.job(job)['state'] == 'expired'
        until(look, 'it expires')

    def told(self, d):
        """The one report, and what a person reads of it."""
        report = d.final(until(lambda: self.own(d), 'a report')[0]['id'])
        self.assertEqual((report['state'], report['subject'], [r['address'] for r in report['recipients']]),
                         ('delivered', 'notifyd: 1 message could not be delivered', ['admin@contoso.example']), report)
        (content,) = [content for rcpts, content in self.relay.mails if rcpts == ['admin@contoso.example']]
        return email.message_from_bytes(content, policy=email.policy.default).get_body().get_content()

    def test_a_job_whose_time_is_over_is_told_with_the_last_words_of_the_relay(self):
        d = self.refusing(lambda rest: False)
        self.relay.faults['RCPT'] = lambda rest: '451 4.3.0 try again later' if 'ops@' in rest else None
        job = d.submit(**dict(JOB, expires_in='5s'))
        until(lambda: d.job(job)['attempt_count'], 'it was tried')
        d.stop()    # its next try is not due: after the start it is in the store alone
        d.start()
        self.until_expired(d, job)
        text = self.told(d)
        for word in (job + '  Disk', 'ops@contoso.example: expired: 451 4.3.0 try again later', 'What to do: '):
            self.assertIn(word, text)

    def test_a_held_job_whose_time_is_over_is_told_too(self):
        d = self.refusing(lambda rest: False)
        self.assertEqual(d.post('/v1/queue/pause', None, True).status, 200)
        job = d.submit(**dict(JOB, expires_in='2s'))
        self.assertEqual(d.post('/v1/jobs/%s/hold' % job, None, True).status, 200)
        self.assertEqual(d.post('/v1/queue/resume', None, True).status, 200)
        self.until_expired(d, job)
        text = self.told(d)
        for word in (job + '  Disk', 'ops@contoso.example: expired: its time was over before it was tried'):
            self.assertIn(word, text)

    def test_a_job_that_may_not_go_once_there_is_an_account_is_told(self):
        for way in ('reload', 'crash'):
            with self.subTest(way):
                fake = self.relay = self.lenient()
                config = (CONFIG % (fake.port, '')).replace('to_allow = *\n', 'to_allow = admin@contoso.example\n').replace(
                    '[daemon]\n', '[daemon]\nadmin_to = admin@contoso.example\nreport_every = 1s\n')
                d = self.daemon(config.split('[account')[0])
                job = d.submit(admin=False, **JOB)
                self.assertEqual(d.job(job)['state'], 'held')
                d.configure(config)
                if way == 'reload':
                    self.assertEqual(d.post('/v1/reload', None, True).status, 200)
                else:
                    d.kill()
                    d.start()
                self.assertEqual(d.final(job)['state'], 'failed')
                self.assertIn('ops@contoso.example: refused: recipient-not-allowed', self.told(d))

    def test_a_job_whose_time_is_over_while_its_account_is_gone_is_told(self):
        d = self.refusing(lambda rest: False)
        self.relay.faults['RCPT'] = lambda rest: '451 4.3.0 try again later' if 'ops@' in rest else None
        job = d.submit(**dict(JOB, expires_in='3s'))
        until(lambda: d.job(job)['attempt_count'], 'it was tried')
        with open(d.config, encoding='utf-8') as file:
            config = file.read()
        d.configure(config.split('[account')[0])
        d.kill()
        d.start()
        self.until_expired(d, job)
        d.configure(config)
        self.assertEqual(d.post('/v1/reload', None, True).status, 200)
        text = self.told(d)
        for word in (job + '  Disk', 'ops@contoso.example: expired: 451 4.3.0 try again later'):
            self.assertIn(word, text)

    def test_about_a_report_there_is_none(self):
        d = self.refusing(lambda rest: True)
        self.assertEqual(d.final(d.submit(**JOB))['state'], 'failed')
        first = d.final(until(lambda: self.own(d), 'a report')[0]['id'])
        self.assertEqual(first['state'], 'failed')
        # the next fault is told, and only that
        second = d.submit(**JOB)
        self.assertEqual(d.final(second)['state'], 'failed')
        until(lambda: len(self.own(d)) == 2, 'the next report')
        self.assertEqual([job['subject'] for job in self.own(d)], ['notifyd: 1 message could not be delivered'] * 2)

    def test_one_that_finds_the_queue_full_is_kept_until_there_is_room(self):
        d = self.refusing(lambda rest: 'gone@' in rest, every='5m', more='[queue]\nmax_jobs = 1\n')
        gone = d.submit(**dict(JOB, to=['gone@contoso.example']))
        self.assertEqual(d.final(gone)['state'], 'failed')
        waiting = d.submit(**dict(JOB, not_before=later()))
        self.assertEqual(self.own(d), [])
        self.hurry(d)
        d.kill()
        d.start()
        until(lambda: "a mail of notifyd's own is not taken" in d.tail(), 'it is refused')
        self.assertEqual(d.post('/v1/jobs/%s/cancel' % waiting, None, True).status, 200)
        d.stop()    # else it is tried again after a minute
        d.start()
        report = d.final(until(lambda: self.own(d), 'a report')[0]['id'])
        self.assertEqual(report['subject'], 'notifyd: 1 message could not be delivered')
        self.assertIn(gone, self.relay.mails[-1][1].decode())

    def test_after_a_stop_the_next_run_tells_it(self):
        d = self.refusing(lambda rest: 'gone@' in rest, every='5m')
        gone = d.submit(**dict(JOB, to=['gone@contoso.example']))
        self.assertEqual(d.final(gone)['state'], 'failed')
        self.relay.faults['END'] = lambda _: '550 5.7.1 not wanted' if self.relay.waiting.is_set() else None
        self.relay.gate.clear()
        late = d.submit(**JOB)
        self.assertTrue(self.relay.waiting.wait(30))
        d.process.send_signal(signal.SIGTERM)
        until(lambda: 'stopping: 1 mails under way' in d.tail(), 'it stops')
        self.relay.gate.set()    # and this one is refused only now
        self.assertEqual(d.wait_end(), 0)
        self.relay.faults.clear()
        self.hurry(d)
        d.start()
        report = d.final(until(lambda: self.own(d), 'a report')[0]['id'])
        self.assertEqual((report['state'], report['subject']), ('delivered', 'notifyd: 2 messages could not be delivered'))
        text = self.relay.mails[-1][1].decode()
        self.assertIn(gone, text)
        self.assertIn(late, text)

    def test_how_many_there_were_in_the_hour_outlives_a_restart(self):
        d = self.refusing(lambda rest: 'gone@' in rest)
        for n in range(1, 8):
            self.assertEqual(d.final(d.submit(**dict(JOB, to=['gone@contoso.example'])))['state'], 'failed')
            if n < 7:
                d.final(until(lambda n=n: self.own(d)[n - 1:], 'a report')[0]['id'])
            (d.stop if n % 2 else d.kill)()
            d.start()
        later = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=3)
        self.assertEqual(d.final(d.submit(**dict(JOB, not_before=later.isoformat())))['state'], 'delivered')
        self.assertEqual(len(self.own(d)), 6)    # the seventh was due two seconds ago, but for that

    def refused_and_killed(self, **job):
        d = self.refusing(lambda rest: 'gone@' in rest, every='5m')
        gone = d.submit(**dict(JOB, **job))
        ended = d.final(gone)
        self.assertEqual(self.own(d), [])
        d.kill()
        return d, gone, ended

    def reported(self, d, count=1):
        until(lambda: len(self.own(d)) == count, '%d reports' % count)
        self.assertEqual(d.final(self.own(d)[0]['id'])['state'], 'delivered')
        return self.relay.mails[-1][1].decode()

    def test_a_crash_forgets_none_and_tells_none_twice(self):
        d, gone, ended = self.refused_and_killed(to=['gone@contoso.example'])
        self.assertEqual(ended['state'], 'failed')
        self.hurry(d)
        d.start()
        text = self.reported(d)
        for word in (gone, 'Disk', 'gone@contoso.example: refused: 550 5.1.1 no such user', 'could not deliver 1 message'):
            self.assertIn(word, text.replace('=\r\n', ''))
        d.kill()
        d.start()
        other = d.submit(**dict(JOB, to=['gone@contoso.example']))
        text = self.reported(d, 2)
        self.assertIn(other, text)
        self.assertNotIn(gone, text)

    def test_a_crash_forgets_no_recipient_of_a_job_that_others_got(self):
        d, gone, ended = self.refused_and_killed(to=['gone@contoso.example', 'ops@contoso.example'])
        self.assertEqual(ended['state'], 'delivered')
        self.hurry(d)
        d.start()
        self.assertIn(gone, self.reported(d))

    def test_what_is_tried_again_after_a_crash_is_told_no_more(self):
        d, gone, _ = self.refused_and_killed(to=['gone@contoso.example'])
        self.relay.faults.clear()
        d.start()
        self.assertEqual(d.post('/v1/jobs/%s/retry' % gone, None, True).status, 200)
        self.assertEqual(d.final(gone)['state'], 'delivered')
        d.kill()
        self.hurry(d)
        d.start()
        self.relay.faults['RCPT'] = lambda rest: '550 5.1.1 no such user' if 'gone@' in rest else None
        other = d.submit(**dict(JOB, to=['gone@contoso.example']))
        text = self.reported(d)
        self.assertIn(other, text)
        self.assertNotIn(gone, text)

    def test_it_can_be_turned_off(self):
        d = self.refusing(lambda rest: 'gone@' in rest, every='0s')
        self.assertEqual(d.final(d.submit(**dict(JOB, to=['gone@contoso.example'])))['state'], 'failed')
        self.assertEqual(d.final(d.submit(**JOB))['state'], 'delivered')
        self.assertEqual(self.own(d), [])


if __name__ == '__main__':
    unittest.main()
