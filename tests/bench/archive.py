# SPDX-License-Identifier: PostgreSQL
"""Archiving a backlog beside pgBackRest and cp. Run by hand as root, asserts no time:

    SEAWALL_BIN=build /usr/bin/python3 tests/bench/archive.py [--segments 120] [--rounds 1]
                                       [--rtt 80] [--mbit 400] [--only WORDS] [--profile]
                                       [--timeline | --against BUILD]

A backlog of real WAL (pgbench, full-page writes) is archived hook by hook as PostgreSQL's archiver
does it: `sh -c`, one after the other, .ready renamed to .done. The store is a radosgw by HTTPS behind
a simulated link (tests/support/wan.py, which needs root), then one on loopback without delay. Prints
tables for docs/benchmarks.md. SEAWALL_BIN is a build of buildtype release (default: build). What is
not installed or not built is left out.
"""
import argparse
import collections
import contextlib
import os
import pathlib
import re
import resource
import shlex
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import threading
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
SYNC_SEGMENTS = 4          # of the slow rows

Run = collections.namedtuple("Run", "seconds segments first cpu helper_cpu hook helper sent stored")

# Which part of the work a sample of the profile belongs to: the first function of these on its
# stack, from the innermost outwards.
PHASES = (
    ("compress", r"LZ4|ZSTD|XXH|HIST_|HUF_|FSE_|frame_"),
    ("encrypt", r"age_|aead_"),
    ("index", r"wal_(?!source)|crc32c|segment_index|crumb"),
    ("send", r"store_|s3_|http_|curl|Curl|SSL_|ssl|tls|delivery_|newfile|dir_"),
    ("hash, sign", r"digest_|seal_|object_packer"),
    ("read", r"io_read|pread|wal_source"),
)


def fail(text):
    sys.exit("archive.py: " + text)


def must(argv, **options):
    result = tap.run(argv, timeout=1800, **options)
    if result.code != 0:
        fail("%s: exit code %d\n%s%s" % (shlex.join(str(a) for a in argv), result.code,
                                         result.out, result.err))
    return result.out


# Measuring processes that are nobody's children any more

def helpers(word):
    """Processes with this word in their command line, but not the hooks themselves."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if not entry.name.isdigit():
                continue
            line = (entry / "cmdline").read_bytes()
            if word.encode() in line and re.search(rb"seawall-agent\0|:async\0|:local\0", line):
                found.append(int(entry.name))
    return found


def processor(pid):
    """Seconds of user and of system time of a process so far."""
    with contextlib.suppress(OSError, ValueError):
        fields = pathlib.Path("/proc/%d/stat" % pid).read_text().rpartition(") ")[2].split()
        return tuple(int(field) / os.sysconf("SC_CLK_TCK") for field in fields[11:13])
    return 0.0, 0.0


def peak(pid):
    with contextlib.suppress(OSError):
        match = re.search(r"VmHWM:\s+(\d+) kB", pathlib.Path("/proc/%d/status" % pid).read_text())
        if match:
            return int(match[1]) * 1024
    return 0


class Watch(threading.Thread):
    """Looks again and again at the helpers: processor time of each, and peak of memory."""

    def __init__(self, word):
        super().__init__(daemon=True)
        self.word, self.over = word, threading.Event()
        self.cpu, self.peaks = {}, {}

    def look(self):
        for pid in helpers(self.word) if self.word else []:
            self.cpu[pid] = max(self.cpu.get(pid, 0), sum(processor(pid)))
            self.peaks[pid] = max(self.peaks.get(pid, 0), peak(pid))

    def run(self):
        while not self.over.wait(0.1):
            self.look()

    def __exit__(self, *exc):
        self.look()
        self.over.set()
        self.join()

    def __enter__(self):
        self.start()
        return self


class Flow(threading.Thread):
    """What the link carries, look by look."""

    def __init__(self, link):
        super().__init__(daemon=True)
        self.link, self.over = link, threading.Event()
        self.seen = [(time.monotonic(), link.count()[0])]

    def run(self):
        while not self.over.wait(0.05):
            self.seen.append((time.monotonic(), self.link.count()[0]))

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *exc):
        self.over.set()
        self.join()


# The backlog

class Backlog:
    """Segments that a real server wrote, and what else of its data directory an archiver reads."""

    def __init__(self, directory, n):
        self.dir = directory
        with pgserver.Cluster(directory / "server", checksums=True) as pg:
            pg.configure(shared_buffers="256MB", max_wal_size="32GB", checkpoint_timeout="30s",
                         full_page_writes="on", archive_mode="on", archive_command="false",
                         wal_compression="off", synchronous_commit="off")
            pg.start()
            must([pgserver.tool("pgbench"), "-i", "-q", "-s", "20"], env=pg.env)
            # blanks compress as no text of people does
            pg.psql("update pgbench_accounts set filler = md5(random()::text)")
            pg.psql("vacuum full pgbench_accounts", timeout=600)
            first = pg.switch_wal()
            begin = pg.lsn()
            written = "select pg_wal_lsn_diff(pg_current_wal_lsn(), '%s')" % begin
            while int(pg.value(written)) < (n + 1) * 16 * MIB:
                must([pgserver.tool("pgbench"), "-n", "-c", "4", "-T", "5"], env=pg.env)
                pg.psql("checkpoint")
            pg.stop()
            wal = pg.data / "pg_wal"
            names = sorted(f.name for f in wal.iterdir()
                           if len(f.name) == 24 and f.name > first)[:n]
            keep = directory / "backlog"
            (keep / "pg_wal").mkdir(parents=True)
            for name in names:
                shutil.move(wal / name, keep / "pg_wal" / name)
            for name in ("PG_VERSION", "global"):
                (shutil.copytree if (pg.data / name).is_dir() else shutil.copy)(
                    pg.data / name, keep / name)
            self.names, self.keep = names, keep

    def pgdata(self, name, n):
        """A data directory whose first n files are ready. The bytes are shared."""
        place = self.dir / name
        shutil.rmtree(place, ignore_errors=True)
        status = place / "pg_wal" / "archive_status"
        status.mkdir(parents=True)
        place.chmod(0o700)
        shutil.copytree(self.keep / "global", place / "global")
        shutil.copy(self.keep / "PG_VERSION", place / "PG_VERSION")
        for segment in self.names[:n]:
            os.link(self.keep / "pg_wal" / segment, place / "pg_wal" / segment)
            (status / (segment + ".ready")).touch()
        return place

    def warm(self):
        for name in self.names:
            (self.keep / "pg_wal" / name).read_bytes()


# What is compared

class Way:
    """One way to archive. command: with %p and %f; word: in the command lines of its helpers;
    begin, end: around a run; segments: how many, None for all."""

    def __init__(self, name, command, word=None, begin=None, end=None, segments=None, stored=None):
        self.name, self.command, self.word, self.segments = name, command, word, segments
        self.begin, self.end = begin or (lambda place: None), end or (lambda: None)
        self.stored = stored or (lambda: 0)
        self.runs = []


def shell(command, cwd):
    """What system(3) does. The seconds it took."""
    begin = time.monotonic()
    os.chdir(cwd)
    pid = os.posix_spawn("/bin/sh", ["sh", "-c", command], os.environ)
    status = os.waitpid(pid, 0)[1]
    if status != 0:
        fail("%s: status %d" % (command, status))
    return time.monotonic() - begin


class Bench:
    def __init__(self, directory, args, link, stack):
        self.dir, self.args, self.link = directory, args, link
        self.backlog = Backlog(directory, args.segments)
        names = ["IP:" + link.there] if link else []
        self.gateway = stack.enter_context(radosgw.Radosgw(directory / "gw", names=names))
        self.far = link.listen(self.gateway.tls_port) if link else None
        self.number = 0

    # the subjects

    def bucket(self):
        """A bucket nobody has used."""
        self.number += 1
        return self.gateway.create_bucket("bucket%d" % self.number)

    def place(self, name):
        place = self.dir / re.sub(r"\W+", "-", name)
        place.mkdir()
        return place

    def stored(self, bucket):
        return sum(v.size for v in self.gateway.s3().versions(bucket) if v.latest)

    def seawall(self, name, far, **settings):
        place = self.place(name)
        bucket = self.bucket()
        store = self.gateway.store("a", bucket, "root")
        if far:
            store["endpoint"] = "https://%s:%d" % self.far
        setup = seawall.Setup(place, [store], **settings)
        runtime = place / "run"
        runtime.mkdir(mode=0o700)
        push = shlex.join(setup.argv("seawall-push", agent=True))
        command = "SEAWALL_RUNTIME_DIR=%s %s %%p" % (runtime, push)

        def end():
            for pid in helpers(str(setup.config)):
                os.kill(pid, signal.SIGTERM)
                tap.wait_for(lambda pid=pid: not seawall.alive(pid), 60, "end of the agent")
        return Way(name, command, str(setup.config), end=end, stored=lambda: self.stored(bucket))

    def pgbackrest(self, name, far, process_max=0, segments=None):
        place = self.place(name)
        (place / "none").mkdir()
        bucket = self.bucket()
        config = place / "pgbackrest.conf"
        host, port = self.far if far else ("localhost", self.gateway.tls_port)
        settings = {
            "repo1-type": "s3", "repo1-path": "/repo", "repo1-s3-bucket": bucket,
            "repo1-s3-endpoint": "localhost", "repo1-storage-host": host,
            "repo1-storage-port": port, "repo1-storage-ca-file": self.gateway.ca_file,
            "repo1-storage-verify-tls": "n" if far else "y",
            "repo1-s3-uri-style": "path", "repo1-s3-region": self.gateway.region,
            "repo1-s3-key": self.gateway.access_key,
            "repo1-s3-key-secret": self.gateway.secret_key, "repo1-cipher-type": "aes-256-cbc",
            "repo1-cipher-pass": "bench", "compress-type": "lz4", "log-path": place,
            "lock-path": place / "lock", "spool-path": place / "spool",
            "log-level-console": "error", "log-level-file": "off", "log-level-stderr": "error",
        }
        if process_max:
            settings.update({"archive-async": "y", "process-max": process_max})
        base = ["pgbackrest", "--config=%s" % config, "--config-include-path=%s/none" % place,
                "--stanza=bench"]

        def begin(data):
            shutil.rmtree(place / "spool", ignore_errors=True)
            config.write_text("[global]\n" + "".join("%s=%s\n" % item for item in settings.items())
                              + "[bench]\npg1-path=%s\n" % data)
            must(base + ["--no-online", "stanza-create"])

        def end():
            tap.wait_for(lambda: not helpers("--config=%s" % config), 120, "end of pgBackRest")
        return Way(name, shlex.join(base) + " archive-push %p", "--config=%s" % config, begin, end,
                   segments, lambda: self.stored(bucket))

    def local(self):
        place = self.dir / "cp"
        place.mkdir()
        source = self.dir / "empty.c"
        source.write_text("int main(void) { return 0; }\n")
        must(["cc", "-O2", "-o", self.dir / "empty", source])
        return [Way("cp to local disk", "cp %%p %s/%%f" % place),
                Way("empty C program", "%s %%p" % (self.dir / "empty"))]

    def ways(self, far):
        where = "far" if far else "near"
        for compression in ("lz4", "zstd"):
            yield lambda c=compression: self.seawall("Seawall %s, %s" % (c, where), far,
                                                     compression=c)
        if not shutil.which("pgbackrest"):
            return
        for n in (4, 8):
            yield lambda n=n: self.pgbackrest("pgBackRest async %d, %s" % (n, where), far, n)
        if far:
            yield lambda: self.pgbackrest("pgBackRest sync, " + where, far,
                                          segments=SYNC_SEGMENTS)

    # the rounds

    def archive(self, way):
        """All segments, hook by hook."""
        n = way.segments or len(self.backlog.names)
        data = self.backlog.pgdata("data", n)
        way.begin(data)
        self.backlog.warm()
        os.sync()
        stored_before, sent_before = way.stored(), self.link.count()[0] if self.link else 0
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        hooks = []
        with Watch(way.word) as watch:
            begin = time.monotonic()
            for name in self.backlog.names[:n]:
                hooks.append(shell(way.command.replace("%p", "pg_wal/" + name).replace("%f", name),
                                   data))
                ready = data / "pg_wal" / "archive_status" / (name + ".ready")
                ready.rename(ready.with_suffix(".done"))
            seconds = time.monotonic() - begin
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        sent = self.link.count()[0] - sent_before if self.link else 0
        way.end()
        os.chdir(self.dir)
        return Run(seconds, n, hooks[0],
                   after.ru_utime + after.ru_stime - usage.ru_utime - usage.ru_stime,
                   sum(watch.cpu.values()), statistics.median(hooks),
                   sum(watch.peaks.values()), sent, way.stored() - stored_before)

    def plain(self, seconds=6):
        """Bytes a second that eight plain connections get through the link."""
        with socket.create_server(("127.0.0.1", 0)) as server:
            got = [0] * 8

            def serve(i):
                connection = server.accept()[0]
                while True:
                    data = connection.recv(1 << 20)
                    if not data:
                        break
                    got[i] += len(data)

            def send(at):
                with socket.create_connection(at) as s, contextlib.suppress(OSError):
                    while time.monotonic() < end:
                        s.sendall(bytes(1 << 18))
            at = self.link.listen(server.getsockname()[1])
            end = time.monotonic() + seconds + 2
            for i in range(8):
                threading.Thread(target=serve, args=(i,), daemon=True).start()
                threading.Thread(target=send, args=(at,), daemon=True).start()
            time.sleep(2)       # the slow start
            before = sum(got)
            time.sleep(seconds)
            return (sum(got) - before) / seconds

    def measure(self, makers, rounds):
        ways = []
        for make in makers:
            way = make()
            if all(word in way.name for word in self.args.only):
                ways.append(way)
        for number in range(rounds):
            # the order turns round, so that nobody always follows the same one
            for way in ways if number % 2 == 0 else ways[::-1]:
                if number > 0 and way.word:
                    continue        # its bucket holds the segments already
                way.runs.append(self.archive(way))
                print("%s: %.2f s" % (way.name, way.runs[-1].seconds), file=sys.stderr)
        return ways

    # the tables

    def timeline(self, compression, line_rate):
        """One run with an agent that tells when it did what, beside what the line carried."""
        way = self.seawall("timeline " + compression, True, compression=compression)
        data = self.backlog.pgdata("data", len(self.backlog.names))
        runtime = pathlib.Path(shlex.split(way.command)[0].partition("=")[2])
        log = self.dir / "timeline.log"
        self.backlog.warm()
        os.sync()
        with open(log, "w") as out, Flow(self.link) as flow:
            agent = subprocess.Popen(
                [seawall.program("seawall-agent"), "--config", way.word, "--runtime-dir", runtime,
                 "--foreground", "--verbose"], cwd=data, stdin=subprocess.DEVNULL, stderr=out,
                preexec_fn=tap.die_with_parent())
            tap.wait_for(lambda: list(runtime.glob("*.sock")), 60, "the agent")
            begin = time.monotonic()
            ends = []
            for name in self.backlog.names:
                shell(way.command.replace("%p", "pg_wal/" + name), data)
                ready = data / "pg_wal" / "archive_status" / (name + ".ready")
                ready.rename(ready.with_suffix(".done"))
                ends.append(time.monotonic() - begin)
            agent.terminate()
            agent.wait(60)
        os.chdir(self.dir)
        print("\n%s: %.2f s, first hook %.0f ms. The line, in percent, each 100 ms:" % (
            way.name, ends[-1], ends[0] * 1000))
        at, sums = begin, collections.Counter()
        for (was, before), (at, after) in zip(flow.seen, flow.seen[1:]):
            # what one look saw is spread over the time since the last one
            for i in range(10):
                moment = was + (at - was) * (i + 0.5) / 10 - begin
                sums[int(moment * 10)] += (after - before) / 10
        print(" ".join("%.0f" % (100 * sums[i] / line_rate * 10)
                       for i in range(int(ends[-1] * 10) + 1)))
        print(re.sub(r"(?m)^seawall-agent: debug: [0-9A-F]{16}", "", log.read_text()))

    def compare(self, line_rate):
        """Two builds alternately, and the middle one of the rounds."""
        builds = {"old": self.args.against, "new": os.environ["SEAWALL_BIN"]}
        runs = collections.defaultdict(list)
        for number in range(self.args.rounds):
            for which in sorted(builds, reverse=number % 2 == 0):
                seawall.BIN = pathlib.Path(builds[which])
                for compression in ("lz4", "zstd"):
                    name = "%s, %s" % (which, compression)
                    if all(word in name for word in self.args.only):
                        run = self.archive(self.seawall("%s, %d" % (name, number), True,
                                                        compression=compression))
                        runs[name].append(run)
                        print("%s: %.2f s" % (name, run.seconds), file=sys.stderr)
        seawall.BIN = pathlib.Path(builds["new"])
        print("\n| archive, far | segments/s, each round | median of the line | median first hook "
              "| median CPU a segment | most memory |\n|---|---|---:|---:|---:|---:|")
        for name, found in sorted(runs.items()):
            print("| %s | %s | %.0f %% | %.0f ms | %.0f ms | %.0f MiB |" % (
                name, " ".join("%.2f" % (run.segments / run.seconds) for run in found),
                statistics.median(100 * run.stored / run.seconds / line_rate for run in found),
                statistics.median(run.first for run in found) * 1000,
                statistics.median((run.cpu + run.helper_cpu) * 1000 / run.segments
                                  for run in found),
                max(run.helper for run in found) / MIB))

    def table(self, ways, line_rate):
        peers = [w for w in ways if w.name.startswith("pgBackRest")]
        best = max((r.segments / r.seconds for w in peers for r in w.runs), default=0)
        print("\n| archive | segments/s | of best pgBackRest | stored a segment | of the line | "
              "first hook | median hook | CPU a segment | helpers' memory |")
        print("|---|---:|---:|---:|---:|---:|---:|---:|---:|")
        for way in ways:
            for run in way.runs:
                rate = run.segments / run.seconds
                stored = run.stored / run.segments
                print("| %s | %.2f | %s | %.2f MiB | %s | %.0f ms | %.1f ms | %.0f ms | %.0f MiB |"
                      % (way.name, rate, "%.2f x" % (rate / best) if best else "-", stored / MIB,
                         "%.0f %%" % (100 * rate * stored / line_rate) if line_rate else "-",
                         run.first * 1000, run.hook * 1000,
                         (run.cpu + run.helper_cpu) * 1000 / run.segments, run.helper / MIB))

    def profile(self):
        """Where the agent's processor time goes, by perf, with a store on loopback."""
        if not shutil.which("perf"):
            print("no perf: no profile")
            return
        for compression in ("lz4", "zstd"):
            way = self.seawall("profile " + compression, False, compression=compression)
            self.profile_one(way, compression)

    def profile_one(self, way, compression):
        data = self.backlog.pgdata("data", len(self.backlog.names))
        names = self.backlog.names
        out = self.dir / "perf.data"
        runtime = self.dir / "run"
        shutil.rmtree(runtime, ignore_errors=True)
        runtime.mkdir(mode=0o700)
        # who may not be dumped cannot be looked at from outside: perf starts it
        recorder = subprocess.Popen(
            ["perf", "record", "-q", "-e", "cpu-clock:u", "-F", "999", "--call-graph",
             "dwarf,4096", "-o", str(out), "--", seawall.program("seawall-agent"), "--config",
             way.word, "--runtime-dir", str(runtime), "--foreground"], cwd=data,
            stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=tap.die_with_parent())
        tap.wait_for(lambda: list(runtime.glob("*.sock")), 60, "the agent")
        agent = [pid for pid in helpers(way.word) if pid != recorder.pid]
        if len(agent) != 1:
            fail("%d agents" % len(agent))
        before, begin = processor(agent[0]), time.monotonic()
        command = "SEAWALL_RUNTIME_DIR=%s %s" % (runtime, way.command.partition(" ")[2])
        for name in names:
            shell(command.replace("%p", "pg_wal/" + name), data)
        seconds, after = time.monotonic() - begin, processor(agent[0])
        os.kill(agent[0], signal.SIGTERM)
        recorder.wait(120)
        os.chdir(self.dir)
        self.print_profile(out, compression, len(names), seconds,
                           [b - a for a, b in zip(before, after)])

    @staticmethod
    def print_profile(data, compression, n, seconds, cpu):
        text = tap.run(["perf", "script", "-i", data, "--no-inline", "-F", "tid,ip,sym,dso"],
                       timeout=600).out
        counts = collections.Counter()
        for sample in text.split("\n\n"):
            frames = sample.strip().split("\n")[1:]
            if frames:
                counts[next((phase for frame in frames for phase, pattern in PHASES
                             if re.search(pattern, frame)), "other")] += 1
        total = sum(counts.values()) or 1
        user, kernel = cpu
        print("\n| agent, %s, loopback by HTTPS | CPU ms a segment |\n|---|---:|" % compression)
        for phase, count in counts.most_common():
            print("| %s | %.1f |" % (phase, 1000 * user / n * count / total))
        print("| in the kernel: read, send | %.1f |" % (1000 * kernel / n))
        print("| all | %.1f |" % (1000 * sum(cpu) / n))
        print("\n%.0f MB/s of WAL for each core that the agent used; %.2f s in all" % (
            n * 16 * MIB / 1e6 / sum(cpu) if sum(cpu) else 0, seconds))

    def run(self):
        if self.link:
            self.link.set(rtt_ms=self.args.rtt, mbit=self.args.mbit)
            line_rate = self.args.mbit * 125000
            plain = self.plain()
            print("%d segments; %d ms, %d Mbit/s: eight plain connections move %.1f MB/s of %.1f"
                  % (len(self.backlog.names), self.args.rtt, self.args.mbit, plain / 1e6,
                     line_rate / 1e6))
            if self.args.timeline:
                for compression in ("lz4", "zstd"):
                    if all(word in "Seawall %s, far" % compression for word in self.args.only):
                        self.timeline(compression, line_rate)
                return
            if self.args.against:
                self.compare(line_rate)
                return
            self.table(self.measure(self.ways(True), self.args.rounds), line_rate)
            self.link.set(rtt_ms=0, mbit=0)
        ways = self.measure([lambda way=way: way for way in self.local()], self.args.rounds)
        ways += self.measure(self.ways(False), 1)
        self.table(ways, 0)
        if self.args.profile:
            self.profile()


def main():
    parser = argparse.ArgumentParser(description="Measure archiving; prints tables.")
    parser.add_argument("--segments", type=int, default=120)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--rtt", type=float, default=80, help="milliseconds")
    parser.add_argument("--mbit", type=float, default=400)
    parser.add_argument("--only", nargs="*", default=[], help="rows with these words")
    parser.add_argument("--profile", action="store_true", help="one more run, below perf")
    parser.add_argument("--against", type=os.path.abspath, metavar="BUILD",
                        help="only this: another build beside this one, round by round")
    parser.add_argument("--timeline", action="store_true",
                        help="only this: what the agent did when, and what the line carried")
    args = parser.parse_args()
    link = wan.try_link()
    if isinstance(link, str):
        print("no far store: " + link)
        link = None
    tap.become_user()
    for sig in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(sig, lambda number, frame: sys.exit(128 + number))
    os.umask(0o077)
    directory = tap.temporary("swbench-")
    try:
        os.chdir(directory)
        with contextlib.ExitStack() as stack:
            Bench(directory, args, link, stack).run()
    except (tap.Failure, tap.Skip) as failure:
        fail(str(failure))
    finally:
        os.chdir("/")
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()
