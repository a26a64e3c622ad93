# SPDX-License-Identifier: PostgreSQL
"""Signals at any system call: of the hooks with their agent, of a restore; stopping and going on.

test_kill_sweep.py has what ends a push or a fetch that works by itself. Each sweep takes a sample by
default (laws.py): SEAWALL_SWEEP=all takes every stop.
"""
import collections
import contextlib
import os
import resource
import shutil
import signal
import subprocess
import time

import archived
import backups
import laws
import seawall
import tap
from agents import Place as AgentPlace
from laws import FETCH_CODES, PUSH_CODES, SEGMENT, XLOG, Place, fetchable, push_again

ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)
CRASHES = (signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS)
# what PostgreSQL has its archive_command inherit ignored, and what its own archiver gets
IGNORED = (signal.SIGINT, signal.SIGPIPE, signal.SIGALRM, signal.SIGTTIN, signal.SIGTTOU,
           signal.SIGURG, signal.SIGXFSZ)
MARKER = ".seawall-restore-incomplete"


def cores_allowed():
    resource.setrlimit(resource.RLIMIT_CORE, (resource.getrlimit(resource.RLIMIT_CORE)[1],) * 2)


class Cores:
    """Core files are of the loader's time, when nothing secret has been read: at stops before all
    others."""

    def __init__(self):
        self.with_core, self.without = set(), set()

    def note(self, directory, at):
        found = [f for f in os.listdir(directory) if f.startswith("core")]
        for name in found:
            (directory / name).unlink()
        (self.with_core if found else self.without).add(at)

    def judge(self):
        late = max(self.with_core, default=0)
        if late > min(self.without, default=late):
            raise tap.Failure("core files at stops %s" % sorted(self.with_core))


def sweep(t, what, make, count, one, samples=60):
    cores_allowed()
    places = laws.places(t, what, make)
    stops = max(count(place) for place in places)
    points = laws.sample(t, list(range(1, stops + 1)), samples)
    results = laws.each(t, "%s, of %d stops" % (what, stops), places, points, one)
    t.diag("%s: answers %s" % (what, dict(collections.Counter(r.code for r in results.values()))))
    return results


@tap.check("a push and a fetch that are stopped anywhere and go on at once do their work")
def _(t):
    def push(place, at):
        place.empty()
        return seawall.killat(place, place.setup.argv("seawall-push", place.path), at=at,
                              sig=signal.SIGSTOP, resume=True, cwd=str(place.pgdata.dir))

    def fetch(place, at):
        place.clear()
        return seawall.killat(place, place.setup.argv("seawall-fetch", place.name, XLOG), at=at,
                              sig=signal.SIGSTOP, resume=True, cwd=str(place.pgdata.dir))

    def pushed(place, at):
        result = push(place, at)
        if result.code != 0 or None in [place.object_in(store) for store in place.stores]:
            raise tap.Failure("it gave %s" % (result,))
        return result

    def fetched(place, at):
        result = fetch(place, at)
        if result.code != 0 or not place.at_destination()[0]:
            raise tap.Failure("it gave %s" % (result,))
        return result

    def stops(place, *argv):
        return seawall.killat(place, place.setup.argv(*argv), cwd=str(place.pgdata.dir)).stops

    sweep(t, "push, stopped", Place, lambda p: stops(p, "seawall-push", p.path), pushed, 40)
    sweep(t, "fetch, stopped", fetchable, lambda p: (p.clear(), stops(
        p, "seawall-fetch", p.name, XLOG))[1], fetched, 60)


@tap.check("a crash anywhere is an internal error: 16 for a push, above 125 for a fetch, and no core")
def _(t):
    if os.environ.get("SEAWALL_SANITIZED"):
        t.skip("a sanitizer has its own handlers")

    for sig in CRASHES:
        push_cores, fetch_cores = Cores(), Cores()

        def pushed(place, at):
            place.empty()
            result = seawall.killat(place, place.setup.argv("seawall-push", place.path), at=at,
                                    sig=sig, cwd=str(place.pgdata.dir))
            push_cores.note(place.pgdata.dir, at)
            # by the signal only before the program has begun, or in between its two programs
            if result.code not in (0, 16, -sig) or (result.code == 16 and "crashed" not in result.err):
                raise tap.Failure("it gave %s" % (result,))
            push_again(place, [place.object_in(store) for store in place.stores])
            return result

        def fetched(place, at):
            place.clear()
            result = seawall.killat(place, place.setup.argv("seawall-fetch", place.name, XLOG),
                                    at=at, sig=sig, cwd=str(place.pgdata.dir))
            fetch_cores.note(place.pgdata.dir, at)
            there, _ = place.at_destination()
            if result.code not in (0, 205, -sig) or (result.code == 0 and not there):
                raise tap.Failure("it gave %s" % (result,))
            return result

        results = sweep(t, "push, " + sig.name, Place, lambda p: p.killat(
            "seawall-push", p.path).stops, pushed, 15)
        t.true(16 in {r.code for r in results.values()}, "an answer")
        results = sweep(t, "fetch, " + sig.name, fetchable, lambda p: (p.clear(), p.killat(
            "seawall-fetch", p.name, XLOG).stops)[1], fetched, 25)
        t.true(205 in {r.code for r in results.values()}, "an answer")
        push_cores.judge()
        fetch_cores.judge()


class Served(AgentPlace):
    """A place with an agent that has served."""

    def __init__(self, t, name):
        super().__init__(t, name)
        self.wanted = self.pgdata.segment(SEGMENT)
        if self.push(SEGMENT).code != 0:
            raise tap.Failure("push")

    def stored(self):
        return archived.object_path(self.store, self.pgdata.name(SEGMENT))

    def forget(self):
        (self.pgdata.wal / self.pgdata.name(SEGMENT)).unlink()
        self.pgdata.write_segment(SEGMENT)
        self.stored().unlink(missing_ok=True)

    def killat(self, argv, **options):
        return seawall.killat(self, self.argv(*argv), cwd=str(self.pgdata.dir), env=self.env(),
                              **options)


@tap.check("a hook that waits for its agent is told to stop anywhere: a true answer, soon, no core")
def _(t):
    cores_allowed()
    for name in seawall.HOOKS:
        place = Served(t, name)
        is_push = name == "seawall-push"
        argv = (name, "pg_wal/" + place.pgdata.name(SEGMENT)) if is_push else (
            name, place.pgdata.name(SEGMENT), XLOG)
        allowed = PUSH_CODES if is_push else FETCH_CODES
        stops = place.killat(argv).stops
        cases = laws.sample(t, [(sig, at) for sig in ENDING for at in range(1, stops + 1)], 60,
                            lambda case: case[0])
        answers, cores = collections.Counter(), Cores()
        for sig, at in cases:
            if is_push:
                place.forget()
            else:
                with contextlib.suppress(FileNotFoundError):
                    (place.pgdata.dir / XLOG).unlink()
            start = time.monotonic()
            result = place.killat(argv, at=at, sig=sig)
            took = time.monotonic() - start
            what = "%s, %s at %d of %d: %s" % (name, sig.name, at, stops, result)
            t.true(result.code in allowed + (-sig,), what)
            t.true(took < 20, "it took %.1f s: %s" % (took, what))
            if is_push:
                t.true(result.code != 0 or place.stored().exists(), what)
            else:
                t.true(place.fetched() in (None, place.wanted), what)
                t.true(result.code != 0 or place.fetched() is not None, what)
            if sig == signal.SIGQUIT:
                cores.note(place.pgdata.dir, at)
            again = place.push(SEGMENT) if is_push else place.fetch(SEGMENT)
            t.equal(again.code, 0, "the next one after " + what)
            answers[result.code] += 1
        cores.judge()
        t.diag("%s: %d of %d stops and signals, answers %s" % (name, len(cases), stops * len(ENDING),
                                                               dict(answers)))


@tap.check("an agent that is told to stop at any moment of its life: the hooks succeed all the same")
def _(t):
    cores_allowed()
    place = Served(t, "p")
    for sig in ENDING:
        moments = laws.sample(t, list(range(40)), 6)
        for moment in moments:
            place.forget()
            tap.stop_agents(place.runtime)
            place.fetch(SEGMENT + 5)    # starts one
            pid = place.agent()
            push = place.start("seawall-push", "pg_wal/" + place.pgdata.name(SEGMENT))
            time.sleep(moment / 1000)
            os.kill(pid, sig)
            out, err = push.communicate(timeout=60)
            t.true(push.returncode == 0 and place.stored().exists(),
                   "%s after %d ms: %d %s" % (sig.name, moment, push.returncode, err))
            t.equal(place.fetch(SEGMENT).code, 0, "fetch after " + sig.name)
            t.equal(place.fetched(), place.wanted, "bytes after " + sig.name)
            t.equal(list(place.pgdata.dir.glob("core*")), [], "core files")


@tap.check("a restore that is told to stop anywhere answers or dies of it, and nothing half can start")
def _(t):
    def one_store(base):
        return backups.Place(base, "a")

    def stops(place):
        shutil.rmtree(place.target, ignore_errors=True)
        return seawall.killat(place, place.argv).stops

    for sig in ENDING:
        cores = Cores()

        def one(place, at):
            shutil.rmtree(place.target, ignore_errors=True)
            result = seawall.killat(place, place.argv, at=at, sig=sig)
            if result.code not in (0, 10, -sig):
                raise tap.Failure("it gave %s" % (result,))
            startable = (place.target / "global" / "pg_control").exists()
            if result.code == 0 and not startable:
                raise tap.Failure("0, but it is not whole")
            if startable and len((place.target / "base/big").read_bytes()) != 20000:
                raise tap.Failure("it can be started, and is not whole")
            cores.note(place.dir, at)
            return result

        results = sweep(t, "restore, " + sig.name, one_store, stops, one, 20)
        t.true(10 in {r.code for r in results.values()}, "an answer of its own")
        cores.judge()


def ignoring(signals, argv, **options):
    """Run argv as one inherits it who has these signals ignored."""
    def prepare():
        for sig in signals:
            signal.signal(sig, signal.SIG_IGN)
    return subprocess.run(argv, preexec_fn=prepare, stdin=subprocess.DEVNULL, capture_output=True,
                          timeout=120, check=False, restore_signals=False, **options)


@tap.check("signals that come ignored, as from PostgreSQL: the same answers, and it can be stopped")
def _(t):
    place = fetchable(t.dir / "place")
    path = place.pgdata.write_segment(SEGMENT)
    for signals in (IGNORED, (), tuple(set(signal.valid_signals()) - {signal.SIGKILL, signal.SIGSTOP,
                                                                      signal.SIGCHLD})):
        for argv, code in ((place.setup.argv("seawall-push", path), 0),
                           (place.setup.argv("seawall-fetch", place.name, XLOG), 0),
                           (place.setup.argv("seawall-fetch", place.pgdata.name(SEGMENT + 1), XLOG), 1)):
            with contextlib.suppress(FileNotFoundError):
                (place.pgdata.dir / XLOG).unlink()
            result = ignoring(signals, argv, cwd=place.pgdata.dir)
            t.equal(result.returncode, code, "%s: %s" % (argv[0], result.stderr))


@tap.check("a limit to the size of files is an answer, whatever SIGXFSZ does, and leaves nothing")
def _(t):
    place = fetchable(t.dir / "place")
    for signals in ((), (signal.SIGXFSZ,)):
        for limit in (0, 1, 4096, 100000):
            def limited(argv):
                return ignoring(signals, ["prlimit", "--fsize=%d" % limit, "--"] + argv,
                                cwd=place.pgdata.dir)

            result = limited(place.setup.argv("seawall-fetch", place.name, XLOG))
            t.equal(result.returncode, 204, "fetch, %d: %s" % (limit, result.stderr))
            t.equal(place.at_destination(), (False, 0), "nothing is left")
            for store in place.stores:
                (store / "main").rename(place.base / ("aside-" + store.name))
            path = place.pgdata.write_segment(SEGMENT)
            result = limited(place.setup.argv("seawall-push", path))
            # an object of this segment has some 40 kB
            t.true(result.returncode in ((0,) if limit == 100000 else (10, 13)),
                   "push, %d: %s" % (limit, result))
            t.equal([place.object_in(s) is not None for s in place.stores],
                    [limit == 100000] * 2, "push, %d" % limit)
            place.empty()
            for store in place.stores:
                (place.base / ("aside-" + store.name)).rename(store / "main")
            place.clear()


tap.main()
