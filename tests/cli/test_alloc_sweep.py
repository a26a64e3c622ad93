# SPDX-License-Identifier: PostgreSQL
"""Every allocation of a program fails in turn, once or from then on: no crash, an answer that is
allowed, nothing but whole files, and with memory the next one succeeds.

What fails are the program's own allocations and those of its libraries, from main() on. Each sweep
takes a sample by default (laws.py): SEAWALL_SWEEP=all takes every allocation.
"""
import collections
import contextlib
import json
import os
import resource
import shutil

import archived
import backups
import laws
import seawall
import shims
import tap
from agents import Place as AgentPlace
from laws import FETCH_CODES, PUSH_CODES, SEGMENT, XLOG, Place, fetchable, push_again

SAMPLES = 60
# never 15: what could not be read for want of memory is not damaged
TOOL_CODES = (0, 10, 13, 14, 16)
NOBODY = (0,)   # no failing allocation


def run(place, fail, *argv, program=None, cwd=None, env=None):
    """Run argv with its fail[0]-th allocation failing, and later ones too if fail[1]."""
    settings = dict(env or {}, SHIM_REPORT=place.dir / "allocations")
    if program:
        settings["SHIM_PROGRAM"] = program
    if fail[0]:
        settings["SHIM_FAIL"] = fail[0]
    if fail != NOBODY and fail[1]:
        settings["SHIM_EVER"] = 1
    result = tap.run(argv, cwd=str(cwd or place.pgdata.dir), env=shims.env(**settings))
    core = place.core() if hasattr(place, "core") else None
    if core:
        raise tap.Failure("%s and a core file" % (result,))
    return result


def sweep(t, what, make, count, one, samples=SAMPLES):
    """one(place, (n, ever)) for the allocations that count(place) tells."""
    shims.need()
    resource.setrlimit(resource.RLIMIT_CORE, (resource.getrlimit(resource.RLIMIT_CORE)[1],) * 2)
    places = laws.places(t, what, make)
    n_all = 0
    for place in places:
        result = count(place)
        if result.code != 0:
            raise tap.Failure("without a fault: %s" % (result,))
        n_all = max(n_all, shims.allocations(place.dir / "allocations"))
    cases = laws.sample(t, [(n, ever) for ever in (False, True) for n in range(1, n_all + 1)],
                        samples, lambda case: case[1])
    results = laws.each(t, what, places, cases, one)
    answers = collections.Counter(r.code for r in results.values())
    t.diag("%s: %d allocations, %d faults; answers %s" % (what, n_all, len(cases),
                                                          dict(sorted(answers.items()))))
    t.true(any(code != 0 for code in answers), "some failed")
    return results


def one_shot(program, *args):
    """How a place runs a hook's work by itself, and the program that does it."""
    def argv(place):
        return place.setup.argv(program, *[a(place) for a in args])
    return argv


push_argv = one_shot("seawall-push", lambda place: place.path)
fetch_argv = one_shot("seawall-fetch", lambda place: place.name, lambda place: XLOG)


@tap.check("a push without memory: 16 or what is true, and the next push heals it")
def _(t):
    def go(place, fail):
        place.empty()
        return run(place, fail, *push_argv(place), program="seawall-agent")

    def one(place, fail):
        result = go(place, fail)
        before = [place.object_in(store) for store in place.stores]
        if result.code not in PUSH_CODES or (result.code == 0 and before == [None, None]):
            raise tap.Failure("%s with %s" % (result, before))
        push_again(place, before)
        return result

    results = sweep(t, "push", Place, lambda place: go(place, NOBODY), one)
    t.true(16 in {r.code for r in results.values()}, "out of memory is internal")


@tap.check("a fetch without memory: nothing or the whole file, never 1, and the next one brings it")
def _(t):
    def go(place, fail):
        place.clear()
        return run(place, fail, *fetch_argv(place), program="seawall-agent")

    def one(place, fail):
        result = go(place, fail)
        there, _ = place.at_destination()
        if result.code not in FETCH_CODES or (result.code == 0 and not there):
            raise tap.Failure("it gave %s" % (result,))
        again = place.setup.fetch(place.pgdata, place.name, XLOG)
        if again.code != 0 or not place.at_destination()[0]:
            raise tap.Failure("the next fetch: %s" % (again,))
        return result

    results = sweep(t, "fetch", fetchable, lambda place: go(place, NOBODY), one)
    t.true(205 in {r.code for r in results.values()}, "out of memory is internal")


@tap.check("a fetch of what is missing in the middle, without memory: never 0, never 1")
def _(t):
    shims.need()

    def make(base):
        place = fetchable(base)
        for store in place.stores:
            archived.object_path(store, place.pgdata.name(SEGMENT - 1)).unlink()
        return place

    def go(place, fail):
        return run(place, fail, *place.setup.argv("seawall-fetch", place.pgdata.name(SEGMENT - 1),
                                                  XLOG), program="seawall-agent")

    def one(place, fail):
        result = go(place, fail)
        if result.code not in FETCH_CODES[1:] or place.at_destination() != (False, 0):
            raise tap.Failure("it gave %s" % (result,))
        return result

    places = laws.places(t, "gap", make)
    for place in places:
        t.equal(go(place, NOBODY).code, 203, "without a fault")
    n_all = shims.allocations(places[0].dir / "allocations")
    cases = laws.sample(t, [(n, ever) for ever in (False, True) for n in range(1, n_all + 1)],
                        SAMPLES // 2, lambda case: case[1])
    laws.each(t, "gap", places, cases, one)


@tap.check("the hooks' own allocations fail, with an agent and on the way to it")
def _(t):
    shims.need()
    place = AgentPlace(t)
    t.equal(place.push(SEGMENT).code, 0, "push")
    for name, argv, allowed in (
            ("seawall-push", ("pg_wal/" + place.pgdata.name(SEGMENT),), PUSH_CODES),
            ("seawall-fetch", (place.pgdata.name(SEGMENT), XLOG), FETCH_CODES)):
        for fresh in (False, True):
            n = tried = 0
            while n <= tried:   # one more than there are
                n += 1
                for ever in (False, True):
                    if fresh:
                        tap.stop_agents(place.runtime)
                    with contextlib.suppress(FileNotFoundError):
                        (place.pgdata.dir / XLOG).unlink()
                    result = run(place, (n, ever), *place.argv(name, *argv), program=name,
                                 env=place.env())
                    tried = shims.allocations(place.dir / "allocations")
                    t.true(result.code in allowed, "%s, %s: %s" % (name, (n, ever), result))
                    t.true(name != "seawall-fetch" or place.fetched() == (
                        place.pgdata.segment(SEGMENT) if result.code == 0 else None), "%p")
            t.diag("%s%s: %d allocations" % (name, ", starts an agent" if fresh else "", tried))
    t.equal(place.push(SEGMENT).code, 0, "the next push")
    t.equal(place.fetch(SEGMENT).code, 0, "the next fetch")


@tap.check("an agent that lacks memory once, or dies of it: the hooks' answers are true, then all is well")
def _(t):
    shims.need()
    place = AgentPlace(t)
    t.equal(place.push(SEGMENT - 1).code, 0, "push")
    tap.stop_agents(place.runtime)
    wanted = {n: place.pgdata.segment(n) for n in (SEGMENT, SEGMENT - 1)}
    path = archived.object_path(place.store, place.pgdata.name(SEGMENT))
    report = place.dir / "allocations"

    def serve(env):
        path.unlink(missing_ok=True)
        push = place.push(SEGMENT, "--timeout", "6", env=env)
        stored = path.exists()
        fetch = place.fetch(SEGMENT - 1, "--timeout", "6", env=env)
        if push.code not in PUSH_CODES or (push.code == 0 and not stored):
            raise tap.Failure("push: %s" % (push,))
        if fetch.code not in FETCH_CODES or place.fetched() not in (
                wanted[SEGMENT - 1] if fetch.code == 0 else None, None):
            raise tap.Failure("fetch: %s" % (fetch,))
        return push.code, fetch.code

    settings = dict(SHIM_PROGRAM="seawall-agent", SHIM_REPORT=report)
    t.equal(serve(shims.env(**settings)), (0, 0), "without a fault")
    tap.stop_agents(place.runtime)
    tap.wait_for(report.exists, what="the agent's report")
    n_all = shims.allocations(report)
    cases = laws.sample(t, [(n, ever) for ever in (False, True) for n in range(1, n_all + 1)],
                        30, lambda case: case[1])
    answers, failures = collections.Counter(), laws.Failures("agent")
    for n, ever in cases:
        with failures.of((n, ever)):
            answers[serve(shims.env(SHIM_FAIL=n, SHIM_EVER=int(ever), **settings))] += 1
            tap.stop_agents(place.runtime)
            if serve({}) != (0, 0):
                raise tap.Failure("afterwards it does not work")
        tap.stop_agents(place.runtime)
    t.diag("%d allocations; answers (push, fetch) %s" % (n_all, dict(answers)))
    failures.tell()


def tool_sweep(t, program, *args, allowed=TOOL_CODES, samples=40, after=lambda place, result: None):
    def go(place, fail):
        return run(place, fail, *place.setup.argv(program, *args), cwd=place.dir)

    def one(place, fail):
        result = go(place, fail)
        if result.code not in allowed:
            raise tap.Failure("it gave %s" % (result,))
        after(place, result)
        return result

    sweep(t, program, backups.Place, lambda place: go(place, NOBODY), one, samples=samples)


@tap.check("list, plan, verify and sync without memory: a failure that is told, never half an answer")
def _(t):
    def whole(place, result):
        if result.code == 0:
            json.loads(result.out)
        elif not result.err:
            raise tap.Failure("%d without a word" % result.code)

    tool_sweep(t, "seawall-list", "--json", after=whole)
    tool_sweep(t, "seawall-plan", "--json", "--backup", backups.LABEL, "--backup-end", after=whole)
    tool_sweep(t, "seawall-verify")
    tool_sweep(t, "seawall-sync")


@tap.check("a restore without memory is told, and what is there cannot be started, or is whole")
def _(t):
    def go(place, fail):
        shutil.rmtree(place.dir / "target", ignore_errors=True)
        return run(place, fail, *place.setup.argv(
            "seawall-restore", "--backup-end", "--backup", backups.LABEL, "--target-dir",
            place.dir / "target"), cwd=place.dir)

    def one(place, fail):
        result = go(place, fail)
        target = place.dir / "target"
        if result.code not in TOOL_CODES:
            raise tap.Failure("it gave %s" % (result,))
        startable = (target / "global" / "pg_control").exists()
        if result.code == 0 and not startable:
            raise tap.Failure("0, but it is not whole: %s" % (result,))
        if startable and len((target / "base" / "big").read_bytes()) != 20000:
            raise tap.Failure("it can be started, and is not whole")
        return result

    sweep(t, "restore", backups.Place, lambda place: go(place, NOBODY), one, samples=40)


@tap.check("keygen without memory makes a pair or nothing")
def _(t):
    class Keys:
        def __init__(self, base):
            self.dir = base
            base.mkdir()

    def go(place, fail):
        shutil.rmtree(place.dir / "keys", ignore_errors=True)
        return run(place, fail, seawall.program("seawall-keygen"), "--dir", place.dir / "keys",
                   cwd=place.dir)

    def one(place, fail):
        result = go(place, fail)
        made = sorted(os.listdir(place.dir / "keys")) if (place.dir / "keys").exists() else []
        if result.code not in TOOL_CODES:
            raise tap.Failure("it gave %s" % (result,))
        if len(made) not in (0, 2) or (result.code == 0 and len(made) != 2):
            raise tap.Failure("%s left %s" % (result, made))
        return result

    sweep(t, "keygen", Keys, lambda place: go(place, NOBODY), one, samples=60)


tap.main()
