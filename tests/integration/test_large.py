# SPDX-License-Identifier: Apache-2.0
"""Large submissions: what they cost in memory, that nobody waits for them, and what becomes of them when something goes wrong."""
import base64
import email
import email.policy
import json
import os
import select
import subprocess
import threading
import unittest

import notifyd
from notifyd import ProgramTest, UnixConnection, until
from test_paced import Limits

M = 1 << 20
LINE = 'The quick "brown" fox jumps over the lazy dog\n'
CONFIG = '[access]\nto_allow = *\nquota_bytes = 8G\n[queue]\nmin_free = 1M\n'
JOB = {'to': 'ops@example.org', 'subject': 's'}
TEXT = LINE * (34 * M // 48)    # each line has two escapes and its end: 49 octets of JSON
HTML = '<p>' + '<b>word</b> &amp; "more" of a page<br>\n' * (32 * M // 44) + '</p>'
CONTENT = bytes(range(256)) * (25 * M // 256)
READY = b'From: x@example.org\r\nSubject: s\r\n\r\n' + LINE.encode() * (34 * M // 46)


def as_json(**fields):
    return json.dumps(dict(JOB, **fields)).encode()


def bodies():
    """name -> route, body, headers"""
    return {
        'text': ('/v1/jobs', as_json(text=TEXT), {}),
        'html': ('/v1/jobs', as_json(html=HTML), {}),
        'attachment': ('/v1/jobs', as_json(attachments=[{'name': 'a.bin', 'content': base64.b64encode(CONTENT).decode()}]), {}),
        'plain text': ('/v1/jobs?to=ops@example.org&subject=s', TEXT.encode(), {'Content-Type': 'text/plain'}),
        'ready': ('/v1/messages?to=ops@example.org', READY, {'Content-Type': 'message/rfc822'}),
    }


class Sent:
    """A request whose body is wholly sent; its answer is taken later."""

    def __init__(self, path, target, body, headers=None):
        self.connection = UnixConnection(path)
        try:
            self.connection.request('POST', target, body, dict({'Content-Type': 'application/json'}, **(headers or {})))
        except (BrokenPipeError, ConnectionResetError):
            pass    # refused before all of the body was taken: the answer is there all the same

    def answered(self):
        """Whether the answer has begun to come: asks without waiting."""
        return bool(select.select([self.connection.sock], [], [], 0)[0])

    def reply(self):
        reply = self.connection.getresponse()
        try:
            return notifyd.Reply(reply.status, reply.headers, reply.read())
        finally:
            self.connection.close()

    def leave(self):
        self.connection.close()


class Large(ProgramTest):
    def setUp(self):
        self.d = self.daemon(CONFIG)

    def memory(self, which):
        with open('/proc/%d/status' % self.d.process.pid) as file:
            return next(int(line.split()[1]) / 1024 for line in file if line.startswith(which))

    def forget_peak(self):
        with open('/proc/%d/clear_refs' % self.d.process.pid, 'w') as file:
            file.write('5')

    def send(self, target, body, headers=None):
        return Sent(self.d.admin, target, body, headers)

    def spooled(self):
        return os.listdir(os.path.join(self.d.state, 'spool'))

    def message(self, job_id):
        """The job's message as a mail program reads it: its sender is added, for these jobs have no account."""
        with open(os.path.join(self.d.state, 'spool', job_id), 'rb') as file:
            return email.message_from_binary_file(file, policy=email.policy.default)


class Memory(Large):
    @unittest.skipIf(notifyd.sanitized(), 'memory is measured on plain builds only: a sanitizer keeps what is freed')
    def test_one_large_job_costs_its_body_and_little_more(self):
        for name, (target, body, headers) in bodies().items():
            with self.subTest(name):
                idle = self.memory('VmRSS')
                self.forget_peak()
                reply = self.send(target, body, headers).reply()
                peak = self.memory('VmHWM')
                print('%s: %.0f MB, peak %.0f MB' % (name, len(body) / M, peak), end='; ')
                self.assertEqual(reply.status, 202, reply)
                # html is read while the text made of it is written; no body is in memory twice.
                self.assertLess(peak, idle + 1.3 * len(body) / M + (24 if name == 'html' else 8))
                self.assertLess(self.memory('VmRSS'), idle + 8, 'memory that was freed is kept')

    @unittest.skipIf(notifyd.sanitized(), 'memory is measured on plain builds only: a sanitizer keeps what is freed')
    def test_64_clients_with_35_megabytes_each_stay_within_128(self):
        sorts = list(bodies().values())
        accepted, refused = [], []

        def client(n):
            target, body, headers = sorts[n % len(sorts)]
            while True:
                try:
                    reply = self.send(target, body, headers).reply()
                except (ConnectionError, notifyd.http.client.HTTPException):
                    reply = None    # refused while it was still sending
                if reply:
                    (accepted if reply.status == 202 else refused).append(reply)
                if (reply and reply.status == 202) or len(accepted) >= 12:
                    return
                threading.Event().wait(0.5)    # Retry-After says a second

        self.forget_peak()
        threads = [threading.Thread(target=client, args=(n,)) for n in range(64)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertLessEqual(self.memory('VmHWM'), 128)
        self.assertEqual({(r.status, r.json['code'], r.headers['Retry-After']) for r in refused} - {(503, 'memory', '1')}, set())
        print('peak %.0f MB' % self.memory('VmHWM'), end='; ')


class Windows(Limits):
    """What accounts have of their due jobs in memory."""
    def many(self, accounts, memory, port):
        return self.daemon('[daemon]\nmemory = %s\n%s' % (memory, CONFIG) + ''.join(
            '[account a%d]\nhost = 127.0.0.1:%d\nfrom = a@example.org\nsecurity = none\nauth = none\n' % (n, port) for n in range(accounts)))

    def fill(self, accounts, jobs, size):
        self.assertEqual(self.d.post('/v1/queue/pause', b'', True).status, 200)
        for n in range(accounts):
            reply = self.d.post('/v1/jobs', jobs * [dict(JOB, text=LINE * (size // len(LINE)), account='a%d' % n)], True)
            self.assertEqual(reply.status, 202, reply)

    memory = Large.memory

    @unittest.skipIf(notifyd.sanitized(), 'memory is measured on plain builds only: a sanitizer keeps what is freed')
    def test_many_accounts_share_the_memory(self):
        self.d = self.many(12, '64M', 1)
        idle = self.memory('VmRSS')
        self.fill(12, 150, 60000)
        print('%.0f MB after %.0f' % (self.memory('VmRSS'), idle), end='; ')
        self.assertLess(self.memory('VmRSS'), idle + 64)

    def test_with_little_memory_each_account_sends_all_it_has(self):
        fake = self.lenient()
        self.d = self.many(6, '1M', fake.port)
        self.fill(6, 12, 50000)
        self.assertEqual(self.d.post('/v1/queue/resume', b'', True).status, 200)
        until(lambda: self.d.status()['totals'].get('delivered') == 72, 'all are delivered')
        self.assertEqual(len(fake.mails), 72)


class Order(Large):
    def test_small_jobs_are_answered_while_a_large_one_is_worked_on(self):
        for name, (target, body, headers) in bodies().items():
            with self.subTest(name):
                large = self.send(target, body, headers)
                answers = 0
                while not large.answered():
                    self.assertEqual(self.d.post('/v1/jobs', JOB, True).status, 202)
                    answers += not large.answered()
                self.assertEqual(large.reply().status, 202)
                self.assertGreater(answers, 2, 'the small jobs had to wait for the large one')

    def test_several_jobs_keep_their_order_around_a_large_one(self):
        jobs = [dict(JOB, key='k%d' % n, text=LINE * (40000 if n in (3, 7) else 1)) for n in range(10)]
        for body, headers in ((json.dumps(jobs), {}), ('\n'.join(map(json.dumps, jobs)), {'Content-Type': 'application/x-ndjson'})):
            with self.subTest(headers):
                reply = self.send('/v1/jobs', body.encode(), headers).reply()
                self.assertEqual(reply.status, 202, reply)
                answers = reply.json if not headers else [json.loads(line) for line in reply.body.splitlines()]
                self.assertEqual([self.d.job(a['id'])['key'] for a in answers], [j['key'] for j in jobs])
                self.assertIn(answers[3]['id'], self.spooled())

    def test_a_bad_large_value_ends_the_stream_and_the_line_is_told(self):
        body = json.dumps(JOB) + '\n' + json.dumps(dict(JOB, text=LINE * 40000))[:-1] + ',}\n' + json.dumps(JOB)
        reply = self.send('/v1/jobs', body.encode(), {'Content-Type': 'application/x-ndjson'}).reply()
        answers = [json.loads(line) for line in reply.body.splitlines()]
        self.assertEqual([a.get('code') for a in answers], [None, 'malformed'])
        self.assertEqual(answers[1]['line'], 2)


class Content(Large):
    def test_what_was_sent_is_what_is_kept(self):
        said = 'Zürich "quoted" \\ \u2603 \U0001f600 tab\t.\n' * 20000
        for ascii_only in (True, False):
            body = json.dumps(dict(JOB, text=said, html='<p>' + said, attachments=[{'name': 'a', 'content': base64.encodebytes(CONTENT[:M]).decode()}]),
                              ensure_ascii=ascii_only).encode()
            reply = self.send('/v1/jobs', body).reply()
            self.assertEqual(reply.status, 202, reply)
            mail = self.message(reply.json['id'])
            self.assertEqual(mail.get_body(('plain',)).get_content().replace('\r\n', '\n'), said)
            self.assertEqual(mail.get_body(('html',)).get_content().replace('\r\n', '\n'), '<p>' + said)
            self.assertEqual([part.get_content() for part in mail.iter_attachments()], [CONTENT[:M]])

    def test_a_large_form_and_a_large_log_come_whole(self):
        from urllib.parse import urlencode
        said = LINE * 20000
        form = urlencode(dict(JOB, text=said)).encode()
        for target, body, kind in (('/v1/jobs', form, 'application/x-www-form-urlencoded'),
                                   ('/v1/jobs?to=ops@example.org&subject=s', said.encode() + b'\xff\n', 'text/plain')):
            reply = self.send(target, body, {'Content-Type': kind}).reply()
            self.assertEqual(reply.status, 202, reply)
            self.assertEqual(self.message(reply.json['id']).get_content().replace('\r\n', '\n').replace('\ufffd\n', ''), said)

    def test_the_same_key_finds_the_first_large_job_and_leaves_nothing_behind(self):
        body, key = as_json(text=LINE * 20000), {'Idempotency-Key': 'large'}
        first = self.send('/v1/jobs', body, key).reply()
        again = self.send('/v1/jobs', body, key).reply()
        other = self.send('/v1/jobs', as_json(text=LINE * 20001), key).reply()
        self.assertEqual((first.status, again.status, again.json['id'], again.json['duplicate']), (202, 200, first.json['id'], True))
        self.assert_problem(other, 409, 'idempotency-mismatch')
        until(lambda: self.spooled() == [first.json['id']], 'only the first body is kept')

    def test_a_dry_run_of_a_large_job_tells_and_keeps_nothing(self):
        reply = self.send('/v1/jobs?dry_run=1', as_json(text=LINE * 20000)).reply()
        self.assertEqual(reply.status, 200, reply)
        mail = email.message_from_string(reply.json['message'], policy=email.policy.default)
        self.assertEqual(mail.get_content().replace('\r\n', '\n'), LINE * 20000)
        self.assertEqual(self.spooled(), [])

    def test_a_large_job_can_be_waited_for(self):
        reply = self.send('/v1/jobs?wait=5', as_json(text=LINE * 20000)).reply()
        self.assertEqual((reply.status, reply.json['state']), (200, 'held'))

    def test_what_is_wrong_with_a_large_job_is_told(self):
        big = LINE * 20000
        self.assert_problem(self.send('/v1/jobs', as_json(text=big, txet='')).reply(), 400, 'unknown-field', 'txet', 'text')
        self.assert_problem(self.send('/v1/jobs', as_json(text=big, to='nobody')).reply(), 400, 'invalid-value')
        self.assert_problem(self.send('/v1/jobs', as_json(text=big)[:-1]).reply(), 400, 'malformed', 'too early')
        self.assert_problem(self.send('/v1/jobs', as_json(text=big).replace(b'The', b'\\ud8', 1)).reply(), 400, 'malformed')
        self.assertEqual(self.spooled(), [])


class Trouble(Large):
    def test_a_client_that_leaves_takes_its_large_job_along(self):
        large = self.send('/v1/jobs', bodies()['html'][1])
        large.leave()
        self.assertEqual(self.send('/v1/jobs', as_json(text=LINE * 20000)).reply().status, 202)
        # The composer works on one at a time, so the first one is over; it may have been quicker than we left.
        jobs = self.d.get('/v1/jobs', True).json['jobs']
        self.assertEqual(sorted(self.spooled()), sorted(job['id'] for job in jobs))

    def test_a_stop_while_a_large_job_is_composed_is_clean(self):
        large = self.send('/v1/jobs', bodies()['html'][1])
        self.d.stop()
        try:
            reply = large.reply()
        except (ConnectionError, notifyd.http.client.HTTPException):
            reply = None
        self.d.start()
        kept = [job['id'] for job in self.d.get('/v1/jobs', True).json['jobs']]
        if reply and reply.status == 202:
            self.assertEqual(kept, [reply.json['id']])
        self.assertEqual(self.spooled(), kept)

    @unittest.skipUnless(os.geteuid() == 0, 'a small disk is mounted: root only')
    def test_a_disk_that_fills_up_in_the_middle_is_told_and_left_clean(self):
        d = self.daemon(CONFIG, start=False)
        os.mkdir(d.state, 0o700)
        if subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=12m', 'none', d.state], capture_output=True).returncode != 0:
            self.skipTest('nothing can be mounted here')
        self.addCleanup(subprocess.run, ['umount', '-l', d.state], check=True)
        d.start()
        # Its message is much longer than itself: each character takes six octets.
        body = as_json(text='\u00e9' * (4 * M)).replace(b'\\u00e9', '\u00e9'.encode())
        self.assert_problem(Sent(d.admin, '/v1/jobs', body).reply(), 503, 'disk-full')
        until(lambda: not os.listdir(os.path.join(d.state, 'spool')), 'its file is gone')
        until(lambda: d.post('/v1/jobs', JOB, True).status == 202, 'there is room again')    # a moment after its name
        d.stop()
