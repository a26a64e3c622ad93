# SPDX-License-Identifier: PostgreSQL
"""seawall list: what it says about ranges, gaps, timelines, systems, stores and foreign names."""
import json

import crafted
import seawall
import tap
from archived import MIB, object_path, push_all, setup_with

HISTORY = "1\t0/700000\tno recovery target specified\n"


def listed(t, setup, code=0):
    result = setup.seawall("list", "--json")
    t.equal(result.code, code, "list --json: " + result.err)
    document = json.loads(result.out)
    return {int(s["system_id"]): s for s in document["systems"]}, result


def only(t, setup):
    systems, _ = listed(t, setup)
    t.equal(list(systems), [seawall.SYSTEM_ID], "systems")
    return systems[seawall.SYSTEM_ID]


def ranges(timeline, key="ranges"):
    return [(r["first"], r["last"]) for r in timeline[key]]


def text(t, setup, code=0):
    result = setup.seawall("list")
    t.equal(result.code, code, "list: " + result.err)
    return result.out


@tap.check("an empty archive is said to be empty")
def _(t):
    setup, pgdata = setup_with(t, "ab")
    t.contains(text(t, setup), "nothing is archived", "text")
    t.equal(listed(t, setup)[0], {}, "JSON")


@tap.check("one range without gaps")
def _(t):
    setup, pgdata = setup_with(t)
    push_all(t, setup, pgdata, [5, 6, 7])
    together = only(t, setup)["together"]
    t.equal(together["segment_size"], MIB, "segment size")
    line, = together["timelines"]
    t.equal((line["timeline"], line["segments"], line["gaps"]), (1, 3, []), "timeline")
    t.equal(ranges(line), [(pgdata.name(5), pgdata.name(7))], "ranges")
    t.equal(line["stored_bytes"], sum(object_path(t.dir / "a", pgdata.name(n)).stat().st_size
                                      for n in (5, 6, 7)), "bytes")
    out = text(t, setup)
    for piece in (str(seawall.SYSTEM_ID), '"main"', pgdata.name(5), pgdata.name(7), "3 segments",
                  "3.0 MiB of WAL"):
        t.contains(out, piece, "text")
    t.true("GAP" not in out and "history file missing" not in out, "no false alarm:\n" + out)


@tap.check("gaps are named with their first and last segment, also across a log boundary")
def _(t):
    for size in (MIB, 16 * MIB, 64 * MIB):
        base = t.dir / str(size)
        base.mkdir()
        setup = seawall.Setup(base, [seawall.dir_store("a", base / "a")])
        pgdata = seawall.Pgdata(base / "data", segment_size=size)
        per_log = (1 << 32) // size
        numbers = [per_log - 5, per_log - 4, per_log - 2, per_log + 1, per_log + 2]
        for n in numbers:
            path = pgdata.write_segment(n, fill=0.002 if size > MIB else 0.02)
            t.equal(setup.push(pgdata, path).code, 0, path)
            (pgdata.dir / path).unlink()
        line, = only(t, setup)["together"]["timelines"]
        name = pgdata.name
        t.equal(ranges(line), [(name(per_log - 5), name(per_log - 4)),
                               (name(per_log - 2), name(per_log - 2)),
                               (name(per_log + 1), name(per_log + 2))], "ranges")
        t.equal(ranges(line, "gaps"), [(name(per_log - 3), name(per_log - 3)),
                                       (name(per_log - 1), name(per_log))], "gaps")
        t.equal([g["segments"] for g in line["gaps"]], [1, 2], "sizes of gaps")
        out = text(t, setup)
        t.contains(out, "GAP: %s to %s, 2 segments missing" % (name(per_log - 1), name(per_log)),
                   "text")


@tap.check("a run across a log boundary is one range")
def _(t):
    setup, pgdata = setup_with(t)
    push_all(t, setup, pgdata, [4094, 4095, 4096, 4097])
    line, = only(t, setup)["together"]["timelines"]
    t.equal(ranges(line), [(pgdata.name(4094), pgdata.name(4097))], "ranges")


@tap.check("timelines with and without their history file, .partial and .backup files")
def _(t):
    setup, pgdata = setup_with(t)
    push_all(t, setup, pgdata, [6, 7])
    for name, data in ((pgdata.name(8) + ".partial", pgdata.segment(8)),
                       (pgdata.name(6) + ".00000028.backup", b"START WAL LOCATION: x\n"),
                       ("00000002.history", HISTORY.encode()), ("00000009.history", HISTORY.encode())):
        t.equal(setup.push(pgdata, pgdata.write(name, data)).code, 0, name)
    for timeline in (2, 0x1A):
        child = seawall.Pgdata(t.dir / ("t%d" % timeline), segment_size=MIB, timeline=timeline)
        push_all(t, setup, child, [8])
    lines = {x["timeline"]: x for x in only(t, setup)["together"]["timelines"]}
    t.equal({n: (x["history"], x["segments"], x["partial"], x["backup_history"])
             for n, x in lines.items()},
            {1: (False, 2, 1, 1), 2: (True, 1, 0, 0), 9: (True, 0, 0, 0), 26: (False, 1, 0, 0)},
            "timelines")
    out = text(t, setup).split("\n")
    t.equal([x.split(":")[0].strip() for x in out if "timeline" in x],
            ["timeline 1", "timeline 2", "timeline 9", "timeline 26 (history file missing)"], "text")
    t.contains("\n".join(out), "timeline 9: no segments", "text")


@tap.check("several servers of one cluster name are listed apart")
def _(t):
    setup, pgdata = setup_with(t)
    push_all(t, setup, pgdata, [1])
    for number, system_id in enumerate((5, 18446744073709551615, 70)):
        other = seawall.Pgdata(t.dir / ("o%d" % number), segment_size=2 * MIB, system_id=system_id)
        push_all(t, setup, other, [3])
    systems, _ = listed(t, setup)
    t.equal({s: x["together"]["segment_size"] for s, x in systems.items()},
            {seawall.SYSTEM_ID: MIB, 5: 2 * MIB, 18446744073709551615: 2 * MIB, 70: 2 * MIB}, "systems")
    t.equal(text(t, setup).count("system identifier"), 4, "text")


@tap.check("names that are none of Seawall's are counted and hide nothing")
def _(t):
    setup, pgdata = setup_with(t)
    push_all(t, setup, pgdata, [6, 7])
    other = seawall.Pgdata(t.dir / "other", segment_size=MIB, system_id=9)
    push_all(t, setup, other, [3])
    base = t.dir / "a" / "main" / str(seawall.SYSTEM_ID)
    foreign = ["wal/00000001/00000000/readme.txt", "wal/00000001/x", "wal/zzz",
               "wal/00000001/00000000/" + pgdata.name(9).replace("00000000", "00000001", 1),
               "wal/00000001/00000000/%s" % (pgdata.name(6)[:-8] + "00001000"), "history/x.history"]
    for name in foreign + ["zz/deeper", "zzz", "~"]:
        (base / name).parent.mkdir(parents=True, exist_ok=True)
        (base / name).write_bytes(b"foreign")
    for name in ("probe/x", "notes", "0", "74-x", "%d0" % seawall.SYSTEM_ID, "5/file"):
        path = t.dir / "a" / "main" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"foreign")
    systems, _ = listed(t, setup)
    t.equal(sorted(systems), [5, 9, seawall.SYSTEM_ID], "systems")
    together = systems[seawall.SYSTEM_ID]["together"]
    t.equal(together["foreign_objects"], len(foreign), "foreign objects")
    line = together["timelines"][0]
    t.equal(ranges(line), [(pgdata.name(6), pgdata.name(7))], "ranges")
    t.contains(text(t, setup), "%d objects with names that are none" % len(foreign), "text")


@tap.check("many foreign names below a server do not hide another server")
def _(t):
    setup, pgdata = setup_with(t)
    other = seawall.Pgdata(t.dir / "other", segment_size=MIB, system_id=8000000000000000000)
    push_all(t, setup, pgdata, [6])
    push_all(t, setup, other, [6])
    for n in range(300):
        path = t.dir / "a" / "main" / str(seawall.SYSTEM_ID) / ("zz%d" % n)
        path.write_bytes(b"foreign")
    systems, _ = listed(t, setup)
    t.equal(sorted(systems), [seawall.SYSTEM_ID, 8000000000000000000], "systems")


@tap.check("names longer than Seawall's own at the end of a page are each counted once")
def _(t):
    setup, pgdata = setup_with(t)
    push_all(t, setup, pgdata, [6])
    base = t.dir / "a" / "main" / str(seawall.SYSTEM_ID) / "wal" / ("x" * 200)
    base.mkdir()
    for n in range(2100):
        (base / ("y" * 100 + "%04d" % n)).touch()
    t.equal(only(t, setup)["together"]["foreign_objects"], 2100, "foreign objects")


@tap.check("what one store has and another has not, and all of them together")
def _(t):
    setup, pgdata = setup_with(t, "ab")
    push_all(t, setup, pgdata, [5, 6, 7, 8])
    object_path(t.dir / "a", pgdata.name(6)).unlink()
    object_path(t.dir / "b", pgdata.name(8)).unlink()
    system = only(t, setup)
    found = {s["name"]: ranges(s["timelines"][0]) for s in system["stores"]}
    name = pgdata.name
    t.equal(found, {"a": [(name(5), name(5)), (name(7), name(8))], "b": [(name(5), name(7))]},
            "stores")
    line, = system["together"]["timelines"]
    t.equal((ranges(line), line["gaps"], line["segments"]), ([(name(5), name(8))], [], 4), "together")
    out = text(t, setup)
    t.equal(out.count("GAP"), 1, "gaps in the text")
    t.contains(out, "all stores together", "text")


@tap.check("a store that is away is named, the others are listed, and the exit code says so")
def _(t):
    setup, pgdata = setup_with(t, "ab")
    push_all(t, setup, pgdata, [5, 6])
    (t.dir / "a").rename(t.dir / "gone")
    systems, result = listed(t, setup, code=10)
    t.contains(result.err, '"a"', "names the store")
    stores = {s["name"]: s for s in systems[seawall.SYSTEM_ID]["stores"]}
    t.true(stores["a"]["error"] and stores["b"]["error"] is None, "errors in JSON")
    t.equal(stores["b"]["timelines"][0]["segments"], 2, "the other store")
    out = text(t, setup, code=10)
    t.contains(out, "could not be listed", "text")
    t.contains(out, "2 segments", "text")
    (t.dir / "b").rename(t.dir / "gone-b")
    t.equal(listed(t, setup, code=10)[0], {}, "none at all")


@tap.check("without stores' credentials, keys or configuration it is 10 to 16; usage is 14")
def _(t):
    setup, pgdata = setup_with(t)
    push_all(t, setup, pgdata, [5])
    t.equal(setup.seawall("list", "--nonsense").code, 14, "usage")
    t.equal(setup.seawall("list", "x").code, 14, "argument")
    (setup.dir / "identity.txt").unlink()
    t.equal(listed(t, setup)[0][seawall.SYSTEM_ID]["together"]["timelines"][0]["segments"], 1,
            "needs no identity")
    setup.config.write_text("cluster = ")
    t.equal(setup.seawall("list").code, 14, "broken configuration")
    t.equal(setup.seawall("list", "--help").code, 0, "help")


@tap.check("backups: where each is complete, what it needs and who lacks it, damage, an unreadable one")
def _(t):
    archive = crafted.Archive(t, "ab")
    labels = ["20261122T1%d0000Z" % hour for hour in (0, 2, 4)]
    archive.backup(labels[0], 5)
    archive.backup(labels[1], 6, 7, stores="a", change=lambda complete: complete.update(
        damage_count=2, damage=[{"path": "base/5/1", "block": b} for b in (1, 2)]))
    archive.backup(labels[2], 8)
    archive.wal(1, range(5, 9))
    archive.segment_path("b", 1, 7).unlink()
    for store in "ab":
        archive.damage(archive.path(store, archive.backup_name(labels[2], "complete")))
    backups = only(t, archive.setup)["backups"]
    t.equal([b["label"] for b in backups], labels, "labels")
    t.equal([b["readable"] for b in backups], [True, True, False], "readable")
    t.equal([[s["complete"] for s in b["stores"]] for b in backups],
            [[True, True], [True, False], [True, True]], "complete in")
    t.equal([(b["wal_segments"], b["damaged_pages"], [s["wal_missing"] for s in b["stores"]])
             for b in backups[:2]], [(1, 0, [0, 0]), (2, 2, [0, 1])], "WAL and damage")
    result = archive.setup.seawall("list")
    for piece in (labels[0] + ": 32.0 KiB", "took 5 s", 'complete in "a", "b"',
                  "2 pages were damaged when it was made", labels[2] + ": UNREADABLE",
                  "needs WAL 000000010000000000000006 to 000000010000000000000007"):
        t.contains(result.out, piece, "text")
    t.contains(result.err, "a backup is passed over", "warning")


tap.main()
