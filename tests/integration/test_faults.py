# SPDX-License-Identifier: Apache-2.0
"""A token endpoint and a relay that fail in every way: what becomes of jobs, accounts and tokens, and that all is delivered afterwards."""
import email.utils
import os
import sys
import tempfile
import threading
import time
import unittest

import notifyd
from notifyd import ProgramTest, until

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'fake'))
import provider
import relay

HEAD = '''
[daemon]
hostname = host.example
[access]
to_allow = *
'''
MICROSOFT = '''
[account %(name)s]
provider = microsoft
max_connections = 1
host = %(smtp_host)s:%(smtp_port)d
ca_file = %(ca)s
from = Alerts <%(user)s>
auth = oauth2
grant = client_credentials
tenant = %(tenant)s
client_id = %(client_id)s
client_secret = file:%(secret)s
token_url = %(token_url)s%(query)s
'''
PLAIN = '''
[account %s]
provider = smtp
host = 127.0.0.1:%d
max_connections = 1
from = alerts@example.com
%s
'''
NO_TLS = 'security = none\nauth = none\n'
JOB = {'to': ['ops@contoso.example'], 'subject': 'Disk', 'text': 'sda\n'}


def of_its_own(name, port, more):
    """An account with a mailbox of its own: those of one mailbox take turns."""
    return (PLAIN % (name, port, more)).replace('alerts@', name + '@')


class Faults(ProgramTest):
    def stand_in(self, **options):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        fake = provider.StandIn(folder.name, **options)
        self.addCleanup(fake.close)
        return fake

    def lenient(self, *offer, **options):
        fake = relay.Lenient(offer or ('8BITMIME',), **options)
        self.addCleanup(fake.close)
        return fake

    def until_account(self, daemon, name, state, seconds=60):
        return until(lambda: (lambda a: a if a['state'] == state else None)(daemon.account(name)), '%s is %s' % (name, state), seconds)

    def hurry(self, daemon, *names):
        for name in names:
            self.assertEqual(daemon.post('/v1/accounts/%s/refresh' % name, None, True).status, 200)
        self.assertEqual(daemon.post('/v1/queue/flush', None, True).status, 200)

    def delivered(self, daemon, job, attempts=1):
        job = daemon.final(job)
        self.assertEqual((job['state'], job['attempt_count'], job.get('uncertain', False)), ('delivered', attempts, False), job)
        return job


class TokenEndpoint(Faults):
    def test_jobs_outlive_an_endpoint_that_is_down_for_longer_than_a_token_lives(self):
        fake = self.stand_in(ttl=20)
        d = self.daemon(HEAD + MICROSOFT % dict(fake.facts, name='m', query=''))
        self.delivered(d, d.submit(**JOB))
        fake.tokens_down()
        # the old token serves to its end, also after a request for a new one has failed
        until(lambda: 'no token for account' in d.tail(), 'a request fails')
        self.assertEqual(d.account('m')['state'], 'ok')
        self.delivered(d, d.submit(**JOB))
        account = self.until_account(d, 'm', 'failing')
        self.assertEqual(account['reason'].split(':')[0], 'token-endpoint', account)
        jobs = [d.submit(**JOB) for _ in range(20)]
        for shown in map(d.job, jobs):
            self.assertEqual((shown['state'], shown['attempt_count'], shown.get('expires')), ('queued', 0, None), shown)
        limited = d.job(d.submit(**dict(JOB, expires_in='1h')))
        self.assertTrue(limited['expires'])    # its own time never stops
        fake.tokens_up()
        for job in jobs + [limited['id']]:
            self.delivered(d, job)
        self.assertEqual(d.account('m')['state'], 'ok')
        self.assertEqual([entry for entry in fake.journal('auth') if not entry['ok']], [])
        self.assertEqual(len(fake.journal('mail')), 23)

    def test_what_its_server_said_before_is_not_the_story_of_a_token_that_fails_now(self):
        fake, deaf = self.stand_in(ttl=5), self.lenient(faults={'GREETING': '554 5.7.1 go away'})
        d = self.daemon(HEAD + MICROSOFT % dict(fake.facts, name='m', query='', smtp_port=deaf.port))
        job = d.submit(**JOB)
        shown = until(lambda: (lambda j: j if 'transcript' in j else None)(d.job(job)), 'the server is what fails')
        self.assertIn('554 5.7.1 go away', [line['text'] for line in shown['transcript']])
        self.assertIn('go away', shown['reason'])
        fake.tokens_down()
        shown = until(lambda: (lambda j: j if 'token-endpoint' in j['reason'] else None)(d.job(job)), 'the token is what fails')
        self.assertNotIn('transcript', shown)
        fake.tokens_up()
        self.hurry(d, 'm')
        shown = until(lambda: (lambda j: j if 'go away' in j['reason'] else None)(d.job(job)), 'it is the server again')
        self.assertIn('transcript', shown)

    def test_every_odd_answer_is_put_off_or_told_and_never_hammered(self):
        """One account for each answer. The first answer is odd, the later ones are good."""
        refused = b'{"error":"invalid_client","error_description":"AADSTS7000215: Invalid client secret provided."}'
        odd = {    # answer, state of the account after it, words, seconds to the next request at least
            'seconds': ((429, {'Retry-After': '4'}, b''), 'failing', '429', 4),
            'date': ((429, {'Retry-After': 'date'}, b''), 'failing', '429', 3),
            'later': ((408, {}, b''), 'failing', '408', 1.5),
            'broken': ((500, {}, b'oops'), 'failing', '500', 1.5),
            'busy': ((503, {}, b'{"error":"temporarily_unavailable"}'), 'failing', '503', 1.5),
            'silent': ((0, {}, b''), 'failing', '', 1.5),
            'refused': ((400, {'Content-Type': 'application/json'}, refused), 'held', 'AADSTS7000215', None),
            'html': ((200, {'Content-Type': 'text/html'}, b'<html>Welcome to the hotel</html>'), 'held', '', None),
            'huge': ((200, {}, b'{"access_token":"' + b'x' * 10_000_000 + b'"}'), 'held', 'larger than 64 KiB', None),
            'moved': ((302, {'Location': '/stolen'}, b''), 'held', '302', None),
        }
        fake = self.stand_in()
        asked, lock = {name: [] for name in odd}, threading.Lock()

        def answer(path):
            name = path.partition('?case=')[2]
            with lock:
                asked.setdefault(name, []).append(time.monotonic())
                if len(asked[name]) > 1:
                    return None
            status, headers, body = odd[name][0]
            if headers.get('Retry-After') == 'date':    # made when it is asked for: how long all of this took to begin does not count
                headers = {'Retry-After': email.utils.formatdate(time.time() + 5, usegmt=True)}
            return status, headers, body
        fake.provider.faults['token'] = answer
        accounts = [MICROSOFT % dict(fake.facts, name=name, query='?case=' + name) for name in odd]
        d = self.daemon(HEAD + ''.join(accounts))
        jobs = {name: d.submit(account=name, **JOB) for name in odd}
        for name, (_, state, words, wait) in odd.items():
            with self.subTest(name):
                if wait is not None:
                    self.delivered(d, jobs[name])
                    self.assertGreaterEqual(asked[name][1] - asked[name][0], wait - 0.01)
                    self.assertEqual(d.account(name)['state'], 'ok')
                elif state:
                    account = self.until_account(d, name, state)
                    self.assertIn(words, account['reason'] + d.tail(1000), account)
                    self.assertEqual(d.job(jobs[name])['attempt_count'], 0)
        held = [name for name, row in odd.items() if row[1] == 'held']
        for name in held:    # more jobs are no reason to ask again
            d.submit(account=name, **JOB)
        self.assertEqual([len(asked[name]) for name in held], [1] * len(held), asked)
        self.assertIn('AADSTS7000215', d.account('refused')['reason'])
        self.hurry(d, *held)
        for job in jobs.values():
            self.delivered(d, job)
        self.assertEqual(set(asked), set(odd), 'a redirect was followed')


class Tenant(Faults):
    def test_a_tenant_that_may_send_no_more_outside_still_sends_inside(self):
        fake = self.stand_in()
        fake.provider.faults['RCPT'] = lambda what: "550 5.7.233 Your message can't be sent because your tenant exceeded its daily limit " \
            'for sending email to external recipients' if 'outside' in str(what) else None
        d = self.daemon(HEAD + MICROSOFT % dict(fake.facts, name='m', query=''))
        both = d.submit(**dict(JOB, to=['ops@contoso.example', 'ops@outside.example']))
        shown = until(lambda: (lambda j: j if j['attempt_count'] == 1 else None)(d.job(both)), 'it was tried')
        self.assertEqual([r['state'] for r in shown['recipients']], ['delivered', 'pending'], shown)
        self.assertEqual((shown['state'], shown['reason'].split(':')[0]), ('queued', 'quota'), shown)
        self.delivered(d, d.submit(**JOB))
        self.assertEqual(d.account('m')['state'], 'ok')


class SignIn(Faults):
    def start(self, fault, reply):
        fake = self.stand_in()
        fake.provider.faults[fault] = reply
        d = self.daemon(HEAD + MICROSOFT % dict(fake.facts, name='m', query=''), start=False).long_in_use().start()
        return fake, d, d.submit(**JOB)

    def mended(self, fake, d, job):
        self.assertEqual(d.job(job)['attempt_count'], 0)
        fake.provider.faults.clear()
        self.hurry(d, 'm')
        self.delivered(d, job)
        self.assertEqual(d.account('m')['state'], 'ok')
        self.assertEqual(sum(entry['ok'] for entry in fake.journal('mail')), 1)

    def test_a_refused_user_costs_one_more_token_and_one_more_connection_then_it_is_held(self):
        fake, d, job = self.start('AUTH', '535 5.7.3 Authentication unsuccessful [X]')
        account = self.until_account(d, 'm', 'held')
        self.assertIn('535 5.7.3', account['reason'])
        # what the token says of itself tells which of the causes it is
        self.assertIn('the token is as it should be: Exchange Online does not know the application', account['hint'])
        self.assertRegex(account['hint'], r'New-ServicePrincipal -AppId 9ab20000-[0-9a-f-]{27} -ObjectId \S+;')
        self.assertIn(account['hint'], d.tail())
        self.assertEqual((len(fake.journal('token')), len(fake.journal('session'))), (2, 2))
        d.submit(**JOB)
        self.assertEqual((len(fake.journal('token')), len(fake.journal('session'))), (2, 2))
        for_all = d.status()['queue']
        self.assertEqual(for_all['queued'], 2, for_all)
        fake.provider.faults.clear()
        self.hurry(d, 'm')
        self.delivered(d, job)

    def test_a_switch_that_is_off_is_no_matter_of_tokens(self):
        fake, d, job = self.start('AUTH', '535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the '
                                          'Tenant. Visit https://aka.ms/smtp_auth_disabled for more information. [X]')
        account = self.until_account(d, 'm', 'held')
        self.assertEqual((len(fake.journal('token')), len(fake.journal('session'))), (1, 1))
        self.assertIn('5.7.139', account['reason'])
        self.mended(fake, d, job)

    def test_a_sender_that_may_not_send_holds_the_account_and_keeps_the_job(self):
        for stage, reply in (('END', '550 5.7.60 SMTP; Client does not have permissions to send as this sender'),
                             ('END', '554 5.2.252 SendAsDenied; a@contoso.example not allowed to send as b@contoso.example'),
                             ('MAIL', '553 5.7.1 Sender address rejected: not owned by user')):
            with self.subTest(reply):
                fake, d, job = self.start(stage, reply)
                account = self.until_account(d, 'm', 'held')
                self.assertIn(reply[:10], account['reason'])
                self.mended(fake, d, job)

    def test_a_message_that_is_refused_is_its_own_fault(self):
        fake, d, job = self.start('END', '550 5.6.11 SMTPSEND.BareLinefeedsAreIllegal; message contains bare linefeeds')
        shown = d.final(job)
        self.assertEqual((shown['state'], shown['attempt_count'], shown['recipients'][0]['enhanced']), ('failed', 1, '5.6.11'), shown)
        self.assertEqual(d.account('m')['state'], 'ok')
        fake.provider.faults.clear()
        self.delivered(d, d.submit(**JOB))

    def test_too_many_sessions_throttle_the_account_for_half_a_minute_and_no_attempt_is_lost(self):
        fake, d, job = self.start('END', '432 4.3.2 Concurrent connections limit exceeded. Visit https://aka.ms/concurrent_sending')
        account = self.until_account(d, 'm', 'throttled')
        self.assertIn('432 4.3.2', account['reason'])
        shown = d.job(job)
        self.assertEqual((shown['state'], shown['attempt_count']), ('queued', 0), shown)
        fake.provider.faults.clear()
        self.assertEqual(d.final(job, 90)['attempt_count'], 1)

    def test_sessions_of_before_serve_on_when_the_token_is_revoked_and_a_refresh_follows_when_they_end(self):
        fake = self.stand_in()
        d = self.daemon(HEAD + MICROSOFT % dict(fake.facts, name='m', query=''))
        self.delivered(d, d.submit(**JOB))
        fake.provider.tokens.expiry.clear()    # revoked
        self.delivered(d, d.submit(**JOB))
        self.assertEqual((len(fake.journal('token')), len(fake.journal('session'))), (1, 1))
        fake.provider.faults['MAIL'] = lambda _: '421 4.4.1 Connection timed out. Total session duration: 00:10:00.0000000' \
            if len(fake.journal('session')) == 1 else None
        self.delivered(d, d.submit(**JOB))
        self.assertEqual((len(fake.journal('token')), len(fake.journal('session'))), (2, 3))
        self.assertEqual([entry['verdict'] for entry in fake.journal('auth')], ['good', 'unknown token', 'good'])
        self.assertEqual(d.account('m')['state'], 'ok')


# stage, reply => state of the account, state of the job, attempts; then the attempts of the job when it is delivered at last
HEALTHY, DOWN, HOLD = 'ok', 'failing', 'held'
STAGES = [
    ('GREETING', '421 4.3.2 service not active', DOWN, 'queued', 0),
    ('GREETING', '450 4.7.1 not now', DOWN, 'queued', 0),
    ('GREETING', '554 5.7.1 no service for you', DOWN, 'queued', 0),
    ('GREETING', 'FIN', DOWN, 'queued', 0),
    ('GREETING', 'RST', DOWN, 'queued', 0),
    ('EHLO', '421 4.3.2 closing', DOWN, 'queued', 0),
    ('EHLO', '451 4.3.0 local error', DOWN, 'queued', 0),
    ('EHLO', '550 5.7.1 who are you', HOLD, 'queued', 0),
    ('STARTTLS', '421 4.3.2 closing', DOWN, 'queued', 0),
    ('STARTTLS', '454 4.7.0 TLS not available', DOWN, 'queued', 0),
    ('STARTTLS', '502 5.5.1 not implemented', HOLD, 'queued', 0),
    ('AUTH', '421 4.3.2 closing', DOWN, 'queued', 0),
    ('AUTH', '454 4.7.0 temporary authentication failure', DOWN, 'queued', 0),
    ('AUTH', '535 5.7.8 no', HOLD, 'queued', 0),
    ('AUTH', 'FIN', DOWN, 'queued', 0),
    ('MAIL', '421 4.3.2 closing', HEALTHY, 'queued', 1),
    ('MAIL', '451 4.3.0 local error', HEALTHY, 'queued', 1),
    ('MAIL', '550 5.1.0 sender refused', HOLD, 'queued', 0),
    ('MAIL', '552 5.3.4 too big', HEALTHY, 'failed', 1),
    ('MAIL', 'RST', HEALTHY, 'queued', 1),
    ('RCPT', '421 4.3.2 closing', HEALTHY, 'queued', 2),
    ('RCPT', '450 4.2.1 mailbox busy', HEALTHY, 'queued', 1),
    ('RCPT', '550 5.1.1 no such user', HEALTHY, 'delivered', 1),
    ('DATA', '421 4.3.2 closing', HEALTHY, 'queued', 1),
    ('DATA', '451 4.3.0 local error', HEALTHY, 'queued', 1),
    ('DATA', '554 5.7.1 no', HEALTHY, 'failed', 1),
    ('END', '421 4.3.2 closing', HEALTHY, 'queued', 1),
    ('END', '451 4.3.0 local error', HEALTHY, 'queued', 1),
    ('END', '554 5.7.1 looks like spam', HEALTHY, 'failed', 1),
    ('BDAT', '421 4.3.2 closing', HEALTHY, 'queued', 1),
    ('BDAT', '451 4.3.0 local error', HEALTHY, 'queued', 1),
    ('BDAT', '554 5.7.1 looks like spam', HEALTHY, 'failed', 1),
    ('RSET', '421 4.3.2 closing', HEALTHY, 'queued', 1),
    ('RSET', '451 4.3.0 local error', HEALTHY, 'queued', 1),
    ('RSET', '500 5.5.1 what', HEALTHY, 'queued', 1),
    ('QUIT', '421 4.3.2 closing', HEALTHY, 'delivered', 1),
    ('QUIT', '500 5.5.1 what', HEALTHY, 'delivered', 1),
    ('QUIT', 'RST', HEALTHY, 'delivered', 1),
]


class Stages(Faults):
    """A table: every kind of reply at every stage, each with a relay, an account and a mailbox of its own: accounts of one mailbox share its sessions."""

    def relay_for(self, stage, reply, certificates):
        faults = {'BDAT': {'END': reply}, 'RSET': {'DATA': '451 4.3.0 first this', 'RSET': reply},
                  'RCPT': {'RCPT': lambda what: reply if 'night' in what else None}}.get(stage, {stage: reply})
        tls = {'cert': certificates.certificate, 'key': certificates.key} if stage in ('STARTTLS', 'AUTH') else {}
        offer = {'BDAT': ('PIPELINING', 'CHUNKING'), 'AUTH': ('AUTH PLAIN',)}.get(stage, ('8BITMIME',))
        return self.lenient(*offer, faults=faults, **tls)

    def settings(self, stage, ca, secret, user):
        tls = f'ca_file = {ca}\ntls_name = localhost\nsecurity = starttls\n'
        if stage == 'AUTH':
            return tls + f'auth = password\nuser = {user}\npassword = file:{secret}\n'
        return tls + 'auth = none\n' if stage == 'STARTTLS' else NO_TLS

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        certificates = provider.Certificates(folder.name)
        secret = os.path.join(folder.name, 'secret')
        with open(os.open(secret, os.O_WRONLY | os.O_CREAT, 0o600), 'w', encoding='ascii') as file:
            file.write('p\n')
        self.rows = [('a%d' % n, row, self.relay_for(row[0], row[1], certificates)) for n, row in enumerate(STAGES)]
        self.d = self.daemon(HEAD + ''.join(of_its_own(name, fake.port, self.settings(row[0], certificates.ca, secret, name))
                                            for name, row, fake in self.rows))

    def reached(self, name, job, row):
        _, _, account, state, attempts = row
        shown, of = self.d.job(job), self.d.account(name)
        return (of['state'], shown['state'], shown['attempt_count']) == (account, state, attempts)

    def test_every_reply_at_every_stage_has_its_effect_and_the_job_is_delivered_once_afterwards(self):
        three = ['ops@example.com', 'night@example.com', 'day@example.com']
        jobs = {name: self.d.submit(account=name, to=three, subject='x', text='y') for name, _, _ in self.rows}
        left = list(self.rows)

        def effects():
            """Looks at all in turn: a job that was put off comes by itself after some seconds."""
            for name, row, fake in list(left):
                if self.reached(name, jobs[name], row):
                    fake.faults.clear()
                    left.remove((name, row, fake))
            return not left
        try:
            until(effects, 'all effects')
        except notifyd.Late:
            for name, row, fake in left:
                with self.subTest(stage=row[0], reply=row[1], part='fault'):
                    self.fail((row, self.d.job(jobs[name]), self.d.account(name), fake.heard))
                fake.faults.clear()
        self.hurry(self.d, *(name for name, _, _ in self.rows))
        for name, row, fake in self.rows:
            with self.subTest(stage=row[0], reply=row[1], part='healthy'):
                job = self.d.final(jobs[name], 30)
                want = three if row[3] != 'failed' else []
                if row[1].startswith('550 5.1.1'):
                    want = ['ops@example.com', 'day@example.com']
                self.assertEqual(job['state'], 'delivered' if want else 'failed', job)
                self.assertEqual(sorted(rcpt for rcpts, _ in fake.mails for rcpt in rcpts), sorted(want))
                self.assertEqual(self.d.account(name)['state'], 'ok')
                self.assertFalse(job.get('uncertain', False), job)


class Idle(Faults):
    def test_a_session_that_the_relay_ends_while_idle_costs_nothing_and_is_not_told(self):
        fakes = {}
        for name, fault in (('told', '421 4.4.2 idle timeout exceeded'), ('timeout', '451 4.7.0 Timeout waiting for client input'),
                            ('fin', 'FIN'), ('rst', 'RST')):
            fakes[name] = self.lenient(faults={'IDLE': fault})
        fakes['late'] = self.lenient()    # says so to the next MAIL
        d = self.daemon(HEAD + ''.join(of_its_own(name, fake.port, NO_TLS) for name, fake in fakes.items()))
        for name, fake in fakes.items():
            with self.subTest(name):
                self.delivered(d, d.submit(account=name, **JOB))
                fake.faults['MAIL'] = lambda _, fake=fake: '421 4.4.2 timeout exceeded' if fake.sessions == 1 else None
                for _ in range(3):
                    self.delivered(d, d.submit(account=name, **JOB))
                self.assertEqual(len(fake.mails), 4)
                self.assertEqual(d.account(name)['state'], 'ok')

    def test_a_recipient_that_ends_each_session_starves_nobody(self):
        fake = self.lenient(faults={'RCPT': lambda what: '421 4.7.0 try again later' if 'night' in what else None})
        d = self.daemon(HEAD + of_its_own('a', fake.port, NO_TLS))
        bad = [d.submit(to=['night@example.com', 'day@example.com'], subject='b', text='y') for _ in range(5)]
        good = [d.submit(**JOB) for _ in range(20)]
        for job in good:
            self.delivered(d, job)
        until(lambda: sum(rcpts == ['day@example.com'] for rcpts, _ in fake.mails) == 5, 'the others of the same jobs have it')
        self.assertEqual(d.account('a')['state'], 'ok')
        fake.faults.clear()
        self.hurry(d, 'a')
        for job in bad:
            self.assertEqual(d.final(job)['state'], 'delivered')
        self.assertEqual(len(fake.mails), 30)


if __name__ == '__main__':
    unittest.main()
