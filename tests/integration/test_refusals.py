# SPDX-License-Identifier: Apache-2.0
"""A relay that refuses every mail alike: the account is held, and what failed by it is sent after all."""
import unittest

from notifyd import until
from test_failover import CONFIG as PAIR
from test_paced import JOB, Limits


class Alike(Limits):
    def refusing(self, stage, reply):
        self.reply = reply
        d = self.started('', self.lenient(faults={stage: lambda _: self.reply}))
        return d

    def test_five_refused_alike_hold_the_account_and_go_when_it_is_mended(self):
        d = self.refusing('END', '554 5.7.1 this tenant may not send')
        jobs = [d.submit(**JOB) for _ in range(4)]
        for job in jobs:
            self.assertEqual(d.final(job)['state'], 'failed')
        self.assertEqual(d.account('a')['state'], 'ok')
        jobs.append(d.submit(**dict(JOB, expires_in='2h')))
        account = self.until_state(d, 'held')
        self.assertEqual(account['reason'], 'refused-alike: 554 5.7.1 this tenant may not send')
        for job in jobs[:4]:
            again = until(lambda: (lambda j: j if j['state'] == 'queued' else None)(d.job(job)), 'it is queued again')
            self.assertEqual(again['recipients'][0]['state'], 'pending', again)
        last = d.job(jobs[4])
        self.assertEqual((last['state'], last['attempt_count']), ('queued', 0), last)
        self.assertIn('which failed by a fault of its account, is queued again', d.tail(200))
        # a probe that is refused too changes nothing; one that is taken does
        sent = len(self.relay.heard)
        self.assertEqual(d.post('/v1/accounts/a/resume', None, True).status, 200)
        until(lambda: len(self.relay.heard) > sent, 'a probe')
        self.until_state(d, 'held')
        self.reply = None
        until(lambda: d.post('/v1/accounts/a/resume', None, True).status == 200 and d.account('a')['state'] == 'ok', 'it is ok')
        for job in jobs:
            self.assertEqual(d.final(job)['state'], 'delivered')
        self.assertEqual(len(self.relay.mails), 5)

    def test_an_end_of_its_own_stands_and_a_second_refusal_is_final(self):
        d = self.refusing('END', None)
        self.relay.faults['END'] = lambda content: '554 5.7.1 spam' if b'offer' in content else None
        spam = [d.submit(**dict(JOB, text='an offer\n', expires_in='2h')) for _ in range(4)]
        for job in spam:
            self.assertEqual(d.final(job)['state'], 'failed')
        fifth = d.submit(**dict(JOB, text='an offer\n'))
        self.until_state(d, 'held')
        for job in spam:
            again = until(lambda: (lambda j: j if j['state'] == 'queued' else None)(d.job(job)), 'it is queued again')
            self.assertIn('expires', again)
        good = d.submit(**JOB)
        until(lambda: d.post('/v1/accounts/a/resume', None, True).status == 200 and self.relay.mails, 'the good one goes')
        for job in spam + [fifth]:    # the account works: it was these mails
            job = d.final(job)
            self.assertEqual((job['state'], job['reason']), ('failed', 'message-refused: 554 5.7.1 spam'), job)
        self.assertEqual(d.final(good)['state'], 'delivered')
        self.until_state(d, 'ok')

    def test_five_bad_mails_hold_one_account_and_not_the_next_one_too(self):
        spam = {'END': lambda content: '554 5.7.1 spam' if b'offer' in content else None}    # both have the same filter
        first, second = self.lenient(faults=spam), self.lenient(faults=spam)
        d = self.daemon(PAIR % ('3s', '15m', second.port, first.port))
        jobs = [d.submit(**dict(JOB, text='an offer\n')) for _ in range(4)]
        for job in jobs:
            self.assertEqual(d.final(job)['state'], 'failed')
        jobs.append(d.submit(**dict(JOB, text='an offer\n')))
        self.until_state(d, 'held')
        for job in jobs:    # they move, and are refused once more
            shown = until(lambda: (lambda j: j if j['state'] == 'failed' and j['account'] == 'b' else None)(d.job(job)), 'b refuses it')
            self.assertEqual(shown['reason'], 'message-refused: 554 5.7.1 spam')
        self.assertEqual(d.account('b')['state'], 'ok')
        self.assertEqual(d.final(d.submit(**JOB))['account'], 'b')

    def test_one_reader_is_enough_when_the_account_may_not_send(self):
        d = self.refusing('RCPT', '550 5.7.1 relaying denied')
        jobs = [d.submit(**JOB) for _ in range(4)]
        for job in jobs:
            self.assertEqual(d.final(job)['state'], 'failed')
        jobs.append(d.submit(**JOB))
        self.assertEqual(self.until_state(d, 'held')['reason'], 'refused-alike: 550 5.7.1 relaying denied')
        self.reply = None
        until(lambda: d.post('/v1/accounts/a/resume', None, True).status == 200 and d.account('a')['state'] == 'ok', 'it is ok')
        for job in jobs:
            until(lambda: d.job(job)['state'] == 'delivered', 'it is delivered after all')

    def test_those_refused_for_a_reader_who_is_counted_already_go_too(self):
        d = self.refusing('RCPT', None)
        self.assertEqual(d.final(d.submit(**JOB))['state'], 'delivered')
        self.reply = '550 5.0.0 no'
        jobs = []
        for reader in 'one', 'one', 'one', 'two', 'three', 'four':
            jobs.append(d.submit(**dict(JOB, to=[reader + '@contoso.example'])))
            self.assertEqual(d.final(jobs[-1])['state'], 'failed')
        d.submit(**dict(JOB, to=['five@contoso.example']))
        self.until_state(d, 'held')
        for job in jobs:
            until(lambda job=job: d.job(job)['state'] == 'queued', 'it is queued again')

    def test_a_wrong_address_stops_nobody(self):
        d = self.refusing('RCPT', '550 5.1.1 no such user')
        for _ in range(7):
            self.assertEqual(d.final(d.submit(**JOB))['state'], 'failed')
        self.reply = None
        self.assertEqual(d.account('a')['state'], 'ok')
        self.assertEqual(d.final(d.submit(**JOB))['state'], 'delivered')


class TooMany(Limits):
    def test_what_is_too_many_for_one_transaction_goes_in_the_next_of_the_session(self):
        taken = []

        def two_at_a_time(rest):
            since = [stage for stage, _ in self.relay.heard]
            if since[::-1].index('MAIL') <= 2:    # behind MAIL: this one, and one before
                taken.append(rest)
                return None
            return '452 4.5.3 Error: too many recipients' if len(taken) < 4 else '552 too many recipients'
        d = self.started('', self.lenient(faults={'RCPT': two_at_a_time}))
        readers = ['r%d@contoso.example' % n for n in range(5)]
        job = d.final(d.submit(**dict(JOB, to=readers)))
        self.assertEqual((job['state'], job['attempt_count']), ('delivered', 3), job)
        self.assertEqual([r['state'] for r in job['recipients']], 5 * ['delivered'])
        self.assertEqual([rcpts for rcpts, _ in self.relay.mails], [readers[:2], readers[2:4], readers[4:]])
        self.assertEqual(self.relay.sessions, 1)
        self.assertEqual(d.account('a')['state'], 'ok')


if __name__ == '__main__':
    unittest.main()
