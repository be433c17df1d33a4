#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""bench.py - notifyd beside Postfix on this host: loopback only, one disk, the same sink, taking turns in one run.

docs/PERFORMANCE.md says what each row means. Standard library only. Postfix runs from a private configuration and needs root; without it its column is
left out, in words. Nothing here judges: a slow or shared machine makes small figures, and only ratios inside one run mean something."""
import argparse
import contextlib
import glob
import json
import os
import platform
import pwd
import select
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

import exim

TICKS = os.sysconf('SC_CLK_TCK')
PATH = os.environ.get('PATH', '') + ':/usr/sbin:/sbin'
DOMAIN = 'bench.example'


class Quick:
    rounds, accepts, postfix_accepts = 1, {1: 1000, 16: 8000, 64: 8000}, {1: 200, 16: 1500, 64: 1500}
    fill, postfix_fill, drain, postfix_drain = 10000, 2000, 8000, 1500
    through, postfix_through, replay, distant, slow, postfix_slow, programs = 8000, 1000, 30000, 30, 1000, 300, 50
    patience = 45


class Full:
    rounds, accepts, postfix_accepts = 3, {1: 2000, 16: 15000, 64: 15000}, {1: 400, 16: 2500, 64: 2500}
    fill, postfix_fill, drain, postfix_drain = 100000, 12000, 40000, 8000
    through, postfix_through, replay, distant, slow, postfix_slow, programs = 20000, 3000, 60000, 80, 3000, 600, 200
    patience = 240


# name, words, unit, whether less is better, factor to reach beside Postfix, value to reach
ROWS = (
    ('accepts_1', 'durable accepts, 1 client', '/s', False, None, None),
    ('accepts_16', 'durable accepts, 16 clients', '/s', False, 7, None),
    ('accepts_64', 'durable accepts, 64 clients', '/s', False, 10, None),
    ('slow_1', 'accepts, 1 client, each sync 5 ms slower', '/s', False, None, None),
    ('slow_16', 'accepts, 16 clients, each sync 5 ms slower', '/s', False, None, None),
    ('slow_64', 'accepts, 64 clients, each sync 5 ms slower', '/s', False, None, None),
    ('through', 'submit to delivered, end to end', '/s', False, 25, None),
    ('cpu', 'CPU for 1,000 mails end to end', 's', True, 30, None),
    ('drain', 'drain of a filled queue, 10 connections', '/s', False, 10, None),
    ('distant', 'one connection, 40 ms round trip', '/s', False, 3, None),
    ('distant_8', 'one connection, 40 ms round trip, window = 8', '/s', False, 20, None),
    ('program', 'the command-line client, one after another', '/s', False, 5, None),
    ('memory_idle', 'memory, idle', 'MB', True, None, 12),
    ('memory_queued', 'memory, queue filled', 'MB', True, None, 64),
    ('memory_large', 'memory, 1,000,000 queued', 'MB', True, None, 64),
    ('restart', 'restart to the first delivery, queue filled', 's', True, None, 1),
    ('restart_large', 'restart to the first delivery, 1,000,000 queued', 's', True, None, 1),
)


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


class Host:
    """The folder of a run, the programs, the certificate."""

    def __init__(self, builddir, folder):
        self.builddir = os.path.abspath(builddir)
        self.folder = tempfile.mkdtemp(prefix='notifyd-bench.', dir=folder)
        os.chmod(self.folder, 0o755)
        self.cert, self.key = self.path('cert.pem'), self.path('key.pem')
        self.secret = self.path('secret')
        subprocess.run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj',
                        '/CN=localhost', '-keyout', self.key, '-out', self.cert, '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'],
                       check=True, stderr=subprocess.DEVNULL)
        with open(self.secret, 'w', encoding='ascii', opener=lambda p, f: os.open(p, f, 0o600)) as file:
            file.write('secret')
        with socket.socket() as free:    # a port that nobody listens on until a sink does
            free.bind(('127.0.0.1', 0))
            self.port = free.getsockname()[1]

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


class Notifyd:
    name = 'notifyd'

    def __init__(self, host, connections=10, slow=False, window=1):
        self.host, self.slow, self.process = host, slow, None
        self.folder = tempfile.mkdtemp(prefix='notifyd.', dir=host.folder)
        self.socket = os.path.join(self.folder, 'notifyd.sock')
        self.config, self.log, self.state = (os.path.join(self.folder, name) for name in ('notifyd.conf', 'log', 'state'))
        os.mkdir(self.state, 0o700)
        with open(self.config, 'w', encoding='ascii') as file:
            file.write('[daemon]\nhostname = %s\n[access]\nquota_jobs = none\nquota_bytes = 0\n[account sink]\nprovider = smtp\nhost = 127.0.0.1:%d\nauth = password\nuser = alerts\n'
                       'password = file:%s\nca_file = %s\nfrom = "Alerts" <alerts@%s>\nmax_connections = %d\nwindow = %d\n'
                       % (DOMAIN, host.port, host.secret, host.cert, DOMAIN, connections, window))

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self, deliver=True):
        """Returns when it is ready. (It delivers when a sink listens; deliver is for Postfix.)"""
        del deliver
        ready = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        address = '\0notifyd-bench-%d-%d' % (os.getpid(), time.monotonic_ns())
        ready.bind(address)
        env = dict(os.environ, NOTIFY_SOCKET='@' + address[1:], LC_ALL='C.UTF-8')
        if self.slow:
            env['LD_PRELOAD'] = self.host.tool('slowsync.so')
        self.began = time.monotonic()
        with open(self.log, 'ab') as log, ready:
            self.process = subprocess.Popen([os.path.join(self.host.builddir, 'notifyd'), '--config', self.config, '--state-dir', self.state,
                                             '--socket', self.socket], stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env)
            limit = time.monotonic() + 60
            while True:
                readable = select.select([ready], [], [], 0.2)[0]
                if readable and b'READY=1' in ready.recv(65536).split(b'\n'):
                    return self
                if self.process.poll() is not None or time.monotonic() > limit:
                    with open(self.log, encoding='utf-8', errors='replace') as file:
                        raise RuntimeError('notifyd did not start:\n' + file.read()[-2000:])

    def stop(self):
        if self.process:
            end(self.process)

    def submit(self, clients, count):
        return self.host.load('http', '--socket', self.socket, '--clients', clients, '--count', count, '--to', 'ops@' + DOMAIN)

    def cpu(self):
        return stat_of(self.process.pid)[1]

    def memory(self):
        """MB."""
        with open('/proc/%d/status' % self.process.pid, encoding='ascii') as file:
            return next(int(line.split()[1]) / 1024 for line in file if line.startswith('VmRSS:'))

    def one(self):
        subprocess.run([os.path.join(self.host.builddir, 'notifyctl'), '--socket', self.socket, 'send', '-t', 'ops@' + DOMAIN, '-s',
                        'Disk failing on web01', '-m', 'sda: 12 pending sectors'], check=True, stdout=subprocess.DEVNULL)


POSTFIX_MAIN = '''compatibility_level = 3.6
multi_instance_name = postfix-notifyd-bench
queue_directory = {folder}/spool
data_directory = {folder}/data
maillog_file = {folder}/mail.log
maillog_file_prefixes = {folder}
myhostname = {domain}
mydestination =
mynetworks = 127.0.0.0/8
inet_interfaces = loopback-only
inet_protocols = ipv4
alias_maps =
alias_database =
local_recipient_maps =
biff = no
append_dot_mydomain = no
in_flow_delay = 0
smtpd_peername_lookup = no
smtpd_client_connection_count_limit = 0
default_process_limit = 120
relayhost = [127.0.0.1]:{sink}
smtp_tls_security_level = encrypt
smtp_tls_connection_reuse = yes
smtp_tls_session_cache_database = btree:${{data_directory}}/smtp_scache
smtp_connection_cache_on_demand = yes
smtp_connection_cache_destinations = [127.0.0.1]:{sink}
smtp_connection_cache_time_limit = 30s
smtp_sasl_auth_enable = yes
smtp_sasl_password_maps = inline:{{ {{ [127.0.0.1]:{sink} = alerts:secret }} }}
smtp_sasl_security_options =
default_destination_concurrency_limit = {connections}
smtp_initial_destination_concurrency = {connections}
import_environment = MAIL_CONFIG MAIL_DEBUG MAIL_LOGTAG TZ LANG=C POSTLOG_SERVICE POSTLOG_HOSTNAME {preload}
'''
POSTFIX_MASTER = '''127.0.0.1:{port} inet n - n - - smtpd
pickup    unix  n - n 60    1 pickup
cleanup   unix  n - n -     0 cleanup
{qmgr}qmgr      unix  n - n 300   1 qmgr
tlsmgr    unix  - - n 1000? 1 tlsmgr
tlsproxy  unix  - - n -     0 tlsproxy
rewrite   unix  - - n -     - trivial-rewrite
bounce    unix  - - n -     0 bounce
defer     unix  - - n -     0 bounce
trace     unix  - - n -     0 bounce
verify    unix  - - n -     1 verify
flush     unix  n - n 1000? 0 flush
proxymap  unix  - - n -     - proxymap
smtp      unix  - - n -     - smtp
relay     unix  - - n -     - smtp
error     unix  - - n -     - error
retry     unix  - - n -     - error
discard   unix  - - n -     - discard
anvil     unix  - - n -     1 anvil
scache    unix  - - n -     1 scache
showq     unix  n - n -     - showq
postlog   unix-dgram n - n - 1 postlogd
'''


class Postfix:
    """A Postfix of our own: private configuration, queue on the same disk. Without its queue manager it accepts and keeps."""
    name = 'postfix'

    def __init__(self, host, connections=10, slow=False):
        self.host, self.connections, self.slow, self.master = host, connections, slow, None
        self.folder = tempfile.mkdtemp(prefix='postfix.', dir=host.folder)
        os.chmod(self.folder, 0o755)
        self.conf = os.path.join(self.folder, 'conf')
        for name in ('conf', 'spool', 'data'):
            os.mkdir(os.path.join(self.folder, name), 0o755)
        shutil.chown(os.path.join(self.folder, 'data'), 'postfix')
        with socket.socket() as free:
            free.bind(('127.0.0.1', 0))
            self.port = free.getsockname()[1]

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def control(self, *args):
        return subprocess.run(['postfix', '-c', self.conf, *args], env=dict(os.environ, PATH=PATH), stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)

    def start(self, deliver=True):
        preload = 'LD_PRELOAD=%s SLOWSYNC_MS=5' % self.host.tool('slowsync.so') if self.slow else ''
        with open(os.path.join(self.conf, 'main.cf'), 'w', encoding='ascii') as file:
            file.write(POSTFIX_MAIN.format(folder=self.folder, domain=DOMAIN, sink=self.host.port, connections=self.connections, preload=preload))
        with open(os.path.join(self.conf, 'master.cf'), 'w', encoding='ascii') as file:
            file.write(POSTFIX_MASTER.format(port=self.port, qmgr='' if deliver else '#'))
        self.began = time.monotonic()
        got = self.control('start')
        limit = time.monotonic() + 20
        while time.monotonic() < limit:
            with contextlib.suppress(OSError), socket.create_connection(('127.0.0.1', self.port), 5) as probe:
                probe.recv(100)
                if self.read_master() is not None:
                    return self
            select.select([], [], [], 0.05)
        raise RuntimeError('Postfix did not start: %s' % got.stdout)

    def read_master(self):
        with contextlib.suppress(OSError, ValueError), open(os.path.join(self.folder, 'spool/pid/master.pid'), encoding='ascii') as file:
            self.master = int(file.read())
        return self.master

    def alive(self):
        with contextlib.suppress(OSError), open('/proc/%d/stat' % self.master, encoding='ascii') as file:
            return file.read().rpartition(')')[2].split()[0] != 'Z'
        return False

    def stop(self):
        if self.read_master() is None:
            return
        self.control('stop')
        limit = time.monotonic() + 30
        while self.alive() and time.monotonic() < limit:
            select.select([], [], [], 0.05)
        if self.alive():
            self.control('abort')
        self.master = None

    def submit(self, clients, count):
        return self.host.load('smtp', '--port', self.port, '--clients', clients, '--count', count, '--to', 'ops@' + DOMAIN)

    def family(self):
        for path in glob.glob('/proc/[0-9]*/stat'):
            with contextlib.suppress(OSError):
                pid = int(path.split('/')[2])
                parent, own, ended = stat_of(pid)
                if self.master in (pid, parent):
                    yield pid, own + ended

    def cpu(self):
        return sum(cpu for _, cpu in self.family())

    def memory(self):
        """MB, what is shared counted once."""
        total = 0
        for pid, _ in self.family():
            with contextlib.suppress(OSError), open('/proc/%d/smaps_rollup' % pid, encoding='ascii') as file:
                total += next(int(line.split()[1]) for line in file if line.startswith('Pss:')) / 1024
        return total

    def one(self):
        subprocess.run(['sendmail', '-C', self.conf, '-f', 'alerts@' + DOMAIN, 'ops@' + DOMAIN], env=dict(os.environ, PATH=PATH), check=True,
                       input=b'Subject: Disk failing on web01\n\nsda: 12 pending sectors\n')


class Bench:
    def __init__(self, host, size, both):
        self.host, self.size = host, size
        self.kinds = (Notifyd, Postfix) if both else (Notifyd,)
        self.values = {}    # (row, program) -> values
        self.replays = []

    def note(self, row, kind, value, **more):
        self.values.setdefault((row, kind.name), []).append(dict(value=value, **more))
        say('  %-14s %-8s %10.3f  %s' % (row, kind.name, value, ' '.join('%s=%.3g' % item for item in more.items())))

    def count(self, what, kind):
        return getattr(self.size, ('postfix_' if kind is Postfix else '') + what)

    def pairs(self):
        """Each kind in turn, so that what else the machine does meets both."""
        return ((number, kind) for number in range(self.size.rounds) for kind in self.kinds)

    def accepts(self, clients, count, row, servers):
        for _, kind in self.pairs():
            got = servers[kind].submit(clients, count(kind))
            self.note(row, kind, got['rate'], p50_ms=got['p50_ms'], p99_ms=got['p99_ms'])

    def keep(self):
        """Accepts while nothing is delivered, then memory, restart and drain of what was kept."""
        with contextlib.ExitStack() as stack:
            servers = {kind: stack.enter_context(contextlib.closing(Closing(kind(self.host)))).server for kind in self.kinds}
            for kind in self.kinds:
                servers[kind].start(deliver=False)
                self.note('memory_idle', kind, servers[kind].memory())
            for clients in (1, 16, 64):
                self.accepts(clients, lambda kind, n=clients: self.count('accepts', kind)[n], 'accepts_%d' % clients, servers)
            for _, kind in self.pairs():
                began = time.monotonic()
                for _ in range(self.size.programs):
                    servers[kind].one()
                self.note('program', kind, self.size.programs / (time.monotonic() - began))
            for kind in self.kinds:
                queued = self.size.rounds * (sum(self.count('accepts', kind).values()) + self.size.programs)
                more = self.count('fill', kind) - queued
                if more > 0:
                    servers[kind].submit(64, more)
                self.note('memory_queued', kind, servers[kind].memory(), queued=max(queued, queued + more))
                servers[kind].stop()
            for _, kind in self.pairs():    # each round drains a part
                self.restart(servers[kind], kind)

    def restart(self, server, kind):
        count = self.count('drain', kind) // self.size.rounds
        with Sink(self.host, count) as sink:
            server.start()
            got = sink.wait(self.size.patience)
            if got['mails']:
                self.note('restart', kind, got['first'] - server.began)
                self.note('drain', kind, rate(got), mails=got['mails'])
            server.stop()

    def slow(self):
        for clients in (1, 16, 64):
            for _, kind in self.pairs():
                with contextlib.closing(Closing(kind(self.host, slow=True))) as closing:
                    closing.server.start(deliver=False)
                    count = self.count('slow', kind) // (10 if clients == 1 else 1)
                    got = closing.server.submit(clients, count)
                    self.note('slow_%d' % clients, kind, got['rate'], p50_ms=got['p50_ms'], p99_ms=got['p99_ms'])

    def through(self):
        for number in range(self.size.rounds):
            with Sink(self.host, self.size.replay):
                done = subprocess.run([self.host.tool('replay'), '--port', str(self.host.port), '--count', str(self.size.replay)],
                                      stdout=subprocess.PIPE, check=True)
                self.replays.append(json.loads(done.stdout)['rate'])
                say('  %-14s %-8s %10.3f' % ('replay', number + 1, self.replays[-1]))
            for kind in self.kinds:
                count = self.count('through', kind)
                with Sink(self.host, count) as sink, kind(self.host) as server:
                    server.submit(1, 10)    # sessions and processes are up
                    sink.wait_first(self.size.patience)
                    cpu = server.cpu()
                    load = server.submit(64, count - 10)
                    got = sink.wait(self.size.patience)
                    self.note('through', kind, got['mails'] / (got['last'] - load['start']), accepts=load['rate'], p99_ms=load['p99_ms'])
                    self.note('cpu', kind, (server.cpu() - cpu) / got['mails'] * 1000)

    def exim(self):
        """Another relay on the same way, end to end."""
        count = self.size.postfix_through // 4
        for _ in range(self.size.rounds):
            with Sink(self.host, count) as sink, exim.Exim(self.host) as server:
                server.submit(1, 10)
                sink.wait_first(self.size.patience)
                load = server.submit(64, count - 10)
                got = sink.wait(self.size.patience)
                self.note('through', exim.Exim, got['mails'] / (got['last'] - load['start']), accepts=load['rate'], p99_ms=load['p99_ms'])

    def distant(self):
        for _, kind in self.pairs():
            with Sink(self.host, self.size.distant, rtt=40) as sink, kind(self.host, connections=1) as server:
                server.submit(4, self.size.distant)
                self.note('distant', kind, rate(sink.wait(self.size.patience)))
            if kind is not Notifyd:    # it has no such setting: its one figure is the measure for both
                self.note('distant_8', kind, self.values['distant', kind.name][-1]['value'])
                continue
            count = 10 * self.size.distant
            with Sink(self.host, count, rtt=40) as sink, kind(self.host, connections=1, window=8) as server:
                server.submit(4, count)
                self.note('distant_8', kind, rate(sink.wait(self.size.patience)))

    def large(self, jobs=1000000):
        with contextlib.closing(Closing(Notifyd(self.host))) as closing:
            server = closing.server
            server.start()
            server.submit(64, jobs)
            filled = server.memory()
            server.stop()
            with Sink(self.host, 5000) as sink:
                server.start()
                got = sink.wait(self.size.patience)
                self.note('restart_large', Notifyd, got['first'] - server.began, drain=rate(got))
                self.note('memory_large', Notifyd, max(filled, server.memory()), queued=jobs)

    def median(self, row, name):
        values = self.values.get((row, name))
        return {key: statistics.median(v[key] for v in values) for key in values[0]} if values else None

    def rows(self):
        replay = statistics.median(self.replays) if self.replays else None
        for name, words, unit, less, factor, limit in ROWS:
            ours, theirs = self.median(name, 'notifyd'), self.median(name, 'postfix')
            if not ours:
                continue
            ratio = None
            if theirs and theirs['value'] and ours['value']:
                ratio = theirs['value'] / ours['value'] if less else ours['value'] / theirs['value']
            goals, reached = [], []
            if factor:
                goals.append('1/%d' % factor if less else '%d×' % factor)
                if ratio:
                    reached.append(ratio >= factor)
            if limit:
                goals.append('≤ %g %s' % (limit, unit))
                reached.append(ours['value'] <= limit)
            if name == 'through' and replay:
                goals.append('1/3 of replay')
                reached.append(ours['value'] * 3 >= replay)
            yield {'name': name, 'words': words, 'unit': unit, 'notifyd': ours, 'postfix': theirs, 'ratio': ratio, 'less_is_better': less,
                   'of_replay': ours['value'] / replay if replay and unit == '/s' and name in ('through', 'drain') else None,
                   'goal': ' and '.join(goals), 'reached': all(reached) if reached else None}


class Closing:
    """A server that is started and stopped by hand, and ends in any case."""

    def __init__(self, server):
        self.server = server

    def close(self):
        self.server.__exit__()


def sync_ms(folder):
    """What one fdatasync of 2,400 octets takes here: the middle one of 200."""
    took = []
    path = os.path.join(folder, 'sync')
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for _ in range(200):
        os.write(fd, b'x' * 2400)
        began = time.monotonic()
        os.fdatasync(fd)
        took.append((time.monotonic() - began) * 1000)
    os.close(fd)
    os.unlink(path)
    return statistics.median(took)


def machine(folder):
    with open('/proc/cpuinfo', encoding='utf-8') as file:
        model = next((line.split(':', 1)[1].strip() for line in file if line.startswith('model name')), platform.machine())
    mount = subprocess.run(['findmnt', '-n', '-o', 'SOURCE,FSTYPE', '-T', folder], stdout=subprocess.PIPE, text=True, check=False).stdout.split()
    return {'cores': len(os.sched_getaffinity(0)), 'cpu': model, 'kernel': platform.release(), 'disk': ' '.join(mount),
            'fdatasync_ms': round(sync_ms(folder), 3), 'load_before': os.getloadavg()[0]}


def number(value):
    return '%d' % round(value) if value >= 100 else '%.1f' % value if value >= 10 else '%.2f' % value


def cell(value, unit):
    if not value:
        return '–'
    text = '%s%s%s' % (number(value['value']), '' if unit == '/s' else ' ', unit)
    if 'p50_ms' in value:
        text += ' (%s / %s ms)' % (number(value['p50_ms']), number(value['p99_ms']))
    if 'queued' in value:
        text += ' (%d)' % value['queued']
    return text


def table(result):
    m, s = result['machine'], result['settings']
    yield '%s, %s, %d cores %s, Linux %s, %s (fdatasync %.2f ms), load before %.1f, after %.1f' % (
        result['date'], s['mode'], m['cores'], m['cpu'], m['kernel'], m['disk'], m['fdatasync_ms'], m['load_before'], m['load_after'])
    yield ''
    yield '| work | notifyd | %s | ratio | of replay | goal | reached |' % (s['postfix'] if s['postfix'].startswith('Postfix') else 'Postfix')
    yield '|---|---|---|---|---|---|---|'
    for row in result['rows']:
        ratio = '–'
        if row['ratio']:
            ratio = '1/%s' % number(row['ratio']) if row['less_is_better'] else '%s×' % number(row['ratio'])
        yield '| %s | %s | %s | %s | %s | %s | %s |' % (
            row['words'], cell(row['notifyd'], row['unit']), cell(row['postfix'], row['unit']), ratio,
            '%.0f %%' % (row['of_replay'] * 100) if row['of_replay'] else '', row['goal'],
            {True: 'yes', False: 'no', None: ''}[row['reached']])
    beside = [value['value'] for row in result['measured'] if (row['row'], row['program']) == ('through', 'exim') for value in row['values']]
    if beside:
        yield ''
        yield 'Submit to delivered by Exim: %s mails a second.' % number(statistics.median(beside))
    if result['replay']:
        yield ''
        yield 'Replay bound: %s mails a second.' % number(statistics.median(result['replay']))
    if not s['postfix'].startswith('Postfix'):
        yield ''
        yield 'Postfix was left out: %s.' % s['postfix']


def postfix_words():
    """Its version, or why it is left out."""
    if not shutil.which('postfix', path=PATH):
        return 'it is not installed'
    if os.geteuid() != 0:
        return 'it needs root'
    try:
        pwd.getpwnam('postfix')
    except KeyError:
        return 'there is no user postfix'
    return 'Postfix ' + subprocess.run(['postconf', '-dh', 'mail_version'], env=dict(os.environ, PATH=PATH), stdout=subprocess.PIPE,
                                       text=True, check=False).stdout.strip()


def main():
    parser = argparse.ArgumentParser(description='notifyd beside Postfix: docs/PERFORMANCE.md')
    parser.add_argument('--builddir', default='.', help='where notifyd and tests/bench/ were built')
    parser.add_argument('--quick', action='store_true', help='one round of few mails, about a minute')
    parser.add_argument('--large', action='store_true', help='also a queue of 1,000,000 jobs')
    parser.add_argument('--only', default='', help='parts, by commas: keep slow through distant')
    parser.add_argument('--exim', default='', help='a folder of tests/opinions/fetch: Exim end to end, too')
    parser.add_argument('--no-postfix', action='store_true', help='notifyd alone')
    parser.add_argument('--dir', default='/var/tmp', help='a folder on the disk that is meant')
    parser.add_argument('--out', default='', help='file for the results as JSON')
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    size = Quick if args.quick else Full
    postfix = 'it was not wanted' if args.no_postfix else postfix_words()
    host = Host(args.builddir, args.dir)
    host.exim = os.path.abspath(args.exim)
    try:
        bench = Bench(host, size, postfix.startswith('Postfix'))
        result = {'date': time.strftime('%Y-%m-%d %H:%M UTC', time.gmtime()), 'machine': machine(host.folder),
                  'settings': {'mode': 'quick' if args.quick else 'full', 'postfix': postfix, 'large': args.large,
                               **{key: value for key, value in vars(size).items() if not key.startswith('_')},
                               'text_octets': 2048, 'postfix_main_cf': POSTFIX_MAIN}}
        parts = args.only.split(',') if args.only else ['keep', 'slow', 'through', 'distant'] + ['exim'] * bool(args.exim) + ['large'] * args.large
        for part in parts:
            say(part)
            getattr(bench, part)()
        result['machine']['load_after'] = os.getloadavg()[0]
        result.update(rows=list(bench.rows()), replay=bench.replays,
                      measured=[{'row': row, 'program': name, 'values': values} for (row, name), values in bench.values.items()])
    finally:
        host.close()
    if args.out:
        with open(args.out, 'w', encoding='utf-8') as file:
            json.dump(result, file, indent=1, ensure_ascii=False)
            file.write('\n')
    print('\n'.join(table(result)))


if __name__ == '__main__':
    main()
