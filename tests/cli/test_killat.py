# SPDX-License-Identifier: PostgreSQL
"""The killer itself: it stops where it says, and it follows threads."""
import signal
import subprocess
import sys
import time

import faults
import seawall
import tap

THREADS = """
import sys, threading
def work(number):
    for i in range(10):
        with open(sys.argv[1] + str(number), "w") as f:
            f.write(str(i))
threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
for t in threads: t.start()
for t in threads: t.join()
"""


@tap.check("counting leaves the command alone and gives its exit code")
def _(t):
    (t.dir / "a").write_bytes(b"x" * 100000)
    k = seawall.killat(t, ["cp", "a", "b"])
    t.equal((k.sent, k.code), (False, 0), "sent, code")
    t.true(k.stops > 50, "stops of cp")
    t.equal((t.dir / "b").read_bytes(), (t.dir / "a").read_bytes(), "copy")
    k = seawall.killat(t, ["sh", "-c", "echo out; echo err >&2; exit 7"])
    t.equal((k.sent, k.code, k.out, k.err), (False, 7, "out\n", "err\n"), "result")


@tap.check("counts are the same from run to run")
def _(t):
    counts = {seawall.killat(t, ["cat", "/etc/passwd"]).stops for _ in range(5)}
    t.equal(len(counts), 1, "different counts")


@tap.check("a kill at every stop of cp: nothing at the first one, everything at the last one")
def _(t):
    (t.dir / "a").write_bytes(b"x" * 1000)
    stops = seawall.killat(t, ["cp", "a", "b"]).stops
    seen = set()
    for at in range(1, stops + 1):
        (t.dir / "b").unlink(missing_ok=True)
        k = seawall.killat(t, ["cp", "a", "b"], at=at)
        t.equal((k.sent, k.code, k.stops), (True, -signal.SIGKILL, at), "at %d" % at)
        size = (t.dir / "b").stat().st_size if (t.dir / "b").exists() else -1
        t.true(seen <= set(range(-1, size + 1)), "sizes never shrink: %s, then %d" % (seen, size))
        seen.add(size)
    t.equal(seen, {-1, 0, 1000}, "what a kill can leave")


@tap.check("a stop behind the end is never reached")
def _(t):
    k = seawall.killat(t, ["cp", "/bin/true", "b"], at=1000000)
    t.equal((k.sent, k.code), (False, 0), "sent, code")


@tap.check("other signals reach the command, which may handle them")
def _(t):
    script = ("trap 'echo caught; exit 3' TERM; "
              "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); : >/dev/null; done")
    k = seawall.killat(t, ["sh", "-c", script], at=300, sig=signal.SIGTERM)
    t.equal((k.sent, k.code, k.out), (True, 3, "caught\n"), "result")
    k = seawall.killat(t, ["cp", "/bin/true", "b"], at=40, sig=signal.SIGTERM)
    t.equal((k.sent, k.code), (True, -signal.SIGTERM), "result of cp")


@tap.check("with resume a command that is stopped at any stop goes on to its end")
def _(t):
    (t.dir / "a").write_bytes(b"x" * 1000)
    stops = seawall.killat(t, ["cp", "a", "b"]).stops
    for at in range(1, stops, 9):
        (t.dir / "b").unlink(missing_ok=True)
        k = seawall.killat(t, ["cp", "a", "b"], at=at, sig=signal.SIGSTOP, resume=True)
        t.equal((k.sent, k.code), (True, 0), "at %d" % at)
        t.equal((t.dir / "b").stat().st_size, 1000, "copied at %d" % at)


CALLS = """
import os
def attempt(what, function, *args):
    try:
        print(what, function(*args))
    except OSError as error:
        print(what, "errno", error.errno)
fd = os.open("f", os.O_RDWR | os.O_CREAT)
for i in range(3):
    attempt("write", os.pwrite, fd, b"x" * 100, 100 * i)
attempt("size", lambda: os.fstat(fd).st_size)
attempt("unlink", os.unlink, "f")
attempt("exists", os.path.exists, "f")
"""


@tap.check("failat: a call is not made, is made and denied, or is made by half, once or ever after")
def _(t):
    if not seawall.have("failat"):
        t.skip("failat is for x86-64")
    argv = [sys.executable, "-I", "-S", "-c", CALLS]
    counts = faults.count(t, argv)
    t.equal((counts["pwrite64"], counts["unlink"]), (3, 1), "counts")

    def outcome(call, at, how, ever=False, hit=True):
        result = faults.failat(t, argv, faults.Fault(call, at, how, ever))
        t.equal((result.hit, result.code), (hit, 0), "%s %d %s" % (call, at, how))
        return result.out.split("\n")[:6]

    fine = ["write 100", "write 100", "write 100", "size 300", "unlink None", "exists False"]
    t.equal(outcome("pwrite64", 4, "EIO", hit=False), fine, "never reached")
    t.equal(outcome("pwrite64", 3, "ENOSPC"),
            ["write 100", "write 100", "write errno 28", "size 200"] + fine[4:], "not made")
    t.equal(outcome("pwrite64", 2, "ENOSPC", ever=True),
            ["write 100", "write errno 28", "write errno 28", "size 100"] + fine[4:], "ever after")
    t.equal(outcome("pwrite64", 3, "half"), ["write 100", "write 100", "write 50", "size 250"] + fine[4:],
            "by half")
    t.equal(outcome("pwrite64", 3, "after-EIO"), ["write 100", "write 100", "write errno 5"] + fine[3:],
            "made and denied")
    t.equal(outcome("unlink", 1, "after-EIO"), fine[:4] + ["unlink errno 5", "exists False"], "denied")
    t.equal(outcome("unlink", 1, "EIO"), fine[:4] + ["unlink errno 5", "exists True"], "not made")
    whole = faults.count(t, argv, loader=True)
    t.true(whole["mmap"] > counts.get("mmap", 0) and whole["openat"] > counts["openat"],
           "the loader's calls are before the first instruction")


@tap.check("threads are counted and die with the process")
def _(t):
    argv = [sys.executable, "-S", "-c", THREADS, str(t.dir / "out")]
    k = seawall.killat(t, argv)
    t.equal((k.sent, k.code), (False, 0), "sent, code")
    idle = seawall.killat(t, [sys.executable, "-S", "-c", "import sys, threading"]).stops
    t.true(k.stops - idle > 4 * 10 * 2 * 2, "stops of the threads")
    for at in range(idle, k.stops, max(1, (k.stops - idle) // 12)):
        r = seawall.killat(t, argv, at=at)
        t.true(r.code == -signal.SIGKILL if r.sent else r.code == 0, "at %d: %s" % (at, r))


@tap.check("children stay alone without --children and are killed with it")
def _(t):
    script = ("(i=0; while [ $i -lt 100 ]; do i=$((i+1)); echo $i >file; done; sleep 0.2; "
              ": >done); :")
    with_children = seawall.killat(t, ["sh", "-c", script], children=True)
    t.true((t.dir / "done").exists(), "the child ran")
    alone = seawall.killat(t, ["sh", "-c", script])
    t.true(alone.stops < 200 < with_children.stops, "counts %s %s" % (alone, with_children))
    (t.dir / "done").unlink()
    k = seawall.killat(t, ["sh", "-c", script], at=with_children.stops // 2, children=True)
    t.equal((k.sent, k.code), (True, -signal.SIGKILL), "sent, code")
    time.sleep(0.4)
    t.true(not (t.dir / "done").exists(), "the child was killed")


@tap.check("a command that cannot start and bad usage are failures of killat")
def _(t):
    program = seawall.program("killat")
    for argv in (["--count", "--", "/nonexistent/x"], ["--count"], ["--", "true"], [],
                 ["--at", "0x1", "--", "true"], ["--at", "1", "--signal", "0", "--", "true"],
                 ["--count", "--at", "1", "--", "true"]):
        t.equal(t.run([program] + argv).code, 2, "exit of %s" % argv)


@tap.check("the command dies with killat")
def _(t):
    with subprocess.Popen([seawall.program("killat"), "--count", "--", "sh", "-c",
                           "echo $$ >pid.new; mv pid.new pid; exec sleep 60"],
                          cwd=t.dir, stderr=subprocess.DEVNULL) as process:
        tap.wait_for((t.dir / "pid").exists, what="the command's pid")
        process.kill()
    pid = int((t.dir / "pid").read_text())
    tap.wait_for(lambda: not seawall.alive(pid), what="the end of the command")


tap.main()
