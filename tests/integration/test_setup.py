# SPDX-License-Identifier: Apache-2.0
"""notifyctl setup: its settings are good ones, its sheet is whole, it overwrites nothing unasked, and a real mail ends it."""
import os
import pty
import subprocess
import tempfile

import notifyd
from notifyd import ProgramTest
from test_faults import HEAD, MICROSOFT, provider
from test_probe import LOGON

TENANT, CLIENT = '1f3c0000-0000-0000-0000-000000000000', '9ab20000-0000-0000-0000-000000000000'
MAIL = ['--from', '"Alerts" <alerts@contoso.example>']
ENTRA = ['--tenant', TENANT, '--client-id', CLIENT]
WAYS = {    # provider, grant: options, words of the sheet
    ('microsoft', None): (ENTRA, ['SMTP.SendAsApp', 'ENTERPRISE APPLICATIONS', "Add-MailboxPermission -Identity 'alerts@contoso.example'",
                                  "New-ServicePrincipal -AppId '%s' -ObjectId $oid" % CLIENT, 'Set-CASMailbox', '15 to 30', 'Sent Items', 'retention',
                                  'forwards non-delivery reports', "-Identity 'alerts@contoso.example' -PopEnabled $false"]),
    ('microsoft', 'rbac'): (ENTRA, ['NO SMTP.SendAsApp', 'New-ManagementRoleAssignment', 'New-ManagementScope']),
    ('microsoft', 'authorization_code'): (ENTRA, ['http://localhost', 'account login m365', 'Set-CASMailbox']),
    ('microsoft', 'device_code'): (ENTRA, ['Allow public client flows', 'Conditional Access']),
    ('google', None): (['--client-id', 'x.apps.googleusercontent.com'], ['Desktop app', '7 days', 'https://mail.google.com/']),
    ('google', 'jwt_bearer'): ([], ['NUMERIC client ID', 'Domain-wide delegation']),
    ('google', 'password'): ([], ['2-Step Verification', '16 characters']),
    ('ses', None): (['--host', 'eu-west-1', '--user', 'AKIA0123'], ['Sandbox', 'not an IAM secret key', '2587', 'email-smtp.eu-west-1.amazonaws.com']),
    ('smtp', None): (['--host', 'relay.example.com'], ['relay.example.com']),
    ('smtp', 'none'): (['--host', 'relay.example.com'], ['without a log-in']),
}


class Setup(ProgramTest):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.output = os.path.join(folder.name, 'a.conf')

    def command(self, *words):
        return [notifyd.NOTIFYCTL, 'setup', *words, '--notifyd', notifyd.NOTIFYD]

    def run_setup(self, *words, env=None):
        return subprocess.run(self.command(*words), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
                              env=dict(dict(os.environ, LC_ALL='C.UTF-8'), **(env or {})))

    def text(self):
        with open(self.output, encoding='utf-8') as file:
            return file.read()

    def test_the_settings_of_every_way_are_accepted(self):
        for (name, grant), (options, words) in WAYS.items():
            with self.subTest(name, grant=grant):
                chosen = ['--grant', grant] if grant else []
                done = self.run_setup(name, *MAIL, *options, *chosen, '--output', '-')
                self.assertEqual((done.returncode, done.stderr), (0, ''), done)
                with open(self.output, 'w', encoding='utf-8') as file:
                    file.write(done.stdout)    # the sheet is comments
                check = subprocess.run([notifyd.NOTIFYD, '--check', '--config', self.output], capture_output=True, text=True, check=False)
                self.assertEqual(check.returncode, 0, (check, done.stdout))
                for word in words:
                    self.assertIn(word, done.stdout)
                self.assertIn('setup --resume', done.stdout)
                for placeholder in ('{', '<name>', '<from>', '<user>', '<tenant>', '<client_id>', '<host>', '<address>', '<principal>'):
                    self.assertNotIn(placeholder, done.stdout)
                self.assertNotIn('Add-RecipientPermission', done.stdout)    # from is the mailbox

    def test_send_as_is_asked_for_where_mails_come_from_another_address(self):
        right = "Add-RecipientPermission -Identity 'alerts@contoso.example' -AccessRights SendAs -Trustee 'o''brien@contoso.example'"
        for grant in ('client_credentials', 'rbac', 'authorization_code', 'device_code'):
            with self.subTest(grant):
                done = self.run_setup('microsoft', *MAIL, *ENTRA, '--grant', grant, '--user', "o'brien@contoso.example", '-o', '-')
                self.assertEqual(done.returncode, 0, done)
                self.assertIn(right, done.stdout)
                self.assertEqual("\n#     Add-RecipientPermission -Identity 'alerts@contoso.example' -AccessRights SendAs -Trustee $oid\n" in done.stdout,
                                 grant in ('client_credentials', 'rbac'), 'at once, not after half an hour in vain; a person has none')
                self.assertIn("Set-CASMailbox -Identity 'o''brien@contoso.example'", done.stdout)
                self.assertNotIn('SendAs', self.run_setup('microsoft', *MAIL, *ENTRA, '--grant', grant, '--user', 'Alerts@Contoso.example',
                                                          '-o', '-').stdout.replace('SMTP.SendAsApp', ''))
        self.assertNotIn('SendAs', self.run_setup('smtp', *MAIL, '--host', 'relay.example.com', '--user', 'x', '-o', '-').stdout)

    def test_the_other_clouds_of_microsoft_and_high_volume_email_have_their_own(self):
        for options, provider_, there, missing in (
                (['--cloud', 'usgov'], 'microsoft-usgov', ['New-ServicePrincipal', 'environment'], ['  Connect-ExchangeOnline']),
                (['--cloud', 'dod', '--grant', 'rbac'], 'microsoft-dod', ['New-ManagementScope'], ['  Connect-ExchangeOnline']),
                (['--cloud', 'china', '--grant', 'device_code'], 'microsoft-china', ['device'], ['  Connect-ExchangeOnline']),
                (['--hve'], 'microsoft-hve',
                 ["Add-HVEAppAccess -Identity 'alerts@contoso.example' -AppIds '%s'" % CLIENT, 'Mail.Send', 'internal recipients', 'billing',
                  "Connect-ExchangeOnline -Organization '%s'" % TENANT, '7. Send'],
                 ['New-ServicePrincipal', 'Add-MailboxPermission', 'SMTP.SendAsApp', 'CASMailbox', '15 to 30'])):
            with self.subTest(options):
                done = self.run_setup('microsoft', *MAIL, *ENTRA, *options, '-o', self.output, '--yes')
                self.assertEqual((done.returncode, done.stderr), (0, ''), done)
                self.assertIn('provider = %s\n' % provider_, self.text())
                for word in there:
                    self.assertIn(word, done.stdout)
                for word in missing:
                    self.assertNotIn(word, done.stdout)
        for words, said in ((['microsoft', '--cloud', 'mars'], 'usgov, dod or china'), (['google', '--hve'], 'go with microsoft'),
                            (['microsoft', '--hve', '--cloud', 'dod'], '--hve goes with'), (['microsoft', '--hve', '--grant', 'rbac'], '--hve goes with')):
            done = self.run_setup(*words, *MAIL, *ENTRA, '-o', '-')
            self.assertEqual(done.returncode, 64, done)
            self.assertIn(said, done.stderr)

    def test_an_application_for_more_than_one_tenant_is_asked_for_where_the_settings_need_one(self):
        for tenant in ('common', 'organizations', 'Consumers', TENANT, 'contoso.example'):
            for grant in ('authorization_code', 'device_code'):
                for cloud in ([], ['--cloud', 'china']):
                    with self.subTest(tenant, grant=grant, cloud=cloud):
                        done = self.run_setup('microsoft', *MAIL, '--tenant', tenant, '--client-id', CLIENT, '--grant', grant, *cloud, '-o', '-')
                        self.assertEqual(done.returncode, 0, done)
                        own = tenant in (TENANT, 'contoso.example')
                        self.assertEqual('New registration: this tenant only.' in done.stdout, own)
                        self.assertEqual('AADSTS50194' in done.stdout, not own)
                        self.assertEqual("Connect-ExchangeOnline -Organization '%s'" % tenant in done.stdout, own and not cloud)
                        self.assertEqual("Connect-ExchangeOnline -Organization '<ID of the tenant of alerts@contoso.example>'" in done.stdout,
                                         not own and not cloud)
                        self.assertEqual('to tenant %s' % tenant in done.stdout, own and bool(cloud))
        done = self.run_setup('microsoft', *MAIL, '--tenant', 'common', '--client-id', CLIENT, '--grant', 'device_code', '-o', '-',
                              env={'LC_ALL': 'ja_JP.UTF-8'})
        self.assertIn('AADSTS50194', done.stdout)
        self.assertNotIn('この組織のテナントのみ。', done.stdout)

    def test_a_shared_mailbox_is_not_said_to_sign_in(self):
        for env, licence, person in (({}, 'up to 50 GB', 'Nobody signs in as a shared mailbox'),
                                     ({'LC_ALL': 'ja_JP.UTF-8'}, '50 GB まで', '共有メールボックスとしてはサインインできません')):
            for grant in ('client_credentials', 'rbac', 'authorization_code', 'device_code'):
                with self.subTest(grant, env=env):
                    sheet = self.run_setup('microsoft', *MAIL, *ENTRA, '--grant', grant, '-o', '-', env=env).stdout
                    self.assertIn(licence, sheet)
                    self.assertEqual(person in sheet, grant in ('authorization_code', 'device_code'))
            self.assertNotIn(licence, self.run_setup('microsoft', *MAIL, *ENTRA, '--hve', '-o', '-', env=env).stdout)

    def test_googles_json_brings_the_client_id_with_it(self):
        for language, said in (('C.UTF-8', 'client JSON'), ('ja_JP.UTF-8', 'JSON')):
            done = self.run_setup('google', *MAIL, '-o', self.output, '--yes', env={'LC_ALL': language})
            self.assertEqual(done.returncode, 0, done)
            self.assertNotIn('client_id', self.text())
            self.assertIn('client_secret = credential:gmail\n', self.text())
            self.assertIn('notifyctl secret set gmail < client_secret_', done.stdout)
            self.assertIn(said, done.stdout)
        done = self.run_setup('google', *MAIL, '-o', self.output, '--yes', '--client-id', 'x.apps.googleusercontent.com')
        self.assertIn('client_id = x.apps.googleusercontent.com\n', self.text())
        self.assertIn('notifyctl secret set gmail', done.stdout)

    def test_the_order_is_said_plainly(self):
        sheet = self.run_setup('microsoft', *MAIL, *ENTRA, '-o', '-').stdout
        places = [sheet.index('%d. %s' % (n + 1, word)) for n, word in
                  enumerate(('Application', 'Consent', 'Credential', 'Token', 'Exchange', 'Wait', 'Send'))]
        self.assertEqual(places, sorted(places))

    def test_the_sheet_is_japanese_where_people_are(self):
        done = self.run_setup('microsoft', *MAIL, *ENTRA, '-o', '-', env={'LC_ALL': 'ja_JP.UTF-8'})
        for word in ('管理者の同意', 'New-ServicePrincipal', 'ENTERPRISE APPLICATIONS', '15~30 分'):
            self.assertIn(word, done.stdout)

    def test_a_file_is_written_whole_and_never_overwritten_unasked(self):
        done = self.run_setup('microsoft', *MAIL, *ENTRA, '-o', self.output, '--expires', '2027-05-01')
        self.assertEqual(done.returncode, 0, done)
        self.assertIn('client_secret_expires = 2027-05-01\n', self.text())
        self.assertEqual(os.stat(self.output).st_mode & 0o777, 0o644)
        before = self.text()
        done = self.run_setup('smtp', *MAIL, '--host', 'relay.example.com', '-o', self.output)
        self.assertEqual((done.returncode, self.text()), (64, before), done)
        done = self.run_setup('smtp', *MAIL, '--host', 'relay.example.com', '-o', self.output, '--yes')
        self.assertEqual(done.returncode, 0, done)
        self.assertIn('provider = smtp', self.text())
        self.assertEqual(os.listdir(self.folder), ['a.conf'])

    def test_bad_settings_are_told_and_nothing_is_written(self):
        for words, code, said in ((['microsoft', *MAIL, '--tenant', 'common', '--client-id', CLIENT], 78, 'tenant'),
                                  (['microsoft', *MAIL, '--tenant', TENANT], 64, 'client_id is missing'),
                                  (['smtp', *MAIL, '--host', 'a\nauth = none'], 64, 'not allowed'),
                                  (['smtp', *MAIL, '--host', 'a', '--name', '../x'], 64, 'letters'),
                                  (['smtp', *MAIL, '--host', 'a', '--grant', 'rbac'], 64, '--grant rbac'),
                                  (['yahoo'], 64, 'yahoo'), ([], 64, '--resume')):
            done = self.run_setup(*words, '-o', self.output)
            self.assertEqual(done.returncode, code, done)
            self.assertIn(said, done.stderr)
        self.assertEqual(os.listdir(self.folder), [])

    def test_settings_are_checked_with_the_configuration_that_they_join(self):
        config = os.path.join(self.folder, 'notifyd.conf')
        os.mkdir(os.path.join(self.folder, 'conf.d'))
        beside = os.path.join(self.folder, 'conf.d', 'other.conf')
        relay = '[account %s]\nprovider = smtp\nhost = relay.example.com\nfrom = a@b.example\nauth = none\nsecurity = starttls\n'
        clash = 'password = env:NO_SUCH\n'    # of a section with that name, which the new one is read into
        words = ['smtp', *MAIL, '--grant', 'none', '--host', 'relay.example.com', '--name', 'new', '--config', config]
        for path, text, code, said in ((config, relay % 'new' + clash, 78, '[account new] password'), (beside, relay % 'new' + clash, 78, 'other.conf'),
                                       (config, '[daemon]\naccounts = old\n' + relay % 'old', 0, '[daemon] accounts does not name new'),
                                       (config, '[daemon]\naccounts = old, new\n' + relay % 'old', 0, '')):
            for old in (config, beside):
                with open(old, 'w', encoding='utf-8') as file:
                    file.write(text if old == path else '')
            done = self.run_setup(*words, '--yes')
            self.assertEqual(done.returncode, code, done)
            self.assertIn(said, done.stderr)
            self.assertEqual(done.stderr == '', said == '', done)
            self.assertEqual(sorted(os.listdir(os.path.join(self.folder, 'conf.d'))), ['new.conf', 'other.conf'][code != 0:])
        if code == 0:
            check = subprocess.run([notifyd.NOTIFYD, '--check', '--config', config], capture_output=True, text=True, check=False)
            self.assertEqual(check.returncode, 0, check)

    def test_what_others_put_into_the_temporary_folder_does_not_matter(self):
        program = os.path.join(self.folder, 'notifyd')    # tells where the settings are that it checks
        told = os.path.join(self.folder, 'told')
        with open(program, 'w', encoding='utf-8') as file:
            file.write('#!/bin/sh\nstat -c "%%a %%u" "$(dirname "$3")" > %s\nls -A "$(dirname "$3")" >> %s\nexec %s "$@"\n' % (told, told, notifyd.NOTIFYD))
        os.chmod(program, 0o755)
        done = subprocess.run([notifyd.NOTIFYCTL, 'setup', 'smtp', *MAIL, '--host', 'relay.example.com', '--notifyd', program, '-o', self.output],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done)
        with open(told, encoding='utf-8') as file:
            self.assertEqual(file.read(), '700 %d\nnotifyd.conf\n' % os.getuid())

    def test_quotes_of_an_address_stay_within_the_script(self):
        done = self.run_setup('microsoft', '--from', "o'brien@contoso.example", *ENTRA, '-o', '-')
        self.assertIn("-Identity 'o''brien@contoso.example'", done.stdout)
        self.assertIn("user = o'brien@contoso.example\n", done.stdout)

    def test_at_a_terminal_it_asks_for_what_is_missing(self):
        parent, child = pty.openpty()
        process = subprocess.Popen(self.command('microsoft', '-o', self.output), stdin=child, stdout=child, stderr=child,
                                   env=dict(os.environ, LC_ALL='C.UTF-8'))
        os.close(child)
        shown = b''
        try:
            for question, answer in ((b'[m365]: ', b''), (b'>": ', b'alerts@contoso.example'), (b'[alerts@contoso.example]: ', b''),
                                     (b'Entra ID: ', TENANT.encode()), (b'client) ID: ', CLIENT.encode()), (b'not known yet): ', b'2027-05-01')):
                while not shown.endswith(question):
                    shown += os.read(parent, 1000)
                os.write(parent, answer + b'\n')
            while True:
                shown += os.read(parent, 1000)
        except OSError:    # the other end is closed
            pass
        os.close(parent)
        self.assertEqual(process.wait(), 0, shown)
        for line in ('[account m365]', 'from = alerts@contoso.example', 'user = alerts@contoso.example', 'tenant = ' + TENANT,
                     'client_secret = credential:m365', 'client_secret_expires = 2027-05-01'):
            self.assertIn(line + '\n', self.text())

    def test_resume_fills_in_the_object_id_once_there_is_a_token(self):
        fake = provider.StandIn(os.path.join(self.folder, 'fake'), ttl=3600)
        self.addCleanup(fake.close)
        fake.provider.faults['AUTH'] = lambda *_: '535 5.7.3 Authentication unsuccessful'
        d = self.daemon(HEAD + MICROSOFT % dict(fake.facts, name='m', query='', secret=fake.facts['secret']))
        done = subprocess.run([notifyd.NOTIFYCTL, '--socket', d.admin, 'account', 'test', 'm'], capture_output=True, text=True, check=False,
                              env=dict(os.environ, LC_ALL='C.UTF-8'))
        self.assertRegex(done.stdout, '(?m)^. claims .*object id %s' % provider.OBJECT_ID)    # where the sheet says it is
        sheet = self.run_setup('microsoft', *MAIL, *ENTRA, '-o', '-').stdout
        self.assertIn('its line "claims" tells the object id that the next step needs', sheet)
        self.assertIn("$oid = '<object id of the line claims>'", sheet)
        process = subprocess.Popen([notifyd.NOTIFYCTL, '--socket', d.socket, 'setup', '--resume', 'm', '--to', 'ops@contoso.example',
                                    '--every', '1s'],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=dict(os.environ, LC_ALL='C.UTF-8'))
        self.assertIn('not yet: auth: ', process.stderr.readline())
        self.assertIn('New-ServicePrincipal -AppId %s -ObjectId %s;' % (CLIENT, provider.OBJECT_ID), process.stderr.readline())
        fake.provider.faults['END'] = lambda *_: LOGON    # which a mail alone shows
        fake.provider.faults.pop('AUTH')
        said = ''
        while 'not yet: queued' not in said:
            said = process.stderr.readline()
            self.assertNotEqual(said, '')
        self.assertIn('Add-MailboxPermission -Identity %s -User %s -AccessRights' % (provider.MAILBOX, provider.OBJECT_ID), process.stderr.readline())
        fake.provider.faults.clear()
        out, _ = process.communicate(timeout=120)
        self.assertEqual(process.returncode, 0, out)
        self.assertIn('delivered', out)

    def test_resume_sends_to_the_accounts_own_mailbox_where_nobody_else_is_named(self):
        fake = provider.StandIn(os.path.join(self.folder, 'fake'), ttl=3600)
        self.addCleanup(fake.close)
        d = self.daemon(HEAD + MICROSOFT % dict(fake.facts, name='m', query='', secret=fake.facts['secret']))
        done = subprocess.run([notifyd.NOTIFYCTL, '--socket', d.socket, 'setup', '--resume', 'm'], capture_output=True, text=True, check=False,
                              timeout=120)
        self.assertEqual(done.returncode, 0, done)
        self.assertEqual([mail['to'] for mail in fake.journal('mail')], [[provider.MAILBOX]])

    def test_resume_ends_with_a_real_mail(self):
        fake = provider.StandIn(os.path.join(self.folder, 'fake'), ttl=3600)
        self.addCleanup(fake.close)
        with open(fake.facts['secret'], 'r+', encoding='ascii') as file:
            right = file.read()
        wrong = os.path.join(self.folder, 'secret')
        with open(wrong, 'w', encoding='ascii') as file:
            file.write('not.The~secret-0123456789')
        os.chmod(wrong, 0o600)
        d = self.daemon(HEAD + MICROSOFT % dict(fake.facts, name='m', query='', secret=wrong))
        process = subprocess.Popen([notifyd.NOTIFYCTL, '--socket', d.socket, 'setup', '--resume', 'm', '--to', 'ops@contoso.example',
                                    '--every', '1s'],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        said = process.stderr.readline()
        self.assertIn('not yet', said)
        self.assertIn('7000215', said)
        self.assertIn('  remedy: ', process.stderr.readline())
        with open(wrong, 'w', encoding='ascii') as file:
            file.write(right)
        out, _ = process.communicate(timeout=120)
        self.assertEqual(process.returncode, 0, out)
        self.assertIn('delivered', out)
        self.assertEqual(len(fake.journal('mail')), 1, 'the tests before it send nothing')
        done = subprocess.run([notifyd.NOTIFYCTL, '--socket', d.socket, 'setup', '--resume', 'nobody', '--to', 'ops@contoso.example'],
                              capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 65, done)
