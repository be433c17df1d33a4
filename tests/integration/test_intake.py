# SPDX-License-Identifier: Apache-2.0
"""The ways to hand over a job beside JSON: forms, texts, ready messages; dry runs; what machines read."""
import json
import re
import subprocess
import time
import urllib.parse

import notifyd
from notifyd import later
from test_api import Api, JOB

FORM = {'Content-Type': 'application/x-www-form-urlencoded'}
TEXT = {'Content-Type': 'text/plain; charset=utf-8'}
MAIL = {'Content-Type': 'message/rfc822'}
LINED = {'Content-Type': 'application/x-notifyd-message'}
MESSAGE = (b'From: root (Cron Daemon)\nTo: "Ops, day" <ops@example.com>\nBcc: friend@example.org\nSubject: backup\n'
           b'Return-Path: <x@y.z>\nContent-Type: text/plain; charset=iso-8859-1\n\nall \xe4 well\n.\n')


class Intake(Api):
    def accept(self, reply):
        self.assertEqual(reply.status, 202, reply)
        return self.d.job(reply.json['id']), self.d.get('/v1/jobs/%s/message' % reply.json['id'], True).body

    def count(self):
        return len(self.d.get('/v1/jobs?limit=1000', True).json['jobs'])


class Forms(Intake):
    def test_a_form_is_a_job(self):
        form = urllib.parse.urlencode([('to', 'ops@example.com'), ('to', 'friend@example.org'), ('subject', 'Disk & co'), ('text', 'a\nb=c'),
                                       ('severity', 'critical'), ('label.device', '/dev/sda'), ('header.X-Team', 'storage'), ('key', '')])
        job, message = self.accept(self.d.post('/v1/jobs', form, headers=FORM))
        self.assertEqual([r['address'] for r in job['recipients']], ['ops@example.com', 'friend@example.org'])
        self.assertEqual([job['subject'], job['severity'], job['labels']], ['Disk & co', 'critical', {'device': '/dev/sda'}])
        self.assertIn(b'X-Team: storage\r\n', message)
        self.assertNotIn('key', job)

    def test_a_form_is_judged_as_json_is(self):
        self.refused('subject=x&severty=critical', 400, 'unknown-field', 'severty', 'severity', headers=FORM)
        self.refused('subject=x&severity=loud', 400, 'invalid-value', 'severity', headers=FORM)
        self.refused('subject=x&subject=y', 400, 'malformed', 'twice', headers=FORM)
        self.refused('subject=x%0d%0aBcc:+a@b.c', 400, 'invalid-value', 'subject', headers=FORM)
        self.refused('subject=x%zz', 400, 'malformed', 'escape', headers=FORM)
        self.refused('to=far@example.net&subject=x', 403, 'recipient-not-allowed', headers=FORM)
        self.refused('just words', 400, 'unknown-field', headers=FORM)
        self.refused('label.a=1&label.a=2&text=x', 400, 'malformed', headers=FORM)
        self.assert_problem(self.d.post('/v1/jobs?subject=x', 'text=x', headers=FORM), 400, 'unknown-field', 'subject')

    def test_a_text_has_its_fields_in_the_query(self):
        reply = self.d.post('/v1/jobs?to=ops@example.com&to=duty@example.com&subject=Disk%20full&label.host=a', b'[12:00] \xff 99 %\n\0end\n', headers=TEXT)
        job, message = self.accept(reply)
        self.assertEqual([job['subject'], job['labels'], len(job['recipients'])], ['Disk full', {'host': 'a'}, 2])
        job, message = self.accept(self.d.post('/v1/jobs', 'first line\nsecond\n', headers=TEXT))
        self.assertEqual(job['subject'], 'first line')
        self.assertIn(b'second', message)

    def test_json_stays_json_whatever_its_type(self):
        job, _ = self.accept(self.d.post('/v1/jobs', json.dumps(JOB), headers=TEXT))
        self.assertEqual(job['subject'], JOB['subject'])

    def test_wrong_queries_of_a_text_are_refused(self):
        self.assert_problem(self.d.post('/v1/jobs?subjct=x', 'x', headers=TEXT), 400, 'unknown-field', 'subject')
        self.assert_problem(self.d.post('/v1/jobs?text=x', 'x', headers=TEXT), 400, 'malformed', 'twice')
        self.assert_problem(self.d.post('/v1/jobs?wait=1&wait=2', 'x', headers=TEXT), 400, 'malformed', 'twice')


class DryRun(Intake):
    def test_a_dry_run_tells_everything_and_stores_nothing(self):
        before = self.count()
        reply = self.d.post('/v1/jobs?dry_run=1', {'text': 'first line\nmore', 'to': ['A <ops@example.com>'], 'from': 'root@web01.example.net'})
        self.assertEqual(reply.status, 200, reply)
        told = reply.json
        self.assertNotIn('id', told)
        self.assertEqual([told[k] for k in ('state', 'account', 'relay', 'from', 'envelope_from', 'recipients')],
                         ['queued', 'relay', 'localhost:9', 'root on web01 <alerts@example.com>', 'alerts@example.com', ['ops@example.com']])
        self.assertRegex(told['expires'], r'^\d{4}-\d\d-\d\dT')
        self.assertIn('Subject: first line\r\n', told['message'])
        self.assertTrue(told['message'].startswith('From: '), told)
        self.assertEqual(set(told['defaults']), {'subject', 'severity', 'status', 'source', 'account', 'event_time', 'expires_in'})
        self.assertEqual(self.count(), before)

    def test_a_later_job_has_its_time(self):
        when = later()
        told = self.d.post('/v1/jobs?dry_run=1', dict(JOB, not_before=when)).json
        self.assertEqual([told['eta'], told['not_before']], 2 * [when.replace('Z', '.000Z')])

    def test_a_dry_run_refuses_what_would_be_refused(self):
        before = self.count()
        self.assert_problem(self.d.post('/v1/jobs?dry_run=1', dict(JOB, to='far@example.net')), 403, 'recipient-not-allowed')
        self.assert_problem(self.d.post('/v1/jobs?dry_run=1', dict(JOB, account='none')), 422, 'no-such-account')
        self.assert_problem(self.d.post('/v1/jobs?dry_run=1', [JOB]), 400, 'invalid-value', 'dry_run')
        self.assert_problem(self.d.post('/v1/jobs?dry_run=perhaps', JOB), 400, 'invalid-value', 'dry_run')
        self.assertEqual(self.count(), before)

    def test_zero_is_no_dry_run(self):
        self.assertEqual(self.d.post('/v1/jobs?dry_run=0', JOB).status, 202)

    def test_a_form_can_be_tried_too(self):
        told = self.d.post('/v1/jobs?dry_run=1', 'subject=x&text=y', headers=FORM).json
        self.assertEqual(told['recipients'], ['duty@example.com'])
        self.assertIn('to', told['defaults'])

    def test_notifyctl_prints_it_for_people(self):
        before = self.count()
        run = subprocess.run([notifyd.NOTIFYCTL, '--socket', self.d.socket, 'send', '-t', 'ops@example.com', '-s', 'Tried', '-m', 'text of it', '--dry-run'],
                             stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=60)
        self.assertEqual(run.returncode, 0, run)
        for words in ('account     relay', 'to          ops@example.com', 'by default  severity: warning', 'Subject: Tried', 'text of it'):
            self.assertIn(words, run.stdout)
        self.assertIn('nothing was accepted', run.stderr)
        self.assertEqual(self.count(), before)


class Messages(Intake):
    def test_a_message_is_taken_with_its_query(self):
        job, message = self.accept(self.d.post('/v1/messages?to=ops@example.com&severity=error&label.job=backup', MESSAGE, headers=MAIL))
        self.assertEqual([r['address'] for r in job['recipients']], ['ops@example.com'])
        self.assertEqual([job['subject'], job['severity'], job['labels']], ['backup', 'error', {'job': 'backup'}])
        head, _, body = message.partition(b'\r\n\r\n')
        lines = head.split(b'\r\n')
        self.assertEqual(body, b'all \xe4 well\r\n.\r\n')
        self.assertTrue(lines[0].startswith(b'From: '), lines)
        self.assertIn(b'<alerts@example.com>', lines[0])
        names = [line.split(b':')[0].lower() for line in lines if not line.startswith((b' ', b'\t'))]
        self.assertEqual(sorted(names), sorted([b'from', b'x-original-from', b'date', b'message-id', b'mime-version', b'to', b'subject', b'content-type']))
        self.assertIn(('Message-ID: <%s@host.example>' % job['id']).encode(), lines)
        self.assertNotIn(b'friend@example.org', message)

    def test_encoded_subjects_are_shown_as_people_read_them(self):
        job, message = self.accept(self.d.post('/v1/messages', b'Subject: =?utf-8?B?w6TDtg==?=\n =?utf-8?Q?=C3=BC?= x\n\n', headers=MAIL))
        self.assertEqual(job['subject'], 'äöü x')
        self.assertIn(b'Subject: =?utf-8?B?w6TDtg==?=\r\n =?utf-8?Q?=C3=BC?= x\r\n', message)
        job, _ = self.accept(self.d.post('/v1/messages', b'Subject: x\n' + b' =?utf-8?Q?\n' * 500_000 + b'\n', headers=MAIL))
        self.assertLessEqual(len(job['subject']), 998)

    def test_t_takes_the_recipients_of_the_header(self):
        job, message = self.accept(self.d.post('/v1/messages?t=1', MESSAGE, headers=MAIL))
        self.assertEqual([r['address'] for r in job['recipients']], ['ops@example.com', 'friend@example.org'])
        self.assertEqual(job['severity'], 'notice')
        self.assertNotIn(b'friend@example.org', message)
        self.assert_problem(self.d.post('/v1/messages?t=1', b'Subject: x\n\n', headers=MAIL), 422, 'no-recipient')
        self.assert_problem(self.d.post('/v1/messages?t=1', b'To: far@example.net\n\n', headers=MAIL), 403, 'recipient-not-allowed')

    def test_without_recipients_the_daemon_s_own_is_used(self):
        job, message = self.accept(self.d.post('/v1/messages', MESSAGE, headers=MAIL))
        self.assertEqual([r['address'] for r in job['recipients']], ['duty@example.com'])

    def test_the_envelope_can_be_the_first_line(self):
        envelope = {'to': ['ops@example.com'], 'labels': {'a': 'b'}, 'key': 'k', 'severity': 'info', 'source': 'cron'}
        job, message = self.accept(self.d.post('/v1/messages', json.dumps(envelope).encode() + b'\n' + MESSAGE, headers=LINED))
        self.assertEqual([job[k] for k in ('labels', 'key', 'severity', 'source')], [{'a': 'b'}, 'k', 'info', 'cron'])
        self.assertTrue(message.endswith(b'\r\n\r\nall \xe4 well\r\n.\r\n'), message)

    def test_the_same_key_accepts_once_and_looks_at_the_message(self):
        key = 'm-%d' % time.monotonic_ns()
        first = self.d.post('/v1/messages?idempotency_key=' + key, MESSAGE, headers=MAIL)
        again = self.d.post('/v1/messages?idempotency_key=' + key, MESSAGE, headers=MAIL)
        self.assertEqual((first.status, again.status, again.json['id']), (202, 200, first.json['id']))
        self.assert_problem(self.d.post('/v1/messages?idempotency_key=' + key, MESSAGE + b'more\n', headers=MAIL), 409, 'idempotency-mismatch')

    def test_what_is_no_message_is_refused(self):
        for body, words in ((b'', 'empty'), (b'hello\n', 'line 1'), (b'A: b\n\n' + b'x' * 999, '999 octets'), (b'A: b\n\n\0', 'NUL')):
            self.assert_problem(self.d.post('/v1/messages', body, headers=MAIL), 400, 'invalid-value', words)
        self.assert_problem(self.d.post('/v1/messages', MESSAGE, headers=FORM), 415, 'unsupported-type', 'message/rfc822')
        self.assert_problem(self.d.post('/v1/messages?subject=x', MESSAGE, headers=MAIL), 400, 'unknown-field')
        self.assert_problem(self.d.post('/v1/messages?to=a@b.c', b'{}\n' + MESSAGE, headers=LINED), 400, 'unknown-field')
        self.assert_problem(self.d.post('/v1/messages', b'{"lables":{}}\n' + MESSAGE, headers=LINED), 400, 'unknown-field', '"labels"')
        self.assert_problem(self.d.post('/v1/messages', b'{"to":"a@b.c"}', headers=LINED), 400, 'malformed')
        self.assert_problem(self.d.post('/v1/messages?from=nobody&to=ops@example.com', b'A: b\n\n', headers=MAIL), 400, 'invalid-value', 'from')

    def test_a_large_message_is_kept_to_the_octet(self):
        body = b''.join(b'%070d\r\n' % i for i in range(200_000))
        job, message = self.accept(self.d.post('/v1/messages?to=ops@example.com', b'Subject: large\r\n\r\n' + body, headers=MAIL))
        self.assertEqual(message.partition(b'\r\n\r\n')[2], body)

    def test_a_message_of_carriage_returns_takes_no_time(self):
        began = time.monotonic()
        self.assertEqual(self.d.post('/v1/messages', b'A: b\r\r' + b'\r' * 8_000_000, headers=MAIL).status, 202)
        self.assertLess(time.monotonic() - began, 30)


class Machines(Intake):
    SAMPLE = re.compile(r'^([a-z_:]+)(\{[a-z_]+="[^"\\]*"(?:,[a-z_]+="[^"\\]*")*\})? (-?\d+)$')

    def scrape(self, admin):
        reply = self.d.get('/metrics', admin)
        self.assertEqual((reply.status, reply.headers['Content-Type']), (200, 'text/plain; version=0.0.4; charset=utf-8'), reply)
        found, typed = {}, set()
        for line in reply.body.decode().splitlines():
            if line.startswith('# TYPE '):
                self.assertNotIn(line.split()[2], typed)
                typed.add(line.split()[2])
            elif not line.startswith('# HELP '):
                match = self.SAMPLE.match(line)
                self.assertTrue(match, line)
                self.assertIn(match.group(1), typed)
                self.assertNotIn(match.group(1) + (match.group(2) or ''), found)
                found[match.group(1) + (match.group(2) or '')] = int(match.group(3))
        return found

    def test_metrics_count_what_the_status_counts(self):
        self.d.submit(**dict(JOB, not_before=later()))
        before = self.scrape(True)
        self.d.submit(**dict(JOB, not_before=later()))
        found = self.scrape(True)
        self.assertEqual(found['notifyd_jobs{state="queued"}'], before['notifyd_jobs{state="queued"}'] + 1)
        self.assertEqual(found['notifyd_jobs_total{state="delivered"}'], 0)
        states = [name for name, value in found.items() if name.startswith('notifyd_accounts{account="relay"') and value == 1]
        self.assertEqual(len(states), 1, found)
        self.assertEqual(found['notifyd_build_info{version="%s"}' % self.d.status()['version']], 1)
        self.assertLess(abs(found['process_start_time_seconds'] - time.time()), 600)
        self.assertIn('notifyd_sessions{account="relay"}', found)

    def test_a_submitter_sees_no_insides(self):
        found = self.scrape(False)
        self.assertIn('notifyd_jobs{state="held"}', found)
        self.assertNotIn('notifyd_sessions{account="relay"}', found)
        self.assert_problem(self.d.get('/metrics?x=1'), 400, 'unknown-field')

    def test_the_openapi_document_is_json_and_names_the_routes(self):
        document = self.d.get('/v1/openapi.json').json
        self.assertTrue(document['openapi'].startswith('3.'))
        self.assertIn('get', document['paths']['/v1/jobs/{id}'])
        self.assertEqual(document['info']['version'], self.d.status()['version'])
        self.assertIn('severity', document['components']['schemas']['Submission']['properties'])

    def test_the_parameters_that_the_openapi_document_names_are_known(self):
        for path, methods in self.d.get('/v1/openapi.json').json['paths'].items():
            for method, operation in methods.items():
                names = [p['name'] for p in operation['parameters'] if p['in'] == 'query']
                self.assertEqual(len(set(names)), len(names))
                kind = next(iter(operation.get('requestBody', {'content': {}})['content']), 'application/json')
                if (method, path) == ('post', '/v1/jobs'):
                    kind = 'text/plain'
                for name in names if path != '/v1/events' else ():    # which would not end
                    with self.subTest(path, method=method, name=name):
                        target = path.replace('{id}', '01ARZ3NDEKTSV4RRFFQ69G5FAV') + '?%s=~' % name
                        reply = notifyd.request(self.d.admin, method.upper(), target, b'x' if 'requestBody' in operation else None, {'Content-Type': kind})
                        self.assertNotIn(b'unknown-field', reply.body)

