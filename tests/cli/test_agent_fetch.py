# SPDX-License-Identifier: PostgreSQL
"""Restoring through the agent: what is fetched ahead, and stores that fail meanwhile."""
import json
import os
import signal

import models3
import s3faults
import seawall
import tap
from agents import XLOG
from archived import MIB, object_path, push_all, rewrite, setup_with

FAST = dict(stall_timeout=1, connect_timeout=1, fetch_timeout=10)
HISTORY_2 = b"1\t0/780000\tno recovery target specified\n"


def status(setup, pgdata):
    """What the agent says of its fetch half."""
    result = tap.run([seawall.program("seawall-agent"), "--config", setup.config, "status"],
                     cwd=pgdata.dir, env=models3.ENV)
    if result.code != 0:
        raise tap.Failure("status: %d %s" % (result.code, result.err))
    return json.loads(result.out)["fetch"]


def fetch(setup, pgdata, name):
    """(code, bytes at %p or None, stderr), asked for as a server does."""
    target = pgdata.dir / XLOG
    target.unlink(missing_ok=True)
    result = setup.fetch(pgdata, name, XLOG, agent=True, env=models3.ENV)
    return result.code, target.read_bytes() if target.exists() else None, result.err


def recover(t, setup, pgdata, numbers, what=""):
    """Ask for the segments one after the other; returns all that was said."""
    said = ""
    for number in numbers:
        code, data, err = fetch(setup, pgdata, pgdata.name(number))
        t.equal(code, 0, "%s segment %d: %s" % (what, number, err))
        t.true(data == pgdata.segment(number), "%s segment %d: bytes" % (what, number))
        said += err
    return said


def ready(setup, pgdata, n, what="files ahead"):
    tap.wait_for(lambda: status(setup, pgdata)["ready"] >= n, 60, what)


def buckets(t, n, last, place=".", echoes="what was asked", **settings):
    """n fake services that have segments 1 to `last`."""
    found = [t.enter(models3.Bucket(echoes=echoes)) for _ in range(n)]
    directory = t.dir / place
    directory.mkdir(exist_ok=True)
    setup = seawall.Setup(directory, [bucket.store("abc"[i]) for i, bucket in enumerate(found)],
                          **dict(FAST, **settings))
    pgdata = seawall.Pgdata(directory / "data", segment_size=MIB)
    for number in range(1, last + 1):
        path = pgdata.write_segment(number)
        t.equal(setup.push(pgdata, path, env=models3.ENV).code, 0, "push")
        (pgdata.dir / path).unlink()
    for bucket in found:
        bucket.requests.clear()
    return found, setup, pgdata


def key(pgdata, number):
    name = pgdata.name(number)
    return "root/main/%d/wal/%s/%s/%s" % (pgdata.system_id, name[:8], name[8:16], name)


@tap.check("a recovery gets every segment, the end is proven, and pg_wal shows nothing else")
def _(t):
    setup, pgdata = setup_with(t)
    push_all(t, setup, pgdata, range(1, 21))
    recover(t, setup, pgdata, [1])
    ready(setup, pgdata, 3)
    t.equal(sorted(os.listdir(pgdata.wal)), ["RECOVERYXLOG", "archive_status"], "pg_wal")
    recover(t, setup, pgdata, range(2, 21))
    for _ in range(2):
        t.equal(fetch(setup, pgdata, pgdata.name(21))[:2], (1, None), "the end")
    recover(t, setup, pgdata, [20])
    t.equal(fetch(setup, pgdata, "00000002.history")[0], 1, "no further timeline")
    t.equal(fetch(setup, pgdata, "00000001.history")[0], 1, "timeline 1 has no history")
    told = status(setup, pgdata)
    t.equal(told["served"], 21, "served")
    t.true(told["served_ahead"] >= 3, "ahead: %s" % told)


@tap.check("what was written into a restored file does not come back")
def _(t):
    setup, pgdata = setup_with(t)
    push_all(t, setup, pgdata, range(1, 4))
    recover(t, setup, pgdata, [1])
    ready(setup, pgdata, 2)
    recover(t, setup, pgdata, [2])
    with open(pgdata.dir / XLOG, "r+b") as f:
        f.write(b"recycled")
    recover(t, setup, pgdata, [2, 3])


@tap.check("an absence from before is never remembered: a standby finds what was archived meanwhile")
def _(t):
    (s3,), setup, pgdata = buckets(t, 1, 3)
    (pgdata.dir / "standby.signal").touch()
    recover(t, setup, pgdata, [1, 2, 3])
    for number in range(4, 9):
        for _ in range(2):
            t.equal(fetch(setup, pgdata, pgdata.name(number))[:2], (1, None), "not yet")
        path = pgdata.write_segment(number)
        t.equal(setup.push(pgdata, path, env=models3.ENV).code, 0, "push")
        (pgdata.dir / path).unlink()
        recover(t, setup, pgdata, [number])
    # what was begun ahead of the last segment found may still ask during the first poll
    t.equal(fetch(setup, pgdata, pgdata.name(9))[:2], (1, None), "the first poll")
    s3.requests.clear()
    for _ in range(5):
        t.equal(fetch(setup, pgdata, pgdata.name(9))[:2], (1, None), "polling")
    # a segment, what is behind it, whether the server is known
    t.true(sum(s3.requests.values()) <= 5 * 3, "requests of five polls: %s" % s3.requests)


@tap.check("a segment that is missing in the middle is 203, however far ahead that was seen")
def _(t):
    setup, pgdata = setup_with(t)
    push_all(t, setup, pgdata, range(1, 9))
    object_path(t.dir / "a", pgdata.name(5)).unlink()
    recover(t, setup, pgdata, range(1, 5))
    code, data, err = fetch(setup, pgdata, pgdata.name(5))
    t.equal((code, data), (203, None), err)
    t.contains(err, pgdata.name(6), "the later one")


@tap.check("damaged copies: the other store's are served and each damage is told; everywhere: 201")
def _(t):
    setup, pgdata = setup_with(t, "ab")
    push_all(t, setup, pgdata, range(1, 9))
    for number in (2, 4, 5, 7):
        path = object_path(t.dir / "a", pgdata.name(number))
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        rewrite(path, bytes(data))
    for store in "ab":
        rewrite(object_path(t.dir / store, pgdata.name(8)), b"damaged")
    said = recover(t, setup, pgdata, range(1, 8))
    for number in (2, 4, 5, 7):
        t.equal(said.count('could not restore "%s"' % pgdata.name(number)), 1, said)
    code, data, err = fetch(setup, pgdata, pgdata.name(8))
    t.equal((code, data), (201, None), err)


@tap.check("one store of two fails in every way while segments are fetched ahead: all arrive")
def _(t):
    (a, _b), setup, pgdata = buckets(t, 2, 24, standby_on_error="stop")
    recover(t, setup, pgdata, [1, 2], "before")
    for i, fault in enumerate(("busy", "closes", "cuts", "hangs")):
        a.behave(fault)
        recover(t, setup, pgdata, range(3 + 5 * i, 8 + 5 * i), fault)
    a.behave(None)
    t.equal(fetch(setup, pgdata, pgdata.name(25))[:2], (1, None), "the end")


@tap.check("the only store fails while segments are fetched ahead: what is ready is served, then 200")
def _(t):
    (s3,), setup, pgdata = buckets(t, 1, 12, fetch_timeout=5)
    recover(t, setup, pgdata, [1])
    ready(setup, pgdata, 4)
    s3.behave("hangs")
    recover(t, setup, pgdata, [2, 3, 4, 5], "ready")
    code, data, err = fetch(setup, pgdata, pgdata.name(6))
    t.equal((code, data), (200, None), err)
    s3.behave(None)
    recover(t, setup, pgdata, range(6, 13), "afterwards")
    s3.behave("busy")
    code, data, err = fetch(setup, pgdata, pgdata.name(13))
    t.equal((code, data), (200, None), err)
    s3.behave(None)
    t.equal(fetch(setup, pgdata, pgdata.name(13))[:2], (1, None), "the end")


@tap.check("one store cannot say and the other is empty-handed: 200, never 1")
def _(t):
    (a, b), setup, pgdata = buckets(t, 2, 4, fetch_timeout=5)
    recover(t, setup, pgdata, [1, 2, 3, 4])
    for fault in ("busy", "hangs", "closes"):
        for bucket in (a, b):
            bucket.behave(fault)
            t.equal(fetch(setup, pgdata, pgdata.name(5))[:2], (200, None), fault)
            bucket.behave(None)
    t.equal(fetch(setup, pgdata, pgdata.name(5))[:2], (1, None), "both say so")


def earlier(s3, exchange):
    """What was asked before on the connection of an exchange."""
    return [(x.kind, x.key) for x in list(s3.exchanges)
            if x.connection is exchange.connection and x.number < exchange.number]


def spare(s3):
    """How many connections have carried one list of everything and nothing else."""
    with s3.lock:
        carried = [[x for x in s3.exchanges if x.connection is c] for c in s3.connections]
    return sum(len(xs) == 1 and xs[0].kind == "list" and xs[0].key == "root/"
               and xs[0].ended is not None for xs in carried)


def absent(t, s3, setup, pgdata, name):
    """Ask for what is not there; what its connections carried before the question for it."""
    begin = len(s3.exchanges)
    code, data, err = fetch(setup, pgdata, name)
    t.equal((code, data), (1, None), err)
    return [earlier(s3, x) for x in s3.exchanges[begin:]
            if x.kind == "get" and x.key.endswith(name)]


@tap.check("near the end connections are made ready, and each absence is believed on one of them")
def _(t):
    (s3,), setup, pgdata = buckets(t, 1, 6)
    recover(t, setup, pgdata, range(1, 7))
    for name in (pgdata.name(7), pgdata.name(7), "00000002.history", "00000001.history"):
        tap.wait_for(lambda: spare(s3) == 3, 60, "spare connections")
        t.equal(absent(t, s3, setup, pgdata, name), [[("list", "root/")]], name)


@tap.check("lists that do not say what they answer: absences are believed on new connections only")
def _(t):
    for echoes in ("nothing", "others"):
        (s3,), setup, pgdata = buckets(t, 1, 6, place=echoes, echoes=echoes)
        recover(t, setup, pgdata, range(1, 7))
        for name in (pgdata.name(7), pgdata.name(7), "00000002.history"):
            t.equal(absent(t, s3, setup, pgdata, name)[-1], [], name)
        t.true(("list", "root/") in [(x.kind, x.key) for x in s3.exchanges], "one was tried")


class Most:
    """Dice that show the most."""

    choice = staticmethod(max)


@tap.check("a list that comes again on a spare connection is neither an object nor an absence")
def _(t):
    (s3,), setup, pgdata = buckets(t, 1, 6)
    rule = s3.fault(s3faults.repeat(Most), kind="list", key="root/")
    recover(t, setup, pgdata, range(1, 7))
    tap.wait_for(lambda: spare(s3) == 3, 60, "spare connections")
    t.equal(absent(t, s3, setup, pgdata, pgdata.name(7))[-1], [], "on a new connection")
    path = pgdata.write_segment(7)
    t.equal(setup.push(pgdata, path, env=models3.ENV).code, 0, "push")
    (pgdata.dir / path).unlink()
    recover(t, setup, pgdata, [7], "archived meanwhile")
    t.true(len(rule.hits) > 3, "hits")


@tap.check("what is probably nowhere is asked for in all stores at once, by a standby in turn")
def _(t):
    (a, b), setup, pgdata = buckets(t, 2, 6)
    recover(t, setup, pgdata, range(1, 7))
    tap.wait_for(lambda: spare(a) == 3 and spare(b) == 3, 60, "the end is known")
    a.delay_s = b.delay_s = 0.5

    def at_once(name):
        seen = len(a.exchanges), len(b.exchanges)
        t.equal(fetch(setup, pgdata, name)[:2], (1, None), name)
        one, other = ([x for x in s3.exchanges[n:] if x.kind == "get" and x.key.endswith(name)][0]
                      for s3, n in zip((a, b), seen))
        return other.started < one.ended

    t.true(at_once(pgdata.name(7)), "segment")
    t.true(at_once("00000002.history"), "history")
    (pgdata.dir / "standby.signal").touch()
    t.true(not at_once(pgdata.name(7)), "standby")


@tap.check("a slow store is busy with several segments at once")
def _(t):
    (s3,), setup, pgdata = buckets(t, 1, 12)
    s3.delay_s = 0.2
    recover(t, setup, pgdata, range(1, 13))
    t.true(status(setup, pgdata)["served_ahead"] > 0, "ahead")
    t.equal(max(s3.requests["GET", key(pgdata, n)] for n in range(1, 12)), 1, "requests for one")


@tap.check("across a switch of timelines the history is followed")
def _(t):
    setup, pgdata = setup_with(t)
    push_all(t, setup, pgdata, range(4, 10))
    child = seawall.Pgdata(t.dir / "child", segment_size=MIB, timeline=2)
    push_all(t, setup, child, range(7, 13))
    t.equal(setup.push(pgdata, pgdata.write("00000002.history", HISTORY_2)).code, 0, "push")
    (pgdata.wal / "00000002.history").unlink()
    t.equal(fetch(setup, pgdata, "00000002.history")[:2], (0, HISTORY_2), "history")
    t.equal(fetch(setup, pgdata, "00000003.history")[0], 1, "the last")
    before = status(setup, pgdata)["served_ahead"]
    for number in range(4, 13):
        source = pgdata if number < 7 else child
        code, data, err = fetch(setup, pgdata, source.name(number))
        t.equal(code, 0, err)
        t.true(data == source.segment(number), "bytes of %d" % number)
        if number == 4:
            ready(setup, pgdata, 4)
    t.true(status(setup, pgdata)["served_ahead"] - before >= 4, "ahead, both sides of the switch")


@tap.check("a killed agent leaves nothing, and the next one goes on")
def _(t):
    setup, pgdata = setup_with(t)
    push_all(t, setup, pgdata, range(1, 13))
    for number in range(1, 13):
        recover(t, setup, pgdata, [number])
        if number % 3 == 0:
            for pid in tap.agents(os.environ["SEAWALL_RUNTIME_DIR"]):
                os.kill(pid, signal.SIGKILL)
    t.equal(sorted(os.listdir(pgdata.wal)), ["RECOVERYXLOG", "archive_status"], "pg_wal")
    t.equal(fetch(setup, pgdata, pgdata.name(13))[:2], (1, None), "the end")


@tap.check("a spool of its own, without room, absent: the file that is asked for comes all the same")
def _(t):
    spool = t.dir / "spool"
    spool.mkdir(mode=0o700)
    setup, pgdata = setup_with(t, spool_dir=str(spool), spool_max=3 * MIB)
    push_all(t, setup, pgdata, range(1, 9))
    recover(t, setup, pgdata, [1])
    ready(setup, pgdata, 3)
    recover(t, setup, pgdata, [2, 3])
    t.true(status(setup, pgdata)["ready"] <= 3, "bound")
    t.equal(os.listdir(spool), [], "nothing is visible in the spool")
    setup.write(spool_max=0)
    recover(t, setup, pgdata, [4, 5, 6])
    t.equal(status(setup, pgdata)["ready"], 0, "no spool")
    spool.rmdir()
    setup.write(spool_max=3 * MIB)
    code, _, err = fetch(setup, pgdata, pgdata.name(7))
    t.equal(code, 202, err)
    t.contains(err, "spool_dir", "the setting")


@tap.check("a store that is lost and comes back during recovery")
def _(t):
    setup, pgdata = setup_with(t, fetch_timeout=5)
    push_all(t, setup, pgdata, range(1, 13))
    recover(t, setup, pgdata, [1])
    ready(setup, pgdata, 4)
    (t.dir / "a").rename(t.dir / "away")
    t.equal(fetch(setup, pgdata, pgdata.name(6))[:2], (200, None), "lost")
    (t.dir / "a").mkdir()
    t.equal(fetch(setup, pgdata, pgdata.name(6))[:2], (203, None), "an empty mount point")
    (t.dir / "a").rmdir()
    (t.dir / "away").rename(t.dir / "a")
    recover(t, setup, pgdata, range(2, 13), "afterwards")


tap.main()
