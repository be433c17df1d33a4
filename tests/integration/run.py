#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""run.py [--builddir DIR] [-k WORDS] [test_NAME…]: the tests of the built programs. Last line: N passed, N failed, N skipped."""
import argparse
import os
import sys
import unittest

here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, here)
sys.dont_write_bytecode = True

parser = argparse.ArgumentParser()
parser.add_argument('--builddir', default='build-test', help='where notifyd and notifyctl were built')
parser.add_argument('-k', action='append', help='only tests whose name has these words')
parser.add_argument('modules', nargs='*')
options = parser.parse_args()
os.environ['ND_BUILDDIR'] = os.path.abspath(options.builddir)

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
passed = max(0, result.testsRun - len(bad) - len(result.skipped))
print('%d passed, %d failed, %d skipped' % (passed, len(bad), len(result.skipped)))
sys.exit(1 if bad or not result.testsRun else 0)
