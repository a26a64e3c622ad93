# SPDX-License-Identifier: PostgreSQL
"""How plans and events scale with the archive. Run by hand, asserts no time:

    SEAWALL_BIN=build python3 tests/bench/plan_scale.py [--counts 1000,10000,100000] [--s3 10000]

Makes an archive of WAL that no server wrote (tests/support/madearchive.c), one backup at its
beginning, a segment a minute, and prints for each command what it needs: time, processor, memory,
requests, bytes read. --s3 N puts the archive of N segments, one of the counts, into a local
radosgw too. Takes 8 KiB of disk a
segment below SEAWALL_TMP (/tmp), and removes it. As root it becomes another user first.
"""
import argparse
import concurrent.futures
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

TOP = pathlib.Path(__file__).resolve().parents[2]
os.environ["SEAWALL_BIN"] = os.path.abspath(os.environ.get("SEAWALL_BIN", "build"))
sys.path.insert(0, str(TOP / "tests" / "support"))

import crafted  # noqa: E402  (after the path)
import radosgw  # noqa: E402
import seawall  # noqa: E402
import tap  # noqa: E402

FIRST = 5
MINUTE = 60
MIB = 1 << 20


class Bench(tap.Check):
    def __init__(self, directory):
        super().__init__("bench", pathlib.Path(directory))


def make(bench, count, began):
    """Directory store "a" with so many segments, in two processes."""
    archive = crafted.Archive(bench, "a", system_id=seawall.SYSTEM_ID)
    half = count // 2
    makers = []
    for first, n in ((FIRST, half), (FIRST + half, count - half)):
        makers.append(subprocess.Popen([
            seawall.program("madearchive"), "--writer", str(archive.setup.dir / "writer.key"),
            "--recipient", archive.setup.recipient, "--cluster", "main", "--system-id",
            str(seawall.SYSTEM_ID), "--first", str(first), "--count", str(n), "--created",
            str((began + (first - FIRST) * MINUTE) * 1000000), "--step", str(MINUTE * 1000000),
            str(bench.dir / "a")]))
    if any([maker.wait() for maker in makers]):
        raise tap.Failure("madearchive failed")
    label = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(began))
    archive.backup(label, FIRST)
    return archive


def text_of(seconds):
    return time.strftime("%Y-%m-%d %H:%M:%S+00", time.gmtime(seconds))


def commands(count, began):
    """What is measured: its name and its arguments."""
    end = began + count * MINUTE
    return (("plan --latest", "seawall-plan", "--latest"),
            ("plan --time", "seawall-plan", "--time", text_of(end - 30 * MINUTE)),
            ("events", "seawall-events"))


def measured(setup, name, *arguments):
    """Seconds, processor seconds, peak of the resident set in bytes, and the JSON printed. Each is
    measured by a process of its own, for rusage is never below the peak of who asks."""
    script = ("import os, resource, subprocess, sys, time\n"
              "began = time.monotonic()\n"
              "code = subprocess.call(sys.argv[1:])\n"
              "use = resource.getrusage(resource.RUSAGE_CHILDREN)\n"
              "print('measured', code, time.monotonic() - began, use.ru_utime + use.ru_stime,\n"
              "      use.ru_maxrss * 1024, file=sys.stderr)\n")
    result = tap.run([sys.executable, "-c", script] + setup.argv(name, "--json", *arguments),
                     timeout=3000)
    match = re.search(r"measured (\d+) (\S+) (\S+) (\d+)\n", result.err)
    if not match or match[1] != "0":
        raise tap.Failure("%s: %s" % (name, result.err))
    return float(match[2]), float(match[3]), int(match[4]), json.loads(result.out)


def traffic(setup, name, *arguments):
    """Reads of objects in a directory store and their bytes: only these are made by pread."""
    if not shutil.which("strace"):
        return None
    log = setup.dir / "strace"
    tap.run(["strace", "-f", "-q", "-o", log, "-e", "trace=pread64", *setup.argv(
        name, "--json", *arguments)], timeout=3000)
    with open(log, encoding="utf-8", errors="replace") as lines:
        sizes = [int(size) for size in re.findall(r"pread64.* = (\d+)\n", lines.read())]
    log.unlink()
    return len([size for size in sizes if size > 0]), sum(sizes)


def row(store, count, name, use, moved):
    seconds, cpu, memory, _ = use
    requests, total = ("%d" % moved[0], "%.1f MiB" % (moved[1] / MIB)) if moved else ("", "")
    print("| %s | %d | `%s` | %.2f s | %.2f s | %.0f MiB | %s | %s |" % (
        store, count, name, seconds, cpu, memory / MIB, requests, total), flush=True)


def measure(store, setup, count, began, with_traffic):
    for name, *argv in commands(count, began):
        measured(setup, *argv)
        use = measured(setup, *argv)
        moved = traffic(setup, *argv) if with_traffic else None
        if moved is None and "requests" in use[3]:
            moved = use[3]["requests"], use[3]["bytes_read"]
        row(store, count, name, use, moved)


def upload(gateway, bench, bucket):
    """The directory store's objects, by several connections."""
    names = seawall.stored(bench.dir / "a")

    def some(part):
        client = gateway.s3()
        for name in part:
            client.put(bucket, name, (bench.dir / "a" / name).read_bytes())

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(some, [names[i::8] for i in range(8)]))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--counts", default="1000,10000,100000")
    parser.add_argument("--s3", type=int, default=0, metavar="N")
    options = parser.parse_args()
    tap.become_user()
    print("| store | segments | command | time | processor | memory | requests | read |\n"
          "|---|---:|---|---:|---:|---:|---:|---:|", flush=True)
    for count in [int(text) for text in options.counts.split(",") if text]:
        run_one(count, count == options.s3)


def run_one(count, s3):
    directory = tap.temporary("scale")
    bench = Bench(directory)
    began = int(time.time()) // MINUTE * MINUTE - count * MINUTE
    try:
        archive = make(bench, count, began)
        measure("directory", archive.setup, count, began, True)
        if not s3:
            return
        gateway = bench.enter(radosgw.Radosgw(directory / "gw"))
        gateway.create_bucket("wal")
        upload(gateway, bench, "wal")
        archive.setup.settings["stores"] = [gateway.store("a", "wal", "")]
        archive.setup.write()
        measure("radosgw", archive.setup, count, began, False)
    finally:
        bench.close()
        shutil.rmtree(directory, ignore_errors=True)


main()
