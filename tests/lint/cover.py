#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""cover.py BUILD [--core PERCENT] [--all PERCENT]: which lines the tests of a build with --enable-coverage reached.

Prints a line for each file, then the totals; fails when a total is below what is asked."""
import argparse
import collections
import json
import os
import subprocess
import sys

parser = argparse.ArgumentParser()
parser.add_argument('build')
parser.add_argument('--core', type=float, default=95, help='common/ and daemon/core/ together')
parser.add_argument('--all', type=float, default=85)
options = parser.parse_args()
top = os.path.realpath(os.path.join(os.path.dirname(__file__), '..', '..'))

lines = collections.defaultdict(dict)   # file -> line -> times reached
for folder, _, names in os.walk(options.build):
    for name in names:
        if not name.endswith('.gcno'):    # every object, reached or not
            continue
        out = subprocess.run(['gcov', '--json-format', '--stdout', os.path.join(folder, name)], cwd=options.build,
                             capture_output=True, check=True).stdout
        for document in out.splitlines():
            report = json.loads(document)
            for file in report['files']:
                path = os.path.realpath(os.path.join(report['current_working_directory'], file['file']))
                path = os.path.relpath(path, top)
                if path.split('/')[0] not in ('common', 'daemon', 'client') or not path.endswith('.c'):
                    continue
                for line in file['lines']:
                    number = line['line_number']
                    lines[path][number] = lines[path].get(number, 0) + line['count']


def share(paths):
    total = sum(len(lines[path]) for path in paths)
    reached = sum(1 for path in paths for count in lines[path].values() if count)
    return (100 * reached / total if total else 0), reached, total


for path in sorted(lines):
    print('%6.1f %%  %5d of %5d  %s' % (*share([path]), path))
bad = False
for name, wanted, paths in (('core', options.core, [p for p in lines if p.startswith(('common/', 'daemon/core/'))]),
                            ('all', options.all, list(lines))):
    percent, reached, total = share(paths)
    verdict = 'ok' if percent >= wanted else 'BELOW %g %%' % wanted
    bad = bad or percent < wanted
    print('%6.1f %%  %5d of %5d  %s: %s' % (percent, reached, total, name, verdict))
sys.exit(bad)
