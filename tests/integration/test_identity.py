# SPDX-License-Identifier: Apache-2.0
"""Managed identities, against the services of Azure as they are on the wire. They have fixed addresses, so this runs in a network and a file
tree of its own: as root, with unshare(1) and ip(8)."""
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import unittest

from notifyd import ProgramTest, TOP, until

INSIDE = os.environ.get('ND_IDENTITY_INSIDE') == '1'
VM = ('169.254.169.254', 80)
ARC = ('127.0.0.1', 40342)
KEYS = '/var/opt/azcmagent/tokens'
ACCOUNT = '''[daemon]
proxy = http://127.0.0.1:1
[account m365]
provider = microsoft
from = alerts@contoso.example
grant = managed_identity
'''
TOKEN = {'access_token': 'eyJ.the-token', 'refresh_token': '', 'expires_in': '3599', 'expires_on': '1506484173',
         'not_before': '1506480273', 'resource': 'https://outlook.office365.com', 'token_type': 'Bearer'}


def answer(status, body, *headers):
    text = body if isinstance(body, str) else json.dumps(body)
    return ('HTTP/1.1 %d X\r\nContent-Type: application/json\r\n%sContent-Length: %d\r\nConnection: close\r\n\r\n%s'
            % (status, ''.join(h + '\r\n' for h in headers), len(text), text)).encode()


class Service:
    """Answers one request after another with what it was given, the last one for ever; keeps what it was asked."""

    def __init__(self, address, *answers):
        self.answers, self.asked = list(answers), []
        self.listener = socket.create_server(address)
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                peer = self.listener.accept()[0]
            except OSError:
                return
            with peer:
                octets = b''
                while b'\r\n\r\n' not in octets:
                    more = peer.recv(65536)
                    if not more:
                        break
                    octets += more
                reply = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
                self.asked.append(octets.decode())
                peer.sendall(reply)

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


class ManagedIdentity(ProgramTest):
    def test_in_a_world_of_its_own(self):
        if INSIDE:
            self.skipTest('this is inside')
        if os.geteuid() != 0 or not shutil.which('unshare') or not shutil.which('ip'):
            self.skipTest('needs root, unshare(1) and ip(8): addresses of Azure in a network of its own')
        if subprocess.run(['unshare', '-n', '-m', 'true'], capture_output=True, check=False).returncode != 0:
            self.skipTest('this host allows no network of its own (unshare -n -m)')
        done = subprocess.run(['unshare', '-n', '-m', sys.executable, '-B', os.path.join(TOP, 'tests/integration/run.py'),
                               '--builddir', os.environ['ND_BUILDDIR'], 'test_identity.Inside'],
                              env=dict(os.environ, ND_IDENTITY_INSIDE='1'), stdout=subprocess.PIPE, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertIn(' passed, 0 failed, 0 skipped', done.stdout)


class Inside(ProgramTest):
    """Run by ManagedIdentity, in its world."""

    @classmethod
    def setUpClass(cls):
        for line in ('mount --make-rprivate /', 'ip link set lo up', 'ip address add 169.254.169.254/32 dev lo',
                     'mount -t tmpfs tmpfs /var/opt'):
            subprocess.run(line.split(), check=True)
        os.makedirs(KEYS)

    def start(self, settings, services, **env):
        for service in services:
            self.addCleanup(service.close)
        self.d = self.daemon(ACCOUNT + settings, env=env)

    def token(self):
        """What is kept for the next start, once it is there."""
        path = os.path.join(self.d.state, 'tokens', 'm365')
        until(lambda: os.path.exists(path), 'there is a token')
        with open(path, encoding='ascii') as file:
            return json.load(file)['access_token']

    def held(self):
        return until(lambda: self.d.account('m365') if self.d.account('m365')['state'] == 'held' else None, 'held')

    def key(self, octets, name='1.key'):
        with open(os.path.join(KEYS, name), 'w', encoding='ascii') as file:
            file.write(octets)
        return 'WWW-Authenticate: Basic realm=%s/%s' % (KEYS, name)

    def test_a_machine_asks_its_metadata_service(self):
        service = Service(VM, answer(200, TOKEN))
        self.start('', [service])
        self.assertEqual(self.token(), 'eyJ.the-token')
        lines = service.asked[0].split('\r\n')
        self.assertEqual(lines[0], 'GET /metadata/identity/oauth2/token?api-version=2018-02-01&resource='
                                   'https%3A%2F%2Foutlook.office365.com HTTP/1.1')
        self.assertEqual(lines[1], 'Host: 169.254.169.254')
        self.assertTrue(lines[2].startswith('User-Agent: notifyd/'))
        self.assertEqual(lines[3:], ['Accept: application/json', 'Metadata: true', '', ''])
        self.assertIn('good for 3599 s', self.d.tail())

    def test_a_user_assigned_identity_is_named(self):
        service = Service(VM, answer(200, TOKEN))
        self.start('client_id = 9ab2\n', [service])
        self.token()
        self.assertIn('&client_id=9ab2 HTTP/1.1', service.asked[0])

    def test_a_service_that_is_being_updated_is_asked_again(self):
        service = Service(VM, answer(404, ''), answer(429, 'x'), answer(500, '<html>'), answer(200, TOKEN))
        self.start('', [service])
        self.assertEqual(self.token(), 'eyJ.the-token')
        self.assertEqual(len(service.asked), 4)
        self.assertIn('the instance metadata service cannot answer now (404)', self.d.tail())

    def test_seventy_seconds_are_waited_when_it_says_gone(self):
        service = Service(VM, answer(410, ''), answer(200, TOKEN))
        self.start('', [service])
        account = until(lambda: self.d.account('m365') if self.d.account('m365')['state'] == 'failing' else None, 'failing')
        wait = subprocess.run(['date', '-d', account['until'], '+%s'], capture_output=True, text=True, check=True)
        now = subprocess.run(['date', '+%s'], capture_output=True, text=True, check=True)
        self.assertGreaterEqual(int(wait.stdout) - int(now.stdout), 60)
        self.assertEqual(len(service.asked), 1)

    def test_a_machine_without_an_identity_is_held(self):
        service = Service(VM, answer(401, {'error': 'unauthorized_client', 'error_description': 'no identity'}))
        self.start('', [service])
        account = self.held()
        self.assertIn('refused (401, unauthorized_client): no identity', account['reason'])
        self.assertIn('give this machine a managed identity', account['hint'])

    def test_the_agent_wants_to_see_a_file_of_its_own_read(self):
        service = Service(ARC, answer(401, '', self.key('the-key')), answer(200, TOKEN))
        self.start('', [service], IDENTITY_ENDPOINT='http://127.0.0.1:40342/metadata/identity/oauth2/token')
        self.assertEqual(self.token(), 'eyJ.the-token')
        first, second = (text.split('\r\n') for text in service.asked)
        self.assertEqual(first[0], 'GET /metadata/identity/oauth2/token?api-version=2019-11-01&resource='
                                   'https%3A%2F%2Foutlook.office365.com HTTP/1.1')
        self.assertEqual(first[1], 'Host: 127.0.0.1:40342')
        self.assertEqual(first[3:], ['Accept: application/json', 'Metadata: true', '', ''])
        self.assertEqual(second[0], first[0])
        self.assertIn('Authorization: Basic the-key', second)
        self.assertNotIn('the-key', self.d.tail())

    def test_no_other_file_is_read_for_the_agent(self):
        os.symlink('/etc/passwd', KEYS + '/link.key')
        self.key('x' * 4097, 'long.key')
        cases = [('WWW-Authenticate: Basic realm=/etc/shadow', 'not one of its keys'), ('X: y', 'did not say which file'),
                 ('WWW-Authenticate: Basic realm=%s/link.key' % KEYS, 'cannot be read'),
                 ('WWW-Authenticate: Basic realm=%s/long.key' % KEYS, 'not one of its keys'),
                 ('WWW-Authenticate: Basic realm=%s/none.key' % KEYS, 'cannot be read')]
        for header, words in cases:
            with self.subTest(header):
                service = Service(ARC, answer(401, '', header))
                self.start('identity_source = arc\n', [])
                try:
                    self.assertIn(words, self.held()['reason'])
                    self.assertEqual(len(service.asked), 1)
                finally:
                    service.close()
                    self.d.stop()
        os.unlink(KEYS + '/link.key')


if not INSIDE:
    del Inside

if __name__ == '__main__':
    unittest.main()
