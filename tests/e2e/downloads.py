# SPDX-License-Identifier: BSD-2-Clause
"""Many downloads at once that are in their middle for as long as a test wants them to be."""
import hashlib
import threading
import time

from support import CHUNK, WEB, connect, wait_for

TRICKLE_BYTES, ROUND_S = 2048, 0.005  # what is read of each, and how often, until the end is wanted
RECEIVE_BUFFER = 1 << 16              # small: the sender must wait for the reader
LIMIT_S = 60


class Download:
    """One GET; broken says what went wrong."""

    def __init__(self, where, address, path, port):
        self.name, self.broken = f"{address}{path}", None
        self.socket = connect(where, address, port)
        self.name += f" from port {self.socket.getsockname()[1]}"
        self.socket.setblocking(False)
        self.socket.sendall(f"GET {path} HTTP/1.1\r\nHost: lab\r\n\r\n".encode())
        self.got, self._head, self._length = 0, b"", None
        self._digest = hashlib.sha256()

    def read(self, count):
        """Reads what is there, at most count bytes. True at the end, good or bad."""
        try:
            data = self.socket.recv(count)
        except BlockingIOError:
            return False
        except OSError as error:
            return self._end(str(error))
        if not data:
            return self._end("closed early")
        return self._take(data)

    def _take(self, data):
        if self._length is None:
            self._head += data
            if b"\r\n\r\n" not in self._head:
                return False
            head, data = self._head.split(b"\r\n\r\n", 1)
            fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
            self._length = int(fields["Content-Length"])
        self.got += len(data)
        self._digest.update(data)
        return self.got >= self._length and self._end(None)

    def _end(self, broken):
        self.broken = broken
        self.socket.close()
        return True

    @property
    def digest(self):
        return self._digest.hexdigest()


class Downloads:
    """
    count downloads of /NAME, spread over the addresses, each read slowly and no further than its half
    until finish(), so that all are open, and packets of all are under way, until then.
    """

    def __init__(self, where, addresses, name, size, digest, count, port=WEB):
        self._all = [Download(where, addresses[i % len(addresses)], f"/{name}", port) for i in range(count)]
        self._half, self._digest = size // 2, digest
        self._hurry, self._started = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        wait_for(lambda: self.open < count or all(download.got for download in self._all), LIMIT_S,
                 "each download has begun")

    def _run(self):
        self._open = list(self._all)
        while self._open:
            hurry = self._hurry.is_set()
            self._open = [download for download in self._open if not self._step(download, hurry)]
            if not hurry:
                time.sleep(ROUND_S)

    def _step(self, download, hurry):
        if hurry:
            return download.read(CHUNK)
        return download.got < self._half and download.read(TRICKLE_BYTES)

    @property
    def open(self):
        return len(getattr(self, "_open", self._all))

    def moved(self, count=1):
        """Waits until `count` more bytes of some download came (or all have reached their half)."""
        before = sum(download.got for download in self._all)
        wait_for(lambda: sum(download.got for download in self._all) >= before + count
                 or all(download.got >= self._half for download in self._all) or not self.open,
                 LIMIT_S, "downloads go on")

    def finish(self):
        """Reads all to their ends; the broken ones in words."""
        self._hurry.set()
        self._thread.join(LIMIT_S)
        for download in list(self._open):
            download.broken = f"no end within {LIMIT_S} s, {download.got} bytes came"
        broken = [f"{download.name}: {download.broken}" for download in self._all if download.broken]
        return broken + [f"{download.name}: other bytes than were sent" for download in self._all
                         if not download.broken and download.digest != self._digest]
