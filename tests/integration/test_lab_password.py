# SPDX-License-Identifier: Apache-2.0
"""Passwords against the mail lab: Dovecot checks what notifyd says by each mechanism, and Postfix tells which one it was."""
import os
import re

import lab
import leaks
from lab import LabTest
from notifyd import until

ACCOUNT = '''
[account lab]
provider = smtp
host = %s
security = starttls
ca_file = %s
from = %s
auth = password
password = file:%s
%s
'''
PASSWORDS = {
    'alerts@lab.test': 'alerts-password',
    'alice@lab.test': 'alice password with spaces, é and "quotes"',
    'carol@lab.test': 'carol-password',    # Dovecot has its SCRAM-SHA-256 hash alone
}
leaks.known('alice password with')


class Passwords(LabTest):
    def start(self, user, more='', password=None):
        daemon = self.daemon(start=False)
        env = lab.settings()
        path = lab.secret(daemon.folder, 'password', password or PASSWORDS[user])
        daemon.configure(lab.CONFIG + ACCOUNT % (env['LAB_SMTP'], env['LAB_CA'], user, path, more))
        return daemon.start()

    def sends_by(self, method, user, more=''):
        """A mail arrives, and this is how its sender signed in."""
        lab.clear('bob')
        daemon = self.start(user, more)
        job = daemon.final(daemon.submit(to='bob@lab.test', text=method))
        self.assertEqual((job['state'], job['attempt_count']), ('delivered', 1), job)
        lab.wait_mail('bob')
        queue = re.search(r'queued as (\w+)', job['recipients'][0]['text']).group(1)
        with open(os.path.join(lab.STATE, 'postfix/mail.log'), encoding='utf-8', errors='replace') as log:
            said = next(line for line in log if ' %s: client=' % queue in line)
        self.assertIn('sasl_method=%s, sasl_username=%s' % (method, user), said)

    def test_a_password_goes_by_scram_where_that_is_offered(self):
        for user in PASSWORDS:
            with self.subTest(user):
                self.sends_by('SCRAM-SHA-256', user)

    def test_each_mechanism_can_be_asked_for(self):
        for method in ('SCRAM-SHA-256', 'PLAIN', 'LOGIN', 'CRAM-MD5'):
            for more in ('', 'auth_initial_response = no\n'):
                with self.subTest(method, more=more):
                    self.sends_by(method, 'alerts@lab.test', more + 'auth_mechanism = ' + method.lower())

    def test_a_wrong_password_holds_the_account_whichever_way_it_goes(self):
        for method in ('SCRAM-SHA-256', 'CRAM-MD5', 'PLAIN'):
            with self.subTest(method):
                daemon = self.start('alerts@lab.test', 'auth_mechanism = ' + method.lower(), 'not-the-password-0123')
                daemon.submit(to='bob@lab.test', text='x')
                account = until(lambda: (lambda one: one if one['state'] == 'held' else None)(daemon.account('lab')), 'account held')
                self.assertIn('535 5.7.8', account['reason'])
