# SPDX-License-Identifier: PostgreSQL
"""seawall plan and verify on the WAL of real servers: what a plan promises, recovery does."""
import json
import re

import crafted
import pgserver
import seawall
import tap

LABEL = "20261122T100000Z"


def archived_server(t):
    """A server that archives with 1 MiB segments, and the archive."""
    archive = crafted.Archive(t, "ab")
    pg = t.enter(pgserver.Cluster(t.dir / "primary", wal_segsize=1, checksums=True))
    pg.archive(archive.setup.archive_command())
    pg.start()
    archive.system_id = int(pg.system_id())
    return archive, pg


def position(text):
    high, low = text.split("/")
    return int(high, 16) << 32 | int(low, 16)


def complete_backup(t, archive, pg):
    """pg_basebackup's copy, and a completion in the archive that tells its positions."""
    copy = t.enter(pg.base_backup(t.dir / "copy"))
    pg.wait_archived(pg.switch_wal())
    names = [f for f in seawall.stored(t.dir / "a") if f.endswith(".backup")]
    t.equal(len(names), 1, "backup history files")
    target = t.dir / "backup_history"
    t.equal(archive.setup.fetch(pg.data, names[0].rsplit("/", 1)[1], target).code, 0, "fetch")
    text = target.read_text()
    start, stop, checkpoint = (position(re.search(what + r" LOCATION: ([0-9A-F/]+)", text)[1])
                               for what in ("START WAL", "STOP WAL", "CHECKPOINT"))
    archive.backup(LABEL, start, stop, change=lambda c: c.update(
        checkpoint_lsn=crafted.lsn(checkpoint)))
    return copy


def last_record(t, archive, pg, segment):
    """The start of the last record in an archived segment, as pg_waldump tells."""
    target = t.dir / segment
    t.equal(archive.setup.fetch(pg.data, segment, target).code, 0, "fetch " + segment)
    result = tap.run([pgserver.tool("pg_waldump"), str(target)])
    found = re.findall(r"lsn: ([0-9A-F]+/[0-9A-F]+), prev", result.out)
    t.true(found, "pg_waldump: " + result.err)
    return position(found[-1])


def work(pg, rows=20000):
    pg.sql("create table if not exists t (i int, s text)")
    pg.sql("insert into t select i, repeat('x', 100) from generate_series(1, %d) i" % rows)
    pg.wait_archived(pg.switch_wal())


@tap.check("the last position a plan allows is reached by a real recovery, the next one is not")
def _(t):
    archive, pg = archived_server(t)
    copy = complete_backup(t, archive, pg)
    work(pg)
    work(pg)
    pg.stop()
    plan = archive.plan_json("--latest")
    last = last_record(t, archive, pg, plan["last_wal"])
    t.equal(archive.plan_json("--lsn", crafted.lsn(last))["last_wal"], plan["last_wal"], "planned")
    result = archive.plan("--lsn", crafted.lsn(last + 1))
    t.equal(result.code, 14, result.err)
    t.contains(result.err, "the last record begins at " + crafted.lsn(last), "named")
    copy.recover(archive.setup.restore_command(), lsn=crafted.lsn(last),
                 inclusive="off", action="promote",
                 timeline=str(plan["timeline"]))
    copy.start()
    copy.wait_promoted()
    t.equal(copy.value("select count(*) from t"), "40000", "rows")


@tap.check("the safe target before a gap is reached although the segment behind it is missing")
def _(t):
    archive, pg = archived_server(t)
    copy = complete_backup(t, archive, pg)
    work(pg)
    pg.sql("create table gap ()")
    gap, version = pg.current_wal(), int(pg.value("show server_version_num"))
    work(pg, 40000)
    pg.stop()
    for store in "ab":
        archive.path(store, archive.wal_name(gap)).unlink()
    result = archive.plan("--latest")
    t.equal(result.code, 12, result.err)
    t.contains(result.err, gap, "the gap")
    lsn = re.search(r"--lsn ([0-9A-F/]+)", result.err)[1]
    plan = archive.plan_json("--lsn", lsn)
    t.equal(plan["gap_behind"], True, "told")
    t.equal(position(lsn), last_record(t, archive, pg, plan["last_wal"]), "the last record")
    if version >= 150000:
        copy.configure(recovery_prefetch="off")
    copy.recover(archive.setup.restore_command(), lsn=lsn,
                 inclusive="off", action="promote",
                 timeline=str(plan["timeline"]))
    copy.start()
    copy.wait_promoted()
    t.equal(copy.value("select count(*) from t"), "20000", "rows")


@tap.check("a promotion: the plan follows the new timeline and recovery goes along it")
def _(t):
    archive, pg = archived_server(t)
    copy = complete_backup(t, archive, pg)
    second = t.enter(pg.base_backup(t.dir / "second"))
    work(pg)
    pg.sql("insert into t select 1, 'y' from generate_series(1, 500)")
    pg.stop()
    second.recover(archive.setup.restore_command(), action="promote")
    second.archive(archive.setup.archive_command())
    second.start()
    second.wait_promoted()
    work(second, 1000)
    rows = second.value("select count(*) from t")
    second.stop()
    plan = archive.plan_json("--latest", "--deep")
    t.equal((plan["timeline"], [s["timeline"] for s in plan["path"]]), (2, [1, 2]), "path")
    result = archive.setup.run("seawall-verify", "--json", "--since", "0/0")
    t.equal(result.code, 0, result.out + result.err)
    t.equal(json.loads(result.out)["findings"], [], "every page of real WAL is in its place")
    copy.recover(archive.setup.restore_command(), action="promote",
                 timeline=str(plan["timeline"]))
    copy.start()
    copy.wait_promoted()
    t.equal(copy.value("select count(*) from t"), rows, "rows")


tap.main()
