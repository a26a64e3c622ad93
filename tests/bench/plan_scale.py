# SPDX-License-Identifier: PostgreSQL
"""How plans and events scale with the archive. Run by hand, asserts no time:

    SEAWALL_BIN=build python3 tests/bench/plan_scale.py [--counts 1000,10000,100000] [--s3 10000]
                                                        [--noise PAGES] [--limit SECONDS]

Makes an archive of WAL that no server wrote (tests/support/madearchive.c), one backup at its
beginning, a segment a minute, and prints for each command what it needs: time, processor, memory,
requests, bytes read; the load of the machine beside it, and at the end how each figure grows with
the number of segments. --s3 N puts the archive of N segments, one of the counts, into a local
radosgw too. A command that takes longer than --limit is ended and its row says so. Takes 8 KiB of
disk a segment below SEAWALL_TMP (/tmp), and as much more for each page of --noise, and removes it.
As root it becomes another user first.
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
    def __init__(self, directory, options):
        super().__init__("bench", pathlib.Path(directory))
        self.options = options
        self.rows = []


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
            "--noise", str(bench.options.noise), str(bench.dir / "a")]))
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


def measured(setup, limit, name, *arguments):
    """Seconds, processor seconds, peak of the resident set in bytes, and the JSON printed; None if
    it took too long. Each is measured by a process of its own, for rusage is never below the peak
    of who asks."""
    script = ("import resource, subprocess, sys, time\n"
              "began = time.monotonic()\n"
              "child = subprocess.Popen(sys.argv[2:])\n"
              "try:\n"
              "    code = child.wait(float(sys.argv[1]))\n"
              "except subprocess.TimeoutExpired:\n"
              "    child.kill()\n"
              "    code = child.wait()\n"
              "use = resource.getrusage(resource.RUSAGE_CHILDREN)\n"
              "print('measured', code, time.monotonic() - began, use.ru_utime + use.ru_stime,\n"
              "      use.ru_maxrss * 1024, file=sys.stderr)\n")
    result = tap.run([sys.executable, "-c", script, limit] + setup.argv(name, "--json", *arguments),
                     timeout=limit + 60)
    match = re.search(r"measured (-?\d+) (\S+) (\S+) (\d+)\n", result.err)
    if match and match[1] == "-9":
        return None
    if not match or match[1] != "0":
        raise tap.Failure("%s: %s" % (name, result.err))
    return float(match[2]), float(match[3]), int(match[4]), json.loads(result.out)


def measure(bench, store, setup, count, began):
    limit = bench.options.limit
    for name, *argv in commands(count, began):
        use = measured(setup, limit, *argv) and measured(setup, limit, *argv)
        if use is None:
            print("| %s | %d | `%s` | more than %d s | | | | | |" % (store, count, name, limit),
                  flush=True)
            continue
        seconds, cpu, memory, said = use
        print("| %s | %d | `%s` | %.2f s | %.2f s | %.0f MiB | %d | %.1f MiB | %.1f |" % (
            store, count, name, seconds, cpu, memory / MIB, said["requests"],
            said["bytes_read"] / MIB, os.getloadavg()[0]), flush=True)
        bench.rows.append((store, name, count,
                           (seconds, cpu, memory, said["requests"], said["bytes_read"])))


def upload(gateway, bench, bucket):
    """The directory store's objects, by several connections."""
    names = seawall.stored(bench.dir / "a")

    def some(part):
        client = gateway.s3()
        for name in part:
            client.put(bucket, name, (bench.dir / "a" / name).read_bytes())

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(some, [names[i::8] for i in range(8)]))


def growth(rows):
    """From the least to the greatest archive, each figure by how much."""
    print("\n| store | command | segments | time | processor | memory | requests | read |\n"
          "|---|---|---:|---:|---:|---:|---:|---:|")
    for store, name in dict.fromkeys(row[:2] for row in rows):
        mine = sorted((count, use) for s, n, count, use in rows if (s, n) == (store, name))
        if len(mine) < 2:
            continue
        (low, before), (high, after) = mine[0], mine[-1]
        print("| %s | `%s` | x %.0f | %s |" % (store, name, high / low, " | ".join(
            "x %.1f" % (b / max(a, 0.001)) for a, b in zip(before, after))))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--counts", default="1000,10000,100000")
    parser.add_argument("--s3", type=int, action="append", default=[], metavar="N")
    parser.add_argument("--noise", type=int, default=0, metavar="PAGES")
    parser.add_argument("--limit", type=int, default=300, metavar="SECONDS")
    options = parser.parse_args()
    tap.become_user()
    print("| store | segments | command | time | processor | memory | requests | read | load |\n"
          "|---|---:|---|---:|---:|---:|---:|---:|---:|", flush=True)
    rows = []
    for count in [int(text) for text in options.counts.split(",") if text]:
        rows += run_one(count, options)
    growth(rows)


def run_one(count, options):
    directory = tap.temporary("scale")
    bench = Bench(directory, options)
    began = int(time.time()) // MINUTE * MINUTE - count * MINUTE
    try:
        archive = make(bench, count, began)
        measure(bench, "directory", archive.setup, count, began)
        if count in options.s3:
            gateway = bench.enter(radosgw.Radosgw(directory / "gw"))
            gateway.create_bucket("wal")
            upload(gateway, bench, "wal")
            archive.setup.settings["stores"] = [gateway.store("a", "wal", "")]
            archive.setup.write()
            measure(bench, "radosgw", archive.setup, count, began)
    finally:
        bench.close()
        shutil.rmtree(directory, ignore_errors=True)
    return bench.rows


main()
