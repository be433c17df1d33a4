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
from notifyd import until
from test_acts import CLOSED, JOB
from test_process import Stopped, threads
from test_signin import SignInTest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'fake'))
import relay

LATER = '2030-01-01T00:00:00Z'


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


if __name__ == '__main__':
    unittest.main()
