#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
One TCP stream in bulk, one connection per transfer, so that a load balancer may send each anywhere.

    bulk.py serve PORT                          answers a connection by its first byte:
                                                  u  reads to the end, answers how many bytes came
                                                  h  the same, and their SHA-256
                                                  d  sends until the client closes
                                                  n  sends the name of the host (which task is it?)
    bulk.py upload|download|hash|name ADDRESS PORT SECONDS    one JSON line
"""
import hashlib
import json
import os
import random
import socket
import sys
import threading
import time

BLOCK_BYTES = 256 << 10
HASH_BLOCKS = 64
IDLE_SECONDS = 20


def receive_all(connection, digest=None):
    buffer = bytearray(BLOCK_BYTES)
    view, total = memoryview(buffer), 0
    while count := connection.recv_into(buffer):
        total += count
        if digest:
            digest.update(view[:count])
    return total


def answer(connection, name):
    with connection:
        connection.settimeout(IDLE_SECONDS)
        try:
            kind = connection.recv(1)
            if kind == b"n":
                connection.sendall(name.encode())
            elif kind == b"d":
                block = bytes(BLOCK_BYTES)
                while True:
                    connection.sendall(block)
            elif kind in (b"u", b"h"):
                digest = hashlib.sha256() if kind == b"h" else None
                total = receive_all(connection, digest)
                connection.sendall(f"{total} {digest.hexdigest() if digest else '-'}".encode())
        except OSError:
            pass  # the client had enough


def serve(port, name):
    with socket.create_server(("0.0.0.0", port), backlog=128) as listener:
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=answer, args=(connection, name), daemon=True).start()


def connect(address, port, kind):
    connection = socket.create_connection((address, port), timeout=IDLE_SECONDS)
    connection.sendall(kind)
    return connection


def upload(address, port, seconds):
    block, sent = bytes(BLOCK_BYTES), 0
    with connect(address, port, b"u") as connection:
        start = time.monotonic()
        while time.monotonic() - start < seconds:
            connection.sendall(block)
            sent += len(block)
        connection.shutdown(socket.SHUT_WR)
        received = int(connection.recv(100).split()[0])
        took = time.monotonic() - start
    if received != sent:
        raise OSError(f"sent {sent} bytes, {received} arrived")
    return {"bytes": received, "seconds": took}


def download(address, port, seconds):
    buffer, total = bytearray(BLOCK_BYTES), 0
    with connect(address, port, b"d") as connection:
        start = time.monotonic()
        while (took := time.monotonic() - start) < seconds:
            count = connection.recv_into(buffer)
            if not count:
                raise OSError("the download ended")
            total += count
    return {"bytes": total, "seconds": took}


def hash_upload(address, port, _seconds):
    generator, digest = random.Random(os.urandom(8)), hashlib.sha256()
    with connect(address, port, b"h") as connection:
        for _ in range(HASH_BLOCKS):
            block = generator.randbytes(BLOCK_BYTES)
            digest.update(block)
            connection.sendall(block)
        connection.shutdown(socket.SHUT_WR)
        received = connection.recv(100).decode()
    return {"whole": received == f"{HASH_BLOCKS * BLOCK_BYTES} {digest.hexdigest()}"}


def ask_name(address, port, _seconds):
    with connect(address, port, b"n") as connection:
        return {"name": connection.recv(100).decode()}


CLIENTS = {"upload": upload, "download": download, "hash": hash_upload, "name": ask_name}


def main(words):
    if words[0] == "serve":
        serve(int(words[1]), words[2])
    print(json.dumps(CLIENTS[words[0]](words[1], int(words[2]), float(words[3]))))


if __name__ == "__main__":
    main(sys.argv[1:])
