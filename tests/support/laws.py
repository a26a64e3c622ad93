# SPDX-License-Identifier: PostgreSQL
"""laws.py: what a push and a fetch may leave behind, whatever happened to them.

A Place is two directory stores, a configuration and a data directory with one segment. Its checks
fail when a visible object is not the whole file, when the destination has anything but the file, or
when something else lies about.

Sweeps take a sample of their cases by default, drawn with a seed that is printed; SEAWALL_SWEEP=all
takes all of them, SEAWALL_SWEEP=N that many of each sweep, SEAWALL_SEED=N another sample, and
SEAWALL_SWEEP=K/N the K-th of N parts that make the whole. A sweep that was asked for in one of
these ways goes on after a case that failed, and tells all of them at its end.
"""
import contextlib
import os
import pathlib
import random
import re
import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import seawall
import tap
from archived import MIB, object_path, writer_public

XLOG = "pg_wal/RECOVERYXLOG"
SEGMENT = 7
TEMPORARY = re.compile(r"\.seawall-tmp\.[0-9]+\.[0-9a-f]{16}\Z")
WORKERS = 2
SEED = int(os.environ.get("SEAWALL_SEED", "20250101"))
FAILURES_MAX = 20 if "SEAWALL_SWEEP" in os.environ else 1
PUSH_CODES = (0,) + tuple(range(10, 17))
FETCH_CODES = (0,) + tuple(range(200, 206))


def objtool(*args):
    return tap.run([os.environ.get("OBJTOOL") or seawall.program("objtool")] + list(args))


class Place:
    """Two directory stores, a configuration and a data directory: one worker's own."""

    def __init__(self, base, archived=()):
        self.base = pathlib.Path(base)
        self.base.mkdir()
        self.dir = self.base    # what seawall.killat() calls its check's directory
        self.stores = [self.base / "a", self.base / "b"]
        self.setup = seawall.Setup(self.base, [seawall.dir_store(s.name, s) for s in self.stores],
                                   compression="lz4")
        self.pgdata = seawall.Pgdata(self.base / "data", segment_size=MIB)
        self.public = writer_public(self.setup)
        self.wanted = self.pgdata.segment(SEGMENT)
        self.name = self.pgdata.name(SEGMENT)
        self.path = self.pgdata.write_segment(SEGMENT)
        for number in archived:
            result = self.setup.push(self.pgdata, self.pgdata.write_segment(number))
            if result.code != 0:
                raise tap.Failure("push: %s" % (result,))
        self.known = {}     # objects found good, by store: their identity

    def killat(self, program, *args, **options):
        return seawall.killat(self, self.setup.argv(program, *args), cwd=str(self.pgdata.dir),
                              **options)

    def empty(self, stores=None):
        self.known.clear()
        for store in stores or self.stores:
            shutil.rmtree(store / "main", ignore_errors=True)

    def object_in(self, store):
        """The identity of the store's object, which must be the whole and authentic file; None:
        there is none. Nothing else may be there but temporary files of our naming."""
        path = object_path(store, self.name)
        strange = [f for f in seawall.stored(store)
                   if store / f != path and not TEMPORARY.match(os.path.basename(f))]
        if strange:
            raise tap.Failure("store %s has %s" % (store.name, strange))
        try:
            st = path.stat()
        except FileNotFoundError:
            return None
        identity = (st.st_ino, st.st_mtime_ns, st.st_size)
        if self.known.get(store) != identity:
            back = self.base / "back"
            result = objtool("unpack", "--identity", self.setup.dir / "identity.txt", "--writer",
                             self.public, "--name", str(path.relative_to(store)), "--system-id",
                             str(seawall.SYSTEM_ID), path, back)
            if result.code != 0 or back.read_bytes() != self.wanted:
                raise tap.Failure("store %s has a visible object that is not the whole file: %s"
                                  % (store.name, result.err))
            self.known[store] = identity
        return identity

    def at_destination(self, before=None):
        """Whether the destination has the file; otherwise it is as before. Nothing else may be
        in pg_wal but temporary files of our naming, whose number is the second value."""
        left = set(os.listdir(self.pgdata.wal)) - {"archive_status", self.name, "RECOVERYXLOG"}
        strange = [f for f in left if not TEMPORARY.match(f)]
        if strange:
            raise tap.Failure("pg_wal has %s" % strange)
        found = None
        with contextlib.suppress(FileNotFoundError):
            found = (self.pgdata.dir / XLOG).read_bytes()
        if found not in (before, self.wanted):
            raise tap.Failure("the destination has %d bytes that are not the file" % len(found or b""))
        return found == self.wanted, len(left)

    def clear(self):
        for f in os.listdir(self.pgdata.wal):
            if f != "archive_status":
                (self.pgdata.wal / f).unlink()

    def core(self):
        """A core file, removed; None if there is none."""
        for f in self.pgdata.dir.glob("core*"):
            f.unlink()
            return f
        return None


def places(t, what, make):
    """A place for each worker."""
    return [make(t.dir / ("%s-%d" % (what.replace("/", "-"), n))) for n in range(WORKERS)]


class Failures:
    """Cases that failed, while the others go on:

        failures = Failures("agent")
        for case in cases:
            with failures.of(case):
                ...
        failures.tell()
    """

    def __init__(self, what):
        self.what, self.found = what, []

    @contextlib.contextmanager
    def of(self, case):
        try:
            yield
        except tap.Failure as failure:
            self.found.append("%s, %s: %s" % (self.what, case, failure))
            if len(self.found) >= FAILURES_MAX:
                self.tell()

    def tell(self):
        if self.found:
            raise tap.Failure("\n".join(self.found)) from None


def each(t, what, free, cases, one):
    """one(place, case) for all cases, by workers that share these places. Returns what one()
    returned, by case."""
    free, lock, results, failures = list(free), threading.Lock(), {}, Failures(what)
    n_workers = len(free)

    def work(case):
        with lock:
            place = free.pop()
        try:
            with failures.of(case):
                results[case] = one(place, case)
        finally:
            with lock:
                free.append(place)

    start = time.monotonic()
    with ThreadPoolExecutor(n_workers) as pool:
        futures = [pool.submit(work, case) for case in cases]
        try:
            for future in futures:
                future.result()
        finally:
            for future in futures:
                future.cancel()
    t.diag("%s: %d runs in %d s" % (what, len(cases), time.monotonic() - start))
    failures.tell()
    return results


def part(cases):
    """The part of these cases that SEAWALL_SWEEP=K/N asks for; None: it asks for something else."""
    match = re.match(r"(\d+)/(\d+)\Z", os.environ.get("SEAWALL_SWEEP", ""))
    return list(cases)[int(match[1]) - 1::int(match[2])] if match else None


def sample(t, cases, default, group=lambda case: None):
    """The cases to take: of each group one at least."""
    taken = part(cases)
    if taken is not None:
        t.diag("%d of %d cases" % (len(taken), len(cases)))
        return taken
    wanted = os.environ.get("SEAWALL_SWEEP", default)
    if wanted == "all" or len(cases) <= int(wanted):
        return list(cases)
    rest = list(cases)
    random.Random(SEED).shuffle(rest)
    first = {}
    for case in rest:
        first.setdefault(group(case), case)
    taken = set(first.values())
    taken.update([case for case in rest if case not in taken][:max(0, int(wanted) - len(taken))])
    t.diag("%d of %d cases, seed %d" % (len(taken), len(cases), SEED))
    return [case for case in cases if case in taken]


def push_again(place, before, code=0):
    """The push that follows: its answer is right, what was there is as it was, and every store
    has one object."""
    again = place.setup.push(place.pgdata, place.path)
    if again.code != code:
        raise tap.Failure("the next push: %s" % (again,))
    after = [place.object_in(store) for store in place.stores]
    if any(b not in (None, a) for b, a in zip(before, after)) or None in after:
        raise tap.Failure("objects were %s and are %s" % (before, after))


def fetchable(base, old=None):
    """A place whose file is archived and gone from pg_wal."""
    place = Place(base, [SEGMENT - 1, SEGMENT])
    place.old = old
    place.clear()
    return place
