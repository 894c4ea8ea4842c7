# SPDX-License-Identifier: BSD-2-Clause
"""The server of toy.c, and what its clients need."""
import contextlib
import json
import os
import resource
import signal
import socket
import struct
import subprocess
import time

PATIENCE_S = 60


def eventually(condition, what):
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {PATIENCE_S} s: {what}")
        time.sleep(0.01)


class Toy:
    """A server, and what is asked of it."""

    def __init__(self, program, folder, timeout_s=0, connections=0, body=0, files=None):
        self.path = f"{folder}/toy.sock"
        self.log = open(f"{folder}/log", "w+")
        self.process = subprocess.Popen(
            [program, self.path, str(timeout_s), str(connections), str(body)],
            stdout=subprocess.PIPE, stderr=self.log, text=True,
            preexec_fn=files and (lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))))
        if self.process.stdout.readline() != "ready\n":
            self.process.wait()
            raise AssertionError("the server did not start: " + self.said())

    def said(self):
        self.log.seek(0)
        return self.log.read()

    def end(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        return self.wait()

    def wait(self):
        status = self.process.wait(PATIENCE_S)
        self.process.stdout.close()
        return status

    def connect(self):
        client = socket.socket(socket.AF_UNIX)
        client.settimeout(PATIENCE_S)
        client.connect(self.path)
        return client

    def curl(self, target, *arguments):
        """(status, headers by lower-case name, body)"""
        done = subprocess.run(
            ["curl", "-s", "-S", "-i", "-g", "--path-as-is", "--max-time", str(PATIENCE_S),
             "--unix-socket", self.path, *arguments, f"http://x{target}"],
            stdout=subprocess.PIPE, check=True)
        return parse(done.stdout)

    def json(self, target, *arguments):
        status, _, body = self.curl(target, *arguments)
        return status, json.loads(body)

    def counters(self):
        return self.json("/toy/counters")[1]

    def docker(self, *words, **options):
        environment = {"DOCKER_HOST": f"unix://{self.path}", "PATH": os.environ["PATH"],
                       "HOME": os.path.dirname(self.path)}
        return subprocess.run(["docker", *words], env=environment, timeout=PATIENCE_S, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False, **options)


def parse(answer):
    head, _, body = answer.partition(b"\r\n\r\n")
    if head.startswith(b"HTTP/1.1 100"):
        return parse(body)
    lines = head.decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines[1:])
    return int(lines[0].split()[1]), {name.lower(): value for name, value in headers.items()}, body


def read_all(client):
    pieces = []
    with contextlib.suppress(ConnectionResetError):
        while piece := client.recv(1 << 16):
            pieces.append(piece)
    return b"".join(pieces)


def read_until(client, end):
    data = b""
    while end not in data:
        piece = client.recv(1 << 16)
        if not piece:
            raise AssertionError(f"closed after {data!r}")
        data += piece
    return data


def frames(data):
    found = []
    while data:
        stream, size = struct.unpack(">B3xI", data[:8])
        found.append((stream, data[8:8 + size]))
        data = data[8 + size:]
    return found
