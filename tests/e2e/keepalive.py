# SPDX-License-Identifier: BSD-2-Clause
"""Clients that keep their connection and ask again and again, whatever happens to the mesh meanwhile."""
import threading
import time

from support import WEB, connect, wait_for

PERIOD_S = 0.05
REQUEST = b"GET / HTTP/1.1\r\nHost: lab\r\n\r\n"
LIMIT_S = 45  # for answers: TCP's retransmissions double, and some packets may have been lost


class Client:
    """One connection. Each answer is its task's name, and never another's."""

    def __init__(self, where, address, port):
        self.socket = connect(where, address, port)
        self.entry, self.port = address, self.socket.getsockname()[1]
        self.asked = self.answered = 0
        self.task = self.broken = None
        self._data = b""
        self.socket.settimeout(LIMIT_S)
        self._send()
        while not self.answered and not self.broken:
            self._receive()
        self.socket.setblocking(False)

    def step(self):
        """Takes what has come, and asks again once the last question is answered."""
        if self.broken is None:
            self._receive()
        if self.broken is None and self.answered == self.asked:
            self._send()

    def _send(self):
        self.asked += 1
        try:
            self.socket.sendall(REQUEST)
        except OSError as error:
            self.broken = f"send: {error}"

    def _receive(self):
        try:
            data = self.socket.recv(65536)
        except BlockingIOError:
            return
        except OSError as error:
            self.broken = str(error)
            return
        if not data:
            self.broken = "closed"
        self._data += data
        head, end, body = self._data.partition(b"\r\n\r\n")
        if end and body.endswith(b"\n"):
            self._data = b""
            self._answer(body.decode().strip())

    def _answer(self, name):
        self.task = self.task or name
        self.answered += 1
        if name != self.task:
            self.broken = f"answered by {name}"

    def __str__(self):
        return f"port {self.port} to {self.task} through {self.entry}: {self.broken}"


class KeepAlive:
    """Clients, asked by a thread every 50 ms. Use: with KeepAlive(...) as clients."""

    def __init__(self, where, addresses, count, port=WEB):
        self.clients = [Client(where, addresses[i % len(addresses)], port) for i in range(count)]
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *exception):
        self._end.set()
        self._thread.join()
        for client in self.clients:
            client.socket.close()

    def _run(self):
        while not self._end.is_set():
            for client in self.clients:
                client.step()
            time.sleep(PERIOD_S)

    def open(self, tasks=None):
        return [client for client in self.clients if client.broken is None
                and (tasks is None or client.task in tasks)]

    def broken(self):
        """The broken ones in words."""
        return [str(client) for client in self.clients if client.broken]

    def wait_asked(self):
        """Until each client that is not waiting for an answer has asked again."""
        before = {client: client.asked for client in self.clients}
        wait_for(lambda: all(client.asked > before[client] or client.answered < client.asked
                             for client in self.open()), LIMIT_S, "all have asked again")

    def wait_answered(self, tasks=None):
        """Until each client (of these tasks) has got an answer to a question that it asked from now on."""
        wanted = {client: client.asked + 1 for client in self.clients}

        def late():
            return [client for client in self.open(tasks) if client.answered < wanted[client]]
        try:
            wait_for(lambda: not late(), LIMIT_S, "all are answered")
        except TimeoutError:
            raise AssertionError("no answer: " + "; ".join(map(str, late()))) from None
