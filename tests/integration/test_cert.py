# SPDX-License-Identifier: Apache-2.0
"""Certificates made on the host: notifyd --make-certificate, notifyctl setup --certificate, notifyctl cert renew."""
import json
import os
import re
import shutil
import subprocess

import notifyd
from test_grants import GrantTest

STAND_IN = 'host = %(smtp_host)s:%(smtp_port)s\ntoken_url = %(token_url)s\nca_file = %(ca)s\n'


def octets(path):
    with open(path, 'rb') as file:
        return file.read()


def mode(path):
    return os.stat(path).st_mode & 0o777


class CertTest(GrantTest):
    def places(self):
        """A folder as /etc/notifyd is: the settings, the certificates, and the keys below it."""
        self.etc = os.path.join(self.d.folder, 'etc')
        os.makedirs(os.path.join(self.etc, 'conf.d'))
        self.keys = os.path.join(self.etc, 'credentials')
        self.config = os.path.join(self.etc, 'notifyd.conf')
        with open(self.config, 'w', encoding='utf-8'):
            pass
        self.options = ['--credentials-dir', self.keys, '--config', self.config]
        self.key, self.cer = os.path.join(self.keys, 'm365-key'), os.path.join(self.etc, 'm365.cer')

    def run_program(self, *words):
        return subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
                              env=dict(os.environ, LC_ALL='C.UTF-8'))

    def make(self, *words):
        return self.run_program(notifyd.NOTIFYD, *words, *self.options)

    def ctl(self, *words):
        return self.run_program(notifyd.NOTIFYCTL, '--socket', self.d.admin, *words, *self.options)

    def setup_account(self, *words):
        return self.ctl('setup', 'microsoft', '--certificate', '--from', self.facts['user'], '--tenant', self.facts['tenant'],
                        '--client-id', self.facts['client_id'], *words)

    def upload(self, path, name):
        """What the administrator does."""
        os.makedirs(os.path.join(self.folder, 'clients'), exist_ok=True)
        shutil.copy(path, os.path.join(self.folder, 'clients', name + '.crt'))


class Making(CertTest):
    def setUp(self):
        self.d = self.daemon(start=False)
        self.places()

    def openssl_x509(self, *words):
        done = self.run_program('openssl', 'x509', '-in', self.cer, '-noout', *words)
        self.assertEqual(done.returncode, 0, done)
        return done.stdout

    def test_a_pair_is_made_and_said(self):
        done = self.make('--make-certificate', 'm365')
        self.assertEqual((done.returncode, done.stderr), (0, ''), done)
        self.assertEqual((mode(self.key), mode(self.cer), mode(self.keys)), (0o600, 0o644, 0o700))
        self.assertEqual((os.listdir(self.keys), sorted(os.listdir(self.etc))),
                         (['m365-key'], ['conf.d', 'credentials', 'm365.cer', 'notifyd.conf']))
        for kind, said in (('-sha1', 'thumbprint'), ('-sha256', 'SHA-256')):
            value = self.openssl_x509('-fingerprint', kind).split('=')[1].strip().replace(':', '')
            self.assertRegex(done.stdout, r'(?m)^%s +%s\b' % (said, value))
        end = self.run_program('date', '-u', '-d', self.openssl_x509('-enddate').split('=')[1].strip(), '+%F').stdout.strip()
        self.assertRegex(done.stdout, r'(?m)^ends +%s$' % end)
        self.assertIn('certificate = %s\nkey = credential:m365-key\n' % self.cer, done.stdout)
        self.assertNotIn('PRIVATE', done.stdout)
        with open(self.config, 'w', encoding='utf-8') as file:
            file.write('[account m365]\nprovider = microsoft\nfrom = a@contoso.example\ntenant = contoso.example\n'
                       'client_id = 9ab20000-0000-0000-0000-000000000000\n' + done.stdout.split('in notifyd.conf:\n')[1])
        check = self.run_program(notifyd.NOTIFYD, '--check', '--config', self.config)
        self.assertEqual(check.returncode, 0, check)

    def test_a_pair_that_is_there_is_shown(self):
        made = self.make('--make-certificate', 'm365')
        done = self.make('--show-certificate', 'm365')
        self.assertEqual((done.returncode, done.stderr), (0, ''), done)
        for word in ('upload', 'thumbprint', 'SHA-256', 'ends'):
            line = re.search('(?m)^%s .*$' % word, made.stdout).group()
            self.assertIn(line + '\n', done.stdout)
        with open(self.cer, encoding='ascii') as file:
            self.assertTrue(done.stdout.endswith('\n' + file.read()), done)
        self.assertEqual(self.make('--make-certificate', 'm365', '--next').returncode, 0)
        following = self.make('--show-certificate', 'm365', '--next').stdout
        self.assertIn('m365.next.cer', following)
        self.assertNotEqual(following.splitlines()[1:], done.stdout.splitlines()[1:])
        for name, code in (('other', 66), ('../m365', 64)):
            done = self.make('--show-certificate', name)
            self.assertEqual((done.returncode, done.stdout), (code, ''), done)
        with open(os.path.join(self.etc, 'other.cer'), 'w', encoding='ascii') as file:
            file.write('nothing')
        self.assertEqual(self.make('--show-certificate', 'other').returncode, 66)

    def test_nothing_is_overwritten(self):
        self.assertEqual(self.make('--make-certificate', 'm365').returncode, 0)
        before = octets(self.key), octets(self.cer)
        for gone in (None, self.cer, self.key):    # one of the two is enough
            if gone is not None:
                os.rename(gone, gone + '.away')
            done = self.make('--make-certificate', 'm365')
            self.assertEqual((done.returncode, done.stdout), (73, ''), done)
            self.assertIn('notifyctl cert renew m365', done.stderr)
            self.assertIn('never overwritten', done.stderr)
            if gone is not None:
                self.assertFalse(os.path.exists(gone))
                os.rename(gone + '.away', gone)
        self.assertEqual((octets(self.key), octets(self.cer)), before)

    def test_a_sealed_key_is_not_hidden(self):
        os.mkdir(self.keys + '.encrypted')
        with open(os.path.join(self.keys + '.encrypted', 'm365-key'), 'w', encoding='ascii') as file:
            file.write('sealed')
        done = self.make('--make-certificate', 'm365')
        self.assertEqual(done.returncode, 73, done)
        self.assertIn('sealed', done.stderr)
        self.assertFalse(os.path.exists(self.cer))

    def test_a_certificate_that_cannot_be_written_leaves_no_key(self):
        os.mkdir(self.cer + '.new')    # in the way of the temporary file
        done = self.make('--make-certificate', 'm365')
        self.assertEqual(done.returncode, 74, done)
        self.assertEqual(os.listdir(self.keys), [])

    def test_wrong_words_make_nothing(self):
        for words in (['--make-certificate', '../m365'], ['--make-certificate', ''], ['--make-certificate', 'a' * 41], ['--next']):
            done = self.make(*words)
            self.assertEqual((done.returncode, done.stdout), (64, ''), done)
        self.assertEqual(sorted(os.listdir(self.etc)), ['conf.d', 'notifyd.conf'])

    def test_there_is_nothing_to_renew_or_to_activate(self):
        done = self.ctl('cert', 'renew', 'm365')
        self.assertEqual(done.returncode, 66, done)
        self.assertIn('setup microsoft --certificate', done.stderr)
        self.assertEqual(self.make('--make-certificate', 'm365').returncode, 0)
        before = octets(self.key), octets(self.cer)
        done = self.ctl('cert', 'renew', 'm365', '--activate')
        self.assertEqual(done.returncode, 66, done)
        self.assertIn('no new pair', done.stderr)
        self.assertEqual((octets(self.key), octets(self.cer)), before)
        for words in (['renew', '../m365'], ['destroy', 'm365']):
            self.assertEqual(self.ctl('cert', *words).returncode, 64)

    def switch_cut_short(self):
        self.assertEqual(self.make('--make-certificate', 'm365').returncode, 0)
        self.assertEqual(self.ctl('cert', 'renew', 'm365').returncode, 0)
        os.rename(self.key, self.key + '.old')
        os.rename(self.key + '.next', self.key)

    def test_a_switch_that_was_cut_short_is_finished(self):
        self.switch_cut_short()
        key, cer = octets(self.key), octets(os.path.join(self.etc, 'm365.next.cer'))
        self.ctl('cert', 'renew', 'm365', '--activate')    # no daemon runs: that is told, the files are switched
        self.assertEqual((octets(self.key), octets(self.cer)), (key, cer))
        self.assertEqual(sorted(os.listdir(self.keys)), ['m365-key', 'm365-key.old'])

    def test_a_certificate_whose_key_is_lost_is_not_taken(self):
        self.switch_cut_short()
        cer = octets(self.cer)
        os.utime(self.key, (1, 1))    # not made with the certificate
        done = self.ctl('cert', 'renew', 'm365', '--activate')
        self.assertEqual((done.returncode, octets(self.cer)), (66, cer), done)

    def test_a_new_pair_that_was_cut_short_is_made_again(self):
        self.assertEqual(self.make('--make-certificate', 'm365').returncode, 0)
        with open(self.key + '.next', 'w', encoding='ascii') as file:
            file.write('half')
        done = self.ctl('cert', 'renew', 'm365')
        self.assertEqual(done.returncode, 0, done)
        self.assertIn(b'-----BEGIN PRIVATE KEY-----', octets(self.key + '.next'))
        done = self.ctl('cert', 'renew', 'm365')
        self.assertEqual(done.returncode, 78, done)
        self.assertIn('cert renew m365 --activate', done.stderr)


class Using(CertTest):
    def assert_sheet(self, sheet, start):
        """It is handed to somebody who has no file of this host: the certificate is in it, and what to compare."""
        with open(self.cer, encoding='ascii') as file:
            pem = file.read()
        self.assertIn('-----BEGIN CERTIFICATE-----', pem)
        self.assertIn('\n' + ''.join(start + line + '\n' for line in pem.splitlines()), sheet)
        sha1 = self.run_program('openssl', 'x509', '-in', self.cer, '-noout', '-fingerprint', '-sha1').stdout
        self.assertIn(sha1.split('=')[1].strip().replace(':', ''), sheet)
        self.assertNotIn('PRIVATE', sheet)

    def start_with(self, path, keys=None):
        """The drop-in that setup wrote, for the stand-in's addresses."""
        with open(path, 'a', encoding='utf-8') as file:
            file.write(STAND_IN % self.facts)
        with open(path, encoding='utf-8') as file:
            self.d.configure(file.read())
        self.d.env['CREDENTIALS_DIRECTORY'] = keys or self.keys
        self.d.start()

    def test_from_setup_to_the_second_certificate(self):
        self.provider()
        self.places()
        path = os.path.join(self.etc, 'conf.d', 'm365.conf')
        done = self.setup_account('--output', path)
        self.assertEqual(done.returncode, 0, done)
        with open(path, encoding='utf-8') as file:
            text = file.read()
        self.assertIn('certificate = %s\nkey = credential:m365-key\n' % self.cer, text)
        self.assertNotIn('client_secret', text)
        self.assertEqual(self.run_program(notifyd.NOTIFYD, '--check', '--config', path).returncode, 0)
        self.assertIn('Certificates & secrets > Certificates > Upload certificate: the file %s' % self.cer, done.stdout)
        self.assertNotIn('secret set', done.stdout)
        self.assert_sheet(done.stdout, '')
        self.assertRegex(done.stderr, r'thumbprint +[0-9A-F]{40}')
        first = octets(self.key)
        done = self.setup_account('--output', path, '--yes')    # again: the same pair
        self.assertEqual((done.returncode, octets(self.key)), (0, first), done)
        self.assertIn('are there, and are used', done.stderr)
        self.assert_sheet(done.stdout, '')
        self.assert_sheet(self.setup_account('--output', '-').stdout, '# ')

        self.upload(self.cer, 'first')
        self.start_with(path)
        self.deliver()

        done = self.ctl('cert', 'renew', 'm365')
        self.assertEqual(done.returncode, 0, done)
        following = os.path.join(self.etc, 'm365.next.cer')
        self.assertIn('Upload %s' % following, done.stdout)
        self.assertEqual(mode(self.key + '.next'), 0o600)
        self.assertEqual(octets(self.key), first)
        new = octets(self.key + '.next'), octets(following)
        self.upload(following, 'second')
        os.remove(os.path.join(self.folder, 'clients', 'first.crt'))    # only the new one is believed
        asked = len(self.requests())
        done = self.ctl('cert', 'renew', 'm365', '--activate')
        self.assertEqual(done.returncode, 0, done)
        self.assertEqual((octets(self.key), octets(self.cer)), new)
        self.assertEqual(octets(self.key + '.old'), first)
        self.assertTrue(os.path.exists(os.path.join(self.etc, 'm365.old.cer')))
        self.assertFalse(os.path.exists(following))
        self.assertEqual((mode(self.key), mode(self.cer)), (0o600, 0o644))
        answer = notifyd.until(lambda: self.requests()[asked:], 'a token request with the new pair')[0]
        self.assertTrue(answer['ok'], answer)
        notifyd.until(lambda: self.d.status()['accounts'][0]['state'] == 'ok', 'the account is ok')
        self.deliver()

    def test_credentials_that_are_copies_need_a_restart(self):
        """As systemd does it: the daemon has the key of its start."""
        self.provider()
        self.places()
        path = os.path.join(self.etc, 'conf.d', 'm365.conf')
        self.assertEqual(self.setup_account('--output', path).returncode, 0)
        self.upload(self.cer, 'first')
        copies = os.path.join(self.d.folder, 'copies')
        shutil.copytree(self.keys, copies)
        self.start_with(path, copies)
        self.deliver()
        self.assertEqual(self.ctl('cert', 'renew', 'm365').returncode, 0)
        self.upload(os.path.join(self.etc, 'm365.next.cer'), 'second')
        self.ctl('cert', 'renew', 'm365', '--activate')
        notifyd.until(lambda: 'the key does not belong to the certificate' in self.d.tail(1000), 'the mismatch is told')
        self.assertEqual([line['ok'] for line in self.requests()], [True])    # the first token is used until it ends
        self.deliver()
        self.d.stop()
        shutil.copy(self.key, os.path.join(copies, 'm365-key'))
        self.d.start()
        self.assertEqual(self.run_program(notifyd.NOTIFYCTL, '--socket', self.d.admin, 'account', 'refresh', 'm365').returncode, 0)
        self.assertTrue(notifyd.until(lambda: self.requests()[1:], 'a token request after the restart')[0]['ok'])
        self.deliver()

    def test_json_says_what_is_where(self):
        self.provider()
        self.places()
        self.assertEqual(self.make('--make-certificate', 'm365').returncode, 0)
        done = self.run_program(notifyd.NOTIFYCTL, '--json', 'cert', 'renew', 'm365', *self.options)
        self.assertEqual(json.loads(done.stdout), {'name': 'm365', 'state': 'made', 'key': self.key + '.next',
                                                   'certificate': os.path.join(self.etc, 'm365.next.cer'), 'restart': False})
        self.assertTrue(re.search('thumbprint', done.stderr))

    def test_certificates_are_for_applications_of_microsoft(self):
        self.provider()
        self.places()
        for words in (['google'], ['microsoft', '--grant', 'device_code']):
            done = self.ctl('setup', *words, '--certificate', '--from', 'a@contoso.example', '-o', '-')
            self.assertEqual(done.returncode, 64, done)
            self.assertIn('--certificate goes with microsoft', done.stderr)
        done = self.ctl('setup', 'microsoft', '--from', 'a@contoso.example', '-o', '-')
        self.assertEqual(done.returncode, 64, done)
        done = self.setup_account('--grant', 'rbac', '-o', '-')
        self.assertEqual(done.returncode, 0, done)
        self.assertIn('NO SMTP.SendAsApp', done.stdout)
        with open(self.config, 'w', encoding='utf-8') as file:
            file.write(done.stdout)    # the sheet is comments, and what was made is said on stderr
        self.assertEqual(self.run_program(notifyd.NOTIFYD, '--check', '--config', self.config).returncode, 0)
