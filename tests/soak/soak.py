#!/usr/bin/python3
# SPDX-License-Identifier: PostgreSQL
"""soak.py: a PostgreSQL server under load archives through Seawall while everything around it
fails at random; recoveries to random targets are compared with what was committed.

    SEAWALL_BIN=build tests/soak/soak.py [--minutes N | --seconds N] [--seed N] [--only KIND,...]

The seed makes the schedule of faults: which, where, for how long. As root it runs as the user of
SEAWALL_TEST_USER, postgres or nobody, with small file systems that become full, and counts what
the agents hold. It ends by itself; after a failure its directory stays.

What is demanded of each recovery, whatever failed: every row committed before the target is
there, no row from behind it, the accounts agree. At the end: every store is healed by `seawall
sync`, `seawall verify` finds nothing, one store alone gives everything back up to the last commit.
"""
import argparse
import collections
import contextlib
import json
import os
import pathlib
import random
import re
import shutil
import signal
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import seawall
import tap

import ledger
import pgserver
import places
import recoveries
import sandbox

MIB = 1 << 20
ARCHIVE_CODES = {0, 10, 11, 12, 13, 14, 15}     # documented, and neither a bug nor a signal
FETCH_CODES = {0, 200, 201, 202, 203, 204}


class Soak:
    """The server, its stores, its writers, and the faults."""

    def __init__(self, directory, options):
        self.dir, self.options = pathlib.Path(directory), options
        self.begin = time.monotonic()
        self.end = self.begin + options.seconds
        self.problems, self.counts = [], collections.Counter()
        self.calm = threading.Event()       # no faults while a recovery asks for it
        self.calmed = threading.Event()
        self.over = threading.Event()
        self.oldest = ""                    # segments before this one may be gone from the stores
        self.spoilt = set()                 # (store, name) that were damaged
        self.healing = []                   # (when, what ends a fault)
        self.lock, self.healed = threading.RLock(), threading.Event()
        self.retired = {}                   # timeline: the floor of a server that is gone
        self.old = None
        self.restored = None                # the server of a recovery
        self.murders = 0                    # hooks that died by our SIGKILL, which a shell calls 137
        small = (self.dir / "small").is_dir()
        self.stores = [places.Directory("a", self.dir / "a"),
                       places.Directory("b", self.dir / "small" / "b", small),
                       places.Bucket("c")]
        self.spool = None
        if (self.dir / "spool").is_dir():
            self.spool = self.dir / "spool" / "dir"
            self.spool.mkdir(mode=0o700)
        self.journal = ledger.Journal(self.dir / "journal")
        self.pg = pgserver.Cluster(self.dir / "server-1", wal_segsize=1, checksums=True)
        self.timeline = 1
        self.setup = seawall.Setup(
            self.dir, [store.settings for store in self.stores], acknowledge=2, push_timeout=10,
            fetch_timeout=10, connect_timeout=1, stall_timeout=2, lag_wait=1, backup_wal_wait=30,
            spool_dir=str(self.spool) if self.spool else None, **self.place(self.pg))
        rate = min(25.0, 250000 / options.seconds)
        self.writers = [ledger.Writer(self.journal, i, (self.pg, 1), rate) for i in range(4)]

    @staticmethod
    def place(pg):
        return dict(pgdata=str(pg.data),
                    conninfo="host=%s user=postgres dbname=postgres" % pg.sockets)

    def say(self, text):
        print("%7.1f  %s" % (time.monotonic() - self.begin, text), flush=True)

    def problem(self, text):
        self.problems.append(text)
        self.say("PROBLEM: " + text)
        self.over.set()

    # life

    def run(self):
        self.settle(self.pg)
        self.pg.psql(ledger.TABLES)
        recovery = recoveries.Recoveries(self)
        recovery.first_backup()
        for writer in self.writers:
            writer.start()
        recovery.start()
        threading.Thread(target=self.healer, daemon=True).start()
        try:
            self.faults()
            self.heal()
            self.calm.set()
            self.calmed.set()
            recovery.stopped.set()
            recovery.join(600)
            if recovery.is_alive():
                self.problem("a recovery does not end")
            if not self.problems:
                self.finish(recovery)
        except Exception as error:
            self.problem("%s: %s" % (type(error).__name__, error))
            raise
        finally:
            for writer in self.writers:
                writer.stopped.set()
            recovery.stopped.set()
            recovery.join(30)
            self.healed.set()
            self.heal()
        return self.report(recovery)

    def settle(self, pg):
        pg.archive(self.setup.archive_command())
        pg.configure(autovacuum="on", wal_keep_size="200MB", checkpoint_timeout="30s",
                     archive_timeout="5s", max_wal_size="64MB", wal_retrieve_retry_interval="200ms")
        pg.start()

    def close(self):
        for server in (self.pg, self.old, self.restored):
            if server:
                with contextlib.suppress(Exception):
                    server.close()
        for store in self.stores:
            store.close()

    def faults(self):
        """One fault after the other until the time is over."""
        number = 0
        kinds = {name[len("fault_"):]: getattr(self, name) for name in dir(self)
                 if name.startswith("fault_")}
        weights = {"store": 30, "agent_killed": 10, "agent_stopped": 8, "hook_killed": 8,
                   "server_restarted": 10, "failover": 3, "settings": 5, "object_lost": 6,
                   "object_damaged": 3, "pushed_again": 6, "other_content": 4, "fetched": 8,
                   "spool_full": 4, "all_but_one": 3}
        chosen = {k: weights[k] for k in weights if not self.options.only
                  or k in self.options.only}
        while time.monotonic() < self.end and not self.over.is_set():
            number += 1
            dice = random.Random("%d:%d" % (self.options.seed, number))
            kind = dice.choices(list(chosen), list(chosen.values()))[0]
            pause = dice.uniform(0.3, 2 * self.options.every - 0.3)
            if self.calm.is_set():
                self.heal()
                self.calmed.set()
                while self.calm.is_set() and not self.over.is_set():
                    time.sleep(0.1)
                self.calmed.clear()
            try:
                self.counts[kind] += 1
                what = kinds[kind](dice)
                self.say("#%d %s%s" % (number, kind, " " + what if what else ""))
            except Exception as error:
                self.problem("#%d %s: %s: %s" % (number, kind, type(error).__name__, error))
                raise
            self.over.wait(pause)

    def healer(self):
        """Faults end when their time is over, also while the server is restarted or promoted."""
        while not self.healed.wait(0.05):
            self.heal(time.monotonic())

    def heal(self, now=float("inf")):
        """The faults whose time is over end; without a time all of them."""
        with self.lock:
            due = [entry for entry in self.healing if entry[0] <= now]
            self.healing = [entry for entry in self.healing if entry[0] > now]
            for entry in due:
                try:
                    entry[1]()
                except Exception as error:
                    self.problem("a fault does not end: %s" % error)

    def later(self, seconds, function):
        with self.lock:
            self.healing.append((time.monotonic() + seconds, function))

    # faults: each takes its numbers from its own dice, and tells what it did

    def fault_store(self, dice):
        store = dice.choice(self.stores)
        fault, seconds = dice.choice(store.faults()), dice.choice([0.5, 2, 5, 12])
        return self.break_store(store, fault, seconds, dice)

    def break_store(self, store, fault, seconds, dice):
        with self.lock:
            store.heal()
            store.fail(fault, dice)
        self.counts["store " + fault] += 1
        token = store.token = object()
        self.later(seconds, lambda: store.heal() if store.token is token else None)
        return "%s %s for %.1f s" % (store.name, fault, seconds)

    def fault_all_but_one(self, dice):
        kept, seconds = dice.choice(self.stores), dice.choice([2, 6, 15])
        return ", ".join(self.break_store(store, dice.choice(store.faults()), seconds, dice)
                         for store in self.stores if store is not kept)

    def agents(self):
        return tap.agents(os.environ["SEAWALL_RUNTIME_DIR"])

    def fault_agent_killed(self, dice):
        sig = dice.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGTERM])
        found = self.agents()
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, sig)
        return "%d by signal %d" % (len(found), sig)

    def fault_agent_stopped(self, dice):
        seconds, found = dice.choice([0.2, 1, 4, 14]), self.agents()
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)

        def wake():
            for pid in found:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)
        self.later(seconds, wake)
        return "%d for %.1f s" % (len(found), seconds)

    def hooks(self, name):
        """Processes of this soak that run a hook."""
        found, place = [], str(self.setup.config).encode()
        for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                words = path.read_bytes().split(b"\0")
                if words[0].endswith(name.encode()) and place in words:
                    found.append(int(path.parent.name))
        return found

    def fault_hook_killed(self, dice):
        name = dice.choice(["seawall-push", "seawall-push", "seawall-fetch"])
        sig, end = dice.choice([signal.SIGKILL, signal.SIGTERM]), time.monotonic() + 2
        while not (found := self.hooks(name)) and time.monotonic() < end:
            time.sleep(0.002)
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, sig)
        if found:
            self.counts["hook really killed"] += 1
            self.murders += len(found) * (sig == signal.SIGKILL)
        return "%d %s by signal %d" % (len(found), name, sig)

    def fault_server_restarted(self, dice):
        how, seconds = dice.choice(["kill9", "kill9", "immediate", "fast"]), dice.uniform(0, 1)
        if how == "kill9":
            self.pg.kill9()
        else:
            self.pg.stop(how)
        self.counts["server " + how] += 1
        time.sleep(seconds)
        self.pg.start()
        return how

    def fault_failover(self, dice):
        """A standby is promoted while its primary goes on: both archive for a moment."""
        always, how = dice.random() < 0.5, dice.choice(["kill9", "immediate", "fast"])
        together = dice.uniform(0.5, 5)
        new = self.timeline + 1
        standby = self.pg.standby(self.dir / ("server-%d" % new),
                                  restore_command=self.setup.restore_command())
        standby.archive(self.setup.archive_command())
        standby.configure(archive_mode="always" if always else "on")
        old, self.old = self.old, standby       # close() knows it
        if old:
            shutil.rmtree(old.data, ignore_errors=True)
        standby.start()
        standby.wait_replayed(self.pg.lsn())
        standby.promote(120)
        timeline = int(standby.current_wal()[:8], 16)
        if timeline != new:
            raise tap.Failure("promoted to timeline %d, not %d" % (timeline, new))
        self.journal.fork(new, (standby.data / "pg_wal" / ("%08X.history" % new)).read_text())
        for writer in self.writers[::2]:
            writer.site = (standby, new)
        time.sleep(together)
        for writer in self.writers:
            writer.site = (standby, new)
        # What only a dead primary has is a gap for ever: neither a base backup's WAL nor, without
        # archive_mode = always, what was streamed is archived by a standby.
        fork = dict(self.journal.histories[new])[self.timeline]
        tap.wait_for(lambda: self.over.is_set() or
                     self.floor_of(self.pg, self.timeline) >= fork // MIB * MIB, 300,
                     "the old primary archives up to the fork")
        self.kill_primary(how)
        self.retired[self.timeline] = self.floor_of(self.pg, self.timeline)
        self.pg.close()
        self.pg, self.old, self.timeline = standby, self.pg, new
        self.setup.write(**self.place(standby))
        return "to timeline %d, the old one archived %.1f s longer and ended by %s%s" % (
            new, together, how, "; archive_mode always" if always else "")

    def kill_primary(self, how):
        if how == "kill9":
            self.pg.kill9()
        else:
            self.pg.stop(how)

    def fault_settings(self, dice):
        change = dict([dice.choice([
            ("compression", dice.choice(["lz4", "zstd", "none"])),
            ("agent_memory", dice.choice(["2MiB", "4MiB", "40MiB"])),
            ("spool_max", dice.choice([0, "3MiB", "256MiB"])),
            ("lag_wait", dice.choice([0, 1, 5])), ("agent_idle", dice.choice([1, 3, 300])),
            ("agent_workers", dice.choice([1, 2, 3])), ("agent", dice.choice([True, True, False])),
            ("spool_dir", str(self.spool) if self.spool and dice.random() < 0.6 else None)])])
        self.setup.write(**change)
        return str(change)

    def everywhere(self, dice):
        """The name of an object that all stores hold; None: one of them cannot be read."""
        if any(store.fault for store in self.stores):
            return None
        names = sorted(set.intersection(*[store.names() for store in self.stores])
                       - {name for _, name in self.spoilt})
        names = [name for name in names if "/probe/" not in name]
        return dice.choice(names) if names else None

    def fault_object_lost(self, dice):
        """One store loses an object; sync brings it back, now or another time."""
        store, name = dice.choice(self.stores), self.everywhere(dice)
        if name is None:
            return "none"
        store.delete(name)
        result = self.setup.run("seawall-sync", timeout=600)
        code = result.code
        self.counts["sync %d" % code] += 1
        if code not in {0, 10, 15}:
            raise tap.Failure("sync: %d %s" % (code, result.err))
        if code == 0 and name not in store.names():
            raise tap.Failure("sync said 0 and %s still lacks %s" % (store.name, name))
        return "%s of %s, sync %d" % (name, store.name, code)

    def fault_object_damaged(self, dice):
        store, name, at = dice.choice(self.stores), self.everywhere(dice), dice.randrange(1 << 20)
        if name is None:
            return "none"
        store.damage(name, at)
        self.spoilt.add((store, name))
        return "%s of %s" % (name, store.name)

    def scratch(self, name, data=None):
        """A data directory of this server with one file of pg_wal in it."""
        pgdata = seawall.Pgdata(self.dir / "scratch" / str(time.monotonic_ns()),
                                system_id=self.system_id, timeline=int(name[:8], 16),
                                segment_size=MIB)
        if data is not None:
            pgdata.write(name, data)
        return pgdata

    def archived_segment(self, dice):
        """A segment that the server believes archived and still has, and its bytes."""
        status = self.pg.data / "pg_wal" / "archive_status"
        names = sorted(p.name[:24] for p in status.glob("%08X*.done" % self.timeline)
                       if len(p.name) == 29 and p.name[8:24] >= self.oldest)
        for name in dice.sample(names, len(names))[:5]:
            with contextlib.suppress(FileNotFoundError):
                data = (self.pg.data / "pg_wal" / name).read_bytes()
                if (status / (name + ".done")).exists():
                    return name, data
        return None, None

    def fault_pushed_again(self, dice):
        name, data = self.archived_segment(dice)
        if name is None:
            return "none"
        pgdata = self.scratch(name, data)
        result = self.setup.push(pgdata, "pg_wal/" + name, agent=dice.random() < 0.5)
        shutil.rmtree(pgdata.dir)
        if result.code not in (0, 10) and not (result.code == 15 and name in str(self.spoilt)):
            raise tap.Failure("push of the same content again: %d %s" % (result.code, result.err))
        self.counts["pushed again %d" % result.code] += 1
        return "%s: %d" % (name, result.code)

    def fault_other_content(self, dice):
        name, data = self.archived_segment(dice)
        # a store that lags would take it, and be in conflict for ever
        if name is None or not all(store.has("main/%s/wal/%s/%s/%s" % (
                self.system_id, name[:8], name[8:16], name)) for store in self.stores):
            return "none"
        other = bytearray(data)
        other[8192 + dice.randrange(len(other) - 8192)] ^= 1 << dice.randrange(8)
        pgdata = self.scratch(name, bytes(other))
        result = self.setup.push(pgdata, "pg_wal/" + name, agent=dice.random() < 0.5)
        shutil.rmtree(pgdata.dir)
        if result.code not in (10, 12, 15):
            raise tap.Failure("push of other content: %d %s" % (result.code, result.err))
        self.counts["other content %d" % result.code] += 1
        return "%s: %d" % (name, result.code)

    def fault_fetched(self, dice):
        name, data = self.archived_segment(dice)
        if name is None:
            return "none"
        pgdata = self.scratch(name)
        path = pgdata.wal / "RECOVERYXLOG"
        result = self.setup.fetch(pgdata, name, "pg_wal/RECOVERYXLOG", agent=dice.random() < 0.5)
        found = path.read_bytes() if path.exists() else None
        shutil.rmtree(pgdata.dir)
        if result.code not in FETCH_CODES or (found is None) != (result.code != 0) or (
                found is not None and found != data):
            raise tap.Failure("fetch of an archived segment: %d %s, %s" % (
                result.code, "no file" if found is None else "other bytes" if found != data
                else "the file", result.err))
        self.counts["fetched %d" % result.code] += 1
        return "%s: %d" % (name, result.code)

    def fault_spool_full(self, dice):
        if not self.spool:
            return "none"
        filler, seconds = self.spool.parent / "filler", dice.choice([2, 8, 20])
        places.fill(filler)
        self.later(seconds, lambda: filler.unlink(missing_ok=True))
        return "for %d s" % seconds

    # what is certainly archived

    def floor_of(self, pg, timeline):
        """Up to where a server believes that its timeline is archived."""
        status = os.listdir(pg.data / "pg_wal" / "archive_status")
        mine = "%08X" % timeline
        ready = [n[:24] for n in status if n.endswith(".ready") and len(n) == 30 and n[:8] == mine]
        done = [n[:24] for n in status if n.endswith(".done") and len(n) == 29 and n[:8] == mine]
        done = [n for n in done if not ready or n < min(ready)]
        if not done:
            return 0
        last = max(done)
        return (int(last[8:16], 16) << 32) + ((int(last[16:], 16) + 1) << 20)

    def floor(self, timeline):
        """What of a timeline's chain a recovery must have, when it was planned after this."""
        if timeline == self.timeline:
            return self.floor_of(self.pg, timeline)
        return self.retired.get(timeline, 0)

    # the end

    def finish(self, recovery):
        """Nothing fails any more: all that was committed is archived, in every store."""
        self.say("no more faults")
        for writer in self.writers:
            writer.paused.set()
        tap.wait_for(lambda: all(w.idle.is_set() for w in self.writers), 120, "idle writers")
        self.pg.wait_archived(self.pg.switch_wal(), timeout=300)
        self.leaks()
        for store, name in self.spoilt:
            with contextlib.suppress(OSError, KeyError):
                store.delete(name)
        for program in ("seawall-sync", "seawall-verify", "seawall-list"):
            result = self.setup.run(program, timeout=1800)
            if result.code != 0:
                return self.problem("%s: %d\n%s%s" % (program, result.code, result.out, result.err))
        sets = [store.names() for store in self.stores]
        if not sets[0] - sets[1] - sets[2] == sets[1] - sets[0] == sets[2] - sets[0] == set():
            missing = [sorted(set.union(*sets) - one)[:5] for one in sets]
            # a backup that was given up is nobody's; all else is everywhere
            missing = [[n for n in some if "/backup/" not in n and "/probe/" not in n]
                       for some in missing]
            if any(missing):
                self.problem("after sync and verify stores lack %s" % missing)
        self.pg.stop("fast")
        store = self.stores[self.options.seed % len(self.stores)]
        self.setup.write(stores=[store.settings], acknowledge=1, agent=True)
        self.say("a last recovery, from store %s alone" % store.name)
        recovery.last()
        self.audit()
        return None

    def leaks(self):
        """What the agents held, counted from outside; the last one has served for a while."""
        for pid in self.agents():
            with open("/proc/%d/status" % pid, encoding="ascii") as f:
                words = f.read().split()
            self.say("agent %d: %s descriptors at most, %s KiB" % (
                pid, words[words.index("FDSize:") + 1], words[words.index("VmRSS:") + 1]))
            if int(words[words.index("FDSize:") + 1]) > 256:
                self.problem("an agent has had more than 256 descriptors")
        with contextlib.suppress(FileNotFoundError):
            seen = json.loads((self.dir / "agents.json").read_text(encoding="ascii"))
            files, memory = max(s[1] for s in seen.values()), max(s[3] for s in seen.values())
            self.say("%d agents seen; at most %d open files, %d KiB" % (len(seen), files, memory))
            # two halves of at most 40 MiB, and their buffers
            if files > 200 or memory > 200 * 1024:
                self.problem("an agent held too much")
        runtime = pathlib.Path(os.environ["SEAWALL_RUNTIME_DIR"])
        left = [p.name for p in runtime.iterdir() if p.suffix not in (".lock", ".start", ".sock")]
        self.say("left in the runtime directory: %d" % len(left))
        left = [p.name for p in (self.pg.data / "pg_wal").glob(".seawall*")]
        self.say("left in pg_wal: %d" % len(left))

    def audit(self):
        """What the servers' logs say of Seawall: documented exit codes alone."""
        codes = collections.Counter()
        for log in self.dir.glob("server-*.log"):
            text = log.read_text(errors="replace")
            codes.update("archive %s" % c for c in
                         re.findall(r"archive command failed with exit code (\d+)", text))
            codes.update("restore %s" % c for c in re.findall(
                r"could not restore file .*child process exited with exit code (\d+)", text))
            if "conflict" in text and re.search(r"seawall-push: error: .*different content", text):
                self.problem("a conflict in %s" % log.name)
        self.say("exit codes in the logs: %s" % dict(sorted(codes.items())))
        if codes["archive 137"] + codes["restore 137"] > self.murders:
            self.problem("more hooks were killed than by us: %s" % codes)
        for code in codes:
            side, number = code.split()
            if int(number) not in ({137} | (ARCHIVE_CODES if side == "archive" else FETCH_CODES)):
                self.problem("exit code: " + code)

    def report(self, recovery):
        confirmed = sum(1 for a in self.journal.attempts if a.known)
        self.say("faults: %s" % dict(sorted(self.counts.items())))
        self.say("recoveries: %s" % dict(sorted(recovery.counts.items())))
        self.say("%d rows tried, %d known to be committed, on %d timelines; %d rows compared" % (
            len(self.journal.attempts), confirmed, self.timeline, recovery.compared))
        for problem in self.problems:
            print("PROBLEM: " + problem)
        self.say("seed %d: %s" % (self.options.seed, "failed" if self.problems else "all is there"))
        return 1 if self.problems else 0


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--minutes", type=float, default=10, help="up to 1440")
    parser.add_argument("--seconds", type=float, help="instead")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--every", type=float, default=2.5, help="mean seconds between faults")
    parser.add_argument("--only", type=lambda text: text.split(","), help="only these kinds")
    options = parser.parse_args()
    options.seconds = min(options.seconds or options.minutes * 60, 24 * 3600)
    return options


def main():
    options = arguments()
    seawall.program("seawall-push")
    print("seed %d, %d s" % (options.seed, options.seconds), flush=True)

    def inside(directory):
        soak = Soak(directory, options)
        try:
            return soak.run()
        finally:
            soak.close()
    sys.exit(sandbox.run(inside, {"small": "1g", "spool": "16m"}))


if __name__ == "__main__":
    main()
