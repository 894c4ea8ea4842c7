#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
What the openssl program thinks of our certificates, and we of its.

                 signs                      signs
    root.crt ------------> manager.crt
        |---- cross.crt -> next.crt's key ---------> worker.crt (has cross.crt behind it)
"""
import pathlib
import subprocess
import sys
import tempfile
import unittest

TOOL = pathlib.Path(sys.argv.pop(1)).resolve()


def run(*words, folder):
    return subprocess.run([str(word) for word in words], cwd=folder, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True, timeout=60)


class Peer(unittest.TestCase):
    def setUp(self):
        self.scratch = tempfile.TemporaryDirectory()
        self.addCleanup(self.scratch.cleanup)
        self.folder = pathlib.Path(self.scratch.name)

    def ok(self, *words):
        outcome = run(*words, folder=self.folder)
        self.assertEqual(outcome.returncode, 0, outcome.stdout)
        return outcome.stdout

    def refused(self, *words):
        outcome = run(*words, folder=self.folder)
        self.assertNotEqual(outcome.returncode, 0, outcome.stdout)
        return outcome.stdout

    def make(self):
        self.ok(TOOL, "make", self.folder)

    def verify(self, certificate, trust, *more, strict=True):
        return ["openssl", "verify", *(["-x509_strict"] if strict else []), "-no-CApath", "-no-CAstore", "-CAfile", trust,
                *more, certificate]

    def test_chains(self):
        self.make()
        (self.folder / "both.crt").write_text((self.folder / "root.crt").read_text() +
                                              (self.folder / "next.crt").read_text())
        for purpose in ("sslclient", "sslserver"):
            use = ("-purpose", purpose)
            self.ok(*self.verify("manager.crt", "root.crt", *use))
            self.ok(*self.verify("worker.crt", "root.crt", *use, "-untrusted", "cross.crt"))
            self.ok(*self.verify("worker.crt", "root.crt", *use, "-untrusted", "worker.crt"))
            self.ok(*self.verify("worker.crt", "next.crt", *use))
            self.ok(*self.verify("worker.crt", "both.crt", *use))
            self.ok(*self.verify("manager.crt", "both.crt", *use))
            self.refused(*self.verify("worker.crt", "root.crt", *use))
            self.refused(*self.verify("manager.crt", "next.crt", *use))
        self.ok(*self.verify("root.crt", "root.crt"))
        self.ok(*self.verify("cross.crt", "root.crt"))

    def test_time(self):
        self.make()
        text = self.ok("openssl", "x509", "-in", "manager.crt", "-noout", "-dates")
        self.assertIn("notAfter=", text)
        self.ok("openssl", "x509", "-in", "manager.crt", "-noout", "-checkend", "86000")
        self.refused("openssl", "x509", "-in", "manager.crt", "-noout", "-checkend", "87000")

    def test_contents(self):
        self.make()
        text = self.ok("openssl", "x509", "-in", "manager.crt", "-noout", "-subject", "-ext",
                       "subjectAltName,extendedKeyUsage,keyUsage,basicConstraints",
                       "-nameopt", "RFC2253,sname")
        self.assertIn("serialNumber=0000000000001234,CN=l56uz1ku45k4rptxl9l2lh69r,"
                      "OU=swarm-manager,O=4z2cmijlqvqvvmb9x4l8wcnib", text)
        self.assertIn("DNS:swarm-manager, DNS:l56uz1ku45k4rptxl9l2lh69r, DNS:swarm-ca", text)
        self.assertIn("TLS Web Server Authentication, TLS Web Client Authentication", text)
        self.assertIn("CA:FALSE", text)
        for name in ("root.crt", "next.crt", "cross.crt"):
            self.assertIn("CA:TRUE", self.ok("openssl", "x509", "-in", name, "-noout", "-ext",
                                             "basicConstraints"))

    def test_keys_and_requests(self):
        self.make()
        self.ok("openssl", "pkey", "-in", "manager.key", "-check", "-noout")
        self.ok("openssl", "pkey", "-in", "root.key", "-check", "-noout")
        self.assertIn("verify OK", self.ok("openssl", "req", "-in", "node.csr", "-verify", "-noout"))
        of_key = self.ok("openssl", "pkey", "-in", "manager.key", "-pubout")
        self.assertEqual(of_key, self.ok("openssl", "x509", "-in", "manager.crt", "-pubkey", "-noout"))

    def own_root(self, *key):
        self.ok("openssl", "req", "-x509", "-newkey", *key, "-nodes", "-keyout", "own.key", "-out",
                "own.crt", "-subj", "/O=Example/CN=our own", "-days", "900")

    def test_own_roots(self):
        self.ok("openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                "-nodes", "-keyout", "node.key", "-out", "node.csr", "-subj", "/CN=whoever")
        for key in (("ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
                    ("ec", "-pkeyopt", "ec_paramgen_curve:P-384"), ("rsa:2048",)):
            self.own_root(*key)
            self.ok(TOOL, "sign", self.folder)
            self.ok(*self.verify("signed.crt", "own.crt", "-purpose", "sslclient", strict=False))
            # Who the node is, its request does not say.
            self.assertNotIn("whoever", self.ok("openssl", "x509", "-in", "signed.crt", "-noout",
                                                "-subject"))
        self.own_root("rsa:1024")
        self.assertIn("its key has to be", self.refused(TOOL, "sign", self.folder))

    def test_older_key_form(self):
        self.ok("openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "own.key")
        self.ok("openssl", "req", "-x509", "-key", "own.key", "-out", "own.crt", "-subj", "/CN=x",
                "-days", "900")
        self.ok("openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                "-nodes", "-keyout", "node.key", "-out", "node.csr", "-subj", "/CN=whoever")
        self.assertIn("BEGIN EC PRIVATE KEY", (self.folder / "own.key").read_text())
        self.ok(TOOL, "sign", self.folder)
        self.ok(*self.verify("signed.crt", "own.crt", strict=False))


if __name__ == "__main__":
    unittest.main()
