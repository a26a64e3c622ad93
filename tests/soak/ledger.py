# SPDX-License-Identifier: PostgreSQL
"""ledger.py: a load whose every commit can be checked, and a journal outside of the server of what
was committed where.

Writers insert rows numbered from 1, each with a hash over the row before it, and move amounts
between accounts, as pgbench does. Around every commit the server's position is read. So of any
point of recovery, a timeline and a position on it, the journal can say which rows must be there,
which may be, and which must not.
"""
import contextlib
import hashlib
import os
import random
import subprocess
import threading
import time

import pgserver
import tap

ACCOUNTS = 400
FOREVER = 1 << 64
MARGIN = 2 << 20        # of WAL, behind the end of a backup
TABLES = ("create table ledger (w int, n int, delta int, hash text, primary key (w, n));"
          "create table accounts (i int primary key, balance bigint, filler text);"
          "insert into accounts select i, 0, '' from generate_series(0, %d) i" % (ACCOUNTS - 1))


def position(text):
    high, low = text.split("/")
    return int(high, 16) << 32 | int(low, 16)


class Attempt:
    """A row that a writer tried to commit. known: where it certainly had been committed."""
    __slots__ = ("row", "hash", "before", "began", "known", "ended")

    def __init__(self, row, text, before, began):
        self.row, self.hash = row, text
        self.before, self.began = before, began     # (timeline, position), and the server's time
        self.known, self.ended = None, None


class Journal:
    """All attempts of all writers, and the histories of the timelines they wrote on."""

    def __init__(self, path):
        self.lock = threading.Lock()
        self.attempts = []
        self.histories = {1: []}        # of a timeline: (parent, where it was left)
        self.file = open(path, "w", encoding="ascii", buffering=1 << 16)

    def add(self, attempt):
        with self.lock:
            self.attempts.append(attempt)
            self.file.write("try %d.%d %s after %d:%X\n" % (*attempt.row, attempt.hash,
                                                            *attempt.before))

    def confirm(self, attempt, where, when):
        with self.lock:
            if attempt.known is None:
                attempt.known, attempt.ended = where, when
            self.file.write("done %d.%d %s before %d:%X\n" % (*attempt.row, attempt.hash, *where))

    def fork(self, timeline, history):
        """A new timeline, with the text of its history file."""
        lines = [line.split("\t") for line in history.split("\n") if line and line[0] != "#"]
        with self.lock:
            self.histories[timeline] = [(int(line[0]), position(line[1])) for line in lines]
            self.file.write("fork %d: %r\n" % (timeline, self.histories[timeline]))

    def chain(self, timeline, end=FOREVER):
        """Where each timeline ends that leads to a point of recovery."""
        with self.lock:
            return {t: min(left, end) for t, left in self.histories[timeline] + [(timeline, end)]}

    def some(self, dice, timeline, begin):
        """A row that is certainly committed behind a backup's end, also on a later timeline."""
        with self.lock:
            attempts = self.attempts
            for _ in range(200):
                found = attempts[dice.randrange(len(attempts))] if attempts else None
                if found and found.known and found.before[0] >= timeline and \
                        found.before[1] > begin + MARGIN:
                    return found
        return None

    def compare(self, rows, chain, floor=None):
        """What is wrong with rows, {(writer, number): hash}, of a server recovered to the end of
        this chain; and how many of them had to be there. floor: the chain up to where all that is
        committed must be there; what is between floor and chain may be."""
        floor = chain if floor is None else floor
        with self.lock:
            attempts = list(self.attempts)
        wrong, must, known = [], 0, set()
        for attempt in attempts:
            found = rows.get(attempt.row) == attempt.hash
            timeline, at = attempt.before
            if found:
                known.add(attempt.row)
                if at >= chain.get(timeline, 0):
                    wrong.append("row %d.%d was written behind the target: %d:%X"
                                 % (*attempt.row, timeline, at))
            if attempt.known and attempt.known[1] <= floor.get(attempt.known[0], -1):
                must += 1
                if not found:
                    wrong.append("row %d.%d, committed before %d:%X, is missing (%s)" % (
                        *attempt.row, *attempt.known, rows.get(attempt.row)))
        for row in rows.keys() - known:
            wrong.append("row %d.%d was never written like that" % row)
        last = {}
        for w, n in sorted(rows):
            if n != last.get(w, 0) + 1:
                wrong.append("row %d.%d follows %d" % (w, n, last.get(w, 0)))
            last[w] = n
        return wrong, must


class Lost(Exception):
    """The connection is lost."""


class Writer(threading.Thread):
    """Writes to its server until it is stopped, and comes back whenever the server does."""

    def __init__(self, journal, number, site, rate):
        super().__init__(daemon=True)
        self.journal, self.number, self.rate = journal, number, rate
        self.site = site        # (Cluster, timeline); may be replaced
        self.stopped = threading.Event()
        self.paused = threading.Event()
        self.idle = threading.Event()
        self.doubts = []
        self.psql = None
        self.dice = random.Random(number)

    def run(self):
        while not self.stopped.is_set():
            try:
                self.connect()
                while not self.stopped.is_set() and self.site is self.mine:
                    if self.paused.is_set():
                        self.idle.set()
                        time.sleep(0.05)
                        continue
                    self.idle.clear()
                    begin = time.monotonic()
                    self.commit()
                    time.sleep(max(0, 1 / self.rate - (time.monotonic() - begin)))
            except (Lost, OSError, ValueError):
                time.sleep(0.2)
            finally:
                self.leave()

    def leave(self):
        if self.psql:
            self.psql.kill()
            self.psql.wait()
            for pipe in (self.psql.stdin, self.psql.stdout):
                with contextlib.suppress(OSError):
                    pipe.close()
            self.psql = None

    def connect(self):
        self.mine = self.site
        pg = self.mine[0]
        env = dict(os.environ, **{k: v for k, v in pg.env.items() if v is not None})
        self.psql = subprocess.Popen(
            [pgserver.tool("psql", pg.bin), "-AtqX", "-v", "ON_ERROR_STOP=1", "-F", "|"], env=env,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            bufsize=1, preexec_fn=tap.die_with_parent())
        self.ask("select w, n, hash from ledger where w = %d order by n desc limit 50;"
                 "select 'end'" % self.number)
        rows = []
        while (line := self.line()) != ["end"]:
            rows.append((int(line[1]), line[2]))
        where, when = self.where()
        for doubt in self.doubts:
            if (doubt.row[1], doubt.hash) in rows:
                self.journal.confirm(doubt, where, when)
        self.doubts = []
        self.last = rows[0] if rows else (0, "")

    def ask(self, sql):
        try:
            self.psql.stdin.write(sql + ";\n")
            self.psql.stdin.flush()
        except OSError:
            raise Lost from None

    def line(self):
        line = self.psql.stdout.readline()
        if not line.endswith("\n"):
            raise Lost
        return line.rstrip("\n").split("|")

    def where(self):
        """The server's position and time."""
        self.ask("select pg_current_wal_insert_lsn(), extract(epoch from clock_timestamp())")
        lsn, when = self.line()
        return (self.mine[1], position(lsn)), float(when)

    def commit(self):
        number, delta = self.last[0] + 1, self.dice.randrange(-1000, 1000)
        nonce = os.urandom(8).hex()
        text = hashlib.md5(("%s|%d|%d|%d|%s" % (self.last[1], self.number, number, delta, nonce))
                           .encode()).hexdigest()
        where, when = self.where()
        attempt = Attempt((self.number, number), text, where, when)
        self.journal.add(attempt)
        self.doubts.append(attempt)
        self.ask("begin; insert into ledger values (%d, %d, %d, '%s');"
                 "update accounts set balance = balance + %d, filler = '%s' where i = %d; commit"
                 % (self.number, number, delta, text, delta,
                    os.urandom(self.dice.randrange(100, 2000)).hex(),
                    self.dice.randrange(ACCOUNTS)))
        where, when = self.where()
        self.journal.confirm(attempt, where, when)
        self.doubts.remove(attempt)
        self.last = (number, text)


def contents(pg):
    """The ledger of a server: {(writer, number): hash}; its accounts must agree with it."""
    rows = {(int(w), int(n)): text for w, n, text in pg.sql("select w, n, hash from ledger",
                                                            timeout=600)}
    sums = pg.sql("select (select coalesce(sum(delta), 0) from ledger), sum(balance), count(*) "
                  "from accounts", timeout=600)[0]
    if sums[0] != sums[1] or int(sums[2]) != ACCOUNTS:
        raise tap.Failure("the accounts do not agree with the ledger: %s" % sums)
    return rows
