# SPDX-License-Identifier: Apache-2.0
"""What was said with the relay in the last attempt that failed, as the job, its submitter and notifyctl show it."""
import os
import secrets
import subprocess
import sys

from notifyd import NOTIFYCTL, CertTest, until
from test_reload import HEAD

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'fake'))
import leaks
import relay

ACCOUNT = '''
[account a]
host = localhost:%d
tls_name = relay.example
ca_file = %s
from = "Alerts" <alerts@example.com>
'''
SIGNED = 'auth = password\nuser = u\npassword = file:%s\n'
JOB = {'to': ['ops@example.com'], 'subject': 'Disk', 'text': 'full\n'}
LATER = '451-4.2.1 the mailbox is asleep\r\n451 4.2.1 come again'


class Transcript(CertTest):
    def relay(self, *offer, **more):
        self.fake = relay.Lenient(offer or ('8BITMIME',), cert=self.cert('good.pem'), **more)
        self.addCleanup(self.fake.close)

    def started(self, signed=False, more='', head=HEAD):
        d = self.daemon(start=False)
        account = ACCOUNT % (self.fake.port, self.cert('ca.pem')) + more
        if signed:
            self.password = secrets.token_urlsafe(24)
            leaks.known(self.password)
            path = os.path.join(d.folder, 'password')
            with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), 'w', encoding='ascii') as file:
                file.write(self.password)
            account += SIGNED % path
        d.configure(head + account)
        d.start()
        return d

    def told(self, d, job, admin=True):
        """Once there is a transcript: [(from, text), …]."""
        shown = until(lambda: (lambda j: j if 'transcript' in j else None)(d.job(job, admin=admin)), 'a transcript')
        times = [line['ms'] for line in shown['transcript']]
        self.assertEqual(times, sorted(times))
        self.assertRegex(shown['transcript_start'], r'^20\d\d-')
        lines = [(line['from'], line['text']) for line in shown['transcript']]
        return lines[:-1] if lines[-1] == ('client', 'RSET') else lines    # the relay may be told to forget it

    def show(self, d, job, *options):
        return subprocess.run([NOTIFYCTL, '--socket', d.socket, 'show', job, *options], capture_output=True, text=True,
                              check=True).stdout

    def test_a_refused_recipient_is_told_from_the_connection_to_the_whole_reply(self):
        self.relay('AUTH PLAIN', faults={'RCPT': LATER})
        d = self.started(signed=True)
        job = d.submit(admin=False, **JOB)
        lines = self.told(d, job, admin=False)    # its submitter may see it
        self.assertEqual(lines[0], ('note', 'looking up localhost'))
        self.assertRegex(lines[1][1], r'^connected to localhost\[.*\]:%d$' % self.fake.port)
        self.assertEqual(lines[2:6], [('server', '220 relay ESMTP'), ('client', 'EHLO host.example'), ('server', '250-relay'),
                                      ('server', '250-AUTH PLAIN')])
        self.assertTrue(any(text.startswith('TLS stands') for _, text in lines))
        self.assertIn(('client', 'AUTH PLAIN <hidden>'), lines)
        self.assertEqual(lines[-6:], [
            ('server', '235 2.7.0 welcome'), ('client', 'MAIL FROM:<alerts@example.com>'), ('server', '250 2.0.0 ok'),
            ('client', 'RCPT TO:<ops@example.com>'), ('server', '451-4.2.1 the mailbox is asleep'), ('server', '451 4.2.1 come again')])
        d.kill()
        d.start()
        self.assertEqual(self.told(d, job)[:1], lines[:1])    # it is on disk
        self.assertIn('show --transcript %s' % job, self.show(d, job))
        whole = self.show(d, job, '--transcript')
        self.assertRegex(whole, r'\n +\d+\.\d{3}  > RCPT TO:<ops@example.com>\n +\d+\.\d{3}  < 451-4.2.1 the mailbox is asleep\n')
        self.assertNotIn('show --transcript', whole)
        # only the last attempt is told, and nothing once it was delivered
        self.fake.faults['RCPT'] = '452 4.3.1 too full'
        self.assertEqual(d.post('/v1/jobs/%s/retry' % job, None, True).status, 200)
        until(lambda: ('server', '452 4.3.1 too full') in self.told(d, job), 'the next attempt')
        self.assertNotIn(('server', '451 4.2.1 come again'), self.told(d, job))
        self.fake.faults.clear()
        self.assertEqual(d.post('/v1/jobs/%s/retry' % job, None, True).status, 200)
        done = d.final(job)
        self.assertEqual(done['state'], 'delivered')
        self.assertNotIn('transcript', done)
        self.assertNotIn('transcript', self.show(d, job, '--transcript'))

    def test_of_the_message_there_is_its_size(self):
        self.relay('PIPELINING', '8BITMIME', 'CHUNKING', faults={'END': lambda content: '550 5.7.1 spam' if b'offer' in content else None})
        d = self.started()
        for text in ('an offer\n', 'an offer\n' + 'x' * 70 + '\n', 'an offer\n' + 'y\n' * 100000):
            job = d.submit(**dict(JOB, text=text))
            self.assertEqual(d.final(job)['state'], 'failed')
            lines = self.told(d, job)
            size = next(int(text.split()[1]) for by, text in lines if text.startswith('BDAT')) if len(text) < 1000 else None
            self.assertIn(('client', '<{:,} octets>'.format(size)) if size else ('server', '354 go on'), lines)
            self.assertRegex(str(lines), r'<[0-9,]+ octets>')
            self.assertEqual(lines[-1], ('server', '550 5.7.1 spam'))
            self.assertFalse([text for _, text in lines if 'offer' in text or 'yy' in text or 'xx' in text], lines)
            # only the first mail of a session has the opening
            self.assertEqual(d.final(d.submit(**JOB))['state'], 'delivered')
            next_one = d.submit(**dict(JOB, text='an offer\n'))
            self.assertEqual(d.final(next_one)['state'], 'failed')
            self.assertEqual(self.told(d, next_one)[0], ('client', 'MAIL FROM:<alerts@example.com>'))

    def test_mails_beside_each_other_are_told_one_by_one(self):
        self.relay('PIPELINING', '8BITMIME', 'CHUNKING', faults={'RCPT': lambda rest: '550 5.1.1 nobody' if 'bad' in rest else None})
        d = self.started(more='window = 8\nmax_connections = 1\n')
        self.assertEqual(d.final(d.submit(**JOB))['state'], 'delivered')
        self.assertEqual(d.post('/v1/queue/pause', None, True).status, 200)
        jobs = [d.submit(to=['%s%d@example.com' % ('bad' if n % 2 else 'good', n)], subject='x') for n in range(8)]
        self.assertEqual(d.post('/v1/queue/resume', None, True).status, 200)
        for n, job in enumerate(jobs):
            shown = d.final(job)
            self.assertEqual(shown['state'], 'failed' if n % 2 else 'delivered')
            if n % 2:
                self.assertEqual([text for _, text in self.told(d, job) if 'RCPT' in text or text.startswith('550')],
                                 ['RCPT TO:<bad%d@example.com>' % n, '550 5.1.1 nobody'])

    def test_a_session_that_never_stood_is_told_with_the_jobs_that_wait(self):
        for stage, reply, last in (
                ('GREETING', '554 5.7.1 go away', 'refused while waiting for the greeting: 554 5.7.1 go away'),
                ('STARTTLS', '454 4.7.0 no TLS today', 'refused while asking for encryption'),
                ('EHLO', 'FIN', 'closed the connection while introducing itself')):
            with self.subTest(stage):
                self.relay(faults={stage: reply})
                d = self.started()
                lines = self.told(d, d.submit(admin=False, **JOB), admin=False)
                if reply != 'FIN':
                    self.assertEqual(lines[-2], ('server', reply))
                self.assertEqual(lines[-1][0], 'note')
                self.assertIn(last, lines[-1][1])

    def test_a_certificate_and_a_closed_port_are_told(self):
        self.relay()
        d = self.daemon(HEAD + ACCOUNT.replace('relay.example', 'other.example') % (self.fake.port, self.cert('ca.pem')))
        job = d.submit(**JOB)
        lines = self.told(d, job)
        self.assertEqual(lines[-2], ('server', '220 2.0.0 go ahead'))
        self.assertIn('other.example', lines[-1][1])
        self.fake.shut()
        self.assertEqual(d.post('/v1/accounts/a/resume', None, True).status, 200)
        until(lambda: 'refused' in self.told(d, job)[-1][1], 'the port is closed')
        self.assertNotIn('server', [side for side, _ in self.told(d, job)])

    def test_what_concerns_the_mail_of_one_is_not_shown_to_another(self):
        self.relay(faults={'MAIL': '421 4.3.2 not now'})
        d = self.started()
        for _ in range(2):
            d.submit(**JOB)
        until(lambda: d.account('a')['state'] == 'failing', 'the account is failing')
        self.assertNotIn('transcript', d.job(d.submit(**JOB)))

    def test_a_sensitive_job_has_none(self):
        self.relay(faults={'RCPT': LATER, 'END': '550 5.7.1 spam'})
        d = self.started()
        job = d.submit(**JOB, sensitive=True)
        until(lambda: d.job(job)['attempt_count'] == 1, 'it was tried')
        self.assertNotIn('transcript', d.job(job))
        del self.fake.faults['RCPT']
        self.assertEqual(d.post('/v1/jobs/%s/retry' % job, None, True).status, 200)
        self.assertNotIn('transcript', d.final(job))

    def test_a_relay_that_echoes_what_it_does_not_understand_gives_nothing_away(self):
        self.relay('AUTH PLAIN', faults={'AUTH': lambda rest: '500 5.5.1 Command unrecognized: "AUTH %s"' % rest})
        d = self.started(signed=True, head=HEAD.replace('[daemon]\n', '[daemon]\nlog_level = debug\n'))
        lines = self.told(d, d.submit(**JOB))
        self.assertIn('< 500 5.5.1 Command unrecognized: "AUTH PLAIN <hidden>"', d.tail(100000))
        self.assertEqual(lines[-3:-1], [('client', 'AUTH PLAIN <hidden>'), ('server', '500 5.5.1 Command unrecognized: "AUTH PLAIN <hidden>"')])
        self.assertIn('"AUTH PLAIN <hidden>"', lines[-1][1])
        self.assertIn('"AUTH PLAIN <hidden>"', d.account('a')['reason'])    # and so in the log, which is looked through
