# SPDX-License-Identifier: PostgreSQL
"""What it costs that PostgreSQL starts a program for each segment. Run by hand, asserts nothing:

    SEAWALL_BIN=build python3 tests/bench/startup.py [RUNS]

Prints a table for docs/benchmarks.md: medians of RUNS (default 31) interleaved runs, beside an
empty C program. SEAWALL_BIN is a build of buildtype release (default: build).
"""
import json
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

TOP = pathlib.Path(__file__).resolve().parents[2]
os.environ.setdefault("SEAWALL_BIN", "build")
sys.path.insert(0, str(TOP / "tests" / "support"))

import seawall  # noqa: E402  (after the path)
import tap  # noqa: E402


EMPTY = "int main(void) { return 0; }\n"

# Python would not do: a child's peak of memory is never below that of the process it came from.
LAUNCHER = """
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

extern char **environ;

int main(int argc, char **argv)
{
    posix_spawn_file_actions_t actions;
    struct timespec begin, end;
    struct rusage usage;
    int status = -1;
    pid_t pid;

    if (argc < 3)
        return 2;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 2, argv[1], O_WRONLY | O_CREAT | O_TRUNC, 0600);
    clock_gettime(CLOCK_MONOTONIC, &begin);
    if (posix_spawn(&pid, argv[2], &actions, NULL, argv + 2, environ) != 0)
        return 2;
    if (wait4(pid, &status, 0, &usage) != pid)
        return 2;
    clock_gettime(CLOCK_MONOTONIC, &end);
    printf("%d %lld %ld\\n", status, (end.tv_sec - begin.tv_sec) * 1000000000LL +
           end.tv_nsec - begin.tv_nsec, usage.ru_maxrss);
    return 0;
}
"""


def compile_c(directory, name, text, *options):
    source = directory / (name + ".c")
    source.write_text(text)
    subprocess.run(["cc", "-O2", "-o", directory / name, source, *options], check=True)
    return str(directory / name)


def once(launcher, argv, refused):
    """Run it; returns seconds from its start to its end and the peak of resident memory in KiB."""
    result = subprocess.run([launcher, "stderr", *argv], stdout=subprocess.PIPE, check=True,
                            text=True)
    status, nanoseconds, rss = (int(word) for word in result.stdout.split())
    if (status != 0) != refused:
        sys.exit("startup.py: %s: wait status %d\n%s" % (
            " ".join(argv), status, pathlib.Path("stderr").read_text()))
    return nanoseconds / 1e9, rss


def libraries(program):
    """The shared libraries that ldd lists, as paths."""
    result = subprocess.run(["ldd", program], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                            check=False, text=True)
    return re.findall(r"=> (/\S+)", result.stdout)


class Subject:
    """One row of the table. before() prepares each run and is not measured; it may give another
    command line for it."""

    def __init__(self, name, argv, before=lambda: None, refused=False):
        self.name, self.argv, self.before, self.refused = name, argv, before, refused
        self.seconds, self.rss, self.libraries = [], [], len(libraries(argv[0]))


def agent_subjects(directory, setup, runs):
    """Hooks of an agent that has done their work already: all segments wait to be archived, and the
    first hook has made it work ahead."""
    pgdata = seawall.Pgdata(directory / "ahead", seawall.SYSTEM_ID + 1, segment_size=1 << 20)
    paths = iter([pgdata.write_segment(number) for number in range(1, runs + 3)])
    push = setup.argv("seawall-push", agent=True)
    enter = ["env", "-C", str(pgdata.dir)]
    subprocess.run(enter + push + [next(paths)], check=True)

    def status():
        return json.loads(subprocess.run(enter + setup.argv("seawall-agent", "status"), check=True,
                                         stdout=subprocess.PIPE, text=True).stdout)["push"]

    def following():
        while status()["in_flight"]:
            time.sleep(0.01)
        os.chdir(pgdata.dir)
        return push + [next(paths)]
    yield Subject("hook whose work is done", push, following)
    yield Subject("hook that is refused", push + ["pg_wal/nonsense"], lambda: os.chdir(pgdata.dir),
                  refused=True)


def subjects(directory, runs):
    setup = seawall.Setup(directory, [seawall.dir_store("a", directory / "a")], keys=False,
                          encryption=False)
    made = subprocess.run([seawall.program("seawall-keygen"), "--dir", setup.dir], check=True,
                          stdout=subprocess.PIPE, text=True).stdout
    setup.write(encryption={"recipients": [re.search(r"age1\w+", made)[0]],
                            "identity_file": "identity.txt"})
    pgdata = seawall.Pgdata(directory / "data")
    os.chdir(pgdata.dir)        # as PostgreSQL does for its hooks
    there, fresh = (pgdata.write_segment(number) for number in (1, 2))
    push, fetch = (seawall.program(name) for name in ("seawall-push", "seawall-fetch"))
    fetched = pathlib.Path("pg_wal/RECOVERYXLOG")

    def forget():
        os.chdir(pgdata.dir)
        for path in (directory / "a").rglob(pgdata.name(2)):
            path.unlink()
    yield Subject("empty program", [compile_c(directory, "empty", EMPTY)])
    # these tell what of a start is the libraries, and not the program
    for name, file, options in (("static", "static", ["-static"]),
                                ("with libcurl", "curl", ["-lcurl"]),
                                ("with all of seawall-agent's", "all",
                                 libraries(seawall.program("seawall-agent")))):
        yield Subject("empty program, " + name, [compile_c(
            directory, file, EMPTY, "-Wl,--no-as-needed", *options)])
    yield Subject("`seawall-push --version`", [push, "--version"])
    yield Subject("`seawall-fetch --version`", [fetch, "--version"])
    yield from agent_subjects(directory, setup, runs)
    yield Subject("push 16 MiB, new", setup.argv("seawall-push", fresh), forget)
    yield Subject("push 16 MiB, archived before", setup.argv("seawall-push", there),
                  lambda: os.chdir(pgdata.dir))
    yield Subject("fetch 16 MiB", setup.argv("seawall-fetch", pgdata.name(1), fetched),
                  lambda: fetched.unlink(missing_ok=True))
    other = shutil.which("pgbackrest")
    if other:
        yield Subject("`pgbackrest version`", [other, "version"])


def main():
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 31
    os.environ["SEAWALL_BIN"] = os.path.abspath(os.environ["SEAWALL_BIN"])
    seawall.BIN = pathlib.Path(os.environ["SEAWALL_BIN"])
    with tempfile.TemporaryDirectory(prefix="seawall-bench-") as name:
        directory = pathlib.Path(name)
        launcher = compile_c(directory, "launcher", LAUNCHER, "-D_GNU_SOURCE")
        os.environ["SEAWALL_RUNTIME_DIR"] = str(directory / "run")
        rows = list(subjects(directory, runs))
        for number in range(runs + 1):
            for row in rows:
                argv = row.before() or row.argv
                seconds, rss = once(launcher, argv, row.refused)
                if number > 0:      # the first round only warms the caches
                    row.seconds.append(seconds)
                    row.rss.append(rss)
        os.chdir("/")
        tap.stop_agents(directory / "run")
    base = statistics.median(rows[0].seconds)
    print("| what | median | of the empty program | libraries | memory |")
    print("|---|---:|---:|---:|---:|")
    for row in rows:
        median = statistics.median(row.seconds)
        print("| %s | %.1f ms | %.1f x | %d | %.1f MiB |" % (
            row.name, median * 1000, median / base, row.libraries,
            statistics.median(row.rss) / 1024))


if __name__ == "__main__":
    main()
