# SPDX-License-Identifier: PostgreSQL
"""seawall verify on archives made by hand: damaged, missing and foreign objects, store by store."""
import json
import types

import archived
import crafted
import seawall
import tap
from crafted import SIZE

OLD, NEW = "20261122T100000Z", "20261122T140000Z"


def verify(t, archive, code, *args):
    """The document of a verification that ends with this code."""
    result = archive.setup.run("seawall-verify", "--json", *args)
    t.equal(result.code, code, "exit code: %s%s" % (result.out, result.err))
    return json.loads(result.out)


def findings(document):
    return sorted((f["kind"], f["store"], f["object"].rsplit("/", 1)[1]) for f in
                  document["findings"])


def simple(t, stores="a", **settings):
    archive = crafted.Archive(t, stores, **settings)
    archive.backup(OLD, 5)
    archive.wal(1, range(5, 9))
    archive.history(2, [(1, "0/880000")])
    archive.wal(2, range(8, 10))
    return archive


def name(number, timeline=1):
    return seawall.segment_name(timeline, number, SIZE)


def differing(number):
    """Another server's segment: as good, and not the same."""
    data = bytearray(crafted.segment(number, 1, seawall.SYSTEM_ID, None))
    data[4000] ^= 1
    return bytes(data)


@tap.check("a good archive has no findings, and everything in it is read")
def _(t):
    archive = simple(t, "ab")
    document = verify(t, archive, 0)
    t.equal(document["findings"], [], "findings")
    t.equal(document["decoded"], True, "decoded")
    for store, letter in zip(document["stores"], "ab"):
        files = [f for f in seawall.stored(t.dir / letter)]
        t.equal(store["objects"], len(files), "objects of " + letter)
        t.equal(store["bytes"], sum((t.dir / letter / f).stat().st_size for f in files), "bytes")
    text = archive.setup.run("seawall-verify")
    t.equal((text.code, text.err), (0, ""), "text")
    t.contains(text.out, 'store "b"', "stores")
    t.equal(verify(t, simple_plain(t), 0)["decoded"], True, "unencrypted")


def simple_plain(t):
    (t.dir / "plain").mkdir()

    class Inner:
        dir, equal = t.dir / "plain", staticmethod(t.equal)
    return simple(Inner, encryption=False)


@tap.check("an empty archive is a good one")
def _(t):
    t.equal(verify(t, crafted.Archive(t), 0)["findings"], [], "findings")


@tap.check("every kind of object is found damaged, in its store only")
def _(t):
    archive = simple(t, "ab")
    paths = [f for f in seawall.stored(t.dir / "a") if "/" in f]
    t.equal(len(paths), 10, "kinds: %s" % paths)
    for n, path in enumerate(paths):
        good = archive.path("a", path).read_bytes()
        archive.damage(archive.path("a", path))
        found = findings(verify(t, archive, 15))
        t.equal(("damaged", "a", path.rsplit("/", 1)[1]) in found, True, "%s: %s" % (path, found))
        t.equal([f for f in found if f[1] == "b" or f[0] != "damaged"], [], path)
        archived.rewrite(archive.path("a", path), good[:-1] if n % 2 else good + b"x")
        t.equal(("damaged", "a", path.rsplit("/", 1)[1]) in findings(verify(t, archive, 15)), True,
                "length of " + path)
        archived.rewrite(archive.path("a", path), good)
    t.equal(verify(t, archive, 0)["findings"], [], "good again")


@tap.check("what one store lacks and another has is missing; what none has is not")
def _(t):
    archive = simple(t, "ab")
    archive.segment_path("a", 1, 6).unlink()
    archive.segment_path("a", 2, 9).unlink()
    archive.path("b", archive.wal_name("00000002.history")).unlink()
    for store in "ab":
        archive.segment_path(store, 1, 7).unlink()
    t.equal(findings(verify(t, archive, 12)),
            sorted([("missing", "a", name(6)), ("missing", "a", name(9, 2)),
                    ("missing", "b", "00000002.history")]), "findings")


@tap.check("a backup that is complete in one store only is missing in the other")
def _(t):
    archive = simple(t, "ab")
    archive.backup(NEW, 6, stores="b")
    t.equal(findings(verify(t, archive, 12)), [("missing", "a", "complete")], "findings")
    archive.path("a", archive.backup_name(OLD, "part-00000001")).unlink()
    archive.path("b", archive.backup_name(OLD, "manifest-00000001")).unlink()
    t.equal(findings(verify(t, archive, 12)),
            [("missing", "a", "complete"), ("missing", "a", "part-00000001"),
             ("missing", "b", "manifest-00000001")], "its objects")


@tap.check("leftovers of a backup that was never completed are verified and nothing more")
def _(t):
    archive = simple(t)
    archive.backup(NEW, 6)
    archive.path("a", archive.backup_name(NEW, "complete")).unlink()
    archive.path("a", archive.backup_name(NEW, "manifest-00000001")).unlink()
    t.equal(verify(t, archive, 0)["findings"], [], "good")
    archive.damage(archive.path("a", archive.backup_name(NEW, "part-00000001")))
    t.equal(findings(verify(t, archive, 15)), [("damaged", "a", "part-00000001")], "damaged")


@tap.check("foreign: names of others, seals of others, objects under another name")
def _(t):
    archive = simple(t)
    base = "main/%d/" % seawall.SYSTEM_ID
    for path in ("wal/README", "wal/00000001/00000000/" + name(0x123, 2),
                 "backup/" + OLD + "/notes.txt", "backup/notes.txt", "backup/zebra/complete",
                 "backup/" + OLD + "/zz"):
        archive.path("a", base + path).parent.mkdir(parents=True, exist_ok=True)
        archive.path("a", base + path).write_bytes(b"not ours")
    t.equal([f[2] for f in findings(verify(t, archive, 12)) if f[0] == "foreign"],
            sorted(["README", name(0x123, 2), "notes.txt", "notes.txt", "complete", "zz"]), "names")
    archive = simple_plain(t)
    (archive.setup.dir / "other").mkdir()
    seawall.make_keys(archive.setup.dir / "other")
    archive.segment_path("a", 1, 6).write_bytes(
        archive.seal(archive.wal_name(name(6)), b"x", keys="other"))
    archive.segment_path("a", 1, 7).write_bytes(archive.segment_path("a", 1, 8).read_bytes())
    t.equal(findings(verify(t, archive, 12)), [("foreign", "a", name(6)), ("foreign", "a", name(7))],
            "seals")


@tap.check("a segment whose pages do not follow each other is damaged, however well it is sealed")
def _(t):
    archive = simple(t)
    good = seawall.segment(6, 1, SIZE)
    spoiled = {
        "a page of the segment before": good[:8192] + seawall.segment(5, 1, SIZE)[8192:16384]
        + good[16384:],
        "pages swapped": good[:8192] + good[16384:24576] + good[8192:16384] + good[24576:],
        "another magic": good[:40960] + b"\x01\x02" + good[40962:],
        "a zero page in the middle": good[:8192] + bytes(8192) + good[16384:],
        "something behind zeros": good[:SIZE // 2] + bytes(SIZE // 2 - 1) + b"x",
        "zeros only": bytes(SIZE),
        "the wrong segment": seawall.segment(7, 1, SIZE),
        "another server's": seawall.segment(6, 1, SIZE, system_id=5),
        "a younger timeline's": seawall.segment(6, 2, SIZE),
        "too short": good[:SIZE // 2],
    }
    for what, data in spoiled.items():
        archive.wal(1, [6], data=data)
        t.equal(findings(verify(t, archive, 15)), [("damaged", "a", name(6))], what)
    for what, data in (("full", good), ("a switch at once", seawall.segment(6, 1, SIZE, fill=0.001)),
                       ("records", crafted.records_segment(6, [100, 30000])[0])):
        archive.wal(1, [6], data=data)
        t.equal(findings(verify(t, archive, 0)), [], what)


@tap.check("a partial segment may end in anything")
def _(t):
    archive = simple(t)
    data = seawall.segment(8, 1, SIZE, fill=0.5)[:SIZE // 2] + b"old" * SIZE
    archive.put(archive.wal_name(name(8) + ".partial"), data[:SIZE])
    archive.put(archive.wal_name(name(5) + ".00000028.backup"), b"START WAL LOCATION\n")
    t.equal(verify(t, archive, 0)["findings"], [], "good")
    archive.put(archive.wal_name(name(8) + ".partial"), bytes(SIZE))
    t.equal(findings(verify(t, archive, 15)), [("damaged", "a", name(8) + ".partial")], "zeros")


@tap.check("a history file that does not parse is damaged")
def _(t):
    archive = simple(t)
    archive.history(2, [], text="2\t0/880000\tself\n")
    t.equal(findings(verify(t, archive, 15)), [("damaged", "a", "00000002.history")], "findings")


@tap.check("completion, manifest and parts are held against each other")
def _(t):
    archive = simple(t)

    def spoiled(what, kind, change=None, objects=None):
        archive.backup(NEW, 6, change=change)
        for rest, data in (objects or {}).items():
            archive.put(archive.backup_name(NEW, rest), data)
        found = findings(verify(t, archive, 15 if kind else 0))
        t.equal(found, kind, what)
    spoiled("good", [])
    spoiled("another part", [("damaged", "a", "complete")], objects={"part-00000001": b"x" * 65536})
    spoiled("a part too short for the manifest",
            [("damaged", "a", "complete"), ("damaged", "a", "manifest-00000001")],
            objects={"part-00000001": b"x" * 100})
    spoiled("another manifest", [("damaged", "a", "manifest-00000001")],
            objects={"manifest-00000001": b"{}\n"})
    spoiled("parts_digest", [("damaged", "a", "complete")],
            change=lambda c: c.update(parts_digest="0" * 64))
    spoiled("manifest digest", [("damaged", "a", "manifest-00000001")],
            change=lambda c: c.update(manifest_digests=["0" * 64]))
    spoiled("a part too many", [("damaged", "a", "part-00000007")],
            objects={"part-00000007": b"x"})
    archive.path("a", archive.backup_name(NEW, "part-00000007")).unlink()
    archive.backup(NEW, 6, change=lambda c: c.update(parts=c["parts"] + 1))
    t.equal(findings(verify(t, archive, 12)), [("missing", "a", "part-00000002")], "one too few")


@tap.check("--backup verifies one backup in every store, --since the WAL from there on")
def _(t):
    archive = simple(t, "ab")
    archive.backup(NEW, 6)
    archive.damage(archive.path("a", archive.backup_name(OLD, "part-00000001")))
    archive.damage(archive.segment_path("b", 1, 6))
    t.equal(findings(verify(t, archive, 15, "--backup", OLD)), [("damaged", "a", "part-00000001")],
            "one backup")
    document = verify(t, archive, 0, "--backup", NEW)
    t.equal([s["objects"] for s in document["stores"]], [3, 3], "its objects only")
    t.equal(findings(verify(t, archive, 15, "--since", "0/6FFFFF")), [("damaged", "b", name(6))],
            "since")
    document = verify(t, archive, 0, "--since", "0/700000")
    t.equal([s["objects"] for s in document["stores"]], [5, 5], "WAL from there, and the history")
    archive.segment_path("a", 1, 5).unlink()
    verify(t, archive, 0, "--since", "0/700000")
    archive.segment_path("a", 1, 8).unlink()
    t.equal(findings(verify(t, archive, 12, "--since", "0/700000")), [("missing", "a", name(8))],
            "missing since")
    for args in (["--backup", "20250101T000000Z"], ["--backup", OLD, "--since", "0/1"],
                 ["--since", "x"]):
        t.equal(archive.setup.run("seawall-verify", *args).code, 14, str(args))


@tap.check("stores that disagree are told per object: other content under one name, well sealed")
def _(t):
    archive = simple(t, "abc")
    for letter, number in (("b", 6), ("c", 6), ("c", 7)):
        archive.segment_path(letter, 1, number).unlink()
    archive.wal(1, [6], stores="bc", data=differing(6))
    archive.wal(1, [7], stores="c")
    document = verify(t, archive, 12)
    told = [f for f in document["findings"] if f["kind"] == "disagreeing"]
    t.equal([(f["store"], f["object"]) for f in told],
            [(s, archive.wal_name(name(6))) for s in "bc"], "the other content, not the same once more")
    for piece in ('store "a"', "writer", "fingerprint", "created"):
        t.contains(told[0]["reason"], piece, "reason")
    t.equal([s["disagreeing"] for s in document["stores"]], [0, 1, 1], "counts")


@tap.check("history files that disagree: 12, for a person with a hint")
def _(t):
    archive = simple(t, "ab")
    history = archive.path("b", "main/%d/history/00000002.history" % seawall.SYSTEM_ID)
    history.unlink()
    archive.history(2, [(1, "0/890000")], stores="b")
    t.equal(findings(verify(t, archive, 12)), [("disagreeing", "b", "00000002.history")], "finding")
    result = archive.setup.run("seawall-verify")
    t.equal(result.code, 12, result.err)
    t.contains(result.out, 'disagreeing in store "b": main/', "line")
    t.contains(result.err, "1 disagreeing", "verdict")
    t.contains(result.err, "Stores disagree", "hint")


@tap.check("copies by two writer keys are compared by their content")
def _(t):
    archive = simple(t, "ab")
    other = types.SimpleNamespace(dir=archive.setup.dir / "other")
    other.dir.mkdir()
    seawall.make_keys(other.dir)
    archive.setup.write(writers=[archived.writer_public(w) for w in (archive.setup, other)])
    for number, data in ((5, crafted.segment(5, 1, seawall.SYSTEM_ID, None)), (6, differing(6))):
        archive.segment_path("b", 1, number).write_bytes(
            archive.seal(archive.wal_name(name(number)), data, keys="other"))
    told = [f for f in findings(verify(t, archive, 12)) if f[0] == "disagreeing"]
    t.equal(told, [("disagreeing", "b", name(6))], "only what differs")


@tap.check("a store that is away does not hide what is found in the others")
def _(t):
    archive = simple(t, "ab")
    archive.store_away("b")
    document = verify(t, archive, 10)
    t.equal([s["away"] for s in document["stores"]], [False, True], "away")
    archive.damage(archive.segment_path("a", 1, 6))
    verify(t, archive, 15)
    t.contains(archive.setup.run("seawall-verify").out, "AWAY", "text")


@tap.check("without an identity seals and payloads are verified, and that is said")
def _(t):
    archive = simple(t, "ab")
    archive.wal(1, [7], data=bytes(SIZE))
    (archive.setup.dir / "identity.txt").unlink()
    archive.setup.write(writers=[archived.writer_public(archive.setup)])
    (archive.setup.dir / "writer.key").unlink()
    document = verify(t, archive, 0)
    t.equal((document["findings"], document["decoded"]), ([], False), "what is inside is not seen")
    result = archive.setup.run("seawall-verify")
    t.contains(result.out, "Without an identity", "text")
    archive.damage(archive.segment_path("a", 1, 5))
    archive.damage(archive.path("b", archive.backup_name(OLD, "part-00000001")))
    t.equal(findings(verify(t, archive, 15)),
            [("damaged", "a", name(5)), ("damaged", "b", "part-00000001")], "damage")
    archive.segment_path("a", 1, 5).write_bytes(b"no object at all")
    t.equal(findings(verify(t, archive, 15))[0], ("damaged", "a", name(5)), "the first seal")


@tap.check("findings are lines for a person")
def _(t):
    archive = simple(t, "ab")
    archive.damage(archive.segment_path("a", 1, 6))
    archive.segment_path("b", 1, 7).unlink()
    result = archive.setup.run("seawall-verify")
    t.equal(result.code, 15, result.err)
    t.contains(result.out, 'damaged in store "a": main/', "damaged")
    t.contains(result.out, 'missing in store "b": main/', "missing")
    t.contains(result.out, "1 damaged", "count")


tap.main()
