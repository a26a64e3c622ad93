# SPDX-License-Identifier: PostgreSQL
"""seawall backup stopped at sampled system calls: what is left, and that the next one works.

SEAWALL_SWEEP=N samples N moments instead of the few that continuous integration has time for,
K/N every N-th of all from the K-th on.
"""
import collections
import json
import os
import re
import shutil
import signal

import faults
import laws
import pgserver
import seawall
import tap

# "all" is for the sweeps whose runs are short
MOMENTS = int(re.sub(r".*/.*", "12", os.environ.get("SEAWALL_SWEEP", "12")).replace("all", "500"))
CALLS = ("openat", "read", "pread64", "write", "fsync", "linkat", "mkdirat", "mmap", "getdents64",
         "newfstatat", "poll", "recvfrom", "sendto", "clone3", "close", "socket", "connect", "getrandom")
LABEL = re.compile(r"\d{8}T\d{6}Z\Z")


class Source:
    """A small server that archives into two stores."""

    def __init__(self, t):
        self.t = t
        self.pg = t.enter(pgserver.Cluster(t.dir / "primary", wal_segsize=1))
        self.setup = seawall.Setup(t.dir, [seawall.dir_store(s, t.dir / s) for s in "ab"],
                                   acknowledge=2, pgdata=str(self.pg.data), workers=2,
                                   conninfo="host=%s user=postgres dbname=postgres" %
                                            self.pg.sockets)
        self.pg.archive(self.setup.archive_command())
        self.pg.start()
        self.pg.psql("create table t as select i from generate_series(1, 1000) i")
        self.system_id = self.pg.system_id()
        self.argv = self.setup.argv("seawall-backup")
        self.aged = 0

    def place(self, store):
        return self.t.dir / store / "main" / str(self.system_id) / "backup"

    def labels(self, complete):
        """Labels that have objects, and have, or have not, a completion in some store."""
        found = {}
        for store in "ab":
            place = self.place(store)
            for path in place.iterdir() if place.exists() else ():
                if any(not f.name.startswith(".seawall-tmp.") for f in path.iterdir()):
                    found[path.name] = found.get(path.name, False) or (path / "complete").exists()
        return {label for label, has in found.items() if has == complete}

    def listed(self):
        result = self.setup.run("seawall-list", "--json")
        self.t.equal(result.code, 0, "list: %s" % result.err)
        systems = json.loads(result.out)["systems"]
        return {b["label"] for b in systems[0]["backups"] if b["readable"]} if systems else set()

    def sessions_end(self):
        """The server ends the session of a dead client by itself, and its backup with it."""
        self.pg.wait_for(lambda: self.pg.value(
            "select count(*) from pg_stat_activity where application_name = 'seawall'") == "0",
            60, "end of the killed backup's session")

    def age(self):
        """Leftovers become some of years ago, for those of today may be of a running backup."""
        for label in self.labels(complete=False):
            self.aged += 1
            for store in "ab":
                if (self.place(store) / label).exists():
                    (self.place(store) / label).rename(
                        self.place(store) / ("20010101T00%02d%02dZ" % divmod(self.aged, 60)))
        return {label for label in self.labels(complete=False) if label.startswith("2001")}

    def restore(self, label):
        target = self.t.dir / "target"
        result = self.setup.run("seawall-restore", "--backup", label, "--backup-end",
                                "--target-dir", target)
        self.t.equal(result.code, 0, "restore of %s: %s" % (label, result.err))
        self.t.run([pgserver.tool("pg_verifybackup"), "-n", target], code=0)
        return target

    def judge(self, at, before):
        """After a stop: what exists is whole, what is not whole does not exist, and the next
        backup tells of it and works."""
        exists = self.labels(complete=True)
        self.t.equal(self.listed(), exists, "what list shows after stop %d" % at)
        for label in exists - before:
            shutil.rmtree(self.restore(label))
        self.sessions_end()
        old = self.age()
        result = self.setup.run("seawall-backup", "--json")
        self.t.equal(result.code, 0, "the backup after stop %d: %s" % (at, result.err))
        for label in old:
            self.t.contains(result.err, "leftovers of backup " + label, "told after stop %d" % at)
        return json.loads(result.out.splitlines()[-1])["label"]

    def sweep(self, sig, moments):
        """Returns (code, whether the stop was reached) by moment, and the last good label."""
        count = seawall.killat(self.t, self.argv)
        self.t.equal(count.code, 0, "without a signal: %s" % count.err)
        last = count.stops
        points = laws.part(range(1, last + 1)) or {1 + last * i // moments for i in range(moments)} | {
            last - 3, last - 12, last - 30, last - 60}
        results, label = {}, None
        for at in sorted(points):
            before = self.labels(complete=True)
            killed = seawall.killat(self.t, self.argv, at=at, sig=sig)
            results[at] = killed
            label = self.judge(at, before)
            self.forget_but(label)
        self.t.diag("%s: %d of %d stops" % (sig.name, len(points), last))
        return results, label

    def forget_but(self, label):
        for store in "ab":
            for path in self.place(store).iterdir():
                if path.name != label:
                    shutil.rmtree(path)


@tap.check("a backup killed at any moment is none, is told by the next one, and that one restores")
def _(t):
    source = Source(t)
    results, label = source.sweep(signal.SIGKILL, MOMENTS)
    for at, killed in results.items():
        t.equal(killed.code, -signal.SIGKILL if killed.sent else 0, "end at stop %d" % at)
    t.true(sum(killed.sent for killed in results.values()) > len(results) * 2 // 3,
           "most were killed")
    copy = t.enter(pgserver.Cluster(source.restore(label), create=False))
    copy.configure(archive_mode="off")
    copy.start()
    copy.wait_promoted()
    t.equal(copy.value("select count(*) from t"), "1000", "rows")


@tap.check("a backup that is told to stop at any moment says so or is complete")
def _(t):
    source = Source(t)
    for sig in (signal.SIGTERM, signal.SIGINT):
        results, _ = source.sweep(sig, max(3, MOMENTS // 4))
        own = [at for at, killed in results.items() if killed.code == 10]
        for at, killed in results.items():
            # death by the signal is for the loader's time, before the program has a say
            t.true(killed.code in (0, 10) or (killed.code == -sig and at < min(own)),
                   "end at stop %d: %s" % (at, killed))
            if killed.code == 10:
                t.true(re.search("interrupted|stopped by signal %d" % sig, killed.err),
                       "the reason: " + killed.err)
        t.true(len(own) >= min(2, len(results)), "answers of its own: %s" % own)


@tap.check("any call of a backup fails: it says so or the backup is complete, and the next one works")
def _(t):
    faults.need()
    source = Source(t)
    counts = faults.count(t, source.argv)
    # some twenty moments of each call: most are reads of one file after the other
    known = [f for f in faults.of({call: n for call, n in counts.items() if call in CALLS})
             if f.at % max(1, counts[f.call] // 20) == 0]
    cases = laws.sample(t, known, MOMENTS * 2 // 3)
    answers = collections.Counter()
    for number, fault in enumerate(cases):
        before = source.labels(complete=True)
        result = faults.failat(t, source.argv, fault)
        answers[result.code] += 1
        t.true(result.code in (0,) + tuple(range(10, 17)), "%s gave %s" % (fault, result))
        if result.code == 0:
            t.true(source.labels(complete=True) > before, "%s: 0 and no backup" % (fault,))
        elif fault.call != "write":
            t.true(result.err, "%s: %d without a word" % (fault, result.code))
        source.forget_but(source.judge(number, before))
    t.diag("%d calls, %d of %d faults; answers %s" % (sum(counts.values()), len(cases), len(known),
                                                      dict(sorted(answers.items()))))


tap.main()
