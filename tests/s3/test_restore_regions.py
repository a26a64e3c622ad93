# SPDX-License-Identifier: PostgreSQL
"""Plan, restore, verify and list on two S3 regions (Ceph radosgw) over TLS: a region that is away,
damaged or incomplete, and one that is lost in the middle of a restore or a backup.

SEAWALL_LONG=1 also waits for what gives up only after minutes.
"""
import contextlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

import pgserver
import radosgw
import seawall
import tap
import valve

MIB = 1 << 20
BUCKET = "regions"
LONG = bool(os.environ.get("SEAWALL_LONG"))
MARKER = ".seawall-restore-incomplete"


class Source:
    """A server's backup and WAL in two regions, each reached through a valve."""

    def __init__(self, directory, stack):
        self.dir = pathlib.Path(directory)
        self.regions, self.valves, stores = {}, {}, []
        for name, region in (("a", "eu-west-3"), ("b", "eu-central-1")):
            gw = stack.enter_context(radosgw.Radosgw(self.dir / ("rgw" + name), region=region))
            gw.create_bucket(BUCKET)
            self.regions[name] = gw
            self.valves[name] = stack.enter_context(valve.Valve(gw.tls_port))
            stores.append(gw.store(name, BUCKET, "pg", endpoint=self.valves[name].endpoint))
        self.stores = stores
        self.pg = stack.enter_context(pgserver.Cluster(self.dir / "primary", wal_segsize=4,
                                                       checksums=True))
        self.setup = seawall.Setup(self.dir, stores, pgdata=str(self.pg.data), acknowledge=2,
                                   connect_timeout=1, stall_timeout=1,
                                   conninfo="host=%s user=postgres dbname=postgres" %
                                            self.pg.sockets)
        self.pg.archive(self.setup.archive_command())
        self.pg.start()
        self.pg.psql("create table t as select i, md5(i::text) || md5((-i)::text) m "
                     "from generate_series(1, 300000) i")
        self.label = self.backup()["label"]
        self.pg.psql("insert into t values (0, 'later')")
        self.pg.wait_archived(self.pg.switch_wal())
        self.root = "pg/main/%d/backup/" % self.pg.system_id()

    def backup(self):
        result = self.setup.run("seawall-backup", "--json", timeout=300)
        if result.code != 0:
            raise tap.Failure("backup: %d\n%s" % (result.code, result.err))
        return json.loads(result.out.splitlines()[-1])

    def keys(self, store, rest=""):
        return self.regions[store].s3().keys(BUCKET, self.root + self.label + "/" + rest)

    def use(self, names):
        """The configuration has these stores, in this order."""
        self.setup.write(stores=[s for n in names for s in self.stores if s["name"] == n],
                         acknowledge=len(names))


@contextlib.contextmanager
def make_source():
    with tempfile.TemporaryDirectory(prefix="rgw", dir="/tmp", ignore_cleanup_errors=True) as d, \
            contextlib.ExitStack() as stack:
        yield Source(d, stack)


source_of = tap.shared(make_source)


def fresh(t, names="ab"):
    """The source as it was made, with these stores configured."""
    source = source_of()
    for v in source.valves.values():
        v.open()
    source.use(names)
    t.defer(source.use, "ab")
    for v in source.valves.values():
        t.defer(v.open)
    return source


def restore(t, source, *options, name="data", code=0, timeout=240):
    target = t.dir / name
    result = source.setup.run("seawall-restore", "--latest", "--target-dir", target, *options,
                              timeout=timeout)
    t.equal(result.code, code, "restore: %s" % result.err)
    return target, result


def recovers(t, target):
    t.run([pgserver.tool("pg_verifybackup"), "-n", target], code=0, timeout=120)
    t.true(not (target / MARKER).exists(), "no marker")
    copy = t.enter(pgserver.Cluster(target, "copy", create=False))
    copy.configure(archive_mode="off")
    copy.start()
    copy.wait_promoted()
    t.equal(copy.value("select count(*) from t"), "300001", "rows")
    copy.stop("immediate")


def cannot_start(t, target):
    t.true((target / MARKER).exists(), "the marker")
    t.true(not (target / "global" / "pg_control").exists(), "no pg_control")
    result = t.run([pgserver.bindir() / "postgres", "-D", target])
    t.true(result.code != 0, "the server refuses: %s" % result.err)


def without(t, source, store, key):
    """Delete the object for the rest of the check."""
    gw = source.regions[store]
    body = gw.s3().get(BUCKET, key).body
    gw.s3().delete(BUCKET, key)
    t.defer(gw.s3().put, BUCKET, key, body)


def damaged(t, source, store, key, offset=3000):
    gw = source.regions[store]
    gw.corrupt(BUCKET, key, offset)
    t.defer(gw.corrupt, BUCKET, key, offset)


@tap.check("both regions: planned, verified, listed, restored and recovered")
def _(t):
    source = fresh(t)
    result = source.setup.run("seawall-plan", "--latest", "--deep")
    t.equal((result.code, result.err), (0, ""), "plan")
    t.contains(result.out, source.label, "the backup")
    result = source.setup.run("seawall-verify")
    t.equal(result.code, 0, "verify: %s%s" % (result.out, result.err))
    listed = json.loads(source.setup.run("seawall-list", "--json").out)["systems"][0]
    t.equal([[s["complete"] for s in b["stores"]] for b in listed["backups"]], [[True, True]],
            "complete in both")
    recovers(t, restore(t, source)[0])


def running(source, t, *argv):
    process = subprocess.Popen(source.setup.argv(*argv), stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    t.defer(process.kill)
    return process


def check_away(mode):
    @tap.check("one region away (%s): the other is enough, and everybody names it" % mode)
    def _(t):
        if mode == "hole" and not LONG:
            t.skip("takes half a minute: SEAWALL_LONG=1")
        source = fresh(t)
        source.valves["a"].arm(0, mode)
        target = t.dir / "data"
        # each waits some seconds for the region: at the same time
        programs = {"seawall-plan": (0, ["--latest"]), "seawall-list": (10, []),
                    "seawall-verify": (10, []),
                    "seawall-restore": (0, ["--latest", "--target-dir", target])}
        processes = {name: running(source, t, name, *args) for name, (_, args) in programs.items()}
        for name, process in processes.items():
            out, err = process.communicate(timeout=240)
            t.equal(process.returncode, programs[name][0], "%s: %s" % (name, err))
            t.contains(err, 'store "a"', "%s names it" % name)
            if name == "seawall-list":
                t.contains(out, source.label, "what the other has is listed")
        recovers(t, target)


check_away("cut")
check_away("hole")


@tap.check("parts damaged and missing in one region come from the other; verify finds each")
def _(t):
    source = fresh(t)
    parts = source.keys("a", "part-")
    t.true(len(parts) >= 4, parts)
    damaged(t, source, "a", parts[1])
    without(t, source, "a", parts[2])
    damaged(t, source, "b", parts[0], 300)
    result = source.setup.run("seawall-plan", "--latest")
    t.equal(result.code, 0, "plan: %s" % result.err)
    result = source.setup.run("seawall-verify", "--json")
    t.equal(result.code, 15, "verify: %s" % result.err)
    text = result.out + result.err
    for key in parts[:3]:
        t.contains(text, key.split("/")[-1], "found")
    target, result = restore(t, source)
    t.contains(result.err, parts[1].split("/")[-1], "the damaged one is told")
    recovers(t, target)


@tap.check("a part missing in both regions is refused before anything is written, a damaged one after")
def _(t):
    source = fresh(t)
    part = source.keys("a", "part-")[1]
    for store in "ab":
        damaged(t, source, store, part)
    target, result = restore(t, source, code=15)
    t.contains(result.err, "part 2 of backup " + source.label, "named")
    cannot_start(t, target)
    for store in "ab":
        without(t, source, store, part)
    target, result = restore(t, source, name="never", code=12)
    t.contains(result.err, part.split("/")[-1], "named")
    t.true(not target.exists(), "nothing was written")


def lost_in_a_restore(mode):
    @tap.check("a region that is lost in the middle of a restore (%s): the other one goes on" % mode)
    def _(t):
        source = fresh(t)
        source.valves["a"].arm(6 * MIB, mode)
        target, result = restore(t, source)
        t.true(source.valves["a"].lost.is_set(), "it was lost in the middle")
        recovers(t, target)


lost_in_a_restore("cut")
lost_in_a_restore("hole")


@tap.check("the only region is lost in the middle of a restore and comes back: it goes on")
def _(t):
    source = fresh(t, "a")
    source.valves["a"].arm(6 * MIB, "cut")
    target = t.dir / "data"
    process = running(source, t, "seawall-restore", "--latest", "--target-dir", target)
    t.true(source.valves["a"].lost.wait(120), "lost")
    time.sleep(2)
    t.true(process.poll() is None, "it waits")
    cannot_start(t, target)
    source.valves["a"].open()
    _, err = process.communicate(timeout=240)
    t.equal(process.returncode, 0, "restore: %s" % err)
    recovers(t, target)


@tap.check("the only region is lost and somebody gives up: told, nothing starts, a rerun works")
def _(t):
    source = fresh(t, "a")
    source.valves["a"].arm(6 * MIB, "hole")
    target = t.dir / "data"
    process = running(source, t, "seawall-restore", "--latest", "--target-dir", target)
    t.true(source.valves["a"].lost.wait(120), "lost")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    t.equal(process.returncode, 10, "exit code: %s" % err)
    t.contains(err, "is incomplete and cannot be started", "the hint")
    cannot_start(t, target)
    source.valves["a"].open()
    _, result = restore(t, source, code=13)
    t.contains(result.err, "interrupted", "a rerun says what to do")
    shutil.rmtree(target)
    recovers(t, restore(t, source)[0])


@tap.check("the only region refuses us in the middle of a restore: an error at once")
def _(t):
    source = fresh(t, "a")
    source.valves["a"].arm(6 * MIB, "hole")
    target = t.dir / "data"
    process = running(source, t, "seawall-restore", "--latest", "--target-dir", target)
    t.true(source.valves["a"].lost.wait(120), "lost")
    source.regions["a"].suspend()
    t.defer(source.regions["a"].enable)
    source.valves["a"].open()
    _, err = process.communicate(timeout=240)
    t.equal(process.returncode, 11, "exit code: %s" % err)
    t.contains(err, 'store "a"', "which store")
    t.contains(err, "is incomplete and cannot be started", "the hint")
    cannot_start(t, target)


@tap.check("the only region stays away: that is told at once, and an error when patience ends")
def _(t):
    source = fresh(t, "a")
    source.valves["a"].arm(6 * MIB, "cut")
    target, result = restore(t, source, "--patience", 15, code=10, timeout=240)
    t.equal(result.err.count('from store "a", which is asked again for'), 1, result.err)
    t.contains(result.err, 'store "a"', "which store")
    t.contains(result.err, "is incomplete and cannot be started", "the hint")
    cannot_start(t, target)


def labels(source, store, complete=False):
    keys = source.regions[store].s3().keys(BUCKET, source.root)
    return {k[len(source.root):].split("/")[0] for k in keys
            if not complete or k.endswith("/complete")}


@tap.check("a region that is away for a moment in the middle of a backup: the backup is in both")
def _(t):
    source = fresh(t)
    source.valves["b"].arm(4 * MIB, "cut")
    process = running(source, t, "seawall-backup", "--json")
    t.true(source.valves["b"].lost.wait(120), "lost")
    time.sleep(2)
    t.true(process.poll() is None, "it waits")
    source.valves["b"].open()
    out, err = process.communicate(timeout=240)
    t.equal(process.returncode, 0, "backup: %s" % err)
    label = json.loads(out.splitlines()[-1])["label"]
    for store in "ab":
        t.true(label in labels(source, store, complete=True), "complete in " + store)
    t.equal(source.setup.run("seawall-verify", "--backup", label).code, 0, "verify")


def lost_in_a_backup(acknowledge, code):
    @tap.check("a region that refuses us in the middle of a backup, acknowledge = %d" % acknowledge)
    def _(t):
        source = fresh(t)
        source.setup.write(acknowledge=acknowledge)
        before, before_a = (labels(source, store, complete=True) for store in "ba")
        source.valves["b"].arm(4 * MIB, "hole")
        process = running(source, t, "seawall-backup", "--json")
        t.true(source.valves["b"].lost.wait(120), "lost")
        source.regions["b"].suspend()
        t.defer(source.regions["b"].enable)
        source.valves["b"].open()
        out, err = process.communicate(timeout=240)
        source.regions["b"].enable()
        t.equal(process.returncode, code, "backup: %s" % err)
        t.contains(err, 'store "b"', "which store")
        t.equal(labels(source, "b", complete=True), before, "complete in b")
        if code == 0:
            label = json.loads(out.splitlines()[-1])["label"]
            t.true(label in labels(source, "a", complete=True), "complete in a")
            t.contains(err, "gets no complete backup this time", "the warning")
        else:
            t.equal(labels(source, "a", complete=True), before_a, "complete in a")


lost_in_a_backup(1, 0)
lost_in_a_backup(2, 11)

tap.main()
