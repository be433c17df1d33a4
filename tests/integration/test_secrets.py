# SPDX-License-Identifier: Apache-2.0
"""Secrets that an operator hands over: tried, used at once, stored for the next start, and never shown anywhere."""
import base64
import concurrent.futures
import json
import os
import pty
import re
import stat
import subprocess
import tempfile

import leaks
import notifyd
from notifyd import ProgramTest, until
from test_faults import HEAD, JOB, MICROSOFT, provider, relay
from test_signin import SignInTest

OLD, NEW = 'old.Secret~Value-1234567890', 'new.Secret~Value-0987654321'
WRONG, GUID = 'wrong.Secret~Value-5555555555', '12345678-abcd-ef00-0000-1234567890ab'
PASSWORD = 'a password with 0123 and spaces'
leaks.known(OLD, NEW, WRONG, PASSWORD)
RELAY = '''
[account relay]
provider = smtp
host = 127.0.0.1:%d
from = alerts@example.com
security = none
auth = password
user = alerts
password = credential:relay
'''


def relay_that_knows(password):
    """This password of alerts and no other."""
    good = base64.b64encode(('\0alerts\0' + password).encode()).decode()
    return relay.Lenient(('AUTH PLAIN',), faults={
        'AUTH': lambda rest: None if rest == 'PLAIN ' + good else '535 5.7.8 Error: authentication failed'})


class Secrets(ProgramTest):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.fake = provider.StandIn(folder.name, ttl=3600)
        self.addCleanup(self.fake.close)
        self.credentials = os.path.join(folder.name, 'credentials')    # as systemd copied them at the start
        self.kept = os.path.join(folder.name, 'etc')    # where the next start will read them
        for path in (self.credentials, self.kept):
            os.mkdir(path, 0o700)
        self.write(os.path.join(self.credentials, 'm'), OLD)
        self.endpoint(OLD)
        self.said = []

    def write(self, path, text):
        with open(path, 'w', encoding='ascii') as file:
            file.write(text)
        os.chmod(path, 0o600)

    def endpoint(self, secret):
        self.write(self.fake.facts['secret'], secret)

    def mail_server(self, password):
        """The settings of an account at a relay that knows this password alone."""
        self.relay = relay_that_knows(password)
        self.addCleanup(self.relay.close)
        return RELAY % self.relay.port

    def log_ins(self):
        return [rest for stage, rest in self.relay.heard if stage == 'AUTH']

    def kept_text(self, name):
        with open(os.path.join(self.kept, name), encoding='utf-8') as file:
            return file.read()

    def run_daemon(self, more='', config='', provider='microsoft'):
        text = HEAD + (MICROSOFT.replace('microsoft', provider) % dict(self.fake.facts, name='m', query='')).replace(
            'file:' + self.fake.facts['secret'], 'credential:m') + more + config
        return self.daemon(text, env={'CREDENTIALS_DIRECTORY': self.credentials})

    def ctl(self, d, *words, given=''):
        done = subprocess.run([notifyd.NOTIFYCTL, '--socket', d.socket, *words], input=given.encode(), capture_output=True, check=False)
        self.said.append(done.stdout.decode() + done.stderr.decode())
        return done

    def set(self, d, secret, *words, verb='set', account='m'):
        return self.ctl(d, 'secret', verb, account, '--credentials-dir', self.kept, *words, given=secret + '\n')

    def final(self, d):
        self.assertEqual(d.final(d.submit(**JOB))['state'], 'delivered')

    def put(self, d, body, account='m', admin=True):
        return notifyd.request(d.admin if admin else d.socket, 'PUT', '/v1/accounts/%s/secret' % account, body)


class Set(Secrets):
    def test_a_refused_secret_changes_nothing(self):
        d = self.run_daemon()
        self.final(d)
        done = self.set(d, WRONG)
        self.assertEqual(done.returncode, 65, self.said)
        self.assertIn('7000215', self.said[-1])
        self.assertEqual(os.listdir(self.kept), [])
        self.assertEqual(d.post('/v1/accounts/m/refresh', None, True).status, 200)
        self.final(d)
        self.assertEqual(d.account('m')['state'], 'ok')

    def test_a_good_secret_heals_the_account_at_once_and_is_stored(self):
        self.endpoint(NEW)
        d = self.run_daemon()
        job = d.submit(**JOB)
        until(lambda: d.account('m')['state'] == 'held', 'the old secret is refused')
        done = self.set(d, NEW)
        self.assertEqual(done.returncode, 0, self.said)
        self.assertEqual(d.final(job)['state'], 'delivered')
        self.assertEqual(self.kept_text('m'), NEW)
        self.assertEqual(stat.S_IMODE(os.stat(os.path.join(self.kept, 'm')).st_mode), 0o600)
        self.assertEqual(os.listdir(self.kept), ['m'])
        # it stays in use although the copy of the start is the old one
        d.post('/v1/accounts/m/refresh', None, True)
        self.final(d)
        done = self.ctl(d, 'account', 'test', 'm')    # and is what a test of the account uses
        self.assertEqual(done.returncode, 0, self.said)
        # the next start has the stored one
        d.stop()
        self.write(os.path.join(self.credentials, 'm'), self.kept_text('m'))
        d.start()
        self.final(d)

    def test_a_file_that_changes_later_speaks_again(self):
        d = self.run_daemon()
        self.final(d)
        self.assertEqual(self.put(d, {'field': 'client_secret', 'secret': NEW, 'try': False}).json['tried'], False)
        until(lambda: self.warned(d) or d.account('m')['state'] == 'held', 'the endpoint refuses what was not tried')
        self.endpoint(WRONG)
        self.write(os.path.join(self.credentials, 'm'), WRONG)    # now good, and newer than what was handed over
        d.post('/v1/accounts/m/refresh', None, True)
        until(lambda: not self.warned(d) and d.account('m')['state'] == 'ok', 'the file is read again')
        self.final(d)

    def warned(self, d):
        return any(warning['code'] == 'token-not-refreshed' for warning in d.status()['warnings'])

    def test_rotate_tries_the_next_one_and_stores_it_in_both_places(self):
        d = self.run_daemon(more='client_secret_next = credential:m-next\n')
        self.final(d)
        self.assertEqual(self.set(d, WRONG, verb='rotate').returncode, 65)
        self.assertEqual(os.listdir(self.kept), [])
        self.endpoint(NEW)
        done = self.set(d, NEW, verb='rotate')
        self.assertEqual(done.returncode, 0, self.said)
        self.assertEqual((self.kept_text('m'), self.kept_text('m-next')), (NEW, NEW))
        self.final(d)

    def test_rotate_without_a_next_place(self):
        d = self.run_daemon()
        self.endpoint(NEW)
        self.assertEqual(self.set(d, NEW, '--json', verb='rotate').returncode, 0, self.said)
        told = json.loads(self.said[-1])
        self.assertEqual((told['account'], told['field'], told['tried'], told['path']), ('m', 'client_secret', True, os.path.join(self.kept, 'm')))
        self.assertEqual(os.listdir(self.kept), ['m'])

    def test_what_cannot_be_a_secret_is_refused_in_words(self):
        d = self.run_daemon(config=self.mail_server(PASSWORD))
        for secret, words in ((GUID, 'the ID of a client secret'), ('', 'empty')):
            done = self.set(d, secret)
            self.assertIn(done.returncode, (64, 65), self.said)
            self.assertIn(words, self.said[-1])
        self.assert_problem(self.put(d, {'field': 'client_secret', 'secret': ''}), 422, 'secret-refused', 'empty')
        self.assert_problem(self.put(d, {'field': 'password', 'secret': NEW}), 422, 'secret-refused', 'no password')
        self.assert_problem(self.put(d, {'field': 'client_secret', 'secret': NEW}, 'relay'), 422, 'secret-refused')
        self.assert_problem(self.put(d, {'field': 'pin', 'secret': NEW}), 400, 'invalid-value', 'client_secret_next')
        self.assert_problem(self.put(d, {'field': 'client_secret', 'secret': 1}), 400, 'invalid-value')
        self.assert_problem(self.put(d, {'feld': 'client_secret', 'secret': NEW}), 400, 'unknown-field')
        self.assert_problem(self.put(d, [NEW]), 400, 'malformed')
        self.assert_problem(self.put(d, {'field': 'client_secret', 'secret': NEW}, 'nobody'), 404, 'not-found')
        self.assert_problem(self.put(d, {'field': 'client_secret', 'secret': NEW}, admin=False), 403, 'operator-only')
        self.assertEqual(os.listdir(self.kept), [])

    def test_a_secret_may_be_a_guid_elsewhere_than_at_microsoft(self):
        d = self.run_daemon(provider='smtp', more='user = alerts@contoso.example\nscope = https://outlook.office365.com/.default\n')
        self.endpoint(GUID)
        self.assertEqual(self.set(d, GUID).returncode, 0, self.said)
        self.assertEqual(self.kept_text('m').strip(), GUID)
        self.endpoint(NEW)
        done = self.set(d, GUID)    # another is wanted now
        self.assertEqual(done.returncode, 65, self.said)
        self.assertIn('7000215', self.said[-1])
        self.assertNotIn('looks like', self.said[-1])

    def test_a_password_is_tried_by_a_log_in_and_the_field_is_found(self):
        d = self.run_daemon(config=self.mail_server(PASSWORD))
        done = self.set(d, WRONG, account='relay')
        self.assertEqual(done.returncode, 65, self.said)
        self.assertIn('authentication failed', self.said[-1])
        self.assertEqual(os.listdir(self.kept), [])
        done = self.set(d, PASSWORD, '--json', account='relay')
        self.assertEqual(done.returncode, 0, self.said)
        told = json.loads(self.said[-1])
        self.assertEqual((told['tried'], told['detail']), (True, 'the mail server took it'))
        self.assertEqual(self.kept_text('relay'), PASSWORD)
        until(lambda: d.account('relay')['state'] == 'ok', 'the account has its password')
        self.assertEqual(d.final(d.submit(**dict(JOB, account='relay')))['state'], 'delivered')
        heard = [stage for stage, _ in self.relay.heard]
        self.assertLess(heard.index('AUTH'), heard.index('MAIL'))
        self.assertEqual(heard.count('MAIL'), 1, 'a trial names no sender')

    def test_a_mail_server_that_is_down_or_busy_is_no_verdict(self):
        config = self.mail_server(PASSWORD)
        d = self.run_daemon(config=config)
        self.relay.faults['AUTH'] = '454 4.7.0 Temporary authentication failure'
        self.assertEqual(self.set(d, PASSWORD, account='relay').returncode, 75, self.said)
        self.assertIn('Temporary', self.said[-1])
        self.relay.faults['GREETING'] = '554 5.7.1 no mail from you'
        self.assertEqual(self.set(d, PASSWORD, account='relay').returncode, 75, self.said)
        self.relay.faults['GREETING'] = 'RST'
        self.assertEqual(self.set(d, PASSWORD, account='relay').returncode, 75, self.said)
        self.assertEqual(os.listdir(self.kept), [])
        tries = len(self.log_ins())
        self.assertEqual(self.set(d, PASSWORD, '--no-try', account='relay').returncode, 0, self.said)
        self.assertEqual((self.kept_text('relay'), len(self.log_ins())), (PASSWORD, tries))

    def test_the_spaces_of_an_app_password_are_not_sent(self):
        for provider in ('google', 'google-relay'):
            with self.subTest(provider):
                config = self.mail_server('abcdefghijklmnop').replace('provider = smtp', 'provider = ' + provider)
                d = self.run_daemon(config=config)
                self.assertEqual(self.set(d, 'abcd efgh ijkl mnop', account='relay').returncode, 0, self.said)
                d.stop()

    def test_an_endpoint_that_is_down_is_no_verdict(self):
        d = self.run_daemon()
        self.fake.tokens_down()
        self.assertEqual(self.set(d, NEW).returncode, 75, self.said)
        self.assertEqual(self.set(d, NEW, '--no-try').returncode, 0, self.said)
        self.assertEqual(self.kept_text('m'), NEW)

    def test_a_place_that_cannot_be_written_is_told(self):
        d = self.run_daemon()
        d.configure(open(d.config, encoding='ascii').read().replace('credential:m', 'env:NOTIFYD_SECRET'))
        d.post('/v1/reload', None, True)
        done = self.set(d, OLD)
        self.assertEqual(done.returncode, 78, self.said)
        self.assertIn('until it is started again', self.said[-1])

    def test_at_a_terminal_it_is_not_shown(self):
        d = self.run_daemon()
        self.endpoint(NEW)
        parent, child = pty.openpty()
        process = subprocess.Popen([notifyd.NOTIFYCTL, '--socket', d.socket, 'secret', 'set', 'm', '--credentials-dir', self.kept],
                                   stdin=child, stdout=child, stderr=child)
        os.close(child)
        shown = b''
        try:
            while b'not shown): ' not in shown:
                shown += os.read(parent, 1000)
            os.write(parent, NEW.encode() + b'\n')
            while True:
                shown += os.read(parent, 1000)
        except OSError:    # the other end is closed
            pass
        os.close(parent)
        self.assertEqual(process.wait(), 0, shown)
        self.assertNotIn(NEW.encode(), shown)
        self.assertEqual(self.kept_text('m'), NEW)


CREDS = """#!/bin/sh
# systemd-creds encrypt --name=NAME - FILE: not by a key of this machine, but so that a test can tell
echo "$*" >> "%(folder)s/calls"
[ "$1" = encrypt ] && [ "$3" = - ] || exit 64
%(does)s
"""


class Sealing(Secrets):
    """systemd-creds is a stand-in, first on PATH: it works, fails, or is not there."""

    def setUp(self):
        super().setUp()
        self.sealed = self.kept + '.encrypted'
        self.path = os.path.join(os.path.dirname(self.kept), 'bin')
        os.mkdir(self.path)
        os.mkdir(self.sealed, 0o700)

    def creds(self, does='{ printf "sealed:"; rev; } > "$4"'):
        name = os.path.join(self.path, 'systemd-creds')
        self.write(name, CREDS % {'folder': self.path, 'does': does})
        os.chmod(name, 0o755)

    def ctl(self, d, *words, given='', path=None):
        env = dict(os.environ, PATH=self.path + ':' + os.environ['PATH'] if path is None else path)
        done = subprocess.run([notifyd.NOTIFYCTL, '--socket', d.socket, *words], input=given.encode(), capture_output=True, check=False, env=env)
        self.said.append(done.stdout.decode() + done.stderr.decode())
        return done

    def sealed_text(self, name='m'):
        with open(os.path.join(self.sealed, name), encoding='utf-8') as file:
            return file.read()

    def give(self, d, *words, verb='set'):
        self.endpoint(NEW)
        done = self.set(d, NEW, *words, verb=verb)
        self.assertEqual(done.returncode, 0, self.said)
        self.assertNotIn(NEW, self.said[-1])
        return done

    def test_where_it_works_it_is_done_without_being_asked_for(self):
        self.creds()
        self.write(os.path.join(self.kept, 'm'), OLD)    # stored in clear by an earlier version
        d = self.run_daemon(more='client_secret_next = credential:m-next\n')
        self.give(d)
        self.assertIn('stored in %s, encrypted to this machine' % os.path.join(self.sealed, 'm'), self.said[-1])
        self.assertEqual(self.sealed_text(), 'sealed:' + NEW[::-1])
        self.assertEqual(stat.S_IMODE(os.stat(os.path.join(self.sealed, 'm')).st_mode), 0o600)
        self.assertEqual(os.listdir(self.kept), [], 'the one in clear is gone')
        with open(os.path.join(self.path, 'calls'), encoding='utf-8') as file:
            self.assertEqual(file.read(), 'encrypt --name=crede_m - %s\n' % os.path.join(self.sealed, 'm.new'))
        self.give(d, '--json', verb='rotate')
        told = json.loads(self.said[-1])
        self.assertEqual((told['path'], told['sealed']), (os.path.join(self.sealed, 'm'), True))
        self.assertEqual(sorted(os.listdir(self.sealed)), ['m', 'm-next'])
        # the next start: systemd opens it, under the name that it was sealed for
        d.stop()
        os.unlink(os.path.join(self.credentials, 'm'))
        self.write(os.path.join(self.credentials, 'crede_m'), self.sealed_text()[len('sealed:'):][::-1])
        d.start()
        self.final(d)

    def test_where_it_fails_it_is_stored_as_it_is_and_that_is_said(self):
        d = self.run_daemon()
        for does, words in (('echo "no key of this host" >&2; exit 1', 'systemd-creds could not seal the secret'),
                            ('exec 0<&-; exit 1', 'systemd-creds could not seal the secret'),    # reads nothing of it
                            ('cat > /dev/null', 'systemd-creds wrote nothing')):
            self.creds(does)
            self.give(d)
            self.assertIn('it is not encrypted, only its owner can read it: ' + words, self.said[-1])
            self.assertEqual((self.kept_text('m'), os.listdir(self.sealed)), (NEW, []))
        self.creds('echo "no key of this host" >&2; exit 1')
        self.assertEqual(self.set(d, NEW, '--seal').returncode, 75, self.said)    # asked for: then it must be
        self.assertIn('no key of this host', self.said[-1])
        self.give(d, '--no-seal')
        self.assertNotIn('not encrypted', self.said[-1])
        # what is sealed stays so: another one in clear would not be what the settings of this host say
        self.creds()
        self.give(d)
        self.creds('exit 1')
        self.assertEqual(self.set(d, NEW, '--no-seal').returncode, 75, self.said)
        self.assertEqual(os.listdir(self.kept), [])

    def test_without_the_program_the_folder_or_systemd_it_is_stored_as_it_is(self):
        d = self.run_daemon()
        self.endpoint(NEW)
        done = self.ctl(d, 'secret', 'set', 'm', '--credentials-dir', self.kept, given=NEW, path=self.path)
        self.assertEqual(done.returncode, 0, self.said)
        self.assertIn('systemd-creds cannot be run', self.said[-1])
        self.assertEqual(self.kept_text('m'), NEW)
        self.creds()
        os.rmdir(self.sealed)
        self.give(d)
        self.assertIn('there is no folder %s' % self.sealed, self.said[-1])
        self.assertEqual(self.kept_text('m'), NEW)
        os.mkdir(self.sealed)
        # started by hand it would not find what systemd opens
        d.stop()
        del d.env['CREDENTIALS_DIRECTORY']
        path = os.path.join(self.path, 'secret')
        self.write(path, OLD)
        d.configure(open(d.config, encoding='ascii').read().replace('credential:m', 'file:' + path))
        d.start()
        self.give(d)
        self.assertIn('stored in %s\n' % path, self.said[-1])
        self.assertEqual(os.listdir(self.sealed), [])


class Leaks(Secrets):
    def test_no_secret_is_seen_in_logs_replies_outputs_or_state(self):
        """A whole life: refused, wrong, good, rotated. Only the places for secrets may hold them."""
        d = self.run_daemon(config=self.mail_server(PASSWORD), more='client_secret_next = credential:m-next\n')
        d.stop()
        d.start('--log-level', 'debug')
        events = notifyd.UnixConnection(d.admin)
        events.request('GET', '/v1/events')
        self.addCleanup(events.close)
        told = events.getresponse()
        self.final(d)
        self.set(d, WRONG)
        self.set(d, GUID)
        self.endpoint(NEW)
        self.set(d, NEW, verb='rotate')
        self.set(d, PASSWORD, '--json', account='relay')
        self.final(d)
        replies = [d.get(path, True).body.decode() for path in ('/v1/status', '/v1/accounts', '/v1/accounts/m', '/metrics', '/v1/jobs')]
        replies += [self.put(d, {'field': 'client_secret', 'secret': WRONG}).body.decode(), self.put(d, '{"secret":"%s' % NEW).body.decode()]
        replies += [d.get('/v1/doctor', True).body.decode(), d.get('/v1/openapi.json').body.decode()]
        replies += [d.post('/v1/accounts/%s/test?send=no' % name, None, True).body.decode() for name in ('m', 'relay')]
        for command in (('status',), ('status', '--json'), ('list', '--json'), ('doctor',), ('account', 'list'), ('account', 'show', 'm'),
                        ('account', 'test', 'm'), ('account', 'test', 'relay'), ('explain', 'AADSTS7000215')):
            self.ctl(d, *command)
        with open('/proc/%d/cmdline' % d.process.pid, 'rb') as file:
            replies.append(file.read().decode())
        d.stop()
        replies.append(told.read().decode())
        self.assertIn('token.refreshed', replies[-1])
        texts = {'replies': '\n'.join(replies), 'notifyctl': '\n'.join(self.said), 'log': open(d.log, encoding='utf-8').read()}
        for folder, _, names in os.walk(d.state):
            for name in names:
                path = os.path.join(folder, name)
                with open(path, 'rb') as file:
                    texts[path] = file.read().decode('latin-1')
        self.assertGreater(len(texts), 4)
        for place, text in texts.items():
            for secret in (OLD, NEW, WRONG, GUID, PASSWORD):
                self.assertNotIn(secret, text, place)
        # tokens have one place
        tokens = re.findall(r'eyJ[\w-]{20,}', ''.join(text for place, text in texts.items() if '/tokens/' not in place))
        self.assertEqual(tokens, [])


class Grants(SignInTest):
    """The secret of an application for which somebody has signed in."""
    def test_the_grant_is_renewed_with_a_new_secret_before_it_is_used(self):
        self.provider('--ttl', '3600')
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        path = os.path.join(folder.name, 'secret')
        with open(path, 'w', encoding='ascii') as file:
            file.write(OLD)
        os.chmod(path, 0o600)
        self.accept(OLD)
        self.behave(confidential=True)
        self.d = self.daemon(self.config(more='client_secret = file:%s' % path))

        def put(secret):
            return notifyd.request(self.d.admin, 'PUT', '/v1/accounts/m365/secret', {'field': 'client_secret', 'secret': secret})
        self.assertEqual(put(NEW).json['tried'], False, 'nobody has signed in')
        self.assertEqual(notifyd.request(self.d.admin, 'PUT', '/v1/accounts/m365/secret',
                                         {'field': 'client_secret', 'secret': OLD, 'try': False}).status, 200)
        self.sign_in()
        kept = until(lambda: (lambda now: now if now and 'asked' not in now else None)(self.kept()), 'the sign-in is kept')
        before = len(self.requests())
        self.assert_problem(put(WRONG), 422, 'secret-refused', 'AADSTS7000215')
        self.assertEqual(len(self.requests()), before + 1)
        until(lambda: 'asked' not in self.kept(), 'the trial is settled')
        self.assertEqual(self.kept()['refresh_token'], kept['refresh_token'], 'the grant is as it was')
        self.assertEqual(self.d.account('m365')['state'], 'ok')
        self.accept(NEW)
        reply = put(NEW)
        self.assertEqual((reply.status, reply.json['tried'], reply.json['detail']),
                         (200, True, 'the token endpoint renewed the grant with it'), reply)
        self.assertEqual(len(self.requests()), before + 2)
        self.assertNotEqual(self.kept()['refresh_token'], kept['refresh_token'], 'what came of it is kept')
        self.refreshed()
        self.assertEqual(self.d.final(self.d.submit(**JOB))['state'], 'delivered')

    def test_a_token_that_is_wanted_during_a_trial_is_asked_for_when_the_trial_fails(self):
        self.provider('--ttl', '3600')
        self.accept(OLD)
        self.d = self.daemon(self.config(more='client_secret = env:NOTIFYD_OLD'), env={'NOTIFYD_OLD': OLD}, start=False)
        self.d.start('--log-level', 'debug')
        self.sign_in()
        until(lambda: self.kept() and 'asked' not in self.kept(), 'the sign-in is kept')
        hold = os.path.join(self.home, 'hold')
        with open(hold, 'w', encoding='ascii'):
            self.behave(confidential=True, hold=hold)
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            trial = pool.submit(notifyd.request, self.d.admin, 'PUT', '/v1/accounts/m365/secret',
                                {'field': 'client_secret', 'secret': WRONG})
            until(lambda: self.fake.journal('held'), 'the trial is under way')
            self.assertEqual(self.d.post('/v1/accounts/m365/refresh', None, True).status, 200)
            until(lambda: 'is being renewed already' in self.d.tail(1000), 'the engine wants a token')
            before = self.d.tokens_used()
            os.unlink(hold)
            self.assert_problem(trial.result(), 422, 'secret-refused', 'AADSTS7000215')
        until(lambda: self.d.tokens_used() > before, 'another token is in use')

    def accept(self, secret):
        with open(self.facts['secret'], 'w', encoding='ascii') as file:
            file.write(secret)

    def test_what_a_provider_repeats_is_shown_nowhere(self):
        """Refresh token and client secret come back in the words of a refusal: they are in the one file for tokens alone."""
        self.provider('--ttl', '3600')
        self.accept(OLD)
        self.d = self.daemon(self.config(more='client_secret = env:NOTIFYD_OLD'), env={'NOTIFYD_OLD': OLD}, start=False)
        self.d.start('--log-level', 'debug')
        self.sign_in()
        token = until(lambda: self.kept().get('refresh_token'), 'the sign-in is kept')
        self.behave(refuse='invalid_grant', echo=True)
        self.refresh()
        until(lambda: 'refused' in self.d.tail(1000) and 'inactivity' in self.d.tail(1000), 'the refusal is told')
        texts = {path: self.d.get(path, True).body.decode() for path in ('/v1/status', '/v1/accounts/m365', '/metrics', '/v1/doctor')}
        texts['test'] = self.d.post('/v1/accounts/m365/test?send=no', None, True).body.decode()
        done = subprocess.run([notifyd.NOTIFYCTL, '--socket', self.d.socket, 'doctor'], capture_output=True, check=False)
        texts['doctor'] = (done.stdout + done.stderr).decode()
        texts['log'] = self.d.tail(100000)
        with open('/proc/%d/cmdline' % self.d.process.pid, 'rb') as file:
            texts['cmdline'] = file.read().decode()
        for folder, _, names in os.walk(self.d.state):
            for name in names:
                if not folder.endswith('/tokens'):
                    with open(os.path.join(folder, name), 'rb') as file:
                        texts[name] = file.read().decode('latin-1')
        self.assertIn('queue.db', texts)
        for place, text in texts.items():
            for secret in (token, token[:24], OLD):
                self.assertNotIn(secret, text, place)

