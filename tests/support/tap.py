# SPDX-License-Identifier: PostgreSQL
"""tap.py: named checks that speak the Test Anything Protocol.

    import tap

    @tap.check("a copied file has the same bytes")
    def _(t):
        result = t.run(["cp", "/bin/true", t.dir / "copy"])
        t.equal(result.code, 0, "exit code")

    tap.main()

Every check gets its own fresh directory t.dir, removed afterwards (KEEP=1 keeps it). Whatever is
expensive is made once with tap.shared(make), where make() returns a context manager. Arguments
select checks by a piece of their name; --list lists them. A check fails by any exception and
t.equal(), t.true() and t.contains() raise good ones; t.skip() and tap.Skip skip.

As root, main() first becomes the user of SEAWALL_TEST_USER, postgres or nobody: PostgreSQL
refuses root, and root does not see permissions.
"""
import collections
import contextlib
import ctypes
import os
import pathlib
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback

Result = collections.namedtuple("Result", "code out err")
CHECKS = []
_finish = contextlib.ExitStack()


class Skip(Exception):
    """This check cannot run here; says why."""


class Failure(AssertionError):
    """What a check found wrong."""


def check(name):
    """Register a check under a name that is a sentence."""
    def register(function):
        CHECKS.append((name, function))
        return function
    return register


def shared(make):
    """A function that gives what make()'s context manager gives, made at its first call and
    closed at the end of the program. A failure to make it fails every check that asks."""
    made = []

    def get():
        if not made:
            try:
                made.append((_finish.enter_context(make()), None))
            except Exception as error:
                made.append((None, error))
        value, error = made[0]
        if error is not None:
            raise error
        return value
    return get


def temporary(prefix):
    """A new private directory with a short path: Unix sockets' paths have at most 107 bytes."""
    return pathlib.Path(tempfile.mkdtemp(prefix=prefix, dir=os.environ.get("SEAWALL_TMP", "/tmp")))


def die_with_parent(sig=signal.SIGKILL):
    """For preexec_fn: the child gets this signal when the test program dies, however it dies."""
    def arm():
        ctypes.CDLL(None, use_errno=True).prctl(1, int(sig), 0, 0, 0)
    return arm


def run(argv, env=None, cwd=None, timeout=60, stdin=None, text=True):
    """Run a program to its end; env is added to the environment (None removes a variable).
    A signal gives a negative code. One that passes the timeout is killed with its process group,
    and the check fails."""
    full = dict(os.environ)
    for name, value in (env or {}).items():
        full.pop(name, None)
        if value is not None:
            full[name] = str(value)
    argv = [str(a) for a in argv]
    if isinstance(stdin, str):
        stdin = stdin.encode()
    with subprocess.Popen(argv, env=full, cwd=cwd, stdin=subprocess.PIPE if stdin is not None
                          else subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, start_new_session=True) as process:
        try:
            out, err = process.communicate(stdin, timeout)
        except BaseException as error:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            if not isinstance(error, subprocess.TimeoutExpired):
                raise
            out, err = process.communicate()
            raise Failure("%s did not end within %s s\nstdout: %s\nstderr: %s"
                          % (" ".join(argv), timeout, out.decode("utf-8", "replace"),
                             err.decode("utf-8", "replace"))) from None
    if text:
        out, err = out.decode("utf-8", "replace"), err.decode("utf-8", "replace")
    return Result(process.returncode, out, err)


def wait_for(condition, timeout=60, what="condition", interval=0.02):
    """Poll until condition() is true and return what it gave. The timeout is a bound on the
    test, never a claim about the program."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise Failure("waited %s s in vain: %s" % (timeout, what))
        time.sleep(interval)


class Check:
    """What a check's function gets."""

    def __init__(self, name, directory):
        self.name = name
        self.dir = directory
        self._cleanup = contextlib.ExitStack()

    def enter(self, context):
        """Enter a context manager for the rest of this check."""
        return self._cleanup.enter_context(context)

    def defer(self, function, *args):
        """Call this at the end of the check, whatever happens; the last one first."""
        self._cleanup.callback(function, *args)

    def close(self):
        self._cleanup.close()

    def diag(self, text):
        diag(text)

    def skip(self, reason):
        raise Skip(reason)

    def fail(self, text):
        raise Failure(text)

    def true(self, value, what):
        if not value:
            raise Failure("%s: %r" % (what, value))

    def equal(self, got, want, what):
        if got != want:
            raise Failure("%s: got %s, want %s" % (what, _short(got), _short(want)))

    def contains(self, text, piece, what):
        if piece not in text:
            raise Failure("%s: no %s in %s" % (what, _short(piece), _short(text)))

    def run(self, argv, env=None, cwd=None, timeout=60, stdin=None, text=True, code=None):
        """run() in the check's directory; with code, any other exit code fails the check."""
        result = run(argv, env, cwd or self.dir, timeout, stdin, text)
        if code is not None and result.code != code:
            raise Failure("%s: exit code %d, want %d\nstdout: %s\nstderr: %s" % (
                " ".join(str(a) for a in argv), result.code, code, result.out, result.err))
        return result


def _short(value):
    text = repr(value)
    return text if len(text) <= 2000 else text[:1000] + " ... " + text[-900:]


def agents(directory):
    """Process ids of the agents whose runtime directory this is: those who hold a lock in it."""
    locks = {}
    for path in pathlib.Path(directory).glob("*.lock"):
        with contextlib.suppress(FileNotFoundError):
            locks[path.stat().st_ino] = path
    found = []
    with open("/proc/locks", encoding="ascii") as f:
        for line in f:
            words = line.split()
            if "FLOCK" in words and "->" not in words and int(words[-3].split(":")[-1]) in locks:
                found.append(int(words[-4]))
    return sorted(found)


def stop_agents(directory, timeout=20):
    """End the agents of a runtime directory: by asking, then by force."""
    end = time.monotonic() + timeout
    for sig in (signal.SIGTERM, signal.SIGKILL):
        for pid in agents(directory):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
                os.kill(pid, sig)
        while agents(directory) and time.monotonic() < end:
            time.sleep(0.02)
        end += timeout


def diag(text):
    for line in str(text).rstrip("\n").split("\n"):
        print("# " + line, flush=True)


def user():
    """Who root becomes: SEAWALL_TEST_USER, postgres or nobody; None: there is none of them."""
    for name in (os.environ.get("SEAWALL_TEST_USER"), "postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name or "").pw_name
    return None


def become_user():
    """Root becomes another user."""
    name = user() if os.geteuid() == 0 else None
    if name is None:
        return
    entry = pwd.getpwnam(name)
    os.setgroups([])
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)
    os.environ.update(HOME="/nonexistent", USER=name, LOGNAME=name)


def _one(number, name, function, base):
    directory = pathlib.Path(tempfile.mkdtemp(prefix="c%d-" % number, dir=base))
    t = Check(name, directory)
    result, note = "ok", ""
    try:
        try:
            function(t)
        finally:
            t.close()
    except Skip as reason:
        note = " # SKIP %s" % reason
    except Failure as failure:
        result = "not ok"
        frame = traceback.extract_tb(failure.__traceback__)
        where = [f for f in frame if f.filename != __file__]
        diag("%s:%d: %s" % (where[-1].filename, where[-1].lineno, failure))
    except Exception:
        result = "not ok"
        diag(traceback.format_exc())
    print("%s %d - %s%s" % (result, number, name.replace("#", "\\#"), note), flush=True)
    if "KEEP" not in os.environ:
        shutil.rmtree(directory, ignore_errors=True)
    return result == "ok"


def main():
    """Run the selected checks and leave with 0 when none failed."""
    selected = [(n, f) for n, f in CHECKS
                if all(arg in n for arg in sys.argv[1:] if arg != "--list")]
    if "--list" in sys.argv[1:]:
        print("\n".join(n for n, f in selected))
        sys.exit(0)
    become_user()
    # a test runner that loses its patience says TERM: leave through every finally
    for sig in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(sig, lambda number, frame: sys.exit(128 + number))
    base = temporary("seawall-")
    os.environ["SEAWALL_RUNTIME_DIR"] = str(base / "run")
    failed = 0
    try:
        print("1..%d" % len(selected), flush=True)
        for number, (name, function) in enumerate(selected, 1):
            failed += not _one(number, name, function, base)
    finally:
        try:
            _finish.close()
        finally:
            stop_agents(base / "run")
            if "KEEP" in os.environ:
                diag("kept in %s" % base)
            else:
                shutil.rmtree(base, ignore_errors=True)
    sys.exit(1 if failed else 0)
