# SPDX-License-Identifier: PostgreSQL
"""Archiving, base backup, plan and restore with the servers of PostgreSQL 13 to 18 that Debian does
not have (npmpg.py). One server a version: a backup under load, three recoveries from it."""
import contextlib
import hashlib
import re
import shutil
import threading

import npmpg
import pgserver
import seawall
import tap

VERSIONS = (13, 14, 16, 17, 18)
CHECKSUMS = (13, 16, 18)            # with data checksums; the others without
STANDBYS = (13, 18)
ROWS = "select (select count(*) || ' ' || sum(i) from t), (select count(*) from far)"


class Server:
    """A primary of one version with a tablespace, and the archive it archives into."""

    def __init__(self, t, major):
        self.t, self.major = t, major
        self.bin = npmpg.bindir(major)
        self.pg = t.enter(pgserver.Cluster(t.dir / "primary", wal_segsize=1, bin=self.bin,
                                           checksums=major in CHECKSUMS))
        self.setup = seawall.Setup(t.dir, [seawall.dir_store(s, t.dir / s) for s in "ab"],
                                   acknowledge=2, pgdata=str(self.pg.data), workers=2,
                                   conninfo=self.conninfo(self.pg))
        self.pg.archive(self.setup.archive_command())
        if major >= 17:
            self.pg.configure(summarize_wal="on")
        self.pg.start()
        self.system_id = self.pg.system_id()
        (t.dir / "space").mkdir(mode=0o700)
        self.pg.psql("create tablespace elsewhere location '%s'" % (t.dir / "space"))
        self.pg.psql("create table t (i bigint, v text);"
                     "create table far (i bigint) tablespace elsewhere;"
                     "insert into t select i, md5(i::text) from generate_series(1, 50000) i;"
                     "insert into far select generate_series(1, 5000);"
                     "create index on t (i); create extension amcheck;"
                     "create procedure work(n int) language plpgsql as $$ begin for k in 1..n loop "
                     "insert into t select g, md5(g::text) from generate_series(1, 100) g; "
                     "update t set v = v || 'x' where i % 997 = 5; commit; end loop; end $$")
        self.oid = self.pg.value("select oid from pg_tablespace where spcname = 'elsewhere'")

    @staticmethod
    def conninfo(pg):
        return "host=%s user=postgres dbname=postgres" % pg.sockets

    @contextlib.contextmanager
    def load(self):
        over = threading.Event()

        def work():
            while not over.is_set():
                self.pg.psql("call work(20)")

        thread = threading.Thread(target=work)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def backup(self):
        result = self.setup.run("seawall-backup", timeout=300)
        self.t.equal(result.code, 0, "backup: %s" % result.err)
        return result.out.strip().split("\n")[-1]

    def mark(self, sql):
        """(a target, what the tables hold there); then they change."""
        value = self.pg.value(sql)
        rows = self.pg.value(ROWS)
        self.pg.psql("insert into t values (1000000, 'later'); insert into far values (5)")
        return value, rows

    def verify(self, data):
        """What pg_verifybackup says; that of an older version is shown the older form."""
        text = (data / "backup_manifest").read_text()
        version = re.search(r'Manifest-Version": (\d)', text)[1]
        self.t.equal(version, "2" if self.major >= 17 else "1", "version of backup_manifest")
        body, _, rest = text.partition('"Manifest-Checksum": "')
        self.t.equal(rest[:64], hashlib.sha256(body.encode()).hexdigest(), "the manifest's digest")
        if version == "2":
            self.t.contains(text, '"System-Identifier": %d,\n' % self.system_id, "backup_manifest")
            text = re.sub(r'"System-Identifier": \d+,\n', "", text.replace('on": 2', 'on": 1', 1))
        body = text.partition('"Manifest-Checksum"')[0]
        digest = hashlib.sha256(body.encode()).hexdigest()
        manifest = self.t.dir / "manifest"
        manifest.write_text('%s"Manifest-Checksum": "%s"}\n' % (body, digest))
        self.t.run([pgserver.tool("pg_verifybackup"), "-n", "-m", manifest, data], code=0)
        self.t.equal((data / "pg_wal" / "summaries").is_dir(), self.major >= 17, "pg_wal/summaries")

    def recovered(self, name, *target):
        """Restored and recovered, every index checked; what the tables hold."""
        data = self.t.dir / name
        result = self.setup.run("seawall-restore", *target, "--target-dir", data, "--tablespace",
                                "%s=%s-space" % (self.oid, data), timeout=300)
        self.t.equal(result.code, 0, "restore %s: %s" % (name, result.err))
        self.verify(data)
        copy = self.t.enter(pgserver.Cluster(data, create=False, bin=self.bin))
        copy.configure(archive_mode="off")
        copy.start()
        copy.wait_promoted()
        copy.psql("select bt_index_check(c.oid, true) from pg_class c join pg_am a "
                  "on a.oid = c.relam where a.amname = 'btree' and c.relpersistence = 'p'")
        rows = copy.value(ROWS)
        copy.psql("insert into far values (1)")
        copy.stop("immediate")
        return rows


def check_version(major):
    @tap.check("PostgreSQL %d: backed up under load, recovered to the end, a name and an LSN" % major)
    def _(t):
        server = Server(t, major)
        pg = server.pg
        t.equal(pg.value("show data_checksums"), "on" if major in CHECKSUMS else "off", "checksums")
        with server.load():
            label = server.backup()
        name = server.mark("select 'before' from pg_create_restore_point('before')")
        lsn = server.mark("select pg_current_wal_insert_lsn()")
        final = pg.value(ROWS)
        pg.wait_archived(pg.switch_wal())
        pg.stop()
        verified = server.setup.run("seawall-verify")
        t.equal(verified.code, 0, "verify: %s%s" % (verified.out, verified.err))
        listed = server.setup.run("seawall-list")
        t.contains(listed.out, label, "the list")
        t.equal(server.recovered("end", "--latest"), final, "rows at the end")
        t.equal(server.recovered("name", "--name", "before", "--target-action", "promote"), name[1],
                "rows at the restore point")
        t.equal(server.recovered("lsn", "--lsn", lsn[0], "--target-action", "promote"), lsn[1],
                "rows at the LSN")


def copied_standby(server):
    """A standby without pg_basebackup: the package has no clients."""
    t, pg = server.t, server.pg
    pg.stop()
    shutil.copytree(pg.data, t.dir / "standby", symlinks=True)
    shutil.copytree(t.dir / "space", t.dir / "standby-space")
    link = t.dir / "standby" / "pg_tblspc" / server.oid
    link.unlink()
    link.symlink_to(t.dir / "standby-space")
    pg.start()
    standby = t.enter(pgserver.Cluster(t.dir / "standby", create=False, bin=server.bin))
    standby.configure(primary_conninfo="host=%s user=postgres" % pg.sockets)
    (standby.data / "standby.signal").touch()
    return standby.start()


def check_standby(major):
    @tap.check("PostgreSQL %d: a backup of a standby" % major)
    def _(t):
        server = Server(t, major)
        pg = server.pg
        standby = copied_standby(server)
        pg.psql("call work(5)")
        standby.wait_replayed(pg.lsn())
        server.setup.write(conninfo=server.conninfo(standby), pgdata=str(standby.data))
        over = threading.Event()

        def switches():
            while not over.wait(0.3):
                pg.switch_wal()

        thread = threading.Thread(target=switches)
        with server.load():
            thread.start()
            try:
                server.backup()
            finally:
                over.set()
                thread.join()
        final = pg.value(ROWS)
        pg.wait_archived(pg.switch_wal())
        standby.stop()
        pg.stop()
        t.equal(server.recovered("end", "--latest"), final, "rows at the end")


for _major in VERSIONS:
    check_version(_major)
for _major in STANDBYS:
    check_standby(_major)

tap.main()
