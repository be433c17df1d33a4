# SPDX-License-Identifier: Apache-2.0
"""The sending limits of an account: kept, told, and never a job's fault; severe jobs go first; a restart forgets nothing."""
import datetime
import os
import sqlite3
import subprocess
import sys
import unittest

import notifyd
from notifyd import ProgramTest, until

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'fake'))
import relay

CONFIG = '''
[daemon]
hostname = host.example
[access]
to_allow = *
[account a]
provider = smtp
host = 127.0.0.1:%d
security = none
auth = none
from = alerts@example.com
%s
'''
JOB = {'to': ['ops@contoso.example'], 'subject': 'Disk', 'text': 'sda\n'}


def run(*words):
    return subprocess.run(words, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60, check=False)


class Limits(ProgramTest):
    def lenient(self, *offer, **options):
        fake = relay.Lenient(offer or ('8BITMIME',), **options)
        self.addCleanup(fake.close)
        return fake

    def started(self, more, fake=None):
        self.relay = fake or self.lenient()
        return self.daemon(CONFIG % (self.relay.port, more))

    def until_state(self, d, state):
        return until(lambda: (lambda a: a if a['state'] == state else None)(d.account('a')), 'a is ' + state)

    def until_paced(self, d, reason):
        return until(lambda: (lambda a: a if a['state'] == 'paced' and a['reason'].startswith(reason) else None)(d.account('a')),
                     'a is paced by ' + reason)


class DryRun(Limits):
    def ask(self, d, **more):
        reply = d.post('/v1/jobs?dry_run=1', dict(JOB, **more), True)
        self.assertEqual(reply.status, 200, reply)
        return reply.json, {row['setting']: row for row in reply.json['limits']}

    def test_a_dry_run_tells_what_the_limits_leave_and_when_the_job_could_go(self):
        d = self.started('messages_per_minute = 6\nrecipients_per_day = 10\nmessages_per_recipient_hour = 2\n')
        until(lambda: 'left' in self.ask(d)[1]['recipients_per_day'], 'it is known what an earlier run sent')
        _, limits = self.ask(d, to=['ops@contoso.example', 'duty@contoso.example'])
        self.assertEqual(limits, {
            'messages_per_minute': {'setting': 'messages_per_minute', 'limit': 6, 'left': 3},
            'recipients_per_day': {'setting': 'recipients_per_day', 'limit': 10, 'left': 10},
            'messages_per_recipient_hour': {'setting': 'messages_per_recipient_hour', 'limit': 2, 'left': 2, 'address': 'ops@contoso.example'}})
        self.assertEqual(self.ask(d, severity='critical')[1]['messages_per_minute']['left'], 6)
        for _ in range(2):
            self.assertEqual(d.final(d.submit(**JOB))['state'], 'delivered')
        told, limits = self.ask(d, to=['duty@contoso.example', 'ops@contoso.example'])
        self.assertEqual([limits[k]['left'] for k in ('messages_per_minute', 'recipients_per_day', 'messages_per_recipient_hour')], [1, 8, 0])
        self.assertEqual(limits['messages_per_recipient_hour']['address'], 'ops@contoso.example')
        soon = told['eta']    # to the one who may get it
        told, limits = self.ask(d)
        self.assertEqual(told['eta'], limits['messages_per_recipient_hour']['until'])
        self.assertGreater(told['eta'], soon)
        self.assertEqual(len(self.relay.mails), 2)
        shown = run(notifyd.NOTIFYCTL, '--socket', d.socket, 'send', '-t', 'ops@contoso.example', '-s', 'x', '--dry-run')
        self.assertIn('limit       messages_per_minute: 1 of 6 left\n', shown.stdout, shown)
        self.assertRegex(shown.stdout, r'messages_per_recipient_hour: 0 of 2 left for ops@contoso\.example, again at 20\d\d-')

    def test_a_severe_job_may_go_at_once_where_others_wait(self):
        d = self.started('messages_per_minute = 6\n')
        for _ in range(10):
            d.submit(**JOB)
        self.until_paced(d, 'messages_per_minute')
        until(lambda: d.account('a')['queued'] == 7, 'three have gone')
        first, limits = self.ask(d)
        self.assertEqual(limits['messages_per_minute']['left'], 0)
        self.assertGreater(first['eta'], limits['messages_per_minute']['until'])    # others are before it
        severe, limits = self.ask(d, severity='critical')
        self.assertEqual(limits['messages_per_minute']['left'], 3)
        self.assertLess(severe['eta'], first['eta'])
        self.assertNotIn('until', limits['messages_per_minute'])

    def test_without_limits_there_are_none(self):
        told, limits = self.ask(self.started(''))
        self.assertEqual(limits, {})
        self.assertIn('eta', told)


class Minute(Limits):
    def test_half_of_the_minute_goes_the_rest_waits_and_says_so_and_severe_jobs_overtake(self):
        d = self.started('messages_per_minute = 6\n')
        jobs = [d.submit(**JOB) for _ in range(10)]
        account = self.until_paced(d, 'messages_per_minute')
        until(lambda: d.account('a')['queued'] == 7, 'three have gone')
        self.assertEqual(len(self.relay.mails), 3)
        account = d.account('a')
        until_time = datetime.datetime.fromisoformat(account['until'].replace('Z', '+00:00'))
        ready = datetime.datetime.fromisoformat(account['ready'].replace('Z', '+00:00'))
        now = datetime.datetime.now(datetime.timezone.utc)
        self.assertTrue(0 < (until_time - now).total_seconds() <= 61, account)
        self.assertTrue(120 < (ready - now).total_seconds() <= 182, account)    # seven, three a minute
        waiting = d.job(jobs[-1])
        self.assertEqual((waiting['state'], waiting['attempt_count']), ('queued', 0), waiting)
        self.assertIn('account a is paced: messages_per_minute', waiting['reason'])
        severe = d.submit(**dict(JOB, severity='critical'))
        self.assertEqual(d.final(severe)['state'], 'delivered')
        self.assertEqual(len(self.relay.mails), 4)
        shown = run(notifyd.NOTIFYCTL, '--socket', d.socket, 'status').stdout
        self.assertRegex(shown, r'a is paced: 7 queued, ready at \d\d:\d\d\n')
        metrics = d.get('/metrics', True).body.decode()
        self.assertIn('notifyd_accounts{account="a",state="paced"} 1', metrics)
        self.assertIn('notifyd_paced_jobs{account="a"} 7', metrics)
        self.assertRegex(metrics, r'notifyd_paced_seconds\{account="a"\} 1[0-9][0-9]\n')
        self.assertIn('account a is paced: messages_per_minute', d.tail())

    def test_a_crash_and_a_restart_do_not_begin_a_new_minute(self):
        d = self.started('messages_per_minute = 6\n')
        for _ in range(5):
            d.submit(**JOB)
        self.until_paced(d, 'messages_per_minute')
        until(lambda: len(self.relay.mails) == 3, 'three have gone')
        d.stop()
        d.start()
        self.until_paced(d, 'messages_per_minute')
        self.assertEqual(len(self.relay.mails), 3)
        d.kill()
        d.start()
        self.until_paced(d, 'messages_per_minute')
        self.assertEqual(len(self.relay.mails), 3)
        # what the crash left in doubt is not more than a lease: a severe one still goes
        self.assertEqual(d.final(d.submit(**dict(JOB, severity='emergency')))['state'], 'delivered')

    def test_what_the_limits_keep_goes_when_they_are_raised(self):
        d = self.started('messages_per_minute = 2\n')
        jobs = [d.submit(**JOB) for _ in range(4)]
        self.until_paced(d, 'messages_per_minute')
        d.configure(CONFIG % (self.relay.port, 'messages_per_minute = 100\n'))
        self.assertEqual(d.post('/v1/reload', None, True).status, 200)
        for job in jobs:
            self.assertEqual(d.final(job)['attempt_count'], 1)
        self.until_state(d, 'ok')


class Day(Limits):
    def test_the_day_is_kept_over_a_restart_and_a_large_job_uses_what_is_left(self):
        d = self.started('recipients_per_day = 7\n')
        first = d.submit(**dict(JOB, to=['r%d@contoso.example' % n for n in range(5)]))
        self.assertEqual(d.final(first)['state'], 'delivered')
        second = d.submit(**dict(JOB, to=['s%d@contoso.example' % n for n in range(4)]))
        self.until_paced(d, 'recipients_per_day')
        until(lambda: [r['state'] for r in d.job(second)['recipients']].count('delivered') == 2, 'two of four')
        self.assertEqual([len(rcpts) for rcpts, _ in self.relay.mails], [5, 2])
        d.stop()
        d.start()
        account = self.until_paced(d, 'recipients_per_day')
        ends = datetime.datetime.fromisoformat(account['until'].replace('Z', '+00:00'))
        hours = (ends - datetime.datetime.now(datetime.timezone.utc)).total_seconds() / 3600
        self.assertTrue(23.5 < hours < 24.2, account)
        self.assertEqual(len(self.relay.mails), 2)
        job = d.job(second)
        self.assertEqual((job['state'], sorted(r['state'] for r in job['recipients'])),
                         ('queued', ['delivered', 'delivered', 'pending', 'pending']), job)

    def test_messages_of_a_day_are_counted(self):
        d = self.started('messages_per_day = 2\n')
        for _ in range(3):
            d.submit(**dict(JOB, severity='critical'))
        self.until_paced(d, 'messages_per_day')
        until(lambda: d.account('a')['queued'] == 1, 'two have gone')
        self.assertEqual(len(self.relay.mails), 2)

    def test_the_counts_are_in_the_database_before_they_are_used(self):
        d = self.started('recipients_per_day = 640\n')
        self.assertEqual(d.final(d.submit(**JOB))['state'], 'delivered')
        d.kill()
        rows = sqlite3.connect('file:%s?mode=ro' % os.path.join(d.state, 'queue.db'), uri=True).execute(
            'SELECT mailbox, data FROM limits').fetchall()
        self.assertEqual([row[0] for row in rows], ['alerts@example.com at 127.0.0.1'])
        self.assertIn('"leased_recipients":', rows[0][1])

    def test_counts_that_make_no_sense_are_told_and_are_not_nothing(self):
        d = self.started('messages_per_day = 2\n')
        self.assertEqual(d.final(d.submit(**JOB))['state'], 'delivered')
        d.stop()
        with sqlite3.connect(os.path.join(d.state, 'queue.db')) as database:
            database.execute("UPDATE limits SET data = '{'")
        database.close()
        d.start()
        for _ in range(2):
            d.submit(**JOB)
        self.until_paced(d, 'messages_per_day')    # one may have been under way
        until(lambda: d.account('a')['queued'] == 1, 'one has gone')
        self.assertEqual(len(self.relay.mails), 2)
        self.assertIn('the record of what has gone from alerts@example.com at 127.0.0.1 lately makes no sense', d.tail())


class Recipients(Limits):
    def test_a_job_is_split_as_the_account_says(self):
        d = self.started('recipients_per_message = 70\n')
        job = d.submit(**dict(JOB, to=['r%d@contoso.example' % n for n in range(150)]))
        self.assertEqual(d.final(job)['state'], 'delivered')
        self.assertEqual([len(rcpts) for rcpts, _ in self.relay.mails], [70, 70, 10])

    def test_a_reader_who_has_had_enough_keeps_nobody_else_waiting(self):
        d = self.started('messages_per_recipient_hour = 2\n')
        for _ in range(2):
            self.assertEqual(d.final(d.submit(**JOB))['state'], 'delivered')
        waiting = d.submit(**JOB)
        both = d.submit(**dict(JOB, to=['ops@contoso.example', 'night@contoso.example']))
        self.assertEqual(d.final(d.submit(**dict(JOB, to=['day@contoso.example'])))['state'], 'delivered')
        job = until(lambda: (lambda j: j if j.get('reason', '').startswith('paced') else None)(d.job(waiting)), 'it waits')
        self.assertEqual((job['state'], job['attempt_count']), ('queued', 0), job)
        due = datetime.datetime.fromisoformat(job['next_attempt'].replace('Z', '+00:00'))
        minutes = (due - datetime.datetime.now(datetime.timezone.utc)).total_seconds() / 60
        self.assertTrue(54 < minutes < 66, job)
        job = until(lambda: (lambda j: j if j['recipients'][1]['state'] == 'delivered' else None)(d.job(both)), 'the other one')
        self.assertEqual((job['state'], job['recipients'][0]['state']), ('queued', 'pending'), job)
        self.assertEqual(d.account('a')['state'], 'ok')


class Server(Limits):
    def test_too_many_sessions_make_it_fewer_and_no_attempt_is_counted(self):
        said = []

        def end(_):
            said.append(1)
            return '432 4.3.2 Concurrent connections limit exceeded.' if len(said) == 1 else None

        fake = self.lenient(faults={'END': end})
        d = self.started('max_connections = 1\n', fake)
        job = d.submit(**JOB)
        account = self.until_state(d, 'throttled')
        self.assertTrue(account['reason'].startswith('too-many-sessions'), account)
        ends = datetime.datetime.fromisoformat(account['until'].replace('Z', '+00:00'))
        self.assertTrue(8 < (ends - datetime.datetime.now(datetime.timezone.utc)).total_seconds() <= 61, account)
        job = d.job(job)
        self.assertEqual((job['state'], job['attempt_count']), ('queued', 0), job)

    def test_a_day_that_the_server_has_ended_stays_so_over_a_restart_and_a_crash(self):
        said = []

        def end(_):
            said.append(1)
            return '550 5.4.5 Daily user sending limit exceeded'

        d = self.started('', self.lenient(faults={'END': end}))
        job = d.submit(**JOB)
        before = self.until_state(d, 'throttled')
        d.stop()
        d.start()
        self.assertEqual(d.account('a')['state'], 'throttled')
        d.kill()
        d.start()
        account = d.account('a')
        self.assertEqual(account['state'], 'throttled', account)
        first, last = (datetime.datetime.fromisoformat(a['until'].replace('Z', '+00:00')) for a in (before, account))
        self.assertTrue(abs((last - first).total_seconds()) < 5, (before, account))
        self.assertTrue(account['reason'].startswith('quota: 550 5.4.5 Daily user'), account)
        self.assertEqual((d.job(job)['state'], d.job(job)['attempt_count'], len(said)), ('queued', 0, 1))

    def test_the_account_logs_in_as_often_as_it_may(self):
        said = []

        def mail(_):
            said.append(1)
            return '421 4.7.0 closing' if len(said) <= 1 else None

        d = self.started('logins_per_minute = 1\n', self.lenient(faults={'RSET': mail, 'MAIL': mail}))
        job = d.submit(**JOB)
        shown = until(lambda: (lambda j: j if said and j['state'] == 'queued' else None)(d.job(job)), 'the first session has ended')
        self.assertEqual(self.relay.sessions, 1, shown)
        # with the limit gone it goes at once
        d.configure(CONFIG % (self.relay.port, ''))
        self.assertEqual(d.post('/v1/reload', None, True).status, 200)
        self.assertEqual(d.final(job)['state'], 'delivered')
        self.assertEqual(self.relay.sessions, 2)


class Settings(Limits):
    def test_bad_values_are_refused_by_file_and_line(self):
        d = self.daemon(CONFIG % (25, 'messages_per_minute = -1\nrecipients_per_message = 0\nshare = 20\n'), start=False)
        done = run(*d.command(), '--check')
        self.assertEqual(done.returncode, 78, done)
        for line, word in ((12, 'messages_per_minute'), (13, 'recipients_per_message'), (14, 'share')):
            self.assertRegex(done.stderr + done.stdout, r'notifyd\.conf:%d: \[account a\] %s' % (line, word))


if __name__ == '__main__':
    unittest.main()
