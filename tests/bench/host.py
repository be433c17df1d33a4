# SPDX-License-Identifier: Apache-2.0
"""host.py - what every part of the benchmark uses: the folder of a run, the sink, processes and what they cost."""
import contextlib
import glob
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

TICKS = os.sysconf('SC_CLK_TCK')
PATH = os.environ.get('PATH', '') + ':/usr/sbin:/sbin'
DOMAIN = 'bench.example'


def say(*words):
    print(*words, file=sys.stderr, flush=True)


def end(process):
    """Ends a process of ours, asked first."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
    process.wait()


def line_of(process, seconds, what):
    if not select.select([process.stdout], [], [], seconds)[0]:
        return None
    line = process.stdout.readline()
    if not line:
        raise RuntimeError('%s has ended' % what)
    return json.loads(line)


def stat_of(pid):
    """Parent, own CPU seconds, CPU seconds of children that have ended."""
    with open('/proc/%s/stat' % pid, encoding='ascii', errors='replace') as file:
        fields = file.read().rpartition(')')[2].split()
    return int(fields[1]), (int(fields[11]) + int(fields[12])) / TICKS, (int(fields[13]) + int(fields[14])) / TICKS


def family(root):
    """A process and its children, each with its CPU seconds and those of its children that have ended."""
    for path in glob.glob('/proc/[0-9]*/stat'):
        with contextlib.suppress(OSError):
            pid = int(path.split('/')[2])
            parent, own, ended = stat_of(pid)
            if root in (pid, parent):
                yield pid, own + ended


def free_port():
    """A port that nobody listens on."""
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        return free.getsockname()[1]


class Host:
    """The folder of a run, the programs, the certificate."""

    def __init__(self, builddir, folder, others=''):
        self.builddir = os.path.abspath(builddir)
        self.others = os.path.abspath(others) if others else ''    # programs that are unpacked and not installed
        self.folder = tempfile.mkdtemp(prefix='notifyd-bench.', dir=folder)
        os.chmod(self.folder, 0o755)
        self.cert, self.key = self.path('cert.pem'), self.path('key.pem')
        self.secret = self.path('secret')
        subprocess.run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj',
                        '/CN=localhost', '-keyout', self.key, '-out', self.cert, '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'],
                       check=True, stderr=subprocess.DEVNULL)
        with open(self.secret, 'w', encoding='ascii', opener=lambda p, f: os.open(p, f, 0o600)) as file:
            file.write('secret')
        self.port = free_port()    # of the sink

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def tool(self, name):
        return os.path.join(self.builddir, 'tests', 'bench', name)

    def load(self, *args):
        """The load client's word: a dict."""
        done = subprocess.run([self.tool('load'), *map(str, args)], stdout=subprocess.PIPE, check=False)
        got = json.loads(done.stdout) if done.stdout else {}
        if not got.get('accepts') or got['errors']:
            raise RuntimeError('load %s: %s' % (' '.join(map(str, args)), got or 'no result'))
        return got

    def close(self):
        shutil.rmtree(self.folder, ignore_errors=True)


class Sink:
    def __init__(self, host, until, rtt=0):
        self.until = until
        self.process = subprocess.Popen([host.tool('sink'), '--cert', host.cert, '--key', host.key, '--port', str(host.port), '--rtt', str(rtt),
                                         '--until', str(until)], stdout=subprocess.PIPE)
        line_of(self.process, 10, 'the sink')

    def __enter__(self):
        return self

    def __exit__(self, *_):
        end(self.process)

    def wait(self, seconds):
        """The counters once all mails have come, or when the time is up."""
        got = line_of(self.process, seconds, 'the sink')
        if got is None:
            self.process.send_signal(signal.SIGUSR1)
            got = line_of(self.process, 10, 'the sink')
            say('  only %d of %d mails came in %d s' % (got['mails'], self.until, seconds))
        return got

    def wait_first(self, seconds):
        """When the first mail came."""
        limit = time.monotonic() + seconds
        while time.monotonic() < limit:
            self.process.send_signal(signal.SIGUSR1)
            got = line_of(self.process, 10, 'the sink')
            if got['mails']:
                return got['first']
            select.select([], [], [], 0.02)
        return None


def rate(got):
    return (got['mails'] - 1) / (got['last'] - got['first']) if got['mails'] > 1 else 0
