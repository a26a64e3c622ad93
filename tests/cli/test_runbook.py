# SPDX-License-Identifier: PostgreSQL
"""The commands of docs/runbook.md, on directory stores: what push stored, without Seawall."""
import runbook
import seawall
import tap
from archived import MIB, object_path, setup_with

HISTORY = (1, "0/2000000", "no recovery target specified")


def archive(t, **settings):
    """An archive of two segments and a history file; returns it and the files' bytes by name."""
    setup, pgdata = setup_with(t, **settings)
    files = {}
    for path in (pgdata.write_segment(1), pgdata.write_segment(2),
                 pgdata.write_history(2, [HISTORY])):
        t.equal(setup.push(pgdata, path).code, 0, "push of " + path)
        files[path.rpartition("/")[2]] = (pgdata.dir / path).read_bytes()
    return setup, pgdata, files


def variables(t, setup, file=None):
    return dict(store=t.dir / "a", cluster="main", system_id=seawall.SYSTEM_ID,
                identity=setup.dir / "identity.txt", file=file)


for compression in ("lz4", "zstd", "none"):
    for encryption in (True, False):
        for decode in ("decode", "decode-told"):
            @tap.check("%s, %s: %s gives the file back" % (
                compression, "encrypted" if encryption else "not encrypted", decode))
            def _(t, compression=compression, encryption=encryption, decode=decode):
                setup, _, files = archive(t, compression=compression, encryption=encryption)
                for name, content in files.items():
                    opened = "open-encrypted" if encryption else "open-plain"
                    result = runbook.do(t, ["path", "get-dir", opened, decode], t.dir / name,
                                        **variables(t, setup, name))
                    t.equal(result.code, 0, result.err)
                    t.equal((t.dir / name / name).read_bytes() == content, True, name)


@tap.check("a damaged or cut object, a wrong identity: the blocks fail and give nothing for a file")
def _(t):
    for encryption in (True, False):
        place = t.dir / str(encryption)
        place.mkdir()
        setup = seawall.Setup(place, [seawall.dir_store("a", place / "a")], encryption=encryption)
        pgdata = seawall.Pgdata(place / "data", segment_size=MIB)
        t.equal(setup.push(pgdata, pgdata.write_segment(1)).code, 0, "push")
        name = pgdata.name(1)
        path = object_path(place / "a", name)
        good = path.read_bytes()
        path.chmod(0o600)
        bad = bytearray(good)
        bad[len(bad) // 2] ^= 1
        for i, content in enumerate((bad, good[:-1], good[:len(good) // 2])):
            path.write_bytes(content)
            work = place / ("work%d" % i)
            result = runbook.do(t, ["path", "get-dir", "open-encrypted" if encryption else
                                    "open-plain", "decode-told"], work, store=place / "a",
                                cluster="main", system_id=seawall.SYSTEM_ID, file=name,
                                identity=setup.dir / "identity.txt")
            t.true(result.code != 0, "exit code of case %d, encryption %s" % (i, encryption))
            t.true(not (work / name).exists(), "no file")
        if encryption:
            path.write_bytes(good)
            other = place / "other.txt"
            other.write_text(tap.run(["age-keygen"]).out)
            result = runbook.do(t, ["path", "get-dir", "open-encrypted"], place / "wrong",
                                store=place / "a", cluster="main", system_id=seawall.SYSTEM_ID,
                                file=name, identity=other)
            t.true(result.code != 0, "exit code with a wrong identity")


@tap.check("everything at once: every file of the archive, and a damaged object is named")
def _(t):
    setup, pgdata, files = archive(t)
    result = runbook.do(t, ["everything"], t.dir / "work", **variables(t, setup))
    t.equal((result.code, result.err), (0, ""), "result")
    got = {f.name: f.read_bytes() for f in (t.dir / "work" / "wal").iterdir()}
    t.equal(sorted(got), sorted(files), "names")
    t.equal(got == files, True, "contents")
    path = object_path(t.dir / "a", pgdata.name(1))
    path.chmod(0o600)
    path.write_bytes(path.read_bytes()[:-1])
    result = runbook.do(t, ["everything"], t.dir / "again", **variables(t, setup))
    t.contains(result.err, "FAILED: %s" % path, "it says so")
    t.true(not (t.dir / "again" / "wal" / pgdata.name(1)).exists(), "no half file")


@tap.check("a lost region: refused until it is taken out; an empty store is healed by copying")
def _(t):
    setup, pgdata = setup_with(t, "ab", fetch_timeout=5)
    for number in (1, 2):
        t.equal(setup.push(pgdata, pgdata.write_segment(number)).code, 0, "push")
    (t.dir / "a").rename(t.dir / "burnt")
    t.equal(setup.fetch(pgdata, pgdata.name(3), t.dir / "x").code, 200, "one of two proves nothing")
    setup.write(stores=[seawall.dir_store("b", t.dir / "b")])
    t.equal(setup.fetch(pgdata, pgdata.name(3), t.dir / "x").code, 1, "proven absent")

    seawall.dir_store("c", t.dir / "c")
    result = runbook.do(t, ["heal"], t.dir / "work", healthy=t.dir / "b", empty=t.dir / "c",
                        cluster="main")
    t.equal(result.code, 0, result.err)
    t.equal(seawall.stored(t.dir / "c"), seawall.stored(t.dir / "b"), "objects")
    setup.write(stores=[seawall.dir_store("c", t.dir / "c")])
    t.equal(setup.fetch(pgdata, pgdata.name(2), t.dir / "y").code, 0, "fetch from the healed store")
    t.equal((t.dir / "y").read_bytes() == pgdata.segment(2), True, "content")


@tap.check("a missing history file is a gap; archived by hand it is served")
def _(t):
    setup, pgdata = setup_with(t)
    pgdata.timeline = 2
    t.equal(setup.push(pgdata, pgdata.write_segment(3)).code, 0, "push")
    t.equal(setup.fetch(pgdata, "00000002.history", t.dir / "x").code, 203, "before")
    pgdata.write_history(2, [HISTORY])
    result = runbook.do(t, ["missing-history"], pgdata.dir, SEAWALL_CONFIG=setup.config)
    t.equal(result.code, 0, result.err)
    t.equal(setup.fetch(pgdata, "00000002.history", t.dir / "x").code, 0, "after")


@tap.check("a replaced writer key: with both public keys all is read, and new WAL is archived")
def _(t):
    setup, pgdata = setup_with(t)
    (setup.dir / "writer.key").unlink()
    both = []
    for name in ("old", "new"):
        made = t.run([seawall.program("seawall-keygen"), "--dir", setup.dir / name], code=0)
        both.append(made.out.split('writers = ( "')[1].split('"')[0])
    setup.write(writer_key_file="old/writer.key", writers=both)
    t.equal(setup.push(pgdata, pgdata.write_segment(1)).code, 0, "push with the old key")
    setup.write(writer_key_file="new/writer.key")
    t.equal(setup.push(pgdata, pgdata.write_segment(2)).code, 0, "push with the new key")
    for number in (1, 2):
        t.equal(setup.fetch(pgdata, pgdata.name(number), t.dir / "x").code, 0, "fetch")
    setup.write(writers=both[1:])
    t.equal(setup.fetch(pgdata, pgdata.name(1), t.dir / "y").code, 202, "the old key is refused")


tap.main()
