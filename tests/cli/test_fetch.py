# SPDX-License-Identifier: PostgreSQL
"""seawall-fetch on directory stores: exact or nothing, proven absence, and the exit codes."""
import os
import signal
import subprocess
import time

import models3
import seawall
import tap
from archived import MIB, bring_back, object_path, push_all, rewrite, setup_with, writer_public

XLOG = "pg_wal/RECOVERYXLOG"
HISTORY = "1\t0/700000\tno recovery target specified\n"


def nothing(t, pgdata):
    t.true(not (pgdata.dir / XLOG).exists(), "nothing at %p")
    left = [f for f in os.listdir(pgdata.wal) if f.startswith(".seawall")]
    t.equal(left, [], "temporary files")


@tap.check("the fetched file is byte-exact, private and complete")
def _(t):
    setup, pgdata = setup_with(t)
    push_all(t, setup, pgdata, [7])
    result = setup.fetch(pgdata, pgdata.name(7), XLOG)
    t.equal((result.code, result.err), (0, ""), "fetch")
    t.equal((pgdata.dir / XLOG).read_bytes(), pgdata.segment(7), "bytes")
    t.equal((pgdata.dir / XLOG).stat().st_mode & 0o777, 0o600, "mode")


@tap.check("the end of WAL is 1: absent, nothing later, and the store knows this server")
def _(t):
    setup, pgdata = setup_with(t)
    push_all(t, setup, pgdata, [6, 7])
    result = setup.fetch(pgdata, pgdata.name(8), XLOG)
    t.equal((result.code, result.err), (1, ""), "exit code")
    nothing(t, pgdata)
    for name in ("00000002.history", pgdata.name(7) + ".partial", pgdata.name(6) + ".00000028.backup",
                 "00000001.history"):
        t.equal(setup.fetch(pgdata, name, XLOG).code, 1, name)


@tap.check("a server that is promoted is told 1 for its own history, without stores; nobody else is")
def _(t):
    setup, pgdata = setup_with(t)
    push_all(t, setup, pgdata, [6])
    (t.dir / "a").rename(t.dir / "away")
    setup.write(fetch_timeout=5)
    path = "pg_wal/RECOVERYHISTORY"
    result = setup.fetch(pgdata, "00000001.history", path)
    t.equal(result.code, 1, result.err)
    # not another question of the same moment, and not another place
    for name, where in (("00000002.history", path), (pgdata.name(7), path),
                        ("00000001.history", XLOG), ("00000001.history", t.dir / "x")):
        t.equal(setup.fetch(pgdata, name, where).code, 200, "%s %s" % (name, where))
    (pgdata.wal / "00000002.history").write_text("")
    t.equal(setup.fetch(pgdata, "00000002.history", path).code, 200, "an empty file is none")
    (pgdata.wal / "00000002.history").write_text(HISTORY)
    for agent in (False, True):
        result = setup.fetch(pgdata, "00000002.history", path, agent=agent)
        t.equal(result.code, 1, result.err)
        t.contains(result.err, "has its own", "told")
    for name in ("recovery.signal", "standby.signal"):
        (pgdata.dir / name).touch()
        setup.write(standby_on_error="stop")
        for history in ("00000001.history", "00000002.history"):
            t.equal(setup.fetch(pgdata, history, path).code, 200, "%s %s" % (name, history))
        (pgdata.dir / name).unlink()
    nothing(t, pgdata)


@tap.check("a missing middle segment is 203 and names the later one")
def _(t):
    setup, pgdata = setup_with(t)
    push_all(t, setup, pgdata, [5, 6, 7, 8])
    object_path(t.dir / "a", pgdata.name(6)).unlink()
    result = setup.fetch(pgdata, pgdata.name(6), XLOG)
    t.equal(result.code, 203, result.err)
    t.contains(result.err, pgdata.name(7), "the later one")
    t.contains(result.err, "gap", "hint")
    nothing(t, pgdata)


@tap.check("a gap across a log boundary is seen")
def _(t):
    setup, pgdata = setup_with(t)
    push_all(t, setup, pgdata, [4094, 4096])
    result = setup.fetch(pgdata, pgdata.name(4095), XLOG)
    t.equal(result.code, 203, result.err)


@tap.check("a gap whose segment the server has itself is 1 with a warning")
def _(t):
    setup, pgdata = setup_with(t)
    push_all(t, setup, pgdata, [6, 7, 8])
    object_path(t.dir / "a", pgdata.name(7)).unlink()
    pgdata.write_segment(7)
    result = setup.fetch(pgdata, pgdata.name(7), XLOG)
    t.equal(result.code, 1, result.err)
    t.contains(result.err, "warning:", "warning")
    pgdata.write(pgdata.name(7), pgdata.segment(9))
    t.equal(setup.fetch(pgdata, pgdata.name(7), XLOG).code, 203, "a copy that does not fit")


@tap.check("other timelines do not make a gap")
def _(t):
    setup, pgdata = setup_with(t)
    push_all(t, setup, pgdata, [6, 7])
    child = seawall.Pgdata(t.dir / "child", segment_size=MIB, timeline=2)
    push_all(t, setup, child, [7, 8, 9])
    t.equal(setup.fetch(pgdata, pgdata.name(8), XLOG).code, 1, "end of timeline 1")
    t.equal(setup.fetch(pgdata, child.name(10), XLOG).code, 1, "end of timeline 2")


@tap.check("a missing history file is 203 when a later one, or its timeline's WAL, exists")
def _(t):
    setup, pgdata = setup_with(t)
    push_all(t, setup, pgdata, [6])
    t.equal(setup.fetch(pgdata, "00000002.history", XLOG).code, 1, "nothing of timeline 2")
    t.equal(setup.push(pgdata, pgdata.write("00000003.history", HISTORY.encode())).code, 0, "push")
    result = setup.fetch(pgdata, "00000002.history", XLOG)
    t.equal(result.code, 203, "a later history: " + result.err)
    t.contains(result.err, "recovery_target_timeline", "hint")
    t.equal(setup.fetch(pgdata, "00000004.history", XLOG).code, 1, "behind the last")
    child = seawall.Pgdata(t.dir / "child", segment_size=MIB, timeline=5)
    push_all(t, setup, child, [7])
    t.equal(setup.fetch(pgdata, "00000005.history", XLOG).code, 203, "WAL of that timeline")
    t.equal(setup.fetch(pgdata, "00000001.history", XLOG).code, 1, "timeline 1 has none")


@tap.check("a store that knows nothing of this server proves nothing: wrong cluster, wrong root, empty mount")
def _(t):
    setup, pgdata = setup_with(t)
    t.equal(setup.fetch(pgdata, pgdata.name(1), XLOG).code, 203, "empty store")
    push_all(t, setup, pgdata, [1])
    t.equal(setup.fetch(pgdata, pgdata.name(2), XLOG).code, 1, "known server")
    setup.write(cluster="typo")
    result = setup.fetch(pgdata, pgdata.name(2), XLOG)
    t.equal(result.code, 203, "wrong cluster")
    t.contains(result.err, "typo", "names the cluster")
    setup.write(cluster="main", stores=[seawall.dir_store("a", t.dir / "a" / "deeper")])
    t.equal(setup.fetch(pgdata, pgdata.name(2), XLOG).code, 203, "wrong root")
    other = seawall.Pgdata(t.dir / "other", segment_size=MIB, system_id=5)
    setup.write(stores=[seawall.dir_store("a", t.dir / "a")])
    t.equal(setup.fetch(other, other.name(2), XLOG).code, 203, "another server")


@tap.check("absence needs N - K + 1 stores: one absent and one away is 200, never 1")
def _(t):
    setup, pgdata = setup_with(t, "ab", fetch_timeout=5)
    push_all(t, setup, pgdata, [7])
    t.equal(setup.fetch(pgdata, pgdata.name(8), XLOG).code, 1, "both say so")
    (t.dir / "b").rename(t.dir / "gone")
    result = setup.fetch(pgdata, pgdata.name(8), XLOG)
    t.equal(result.code, 200, result.err)
    t.equal(setup.fetch(pgdata, pgdata.name(7), XLOG).code, 0, "what the other has is served")
    (t.dir / "gone").rename(t.dir / "b")
    setup.write(acknowledge=2)
    (t.dir / "a").rename(t.dir / "gone")
    t.equal(setup.fetch(pgdata, pgdata.name(8), XLOG).code, 1, "with K = 2 of 2 one store suffices")


@tap.check("absence in one store and a copy in the other is 0")
def _(t):
    setup, pgdata = setup_with(t, "ab")
    push_all(t, setup, pgdata, [7])
    object_path(t.dir / "a", pgdata.name(7)).unlink()
    t.equal(bring_back(t, setup, pgdata, pgdata.name(7)), pgdata.segment(7), "bytes")


@tap.check("a corrupt copy is a warning and the next store is read; corrupt everywhere is 201")
def _(t):
    setup, pgdata = setup_with(t, "ab")
    push_all(t, setup, pgdata, [7])
    for store in "ab":
        path = object_path(t.dir / store, pgdata.name(7))
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 0x10
        rewrite(path, data)
        result = setup.fetch(pgdata, pgdata.name(7), XLOG)
        if store == "a":
            t.equal(result.code, 0, result.err)
            t.contains(result.err, "warning:", "warning")
            t.equal((pgdata.dir / XLOG).read_bytes(), pgdata.segment(7), "bytes")
            (pgdata.dir / XLOG).unlink()
        else:
            t.equal(result.code, 201, result.err)
            nothing(t, pgdata)


@tap.check("corrupt in one store and absent in the other is 201, never 1")
def _(t):
    setup, pgdata = setup_with(t, "ab")
    push_all(t, setup, pgdata, [6, 7])
    object_path(t.dir / "a", pgdata.name(7)).unlink()
    path = object_path(t.dir / "b", pgdata.name(7))
    rewrite(path, path.read_bytes()[:-1])
    result = setup.fetch(pgdata, pgdata.name(7), XLOG)
    t.equal(result.code, 201, result.err)


@tap.check("every byte region flipped, every kind of cut, anything appended: 201 and nothing at %p")
def _(t):
    setup, pgdata = setup_with(t)
    push_all(t, setup, pgdata, [7])
    path = object_path(t.dir / "a", pgdata.name(7))
    good = path.read_bytes()
    size = len(good)
    mutilated = {"empty": b"", "appended": good + b"x", "twice": good + good}
    for cut in (1, 20, 100, 500, 600, 1000, size // 2, size - 16, size - 1):
        mutilated["cut at %d" % cut] = good[:cut]
    for at in list(range(0, 900, 23)) + list(range(900, size, size // 40)) + [size - 1]:
        mutilated["flip at %d" % at] = good[:at] + bytes([good[at] ^ 1]) + good[at + 1:]
    for what, data in mutilated.items():
        rewrite(path, data)
        result = setup.fetch(pgdata, pgdata.name(7), XLOG)
        # a flipped writer key id is an unknown writer, a flipped version a newer format: 202
        t.true(result.code in (201, 202), "%s: %d %s" % (what, result.code, result.err))
        if not what.startswith("flip"):
            t.equal(result.code, 201, what)
        nothing(t, pgdata)
    rewrite(path, good)
    t.equal(setup.fetch(pgdata, pgdata.name(7), XLOG).code, 0, "the original")


@tap.check("a valid object of another name, cluster, timeline or system under this name is 201")
def _(t):
    setup, pgdata = setup_with(t)
    push_all(t, setup, pgdata, [6, 7])
    here = object_path(t.dir / "a", pgdata.name(7))
    rewrite(here, object_path(t.dir / "a", pgdata.name(6)).read_bytes())
    t.equal(setup.fetch(pgdata, pgdata.name(7), XLOG).code, 201, "another name")
    other = seawall.Pgdata(t.dir / "other", segment_size=MIB, system_id=5)
    push_all(t, setup, other, [7])
    rewrite(here, object_path(t.dir / "a", pgdata.name(7), system_id=5).read_bytes())
    t.equal(setup.fetch(pgdata, pgdata.name(7), XLOG).code, 201, "another system")
    setup.write(cluster="second")
    push_all(t, setup, pgdata, [7])
    rewrite(here, object_path(t.dir / "a", pgdata.name(7), cluster="second").read_bytes())
    setup.write(cluster="main")
    t.equal(setup.fetch(pgdata, pgdata.name(7), XLOG).code, 201, "another cluster")


@tap.check("an object a stranger encrypted to us is never served")
def _(t):
    setup, pgdata = setup_with(t, "ab")
    push_all(t, setup, pgdata, [7])
    (t.dir / "other").mkdir()
    stranger = seawall.Setup(t.dir / "other", [seawall.dir_store("x", t.dir / "x")],
                             encryption={"recipients": [setup.recipient]})
    push_all(t, stranger, pgdata, [7])
    planted = object_path(t.dir / "x", pgdata.name(7)).read_bytes()
    rewrite(object_path(t.dir / "a", pgdata.name(7)), planted)
    result = setup.fetch(pgdata, pgdata.name(7), t.dir / "back")
    t.equal(result.code, 0, "the other store's copy: " + result.err)
    t.contains(result.err, "warning:", "the stranger's is told")
    t.equal((t.dir / "back").read_bytes(), pgdata.segment(7), "bytes")
    rewrite(object_path(t.dir / "b", pgdata.name(7)), planted)
    result = setup.fetch(pgdata, pgdata.name(7), XLOG)
    t.equal(result.code, 202, "in both stores: " + result.err)
    t.contains(result.err, "not a configured writer", "message")
    nothing(t, pgdata)


@tap.check("a delete marker is 203 with the way back, and another store's copy is served")
def _(t):
    a, b = (t.enter(models3.Bucket(versioned=True)) for _ in "ab")
    setup = seawall.Setup(t.dir, [a.store("a"), b.store("b")], fetch_timeout=5)
    pgdata = seawall.Pgdata(t.dir / "data", segment_size=MIB)
    for number in (6, 7):
        path = pgdata.write_segment(number)
        t.equal(setup.push(pgdata, path, env=models3.ENV).code, 0, "push")
        (pgdata.dir / path).unlink()
    key = str(object_path("root", pgdata.name(7)))
    for bucket, code in ((a, 0), (b, 203)):
        bucket.delete(key)
        # what an agent has fetched ahead is as good as it was
        tap.stop_agents(os.environ["SEAWALL_RUNTIME_DIR"])
        for agent in (False, True):
            result = setup.fetch(pgdata, pgdata.name(7), XLOG, env=models3.ENV, agent=agent)
            t.equal(result.code, code, result.err)
            t.contains(result.err, 'the delete marker "v', "message")
            t.contains(result.err, "removing the delete marker", "hint")
            if code == 0:
                t.equal((pgdata.dir / XLOG).read_bytes(), pgdata.segment(7), "bytes")
                (pgdata.dir / XLOG).unlink()
            nothing(t, pgdata)
    (pgdata.dir / "standby.signal").touch()
    result = setup.fetch(pgdata, pgdata.name(7), XLOG, env=models3.ENV)
    t.equal(result.code, 1, "a standby: " + result.err)


@tap.check("a segment that was archived although its first page is wrong: 201, or 0 with a warning")
def _(t):
    setup, pgdata = setup_with(t, wal_check="warn")
    data = bytearray(pgdata.segment(7))
    data[24] ^= 1       # of the system identifier
    path = pgdata.write(pgdata.name(7), bytes(data))
    t.equal(setup.push(pgdata, path).code, 0, "push")
    (pgdata.dir / path).unlink()
    result = setup.fetch(pgdata, pgdata.name(7), XLOG)
    t.equal(result.code, 0, "wal_check = warn: " + result.err)
    t.contains(result.err, "although its first page is wrong", "warning")
    t.equal((pgdata.dir / XLOG).read_bytes(), bytes(data), "bytes")
    (pgdata.dir / XLOG).unlink()
    setup.write(wal_check=None)
    t.equal(setup.fetch(pgdata, pgdata.name(7), XLOG).code, 201, "by default")
    nothing(t, pgdata)


@tap.check("a segment of another size than the server's is 201")
def _(t):
    setup, pgdata = setup_with(t)
    push_all(t, setup, pgdata, [7])
    (pgdata.dir / "global" / "pg_control").write_bytes(
        seawall.pg_control(segment_size=16 * MIB))
    result = setup.fetch(pgdata, pgdata.name(7), XLOG)
    t.equal(result.code, 201, result.err)
    nothing(t, pgdata)


@tap.check("wrong identity, unknown writer, missing or loose key: 202 with the next step, never 1")
def _(t):
    setup, pgdata = setup_with(t)
    push_all(t, setup, pgdata, [7])

    def refused(what, *pieces):
        result = setup.fetch(pgdata, pgdata.name(7), XLOG)
        t.equal(result.code, 202, "%s: %s" % (what, result.err))
        for piece in pieces:
            t.contains(result.err, piece, what)
        nothing(t, pgdata)

    identity = setup.dir / "identity.txt"
    good = identity.read_bytes()
    other = tap.run(["age-keygen"]).out.encode()
    rewrite(identity, other)
    refused("wrong identity")
    rewrite(identity, good)
    identity.chmod(0o644)
    refused("loose identity", "identity.txt", "chmod")
    identity.unlink()
    refused("missing identity", "identity.txt")
    rewrite_new(identity, good)
    setup.write(encryption={"recipients": [setup.recipient]})
    refused("no identity configured", "identity_file")
    (t.dir / "other").mkdir()
    stranger = seawall.Setup(t.dir / "other", [seawall.dir_store("x", t.dir / "x")])
    setup.write(encryption={"recipients": [setup.recipient], "identity_file": "identity.txt"},
                writers=[writer_public(stranger)])
    refused("unknown writer", "writer")
    setup.write(writers=None)
    (setup.dir / "writer.key").unlink()
    refused("neither writers nor writer key", "writers")


def rewrite_new(path, data):
    path.touch(mode=0o600)
    rewrite(path, data)


@tap.check("with writers configured a restoring host needs no writer key")
def _(t):
    setup, pgdata = setup_with(t)
    push_all(t, setup, pgdata, [7])
    public = writer_public(setup)
    (setup.dir / "writer.key").unlink()
    setup.write(writers=[public])
    t.equal(bring_back(t, setup, pgdata, pgdata.name(7)), pgdata.segment(7), "bytes")


@tap.check("bad names and usage are 202, without touching the stores")
def _(t):
    setup, pgdata = setup_with(t)
    push_all(t, setup, pgdata, [7])
    for name in ("../x", "", "x", pgdata.name(7).lower() + "a", pgdata.name(7) + "\n", "%f"):
        t.equal(setup.fetch(pgdata, name, XLOG).code, 202, repr(name))
    for argv in ([], [pgdata.name(7)], [pgdata.name(7), XLOG, "x"], ["--nonsense"]):
        result = tap.run([seawall.program("seawall-fetch")] + argv, cwd=str(pgdata.dir),
                         env={"SEAWALL_CONFIG": str(setup.config)})
        t.equal(result.code, 202, str(argv))
    for option in ("--help", "--version"):
        result = tap.run([seawall.program("seawall-fetch"), option])
        t.equal((result.code, result.err), (0, ""), option)


@tap.check("without configuration, or with a broken one, it is 202")
def _(t):
    setup, pgdata = setup_with(t)
    result = tap.run([seawall.program("seawall-fetch"), "--config", "/nonexistent/seawall.conf",
                      pgdata.name(7), XLOG], cwd=str(pgdata.dir))
    t.equal(result.code, 202, result.err)
    setup.config.write_text("cluster = ")
    t.equal(setup.fetch(pgdata, pgdata.name(7), XLOG).code, 202, "syntax")


@tap.check("what stands at %p is replaced, a link there is not followed")
def _(t):
    setup, pgdata = setup_with(t)
    push_all(t, setup, pgdata, [7])
    victim = t.dir / "victim"
    victim.write_text("precious")
    (pgdata.dir / XLOG).symlink_to(victim)
    t.equal(setup.fetch(pgdata, pgdata.name(7), XLOG).code, 0, "fetch")
    t.equal(victim.read_text(), "precious", "victim")
    t.equal((pgdata.dir / XLOG).read_bytes(), pgdata.segment(7), "bytes")
    t.equal(setup.fetch(pgdata, pgdata.name(7), XLOG).code, 0, "over an existing file")


@tap.check("no room or no permission at the destination is 204 and leaves nothing")
def _(t):
    setup, pgdata = setup_with(t)
    push_all(t, setup, pgdata, [7])
    argv = ["prlimit", "--fsize=100000", "--"] + setup.argv("seawall-fetch", pgdata.name(7), XLOG)
    result = tap.run(argv, cwd=str(pgdata.dir))
    t.equal(result.code, 204, result.err)
    nothing(t, pgdata)
    pgdata.wal.chmod(0o500)
    result = setup.fetch(pgdata, pgdata.name(7), XLOG)
    pgdata.wal.chmod(0o700)
    t.equal(result.code, 204, result.err)
    nothing(t, pgdata)
    t.equal(setup.fetch(pgdata, pgdata.name(7), "no/such/dir/x").code, 204, "missing directory")


# A file system that nobody else sees, small or read-only, as pg_wal: $1 its options, then the command.
OWN_WAL = """
mount -t tmpfs -o "$1" none pg_wal || exit 99
shift
"$@"; echo "exit code $?"
find pg_wal -mindepth 1
"""


@tap.check("a pg_wal that is full or read-only is 204 and leaves nothing, and with room it works")
def _(t):
    own = ["unshare", "--user", "--map-root-user", "--mount"]
    if t.run(own + ["true"]).code != 0:
        t.skip("no user namespaces: nobody but root can mount a small file system")
    setup, pgdata = setup_with(t)
    push_all(t, setup, pgdata, [7])
    for options, code, left, text in (
            ("size=4k", 204, "", "No space left"), ("size=900k", 204, "", "No space left"),
            ("size=1020k", 204, "", "No space left"), ("nr_inodes=1", 204, "", "No space left"),
            ("ro,size=2m", 204, "", "Read-only"), ("size=2m", 0, XLOG + "\n", "")):
        for agent in (False, True):
            result = t.run(own + ["sh", "-c", OWN_WAL, "-", options] + setup.argv(
                "seawall-fetch", pgdata.name(7), XLOG, agent=agent), cwd=str(pgdata.dir), env={
                    "SEAWALL_RUNTIME_DIR": str(t.dir / ("run%d" % agent))})
            tap.stop_agents(t.dir / ("run%d" % agent))
            t.equal(result.out, "exit code %d\n%s" % (code, left), "%s: %s" % (options, result.err))
            t.contains(result.err, text, options)


@tap.check("a standby is told 1 with a warning when in doubt, unless standby_on_error = stop")
def _(t):
    setup, pgdata = setup_with(t, "ab", fetch_timeout=5)
    push_all(t, setup, pgdata, [6, 7, 8])
    (pgdata.dir / "standby.signal").touch()

    def doubts(what):
        result = setup.fetch(pgdata, pgdata.name(7), XLOG)
        t.equal(result.code, 1, what + ": " + result.err)
        t.contains(result.err, "the standby is told", what)
        setup.write(standby_on_error="wait")
        t.equal(setup.fetch(pgdata, pgdata.name(7), XLOG).code, 1, what + ", wait")
        setup.write(standby_on_error="stop")
        code = setup.fetch(pgdata, pgdata.name(7), XLOG).code
        t.true(code > 125, "%s, stop: %d" % (what, code))
        setup.write(standby_on_error=None)
        nothing(t, pgdata)

    for store in "ab":
        object_path(t.dir / store, pgdata.name(7)).rename(t.dir / ("kept-" + store))
    doubts("gap")
    for store in "ab":
        rewrite_new(object_path(t.dir / store, pgdata.name(7)), b"garbage")
    doubts("corrupt")
    for store in "ab":
        (t.dir / store).rename(t.dir / ("away-" + store))
    doubts("stores away")
    (setup.dir / "identity.txt").chmod(0o666)
    t.equal(setup.fetch(pgdata, pgdata.name(7), XLOG).code, 202, "keys are no doubt")


@tap.check("the orphan of a killed server writes nothing")
def _(t):
    setup, pgdata = setup_with(t)
    push_all(t, setup, pgdata, [7])
    # a session leader that starts the fetch after its own death, as a killed server leaves it
    script = "( sleep 1; exec %s ) 2>%s & exit 0" % (
        " ".join("'%s'" % a for a in setup.argv("seawall-fetch", pgdata.name(7), XLOG)),
        t.dir / "stderr")
    process = subprocess.Popen(["sh", "-c", script], cwd=str(pgdata.dir), start_new_session=True,
                               stdin=subprocess.DEVNULL)
    process.wait()
    tap.wait_for(lambda: (t.dir / "stderr").exists() and "is gone" in (t.dir / "stderr").read_text(),
                 what="the orphan's message")
    nothing(t, pgdata)


@tap.check("signals end it at once by that signal, and nothing is left at %p")
def _(t):
    setup, pgdata = setup_with(t, "ab")
    push_all(t, setup, pgdata, [7])
    for store in "ab":
        (t.dir / store).rename(t.dir / ("away-" + store))
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
        process = subprocess.Popen(setup.argv("seawall-fetch", pgdata.name(7), XLOG),
                                   cwd=str(pgdata.dir), stdin=subprocess.DEVNULL,
                                   stderr=subprocess.PIPE)
        time.sleep(0.7)
        t.equal(process.poll(), None, "it waits for the stores")
        process.send_signal(number)
        t.equal(process.wait(timeout=10), -number, "ended by the signal")
        process.stderr.close()
        nothing(t, pgdata)


@tap.check("leftovers of a crashed fetch are neither used nor in the way, and old ones are removed")
def _(t):
    setup, pgdata = setup_with(t)
    push_all(t, setup, pgdata, [7])
    dead = subprocess.Popen(["true"])
    dead.wait()
    left = {name: pgdata.wal / name for name in (
        ".seawall-tmp.1.0123456789abcdef",                  # its process lives
        ".seawall-tmp.%d.0123456789abcdef" % dead.pid,      # old, its process is gone
        ".seawall-tmp.%d.fedcba9876543210" % dead.pid,      # fresh
        ".seawall-tmp.%d.0123456789abcdef.x" % dead.pid)}   # not our naming
    for path in left.values():
        path.write_bytes(b"old")
        os.utime(path, (time.time() - 3600,) * 2)
    left[".seawall-tmp.%d.fedcba9876543210" % dead.pid].write_bytes(b"fresh")
    t.equal(setup.fetch(pgdata, pgdata.name(7), XLOG).code, 0, "fetch")
    t.equal((pgdata.dir / XLOG).read_bytes(), pgdata.segment(7), "bytes")
    t.equal([p.exists() for p in left.values()], [True, False, True, True], "leftovers")


@tap.check("a store marked eventually consistent is asked twice before an absence is believed")
def _(t):
    stores = [seawall.dir_store("a", t.dir / "a", eventually_consistent=True)]
    setup = seawall.Setup(t.dir, stores)
    pgdata = seawall.Pgdata(t.dir / "data", segment_size=MIB)
    push_all(t, setup, pgdata, [7, 8])
    late = object_path(t.dir / "a", pgdata.name(8))
    late.rename(t.dir / "late")
    process = subprocess.Popen(setup.argv("seawall-fetch", pgdata.name(8), XLOG),
                               cwd=str(pgdata.dir), stdin=subprocess.DEVNULL)
    time.sleep(0.8)
    (t.dir / "late").rename(late)
    t.equal(process.wait(timeout=30), 0, "found at the second look")


tap.main()
