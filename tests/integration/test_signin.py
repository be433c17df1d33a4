# SPDX-License-Identifier: Apache-2.0
"""People sign in; refresh tokens live on, rotate, die, and are never lost without a word."""
import http.client
import json
import os
import ssl
import subprocess
import tempfile
import threading
import unittest
import urllib.parse

import notifyd
from notifyd import ProgramTest, until

CONFIG = '''
[daemon]
hostname = host.example
[access]
to_allow = *
[account m365]
provider = microsoft
from = %(user)s
grant = %(grant)s
tenant = %(tenant)s
client_id = %(client_id)s
token_url = %(token_url)s
%(way)s
host = localhost:%(smtp_port)d
ca_file = %(ca)s
%(more)s
'''
JOB = {'to': ['ops@contoso.example'], 'subject': 'Disk', 'text': 'sda\n'}
BACK = 'http://localhost:4711/x/'


class SignInTest(ProgramTest):
    text = CONFIG

    def provider(self, *options):
        self.fake = super().provider(*options)
        self.home, self.facts = self.fake.folder, self.fake.facts

    def behave(self, **how):
        path = os.path.join(self.home, 'behaviour.json')
        with open(path + '.new', 'w', encoding='utf-8') as file:
            json.dump(how, file)
        os.replace(path + '.new', path)

    def config(self, grant='authorization_code', more='', **other):
        name = {'authorization_code': 'authorize_url', 'device_code': 'device_url'}.get(grant)
        return self.text % dict(self.facts, grant=grant, more=more, way='%s = %s' % (name, self.facts[name]) if name else '', **other)

    def open(self, grant='authorization_code', more='', options=(), **daemon):
        self.provider(*options)
        self.d = self.daemon(self.config(grant, more), **daemon)

    def requests(self, grant_type='refresh_token'):
        return [event for event in self.fake.journal('token') if event.get('grant_type') == grant_type]

    def kept(self, name='m365'):
        try:
            with open(os.path.join(self.d.state, 'tokens', name), encoding='utf-8') as file:
                return json.load(file)
        except FileNotFoundError:    # it is just being put aside
            return {}

    def names(self):
        # NAME.new is a write under way
        return sorted(name for name in os.listdir(os.path.join(self.d.state, 'tokens')) if not name.endswith('.new'))

    def begin(self, **body):
        body = body or {'mode': 'code', 'redirect_uri': BACK}
        return self.d.post('/v1/accounts/m365/login', body, True)

    def consent(self, url):
        """What the browser does: where it is sent back to."""
        parts = urllib.parse.urlsplit(url)
        connection = http.client.HTTPSConnection(parts.netloc, context=ssl.create_default_context(cafile=self.facts['ca']), timeout=30)
        connection.request('GET', parts.path + '?' + parts.query)
        reply = connection.getresponse()
        self.assertEqual(reply.status, 302, reply.read())
        connection.close()
        return reply.headers['Location']

    def end(self, login, redirected=None, wait=0):
        body = {} if redirected is None else {'redirected': redirected}
        return self.d.post('/v1/logins/%s%s' % (login, '?wait=%d' % wait if wait else ''), body, True)

    def sign_in(self):
        begun = self.begin()
        self.assertEqual(begun.status, 200, begun)
        done = self.end(begun.json['login'], self.consent(begun.json['url']))
        self.assertEqual((done.status, done.json['state']), (200, 'done'), done)
        return done.json

    def is_held(self, *words):
        def look():
            account = self.d.account('m365')
            return account if account['state'] == 'held' else None
        account = until(look, 'the account is held')
        for word in words:
            self.assertIn(word, account['reason'] + ' ' + account.get('hint', ''))
        return account

    def refresh(self):
        """Asks for a new token; until the answer was dealt with."""
        before = len(self.requests())
        self.assertEqual(self.d.post('/v1/accounts/m365/refresh', None, True).status, 200)
        until(lambda: len(self.requests()) > before, 'a refresh')

    def refreshed(self):
        before = self.d.tokens_used()
        self.refresh()
        until(lambda: self.d.tokens_used() > before, 'another token is in use')
        return self.kept()

    def no_secrets(self):
        text = self.d.tail(100000)
        for word in ('1.R', '0.A', 'code_verifier'):
            self.assertNotIn(word, text)


class Code(SignInTest):
    def test_an_account_waits_for_a_person_then_sends(self):
        self.open()
        self.is_held('sign-in-needed', 'nobody has signed in yet', 'notifyctl account login m365')
        job = self.d.submit(**JOB)
        begun = self.begin().json
        self.assertEqual((begun['mode'], begun['redirect_uri']), ('code', BACK))
        self.assertGreater(begun['expires_in_seconds'], 600)
        query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(begun['url']).query))
        self.assertEqual((query['redirect_uri'], query['login_hint'], query['code_challenge_method'], query['response_mode']),
                         (BACK, self.facts['user'], 'S256', 'query'))
        self.assertEqual(query['scope'], 'https://outlook.office.com/SMTP.Send offline_access openid profile email')
        back = self.consent(begun['url'])
        self.assertIn('&iss=https', back)
        done = self.end(begun['login'], back)
        self.assertEqual(done.status, 200, done)
        self.assertEqual((done.json['account'], done.json['signed_in'], done.json['warnings']), ('m365', self.facts['user'], []))
        self.assertEqual(self.d.final(job)['state'], 'delivered')
        account = self.d.account('m365')
        self.assertEqual((account['state'], account['signed_in']), ('ok', self.facts['user']))
        self.assertIn('grant_expires', account)
        self.assertEqual(self.requests(), [])    # the sign-in's own token is used
        self.assertEqual(self.end(begun['login'], back).json, done.json)    # told again, not asked again
        self.assert_problem(self.end('x' * 43, back), 404, 'not-found')
        self.d.stop()
        self.d.start()
        until(lambda: self.d.account('m365')['state'] == 'ok', 'it is well after a restart')
        self.assertEqual(self.requests(), [])
        self.no_secrets()

    def test_what_is_not_of_this_sign_in_does_not_end_it(self):
        self.open()
        begun = self.begin().json
        back = self.consent(begun['url'])
        for wrong in (back.replace('state=', 'state=x'), back.replace('iss=https', 'iss=http'), 'http://localhost:4711/x/', ''):
            self.assert_problem(self.end(begun['login'], wrong), 400, 'invalid-value')
        self.assert_problem(self.d.post('/v1/logins/' + begun['login'], {'redirect': back}, True), 400, 'unknown-field')
        self.assert_problem(self.d.post('/v1/accounts/m365/login', {'mode': 'code', 'redirect_uri': BACK}), 403, 'operator-only')
        for bad in ('http://example.com/', 'javascript:x', ''):
            self.assert_problem(self.begin(mode='code', redirect_uri=bad), 400, 'invalid-value')
        self.assert_problem(self.begin(mode='carrier'), 400, 'invalid-value', 'code or device')
        self.assertEqual(self.end(begun['login'], back).status, 200)

    def test_the_code_alone_will_do_and_a_new_sign_in_ends_the_old(self):
        self.open()
        first = self.begin().json
        second = self.begin().json
        self.assert_problem(self.end(first['login'], 'x'), 404, 'not-found')
        code = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.consent(second['url'])).query))['code']
        self.assertEqual(self.end(second['login'], ' %s\n' % code).status, 200)

    def test_a_refusal_is_told_in_the_providers_words(self):
        self.open()
        self.behave(authorize='access_denied')
        begun = self.begin().json
        back = self.consent(begun['url'])
        self.assert_problem(self.end(begun['login'], back), 422, 'login-failed', 'access_denied', 'AADSTS65004', 'accept')
        self.assert_problem(self.end(begun['login'], back), 422, 'login-failed')
        self.behave()
        begun = self.begin().json
        self.assert_problem(self.end(begun['login'], 'a-code-of-nobody'), 422, 'login-failed', 'AADSTS54005')

    def test_a_sign_in_that_cannot_be_renewed_is_not_used(self):
        self.open()
        self.behave(refresh_token=False)
        begun = self.begin().json
        self.assert_problem(self.end(begun['login'], self.consent(begun['url'])), 422, 'login-failed', 'no refresh token')
        self.is_held('sign-in-needed')

    def test_another_mailbox_and_a_smaller_scope_are_told(self):
        self.open()
        self.behave(user='boss@contoso.example', scope='openid profile')
        warnings = self.sign_in()['warnings']
        self.assertEqual([w['code'] for w in warnings], ['signed-in-as', 'scope-reduced'])
        self.assertIn('boss@contoso.example', warnings[0]['detail'])
        for right in ('Add-MailboxPermission -Identity', 'Add-RecipientPermission -Identity'):
            self.assertIn(right, warnings[0]['hint'])
        self.assertIn('SMTP.Send', warnings[1]['detail'])
        self.assertIn('signed-in-as', [w['code'] for w in self.d.status()['warnings']])


class Device(SignInTest):
    def test_slow_down_pending_and_done(self):
        self.open('device_code')
        self.behave(device='pending')
        begun = self.begin(mode='device')
        self.assertEqual(begun.status, 200, begun)
        begun = begun.json
        self.assertEqual((begun['user_code'], begun['verification_uri'], begun['interval_seconds']),
                         ('ABCD-1234', 'https://microsoft.example/devicelogin', 1))
        kind = 'urn:ietf:params:oauth:grant-type:device_code'
        self.assertEqual(self.end(begun['login'], wait=1).json, {'state': 'pending'})
        until(lambda: len(self.requests(kind)) >= 2, 'it is asked every second')
        self.behave(device='done')
        done = self.end(begun['login'], wait=60)
        self.assertEqual((done.status, done.json['signed_in']), (200, self.facts['user']), done)
        until(lambda: self.d.account('m365')['state'] == 'ok', 'the account is well')

    def test_ends_are_told(self):
        self.open('device_code')
        for step, word in (('authorization_declined', 'declined'), ('expired_token', 'not used in time')):
            self.behave(device=step)
            begun = self.begin(mode='device').json
            self.assert_problem(self.end(begun['login'], wait=60), 422, 'login-failed', word)


class Refresh(SignInTest):
    def test_a_rotating_token_is_kept_with_the_one_before(self):
        self.open()
        self.sign_in()
        first = self.kept()['refresh_token']
        for _ in range(3):
            before = self.kept()
            now = self.refreshed()
            self.assertEqual(now['previous'], before['refresh_token'])
            self.assertNotEqual(now['refresh_token'], before['refresh_token'])
        self.assertEqual(self.kept()['signed_in'], self.facts['user'])
        self.behave(rotate=False)
        now = self.refreshed()
        self.assertEqual((now['refresh_token'], 'previous' in now), (now['refresh_token'], False))
        self.assertNotEqual(first, now['refresh_token'])
        self.no_secrets()

    def test_one_request_at_a_time_however_many_ask(self):
        self.open()
        self.sign_in()
        threads = [threading.Thread(target=self.d.post, args=('/v1/accounts/m365/refresh', None, True)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for n in range(3):    # new settings of the same identity do not double it
            self.d.configure(self.config(more='max_connections = %d' % (1 + n)))
            self.assertEqual(self.d.post('/v1/reload', None, True).status, 200)
        until(lambda: 'asked' not in self.kept() and self.requests(), 'a refresh')
        self.refreshed()    # the provider's detection of reuse has found none
        self.assertEqual([r['ok'] for r in self.requests()], [True] * len(self.requests()))

    def test_a_dead_grant_goes_aside_and_nobody_hammers(self):
        self.open()
        self.sign_in()
        token = self.kept()['refresh_token']
        self.behave(refuse='invalid_grant')
        self.refresh()
        until(lambda: 'm365.refused-1' in self.names() and 'refused' in self.kept(), 'it is put aside')
        self.assertEqual(self.kept('m365.refused-1')['refresh_token'], token)
        self.assertIn('AADSTS700082', self.kept()['refused'])
        for _ in range(5):
            self.d.post('/v1/accounts/m365/refresh', None, True)
        self.d.stop()
        with open(os.path.join(self.d.state, 'tokens', 'm365'), encoding='utf-8') as file:
            self.assertNotIn('refresh_token', json.load(file))
        self.d.start()
        self.is_held('sign-in-needed', 'AADSTS700082', 'notifyctl account login m365')
        self.assertEqual(len(self.requests()), 1)
        self.behave()
        self.sign_in()
        until(lambda: self.d.account('m365')['state'] == 'ok', 'the account is well')
        self.assertNotIn('refused', self.kept())

    def test_an_application_that_is_refused_keeps_its_grant(self):
        self.open()
        self.sign_in()
        self.behave(refuse='invalid_client')
        self.refresh()
        until(lambda: [w for w in self.d.status()['warnings'] if w['code'] == 'token-not-refreshed'], 'it is told')
        self.behave()
        self.assertEqual(self.names(), ['m365'])
        self.refreshed()

    def test_an_answer_that_was_lost_by_a_crash_is_told_of(self):
        self.open()
        self.sign_in()
        self.behave(kill=self.d.process.pid)
        self.assertEqual(self.d.post('/v1/accounts/m365/refresh', None, True).status, 200)
        self.d.wait_end()
        self.assertIn('asked', self.kept())
        self.behave()
        self.d.start()
        self.d.post('/v1/accounts/m365/refresh', None, True)
        until(lambda: 'm365.refused-1' in self.names(), 'the grant is dead')
        self.refused = until(lambda: self.kept().get('refused'), 'why is kept')
        self.assertIn('cut off before its answer was on disk', self.refused)
        self.assertLessEqual(len(self.requests()), 2)

    def test_a_provider_that_keeps_old_tokens_alive_survives_the_crash(self):
        self.open()
        self.sign_in()
        self.behave(kill=self.d.process.pid, reuse='allow')
        self.assertEqual(self.d.post('/v1/accounts/m365/refresh', None, True).status, 200)
        self.d.wait_end()
        self.behave(reuse='allow')
        self.d.start()
        self.refreshed()
        until(lambda: self.d.account('m365')['state'] == 'ok', 'the account is well')

    def test_the_token_before_is_tried_once(self):
        self.open()
        self.sign_in()
        self.behave(reuse='allow')
        good = self.refreshed()['previous']
        self.d.stop()
        kept = self.kept()
        kept['refresh_token'] = 'never-became-good'
        with open(os.path.join(self.d.state, 'tokens', 'm365'), 'w', encoding='utf-8') as file:
            json.dump(kept, file)
        self.d.start()
        now = self.refreshed()
        self.assertEqual(now['previous'], good)
        self.assertEqual([r['ok'] for r in self.requests()][-2:], [False, True])

    def test_other_settings_do_not_lose_the_grant(self):
        self.open()
        self.sign_in()
        token = self.kept()['refresh_token']
        config = self.config()
        self.d.configure(config.replace('client_id = 9ab2', 'client_id = 0ab2'))
        self.assertEqual(self.d.post('/v1/reload', None, True).status, 200)
        self.is_held('sign-in-needed')
        until(lambda: len(self.names()) == 1 and self.names()[0] != 'm365', 'the grant went aside')
        self.d.configure(config)
        self.assertEqual(self.d.post('/v1/reload', None, True).status, 200)
        until(lambda: self.d.account('m365')['state'] == 'ok', 'the account is well')
        self.assertNotEqual(self.refreshed()['refresh_token'], token)
        self.assertEqual(self.requests('authorization_code')[1:], [])


class Brought(SignInTest):
    def bring(self, token):
        with open(os.open(self.file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), 'w', encoding='ascii') as file:
            file.write(token + '\n')

    def test_a_token_from_elsewhere_is_taken_once_and_again_when_it_changes(self):
        self.open()
        self.sign_in()
        token = self.kept()['refresh_token']
        self.d.stop()
        os.unlink(os.path.join(self.d.state, 'tokens', 'm365'))
        self.file = os.path.join(self.home, 'refresh')
        self.bring(token)
        self.d.configure(self.config('refresh_token', 'refresh_token = file:' + self.file))
        self.d.start()
        until(lambda: self.kept().get('previous') == token, 'it is taken, and renewed')
        self.refreshed()    # it is not imported again: the provider would see a reuse
        self.bring('nonsense')
        self.d.post('/v1/accounts/m365/refresh', None, True)
        until(lambda: 'm365.refused-1' in self.names(), 'the new one is refused')
        count = len(self.requests())
        self.d.post('/v1/accounts/m365/refresh', None, True)
        until(lambda: 'refused' in self.kept(), 'why is kept')
        self.d.stop()
        self.d.start()
        self.is_held('sign-in-needed', 'refresh_token')
        self.assertEqual(len(self.requests()), count)
        self.assertIn('m365.replaced-1', self.names())


class Leaving(SignInTest):
    def test_without_a_place_to_revoke_it_is_not_used_any_more(self):
        self.open()
        self.assert_problem(self.d.post('/v1/accounts/m365/logout', None, True), 409, 'wrong-state')
        self.sign_in()
        reply = self.d.post('/v1/accounts/m365/logout', None, True)
        self.assertEqual((reply.status, reply.json['revoked']), (200, False), reply)
        self.is_held('sign-in-needed', 'signed out', 'notifyctl account login m365')
        until(lambda: 'm365.signed-out-1' in self.names(), 'the grant is aside')

    def test_a_provider_that_can_revoke_is_told(self):
        self.provider()
        self.d = self.daemon(self.config(more='revoke_url = ' + self.facts['revoke_url']))
        self.sign_in()
        reply = self.d.post('/v1/accounts/m365/logout', None, True)
        self.assertEqual((reply.status, reply.json['revoked']), (200, True), reply)
        self.sign_in()
        until(lambda: self.d.account('m365')['state'] == 'ok', 'the account is well')


class Sealed(SignInTest):
    def setUp(self):
        self.keys = tempfile.TemporaryDirectory()
        self.addCleanup(self.keys.cleanup)
        self.key = os.path.join(self.keys.name, 'tokens-key')

    def raw(self):
        with open(os.path.join(self.d.state, 'tokens', 'm365'), 'rb') as file:
            return file.read()

    def test_sealed_tokens_open_with_their_key_only(self):
        self.open(env={'CREDENTIALS_DIRECTORY': self.keys.name})
        self.sign_in()
        self.assertTrue(self.raw().startswith(b'{'))
        self.d.stop()
        with open(self.key, 'w', encoding='ascii') as file:
            file.write('0123456789abcdef0123456789abcdef\n')
        self.d.start()
        self.refresh()
        until(lambda: self.raw().startswith(b'notifyd-sealed 1\n'), 'it is sealed')
        until(lambda: self.d.account('m365')['state'] == 'ok', 'the account is well')
        self.d.stop()
        sealed = self.raw()
        self.assertNotIn(b'refresh_token', sealed)
        os.rename(self.key, self.key + '.lost')
        for other in (None, 'x' * 32 + '\n'):
            if other:
                with open(self.key, 'w', encoding='ascii') as file:
                    file.write(other)
            self.d.start()
            self.is_held('tokens-locked', 'tokens-key')
            self.assert_problem(self.begin(), 503, 'tokens-locked')
            self.d.post('/v1/accounts/m365/refresh', None, True)
            self.d.stop()
            self.assertEqual(self.raw(), sealed)
        os.rename(self.key + '.lost', self.key)
        self.d.start()
        until(lambda: self.d.account('m365')['state'] == 'ok', 'the account is well')
        self.assertEqual(self.d.account('m365')['signed_in'], self.facts['user'])


if __name__ == '__main__':
    unittest.main()


class Alone(SignInTest):
    def probe(self):
        done = subprocess.run([notifyd.NOTIFYD, '--config', self.d.config, '--state-dir', self.d.state, '--probe', 'm365', '--no-send'],
                              capture_output=True, text=True, timeout=60, check=False)
        return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]

    def test_a_test_without_a_daemon_reads_what_is_kept_and_uses_nothing_up(self):
        self.open()
        self.sign_in()
        until(lambda: self.kept().get('access_token'), 'the sign-in is kept')
        self.d.stop()
        kept = self.kept()
        code, told = self.probe()
        self.assertEqual((code, told[-1]['ok']), (3, True), told)
        path = os.path.join(self.d.state, 'tokens', 'm365')
        with open(path, 'w', encoding='utf-8') as file:
            json.dump(dict(kept, expires=kept['issued']), file)
        code, told = self.probe()
        self.assertEqual((code, told[-2]['step']), (69, 'token'), told)
        self.assertIn('the access token that is kept has ended; only the running notifyd renews it', told[-2]['detail'])
        self.assertIn('start notifyd', told[-2]['remedy'])
        os.remove(path)
        self.assertIn('only the running notifyd', self.probe()[1][-2]['detail'])
        self.assertEqual(self.requests(), [], 'no refresh token was sent')
