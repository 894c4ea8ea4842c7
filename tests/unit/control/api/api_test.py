#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
The Engine API's HTTP layer over a real socket: api_test.py API-TOY [unittest's arguments].

toy.c is the server; curl, docker's CLI (where the machine has one) and bare sockets are its clients.
Each test ends its server, which must then hold nothing: no request, no handle, under ASan no byte.
"""
import contextlib
import json
import os
import pathlib
import random
import select
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
import unittest

from api_bed import PATIENCE_S, Toy, eventually, frames, read_all, read_until

TOY = None
SEED = int(os.environ.get("FL_SEED", random.SystemRandom().randrange(1 << 32)))


class ApiTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="api")
        self.addCleanup(shutil.rmtree, self.folder)

    def start(self, **options):
        toy = Toy(TOY, self.folder, **options)
        self.addCleanup(toy.log.close)
        self.addCleanup(self.check_end, toy)
        return toy

    def check_end(self, toy):
        status = toy.wait() if toy.process.poll() is not None else toy.end()
        self.assertEqual(status, 0, toy.said())

    def assertError(self, answer, status, message):
        self.assertEqual((answer[0], json.loads(answer[2])), (status, {"message": message}))
        self.assertEqual(answer[1]["content-type"], "application/json")


class SystemTest(ApiTest):
    COMMON = {"api-version": "1.41", "docker-experimental": "false", "ostype": "linux"}

    def test_ping(self):
        toy = self.start()
        for arguments, size in (((), 2), (("-I",), 0)):
            status, headers, body = toy.curl("/_ping", *arguments)
            self.assertEqual((status, len(body), headers["content-length"]), (200, size, str(size)))
            wanted = {**self.COMMON, "cache-control": "no-cache, no-store, must-revalidate",
                      "pragma": "no-cache", "content-type": "text/plain; charset=utf-8",
                      "swarm": "active/worker", "builder-version": "1"}
            self.assertLessEqual(wanted.items(), headers.items())
            self.assertRegex(headers["server"], r"^Fairlead/[0-9.]+ \(linux\)$")
            self.assertIn("date", headers)

    def test_version(self):
        toy = self.start()
        for target in ("/version", "/v1.24/version", "/v1.41/version", "/version/"):
            status, version = toy.json(target)
            self.assertEqual(status, 200)
            self.assertEqual(version["ApiVersion"], "1.41")
            self.assertEqual(sorted(version), sorted(
                "Platform Components Version ApiVersion MinAPIVersion GitCommit GoVersion Os Arch "
                "KernelVersion BuildTime".split()))
            self.assertEqual(sorted(version["Components"][0]["Details"]), sorted(
                "ApiVersion Arch BuildTime Experimental GitCommit GoVersion KernelVersion "
                "MinAPIVersion Os".split()))

    def test_every_reply_has_the_headers(self):
        toy = self.start()
        for target in ("/nodes", "/nope", "/v1.99/version", "/toy/empty", "/services", "/events?count=1"):
            self.assertLessEqual(self.COMMON.items(), toy.curl(target)[1].items(), target)

    def test_versions_refused(self):
        toy = self.start()
        self.assertError(toy.curl("/v1.42/version"), 400,
                         "client version 1.42 is too new. Maximum supported API version is 1.41")
        self.assertError(toy.curl("/v1.23/version"), 400,
                         "client version 1.23 is too old. Minimum supported API version is 1.24, "
                         "please upgrade your client to a newer version")

    def test_no_such_page(self):
        toy = self.start()
        for arguments in (("/nope",), ("/v1.99/nope",), ("/",), ("//_ping",), ("/version/x",),
                          ("/nodes/../version",), ("/_ping", "-X", "DELETE"), ("/nodes", "-X", "PUT"),
                          ("/v1.x/version",), ("/toy/echo/",), ("/toy/later", "-I")):
            with self.subTest(arguments=arguments):
                status, headers, body = toy.curl(*arguments)
                self.assertEqual((status, headers["content-length"]), (404, "28"))
                if "-I" not in arguments:
                    self.assertEqual(json.loads(body), {"message": "page not found"})

    def test_errors(self):
        toy = self.start()
        self.assertError(toy.curl("/nodes"), 503,
                         "This node is not a swarm manager. Worker nodes can't be used to view or "
                         "modify cluster state. Please run this command on a manager node or "
                         "promote the current node to a manager.")
        self.assertError(toy.curl("/toy/stale", "-X", "POST"), 500,
                         "rpc error: code = Unknown desc = update out of sequence")
        self.assertError(toy.curl("/containers/nope/json"), 404, "No such container: nope")
        self.assertError(toy.curl("/services"), 501,
                         "service ls: not implemented by Fairlead yet (GET /services)")
        self.assertError(toy.curl("/images/127.0.0.1:5000/web:1/json"), 501,
                         "image inspect: not implemented by Fairlead yet (GET /images/{name...}/json)")
        # Bytes that are no UTF-8 come back as something that is.
        self.assertError(toy.curl("/containers/%ff%fe/json"), 404, "No such container: ??")


class RequestTest(ApiTest):
    def test_params_and_query(self):
        toy = self.start()
        status, echo = toy.json("/v1.30/toy/echo/a%2Fb/c?x=1&names=a&names=b%20c+d&all=True&e")
        self.assertEqual(status, 200)
        self.assertEqual(echo, {"Id": "a/b/c", "Minor": 30, "Body": 0, "Query": [
            ["x", "1"], ["names", "a"], ["names", "b c d"], ["all", "True"], ["e", ""]]})
        self.assertEqual(toy.json("/toy/echo/x")[1]["Minor"], 41)

    def test_long_query(self):
        toy = self.start()
        self.assertEqual(toy.json("/toy/echo/x?filters=%7B%7D&u=" + "y" * 30000)[0], 200)
        self.assertEqual(toy.curl("/toy/echo/x?" + "y" * 100000)[0], 414)
        self.assertEqual(toy.json("/toy/echo/x?" + "&".join(["n=1"] * 600))[0], 400)

    def test_bad_query(self):
        toy = self.start()
        self.assertError(toy.curl("/toy/echo/x?a=%zz"), 400, 'invalid URL escape "%zz"')
        self.assertError(toy.curl("/toy/echo/x%4"), 400, 'invalid URL escape "%4"')
        self.assertError(toy.curl("/toy/echo/x%00"), 400, "invalid URL: it holds a NUL")
        self.assertError(toy.curl('/toy/echo/x?filters={"a":'), 400,
                         "invalid filter: unexpected EOF")
        self.assertError(toy.curl('/toy/echo/x?filters={"a":1}'), 400, "invalid filter")

    def test_json(self):
        toy = self.start()
        typed = ("-H", "Content-Type: application/json")
        self.assertEqual(toy.json("/toy/json", *typed, "-d", '{"Name":"é"}'), (201, {"Name": "é"}))
        for body, words in (
                ("", "got EOF while reading request body"), ("  \n", "got EOF while reading request body"),
                ('{"a"', "unexpected EOF"), ('{"a":tru}', "invalid character '}' in literal true "
                                                          "(expecting 'e')"),
                ("x", "invalid character 'x' looking for beginning of value"),
                ("{} {}", "invalid character '{' after top-level value"),
                ("[" * 65, "exceeded max depth")):
            with self.subTest(body=body):
                self.assertError(toy.curl("/toy/json", *typed, "-d", body), 400, f"invalid JSON: {words}")

    def test_content_type(self):
        toy = self.start()
        for given in ("text/plain", "application/jsonx", ""):
            self.assertError(toy.curl("/toy/json", "-H", f"Content-Type: {given}" if given else
                                      "Content-Type:", "-d", "{}"), 400,
                             f"Content-Type specified ({given}) must be 'application/json'")
        for given in ("application/json; charset=utf-8", "APPLICATION/JSON"):
            self.assertEqual(toy.curl("/toy/json", "-H", f"Content-Type: {given}", "-d", "{}")[0], 201)
        # Without a body its type is not asked for.
        self.assertError(toy.curl("/toy/json", "-X", "POST"), 400,
                         "invalid JSON: got EOF while reading request body")

    def test_body_bounds(self):
        toy = self.start(body=1000)
        self.assertEqual(toy.json("/toy/echo/x", "-d", "y" * 1000)[1]["Body"], 1000)
        large = self.file(b"y" * 1001)
        self.assertError(toy.curl("/toy/echo/x", "-d", f"@{large}"), 413, "http: request body too large")
        self.assertError(toy.curl("/toy/echo/x", "-d", f"@{large}", "-H", "Transfer-Encoding: chunked"),
                         413, "http: request body too large")
        self.assertEqual(toy.json("/toy/echo/x", "-d", "y" * 999, "-H", "Transfer-Encoding: chunked")[1]
                         ["Body"], 999)

    def test_endless_body(self):
        """Of a body without an end no more than the bound is kept, or listened to."""
        toy = self.start(body=1000)
        with toy.connect() as client:
            client.sendall(b"POST /toy/echo/x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
            sent = 0
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                while sent < 8 << 20:  # 1 MiB is passed over, and the kernel's buffers are small
                    client.sendall(b"400\r\n" + b"y" * 1024 + b"\r\n")
                    sent += 1024
            self.assertLess(sent, 8 << 20)
        eventually(lambda: toy.counters()["Connections"] == 1, "it was closed")

    def file(self, data):
        path = pathlib.Path(self.folder, "body")
        path.write_bytes(data)
        return path

    def test_expect_continue(self):
        toy = self.start()
        self.assertEqual(toy.json("/toy/echo/x", "-H", "Expect: 100-continue", "-d", "y" * 5000)[1]
                         ["Body"], 5000)

    def test_answer_from_the_loop(self):
        toy = self.start()
        self.assertEqual(toy.json("/toy/later"), (200, {"Later": True}))

    def test_keep_alive_and_pipelining(self):
        toy = self.start()
        with toy.connect() as client:
            one = b"GET /toy/later?ms=5 HTTP/1.1\r\nHost: x\r\n\r\n"
            client.sendall(one * 19 + one.replace(b"Host", b"Connection: close\r\nHost"))
            self.assertEqual(read_all(client).count(b'{"Later":true}'), 20)
        self.assertEqual(toy.counters()["Total"], 21)

    def test_half_closed_client_gets_its_answer(self):
        toy = self.start()
        with toy.connect() as client:
            client.sendall(b"GET /toy/later?ms=50 HTTP/1.1\r\nHost: x\r\n\r\n")
            client.shutdown(socket.SHUT_WR)
            self.assertIn(b'{"Later":true}', read_all(client))
        self.assertEqual(toy.counters()["Gone"], 0)

    def test_client_gone(self):
        toy = self.start()
        with toy.connect() as client:
            client.sendall(b"GET /toy/later?ms=3600000 HTTP/1.1\r\nHost: x\r\n\r\n")
            eventually(lambda: toy.counters()["Later"] == 1, "the handler has it")
        eventually(lambda: toy.counters()["Gone"] == 1, "the handler was told")
        eventually(lambda: toy.counters()["Connections"] == 1, "the connection is closed")
        toy.process.kill()  # the answer is owed for an hour, and the loop would wait for it
        toy.process.wait()
        toy.wait = lambda: 0

    def test_answer_after_the_client(self):
        toy = self.start()
        for delay_ms in (0, 1, 3, 10, 30, 100):
            with toy.connect() as client:
                client.sendall(b"GET /toy/later?ms=%d HTTP/1.1\r\nHost: x\r\n\r\n" % delay_ms)
        eventually(lambda: toy.counters()["Total"] >= 7 and toy.counters()["Later"] == 0,
                   "all have answered")


class StreamTest(ApiTest):
    def test_events(self):
        toy = self.start()
        status, headers, body = toy.curl("/events?count=3")
        self.assertEqual((status, headers["transfer-encoding"], headers["content-type"]),
                         (200, "chunked", "application/json"))
        self.assertEqual([json.loads(line)["Action"] for line in body.splitlines()], ["create"] * 3)

    def test_headers_go_at_once(self):
        toy = self.start()
        with toy.connect() as client:
            client.sendall(b"GET /events?count=-1 HTTP/1.1\r\nHost: x\r\n\r\n")
            self.assertTrue(read_until(client, b"\r\n\r\n").startswith(b"HTTP/1.1 200"))
        eventually(lambda: toy.counters()["Gone"] == 1, "the producer was told")

    def test_frames(self):
        toy = self.start()
        status, headers, body = toy.curl("/toy/spin?bytes=100000")
        self.assertEqual((status, headers["content-type"]), (200, "application/vnd.docker.raw-stream"))
        self.assertEqual([(stream, len(data)) for stream, data in frames(body)],
                         [(1, 32768), (1, 32768), (1, 32768), (1, 1696)])

    def test_back_pressure(self):
        """A reader that stops stops the producer, and gets all once it reads on."""
        toy = self.start(timeout_s=1)
        with toy.connect() as client:
            client.sendall(b"GET /toy/spin?bytes=20000000 HTTP/1.1\r\nHost: x\r\n"
                           b"Connection: close\r\n\r\n")
            eventually(lambda: toy.counters()["Refused"] > 0, "the producer was refused")
            before = toy.counters()
            for _ in range(5):  # several of the timeouts that all others are under
                time.sleep(0.5)
                self.assertEqual(toy.counters()["Drained"], before["Drained"])
            self.assertGreater(len(read_all(client)), 20000000)
        self.assertEqual(toy.counters()["Gone"], 0)

    def test_reader_goes_in_the_middle(self):
        toy = self.start()
        with toy.connect() as client:
            client.sendall(b"GET /toy/spin?bytes=2000000000 HTTP/1.1\r\nHost: x\r\n\r\n")
            read_until(client, b"\r\n\r\n")
            eventually(lambda: toy.counters()["Refused"] > 0, "the producer was refused")
        eventually(lambda: toy.counters()["Gone"] == 1, "the producer was told")

    def test_broken_stream_shows(self):
        toy = self.start()
        with self.assertRaises(subprocess.CalledProcessError) as raised:
            toy.curl("/toy/broken")
        self.assertEqual(raised.exception.returncode, 18)  # CURLE_PARTIAL_FILE

    def test_many_followers(self):
        toy = self.start()
        with contextlib.ExitStack() as stack:
            clients = [stack.enter_context(toy.connect()) for _ in range(100)]
            for client in clients:
                client.sendall(b"GET /events HTTP/1.1\r\nHost: x\r\n\r\n")
            for client in clients:
                read_until(client, b'"Type"')
            self.assertEqual(toy.counters()["Requests"], 101)
        eventually(lambda: toy.counters()["Gone"] == 100, "all producers were told")


class UploadTest(ApiTest):
    def upload(self, toy, size, target="/images/load"):
        with subprocess.Popen(["head", "-c", str(size), "/dev/zero"], stdout=subprocess.PIPE) as source:
            done = subprocess.run(
                ["curl", "-s", "-S", "-T", "-", "-X", "POST", "--max-time", str(PATIENCE_S),
                 "--unix-socket", toy.path, f"http://x{target}"],
                stdin=source.stdout, stdout=subprocess.PIPE, check=True)
        return json.loads(done.stdout)

    def test_large(self):
        toy = self.start()
        self.assertEqual(self.upload(toy, 50 << 20), {"stream": str(50 << 20)})
        self.assertEqual(toy.counters()["Overrun"], 0, "pieces that came while it was paused")
        # It was on its way all the time: many times what may be kept of it.
        with open(f"/proc/{toy.process.pid}/status") as status:
            peak = next(line for line in status if line.startswith("VmHWM"))
        if "FL_SANITIZED" not in os.environ:
            self.assertLess(int(peak.split()[1]), 20 << 10, peak)

    def test_answer_before_the_end(self):
        toy = self.start()
        self.assertEqual(self.upload(toy, 3000000, "/images/load?fail=20000"),
                         {"message": "no space left on device"})

    def test_sized_body(self):
        toy = self.start()
        path = pathlib.Path(self.folder, "image.tar")
        path.write_bytes(bytes(5 << 20))
        self.assertEqual(toy.json("/images/load", "-X", "POST", "-T", str(path))[1], {"stream": str(5 << 20)})

    def test_client_gone(self):
        toy = self.start()
        with toy.connect() as client:
            client.sendall(b"POST /images/load HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n"
                           + b"x" * 500000)
        eventually(lambda: toy.counters()["Gone"] == 1, "the handler was told")


class HijackTest(ApiTest):
    HEAD = (b"POST /v1.41/exec/x/start HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n"
            b"Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}")

    def open(self, toy, behind=b""):
        client = toy.connect()
        client.sendall(self.HEAD + behind)
        head, _, rest = read_until(client, b"\r\n\r\n").partition(b"\r\n\r\n")
        headers = {line.lower() for line in head.split(b"\r\n")}
        self.assertTrue(head.startswith(b"HTTP/1.1 101"), head)
        self.assertLessEqual({b"connection: upgrade", b"upgrade: tcp", b"api-version: 1.41",
                              b"content-type: application/vnd.docker.raw-stream"}, headers)
        return client, rest

    def test_echo_and_half_close(self):
        toy = self.start()
        client, data = self.open(toy)
        with client:
            client.sendall(b"hello-in")
            while b"hello-in" not in data:
                data += client.recv(4096)
            client.shutdown(socket.SHUT_WR)
            data += read_all(client)
        self.assertEqual(frames(data), [(1, b"hello "), (1, b"hello-in"), (2, b"bye")])

    def test_bytes_behind_the_head(self):
        toy = self.start()
        client, data = self.open(toy, b"at once")
        with client:
            client.shutdown(socket.SHUT_WR)
            data += read_all(client)
        self.assertEqual(b"".join(piece for _, piece in frames(data)), b"hello at oncebye")

    def test_back_pressure(self):
        """What is sent into one that is not read stops somewhere, and is all there in the end."""
        toy = self.start()
        client, data = self.open(toy)
        sent = bytes(random.Random(SEED).randbytes(4 << 20))

        def send():
            client.sendall(sent)
            client.shutdown(socket.SHUT_WR)

        with client:
            sender = threading.Thread(target=send)
            sender.start()
            eventually(lambda: toy.counters()["Refused"] > 0, "the echo was refused")
            data += read_all(client)
            sender.join()
        echoed = b"".join(piece for stream, piece in frames(data) if stream == 1)
        self.assertTrue(echoed == b"hello " + sent, f"FL_SEED={SEED}: {len(echoed)} bytes")
        self.assertGreater(toy.counters()["Drained"], 0)

    def test_client_gone(self):
        toy = self.start()
        client, _ = self.open(toy)
        with client:
            client.sendall(bytes(1 << 16))
            eventually(lambda: select.select([client], [], [], 0)[0], "something came back")
        # It left what it was sent unread: a write fails, or the end is read; either ends it.
        eventually(lambda: toy.counters()["Connections"] == 1, "the connection is closed")

    def test_stop_in_the_middle(self):
        toy = self.start()
        clients = [self.open(toy)[0] for _ in range(3)]
        self.assertEqual(toy.end(), 0)
        for client in clients:
            read_all(client)
            client.close()

    def test_stop_while_the_end_is_on_its_way(self):
        """The handler has ended; what it wrote waits for a client that does not read."""
        toy = self.start()
        client, _ = self.open(toy)
        with client:
            client.sendall(bytes(300000))
            client.shutdown(socket.SHUT_WR)
            eventually(lambda: toy.counters()["Ended"] == 1, "the handler has ended")
            self.assertEqual(toy.counters()["Requests"], 2, "it is still being sent")
            self.assertEqual(toy.end(), 0, toy.said())

    def test_no_upgrade(self):
        toy = self.start()
        self.assertError(toy.curl("/exec/x/start", "-X", "POST"), 400, "no upgrade wanted")


class LimitsTest(ApiTest):
    def test_late_clients(self):
        toy = self.start(timeout_s=1)
        with contextlib.ExitStack() as stack:
            for begun in (b"", b"GET", b"GET /_ping HTTP/1.1\r\nHost:",
                          b"POST /toy/json HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                          b"Content-Length: 10\r\n\r\n{", b"GET /_ping HTTP/1.1\r\nHost: x\r\n\r\n"):
                client = stack.enter_context(toy.connect())
                client.sendall(begun)
                read_all(client)  # returns when it is closed
        eventually(lambda: toy.counters()["Connections"] == 1, "they are closed")

    def test_a_byte_now_and_then_is_late_too(self):
        toy = self.start(timeout_s=1)
        for head in (b"GET /_ping HTTP/1.1\r\nX: ",
                     b"POST /toy/json HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                     b"Content-Length: 1000000\r\n\r\n"):
            with toy.connect() as client, contextlib.suppress(BrokenPipeError, ConnectionResetError):
                client.sendall(head)
                deadline = time.monotonic() + PATIENCE_S
                while time.monotonic() < deadline:
                    client.sendall(b"y")
                    time.sleep(0.1)
                self.fail("a client may be late for ever")
        self.assertEqual(toy.counters()["Late"], 2)

    def test_a_handler_may_take_its_time(self):
        toy = self.start(timeout_s=1)
        self.assertEqual(toy.json("/toy/later?ms=3000"), (200, {"Later": True}))

    def test_too_many_connections(self):
        toy = self.start(connections=20)
        with contextlib.ExitStack() as stack:
            clients = [stack.enter_context(toy.connect()) for _ in range(40)]
            for client in clients:
                with contextlib.suppress(BrokenPipeError):
                    client.sendall(b"GET /_ping HTTP/1.1\r\nHost: x\r\n\r\n")
            answered = 0
            for client in clients[:20]:
                answered += read_until(client, b"OK").startswith(b"HTTP/1.1 200")
            self.assertEqual(answered, 20)
        eventually(lambda: toy.counters()["Connections"] == 1, "there is room again")

    def test_out_of_descriptors(self):
        """Those that are too many wait, or are closed; when the others have gone all is well."""
        toy = self.start(files=30)
        with contextlib.ExitStack() as stack:
            clients = [stack.enter_context(toy.connect()) for _ in range(60)]
            for client in clients:
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    client.sendall(HijackTest.HEAD)
            read_until(clients[0], b"HTTP/1.1 101")
            eventually(lambda: "resource limit" in toy.said(), "there are none left")
        eventually(lambda: toy.counters()["Connections"] == 1, "there is room again")

    def test_parallel(self):
        toy = self.start()
        failures = []

        def ask(number):
            try:
                with toy.connect() as client:
                    for turn in range(5):
                        client.sendall(b"GET /toy/later?ms=%d HTTP/1.1\r\nHost: x\r\n\r\n"
                                       % ((number + turn) % 7))
                        read_until(client, b'{"Later":true}\n')
            except (OSError, AssertionError) as error:
                failures.append(error)

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(200)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])
        self.assertEqual(toy.counters()["Total"], 1001)

    def test_half_requests(self):
        """A request that ends anywhere, for good or for a while, is nothing special."""
        toy = self.start()
        whole = (b"POST /v1.41/toy/json?x=1 HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                 b"Connection: close\r\nContent-Length: 9\r\n\r\n{\"a\": [1]}"[:-1])
        for end in range(len(whole)):
            with toy.connect() as client:
                client.sendall(whole[:end])
        for end in range(0, len(whole), 7):
            with toy.connect() as client:
                client.sendall(whole[:end])
                toy.connect().close()
                client.sendall(whole[end:])
                self.assertIn(b"HTTP/1.1 400", read_all(client))
        eventually(lambda: toy.counters()["Connections"] == 1, "all are closed")
        self.assertEqual(toy.counters()["Requests"], 1)

    def test_garbage(self):
        toy = self.start()
        generator = random.Random(SEED)
        heads = (b"", b"GET ", b"GET / HTTP/1.1\r\n", b"POST /toy/json HTTP/1.1\r\nTransfer-Encoding: "
                 b"chunked\r\nContent-Type: application/json\r\n\r\n", b"GET /toy/echo/x?",
                 b"POST /toy/json HTTP/1.1\r\nContent-Length: ", HijackTest.HEAD)
        for turn in range(300):
            with toy.connect() as client, contextlib.suppress(BrokenPipeError, ConnectionResetError):
                client.sendall(heads[turn % len(heads)] +
                               generator.randbytes(generator.randrange(1, 2000)) + b"\r\n\r\n")
                client.shutdown(socket.SHUT_WR)
                if turn % 3:
                    read_all(client)
        self.assertEqual(toy.curl("/_ping")[0], 200, f"FL_SEED={SEED}")
        eventually(lambda: toy.counters()["Connections"] == 1, f"all are closed; FL_SEED={SEED}")

    def test_smuggling(self):
        """Two lengths: whatever is said of it, what is behind is no second request."""
        toy = self.start()
        with toy.connect() as client:
            client.sendall(b"POST /toy/echo/x HTTP/1.1\r\nHost: x\r\nContent-Length: 40\r\n"
                           b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
                           b"0\r\n\r\nGET /toy/echo/smuggled HTTP/1.1\r\n\r\n")
            client.shutdown(socket.SHUT_WR)
            self.assertNotIn(b"smuggled", read_all(client))


class LifeTest(ApiTest):
    def test_socket(self):
        toy = self.start()
        status = os.lstat(toy.path)
        self.assertEqual(stat.S_IMODE(status.st_mode), 0o660)
        second = subprocess.run([TOY, toy.path], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                text=True, check=False, timeout=PATIENCE_S)
        self.assertEqual((second.returncode, second.stderr),
                         (1, f"{toy.path}: another daemon answers on this socket\n"))
        self.assertEqual(toy.curl("/_ping")[0], 200)
        self.assertEqual(toy.end(), 0)
        self.assertFalse(os.path.exists(toy.path))

    def test_stale_socket(self):
        toy = self.start()
        toy.end(signal.SIGKILL)
        toy.wait = lambda: 0
        self.assertTrue(os.path.exists(toy.path))
        self.assertEqual(self.start().curl("/_ping")[0], 200)

    def test_stop_with_all_at_work(self):
        """Of what is under way the handlers hear the end, and nothing is left."""
        toy = self.start()
        requests = (b"GET /events HTTP/1.1\r\nHost: x\r\n\r\n",
                    b"GET /toy/spin?bytes=1000000000 HTTP/1.1\r\nHost: x\r\n\r\n",
                    b"GET /toy/later?ms=100 HTTP/1.1\r\nHost: x\r\n\r\n",
                    b"POST /images/load HTTP/1.1\r\nHost: x\r\nContent-Length: 99999\r\n\r\nxxx",
                    b"POST /toy/json HTTP/1.1\r\nHost: x\r\nContent-Length: 99999\r\n\r\nxxx",
                    b"GET /toy/js", b"", HijackTest.HEAD)
        with contextlib.ExitStack() as stack:
            for request in requests * 3:
                stack.enter_context(toy.connect()).sendall(request)
            eventually(lambda: toy.counters()["Requests"] == 19, "they are at work")
            self.assertEqual(toy.end(), 0, toy.said())

    def test_stop_from_a_handler(self):
        toy = self.start()
        with contextlib.suppress(subprocess.CalledProcessError):
            toy.curl("/toy/stop", "-X", "POST")
        self.assertEqual(toy.wait(), 0)


@unittest.skipUnless(shutil.which("docker"), "no docker CLI here")
class DockerTest(ApiTest):
    def test_version(self):
        done = self.start().docker("version", "--format", "{{json .}}")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(json.loads(done.stdout)["Server"]["Platform"], {"Name": "Fairlead"})
        self.assertEqual(json.loads(done.stdout)["Client"]["ApiVersion"], "1.41")

    def test_refusals(self):
        toy = self.start()
        for words, said in ((("node", "ls"), "This node is not a swarm manager. Worker nodes can't be "
                             "used to view or modify cluster state. Please run this command on a "
                             "manager node or promote the current node to a manager."),
                            (("service", "ls"), "service ls: not implemented by Fairlead yet "
                             "(GET /services)")):
            done = toy.docker(*words)
            self.assertEqual((done.returncode, done.stderr), (1, f"Error response from daemon: {said}\n"))

    def test_events(self):
        done = self.start().docker("events", "--filter", "scope=swarm", "--since", "0")
        line = "2026-11-21T07:07:52.960678299Z service create gb4pclpy478oszkepydvvfhpe (name=web)\n"
        self.assertEqual((done.returncode, done.stdout), (0, line * 3))

    def test_exec(self):
        done = self.start().docker("exec", "-i", "toy", "cat", input="hello-in")
        self.assertEqual((done.returncode, done.stdout, done.stderr), (3, "hello hello-in", "bye"))

    def test_load(self):
        toy = self.start()
        path = pathlib.Path(self.folder, "image.tar")
        path.write_bytes(bytes(1 << 20))
        done = toy.docker("load", "-i", str(path))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(toy.counters()["Uploaded"], 1 << 20)


if __name__ == "__main__":
    TOY = sys.argv.pop(1)
    print(f"FL_SEED={SEED}")
    unittest.main()
