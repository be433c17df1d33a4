# SPDX-License-Identifier: Apache-2.0
"""notifyctl account login for tests: started, read and ended; and what a browser does after the sign-in."""
import os
import shutil
import subprocess
import urllib.error
import urllib.request

import leaks
from notifyd import NOTIFYCTL

NOBODY = 65534


class Browser:
    """It follows the redirect, and shows the page."""

    @staticmethod
    def get(url, language='en'):
        request = urllib.request.Request(url, headers={'Accept-Language': language})
        try:
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30) as reply:
                return reply.status, reply.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()


class LoginProgram:
    """For tests whose daemon is self.d."""

    def start(self, *words, stdin=subprocess.DEVNULL, notifyctl=NOTIFYCTL, **how):
        program = subprocess.Popen([notifyctl, '--socket', self.d.socket, 'account', *words],
                                   stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **how)
        self.addCleanup(self.drop, program)
        return program

    def start_as_a_user(self, *words, **how):
        """As one who is not root but may do what an operator may; whoever runs the tests, when that is not root."""
        if os.getuid() != 0:
            return self.start(*words, **how)
        os.chown(self.d.admin, NOBODY, NOBODY)
        copy = shutil.copy(NOTIFYCTL, self.d.folder)    # where it was built, nobody else may have access
        return self.start(*words, notifyctl=copy, user=NOBODY, group=NOBODY, extra_groups=[], **how)

    @staticmethod
    def drop(program):
        if program.poll() is None:
            program.kill()
        program.wait()
        for stream in (program.stdin, program.stdout, program.stderr):
            if stream and not stream.closed:
                stream.close()

    def address(self, program):
        """The authorize URL that is printed."""
        return self.line(program, 'https://')

    def line(self, program, begin):
        """The first line of the output that begins so, without its margins."""
        for line in program.stdout:
            leaks.seen('account login', line)
            if line.strip().startswith(begin):
                return line.strip()
        self.fail('no line with %s: %s' % (begin, program.stderr.read()))

    def paste(self, program, text):
        program.stdin.write(text + '\n')
        program.stdin.close()
        out, err = program.stdout.read(), program.stderr.read()
        self.assertEqual(program.wait(60), 0, out + err)
        leaks.seen('account login', out + err)
        return out, err

    def finish(self, program, code=0):
        out, err = program.communicate(timeout=60)
        self.assertEqual(program.returncode, code, out + err)
        return out + err
