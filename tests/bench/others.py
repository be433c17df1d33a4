# SPDX-License-Identifier: Apache-2.0
"""others.py - further programs beside notifyd, where they are installed or unpacked by tests/opinions/fetch: each of a private configuration, started
and stopped as Postfix is, out to the sink by STARTTLS and AUTH PLAIN with its certificate verified.

Exim and OpenSMTPD are relays: 64 clients submit by SMTP in clear. nullmailer has a queue and a sender; its nullmailer-inject takes one mail after another.
msmtp has no queue: it ends when the sink has the mail, so it stands beside the command-line clients alone."""
import contextlib
import glob
import gzip
import os
import resource
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import time

from host import DOMAIN, PATH, Sink, end, family, free_port

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'opinions'))
import private

EXIM = '''exim_user = mail
exim_group = mail
exim_path = {program}
spool_directory = {folder}/spool
log_file_path = {folder}/spool/%slog
pid_file_path = {folder}/spool/pid
primary_hostname = {domain}
daemon_smtp_ports = {port}
local_interfaces = 127.0.0.1
host_lookup =
smtp_accept_max = 0
smtp_connect_backlog = 200
smtp_accept_queue_per_connection = 0
queue_run_max = {connections}
split_spool_directory = yes
keep_environment =
acl_smtp_rcpt = accept
begin routers
out:
  driver = manualroute
  route_list = * 127.0.0.1
  self = send
  host_find_failed = defer
  transport = sink
begin transports
sink:
  driver = smtp
  port = {sink}
  hosts_require_tls = *
  hosts_require_auth = *
  tls_verify_certificates = {cert}
  tls_verify_hosts = *
  tls_verify_cert_hostnames =
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  client_send = ^alerts^secret
'''
# It trusts the list of authorities of the system alone: private.py puts the sink's certificate there.
OPENSMTPD = '''smtp limit max-mails 1000000
table secrets {{ sink = "alerts:secret" }}
listen on 127.0.0.1 port {port} hostname {domain}
mta limit inet4
mta limit max-conn-per-host {connections}
mta limit max-conn-per-route {connections}
mta limit session-mail-max 1000000
mta limit conn-delay-route 0
mta limit conn-delay-relay 0
mta limit reconn-delay-route 0
action out relay host smtp+tls://sink@localhost:{sink} auth <secrets>
match from any for any action out
'''
NULLMAILER = 'localhost smtp port={sink} starttls user=alerts pass=secret x509cafile={cert}\n'
MSMTP = '''account default
host localhost
port {sink}
from alerts@{domain}
tls on
tls_starttls on
tls_trust_file {cert}
auth plain
user alerts
password secret
'''
LINE = '2026-11-21T08:00:00Z web01 smartd[812]: Device: /dev/sda, 12 pending sectors\n'
MAIL = ('From: alerts@%s\nTo: ops@%s\nSubject: Disk failing on web01\n\n' % (DOMAIN, DOMAIN) + LINE * (2048 // len(LINE))).encode()


class Other:
    """A program beside. What is in the folder of tests/opinions/fetch goes before what is installed."""
    name = title = package = config = ''
    also = ()          # further programs of it
    words = ''         # what its column does not say
    root = True
    share = 4          # of the mails that Postfix is given end to end it gets this part
    warm = 10

    def __init__(self, host, connections=10):
        self.host, self.process = host, None
        self.folder = tempfile.mkdtemp(prefix=self.name + '.', dir=host.folder)
        os.chmod(self.folder, 0o755)
        self.port = free_port()
        self.text = self.config.format(folder=self.folder, port=self.port, program=self.find(host), sink=host.port, cert=host.cert,
                                       connections=connections, domain=DOMAIN)

    def __exit__(self, *_):
        if self.process:
            end(self.process)
        shutil.rmtree(self.folder, ignore_errors=True)

    @classmethod
    def find(cls, host, program=None):
        places = [os.path.join(host.others, cls.package, place) for place in ('usr/sbin', 'usr/bin')] if host.others else []
        return shutil.which(program or cls.program, path=os.pathsep.join([*places, PATH]))

    @classmethod
    def facts(cls, host):
        """Its name with the version that its package tells, why it is left out, and how it is set."""
        program, version = cls.find(host), ''
        left_out = '' if all(cls.find(host, name) for name in (cls.program, *cls.also)) else 'it is not installed'
        if program and cls.root and os.geteuid() != 0:
            left_out = 'it needs root'
        if program:
            log = os.path.join(os.path.dirname(os.path.dirname(os.path.realpath(program))), 'share/doc', cls.package, 'changelog.Debian.gz')
            with contextlib.suppress(OSError, IndexError), gzip.open(log, 'rt', encoding='utf-8') as file:
                version = ' ' + file.readline().split()[1].strip('()').rpartition(':')[2].rpartition('-')[0]
        return {'program': cls.title + version, 'left_out': left_out, 'words': cls.words, 'configuration': cls.config}

    @classmethod
    def measure(cls, bench):
        bench.end_to_end(cls, bench.size.postfix_through // cls.share, cls.warm)

    def environment(self):
        """With the libraries that were unpacked beside it."""
        folders = glob.glob(os.path.join(self.host.others, 'libraries/usr/lib/*/')) if self.host.others else []
        return dict(os.environ, LD_LIBRARY_PATH=os.pathsep.join(folders)) if folders else dict(os.environ)

    def write(self, name, text, mode=0o600):
        path = os.path.join(self.folder, name)
        with open(path, 'w', encoding='utf-8', opener=lambda p, f: os.open(p, f, mode)) as file:
            file.write(text)
        return path


class Relay(Other):
    """It listens on a port of its own; private.py gives it the users and folders that it was built for."""
    start, load = (), ()

    def __enter__(self):
        conf = self.write('conf', self.text, 0o644)
        self.process = private.start(self.host.others, self.folder, self.find(self.host), *self.start, conf)
        limit = time.monotonic() + 20
        while time.monotonic() < limit and self.process.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection(('127.0.0.1', self.port), 5) as probe:
                if probe.recv(100).startswith(b'220'):
                    return self
            select.select([], [], [], 0.05)
        with open(os.path.join(self.folder, 'said'), encoding='utf-8', errors='replace') as file:
            said = file.read()
        self.__exit__()
        raise RuntimeError('it did not start: ' + said[-500:])

    def submit(self, clients, count):
        return self.host.load('smtp', '--port', self.port, '--clients', clients, '--count', count, '--to', 'ops@' + DOMAIN, *self.load)


class Exim(Relay):
    name, title, package, program, config = 'exim', 'Exim', 'exim4-daemon-light', 'exim4', EXIM
    words = 'nobody waits for its processes, so their processor time is not known'
    start = ('-bdf', '-C')

    def __init__(self, host):
        super().__init__(host)
        os.mkdir(os.path.join(self.folder, 'spool'), 0o755)
        shutil.chown(os.path.join(self.folder, 'spool'), 'mail')

    def cpu(self):
        return None


class OpenSmtpd(Relay):
    name, title, package, program, config = 'opensmtpd', 'OpenSMTPD', 'opensmtpd', 'smtpd', OPENSMTPD
    words = 'it takes no pipelined mails, so each client waits for the answer to each command'
    start, load, share = ('-d', '-f'), ('--stepwise',), 1

    def __init__(self, host):
        super().__init__(host)
        shutil.copy(host.cert, os.path.join(self.folder, 'trusted'))
        self.write('resolv.conf', 'lookup file\n', 0o644)

    def cpu(self):
        return sum(cpu for _, cpu in family(self.process.pid))


class Nullmailer(Other):
    name, title, package, program, config = 'nullmailer', 'nullmailer', 'nullmailer', 'nullmailer-send', NULLMAILER
    words = 'a session for each mail; one nullmailer-inject after another submits, and is counted with it'
    also = ('nullmailer-inject', 'nullmailer-queue')
    root, share, warm = False, 10, 1

    def __init__(self, host):
        super().__init__(host)
        self.inject = self.find(host, 'nullmailer-inject')
        for name in ('conf', 'queue/queue', 'queue/tmp', 'queue/failed'):
            os.makedirs(os.path.join(self.folder, name))
        os.mkfifo(os.path.join(self.folder, 'queue/trigger'), 0o600)
        prefix = os.path.dirname(os.path.dirname(self.find(host)))
        os.symlink(os.path.join(prefix, 'lib/nullmailer'), os.path.join(self.folder, 'protocols'))
        # Without its setuid bit, which is for the places it was built for.
        self.queue = shutil.copyfile(self.find(host, 'nullmailer-queue'), os.path.join(self.folder, 'nullmailer-queue'))
        os.chmod(self.queue, 0o755)

    def environment(self):
        return dict(super().environment(), NULLMAILER_TEST_PREFIX=self.folder, NULLMAILER_QUEUE=self.queue)

    def __enter__(self):
        self.write('mailname', DOMAIN + '\n')
        self.write('conf/remotes', self.text)
        with open(os.path.join(self.folder, 'said'), 'wb') as said:
            self.process = subprocess.Popen([self.find(self.host)], env=self.environment(), stdin=subprocess.DEVNULL, stdout=said, stderr=said)
        return self

    def submit(self, _, count):
        """One after another, whatever the number of clients: what the load client would say."""
        took, start, environment = [], time.monotonic(), self.environment()
        for _ in range(count):
            began = time.monotonic()
            subprocess.run([self.inject, '-f', 'alerts@' + DOMAIN, 'ops@' + DOMAIN], input=MAIL, env=environment, check=True)
            took.append(time.monotonic() - began)
        return {'start': start, 'rate': count / sum(took), 'p99_ms': sorted(took)[count * 99 // 100] * 1000}

    def cpu(self):
        ended = resource.getrusage(resource.RUSAGE_CHILDREN)
        return sum(cpu for _, cpu in family(self.process.pid)) + ended.ru_utime + ended.ru_stime


class Msmtp(Other):
    name, title, package, program, config = 'msmtp', 'msmtp', 'msmtp', 'msmtp', MSMTP
    words = 'it has no queue and ends when the sink has the mail; notifyctl send and sendmail end when it is queued'
    root = False

    def __enter__(self):
        self.conf = self.write('conf', self.text)
        return self

    @classmethod
    def measure(cls, bench):
        with Sink(bench.host, bench.size.programs) as sink, cls(bench.host) as client:
            bench.one_by_one(cls, client)
            sink.wait(bench.size.patience)

    def one(self):
        subprocess.run([self.find(self.host), '-C', self.conf, 'ops@' + DOMAIN], env=self.environment(), check=True,
                       input=b'Subject: Disk failing on web01\n\nsda: 12 pending sectors\n')


OTHERS = (Exim, OpenSmtpd, Nullmailer, Msmtp)
