#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""relay.py - a fake SMTP relay: plays the server's half of tests/dialogues/*.smtp over a real socket.

    relay.py [--host 127.0.0.1] [--port 0] [--cert FILE] [--key FILE]
             [--any-content] [--save FILE] [--records FILE] [--reset] [--last-words TEXT] FILE...

One FILE for each connection, in the order given. The first line it prints is "port N". Ends with 0 when every client
kept to its dialogue; else it says file:line, what was expected and what came, and ends with 1. The format is described
in tests/dialogues/README.md.

As a module: Relay(files, cert, key).start(); relay.port; relay.wait() returns the list of complaints, relay.heard[n]
the lines of client n.
"""
import argparse
import re
import select
import socket
import ssl
import struct
import sys
import threading

SERVER_STEPS = ("S", "R", "INJECT")
HANDSHAKE_FAILURE = bytes.fromhex("15 03 03 00 02 02 28")  # a fatal alert, RFC 8446 6
RECORD_OCTETS = 12000  # what fits into one TLS record beside the commands
IDLE_SECONDS = 0.5  # enough for a client to see that it is ready


class Mismatch(Exception):
    """The client did not keep to the dialogue."""


class ClientGone(Exception):
    """The client closed the connection."""


def unescape(text):
    """\\r \\n \\t \\\\ \\xHH, as in R: and INJECT lines."""
    def one(match):
        code = match.group(1)
        if code.startswith("x"):
            return chr(int(code[1:], 16))
        return {"r": "\r", "n": "\n", "t": "\t", "\\": "\\"}[code]
    raw = text.encode("utf-8").decode("latin-1")
    return re.sub(r"\\(x[0-9a-fA-F]{2}|[rnt\\])", one, raw).encode("latin-1")


def pattern(text):
    """A C: line as a regular expression: {any}, {xoauth2} and the like stand for any text."""
    parts = re.split(r"\{[a-z0-9]+\}", text)
    return re.compile(".*".join(re.escape(part) for part in parts), re.DOTALL)


class Dialogue:
    """The steps of one file: (line number, kind, text)."""

    def __init__(self, path):
        self.path = path
        self.steps = []
        with open(path, encoding="utf-8", newline="\n") as file:
            for number, line in enumerate(file, 1):
                self._take(number, line.rstrip("\n"))

    def _take(self, number, line):
        if not line or line[0] in "#=":
            return
        word, _, rest = line.partition(" ")
        if word[0].islower():
            return
        if word in ("S:", "R:", "C:", "D:"):
            self.steps.append((number, word[0], rest))
        elif word in ("TLS", "EOF", "LATE") and rest:
            self.steps.append((number, word + " " + rest, ""))
        elif word in ("TLS", "EOF", "LATE", "CONTENT", "CHUNK", "INJECT", "IDLE", "NEXT", "BESIDE", "QUIT"):
            self.steps.append((number, word, rest))
        else:
            raise ValueError(f"{self.path}:{number}: not a step: {line}")


class Session:
    """One connection that plays one dialogue."""

    def __init__(self, sock, dialogue, relay):
        self.sock = sock
        self.dialogue = dialogue
        self.relay = relay
        self.buffer = b""
        self.heard = []
        self.fills = 0  # reads since the relay spoke; over TLS each gives one record
        self.at = 0

    # -- octets

    def fill(self):
        """More octets of the client."""
        try:
            octets = self.sock.recv(65536)
        except (ConnectionError, ssl.SSLError) as error:
            raise ClientGone(str(error)) from error
        if not octets:
            raise ClientGone("it closed the connection")
        self.fills += 1
        self.buffer += octets

    def line(self):
        while b"\n" not in self.buffer:
            self.fill()
        line, self.buffer = self.buffer.split(b"\n", 1)
        if not line.endswith(b"\r"):
            raise Mismatch(f"a line ends without CR: {line!r}")
        text = line[:-1].decode("utf-8", "replace")
        self.heard.append(text)
        return text

    def send(self, octets):
        self.count_records()
        self.fills = 0
        try:
            self.sock.sendall(octets)
        except (ConnectionError, ssl.SSLError) as error:
            raise ClientGone(str(error)) from error

    def count_records(self):
        """How many records of application data the client needed for what it said in its turn, a flight is one: a line for each."""
        if self.relay.records and self.fills and isinstance(self.sock, ssl.SSLSocket):
            self.relay.records.write(b"%d\n" % self.fills)

    def close(self):
        """Ends it as the steps want; with reset, by RST at once."""
        if self.relay.reset:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    # -- steps

    def next_kind(self):
        steps = self.dialogue.steps
        return steps[self.at][1] if self.at < len(steps) else None

    def following(self):
        """The next step that is not the client's own matter."""
        return next((kind for _, kind, _ in self.dialogue.steps[self.at:] if kind not in ("BESIDE", "NEXT", "QUIT", "IDLE")), None)

    def say(self, text):
        """S: lines in a row, and what is injected behind them, are one write."""
        octets = text.encode("utf-8") + b"\r\n"
        while self.next_kind() in ("S", "INJECT"):
            _, kind, more = self.dialogue.steps[self.at]
            octets += unescape(more) if kind == "INJECT" else more.encode("utf-8") + b"\r\n"
            self.at += 1
        self.send(octets)

    def expect(self, text):
        line = self.line()
        if not pattern(text).fullmatch(line):
            raise Mismatch(f"expected \"{text}\", got \"{line}\"")
        if self.buffer and self.next_kind() in SERVER_STEPS + ("TLS",):
            raise Mismatch(f"more came behind \"{line}\": {self.buffer[:80]!r}")

    def save(self, line):
        if self.relay.save:
            self.relay.save.write(line.encode("utf-8") + b"\r\n")

    def content(self):
        """All up to the lone dot."""
        line = None
        while line != ".":
            line = self.line()
            self.save(line)

    def chunk(self):
        """BDAT with all of the content. Over TLS, commands before it and itself are one record, if they fit."""
        line = self.line()
        found = re.fullmatch(r"BDAT (\d+) LAST", line)
        if not found:
            raise Mismatch(f"expected \"BDAT N LAST\", got \"{line}\"")
        size = int(found.group(1))
        while len(self.buffer) < size:
            self.fill()
        if isinstance(self.sock, ssl.SSLSocket) and size < RECORD_OCTETS and self.fills > 1:
            raise Mismatch(f"a flight with {size} octets of content came in {self.fills} records")
        if self.relay.save:
            self.relay.save.write(self.buffer[:size])
        self.buffer = self.buffer[size:]
        self.count_records()
        self.fills = 0  # the next mail is a record of its own
        if self.buffer and self.following() in SERVER_STEPS + ("TLS", None):
            raise Mismatch(f"more came behind the content: {self.buffer[:80]!r}")

    def content_line(self, text):
        if not self.relay.any_content:
            self.expect(text)
            self.save(text)
            return
        while self.next_kind() == "D":
            self.at += 1
        self.content()

    def secure(self):
        if self.buffer:
            raise Mismatch(f"octets in clear before TLS: {self.buffer[:80]!r}")
        if self.relay.context is None:
            raise Mismatch("this dialogue needs --cert and --key")
        try:
            self.sock = self.relay.context.wrap_socket(self.sock, server_side=True)
        except (OSError, ssl.SSLError) as error:
            raise Mismatch(f"the TLS handshake failed: {error}") from error

    def part(self):
        """Some of the content has come."""
        while not self.buffer:
            self.fill()

    def until_gone(self, silent):
        """Reads until the client leaves. Silent: whatever it says; else only QUIT is allowed."""
        try:
            while True:
                if silent:
                    self.buffer = b""
                    self.fill()
                    continue
                line = self.line()
                if line != "QUIT":
                    raise Mismatch(f"expected nothing more, got \"{line}\"")
                self.send(b"221 2.0.0 bye\r\n")
        except ClientGone:
            pass

    def step(self, kind, text):
        """Plays one step; True: it was the last."""
        if kind == "S":
            self.say(text)
        elif kind in ("R", "INJECT"):
            self.send(unescape(text))
        elif kind == "C":
            self.expect(text)
        elif kind == "D":
            self.content_line(text)
        elif kind == "CONTENT":
            self.content()
        elif kind == "CHUNK":
            self.chunk()
        elif kind == "TLS":
            self.secure()
        elif kind == "TLS FAIL":
            self.part()
            self.send(HANDSHAKE_FAILURE)
            return True
        elif kind in ("EOF", "EOF PART"):
            if kind == "EOF PART":
                self.part()
                self.send(self.relay.last_words)
            return True
        elif kind in ("LATE", "LATE PART"):
            self.until_gone(True)
            return True
        elif kind == "IDLE":
            select.select([self.sock], [], [], IDLE_SECONDS)
        return False  # NEXT BESIDE QUIT concern the client alone

    def play(self):
        """Returns a complaint or None."""
        number = 0
        try:
            while self.at < len(self.dialogue.steps):
                number, kind, text = self.dialogue.steps[self.at]
                self.at += 1
                if self.step(kind, text):
                    return None
            if self.dialogue.steps and self.dialogue.steps[-1][1] == "INJECT":
                self.until_gone(True)
            else:
                self.until_gone(False)
            return None
        except Mismatch as error:
            return f"{self.dialogue.path}:{number}: {error}"
        except ClientGone as error:
            return f"{self.dialogue.path}:{number}: the client left: {error}"
        finally:
            self.close()


class Relay:
    """Listens; the n-th connection plays the n-th file."""

    def __init__(self, files, cert=None, key=None, host="127.0.0.1", port=0, **options):
        """Options: any_content (a run of D: lines is any content), save (a binary file for the contents), records (a binary file for the
        counts of TLS records), reset (EOF resets the connection), last_words (octets sent before EOF PART)."""
        self.dialogues = [Dialogue(path) for path in files]
        self.any_content = options.pop("any_content", False)
        self.save = options.pop("save", None)
        self.records = options.pop("records", None)
        self.reset = options.pop("reset", False)
        self.last_words = options.pop("last_words", b"")
        if options:
            raise TypeError(f"unknown: {options}")
        self.complaints = []
        self.heard = []
        self.context = None
        if cert:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(cert, key)
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.listener = socket.socket(family, socket.SOCK_STREAM)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind((host, port))
        self.listener.listen(16)
        self.port = self.listener.getsockname()[1]
        self.thread = None

    def play_all(self):
        for dialogue in self.dialogues:
            sock, _ = self.listener.accept()
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            session = Session(sock, dialogue, self)
            self.heard.append(session.heard)
            complaint = session.play()
            if complaint:
                self.complaints.append(complaint)
            for file in (self.save, self.records):
                if file:
                    file.flush()
        self.listener.close()

    def start(self):
        self.thread = threading.Thread(target=self.play_all, daemon=True)
        self.thread.start()
        return self

    def wait(self, seconds=30):
        self.thread.join(seconds)
        if self.thread.is_alive():
            return self.complaints + ["not all dialogues were played"]
        return self.complaints


class Lenient:
    """A relay without a dialogue: takes what comes, keeps it, and answers a stage as `faults` wants.

    faults: {stage: reply, or function of the argument that gives one or None}; stages GREETING EHLO STARTTLS AUTH MAIL RCPT
    DATA END RSET QUIT, IDLE (said and closed once a mail was taken). After a 421 the session is over; "FIN" and "RST" end
    it without a word. offer: lines of EHLO. mails: (recipients, content) of each mail taken."""

    def __init__(self, offer=("8BITMIME",), faults=None, cert=None, key=None):
        self.offer, self.faults = list(offer), faults or {}
        self.mails, self.heard, self.sessions, self.ended = [], [], 0, 0
        self.gate = threading.Event()  # while it is clear the reply to the end of data waits
        self.gate.set()
        self.waiting = threading.Event()
        self.context = None
        if cert:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(cert, key)
        self.peers = []
        self.listen()

    def listen(self, port=0):
        self.listener = socket.create_server(("127.0.0.1", port), backlog=64)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, args=(self.listener,), daemon=True).start()

    def accept(self, listener):
        while True:
            try:
                peer = listener.accept()[0]
            except OSError:
                return
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.sessions += 1
            self.peers.append(peer)
            threading.Thread(target=self.serve, args=(peer,), daemon=True).start()

    def shut(self):
        """Nobody listens any more; sessions go on."""
        if self.listener:
            self.listener.shutdown(socket.SHUT_RDWR)  # close alone leaves it to the thread that waits
            self.listener.close()
            self.listener = None

    def close(self):
        self.gate.set()
        self.shut()
        for peer in self.peers:
            peer.close()

    def serve(self, peer):
        session = LenientSession(self, peer)
        try:
            session.run()
        except (OSError, ClientGone):
            pass
        finally:
            session.file.close()
            session.peer.close()
            self.ended += 1


class LenientSession:
    def __init__(self, relay, peer):
        self.relay, self.peer = relay, peer
        self.file = peer.makefile("rb")
        self.rcpts = []
        self.secure = False

    def say(self, *lines):
        self.peer.sendall("".join(line + "\r\n" for line in lines).encode())

    def bye(self, reset=False):
        if reset:
            self.peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.file.close()
        self.peer.close()
        raise ClientGone("told to go")

    def fault(self, stage, what=""):
        """Whether a fault was wanted here, and said."""
        self.relay.heard.append((stage, what))
        wanted = self.relay.faults.get(stage)
        reply = wanted(what) if callable(wanted) else wanted
        if reply is None:
            return False
        if reply in ("FIN", "RST"):
            self.bye(reply == "RST")
        self.say(reply)
        if reply.startswith("421") or stage == "GREETING":
            self.bye()
        return True

    def run(self):
        if not self.fault("GREETING"):
            self.say("220 relay ESMTP")
        while True:  # STARTTLS changes self.file
            line = self.file.readline()
            if not line:
                return
            verb, _, rest = line.decode("utf-8", "replace").rstrip("\r\n").partition(" ")
            verb = verb.upper()
            if verb == "BDAT":
                self.end(self.file.read(int(rest.split()[0])))
            elif self.fault(verb, rest):
                if verb == "RSET":
                    self.rcpts = []
            else:
                getattr(self, "do_" + verb.lower(), self.do_other)(rest)
            if verb == "QUIT":
                self.bye()

    def do_other(self, _):
        self.say("250 2.0.0 ok")

    def do_ehlo(self, _):
        offer = ["STARTTLS"] if self.relay.context and not self.secure else []
        lines = ["relay"] + self.relay.offer + offer
        self.say(*["250-" + line for line in lines[:-1]], "250 " + lines[-1])

    def do_starttls(self, _):
        self.say("220 2.0.0 go ahead")
        self.peer = self.relay.context.wrap_socket(self.peer, server_side=True)
        self.file = self.peer.makefile("rb")
        self.secure = True

    def do_auth(self, _):
        self.say("235 2.7.0 welcome")

    def do_mail(self, _):
        self.rcpts = []
        self.do_other(_)

    def do_rcpt(self, rest):
        self.rcpts.append(re.sub(r"^TO:<(.*?)>.*", r"\1", rest))
        self.do_other(rest)

    def do_data(self, _):
        if not self.rcpts:
            self.say("503 5.5.1 nobody to send to")
            return
        self.say("354 go on")
        content = b""
        for line in iter(self.file.readline, b".\r\n"):
            if not line:
                return
            content += line
        self.end(content)

    def do_quit(self, _):
        self.say("221 2.0.0 bye")

    def end(self, content):
        self.relay.waiting.set()
        self.relay.gate.wait(60)
        rcpts, self.rcpts = self.rcpts, []
        if self.fault("END", content):
            return
        if not rcpts:
            self.say("503 5.5.1 nobody to send to")
            return
        self.relay.mails.append((rcpts, content))
        self.say("250 2.0.0 taken")
        self.fault("IDLE")


def main():
    parser = argparse.ArgumentParser(description="A fake SMTP relay that plays dialogues.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--cert")
    parser.add_argument("--key")
    parser.add_argument("--reset", action="store_true", help="EOF resets the connection")
    parser.add_argument("--any-content", action="store_true", help="a run of D: lines stands for any content")
    parser.add_argument("--save", type=argparse.FileType("wb"), help="the contents, as they came")
    parser.add_argument("--records", type=argparse.FileType("wb"), help="TLS records of each turn of the client")
    parser.add_argument("--last-words", default="", help="a line said before EOF PART")
    parser.add_argument("files", nargs="+", metavar="FILE")
    args = parser.parse_args()
    last_words = args.last_words.encode() + b"\r\n" if args.last_words else b""
    relay = Relay(args.files, args.cert, args.key, args.host, args.port, any_content=args.any_content, save=args.save,
                  records=args.records, reset=args.reset, last_words=last_words)
    print(f"port {relay.port}", flush=True)
    relay.play_all()
    for complaint in relay.complaints:
        print(complaint, file=sys.stderr)
    return 1 if relay.complaints else 0


if __name__ == "__main__":
    sys.exit(main())
