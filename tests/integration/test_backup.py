# SPDX-License-Identifier: Apache-2.0
"""A copy of the queue while notifyd runs, and what becomes of it in another state directory."""
import json
import os
import signal
import subprocess
import tarfile
import threading

import notifyd
from notifyd import ProgramTest, until
from test_limits import CONFIG, JOB

LARGE = dict(JOB, subject='large', text='0123456789' * 20000)


class Backup(ProgramTest):
    def setUp(self):
        self.d = self.daemon(CONFIG % ('', 'quota_jobs = none\nquota_bytes = 0'))

    def notifyctl(self, *words):
        return subprocess.run([notifyd.NOTIFYCTL, '--socket', self.d.socket, *words], stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=120)

    def restored(self, file):
        other = self.daemon(CONFIG % ('', ''), start=False)
        os.mkdir(other.state, 0o700)
        with tarfile.open(file) as tar:
            tar.extractall(other.state)
        return other.start()

    def test_a_backup_holds_every_job_with_its_message(self):
        small, large = self.d.submit(**JOB), self.d.submit(**LARGE)
        messages = [self.d.get('/v1/jobs/%s/message' % job, True).body for job in (small, large)]
        file = os.path.join(self.d.folder, 'queue.tar')
        done = self.notifyctl('backup', file)
        self.assertEqual((done.returncode, done.stderr), (0, ''), done)
        self.assertEqual(os.stat(file).st_mode & 0o777, 0o600)
        self.assertFalse(os.path.exists(os.path.join(self.d.state, 'backup')))
        self.assertFalse(os.path.exists(file + '.new'))
        self.d.submit(**JOB)
        other = self.restored(file)
        self.assertEqual([other.get('/v1/jobs/%s/message' % job, True).body for job in (small, large)], messages)
        self.assertEqual(other.status()['queue']['queued'], 2)

    def test_jobs_that_come_meanwhile_are_kept_and_the_copy_is_whole(self):
        first = [self.d.submit(**JOB) for _ in range(200)]
        accepted, stop = [], threading.Event()

        def submit():
            while not stop.is_set():
                for job in (JOB, LARGE):
                    reply = self.d.post('/v1/jobs', job, True)
                    if reply.status == 202:
                        accepted.append(reply.json['id'])

        thread = threading.Thread(target=submit)
        thread.start()
        try:
            file = os.path.join(self.d.folder, 'queue.tar')
            done = self.notifyctl('backup', file)
        finally:
            stop.set()
            thread.join()
        self.assertEqual(done.returncode, 0, done)
        self.assertGreater(len(accepted), 0)
        self.assertEqual(self.d.status()['queue']['queued'], len(first) + len(accepted))
        other = self.restored(file)
        jobs = []
        cursor = ''
        while cursor is not None:
            page = other.get('/v1/jobs?limit=1000' + (cursor and '&cursor=' + cursor), True).json
            jobs += page['jobs']
            cursor = page['next']
        self.assertLessEqual(set(first), {job['id'] for job in jobs})
        for job in jobs:
            self.assertEqual(other.get('/v1/jobs/%s/message' % job['id'], True).status, 200)

    def test_only_an_operator_makes_one(self):
        self.assert_problem(self.d.post('/v1/backup', b''), 403, 'operator-only')
        self.assertFalse(os.path.exists(os.path.join(self.d.state, 'backup')))

    def test_a_later_backup_takes_the_place_of_an_earlier_one(self):
        self.d.submit(**LARGE)
        for _ in range(2):
            reply = self.d.post('/v1/backup', b'', True)
            self.assertEqual(reply.status, 200, reply)
            self.assertEqual(os.path.realpath(os.path.join(self.d.state, 'backup')), reply.json['path'])
            self.assertEqual(sorted(os.listdir(reply.json['path'])), ['queue.db', 'spool'])
            self.assertEqual(len(os.listdir(os.path.join(reply.json['path'], 'spool'))), 1)
        for _ in range(2):    # gone is gone
            self.assertEqual(notifyd.request(self.d.admin, 'DELETE', '/v1/backup').status, 200)
            self.assertFalse(os.path.exists(reply.json['path']))

    def test_a_program_is_told_in_json(self):
        file = os.path.join(self.d.folder, 'told.tar')
        done = self.notifyctl('--json', 'backup', file)
        self.assertEqual((done.returncode, json.loads(done.stdout)), (0, {'path': file, 'octets': os.path.getsize(file)}))

    def test_one_that_is_cut_short_leaves_nothing(self):
        self.d.submit(**LARGE)
        tools = os.path.join(self.d.folder, 'tools')
        begun = os.path.join(self.d.folder, 'begun')
        os.mkdir(tools)
        with open(os.path.join(tools, 'tar'), 'w', encoding='ascii') as file:
            file.write('#!/bin/sh\n: >%s\nexec sleep 600\n' % begun)
        os.chmod(os.path.join(tools, 'tar'), 0o755)
        copy, file = os.path.join(self.d.state, 'backup'), os.path.join(self.d.folder, 'queue.tar')
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            with self.subTest(number):
                client = subprocess.Popen([notifyd.NOTIFYCTL, '--socket', self.d.socket, 'backup', file], stdin=subprocess.DEVNULL,
                                          stderr=subprocess.DEVNULL, env=dict(os.environ, PATH=tools + ':' + os.environ['PATH']))
                until(lambda: os.path.exists(begun), 'tar reads it')
                self.assertTrue(os.path.exists(copy))
                client.send_signal(number)
                self.assertEqual(client.wait(30), -number)
                self.assertFalse(os.path.exists(copy))
                self.assertFalse(os.path.exists(file + '.new'))
                os.unlink(begun)

    def test_one_that_nobody_took_goes_at_the_next_start(self):
        job = self.d.submit(**LARGE)
        folder = self.d.post('/v1/backup', b'', True).json['path']
        self.assertEqual(os.listdir(os.path.join(folder, 'spool')), [job])
        self.d.kill()
        self.d.start()
        self.assertFalse(os.path.exists(folder))
        self.assertEqual(self.d.job(job)['state'], 'queued')

    def test_a_file_that_cannot_be_written_leaves_no_copy(self):
        done = self.notifyctl('backup', os.path.join(self.d.folder, 'none', 'queue.tar'))
        self.assertNotEqual(done.returncode, 0)
        self.assertIn('queue.tar', done.stderr)
        self.assertFalse(os.path.exists(os.path.join(self.d.state, 'backup')))
