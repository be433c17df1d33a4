# SPDX-License-Identifier: Apache-2.0
"""Every way to a token, against the lab's OAuth provider; each ends in a mail that lies in a mailbox of the lab (tests/lab)."""
import json
import os
import ssl
import subprocess
import threading
import urllib.error
import urllib.parse
import urllib.request

import lab
from lab import LabTest
from login import Browser, LoginProgram
from notifyd import until

DEVICE = 'urn:ietf:params:oauth:grant-type:device_code'
SCOPE = 'scope = https://outlook.office365.com/.default\n'


class GrantTest(LabTest):
    def setUp(self):
        super().setUp()
        self.env = lab.settings()
        lab.clear('bob')
        self.journal = lab.Journal()

    def open(self, way=lab.application, **more):
        self.d = self.relay(way, **more)

    def asked(self, grant):
        """What the provider answered to requests of this grant, oldest first."""
        return [entry for entry in self.journal.token_requests() if entry.get('grant_type') == grant]

    def arrives(self):
        """A mail goes out, and lies in the mailbox."""
        job = self.d.final(self.d.submit(to='bob@lab.test', subject='a way in', text='x'))
        self.assertEqual((job['state'], job['attempt_count']), ('delivered', 1), (job, self.d.tail()))
        until(lambda: '%s@host.lab.test' % job['id'] in map(lab.message_id, lab.mails('bob')), 'the mail has arrived')

    def until_state(self, state, *words):
        account = until(lambda: (lambda a: a if a['state'] == state else None)(self.d.account('lab')), 'the account is ' + state)
        for word in words:
            self.assertIn(word, '%s %s' % (account.get('reason'), account.get('hint')))
        return account

    def refresh(self):
        self.assertEqual(self.d.post('/v1/accounts/lab/refresh', None, True).status, 200)


class Applications(GrantTest):
    def test_opaque_and_jwt_tokens_for_a_secret_in_the_header_and_in_the_form(self):
        for form in ('opaque', 'jwt'):
            for client in ('basic', 'post'):
                with self.subTest((form, client)):
                    lab.lab('set', 'format=' + form)
                    count = len(self.asked('client_credentials'))
                    self.open(lambda folder, client=client: lab.application(folder, client=client))
                    self.arrives()
                    entry, = self.asked('client_credentials')[count:]
                    self.assertEqual((entry['status'], entry['client'], entry.get('jwt', False)), (200, 'lab-' + client, form == 'jwt'))

    def certified(self, alg, key=None):
        return 'client_id = lab-jwt\ncertificate = %s\nkey = file:%s\nassertion_alg = %s\n%s' % (
            self.env['LAB_JWT_CERT'], key or self.env['LAB_JWT_KEY'], alg, SCOPE)

    def test_a_certificate_proves_the_application_by_rs256_and_ps256(self):
        for alg in ('RS256', 'PS256'):
            with self.subTest(alg):
                count = len(self.asked('client_credentials'))
                self.open(self.certified(alg))
                self.arrives()
                self.refresh()
                until(lambda: len(self.asked('client_credentials')) == count + 2, 'another token')
                made = [(entry['status'], entry['assertion']['alg']) for entry in self.asked('client_credentials')[count:]]
                self.assertEqual(made, [(200, alg)] * 2)
        made = [entry['assertion']['jti'] for entry in self.asked('client_credentials')]
        self.assertEqual(len(set(made)), 4, 'an assertion is made for each request')

    def test_a_certificate_that_is_not_registered_holds_the_account(self):
        folder = os.path.join(self.daemon(start=False).folder, 'x')
        subprocess.run(['openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-subj', '/CN=another', '-days', '2', '-keyout',
                        folder + '.key', '-out', folder + '.crt'], check=True, capture_output=True)
        os.chmod(folder + '.key', 0o600)
        self.open(self.certified('PS256', folder + '.key').replace(self.env['LAB_JWT_CERT'], folder + '.crt'))
        self.until_state('held', 'invalid_client')
        self.assertEqual([entry['status'] for entry in self.asked('client_credentials')], [401])

    def test_the_key_of_a_service_account_is_enough(self):
        self.d = self.daemon('''%s[account lab]
provider = google
host = %s
from = %s
grant = jwt_bearer
key = file:%s
ca_file = %s
''' % (lab.CONFIG, self.env['LAB_SMTP'], self.env['LAB_USER'], self.env['LAB_SERVICE_ACCOUNT'], self.env['LAB_CA']))
        self.arrives()
        entry, = self.asked('urn:ietf:params:oauth:grant-type:jwt-bearer')
        self.assertEqual((entry['status'], entry['client']), (200, 'lab-sa@lab.test'))


class Faults(GrantTest):
    def test_busy_endpoints_are_asked_again_when_they_wish_and_the_mail_arrives(self):
        for status in ('429', '503'):
            with self.subTest(status):
                count = len(self.journal.token_requests())
                lab.lab('fault', status, '2', '2')
                self.open()
                self.until_state('failing', status)
                self.arrives()
                asked = self.journal.token_requests()[count:]
                self.assertEqual([entry['status'] for entry in asked], [int(status)] * 2 + [200])
                times = [lab.seconds(entry) for entry in asked]
                for begin, later in zip(times, times[1:]):
                    self.assertGreaterEqual(later - begin, 1.9, 'Retry-After is kept')

    def test_a_web_page_in_place_of_a_token_holds_the_account_and_is_no_loop(self):
        lab.lab('fault', '200', '1000')
        self.open()
        self.until_state('held', 'answered 200 with a web page (HTML) instead of a token')
        for _ in range(5):
            self.d.submit(to='bob@lab.test', text='waits')
        self.assertEqual(len(self.journal.token_requests()), 1)
        lab.lab('fault', 'off')
        self.refresh()
        self.until_state('ok')
        self.assertEqual(len(lab.wait_mail('bob', 5)), 5)

    def test_a_slow_answer_is_waited_for_and_asked_for_once(self):
        lab.lab('fault', '0', '1', '0', '4')
        self.open()
        self.arrives()
        entry, = self.journal.token_requests()
        self.assertEqual(entry['status'], 200)


class SignIns(LoginProgram, GrantTest):
    """People sign in, at the provider's own pages, by notifyctl."""

    WAY = '''client_id = lab-native
grant = %s
%s
scope = https://outlook.office.com/SMTP.Send offline_access openid email
'''

    def code(self, more=''):
        return self.WAY % ('authorization_code', 'authorize_url = ' + self.env['LAB_AUTHORIZE_URL']) + more

    def device(self):
        return self.WAY % ('device_code', 'device_url = ' + self.env['LAB_DEVICE_URL'])

    def person(self, *words):
        """What the person at the browser sees last."""
        return lab.lab('approve', *words).decode()

    def consent(self, url, *words):
        """Where the browser is sent back to."""
        return self.person('--print-redirect', *words, url).strip()

    def sign_in(self, more=''):
        self.open(self.code(more))
        program = self.start('login', 'lab')
        self.person(self.address(program))
        self.finish(program)

    def kept(self):
        try:
            with open(os.path.join(self.d.state, 'tokens', 'lab'), encoding='utf-8') as file:
                return json.load(file)
        except FileNotFoundError:    # it is just being put aside
            return {}

    def refreshed(self):
        """Another token comes, and is on disk."""
        before = self.d.tokens_used()
        self.refresh()
        until(lambda: self.d.tokens_used() > before, 'another token is in use')

    def used(self):
        """The refresh tokens that were shown to the provider."""
        return [entry['used_refresh_token'] for entry in self.asked('refresh_token')]

    def show_to_provider(self, token):
        form = urllib.parse.urlencode({'grant_type': 'refresh_token', 'refresh_token': token, 'client_id': 'lab-native'}).encode()
        try:
            with urllib.request.urlopen(self.env['LAB_TOKEN_URL'], form, timeout=30,
                                        context=ssl.create_default_context(cafile=self.env['LAB_CA'])) as reply:
                return reply.status, json.load(reply)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)


class Browsers(SignIns):
    def test_the_browser_comes_back_to_this_machine(self):
        for form in ('opaque', 'jwt'):
            with self.subTest(form):
                lab.lab('set', 'format=' + form)
                self.open(self.code())
                job = self.d.submit(to='bob@lab.test', text='before the sign-in')
                self.until_state('held', 'notifyctl account login lab')
                program = self.start('login', 'lab')
                url = self.address(program)
                query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(url).query))
                self.assertEqual((query['code_challenge_method'], len(query['code_challenge'])), ('S256', 43))
                self.assertIn('application answered 200', self.person(url))
                self.assertIn('signed in as alerts@lab.test', self.finish(program))
                self.assertEqual(self.d.final(job)['state'], 'delivered')
                self.arrives()
                self.assertEqual(self.asked('authorization_code')[-1].get('jwt', False), form == 'jwt')
        self.assertEqual([entry['status'] for entry in self.asked('authorization_code')], [200, 200])
        self.assertEqual(self.used(), [], 'the token of the sign-in is used')

    def test_a_denial_is_told_and_the_account_still_waits(self):
        self.open(self.code())
        program = self.start('login', 'lab')
        status, page = Browser.get(self.consent(self.address(program), '--deny'))
        self.assertEqual(status, 400)
        self.assertIn('access_denied', page)
        self.assertIn('access_denied', self.finish(program, 65))
        self.until_state('held', 'nobody has signed in yet')
        self.assertEqual(self.journal.token_requests(), [])

    def test_somebody_else_signs_in(self):
        self.open(self.code())
        program = self.start('login', 'lab')
        self.person('--login', 'other@lab.test', self.address(program))
        self.assertIn('signed in as other@lab.test, but the mailbox is alerts@lab.test', self.finish(program))
        job = self.d.submit(to='bob@lab.test', text='x')
        self.until_state('held', '535')
        self.assertIn(self.d.job(job)['state'], ('queued', 'held'))

    def test_the_address_is_pasted(self):
        self.open(self.code())
        program = self.start('login', '--paste', 'lab', stdin=subprocess.PIPE)
        self.paste(program, self.consent(self.address(program)))
        self.arrives()

    def test_a_code_is_good_once(self):
        self.open(self.code())
        program = self.start('login', '--paste', 'lab', stdin=subprocess.PIPE)
        back = self.consent(self.address(program))
        self.paste(program, back)
        again = self.d.post('/v1/accounts/lab/login', {'mode': 'code', 'redirect_uri': 'http://127.0.0.1/cb'}, True).json
        code = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(back).query))['code']
        self.assert_problem(self.d.post('/v1/logins/' + again['login'], {'redirected': code}, True), 422, 'login-failed', 'invalid_grant')

    def test_the_provider_revokes_at_logout(self):
        self.sign_in('revoke_url = %s/token/revocation\n' % self.env['LAB_ISSUER'])
        token = self.kept()['refresh_token']
        self.assertIn('signed out of account lab', self.finish(self.start('logout', '--yes', 'lab')))
        self.until_state('held', 'signed out')
        self.assertEqual(self.show_to_provider(token)[0], 400, 'it is good for nothing any more')


class Devices(SignIns):
    def begin(self):
        self.open(self.device())
        program = self.start('login', '--device', 'lab')
        url = self.line(program, self.env['LAB_ISSUER'])
        self.line(program, 'and enter the code')
        code = program.stdout.readline().strip()
        self.line(program, 'Enter only a code that you see here')
        return program, url, code

    def test_a_code_is_entered_on_another_device(self):
        program, url, code = self.begin()
        until(lambda: self.asked(DEVICE), 'the provider is asked, and nobody has been there')
        self.person(url, code)
        self.assertIn('signed in as alerts@lab.test', self.finish(program))
        self.assertEqual({entry.get('error') for entry in self.asked(DEVICE)[:-1]}, {'authorization_pending'})
        self.arrives()
        self.refreshed()

    def test_a_denial_ends_the_waiting(self):
        program, url, code = self.begin()
        self.person('--deny', url, code)
        self.assertIn('the sign-in was declined', self.finish(program, 65))
        self.until_state('held', 'nobody has signed in yet')


class Rotation(SignIns):
    def ended(self, *words, others=0):
        """The grant is dead: that is known, told, and not asked for again. (The access token may well live on.)"""
        refused = until(lambda: self.kept().get('refused'), 'why is kept')
        count = len(self.used())
        for _ in range(5):
            self.refresh()
        self.d.stop()
        self.d.start()
        account = self.until_state('held', 'notifyctl account login lab')
        for word in words:
            self.assertIn(word, refused)
            self.assertIn(word, account['reason'])
        self.d.submit(to='bob@lab.test', text='waits')
        self.assertEqual(len(self.used()), count)
        refusals = [entry for entry in self.asked('refresh_token') if entry['status'] != 200]
        self.assertLessEqual(len(refusals) - others, 2, 'the newest token and the one before, once')

    def test_no_refresh_token_is_used_twice(self):
        self.sign_in()
        for turn in range(3):
            self.refreshed()
            self.d.stop() if turn % 2 else self.d.kill()    # whichever way it ended
            self.d.start()
        self.refreshed()
        self.arrives()
        self.assertEqual([entry['status'] for entry in self.asked('refresh_token')], [200] * 4)
        self.assertEqual(len(set(self.used())), 4)

    def test_a_provider_that_keeps_one_refresh_token_is_shown_it_each_time(self):
        lab.lab('set', 'rotate=no')
        self.sign_in()
        for _ in range(3):
            self.refreshed()
        self.assertEqual((len(self.used()), len(set(self.used()))), (3, 1))
        self.arrives()

    def test_many_who_ask_at_a_time_are_one_request(self):
        self.sign_in()
        lab.lab('fault', '0', '1000', '0', '1')    # each answer comes a second late
        before = self.d.tokens_used()
        threads = [threading.Thread(target=self.refresh) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        until(lambda: self.d.tokens_used() > before, 'another token is in use')
        self.refreshed()
        lab.lab('fault', 'off')
        asked = self.asked('refresh_token')
        self.assertEqual([entry['status'] for entry in asked], [200] * len(asked))
        self.assertEqual(len(set(self.used())), len(asked))
        times = [lab.seconds(entry) for entry in asked]
        for begin, later in zip(times, times[1:]):
            self.assertGreaterEqual(later - begin, 0.95, 'the next is asked for when the answer is there')
        self.arrives()

    def test_a_token_is_renewed_before_it_ends(self):
        lab.lab('set', 'ttl=8')
        self.sign_in()
        until(lambda: len(self.used()) >= 2, 'it was renewed twice', 40)
        self.arrives()
        self.assertEqual(len(set(self.used())), len(self.used()))

    def test_an_answer_that_a_crash_swallowed_costs_the_grant_and_is_told(self):
        self.sign_in()
        lab.lab('fault', '0', '1', '0', '20')
        self.refresh()
        until(self.used, 'the provider has answered, and the answer is under way')
        self.d.kill()
        lab.lab('fault', 'off')
        self.d.start()
        self.refresh()
        self.ended('cut off before its answer was on disk')
        program = self.start('login', 'lab')
        self.person(self.address(program))
        self.finish(program)
        self.arrives()

    def test_a_thief_who_shows_an_old_token_ends_the_grant_and_it_is_asked_for_once(self):
        self.sign_in()
        old = self.kept()['refresh_token']
        self.refreshed()
        self.assertEqual(self.show_to_provider(old)[1]['error'], 'invalid_grant')
        self.refresh()
        self.ended('invalid_grant', others=1)

    def test_a_token_brought_from_elsewhere_lives_on(self):
        self.sign_in()
        token = self.kept()['refresh_token']
        self.d.stop()
        self.open(lambda folder: self.WAY % ('refresh_token', 'refresh_token = file:' + lab.secret(folder, 'refresh', token)))
        self.arrives()
        self.refreshed()
        self.assertEqual(len(set(self.used())), len(self.used()))
