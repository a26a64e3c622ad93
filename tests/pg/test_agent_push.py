# SPDX-License-Identifier: PostgreSQL
"""A real server under pgbench that archives through the agent while stores fail and come back."""
import json
import os
import random
import re
import signal
import subprocess
import time

import models3
import pgserver
import seawall
import tap

SECONDS = int(os.environ.get("SEAWALL_STRESS_S", "30"))


def fake_store(bucket, name):
    return dict(bucket.store(name), access_key_id="fake", secret_access_key="fakesecret")


def pgbench(pg, *args):
    result = tap.run([pgserver.tool("pgbench"), *args, "postgres"], env=pg.env, timeout=300)
    if result.code != 0:
        raise tap.Failure(result.err)


def sums(pg):
    return pg.sql("select (select count(*) from pgbench_history), (select sum(abalance) from "
                  "pgbench_accounts), (select sum(bbalance) from pgbench_branches)")


def agents():
    return tap.agents(os.environ["SEAWALL_RUNTIME_DIR"])


def push_status(setup, pg):
    result = tap.run([seawall.program("seawall-agent"), "--config", setup.config, "status"],
                     cwd=pg.data)
    if result.code != 0:
        raise tap.Failure("status: %d %s" % (result.code, result.err))
    return json.loads(result.out)["push"]


def primary(t, setup):
    pg = t.enter(pgserver.Cluster(t.dir / "primary", wal_segsize=1, checksums=True))
    pg.configure(checkpoint_timeout="30s")
    pg.archive(setup.archive_command())
    pg.start()
    pgbench(pg, "-i", "-q", "-s", "2")
    return pg


def recover(t, copy, setup, want, what):
    copy.recover(setup.restore_command(), action="promote")
    copy.start()
    copy.wait_promoted()
    t.equal(sums(copy), want, what)
    copy.stop()


@tap.check("stores fail, hang, are slow and come back, agents are killed: nothing is lost")
def _(t):
    seed = int(os.environ.get("SEAWALL_SEED", time.time()))
    t.diag("SEAWALL_SEED=%d" % seed)
    dice = random.Random(seed)
    buckets = [t.enter(models3.Bucket()) for _ in range(3)]
    setup = seawall.Setup(t.dir, [fake_store(b, "abc"[i]) for i, b in enumerate(buckets)],
                          acknowledge=2, stall_timeout=2, connect_timeout=1, push_timeout=20)
    pg = primary(t, setup)
    copy = t.enter(pg.base_backup(t.dir / "copy"))
    load = subprocess.Popen([pgserver.tool("pgbench"), "-n", "-c", "4", "-T", str(SECONDS),
                             "postgres"], env=dict(os.environ, **{
                                 k: v for k, v in pg.env.items() if v is not None}),
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                            preexec_fn=tap.die_with_parent())
    killed = 0
    while load.poll() is None:
        time.sleep(dice.uniform(0.1, 1.5))
        bucket = dice.choice(buckets)
        bucket.behave(dice.choice([None, None, "busy", "closes", "hangs"]))
        bucket.delay_s = dice.choice([0, 0, 0.05, 0.3])
        if dice.random() < 0.1:
            for pid in agents():
                os.kill(pid, signal.SIGKILL)
                killed += 1
    t.equal(load.returncode, 0, "pgbench")
    for bucket in buckets:
        bucket.delay_s = 0
        bucket.behave(None)
    want = sums(pg)
    pg.wait_archived(pg.switch_wal(), timeout=300)
    t.diag("%s segments, %d agents killed, %s failed attempts" % (
        pg.archive_stats()["archived_count"], killed, pg.archive_stats()["failed_count"]))
    pg.stop("immediate")
    recover(t, copy, setup, want, "data")


@tap.check("with one store down all the while, the other one alone recovers everything")
def _(t):
    buckets = [t.enter(models3.Bucket()) for _ in range(2)]
    setup = seawall.Setup(t.dir, [fake_store(b, "ab"[i]) for i, b in enumerate(buckets)],
                          stall_timeout=1, connect_timeout=1)
    pg = primary(t, setup)
    copy = t.enter(pg.base_backup(t.dir / "copy"))
    buckets[0].behave("hangs")
    pgbench(pg, "-n", "-c", "2", "-t", "500")
    want = sums(pg)
    pg.wait_archived(pg.switch_wal(), timeout=300)
    t.equal(pg.archive_stats()["failed_count"], "0", "failed archivings")
    stores = {s["name"]: s for s in push_status(setup, pg)["stores"]}
    t.true(stores["a"]["lag_files"] > 0, "lag of a")
    t.equal(stores["b"]["lag_files"], 0, "lag of b")
    pg.stop("immediate")
    setup.write(stores=[fake_store(buckets[1], "b")])
    recover(t, copy, setup, want, "data")


@tap.check("a stopped server's directory can be removed: its agent has left; a restart keeps archiving")
def _(t):
    setup = seawall.Setup(t.dir, [seawall.dir_store("a", t.dir / "a")])
    pg = t.enter(pgserver.Cluster(t.dir / "primary", wal_segsize=1))
    pg.archive(setup.archive_command())
    pg.start()
    pg.wait_archived(pg.switch_wal())
    pg.restart()
    pg.wait_archived(pg.switch_wal())
    t.equal(pg.archive_stats()["failed_count"], "0", "failed archivings")
    t.equal(len(agents()), 1, "agents")
    for mode in ("fast", "immediate"):
        pg.stop(mode)
        tap.wait_for(lambda: not agents(), 60, "the agent's end after a stop: " + mode)
        pg.start()
        pg.wait_archived(pg.switch_wal())
    pg.kill9()
    tap.wait_for(lambda: not agents(), 60, "the agent's end after the server was killed")


@tap.check("ten thousand ready files: an outage's segments drain, with little memory")
def _(t):
    bucket = t.enter(models3.Bucket())
    setup = seawall.Setup(t.dir, [fake_store(bucket, "a")], stall_timeout=2, push_timeout=10,
                          agent_memory="8MiB")
    pg = primary(t, setup)
    bucket.behave("closes")
    status = pg.data / "pg_wal" / "archive_status"
    for _ in range(60):
        pg.switch_wal()
    # all later than what is real; PostgreSQL forgets them when their turn comes
    for i in range(10000):
        (status / (seawall.segment_name(1, 100000 + i, 1 << 20) + ".ready")).touch()
    last = pg.switch_wal()
    push = push_status(setup, pg)
    t.true(push["ready"] >= 10000, "ready: %s" % push["ready"])
    bucket.behave(None)
    pg.wait_archived(last, timeout=300)
    push = push_status(setup, pg)
    t.true(push["memory"] <= 8 << 20, "memory: %s" % push["memory"])
    # the size of the table of descriptors; who may not be dumped shows no more
    with open("/proc/%d/status" % agents()[0], encoding="ascii") as f:
        size = int(re.search(r"FDSize:\s+(\d+)", f.read())[1])
    t.true(size <= 128, "descriptors: %d" % size)


@tap.check("a fast shutdown with a hanging store ends by the deadline")
def _(t):
    bucket = t.enter(models3.Bucket())
    setup = seawall.Setup(t.dir, [fake_store(bucket, "a")], push_timeout=5)
    pg = primary(t, setup)
    bucket.behave("hangs")
    pg.switch_wal()
    pg.stop("fast", timeout=60)
    bucket.behave(None)
    pg.start()
    pg.wait_archived(pg.switch_wal())


if __name__ == "__main__":
    tap.main()
