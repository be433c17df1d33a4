# SPDX-License-Identifier: Apache-2.0
"""A disk that becomes full while jobs come: what was accepted is there afterwards, the rest was told to come again. Needs root, for a small tmpfs."""
import json
import os
import subprocess
import sys
import threading
import unittest

import notifyd
from notifyd import ProgramTest, until

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'fake'))
import relay

CONFIG = '''
[daemon]
hostname = host.example
[queue]
min_free = 0
[access]
to_allow = *
[account a]
provider = smtp
host = 127.0.0.1:%d
security = none
auth = none
from = alerts@example.com
'''


class FullDisk(ProgramTest):
    def setUp(self):
        self.fake = relay.Lenient()
        self.addCleanup(self.fake.close)
        self.d = self.daemon(CONFIG % self.fake.port, start=False)
        os.mkdir(self.d.state, 0o700)
        done = subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=6m,mode=0700', 'tmpfs', self.d.state], capture_output=True, check=False)
        if done.returncode != 0:
            self.skipTest('no tmpfs can be mounted here: %s' % done.stderr.decode().strip())
        self.addCleanup(subprocess.run, ['umount', '-l', self.d.state], check=True)
        self.d.start()
        self.assertEqual(self.d.post('/v1/queue/pause', None, True).status, 200)

    def spooled(self):
        return set(os.listdir(os.path.join(self.d.state, 'spool')))

    def send(self, n, octets):
        return self.d.post('/v1/jobs', [{'to': 'ops@example.com', 'subject': 'mail %d.%d' % (n, k), 'text': 'x' * octets}
                                        for k in range(5)], True)

    def fill(self, octets):
        """Batches from four clients until the disk is full for each of them; the ids that were accepted."""
        accepted, others = {}, []

        def client(n):
            refused = 0
            for turn in range(1000):
                reply = self.send(100 * n + turn, octets)
                for k, entry in enumerate(reply.json if isinstance(reply.json, list) else [reply.json]):
                    if 'id' in entry:
                        accepted[entry['id']] = 'mail %d.%d' % (100 * n + turn, k)
                    else:
                        others.append((reply.status, entry['status'], entry['code']))
                refused += reply.status != 202
                if refused == 5:
                    return
        clients = [threading.Thread(target=client, args=(n,)) for n in range(4)]
        for thread in clients:
            thread.start()
        for thread in clients:
            thread.join()
        self.assertTrue(others)
        self.assertEqual({(status, code) for _, status, code in others}, {(503, 'disk-full')}, others[:5])
        return accepted

    def fill_by_a_stream(self, octets):
        """One job a line, more of them than there is room for; the ids that were accepted."""
        accepted, others = {}, []
        lines = [{'to': 'ops@example.com', 'subject': 'mail %d' % n, 'text': 'x' * octets} for n in range(10_000_000 // octets)]
        reply = self.d.post('/v1/jobs', ''.join(json.dumps(line) + '\n' for line in lines), True,
                            headers={'Content-Type': 'application/x-ndjson'})
        self.assertEqual(reply.status, 202, reply)
        answers = [json.loads(line) for line in reply.body.splitlines()]
        self.assertEqual(len(answers), len(lines), 'each line is answered')
        for n, answer in enumerate(answers):
            if 'id' in answer:
                self.assertEqual(answer['state'], 'queued', answer)
                accepted[answer['id']] = lines[n]['subject']
            else:
                self.assertEqual((answer['index'], answer['line']), (n, n + 1), answer)
                others.append((answer['status'], answer['code']))
        self.assertEqual(set(others), {(503, 'disk-full')})
        self.assertTrue(all('id' in answer for answer in answers[:5]), 'what came before the disk was full')
        return accepted

    def check(self, accepted, spool):
        self.assertGreater(len(accepted), 5)
        self.assertTrue(self.d.alive())
        until(lambda: self.spooled() <= set(accepted), 'nothing is left in the spool of what was refused')
        self.d.kill()
        # room for a start, as an operator would make
        subprocess.run(['mount', '-o', 'remount,size=64m', self.d.state], check=True)
        self.d.start()
        for job, subject in accepted.items():
            shown = self.d.job(job)
            self.assertEqual((shown['state'], shown['subject']), ('queued', subject), shown)
        self.assertEqual(self.d.status()['queue']['queued'], len(accepted))
        self.assertEqual(self.spooled(), set(accepted) if spool else set())
        self.assertEqual(self.d.post('/v1/queue/resume', None, True).status, 200)
        for job in accepted:
            self.assertEqual(self.d.final(job)['state'], 'delivered')
        until(lambda: not self.spooled(), 'the spool is empty')
        self.assertEqual(len(self.fake.mails), len(accepted))
        subjects = sorted(mail.split(b'Subject: ')[1].split(b'\r\n')[0].decode() for _, mail in self.fake.mails)
        self.assertEqual(subjects, sorted(accepted.values()))
        self.d.stop()

    def test_small_jobs(self):
        self.check(self.fill(20_000), False)

    def test_large_jobs_with_files_of_their_own(self):
        self.check(self.fill(150_000), True)

    def test_a_stream_of_small_jobs(self):
        self.check(self.fill_by_a_stream(20_000), False)

    def test_a_stream_of_large_jobs(self):
        self.check(self.fill_by_a_stream(150_000), True)


if __name__ == '__main__':
    unittest.main()
