# SPDX-License-Identifier: PostgreSQL
"""The wall clock is wrong and jumps: nothing is refused, lost, late or early because of it.

The programs run with tests/support/clockshim.c, the S3 services refuse requests whose date is
fifteen minutes off, as real ones do.
"""
import json
import time

import models3
import tap
from agents import XLOG, Place, preload

HOUR = 3600
TO_1970 = -int(time.time()) + 86400
TO_2100 = 4102444800 - int(time.time())
JUMPS = [HOUR, -HOUR, TO_1970, TO_2100, 0]


class Clock:
    """A place whose programs see a clock that jumps, and its stores."""

    def __init__(self, t, n=1, **settings):
        self.stores = [t.enter(models3.Bucket()) for _ in range(n)]
        self.place = Place(t, **dict(dict(stall_timeout=1, connect_timeout=1), **settings))
        self.place.setup.write(stores=[s.store("ab"[i]) for i, s in enumerate(self.stores)])
        self.file = t.dir / "clock"
        self.place.more = dict(models3.ENV, **preload("clockshim.so"),
                               CLOCKSHIM_FILE=str(self.file))
        self.jump(0)

    def jump(self, seconds):
        new = self.file.with_suffix(".new")
        new.write_text("%d\n" % seconds)
        new.rename(self.file)

    def skewed(self):
        """How many requests the first store has refused for their date."""
        return sum(x.answer is not None and x.answer.code == "RequestTimeTooSkewed"
                   for x in list(self.stores[0].exchanges))

    def done(self, number):
        """What PostgreSQL does when a file is archived."""
        ready = self.place.pgdata.status / (self.place.pgdata.name(number) + ".ready")
        ready.rename(ready.with_suffix(".done"))

    def verdict(self):
        result = self.place.run("seawall-status", "--json")
        return result.code, json.loads(result.out)


def push_and_fetch(t, clock, number, what, *more):
    place = clock.place
    result = place.push(number, *more)
    t.equal(result.code, 0, "push, %s: %s" % (what, result.err))
    result = place.fetch(number, *more)
    t.equal(result.code, 0, "fetch, %s: %s" % (what, result.err))
    t.equal(place.fetched(), place.pgdata.segment(number), "bytes, " + what)


@tap.check("a clock an hour off, in 1970 or in 2100 is set right by the store's, without an agent")
def _(t):
    clock = Clock(t)
    for number, jump in enumerate(JUMPS, 1):
        clock.jump(jump)
        before = clock.skewed()
        push_and_fetch(t, clock, number, "%d s" % jump, "--one-shot")
        t.equal(clock.place.fetch(99, "--one-shot").code, 1, "absent")
        t.equal(clock.skewed() > before, jump != 0, "refused for its date")


@tap.check("a clock that jumps under an agent disturbs nothing, and ends nothing")
def _(t):
    clock = Clock(t, agent_idle=600)
    push_and_fetch(t, clock, 1, "before")
    agent = clock.place.agent()
    for number, jump in enumerate(JUMPS, 2):
        clock.jump(jump)
        time.sleep(0.5)
        push_and_fetch(t, clock, number, "%d s" % jump)
        t.equal(clock.place.fetch(99).code, 1, "absent")
        t.equal(clock.place.agent(), agent, "the agent")
    t.true(clock.skewed() >= 4, "refused for its date: %d" % clock.skewed())


@tap.check("what was fetched ahead stays good over a jump")
def _(t):
    clock = Clock(t)
    place = clock.place
    for number in range(1, 9):
        t.equal(place.push(number, "--one-shot").code, 0, "push")
        (place.pgdata.wal / place.pgdata.name(number)).unlink()
    t.equal(place.fetch(1).code, 0, "first")
    for number, jump in zip(range(2, 9), JUMPS + JUMPS):
        tap.wait_for(lambda: place.status()["fetch"]["ready"] > 0 or number == 8, what="ahead")
        clock.jump(jump)
        t.equal(place.fetch(number).code, 0, "segment %d" % number)
        t.equal(place.fetched(), place.pgdata.segment(number), "bytes")
    wal = {place.pgdata.name(number) for number in range(1, 8)}
    gets = [n for (method, key), n in clock.stores[0].requests.items()
            if method == "GET" and key.rpartition("/")[2] in wal]
    t.true(place.status()["fetch"]["served_ahead"] >= 6, "served ahead")
    t.true(sum(gets) <= len(wal) + clock.skewed(), "requests: %s" % gets)


@tap.check("a jump neither shortens nor lengthens a deadline")
def _(t):
    clock = Clock(t, push_timeout=8, fetch_timeout=8)
    place = clock.place
    push_and_fetch(t, clock, 1, "before")
    place.pgdata.write_segment(2)
    clock.stores[0].behave("hangs")
    for more in ([], ["--one-shot"]):
        hooks = [place.start("seawall-push", *more, "pg_wal/" + place.pgdata.name(2)),
                 place.start("seawall-fetch", *more, place.pgdata.name(9), XLOG)]
        for jump in (HOUR, -HOUR, TO_2100, TO_1970):
            time.sleep(0.5)
            clock.jump(jump)
        t.equal([hook.poll() for hook in hooks], [None, None], "they wait")
        for hook, code in zip(hooks, (10, 200)):
            _, err = hook.communicate(timeout=60)
            t.equal(hook.returncode, code, err)
        clock.jump(0)
    clock.stores[0].behave()
    push_and_fetch(t, clock, 2, "afterwards")


@tap.check("the lag of a store has the right age when the clock was set meanwhile")
def _(t):
    clock = Clock(t, n=2, acknowledge=1)
    place = clock.place
    push_and_fetch(t, clock, 1, "before")
    clock.done(1)
    clock.stores[1].behave("busy")
    t.equal(place.push(2).code, 0, "push")
    clock.done(2)
    for jump in (2 * HOUR, -2 * HOUR, TO_2100, TO_1970):
        clock.jump(jump)
        code, status = clock.verdict()
        lag = status["stores"][1]
        t.equal((code, status["verdict"], lag["lag_files"]), (0, "ok", 1), "%d s: %s" % (
            jump, status["reason"]))
        t.true(0 <= status["time"] - lag["lag_since"] < 600, "age: %s" % lag)
    clock.stores[1].behave()
    tap.wait_for(lambda: clock.verdict()[1]["stores"][1]["lag_files"] == 0, what="healed")


tap.main()
