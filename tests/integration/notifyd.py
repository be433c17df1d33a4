# SPDX-License-Identifier: Apache-2.0
"""What the integration tests share: a daemon of their own, a client of its API, ways to wait. Standard library only.

A daemon lives in a temporary folder: notifyd.conf, log, state/, notifyd.sock, notifyd-admin.sock. It tells READY=1 to a socket of
ours, and its end is a pidfd: nothing here guesses how long something takes."""
import http.client
import json
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

import leaks

BUILDDIR = os.environ.get('ND_BUILDDIR', 'build-test')
NOTIFYD = os.path.join(BUILDDIR, 'notifyd')
UNDER = os.environ.get('ND_UNDER', '').split()    # a command that runs the daemon: valgrind
NOTIFYCTL = os.path.join(BUILDDIR, 'notifyctl')
TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROVIDER = os.path.join(TOP, 'tests/fake/provider.py')
SANITIZER = re.compile(r'(AddressSanitizer|LeakSanitizer|ThreadSanitizer|UndefinedBehaviorSanitizer|runtime error:).*')
leaks.watch_programs()
FINAL = {'delivered', 'failed', 'expired', 'cancelled', 'merged'}


def sanitized():
    """They keep freed memory, shadow the rest, and read their own process: such a build says nothing of memory and dumps."""
    with open(NOTIFYD, 'rb') as file:
        octets = file.read()
        return b'__asan_init' in octets or b'__tsan_init' in octets


def hear(sock, *marks):
    """Reads until all of these octets have come."""
    octets = b''
    while not all(mark in octets for mark in marks):
        piece = sock.recv(1 << 20)
        assert piece, 'it ended before %s: %s' % (marks, octets[-1000:])
        octets += piece
    return octets


class Late(AssertionError):
    """Something did not happen in time."""


def until(happened, what, seconds=30, pause=0.05):
    """For what tells nobody when it happens (a file, another program): asks again and again. Returns what happened() gave."""
    end = time.monotonic() + seconds
    while True:
        got = happened()
        if got:
            return got
        if time.monotonic() > end:
            raise Late('%s: not within %g s' % (what, seconds))
        select.select([], [], [], pause)


def later(days=10):
    """A not_before that no test lives to see, and that [queue] max_age allows."""
    return time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime(time.time() + days * 86400))


class Reply:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return '%d %r' % (self.status, self.body[:500])


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout=90):
        super().__init__('localhost', timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)

    def response_class(self, sock, *args, **more):
        reply = http.client.HTTPResponse(sock, *args, **more)
        reply.fp = leaks.Tee(reply.fp, 'a reply of ' + os.path.basename(self.path))
        return reply


def request(path, method, target, body=None, headers=None, timeout=90):
    """One request on a connection of its own. A dict or a list is sent as JSON."""
    connection = UnixConnection(path, timeout)
    headers = dict(headers or {})
    if isinstance(body, (dict, list)):
        body = json.dumps(body).encode()
    if isinstance(body, str):
        body = body.encode()
    if body is not None:
        headers.setdefault('Content-Type', 'application/json')
    try:
        try:
            connection.request(method, target, body, headers)
        except (BrokenPipeError, ConnectionResetError):
            pass    # refused before all of the body was taken: the answer is there all the same
        reply = connection.getresponse()
        return Reply(reply.status, reply.headers, reply.read())
    finally:
        connection.close()


class Daemon:
    def __init__(self, config='', folder=None, env=None):
        self.own_folder = folder is None
        self.folder = folder or tempfile.mkdtemp(prefix='notifyd-test.')
        os.chmod(self.folder, 0o755)    # other users reach the sockets; state/ is closed
        self.config = os.path.join(self.folder, 'notifyd.conf')
        self.log = os.path.join(self.folder, 'log')
        self.state = os.path.join(self.folder, 'state')
        self.socket = os.path.join(self.folder, 'notifyd.sock')
        self.admin = os.path.join(self.folder, 'notifyd-admin.sock')
        self.env = dict(os.environ, LC_ALL='C.UTF-8', **(env or {}))
        self.process = self.pidfd = self.notices = None
        self.configure(config)

    def configure(self, config):
        with open(self.config, 'w', encoding='utf-8') as file:
            file.write(config)

    def command(self, *more):
        return [*UNDER, NOTIFYD, '--config', self.config, '--state-dir', self.state, '--socket', self.socket, *more]

    def long_in_use(self):
        """Before its first start: its accounts are none that were set up just now, so nothing is a known delay."""
        os.mkdir(self.state, 0o700)
        with open(os.path.join(self.state, 'downtime'), 'w', encoding='ascii') as file:
            file.write('{}')
        return self

    def start(self, *more, seconds=30, notices=False):
        """notices: what it tells its service manager from now on comes to self.notices, and must be read."""
        if not os.path.isdir(self.state):
            os.mkdir(self.state, 0o700)
        ready = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        address = '\0notifyd-test-%d-%d' % (os.getpid(), time.monotonic_ns())
        ready.bind(address)
        env = dict(self.env, NOTIFY_SOCKET='@' + address[1:])
        with open(self.log, 'ab') as log:
            self.process = subprocess.Popen(self.command(*more), stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env)
        self.pidfd = os.pidfd_open(self.process.pid)
        end = time.monotonic() + seconds
        with ready:
            while True:
                readable, _, _ = select.select([ready, self.pidfd], [], [], max(0, end - time.monotonic()))
                if ready in readable and b'READY=1' in ready.recv(65536).split(b'\n'):
                    self.notices = ready.dup() if notices else None
                    return self
                if self.pidfd in readable:
                    raise AssertionError('notifyd ended with %s before it was ready:\n%s' % (self.process.wait(), self.tail()))
                if not readable:
                    raise Late('notifyd was not ready within %g s:\n%s' % (seconds, self.tail()))

    def wait_end(self, seconds=60):
        if not select.select([self.pidfd], [], [], seconds)[0]:
            raise Late('notifyd did not end within %g s:\n%s' % (seconds, self.tail()))
        os.close(self.pidfd)
        self.pidfd = None
        return self.process.wait()

    def alive(self):
        return self.pidfd is not None and not select.select([self.pidfd], [], [], 0)[0]

    def stop(self):
        """A clean end: exit status 0."""
        self.process.send_signal(signal.SIGTERM)
        status = self.wait_end()
        assert status == 0, 'notifyd ended with %s:\n%s' % (status, self.tail())

    def kill(self):
        self.process.kill()
        self.wait_end()

    def tail(self, lines=40):
        try:
            with open(self.log, errors='replace') as file:
                return ''.join(file.readlines()[-lines:])
        except FileNotFoundError:
            return ''

    def close(self):
        """Ends the daemon whatever its state, says what a sanitizer said, removes the folder."""
        try:
            if self.pidfd is not None and self.alive():
                self.stop()
            elif self.pidfd is not None:
                status = self.wait_end()
                raise AssertionError('notifyd ended by itself with %s:\n%s' % (status, self.tail()))
            said = SANITIZER.search(self.tail(100000))
            assert not said, '%s\n%s' % (said.group(0), self.tail(80))
            leaks.seen('the log', self.tail(1000000))
            leaks.seen_state(self.state)
        finally:
            if self.pidfd is not None:
                self.kill()
            if self.notices:
                self.notices.close()
            if self.own_folder and not os.environ.get("ND_KEEP"):
                shutil.rmtree(self.folder, ignore_errors=True)

    def tokens_used(self):
        """How many access tokens came into use: what is on disk by then is the end of that request."""
        return self.tail(100000).count('new access token for account')

    # the API
    def get(self, target, admin=False, **more):
        return request(self.admin if admin else self.socket, 'GET', target, **more)

    def post(self, target, body, admin=False, **more):
        return request(self.admin if admin else self.socket, 'POST', target, body, **more)

    def submit(self, admin=True, **job):
        """Sends one job that must be accepted; its id."""
        reply = self.post('/v1/jobs', job, admin)
        assert reply.status == 202, reply
        return reply.json['id']

    def job(self, job_id, wait=0, admin=True):
        reply = self.get('/v1/jobs/%s%s' % (job_id, '?wait=%d' % wait if wait else ''), admin, timeout=wait + 60)
        assert reply.status in ((200, 202) if wait else (200,)), reply    # 202: the time is up, and it has not come to an end
        return reply.json

    def final(self, job_id, seconds=60):
        """The job once it has come to its end."""
        end = time.monotonic() + seconds
        while True:
            left = max(1, min(30, int(end - time.monotonic())))
            job = self.job(job_id, left)
            if job['state'] in FINAL:
                return job
            if time.monotonic() >= end:
                raise Late('job %s is still %s after %g s: %s\n%s' % (job_id, job['state'], seconds, job, self.tail()))

    def status(self):
        reply = self.get('/v1/status', True)
        assert reply.status == 200, reply
        return reply.json

    def account(self, name):
        return next(a for a in self.status()['accounts'] if a['name'] == name)


class Provider:
    """The stand-in of Microsoft 365 (tests/fake/provider.py), a process of its own. `folder` has its files, `facts` are those of ready.json."""

    def __init__(self, *options):
        self.folder = tempfile.mkdtemp(prefix='notifyd-provider.')
        self.process = subprocess.Popen([sys.executable, PROVIDER, '--dir', self.folder, '--ttl', '3600', *options],
                                        stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline().startswith('ready:'), 'the stand-in did not start'
        with open(os.path.join(self.folder, 'ready.json'), encoding='utf-8') as file:
            self.facts = json.load(file)

    def journal(self, event=None):
        with open(os.path.join(self.folder, 'journal.jsonl'), encoding='utf-8') as file:
            return [line for line in map(json.loads, file) if event in (None, line['event'])]

    def stop(self):
        """A clean end; what it printed since it was ready."""
        self.process.send_signal(signal.SIGTERM)
        words = self.process.communicate(timeout=20)[0]
        assert self.process.returncode == 0, 'the stand-in ended with %s' % self.process.returncode
        return words

    def close(self):
        try:
            if self.process.poll() is None:
                self.stop()
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)


class Test(unittest.TestCase):
    """A test with daemons: they end with it, and a sanitizer's word fails it."""

    def provider(self, *options):
        provider = Provider(*options)
        self.addCleanup(provider.close)
        return provider

    def daemon(self, config='', start=True, **more):
        daemon = Daemon(config, **more)
        self.addCleanup(daemon.close)
        return daemon.start() if start else daemon

    def assert_problem(self, reply, status, code, *words):
        """A problem+json with this status and code, whose texts have these words."""
        self.assertEqual((reply.status, reply.headers.get('Content-Type', '').split(';')[0]),
                         (status, 'application/problem+json'), reply)
        problem = reply.json
        self.assertEqual((problem['status'], problem['code']), (status, code), problem)
        self.assertTrue(problem['title'], problem)
        texts = ' '.join(str(problem.get(name, '')) for name in ('detail', 'field', 'hint'))
        for word in words:
            self.assertIn(word, texts, problem)


@unittest.skipUnless(os.access(NOTIFYD, os.X_OK), '%s is not built' % NOTIFYD)
class ProgramTest(Test):
    pass


class CertTest(ProgramTest):
    """With certificates of all kinds: tests/io/certs.sh names them."""
    @classmethod
    def setUpClass(cls):
        cls.certs = tempfile.TemporaryDirectory()
        subprocess.run([os.path.join(TOP, 'tests/io/certs.sh'), cls.certs.name], check=True)

    @classmethod
    def tearDownClass(cls):
        cls.certs.cleanup()

    def cert(self, name):
        return os.path.join(self.certs.name, name)
