#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""http_rough.py [HTTP_ECHO] - rough clients against the HTTP server alone (http_echo.c).

Everything here is rude, many, large or random; the server must go on answering, forget nothing and leave nothing behind.
"""
import contextlib
import http.client
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

PROGRAM = os.environ.get("HTTP_ECHO", os.path.join(os.environ.get("top_builddir", "."), "tests/io/http_echo"))
PATIENCE = 30
BODY = 36700160
MEMORY = 64 << 20
ROUGH = {"connections": 512, "uid": 256, "header": 10000, "total": 60000, "idle": 60000, "body": BODY, "memory": MEMORY}


class Server:
    """One http_echo in a folder of its own."""

    def __init__(self, **changes):
        limits = dict(ROUGH, **changes)
        self.folder = tempfile.TemporaryDirectory(prefix="notifyd-rough-")
        self.path = os.path.join(self.folder.name, "n.sock")
        numbers = [str(limits[k]) for k in ("connections", "uid", "header", "total", "idle", "body", "memory")]
        self.errors = tempfile.TemporaryFile()
        self.process = subprocess.Popen([PROGRAM, self.path] + numbers, stdout=subprocess.PIPE, stderr=self.errors)
        if self.process.stdout.readline() != b"ready\n":
            raise RuntimeError("http_echo did not start: " + self.said())

    def said(self):
        self.errors.seek(0)
        return self.errors.read().decode(errors="replace")

    def stop(self, told=False):
        """Ends it in order, unless it was told already (a second signal while it leaves would kill it); its exit status and what it said."""
        if not told:
            self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = self.process.wait()
        self.process.stdout.close()
        said = self.said()
        self.errors.close()
        left = os.listdir(self.folder.name)
        self.folder.cleanup()
        return status, said, left

    def connect(self):
        link = socket.socket(socket.AF_UNIX)
        link.connect(self.path)  # blocking: with a timeout a full backlog would be an error
        link.settimeout(PATIENCE)
        return link

    def http(self):
        connection = http.client.HTTPConnection("localhost", timeout=PATIENCE)
        connection.sock = self.connect()
        return connection

    def ask(self, method="GET", target="/v1/health", body=None, headers=None):
        connection = self.http()
        with contextlib.closing(connection):
            connection.request(method, target, body, headers or {})
            reply = connection.getresponse()
            return reply.status, reply.read()

    def health(self):
        status, body = self.ask()
        if status != 200:
            raise AssertionError(f"health answers {status}: {body!r}")
        return json.loads(body)

    def wait(self, name, value):
        """Until a counter has this value."""
        end = time.monotonic() + PATIENCE
        while True:
            health = self.health()
            if health[name] == value:
                return health
            if time.monotonic() > end:
                raise AssertionError(f"{name} never became {value}: {health}")

    def rss_kb(self):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))


def drain(link):
    """All that still comes. What was lost with the connection counts as its end."""
    octets = b""
    with contextlib.suppress(ConnectionError, BrokenPipeError):
        while True:
            piece = link.recv(65536)
            if not piece:
                break
            octets += piece
    return octets


def send(link, octets):
    with contextlib.suppress(ConnectionError, BrokenPipeError):
        link.sendall(octets)


def checksum(octets):
    """As http_echo.c makes it."""
    value = 0
    for octet in octets:
        value = ((value ^ octet) * 16777619) & 0xFFFFFFFF
    return value


def in_threads(count, work):
    """Runs work(n) in `count` threads; the first failure is raised here."""
    failures = []

    def guarded(n):
        try:
            work(n)
        except BaseException as failure:  # pylint: disable=broad-except
            failures.append(failure)

    threads = [threading.Thread(target=guarded, args=(n,)) for n in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


class Rough(unittest.TestCase):
    def serve(self, **changes):
        server = Server(**changes)
        self.addCleanup(self.ended_well, server)
        return server

    def ended_well(self, server, told=False):
        status, said, left = server.stop(told)
        self.assertEqual((status, said, left), (0, "", []), "the server did not end in order")

    def test_many_clients_at_once_each_get_their_own_answer(self):
        server = self.serve()

        def client(n):
            dice = random.Random(n)
            connection = server.http()
            with contextlib.closing(connection):
                for i in range(200):
                    body = bytes(dice.randrange(256) for _ in range(dice.randrange(300)))
                    connection.request("POST", "/v1/jobs", body)
                    reply = connection.getresponse()
                    text = reply.read().decode()
                    if reply.status != 202 or text != f"{len(body)} {checksum(body)}":
                        raise AssertionError(f"client {n}, request {i}: {reply.status} {text}")

        in_threads(32, client)
        self.assertEqual(server.wait("waiting", 0)["calls"], 32 * 200)

    def test_a_hundred_pipelined_requests_come_back_in_order(self):
        server = self.serve()
        link = server.connect()
        requests = b"".join(
            b"GET /v1/jobs/n%d HTTP/1.1\r\n\r\nPOST /v1/jobs HTTP/1.1\r\nContent-Length: %d\r\n\r\n%s" % (i, i, b"p" * i)
            for i in range(100))
        link.sendall(requests + b"GET /v1/health HTTP/1.1\r\nConnection: close\r\n\r\n")
        bodies = [part.split(b"\r\n\r\n", 1)[1] for part in drain(link).split(b"HTTP/1.1 ")[1:]]
        link.close()
        self.assertEqual(len(bodies), 201)
        for i in range(100):
            self.assertEqual(bodies[2 * i], b"n%d" % i)
            self.assertTrue(bodies[2 * i + 1].startswith(b"%d " % i))

    def test_clients_that_vanish_at_any_moment_leave_nothing_behind(self):
        server = self.serve()
        server.health()
        before = server.descriptors()
        dice = random.Random(7)
        whole = [
            b"GET /v1/jobs?ms=200 HTTP/1.1\r\nHost: localhost\r\n\r\n",
            b"GET /v1/jobs?ms=50000 HTTP/1.1\r\nHost: localhost\r\n\r\n",
            b"GET /v1/jobs/x/message HTTP/1.1\r\n\r\n",
            b"GET /v1/status HTTP/1.1\r\n\r\n",
            b"POST /v1/jobs HTTP/1.1\r\nContent-Length: 90000\r\n\r\n" + b"v" * 90000,
            b"POST /v1/jobs HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        ]
        for _ in range(600):
            link = server.connect()
            request = dice.choice(whole)
            cut = dice.choice([len(request), dice.randrange(len(request) + 1)])
            link.setblocking(False)
            with contextlib.suppress(BlockingIOError, ConnectionError):
                link.send(request[:cut])
            if dice.random() < 0.3:
                with contextlib.suppress(OSError):
                    link.shutdown(socket.SHUT_WR)
            if dice.random() < 0.3:
                with contextlib.suppress(BlockingIOError, ConnectionError):
                    link.recv(10)
            link.close()
        server.wait("waiting", 0)
        self.assertEqual(server.wait("pending", 1)["pending"], 1)  # the question itself
        self.assertLessEqual(server.descriptors(), before + 1)

    def test_a_vanished_waiter_is_noticed_at_once_and_not_after_its_time(self):
        server = self.serve()
        links = [server.connect() for _ in range(20)]
        for link in links:
            link.sendall(b"GET /v1/jobs?ms=60000 HTTP/1.1\r\n\r\n")
        server.wait("waiting", 20)
        begun = time.monotonic()
        for link in links:
            link.close()
        self.assertEqual(server.wait("waiting", 0)["gone"], 20)
        self.assertLess(time.monotonic() - begun, 10)

    def test_half_closed_clients_get_their_replies(self):
        server = self.serve()
        links = []
        for target in (b"/v1/jobs?ms=300", b"/v1/jobs/x/message", b"/v1/jobs/x") * 20:
            link = server.connect()
            link.sendall(b"GET %s HTTP/1.1\r\n\r\n" % target)
            link.shutdown(socket.SHUT_WR)
            links.append(link)
        link = server.connect()
        link.sendall(b"POST /v1/jobs HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc")
        link.shutdown(socket.SHUT_WR)
        links.append(link)
        for link in links:
            self.assertRegex(drain(link), rb"\AHTTP/1\.1 20[02] (?s:.*)(done|x|3 \d+)\Z")
            link.close()
        self.assertEqual(server.health()["gone"], 0)

    def test_garbage_never_reaches_a_handler_and_never_stops_the_server(self):
        server = self.serve(header=1000, total=1000, idle=1000)
        dice = random.Random(11)
        seeds = [
            b"GET /v1/nowhere HTTP/1.1\r\nHost: localhost\r\n\r\n",
            b"POST /v1/nowhere HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello",
            b"POST /v1/nowhere HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        ]

        def client(n):
            for i in range(150):
                octets = bytearray(seeds[(n + i) % 3])
                for _ in range(dice.randrange(1, 12)):
                    at = dice.randrange(len(octets))
                    octets[at:at + dice.randrange(3)] = bytes(
                        dice.choice(b"\x00\r\n \t:;,%?#/\xff09azAZ") for _ in range(dice.randrange(3)))
                    if not octets:
                        octets = bytearray(b" ")
                link = server.connect()
                send(link, bytes(octets))
                with contextlib.suppress(OSError):
                    link.shutdown(socket.SHUT_WR)
                reply = drain(link)
                link.close()
                if reply.startswith(b"HTTP/1.1 2"):
                    raise AssertionError(f"{bytes(octets)!r} was taken: {reply[:200]!r}")

        in_threads(8, client)
        self.assertEqual(server.wait("pending", 1)["calls"], 0)

    def test_bodies_of_35_megabytes_from_many_clients_stay_within_the_memory(self):
        server = self.serve()
        server.health()
        before = server.rss_kb()
        body = b"x" * 35000000
        expected = None
        taken = [0, 0]
        top = [0]
        done = threading.Event()

        def look():
            while not done.wait(0.02):
                top[0] = max(top[0], server.rss_kb())

        def client(n):
            nonlocal expected
            link = server.connect()
            send(link, b"POST /v1/jobs HTTP/1.1\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n" % len(body))
            first = link.recv(4096)
            if first.startswith(b"HTTP/1.1 100"):
                send(link, body)
                link.shutdown(socket.SHUT_WR)
                reply = drain(link)
                if b"35000000 " not in reply:
                    raise AssertionError(f"client {n}: {reply[:200]!r}")
                taken[0] += 1
            else:
                if not first.startswith(b"HTTP/1.1 503") or b"Retry-After: 1\r\n" not in first:
                    raise AssertionError(f"client {n}: {first[:200]!r}")
                taken[1] += 1
            link.close()

        watcher = threading.Thread(target=look)
        watcher.start()
        try:
            in_threads(24, client)
        finally:
            done.set()
            watcher.join()
        self.assertGreaterEqual(taken[0], 1)
        self.assertEqual(sum(taken), 24)
        # the bodies, and as much again for a sanitizer's own books
        self.assertLess(top[0] - before, 2 * MEMORY // 1024 + 65536)

    def test_a_chunked_flood_is_answered_413_and_the_connection_lives(self):
        server = self.serve(body=1 << 20)
        link = server.connect()
        chunk = b"10000\r\n" + b"f" * 65536 + b"\r\n"
        link.sendall(b"POST /v1/jobs HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(100):
            link.sendall(chunk)
        link.sendall(b"0\r\n\r\nGET /v1/jobs/alive HTTP/1.1\r\nConnection: close\r\n\r\n")
        replies = drain(link)
        link.close()
        self.assertTrue(replies.startswith(b"HTTP/1.1 413 "))
        self.assertTrue(replies.endswith(b"alive"))

    def test_one_octet_at_a_time_is_understood(self):
        server = self.serve()
        link = server.connect()
        for octet in b"POST /v1/jobs HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello":
            link.send(bytes([octet]))
        self.assertTrue(drain(link).endswith(b"5 %d" % checksum(b"hello")))
        link.close()

    def test_drips_and_silence_are_cut_by_the_clock(self):
        server = self.serve(header=500, total=800, idle=600)
        starts = [b"", b"G", b"GET /v1/health HTTP/1.1\r\nX: ", b"POST /v1/jobs HTTP/1.1\r\nContent-Length: 9999\r\n\r\n",
                  b"POST /v1/jobs HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1000\r\n", b"GET /v1/health HTTP/1.1\r\n\r\n"]

        def client(n):
            start = starts[n % len(starts)]
            silent = n >= len(starts) or n % len(starts) in (0, 5)
            link = server.connect()
            send(link, start)
            link.settimeout(0.02)
            begun = time.monotonic()
            while time.monotonic() - begun < PATIENCE:
                try:
                    if not link.recv(4096):
                        break
                except TimeoutError:
                    if not silent:
                        send(link, b"x")
                except ConnectionError:
                    break
            link.close()
            took = time.monotonic() - begun
            if not 0.2 < took < 10:
                raise AssertionError(f"start {start!r}, silent {silent}: cut after {took:.2f} s")

        in_threads(2 * len(starts), client)

    def test_more_connections_than_allowed_are_all_answered(self):
        server = self.serve(connections=20, uid=1000)
        keep = [server.connect() for _ in range(20)]
        for link in keep:
            link.sendall(b"GET /v1/jobs/in HTTP/1.1\r\n\r\n")
            self.assertIn(b" 200 ", link.recv(4096))
        busy = 0
        for _ in range(200):
            link = server.connect()
            send(link, b"GET /v1/jobs/in HTTP/1.1\r\n\r\n")
            reply = drain(link)
            link.close()
            self.assertIn(b'"code":"busy"', reply)
            busy += reply.startswith(b"HTTP/1.1 503 ")
        self.assertEqual(busy, 200)
        for link in keep:  # those that were in have not suffered
            link.sendall(b"GET /v1/jobs/still HTTP/1.1\r\n\r\n")
            self.assertTrue(link.recv(4096).endswith(b"still"))
            link.close()
        end = time.monotonic() + PATIENCE
        while self.ask_status(server) == 503 and time.monotonic() < end:
            pass
        self.assertEqual(self.ask_status(server), 200)

    @staticmethod
    def ask_status(server):
        return server.ask()[0]

    def test_readers_that_stop_reading_are_cut_and_hold_up_nobody(self):
        server = self.serve(total=500)
        links = [server.connect() for _ in range(30)]
        for link in links:
            link.sendall(b"GET /v1/status HTTP/1.1\r\n\r\n")
        begun = time.monotonic()
        server.health()
        self.assertLess(time.monotonic() - begun, 5)
        server.wait("pending", 1)
        for link in links:
            self.assertLess(len(drain(link)), 1 << 20)
            link.close()

    def test_a_stop_finishes_what_was_begun(self):
        server = Server()
        links = [server.connect() for _ in range(10)]
        for link in links:
            link.sendall(b"GET /v1/jobs?ms=500 HTTP/1.1\r\n\r\n")
        idle = server.connect()
        server.wait("waiting", 10)
        server.process.send_signal(signal.SIGTERM)
        for link in links:
            reply = drain(link)
            self.assertTrue(reply.endswith(b"done"))
            self.assertIn(b"Connection: close", reply)
            link.close()
        self.assertEqual(drain(idle), b"")
        idle.close()
        self.ended_well(server, told=True)


if __name__ == "__main__":
    if len(sys.argv) > 1 and not sys.argv[1].startswith("-"):
        PROGRAM = sys.argv.pop(1)
    unittest.main()
