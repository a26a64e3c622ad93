# SPDX-License-Identifier: PostgreSQL
"""Killed at every system call: what a push and a fetch leave behind, and that the next one heals it.

Every stop of a run (the entry and the exit of each system call) is a place to kill it, and every one
of them is swept. A sanitized build makes more stops and slower ones; there every n-th is taken.
"""
import os
import resource
import signal

import laws
import tap
from archived import object_path, rewrite
from laws import SEGMENT, XLOG, Place, fetchable, push_again

STOPS_MAX = 3000
SANITIZED = bool(os.environ.get("SEAWALL_SANITIZED"))
SANITIZED_RUNS = 150
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)


def sweep(t, what, make, count, one, every=1):
    """one(place, at) for every stop, or every n-th. Returns what one() returned, by stop."""
    places = laws.places(t, what, make)
    stops = max(count(place) for place in places)
    if stops > STOPS_MAX:
        every = max(every, stops // (STOPS_MAX // 2))
    if SANITIZED:
        every = max(every, stops // SANITIZED_RUNS)
    points = list(range(1, stops + 1, every))
    return laws.each(t, "%s, of %d stops" % (what, stops), places, points, one)


def killed(result):
    """The program was killed at its stop, or had already ended well (a run may be a little shorter
    than the one that was counted)."""
    if result.sent and result.code != -signal.SIGKILL:
        raise tap.Failure("the kill gave %s" % (result,))
    return result.sent


@tap.check("a push killed at every stop leaves no object or a whole one, and the next push heals it")
def _(t):
    def one(place, at):
        place.empty()
        sent = killed(place.killat("seawall-push", place.path, at=at))
        before = [place.object_in(store) for store in place.stores]
        push_again(place, before)
        return (sent, sum(b is not None for b in before))

    results = sweep(t, "push", Place, lambda place: (
        place.empty(), place.killat("seawall-push", place.path).stops)[1], one)
    t.equal({n for sent, n in results.values() if sent}, {0, 1, 2}, "stores that had it at the kill")


@tap.check("a push of what is there already, killed, changes nothing")
def _(t):
    def one(place, at):
        before = [place.object_in(store) for store in place.stores]
        killed(place.killat("seawall-push", place.path, at=at))
        after = [place.object_in(store) for store in place.stores]
        if after != before:
            raise tap.Failure("objects were %s and are %s" % (before, after))
        push_again(place, before)

    sweep(t, "push again", lambda base: Place(base, [SEGMENT]),
          lambda place: place.killat("seawall-push", place.path).stops, one, every=4)


@tap.check("a push of other content, killed, changes nothing, and is a conflict afterwards")
def _(t):
    def make(base):
        place = Place(base, [SEGMENT])
        place.pgdata.write_segment(SEGMENT, seed=9)
        return place

    def one(place, at):
        before = [place.object_in(store) for store in place.stores]
        killed(place.killat("seawall-push", place.path, at=at))
        push_again(place, before, code=12)

    sweep(t, "push of other content", make,
          lambda place: place.killat("seawall-push", place.path).stops, one, every=10)


def fetch_stops(place):
    place.clear()
    return place.killat("seawall-fetch", place.name, XLOG).stops


def fetch_killed(place, at):
    place.clear()
    if place.old is not None:
        (place.pgdata.dir / XLOG).write_bytes(place.old)
    sent = killed(place.killat("seawall-fetch", place.name, XLOG, at=at))
    there, left = place.at_destination(place.old)
    again = place.setup.fetch(place.pgdata, place.name, XLOG)
    if again.code != 0 or not place.at_destination(place.old)[0]:
        raise tap.Failure("the next fetch: %s" % (again,))
    return (sent, there, left)


@tap.check("a fetch killed at every stop leaves nothing or the whole file, and the next fetch brings it")
def _(t):
    results = sweep(t, "fetch", fetchable, fetch_stops, fetch_killed)
    t.equal({there for sent, there, left in results.values() if sent}, {False, True},
            "was it there at the kill")
    t.equal(sum(left for sent, there, left in results.values()), 0, "temporary files left behind")


@tap.check("a fetch over an older file, killed, leaves the old one or the whole new one")
def _(t):
    results = sweep(t, "fetch over a file", lambda base: fetchable(base, b"old"), fetch_stops,
                    fetch_killed, every=2)
    t.diag("%d kills left a temporary file" % sum(left > 0 for s, th, left in results.values()))


def check_signal(place, at, sig, result, allowed):
    """Death by the signal is for the time before the program has taken it into its own hands, or
    how it says that it was stopped; `allowed` are its answers."""
    core = place.core()
    if not result.sent:
        return None
    if result.code != -sig and result.code not in allowed:
        raise tap.Failure("%s at stop %d gave %s" % (sig.name, at, result))
    return (result.code, core)


def own_answers(results, sig):
    """What it answered from the stop on at which it had taken the signal into its own hands:
    never again a death without a word. The loader's time is before that."""
    deaths = [at for at, r in results.items() if r and r[0] == -sig]
    answers = {at: r for at, r in results.items() if r and r[0] != -sig}
    if not answers or min(answers) < max(deaths, default=0):
        raise tap.Failure("%s: dead at stops up to %d, answers %s" % (
            sig.name, max(deaths, default=0), answers))
    return answers


@tap.check("a push that is told to stop at any stop exits 0 or 10 to 16 and leaves whole objects only")
def _(t):
    resource.setrlimit(resource.RLIMIT_CORE, (resource.getrlimit(resource.RLIMIT_CORE)[1],) * 2)
    for offset, sig in enumerate(SIGNALS):
        def one(place, at):
            at += 3 * offset
            place.empty()
            result = place.killat("seawall-push", place.path, at=at, sig=sig)
            answer = check_signal(place, at, sig, result, (0,) + tuple(range(10, 17)))
            before = [place.object_in(store) for store in place.stores]
            if result.code == 0 and before == [None, None]:
                raise tap.Failure("0, but no store has it")
            push_again(place, before)
            return answer

        results = sweep(t, "push, " + sig.name, Place, lambda place: (
            place.empty(), place.killat("seawall-push", place.path).stops)[1], one, every=13)
        answers = own_answers(results, sig)
        t.equal([at for at, r in answers.items() if r[1]], [], "core files")
        t.diag("%s: own answers from stop %d on: %s" % (
            sig.name, min(answers), sorted({r[0] for r in answers.values()})))


@tap.check("a fetch that is told to stop at any stop dies by the signal or answers, and never says 1")
def _(t):
    for offset, sig in enumerate(SIGNALS):
        def one(place, at):
            at += 3 * offset
            place.clear()
            result = place.killat("seawall-fetch", place.name, XLOG, at=at, sig=sig)
            answer = check_signal(place, at, sig, result, (0,) + tuple(range(200, 206)))
            there, _ = place.at_destination()
            if result.code == 0 and not there:
                raise tap.Failure("0, but nothing is there")
            if place.setup.fetch(place.pgdata, place.name, XLOG).code != 0:
                raise tap.Failure("the next fetch failed")
            return answer

        sweep(t, "fetch, " + sig.name, fetchable, fetch_stops, one, every=13)


@tap.check("a fetch of what is proven absent, stopped at any stop, says 1 or dies by the signal")
def _(t):
    def stops(place):
        return place.killat("seawall-fetch", place.pgdata.name(SEGMENT + 1), XLOG).stops

    for sig, every in ((signal.SIGKILL, 3), (signal.SIGTERM, 9), (signal.SIGQUIT, 17)):
        def one(place, at):
            result = place.killat("seawall-fetch", place.pgdata.name(SEGMENT + 1), XLOG, at=at, sig=sig)
            if result.code not in ((-sig, 1) if not result.sent or sig != signal.SIGKILL else (-sig,)):
                raise tap.Failure("%s gave %s" % (sig.name, result))
            if place.at_destination() != (False, 0):
                raise tap.Failure("it left something in pg_wal")
            return result.code

        sweep(t, "absent, " + sig.name, fetchable, stops, one, every=every)


@tap.check("a fetch of what is missing in the middle, stopped at any stop, never says 1")
def _(t):
    def make(base):
        place = fetchable(base)
        for store in place.stores:
            object_path(store, place.pgdata.name(SEGMENT - 1)).unlink()
        return place

    def stops(place):
        return place.killat("seawall-fetch", place.pgdata.name(SEGMENT - 1), XLOG).stops

    for sig in (signal.SIGKILL, signal.SIGTERM):
        def one(place, at):
            result = place.killat("seawall-fetch", place.pgdata.name(SEGMENT - 1), XLOG, at=at,
                                  sig=sig)
            if result.code not in (-sig, 203):
                raise tap.Failure("%s gave %s" % (sig.name, result))

        sweep(t, "gap, " + sig.name, make, stops, one, every=41)


@tap.check("a damaged object in one store: a fetch killed at any stop never lets its bytes appear")
def _(t):
    def make(base):
        place = fetchable(base)
        path = object_path(place.stores[0], place.name)
        data = bytearray(path.read_bytes())
        data[-1000] ^= 4
        rewrite(path, data)
        return place

    sweep(t, "fetch beside damage", make, fetch_stops, fetch_killed, every=7)


tap.main()
