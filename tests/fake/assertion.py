# SPDX-License-Identifier: Apache-2.0
"""Signed assertions as the stand-in judges them; the openssl program verifies."""
import base64
import glob
import hashlib
import json
import os
import subprocess
import tempfile
import threading
import time

PSS = ("-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:32", "-sigopt", "rsa_mgf1_md:sha256")


class Bad(Exception):
    """Why an assertion is not believed: what is wrong ('signature', 'thumbprint', 'time', 'audience' …), and the words."""

    def __init__(self, what, words):
        super().__init__(words)
        self.what = what


def unpad(text):
    if "=" in text or "+" in text or "/" in text:
        raise Bad("form", "not base64url")
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def openssl(*args):
    return subprocess.run(("openssl",) + args, capture_output=True, check=False)


def thumbprint(certificate):
    der = openssl("x509", "-in", certificate, "-outform", "DER").stdout
    return base64.urlsafe_b64encode(hashlib.sha256(der).digest()).rstrip(b"=").decode()


def signature_good(certificate, alg, signed, signature):
    with tempfile.TemporaryDirectory() as folder:
        public, text, value = (os.path.join(folder, name) for name in ("public", "text", "value"))
        with open(public, "wb") as file:
            file.write(openssl("x509", "-in", certificate, "-noout", "-pubkey").stdout)
        with open(text, "wb") as file:
            file.write(signed)
        with open(value, "wb") as file:
            file.write(signature)
        return openssl("dgst", "-sha256", "-verify", public, "-signature", value, *(PSS if alg == "PS256" else ()),
                       text).returncode == 0


class Judge:
    """Believes each assertion once, and only those signed with a key of the folder's certificates (*.crt)."""

    def __init__(self, folder):
        self.folder = folder
        self.seen = set()
        self.lock = threading.Lock()

    def certificates(self):
        return glob.glob(os.path.join(self.folder, "*.crt"))

    def read(self, assertion):
        parts = assertion.split(".")
        if len(parts) != 3:
            raise Bad("form", "an assertion has three parts")
        try:
            header, claims = (json.loads(unpad(part)) for part in parts[:2])
            return header, claims, ".".join(parts[:2]).encode(), unpad(parts[2])
        except ValueError:
            raise Bad("form", "the parts are not base64url of JSON") from None

    def claims(self, assertion, algorithms, audience, by_thumbprint):
        """The header and the claims of one that is believed."""
        header, claims, signed, signature = self.read(assertion)
        if header.get("alg") not in algorithms or header.get("typ") != "JWT":
            raise Bad("form", "alg or typ: %s" % header)
        found = [path for path in self.certificates()
                 if not by_thumbprint or thumbprint(path) == header.get("x5t#S256")]
        if not found:
            raise Bad("thumbprint", "no certificate with this thumbprint is registered")
        if not any(signature_good(path, header["alg"], signed, signature) for path in found):
            raise Bad("signature", "the signature does not fit")
        if claims.get("aud") != audience:
            raise Bad("audience", "aud is %s" % claims.get("aud"))
        now = time.time()
        if not (claims.get("nbf", claims["iat"]) - 300 <= now < claims["exp"] and claims["exp"] <= claims["iat"] + 3600):
            raise Bad("time", "the assertion is not within its valid time range")
        with self.lock:
            again = assertion in self.seen
            self.seen.add(assertion)
        if again:
            raise Bad("replay", "the assertion was used before")
        return header, claims
