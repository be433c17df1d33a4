# SPDX-License-Identifier: Apache-2.0
"""The API as programs meet it, good and bad: over the real sockets, without a network."""
import base64
import grp
import http.client
import json
import os
import select
import shutil
import socket
import subprocess
import time
import unittest

import notifyd
from notifyd import ProgramTest, until

# A relay that is not there: jobs are accepted, and stay.
CONFIG = '''
[daemon]
hostname = host.example
to = duty@example.com
[access]
to_allow = friend@example.org
[account relay]
provider = smtp
host = localhost:9
security = none
auth = none
from = "Alerts" <alerts@example.com>
'''
JOB = {'to': ['ops@example.com'], 'subject': 'Disk failing on web01', 'text': 'sda: 12 pending sectors\n'}


class Api(ProgramTest):
    """One daemon for all tests of a class: after each the daemon must still be well."""

    @classmethod
    def setUpClass(cls):
        if not os.access(notifyd.NOTIFYD, os.X_OK):
            raise unittest.SkipTest('%s is not built' % notifyd.NOTIFYD)
        cls.d = notifyd.Daemon(CONFIG).start()

    @classmethod
    def tearDownClass(cls):
        cls.d.close()

    def tearDown(self):
        self.assertTrue(self.d.alive(), 'notifyd ended:\n%s' % self.d.tail())
        self.assertEqual(self.d.get('/v1/health').status, 200)

    def refused(self, job, status, code, *words, **more):
        """A job that is refused; nothing of it is stored."""
        def newest():
            return [found['id'] for found in self.d.get('/v1/jobs?limit=1', True).json['jobs']]
        before = newest()
        self.assert_problem(self.d.post('/v1/jobs', job, **more), status, code, *words)
        self.assertEqual(newest(), before)


class Submission(Api):
    def test_a_job_is_accepted_with_its_id(self):
        reply = self.d.post('/v1/jobs', JOB)
        self.assertEqual(reply.status, 202, reply)
        self.assertEqual(set(reply.json), {'id', 'state'})
        self.assertRegex(reply.json['id'], '^[0-9A-HJKMNP-TV-Z]{26}$')
        self.assertEqual(reply.headers['Location'], '/v1/jobs/' + reply.json['id'])
        self.assertEqual(reply.headers['Content-Type'], 'application/json')

    def test_ids_rise(self):
        ids = [self.d.post('/v1/jobs', JOB).json['id'] for _ in range(20)]
        self.assertEqual(ids, sorted(set(ids)))

    def test_json_needs_no_content_type(self):
        reply = self.d.post('/v1/jobs', JOB, headers={'Content-Type': 'application/x-www-form-urlencoded'})
        self.assertEqual(reply.status, 202, reply)

    def test_without_to_the_daemon_s_own_recipient_is_used(self):
        job = self.d.job(self.d.submit(text='hello'))
        self.assertEqual([r['address'] for r in job['recipients']], ['duty@example.com'])

    def test_an_array_is_answered_in_order(self):
        bad = dict(JOB, to='not an address')
        reply = self.d.post('/v1/jobs', [JOB, JOB])
        self.assertEqual((reply.status, len(reply.json)), (202, 2), reply)
        reply = self.d.post('/v1/jobs', [JOB, bad, JOB])
        self.assertEqual((reply.status, len(reply.json)), (207, 3), reply)
        self.assertIn('id', reply.json[0])
        self.assertEqual((reply.json[1]['index'], reply.json[1]['status']), (1, 400))
        self.assertIn('id', reply.json[2])
        reply = self.d.post('/v1/jobs', [bad, bad])
        self.assertEqual((reply.status, [entry['index'] for entry in reply.json]), (422, [0, 1]), reply)

    def test_more_than_a_thousand_jobs_in_an_array_are_refused_whole(self):
        before = self.d.status()['queue']['queued']
        self.assert_problem(self.d.post('/v1/jobs', [JOB] * 1001), 413, 'too-big', '1001 jobs', '1000')
        self.assertEqual(self.d.status()['queue']['queued'], before)

    def test_an_idempotency_key_in_the_header_is_checked_too_and_the_fields_own_wins(self):
        for key in ('x' * 129, '\u00e4'):
            refused = self.d.post('/v1/jobs', JOB, headers={'Idempotency-Key': key.encode('latin-1')})
            self.assert_problem(refused, 400, 'invalid-value', '1 to 128 printable ASCII')
            self.assertEqual(refused.json['field'], 'Idempotency-Key')
        own, header = ('k-%d-%s' % (time.monotonic_ns(), kind) for kind in ('own', 'header'))
        job = dict(JOB, idempotency_key=own)
        first = self.d.post('/v1/jobs', job, headers={'Idempotency-Key': header})
        self.assertEqual(self.d.post('/v1/jobs', job).json['id'], first.json['id'])
        self.assertEqual(self.d.post('/v1/jobs', JOB, headers={'Idempotency-Key': header}).status, 202)

    def test_an_idempotency_key_in_the_header_is_of_one_job(self):
        before = self.d.status()['queue']['queued']
        lines, header = json.dumps(JOB) + '\n', {'Idempotency-Key': 'k-several'}
        for body, more in (([JOB], {}), ([JOB, JOB], {}), (lines * 2, {}), (lines, {'Content-Type': 'application/x-ndjson'})):
            refused = self.d.post('/v1/jobs', body, headers=dict(header, **more))
            self.assert_problem(refused, 400, 'invalid-value', 'one job', 'idempotency_key')
            self.assertEqual(refused.json['field'], 'Idempotency-Key')
        self.assertEqual(self.d.status()['queue']['queued'], before)

    def test_the_same_idempotency_key_accepts_once(self):
        job = dict(JOB, idempotency_key='k-%d' % time.monotonic_ns())
        first = self.d.post('/v1/jobs', job)
        again = self.d.post('/v1/jobs', job)
        self.assertEqual((first.status, again.status), (202, 200), again)
        self.assertEqual((again.json['id'], again.json['duplicate']), (first.json['id'], True))
        self.assert_problem(self.d.post('/v1/jobs', dict(job, text='other')), 409, 'idempotency-mismatch')

    def test_a_job_outlives_a_restart(self):
        job = self.d.submit(**dict(JOB, subject='kept'))
        message = self.d.get('/v1/jobs/%s/message' % job, True).body
        self.d.kill()
        self.d.start()
        self.assertEqual(self.d.job(job)['subject'], 'kept')
        self.assertEqual(self.d.get('/v1/jobs/%s/message' % job, True).body, message)

    def test_a_large_attachment_is_in_the_message(self):
        content = os.urandom(1_000_000)
        job = self.d.submit(**dict(JOB, attachments=[{'name': 'log.bin', 'content': base64.b64encode(content).decode()}]))
        body = self.d.get('/v1/jobs/%s/message' % job, True).body
        self.assertIn(base64.b64encode(content)[:50], body)
        self.assertTrue(all(len(line) <= 998 for line in body.split(b'\r\n')))

    def test_half_a_message_does_not_look_like_a_whole_one(self):
        job = self.d.submit(**dict(JOB, text='0123456789' * 20000))
        spooled = os.path.join(self.d.state, 'spool', job)
        os.truncate(spooled, os.path.getsize(spooled) // 2)
        with self.assertRaises(http.client.IncompleteRead):
            self.d.get('/v1/jobs/%s/message' % job, True)
        os.truncate(spooled, 0)
        self.assert_problem(self.d.get('/v1/jobs/%s/message' % job, True), 503, 'disk-error', 'cut short')


class Reading(Api):
    def test_a_job_is_shown_with_what_is_known_of_it(self):
        job = self.d.submit(admin=False, **dict(JOB, severity='critical', source='smartd', key='disk:sda', labels={'device': '/dev/sda'}))
        shown = self.d.job(job)
        self.assertEqual([shown[k] for k in ('id', 'severity', 'source', 'key', 'subject', 'account', 'labels')],
                         [job, 'critical', 'smartd', 'disk:sda', JOB['subject'], 'relay', {'device': '/dev/sda'}])
        self.assertEqual(shown['origin']['uid'], os.getuid())
        self.assertRegex(shown['created'], r'^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$')
        self.assertEqual([(r['address'], r['state']) for r in shown['recipients']], [('ops@example.com', 'pending')])

    def test_a_failing_relay_is_told_in_the_job_and_the_account(self):
        job = self.d.submit(**JOB)
        account = until(lambda: (lambda a: a if a['state'] != 'ok' else None)(self.d.account('relay')), 'the account fails')
        self.assertEqual(account['state'], 'failing')
        self.assertTrue(account['reason'], account)
        self.assertEqual(self.d.job(job)['state'], 'queued')

    def test_the_list_has_the_newest_first_in_pages(self):
        ids = [self.d.submit(**dict(JOB, source='pages')) for _ in range(7)]
        found, cursor = [], ''
        for _ in range(10):
            page = self.d.get('/v1/jobs?source=pages&limit=3' + (cursor and '&cursor=' + cursor), True).json
            self.assertLessEqual(len(page['jobs']), 3)
            found += [job['id'] for job in page['jobs']]
            cursor = page['next']
            if cursor is None:
                break
        self.assertEqual(found, ids[::-1])

    def test_the_list_is_filtered(self):
        one = self.d.submit(**dict(JOB, source='filter', severity='error', key='k1'))
        two = self.d.submit(**dict(JOB, source='filter', severity='info', key='k2'))
        for query, want in (('severity=error', [one]), ('severity=error,info', [two, one]), ('key=k2', [two]),
                            ('state=delivered', []), ('account=relay', [two, one]), ('id=' + one[-8:], [one]), ('since=1h', [two, one])):
            with self.subTest(query):
                self.assertEqual([j['id'] for j in self.d.get('/v1/jobs?source=filter&' + query, True).json['jobs']], want)

    def test_wrong_queries_are_refused(self):
        for target in ('/v1/jobs?limit=0', '/v1/jobs?limit=1001', '/v1/jobs?limit=x', '/v1/jobs?state=nope', '/v1/jobs?colour=red',
                       '/v1/jobs?cursor=%00', '/v1/jobs?since=yesterdayish'):
            with self.subTest(target):
                reply = self.d.get(target, True)
                self.assertEqual(reply.status, 400, reply)

    def test_unknown_jobs_and_paths_are_not_found(self):
        self.assert_problem(self.d.get('/v1/jobs/01ARZ3NDEKTSV4RRFFQ69G5FAV', True), 404, 'not-found')
        self.assert_problem(self.d.get('/v1/jobs/01ARZ3NDEKTSV4RRFFQ69G5FAV/message', True), 404, 'not-found')
        self.assert_problem(self.d.get('/v2/jobs'), 404, 'not-found')
        self.assert_problem(self.d.get('/v1/../etc/passwd'), 404, 'not-found')
        reply = notifyd.request(self.d.socket, 'DELETE', '/v1/jobs')
        self.assert_problem(reply, 405, 'method-not-allowed')

    def test_health_and_status(self):
        self.assertEqual(self.d.get('/v1/health?live').status, 200)
        self.assertEqual(self.d.get('/v1/health?ready').status, 200)
        status = self.d.status()
        self.assertEqual([a['name'] for a in status['accounts']], ['relay'])
        self.assertIn('version', status)
        self.assertEqual(set(status['queue']), {'queued', 'sending', 'held', 'octets'})


class BadInput(Api):
    def test_what_is_not_json_is_malformed(self):
        for body in (b'{', b'{"to":', b'{"to":"a@b" "text":"x"}', b"{'to':'x'}", b'{"text":"x"}}', b'{"text":"x",}', b'{"text":01}', b'[',
                     b'{"text":"a\nb"}', b'{/* c */"text":"x"}', b'nul', b'{"text":"\\u12"}', b'{"text":"\\q"}'):
            with self.subTest(body):
                reply = self.d.post('/v1/jobs', body)
                self.assertEqual(reply.status, 400, reply)

    def test_an_empty_body_is_malformed(self):
        self.assertEqual(self.d.post('/v1/jobs', b'').status, 400)
        self.assertEqual(self.d.post('/v1/jobs', b' \n').status, 400)

    def test_deep_arrays_are_refused(self):
        for body in (b'[' * 10000 + b']' * 10000, b'[' * 10000, b'{"a":' * 10000, b'{"labels":' + b'[' * 10000):
            with self.subTest(body[:12]):
                self.assertEqual(self.d.post('/v1/jobs', body).status, 400)

    def test_invalid_utf8_is_refused(self):
        for octets in (b'\xff', b'\xc0\x80', b'\xed\xa0\x80', b'\xf4\x90\x80\x80', b'\xe2\x82', b'\x80'):
            with self.subTest(octets):
                self.assertEqual(self.d.post('/v1/jobs', b'{"to":"ops@example.com","text":"' + octets + b'"}').status, 400)
        for escape in ('\\ud800', '\\udc00\\ud800', '\\u0000'):
            with self.subTest(escape):
                self.assertEqual(self.d.post('/v1/jobs', '{"to":"ops@example.com","text":"%s"}' % escape).status, 400)

    def test_the_same_name_twice_is_refused(self):
        self.refused(b'{"to":"ops@example.com","text":"a","text":"b"}', 400, 'malformed', 'text')

    def test_resolved_needs_a_key(self):
        self.refused(dict(JOB, status='resolved'), 400, 'invalid-value', 'key')

    def test_unknown_fields_are_refused_with_the_nearest_name(self):
        self.refused(dict(JOB, subjekt='x'), 400, 'unknown-field', 'subjekt', 'subject')

    def test_wrong_types_name_the_field(self):
        for field, value in (('to', 5), ('to', [5]), ('to', {'a': 1}), ('subject', ['x']), ('text', 1), ('html', True), ('severity', 3), ('labels', ['x']),
                             ('labels', {'a': 1}), ('links', 'x'), ('links', [{'title': 1}]), ('attachments', {}), ('attachments', ['x']),
                             ('headers', 'X: y'), ('headers', {'X-A': None}), ('not_before', 5), ('expires_in', True), ('source', {}), ('key', 1)):
            with self.subTest(field=field, value=value):
                reply = self.d.post('/v1/jobs', dict(JOB, **{field: value}))
                self.assertEqual(reply.status, 400, reply)
                self.assertIn(field, reply.json['field'])

    def test_wrong_values_name_the_field(self):
        for field, value in (('severity', 'loud'), ('status', 'burning'), ('not_before', 'tomorrow'), ('event_time', '2026-13-01T00:00:00Z'),
                             ('expires_in', '-5m'), ('expires_in', 'soon'), ('idempotency_key', ''), ('idempotency_key', 'x' * 129), ('idempotency_key', 'ä'),
                             ('to', 'nobody'), ('to', 'a@'), ('to', 'a@b@c'), ('from', 'x'), ('headers', {'Subject': 'x'}), ('headers', {'Bad Name': 'x'}),
                             ('headers', {'Content-Type': 'x'}), ('headers', {'': 'x'}),
                             ('attachments', [{'name': 'x', 'content': 'not base64!'}])):
            with self.subTest(field=field, value=value):
                reply = self.d.post('/v1/jobs', dict(JOB, **{field: value}))
                self.assertEqual(reply.status, 400, reply)
                self.assertIn(field, reply.json['field'])

    def test_control_characters_never_reach_a_header(self):
        for nasty in ('\r\nBcc: evil@example.net', '\n', '\r', '\x00', '\x1b[2J', '\x7f'):
            for field, value in (('subject', 'x' + nasty), ('to', 'ops@example.com' + nasty), ('to', ['"x%s" <ops@example.com>' % nasty]),
                                 ('from', 'x%s <a@example.com>' % nasty), ('reply_to', 'a@example.com' + nasty), ('headers', {'X-A': 'x' + nasty}),
                                 ('headers', {'X-A' + nasty: 'x'}), ('source', 'x' + nasty), ('key', 'x' + nasty),
                                 ('attachments', [{'name': 'x' + nasty, 'content': 'eA=='}]),
                                 ('attachments', [{'name': 'x', 'type': 'text/plain' + nasty, 'content': 'eA=='}])):
                with self.subTest(field=field, nasty=nasty):
                    reply = self.d.post('/v1/jobs', dict(JOB, **{field: value}))
                    self.assertEqual(reply.status, 400, reply)

    def test_what_is_too_large_is_refused(self):
        self.refused(dict(JOB, to=['r%d@example.com' % n for n in range(1001)]), 413, 'too-big', 'to')
        self.refused(dict(JOB, labels={'l%d' % n: 'x' for n in range(65)}), 413, 'too-big', 'labels')
        self.refused(dict(JOB, attachments=[{'name': 'a', 'content': ''}] * 101), 413, 'too-big', 'attachments')
        self.refused(dict(JOB, subject='s' * 999), 413, 'too-big', 'subject')

    def test_a_body_over_the_limit_is_refused(self):
        self.assert_problem(self.d.post('/v1/jobs', b'{"text":"' + b'x' * 36_700_160 + b'"}'), 413, 'too-big')

    def test_long_request_lines_and_headers_are_refused(self):
        self.assertEqual(self.d.get('/v1/jobs?source=' + 'x' * 20000, True).status, 414)
        self.assertEqual(self.d.get('/v1/health', headers={'X-Long': 'x' * 20000}).status, 431)

    def test_pages_of_the_web_are_refused(self):
        self.assert_problem(self.d.post('/v1/jobs', JOB, headers={'Origin': 'https://example.net'}), 403, 'origin-refused')

    def test_two_lengths_are_refused(self):
        for head in (b'Content-Length: 2\r\nContent-Length: 3\r\n', b'Content-Length: 2\r\nTransfer-Encoding: chunked\r\n',
                     b'Transfer-Encoding: gzip\r\n'):
            with self.subTest(head), socket.socket(socket.AF_UNIX) as client:
                client.settimeout(30)
                client.connect(self.d.socket)
                client.sendall(b'POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\n' + head + b'\r\n{}')
                self.assertRegex(client.recv(65536), b'^HTTP/1.1 400 ')

    def test_random_octets_do_no_harm(self):
        for octets in (os.urandom(4096), b'\r\n' * 1000, b'\0' * 4096, b'GET ' + b'\xff' * 100 + b' HTTP/1.1\r\n\r\n', b'HELO x\r\nMAIL FROM:<>\r\n'):
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(30)
                client.connect(self.d.socket)
                try:
                    client.sendall(octets)
                    client.shutdown(socket.SHUT_WR)
                    while client.recv(65536):
                        pass
                except (BrokenPipeError, ConnectionResetError):
                    pass


class Clients(Api):
    def connect(self):
        client = socket.socket(socket.AF_UNIX)
        self.addCleanup(client.close)
        client.connect(self.d.socket)
        return client

    def test_a_client_that_vanishes_leaves_nothing_behind(self):
        before = len(os.listdir('/proc/%d/fd' % self.d.process.pid))
        body = json.dumps(JOB).encode()
        for cut in (b'', b'POST', b'POST /v1/jobs HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{"to":',
                    b'POST /v1/jobs HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n' % len(body) + body):
            for _ in range(25):
                client = self.connect()
                client.sendall(cut)
                client.close()
        until(lambda: len(os.listdir('/proc/%d/fd' % self.d.process.pid)) <= before + 1, 'the connections are gone', 60)

    def test_a_reader_who_leaves_while_it_waits_does_no_harm(self):
        job = self.d.submit(**JOB)
        client = self.connect()
        client.sendall(b'GET /v1/jobs/%s?wait=60 HTTP/1.1\r\nHost: x\r\n\r\n' % job.encode())
        client.close()
        self.assertEqual(self.d.job(job)['id'], job)

    def test_slow_clients_hold_nobody_up_and_are_cut(self):
        slow = [self.connect() for _ in range(32)]
        for client in slow:
            client.sendall(b'POST /v1/jobs HTTP/1.1\r\nHost: x\r\nContent-Le')
        for client in [self.connect() for _ in range(32)]:    # in the middle of the body: cut later, see tests/io/http_rough.py
            client.sendall(b'POST /v1/jobs HTTP/1.1\r\nHost: x\r\nContent-Length: 3000000\r\n\r\n{"text":"' + b'x' * 1000)
        begin = time.monotonic()
        self.assertEqual(self.d.post('/v1/jobs', JOB).status, 202)
        self.assertLess(time.monotonic() - begin, 5)
        # one octet now and then does not keep a request alive for ever
        left, end = set(slow), time.monotonic() + 75
        while left and time.monotonic() < end:
            for client in select.select(list(left), [], [], 1)[0]:
                left.discard(client)
            for client in list(left):
                try:
                    client.send(b'x')
                except (BrokenPipeError, ConnectionResetError):
                    left.discard(client)
        self.assertFalse(left, '%d slow clients are still served' % len(left))

    def test_keep_alive_serves_many_requests(self):
        connection = notifyd.UnixConnection(self.d.socket)
        self.addCleanup(connection.close)
        for _ in range(50):
            connection.request('POST', '/v1/jobs', json.dumps(JOB), {'Content-Type': 'application/json'})
            reply = connection.getresponse()
            reply.read()
            self.assertEqual(reply.status, 202)


class Rights(Api):
    def test_a_submitter_reaches_only_known_recipients(self):
        for address in ('ops@example.com', 'friend@example.org', 'duty@example.com'):
            self.assertEqual(self.d.post('/v1/jobs', dict(JOB, to=address)).status, 202)
        self.refused(dict(JOB, to='stranger@example.net'), 403, 'recipient-not-allowed', 'stranger@example.net', 'to_allow')
        self.refused(dict(JOB, bcc='stranger@example.net'), 403, 'recipient-not-allowed')

    def test_the_operator_reaches_everybody(self):
        self.assertEqual(self.d.post('/v1/jobs', dict(JOB, to='stranger@example.net'), admin=True).status, 202)

    def test_the_sockets_have_their_modes(self):
        self.assertEqual(os.stat(self.d.socket).st_mode & 0o777, 0o666)
        # open to a group only where there is the group of operators, and we may give the socket to it
        mode, group = os.stat(self.d.admin).st_mode & 0o777, os.stat(self.d.admin).st_gid
        try:
            operators = grp.getgrnam('notifyd-admin').gr_gid
        except KeyError:
            operators = None
        self.assertEqual(mode, 0o660 if group == operators else 0o600)
        self.assertTrue(os.getuid() != 0 or operators is None or group == operators)
        self.assertEqual(os.stat(self.d.state).st_mode & 0o077, 0)

    def test_a_submitter_s_status_has_totals_only(self):
        status = self.d.get('/v1/status').json
        self.assertNotIn('hint', json.dumps(status['accounts']))

    @unittest.skipUnless(os.getuid() == 0 and shutil.which('curl'), 'needs root, to be somebody else, and curl')
    def test_jobs_of_others_are_not_shown(self):
        def other(*words):
            out = subprocess.run(['setpriv', '--reuid', '65534', '--regid', '65534', '--clear-groups', 'curl', '-sS', '-w', '\n%{http_code}',
                                  '--unix-socket', self.d.socket, *words], check=True, stdout=subprocess.PIPE, timeout=60).stdout
            body, _, status = out.rpartition(b'\n')
            return int(status), json.loads(body)
        mine = self.d.submit(admin=False, **JOB)
        status, theirs = other('http://localhost/v1/jobs', '-d', json.dumps(JOB))
        self.assertEqual(status, 202, theirs)
        status, problem = other('http://localhost/v1/jobs/' + mine)
        self.assertEqual((status, problem['code']), (403, 'not-yours'))
        status, problem = other('http://localhost/v1/jobs/%s/message' % mine)
        self.assertEqual((status, problem['code']), (403, 'not-yours'))
        status, listed = other('http://localhost/v1/jobs?limit=1000')
        self.assertEqual([job['id'] for job in listed['jobs']], [theirs['id']])
        self.assertEqual({job['origin']['uid'] for job in listed['jobs']}, {65534})
        # uid 0 gets no more at the submitters' socket; the operator's shows both
        self.assert_problem(self.d.get('/v1/jobs/' + theirs['id']), 403, 'not-yours')
        self.assertEqual(self.d.job(theirs['id'])['id'], theirs['id'])
        listed = {job['id'] for job in self.d.get('/v1/jobs?limit=1000', True).json['jobs']}
        self.assertLessEqual({mine, theirs['id']}, listed)

    @unittest.skipUnless(os.getuid() == 0 and shutil.which('curl'), 'needs root, to be somebody else, and curl')
    def test_the_operator_s_socket_is_closed_to_others(self):
        done = subprocess.run(['setpriv', '--reuid', '65534', '--regid', '65534', '--clear-groups', 'curl', '-sS', '--unix-socket', self.d.admin,
                               'http://localhost/v1/health'], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60, check=False)
        self.assertEqual(done.returncode, 7, done)    # could not connect


class Life(ProgramTest):
    def test_without_an_account_jobs_are_accepted_and_held(self):
        daemon = self.daemon('')
        reply = daemon.post('/v1/jobs', {'to': 'anybody@example.net', 'text': 'early'})
        self.assertEqual(reply.status, 202, reply)
        job = daemon.job(reply.json['id'], 5)
        self.assertEqual(job['state'], 'held')
        self.assertIn('account', job['reason'])

    def test_a_second_daemon_on_the_same_state_directory_is_refused(self):
        first = self.daemon(CONFIG)
        command = first.command()
        command[command.index('--socket') + 1] = os.path.join(first.folder, 'second.sock')
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60, check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn(b'another notifyd', done.stdout)
        self.assertIsNone(notifyd.SANITIZER.search(done.stdout.decode()))
        self.assertEqual(first.post('/v1/jobs', JOB).status, 202)

    def test_every_mistake_of_a_configuration_is_told_at_once(self):
        daemon = self.daemon(start=False)
        daemon.configure('''[daemon]
log_levle = info
memory = many
hostname host.example
to = nobody
[queue]
history = -3d
expires_in = soon
[nonsense]
[account a]
provider = acme
port = 99999
from = alerts@
''')
        done = subprocess.run([*daemon.command(), '--check'], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60, check=False)
        lines = [line for line in done.stdout.decode().splitlines() if 'notifyd.conf:' in line]
        self.assertEqual(done.returncode, 78, done)
        self.assertEqual(len(lines), 10, '\n'.join(lines))
        self.assertEqual([int(line.split('notifyd.conf:')[1].split(':')[0]) for line in lines], [2, 3, 4, 5, 7, 8, 9, 11, 12, 13])
        self.assertIn('log_level', lines[0])
        # started, it says the same and ends the same way
        done = subprocess.run(daemon.command(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60, check=False)
        self.assertEqual(done.returncode, 78, done)

    def test_a_good_configuration_passes(self):
        daemon = self.daemon(CONFIG, start=False)
        done = subprocess.run([*daemon.command(), '--check'], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60, check=False)
        self.assertEqual(done.returncode, 0, done)

    def test_it_ends_cleanly_and_takes_its_sockets_along(self):
        daemon = self.daemon(CONFIG)
        daemon.submit(**JOB)
        daemon.stop()
        self.assertFalse(os.path.exists(daemon.socket))
        self.assertFalse(os.path.exists(daemon.admin))
        daemon.start()
        daemon.stop()

    def test_no_secret_is_ever_in_the_log(self):
        daemon = self.daemon(CONFIG.replace('auth = none', 'auth = password\npassword = env:LAB_TEST_PASSWORD').replace('security = none', 'security = tls'),
                             start=False, env={'LAB_TEST_PASSWORD': 'tr0ub4dor-and-3'})
        daemon.start('--log-level', 'debug')
        daemon.submit(**JOB)
        until(lambda: daemon.account('relay')['state'] != 'ok', 'the account was tried')
        daemon.stop()
        with open(daemon.log, encoding='utf-8', errors='replace') as file:
            self.assertNotIn('tr0ub4dor', file.read())
