# SPDX-License-Identifier: PostgreSQL
"""Real servers recover and follow through the agent: promotions, timelines, killed agents, stores
that go away. The data must be those of the server that wrote the WAL."""
import json
import os
import signal
import threading
import time

import models3
import pgserver
import seawall
import tap


def agents():
    return tap.agents(os.environ["SEAWALL_RUNTIME_DIR"])


def fetch_status(setup, data):
    result = tap.run([seawall.program("seawall-agent"), "--config", setup.config, "status"],
                     cwd=data)
    return json.loads(result.out)["fetch"] if result.out else None


def pgbench(pg, *args):
    result = tap.run([pgserver.tool("pgbench"), *args, "postgres"], env=pg.env, timeout=300)
    if result.code != 0:
        raise tap.Failure(result.err)


def work(pg, transactions=400):
    """Some WAL, and the end of a segment; returns its name."""
    pgbench(pg, "-n", "-c", "2", "-t", str(transactions))
    pg.psql("create table if not exists filler (t text); truncate filler; "
            "insert into filler select repeat(md5(i::text), 30) from generate_series(1, 3000) i")
    return pg.switch_wal()


def sums(pg):
    return pg.sql("select (select count(*) from pgbench_history), (select sum(abalance) from "
                  "pgbench_accounts), (select string_agg(n, ',' order by n) from marks)")


def mark(pg, name):
    pg.psql("insert into marks values ('%s')" % name)


def primary(t, setup, name="primary"):
    pg = t.enter(pgserver.Cluster(t.dir / name, wal_segsize=1, checksums=True))
    pg.archive(setup.archive_command())
    pg.start()
    pgbench(pg, "-i", "-q", "-s", "1")
    pg.psql("create table marks (n text)")
    return pg


def recover(t, copy, setup, want, what, **target):
    """Recover to the end; returns how many segments were ready when they were asked for."""
    copy.recover(setup.restore_command(), action="promote", **target)
    copy.start()
    copy.wait_promoted()
    t.equal(sums(copy), want, what)
    status = fetch_status(setup, copy.data)
    copy.stop()
    return status["served_ahead"] if status else 0


class Killer:
    """Kills every agent again and again while it is used as a context."""

    def __enter__(self):
        self.over, self.killed = threading.Event(), 0
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()
        return self

    def run(self):
        while not self.over.wait(0.15):
            for pid in agents():
                try:
                    os.kill(pid, signal.SIGKILL)
                    self.killed += 1
                except ProcessLookupError:
                    pass

    def __exit__(self, *exc):
        self.over.set()
        self.thread.join()


@tap.check("two timelines from one fork: the latest, and the old one by number; a standby follows")
def _(t):
    setup = seawall.Setup(t.dir, [seawall.dir_store("a", t.dir / "a"),
                                  seawall.dir_store("b", t.dir / "b")])
    old = primary(t, setup)
    copies = [t.enter(old.base_backup(t.dir / ("copy%d" % i))) for i in range(3)]
    new = t.enter(old.standby(t.dir / "new", restore_command=setup.restore_command(),
                              streaming=False))
    new.archive(setup.archive_command())
    for _ in range(3):
        last = work(old)
    mark(old, "common")
    last = old.switch_wal()
    old.wait_archived(last)
    new.start()
    new.wait_for(lambda: new.value("select count(*) from marks") == "1", 120, "the standby")
    t.equal(sums(new), sums(old), "what the standby has")

    # the fork lies in the middle of the segment that follows; both archive what comes then
    mark(old, "old")
    new.promote()
    mark(new, "new")
    for pg in (old, new):
        work(pg)
        last = work(pg)
        mark(pg, "later")
        pg.wait_archived(pg.switch_wal())
    want_old, want_new = sums(old), sums(new)
    old.stop()
    new.stop()
    t.true(want_old != want_new, "two futures")

    ahead = recover(t, copies[0], setup, want_new, "latest", timeline="latest")
    t.true(ahead > 0, "segments were ready on the way to timeline 2")
    ahead = recover(t, copies[1], setup, want_old, "timeline 1", timeline="1")
    t.true(ahead > 0, "segments were ready on timeline 1")
    # which made a timeline 3 of timeline 2; this one goes to the end of 2
    recover(t, copies[2], setup, want_new, "timeline 2 by number", timeline="2")


@tap.check("a standby follows through the agent, over another's promotion, and waits cheaply")
def _(t):
    s3 = t.enter(models3.Bucket())
    setup = seawall.Setup(t.dir, [dict(s3.store("a"), access_key_id="fake",
                                       secret_access_key="fakesecret")])
    first = primary(t, setup)
    second = t.enter(first.standby(t.dir / "second"))
    second.archive(setup.archive_command())
    third = t.enter(first.standby(t.dir / "third", restore_command=setup.restore_command(),
                                  streaming=False))
    second.start()
    third.start()
    for i in range(3):
        work(first)
        mark(first, "m%d" % i)
        first.wait_archived(first.switch_wal())
    third.wait_for(lambda: "m2" in str(sums(third)), 120, "the third has what the first had")
    t.equal(sums(third), sums(first), "before the promotion")
    second.wait_replayed(first.lsn())
    first.stop()
    second.promote()
    work(second)
    mark(second, "promoted")
    second.wait_archived(second.switch_wal())
    third.wait_for(lambda: "promoted" in str(sums(third)), 120, "the third follows")
    t.equal(sums(third), sums(second), "after the promotion")
    t.true(third.in_recovery(), "still a standby")
    served = fetch_status(setup, third.data)["served"]
    s3.requests.clear()
    time.sleep(3)
    t.equal(fetch_status(setup, third.data)["served"], served, "files")
    # it asks five times a second here: the segment, a history file, what lies behind, who is known
    gets = sum(n for (method, k), n in s3.requests.items() if k)
    t.true(gets <= 3 * 5 * 4, "requests for objects: %d" % gets)


@tap.check("the agent is killed again and again during a recovery: all data, none of it twice")
def _(t):
    setup = seawall.Setup(t.dir, [seawall.dir_store("a", t.dir / "a")])
    pg = primary(t, setup)
    copy = t.enter(pg.base_backup(t.dir / "copy"))
    for i in range(8):
        work(pg)
    mark(pg, "end")
    pg.wait_archived(pg.switch_wal())
    want = sums(pg)
    pg.stop()
    with Killer() as killer:
        copy.recover(setup.restore_command(), action="promote")
        copy.start(timeout=300)
        copy.wait_promoted(300)
    t.true(killer.killed > 0, "agents killed: %d" % killer.killed)
    t.equal(sums(copy), want, "data")
    copy.stop()


@tap.check("the store goes away in every way and comes back during a recovery")
def _(t):
    s3 = t.enter(models3.Bucket())
    setup = seawall.Setup(t.dir, [dict(s3.store("a"), access_key_id="fake",
                                       secret_access_key="fakesecret")],
                          connect_timeout=1, stall_timeout=1, fetch_timeout=60)
    pg = primary(t, setup)
    copy = t.enter(pg.base_backup(t.dir / "copy"))
    for i in range(8):
        work(pg)
    mark(pg, "end")
    pg.wait_archived(pg.switch_wal())
    want = sums(pg)
    pg.stop()
    s3.delay_s = 0.05
    copy.recover(setup.restore_command(), action="promote")
    copy.start(wait=False)
    for fault in ("busy", "hangs", "closes", "cuts"):
        time.sleep(0.5)
        s3.behave(fault)
        time.sleep(1.5)
        s3.behave(None)
    copy.wait_log("ready to accept connections", 300)
    copy.wait_promoted(300)
    t.equal(sums(copy), want, "data")
    t.true("FATAL:  could not restore" not in copy.log_text(), "no restore command failed for good")


tap.main()
