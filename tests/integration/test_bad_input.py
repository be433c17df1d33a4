# SPDX-License-Identifier: Apache-2.0
"""What is wrong with an account's way in ends in one clear sentence and a held account; requests are counted: there is never a loop."""
import json
import os
import shutil
import subprocess

import notifyd
import test_probe
from test_faults import HEAD, JOB

GUID = '11112222-3333-4444-5555-666677778888'
CERTIFIED = '''
[account m]
provider = microsoft
host = %(smtp_host)s:%(smtp_port)d
ca_file = %(ca)s
from = %(user)s
tenant = %(tenant)s
client_id = %(client_id)s
token_url = %(token_url)s
certificate = %(certificate)s
key = file:%(key)s
'''
SERVICE = '''
[account m]
provider = google
host = %(smtp_host)s:%(smtp_port)d
ca_file = %(ca)s
from = %(user)s
grant = jwt_bearer
key = file:%(key)s
'''


def error(status, error, words, **headers):
    """A fault of the token endpoint."""
    return status, headers, json.dumps({'error': error, 'error_description': words}).encode()


class BadTest(test_probe.Probes):
    def setUp(self):
        self.fake = self.stand_in()

    def file(self, name, text):
        """A file that only its owner reads; its path."""
        path = os.path.join(self.fake.provider.folder, name)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), 'w', encoding='ascii') as file:
            file.write(text)
        return path

    def without_root(self):
        """Rights are for the daemon what they are for everybody."""
        if os.geteuid() != 0:
            return
        if not shutil.which('setpriv'):
            self.skipTest('setpriv takes the rights of root')
        notifyd.UNDER[:0] = words = ['setpriv', '--bounding-set', '-dac_override,-dac_read_search', '--inh-caps', '-all']
        self.addCleanup(lambda: notifyd.UNDER.__delitem__(slice(len(words))))

    def asked(self):
        return self.requests(self.fake)

    def held(self, config, step, sentence, remedy, requests=1):
        """The account is held for this reason after so many requests, and neither jobs nor a flush make more;
        notifyctl account test tells the same sentence, at this step, with this remedy. Both may be the beginning."""
        d = self.daemon(config)
        jobs = [d.submit(**JOB)]
        account = self.until_account(d, 'm', 'held')
        self.assertIn(sentence, account['reason'])
        self.assertIn(remedy, account['hint'])
        jobs += [d.submit(**JOB) for _ in range(3)]
        self.assertEqual(d.post('/v1/queue/flush', None, True).status, 200)
        self.assertEqual({d.job(job)['state'] for job in jobs} - {'queued', 'held'}, set())
        self.assertEqual((self.asked(), d.account('m')['state']), (requests, 'held'))
        done = self.ctl(d, 'account', 'test', 'm')
        self.assertEqual(done.returncode, 69 if step != 'config' else 78, done)
        failure, = [line for line in done.stdout.split('\n') if line.startswith('✗')]
        self.assertRegex(failure, '^✗ %s +' % step)
        self.assertIn(sentence, failure)
        self.assertIn('  remedy: ' + remedy, done.stdout)
        self.assertEqual((self.asked(), d.account('m')['state']), (2 * requests, 'held'), 'the test asks as often, and heals nothing')
        return done.stdout, d

    def service_account(self, token_uri):
        """The downloaded key of one; its path."""
        self.certified()
        with open(os.path.join(self.fake.provider.folder, 'app.key'), encoding='ascii') as file:
            return self.file('robot.json', json.dumps({
                'type': 'service_account', 'private_key_id': 'k', 'private_key': file.read(), 'client_email': 'robot@p.example',
                'token_uri': token_uri}))

    def openssl(self, *words):
        subprocess.run(('openssl',) + words, cwd=self.fake.provider.folder, check=True, capture_output=True)

    def certified(self, certificate='app.crt', key='app.key'):
        """The settings of an application with a certificate of its own, which the stand-in knows."""
        folder = self.fake.provider.folder
        os.makedirs(os.path.join(folder, 'clients'), exist_ok=True)
        self.openssl('req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-subj', '/CN=app', '-days', '30', '-keyout', 'app.key', '-out',
                     'clients/app.crt')
        self.openssl('req', '-new', '-key', 'app.key', '-subj', '/CN=late', '-out', 'late.csr')
        self.openssl('x509', '-req', '-in', 'late.csr', '-signkey', 'app.key', '-days', '-1', '-out', 'clients/late.crt')
        self.openssl('pkey', '-in', 'app.key', '-aes128', '-passout', 'pass:sesame', '-out', 'locked.key')
        for name in ('app.key', 'locked.key'):
            os.chmod(os.path.join(folder, name), 0o600)
        return HEAD + CERTIFIED % dict(self.fake.facts, certificate='%s/clients/%s' % (folder, certificate), key='%s/%s' % (folder, key))


class Secrets(BadTest):
    def test_the_id_of_a_secret_in_its_place(self):
        path = self.file('id', GUID)
        told, d = self.held(self.microsoft(self.fake, secret=path), 'token', 'the client secret looks like the ID of one',
                            "you pasted the secret's ID, not its value")
        self.assertNotIn('11112222-3333', told + d.tail(1000))

    def test_a_secret_that_cannot_be_read(self):
        self.held(self.microsoft(self.fake, secret=self.fake.facts['secret'] + '.gone'), 'secret', 'its file cannot be opened: No such file or directory',
                  'put the secret there, or mend the path', 0)


    def test_a_wrong_secret_that_is_written_again_as_it_was(self):
        path = self.file('wrong', 'no.Secret~Value-0123456789\n')
        _, d = self.held(self.microsoft(self.fake, secret=path), 'token', 'AADSTS7000215', 'create a new client secret')
        for turn in range(20):    # as a backup does, an agent that renews its files, and chmod
            if turn % 2:
                os.rename(self.file('wrong.new', 'no.Secret~Value-0123456789\n'), path)
            else:
                os.chmod(path, 0o600)
            for _ in range(10):
                self.assertEqual(d.account('m')['state'], 'held')
        self.assertEqual(self.asked(), 2, 'the engine asked once, and so did the test')
        with open(self.fake.facts['secret'], encoding='ascii') as file:
            os.rename(self.file('wrong.new', file.read()), path)
        self.until_account(d, 'm', 'ok')
        self.assertEqual(self.asked(), 3)
        self.assertEqual(d.tail(1000).count('a file with a secret of account m has changed'), 1)

    def test_a_secret_whose_rights_are_mended_is_tried_at_once(self):
        os.chmod(self.fake.facts['secret'], 0o644)
        _, d = self.held(self.microsoft(self.fake), 'secret', 'the file may be read or written by others', 'give it to the user notifyd alone', 0)
        os.chmod(self.fake.facts['secret'], 0o600)
        self.until_account(d, 'm', 'ok')
        self.assertEqual(self.asked(), 1)


class Certificates(BadTest):
    def test_a_certificate_that_has_expired(self):
        told, d = self.held(self.certified('late.crt'), 'secret', 'the certificate expired on ', 'make a new one, and upload it to the application first', 0)
        for text in (told, d.account('m')['reason']):
            self.assertRegex(text, r'the certificate expired on [-\d]+ \(certificate = /.*/clients/late\.crt\)')

    def test_a_certificate_that_is_not_valid_yet(self):
        config = self.certified('early.crt')
        self.file('index', '')
        self.file('serial', '01\n')
        self.file('ca.cnf', '[ca]\ndefault_ca = own\n[own]\ndatabase = index\nserial = serial\nnew_certs_dir = .\ndefault_md = sha256\n'
                  'policy = any\n[any]\ncommonName = supplied\n')
        self.openssl('ca', '-batch', '-config', 'ca.cnf', '-selfsign', '-keyfile', 'app.key', '-in', 'late.csr', '-startdate', '20990101000000Z',
                     '-enddate', '20991231000000Z', '-out', 'clients/early.crt')
        self.held(config, 'secret', 'the certificate is valid only from 2099-01-01', 'set the clock of this host right', 0)

    def test_a_key_of_another_certificate(self):
        config = self.certified(key='other.key')
        self.openssl('genpkey', '-algorithm', 'RSA', '-out', 'other.key')
        os.chmod(os.path.join(self.fake.provider.folder, 'other.key'), 0o600)
        self.held(config, 'secret', 'the key does not belong to the certificate (key = file:%s/other.key)' % self.fake.provider.folder,
                  'name the key the certificate was made with', 0)

    def test_a_key_that_is_not_there(self):
        self.held(self.certified(key='nowhere.key'), 'secret', 'nowhere.key": its file cannot be opened: No such file or directory',
                  'put the secret there, or mend the path', 0)

    def test_a_certificate_that_is_not_there(self):
        self.held(self.certified('nowhere.crt'), 'secret', 'nowhere.crt": it cannot be read: No such file or directory',
                  'put the file there, or mend the path', 0)

    def test_a_file_that_notifyd_may_not_open(self):
        self.without_root()
        for name, told, remedy in (('app.key', 'app.key": its file cannot be opened: Permission denied', 'the user notifyd must be able to read it'),
                                   ('clients/app.crt', 'app.crt": it cannot be read: Permission denied', 'the user notifyd must be able to read the file')):
            with self.subTest(name):
                config = self.certified()
                os.chmod(os.path.join(self.fake.provider.folder, name), 0)
                _, d = self.held(config, 'secret', told, remedy, 0)
                d.stop()
                os.chmod(os.path.join(self.fake.provider.folder, name), 0o600)

    def test_a_key_with_a_passphrase(self):
        self.held(self.certified(key='locked.key'), 'secret',
                  'the key is encrypted with a passphrase (key = file:%s/locked.key)' % self.fake.provider.folder, 'store it without one', 0)

    def test_a_key_that_is_none(self):
        config = self.certified(key='none.key')
        self.file('none.key', 'one two three\n')
        self.held(config, 'secret', 'the key is not a private key (PEM)', 'it begins with -----BEGIN PRIVATE KEY-----', 0)

    def test_a_key_that_others_can_read(self):
        config = self.certified(key='open.key')
        with open(os.path.join(self.fake.provider.folder, 'app.key'), encoding='ascii') as file:
            os.chmod(self.file('open.key', file.read()), 0o644)
        self.held(config, 'secret', 'open.key": ', 'give it to the user notifyd alone: chown notifyd FILE; chmod 600 FILE', 0)


class Assertions(BadTest):
    def config(self, path):
        return self.microsoft(self.fake).replace('client_secret = file:' + self.fake.facts['secret'], 'assertion_file = ' + path)

    def test_a_file_that_is_not_there(self):
        self.held(self.config('/nowhere/token'), 'secret', 'reading the assertion_file "/nowhere/token": it cannot be read: No such file or directory',
                  'put the file there, or mend the path', 0)

    def test_a_file_that_notifyd_may_not_open(self):
        self.without_root()
        path = self.file('token', 'one.two.three')
        os.chmod(path, 0)
        self.held(self.config(path), 'secret', 'token": it cannot be read: Permission denied', 'the user notifyd must be able to read the file', 0)

    def test_a_folder_in_its_place(self):
        self.held(self.config(self.fake.provider.folder), 'secret', 'it cannot be read: Is a directory', 'name a file that holds', 0)


class Settings(BadTest):
    def test_another_tenant(self):
        config = self.microsoft(self.fake).replace(self.fake.facts['tenant'], '00000000-0000-0000-0000-00000000dead')
        self.held(config, 'token', "AADSTS90002: Tenant '00000000-0000-0000-0000-00000000dead' not found", 'check tenant (')

    def test_an_endpoint_without_tls(self):
        for key in ('token_url', 'authorize_url', 'device_url', 'revoke_url'):
            with self.subTest(key):
                text = self.microsoft(self.fake)
                line = '%s = http://login.example/token\n' % key
                text = text.replace('token_url = https', 'token_url = http') if key == 'token_url' else text + line
                d = self.daemon(text, start=False)
                code, told = self.alone(d, '--probe', 'm')
                self.assertEqual(code, 78)
                self.failed(told, 'config', key + ': http:// would send the secret in clear; only https:// is used')
        self.assertEqual(self.asked(), 0)

    def test_a_downloaded_key_whose_endpoint_has_no_tls(self):
        key = self.service_account(self.fake.facts['token_url'].replace('https://', 'http://'))
        self.held(HEAD + SERVICE % dict(self.fake.facts, key=key), 'secret', 'token_uri in the downloaded JSON is not an https address',
                  'download it again, and keep it as it is', 0)

    def test_a_running_daemon_keeps_the_settings_that_have_tls(self):
        good = self.microsoft(self.fake)
        d = self.daemon(good)
        self.assertEqual(d.final(d.submit(**JOB))['state'], 'delivered')
        d.configure(good.replace('token_url = https', 'token_url = http'))
        self.assert_problem(d.post('/v1/reload', None, True), 422, 'bad-configuration', 'https://')
        self.assertEqual(d.final(d.submit(**JOB))['state'], 'delivered')
        self.assertEqual(self.asked(), 1)


class Clocks(BadTest):
    def test_ten_minutes_for_microsoft(self):
        self.fake.provider.faults['token'] = error(
            401, 'invalid_client', 'AADSTS700024: Client assertion is not within its valid time range. Current time: 2026-11-21T08:00:00Z',
            Date='Sat, 21 Nov 2026 08:00:00 GMT')
        _, d = self.held(self.certified(), 'token', 'AADSTS700024: Client assertion is not within its valid time range',
                         'set the clock of this host right')
        step = next(line for line in self.ask(d) if line['step'] == 'token')
        self.assertGreater(abs(step['skew_seconds']), 600)

    def test_ten_minutes_for_google(self):
        self.fake.provider.faults['token'] = error(
            400, 'invalid_grant', 'Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. Check your '
            'iat and exp values in the JWT claim.')
        key = self.service_account(self.fake.facts['token_url'])
        self.held(HEAD + SERVICE % dict(self.fake.facts, key=key), 'token', 'Token must be a short-lived token (60 minutes)',
                  'set the clock of this host right')


class Answers(BadTest):
    def test_a_refusal_that_nobody_knows(self):
        self.fake.provider.faults['token'] = error(403, 'PERMISSION_DENIED', 'The caller may not')
        self.held(self.microsoft(self.fake), 'token', 'the token endpoint refused (403, PERMISSION_DENIED): The caller may not',
                  'check tenant, client_id, scope and token_url of account m')

    def test_a_page_in_place_of_a_token(self):
        self.fake.provider.faults['token'] = (200, {'Content-Type': 'text/html'}, b'<html>Sign in to the hotel network</html>')
        told, _ = self.held(self.microsoft(self.fake), 'token',
                            'the token endpoint answered 200 with a web page (HTML) instead of a token',
                            'check token_url of account m; let this host reach it without the proxy')
        self.assertNotIn('hotel', told)

    def test_a_flood_in_place_of_a_token(self):
        self.fake.provider.faults['token'] = (200, {'Content-Type': 'application/json'},
                                              b'{"access_token":"' + b'x' * 10000000 + b'"}')
        self.held(self.microsoft(self.fake), 'token', 'the reply is larger than 64 KiB', 'check token_url of account m')

    def test_an_endpoint_that_points_elsewhere(self):
        self.fake.provider.faults['token'] = (302, {'Location': self.fake.facts['token_url']}, b'')
        self.held(self.microsoft(self.fake), 'token', 'the token endpoint answered with a redirect (302), which is not followed',
                  'check token_url of account m: it begins with https://')


del BadTest
