# SPDX-License-Identifier: Apache-2.0
"""retry, hold, release, cancel, one job or many; flush, pause, resume. The relay is a closed port, or the stand-in provider."""
import contextlib
import json
import os
import subprocess
import sys
import threading
import unittest

import notifyd
from notifyd import NOTIFYCTL, ProgramTest, later, until
from test_process import Stopped, threads

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'fake'))
import relay

CLOSED = '''[account nowhere]
host = 127.0.0.1:1
from = alerts@example.com
security = none
'''
JOB = {'to': 'ops@example.com', 'subject': 'x'}
NEVER = '01K00000000000000000000000'


class Acts(ProgramTest):
    def setUp(self):
        self.d = self.daemon(CLOSED)

    def act(self, job, action, admin=True):
        return self.d.post('/v1/jobs/%s/%s' % (job, action), None, admin)

    def waiting(self, **more):
        return self.d.submit(**dict(JOB, not_before=later(), **more))

    def test_a_job_is_held_released_and_cancelled(self):
        job = self.waiting()
        for action, state in (('hold', 'held'), ('release', 'queued'), ('cancel', 'cancelled')):
            reply = self.act(job, action)
            self.assertEqual((reply.status, reply.json), (200, {'id': job, 'state': state}))
            self.assertEqual(self.d.job(job)['state'], state)
        self.assertEqual(self.d.job(job)['recipients'][0]['state'], 'cancelled')
        self.assertEqual(self.d.get('/v1/jobs/%s/message' % job, True).status, 410)
        self.assert_problem(self.act(job, 'retry'), 409, 'wrong-state', 'cancelled')
        self.assert_problem(self.act(NEVER, 'hold'), 404, 'not-found')
        self.assert_problem(self.act(job[-8:], 'hold'), 404, 'not-found', 'whole id')

    def test_a_job_that_is_due_is_held_while_its_account_fails(self):
        job = self.d.submit(**JOB)
        until(lambda: self.d.account('nowhere')['state'] == 'failing', 'the account fails')
        reply = self.act(job, 'hold')
        self.assertIn(reply.status, (200, 202), reply)
        until(lambda: self.d.job(job)['state'] == 'held', 'it is held')
        self.d.kill()
        self.d.start()
        self.assertEqual(self.d.job(job)['state'], 'held')
        self.assertEqual(self.act(job, 'release').json['state'], 'queued')

    def test_many_at_once_by_filters(self):
        jobs = [self.waiting(source='s%d' % (n % 2)) for n in range(20)]
        reply = self.d.post('/v1/jobs/hold?source=s1', None, True)
        self.assertEqual((reply.status, reply.json), (200, {'matched': 10, 'changed': 10}))
        self.assertEqual(sorted(self.d.job(job)['state'] for job in jobs), ['held'] * 10 + ['queued'] * 10)
        self.assertEqual(self.d.post('/v1/jobs/cancel', None, True).json, {'matched': 20, 'changed': 20})
        self.assertEqual(self.d.post('/v1/jobs/cancel', None, True).json, {'matched': 0, 'changed': 0})
        self.assertEqual(self.d.status()['totals']['cancelled'], 20)
        self.assert_problem(self.d.post('/v1/jobs/cancel?statee=held', None, True), 400, 'unknown-field', 'state')

    def test_an_empty_filter_does_not_mean_all_jobs(self):
        job = self.waiting()
        for name in ('state', 'severity', 'account', 'source', 'key', 'since', 'id'):
            for value in ('', ','):
                with self.subTest(name=name, value=value):
                    self.assert_problem(self.d.post('/v1/jobs/cancel?%s=%s' % (name, value), None, True), 400, 'invalid-value', name)
                    self.assert_problem(self.d.get('/v1/jobs?%s=%s' % (name, value), True), 400, 'invalid-value', name)
            done = subprocess.run([NOTIFYCTL, '--socket', self.d.socket, 'cancel', '--all', '--yes', '--' + name, ''],
                                  capture_output=True, text=True, stdin=subprocess.DEVNULL)
            self.assertEqual(done.returncode, 65, done)
            self.assertIn(name, done.stderr)
        self.assertEqual(self.d.job(job)['state'], 'queued')

    def test_a_thousand_are_cancelled_over_several_pages(self):
        for _ in range(3):
            reply = self.d.post('/v1/jobs', [dict(JOB, not_before=later())] * 500, True)
            self.assertEqual(reply.status, 202)
        self.assertEqual(self.d.post('/v1/jobs/cancel', None, True).json, {'matched': 1500, 'changed': 1500})
        self.assertEqual(self.d.status()['queue']['queued'], 0)

    def test_a_submitter_changes_only_its_own(self):
        job = self.waiting()
        self.assertEqual(self.act(job, 'hold', admin=False).status, 200)    # the same user
        self.assert_problem(self.d.post('/v1/queue/pause', None), 403, 'operator-only')

    @unittest.skipUnless(os.geteuid() == 0, 'needs root to be somebody else')
    def test_nor_does_one_that_leaves_before_it_is_known_whose_they_are(self):
        job = self.waiting()

        def sockets():
            folder, found = '/proc/%d/fd' % self.d.process.pid, set()
            for name in os.listdir(folder):
                with contextlib.suppress(FileNotFoundError):
                    found.add(os.readlink(os.path.join(folder, name)))
            return found
        storage = next(tid for tid, (name, _) in threads(self.d.process.pid).items() if name == 'storage')
        script = ('import socket,sys\ns = socket.socket(socket.AF_UNIX)\ns.connect(sys.argv[1])\n'
                  's.sendall(b"POST /v1/jobs/%s/cancel HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: 0\\r\\n\\r\\n" % sys.argv[2].encode())\n'
                  'sys.stdin.read()')
        before = sockets()
        try:
            stopped = Stopped(storage).__enter__()
        except OSError as error:
            self.skipTest('no thread can be stopped here: %s' % error)
        try:
            client = subprocess.Popen(['python3', '-c', script, self.d.socket, job], stdin=subprocess.PIPE, user=65534, group=65534)
            come = until(lambda: sockets() - before, 'it has come')
            client.communicate(timeout=60)
            until(lambda: not come & sockets(), 'it is seen that it has left')
        finally:
            stopped.__exit__()
        for _ in range(3):    # each answer is a turn of the storage
            self.assertEqual(self.d.job(job)['state'], 'queued')

    def test_a_paused_queue_stays_so_over_a_restart(self):
        self.assertEqual(self.d.post('/v1/queue/pause', None, True).json, {'state': 'paused'})
        job = self.d.submit(**JOB)
        for end in (self.d.stop, self.d.kill):
            with self.subTest(end.__name__):
                end()
                self.d.start()
                self.assertIn('paused', [w['code'] for w in self.d.status()['warnings']])
                self.assertEqual(self.d.account('nowhere')['state'], 'ok')    # nothing was tried
                seen = self.d.job(job)
                self.assertEqual((seen['state'], seen['reason'][:8], seen['hint']), ('queued', 'paused: ', 'notifyctl resume'))
        dry = self.d.post('/v1/jobs?dry_run=1', JOB, True).json
        self.assertEqual((dry['reason'][:8], 'eta' in dry), ('paused: ', False), dry)
        self.assertEqual(self.d.post('/v1/queue/resume', None, True).json, {'state': 'running'})
        until(lambda: self.d.account('nowhere')['state'] == 'failing', 'it is tried again')

    def test_what_is_answered_of_a_pause_is_on_disk(self):
        paused = lambda: 'paused' in [w['code'] for w in self.d.status()['warnings']]
        act = lambda verb: self.d.post('/v1/queue/' + verb, None, True)
        for verb, state in (('pause', 'paused'), ('resume', 'running')):
            self.assertEqual(act(verb).json, {'state': state})
            self.d.kill()
            self.d.start()
            self.assertEqual(paused(), state == 'paused')
        in_the_way = os.path.join(self.d.state, 'queue-paused')
        os.mkdir(in_the_way)    # no file comes there, and none is removed
        self.assert_problem(act('pause'), 503, 'disk-error', 'paused until notifyd starts again')
        self.assertTrue(paused())
        self.assert_problem(act('resume'), 503, 'disk-error', 'resumed until notifyd starts again')
        self.assertFalse(paused())
        os.rmdir(in_the_way)
        self.assertEqual(act('resume').json, {'state': 'running'})

    def test_the_whole_queue_is_not_meant_when_something_else_is_named(self):
        for verb in ('flush', 'pause', 'resume'):
            self.assert_problem(self.d.post('/v1/queue/%s?account=nowhere' % verb, None, True), 400, 'unknown-field', 'account')
        self.assertEqual(self.d.status()['warnings'], [])

    def test_the_client_speaks_of_jobs_by_their_ends(self):
        job = self.waiting()
        run = lambda *words: subprocess.run([NOTIFYCTL, '--socket', self.d.socket, *words], capture_output=True, text=True, stdin=subprocess.DEVNULL)
        done = run('hold', job[-8:])
        self.assertEqual((done.returncode, done.stdout), (0, '%s held\n' % job), done)
        self.assertEqual(run('hold', job[-8:]).returncode, 65)
        self.assertEqual(run('cancel', '--all').returncode, 64)
        done = run('cancel', '--all', '--yes', '--state', 'held')
        self.assertEqual((done.returncode, done.stdout), (0, '1 of 1 jobs changed\n'), done)
        self.assertEqual(run('flush').returncode, 0)


@unittest.skipUnless(os.geteuid() == 0, 'needs root to be somebody else')
class Turns(ProgramTest):
    """Submitters take turns, whatever is in memory of what they have submitted."""

    def setUp(self):
        self.relay = relay.Lenient()
        self.addCleanup(self.relay.close)
        self.d = self.daemon(CLOSED.replace('127.0.0.1:1', '127.0.0.1:%d' % self.relay.port) + 'max_connections = 1\n' +
                             '[access]\nquota_jobs = none\n')
        self.d.post('/v1/queue/pause', None, True)

    def flood(self):
        for _ in range(5):
            self.assertEqual(self.d.post('/v1/jobs', [JOB] * 500, True).status, 202)

    def somebody(self, **more):
        script = 'import sys, notifyd\nsys.exit(notifyd.request(sys.argv[1], "POST", "/v1/jobs", sys.argv[2]).status != 202)'
        subprocess.run(['python3', '-c', script, self.d.socket, json.dumps(dict(JOB, subject='of another', **more))], user=65534,
                       group=65534, check=True, env=dict(os.environ, PYTHONPATH=os.path.dirname(os.path.abspath(__file__))))

    def place(self):
        """Of the other one's mail among all."""
        return until(lambda: [n for n, (_, content) in enumerate(list(self.relay.mails)) if b'Subject: of another' in content], 'it')[0]

    def test_one_job_does_not_wait_for_a_flood_after_a_restart(self):
        for end in (self.d.stop, self.d.kill):
            with self.subTest(end.__name__):
                self.flood()
                self.somebody()
                end()
                self.d.start()
                self.d.post('/v1/queue/resume', None, True)
                self.assertLess(self.place(), 20)
                self.d.post('/v1/queue/pause', None, True)
                self.d.post('/v1/jobs/cancel', None, True)
                until(lambda: not self.d.status()['queue']['sending'], 'the queue rests')
                self.relay.mails.clear()


class Withdrawn(ProgramTest):
    """hold and cancel of a job that is being sent: before the end of data at once, after that as the relay says."""

    def setUp(self):
        self.named, self.go_on = threading.Event(), threading.Event()
        self.relay = relay.Lenient(offer=self.offer(), faults={'RCPT': self.slow})
        self.addCleanup(self.relay.close)
        self.addCleanup(self.go_on.set)
        self.d = self.daemon(CLOSED.replace(':1\n', ':%d\nmax_connections = 1\n' % self.relay.port))

    def offer(self):
        return ('PIPELINING', '8BITMIME', 'CHUNKING')

    def slow(self, _):
        self.named.set()
        self.go_on.wait(60)

    def sending(self, **more):
        self.named.clear()    # it was set by the one before
        job = self.d.submit(**dict(JOB, **more))
        self.assertTrue(self.named.wait(30))
        self.assertEqual(self.d.job(job)['state'], 'sending')
        return job

    def act(self, job, action):
        return self.d.post('/v1/jobs/%s/%s' % (job, action), None, True)

    def test_one_that_waits_for_the_answer_to_a_recipient_is_never_delivered(self):
        job = self.sending(text='x' * 200000)    # its content is still to come
        reply = self.act(job, 'cancel')
        self.assertEqual((reply.status, reply.json), (200, {'id': job, 'state': 'cancelled'}))
        self.go_on.set()
        shown = self.d.job(job)
        self.assertEqual((shown['state'], shown['attempt_count'], shown['attempts']), ('cancelled', 0, []))
        self.assertEqual(shown['recipients'][0]['state'], 'cancelled')
        self.assertEqual(self.d.final(self.d.submit(**dict(JOB, subject='next')))['state'], 'delivered')
        self.assertEqual(len(self.relay.mails), 1)
        self.assertIn(b'Subject: next', self.relay.mails[0][1])
        self.assertEqual(self.d.account('nowhere')['state'], 'ok')

    def test_one_that_is_held_goes_when_it_is_released(self):
        job = self.sending()
        self.assertEqual(self.act(job, 'hold').json['state'], 'held')
        self.go_on.set()
        self.assertEqual((self.d.job(job)['state'], self.relay.mails), ('held', []))
        self.assertEqual(self.act(job, 'release').json['state'], 'queued')
        shown = self.d.final(job)
        self.assertEqual((shown['state'], shown['attempt_count'], len(self.relay.mails)), ('delivered', 1, 1))
        self.assertFalse(shown['uncertain'])

    def test_with_all_jobs_the_one_under_way_goes_too(self):
        job = self.sending()
        more = [self.d.submit(**JOB) for _ in range(5)]
        self.assertEqual(self.d.post('/v1/jobs/cancel', None, True).json, {'matched': 6, 'changed': 6})
        self.go_on.set()
        self.assertEqual({self.d.job(one)['state'] for one in [job, *more]}, {'cancelled'})
        self.assertEqual(self.relay.mails, [])

    def test_after_the_end_of_data_the_relay_has_the_word(self):
        self.go_on.set()
        for action, code, state in (('cancel', None, 'delivered'), ('hold', '451 4.3.0 later', 'held'), ('cancel', '451 4.3.0 later', 'cancelled')):
            self.relay.faults['END'] = code
            self.relay.gate.clear()
            self.relay.waiting.clear()
            job = self.sending()
            self.assertTrue(self.relay.waiting.wait(30))
            reply = self.act(job, action)
            self.assertEqual((reply.status, reply.json), (202, {'id': job, 'state': 'sending'}))
            self.relay.gate.set()
            until(lambda: self.d.job(job)['state'] not in ('sending', 'queued'), 'the answer is heard')
            shown = self.d.job(job)
            self.assertEqual((shown['state'], shown['attempt_count'], len(self.relay.mails)), (state, 1, 1))


    def test_jobs_that_are_sent_are_found_by_their_state(self):
        job = self.sending()
        waiting = self.d.submit(**dict(JOB, not_before=later()))
        found = lambda states: [(j['id'], j['state']) for j in self.d.get('/v1/jobs?state=' + states, True).json['jobs']]
        self.assertEqual(found('sending'), [(job, 'sending')])
        self.assertEqual(found('queued'), [(waiting, 'queued')])
        self.assertEqual(found('sending,queued'), [(waiting, 'queued'), (job, 'sending')])
        self.assertEqual(found('held,sending'), [(job, 'sending')])
        self.assertEqual(self.d.post('/v1/jobs/hold?state=queued', None, True).json, {'matched': 1, 'changed': 1})
        self.assertEqual(self.d.post('/v1/jobs/cancel?state=sending', None, True).json, {'matched': 1, 'changed': 1})
        self.go_on.set()
        self.assertEqual([self.d.job(one)['state'] for one in (job, waiting)], ['cancelled', 'held'])
        self.assertEqual(self.relay.mails, [])


class WithdrawnStepwise(Withdrawn):
    """The same with a relay that knows nothing but DATA."""

    def offer(self):
        return ('8BITMIME',)


class Retry(ProgramTest):
    """Against the stand-in, which refuses one recipient for good and puts off another once."""

    def setUp(self):
        self.d = self.daemon(start=False)
        self.d.configure('''[account m365]
provider = microsoft
host = %(smtp_host)s:%(smtp_port)s
from = %(user)s
tenant = %(tenant)s
client_id = %(client_id)s
client_secret = file:%(secret)s
token_url = %(token_url)s
ca_file = %(ca)s
''' % self.provider().facts)
        self.d.start()

    def test_a_refused_job_is_tried_again_and_a_delivered_one_is_not(self):
        job = self.d.submit(to=['reject@contoso.example'], subject='x')
        self.assertEqual(self.d.final(job)['state'], 'failed')
        reply = self.d.post('/v1/jobs/%s/retry' % job, None, True)
        self.assertEqual((reply.status, reply.json['state']), (200, 'queued'))
        shown = self.d.final(job)
        self.assertEqual((shown['state'], len(shown['attempts'])), ('failed', 2), shown)
        fine = self.d.submit(to=['ops@contoso.example'], subject='x')
        self.assertEqual(self.d.final(fine)['state'], 'delivered')
        self.assert_problem(self.d.post('/v1/jobs/%s/retry' % fine, None, True), 409, 'wrong-state', 'delivered')

    def test_jobs_expire_after_a_retry_in_an_empty_queue(self):
        failed = self.d.submit(to=['reject@contoso.example'], subject='x')
        self.assertEqual(self.d.final(failed)['state'], 'failed')
        self.assertEqual(self.d.post('/v1/reload', None, True).status, 200)    # looks for what has expired: the queue is empty
        self.assertEqual(self.d.job(failed)['state'], 'failed')    # by now it has looked
        self.assertEqual(self.d.post('/v1/queue/pause', None, True).status, 200)
        self.assertEqual(self.d.post('/v1/jobs/%s/retry' % failed, None, True).json['state'], 'queued')
        late = self.d.submit(to=['ops@contoso.example'], subject='x', expires_in='1s')
        self.assertEqual(self.d.final(late, 100)['state'], 'expired')

class Flush(ProgramTest):
    def test_a_flush_hurries_what_waits_for_another_try(self):
        fake = relay.Lenient(faults={'RCPT': '450 4.2.1 the mailbox is asleep'})
        self.addCleanup(fake.close)
        d = self.daemon(CLOSED.replace(':1\n', ':%d\n' % fake.port))
        job = d.submit(**JOB)
        for tries in range(1, 5):
            until(lambda tries=tries: d.job(job)['attempt_count'] == tries, 'try %d is over' % tries)
            if tries == 4:
                fake.faults.clear()
            self.assertEqual(d.post('/v1/queue/flush', None, True).status, 200)
        self.assertEqual(d.final(job, 60)['state'], 'delivered')    # its own time would be two minutes later


if __name__ == '__main__':
    notifyd.unittest.main()
