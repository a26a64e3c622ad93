# SPDX-License-Identifier: PostgreSQL
"""Little memory, few descriptors, stores that hang: every call ends, in time and with an answer."""
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

import seawall
import tap
from archived import MIB, object_path, push_all, setup_with

XLOG = "pg_wal/RECOVERYXLOG"
PUSH_CODES = (0,) + tuple(range(10, 17))
FETCH_CODES = (0,) + tuple(range(200, 206))
GRACE = 2       # what the watchdog allows beyond the deadline
MARGIN = 8      # what a busy machine may add
SANITIZED = bool(os.environ.get("SEAWALL_SANITIZED"))


class Hanging:
    """A server that accepts and never answers, or answers a byte a second."""

    def __init__(self, trickle=b""):
        self.trickle, self.accepted, self.over = trickle, 0, False
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.over = True
        self.listener.close()

    def _serve(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                self.accepted += 1
                threading.Thread(target=self._hold, args=(connection,), daemon=True).start()

    def _hold(self, connection):
        sent = 0
        with contextlib.suppress(OSError), connection:
            while not self.over:
                if self.trickle:
                    connection.send(self.trickle[sent:sent + 1])
                    sent += 1
                connection.settimeout(1.0)
                try:
                    if not connection.recv(65536):
                        return
                except TimeoutError:
                    continue
                time.sleep(1.0)

    def store(self, name, **settings):
        return dict(name=name, url="s3://bucket/root", endpoint="http://127.0.0.1:%d" % self.port,
                    path_style=True, allow_http=True, access_key_id="AKIAEXAMPLE",
                    secret_access_key="secret", **settings)


def timed(function):
    start = time.monotonic()
    result = function()
    return result, time.monotonic() - start


def limited(option, value, argv, cwd):
    return tap.run(["prlimit", "--%s=%s" % (option, value), "--"] + argv, cwd=str(cwd))


# a process begins with the peak of the one that forked it, so a small one must do that
MEASURE = """
import os, sys
null = os.open(os.devnull, os.O_RDWR)
pid = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ, file_actions=[
    (os.POSIX_SPAWN_DUP2, null, 1), (os.POSIX_SPAWN_DUP2, null, 2)])
_, status, usage = os.wait4(pid, 0)
print(os.waitstatus_to_exitcode(status), usage.ru_maxrss)
"""


def peak(argv, cwd):
    """Exit code and peak memory in bytes of a program."""
    result = tap.run([sys.executable, "-I", "-S", "-c", MEASURE] + argv, cwd=str(cwd))
    code, kib = result.out.split()
    return int(code), int(kib) * 1024


@tap.check("few descriptors: an answer of its own, whatever their number")
def _(t):
    setup, pgdata = setup_with(t, "ab")
    path = pgdata.write_segment(7)
    answers = {}
    for n in range(3, 17):
        shutil.rmtree(t.dir / "a" / "main", ignore_errors=True)
        shutil.rmtree(t.dir / "b" / "main", ignore_errors=True)
        push = limited("nofile", n, setup.argv("seawall-push", path), pgdata.dir)
        t.equal(setup.push(pgdata, path).code, 0, "push without the limit")
        with contextlib.suppress(FileNotFoundError):
            (pgdata.dir / XLOG).unlink()
        fetch = limited("nofile", n, setup.argv("seawall-fetch", pgdata.name(7), XLOG), pgdata.dir)
        there = (pgdata.dir / XLOG).exists()
        absent = limited("nofile", n, setup.argv("seawall-fetch", pgdata.name(8), XLOG), pgdata.dir)
        answers[n] = (push.code, fetch.code, absent.code)
        if SANITIZED and push.code not in PUSH_CODES:
            continue    # the loader and the sanitizer need some themselves
        if 127 in answers[n]:
            t.contains(push.err, "loading shared libraries", "the loader's, before the program began")
            continue
        t.true(push.code in PUSH_CODES, "%d descriptors: %s" % (n, push))
        t.true(fetch.code in FETCH_CODES and there == (fetch.code == 0), "%d: %s" % (n, fetch))
        t.true(absent.code in FETCH_CODES[1:] + (1,), "%d: %s" % (n, absent))
        if fetch.code != 0:
            t.true(absent.code != 1, "%d: absence was proven with %s" % (n, absent))
            t.true(fetch.err != "", "%d: it says why" % n)
    t.equal(answers[16], (0, 0, 1), "with 16 descriptors")
    t.diag("first number of descriptors that suffices: %d" % min(
        n for n in answers if answers[n] == (0, 0, 1)))


@tap.check("little memory, ever less: an answer of its own, never 1, never a crash")
def _(t):
    if SANITIZED:
        t.skip("a sanitizer reserves more addresses than any limit allows")
    setup, pgdata = setup_with(t)
    path = pgdata.write_segment(7)
    t.equal(setup.push(pgdata, path).code, 0, "push")
    seen = {"push": set(), "fetch": set(), "absent": set()}
    for kib in list(range(64 << 10, 20 << 10, -1024)) + list(range(20 << 10, 0, -128)):
        shutil.rmtree(t.dir / "a" / "main", ignore_errors=True)
        push = limited("as", kib << 10, setup.argv("seawall-push", path), pgdata.dir)
        if push.code == 0 or not object_path(t.dir / "a", pgdata.name(7)).exists():
            t.equal(setup.push(pgdata, path).code, 0, "push without the limit")
        with contextlib.suppress(FileNotFoundError):
            (pgdata.dir / XLOG).unlink()
        fetch = limited("as", kib << 10, setup.argv("seawall-fetch", pgdata.name(7), XLOG), pgdata.dir)
        there = (pgdata.dir / XLOG).exists()
        absent = limited("as", kib << 10, setup.argv("seawall-fetch", pgdata.name(8), XLOG),
                         pgdata.dir)
        codes = (push.code, fetch.code, absent.code)
        if 127 in codes or "error while loading" in push.err + fetch.err + absent.err:
            t.diag("with %d KiB of addresses the libraries cannot be loaded" % kib)
            break
        t.true(push.code in PUSH_CODES, "%d KiB: %s" % (kib, push))
        t.true(fetch.code in FETCH_CODES and there == (fetch.code == 0), "%d KiB: %s" % (kib, fetch))
        t.true(absent.code in FETCH_CODES[1:] + (1,), "%d KiB: %s" % (kib, absent))
        for what, code in zip(seen, codes):
            seen[what].add(code)
    t.diag("answers: %s" % seen)
    t.true(16 in seen["push"] and 205 in seen["fetch"], "memory ran out: %s" % seen)


@tap.check("memory of a push and a fetch is what docs/architecture.md states")
def _(t):
    if SANITIZED:
        t.skip("a sanitizer's memory is its own")
    for stores, sizes in (("a", (16 * MIB, 64 * MIB)), ("abc", (64 * MIB,))):
        for size in sizes:
            base = t.dir / ("%s%d" % (stores, size))
            base.mkdir()
            setup = seawall.Setup(base, [seawall.dir_store(s, base / s) for s in stores],
                                  acknowledge=len(stores), compression="none")
            pgdata = seawall.Pgdata(base / "data", segment_size=size)
            idle = peak([seawall.program("seawall-push"), "--version"], pgdata.dir)[1]
            path = pgdata.write_segment(3)
            object_max = size + size // 256 + size // 4096 + int(1.2 * MIB)
            figures = {}
            for what, argv, objects in (
                    ("push", setup.argv("seawall-push", path), 1),
                    ("push again", setup.argv("seawall-push", path), 2),
                    ("fetch", setup.argv("seawall-fetch", pgdata.name(3), XLOG), 1)):
                code, used = peak(argv, pgdata.dir)
                t.equal(code, 0, "%s of %d" % (what, size))
                figures[what] = (used - idle) / MIB
                t.true(used <= idle + objects * object_max + 4 * MIB,
                       "%s of %d MiB, %d stores: %d KiB, idle %d KiB" % (
                           what, size // MIB, len(stores), used >> 10, idle >> 10))
            t.diag("%d store(s), %d MiB: %s; the program itself %.1f MiB" % (
                len(stores), size // MIB,
                ", ".join("%s %.1f MiB" % f for f in figures.items()), idle / MIB))


@tap.check("a store that hangs: push is 10 and fetch 200, by the deadline")
def _(t):
    with Hanging() as server:
        setup, pgdata = setup_with(t, push_timeout=5, fetch_timeout=5)
        setup.write(stores=[server.store("h")])
        result, took = timed(lambda: setup.push(pgdata, pgdata.write_segment(7)))
        t.equal(result.code, 10, "push: " + result.err)
        t.contains(result.err, '"h"', "names the store")
        t.true(took <= 5 + GRACE + MARGIN, "push took %.1f s" % took)
        result, took = timed(lambda: setup.fetch(pgdata, pgdata.name(7), XLOG))
        t.equal(result.code, 200, "fetch: " + result.err)
        t.true(took <= 5 + GRACE + MARGIN, "fetch took %.1f s" % took)
        t.true(server.accepted > 0, "it was asked")


@tap.check("a store that trickles: push is 10 and fetch 200, by the deadline")
def _(t):
    for text in (b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + b"x" * 1000,
                 b"HTTP/1.1 100 Continue\r\n\r\n" * 100, b"h" * 1000):
        with Hanging(text) as server:
            base = t.dir / str(server.port)
            base.mkdir()
            setup = seawall.Setup(base, [server.store("h")], push_timeout=5, fetch_timeout=5)
            pgdata = seawall.Pgdata(base / "data", segment_size=MIB)
            result, took = timed(lambda: setup.push(pgdata, pgdata.write_segment(7)))
            t.equal(result.code, 10, "push: " + result.err)
            t.true(took <= 5 + GRACE + MARGIN, "push took %.1f s" % took)
            result, took = timed(lambda: setup.fetch(pgdata, pgdata.name(7), XLOG))
            t.equal(result.code, 200, "fetch: " + result.err)
            t.true(took <= 5 + GRACE + MARGIN, "fetch took %.1f s" % took)


@tap.check("one of two stores hangs: push is 0 after lag_wait, fetch reads from the other")
def _(t):
    with Hanging() as server:
        setup, pgdata = setup_with(t, lag_wait=2, push_timeout=40, fetch_timeout=60)
        setup.write(stores=[server.store("h"), seawall.dir_store("a", t.dir / "a")])
        path = pgdata.write_segment(7)
        result, took = timed(lambda: setup.push(pgdata, path))
        t.equal(result.code, 0, "push: " + result.err)
        t.contains(result.err, 'not in store "h" yet', "warning")
        t.true(took <= 2 + MARGIN, "push took %.1f s" % took)
        (pgdata.dir / path).unlink()
        result, took = timed(lambda: setup.fetch(pgdata, pgdata.name(7), XLOG))
        t.equal(result.code, 0, "fetch: " + result.err)
        t.equal((pgdata.dir / XLOG).read_bytes(), pgdata.segment(7), "bytes")
        t.true(took <= 3 + MARGIN, "fetch took %.1f s" % took)
        setup.write(fetch_timeout=6)
        result, took = timed(lambda: setup.fetch(pgdata, pgdata.name(8), XLOG))
        t.equal(result.code, 200, "what the other does not have: " + result.err)
        t.true(took <= 6 + GRACE + MARGIN, "fetch took %.1f s" % took)


@tap.check("stopped for longer than the deadline: it ends soon after it goes on")
def _(t):
    with Hanging() as server:
        setup, pgdata = setup_with(t, push_timeout=5, fetch_timeout=5)
        setup.write(stores=[server.store("h")])
        path = pgdata.write_segment(7)
        for argv, codes in ((setup.argv("seawall-push", path), (10,)),
                            (setup.argv("seawall-fetch", pgdata.name(7), XLOG), (200,))):
            before = server.accepted
            process = subprocess.Popen(argv, cwd=str(pgdata.dir), stdin=subprocess.DEVNULL,
                                       stderr=subprocess.DEVNULL)
            tap.wait_for(lambda: server.accepted > before, what="its connection")
            process.send_signal(signal.SIGSTOP)
            time.sleep(8)
            t.equal(process.poll(), None, "it is stopped")
            process.send_signal(signal.SIGCONT)
            code, took = timed(lambda: process.wait(timeout=60))
            t.true(code in codes, "%s: %d" % (argv[0], code))
            t.true(took <= MARGIN, "it took %.1f s more" % took)


@tap.check("10,000 entries in archive_status are neither read nor written")
def _(t):
    setup, pgdata = setup_with(t)
    names = ["%s.ready" % pgdata.name(n) for n in range(100, 10100)]
    for name in names:
        (pgdata.status / name).touch()
    path = pgdata.write_segment(7)
    before = sorted(os.listdir(pgdata.status)), pgdata.status.stat().st_mtime_ns
    few = seawall.killat(t, setup.argv("seawall-push", path), cwd=str(pgdata.dir))
    t.equal(few.code, 0, "push")
    t.equal((sorted(os.listdir(pgdata.status)), pgdata.status.stat().st_mtime_ns), before, "status")
    for name in names:
        (pgdata.status / name).unlink()
    shutil.rmtree(t.dir / "a" / "main")
    alone = seawall.killat(t, setup.argv("seawall-push", path), cwd=str(pgdata.dir))
    t.true(abs(few.stops - alone.stops) < 20, "system calls: %d and %d" % (few.stops, alone.stops))


@tap.check("the longest cluster name works, a longer one is refused")
def _(t):
    setup, pgdata = setup_with(t, cluster="c" * 63)
    path = pgdata.write_segment(7)
    t.equal(setup.push(pgdata, path).code, 0, "push")
    t.true(object_path(t.dir / "a", pgdata.name(7), cluster="c" * 63).is_file(), "object")
    for name in (pgdata.name(6) + ".00000028.backup", pgdata.name(6) + ".partial"):
        data = b"START" if name.endswith("backup") else pgdata.segment(6)
        t.equal(setup.push(pgdata, pgdata.write(name, data)).code, 0, name)
        t.equal(setup.fetch(pgdata, name, "back").code, 0, name)
        t.equal((pgdata.dir / "back").read_bytes(), data, name)
    t.equal(setup.fetch(pgdata, pgdata.name(7), XLOG).code, 0, "fetch")
    t.equal(setup.fetch(pgdata, pgdata.name(8), XLOG).code, 1, "absent")
    setup.write(cluster="c" * 64)
    t.equal(setup.push(pgdata, path).code, 14, "push")
    t.equal(setup.fetch(pgdata, pgdata.name(7), XLOG).code, 202, "fetch")


@tap.check("a data directory reached through a link, and absolute paths, are fine")
def _(t):
    setup, pgdata = setup_with(t)
    (t.dir / "link").symlink_to(pgdata.dir)
    path = pgdata.write_segment(7)
    t.equal(setup.push(t.dir / "link", path).code, 0, "in the link")
    t.equal(setup.push(t.dir / "link", t.dir / "link" / path).code, 0, "with the link in the path")
    setup.write(pgdata=str(t.dir / "link"))
    t.equal(setup.push("/", t.dir / "link" / path).code, 0, "from elsewhere")
    t.equal(setup.fetch("/", pgdata.name(7), t.dir / "link" / XLOG).code, 0, "fetch")
    t.equal((pgdata.dir / XLOG).read_bytes(), pgdata.segment(7), "bytes")


@tap.check("a working directory that was removed is an error that names the way out, or works")
def _(t):
    setup, pgdata = setup_with(t)
    push_all(t, setup, pgdata, [7])

    def removed(*argv):
        gone = t.dir / "gone"
        gone.mkdir()
        return tap.run(["sh", "-c", 'cd "$0" && rmdir "$0" && exec "$@"', gone] +
                       setup.argv(*argv))

    pgdata.write_segment(8)
    result = removed("seawall-push", "pg_wal/" + pgdata.name(8))
    t.true(result.code in (13, 14), result)
    result = removed("seawall-fetch", pgdata.name(7), XLOG)
    t.true(result.code in (202, 204), result)
    setup.write(pgdata=str(pgdata.dir))
    result = removed("seawall-push", pgdata.dir / "pg_wal" / pgdata.name(8))
    t.equal(result.code, 0, "push with pgdata: " + result.err)
    result = removed("seawall-fetch", pgdata.name(7), pgdata.dir / XLOG)
    t.equal(result.code, 0, "fetch with pgdata: " + result.err)
    result = removed("seawall-fetch", pgdata.name(7), "RECOVERYXLOG")
    t.equal(result.code, 204, "nowhere to write: " + result.err)


tap.main()
