# SPDX-License-Identifier: PostgreSQL
"""How long recovery waits for its WAL, from a distant region. Run by hand, asserts no time:

    SEAWALL_BIN=build python3 tests/bench/recover.py [--segments 40] [--rounds 3] [--replay MS...] [--pitr]

Prints tables for docs/benchmarks.md: medians of interleaved runs. An S3 service stands behind a
simulated link (tests/support/wan.py: as root, with /dev/net/tun), holding the WAL of a pgbench run.
The commands are run as the startup process runs them, through system(3), with its questions for
history files at both ends; between two segments the time passes that their replay would take.
Beside them: cp from the local disk, and pgBackRest with archive-async if it is installed.
--pitr: a real server recovers that database, from its base backup.
SEAWALL_BIN is a build of buildtype release (default: build).
"""
import argparse
import collections
import contextlib
import os
import pathlib
import re
import shlex
import shutil
import signal
import statistics
import subprocess
import sys
import time

TOP = pathlib.Path(__file__).resolve().parents[2]
os.environ["SEAWALL_BIN"] = os.path.abspath(os.environ.get("SEAWALL_BIN", "build"))
sys.path.insert(0, str(TOP / "tests" / "support"))

import pgserver  # noqa: E402  (after the path)
import radosgw  # noqa: E402
import seawall  # noqa: E402
import tap  # noqa: E402
import wan  # noqa: E402

MIB = 1 << 20

# system(3) as the startup process does; what it restores is read once, as replay does.
DRIVER = r"""
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double
seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void
replay(const char *path, double length)
{
    static char bytes[65536];
    double end = seconds() + length;
    int fd = open(path, O_RDONLY);

    while (fd >= 0 && read(fd, bytes, sizeof(bytes)) > 0)
        continue;
    if (fd >= 0)
        close(fd);
    double left = end - seconds();
    if (left > 0)
        usleep((useconds_t)(left * 1e6));
}

/* driver COMMAND REPLAY_MS NAME...: "name status seconds" for each */
int
main(int argc, char **argv)
{
    char command[4096];

    for (int i = 3; i < argc; i++) {
        int is_history = strstr(argv[i], ".history") != NULL;
        const char *path = is_history ? "pg_wal/RECOVERYHISTORY" : "pg_wal/RECOVERYXLOG";
        char *to = command;

        for (const char *at = argv[1]; *at != '\0'; at++) {
            if (at[0] == '%' && at[1] == 'f')
                to = stpcpy(to, argv[i]), at++;
            else if (at[0] == '%' && at[1] == 'p')
                to = stpcpy(to, path), at++;
            else
                *to++ = *at;
        }
        *to = '\0';
        unlink(path);
        double begin = seconds();
        int status = system(command);
        printf("%s %d %.6f\n", argv[i], WIFEXITED(status) ? WEXITSTATUS(status) : -1,
               seconds() - begin);
        if (status == 0 && !is_history)
            replay(path, atof(argv[2]) / 1000);
    }
    return 0;
}
"""

Way = collections.namedtuple("Way", "name restore_command end")
Run = collections.namedtuple("Run", "total first others probes")


def must(argv, **options):
    options.setdefault("timeout", 1800)
    result = tap.run([str(a) for a in argv], **options)
    if result.code != 0:
        raise tap.Failure("%s: exit code %d\n%s%s" % (argv[0], result.code, result.out, result.err))
    return result.out


class Bench:
    def __init__(self, directory, args, link, stack):
        self.dir, self.args, self.link, self.stack = directory, args, link, stack
        self.gateway = stack.enter_context(radosgw.Radosgw(
            directory / "far", names=["IP:" + link.there]))
        for bucket in ("seawall", "pgbackrest"):
            self.gateway.create_bucket(bucket)
        link.set(rtt_ms=args.rtt, mbit=args.mbit)
        self.far = link.listen(self.gateway.tls_port)
        self.local = directory / "local"
        self.local.mkdir()
        (directory / "driver.c").write_text(DRIVER)
        must(["cc", "-O2", "-o", directory / "driver", directory / "driver.c"])
        self.ways = []
        self.answer = None

    # what is to be recovered

    def generate(self):
        args = self.args
        self.pg = self.stack.enter_context(pgserver.Cluster(self.dir / "primary"))
        self.pg.configure(checkpoint_timeout="30s", max_wal_size="4GB", shared_buffers="128MB")
        self.pg.archive("cp %%p %s/%%f" % self.local)
        self.pg.start()
        must([pgserver.tool("pgbench"), "-i", "-q", "-s", args.scale], env=self.pg.env)
        self.base = self.pg.base_backup(self.dir / "base").data
        begin = self.pg.current_wal()
        while len(self.segments(begin)) < args.segments + 1:
            must([pgserver.tool("pgbench"), "-n", "-c", "4", "-T", "5"], env=self.pg.env)
        self.pg.wait_archived(self.pg.switch_wal())
        self.pg.stop()
        self.names = self.segments(begin)[:args.segments]
        for name in self.segments(begin)[args.segments:]:
            (self.local / name).unlink()
        last = self.names[-1]
        self.behind = last[:16] + "%08X" % (int(last[16:], 16) + 1)
        print("%d segments of a pgbench run (scale %d, 4 clients)" % (
            len(self.names), args.scale), flush=True)

    def segments(self, begin):
        return [f for f in sorted(os.listdir(self.local))
                if re.fullmatch("[0-9A-F]{24}", f) and f >= begin]

    def archive_all(self, argv):
        """Through an archive command, in a data directory, without the link."""
        for name in sorted(os.listdir(self.local)):
            shutil.copyfile(self.local / name, self.base / "pg_wal" / name)
            must(argv + ["pg_wal/" + name], cwd=str(self.base))
            (self.base / "pg_wal" / name).unlink()

    # the subjects

    def seawall(self, compression):
        directory = self.dir / ("seawall-" + compression)
        directory.mkdir()
        near = self.gateway.store("far", "seawall", compression)
        setup = seawall.Setup(directory, [near], compression=compression)
        self.archive_all(setup.argv("seawall-push"))
        self.stop_agent(setup)
        setup.write(stores=[dict(near, endpoint="https://%s:%d" % self.far)])
        self.ways.append(Way("Seawall, %s" % compression, setup.restore_command(),
                             lambda: self.stop_agent(setup)))

    def stop_agent(self, setup):
        if seawall.have("seawall-agent"):
            for directory in (self.base, self.dir / "recovered"):
                if directory.exists():
                    tap.run(setup.argv("seawall-agent", "stop"), cwd=str(directory))

    def pgbackrest(self):
        place = self.dir / "pgbackrest"
        (place / "none").mkdir(parents=True)
        gw = self.gateway

        def config(name, host, port):
            path = place / name
            settings = {
                "repo1-cipher-type": "aes-256-cbc", "repo1-cipher-pass": "bench",
                "compress-type": "lz4", "log-path": place, "lock-path": place / "lock",
                "spool-path": place / "spool", "log-level-console": "warn",
                "log-level-file": "off", "archive-async": "y", "process-max": 8,
                "archive-get-queue-max": "1GiB", "repo1-path": "/repo", "repo1-type": "s3",
                "repo1-s3-bucket": "pgbackrest", "repo1-s3-endpoint": host,
                "repo1-storage-port": port, "repo1-storage-verify-tls": "n",
                "repo1-s3-uri-style": "path", "repo1-s3-region": gw.region,
                "repo1-s3-key": gw.access_key, "repo1-s3-key-secret": gw.secret_key}
            path.write_text("[global]\n" + "".join("%s=%s\n" % item for item in settings.items())
                            + "[bench]\npg1-path=%s\npg1-socket-path=%s\npg1-user=postgres\n" % (
                                self.pg.data, self.pg.sockets))
            path.chmod(0o600)
            return ["pgbackrest", "--config=%s" % path, "--config-include-path=%s/none" % place,
                    "--stanza=bench"]

        near = config("near.conf", "127.0.0.1", gw.tls_port)
        self.pg.configure(archive_command="exit 1 # archive-push")
        self.pg.start()
        must(near + ["stanza-create"])
        self.pg.stop()
        self.archive_all(near + ["--pg1-path=%s" % self.base, "--no-archive-async",
                                 "archive-push"])
        far = config("far.conf", *self.far)

        def end():
            must(far + ["stop", "--force"])
            must(far + ["start"])
            shutil.rmtree(place / "spool", ignore_errors=True)
            shutil.rmtree(place / "lock", ignore_errors=True)
        self.ways.append(Way("pgBackRest, async, 8 processes", shlex.join(far)
                             + ' --pg1-path="$PWD" archive-get %f "%p"', end))

    def cp(self):
        self.ways.append(Way("cp, local disk", "cp %s/%%f %%p" % self.local, lambda: None))

    # the rounds

    def drive(self, way, replay_ms):
        names = ["00000002.history"] + self.names
        ends = [self.behind, self.behind, self.names[-1], "00000002.history", "00000001.history"]
        if self.args.to_the_end:
            names += ends
        out = must([self.dir / "driver", way.restore_command, replay_ms, *names],
                   cwd=str(self.base))
        way.end()
        first, others, probes = 0, 0, 0
        for i, line in enumerate(out.splitlines()):
            name, status, seconds = line.split()
            wanted = 0 if name in self.names else 1
            if int(status) != wanted:
                raise tap.Failure("%s: %s: status %s" % (way.name, name, status))
            if self.args.verbose:
                print("    " + line)
            if wanted == 1 or i > len(self.names):
                probes += float(seconds)
            elif name == self.names[0]:
                first = float(seconds)
            else:
                others += float(seconds)
        total = first + others + len(self.names) * replay_ms / 1000
        return Run(total, first, others, probes)

    def table(self):
        size = sum((self.local / n).stat().st_size for n in self.names)
        print("%d MiB of WAL; %g ms, %g Mbit/s; medians of %d rounds; %d processors, load %.1f" % (
            size // MIB, self.args.rtt, self.args.mbit, self.args.rounds, os.cpu_count(),
            os.getloadavg()[0]))
        for replay_ms in self.args.replay:
            runs = collections.defaultdict(list)
            before = {}
            carried = {}
            for _ in range(self.args.rounds):
                for way in self.ways:
                    before[way] = self.link.count()[1]
                    runs[way].append(self.drive(way, replay_ms))
                    carried[way] = self.link.count()[1] - before[way]
            print("\n| %d ms of replay a segment | total | first | all others | probes | MiB | link"
                  " bound |\n|---|---|---|---|---|---|---|" % replay_ms)
            for way in self.ways:
                run = Run(*(statistics.median(values) for values in zip(*runs[way])))
                bound = carried[way] * 8 / (self.args.mbit * 1e6) if self.args.mbit else 0
                print("| %s | %.2f s | %.2f s | %.2f s | %.2f s | %.0f | %.2f s |" % (
                    way.name, run.total, run.first, run.others, run.probes,
                    carried[way] / MIB, bound), flush=True)

    def recover(self, way):
        data = self.dir / "recovered"
        shutil.copytree(self.base, data, symlinks=True)
        with pgserver.Cluster(data, name="recovered", create=False) as pg:
            pg.recover(way.restore_command)
            begin = time.monotonic()
            pg.start()
            pg.wait_promoted(1200)
            took = time.monotonic() - begin
            found = pg.value("select sum(abalance), count(*) from pgbench_accounts")
            self.answer = self.answer or found
            if found != self.answer:
                raise tap.Failure(way.name + ": the data differ")
            pg.stop("immediate")
        way.end()
        shutil.rmtree(data)
        return took

    def pitr(self):
        times = collections.defaultdict(list)
        for _ in range(self.args.rounds):
            for way in self.ways:
                times[way].append(self.recover(way))
        local = statistics.median(times[self.ways[0]])
        print("\n| recovery of a pgbench database, from start to open | median | beside cp |\n"
              "|---|---|---|")
        for way in self.ways:
            median = statistics.median(times[way])
            print("| %s | %.2f s | %+.0f %% |" % (way.name, median, (median / local - 1) * 100))

    def run(self):
        self.generate()
        self.cp()
        for compression in self.args.compression.split(","):
            self.seawall(compression)
        if shutil.which("pgbackrest") and not self.args.no_peers:
            self.pgbackrest()
        self.table()
        if self.args.pitr:
            self.pitr()


def main():
    parser = argparse.ArgumentParser(description="Measure recovery; prints tables.")
    parser.add_argument("--segments", type=int, default=40)
    parser.add_argument("--scale", type=int, default=20, help="of pgbench")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rtt", type=float, default=80, help="milliseconds")
    parser.add_argument("--mbit", type=float, default=400)
    parser.add_argument("--replay", type=int, nargs="*", default=[150, 60], help="milliseconds")
    parser.add_argument("--compression", default="lz4,zstd")
    parser.add_argument("--to-the-end", action="store_true", help="with the questions at the end")
    parser.add_argument("--no-peers", action="store_true")
    parser.add_argument("--pitr", action="store_true")
    parser.add_argument("--verbose", action="store_true")
    args = parser.parse_args()
    link = wan.try_link()
    if isinstance(link, str):
        sys.exit("recover.py: skipped: " + link)
    tap.become_user()
    for sig in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(sig, lambda number, frame: sys.exit(128 + number))
    os.umask(0o077)
    directory = tap.temporary("swbench-")
    os.environ["SEAWALL_RUNTIME_DIR"] = str(directory / "run")
    (directory / "run").mkdir(mode=0o700)
    try:
        os.chdir(directory)
        with link, contextlib.ExitStack() as stack:
            Bench(directory, args, link, stack).run()
    except (tap.Failure, tap.Skip) as failure:
        sys.exit("recover.py: %s" % failure)
    finally:
        os.chdir("/")
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()
