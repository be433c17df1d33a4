# SPDX-License-Identifier: Apache-2.0
"""SIGTERM meets what is under way: who asked is told the truth about it, and nobody holds the end up."""
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import unittest

import notifyd
from notifyd import later, until
from test_acts import CLOSED, JOB
from test_process import Stopped, threads
from test_signin import SignInTest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'fake'))
import relay

LATER = later()


class Stopping(notifyd.ProgramTest):
    d = None

    def say_stop(self):
        self.d.process.send_signal(signal.SIGTERM)
        until(lambda: 'stopping: ' in self.d.tail(100000), 'it stops')

    def connect(self, head):
        """A connection whose request has come as far as this."""
        client = socket.socket(socket.AF_UNIX)
        self.addCleanup(client.close)
        client.settimeout(60)
        client.connect(self.d.admin)
        client.sendall(head)
        for _ in range(2):
            self.assertEqual(self.d.get('/v1/openapi.json', True).status, 200)    # it has been read
        return client

    def take(self, client):
        """All that is still answered."""
        got = b''
        try:
            while piece := client.recv(65536):
                got += piece
        except ConnectionResetError:
            pass
        return got

    def ends_by_itself(self):
        self.assertEqual(self.d.wait_end(), 0)
        self.assertNotIn('although', self.d.tail(100000))


class Many(Stopping):
    def test_an_act_on_many_that_stops_half_way_is_no_success(self):
        self.d = self.daemon(CLOSED)
        for _ in range(3):
            self.assertEqual(self.d.post('/v1/jobs', [dict(JOB, not_before=LATER)] * 500, True).status, 202)
        storage = next(tid for tid, (name, _) in threads(self.d.process.pid).items() if name == 'storage')
        try:
            stopped = Stopped(storage).__enter__()
        except OSError as error:
            self.skipTest('no thread can be stopped here: %s' % error)
        try:
            client = self.connect(b'POST /v1/jobs/cancel HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n')
            self.say_stop()
        finally:
            stopped.__exit__()
        told = self.take(client)
        self.ends_by_itself()
        self.d.start()
        left = self.d.status()['queue']['queued']
        self.assertGreater(left, 0)
        self.assertTrue(told.startswith(b'HTTP/1.1 503 '), told)
        self.assertIn(b'%d jobs were changed' % (1500 - left), told)


class Stream(Stopping):
    def test_large_jobs_of_a_stream_are_not_taken_any_more(self):
        self.d = self.daemon(CLOSED)
        value = json.dumps(dict(JOB, text='x' * 400_000, not_before=LATER)).encode() + b'\n'
        client = socket.socket(socket.AF_UNIX)
        self.addCleanup(client.close)
        client.settimeout(60)
        client.connect(self.d.admin)
        client.sendall(b'POST /v1/jobs HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-ndjson\r\nContent-Length: %d\r\n\r\n'
                       % (60 * len(value)) + 60 * value)
        told = client.recv(65536)    # of the first
        self.d.process.send_signal(signal.SIGTERM)
        told += self.take(client)
        self.ends_by_itself()
        self.assertIn(b'"stopping"', told)
        self.d.start()
        self.assertEqual(self.d.status()['queue']['queued'], told.count(b'"queued"'))


class Silent(Stopping):
    def test_a_body_that_never_comes_does_not_hold_it_up(self):
        self.d = self.daemon(CLOSED)
        client = self.connect(b'POST /v1/jobs HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n')
        self.say_stop()
        self.assertEqual(self.take(client), b'')
        self.ends_by_itself()


class SignIn(SignInTest, Stopping):
    def test_who_asks_for_a_sign_in_just_then_is_told(self):
        self.open('device_code')
        self.behave(device='pending')
        login = self.begin(mode='device').json['login']
        clients = [self.connect(b'POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n' % (target, length))
                   for target, length in ((b'/v1/logins/%s?wait=300' % login.encode(), 2), (b'/v1/accounts/m365/login', 17))]
        self.say_stop()
        for client, body in zip(clients, (b'{}', b'{"mode":"device"}')):
            try:
                client.sendall(body)
            except BrokenPipeError:    # we were slow
                continue
            told = self.take(client)
            self.assertTrue(told == b'' or told.startswith(b'HTTP/1.1 503 '), told)
        self.ends_by_itself()


class Committing(Stopping):
    def setUp(self):
        self.named, self.go_on = threading.Event(), threading.Event()
        self.relay = relay.Lenient(faults={'RCPT': self.slow})
        self.addCleanup(self.relay.close)
        self.addCleanup(self.go_on.set)
        self.d = self.daemon(CLOSED.replace(':1\n', ':%d\n' % self.relay.port).replace('[account', '[queue]\nmin_free = 0\n[account'), start=False)
        os.mkdir(self.d.state, 0o700)
        done = subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=6m,mode=0700', 'tmpfs', self.d.state], capture_output=True, check=False)
        if done.returncode != 0:
            self.skipTest('no tmpfs can be mounted here: %s' % done.stderr.decode().strip())
        self.addCleanup(subprocess.run, ['umount', '-l', self.d.state], check=True)
        self.d.start()

    def slow(self, _):
        self.named.set()
        self.go_on.wait(60)

    def fill(self):
        with open(os.path.join(self.d.state, 'filler'), 'wb', buffering=0) as file:
            try:
                while True:
                    file.write(b'x' * 4096)
            except OSError:
                pass
        job = dict(JOB, not_before=LATER, text='x' * 20_000)
        until(lambda: self.d.post('/v1/jobs', job, True).status == 503, 'the disk is full', pause=0)

    def test_a_change_that_waits_for_room_is_told_when_it_has_happened(self):
        """Needs root, for a small tmpfs."""
        job = self.d.submit(**JOB)
        self.assertTrue(self.named.wait(30))
        self.fill()
        client = self.connect(b'POST /v1/jobs/%s/cancel HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n' % job.encode())
        self.say_stop()
        self.go_on.set()
        self.assertEqual(select.select([client], [], [], 0)[0], [], 'nobody knows yet')
        os.unlink(os.path.join(self.d.state, 'filler'))
        told = self.take(client)
        self.ends_by_itself()
        self.assertTrue(told.startswith(b'HTTP/1.1 200 '), told)
        self.assertIn(b'"cancelled"', told)
        self.d.start()
        self.assertEqual(self.d.job(job)['state'], 'cancelled')
        self.assertEqual(self.relay.mails, [])


if __name__ == '__main__':
    unittest.main()
