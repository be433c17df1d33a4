#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""mime_oracle.py - messages that mime.c composed, read by Python's email package: what was given must come out again.

The program mime_print (of mime_print.c) is found by $MIME_PRINT, else below $top_builddir.
"""
import base64
import email
import email.header
import email.policy
import email.utils
import html
import json
import os
import random
import subprocess
import sys
import unittest

PROGRAM = os.environ.get("MIME_PRINT") or os.path.join(os.environ.get("top_builddir", "."), "tests/unit/mime_print")
RANDOM_JOBS = 150
NOTICE = ("This message is 3 hours late: it was accepted at 2026-11-21 08:00 UTC and left at 11:02 UTC. "
          "Meanwhile its mail account could not be used, or notifyd was not running.")


def compose(*words, **job):
    job.setdefault("to", "ops@contoso.com")
    done = subprocess.run([PROGRAM, *words], input=json.dumps(job).encode(), capture_output=True, timeout=60, check=False)
    if done.returncode:
        raise AssertionError(done.stderr.decode())
    return done.stdout


def parse(octets):
    return email.message_from_bytes(octets, policy=email.policy.default.clone(raise_on_defect=True))


def normal(text):
    """Line ends as a mail has them, one at the end."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text if text.endswith("\n") or not text else text + "\n"


def content(part):
    return part.get_payload(decode=True).decode("utf-8").replace("\r\n", "\n")


def text_of(message, kind="plain"):
    return content(message.get_body((kind,)))


class Oracle(unittest.TestCase):
    def check_octets(self, octets):
        self.assertTrue(octets.endswith(b"\r\n"))
        self.assertTrue(octets.isascii())
        self.assertNotIn(b"\0", octets)
        lines = octets.split(b"\r\n")
        for line in lines:
            self.assertNotIn(b"\r", line)
            self.assertNotIn(b"\n", line)
            self.assertLessEqual(len(line), 998)
        header = lines[:lines.index(b"")]
        for line in header:
            self.assertTrue(line.strip(), "an empty folded line")
            if b"=?" in line:
                self.assertLessEqual(len(line), 76)
        for line in lines[len(header):]:
            self.assertLessEqual(len(line), 100 if line.startswith(b"Content-") else 78)
        return parse(octets)

    def test_subjects_come_out_as_they_went_in(self):
        for subject in ("plain", "ä", "日本語の件名" * 30, "=?utf-8?B?ZXZpbA==?=", "a  b   c" * 40, "🔥" * 100,
                        "x" * 900, "mixed ä and a very long ascii tail " * 10, "tab free, \"quoted\" <angle> (c)"):
            message = self.check_octets(compose(subject=subject, text="x"))
            self.assertEqual(str(message["Subject"]), subject.strip(), subject)

    def test_names_of_recipients_come_out_as_they_went_in(self):
        names = ["Night desk", "Ops, Inc.", 'The "A" team', "Jörg Müller", "日本 太郎", "back\\slash", "a.b", "x" * 90,
                 "semi;colon:at@sign", "=?utf-8?Q?x?="]
        to = ['"%s" <r%d@contoso.com>' % (name.replace("\\", "\\\\").replace('"', '\\"'), n) for n, name in enumerate(names)]
        message = self.check_octets(compose(to=to, cc=to[:1] + ["cc@contoso.com"], bcc=["hidden@contoso.com"], text="x"))
        got = message["To"].addresses
        self.assertEqual([a.display_name for a in got], names)
        self.assertEqual([a.addr_spec for a in got], ["r%d@contoso.com" % n for n in range(len(names))])
        self.assertEqual([a.addr_spec for a in message["Cc"].addresses], ["cc@contoso.com"])
        self.assertNotIn("hidden", message.as_string())

    def test_a_name_of_several_encoded_words_comes_out_whole(self):
        # Python 3.11's address parser keeps the space between encoded words (RFC 2047 6.2 drops it); its older decoder does not.
        name = "日本 太郎" * 12
        octets = compose(to=['"%s" <ops@contoso.com>' % name], text="x")
        self.check_octets(octets)
        raw = email.message_from_bytes(octets, policy=email.policy.compat32)["To"]
        self.assertEqual(str(email.header.make_header(email.header.decode_header(raw))), name + " <ops@contoso.com>")

    def test_a_hidden_reader_alone_gets_an_empty_group(self):
        message = self.check_octets(compose(to=[], bcc=["hidden@contoso.com"], text="x"))
        self.assertEqual(message["To"].groups[0].display_name, "undisclosed-recipients")
        self.assertEqual(message["To"].addresses, ())

    def test_the_fixed_fields_are_there_once(self):
        message = self.check_octets(compose(text="x", severity="alert", reply_to="Ärzte <r@contoso.com>"))
        for name in ("From", "Date", "Message-ID", "To", "Subject", "MIME-Version", "Reply-To", "Auto-Submitted"):
            self.assertEqual(len(message.get_all(name)), 1, name)
        self.assertEqual(message["Date"].datetime.isoformat(), "2026-11-22T08:08:00+00:00")
        self.assertEqual(message["Message-ID"], "<01JD7Z2V8N4K6M9Q3R5T7W1X0Y@web01.contoso.com>")
        self.assertEqual(message["From"].addresses[0].display_name, "Alerts, web01")
        self.assertEqual(message["Reply-To"].addresses[0].display_name, "Ärzte")
        self.assertEqual(message["Importance"], "high")

    def test_a_foreign_sender_becomes_the_accounts(self):
        message = self.check_octets(compose(text="x", **{"from": "root@web01.contoso.com"}))
        self.assertEqual(str(message["From"]), "root on web01 <alerts@contoso.com>")
        self.assertEqual(message["Reply-To"].addresses[0].addr_spec, "root@web01.contoso.com")

    def test_texts_come_out_as_they_went_in(self):
        for text in ("one\n", "no end", "", "From me\n.\n..\n", "a\r\nb\rc\n\n\n", "caf\xe9 \nx \t\n", "x" * 5000, "日本\n" * 400,
                     "=" * 300, "a=20\n", "\t tab\n", "ctl \x01\x1b[31m\x7f\n", "--=_01JD7Z2V8N4K6M9Q3R5T7W1X0Y_a\n",
                     " \n", "é" * 76 + "\n" + "e" * 76 + "\n" + "e" * 77):
            for extra in ({}, {"html": "<p>h</p>"}, {"attachments": [{"name": "a", "content": "QQ=="}]}):
                message = self.check_octets(compose(subject="s", text=text, **extra))
                if text or not extra.get("html"):
                    self.assertEqual(text_of(message), normal(text), (text, list(extra)))

    def test_html_comes_out_as_it_went_in_beside_a_text(self):
        page = "<html><body><p>Grüße &amp; Küsse</p>\n<ul><li>eins<li>zwei</ul></body></html>\n"
        message = self.check_octets(compose(html=page))
        self.assertEqual(message.get_content_type(), "multipart/alternative")
        self.assertEqual([p.get_content_type() for p in message.iter_parts()], ["text/plain", "text/html"])
        self.assertEqual(text_of(message, "html"), page)
        self.assertEqual(text_of(message), "Grüße & Küsse\n\n- eins\n- zwei\n")
        self.assertEqual(str(message["Subject"]), "Grüße & Küsse")

    def test_links_are_shown_in_both(self):
        links = [{"title": "Übersicht", "url": "https://x.example/?a=1&b=(2)"}]
        message = self.check_octets(compose(text="t", html="<body>h</body>", links=links))
        self.assertTrue(text_of(message).endswith("t\n\nÜbersicht: https://x.example/?a=1&b=(2)\n"))
        self.assertIn(html.escape(links[0]["url"]), text_of(message, "html"))

    def test_attachments_come_out_as_they_went_in(self):
        blob = random.Random(1).randbytes(100_000)
        names = ["log.txt", "naïve.txt", "日本語" * 20 + ".pdf", 'q"uo\\te.bin', "x" * 120 + ".tar.gz", "ä" * 15 + ".log"]
        given = [{"name": name, "type": "application/x-thing", "content": base64.b64encode(blob[:n * 1000 + n]).decode(),
                  "inline": n == 1} for n, name in enumerate(names)]
        octets = compose(text="t", html="<img src='cid:naïve.txt'>", attachments=given)
        message = self.check_octets(octets)
        self.assertEqual(message.get_content_type(), "multipart/mixed")
        parts = list(message.iter_attachments())
        self.assertEqual(len(parts), len(names))
        for n, part in enumerate(parts):
            self.assertEqual(part.get_payload(decode=True), blob[:n * 1000 + n])
            self.assertEqual(part.get_content_type(), "application/x-thing")
            self.assertEqual(part.get_content_disposition(), "inline" if n == 1 else "attachment")
        # The strict header parser prefers the plain filename; RFC 2231 readers the other one.
        old = [p for p in email.message_from_bytes(octets).walk() if p.get_content_type() == "application/x-thing"]
        for part, name in zip(old, names):
            value = [v for k, v in part.get_params(header="content-disposition", unquote=True) if k == "filename"]
            values = [email.utils.collapse_rfc2231_value(v) for v in value]
            self.assertIn(name, values)
        self.assertIn("cid:" + parts[1]["Content-ID"].strip("<>"), text_of(message, "html"))

    def test_own_headers_come_out_as_they_went_in(self):
        headers = {"X-Team": "storage", "X-Long": "word " * 60 + "end", "X-Native": "Überwachung " * 20 + "x", "List-Id": "<a.b>"}
        message = self.check_octets(compose(text="t", headers=headers))
        for name, value in headers.items():
            self.assertEqual(str(message[name]), value)

    def check_notice(self, without, message, text=True):
        """It stands in front of all text and of all that the HTML shows, and nothing else is changed."""
        if text:
            first, rest = text_of(message).split("\n\n", 1)
            self.assertEqual(" ".join(line.strip() for line in first.split("\n")), NOTICE)
            self.assertEqual(rest, text_of(without))
        page = message.get_body(("html",))
        if not page:
            return
        shown = content(page)
        begin, end = shown.index("<div style="), shown.index("</div>") + len("</div>")
        self.assertEqual(" ".join(shown[begin:end].split(">", 1)[1].split("<")[0].split()), NOTICE)
        was = text_of(without, "html")
        self.assertEqual("".join((shown[:begin] + shown[end:]).split()), "".join(was.split()))
        return shown[:begin]

    def test_a_notice_stands_at_the_top_in_every_encoding(self):
        texts = ["one\n", "no end", "\n\ntwo lines down\n", "é" * 40, "日本語\n" * 400, "a = b\n" * 50, "x" * 5000, " \n", "<body>\n"]
        for text in texts:
            for extra in ({}, {"attachments": [{"name": "a", "content": "QQ=="}]}):
                message = self.check_octets(compose(NOTICE, subject="s", text=text, **extra))
                self.check_notice(parse(compose(subject="s", text=text, **extra)), message)

    def test_a_notice_is_shown_where_html_begins(self):
        for before, page in (("", "<p>h</p>"), ("", "Grüße"), ("", "日本語" * 100), ("<body>", "<body>h"), ("<BODY\nclass='a>b'>", "<p>é = ä</p>"),
                             ("<!DOCTYPE html>", "h"), ("<html lang=ja><head><title>件名</title></head>", "<p>h</p>"),
                             ("<!DOCTYPE html>\n<!-- <body> -->\n<html><head><style>p{color:red}</style></head>\n<body bgcolor=\"#fff\">", "日本語" * 50),
                             ("<body style=\"" + "a:b;" * 40 + "\">", "日本語" * 50), ("<body>" + "", ""), ("日本語<body>", "")):
            page = page if page.startswith(before) else before + page
            for extra in ({}, {"text": "日本"}, {"attachments": [{"name": "a", "content": "QQ=="}]}):
                message = self.check_octets(compose(NOTICE, subject="s", html=page, **extra))
                self.assertEqual("".join(self.check_notice(parse(compose(subject="s", html=page, **extra)), message).split()),
                                 "".join(before.split()), page)

    def test_a_notice_is_not_hidden_by_tags_that_never_end(self):
        for page in ("<p>x</p><body <body <html ", "<!-- <body>", "<body a='>", "<body <body>x", "<" * 70000, "<body " * 11000):
            message = self.check_octets(compose(NOTICE, subject="s", text="t", html=page))
            self.check_notice(parse(compose(subject="s", text="t", html=page)), message)

    def test_a_notice_keeps_the_place_of_every_mark_whatever_stands_before_it(self):
        for letter in "xé日":
            for n in range(64):
                page = "<html><title>" + letter * n + "</title><body>" + "日本 x\n" * 9
                message = self.check_octets(compose(NOTICE, subject="s", html=page))
                self.assertTrue(self.check_notice(parse(compose(subject="s", html=page)), message).rstrip().endswith("<body>"))

    def test_a_notice_needs_the_start_of_a_large_message_only(self):
        job = {"subject": "s", "text": "x\n" * 20000, "html": "<body>" + "<p>é</p>\n" * 40000,
               "attachments": [{"name": "a", "content": "QUFB" * 40000}]}
        whole = compose(NOTICE, **job)
        for length in (100, 300, 30000, 60000, 200000, 262144):
            self.assertEqual(compose(NOTICE, str(length), **job), whole)

    def test_random_jobs_survive(self):
        dice = random.Random(7)
        letters = "ab =.\n\r\t-_<>&\"'\\,;:é日🔥\x7f\x0b" + "etaoinshrdlu" * 3

        def some(most, skip=""):
            return "".join(c for c in dice.choices(letters, k=dice.randint(1, most)) if c not in skip)

        for _ in range(RANDOM_JOBS):
            subject = some(300, "\n\r\t\x7f\x0b").strip() or "x"
            text, page = some(2000), some(500, "<")
            message = self.check_octets(compose(subject=subject, text=text, html=page, attachments=[
                {"name": some(80, "\n\r\t\x7f\x0b/\\ ") or "x", "content": base64.b64encode(dice.randbytes(100)).decode()}]))
            self.assertEqual(str(message["Subject"]), subject)
            self.assertEqual(text_of(message), normal(text))
            self.assertEqual(text_of(message, "html"), normal(page))
            late = self.check_octets(compose(NOTICE, subject=subject, text=text, html=page))
            self.check_notice(message, late)


if __name__ == "__main__":
    if not os.access(PROGRAM, os.X_OK):
        sys.exit("mime_oracle.py: %s is not built" % PROGRAM)
    unittest.main()
