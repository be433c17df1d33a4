# SPDX-License-Identifier: Apache-2.0
"""A folder of authorities: for the mail server and the token endpoint, beside a file, and read again at a reload."""
import json
import os
import shutil
import sys
import tempfile
import threading

import test_trust
from test_reload import ACCOUNT, HEAD
from test_trust import MAIL, OAUTH, TLS

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'fake'))
import relay


class Folder(test_trust.TrustTest):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        os.chmod(self.folder, 0o755)

    def put(self, path, name):
        shutil.copy(path, os.path.join(self.folder, name))

    def test_a_server_is_trusted_by_a_folder_that_people_keep(self):
        self.put(self.cert('ca.pem'), 'ours.crt')
        self.put(self.cert('good.key'), 'README')
        server = self.relay('good', TLS + MAIL)
        d = self.start(server, 'tls_name = relay.example\nca_dir = ' + self.folder)
        self.assertEqual(d.final(self.send(d))['state'], 'delivered')
        d.stop()
        self.assertEqual(server.wait(), [])

    def test_a_reload_reads_the_folder_again(self):
        self.put(self.cert('corp.pem'), 'corp.pem')
        server = self.relay('good', test_trust.LOOKED_AT, TLS + MAIL)
        d = self.start(server, 'tls_name = relay.example\nca_dir = ' + self.folder)
        job = self.send(d)
        self.assertIn('not trusted', self.account_in(d, 'held')['reason'])
        self.put(self.cert('ca.pem'), 'ours.pem')
        self.assertEqual(d.post('/v1/reload', None, True).status, 200)
        self.assertEqual(d.final(job)['state'], 'delivered')

    def test_a_reload_while_a_session_opens_is_no_fault_of_the_account(self):
        self.put(self.cert('ca.pem'), 'ours.pem')
        asked, answer = threading.Event(), threading.Event()
        self.addCleanup(answer.set)
        server = relay.Lenient(faults={'GREETING': lambda _: asked.set() or (answer.wait(30) and None)})
        self.addCleanup(server.close)
        d = self.daemon(HEAD + ACCOUNT % ('a', server.port) + 'ca_dir = %s\n' % self.folder)
        job = d.submit(to='ops@contoso.example', subject='x', text='y')
        self.assertTrue(asked.wait(30))
        self.assertEqual(d.post('/v1/reload', None, True).status, 200)
        self.assertEqual(d.account('a')['state'], 'ok', d.account('a'))
        answer.set()
        self.assertEqual(d.final(job)['state'], 'delivered')

    def test_a_file_without_a_certificate_is_named(self):
        self.put(self.cert('ca.pem'), 'ours.pem')
        bad = os.path.join(self.folder, 'notes.pem')
        with open(bad, 'w', encoding='ascii') as file:
            file.write('to be renewed in May\n')
        server = self.relay('good', TLS, TLS + MAIL)    # the doctor connects too
        d = self.start(server, 'tls_name = relay.example\nca_dir = ' + self.folder)
        job = self.send(d)
        account = self.account_in(d, 'held')
        self.assertIn(bad, account['reason'])
        findings = [json.loads(line) for line in d.get('/v1/doctor', True).body.decode().splitlines()]
        told = next(one for one in findings if one['check'] == 'authorities' and bad in one['detail'])
        self.assertIn('ca_dir', told['remedy'])
        os.unlink(bad)
        self.assertEqual(d.post('/v1/reload', None, True).status, 200)
        self.assertEqual(d.final(job)['state'], 'delivered')

    def test_it_is_for_the_token_endpoint_too_unless_that_has_a_file_of_its_own(self):
        facts = self.provider().facts
        self.put(facts['ca'], 'provider.crt')
        config = OAUTH % facts + 'ca_dir = %s\n' % self.folder
        d = self.daemon(config)
        self.assertEqual(d.final(self.send(d))['state'], 'delivered')
        d.configure(config + 'ca_file = %s\n' % self.cert('ca.pem'))    # both
        self.assertEqual(d.post('/v1/reload', None, True).status, 200)
        self.assertEqual(d.final(self.send(d))['state'], 'delivered')
        d.configure(config + 'token_ca_file = %s\n' % self.cert('ca.pem'))
        self.assertEqual(d.post('/v1/reload', None, True).status, 200)
        self.assertEqual(d.post('/v1/accounts/relay/refresh', None, True).status, 200)
        test_trust.until(lambda: 'certificate' in d.tail(20), 'the token endpoint to be refused')
