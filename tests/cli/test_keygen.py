# SPDX-License-Identifier: PostgreSQL
"""seawall keygen: the keys of a new archive, and the lines to paste."""
import os
import re
import resource

import seawall
import tap
from archived import MIB, bech32_bytes, writer_public

FILES = ("identity.txt", "writer.key")


def keygen(t, *args, code=0, **options):
    result = tap.run([seawall.program("seawall-keygen")] + list(args), cwd=str(t.dir), **options)
    t.equal(result.code, code, "keygen %s: %s" % (args, result.err))
    return result


def state(directory):
    return {f.name: (f.read_bytes(), f.lstat().st_ino, f.lstat().st_mtime_ns)
            for f in sorted(directory.iterdir())}


@tap.check("it makes two private files, and the directory if need be")
def _(t):
    keygen(t, "--dir", "new")
    t.equal((t.dir / "new").stat().st_mode & 0o777, 0o700, "mode of the directory")
    t.equal(sorted(os.listdir(t.dir / "new")), sorted(FILES), "files")
    for name in FILES:
        t.equal((t.dir / "new" / name).stat().st_mode & 0o7777, 0o600, "mode of " + name)
    (t.dir / "there").mkdir(mode=0o750)
    keygen(t, "--dir", t.dir / "there")
    t.equal((t.dir / "there").stat().st_mode & 0o777, 0o750, "an existing one keeps its mode")


@tap.check("neither file is overwritten, and nothing is touched")
def _(t):
    for name in FILES:
        for make in (lambda p: p.write_bytes(b"precious"), lambda p: p.symlink_to("nowhere"),
                     lambda p: p.write_bytes(b"")):
            directory = t.dir / "keys"
            directory.mkdir()
            make(directory / name)
            before = sorted(os.listdir(directory)), (directory / name).lstat()
            result = keygen(t, "--dir", directory, code=13)
            t.contains(result.err, name, "names the file")
            t.equal(result.out, "", "stdout")
            t.equal((sorted(os.listdir(directory)), (directory / name).lstat()), before, "directory")
            (directory / name).unlink()
            directory.rmdir()
    keygen(t, "--dir", "both")
    before = state(t.dir / "both")
    keygen(t, "--dir", "both", code=13)
    t.equal(state(t.dir / "both"), before, "both")


@tap.check("no secret is printed, and two runs make different keys")
def _(t):
    outs = []
    for name in "ab":
        result = keygen(t, "--dir", name)
        outs.append(result.out)
        for file in FILES:
            for line in (t.dir / name / file).read_text().split("\n"):
                if line and not line.startswith("#"):
                    t.true(line not in result.out + result.err, "a secret of " + file)
    t.true(set(re.findall(r"(?:age|swwriter)1\w+", outs[0])).isdisjoint(
        re.findall(r"(?:age|swwriter)1\w+", outs[1])), "public keys")


@tap.check("age-keygen and openssl derive the printed public keys")
def _(t):
    out = keygen(t, "--dir", "seawall").out
    recipient = re.search(r'recipients = \( "(age1\w+)" \)', out)[1]
    result = t.run(["age-keygen", "-y", t.dir / "seawall" / "identity.txt"], code=0)
    t.equal(result.out.strip(), recipient, "recipient")

    class Keys:
        dir = t.dir / "seawall"
    writer = re.search(r'writers = \( "(swwriter1\w+)" \)', out)[1]
    t.equal(bech32_bytes(writer), bech32_bytes(writer_public(Keys)), "writer")


@tap.check("the identity works with the age tool")
def _(t):
    out = keygen(t, "--dir", "k").out
    recipient = re.search(r"age1\w+", out)[0]
    (t.dir / "plain").write_bytes(b"hello\n" * 1000)
    t.run(["age", "-r", recipient, "-o", "sealed", "plain"], code=0)
    t.run(["age", "-d", "-i", "k/identity.txt", "-o", "back", "sealed"], code=0)
    t.equal((t.dir / "back").read_bytes(), b"hello\n" * 1000, "bytes")


@tap.check("the printed lines, pasted, archive and restore; the age tool opens what they stored")
def _(t):
    for number, name in enumerate(("seawall", "with blank", 'quo"te', "back\\slash")):
        base = t.dir / str(number)
        base.mkdir()
        out = keygen(t, "--dir", base / name).out
        (base / "a").mkdir()
        config = base / "seawall.conf"
        config.write_text('cluster = "main";\nstores = ( { name = "a"; url = "file://%s"; } );\n%s' % (
            base / "a", out))
        config.chmod(0o600)
        pgdata = seawall.Pgdata(base / "data", segment_size=MIB)
        path = pgdata.write_segment(7)
        push = tap.run([seawall.program("seawall-push"), "--config", config, path], cwd=pgdata.dir)
        t.equal((push.code, push.err), (0, ""), "push")
        fetch = tap.run([seawall.program("seawall-fetch"), "--config", config, pgdata.name(7),
                         "pg_wal/RECOVERYXLOG"], cwd=pgdata.dir)
        t.equal((fetch.code, fetch.err), (0, ""), "fetch")
        t.equal((pgdata.wal / "RECOVERYXLOG").read_bytes(), pgdata.segment(7), "bytes")


@tap.check("what cannot be written is 13 and leaves no half pair; usage is 14")
def _(t):
    (t.dir / "locked").mkdir(mode=0o500)
    keygen(t, "--dir", "locked", code=13)
    keygen(t, "--dir", "no/such/parent", code=13)
    (t.dir / "file").write_text("x")
    keygen(t, "--dir", "file", code=13)
    (t.dir / "full").mkdir()
    for size in (0, 100):
        limit = (size, resource.getrlimit(resource.RLIMIT_FSIZE)[1])
        result = tap.run(["prlimit", "--fsize=%d:%d" % limit, "--", seawall.program("seawall-keygen"),
                          "--dir", t.dir / "full"])
        t.equal(result.code, 13, "no room: " + result.err)
        t.equal(os.listdir(t.dir / "full"), [], "left behind")
    for args in ((), ("--dir",), ("--dir", ""), ("x",), ("--dir", "d", "x"), ("--force",)):
        keygen(t, *args, code=14)
    t.true(not (t.dir / "d").exists(), "usage errors make nothing")
    for option in ("--help", "--version"):
        t.contains(keygen(t, option).out, "seawall-keygen", option)


@tap.check("stdout that is full is 13, and the keys are there all the same")
def _(t):
    result = tap.run(["sh", "-c", '"$0" --dir k >/dev/full', seawall.program("seawall-keygen")],
                     cwd=str(t.dir))
    t.equal(result.code, 13, result.err)
    t.equal(sorted(os.listdir(t.dir / "k")), sorted(FILES), "files")


tap.main()
