# SPDX-License-Identifier: PostgreSQL
"""Recovery without Seawall as docs/runbook.md has it, on a real server: the emergency
restore_command, and a whole cluster from a backup's objects."""
import os
import shutil
import threading

import pgserver
import runbook
import seawall
import tap
from archived import object_path, rewrite


def emergency_line(store, system_id, identity):
    """The page's restore_command, with our places in it."""
    line = runbook.block("restore-command").strip()
    for theirs, ours in (("/srv/wal/main/7413305566020948123", "%s/main/%d" % (store, system_id)),
                         ("/etc/seawall/identity.txt", str(identity))):
        if line.count(theirs) != 1:
            raise tap.Failure("no %s in %s" % (theirs, line))
        line = line.replace(theirs, ours)
    return line + "\n"


class Scene:
    """An archive in one directory, and a base backup to recover with the page's line."""

    def __init__(self, t, **settings):
        self.store = t.dir / "a"
        self.setup = seawall.Setup(t.dir, [seawall.dir_store("a", self.store)], **settings)
        pg = t.enter(pgserver.Cluster(t.dir / "primary", wal_segsize=1))
        pg.archive(self.setup.archive_command())
        pg.start()
        self.system_id = pg.system_id()
        pg.psql("create table t (i int)")
        self.copy = t.enter(pg.base_backup(t.dir / "copy"))
        self.names = []
        for i in range(4):
            pg.psql("insert into t values (%d)" % i)
            self.names.append(pg.switch_wal())
        pg.wait_archived(self.names[-1])
        pg.stop("immediate")

    def start(self):
        line = emergency_line(self.store, self.system_id, self.setup.dir / "identity.txt")
        with open(self.copy.data / "postgresql.conf", "a", encoding="utf-8") as f:
            f.write(line)
        (self.copy.data / "recovery.signal").touch()
        self.copy.start(wait=False)


for compression in ("lz4", "zstd"):
    @tap.check("%s: the line recovers every row" % compression)
    def _(t, compression=compression):
        scene = Scene(t, compression=compression)
        scene.start()
        scene.copy.wait_promoted()
        t.equal(scene.copy.value("select count(*) from t"), "4", "rows")
        t.equal(scene.copy.timeline(), 2, "timeline")


@tap.check("a damaged object, a missing mount: FATAL, no promotion")
def _(t):
    scene = Scene(t)
    path = object_path(scene.store, scene.names[2], system_id=scene.system_id)
    good = path.read_bytes()
    bad = bytearray(good)
    bad[len(bad) // 2] ^= 1
    rewrite(path, bad)
    scene.start()
    t.equal(scene.copy.wait_exit(), 1, "exit code of the postmaster")
    t.contains(scene.copy.log_text(), "FATAL:  could not restore file", "log")
    rewrite(path, good)
    shutil.move(scene.store, t.dir / "away")
    scene.copy.start(wait=False)
    t.equal(scene.copy.wait_exit(), 1, "exit code without the mount")
    t.true("selected new timeline" not in scene.copy.log_text(), "no promotion")
    shutil.move(t.dir / "away", scene.store)
    scene.copy.start(wait=False)
    scene.copy.wait_promoted()
    t.equal(scene.copy.value("select count(*) from t"), "4", "rows")


class Load:
    """Rows that come in all the time, in the tablespace and outside, while `with` lasts."""

    def __init__(self, pg):
        self.pg, self.over, self.failure = pg, threading.Event(), None
        self.thread = threading.Thread(target=self._insert)

    def _insert(self):
        try:
            while not self.over.is_set():
                self.pg.psql("insert into t select generate_series(1, 500);"
                             " insert into far select generate_series(1, 500)")
        except tap.Failure as failure:
            self.failure = failure

    def __enter__(self):
        self.thread.start()

    def __exit__(self, *exc):
        self.over.set()
        self.thread.join()
        if self.failure:
            raise self.failure


QUESTION = "select (select row(count(*), sum(i)) from t), (select row(count(*), sum(i)) from far)"


def backed_up(t, store, work, **settings):
    """A server with a tablespace, an older backup, one under load, and WAL after it; it is gone
    then. Returns the setup, what the page says to set first, and the answer to QUESTION."""
    setup = seawall.Setup(t.dir, [store], **settings)
    pg = t.enter(pgserver.Cluster(t.dir / "primary", wal_segsize=1))
    pg.archive(setup.archive_command())
    pg.start()
    setup.write(conninfo="host=%s user=postgres dbname=postgres" % pg.sockets)
    (t.dir / "space").mkdir(mode=0o700)
    pg.psql("create tablespace space location '%s'" % (t.dir / "space"))
    pg.psql("create table t (i int); create table far (i int) tablespace space")
    t.equal(setup.seawall("backup").code, 0, "an older backup")
    with Load(pg):
        result = setup.seawall("backup")
    t.equal(result.code, 0, result.err)
    pg.psql("insert into t values (1000000); insert into far values (2000000)")
    pg.wait_archived(pg.switch_wal())
    answer = pg.value(QUESTION)
    oid = pg.value("select oid from pg_tablespace where spcname = 'space'")
    system_id = pg.system_id()
    pg.stop("immediate")
    shutil.move(pg.data, t.dir / "burnt")
    shutil.move(t.dir / "space", t.dir / "burnt-space")
    work.mkdir()
    variables = dict(
        cluster="main", system_id=system_id, identity=setup.dir / "identity.txt", oid=oid,
        location=t.dir / "new space", data=t.dir / "restored",
        label=result.out.strip().split("\n")[-1])
    return variables, answer


BLOCKS = ["cluster-find", "cluster-directories", "cluster-tablespace", "cluster-extract",
          "cluster-map", "cluster-settings"]

for compression in ("lz4", "zstd"):
    @tap.check("%s: a whole cluster with a tablespace, from the newest backup's objects"
               % compression)
    def _(t, compression=compression):
        work = t.dir / "work"
        variables, answer = backed_up(t, seawall.dir_store("a", t.dir / "a"), work,
                                      compression=compression)
        (work / "recovery.conf.add").write_text(
            emergency_line(t.dir / "a", variables["system_id"], variables["identity"])
            + "archive_mode = off\n")
        result = runbook.do(t, BLOCKS, work, store=t.dir / "a", **variables)
        t.equal(result.code, 0, result.err)
        t.contains(result.out, variables["label"] + ": ", "the newest backup")
        copy = t.enter(pgserver.Cluster(variables["data"], create=False))
        t.equal(copy.data.stat().st_mode & 0o7777, 0o700, "mode of the data directory")
        result = t.run(["sh", "-c", "set -eu\n" + runbook.block("cluster-start")],
                       env=dict(data=copy.data, PATH="%s:%s" % (pgserver.bindir(), os.environ["PATH"])),
                       timeout=120)
        t.defer(t.run, [pgserver.tool("pg_ctl"), "-D", copy.data, "-m", "immediate", "stop"])
        t.equal(result.code, 0, "%s\n%s" % (result.err, copy.log_text()))
        tap.wait_for(lambda: not copy.in_recovery(), 120, "end of recovery")
        t.equal(copy.value(QUESTION), answer, "the data")
        t.equal(os.readlink(copy.data / "pg_tblspc" / variables["oid"]),
                str(variables["location"]), "the tablespace")


@tap.check("a whole cluster: a damaged, cut or missing part leaves nothing that starts")
def _(t):
    work = t.dir / "work"
    store = t.dir / "a"
    variables, _ = backed_up(t, seawall.dir_store("a", store), work)
    label = store / "main" / str(variables["system_id"]) / "backup" / variables["label"]
    parts = sorted(label.glob("part-*"))
    t.true(len(parts) > 2, "several parts")
    part = parts[len(parts) // 2]
    good = part.read_bytes()
    for i, bad in enumerate((good[:-1], good[:len(good) // 2] + b"x" + good[len(good) // 2 + 1:],
                             b"", None)):
        rewrite(part, bad or b"")
        if bad is None:
            part.unlink()
        variables.update(data=t.dir / ("restored%d" % i), location=t.dir / ("space%d" % i))
        result = runbook.do(t, BLOCKS[:4], work, store=store, **variables)
        t.true(result.code != 0, "exit code of case %d" % i)
        t.contains(result.err, "FAILED: %s" % part, "it says which")
        t.true(not (variables["data"] / "global" / "pg_control").exists(), "no pg_control")


tap.main()
