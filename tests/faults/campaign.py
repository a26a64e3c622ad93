#!/usr/bin/python3
# SPDX-License-Identifier: PostgreSQL
"""campaign.py: random histories of archiving, recovery, promotion, faults, kills and attacks
against models of buckets, each checked by the invariants.

    SEAWALL_BIN=build tests/faults/campaign.py [--minutes N | --episodes N] [--seed N]
                                               [--episode N [--verbose]]

An episode is a fresh archive of one to three stores, K of N, and some twenty steps. All its dice
come from the seed and its number: --seed 7 --episode 31 plays that one again. Timing is the
machine's, so a fault that meets another request may need several attempts to be seen again.
"""
import argparse
import collections
import concurrent.futures
import contextlib
import hashlib
import os
import pathlib
import random
import re
import shutil
import signal
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import faultbench
import invariants
import s3faults
import seawall
import tap

MIB = 1 << 20
HISTORY = "pg_wal/RECOVERYHISTORY"
WORKERS = 6
WEIGHTS = {
    "archive": 30, "archive_again": 8, "other_content": 4, "parallel": 6, "parallel_two": 3,
    "kill_push": 12, "fetch": 8, "fetch_end": 6, "kill_fetch": 10, "run": 6, "recover": 6,
    "promote": 3, "clone": 2, "random_faults": 8, "scripted_fault": 8, "down": 5, "heal": 10,
    "attack": 3, "plant": 3, "agent_killed": 4, "sync": 3,
}


class Checker(invariants.Checker):
    """The invariants, where several servers may have pushed different files under one name, and
    some calls were killed."""

    def problems(self, calls):
        # a killed call says nothing of itself; what it left is seen in the others
        told = [c for c in calls if not c.killed]
        found = []
        for check in (self.i1, self.i2, self.i3, self.i4, self.i5, self.i6, self.i9, self.i11,
                      self.i17):
            found += ["%s: %s" % (check.__name__.upper(), p) for p in check(told)]
        return found + ["I7: %s" % p for p in self.i7(calls)]

    def i4(self, calls):
        """Only names that nobody else ever pushed with other content, killed or not."""
        return (p for p in super().i4(calls)
                if not any(name in p for name in self.disputed))

    def i1(self, calls):
        """As far as the stores still have what nobody but an attacker took."""
        return (p for p in super().i1(calls)
                if not any(name in p for name in self.disputed))

    def i2(self, calls):
        """An answer that was cut behind its end was an answer all the same."""
        first = min((c.start for c in calls), default=0)
        for call in calls:
            if call.side != "push" or call.code != 0:
                continue
            proven = sum(any(
                x.kind in ("put", "get") and (x.status() or 0) // 100 == 2 and (
                    x.is_success() or (x.answer and x.n_sent >= len(x.answer.head())))
                for x in self.exchanges(bucket, call, first if call.agent else None))
                for bucket in self.holders(call.name, call.content, call.end))
            if proven < self.acknowledge:
                yield "%s, and %d of %d stores said so" % (call, proven, self.acknowledge)

    def i3(self, calls):
        """A name whose object an attacker took away is free again."""
        for problem in super().i3(calls):
            if "contents" not in problem:
                yield problem
        for bucket in self.buckets:
            for key in {v.key for v in list(bucket.journal)}:
                there = []
                for new in bucket.versions(key):
                    if new.marker:
                        there = []
                        continue
                    there = [v for v in there if v.gone is None or v.gone > new.time]
                    content = self.content(bucket, new)
                    if new.by == "client" and any(self.content(bucket, v) != content
                                                  for v in there):
                        yield "%s in %s was overwritten" % (key, bucket.name)
                    there.append(new)

    def proves(self, bucket, call):
        """By what the store truly answered, also if it was cut behind its end or altered where it
        does not matter: it did not have the file, nor anything later."""
        own = [x for x in list(bucket.exchanges) if call.start <= x.started <= call.end
               and x.answer is not None and x.status() == x.answer.status]
        if not any(x.kind == "get" and x.key == self.key_of(call.name) and x.answer.status == 404
                   and x.answer.code == "NoSuchKey" and not any(
                       name == "x-amz-delete-marker" for name, _ in x.answer.headers)
                   for x in own):
            return False
        lists = [x.answer.body for x in own if x.kind == "list" and x.answer.status == 200]
        shown = [k.decode() for body in lists for k in re.findall(rb"<Key>([^<]*)</Key>", body)]
        return bool(lists) and not self.later(self.key_of(call.name), shown)

    def i5(self, calls):
        """What lies below a delete marker hinders nobody."""
        hidden = {c.name for c in calls if any(v.marker for b in self.buckets
                                               for v in b.versions(self.key_of(c.name)))}
        return super().i5([c for c in calls if c.name not in hidden])

    def i17(self, calls):
        """An altered answer may still be understood rightly: it counts when the store itself
        would have given this status."""
        first = min((c.start for c in calls), default=0)
        for call in calls:
            if call.code not in (0, 1):
                continue
            need = 1 if (call.side, call.code) == ("fetch", 0) else (
                self.acknowledge if call.side == "push" else self.quorum)
            n = sum(any(x.answer is not None and x.status() == x.answer.status for x in
                        self.exchanges(b, call, first if call.agent else None))
                    for b in self.buckets)
            if n < need:
                yield "%s, but only %d of %d stores said so" % (call, n, need)

    def i7(self, calls):
        for call in calls:
            if call.side != "fetch":
                continue
            if not call.regular:
                yield "%s left something that is no file" % call
            if call.content not in (None, call.before) and call.content not in \
                    self.tried.get(call.name, ()):
                yield "%s brought bytes that nobody archived" % call
            if call.code == 0 and call.content is None:
                yield "%s brought nothing" % call
            if call.code != 0 and not call.killed and call.content != call.before:
                yield "%s, but there is another file now" % call


class Server:
    """A line of a server's life: a timeline, how far it has written, and which content it writes
    (two clones write different bytes under the same names)."""

    def __init__(self, timeline, begin, seed, lines=()):
        self.timeline, self.next, self.seed, self.lines = timeline, begin, seed, list(lines)

    def name(self, number):
        return seawall.segment_name(self.timeline, number, MIB)

    def data(self, number):
        return faultbench.segment(number, self.seed, self.timeline)


class Episode(faultbench.Bench):
    """One history."""

    def __init__(self, t, seed, number, verbose=False, steps=None):
        self.dice = dice = random.Random("%d:%d" % (seed, number))
        self.verbose = verbose
        stores = dice.choice([1, 2, 2, 3, 3])
        acknowledge = dice.randint(1, stores)
        super().__init__(t, stores=stores, acknowledge=acknowledge,
                         bucket=dict(versioned=dice.random() < 0.3),
                         compression=dice.choice(["lz4", "zstd", "none"]),
                         agent_idle=dice.choice([1, 300]),
                         spool_max=dice.choice([0, "4MiB", "256MiB"]),
                         agent_memory=dice.choice(["2MiB", "40MiB"]))
        self.checker = Checker(self.buckets.values(), acknowledge, self.key, self.decode)
        self.checker.tried, self.checker.disputed = collections.defaultdict(set), set()
        self.lock = threading.Lock()
        self.servers = [Server(1, dice.choice([1, 250, 4090]), 0)]
        self.contents = {}              # name -> {digest: bytes} of all that was ever pushed
        self.counts = collections.Counter()
        self.attacked = False
        self.steps = steps or dice.randint(10, 30)
        self.trail = ["%d stores, acknowledge %d" % (stores, acknowledge)]

    def play(self):
        kinds = list(WEIGHTS)
        for n in range(self.steps):
            # dice of their own, so that one step's draws do not move the next ones
            self.step = random.Random("%s:%d" % (self.dice.random(), n))
            kind = self.step.choices(kinds, list(WEIGHTS.values()))[0]
            self.say("%d %s" % (n, kind))
            self.counts[kind] += 1
            getattr(self, kind)(self.step)
        self.say("end")
        self.end()

    def say(self, text):
        self.trail.append(text)
        if self.verbose:
            tap.diag(text)

    # calls; several threads may make them

    def call(self, side, name, data=None, at=None, sig=signal.SIGKILL, agent=None, path=None,
             quiet=False):
        """One call of a hook in a place of its own; at: killed at that system call."""
        agent = (self.agent if agent is None else agent) and at is None
        with self.lock:
            pgdata = self.pgdata
            if side == "push":
                place = pathlib.Path(tempfile.mkdtemp(prefix="push-", dir=self.t.dir))
                pgdata = seawall.Pgdata(place / "data", segment_size=MIB)
                digest = hashlib.sha256(data).hexdigest()
                self.contents.setdefault(name, {})[digest] = data
                self.checker.tried[name].add(digest)
                if len(self.contents[name]) > 1:
                    self.checker.disputed.add(name)
        if agent and side == "push":
            pgdata = self.pgdata
        if side == "push":
            argv = self.setup.argv("seawall-push", pgdata.write(name, data), agent=agent)
        else:
            path = path or faultbench.XLOG
            argv = self.setup.argv("seawall-fetch", name, path, agent=agent)
            (pgdata.dir / path).unlink(missing_ok=True)
        if at is not None:
            argv = [seawall.program("killat"), "--at", str(at), "--signal", str(int(sig)),
                    "--"] + argv
        start = time.monotonic()
        result = tap.run(argv, cwd=pgdata.dir, timeout=120, env=dict(
            seawall.TRACED if at is not None else {}, SEAWALL_RUNTIME_DIR=str(self.runtime),
            **self.env))
        end, code, killed, said = time.monotonic(), result.code, False, result.err
        if at is not None:
            match = re.search(r"killat: stops=(\d+) sent=(\d) (exit|signal)=(\d+)\n\Z", said)
            if not match:
                raise tap.Failure("killat: %d %s" % (result.code, said))
            killed = match[2] == "1"
            code = int(match[4]) if match[3] == "exit" else -int(match[4])
            self.counts["killed"] += killed
        content = self.digest_of(pgdata.dir / path) if side == "fetch" else digest
        call = invariants.Call(
            side, name, code, start, end, content,
            self.settings["%s_timeout" % side] * (4 if at is not None else 1), agent=agent,
            killed=killed, quiet=quiet,
            standby=(pgdata.dir / "standby.signal").exists())
        if side == "push" and pgdata is not self.pgdata:
            shutil.rmtree(place)
        elif side == "push":
            (pgdata.wal / name).unlink(missing_ok=True)
            (pgdata.status / (name + ".ready")).unlink(missing_ok=True)
        with self.lock:
            self.calls.append(call)
            self.counts["%s %d%s" % (side, code, " killed" if killed else "")] += 1
        self.say("  %s%s%s: %s" % (call, " killed at %d" % at if killed else "",
                                   " agent" if agent else "", said.strip()[:600]))
        return call

    @staticmethod
    def digest_of(path):
        with contextlib.suppress(FileNotFoundError):
            return hashlib.sha256(path.read_bytes()).hexdigest()
        return None

    def same(self, calls):
        """Run calls at the same time."""
        with concurrent.futures.ThreadPoolExecutor(len(calls)) as pool:
            return list(pool.map(lambda c: self.call(*c[0], **c[1]), calls))

    def known(self, dice):
        """A name that was pushed, if any was."""
        return dice.choice(sorted(self.contents)) if self.contents else None

    def any_data(self, dice, name):
        return self.contents[name][dice.choice(sorted(self.contents[name]))]

    # steps

    def archive(self, dice):
        server = dice.choice(self.servers)
        for _ in range(dice.choice([1, 1, 2, 5])):
            call = self.call("push", server.name(server.next), server.data(server.next),
                             agent=dice.random() < 0.4)
            if call.code == 0 or dice.random() < 0.2:   # PostgreSQL goes on only then
                server.next += 1

    def archive_again(self, dice):
        name = self.known(dice)
        if name:
            self.call("push", name, self.any_data(dice, name), agent=dice.random() < 0.4)

    def other_content(self, dice):
        name = self.known(dice)
        if name and len(name) == 24:
            number = int(name[8:16], 16) * 4096 + int(name[16:], 16)
            self.call("push", name, faultbench.segment(number, 9, int(name[:8], 16)),
                      agent=dice.random() < 0.4)

    def parallel(self, dice):
        server = dice.choice(self.servers)
        name, data = server.name(server.next), server.data(server.next)
        calls = self.same([(("push", name, data), {})] * dice.randint(2, 6))
        if any(c.code == 0 for c in calls):
            server.next += 1

    def parallel_two(self, dice):
        server = dice.choice(self.servers)
        name = server.name(server.next)
        two = [server.data(server.next),
               faultbench.segment(server.next, server.seed + 3, server.timeline)]
        calls = self.same([(("push", name, two[i % 2]), {}) for i in range(dice.randint(2, 6))])
        good = {c.content for c in calls if c.code == 0}
        if len(good) > 1 and self.acknowledge * 2 > len(self.buckets):
            self.t.fail("two contents of %s were acknowledged" % name)
        server.next += 1

    def kill_push(self, dice):
        server = dice.choice(self.servers)
        name, data = server.name(server.next), server.data(server.next)
        for _ in range(dice.choice([1, 2, 4])):
            self.call("push", name, data, at=dice.randint(1, 900),
                      sig=dice.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGTERM]))
        if dice.random() < 0.7 and self.call("push", name, data).code == 0:
            server.next += 1

    def fetch(self, dice):
        name = self.known(dice)
        if name:
            self.call("fetch", name, agent=dice.random() < 0.4)

    def fetch_end(self, dice):
        server = dice.choice(self.servers)
        name = dice.choice([server.name(server.next), server.name(server.next + 1),
                            "%08X.history" % (server.timeline + 1)])
        self.call("fetch", name, agent=dice.random() < 0.4)

    def kill_fetch(self, dice):
        name = self.known(dice)
        if name:
            self.call("fetch", name, at=dice.randint(1, 900),
                      sig=dice.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGTERM]))

    def run(self, dice):
        """A fetching server: one segment after the other through an agent that fetches ahead."""
        server = dice.choice(self.servers)
        names = sorted(n for n in self.contents if len(n) == 24
                       and n[:8] == "%08X" % server.timeline)
        begin = dice.randrange(len(names)) if names else 0
        for name in names[begin:begin + 12]:
            if self.call("fetch", name, agent=True).code != 0:
                break
            if dice.random() < 0.15:
                self.agent_killed(dice)

    def recover(self, dice):
        """What a server does that recovers to the latest timeline: nothing acknowledged on its way
        may be beyond the end it sees."""
        acknowledged = {c.name for c in self.calls if c.side == "push" and c.code == 0}
        timeline = 1
        while True:
            name = "%08X.history" % (timeline + 1)
            call = self.call("fetch", name, agent=True, path=HISTORY)
            if call.code != 0:
                break
            timeline += 1
        if call.code == 1 and not self.attacked:
            later = {n for n in acknowledged if n.endswith(".history")
                     and int(n[:8], 16) > timeline}
            if later:
                self.t.fail("I10: the newest timeline is %d, but %s were acknowledged before"
                            % (timeline, sorted(later)))
        if call.code > 1 or call.code < 0:
            return
        names = sorted(n for n in self.contents if len(n) == 24 and n[:8] == "%08X" % timeline)
        for name in names[-6:]:
            if self.call("fetch", name, agent=True).code != 0:
                break

    def promote(self, dice):
        """A new timeline: its history first, then its segments."""
        old = dice.choice(self.servers)
        timeline = max(s.timeline for s in self.servers) + 1
        fork = old.next * MIB + 0x100
        lines = old.lines + ["%d\t%X/%X\tno recovery target specified\n" % (
            old.timeline, fork >> 32, fork & 0xFFFFFFFF)]
        call = self.call("push", "%08X.history" % timeline, "".join(lines).encode(),
                         agent=dice.random() < 0.4)
        self.servers.append(Server(timeline, old.next, old.seed, lines))
        if call.code == 0 and dice.random() < 0.5:
            self.servers.remove(old)

    def clone(self, dice):
        """A second server goes on under the names of the first, with its own bytes."""
        old = dice.choice(self.servers)
        if len(self.servers) < 4:
            self.servers.append(Server(old.timeline, old.next, old.seed + 1, old.lines))

    def random_faults(self, dice):
        bucket = dice.choice(list(self.buckets.values()))
        bucket.random_faults(dice.random(), dice.choice([0.1, 0.3, 0.7]))

    def scripted_fault(self, dice):
        bucket, acts = dice.choice(list(self.buckets.values())), s3faults.random_acts()
        bucket.fault(acts[dice.choice(sorted(acts))](dice), key=dice.choice(["*", self.WAL]),
                     kind=dice.choice(["put", "get", "list", "put get", None]),
                     skip=dice.randint(0, 2), times=dice.choice([1, 2, 5]))

    def down(self, dice):
        bucket = dice.choice(list(self.buckets.values()))
        what = dice.choice(["down", "down", "forbids", "slow", "no bucket"])
        self.say("  %s %s" % (bucket.name, what))
        if what == "down":
            bucket.down()
        elif what == "forbids":
            bucket.forbids = tuple(dice.sample(["put", "get", "list", "absent"], 2))
        elif what == "slow":
            bucket.delay_s = dice.choice([0.1, 0.6])
        else:
            bucket.exists = False

    def heal(self, dice):
        self.lift()

    def lift(self):
        super().lift()
        for bucket in self.buckets.values():
            bucket.forbids, bucket.delay_s, bucket.exists = (), 0, True

    def wal_keys(self, bucket):
        return [k for k in bucket.keys() if "/wal/" in k or "/history/" in k]

    def attack(self, dice):
        """Objects vanish from one bucket: erased, hidden, or an older state is shown."""
        bucket = dice.choice(list(self.buckets.values()))
        keys = self.wal_keys(bucket)
        what = dice.choice(["erase", "hide", "newest", "rollback"])
        self.attacked = True
        self.say("  %s %s" % (bucket.name, what))
        if what == "rollback":
            if bucket.journal:
                bucket.rollback(dice.choice(bucket.journal).time)
        elif keys:
            for key in (keys[-dice.randint(1, 4):] if what == "newest" else [dice.choice(keys)]):
                bucket.hide(key) if what == "hide" else bucket.erase(key)

    def plant(self, dice):
        """Under the next name: another segment's object, noise, or nothing."""
        bucket, server = dice.choice(list(self.buckets.values())), dice.choice(self.servers)
        key = self.key(server.name(server.next + dice.choice([0, 0, 1])))
        keys = self.wal_keys(bucket)
        if bucket.get(key) is not None:
            return
        noise = random.Random(dice.random()).randbytes(5000)
        bucket.put(key, bucket.get(dice.choice(keys)) if keys and dice.random() < 0.6
                   else dice.choice([noise, b""]))
        self.attacked = True

    def agent_killed(self, dice):
        for pid in tap.agents(self.runtime):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, dice.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGTERM]))
            self.counts["agents killed"] += 1

    def sync(self, dice):
        """It copies what is good, and never replaces anything: I3 sees the rest."""
        if len(self.buckets) == 1:
            return
        result = tap.run(self.setup.argv("seawall-sync"), cwd=self.pgdata.dir, timeout=300,
                         env=dict(self.env))
        self.counts["sync %d" % result.code] += 1
        if result.code not in (0, 10, 11, 12, 15):
            self.t.fail("sync: %d %s" % (result.code, result.err))

    # the end

    def end(self):
        """Nothing fails any more: undisputed files are stored everywhere and come back."""
        self.lift()
        tap.stop_agents(self.runtime)
        # what is demanded now is the answer, on whatever machine
        self.settings.update(faultbench.AMPLE)
        self.setup.write(**faultbench.AMPLE)
        if not self.attacked:
            for name in sorted(set(self.contents) - self.checker.disputed):
                self.call("push", name, self.any_data(self.dice, name), agent=False, quiet=True)
                self.call("fetch", name, agent=False, quiet=True)
        problems = self.checker.problems(self.calls)
        if problems:
            self.t.fail("%s\n%s" % ("\n".join(problems), self.log()))
        left = [p.name for p in self.pgdata.wal.iterdir() if p.name.startswith(".seawall")]
        if len(left) > self.counts["killed"] + self.counts["agents killed"]:
            self.t.fail("left in pg_wal: %s" % left)


def play(base, seed, number, verbose=False):
    """One episode; returns (counts, problem or None)."""
    t = tap.Check("episode %d" % number, pathlib.Path(tempfile.mkdtemp(prefix="e%d-" % number,
                                                                       dir=base)))
    episode = None
    try:
        try:
            episode = Episode(t, seed, number, verbose)
            episode.play()
        finally:
            t.close()
        problem = None
    except Exception as error:
        problem = "%s: %s" % (type(error).__name__, error)
        if episode:
            problem += "\n" + "\n".join(episode.trail)
    shutil.rmtree(t.dir, ignore_errors=True)
    return (episode.counts if episode else collections.Counter()), problem


def campaign(base, options):
    """Episodes until the time is over; returns how many failed."""
    end = time.monotonic() + options.minutes * 60
    totals, failed, done, running = collections.Counter(), 0, 0, {}
    number = options.episode if options.episode is not None else 0
    last = number + (options.episodes or (1 if options.episode is not None else 1 << 40))
    pool = concurrent.futures.ThreadPoolExecutor(options.jobs)
    try:
        while running or (number < last and time.monotonic() < end):
            while len(running) < options.jobs and number < last and time.monotonic() < end:
                running[pool.submit(play, base, options.seed, number, options.verbose)] = number
                number += 1
            for future in concurrent.futures.wait(
                    running, return_when=concurrent.futures.FIRST_COMPLETED).done:
                which = running.pop(future)
                counts, problem = future.result()
                totals += counts
                done += 1
                if problem:
                    failed += 1
                    tap.diag("--seed %d --episode %d\n%s" % (options.seed, which, problem))
    finally:
        # also of a campaign that is told to end: what it has seen counts
        tell(options, totals, done, failed, sorted(running.values()))
        pool.shutdown()
    return failed


def tell(options, totals, done, failed, unended):
    """What was played so far."""
    steps = sum(totals[kind] for kind in WEIGHTS)
    calls = sum(n for kind, n in totals.items() if re.match(r"(push|fetch) -?\d", kind))
    tap.diag("seed %d: %d episodes, %d steps, %d calls, %d killed, %d agents killed; %d failed%s" % (
        options.seed, done, steps, calls, totals["killed"], totals["agents killed"], failed,
        "; did not end: %s" % unended if unended else ""))
    tap.diag(", ".join("%s: %d" % pair for pair in sorted(totals.items())))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--episodes", type=int)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--episode", type=int, help="play this one (or from here on)")
    parser.add_argument("--jobs", type=int, default=WORKERS)
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args()
    tap.become_user()
    for sig in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(sig, lambda number, frame: sys.exit(128 + number))
    base = tap.temporary("campaign-")
    print("1..1", flush=True)
    try:
        failed = campaign(base, options)
    finally:
        shutil.rmtree(base, ignore_errors=True)
    print("%s 1 - every invariant holds in every episode" % ("not ok" if failed else "ok"))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
