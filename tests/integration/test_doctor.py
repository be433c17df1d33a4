# SPDX-License-Identifier: Apache-2.0
"""notifyctl doctor: what an alert needs of its host; each finding with its level, and what is not well with its cure."""
import os
import re
import shutil
import socket
import subprocess
import unittest

import notifyd
from test_faults import HEAD, JOB, NO_TLS, PLAIN
from test_probe import Probes, lines

UNIT = ('LoadState=loaded ActiveState=active DropInPaths= LoadCredential=cred:/etc/notifyd/credentials User=notifyd DynamicUser=no '
        'Type=notify PrivateUsers=no PrivateNetwork=no ProcSubset=all ProtectProc=default IPAddressDeny= MemoryMax=536870912 '
        'LimitNOFILE=4096 TasksMax=64 Restart=on-failure LimitCORE=0 UMask=0077 NoNewPrivileges=yes CapabilityBoundingSet= '
        'ProtectHome=yes ProtectSystem=strict').split() + ['RestrictAddressFamilies=AF_INET AF_UNIX AF_NETLINK AF_INET6']


class Doctor(Probes):
    def systemctl(self, daemon, **changes):
        """A systemctl of ours, which shows a unit like the installed one but for these changes."""
        shown = dict(line.split('=', 1) for line in UNIT)
        shown.update(changes)
        folder = os.path.join(daemon.folder, 'bin')
        os.makedirs(folder, exist_ok=True)
        path = os.path.join(folder, 'systemctl')
        with open(path, 'w', encoding='ascii') as file:
            file.write('#!/bin/sh\n[ "$1 $2" = "show notifyd.service" ] || exit 1\ncat << "end"\n%s\nend\n'
                       % '\n'.join('%s=%s' % item for item in shown.items()))
        os.chmod(path, 0o755)
        return folder + ':/usr/bin:/bin'

    def doctor(self, daemon, *more, socket=None, path='/nonexistent', under=(), notifyctl=notifyd.NOTIFYCTL):
        done = subprocess.run([*under, notifyctl, '--socket', socket or daemon.socket, '--json', 'doctor', *more], capture_output=True,
                              text=True, timeout=120, check=False, env=dict(os.environ, LC_ALL='C.UTF-8', PATH=path))
        told = lines(done.stdout)
        for line in told:
            self.assertEqual(line['ok'], line['level'] == 'ok', line)
            self.assertEqual('remedy' in line, not line['ok'], line)
        self.assertEqual(done.returncode, int(any(line['level'] == 'fail' for line in told)), done)
        return told

    def find(self, told, check, *words):
        """The one finding of this check that says these words."""
        fit = [line for line in told if line['check'] == check and all(word in line['detail'] for word in words)]
        self.assertEqual(len(fit), 1, (check, words, told))
        return fit[0]

    def level(self, told, check, *words):
        return self.find(told, check, *words)['level']

    def test_all_that_is_needed_is_looked_at(self):
        fake = self.stand_in()
        d = self.daemon(self.microsoft(fake))
        for more in ((), ('--config', d.config)):
            told = self.doctor(d, *more, socket=d.folder + '/gone.sock' if more else None, path=self.systemctl(d))
            self.assertEqual(self.level(told, 'daemon'), 'fail' if more else 'ok')
            self.assertEqual(self.level(told, 'unit', 'loaded, active', 'credentials are loaded'), 'ok')
            self.assertEqual(self.level(told, 'sandbox', 'directives are as installed'), 'ok')
            self.assertIn('OpenSSL', self.find(told, 'fips')['detail'])
            self.assertEqual(self.level(told, 'authorities', '/ca.crt: 1 certificate loaded'), 'ok')
            self.assertEqual(self.level(told, 'secret', 'client_secret of account m: ' + fake.facts['secret'] + ', mode 0600'), 'ok')
            ports = [line['detail'] for line in told if line['check'] == 'port']
            self.assertEqual(len(ports), 2, told)
            self.assertTrue(all('connected to 127.0.0.1 in' in text for text in ports), ports)
            self.assertEqual(self.level(told, 'clock', "account m's token endpoint"), 'ok')
            self.assertEqual(self.level(told, 'certificate', 'issuer is CN=notifyd stand-in CA'), 'ok')
            self.assertEqual(self.level(told, 'account m'), 'ok')
        told = self.doctor(d)
        self.assertEqual(self.level(told, 'state', d.state, 'mode 0700'), 'ok')
        self.assertIn('min_free is', self.find(told, 'room', d.state)['detail'])
        self.assertEqual([self.level(told, 'socket', name) for name in ('/notifyd.sock', '/notifyd-admin.sock')], ['ok', 'ok'])

    def test_each_ill_has_its_name_and_its_cure(self):
        fake = self.lenient()
        config = HEAD + '[queue]\nmin_free = 1000000G\n' + PLAIN % ('p', fake.port, NO_TLS) + (
            PLAIN % ('lost', 25, NO_TLS)).replace('127.0.0.1', 'relay.invalid') + PLAIN % ('shut', 1, NO_TLS) + \
            '[account home]\nprovider = smtp\nhost = 127.0.0.1:%d\nfrom = a@b.example\nsecurity = tls\nuser = a\n' \
            'password = file:/home/nobody-here/secret\nca_file = /nonexistent/ca.pem\n' % fake.port
        d = self.daemon(config)
        os.chmod(d.state, 0o755)
        os.chmod(d.socket, 0o600)
        told = self.doctor(d)
        self.assertEqual(self.level(told, 'resolver', 'relay.invalid, the server of account lost', ' ms'), 'fail')
        self.assertEqual(self.level(told, 'port', '127.0.0.1 port 1, the server of account shut', 'Connection refused'), 'fail')
        self.assertEqual(self.level(told, 'room', 'min_free is 1024000000 MiB'), 'fail')
        self.assertEqual(self.level(told, 'state', 'mode 0755'), 'warn')
        self.assertEqual(self.level(told, 'socket', '/notifyd.sock: mode 0600'), 'warn')
        self.assertIn('ProtectHome=', self.find(told, 'secret', 'password of account home')['remedy'])
        self.assertEqual(self.level(told, 'authorities', '/nonexistent/ca.pem: No such file'), 'fail')
        self.assertEqual(self.level(told, 'account lost'), 'fail')
        os.chmod(d.state, 0o700)
        os.chmod(d.socket, 0o666)

    def test_the_socket_for_containers_is_looked_at_too(self):
        d = self.daemon(HEAD)
        path = os.path.join(d.folder, 'notifyd-submit', 'notifyd.sock')
        self.assertFalse([line for line in self.doctor(d) if 'notifyd-submit' in line['detail']], 'nobody has such a folder here')
        os.mkdir(os.path.dirname(path))
        missing = self.find(self.doctor(d), 'socket', path, 'is not there')
        self.assertEqual((missing['level'], 'notifyd.socket' in missing['remedy']), ('warn', True))
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path)
            for mode, level in ((0o666, 'ok'), (0o600, 'warn')):
                os.chmod(path, mode)
                self.assertEqual(self.level(self.doctor(d), 'socket', path, 'mode %04o' % mode), level)
            os.chmod(path, 0o666)
            os.chmod(os.path.dirname(path), 0o700)
            self.assertEqual(self.level(self.doctor(d), 'socket', os.path.dirname(path) + ': mode 0700'), 'warn')

    @unittest.skipUnless(os.geteuid() == 0 and shutil.which('unshare'), 'a group is added to what one process sees of its host')
    def test_the_operators_socket_belongs_to_their_group(self):
        d = self.daemon(HEAD)
        groups = os.path.join(d.folder, 'group')
        with open(groups, 'w', encoding='ascii') as file:
            file.write('root:x:0:\nothers:x:4241:\nnotifyd-admin:x:4242:\n')
        under = [shutil.which('unshare'), '--mount', '/bin/sh', '-c', '/bin/mount --bind "$0" /etc/group && exec "$@"', groups]
        for mode, group, level, said in ((0o660, 4242, 'ok', 'operators'), (0o660, 4241, 'warn', 'its group is others, not notifyd-admin'),
                                         (0o660, 4243, 'warn', 'its group is 4243, not notifyd-admin'), (0o600, 4241, 'ok', 'operators')):
            with self.subTest(mode=mode, group=group):
                os.chown(d.admin, -1, group)
                os.chmod(d.admin, mode)
                found = self.find(self.doctor(d, under=under), 'socket', d.admin)
                self.assertEqual(found['level'], level, found)
                self.assertIn(said, found['detail'])
                self.assertEqual('SocketGroup=' in found.get('remedy', ''), level == 'warn')

    def test_a_unit_that_was_changed_is_told_directive_by_directive(self):
        d = self.daemon(HEAD, start=False)
        drop_in = '/etc/systemd/system/notifyd.service.d/x.conf'
        told = self.doctor(d, '--config', d.config, path=self.systemctl(
            d, DropInPaths=drop_in, ProtectHome='no', MemoryMax='16777216', PrivateUsers='yes', RestrictAddressFamilies='AF_UNIX AF_INET',
            LimitNOFILE='infinity', IPAddressDeny='0.0.0.0/0 ::/0'))
        self.assertEqual(self.level(told, 'sandbox', 'ProtectHome=no, where the installed unit has yes', drop_in), 'warn')
        self.assertEqual(self.level(told, 'sandbox', 'MemoryMax=16777216', 'notifyd is killed'), 'fail')
        self.assertEqual(self.level(told, 'sandbox', 'PrivateUsers=yes', 'every client looks like nobody'), 'fail')
        self.assertEqual(self.level(told, 'sandbox', 'RestrictAddressFamilies=AF_UNIX AF_INET,', 'reached'), 'fail')
        self.assertEqual(self.level(told, 'sandbox', 'IPAddressDeny=', 'providers change'), 'fail')
        self.assertEqual(sum(line['check'] == 'sandbox' for line in told), 5, told)
        told = self.doctor(d, '--config', d.config, path=self.systemctl(d, ActiveState='failed', RestrictAddressFamilies='~AF_PACKET'))
        self.assertEqual(self.level(told, 'unit', 'loaded, failed'), 'fail')
        self.assertEqual(self.level(told, 'sandbox', 'as installed'), 'ok')
        told = self.doctor(d, '--config', d.config, path=self.systemctl(d, LoadState='not-found'))
        self.assertIn('daemon-reload', self.find(told, 'unit')['remedy'])

    def test_a_clock_that_is_ten_minutes_off_is_a_fault(self):
        fake = self.stand_in()
        fake.provider.faults['token'] = lambda *_: (503, {'Date': 'Sat, 21 Nov 2020 08:00:00 GMT'}, b'')
        d = self.daemon(self.microsoft(fake), start=False)
        told = self.doctor(d, '--config', d.config)
        clock = self.find(told, 'clock', "ahead of that of account m's token endpoint")
        self.assertEqual(clock['level'], 'fail')
        self.assertIn('10 minutes', clock['remedy'])

    def test_what_only_a_message_would_prove_is_said_at_the_end(self):
        fake, relay = self.stand_in(), self.lenient()
        for config, end in ((self.microsoft(fake), ', as far as can be seen without a message'), (PLAIN % ('p', relay.port, NO_TLS), '')):
            d = self.daemon(config if end else HEAD + config, start=False)
            done = self.ctl(d, 'doctor', '--config', d.config, socket=d.folder + '/gone.sock')
            self.assertRegex(done.stdout.splitlines()[-1], r'^[0-9]+ to be mended, [0-9]+ to be looked at%s$' % end, done)

    def test_a_token_that_can_do_more_than_send_is_to_be_looked_at(self):
        fake = self.stand_in()
        d = self.daemon(self.microsoft(fake), start=False)
        self.assertNotIn('token', [line['check'] for line in self.doctor(d, '--config', d.config)])
        fake.provider.tokens.roles.append('Directory.Read.All')
        token = self.find(self.doctor(d, '--config', d.config), 'token', 'can also read your directory (Directory.*)')
        self.assertEqual(token['level'], 'warn')
        self.assertIn('API permissions', token['remedy'])

    def test_inspected_tls_is_named(self):
        fake = self.stand_in()
        d = self.daemon(self.microsoft(fake).replace('\nca_file', '\ntoken_ca_file'), start=False)
        told = self.doctor(d, '--config', d.config)
        certificate = self.find(told, 'certificate', 'issued by CN=notifyd stand-in CA')
        self.assertEqual(certificate['level'], 'fail')
        self.assertIn('ca_file', certificate['remedy'])

    @unittest.skipUnless(os.geteuid() == 0 and shutil.which('unshare') and os.path.isdir('/usr/local/share/ca-certificates') and
                         os.path.exists('/etc/ssl/certs/ca-certificates.crt'), 'an authority is added to what this process sees of its host')
    def test_a_box_that_this_host_trusts_is_named_at_both_ends(self):
        fake = self.stand_in()
        folder = os.path.join(fake.provider.folder, 'added')
        os.mkdir(folder)
        shutil.copy(fake.facts['ca'], os.path.join(folder, 'corp.crt'))
        script = 'mount --bind "$0" /usr/local/share/ca-certificates && mount --bind "$0/corp.crt" "$1" && shift && exec "$@"'
        notifyd.UNDER[:0] = words = ['unshare', '--mount', 'sh', '-c', script, folder, '/etc/ssl/certs/ca-certificates.crt']
        self.addCleanup(lambda: notifyd.UNDER.__delitem__(slice(len(words))))
        d = self.daemon(self.microsoft(fake).replace('\nca_file', '\n# ca_file'), env={'SSL_CERT_FILE': fake.facts['ca']})
        self.delivered(d, d.submit(**JOB))    # so that there is a connection that could be used again
        for _ in range(2):
            step = next(line for line in self.ask(d) if line['step'] == 'token')
            self.assertTrue(step['ok'] and step['inspected'], step)
            self.assertIn('TLS is inspected on the way, by leave of /usr/local/share/ca-certificates/corp.crt', step['detail'])
        told = self.doctor(d)
        for words in ('an access token', 'trusted for '):
            certificate = self.find(told, 'certificate', words)
            self.assertEqual(certificate['level'], 'warn')
            self.assertIn('by leave of /usr/local/share/ca-certificates/corp.crt', certificate['detail'])
            self.assertIn('a box of this network reads the mail and its token', certificate['remedy'])

    def told_in_japanese(self, text):
        """Each finding and each cure, but the daemon's own warnings, which it logs in the same words; a failure's own words stand in brackets."""
        ours = False
        for line in text.splitlines():
            found = re.match('[✓✗!] (daemon|unit|sandbox|socket|clock|fips|authorities|state|room|secret|resolver|port|certificate|account [a-z]+) +(.*)', line)
            ours = bool(found) or (ours and line[0] not in '✓✗!') or '要修正' in line
            if not ours:
                continue
            said = re.sub(r'\([^()]*[a-z]{2,} [a-z]{2,}[^()]*\)', '', found.group(2) if found else line)
            said = re.sub('systemctl daemon-reload && systemctl restart notifyd', '', said)
            self.assertRegex(said, '[ぁ-んァ-ヶ一-龠]', text)
            self.assertNotRegex(said, '[a-z]{2,} [a-z]{2,} [a-z]{2,} [a-z]{2,} ', text)

    def test_findings_are_told_in_the_language_of_the_locale(self):
        fake = self.stand_in()
        config = self.microsoft(fake) + '[queue]\nmin_free = 1000000G\n' + (PLAIN % ('lost', 25, NO_TLS)).replace('127.0.0.1', 'relay.invalid') + \
            PLAIN % ('shut', 1, NO_TLS) + '[account home]\nprovider = smtp\nhost = 127.0.0.1:1\nfrom = a@b.example\nsecurity = tls\nuser = a\n' \
            'password = file:/nonexistent/secret\nca_file = /nonexistent/ca.pem\n'
        d = self.daemon(config)
        os.mkdir(os.path.join(d.folder, 'notifyd-submit'))
        strange = {'User': 'root', 'PrivateNetwork': 'yes', 'ProtectHome': 'no', 'DropInPaths': '/etc/systemd/system/notifyd.service.d/x.conf'}
        for unit, more in (({}, ()), (strange, ()), ({}, ('--config', d.config))):
            socket = d.folder + '/gone.sock' if more else d.socket
            done = subprocess.run([notifyd.NOTIFYCTL, '--socket', socket, 'doctor', *more], capture_output=True, encoding='utf-8', timeout=120,
                                  check=False, env=dict(os.environ, LC_ALL='ja_JP.UTF-8', PATH=self.systemctl(d, **unit)))
            self.told_in_japanese(done.stdout if not more else re.split('\n[✓!] clock', done.stdout)[1])    # that it is down is told by the connection
            for words in ('relay.invalid (アカウント lost のサーバー): ', 'ポート 1 (アカウント shut のサーバー)', '要修正 ',
                          '/nonexistent/ca.pem が読み込めないため (', 'password (アカウント home): '):
                self.assertIn(words, done.stdout)
            self.assertEqual('min_free は 1024000000 MiB です' in done.stdout, not more, done.stdout)
            self.assertEqual('どのサーバーにも接続できません' in done.stdout, unit is strange, done.stdout)

    @unittest.skipUnless(os.geteuid() == 0 and shutil.which('setpriv'), 'another user is needed')
    def test_who_may_not_look_is_told_who_may(self):
        fake = self.stand_in()
        d = self.daemon(self.microsoft(fake))
        os.chmod(d.folder, 0o755)
        copy = shutil.copy(notifyd.NOTIFYCTL, d.folder)    # where it was built, nobody else may have access
        told = self.doctor(d, notifyctl=copy, under=(shutil.which('setpriv'), '--reuid', '65534', '--regid', '65534', '--clear-groups'))
        for check in ('host', 'account m'):
            (finding,) = [line for line in told if line['check'] == check]
            self.assertEqual((finding['level'], finding['remedy']), ('warn', 'run it as root, or as a member of the group notifyd-admin'))

    def test_only_operators_are_told_what_the_daemon_sees(self):
        d = self.daemon(HEAD)
        self.assert_problem(d.get('/v1/doctor'), 403, 'operator-only')
        self.assert_problem(d.get('/v1/doctor?x=1', True), 400, 'unknown-field')
        reply = d.get('/v1/doctor', True)
        self.assertEqual((reply.status, reply.headers['Content-Type']), (200, 'application/x-ndjson'))
        self.assertTrue(all(line['check'] for line in lines(reply.body.decode())))

    def test_the_daemons_own_program_ends_by_what_it_found(self):
        d = self.daemon(HEAD, start=False)
        code, told = self.alone(d, '--doctor', '--state-dir', d.folder)
        self.assertEqual(code, 69 if any(line['level'] == 'fail' for line in told) else 0, told)
        d.configure('gramt = 1\n')
        code, told = self.alone(d, '--doctor', '--state-dir', d.folder)
        self.assertIn('fips', [line['check'] for line in told])
