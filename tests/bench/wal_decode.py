# SPDX-License-Identifier: PostgreSQL
"""How fast the WAL decoder is on WAL of pgbench, beside lz4 on the same bytes. Run by hand,
asserts nothing:

    SEAWALL_BIN=build python3 tests/bench/wal_decode.py [ROUNDS]

Prints a table for docs/benchmarks.md: gigabytes a second of processor time (user and system) of
one core, best and median of ROUNDS (default 21) interleaved rounds over segments in memory.
SEAWALL_BIN is a build of buildtype release (default: build). As root it becomes another user
first.
"""
import os
import pathlib
import shutil
import sys

TOP = pathlib.Path(__file__).resolve().parents[2]
os.environ["SEAWALL_BIN"] = os.path.abspath(os.environ.get("SEAWALL_BIN", "build"))
sys.path.insert(0, str(TOP / "tests" / "support"))

import pgserver  # noqa: E402  (after the path)
import tap  # noqa: E402

NAMES = {"decode": "decoded", "lz4": "compressed by lz4, level 1",
         "crc32c": "CRC-32C alone, by pages"}


def segments(archive):
    return sorted(f for f in archive.iterdir() if len(f.name) == 24)


def make(base):
    """The segments of two kinds of work: name and files."""
    archive = base / "archive"
    archive.mkdir()
    with pgserver.Cluster(base / "data") as pg:
        pg.configure(max_wal_size="8GB", shared_buffers="256MB", checkpoint_timeout="1h")
        pg.archive("cp %%p %s/%%f" % archive)
        pg.start()
        pgbench = [pgserver.tool("pgbench"), "-n", "-c", "2", "postgres", "-t"]
        tap.run([pgserver.tool("pgbench"), "-i", "-q", "-s", "10", "postgres"], env=pg.env,
                timeout=600)
        pg.wait_archived(pg.switch_wal())
        load = segments(archive)
        # from here on pages have been changed since the checkpoint: records without images
        tap.run(pgbench + ["40000"], env=pg.env, timeout=600)
        pg.wait_archived(pg.switch_wal())
        changes = segments(archive)[len(load):]
        pg.psql("checkpoint")
        tap.run(pgbench + ["8000"], env=pg.env, timeout=600)
        pg.wait_archived(pg.switch_wal())
        images = segments(archive)[len(load) + len(changes):]
    return (("changes without page images", changes), ("right after a checkpoint", images),
            ("loading", load))


def main():
    rounds = sys.argv[1] if len(sys.argv) > 1 else "21"
    tap.become_user()
    base = tap.temporary("seawall-bench-")
    try:
        print("| WAL | bytes a record | what | best | median |")
        print("|---|---:|---|---:|---:|")
        for name, files in make(base):
            # the last one is mostly zeros behind its switch
            files = files[:-1] or files
            result = tap.run([os.path.join(os.environ["SEAWALL_BIN"], "tests", "bench",
                                           "wal_decode"), rounds] + [str(f) for f in files],
                             timeout=1800)
            if result.code != 0:
                raise SystemExit(result.err)
            lines = [line.split() for line in result.out.splitlines()]
            numbers = {line[0]: line[1:] for line in lines}
            per_record = int(numbers["bytes"][0]) // max(1, int(numbers["records"][0]))
            for method, text in NAMES.items():
                best, median = (float(value) / 1e9 for value in numbers[method])
                print("| %s | %s | %s | %.1f GB/s | %.1f GB/s |" % (
                    name, per_record if name else "", text, best, median), flush=True)
                name = ""
    finally:
        shutil.rmtree(base, ignore_errors=True)


if __name__ == "__main__":
    main()
