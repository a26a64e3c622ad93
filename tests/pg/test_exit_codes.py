# SPDX-License-Identifier: PostgreSQL
"""The exit-code law on a real server: nothing but the proven end of WAL lets PostgreSQL promote."""
import os
import pathlib
import shlex
import time

import pgserver
import seawall
import tap
from archived import object_path, rewrite


class Scene:
    """A primary that is gone, its archive in two regions, and a base backup to recover from."""

    def __init__(self, t, regions="ab", **settings):
        self.t = t
        settings.setdefault("fetch_timeout", 5)
        self.stores = [t.dir / region for region in regions]
        self.setup = seawall.Setup(t.dir, [seawall.dir_store(s.name, s) for s in self.stores],
                                   **settings)
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

    def objects(self, name):
        return [object_path(s, name, system_id=self.system_id) for s in self.stores]

    def recover(self):
        self.copy.recover(self.setup.restore_command(), action="promote")
        self.copy.start(wait=False)

    def refused(self, *texts):
        """The server ends by itself, did not promote, and says why."""
        self.recover()
        self.t.equal(self.copy.wait_exit(), 1, "exit code of the postmaster")
        log = self.copy.log_text()
        for text in texts:
            self.t.contains(log, text, "log")
        self.t.contains(log, "FATAL:  could not restore file", "log")
        self.t.true("selected new timeline" not in log, "no promotion")
        history = pathlib.Path(self.copy.data) / "pg_wal" / "00000002.history"
        self.t.true(not history.exists(), "no new timeline")


@tap.check("the proven end of WAL promotes with every row")
def _(t):
    scene = Scene(t)
    scene.recover()
    scene.copy.wait_log("ready to accept connections")
    scene.copy.wait_promoted()
    t.equal(scene.copy.sql("select i from t order by i"), [["0"], ["1"], ["2"], ["3"]], "rows")


@tap.check("unreachable stores: FATAL, no promotion; when they are back the recovery goes on to the end")
def _(t):
    scene = Scene(t)
    for store in scene.stores:
        store.rename(store.with_name("away-" + store.name))
    scene.refused("seawall-fetch: error:")
    for store in scene.stores:
        store.with_name("away-" + store.name).rename(store)
    scene.copy.start()
    scene.copy.wait_promoted()
    t.equal(scene.copy.value("select count(*) from t"), "4", "rows")


@tap.check("one region away: the end cannot be proven, so FATAL and no promotion")
def _(t):
    scene = Scene(t)
    scene.stores[1].rename(t.dir / "away")
    scene.refused("seawall-fetch: error:")


@tap.check("a corrupt segment in every region: FATAL; in one region: a warning and all rows")
def _(t):
    scene = Scene(t)
    first, second = scene.objects(scene.names[2])
    good = first.read_bytes()
    bad = bytearray(good)
    bad[len(bad) // 2] ^= 1
    rewrite(first, bad)
    rewrite(second, bad)
    scene.refused("seawall-fetch: error:", scene.names[2])
    rewrite(second, good)
    scene.copy.start()
    scene.copy.wait_promoted()
    t.contains(scene.copy.log_text(), "seawall-fetch: warning:", "log")
    t.equal(scene.copy.value("select count(*) from t"), "4", "rows")


@tap.check("a missing middle segment: FATAL, naming it and the later one")
def _(t):
    scene = Scene(t)
    for path in scene.objects(scene.names[1]):
        path.unlink()
    scene.refused("\"%s\" is missing" % scene.names[1])


@tap.check("another segment's bytes under the name: FATAL")
def _(t):
    scene = Scene(t)
    for path, other in zip(scene.objects(scene.names[1]), scene.objects(scene.names[2])):
        rewrite(path, other.read_bytes())
    scene.refused("seawall-fetch: error:")


@tap.check("a wrong key, a wrong cluster name, a broken configuration: FATAL")
def _(t):
    scene = Scene(t)
    identity = scene.setup.dir / "identity.txt"
    good = identity.read_bytes()
    rewrite(identity, tap.run(["age-keygen"]).out.encode())
    scene.refused("seawall-fetch: error:")
    rewrite(identity, good)
    scene.setup.write(cluster="typo")
    scene.refused("holds nothing at all of cluster \"typo\"")
    scene.setup.write(cluster="main", nonsense=1)
    scene.refused("nonsense")


@tap.check("a hidden history file is a gap, not a second timeline 2")
def _(t):
    scene = Scene(t)
    scene.recover()
    scene.copy.wait_log("ready to accept connections")
    scene.copy.wait_promoted()
    scene.copy.configure(archive_mode="on", archive_command=scene.setup.archive_command())
    scene.copy.restart()
    scene.copy.psql("insert into t values (4)")
    scene.copy.wait_archived(scene.copy.switch_wal())
    # the promoted server had archiving off: give the archive its history by hand, as the hint says
    result = scene.setup.push(scene.copy.data, "pg_wal/00000002.history")
    t.equal(result.code, 0, result.err)
    scene.copy.stop()
    history = [s / "main" / str(scene.system_id) / "history" / "00000002.history" for s in scene.stores]
    for path in history:
        path.rename(path.with_name("hidden"))
    again = scene.setup.fetch(scene.copy.data, "00000002.history", t.dir / "x")
    t.equal(again.code, 203, again.err)


@tap.check("a standby stays up while the stores are away, and goes on when they are back")
def _(t):
    scene = Scene(t)
    copy = scene.copy
    for store in scene.stores:
        store.rename(store.with_name("away-" + store.name))
    copy.configure(restore_command=scene.setup.restore_command(), wal_retrieve_retry_interval="200ms")
    (pathlib.Path(copy.data) / "standby.signal").touch()
    copy.start(wait=False)
    copy.wait_log("the standby is told")
    time.sleep(1)
    t.true(copy.running(), "it is up")
    for store in scene.stores:
        store.with_name("away-" + store.name).rename(store)
    copy.wait_for(lambda: copy.psql("select count(*) from t", code=None).out.strip() == "4",
                  timeout=120, what="all rows")
    t.true(copy.in_recovery(), "still a standby")


def standby_without_stores(t, mode):
    """A standby that has replayed all, and whose stores have gone."""
    scene = Scene(t, fetch_timeout=5, standby_on_error=mode)
    copy = scene.copy
    copy.configure(restore_command=scene.setup.restore_command(),
                   wal_retrieve_retry_interval="200ms")
    (copy.data / "standby.signal").touch()
    copy.start()
    copy.wait_for(lambda: copy.psql("select count(*) from t", code=None).out.strip() == "4",
                  what="all rows")
    for store in scene.stores:
        store.rename(store.with_name("away-" + store.name))
    return scene


@tap.check("promoted while the stores are away: with what it has, and warned")
def _(t):
    scene = standby_without_stores(t, "continue")
    scene.copy.promote()
    t.contains(scene.copy.log_text(), "the standby is told", "warned")
    t.equal(scene.copy.value("select count(*) from t"), "4", "rows")
    scene.copy.stop()


@tap.check("promoted while the stores are away, standby_on_error = stop: FATAL, and still a standby")
def _(t):
    scene = standby_without_stores(t, "stop")
    scene.copy.wait_exit()
    t.contains(scene.copy.log_text(), "FATAL:  could not restore file", "log")
    t.true((scene.copy.data / "standby.signal").exists(), "a standby")
    for store in scene.stores:
        store.with_name("away-" + store.name).rename(store)
    scene.copy.start()
    scene.copy.promote()
    t.equal(scene.copy.value("select count(*) from t"), "4", "rows")


def gone_when_promoted(scene):
    """A restore_command before which the stores vanish once there is no signal file any more."""
    script = scene.t.dir / "restore.sh"
    away = "\n".join("mv %s %s" % (s, s.with_name("away-" + s.name)) for s in scene.stores)
    script.write_text("#!/bin/sh\n[ -e recovery.signal ] || [ -e standby.signal ] || {\n"
                      "echo \"$1\" >>%s\n%s\n} 2>/dev/null\nexec %s \"$@\"\n" % (
                          scene.t.dir / "asked", away,
                          shlex.join(scene.setup.argv("seawall-fetch", agent=True))))
    script.chmod(0o755)
    return "%s %%f %%p" % script


def promoted_without_stores(scene, pg, asked):
    """What was asked behind the end of the recovery; the stores were gone, the server is not."""
    pg.wait_promoted()
    scene.t.equal((scene.t.dir / "asked").read_text().split(), [asked], "asked at the end")
    (scene.t.dir / "asked").unlink()
    scene.t.true(not any(s.exists() for s in scene.stores), "the stores are gone")
    for store in scene.stores:
        store.with_name("away-" + store.name).rename(store)
    pg.restart("immediate")


@tap.check("stores that vanish while a server is promoted: it goes on with its own history")
def _(t):
    # FATAL there, and the next start would replay past the target, on the old timeline
    scene = Scene(t)
    command = gone_when_promoted(scene)
    scene.copy.recover(command, action="promote")
    scene.copy.start()
    promoted_without_stores(scene, scene.copy, "00000001.history")
    second = scene.copy
    t.equal(second.current_wal()[:8], "00000002", "timeline")
    second.archive(scene.setup.archive_command())
    second.restart()
    third = t.enter(second.base_backup(t.dir / "third"))
    standby = t.enter(second.standby(t.dir / "standby", restore_command=command))
    second.psql("insert into t values (4)")
    lsn = second.lsn()
    second.psql("insert into t values (5)")
    second.wait_archived(second.switch_wal())
    t.equal(scene.setup.push(second.data, "pg_wal/00000002.history").code, 0, "its history")
    standby.start()
    standby.wait_replayed(second.lsn())
    second.stop()
    third.recover(command, lsn=lsn, inclusive="off", action="promote")
    (third.data / "pg_wal" / "00000002.history").unlink(missing_ok=True)
    third.start()
    promoted_without_stores(scene, third, "00000002.history")
    t.equal(third.current_wal()[:8], "00000003", "timeline")
    t.equal(third.value("select max(i) from t"), "4", "not past the target")
    history = (third.data / "pg_wal" / "00000003.history").read_text()
    t.equal([line.split()[0] for line in history.split("\n") if line], ["1", "2"], "its ancestors")
    standby.promote()
    promoted_without_stores(scene, standby, "00000002.history")
    t.equal(standby.current_wal()[:8], "00000003", "timeline")
    t.equal(standby.value("select max(i) from t"), "5", "rows")


@tap.check("archive_command failures are counted by the server")
def _(t):
    setup = seawall.Setup(t.dir, [seawall.dir_store("a", t.dir / "a")])
    setup.write(push_timeout=5)
    pg = t.enter(pgserver.Cluster(t.dir / "primary", wal_segsize=1))
    pg.archive(setup.archive_command())
    os.rename(t.dir / "a", t.dir / "away")
    pg.start()
    pg.switch_wal()
    pg.wait_for(lambda: int(pg.archive_stats()["failed_count"]) >= 2, what="counted failures")
    t.contains(pg.log_text(), "archive command failed with exit code 10", "log")


tap.main()
