# SPDX-License-Identifier: PostgreSQL
"""seawall-push on directory stores: what is stored, what is refused, and with which exit code."""
import ctypes
import os
import struct
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor

import models3
import seawall
import tap
from archived import MIB, bring_back, object_path, rewrite, setup_with, writer_public

def one_store(t, **settings):
    return setup_with(t, "a", **settings)


def two_stores(t, **settings):
    return setup_with(t, "ab", **settings)


@tap.check("a segment is stored under its name and comes back equal")
def _(t):
    setup, pgdata = one_store(t)
    result = setup.push(pgdata, pgdata.write_segment(7))
    t.equal((result.code, result.err), (0, ""), "push")
    t.true(object_path(t.dir / "a", pgdata.name(7)).is_file(), "object")
    t.equal(bring_back(t, setup, pgdata, pgdata.name(7)), pgdata.segment(7), "bytes")


@tap.check("every legal segment size is archived and comes back equal")
def _(t):
    setup = seawall.Setup(t.dir, [seawall.dir_store("a", t.dir / "a")])
    for size in (MIB, 2 * MIB, 16 * MIB, 64 * MIB):
        pgdata = seawall.Pgdata(t.dir / ("data%d" % size), segment_size=size, system_id=size)
        data = pgdata.segment(3, fill=0.1)
        t.equal(setup.push(pgdata, pgdata.write(pgdata.name(3), data)).code, 0, "push %d" % size)
        t.true(bring_back(t, setup, pgdata, pgdata.name(3)) == data, "bytes of %d" % size)


@tap.check("a segment of the largest size is archived and comes back equal")
def _(t):
    size = (256 if os.environ.get("SEAWALL_SANITIZED") else 1024) * MIB
    setup = seawall.Setup(t.dir, [seawall.dir_store("a", t.dir / "a")])
    pgdata = seawall.Pgdata(t.dir / "data", segment_size=size)
    path = pgdata.wal / pgdata.name(2)
    begin = bytearray(seawall.segment(2 * size // MIB, size=MIB))
    struct.pack_into("=I", begin, 32, size)
    path.write_bytes(begin)
    os.truncate(path, size)
    t.equal(setup.push(pgdata, path).code, 0, "push")
    path.unlink()
    t.equal(setup.fetch(pgdata, pgdata.name(2), path).code, 0, "fetch")
    with open(path, "rb") as f:
        t.true(f.read(MIB) == begin, "how it begins")
        t.true(not any(piece.strip(b"\0") for piece in iter(lambda: f.read(MIB), b"")), "zeros")
        t.equal(f.tell(), size, "size")


@tap.check("a segment that is nearly empty takes a few KiB and comes back equal")
def _(t):
    for compression in ("lz4", "zstd"):
        base = t.dir / compression
        base.mkdir()
        setup = seawall.Setup(base, [seawall.dir_store("a", base / "a")], compression=compression)
        pgdata = seawall.Pgdata(base / "data")
        t.equal(setup.push(pgdata, pgdata.write_segment(7, fill=1 / 2048)).code, 0, "push")
        size = object_path(base / "a", pgdata.name(7)).stat().st_size
        t.true(size < 100000, "%s: %d bytes" % (compression, size))
        t.true(bring_back(t, setup, pgdata, pgdata.name(7)) == pgdata.segment(7, fill=1 / 2048),
               "bytes")


@tap.check("every compression, encrypted or not, comes back equal")
def _(t):
    for compression in ("lz4", "zstd", "none"):
        for encryption in (True, False):
            base = t.dir / ("%s-%s" % (compression, encryption))
            base.mkdir()
            setup = seawall.Setup(base, [seawall.dir_store("a", base / "a")],
                                  compression=compression, encryption=encryption)
            pgdata = seawall.Pgdata(base / "data", segment_size=MIB)
            t.equal(setup.push(pgdata, pgdata.write_segment(1)).code, 0, "push")
            t.equal(bring_back(t, setup, pgdata, pgdata.name(1)), pgdata.segment(1), "bytes")


@tap.check("history, .partial and .backup files are archived and come back equal")
def _(t):
    setup, pgdata = one_store(t)
    files = {
        "00000002.history": b"1\t0/700000\tno recovery target specified\n",
        pgdata.name(7) + ".partial": pgdata.segment(7),
        pgdata.name(7) + ".00000028.backup": b"START WAL LOCATION: 0/700028 (file x)\n",
    }
    for name, data in files.items():
        t.equal(setup.push(pgdata, pgdata.write(name, data)).code, 0, name)
        t.equal(bring_back(t, setup, pgdata, name), data, name)


@tap.check("archiving the same file again says 0 and writes nothing")
def _(t):
    setup, pgdata = one_store(t)
    path = pgdata.write_segment(7)
    t.equal(setup.push(pgdata, path).code, 0, "first")
    stored = object_path(t.dir / "a", pgdata.name(7))
    before = (stored.read_bytes(), stored.stat().st_ino, stored.stat().st_mtime_ns)
    result = setup.push(pgdata, path)
    t.equal(result.code, 0, "second")
    t.contains(result.err, "already in store \"a\" with the same content", "notice")
    t.equal((stored.read_bytes(), stored.stat().st_ino, stored.stat().st_mtime_ns), before, "object")


@tap.check("other content under the name is a conflict and nothing is overwritten")
def _(t):
    setup, pgdata = two_stores(t)
    t.equal(setup.push(pgdata, pgdata.write_segment(7)).code, 0, "first")
    before = [object_path(t.dir / s, pgdata.name(7)).read_bytes() for s in "ab"]
    result = setup.push(pgdata, pgdata.write_segment(7, seed=9))
    t.equal(result.code, 12, "exit code")
    t.contains(result.err, "with other content", "message")
    t.contains(result.err, "hint:", "hint")
    t.equal([object_path(t.dir / s, pgdata.name(7)).read_bytes() for s in "ab"], before, "objects")


@tap.check("a conflict in one store is exit 12 even if another store accepted")
def _(t):
    setup, pgdata = two_stores(t)
    setup.write(stores=setup.settings["stores"][:1])
    t.equal(setup.push(pgdata, pgdata.write_segment(7)).code, 0, "to a only")
    setup.write(stores=[seawall.dir_store("a", t.dir / "a"), seawall.dir_store("b", t.dir / "b")])
    t.equal(setup.push(pgdata, pgdata.write_segment(7, seed=9)).code, 12, "exit code")


@tap.check("names that PostgreSQL never archives are refused before anything is opened or sent")
def _(t):
    setup, pgdata = one_store(t)
    good = pgdata.name(7)
    for name in ("../x", "x", "", good.lower(), good[:-1], good + "0", good + ".done", "-x",
                 good + "\n", "%p", "00000000" + good[8:], good + ".partial.partial",
                 "0000001.history", "00000002.HISTORY", good + ".0000002.backup", "A" * 65):
        result = setup.push(pgdata, "pg_wal/" + name)
        t.equal(result.code, 13, repr(name))
    t.equal(seawall.stored(t.dir / "a"), [], "objects")


@tap.check("a bad name is quoted on one line, and no store is asked")
def _(t):
    s3 = t.enter(models3.Bucket())
    setup = seawall.Setup(t.dir, [s3.store("x")])
    pgdata = seawall.Pgdata(t.dir / "data", segment_size=MIB)
    names = (("x\ny", r"x\x0ay"), ("\x1b[2J", r"\x1b[2J"), ("%n%s", "%n%s"), ("-", '"-"'),
             ("a/../b\r", r"b\x0d"), ("\udcff" * 30, r"\xff"))
    for agent in (False, True):
        for name, quoted in names:
            result = setup.push(pgdata, "pg_wal/" + name, env=models3.ENV, agent=agent)
            t.equal(result.code, 13, repr(name))
            lines = result.err.rstrip("\n").split("\n")
            t.true(all(line.startswith("seawall-push: ") for line in lines), lines)
            if "has control bytes in it" not in lines[0]:
                t.contains(lines[0], quoted, "quoted")
            t.true(result.err.isascii(), "plain: %r" % result.err)
            t.equal(setup.fetch(pgdata, name, "x", env=models3.ENV, agent=agent).code, 202, "fetch")
        # an agent that begins asks the store whether it keeps what it has
        t.equal(set(s3.requests) - {("PUT", "root/main/probe/conditional")} if agent else
                set(s3.requests), set(), "requests")


@tap.check("a missing file is 13 with the manual way out")
def _(t):
    setup, pgdata = one_store(t)
    result = setup.push(pgdata, "pg_wal/" + pgdata.name(7))
    t.equal(result.code, 13, "exit code")
    t.contains(result.err, "the file is gone", "message")
    t.contains(result.err, "archive_status", "hint")


@tap.check("links, FIFOs, directories and devices are refused at once")
def _(t):
    setup, pgdata = one_store(t)
    (t.dir / "elsewhere").write_bytes(pgdata.segment(7))
    for make in (lambda p: p.symlink_to(t.dir / "elsewhere"), os.mkfifo, lambda p: p.mkdir()):
        path = pgdata.wal / pgdata.name(7)
        make(path)
        t.equal(setup.push(pgdata, "pg_wal/" + pgdata.name(7), timeout=20).code, 13, str(make))
        path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
    t.equal(seawall.stored(t.dir / "a"), [], "objects")


@tap.check("a pg_wal that is a link to a directory is fine")
def _(t):
    setup, pgdata = one_store(t)
    path = pgdata.write_segment(7)
    pgdata.wal.rename(t.dir / "wal-elsewhere")
    pgdata.wal.symlink_to(t.dir / "wal-elsewhere")
    t.equal(setup.push(pgdata, path).code, 0, "push")


@tap.check("wrong sizes are refused")
def _(t):
    setup, pgdata = one_store(t)
    data = pgdata.segment(7)
    for name, bad in (("empty", b""), ("one byte short", data[:-1]), ("one byte long", data + b"x"),
                      ("half", data[:MIB // 2]), ("double", data + data), ("header only", data[:40])):
        t.equal(setup.push(pgdata, pgdata.write(pgdata.name(7), bad)).code, 13, name)
    t.equal(setup.push(pgdata, pgdata.write("00000002.history", b"")).code, 13, "empty history")
    t.equal(seawall.stored(t.dir / "a"), [], "objects")


@tap.check("a first page that does not fit name or server is exit 15, or a warning if so configured")
def _(t):
    setup, pgdata = one_store(t)

    def patched(offset, form, value):
        data = bytearray(pgdata.segment(7))
        struct.pack_into("=" + form, data, offset, value)
        return bytes(data)

    bad = {
        "magic": patched(0, "H", 0xD0FF),
        "magic of another major version": patched(0, "H", 0xD118),
        "flags": patched(2, "H", 0),
        "timeline above the name's": patched(4, "I", 2),
        "page address": patched(8, "Q", 8 * MIB),
        "system identifier": patched(24, "Q", 99),
        "page size": patched(36, "I", 3),
        "segment size": patched(32, "I", 2 * MIB),
    }
    for what, data in bad.items():
        result = setup.push(pgdata, pgdata.write(pgdata.name(7), data))
        t.equal(result.code, 13 if what == "segment size" else 15, what + ": " + result.err)
        for value in {"page address": ("0/800000", "0/700000"), "segment size": ("2097152", "1048576"),
                      "system identifier": ("99", str(seawall.SYSTEM_ID))}.get(what, ()):
            t.contains(result.err, value, what)
    t.equal(seawall.stored(t.dir / "a"), [], "objects")
    setup.write(wal_check="warn")
    result = setup.push(pgdata, pgdata.write(pgdata.name(7), bad["system identifier"]))
    t.equal(result.code, 0, "with wal_check = warn")
    t.contains(result.err, "warning:", "warning")


@tap.check("a history file that is none is refused")
def _(t):
    setup, pgdata = one_store(t)
    for text in (b"2\t0/700000\tself\n", b"x\n", b"1\tzz\tno\n", b"\0"):
        t.equal(setup.push(pgdata, pgdata.write("00000002.history", text)).code, 15, repr(text))


@tap.check("outside a data directory: pgdata or system_id says whose file it is, otherwise 14")
def _(t):
    setup, pgdata = one_store(t)
    path = pgdata.dir / pgdata.write_segment(7)
    result = setup.push(t.dir, path)
    t.equal(result.code, 14, "neither")
    t.contains(result.err, "pgdata or system_id", "hint")
    setup.write(pgdata=str(pgdata.dir))
    t.equal(setup.push(t.dir, path).code, 0, "pgdata")
    setup.write(pgdata=None, system_id=str(seawall.SYSTEM_ID))
    t.equal(setup.push(t.dir, path).code, 0, "system_id")
    setup.write(system_id="5")
    result = setup.push(pgdata, pgdata.write_segment(8))
    t.equal(result.code, 15, "another system_id")
    t.contains(result.err, "insists on 5", "message")


@tap.check("acknowledge = 1 of 2: a store that is away is a warning; acknowledge = 2: exit 10")
def _(t):
    setup, pgdata = two_stores(t)
    (t.dir / "b").rmdir()
    result = setup.push(pgdata, pgdata.write_segment(7))
    t.equal(result.code, 0, "1 of 2")
    t.contains(result.err, "warning: ", "warning")
    t.contains(result.err, '"b"', "names the store")
    setup.write(acknowledge=2)
    result = setup.push(pgdata, pgdata.write_segment(8))
    t.equal(result.code, 10, "2 of 2")
    t.true(object_path(t.dir / "a", pgdata.name(8)).is_file(), "the other store has it")
    (t.dir / "b").mkdir()
    before = object_path(t.dir / "a", pgdata.name(8)).stat().st_ino
    t.equal(setup.push(pgdata, "pg_wal/" + pgdata.name(8)).code, 0, "again")
    t.true(object_path(t.dir / "b", pgdata.name(8)).is_file(), "now both have it")
    t.equal(object_path(t.dir / "a", pgdata.name(8)).stat().st_ino, before, "a was not rewritten")


@tap.check("20 parallel pushes of equal content: all 0, one object, equal bytes back")
def _(t):
    setup, pgdata = one_store(t)
    path = pgdata.write_segment(7)
    with ThreadPoolExecutor(20) as pool:
        codes = [r.code for r in pool.map(lambda _: setup.push(pgdata, path), range(20))]
    t.equal(codes, [0] * 20, "exit codes")
    t.equal(len(seawall.stored(t.dir / "a")), 1, "files in the store")
    t.equal(bring_back(t, setup, pgdata, pgdata.name(7)), pgdata.segment(7), "bytes")


@tap.check("20 parallel pushes of two contents: one wins, its writers 0, the others 12")
def _(t):
    setup, pgdata = one_store(t)
    other = seawall.Pgdata(t.dir / "other", segment_size=MIB)
    paths = [(pgdata, pgdata.write_segment(7)), (other, other.write_segment(7, seed=5))]
    with ThreadPoolExecutor(20) as pool:
        codes = list(pool.map(lambda i: setup.push(*paths[i % 2]).code, range(20)))
    t.true(sorted((set(codes[0::2]), set(codes[1::2])), key=max) == [{0}, {12}], codes)
    winner = pgdata.segment(7) if codes[0] == 0 else other.segment(7, seed=5)
    t.equal(bring_back(t, setup, pgdata, pgdata.name(7)), winner, "bytes")
    t.equal(len(seawall.stored(t.dir / "a")), 1, "files in the store")


@tap.check("a damaged object under the name is exit 15, a planted one 12, and both stay as they are")
def _(t):
    setup, pgdata = one_store(t)
    path = pgdata.write_segment(7)
    t.equal(setup.push(pgdata, path).code, 0, "push")
    stored = object_path(t.dir / "a", pgdata.name(7))
    good = stored.read_bytes()
    bad = bytearray(good)
    bad[-100] ^= 1
    rewrite(stored, bad)
    result = setup.push(pgdata, path)
    t.equal(result.code, 15, "damaged: " + result.err)
    t.equal(stored.read_bytes(), bytes(bad), "untouched")

    (t.dir / "other").mkdir()
    foreign = seawall.Setup(t.dir / "other", [seawall.dir_store("f", t.dir / "f")])
    t.equal(foreign.push(pgdata, path).code, 0, "foreign push")
    planted = object_path(t.dir / "f", pgdata.name(7)).read_bytes()
    rewrite(stored, planted)
    result = setup.push(pgdata, path)
    t.equal(result.code, 12, "planted: " + result.err)
    t.contains(result.err, "writers", "hint")
    t.equal(stored.read_bytes(), planted, "untouched")


@tap.check("an object of another known writer key is compared by decrypting it")
def _(t):
    (t.dir / "first").mkdir()
    (t.dir / "second").mkdir()
    stores = [seawall.dir_store("a", t.dir / "a")]
    first = seawall.Setup(t.dir / "first", stores)
    second = seawall.Setup(t.dir / "second", stores, keys=True)
    # the second server has the first one's identity and knows its writer key
    keygen = first.dir / "identity.txt"
    (second.dir / "identity.txt").unlink()
    (second.dir / "identity.txt").write_bytes(keygen.read_bytes())
    (second.dir / "identity.txt").chmod(0o600)
    second.write(writers=[writer_public(first), writer_public(second)], encryption={"recipients": [first.recipient],
                                             "identity_file": "identity.txt"})
    pgdata = seawall.Pgdata(t.dir / "data", segment_size=MIB)
    path = pgdata.write_segment(7)
    t.equal(first.push(pgdata, path).code, 0, "first")
    result = second.push(pgdata, path)
    t.equal(result.code, 0, "second, same content: " + result.err)
    result = second.push(pgdata, pgdata.write_segment(7, seed=3))
    t.equal(result.code, 12, "second, other content")
    (second.dir / "identity.txt").unlink()
    result = second.push(pgdata, pgdata.write_segment(7))
    t.equal(result.code, 12, "without an identity")
    t.contains(result.err, "another writer key", "message")


@tap.check("a write-only host archives without any identity")
def _(t):
    setup, pgdata = one_store(t)
    (setup.dir / "identity.txt").unlink()
    t.equal(setup.push(pgdata, pgdata.write_segment(7)).code, 0, "identity file missing")
    setup.write(encryption={"recipients": [setup.recipient]})
    t.equal(setup.push(pgdata, pgdata.write_segment(8)).code, 0, "no identity configured")
    t.equal(setup.push(pgdata, pgdata.write_segment(8)).code, 0, "and recognises its own object")
    t.equal(setup.push(pgdata, pgdata.write_segment(8, seed=4)).code, 12, "and a conflict")


@tap.check("a store without space is exit 10, and later everything is stored")
def _(t):
    setup, pgdata = one_store(t)
    # a limit on the size of files stands in for a full disk: the same errno path, no root needed
    argv = ["prlimit", "--fsize=1000", "--"] + setup.argv("seawall-push", pgdata.write_segment(7))
    result = tap.run(argv, cwd=str(pgdata.dir))
    t.true(result.code in (10, 13), "%d: %s" % (result.code, result.err))
    t.equal(seawall.stored(t.dir / "a"), [], "nothing half")
    t.equal(setup.push(pgdata, "pg_wal/" + pgdata.name(7)).code, 0, "again")


@tap.check("a file that changes while it is read is refused")
def _(t):
    setup, pgdata = one_store(t)
    pgdata = seawall.Pgdata(t.dir / "big", segment_size=64 * MIB)
    path = pgdata.wal / pgdata.name(1)
    pgdata.write_segment(1, fill=0.02)
    stop = threading.Event()

    def scribble():
        with open(path, "r+b") as f:
            while not stop.is_set():
                f.seek(-1, 2)
                f.write(b"x")
                f.flush()

    writer = threading.Thread(target=scribble)
    writer.start()
    try:
        result = setup.push(pgdata, "pg_wal/" + pgdata.name(1))
    finally:
        stop.set()
        writer.join()
    t.equal(result.code, 13, result.err)
    t.contains(result.err, "changed while", "message")
    t.equal(seawall.stored(t.dir / "a"), [], "objects")


def read_events(t, path):
    """A descriptor that has something to read as soon as somebody has read of the file."""
    libc = ctypes.CDLL(None, use_errno=True)
    fd = libc.inotify_init1(os.O_CLOEXEC)
    t.defer(os.close, fd)
    t.true(libc.inotify_add_watch(fd, os.fsencode(path), 1) >= 0, "inotify: IN_ACCESS")
    return fd


@tap.check("a file that grows or shrinks while it is read is refused")
def _(t):
    setup, _ = one_store(t)
    pgdata = seawall.Pgdata(t.dir / "big", segment_size=64 * MIB)
    path = pgdata.wal / pgdata.name(1)
    for change in (1, -1, -32 * MIB):
        pgdata.write_segment(1, fill=0.02)
        first_read = read_events(t, path)
        process = subprocess.Popen(setup.argv("seawall-push", "pg_wal/" + pgdata.name(1)),
                                   cwd=str(pgdata.dir), stdin=subprocess.DEVNULL,
                                   stderr=subprocess.PIPE, text=True)
        os.read(first_read, 4096)
        os.truncate(path, 64 * MIB + change)
        error = process.communicate(timeout=60)[1]
        t.equal(process.returncode, 13, "%d: %s" % (change, error))
        t.contains(error, "while it was being read", "message")
        t.equal(seawall.stored(t.dir / "a"), [], "objects")
    pgdata.write_segment(1, fill=0.02)
    t.equal(setup.push(pgdata, "pg_wal/" + pgdata.name(1)).code, 0, "as it was")


@tap.check("what is written into the file while it is sent is not in the object")
def _(t):
    s3 = t.enter(models3.Bucket())
    setup = seawall.Setup(t.dir, [s3.store("x")])
    pgdata = seawall.Pgdata(t.dir / "data", segment_size=MIB)
    data = pgdata.segment(7)
    path = pgdata.dir / pgdata.write(pgdata.name(7), data)
    key = str(object_path("root", pgdata.name(7)))
    s3.behave("hangs")
    process = subprocess.Popen(setup.argv("seawall-push", path), cwd=str(pgdata.dir),
                               env=dict(os.environ, **models3.ENV), stdin=subprocess.DEVNULL)
    t.defer(process.kill)
    # the store is first asked whether it keeps what it has
    tap.wait_for(lambda: s3.requests, what="a request")
    s3.delay_s = 1
    s3.behave(None)
    tap.wait_for(lambda: s3.requests["PUT", key], what="the object on its way")
    path.write_bytes(pgdata.segment(8)[:4096])
    t.equal(process.wait(timeout=60), 0, "exit code")
    s3.delay_s = 0
    t.equal(setup.fetch(pgdata, pgdata.name(7), t.dir / "back", env=models3.ENV).code, 0, "fetch")
    t.equal((t.dir / "back").read_bytes() == data, True, "the bytes that were read")


@tap.check("usage errors are 14, and --help and --version are 0 on stdout")
def _(t):
    setup, pgdata = one_store(t)
    path = pgdata.write_segment(7)
    for argv in ([], [path, path], ["--nonsense", path], ["--config"], ["--config", "", path]):
        result = tap.run([seawall.program("seawall-push")] + argv, cwd=str(pgdata.dir),
                         env={"SEAWALL_CONFIG": str(setup.config)})
        t.equal((result.code, result.out), (14, ""), str(argv))
    for option in ("--help", "--version"):
        result = tap.run([seawall.program("seawall-push"), option])
        t.equal((result.code, result.err), (0, ""), option)
        t.contains(result.out, "seawall-push", option)


@tap.check("$SEAWALL_CONFIG names the configuration file")
def _(t):
    setup, pgdata = one_store(t)
    result = tap.run([seawall.program("seawall-push"), pgdata.write_segment(7)],
                     cwd=str(pgdata.dir), env={"SEAWALL_CONFIG": str(setup.config)})
    t.equal(result.code, 0, result.err)


@tap.check("bad configuration and keys are 14, naming the thing and the next step")
def _(t):
    setup, pgdata = one_store(t)
    path = pgdata.write_segment(7)

    def refused(what, *pieces):
        result = setup.push(pgdata, path)
        t.equal(result.code, 14, "%s: %s" % (what, result.err))
        for piece in pieces:
            t.contains(result.err, piece, what)

    setup.write(clutser="x")
    refused("unknown setting", "clutser", ":")
    setup.write(clutser=None)
    (setup.dir / "writer.key").chmod(0o640)
    refused("loose writer key", "writer.key", "chmod 0600")
    (setup.dir / "writer.key").chmod(0o600)
    setup.config.chmod(0o666)
    refused("writable configuration", "seawall.conf")
    setup.config.chmod(0o600)
    (setup.dir / "writer.key").rename(setup.dir / "gone")
    refused("missing writer key", "writer.key", "keygen")
    (setup.dir / "gone").rename(setup.dir / "writer.key")
    setup.write(encryption={"recipients": ["age1nonsense"]})
    refused("bad recipient", "recipients")
    setup.write(encryption={"recipients": [setup.recipient]}, acknowledge=2)
    refused("acknowledge above the number of stores", "acknowledge")
    setup.write(acknowledge=1, stores=[{"name": "a", "url": "ftp://x"}])
    refused("unknown kind of store", "url", "s3://")
    t.equal(seawall.stored(t.dir / "a"), [], "objects")


@tap.check("it works with descriptors 0, 1 and 2 closed, and nothing is written into the object")
def _(t):
    setup, pgdata = two_stores(t)
    (t.dir / "b").rmdir()
    argv = " ".join("'%s'" % a for a in setup.argv("seawall-push", pgdata.write_segment(7)))
    result = tap.run(["sh", "-c", argv + " <&- >&- 2>&-"], cwd=str(pgdata.dir))
    t.equal(result.code, 0, "exit code")
    t.equal(bring_back(t, setup, pgdata, pgdata.name(7)), pgdata.segment(7), "bytes")


@tap.check("a broken or full stderr does not hold up archiving")
def _(t):
    setup, pgdata = two_stores(t)
    (t.dir / "b").rmdir()
    read, write = os.pipe()
    os.set_blocking(write, False)
    try:
        while True:
            os.write(write, b"x" * 4096)
    except BlockingIOError:
        pass
    os.set_blocking(write, True)
    process = subprocess.Popen(setup.argv("seawall-push", pgdata.write_segment(7)),
                               cwd=str(pgdata.dir), stderr=write, stdin=subprocess.DEVNULL)
    t.equal(process.wait(timeout=60), 0, "full pipe")
    os.close(read)
    process = subprocess.Popen(setup.argv("seawall-push", pgdata.write_segment(8)),
                               cwd=str(pgdata.dir), stderr=write, stdin=subprocess.DEVNULL)
    t.equal(process.wait(timeout=60), 0, "broken pipe")
    os.close(write)


tap.main()
