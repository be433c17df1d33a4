# SPDX-License-Identifier: Apache-2.0
"""Tests of accounts, step by step: what is told when all is well, and the one clear sentence when it is not."""
import json
import os
import re
import select
import socket
import subprocess

import notifyd
from notifyd import NOTIFYCTL, NOTIFYD, until
import test_faults
from test_faults import HEAD, MICROSOFT, NO_TLS, PLAIN

MAILBOX = 'alerts@contoso.example'
LOGON = '430 4.2.0 STOREDRV; mailbox logon failure; STOREDRV.Submission.Exception:ConnectionFailedTransientException.MapiExceptionLogonFailed; ' \
    'Failed to process message due to a transient exception'


def lines(text):
    return [json.loads(line) for line in text.splitlines()]


def steps(told):
    return [line['step'] for line in told]


class Probes(test_faults.Faults):
    def microsoft(self, fake, name='m', query='', **changes):
        return HEAD + MICROSOFT % dict(fake.facts, name=name, query=query, **changes)

    def ask(self, daemon, name='m', query=''):
        reply = daemon.post('/v1/accounts/%s/test%s' % (name, query), None, True)
        self.assertEqual((reply.status, reply.headers['Content-Type']), (200, 'application/x-ndjson'), reply)
        return lines(reply.body.decode())

    def alone(self, daemon, *more):
        done = subprocess.run([*notifyd.UNDER, NOTIFYD, '--config', daemon.config, *more], capture_output=True, text=True, timeout=60,
                              check=False)
        self.assertNotRegex(done.stderr, notifyd.SANITIZER)
        return done.returncode, lines(done.stdout)

    def ctl(self, daemon, *args, socket=None, locale='C.UTF-8'):
        env = dict(os.environ, LC_ALL=locale, PATH='/nonexistent')
        return subprocess.run([NOTIFYCTL, '--socket', socket or daemon.socket, *args], capture_output=True, encoding='utf-8', timeout=90,
                              check=False, env=env)

    def failed(self, told, step, *words):
        """The last step is this one; it has failed, and says these words somewhere."""
        self.assertEqual(steps(told)[-2:], [step, 'result'], told)
        self.assertEqual([line['ok'] for line in told[:-2]], [True] * (len(told) - 2), told)
        self.assertEqual((told[-2]['ok'], told[-1]['ok'], told[-1]['proved']), (False, False, False), told)
        texts = ' '.join(str(value) for value in told[-2].values())
        for word in words:
            self.assertIn(word, texts, told)
        return told[-2]

    def requests(self, fake):
        return sum(line['event'] == 'token' for line in lines(open(os.path.join(fake.provider.folder, 'journal.jsonl')).read()))


class Well(Probes):
    def test_a_microsoft_account_is_proved_by_a_message_to_itself(self):
        fake = self.stand_in()
        d = self.daemon(self.microsoft(fake))
        until(lambda: d.account('m').get('token_expires'), 'the engine has its token')
        told = self.ask(d)
        self.assertEqual(steps(told), ['config', 'secret', 'token', 'claims', 'dns', 'tcp', 'greeting', 'starttls', 'certificate',
                                       'ehlo', 'auth', 'mail', 'rcpt', 'send', 'result'], told)
        self.assertTrue(all(line['ok'] and (line['step'] == 'result' or line['ms'] >= 0) for line in told), told)
        self.assertTrue(told[-1]['proved'], told)
        self.assertIn('issuer is CN=notifyd stand-in CA', told[8]['detail'])
        self.assertLess(abs(told[2]['skew_seconds']), 30)
        self.assertIn('SMTP.SendAsApp', told[3]['detail'])
        mails = os.listdir(fake.provider.mail_room.folder)
        self.assertEqual(len(mails), 2, mails)
        with open(os.path.join(fake.provider.mail_room.folder, '0001.json'), encoding='utf-8') as file:
            self.assertIn(MAILBOX, file.read())
        with open(fake.facts['secret'], encoding='ascii') as file:
            secret = file.read().split()[0]
        self.assertNotIn(secret, json.dumps(told))
        self.assertEqual(self.requests(fake), 2, 'the engine asked once, and so did the test')
        self.assertEqual(d.account('m')['state'], 'ok')

    def test_without_a_message_a_microsoft_account_is_not_proved(self):
        fake = self.stand_in()
        d = self.daemon(self.microsoft(fake))
        told = self.ask(d, query='?send=no')
        self.assertEqual(steps(told)[-2:], ['rcpt', 'result'], told)
        self.assertEqual((told[-1]['ok'], told[-1]['proved']), (True, False))
        self.assertIn('NOT PROVED', told[-1]['detail'])
        self.assertEqual(os.listdir(fake.provider.mail_room.folder), [])
        self.assertEqual(self.alone(d, '--probe', 'm', '--no-send')[0], 3)

    def test_elsewhere_the_envelope_proves_and_nothing_is_sent(self):
        fake = self.lenient()
        d = self.daemon(HEAD + PLAIN % ('p', fake.port, NO_TLS))
        told = self.ask(d, 'p')
        self.assertEqual(steps(told), ['config', 'dns', 'tcp', 'greeting', 'ehlo', 'mail', 'rcpt', 'result'], told)
        self.assertTrue(told[-1]['proved'], told)
        self.assertEqual(fake.mails, [])
        until(lambda: ('RSET', '') in fake.heard, 'RSET is said')
        told = self.ask(d, 'p', '?to=someone@example.com')
        self.assertEqual(steps(told)[-2:], ['send', 'result'], told)
        self.assertEqual(fake.mails[0][0], ['someone@example.com'])
        self.assertIn(b'Auto-Submitted: auto-generated', fake.mails[0][1])
        told = self.ask(d, 'p', '?send=yes')
        self.assertEqual(fake.mails[1][0], ['alerts@example.com'])

    def test_a_configuration_that_is_not_in_use_is_tested(self):
        fake = self.stand_in()
        d = self.daemon(HEAD)
        reply = d.post('/v1/accounts/test', self.microsoft(fake), True, headers={'Content-Type': 'text/plain'})
        self.assertEqual(reply.status, 200, reply)
        self.assertTrue(lines(reply.body.decode())[-1]['proved'], reply)
        self.assertEqual(d.status()['accounts'], [])
        reply = d.post('/v1/accounts/test', '[account x]\ngramt = 1\n', True, headers={'Content-Type': 'text/plain'})
        self.failed(lines(reply.body.decode()), 'config', 'gramt')
        self.assert_problem(d.post('/v1/accounts/test?account=y', self.microsoft(fake), True), 422, 'no-such-account')

    def test_it_needs_no_daemon(self):
        fake = self.stand_in()
        d = self.daemon(self.microsoft(fake), start=False)
        code, told = self.alone(d, '--probe', 'm')
        self.assertEqual((code, told[-1]['proved'], len(told)), (0, True, 15), told)
        self.assertFalse(os.path.exists(d.state))
        code, told = self.alone(d, '--probe', 'nobody')
        self.assertEqual(code, 78, told)
        self.failed(told, 'config', 'nobody')

    def test_one_who_takes_no_answer_ends_it_before_it_begins(self):
        fake = self.stand_in()
        d = self.daemon(self.microsoft(fake))
        for _ in range(20):
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(d.admin)
                client.shutdown(socket.SHUT_RD)
                client.sendall(b'POST /v1/accounts/m/test?send=no HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n')
                closed = select.poll()
                closed.register(client, 0)
                self.assertTrue(closed.poll(30000), 'notifyd closes the connection')
        self.assertTrue(self.ask(d)[-1]['ok'])

    def test_what_cannot_be_asked_is_refused(self):
        d = self.daemon(HEAD + PLAIN % ('p', 1, NO_TLS))
        for query, field in (('?send=maybe', 'send'), ('?to=nobody', 'to'), ('?to=a@b.example&send=no', 'to'), ('?x=1', 'x')):
            reply = d.post('/v1/accounts/p/test' + query, None, True)
            self.assertEqual((reply.status, reply.json['field']), (400, field), reply)
        self.assert_problem(d.post('/v1/accounts/q/test', None, True), 404, 'not-found')
        self.assertEqual(d.post('/v1/accounts/p/test', None).status, 403)


class Ill(Probes):
    def test_each_stage_says_what_is_wrong(self):
        with socket.create_server(('127.0.0.1', 0)) as closed:
            port = closed.getsockname()[1]
        faults = (
            ('tcp', {'port': port}, ('no connection', 'refused')),
            ('greeting', {'GREETING': '554 5.7.1 no mail from you'}, ('no mail from you', '554', '5.7.1')),
            ('ehlo', {'EHLO': '550 5.7.1 not you'}, ('not you',)),
            ('mail', {'MAIL': '550 5.7.60 not as this sender'}, ('5.7.60', 'not as this sender')),
            ('rcpt', {'RCPT': '550 5.1.1 nobody'}, ('5.1.1', 'nobody')),
        )
        for stage, wanted, words in faults:
            with self.subTest(stage):
                at = wanted.pop('port', None)
                fake = self.lenient(faults=wanted)
                d = self.daemon(HEAD + PLAIN % ('p', at or fake.port, NO_TLS), start=False)
                code, told = self.alone(d, '--probe', 'p')
                self.assertEqual(code, 69)
                self.failed(told, stage, *words)

    def test_a_name_that_nobody_knows_fails_at_dns(self):
        d = self.daemon(HEAD + (PLAIN % ('p', 25, NO_TLS)).replace('127.0.0.1', 'relay.invalid'), start=False)
        self.failed(self.alone(d, '--probe', 'p')[1], 'dns', 'relay.invalid')

    def test_the_issuer_of_a_strange_certificate_is_named(self):
        fake = self.stand_in()
        d = self.daemon(self.microsoft(fake).replace('\nca_file', '\ntoken_ca_file'), start=False)
        step = self.failed(self.alone(d, '--probe', 'm')[1], 'certificate', 'CN=notifyd stand-in CA')
        self.assertIn('ca_file', step['remedy'])

    def test_a_refused_token_tells_which_cure(self):
        fake = self.stand_in()
        fake.provider.faults['AUTH'] = lambda *_: '535 5.7.3 Authentication unsuccessful'
        d = self.daemon(self.microsoft(fake))
        step = self.failed(self.ask(d), 'auth', '5.7.3')
        self.assertEqual((step['code'], step['enhanced']), ('535', '5.7.3'))
        self.assertIn('New-ServicePrincipal -AppId %s -ObjectId ' % fake.facts['client_id'], step['remedy'])
        fake.provider.faults['AUTH'] = lambda *_: '535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled ' \
            'for the Tenant. Visit https://aka.ms/smtp_auth_disabled for more information.'
        step = self.failed(self.ask(d), 'auth', '5.7.139')
        self.assertIn('Set-CASMailbox -Identity %s ' % MAILBOX, step['remedy'])

    def test_only_a_refused_token_is_laid_to_the_service_principal(self):
        fake = self.stand_in()
        d = self.daemon(self.microsoft(fake))
        met = '535 5.7.139 Authentication unsuccessful, the request did not meet the criteria to be authenticated successfully.'
        away = '535 5.7.139 Authentication unsuccessful, federated STS service was unreachable.'
        for reply, word in (('454 4.7.0 Temporary authentication failure', 'notifyd tries'), ('421 4.3.2 Service not active', 'wait'),
                            ('432 4.3.2 Concurrent connections limit exceeded.', 'max_connections'),
                            ('504 5.7.4 Unrecognized authentication type', 'security = starttls'),
                            ('501 5.5.124 Invalid XOAUTH2 auth data - User address provided is not valid', 'whole address'),
                            (met, 'policy'), (away, 'federation server')):
            fake.provider.faults['AUTH'] = lambda *_, reply=reply: reply
            with self.subTest(reply):
                step = self.failed(self.ask(d), 'auth', reply[4:9])
                self.assertIn(word, step['remedy'])
                for strange in ('ServicePrincipal', 'as it should be'):
                    self.assertNotIn(strange, step['cause'] + step['remedy'])

    def test_a_sender_that_is_refused_has_its_command_filled_in(self):
        fake = self.stand_in()
        fake.provider.faults['END'] = lambda *_: '554 5.2.252 SendAsDenied; alerts@contoso.example not allowed to send as x'
        d = self.daemon(self.microsoft(fake))
        remedy = self.failed(self.ask(d), 'send', '5.2.252')['remedy']
        for trustee in (MAILBOX, test_faults.provider.OBJECT_ID):
            self.assertIn('Add-RecipientPermission -Identity %s -AccessRights SendAs -Trustee %s' % (MAILBOX, trustee), remedy)

    def test_a_permission_that_lacks_shows_behind_the_message_alone(self):
        fake = self.stand_in()
        fake.provider.faults['END'] = lambda *_: '554 5.2.252 SendAsDenied; alerts@contoso.example not allowed to send as x'
        d = self.daemon(self.microsoft(fake))
        self.failed(self.ask(d), 'send', '5.2.252')
        fake.provider.faults['END'] = lambda *_: LOGON
        step = self.failed(self.ask(d), 'send', 'MapiExceptionLogonFailed')
        self.assertIn('Add-MailboxPermission -Identity %s -User %s -AccessRights' % (MAILBOX, test_faults.provider.OBJECT_ID), step['remedy'])


class Client(Probes):
    def test_notifyctl_tells_each_step_and_ends_by_the_result(self):
        fake = self.stand_in()
        d = self.daemon(self.microsoft(fake))
        done = self.ctl(d, 'account', 'test', 'm', '--no-send')
        self.assertEqual(done.returncode, 3, done)
        self.assertRegex(done.stdout, r'✓ certificate +\d+ ms  TLSv1')
        self.assertIn('NOT PROVED', done.stdout)
        done = self.ctl(d, '--json', 'account', 'test', 'm', '--to', 'ops@contoso.example')
        self.assertEqual((done.returncode, lines(done.stdout)[-1]['proved']), (0, True), done)
        fake.provider.faults['AUTH'] = lambda *_: '535 5.7.3 Authentication unsuccessful'
        done = self.ctl(d, 'account', 'test', 'm')
        self.assertEqual(done.returncode, 69, done)
        self.assertRegex(done.stdout, r'✗ auth +\d+ ms  .*5\.7\.3')
        self.assertIn('in Exchange Online PowerShell: New-ServicePrincipal', done.stdout)
        self.assertEqual(self.ctl(d, 'account', 'test', 'nobody').returncode, 65)
        self.assertEqual(self.ctl(d, 'account', 'test', 'm', '--no-send', '--to', 'a@b.example').returncode, 64)
        self.assertEqual(self.ctl(d, 'account', 'show', 'm', '--no-send').returncode, 64)
        done = subprocess.run([NOTIFYCTL, '--socket', d.socket, 'account', 'test', 'm'], capture_output=True, text=True, timeout=90,
                              check=False, env={'LC_ALL': 'C'})
        self.assertRegex(done.stdout, r'(?m)^FAIL auth')

    def test_causes_and_remedies_are_told_in_the_language_of_the_locale(self):
        fake = self.stand_in()
        fake.provider.faults['AUTH'] = lambda *_: '535 5.7.3 Authentication unsuccessful'
        d = self.daemon(self.microsoft(fake))
        command = 'New-ServicePrincipal -AppId %s -ObjectId %s' % (fake.facts['client_id'], test_faults.provider.OBJECT_ID)
        for words, socket in ((('account', 'test', 'm'), None), (('account', 'test', 'm', '--config', d.config), d.folder + '/gone.sock'),
                              (('doctor',), None)):
            done = self.ctl(d, *words, socket=socket, locale='ja_JP.UTF-8')
            self.assertIn(command, done.stdout, words)
            self.assertIn('反映には 15 ～ 30 分かかります。', done.stdout, words)
            self.assertIn('トークンに問題はありません。', done.stdout, words)
            done = self.ctl(d, *words, socket=socket)
            self.assertNotIn('反映', done.stdout, words)

    def told_in_japanese(self, daemon, *words, **more):
        """What a Japanese operator reads: no step has a sentence of English, but for what a server said and the words of a failure."""
        done = self.ctl(daemon, *words, locale='ja_JP.UTF-8', **more)
        self.assertTrue(done.stdout, done)
        for line in done.stdout.splitlines():
            self.assertRegex(line, '[ぁ-んァ-ヶ一-龠]', done.stdout)
            if '原文' not in line:
                ours = re.sub(r': [245][0-9][0-9] .*', '', line)
                self.assertNotRegex(ours, r'[A-Za-z]{2,} [a-z]{2,} [a-z]{2,}', done.stdout)
        return done

    def test_the_steps_are_told_in_the_language_of_the_locale(self):
        fake, plain = self.stand_in(), self.lenient()
        with socket.create_server(('127.0.0.1', 0)) as closed:
            port = closed.getsockname()[1]
        d = self.daemon(self.microsoft(fake) + PLAIN % ('p', plain.port, NO_TLS) + PLAIN % ('shut', port, NO_TLS))
        for more in ({}, {'socket': d.folder + '/gone.sock'}):
            config = ('--config', d.config) if more else ()
            done = self.told_in_japanese(d, 'account', 'test', 'm', *config, **more)
            self.assertEqual(done.returncode, 0, done)
            for words in ('に接続しました', '信頼された証明書: ', '発行者は CN=notifyd stand-in CA', 'アカウント m は使用できます。'):
                self.assertIn(words, done.stdout)
            done = self.told_in_japanese(d, 'account', 'test', 'm', '--no-send', *config, **more)
            self.assertEqual((done.returncode, '未確認 (NOT PROVED)' in done.stdout), (3, True), done)
            self.assertEqual(self.told_in_japanese(d, 'account', 'test', 'p', *config, **more).returncode, 0)
            done = self.told_in_japanese(d, 'account', 'test', 'shut', *config, **more)
            self.assertEqual(done.returncode, 69, done)
            self.assertRegex(done.stdout, r'✗ tcp +\d+ ms  [^A-Za-z]*接続[^\n]*\n  原文: [^\n]*refused[^\n]*\n  対処: ')
            self.assertIn('アカウント shut は tcp の段階で失敗しました: ', done.stdout)
        # who asks for no language is told in English
        self.assertIn('connected to localhost', json.dumps(self.ask(d)))

    def test_notifyctl_tests_what_is_not_in_use_with_and_without_a_daemon(self):
        fake = self.stand_in()
        d = self.daemon(HEAD)
        other = d.config + '.new'
        with open(other, 'w', encoding='utf-8') as file:
            file.write(self.microsoft(fake))
        done = self.ctl(d, 'account', 'test', 'm', '--config', other)
        self.assertEqual(done.returncode, 0, done)
        done = self.ctl(d, 'account', 'test', 'm', '--config', other, socket=d.folder + '/gone.sock')
        self.assertEqual(done.returncode, 0, done)
        with open(other, 'a', encoding='utf-8') as file:
            file.write('gramt = 1\n')
        for more in ({}, {'socket': d.folder + '/gone.sock'}):
            done = self.ctl(d, 'account', 'test', 'm', '--config', other, **more)
            self.assertEqual(done.returncode, 78, done)
            self.assertIn('gramt', done.stdout)

    def test_the_doctor_looks_at_every_account(self):
        fake, sick = self.stand_in(), self.lenient(faults={'GREETING': '554 5.7.1 no mail from you'})
        d = self.daemon(self.microsoft(fake) + PLAIN % ('sick', sick.port, NO_TLS))
        for more in ((), ('--config', d.config)):
            done = self.ctl(d, '--json', 'doctor', *more, socket=d.folder + '/gone.sock' if more else None)
            told = {line['check']: line for line in lines(done.stdout)}
            self.assertEqual(done.returncode, 1, done)
            self.assertTrue(told['account m']['ok'], told)
            self.assertFalse(told['account sick']['ok'], told)
            self.assertIn('no mail from you', told['account sick']['detail'])
            self.assertEqual(told['daemon']['ok'], not more)
            for check in ('unit', 'authorities', 'resolver', 'fips', 'clock'):
                self.assertIn(check, told)
        self.assertEqual(os.listdir(fake.provider.mail_room.folder), [], 'the doctor sends nothing')
        self.assertRegex(self.ctl(d, 'doctor').stdout, r'(?m)^✗ account sick .*\n  remedy: ')
