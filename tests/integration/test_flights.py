# SPDX-License-Identifier: Apache-2.0
"""How mails travel to a relay that offers PIPELINING and CHUNKING: the stand-in of Microsoft 365, seen by the daemon's own trace."""
import glob
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import unittest

from notifyd import ProgramTest

PROVIDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'fake', 'provider.py')
CONFIG = '''
[daemon]
hostname = host.example
log_level = debug
[access]
to_allow = *
[account m365]
provider = microsoft
max_connections = 1
host = localhost:%(smtp_port)d
ca_file = %(ca)s
from = Alerts <%(user)s>
auth = oauth2
grant = client_credentials
tenant = %(tenant)s
client_id = %(client_id)s
client_secret = file:%(secret)s
token_url = %(token_url)s
'''


class Flights(ProgramTest):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.process = subprocess.Popen([sys.executable, PROVIDER, '--dir', self.folder.name, '--ttl', '3600'],
                                        stdout=subprocess.PIPE, text=True)
        self.addCleanup(self.stop)
        self.assertTrue(self.process.stdout.readline().startswith('ready:'))
        with open(os.path.join(self.folder.name, 'ready.json'), encoding='utf-8') as file:
            facts = json.load(file)
        self.d = self.daemon(CONFIG % dict(facts, secret=os.path.join(self.folder.name, 'secret')))

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.assertEqual(self.process.wait(20), 0)
        self.process.stdout.close()

    def delivered(self, **job):
        job = self.d.final(self.d.submit(**job))
        self.assertEqual((job['state'], job['attempt_count'], job.get('uncertain', False)), ('delivered', 1, False), job)
        return job

    def talk(self):
        """The first word of each line of the dialogue since MAIL was said first, one string: > client, < server."""
        with open(self.d.log, encoding='utf-8', errors='replace') as file:
            lines = re.findall(r'[<>] (?:MAIL|RCPT|DATA|RSET|QUIT|\d+ octets|[2-5]\d\d)\b', file.read())
        words = ' '.join(re.sub(r'\d+ octets', 'content', line) for line in lines)
        return words[words.index('> MAIL'):]

    def envelopes(self):
        found = []
        for name in sorted(glob.glob(os.path.join(self.folder.name, 'mail', '*.json'))):
            with open(name, encoding='utf-8') as file:
                found.append(json.load(file))
        return found

    def test_the_first_mail_goes_in_two_flights_and_the_next_in_one(self):
        self.delivered(to='ops@contoso.example', text='first')
        self.delivered(to=['ops@contoso.example', 'night@contoso.example'], text='.second\n.')
        self.assertEqual(self.talk(),
                         '> MAIL > RCPT < 250 < 250 > content < 250 > MAIL > RCPT > RCPT > content < 250 < 250 < 250 < 250')
        self.assertEqual([e['how'] for e in self.envelopes()], ['BDAT', 'BDAT'])

    def test_each_recipient_of_a_flight_stands_for_itself(self):
        self.delivered(to='ops@contoso.example', text='first')
        job = self.delivered(to=['reject@contoso.example', 'ops@contoso.example'], text='second')
        states = {r['address']: (r['state'], r['code']) for r in job['recipients']}
        self.assertEqual(states, {'reject@contoso.example': ('refused', 550), 'ops@contoso.example': ('delivered', 250)})
        job = self.d.final(self.d.submit(to='reject@contoso.example', text='third'))    # swallowed, and answered by 503
        self.assertEqual((job['state'], job['attempt_count']), ('failed', 1), job)
        self.assertEqual(job['recipients'][0]['code'], 550, job)
        self.delivered(to='ops@contoso.example', text='fourth')
        self.assertTrue(self.talk().endswith('> MAIL > RCPT > content < 250 < 550 < 503 > RSET < 250 '
                                             '> MAIL > RCPT > content < 250 < 250 < 250'), self.talk())
        self.assertEqual([e['to'] for e in self.envelopes()], [['ops@contoso.example']] * 3)

    def test_a_large_mail_goes_by_data_in_a_group(self):
        self.delivered(to='ops@contoso.example', text='first')
        self.delivered(to='ops@contoso.example', text='.a line\n' * 20000)
        self.assertRegex(self.talk(), r'> MAIL > RCPT > DATA < 250 < 250 < 354( > content)+ < 250$')
        self.assertEqual([e['how'] for e in self.envelopes()], ['BDAT', 'DATA'])


if __name__ == '__main__':
    unittest.main()
