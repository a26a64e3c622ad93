# SPDX-License-Identifier: PostgreSQL
"""runner.py: what tests/run.sh does once the packages are there.

Copies the sources to a place of its own, builds them with gcc, with clang (both with -Werror) and
with gcc's address and undefined behaviour sanitizers, runs the suites, and ends with one line
"N passed, N failed". As root it builds and tests as the user of SEAWALL_TEST_USER, postgres or
nobody: PostgreSQL refuses root, and root does not see permissions. Everything it made and started
is gone at the end, also after Ctrl-C. With --coverage it is one build that counts what is run, and
the end is a table of it.
"""
import argparse
import collections
import contextlib
import json
import os
import pathlib
import pwd
import re
import shutil
import signal
import subprocess
import sys
import time
import uuid

TOP = pathlib.Path(__file__).resolve().parents[2]
SUITES = ["unit", "fuzz", "golden", "lint", "cli", "library", "faults", "pg", "s3"]

Build = collections.namedtuple("Build", "name env options suites")
BUILDS = [
    Build("gcc", {"CC": "gcc"}, ["-Dwerror=true"],
          ["unit", "fuzz", "golden", "lint", "cli", "library", "faults", "s3"]),
    Build("clang", {"CC": "clang"}, ["-Dwerror=true"], ["unit", "fuzz", "golden", "lint"]),
    Build("sanitized", {"CC": "gcc"}, ["-Dwerror=true", "-Db_sanitize=address,undefined",
                                       "-Dsanitize_tests=true"], ["unit", "fuzz", "cli", "pg"]),
]
# Not optimised, so that a line is a line; what is slow or large is judged as with sanitizers.
COVERAGE = Build("coverage", {"CC": "gcc"},
                 ["--buildtype=debug", "-Db_coverage=true", "-Dsanitize_tests=true",
                  "-Dc_args=-fprofile-update=atomic"],  # threads count, too
                 ["unit", "fuzz", "golden", "cli"])
# What they run is killed, and a killed process counts nothing.
SWEEPS = ("kill_sweep", "agent_sweep", "backup_sweep")
COVERED_FOLDERS = ("common", "archive", "restore", "agent", "front")
# Counters that cannot be written, where a test limits the size of files, are no word on stderr.
COUNTERS = {"GCOV_ERROR_FILE": "/dev/null"}
# The report of a sanitizer must never look like an answer: seawall-fetch's 1 means "not there".
SANITIZERS = {
    "ASAN_OPTIONS": "exitcode=200:detect_leaks=1:strict_string_checks=1"
                    ":check_initialization_order=1",
    "UBSAN_OPTIONS": "halt_on_error=1:exitcode=200:print_stacktrace=1",
    "LSAN_OPTIONS": "exitcode=200",
}
TAIL = 60


class Tally:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0

    def add(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped

    def __str__(self):
        text = "%d passed, %d failed" % (self.passed, self.failed)
        return text + (", %d skipped" % self.skipped if self.skipped else "")


def count(entry):
    """The tally of one program in meson's log: its TAP lines if it speaks TAP, else one."""
    tally = Tally()
    planned = None
    for line in (entry.get("stdout") or "").splitlines():
        plan = re.match(r"1\.\.(\d+)", line)
        if plan:
            planned = (planned or 0) + int(plan[1])
        match = re.match(r"(not )?ok\b(.*)", line)
        if not match:
            continue
        directive = re.search(r"(?<!\\)#\s*(skip|todo)", match[2], re.I)
        if directive:
            tally.skipped += 1
        elif match[1]:
            tally.failed += 1
        else:
            tally.passed += 1
    seen = tally.passed + tally.failed + tally.skipped
    good = entry["result"] in ("OK", "EXPECTEDFAIL", "SKIP")
    if seen == 0 and not planned:
        if entry["result"] == "SKIP":
            tally.skipped = 1
        elif good:
            tally.passed = 1
        else:
            tally.failed = 1
    elif planned is not None and seen < planned:
        tally.failed += planned - seen          # it crashed or was killed before these
    elif not good and tally.failed == 0:
        tally.failed += 1                       # all checks well, then a crash or a leak
    return tally


def coverage_sum(rows, kind):
    return tuple(sum(row["%s_%s" % (kind, what)] for row in rows) for what in ("covered", "total"))


def percent(part, whole):
    return "%.1f %%" % (100 * part / whole) if whole else "-"


def coverage_rows(files):
    """(folder, its files) in order, then everything."""
    folders = collections.defaultdict(list)
    for row in files:
        folders[os.path.dirname(row["filename"])].append(row)
    return sorted(folders.items()) + [("all", files)]


class Runner:
    def __init__(self, options):
        self.options = options
        self.token = "seawall-run-" + uuid.uuid4().hex
        self.user = self._user()
        self.running = None
        self.owner = False      # of self.work
        self.total = Tally()
        default = "/tmp/seawall-build-%s" % self.user.pw_name
        # one path per user, so that a second run finds and removes what a killed one left
        self.work = pathlib.Path(os.environ.get("SEAWALL_BUILD") or default).absolute()
        self.env = {
            "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "LC_ALL": "C.UTF-8",
            "TZ": "UTC", "HOME": str(self.work / "home"), "USER": self.user.pw_name,
            "LOGNAME": self.user.pw_name, "SEAWALL_RUN": self.token,
            "SEAWALL_TMP": str(self.work / "t"), "TMPDIR": str(self.work / "t"),
            "PYTHONDONTWRITEBYTECODE": "1"}
        for name in ("PG_BIN", "KEEP"):
            if name in os.environ:
                self.env[name] = os.environ[name]

    @staticmethod
    def _user():
        if os.geteuid() != 0:
            return pwd.getpwuid(os.geteuid())
        for name in (os.environ.get("SEAWALL_TEST_USER"), "postgres", "nobody"):
            with contextlib.suppress(KeyError):
                user = pwd.getpwnam(name or "")
                if user.pw_uid != 0:
                    return user
        sys.exit("runner.py: no user to run the tests as: set SEAWALL_TEST_USER")

    # files and processes

    def prepare(self):
        """An empty directory of the tests' user with a copy of the sources."""
        if len(str(self.work)) > 50:
            sys.exit("runner.py: %s: too long for the sockets in it" % self.work)
        if self.work.exists():
            if not (self.work / ".seawall-tests").exists() and any(self.work.iterdir()):
                sys.exit("runner.py: %s is not mine; remove it or set SEAWALL_BUILD" % self.work)
            self._stop_if_in_use()
            shutil.rmtree(self.work)
        self.work.mkdir(mode=0o755)
        self.owner = True
        (self.work / ".seawall-tests").write_text("%d\n" % os.getpid())
        source = self.work / "src"
        for name in self._files():
            target = source / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(TOP / name, target, follow_symlinks=False)
        for name in ("t", "home"):
            (self.work / name).mkdir(mode=0o755)
        if os.geteuid() == 0:
            for path in [self.work, *self.work.rglob("*")]:
                os.chown(path, self.user.pw_uid, self.user.pw_gid, follow_symlinks=False)

    def _stop_if_in_use(self):
        with contextlib.suppress(OSError, ValueError):
            pid = int((self.work / ".seawall-tests").read_text())
            if pid != os.getpid() and b"runner.py" in pathlib.Path(
                    "/proc/%d/cmdline" % pid).read_bytes():
                sys.exit("runner.py: another run (pid %d) is in %s; set SEAWALL_BUILD" % (
                    pid, self.work))

    @staticmethod
    def _files():
        """The sources: what git knows or could know; without git, everything but builds."""
        with contextlib.suppress(OSError):
            git = subprocess.run(["git", "-c", "safe.directory=*", "-C", str(TOP), "ls-files", "-z",
                                  "--cached", "--others", "--exclude-standard"],
                                 stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
            names = [os.fsdecode(n) for n in git.stdout.split(b"\0") if n]
            if git.returncode == 0 and "meson.build" in names:
                return [n for n in names if os.path.lexists(TOP / n)]
        names = []
        for folder, folders, files in os.walk(TOP):
            folders[:] = [d for d in folders if d not in (".git", "__pycache__")
                          and not os.path.exists(os.path.join(folder, d, "build.ninja"))]
            names += [os.path.relpath(os.path.join(folder, f), TOP) for f in files]
        return names

    def _strays(self):
        """Processes that carry this run's token in their environment or work in its directory."""
        for entry in os.listdir("/proc"):
            if not entry.isdigit() or int(entry) == os.getpid():
                continue
            with contextlib.suppress(OSError):
                environ = pathlib.Path("/proc", entry, "environ").read_bytes()
                if b"SEAWALL_RUN=" + self.token.encode() in environ.split(b"\0"):
                    yield int(entry)
                    continue
            with contextlib.suppress(OSError):
                if os.readlink("/proc/%s/cwd" % entry).startswith(str(self.work) + "/"):
                    yield int(entry)

    def sweep(self, wait=0.0):
        """Kill what tests have left behind. Returns how many there were."""
        end = time.monotonic() + wait
        while wait and any(True for _ in self._strays()) and time.monotonic() < end:
            time.sleep(0.1)
        killed = set()
        for _ in range(50):
            strays = set(self._strays())
            for pid in strays:
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
            killed |= strays
            if not strays:
                break
            time.sleep(0.1)
        return len(killed)

    def clean(self):
        """Leave nothing behind. Touches nothing before prepare() made the directory its own."""
        if not self.owner:
            return
        if self.running and self.running.poll() is None:
            with contextlib.suppress(OSError):
                os.killpg(self.running.pid, signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.running.wait(5)
        self.sweep()
        if self.options.keep:
            print("kept: %s" % self.work)
        else:
            shutil.rmtree(self.work, ignore_errors=True)

    def call(self, argv, env=None, log=None):
        """Run a step as the tests' user in a session of its own, quietly; returns its code."""
        as_user = {}
        if os.geteuid() == 0:
            as_user = dict(user=self.user.pw_uid, group=self.user.pw_gid, extra_groups=[])
        with open(log or os.devnull, "ab") as out:
            self.running = subprocess.Popen(
                [str(a) for a in argv], cwd=self.work, env=dict(self.env, **(env or {})),
                stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True,
                umask=0o022, **as_user)
            return self.running.wait()

    # steps

    def build(self, build):
        """Configure and compile; a build that fails counts as one failure."""
        start = time.monotonic()
        log = self.work / (build.name + ".log")
        place = self.work / build.name
        steps = [["meson", "setup", *build.options, place, self.work / "src"],
                 ["ninja", "-C", place]]
        for step in steps:
            if self.call(step, build.env, log) != 0:
                print("%-10s build FAILED" % build.name)
                print("\n".join(log.read_text(errors="replace").splitlines()[-TAIL:]))
                self.total.failed += 1
                return False
        print("%-10s %-7s built (%d s)" % (build.name, "", time.monotonic() - start), flush=True)
        return True

    def test(self, build, suite):
        start = time.monotonic()
        place = self.work / build.name
        logs = place / "meson-logs"
        argv = ["meson", "test", "-C", place, "--no-rebuild", "--suite", "seawall:" + suite,
                "--logbase", "testlog-" + suite]
        env = {}
        if build.name == "sanitized":
            argv += ["-t", "3"]
            env = SANITIZERS
        elif build.name == COVERAGE.name:
            argv += ["-t", "5", *self.without_sweeps(place, suite)]
            env = COUNTERS
        output = self.work / ("%s-%s.log" % (build.name, suite))
        code = self.call(argv, env, output)
        entries = []
        with contextlib.suppress(FileNotFoundError):
            with open(logs / ("testlog-%s.json" % suite), encoding="utf-8") as f:
                entries = [json.loads(line) for line in f]
        tally = Tally()
        failures = []
        for entry in entries:
            one = count(entry)
            tally.add(one)
            if one.failed:
                failures.append(entry)
        if code != 0 and not tally.failed:
            tally.failed += 1
            failures.append({"name": "meson test", "result": "exit code %d" % code,
                             "stdout": output.read_text(errors="replace")})
        left = self.sweep(wait=3)
        self.total.add(tally)
        if not entries and code == 0:
            return
        print("%-10s %-7s %s (%d s)%s" % (
            build.name, suite, tally, time.monotonic() - start,
            "; %d processes left behind were killed" % left if left else ""), flush=True)
        for entry in failures:
            self.show(build, entry)

    @staticmethod
    def show(build, entry):
        print("---- %s: %s: %s" % (build.name, entry["name"], entry["result"]))
        lines = (entry.get("stdout") or "").splitlines()
        # good checks say nothing; notes stand before the check they belong to
        shown, notes = [], []
        for line in lines:
            notes.append(line)
            if re.match(r"ok\b", line):
                notes = []
            elif re.match(r"not ok\b", line):
                shown += notes[-TAIL:]
                notes = []
        shown += notes[-TAIL:]
        print("\n".join(shown[-4 * TAIL:]))
        errors = (entry.get("stderr") or "").splitlines()
        if errors:
            print("---- its stderr\n" + "\n".join(errors[-TAIL:]))
        print("----", flush=True)

    @staticmethod
    def without_sweeps(place, suite):
        """The names of a suite's tests but for the sweeps."""
        with open(place / "meson-info" / "intro-tests.json", encoding="utf-8") as f:
            return [test["name"] for test in json.load(f)
                    if "seawall:" + suite in test["suite"] and test["name"] not in SWEEPS]

    def coverage(self, build):
        """Print how much of each folder was run. What ends by a signal, SIGKILL above all, writes
        no counters, and is not in it."""
        summary, log = self.work / "coverage.json", self.work / "gcovr.log"
        filters = [word for folder in COVERED_FOLDERS
                   for word in ("--filter", "%s/" % (self.work / "src" / folder))]
        details = ["--html-details", self.work / "coverage.html"] if self.options.keep else []
        if self.call(["gcovr", "--root", self.work / "src", *filters, *details, "--json-summary",
                      summary, self.work / build.name], None, log) != 0:
            print("gcovr FAILED\n" + "\n".join(log.read_text(errors="replace").splitlines()[-TAIL:]))
            self.total.failed += 1
            return
        files = json.loads(summary.read_text())["files"]
        print("%-24s %8s %15s %15s" % ("folder", "lines", "lines run", "branches taken"))
        for folder, rows in coverage_rows(files):
            lines, branches = (coverage_sum(rows, kind) for kind in ("line", "branch"))
            print("%-24s %8d %15s %15s" % (folder, lines[1], percent(*lines), percent(*branches)))
        worst = sorted(files, key=lambda f: f["line_covered"] - f["line_total"])[:15]
        print("lines that were not run: " + ", ".join(
            "%s %d" % (f["filename"], f["line_total"] - f["line_covered"]) for f in worst))

    def run(self):
        self.prepare()
        if self.options.coverage:
            if self.build(COVERAGE):
                for suite in self.options.suites or COVERAGE.suites:
                    self.test(COVERAGE, suite)
                self.coverage(COVERAGE)
            return
        for build in BUILDS:
            suites = [s for s in build.suites if s in (self.options.suites or SUITES)]
            if self.options.quick and build.name != "gcc":
                continue
            if self.options.quick and "pg" in (self.options.suites or SUITES):
                suites.append("pg")
            if suites and self.build(build):
                for suite in suites:
                    self.test(build, suite)
        if self.total.passed + self.total.failed == 0:
            print("no test ran")
            self.total.failed += 1


def main():
    parser = argparse.ArgumentParser(
        prog="run.sh", description="Build Seawall three ways and run its test suites.")
    parser.add_argument("--quick", action="store_true", help="only the gcc build")
    parser.add_argument("--keep", action="store_true", help="keep the builds and their logs")
    parser.add_argument("--coverage", action="store_true",
                        help="one build that counts, by default with %s" % " ".join(COVERAGE.suites))
    parser.add_argument("suites", nargs="*", metavar="SUITE", help=" ".join(SUITES))
    options = parser.parse_args()
    unknown = set(options.suites) - set(SUITES)
    if unknown:
        parser.error("no suite %s; there are: %s" % (" ".join(sorted(unknown)), " ".join(SUITES)))
    for sig in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(sig, lambda number, frame: sys.exit(128 + number))
    runner = Runner(options)
    finished = False
    try:
        runner.run()
        finished = True
    finally:
        for sig in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(sig, signal.SIG_IGN)
        runner.clean()
        if runner.owner and not finished:
            print("interrupted")
    print(runner.total)
    return 1 if runner.total.failed else 0


if __name__ == "__main__":
    sys.exit(main())
