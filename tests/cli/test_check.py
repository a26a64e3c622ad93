# SPDX-License-Identifier: PostgreSQL
"""seawall check without a server: configuration, keys and directory stores."""
import json
import re

import models3
import seawall
import tap


def make(t, stores="a", **settings):
    return seawall.Setup(t.dir, [seawall.dir_store(s, t.dir / s) for s in stores], **settings)


def check(setup, *args, **options):
    """The exit code, and the rows by name."""
    result = setup.run("seawall-check", "--json", "--no-server", *args, **options)
    document = json.loads(result.out)
    failed = [row for row in document["checks"] if row["status"] == "failed"]
    assert document["ok"] == (not failed) == (result.code == 0), result
    for row in document["checks"]:
        assert list(row) == ["group", "name", "status", "detail", "hint"], row
        assert row["status"] in ("ok", "warning", "failed"), row
    return result.code, {row["name"]: row for row in document["checks"]}


@tap.check("good keys and stores pass, and nothing is left behind")
def _(t):
    setup = make(t, "ab")
    code, rows = check(setup)
    t.equal(code, 0, "exit code")
    t.equal(sorted(rows), ["absence", "acknowledge", "conditional-create", "decryption", "delete",
                           "format", "keys", "list", "read-after-write", "settings", "space"],
            "names")
    t.equal(seawall.stored(t.dir / "a") + seawall.stored(t.dir / "b"), [], "left behind")
    t.contains(rows["acknowledge"]["detail"], "two primaries", "acknowledge 1 of 2")
    setup.write(acknowledge=2)
    t.true("two primaries" not in check(setup)[1]["acknowledge"]["detail"], "acknowledge 2 of 2")


@tap.check("a person reads one line per check below the name of its group")
def _(t):
    setup = make(t, "ab")
    (t.dir / "b").rmdir()
    result = setup.run("seawall-check", "--no-server")
    t.equal(result.code, 10, "exit code")
    lines = result.out.split("\n")
    t.equal(lines[0], "configuration and keys", "first line")
    t.true('store "a" (file://%s)' % (t.dir / "a") in lines, "heading of a")
    t.true('ok      store "a": creates only if absent (link)' in lines, "line")
    at = [i for i, line in enumerate(lines) if line.startswith("FAILED  ")]
    t.equal(len(at), 1, "failures")
    t.contains(lines[at[0]], 'store "b"', "failure")
    t.true(lines[at[0] + 1].startswith("        hint: "), "hint")
    shape = r"(ok      |WARNING |FAILED  |        hint: |store |configuration |$)"
    t.true(all(re.match(shape, line) for line in lines), "shape of %r" % lines)
    t.equal(result.err, "seawall-check: error: 1 of %d checks failed\n"
            % sum(line[:8] in ("ok      ", "WARNING ", "FAILED  ") for line in lines), "error")


@tap.check("a store that is not there fails alone")
def _(t):
    setup = make(t, "ab")
    (t.dir / "a").rmdir()
    code, rows = check(setup)
    t.equal((code, rows["reach"]["status"]), (10, "failed"), "store a")
    t.equal(rows["delete"]["status"], "ok", "store b")


@tap.check("a store that cannot be written to is refused, by the first failure's exit code")
def _(t):
    setup = make(t, "ab")
    (t.dir / "a").chmod(0o500)
    (t.dir / "b").rmdir()
    code, rows = check(setup)
    t.equal((code, rows["put"]["status"]), (11, "failed"), "put")


@tap.check("settings that are wrong fail with file and line, and nothing else is tried")
def _(t):
    setup = make(t)
    setup.write(acknowledge=2)
    code, rows = check(setup)
    t.equal((code, list(rows)), (14, ["settings"]), "acknowledge of 2 for one store")
    t.contains(rows["settings"]["detail"], str(setup.config), "file")
    setup.config.unlink()
    t.equal(check(setup)[0], 14, "no file")


@tap.check("keys that others can read, or that are missing, fail")
def _(t):
    setup = make(t)
    (setup.dir / "writer.key").chmod(0o644)
    code, rows = check(setup)
    t.equal((code, rows["keys"]["status"]), (14, "failed"), "writer key for all")
    t.true(rows["keys"]["hint"], "hint")
    (setup.dir / "writer.key").chmod(0o600)
    (setup.dir / "identity.txt").chmod(0o644)
    code, rows = check(setup)
    t.equal((code, rows["decryption"]["status"]), (14, "failed"), "identity for all")
    (setup.dir / "identity.txt").unlink()
    code, rows = check(setup)
    t.equal((code, rows["decryption"]["status"]), (14, "failed"), "identity missing")
    (setup.dir / "writer.key").unlink()
    code, rows = check(setup)
    t.equal((code, rows["keys"]["status"]), (14, "failed"), "writer key missing")


@tap.check("an identity that opens nothing of what is written fails")
def _(t):
    setup = make(t)
    other = t.dir / "other"
    other.mkdir()
    recipient = seawall.make_keys(other)
    setup.write(encryption={"recipients": [recipient], "identity_file": "identity.txt"})
    code, rows = check(setup)
    t.equal((code, rows["decryption"]["status"]), (14, "failed"), "mismatch")
    t.contains(rows["decryption"]["detail"],
               "no configured identity can decrypt what this host writes", "text")
    t.contains(rows["decryption"]["hint"], setup.recipient, "hint names the recipient")
    setup.write(encryption={"recipients": [recipient, setup.recipient],
                            "identity_file": "identity.txt"})
    t.equal(check(setup)[0], 0, "one of two recipients")


@tap.check("a host without an identity is write-only, and an unencrypted archive is said to be one")
def _(t):
    setup = make(t)
    setup.write(encryption={"recipients": [setup.recipient]})
    code, rows = check(setup)
    t.equal(code, 0, "exit code")
    t.contains(rows["decryption"]["detail"], "write-only host", "identity")
    setup.write(encryption="none")
    code, rows = check(setup)
    t.equal(code, 0, "exit code")
    t.contains(rows["decryption"]["detail"], 'encryption = "none"', "none")


@tap.check("writers that leave out this host's own key fail with the key to add")
def _(t):
    setup = make(t)
    other = t.dir / "other"
    other.mkdir()
    made = tap.run([seawall.program("seawall-keygen"), "--dir", str(other / "keys")])
    theirs = re.search(r"swwriter1[a-z0-9]+", made.out)[0]
    setup.write(writers=[theirs])
    code, rows = check(setup)
    t.equal((code, rows["format"]["status"]), (14, "failed"), "format")
    ours = re.search(r"swwriter1[a-z0-9]+", rows["format"]["hint"])[0]
    setup.write(writers=[theirs, ours])
    t.equal(check(setup)[0], 0, "both")


@tap.check("every compression passes")
def _(t):
    setup = make(t)
    for compression in ("lz4", "zstd", "none"):
        setup.write(compression=compression)
        t.equal(check(setup)[0], 0, compression)


@tap.check("no secret is printed")
def _(t):
    setup = make(t)
    text = "".join((setup.dir / name).read_text() for name in ("identity.txt", "writer.key"))
    secrets = re.findall(r"(?:AGE-SECRET-KEY|SEAWALL-WRITER-KEY)-1[A-Z0-9]+", text)
    t.equal(len(secrets), 2, "secrets")
    for args in ((), ("--json",)):
        result = setup.run("seawall-check", "--no-server", *args)
        t.true(not any(s in result.out + result.err for s in secrets), "leak")


def check_s3(t, **behaviour):
    """Rows of the only store, a bucket that behaves so; and what the bucket holds afterwards."""
    s3 = t.enter(models3.Bucket(**behaviour))
    directory = t.dir / ("s3-%d" % s3.port)
    directory.mkdir()
    code, rows = check(seawall.Setup(directory, [s3.store("x")]), env=models3.ENV)
    return code, rows, sorted(s3.objects)


@tap.check("a good bucket passes, and keeps only the probe object")
def _(t):
    code, rows, kept = check_s3(t)
    t.equal({name: row["detail"] for name, row in rows.items() if row["status"] != "ok"}, {},
            "rows")
    t.equal((code, kept), (0, ["root/main/probe/conditional"]), "verdict")
    t.contains(rows["conditional-create"]["detail"], "If-None-Match honoured", "condition")
    t.contains(rows["delete"]["detail"], "Object Lock", "delete")


@tap.check("a bucket that overwrites objects fails, with the probe object and with a new one")
def _(t):
    code, rows, kept = check_s3(t, condition="ignored")
    t.equal((code, rows["probe"]["status"], rows["conditional-create"]["status"]),
            (11, "failed", "failed"), "verdict")
    t.contains(rows["conditional-create"]["detail"], "overwrites existing objects", "detail")
    t.contains(rows["conditional-create"]["hint"], "Ceph", "hint")
    t.equal(rows["read-after-write"]["status"], "ok", "what replaced it is read")


@tap.check("without ListBucket the missing permission is named")
def _(t):
    code, rows, kept = check_s3(t, forbids=("absent", "list"))
    t.equal(code, 11, "exit code")
    for name in ("absence", "list"):
        t.equal(rows[name]["status"], "failed", name)
        t.contains(rows[name]["hint"], "s3:ListBucket", name)


@tap.check("append-only credentials are fine, and what stays is named")
def _(t):
    code, rows, kept = check_s3(t, forbids=("delete",))
    t.equal((code, rows["delete"]["status"]), (0, "ok"), "verdict")
    t.contains(rows["delete"]["detail"], "cannot delete", "detail")
    t.contains(rows["delete"]["detail"], kept[0].partition("/")[2], "what stays")


@tap.check("credentials that cannot write end the checks of that store")
def _(t):
    code, rows, kept = check_s3(t, forbids=("put",))
    t.equal((code, rows["reach"]["status"], "delete" in rows), (11, "failed", False), "verdict")


@tap.check("a bucket that gives back other bytes, or lists late, fails")
def _(t):
    code, rows, kept = check_s3(t, spoils=True)
    t.equal((code, rows["read-after-write"]["status"]), (15, "failed"), "spoils")
    code, rows, kept = check_s3(t, stale=True)
    t.equal((code, rows["list"]["status"]), (12, "failed"), "stale")
    t.contains(rows["list"]["hint"], "eventually_consistent = true", "hint")


@tap.check("a clock a minute off is a warning, ten minutes are a failure")
def _(t):
    code, rows, kept = check_s3(t, clock_s=-5)
    t.equal((code, rows["clock"]["status"]), (0, "ok"), "seconds")
    code, rows, kept = check_s3(t, clock_s=200)
    t.equal((code, rows["clock"]["status"]), (0, "warning"), "minutes")
    t.contains(rows["clock"]["detail"], "behind", "direction")
    code, rows, kept = check_s3(t, clock_s=-3000)
    t.equal((code, rows["clock"]["status"]), (11, "failed"), "an hour")
    t.contains(rows["clock"]["detail"], "ahead of", "direction")


@tap.check("a wrong command line is a configuration error")
def _(t):
    setup = make(t)
    for args in (("--nonsense",), ("argument",), ("--no-server=yes",)):
        t.equal(setup.run("seawall-check", *args).code, 14, repr(args))
    t.equal(tap.run([seawall.program("seawall-check"), "--help"]).code, 0, "--help")


tap.main()
