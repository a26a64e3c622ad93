# SPDX-License-Identifier: PostgreSQL
"""The test clusters themselves, with cp as archive_command; and the made-up files against
PostgreSQL's own."""
import struct

import pgserver
import seawall
import tap


def archiving(t, **options):
    archive = t.dir / "archive"
    archive.mkdir()
    pg = t.enter(pgserver.Cluster(t.dir / "primary", wal_segsize=1, **options))
    pg.archive("test ! -e %s/%%f && cp %%p %s/%%f" % (archive, archive))
    pg.start()
    return pg, archive


@tap.check("what was archived is recovered, up to the last archived segment")
def _(t):
    pg, archive = archiving(t, checksums=True)
    pg.psql("create table t (i int)")
    copy = t.enter(pg.base_backup(t.dir / "copy"))
    pg.psql("insert into t select generate_series(1, 1000)")
    last = pg.switch_wal()
    pg.wait_archived(last)
    t.true((archive / last).exists(), "archived file")
    stats = pg.archive_stats()
    t.true(int(stats["archived_count"]) > 0, "archived_count")
    t.equal(stats["last_archived_wal"], last, "last_archived_wal")
    pg.psql("insert into t values (-1)")
    pg.stop("immediate")

    copy.recover("cp %s/%%f %%p" % archive)
    copy.start()
    copy.wait_promoted()
    t.equal(copy.sql("select count(*), min(i) from t"), [["1000", "1"]], "rows")
    t.true((copy.data / "pg_wal" / "00000002.history").exists(), "new timeline")
    copy.stop()


@tap.check("a recovery that fails ends the server and says why in the log")
def _(t):
    pg, archive = archiving(t)
    copy = t.enter(pg.base_backup(t.dir / "copy"))
    copy.recover("exit 200", action="promote")
    copy.start(wait=False)
    t.equal(copy.wait_exit(), 1, "exit code of the postmaster")
    copy.wait_log("FATAL:  could not restore file")


@tap.check("a standby follows the archive and is promoted")
def _(t):
    pg, archive = archiving(t)
    standby = t.enter(pg.standby(t.dir / "standby", streaming=False,
                                 restore_command="cp %s/%%f %%p" % archive))
    standby.start()
    pg.psql("create table t as select 7 i")
    lsn = pg.lsn()
    pg.wait_archived(pg.switch_wal())
    standby.wait_replayed(lsn)
    t.true(standby.in_recovery(), "in recovery")
    standby.promote()
    t.equal(standby.value("select i from t"), "7", "row")


@tap.check("a streaming standby follows without an archive")
def _(t):
    pg = t.enter(pgserver.Cluster(t.dir / "primary", wal_segsize=1)).start()
    standby = t.enter(pg.standby(t.dir / "standby")).start()
    pg.psql("create table t as select 8 i")
    standby.wait_replayed(pg.lsn())
    t.equal(standby.value("select i from t"), "8", "row")


@tap.check("a killed server starts again; a failing archive_command is counted")
def _(t):
    pg = t.enter(pgserver.Cluster(t.dir / "primary", wal_segsize=1))
    pg.archive("exit 12")
    pg.start()
    name = pg.switch_wal()
    pg.wait_for(lambda: int(pg.archive_stats()["failed_count"]) > 0, what="a failure")
    t.equal(pg.archive_stats()["last_failed_wal"], name, "last_failed_wal")
    pg.kill9()
    t.true(not pg.running(), "not running")
    pg.configure(archive_command="true")
    pg.start()
    pg.wait_archived(name)


@tap.check("the made-up pg_control is one to PostgreSQL's eyes")
def _(t):
    data = seawall.Pgdata(t.dir / "data", system_id=7000000000000000001, timeline=3,
                          segment_size=4 * seawall.MIB)
    out = t.run([pgserver.tool("pg_controldata"), "-D", data.dir], code=0).out
    t.true("CRC" not in out, out)
    for line in ("Database system identifier:           7000000000000000001",
                 "Latest checkpoint's TimeLineID:       3",
                 "Bytes per WAL segment:                4194304",
                 "Database cluster state:               in production",
                 "Maximum data alignment:               8"):
        t.contains(out, line, "pg_controldata")


@tap.check("the made-up segment has the page headers of a real one")
def _(t):
    pg = t.enter(pgserver.Cluster(t.dir / "primary", wal_segsize=1)).start()
    name = pg.switch_wal()
    if not pg.value("show server_version").startswith("15."):
        t.skip("not PostgreSQL 15")
    real = (pg.data / "pg_wal" / name).read_bytes()
    number = struct.unpack_from("=Q", real, 8)[0] // seawall.MIB
    t.equal(seawall.segment_name(1, number, seawall.MIB), name, "name")
    made = seawall.segment(number, size=seawall.MIB, system_id=pg.system_id())
    t.equal(len(made), len(real), "size")
    t.equal(made[:16], real[:2] + struct.pack("=H", 2) + real[4:16], "header")
    t.equal(made[24:40], real[24:40], "long header")
    t.equal(made[8192:8200], real[8192:8194] + b"\0\0" + real[8196:8200], "second page")
    t.equal(made[8200:8208], struct.pack("=Q", number * seawall.MIB + 8192), "second address")


tap.main()
