# SPDX-License-Identifier: Apache-2.0
"""Evidence of deliveries: the digest of what the relay took, when, where and how, for each recipient."""
import hashlib
import os
import subprocess
import sys

import notifyd
from notifyd import NOTIFYCTL, CertTest, until
from test_reload import HEAD

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'fake'))
import relay

ACCOUNT = '''
[account %s]
host = %s:%d
from = "%s" <%s@example.com>
'''
LATER = '451 4.2.1 come again'


def digest(content):
    """Of a message as it came by DATA."""
    return hashlib.sha256(content.replace(b'\r\n..', b'\r\n.')).hexdigest()


class Evidence(CertTest):
    def relay(self, *offer, **more):
        fake = relay.Lenient(offer or ('8BITMIME',), **more)
        self.addCleanup(fake.close)
        return fake

    def secure(self, *offer, **more):
        return self.relay(*offer, cert=self.cert('good.pem'), **more)

    def account(self, name, fake):
        if fake.context:
            return ACCOUNT % (name, 'localhost', fake.port, name, name) + 'tls_name = relay.example\nca_file = %s\n' % self.cert('ca.pem')
        return ACCOUNT % (name, '127.0.0.1', fake.port, name, name) + 'security = none\n'

    def test_the_digest_is_of_what_the_relay_took(self):
        fake = self.secure()
        d = self.daemon(HEAD + self.account('a', fake))
        for text in ('.a line that begins with a dot\n.\n', 'x' * 200 + '\n' + 'y\n' * 100000):    # in the row, in the spool
            job = d.final(d.submit(to=['ops@example.com'], subject='Disk', text=text))
            one, = job['evidence']
            self.assertEqual(one['sha256'], digest(fake.mails[-1][1]))
            self.assertEqual(one['octets'], len(fake.mails[-1][1].replace(b'\r\n..', b'\r\n.')))
            self.assertEqual((one['address'], one['account'], one['at']), ('ops@example.com', 'a', job['attempts'][0]['end']))
            self.assertEqual((one['code'], one['enhanced'], one['text']), (250, '2.0.0', 'taken'))
            self.assertRegex(one['relay'], r'^localhost\[.*\]:%d$' % fake.port)
            self.assertRegex(one['tls'], r'^TLSv1\.[23] ')
        shown = subprocess.run([NOTIFYCTL, '--socket', d.socket, 'show', job['id']], capture_output=True, text=True, check=True).stdout
        self.assertIn(one['sha256'], shown)
        self.assertIn(one['tls'].split()[0], shown)
        d.kill()
        d.start()
        self.assertEqual(d.job(job['id'])['evidence'], [one])

    def test_in_one_flight_and_in_clear_too(self):
        fake = self.relay('PIPELINING', '8BITMIME', 'CHUNKING')
        d = self.daemon(HEAD + self.account('a', fake))
        for _ in range(2):
            one, = d.final(d.submit(to=['ops@example.com'], subject='Disk', text='full\n'))['evidence']
            self.assertEqual(one['sha256'], hashlib.sha256(fake.mails[-1][1]).hexdigest())
            self.assertNotIn('tls', one)

    def test_it_is_of_what_was_sent_whatever_becomes_of_the_file(self):
        fake = self.secure()
        d = self.daemon(HEAD + self.account('a', fake))
        for spoil in (os.unlink, lambda path: os.truncate(path, 1000)):
            fake.gate.clear()
            fake.waiting.clear()
            job = d.submit(to=['ops@example.com'], subject='Disk', text='x\n' * 100000)
            self.assertTrue(fake.waiting.wait(30))    # all of it has left
            spoil(os.path.join(d.state, 'spool', job))
            fake.gate.set()
            one, = d.final(job)['evidence']
            self.assertEqual(one['sha256'], digest(fake.mails[-1][1]))

    def test_a_file_that_is_too_short_is_not_sent_as_if_it_were_whole(self):
        fake = self.secure()
        d = self.daemon(HEAD + self.account('a', fake))
        self.assertEqual(d.post('/v1/accounts/a/pause', None, True).status, 200)
        job = d.submit(to=['ops@example.com'], subject='Disk', text='x\n' * 100000)
        os.truncate(os.path.join(d.state, 'spool', job), 100000)
        self.assertEqual(d.post('/v1/accounts/a/resume', None, True).status, 200)
        shown = until(lambda: (lambda j: j if 'shorter than it was' in str(j) else None)(d.job(job)), 'it is told')
        self.assertEqual(shown['state'], 'queued')
        self.assertEqual(fake.mails, [])

    def test_a_refused_job_has_none(self):
        d = self.daemon(HEAD + self.account('a', self.relay(faults={'END': '550 5.7.1 no'})))
        self.assertEqual(d.final(d.submit(to=['ops@example.com'], subject='x'))['evidence'], [])

    def test_each_recipient_has_that_of_the_transaction_that_reached_it(self):
        put_off = {'b@example.com', 'c@example.com'}
        fault = {'RCPT': lambda rest: LATER if any(address in rest for address in put_off) else None}
        one, two = self.secure(faults=fault), self.relay(faults=fault)
        d = self.daemon(HEAD + self.account('first', one))
        job = d.submit(to=['a@example.com', 'b@example.com', 'c@example.com'], subject='Disk', text='full\n')
        until(lambda: d.job(job)['attempt_count'] == 1, 'the first was reached')
        shown = d.job(job)
        self.assertEqual((shown['state'], [e['address'] for e in shown['evidence']]), ('queued', ['a@example.com']))
        put_off.remove('b@example.com')
        self.assertEqual(d.post('/v1/queue/flush', None, True).status, 200)
        until(lambda: d.job(job)['attempt_count'] == 2, 'the second was reached')
        d.stop()
        put_off.clear()
        d.configure(HEAD + self.account('other', two))    # another sender: another message
        d.start()
        d.post('/v1/queue/flush', None, True)
        a, b, c = d.final(job)['evidence']
        self.assertEqual([rcpts for rcpts, _ in one.mails + two.mails], [['a@example.com'], ['b@example.com'], ['c@example.com']])
        self.assertEqual([e['sha256'] for e in (a, b, c)], [digest(content) for _, content in one.mails + two.mails])
        self.assertEqual((a['sha256'] == b['sha256'], b['sha256'] == c['sha256']), (True, False))
        self.assertLess(a['at'], b['at'])
        self.assertLess(b['at'], c['at'])
        self.assertEqual([e['account'] for e in (a, b, c)], ['first', 'first', 'other'])
        self.assertEqual([e['relay'].rsplit(':')[-1] for e in (a, b, c)], [str(one.port)] * 2 + [str(two.port)])
        self.assertEqual(['tls' in e for e in (a, b, c)], [True, True, False])


if __name__ == '__main__':
    notifyd.unittest.main()
