# SPDX-License-Identifier: PostgreSQL
"""Hooks and their agent: what is asked and answered, and what they refuse to meet in."""
import os
import pathlib
import shutil
import socket
import subprocess

import seawall
import tap
from agents import MIB, XLOG, Place, preload, stopped
from archived import object_path

SANITIZED = bool(os.environ.get("SEAWALL_SANITIZED"))


def needed(program):
    result = tap.run(["readelf", "-d", seawall.program(program)])
    return [line.partition("[")[2].rstrip("]") for line in result.out.split("\n")
            if "(NEEDED)" in line]


@tap.check("the hooks are linked with libc alone")
def _(t):
    if SANITIZED:
        t.skip("a sanitized program has libraries of its own")
    for hook in seawall.HOOKS:
        t.equal(needed(hook), ["libc.so.6"], hook)
    t.true("libcurl.so.4" in needed("seawall-agent"), "the agent is another matter")


@tap.check("push and fetch go through one agent, which leaves nothing behind in pg_wal")
def _(t):
    place = Place(t)
    t.equal(place.push(1)[:], (0, "", ""), "push")
    agent = place.agent()
    t.equal(place.fetch(1)[:], (0, "", ""), "fetch")
    t.equal(place.fetched(), place.pgdata.segment(1), "bytes")
    t.equal(place.fetch(2).code, 1, "fetch of what is not there")
    t.equal(place.fetched(), None, "nothing at the destination")
    t.equal(place.agent(), agent, "the agent")
    t.equal(sorted(os.listdir(place.pgdata.wal)), sorted([place.pgdata.name(1), "archive_status"]),
            "pg_wal")
    status = place.status()
    t.equal((status["pid"], status["requests"], status["push"]["archived"], status["fetch"]["served"]),
            (agent, 3, 1, 1), "status")


@tap.check("twenty hooks at once start exactly one agent, and all are answered")
def _(t):
    place = Place(t)
    for number in range(1, 21):
        place.pgdata.write_segment(number)
    hooks = [place.start("seawall-push", "pg_wal/" + place.pgdata.name(n)) for n in range(1, 21)]
    for hook in hooks:
        out, err = hook.communicate(timeout=60)
        t.equal((hook.returncode, out, err), (0, "", ""), "a hook")
    place.agent()
    t.equal(place.status()["requests"], 20, "requests of this one agent")
    for number in range(1, 21):
        t.true(object_path(place.store, place.pgdata.name(number)).exists(), "stored")


def situations(place):
    """(what, arguments) of hooks whose answers are worth comparing."""
    pgdata = place.pgdata
    pgdata.write_segment(1)
    pgdata.write_segment(2)
    place.setup.push(pgdata, "pg_wal/" + pgdata.name(2))
    pgdata.write_segment(3)
    place.setup.push(pgdata, "pg_wal/" + pgdata.name(3))
    pgdata.write_segment(3, seed=9)
    (pgdata.wal / pgdata.name(4)).write_bytes(pgdata.segment(5))
    pgdata.write_segment(6)
    place.setup.push(pgdata, "pg_wal/" + pgdata.name(6))
    damaged = object_path(place.store, pgdata.name(6))
    data = bytearray(damaged.read_bytes())
    data[-1] ^= 1
    damaged.chmod(0o600)
    damaged.write_bytes(data)
    yield "stored before", ("seawall-push", "pg_wal/" + pgdata.name(2)), 0
    yield "conflict", ("seawall-push", "pg_wal/" + pgdata.name(3)), 12
    yield "another's content", ("seawall-push", "pg_wal/" + pgdata.name(4)), 15
    yield "missing", ("seawall-push", "pg_wal/" + pgdata.name(99)), 13
    yield "no name", ("seawall-push", "pg_wal/nonsense"), 13
    yield "restored", ("seawall-fetch", pgdata.name(2), XLOG), 0
    yield "damaged", ("seawall-fetch", pgdata.name(6), XLOG), 201
    yield "a gap", ("seawall-fetch", pgdata.name(5), XLOG), 203
    yield "absent", ("seawall-fetch", pgdata.name(7), XLOG), 1
    yield "no name to fetch", ("seawall-fetch", "nonsense", XLOG), 202
    yield "nowhere", ("seawall-fetch", pgdata.name(2), "no/where"), 204


@tap.check("an agent answers with the exit code and the words of a hook that works by itself")
def _(t):
    place = Place(t)
    for what, argv, code in situations(place):
        results = []
        for more in (["--one-shot"], []):
            (place.pgdata.dir / XLOG).unlink(missing_ok=True)
            results.append(place.run(argv[0], *more, *argv[1:]))
        t.equal(results[1].code, code, what + ": exit code (%s)" % results[1].err)
        # where the destination is looked at first, less is said
        t.equal(results[1][:2] if what == "nowhere" else results[1],
                results[0][:2] if what == "nowhere" else results[0], what)
    place.agent()


@tap.check("configuration and key errors are the hook's own, on both sides")
def _(t):
    place = Place(t)
    place.pgdata.write_segment(1)
    (place.setup.dir / "writer.key").rename(place.setup.dir / "away")
    result = place.push(1)
    t.equal(result.code, 14, "push without a writer key")
    t.contains(result.err, "writer.key", "message")
    (place.setup.dir / "away").rename(place.setup.dir / "writer.key")
    t.equal(place.push(1).code, 0, "push when it is back")
    (place.setup.dir / "identity.txt").unlink()
    t.equal(place.fetch(1).code, 202, "fetch without an identity")
    t.equal(place.push(1).code, 0, "push without an identity")
    place.setup.write(nonsense=1)
    for result, code in ((place.push(1), 14), (place.fetch(1), 202)):
        t.equal(result.code, code, "a broken configuration")
        t.contains(result.err, 'unknown setting "nonsense"', "message")
    t.equal(place.agents(), [], "agents")


@tap.check("a standby is told that a file is not there yet, with a warning")
def _(t):
    place = Place(t)
    place.push(1)
    (place.pgdata.dir / "standby.signal").touch()
    place.store.rename(place.dir / "away")
    result = place.fetch(1, timeout=60)
    t.equal(result.code, 1, "exit code")
    t.contains(result.err, "warning: the standby is told that", "warning")
    (place.pgdata.dir / "standby.signal").unlink()
    result = place.fetch(1, "--timeout", "2")
    t.equal(result.code, 200, "the same, promoted")
    (place.dir / "away").rename(place.store)
    t.equal(place.fetch(1).code, 0, "when the store is back")


@tap.check("a standby whose agent cannot be reached is served without one, or told as configured")
def _(t):
    place = Place(t)
    place.pgdata.write_segment(1)
    t.equal(place.push(1, "--one-shot").code, 0, "push")
    t.equal(place.fetch(1, env={"SEAWALL_RUNTIME_DIR": "/etc"}).code, 202, "no standby")
    (place.pgdata.dir / "standby.signal").touch()
    place.runtime.touch()
    result = place.fetch(1)
    t.equal(result.code, 0, "a broken runtime directory: " + result.err)
    t.equal(place.fetched(), place.pgdata.segment(1), "bytes")
    t.contains(result.err, "warning: going on without an agent: runtime directory", "why")
    t.equal(place.fetch(2).code, 1, "proven absent")
    place.store.rename(place.dir / "away")
    for setting, code in (("continue", 1), ("stop", 200)):
        place.setup.write(standby_on_error=setting)
        result = place.fetch(1, "--timeout", "2")
        t.equal(result.code, code, setting + ": " + result.err)
    (place.dir / "away").rename(place.store)
    place.runtime.unlink()
    for setting, code in (("continue", 1), ("stop", 204)):
        place.setup.write(standby_on_error=setting)
        result = place.run("seawall-fetch", place.pgdata.name(1), "no/where")
        t.equal(result.code, code, "no destination, " + setting + ": " + result.err)
    place.setup.write(nonsense=1)
    result = place.fetch(1)
    t.equal(result.code, 202, "a wrong configuration stays an error")
    t.true("without an agent" not in result.err, result.err)


@tap.check("a standby is served when its agent hangs, or its program is replaced just now")
def _(t):
    place = Place(t)
    place.programs(place.dir / "bin")
    place.push(1)
    (place.pgdata.dir / "standby.signal").touch()
    with stopped(place.agent()):
        result = place.fetch(1, "--timeout", "1")
        t.equal(result.code, 0, "a silent agent: " + result.err)
        t.contains(result.err, "has said nothing for", "why")
    tap.stop_agents(place.runtime)
    agent = place.bin / "seawall-agent"
    agent.rename(place.dir / "later")
    hook = place.start("seawall-fetch", place.pgdata.name(1), XLOG)
    t.contains(hook.stderr.readline(), "going on without an agent", "warning")
    (place.dir / "later").rename(agent)
    out, err = hook.communicate(timeout=60)
    t.equal((hook.returncode, out), (0, ""), err)
    t.equal(place.fetched(), place.pgdata.segment(1), "bytes")
    agent.unlink()
    result = place.fetch(1, "--timeout", "2")
    t.equal(result.code, 204, "it stays away: nobody can read the configuration")
    t.contains(result.err, "beside this program", "hint")


@tap.check("a runtime directory that is not private and our own is refused, and not repaired")
def _(t):
    place = Place(t)
    place.pgdata.write_segment(1)
    private = place.dir / "private"
    private.mkdir(mode=0o700)
    for make, text in ((lambda: place.runtime.mkdir(mode=0o755), "can be entered by others"),
                       (lambda: place.runtime.symlink_to(private), "symbolic link"),
                       (place.runtime.touch, "is not a directory"),
                       (lambda: None, "belongs to another user")):
        make()
        env = {} if os.path.lexists(place.runtime) else {"SEAWALL_RUNTIME_DIR": "/etc"}
        before = os.lstat(place.runtime) if not env else None
        for result, code in ((place.push(1, env=env), 14), (place.fetch(1, env=env), 202)):
            t.equal(result.code, code, text)
            t.contains(result.err, text, "message")
        if before:
            t.equal(os.lstat(place.runtime).st_mode, before.st_mode, "mode")
            if place.runtime.is_dir() and not place.runtime.is_symlink():
                place.runtime.rmdir()
            else:
                place.runtime.unlink()
    t.equal(os.listdir(private), [], "what the link leads to")


FOREIGN = dict(PEERSHIM_UID="12345")


@tap.check("a hook says nothing to an agent of another user")
def _(t):
    place = Place(t)
    place.push(1)
    agent = place.agent()
    shim = dict(preload("peershim.so"), **FOREIGN)
    for result, code in ((place.push(2, env=shim), 14), (place.fetch(1, env=shim), 202),
                         (place.run("seawall-agent", "status", env=shim), 14)):
        t.equal((result.code, result.out), (code, ""), result.err)
        t.contains(result.err, "is served by another user", "message")
    shim["PEERSHIM_UID"] = "0"
    if os.geteuid() != 0:
        t.equal(place.push(2, env=shim).code, 14, "root's is another user's too")
    t.equal(place.status()["requests"], 1, "requests")
    (place.pgdata.dir / "standby.signal").touch()
    t.equal(place.fetch(1, env=dict(shim, **FOREIGN)).code, 0, "a standby does without")
    t.equal(place.fetched(), place.pgdata.segment(1), "bytes")
    t.equal((place.agent(), place.status()["requests"]), (agent, 1), "the agent")


@tap.check("an agent listens to nobody but its own user and root")
def _(t):
    place = Place(t)
    place.pgdata.write_segment(1)
    for uid, codes in (("12345", (10, 200)), ("0", (0, 0))):
        place.more = dict(preload("peershim.so"), PEERSHIM_UID=uid)
        agent = place.start("seawall-agent", "--background")
        t.equal(agent.stdout.readline(), "ready\n", "start")
        place.more = {}
        for result, code in zip((place.push(1, "--timeout", "2"), place.fetch(1, "--timeout", "2")),
                                codes):
            t.equal(result.code, code, "%s: %s" % (uid, result.err))
        t.equal(len(seawall.stored(place.store)), 1 - bool(codes[0]), "objects")
        t.equal(place.agent(), agent.pid, "the agent")
        agent.terminate()
        t.equal(agent.wait(60), 0, "its end")


@tap.check("a socket nobody answers on, or what else has its name, is replaced")
def _(t):
    place = Place(t)
    t.equal(place.push(1).code, 0, "push")
    name, = place.runtime.glob("*.sock")
    tap.stop_agents(place.runtime)
    t.true(not name.exists(), "a stopped agent removes its socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as dead:
        dead.bind(str(name))
    t.equal(place.push(1).code, 0, "over a dead socket")
    tap.stop_agents(place.runtime)
    name.write_text("no socket")
    t.equal(place.push(1).code, 0, "over a file")
    tap.stop_agents(place.runtime)
    (place.runtime / (name.name + ".1234")).touch()
    t.equal(place.push(1).code, 0, "beside a leftover")
    t.equal(sorted(f.suffix for f in place.runtime.iterdir()), [".lock", ".sock", ".start"], "names")


@tap.check("a missing or broken agent program is an error of the right side, never the end of WAL")
def _(t):
    place = Place(t)
    place.pgdata.write_segment(1)
    place.programs(place.dir / "bin")
    agent = place.bin / "seawall-agent"
    agent.unlink()
    for more in ([], ["--one-shot"]):
        for result, code in ((place.push(1, *more), 13), (place.fetch(1, *more), 204)):
            t.equal(result.code, code, "exit code")
            t.contains(result.err, "seawall-agent\": No such file", "message")
            t.contains(result.err, "beside this program", "hint")
    for script, text in (("echo cannot load libx >&2; exit 127", "cannot load libx"),
                         ("exit 1", "without a word"), ("echo ready; echo more", "ready")):
        agent.write_text("#!/bin/sh\n%s\n" % script)
        agent.chmod(0o755)
        for result, code in ((place.push(1, "--timeout", "3"), 13),
                             (place.fetch(1, "--timeout", "3"), 204)):
            t.equal(result.code, code, "%s: %s" % (script, result.err))
            t.contains(result.err, text, "message")
    agent.write_text("#!/bin/sh\necho ready\n")
    for result, code in ((place.push(1, "--timeout", "1"), 10),
                         (place.fetch(1, "--timeout", "1"), 200)):
        t.equal(result.code, code, "an agent that is not there after all")
        t.contains(result.err, "no agent could be reached", "message")
    place.install("seawall-agent")
    t.equal(place.push(1).code, 0, "installed again")


@tap.check("with agent = false no agent is started")
def _(t):
    place = Place(t, agent=False)
    t.equal(place.push(1)[:], (0, "", ""), "push")
    t.equal(place.fetch(1).code, 0, "fetch")
    t.equal(place.fetched(), place.pgdata.segment(1), "bytes")
    t.equal(place.fetch(2).code, 1, "absent")
    t.equal(place.agents(), [], "agents")
    t.equal(list(place.runtime.glob("*.sock")), [], "sockets")


@tap.check("a file can be fetched to another file system, and over an older one")
def _(t):
    place = Place(t)
    place.push(1)
    other = pathlib.Path("/dev/shm/seawall-test-%d" % os.getpid())
    if not other.parent.is_dir() or os.stat(other.parent).st_dev == os.stat(place.dir).st_dev:
        t.skip("there is no other file system")
    other.mkdir()
    t.defer(shutil.rmtree, other)
    result = place.run("seawall-fetch", place.pgdata.name(1), other / "x")
    t.equal(result[:], (0, "", ""), "fetch")
    t.equal((other / "x").read_bytes(), place.pgdata.segment(1), "bytes")
    t.equal(os.listdir(other), ["x"], "names")
    (place.pgdata.dir / "old").write_text("old")
    t.equal(place.run("seawall-fetch", place.pgdata.name(1), "old").code, 0, "over a file")
    t.equal((place.pgdata.dir / "old").read_bytes(), place.pgdata.segment(1), "bytes")


@tap.check("each data directory has an agent of its own")
def _(t):
    place = Place(t)
    other = seawall.Pgdata(place.dir / "other", system_id=seawall.SYSTEM_ID + 1, segment_size=MIB)
    t.equal(place.push(1).code, 0, "push")
    path = other.write_segment(1)
    t.equal(place.run("seawall-push", path, pgdata=other).code, 0, "push of the other")
    t.equal(len(place.agents()), 2, "agents")


def packet(place, data, fds=()):
    """What the agent answers to a packet, as a list of messages."""
    name, = place.runtime.glob("*.sock")
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
        s.settimeout(20)
        s.connect(str(name))
        socket.send_fds(s, [data], list(fds))
        answers = []
        while True:
            try:
                answer = s.recv(8192)
            except ConnectionResetError:
                return answers
            if not answer:
                return answers
            answers.append(answer.decode())


@tap.check("an agent takes no nonsense, and goes on")
def _(t):
    place = Place(t)
    place.push(1)
    agent = place.agent()
    here = os.open(place.pgdata.dir, os.O_RDONLY)
    there = os.open(place.dir, os.O_RDONLY)
    t.defer(os.close, here)
    t.defer(os.close, there)
    good = ("seawall 1 push\nversion 0.1.0\nelapsed 0\ntimeout 0\npath pg_wal/%s\n"
            % place.pgdata.name(1)).encode()
    for data in (b"x", b"\n", bytes(8192), b"seawall 1 push\n", good[:-1], good + b"more\n",
                 good.replace(b"elapsed 0", b"elapsed -1"), good.replace(b"push", b"pull"),
                 good.replace(b"path pg", b"path \x01pg"), good.replace(b"0.1.0", b"0" * 40),
                 b"x" * 9000):
        t.equal(packet(place, data, [here]), [], "answer to %r" % data[:60])
    answer, = packet(place, good.replace(b"seawall 1", b"seawall 2"), [here])
    t.contains(answer, "done config\nerror the agent is of version", "another protocol")
    t.equal(packet(place, good, [there]), ["again\n"], "another directory")
    t.equal(packet(place, good), ["again\n"], "no directory")
    t.equal(packet(place, good, [here, here]), [], "two descriptors")
    t.equal(packet(place, good, [here])[-1], "done ok\n", "a good request")
    t.equal(place.agent(), agent, "the agent")


@tap.check("many who connect and say nothing do not keep others out for ever")
def _(t):
    place = Place(t)
    place.push(1)
    name, = place.runtime.glob("*.sock")
    silent = []
    for _ in range(64):
        s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        s.connect(str(name))
        silent.append(s)
    hook = place.start("seawall-push", "--timeout", "60", "pg_wal/" + place.pgdata.name(1))
    for s in silent:
        s.close()
    out, err = hook.communicate(timeout=60)
    t.equal((hook.returncode, out), (0, ""), "push: " + err)


@tap.check("wrong command lines are refused with the code of their side")
def _(t):
    agent, push, fetch = (seawall.program(p) for p in
                          ("seawall-agent", "seawall-push", "seawall-fetch"))
    for argv, code in (([agent], 14), ([agent, "--foreground", "--background"], 14),
                       ([agent, "nonsense"], 14), ([agent, "--timeout", "5", "--foreground"], 14),
                       ([agent, "--one-shot", "push"], 14), ([agent, "--one-shot", "fetch", "x"], 202),
                       ([agent, "--one-shot", "fetch", "--nonsense", "x", "y"], 202),
                       ([agent, "--one-shot", "--timeout", "0", "fetch", "x", "y"], 202),
                       ([push, "--timeout", "0", "x"], 14), ([push, "--timeout", "1h", "x"], 14),
                       ([fetch, "--timeout", "3601", "x", "y"], 202),
                       ([push, "--one-shot", "--timeout", "-1", "x"], 14)):
        result = tap.run(argv, cwd=str(t.dir))
        t.equal(result.code, code, " ".join(argv[1:]) + ": " + result.err)
        t.contains(result.err, "error: ", "message")


tap.main()
