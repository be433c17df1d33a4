# SPDX-License-Identifier: Apache-2.0
"""What failures mean: POST /v1/explain, notifyctl explain, the hints of accounts and jobs, and the files that change them."""
import json
import os
import socket
import subprocess
import tempfile
import unittest

from notifyd import NOTIFYCTL, ProgramTest, until
from test_faults import provider
from test_probe import Probes

CONFIG = '''
[daemon]
hostname = host.example
[access]
to_allow = *
[account m365]
provider = microsoft
from = "Alerts" <alerts@contoso.com>
tenant = 1f3c0000-0000-0000-0000-000000000000
client_id = 9ab20000-0000-0000-0000-000000000000
client_secret = env:NO_SUCH_SECRET
[account closed]
provider = smtp
host = 127.0.0.1:%d
security = none
auth = none
from = closed@example.com
'''
DISABLED = ('535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Mailbox. '
            'Visit https://aka.ms/smtp_auth_disabled for more information.')
WRONG = '535 5.7.3 Authentication unsuccessful [SY5P282CA0097]'


def closed_port():
    with socket.create_server(('127.0.0.1', 0)) as listener:
        return listener.getsockname()[1]


def ctl(*args, env=None, text=None):
    return subprocess.run([NOTIFYCTL, *args], env={**os.environ, 'LC_ALL': 'C.UTF-8', **(env or {})}, input=text,
                          stdin=subprocess.DEVNULL if text is None else None, capture_output=True, encoding='utf-8', timeout=60)


class TheTable(ProgramTest):
    def setUp(self):
        super().setUp()
        self.notifyd = self.daemon(CONFIG % closed_port(), start=False)

    def changes(self, name, text):
        folder = os.path.join(self.notifyd.folder, 'explain.d')
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, name), 'w', encoding='utf-8') as file:
            file.write(text)

    def ask(self, body, admin=True, headers=None):
        return self.notifyd.post('/v1/explain', body, admin, headers=headers)

    def account(self, name):
        return self.notifyd.account(name)

    def test_a_text_is_explained_in_two_languages(self):
        self.notifyd.start()
        reply = self.ask({'text': DISABLED})
        self.assertEqual(reply.status, 200, reply)
        first = reply.json['matches'][0]
        self.assertEqual((reply.json['lang'], first['id'], first['class'], first['wait_seconds']),
                         ('en', 'exo-smtp-auth-mailbox', 'policy', 600))
        self.assertIn('switched off for this mailbox', first['cause'])
        self.assertIn('Set-CASMailbox -Identity MAILBOX -SmtpClientAuthenticationDisabled $false', first['commands'])
        self.assertGreater(len(reply.json['matches']), 1)
        for body, headers in (({'text': DISABLED, 'lang': 'ja'}, None), ({'text': DISABLED}, {'Accept-Language': 'ja,en;q=0.5'})):
            reply = self.ask(body, headers=headers)
            self.assertEqual(reply.json['lang'], 'ja')
            self.assertIn('認証済み SMTP', reply.json['matches'][0]['cause'])
            self.assertIn('お待ちください', reply.json['matches'][0]['remedy'])

    def test_an_unknown_text_is_told_by_its_code_or_not_at_all(self):
        self.notifyd.start()
        self.assertEqual([m['id'] for m in self.ask({'text': '566 5.7.999 what is this'}).json['matches']],
                         ['rfc-security', 'rfc-never'])
        reply = self.ask({'text': 'what is this'})
        self.assertEqual((reply.status, reply.json['matches']), (200, []))

    def test_what_is_known_of_the_account_is_filled_in_for_operators(self):
        self.notifyd.start()
        commands = self.ask({'text': WRONG, 'account': 'm365'}).json['matches'][0]['commands']
        self.assertIn('New-ServicePrincipal -AppId 9ab20000-0000-0000-0000-000000000000 -ObjectId OBJECT-ID', commands)
        self.assertIn('Add-MailboxPermission -Identity alerts@contoso.com -User OBJECT-ID -AccessRights FullAccess', commands)
        told = self.ask({'text': WRONG, 'account': 'm365'}, admin=False)
        self.assertIn('New-ServicePrincipal -AppId CLIENT-ID -ObjectId OBJECT-ID', told.json['matches'][0]['commands'])
        self.assertNotIn('9ab2', told.body.decode())

    def test_a_question_that_is_none_is_refused_by_name(self):
        self.notifyd.start()
        for body, status, field in (({'txt': 'x'}, 400, 'txt'), ({}, 400, 'text'), ({'text': 1}, 400, 'text'),
                                    ({'text': 'x', 'lang': 'fr'}, 400, 'lang'), ({'text': 'x', 'account': 'no'}, 422, 'account'),
                                    (['x'], 400, None)):
            reply = self.ask(body)
            self.assertEqual((reply.status, reply.json.get('field')), (status, field), body)
        self.assertEqual(self.ask({'text': 'x' * 70000}).status, 413)

    def test_explain_d_changes_rows_and_its_faults_are_warnings(self):
        self.changes('10-site.conf', '[net-refused]\nremedy.en = call the network team about {host}\nremdy = x\n')
        self.changes('20-new.conf', '[our-gateway]\nmatch = blocked by gw7\nclass = policy\ncause.en = the gateway blocks it\n'
                                    'cause.ja = ゲートウェイが遮断しています。\nremedy.en = open a ticket\n')
        self.notifyd.start()
        with open(self.notifyd.log, encoding='utf-8') as log:
            self.assertIn('10-site.conf:3: remdy: there is no such key', log.read())
        self.assertEqual(self.ask({'text': 'Connection refused'}).json['matches'][0]['remedy'], 'call the network team about HOST')
        reply = self.ask({'text': '550 5.7.1 Blocked by GW7', 'lang': 'ja'}).json['matches'][0]
        self.assertEqual((reply['id'], reply['cause'], reply['remedy']), ('our-gateway', 'ゲートウェイが遮断しています。', 'open a ticket'))
        self.changes('10-site.conf', '[net-refused]\nremedy.en = do nothing\n')
        self.assertEqual(self.notifyd.post('/v1/reload', None, True).status, 200)
        self.assertEqual(self.ask({'text': 'Connection refused'}).json['matches'][0]['remedy'], 'do nothing')

    def test_hints_of_accounts_and_jobs_come_from_the_table(self):
        self.changes('site.conf', '[net-refused]\nremedy.en = call the network team about {host} and {account}\n')
        self.notifyd.start()
        job = self.notifyd.submit(to=['ops@example.com'], text='x', account='closed')
        until(lambda: self.account('closed')['state'] == 'failing', 'the account fails')
        self.assertEqual(self.account('closed')['hint'], 'call the network team about 127.0.0.1 and closed')
        shown = self.notifyd.job(job)
        self.assertEqual(shown['hint'], 'call the network team about 127.0.0.1 and closed')
        shown = ctl('--socket', self.notifyd.socket, 'show', job)
        self.assertIn('call the network team about 127.0.0.1 and closed', shown.stdout)
        # a user of another language reads the hints in it
        shown = ctl('--socket', self.notifyd.socket, 'show', job, env={'LC_ALL': 'ja_JP.UTF-8'})
        self.assertIn('アカウント closed の host と port', shown.stdout)
        self.assertIn('アカウント closed の host と port', ctl('--socket', self.notifyd.socket, 'status', env={'LC_ALL': 'ja_JP.UTF-8'}).stdout)
        # a secret that is not there
        self.notifyd.submit(to=['ops@example.com'], text='x', account='m365')
        until(lambda: self.account('m365')['state'] == 'held', 'the account is held')
        self.assertIn('put the secret there', self.account('m365')['hint'])

    def test_who_sends_is_not_told_what_only_operators_know(self):
        self.changes('site.conf', '[no-secret]\nmatch = NO_SUCH_SECRET\nclass = credential\ncause.en = c\n'
                                  'remedy.en = look at {client_id} of {tenant} for {account}\n')
        self.notifyd.start()
        job = self.notifyd.submit(admin=False, to=['ops@example.com'], text='x', account='m365')
        until(lambda: self.account('m365')['state'] == 'held', 'the account is held')
        known = ('look at 9ab20000-0000-0000-0000-000000000000 of 1f3c0000-0000-0000-0000-000000000000 for m365')
        self.assertEqual(self.account('m365')['hint'], known)
        for admin, hint in ((True, known), (False, 'look at CLIENT-ID of TENANT-ID for m365')):
            (row,) = self.notifyd.get('/v1/jobs', admin).json['jobs']
            dry = self.notifyd.post('/v1/jobs?dry_run=1', {'to': ['ops@example.com'], 'text': 'x', 'account': 'm365'}, admin).json
            for shown in (self.notifyd.job(job, admin=admin), row, dry):
                self.assertEqual((shown['reason'].split(': ')[0], shown['hint']), ('account m365 is held', hint), shown)

    def test_the_client_asks_the_daemon_about_an_account(self):
        self.notifyd.start()
        done = ctl('--socket', self.notifyd.socket, 'explain', '--account', 'm365', WRONG)
        self.assertEqual(done.returncode, 0, done)
        self.assertIn('  command  Add-MailboxPermission -Identity alerts@contoso.com', done.stdout)
        self.assertEqual(ctl('--socket', self.notifyd.socket, 'explain', '--account', 'none', WRONG).returncode, 65)


class TheToken(Probes):
    """Of an account whose token was refused, the token itself says why."""
    def test_operators_are_told_what_the_token_says_and_in_their_language(self):
        fake = self.stand_in()
        fake.provider.faults['AUTH'] = '535 5.7.3 Authentication unsuccessful [X]'
        d = self.daemon(self.microsoft(fake), start=False).long_in_use().start()
        job = d.submit(to=['ops@contoso.example'], text='x')
        until(lambda: d.account('m')['state'] == 'held', 'the account is held')
        told = d.post('/v1/explain', {'text': WRONG, 'account': 'm'}, True).json['matches']
        self.assertEqual([(m['id'], m.get('token')) for m in told[:2]], [('token-no-principal', True), ('exo-auth-unsuccessful', None)])
        command = 'New-ServicePrincipal -AppId %s -ObjectId %s' % (fake.facts['client_id'], provider.OBJECT_ID)
        self.assertIn(command, told[0]['commands'])
        told = d.post('/v1/explain', {'text': WRONG, 'account': 'm'}, False)
        self.assertEqual(told.json['matches'][0]['id'], 'exo-auth-unsuccessful')
        self.assertNotIn(provider.OBJECT_ID, told.body.decode())
        # the hints of accounts and jobs too, though the daemon's own are English
        for words in (('status',), ('account', 'show', 'm'), ('show', job)):
            shown = ctl('--socket', d.socket, *words, env={'LC_ALL': 'ja_JP.UTF-8'}).stdout
            self.assertIn('トークンに問題はありません。', shown, words)
            self.assertIn(command, shown, words)
        self.assertNotIn('token-', json.dumps(d.post('/v1/explain', {'text': DISABLED, 'account': 'm'}, True).json))


class TheClient(unittest.TestCase):
    NOWHERE = {'NOTIFYD_SOCKET': '/nonexistent/notifyd.sock'}

    def test_no_daemon_is_needed(self):
        done = ctl('explain', *DISABLED.split(), env=self.NOWHERE)
        self.assertEqual((done.returncode, done.stderr), (0, ''))
        self.assertIn('exo-smtp-auth-mailbox (policy)\n  cause    SMTP AUTH is switched off for this mailbox', done.stdout)
        self.assertIn('\n  wait     10 min\n', done.stdout)
        self.assertEqual(ctl('explain', '-', env=self.NOWHERE, text=DISABLED).stdout, done.stdout)
        self.assertEqual(ctl('explain', '--account', 'x', 'y', env=self.NOWHERE).returncode, 75)

    def test_the_locale_decides_the_language(self):
        for env, words in (({'LC_ALL': 'ja_JP.UTF-8'}, '原因'), ({'LC_ALL': '', 'LC_MESSAGES': 'ja_JP.UTF-8', 'LANG': 'C'}, '原因'),
                           ({'LC_ALL': '', 'LC_MESSAGES': '', 'LANG': 'ja'}, '原因'), ({'LC_ALL': 'C.UTF-8', 'LANG': 'ja_JP.UTF-8'}, 'cause')):
            self.assertIn('  %s ' % words, ctl('explain', DISABLED, env={**self.NOWHERE, **env}).stdout, env)
        self.assertIn('exo-smtp-auth-mailbox (ポリシー)', ctl('explain', '--lang', 'ja', DISABLED).stdout)
        self.assertIn('  待ち時間  10 分\n', ctl('explain', '--lang=ja', DISABLED).stdout)
        self.assertIn('  cause ', ctl('explain', '--lang', 'en', DISABLED, env={'LC_ALL': 'ja_JP.UTF-8'}).stdout)
        self.assertEqual(ctl('explain', '--lang', 'xx', DISABLED).returncode, 64)

    def test_json_is_that_of_the_api(self):
        told = json.loads(ctl('--json', 'explain', DISABLED).stdout)
        self.assertEqual((told['lang'], told['matches'][0]['id']), ('en', 'exo-smtp-auth-mailbox'))
        self.assertEqual(json.loads(ctl('--json', 'explain', 'nothing of that').stdout)['matches'], [])
        self.assertEqual(ctl('explain', 'nothing of that').stdout, 'nothing is known about this text\n')

    def test_a_file_of_changes_can_be_tried(self):
        path = os.path.join(self.enterContext(tempfile.TemporaryDirectory()), 'x.conf')
        with open(path, 'w', encoding='utf-8') as file:
            file.write('[our-gateway]\nmatch = gw7\nclass = relay\ncause.en = c\nremedy.en = r\nclass = x\n')
        done = ctl('explain', '--file', path, 'at gw7')
        self.assertEqual(done.stdout, 'our-gateway (relay)\n  cause    c\n  remedy   r\n')
        self.assertEqual(done.stderr, 'notifyctl: warning: %s:6: class: there is no such class\n' % path)


if __name__ == '__main__':
    unittest.main()
