# SPDX-License-Identifier: PostgreSQL
"""Full backup and restore beside pgBackRest and pg_basebackup. Run by hand, asserts no time:

    SEAWALL_BIN=build python3 tests/bench/backup.py [--scale 65] [--rounds 5]
                              [--stores directory,S3] [--profile] [--no-basebackup]

Prints tables for docs/benchmarks.md: medians of interleaved runs on a pgbench database with data
checksums. SEAWALL_BIN is a build of buildtype release (default: build). What is not installed or
not built is left out. Takes about four times the database's size below SEAWALL_TMP (/tmp), and
a tenth of it for each round and way more; removes it. As root it becomes another user first.
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

WORKERS = 2
SAMPLE_S = 0.01
MIB = 1 << 20

Run = collections.namedtuple("Run", "seconds user system largest total")

# Which part of the work a sample of the profile belongs to: the first function of these on its
# stack, from the innermost outwards.
PHASES = (
    ("digests S3 wants", r"s3_digest"),
    ("xxh32 of lz4 frames", r"xxh32_|XXH"),
    ("lz4", r"LZ4|frame_"),
    ("ChaCha20-Poly1305", r"age_stream|aead_|age_wrap"),
    ("SHA-256", r"digest_"),
    ("page checksums", r"page_checksum|fold_"),
    ("CRC-32C", r"crc32c"),
    ("read the files", r"read_at|pread|fs_open_file"),
    ("write the files", r"write_at|pwrite|restore_place|sync_file_range|syncfs"),
    ("stores", r"write_spans|io_write|fsync|newfile|store_|curl|Curl|SSL_|backup_sender|dir_|s3_"),
)


# Measuring

def descendants(pid):
    """The process and everything below it."""
    found = [pid]
    for one in found:
        with contextlib.suppress(OSError):
            for task in os.listdir("/proc/%d/task" % one):
                text = pathlib.Path("/proc/%d/task/%s/children" % (one, task)).read_text()
                found += [int(word) for word in text.split()]
    return found


def peak(pid):
    """The peak of a process' resident memory so far, in bytes."""
    with contextlib.suppress(OSError):
        match = re.search(r"VmHWM:\s+(\d+) kB", pathlib.Path("/proc/%d/status" % pid).read_text())
        if match:
            return int(match[1]) * 1024
    return 0


def measured(argv, directory, env=None):
    """Run it to its end. Memory is looked at from outside and often: what rusage says is never
    below the peak of this program, and knows only the largest process."""
    peaks = {}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with open(directory / "output", "w+", encoding="utf-8", errors="replace") as output:
        begin = time.monotonic()
        with subprocess.Popen([str(a) for a in argv], stdin=subprocess.DEVNULL, stdout=output,
                              stderr=output, cwd=directory, start_new_session=True,
                              env=dict(os.environ, **(env or {})),
                              preexec_fn=tap.die_with_parent()) as process:
            try:
                while process.poll() is None:
                    for pid in descendants(process.pid):
                        peaks[pid] = max(peaks.get(pid, 0), peak(pid))
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        process.wait(SAMPLE_S)
            except BaseException:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                raise
        seconds = time.monotonic() - begin
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if process.returncode != 0:
            output.seek(0)
            sys.exit("backup.py: %s: exit code %d\n%s" % (
                shlex.join(str(a) for a in argv), process.returncode, output.read()))
    return Run(seconds, after.ru_utime - before.ru_utime, after.ru_stime - before.ru_stime,
               max(peaks.values()), sum(peaks.values()))


def load():
    return "%.1f" % os.getloadavg()[0]


def ratio(runs, others, value):
    """The median of what each round says: other work on the machine comes and goes."""
    if not others:
        return "-"
    return "%.2f x" % statistics.median(value(a) / value(b) for a, b in zip(runs, others))


def size_of(path):
    """Bytes in the files below it."""
    return sum(f.lstat().st_size for f in pathlib.Path(path).rglob("*") if f.is_file())


def must(argv, **options):
    result = tap.run(argv, timeout=1800, **options)
    if result.code != 0:
        sys.exit("backup.py: %s: exit code %d\n%s%s" % (
            shlex.join(str(a) for a in argv), result.code, result.out, result.err))


# What is compared

class Way:
    """One way to take a backup and restore it. archive: the command for one segment, "" for none;
    clear: makes room for the next backup."""

    def __init__(self, name, backup, restore, archive="", stored=None, clear=None, env=None):
        self.name, self.backup, self.restore, self.archive = name, backup, restore, archive
        self.stored, self.clear, self.env = stored or (lambda: None), clear or (lambda: None), env
        self.size = None
        self.runs = {"backup": [], "restore": []}


class Bench:
    def __init__(self, directory, args, stack):
        self.dir, self.args = directory, args
        self.pg = stack.enter_context(pgserver.Cluster(directory / "data", checksums=True))
        self.pg.configure(shared_buffers="256MB", max_wal_size="4GB", checkpoint_timeout="1h")
        self.gateway = None
        self.n_restores = 0
        if "S3" in args.stores:
            self.gateway = stack.enter_context(radosgw.Radosgw(directory / "gw"))
            for bucket in ("seawall", "pgbackrest"):
                self.gateway.create_bucket(bucket)
        self.target = directory / "restored"
        # So that each way gets the WAL it needs and pays for no other's. pgBackRest insists on
        # its name in the command.
        self.archiver = directory / "archive-pgbackrest-and-others.sh"
        self.archiver.write_text("exit 0\n")
        self.pg.archive("sh %s %%p" % self.archiver)

    def fill(self):
        self.pg.start()
        must([pgserver.tool("pgbench"), "-i", "-q", "-s", self.args.scale], env=self.pg.env)
        self.pg.psql("checkpoint")
        tap.wait_for(lambda: not list((self.pg.data / "pg_wal" / "archive_status").glob("*.ready")),
                     600, "end of archiving")

    # the subjects

    def seawall(self, where, store, stored=None):
        place = self.dir / ("seawall-" + where)
        place.mkdir()
        setup = seawall.Setup(place, [store], compression="lz4", workers=WORKERS,
                              pgdata=str(self.pg.data),
                              conninfo="host=%s user=postgres" % self.pg.sockets)
        restore = None
        if seawall.have("seawall-restore"):
            restore = setup.argv("seawall-restore", "--backup-end", "--target-dir", self.target)
        return Way("Seawall, " + where, setup.argv("seawall-backup"), restore,
                   shlex.join(setup.argv("seawall-push")) + ' "$1"', stored)

    def pgbackrest(self, where, settings, stored=None):
        place = self.dir / ("pgbackrest-" + where)
        place.mkdir()
        (place / "none").mkdir()
        config = place / "pgbackrest.conf"
        settings = dict({
            "repo1-cipher-type": "aes-256-cbc", "repo1-cipher-pass": "pgbench", "repo1-bundle": "y",
            "repo1-retention-full": "999999", "compress-type": "lz4", "process-max": WORKERS,
            "start-fast": "y", "expire-auto": "n", "log-path": place, "lock-path": place / "lock",
            "spool-path": place / "spool", "log-level-console": "warn", "log-level-file": "off",
        }, **settings)
        config.write_text("[global]\n" + "".join("%s=%s\n" % item for item in settings.items())
                          + "[bench]\npg1-path=%s\npg1-socket-path=%s\npg1-user=postgres\n" % (
                              self.pg.data, self.pg.sockets))
        config.chmod(0o600)
        base = ["pgbackrest", "--config=%s" % config, "--config-include-path=%s/none" % place,
                "--stanza=bench"]
        must(base + ["stanza-create"])
        return Way("pgBackRest, " + where, base + ["--type=full", "backup"],
                   base + ["--pg1-path=%s" % self.target, "--type=immediate", "restore"],
                   shlex.join(base) + ' archive-push "$1"', stored)

    def basebackup(self):
        place = self.dir / "pg_basebackup"
        untar = 'tar -xf %s/base.tar -C %s && find %s -type f -exec sync {} +' % (
            place, self.target, self.target)
        return Way("pg_basebackup -Ft, tar, directory",
                   [pgserver.tool("pg_basebackup"), "-Ft", "-X", "none", "-c", "fast", "-D", place],
                   ["sh", "-c", untar], stored=lambda: size_of(place),
                   clear=lambda: shutil.rmtree(place, ignore_errors=True),
                   env={k: v for k, v in self.pg.env.items() if v is not None})

    def ways(self):
        repo = self.dir / "repo"
        if "directory" in self.args.stores:
            yield self.seawall("directory", seawall.dir_store("a", self.dir / "a"),
                               lambda: size_of(self.dir / "a"))
            if shutil.which("pgbackrest"):
                yield self.pgbackrest("directory", {"repo1-path": repo}, lambda: size_of(repo))
            if not self.args.no_basebackup:
                yield self.basebackup()
        if not self.gateway:
            return
        gw = self.gateway

        def stored(bucket):
            return lambda: sum(v.size for v in gw.s3().versions(bucket) if v.latest)
        yield self.seawall("S3", gw.store("a", "seawall", "root"), stored("seawall"))
        if shutil.which("pgbackrest"):
            yield self.pgbackrest("S3", {
                "repo1-path": "/repo", "repo1-type": "s3", "repo1-s3-bucket": "pgbackrest",
                "repo1-s3-endpoint": "localhost", "repo1-storage-port": gw.tls_port,
                "repo1-storage-ca-file": gw.ca_file, "repo1-s3-uri-style": "path",
                "repo1-s3-region": gw.region, "repo1-s3-key": gw.access_key,
                "repo1-s3-key-secret": gw.secret_key}, stored("pgbackrest"))

    # the rounds

    def files(self):
        return [f for name in ("base", "global", "pg_xact")
                for f in (self.pg.data / name).rglob("*") if f.is_file()]

    def read_once(self):
        """Everything through cat: no backup can be faster."""
        return measured(["sh", "-c", "find base global pg_xact -type f -print0 | "
                         "xargs -0 cat > /dev/null"], self.pg.data)

    def backup(self, way):
        way.clear()
        self.archiver.write_text((way.archive or "exit 0") + "\n")
        before = way.stored()
        os.sync()       # nobody waits for what was written before
        run = measured(way.backup, self.dir, way.env)
        self.archiver.write_text("exit 0\n")
        after = way.stored()
        if after is not None and way.size is None:
            way.size = after - (before or 0)
        return run

    def restore(self, way):
        self.target.mkdir(mode=0o700)
        os.sync()
        run = measured(way.restore, self.dir, way.env)
        for name in ("base", "global", "PG_VERSION"):
            if not (self.target / name).exists():
                sys.exit("backup.py: %s restored no %s" % (way.name, name))
        want, got = size_of(self.pg.data / "base"), size_of(self.target / "base")
        if abs(want - got) > want / 100:
            sys.exit("backup.py: %s restored %d bytes of %d" % (way.name, got, want))
        self.put_aside()
        return run

    def put_aside(self):
        """Free the space, but keep the files: ext4 passes over inodes that were freed lately, one
        by one, and whoever restores next would pay for that."""
        for path in self.target.rglob("*"):
            if path.is_file() and not path.is_symlink():
                path.chmod(0o600)
                os.truncate(path, 0)
        self.n_restores += 1
        self.target.rename(self.dir / ("restored-%d" % self.n_restores))

    def rounds(self, ways):
        reads = []
        for number in range(self.args.rounds):
            self.read_once()    # into the cache
            reads.append(self.read_once())
            # the order turns round, so that nobody always follows the same one
            for way in ways if number % 2 == 0 else reversed(ways):
                way.runs["backup"].append(self.backup(way))
                if way.restore:
                    way.runs["restore"].append(self.restore(way))
                for what, runs in way.runs.items():
                    if runs:
                        print("round %d: %s: %s: %.2f s, processor %.2f s, load %s" % (
                            number + 1, way.name, what, runs[-1].seconds,
                            runs[-1].user + runs[-1].system, load()), file=sys.stderr)
        return reads

    # the tables

    def row(self, name, runs, other):
        """other: pgBackRest's runs with the same store."""
        seconds = statistics.median(run.seconds for run in runs)
        return "| %s | %.2f s | %.2f to %.2f | %d | %s | %.2f + %.2f s | %s | %d MiB | %d MiB |" % (
            name, seconds, min(r.seconds for r in runs), max(r.seconds for r in runs),
            self.bytes / MIB / seconds,
            ratio(runs, other, lambda run: run.seconds),
            statistics.median(r.user for r in runs), statistics.median(r.system for r in runs),
            ratio(runs, other, lambda run: run.user + run.system),
            max(run.largest for run in runs) / MIB, max(run.total for run in runs) / MIB)

    def tables(self, ways, reads):
        print("\n%d MiB, %d rounds, load %s at the end" % (self.bytes / MIB, self.args.rounds,
                                                          load()))
        for what in ("backup", "restore"):
            print("\n| %s | median | from, to | MiB/s | of pgBackRest | user + system | "
                  "of pgBackRest | largest process | all processes |" % what)
            print("|---|---:|---:|---:|---:|---:|---:|---:|---:|")
            if what == "backup":
                print(self.row("reading the files once", reads, None))
            for way in ways:
                others = [w for w in ways if w.name.startswith("pgBackRest")
                          and w.name.rpartition(" ")[2] == way.name.rpartition(" ")[2]]
                if way.runs[what]:
                    print(self.row(way.name, way.runs[what], others[0].runs[what] if others
                                   else None))
        print("\n| stored by one backup | size | of the data |\n|---|---:|---:|")
        for way in ways:
            if way.size is not None:
                print("| %s | %d MiB | %.0f %% |" % (way.name, way.size / MIB,
                                                    100 * way.size / self.bytes))

    def profile(self, way):
        """Where the processor time in user space goes, by perf."""
        if not shutil.which("perf"):
            print("no perf: no profile")
            return
        self.archiver.write_text((way.archive or "exit 0") + "\n")
        self.profile_one("seawall backup", way.backup)
        if way.restore:
            self.target.mkdir(mode=0o700)
            self.profile_one("seawall restore", way.restore)
            self.put_aside()

    def profile_one(self, name, argv):
        data = self.dir / "perf.data"
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        must(["perf", "record", "-q", "-e", "cpu-clock:u", "-F", "499", "--call-graph",
              "dwarf,16384", "-o", data, "--"] + argv, cwd=self.dir)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        text = tap.run(["perf", "script", "-i", data, "--no-inline", "-F", "tid,ip,sym,dso"],
                       timeout=600).out
        counts, threads = collections.Counter(), collections.Counter()
        for sample in text.split("\n\n"):
            head, *frames = sample.strip().split("\n")
            if frames:
                threads[head.strip()] += 1
                counts[next((phase for frame in frames for phase, pattern in PHASES
                             if re.search(pattern, frame)), "other")] += 1
        total = sum(counts.values())
        print("\n| `%s` in user space | share |\n|---|---:|" % name)
        for phase, count in counts.most_common():
            print("| %s | %.0f %% |" % (phase, 100 * count / total))
        print("\nsystem time, perf's included: %.1f s; by thread: %s" % (
            after.ru_stime - before.ru_stime,
            ", ".join("%.0f %%" % (100 * count / total) for _, count in threads.most_common())))

    def run(self):
        self.fill()
        self.bytes = sum(f.stat().st_size for f in self.files())
        ways = list(self.ways())
        self.tables(ways, self.rounds(ways))
        if self.args.profile:
            for way in ways:
                if way.name.startswith("Seawall"):
                    print("\n%s:" % way.name)
                    self.profile(way)


def main():
    parser = argparse.ArgumentParser(description="Measure base backups; prints tables.")
    parser.add_argument("--scale", type=int, default=65, help="of pgbench; 65 is about 1 GB")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--stores", default="directory", type=lambda text: text.split(","),
                        help="directory, S3 (a local service), or both with a comma")
    parser.add_argument("--profile", action="store_true", help="one more of each, below perf")
    parser.add_argument("--no-basebackup", action="store_true", help="without pg_basebackup")
    args = parser.parse_args()
    if not args.stores or set(args.stores) - {"directory", "S3"}:
        parser.error("--stores is directory, S3, or directory,S3")
    tap.become_user()
    for sig in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(sig, lambda number, frame: sys.exit(128 + number))
    os.umask(0o077)
    directory = tap.temporary("swbench-")
    try:
        os.chdir(directory)
        with contextlib.ExitStack() as stack:
            Bench(directory, args, stack).run()
    except (tap.Failure, tap.Skip) as failure:
        sys.exit("backup.py: %s" % failure)
    finally:
        os.chdir("/")
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()
