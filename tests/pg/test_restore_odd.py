# SPDX-License-Identifier: PostgreSQL
"""seawall backup and restore of servers that have something unusual in them.

SEAWALL_LONG=1 makes 100,000 files where a slow disk has no time for more than 10,000.
"""
import os
import shutil
import subprocess

import pgserver
import seawall
import tap


def archived(t, **options):
    """A server that is not started, and the configuration it archives with."""
    pg = t.enter(pgserver.Cluster(t.dir / "primary", wal_segsize=1, **options))
    setup = seawall.Setup(t.dir, [seawall.dir_store(s, t.dir / s) for s in "ab"], workers=2,
                          conninfo="host=%s user=postgres dbname=postgres" % pg.sockets,
                          pgdata=str(pg.data))
    pg.archive(setup.archive_command())
    return pg, setup


def backup(t, setup):
    result = setup.run("seawall-backup", timeout=300)
    t.equal(result.code, 0, "backup: %s" % result.err)
    return result.out.strip().split("\n")[-1]


def restored(t, setup, *target):
    """Restored, judged by pg_verifybackup, recovered."""
    data = t.dir / "restored"
    result = setup.run("seawall-restore", *(target or ["--latest"]), "--target-dir", data,
                       timeout=300)
    t.equal(result.code, 0, "restore: %s" % result.err)
    t.run([pgserver.tool("pg_verifybackup"), "-n", data], code=0)
    copy = t.enter(pgserver.Cluster(data, "copy", create=False))
    copy.configure(archive_mode="off")
    copy.start()
    copy.wait_promoted()
    return copy


def amcheck(t, pg):
    t.run([pgserver.tool("pg_amcheck"), "--all", "--install-missing", "-h", pg.sockets, "-U",
           "postgres"], code=0, timeout=300)


@tap.check("a tablespace in place comes back where it was, and is used")
def _(t):
    pg, setup = archived(t)
    pg.start()
    if int(pg.value("show server_version_num")) < 150000:
        t.skip("PostgreSQL 15 and later have tablespaces in place")
    t.run([pgserver.tool("psql"), "-qX", "-v", "ON_ERROR_STOP=1", "-h", pg.sockets, "-U",
           "postgres", "-d", "postgres", "-c", "set allow_in_place_tablespaces = on", "-c",
           "create tablespace inside location ''"], code=0)
    pg.psql("create table t tablespace inside as select generate_series(1, 10000) i")
    oid = pg.value("select oid from pg_tablespace where spcname = 'inside'")
    backup(t, setup)
    pg.psql("insert into t values (0)")
    pg.wait_archived(pg.switch_wal())
    pg.stop()
    copy = restored(t, setup)
    place = copy.data / "pg_tblspc" / oid
    t.true(place.is_dir() and not place.is_symlink(), "a directory")
    t.equal(copy.value("select count(*) from t"), "10001", "rows")
    copy.psql("create table more tablespace inside as select 1")


@tap.check("files that stand where only tablespaces do are left out with a warning, and recovery passes")
def _(t):
    pg, setup = archived(t)
    pg.start()
    for name in ("12345", "notes.txt"):
        (pg.data / "pg_tblspc" / name).write_text("not a tablespace")
    pg.psql("create table t as select generate_series(1, 1000) i")
    result = setup.run("seawall-backup", timeout=300)
    t.equal(result.code, 0, "backup: %s" % result.err)
    for name in ("12345", "notes.txt"):
        t.contains(result.err, 'warning: "pg_tblspc/%s" is a file among tablespaces and not in the backup'
                   % name, "a warning")
    pg.psql("insert into t values (0)")
    pg.wait_archived(pg.switch_wal())
    pg.stop()
    copy = restored(t, setup)
    t.equal(os.listdir(copy.data / "pg_tblspc"), [], "tablespaces")
    t.equal(copy.value("select count(*) from t"), "1001", "rows")


@tap.check("a relation of more than 1 GB that is mostly a hole keeps its rows, and its pages verify")
def _(t):
    pg, setup = archived(t, checksums=True)
    pg.start()
    pg.psql("create table big (i int, x text); insert into big select i, repeat('x', 500) "
            "from generate_series(1, 1000) i")
    path = pg.data / pg.value("select pg_relation_filepath('big')")
    pg.stop()
    # pages of zeros are new pages: the server goes on in the second file
    os.truncate(path, 1 << 30)
    pg.start()
    pg.psql("insert into big select i, repeat('y', 500) from generate_series(1001, 3000) i")
    pg.psql("create index on big (i)")
    pg.psql("checkpoint")
    t.true(path.with_name(path.name + ".1").stat().st_size > 0, "the second file")
    backup(t, setup)
    pg.psql("delete from big where i % 10 = 0")
    pg.wait_archived(pg.switch_wal())
    pg.stop()
    copy = restored(t, setup)
    again = copy.data / path.relative_to(pg.data)
    t.equal(again.stat().st_size, 1 << 30, "size of the first file")
    t.equal(copy.value("select count(*), sum(i) from big"), "2700|%d" % (
        3000 * 3001 // 2 - 10 * 300 * 301 // 2), "rows")
    amcheck(t, copy)


MANY = 100000 if os.environ.get("SEAWALL_LONG") else 10000


def measured(t, argv):
    """Run it to a good end; its peak of memory in MiB."""
    with open(t.dir / "output", "w+b") as out:
        with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out) as process:
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        t.equal(process.returncode, 0, "%s: %s" % (argv[0], out.read().decode()[-2000:]))
    return usage.ru_maxrss // 1024


def fill(directory, count, total):
    """As many files as relations, `total` bytes in all; every tenth one is empty."""
    directory.mkdir()
    for group in range(0, count, 1000):
        place = directory / str(group)
        place.mkdir(mode=0o700)
        for i in range(group, min(count, group + 1000)):
            with open(place / str(100000 + i), "wb") as f:
                if i % 10:
                    f.write((b"%d " % i) * (total // count // len(b"%d " % i)))


@tap.check("many files: the memory of backup and restore does not follow their number")
def _(t):
    pg, setup = archived(t)
    pg.start()
    peaks = {}
    for count in (1000, MANY):
        fill(pg.data / "many", count, 40 << 20)
        backed = measured(t, setup.argv("seawall-backup"))
        pg.wait_archived(pg.switch_wal())
        target = t.dir / "restored"
        restored_mib = measured(t, setup.argv("seawall-restore", "--latest", "--target-dir",
                                              target))
        peaks[count] = backed, restored_mib
        result = t.run(["diff", "-r", pg.data / "many", target / "many"], timeout=300)
        t.equal((result.code, result.out), (0, ""), "the same %d files" % count)
        shutil.rmtree(target)
        shutil.rmtree(pg.data / "many")
    t.diag("MiB of backup and restore: %s" % peaks)
    if "SEAWALL_SANITIZED" not in os.environ:
        few, many = peaks[1000], peaks[MANY]
        # docs/architecture.md: 64 MiB for manifests, 16 MiB for an object of one
        t.true(many[0] <= few[0] + 64 + 8, "backup: %s MiB" % peaks)
        t.true(many[1] <= few[1] + 2 * 16 + 8, "restore: %s MiB" % peaks)


tap.main()
