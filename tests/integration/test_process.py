# SPDX-License-Identifier: Apache-2.0
"""The daemon as a process: it tells its service manager that it gets on, sleeps while there is nothing to do, and leaves no memory behind."""
import ctypes
import os
import resource
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import unittest

import notifyd
from notifyd import ProgramTest, sanitized, until

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'fake'))
import relay
from test_faults import HEAD, MICROSOFT
from test_reload import ACCOUNT

JOB = {'to': 'ops@example.com', 'subject': 'Disk', 'text': 'sda\n'}
PATIENCE = 0.4    # s: what the service manager is said to have
NOBODY = 65534
PTRACE_SEIZE, PTRACE_INTERRUPT, PTRACE_DETACH, WALL = 0x4206, 0x4207, 17, 0x40000000
SO_TIMESTAMPNS = 35


def relayed(port):
    return HEAD + ACCOUNT % ('a', port)


def threads(pid):
    """Name and voluntary switches of each thread: how often it went to sleep."""
    found = {}
    for task in os.listdir('/proc/%d/task' % pid):
        try:
            with open('/proc/%d/task/%s/status' % (pid, task), encoding='ascii') as file:
                facts = {name: value.strip() for name, _, value in (line.partition(':') for line in file)}
        except FileNotFoundError:
            continue
        found[int(task)] = (facts['Name'], int(facts['voluntary_ctxt_switches']))
    return found


class Stopped:
    """One thread of the daemon stands still while this lasts, as if it hung. One thread alone may do all of it: a tracer's."""
    libc = ctypes.CDLL(None, use_errno=True)

    def __init__(self, tid):
        self.tid = tid

    def ask(self, what):
        self.libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
        self.libc.ptrace.restype = ctypes.c_long
        if self.libc.ptrace(what, self.tid, None, None) != 0:
            raise OSError(ctypes.get_errno(), 'ptrace')

    def __enter__(self):
        self.ask(PTRACE_SEIZE)
        self.ask(PTRACE_INTERRUPT)
        os.waitpid(self.tid, WALL)
        return self

    def __exit__(self, *_):
        self.ask(PTRACE_DETACH)


class Watched(notifyd.Daemon):
    """A daemon whose service manager wants to hear of it; `who`: the shell's word for the process that is meant."""

    def __init__(self, *args, patience=PATIENCE, who='$$', **more):
        super().__init__(*args, **more)
        self.env['WATCHDOG_USEC'] = str(int(patience * 1_000_000))
        self.who = who

    def command(self, *more):
        return ['sh', '-c', 'WATCHDOG_PID=%s exec "$@"' % self.who, 'sh', *super().command(*more)]

    def start(self, *more, **options):
        super().start(*more, notices=True, **options)
        self.notices.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        return self

    def alive_at(self, seconds):
        """When (s, as the kernel saw it) it next told that it gets on; None: not within the time given."""
        end = time.monotonic() + seconds
        while select.select([self.notices], [], [], max(0, end - time.monotonic()))[0]:
            words, stamps, _, _ = self.notices.recvmsg(65536, 256)
            if b'WATCHDOG=1' in words.split(b'\n') and stamps:
                seconds, nanoseconds = struct.unpack('qq', stamps[0][2])
                return seconds + nanoseconds / 1e9
        return None


class Process(ProgramTest):
    def watched(self, config='', start=True, **more):
        d = Watched(config, **more)
        self.addCleanup(d.close)
        return d.start() if start else d

    def lenient(self):
        fake = relay.Lenient()
        self.addCleanup(fake.close)
        return fake


class Watchdog(Process):
    def test_it_is_told_at_half_the_time_that_all_is_well(self):
        d = self.watched()
        told = [d.alive_at(30) for _ in range(8)]
        self.assertNotIn(None, told)
        between = [later - earlier for earlier, later in zip(told[1:], told[2:])]    # the first stood in the queue
        self.assertGreater(min(between), 0.4 * PATIENCE, between)    # no flood
        self.assertLess(min(between), PATIENCE, between)
        d.stop()

    def test_nobody_is_told_when_another_process_is_meant(self):
        d = self.watched(who='1')
        self.assertIsNone(d.alive_at(4 * PATIENCE))
        d.stop()

    def test_a_storage_that_hangs_is_not_told_as_well(self):
        d = self.watched(relayed(self.lenient().port))
        storage = next(tid for tid, (name, _) in threads(d.process.pid).items() if name == 'storage')

        def rests():
            before = threads(d.process.pid)[storage]
            return d.alive_at(30) is not None and threads(d.process.pid)[storage] == before
        until(rests, 'the work of the start is done: a system call of it would have its time')
        try:
            stopped = Stopped(storage).__enter__()
        except OSError as error:
            self.skipTest('no thread can be stopped here: %s' % error)
        ids = []
        client = threading.Thread(target=lambda: ids.append(d.submit(**JOB)))
        try:
            self.assertIsNotNone(d.alive_at(30), 'nothing was asked of it: all is well')
            client.start()
            for told in range(50):    # the first look after the request still gives it time
                if d.alive_at(5 * PATIENCE) is None:
                    break
            self.assertLess(told, 49, 'it tells for ever that all is well')
            self.assertEqual(d.get('/v1/openapi.json').status, 200, 'the loop turns all the while')
        finally:
            stopped.__exit__()
        self.assertIsNotNone(d.alive_at(30), 'it gets on again')
        client.join()
        self.assertEqual(d.final(ids[0])['state'], 'delivered')
        d.stop()


@unittest.skipIf(sanitized() or notifyd.UNDER, 'what looks for races and faults has wake-ups of its own')
class Idle(Process):
    def woken(self, d, looks):
        """How often each thread went to sleep again in so many looks of the watchdog; one that came or went did too."""
        self.assertIsNotNone(d.alive_at(60))
        before = threads(d.process.pid)
        for _ in range(looks):
            self.assertIsNotNone(d.alive_at(60))
        after = threads(d.process.pid)
        gone = {tid: 1 for tid in set(before) - set(after)}
        return {**gone, **{tid: n - before.get(tid, ('', -1))[1] for tid, (_, n) in after.items()}}, after

    def sleeps(self, d, looks=12):
        """Once its work is done, in so many looks of the watchdog the loop wakes for these alone and no other thread at all."""
        for _ in range(12):
            times, names = self.woken(d, looks)
            main = times.pop(d.process.pid)
            if main <= looks + 2 and not any(times.values()):
                return
        self.fail('it never sleeps: in %d looks the loop woke %d times, other threads: %s' %
                  (looks, main, {names.get(tid, ('gone',))[0]: n for tid, n in times.items() if n}))

    def test_a_daemon_that_has_nothing_to_do_sleeps(self):
        d = self.watched(patience=1)
        self.sleeps(d)
        d.stop()

    def test_and_after_its_work_is_done_it_sleeps_again(self):
        d = self.watched(relayed(self.lenient().port), patience=1)
        self.assertEqual(d.final(d.submit(**JOB))['state'], 'delivered')
        self.sleeps(d)
        d.stop()

    def test_with_a_token_in_use_it_sleeps(self):
        provider = self.provider()
        d = self.watched(HEAD + MICROSOFT % dict(provider.facts, name='m', query=''), patience=1)
        self.assertEqual(d.final(d.submit(**dict(JOB, to='ops@contoso.example')))['state'], 'delivered')
        self.sleeps(d)
        d.stop()


@unittest.skipIf(sanitized() or notifyd.UNDER, 'a leak checker and valgrind look into the process')
class Memory(Process):
    def test_others_of_its_user_do_not_read_its_memory(self):
        d = self.daemon(relayed(9), start=False)
        if os.getuid() == 0:
            nobody = ['setpriv', '--reuid=%d' % NOBODY, '--regid=%d' % NOBODY, '--clear-groups']
            if subprocess.run([*nobody, 'test', '-x', notifyd.NOTIFYD], check=False).returncode != 0:
                self.skipTest('another user cannot run %s' % notifyd.NOTIFYD)
            os.chmod(d.folder, 0o777)
            os.mkdir(d.state, 0o700)
            os.chown(d.state, NOBODY, NOBODY)
            inner = d.command
            d.command = lambda *more: [*nobody, *inner(*more)]
        d.start()
        self.assertEqual(os.stat('/proc/%d/mem' % d.process.pid).st_uid, 0, 'what is not dumpable is of root, whoever runs it')
        d.stop()

    def aborted(self, pid):
        """What becomes of a process that fails so; whether its memory is left in a file."""
        os.kill(pid, signal.SIGABRT)
        ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        self.assertEqual(ended.si_status, signal.SIGABRT)
        return ended.si_code == os.CLD_DUMPED

    def test_its_end_by_a_fault_leaves_no_core(self):
        _, hard = resource.getrlimit(resource.RLIMIT_CORE)
        d = self.daemon(relayed(9), start=False)
        inner = d.command
        d.command = lambda *more: ['sh', '-c', 'cd "$1" && ulimit -c "$(ulimit -H -c)" && shift && exec "$@"', 'sh', d.folder,
                                   *map(os.path.abspath, inner()[:1]), *inner(*more)[1:]]
        other = subprocess.Popen(['sh', '-c', 'cd "$1" && ulimit -c "$(ulimit -H -c)" && echo && exec sleep 1000', 'sh', d.folder],
                                 stdout=subprocess.PIPE)
        other.stdout.readline()
        until(lambda: os.readlink('/proc/%d/exe' % other.pid).endswith('sleep'), 'it runs')
        dumped = self.aborted(other.pid)
        other.wait()
        other.stdout.close()
        if not dumped:
            self.skipTest('no process leaves a core here (hard limit %d)' % hard)
        for name in os.listdir(d.folder):
            if name.startswith('core'):
                os.unlink(os.path.join(d.folder, name))
        d.start()
        with open('/proc/%d/limits' % d.process.pid, encoding='ascii') as file:
            self.assertNotRegex(file.read(), r'Max core file size +0 ', 'it is not the limit that forbids it')
        self.assertFalse(self.aborted(d.process.pid))
        self.assertEqual(d.wait_end(), -signal.SIGABRT)
        self.assertEqual([name for name in os.listdir(d.folder) if name.startswith('core')], [])


if __name__ == '__main__':
    unittest.main()
