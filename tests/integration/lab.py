# SPDX-License-Identifier: Apache-2.0
"""The mail lab (tests/lab) for tests: $LAB_STATE says where one is up."""
import datetime
import glob
import json
import os
import subprocess
import unittest

import leaks
import notifyd

CONFIG = '''
[daemon]
hostname = host.lab.test
[access]
to_allow = *
'''
STATE = os.environ.get('LAB_STATE', '')
UP = bool(STATE) and os.path.exists(os.path.join(STATE, 'env'))


def settings():
    with open(os.path.join(STATE, 'env'), encoding='utf-8') as file:
        return dict(line.rstrip('\n').split('=', 1) for line in file)


def lab(*words):
    """Runs the lab's command; its output."""
    env = dict(os.environ, LAB_STATE=STATE)
    if UP:
        env['LAB_PORT_BASE'] = str(int(settings()['LAB_SMTP'].rpartition(':')[2]) - 2)
    return subprocess.run([os.path.join(notifyd.TOP, 'tests/lab/lab'), *words], env=env, check=True, stdout=subprocess.PIPE,
                          timeout=60).stdout


def mails(user):
    """The mailbox of user@lab.test, oldest first: octets with CRLF."""
    folder = os.path.join(STATE, 'mail', user + '@lab.test')
    files = sorted(glob.glob(folder + '/new/*') + glob.glob(folder + '/cur/*'), key=os.path.getmtime)
    out = []
    for name in files:
        with open(name, 'rb') as file:
            out.append(file.read().replace(b'\r\n', b'\n').replace(b'\n', b'\r\n'))
    return out


def clear(*users):
    for user in users:
        lab('mail', 'clear', user + '@lab.test')


def wait_mail(user, count=1, seconds=20):
    return notifyd.until(lambda: (lambda found: found if len(found) >= count else None)(mails(user)),
                         '%d mails for %s' % (count, user), seconds)


def message_id(mail):
    head = mail.partition(b'\r\n\r\n')[0].decode('utf-8', 'replace')
    return next(line.split(':', 1)[1].strip(' <>') for line in head.split('\r\n') if line.lower().startswith('message-id:'))


def in_postfix():
    """How many mails Postfix has taken and not yet put into a mailbox."""
    folder = os.path.join(STATE, 'postfix/spool')
    return sum(len(names) for queue in ('incoming', 'active', 'deferred', 'maildrop')
               for _, _, names in os.walk(os.path.join(folder, queue)))


class Journal:
    """What the OAuth provider saw from now on."""

    def __init__(self):
        self.path = os.path.join(STATE, 'oidc/journal.jsonl')
        self.begin = os.path.getsize(self.path) if os.path.exists(self.path) else 0

    def token_requests(self):
        with open(self.path, 'rb') as file:
            file.seek(self.begin)
            entries = [json.loads(line) for line in file.read().splitlines()]
        return [entry for entry in entries if entry['path'] == '/token']


def seconds(entry):
    """When the provider got the request of this line of its journal."""
    return datetime.datetime.fromisoformat(entry['t'].replace('Z', '+00:00')).timestamp()


def secret(folder, name, text):
    """A file of the folder with a secret in it; its path."""
    path = os.path.join(folder, 'secret-' + name)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), 'w', encoding='utf-8') as file:
        file.write(text + '\n')
    return path


def application(folder, name='lab', client='basic', text=None):
    """The settings of an application that has a secret, which goes to a file of the folder."""
    env = settings()
    path = secret(folder, name, env['LAB_SECRET_' + client.upper()] if text is None else text)
    return '''grant = client_credentials
token_auth = %s
client_id = %s
client_secret = file:%s
scope = https://outlook.office365.com/.default
''' % (client, env['LAB_CLIENT_' + client.upper()], path)


def account(way, name='lab', host=None, more=''):
    """The text of [account NAME] that gets its tokens in this way."""
    env = settings()
    return f'''
[account {name}]
provider = smtp
host = {host or env['LAB_SMTP']}
security = starttls
from = "Alerts" <{env['LAB_USER']}>
user = {env['LAB_USER']}
auth = oauth2
token_url = {env['LAB_TOKEN_URL']}
ca_file = {env['LAB_CA']}
{way}{more}
'''


@unittest.skipUnless(UP, 'the mail lab is not up: sudo tests/lab/lab up, then LAB_STATE=/var/tmp/notifyd-lab')
class LabTest(notifyd.ProgramTest):
    def setUp(self):
        leaks.known(*(text for name, text in settings().items() if 'SECRET' in name))
        lab('set', 'ttl=3600', 'format=opaque', 'pad=', 'rotate=yes')
        lab('fault', 'off')

    def relay(self, way=application, start=True, **more):
        """A daemon with one account at the lab, which gets its tokens as `way` says: settings, or a function of the daemon's folder."""
        daemon = self.daemon(start=False)
        daemon.configure(CONFIG + account(way(daemon.folder) if callable(way) else way, **more))
        return daemon.start() if start else daemon
