#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""bench.py - notifyd beside Postfix on this host: loopback only, one disk, the same sink, taking turns in one run.

docs/PERFORMANCE.md says what each row means. Standard library only. Postfix runs from a private configuration and needs root; without it its column is
left out, in words; so are other programs that are not there. Nothing here judges: a slow or shared machine makes small figures, and only ratios inside
one run mean something."""
import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import time

from host import Host, Sink, rate, say
from others import OTHERS
from report import machine, rows, table
from servers import POSTFIX_MAIN, Closing, Notifyd, Postfix, postfix_words


class Quick:
    rounds, accepts, postfix_accepts = 1, {1: 1000, 16: 8000, 64: 8000}, {1: 200, 16: 1500, 64: 1500}
    fill, postfix_fill, drain, postfix_drain = 10000, 2000, 8000, 1500
    through, postfix_through, replay, distant, slow, postfix_slow, programs = 8000, 1000, 30000, 30, 1000, 300, 50
    patience = 45


class Full:
    rounds, accepts, postfix_accepts = 3, {1: 2000, 16: 15000, 64: 15000}, {1: 400, 16: 2500, 64: 2500}
    fill, postfix_fill, drain, postfix_drain = 100000, 12000, 40000, 8000
    through, postfix_through, replay, distant, slow, postfix_slow, programs = 20000, 3000, 60000, 80, 3000, 600, 200
    patience = 240


class Bench:
    def __init__(self, host, size, both):
        self.host, self.size = host, size
        self.kinds = (Notifyd, Postfix) if both else (Notifyd,)
        self.beside = {kind.name: kind.facts(host) for kind in OTHERS}
        self.values = {}    # (row, program) -> values

    def note(self, row, kind, value, **more):
        self.values.setdefault((row, kind.name), []).append(dict(value=value, **more))
        say('  %-14s %-10s %10.3f  %s' % (row, kind.name, value, ' '.join('%s=%.3g' % item for item in more.items())))

    def count(self, what, kind):
        return getattr(self.size, ('postfix_' if kind is Postfix else '') + what)

    def pairs(self):
        """Each kind in turn, so that what else the machine does meets both."""
        return ((number, kind) for number in range(self.size.rounds) for kind in self.kinds)

    def accepts(self, clients, count, row, servers):
        for _, kind in self.pairs():
            got = servers[kind].submit(clients, count(kind))
            self.note(row, kind, got['rate'], p50_ms=got['p50_ms'], p99_ms=got['p99_ms'])

    def keep(self):
        """Accepts while nothing is delivered, then memory, restart and drain of what was kept."""
        with contextlib.ExitStack() as stack:
            servers = {kind: stack.enter_context(contextlib.closing(Closing(kind(self.host)))).server for kind in self.kinds}
            for kind in self.kinds:
                servers[kind].start(deliver=False)
                self.note('memory_idle', kind, servers[kind].memory())
            for clients in (1, 16, 64):
                self.accepts(clients, lambda kind, n=clients: self.count('accepts', kind)[n], 'accepts_%d' % clients, servers)
            for _, kind in self.pairs():
                self.one_by_one(kind, servers[kind])
            for kind in self.kinds:
                queued = self.size.rounds * (sum(self.count('accepts', kind).values()) + self.size.programs)
                more = self.count('fill', kind) - queued
                if more > 0:
                    servers[kind].submit(64, more)
                self.note('memory_queued', kind, servers[kind].memory(), queued=max(queued, queued + more))
                servers[kind].stop()
            for _, kind in self.pairs():    # each round drains a part
                self.restart(servers[kind], kind)

    def one_by_one(self, kind, server):
        began = time.monotonic()
        for _ in range(self.size.programs):
            server.one()
        self.note('program', kind, self.size.programs / (time.monotonic() - began))

    def restart(self, server, kind):
        count = self.count('drain', kind) // self.size.rounds
        with Sink(self.host, count) as sink:
            server.start()
            got = sink.wait(self.size.patience)
            if got['mails']:
                self.note('restart', kind, got['first'] - server.began)
                self.note('drain', kind, rate(got), mails=got['mails'])
            server.stop()

    def slow(self):
        for clients in (1, 16, 64):
            for _, kind in self.pairs():
                with contextlib.closing(Closing(kind(self.host, slow=True))) as closing:
                    closing.server.start(deliver=False)
                    count = self.count('slow', kind) // (10 if clients == 1 else 1)
                    got = closing.server.submit(clients, count)
                    self.note('slow_%d' % clients, kind, got['rate'], p50_ms=got['p50_ms'], p99_ms=got['p99_ms'])

    def through(self):
        for _ in range(self.size.rounds):
            with Sink(self.host, self.size.replay):
                done = subprocess.run([self.host.tool('replay'), '--port', str(self.host.port), '--count', str(self.size.replay)],
                                      stdout=subprocess.PIPE, check=True)
                self.note('replay', Notifyd, json.loads(done.stdout)['rate'])
            for kind in self.kinds:
                self.end_to_end(kind, self.count('through', kind))

    def end_to_end(self, kind, count, warm=10):
        """From the first octet submitted to the last mail in the sink, once sessions and processes are up."""
        with Sink(self.host, count) as sink, kind(self.host) as server:
            server.submit(1, warm)
            if sink.wait_first(self.size.patience) is None:
                raise RuntimeError('%s delivers nothing' % kind.name)
            cpu, threads = server.cpu(), server.threads() if kind is Notifyd else {}
            load = server.submit(64, count - warm)
            got = sink.wait(self.size.patience)
            self.note('through', kind, got['mails'] / (got['last'] - load['start']), accepts=load['rate'], p99_ms=load['p99_ms'])
            if cpu is not None:
                self.note('cpu', kind, (server.cpu() - cpu) / got['mails'] * 1000)
            for name, before in threads.items():
                self.note('cpu_' + name, kind, (server.threads()[name] - before) / got['mails'] * 1e6)

    def others(self):
        """The programs beside that are there, each on the same way to the sink."""
        for kind in OTHERS:
            if not self.beside[kind.name]['left_out']:
                try:
                    for _ in range(self.size.rounds):
                        kind.measure(self)
                except (RuntimeError, OSError, subprocess.SubprocessError) as problem:
                    self.beside[kind.name]['left_out'] = ' '.join(str(problem).split())
                    say('  %s: %s' % (kind.name, problem))

    def distant(self):
        for _, kind in self.pairs():
            with Sink(self.host, self.size.distant, rtt=40) as sink, kind(self.host, connections=1) as server:
                server.submit(4, self.size.distant)
                self.note('distant', kind, rate(sink.wait(self.size.patience)))
            if kind is not Notifyd:    # it has no such setting: its one figure is the measure for both
                self.note('distant_8', kind, self.values['distant', kind.name][-1]['value'])
                continue
            count = 10 * self.size.distant
            with Sink(self.host, count, rtt=40) as sink, kind(self.host, connections=1, window=8) as server:
                server.submit(4, count)
                self.note('distant_8', kind, rate(sink.wait(self.size.patience)))

    def large(self, jobs=1000000):
        with contextlib.closing(Closing(Notifyd(self.host))) as closing:
            server = closing.server
            server.start()
            server.submit(64, jobs)
            filled = server.memory()
            server.stop()
            with Sink(self.host, 5000) as sink:
                server.start()
                got = sink.wait(self.size.patience)
                self.note('restart_large', Notifyd, got['first'] - server.began, drain=rate(got))
                self.note('memory_large', Notifyd, max(filled, server.memory()), queued=jobs)


def main():
    parser = argparse.ArgumentParser(description='notifyd beside Postfix: docs/PERFORMANCE.md')
    parser.add_argument('--builddir', default='.', help='where notifyd and tests/bench/ were built')
    parser.add_argument('--quick', action='store_true', help='one round of few mails, about a minute')
    parser.add_argument('--large', action='store_true', help='also a queue of 1,000,000 jobs')
    parser.add_argument('--only', default='', help='parts, by commas: keep slow through others distant')
    parser.add_argument('--others', default='', help='a folder of tests/opinions/fetch: programs beside that are not installed')
    parser.add_argument('--no-postfix', action='store_true', help='notifyd alone')
    parser.add_argument('--dir', default='/var/tmp', help='a folder on the disk that is meant')
    parser.add_argument('--out', default='', help='file for the results as JSON')
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    size = Quick if args.quick else Full
    postfix = 'it was not wanted' if args.no_postfix else postfix_words()
    host = Host(args.builddir, args.dir, args.others)
    try:
        parts = args.only.split(',') if args.only else ['keep', 'slow', 'through', 'others', 'distant'] + ['large'] * args.large
        bench = Bench(host, size, postfix.startswith('Postfix'))
        result = {'date': time.strftime('%Y-%m-%d %H:%M UTC', time.gmtime()), 'machine': machine(host.folder),
                  'settings': {'mode': 'quick' if args.quick else 'full', 'postfix': postfix, 'large': args.large,
                               **{key: value for key, value in vars(size).items() if not key.startswith('_')},
                               'text_octets': 2048, 'postfix_main_cf': POSTFIX_MAIN, 'others': bench.beside if 'others' in parts else {}}}
        for part in parts:
            say(part)
            getattr(bench, part)()
        result['machine']['load_after'] = os.getloadavg()[0]
        result.update(rows=list(rows(bench.values)),
                      measured=[{'row': row, 'program': name, 'values': values} for (row, name), values in bench.values.items()])
    finally:
        host.close()
    if args.out:
        with open(args.out, 'w', encoding='utf-8') as file:
            json.dump(result, file, indent=1, ensure_ascii=False)
            file.write('\n')
    print('\n'.join(table(result)))


if __name__ == '__main__':
    main()
