# SPDX-License-Identifier: PostgreSQL
"""agents.py: hooks that go through their agent, in a runtime directory of a check's own."""
import contextlib
import json
import os
import pathlib
import signal
import subprocess

import seawall
import tap

MIB = 1 << 20
XLOG = "pg_wal/RECOVERYXLOG"


def preload(library):
    """The environment of programs that are to run with this library of tests/support."""
    options = os.environ.get("ASAN_OPTIONS", "").split(":") + ["verify_asan_link_order=0"]
    return {"LD_PRELOAD": seawall.program(library), "ASAN_OPTIONS": ":".join(filter(None, options))}


class Place:
    """A store, a configuration, a data directory and a runtime directory."""

    def __init__(self, t, name="place", **settings):
        self.dir = t.dir / name
        self.dir.mkdir()
        self.store = self.dir / "a"
        self.runtime = self.dir / "run"
        self.setup = seawall.Setup(self.dir, [seawall.dir_store("a", self.store)], **settings)
        self.pgdata = seawall.Pgdata(self.dir / "data", segment_size=MIB)
        self.bin = None     # another place of the programs
        self.more = {}      # of the environment
        t.defer(tap.stop_agents, self.runtime)

    def env(self):
        return dict(self.more, SEAWALL_RUNTIME_DIR=str(self.runtime))

    def argv(self, name, *args):
        argv = self.setup.argv(name, *args, agent=True)
        return [str(self.bin / name)] + argv[1:] if self.bin else argv

    def run(self, name, *args, pgdata=None, **options):
        return tap.run(self.argv(name, *args), cwd=str((pgdata or self.pgdata).dir),
                       env=dict(self.env(), **options.pop("env", {})), **options)

    def start(self, name, *args):
        """The same without waiting for the end."""
        self.connections = connections(self)
        return subprocess.Popen(self.argv(name, *args), cwd=str(self.pgdata.dir),
                                env=dict(os.environ, **self.env()), stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                start_new_session=True)

    def push(self, number, *more, **options):
        """Push a segment, which is made if it is not there."""
        name = self.pgdata.name(number)
        if not (self.pgdata.wal / name).exists():
            self.pgdata.write_segment(number)
        return self.run("seawall-push", *more, "pg_wal/" + name, **options)

    def fetch(self, number, *more, path=XLOG, **options):
        with contextlib.suppress(FileNotFoundError):
            (self.pgdata.dir / path).unlink()
        return self.run("seawall-fetch", *more, self.pgdata.name(number), path, **options)

    def fetched(self, path=XLOG):
        with contextlib.suppress(FileNotFoundError):
            return (self.pgdata.dir / path).read_bytes()
        return None

    def agents(self):
        return tap.agents(self.runtime)

    def agent(self):
        """The one agent; fails if there is none or another."""
        found = self.agents()
        if len(found) != 1:
            raise tap.Failure("agents: %s" % found)
        return found[0]

    def status(self):
        result = self.run("seawall-agent", "status")
        return json.loads(result.out) if result.out else None

    def gone(self, pid):
        """Wait for the end of a process."""
        tap.wait_for(lambda: not seawall.alive(pid), what="the end of process %d" % pid)

    def programs(self, directory):
        """Use copies of the programs in this directory from now on."""
        self.bin = pathlib.Path(directory)
        self.bin.mkdir()
        for name in ("seawall-agent",) + seawall.HOOKS:
            self.install(name)

    def install(self, name):
        """Put the program in place as a package manager does: a new file, renamed."""
        new = self.bin / (name + ".new")
        new.write_bytes(pathlib.Path(seawall.program(name)).read_bytes())
        new.chmod(0o755)
        new.rename(self.bin / name)


@contextlib.contextmanager
def stopped(pid):
    """A process that does nothing meanwhile."""
    os.kill(pid, signal.SIGSTOP)
    tap.wait_for(lambda: state(pid) == "T", what="stopped")
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def state(pid):
    with open("/proc/%d/stat" % pid, encoding="latin-1") as f:
        return f.read().rpartition(") ")[2][0]


def connections(place):
    """How many sockets have the name of the agent's, its own and accepted ones."""
    names = [path.name for path in place.runtime.glob("*.sock")]
    with open("/proc/net/unix", encoding="latin-1") as f:
        return sum(any(name in line for name in names) for line in f)


def connected(place, process):
    """Wait until the hook that was started last has connected to the agent, which is stopped."""
    def look():
        if process.poll() is not None:
            raise tap.Failure("the hook has ended: %s" % (process.communicate(),))
        return connections(place) > place.connections
    tap.wait_for(look, what="the hook waits")
