# SPDX-License-Identifier: Apache-2.0
"""A provider with other habits than Microsoft's (OTHER of tests/fake/provider.py): 400 and not a word for a refused client, expires_in as
a text or missing, a refresh token that stays, slow_down for devices, no patience with a refresh that asks for more than was granted."""
import datetime
import os
import unittest

import test_signin
from login import Browser, LoginProgram
from notifyd import until
from test_signin import JOB

CONFIG = '''
[daemon]
hostname = host.example
[access]
to_allow = *
[account m365]
provider = smtp
auth = oauth2
user = %(user)s
from = %(user)s
grant = %(grant)s
client_id = %(client_id)s
token_url = %(token_url)s
scope = mail offline_access
%(way)s
host = localhost:%(smtp_port)d
ca_file = %(ca)s
%(more)s
'''
APPLICATION = 'token_auth = basic\nclient_secret = file:%s\n'
DEVICE = 'urn:ietf:params:oauth:grant-type:device_code'


class OtherTest(LoginProgram, test_signin.SignInTest):
    text = CONFIG

    def provider(self, *options):
        super().provider('--habits', 'other', *options)

    def sends(self):
        self.assertEqual(self.d.final(self.d.submit(**JOB))['state'], 'delivered')

    def life(self):
        """How many seconds the token of the account is good for."""
        ends = datetime.datetime.fromisoformat(self.d.account('m365')['token_expires'].replace('Z', '+00:00'))
        return (ends - datetime.datetime.now(datetime.timezone.utc)).total_seconds()


class Applications(OtherTest):
    def application(self, secret):
        self.text = CONFIG.replace('mail offline_access', 'https://outlook.office365.com/.default')
        self.d = self.daemon(self.config('client_credentials', APPLICATION % secret))

    def test_a_life_that_is_a_text_is_kept(self):
        self.provider()
        self.application(self.facts['secret'])
        self.sends()
        self.assertGreater(self.life(), 3500)

    def test_a_client_that_is_refused_with_400_and_no_words_is_asked_about_once(self):
        self.provider()
        wrong = os.path.join(self.home, 'wrong')
        with open(os.open(wrong, os.O_WRONLY | os.O_CREAT, 0o600), 'w', encoding='ascii') as file:
            file.write('not-the-secret\n')
        self.application(wrong)
        job = self.d.submit(**JOB)
        self.is_held('the token endpoint refused (400, invalid_client)', 'client_secret')
        self.assertIn(self.d.job(job)['state'], ('queued', 'held'))
        self.assertEqual([(event['status'], event['method']) for event in self.requests('client_credentials')], [(400, 'basic')])


class People(OtherTest):
    def test_one_refresh_token_serves_for_good_and_a_missing_life_is_a_minute(self):
        self.open()
        self.behave(scope='mail')    # the other half of what was asked for is not granted, and not said to be
        program = self.start('login', 'm365')
        self.assertEqual(Browser.get(self.consent(self.address(program)))[0], 200)
        self.finish(program)
        self.sends()
        self.assertGreater(self.life(), 3500)
        token = self.kept()['refresh_token']
        for _ in range(2):
            now = self.refreshed()
            self.assertEqual((now['refresh_token'], 'previous' in now), (token, False))
            self.assertTrue(30 < self.life() <= 60, self.life())
        self.d.kill()
        self.d.start()
        self.refreshed()
        self.sends()
        asked = self.requests()
        self.assertEqual([event['ok'] for event in asked], [True] * len(asked))

    def test_a_client_that_is_refused_keeps_its_grant(self):
        self.open()
        self.sign_in()
        self.behave(refuse='invalid_client')
        self.refresh()
        until(lambda: [w for w in self.d.status()['warnings'] if w['code'] == 'token-not-refreshed'], 'it is told')
        self.assertEqual(self.names(), ['m365'])
        self.behave()
        self.refreshed()

    def test_a_grant_that_ended_without_a_word_is_told_and_not_asked_for_again(self):
        self.open()
        self.sign_in()
        self.behave(refuse='invalid_grant')
        self.refresh()
        until(lambda: 'refused' in self.kept(), 'it is known')
        self.d.stop()
        self.d.start()
        self.is_held('sign-in-needed', 'invalid_grant', 'notifyctl account login m365')
        self.assertEqual(len(self.requests()), 1)

    def test_a_device_that_is_told_to_slow_down_does(self):
        self.open('device_code')
        self.behave(device='pending')
        program = self.start('login', '--device', 'm365')
        self.line(program, 'Enter only a code')
        until(lambda: [event for event in self.requests(DEVICE) if event.get('error') == 'slow_down'], 'it was too fast')
        self.behave(device='done')
        self.finish(program)
        first, last = self.requests(DEVICE)
        self.assertEqual((first['error'], last['ok']), ('slow_down', True))
        times = [datetime.datetime.fromisoformat(event['time'].replace('Z', '+00:00')) for event in (first, last)]
        self.assertGreaterEqual((times[1] - times[0]).total_seconds(), 5.9)
        self.sends()
        self.refreshed()


del OtherTest

if __name__ == '__main__':
    unittest.main()
