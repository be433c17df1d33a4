#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""run.py [--builddir DIR] [--jobs N] [-k WORDS] [test_NAME…]: the tests of the built programs. Last line: N passed, N failed, N skipped."""
import argparse
import concurrent.futures
import glob
import os
import re
import subprocess
import sys
import unittest

here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, here)
sys.dont_write_bytecode = True

parser = argparse.ArgumentParser()
parser.add_argument('--builddir', default='build-test', help='where notifyd and notifyctl were built')
parser.add_argument('--jobs', type=int, default=1, help='modules at a time, each in a process of its own')
parser.add_argument('-k', action='append', help='only tests whose name has these words')
parser.add_argument('modules', nargs='*')
options = parser.parse_args()
os.environ['ND_BUILDDIR'] = os.path.abspath(options.builddir)


def run_here():
    loader = unittest.TestLoader()
    if options.k:
        loader.testNamePatterns = ['*%s*' % words for words in options.k]
    suite = loader.loadTestsFromNames(options.modules) if options.modules else loader.discover(here)
    result = unittest.TextTestRunner(verbosity=2, stream=sys.stdout).run(suite)
    for test, why in result.skipped:
        print('skipped:', test, '-', why)
    # A test with several failed subtests, or one that fails and cannot clean up after itself, is one failed test.
    bad = {test.id().split(' ')[0] if hasattr(test, 'id') else str(test) for test, _ in result.failures + result.errors}
    bad |= {test.id() for test in result.unexpectedSuccesses}
    return max(0, result.testsRun - len(bad) - len(result.skipped)), len(bad), len(result.skipped)


tracebacks = []    # of the tests that failed, told once more at the end: there a reader looks first


def run_module(module):
    words = [word for key in options.k or [] for word in ('-k', key)]
    done = subprocess.run([sys.executable, __file__, '--builddir', options.builddir, *words, module],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    print(done.stdout.rstrip().rpartition('\n')[0], flush=True)
    tracebacks.extend(part.rstrip() for part in re.findall(r'^(?:FAIL|ERROR): .*?(?=^=====|^-----+\nRan )', done.stdout, re.M | re.S))
    counts = re.fullmatch(r'(\d+) passed, (\d+) failed, (\d+) skipped', done.stdout.rstrip().rpartition('\n')[2])
    if counts:
        return [int(n) for n in counts.groups()]
    print('%s: the run of this module ended early (%d)' % (module, done.returncode), flush=True)
    return [0, 1, 0]


def run_side_by_side():
    modules = options.modules or [os.path.basename(path)[:-3] for path in glob.glob(os.path.join(here, 'test_*.py'))]
    modules.sort(key=lambda name: -os.path.getsize(os.path.join(here, name.split('.')[0] + '.py')))    # the long ones first
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        return [sum(counts) for counts in zip(*pool.map(run_module, modules))]


passed, failed, skipped = run_side_by_side() if options.jobs > 1 else run_here()
for traceback in tracebacks:
    first, _, rest = traceback.partition('\n')
    print('\n'.join([first] + rest.splitlines()[-20:]))
print('%d passed, %d failed, %d skipped' % (passed, failed, skipped))
sys.exit(1 if failed or not passed + skipped else 0)
