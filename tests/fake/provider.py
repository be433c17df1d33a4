#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A stand-in for Microsoft 365 on this machine: an Entra ID token endpoint and Exchange Online's SMTP submission.

It speaks as the real ones do: client credentials over HTTPS with AADSTS numbers in its errors; SMTP with STARTTLS and
XOAUTH2, the reply texts of Exchange Online, short-lived tokens. It delivers nothing: every mail becomes a file.

What it writes below --dir:
  ca.crt         the authority to trust: ca_file and token_ca_file of the account
  secret         the application's client secrets, one a line; read anew for each token request
  expired        client secrets that have expired, if it is there
  clients/*.crt  certificates of the application, made by whoever tests: they prove it instead of a secret
  federated      an assertion of another issuer that is believed, if it is there
  services/*.crt certificates of a service account of Google's kind: token requests to /google/token
  ready.json     where everything is; there while it runs
  mail/NNNN.eml  each mail as it came, and NNNN.json with its envelope
  journal.jsonl  a line for each token request, session, log-in, refused recipient and mail

--habits tells in what another provider differs, with commas between: plain-400 (a refused client gets 400, not 401),
text-life (expires_in is a string), no-life (it is missing), slow-down (the first request is put off by the error
slow_down), internal-failure (the first one fails with the error internal_failure), terse (errors have no words and no
numbers), no-life-renewed (expires_in is missing after a refresh only), no-rotation (the refresh token stays), strict-scope
(a refresh that asks for more than was granted is refused), slow-polls (the first poll of a device, and each one that comes
too soon, gets slow_down), end-sessions (a mail on a session that outlived its token is refused, as by High Volume
Email). "other" is a provider with all of these that fit together: see OTHER.

Recipients: reject@... is refused (550 5.1.10), tempfail@... is put off once (450 4.2.1), all others are taken.
"""

import argparse
import base64
import binascii
import email.header
import email.utils
import glob
import hashlib
import hmac
import http.server
import json
import os
import re
import secrets
import signal
import socket
import socketserver
import ssl
import subprocess
import sys
import threading
import time
import urllib.parse
import uuid

import assertion

TENANT = "1f3c0000-0000-0000-0000-000000000000"
CLIENT_ID = "9ab20000-0000-0000-0000-000000000000"
OBJECT_ID = "77de0000-0000-0000-0000-000000000000"    # of the enterprise application
MAILBOX = "alerts@contoso.example"
SCOPES = ("https://outlook.office365.com/.default", "https://outlook.office.com/.default")
OTHER = {"plain-400", "text-life", "no-life-renewed", "no-rotation", "strict-scope", "slow-polls", "terse"}
HOST = "localhost"
SERVER_NAME = "STANDIN1.outlook.localhost"
SIZE_LIMIT = 157286400
LINE_LIMIT = 65536
IDLE_SECONDS = 300
KEPT_TOKENS = 10000  # expired ones are remembered so that the journal can tell them from inventions


def issued(text, kind="token"):
    """Tests look through every output for it: tests/integration/leaks.py."""
    if "ND_ISSUED" in os.environ:
        with open(os.environ["ND_ISSUED"], "a", encoding="utf-8") as file:
            file.write(f"{kind} {text}\n")
    return text


def utc_now():
    """RFC 3339 with milliseconds."""
    now = time.time()
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now % 1 * 1000):03d}Z"


class Journal:
    """One line of JSON for each event, and with --verbose one for people."""

    def __init__(self, path, verbose):
        self.file = open(path, "a", encoding="utf-8")
        self.lock = threading.Lock()
        self.verbose = verbose

    def write(self, event, words, **facts):
        line = json.dumps({"time": utc_now(), "event": event, **facts}, ensure_ascii=False)
        with self.lock:
            self.file.write(line + "\n")
            self.file.flush()
            if self.verbose and words:
                print(words, flush=True)


class Certificates:
    """An authority of our own and a certificate for localhost; made once, kept in the folder."""

    def __init__(self, folder):
        self.folder = folder
        self.ca = os.path.join(folder, "ca.crt")
        self.certificate = os.path.join(folder, "server.crt")
        self.key = os.path.join(folder, "server.key")
        if not os.path.exists(self.certificate):
            self.make()

    def openssl(self, *args):
        done = subprocess.run(("openssl",) + args, cwd=self.folder, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"openssl {args[0]} failed: {done.stderr.strip()}")

    def make(self):
        key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
        self.openssl("req", "-x509", *key, "-days", "3650", "-subj", "/CN=notifyd stand-in CA",
                     "-addext", "keyUsage=critical,keyCertSign", "-keyout", "ca.key", "-out", "ca.crt")
        self.openssl("req", "-new", *key, "-subj", f"/CN={HOST}", "-keyout", "server.key", "-out", "server.csr")
        extensions = os.path.join(self.folder, "server.ext")
        with open(extensions, "w", encoding="ascii") as file:
            file.write(f"subjectAltName=DNS:{HOST},IP:127.0.0.1,IP:::1\nextendedKeyUsage=serverAuth\n")
        self.openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial",
                     "-days", "3650", "-extfile", "server.ext", "-out", "server.crt")

    def context(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(self.certificate, self.key)
        return context


class Tokens:
    """The access tokens that were issued, and until when they are good."""

    def __init__(self, life, form, pad):
        self.life, self.form, self.pad = life, form, pad
        self.roles = ["SMTP.SendAsApp"]
        self.expiry = {}
        self.lock = threading.Lock()

    def issue(self):
        token = self.opaque() if self.form == "opaque" else self.jwt()
        with self.lock:
            self.expiry[token] = time.monotonic() + self.life
            if len(self.expiry) > KEPT_TOKENS:
                del self.expiry[next(iter(self.expiry))]
        return issued(token)

    def opaque(self):
        return secrets.token_urlsafe(48) + "x" * self.pad

    def jwt(self):
        now = int(time.time())
        header = {"typ": "JWT", "alg": "RS256", "kid": "stand-in"}
        claims = {"aud": "https://outlook.office365.com", "iss": f"https://sts.windows.net/{TENANT}/", "iat": now,
                  "nbf": now, "exp": now + self.life, "app_displayname": "notifyd", "appid": CLIENT_ID, "idtyp": "app", "oid": OBJECT_ID,
                  "roles": self.roles, "tid": TENANT, "uti": secrets.token_urlsafe(16), "ver": "1.0"}
        if self.pad:
            claims["xms_pad"] = "x" * self.pad
        parts = [json.dumps(part).encode() for part in (header, claims)] + [secrets.token_bytes(256)]
        return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)

    def judge(self, token):
        """'good', 'expired' or 'unknown'."""
        with self.lock:
            until = self.expiry.get(token)
        if until is None:
            return "unknown"
        return "good" if time.monotonic() < until else "expired"


class MailRoom:
    """The folder with the mails that came."""

    def __init__(self, folder):
        self.folder = folder
        os.makedirs(folder, exist_ok=True)
        numbers = [int(os.path.basename(path)[:-4]) for path in glob.glob(os.path.join(folder, "[0-9]*.eml"))]
        self.last = max(numbers, default=0)
        self.lock = threading.Lock()

    def keep(self, octets, envelope):
        """Writes both files; the envelope last and whole, so that whoever sees it finds the mail too."""
        with self.lock:
            self.last += 1
            number = self.last
        name = os.path.join(self.folder, f"{number:04d}")
        with open(name + ".eml", "wb") as file:
            file.write(octets)
        with open(name + ".tmp", "wb") as file:
            file.write(json.dumps({"n": number, **envelope}, ensure_ascii=False).encode() + b"\n")
        os.replace(name + ".tmp", name + ".json")
        return number


class Provider:
    """What the two servers share."""

    def __init__(self, options):
        self.folder = os.path.abspath(options.dir)
        os.makedirs(self.folder, mode=0o700, exist_ok=True)
        self.journal = Journal(os.path.join(self.folder, "journal.jsonl"), options.verbose)
        self.certificates = Certificates(self.folder)
        self.tokens = Tokens(options.ttl, options.format, options.pad)
        self.mail_room = MailRoom(os.path.join(self.folder, "mail"))
        self.sessions_allowed = options.sessions
        self.lock = threading.Lock()
        self.session_count = 0
        self.signed_in = 0
        self.put_off = set()
        self.habits = set(filter(None, options.habits.split(",")))
        if "other" in self.habits:
            self.habits |= OTHER
        self.grants = Grants(self.folder, self.habits)
        self.clients = assertion.Judge(os.path.join(self.folder, "clients"))
        self.services = assertion.Judge(os.path.join(self.folder, "services"))
        self.token_url = None  # known when it listens
        self.requests = 0
        self.faults = {}
        self.secret_path = os.path.join(self.folder, "secret")
        if not os.path.exists(self.secret_path):
            # the shape of Entra's secrets: 40 characters, a tilde among them
            secret = secrets.token_urlsafe(24)[:3] + "8Q~" + secrets.token_urlsafe(48)[:34]
            with open(os.open(self.secret_path, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="ascii") as file:
                file.write(issued(secret, "secret") + "\n")

    def lines(self, name):
        """Of a file that may not be there."""
        try:
            with open(os.path.join(self.folder, name), encoding="utf-8") as file:
                return file.read().split()
        except FileNotFoundError:
            return []

    def next_request(self):
        with self.lock:
            self.requests += 1
            return self.requests

    def fault(self, stage, *what):
        """What a test wants at this stage instead of the usual: its text for SMTP, (status, headers, body) for "token"."""
        wanted = self.faults.get(stage)
        return wanted(*what) if callable(wanted) else wanted

    def next_session(self):
        with self.lock:
            self.session_count += 1
            return self.session_count

    def count_signed_in(self, change):
        with self.lock:
            self.signed_in += change
            return self.signed_in

    def put_off_once(self, address):
        with self.lock:
            first = address not in self.put_off
            self.put_off.add(address)
            return first


# --- the token endpoint ---

class Refusal(Exception):
    """An error of Entra ID: its number, the OAuth error, the HTTP status and the words."""

    def __init__(self, number, error, status, text):
        super().__init__(text)
        self.number, self.error, self.status, self.text = number, error, status, text

    def body(self):
        trace, correlation = str(uuid.uuid4()), str(uuid.uuid4())
        stamp = time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime())
        words = (f"AADSTS{self.number}: {self.text} Trace ID: {trace} Correlation ID: {correlation} "
                 f"Timestamp: {stamp}")
        return {"error": self.error, "error_description": words, "error_codes": [self.number], "timestamp": stamp,
                "trace_id": trace, "correlation_id": correlation,
                "error_uri": f"https://login.microsoftonline.com/error?code={self.number}"}


class Grants:
    """Sign-ins: codes, device codes, refresh tokens. How it behaves is in DIR/behaviour.json, read anew for each request:

    rotate            each refresh gives a new refresh token (default true, without the habit no-rotation)
    reuse             a spent refresh token kills the grant ("detect", default) or is taken ("allow")
    refresh_token     false: none is given at a sign-in
    scope             what is granted instead of what was asked
    confidential      the application must prove itself by its secret for sign-ins, refreshes and revocations too
    hold              a file: while it is there, token requests of people are not answered, for a minute at most
    refuse            an OAuth error for every refresh
    echo              its text repeats what the request held: the refresh token and the client secret
    kill              a process to kill when the next refresh is answered: the answer is lost
    refuse_code       an OAuth error for every code; its text repeats the code and the client secret
    device_page       the address at which the code is entered
    device_life       how many seconds a device code is good (default 900)
    device            "pending" (default), "slow_down", "authorization_declined", "expired_token", "done"
    user              who signs in (default the mailbox)
    """

    def __init__(self, folder, habits):
        self.path = os.path.join(folder, "behaviour.json")
        self.habits = habits
        self.lock = threading.Lock()
        self.scopes = {}  # what was granted, of each family
        self.codes, self.devices, self.live, self.spent, self.family, self.dead = {}, {}, {}, {}, {}, set()

    def behaviour(self):
        usual = {"rotate": "no-rotation" not in self.habits}
        try:
            with open(self.path, encoding="utf-8") as file:
                return {**usual, **json.load(file)}
        except FileNotFoundError:
            return usual

    def new_code(self, query):
        code = issued("0.A" + secrets.token_urlsafe(40) + "!*$")
        self.codes[code] = query
        return code

    def refresh_token(self, family):
        token = issued("1.R" + secrets.token_urlsafe(60))
        self.family[token] = family
        self.live[family] = token
        return token

    def take(self, token, scope, behaviour):
        """The refresh token that is to be used from now on; raises the refusal."""
        family = self.family.get(token)
        if family is None or family in self.dead:
            raise Refusal(70000, "invalid_grant", 400, "The provided grant has expired due to it being revoked.")
        if self.live[family] != token and behaviour.get("reuse", "detect") == "detect":
            self.dead.add(family)
            raise Refusal(70000, "invalid_grant", 400, "The refresh token was used before: the grant is ended.")
        if "strict-scope" in self.habits and not set(scope.split()) <= set(self.scopes[family].split()):
            raise Refusal(70000, "invalid_scope", 400, "More was asked for than was granted.")
        return self.refresh_token(family) if behaviour["rotate"] else token

    def is_held(self):
        return os.path.exists(self.behaviour().get("hold", ""))

    def hold_back(self):
        end = time.monotonic() + 60
        while self.is_held() and time.monotonic() < end:
            threading.Event().wait(0.05)

    def poll(self, code):
        """Whether a device asks at the pace it was told; each slow_down makes that five seconds slower (RFC 8628 3.5)."""
        device = self.devices[code]
        now = time.monotonic()
        slow = "slow-polls" in self.habits and (device["polled"] is None or now - device["polled"] < device["pace"])
        device.update(polled=now, pace=device["pace"] + (5 if slow else 0))
        return not slow


class Google(Exception):
    """An error without a number: the OAuth error, the HTTP status and the words."""

    def __init__(self, error, status, text):
        super().__init__(text)
        self.error, self.status = error, status


class TokenHandler(http.server.BaseHTTPRequestHandler):
    """POST /TENANT/oauth2/v2.0/token, devicecode, revoke; GET /TENANT/oauth2/v2.0/authorize, which always consents."""

    protocol_version = "HTTP/1.1"
    timeout = 60
    provider = None  # set by the server

    def do_GET(self):
        parts = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(parts.query))
        if not parts.path.endswith("/authorize") or query.get("client_id") != CLIENT_ID:
            self.answer(404, {"error": "invalid_request"})
            return
        grants = self.provider.grants
        error = grants.behaviour().get("authorize")
        self.provider.journal.write("authorize", None, **query)
        back = {"state": query.get("state", ""), "iss": f"https://{self.headers['Host']}/{TENANT}/v2.0"}
        if error:
            back.update(error=error, error_description="AADSTS65004: User declined to consent to access the app.")
        else:
            back["code"] = grants.new_code(query)
        self.send_response(302)
        join = "&" if "?" in query["redirect_uri"] else "?"
        self.send_header("Location", query["redirect_uri"] + join + urllib.parse.urlencode(back))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def sign_in(self, form, facts):
        """The reply to what a person's sign-in brings, or None."""
        grants, kind = self.provider.grants, form.get("grant_type")
        last = urllib.parse.urlsplit(self.path).path.rpartition("/")[2]
        personal = last in ("devicecode", "revoke") or kind in (
            "authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code")
        if personal and last != "devicecode" and grants.is_held():
            self.provider.journal.write("held", None, grant_type=kind)
            grants.hold_back()
        behaviour = grants.behaviour()
        with grants.lock:
            if personal and behaviour.get("confidential"):
                self.check_secret(form)
            if last == "devicecode":
                code = issued(secrets.token_urlsafe(60))
                grants.devices[code] = {"scope": form.get("scope", ""), "polled": None, "pace": 1}
                return {"device_code": code, "user_code": "ABCD-1234", "expires_in": behaviour.get("device_life", 900), "interval": 1,
                        "verification_uri": behaviour.get("device_page", "https://microsoft.example/devicelogin")}
            if last == "revoke":
                grants.dead.add(grants.family.get(form.get("token")))
                return {}
            if kind == "authorization_code" and behaviour.get("refuse_code"):
                echo = " ".join(form.get(key, "") for key in ("code", "client_secret"))
                raise Refusal(70000, behaviour["refuse_code"], 400, "The code is not taken. " + echo)
            if kind == "authorization_code":
                return self.granted(behaviour, self.redeem(form), None)
            if kind == "urn:ietf:params:oauth:grant-type:device_code":
                step = behaviour.get("device", "pending") if grants.poll(form["device_code"]) else "slow_down"
                if step != "done":
                    error = {"pending": "authorization_pending"}.get(step, step)
                    raise Refusal(70016, error, 400, "OAuth 2.0 device flow error.")
                return self.granted(behaviour, grants.devices[form["device_code"]]["scope"], None)
            if kind == "refresh_token":
                facts["used"] = form.get("refresh_token")
                if behaviour.get("refuse"):
                    echo = " ".join(form.get(key, "") for key in ("refresh_token", "client_secret")) if behaviour.get("echo") else ""
                    raise Refusal(700082, behaviour["refuse"], 400, "The refresh token has expired due to inactivity. " + echo)
                token = grants.take(form.get("refresh_token"), form.get("scope", ""), behaviour)
                if behaviour.get("kill"):
                    facts["killed"] = behaviour["kill"]
                    os.kill(behaviour["kill"], signal.SIGKILL)
                reply = self.granted(behaviour, form.get("scope", ""), token)
                if not behaviour["rotate"]:
                    del reply["refresh_token"]
                return reply
        return None

    def redeem(self, form):
        query = self.provider.grants.codes.pop(form.get("code"), None)
        if query is None:
            raise Refusal(54005, "invalid_grant", 400, "OAuth2 Authorization code was already redeemed.")
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != query.get("code_challenge"):
            raise Refusal(501481, "invalid_grant", 400, "The Code_Verifier does not match the code_challenge.")
        if form.get("redirect_uri") != query["redirect_uri"]:
            raise Refusal(50011, "invalid_request", 400, "The redirect URI does not match.")
        return query["scope"]

    def granted(self, behaviour, scope, token):
        tokens, grants = self.provider.tokens, self.provider.grants
        reply = {"token_type": "Bearer", "expires_in": tokens.life, "access_token": tokens.issue(),
                 "scope": behaviour.get("scope", scope)}
        self.tell_life(reply, token is not None)
        if token is None and behaviour.get("refresh_token", True):
            family = secrets.token_hex(8)
            token = grants.refresh_token(family)
            grants.scopes[family] = reply["scope"]
        if token is not None:
            reply["refresh_token"] = token
        claims = {"preferred_username": behaviour.get("user", MAILBOX), "aud": CLIENT_ID}
        parts = [json.dumps(part).encode() for part in ({"alg": "RS256"}, claims)] + [b"signature"]
        if "openid" in scope:
            reply["id_token"] = ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)
        return reply

    def tell_life(self, reply, renewed):
        habits = self.provider.habits
        if "no-life" in habits or (renewed and "no-life-renewed" in habits):
            for name in ("expires_in", "ext_expires_in"):
                reply.pop(name, None)
        elif "text-life" in habits:
            reply["expires_in"] = str(reply["expires_in"])

    def do_POST(self):
        length = self.headers.get("Content-Length", "")
        if not length.isdigit() or int(length) > 65536:
            self.close_connection = True
            self.answer(400, {"error": "invalid_request", "error_description": "no usable Content-Length"})
            return
        body = self.rfile.read(int(length)).decode("utf-8", "replace")
        form = dict(urllib.parse.parse_qsl(body, keep_blank_values=True))
        facts = {"method": "post", "n": self.provider.next_request()}
        wanted = self.provider.fault("token", self.path)
        if wanted:
            self.misbehave(*wanted)
            return
        try:
            self.take_basic(form, facts)
            if facts["n"] == 1:
                self.put_off()
            facts.update(client_id=form.get("client_id"), scope=form.get("scope"), grant_type=form.get("grant_type"))
            reply = self.sign_in(form, facts)
            if reply is None:
                self.check(form, facts)
        except Google as refusal:
            self.provider.journal.write("token", f"token refused: {refusal}", ok=False, status=refusal.status,
                                        error=refusal.error, **facts)
            self.answer(refusal.status, {"error": refusal.error, "error_description": str(refusal)})
            return
        except Refusal as refusal:
            if "plain-400" in self.provider.habits:
                refusal.status = 400
            self.provider.journal.write("token", f"token refused: AADSTS{refusal.number} {refusal.text}", ok=False,
                                        status=refusal.status, error=refusal.error, number=refusal.number, **facts)
            self.answer(refusal.status, {"error": refusal.error} if "terse" in self.provider.habits else refusal.body())
            return
        if reply is not None:
            self.provider.journal.write("token", None, ok=True, status=200, path=self.path, **facts)
            self.answer(200, reply)
            return
        tokens = self.provider.tokens
        token = tokens.issue()
        self.provider.journal.write("token", f"token issued, lives {tokens.life} s", ok=True, status=200,
                                    life=tokens.life, size=len(token), **facts)
        reply = {"token_type": "Bearer", "expires_in": tokens.life, "ext_expires_in": tokens.life,
                 "access_token": token}
        self.tell_life(reply, False)
        self.answer(200, reply)

    def put_off(self):
        if "slow-down" in self.provider.habits:
            raise Google("slow_down", 400, "You are polling too quickly")
        if "internal-failure" in self.provider.habits:
            raise Google("internal_failure", 500, "Backend Error")

    def misbehave(self, status, headers, body):
        """Status 0: not a word."""
        self.provider.journal.write("token", f"token request answered by a wanted fault: {status}", ok=False,
                                    status=status, path=self.path)
        self.close_connection = True
        if status == 0:
            return
        (self.send_response_only if "Date" in headers else self.send_response)(status)
        for name, value in {"Content-Length": str(len(body)), "Connection": "close", **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        try:
            self.wfile.write(body)
        except OSError:
            pass  # the client has had enough

    def take_basic(self, form, facts):
        """RFC 6749 2.3.1: id and secret may come in the Authorization header, both form-encoded."""
        kind, _, value = self.headers.get("Authorization", "").partition(" ")
        if kind.lower() != "basic":
            return
        facts["method"] = "basic"
        try:
            client_id, _, secret = base64.b64decode(value, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            raise Refusal(900144, "invalid_request", 400, "The Authorization header cannot be read.") from None
        form["client_id"] = urllib.parse.unquote_plus(client_id)
        form["client_secret"] = urllib.parse.unquote_plus(secret)

    def check_google(self, form, facts):
        """A service account asks for a token of a mailbox (RFC 7523 2.1)."""
        if form.get("grant_type") != "urn:ietf:params:oauth:grant-type:jwt-bearer":
            raise Google("unsupported_grant_type", 400, "Invalid grant_type: " + str(form.get("grant_type")))
        audience = self.provider.token_url.rsplit("/", 4)[0] + "/google/token"
        try:
            header, claims = self.provider.services.claims(form.get("assertion", ""), ("RS256",), audience, False)
        except assertion.Bad as bad:
            raise Google("invalid_grant", 400, f"Invalid JWT: {bad}") from None
        facts.update(header=header, claims=claims)
        if claims.get("scope") != "https://mail.google.com/" or not claims.get("iss") or not claims.get("sub"):
            raise Google("invalid_scope", 400, "Empty or missing scope not allowed.")

    def check_assertion(self, form, facts):
        """The application proves itself with a certificate, or with a token of another issuer."""
        given, kind = form["client_assertion"], "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
        if form.get("client_assertion_type") != kind:
            raise Refusal(900144, "invalid_request", 400, "The request body must contain the following parameter: "
                          "'client_assertion_type'.")
        if given in self.provider.lines("federated"):
            facts["proof"] = "federated"
            return
        try:
            header, claims = self.provider.clients.claims(given, ("PS256", "RS256"), self.provider.token_url, True)
        except assertion.Bad as bad:
            number = {"thumbprint": 700027, "time": 700024}.get(bad.what, 50013)
            raise Refusal(number, "invalid_client", 401, f"Client assertion failed: {bad}.") from None
        facts.update(proof="certificate", header=header, claims=claims)
        if not claims.get("jti") or claims.get("iss") != CLIENT_ID or claims.get("sub") != CLIENT_ID or \
           claims["exp"] - claims["nbf"] > 600:
            raise Refusal(50013, "invalid_client", 401, "Client assertion has claims that are not allowed.")

    def check(self, form, facts):
        """Raises the refusal that Entra ID would give."""
        parts = urllib.parse.urlsplit(self.path).path.split("/")
        if parts[1:] == ["google", "token"]:
            self.check_google(form, facts)
            return
        if parts[2:] != ["oauth2", "v2.0", "token"]:
            raise Refusal(900561, "invalid_request", 404, f"There is no endpoint at {self.path[:100]}.")
        tenant = urllib.parse.unquote(parts[1])
        if tenant in ("common", "organizations", "consumers"):
            raise Refusal(9001023, "invalid_request", 400, "The grant type is not supported over the /common or "
                          "/consumers endpoints. Please use the /organizations or tenant-specific endpoint.")
        if tenant.lower() not in (TENANT, MAILBOX.partition("@")[2]):
            raise Refusal(90002, "invalid_request", 400, f"Tenant '{tenant[:80]}' not found. Check to make sure you "
                          "have the correct tenant ID and are signing into the correct cloud. Check with your "
                          "subscription administrator, this may happen if there are no active subscriptions for "
                          "the tenant.")
        for name in ("grant_type", "client_id", "scope"):
            if not form.get(name):
                raise Refusal(900144, "invalid_request", 400,
                              f"The request body must contain the following parameter: '{name}'.")
        client_id, scope = form["client_id"], form["scope"]
        if form["grant_type"] != "client_credentials":
            raise Refusal(70003, "unsupported_grant_type", 400,
                          f"The app requested an unsupported grant type '{form['grant_type'][:60]}'.")
        if client_id.lower() != CLIENT_ID:
            raise Refusal(700016, "unauthorized_client", 400, f"Application with identifier '{client_id[:80]}' was not "
                          "found in the directory 'Contoso'. This can happen if the application has not been "
                          "installed by the administrator of the tenant or consented to by any user in the tenant. "
                          "You may have sent your authentication request to the wrong tenant.")
        if scope not in SCOPES:
            raise Refusal(70011, "invalid_scope", 400, "The provided request must include a 'scope' input parameter. "
                          f"The provided value for the input parameter 'scope' is not valid. The scope {scope[:100]} "
                          "is not valid.")
        if form.get("client_assertion"):
            self.check_assertion(form, facts)
            return
        self.check_secret(form)

    def check_secret(self, form):
        if not form.get("client_secret"):
            raise Refusal(7000218, "invalid_client", 401, "The request body must contain the following parameter: "
                          "'client_assertion' or 'client_secret'.")
        if form["client_secret"] in self.provider.lines("expired"):
            raise Refusal(7000222, "invalid_client", 401, "The provided client secret keys for app "
                          f"'{CLIENT_ID}' are expired.")
        if not any(hmac.compare_digest(form["client_secret"].encode(), secret.encode())
                   for secret in self.provider.lines("secret")):
            raise Refusal(7000215, "invalid_client", 401, "Invalid client secret provided. Ensure the secret being "
                          "sent in the request is the client secret value, not the client secret ID, for a secret "
                          f"added to app '{CLIENT_ID}'.")

    def answer(self, status, reply):
        body = json.dumps(reply).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Cache-Control", "no-store, no-cache")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format, *args):
        pass  # the journal has it


# --- SMTP ---

class Gone(Exception):
    """The session is over."""


PATH = re.compile(rb"^(?:FROM|TO): ?<([^<>\r\n]*)>(?: (.*))?$", re.IGNORECASE)
MESSAGE_ID = re.compile(rb"^message-id:[ \t]*(?:\r\n[ \t]+)?(<[^>\r\n]+>)", re.IGNORECASE | re.MULTILINE)
SUBJECT = re.compile(rb"^subject:[ \t]*((?:.|\r\n[ \t])*)", re.IGNORECASE | re.MULTILINE)
SENDER = re.compile(rb"^from:[ \t]*((?:.|\r\n[ \t])*)", re.IGNORECASE | re.MULTILINE)
EXTENSIONS = ("PIPELINING", "DSN", "ENHANCEDSTATUSCODES", None, "8BITMIME", "BINARYMIME", "CHUNKING", "SMTPUTF8")


def header_text(head, pattern):
    """A header of the mail, unfolded and decoded for people."""
    found = pattern.search(head)
    if found is None:
        return ""
    text = re.sub(r"\r\n[ \t]+", " ", found.group(1).decode("utf-8", "replace")).strip()
    if "=?" not in text:
        return text
    try:
        return str(email.header.make_header(email.header.decode_header(text)))
    except (UnicodeDecodeError, LookupError, ValueError):
        return text


class Session(socketserver.BaseRequestHandler):
    """One SMTP session. Replies are gathered while commands are at hand, and leave before the next read waits."""

    provider = None  # set by the server
    context = None

    def setup(self):
        self.number = self.provider.next_session()
        self.octets = b""
        self.replies = []
        self.tls = None
        self.hello = False
        self.user = self.token = None
        self.mails = 0
        self.reset()
        self.request.settimeout(IDLE_SECONDS)
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def reset(self):
        self.sender = None
        self.sender_options = ""
        self.recipients = []
        self.chunks = []
        self.chunk_failed = False

    # octets

    def say(self, text):
        self.replies.append(text.encode() + b"\r\n")

    def flush(self):
        if self.replies:
            octets = b"".join(self.replies)
            self.replies.clear()
            self.request.sendall(octets)

    def more(self):
        self.flush()
        try:
            octets = self.request.recv(65536)
        except TimeoutError:
            self.say("451 4.7.0 Timeout waiting for client input")
            self.flush()
            raise Gone from None
        if not octets:
            raise Gone
        return octets

    def line(self):
        while True:
            end = self.octets.find(b"\n")
            if end >= 0:
                line, self.octets = self.octets[:end], self.octets[end + 1:]
                return line[:-1] if line.endswith(b"\r") else line
            if len(self.octets) > LINE_LIMIT:
                self.say("500 5.5.6 Line too long")
                self.flush()
                raise Gone
            self.octets += self.more()

    def exactly(self, count):
        parts, have = [self.octets], len(self.octets)
        while have < count:
            parts.append(self.more())
            have += len(parts[-1])
        octets = b"".join(parts)
        self.octets = octets[count:]
        return octets[:count]

    # the session

    def handle(self):
        journal = self.provider.journal
        journal.write("session", None, session=self.number, peer=self.client_address[0])
        try:
            date = email.utils.formatdate(usegmt=True).replace("GMT", "+0000")
            self.say(f"220 {SERVER_NAME} Microsoft ESMTP MAIL Service ready at {date} [{secrets.token_hex(8).upper()}]")
            while True:
                self.command(self.line())
        except (Gone, OSError):
            pass
        finally:
            if self.user is not None:
                self.provider.count_signed_in(-1)
            journal.write("session-end", None, session=self.number, mails=self.mails)

    def finish(self):
        try:
            self.request.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.request.close()

    def command(self, line):
        verb, _, rest = line.partition(b" ")
        method = self.COMMANDS.get(verb.upper())
        wanted = self.provider.fault(verb.upper().decode("ascii", "replace"), rest)
        if wanted:
            self.say(wanted)
            self.provider.journal.write("fault", None, session=self.number, verb=verb.decode("ascii", "replace"))
            if wanted.startswith("421"):
                self.flush()
                raise Gone
        elif method is None:
            self.say(f"500 5.3.3 Unrecognized command '{verb[:40].decode('ascii', 'replace')}' [{SERVER_NAME}]")
        else:
            method(self, rest.strip())

    def helo(self, rest):
        self.hello = True
        self.reset()
        self.say(f"250 {SERVER_NAME} Hello [{self.client_address[0]}]")

    def ehlo(self, rest):
        self.hello = True
        self.reset()
        offer = "AUTH LOGIN XOAUTH2" if self.tls else "STARTTLS"
        lines = [f"{SERVER_NAME} Hello [{self.client_address[0]}]", f"SIZE {SIZE_LIMIT}"]
        lines += [offer if word is None else word for word in EXTENSIONS]
        for text in lines[:-1]:
            self.say("250-" + text)
        self.say("250 " + lines[-1])

    def starttls(self, rest):
        if self.tls:
            self.say("503 5.5.2 TLS is in use already")
            return
        if self.octets:
            # commands in clear behind STARTTLS would be taken for protected ones
            self.provider.journal.write("injected", "session closed: octets in clear after STARTTLS",
                                        session=self.number)
            raise Gone
        self.say("220 2.0.0 SMTP server ready")
        self.flush()
        try:
            self.request = self.context.wrap_socket(self.request, server_side=True)
        except OSError as error:
            self.provider.journal.write("tls", f"session {self.number}: no TLS, does the client trust ca.crt? {error}",
                                        session=self.number, error=str(error))
            raise Gone from None
        self.tls = f"{self.request.version()} {self.request.cipher()[0]}"
        self.hello = False
        self.reset()

    def auth(self, rest):
        mechanism, _, initial = rest.partition(b" ")
        mechanism = mechanism.upper()
        if not self.tls or mechanism not in (b"XOAUTH2", b"LOGIN"):
            self.say("504 5.7.4 Unrecognized authentication type")
        elif self.user is not None:
            self.say("503 5.5.2 Already authenticated")
        elif mechanism == b"LOGIN":
            for prompt in (b"Username:", b"Password:"):
                self.say("334 " + base64.b64encode(prompt).decode())
                self.line()
            self.say(f"535 5.7.139 Authentication unsuccessful, basic authentication is disabled. [{SERVER_NAME}]")
        else:
            form = "initial" if initial else "challenge"
            if not initial:
                self.say("334 ")
                initial = self.line()
            self.sign_in(initial, form)

    def sign_in(self, text, form):
        user, verdict = self.judge(text)
        size = len(text)
        if verdict == "good":
            self.user = user
            self.token = base64.b64decode(text).decode().split("\x01")[1][12:]
            self.provider.count_signed_in(1)
            self.say("235 2.7.0 Authentication successful")
            words = f"session {self.number}: signed in as {user}"
        else:
            self.say(f"535 5.7.3 Authentication unsuccessful [{SERVER_NAME}]")
            words = f"session {self.number}: log-in refused, {verdict}"
        self.provider.journal.write("auth", words, session=self.number, ok=verdict == "good", verdict=verdict,
                                    user=user, form=form, size=size)

    def judge(self, text):
        """user=<mailbox>^Aauth=Bearer <token>^A^A => the user and what is thought of it."""
        try:
            payload = base64.b64decode(text, validate=True).decode("ascii")
        except (binascii.Error, UnicodeDecodeError):
            return None, "malformed"
        fields = payload.split("\x01")
        if (len(fields) != 4 or fields[2:] != ["", ""] or not fields[0].startswith("user=") or
                not fields[1].startswith("auth=Bearer ")):
            return None, "malformed"
        user, token = fields[0][5:], fields[1][12:]
        verdict = self.provider.tokens.judge(token)
        if verdict != "good":
            return user, f"{verdict} token"
        return user, "good" if user.lower() == MAILBOX else "wrong mailbox"

    def mail(self, rest):
        found = PATH.match(rest)
        if not self.hello:
            self.say("503 5.5.2 Send hello first")
        elif self.user is None:
            self.say(f"530 5.7.57 Client not authenticated to send mail. [{SERVER_NAME}]")
        elif "end-sessions" in self.provider.habits and self.provider.tokens.judge(self.token) != "good":
            self.say(f"535 5.7.143 Authentication unsuccessful, token expired [{SERVER_NAME}]")
            self.provider.journal.write("outlived", None, session=self.number)
        elif self.sender is not None:
            self.say("503 5.5.2 Sender already specified")
        elif found is None:
            self.say("501 5.5.4 Invalid arguments")
        else:
            options = (found.group(2) or b"").decode("ascii", "replace")
            size = re.search(r"\bSIZE=(\d{1,20})\b", options, re.IGNORECASE)
            if size and int(size.group(1)) > SIZE_LIMIT:
                self.say("552 5.3.4 Message size exceeds fixed maximum message size")
                return
            self.sender = found.group(1).decode("utf-8", "replace")
            self.sender_options = options
            self.say("250 2.1.0 Sender OK")

    def rcpt(self, rest):
        found = PATH.match(rest)
        if self.sender is None:
            self.say("503 5.5.2 Need mail command")
            return
        if found is None or not found.group(1):
            self.say("501 5.5.4 Invalid arguments")
            return
        address = found.group(1).decode("utf-8", "replace")
        local = address.partition("@")[0].lower()
        if local == "reject":
            self.refuse(address, f"550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient {address} not found by SMTP "
                                 "address lookup")
        elif local == "tempfail" and self.provider.put_off_once(address.lower()):
            self.refuse(address, "450 4.2.1 Mailbox is busy, try again later")
        elif len(self.recipients) >= 1000:
            self.say("452 4.5.3 Too many recipients")
        else:
            self.recipients.append(address)
            self.say("250 2.1.5 Recipient OK")

    def refuse(self, address, reply):
        self.say(reply)
        self.provider.journal.write("recipient", f"recipient {address} refused: {' '.join(reply.split()[:2])}", session=self.number, to=address,
                                    reply=reply)

    def data(self, rest):
        if self.chunks or not self.recipients:
            self.say("503 5.5.2 Need rcpt command" if not self.chunks else "503 5.5.2 DATA after BDAT")
            return
        self.say("354 Start mail input; end with <CRLF>.<CRLF>")
        # the virtual line end before it lets an empty mail end like any other
        parts, tail = [], b"\r\n"
        octets, self.octets = self.octets, b""
        while True:
            window = tail + octets
            end = window.find(b"\r\n.\r\n")
            if end >= 0:
                break
            parts.append(window[:-4])
            tail = window[-4:]
            octets = self.more()
        parts.append(window[:end + 2])
        self.octets = window[end + 5:]
        content = b"".join(parts).replace(b"\r\n.", b"\r\n")[2:]
        self.take(content, "DATA")

    def bdat(self, rest):
        found = re.fullmatch(rb"(\d{1,12})( LAST)?", rest, re.IGNORECASE)
        if found is None:
            self.say("501 5.5.4 Invalid arguments")
            raise Gone  # where the next command begins is not known
        octets = self.exactly(int(found.group(1)))
        if not self.recipients or self.chunk_failed:
            self.chunk_failed = True
            self.say("503 5.5.2 Need rcpt command")
            return
        self.chunks.append(octets)
        if sum(map(len, self.chunks)) > SIZE_LIMIT:
            self.chunk_failed = True
            self.say("552 5.3.4 Message size exceeds fixed maximum message size")
        elif found.group(2):
            self.take(b"".join(self.chunks), "BDAT")
        else:
            self.say(f"250 2.0.0 {len(octets)} octets received")

    def take(self, content, how):
        """The end of a mail: refused as Exchange Online refuses at this point, or kept."""
        head = content[:content.find(b"\r\n\r\n") + 2] if b"\r\n\r\n" in content else content
        subject = header_text(head, SUBJECT)
        refusal = self.provider.fault("END", content) or self.objection(content, head)
        facts = {"session": self.number, "user": self.user, "from": self.sender, "to": self.recipients}
        if refusal:
            self.say(f"{refusal} [Hostname={SERVER_NAME}]")
            self.provider.journal.write("mail", f"mail refused: {refusal[:70]}", ok=False, reply=refusal, **facts)
        else:
            found = MESSAGE_ID.search(head)
            message_id = found.group(1).decode("utf-8", "replace") if found else f"<{uuid.uuid4()}@{SERVER_NAME}>"
            facts.update(subject=subject, message_id=message_id, size=len(content))
            envelope = {"time": utc_now(), "how": how, "options": self.sender_options, "tls": self.tls, **facts}
            number = self.provider.mail_room.keep(content, envelope)
            self.provider.journal.write("mail", f"mail {number} for {', '.join(self.recipients)}: {subject}", ok=True,
                                        n=number, **facts)
            self.mails += 1
            self.say(f"250 2.0.0 OK {message_id} [Hostname={SERVER_NAME}]")
        self.reset()

    def objection(self, content, head):
        """The reply that refuses a mail, or None."""
        allowed = self.provider.sessions_allowed
        if allowed and self.provider.count_signed_in(0) > allowed:
            return ("432 4.3.2 Concurrent connections limit exceeded. Visit https://aka.ms/concurrent_sending for more "
                    "information.")
        if len(content) > SIZE_LIMIT:
            return "552 5.3.4 Message size exceeds fixed maximum message size"
        pairs = content.count(b"\r\n")
        if content.count(b"\n") != pairs or content.count(b"\r") != pairs:
            return "550 5.6.11 SMTPSEND.BareLinefeedsAreIllegal; message contains bare linefeeds"
        _, author = email.utils.parseaddr(header_text(head, SENDER))
        if not author:
            return "550 5.7.512 Access denied, message must be RFC 5322 section 3.6.2 compliant"
        for address in (self.sender, author):
            if address.lower() != self.user.lower():
                return (f"554 5.2.252 SendAsDenied; {self.user} not allowed to send as {address}; "
                        "STOREDRV.Submission.Exception:SendAsDeniedException.MapiExceptionSendAsDenied")
        return None

    def rset(self, rest):
        self.reset()
        self.say("250 2.0.0 Resetting")

    def noop(self, rest):
        self.say("250 2.0.0 OK")

    def quit(self, rest):
        self.say("221 2.0.0 Service closing transmission channel")
        self.flush()
        raise Gone

    COMMANDS = {b"HELO": helo, b"EHLO": ehlo, b"STARTTLS": starttls, b"AUTH": auth, b"MAIL": mail, b"RCPT": rcpt,
                b"DATA": data, b"BDAT": bdat, b"RSET": rset, b"NOOP": noop, b"QUIT": quit}


# --- both servers ---

class StandIn:
    """Both servers in this process, for tests: .facts as in ready.json, .provider.faults by stage (token AUTH MAIL RCPT END ...)."""

    def __init__(self, folder, ttl=3600, sessions=0):
        options = argparse.Namespace(dir=folder, ttl=ttl, format="jwt", pad=0, sessions=sessions, habits="", verbose=False)
        self.provider = Provider(options)

        class Tokens(TokenHandler):
            provider = self.provider

        class Mail(Session):
            provider = self.provider
            context = self.provider.certificates.context()
        self.handler = Tokens
        self.tokens = listen(Tokens, 0, self.provider.certificates.context())
        self.mail = listen(Mail, 0, None)
        self.port = self.tokens[0].server_address[1]
        self.facts = facts_of(self.provider, self.port, self.mail[0].server_address[1])
        self.provider.token_url = self.facts["token_url"]

    def journal(self, event):
        with open(os.path.join(self.provider.folder, "journal.jsonl"), encoding="utf-8") as file:
            return [entry for entry in map(json.loads, file) if entry["event"] == event]

    def tokens_down(self):
        """Nobody listens, and who is still connected gets no answer."""
        self.provider.faults["token"] = (0, {}, b"")
        stop_servers(self.tokens)
        self.tokens = []

    def tokens_up(self):
        self.provider.faults.pop("token", None)
        self.tokens = listen(self.handler, self.port, self.provider.certificates.context())

    def close(self):
        stop_servers(self.tokens + self.mail)


class Server(socketserver.ThreadingTCPServer):
    """A thread for each connection."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128
    context = None  # TLS from the first octet

    def get_request(self):
        connection, address = super().get_request()
        if self.context:
            connection.settimeout(60)
            # the handshake is done by the connection's own thread, at its first read
            connection = self.context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        return connection, address

    def handle_error(self, request, client_address):
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):  # those are clients that left, or do not trust us
            super().handle_error(request, client_address)


class Server6(Server):
    address_family = socket.AF_INET6


def listen(handler, port, context):
    """Listens on 127.0.0.1, and on ::1 where there is one; the same port on both. Returns the servers."""
    first = Server(("127.0.0.1", port), handler)
    servers = [first]
    try:
        servers.append(Server6(("::1", first.server_address[1]), handler))
    except OSError:
        pass
    for server in servers:
        server.context = context
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.2}, daemon=True).start()
    return servers


def stop_servers(servers):
    for server in servers:
        server.shutdown()
        server.server_close()


def token_url_of(port_token):
    return f"https://{HOST}:{port_token}/{TENANT}/oauth2/v2.0/token"


def facts_of(provider, port_token, port_smtp):
    base = token_url_of(port_token)[:-len("token")]
    return {"token_url": base + "token", "authorize_url": base + "authorize", "device_url": base + "devicecode",
            "revoke_url": base + "revoke", "smtp_host": HOST, "smtp_port": port_smtp,
            "ca": provider.certificates.ca, "tenant": TENANT, "client_id": CLIENT_ID,
            "user": MAILBOX, "secret": provider.secret_path}


def port_number(text):
    number = int(text)
    if not 0 <= number <= 65535:
        raise argparse.ArgumentTypeError("a port is a number from 0 to 65535")
    return number


def positive(text):
    number = int(text)
    if number <= 0:
        raise argparse.ArgumentTypeError("must be above 0")
    return number


def read_options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dir", required=True, metavar="DIR", help="where its files are; made when missing")
    parser.add_argument("--ttl", type=positive, default=30, metavar="SECONDS", help="life of a token (default 30)")
    parser.add_argument("--port-token", type=port_number, default=0, metavar="PORT",
                        help="port of the token endpoint (default: any free one)")
    parser.add_argument("--port-smtp", type=port_number, default=0, metavar="PORT",
                        help="port of the mail server (default: any free one)")
    parser.add_argument("--format", choices=("jwt", "opaque"), default="jwt", help="form of the tokens (default jwt)")
    parser.add_argument("--pad", type=int, default=0, metavar="N", help="make the tokens longer by at least N octets")
    parser.add_argument("--sessions", type=int, default=0, metavar="N",
                        help="answer 432 4.3.2 to mails while more than N sessions are signed in "
                             "(Exchange Online: 3; default 0: no limit)")
    parser.add_argument("--habits", default="", metavar="HABIT,…", help="how it differs from Microsoft's (see above)")
    parser.add_argument("--verbose", action="store_true", help="print a line for each event")
    return parser.parse_args()


def main():
    options = read_options()
    sys.setswitchinterval(0.0002)  # sessions wait for each other's octets: at 5 ms a turn they would crawl
    sys.stdout.reconfigure(errors="backslashreplace")  # a subject must not end a session in a narrow locale
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        provider = Provider(options)
        TokenHandler.provider = Session.provider = provider
        Session.context = provider.certificates.context()
        servers = listen(TokenHandler, options.port_token, provider.certificates.context())
        port_token = servers[0].server_address[1]
        provider.token_url = token_url_of(port_token)
        servers += listen(Session, options.port_smtp, None)
        port_smtp = servers[-1].server_address[1]
    except (OSError, RuntimeError) as error:
        sys.exit(f"provider: {error}")
    ready = os.path.join(provider.folder, "ready.json")
    facts = facts_of(provider, port_token, port_smtp)
    with open(ready + ".tmp", "w", encoding="utf-8") as file:
        json.dump(facts, file, indent=1)
    os.replace(ready + ".tmp", ready)
    print(f"ready: tokens at https://{HOST}:{port_token}, mail at {HOST}:{port_smtp}, files in {provider.folder}",
          flush=True)
    stop.wait()
    os.unlink(ready)
    stop_servers(servers)


if __name__ == "__main__":
    main()
