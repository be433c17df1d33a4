# SPDX-License-Identifier: Apache-2.0
"""How an account proves its application: secrets, two of them, commands, certificates, assertions, service accounts."""
import base64
import json
import os
import subprocess
import sys
import time
import unittest

from notifyd import ProgramTest, until

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'fake'))
import relay

COMMON = '''[account m365]
provider = microsoft
host = %(smtp_host)s:%(smtp_port)s
from = %(user)s
tenant = %(tenant)s
client_id = %(client_id)s
token_url = %(token_url)s
ca_file = %(ca)s
'''
GOOGLE = '''[account google]
provider = google
host = %(smtp_host)s:%(smtp_port)s
from = %(user)s
ca_file = %(ca)s
'''


class GrantTest(ProgramTest):
    def provider(self, *options):
        """Starts the stand-in; its folder is self.folder, its facts self.facts."""
        self.fake = super().provider(*options)
        self.folder, self.facts = self.fake.folder, self.fake.facts
        self.d = self.daemon(start=False)
        self.google_url = self.facts['token_url'].replace(self.facts['tenant'] + '/oauth2/v2.0/token', 'google/token')

    def put(self, name, text, mode=0o600):
        """A file of the stand-in's folder, replaced at once; its path."""
        path = os.path.join(self.folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(os.open(path + '.new', os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), 'w', encoding='utf-8') as file:
            file.write(text)
        os.replace(path + '.new', path)
        return path

    def secret(self):
        with open(os.path.join(self.folder, 'secret'), encoding='ascii') as file:
            return file.read().strip()

    def start(self, settings, common=COMMON):
        self.d.configure(common % self.facts + settings)
        self.d.start()

    def requests(self):
        """The journal's lines of token requests."""
        return self.fake.journal('token')

    def deliver(self):
        job = self.d.final(self.d.submit(to=['ops@contoso.example'], subject='x', text='x'))
        self.assertEqual(job['state'], 'delivered', (job, self.d.tail()))

    def held(self, *words, name='m365'):
        """The account once it is held, for a reason that has these words."""
        account = until(lambda: next((a for a in self.d.status()['accounts']
                                      if a['name'] == name and a['state'] == 'held'), None), 'held')
        for word in words:
            self.assertIn(word, account['reason'] + account.get('hint', ''))
        return account

    def openssl(self, *args):
        done = subprocess.run(('openssl',) + args, cwd=self.folder, capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def certificate(self, name='app', folder='clients', days='30'):
        """NAME.key, and NAME.crt which the stand-in knows."""
        os.makedirs(os.path.join(self.folder, folder), exist_ok=True)
        self.openssl('req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-subj', '/CN=' + name, '-days', days, '-keyout',
                     name + '.key', '-out', '%s/%s.crt' % (folder, name))
        os.chmod(os.path.join(self.folder, name + '.key'), 0o600)
        return 'certificate = %s/%s/%s.crt\nkey = file:%s/%s.key\n' % (self.folder, folder, name, self.folder, name)


class Secrets(GrantTest):
    def test_a_command_prints_the_secret(self):
        self.provider()
        path = os.path.join(self.folder, 'secret')
        self.start('client_secret = command:/bin/sh -c "cat %s; echo noise >&2"\n' % path)
        self.deliver()

    def test_a_command_that_fails_says_why_and_not_what_it_printed(self):
        self.provider()
        self.start('client_secret = command:/bin/sh -c "cat %s; echo the vault is sealed >&2; exit 1"\n'
                   % os.path.join(self.folder, 'secret'))
        self.held('/bin/sh ended with status 1: the vault is sealed')
        self.assertNotIn(self.secret(), self.d.tail(1000))
        self.assertEqual(self.requests(), [])

    def test_a_slow_command_holds_up_nobody_else(self):
        self.provider()
        self.start('client_secret = command:/bin/sh -c "sleep 600"\n')
        begin = time.monotonic()
        self.assertEqual(self.d.get('/v1/status').status, 200)
        self.assertLess(time.monotonic() - begin, 5)
        account = until(lambda: next((a for a in self.d.status()['accounts'] if a['state'] == 'failing'), None),
                        'failing', 60)
        self.assertIn('/bin/sh did not end within 10 s and was killed', account['reason'])

    def test_the_daemon_ends_while_a_command_runs(self):
        self.provider()
        self.start('client_secret = command:/bin/sh -c "touch %s/began; sleep 600"\n' % self.folder)
        until(lambda: os.path.exists(self.folder + '/began'), 'the command runs')
        begin = time.monotonic()
        self.d.stop()
        self.assertLess(time.monotonic() - begin, 8)

    def test_the_second_secret_takes_over_when_the_first_has_expired(self):
        self.provider()
        self.put('expired', 'old-secret-that-expired\n')
        first = self.put('first', 'old-secret-that-expired\n')
        self.start('client_secret = file:%s\nclient_secret_next = file:%s/secret\n' % (first, self.folder))
        self.deliver()
        self.assertEqual([r.get('number') for r in self.requests()], [7000222, None])
        self.assertIn('client_secret was refused; client_secret_next is in use', self.d.tail())
        warning = next(w for w in self.d.status()['warnings'] if w['code'] == 'client-secret-next')
        self.assertIn('account m365: client_secret was refused; client_secret_next is in use', warning['detail'])
        # it is remembered
        self.d.post('/v1/accounts/m365/refresh', None, True)
        until(lambda: len(self.requests()) == 3, 'a third request')
        self.assertTrue(self.requests()[2]['ok'])
        # until a file changes
        self.put('first', self.secret() + '\n')
        until(lambda: all(w['code'] != 'client-secret-next' for w in self.d.status()['warnings']), 'no warning')

    def test_two_wrong_secrets_are_tried_once_each(self):
        self.provider('--habits', 'plain-400')
        first, second = self.put('first', 'wrong-one\n'), self.put('second', '11111111-2222-3333-4444-555555555555\n')
        self.start('client_secret = file:%s\nclient_secret_next = file:%s\n' % (first, second))
        self.held('AADSTS7000215', "you pasted the secret's ID")
        self.assertEqual([(r['number'], r['status']) for r in self.requests()], [(7000215, 400)] * 2)

    def test_a_held_account_wakes_when_its_secret_comes(self):
        self.provider()
        path = self.put('first', 'wrong-one\n')
        self.start('client_secret = file:%s\n' % path)
        self.held('AADSTS7000215')
        self.put('first', self.secret() + '\n')
        until(lambda: self.d.account('m365')['state'] == 'ok', 'the account is well again', 20)
        self.assertIn('a file with a secret of account m365 has changed', self.d.tail())
        self.deliver()

    def test_a_password_is_read_for_each_session_and_wakes_its_account(self):
        wanted = base64.b64encode(b'\0me\0sesame').decode()
        fake = relay.Lenient(('AUTH PLAIN',), {'AUTH': lambda rest: None if rest.split()[-1] == wanted else '535 5.7.8 no'})
        self.addCleanup(fake.close)
        self.d = self.daemon(start=False)
        path = os.path.join(self.d.folder, 'password')
        self.d.configure('''[account relay]
provider = smtp
host = 127.0.0.1:%d
security = none
from = alerts@contoso.example
auth = password
user = me
password = %s
[access]
to_allow = *
''' % (fake.port, 'file:' + path))
        self.d.start()
        job = self.d.submit(to=['ops@contoso.example'], subject='x', text='x')
        self.held(path, name='relay')
        with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), 'w', encoding='ascii') as file:
            file.write('sesame\n')
        self.assertEqual(self.d.final(job)['state'], 'delivered')
        with open(self.d.config, encoding='utf-8') as file:
            text = file.read()
        self.d.configure(text.replace('file:' + path, 'command:/bin/cat ' + path))
        self.assertEqual(self.d.post('/v1/reload', None, True).status, 200)
        job = self.d.submit(to=['ops@contoso.example'], subject='x', text='x')
        self.assertEqual(self.d.final(job)['state'], 'delivered')
        self.assertEqual([what.split()[-1] for stage, what in fake.heard if stage == 'AUTH'], [wanted] * 2)
        self.assertNotIn('sesame', self.d.tail(1000))

    def test_googles_client_json_brings_id_and_address(self):
        self.provider()
        path = self.put('client.json', json.dumps({'installed': {
            'client_id': self.facts['client_id'], 'client_secret': self.secret(), 'project_id': 'p',
            'auth_uri': 'https://accounts.google.com/o/oauth2/auth', 'token_uri': self.facts['token_url'],
            'redirect_uris': ['http://localhost']}}))
        self.d.configure('''[account g]
provider = smtp
host = %(smtp_host)s:%(smtp_port)s
from = %(user)s
auth = oauth2
client_id = %(client_id)s
token_url = %(token_url)s
scope = https://outlook.office365.com/.default
ca_file = %(ca)s
''' % self.facts + 'client_secret = file:%s\n' % path)
        self.d.start()
        self.deliver()
        self.put('client.json', json.dumps({'web': {'client_id': 'another', 'client_secret': 'x'}}))
        self.d.post('/v1/accounts/g/refresh', None, True)
        until(lambda: 'name different clients' in self.d.tail(), 'the other client is noticed')

    def test_another_provider_with_habits_of_its_own(self):
        self.provider('--habits', 'slow-down,text-life')
        self.start('client_secret = file:%s/secret\ntoken_auth = basic\n' % self.folder)
        self.deliver()
        self.assertEqual([(r['ok'], r['method']) for r in self.requests()[:2]], [(False, 'basic'), (True, 'basic')])
        left = self.d.account('m365')['token_expires']
        self.assertTrue(left)

    def test_a_token_without_a_life_is_good_for_a_minute(self):
        self.provider('--habits', 'no-life')
        self.start('client_secret = file:%s/secret\n' % self.folder)
        self.deliver()
        self.assertIn('good for 60 s', self.d.tail())

    def test_no_mail_goes_by_a_session_that_outlives_its_token_where_that_is_refused(self):
        self.provider('--habits', 'end-sessions', '--ttl', '8')
        self.start('client_secret = file:%s/secret\n' % self.folder, COMMON.replace('microsoft', 'microsoft-hve'))
        self.deliver()
        expired = time.monotonic() + 8
        until(lambda: time.monotonic() > expired and len(self.requests()) >= 2, 'the first token has expired, and there is another one')
        self.deliver()
        self.assertEqual(self.fake.journal('outlived'), [])
        auth = self.fake.journal('auth')
        self.assertEqual((len(auth), [entry['ok'] for entry in auth]), (2, [True, True]))
        self.assertNotIn('no session with', self.d.tail())
        self.assertEqual(self.d.account('m365')['state'], 'ok')


class Certificates(GrantTest):
    def prove(self, alg):
        self.provider()
        proof = self.certificate()
        self.start(proof + 'assertion_alg = %s\n' % alg)
        self.deliver()
        self.d.post('/v1/accounts/m365/refresh', None, True)
        until(lambda: len(self.requests()) == 2, 'a second request')
        first, second = self.requests()
        self.assertTrue(first['ok'] and second['ok'], (first, second))
        self.assertEqual((first['proof'], first['header']['alg'], first['header']['typ']), ('certificate', alg, 'JWT'))
        self.assertEqual(sorted(first['header']), ['alg', 'typ', 'x5t#S256'])
        self.assertEqual(sorted(first['claims']), ['aud', 'exp', 'iat', 'iss', 'jti', 'nbf', 'sub'])
        self.assertNotEqual(first['claims']['jti'], second['claims']['jti'])
        end = self.openssl('x509', '-in', 'clients/app.crt', '-noout', '-enddate', '-dateopt', 'iso_8601')
        self.assertEqual(self.d.account('m365')['secret_expires'], end.split('=')[1][:10])

    def test_a_certificate_proves_by_ps256(self):
        self.prove('PS256')

    def test_a_certificate_proves_by_rs256(self):
        self.prove('RS256')

    def test_what_is_wrong_with_a_certificate_is_one_sentence(self):
        self.provider()
        good = self.certificate()
        other = self.certificate('other', 'elsewhere')
        self.openssl('ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', 'ec.key')
        self.openssl('pkey', '-in', 'app.key', '-aes128', '-passout', 'pass:sesame', '-out', 'locked.key')
        for name in ('ec.key', 'locked.key'):
            os.chmod(os.path.join(self.folder, name), 0o600)
        self.openssl('req', '-new', '-key', 'app.key', '-subj', '/CN=x', '-out', 'late.csr')
        self.openssl('x509', '-req', '-in', 'late.csr', '-signkey', 'app.key', '-days', '-1', '-out', 'late.crt')
        self.start(other)
        self.held('AADSTS700027')
        cases = [(good.replace('app.key', 'other.key'), 'the key does not belong to the certificate'),
                 (good.replace('app.key', 'ec.key'), 'EC key'), (good.replace('app.key', 'locked.key'), 'passphrase'),
                 (good.replace('app.key', 'nowhere.key'), 'nowhere.key'),
                 (good.replace('clients/app.crt', 'late.crt'), 'the certificate expired on ')]
        for settings, words in cases:
            self.d.configure(COMMON % self.facts + settings)
            self.assertEqual(self.d.post('/v1/reload', None, True).status, 200)
            until(lambda: words in self.d.account('m365').get('reason', ''), words, 20)
            self.assertEqual(self.d.account('m365')['state'], 'held')
        self.d.configure(COMMON % self.facts + good)
        self.assertEqual(self.d.post('/v1/reload', None, True).status, 200)
        self.deliver()

    def test_an_assertion_of_another_issuer_is_read_for_each_request(self):
        self.provider()
        self.put('federated', 'one.two.three\nfour.five.six\n')
        path = self.put('assertion', 'one.two.three\n', 0o644)
        self.d.env['AZURE_FEDERATED_TOKEN_FILE'] = '/nowhere'
        self.start('assertion_file = %s\n' % path)
        self.deliver()
        self.put('federated', 'four.five.six\n')
        self.put('assertion', 'four.five.six\n', 0o644)
        self.d.post('/v1/accounts/m365/refresh', None, True)
        until(lambda: len(self.requests()) == 2, 'a second request')
        self.assertEqual([(r['ok'], r['proof']) for r in self.requests()], [(True, 'federated')] * 2)


class ServiceAccounts(GrantTest):
    def service(self, **changes):
        self.certificate('robot', 'services')
        with open(os.path.join(self.folder, 'robot.key'), encoding='ascii') as file:
            key = file.read()
        return self.put('robot.json', json.dumps({
            'type': 'service_account', 'project_id': 'p', 'private_key_id': 'key-1', 'private_key': key,
            'client_email': 'robot@p.iam.example', 'client_id': '123', 'token_uri': self.google_url, **changes}))

    def test_the_downloaded_key_of_a_service_account_is_enough(self):
        self.provider('--habits', 'internal-failure')
        path = self.service()
        self.start('grant = jwt_bearer\nkey = file:%s\n' % path, GOOGLE)
        self.deliver()
        failed, given = self.requests()
        self.assertEqual((failed['error'], given['ok']), ('internal_failure', True))
        self.assertEqual(given['header'], {'alg': 'RS256', 'typ': 'JWT', 'kid': 'key-1'})
        claims = given['claims']
        self.assertEqual(claims['exp'] - claims['iat'], 3600)
        del claims['exp'], claims['iat']
        self.assertEqual(claims, {'iss': 'robot@p.iam.example', 'sub': self.facts['user'], 'aud': self.google_url,
                                  'scope': 'https://mail.google.com/'})

    def test_a_json_of_another_kind_is_told(self):
        self.provider()
        path = self.service(type='authorized_user')
        self.start('grant = jwt_bearer\nkey = file:%s\n' % path, GOOGLE)
        self.held('not the key of a service account', name='google')


class Ways(GrantTest):
    def test_the_environment_names_no_proxy_and_the_settings_do(self):
        self.provider()
        self.d.env.update(https_proxy='http://127.0.0.1:1', ALL_PROXY='http://127.0.0.1:1')
        self.start('client_secret = file:%s/secret\n' % self.folder)
        self.deliver()
        text = COMMON % self.facts + 'client_secret = file:%s/secret\n[daemon]\nproxy = http://127.0.0.1:1\n' % self.folder
        self.d.configure(text)
        self.assertEqual(self.d.post('/v1/reload', None, True).status, 200)
        self.d.post('/v1/accounts/m365/refresh', None, True)
        until(lambda: 'no token for account m365' in self.d.tail(), 'the proxy is asked')
        self.d.configure(text + 'no_proxy = localhost\n')
        self.assertEqual(self.d.post('/v1/reload', None, True).status, 200)
        self.d.post('/v1/accounts/m365/refresh', None, True)
        until(lambda: len(self.requests()) == 2, 'a second request')

    def test_a_proxy_that_is_down_is_told_as_the_proxys_fault(self):
        self.provider()
        self.start('client_secret = file:%s/secret\n[daemon]\nproxy = http://127.0.0.1:1\n' % self.folder)
        account = until(lambda: self.d.account('m365') if self.d.account('m365')['state'] == 'failing' else None, 'failing')
        self.assertIn('localhost, by the proxy 127.0.0.1:1 (setting proxy): ', account['reason'])
        self.assertIn('of proxy in the section [daemon]', account['hint'])

    def test_who_signed_a_certificate_that_is_not_believed_is_named(self):
        self.provider()
        self.d.configure((COMMON % self.facts).replace('ca_file', 'token_ca_file').replace(
            'token_ca_file = %s\n' % self.facts['ca'], '') + 'client_secret = file:%s/secret\n' % self.folder)
        self.d.start()
        self.held('issuer is CN=notifyd stand-in CA', 'token_ca_file')


if __name__ == '__main__':
    unittest.main()
