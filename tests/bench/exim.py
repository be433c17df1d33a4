# SPDX-License-Identifier: Apache-2.0
"""exim.py - Exim as a relay beside notifyd: mails in by SMTP in clear, out to the sink by STARTTLS and AUTH PLAIN.

--exim names a folder of tests/opinions/fetch; root is needed. (OpenSMTPD takes no pipelined mails, and msmtp and nullmailer are no daemons that
take mails by SMTP: the load client cannot feed them.)"""
import contextlib
import os
import select
import shutil
import socket
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'opinions'))
import private

CONFIG = '''exim_user = mail
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

class Exim:
    """Started and stopped as Postfix is."""
    name = 'exim'

    def __init__(self, host, connections=10):
        self.host, self.connections, self.process = host, connections, None
        self.folder = tempfile.mkdtemp(prefix=self.name + '.', dir=host.folder)
        os.chmod(self.folder, 0o755)
        os.mkdir(os.path.join(self.folder, 'spool'), 0o755)
        shutil.chown(os.path.join(self.folder, 'spool'), 'mail')
        with socket.socket() as free:
            free.bind(('127.0.0.1', 0))
            self.port = free.getsockname()[1]

    def __enter__(self):
        conf = os.path.join(self.folder, 'conf')
        with open(conf, 'w', encoding='utf-8') as file:
            file.write(CONFIG.format(folder=self.folder, port=self.port, program=os.path.join(self.host.exim, private.EXIM), sink=self.host.port,
                                          cert=self.host.cert, connections=self.connections, domain='bench.example'))
        self.process = private.start(self.host.exim, self.folder, private.EXIM, '-bdf', '-C', conf)
        limit = time.monotonic() + 20
        while time.monotonic() < limit and self.process.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection(('127.0.0.1', self.port), 5) as probe:
                if probe.recv(100).startswith(b'220'):
                    return self
            select.select([], [], [], 0.05)
        with open(os.path.join(self.folder, 'said'), encoding='utf-8', errors='replace') as file:
            raise RuntimeError('%s did not start: %s' % (self.name, file.read()))

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def submit(self, clients, count):
        return self.host.load('smtp', '--port', self.port, '--clients', clients, '--count', count, '--to', 'ops@bench.example')
