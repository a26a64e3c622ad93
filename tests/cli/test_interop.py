#!/usr/bin/env python3
# SPDX-License-Identifier: PostgreSQL
"""Objects are read by age, lz4 and zstd alone, and by us only when they are what they claim.

Prints TAP. OBJTOOL names the program built from tests/support/objtool.c.
"""
import os
import random
import subprocess
import sys
import tempfile

OBJTOOL = os.environ["OBJTOOL"]
NAME = "main/7413305566020948123/wal/00000001/00000000/000000010000000000000007"
SYSTEM_ID = "7413305566020948123"
DECODERS = {"none": ["lz4", "-dc"], "lz4": ["lz4", "-dc"], "zstd": ["zstd", "-dc"]}


def run(*command, **options):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          timeout=60, **options).stdout


def fails(*command):
    return subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                          timeout=60).returncode != 0


def contents():
    """Files that look like what is stored, and the sizes where chunks and blocks end."""
    source = random.Random(7)
    page = bytes(source.randrange(256) for _ in range(512)) + bytes(7680)
    yield "empty", b""
    yield "history", b"1\t0/3000000\tno recovery target specified\n\n"
    yield "chunk", source.randbytes(65536 - 64)
    yield "block", source.randbytes(256 * 1024 + 1)
    yield "mixed", (page * 100 + source.randbytes(100000)) * 4


class Bench:
    """A directory with keys, and the steps every check is made of."""

    def __init__(self, directory):
        self.directory = directory
        self.writer = self.path("writer.key")
        self.public = run(OBJTOOL, "keygen", self.writer).decode().strip()
        self.identities = [self.path("first.txt"), self.path("second.txt"), self.path("other.txt")]
        for identity in self.identities:
            run("age-keygen", "-o", identity)
        self.recipients = [run("age-keygen", "-y", identity).decode().strip()
                           for identity in self.identities]

    def path(self, name):
        return os.path.join(self.directory, name)

    def write(self, name, content):
        with open(self.path(name), "wb") as file:
            file.write(content)
        return self.path(name)

    def pack(self, content, compression, recipients, level="0"):
        options = ["--none"] if not recipients else []
        for recipient in recipients:
            options += ["--recipient", recipient]
        source = self.write("plain", content)
        run(OBJTOOL, "pack", "--compression", compression, "--level", level, *options, "--writer",
            self.writer, "--name", NAME, "--system-id", SYSTEM_ID, source, self.path("object"))
        return self.path("object")

    def unpack_command(self, *identities):
        options = [part for identity in identities for part in ("--identity", identity)]
        return [OBJTOOL, "unpack", *options, "--writer", self.public, "--name", NAME,
                "--system-id", SYSTEM_ID, self.path("object"), self.path("back")]

    def unpack(self, *identities):
        run(*self.unpack_command(*identities))
        with open(self.path("back"), "rb") as file:
            return file.read()


def decode(compression, content):
    return run(*DECODERS[compression], input=content)


def checks(bench):
    for kind, content in contents():
        for compression in DECODERS:
            item = bench.pack(content, compression, [])
            with open(item, "rb") as file:
                stored = file.read()
            yield f"{kind}, {compression}, unencrypted: {DECODERS[compression][0]} reads it", \
                decode(compression, stored) == content
            yield f"{kind}, {compression}, unencrypted: unpack reads it", \
                bench.unpack() == content

            item = bench.pack(content, compression, bench.recipients[:2])
            for identity in bench.identities[:2]:
                payload = run("age", "-d", "-i", identity, item)
                yield f"{kind}, {compression}: age and {DECODERS[compression][0]} read it with " \
                      f"{os.path.basename(identity)}", decode(compression, payload) == content
                yield f"{kind}, {compression}: unpack reads it with {os.path.basename(identity)}", \
                    bench.unpack(identity) == content
            yield f"{kind}, {compression}: age refuses another identity", \
                fails("age", "-d", "-i", bench.identities[2], item)
            yield f"{kind}, {compression}: unpack refuses another identity", \
                fails(*bench.unpack_command(bench.identities[2]))

    content = dict(contents())["mixed"]
    for compression, level in (("lz4", "1"), ("lz4", "9"), ("lz4", "19"), ("zstd", "3"),
                               ("zstd", "19")):
        item = bench.pack(content, compression, bench.recipients[:1], level)
        payload = run("age", "-d", "-i", bench.identities[0], item)
        yield f"{compression} level {level}: age and {DECODERS[compression][0]} read it", \
            decode(compression, payload) == content
        yield f"{compression} level {level}: unpack reads it", \
            bench.unpack(bench.identities[0]) == content

    bench.pack(content, "lz4", bench.recipients)
    yield "one of several identities opens it", bench.unpack(*bench.identities[1:]) == content


def main():
    count = 0
    good = True
    with tempfile.TemporaryDirectory() as directory:
        for text, passed in checks(Bench(directory)):
            count += 1
            good = good and passed
            print(f"{'ok' if passed else 'not ok'} {count} - {text}")
    print(f"1..{count}")
    return 0 if good else 1


sys.exit(main())
