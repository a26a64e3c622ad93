# SPDX-License-Identifier: PostgreSQL
"""seawall_archive, the archive library, in a real server: load, failures, agents that die, shutdown.
With the server that is installed, and its essence with those of the later versions."""
import contextlib
import os
import signal

import npmpg
import pgheaders
import pgserver
import seawall
import tap


def library():
    """The library for the server of these tests."""
    major = tap.run([pgserver.tool("postgres"), "--version"]).out.split()[2].split(".")[0]
    path = seawall.BIN / "agent" / "library" / ("seawall_archive-%s.so" % major)
    if not path.exists():
        raise tap.Skip("built without the archive library (server headers, or a sanitizer)")
    return path


class Server:
    """A configuration, a server with the library, and the agent's runtime directory."""

    def __init__(self, t, start=True, major=None, **settings):
        """major: a server of npmpg.py; None: the one that is installed."""
        binaries = npmpg.bindir(major) if major else None
        path = pgheaders.archive_library(t, major) if major else library()
        self.t = t
        self.setup = seawall.Setup(t.dir, [seawall.dir_store("a", t.dir / "a"),
                                           seawall.dir_store("b", t.dir / "b")], **settings)
        self.run = t.dir / "run"
        self.run.mkdir(mode=0o700)
        self.pg = t.enter(pgserver.Cluster(t.dir / "primary", wal_segsize=1, bin=binaries))
        self.pg.configure(archive_mode="on", archive_library=str(path), archive_command="",
                          **{"seawall.config_file": str(self.setup.config),
                             "seawall.runtime_dir": str(self.run),
                             "seawall.agent_program": seawall.program("seawall-agent")})
        t.defer(self.end_agent)
        if start:
            self.pg.start()

    def agents(self):
        """The processes that have our lock file open: the agent."""
        found = []
        for entry in os.listdir("/proc"):
            with contextlib.suppress(OSError):
                if entry.isdigit() and b"seawall-agent" in open("/proc/%s/cmdline" % entry,
                                                                "rb").read():
                    if str(self.run).encode() in open("/proc/%s/cmdline" % entry, "rb").read():
                        found.append(int(entry))
        return found

    def end_agent(self):
        for pid in self.agents():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        tap.wait_for(lambda: not self.agents(), 60, "end of the agent")

    def failed(self):
        return int(self.pg.archive_stats()["failed_count"])

    def wait_failed(self, more_than=0):
        return tap.wait_for(lambda: self.failed() > more_than, 90, "a failure that is counted")

    def archived(self):
        return self.pg.wait_archived(self.pg.switch_wal())


def children(pid):
    found = []
    for entry in os.listdir("/proc"):
        with contextlib.suppress(OSError, ValueError):
            if entry.isdigit():
                fields = open("/proc/%s/stat" % entry).read().rpartition(") ")[2].split()
                if int(fields[1]) == pid:
                    found.append((int(entry), fields[0]))
    return found


def archiver(pg):
    return int(pg.value("select pid from pg_stat_activity where backend_type = 'archiver'"))


@tap.check("archived under load to two stores by one agent, and recovered")
def _(t):
    server = Server(t)
    pg = server.pg
    tap.run([pgserver.tool("pgbench"), "-i", "-q", "-s", "1", "postgres"], env=pg.env, timeout=300)
    copy = t.enter(pg.base_backup(t.dir / "copy"))
    tap.run([pgserver.tool("pgbench"), "-n", "-c", "2", "-t", "300", "postgres"], env=pg.env,
            timeout=300)
    want = pg.sql("select count(*), sum(delta) from pgbench_history")
    server.archived()
    t.equal(server.failed(), 0, "failures")
    t.equal(len(server.agents()), 1, "agents")
    pg.stop()
    t.equal(seawall.stored(t.dir / "a"), seawall.stored(t.dir / "b"), "both stores")
    copy.configure(archive_library="", archive_mode="off")
    copy.recover(server.setup.restore_command(), action="promote")
    copy.start()
    copy.wait_promoted()
    t.equal(copy.sql("select count(*), sum(delta) from pgbench_history"), want, "data")


@tap.check("a wrong configuration is a warning with its hint, counted, and cured by a reload")
def _(t):
    server = Server(t, start=False)
    server.pg.configure(**{"seawall.config_file": str(t.dir / "nowhere.conf")})
    server.pg.start()
    server.pg.switch_wal()
    server.wait_failed()
    server.pg.wait_log(r"WARNING:  seawall: .*nowhere\.conf")
    server.pg.wait_log(r"HINT:  Name the file")
    server.pg.wait_log(r"archiving write-ahead log file .* failed too many times")
    server.pg.configure(**{"seawall.config_file": str(server.setup.config)})
    server.pg.reload()
    server.archived()


@tap.check("no agent program, agent = false, a runtime directory of others: told and counted")
def _(t):
    server = Server(t, start=False)
    server.pg.configure(**{"seawall.agent_program": str(t.dir / "no-such-agent")})
    server.pg.start()
    server.pg.switch_wal()
    server.wait_failed()
    server.pg.wait_log(r"seawall: could not start .*no-such-agent")
    server.pg.configure(**{"seawall.agent_program": seawall.program("seawall-agent")})
    server.run.chmod(0o755)
    server.pg.reload()
    server.pg.switch_wal()
    server.pg.wait_log(r"seawall: runtime directory .*")
    server.run.chmod(0o700)
    server.setup.write(agent=False)
    server.pg.switch_wal()
    server.pg.wait_log(r"agent = false, and the archive library cannot do without", timeout=120)
    server.setup.write(agent=None)
    server.archived()


@tap.check("an agent that is killed again and again costs nothing but time")
def _(t):
    server = Server(t)
    server.archived()
    parent = archiver(server.pg)
    for n in range(5):
        for pid in server.agents():
            os.kill(pid, signal.SIGKILL)
        if n == 2:
            server.pg.psql("create table t%d as select generate_series(1, 20000) i" % n)
        server.archived()
    t.equal(archiver(server.pg), parent, "the same archiver")
    t.equal([c for c in children(parent) if c[1] == "Z"][1:], [], "no dead children pile up")
    t.equal(server.failed(), 0, "failures")


@tap.check("other content in the archive is a failure that is counted, and nothing is lost")
def _(t):
    server = Server(t)
    name = server.pg.switch_wal()
    server.pg.wait_archived(name)
    following = "%024X" % (int(name, 16) + 1)
    system = server.pg.system_id()
    for letter in "ab":
        place = t.dir / letter / "main" / str(system) / "wal" / name[:8] / name[8:16] / following
        place.write_bytes(b"somebody else's")
    server.pg.psql("create table x as select generate_series(1, 1000) i")
    server.pg.switch_wal()
    server.wait_failed()
    server.pg.wait_log("WARNING:  seawall: .*" + following)
    t.true((server.pg.data / "pg_wal" / "archive_status" / (following + ".ready")).exists(),
           "still ready")


@tap.check("a fast shutdown with an agent that does not answer ends, and nothing is lost")
def _(t):
    server = Server(t)
    server.archived()
    agent = server.agents()[0]
    server.pg.configure(**{"seawall.timeout": "3"})
    server.pg.reload()
    os.kill(agent, signal.SIGSTOP)
    try:
        server.pg.psql("create table y as select generate_series(1, 1000) i")
        name = server.pg.switch_wal()
        server.pg.wait_log("did not answer within 3 s")
        server.pg.stop("fast")
    finally:
        os.kill(agent, signal.SIGCONT)
    t.true((server.pg.data / "pg_wal" / "archive_status" / (name + ".ready")).exists(), "ready")
    server.pg.start()
    server.pg.wait_archived(name)


@tap.check("an archiver that is told to stop does not wait for its agent")
def _(t):
    server = Server(t)
    server.archived()
    agent = server.agents()[0]
    os.kill(agent, signal.SIGSTOP)
    try:
        server.pg.psql("create table y as select generate_series(1, 1000) i")
        name = server.pg.switch_wal()
        os.kill(archiver(server.pg), signal.SIGTERM)     # as init does it to every process
        server.pg.wait_log("seawall: the server stops", timeout=40)
    finally:
        os.kill(agent, signal.SIGCONT)
    server.pg.restart()
    server.pg.wait_archived(name)


@tap.check("a barrier passes the archiver while it waits for its agent")
def _(t):
    server = Server(t)
    server.archived()
    agent = server.agents()[0]
    os.kill(agent, signal.SIGSTOP)
    try:
        server.pg.switch_wal()
        server.pg.psql("create database other")
        server.pg.psql("drop database other", timeout=30)
        t.true(server.failed() == 0, "the archiver still waits")
    finally:
        os.kill(agent, signal.SIGCONT)
    server.archived()


@tap.check("settings of the library: known, reloaded, misspelt ones refused")
def _(t):
    server = Server(t)
    server.archived()
    t.equal(server.pg.value("select current_setting('seawall.runtime_dir', true)") is not None, True,
            "known")
    server.pg.configure(**{"seawall.no_such": "x"})
    server.pg.reload()
    server.archived()


def check_version(major):
    @tap.check("PostgreSQL %d: archived, recovered; told, counted and cured" % major)
    def _(t):
        server = Server(t, major=major)
        pg = server.pg
        server.setup.write(conninfo="host=%s user=postgres dbname=postgres" % pg.sockets,
                           pgdata=str(pg.data), acknowledge=2)
        t.equal(pg.major(), major, "the server")
        pg.psql("create table t as select generate_series(1, 1000) i")
        t.equal(server.setup.run("seawall-backup").code, 0, "backup")
        pg.psql("insert into t select generate_series(1, 60000)")
        server.archived()
        t.equal(server.failed(), 0, "failures")

        # an agent that dies, one that is silent for longer than it may, a wrong configuration
        parent = archiver(pg)
        os.kill(server.agents()[0], signal.SIGKILL)
        server.archived()
        agent = server.agents()[0]
        pg.configure(**{"seawall.timeout": "3"})
        pg.reload()
        os.kill(agent, signal.SIGSTOP)
        try:
            name = pg.switch_wal()
            pg.wait_log("WARNING:  seawall: .*did not answer within 3 s")
        finally:
            os.kill(agent, signal.SIGCONT)
        pg.wait_archived(name)
        t.true(server.wait_failed(), "counted")
        pg.configure(**{"seawall.config_file": str(t.dir / "nowhere.conf")})
        pg.reload()
        pg.switch_wal()
        pg.wait_log(r"WARNING:  seawall: .*nowhere\.conf")
        pg.configure(**{"seawall.config_file": str(server.setup.config)})
        pg.reload()
        pg.psql("insert into t values (-1)")
        server.archived()
        t.equal(archiver(pg), parent, "the same archiver")
        pg.stop()

        t.equal(seawall.stored(t.dir / "a"), seawall.stored(t.dir / "b"), "both stores")
        result = server.setup.run("seawall-restore", "--latest", "--target-dir", t.dir / "copy",
                                  "--target-action", "promote")
        t.equal(result.code, 0, result.err)
        copy = t.enter(pgserver.Cluster(t.dir / "copy", create=False, bin=npmpg.bindir(major)))
        copy.configure(archive_library="", archive_mode="off",
                       restore_command=server.setup.restore_command())
        copy.start()
        copy.wait_promoted()
        t.equal(copy.sql("select count(*), min(i) from t"), [["61001", "-1"]], "data")


for _major in sorted(pgheaders.HEADERS):
    check_version(_major)

tap.main()
