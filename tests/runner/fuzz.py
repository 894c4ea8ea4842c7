# SPDX-License-Identifier: BSD-2-Clause
"""
tests/fuzz/*_fuzz.c: each is built by clang with libFuzzer and runs for a while, from its corpus in
tests/fuzz/corpus/NAME. An input that fails is kept under build/fuzz.
"""
import concurrent.futures
import os
import pathlib
import shutil
import subprocess
import tempfile

from . import command
from .report import Result

ROOT = pathlib.Path(command.ROOT)
SOURCES = ROOT / "tests/fuzz"
SECONDS = int(os.environ.get("FL_FUZZ_SECONDS", 20))
FLAGS = ["-g", "-O1", "-std=gnu11", "-D_GNU_SOURCE", '-DFL_VERSION="fuzz"', "-fno-strict-aliasing",
         "-fno-sanitize-recover=all"]
SANITIZERS = "address,undefined"
# Pure code only, into an archive: the linker takes what a target needs of it.
LIBRARY = ("lbtables/*.c", "agent/mesh*.c", "agent/json_*.c", "agent/names.c", "agent/tree.c", "control/*.c",
           "control/ca/*.c", "raft/*.c",
           *(f"agent/image/{name}.c" for name in ("digest", "reference", "manifest", "image_config", "layer",
                                                  "layer_entry")),
           *(f"agent/container/{name}.c" for name in ("log_entry", "passwd")),
           *(f"control/api/{name}.c" for name in ("version", "escape", "path", "query", "filters",
                                                  "json_text", "frame", "route")),
           "tests/unit/raft/fake_*.c")
INCLUDES = ("lbtables", "agent", "agent/image", "agent/container", "control", "control/ca", "dataplane", "bpf",
            "perf", "raft", "tests/unit/lbtables", "tests/unit/bpf", "tests/unit/raft")
PROTO = ("control/proto", "raft/proto")  # .proto files: compiled by protoc-c first
PACKAGES = ("liburcu", "jansson", "libcrypto", "libprotobuf-c", "libarchive")
MEMORY_MIB_MAX = 2048


def find_compiler():
    """A clang that has libFuzzer's runtime, or None."""
    for name in ("clang-16", "clang-19", "clang", "clang-14"):
        path = shutil.which(name)
        if path and _links(path):
            return path
    return None


def _links(compiler):
    with tempfile.TemporaryDirectory() as folder:
        source = pathlib.Path(folder) / "empty.c"
        source.write_text("int LLVMFuzzerTestOneInput(const char *data, unsigned long size);\n"
                          "int LLVMFuzzerTestOneInput(const char *data, unsigned long size)\n"
                          "{ return data == 0 && size > 9; }\n")
        return command.run([compiler, f"-fsanitize=fuzzer,{SANITIZERS}", source, "-o",
                            source.with_suffix("")], 60).ok


def run_targets(word, build):
    targets = [path for path in sorted(SOURCES.glob("*_fuzz.c")) if word in f"fuzz/{path.stem}"]
    if not targets:
        return
    compiler = find_compiler()
    if compiler is None:
        for path in targets:
            yield Result(f"fuzz/{path.stem}", "skipped", 0, "no clang with libFuzzer's runtime")
        return
    folder = build / "fuzz"
    folder.mkdir(exist_ok=True)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        _make_proto(folder)
        archive = _make_archive(compiler, folder, pool)
        yield from pool.map(lambda path: _run(path, compiler, folder, archive), targets)


def _make_proto(folder):
    (folder / "proto").mkdir(exist_ok=True)
    for name in PROTO:
        command.run(["protoc-c", f"--proto_path={ROOT / name}", f"--c_out={folder / 'proto'}",
                     *sorted((ROOT / name).glob("*.proto"))], 60)


def _flags(folder):
    packages = subprocess.run(["pkg-config", "--cflags", *PACKAGES], stdout=subprocess.PIPE, text=True)
    return [*FLAGS, *(f"-I{ROOT / name}" for name in INCLUDES), f"-I{folder / 'proto'}",
            *packages.stdout.split()]


def _make_archive(compiler, folder, pool):
    sources = [path for pattern in LIBRARY for path in sorted(ROOT.glob(pattern))]
    sources += sorted((folder / "proto").glob("*.c"))
    ccache = [shutil.which("ccache")] if shutil.which("ccache") else []

    def compile_one(source):
        target = folder / f"{source.parent.name}-{source.stem}.o"
        outcome = command.run([*ccache, compiler, *_flags(folder), f"-fsanitize=fuzzer-no-link,{SANITIZERS}",
                               "-c", source, "-o", target], 120)
        return target if outcome.ok else None  # a target that misses it says so when it is linked

    objects = [path for path in pool.map(compile_one, sources) if path]
    archive = folder / "library.a"
    archive.unlink(missing_ok=True)
    command.run(["ar", "rcs", archive, *objects], 60)
    return archive


def _run(path, compiler, folder, archive):
    name, program = f"fuzz/{path.stem}", folder / path.stem
    libraries = subprocess.run(["pkg-config", "--libs", *PACKAGES], stdout=subprocess.PIPE, text=True)
    built = command.run([compiler, *_flags(folder), f"-fsanitize=fuzzer,{SANITIZERS}", path, archive, "-o",
                         program, *libraries.stdout.split(), "-lm", "-lpthread"], 120)
    if not built.ok:
        return Result(name, "failed", built.seconds, built.output)
    with tempfile.TemporaryDirectory() as new:  # libFuzzer writes what it finds into the first folder
        corpus = SOURCES / "corpus" / path.stem.removesuffix("_fuzz")
        outcome = command.run(
            [program, f"-max_total_time={SECONDS}", "-timeout=10", f"-rss_limit_mb={MEMORY_MIB_MAX}",
             f"-artifact_prefix={folder}/{path.stem}-", new, *([corpus] if corpus.is_dir() else [])],
            SECONDS + 60)
    return Result(name, "passed" if outcome.ok else "failed", built.seconds + outcome.seconds,
                  outcome.output)
