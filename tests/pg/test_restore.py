# SPDX-License-Identifier: PostgreSQL
"""seawall restore with a real server: a backup taken under load, brought to every kind of target,
and what PostgreSQL's own tools say about the directory."""
import contextlib
import json
import pathlib
import shutil
import threading

import pgserver
import seawall
import tap

ROWS = "select count(*), coalesce(sum(i), 0) from "


class Source:
    """A server with a tablespace, its backup, and marks behind the backup."""

    def __init__(self, directory, stores="ab"):
        self.dir = pathlib.Path(directory)
        self.pg = pgserver.Cluster(self.dir / "primary", wal_segsize=1, checksums=True)
        self.setup = seawall.Setup(
            self.dir, [seawall.dir_store(s, self.dir / s) for s in stores],
            pgdata=str(self.pg.data), acknowledge=len(stores),
            conninfo="host=%s user=postgres dbname=postgres" % self.pg.sockets)
        self.pg.archive(self.setup.archive_command())
        self.pg.configure(recovery_target_name="of an earlier life", recovery_min_apply_delay="1h",
                          primary_conninfo="host=/nowhere")
        self.pg.start()
        self.space = self.dir / "space"
        self.space.mkdir(mode=0o700)
        self.pg.psql("create tablespace elsewhere location '%s'" % self.space)
        self.pg.psql("create table t (i bigint, v text);"
                     "create table far (i bigint) tablespace elsewhere;"
                     "insert into t select i, md5(i::text) from generate_series(1, 60000) i;"
                     "insert into far select generate_series(1, 20000);"
                     "create index on t (i); create unlogged table u (i int)")
        self.oid = self.pg.value("select oid from pg_tablespace where spcname = 'elsewhere'")
        self.label = self.backup()
        tap.run([pgserver.tool("pg_basebackup"), "-D", self.dir / "other", "-c", "fast", "-X",
                 "none", "--no-sync", "-T", "%s=%s" % (self.space, self.dir / "other-space")],
                env=self.pg.env)
        self.marks = {}
        self.mark("lsn", "select pg_current_wal_insert_lsn()")
        self.mark("name", "select 'before the incident' from "
                          "pg_create_restore_point('before the incident')")
        self.mark("xid", "with x as (insert into far values (-7)) select txid_current()",
                  before=False)
        self.mark("time", "select to_char(clock_timestamp() at time zone 'UTC', "
                          "'YYYY-MM-DD HH24:MI:SS.US') || '+00'")
        self.pg.psql("drop table far")
        self.pg.psql("insert into t select generate_series(1, 10)")
        self.final = self.state("t")
        self.pg.wait_archived(self.pg.switch_wal())
        self.pg.stop()

    def backup(self):
        """A backup while rows are written."""
        self.pg.psql("create procedure work(n int) language plpgsql as $$ begin "
                     "for k in 1..n loop insert into t select g, md5(g::text) from "
                     "generate_series(1, 200) g; update t set v = v || 'x' where i % 97 = 5; "
                     "commit; end loop; end $$")
        load = threading.Thread(target=lambda: self.pg.psql("call work(150)"))
        load.start()
        result = self.setup.run("seawall-backup", timeout=300)
        load.join()
        if result.code != 0:
            raise tap.Failure("backup: %d\n%s" % (result.code, result.err))
        return result.out.strip().split("\n")[-1]

    def mark(self, kind, sql, before=True):
        """Remember a target and what the tables hold there; then change them."""
        value = self.pg.value(sql)
        self.marks[kind] = (value, self.state("t"), self.state("far"))
        self.pg.psql("insert into t values (1000000, '%s'); insert into far values (5)" % kind)

    def state(self, table):
        return self.pg.value(ROWS + table)

    def args(self, target, *more):
        return ["--target-dir", target, "--tablespace",
                "%s=%s-space" % (self.oid, target)] + list(more)

    def restore(self, target, *more, **options):
        return self.setup.run("seawall-restore", *self.args(target, *more), timeout=300, **options)


@contextlib.contextmanager
def make_source():
    directory = tap.temporary("restore")
    source = Source(directory)
    try:
        yield source
    finally:
        source.pg.close()
        shutil.rmtree(directory, ignore_errors=True)


source_of = tap.shared(make_source)


def start(t, data, **settings):
    """The restored server, with sockets of its own, not archiving into the archive."""
    pg = t.enter(pgserver.Cluster(data, "restored", create=False, settings=settings))
    pg.configure(archive_mode="off")
    return pg.start()


def verify(t, data):
    """PostgreSQL's own judgement."""
    result = t.run([pgserver.tool("pg_verifybackup"), "-n", data])
    t.equal(result.code, 0, "pg_verifybackup: %s%s" % (result.out, result.err))


def restored(t, *target):
    source = source_of()
    data = t.dir / "data"
    result = source.restore(data, *target)
    t.equal(result.code, 0, "restore: %s" % result.err)
    verify(t, data)
    t.equal(sorted(p.name for p in data.iterdir() if p.name.startswith(".")), [], "no marker")
    return source, data, result


@tap.check("--latest brings everything, on a new timeline, and the server's own checks pass")
def _(t):
    source, data, result = restored(t, "--latest")
    t.contains(result.out, "Start the server with", "what to do")
    t.equal((data / "pg_tblspc" / source.oid).readlink(), t.dir / "data-space", "link")
    t.equal((data / "tablespace_map").read_text(), "%s %s\n" % (source.oid, t.dir / "data-space"),
            "map")
    pg = start(t, data)
    pg.wait_promoted()
    t.equal(pg.value(ROWS + "t"), source.final, "rows")
    t.equal(pg.value("select count(*) from pg_class where relname = 'far'"), "0", "dropped")
    t.equal(pg.value(ROWS + "u"), "0|0", "unlogged table")
    pg.psql("insert into t values (1, 'after'); create table more (i int) tablespace elsewhere")
    t.equal(pg.timeline() >= 1 and pg.value("select pg_walfile_name(pg_current_wal_lsn())")[:8],
            "00000002", "timeline")
    result = t.run([pgserver.tool("pg_amcheck"), "--all", "--install-missing", "-h", pg.sockets,
                    "-U", "postgres"])
    t.equal(result.code, 0, "pg_amcheck: %s%s" % (result.out, result.err))


def manifest_of(path):
    manifest = json.loads(path.read_text())
    return manifest, {entry["Path"]: entry for entry in manifest["Files"]}


@tap.check("backup_manifest says of unchanged files what pg_basebackup's says")
def _(t):
    source, data, _ = restored(t, "--backup-end")
    other = source.dir / "other" / "backup_manifest"
    ours, our_files = manifest_of(data / "backup_manifest")
    theirs, their_files = manifest_of(other)
    t.equal(list(ours), list(theirs), "keys in their order")
    t.equal([list(r) for r in ours["WAL-Ranges"]], [list(r) for r in theirs["WAL-Ranges"]], "WAL")
    # nobody connects to template0
    same = [path for path in their_files if path == "PG_VERSION" or (
        path.startswith("base/") and our_files.get(path) == their_files[path])]
    t.true(len(same) > 200, "%d equal entries" % len(same))
    t.equal([list(our_files[path]) for path in same], [list(their_files[path]) for path in same],
            "fields in their order")
    first = (data / "backup_manifest").read_bytes().split(b"\n")[2]
    t.equal(first.split(b'"Size"')[0].split(b'"Path"')[0],
            other.read_bytes().split(b"\n")[2].split(b'"Path"')[0], "line")


@tap.check("--backup-end goes no further than the backup")
def _(t):
    source, data, _ = restored(t, "--backup-end")
    pg = start(t, data)
    pg.wait_promoted()
    t.true(int(pg.value(ROWS + "far").split("|")[0]) == 20000, "the dropped table")


def check_point(kind):
    @tap.check("--%s pauses at the point, and resume opens the server there" % kind)
    def _(t):
        value, rows, far = source_of().marks[kind]
        source, data, result = restored(t, "--" + kind, value)
        t.contains(result.out, "at the target: pause", "what it will do")
        pg = start(t, data)
        pg.wait_for(lambda: pg.value("select pg_get_wal_replay_pause_state()") == "paused", 60,
                    "pause")
        t.equal((pg.value(ROWS + "t"), pg.value(ROWS + "far")), (rows, far), "rows")
        pg.psql("select pg_wal_replay_resume()")
        pg.wait_promoted()
        pg.psql("insert into far values (1)")


for _kind in ("lsn", "name", "xid", "time"):
    check_point(_kind)


@tap.check("a plan that was written to a file is carried out")
def _(t):
    source = source_of()
    _, rows, far = source.marks["lsn"]
    result = source.setup.run("seawall-plan", "--lsn", source.marks["lsn"][0], "--output",
                              t.dir / "plan")
    t.equal(result.code, 0, "plan: %s" % result.err)
    _, data, result = restored(t, "--plan", t.dir / "plan")
    pg = start(t, data)
    pg.wait_for(lambda: pg.value("select pg_get_wal_replay_pause_state()") == "paused", 60, "pause")
    t.equal((pg.value(ROWS + "t"), pg.value(ROWS + "far")), (rows, far), "rows")


@tap.check("--target-action promote opens at the point without a pause")
def _(t):
    name, rows, far = source_of().marks["name"]
    _, data, _ = restored(t, "--name", name, "--target-action", "promote")
    pg = start(t, data)
    pg.wait_promoted()
    t.equal((pg.value(ROWS + "t"), pg.value(ROWS + "far")), (rows, far), "rows")


@tap.check("with one region destroyed the other one restores")
def _(t):
    source = source_of()
    lost = source.dir / "a"
    lost.rename(source.dir / "gone")
    try:
        data = t.dir / "data"
        result = source.restore(data, "--latest", "--json")
        t.equal(result.code, 0, "restore: %s" % result.err)
        events = [json.loads(line) for line in result.out.splitlines()]
        t.equal(events[-1]["event"], "restored", "last event")
        verify(t, data)
        pg = start(t, data)
        pg.wait_promoted()
        t.equal(pg.value(ROWS + "t"), source.final, "rows")
    finally:
        (source.dir / "gone").rename(lost)


tap.main()
