# SPDX-License-Identifier: Apache-2.0
"""Addresses of all scripts, with a relay that offers SMTPUTF8 and with one that does not; evidence is of what was sent."""
import base64
import email
import email.policy
import hashlib
import os
import re
import sys
import tempfile
import unittest

from notifyd import ProgramTest, until

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'fake'))
import https
import relay
from test_trust import HELLO, MAIL, Proxy

CONFIG = '''
[daemon]
hostname = host.example
[access]
to_allow = @müller.example, größe@example.com
[account a]
provider = smtp
host = 127.0.0.1:%d
security = none
auth = none
max_connections = 1
from = Alerts <%s>
'''


class AllScripts(ProgramTest):
    def started(self, *offer, sender='alerts@bücher.example'):
        self.relay = relay.Lenient(offer=offer)
        self.addCleanup(self.relay.close)
        return self.daemon(CONFIG % (self.relay.port, sender))

    def said(self, verb):
        return [what for stage, what in self.relay.heard if stage == verb]

    def header(self):
        return self.relay.mails[-1][1].split(b'\r\n\r\n')[0].decode('utf-8')

    def states(self, job):
        return {r['address']: (r['state'], r.get('code')) for r in job['recipients']}

    def assert_evidence(self, d, job):
        evidence = d.job(job['id'])['evidence'][-1]
        content = re.sub(rb'(?m)^\.\.', b'.', self.relay.mails[-1][1])
        digest = None if job.get('sensitive') else hashlib.sha256(content).hexdigest()
        self.assertEqual((evidence['octets'], evidence.get('sha256')), (len(content), digest))

    def test_a_domain_needs_nothing_of_the_relay(self):
        d = self.started('8BITMIME')
        job = d.final(d.submit(False, to=['ops@MÜLLER.example', 'Ops <ops@xn--mller-kva.example>'], text='x', reply_to='a@例え.jp'))
        self.assertEqual(self.states(job), {'ops@MÜLLER.example': ('delivered', 250)}, job)
        self.assertEqual(self.said('MAIL'), ['FROM:<alerts@xn--bcher-kva.example>'])
        self.assertEqual(self.said('RCPT'), ['TO:<ops@xn--mller-kva.example>'])
        header = self.header()
        for line in ('From: Alerts <alerts@xn--bcher-kva.example>', 'To: <ops@xn--mller-kva.example>', 'Reply-To: <a@xn--r8jz45g.jp>'):
            self.assertIn(line, header)
        self.assert_evidence(d, job)

    def test_smtputf8_is_asked_for_where_it_is_needed(self):
        d = self.started('8BITMIME', 'SMTPUTF8')
        job = d.final(d.submit(False, to=['größe@example.com', 'ops@müller.example'], text='x'))
        self.assertEqual(self.states(job), {'größe@example.com': ('delivered', 250), 'ops@müller.example': ('delivered', 250)}, job)
        self.assertEqual(self.said('MAIL'), ['FROM:<alerts@xn--bcher-kva.example> BODY=8BITMIME SMTPUTF8'])
        self.assertEqual(self.said('RCPT'), ['TO:<größe@example.com>', 'TO:<ops@xn--mller-kva.example>'])
        self.assertIn('To: <größe@example.com>, <ops@xn--mller-kva.example>', self.header())
        self.assert_evidence(d, job)
        d.final(d.submit(False, to='ops@müller.example', text='x'))
        self.assertEqual(self.said('MAIL')[-1], 'FROM:<alerts@xn--bcher-kva.example>')

    def test_without_it_that_recipient_alone_is_refused(self):
        d = self.started('8BITMIME')
        for text, sensitive in (('x', False), ('a line\n' * 20000, False), ('y', True)):    # in the database, in the spool, sealed
            job = d.final(d.submit(False, to=['größe@example.com', 'Ops <ops@müller.example>'], text=text, sensitive=sensitive))
            self.assertEqual(self.states(job), {'größe@example.com': ('refused', 553), 'ops@müller.example': ('delivered', 250)}, job)
            words = job['recipients'][0]['text']
            for part in ('<größe@example.com>', '127.0.0.1', 'SMTPUTF8', 'ASCII before the @'):
                self.assertIn(part, words)
            group = '=?utf-8?B?%s?= :;' % base64.b64encode('größe@example.com'.encode()).decode()
            self.assertIn('To: %s, Ops <ops@xn--mller-kva.example>\r\n' % group, self.header() + '\r\n')
            self.assertTrue(self.relay.mails[-1][1].isascii())
            self.assertIn(text.replace('\n', '\r\n').encode(), self.relay.mails[-1][1])
            self.assert_evidence(d, job)
        self.assertEqual({what for what in self.said('RCPT')}, {'TO:<ops@xn--mller-kva.example>'})
        for _ in range(6):    # the address is the trouble, not the account
            self.assertEqual(d.final(d.submit(False, to='größe@example.com', text='x'))['state'], 'failed')
        self.assertEqual(d.account('a')['state'], 'ok')

    def test_a_relay_that_offers_it_and_refuses_it_is_one_without_it(self):
        d = self.started('8BITMIME', 'SMTPUTF8')
        self.relay.faults['MAIL'] = lambda what: '555 5.5.4 SMTPUTF8 is not known' if 'SMTPUTF8' in what else None
        job = d.final(d.submit(False, to=['größe@example.com', 'ops@müller.example'], text='x'))
        self.assertEqual(self.states(job), {'größe@example.com': ('refused', 553), 'ops@müller.example': ('delivered', 250)}, job)
        self.assertEqual(job['attempt_count'], 1, job)
        self.assertTrue(self.relay.mails[-1][1].isascii())
        self.assert_evidence(d, job)

    def test_a_sender_who_cannot_be_said_holds_the_account(self):
        d = self.started('8BITMIME', sender='wächter@example.com')
        job = d.submit(False, to='ops@müller.example', text='x')
        account = until(lambda: (lambda a: a if a['state'] == 'held' else None)(d.account('a')), 'the account is held')
        self.assertIn('sender-needs-smtputf8', account['reason'])
        self.assertIn('wächter@example.com', account['reason'])
        self.assertIn('ASCII', account['hint'])
        self.assertEqual((d.job(job)['state'], d.job(job)['attempt_count'], self.said('MAIL')), ('queued', 0, []))
        self.relay.offer.append('SMTPUTF8')
        self.assertEqual(d.post('/v1/accounts/a/resume', None, True).status, 200)
        self.assertEqual(d.final(job)['state'], 'delivered')
        self.assertEqual(self.said('MAIL'), ['FROM:<wächter@example.com> BODY=8BITMIME SMTPUTF8'])
        self.assertIn('From: Alerts <wächter@example.com>', self.header())

    def test_what_is_no_domain_is_refused_with_its_place(self):
        d = self.started('8BITMIME')
        for to, field in ((['ops@müller.example', 'a@i❤.ws'], 'to[1]'), ('a@-ü.example', 'to'), ('a@%s.example' % ('ü' * 60), 'to')):
            reply = d.post('/v1/jobs', {'to': to, 'text': 'x'})
            self.assert_problem(reply, 400, 'invalid-value', 'is not one')
            self.assertEqual(reply.json['field'], field)
            self.assertIn('xn--', reply.json['hint'])
        self.assert_problem(d.post('/v1/jobs', {'to': 'ops@muller.example', 'text': 'x'}), 403, 'recipient-not-allowed')

    def test_a_ready_message_keeps_its_octets_where_they_can_be_said(self):
        d = self.started('8BITMIME', 'SMTPUTF8')
        message = 'To: Größe <größe@example.com>\r\nSubject: x\r\n\r\nGrüße\r\n'.encode()
        for offer in (True, False):
            if not offer:
                self.relay.offer.remove('SMTPUTF8')
                d.post('/v1/accounts/a/pause', None, True)
                d.post('/v1/accounts/a/resume', None, True)
                self.relay.faults['MAIL'] = lambda _: self.relay.faults.pop('MAIL') and '421 4.3.0 bye'
            reply = d.post('/v1/messages?to=ops@m%C3%BCller.example', message, headers={'Content-Type': 'message/rfc822'})
            self.assertEqual(reply.status, 202, reply)
            job = d.final(reply.json['id'])
            self.assertEqual(job['state'], 'delivered', job)
            self.assertEqual('<größe@example.com>' in self.header(), offer)
            self.assertTrue(self.relay.mails[-1][1].endswith('\r\n\r\nGrüße\r\n'.encode()))
            self.assertEqual(self.said('MAIL')[-1].endswith('SMTPUTF8'), offer)
            self.assert_evidence(d, job)

    def test_a_ready_message_may_name_people_without_brackets(self):
        d = self.started('8BITMIME')
        message = 'From: alerts@bücher.example\r\nTo: größe@example.com, ops@müller.example\r\nCc: Ops <ops@müller.example>\r\nSubject: x\r\n\r\nx\r\n'
        reply = d.post('/v1/messages?t=1', message.encode(), True, headers={'Content-Type': 'message/rfc822'})
        self.assertEqual(reply.status, 202, reply)
        job = d.final(reply.json['id'])
        self.assertEqual(self.states(job), {'größe@example.com': ('refused', 553), 'ops@müller.example': ('delivered', 250)}, job)
        self.assertIn('SMTPUTF8', job['recipients'][0]['text'])
        group = '=?utf-8?B?%s?= :;' % base64.b64encode('größe@example.com'.encode()).decode()
        for line in ('From: Alerts <alerts@xn--bcher-kva.example>',
                     'To: %s, ops@xn--mller-kva.example' % group, 'Cc: Ops <ops@xn--mller-kva.example>'):
            self.assertIn(line + '\r\n', self.header() + '\r\n')
        self.assertTrue(self.relay.mails[-1][1].isascii())
        self.assert_evidence(d, job)

    def test_what_people_read_in_a_raw_header_is_encoded_where_it_has_to_be(self):
        d = self.started('8BITMIME', 'SMTPUTF8')
        header = ('To: "Größe, Ops" <ops@müller.example> (Wächter)\r\nSubject: Die Größe der Platte überschreitet alles,\r\n was wir kennen\r\n'
                  'X-Team: Wächter\r\nX-Plain: as it is\r\n')
        for offer in (True, False):
            if not offer:
                self.relay.offer.remove('SMTPUTF8')
                self.relay.faults['IDLE'] = '421 4.3.0 bye'    # the next one on a new session
                self.assertEqual(d.final(d.submit(to='ops@müller.example', text='x'))['state'], 'delivered')
                del self.relay.faults['IDLE']
            for body in ('Grüße\r\n', 'Grüße\r\n' * 20000):    # in the database, in the spool
                message = (header.replace('müller', 'xn--mller-kva') + '\r\n' + body).encode()
                tries = []
                self.relay.faults['END'] = lambda content: '451 4.3.0 once more' if tries.append(content) or len(tries) == 1 else None
                reply = d.post('/v1/messages?to=ops@m%C3%BCller.example', message, headers={'Content-Type': 'message/rfc822'})
                self.assertEqual(reply.status, 202, reply)
                job = reply.json['id']
                until(lambda: d.job(job)['attempt_count'], 'it was put off')
                self.assertEqual(d.post('/v1/jobs/%s/retry' % job, None, True).status, 200)
                job = d.final(job)
                self.assertEqual(job['state'], 'delivered', job)
                self.assertEqual(tries[0], tries[1])
                del self.relay.faults['END']
                self.assertFalse(self.said('MAIL')[-1].endswith('SMTPUTF8'))
                self.assertTrue(self.relay.mails[-1][1].endswith(('\r\n\r\n' + body).encode()))
                self.assertIn('X-Plain: as it is\r\n', self.header() + '\r\n')
                self.assertEqual(self.header().isascii(), not offer)
                told = email.message_from_string(self.header() + '\r\n\r\n', policy=email.policy.default)
                self.assertEqual((told['Subject'], told['X-Team'], told['To'].addresses[0].display_name, told['To'].addresses[0].addr_spec),
                                 ('Die Größe der Platte überschreitet alles, was wir kennen', 'Wächter', 'Größe, Ops', 'ops@xn--mller-kva.example'))
                self.assert_evidence(d, job)

    def test_a_ready_message_with_a_header_of_megabytes(self):
        d = self.started('8BITMIME')
        line = b'X-Trace: ' + b'a' * 900 + b'\r\n'
        for count, state in ((1500, 'delivered'), (5000, 'failed')):
            message = 'To: <größe@example.com>\r\n'.encode() + line * count + b'Subject: x\r\n\r\nbody\r\n\r\nend\r\n'
            reply = d.post('/v1/messages?to=ops@m%C3%BCller.example', message, headers={'Content-Type': 'message/rfc822'})
            self.assertEqual(reply.status, 202, reply)
            job = d.final(reply.json['id'])
            self.assertEqual((job['state'], job['attempt_count']), (state, 1), job)
            if state == 'delivered':
                self.assertTrue(self.relay.mails[-1][1].isascii())
                self.assertIn(line * count, self.relay.mails[-1][1])
                self.assertTrue(self.relay.mails[-1][1].endswith(b'\r\n\r\nbody\r\n\r\nend\r\n'))
        self.assertIn('the header of the message is larger than 4 MiB', job['recipients'][0]['text'])
        self.assertTrue(job['reason'].startswith('too-big'), job)
        self.assertEqual((d.account('a')['state'], len(self.relay.mails)), ('ok', 1))

    def test_a_host_is_asked_for_and_proved_by_its_ascii_form(self):
        name, files = 'smtp.xn--bcher-kva.example', tempfile.TemporaryDirectory()
        self.addCleanup(files.cleanup)
        https.make_certificates(files.name, (name,))
        path = os.path.join(files.name, 'dialogue')
        with open(path, 'w', encoding='utf-8') as file:
            file.write(HELLO + 'TLS\nC: EHLO host.example\nS: 250 relay.example\n' + MAIL)
        names = []
        server = relay.Relay([path], os.path.join(files.name, name + '.crt'), os.path.join(files.name, name + '.key'))
        server.context.sni_callback = lambda _, said, __: names.append(said)
        server.start()
        proxy = Proxy('socks5')
        self.addCleanup(proxy.close)
        d = self.daemon(CONFIG.replace('127.0.0.1:%d', 'SMTP.Bücher.example:%d').replace('= none', '= starttls', 1) % (server.port, 'a@b.example') +
                        'ca_file = %s/ca.crt\nsmtp_proxy = %s\n' % (files.name, proxy.url))
        job = d.final(d.submit(to='ops@example.com', text='x'))
        self.assertEqual(job['state'], 'delivered', job)
        self.assertEqual((proxy.asked, names), ([(name, server.port)], [name]))
        self.assertTrue(job['attempts'][-1]['relay'].startswith('SMTP.Bücher.example['), job)    # shown as it was written
        d.stop()
        self.assertEqual(server.wait(), [])


if __name__ == '__main__':
    unittest.main()
