# SPDX-License-Identifier: Apache-2.0
"""report.py - what the values of a run come to: the rows, beside each other, and the table."""
import os
import platform
import statistics
import subprocess
import time

# name, words, unit, whether less is better, factor to reach beside Postfix, value to reach
ROWS = (
    ('accepts_1', 'durable accepts, 1 client', '/s', False, None, None),
    ('accepts_16', 'durable accepts, 16 clients', '/s', False, 7, None),
    ('accepts_64', 'durable accepts, 64 clients', '/s', False, 10, None),
    ('slow_1', 'accepts, 1 client, each sync 5 ms slower', '/s', False, None, None),
    ('slow_16', 'accepts, 16 clients, each sync 5 ms slower', '/s', False, None, None),
    ('slow_64', 'accepts, 64 clients, each sync 5 ms slower', '/s', False, None, None),
    ('through', 'submit to delivered, end to end', '/s', False, 25, None),
    ('cpu', 'CPU for 1,000 mails end to end', 's', True, 30, None),
    ('cpu_loop', 'of it the loop, for one mail', 'µs', True, None, None),
    ('cpu_storage', 'of it the storage thread, for one mail', 'µs', True, None, None),
    ('replay', 'the bound: no daemon, ready octets over the same sessions', '/s', False, None, None),
    ('drain', 'drain of a filled queue, 10 connections', '/s', False, 10, None),
    ('distant', 'one connection, 40 ms round trip', '/s', False, 3, None),
    ('distant_8', 'one connection, 40 ms round trip, window = 8', '/s', False, 20, None),
    ('program', 'the command-line client, one after another', '/s', False, 5, None),
    ('memory_idle', 'memory, idle', 'MB', True, None, 12),
    ('memory_queued', 'memory, queue filled', 'MB', True, None, 64),
    ('memory_large', 'memory, 1,000,000 queued', 'MB', True, None, 64),
    ('restart', 'restart to the first delivery, queue filled', 's', True, None, 1),
    ('restart_large', 'restart to the first delivery, 1,000,000 queued', 's', True, None, 1),
)


def median(values):
    return {key: statistics.median(value[key] for value in values) for key in values[0]} if values else None


def judge(row, ours, theirs, replay):
    """How many times better notifyd is, what is aimed at, and whether that is reached."""
    name, _, unit, less, factor, limit = row
    ratio, goals, reached = None, [], []
    if ours and theirs and theirs['value'] and ours['value']:
        ratio = theirs['value'] / ours['value'] if less else ours['value'] / theirs['value']
    if factor:
        goals.append('1/%d' % factor if less else '%d×' % factor)
        if ratio:
            reached.append(ratio >= factor)
    if limit:
        goals.append('≤ %g %s' % (limit, unit))
        if ours:
            reached.append(ours['value'] <= limit)
    if name == 'through' and replay:
        goals.append('1/3 of replay')
        if ours:
            reached.append(ours['value'] * 3 >= replay)
    return {'ratio': ratio, 'goal': ' and '.join(goals), 'reached': all(reached) if reached else None}


def rows(values):
    """Of the values of each (row, program) the middle one."""
    replays = values.get(('replay', 'notifyd'))
    replay = median(replays)['value'] if replays else None
    for row in ROWS:
        name, words, unit, less = row[:4]
        found = {program: median(got) for (which, program), got in values.items() if which == name}
        ours, theirs = found.pop('notifyd', None), found.pop('postfix', None)
        if not ours and not found:
            continue
        share = ours['value'] / replay if ours and replay and name in ('through', 'drain') else None
        yield {'name': name, 'words': words, 'unit': unit, 'notifyd': ours, 'postfix': theirs, 'others': found, 'less_is_better': less,
               'of_replay': share, **judge(row, ours, theirs, replay)}


def sync_ms(folder):
    """What one fdatasync of 2,400 octets takes here: the middle one of 200."""
    took = []
    path = os.path.join(folder, 'sync')
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for _ in range(200):
        os.write(fd, b'x' * 2400)
        began = time.monotonic()
        os.fdatasync(fd)
        took.append((time.monotonic() - began) * 1000)
    os.close(fd)
    os.unlink(path)
    return statistics.median(took)


def machine(folder):
    with open('/proc/cpuinfo', encoding='utf-8') as file:
        model = next((line.split(':', 1)[1].strip() for line in file if line.startswith('model name')), platform.machine())
    mount = subprocess.run(['findmnt', '-n', '-o', 'SOURCE,FSTYPE', '-T', folder], stdout=subprocess.PIPE, text=True, check=False).stdout.split()
    return {'cores': len(os.sched_getaffinity(0)), 'cpu': model, 'kernel': platform.release(), 'disk': ' '.join(mount),
            'fdatasync_ms': round(sync_ms(folder), 3), 'load_before': os.getloadavg()[0]}


def number(value):
    return '%d' % round(value) if value >= 100 else '%.1f' % value if value >= 10 else '%.2f' % value


def cell(value, unit):
    if not value:
        return '–'
    text = '%s%s%s' % (number(value['value']), '' if unit == '/s' else ' ', unit)
    if 'p50_ms' in value:
        text += ' (%s / %s ms)' % (number(value['p50_ms']), number(value['p99_ms']))
    if 'queued' in value:
        text += ' (%d)' % value['queued']
    return text


def table(result):
    m, s = result['machine'], result['settings']
    others = s.get('others', {})
    columns = [name for name in others if any(name in row.get('others', {}) for row in result['rows'])]
    yield '%s, %s, %d cores %s, Linux %s, %s (fdatasync %.2f ms), load before %.1f, after %.1f' % (
        result['date'], s['mode'], m['cores'], m['cpu'], m['kernel'], m['disk'], m['fdatasync_ms'], m['load_before'], m['load_after'])
    yield ''
    heads = ['work', 'notifyd', s['postfix'] if s['postfix'].startswith('Postfix') else 'Postfix', 'ratio', 'of replay', 'goal', 'reached']
    yield '| %s |' % ' | '.join(heads + [others[name]['program'] for name in columns])
    yield '|' + '---|' * (len(heads) + len(columns))
    for row in result['rows']:
        ratio = '–'
        if row['ratio']:
            ratio = '1/%s' % number(row['ratio']) if row['less_is_better'] else '%s×' % number(row['ratio'])
        cells = [row['words'], cell(row['notifyd'], row['unit']), cell(row['postfix'], row['unit']), ratio,
                 '%.0f %%' % (row['of_replay'] * 100) if row['of_replay'] else '', row['goal'], {True: 'yes', False: 'no', None: ''}[row['reached']]]
        yield '| %s |' % ' | '.join(cells + [cell(row.get('others', {}).get(name), row['unit']) for name in columns])
    for words in below(result, others):
        yield ''
        yield words


def below(result, others):
    """What the columns do not say."""
    postfix = result['settings']['postfix']
    if not postfix.startswith('Postfix'):
        yield 'Postfix was left out: %s.' % postfix
    for other in others.values():
        if other['left_out']:
            yield '%s was left out: %s.' % (other['program'], other['left_out'])
        elif other['words']:
            yield '%s: %s.' % (other['program'], other['words'])
