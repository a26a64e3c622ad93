# SPDX-License-Identifier: PostgreSQL
"""recoveries.py: backups, and recoveries of a second cluster to random targets, one after the other
while faults go on, each compared with the journal."""
import collections
import contextlib
import json
import os
import random
import shutil
import signal
import threading
import time

import ledger
import pgserver
import tap

PATIENCE = 45       # seconds in spite of faults; then they pause
CALM = 240          # and then it must succeed
KEPT = 4            # backups


class Again(Exception):
    """A fault was in the way; says which."""


class Never(Exception):
    """This target cannot be reached, whatever happens."""


class Recoveries(threading.Thread):
    def __init__(self, soak):
        super().__init__(daemon=True)
        self.soak = soak
        self.stopped = threading.Event()
        self.counts = collections.Counter()
        self.compared = 0
        self.begin = (1, 0)         # where the oldest backup is consistent
        self.number = 0

    def first_backup(self):
        self.soak.system_id = self.soak.pg.system_id()
        if not self.backup():
            raise tap.Failure("the first backup failed")
        self.begin = (1, ledger.position(self.soak.pg.lsn()))

    def backup(self):
        """A backup may fail while faults go on."""
        result = self.soak.setup.run("seawall-backup", timeout=600)
        self.counts["backup %d" % result.code] += 1
        if result.code not in (0, 10, 11, 12, 13, 14, 15):
            self.soak.problem("backup: %d %s" % (result.code, result.err))
        if result.code != 0:
            self.soak.say("backup: %d %s" % (result.code, result.err.strip().split("\n")[-1]))
        return result.code == 0

    def prune(self):
        """Keep the last backups and what they need, as an operator's own job does."""
        soak = self.soak
        soak.calm.set()
        soak.calmed.wait(60)
        try:
            result = soak.setup.run("seawall-list", "--json", timeout=300)
            if not soak.calmed.is_set() or result.code != 0:
                return
            backups = sorted((b for server in json.loads(result.out)["systems"]
                              for b in server["backups"] if "stop_lsn" in b),
                             key=lambda b: b["label"])
            if len(backups) <= KEPT:
                return
            oldest = backups[-KEPT]
            soak.oldest = oldest["first_wal"][8:]
            self.begin = (oldest["stop_timeline"], ledger.position(oldest["stop_lsn"]))
            for store in soak.stores:
                # what makes a backup exist goes first
                for name in sorted(store.names(), key=lambda n: (not n.endswith("/complete"), n)):
                    parts = name.split("/")
                    if (parts[2] == "backup" and parts[3] < oldest["label"]) or (
                            parts[2] == "wal" and parts[-1][8:24] < soak.oldest):
                        store.delete(name)
            self.counts["pruned"] += 1
        finally:
            soak.calm.clear()

    def run(self):
        try:
            while not self.stopped.wait(0.5) and not self.soak.over.is_set():
                self.number += 1
                dice = random.Random("%d:recovery:%d" % (self.soak.options.seed, self.number))
                if dice.random() < 0.25 and self.backup():
                    self.prune()
                self.recover(dice)
        except Exception as error:
            self.soak.problem("recovery %d: %s: %s" % (self.number, type(error).__name__, error))

    def target(self, dice):
        """(kind, arguments, the row it is taken from)."""
        kind = dice.choice(["latest", "lsn", "lsn", "time", "time"])
        row = self.soak.journal.some(dice, *self.begin)
        if kind == "latest" or row is None:
            return "latest", ["--latest"], None
        timeline = ["--timeline", str(row.known[0])]
        if kind == "lsn":
            return kind, ["--lsn", "%X/%X" % (row.known[1] >> 32, row.known[1] & 0xFFFFFFFF)] \
                + timeline, row
        whole = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(int(row.ended)))
        return kind, ["--time", "%s.%06d+00" % (whole, row.ended % 1 * 1000000)] + timeline, row

    def recover(self, dice):
        """One recovery, however often it must begin again."""
        soak = self.soak
        kind, target, row = self.target(dice)
        directory = soak.dir / ("recovery-%d" % self.number)
        began, tries = time.monotonic(), 0
        try:
            while not soak.over.is_set():
                tries += 1
                calm = soak.calmed.is_set()
                waited = time.monotonic() - began
                if waited > PATIENCE + CALM:
                    raise tap.Failure("recovery %s did not succeed in %d s" % (target, waited))
                if waited > PATIENCE and not calm:
                    soak.calm.set()
                    soak.calmed.wait(60)
                try:
                    self.attempt(dice, kind, target, row, directory, disturbed=not calm)
                    break
                except Never as reason:
                    self.counts["never"] += 1
                    soak.say("recovery %d: %s" % (self.number, reason))
                    break
                except Again as reason:
                    self.counts["begun again"] += 1
                    soak.say("recovery %d, try %d: %s" % (self.number, tries, reason))
                    self.remove(directory)
                    time.sleep(1)
            self.remove(directory)
        finally:
            if not self.stopped.is_set():
                soak.calm.clear()

    @staticmethod
    def remove(directory):
        shutil.rmtree(directory, ignore_errors=True)
        for end in (".log", ".plan"):
            directory.with_name(directory.name + end).unlink(missing_ok=True)

    def attempt(self, dice, kind, target, row, directory, disturbed=True):
        soak = self.soak
        floors = {t: soak.floor(t) for t in list(soak.journal.histories)}
        plan_file = directory.with_name(directory.name + ".plan")
        result = soak.setup.run("seawall-plan", *target, "--json", "--output", plan_file,
                                timeout=300)
        self.counts["plan %d" % result.code] += 1
        if result.code not in (0, 10, 12, 13, 14, 15):
            raise tap.Failure("plan %s: %d %s" % (target, result.code, result.err))
        if result.code != 0:
            raise Again("plan %s: %d %s" % (" ".join(target), result.code,
                                            result.err.strip().split("\n")[-1]))
        plan = json.loads(result.out)
        if kind == "time" and "stop_lsn" not in plan["target"]:
            # PostgreSQL wants to see something later; it will be archived soon
            if not self.later(row):
                raise Never("nothing later than %s was archived on timeline %d before its end"
                            % (target[1], row.known[0]))
            raise Again("nothing is archived yet that is later than the target")
        result = soak.setup.run("seawall-restore", "--plan", plan_file, "--target-dir", directory,
                                "--target-action", "promote", timeout=600)
        self.counts["restore %d" % result.code] += 1
        if result.code not in (0, 10, 12, 13, 15):
            raise tap.Failure("restore %s: %d %s" % (target, result.code, result.err))
        if result.code != 0:
            raise Again("restore: %d %s" % (result.code, result.err.strip().split("\n")[-1]))
        chain, floor = self.expected(kind, plan, row, floors)
        with pgserver.Cluster(directory, create=False) as pg:
            pg.configure(archive_mode="off", wal_retrieve_retry_interval="200ms")
            soak.restored = pg
            self.serve(pg, dice, disturbed)
            rows = ledger.contents(pg)
            if int(pg.current_wal()[:8], 16) <= plan["timeline"]:
                if self.killed_in_promotion(pg):
                    raise Again("killed in the moment of its promotion")
                raise tap.Failure("promoted to %s:\n%s" % (pg.current_wal(), pg.log_tail(60)))
            pg.stop("immediate")
            soak.restored = None
        wrong, must = soak.journal.compare(rows, chain, floor)
        if wrong:
            raise tap.Failure("%d rows are wrong after %s\nplan: %s\n%s" % (
                len(wrong), target, json.dumps(plan), "\n".join(wrong[:20])))
        self.counts["compared " + kind] += 1
        self.compared += must
        soak.say("recovery %d %s: %d rows, %d had to be there" % (
            self.number, " ".join(target), len(rows), must))
        return rows

    def later(self, row):
        """Whether something that was committed later on its timeline is archived, or will be: a
        server that is gone archives nothing more."""
        timeline, floor = row.known[0], self.soak.retired.get(row.known[0])
        with self.soak.journal.lock:
            attempts = list(self.soak.journal.attempts)
        return floor is None or any(
            a.known and a.known[0] == timeline and a.began > row.ended and a.known[1] <= floor
            for a in attempts)

    def killed_in_promotion(self, pg):
        """Whether a kill of ours, of the server or of its hook, came between the end of recovery
        and the new timeline. Its next start is no recovery; docs/runbook.md says what to do."""
        lives = pg.log_text().split("starting PostgreSQL")
        for life in lives[1:-1]:
            if "selected new timeline" in life and "ready to accept connections" not in \
                    life.partition("selected new timeline")[2] and \
                    "exit code" not in life.partition("selected new timeline")[2]:
                self.counts["killed in the promotion"] += 1
                return True
        return False

    def expected(self, kind, plan, row, floors):
        """The chain that the plan leads along, and up to where all must be there."""
        journal = self.soak.journal
        timeline = plan["timeline"]
        if kind == "latest":
            return journal.chain(timeline), journal.chain(timeline, floors.get(timeline, 0))
        if kind == "lsn":
            return (journal.chain(timeline, row.known[1]),) * 2
        # the position that was found for the time; all that is certainly older lies before it
        stop = ledger.position(plan["target"]["stop_lsn"])
        chain = journal.chain(timeline, stop)
        with journal.lock:
            attempts = list(journal.attempts)
        for attempt in attempts:
            where = attempt.known
            if where and where[0] in chain and attempt.ended < row.ended - 5 and \
                    attempt.before[1] >= chain[where[0]] and where[0] == timeline:
                raise tap.Failure("--time leaves out row %d.%d, which is 5 s older" % attempt.row)
            if attempt.before[0] == timeline and attempt.began > row.ended + 0.001 and where and \
                    where[1] <= stop and where[0] == timeline:
                raise tap.Failure("--time takes row %d.%d, which is younger" % attempt.row)
        return chain, chain

    def serve(self, pg, dice, disturbed):
        """Start the server until it is promoted; disturb it meanwhile."""
        soak = self.soak
        blows = [dice.choice(["nothing", "nothing", "kill9", "fetch", "agent", "fast"])
                 for _ in range(2)] if disturbed else []
        delays = [dice.uniform(0.1, 2) for _ in blows]
        end = time.monotonic() + 200
        while time.monotonic() < end and not soak.over.is_set():
            pg.start(wait=False)
            if blows:
                self.blow(pg, blows.pop(), delays.pop())
            while pg.running() and time.monotonic() < end:
                if not pg.in_recovery():
                    return
                time.sleep(0.1)
            if not pg.running():
                pg.server = None
                self.counts["server ended"] += 1
                if "database system is ready to accept connections" in pg.log_text():
                    raise tap.Failure("ended behind its promotion:\n" + pg.log_tail())
                # a server that was interrupted in the middle says so, and the next start goes on
                time.sleep(1)
                if time.monotonic() > end - 100 and not soak.calmed.is_set():
                    soak.calm.set()
        raise tap.Failure("not promoted:\n" + pg.log_tail(60))

    def blow(self, pg, blow, delay):
        """A fault of the recovery itself."""
        end = time.monotonic() + delay
        while time.monotonic() < end and pg.running():
            if blow == "fetch" and (found := self.soak.hooks("seawall-fetch")):
                for pid in found:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                        self.soak.murders += 1
                self.counts["fetch killed"] += 1
                return
            time.sleep(0.005)
        if blow in ("kill9", "fast") and pg.running() and pg.in_recovery():
            if blow == "kill9":
                pg.kill9()
            else:
                pg.stop("fast")
            self.counts["recovering server " + blow] += 1
            pg.start(wait=False)
        if blow == "agent":
            for pid in self.soak.agents():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self.counts["agent killed in recovery"] += 1

    def last(self):
        """Everything that is committed now."""
        self.number += 1
        rows = self.attempt(random.Random(0), "latest", ["--latest"], None,
                            self.soak.dir / "recovery-last", disturbed=False)
        soak = self.soak
        wrong, must = soak.journal.compare(rows, soak.journal.chain(soak.timeline))
        if wrong:
            soak.problem("the last recovery: %s" % "\n".join(wrong[:20]))
        soak.say("the last recovery: %d rows, all %d are there" % (len(rows), must))
