# SPDX-License-Identifier: PostgreSQL
"""Accidents on a real server under load: found by seawall events, recovered to just before by
seawall plan and restore, and what the restored server holds compared row by row."""
import contextlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import time

import archived
import crafted
import pgserver
import seawall
import tap

MARKS = 12
ROWS = 20000
LEDGER = "insert into ledger default values; " \
         "update filler set v = v + 1 where i = (random() * 499)::int"

# what each accident destroys: a question, and its answer before and after
ACCIDENTS = {
    "delete": ("select count(*) from users", str(ROWS), "0"),
    "update": ("select count(*) from orders where doc = 'spoilt'", "0", str(ROWS)),
    "truncate": ("select count(*) from logs", "3000", "0"),
    "drop_table": ("select to_regclass('carts') is null", "f", "t"),
    "drop_schema": ("select to_regclass('sales.a') is null or to_regclass('sales.b') is null",
                    "f", "t"),
    "drop_database": ("select count(*) from pg_database where datname = 'shop'", "1", "0"),
    "prepared": ("select to_regclass('notes') is null", "f", "t"),
}


def position(text):
    high, low = text.split("/")
    return int(high, 16) << 32 | int(low, 16)


class Source:
    """A server with a backup, load, and one accident after the other."""

    def __init__(self, directory):
        self.dir = pathlib.Path(directory)
        self.pg = pg = pgserver.Cluster(self.dir / "primary", wal_segsize=1, checksums=True)
        self.setup = seawall.Setup(
            self.dir, [seawall.dir_store(s, self.dir / s) for s in "ab"],
            pgdata=str(pg.data), acknowledge=2,
            conninfo="host=%s user=postgres dbname=postgres" % pg.sockets)
        pg.archive(self.setup.archive_command())
        pg.configure(track_commit_timestamp="on", max_prepared_transactions=5,
                     wal_keep_size="2GB", synchronous_commit="off")
        pg.start()
        self.prepare()
        self.label = self.backup()
        self.xids, self.points = {}, {}
        with self.load():
            self.accidents()
        self.ledger = [int(row[0]) for row in pg.sql("select xid from ledger")]
        self.times = {int(xid): int(time) for xid, time in pg.sql(
            "select xid, (extract(epoch from pg_xact_commit_timestamp(xid::text::xid))"
            " * 1000000)::bigint from ledger")}
        pg.wait_archived(pg.switch_wal())
        pg.stop()
        self.ends = self.read_ends()

    def prepare(self):
        pg = self.pg
        pg.psql("create table ledger (i bigserial primary key, "
                "xid bigint default (pg_current_xact_id()::text::bigint));"
                "create table filler (i int primary key, v int);"
                "insert into filler select i, 0 from generate_series(0, 499) i;"
                "create table users (id int primary key, doc text);"
                "create table orders (id int primary key, doc text);"
                "create table logs (id int, doc text); create table carts (id int primary key);"
                "create table notes (id int, doc text); create table kept (id int);"
                "create schema sales; create table sales.a (i int primary key);"
                "create table sales.b (i int)")
        for table, rows in (("users", ROWS), ("orders", ROWS), ("logs", 3000), ("notes", 50)):
            pg.psql("insert into %s select i, 'document ' || i from generate_series(1, %d) i"
                    % (table, rows))
        pg.psql("insert into carts select generate_series(1, 100);"
                "insert into sales.a select generate_series(1, 100)")
        pg.psql("create database shop connection limit 7")
        pg.psql("create table stock as select generate_series(1, 1000) i", database="shop")

    def backup(self):
        result = self.setup.run("seawall-backup", timeout=300)
        if result.code != 0:
            raise tap.Failure("backup: %d\n%s" % (result.code, result.err))
        # its end is known to the second, and --time takes no earlier one
        time.sleep(2)
        return result.out.strip().split("\n")[-1]

    @contextlib.contextmanager
    def load(self):
        """pgbench, until the block ends: every commit leaves a row with its transaction."""
        script = self.dir / "ledger.sql"
        script.write_text("begin; %s; end;\n" % LEDGER)
        env = dict(os.environ, PGHOST=str(self.pg.sockets), PGUSER="postgres")
        with subprocess.Popen([pgserver.tool("pgbench"), "-n", "-f", str(script), "-c", "3", "-R",
                               "150", "-T", "600", "postgres"], env=env, stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                              preexec_fn=tap.die_with_parent()) as load:
            try:
                tap.wait_for(lambda: int(self.pg.value("select count(*) from ledger")) > 50, 60,
                             "load")
                yield
            finally:
                load.terminate()

    def do(self, kind, *statements):
        """An accident in a transaction, and some load behind it."""
        self.xids[kind] = int(self.pg.sql("begin; select pg_current_xact_id(); %s; commit"
                                          % "; ".join(statements))[0][0])
        self.go_on()

    def go_on(self, rows=40):
        """Until others have committed so many more."""
        count = int(self.pg.value("select count(*) from ledger")) + rows
        self.pg.wait_for(lambda: int(self.pg.value("select count(*) from ledger")) >= count, 60,
                         "load")

    def accidents(self):
        pg = self.pg
        self.do("delete", "delete from users")
        self.do("update", "update orders set doc = 'spoilt'")
        pg.psql("select pg_create_restore_point('before the truncate')")
        self.go_on()
        self.do("truncate", "truncate logs")
        pg.psql("begin; drop table kept; truncate orders; rollback")
        pg.psql("begin; insert into filler values (1000, 0); savepoint s; drop table kept;"
                "rollback to s; delete from filler where i = 1000; commit")
        self.do("drop_table", "insert into filler values (1001, 0); savepoint s; drop table carts;"
                "release s")
        self.xids["prepared"] = int(pg.sql("begin; select pg_current_xact_id(); drop table notes;"
                                           "prepare transaction 'p'")[0][0])
        pg.psql("begin; drop table kept; prepare transaction 'q'")
        pg.psql("checkpoint")
        pg.switch_wal()
        self.go_on()
        pg.psql("rollback prepared 'q'")
        pg.psql("commit prepared 'p'")
        self.go_on()
        self.do("drop_schema", "drop schema sales cascade")
        pg.psql("drop database shop")
        self.go_on()

    def segments(self):
        """The names of all segments that are archived."""
        return sorted({p.name for p in (self.dir / "a").rglob("wal/**/*") if len(p.name) == 24})

    def read_ends(self):
        """Where transactions end, as pg_waldump tells: (position, xid, committed, microseconds)."""
        names = self.segments()
        result = tap.run([pgserver.tool("pg_waldump"), "-p", self.pg.data / "pg_wal", "-r",
                          "Transaction", names[0], names[-1]], env={"TZ": "UTC"})
        ends = []
        for line in result.out.split("\n"):
            match = re.search(r"tx: *(\d+), lsn: ([0-9A-F/]+), .*desc: (COMMIT|ABORT)"
                              r"(_PREPARED (\d+):?)? .*?(\d{4}-\d\d-\d\d [\d:.]+) UTC", line)
            if match:
                ends.append((position(match[2]), int(match[5] or match[1]), match[3] == "COMMIT",
                             moment(match[6])))
        return ends

    def database_drop(self):
        """Position and transaction of the record that removes a database's files."""
        names = self.segments()
        result = tap.run([pgserver.tool("pg_waldump"), "-p", self.pg.data / "pg_wal", "-r",
                          "Database", names[0], names[-1]])
        match = re.search(r"tx: *(\d+), lsn: ([0-9A-F/]+), .*desc: DROP", result.out)
        return crafted.lsn(position(match[2])), int(match[1])

    def commit_lsn(self, xid):
        return next(end[0] for end in self.ends if end[1] == xid and end[2])

    def events(self, *arguments, setup=None):
        result = (setup or self.setup).run("seawall-events", "--json", *arguments)
        if result.code != 0:
            raise tap.Failure("events: %d\n%s" % (result.code, result.err))
        return json.loads(result.out)

    def plan(self, *arguments, code=0, setup=None):
        result = (setup or self.setup).run("seawall-plan", "--json", *arguments)
        if result.code != code:
            raise tap.Failure("plan %s: %d\n%s" % (" ".join(arguments), result.code, result.err))
        return json.loads(result.out) if code == 0 else result.err

    def incident(self, kind):
        """The event of an accident."""
        xid = self.xids.get(kind)
        kind = "drop_table" if kind == "prepared" else kind
        found = [e for e in self.events()["events"]
                 if e["kind"] == kind and (xid is None or e["xid"] == xid)]
        if len(found) != 1:
            raise tap.Failure("%d events of %s: %r" % (len(found), kind, found))
        return found[0]


def moment(text):
    """Microseconds since 1970 of a time in UTC."""
    day, clock = text.split(" ")
    label = day.replace("-", "") + "T" + clock[:8].replace(":", "")
    return crafted.epoch(label) * 1000000 + int((clock[9:] or "0").ljust(6, "0"))


@contextlib.contextmanager
def make_source():
    directory = tap.temporary("incidents")
    source = Source.__new__(Source)
    try:
        source.__init__(directory)
        yield source
    finally:
        with contextlib.suppress(AttributeError):
            source.pg.close()
        if "KEEP" not in os.environ:
            shutil.rmtree(directory, ignore_errors=True)


source_of = tap.shared(make_source)


def restored(t, setup, name, *target, archives=False):
    """A server restored to a target and promoted there."""
    data = t.dir / name
    result = setup.run("seawall-restore", *target, "--target-dir", data, "--target-action",
                       "promote", timeout=300)
    t.equal(result.code, 0, "restore: " + result.err)
    pg = t.enter(pgserver.Cluster(data, "restored", create=False))
    if not archives:
        pg.configure(archive_mode="off")
    pg.start()
    pg.wait_promoted()
    return pg


def compare(t, pg, stop):
    """Everything that was committed before this position is there, and nothing from behind it."""
    source = source_of()
    at = {end[1]: end[0] for end in source.ends if end[2]}
    want = sorted(xid for xid in source.ledger if at[xid] < stop)
    t.true(0 < len(want) < len(source.ledger), "the position is in the middle of the load")
    t.equal(sorted(int(row[0]) for row in pg.sql("select xid from ledger")), want,
            "committed rows")
    for kind, (question, before, after) in ACCIDENTS.items():
        happened = source.stops[kind] < stop if kind in source.stops else False
        t.equal(pg.value(question), after if happened else before, kind)
    t.equal(pg.value("select to_regclass('kept') is not null"), "t", "rolled back drops")


def stops_of(source):
    """Where each accident became so."""
    if not hasattr(source, "stops"):
        source.stops = {kind: position(source.incident(kind)["lsn"]) for kind in ACCIDENTS}
    return source.stops


def check_kind(kind, named, direct=False):
    @tap.check("%s: found, planned, restored, and all before it is there" % kind)
    def _(t):
        source = source_of()
        stops_of(source)
        event = source.incident(kind)
        for key, value in named.items():
            t.equal(event[key], value, key)
        if kind == "drop_database":
            t.equal((event["lsn"], event["xid"]), source.database_drop(), "the record")
            t.true(position(event["stop_lsn"]) < position(event["lsn"]), "stop")
        else:
            t.equal(position(event["lsn"]), source.commit_lsn(source.xids[kind]), "its commit")
            t.equal(event["stop_lsn"], event["lsn"], "stop")
        target = ("--before", event["lsn"])
        if not direct:
            plan = source.plan(*target, "--output", t.dir / "plan")
            t.equal(plan["target"]["stop_lsn"], event["stop_lsn"], "the plan's position")
            target = ("--plan", t.dir / "plan")
        pg = restored(t, source.setup, "data", *target)
        compare(t, pg, position(event["stop_lsn"]))
        if kind == "drop_database":
            t.equal(pg.value("select datconnlimit from pg_database where datname = 'shop'"), "7",
                    "connection limit")
            t.equal(pg.value("select count(*), sum(i) from stock", database="shop"), "1000|500500",
                    "its table")


check_kind("delete", {"rows": ROWS, "relations": ["public.users"], "database": "postgres"})
check_kind("update", {"rows": ROWS, "relations": ["public.orders"]})
check_kind("truncate", {"relations": ["public.logs"]}, direct=True)
check_kind("drop_table", {"relations": ["public.carts"]})
check_kind("prepared", {"relations": ["public.notes"]})
check_kind("drop_schema", {"relation_count": 2})
check_kind("drop_database", {"what": "shop"})


@tap.check("what happened is told once each, and what was rolled back not at all")
def _(t):
    source = source_of()
    document = source.events()
    told = sorted(e["kind"] for e in document["events"]
                  if e["kind"] not in ("restore_point", "shutdown"))
    t.equal(told, sorted(["drop_table" if kind == "prepared" else kind for kind in ACCIDENTS]),
            "events")
    t.equal(document["incomplete"], False, "complete")
    t.equal(document["requests"], document["segments"], "one request a segment")
    deleted = source.incident("delete")
    t.true(position(deleted["lsn"]) - position(deleted["first_lsn"]) > 1 << 20,
           "the rows are spread over segments")
    commits = sum(1 for lsn, _, committed, _ in source.ends if committed)
    t.true(document["commits"] <= commits, "commits")
    deep = source.events("--deep")
    t.equal(deep["events"], document["events"], "the WAL itself says the same")
    t.equal(deep["commits"], document["commits"], "commits")


def time_text(us):
    """A time with its zone, as --time takes it."""
    whole = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(us // 1000000))
    return "%s.%06d+00" % (whole, us % 1000000)


@tap.check("--time stops before the first end of a transaction that is later, whatever the order")
def _(t):
    source = source_of()
    behind = [end for end in source.ends if end[0] > source.commit_lsn(source.xids["delete"])]
    for end in behind[5:-5:max(1, len(behind) // MARKS)]:
        if end[1] in source.times:
            t.equal(source.times[end[1]], end[3], "two tools tell the same time")
        for us in (end[3], end[3] - 1):
            want = next(e[0] for e in source.ends
                        if e[0] > source.commit_lsn(source.xids["delete"]) and e[3] > us)
            plan = source.plan("--time", time_text(us))
            t.equal(position(plan["target"]["stop_lsn"]), want, "stop for %s" % time_text(us))


@tap.check("--time, --xid and --name bring what was committed there")
def _(t):
    source = source_of()
    stops_of(source)
    truncated = source.commit_lsn(source.xids["truncate"])
    near = [end for end in source.ends if end[2] and end[0] > truncated
            and end[1] in source.ledger][15]
    plan = source.plan("--xid", str(near[1]))
    t.equal(position(plan["target"]["found_lsn"]), near[0], "its commit")
    pg = restored(t, source.setup, "xid", "--xid", near[1])
    compare(t, pg, near[0] + 1)
    pg.stop()
    stop = next(end[0] for end in source.ends if end[0] > truncated and end[3] > near[3])
    pg = restored(t, source.setup, "time", "--time", time_text(near[3]))
    compare(t, pg, stop)
    pg.stop()
    plan = source.plan("--name", "before the truncate")
    pg = restored(t, source.setup, "name", "--name", "before the truncate")
    compare(t, pg, position(plan["target"]["found_lsn"]))


@contextlib.contextmanager
def away(*paths):
    """Files or directories that are gone for a while."""
    try:
        for path in paths:
            path.rename(str(path) + ".away")
        yield
    finally:
        for path in paths:
            with contextlib.suppress(FileNotFoundError):
                pathlib.Path(str(path) + ".away").rename(path)


def without(event, *keys):
    return {key: value for key, value in event.items() if key not in keys}


@tap.check("without name maps the same events have numbers, and can be planned with")
def _(t):
    source = source_of()
    named = source.events()["events"]
    maps = list((source.dir / "a").rglob("names")) + list((source.dir / "b").rglob("names"))
    t.equal(len(maps), 2, "name maps")
    unnamed = ("relations", "what", "database", "relation_count")
    with away(*maps):
        told = source.events()["events"]
        accidents = [e for e in told if e["kind"] in ("delete", "update", "truncate", "drop_table",
                                                      "drop_schema", "drop_database")]
        for event in accidents:
            t.true(event["kind"] == "drop_database"
                   or all(name.startswith("file ") for name in event["relations"]), event)
        t.equal([e.get("or_kind") for e in accidents if e["kind"] == "truncate"], ["rewrite"],
                "which it may as well be")
        t.true(not any("or_kind" in e for e in named), "with names there is no doubt")
        for event in [e for e in named if e["kind"] in ("delete", "update")]:
            t.true(without(event, *unnamed) in [without(e, *unnamed) for e in told], event)
        known = {(e["kind"], e["lsn"], e.get("xid")) for e in named}
        t.true(known <= {(e["kind"], e["lsn"], e.get("xid")) for e in told}, "all of them")
        lsn = source.incident("drop_database")["lsn"]
        t.equal(source.plan("--before", lsn)["target"]["found_lsn"], lsn, "planned")


@tap.check("an archive without indexes tells the same")
def _(t):
    source = source_of()
    store = t.dir / "plain"
    setup = seawall.Setup(t.dir, [seawall.dir_store("plain", store)], encryption=False)
    system_id = next((source.dir / "a" / "main").iterdir()).name
    for path in sorted((source.dir / "a").rglob("wal/**/*")):
        if len(path.name) == 24:
            pack(t, setup, system_id, source.pg.data / "pg_wal" / path.name,
                 store / path.relative_to(source.dir / "a"))
    document = source.events(setup=setup)
    t.equal(document["segments_read_whole"], document["segments"], "all were read whole")
    unnamed = ("relations", "what", "database", "relation_count", "or_kind")
    told = [without(e, *unnamed) for e in document["events"]]
    for event in source.events()["events"]:
        t.true(without(event, *unnamed) in told, "%r in %r" % (event, told))


def pack(t, setup, system_id, source, target, name=None):
    """Seal a file as an object without an index."""
    target.parent.mkdir(parents=True, exist_ok=True)
    keys = ["--none"]
    if setup.settings["encryption"] != "none":
        keys = ["--recipient", setup.recipient]
    t.run([os.environ.get("OBJTOOL") or seawall.program("objtool"), "pack", "--writer",
           setup.dir / "writer.key", *keys, "--system-id", system_id, "--name",
           name or str(target).split("/", target.parts.index("main"))[-1], source, target], code=0)


@tap.check("a missing, a damaged and a foreign segment: one store is enough, none is told")
def _(t):
    source = source_of()
    named = source.events()["events"]
    middle = position(source.incident("truncate")["lsn"]) >> 20
    names = [seawall.segment_name(1, number, 1 << 20) for number in (middle, middle + 1)]
    objects = {s: [next((source.dir / s).rglob(name)) for name in names] for s in "ab"}
    kept = {path: path.read_bytes() for paths in objects.values() for path in paths}

    def damage(path):
        content = bytearray(path.read_bytes())
        content[200] ^= 0x10
        archived.rewrite(path, bytes(content))

    def foreign(path):
        # another segment's object in its place
        archived.rewrite(path, kept[objects["b"][1]])

    def strange(path):
        # of another server
        file = source.pg.data / "pg_wal" / path.name
        path.unlink()
        pack(t, source.setup, "77", file, path)

    for what in (lambda path: path.unlink(), damage, foreign, strange):
        try:
            what(objects["a"][0])
            t.equal(source.events()["events"], named, "one store is enough")
            plan = source.plan("--latest")
            t.true(plan["target"]["kind"] == "latest", "planned")
            what(objects["b"][0])
            document = source.events()
            t.equal((document["segments_lost"], document["incomplete"]), (1, True), "told")
            told = {(e["kind"], e["lsn"]) for e in document["events"]}
            t.true(("delete", source.incident("delete")["lsn"]) in told, "what is before")
            t.true("drop_database" in {kind for kind, _ in told}, "what is behind")
            err = source.plan("--latest", code=12 if not objects["a"][0].exists() else 15)
            t.contains(err, names[0], "named")
            t.contains(err, "The last healthy segment is %s" % seawall.segment_name(
                1, middle - 1, 1 << 20), "last healthy")
            lsn = re.search(r"--lsn ([0-9A-F/]+)", err)[1]
            t.true(position(lsn) >> 20 in (middle - 1, middle - 2), "safe target")
            source.plan("--lsn", lsn)
        finally:
            for path, content in kept.items():
                path.unlink(missing_ok=True)
                path.write_bytes(content)


def small_server(t, *tables):
    """A server with tables of 2,000 rows and a backup."""
    pg = t.enter(pgserver.Cluster(t.dir / "primary", wal_segsize=1))
    setup = seawall.Setup(t.dir, [seawall.dir_store("a", t.dir / "a")], pgdata=str(pg.data),
                          conninfo="host=%s user=postgres dbname=postgres" % pg.sockets)
    pg.archive(setup.archive_command())
    pg.start()
    for table in tables:
        pg.psql("create table %s as select generate_series(1, 2000) i" % table)
    result = setup.run("seawall-backup", timeout=300)
    t.equal(result.code, 0, result.err)
    return pg, setup


def events_of(t, setup, *arguments):
    result = setup.run("seawall-events", "--json", *arguments)
    t.equal(result.code, 0, result.err)
    return json.loads(result.out)["events"]


@tap.check("a promotion in the middle: events and plans go along the timeline that is followed")
def _(t):
    pg, setup = small_server(t, "users", "logs", "carts")
    pg.psql("delete from users")
    pg.psql("select pg_create_restore_point('fork')")
    pg.psql("drop table carts")
    pg.wait_archived(pg.switch_wal())
    pg.stop()
    second = restored(t, setup, "second", "--name", "fork", archives=True)
    second.psql("insert into users select generate_series(1, 10)")
    second.psql("truncate logs")
    second.wait_archived(second.switch_wal())
    second.stop()
    told = events_of(t, setup)
    t.equal([(e["kind"], e["timeline"]) for e in told
             if e["kind"] in ("delete", "drop_table", "truncate", "promotion")],
            [("delete", 1), ("promotion", 2), ("truncate", 2)], "of the latest timeline")
    promotion = next(e for e in told if e["kind"] == "promotion")
    t.equal(promotion["previous_timeline"], 1, "from")
    t.equal([e["kind"] for e in events_of(t, setup, "--timeline", "1")
             if e["kind"] in ("delete", "drop_table", "truncate", "promotion")],
            ["delete", "drop_table"], "of the first")
    lsn = {e["kind"]: e["lsn"] for e in told}
    dropped = next(e["lsn"] for e in events_of(t, setup, "--timeline", "1")
                   if e["kind"] == "drop_table")
    t.equal(setup.run("seawall-plan", "--before", dropped).code, 14, "not on this timeline")
    for target, want in ((("--before", lsn["truncate"]), ("10", "2000", "2000")),
                         (("--before", lsn["promotion"]), ("0", "2000", "2000")),
                         (("--before", lsn["delete"]), ("2000", "2000", "2000")),
                         (("--before", dropped, "--timeline", "1"), ("0", "2000", "2000"))):
        third = restored(t, setup, "third-%s" % target[1].replace("/", "-"), *target)
        t.equal(tuple(third.value("select count(*) from " + table)
                      for table in ("users", "logs", "carts")), want, "before %s" % (target,))
        third.stop()


@tap.check("several of one name are refused with the choices, one of them can be chosen")
def _(t):
    pg, setup = small_server(t, "users")
    for _ in range(2):
        pg.psql("delete from users; insert into users select generate_series(1, 2000)")
        pg.psql("select pg_create_restore_point('twice')")
    pg.wait_archived(pg.switch_wal())
    pg.stop()
    events = events_of(t, setup)
    for option, value, kind in (("--name", "twice", "restore_point"),
                                ("--before", "delete:public.users", "delete"),
                                ("--before", "delete:users", "delete"),
                                ("--before", "restore_point:twice", "restore_point")):
        found = [e["lsn"] for e in events if e["kind"] == kind and
                 (kind != "restore_point" or e["what"] == "twice")]
        t.equal(len(found), 2, kind)
        result = setup.run("seawall-plan", option, value)
        t.equal(result.code, 14, result.err)
        for lsn in found:
            t.contains(result.err, lsn, "a choice")
        chosen = setup.run("seawall-plan", "--json", "--before", found[1])
        t.equal(chosen.code, 0, chosen.err)
        t.equal(json.loads(chosen.out)["target"]["stop_lsn"], found[1], "chosen")


tap.main()
