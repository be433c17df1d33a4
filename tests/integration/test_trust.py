# SPDX-License-Identifier: Apache-2.0
"""Whom an account trusts and how its server is reached: pins, the chain, proxies, the local address."""
import os
import select
import socket
import subprocess
import sys
import threading

from notifyd import NOTIFYCTL, CertTest, hear, until

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'fake'))
import relay

HELLO = 'S: 220 relay.example\nC: EHLO host.example\nS: 250-relay.example\nS: 250 STARTTLS\nC: STARTTLS\nS: 220 go\n'
TLS = HELLO + 'TLS\nC: EHLO host.example\nS: 250 relay.example\n'
MAIL = '''C: MAIL FROM:{any}
S: 250 ok
C: RCPT TO:<ops@example.com>
S: 250 ok
C: DATA
S: 354 go on
CONTENT
S: 250 2.0.0 queued
'''
LOOKED_AT = HELLO + 'TLS\n'    # which the client ends
CONFIG = '''
[daemon]
hostname = host.example
[access]
to_allow = *
[account relay]
host = {host}
port = {port}
security = starttls
auth = none
from = alerts@example.com
{more}
'''
OAUTH = '''
[daemon]
hostname = host.example
[access]
to_allow = *
[account relay]
provider = microsoft
host = localhost:%(smtp_port)d
from = Alerts <%(user)s>
auth = oauth2
grant = client_credentials
tenant = %(tenant)s
client_id = %(client_id)s
client_secret = file:%(secret)s
token_url = %(token_url)s
'''


class Proxy:
    """Opens ways for as many connections as come; every name is this machine."""

    def __init__(self, kind, refuse=None):
        self.kind, self.refuse, self.asked = kind, refuse, []
        self.listener = socket.create_server(('127.0.0.1', 0))
        self.port = self.listener.getsockname()[1]
        self.url = '%s://127.0.0.1:%d' % (kind, self.port)
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.play, args=(client,), daemon=True).start()

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def hear_http(self, client):
        head = hear(client, b'\r\n\r\n')
        host, _, port = head.split()[1].decode().rpartition(':')
        return host, int(port)

    def hear_socks(self, client):
        assert client.recv(3, socket.MSG_WAITALL) == b'\5\1\0'
        client.sendall(b'\5\0')
        head = client.recv(4, socket.MSG_WAITALL)
        if head[3] == 3:
            host = client.recv(client.recv(1)[0], socket.MSG_WAITALL).decode()
        else:
            host = socket.inet_ntop(*((socket.AF_INET, client.recv(4, socket.MSG_WAITALL)) if head[3] == 1 else
                                      (socket.AF_INET6, client.recv(16, socket.MSG_WAITALL))))
        return host, int.from_bytes(client.recv(2, socket.MSG_WAITALL), 'big')

    def play(self, client):
        with client:
            host, port = self.hear_http(client) if self.kind == 'http' else self.hear_socks(client)
            self.asked.append((host, port))
            if self.refuse:
                client.sendall(self.refuse)
                return
            with socket.create_connection(('127.0.0.1', port)) as server:
                client.sendall(b'HTTP/1.1 200 Connection established\r\n\r\n' if self.kind == 'http' else
                               b'\5\0\0\1\0\0\0\0\0\0')
                while True:
                    for end, other in ((client, server), (server, client)):
                        if end in select.select([client, server], [], [])[0]:
                            octets = end.recv(65536)
                            if not octets:
                                return
                            other.sendall(octets)


class TrustTest(CertTest):
    def pin(self, name):
        with open(self.cert(name + '.pin'), encoding='ascii') as file:
            return file.read().strip()

    def relay(self, cert, *dialogues):
        files = []
        for n, text in enumerate(dialogues):
            files.append(os.path.join(self.certs.name, 'dialogue-%d' % n))
            with open(files[-1], 'w', encoding='utf-8') as file:
                file.write(text)
        return relay.Relay(files, self.cert(cert + '.pem')).start()

    def start(self, server, more='', host='127.0.0.1', **options):
        return self.daemon(CONFIG.format(host=host, port=server.port, more=more), **options)

    def send(self, d):
        return d.submit(to='ops@example.com', subject='Disk', text='failing')

    def ctl(self, d, *words):
        return subprocess.run([NOTIFYCTL, '--socket', d.socket, *words], capture_output=True, text=True, timeout=60, check=False)

    def account_in(self, d, state, seconds=30):
        """The account once it has come to this state."""
        return until(lambda: (lambda account: account if account['state'] == state else None)(d.account('relay')),
                     'account %s' % state, seconds)


class Trust(TrustTest):
    def test_a_pinned_key_passes_though_the_certificate_is_expired(self):
        server = self.relay('expired', TLS + MAIL)
        d = self.start(server, 'pin_sha256 = %s, %s' % (self.pin('good'), self.pin('expired')))
        self.assertEqual(d.final(self.send(d))['state'], 'delivered')
        d.stop()
        self.assertEqual(server.wait(), [])

    def test_a_key_that_is_not_pinned_is_told_with_its_digest(self):
        server = self.relay('good', LOOKED_AT)
        d = self.start(server, 'tls_name = relay.example\nca_file = %s\npin_sha256 = %s' % (self.cert('ca.pem'), self.pin('other')))
        self.send(d)
        account = self.account_in(d, 'held')
        self.assertIn('its pin_sha256 is ' + self.pin('good'), account['reason'])
        self.assertIn('notifyctl account trust', account['hint'])

    def test_the_issuer_of_a_box_that_inspects_tls_is_named(self):
        server = self.relay('inspected', LOOKED_AT)
        d = self.start(server, 'tls_name = relay.example')
        self.send(d)
        account = self.account_in(d, 'held')
        self.assertIn('O=Corp, CN=Corp Proxy CA', account['reason'])
        self.assertIn('ca_file', account['hint'])

    def test_the_chain_is_shown_and_no_credential_is_said(self):
        server = self.relay('inspected', LOOKED_AT, LOOKED_AT)
        d = self.start(server, 'tls_name = relay.example')
        self.assert_problem(d.get('/v1/accounts/relay/chain'), 403, 'operator-only')
        self.assert_problem(d.get('/v1/accounts/none/chain', True), 404, 'not-found')
        reply = d.get('/v1/accounts/relay/chain', True)
        self.assertEqual(reply.status, 200, reply)
        chain = reply.json
        self.assertEqual(chain['relay'], '127.0.0.1[127.0.0.1]:%d' % server.port)
        self.assertEqual((chain['verified'], chain['pinned']), (False, False))
        self.assertIn('Corp Proxy CA', chain['detail'])
        self.assertEqual([cert['issuer'] for cert in chain['chain']], ['CN=Corp Proxy Issuing', 'O=Corp, CN=Corp Proxy CA'])
        first = chain['chain'][0]
        self.assertEqual(first['names'], ['relay.example', '2001:db8::25'])
        self.assertEqual((first['spki_sha256'], len(first['sha256'])), (self.pin('inspected'), 64))
        self.assertLess(first['not_before'], first['not_after'])
        run = self.ctl(d, 'account', 'trust', 'relay')
        self.assertEqual(run.returncode, 0, run)
        self.assertIn('pin_sha256 = ' + self.pin('inspected'), run.stdout)
        self.assertIn('over another way', run.stdout)
        self.assertNotIn('nothing to add', run.stdout)
        for heard in server.heard:
            self.assertEqual(heard, ['EHLO host.example', 'STARTTLS'])

    def test_nothing_is_to_be_added_for_a_chain_that_verifies(self):
        server = self.relay('good', TLS, TLS)
        d = self.start(server, 'tls_name = relay.example\nca_file = ' + self.cert('ca.pem'))
        chain = d.get('/v1/accounts/relay/chain', True).json
        self.assertEqual((chain['verified'], chain['tls'][:5]), (True, 'TLSv1'))
        run = self.ctl(d, 'account', 'trust', 'relay')
        self.assertIn('nothing to add: it verifies', run.stdout)
        self.assertEqual(server.wait(), [])    # EHLO, STARTTLS, EHLO, QUIT

    def test_nothing_is_to_be_added_for_a_pinned_key(self):
        server = self.relay('selfsigned', TLS)
        d = self.start(server, 'pin_sha256 = ' + self.pin('selfsigned'))
        run = self.ctl(d, 'account', 'trust', 'relay')
        self.assertIn('nothing to add: its key is pinned', run.stdout)
        self.assertIn('without the pin it would not be trusted: self-signed certificate', run.stdout)

    def test_what_keeps_the_chain_from_being_shown_is_told(self):
        server = self.relay('good', 'S: 220 relay.example\nC: EHLO host.example\nS: 250 relay.example\n')
        d = self.start(server)
        self.assert_problem(d.get('/v1/accounts/relay/chain', True), 503, 'tls-failed', 'STARTTLS')
        d.configure(CONFIG.format(host='127.0.0.1', port=server.port, more='').replace('starttls', 'none'))
        self.assertEqual(d.post('/v1/reload', None, True).status, 200)
        self.assert_problem(d.get('/v1/accounts/relay/chain', True), 422, 'bad-configuration', 'no TLS')

    def test_a_look_ends_when_notifyd_does(self):
        listener = socket.create_server(('127.0.0.1', 0))    # greets nobody
        self.addCleanup(listener.close)
        d = self.daemon(CONFIG.format(host='127.0.0.1', port=listener.getsockname()[1], more=''))
        got = []
        thread = threading.Thread(target=lambda: got.append(d.get('/v1/accounts/relay/chain', True)))
        thread.start()
        with listener.accept()[0]:
            d.stop()
        thread.join(30)
        self.assert_problem(got[0], 503, 'stopping')

    def through(self, kind):
        server = self.relay('good', TLS + MAIL)
        proxy = Proxy(kind)
        self.addCleanup(proxy.close)
        d = self.start(server, 'ca_file = %s\nsmtp_proxy = %s' % (self.cert('ca.pem'), proxy.url), 'relay.example')
        job = d.final(self.send(d))
        self.assertEqual(job['state'], 'delivered')
        self.assertEqual(proxy.asked, [('relay.example', server.port)])
        self.assertEqual(job['attempts'][-1]['relay'], 'relay.example[by 127.0.0.1:%d]:%d' % (proxy.port, server.port))
        d.stop()
        self.assertEqual(server.wait(), [])

    def test_a_mail_goes_through_an_http_proxy(self):
        self.through('http')

    def test_a_mail_goes_through_a_socks_proxy(self):
        self.through('socks5')

    def test_the_chain_is_asked_for_through_the_proxy(self):
        server = self.relay('good', TLS)
        proxy = Proxy('socks5')
        self.addCleanup(proxy.close)
        d = self.start(server, 'ca_file = %s\nsmtp_proxy = %s' % (self.cert('ca.pem'), proxy.url), 'relay.example')
        self.assertTrue(d.get('/v1/accounts/relay/chain', True).json['verified'])
        self.assertEqual(proxy.asked, [('relay.example', server.port)])

    def test_a_proxy_that_refuses_is_told_in_the_status(self):
        server = self.relay('good', TLS)
        proxy = Proxy('http', b'HTTP/1.1 407 Proxy Authentication Required\r\n\r\n')
        self.addCleanup(proxy.close)
        d = self.start(server, 'smtp_proxy = ' + proxy.url, 'relay.example')
        job = self.send(d)
        self.assert_problem(d.get('/v1/accounts/relay/chain', True), 503, 'connect-failed', '407', 'password is not supported')
        account = self.account_in(d, 'failing')
        self.assertIn('407', account['reason'])
        self.assertEqual(d.job(job)['state'], 'queued')

    def test_ehlo_and_the_local_address_are_those_that_were_set(self):
        server = self.relay('good', (TLS + MAIL).replace('host.example', 'other.example'))
        d = self.start(server, 'tls_name = relay.example\nca_file = %s\nehlo = other.example\nbind = 127.0.0.1\nfamily = ipv4' %
                       self.cert('ca.pem'))
        self.assertEqual(d.final(self.send(d))['state'], 'delivered')
        d.stop()
        self.assertEqual(server.wait(), [])

    def test_the_accounts_are_listed_shown_and_refreshed(self):
        server = self.relay('good', TLS)
        d = self.start(server)
        for words in (('list',), ('show', 'relay'), ('refresh', 'relay')):
            run = self.ctl(d, 'account', *words)
            self.assertEqual(run.returncode, 0, run)
            self.assertIn('relay', run.stdout)
            self.assertIn('ok', run.stdout)
        self.assertIn('"name":"relay"', self.ctl(d, '--json', 'account', 'show', 'relay').stdout)
        self.assertEqual(self.ctl(d, 'account', 'show', 'none').returncode, 65)
        for words in (('list', 'relay'), ('show',), ('bend', 'relay')):
            self.assertEqual(self.ctl(d, 'account', *words).returncode, 64, words)

    def test_the_authorities_of_token_endpoint_and_relay_are_two_settings(self):
        facts = self.provider().facts
        config = OAUTH % facts
        ours = 'token_ca_file = %s\nca_file = %s\n' % (self.cert('ca.pem'), facts['ca'])
        d = self.daemon(config + ours)
        self.send(d)
        self.assertIn('token-refused', until(lambda: d.account('relay').get('reason'), 'a reason'))
        d.configure(config + 'token_ca_file = %s\nca_file = %s\n' % (facts['ca'], self.cert('ca.pem')))
        self.assertEqual(d.post('/v1/reload', None, True).status, 200)
        reason = until(lambda: (lambda text: text if text and 'certificate for localhost' in text else None)(
            d.account('relay').get('reason')), 'the relay to be refused')
        self.assertIn('not trusted', reason)
        self.assertIn('token_expires', d.account('relay'))

    def test_a_token_goes_to_a_relay_by_the_standard(self):
        facts = self.provider().facts
        server = self.relay('good', HELLO + 'TLS\nC: EHLO host.example\nS: 250-relay.example\nS: 250 AUTH XOAUTH2 OAUTHBEARER\n'
                            'C: AUTH OAUTHBEARER\nS: 334 \nC: {any}\nS: 235 2.7.0 ok\n' + MAIL)
        config = (OAUTH % facts).replace('provider = microsoft\nhost = localhost:%d' % facts['smtp_port'],
                                         'provider = smtp\nhost = 127.0.0.1:%d\ntls_name = relay.example' % server.port)
        d = self.daemon(config + 'scope = https://outlook.office365.com/.default\ntoken_ca_file = %s\nca_file = %s\n' % (
            facts['ca'], self.cert('ca.pem')))
        self.assertEqual(d.final(self.send(d))['state'], 'delivered')
        d.stop()
        self.assertEqual(server.wait(), [])

    def test_a_mail_is_delivered_under_fips(self):
        config = os.environ.get('ND_FIPS', '')
        if not config:
            self.skipTest('ND_FIPS names no openssl.cnf of tests/fips/build')
        server = self.relay('good', TLS + MAIL)
        d = self.start(server, 'tls_name = relay.example\nca_file = ' + self.cert('ca.pem'), env={'OPENSSL_CONF': config})
        self.assertEqual(d.final(self.send(d))['state'], 'delivered')
        self.assertIn('FIPS', d.tail(1000))
