# SPDX-License-Identifier: PostgreSQL
"""System calls that fail inside of an agent, of a hook that asks or starts one, and of a restore.

Each sweep takes a sample by default (laws.py): SEAWALL_SWEEP=all takes every call and every error.
"""
import collections
import contextlib
import os
import re
import shutil
import subprocess

import archived
import backups
import faults
import laws
import seawall
import tap
from agents import Place as AgentPlace
from laws import FETCH_CODES, PUSH_CODES, XLOG

FETCHED, PUSHED = 1, 2
TIMEOUT = "8"
MARKER = ".seawall-restore-incomplete"


class Served(AgentPlace):
    """A place with one archived segment and one that is not."""

    def __init__(self, t, name):
        super().__init__(t, name)
        if self.setup.push(self.pgdata, self.pgdata.write_segment(FETCHED)).code != 0:
            raise tap.Failure("push")
        self.wanted = {n: self.pgdata.segment(n) for n in (FETCHED, PUSHED)}
        self.public = archived.writer_public(self.setup)

    def forget(self):
        (self.pgdata.wal / self.pgdata.name(PUSHED)).unlink(missing_ok=True)
        self.pgdata.write_segment(PUSHED)
        archived.object_path(self.store, self.pgdata.name(PUSHED)).unlink(missing_ok=True)

    def stored(self):
        """The identity of the pushed object, which must be whole and authentic; None: none."""
        path = archived.object_path(self.store, self.pgdata.name(PUSHED))
        strange = [f for f in seawall.stored(self.store)
                   if not laws.TEMPORARY.match(os.path.basename(f))
                   and os.path.basename(f) not in map(self.pgdata.name, (PUSHED, FETCHED))]
        if strange:
            raise tap.Failure("the store has %s" % strange)
        if not path.exists():
            return None
        back = self.dir / "back"
        result = laws.objtool("unpack", "--identity", self.setup.dir / "identity.txt", "--writer",
                              self.public, "--name", str(path.relative_to(self.store)),
                              "--system-id", str(seawall.SYSTEM_ID), path, back)
        if result.code != 0 or back.read_bytes() != self.wanted[PUSHED]:
            raise tap.Failure("a visible object is not the whole file: %s" % result.err)
        return path.stat().st_ino

    def check_push(self, result):
        stored = self.stored()
        if result.code not in PUSH_CODES or (result.code == 0 and stored is None):
            raise tap.Failure("push: %s, stored: %s" % (result, stored))
        return stored

    def check_fetch(self, result):
        strange = [f for f in os.listdir(self.pgdata.wal) if not laws.TEMPORARY.match(f) and f not in (
            "archive_status", "RECOVERYXLOG", self.pgdata.name(PUSHED), self.pgdata.name(FETCHED))]
        if strange:
            raise tap.Failure("pg_wal has %s" % strange)
        if result.code not in FETCH_CODES or self.fetched() not in (
                (self.wanted[FETCHED],) if result.code == 0 else (None, self.wanted[FETCHED])):
            raise tap.Failure("fetch: %s, %d bytes" % (result, len(self.fetched() or b"")))

    def serve(self):
        """A push and a fetch; their codes."""
        push = self.push(PUSHED, "--timeout", TIMEOUT)
        self.check_push(push)
        fetch = self.fetch(FETCHED, "--timeout", TIMEOUT)
        self.check_fetch(fetch)
        return push.code, fetch.code

    def serve_well(self, before):
        """Without a fault: both succeed, and nothing is replaced."""
        if self.serve() != (0, 0) or before not in (None, self.stored()):
            raise tap.Failure("without the fault: %s, object %s was %s" % (
                self.serve(), self.stored(), before))


@contextlib.contextmanager
def failing_agent(place, options):
    argv = [seawall.program("failat"), *options, "--"] + place.argv("seawall-agent", "--foreground")
    env = {k: v for k, v in dict(os.environ, **seawall.TRACED, **place.env()).items() if v is not None}
    with subprocess.Popen(argv, cwd=str(place.pgdata.dir), env=env, stdin=subprocess.DEVNULL,
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        try:
            tap.wait_for(lambda: process.poll() is not None or list(place.runtime.glob("*.sock")),
                         what="the agent serves, or has ended")
            yield process
        finally:
            process.kill()


def ended(place, process):
    """Tell the agent to leave; what failat says: whether the fault was met, the end, all of it."""
    if process.poll() is None:
        tap.stop_agents(place.runtime)
    _, err = process.communicate(timeout=60)
    match = re.search(r"failat: hit=(\d) (exit|signal)=(\d+)\n\Z", err)
    if not match:
        raise tap.Failure("failat: %s" % err)
    return match[1] == "1", int(match[3]) if match[2] == "exit" else -int(match[3]), err


@tap.check("any call of an agent fails, once or from then on: the hooks' answers are true")
def _(t):
    faults.need()
    place = Served(t, "p")
    place.forget()
    with failing_agent(place, ["--count"]) as process:
        t.equal(place.serve(), (0, 0), "without a fault")
        counts = faults.counts_in(ended(place, process)[2])
    for ever, samples in ((False, 40), (True, 12)):
        cases = laws.sample(t, [f for f in faults.of(counts, ever)
                                if not (ever and f.call in ("poll", "epoll_wait"))], samples,
                            lambda fault: fault.how if ever else fault.call)
        answers, hits, ends = collections.Counter(), 0, collections.Counter()
        failures = laws.Failures("agent")
        for fault in cases:
            place.forget()
            with failures.of(fault):
                with failing_agent(place, faults.options(fault)) as process:
                    answers[place.serve()] += 1
                    before = place.stored()
                    hit, end, _ = ended(place, process)
                hits += hit
                ends[end] += 1
                if end not in (0,) + PUSH_CODES:
                    raise tap.Failure("the agent ended with %d" % end)
                tap.stop_agents(place.runtime)
                place.serve_well(before)
            tap.stop_agents(place.runtime)
        t.diag("agent%s: %d calls, %d faults, %d met; (push, fetch) %s; its end %s" % (
            ", for ever" if ever else "", sum(counts.values()), len(cases), hits, dict(answers),
            dict(ends)))
        failures.tell()
        t.true(hits > len(cases) // 2, "faults were met")


@tap.check("an agent that can read nothing any more, not its signals either, is ended by the first")
def _(t):
    faults.need()
    place = Served(t, "p")
    place.forget()
    with failing_agent(place, ["--count"]) as process:
        t.equal(place.serve(), (0, 0), "without a fault")
        n = faults.counts_in(ended(place, process)[2])["read"]
    hits = 0
    for at in range(n - 3, n + 1):
        for how in ("EIO", "half"):
            place.forget()
            with failing_agent(place, faults.options(faults.Fault("read", at, how, True))) as process:
                answers = place.serve()
                hit, end, _ = ended(place, process)
            t.equal(end, 0, "its end, read %d of %d, %s, answers %s" % (at, n, how, answers))
            hits += hit
    t.true(hits > 0, "faults were met")


@tap.check("any call of a hook that asks its agent, or has to start one, fails: its answer is true")
def _(t):
    faults.need()
    place = Served(t, "p")
    for fresh in (False, True):
        for name, argv in (("seawall-push", ("pg_wal/" + place.pgdata.name(PUSHED),)),
                           ("seawall-fetch", (place.pgdata.name(FETCHED), XLOG))):
            def prepare():
                if fresh:
                    tap.stop_agents(place.runtime)
                place.forget()
                (place.pgdata.dir / XLOG).unlink(missing_ok=True)

            words = place.argv(name, "--timeout", TIMEOUT, *argv)
            where = {"cwd": str(place.pgdata.dir), "env": place.env()}
            prepare()
            counts = faults.count(place, words, **where)
            cases = laws.sample(t, faults.of(counts), 25, lambda fault: fault.call)
            answers, failures = collections.Counter(), laws.Failures(name)
            for fault in cases:
                prepare()
                with failures.of(fault):
                    result = faults.failat(place, words, fault, **where)
                    answers[result.code] += 1
                    if name == "seawall-push":
                        before = place.check_push(result)
                    else:
                        place.check_fetch(result)
                        before = None
                    if result.code != 0 and not result.err and fault.call != "write":
                        raise tap.Failure("%d without a word" % result.code)
                    place.serve_well(before)
            t.diag("%s%s: %d calls, %d faults; answers %s" % (
                name, ", starts an agent" if fresh else "", sum(counts.values()), len(cases),
                dict(sorted(answers.items()))))
            failures.tell()


class Restorable(backups.Place):
    """A place to restore to again and again."""

    whole = None

    def empty(self):
        subprocess.run(["chmod", "-R", "u+rwx", self.target], stderr=subprocess.DEVNULL, check=False)
        shutil.rmtree(self.target, ignore_errors=True)

    def tree(self):
        """All that was restored, but for what names the place."""
        return {str(f.relative_to(self.target)): (f.read_bytes(), f.stat().st_mode)
                for f in self.target.rglob("*") if f.is_file() and not f.is_symlink()
                and f.name not in ("postgresql.auto.conf", "backup_manifest")}


@tap.check("any call of a restore fails, once or from then on: it says so, or the tree is whole")
def _(t):
    faults.need()

    def make(base):
        place = Restorable(base)
        result = tap.run(place.argv)
        if result.code != 0:
            raise tap.Failure("without a fault: %s" % (result,))
        place.whole = place.tree()
        return place

    def one(place, fault):
        place.empty()
        result = faults.failat(place, place.argv, fault)
        if result.code not in PUSH_CODES:
            raise tap.Failure("it gave %s" % (result,))
        control = place.target / "global" / "pg_control"
        found = place.tree() if place.target.exists() else {}
        if result.code == 0 and found != place.whole:
            raise tap.Failure("0, but it is not what it is without a fault")
        # an empty pg_control starts nothing; more of it is written when all else is there
        found = {f: v for f, v in found.items() if f not in (MARKER, "global/pg_control")}
        if control.exists() and control.stat().st_size > 0 and found != {
                f: v for f, v in place.whole.items() if f != "global/pg_control"}:
            raise tap.Failure("it can be started and is not whole: %s" % (result,))
        if result.code != 0 and not result.err and fault.call != "write":
            raise tap.Failure("%d without a word" % result.code)
        return result

    for ever, samples in ((False, 70), (True, 16)):
        places = laws.places(t, "restore-%s" % ever, make)
        places[0].empty()
        counts = faults.count(places[0], places[0].argv)
        cases = laws.sample(t, faults.of(counts, ever), samples,
                            lambda fault: fault.how if ever else fault.call)
        results = laws.each(t, "restore", places, cases, one)
        t.diag("restore%s: %d calls, %d faults; answers %s" % (
            ", for ever" if ever else "", sum(counts.values()), len(cases),
            dict(sorted(collections.Counter(r.code for r in results.values()).items()))))


tap.main()
