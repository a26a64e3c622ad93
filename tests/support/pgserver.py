# SPDX-License-Identifier: PostgreSQL
"""pgserver.py: real PostgreSQL clusters for tests.

    with pgserver.Cluster(t.dir / "primary", wal_segsize=1) as pg:
        pg.archive("cp %p /archive/%f")
        pg.start()
        pg.sql("create table t as select generate_series(1, 100) i")
        pg.wait_archived(pg.switch_wal())

The programs are those of PG_BIN, else of pg_config, else of the newest /usr/lib/postgresql. A
cluster listens on a Unix socket in a private directory and on no TCP port at all. The server dies
with the test program, even when that is killed.
"""
import contextlib
import glob
import os
import pathlib
import re
import shlex
import shutil
import signal
import subprocess

import tap


def bindir():
    """The directory of initdb and postgres, or Skip."""
    found = [os.environ.get("PG_BIN", "")]
    with contextlib.suppress(OSError):
        found.append(tap.run(["pg_config", "--bindir"]).out.strip())
    found += sorted(glob.glob("/usr/lib/postgresql/*/bin"), reverse=True,
                    key=lambda path: int(path.split("/")[4]) if path.split("/")[4].isdigit() else 0)
    for path in found:
        if path and os.access(os.path.join(path, "initdb"), os.X_OK):
            return pathlib.Path(path)
    raise tap.Skip("no PostgreSQL server: install postgresql-15 or set PG_BIN")


def tool(name, bin=None):
    """A client program: of the server's version if it is there, else of the PATH."""
    path = (bin or bindir()) / name
    return str(path) if path.exists() else shutil.which(name) or name


def quote(value):
    """A value in postgresql.conf."""
    return "'%s'" % str(value).replace("'", "''")


class Cluster:
    """One data directory and its server. `with` makes sure that the server is stopped."""

    def __init__(self, directory, name=None, create=True, wal_segsize=None, checksums=False,
                 fsync=False, encoding="UTF8", settings=None, bin=None):
        """create=False adopts an existing data directory (from a base backup). bin: the
        directory of another version's programs; see npmpg.py."""
        if os.geteuid() == 0:
            raise tap.Skip("PostgreSQL refuses to run as root")
        self.bin = pathlib.Path(bin) if bin else bindir()
        self.data = pathlib.Path(directory).absolute()
        self.name = name or self.data.name
        self.log = self.data.parent / (self.data.name + ".log")
        self.sockets = tap.temporary("pg")
        self.server = None
        self.env = {name: None for name in os.environ if name.startswith("PG")}
        self.env.update(PGHOST=str(self.sockets), PGUSER="postgres", PGDATABASE="postgres",
                        LC_ALL="C.UTF-8", TZ="UTC", PGCONNECT_TIMEOUT="10")
        if create:
            argv = [self.bin / "initdb", "-D", self.data, "-A", "trust", "-U", "postgres",
                    "-E", encoding, "--locale=C", "--no-sync"]
            if wal_segsize:
                argv.append("--wal-segsize=%d" % wal_segsize)
            if checksums:
                argv.append("--data-checksums")
            elif self.major() >= 18:
                argv.append("--no-data-checksums")
            self._tool(argv)
        self.configure(listen_addresses="", unix_socket_directories=self.sockets,
                       unix_socket_permissions="0700", fsync="on" if fsync else "off",
                       cluster_name=self.name, log_timezone="UTC", timezone="UTC",
                       shared_buffers="32MB", max_connections=30, max_wal_size="256MB",
                       logging_collector="off", log_line_prefix="%m [%p] ",
                       wal_level="replica", hot_standby="on", autovacuum="off",
                       dynamic_shared_memory_type="mmap", **(settings or {}))

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    def close(self):
        """Stop at once and remove the socket directory; the data directory stays."""
        try:
            self.stop("immediate", timeout=30)
        finally:
            shutil.rmtree(self.sockets, ignore_errors=True)

    def _tool(self, argv, timeout=120, code=0):
        result = tap.run(argv, env=self.env, timeout=timeout)
        if code is not None and result.code != code:
            raise tap.Failure("%s: exit code %d\n%s%s" % (
                shlex.join(str(a) for a in argv), result.code, result.out, result.err))
        return result

    def major(self):
        """The server's major version."""
        return int(re.search(r"\d+", self._tool([self.bin / "postgres", "--version"]).out)[0])

    # configuration

    def configure(self, **settings):
        """Append to postgresql.conf; the last value of a setting wins. None sets the default."""
        with open(self.data / "postgresql.conf", "a", encoding="utf-8") as f:
            for key, value in settings.items():
                f.write("%s = %s\n" % (key, quote(value)) if value is not None
                        else "#%s\n" % key)

    def archive(self, command, **settings):
        self.configure(archive_mode="on", archive_command=command, **settings)

    def recover(self, restore_command, standby=False, **target):
        """Make the next start a recovery from the archive, or a standby. target: recovery_target
        settings without their prefix (time=, lsn=, xid=, name=, timeline=, action=, inclusive=)
        or target="immediate"."""
        settings = {"recovery_target" if key == "target" else "recovery_target_" + key: value
                    for key, value in target.items()}
        self.configure(restore_command=restore_command, **settings)
        (self.data / ("standby.signal" if standby else "recovery.signal")).touch()

    # life

    @property
    def pid(self):
        return self.server.pid if self.server else None

    def running(self):
        return self.server is not None and self.server.poll() is None

    def _status(self):
        """What the postmaster says in the last line of its pid file."""
        with contextlib.suppress(FileNotFoundError):
            lines = (self.data / "postmaster.pid").read_text().split("\n")
            if len(lines) > 7 and lines[0].strip() == str(self.pid):
                return lines[7].strip()
        return None

    def start(self, wait=True, timeout=120, env=None):
        """Start the server. wait=True: until it accepts connections (a hot standby's count; a
        recovery without hot standby's do not). wait=False: only start it, for recoveries that
        are to fail; see wait_exit() and wait_log()."""
        if self.running():
            raise tap.Failure("%s runs already" % self.name)
        full = dict(os.environ)
        for key, value in dict(self.env, **(env or {})).items():
            full.pop(key, None)
            if value is not None:
                full[key] = str(value)
        with open(self.log, "ab") as log:
            self.server = subprocess.Popen(
                [str(self.bin / "postgres"), "-D", str(self.data)], env=full, cwd="/",
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                preexec_fn=tap.die_with_parent(signal.SIGQUIT))
        if wait:
            def ready():
                if not self.running():
                    raise tap.Failure("%s did not start:\n%s" % (self.name, self.log_tail()))
                return self._status() in ("ready", "standby")
            try:
                tap.wait_for(ready, timeout, "start of %s" % self.name)
            except tap.Failure as failure:
                raise tap.Failure("%s\n%s" % (failure, self.log_tail())) from None
        return self

    def stop(self, mode="fast", timeout=120):
        """Stop: smart, fast or immediate. Past the timeout it is killed and the check fails."""
        if not self.running():
            self.server = None
            return
        os.kill(self.pid, {"smart": signal.SIGTERM, "fast": signal.SIGINT,
                           "immediate": signal.SIGQUIT}[mode])
        try:
            self.server.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill9()
            raise tap.Failure("%s did not stop (%s) within %d s:\n%s" % (
                self.name, mode, timeout, self.log_tail())) from None
        self.server = None

    def restart(self, mode="fast"):
        self.stop(mode)
        return self.start()

    def kill9(self):
        """SIGKILL the postmaster alone, as the OOM killer would; its children see it and leave.
        A running archive_command goes on."""
        if not self.running():
            return
        children = tap.run(["ps", "-o", "pid=", "--ppid", str(self.pid)]).out.split()
        self.server.kill()
        self.server.wait()
        self.server = None
        # a new postmaster refuses to start while they are attached to the shared memory; one that
        # has just promoted looks 60 s for a checkpointer before it leaves
        tap.wait_for(lambda: not any(self._ours(int(pid)) for pid in children), 120,
                     "end of the killed server's processes")

    @staticmethod
    def _ours(pid):
        try:
            command = pathlib.Path("/proc/%d/cmdline" % pid).read_bytes()
            return command.startswith(b"postgres: ")
        except OSError:
            return False

    def reload(self):
        os.kill(self.pid, signal.SIGHUP)

    def promote(self, timeout=60):
        """Promote a standby and wait until it is a primary."""
        self._tool([self.bin / "pg_ctl", "promote", "-W", "-D", self.data])
        self.wait_promoted(timeout)

    def wait_promoted(self, timeout=120):
        self.wait_for(lambda: not self.in_recovery(), timeout, "end of recovery")

    def wait_exit(self, timeout=120):
        """Wait until the server has ended by itself; returns its exit code."""
        try:
            code = self.server.wait(timeout)
        except subprocess.TimeoutExpired:
            raise tap.Failure("%s still runs after %d s:\n%s" % (
                self.name, timeout, self.log_tail())) from None
        self.server = None
        return code

    def wait_for(self, condition, timeout=60, what="condition"):
        """tap.wait_for() that shows the end of the server's log, and gives up with the server."""
        def checked():
            if not self.running():
                raise tap.Failure("%s ended while waiting for: %s" % (self.name, what))
            return condition()
        try:
            return tap.wait_for(checked, timeout, what)
        except tap.Failure as failure:
            raise tap.Failure("%s\n%s" % (failure, self.log_tail())) from None

    def log_text(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def log_tail(self, lines=30):
        return "\n".join(self.log_text().split("\n")[-lines:])

    def wait_log(self, pattern, timeout=60):
        """Wait for a regular expression in the whole log; returns the match. The server may
        end meanwhile."""
        found = []

        def look():
            over = not self.running()
            match = re.search(pattern, self.log_text())
            if match:
                found.append(match)
            elif over:
                raise tap.Failure("%s ended without %r in its log:\n%s" % (
                    self.name, pattern, self.log_tail()))
            return match
        tap.wait_for(look, timeout, "%r in the log of %s" % (pattern, self.name))
        return found[0]

    # questions

    def psql(self, sql, database="postgres", code=0, timeout=120):
        """psql -AtX with one statement or several; returns the Result."""
        return self._tool([tool("psql", self.bin), "-AtqX", "-v", "ON_ERROR_STOP=1", "-F", "|", "-d",
                           database, "-c", sql], timeout, code)

    def sql(self, sql, **options):
        """The rows as lists of texts."""
        return [line.split("|") for line in self.psql(sql, **options).out.split("\n") if line]

    def value(self, sql, **options):
        """The one value of a query, as text."""
        return self.psql(sql, **options).out.rstrip("\n")

    def in_recovery(self):
        """Whether it is in recovery; true too while it does not answer."""
        return self.psql("select pg_is_in_recovery()", code=None).out.strip() != "f"

    def system_id(self):
        return int(self.value("select system_identifier from pg_control_system()"))

    def timeline(self):
        return int(self.value("select timeline_id from pg_control_checkpoint()"))

    def lsn(self):
        return self.value("select pg_current_wal_lsn()")

    def current_wal(self):
        """Name of the segment being written."""
        return self.value("select pg_walfile_name(pg_current_wal_lsn())")

    def switch_wal(self):
        """Finish the current segment, which is given something to archive; returns its name."""
        self.psql("select pg_create_restore_point('switch')")
        return self.value("select pg_walfile_name(pg_switch_wal())")

    def archive_stats(self):
        """The row of pg_stat_archiver as a dict of texts."""
        names = ("archived_count", "last_archived_wal", "last_archived_time", "failed_count",
                 "last_failed_wal", "last_failed_time")
        return dict(zip(names, self.sql("select %s from pg_stat_archiver" % ", ".join(names))[0]))

    def wait_archived(self, name, timeout=120):
        """Wait until PostgreSQL believes that this file is archived."""
        status = self.data / "pg_wal" / "archive_status"
        self.wait_for(lambda: (status / (name + ".done")).exists()
                      or not ((status / (name + ".ready")).exists()
                              or (self.data / "pg_wal" / name).exists()),
                      timeout, "archiving of %s" % name)

    def wait_replayed(self, lsn, timeout=120):
        """Wait until this standby has replayed up to a primary's LSN."""
        self.wait_for(lambda: self.value("select coalesce(pg_last_wal_replay_lsn() >= '%s', "
                                         "false)" % lsn, code=None) == "t",
                      timeout, "replay up to %s" % lsn)

    # copies

    def base_backup(self, directory, name=None, wal="none", settings=None):
        """pg_basebackup into a new directory; returns it as a Cluster that is not started. The
        WAL it needs comes from the archive; wal="stream" makes it self-contained."""
        directory = pathlib.Path(directory).absolute()
        self._tool([tool("pg_basebackup", self.bin), "-D", directory, "-c", "fast", "-X", wal, "--no-sync"],
                   timeout=300)
        copy = Cluster(directory, name, create=False, settings=settings, bin=self.bin)
        copy.configure(archive_mode="off")
        return copy

    def standby(self, directory, name=None, restore_command=None, streaming=True, settings=None):
        """A base backup set up as a standby, not started; follows by streaming, by
        restore_command, or by both. The primary keeps the WAL of one that can only stream."""
        if streaming and not restore_command:
            self.configure(wal_keep_size="1GB")
            self.reload()
        copy = self.base_backup(directory, name, wal="stream" if streaming else "none",
                                settings=settings)
        if streaming:
            copy.configure(primary_conninfo="host=%s user=postgres application_name=%s" % (
                self.sockets, copy.name))
        if restore_command:
            copy.configure(restore_command=restore_command, wal_retrieve_retry_interval="200ms")
        (copy.data / "standby.signal").touch()
        return copy
