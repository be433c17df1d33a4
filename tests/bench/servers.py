# SPDX-License-Identifier: Apache-2.0
"""servers.py - notifyd and Postfix, each of a private configuration: what most rows compare."""
import contextlib
import glob
import os
import pwd
import select
import shutil
import socket
import subprocess
import tempfile
import time

from host import DOMAIN, PATH, end, family, free_port, stat_of


class Notifyd:
    name = 'notifyd'

    def __init__(self, host, connections=10, slow=False, window=1):
        self.host, self.slow, self.process = host, slow, None
        self.folder = tempfile.mkdtemp(prefix='notifyd.', dir=host.folder)
        self.socket = os.path.join(self.folder, 'notifyd.sock')
        self.config, self.log, self.state = (os.path.join(self.folder, name) for name in ('notifyd.conf', 'log', 'state'))
        os.mkdir(self.state, 0o700)
        with open(self.config, 'w', encoding='ascii') as file:
            file.write('[daemon]\nhostname = %s\n[access]\nquota_jobs = none\nquota_bytes = 0\n[queue]\nmax_jobs = 1100000\nmax_bytes = 8G\n[account sink]\nprovider = smtp\nhost = 127.0.0.1:%d\nauth = password\nuser = alerts\n'
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

    def threads(self):
        """Processor time of the loop, which is the first thread, and of the one that writes."""
        pid = self.process.pid
        found = {'loop': stat_of('%d/task/%d' % (pid, pid))[1]}
        for path in glob.glob('/proc/%d/task/*' % pid):
            with open(path + '/comm', encoding='ascii') as file:
                if file.read().strip() == 'storage':
                    found['storage'] = stat_of(path[len('/proc/'):])[1]
        return found

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
        self.port = free_port()

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

    def cpu(self):
        return sum(cpu for _, cpu in family(self.master))

    def memory(self):
        """MB, what is shared counted once."""
        total = 0
        for pid, _ in family(self.master):
            with contextlib.suppress(OSError), open('/proc/%d/smaps_rollup' % pid, encoding='ascii') as file:
                total += next(int(line.split()[1]) for line in file if line.startswith('Pss:')) / 1024
        return total

    def one(self):
        subprocess.run(['sendmail', '-C', self.conf, '-f', 'alerts@' + DOMAIN, 'ops@' + DOMAIN], env=dict(os.environ, PATH=PATH), check=True,
                       input=b'Subject: Disk failing on web01\n\nsda: 12 pending sectors\n')


class Closing:
    """A server that is started and stopped by hand, and ends in any case."""

    def __init__(self, server):
        self.server = server

    def close(self):
        self.server.__exit__()


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
