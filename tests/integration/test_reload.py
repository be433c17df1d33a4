# SPDX-License-Identifier: Apache-2.0
"""New settings while the daemon runs, pauses, and the settings it falls back to."""
import datetime
import os
import signal
import socket
import subprocess
import sys
import unittest

from notifyd import NOTIFYCTL, ProgramTest, until

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'fake'))
import relay

HEAD = '''
[daemon]
hostname = host.example
[access]
to_allow = *
'''
ACCOUNT = '''
[account %s]
provider = smtp
host = 127.0.0.1:%d
security = none
auth = none
from = "Alerts" <alerts@example.com>
'''
M365 = '''
[account m365]
provider = microsoft
from = %(user)s
auth = oauth2
grant = client_credentials
tenant = %(tenant)s
client_id = %(client_id)s
client_secret = file:%(secret)s
token_url = %(token_url)s
host = %(smtp_host)s:%(smtp_port)d
ca_file = %(ca)s
'''
JOB = {'to': ['ops@example.com'], 'subject': 'Disk', 'text': 'sda\n'}


class RelayTest(ProgramTest):
    def relay(self):
        fake = relay.Lenient()
        self.addCleanup(fake.close)
        return fake


class Reload(RelayTest):
    def reload(self, daemon):
        reply = daemon.post('/v1/reload', None, True)
        self.assertEqual(reply.status, 200, reply)
        return reply.json

    def ctl(self, daemon, *words):
        return subprocess.run([NOTIFYCTL, '--socket', daemon.socket, *words], capture_output=True, text=True, timeout=60, check=False)

    def test_a_reload_while_mails_are_sent_loses_none_and_doubles_none(self):
        one, two = self.relay(), self.relay()
        d = self.daemon(HEAD + ACCOUNT % ('a', one.port))
        jobs = []
        for turn in range(6):
            jobs += [d.submit(**dict(JOB, subject='mail %d.%d' % (turn, n))) for n in range(10)]
            # in turns: an unchanged file, another relay, another setting, another name
            d.configure(HEAD + ACCOUNT % ('ab'[turn // 3], (one, two)[turn % 2].port) + 'max_connections = %d\n' % (1 + turn // 2))
            self.reload(d)
        for job in jobs:
            self.assertEqual(d.final(job)['state'], 'delivered')
        got = sorted(mail.split(b'Subject: ')[1].split(b'\r\n')[0] for _, mail in one.mails + two.mails)
        self.assertEqual(got, sorted(b'mail %d.%d' % (turn, n) for turn in range(6) for n in range(10)))

    def test_a_mail_under_way_ends_on_its_old_session(self):
        one, two = self.relay(), self.relay()
        d = self.daemon(HEAD + ACCOUNT % ('a', one.port))
        one.gate.clear()
        job = d.submit(**JOB)
        self.assertTrue(one.waiting.wait(30))
        d.configure(HEAD + ACCOUNT % ('a', two.port))
        self.assertEqual(self.reload(d), {'accounts': ['a'], 'changed': ['a']})
        later = d.submit(**dict(JOB, subject='later'))
        self.assertEqual(d.final(later)['state'], 'delivered')
        self.assertEqual(d.job(job)['state'], 'sending')
        one.gate.set()
        self.assertEqual(d.final(job)['state'], 'delivered')
        until(lambda: one.ended == 1, 'the old session ends')
        self.assertEqual((len(one.mails), len(two.mails)), (1, 1))

    def test_the_jobs_of_an_account_that_goes_are_sent_by_another(self):
        one, two = self.relay(), self.relay()
        d = self.daemon(HEAD + ACCOUNT % ('a', one.port) + 'max_connections = 1\n')
        one.gate.clear()
        first, second = d.submit(**JOB), d.submit(**JOB)
        self.assertTrue(one.waiting.wait(30))
        d.configure(HEAD + ACCOUNT % ('b', two.port))
        self.reload(d)
        self.assertEqual([a['name'] for a in d.status()['accounts']], ['b'])
        metrics = d.get('/metrics', True).body
        self.assertIn(b'account="b"', metrics)
        self.assertNotIn(b'account="a"', metrics)    # though a mail of it is under way
        one.gate.set()
        self.assertEqual([d.final(first)['account'], d.final(second)['account']], ['a', 'b'])
        self.assertEqual((len(one.mails), len(two.mails)), (1, 1))

    def test_an_uncertain_job_of_an_account_that_goes_waits_before_another_one_sends_it(self):
        one, two = self.relay(), self.relay()
        one.faults['END'] = 'FIN'
        d = self.daemon(HEAD + ACCOUNT % ('a', one.port))
        doubted = d.submit(**JOB)
        until(lambda: d.job(doubted)['uncertain'], 'it is uncertain')
        d.configure(HEAD + '[queue]\nuncertain_wait = 5m\n' + ACCOUNT % ('b', two.port))
        now = datetime.datetime.now(datetime.timezone.utc)
        self.reload(d)
        job = until(lambda: (lambda j: j if j['account'] == 'b' else None)(d.job(doubted)), 'it is given to the other account')
        due = datetime.datetime.fromisoformat(job['next_attempt'].replace('Z', '+00:00'))
        self.assertTrue(300 <= (due - now).total_seconds() < 360, job)
        self.assertEqual(d.final(d.submit(**JOB))['account'], 'b')
        self.assertEqual((d.job(doubted)['state'], len(two.mails)), ('queued', 1))
        self.assertEqual(d.post('/v1/queue/flush', None, True).status, 200)    # of all that waits, not of this one
        self.assertEqual(d.final(d.submit(**JOB))['account'], 'b')
        self.assertEqual((d.job(doubted)['next_attempt'], len(two.mails)), (job['next_attempt'], 2))
        self.assertIn('in-doubt', d.job(doubted)['reason'])
        self.assertEqual(d.post('/v1/jobs/%s/retry' % doubted, None, True).status, 200)    # by a person: at once
        self.assertEqual(d.final(doubted)['account'], 'b')

    def test_a_bad_file_changes_nothing_and_every_fault_is_told(self):
        fake = self.relay()
        d = self.daemon(HEAD + ACCOUNT % ('a', fake.port))
        d.configure(HEAD + 'to_allwo = x\n' + ACCOUNT % ('b', fake.port) + 'port = none\n')
        reply = d.post('/v1/reload', None, True)
        self.assert_problem(reply, 422, 'bad-configuration', 'to_allow')
        errors = reply.json['errors']
        self.assertEqual([(e['file'], e['line']) for e in errors], [('notifyd.conf', 6), ('notifyd.conf', 14)])
        self.assertEqual((reply.json['line'], reply.json['detail']), (6, errors[0]['detail']))
        self.assertEqual(d.final(d.submit(**JOB))['account'], 'a')
        warning = next(w for w in d.status()['warnings'] if w['code'] == 'degraded')
        self.assertTrue(warning['detail'].startswith('degraded: notifyd.conf:6:'), warning)
        said = self.ctl(d, 'reload')
        self.assertEqual(said.returncode, 78, said)
        self.assertIn('notifyd.conf:14', said.stderr)
        d.configure(HEAD + ACCOUNT % ('b', fake.port))
        said = self.ctl(d, 'reload')
        self.assertEqual((said.returncode, said.stderr), (0, ''), said)
        self.assertEqual(d.status()['warnings'], [])

    def test_a_folder_of_drop_ins_that_cannot_be_read_is_not_an_empty_one(self):
        fake = self.relay()
        d = self.daemon(HEAD, start=False)
        folder = os.path.join(d.folder, 'conf.d')
        os.mkdir(folder)
        with open(os.path.join(folder, 'a.conf'), 'w', encoding='utf-8') as file:
            file.write(ACCOUNT % ('a', fake.port))
        d.start()
        os.rename(folder, folder + '.away')
        os.symlink('conf.d', folder)    # leads to itself: also root cannot read it
        self.assert_problem(d.post('/v1/reload', None, True), 422, 'bad-configuration', folder)
        self.assertEqual(d.final(d.submit(**JOB))['account'], 'a')
        os.unlink(folder)
        self.reload(d)
        self.assertEqual(d.status()['accounts'], [])

    def test_a_new_account_releases_held_jobs(self):
        fake = self.relay()
        d = self.daemon(HEAD)
        job = d.submit(**JOB)
        self.assertEqual(d.job(job)['state'], 'held')
        d.configure(HEAD + ACCOUNT % ('a', fake.port))
        self.reload(d)
        self.assertEqual(d.final(job)['account'], 'a')
        d.configure(HEAD)
        self.reload(d)
        self.assertEqual(d.job(d.submit(**JOB))['state'], 'held')

    def test_what_came_before_any_account_is_judged_by_the_rules_of_the_first(self):
        """Who may write to whom depends on an account's domain: without one everything is accepted and held."""
        fake = self.relay()
        head = HEAD.replace('[access]\nto_allow = *\n', '')
        d = self.daemon(head)
        foreign, ours = 'boss@elsewhere.example', 'ops@example.com'
        sends = lambda admin, *to: d.submit(admin=admin, **dict(JOB, to=list(to)))
        allowed, refused, mixed, by_operator = sends(False, ours), sends(False, foreign), sends(False, ours, foreign), sends(True, foreign)
        from_foreign = d.submit(admin=False, **dict(JOB, to=[ours], **{'from': foreign}))
        for job in (allowed, refused, mixed, by_operator, from_foreign):
            self.assertEqual(d.job(job)['state'], 'held')
        d.configure(head + ACCOUNT % ('a', fake.port))
        self.reload(d)
        self.assertEqual(d.final(allowed)['state'], 'delivered')
        ended = d.final(refused)
        self.assertEqual(ended['state'], 'failed')
        self.assertIn('recipient-not-allowed', ended['reason'])
        self.assertIn('to_allow', ended['hint'])
        ended = d.final(mixed)
        self.assertEqual([(r['address'], r['state']) for r in ended['recipients']], [(ours, 'delivered'), (foreign, 'refused')])
        self.assertEqual(d.final(by_operator)['state'], 'delivered')
        self.assertEqual(d.final(from_foreign)['state'], 'delivered')
        content, = [content for _, content in fake.mails if from_foreign.encode() in content]
        self.assertIn(b'X-Original-From: <boss@', content)    # answers may not go there
        self.assert_problem(d.post('/v1/jobs', dict(JOB, to=foreign)), 403, 'recipient-not-allowed')

    def test_sighup_reloads(self):
        fake = self.relay()
        d = self.daemon(HEAD)
        job = d.submit(**JOB)
        d.configure(HEAD + ACCOUNT % ('a', fake.port))
        d.process.send_signal(signal.SIGHUP)
        self.assertEqual(d.final(job)['state'], 'delivered')

    def test_only_an_operator_reloads(self):
        d = self.daemon(HEAD)
        for path in ('/v1/reload', '/v1/accounts/a/pause', '/v1/accounts/a/resume', '/v1/accounts/a/refresh'):
            self.assert_problem(d.post(path, None), 403, 'operator-only')
        self.assert_problem(d.get('/v1/accounts'), 403, 'operator-only')


    def test_systemd_is_told_when_a_reload_begins_and_ends(self):
        d = self.daemon(HEAD, start=False)
        os.mkdir(d.state, 0o700)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
            ear.settimeout(30)
            ear.bind(os.path.join(d.folder, 'notify'))
            d.process = subprocess.Popen(d.command(), env=dict(d.env, NOTIFY_SOCKET=os.path.join(d.folder, 'notify')),
                                         stderr=subprocess.DEVNULL)
            d.pidfd = os.pidfd_open(d.process.pid)

            def hear(word):
                while True:
                    lines = ear.recv(65536).decode().split('\n')
                    if word in lines:
                        return lines
            hear('READY=1')
            d.process.send_signal(signal.SIGHUP)
            self.assertRegex(hear('RELOADING=1')[1], r'^MONOTONIC_USEC=[1-9]\d+$')
            hear('READY=1')


class Tokens(ProgramTest):
    def setUp(self):
        self.fake = self.provider()

    def config(self, client_id=None, more=''):
        return HEAD + M365 % dict(self.fake.facts, **({'client_id': client_id} if client_id else {})) + more

    def tokens(self):
        return len(self.fake.journal('token'))

    def test_a_mended_application_gets_its_token_at_once(self):
        d = self.daemon(self.config('00000000-0000-0000-0000-00000000dead'))
        job = d.submit(**JOB)
        until(lambda: d.account('m365')['state'] == 'held', 'the account is held')
        d.configure(self.config())
        self.assertEqual(d.post('/v1/reload', None, True).status, 200)
        self.assertEqual(d.final(job)['state'], 'delivered')
        self.assertEqual(d.account('m365')['state'], 'ok')

    def test_an_unchanged_account_keeps_its_token_and_a_refresh_gets_another(self):
        d = self.daemon(self.config())
        self.assertEqual(d.final(d.submit(**JOB))['state'], 'delivered')
        before = self.tokens()
        self.assertEqual(d.post('/v1/reload', None, True).json['changed'], [])
        self.assertEqual(d.final(d.submit(**JOB))['state'], 'delivered')
        self.assertEqual(self.tokens(), before)
        self.assertEqual(d.post('/v1/accounts/m365/refresh', None, True).json['state'], 'ok')
        until(lambda: self.tokens() == before + 1, 'another token comes')
        d.configure(self.config(more='max_connections = 1\n'))
        self.assertEqual(d.post('/v1/reload', None, True).json['changed'], ['m365'])
        self.assertEqual(d.final(d.submit(**JOB))['state'], 'delivered')


class Degraded(RelayTest):
    def test_files_that_became_bad_are_replaced_by_the_last_good_ones(self):
        fake = self.relay()
        d = self.daemon(HEAD + ACCOUNT % ('a', fake.port))
        d.stop()
        good = os.path.join(d.state, 'config.good')
        self.assertEqual(os.stat(good).st_mode & 0o777, 0o600)
        d.configure('[account a]\ngramt = x\n')
        d.start()
        self.assertEqual(d.final(d.submit(**JOB))['state'], 'delivered')
        health = d.get('/v1/health?ready')
        self.assertEqual((health.status, health.json['status']), (200, 'degraded'))
        self.assertEqual(d.get('/v1/health?live').json, {'status': 'ok'})
        self.assertIn('degraded: notifyd.conf:2:', d.status()['warnings'][0]['detail'])
        self.assertIn('degraded: the last good configuration is used: notifyd.conf:2:', d.tail())
        check = subprocess.run(d.command('--check'), capture_output=True, timeout=60, check=False)
        self.assertEqual(check.returncode, 78)
        d.stop()
        os.unlink(good)
        run = subprocess.run(d.command(), capture_output=True, timeout=60, check=False)
        self.assertEqual(run.returncode, 78, run)

    def test_drop_ins_are_kept_each_as_its_own_file(self):
        fake = self.relay()
        d = self.daemon(HEAD + ACCOUNT % ('a', 1), start=False)
        os.mkdir(os.path.join(d.folder, 'conf.d'))
        with open(os.path.join(d.folder, 'conf.d', 'host.conf'), 'w', encoding='utf-8') as file:
            file.write('[account a]\nhost = 127.0.0.1:%d' % fake.port)   # the same key, and no line end
        d.start()
        d.stop()
        d.configure('nonsense\n')
        d.start()
        self.assertEqual(d.final(d.submit(**JOB))['state'], 'delivered')


class Accounts(RelayTest):
    def setUp(self):
        self.fake = self.relay()
        self.d = self.daemon(HEAD + ACCOUNT % ('a', self.fake.port))

    def ctl(self, *words):
        return subprocess.run([NOTIFYCTL, '--socket', self.d.socket, *words], capture_output=True, text=True, timeout=60, check=False)

    def test_a_paused_account_sends_nothing_even_after_a_restart(self):
        reply = self.d.post('/v1/accounts/a/pause', None, True)
        self.assertEqual((reply.status, reply.json['state']), (200, 'paused'), reply)
        job = self.d.submit(**JOB)
        self.d.kill()
        self.d.start()
        self.assertEqual(self.d.get('/v1/accounts/a', True).json['state'], 'paused')
        self.assertIn('paused', self.d.job(job)['reason'])
        self.assertEqual(self.fake.mails, [])
        self.assertEqual(self.ctl('resume', 'a').returncode, 0)
        self.assertEqual(self.d.final(job)['state'], 'delivered')
        self.d.stop()
        self.d.start()
        self.assertEqual([a['state'] for a in self.d.get('/v1/accounts', True).json['accounts']], ['ok'])

    def test_an_account_in_trouble_is_tried_at_once_when_refreshed(self):
        port = self.fake.port
        self.fake.shut()
        job = self.d.submit(**JOB)
        until(lambda: self.d.account('a')['state'] == 'failing', 'the account fails')
        self.fake.listen(port)
        self.assertEqual(self.d.post('/v1/accounts/a/refresh', None, True).status, 200)
        self.assertEqual(self.d.final(job)['state'], 'delivered')

    def test_an_account_that_is_not_there_is_told(self):
        self.assert_problem(self.d.post('/v1/accounts/nobody/pause', None, True), 404, 'not-found', 'nobody')
        self.assert_problem(self.d.get('/v1/accounts/nobody', True), 404, 'not-found', 'nobody')
        self.assertEqual(self.ctl('pause', 'nobody').returncode, 65)

    def test_check_is_a_monitoring_plugin(self):
        said = self.ctl('check')
        self.assertEqual((said.returncode, said.stdout.count('\n')), (0, 1), said)
        self.assertTrue(said.stdout.startswith('NOTIFYD OK'), said)
        self.assertEqual(self.ctl('pause', 'a').returncode, 0)
        said = self.ctl('check')
        self.assertEqual((said.returncode, said.stdout[:16]), (1, 'NOTIFYD WARNING '), said)
        self.assertIn('a is paused', said.stdout)
        self.d.stop()
        said = self.ctl('check')
        self.assertEqual((said.returncode, said.stdout[:17]), (2, 'NOTIFYD CRITICAL '), said)
        self.d.start()


if __name__ == '__main__':
    unittest.main()
