# SPDX-License-Identifier: Apache-2.0
"""What was left out is told in words at the end of scripts/test, not as a number alone."""
import os
import re
import subprocess
import sys
import tempfile
import unittest

from notifyd import BUILDDIR, TOP, Test

FUNCTIONS = re.compile(r'^(?:trs_files\(\) [^\n]*|(?:count|why_skipped|tell_skipped)\(\) .*?^\})$', re.M | re.S)


class Skipped(Test):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        with open(os.path.join(TOP, 'scripts/test'), encoding='utf-8') as file:
            self.functions = '\n'.join(FUNCTIONS.findall(file.read()))

    def told(self, kind, log, check_build=''):
        """What scripts/test says at its end of a step with this log."""
        script = self.functions + '''
            logs=$1 check_build=$4
            read -r _ _ skipped < <(count "$2" "$3")
            why_skipped "$2" "$3" > "$logs/step.skipped"
            tell_skipped'''
        done = subprocess.run(['bash', '-c', script, '-', self.folder, kind, log, check_build], capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.stderr, '')
        return [line.split(None, 1) for line in done.stdout.splitlines()]

    def test_a_machine_without_chromium_is_told_that_the_page_was_not_looked_at(self):
        log = os.path.join(self.folder, 'integration.log')
        for jobs in ('1', '2'):
            with open(log, 'w', encoding='utf-8') as file:
                done = subprocess.run([sys.executable, os.path.join(TOP, 'tests/integration/run.py'), '--builddir', BUILDDIR, '--jobs', jobs, 'test_login_page'],
                                      stdout=file, stderr=file, env=dict(os.environ, PATH=self.folder), timeout=60, check=False)
            self.assertEqual(done.returncode, 0)
            self.assertEqual(self.told('last', log), [['2', 'skipped:'], ['2', 'test_login_page: chromium is not installed']])

    def test_a_program_of_make_check_that_left_itself_out_is_told(self):
        os.makedirs(os.path.join(self.folder, 'tests/lint'))
        for name, result, words in (('docs', 'SKIP', 'docs: man is not installed\nSKIP tests/lint/docs.sh (exit status: 77)'), ('size', 'PASS', '')):
            for end, text in (('trs', ':test-result: %s\n' % result), ('log', words + '\n')):
                with open(os.path.join(self.folder, 'tests/lint', name + '.' + end), 'w', encoding='utf-8') as file:
                    file.write(text)
        self.assertEqual(self.told('check', '/dev/null', self.folder), [['1', 'skipped:'], ['1', 'docs: man is not installed']])


if __name__ == '__main__':
    unittest.main()
