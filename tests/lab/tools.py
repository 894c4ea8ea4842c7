# SPDX-License-Identifier: BSD-2-Clause
"""The lab's own small programs and the tasks' root file system: built once, shared by all labs."""
import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
BUILD = pathlib.Path(os.environ.get("FAIRLEAD_BUILD", ROOT / "build")).resolve()
SOURCES = ("hold.c", "udpecho.c", "flows.c")
NGINX = pathlib.Path("/usr/sbin/nginx")
BUSYBOX = pathlib.Path("/bin/busybox")
FOLDERS = ("bin", "data", "dev", "etc/nginx", "proc", "run", "static", "sys", "tmp", "usr/sbin",
           "var/lib/nginx", "var/log/nginx")


def prepare(fallback):
    """
    Returns the folder that holds the programs (hold, udpecho, flows) and rootfs/. It lies in the
    build folder under a name made from its inputs, or in `fallback` where nothing is built yet.
    """
    parent = BUILD if BUILD.is_dir() else pathlib.Path(fallback)
    ready = parent / f"lab-{_fingerprint()}"
    if ready.is_dir():
        return ready
    work = pathlib.Path(tempfile.mkdtemp(prefix="lab-new-", dir=parent))
    try:
        os.chmod(work, 0o755)
        _compile(work)
        _make_rootfs(work / "rootfs", work / "udpecho")
        _publish(work, ready)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return ready


def _publish(work, ready):
    try:
        work.rename(ready)  # atomic: another lab sees all of it or nothing
    except OSError:
        if not ready.is_dir():  # else another lab was faster, with the same result
            raise


def _fingerprint():
    digest = hashlib.sha256()
    for path in (HERE / "tools.py", *(HERE / source for source in SOURCES)):
        digest.update(path.read_bytes())
    for path in (NGINX, BUSYBOX):
        status = path.stat()
        digest.update(f"{path} {status.st_size} {status.st_mtime_ns}".encode())
    return digest.hexdigest()[:16]


def _compile(folder):
    compilers = [subprocess.Popen(["gcc", "-static", "-O2", "-s", "-Wall", "-Wextra", "-D_GNU_SOURCE",
                                   "-o", folder / source.removesuffix(".c"), HERE / source])
                 for source in SOURCES]
    if any([compiler.wait() for compiler in compilers]):
        raise RuntimeError("the lab's programs do not compile")


def _make_rootfs(rootfs, udpecho):
    """nginx with the libraries it needs, busybox for a shell, the UDP echo; nothing else."""
    for folder in FOLDERS:
        (rootfs / folder).mkdir(parents=True)
    for path in _libraries(NGINX):
        target = rootfs / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, target)
    shutil.copy2(NGINX, rootfs / "usr/sbin/nginx")
    shutil.copy2(udpecho, rootfs / "bin/udpecho")
    shutil.copy2(BUSYBOX, rootfs / "bin/busybox")
    for name in subprocess.check_output([BUSYBOX, "--list"], text=True).split():
        link = rootfs / "bin" / name
        if not link.exists():
            link.symlink_to("busybox")
    (rootfs / "etc/passwd").write_text("root:x:0:0:root:/:/bin/sh\nnobody:x:65534:65534:::\n")
    (rootfs / "etc/group").write_text("root:x:0:\nnogroup:x:65534:\n")
    (rootfs / "etc/hosts").write_text("127.0.0.1 localhost\n")
    (rootfs / "etc/resolv.conf").write_text("")
    shutil.copy2("/etc/nginx/mime.types", rootfs / "etc/mime.types")


def _libraries(program):
    output = subprocess.check_output(["ldd", program], text=True)
    return sorted(set(re.findall(r"(/\S+) \(0x", output)))
