# SPDX-License-Identifier: Apache-2.0
"""notifyctl account login and logout: the browser comes back, is pasted, or is another device."""
import os
import pty
import re
import select
import signal
import subprocess
import tempfile
import unittest
import urllib.parse

import test_signin
from login import Browser, LoginProgram
from notifyd import NOTIFYCTL, until


class LoginTest(LoginProgram, test_signin.SignInTest):
    pass


class Listening(LoginTest):
    def test_the_browser_comes_back_and_the_account_sends(self):
        self.open()
        program = self.start('login', 'm365')
        back = self.consent(self.address(program))
        self.assertTrue(back.startswith('http://localhost:'), back)
        where = back.split('?')[0].rstrip('/')
        self.assertEqual(Browser.get(where + '/favicon.ico')[0], 404)
        status, page = Browser.get(back, 'ja,en;q=0.5')
        self.assertEqual(status, 200)
        self.assertIn('<html lang="ja">', page)
        self.assertIn('サインインしました', page)
        self.assertNotIn('http://', page)
        text = self.finish(program)
        self.assertIn('signed in as ' + self.facts['user'], text)
        self.assertIn('next: notifyctl account test m365', text)
        until(lambda: self.d.account('m365')['state'] == 'ok', 'the account is ok')

    def test_a_denial_is_told_on_the_page_and_in_the_terminal(self):
        self.open()
        self.behave(authorize='access_denied')
        program = self.start('login', 'm365')
        status, page = Browser.get(self.consent(self.address(program)))
        self.assertEqual(status, 400)
        self.assertIn('Not signed in', page)
        self.assertIn('access_denied', self.finish(program, 65))
        program = self.start('login', 'm365', encoding='utf-8', env=dict(os.environ, LC_ALL='ja_JP.UTF-8'))
        Browser.get(self.consent(self.address(program)))
        self.assertRegex(self.finish(program, 65), r'access_denied.*\n  hint: .*[ぁ-ん]+')
        program = self.start('login', 'm365')    # the page is in the browser's language, whatever that of the terminal is
        page = Browser.get(self.consent(self.address(program)), 'ja')[1]
        self.finish(program, 65)
        told = re.sub('<style>.*?</style>', '', page, flags=re.DOTALL)
        told = re.sub('<span lang="en">.*?access_denied.*?</span>', '', told)
        self.assertIn('<html lang="ja">', told)
        self.assertIn('サインインまたは同意が拒否されました。', told)
        self.assertIn('管理者に同意を依頼してください。', told)
        self.assertNotRegex(re.sub('<[^>]*>', '', told), '[a-z]{2,} [a-z]{2,} [a-z]{2,}')

    def test_what_is_of_another_sign_in_does_not_end_this_one(self):
        self.open()
        program = self.start('login', 'm365')
        back = self.consent(self.address(program))
        wrong = re.sub(r'state=[^&]*', 'state=another', back)
        self.assertEqual(Browser.get(wrong)[0], 400)
        self.assertEqual(Browser.get(back)[0], 200)
        self.finish(program)


class Kept(LoginTest):
    def test_no_core_dump_of_it_can_hold_a_code_or_a_secret(self):
        """Of any notifyctl; this one waits while it is looked at, and a sanitizer must not be what forbids it."""
        self.open()
        environ = dict(os.environ, ASAN_OPTIONS=os.environ.get('ASAN_OPTIONS', '') + ':disable_coredump=0')
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        program = subprocess.Popen(['sh', '-c', 'ulimit -S -c "$(ulimit -H -c)"; exec "$0" --socket "$1" account login m365', NOTIFYCTL, self.d.socket],
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environ, cwd=folder.name)
        self.addCleanup(self.drop, program)
        self.address(program)
        with open('/proc/%d/limits' % program.pid, encoding='ascii') as file:
            limits = dict(re.findall(r'(Max [a-z ]+?) {2,}(\S+ +\S+)', file.read()))
        self.assertEqual(limits['Max core file size'].split(), ['0', '0'], limits)
        program.send_signal(signal.SIGQUIT)    # whose default is a core dump
        _, status = os.waitpid(program.pid, 0)
        program.returncode = -signal.SIGQUIT
        self.assertEqual((os.WTERMSIG(status), os.WCOREDUMP(status)), (signal.SIGQUIT, False))
        self.assertEqual(os.listdir(folder.name), [])


class Pasting(LoginTest):
    def test_the_whole_address_is_pasted(self):
        self.open()
        program = self.start('login', '--paste', 'm365', stdin=subprocess.PIPE)
        back = self.consent(self.address(program))
        out, err = self.paste(program, back)
        self.assertIn('"connection refused"', out)
        self.assertIn('signed in as', out)
        self.assertNotIn(urllib.parse.parse_qs(back.split('?')[1])['code'][0], out + err)

    def test_an_address_elsewhere_is_pasted_at_once(self):
        self.open(more='redirect_uri = https://web01.contoso.example/done/')
        program = self.start('login', 'm365', stdin=subprocess.PIPE)
        url = self.address(program)
        self.assertIn(urllib.parse.quote('https://web01.contoso.example/done/', safe=''), url)
        out, _ = self.paste(program, self.consent(url))
        self.assertIn('not on this machine', out)

    def test_what_the_token_endpoint_refuses_has_its_cure(self):
        self.open()
        for locale, cure in (('C.UTF-8', 'start the sign-in again'), ('ja_JP.UTF-8', 'サインインを最初からやり直してください。')):
            program = self.start('login', '--paste', 'm365', stdin=subprocess.PIPE, encoding='utf-8', env=dict(os.environ, LC_ALL=locale))
            said = program.communicate('a-code-that-nobody-gave\n', timeout=60)[1]
            self.assertEqual(program.returncode, 65)
            self.assertIn('AADSTS54005', said)
            self.assertIn('\n  hint: ' + cure, said)

    def test_nothing_pasted_signs_nobody_in(self):
        self.open()
        program = self.start('login', '--paste', 'm365')
        self.assertIn('nothing was pasted', self.finish(program, 64))

    def test_at_a_terminal_a_long_line_is_taken_and_the_terminal_given_back(self):
        self.open()
        master, slave = pty.openpty()
        self.addCleanup(os.close, master)
        program = self.start('login', '--paste', 'm365', stdin=slave)
        os.close(slave)
        back = self.consent(self.address(program)) + '&pad=' + 'x' * 5000
        sent = 0
        while sent < len(back):
            sent += os.write(master, back[sent:sent + 512].encode())
            while select.select([master], [], [], 0)[0] and os.read(master, 4096):
                pass
        os.write(master, b'\n')
        self.assertIn('signed in as', self.finish(program))


class Device(LoginTest):
    def test_a_code_is_entered_elsewhere(self):
        self.open('device_code')
        self.behave(device='pending')
        program = self.start('login', 'm365')
        for line in program.stdout:
            if 'Waiting' in line:
                break
        self.behave(device='done')
        text = self.finish(program)
        self.assertIn('signed in', text)

    def test_a_provider_that_is_asked_too_often_is_waited_for(self):
        self.open('device_code')
        self.behave(device='slow_down')
        program = self.start('login', 'm365')
        for line in program.stdout:
            if 'Waiting' in line:
                break
        until(lambda: self.requests('urn:ietf:params:oauth:grant-type:device_code'), 'it was told to slow down')
        self.behave(device='done')
        self.assertIn('signed in', self.finish(program))

    def test_a_refusal_ends_it(self):
        self.open('device_code')
        self.behave(device='declined')
        self.assertIn('declined', self.finish(self.start('login', 'm365'), 65))


class Leaving(LoginTest):
    def test_signing_out_asks_and_holds_the_account(self):
        self.open()
        program = self.start('login', 'm365')
        Browser.get(self.consent(self.address(program)))
        self.finish(program)
        self.assertIn('needs --yes', self.finish(self.start('logout', 'm365'), 64))
        self.assertIn('signed out of account m365', self.finish(self.start('logout', '--yes', 'm365')))
        self.assertEqual(self.d.account('m365')['state'], 'held')

    def test_giving_up_is_told(self):
        self.open()
        program = self.start('login', 'm365')
        self.address(program)
        program.send_signal(signal.SIGINT)
        out, err = program.communicate(timeout=60)
        self.assertEqual(program.returncode, -signal.SIGINT)
        self.assertIn('given up', err)


del LoginTest

if __name__ == '__main__':
    unittest.main()
