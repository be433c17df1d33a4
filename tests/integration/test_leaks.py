# SPDX-License-Identifier: Apache-2.0
"""The watch over every output (leaks.py) finds what it is there to find."""
import base64
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import unittest

import leaks
import notifyd

SECRET = 'a secret of this test~0123456789'
TOKEN = '1.RthisIsATokenThatAStandInIssued_0123456789-abcdefgh'
JWT = 'eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJhdWQiOiJodHRwczovL291dGxvb2sub2ZmaWNlMzY1LmNvbSJ9.c2lnbmF0dXJlLW9mLXRoaXMtdGVzdC0wMTIzNDU2Nzg5'


class Found(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        with open(os.environ['ND_ISSUED'], 'a', encoding='utf-8') as file:
            file.write('secret %s\ntoken %s\ntoken %s\n' % (SECRET, TOKEN, JWT))

    def caught(self, what, *args):
        with self.assertRaises(leaks.Leak) as why:
            what(*args)
        for whole in (SECRET, TOKEN, JWT):
            self.assertNotIn(whole, str(why.exception), 'it does not repeat it')

    def test_secrets_tokens_and_their_parts_and_spellings(self):
        for text in ('the secret is "%s"' % SECRET, 'Bearer ' + TOKEN, 'refresh_token=%s&' % TOKEN, TOKEN[:36] + '... (cut)', JWT,
                     'the signature alone: ' + JWT.rpartition('.')[2], 'its claims alone: ' + JWT.split('.')[1],
                     '-----BEGIN PRIVATE KEY-----\n' + 'MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSj',
                     r'-----BEGIN RSA PRIVATE KEY-----\n' + 'MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSj',
                     'AUTH PLAIN ' + base64.b64encode(('\0alerts\0' + SECRET).encode()).decode(),
                     'AUTH PLAIN ' + base64.b64encode(('\0alert\0' + SECRET).encode()).decode(),
                     'AUTH PLAIN ' + base64.b64encode(('\0aler\0' + SECRET).encode()).decode(),
                     'AUTH XOAUTH2 ' + base64.b64encode(b'user=alerts@contoso.com\1auth=Bearer x\1\1').decode()):
            with self.subTest(text[:30]):
                self.caught(leaks.seen, 'a text', text)
                self.caught(leaks.seen, 'a text', ('{"detail":"%s"}' % text).encode())
        for text in ('', 'a secret of this test', TOKEN[:20], 'an opaque word: ' + 'x' * 400, 'the client secret is wrong', 'it begins with -----BEGIN PRIVATE KEY-----', b'\xff\0'):
            leaks.seen('a text', text)

    def test_what_programs_print(self):
        name = os.path.join(tempfile.mkdtemp(prefix='notifyd-leaks.'), 'notifyctl')
        self.addCleanup(os.rmdir, os.path.dirname(name))
        self.addCleanup(os.unlink, name)
        os.symlink(sys.executable, name)
        for stream in ('stdout', 'stderr'):
            words = [name, '-c', 'import sys; sys.%s.write("see: " + sys.stdin.read())' % stream]
            self.caught(lambda: subprocess.run(words, input=SECRET, capture_output=True, text=True, check=False))
            self.caught(lambda: subprocess.run(words, input=TOKEN.encode(), capture_output=True, check=False))
        subprocess.run([name, '-c', 'print("nothing")'], capture_output=True, check=True)

    def test_replies_and_events_of_a_socket(self):
        with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as listener:
            path = os.path.join(folder, 'notifyd.sock')
            listener.bind(path)
            listener.listen()

            def serve():
                for text in (SECRET, 'nothing', TOKEN):
                    peer = listener.accept()[0]
                    with peer:
                        peer.recv(65536)
                        body = ('{"detail":"%s"}' % text).encode()
                        peer.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n' % len(body))
                        for octet in range(0, len(body), 7):    # in pieces
                            peer.sendall(body[octet:octet + 7])
            thread = threading.Thread(target=serve)
            thread.start()
            self.caught(notifyd.request, path, 'GET', '/v1/status')
            self.assertEqual(notifyd.request(path, 'GET', '/v1/status').json, {'detail': 'nothing'})
            connection = notifyd.UnixConnection(path)
            connection.request('GET', '/v1/events')
            told = connection.getresponse()
            self.caught(lambda: [told.read(5) for _ in range(20)])
            connection.close()
            thread.join()


class FoundAtTheEnd(notifyd.ProgramTest):
    def test_the_log_and_the_state(self):
        for where, text in (('log', 'token: ' + TOKEN), ('state/queue.db-extra', SECRET)):
            Found.setUpClass()
            d = notifyd.Daemon().start()
            with open(os.path.join(d.folder, where), 'a', encoding='utf-8') as file:
                file.write(text)
            with self.assertRaises(leaks.Leak):
                d.close()
        d = notifyd.Daemon().start()
        os.makedirs(os.path.join(d.state, 'tokens'), exist_ok=True)
        with open(os.path.join(d.state, 'tokens', 'm'), 'w', encoding='utf-8') as file:
            file.write(TOKEN)    # that is their place
        d.close()


class Dumps(notifyd.ProgramTest):
    @staticmethod
    def killed(process):
        """Whether a process that may write a core file of any size does so when it is killed for one."""
        _, hard = resource.prlimit(process.pid, resource.RLIMIT_CORE)
        resource.prlimit(process.pid, resource.RLIMIT_CORE, (hard, hard))
        process.send_signal(signal.SIGQUIT)
        _, status = os.waitpid(process.pid, 0)
        process.returncode = -os.WTERMSIG(status)
        assert process.returncode == -signal.SIGQUIT, process.returncode
        return os.WCOREDUMP(status)

    @unittest.skipIf(notifyd.UNDER, 'what it runs under writes dumps of its own')
    @unittest.skipIf(notifyd.sanitized(), 'the leak checker reads its own process, so that may dump')
    def test_no_core_dump_of_the_daemon_can_hold_a_secret(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        if not self.killed(subprocess.Popen(['sleep', '60'], cwd=folder.name)):
            self.skipTest('no process here leaves a core dump')
        d = notifyd.Daemon()
        self.addCleanup(shutil.rmtree, d.folder, ignore_errors=True)
        d.start()
        self.addCleanup(os.close, d.pidfd)
        self.assertFalse(self.killed(d.process))


if __name__ == '__main__':
    unittest.main()
