# SPDX-License-Identifier: Apache-2.0
"""Sensitive jobs: nothing of their message is on disk in the open, shown or logged, and nothing is left when they end. The relay is the
stand-in provider, or a paused queue."""
import base64
import contextlib
import glob
import hashlib
import json
import os
import secrets
import shutil
import sqlite3
import subprocess
import tarfile

import notifyd
from notifyd import NOTIFYCTL, ProgramTest, until

CONFIG = '''
[daemon]
hostname = host.example
log_level = debug
[access]
to_allow = *
[account m365]
provider = microsoft
host = localhost:%(smtp_port)d
ca_file = %(ca)s
from = Alerts <%(user)s>
tenant = %(tenant)s
client_id = %(client_id)s
client_secret = file:%(secret)s
token_url = %(token_url)s
'''
TO = 'ops@contoso.example'


class Sensitive(ProgramTest):
    def setUp(self):
        self.fake = self.provider()
        self.d = self.daemon(CONFIG % self.fake.facts)
        self.marker = secrets.token_hex(16)

    def pause(self, paused=True):
        self.assertEqual(self.d.post('/v1/queue/%s' % ('pause' if paused else 'resume'), None, True).status, 200)

    def secret(self, large=False, **more):
        """A job that has the marker wherever a message can have it."""
        m = self.marker
        more.setdefault('to', [TO])
        return dict(more, subject='subject ' + m, text='text %s\n' % m * (4000 if large else 1), html='<p>html %s</p>' % m,
                    headers={'X-Secret': m}, links=[{'title': m, 'url': 'https://example.com/reset/' + m}],
                    attachments=[{'name': m + '.txt', 'content': base64.b64encode(b'attached ' + m.encode()).decode()}],
                    labels={'device': 'sda'}, key='disk', client_ref='mine', sensitive=True)

    def forms(self):
        """The marker as it is, and as base64 at each of its three places in a group."""
        plain = self.marker.encode()
        yield plain
        for shift in range(3):
            yield base64.b64encode(b'\0' * shift + plain)[4 if shift else 0:-4]

    def look(self, octets, where):
        for form in self.forms():
            self.assertNotIn(form, octets, where)

    def on_disk(self):
        for folder, _, names in os.walk(self.d.state):
            for name in names:
                try:
                    with open(os.path.join(folder, name), 'rb') as file:
                        yield name, file.read()
                except FileNotFoundError:
                    pass    # it went meanwhile
        with open(self.d.log, 'rb') as file:
            yield 'log', file.read()

    def assert_hidden_on_disk(self):
        for name, octets in self.on_disk():
            self.look(octets, name)

    def assert_hidden(self, *jobs):
        """Below STATE, in the log and in every reply that tells of jobs there is no marker."""
        self.assert_hidden_on_disk()
        for target in ['/v1/jobs', '/v1/status', '/metrics'] + ['/v1/jobs/' + job for job in jobs]:
            self.look(self.d.get(target, True).body, target)
        if jobs:
            for words in (('list',), ('show', jobs[0]), ('status',), ('--json', 'show', jobs[0])):
                done = subprocess.run([NOTIFYCTL, '--socket', self.d.socket, *words], capture_output=True, stdin=subprocess.DEVNULL)
                self.look(done.stdout + done.stderr, words)

    def look_at_events(self, job):
        """All that happened, up to the end of this job."""
        connection = notifyd.UnixConnection(self.d.admin, 30)
        self.addCleanup(connection.close)
        connection.request('GET', '/v1/events?since=0:0')
        reply = connection.getresponse()
        while True:
            line = reply.readline()
            self.assertTrue(line)
            self.look(line, 'events')
            event = json.loads(line)
            if (event.get('job'), event['event']) == (job, 'job.delivered'):
                break

    def files(self, folder):
        return sorted(os.listdir(os.path.join(self.d.state, folder)))

    def assert_wiped(self):
        until(lambda: not self.files('keys') and not self.files('spool'), 'key and message are wiped')

    def message(self, job, admin=True):
        return self.d.get('/v1/jobs/%s/message' % job, admin)

    def mails(self):
        found = []
        for name in sorted(glob.glob(os.path.join(self.fake.folder, 'mail', '*.eml'))):
            with open(name, 'rb') as file:
                found.append(file.read())
        return found

    def test_what_is_kept_beside_an_idempotency_key_cannot_be_compared_with_guesses(self):
        def send(key, **more):
            return self.d.post('/v1/jobs', dict({'to': TO, 'text': '4711', 'sensitive': True, 'idempotency_key': key}, **more), True)

        def kept():
            with contextlib.closing(sqlite3.connect('file:%s?mode=ro' % os.path.join(self.d.state, 'queue.db'), uri=True)) as queue:
                return dict(queue.execute('SELECT key, digest FROM idempotency'))
        self.pause()
        first = send('one')
        self.assertEqual(first.status, 202, first)
        self.d.kill()
        path = os.path.join(self.d.state, 'request-key')
        self.assertEqual((os.stat(path).st_mode & 0o7777, os.path.getsize(path)), (0o600, 32))
        digest = kept()['one']
        self.d.start()
        again = send('one')
        self.assertEqual((again.status, again.json['id'], again.json['duplicate']), (200, first.json['id'], True))
        self.assert_problem(send('one', text='4712'), 409, 'idempotency-mismatch')
        # The request decides, and the key.
        with open(path, 'rb') as file:
            key = file.read()
        self.d.stop()
        os.unlink(path)
        self.d.start()
        self.assert_problem(send('one'), 409, 'idempotency-mismatch')
        self.assertEqual(self.d.post('/v1/backup', b'', True).status, 200)
        for folder, _, names in os.walk(os.path.join(self.d.state, 'backup/')):
            for name in names:
                with open(os.path.join(folder, name), 'rb') as file:
                    self.assertNotIn(key, file.read())
        plain = [self.d.post('/v1/jobs', {'to': TO, 'text': '4711', 'idempotency_key': 'two'}, True).status for _ in range(2)]
        self.assertEqual(plain, [202, 200])
        self.d.stop()
        self.assertEqual(kept()['one'], digest)
        self.assertNotEqual(kept()['two'], digest)

    def test_small_and_large_ones_are_hidden_survive_a_kill_and_are_sent_as_they_were(self):
        self.pause()
        jobs = [self.d.submit(**self.secret()), self.d.submit(**self.secret(large=True)), self.d.submit(to=TO, subject='plain', text='x')]
        self.assertEqual(self.files('keys'), sorted(jobs[:2]))
        self.assert_hidden(*jobs)
        for job in jobs[:2]:
            shown = self.d.job(job)
            self.assertEqual((shown['sensitive'], shown['key'], shown['labels'], shown['client_ref']), (True, 'disk', {'device': 'sda'}, 'mine'))
            self.assertEqual({'subject', 'links', 'attachments'} & set(shown), set())
        self.assertNotIn('sensitive', self.d.job(jobs[2]))
        messages = [self.message(job) for job in jobs]
        self.assertEqual([reply.status for reply in messages], [200] * 3)
        for reply in messages[:2]:
            self.assertIn(self.marker.encode(), reply.body)
        self.assertGreater(len(messages[1].body), 65536)
        self.d.kill()
        self.assert_hidden_on_disk()
        self.d.start()
        self.pause(False)
        self.assertEqual([self.d.final(job)['state'] for job in jobs], ['delivered'] * 3)
        self.assertEqual(sorted(self.mails()), sorted(reply.body for reply in messages))
        self.assert_wiped()
        self.assert_hidden(*jobs)
        self.assert_problem(self.message(jobs[0]), 410, 'body-gone')
        reply = self.d.get('/v1/jobs/' + jobs[0], True).json
        self.assertEqual((reply['sensitive'], reply['recipients'][0]['state']), (True, 'delivered'))
        self.assertEqual((reply['evidence'][0]['octets'], reply['evidence'][0]['code']), (len(messages[0].body), 250))
        self.assertNotIn('sha256', reply['evidence'][0])    # from which the secret could be guessed
        for name, octets in self.on_disk():
            for message in messages[:2]:
                self.assertNotIn(hashlib.sha256(message.body).hexdigest().encode(), octets, name)
        self.look_at_events(jobs[1])
        self.d.stop()
        self.assert_hidden_on_disk()

    def test_nothing_is_left_of_those_that_were_cancelled_expired_or_refused(self):
        self.pause()
        cancelled = [self.d.submit(**self.secret()), self.d.submit(**self.secret(large=True))]
        for job in cancelled:
            self.assertEqual(self.d.post('/v1/jobs/%s/cancel' % job, None, True).json['state'], 'cancelled')
        self.assert_wiped()
        refused = self.d.submit(**self.secret(large=True, to=['reject@contoso.example']))
        self.pause(False)
        self.assertEqual(self.d.final(refused)['state'], 'failed')
        self.assert_wiped()
        self.pause()
        expired = self.d.submit(**self.secret(expires_in='1s'))
        self.assertEqual(self.d.final(expired, 100)['state'], 'expired')
        self.assert_wiped()
        self.assert_hidden(refused, expired, *cancelled)
        for job in (refused, expired):    # [queue] keep_failed is not for them
            self.assert_problem(self.message(job), 410, 'body-gone')
            self.assert_problem(self.d.post('/v1/jobs/%s/retry' % job, None, True), 410, 'body-gone', 'sensitive', 'submit it again')

    def test_the_message_of_another_job_is_found_by_the_same_look(self):
        self.pause()
        self.d.submit(**dict(self.secret(), sensitive=False))
        self.assertIn('queue.db-wal', [name for name, octets in self.on_disk() if any(form in octets for form in self.forms())])

    def test_a_put_off_one_keeps_its_message_until_it_is_delivered(self):
        job = self.d.submit(**self.secret(to=['tempfail@contoso.example']))
        until(lambda: self.d.job(job)['attempt_count'] == 1, 'the first try is over')
        self.assertEqual((self.files('keys'), self.files('spool')), ([job], [job]))
        self.assert_hidden(job)
        self.d.post('/v1/queue/flush', None, True)
        self.assertEqual(self.d.final(job)['state'], 'delivered')
        self.assertIn(self.marker.encode(), self.mails()[0])
        self.assert_wiped()

    def test_a_damaged_one_fails_and_nothing_of_it_is_sent(self):
        self.pause()
        jobs = [self.d.submit(**self.secret()), self.d.submit(**self.secret(large=True)), self.d.submit(**self.secret())]
        for job, at in ((jobs[0], 10), (jobs[1], -40)):    # the large one amid its content
            with open(os.path.join(self.d.state, 'spool', job), 'r+b') as file:
                file.seek(at, os.SEEK_END if at < 0 else os.SEEK_SET)
                octet = file.read(1)
                file.seek(-1, os.SEEK_CUR)
                file.write(bytes([octet[0] ^ 1]))
        os.unlink(os.path.join(self.d.state, 'keys', jobs[2]))
        self.assert_problem(self.message(jobs[0]), 410, 'body-gone', 'damaged')
        self.pause(False)
        for job in jobs:
            shown = self.d.final(job)
            self.assertEqual((shown['state'], shown['reason'].split(':')[0]), ('failed', 'body-gone'), shown)
        self.assertEqual(self.mails(), [])
        self.assertEqual(self.d.account('m365')['state'], 'ok')
        self.assert_wiped()
        fine = self.d.submit(to=TO, subject='x')
        self.assertEqual(self.d.final(fine)['state'], 'delivered')

    def test_what_a_crash_left_of_a_finished_one_is_wiped_at_the_next_start(self):
        self.pause()
        job = self.d.submit(**self.secret())
        self.d.stop()
        kept = os.path.join(self.fake.folder, 'kept')
        for name in ('keys', 'spool'):
            shutil.copytree(os.path.join(self.d.state, name), os.path.join(kept, name))
        self.d.start()
        self.d.post('/v1/jobs/%s/cancel' % job, None, True)
        self.assert_wiped()
        self.d.kill()
        for name in ('keys', 'spool'):    # as if the crash had come between the commit and the wiping
            shutil.copy(os.path.join(kept, name, job), os.path.join(self.d.state, name, job))
        self.d.start()
        self.assert_wiped()

    def test_a_backup_has_neither_message_nor_key(self):
        self.pause()
        job = self.d.submit(**self.secret())
        file = os.path.join(self.d.folder, 'queue.tar')
        done = subprocess.run([NOTIFYCTL, '--socket', self.d.socket, 'backup', file], capture_output=True, stdin=subprocess.DEVNULL)
        self.assertEqual(done.returncode, 0, done)
        with open(file, 'rb') as backup:
            self.look(backup.read(), 'backup')
        other = self.daemon('', start=False)
        with open(self.d.config, encoding='utf-8') as config:
            other.configure(config.read())
        os.mkdir(other.state, 0o700)
        with tarfile.open(file) as tar:
            self.assertFalse([name for name in tar.getnames() if job in name])
            tar.extractall(other.state)
        other.start()
        shown = other.final(job)
        self.assertEqual(shown['state'], 'failed')
        self.assertIn('body-gone: the key of the sensitive job', shown['reason'])

    def test_others_do_not_read_it_and_a_dry_run_leaves_nothing(self):
        reply = self.d.post('/v1/jobs?dry_run=1', self.secret(), True)
        self.assertEqual(reply.status, 200, reply)
        self.assertIn(self.marker, reply.json['message'])
        self.assertEqual((self.files('keys'), self.files('spool')), ([], []))
        self.assert_hidden()
        self.pause()
        job = self.d.submit(admin=False, **self.secret())
        self.assertEqual(self.message(job, admin=False).status, 200)
        done = subprocess.run([NOTIFYCTL, '--socket', self.d.socket, 'show', job], capture_output=True, text=True, stdin=subprocess.DEVNULL)
        self.assertIn('sensitive', done.stdout)

    def test_a_ready_message_and_the_clients_option(self):
        self.pause()
        reply = self.d.post('/v1/messages?to=%s&sensitive=1' % TO, 'Subject: s %s\n\nready %s\n' % (self.marker, self.marker), True,
                            headers={'Content-Type': 'message/rfc822'})
        self.assertEqual(reply.status, 202, reply)
        ready = reply.json['id']
        done = subprocess.run([NOTIFYCTL, '--socket', self.d.socket, '--json', 'send', '-t', TO, '-s', 'sent ' + self.marker,
                               '-m', self.marker, '--sensitive'], capture_output=True, text=True, stdin=subprocess.DEVNULL)
        self.assertEqual(done.returncode, 0, done)
        sent = json.loads(done.stdout)['id']
        self.assert_hidden(ready, sent)
        messages = sorted(self.message(job).body for job in (ready, sent))
        self.pause(False)
        for job in (ready, sent):
            self.assertEqual(self.d.final(job)['state'], 'delivered')
        self.assertEqual(sorted(self.mails()), messages)
        self.assert_wiped()
        self.assert_hidden(ready, sent)


if __name__ == '__main__':
    notifyd.unittest.main()
