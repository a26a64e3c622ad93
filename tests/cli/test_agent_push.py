# SPDX-License-Identifier: PostgreSQL
"""Archiving through the agent: work ahead, stores that fail, hang, are slow or disagree."""
import json
import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor

import models3
import seawall
import tap
from archived import MIB, object_path

FAST = dict(stall_timeout=1, connect_timeout=1)


def status(setup, pgdata):
    """What the agent says of its push half."""
    result = tap.run([seawall.program("seawall-agent"), "--config", setup.config, "status"],
                     cwd=pgdata.dir, env=models3.ENV)
    if result.code != 0:
        raise tap.Failure("status: %d %s" % (result.code, result.err))
    return json.loads(result.out)["push"]


def lag(setup, pgdata):
    return {store["name"]: store["lag_files"] for store in status(setup, pgdata)["stores"]}


def errors(setup, pgdata):
    return {store["name"]: store["error"] for store in status(setup, pgdata)["stores"]}


def push(setup, pgdata, number, **options):
    return setup.push(pgdata, "pg_wal/" + pgdata.name(number), agent=True, env=models3.ENV,
                      **options)


def push_new(setup, pgdata, number):
    """A segment that PostgreSQL has archived and then forgets."""
    pgdata.write_segment(number)
    result = push(setup, pgdata, number)
    done(pgdata, number)
    return result


def done(pgdata, number):
    """What PostgreSQL does when a file is archived."""
    ready = pgdata.status / (pgdata.name(number) + ".ready")
    ready.rename(ready.with_suffix(".done"))


def key(pgdata, number):
    name = pgdata.name(number)
    return "root/main/%d/wal/%s/%s/%s" % (pgdata.system_id, name[:8], name[8:16], name)


def buckets(t, n, **settings):
    """n fake services with a configuration and a data directory of small segments."""
    found = [t.enter(models3.Bucket()) for _ in range(n)]
    setup = seawall.Setup(t.dir, [bucket.store("abcdef"[i]) for i, bucket in enumerate(found)],
                          **dict(FAST, **settings))
    return found, setup, seawall.Pgdata(t.dir / "data", segment_size=MIB)


@tap.check("one request has the whole backlog archived, in order, each segment sent once")
def _(t):
    (s3,), setup, pgdata = buckets(t, 1, stall_timeout=20)
    for i in range(1, 25):
        pgdata.write_segment(i)
    t.equal(push(setup, pgdata, 1).code, 0, "first")
    tap.wait_for(lambda: all(key(pgdata, i) in s3.objects for i in range(1, 25)), 60, "backlog")
    tap.wait_for(lambda: status(setup, pgdata)["archived"] == 24, 60, "all acknowledged")
    for i in range(2, 25):
        done(pgdata, i - 1)
        t.equal(push(setup, pgdata, i).code, 0, "segment %d" % i)
    t.equal(max(n for (method, k), n in s3.requests.items() if "/wal/" in k), 1, "requests for one")
    t.true(s3.requests["PUT", "root/main/probe/conditional"] <= 3, "few proofs")
    t.equal(status(setup, pgdata)["archived"], 24, "archived")


@tap.check("what a store lacked when its agent was killed is found and brought by the next one")
def _(t):
    (a, b), setup, pgdata = buckets(t, 2, acknowledge=1)
    t.equal(push_new(setup, pgdata, 1).code, 0, "push")
    for back in ("before", "after"):
        b.behave("busy")
        first = 2 if back == "before" else 7
        for number in range(first, first + 3):
            t.equal(push_new(setup, pgdata, number).code, 0, "push while b is away")
            (pgdata.wal / pgdata.name(number)).unlink()
        for pid in tap.agents(os.environ["SEAWALL_RUNTIME_DIR"]):
            os.kill(pid, signal.SIGKILL)
        if back == "before":
            b.behave(None)
        t.equal(push_new(setup, pgdata, first + 3).code, 0, "push, another agent")
        if back == "after":
            t.true(key(pgdata, first) not in b.objects, "b is away")
            b.behave(None)
        tap.wait_for(lambda: all(key(pgdata, n) in b.objects
                                 for n in range(first, first + 4)), 60, "b has all: " + back)
    for number in (2, 3, 4, 7, 8, 9):
        t.true(a.objects[key(pgdata, number)] == b.objects[key(pgdata, number)], "copied as it is")
    t.equal(sorted(b.objects), sorted(a.objects), "names")
    tap.wait_for(lambda: [s["lag_files"] for s in status(setup, pgdata)["stores"]] == [0, 0], 60,
                 "no lag")


@tap.check("a store that may not be listed is not taken for one that lacks something")
def _(t):
    (a, b), setup, pgdata = buckets(t, 2, acknowledge=1)
    b.forbids = ("list",)
    b.behave("busy")
    t.equal(push_new(setup, pgdata, 1).code, 0, "push")
    tap.stop_agents(os.environ["SEAWALL_RUNTIME_DIR"])
    b.behave(None)
    result = push_new(setup, pgdata, 2)
    t.equal(result[:], (0, "", ""), "push")
    tap.wait_for(lambda: key(pgdata, 2) in b.objects, 60, "b has the second")
    t.equal([s["lag_files"] for s in status(setup, pgdata)["stores"]], [0, 0], "lag")
    t.true(key(pgdata, 1) not in b.objects and key(pgdata, 1) in a.objects, "the first")


@tap.check("the agent's connections are kept: many segments, few connections")
def _(t):
    (s3,), setup, pgdata = buckets(t, 1, stall_timeout=20)
    for i in range(1, 41):
        pgdata.write_segment(i)
    for i in range(1, 41):
        t.equal(push(setup, pgdata, i).code, 0, "segment %d" % i)
        done(pgdata, i)
    t.true(s3.n_connections < 30, "connections: %d" % s3.n_connections)


@tap.check("a file that was changed after the work ahead is archived anew: same content 0, other 12")
def _(t):
    (s3,), setup, pgdata = buckets(t, 1)
    for i in range(1, 4):
        pgdata.write_segment(i)
    t.equal(push(setup, pgdata, 1).code, 0, "first")
    tap.wait_for(lambda: status(setup, pgdata)["archived"] == 3, 60, "work ahead")
    os.utime(pgdata.wal / pgdata.name(2))
    t.equal(push(setup, pgdata, 2).code, 0, "touched")
    before = s3.objects[key(pgdata, 3)]
    pgdata.write_segment(3, seed=1)
    result = push(setup, pgdata, 3)
    t.equal(result.code, 12, "other content")
    t.contains(result.err, "other content", "message")
    t.equal(s3.objects[key(pgdata, 3)], before, "what is stored")


@tap.check("a file that vanished after the work ahead is 13")
def _(t):
    (s3,), setup, pgdata = buckets(t, 1)
    for i in range(1, 3):
        pgdata.write_segment(i)
    t.equal(push(setup, pgdata, 1).code, 0, "first")
    tap.wait_for(lambda: key(pgdata, 2) in s3.objects, 60, "work ahead")
    (pgdata.wal / pgdata.name(2)).unlink()
    t.equal(push(setup, pgdata, 2).code, 13, "vanished")


@tap.check("one store of two fails in every way: archiving goes on, the lag is told, then healed")
def _(t):
    for fault in ("busy", "closes", "hangs"):
        base = t.dir / fault
        base.mkdir()
        with models3.Bucket() as a, models3.Bucket() as b:
            setup = seawall.Setup(base, [a.store("a"), b.store("b")], **FAST)
            pgdata = seawall.Pgdata(base / "data", segment_size=MIB)
            pgdata.write_segment(1)
            t.equal(push(setup, pgdata, 1).code, 0, "before")
            tap.wait_for(lambda: key(pgdata, 1) in b.objects, 60, "both have the first")
            b.behave(fault)
            told = ""
            for i in range(2, 12):
                pgdata.write_segment(i)
                result = push(setup, pgdata, i)
                t.equal(result.code, 0, "%s: segment %d: %s" % (fault, i, result.err))
                told += result.err
                done(pgdata, i)
            tap.wait_for(lambda: lag(setup, pgdata)["b"] == 10, 60, fault + ": lag")
            tap.wait_for(lambda: errors(setup, pgdata)["b"], 60, fault + ": why it lags")
            t.equal(lag(setup, pgdata)["a"], 0, "lag of the other")
            # half of what b lacks can only come from a
            for i in range(2, 7):
                (pgdata.wal / pgdata.name(i)).unlink()
            b.behave(None)
            tap.wait_for(lambda: lag(setup, pgdata)["b"] == 0, 60, fault + ": healed")
            for i in range(2, 12):
                t.true(key(pgdata, i) in b.objects, "%s: %d is in b" % (fault, i))
            for i in range(2, 7):
                t.equal(b.objects[key(pgdata, i)], a.objects[key(pgdata, i)], "the same bytes")
            pgdata.write_segment(12)
            told += push(setup, pgdata, 12).err
            t.equal(told.count("store \"b\" lags"), 1, "told once that it lags: " + told)
            t.contains(told, "store \"b\" has caught up", "told that it has caught up")


@tap.check("no store answers: 10 by the deadline, no hot loop; then it goes on as if nothing had been")
def _(t):
    found, setup, pgdata = buckets(t, 2, push_timeout=5)
    for bucket in found:
        bucket.behave("closes")
    for i in range(1, 6):
        pgdata.write_segment(i)
    result = push(setup, pgdata, 1)
    t.equal(result.code, 10, "all stores away: " + result.err)
    t.true(sum(sum(b.requests.values()) for b in found) < 300, "requests")
    for bucket in found:
        bucket.behave(None)
    # the next look at a store that failed often may be later than one push waits
    tap.wait_for(lambda: push(setup, pgdata, 1, timeout=60).code == 0, 60, "back")
    tap.wait_for(lambda: all(key(pgdata, i) in b.objects for i in range(1, 6) for b in found), 60,
                 "everything everywhere")


@tap.check("half of the stores down: enough is enough, and too few is 10")
def _(t):
    found, setup, pgdata = buckets(t, 4, acknowledge=2, push_timeout=5)
    found[1].behave("busy")
    found[3].behave("hangs")
    for i in range(1, 9):
        pgdata.write_segment(i)
    for i in range(1, 5):
        t.equal(push(setup, pgdata, i).code, 0, "two of four")
    found[2].behave("closes")
    pgdata.write_segment(20)
    t.equal(push(setup, pgdata, 20).code, 10, "one of four")
    for bucket in found:
        bucket.behave(None)
    t.equal(push(setup, pgdata, 20, timeout=60).code, 0, "all back")
    tap.wait_for(lambda: all(key(pgdata, i) in b.objects for i in range(1, 5) for b in found), 90,
                 "healed")


@tap.check("a store that refuses is 11 at once; one that overwrites gets nothing")
def _(t):
    (s3,), setup, pgdata = buckets(t, 1)
    s3.forbids = ("put",)
    pgdata.write_segment(1)
    t.equal(push(setup, pgdata, 1, timeout=30).code, 11, "refused")
    s3.forbids = ()
    tap.wait_for(lambda: push(setup, pgdata, 1).code == 0, 60, "permitted again")

    base = t.dir / "overwrites"
    base.mkdir()
    bad = t.enter(models3.Bucket(condition="ignored"))
    setup = seawall.Setup(base, [bad.store("a")], **FAST)
    result = push(setup, pgdata, 1)
    t.equal(result.code, 11, "overwrites")
    t.contains(result.err, "ignores If-None-Match", "message")
    t.true(key(pgdata, 1) not in bad.objects, "nothing stored")


@tap.check("a slow store does not hold back the others, and gets everything in the end")
def _(t):
    (a, b), setup, pgdata = buckets(t, 2, stall_timeout=20, agent_memory="8MiB")
    b.delay_s = 0.5
    for i in range(1, 31):
        pgdata.write_segment(i)
    peak = 0
    for i in range(1, 31):
        t.equal(push(setup, pgdata, i).code, 0, "segment %d" % i)
        done(pgdata, i)
        peak = max(peak, status(setup, pgdata)["memory"])
    t.true(peak <= 8 * MIB, "memory: %d" % peak)
    tap.wait_for(lambda: all(key(pgdata, i) in b.objects for i in range(1, 31)), 120, "all in b")
    tap.wait_for(lambda: lag(setup, pgdata) == {"a": 0, "b": 0}, 60, "no lag")


@tap.check("other content that turns up after the answer is said loudly, once, and in the status")
def _(t):
    (a, b), setup, pgdata = buckets(t, 2, stall_timeout=20)
    other = t.dir / "other"
    other.mkdir()
    path = pgdata.write_segment(1, seed=7)
    foreign = seawall.Setup(other, [b.store("b")], writer_key_file=str(setup.dir / "writer.key"))
    t.equal(foreign.push(pgdata, path, env=models3.ENV).code, 0, "another server's content")
    pgdata.write_segment(1)
    b.delay_s = 1
    t.equal(push(setup, pgdata, 1).code, 0, "store a takes it")
    tap.wait_for(lambda: status(setup, pgdata)["last_error"], 60, "conflict in the status")
    b.delay_s = 0
    pgdata.write_segment(2)
    t.contains(push(setup, pgdata, 2).err, "another store disagrees", "next answer")
    pgdata.write_segment(3)
    t.true("disagrees" not in push(setup, pgdata, 3).err, "once")
    t.equal(lag(setup, pgdata)["b"], 0, "a conflict is no lag")
    shown = [s["conflict"] for s in status(setup, pgdata)["stores"]]
    t.equal(shown[0], None, "store a")
    t.contains(shown[1], '"%s": store "b" already has' % pgdata.name(1), "store b")
    result = tap.run([seawall.program("seawall-status"), "--config", setup.config], cwd=pgdata.dir,
                     env=models3.ENV)
    t.contains(result.out, 'failing: store "b" disagrees with the others', "the verdict")
    t.contains(result.out, 'disagrees about "%s"' % pgdata.name(1), "the file")
    t.contains(result.out, 'run "seawall sync"', "what to do")


@tap.check("healing passes over a damaged copy, overwrites nothing, and says what it cannot heal")
def _(t):
    (a, b, c), setup, pgdata = buckets(t, 3, agent_memory="4MiB", compression="none", stall_timeout=20)
    pgdata.write_segment(1)
    t.equal(push(setup, pgdata, 1).code, 0, "before")
    c.behave("closes")
    for i in range(2, 14):
        pgdata.write_segment(i)
        t.equal(push(setup, pgdata, i).code, 0, "segment %d" % i)
        done(pgdata, i)
    tap.wait_for(lambda: lag(setup, pgdata) == {"a": 0, "b": 0, "c": 12}, 60, "lag")
    for i in range(2, 14):
        (pgdata.wal / pgdata.name(i)).unlink()

    def damage(bucket, number):
        data = bytearray(bucket.objects[key(pgdata, number)])
        data[len(data) // 2] ^= 1
        bucket.put(key(pgdata, number), bytes(data))
    # the first and the last may be in the agent's memory; 7: damaged in one store, 8: in both,
    # 9: there is other content already, 10: one store lost it
    damage(a, 7)
    damage(a, 8)
    damage(b, 8)
    (t.dir / "other").mkdir()
    elsewhere = t.enter(models3.Bucket())
    foreign = seawall.Setup(t.dir / "other", [elsewhere.store("x")],
                            writer_key_file=str(setup.dir / "writer.key"))
    t.equal(foreign.push(pgdata, pgdata.write_segment(9, seed=1), env=models3.ENV).code, 0, "other")
    (pgdata.wal / pgdata.name(9)).unlink()
    other = elsewhere.objects[key(pgdata, 9)]
    c.put(key(pgdata, 9), other)
    a.erase(key(pgdata, 10))
    c.behave(None)
    tap.wait_for(lambda: lag(setup, pgdata)["c"] == 0, 90, "healed")
    for i in [2, 3, 4, 5, 6, 7, 10, 11, 12, 13]:
        t.equal(c.objects[key(pgdata, i)] == b.objects[key(pgdata, i)], True, "copy of %d" % i)
    t.equal(c.objects[key(pgdata, 9)] == other, True, "what was there")
    t.true(key(pgdata, 8) not in c.objects, "nothing damaged is spread")
    pgdata.write_segment(14)
    told = push(setup, pgdata, 14).err
    for i in (8, 9):
        t.contains(told, 'store "c" cannot be given "%s"' % pgdata.name(i), "told")
    t.true(status(setup, pgdata)["last_error"], "in the status")


@tap.check("files on their way to a store that hangs give way when memory is short, and are healed")
def _(t):
    (a, b), setup, pgdata = buckets(t, 2, stall_timeout=30, agent_memory="8MiB", compression="none",
                                    lag_wait=0)
    b.behave("hangs")
    peak = 0
    for i in range(1, 17):
        pgdata.write_segment(i)
    for i in range(1, 17):
        t.equal(push(setup, pgdata, i, timeout=60).code, 0, "segment %d" % i)
        done(pgdata, i)
        peak = max(peak, status(setup, pgdata)["memory"])
    t.true(peak <= 8 * MIB, "memory: %d" % peak)
    t.true(lag(setup, pgdata)["b"] > 0, "lag")
    b.behave(None)
    tap.wait_for(lambda: all(key(pgdata, i) in b.objects for i in range(1, 17)), 120, "all in b")
    tap.wait_for(lambda: lag(setup, pgdata) == {"a": 0, "b": 0}, 60, "no lag")


@tap.check("two servers at once: equal segments are stored once, of two contents one wins")
def _(t):
    (s3,), setup, old = buckets(t, 1)
    new = seawall.Pgdata(t.dir / "promoted", segment_size=MIB)
    for i in range(1, 11):
        old.write_segment(i)
        new.write_segment(i)
    for i in range(11, 14):
        old.write_segment(i)
        new.write_segment(i, seed=1)
    new.write_history(2, [(1, "0/B00000", "no recovery target specified")])

    codes = {}

    def archiver(name, pgdata):
        for i in range(1, 14):
            codes[name, i] = push(setup, pgdata, i).code
            done(pgdata, i)
    threads = [threading.Thread(target=archiver, args=pair)
               for pair in (("old", old), ("new", new))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for i in range(1, 11):
        t.equal((codes["old", i], codes["new", i]), (0, 0), "segment %d of both" % i)
    for i in range(11, 14):
        t.equal(sorted([codes["old", i], codes["new", i]]), [0, 12], "contents of %d" % i)
    t.equal(setup.push(new, "pg_wal/00000002.history", agent=True, env=models3.ENV).code, 0, "history")


@tap.check("many hooks for the same and for different files all end in 0, each file stored once")
def _(t):
    setup = seawall.Setup(t.dir, [seawall.dir_store("a", t.dir / "a")])
    pgdata = seawall.Pgdata(t.dir / "data", segment_size=MIB)
    for i in range(1, 6):
        pgdata.write_segment(i)
    with ThreadPoolExecutor(20) as pool:
        codes = list(pool.map(lambda i: push(setup, pgdata, 1 + i % 5).code, range(40)))
    t.equal(set(codes), {0}, "exit codes")
    for i in range(1, 6):
        t.true(object_path(t.dir / "a", pgdata.name(i)).is_file(), "segment %d" % i)


@tap.check("history files go first")
def _(t):
    (s3,), setup, pgdata = buckets(t, 1, agent_memory="2MiB")
    for i in range(5, 9):
        pgdata.write_segment(i)
    pgdata.write_history(2, [(1, "0/B00000", "no recovery target specified")])
    t.equal(push(setup, pgdata, 5).code, 0, "first asked for")
    tap.wait_for(lambda: len(s3.journal) == 6, 60, "the probe and all files")
    order = [v.key.rpartition("/")[2] for v in s3.journal[1:]]
    # two are under way at a time, and which of two arrives first is not said
    t.true(order.index("00000002.history") < 2, "order: %s" % order)


if __name__ == "__main__":
    tap.main()
