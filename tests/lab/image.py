# SPDX-License-Identifier: BSD-2-Clause
"""Images made here: no registry is asked. A layer is a list of entries, an image a list of layers."""
import gzip
import hashlib
import io
import json
import pathlib
import subprocess
import tarfile

BUSYBOX = pathlib.Path("/bin/busybox")


def entry(name, data=None, kind=None, mode=0o755, link="", uid=0, gid=0, device=(0, 0), pax=None):
    """A member of a layer: (TarInfo, bytes). data makes it a file; kind: a letter of tarfile's types."""
    info = tarfile.TarInfo(name)
    info.type = kind or (tarfile.REGTYPE if data is not None else tarfile.DIRTYPE)
    info.mode, info.uid, info.gid, info.linkname = mode, uid, gid, link
    info.devmajor, info.devminor = device
    info.mtime = 1_600_000_000
    info.pax_headers = pax or {}
    data = data.encode() if isinstance(data, str) else data or b""
    info.size = len(data)
    return info, data


def layer(entries):
    """The tar of a layer."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for info, data in entries:
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def busybox_entries():
    """A root with busybox and its commands, and a few users."""
    names = subprocess.check_output([BUSYBOX, "--list"], text=True).split()
    folders = ("bin", "etc", "tmp", "www", "data")
    return [*(entry(name) for name in folders),
            entry("bin/busybox", BUSYBOX.read_bytes()),
            *(entry(f"bin/{name}", kind=tarfile.SYMTYPE, link="busybox") for name in names
              if name != "busybox"),
            entry("etc/passwd", "root:x:0:0:root:/root:/bin/sh\nweb:x:1000:1001::/www:/bin/sh\n", mode=0o644),
            entry("etc/group", "root:x:0:\nweb:x:1001:\nextra:x:1002:web\n", mode=0o644),
            entry("www/index.html", "hello\n", mode=0o644),
            entry("data/seed", "from the image\n", mode=0o600, uid=1000, gid=1001)]


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def config(layers, **run):
    """An image's config; run: its "config" member."""
    return {"architecture": "amd64", "os": "linux", "created": "2026-11-21T07:02:13.683298509Z",
            "config": {"Env": ["PATH=/bin"], **run},
            "rootfs": {"type": "layers", "diff_ids": [digest(tar) for tar in layers]}}


def save(path, images, pack=False):
    """
    Writes what `docker save` writes. images: [(names, config, [layer tars])]; pack: layers by gzip. A config
    may be a dictionary or bytes.
    """
    manifest, files = [], {}
    for names, description, layers in images:
        text = description if isinstance(description, bytes) else json.dumps(description).encode()
        config_name = hashlib.sha256(text).hexdigest() + ".json"
        files[config_name] = text
        paths = []
        for tar in layers:
            data = gzip.compress(tar, mtime=0) if pack else tar
            paths.append(hashlib.sha256(data).hexdigest() + "/layer.tar")
            files[paths[-1]] = data
        manifest.append({"Config": config_name, "RepoTags": names, "Layers": paths})
    files["manifest.json"] = json.dumps(manifest).encode()
    _write(path, files)


def layout(path, name, description, layers, pack=True, tamper=None):
    """Writes an OCI image layout as a tar. tamper(files) may change it before."""
    blobs = {}

    def blob(data):
        blobs[digest(data)] = data
        return {"digest": digest(data), "size": len(data)}
    config_blob = {"mediaType": "application/vnd.oci.image.config.v1+json",
                   **blob(json.dumps(description).encode())}
    manifest = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "config": config_blob,
                "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
                            **blob(gzip.compress(tar, mtime=0) if pack else tar)} for tar in layers]}
    described = {"mediaType": manifest["mediaType"], **blob(json.dumps(manifest).encode()),
                 "annotations": {"org.opencontainers.image.ref.name": name}}
    files = {"oci-layout": b'{"imageLayoutVersion":"1.0.0"}',
             "index.json": json.dumps({"schemaVersion": 2, "manifests": [described]}).encode(),
             **{"blobs/" + name.replace(":", "/"): data for name, data in blobs.items()}}
    if tamper:
        tamper(files)
    _write(path, files)


def _write(path, files):
    with tarfile.open(path, "w") as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))


def busybox(path, name="web:1", **run):
    """An image with busybox at `path`, as docker save has it."""
    tar = layer(busybox_entries())
    save(path, [([name], config([tar], **run), [tar])])
    return path
