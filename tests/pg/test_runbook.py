# SPDX-License-Identifier: PostgreSQL
"""The emergency restore_command of docs/runbook.md, on a real server and without Seawall."""
import shutil

import pgserver
import runbook
import seawall
import tap
from archived import object_path, rewrite


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
        line = runbook.block("restore-command").strip()
        for theirs, ours in (("/srv/wal/main/7413305566020948123",
                              "%s/main/%d" % (self.store, self.system_id)),
                             ("/etc/seawall/identity.txt", str(self.setup.dir / "identity.txt"))):
            if line.count(theirs) != 1:
                raise tap.Failure("no %s in %s" % (theirs, line))
            line = line.replace(theirs, ours)
        with open(self.copy.data / "postgresql.conf", "a", encoding="utf-8") as f:
            f.write(line + "\n")
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


tap.main()
