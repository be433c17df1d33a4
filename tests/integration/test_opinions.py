# SPDX-License-Identifier: Apache-2.0
"""Second and third opinions: Exim and OpenSMTPD take our mails. Only where ND_OPINIONS names a folder of tests/opinions/fetch, and as root.

OpenSMTPD speaks without TLS here: the keys of
Debian 12's do not work with its OpenSSL 3 ("missing private key")."""
import email
import email.policy
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import unittest

from notifyd import TOP, ProgramTest, until
from test_reload import HEAD

sys.path.insert(0, os.path.join(TOP, 'tests/opinions'))
import private

PROGRAMS = os.environ.get('ND_OPINIONS', '')
TOO_LARGE = 1200000
EXIM = '''
exim_user = mail
exim_group = mail
exim_path = {program}
spool_directory = {folder}/spool
log_file_path = {folder}/spool/%slog
pid_file_path = {folder}/spool/pid
primary_hostname = exim.example
daemon_smtp_ports = {port}
local_interfaces = 127.0.0.1
tls_certificate = {folder}/cert.pem
tls_privatekey = {folder}/key.pem
tls_advertise_hosts = *
auth_advertise_hosts = ${{if eq{{$tls_in_cipher}}{{}}{{}}{{*}}}}
chunking_advertise_hosts = *
dsn_advertise_hosts = *
smtputf8_advertise_hosts = *
smtp_accept_max_per_connection = 20
smtp_accept_queue_per_connection = 0
message_size_limit = 1M
keep_environment =
acl_smtp_mail = mail
acl_smtp_rcpt = rcpt
acl_smtp_data = accept
begin acl
mail:
  deny !authenticated = *
  accept
rcpt:
  deny local_parts = nobody
       message = 5.1.1 no such user here
  accept domains = opinion.example
  deny message = 5.7.1 relaying denied
begin routers
local:
  driver = accept
  transport = box
begin transports
box:
  driver = appendfile
  directory = {folder}/box
  maildir_format
  user = mail
  group = mail
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_condition = ${{if and{{{{eq{{$auth2}}{{alerts}}}}{{eq{{$auth3}}{{secret}}}}}}}}
  server_set_id = $auth2
'''
CHALLENGE = '''challenge:
  driver = cram_md5
  public_name = CRAM-MD5
  server_secret = ${{if eq{{$auth1}}{{alerts}}{{secret}}fail}}
  server_set_id = $auth1
'''
OPENSMTPD = '''
smtp max-message-size 1M
listen on 127.0.0.1 port {port} hostname opensmtpd.example
table box {{ "ops@opinion.example" = mail, "night@opinion.example" = mail }}
action box maildir "{folder}/box" virtual <box>
match from any for domain "opinion.example" action box
'''
CONFIG = HEAD.replace('[access]', 'log_level = debug\n[access]') + '''
[account a]
provider = smtp
host = localhost:%d
from = Alarme <alerts@opinion.example>
max_connections = 2
%s
'''
BY_TLS = '''ca_file = %s/cert.pem
auth = password
user = alerts
password = file:%s/secret
'''


@unittest.skipUnless(PROGRAMS and os.geteuid() == 0, 'ND_OPINIONS names no folder of tests/opinions/fetch, or this is not root')
class Opinion(ProgramTest):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix='notifyd-opinion.', dir='/var/tmp')
        if not os.environ.get('ND_KEEP'):
            self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        os.chmod(self.folder, 0o755)
        with socket.socket() as free:
            free.bind(('127.0.0.1', 0))
            self.port = free.getsockname()[1]
        for name in ('spool', 'box'):
            os.mkdir(self.path(name))
            shutil.chown(self.path(name), 'mail', 'mail')
        subprocess.run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj', '/CN=localhost',
                        '-keyout', self.path('key.pem'), '-out', self.path('cert.pem'), '-addext', 'subjectAltName=DNS:localhost'],
                       check=True, stderr=subprocess.DEVNULL)
        shutil.chown(self.path('key.pem'), 'mail')
        self.write('secret', 'secret', 0o600)

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, text, mode):
        with open(os.open(self.path(name), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), 'w', encoding='utf-8') as file:
            file.write(text)

    def serve(self, program, config, *words):
        """The server, when it listens."""
        facts = {'folder': self.folder, 'port': self.port, 'program': os.path.join(PROGRAMS, program)}
        self.write('conf', config.format(**facts), 0o644)
        server = private.start(PROGRAMS, self.folder, program, *words, self.path('conf'))
        self.addCleanup(server.wait)
        self.addCleanup(server.terminate)

        def listens():
            with socket.socket() as one:
                if server.poll() is not None:
                    with open(self.path('said'), encoding='utf-8', errors='replace') as file:
                        raise AssertionError('it has ended: ' + file.read())
                return one.connect_ex(('127.0.0.1', self.port)) == 0
        until(listens, 'it listens')

    def arrived(self, count):
        """The mails in its box, once there are so many."""
        def look():
            names = [os.path.join(folder, name) for folder, _, found in os.walk(self.path('box')) for name in found
                     if os.path.basename(folder) == 'new']
            return names if len(names) >= count else None
        mails = []
        for name in sorted(until(look, '%d mails' % count, 60)):
            with open(name, 'rb') as file:
                mails.append(email.message_from_binary_file(file, policy=email.policy.default))
        return mails

    def check_mails(self, d):
        texts = {'first': 'eins\n', 'zweite: Größe': '.\n..\n.zwei\nÄ ö ü €\n', 'third': 'x' * 60 + '\n' + 'wort ' * 40 + '\n',
                 'large': 'The disk of web01 is full, as it was yesterday.\n' * 6000}
        for subject, text in texts.items():
            job = d.final(d.submit(to=['ops@opinion.example', 'night@opinion.example'], subject=subject, text=text))
            self.assertEqual((job['state'], job['attempt_count'], job.get('uncertain', False)), ('delivered', 1, False), job)
        many = [d.submit(to=['ops@opinion.example'], subject='one of many', text='%d\n' % n) for n in range(25)]
        for job in many:
            self.assertEqual(d.final(job)['state'], 'delivered')
        job = d.final(d.submit(to=['nobody@opinion.example', 'ops@opinion.example'], subject='half', text='half\n'))
        states = {r['address']: r['state'] for r in job['recipients']}
        self.assertEqual(states, {'nobody@opinion.example': 'refused', 'ops@opinion.example': 'delivered'}, job)
        return texts

    def check_arrived(self, texts):
        mails = self.arrived(len(texts) * 2 + 26)
        self.assertEqual(len(mails), len(texts) * 2 + 26)
        for subject, text in texts.items():
            same = [mail for mail in mails if mail['Subject'] == subject]
            self.assertEqual(len(same), 2, subject)
            for mail in same:
                self.assertEqual(mail.get_content().replace('\r\n', '\n'), text)
                self.assertFalse(mail.defects, mail.defects)
        self.assertEqual(len({mail.get_content() for mail in mails if mail['Subject'] == 'one of many'}), 25)

    def check_extensions(self, d):
        """Each that it offers was taken as we said it."""
        self.assertNotIn('without', d.account('a'))
        with open(d.log, encoding='utf-8', errors='replace') as file:
            log = file.read()
        self.assertRegex(log, r'> MAIL FROM:<[^>]*> RET=HDRS ENVID=[0-9A-Z]{26} SIZE=\d+')
        self.assertIn('> RCPT TO:<ops@opinion.example> NOTIFY=FAILURE,DELAY ORCPT=rfc822;ops@opinion.example', log)

    def check_too_large(self, d):
        job = d.final(d.submit(to=['ops@opinion.example'], subject='too large', text='0123456789abcde\n' * (TOO_LARGE // 16)))
        self.assertEqual(job['state'], 'failed', job)
        self.assertRegex(str(job), '(?i)size|large|big')


class Exim(Opinion):
    def test_it_takes_our_mails_by_tls_and_chunks(self):
        self.serve(private.EXIM, EXIM, '-bdf', '-C')
        d = self.daemon(CONFIG % (self.port, BY_TLS % (self.folder, self.folder)))
        texts = self.check_mails(d)
        self.check_arrived(texts)
        self.check_extensions(d)
        self.check_too_large(d)
        with open(self.path('spool/mainlog'), encoding='utf-8', errors='replace') as file:
            said = file.read()
        self.assertRegex(said, 'P=esmtpsa X=TLS1[.]3.*A=plain:alerts K ')    # K: it came by BDAT
        for word in ('error', 'protocol', 'dropped', 'panic', 'unexpected'):
            self.assertNotIn(word, said)

    def test_a_password_answers_a_challenge(self):
        plain = EXIM[EXIM.index('plain:'):]
        self.serve(private.EXIM, EXIM.replace(plain, CHALLENGE), '-bdf', '-C')
        d = self.daemon(CONFIG % (self.port, BY_TLS % (self.folder, self.folder)))
        self.assertEqual(d.final(d.submit(to=['ops@opinion.example'], subject='x', text='x\n'))['state'], 'delivered')
        with open(self.path('spool/mainlog'), encoding='utf-8', errors='replace') as file:
            self.assertIn('A=challenge:alerts', file.read())

    def test_a_wrong_password_is_the_account_s_fault(self):
        self.serve(private.EXIM, EXIM, '-bdf', '-C')
        self.write('secret', 'wrong', 0o600)
        d = self.daemon(CONFIG % (self.port, BY_TLS % (self.folder, self.folder)))
        job = d.submit(to=['ops@opinion.example'], text='x')
        until(lambda: d.account('a')['state'] == 'held', 'it is held')
        self.assertEqual((d.job(job)['state'], d.job(job)['attempt_count']), ('queued', 0))


class OpenSmtpd(Opinion):
    def test_it_takes_our_mails_step_by_step(self):
        self.serve(private.OPENSMTPD, OPENSMTPD, '-d', '-f')
        d = self.daemon(CONFIG % (self.port, 'security = none\nauth = none'))
        texts = self.check_mails(d)
        self.check_arrived(texts)
        self.check_extensions(d)
        self.check_too_large(d)


if __name__ == '__main__':
    unittest.main()
