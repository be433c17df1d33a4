#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""test_notifyctl.py - the client against a small daemon of our own on a Unix socket.

The program is found by $NOTIFYCTL, else as $top_builddir/notifyctl.
"""
import base64
import fcntl
import http.server
import json
import os
import pty
import shutil
import socket
import socketserver
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
import unittest

PROGRAM = os.path.abspath(os.environ.get("NOTIFYCTL") or os.path.join(os.environ.get("top_builddir", "."), "notifyctl"))
ID = "01JD7Z2V8N4K6M9Q3R5T7W1X0Y"
ACCEPTED = (202, {"id": ID, "state": "queued"})
JOB = {"id": ID, "state": "delivered", "severity": "critical", "status": "firing", "subject": "Disk failing", "account": "m365",
       "created": "2026-11-21T08:00:00.000Z", "attempt_count": 1, "labels": {"device": "/dev/sda"},
       "origin": {"uid": 0, "pid": 7, "comm": "smartd", "unit": "smartd.service"},
       "recipients": [{"address": "ops@contoso.com", "state": "delivered", "code": 250, "enhanced": "2.0.0", "text": "2.0.0 OK queued"},
                      {"address": "b@contoso.com", "state": "refused", "code": 550, "enhanced": "5.1.1", "text": "unknown user"}],
       "attempts": [{"n": 1, "account": "m365", "relay": "smtp.office365.com[52.97.1.2]:587", "stage": "data",
                     "verdict": "delivered", "start": "2026-11-21T08:00:01.000Z", "code": 250, "text": "2.0.0 OK"}]}


class Request:
    def __init__(self, handler, body):
        self.method, self.path, self.headers, self.body = handler.command, handler.path, handler.headers, body
        self.socket = handler.server.name

    @property
    def job(self):
        return json.loads(self.body)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def address_string(self):
        return "unix"

    def log_message(self, *_):
        pass

    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        daemon = self.server.daemon
        with daemon.lock:
            daemon.requests.append(Request(self, body))
            answer = daemon.answers.pop(0) if len(daemon.answers) > 1 else daemon.answers[0]
        self.close_connection = True
        if callable(answer):
            answer(self)
            return
        status, value = answer[:2]
        octets = value if isinstance(value, bytes) else json.dumps(value).encode() + b"\n"
        self.send_response(status)
        self.send_header("Content-Type", "application/json" if status < 300 else "application/problem+json")
        self.send_header("Content-Length", str(len(octets)))
        self.end_headers()
        self.wfile.write(octets)

    do_GET = do_POST = answer


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    request_queue_size = 16


class Daemon:
    """Answers one after another; the last one again and again."""

    def __init__(self, folder):
        self.folder, self.requests, self.answers, self.servers = folder, [], [ACCEPTED], []
        self.lock = threading.Lock()
        self.path = os.path.join(folder, "n.sock")
        self.listen(self.path)

    def listen(self, path):
        server = Server(path, Handler)
        server.daemon, server.name = self, os.path.basename(path)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        self.servers.append(server)

    def close(self):
        for server in self.servers:
            server.shutdown()
            server.server_close()


def raw(octets, piece=0):
    """Exactly these octets, perhaps in small pieces, then the connection is closed."""
    def answer(handler):
        for at in range(0, len(octets), piece or len(octets)):
            handler.wfile.write(octets[at:at + (piece or len(octets))])
            handler.wfile.flush()
    return answer


def lose(handler):
    handler.connection.shutdown(socket.SHUT_RDWR)


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)
        self.daemon = Daemon(self.folder)
        self.addCleanup(self.daemon.close)

    def environment(self, **more):
        env = {k: v for k, v in os.environ.items() if k not in ("NOTIFYD_SOCKET", "NO_COLOR", "COLUMNS")}
        env.update(LC_ALL="C.UTF-8", NOTIFYD_SOCKET=self.daemon.path, TERM="xterm", **more)
        return env

    def ctl(self, *args, stdin=subprocess.DEVNULL, **how):
        if isinstance(stdin, bytes):
            how["input"] = stdin
        else:
            how["stdin"] = stdin
        done = subprocess.run([PROGRAM, *args], stdout=how.pop("stdout", subprocess.PIPE), stderr=subprocess.PIPE,
                              env=self.environment(), timeout=60, check=False, **how)
        self.out, self.err = (done.stdout or b"").decode(), done.stderr.decode()
        return done.returncode

    def terminal(self, *args, columns=60, stdin=subprocess.DEVNULL, seen=None, **env):
        """Its output on a terminal of that width; seen(octets) may be told of it as it comes."""
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        process = subprocess.Popen([PROGRAM, *args], stdin=slave if stdin == "terminal" else stdin, stdout=slave, stderr=slave,
                                   env=self.environment(**env))
        os.close(slave)
        if stdin == "terminal":
            os.write(master, b"y\n")
        octets = b""
        try:
            while piece := os.read(master, 65536):
                octets += piece
                if seen:
                    seen(octets)
        except OSError:
            pass
        os.close(master)
        self.code = process.wait(60)
        return octets.decode().replace("\r\n", "\n")

    def file(self, name, octets):
        path = os.path.join(self.folder, name)
        with open(path, "wb") as stream:
            stream.write(octets)
        return path


class Send(Case):
    def test_every_option_becomes_its_field(self):
        page = self.file("page.html", b"<p>x</p>")
        log = self.file("smart.log", b"\0\x01log")
        logo = self.file("logo.png", b"png")
        self.assertEqual(self.ctl(
            "send", "-t", "a@b.example, Night desk <n@b.example>", "--to=@oncall", "--cc", "c@b.example", "--bcc", "d@b.example",
            "--from", "f@b.example", "--reply-to", "r@b.example", "-s", "Disk ä", "-m", "text", "--html", page, "-a", log,
            "--inline", logo, "--severity", "critical", "--source", "smartd", "--key", "k", "--resolved", "--label", "device=/dev/sda",
            "--label", "a=b=c", "--link", "Dash=https://x.example/?a=1", "--link", "https://y.example/?b=2", "--account", "m365",
            "--header", "X-Team=storage", "--header", "X-Kind: disk", "--at", "2026-11-22T08:00:00Z", "--expires", "48h",
            "--event-time", "2026-11-21T08:00:00Z", "--idempotency-key", "mine", "--client-ref", "ref", "--sensitive",
            "--template", "alert"), 0, self.err if hasattr(self, "err") else "")
        self.assertEqual(self.out, ID + "\n")
        self.assertEqual(self.err, "")
        request = self.daemon.requests[0]
        self.assertEqual((request.method, request.path, request.headers["Content-Type"]), ("POST", "/v1/jobs", "application/json"))
        self.assertEqual(request.job, {
            "to": ["a@b.example", "Night desk <n@b.example>", "@oncall"], "cc": ["c@b.example"], "bcc": ["d@b.example"],
            "from": "f@b.example", "reply_to": "r@b.example", "subject": "Disk ä", "text": "text", "html": "<p>x</p>",
            "attachments": [{"name": "smart.log", "type": "text/plain", "content": base64.b64encode(b"\0\x01log").decode()},
                            {"name": "logo.png", "type": "image/png", "content": "cG5n", "inline": True}],
            "severity": "critical", "source": "smartd", "key": "k", "status": "resolved",
            "labels": {"device": "/dev/sda", "a": "b=c"},
            "links": [{"title": "Dash", "url": "https://x.example/?a=1"}, {"url": "https://y.example/?b=2"}],
            "account": "m365", "headers": {"X-Team": "storage", "X-Kind": "disk"}, "not_before": "2026-11-22T08:00:00Z",
            "expires_in": "48h", "event_time": "2026-11-21T08:00:00Z", "idempotency_key": "mine", "client_ref": "ref",
            "sensitive": True, "template": "alert"})

    def test_a_pipe_is_the_text(self):
        self.assertEqual(self.ctl("send", "-s", "x", stdin=b"from a pipe\n"), 0)
        self.assertEqual(self.daemon.requests[0].job["text"], "from a pipe\n")
        with open(self.file("text", b"from a file"), "rb") as stream:
            self.ctl("send", stdin=stream)
        self.assertEqual(self.daemon.requests[1].job["text"], "from a file")

    def test_a_given_text_leaves_the_pipe_alone(self):
        self.ctl("send", "-m", "given", stdin=b"pipe")
        self.assertEqual(self.daemon.requests[0].job["text"], "given")
        self.ctl("send", "-m", "-", stdin=b"pipe")
        self.assertEqual(self.daemon.requests[1].job["text"], "pipe")

    def test_no_input_is_no_text(self):
        self.ctl("send", "-s", "x")
        self.assertNotIn("text", self.daemon.requests[0].job)

    def test_octets_that_are_no_text_do_not_lose_the_alert(self):
        self.assertEqual(self.ctl("send", stdin=b"caf\xe9 \0 \x1b[31m"), 0)
        self.assertEqual(self.daemon.requests[0].job["text"], "caf\ufffd \ufffd \x1b[31m")

    def test_standard_input_is_read_once(self):
        self.assertEqual(self.ctl("send", "-m", "-", "-a", "-", stdin=b"x"), 64)
        self.assertEqual(self.daemon.requests, [])

    def test_each_run_has_a_key_of_its_own(self):
        self.ctl("send", "-m", "x")
        self.ctl("send", "-m", "x")
        keys = [r.job["idempotency_key"] for r in self.daemon.requests]
        self.assertEqual(len(set(keys)), 2)
        self.assertTrue(all(len(k) >= 32 and k.isascii() for k in keys))

    def test_a_lost_connection_is_tried_again_with_the_same_key(self):
        self.daemon.answers = [lose, lose, (200, {"id": ID, "state": "queued", "duplicate": True})]
        self.assertEqual(self.ctl("send", "-m", "x"), 0)
        self.assertEqual(self.out, ID + "\n")
        self.assertEqual(len({r.body for r in self.daemon.requests}), 1)
        self.assertEqual(len(self.daemon.requests), 3)

    def test_a_busy_daemon_is_tried_again(self):
        self.daemon.answers = [(503, {"status": 503, "code": "stopping", "detail": "notifyd is stopping"}), ACCEPTED]
        self.assertEqual(self.ctl("send", "-m", "x"), 0)
        self.assertEqual(len(self.daemon.requests), 2)

    def test_a_daemon_that_stays_busy_is_given_up_in_time(self):
        self.daemon.answers = [(503, {"status": 503, "code": "disk-full", "detail": "the disk is full", "hint": "free space"})]
        begun = time.monotonic()
        self.assertEqual(self.ctl("send", "-m", "x"), 75)
        self.assertLess(time.monotonic() - begun, 15)
        self.assertGreater(len(self.daemon.requests), 3)
        self.assertEqual(self.err, "notifyctl: the disk is full\n  hint: free space\n")

    def test_a_job_that_nobody_knows_of_is_sent_again_by_hand_with_its_key(self):
        self.daemon.answers = [lose]
        self.assertEqual(self.ctl("send", "-m", "x"), 75)
        keys = {r.job["idempotency_key"] for r in self.daemon.requests}
        self.assertEqual(len(keys), 1)
        self.assertTrue(self.err.endswith(" --idempotency-key=%s\n" % keys.pop()), self.err)

    def test_a_refusal_is_not_tried_again(self):
        self.daemon.answers = [(403, {"status": 403, "code": "recipient-not-allowed", "detail": "a@b may not be addressed",
                                      "field": "to[0]", "hint": "add it to [access] to_allow"})]
        self.assertEqual(self.ctl("send", "-m", "x"), 77)
        self.assertEqual(self.err, "notifyctl: to[0]: a@b may not be addressed\n  hint: add it to [access] to_allow\n")
        self.assertEqual((self.out, len(self.daemon.requests)), ("", 1))

    def test_problems_have_their_exit_codes(self):
        for status, code in ((400, 65), (403, 77), (404, 65), (409, 65), (410, 65), (413, 65), (415, 65), (422, 65), (429, 75),
                             (500, 70)):
            self.daemon.answers = [(status, {"status": status, "code": "x", "detail": "d"})]
            self.assertEqual(self.ctl("send", "-m", "x"), code, status)
        self.daemon.answers = [(422, {"status": 422, "code": "bad-configuration", "detail": "d"})]
        self.assertEqual(self.ctl("send", "-m", "x"), 78)

    def test_an_answer_without_sense_is_told_as_such(self):
        for answer in (raw(b"SSH-2.0-x\r\n\r\n"), (202, b"not json"), (418, b"teapot"), (202, b"[1"),
                       raw(b"HTTP/1.1 202 x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")):
            self.daemon.answers = [answer]
            code = self.ctl("send", "-m", "x")
            self.assertIn(code, (65, 76), self.err)
            self.assertTrue(self.err.startswith("notifyctl: "))
        self.daemon.answers = [raw(b"HTTP/1.1 200 OK\r\nContent-Length: 5x\r\n\r\n")]
        self.assertEqual(self.ctl("status"), 76)

    def test_an_answer_may_come_in_any_pieces(self):
        text = json.dumps(ACCEPTED[1]).encode()
        whole = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\n"
        chunked = whole + b"transfer-encoding: Chunked\r\n\r\n" + b"%x;x=y\r\n%s\r\n%x\r\n%s\r\n0\r\nT: t\r\n\r\n" % (
            7, text[:7], len(text) - 7, text[7:])
        for octets in (whole + b"Content-Length: %d\r\n\r\n" % len(text) + text, chunked, whole + b"\r\n" + text):
            for piece in (0, 1, 7):
                self.daemon.answers = [raw(octets, piece)]
                self.assertEqual(self.ctl("send", "-m", "x"), 0, (octets, piece, self.err))
                self.assertEqual(self.out, ID + "\n")

    def test_a_refusal_before_the_whole_body_is_heard(self):
        big = self.file("big", b"x" * 8_000_000)

        def refuse_at_once():
            connection, _ = listener.accept()
            connection.recv(1000)
            body = b'{"status":413,"code":"too-big","detail":"it is larger than allowed"}'
            connection.sendall(b"HTTP/1.1 413 x\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
            connection.shutdown(socket.SHUT_RD)
            connection.recv(1)
            connection.close()

        path = os.path.join(self.folder, "early.sock")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path)
            listener.listen(1)
            thread = threading.Thread(target=refuse_at_once, daemon=True)
            thread.start()
            self.assertEqual(self.ctl("--socket", path, "send", "-a", big), 65)
            thread.join(10)
        self.assertIn("larger than allowed", self.err)

    def test_files_that_cannot_be_read_are_told(self):
        self.assertEqual(self.ctl("send", "-a", self.folder + "/none"), 66)
        self.assertIn("No such file", self.err)
        self.assertEqual(self.ctl("send", "--html", self.folder), 66)
        self.assertEqual(self.daemon.requests, [])

    def test_a_job_that_is_too_large_is_not_sent(self):
        big = self.file("big", b"")
        os.truncate(big, 30_000_000)
        self.assertEqual(self.ctl("send", "-a", big), 65)
        os.truncate(big, 40_000_000)
        self.assertEqual(self.ctl("send", "-a", big), 65)
        self.assertEqual(self.daemon.requests, [])

    def test_waiting_ends_with_the_state_of_the_job(self):
        for state, status, code in (("delivered", 200, 0), ("merged", 200, 0), ("failed", 200, 69), ("expired", 200, 69),
                                    ("cancelled", 200, 69), ("held", 200, 69), ("queued", 202, 3), ("sending", 202, 3)):
            self.daemon.answers = [(status, dict(JOB, state=state, reason="why\x1b[2J", hint="what"))]
            self.assertEqual(self.ctl("send", "-m", "x", "--wait=1s" if code == 3 else "--wait"), code, state)
            self.assertTrue(self.out.startswith("%s %s: " % (ID, state)))
            self.assertEqual(self.err, "notifyctl: why?[2J\n  hint: what\n")
            self.assertEqual(self.ctl("--json", "send", "-m", "x", "--wait=1s" if code == 3 else "--wait=90s"), code)
            self.assertEqual(json.loads(self.out)["state"], state)
        self.assertEqual([r.path for r in self.daemon.requests[:2]], ["/v1/jobs?wait=30", "/v1/jobs?wait=90"])
        self.assertEqual(self.ctl("send", "-m", "x", "--wait=301s"), 64)

    def test_a_held_job_is_accepted_and_told(self):
        self.daemon.answers = [(202, {"id": ID, "state": "held"})]
        self.assertEqual(self.ctl("send", "-m", "x"), 0)
        self.assertEqual(self.out, ID + "\n")
        self.assertIn("held", self.err)

    def test_a_dry_run_shows_the_answer(self):
        self.daemon.answers = [(200, {"account": "m365"})]
        self.assertEqual(self.ctl("send", "-m", "x", "--dry-run", "--json"), 0)
        self.assertEqual(self.daemon.requests[0].path, "/v1/jobs?dry_run=1")
        self.assertEqual(json.loads(self.out), {"account": "m365"})

    def test_an_accepted_job_stays_accepted_when_nobody_reads_its_id(self):
        with open("/dev/full", "wb") as full:
            self.assertEqual(self.ctl("send", "-m", "x", stdout=full), 0)
            self.assertIn("could not be written", self.err)
            self.daemon.answers = [(200, {"jobs": [], "next": None})]
            self.assertEqual(self.ctl("list", stdout=full), 70)


class Submit(Case):
    def test_a_file_is_sent_as_it_is(self):
        octets = b' {"to": "a@b.example",\n "text": "x"}\n'
        self.assertEqual(self.ctl("submit", self.file("job.json", octets)), 0)
        request = self.daemon.requests[0]
        self.assertEqual(request.body, octets)
        self.assertGreaterEqual(len(request.headers["Idempotency-Key"]), 32)
        self.assertEqual(self.ctl("submit", "-", stdin=octets), 0)
        self.assertEqual(self.daemon.requests[1].body, octets)

    def test_a_key_of_the_job_is_kept(self):
        self.daemon.answers = [lose, ACCEPTED]
        self.assertEqual(self.ctl("submit", "-", stdin=b'{"text":"x","idempotency_key":"mine"}'), 0)
        self.assertIsNone(self.daemon.requests[1].headers["Idempotency-Key"])

    def test_a_batch_without_keys_is_not_sent_twice(self):
        self.daemon.answers = [lose]
        self.assertEqual(self.ctl("submit", "-", stdin=b'[{"text":"x"}]'), 75)
        self.assertEqual(len(self.daemon.requests), 1)
        self.assertIn("not known whether", self.err)

    def test_the_results_of_a_batch_are_told_one_by_one(self):
        refused = {"status": 422, "code": "no-such-account", "detail": "there is no account x", "index": 1}
        self.daemon.answers = [(207, [ACCEPTED[1], refused])]
        self.assertEqual(self.ctl("submit", "-", stdin=b"[{},{}]"), 65)
        self.assertEqual(self.out, ID + "\n")
        self.assertEqual(self.err, "notifyctl: job 2 of 2 was refused (no-such-account): there is no account x\n"
                         "2 jobs: 1 accepted, 1 refused\n")
        self.daemon.answers = [(422, [dict(refused, status=403)] * 2)]
        self.assertEqual(self.ctl("submit", "-", stdin=b"[{},{}]"), 77)
        self.assertEqual(self.ctl("--json", "submit", "-", stdin=b"[{},{}]"), 77)
        self.assertEqual((len(json.loads(self.out)), self.err), (2, ""))

    def stream(self, count, until):
        """Answers to so many lines, one of them refused; the last one when it is time."""
        refused = {"status": 403, "code": "recipient-not-allowed", "detail": "not to x@y", "hint": "allow it", "line": 1}

        def answer(handler):
            handler.wfile.write(b"HTTP/1.1 202 Accepted\r\nContent-Type: application/x-ndjson\r\nConnection: close\r\n\r\n")
            for n in range(count):
                handler.wfile.write(json.dumps(refused if n == 0 else ACCEPTED[1]).encode() + b"\n")
                handler.wfile.flush()
                if n == count - 3:
                    until.wait(0.5)
            until.wait(30)
        return answer

    def test_a_long_run_shows_on_a_terminal_how_far_it_is(self):
        path, drawn = self.file("jobs", b'{"text":"x"}\n' * 500), threading.Event()
        self.daemon.answers = [self.stream(500, drawn)]

        def seen(octets):
            if b" of 500 (" in octets:
                drawn.set()
        octets = self.terminal("submit", path, columns=70, seen=seen)
        self.assertEqual(self.code, 65)
        lines = octets.split("\n")
        self.assertRegex(octets, r"\r(498|499|500) of 500 \((99|100) %\) jobs, [0-9]+/s, 1 refused")
        self.assertTrue(drawn.is_set())
        self.assertEqual(lines[0], "notifyctl: job 1 on line 1 was refused (recipient-not-allowed): not to x@y")
        self.assertEqual(lines[1], "  hint: allow it")
        self.assertEqual(lines[-2].rsplit("\r", 1)[-1], "500 jobs: 499 accepted, 1 refused")
        for line in lines:
            self.assertTrue(all(len(part) < 140 for part in line.split("\r")), line)

    def test_a_long_run_shows_nothing_but_its_end_to_a_pipe(self):
        path, over = self.file("jobs", b'{"text":"x"}\n' * 500), threading.Event()
        self.daemon.answers = [self.stream(500, over)]
        threading.Timer(0.7, over.set).start()
        self.assertEqual(self.ctl("submit", path), 65)
        self.assertEqual(self.err, "notifyctl: job 1 on line 1 was refused (recipient-not-allowed): not to x@y\n  hint: allow it\n"
                         "500 jobs: 499 accepted, 1 refused\n")
        self.assertEqual(self.out, (ID + "\n") * 499)

    def test_answers_that_are_missing_are_counted(self):
        def answer(handler):
            handler.wfile.write(b"HTTP/1.1 202 Accepted\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n")
            line = json.dumps(ACCEPTED[1]).encode() + b"\n"
            handler.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
        self.daemon.answers = [answer]
        self.assertEqual(self.ctl("submit", "-", stdin=b'{"text":"x"}\n' * 3), 65)
        self.assertTrue(self.err.endswith("3 jobs: 1 accepted, 0 refused, 2 not answered\n"), self.err)

    def test_json_that_is_none_is_the_daemons_to_refuse(self):
        self.daemon.answers = [(400, {"status": 400, "code": "malformed", "detail": "line 1: no value", "line": 1})]
        self.assertEqual(self.ctl("submit", "-", stdin=b"{"), 65)
        self.assertEqual(self.ctl("submit", self.folder + "/none"), 66)
        self.assertEqual(self.ctl("submit"), 64)


class Bulk(Case):
    def test_a_terminal_sees_how_many_jobs_it_is_about(self):
        self.daemon.answers = [(200, {"jobs": [JOB] * 12, "next": "C"}), (200, {"matched": 2012, "changed": 12})]
        octets = self.terminal("cancel", "--all", "--state=held", "--yes")
        self.assertTrue(octets.startswith("\rcancel: 12 or more jobs, please wait\r  "), repr(octets))
        self.assertTrue(octets.endswith("\r12 of 2012 jobs changed\n"), repr(octets))
        self.assertEqual([r.path for r in self.daemon.requests], ["/v1/jobs?limit=1000&state=held", "/v1/jobs/cancel?state=held"])

    def test_a_terminal_is_asked_first(self):
        self.daemon.answers = [(200, {"jobs": [JOB], "next": None}), (200, {"matched": 1, "changed": 1})]
        octets = self.terminal("retry", "--all", stdin="terminal")
        self.assertIn("retry 1 job, as far as it applies? [y/N]", octets)
        self.assertIn("1 of 1 jobs changed", octets)
        # What ended is nobody's business here, but for what can be tried again.
        self.assertEqual([r.path for r in self.daemon.requests], ["/v1/jobs?limit=1000&state=queued,held,failed,expired", "/v1/jobs/retry"])

    def test_a_pipe_sees_the_end_alone(self):
        self.daemon.answers = [(200, {"matched": 2012, "changed": 12})]
        self.assertEqual(self.ctl("hold", "--all", "--yes"), 0)
        self.assertEqual((self.out, self.err, len(self.daemon.requests)), ("12 of 2012 jobs changed\n", "", 1))
        self.assertEqual(self.ctl("hold", "--all"), 64)


class Check(Case):
    def check(self, **status):
        account = {"name": "m365", "state": status.pop("state", "ok")}
        self.daemon.answers = [(200, {"queue": {"queued": 3, "sending": 0, "held": 0}, "oldest_seconds": 60, "accounts": [account], **status})]
        return self.ctl("check"), self.out

    def test_who_is_told_of_no_warnings_does_not_say_that_all_is_well(self):
        code, line = self.check()
        self.assertEqual((code, line[:17]), (3, "NOTIFYD UNKNOWN -"))
        self.assertIn("group notifyd-admin | queued=3", line)
        code, line = self.check(state="paused")
        self.assertEqual((code, line[:17]), (1, "NOTIFYD WARNING -"))

    def test_an_operator_is_told(self):
        code, line = self.check(warnings=[])
        self.assertEqual((code, line[:12]), (0, "NOTIFYD OK -"))
        code, line = self.check(warnings=[{"code": "queue-paused", "detail": "nothing is sent"}])
        self.assertEqual((code, line[:17]), (1, "NOTIFYD WARNING -"))


class Look(Case):
    def test_filters_become_the_query(self):
        self.daemon.answers = [(200, {"jobs": [], "next": None})]
        self.assertEqual(self.ctl("list", "--state", "held,failed", "--account=m365", "--source", "a b&c", "--severity", "critical",
                                  "--key", "k/ü", "--since", "2h", "-n5", "--id", "7W1X0Y", "--cursor", "C"), 0)
        self.assertEqual(self.daemon.requests[0].path, "/v1/jobs?state=held%2Cfailed&account=m365&source=a%20b%26c&severity=critical"
                         "&key=k%2F%C3%BC&since=2h&limit=5&id=7W1X0Y&cursor=C")
        self.assertEqual(self.out, "no jobs\n")

    def test_a_list_is_a_table_of_short_ids(self):
        self.daemon.answers = [(200, {"jobs": [JOB, dict(JOB, state="held", subject="日本語", account="gmail")], "next": "CUR"})]
        self.assertEqual(self.ctl("list"), 0)
        lines = self.out.split("\n")
        self.assertEqual(lines[0].split(), ["ID", "AGE", "STATE", "SEVERITY", "ACCOUNT", "TO", "SUBJECT"])
        self.assertEqual(lines[1].split()[:1] + lines[1].split()[2:],
                         [ID[-8:], "delivered", "critical", "m365", "ops@contoso.com", "+1", "Disk", "failing"])
        self.assertEqual(lines[1].index("ops@"), lines[2].index("ops@"))
        self.assertIn("--cursor CUR", lines[3])

    def test_a_terminal_gets_colours_and_no_line_too_long(self):
        long = dict(JOB, subject="日本語の件名" * 20, recipients=[{"address": "a" * 60 + "@contoso.com"}])
        self.daemon.answers = [(200, {"jobs": [long], "next": None})]
        colored = self.terminal("list", columns=90)
        self.assertIn("\033[32mdelivered\033[0m", colored)
        self.assertIn("\033[31mcritical\033[0m", colored)
        for columns in (70, 90, 91, 132):
            for plain in (self.terminal("list", columns=columns, NO_COLOR="1"), self.terminal("--no-color", "list", columns=columns)):
                self.assertNotIn("\033", plain)
                row = plain.split("\n")[1]
                self.assertIn("  a" + "a" * (columns // 9), row)
                self.assertIn("a  日本", row)
                taken = sum(2 if ord(c) > 0x2fff else 1 for c in row)
                self.assertLessEqual(taken, columns)
                self.assertGreaterEqual(taken, columns - 1, row)

    def test_a_pipe_gets_every_text_whole_and_no_colours(self):
        long = dict(JOB, subject="日本語の件名" * 60, recipients=[{"address": "a" * 60 + "@contoso.com"}])
        self.daemon.answers = [(200, {"jobs": [long], "next": None})]
        self.assertEqual(self.ctl("list"), 0)
        self.assertTrue(self.out.split("\n")[1].endswith("  " + "a" * 60 + "@contoso.com  " + long["subject"]), self.out)
        self.assertNotIn("\033", self.out)

    def test_without_the_library_of_tables_tabs_part_the_texts(self):
        self.daemon.answers = [(200, {"jobs": [JOB, dict(JOB, subject="")], "next": None})]
        self.file("libsmartcols.so.1", b"")
        octets = self.terminal("list", LD_LIBRARY_PATH=self.folder)
        lines = octets.split("\n")
        self.assertEqual(lines[0], "ID\tAGE\tSTATE\tSEVERITY\tACCOUNT\tTO\tSUBJECT")
        self.assertRegex(lines[1], "^" + ID[-8:] + "\t[0-9dhms]+\tdelivered\tcritical\tm365\tops@contoso.com \\+1\tDisk failing$")
        self.assertTrue(lines[2].endswith("\t"))
        self.daemon.answers = [(200, {"jobs": [dict(JOB, subject="")], "next": None})]
        self.assertNotIn("SUBJECT", self.terminal("list", LD_LIBRARY_PATH=self.folder))

    def test_the_library_of_tables_is_loaded_for_tables_alone(self):
        self.daemon.answers = [(200, {"jobs": [JOB], "next": None})]
        self.assertIn("libsmartcols", self.terminal("list", LD_DEBUG="files"))
        self.assertNotIn("libsmartcols", self.terminal("--json", "list", LD_DEBUG="files"))

    def test_nothing_from_the_daemon_drives_the_terminal(self):
        evil = "a\x1b]0;x\x07\r\n\u202e\x9b31m\x7f"
        job = dict(JOB, subject=evil, recipients=[{"address": evil, "state": evil, "text": evil}],
                   labels={evil: evil}, reason=evil, hint=evil, key=evil)
        for command in (["list"], ["show", ID]):
            self.daemon.answers = [(200, {"jobs": [job], "next": None} if command == ["list"] else job)]
            octets = self.terminal("--no-color", *command, columns=200)
            self.assertFalse(set(octets) & set("\x1b\x07\r\u202e\x9b\x7f"), repr(octets))
            self.assertIn("a?]0;x?", octets)
        self.daemon.answers = [(200, json.dumps(job, ensure_ascii=False).encode())]
        octets = self.terminal("--json", "show", ID)
        self.assertFalse(set(octets) & set("\x1b\x07\x9b\x7f"))
        self.assertEqual(json.loads(octets), job)
        self.daemon.answers = [(200, b"Subject: \x1b[2J\r\n\r\nx\r\n")]
        self.assertEqual(self.terminal("message", ID), "Subject: ?[2J\n\nx\n")
        self.daemon.answers = [(400, {"status": 400, "code": "x", "detail": evil, "hint": evil})]
        self.ctl("list")
        self.assertNotIn("\x1b", self.err)

    def test_json_is_printed_unchanged(self):
        octets = b'{"jobs" : [ ],\n  "next":null}\n'
        self.daemon.answers = [(200, octets)]
        self.assertEqual(self.ctl("list", "--json"), 0)
        self.assertEqual(self.out.encode(), octets)
        problem = b'{"status":409,"code":"ambiguous-id","detail":"two"}\n'
        self.daemon.answers = [(409, problem)]
        self.assertEqual(self.ctl("show", ID, "--json"), 65)
        self.assertEqual((self.out, self.err.encode()), ("", problem))
        self.assertEqual(self.ctl("--json", "--socket", self.folder + "/none", "list"), 75)
        self.assertEqual(json.loads(self.err)["code"], "connect-failed")

    def test_a_job_is_shown_in_words(self):
        self.daemon.answers = [(200, JOB)]
        self.assertEqual(self.ctl("show", ID[-6:].lower()), 0)
        self.assertEqual(self.daemon.requests[0].path, "/v1/jobs/" + ID[-6:])
        for words in ("delivered: accepted by smtp.office365.com\n", "ops@contoso.com  delivered  250 2.0.0 OK queued",
                      "b@contoso.com    refused    550 5.1.1 unknown user", "device=/dev/sda", "unit smartd.service, pid 7 (smartd)",
                      "2026-11-21 08:00:00Z ("):
            self.assertIn(words, self.out)
        self.assertEqual(self.ctl("show", "12345"), 64)
        self.assertEqual(self.ctl("show"), 64)
        self.assertEqual(self.ctl("show", "a", "b"), 64)

    def test_a_message_comes_out_octet_by_octet(self):
        octets = b"From: <a@b.example>\r\n\r\n.x\x80\r\n"
        self.daemon.answers = [(200, octets)]
        done = subprocess.run([PROGRAM, "message", ID], env=self.environment(), stdout=subprocess.PIPE, timeout=60, check=False)
        self.assertEqual((done.returncode, done.stdout), (0, octets))
        self.assertEqual(self.daemon.requests[0].path, "/v1/jobs/%s/message" % ID)
        self.daemon.answers = [(410, {"status": 410, "code": "body-gone", "detail": "the message is kept no longer"})]
        self.assertEqual(self.ctl("message", ID), 65)

    def test_the_status_says_what_to_do(self):
        soon = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3000))
        self.daemon.answers = [(200, {
            "version": "0.1.0", "started": "2026-11-21T08:00:00.000Z", "queue": {"queued": 12, "sending": 2, "held": 1},
            "oldest_seconds": 245, "totals": {"delivered": 1042, "failed": 0, "expired": 3},
            "accounts": [{"name": "m365", "state": "ok", "queued": 3, "sessions": 1, "token_expires": soon},
                         {"name": "gmail", "state": "held", "queued": 1, "sessions": 0, "reason": "the client secret is wrong",
                          "hint": "store a new one", "until": soon}],
            "warnings": [{"code": "secret-expires", "detail": "the secret of m365 expires soon", "hint": "create a new one"}]})]
        self.assertEqual(self.ctl("status"), 0)
        for words in ("queue: 12 waiting, 2 being sent, 1 held\n", "waited for 4m", "1042 accepted by the relay\n", "3 given up",
                      "gmail is held: the client secret is wrong\n  hint: store a new one\n  next try: in ",
                      "warning: the secret of m365 expires soon\n  hint: create a new one\n"):
            self.assertIn(words, self.out)
        self.assertNotIn("\n0 ", self.out)
        self.daemon.answers = [(200, {"queue": {}, "totals": {}, "accounts": []})]
        self.assertEqual(self.ctl("status"), 0)
        self.assertIn("no account is set up", self.out)

    def test_replies_of_another_shape_break_nothing(self):
        for command in (["list"], ["show", ID], ["status"]):
            for reply in ({}, [], "x", 1, None, {"jobs": 1, "accounts": 1, "recipients": {"a": 1}, "attempts": [1, None], "labels": [1]},
                          {"jobs": [1, [], {"id": 5, "recipients": []}], "accounts": [None, {"state": 1, "reason": "x", "name": "n"}],
                           "warnings": [{}], "state": None, "totals": [1]}):
                self.daemon.answers = [(200, reply)]
                self.assertIn(self.ctl(*command), (0, 76), (command, reply, self.err))


class Watch(Case):
    @staticmethod
    def events(handler):
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nConnection: close\r\n\r\n")
        handler.wfile.write(b'{"event":"begin","time":"2026-11-21T08:00:00.000Z"}\n')
        handler.wfile.flush()
        handler.server.daemon.seen.wait(30)
        handler.wfile.write(b'{"event":"job.failed","time":"2026-11-21T08:00:00.000Z","job":"%s","account":"m365","state":"failed"}\n' % ID.encode())

    def test_a_terminal_sees_that_nothing_has_happened_yet(self):
        self.daemon.seen, self.daemon.answers = threading.Event(), [self.events, (404, {"status": 404, "code": "x", "detail": "gone"})]

        def seen(octets):
            if b"waiting for something to happen" in octets:
                self.daemon.seen.set()
        octets = self.terminal("watch", "--no-color", columns=100, seen=seen)
        self.assertTrue(self.daemon.seen.is_set())
        self.assertIn("\r2026-11-21 08:00:00Z  job.failed      %s  m365\n" % ID[-8:], octets)
        self.assertEqual(octets.count("waiting for something"), 1)

    def test_a_terminal_sees_what_is_waited_for(self):
        self.daemon.answers = [(200, JOB)]
        octets = self.terminal("wait", ID)
        self.assertTrue(octets.startswith("\rwaiting for " + ID + "\r"), repr(octets))
        self.assertTrue(octets.endswith("\r%s delivered: accepted by smtp.office365.com\n" % ID), repr(octets))
        self.assertEqual(self.ctl("wait", ID), 0)
        self.assertEqual((self.out, self.err), ("%s delivered: accepted by smtp.office365.com\n" % ID, ""))


class Help(Case):
    def test_help_is_aligned_and_fits_a_terminal(self):
        self.assertEqual(self.ctl("--help"), 0)
        commands = [line.split()[0] for line in self.out.split("commands:")[1].split("options")[0].split("\n") if line[:3].strip()]
        self.assertIn("send", commands)
        for words in [["--help"]] + [[command, "--help"] for command in commands]:
            self.assertEqual(self.ctl(*words), 0)
            self.assertLessEqual(max(map(len, self.out.split("\n"))), 80, self.out)
            self.assertNotIn("  \n", self.out)
            for line in self.out.split("options")[-1].split("\n")[1:-1]:
                self.assertTrue(line[:31].strip() == "" or line.startswith(("  -", "      --")), line)
                self.assertIn(line[30:31], ("", " "), line)


class Where(Case):
    def test_the_operators_socket_is_used_where_it_may_be_opened(self):
        self.ctl("send", "-m", "x")
        self.daemon.listen(os.path.join(self.folder, "n-admin.sock"))
        self.ctl("send", "-m", "x")
        self.assertEqual([r.socket for r in self.daemon.requests], ["n.sock", "n-admin.sock"])

    def test_the_option_wins_over_the_environment(self):
        other = os.path.join(self.folder, "other.sock")
        self.daemon.listen(other)
        self.ctl("--socket", other, "send", "-m", "x")
        self.ctl("send", "-m", "x", "--socket=" + other)
        self.assertEqual([r.socket for r in self.daemon.requests], ["other.sock"] * 2)

    def test_no_daemon_is_told_with_what_to_do(self):
        for path in (self.folder + "/none", "/" + "x" * 200):
            self.assertEqual(self.ctl("--socket", path, "send", "-m", "x"), 75)
            self.assertIn("cannot be reached", self.err)
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(self.folder + "/dead.sock")
        self.assertEqual(self.ctl("--socket", self.folder + "/dead.sock", "status"), 75)
        self.assertIn("start notifyd", self.err)

    def test_a_daemon_that_starts_late_is_waited_for(self):
        path = self.folder + "/late.sock"
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(path)

        def start():
            # The file must be there at every try: the new socket is made beside it and renamed over it.
            self.daemon.listen(path + ".new")
            os.rename(path + ".new", path)

        timer = threading.Timer(0.5, start)
        timer.start()
        self.assertEqual(self.ctl("--socket", path, "send", "-m", "x"), 0, self.err if hasattr(self, "err") else "")
        timer.join()


class Words(Case):
    def test_the_nearest_name_is_offered(self):
        self.assertEqual(self.ctl("sned"), 64)
        self.assertIn("did you mean send?", self.err)
        self.assertEqual(self.ctl("list", "--sate=held"), 64)
        self.assertIn("did you mean --state?", self.err)
        self.assertEqual(self.ctl("help", "stauts"), 64)
        self.assertEqual(self.ctl(), 64)
        self.assertEqual(self.ctl("list", "--state"), 64)
        self.assertEqual(self.ctl("send", "--label", "x"), 64)
        self.assertEqual(self.ctl("status", "--json=yes"), 64)
        self.assertEqual(self.daemon.requests, [])

    def test_help_names_every_command_and_option(self):
        self.assertEqual(self.ctl("--help"), 0)
        commands = [line.split()[0] for line in self.out.split("commands:\n")[1].split("\n\n")[0].split("\n") if line[2] != " "]
        self.assertEqual((commands[0], commands[-1], len(set(commands))), ("send", "help", len(commands)))
        for command in commands[:-1]:
            self.assertEqual(self.ctl("help", command), 0)
            text = self.out
            self.assertEqual(self.ctl(command, "--help"), 0)
            self.assertEqual(self.out, text)
            self.assertIn("--socket PATH", text)
        self.assertEqual(self.daemon.requests, [])

    def test_the_version_needs_no_daemon(self):
        for args in (["--version"], ["send", "--version"]):
            self.assertEqual(self.ctl(*args), 0)
            self.assertTrue(self.out.startswith("notifyctl "))
        self.assertEqual(self.daemon.requests, [])

    def test_options_end_at_two_dashes(self):
        self.assertEqual(self.ctl("submit", "--", "--none"), 66)
        self.assertEqual(self.ctl("send", "-m", "-x"), 0)
        self.assertEqual(self.daemon.requests[0].job["text"], "-x")


if __name__ == "__main__":
    if not os.access(PROGRAM, os.X_OK):
        sys.exit("test_notifyctl.py: %s is not built" % PROGRAM)
    unittest.main()
