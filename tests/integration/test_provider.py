# SPDX-License-Identifier: Apache-2.0
"""The stand-in of Microsoft 365 (tests/fake/provider.py) behaves as the notes on the real one say."""
import base64
import json
import os
import socket
import ssl
import unittest
import urllib.error
import urllib.parse
import urllib.request

import notifyd

SCOPE = 'https://outlook.office365.com/.default'
MAIL = (b'From: Alerts <alerts@contoso.example>\r\nSubject: =?utf-8?q?Gr=C3=B6=C3=9Fe?=\r\nMessage-ID: <1@host>\r\n'
        b'\r\nx\r\n')


class Smtp:
    """A client that says what it is told and gives back whole replies."""

    def __init__(self, facts):
        self.facts = facts
        self.socket = socket.create_connection((facts['smtp_host'], facts['smtp_port']), timeout=20)
        self.file = self.socket.makefile('rb')

    def close(self):
        self.file.close()
        self.socket.close()

    def reply(self):
        lines = []
        while not lines or lines[-1][3:4] == '-':
            line = self.file.readline().decode()
            if not line:
                raise EOFError
            lines.append(line.rstrip('\r\n'))
        return '\n'.join(lines)

    def say(self, text):
        self.socket.sendall(text if isinstance(text, bytes) else text.encode() + b'\r\n')
        return self.reply()

    def start_tls(self):
        self.reply()
        self.say('EHLO test')
        self.say('STARTTLS')
        context = ssl.create_default_context(cafile=self.facts['ca'])
        self.file.close()
        self.socket = context.wrap_socket(self.socket, server_hostname='localhost')
        self.file = self.socket.makefile('rb')
        return self.say('EHLO test')


def xoauth2(user, token):
    return base64.b64encode(('user=%s\1auth=Bearer %s\1\1' % (user, token)).encode()).decode()


class ProviderTest(notifyd.Test):
    def provider(self, *options):
        self.fake = super().provider('--verbose', *options)
        self.folder, self.facts = self.fake.folder, self.fake.facts

    def ask(self, url=None, headers=(), **changes):
        """(status, reply) of a token request."""
        with open(os.path.join(self.folder, 'secret'), encoding='ascii') as file:
            secret = file.read().strip()
        form = {'grant_type': 'client_credentials', 'client_id': self.facts['client_id'], 'client_secret': secret,
                'scope': SCOPE, **changes}
        body = urllib.parse.urlencode({k: v for k, v in form.items() if v is not None}).encode()
        request = urllib.request.Request(url or self.facts['token_url'], body, dict(headers))
        context = ssl.create_default_context(cafile=self.facts['ca'])
        try:
            with urllib.request.urlopen(request, context=context, timeout=20) as reply:
                return reply.status, json.load(reply)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)

    def token(self):
        status, reply = self.ask()
        self.assertEqual(status, 200, reply)
        return reply['access_token']

    def session(self, sign_in=True):
        smtp = Smtp(self.facts)
        self.addCleanup(smtp.close)
        smtp.start_tls()
        if sign_in:
            self.assertEqual(smtp.say('AUTH XOAUTH2'), '334 ')
            self.assertEqual(smtp.say(xoauth2(self.facts['user'], self.token())), '235 2.7.0 Authentication successful')
        return smtp

    def envelope(self, smtp, *recipients, sender=None):
        self.assertEqual(smtp.say('MAIL FROM:<%s>' % (sender or self.facts['user'])), '250 2.1.0 Sender OK')
        return [smtp.say('RCPT TO:<%s>' % address) for address in recipients]

    def kept(self, number):
        name = os.path.join(self.folder, 'mail', '%04d' % number)
        with open(name + '.eml', 'rb') as mail, open(name + '.json', encoding='utf-8') as envelope:
            return mail.read(), json.load(envelope)


class Tokens(ProviderTest):
    def test_a_token_has_the_asked_life_form_and_length(self):
        self.provider('--ttl', '77', '--pad', '3000')
        status, reply = self.ask()
        self.assertEqual((status, reply['token_type'], reply['expires_in']), (200, 'Bearer', 77))
        self.assertEqual(reply['access_token'].count('.'), 2)
        self.assertGreater(len(reply['access_token']), 3000)

    def test_the_secret_may_come_in_the_header(self):
        self.provider('--format', 'opaque')
        with open(os.path.join(self.folder, 'secret'), encoding='ascii') as file:
            secret = file.read().strip()
        pair = '%s:%s' % (self.facts['client_id'], urllib.parse.quote(secret, safe=''))
        header = 'Basic ' + base64.b64encode(pair.encode()).decode()
        status, reply = self.ask(headers={'Authorization': header}, client_id=None, client_secret=None)
        self.assertEqual(status, 200, reply)
        self.assertNotIn('.', reply['access_token'])

    def test_mistakes_get_the_numbers_of_entra_id(self):
        self.provider()
        elsewhere = self.facts['token_url'].replace(self.facts['tenant'], 'nowhere.example')
        common = self.facts['token_url'].replace(self.facts['tenant'], 'common')
        for number, error, status, request in (
                (7000215, 'invalid_client', 401, {'client_secret': 'wrong'}),
                (7000218, 'invalid_client', 401, {'client_secret': None}),
                (700016, 'unauthorized_client', 400, {'client_id': 'x'}),
                (90002, 'invalid_request', 400, {'url': elsewhere}),
                (9001023, 'invalid_request', 400, {'url': common}),
                (70011, 'invalid_scope', 400, {'scope': 'https://graph.microsoft.com/.default'}),
                (900144, 'invalid_request', 400, {'scope': None}),
                (70003, 'unsupported_grant_type', 400, {'grant_type': 'password'})):
            with self.subTest(number):
                got, reply = self.ask(**request)
                self.assertEqual((got, reply['error'], reply['error_codes']), (status, error, [number]))
                self.assertTrue(reply['error_description'].startswith('AADSTS%d: ' % number))


class Sessions(ProviderTest):
    def setUp(self):
        self.provider()

    def test_auth_is_offered_only_after_tls(self):
        smtp = Smtp(self.facts)
        self.addCleanup(smtp.close)
        self.assertIn('Microsoft ESMTP MAIL Service ready', smtp.reply())
        before = smtp.say('EHLO test')
        self.assertIn('\n250-STARTTLS\n', before)
        self.assertNotIn('AUTH', before)
        self.assertTrue(smtp.say('AUTH XOAUTH2').startswith('504 '))
        smtp.close()
        smtp = Smtp(self.facts)
        self.addCleanup(smtp.close)
        after = smtp.start_tls()
        self.assertIn('\n250-AUTH LOGIN XOAUTH2\n', after)
        self.assertNotIn('STARTTLS', after)
        self.assertTrue(smtp.say('MAIL FROM:<a@b>').startswith('530 5.7.57 '))

    def test_both_forms_of_xoauth2_are_taken(self):
        smtp = self.session(sign_in=False)
        self.assertTrue(smtp.say('AUTH XOAUTH2 ' + xoauth2(self.facts['user'], self.token())).startswith('235 '))
        self.session()

    def test_log_ins_that_are_wrong_are_refused_alike(self):
        smtp = self.session(sign_in=False)
        token = self.token()
        for line in (xoauth2(self.facts['user'], 'x'), xoauth2('other@contoso.example', token), '!!', 'YQ==',
                     base64.b64encode(b'user=a\1auth=Basic b\1\1').decode()):
            self.assertRegex(smtp.say('AUTH XOAUTH2 ' + line), r'^535 5\.7\.3 Authentication unsuccessful \[.+\]$')
        self.assertTrue(smtp.say('AUTH LOGIN').startswith('334 VXNlcm5hbWU6'))
        self.assertTrue(smtp.say('YQ==').startswith('334 UGFzc3dvcmQ6'))
        self.assertTrue(smtp.say('YQ==').startswith('535 5.7.139 '))

    def test_a_mail_is_kept_octet_by_octet_however_it_came(self):
        smtp = self.session()
        mail = MAIL + b'.a dot\r\n..two\r\n.\r\n'
        self.envelope(smtp, 'ops@contoso.example')
        self.assertTrue(smtp.say('DATA').startswith('354 '))
        stuffed = mail.replace(b'\r\n.', b'\r\n..')
        reply = smtp.say(stuffed + b'.\r\n')
        self.assertRegex(reply, r'^250 2\.0\.0 OK <1@host> \[Hostname=.+\]$')
        self.envelope(smtp, 'ops@contoso.example', 'night@contoso.example')
        self.assertTrue(smtp.say(b'BDAT 10\r\n' + mail[:10]).startswith('250 '))
        self.assertTrue(smtp.say(b'BDAT %d LAST\r\n' % len(mail[10:]) + mail[10:]).startswith('250 2.0.0 OK <1@host>'))
        for number in (1, 2):
            octets, envelope = self.kept(number)
            self.assertEqual(octets, mail)
            self.assertEqual((envelope['from'], envelope['subject']), (self.facts['user'], 'Größe'))
        self.assertEqual(envelope['to'], ['ops@contoso.example', 'night@contoso.example'])
        self.assertTrue(smtp.say('QUIT').startswith('221 2.0.0 '))

    def test_a_whole_flight_gets_its_replies_in_order(self):
        smtp = self.session()
        flight = (b'MAIL FROM:<alerts@contoso.example>\r\nRCPT TO:<reject@x.example>\r\n'
                  b'RCPT TO:<tempfail@x.example>\r\nRCPT TO:<a@x.example>\r\nBDAT %d LAST\r\n' % len(MAIL) + MAIL)
        replies = [smtp.say(flight)] + [smtp.reply() for _ in range(4)]
        self.assertEqual([reply[:9] for reply in replies],
                         ['250 2.1.0', '550 5.1.1', '450 4.2.1', '250 2.1.5', '250 2.0.0'])
        self.assertEqual(self.kept(1)[1]['to'], ['a@x.example'])
        self.assertEqual([reply[:3] for reply in self.envelope(smtp, 'tempfail@x.example')], ['250'])

    def test_a_mail_without_recipients_is_swallowed_and_refused(self):
        smtp = self.session()
        self.envelope(smtp, 'reject@x.example')
        self.assertTrue(smtp.say(b'BDAT %d LAST\r\n' % len(MAIL) + MAIL).startswith('503 5.5.2 '))
        self.assertTrue(smtp.say('RSET').startswith('250 '))
        self.envelope(smtp, 'reject@x.example')
        self.assertTrue(smtp.say('DATA').startswith('503 5.5.2 '))

    def test_what_exchange_refuses_at_the_end_is_refused_at_the_end(self):
        smtp = self.session()
        other = MAIL.replace(b'<alerts@', b'<root@')
        for mail, reply in ((other, '554 5.2.252 SendAsDenied; '), (MAIL + b'bare\nfeed\r\n', '550 5.6.11 '),
                            (MAIL[MAIL.index(b'Subject'):], '550 5.7.512 ')):
            self.envelope(smtp, 'ops@x.example')
            self.assertTrue(smtp.say(b'BDAT %d LAST\r\n' % len(mail) + mail).startswith(reply))
        self.envelope(smtp, 'ops@x.example', sender='root@contoso.example')
        self.assertTrue(smtp.say(b'BDAT %d LAST\r\n' % len(MAIL) + MAIL).startswith('554 5.2.252 '))
        self.assertEqual(os.listdir(os.path.join(self.folder, 'mail')), [])

    def test_octets_in_clear_behind_starttls_end_the_session(self):
        smtp = Smtp(self.facts)
        self.addCleanup(smtp.close)
        smtp.reply()
        with self.assertRaises((EOFError, ConnectionError)):
            smtp.say(b'STARTTLS\r\nEHLO x\r\n')


class Others(ProviderTest):
    def test_a_token_ends_with_its_life(self):
        self.provider('--ttl', '1')
        token = self.token()
        smtp = self.session(sign_in=False)
        smtp.say('EHLO x')
        line = 'AUTH XOAUTH2 ' + xoauth2(self.facts['user'], token)
        reply = '235'
        while reply.startswith('235'):
            smtp = self.session(sign_in=False)
            reply = smtp.say(line)
            smtp.close()
        self.assertTrue(reply.startswith('535 5.7.3 '))
        self.assertEqual(self.fake.journal('auth')[-1]['verdict'], 'expired token')

    def test_sessions_over_the_limit_are_throttled_at_the_end_of_data(self):
        self.provider('--sessions', '1')
        one, two = self.session(), self.session()
        self.envelope(one, 'ops@x.example')
        self.assertTrue(one.say(b'BDAT %d LAST\r\n' % len(MAIL) + MAIL).startswith('432 4.3.2 '))
        two.say('QUIT')

    def test_it_says_what_happens_and_leaves_when_told(self):
        self.provider()
        self.ask(client_secret='wrong')
        smtp = self.session()
        self.envelope(smtp, 'ops@contoso.example')
        smtp.say(b'BDAT %d LAST\r\n' % len(MAIL) + MAIL)
        words = self.fake.stop()
        self.assertIn('token refused: AADSTS7000215 ', words)
        self.assertIn('token issued, lives 3600 s\n', words)
        self.assertIn('mail 1 for ops@contoso.example: Größe\n', words)
        self.assertFalse(os.path.exists(os.path.join(self.folder, 'ready.json')))


if __name__ == '__main__':
    unittest.main()
