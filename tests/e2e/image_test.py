# SPDX-License-Identifier: BSD-2-Clause
"""
Images of one node, by the library in agent/image (fairlead-run drives it): archives, good and bad, and a real
registry.

    host1: fairlead-run, its state in /var/lib/fairlead; docker-registry on its loopback, port 5000
"""
import gzip
import http.server
import json
import pathlib
import shutil
import subprocess
import sys
import tarfile
import threading
import unittest

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parents[level]) for level in (0, 1)]
from lab import image, wait_for  # noqa: E402
from lab.image import entry  # noqa: E402
from node import Node  # noqa: E402
from support import inside  # noqa: E402

REGISTRY = "127.0.0.1:5000"
REGISTRY_CONFIG = """version: 0.1
storage: {{filesystem: {{rootdirectory: {folder}}}}}
http: {{addr: "127.0.0.1:5000"}}
log: {{level: error}}
"""


class Images(Node):
    def names(self):
        return sorted(name for found in self.fl("images")[0] for name in found["RepoTags"] or [])

    def blobs(self):
        return sorted(path.name for path in (self.state / "images/blobs/sha256").iterdir())

    def snapshot(self):
        """All that the store holds."""
        return self.names(), self.blobs(), sorted(path.name for path in (self.state / "images/layers").iterdir()), \
            list((self.state / "images/tmp").iterdir())

    def make(self, *layers, name="test:1", pack=False, **run):
        path = self.images / "test.tar"
        tars = [image.layer(entries) for entries in layers]
        image.save(path, [([name], image.config(tars, **run), tars)], pack)
        return path

    def load(self, *layers, **options):
        self.addCleanup(self.host.run, [*self.program, "rmi", "test:1", "force"], check=False)
        return self.fl("load", self.make(*layers, **options))[-1]

    def refused(self, path, says):
        """The archive is refused with these words, and nothing of it stays."""
        before = self.snapshot()
        self.assertIn(says, self.fails("load", path))
        self.assertEqual(self.snapshot(), before)

    # -- archives ------------------------------------------------------------------------------
    def test_save_archives(self):
        for pack in (False, True):
            with self.subTest(pack=pack):
                self.assertEqual(self.load(image.busybox_entries(), [entry("extra", "2")], pack=pack,
                                           Cmd=["cat", "/extra"]), ["Loaded image: test:1"])
                self.assertEqual(self.output(image="test:1"), "2")
                self.host.run([*self.program, "rmi", "test:1", "force"], check=False)

    def test_whole_archive_packed(self):
        path = self.make([entry("x", "1")])
        packed = self.images / "test.tar.gz"
        packed.write_bytes(gzip.compress(path.read_bytes()))
        self.addCleanup(self.fl, "rmi", "test:1")
        self.assertEqual(self.fl("load", packed)[-1], ["Loaded image: test:1"])

    def test_layout(self):
        path, tar = self.images / "layout.tar", image.layer(image.busybox_entries())
        image.layout(path, "fromlayout:7", image.config([tar], Cmd=["echo", "layout"]), [tar])
        self.assertEqual(self.fl("load", path)[-1], ["Loaded image: fromlayout:7"])
        self.assertEqual(self.output(image="fromlayout:7"), "layout")

    def test_inspect(self):
        found = self.fl("inspect", "web:1")[0]
        self.assertEqual(found["RepoTags"], ["web:1"])
        self.assertEqual(found["Config"]["Env"], ["PATH=/bin"])
        self.assertEqual(found["RootFS"]["Type"], "layers")
        self.assertEqual(found["Created"], "2026-11-21T07:02:13.683298509Z")
        for name in (found["Id"], found["Id"][7:19], "docker.io/library/web:1", "library/web:1"):
            self.assertEqual(self.fl("inspect", name)[0]["Id"], found["Id"])
        self.assertIn("No such image: absent", self.fails("inspect", "absent"))
        self.assertIn("No such image: nosuch:1",
                      self.fails("run", json.dumps({"id": "noimage", "image": "nosuch:1"})))

    # -- layers --------------------------------------------------------------------------------
    def test_whiteouts(self):
        self.load([*image.busybox_entries(), entry("d"), entry("d/old", "1"), entry("d/keep", "1"),
                   entry("o"), entry("o/old", "1"), entry("file", "1")],
                  [entry("d/.wh.old", ""), entry("o/.wh..wh..opq", ""), entry("o/new", "2"),
                   entry(".wh.file", ""), entry("file"), entry("file/inside", "2")],
                  [entry("d/top", "3")])
        self.assertEqual(self.output("sh", "-c", "cd /; ls d o file", image="test:1").split(),
                         "d: keep top file: inside o: new".split())

    def test_owners_modes_and_attributes(self):
        self.load(image.busybox_entries(), [
            entry("suid", "x", mode=0o4755, uid=5, gid=6), entry("hard", kind=tarfile.LNKTYPE, link="suid"),
            entry("pipe", kind=tarfile.FIFOTYPE)])
        said = self.output("sh", "-c", "cd /; stat -c '%a %u %g %h %Y' suid hard; test -p pipe && echo pipe",
                           image="test:1")
        self.assertEqual(said, "4755 5 6 2 1600000000\n4755 5 6 2 1600000000\npipe")

    def test_many_layers(self):
        self.load(image.busybox_entries(), *([entry(f"f{n}", str(n))] for n in range(126)))
        self.assertEqual(self.output("sh", "-c", "ls /f* | wc -l", image="test:1"), "126")

    def test_layers_that_are_refused(self):
        for bad, says in ((entry("../evil", "x"), "is not a path"),
                          (entry("a/../../evil", "x"), "is not a path"),
                          (entry("dev/sda", kind=tarfile.BLKTYPE, device=(8, 0)), "device node"),
                          (entry("null", kind=tarfile.CHRTYPE, device=(0, 0)), "device node"),
                          (entry("x", kind=tarfile.LNKTYPE, link="../../etc/passwd"), "hard link"),
                          (entry(".wh...", ""), "malformed whiteout")):
            with self.subTest(bad=bad[0].name):
                self.refused(self.make([entry("good", "1"), bad]), says)

    def test_layers_that_are_contained(self):
        outside = self.images / "outside"
        outside.mkdir(exist_ok=True)
        self.load(image.busybox_entries(), [
            entry("up", kind=tarfile.SYMTYPE, link="../../../../.."), entry("up/evil", "x"),
            entry("/abs", "x"), entry("self", kind=tarfile.SYMTYPE, link="/proc/self/root")])
        self.assertEqual(self.output("ls", "/evil", "/abs", image="test:1"), "/abs\n/evil")
        self.assertEqual(list(outside.iterdir()), [])

    def test_stranger_passwd_is_not_the_machines(self):
        """A link from the image's passwd to the machine's: read inside the image, where nothing is."""
        self.load([made for made in image.busybox_entries() if made[0].name != "etc/passwd"],
                  [entry("etc/passwd", kind=tarfile.SYMTYPE, link="/../../../../etc/shadow")])
        self.assertIn("unable to find user root",
                      self.fails("run", json.dumps({"id": "stranger", "image": "test:1", "user": "root"})))

    # -- archives that are refused -------------------------------------------------------------
    def test_diff_id_that_does_not_match(self):
        tar = image.layer([entry("x", "1")])
        description = image.config([tar])
        description["rootfs"]["diff_ids"] = ["sha256:" + "1" * 64]
        image.save(self.images / "test.tar", [(["test:1"], description, [tar])])
        self.refused(self.images / "test.tar", "and not sha256:1111")

    def test_other_archives_that_are_refused(self):
        path, tar = self.images / "test.tar", image.layer([entry("x", "1")])
        for what, says in ((lambda: image.save(path, [(["Bad Name"], image.config([tar]), [tar])]),
                            "invalid reference format"),
                           (lambda: image.save(path, [(["a:1"], b"{", [tar])]), "image config"),
                           (lambda: image.save(path, [(["a:1"], image.config([tar, tar]), [tar])]),
                            "layers length mismatch: expected 1, got 2"),
                           (lambda: path.write_bytes(b"no archive"), "archive:"),
                           (lambda: path.write_bytes(b""), "archive:"),
                           (lambda: path.write_bytes(image.layer([entry("x", "1")])), "has neither manifest.json"),
                           (lambda: path.write_bytes(image.layer([entry("manifest.json", "[")])), "is no JSON"),
                           (lambda: path.write_bytes(image.layer([entry(
                               "manifest.json", '[{"Config":"absent"}]')])), "which is not there"),
                           (lambda: path.write_bytes(image.layer([entry("../manifest.json", "[]")])),
                            "is not a path"),
                           (lambda: path.write_bytes(image.layer(
                               [entry("l", kind=tarfile.SYMTYPE, link="../../x")])), "leads out of it")):
            with self.subTest(says=says):
                what()
                self.refused(path, says)

    def test_truncated_archive(self):
        path = self.make(image.busybox_entries())
        whole = path.read_bytes()
        for part in (513, len(whole) // 2):
            path.write_bytes(whole[:part])
            self.refused(path, "archive:")

    # -- names and removal ---------------------------------------------------------------------
    def test_tag_and_remove(self):
        before = self.snapshot()
        self.fl("load", self.make([entry("x", "removal")]))
        self.fl("tag", "test:1", "other:2")
        self.assertIn("image is referenced in multiple repositories",
                      self.fails("rmi", self.fl("inspect", "test:1")[0]["Id"]))
        self.assertEqual(self.fl("rmi", "test:1")[0], [{"Untagged": "test:1"}])
        done = self.fl("rmi", "other:2")[0]
        self.assertEqual([list(line)[0] for line in done], ["Untagged", "Deleted", "Deleted"])
        self.assertEqual(self.snapshot(), before)

    def test_image_in_use_stays(self):
        self.load(image.busybox_entries(), [entry("used", "1")])
        container = self.run_it("sleep", "100", image="test:1", detach=True)
        self.assertIn(f"container {container['id']} is using its referenced image", self.fails("rmi", "test:1"))
        self.fl("stop", container["id"], "0")
        self.fl("rm", container["id"])
        self.fl("rmi", "test:1")

    def test_name_moves(self):
        self.load([entry("x", "1")])
        first = self.fl("inspect", "test:1")[0]["Id"]
        self.load([entry("x", "2")])
        second = self.fl("inspect", "test:1")[0]["Id"]
        self.assertNotEqual(first, second)
        self.assertEqual(self.fl("inspect", first)[0]["RepoTags"], [])
        self.fl("rmi", first)

    # -- the disk ------------------------------------------------------------------------------
    def test_leftovers_are_swept(self):
        tmp = self.state / "images/tmp"
        (tmp / "layer-half/root").mkdir(parents=True)
        (tmp / "blob-half").write_text("x")
        (self.state / "images/layers" / ("0" * 24) / "root").mkdir(parents=True)
        self.fl("images")
        self.assertEqual(list(tmp.iterdir()), [])
        self.assertFalse((self.state / "images/layers" / ("0" * 24)).exists())

    def test_damaged_index(self):
        index, kept = self.state / "images/index.json", self.images / "kept"
        shutil.copytree(self.state / "images", kept, symlinks=True, dirs_exist_ok=True)
        index.write_text('{"version":1,"images":[{"id"')
        self.assertEqual(self.fl("images"), [[]])
        self.assertTrue((self.state / "images/index.json.damaged").exists())
        self.fl("load", self.images / "web.tar")

    def test_damaged_config(self):
        self.load([entry("x", "damage")])
        found = self.fl("inspect", "test:1")[0]["Id"][7:]
        blob = self.state / "images/blobs/sha256" / found
        blob.chmod(0o600)
        blob.write_bytes(blob.read_bytes().replace(b"amd64", b"arm64"))
        self.assertNotIn("test:1", self.names())
        self.load([entry("x", "damage")])
        self.assertIn("test:1", self.names())

    def test_full_disk(self):
        """A small disk of its own: the words of the kernel, and no half image."""
        self.host.run("mkdir -p /tmp/small && mount -t tmpfs -o size=1m small /tmp/small")
        program = [*self.program, "--state", "/tmp/small"]
        shown = self.host.run([*program, "load", self.images / "web.tar"], check=False)
        self.assertEqual(shown.returncode, 1)
        self.assertIn("No space left on device", shown.stderr)
        self.assertEqual(self.host.output("ls /tmp/small/images/tmp /tmp/small/images/layers | grep -v :"), "")
        self.assertEqual(self.host.output([*program, "images"]), "[]")


class Registry(Node):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        config = cls.images / "registry.yml"
        config.write_text(REGISTRY_CONFIG.format(folder=cls.images / "registry"))
        cls.registry = cls.host.popen(["docker-registry", "serve", config], stdout=subprocess.DEVNULL,
                                       stderr=subprocess.DEVNULL)
        wait_for(lambda: cls.host.run(["curl", "-s", f"http://{REGISTRY}/v2/"], check=False).returncode == 0, 20,
                 "the registry")
        tar = image.layer([*image.busybox_entries(), entry("pulled", "pulled")])
        image.save(cls.images / "pushed.tar", [(["pushed:1"], image.config([tar], Cmd=["cat", "/pulled"]), [tar])])
        cls.host.run(["skopeo", "copy", "--insecure-policy", "--dest-tls-verify=false",
                      f"docker-archive:{cls.images / 'pushed.tar'}", f"docker://{REGISTRY}/app/web:1"])

    def test_pull_and_run(self):
        *progress, result = self.fl("pull", f"{REGISTRY}/app/web:1")
        self.assertEqual([event["status"] for event in progress if event["status"] != "Downloading"],
                         ["Pulling fs layer", "Download complete", "Pull complete"])
        self.assertTrue(result["fresh"])
        found = self.fl("inspect", f"{REGISTRY}/app/web:1")[0]
        self.assertEqual(found["RepoDigests"], [f"{REGISTRY}/app/web@{result['digest']}"])
        self.assertEqual(self.output(image=f"{REGISTRY}/app/web:1"), "pulled")
        *progress, result = self.fl("pull", f"{REGISTRY}/app/web:1")
        self.assertEqual([event["status"] for event in progress], ["Already exists"])
        self.assertFalse(result["fresh"])
        # As swarm's services have it: name, tag and digest.
        self.fl("pull", f"{REGISTRY}/app/web@{result['digest']}")
        self.assertEqual(self.fl("inspect", f"{REGISTRY}/app/web:1@{result['digest']}")[0]["Id"], found["Id"])

    def test_words_of_refusals(self):
        self.assertIn(f"manifest for {REGISTRY}/app/web:absent not found: manifest unknown: manifest unknown",
                      self.fails("pull", f"{REGISTRY}/app/web:absent"))
        self.assertIn(f"manifest for {REGISTRY}/absent:latest not found", self.fails("pull", f"{REGISTRY}/absent"))
        self.assertIn('Get "http://127.0.0.1:9/v2/x/manifests/latest"', self.fails("pull", "127.0.0.1:9/x"))
        self.assertIn("invalid reference format", self.fails("pull", "Bad Name"))

    def serve(self, answers):
        """A registry on loopback that gives these answers: {path: (status, body)}. Its port."""
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                status, body = answers.get(self.path, (404, b"{}"))
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                if status == 307:
                    self.send_header("Location", body.decode())
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass
        server = inside(self.host, lambda: http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(lambda: (server.shutdown(), server.server_close()))
        return server.server_port

    def lying(self, change):
        """Answers for web:1, as change(answers, names of config and layer) has them."""
        # A layer that no other lie has: what is there already is not fetched.
        tar = image.layer([entry("x", f"lie {next(self.ids)}")])
        config = json.dumps(image.config([tar])).encode()
        names = [image.digest(config), image.digest(tar)]
        manifest = {"schemaVersion": 2, "config": {"digest": names[0], "size": len(config)},
                    "layers": [{"digest": names[1], "size": len(tar)}]}
        answers = {f"/v2/web/blobs/{names[0]}": (200, config), f"/v2/web/blobs/{names[1]}": (200, tar)}
        change(manifest, answers, *names)
        answers.setdefault("/v2/web/manifests/1", (200, json.dumps(manifest).encode()))
        return f"127.0.0.1:{self.serve(answers)}/web:1"

    def test_registries_that_lie(self):
        def other_bytes(_, answers, config, layer):
            status, body = answers[f"/v2/web/blobs/{layer}"]
            answers[f"/v2/web/blobs/{layer}"] = (status, body.replace(b"lie", b"LIE"))

        def more_bytes(_, answers, config, layer):
            answers[f"/v2/web/blobs/{layer}"] = (200, answers[f"/v2/web/blobs/{layer}"][1] + b"x")

        def fewer_bytes(manifest, answers, config, layer):
            answers[f"/v2/web/blobs/{layer}"] = (200, answers[f"/v2/web/blobs/{layer}"][1][:-1])

        def huge_manifest(_, answers, *__):
            answers["/v2/web/manifests/1"] = (200, b" " * (5 << 20))

        def denied(_, answers, *__):
            answers["/v2/web/manifests/1"] = (401, b'{"errors":[{"code":"UNAUTHORIZED","message":"authentication '
                                                   b'required"}]}')

        def no_platform(_, answers, *__):
            answers["/v2/web/manifests/1"] = (200, b'{"manifests":[{"digest":"sha256:%s","size":1,"platform":'
                                                   b'{"os":"plan9","architecture":"amd64"}}]}' % (b"1" * 64))

        def to_a_file(_, answers, config, layer):
            answers[f"/v2/web/blobs/{layer}"] = (307, b"file:///etc/passwd")
        for change, says in ((other_bytes, "filesystem layer verification failed for digest sha256:"),
                             (more_bytes, "content is longer than"),
                             (fewer_bytes, "bytes where the manifest says"),
                             (huge_manifest, "larger than 4 MiB"),
                             (denied, "repository does not exist or may require 'docker login'"),
                             (no_platform, "no matching manifest for linux/"),
                             (to_a_file, 'Protocol "file" not supported')):
            with self.subTest(change=change.__name__):
                before = self.fl("images")
                self.assertIn(says, self.fails("pull", self.lying(change)))
                self.assertEqual(self.fl("images"), before)
                self.assertEqual(list((self.state / "images/tmp").iterdir()), [])

    def test_honest_one(self):
        """That the bed of the lies gives a good image where nothing is changed."""
        self.assertTrue(self.fl("pull", self.lying(lambda *_: None))[-1]["fresh"])

    def test_digest_pins_the_manifest(self):
        port = self.serve({"/v2/web/manifests/sha256:" + "1" * 64: (200, b"{}")})
        self.assertIn("manifest verification failed for digest sha256:1111",
                      self.fails("pull", f"127.0.0.1:{port}/web@sha256:" + "1" * 64))


if __name__ == "__main__":
    unittest.main()
