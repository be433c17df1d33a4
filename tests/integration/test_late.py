# SPDX-License-Identifier: Apache-2.0
"""A mail that comes much later than it was accepted, or than what it tells of, says so: once, and in the same octets at each try."""
import contextlib
import datetime
import email
import email.policy
import hashlib
import json
import os
import re
import sqlite3
import struct
import sys
import time
import unittest

from notifyd import ProgramTest, until
from test_reload import ACCOUNT, HEAD

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'fake'))
import relay

LATER = '451 4.2.1 come again'
DENIED = '550 5.7.60 SMTP; Client does not have permissions to send as this sender'
HOURS = 3 * 3600
JOB = {'to': 'ops@example.com', 'subject': 'Disk'}


def stamp(seconds_ago):
    return (datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(seconds=seconds_ago)).isoformat()


def texts(content):
    """The plain text and the HTML of a mail as it came by DATA."""
    message = email.message_from_bytes(re.sub(rb'(?m)^\.\.', b'.', content), policy=email.policy.default)
    found = [message.get_body((kind,)) for kind in ('plain', 'html')]
    return [part.get_payload(decode=True).decode().replace('\r\n', '\n') if part else '' for part in found]


class Late(ProgramTest):
    def started(self, *names, faults=None):
        self.relays = {name: relay.Lenient() for name in names or ('a',)}
        for fake in self.relays.values():
            self.addCleanup(fake.close)
        self.relay = self.relays['a']
        self.relay.faults.update(faults or {})
        return self.daemon(HEAD + ''.join(ACCOUNT % (name, fake.port) for name, fake in self.relays.items()), start=False).long_in_use().start()

    def put_off(self, d, **job):
        """A job that met a relay which takes nothing for now."""
        job = d.submit(**JOB, **job)
        until(lambda: d.job(job)['attempt_count'] == 1, 'it was put off')
        return job

    @contextlib.contextmanager
    def queue(self, d):
        with contextlib.closing(sqlite3.connect(os.path.join(d.state, 'queue.db'))) as queue, queue:
            yield queue

    def age(self, d, seconds, outage=False):
        """All jobs came so much earlier."""
        d.stop()
        with self.queue(d) as queue:
            queue.execute('UPDATE job SET created = created - ?', (seconds * 1000,))
        with open(os.path.join(d.state, 'downtime'), 'r+', encoding='ascii') as file:
            kept = json.load(file)
            kept['accounts'] = {name: [[kept['alive'] - seconds * 1000, kept['alive']]] if outage else [] for name in kept['accounts']}
            file.seek(0)
            json.dump(kept, file)
            file.truncate()
        d.start()

    def test_what_happened_long_ago_is_told_in_text_and_html(self):
        d = self.started()
        page = '<!DOCTYPE html>\n<html><head><title>x</title></head><body class="a>b"><h1>Größe</h1></body></html>'
        for text, sensitive in (('full\n', False), ('日本語\n' * 40, False), ('x\n' * 70000, False), ('y\n', True)):
            job = d.final(d.submit(**JOB, text=text, html=page, event_time=stamp(HOURS + 5), sensitive=sensitive))
            mail = self.relay.mails[-1][1]
            plain, html = texts(mail)
            notice, rest = plain.split('\n\n', 1)
            # In base64 it is filled up with spaces to groups of three octets.
            self.assertRegex(notice.replace('\n', ' ').rstrip(' '), r'^This message comes 3 hours after what it tells of: that was at \d{4}-\d\d-\d\d '
                             r'\d\d:\d\d UTC, and it was accepted at (\d{4}-\d\d-\d\d )?\d\d:\d\d UTC\.$')
            self.assertEqual(rest, text)
            begun, shown = html.split('<div style=', 1)
            self.assertEqual(begun.strip(), page.split('<h1>')[0])
            self.assertIn(notice.split(':')[0], ' '.join(shown.split()))
            self.assertTrue(shown.rstrip().endswith('</div>\n<h1>Größe</h1></body></html>') or shown.rstrip().endswith('</div><h1>Größe</h1></body></html>'), shown)
            octets = re.sub(rb'(?m)^\.\.', b'.', mail)
            evidence, = job['evidence']
            self.assertEqual(evidence['octets'], len(octets))
            self.assertEqual(evidence.get('sha256'), None if sensitive else hashlib.sha256(octets).hexdigest())
            sent = email.message_from_bytes(mail, policy=email.policy.default)['Date'].datetime
            self.assertLess(abs(sent.timestamp() - time.time()), 600)    # of the acceptance

    def test_several_at_once_say_it_too(self):
        d = self.started()
        self.relay.offer += ['PIPELINING', 'CHUNKING']
        d.stop()
        d.configure(HEAD + ACCOUNT % ('a', self.relay.port) + 'window = 4\nmax_connections = 1\n')
        d.start()
        d.final(d.submit(**JOB, text='first\n'))
        d.post('/v1/accounts/a/pause', None, True)
        jobs = [d.submit(**JOB, text='%d\n' % n, event_time=stamp(HOURS)) for n in range(12)]
        d.post('/v1/accounts/a/resume', None, True)
        taken = {hashlib.sha256(content).hexdigest(): texts(content)[0] for _, content in self.until_mails(13)}
        for n, job in enumerate(jobs):
            evidence, = d.final(job)['evidence']
            self.assertRegex(taken[evidence['sha256']], r'^This message comes 3 hours(.|\n)*\n\n%d\n$' % n)

    def until_mails(self, count):
        return until(lambda: self.relay.mails if len(self.relay.mails) >= count else None, 'the relay has %d mails' % count)

    def test_in_time_nothing_is_said(self):
        d = self.started()
        d.final(d.submit(**JOB, text='full\n', event_time=stamp(60)))
        d.final(d.submit(**JOB, text='full\n', event_time=stamp(-HOURS)))
        self.assertEqual([texts(content)[0] for _, content in self.relay.mails], ['full\n'] * 2)

    def test_what_could_not_be_sent_says_since_when_and_why(self):
        d = self.started(faults={'MAIL': LATER})
        job = self.put_off(d, text='full\n')
        self.age(d, HOURS)
        self.relay.faults.clear()
        d.post('/v1/queue/flush', None, True)
        d.final(job)
        notice = texts(self.relay.mails[0][1])[0].split('\n\n')[0].replace('\n', ' ')
        self.assertRegex(notice, r'^This message is 3 hours late: it was accepted at \d{4}-\d\d-\d\d \d\d:\d\d UTC and left at '
                         r'(\d{4}-\d\d-\d\d )?\d\d:\d\d UTC\. The mail server had put it off\.$')

    def test_an_account_that_was_down_is_the_reason(self):
        d = self.started(faults={'GREETING': '421 4.3.2 closed'})
        job = d.submit(**JOB, text='full\n')
        until(lambda: d.account('a')['state'] == 'failing', 'the account fails')
        self.age(d, HOURS, outage=True)
        self.relay.faults.clear()
        d.post('/v1/accounts/a/resume', None, True)
        d.final(job)
        self.assertIn('Meanwhile its mail account could not be used', texts(self.relay.mails[0][1])[0].replace('\n', ' '))

    def test_what_was_sent_before_is_sent_as_it_was(self):
        heard = []
        d = self.started(faults={'END': lambda content: heard.append(content) or LATER})
        plain = self.put_off(d, text='full\n')
        late = self.put_off(d, text='full\n', event_time=stamp(HOURS))
        self.assertEqual([texts(content)[0] == 'full\n' for content in heard], [True, False])
        shown = d.get('/v1/jobs/%s/message' % late, True).body
        self.assertEqual(shown, heard[1])
        self.assertEqual(d.get('/v1/jobs/%s/message' % plain, True).body, heard[0])
        d.stop()
        with self.queue(d) as queue:
            queue.execute('UPDATE job SET created = created - ? WHERE id = ?', (HOURS * 1000, plain))
            queue.execute('UPDATE job SET late = late + 4 * 120 WHERE id = ?', (late,))    # two hours later: is it that time which is told?
        d.start()
        self.relay.faults.clear()
        for job in (plain, late):
            d.post('/v1/jobs/%s/retry' % job, None, True)
            d.final(job)
        self.assertEqual(self.relay.mails[0][1], heard[0])
        self.assertEqual(self.relay.mails[1][1].replace(b'comes 5 hours', b'comes 3 hours').split(b'and it was')[0], heard[1].split(b'and it was')[0])

    def test_what_a_killed_notifyd_was_sending_is_sent_as_it_was(self):
        d = self.started()
        self.relay.gate.clear()
        job = d.submit(**JOB, text='full\n', event_time=stamp(HOURS))
        self.assertTrue(self.relay.waiting.wait(30))
        d.kill()
        with self.queue(d) as queue:
            self.assertEqual(queue.execute('SELECT late FROM job').fetchall(), [(0,)])
        with open(os.path.join(d.state, 'inflight'), 'r+b') as file:    # its slot: the time that was told, two hours later
            image = file.read()
            at = image.index(job.encode()) + 28
            file.seek(at)
            file.write(struct.pack('=I', struct.unpack('=I', image[at:at + 4])[0] + 4 * 120))
        self.relay.gate.set()
        until(lambda: len(self.relay.mails) == 1, 'the relay has what was under way')    # before the next one comes
        d.start()
        self.assertTrue(d.final(job)['uncertain'])
        until(lambda: len(self.relay.mails) == 2, 'the relay has it twice')
        first, second = [texts(content)[0].split('\n\n')[0].replace('\n', ' ') for _, content in self.relay.mails]
        self.assertTrue(first.startswith('This message comes 3 hours'))
        self.assertTrue(second.startswith('This message comes 5 hours'))

    def test_another_account_may_say_what_the_first_one_did_not(self):
        d = self.started('a', 'b', faults={'END': LATER})
        d.stop()
        d.configure(HEAD.replace('[daemon]', '[daemon]\naccounts = a, b\nfailover_after = 1s') +
                    ''.join(ACCOUNT % (name, fake.port) for name, fake in self.relays.items()))
        d.start()
        job = self.put_off(d, text='full\n')
        self.age(d, HOURS)
        self.relay.faults.clear()
        self.relay.faults['MAIL'] = DENIED
        d.post('/v1/jobs/%s/retry' % job, None, True)
        self.assertEqual(d.final(job)['account'], 'b')
        self.assertIn('The mail account that it was meant for could not be used.', texts(self.relays['b'].mails[0][1])[0].replace('\n', ' '))

    def there_and_back(self, before=lambda d, job: None, **job):
        """The relay of a may have taken it, b puts it off, then a takes it: what a was given first, what b was, and what a was at last."""
        first, between = [], []
        d = self.started('a', 'b', faults={'END': lambda content: first.append(content) or 'FIN'})
        a, b = self.relays['a'], self.relays['b']
        b.faults['END'] = lambda content: between.append(content) or LATER
        d.stop()
        d.configure(HEAD.replace('[daemon]', '[queue]\nuncertain_wait = 1s\n[daemon]\naccounts = a, b\nfailover_after = 1s') +
                    ''.join(ACCOUNT % (name, fake.port) for name, fake in self.relays.items()))
        d.start()
        job = self.put_off(d, text='full\n', **job)
        self.assertTrue(d.job(job)['uncertain'])
        before(d, job)
        a.faults['MAIL'] = DENIED
        d.post('/v1/jobs/%s/retry' % job, None, True)
        until(lambda: d.job(job)['account'] == 'b' and between, 'it is with b', 40)
        del a.faults['MAIL'], a.faults['END']
        d.post('/v1/accounts/a/resume', None, True)
        d.final(d.submit(to='other@example.com', subject='x', text='x', account='a'))
        b.faults['MAIL'] = DENIED
        d.post('/v1/jobs/%s/retry' % job, None, True)
        told = d.final(job, 60)
        self.assertEqual((told['state'], told['account'], told['uncertain']), ('delivered', 'a', True), told)
        last, = [content for rcpts, content in a.mails if rcpts == ['ops@example.com']]
        self.assertEqual(len(first), 1)
        return first[0], between[0], last

    def test_back_with_an_account_that_may_have_it_the_octets_are_those_of_before(self):
        first, between, last = self.there_and_back(lambda d, _: self.age(d, HOURS))
        self.assertEqual(texts(first)[0], 'full\n')
        self.assertIn('The mail account that it was meant for could not be used.', texts(between)[0].replace('\n', ' '))
        self.assertEqual(last, first)

    def test_so_are_those_with_a_notice_and_the_senders_name(self):
        def later(d, job):    # two hours: is it that time which is told again?
            d.stop()
            with self.queue(d) as queue:
                queue.execute('UPDATE job SET late = late + 4 * 120 WHERE id = ?', (job,))
            d.start()
        job = {'event_time': stamp(HOURS), 'from': '"Cron" <cron@web.example>'}
        first, between, last = self.there_and_back(later, **job)
        for content, hours in ((first, 3), (between, 3), (last, 5)):
            self.assertRegex(texts(content)[0], r'^This message comes %d hours after' % hours)
            self.assertIn(b'\r\nReply-To: Cron <cron@web.example>\r\n', content)
        self.assertEqual(last.replace(b'comes 5 hours', b'comes 3 hours').split(b'and it was')[0], first.split(b'and it was')[0])

    def test_a_ready_message_is_left_alone(self):
        d = self.started(faults={'MAIL': LATER})
        message = b'Subject: x\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 7bit\r\n\r\nfull\r\n'
        job = d.post('/v1/messages?to=ops@example.com', message, True, headers={'Content-Type': 'message/rfc822'}).json['id']
        until(lambda: d.job(job)['attempt_count'] == 1, 'it was put off')
        self.age(d, HOURS)
        self.relay.faults.clear()
        d.post('/v1/jobs/%s/retry' % job, None, True)
        d.final(job)
        self.assertEqual(texts(self.relay.mails[0][1])[0], 'full\n')


if __name__ == '__main__':
    unittest.main()
