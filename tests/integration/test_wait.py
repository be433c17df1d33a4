# SPDX-License-Identifier: Apache-2.0
"""Waiting with the submission: the job when it has come to its end or is held; where it stands when the time is up; who leaves cancels nothing.
And the session that waits for a job."""
import json
import signal
import socket
import subprocess
import unittest

import notifyd
from notifyd import hear, until
from test_intake import LINED, MAIL
from test_paced import CONFIG, JOB, Limits, run

REFUSED, LATER = '550 5.1.1 <ops@contoso.example>: Recipient address rejected', '451 4.3.0 try again later'
STANDING = ('queued', 'sending')    # after a second its first try is over, or not


class Waiting(Limits):
    def submit(self, d, wait, **job):
        reply = d.post('/v1/jobs?wait=%s' % wait, dict(JOB, **job), True, timeout=120)
        return reply, reply.json

    def send_and_wait(self, d, patience):
        return run(notifyd.NOTIFYCTL, '--socket', d.socket, 'send', '-t', 'ops@contoso.example', '-s', 'x', '-m', 'y', '--wait=' + patience)

    def test_the_end_is_told_whatever_it_is(self):
        d = self.started('')
        reply, job = self.submit(d, 60)
        self.assertEqual((reply.status, job['state'], job['attempt_count']), (200, 'delivered', 1), job)
        self.assertEqual(job['recipients'][0]['state'], 'delivered')
        self.relay.faults['RCPT'] = REFUSED
        reply, job = self.submit(d, 60)
        self.assertEqual((reply.status, job['state']), (200, 'failed'), job)
        self.assertIn('5.1.1', json.dumps(job))
        self.assertEqual(self.send_and_wait(d, '60s').returncode, 69)
        self.relay.faults.clear()
        self.assertEqual(self.send_and_wait(d, '60s').returncode, 0)

    def test_the_client_outlives_a_restart(self):
        d = self.started('', self.lenient(faults={'RCPT': LATER}))
        client = subprocess.Popen([notifyd.NOTIFYCTL, '--socket', d.socket, 'send', '-t', 'ops@contoso.example', '-m', 'y', '--wait=300s'],
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(client.communicate)
        self.addCleanup(client.kill)
        job = until(lambda: [job['id'] for job in d.get('/v1/jobs', True).json['jobs'] if job['attempt_count']], 'tried')[0]
        d.stop()
        d.start()
        self.assertEqual(d.post('/v1/jobs/%s/cancel' % job, None, True).status, 200)
        out, err = client.communicate(timeout=60)
        self.assertEqual((client.returncode, out.splitlines()[-1].split(':')[0]), (69, '%s cancelled' % job), (out, err))
        self.assertEqual(len(d.get('/v1/jobs', True).json['jobs']), 1)

    def test_a_ready_message_is_waited_for_too(self):
        d = self.started('')
        message = b'To: ops@contoso.example\nSubject: backup\n\nall well\n'
        for headers, query, body in ((MAIL, '?to=ops@contoso.example&severity=error&wait=60', message),
                                     (LINED, '?wait=60', b'{"to": ["ops@contoso.example"]}\n' + message),
                                     (MAIL, '?to=ops@contoso.example&wait=60', message + 30_000 * (70 * b'x' + b'\n'))):    # read by another thread
            reply = d.post('/v1/messages' + query, body, True, headers=headers, timeout=120)
            job = reply.json
            self.assertEqual((reply.status, job['state'], job.get('attempt_count')), (200, 'delivered', 1), job)
            self.assertEqual((job['subject'], job['recipients'][0]['state']), ('backup', 'delivered'), job)
        self.relay.faults['RCPT'] = REFUSED
        reply = d.post('/v1/messages?to=ops@contoso.example&wait=60', message, True, headers=MAIL, timeout=120)
        self.assertEqual((reply.status, reply.json['state']), (200, 'failed'), reply)
        self.assertIn('5.1.1', json.dumps(reply.json))
        self.relay.faults['RCPT'] = LATER
        reply = d.post('/v1/messages?to=ops@contoso.example&wait=1', message, True, headers=MAIL, timeout=120)
        self.assertEqual(reply.status, 202, reply)
        self.assertIn(reply.json['state'], STANDING)
        self.assert_problem(d.post('/v1/messages?to=ops@contoso.example&wait=0', message, True, headers=MAIL), 400, 'invalid-value', 'wait')

    def test_when_the_time_is_up_the_next_try_and_its_reason_are_told(self):
        d = self.started('', self.lenient(faults={'RCPT': LATER}))
        reply, job = self.submit(d, 1)
        self.assertEqual(reply.status, 202, job)
        self.assertIn(job['state'], STANDING)
        until(lambda: d.job(job['id'])['attempt_count'], 'it was tried')
        reply = d.get('/v1/jobs/%s?wait=1' % job['id'], True)
        self.assertEqual(reply.status, 202, reply)
        self.assertIn('4.3.0', reply.json['reason'])
        self.assertRegex(reply.json['next_attempt'], r'^20.*Z$')
        self.assertEqual(self.send_and_wait(d, '1s').returncode, 3)

    def test_a_cancelled_and_a_held_one_end_the_wait(self):
        d = self.started('', self.lenient(faults={'RCPT': LATER}))
        for act, state in (('cancel', 'cancelled'), ('hold', 'held')):
            waits = socket.socket(socket.AF_UNIX)
            self.addCleanup(waits.close)
            waits.settimeout(60)
            waits.connect(d.admin)
            body = json.dumps(JOB).encode()
            known = {job['id'] for job in d.get('/v1/jobs', True).json['jobs']}
            waits.sendall(b'POST /v1/jobs?wait=300 HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n' % len(body) + body)
            new = until(lambda: [job['id'] for job in d.get('/v1/jobs', True).json['jobs'] if job['id'] not in known and job['attempt_count']], 'tried')
            self.assertEqual(d.post('/v1/jobs/%s/%s' % (new[0], act), None, True).status, 200)
            told = hear(waits, b'\r\n\r\n', b'"id"')
            self.assertTrue(told.startswith(b'HTTP/1.1 200 '), told)
            self.assertIn(b'"state":"%s"' % state.encode(), told)

    def test_who_asks_when_notifyd_stops_is_not_told_that_it_is_over(self):
        d = self.started('', self.lenient(faults={'RCPT': LATER}))
        job = d.submit(**JOB)
        ask = b'GET /v1/jobs/%s?wait=300 HTTP/1.1\r\nHost: x\r\n' % job.encode()
        many = [socket.socket(socket.AF_UNIX) for _ in range(50)]
        for asks in many:
            self.addCleanup(asks.close)
            asks.settimeout(60)
            asks.connect(d.admin)
            asks.sendall(ask)
        self.assertEqual(d.get('/v1/health').status, 200)    # all are being read
        for asks in many:
            asks.sendall(b'\r\n')
        d.process.send_signal(signal.SIGTERM)
        for asks in many:
            try:
                told = asks.recv(13, socket.MSG_WAITALL)
            except ConnectionResetError:
                told = b''
            self.assertIn(told, (b'HTTP/1.1 202 ', b'HTTP/1.1 503 ', b''))
        self.assertEqual(d.wait_end(), 0)

    def test_who_leaves_cancels_nothing(self):
        d = self.started('', self.lenient(faults={'RCPT': LATER}))
        body = json.dumps(JOB).encode()
        with socket.socket(socket.AF_UNIX) as waits:
            waits.connect(d.admin)
            waits.sendall(b'POST /v1/jobs?wait=300 HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n' % len(body) + body)
            job = until(lambda: [job for job in d.get('/v1/jobs', True).json['jobs'] if job['attempt_count']], 'tried')[0]
        self.relay.faults.clear()
        self.assertEqual(d.post('/v1/jobs/%s/retry' % job['id'], None, True).status, 200)
        self.assertEqual(d.final(job['id'])['state'], 'delivered')

    def test_it_is_for_one_job_and_for_up_to_five_minutes(self):
        d = self.started('')
        for bad in ('0', '301', 'long', ''):
            self.assert_problem(d.post('/v1/jobs?wait=' + bad, JOB, True), 400, 'invalid-value', 'wait')
        self.assert_problem(d.post('/v1/jobs?wait=5', [JOB, JOB], True), 400, 'invalid-value', 'wait')
        self.assertEqual(d.get('/v1/jobs', True).json['jobs'], [])


class Warm(Limits):
    def test_a_session_is_open_before_there_is_a_job_and_serves_it(self):
        d = self.started('warm = yes\n')
        until(lambda: ('EHLO', 'host.example') in self.relay.heard, 'a session without a job')
        self.assertEqual(d.final(d.submit(**JOB))['state'], 'delivered')
        self.assertEqual(self.relay.sessions, 1)

    def test_without_the_setting_there_is_none(self):
        d = self.started('')
        self.assertEqual(d.final(d.submit(**JOB))['state'], 'delivered')
        self.assertEqual(d.account('a')['state'], 'ok')
        self.assertEqual(self.relay.sessions, 1)
        d = self.daemon(CONFIG % (self.relay.port, 'warm = maybe'), start=False)
        done = run(notifyd.NOTIFYD, '--check', '--config', d.config)
        self.assertEqual(done.returncode, 78)
        self.assertIn('warm', done.stderr)
        self.assertIn('yes', done.stderr)


if __name__ == '__main__':
    unittest.main()
