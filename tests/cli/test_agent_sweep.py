# SPDX-License-Identifier: PostgreSQL
"""Killed at every system call: the hook, and the agent while it serves a push and a fetch.

By default about SAMPLES stops are taken of each; SEAWALL_SWEEP=all takes every one, K/N a part.
"""
import contextlib
import os
import re
import signal
import subprocess

import laws
import seawall
import tap
from agents import XLOG, Place
from archived import object_path, writer_public

SAMPLES = 60
ALL = os.environ.get("SEAWALL_SWEEP") == "all"
TEMPORARY = re.compile(r"\.seawall-tmp\.[0-9]+\.[0-9a-f]{16}\Z")
PUSHED, FETCHED = 2, 1


def points(stops):
    every = 1 if ALL else max(1, stops // SAMPLES)
    return laws.part(range(1, stops + 1)) or range(1, stops + 1, every)


class Laws(Place):
    """A place with one archived segment and one that is not."""

    def __init__(self, t, name):
        super().__init__(t, name)
        self.public = writer_public(self.setup)
        result = self.setup.push(self.pgdata, self.pgdata.write_segment(FETCHED))
        if result.code != 0:
            raise tap.Failure("push: %s" % (result,))
        self.pgdata.write_segment(PUSHED)
        self.wanted = {n: self.pgdata.segment(n) for n in (PUSHED, FETCHED)}

    def forget(self):
        """Back to the beginning. The file is another one, for an agent may remember what it did
        with this one."""
        (self.pgdata.wal / self.pgdata.name(PUSHED)).unlink()
        self.pgdata.write_segment(PUSHED)
        object_path(self.store, self.pgdata.name(PUSHED)).unlink(missing_ok=True)
        (self.pgdata.dir / XLOG).unlink(missing_ok=True)

    def stored(self):
        """Whether the store has the pushed segment, which is then whole and authentic."""
        path = object_path(self.store, self.pgdata.name(PUSHED))
        strange = [f for f in seawall.stored(self.store)
                   if not TEMPORARY.match(os.path.basename(f))
                   and os.path.basename(f) not in map(self.pgdata.name, (PUSHED, FETCHED))]
        if strange:
            raise tap.Failure("the store has %s" % strange)
        if not path.exists():
            return False
        back = self.dir / "back"
        result = tap.run([os.environ.get("OBJTOOL") or seawall.program("objtool"), "unpack",
                          "--identity", self.setup.dir / "identity.txt", "--writer", self.public,
                          "--name", str(path.relative_to(self.store)), "--system-id",
                          str(seawall.SYSTEM_ID), path, back])
        if result.code != 0 or back.read_bytes() != self.wanted[PUSHED]:
            raise tap.Failure("a visible object is not the whole file: %s" % result.err)
        return True

    def placed(self):
        """Whether the destination has the file; else it has nothing."""
        strange = [f for f in os.listdir(self.pgdata.wal) if f not in
                   ("archive_status", "RECOVERYXLOG", self.pgdata.name(PUSHED),
                    self.pgdata.name(FETCHED)) and not TEMPORARY.match(f)]
        if strange:
            raise tap.Failure("pg_wal has %s" % strange)
        found = self.fetched()
        if found not in (None, self.wanted[FETCHED]):
            raise tap.Failure("the destination has %d bytes that are not the file" % len(found))
        return found is not None

    def both_work(self):
        """The next push and the next fetch through the agent succeed."""
        before = self.stored()
        identity = object_path(self.store, self.pgdata.name(PUSHED)).stat().st_ino if before else None
        again = self.push(PUSHED)
        if again.code != 0 or not self.stored():
            raise tap.Failure("the next push: %s" % (again,))
        if before and object_path(self.store, self.pgdata.name(PUSHED)).stat().st_ino != identity:
            raise tap.Failure("the object was replaced")
        again = self.fetch(FETCHED)
        if again.code != 0 or not self.placed():
            raise tap.Failure("the next fetch: %s" % (again,))


def killed_hook(place, argv, at=None):
    return seawall.killat(place, place.argv(*argv), at=at, cwd=str(place.pgdata.dir),
                          env=place.env())


def sweep_hook(t, place, argv, fresh):
    """Kill the hook at its stops; fresh: with no agent running, so that it has to start one."""
    def prepare():
        place.forget()
        if fresh:
            tap.stop_agents(place.runtime)

    prepare()
    stops = killed_hook(place, argv).stops
    taken = points(stops)
    for at in taken:
        prepare()
        result = killed_hook(place, argv, at)
        if result.sent and result.code != -signal.SIGKILL:
            raise tap.Failure("stop %d: %s" % (at, result))
        try:
            place.stored()
            place.placed()
            place.both_work()
        except tap.Failure as failure:
            raise tap.Failure("%s, stop %d of %d: %s" % (argv[0], at, stops, failure)) from None
        if len(place.agents()) != 1:
            raise tap.Failure("stop %d: agents %s" % (at, place.agents()))
    t.diag("%s: %d of %d stops" % (argv[0], len(taken), stops))


@tap.check("a push hook killed at any stop leaves a store and an agent that the next one can use")
def _(t):
    place = Laws(t, "p")
    place.push(PUSHED)
    sweep_hook(t, place, ("seawall-push", "pg_wal/" + place.pgdata.name(PUSHED)), False)


@tap.check("a fetch hook killed at any stop leaves nothing or the whole file at the destination")
def _(t):
    place = Laws(t, "p")
    place.push(PUSHED)
    sweep_hook(t, place, ("seawall-fetch", place.pgdata.name(FETCHED), XLOG), False)


@tap.check("a hook killed at any stop while it starts an agent does not keep others from it")
def _(t):
    place = Laws(t, "p")
    sweep_hook(t, place, ("seawall-fetch", place.pgdata.name(FETCHED), XLOG), True)


@contextlib.contextmanager
def traced_agent(place, *how):
    """An agent in the foreground under killat."""
    argv = [seawall.program("killat"), *how, "--"] + place.argv("seawall-agent", "--foreground")
    env = {k: v for k, v in dict(os.environ, **seawall.TRACED, **place.env()).items() if v is not None}
    with subprocess.Popen(argv, cwd=str(place.pgdata.dir), env=env, stdin=subprocess.DEVNULL,
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def ready(place, process):
    tap.wait_for(lambda: process.poll() is not None or list(place.runtime.glob("*.sock")),
                 what="the agent serves, or was killed")


def end(place, process):
    """Tell the traced agent to leave, if it lives; its number of stops, and whether it was killed."""
    if process.poll() is None:
        tap.stop_agents(place.runtime)
    _, err = process.communicate(timeout=60)
    match = re.search(r"killat: stops=(\d+) sent=(\d)", err)
    if not match:
        raise tap.Failure("killat: %s" % err)
    return int(match[1]), match[2] == "1"


def serve(place):
    """A push and a fetch; their results must be right whatever becomes of the agent."""
    push = place.push(PUSHED)
    if push.code != 0 or not place.stored():
        raise tap.Failure("push: %s" % (push,))
    fetch = place.fetch(FETCHED)
    if fetch.code != 0 or not place.placed():
        raise tap.Failure("fetch: %s" % (fetch,))


@tap.check("an agent killed at any stop of its life: both hooks succeed all the same")
def _(t):
    place = Laws(t, "p")
    with traced_agent(place, "--count") as process:
        ready(place, process)
        serve(place)
        stops, _ = end(place, process)
    taken = points(stops)
    n_killed = 0
    for at in taken:
        place.forget()
        with traced_agent(place, "--at", str(at)) as process:
            ready(place, process)
            try:
                serve(place)
                n_killed += end(place, process)[1]
                place.both_work()
            except tap.Failure as failure:
                raise tap.Failure("stop %d of %d: %s" % (at, stops, failure)) from None
        tap.stop_agents(place.runtime)
    t.diag("agent: %d of %d stops, %d kills" % (len(taken), stops, n_killed))
    t.true(n_killed > len(taken) // 2, "kills")


tap.main()
