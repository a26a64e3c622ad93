# SPDX-License-Identifier: PostgreSQL
"""seawall restore of backups made by hand: what it refuses, and what is left behind then."""
import json
import os
import re
import signal
import stat

import archived
import backups
import seawall
import tap

MARKER = ".seawall-restore-incomplete"


def make(t, stores="a", usual=True):
    setup, pgdata = archived.setup_with(t, stores)
    archived.push_all(t, setup, pgdata, [1, 2], replayable=True)
    backup = backups.Backup(setup, [t.dir / s for s in stores])
    return setup, backup.usual() if usual else backup


def restore(setup, target, *more, **options):
    return setup.run("seawall-restore", "--backup-end", "--backup", backups.LABEL, "--target-dir",
                     target, *more, **options)


def refused(t, setup, code, text, *more, target=None, begun=True):
    """It fails; nothing is outside, and what was begun cannot be started."""
    target = target or t.dir / "target"
    before = tree(t.dir, skip=target)
    result = restore(setup, target, *more)
    t.equal(result.code, code, "exit code: %s" % result.err)
    t.contains(result.err, text, "message")
    t.equal(tree(t.dir, skip=target), before, "outside")
    if begun:
        t.true((target / MARKER).exists(), "marker")
        t.true(not (target / "global" / "pg_control").exists(), "pg_control")
        t.contains(result.err, "is incomplete and cannot be started", "hint")
    return result


def tree(directory, skip=None):
    return sorted((str(p), p.lstat().st_size if p.is_file() else 0) for p in directory.rglob("*")
                  if skip is None or (skip != p and skip not in p.parents))


@tap.check("a backup made by hand is restored as its manifest says")
def _(t):
    setup, backup = make(t)
    backup.dir("base/strange")
    odd = b"base/strange/a \"b\\c\n\xff"
    backup.file("", b"odd", path_hex=odd.hex())
    backup.file("base/read", b"only", mode=0o440)
    backup.file("standby.signal", b"")
    backup.write()
    result = restore(setup, t.dir / "target")
    t.equal(result.code, 0, "exit code: %s" % result.err)
    target = t.dir / "target"
    t.equal(stat.S_IMODE(target.stat().st_mode), 0o700, "mode")
    t.equal((target / "base/big").read_bytes(), bytes(i * 7 % 251 for i in range(20000)), "big")
    t.equal((target / "base/big").stat().st_mtime, 1700000000, "time")
    t.equal((target / "base/empty").read_bytes(), b"", "empty")
    t.equal(stat.S_IMODE((target / "base/read").stat().st_mode), 0o440, "mode of a file")
    with open(os.path.join(os.fsencode(target), odd), "rb") as f:
        t.equal(f.read(), b"odd", "odd name")
    t.equal((target / "global/pg_control").read_bytes(), backups.CONTROL, "pg_control")
    t.equal((target / "backup_label").read_text(), backups.LABEL_TEXT, "label")
    t.true((target / "recovery.signal").exists(), "recovery.signal")
    t.true(not (target / "standby.signal").exists(), "standby.signal")
    t.true(not (target / MARKER).exists(), "marker")
    conf = (target / "postgresql.auto.conf").read_text()
    t.contains(conf, "# before\nport = 5433\n", "what was there")
    t.contains(conf, "restore_command = '%s/seawall-fetch --config %s/seawall/seawall.conf "
               "\"%%f\" \"%%p\"'\n" % (os.path.dirname(seawall.program("seawall-fetch")), t.dir),
               "restore_command")
    t.true(conf.endswith("recovery_target = 'immediate'\n"), "target")
    t.contains(conf, "recovery_target_action = 'promote'\n", "action")
    t.contains(result.out, "no postgresql.conf", "note")
    manifest = json.loads((target / "backup_manifest").read_text())
    files = {f.get("Path") or bytes.fromhex(f["Encoded-Path"]): f for f in manifest["Files"]}
    t.equal(files[odd]["Size"], 3, "encoded path")
    crc = seawall.crc32c(conf.encode()).to_bytes(4, "little").hex()
    t.equal(files["postgresql.auto.conf"]["Checksum"], crc, "sum of what we changed")
    t.equal(manifest["WAL-Ranges"],
            [{"Timeline": 1, "Start-LSN": "0/100028", "End-LSN": "0/100138"}], "WAL")


def occupied(name, text):
    def register(occupy):
        @tap.check("a target directory that %s is refused untouched" % name)
        def _(t):
            setup, backup = make(t)
            backup.write()
            target = t.dir / "target"
            occupy(t, target)
            before = tree(t.dir)
            result = restore(setup, target)
            t.equal(result.code, 13, "exit code: %s" % result.err)
            t.contains(result.err, text, "message")
            t.equal(tree(t.dir), before, "files")
    return register


@occupied("is not empty", "is not empty")
def _(t, target):
    target.mkdir()
    (target / ".hidden").touch()


@occupied("holds another server", "holds a PostgreSQL server already, of system identifier 4711")
def _(t, target):
    seawall.Pgdata(target, system_id=4711)


@occupied("holds an interrupted restore", "interrupted")
def _(t, target):
    target.mkdir()
    (target / MARKER).touch()


@occupied("is a file", "is not a directory")
def _(t, target):
    target.touch()


@occupied("is a symbolic link", "is a symbolic link")
def _(t, target):
    (t.dir / "real").mkdir()
    target.symlink_to(t.dir / "real")


@tap.check("a target directory without a parent or of another user is refused")
def _(t):
    setup, backup = make(t)
    backup.write()
    t.contains(restore(setup, t.dir / "no" / "where").err, "could not find the directory", "parent")
    t.contains(restore(setup, "/tmp").err, "belongs to another user", "owner")
    for path in ("/", "..", t.dir / ".."):
        t.equal(restore(setup, path).code, 13, "%s" % path)


@tap.check("an empty directory is taken and made private")
def _(t):
    setup, backup = make(t)
    backup.write()
    (t.dir / "target").mkdir(mode=0o755)
    t.equal(restore(setup, t.dir / "target/").code, 0, "exit code")
    t.equal(stat.S_IMODE((t.dir / "target").stat().st_mode), 0o700, "mode")


HOSTILE = {
    "leads upwards": ("../victim", "not a path"),
    "leads upwards later": ("base/../../victim", "not a path"),
    "is absolute": ("/tmp/victim", "not a path"),
    "has an empty component": ("base//x", "not a path"),
    "ends in a slash": ("base/", "not a path"),
    "has a NUL": ("base/x\0y", ""),
    "is there twice": ("PG_VERSION", "is there already"),
    "is a held file twice": ("backup_label", "is there already"),
    "is the marker": (MARKER, "is there already"),
    "is below a file": ("PG_VERSION/x", "below something that is no directory"),
    "is in a directory that is not listed": ("nowhere/x", "whose directory it does not name"),
    "is in an unknown tablespace": ("pg_tblspc/4711/x", "whose directory it does not name"),
}

for _name, (_path, _text) in HOSTILE.items():
    @tap.check("a manifest with a file whose path %s is refused" % _name)
    def _(t, path=_path, text=_text):
        setup, backup = make(t)
        backup.file(path)
        backup.write()
        refused(t, setup, 15, text)


@tap.check("a manifest with a directory twice, or with special permissions, is refused")
def _(t):
    for i, (path, mode, text) in enumerate((("base", 0o700, "already"), ("x", 0o4700, "permiss"))):
        setup, backup = make(t) if i == 0 else (setup, backups.Backup(setup, [t.dir / "a"]).usual())
        backup.dir(path, mode)
        backup.write()
        refused(t, setup, 15, text, target=t.dir / ("target%d" % i))


def damaged(name, code, text):
    def register(change):
        @tap.check("a backup %s is refused" % name)
        def _(t):
            setup, backup = make(t)
            change(backup, t)
            refused(t, setup, code, text)
    return register


@damaged("with a run past its part's end", 15, "a part of")
def _(backup, t):
    backup.file("base/x", b"12345", runs=[[0, 5, backups.LABEL, 1, 5000]])
    backup.write()


@damaged("with a wrong checksum", 15, "is not what the manifest says")
def _(backup, t):
    backup.file("base/x", b"12345", crc32c="00000000")
    backup.write()


@damaged("with a wrong checksum of pg_control", 15, "is not what the manifest says")
def _(backup, t):
    backup.lines[-1]["crc32c"] = "00000000"
    backup.write()


@damaged("with the wrong part behind a run", 15, "is not what the manifest says")
def _(backup, t):
    backup.lines[6]["runs"][0][3] = 2
    backup.write()


@damaged("without pg_control", 15, 'has no "global/pg_control"')
def _(backup, t):
    backup.lines.pop()
    backup.n_files, backup.n_bytes = backup.n_files - 1, backup.n_bytes - 8192
    backup.write()


@damaged("with another backup_label", 15, "backup_label is not the one")
def _(backup, t):
    backup.write(backup_label=backups.LABEL_TEXT + "x\n")


@damaged("whose counts are wrong", 15, "the manifest lists")
def _(backup, t):
    backup.write(files=99)


@damaged("with another manifest", 15, "completed with")
def _(backup, t):
    backup.write()
    backup.file("base/more", b"")
    backup.put("manifest-00000001", backup.manifest())


@tap.check("a part that no file lies in is wanted all the same, and as it was")
def _(t):
    setup, backup = make(t)
    backup.parts.append(b"nobody's")
    backup.write()
    t.equal(restore(setup, t.dir / "target").code, 0, "exit code")
    backup.put("part-%08d" % len(backup.parts), b"another")
    refused(t, setup, 15, "the parts are not those that backup", target=t.dir / "again")
    path = backup.path(t.dir / "a", "part-%08d" % len(backup.parts))
    archived.rewrite(path, path.read_bytes()[:-1])
    refused(t, setup, 15, "part %d of backup %s, with nothing" % (len(backup.parts), backups.LABEL),
            target=t.dir / "third")


@damaged("whose parts have another digest", 15, "the parts are not those that backup")
def _(backup, t):
    backup.write(parts_digest="0" * 64)


@tap.check("a backup with a part missing is refused before anything is written")
def _(t):
    setup, backup = make(t)
    backup.write()
    backup.path(t.dir / "a", "part-00000002").unlink()
    refused(t, setup, 12, "part-00000002", begun=False)
    t.true(not (t.dir / "target").exists(), "target")


@tap.check("a disk that is full in the middle is told, and nothing starts")
def _(t):
    setup, backup = make(t)
    backup.write()
    target = t.dir / "target"
    result = t.run(["prlimit", "--fsize=15000"] + setup.argv(
        "seawall-restore", "--latest", "--target-dir", target))
    t.equal(result.code, 13, "exit code: %s" % result.err)
    t.contains(result.err, 'could not write "base/big"', "message")
    t.contains(result.err, "is incomplete and cannot be started", "hint")
    t.true(not (target / "global" / "pg_control").exists(), "pg_control")


# A file system of our own that nobody else sees: $1 its options, $2 where, then the command. Full,
# judged, given room, emptied, and once more.
FULL_DISK = """
mount -t tmpfs -o "$1" none "$2" || exit 99
case $1 in *nr_inodes*) more=,nr_inodes=1000;; *) more=;; esac
target=$2; shift 2
"$@"; echo "first $?"
test -e "$target/global/pg_control" && echo started
ls -A "$target" | head -n 1
mount -t tmpfs -o "remount,size=16m$more" none "$target" || exit 99
"$@" 2>/dev/null; echo "again $?"
find "$target" -mindepth 1 -delete
"$@"; echo "second $?"
test -e "$target/global/pg_control" && cat "$target/base/large" | wc -c
"""


@tap.check("a file system that is full at any moment is told; with room the next try succeeds")
def _(t):
    own = ["unshare", "--user", "--map-root-user", "--mount"]
    if t.run(own + ["true"]).code != 0:
        t.skip("no user namespaces: nobody but root can mount a small file system")
    setup, backup = make(t, usual=False)
    backup.part_size = 20000
    backup.usual(control=False)
    backup.file("base/large", bytes(i * 11 % 253 for i in range(100000)))
    backup.file("global/pg_control", backups.CONTROL)
    backup.write()
    target = t.dir / "target"
    target.mkdir(mode=0o700)
    argv = setup.argv("seawall-restore", "--latest", "--target-dir", target)
    full = ["size=%dk" % k for k in range(4, 148, 12)] + ["size=1m,nr_inodes=%d" % n
                                                          for n in range(2, 12, 2)]
    for options in full:
        result = t.run(own + ["sh", "-c", FULL_DISK, "-", options, target] + argv)
        said = [line for line in result.out.split("\n")
                if re.match(r"(first|again|second) |started|\.seawall|\d+$", line)]
        first, rest = said[0], said[1:]
        t.equal(first, "first 13", "%s: %s" % (options, result.err))
        t.contains(result.err, "No space left on device", options)
        if rest[0] == ".seawall-restore-incomplete":
            t.contains(result.err, "is incomplete and cannot be started", options)
            t.equal(rest.pop(0), ".seawall-restore-incomplete", "the marker")
            t.equal(rest.pop(0), "again 13", "onto what is there, with " + options)
        else:
            rest.pop(0)
        t.equal(rest, ["second 0", "100000"], "with room after " + options)


@damaged("with two parts swapped", 15, "part ")
def _(backup, t):
    backup.write()
    one, two = (backup.path(t.dir / "a", "part-0000000%d" % i) for i in (1, 2))
    one.rename(t.dir / "x")
    two.rename(one)
    (t.dir / "x").rename(two)


@damaged("with a part of another backup", 15, "part 2 of backup " + backups.LABEL)
def _(backup, t):
    backup.write()
    other = backups.Backup(backup.setup, backup.stores, label="20261122T153601Z").usual().write()
    archived.rewrite(backup.path(t.dir / "a", "part-00000002"),
                     other.path(t.dir / "a", "part-00000002").read_bytes())


@damaged("with a part cut short", 15, "part 3 of backup " + backups.LABEL)
def _(backup, t):
    backup.write()
    path = backup.path(t.dir / "a", "part-00000003")
    archived.rewrite(path, path.read_bytes()[:-1])


@tap.check("a part damaged in one store is a warning and comes from the next")
def _(t):
    setup, backup = make(t, "ab")
    backup.write()
    path = backup.path(t.dir / "a", "part-00000002")
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    archived.rewrite(path, bytes(data))
    result = restore(setup, t.dir / "target")
    t.equal(result.code, 0, "exit code: %s" % result.err)
    t.contains(result.err, "warning", "warning")
    t.contains(result.err, "part-00000002", "part")
    t.equal(seawall.crc32c((t.dir / "target/base/big").read_bytes()[:64]),
            seawall.crc32c(bytes(i * 7 % 251 for i in range(64))), "content")


@tap.check("every store may have another part damaged")
def _(t):
    setup, backup = make(t, "ab")
    backup.write()
    for store, number in (("a", 2), ("b", 4), ("b", 5), ("a", 6), ("b", 8)):
        path = backup.path(t.dir / store, "part-%08d" % number)
        archived.rewrite(path, path.read_bytes()[:-1])
    result = restore(setup, t.dir / "target")
    t.equal(result.code, 0, "exit code: %s" % result.err)
    t.equal((t.dir / "target/base/big").read_bytes(), bytes(i * 7 % 251 for i in range(20000)),
            "content")
    t.contains(result.err, 'part-00000002" in store "a"', "warning")


def damage(store, backup, number):
    path = backup.path(store, "part-%08d" % number)
    data = bytearray(path.read_bytes())
    data[-20] ^= 8
    archived.rewrite(path, bytes(data))


def lose(store, backup, number):
    backup.path(store, "part-%08d" % number).unlink()


def swap(store, backup, number):
    path, other = (backup.path(store, "part-%08d" % n) for n in (
        number, number % len(backup.parts) + 1))
    one, two = path.read_bytes(), other.read_bytes()
    archived.rewrite(path, two)
    archived.rewrite(other, one)


for _what, _code, _change in (("damaged", 15, damage), ("missing", 12, lose), ("swapped", 15, swap)):
    @tap.check("every part %s: in one store it comes from the other, in both it is refused" % _what)
    def _(t, code=_code, change=_change):
        setup, backup = make(t, "ab")
        backup.write()
        wanted = None
        for number in range(1, len(backup.parts) + 1):
            for store in "ab":
                tap.run(["cp", "-rp", t.dir / store / "main", t.dir / ("good-" + store)])
            for i, store in enumerate("ab"):
                change(t.dir / store, backup, number)
                result = restore(setup, t.dir / "target")
                t.equal(result.code, 0 if i == 0 else code, "part %d: %s" % (number, result.err))
                if i == 0:
                    content = {str(p.relative_to(t.dir / "target")): p.read_bytes()
                               for p in (t.dir / "target").rglob("*") if p.is_file()
                               and p.name not in ("backup_manifest", "postgresql.auto.conf")}
                    wanted = wanted or content
                    t.equal(content, wanted, "content without part %d in one" % number)
                else:
                    t.true(not (t.dir / "target/global/pg_control").exists(), "no pg_control")
                tap.run(["rm", "-rf", t.dir / "target"])
            for store in "ab":
                tap.run(["rm", "-rf", t.dir / store / "main"])
                (t.dir / ("good-" + store)).rename(t.dir / store / "main")


@tap.check("a part whose age header is damaged in both stores: either is told, key or damage")
def _(t):
    setup, backup = make(t, "ab")
    backup.write()
    for store in "ab":
        path = backup.path(t.dir / store, "part-00000002")
        data = bytearray(path.read_bytes())
        at = data.index(b"-> X25519 ")
        body = data.index(b"\n", at) + 5
        data[body] = ord("A") if data[body] != ord("A") else ord("B")
        archived.rewrite(path, bytes(data))
    refused(t, setup, 14, "the header of this one is damaged")
    result = setup.run("seawall-verify", "--backup", backups.LABEL)
    t.equal(result.code, 15, "verify: %s" % result.err)


def with_space(t, path):
    setup, backup = make(t, usual=False)
    backup.tablespaces = [(16384, path)]
    backup.usual(control=False)
    backup.dir("pg_tblspc/16384")
    backup.dir("pg_tblspc/16384/PG_15_202209061")
    backup.file("pg_tblspc/16384/PG_15_202209061/1", b"in the tablespace")
    backup.file("global/pg_control", backups.CONTROL)
    return setup, backup


@tap.check("tablespaces go where they are mapped, or where they were")
def _(t):
    setup, backup = with_space(t, t.dir / "was here")
    backup.write()
    for target, more, place in (("one", (), "was here"),
                                ("two", ("--tablespace", "16384=%s/a\\b" % t.dir), "a\\b")):
        result = restore(setup, t.dir / target, *more)
        t.equal(result.code, 0, "exit code: %s" % result.err)
        t.equal((t.dir / target / "pg_tblspc/16384").readlink(), t.dir / place, "link")
        t.equal((t.dir / place / "PG_15_202209061/1").read_bytes(), b"in the tablespace", "file")
        t.true("in_place" not in (t.dir / target / "postgresql.auto.conf").read_text(), "setting")
        t.equal((t.dir / target / "tablespace_map").read_text(),
                "16384 %s\n" % str(t.dir / place).replace("\\", "\\\\"), "map")


@tap.check("a tablespace in place is a directory of the data directory, and leads nowhere else")
def _(t):
    setup, backup = with_space(t, t.dir / "was here")
    backup.lines[-2:-2] = [{"type": "dir", "path": "pg_tblspc/16385", "mode": 0o700}]
    backup.n_dirs += 1
    backup.file("pg_tblspc/16385/x", b"in place")
    backup.write()
    t.equal(restore(setup, t.dir / "target").code, 0, "exit code")
    place = t.dir / "target/pg_tblspc/16385"
    t.true(place.is_dir() and not place.is_symlink(), "directory")
    t.equal((place / "x").read_bytes(), b"in place", "file")
    t.contains((t.dir / "target/postgresql.auto.conf").read_text(),
               "\nallow_in_place_tablespaces = 'on'\n", "the setting recovery demands")
    t.equal((t.dir / "target/tablespace_map").read_text(), "16384 %s\n" % (t.dir / "was here"),
            "map")


@tap.check("tablespaces are refused where something is, and mappings that cannot be")
def _(t):
    setup, backup = with_space(t, t.dir / "was here")
    backup.write()
    target = t.dir / "target"
    (t.dir / "full").mkdir()
    (t.dir / "full" / "x").touch()
    for code, text, mappings in (
            (13, "is not empty", ["16384=%s/full" % t.dir]),
            (13, "inside one another", ["16384=%s/x" % target]),
            (13, "inside one another", ["16384=%s" % target]),
            (14, "not absolute", ["16384=relative"]),
            (14, "has no tablespace 5", ["5=/x"]),
            (14, "twice", ["16384=/x", "16384=/y"]),
            (14, "OID=DIR", ["x=/y"]), (14, "OID=DIR", ["16384"]), (14, "OID=DIR", ["0=/x"])):
        more = [word for m in mappings for word in ("--tablespace", m)]
        (t.dir / "target").mkdir(exist_ok=True)
        result = refused(t, setup, code, text, *more, begun=False)
        t.equal(list(target.iterdir()), [], "nothing was written: %s" % result.err)


@tap.check("a restore that is killed at any moment leaves nothing that starts")
def _(t):
    setup, backup = make(t)
    backup.write()
    argv = setup.argv("seawall-restore", "--backup-end", "--backup", backups.LABEL, "--target-dir",
                      t.dir / "target")
    count = seawall.killat(t, argv)
    t.equal(count.code, 0, "without a kill: %s" % count.err)
    tap.run(["rm", "-rf", t.dir / "target"])
    complete = 0
    for at in sorted(set(range(1, count.stops + 1, max(1, count.stops // 40)))
                     | set(range(count.stops - 15, count.stops + 1))):
        killed = seawall.killat(t, argv, at=at, sig=signal.SIGKILL)
        target = t.dir / "target"
        if (target / "global" / "pg_control").exists():
            complete += 1
            t.true((target / "recovery.signal").exists() and
                   (target / "backup_label").read_text() == backups.LABEL_TEXT and
                   len((target / "base/big").read_bytes()) == 20000, "complete at stop %d" % at)
        elif target.exists() and list(target.iterdir()):
            again = restore(setup, target)
            t.equal(again.code, 13, "again after stop %d" % at)
            t.contains(again.err, "interrupted", "again")
        t.true(killed.sent or killed.code == 0, "killed at %d" % at)
        tap.run(["rm", "-rf", target])
    t.true(complete > 0, "some ran to the end")


@tap.check("the command line is refused before anything is asked")
def _(t):
    setup, _ = make(t)
    for words, text in ((["--latest"], "--target-dir is missing"),
                        (["--target-dir", t.dir / "x"], ""),
                        (["--latest", "--target-dir", t.dir / "x", "--target-action", "pause"],
                         "needs a target"),
                        (["--xid", "900", "--target-dir", t.dir / "x", "--target-action", "fly"],
                         "pause, promote or shutdown"),
                        (["--plan", "p", "--latest", "--target-dir", t.dir / "x"], "--plan says"),
                        (["--latest", "--system-id", "x", "--target-dir", t.dir / "x"],
                         "not a number")):
        result = setup.run("seawall-restore", *words)
        t.equal(result.code, 14, "exit code of %r: %s" % (words, result.err))
        t.contains(result.err, text, "message")
        t.true(not re.search("Traceback|runtime error", result.err), "no crash")


tap.main()
