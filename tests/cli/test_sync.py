# SPDX-License-Identifier: PostgreSQL
"""seawall sync on directory stores: what one lacks comes from another, and nothing else changes."""
import contextlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import archived
import crafted
import models3
import s3faults
import seawall
import tap
from crafted import SIZE

OLD, NEW = "20261122T100000Z", "20261122T140000Z"
NAMES_KIB = 24 << 10     # libraries, two pages of names a store
OBJECTS_KIB = 64 << 10   # directories answer at once: one object at a time
SANITIZED = bool(os.environ.get("SEAWALL_SANITIZED"))
RSS = """
import os, subprocess, sys
with open(sys.argv[1], "w") as out:
    child = subprocess.Popen(sys.argv[2:], stdout=out, stderr=subprocess.STDOUT)
    _, status, usage = os.wait4(child.pid, 0)
print(os.waitstatus_to_exitcode(status), usage.ru_maxrss)
"""


def sync(t, archive, code, *args):
    """The document of a run that ends with this code."""
    result = archive.setup.run("seawall-sync", "--json", *args)
    t.equal(result.code, code, "exit code: %s%s" % (result.out, result.err))
    return json.loads(result.out)


def findings(document):
    return sorted((f["kind"], f["store"], f["object"].rsplit("/", 1)[1]) for f in
                  document["findings"])


def counts(document, what):
    return [store[what] for store in document["stores"]]


def simple(t, stores="ab", **settings):
    archive = crafted.Archive(t, stores, **settings)
    archive.backup(OLD, 5)
    archive.wal(1, range(5, 9))
    archive.history(2, [(1, "0/880000")])
    archive.wal(2, range(8, 10))
    return archive


def content(t, letter):
    """Every object of a store: name to bytes."""
    return {f: (t.dir / letter / f).read_bytes() for f in seawall.stored(t.dir / letter)}


def name(number, timeline=1):
    return seawall.segment_name(timeline, number, SIZE)


def put_raw(archive, store, path, data):
    target = archive.path(store, path)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(data)


@tap.check("stores in step stay as they are, and an empty archive is in step")
def _(t):
    archive = crafted.Archive(t, "ab")
    t.equal(counts(sync(t, archive, 0), "objects"), [0, 0], "nothing")
    (t.dir / "more").mkdir()

    class Inner:
        dir, equal = t.dir / "more", staticmethod(t.equal)
    archive = simple(Inner)
    before = content(Inner, "a")
    document = sync(t, archive, 0)
    t.equal((counts(document, "objects"), counts(document, "lacking"), document["copied"]),
            ([10, 10], [0, 0], 0), "counts")
    t.equal((content(Inner, "a"), content(Inner, "b")), (before, before), "bytes")


@tap.check("a lost object, a lost directory and a lost store come back, byte for byte")
def _(t):
    archive = simple(t, "abc")
    before = content(t, "a")
    archive.segment_path("a", 1, 6).unlink()
    archive.remove("b", "main/%d/history" % seawall.SYSTEM_ID)
    archive.remove("b", "main/%d/wal/00000002" % seawall.SYSTEM_ID)
    archive.remove("c", "main")
    document = sync(t, archive, 0)
    t.equal(counts(document, "copied"), [1, 3, 10], "copied")
    t.equal(counts(document, "lacking"), [1, 3, 10], "lacking")
    t.equal(document["copied"], 14, "in all")
    for letter in "abc":
        t.equal(content(t, letter), before, "store " + letter)
    t.equal(sync(t, archive, 0)["copied"], 0, "again")
    t.equal(archive.setup.run("seawall-verify").code, 0, "verify")


@tap.check("every system identifier and kinds of later versions are copied, other clusters not")
def _(t):
    archive = simple(t)
    old = archive.system_id
    archive.system_id = 12
    archive.wal(1, [3], stores="a")
    later = "main/12/drill/20261122T100000Z"
    archive.put(later, b"a later version's", stores="a")
    archive.system_id = old
    put_raw(archive, "a", "other/12/wal/00000001/00000000/" + name(3), b"another cluster's")
    put_raw(archive, "a", "mainly/12/x", b"another cluster's")
    document = sync(t, archive, 0)
    t.equal(counts(document, "copied"), [0, 2], "copied")
    t.true(archive.path("b", later).exists(), "later kind")
    t.equal([f for f in seawall.stored(t.dir / "b") if not f.startswith("main/")], [], "others")


@tap.check("it needs public keys only")
def _(t):
    archive = simple(t)
    archive.segment_path("b", 1, 6).unlink()
    (archive.setup.dir / "identity.txt").unlink()
    archive.setup.write(writers=[archived.writer_public(archive.setup)])
    (archive.setup.dir / "writer.key").unlink()
    t.equal(sync(t, archive, 0, "--deep")["copied"], 1, "copied")


@tap.check("--dry-run writes nothing and says what it would do")
def _(t):
    archive = simple(t)
    archive.segment_path("b", 1, 6).unlink()
    before = content(t, "b")
    document = sync(t, archive, 0, "--dry-run")
    t.equal((document["dry_run"], counts(document, "copied")), (True, [0, 1]), "document")
    text = archive.setup.run("seawall-sync", "--dry-run")
    t.contains(text.out, 'would copy from "a" to "b": ' + archive.wal_name(name(6)), "text")
    t.equal(content(t, "b"), before, "nothing written")
    archive.damage(archive.segment_path("a", 1, 7), at=0)
    archived.rewrite(archive.segment_path("a", 1, 7), b"short")
    sync(t, archive, 15, "--dry-run")


@tap.check("--store heals one store only")
def _(t):
    archive = simple(t, "abc")
    for letter, number in (("a", 5), ("b", 6), ("c", 7)):
        archive.segment_path(letter, 1, number).unlink()
    t.equal(counts(sync(t, archive, 0, "--store", "b"), "copied"), [0, 1, 0], "copied")
    t.equal(counts(sync(t, archive, 0), "copied"), [1, 0, 1], "the others")
    t.equal(archive.setup.run("seawall-sync", "--store", "x").code, 14, "unknown")


@tap.check("--since takes WAL from a position or segment on, and every history file")
def _(t):
    archive = simple(t)
    for args, left in ((["--since", "0/7000A0"], 2), (["--since", name(7)], 2),
                       (["--since", "0/700000"], 2), (["--since", "0/6FFFFF"], 3),
                       (["--since", "1/0"], 0), (["--since", "0/0"], 4)):
        archive.remove("b", "main")
        document = sync(t, archive, 0, *args)
        copied = [f.rsplit("/", 1)[1] for f in seawall.stored(t.dir / "b")]
        t.equal(len([f for f in copied if f.startswith("00000001")]), left, "%s: %s" % (args,
                                                                                         copied))
        t.true("00000002.history" in copied, "history")
        t.true("complete" not in copied, "no backups")
        t.equal(document["incomplete_backups"], 0, "backups")
    for bad in ("x", "0/", "20261122T100000Z"):
        t.equal(archive.setup.run("seawall-sync", "--since", bad).code, 14, bad)


@tap.check("a damaged copy is not spread: a good one from another store, or its name")
def _(t):
    archive = simple(t, "abc")
    good = archive.segment_path("a", 1, 6).read_bytes()
    archive.damage(archive.segment_path("a", 1, 6))
    archive.segment_path("c", 1, 6).unlink()
    document = sync(t, archive, 15)
    t.equal(findings(document), [("damaged", "a", name(6))], "findings")
    t.equal(archive.segment_path("c", 1, 6).read_bytes(), good, "from b")
    archive.damage(archive.segment_path("b", 1, 6))
    archive.segment_path("c", 1, 6).unlink()
    document = sync(t, archive, 15)
    t.equal(findings(document), [("damaged", "a", name(6)), ("damaged", "b", name(6)),
                                 ("unhealed", "c", name(6))], "nobody has a good one")
    t.true(not archive.segment_path("c", 1, 6).exists(), "nothing spread")


@tap.check("damage of the same size is found by --deep only, and is not overwritten")
def _(t):
    archive = simple(t)
    archive.damage(archive.segment_path("b", 1, 6))
    bad = archive.segment_path("b", 1, 6).read_bytes()
    t.equal(sync(t, archive, 0)["findings"], [], "not read")
    t.equal(findings(sync(t, archive, 15, "--deep")), [("damaged", "b", name(6))], "deep")
    t.equal(archive.segment_path("b", 1, 6).read_bytes(), bad, "as it was")
    archive.segment_path("b", 1, 6).unlink()
    t.equal(sync(t, archive, 0, "--deep")["copied"], 1, "removed by hand, healed")


@tap.check("a copy of another size is compared: cut, other content, or the same packed anew")
def _(t):
    archive = simple(t)
    whole = archive.segment_path("b", 1, 6).read_bytes()
    archived.rewrite(archive.segment_path("b", 1, 6), whole[:-1])
    t.equal(findings(sync(t, archive, 15)), [("damaged", "b", name(6))], "cut")
    archive.wal(1, [6], stores="b", data=seawall.segment(6, 1, SIZE, seed=1, fill=0.1))
    other = archive.segment_path("b", 1, 6).read_bytes()
    t.equal(findings(sync(t, archive, 12)), [("conflict", "b", name(6))], "conflict")
    t.equal((archive.segment_path("a", 1, 6).read_bytes(),
             archive.segment_path("b", 1, 6).read_bytes()), (whole, other), "both stay")
    archive.wal(1, [7], stores="b", created=12345, data=crafted.segment(7))
    t.true(archive.segment_path("a", 1, 7).read_bytes() !=
           archive.segment_path("b", 1, 7).read_bytes(), "two objects of one file")
    t.equal(findings(sync(t, archive, 12, "--deep")), [("conflict", "b", name(6))], "the same")


@tap.check("what is in conflict goes nowhere else")
def _(t):
    archive = simple(t, "abc")
    archive.wal(1, [6], stores="b", data=seawall.segment(6, 1, SIZE, seed=1, fill=0.1))
    archive.segment_path("c", 1, 6).unlink()
    t.equal(findings(sync(t, archive, 12)), [("conflict", "b", name(6))], "findings")
    t.true(not archive.segment_path("c", 1, 6).exists(), "nothing spread")


@tap.check("an unknown writer's object is foreign, names of others are only counted")
def _(t):
    archive = simple(t)
    (archive.setup.dir / "other").mkdir()
    seawall.make_keys(archive.setup.dir / "other")
    put_raw(archive, "a", archive.wal_name(name(30)),
            archive.seal(archive.wal_name(name(30)), b"x", keys="other"))
    put_raw(archive, "a", "main/README", b"hello")
    put_raw(archive, "a", "main/probe/conditional", b"seawall-probe-1\n")
    put_raw(archive, "a", "main/%d/wal/readme.txt" % seawall.SYSTEM_ID, b"hello")
    document = sync(t, archive, 15)
    t.equal(findings(document), [("damaged", "a", "readme.txt"), ("foreign", "a", name(30)),
                                 ("unhealed", "b", name(30)), ("unhealed", "b", "readme.txt")],
            "findings")
    t.equal(counts(document, "other_names"), [1, 0], "other names")
    archive.path("a", "main/%d/wal/readme.txt" % seawall.SYSTEM_ID).unlink()
    sync(t, archive, 12)


@tap.check("a completion comes last, and only where its backup is whole")
def _(t):
    archive = simple(t)
    archive.backup(NEW, 6, stores="a", part_size=4096)
    complete = archive.path("b", archive.backup_name(NEW, "complete"))
    part = archive.path("a", archive.backup_name(NEW, "part-00000003"))
    whole = part.read_bytes()
    archive.damage(part)
    document = sync(t, archive, 15)
    t.equal(findings(document), [("damaged", "a", "part-00000003"), ("unhealed", "b", "complete"),
                                 ("unhealed", "b", "part-00000003")], "a damaged part")
    t.true(not complete.exists(), "no completion")
    part.unlink()
    t.equal(findings(sync(t, archive, 12)), [("unhealed", "b", "complete")], "a lost part")
    t.true(not complete.exists(), "no completion yet")
    put_raw(archive, "b", archive.backup_name(NEW, "part-00000003"), whole)
    document = sync(t, archive, 0)
    t.equal(counts(document, "copied"), [1, 1], "the part one way, the completion the other")
    t.true(complete.exists(), "complete")
    t.equal(archive.setup.run("seawall-verify", "--backup", NEW).code, 0, "verify")


@tap.check("what belongs to a backup that is complete nowhere is left alone")
def _(t):
    archive = simple(t)
    archive.backup(NEW, 6, stores="a")
    archive.path("a", archive.backup_name(NEW, "complete")).unlink()
    document = sync(t, archive, 0)
    t.equal((document["copied"], document["incomplete_backups"]), (0, 1), "left alone")
    t.contains(archive.setup.run("seawall-sync").out, "1 backups are complete in no store", "text")


@tap.check("many backups, each in one store only")
def _(t):
    archive = crafted.Archive(t, "ab", encryption=False)
    labels = ["202601%02dT000000Z" % day for day in range(1, 26)]
    for n, label in enumerate(labels):
        archive.backup(label, 5, stores="ab"[n % 2])
    document = sync(t, archive, 0)
    t.equal(counts(document, "copied"), [36, 39], "objects")
    t.equal(content(t, "a"), content(t, "b"), "in step")


@tap.check("a store that is away stops nothing between the others, and is told")
def _(t):
    archive = simple(t, "abc")
    archive.store_away("b")
    archive.segment_path("c", 1, 6).unlink()
    document = sync(t, archive, 10)
    t.equal((counts(document, "away"), document["copied"]), ([False, True, False], 1), "healed")
    archive.store_away("c")
    t.equal(archive.setup.run("seawall-sync").code, 10, "one is left")
    archive.setup.write(stores=archive.setup.settings["stores"][:1])
    t.equal(archive.setup.run("seawall-sync").code, 14, "one is configured")


@tap.check("a store that takes nothing is given up; what it has goes to the others")
def _(t):
    archive = simple(t)
    archive.remove("b", "main/%d/wal" % seawall.SYSTEM_ID)
    archive.backup(NEW, 6, stores="b")
    base = archive.path("b", "main/%d" % seawall.SYSTEM_ID)
    base.chmod(0o500)
    t.defer(base.chmod, 0o700)
    document = sync(t, archive, 11)
    t.equal(counts(document, "copied")[1], 0, "nothing into b")
    t.equal(counts(document, "away"), [False, True], "told")
    t.true(archive.path("a", archive.backup_name(NEW, "complete")).exists(), "from b")
    base.chmod(0o700)
    t.equal(counts(sync(t, archive, 0), "copied"), [0, 6], "next time")


@tap.check("a completion waits while WAL fails")
def _(t):
    archive = simple(t)
    archive.backup(NEW, 6, stores="a")
    archive.wal(1, [4096], stores="a")
    wal = archive.path("b", "main/%d/wal/00000001/00000001" % seawall.SYSTEM_ID)
    os.mkfifo(wal)   # neither a file nor a directory: not listed, and in the way
    document = sync(t, archive, 10)
    t.equal(findings(document), [("failed", "b", name(4096)), ("failed", "b", "complete")],
            "waits")
    wal.unlink()
    t.equal(counts(sync(t, archive, 0), "copied"), [0, 2], "next time")


@tap.check("killed at any stop, the next run finishes; no completion is ever there too early")
def _(t):
    archive = crafted.Archive(t, "ab", encryption=False)
    archive.backup(OLD, 5, stores="a", part_size=8192)
    archive.wal(1, range(5, 8), stores="a")
    want = content(t, "a")
    complete = archive.backup_name(OLD, "complete")
    argv = archive.setup.argv("seawall-sync")
    stops = seawall.killat(t, argv).stops
    t.equal(content(t, "b"), want, "not killed")
    for at in range(1, stops + 1, max(stops // 60, 1)):
        shutil.rmtree(archive.path("b", "main"), ignore_errors=True)
        killed = seawall.killat(t, argv, at=at)
        t.equal(killed.code, -signal.SIGKILL if killed.sent else 0, "stop %d" % at)
        have = content(t, "b")
        for path, data in have.items():
            if "/.seawall-tmp." not in path:
                t.equal(data, want[path], "stop %d: %s" % (at, path))
        if complete in have:
            t.equal(sorted(f for f in have if "tmp" not in f), sorted(want), "stop %d" % at)
        t.equal(archive.setup.run("seawall-sync").code, 0, "after stop %d" % at)
        t.equal({f: d for f, d in content(t, "b").items() if "/.seawall-tmp." not in f}, want,
                "healed after stop %d" % at)
    t.diag("%d stops" % stops)


@tap.check("a signal ends it with 10, and what was copied stays")
def _(t):
    archive = crafted.Archive(t, "ab", encryption=False)
    archive.wal(1, range(5, 9), stores="a")
    argv = archive.setup.argv("seawall-sync")
    stops = seawall.killat(t, argv).stops
    for at in range(stops // 3, stops, max(stops // 8, 1)):
        shutil.rmtree(archive.path("b", "main"), ignore_errors=True)
        result = seawall.killat(t, argv, at=at, sig=signal.SIGTERM)
        # before the handlers stand a signal kills
        t.true(result.code in (0, 10) or not seawall.stored(t.dir / "b"),
               "stop %d: %d %s" % (at, result.code, result.err))
    t.equal(archive.setup.run("seawall-sync").code, 0, "again")
    t.equal(content(t, "b"), content(t, "a"), "in step")


@tap.check("two at the same time do not harm each other")
def _(t):
    archive = simple(t)
    before = content(t, "a")
    for _ in range(3):
        archive.remove("b", "main")
        with contextlib.ExitStack() as stack:
            running = [stack.enter_context(subprocess.Popen(
                archive.setup.argv("seawall-sync"), stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE)) for _ in range(4)]
            for process in running:
                err = process.communicate(timeout=120)[1]
                t.equal(process.returncode, 0, err)
        t.equal(content(t, "b"), before, "in step")


def run_rss(t, archive, *args):
    """Run; returns the exit code and the largest resident size in KiB."""
    out = t.dir / "rss.out"
    result = tap.run([sys.executable, "-c", RSS, out] +
                     archive.setup.argv("seawall-sync", *args), timeout=300)
    t.equal(result.code, 0, result.err)
    code, rss = (int(word) for word in result.out.split())
    return code, rss, out.read_text()


@tap.check("10,000 names and large objects: memory stays bounded")
def _(t):
    archive = crafted.Archive(t, "ab", encryption=False)
    archive.wal(1, [0, 9000, 9999], stores="a")
    base = pathlib.Path("main/%d/wal" % seawall.SYSTEM_ID)
    for number in range(1, 10000):
        if number in (9000, 9999):
            continue
        path = base / name(number)[:8] / name(number)[8:16] / name(number)
        put_raw(archive, "a", path, b"same size")
        put_raw(archive, "b", path, b"same size")
    code, small, out = run_rss(t, archive)
    t.equal(code, 0, out)
    t.contains(out, "10000 objects", "listed")
    t.contains(out, "3 copied", "copied")
    big = os.urandom(14 << 20)
    archive.system_id = 7
    for number in range(24):
        archive.put("main/7/wal/%08X/x" % number, big, stores="a")
    code, large, out = run_rss(t, archive)
    t.equal(code, 0, out)
    t.diag("%d KiB for 10,000 names, %d KiB with 24 objects of 14 MiB" % (small, large))
    if not SANITIZED:
        t.true(small < NAMES_KIB, "names: %d KiB" % small)
        t.true(large < OBJECTS_KIB, "objects: %d KiB" % large)


def buckets(t, **settings):
    """Two fake buckets and an archive whose objects are in the first."""
    a, b = t.enter(models3.Bucket()), t.enter(models3.Bucket())
    setup = seawall.Setup(t.dir, [a.store("a"), b.store("b")], encryption=False, **settings)
    pgdata = seawall.Pgdata(t.dir / "data", segment_size=archived.MIB)
    setup.write(stores=[a.store("a")])
    for number in range(1, 8):
        result = setup.push(pgdata, pgdata.write_segment(number), env=models3.ENV)
        t.equal(result.code, 0, result.err)
    setup.write(stores=[a.store("a"), b.store("b")])
    return setup, pgdata, a, b


def fake_sync(t, setup, code, *args):
    result = setup.run("seawall-sync", "--json", *args, env=models3.ENV)
    t.equal(result.code, code, "exit code: %s%s" % (result.out, result.err))
    return json.loads(result.out)


def fake_key(pgdata, number):
    return "root/main/%d/wal/00000001/00000000/%s" % (seawall.SYSTEM_ID, pgdata.name(number))


@tap.check("what a delete marker hides is healed where the store takes it, and named where not")
def _(t):
    setup, pgdata, a, b = buckets(t)
    for number in (2, 3):
        b.hide(fake_key(pgdata, number))
    t.equal(counts(fake_sync(t, setup, 0), "copied"), [0, 7], "taken")
    t.equal(b.objects[fake_key(pgdata, 2)], a.objects[fake_key(pgdata, 2)], "bytes")
    b.hide(fake_key(pgdata, 3))
    b.keeps_hidden = True
    document = fake_sync(t, setup, 12)
    t.equal(findings(document), [("conflict", "b", pgdata.name(3))], "named")
    marker = [v for v in b.versions(fake_key(pgdata, 3)) if v.marker and not v.gone]
    t.contains(document["findings"][0]["reason"], "takes no new one: the delete marker \"%s\" of 20"
               % marker[-1].id, "why")


@tap.check("nothing is put into a bucket that replaces objects, and a dry run puts no probe")
def _(t):
    setup, pgdata, a, b = buckets(t)
    b.condition = "ignored"
    fake_sync(t, setup, 0, "--dry-run")
    t.equal(b.objects, {}, "a dry run")
    document = fake_sync(t, setup, 11)
    t.equal((list(b.objects), counts(document, "copied")), (["root/main/probe/conditional"], [0, 0]),
            "only the probe")


@tap.check("a bucket that is refused to us, or spoils what it gives: told apart, nothing wrong is spread")
def _(t):
    setup, pgdata, a, b = buckets(t)
    b.forbids = ("put",)
    fake_sync(t, setup, 11)
    b.forbids = ("list",)
    fake_sync(t, setup, 11)
    b.forbids = ()
    rule = a.fault(s3faults.flip(-8), kind="get", key="*/wal/*")
    document = fake_sync(t, setup, 15)
    t.equal(counts(document, "damaged"), [7, 0], "spoilt on the way")
    t.equal([k for k in b.objects if "/wal/" in k], [], "not spread")
    rule.lift()
    t.equal(counts(fake_sync(t, setup, 0), "copied"), [0, 7], "good again")


@tap.check("several copies are under way at the same time")
def _(t):
    setup, pgdata, a, b = buckets(t)
    most, now = [0], [0]

    def count(x):
        now[0] += 1
        most[0] = max(most[0], now[0])
        time.sleep(0.3)
        now[0] -= 1
    b.fault(s3faults.watch(count), kind="put")
    t.equal(counts(fake_sync(t, setup, 0), "copied"), [0, 7], "copied")
    t.true(most[0] > 2, "puts at a time: %d" % most[0])


@tap.check("lines for a person")
def _(t):
    archive = simple(t)
    archive.segment_path("b", 1, 6).unlink()
    archive.damage(archive.segment_path("a", 1, 6))
    result = archive.setup.run("seawall-sync")
    t.equal(result.code, 15, result.err)
    t.contains(result.out, 'damaged in store "a": main/', "damaged")
    t.contains(result.out, 'store "b" (file://', "totals")
    t.contains(result.err, "1 damaged copies", "verdict")
    t.contains(result.err, "Sync replaces nothing", "hint")
    archive.wal(1, [20], stores="a")
    t.contains(archive.setup.run("seawall-sync", "--verbose").out, 'copied from "a" to "b": main/',
               "verbose")


tap.main()
