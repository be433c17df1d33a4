# SPDX-License-Identifier: Apache-2.0
"""What is asked for many jobs at once, while these change: the list of them is read in pieces, and is old when it is complete."""
import functools
import select
import time
import unittest

import notifyd
from notifyd import later, until
from test_reload import ACCOUNT, HEAD, JOB, RelayTest

BACKLOG = 4000    # jobs that are read after the one that matters; doubled TRIES - 1 times
TRIES = 6
READERS = 4       # that list everything beside it: the storage takes turns
NOBODY = '/v1/jobs/01K00000000000000000000000'


class Ended(Exception):
    """The list was read before all was done that must happen meanwhile."""


def meanwhile(test):
    """How long the list is read depends on the machine, as does what a test does meanwhile: if that was not over, once more with a longer list."""
    @functools.wraps(test)
    def tries(self):
        for n in range(TRIES):
            self.begin_with(BACKLOG << n)
            try:
                return test(self)
            except Ended:
                for fake in (self.one, self.two):
                    fake.gate.set()
                self.doCleanups()
        return self.fail('it ended too early to be a test')
    return tries


class Bulk(RelayTest):
    def begin_with(self, backlog):
        self.one, self.two = self.relay(), self.relay()
        self.rest = ACCOUNT % ('rest', self.one.port)    # has the jobs that stay what they are
        self.d = self.daemon(HEAD + ACCOUNT % ('a', self.one.port) + self.rest)
        old = dict(JOB, account='rest', to=['r%d@example.com' % n for n in range(10)], source='old', not_before=later())
        for _ in range(backlog // 500):
            self.assertEqual(self.d.post('/v1/jobs', [old] * 500, True).status, 202)

    def ask(self, method, target):
        connection = notifyd.UnixConnection(self.d.admin)
        self.addCleanup(connection.close)
        connection.request(method, target)
        return connection

    def begin(self, action):
        """Asks it for all of source `new`: the newest row is read when this returns, others are not."""
        self.readers = [self.ask('GET', '/v1/jobs?source=none') for _ in range(READERS)]
        self.bulk = self.ask('POST', '/v1/jobs/%s?source=new' % action)
        for _ in range(2 + READERS):    # each answer is a turn of the storage
            self.assertEqual(self.d.get(NOBODY, True).status, 404)

    def lasts(self):
        """The answer is not there yet."""
        if select.select([self.bulk.sock], [], [], 0)[0]:
            raise Ended
        return True

    def end(self):
        self.lasts()
        reply = self.bulk.getresponse()
        self.assertEqual(reply.status, 200)
        return notifyd.json.loads(reply.read())

    def rename(self, fake):
        """Account a is gone, its jobs are those of b."""
        self.d.configure(HEAD + ACCOUNT % ('b', fake.port) + self.rest)
        self.assertEqual(self.d.post('/v1/reload', None, True).status, 200)

    @meanwhile
    def test_what_a_reader_has_got_meanwhile_it_has(self):
        self.one.faults['RCPT'] = lambda rest: '451 4.2.1 come again' if 'b@' in rest else None
        self.one.gate.clear()
        job = self.d.submit(**dict(JOB, to=['a@example.com', 'b@example.com'], source='new'))
        self.assertTrue(self.one.waiting.wait(30))
        self.begin('hold')
        self.one.gate.set()
        until(lambda: self.lasts() and self.d.job(job)['attempt_count'] == 1, 'one has got it', pause=0.005)
        self.rename(self.one)
        until(lambda: self.lasts() and self.d.job(job)['account'] == 'b', 'the other one is of account b', pause=0.005)
        self.assertEqual(self.end(), {'matched': 1, 'changed': 1})
        shown = until(lambda: (lambda j: j if j['state'] == 'held' else None)(self.d.job(job)), 'it is held')
        self.assertEqual([r['state'] for r in shown['recipients']], ['delivered', 'pending'], shown)
        self.assertEqual(shown['account'], 'b')
        self.one.faults.clear()
        self.assertEqual(self.d.post('/v1/jobs/%s/release' % job, None, True).status, 200)
        self.assertEqual(self.d.final(job)['state'], 'delivered')
        self.assertEqual([rcpts for rcpts, _ in self.one.mails], [['a@example.com'], ['b@example.com']])

    @meanwhile
    def test_a_cancelled_job_is_sent_by_no_other_account_and_one_that_is_sent_is_not_cancelled(self):
        self.assertEqual(self.d.post('/v1/accounts/a/pause', None, True).status, 200)
        job = self.d.submit(**dict(JOB, source='new'))
        self.two.gate.clear()
        self.begin('cancel')
        self.rename(self.two)
        until(lambda: self.lasts() and self.two.waiting.is_set(), 'b is sending it', pause=0.005)
        self.end()
        self.two.gate.set()
        self.assertEqual(self.d.final(job)['state'], 'delivered')
        self.assertEqual(len(self.two.mails), 1)
        begun = time.monotonic()
        self.d.stop()    # nothing is left that could not be written
        self.assertLess(time.monotonic() - begun, 20)

    @meanwhile
    def test_what_is_no_more_what_was_asked_for_is_left_alone(self):
        self.assertEqual(self.d.post('/v1/accounts/a/pause', None, True).status, 200)
        job = self.d.submit(**dict(JOB, source='new'))
        self.begin('hold')
        self.assertEqual(self.d.post('/v1/jobs/%s/cancel' % job, None, True).status, 200)
        self.assertEqual(self.end(), {'matched': 0, 'changed': 0})
        self.assertEqual(self.d.job(job)['state'], 'cancelled')


if __name__ == '__main__':
    unittest.main()
