# SPDX-License-Identifier: Apache-2.0
"""The queue of an older notifyd: what it wrote is read, brought to today's tables at the start, and sent. And that of a newer one is refused."""
import base64
import email
import email.policy
import json
import os
import re
import sqlite3
import sys
import time
import unittest
import zlib

import notifyd
from notifyd import ProgramTest, until
from test_reload import ACCOUNT, HEAD

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'fake'))
import relay

OLD = os.path.join(notifyd.TOP, 'tests/old')
KEYED = {'to': 'ops@example.com', 'subject': 'sixth: with a key', 'text': 'sdf is full\n'}
LARGE = 'sde is full. ' * 8 + '\n' + 'a line of the log of sde\n' * 3500
BOOT_AT = 16    # in the in-flight file
AGE = 60_000


def ended_just_now(text):
    """Its times as if the older one had been killed a minute ago."""
    times = [int(t) for t in re.findall(r'\b1[78]\d{11}\b', text)]
    later = int(time.time() * 1000) - AGE - max(times)
    return re.sub(r'\b1[78]\d{11}\b', lambda t: str(int(t.group()) + later), text)


class Upgrade(ProgramTest):
    def state_of(self, name, d):
        """STATE as the older notifyd left it when it was killed: tests/old/README.md."""
        os.mkdir(d.state, 0o700)
        db = sqlite3.connect(os.path.join(d.state, 'queue.db'), isolation_level=None)
        with open(os.path.join(OLD, name + '.sql'), encoding='utf-8') as file:
            db.executescript(ended_just_now(file.read()))
        db.execute('UPDATE idempotency SET uid=?', (os.getuid(),))
        db.close()
        with open(os.path.join(OLD, name + '.json'), encoding='ascii') as file:
            files = json.load(file)
        for path, octets in files.items():
            path = os.path.join(d.state, path)
            os.makedirs(os.path.dirname(path), 0o700, exist_ok=True)
            with open(path, 'wb') as file:
                file.write(zlib.decompress(base64.b64decode(octets)))
        with open('/proc/sys/kernel/random/boot_id', 'rb') as boot, open(os.path.join(d.state, 'inflight'), 'r+b') as file:
            file.seek(BOOT_AT)    # it was notifyd that ended, not the host
            file.write(boot.read().strip())

    def asked(self, d, what):
        db = sqlite3.connect(os.path.join(d.state, 'queue.db'))
        try:
            return db.execute(what).fetchone()[0]
        finally:
            db.close()

    def relay_and_daemon(self):
        fake = relay.Lenient()
        self.addCleanup(fake.close)
        return fake, self.daemon(HEAD + '[queue]\nuncertain_wait = 0\n' + ACCOUNT % ('a', fake.port) + 'max_connections = 1\n', start=False)

    def test_what_the_first_version_left_is_sent_once_and_shown(self):
        fake, d = self.relay_and_daemon()
        self.state_of('schema-1', d)
        self.assertEqual(self.asked(d, 'PRAGMA user_version'), 1)
        fake.gate.clear()
        d.start()
        until(fake.waiting.is_set, 'the first mail')
        jobs = {shown['subject'].partition(':')[0]: shown['id'] for shown in d.get('/v1/jobs', True).json['jobs']}
        self.assertEqual(sorted(jobs), ['fifth', 'first', 'fourth', 'second', 'sixth', 'third'])
        self.assertTrue(d.job(jobs['fourth'])['uncertain'])    # it was being handed over
        self.assertFalse(d.job(jobs['sixth'])['uncertain'])
        self.assertEqual(d.get('/v1/jobs/%s' % jobs['fifth'], True).status, 200)
        reply = notifyd.request(d.admin, 'POST', '/v1/jobs', KEYED, {'Idempotency-Key': 'raid-6'})
        self.assertEqual((reply.status, reply.json.get('id')), (200, jobs['sixth']), reply)
        reply = notifyd.request(d.admin, 'POST', '/v1/jobs', dict(KEYED, text='another\n'), {'Idempotency-Key': 'raid-6'})
        self.assertEqual(reply.status, 409, reply)
        fake.gate.set()
        self.check_ends(d, jobs)
        self.check_mails(fake.mails, jobs)
        d.stop()
        self.assertGreater(self.asked(d, 'PRAGMA user_version'), 1)
        self.assertEqual(self.asked(d, 'PRAGMA integrity_check'), 'ok')
        d.start()    # and once brought up it stays as it is
        self.check_ends(d, jobs)
        d.stop()

    def check_ends(self, d, jobs):
        first, second, third = (d.final(jobs[name]) for name in ('first', 'second', 'third'))
        self.assertEqual((first['state'], first['attempt_count']), ('delivered', 1), first)
        self.assertEqual(first['recipients'][0]['text'], 'taken')
        self.assertEqual((second['state'], second['recipients'][0]['code']), ('failed', 550), second)
        self.assertEqual(second['reason'], 'recipient-refused: 550 5.1.1 no such user')
        self.assertEqual((third['state'], third['severity'], third['attempt_count']), ('delivered', 'critical', 2), third)
        self.assertEqual([(r['address'], r['state']) for r in third['recipients']],
                         [('ops@example.com', 'delivered'), ('later@example.com', 'delivered')])
        self.assertEqual([a['n'] for a in third['attempts']], [1, 2])
        for name in ('fourth', 'fifth', 'sixth'):
            self.assertEqual(d.final(jobs[name])['state'], 'delivered')

    def check_mails(self, mails, jobs):
        self.assertEqual(len(mails), 4, [content[:300] for _, content in mails])
        sent = {content.split(b'Message-ID: <')[1].split(b'@')[0].decode(): (rcpts, content) for rcpts, content in mails}
        self.assertEqual(set(sent), {jobs[name] for name in ('third', 'fourth', 'fifth', 'sixth')})
        self.assertIn('later@example.com', str(sent[jobs['third']][0]))
        self.assertNotIn('ops@example.com', str(sent[jobs['third']][0]), 'who has it gets it again')
        self.assertIn('sdc ist voll', self.text_of(sent[jobs['third']][1]))
        self.assertEqual(self.text_of(sent[jobs['fifth']][1]), LARGE)

    def text_of(self, content):
        return email.message_from_bytes(content, policy=email.policy.default).get_content().replace('\r\n', '\n')

    def test_the_queue_of_a_newer_version_is_refused_and_left_as_it_is(self):
        fake, d = self.relay_and_daemon()
        self.state_of('schema-1', d)
        path = os.path.join(d.state, 'queue.db')
        db = sqlite3.connect(path)
        db.execute('PRAGMA user_version=99')
        db.close()
        with self.assertRaisesRegex(AssertionError, r'ended with 78 before it was ready'):
            d.start()
        os.close(d.pidfd)
        d.pidfd = None
        self.assertRegex(d.tail(), r'queue\.db was written by a newer notifyd \(version 99, this one knows \d+\)')
        self.assertRegex(d.tail(), 'install the newer notifyd again')
        self.assertEqual((self.asked(d, 'PRAGMA user_version'), self.asked(d, 'SELECT count(*) FROM job')), (99, 5))
        self.assertEqual(fake.sessions, 0)


if __name__ == '__main__':
    unittest.main()
