# SPDX-License-Identifier: PostgreSQL
"""Every system call of a push and a fetch fails in turn, in every way such a call can fail, once or
from then on: the answer is one of those that are allowed, nothing is there but whole files, and
without the fault the next one succeeds.

Each sweep takes a sample by default (laws.py): SEAWALL_SWEEP=all takes every call and every error.
"""
import collections
import resource
import signal

import faults
import laws
import tap
from archived import object_path
from laws import FETCH_CODES, PUSH_CODES, SEGMENT, XLOG, Place, fetchable, push_again

SAMPLES = 110
TIMEOUT = 5     # seconds; for faults that stay


def argv_of(place, program, *args):
    return place.setup.argv(program, *args)


def sweep(t, what, make, argv, one, code=0, ever=False, samples=SAMPLES,
          group=faults.kind):
    """one(place, fault) for the faults of a run that makes the calls of the first place's."""
    faults.need()
    resource.setrlimit(resource.RLIMIT_CORE, (resource.getrlimit(resource.RLIMIT_CORE)[1],) * 2)
    places = laws.places(t, what, make)
    counts = {}
    for place in places:
        for call, n in faults.count(place, argv(place), code=code, cwd=str(place.pgdata.dir)).items():
            counts[call] = max(n, counts.get(call, 0))
    cases = laws.sample(t, faults.of(counts, ever), samples, group)
    results = laws.each(t, what, places, cases, one)
    answers = collections.Counter(r.code for r in results.values())
    hits = sum(r.hit for r in results.values())
    t.diag("%s: %d calls, %d faults, %d met; answers %s" % (
        what, sum(counts.values()), len(cases), hits, dict(sorted(answers.items()))))
    t.true(hits > len(cases) // 2, "faults were met")
    return results


def run(place, fault, *argv):
    result = faults.failat(place, argv_of(place, *argv), fault, cwd=str(place.pgdata.dir))
    core = place.core()
    if core:
        raise tap.Failure("%s and a core file" % (result,))
    return result


def push_failing(place, fault):
    place.empty()
    result = run(place, fault, "seawall-push", place.path)
    before = [place.object_in(store) for store in place.stores]
    if result.code not in PUSH_CODES:
        raise tap.Failure("it gave %s" % (result,))
    if result.code == 0 and before == [None, None]:
        raise tap.Failure("0, but no store has it: %s" % (result,))
    if result.code != 0 and not result.err and fault.call != "write":
        raise tap.Failure("%d without a word" % result.code)
    push_again(place, before)
    return result


def push_begin(place):
    place.empty()
    return argv_of(place, "seawall-push", place.path)


def patient(base, make=Place, **settings):
    place = make(base)
    place.setup.write(push_timeout=TIMEOUT, fetch_timeout=TIMEOUT, **settings)
    return place


@tap.check("a push with any one failing call: its answer is true, the next push heals what is missing")
def _(t):
    results = sweep(t, "push", Place, push_begin, push_failing)
    t.true({0, 13} <= {r.code for r in results.values()}, "answers")


@tap.check("a push whose calls fail from one on: its answer is true and comes in time")
def _(t):
    sweep(t, "push, for ever", patient, push_begin, push_failing, ever=True, samples=70)


@tap.check("both stores wanted, any one failing call: 0 only if both have it")
def _(t):
    def one(place, fault):
        place.empty()
        result = run(place, fault, "seawall-push", place.path)
        before = [place.object_in(store) for store in place.stores]
        if result.code not in PUSH_CODES or (result.code == 0 and None in before):
            raise tap.Failure("%s with %s" % (result, before))
        push_again(place, before)
        return result

    sweep(t, "push to both", lambda base: patient(base, acknowledge=2), push_begin, one, samples=70)


@tap.check("a push of what is there already, any call fails: nothing is changed; other content is never 0")
def _(t):
    def one(place, fault):
        before = [place.object_in(store) for store in place.stores]
        result = run(place, fault, "seawall-push", place.path)
        if result.code not in place.allowed:
            raise tap.Failure("it gave %s" % (result,))
        push_again(place, before, code=place.usual)
        return result

    def make(seed, usual, allowed):
        def made(base):
            place = Place(base, [SEGMENT])
            place.pgdata.write_segment(SEGMENT, seed=seed)
            place.usual, place.allowed = usual, allowed
            return place
        return made

    def argv(place):
        return argv_of(place, "seawall-push", place.path)

    sweep(t, "push again", make(0, 0, PUSH_CODES), argv, one, samples=50)
    sweep(t, "push of other content", make(9, 12, PUSH_CODES[1:]), argv, one, code=12, samples=50)


def fetch_failing(place, fault):
    place.clear()
    if place.old is not None:
        (place.pgdata.dir / XLOG).write_bytes(place.old)
    result = run(place, fault, "seawall-fetch", place.name, XLOG)
    there, _ = place.at_destination(place.old)
    if result.code not in FETCH_CODES:
        raise tap.Failure("it gave %s" % (result,))
    if result.code == 0 and not there:
        raise tap.Failure("0, but the file is not there: %s" % (result,))
    if result.code != 0 and not result.err and fault.call != "write":
        raise tap.Failure("%d without a word" % result.code)
    again = place.setup.fetch(place.pgdata, place.name, XLOG)
    if again.code != 0 or not place.at_destination(place.old)[0]:
        raise tap.Failure("the next fetch: %s" % (again,))
    return result


def fetch_begin(place):
    place.clear()
    return argv_of(place, "seawall-fetch", place.name, XLOG)


@tap.check("a fetch with any one failing call: nothing or the whole file, never 1, the next one brings it")
def _(t):
    results = sweep(t, "fetch", fetchable, fetch_begin, fetch_failing)
    t.true({0, 204} <= {r.code for r in results.values()}, "answers")


@tap.check("a fetch whose calls fail from one on: nothing or the whole file, never 1, and in time")
def _(t):
    sweep(t, "fetch, for ever", lambda base: patient(base, fetchable), fetch_begin, fetch_failing,
          ever=True, samples=70)


@tap.check("a fetch over an older file, any call fails: that one or the whole new one is there")
def _(t):
    sweep(t, "fetch over a file", lambda base: fetchable(base, b"old"), fetch_begin, fetch_failing,
          samples=50)


@tap.check("a fetch of what only the last of two stores has, any call fails: never 1")
def _(t):
    def make(base):
        place = fetchable(base)
        object_path(place.stores[0], place.name).unlink()
        return place

    sweep(t, "fetch from the last store", make, fetch_begin, fetch_failing, samples=50)


def answer_failing(number, allowed):
    """A fetch that brings nothing: its answer is one of these."""
    def one(place, fault):
        result = run(place, fault, "seawall-fetch", place.pgdata.name(number), XLOG)
        if result.code not in allowed:
            raise tap.Failure("it gave %s" % (result,))
        if place.at_destination() != (False, 0):
            raise tap.Failure("it left something in pg_wal")
        return result

    def argv(place):
        place.clear()
        return argv_of(place, "seawall-fetch", place.pgdata.name(number), XLOG)
    return argv, one


@tap.check("a fetch of what is proven absent, any call fails: 1 or a failure, never 0")
def _(t):
    argv, one = answer_failing(SEGMENT + 1, (1,) + FETCH_CODES[1:])
    results = sweep(t, "absent", fetchable, argv, one, code=1, samples=80)
    t.true(any(r.code != 1 for r in results.values()), "a store that fails proves nothing")


@tap.check("a fetch of what is missing in the middle, any call fails, once or from then on: never 1")
def _(t):
    def make(base):
        place = patient(base, fetchable)
        for store in place.stores:
            object_path(store, place.pgdata.name(SEGMENT - 1)).unlink()
        return place

    argv, one = answer_failing(SEGMENT - 1, FETCH_CODES[1:])
    # each looks twice, two seconds apart
    sweep(t, "gap", make, argv, one, code=203, samples=14, group=lambda fault: fault.how)
    sweep(t, "gap, for ever", make, argv, one, code=203, ever=True, samples=10,
          group=lambda fault: fault.how)


@tap.check("any call fails before the program's first instruction: a fetch never says 1 to 125")
def _(t):
    faults.need()
    place = fetchable(t.dir / "loader")

    def argv(program, *args):
        return argv_of(place, program, *args)

    whole = faults.count(place, argv("seawall-fetch", place.name, XLOG), loader=True,
                         cwd=str(place.pgdata.dir))
    cases = laws.sample(t, [f for f in faults.of(whole) if f.call in (
        "openat", "read", "mmap", "mprotect", "newfstatat", "pread64", "access")], 60, faults.kind)
    answers = collections.Counter()
    for fault in cases:
        place.clear()
        result = faults.failat(place, argv("seawall-fetch", place.name, XLOG), fault, loader=True,
                               cwd=str(place.pgdata.dir))
        there, _ = place.at_destination()
        answers[result.code] += 1
        # the loader says 127 or dies; neither is the end of WAL
        t.true(result.code in FETCH_CODES + (127, -signal.SIGSEGV, -signal.SIGABRT),
               "%s gave %s" % (fault, result))
        t.true(there or result.code != 0, "%s: 0 and nothing there" % (fault,))
    t.diag("answers %s" % dict(answers))


tap.main()
