# SPDX-License-Identifier: Apache-2.0
"""What notifyd refuses to take: a full queue, a full disk, a submitter beyond its quota. The operators' socket has no quota."""
import os
import subprocess
import threading

import notifyd
from notifyd import ProgramTest

CONFIG = '''
[daemon]
hostname = host.example
to = duty@example.com
[queue]
%s
[access]
to_allow = *
%s
[account relay]
provider = smtp
host = localhost:9
security = none
auth = none
from = "Alerts" <alerts@example.com>
'''
JOB = {'subject': 'Disk failing on web01', 'text': 'sda: 12 pending sectors\n'}
URGENT = dict(JOB, severity='critical')


class Limits(ProgramTest):
    def limited(self, queue='', access=''):
        return self.daemon(CONFIG % (queue, access))

    def warnings(self, daemon):
        return [warning['code'] for warning in daemon.status()['warnings']]

    def test_a_full_queue_keeps_its_last_places_for_what_is_severe(self):
        d = self.limited('max_jobs = 20')
        for _ in range(16):
            d.submit(**JOB)
        self.assertEqual(self.warnings(d), [])
        d.submit(**JOB)
        self.assertEqual(self.warnings(d), ['queue-filling'])
        for _ in range(2):
            d.submit(**JOB)
        self.assertEqual(self.warnings(d), ['queue-full'])
        check = subprocess.run([notifyd.NOTIFYCTL, '--socket', d.socket, 'check'], capture_output=True, text=True)
        self.assertEqual(check.returncode, 2, check)
        self.assertIn('is full', check.stdout)
        refused = d.post('/v1/jobs', JOB, True)
        self.assert_problem(refused, 503, 'queue-full', '19 jobs', '[queue] max_jobs')
        self.assertGreater(int(refused.headers['Retry-After']), 0)
        self.assert_problem(d.get('/v1/health'), 503, 'queue-full')
        self.assertEqual(d.get('/v1/health?live').status, 200)
        d.submit(**URGENT)
        self.assert_problem(d.post('/v1/jobs', URGENT, True), 503, 'queue-full')
        d.kill()    # what it holds is known again at once
        d.start()
        self.assert_problem(d.post('/v1/jobs', JOB, True), 503, 'queue-full', '20 jobs')

    def test_a_batch_is_taken_as_far_as_there_is_room(self):
        d = self.limited('max_jobs = 20')
        reply = d.post('/v1/jobs', [JOB] * 25, True)
        self.assertEqual((reply.status, [('id' in entry) for entry in reply.json]), (207, [True] * 19 + [False] * 6), reply)
        self.assertEqual(reply.json[19]['code'], 'queue-full')
        self.assertEqual(d.status()['queue']['queued'], 19)

    def test_the_octets_in_the_queue_are_bounded(self):
        d = self.limited('max_bytes = 1M')
        large = dict(JOB, text='0123456789' * 20000)
        taken = 0
        while d.post('/v1/jobs', large, True).status == 202:
            taken += 1
            self.assertLess(taken, 6)
        self.assertEqual(taken, 4)
        self.assertGreater(d.status()['queue']['octets'], 800000)
        self.assert_problem(d.post('/v1/jobs', large, True), 503, 'queue-full', '[queue] max_bytes')
        d.submit(**JOB)    # a small one fits

    def test_some_of_the_disk_stays_free(self):
        d = self.limited('min_free = 1000000G')
        refused = d.post('/v1/jobs', URGENT, True)
        self.assert_problem(refused, 503, 'disk-full', '[queue] min_free')
        self.assertIn('Retry-After', refused.headers)
        self.assertEqual(self.warnings(d), ['disk-full'])
        self.assertEqual(d.status()['queue']['queued'], 0)

    def test_a_submitter_has_a_quota_and_an_operator_has_none(self):
        d = self.limited(access='quota_jobs = 8/day')
        for _ in range(8):
            d.submit(admin=False, **JOB)
        refused = d.post('/v1/jobs', JOB)
        self.assert_problem(refused, 429, 'over-quota', 'uid %d' % os.getuid(), '8/day', 'try again in', '[access] quota_jobs')
        self.assertAlmostEqual(int(refused.headers['Retry-After']), 86400 / 8, delta=120)
        self.assert_problem(d.post('/v1/jobs', dict(JOB, key='disk:sda')), 429, 'over-quota')
        d.submit(admin=True, **JOB)
        d.submit(admin=False, **URGENT)
        d.submit(admin=False, **URGENT)
        self.assert_problem(d.post('/v1/jobs', URGENT), 429, 'over-quota')

    def test_recipients_elsewhere_have_a_quota(self):
        d = self.limited(access='quota_recipients = 3/day')
        d.submit(admin=False, **dict(JOB, to=['a@example.org', 'b@example.org', 'c@example.com']))
        self.assert_problem(d.post('/v1/jobs', dict(JOB, to=['d@example.org', 'e@example.org'])), 429, 'over-quota', 'quota_recipients')
        d.submit(admin=False, **dict(JOB, to=['c@example.com', 'd@example.com']))
        d.submit(admin=False, **dict(JOB, to='d@example.org'))

    def test_a_job_that_never_fits_is_not_told_to_come_again(self):
        d = self.limited(access='quota_recipients = 3/day\nquota_bytes = 300K')
        for job, setting in ((dict(JOB, to=['%d@example.org' % i for i in range(4)]), 'quota_recipients'),
                             (dict(JOB, text='0123456789' * 40000), 'quota_bytes')):
            refused = d.post('/v1/jobs', job)
            self.assert_problem(refused, 413, 'too-big', setting, 'split it')
            self.assertNotIn('Retry-After', refused.headers)

    def test_a_job_that_is_there_already_does_not_count(self):
        d = self.limited(access='quota_jobs = 3/hour\nquota_recipients = 3/day')
        job = dict(JOB, to='a@example.org', idempotency_key='backup-1')
        first = d.submit(admin=False, **job)
        for _ in range(5):
            again = d.post('/v1/jobs', job)
            self.assertEqual((again.status, again.json['id']), (200, first))
        self.assert_problem(d.post('/v1/jobs', dict(job, subject='another')), 409, 'idempotency-mismatch')
        for name in 'bc':
            d.submit(admin=False, **dict(JOB, to=name + '@example.org'))
        self.assert_problem(d.post('/v1/jobs', JOB), 429, 'over-quota')

    def test_what_was_accepted_is_said_to_be_so_when_nothing_more_is_taken(self):
        d = self.limited('max_jobs = 20', 'quota_jobs = 2/hour')
        small = dict(JOB, idempotency_key='backup-1')
        large = dict(JOB, text='0123456789\n' * 40000, idempotency_key='backup-2')
        known = [(job, d.submit(admin=False, **job)) for job in (small, large)]
        send = [notifyd.NOTIFYCTL, '--socket', d.socket, 'send', '--idempotency-key', 'backup-3', '--subject', 'x', '--text', 'x']
        self.assertEqual(subprocess.run(send, check=False, stdout=subprocess.DEVNULL).returncode, 0)

        def all_known(status, code):
            for job, first in known:
                again = d.post('/v1/jobs', job)
                self.assertEqual((again.status, again.json.get('id'), again.json.get('duplicate')), (200, first, True), again)
                self.assert_problem(d.post('/v1/jobs', dict(job, idempotency_key='new')), status, code)
            self.assertEqual(subprocess.run(send, check=False, stdout=subprocess.DEVNULL).returncode, 0)
            several = d.post('/v1/jobs', [small, dict(JOB, idempotency_key='new'), large])
            self.assertEqual((several.status, [one.get('duplicate', one.get('code')) for one in several.json]), (207, [True, code, True]))
            self.assert_problem(d.post('/v1/jobs', dict(small, subject='another')), 409, 'idempotency-mismatch')

        all_known(429, 'over-quota')
        while d.post('/v1/jobs', URGENT, True).status == 202:
            pass
        all_known(503, 'queue-full')
        d.configure(CONFIG % ('min_free = 1000000G', ''))
        self.assertEqual(d.post('/v1/reload', None, True).status, 200)
        all_known(503, 'disk-full')
        d.configure(CONFIG.replace('to_allow = *', 'to_allow = ops@example.com').replace('to = duty@example.com', 'to = duty@example.org') % ('', ''))
        self.assertEqual(d.post('/v1/reload', None, True).status, 200)
        before = d.status()['queue']
        for job, first in known:
            self.assertEqual(d.post('/v1/jobs', job).json['id'], first)
        self.assertEqual(d.status()['queue'], before)

    def test_octets_of_one_submitter_have_a_quota_also_after_a_restart(self):
        d = self.limited(access='quota_bytes = 300K')
        d.submit(admin=False, **dict(JOB, text='0123456789' * 20000))
        self.assert_problem(d.post('/v1/jobs', dict(JOB, text='0123456789' * 20000)), 429, 'over-quota', 'quota_bytes')
        d.stop()
        d.start()
        self.assert_problem(d.post('/v1/jobs', dict(JOB, text='0123456789' * 20000)), 429, 'over-quota', 'quota_bytes')
        d.submit(admin=False, **JOB)

    def test_the_quota_of_octets_holds_for_jobs_that_come_together(self):
        d = self.limited(access='quota_bytes = 1M')
        job = dict(JOB, text=('0123456789' * 7 + '\n') * 570)    # 40 KB
        reply = d.post('/v1/jobs', [job] * 100)
        self.assertEqual(reply.status, 207)
        self.assertLessEqual({one['code'] for one in reply.json if 'code' in one}, {'over-quota'})
        held = d.status()['queue']['octets']
        self.assertLessEqual(held, 1 << 20)
        while True:    # nobody is refused for what is in the queue and was on its way into it before
            reply = d.post('/v1/jobs', job)
            if reply.status != 202:
                break
        self.assert_problem(reply, 429, 'over-quota', 'quota_bytes')
        self.assertGreater(d.status()['queue']['octets'], (1 << 20) - 50000)
        self.assertLessEqual(d.status()['queue']['octets'], 1 << 20)

    def test_many_large_requests_at_once_are_taken_or_told_to_come_again(self):
        d = self.limited('max_bytes = 100M')
        body = b'{"subject":"large","text":"' + b'0123456789\\n' * 2_900_000 + b'"}'
        self.assertGreater(len(body), 34_000_000)
        statuses, failures = [], []

        def client():
            try:
                statuses.append(notifyd.request(d.admin, 'POST', '/v1/jobs', body, timeout=120).status)
            except OSError as error:
                failures.append(error)

        clients = [threading.Thread(target=client) for _ in range(64)]
        for thread in clients:
            thread.start()
        for thread in clients:
            thread.join()
        self.assertEqual(failures, [])
        self.assertEqual(len(statuses), 64)
        self.assertLessEqual(set(statuses), {202, 503})
        self.assertTrue(d.alive())
        d.submit(**JOB)
