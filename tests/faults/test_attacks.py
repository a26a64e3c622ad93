# SPDX-License-Identifier: PostgreSQL
"""Somebody with the power to write into a bucket, or to show an older one: what readers notice, and
where the limit is that docs/security.md states."""
import json
import os
import time

import seawall
import tap
from faultbench import Bench, scenario

FAKES = 200000 if os.environ.get("SEAWALL_LONG") else 5000


def archived(t, numbers, **options):
    bench = Bench(t, **options)
    for number in numbers:
        bench.push(number, code=0)
    return bench


@scenario("J9: the newest objects deleted in one of two regions come from the other")
def _(t):
    bench = archived(t, range(1, 7), stores=2, acknowledge=2)
    for number in (4, 5, 6):
        bench["a"].erase(bench.key(number))
    for number in range(1, 7):
        bench.fetch(number, code=0)
    bench.fetch(7, code=1)


@scenario("J9: an older state of one of two regions ends nothing early; sync heals it")
def _(t):
    bench = archived(t, range(1, 4), stores=2, acknowledge=2)
    moment = time.monotonic()
    for number in range(4, 7):
        bench.push(number, code=0)
    bench["b"].rollback(moment)
    for number in range(1, 7):
        bench.fetch(number, code=0)
    bench.fetch(7, code=1)
    code, said = bench.run(bench.setup.argv("seawall-verify"))[:2]
    t.equal(code, 12, "verify: " + said)
    code, said = bench.run(bench.setup.argv("seawall-sync"))[:2]
    t.equal(code, 0, "sync: " + said)
    t.equal(bench["a"].keys("root/main/7"), bench["b"].keys("root/main/7"), "the same objects")


@scenario("J9: deleted in the middle is a gap, hidden by a delete marker is said, in every region")
def _(t):
    bench = archived(t, range(1, 7), stores=2, acknowledge=2, bucket=dict(versioned=True))
    for bucket in bench.buckets.values():
        bucket.erase(bench.key(3))
        bucket.hide(bench.key(6))
    bench.fetch(3, code=203, says="is missing")
    bench.fetch(6, code=203, says="delete")


@scenario("J9: the limit: the newest objects erased from every region read as the end")
def _(t):
    # Object Lock forbids it, and `seawall status` and monitoring of the server's position see it
    bench = archived(t, range(1, 7), stores=2, acknowledge=2)
    for bucket in bench.buckets.values():
        for number in (5, 6):
            bucket.erase(bench.key(number))
    bench.fetch(5, code=1)
    bench.fetch(4, code=0)


@scenario("J10: keys named like WAL that nobody archived: bounded, and never an end or a file")
def _(t):
    bench = archived(t, range(1, 4))
    noise = os.urandom(300)
    for number in range(1000, 1000 + FAKES):
        bench.s3.put(bench.key(number), noise)
    begin = len(bench.s3.exchanges)
    # the end is not provable any more: loud, and nobody promotes short
    bench.fetch(4, code=203, says="is missing")
    bench.fetch(1000, code=201)
    bench.fetch(3, code=0)
    bench.push(4, code=0)
    t.true(len(bench.s3.exchanges) - begin < 60, "requests of the hooks")
    for program, codes in (("seawall-list", (0,)), ("seawall-verify", (15,))):
        argv = bench.setup.argv(program, "--json")
        if program == "seawall-verify" and FAKES > 10000:
            continue
        result = tap.run(argv, cwd=bench.pgdata.dir, env=bench.env, timeout=900)
        t.true(result.code in codes, "%s: %d %s" % (program, result.code, result.err[:500]))
        json.loads(result.out)
    result = tap.run(bench.setup.argv("seawall-plan", "--latest"), cwd=bench.pgdata.dir,
                     env=bench.env, timeout=300)
    t.true(result.code in (12, 14, 15), "plan: %d %s" % (result.code, result.err[:500]))
    bench.check()


tap.main()
