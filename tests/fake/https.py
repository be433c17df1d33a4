#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""An HTTPS server that answers as its path says: the other side of the tests of io/http_client.

https.py DIR makes DIR/ca.crt, one certificate for localhost and one for another name, and prints one line: the port
that shows the first, the port that shows the second, and that of an HTTP proxy whose way leads to the first, whatever
it is asked for. It ends when its standard input is closed.
"""

import email.utils
import http.server
import json
import select
import socket
import ssl
import subprocess
import sys
import threading
import time


def openssl(*args):
    subprocess.run(("openssl",) + args, check=True, capture_output=True)


def make_certificates(folder, names=("localhost", "elsewhere.example")):
    """One authority, and servers of these names."""
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
            "-subj", "/CN=Test CA", "-addext", "keyUsage=critical,keyCertSign",
            "-keyout", f"{folder}/ca.key", "-out", f"{folder}/ca.crt")
    for name in names:
        openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}",
                "-keyout", f"{folder}/{name}.key", "-out", f"{folder}/{name}.csr")
        with open(f"{folder}/{name}.ext", "w", encoding="ascii") as ext:
            ext.write(f"subjectAltName=DNS:{name}\n")
        openssl("x509", "-req", "-in", f"{folder}/{name}.csr", "-CA", f"{folder}/ca.crt", "-CAkey", f"{folder}/ca.key",
                "-CAcreateserial", "-days", "2", "-extfile", f"{folder}/{name}.ext", "-out", f"{folder}/{name}.crt")


class Handler(http.server.BaseHTTPRequestHandler):
    """Paths: /echo /status/N /later/WISH /date/SECONDS /redirect /big/N /drop /silent."""

    protocol_version = "HTTP/1.1"

    def answer(self, status, body=b"", headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        _, word, *rest = self.path.split("/")
        if word == "echo":
            seen = {"body": body.decode(), "headers": {k.lower(): v for k, v in self.headers.items()}}
            self.answer(200, json.dumps(seen).encode(), [("Content-Type", "application/json")])
        elif word == "challenge":
            self.answer(401, b"", [("WWW-Authenticate", "Basic realm=/a/b.key")])
        elif word == "status":
            self.answer(int(rest[0]))
        elif word == "later":
            self.answer(503, b"later", [("Retry-After", rest[0])])
        elif word == "date":
            when = email.utils.formatdate(time.time() + int(rest[0]), usegmt=True)
            self.answer(429, b"later", [("Retry-After", when)])
        elif word == "redirect":
            self.answer(302, b"", [("Location", "/echo")])
        elif word == "big":
            self.send_response(200)
            self.send_header("Connection", "close")
            self.end_headers()
            self.close_connection = True
            try:
                self.wfile.write(b"x" * int(rest[0]))
            except OSError:
                pass  # the client has had enough
        elif word == "drop":
            self.close_connection = True
        else:
            threading.Event().wait()

    def log_message(self, format, *args):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, folder, name):
        super().__init__(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(f"{folder}/{name}.crt", f"{folder}/{name}.key")
        self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, request, client_address):
        pass  # clients that do not trust us leave in the middle


class Proxy(http.server.BaseHTTPRequestHandler):
    """CONNECT only."""

    protocol_version = "HTTP/1.1"
    target = None  # port

    def do_CONNECT(self):
        if self.path.startswith(("forbidden.", "closed.")):
            self.send_error(407 if self.path.startswith("forbidden.") else 403)
            return
        with socket.create_connection(("127.0.0.1", self.target)) as there:
            self.send_response(200)
            self.end_headers()
            self.close_connection = True
            ways = {self.connection: there, there: self.connection}
            while True:
                for side in select.select(list(ways), [], [])[0]:
                    octets = side.recv(65536)
                    if not octets:
                        return
                    ways[side].sendall(octets)

    def log_message(self, format, *args):
        pass


def main():
    folder = sys.argv[1]
    make_certificates(folder)
    servers = [Server(folder, name) for name in ("localhost", "elsewhere.example")]
    Proxy.target = servers[0].server_address[1]
    proxy = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    proxy.daemon_threads = True
    threading.Thread(target=proxy.serve_forever, daemon=True).start()
    print(*(server.server_address[1] for server in servers + [proxy]), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
