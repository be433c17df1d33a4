# SPDX-License-Identifier: Apache-2.0
"""How mails travel to a relay that offers PIPELINING and CHUNKING: the stand-in of Microsoft 365, seen by the daemon's own trace."""
import glob
import json
import os
import re
import select
import socket
import subprocess
import sys
import tempfile
import threading
import unittest

from notifyd import NOTIFYCTL, ProgramTest, until

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'fake'))
import relay

CONFIG = '''
[daemon]
hostname = host.example
log_level = debug
[access]
to_allow = *
[account m365]
provider = microsoft
max_connections = 1
host = localhost:%(smtp_port)d
ca_file = %(ca)s
from = Alerts <%(user)s>
auth = oauth2
grant = client_credentials
tenant = %(tenant)s
client_id = %(client_id)s
client_secret = file:%(secret)s
token_url = %(token_url)s
'''


class Flights(ProgramTest):
    def setUp(self):
        self.fake = self.provider()
        self.d = self.daemon(CONFIG % self.fake.facts)

    def delivered(self, **job):
        job = self.d.final(self.d.submit(**job))
        self.assertEqual((job['state'], job['attempt_count'], job.get('uncertain', False)), ('delivered', 1, False), job)
        return job

    def talk(self):
        """The first word of each line of the dialogue since MAIL was said first, one string: > client, < server."""
        with open(self.d.log, encoding='utf-8', errors='replace') as file:
            lines = re.findall(r'[<>] (?:MAIL|RCPT|DATA|RSET|QUIT|\d+ octets|[2-5]\d\d)\b', file.read())
        words = ' '.join(re.sub(r'\d+ octets', 'content', line) for line in lines)
        return words[words.index('> MAIL'):]

    def envelopes(self):
        found = []
        for name in sorted(glob.glob(os.path.join(self.fake.folder, 'mail', '*.json'))):
            with open(name, encoding='utf-8') as file:
                found.append(json.load(file))
        return found

    def test_the_first_mail_goes_in_two_flights_and_the_next_in_one(self):
        self.delivered(to='ops@contoso.example', text='first')
        self.delivered(to=['ops@contoso.example', 'night@contoso.example'], text='.second\n.')
        self.assertEqual(self.talk(),
                         '> MAIL > RCPT < 250 < 250 > content < 250 > MAIL > RCPT > RCPT > content < 250 < 250 < 250 < 250')
        self.assertEqual([e['how'] for e in self.envelopes()], ['BDAT', 'BDAT'])

    def test_each_recipient_of_a_flight_stands_for_itself(self):
        self.delivered(to='ops@contoso.example', text='first')
        job = self.delivered(to=['reject@contoso.example', 'ops@contoso.example'], text='second')
        states = {r['address']: (r['state'], r['code']) for r in job['recipients']}
        self.assertEqual(states, {'reject@contoso.example': ('refused', 550), 'ops@contoso.example': ('delivered', 250)})
        job = self.d.final(self.d.submit(to='reject@contoso.example', text='third'))    # swallowed, and answered by 503
        self.assertEqual((job['state'], job['attempt_count']), ('failed', 1), job)
        self.assertEqual(job['recipients'][0]['code'], 550, job)
        self.delivered(to='ops@contoso.example', text='fourth')
        self.assertTrue(self.talk().endswith('> MAIL > RCPT > content < 250 < 550 < 503 > RSET < 250 '
                                             '> MAIL > RCPT > content < 250 < 250 < 250'), self.talk())
        self.assertEqual([e['to'] for e in self.envelopes()], [['ops@contoso.example']] * 3)

    def test_a_large_mail_goes_by_data_in_a_group(self):
        self.delivered(to='ops@contoso.example', text='first')
        self.delivered(to='ops@contoso.example', text='.a line\n' * 20000)
        self.assertRegex(self.talk(), r'> MAIL > RCPT > DATA < 250 < 250 < 354( > content)+ < 250$')
        self.assertEqual([e['how'] for e in self.envelopes()], ['BDAT', 'DATA'])


# A relay that offers what it does not understand.
OFFER = 'S: 220 relay.example\nC: EHLO {any}\nS: 250-relay.example\nS: 250-PIPELINING\nS: 250 CHUNKING\n'
ENVELOPE = 'C: MAIL FROM:<alerts@example.com>\nC: RCPT TO:<ops@example.com>\n'
NO_CHUNKS = OFFER + ENVELOPE + 'S: 250 ok\nS: 250 ok\nCHUNK\nS: 503 5.5.1 bad sequence of commands\nEOF\n'
BY_DATA = ENVELOPE + 'C: DATA\nS: 250 ok\nS: 250 ok\nS: 354 go on\nCONTENT\nS: 250 2.0.0 queued\n'


class Misfits(ProgramTest):
    def test_what_a_relay_offers_and_refuses_is_left_and_costs_no_attempt(self):
        with tempfile.TemporaryDirectory() as folder:
            files = []
            for number, text in enumerate((NO_CHUNKS, OFFER + BY_DATA + BY_DATA)):
                files.append(os.path.join(folder, '%d.smtp' % number))
                with open(files[-1], 'w', encoding='utf-8') as file:
                    file.write(text)
            fake = relay.Relay(files).start()
            daemon = self.daemon('[daemon]\nhostname = host.example\n[access]\nto_allow = *\n[account relay]\nprovider = smtp\n'
                                 'host = 127.0.0.1:%d\nsecurity = none\nauth = none\nmax_connections = 1\n'
                                 'from = alerts@example.com\n' % fake.port)
            for text in ('first', 'second'):
                job = daemon.final(daemon.submit(to='ops@example.com', text=text))
                self.assertEqual((job['state'], job['attempt_count'], job.get('uncertain', False)), ('delivered', 1, False), job)
            daemon.stop()
            self.assertEqual(fake.wait(), [])


# A relay that offers DSN and SIZE, and takes neither.
NO_PARAMETERS = 'S: 220 relay.example\nC: EHLO {any}\nS: 250-relay.example\nS: 250-SIZE 5000\nS: 250 DSN\n'
REFUSED = ('C: MAIL FROM:<alerts@example.com> RET=HDRS ENVID={any} SIZE={any}\nS: 555 5.5.4 Unsupported option: RET=HDRS\n'
           'C: MAIL FROM:<alerts@example.com> SIZE={any}\nS: 501 5.5.4 Syntax: MAIL FROM:<address>\n')
PLAIN = ('C: MAIL FROM:<alerts@example.com>\nS: 250 ok\nC: RCPT TO:<ops@example.com>\nS: 250 ok\n'
         'C: DATA\nS: 354 go on\nCONTENT\nS: 250 2.0.0 queued\n')
RELAY = ('[daemon]\nhostname = host.example\n[access]\nto_allow = *\n[account relay]\nprovider = smtp\n'
         'host = 127.0.0.1:%d\nsecurity = none\nauth = none\nmax_connections = 1\nfrom = alerts@example.com\n')


class Extensions(ProgramTest):
    def relay(self, *dialogues):
        """A daemon with one account, whose relay plays these."""
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        files = []
        for number, text in enumerate(dialogues):
            files.append(os.path.join(folder.name, '%d.smtp' % number))
            with open(files[-1], 'w', encoding='utf-8') as file:
                file.write(text)
        self.fake = relay.Relay(files).start()
        self.d = self.daemon(RELAY % self.fake.port)

    def test_parameters_that_a_relay_offers_and_refuses_are_left_out_for_hours(self):
        self.relay(NO_PARAMETERS + REFUSED + PLAIN + PLAIN)
        for text in ('first', 'second'):
            job = self.d.final(self.d.submit(to='ops@example.com', text=text))
            self.assertEqual((job['state'], job['attempt_count'], len(job['attempts'])), ('delivered', 1, 1), job)
        account = self.d.account('relay')
        self.assertEqual([one['extension'] for one in account['without']], ['DSN', 'SIZE'], account)
        shown = subprocess.run([NOTIFYCTL, '--socket', self.d.socket, 'account', 'list'], capture_output=True, text=True, timeout=60, check=True).stdout
        self.assertIn('relay goes without DSN, which its server offers and refuses; again in', shown)
        with open(self.d.log, encoding='utf-8') as file:
            log = file.read()
        self.assertEqual(log.count('it goes without'), 2, log)
        self.assertIn('without DSN for 4 h, because of: 555 5.5.4 Unsupported option: RET=HDRS', log)
        self.d.stop()
        self.assertEqual(self.fake.wait(), [])

    def test_a_recipient_refused_for_its_parameters_is_asked_again_and_nobody_gets_it_twice(self):
        rcpt = 'C: RCPT TO:<%s@example.com> NOTIFY=FAILURE,DELAY ORCPT=rfc822;%s@example.com\nS: %s\n'
        offer = 'S: 220 relay.example\nC: EHLO {any}\nS: 250-relay.example\nS: 250 DSN\nC: MAIL FROM:<alerts@example.com> RET=HDRS ENVID={any}\nS: 250 ok\n'
        self.relay(offer + rcpt % ('a', 'a', '250 ok') + rcpt % ('ops', 'ops', '555 5.5.4 NOTIFY is not for this one') +
                   'C: DATA\nS: 354 go on\nCONTENT\nS: 250 2.0.0 queued\n' + PLAIN)
        job = self.d.final(self.d.submit(to=['a@example.com', 'ops@example.com'], text='first'))
        self.assertEqual([r['state'] for r in job['recipients']], ['delivered', 'delivered'], job)
        with open(self.d.log, encoding='utf-8') as file:
            self.assertIn('without DSN for 4 h, because of: 555 5.5.4 NOTIFY is not for this one', file.read())
        self.d.stop()
        self.assertEqual(self.fake.wait(), [])

    def test_the_limits_that_a_relay_announces_are_kept(self):
        def hello(*rcpts):
            return ('C: MAIL FROM:<alerts@example.com>\nS: 250 ok\n' + ''.join('C: RCPT TO:<%s>\nS: 250 ok\n' % r for r in rcpts) +
                    'C: DATA\nS: 354 go on\nCONTENT\nS: 250 2.0.0 queued\n')
        offer = ('S: 220 relay.example\nC: EHLO {any}\nS: 250-relay.example\n'
                 'S: 250 LIMITS RCPTMAX=2 RCPTDOMAINMAX=1 MAILMAX=2\n')
        end = 'C: QUIT\nS: 221 bye\nEOF\n'
        # MAILMAX ends the first session, RCPTDOMAINMAX the second one: both are limits of a session
        self.relay(offer + hello('a@one.example', 'c@one.example') + hello('d@one.example', 'e@one.example') + end,
                   offer + hello('f@one.example') + end, offer + hello('b@two.example'))
        job = self.d.final(self.d.submit(to=[one + '@one.example' for one in 'acdef'] + ['b@two.example'], text='first'))
        self.assertEqual((job['state'], {r['state'] for r in job['recipients']}), ('delivered', {'delivered'}), job)
        self.d.stop()
        self.assertEqual(self.fake.wait(), [])

    def test_a_job_that_requires_tls_is_not_given_to_a_relay_that_does_not_promise_it(self):
        self.relay('S: 220 relay.example\nC: EHLO {any}\nS: 250 relay.example\n' + PLAIN)
        done = subprocess.run([NOTIFYCTL, '--socket', self.d.socket, 'send', '-t', 'ops@example.com', '-m', 'x', '--require-tls', '--wait'],
                              capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60, check=False)
        self.assertEqual(done.returncode, 69, done)
        job, = self.d.get('/v1/jobs', True).json['jobs']
        self.assertEqual((job['state'], job['require_tls'], job['attempt_count']), ('failed', True, 1), job)
        self.assertIn('needs-requiretls: 550 5.7.30 notifyd did not ask: the job requires TLS all the way, and 127.0.0.1 does not offer',
                      job['reason'])
        self.assertIn('REQUIRETLS', job['hint'])
        job = self.d.final(self.d.submit(to='ops@example.com', text='other', require_tls=False))
        self.assertEqual((job['state'], 'require_tls' in job), ('delivered', False), job)
        self.d.stop()
        self.assertEqual(self.fake.wait(), [])

    def test_a_report_of_failure_is_asked_for_and_names_the_job(self):
        self.relay(NO_PARAMETERS + 'C: MAIL FROM:<alerts@example.com> RET=HDRS ENVID={any} SIZE={any}\nS: 250 ok\n'
                   'C: RCPT TO:<ops+a@example.com> NOTIFY=FAILURE,DELAY ORCPT=rfc822;ops+2Ba@example.com\nS: 250 ok\n'
                   'C: DATA\nS: 354 go on\nCONTENT\nS: 250 2.0.0 queued\n')
        job = self.d.final(self.d.submit(to='ops+a@example.com', text='first'))
        self.assertEqual(job['state'], 'delivered', job)
        self.d.stop()
        self.assertEqual(self.fake.wait(), [])
        self.assertIn('ENVID=' + job['id'], ' '.join(self.fake.heard[0]))

    def test_what_is_larger_than_the_relay_takes_is_refused_at_once_with_both_figures(self):
        self.relay(NO_PARAMETERS)
        job = self.d.final(self.d.submit(to='ops@example.com', text='x' * 70 + '\n', attachments=[
            {'name': 'a.txt', 'type': 'text/plain', 'content': 'eHh4' * 2000}]))
        self.assertEqual((job['state'], job['attempt_count'], job['attempts'][0]['stage']), ('failed', 1, 'mail'), job)
        self.assertRegex(job['reason'], r'too-big: 552 5\.3\.4 notifyd did not ask: the message has \d+ octets, 127\.0\.0\.1 takes 5000')
        self.assertIn('attach', job['hint'])
        self.d.stop()
        self.assertEqual(self.fake.wait(), [])


class Pile:
    """A relay that answers when the client is silent, or has `full` mails under way; then it answers the first of them and hangs up, once."""

    def __init__(self, full):
        self.full, self.cut, self.most, self.taken = full, False, [], []
        self.listener = socket.create_server(('127.0.0.1', 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                client = self.listener.accept()[0]
            except OSError:
                return
            self.most.append(0)
            with client, client.makefile('rb') as lines:
                client.sendall(b'220 relay.example\r\n')
                self.talk(client, lines)

    def talk(self, client, lines):
        replies, mails, first = b'', 0, b''
        while True:
            if replies and not self.more(client, lines):
                client.sendall(replies)
                replies, mails = b'', 0
            line = lines.readline()
            if not line:
                return
            word = line[:4].upper()
            if word == b'EHLO':
                replies += b'250-relay.example\r\n250-PIPELINING\r\n250 CHUNKING\r\n'
            elif word == b'BDAT':
                content = lines.read(int(line.split()[1]))
                replies, mails = replies + b'250 2.0.0 taken\r\n', mails + 1
                self.taken.append(re.search(rb'Subject: (\S+)', content).group(1).decode())
                self.most[-1] = max(self.most[-1], mails)
                first = replies if mails == 1 else first
                if mails == self.full and not self.cut:
                    self.cut = True
                    client.sendall(first)
                    return
            else:
                replies += b'221 bye\r\n' if word == b'QUIT' else b'250 2.0.0 ok\r\n'

    @staticmethod
    def more(client, lines):
        """Whether anything comes within a moment."""
        return bool(Pile.buffered(client, lines) or select.select([client], [], [], 0.7)[0])

    @staticmethod
    def buffered(client, lines):
        client.setblocking(False)
        try:
            return lines.peek(1)
        finally:
            client.setblocking(True)


class Windows(ProgramTest):
    def relay_daemon(self, pile, window):
        return self.daemon('[daemon]\nhostname = host.example\n[access]\nto_allow = *\n[account relay]\nprovider = smtp\n'
                           'host = 127.0.0.1:%d\nsecurity = none\nauth = none\nmax_connections = 1\nwindow = %d\n'
                           'from = alerts@example.com\n' % (pile.port, window))

    def together(self, daemon, subjects):
        """Submits these so that they are ready at the same time."""
        daemon.post('/v1/queue/pause', None, True)
        jobs = [daemon.submit(to='ops@example.com', subject=subject, text='x') for subject in subjects]
        daemon.post('/v1/queue/resume', None, True)
        return jobs

    def test_a_session_lost_amid_a_window_leaves_what_was_unanswered_uncertain_and_ends_the_window(self):
        pile = Pile(4)
        self.addCleanup(pile.listener.close)
        daemon = self.relay_daemon(pile, 4)
        daemon.final(daemon.submit(to='ops@example.com', subject='first', text='x'))
        subjects = ['s%d' % n for n in range(9)]
        jobs = self.together(daemon, subjects)
        until(lambda: pile.cut, 'four are under way')
        until(lambda: sum(daemon.job(job)['attempt_count'] == 1 and daemon.job(job)['uncertain'] for job in jobs) >= 3, 'three are uncertain')
        daemon.post('/v1/queue/flush', None, True)
        done = [daemon.final(job) for job in jobs]
        self.assertEqual([job['state'] for job in done], ['delivered'] * 9)
        # A fifth one may have left before the end of the session was seen.
        again = sum(job['attempt_count'] == 2 for job in done)
        self.assertIn(again, (3, 4))
        self.assertEqual(sum(job['attempt_count'] for job in done), 9 + again)
        self.assertEqual(max(pile.most[pile.most.index(4) + 1:]), 1, pile.most)
        self.assertEqual(sorted(pile.taken.count(s) for s in subjects), [1] * 6 + [2] * 3)

    def test_a_full_window_is_delivered_once_each(self):
        pile = Pile(99)
        self.addCleanup(pile.listener.close)
        daemon = self.relay_daemon(pile, 8)
        daemon.final(daemon.submit(to='ops@example.com', subject='first', text='x'))
        subjects = ['s%d' % n for n in range(30)]
        done = [daemon.final(job) for job in self.together(daemon, subjects)]
        self.assertEqual([(job['state'], job['attempt_count']) for job in done], [('delivered', 1)] * 30)
        self.assertEqual(sorted(pile.taken), sorted(subjects + ['first']))
        self.assertEqual(max(pile.most), 8)

    def test_without_the_setting_one_mail_is_under_way(self):
        pile = Pile(99)
        self.addCleanup(pile.listener.close)
        daemon = self.relay_daemon(pile, 1)
        for job in self.together(daemon, ['s%d' % n for n in range(4)]):
            daemon.final(job)
        self.assertEqual(max(pile.most), 1)


if __name__ == '__main__':
    unittest.main()
