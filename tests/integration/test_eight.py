# SPDX-License-Identifier: Apache-2.0
"""Ready messages with octets above 127, with a relay that offers 8BITMIME and with one that does not."""
import email
import email.policy
import hashlib
import os
import sys
import unittest

from notifyd import ProgramTest, until
from test_failover import CONFIG as PAIR

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'fake'))
import relay

CONFIG = '''
[daemon]
hostname = host.example
[access]
to_allow = @example.com
[account a]
provider = smtp
host = 127.0.0.1:%d
security = none
auth = none
max_connections = 1
from = Alerts <alerts@example.com>
'''
CRON = 'To: root@example.com\r\nSubject: Cron\r\n\r\n.Größe: 5 €\r\n--a\r\nFrom here\r\n%s'
MIXED = '''Subject: x\r
MIME-Version: 1.0\r
Content-Type: multipart/mixed; boundary=a\r
Content-Transfer-Encoding: 8bit\r
\r
--a\r
Content-Type: text/plain; charset=utf-8\r
Content-Transfer-Encoding: 8bit\r
\r
.Grüße\r
--a\r
Content-Type: application/pdf\r
Content-Disposition: attachment; filename="Übersicht.pdf"\r
\r
%%PDF ä\r
%s\r
--a\r
Content-Type: message/rfc822\r
\r
Subject: für dich\r
\r
Grüße\r
--a--\r
'''
SIGNED = MIXED.replace('multipart/mixed', 'multipart/signed; protocol="x/y"')


class Eight(ProgramTest):
    def started(self, *offer, **more):
        self.relay = relay.Lenient(offer=offer, **more)
        self.addCleanup(self.relay.close)
        return self.daemon(CONFIG % self.relay.port)

    def hand_in(self, d, message, query=''):
        reply = d.post('/v1/messages?to=ops@example.com' + query, message.encode(), headers={'Content-Type': 'message/rfc822'})
        self.assertEqual(reply.status, 202, reply)
        return reply.json['id']

    def taken(self):
        return self.relay.mails[-1][1].replace(b'\r\n..', b'\r\n.')

    def said(self, verb):
        return [what for stage, what in self.relay.heard if stage == verb]

    def assert_evidence(self, job):
        one, = job['evidence']
        digest = None if job.get('sensitive') else hashlib.sha256(self.taken()).hexdigest()
        self.assertEqual((one['octets'], one.get('sha256')), (len(self.taken()), digest))

    def test_a_relay_with_8bitmime_gets_the_octets_as_they_are(self):
        d = self.started('8BITMIME', 'SIZE')
        for message in (CRON % '', CRON % (('ä' * 70 + '\r\n') * 1000), MIXED % 'x', SIGNED % 'x'):
            job = d.final(self.hand_in(d, message))
            self.assertEqual(job['state'], 'delivered', job)
            self.assertTrue(self.taken().endswith(message.split('\r\n\r\n', 1)[1].encode()))
            self.assertTrue(self.said('MAIL')[-1].endswith(' BODY=8BITMIME'))
            self.assert_evidence(job)

    def test_one_without_it_gets_the_same_text_in_seven_bits(self):
        d = self.started('SIZE')
        for more in ('', ('ä' * 70 + ' \r\n') * 1000):    # in the database, in the spool
            for query in ('', '&sensitive=1'):
                text = CRON % more
                job = d.final(self.hand_in(d, text, query))
                self.assertEqual(job['state'], 'delivered', job)
                self.assertTrue(self.taken().isascii())
                self.assertLessEqual(max(map(len, self.taken().split(b'\r\n'))), 78)
                mail = email.message_from_bytes(self.taken(), policy=email.policy.default)
                self.assertEqual((mail.get_content_type(), mail.get_content_charset(), mail['MIME-Version']), ('text/plain', 'utf-8', '1.0'))
                self.assertEqual(mail.get_payload(decode=True), text.split('\r\n\r\n', 1)[1].encode())
                self.assertEqual(self.said('MAIL')[-1], 'FROM:<alerts@example.com> SIZE=%d' % len(self.taken()))
                self.assert_evidence(job)

    def test_in_one_flight_and_several_at_once_too(self):
        self.relay = relay.Lenient(offer=('PIPELINING', 'CHUNKING', 'SIZE'))
        self.addCleanup(self.relay.close)
        d = self.daemon(CONFIG % self.relay.port + 'window = 4\n')
        for _ in range(3):
            jobs = [d.final(job) for job in [self.hand_in(d, CRON % n) for n in range(8)]]
            self.assertEqual({job['state'] for job in jobs}, {'delivered'}, jobs)
        self.assertEqual(len(self.relay.mails), 24)
        for _, content in self.relay.mails:
            self.assertTrue(content.isascii())
            self.assertTrue(email.message_from_bytes(content).get_payload(decode=True).startswith('.Größe: 5 €\r\n'.encode()), content)

    def test_parts_are_converted_one_by_one(self):
        d = self.started()
        for more in ('x', ('ä' * 70 + '\r\n') * 1000):
            job = d.final(self.hand_in(d, MIXED % more))
            self.assertEqual(job['state'], 'delivered', job)
            self.assertTrue(self.taken().isascii())
            mail = email.message_from_bytes(self.taken(), policy=email.policy.default)
            text, pdf, message = mail.get_payload()
            self.assertEqual(text.get_payload(decode=True), '.Grüße'.encode())
            self.assertEqual(pdf['Content-Transfer-Encoding'], 'base64')
            self.assertIn("; filename=\"_bersicht.pdf\";\r\n filename*=utf-8''%C3%9Cbersicht.pdf\r\n", self.taken().decode())
            self.assertEqual(pdf.get_payload(decode=True), ('%PDF ä\r\n' + more).encode())
            self.assertEqual(message.get_payload(0)['Subject'], 'für dich')
            self.assertEqual(message.get_payload(0).get_payload(decode=True), 'Grüße'.encode())
            self.assertEqual([part.defects for part in mail.walk()], [[]] * 5)
            self.assert_evidence(job)

    def test_each_try_says_the_same(self):
        tries = []
        d = self.started(faults={'END': lambda content: tries.append(content) or ('451 4.3.0 once more' if len(tries) % 2 else None)})
        for more in ('', ('ä' * 70 + '\r\n') * 1000):
            job = self.hand_in(d, CRON % more)
            until(lambda: d.job(job)['attempt_count'], 'it was put off')
            self.assertEqual(d.post('/v1/jobs/%s/retry' % job, None, True).status, 200)
            job = d.final(job)
            self.assertEqual(job['state'], 'delivered', job)
            self.assertEqual(tries[-2], tries[-1])
            self.assertTrue(tries[-1].isascii())
            self.assert_evidence(job)

    def test_a_relay_that_offers_it_and_refuses_it_is_one_without_it(self):
        d = self.started('8BITMIME', faults={'MAIL': lambda what: '555 5.5.4 BODY is not known' if 'BODY' in what else None})
        job = d.final(self.hand_in(d, CRON % ''))
        self.assertEqual((job['state'], job['attempt_count']), ('delivered', 1), job)
        self.assertTrue(self.taken().isascii())
        self.assert_evidence(job)

    def test_what_is_signed_is_not_converted(self):
        d = self.started()
        for more in ('x', ('ä' * 70 + '\r\n') * 1000):
            job = d.final(self.hand_in(d, SIGNED % more))
            self.assertEqual((job['state'], job['attempt_count']), ('failed', 1), job)
            self.assertRegex(job['reason'], '^needs-8bitmime: 554 5.6.3 notifyd did not ask: .*signed')
            self.assertIn('quoted-printable', job['hint'])
        self.assertEqual((self.said('MAIL'), d.account('a')['state']), ([], 'ok'))

    def test_it_goes_by_another_account_that_takes_it(self):
        self.relay = relay.Lenient(offer=('8BITMIME',))
        other = relay.Lenient(offer=())
        self.addCleanup(self.relay.close)
        self.addCleanup(other.close)
        d = self.daemon(PAIR % ('2m', '15m', self.relay.port, other.port))
        job = d.final(self.hand_in(d, SIGNED % 'x'))
        self.assertEqual((job['state'], job['account']), ('delivered', 'b'), job)
        self.assertTrue(self.taken().endswith((SIGNED % 'x').split('\r\n\r\n', 1)[1].encode()))

    def test_composed_messages_have_seven_bits_already(self):
        d = self.started()
        for text in ('Größe', 'Größe\n' * 20000):
            job = d.final(d.submit(to='ops@example.com', text=text))
            self.assertEqual(job['state'], 'delivered', job)
            self.assertTrue(self.taken().isascii())
            self.assert_evidence(job)


if __name__ == '__main__':
    unittest.main()
