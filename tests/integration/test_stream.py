# SPDX-License-Identifier: Apache-2.0
"""Answers that come piece by piece: streams of jobs, and what happens as it happens."""
import json
import os
import signal
import socket
import subprocess
import threading
import time
import unittest

import notifyd
from notifyd import ProgramTest, UnixConnection, hear, until
from test_api import CONFIG, JOB, Api

NDJSON = {'Content-Type': 'application/x-ndjson'}


def lines_of(reply):
    return [json.loads(line) for line in reply.body.splitlines()]


def stream_of(*jobs):
    return b''.join(json.dumps(job).encode() + b'\n' for job in jobs)


class Follower:
    """Reads the events of a daemon."""

    def __init__(self, path, query='', timeout=30):
        self.connection = UnixConnection(path, timeout)
        self.connection.request('GET', '/v1/events' + query)
        self.reply = self.connection.getresponse()
        assert self.reply.status == 200, (self.reply.status, self.reply.read())

    def next(self):
        """The next event; None at the end of the stream."""
        line = self.reply.readline()
        return json.loads(line) if line else None

    def until(self, event):
        """The events up to one of this name, with it."""
        seen = []
        while not seen or seen[-1]['event'] != event:
            seen.append(self.next())
            assert seen[-1] is not None, 'the stream ended before %s: %s' % (event, seen)
        return seen

    def close(self):
        self.reply.close()
        self.connection.close()


class Streams(Api):
    def test_each_line_is_a_job_and_is_answered_in_order(self):
        reply = self.d.post('/v1/jobs', stream_of(*[dict(JOB, key='k%d' % i) for i in range(20)]))
        self.assertEqual((reply.status, reply.headers['Content-Type']), (202, 'application/x-ndjson'), reply)
        answers = lines_of(reply)
        self.assertEqual([self.d.job(a['id'])['key'] for a in answers], ['k%d' % i for i in range(20)])

    def test_one_line_of_that_type_is_a_stream_too(self):
        reply = self.d.post('/v1/jobs', stream_of(JOB), headers=NDJSON)
        self.assertEqual((reply.status, len(lines_of(reply))), (202, 1), reply)
        self.assertEqual(self.d.post('/v1/jobs', b'\n', headers=NDJSON).body, b'')

    def test_a_job_that_is_refused_says_its_line_and_the_others_go_on(self):
        one, bad = json.dumps(JOB, indent=1), json.dumps(dict(JOB, sevrity='x'))
        answers = lines_of(self.d.post('/v1/jobs', '%s\n\n%s\n[1]%s' % (one, bad, one)))
        height = one.count('\n') + 1
        self.assertEqual([('id' in a, a.get('index'), a.get('line')) for a in answers],
                         [(True, None, None), (False, 1, height + 2), (False, 2, height + 3), (True, None, None)])
        self.assertEqual((answers[1]['code'], answers[1]['hint']), ('unknown-field', 'did you mean "severity"?'))

    def test_a_line_that_breaks_in_the_middle_ends_the_stream_and_what_is_before_it_is_kept(self):
        count, broken = 10000, 7000
        jobs = [json.dumps({'text': 'job', 'source': 'broken'})] * count
        jobs[broken] = jobs[broken][:-5]
        before = self.d.status()['queue']['queued']
        answers = lines_of(self.d.post('/v1/jobs', '\n'.join(jobs), admin=True))
        self.assertEqual(len(answers), broken + 1)
        self.assertEqual(len({a['id'] for a in answers[:-1]}), broken)
        self.assertEqual((answers[-1]['code'], answers[-1]['index'], answers[-1]['line']), ('malformed', broken, broken + 1))
        self.assertIn('what follows it was not looked at', answers[-1]['hint'])
        queue = self.d.status()['queue']
        self.assertEqual(queue['queued'] + queue['sending'] - before, broken)

    def test_answers_come_before_the_stream_is_over(self):
        """A client that takes nothing holds the reading of its jobs up: they are not all in memory."""
        body = stream_of(*[{'text': 'job', 'source': 'slow'}] * 20000)
        sock = socket.socket(socket.AF_UNIX)
        self.addCleanup(sock.close)
        sock.settimeout(30)
        sock.connect(self.d.admin)
        before = self.d.status()['queue']['queued']
        sock.sendall(b'POST /v1/jobs HTTP/1.0\r\nContent-Length: %d\r\n\r\n' % len(body))
        sock.sendall(body)
        until(lambda: self.d.status()['queue']['queued'] > before, 'the first are taken')
        counts = [0, self.d.status()['queue']['queued']]
        until(lambda: counts.append(self.d.status()['queue']['queued']) or counts[-1] == counts[-2], 'the taking halts', pause=0.5)
        self.assertLess(counts[-1] - before, 15000)
        got = b''
        while True:
            piece = sock.recv(1 << 20)
            if not piece:
                break
            got += piece
        self.assertEqual(got.count(b'"state":"queued"'), 20000)

    def test_a_stream_goes_without_wait_and_dry_run(self):
        for query, field in (('?wait=5', 'wait'), ('?dry_run=1', 'dry_run')):
            reply = self.d.post('/v1/jobs' + query, stream_of(JOB, JOB))
            self.assert_problem(reply, 400, 'invalid-value', field)

    def test_what_follows_a_job_and_is_no_job_is_still_refused_whole(self):
        self.refused(json.dumps(JOB) + ' x', 400, 'malformed', 'after the end')

    def test_a_key_makes_sending_a_stream_again_safe(self):
        body = stream_of(*[dict(JOB, idempotency_key='s-%d-%d' % (time.monotonic_ns(), i)) for i in range(5)])
        first, again = (lines_of(self.d.post('/v1/jobs', body)) for _ in range(2))
        self.assertEqual([a['id'] for a in first], [a['id'] for a in again])
        self.assertTrue(all(a['duplicate'] for a in again))

    def test_a_client_that_leaves_in_the_middle_harms_nobody(self):
        body = stream_of(*[{'text': 'job', 'source': 'left'}] * 5000)
        for _ in range(3):
            sock = socket.socket(socket.AF_UNIX)
            sock.connect(self.d.admin)
            sock.sendall(b'POST /v1/jobs HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n' % len(body) + body)
            sock.recv(100)
            sock.close()
        self.assertEqual(self.d.post('/v1/jobs', JOB, admin=True).status, 202)


class HalfClosed(Api):
    """Clients such as nc -N, which close their half behind the request."""

    def ask(self, head, body=b'', follow=False):
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(60)
            client.connect(self.d.socket)
            client.sendall(b'%s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s' % (head, len(body), body))
            client.shutdown(socket.SHUT_WR)
            octets = b''
            while piece := client.recv(65536):
                octets += piece
                if follow and follow in octets:
                    break
        return octets

    def test_every_kind_of_answer_comes_whole(self):
        before = len(self.d.get('/v1/jobs?limit=1000').json['jobs'])
        body = json.dumps(JOB).encode()
        for _ in range(20):
            self.assertRegex(self.ask(b'POST /v1/jobs', body), b'(?s)^HTTP/1.1 202 .*"state":"queued"}\n?$')
        answer = self.ask(b'POST /v1/jobs', body * 300)
        self.assertEqual(answer.count(b'"state":"queued"'), 300)
        self.assertTrue(answer.endswith(b'0\r\n\r\n'))
        self.assertEqual(self.ask(b'GET /v1/jobs?limit=1000').count(b'"subject"'), before + 320)
        self.assertIn(b'HTTP/1.1 202 ', self.ask(b'POST /v1/jobs?wait=1', body))

    def test_events_are_told_as_they_happen(self):
        self.assertIn(b'"event":"begin"', self.ask(b'GET /v1/events', follow=b'"begin"'))
        told = []
        follower = threading.Thread(target=lambda: told.append(self.ask(b'GET /v1/events?since=0:0', follow=b'"job.queued"')))
        follower.start()
        self.d.submit(admin=False, **JOB)
        follower.join(60)
        self.assertIn(b'"job.queued"', told[0])


class Events(ProgramTest):
    def setUp(self):
        self.d = self.daemon(CONFIG)

    def follow(self, query='', admin=True):
        follower = Follower(self.d.admin if admin else self.d.socket, query)
        self.addCleanup(follower.close)
        return follower

    def test_what_happens_is_told_as_it_happens(self):
        follower = self.follow()
        begin = follower.next()
        self.assertEqual((begin['event'], begin['n']), ('begin', 0))
        job = self.d.submit(**JOB)
        queued = follower.next()
        self.assertEqual([queued[k] for k in ('n', 'boot', 'event', 'job', 'account', 'state')],
                         [1, begin['boot'], 'job.queued', job, 'relay', 'queued'])
        self.assertRegex(queued['time'], r'^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$')
        account = follower.until('account.state')[-1]
        self.assertEqual((account['account'], account['state']), ('relay', 'failing'))
        self.assertEqual(self.d.post('/v1/jobs/%s/hold' % job, None, admin=True).status, 200)
        self.assertEqual(follower.until('job.held')[-1]['job'], job)
        self.assertEqual(self.d.post('/v1/jobs/%s/cancel' % job, None, admin=True).status, 200)
        self.assertEqual(follower.until('job.cancelled')[-1]['job'], job)
        self.d.process.send_signal(signal.SIGHUP)
        follower.until('config.reloaded')

    def test_since_tells_what_came_meanwhile(self):
        begin = self.follow().next()
        jobs = [self.d.submit(**JOB) for _ in range(5)]
        follower = self.follow('?type=job.queued&since=%s:%d' % (begin['boot'], begin['n']))
        self.assertEqual(follower.next()['event'], 'begin')
        self.assertEqual([follower.next()['job'] for _ in jobs], jobs)

    def test_another_boot_is_a_gap(self):
        old = self.follow().next()
        self.d.stop()
        self.d.start()
        job = self.d.submit(**JOB)
        follower = self.follow('?type=job.*&since=%s:%d' % (old['boot'], old['n']))
        gap, queued = follower.next(), follower.next()
        self.assertEqual((gap['event'], gap['n'], queued['job']), ('gap', 0, job))
        self.assertNotEqual(gap['boot'], old['boot'])

    def test_filters_choose_and_bad_ones_are_refused(self):
        first, second = self.d.submit(**JOB), self.d.submit(**JOB)
        follower = self.follow('?since=0:0&job=' + second[-8:].lower())
        follower.next()
        self.assertEqual(follower.next()['job'], second)
        self.assertNotEqual(first, second)
        for query, field in (('type=job.gone', 'type'), ('type=', 'type'), ('type=,', 'type'), ('since=2h', 'since'), ('job=x', 'job')):
            self.assert_problem(self.d.get('/v1/events?' + query, True), 400, 'invalid-value', field)
        self.assert_problem(self.d.get('/v1/events?states=held', True), 400, 'unknown-field', 'states')

    @unittest.skipUnless(os.geteuid() == 0, 'needs root to be somebody else')
    def test_a_submitter_sees_its_own_jobs_alone(self):
        script = ('import json,sys; sys.path.insert(0, %r); import notifyd; from test_stream import Follower\n'
                  'f = Follower(%r, "?since=0:0")\nf.next()\nprint(f.next()["job"])\n' % (os.path.dirname(__file__), self.d.socket))
        self.d.submit(**JOB)
        follower = subprocess.Popen(['python3', '-c', script], stdout=subprocess.PIPE, user=65534, group=65534)
        reply = subprocess.run(['curl', '-s', '--unix-socket', self.d.socket, 'http://x/v1/jobs', '-d', json.dumps(JOB)],
                               stdout=subprocess.PIPE, user=65534, group=65534, check=True)
        self.assertEqual(follower.communicate(timeout=60)[0].decode().strip(), json.loads(reply.stdout)['id'])

    def test_followers_end_in_order_when_the_daemon_stops(self):
        followers = [self.follow() for _ in range(5)]
        self.d.stop()
        for follower in followers:
            self.assertEqual(follower.next()['event'], 'begin')
            while follower.next() is not None:
                pass

    def test_only_so_many_follow(self):
        for _ in range(48):
            self.follow(admin=False)
        self.assert_problem(self.d.get('/v1/events'), 503, 'busy')
        self.follow()

    def test_a_reader_that_takes_nothing_holds_nobody_up(self):
        """It misses what the record no longer has, and is told."""
        sock = socket.socket(socket.AF_UNIX)
        self.addCleanup(sock.close)
        sock.settimeout(60)
        sock.connect(self.d.admin)
        sock.sendall(b'GET /v1/events?type=job.queued HTTP/1.0\r\n\r\n')
        hear(sock, b'"event":"begin"')
        body = stream_of(*[{'text': 'x'}] * 20000)
        for _ in range(4):
            self.assertEqual(len(lines_of(self.d.post('/v1/jobs', body, admin=True, timeout=300))), 20000)
        got = hear(sock, b'"event":"gap"')
        lines = got[:got.rindex(b'\n')].split(b'\n')
        numbers = [json.loads(line)['n'] for line in lines if line]
        self.assertEqual(numbers, sorted(set(numbers)))


class Client(ProgramTest):
    """notifyctl, which follows and waits."""

    def setUp(self):
        self.d = self.daemon(CONFIG)

    def run_client(self, *words, **more):
        return subprocess.run([notifyd.NOTIFYCTL, '--socket', self.d.socket, *words], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=120, text=True, **more)

    def begin_client(self, *words):
        client = subprocess.Popen([notifyd.NOTIFYCTL, '--socket', self.d.socket, *words], stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)

        def end():
            if client.poll() is None:
                client.kill()
            client.communicate(timeout=30)
        self.addCleanup(end)
        return client

    def test_watch_goes_on_after_a_restart_of_the_daemon(self):
        client = self.begin_client('--json', 'watch', '--type', 'job.*')
        begin = json.loads(client.stdout.readline())
        self.assertEqual(begin['event'], 'begin')
        first = self.d.submit(**JOB)
        self.assertEqual(json.loads(client.stdout.readline())['job'], first)
        self.d.stop()
        self.d.start()
        second = self.d.submit(**JOB)
        gap, event = (json.loads(client.stdout.readline()) for _ in range(2))
        self.assertEqual((gap['event'], event['event'], event['job']), ('gap', 'job.queued', second))
        self.assertNotEqual(event['boot'], begin['boot'])

    def test_watch_tells_people_a_line_an_event_and_ends_when_interrupted(self):
        client = self.begin_client('watch', '--since', '0:0')
        self.assertIn('not known any more', client.stderr.readline())
        job = self.d.submit(**JOB)
        line = client.stdout.readline()
        self.assertRegex(line, r'^\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ  job\.queued +%s  relay$' % job[-8:])
        self.assertRegex(client.stdout.readline(), r'  account\.state   relay is failing: connect: ')
        client.send_signal(signal.SIGINT)
        self.assertEqual(client.wait(30), -signal.SIGINT)

    def test_watch_says_what_is_wrong(self):
        done = self.run_client('watch', '--type', 'job.none')
        self.assertEqual(done.returncode, 65, done)
        self.assertIn('job.none', done.stderr)
        done = self.run_client('--socket', '/nowhere/n.sock', 'watch')
        self.assertEqual(done.returncode, 75, done)

    def test_wait_tells_what_became_of_jobs(self):
        one, two = self.d.submit(**JOB), self.d.submit(**JOB)
        client = self.begin_client('wait', one, two[-8:])
        for job in (one, two):
            self.assertEqual(self.d.post('/v1/jobs/%s/cancel' % job, None, admin=True).status, 200)
        out = client.communicate(timeout=60)[0]
        self.assertEqual(client.returncode, 69)
        self.assertEqual([line.split(':')[0] for line in out.splitlines()], ['%s cancelled' % job for job in (one, two)])

    def test_wait_outlives_a_restart(self):
        held, job = self.d.submit(**JOB), self.d.submit(**JOB)
        self.d.post('/v1/jobs/%s/hold' % held, None, admin=True)
        client = self.begin_client('--json', 'wait', held, job)
        self.assertEqual(json.loads(client.stdout.readline())['id'], held)
        self.d.stop()
        self.d.start()
        self.assertIsNone(client.poll())
        self.d.post('/v1/jobs/%s/hold' % job, None, admin=True)
        out = client.communicate(timeout=60)[0]
        self.assertEqual((client.returncode, json.loads(out)['state']), (69, 'held'))

    def test_wait_gives_up_when_told_to(self):
        job = self.d.submit(**JOB)
        done = self.run_client('wait', '--timeout', '1s', job)
        self.assertEqual((done.returncode, done.stdout.split()[:2]), (3, [job, 'queued:']), done)
        self.assertEqual(self.run_client('wait', '01JD7Z2V8N4K6M9Q3R5T7W1X0Y').returncode, 65)
        self.assertEqual(self.run_client('wait', '--timeout', 'soon', job).returncode, 64)
        self.assertEqual(self.run_client('--socket', '/nowhere/n.sock', 'wait', job).returncode, 75)

    def test_submit_takes_a_stream_of_jobs(self):
        path = os.path.join(self.d.folder, 'jobs')
        with open(path, 'wb') as file:
            file.write(stream_of(*[JOB] * 3000))
        done = self.run_client('submit', path)
        self.assertEqual(done.returncode, 0, done.stderr)
        ids = done.stdout.split()
        self.assertEqual((len(set(ids)), ids), (3000, sorted(ids)))
        with open(path, 'ab') as file:
            file.write(json.dumps(dict(JOB, to='nobody')).encode() + b'\n{"text":"cut')
        done = self.run_client('submit', '-', stdin=open(path, 'rb'))
        self.assertEqual((done.returncode, len(done.stdout.split())), (65, 3000))
        self.assertIn('job 3001 on line 3001 was refused', done.stderr)
        self.assertIn('job 3002 on line 3002 was refused', done.stderr)
        done = self.run_client('--json', 'submit', path)
        self.assertEqual([('id' in json.loads(line)) for line in done.stdout.splitlines()], [True] * 3000 + [False] * 2)


if __name__ == '__main__':
    unittest.main()
