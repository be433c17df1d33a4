# SPDX-License-Identifier: Apache-2.0
"""What the relay of one account cannot take goes by the next one: a size, a promise of TLS, an address. Each is asked once."""
import json
import unittest

import notifyd
from test_failover import CONFIG
from test_paced import JOB, Limits

BIG = dict(JOB, attachments=[{'name': 'a.txt', 'type': 'text/plain', 'content': 'eHh4' * 2000}])
HUGE = dict(JOB, attachments=[{'name': 'a.txt', 'type': 'text/plain', 'content': 'eHh4' * 20000}])


class Elsewhere(Limits):
    def pair(self, first, second, after='2m'):
        self.first, self.second = first, second
        return self.daemon(CONFIG % (after, '15m', second.port, first.port))

    def asked(self, fake, stage='MAIL'):
        return [what for at, what in fake.heard if at == stage]

    def test_what_is_larger_than_one_relay_takes_goes_by_the_other(self):
        d = self.pair(self.lenient('8BITMIME', 'SIZE 5000'), self.lenient('SIZE 50000'))
        follower = notifyd.UnixConnection(d.admin)
        self.addCleanup(follower.close)
        follower.request('GET', '/v1/events?type=job.moved')
        reply = follower.getresponse()
        self.assertEqual(json.loads(reply.readline())['event'], 'begin')
        job = d.submit(**BIG)
        shown = d.final(job)
        self.assertEqual((shown['state'], shown['account']), ('delivered', 'b'), shown)
        self.assertEqual([(a['account'], a['verdict']) for a in shown['attempts']], [('a', 'elsewhere'), ('a', 'moved'), ('b', 'delivered')], shown)
        self.assertRegex(shown['attempts'][1]['text'],
                         r'^account a cannot take it: too-big: 552 5\.3\.4 notifyd did not ask: .* takes 5000; goes on by b$')
        (_, content), = self.second.mails
        self.assertIn(b'<second@example.org>', content)  # the rendition of b
        self.assertIn(('Message-ID: <%s@host.example>' % job).encode(), content)
        event = json.loads(reply.readline())
        self.assertEqual((event['event'], event['job'], event['account']), ('job.moved', job, 'b'), event)
        self.assertTrue(event['reason'].startswith('moved: account a cannot take it: too-big'), event)
        self.assertIn('notifyd_moved_jobs_total{account="a"} 1', d.get('/metrics', True).body.decode())
        self.assertEqual(d.account('a')['state'], 'ok')
        self.assertEqual(d.final(d.submit(**JOB))['account'], 'a')  # what it can take stays
        pinned = d.final(d.submit(**dict(BIG, account='a')))
        self.assertEqual((pinned['state'], pinned['account']), ('failed', 'a'), pinned)

    def test_when_all_decline_it_the_first_has_the_last_word(self):
        d = self.pair(self.lenient(), self.lenient())
        job = d.submit(**dict(JOB, require_tls=True))
        shown = d.final(job)
        self.assertEqual((shown['state'], shown['account']), ('failed', 'b'), shown)
        self.assertEqual([(a['account'], a['verdict']) for a in shown['attempts']], [('a', 'elsewhere'), ('a', 'moved'), ('b', 'refused')], shown)
        self.assertRegex(shown['reason'], '^needs-requiretls: 550 5.7.30 notifyd did not ask')
        self.assertEqual(self.asked(self.first) + self.asked(self.second), [])
        # by hand all are asked anew
        self.assertEqual(d.post('/v1/jobs/%s/retry' % job, None, True).status, 200)
        shown = d.final(job)
        self.assertEqual([a['account'] for a in shown['attempts']][3:], ['b', 'b', 'a'], shown)

    def test_a_size_that_was_refused_is_not_tried_again_and_less_is(self):
        size = {}

        def refuse(what):
            size['last'] = int(what.split('SIZE=')[1].split(' ')[0]) if 'SIZE=' in what else None
            return '552 5.3.4 too big' if (size['last'] or 0) > 70000 else None

        d = self.pair(self.lenient('SIZE', faults={'MAIL': refuse}), self.lenient())
        self.assertEqual(d.final(d.submit(**HUGE))['account'], 'b')
        self.assertEqual(len(self.asked(self.first)), 1)
        shown = d.final(d.submit(**HUGE))
        self.assertEqual(shown['account'], 'b')
        self.assertRegex(shown['attempts'][0]['text'], r'notifyd did not ask: the message has \d+ octets, 127\.0\.0\.1 has refused one of \d+ for its size')
        self.assertEqual(len(self.asked(self.first)), 1)
        self.assertEqual(d.final(d.submit(**JOB))['account'], 'a')
        self.assertRegex(d.tail(), r'127\.0\.0\.1 refused a message of \d+ octets for its size: for 4 h nothing as large is tried there')

    def test_a_restart_between_the_two_forgets_nothing(self):
        d = self.pair(self.lenient('SIZE 5000'), self.lenient(faults={'GREETING': '554 no'}))
        job = d.submit(**BIG)
        notifyd.until(lambda: d.job(job)['account'] == 'b', 'it waits at the other one')
        d.kill()
        self.second.faults.clear()
        d.start()
        shown = d.final(job)
        self.assertEqual((shown['state'], shown['account']), ('delivered', 'b'), shown)
        self.assertEqual([a['verdict'] for a in shown['attempts']], ['elsewhere', 'moved', 'delivered'], shown)

    def test_a_mail_that_is_refused_unasked_does_not_make_its_account_well(self):
        fake = self.lenient(faults={'MAIL': '550 not you'})
        d = self.started('', fake)
        job = d.submit(**JOB)
        self.until_state(d, 'held')
        self.assertEqual(d.post('/v1/jobs/%s/cancel' % job, None, True).status, 200)
        asked = len(self.asked(fake))
        fake.faults.clear()
        job = d.submit(**dict(JOB, require_tls=True))
        self.assertEqual(d.post('/v1/accounts/a/resume', None, True).status, 200)
        self.assertRegex(d.final(job)['reason'], 'notifyd did not ask')
        self.assertEqual((d.account('a')['state'], len(self.asked(fake))), ('held', asked))
        self.assertEqual(d.final(d.submit(**JOB))['state'], 'delivered')    # on the session that is there
        self.assertEqual(d.account('a')['state'], 'ok')


if __name__ == '__main__':
    unittest.main()
