#!/usr/bin/env python3
# SPDX-License-Identifier: PostgreSQL
"""The golden segment index is found in its objects and says what it said; the objects decode.

Prints TAP. OBJTOOL and INDEXTOOL name the programs built from tests/support.
"""
import os
import subprocess
import sys
import tempfile

import golden_files

HERE = os.path.dirname(os.path.abspath(__file__))
KEYS = os.path.join(HERE, "format-1")
INDEX = os.path.join(HERE, "index-1")
FRONT = os.path.join(HERE, "front-1")


def read(path):
    with open(path, "rb") as file:
        return file.read()


def run(tool, *command):
    result = subprocess.run([os.environ[tool], *command], stdout=subprocess.PIPE, timeout=60)
    return result.stdout if result.returncode == 0 else b"failed"


def writer():
    for line in read(os.path.join(KEYS, "writer.key")).decode().splitlines():
        if line.startswith("# public key: "):
            return line.split(": ")[1].strip()
    raise SystemExit("writer.key does not say its public key")


def checks(scratch):
    """Yields (what, whether it holds)."""
    wanted = os.path.join(INDEX, "segment.index")
    yield "the index says what it said", \
        run("INDEXTOOL", "show", wanted) == read(os.path.join(INDEX, "segment.txt"))
    keys = ["--identity", os.path.join(KEYS, "identity.txt"), "--writer", writer()]
    name = golden_files.NAMES[golden_files.SEGMENT]
    for place, encryption in ((p, e) for p in (INDEX, FRONT) for e in golden_files.ENCRYPTIONS):
        what = f"{os.path.basename(place)}, {encryption}"
        path = os.path.join(place, f"{golden_files.SEGMENT}.lz4.{encryption}.obj")
        out = os.path.join(scratch, encryption)
        version = run("OBJTOOL", "index", *keys, path, out)
        yield f"{what}: the index is found", version == b"1\n" and read(out) == read(wanted)
        run("OBJTOOL", "unpack", *keys, "--name", name, "--system-id",
            str(golden_files.SYSTEM_ID), path, out)
        yield f"{what}: the file is behind it", read(out) == golden_files.segment()
        seal = run("OBJTOOL", "show", "--writer", writer(), path)
        known = os.path.join(place, f"{encryption}.seal")
        yield f"{what}: the seal says what it said", seal == read(known)


def main():
    results = []
    with tempfile.TemporaryDirectory() as scratch:
        for text, passed in checks(scratch):
            results.append(passed)
            print(f"{'ok' if passed else 'not ok'} {len(results)} - {text}")
    print(f"1..{len(results)}")
    return 0 if all(results) else 1


sys.exit(main())
