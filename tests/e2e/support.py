# SPDX-License-Identifier: BSD-2-Clause
"""
What the end-to-end tests share: sockets inside the lab's machines, HTTP over them, digests.

A socket belongs to the network namespace in which it was made, for ever; a thread may enter another
namespace. So the test's own process talks from any machine, without a helper program.
"""
import errno
import hashlib
import itertools
import json
import pathlib
import socket
import struct
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from lab import CommandError, Lab, Task, wait_for  # noqa: E402,F401
from lab.namespace import setns  # noqa: E402
from lab.tools import BUILD  # noqa: E402,F401

WEB, ECHO = 8000, 7007  # published ports
TIMEOUT_S = 20          # of a socket: much longer than any answer takes
CHUNK = 1 << 18
RESET_AT_CLOSE = (socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # its port is free at once
TRIES_MAX = 200         # connections until one falls to a given task

# Each socket gets a port that no other had: a port that comes back through another node is aliased in
# the task's eyes, and chance would decide what a test sees. The kernel's own choices lie above.
OWN_PORTS = itertools.cycle(range(2000, 32768))
KERNEL_PORTS = "32768 65535"


def start_lab(test_class, **options):
    """A lab for all tests of a class."""
    lab = Lab(**options)
    test_class.addClassCleanup(lab.close)
    for client in lab.clients:
        client.run(f"echo '{KERNEL_PORTS}' > /proc/sys/net/ipv4/ip_local_port_range")
    return lab


def network_of(where):
    """Path of the network namespace of a machine or of a task; a path stands for itself."""
    if isinstance(where, str):
        return where
    pid = where.pid if isinstance(where, Task) else where.spaces.pid
    return f"/proc/{pid}/ns/net"


def inside(where, action):
    """Runs action() in a thread inside the network of a machine or task; returns what it returns."""
    result = {}

    def run():
        try:
            with open(network_of(where), "rb") as network:
                setns(network.fileno())
            result["value"] = action()
        except BaseException as error:
            result["error"] = error
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if "error" in result:
        raise result["error"]
    return result["value"]


def make_socket(where, kind=socket.SOCK_STREAM, port=None, address="0.0.0.0", options=()):
    """An IPv4 socket in a machine or task, bound (to a port of its own). options: of setsockopt."""
    def make():
        made = socket.socket(socket.AF_INET, kind)
        try:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            for option in options:
                made.setsockopt(*option)
            made.settimeout(TIMEOUT_S)
            made.bind((address, port or next(OWN_PORTS)))
        except BaseException:
            made.close()
            raise
        return made
    return inside(where, make)


def connect(where, address, port=WEB, source_port=None, options=()):
    """A TCP connection from a machine."""
    made = make_socket(where, port=source_port, options=options)
    try:
        made.connect((address, port))
    except BaseException:
        made.close()
        raise
    return made


def ask_udp(where, address, payload="hello", port=ECHO, source_port=None):
    """Sends a datagram; (the words of the answer, own port)."""
    with make_socket(where, socket.SOCK_DGRAM, source_port) as asking:
        asking.connect((address, port))
        return send_until_answered(asking, payload).split(" "), asking.getsockname()[1]


def send_until_answered(asking, payload, attempts=5):
    """
    UDP may lose a packet on a busy machine; asks again then. And the first that is too long for the
    tunnel comes back as an error, by which its sender learns the path's MTU.
    """
    asking.settimeout(2)
    for attempt in range(1, attempts + 1):
        try:
            asking.send(payload.encode())
            return asking.recv(65535).decode()
        except OSError as error:
            if attempt == attempts or not (isinstance(error, TimeoutError) or error.errno == errno.EMSGSIZE):
                raise
    return None


class Http:
    """HTTP/1.1 over one connection, kept alive."""

    def __init__(self, where, address, port=WEB, source_port=None, options=()):
        self.socket = connect(where, address, port, source_port, options)
        self._rest = b""

    @property
    def own(self):
        """Own end as nginx writes it."""
        return "{}:{}".format(*self.socket.getsockname())

    def get(self, path):
        return b"".join(self._request(path))

    def digest(self, path):
        """SHA-256 of what a GET returns."""
        digest = hashlib.sha256()
        for piece in self._request(path):
            digest.update(piece)
        return digest.hexdigest()

    def whoami(self):
        """(task, the client as the task sees it)"""
        return self.get("/whoami").decode().split()[:2]

    def put(self, path, file):
        size = pathlib.Path(file).stat().st_size
        self._send(f"PUT {path} HTTP/1.1\r\nHost: lab\r\nContent-Length: {size}\r\n\r\n")
        with open(file, "rb") as body:
            self.socket.sendfile(body)
        status, length = self._head()
        for _ in self._body(length):
            pass
        if status not in (201, 204):
            raise OSError(f"PUT {path}: status {status}")

    def _send(self, text):
        self.socket.sendall(text.encode())

    def _request(self, path):
        self._send(f"GET {path} HTTP/1.1\r\nHost: lab\r\n\r\n")
        status, length = self._head()
        if status != 200:
            raise OSError(f"GET {path}: status {status}")
        yield from self._body(length)

    def _receive(self):
        data = self.socket.recv(CHUNK)
        if not data:
            raise ConnectionResetError("closed in the middle of an answer")
        return data

    def _head(self):
        while b"\r\n\r\n" not in self._rest:
            self._rest += self._receive()
        head, self._rest = self._rest.split(b"\r\n\r\n", 1)
        lines = head.decode().split("\r\n")
        fields = dict(line.lower().split(": ", 1) for line in lines[1:])
        return int(lines[0].split()[1]), int(fields.get("content-length", 0))

    def _body(self, length):
        while length:
            data, self._rest = (self._rest or self._receive()), b""
            if len(data) > length:
                data, self._rest = data[:length], data[length:]
            length -= len(data)
            yield data

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()


def http_to(task, where, address, port=WEB):
    """A connection that the mesh gave to this task; it takes as many as the ring's whim wants."""
    for _ in range(TRIES_MAX):
        http = Http(where, address, port)
        if http.whoami()[0] == task.name:
            return http
        http.close()
    raise AssertionError(f"{TRIES_MAX} connections to {address}, and none to {task.name}")


def file_digest(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while piece := file.read(CHUNK):
            digest.update(piece)
    return digest.hexdigest()


def checksum_errors(lab):
    """Where segments came with a wrong checksum: {place: {counter: how many}}."""
    places = [*lab.hosts, *lab.clients, *(task for host in lab.hosts for task in host.tasks.values())]
    wrong = {place.name: {name: count for name, count in place.snmp().items()
                          if name.endswith("InCsumErrors") and count} for place in places}
    return {name: counts for name, counts in wrong.items() if counts}


def reasons(host):
    """{why: packets}: what the host's data plane did."""
    return json.loads(host.fairlead("counters", "--json"))


def services(host):
    """{service's name: what `fairlead services` says of it}"""
    return {service["name"]: service for service in json.loads(host.fairlead("services", "--json"))}


def flows(host):
    """The connections of a host's tasks that its data plane knows."""
    return json.loads(host.fairlead("flows", "--json"))
