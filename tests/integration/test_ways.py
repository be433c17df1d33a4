# SPDX-License-Identifier: Apache-2.0
"""What a provider's preset says, and the account says otherwise: the form of AUTH, reports of failure."""
import os

import test_trust

CONFIG = '''
[daemon]
hostname = host.example
[access]
to_allow = *
[account relay]
provider = {provider}
host = 127.0.0.1:{port}
tls_name = relay.example
ca_file = {ca}
auth = password
user = alerts
password = file:{password}
from = alerts@example.com
{more}
'''
HELLO = test_trust.HELLO + 'TLS\nC: EHLO host.example\nS: 250-relay.example\nS: 250-DSN\nS: 250 AUTH PLAIN LOGIN\n'
PLAIN = 'C: AUTH PLAIN {plain}\nS: 235 ok\n'
LATER = 'C: AUTH PLAIN\nS: 334 \nC: {plain}\nS: 235 ok\n'
LOGIN = 'C: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\nC: {user}\nS: 334 UGFzc3dvcmQ6\nC: {password}\nS: 235 ok\n'
PARAMETERS = ' RET=HDRS ENVID={any}\n', ' NOTIFY=FAILURE,DELAY ORCPT=rfc822;ops@example.com\n'
MAIL = 'C: MAIL FROM:<alerts@example.com>%sS: 250 ok\nC: RCPT TO:<ops@example.com>%sS: 250 ok\nC: DATA\nS: 354 go on\nCONTENT\nS: 250 2.0.0 queued\n'
WITH, WITHOUT = MAIL % PARAMETERS, MAIL % ('\n', '\n')


class Ways(test_trust.TrustTest):
    def config(self, server, more, provider):
        password = os.path.join(self.certs.name, 'password')
        with open(os.open(password, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), 'w', encoding='ascii') as file:
            file.write('the-password-of-the-relay\n')
        return CONFIG.format(port=server.port, ca=self.cert('ca.pem'), password=password, more=more, provider=provider)

    def sends(self, dialogue, more='', provider='smtp'):
        """A mail goes in the way of this dialogue."""
        server = self.relay('good', HELLO + dialogue)
        d = self.daemon(self.config(server, more, provider))
        self.assertEqual(d.final(self.send(d))['state'], 'delivered')
        d.stop()
        self.assertEqual(server.wait(), [])

    def test_the_preset_is_kept_where_nothing_else_is_said(self):
        self.sends(PLAIN + WITH)
        self.sends(PLAIN + WITHOUT, provider='google')

    def test_reports_of_failure_are_the_accounts_choice(self):
        self.sends(PLAIN + WITHOUT, 'dsn = no')
        self.sends(PLAIN + WITH, 'dsn = yes', provider='google')

    def test_the_form_of_auth_is_the_accounts_choice(self):
        self.sends(LATER + WITH, 'auth_initial_response = no')
        self.sends(LOGIN + WITH, 'auth_mechanism = login')

    def test_a_mechanism_that_is_not_offered_holds_the_account(self):
        server = self.relay('good', HELLO)
        d = self.daemon(self.config(server, 'auth_mechanism = scram-sha-256', 'smtp'))
        self.send(d)
        account = self.account_in(d, 'held')
        self.assertIn('offers to sign in by PLAIN LOGIN, but not by SCRAM-SHA-256, which auth_mechanism names', account['reason'])
        d.configure(self.config(server, 'auth_mechanism = gssapi', 'smtp'))
        self.assert_problem(d.post('/v1/reload', None, True), 422, 'bad-configuration', 'auth_mechanism')
