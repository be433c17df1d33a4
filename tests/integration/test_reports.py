# SPDX-License-Identifier: Apache-2.0
"""What could not be delivered is told to admin_to by one mail, and about that mail there is none."""
import unittest

from notifyd import until
from test_paced import CONFIG, JOB, Limits


class Reports(Limits):
    def refusing(self, refused, every='1s'):
        fake = self.lenient(faults={'RCPT': lambda rest: '550 5.1.1 no such user' if refused(rest) else None})
        self.relay = fake
        return self.daemon((CONFIG % (fake.port, '')).replace(
            '[daemon]\n', '[daemon]\nadmin_to = admin@contoso.example\nreport_every = %s\n' % every))

    def own(self, d):
        return d.get('/v1/jobs?source=notifyd', True).json['jobs']

    def test_a_refused_recipient_is_told_with_words_and_remedy(self):
        d = self.refusing(lambda rest: 'gone@' in rest)
        both = d.submit(**dict(JOB, to=['gone@contoso.example', 'ops@contoso.example']))
        self.assertEqual(d.final(both)['state'], 'delivered')
        report = d.final(until(lambda: self.own(d), 'a report')[0]['id'])
        self.assertEqual((report['state'], report['subject'], [r['address'] for r in report['recipients']]),
                         ('delivered', 'notifyd: 1 message could not be delivered', ['admin@contoso.example']), report)
        text = until(lambda: [c for r, c in self.relay.mails if r == ['admin@contoso.example']], 'it')[0].decode()
        for word in (both, 'Disk', 'gone@contoso.example: refused: 550 5.1.1 no such user', 'What to do:'):
            self.assertIn(word, text.replace('=\r\n', ''))
        self.assertNotIn('ops@contoso.example:', text)

    def test_about_a_report_there_is_none(self):
        d = self.refusing(lambda rest: True)
        self.assertEqual(d.final(d.submit(**JOB))['state'], 'failed')
        first = d.final(until(lambda: self.own(d), 'a report')[0]['id'])
        self.assertEqual(first['state'], 'failed')
        # the next fault is told, and only that
        second = d.submit(**JOB)
        self.assertEqual(d.final(second)['state'], 'failed')
        until(lambda: len(self.own(d)) == 2, 'the next report')
        self.assertEqual([job['subject'] for job in self.own(d)], ['notifyd: 1 message could not be delivered'] * 2)

    def test_it_can_be_turned_off(self):
        d = self.refusing(lambda rest: 'gone@' in rest, every='0s')
        self.assertEqual(d.final(d.submit(**dict(JOB, to=['gone@contoso.example'])))['state'], 'failed')
        self.assertEqual(d.final(d.submit(**JOB))['state'], 'delivered')
        self.assertEqual(self.own(d), [])


if __name__ == '__main__':
    unittest.main()
