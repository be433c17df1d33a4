# SPDX-License-Identifier: Apache-2.0
"""Sign-ins that end before their time, grants that go aside and come back, and the client's second secret."""
import datetime
import json
import os
import threading
import time

from notifyd import until
from test_signin import JOB, SignInTest

DEVICE = 'urn:ietf:params:oauth:grant-type:device_code'
SCOPE = 'scope = https://outlook.office365.com/.default\n'


class EndsTest(SignInTest):
    def reload(self, config):
        self.d.configure(config)
        self.assertEqual(self.d.post('/v1/reload', None, True).status, 200)

    def put(self, name, text):
        """A file of the stand-in's folder; its path."""
        path = os.path.join(self.home, name)
        with open(os.open(path + '.new', os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), 'w', encoding='ascii') as file:
            file.write(text)
        os.replace(path + '.new', path)
        return path

    def later(self, ask, *args, **more):
        """Asks in a thread; what gives the answer."""
        answers = []
        thread = threading.Thread(target=lambda: answers.append(ask(*args, **more)))
        thread.start()

        def join():
            thread.join(60)
            return answers[0]
        return join

    def failures(self):
        return self.d.tail(100000).count('the sign-in to account m365 failed')


class Ends(EndsTest):
    def begin_device(self, **how):
        hold = os.path.join(self.home, 'hold')
        self.behave(hold=hold, **how)
        begun = self.begin(mode='device').json
        return hold, begun['login']

    def test_a_sign_in_runs_out_while_its_request_is_under_way(self):
        self.open('device_code')
        hold, login = self.begin_device(device_life=10)    # its first request comes after a second
        self.put('hold', '')
        self.assert_problem(self.end(login, wait=60), 422, 'login-failed', 'not finished in time')
        self.assertTrue(self.fake.journal('held'), 'its request is under way')
        self.assert_problem(self.end(login, wait=1), 404, 'not-found')
        os.unlink(hold)
        until(lambda: self.requests(DEVICE), 'the late answer')
        self.behave(device='done')
        begun = self.begin(mode='device').json
        self.assertEqual(self.end(begun['login'], wait=60).json['state'], 'done')

    def test_a_new_sign_in_tells_the_one_before_at_once(self):
        self.open('device_code')
        hold, login = self.begin_device()
        self.put('hold', '')

        def wait():
            reply = self.end(login, wait=60)
            return wait() if reply.status == 409 else reply    # the look below was there for a moment
        told = self.later(wait)
        until(lambda: self.end(login).status == 409, 'somebody waits for it')
        until(lambda: self.fake.journal('held'), 'its request is under way')
        begin = time.monotonic()
        self.begin(mode='device')
        self.assert_problem(told(), 422, 'login-failed', 'another sign-in')
        self.assertLess(time.monotonic() - begin, 10)    # not only when its request is given up
        os.unlink(hold)

    def test_a_removed_account_goes_with_its_sign_ins(self):
        self.open('device_code')
        job = self.d.submit(**JOB)
        _, login = self.begin_device()
        told = self.later(self.end, login, wait=60)
        until(lambda: self.requests(DEVICE), 'it is asked for')
        self.reload(self.config('client_credentials', 'client_secret = file:' + self.facts['secret']).replace('[account m365]', '[account other]'))
        self.assert_problem(told(), 422, 'login-failed', 'not among the settings')
        self.assertEqual(self.d.final(job)['state'], 'delivered')

    def test_what_worked_is_not_told_as_a_failure_later(self):
        self.open()
        for _ in range(2):
            self.sign_in()
        self.assertEqual(self.d.post('/v1/accounts/m365/logout', None, True).status, 200)
        self.assertEqual(self.failures(), 0, self.d.tail())
        begun = self.begin().json
        self.assertEqual(self.d.post('/v1/accounts/m365/logout', None, True).status, 409)
        self.begin()
        self.assertEqual(self.failures(), 1, self.d.tail())
        self.assert_problem(self.end(begun['login'], 'x'), 404, 'not-found')

    def test_a_body_that_is_no_object_is_refused(self):
        self.open()
        begun = self.begin().json
        for body in ('[1]', '"x"', '[{"mode":"code"}]', 'null'):
            self.assert_problem(self.d.post('/v1/accounts/m365/login', body, True), 400, 'malformed')
            self.assert_problem(self.d.post('/v1/logins/' + begun['login'], body, True), 400, 'malformed')
        self.assert_problem(self.d.post('/v1/accounts/m365/login', {'mode': 1}, True), 400, 'invalid-value', 'mode')


class TwoSecrets(EndsTest):
    first, second = 'first-secret-of-the-two', 'second-secret-of-the-two'

    def open_two(self, grant='authorization_code', revokes=False):
        self.provider()
        more = 'revoke_url = %s\n' % self.facts['revoke_url'] if revokes else ''
        self.behave(confidential=True)
        self.put('expired', self.first + '\n')
        self.put('secret', self.second + '\n')
        files = self.put('one', self.first), self.put('two', self.second)
        self.d = self.daemon(self.config(grant, more + 'client_secret = file:%s\nclient_secret_next = file:%s' % files))

    def in_use(self):
        return [w['code'] for w in self.d.status()['warnings'] if w['code'] == 'client-secret-next']

    def test_a_code_is_redeemed_with_the_second(self):
        self.open_two()
        self.sign_in()
        self.assertEqual([r.get('number') for r in self.requests('authorization_code')], [7000222, None])
        self.assertEqual(self.in_use(), ['client-secret-next'])

    def test_a_device_is_told_its_code_with_the_second(self):
        self.open_two('device_code')
        self.behave(confidential=True, device='done')
        begun = self.begin(mode='device')
        self.assertEqual(begun.status, 200, begun)
        self.assertEqual(self.end(begun.json['login'], wait=60).json['state'], 'done')
        self.assertEqual([r.get('number') for r in self.requests(DEVICE)], [None])

    def test_when_both_are_refused_it_is_told_without_them(self):
        self.open_two()
        self.put('secret', 'another\n')
        begun = self.begin().json
        self.assert_problem(self.end(begun['login'], self.consent(begun['url'])), 422, 'login-failed', 'AADSTS7000215')
        self.assertEqual([r['number'] for r in self.requests('authorization_code')], [7000222, 7000215])
        self.put('secret', self.second + '\n')
        self.behave(refuse_code='invalid_grant')
        begun = self.begin().json
        refused = self.end(begun['login'], self.consent(begun['url']))
        self.assert_problem(refused, 422, 'login-failed', 'The code is not taken')
        for text in (refused.body.decode(), self.d.tail(100000)):
            for secret in (self.first, self.second, '0.A'):
                self.assertNotIn(secret, text)

    def test_a_grant_is_revoked_with_the_other(self):
        self.open_two(revokes=True)
        self.sign_in()
        self.put('expired', '')
        self.put('secret', self.first + '\n')    # the second ends, the first is good again
        reply = self.d.post('/v1/accounts/m365/logout', None, True)
        self.assertEqual((reply.status, reply.json['revoked']), (200, True), reply)


class Revoking(EndsTest):
    def test_settings_that_changed_meanwhile_do_not_get_the_token(self):
        self.provider()
        hold = self.put('slow', '')
        os.unlink(hold)
        more = 'revoke_url = %s\nclient_secret = command:/bin/sh -c "while test -e %s; do sleep 0.1; done; cat %s"' % (
            self.facts['revoke_url'], hold, self.facts['secret'])
        self.d = self.daemon(self.config(more=more))
        self.sign_in()
        self.put('slow', '')
        told = self.later(self.d.post, '/v1/accounts/m365/logout', None, True)
        until(lambda: 'm365.signed-out-1' in self.names(), 'the grant is aside')
        self.reload(self.config(more=more).replace('client_id = 9ab2', 'client_id = 0ab2'))
        os.unlink(hold)
        reply = told()
        self.assertEqual((reply.status, reply.json['revoked']), (200, False), reply)
        self.assertIn('settings of the account have changed', reply.json['detail'])
        self.assertEqual([r for r in self.fake.journal('token') if r.get('path', '').endswith('/revoke')], [])


class PutOff(EndsTest):
    def application(self):
        """The same settings, but the application sends for itself."""
        return self.config('client_credentials', SCOPE + 'client_secret = file:' + self.facts['secret'])

    def by_application(self):
        before = self.d.tokens_used()
        self.reload(self.application())
        until(lambda: self.d.tokens_used() > before, 'a token of the application')
        self.assertNotIn('refresh_token', self.kept())

    def test_a_grant_comes_back_when_people_sign_in_again(self):
        self.open(more=SCOPE)
        self.sign_in()
        token = self.kept()['refresh_token']
        self.by_application()
        self.reload(self.config(more=SCOPE))
        self.refreshed()
        self.assertEqual(self.requests()[0]['used'], token)
        self.assertEqual(self.d.account('m365')['state'], 'ok')

    def test_what_was_signed_out_of_does_not_come_alive_again(self):
        self.open(more=SCOPE)
        self.sign_in()
        for config in (self.config(more=SCOPE).replace('client_id = 9ab2', 'client_id = 0ab2'), self.config(more=SCOPE)):
            self.reload(config)
        until(lambda: len(self.names()) == 1 and self.d.account('m365')['state'] == 'ok', 'it was put off, and taken back')
        self.assertEqual(self.d.post('/v1/accounts/m365/logout', None, True).status, 200)
        self.by_application()
        self.reload(self.config(more=SCOPE))
        self.is_held('sign-in-needed')
        self.assertEqual(self.requests(), [])


class Age(EndsTest):
    def test_the_end_of_a_sign_in_is_told_as_that_of_a_secret_is(self):
        self.text = self.text.replace('[daemon]\n', '[daemon]\nadmin_to = admin@contoso.example\n')
        self.open()
        self.sign_in()
        until(lambda: self.kept().get('refreshed'), 'the sign-in is kept')
        self.d.stop()
        kept, before = self.kept(), datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(85)
        with open(os.path.join(self.d.state, 'tokens', 'm365'), 'w', encoding='utf-8') as file:
            json.dump(dict(kept, refreshed=before.strftime('%Y-%m-%dT%H:%M:%SZ')), file)
        self.d.start()

        def warnings():
            return [w for w in self.d.status()['warnings'] if w['code'] == 'credential-expires']
        warning = until(warnings, 'a warning')[0]
        self.assertIn('the sign-in of account m365 ends in 5 days', warning['detail'])
        self.assertIn('notifyctl account login', warning['hint'])
        jobs = until(lambda: self.d.get('/v1/jobs?source=notifyd', True).json['jobs'], 'a mail')
        self.assertEqual((jobs[0]['key'], self.d.final(jobs[0]['id'])['state']), ('credential:m365', 'delivered'))
        line = next(line for line in self.d.get('/metrics', True).body.decode().splitlines() if 'kind="grant"' in line)
        self.assertTrue(4 * 86400 < int(line.split()[-1]) <= 5 * 86400, line)
        self.refreshed()
        until(lambda: not warnings(), 'all is well')
        self.assertEqual(len(self.d.get('/v1/jobs?source=notifyd', True).json['jobs']), 1)
