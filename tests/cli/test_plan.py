# SPDX-License-Identifier: PostgreSQL
"""seawall plan on archives made by hand: which backup, which timelines, and is all the WAL there?"""
import hashlib
import json

import archived
import crafted
import madewal
import seawall
import tap
from crafted import SIZE, epoch

OLD, MIDDLE, NEW = "20261122T100000Z", "20261122T120000Z", "20261122T140000Z"
LATER = epoch("20261122T160000Z")


def refused(t, archive, code, *args):
    """The error of a plan that must not be."""
    result = archive.plan(*args)
    t.equal((result.code, result.out), (code, ""), "exit code of %s: %s" % (args, result.err))
    return result.err


def simple(t, stores="a", **settings):
    archive = crafted.Archive(t, stores, **settings)
    archive.backup(OLD, 5)
    archive.wal(1, range(5, 12), created=LATER)
    return archive


def segments(timeline, *numbers):
    return [seawall.segment_name(timeline, n, SIZE) for n in numbers]


@tap.check("a plan names backup, path, WAL, stores and the next command")
def _(t):
    archive = simple(t, "ab")
    plan = archive.plan_json("--latest")
    t.equal((plan["seawall_plan"], plan["cluster"], plan["system_id"]),
            (1, "main", str(seawall.SYSTEM_ID)), "whose")
    t.equal(plan["backup"]["label"], OLD, "backup")
    t.equal((plan["backup"]["start_lsn"], plan["backup"]["stop_lsn"]), ("0/500028", "0/500138"),
            "its LSNs")
    t.equal(plan["path"], [{"timeline": 1, "begin_lsn": "0/0", "end_lsn": None}], "path")
    t.equal([plan["first_wal"], plan["last_wal"], plan["segments"]], segments(1, 5, 11) + [7], "WAL")
    t.equal(plan["window"]["begin_lsn"], "0/500138", "window begins")
    t.equal(plan["window"]["end_lsn"], "0/C00000", "window ends")
    t.equal(plan["window"]["end_time"], LATER, "archived")
    t.equal([(s["name"], s["asked"], s["backup"], s["segments"]) for s in plan["stores"]],
            [("a", True, True, 7), ("b", True, True, 7)], "stores")
    t.equal(plan["gap_behind"], False, "gap")
    text = archive.plan("--latest").out
    for piece in ("Target      the end of the archived WAL, on timeline 1", OLD, segments(1, 11)[0],
                  "7 segments", 'store "b"', "seawall restore --latest --timeline 1 --backup " + OLD):
        t.contains(text, piece, "text")
    t.true(len(text.splitlines()) <= 24, "one screen")


@tap.check("an unencrypted archive is planned like an encrypted one, and deep as well")
def _(t):
    archive = simple(t, encryption=False)
    plan = archive.plan_json("--latest", "--deep")
    t.equal(plan["segments"], 7, "segments")


@tap.check("the target decides how much WAL is needed")
def _(t):
    archive = simple(t)
    for args, last in ((["--latest"], 11), (["--backup-end"], 5), (["--lsn", "0/500138"], 5),
                       (["--lsn", "0/7FFFFF"], 7), (["--lsn", "0/800000"], 8),
                       (["--lsn", "0/B00028"], 11), (["--xid", "740"], 8),
                       (["--name", "point 9"], 9), (["--time", "2026-11-22 12:00:00Z"], 5),
                       (["--before", "restore_point:point 10"], 10)):
        t.equal(archive.plan_json(*args)["last_wal"], segments(1, last)[0], str(args))


@tap.check("the newest backup that ends before the target is taken")
def _(t):
    archive = simple(t)
    archive.backup(MIDDLE, 7, 8)
    archive.backup(NEW, 9)
    for args, label in ((["--latest"], NEW), (["--backup-end"], NEW), (["--xid", "755"], NEW),
                        (["--lsn", "0/900138"], NEW), (["--lsn", "0/900137"], MIDDLE),
                        (["--lsn", "0/800138"], MIDDLE), (["--lsn", "0/800137"], OLD),
                        (["--lsn", "0/500138"], OLD),
                        (["--time", "2026-11-22 14:00:06Z"], NEW),
                        (["--time", "2026-11-22 14:00:05.999999Z"], MIDDLE),
                        (["--time", "2026-11-22 15:00:06+03"], MIDDLE),
                        (["--time", "2026-11-22 12:00:05Z"], OLD),
                        (["--latest", "--backup", MIDDLE], MIDDLE),
                        (["--xid", "740"], MIDDLE), (["--name", "point 7"], OLD),
                        (["--name", "point 10", "--backup", OLD], OLD)):
        plan = archive.plan_json(*args)
        t.equal(plan["backup"]["label"], label, str(args))
        t.equal(plan["window"]["begin_lsn"], "0/500138", "the window begins with the oldest")


@tap.check("a target before the first backup or behind the WAL is refused with the window")
def _(t):
    archive = simple(t)
    for args in (["--lsn", "0/500137"], ["--lsn", "0/1"], ["--time", "2026-11-22 10:00:05.9Z"],
                 ["--time", "2001-01-01 00:00:00Z"]):
        err = refused(t, archive, 14, *args)
        t.contains(err, "0/500138", "where the window begins")
        t.contains(err, OLD, "the backup")
    err = refused(t, archive, 14, "--lsn", "0/C00000")
    t.contains(err, "from 0/500138 to 0/C00000", "window")
    err = refused(t, archive, 14, "--time", "2026-11-22 16:05:01Z")
    t.contains(err, "2026-11-22 16:00:00", "when WAL ends")
    result = archive.plan("--time", "2026-11-22 16:04:00Z")
    t.equal(result.code, 0, "clocks may differ: " + result.err)
    t.contains(result.err, "warning:", "but it is said")
    archive.backup(NEW, 9)
    err = refused(t, archive, 14, "--lsn", "0/600000", "--backup", NEW)
    t.contains(err, "choose an older one", "hint")


@tap.check("a gap refuses the plan: names, stores, last healthy segment, latest safe target")
def _(t):
    archive = simple(t, "ab")
    for number in (8, 9):
        archive.segment_path("a", 1, number).unlink()
    archive.segment_path("b", 1, 8).unlink()
    for number in (6, 8, 9, 10):
        path = archive.segment_path("b", 1, number)
        if path.exists():
            path.unlink()
    err = refused(t, archive, 12, "--latest")
    t.contains(err, "2 of 7 needed WAL segments are in no store: %s, %s;" % tuple(segments(1, 8, 9)),
               "names")
    t.contains(err, 'store "a" lacks 2 of 7, store "b" lacks 4 of 7', "per store")
    t.contains(err, "The last healthy segment is " + segments(1, 7)[0], "last healthy")
    t.contains(err, "--lsn 0/7002D8", "a safe target")
    plan = archive.plan_json("--lsn", "0/700000")
    t.equal((plan["last_wal"], plan["gap_behind"]), (segments(1, 7)[0], True), "it is one")
    t.equal(plan["window"]["end_lsn"], "0/800000", "window")
    t.equal(archive.plan_json("--lsn", "0/600000")["gap_behind"], False, "not right behind")
    t.equal(archive.plan_json("--time", "2026-11-22 12:00:00Z")["last_wal"], segments(1, 5)[0],
            "what is before the gap can be reached")
    for args in (["--lsn", "0/800000"], ["--lsn", "0/A00000"], ["--xid", "740"],
                 ["--name", "point 8"]):
        refused(t, archive, 12, *args)


@tap.check("many missing segments are counted, three are named")
def _(t):
    archive = simple(t)
    for number in (6, 8, 9, 10):
        archive.segment_path("a", 1, number).unlink()
    err = refused(t, archive, 12, "--latest")
    t.contains(err, "4 of 7", "count")
    t.contains(err, "%s, %s, %s and 1 more" % tuple(segments(1, 6, 8, 9)), "names")
    t.contains(err, "--lsn 0/5002D8", "the last record before the gap")


@tap.check("a gap in the WAL of the backup itself leaves nothing")
def _(t):
    archive = crafted.Archive(t)
    archive.backup(OLD, 5, 7)
    archive.wal(1, [5, 7, 8], created=LATER)
    for args in (["--latest"], ["--backup-end"], ["--lsn", "0/800000"]):
        err = refused(t, archive, 12, *args)
        t.contains(err, segments(1, 6)[0], "name")
        t.contains(err, "cannot be restored", "hint")
    archive.wal(1, [6])
    archive.segment_path("a", 1, 8).unlink()
    t.equal(archive.plan_json("--latest")["last_wal"], segments(1, 7)[0], "whole again")


@tap.check("two stores complete each other, and each one's share is told")
def _(t):
    archive = crafted.Archive(t, "ab")
    archive.backup(OLD, 5, stores="b")
    archive.wal(1, [5, 6, 9], stores="a", created=LATER)
    archive.wal(1, [7, 8, 9, 10], stores="b", created=LATER)
    plan = archive.plan_json("--latest")
    t.equal(plan["segments"], 6, "segments")
    t.equal([(s["backup"], s["segments"]) for s in plan["stores"]], [(False, 3), (True, 4)], "shares")


@tap.check("a store that is away is a notice, and a reason not to be sure of a gap")
def _(t):
    archive = simple(t, "ab")
    archive.store_away("b")
    result = archive.plan("--latest", "--json")
    t.equal(result.code, 0, result.err)
    t.contains(result.err, 'warning: store "b" is left out', "notice")
    plan = json.loads(result.out)
    t.equal([s["asked"] for s in plan["stores"]], [True, False], "asked")
    archive.segment_path("a", 1, 8).unlink()
    t.contains(refused(t, archive, 10, "--latest"), 'store "b" could not be asked', "gap")
    t.contains(refused(t, archive, 10, "--lsn", "0/F00000"), "not all stores", "behind the end")
    refused(t, archive, 10, "--latest", "--backup", NEW)
    archive.store_away("a")
    refused(t, archive, 10, "--latest")


@tap.check("a damaged seal in one store is a warning, in all of them an error with the safe target")
def _(t):
    archive = simple(t, "ab", encryption=False)
    archive.damage(archive.segment_path("a", 1, 8), 100)
    result = archive.plan("--latest")
    t.equal(result.code, 0, result.err)
    t.contains(result.err, "warning: a copy is passed over", "warning")
    archive.damage(archive.segment_path("b", 1, 8), 100)
    err = refused(t, archive, 15, "--latest")
    t.contains(err, segments(1, 8)[0], "name")
    t.contains(err, "--lsn 0/7002D8", "safe target")
    t.equal(archive.plan_json("--lsn", "0/700000")["segments"], 3, "which it is")


@tap.check("damage behind the seal is found by --deep, in segments and in parts")
def _(t):
    archive = simple(t)
    archive.damage(archive.segment_path("a", 1, 8))
    t.contains(refused(t, archive, 15, "--latest", "--deep"), segments(1, 8)[0], "deep")
    archive.wal(1, [8], created=LATER)
    archive.damage(archive.path("a", archive.backup_name(OLD, "part-00000001")))
    t.contains(refused(t, archive, 15, "--latest", "--deep"), "part-00000001", "part")


@tap.check("foreign objects are not taken for WAL: another name, another server, another writer")
def _(t):
    archive = simple(t)
    path = archive.segment_path("a", 1, 8)
    good = path.read_bytes()
    (archive.setup.dir / "other").mkdir()
    path.write_bytes(archive.segment_path("a", 1, 9).read_bytes())
    t.contains(refused(t, archive, 15, "--latest"), "the seal is that of", "moved")
    seawall.make_keys(archive.setup.dir / "other")
    path.write_bytes(archive.seal(archive.wal_name(segments(1, 8)[0]), b"x", keys="other"))
    t.contains(refused(t, archive, 14, "--latest"), "writer", "another writer's")
    archive.system_id = 5
    path.write_bytes(archive.seal(archive.wal_name(segments(1, 8)[0]).replace(
        "/5/", "/%d/" % seawall.SYSTEM_ID), seawall.segment(8, 1, SIZE, 5)))
    t.contains(refused(t, archive, 15, "--latest"), "of system 5", "another server's")
    path.write_bytes(good)
    archive.system_id = seawall.SYSTEM_ID
    t.equal(archive.plan_json("--latest")["segments"], 7, "good again")


@tap.check("a segment of another size, of another place or with damaged WAL is not healthy")
def _(t):
    archive = simple(t)
    archive.put(archive.wal_name(segments(1, 8)[0]), b"short")
    t.contains(refused(t, archive, 15, "--latest"), "a file of 5 bytes", "size")
    archive.wal(1, [8], data=seawall.segment(9, 1, SIZE))
    t.contains(refused(t, archive, 15, "--latest"), segments(1, 8)[0], "address")
    data = bytearray(crafted.segment(8))
    data[crafted.POINT_AT + 40] ^= 1
    archive.wal(1, [8], data=bytes(data))
    err = refused(t, archive, 15, "--latest")
    t.contains(err, "damaged at 0/800270", "where")
    t.contains(err, "--lsn 0/7002D8", "and what is left")
    t.equal(archive.plan_json("--lsn", "0/800248")["last_wal"], segments(1, 8)[0],
            "what is behind the target does not matter")
    archive.wal(1, [8], data=crafted.segment(8).replace(b"point 8", b"POINT 8"))
    refused(t, archive, 15, "--latest")
    archive.wal(1, [8], data=bytes(SIZE))
    t.contains(refused(t, archive, 15, "--latest"), "no WAL", "zeros")


@tap.check("parts that are in no store make the backup unfit; they may lie in another store")
def _(t):
    archive = simple(t, "ab")
    archive.path("a", archive.backup_name(OLD, "part-00000001")).unlink()
    archive.plan_json("--latest")
    archive.path("b", archive.backup_name(OLD, "part-00000001")).unlink()
    t.contains(refused(t, archive, 12, "--latest"), "part-00000001", "named")
    for store in "ab":
        archive.path(store, archive.backup_name(OLD, "part-00000001")).write_bytes(b"x")
        archive.path(store, archive.backup_name(OLD, "manifest-00000001")).unlink()
    t.contains(refused(t, archive, 12, "--latest"), "manifest-00000001", "named")


@tap.check("a backup without its completion is none; a damaged completion is passed over loudly")
def _(t):
    archive = simple(t, "ab")
    archive.backup(NEW, 9)
    archive.path("a", archive.backup_name(NEW, "complete")).unlink()
    t.equal(archive.plan_json("--latest")["backup"]["label"], NEW, "one store has it")
    archive.damage(archive.path("b", archive.backup_name(NEW, "complete")))
    result = archive.plan("--latest", "--json")
    t.equal(json.loads(result.out)["backup"]["label"], OLD, "the older one")
    t.contains(result.err, "warning: a backup is passed over", "said")
    refused(t, archive, 15, "--latest", "--backup", NEW)
    archive.path("b", archive.backup_name(NEW, "complete")).unlink()
    t.contains(refused(t, archive, 14, "--latest", "--backup", NEW), NEW, "none at all")


@tap.check("a completion under another label, or of another server, is refused")
def _(t):
    archive = simple(t)
    archive.backup(NEW, 9, change=lambda c: c.update(system_id="5"))
    result = archive.plan("--latest", "--json")
    t.equal(json.loads(result.out)["backup"]["label"], OLD, "the older one")
    t.contains(result.err, "completion of another backup", "said")


@tap.check("an archive without backups, without WAL, without anything is refused in words")
def _(t):
    archive = crafted.Archive(t)
    t.contains(refused(t, archive, 14, "--latest"), "nothing of cluster", "empty")
    archive.wal(1, [5])
    t.contains(refused(t, archive, 14, "--latest"), "no backup to begin with", "no backup")
    archive.backup(OLD, 5)
    t.equal(archive.plan_json("--latest")["segments"], 1, "now there is")
    archive.segment_path("a", 1, 5).unlink()
    t.contains(refused(t, archive, 12, "--latest"), segments(1, 5)[0], "no WAL")


@tap.check("several servers in one archive are told apart by --system-id or the setting")
def _(t):
    archive = simple(t)
    archive.system_id = 77
    archive.wal(1, [1])
    err = refused(t, archive, 14, "--latest")
    t.contains(err, "77", "listed")
    t.contains(err, "--system-id", "hint")
    t.equal(archive.plan_json("--latest", "--system-id", seawall.SYSTEM_ID)["system_id"],
            str(seawall.SYSTEM_ID), "chosen")
    refused(t, archive, 14, "--latest", "--system-id", "78")
    refused(t, archive, 14, "--latest", "--system-id", "x")
    archive.setup.write(system_id=str(seawall.SYSTEM_ID))
    t.equal(archive.plan_json("--latest")["segments"], 7, "from the setting")


def forked(t, stores="a"):
    """1 -> 2 at 0/780000 (segment 7), and 1 -> 3 at 0/6A0000 (segment 6), which is earlier."""
    archive = crafted.Archive(t, stores)
    archive.backup(OLD, 5)
    archive.wal(1, range(5, 11), created=LATER)
    archive.history(2, [(1, "0/780000")])
    archive.wal(2, range(7, 13), created=LATER)
    archive.history(3, [(1, "0/6A0000")])
    archive.wal(3, range(6, 9), created=LATER)
    return archive


@tap.check("a switch record that lies across two segments is an end of the second, not of the WAL")
def _(t):
    archive = crafted.Archive(t)
    archive.backup(OLD, 5)
    pgdata = seawall.Pgdata(t.dir / "data", segment_size=SIZE)
    archived.push_all(t, archive.setup, pgdata, range(5, 7), replayable=True)
    for number, data in enumerate(crafted.switch_across(7), 7):
        path = pgdata.write(pgdata.name(number), data)
        t.equal(archive.setup.push(pgdata, path).err, "", "nothing to say against it")
    archived.push_all(t, archive.setup, pgdata, range(10, 12), replayable=True)
    for more in ([], ["--deep"]):
        plan = archive.plan_json("--latest", *more)
        t.equal((plan["last_wal"], plan["segments"]), (pgdata.name(11), 7), "planned")
    t.equal(archive.plan_json("--lsn", "0/900028")["last_wal"], pgdata.name(9), "behind it")
    events = archive.setup.run("seawall-events", "--json")
    t.equal(events.code, 0, events.err)
    told = json.loads(events.out)
    t.equal((told["incomplete"], told["segments"], told["commits"]), (False, 7, 5), "events")
    # without the record that was to cross, WAL ends there
    archive.wal(1, [7], data=madewal.segment(7))
    t.contains(refused(t, archive, 15, "--latest"), pgdata.name(8), "named")


@tap.check("forks: each timeline's way is its own, and the segment with the fork is the child's")
def _(t):
    archive = forked(t)
    plan = archive.plan_json("--latest")
    t.equal((plan["timeline"], plan["segments"]), (3, 4), "latest is the highest number")
    t.equal(plan["path"], [{"timeline": 1, "begin_lsn": "0/0", "end_lsn": "0/6A0000"},
                           {"timeline": 3, "begin_lsn": "0/6A0000", "end_lsn": None}], "path")
    t.equal(plan["last_wal"], segments(3, 8)[0], "last")
    plan = archive.plan_json("--latest", "--timeline", "2")
    t.equal((plan["timeline"], plan["segments"], plan["last_wal"]), (2, 8, segments(2, 12)[0]),
            "timeline 2")
    plan = archive.plan_json("--latest", "--timeline", "1")
    t.equal((plan["timeline"], plan["segments"], plan["last_wal"]), (1, 6, segments(1, 10)[0]),
            "timeline 1")
    plan = archive.plan_json("--latest", "--timeline", "current")
    t.equal((plan["timeline"], plan["last_wal"]), (1, segments(1, 10)[0]), "the backup's own")
    t.contains(archive.plan("--latest", "--timeline", "2").out, "1 -> 2 at 0/780000", "text")
    archive.segment_path("a", 1, 7).unlink()
    archive.plan_json("--latest", "--timeline", "2")
    archive.plan_json("--lsn", "0/750000", "--timeline", "2")
    archive.segment_path("a", 2, 7).unlink()
    t.contains(refused(t, archive, 12, "--latest", "--timeline", "2"), segments(2, 7)[0], "child's")
    archive.segment_path("a", 1, 6).unlink()
    t.contains(refused(t, archive, 12, "--latest", "--timeline", "2"), segments(1, 6)[0], "parent's")
    archive.plan_json("--latest")


@tap.check("a fork exactly between two segments")
def _(t):
    archive = crafted.Archive(t)
    archive.backup(OLD, 5)
    archive.wal(1, [5, 6])
    archive.history(2, [(1, "0/700000")])
    archive.wal(2, [7, 8])
    plan = archive.plan_json("--latest")
    t.equal((plan["segments"], plan["last_wal"]), (4, segments(2, 8)[0]), "path")
    archive.segment_path("a", 1, 6).unlink()
    t.contains(refused(t, archive, 12, "--latest"), segments(1, 6)[0], "the last of the parent")


@tap.check("several forks within one segment: the youngest file has all of it")
def _(t):
    archive = crafted.Archive(t)
    archive.backup(OLD, 5)
    archive.wal(1, [5, 6])
    archive.history(2, [(1, "0/710000")])
    archive.history(3, [(1, "0/710000"), (2, "0/720000")])
    archive.wal(3, [7, 8])
    plan = archive.plan_json("--latest")
    t.equal([s["timeline"] for s in plan["path"]], [1, 2, 3], "path")
    t.equal((plan["segments"], plan["last_wal"]), (4, segments(3, 8)[0]), "files")


@tap.check("a switch that goes back in time leaves the given-up timeline out")
def _(t):
    archive = crafted.Archive(t)
    archive.backup(OLD, 5)
    archive.wal(1, range(5, 10))
    archive.history(2, [(1, "0/880000")])
    archive.wal(2, [8, 9])
    archive.history(3, [(1, "0/880000"), (2, "0/680000")])
    archive.wal(3, [6, 7])
    plan = archive.plan_json("--latest")
    t.equal(plan["path"], [{"timeline": 1, "begin_lsn": "0/0", "end_lsn": "0/680000"},
                           {"timeline": 3, "begin_lsn": "0/680000", "end_lsn": None}], "path")
    t.equal((plan["segments"], plan["last_wal"]), (3, segments(3, 7)[0]), "WAL")


@tap.check("the parent's file of the segment with the fork is a trap unless recovery stops before")
def _(t):
    archive = crafted.Archive(t)
    archive.backup(OLD, 5)
    archive.wal(1, [5, 6, 7])
    archive.history(2, [(1, "0/780000")])
    err = refused(t, archive, 12, "--latest")
    t.contains(err, "goes another way", "why")
    t.contains(err, segments(2, 7)[0], "what is missing")
    plan = archive.plan_json("--lsn", "0/7002D8")
    t.equal((plan["timeline"], plan["last_wal"]), (2, segments(1, 7)[0]), "before the fork")
    refused(t, archive, 12, "--lsn", "0/780000")
    archive.segment_path("a", 1, 7).unlink()
    plan = archive.plan_json("--latest")
    t.equal((plan["timeline"], plan["last_wal"]), (2, segments(1, 6)[0]), "up to what there is")
    archive.wal(1, [7])
    archive.wal(2, [8])
    t.contains(refused(t, archive, 12, "--lsn", "0/7002D8"), segments(2, 7)[0],
               "fetch would tell a gap")


@tap.check("a position past the fork is not on the old timeline when its WAL ends there")
def _(t):
    archive = crafted.Archive(t)
    archive.backup(OLD, 5)
    archive.wal(1, [5, 6])
    archive.history(2, [(1, "0/780000")])
    archive.wal(2, [7, 8, 9])
    archive.plan_json("--lsn", "0/900000")
    err = refused(t, archive, 14, "--lsn", "0/900000", "--timeline", "1")
    t.contains(err, "Timeline 2 left it at 0/780000", "the fork")
    t.contains(err, "--timeline 2", "the way out")


@tap.check("backups count only if they lie on the path")
def _(t):
    archive = forked(t)
    archive.backup(MIDDLE, 8, timeline=1)
    archive.backup(NEW, 9, timeline=2)
    t.equal(archive.plan_json("--latest")["backup"]["label"], OLD, "timeline 3 left before")
    t.equal(archive.plan_json("--latest", "--timeline", "1")["backup"]["label"], MIDDLE, "1")
    t.equal(archive.plan_json("--latest", "--timeline", "2")["backup"]["label"], NEW, "2")
    plan = archive.plan_json("--latest", "--timeline", "current")
    t.equal((plan["backup"]["label"], plan["timeline"]), (NEW, 2), "current: the newest one's")
    plan = archive.plan_json("--latest", "--backup", NEW)
    t.equal(plan["timeline"], 2, "latest that descends from it")
    t.contains(archive.plan("--latest", "--backup", NEW).err, "timeline 3 is newer", "notice")
    t.contains(refused(t, archive, 14, "--latest", "--timeline", "3", "--backup", NEW), "timeline 3",
               "not on the path")
    t.equal([s["timeline"] for s in plan["path"]], [2], "the path begins with the backup's")
    plan = archive.plan_json("--lsn", "0/700000", "--timeline", "2")
    t.equal(plan["backup"]["label"], OLD, "before the fork of 2")


@tap.check("a backup that spans a promotion is never chosen")
def _(t):
    archive = forked(t)

    def spanning(complete):
        complete.update(stop_timeline=2, last_wal=segments(2, 8)[0], stop_lsn="0/800138")
    archive.backup(NEW, 7, 7, change=spanning)
    result = archive.plan("--latest", "--timeline", "2", "--json")
    t.equal(json.loads(result.out)["backup"]["label"], OLD, result.err)
    t.contains(result.err, "began on timeline 1 and ended on timeline 2", "said")
    t.contains(refused(t, archive, 12, "--latest", "--backup", NEW), "cannot be restored", "insisted")


@tap.check("a missing history file is named and never guessed")
def _(t):
    archive = forked(t, "ab")
    name = archive.wal_name("00000002.history")
    archive.path("a", name).unlink()
    archive.plan_json("--latest", "--timeline", "2")
    archive.path("b", name).unlink()
    for args in (["--timeline", "2"], ["--timeline", "3"], []):
        err = refused(t, archive, 12, "--latest", *args)
        t.contains(err, "00000002.history", str(args))
    result = archive.plan("--latest", "--timeline", "1")
    t.equal(result.code, 0, "not needed: " + result.err)
    t.contains(result.err, '"00000002.history" is missing', "but promotion will ask for it")
    archive.wal(7, [9])
    t.contains(refused(t, archive, 12, "--latest"), "00000007.history", "WAL of an unknown way")
    t.contains(refused(t, archive, 14, "--latest", "--timeline", "9"), "no timeline 9", "unknown")


@tap.check("the history of the backup's own timeline is needed too: the server asks for it")
def _(t):
    archive = crafted.Archive(t)
    archive.backup(OLD, 5, timeline=2)
    archive.wal(2, [5, 6])
    t.contains(refused(t, archive, 12, "--latest"), "00000002.history", "named")
    archive.history(2, [(1, "0/480000")])
    archive.plan_json("--latest")


@tap.check("different history files in two stores are refused, and both are shown")
def _(t):
    archive = forked(t, "ab")
    archive.history(2, [(1, "0/790000")], stores="b")
    err = refused(t, archive, 12, "--latest", "--timeline", "2")
    t.contains(err, "0/780000", "one")
    t.contains(err, "0/790000", "the other")


def other_segment(number):
    """Follows segment(number - 1) as segment(number) does, but ends elsewhere."""
    out = bytearray(madewal.segment(number)[:madewal.SWITCH_AT])
    out += madewal.record(bytes(80), prev=number * SIZE + madewal.POINT_AT)
    out += bytes(-len(out) % 8)
    out += madewal.record(kind=madewal.SWITCH, prev=number * SIZE + madewal.SWITCH_AT)
    return bytes(out) + bytes(SIZE - len(out))


@tap.check("two servers archived, each into one region: push and sync say conflict, a mixed path is refused")
def _(t):
    archive = crafted.Archive(t, "ab")
    archive.backup(OLD, 5)
    pgdata = seawall.Pgdata(t.dir / "data", segment_size=SIZE)
    stores = archive.setup.settings["stores"]

    def push(number, data, into=stores):
        archive.setup.write(stores=into)
        return archive.setup.push(pgdata, pgdata.write(pgdata.name(number), data)).code

    codes = [push(n, madewal.segment(n)) for n in (5, 6)] + [
        push(7, other_segment(7), stores[:1]), push(7, madewal.segment(7), stores[1:]),
        push(8, madewal.segment(8), stores[1:])]
    t.equal(codes, [0] * 5, "each where the other is not seen")
    t.equal([push(7, data) for data in (madewal.segment(7), other_segment(7))], [12, 12], "both seen")
    err = refused(t, archive, 15, "--latest")
    t.contains(err, "does not follow the one before", "segment 8 after the other 7")
    t.contains(err, segments(1, 7)[0], "the last healthy one")
    result = archive.setup.run("seawall-sync")
    t.equal(result.code, 12, result.err)
    t.contains(result.out, "different content", "sync")


@tap.check("histories that tell different stories about the path are refused")
def _(t):
    archive = crafted.Archive(t)
    archive.backup(OLD, 5)
    archive.wal(1, [5, 6])
    archive.history(2, [(1, "0/710000")])
    archive.history(3, [(1, "0/720000"), (2, "0/790000")])
    archive.wal(2, [7, 8, 9])
    archive.wal(3, [9])
    t.contains(refused(t, archive, 12, "--latest"), "different stories", "why")


@tap.check("a damaged or senseless history file is an error; a good copy elsewhere is taken")
def _(t):
    archive = forked(t, "ab")
    archive.damage(archive.path("a", archive.wal_name("00000003.history")))
    result = archive.plan("--latest")
    t.equal(result.code, 0, result.err)
    t.contains(result.err, "warning:", "said")
    archive.damage(archive.path("b", archive.wal_name("00000003.history")))
    refused(t, archive, 15, "--latest")
    for text in ("3\t0/700000\tself\n", "1\t0/0\tzero\n", "2\t0/800000\tx\n1\t0/700000\ty\n",
                 "1 here\n", "\0", "1\t0/700000\tx\n" * 2):
        archive.history(3, [], text=text)
        refused(t, archive, 15, "--latest")


@tap.check("timelines above 9 are hexadecimal in names and decimal everywhere else")
def _(t):
    archive = crafted.Archive(t)
    archive.backup(OLD, 5)
    archive.wal(1, [5, 6])
    for timeline in range(2, 12):
        archive.history(timeline, [(1, "0/%X" % (0x700000 + 0x100 * timeline))])
    archive.wal(11, [7, 8])
    archive.wal(10, [7])
    plan = archive.plan_json("--latest")
    t.equal((plan["timeline"], plan["last_wal"]), (11, "0000000B0000000000000008"), "latest")
    plan = archive.plan_json("--latest", "--timeline", "10")
    t.equal((plan["timeline"], plan["last_wal"]), (10, "0000000A0000000000000007"), "10")
    for text in ("0xA", "010", "A"):
        t.contains(refused(t, archive, 14, "--latest", "--timeline", text), "--timeline", text)


@tap.check("a target past the last record of the archive is refused: nothing begins behind it")
def _(t):
    archive = crafted.Archive(t)
    archive.backup(OLD, 5)
    archive.wal(1, [5])
    data, starts = crafted.records_segment(6, [100, 20000, 50, 0, 300])
    archive.wal(1, [6], data=data)
    last = crafted.lsn(starts[-1])
    t.equal(archive.plan_json("--lsn", last)["last_wal"], segments(1, 6)[0], "the last record")
    err = refused(t, archive, 14, "--lsn", crafted.lsn(starts[-1] + 1))
    t.contains(err, "the last record begins at %s" % last, "named")
    archive.plan_json("--lsn", "0/600000")
    archive.wal(1, [8])
    err = refused(t, archive, 12, "--latest")
    t.contains(err, "--lsn " + last, "and it is the safe target before a gap")
    plan = archive.plan_json("--lsn", last)
    t.equal(plan["gap_behind"], True, "gap")


@tap.check("a record that only begins in the last segment is no target")
def _(t):
    archive = crafted.Archive(t)
    archive.backup(OLD, 5)
    archive.wal(1, [5])
    data, starts = crafted.records_segment(6, [1000, 8000, SIZE])
    archive.wal(1, [6], data=data)
    archive.plan_json("--lsn", crafted.lsn(starts[1]))
    err = refused(t, archive, 14, "--lsn", crafted.lsn(starts[2]))
    t.contains(err, "the last record begins at %s" % crafted.lsn(starts[1]), "the one before")


@tap.check("the plan goes into a new private file and comes back from it")
def _(t):
    archive = forked(t, "ab")
    file = t.dir / "the plan"
    result = archive.plan("--lsn", "0/6B0000", "--json", "--output", file)
    t.equal(result.code, 0, result.err)
    t.equal(json.loads(file.read_text()), json.loads(result.out), "same document")
    t.equal(file.stat().st_mode & 0o777, 0o600, "mode")
    before = file.read_bytes()
    t.contains(refused(t, archive, 14, "--latest", "--output", file), "exists", "never overwritten")
    t.equal(file.read_bytes(), before, "untouched")
    refused(t, archive, 13, "--latest", "--output", t.dir / "no" / "where")
    refused(t, archive, 14, "--latest", "--output", str(t.dir) + "/")
    t.equal([f.name for f in t.dir.iterdir() if "tmp" in f.name], [], "no leftovers")


@tap.check("a plan is made without the writer key, and not without the identity")
def _(t):
    archive = simple(t)
    archive.setup.write(writers=[archived.writer_public(archive.setup)])
    (archive.setup.dir / "writer.key").unlink()
    t.equal(archive.plan("--latest").code, 0, "no writer key")
    (archive.setup.dir / "identity.txt").unlink()
    refused(t, archive, 14, "--latest")


@tap.check("options that make no sense are refused")
def _(t):
    archive = simple(t)
    for args in ([], ["--latest", "--backup-end"], ["--lsn", "5"], ["--time", "2026-11-22 10:00:00"],
                 ["--latest", "--backup", "nonsense"], ["--latest", "--backup", "../x"], ["x"],
                 ["--latest", "x"], ["--name", "x" * 64]):
        refused(t, archive, 14, *args)
    t.contains(archive.plan("--time", "2026-11-22 10:00:00").err, "10:00:00Z", "both readings")


@tap.check("nothing in the stores changes")
def _(t):
    archive = forked(t, "ab")

    def digest():
        return {f: hashlib.sha256((t.dir / s / f).read_bytes()).hexdigest()
                for s in "ab" for f in seawall.stored(t.dir / s)}
    before = digest()
    archive.plan("--latest", "--deep")
    archive.plan("--lsn", "0/F00000")
    t.equal(digest(), before, "stores")


@tap.check("1,200 segments are planned, index by index")
def _(t):
    archive = crafted.Archive(t, encryption=False)
    archive.backup(OLD, 5)
    archive.wal(1, range(5, 1205), created=LATER)
    plan = archive.plan_json("--latest")
    t.equal((plan["segments"], plan["last_wal"]), (1200, segments(1, 1204)[0]), "all of them")
    archive.segment_path("a", 1, 700).unlink()
    t.contains(refused(t, archive, 12, "--latest"), segments(1, 700)[0], "the one that is missing")


tap.main()
