# SPDX-License-Identifier: PostgreSQL
"""An agent's life: what ends it, what follows it, and what a hook makes of its death."""
import contextlib
import os
import pathlib
import signal
import subprocess
import time

import models3
import seawall
import tap
from agents import MIB, XLOG, Place, connected, stopped
from archived import object_path


def finish(hook, timeout=60):
    out, err = hook.communicate(timeout=timeout)
    return tap.Result(hook.returncode, out, err)


def marks(place):
    return sorted(place.runtime.glob("*.silent"))


@tap.check("an agent that was killed is followed by another one")
def _(t):
    place = Place(t)
    for number in range(1, 4):
        t.equal(place.push(number)[:], (0, "", ""), "push")
        agent = place.agent()
        os.kill(agent, signal.SIGKILL)
        place.gone(agent)
    t.equal(place.fetch(2).code, 0, "fetch")
    t.equal(place.fetched(), place.pgdata.segment(2), "bytes")


@tap.check("a hook whose agent is killed while it waits starts over and succeeds")
def _(t):
    place = Place(t)
    place.push(1)
    place.pgdata.write_segment(2)
    for argv in (("seawall-push", "pg_wal/" + place.pgdata.name(2)),
                 ("seawall-fetch", place.pgdata.name(1), XLOG)):
        agent = place.agent()
        with stopped(agent):
            hook = place.start(*argv)
            connected(place, hook)
            os.kill(agent, signal.SIGKILL)
        result = finish(hook)
        t.equal(result[:], (0, "", ""), argv[0])
        t.true(place.agent() != agent, "another agent")
    t.equal(place.fetched(), place.pgdata.segment(1), "bytes")


@tap.check("a hook whose agent does not answer does without it, and its answer is true")
def _(t):
    place = Place(t)
    place.push(1)
    agent = place.agent()
    with stopped(agent):
        result = place.push(2, "--timeout", "4")
        t.equal(result.code, 0, "push: " + result.err)
        t.contains(result.err, "going on without an agent: the agent (process %d) has said nothing"
                   % agent, "why")
        t.contains(result.err, "kill -KILL %d" % agent, "what can be done")
        t.true(object_path(place.store, place.pgdata.name(2)).exists(), "stored")
        t.equal([f.suffix for f in marks(place)], [".silent"], "the next ones are told")
        for result, code in ((place.push(3), 0), (place.fetch(1), 0), (place.fetch(9), 1)):
            t.equal(result.code, code, "with the mark: " + result.err)
            t.contains(result.err, "was silent when somebody waited for it last", "why")
            if code == 0:
                t.equal(marks(place) != [], True, "the mark stays")
        os.utime(marks(place)[0], (1, 1))
        result = place.fetch(1)
        t.equal(result.code, 0, "with an old mark: " + result.err)
        t.contains(result.err, "has said nothing for", "it is tried again")
        t.equal(place.fetched(), place.pgdata.segment(1), "bytes")
        (place.pgdata.wal / place.pgdata.name(2)).write_bytes(place.pgdata.segment(2, seed=1))
        t.equal(place.push(2).code, 12, "other content under the name")
    tap.wait_for(lambda: not marks(place), what="an agent that lives takes the mark away")
    t.equal(place.push(4)[:], (0, "", ""), "when it runs again")
    t.equal(place.agent(), agent, "the agent")


@tap.check("a silent agent and stores that do not answer: transient by the deadline")
def _(t):
    place = Place(t)
    place.push(1)
    agent = place.agent()
    place.store.rename(place.dir / "away")
    with stopped(agent):
        for mark in (False, True):
            for result, code in ((place.push(1, "--timeout", "2"), 10),
                                 (place.fetch(1, "--timeout", "2"), 200)):
                t.equal(result.code, code, "exit code: " + result.err)
                t.contains(result.err, "going on without an agent", "message")
            t.equal(place.fetched(), None, "nothing at the destination")


@tap.check("a mark left by a silent agent that has died since hinders no new one")
def _(t):
    place = Place(t)
    place.push(1)
    agent = place.agent()
    with stopped(agent):
        t.equal(place.push(1, "--timeout", "2").code, 0, "push")
        os.kill(agent, signal.SIGKILL)
    place.gone(agent)
    t.true(marks(place) != [], "the mark is there")
    t.equal(place.push(2)[:], (0, "", ""), "by an agent")
    t.true(place.agent() != agent, "another agent")
    t.equal(marks(place), [], "no mark")


@tap.check("an agent stopped in the middle of a request goes on after its hook did without it")
def _(t):
    bucket = t.enter(models3.Bucket())
    place = Place(t)
    place.more = models3.ENV
    place.setup.write(stores=[bucket.store("a")])
    t.equal(place.push(1).code, 0, "push")
    agent = place.agent()

    def held(exchange):
        exchange.stall()
        exchange.reply()

    rule = bucket.fault(held, kind="put", key="*/wal/*", times=1)
    place.pgdata.write_segment(2)
    hook = place.start("seawall-push", "pg_wal/" + place.pgdata.name(2))
    tap.wait_for(lambda: rule.hits, what="the agent sends")
    time.sleep(1)   # it has told the hook to wait
    with stopped(agent):
        result = finish(hook)
        t.equal(result.code, 0, "push: " + result.err)
        t.contains(result.err, "has said nothing for", "why")
        # both have put it: this one is done behind the other's
        rule.lift()
        tap.wait_for(lambda: rule.hits[0].ended, what="the put that was held")
    tap.wait_for(lambda: not marks(place), what="the agent works again")
    result = place.push(2)
    t.equal((result.code, "warning" in result.err), (0, False), "again, by the agent: " + result.err)
    t.equal(place.agent(), agent, "the agent")
    keys = [k for k in bucket.keys() if place.pgdata.name(2) in k]
    t.equal([len(bucket.versions(k)) for k in keys], [1], "versions")
    t.equal(rule.hits[0].status(), 412, "the put that came late")
    t.equal(place.fetch(2).code, 0, "fetch")
    t.equal(place.fetched(), place.pgdata.segment(2), "bytes")


@tap.check("an agent that is asked for a file and stopped places nothing when it goes on")
def _(t):
    place = Place(t)
    place.push(1)
    agent = place.agent()
    with stopped(agent):
        result = place.fetch(1, "--timeout", "4")
        t.equal(result.code, 0, "fetch: " + result.err)
        t.equal(place.fetched(), place.pgdata.segment(1), "bytes")
        # what a server does with it
        (place.pgdata.dir / XLOG).rename(place.pgdata.wal / place.pgdata.name(7))
    tap.wait_for(lambda: not marks(place), what="the agent works again")
    t.equal(place.fetch(1, path="pg_wal/elsewhere").code, 0, "a fetch by it")
    t.equal(place.status()["waiting"], 0, "who waits")
    t.equal(place.agent(), agent, "the agent")
    t.equal(sorted(os.listdir(place.pgdata.wal)), sorted(
        ["archive_status", "elsewhere", place.pgdata.name(1), place.pgdata.name(7)]), "pg_wal")


@tap.check("a deadline of the configuration reaches the hook")
def _(t):
    place = Place(t, push_timeout=5, fetch_timeout=5)
    place.push(1)
    place.store.rename(place.dir / "away")
    for result, code in ((place.push(1), 10), (place.fetch(1), 200)):
        t.equal(result.code, code, "exit code")
        t.contains(result.err, "store \"a\"", "message names the store")


@tap.check("a hook that is killed while it waits disturbs nobody")
def _(t):
    place = Place(t)
    place.push(1)
    place.pgdata.write_segment(2)
    agent = place.agent()
    for argv in (("seawall-push", "pg_wal/" + place.pgdata.name(2)),
                 ("seawall-fetch", place.pgdata.name(1), XLOG)):
        with stopped(agent):
            hook = place.start(*argv)
            connected(place, hook)
            hook.kill()
            finish(hook)
    t.equal(place.push(2).code, 0, "the next push")
    t.equal(place.fetched(), None, "nothing at the destination")
    t.equal(place.fetch(1).code, 0, "the next fetch")
    t.equal(place.agent(), agent, "the agent")
    t.equal(place.status()["waiting"], 0, "who waits")


@tap.check("a hook that is told to stop while it waits says so, or dies by it")
def _(t):
    place = Place(t)
    place.push(1)
    agent = place.agent()
    for argv, code in ((("seawall-push", "pg_wal/" + place.pgdata.name(1)), 10),
                       (("seawall-fetch", place.pgdata.name(1), XLOG), -signal.SIGTERM)):
        with stopped(agent):
            hook = place.start(*argv)
            connected(place, hook)
            hook.terminate()
            result = finish(hook)
        t.equal(result.code, code, "exit code")
        t.contains(result.err, "stopped by signal 15", "message")
    t.equal(place.fetched(), None, "nothing at the destination")


@tap.check("an agent whose program was replaced leaves, and the new one answers")
def _(t):
    place = Place(t)
    place.programs(place.dir / "bin")
    t.equal(place.push(1).code, 0, "push")
    agent = place.agent()
    place.install("seawall-agent")
    t.equal(place.push(2)[:], (0, "", ""), "push after the upgrade")
    t.true(place.agent() != agent, "another agent")
    place.gone(agent)


@tap.check("an agent whose program was removed leaves")
def _(t):
    place = Place(t)
    place.programs(place.dir / "bin")
    place.push(1)
    agent = place.agent()
    (place.bin / "seawall-agent").unlink()
    t.equal(place.push(2).code, 13, "nobody is there to answer")
    place.gone(agent)


@tap.check("a changed configuration, key or certificate has another agent, a broken one an error")
def _(t):
    place = Place(t)
    place.push(1)
    agents = [place.agent()]
    place.setup.write(compression="zstd")
    t.equal(place.push(2).code, 0, "another compression")
    agents.append(place.agent())
    key = place.setup.dir / "writer.key"
    key.write_bytes(key.read_bytes())
    t.equal(place.push(3).code, 0, "the key written again")
    agents.append(place.agent())
    place.setup.write(acknowledge=2)
    for result, code in ((place.push(4), 14), (place.fetch(1), 202)):
        t.equal(result.code, code, "exit code")
        t.contains(result.err, '"acknowledge" is larger', "message")
    place.setup.write(acknowledge=1)
    t.equal(place.push(4).code, 0, "repaired")
    agents.append(place.agent())
    t.equal(len(set(agents)), 4, "different agents")
    for agent in agents[:-1]:
        place.gone(agent)


@tap.check("an agent without work leaves after agent_idle, one whose socket is gone at once")
def _(t):
    place = Place(t, agent_idle=1)
    place.push(1)
    agent = place.agent()
    place.gone(agent)
    t.equal([f.suffix for f in place.runtime.iterdir() if f.suffix == ".sock"], [], "socket")
    place.setup.write(agent_idle=3600)
    t.equal(place.push(2).code, 0, "the next push")
    agent = place.agent()
    socket, = place.runtime.glob("*.sock")
    socket.unlink()
    t.equal(place.push(3).code, 0, "push without the socket")
    place.gone(agent)


@tap.check("an agent whose data directory is gone leaves, another directory there has its own")
def _(t):
    place = Place(t)
    place.push(1)
    agent = place.agent()
    place.pgdata.dir.rename(place.dir / "old")
    place.pgdata = seawall.Pgdata(place.dir / "data", system_id=seawall.SYSTEM_ID + 7,
                                  segment_size=MIB)
    t.equal(place.push(1).code, 0, "push of the new server")
    t.true(agent in place.agents() and len(place.agents()) == 2, "another agent")
    t.equal(len(list(place.store.glob("main/*"))), 2, "system identifiers in the store")
    for path in sorted((place.dir / "old").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    (place.dir / "old").rmdir()
    place.gone(agent)


@tap.check("another server in the same directory is noticed with its first request")
def _(t):
    place = Place(t)
    place.push(1)
    agent = place.agent()
    control = place.pgdata.dir / "global" / "pg_control"
    control.write_bytes(seawall.pg_control(seawall.SYSTEM_ID + 9, 1, MIB))
    place.pgdata.system_id = seawall.SYSTEM_ID + 9
    place.pgdata.write_segment(2)
    t.equal(place.push(2)[:], (0, "", ""), "push")
    t.true(place.agent() != agent, "another agent")
    agent = place.agent()
    control.write_bytes(seawall.pg_control(seawall.SYSTEM_ID + 9, 2, MIB, checkpoint=0x2000028))
    t.equal(place.push(2).code, 0, "push after a checkpoint and a promotion")
    t.equal(place.agent(), agent, "the same agent")


@contextlib.contextmanager
def server(place):
    """A process that the data directory takes for its server."""
    with subprocess.Popen(["sleep", "600"], preexec_fn=tap.die_with_parent()) as process:
        (place.pgdata.dir / "postmaster.pid").write_text("%d\n%s\n" % (
            process.pid, place.pgdata.dir))
        try:
            yield process
        finally:
            process.kill()


@tap.check("an agent leaves when its server has ended, not when there was none or another one came")
def _(t):
    place = Place(t)
    lock = place.pgdata.dir / "postmaster.pid"
    with server(place) as first:
        place.push(1)
        agent = place.agent()
        with server(place) as second:
            first.kill()
            first.wait()
            time.sleep(3)
            t.equal(place.push(2).code, 0, "push after a restart")
            t.equal(place.agent(), agent, "the agent")
            second.kill()
            place.gone(agent)
    t.equal(list(place.runtime.glob("*.sock")), [], "sockets")
    texts = lock.read_text(), "-%d\n" % os.getpid(), "x", None
    for text in texts:
        lock.unlink() if text is None else lock.write_text(text)
        t.equal(place.push(3).code, 0, "push without a server: %r" % text)
        agent = place.agent()
        time.sleep(2.5 if text in (None, texts[0]) else 0.5)
        t.equal(place.agent(), agent, "the agent")


@tap.check("an agent whose server has ended first finishes what a store still lacks")
def _(t):
    buckets = [t.enter(models3.Bucket()) for _ in range(2)]
    place = Place(t)
    place.more = models3.ENV
    place.setup.write(stores=[b.store("ab"[i]) for i, b in enumerate(buckets)], acknowledge=1)
    with server(place) as process:
        t.equal(place.push(1).code, 0, "push")
        buckets[1].behave("hangs")
        t.equal(place.push(2).code, 0, "push while a store does not answer")
        agent = place.agent()
        process.kill()
        process.wait()
        time.sleep(1)
        t.equal(place.agent(), agent, "the agent")
        buckets[1].behave()
    place.gone(agent)
    t.equal([sum("/wal/" in k for k in b.objects) for b in buckets], [2, 2], "segments")


@tap.check("an agent has a session of its own and nothing of PostgreSQL's")
def _(t):
    place = Place(t)
    place.pgdata.write_segment(1)
    ends = os.pipe()
    t.defer(os.close, ends[0])
    with subprocess.Popen(place.argv("seawall-push", "pg_wal/" + place.pgdata.name(1)),
                          cwd=str(place.pgdata.dir), env=dict(os.environ, **place.env()),
                          stdout=ends[1], stderr=ends[1], pass_fds=[ends[1]]) as hook:
        os.close(ends[1])
        t.equal(hook.wait(60), 0, "push")
    # every writing end of the pipe is closed, or this would wait for the agent
    with os.fdopen(os.dup(ends[0]), "rb") as log:
        t.equal(log.read(), b"", "the log")
    agent = place.agent()
    t.equal(os.getsid(agent), agent, "session")
    proc = pathlib.Path("/proc/%d" % agent)
    try:
        os.readlink(proc / "cwd")
    except PermissionError:
        t.diag("not dumpable: what it has open cannot be looked at")


@contextlib.contextmanager
def foreground(place):
    with subprocess.Popen(place.argv("seawall-agent", "--foreground"), cwd=str(place.pgdata.dir),
                          env=dict(os.environ, **place.env()), stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True) as process:
        try:
            tap.wait_for(lambda: process.poll() is not None or
                         (place.agents() == [process.pid] and list(place.runtime.glob("*.sock"))),
                         what="the agent serves")
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()


@tap.check("in the foreground it serves, displaces a background agent, and ends with 0 when told to")
def _(t):
    place = Place(t, agent_idle=1)
    place.push(1)
    before = place.agent()
    with foreground(place) as process:
        place.gone(before)
        t.equal(place.push(2).code, 0, "push")
        t.equal(place.push(1).code, 0, "push of what another agent has stored")
        t.equal(place.agent(), process.pid, "the agent")
        t.equal(place.push(2, "--one-shot").code, 0, "one-shot beside it")
        result = place.run("seawall-agent", "stop")
        t.equal(result.code, 12, "stop")
        t.contains(result.err, "runs in the foreground", "message")
        result = place.run("seawall-agent", "--foreground")
        t.equal(result.code, 12, "a second one")
        result = place.run("seawall-agent", "--background")
        t.equal((result.code, result.out), (0, "locked\n"), "one in the background")
        time.sleep(4)           # longer than agent_idle and its look around
        t.equal(place.agent(), process.pid, "it does not leave for idleness")
        process.terminate()
        result = finish(process)
        t.equal(result.code, 0, "exit code")
        t.contains(result.err, "is already in store", "notices are in its log")
        t.contains(result.err, "leaving: signal 15", "log")
    t.equal(place.push(3).code, 0, "push when it is gone")


@tap.check("in the foreground it leaves when the configuration has changed, to be started again")
def _(t):
    place = Place(t)
    with foreground(place) as process:
        t.equal(place.push(1).code, 0, "push")
        place.setup.write(compression="none")
        t.equal(place.push(2).code, 0, "push")
        result = finish(process)
        t.equal(result.code, 0, "exit code")
        t.contains(result.err, "leaving: configuration or keys have changed", "log")


@tap.check("who waits while his agent is told to stop is answered")
def _(t):
    place = Place(t)
    place.push(1)
    place.pgdata.write_segment(2)
    agent = place.agent()
    with stopped(agent):
        hook = place.start("seawall-push", "pg_wal/" + place.pgdata.name(2))
        connected(place, hook)
        os.kill(agent, signal.SIGTERM)
    t.equal(finish(hook)[:], (0, "", ""), "push")
    place.gone(agent)
    t.true(object_path(place.store, place.pgdata.name(2)).exists(), "stored")


@tap.check("stop and status work where there is no agent")
def _(t):
    place = Place(t)
    for verb in ("stop", "status"):
        result = place.run("seawall-agent", verb)
        t.equal((result.code, result.out), (0, ""), verb)
        t.contains(result.err, "no agent serves this directory", "message")
    place.push(1)
    agent = place.agent()
    t.equal(place.run("seawall-agent", "stop").code, 0, "stop")
    place.gone(agent)


tap.main()
