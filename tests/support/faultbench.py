# SPDX-License-Identifier: PostgreSQL
"""faultbench.py: hooks against models of buckets, recorded and checked.

    bench = faultbench.Bench(t, stores=2)
    bench.push(1)
    bench["a"].fault(s3faults.lose_answer(), kind="put", key=bench.WAL, times=1)
    bench.push(2, code=0, says="already in store")
    bench.finish()              # nothing fails any more: all is archived and comes back; I1 to I17

scenario() registers a check like tap.check(), but all of them run at the same time, several at
once: most of their time is waiting for deadlines.
"""
import concurrent.futures
import functools
import hashlib
import os
import pathlib
import sys
import tempfile
import time

import archived
import invariants
import models3
import s3faults
import seawall
import tap

MIB = 1 << 20
WORKERS = 12
LONG = bool(os.environ.get("SEAWALL_LONG"))
XLOG = "pg_wal/RECOVERYXLOG"
# a small process that starts another one and tells its memory: a child of this one would begin
# with the maximum of this one
MEASURE = """
import os, sys
pid = os.fork()
if pid == 0:
    os.execv(sys.argv[2], sys.argv[2:])
_, status, usage = os.wait4(pid, 0)
with open(sys.argv[1], "w") as f:
    f.write("%d %d" % (os.waitstatus_to_exitcode(status), usage.ru_maxrss))
"""
# seconds; the smallest that the configuration allows
FAST = dict(push_timeout=5, fetch_timeout=5, connect_timeout=1, stall_timeout=1, lag_wait=1)
AMPLE = dict(push_timeout=60, fetch_timeout=60)     # for what ends by itself, on a loaded machine


@functools.cache
def segment(number, seed=0, timeline=1):
    return seawall.segment(number, timeline=timeline, size=MIB, seed=seed)


class Bench:
    """Buckets, a configuration, a server's files, and everything that was called."""

    WAL = "*/wal/*"

    def __init__(self, t, stores=1, agent=False, acknowledge=1, bucket=None, store=None,
                 measure=False, **settings):
        """bucket: properties of every models3.Bucket; store: settings of every store; measure: the
        memory of each call is measured."""
        self.t, self.agent, self.acknowledge, self.measure = t, agent, acknowledge, measure
        self.buckets = {}
        for i in range(stores):
            name = "abcdefgh"[i]
            self.buckets[name] = t.enter(models3.Bucket("region-" + name, **(bucket or {})))
        self.stores = [b.store(n, **(store or {})) for n, b in self.buckets.items()]
        self.settings = dict(FAST, **settings)
        self.setup = seawall.Setup(t.dir, self.stores, acknowledge=acknowledge, **self.settings)
        self.pgdata = seawall.Pgdata(t.dir / "data", segment_size=MIB)
        self.runtime = t.dir / "run"
        t.defer(tap.stop_agents, self.runtime)
        self.calls, self.env, self.prefix = [], dict(models3.ENV), []
        self.pushed = {}        # name -> the bytes that were pushed first
        self._writer, self.meddled = None, False
        self.checker = invariants.Checker(self.buckets.values(), acknowledge, self.key, self.decode)

    def __getitem__(self, name):
        return self.buckets[name]

    @property
    def s3(self):
        """The first bucket, mostly the only one."""
        return next(iter(self.buckets.values()))

    def name(self, number):
        return number if isinstance(number, str) else self.pgdata.name(number)

    def key(self, number):
        name = self.name(number)
        system = "root/main/%d/" % self.pgdata.system_id
        if name.endswith(".history"):
            return system + "history/" + name
        return system + "wal/%s/%s/%s" % (name[:8], name[8:16], name)

    # decoding

    def decode(self, bucket, version):
        """The digest of the file in a stored version; what is not of this server's archive, as the
        probe, is taken as it is."""
        if not version.key.startswith("root/main/%d/" % self.pgdata.system_id):
            return version.sha256
        self._writer = self._writer or archived.writer_public(self.setup)
        with tempfile.TemporaryDirectory(dir=self.t.dir) as place:
            source, target = pathlib.Path(place) / "object", pathlib.Path(place) / "file"
            source.write_bytes(bucket.data(version))
            result = tap.run([
                seawall.program("objtool"), "unpack", "--identity", self.setup.dir / "identity.txt",
                "--writer", self._writer, "--name", version.key[len("root/"):],
                "--system-id", self.pgdata.system_id, source, target])
            return hashlib.sha256(target.read_bytes()).hexdigest() if result.code == 0 else None

    # calls

    def run(self, argv):
        """(code, stderr, start, end, rss)"""
        env = dict(SEAWALL_RUNTIME_DIR=str(self.runtime), **self.env)
        argv, measured = self.prefix + argv, self.t.dir / "measured"
        if self.measure:
            argv = [sys.executable, "-c", MEASURE, measured] + argv
        start = time.monotonic()
        result = tap.run(argv, cwd=self.pgdata.dir, env=env)
        end, code, rss = time.monotonic(), result.code, 0
        if self.measure:
            code, rss = (int(word) for word in measured.read_text().split())
        return code, result.err, start, end, rss * 1024

    def push(self, number, code=None, says=None, data=None, quiet=False, agent=None, setup=None):
        """seawall-push; returns what it said. number may be a name, with data."""
        name, agent = self.name(number), self.agent if agent is None else agent
        data = data if data is not None else self.pushed.get(name) or segment(number)
        self.pushed.setdefault(name, data)
        path = self.pgdata.write(name, data)
        setup = setup or self.setup
        got, said, start, end, rss = self.run(setup.argv("seawall-push", path, agent=agent))
        (self.pgdata.dir / path).unlink()
        (self.pgdata.status / (name + ".ready")).unlink()
        self.calls.append(invariants.Call(
            "push", name, got, start, end, hashlib.sha256(data).hexdigest(),
            self.settings["push_timeout"], rss=rss, agent=agent, quiet=quiet))
        self.expect("push of %s" % name, got, said, code, says)
        return said

    def fetch(self, number, code=None, says=None, quiet=False, agent=None, setup=None):
        """seawall-fetch; returns what it said."""
        name, agent = self.name(number), self.agent if agent is None else agent
        target = self.pgdata.dir / XLOG
        target.unlink(missing_ok=True)
        setup = setup or self.setup
        got, said, start, end, rss = self.run(
            setup.argv("seawall-fetch", name, XLOG, agent=agent))
        there = os.path.lexists(target)
        content = hashlib.sha256(target.read_bytes()).hexdigest() if there else None
        self.calls.append(invariants.Call(
            "fetch", name, got, start, end, content, self.settings["fetch_timeout"], rss=rss,
            agent=agent, quiet=quiet, regular=not there or not target.is_symlink(),
            standby=(self.pgdata.dir / "standby.signal").exists()))
        self.expect("fetch of %s" % name, got, said, code, says)
        return said

    def hold_back(self, first, other):
        """Bucket `first` gives out a file when `other` has said what it has of that name: which of
        them is the faster one is then no question of the machine."""
        def wait(x):
            begin = time.monotonic()
            while "range" not in x.headers and time.monotonic() < begin + 6 and not any(
                    e.kind == "get" and e.key == x.key and e.ended and e.ended >= x.started
                    for e in list(self[other].exchanges)):
                time.sleep(0.01)
        return self[first].fault(s3faults.watch(wait), kind="get", key=self.WAL)

    def expect(self, what, got, said, code, says):
        codes = code if isinstance(code, tuple) else (code,)
        if code is not None and got not in codes:
            self.t.fail("%s: exit code %s, want %s: %s\n%s" % (what, got, code, said, self.log()))
        for piece in [says] if isinstance(says, str) else says or []:
            self.t.contains(said, piece, what)

    def log(self):
        """The last exchanges, for a check that failed."""
        return "\n".join("%s %r" % (n, list(b.exchanges)[-12:]) for n, b in self.buckets.items())

    # the end

    def lift(self):
        """Nothing fails any more."""
        for bucket in self.buckets.values():
            bucket.lift()
            bucket.up()

    def finish(self, again=True):
        """Nothing fails any more. Every file that was pushed is pushed once more and fetched, from
        all stores and from each set of stores that must be enough; then the whole history is
        checked. again=False: only check what happened."""
        self.lift()
        if again:
            if not self.agent:      # it would be another agent
                self.settings.update(AMPLE)
                self.setup.write(**AMPLE)
            for name, data in self.pushed.items():
                # an agent looks at a store that refused it a little later only
                if self.agent:
                    tap.wait_for(lambda name=name, data=data: self.push(name, data=data) is not None
                                 and self.calls[-1].code == 0, what="push of %s" % name)
                self.push(name, code=0, data=data, quiet=True)
            self.come_back()
        self.check()

    def come_back(self):
        need = len(self.buckets) - self.acknowledge + 1
        setups = [self.setup]
        if need < len(self.buckets):
            setups = []
            for i in range(len(self.stores)):
                place = self.t.dir / ("only-%d" % i)
                place.mkdir()
                setup = seawall.Setup(place, (self.stores + self.stores)[i:i + need], keys=False,
                                      **self.settings)
                for key in ("identity.txt", "writer.key"):
                    (setup.dir / key).write_bytes((self.setup.dir / key).read_bytes())
                    (setup.dir / key).chmod(0o600)
                setup.write(encryption=self.setup.settings["encryption"])
                setups.append(setup)
        for name in self.pushed:
            for setup in setups:
                self.fetch(name, code=0, quiet=True, setup=setup,
                           agent=self.agent and setup is self.setup)

    def check(self):
        problems = self.checker.problems(self.calls)
        if problems:
            self.t.fail("%s\n%s" % ("\n".join(problems), self.log()))


# scenarios side by side

_pool, _futures = [], {}


def scenario(name):
    """Like tap.check(); runs beside the others."""
    def register(function):
        selected = all(arg in name for arg in sys.argv[1:] if arg != "--list")
        _futures[name] = (function, selected)

        def wait(t):
            return _start(t)[name].result()
        tap.CHECKS.append((name, wait))
        return function
    return register


def _start(t):
    if not _pool:
        base = t.dir.parent
        pool = concurrent.futures.ThreadPoolExecutor(WORKERS)
        _pool.append({name: pool.submit(_one, name, function, base)
                      for name, (function, selected) in _futures.items() if selected})
        pool.shutdown(wait=False)
    return _pool[0]


def _one(name, function, base):
    t = tap.Check(name, pathlib.Path(tempfile.mkdtemp(prefix="s-", dir=base)))
    begin = time.monotonic()
    try:
        function(t)
    finally:
        t.close()
        if os.environ.get("TIMES"):
            tap.diag("%6.1f s  %s" % (time.monotonic() - begin, name))
