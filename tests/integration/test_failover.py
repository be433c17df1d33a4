# SPDX-License-Identifier: Apache-2.0
"""Jobs of an account in trouble go on by the next one of the order; pinned ones wait; the first one gets mail again when it is well."""
import datetime
import json
import re
import unittest

import notifyd
from notifyd import until
from test_paced import JOB, Limits

CONFIG = '''
[daemon]
hostname = host.example
accounts = a, b
failover_after = %s
[queue]
uncertain_wait = %s
[access]
to_allow = *
[account b]
provider = smtp
host = 127.0.0.1:%d
security = none
auth = none
from = Second <second@example.org>
[account a]
provider = smtp
host = 127.0.0.1:%d
security = none
auth = none
max_connections = 1
from = First <first@example.com>
'''


class Failover(Limits):
    def pair(self, faults, after='1s', wait='15m'):
        self.first, self.second = self.lenient(faults=faults), self.lenient()
        return self.daemon(CONFIG % (after, wait, self.second.port, self.first.port), start=False).long_in_use().start()

    def test_a_held_accounts_jobs_move_but_not_pinned_ones(self):
        faults = {'MAIL': '550 5.7.60 SMTP; Client does not have permissions to send as this sender'}
        d = self.pair(faults)
        pinned = d.submit(**dict(JOB, account='a'))
        self.until_state(d, 'held')
        job = d.submit(**dict(JOB, **{'from': 'root@web01.example.net'}))
        shown = d.final(job)
        self.assertEqual((shown['state'], shown['account']), ('delivered', 'b'), shown)
        moved = shown['attempts'][0]
        self.assertEqual((moved['account'], moved['stage'], moved['verdict']), ('a', 'account', 'moved'), moved)
        self.assertIn('account a is held: send-as-denied: 550 5.7.60', moved['text'])
        self.assertIn('goes on by b', moved['text'])
        (rcpts, content), = self.second.mails
        self.assertIn(b'<second@example.org>', content)    # the rendition of b
        self.assertNotIn(b'first@example.com', content)
        self.assertIn(('Message-ID: <%s@host.example>' % job).encode(), content)
        self.assertIn(b'root@web01.example.net', content)
        self.assertIn('FROM:<second@example.org>', [what.split(' ')[0] for stage, what in self.second.heard if stage == 'MAIL'])
        self.assertIn('notifyd_moved_jobs_total{account="a"} 1', d.get('/metrics', True).body.decode())
        # new ones go past it from now on, the pinned one waits
        self.assertEqual(d.final(d.submit(**dict(JOB, severity='critical')))['attempts'][0]['account'], 'b')
        self.assertEqual((d.job(pinned)['state'], d.job(pinned)['account']), ('queued', 'a'))
        # a is mended: its probe is the pinned one, then it gets new ones again
        faults.clear()
        until(lambda: d.post('/v1/accounts/a/resume', None, True).status == 200 and d.account('a')['state'] == 'ok', 'a is ok')
        self.assertEqual(d.final(pinned)['account'], 'a')
        for _ in range(8):
            last = d.final(d.submit(**JOB))
        self.assertEqual(last['account'], 'a')

    def test_a_moved_job_keeps_where_answers_go(self):
        d = self.pair({'GREETING': '554 no'})
        web = 'Web <web@web01.example.net>'
        job = ('/v1/jobs', json.dumps(dict(JOB, **{'from': web})), 'application/json')
        ready = ['/v1/messages?to=ops@contoso.example', 'From: %s\r\n%%sSubject: x\r\n\r\nx\r\n' % web, 'message/rfc822']
        desk = (ready[0], ready[1] % 'Reply-To: desk@contoso.example\r\n', ready[2])
        ready[1] %= ''
        jobs = [d.post(path, body, headers={'Content-Type': kind}).json['id'] for path, body, kind in (job, ready, desk)]
        for n, job in enumerate(jobs):
            self.assertEqual(d.final(job)['attempts'][0]['verdict'], 'moved')
            (content,) = [content for _, content in self.second.mails if job.encode() in content]
            self.assertEqual(b'\nReply-To: Web <web@' in content, n < 2, content)
            self.assertEqual(b'X-Original-From: Web <web@' in content, n == 2, content)

    def test_the_move_is_an_event(self):
        d = self.pair({'GREETING': '554 no'})
        follower = notifyd.UnixConnection(d.admin)
        self.addCleanup(follower.close)
        follower.request('GET', '/v1/events?type=job.moved')
        reply = follower.getresponse()
        self.assertEqual(json.loads(reply.readline())['event'], 'begin')
        job = d.submit(**JOB)
        self.assertEqual(d.final(job)['account'], 'b')
        event = json.loads(reply.readline())
        self.assertEqual((event['event'], event['job'], event['account'], event['state']), ('job.moved', job, 'b', 'queued'), event)
        self.assertTrue(event['reason'].startswith('moved: account a is failing: session-refused'), event)
        self.assertRegex(d.tail(), r'job %s moves: account a is failing: session-refused.*goes on by b' % job)

    def test_severe_jobs_go_past_a_day_that_is_spent(self):
        self.first, self.second = self.lenient(), self.lenient()
        config = CONFIG % ('10m', '15m', self.second.port, self.first.port) + 'messages_per_day = 1\n'
        d = self.daemon(config.replace('host = 127.0.0.1', 'host = localhost', 1))
        self.assertEqual(d.final(d.submit(**JOB))['account'], 'a')
        waits = d.submit(**JOB)
        self.until_state(d, 'paced')
        shown = d.final(d.submit(**dict(JOB, severity='emergency')))
        self.assertEqual((shown['state'], shown['account'], shown['attempt_count']), ('delivered', 'b', 1), shown)
        # one that was accepted for it before
        self.assertEqual(d.post('/v1/accounts/b/pause', None, True).status, 200)
        late = d.submit(**dict(JOB, severity='emergency'))
        self.assertEqual(d.job(late)['account'], 'a')
        self.assertEqual(d.post('/v1/accounts/b/resume', None, True).status, 200)
        shown = d.final(late)
        self.assertEqual((shown['state'], shown['account']), ('delivered', 'b'), shown)
        self.assertIn('account a is paced: messages_per_day', shown['attempts'][0]['text'])
        self.assertEqual(d.job(waits)['state'], 'queued')
        self.assertEqual((len(self.first.mails), len(self.second.mails)), (1, 2))

    def test_an_uncertain_one_waits_longer(self):
        d = self.pair({}, wait='14s')
        faults = self.first.faults

        def vanish(_):
            faults['GREETING'] = 'FIN'
            return 'FIN'

        faults['END'] = vanish
        doubted = d.submit(**JOB)
        until(lambda: d.job(doubted)['uncertain'], 'it is uncertain')
        sure = d.submit(**JOB)
        self.assertEqual(d.final(sure)['account'], 'b')
        self.assertEqual(d.job(doubted)['state'], 'queued')
        shown = d.final(doubted, 90)
        self.assertEqual((shown['state'], shown['account'], shown['uncertain']), ('delivered', 'b', True), shown)
        tried, moved = (datetime.datetime.fromisoformat(shown['attempts'][n]['end'].replace('Z', '+00:00')) for n in (0, 1))
        self.assertEqual([attempt['verdict'] for attempt in shown['attempts']], ['retry', 'moved', 'delivered'], shown)
        self.assertTrue(14 <= (moved - tried).total_seconds() < 60, shown)
        ids = [re.search(rb'Message-ID: (\S+)', content).group(1) for _, content in self.second.mails]
        self.assertEqual(ids, [b'<%s@host.example>' % name.encode() for name in (sure, doubted)])

    def test_without_failover_they_wait(self):
        d = self.pair({'GREETING': '554 no'}, after='0s')
        job = d.submit(**JOB)
        self.until_state(d, 'failing')
        shown = d.job(job, 3)
        self.assertEqual((shown['state'], shown['account']), ('queued', 'a'), shown)


if __name__ == '__main__':
    unittest.main()
