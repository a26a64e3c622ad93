# SPDX-License-Identifier: PostgreSQL
"""Seawall under a real archive_command and restore_command: primary, recovery, standby, promotion."""
import os
import pathlib
import shutil
import time

import pgserver
import seawall
import tap


def two_regions(t, **settings):
    return seawall.Setup(t.dir, [seawall.dir_store("a", t.dir / "a"),
                                 seawall.dir_store("b", t.dir / "b")], **settings)


def primary(t, setup, **options):
    pg = t.enter(pgserver.Cluster(t.dir / "primary", wal_segsize=1, **options))
    pg.archive(setup.archive_command())
    return pg.start()


def load(pg, transactions=300):
    """Some real work: pgbench with full-page writes."""
    tap.run([pgserver.tool("pgbench"), "-n", "-c", "2", "-t", str(transactions), "postgres"],
            env=pg.env, timeout=300)


def wait_all_archived(pg):
    """Finish the current segment and wait until everything is archived."""
    last = pg.switch_wal()
    pg.wait_archived(last)
    return last


def sums(pg):
    return pg.sql("select (select count(*) from pgbench_history), (select sum(abalance) from "
                  "pgbench_accounts), (select sum(bbalance) from pgbench_branches)")


def pgbench_init(pg):
    result = tap.run([pgserver.tool("pgbench"), "-i", "-q", "-s", "1", "postgres"], env=pg.env,
                     timeout=300)
    if result.code != 0:
        raise tap.Failure(result.err)


@tap.check("archived under load to two regions, recovered from both, and from the one that is left")
def _(t):
    setup = two_regions(t)
    pg = primary(t, setup, checksums=True)
    pgbench_init(pg)
    copy = t.enter(pg.base_backup(t.dir / "copy"))
    again = t.enter(pg.base_backup(t.dir / "again"))
    load(pg)
    want = sums(pg)
    wait_all_archived(pg)
    t.equal(pg.archive_stats()["failed_count"], "0", "failed archivings")
    t.equal(seawall.stored(t.dir / "a"), seawall.stored(t.dir / "b"), "both regions hold the same")
    pg.stop("immediate")

    copy.recover(setup.restore_command(), action="promote")
    copy.start()
    copy.wait_promoted()
    t.equal(sums(copy), want, "data from two regions")
    copy.stop()

    shutil.rmtree(t.dir / "a")
    # with acknowledge = 1 of 2 one region alone cannot prove the end of WAL; the person who knows
    # that the other is lost for good takes it out of the configuration
    setup.write(stores=[seawall.dir_store("b", t.dir / "b")])
    again.recover(setup.restore_command(), action="promote")
    again.start()
    again.wait_promoted()
    t.equal(sums(again), want, "data from one region")


@tap.check("a point in time: rows dropped by mistake are back")
def _(t):
    setup = two_regions(t)
    pg = primary(t, setup)
    pg.psql("create table users as select i from generate_series(1, 1000) i")
    copy = t.enter(pg.base_backup(t.dir / "copy"))
    pg.psql("insert into users values (1001)")
    lsn = pg.value("select pg_current_wal_insert_lsn()")
    pg.psql("drop table users")
    wait_all_archived(pg)
    copy.recover(setup.restore_command(), lsn=lsn, inclusive="off", action="promote")
    copy.start()
    copy.wait_promoted()
    t.equal(copy.value("select count(*) from users"), "1001", "rows")


@tap.check("standby by restore_command, promotion, both timelines archived, recovery along the new one")
def _(t):
    setup = two_regions(t)
    pg = primary(t, setup)
    pg.psql("create table t as select 1 i")
    base = t.enter(pg.base_backup(t.dir / "base"))
    standby = t.enter(pg.standby(t.dir / "standby", streaming=False,
                                 restore_command=setup.restore_command()))
    standby.configure(archive_mode="on", archive_command=setup.archive_command())
    standby.start()
    pg.psql("insert into t values (2)")
    lsn = pg.lsn()
    wait_all_archived(pg)
    standby.wait_replayed(lsn)
    pg.stop("immediate")
    standby.promote()
    standby.psql("insert into t values (3)")
    wait_all_archived(standby)
    names = [os.path.basename(f) for f in seawall.stored(t.dir / "a")]
    t.true("00000002.history" in names, names)
    t.true(any(n.startswith("00000002") and len(n) == 24 for n in names), names)
    standby.stop()

    base.recover(setup.restore_command(), action="promote")
    base.start()
    base.wait_promoted()
    t.equal(base.sql("select i from t order by i"), [["1"], ["2"], ["3"]], "rows of both timelines")
    t.equal(base.value("select count(*) from pg_ls_waldir() where name = '00000003.history'"), "1",
            "a third timeline, not a second one again")


@tap.check("archive_mode = always: a standby archives what it restored, and that is no conflict")
def _(t):
    setup = two_regions(t)
    pg = primary(t, setup)
    standby = t.enter(pg.standby(t.dir / "standby", streaming=True,
                                 restore_command=setup.restore_command()))
    standby.configure(archive_mode="always", archive_command=setup.archive_command())
    standby.start()
    pg.psql("create table t as select i from generate_series(1, 1000) i")
    lsn = pg.lsn()
    last = wait_all_archived(pg)
    standby.wait_replayed(lsn)
    standby.wait_archived(last)
    for server in (pg, standby):
        t.equal(server.archive_stats()["failed_count"], "0", "failed archivings of " + server.name)


@tap.check("a killed postmaster's orphan and its successor archive one segment: both succeed, one version")
def _(t):
    setup = two_regions(t)
    pg = t.enter(pgserver.Cluster(t.dir / "primary", wal_segsize=1))
    # the command dawdles, so that its server can be killed under it
    pg.archive("sleep 2; " + setup.archive_command())
    pg.start()
    name = pg.switch_wal()
    time.sleep(0.5)
    pg.kill9()
    pg.start()
    pg.wait_archived(name)
    time.sleep(2.5)
    found = [f for f in seawall.stored(t.dir / "a") if f.endswith(name)]
    t.equal(len(found), 1, "versions")
    t.equal(pg.archive_stats()["failed_count"], "0", "failures")


@tap.check("a second primary on the same archive is told conflict and loses nothing")
def _(t):
    setup = two_regions(t)
    pg = primary(t, setup)
    clone = t.enter(pg.base_backup(t.dir / "clone", wal="stream"))
    clone.configure(archive_mode="on", archive_command=setup.archive_command())
    pg.psql("create table t as select 1 i")
    name = wait_all_archived(pg)
    before = {f: (t.dir / "a" / f).read_bytes() for f in seawall.stored(t.dir / "a")}
    # without recovery.signal and with its own WAL the clone goes on in timeline 1
    clone.start()
    clone.psql("create table other as select 2 i")
    clone.psql("select pg_switch_wal()")
    clone.wait_log("already has .* with other content", timeout=60)
    clone.wait_for(lambda: int(clone.archive_stats()["failed_count"]) > 0, what="a counted failure")
    t.true(list((clone.data / "pg_wal" / "archive_status").glob("*.ready")), "it keeps its WAL")
    clone.stop("immediate")
    after = {f: (t.dir / "a" / f).read_bytes() for f in seawall.stored(t.dir / "a") if f in before}
    t.equal(after == before, True, "objects of the first primary")
    t.true(name in " ".join(before), "the segment was there")


@tap.check("a server initialised again under the same cluster name archives beside the old one")
def _(t):
    setup = two_regions(t)
    first = primary(t, setup)
    wait_all_archived(first)
    first.stop()
    second = t.enter(pgserver.Cluster(t.dir / "second", wal_segsize=1))
    second.archive(setup.archive_command())
    second.start()
    wait_all_archived(second)
    t.equal(second.archive_stats()["failed_count"], "0", "failures")
    systems = {f.split("/")[1] for f in seawall.stored(t.dir / "a")}
    t.equal(len(systems), 2, "subtrees")


@tap.check("segments of 16 and 64 MiB work on a real server")
def _(t):
    for size in (16, 64):
        base = t.dir / str(size)
        base.mkdir()
        setup = seawall.Setup(base, [seawall.dir_store("a", base / "a")])
        pg = t.enter(pgserver.Cluster(base / "primary", wal_segsize=size))
        pg.archive(setup.archive_command())
        pg.start()
        copy = t.enter(pg.base_backup(base / "copy"))
        pg.psql("create table t as select generate_series(1, 1000) i")
        wait_all_archived(pg)
        pg.stop("immediate")
        copy.recover(setup.restore_command(), action="promote")
        copy.start()
        copy.wait_promoted()
        t.equal(copy.value("select count(*) from t"), "1000", "rows at %d MiB" % size)
        copy.stop("immediate")


@tap.check("the stores come back after an outage and the backlog drains in order")
def _(t):
    setup = seawall.Setup(t.dir, [seawall.dir_store("a", t.dir / "a")])
    pg = primary(t, setup)
    (t.dir / "a").rename(t.dir / "away")
    for _ in range(5):
        last = pg.switch_wal()
    pg.wait_for(lambda: int(pg.archive_stats()["failed_count"]) > 0, what="failures are counted")
    (t.dir / "away").rename(t.dir / "a")
    pg.wait_archived(last, timeout=120)
    status = pathlib.Path(pg.data) / "pg_wal" / "archive_status"
    t.equal(list(status.glob("*.ready")), [], "nothing is left")


@tap.check("fast shutdown ends archiving in order; the hook never writes to archive_status")
def _(t):
    setup = two_regions(t)
    pg = primary(t, setup)
    pg.psql("create table t as select generate_series(1, 10000) i")
    pg.stop("fast")
    status = pg.data / "pg_wal" / "archive_status"
    t.equal([f.name for f in status.iterdir() if f.name.endswith(".ready")], [], "all archived")
    trace = t.dir / "trace"
    name = sorted(f for f in os.listdir(pg.data / "pg_wal") if len(f) == 24)[0]
    if shutil.which("strace") is None:
        t.skip("no strace")
    result = t.run(["strace", "-f", "-o", trace, "-e", "trace=file"] +
                   setup.argv("seawall-push", "pg_wal/" + name), cwd=pg.data,
                   env=seawall.TRACED)
    t.equal(result.code, 0, result.err)
    t.true("archive_status" not in trace.read_text(), "no system call names archive_status")


@tap.check("a fast stop during a restore ends the fetch and leaves no file under the next server")
def _(t):
    setup = seawall.Setup(t.dir, [seawall.dir_store("a", t.dir / "a")])
    pg = primary(t, setup)
    copy = t.enter(pg.base_backup(t.dir / "copy"))
    pg.psql("create table t as select generate_series(1, 1000) i")
    wait_all_archived(pg)
    (t.dir / "a").rename(t.dir / "away")
    copy.recover(setup.restore_command(), action="promote")
    copy.start(wait=False)
    time.sleep(2)
    t.true(copy.running(), "it waits for the stores")
    copy.stop("fast", timeout=30)
    (t.dir / "away").rename(t.dir / "a")
    copy.start()
    copy.wait_promoted()
    t.equal(copy.value("select count(*) from t"), "1000", "rows")


tap.main()
