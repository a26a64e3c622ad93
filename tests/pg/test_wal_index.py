# SPDX-License-Identifier: PostgreSQL
"""The segment index of what a real server archives: every accident is found, every row counted,
every changed block named, also where transactions and records go over the borders of segments."""
import re

import pgserver
import seawall
import tap
import walindex

RELATION = re.compile(r"rel (\d+/\d+/\d+)(?: fork (\w+))? blk (\d+)")
FORKS = {None: 0, "main": 0, "fsm": 1, "vm": 2, "init": 3}


def primary(t, **options):
    setup = seawall.Setup(t.dir, [seawall.dir_store("a", t.dir / "a")])
    settings = dict(max_prepared_transactions=5, **options)
    pg = t.enter(pgserver.Cluster(t.dir / "primary", wal_segsize=1, settings=settings))
    pg.archive(setup.archive_command())
    return setup, pg.start()


def indexes(t, setup, pg):
    pg.wait_archived(pg.switch_wal())
    t.equal(pg.archive_stats()["failed_count"], "0", "failed archivings")
    return walindex.of_store(t, setup, t.dir / "a")


def xid_of(pg, *statements):
    """Run the statements in one transaction that says its xid."""
    out = pg.value("begin; " + "; ".join(statements) + "; select 'xid' || txid_current(); commit")
    return int(re.search(r"xid(\d+)", out).group(1)) & 0xFFFFFFFF


def relation(pg, name):
    """As indextool shows it."""
    return pg.value("select case reltablespace when 0 then dattablespace else reltablespace end "
                    "|| '/' || d.oid || '/' || pg_relation_filenode(c.oid) from pg_class c, "
                    f"pg_database d where datname = current_database() and c.oid = '{name}'::regclass")


def oid(pg, name):
    return pg.value(f"select '{name}'::regclass::oid")


@tap.check("accidents: each kind is found with its end")
def _(t):
    setup, pg = primary(t)
    pg.psql("create table victim as select i, repeat('x', 50) x from generate_series(1, 300) i; "
            "create table emptied as select i from generate_series(1, 300) i; "
            "create index on emptied (i); "
            "create table packed as select i from generate_series(1, 3000) i; "
            "create index on packed (i)")
    db = pg.value("select oid from pg_database where datname = current_database()")
    victim, emptied, packed = (relation(pg, n) for n in ("victim", "emptied", "packed"))
    oids = {n: oid(pg, n) for n in ("victim", "emptied", "packed")}
    dropped = xid_of(pg, "drop table victim")
    truncated = xid_of(pg, "truncate emptied")
    new_emptied = relation(pg, "emptied")
    before = pg.value("select txid_current()")
    pg.psql("vacuum full packed")
    new_packed = relation(pg, "packed")
    pg.psql("select pg_create_restore_point('before the end')")
    found = indexes(t, setup, pg)

    xids, end = walindex.family(found, dropped)
    t.true(victim in walindex.items(end["relations"]), "the dropped file is named")
    if int(pg.value("show server_version_num")) >= 150000:
        t.true(f"2:{db}:{oids['victim']}" in walindex.items(end["stats"]), "and the OID")
    rows = walindex.rows_of(found, dropped)
    pg_class, pg_type = (f"1663/{db}/{n}" for n in (1259, 1247))
    t.true(rows[pg_class]["d"] - rows[pg_class]["i"] > 0, "pg_class lost rows")
    t.true(rows[pg_type]["d"] > 0, "pg_type too")
    t.true(any(f"{db}:{oids['victim']}" in walindex.items(w["locks"])
               for w in walindex.work_of(found, dropped)), "the lock is there")

    xids, end = walindex.family(found, truncated)
    t.true(emptied in walindex.items(end["relations"]), "TRUNCATE: the old file goes")
    work = walindex.work_of(found, truncated)
    t.true(any(f"{new_emptied}:0:0" in walindex.items(w["creates"]) for w in work), "a new one comes")
    t.true(new_emptied not in walindex.rows_of(found, truncated), "with nothing in it")
    t.equal(walindex.rows_of(found, truncated)[pg_class]["d"], 0, "pg_class keeps its rows")

    full = [e for i in found for e in i.ends if packed in walindex.items(e["relations"])]
    t.equal(len(full), 1, "VACUUM FULL has one end")
    t.true(int(full[0]["xid"]) >= int(before), "its own")
    written = walindex.rows_of(found, int(full[0]["xid"]))[new_packed]
    t.true(written["p"] + written["i"] > 5, f"the new file has content: {written}")

    points = walindex.events(found, "restore_point")
    t.true(b"before the end" in [bytes.fromhex(p["text"]) for p in points], "restore point")


@tap.check("rows of a mass DELETE and UPDATE over many segments add up exactly")
def _(t):
    setup, pg = primary(t)
    pg.psql("create table big as select i, repeat('y', 100) y from generate_series(1, 40000) i")
    big = relation(pg, "big")
    xid = xid_of(pg, "delete from big where i <= 25000", "update big set y = y || 'z'",
                 "savepoint s", "delete from big where i <= 25010", "release s")
    rolled = xid_of(pg, "savepoint s", "delete from big", "rollback to s", "insert into big values (0)")
    loop = xid_of(pg, """do $$ begin for n in 39001..39300 loop begin
        delete from big where i = n; exception when division_by_zero then null; end;
        end loop; end $$""")
    pg.psql("insert into big select i, 'n' from generate_series(1, 5) i")
    found = indexes(t, setup, pg)
    rows = walindex.rows_of(found, xid)[big]
    t.equal((rows["d"], rows["u"]), (25010, 15000), "deleted and updated")
    t.true(sum(1 for i in found if any(int(w["xid"]) == xid for w in i.work)) > 5,
           "the work is in many segments")
    t.equal(walindex.rows_of(found, loop)[big]["d"], 300, "one row a subtransaction, 300 times")
    aborted = {int(e["xid"]) for i in found for e in i.ends if e["commit"] == "0"}
    undone = {int(w["xid"]) for i in found for w in i.work
              for r in walindex.items(w["rows"]) if r.startswith(big + ":") and ":d" in r
              and int(re.search(r":d(\d+)", r).group(1)) > 0}
    family = set().union(*(walindex.family(found, x)[0] for x in (xid, rolled, loop)))
    t.true(undone - family <= aborted, "what was rolled back has its abort")


@tap.check("databases, tablespaces, prepared transactions, backups, checkpoints, shutdowns")
def _(t):
    setup, pg = primary(t)
    pg.psql("create database doomed")
    doomed = pg.value("select oid from pg_database where datname = 'doomed'")
    pg.psql("create table two (i int)")
    pg.psql("begin; insert into two select generate_series(1, 2000); prepare transaction 'gid 1'")
    prepared = int(pg.value("select transaction from pg_prepared_xacts"))
    two = relation(pg, "two")
    pg.psql("commit prepared 'gid 1'")
    pg.psql("drop database doomed")
    pg.psql("checkpoint")
    pg.stop()
    pg.start()
    pg.base_backup(t.dir / "copy").close()
    found = indexes(t, setup, pg)

    drops = walindex.events(found, "database_drop")
    t.equal([(d["database"], d["list"]) for d in drops], [(doomed, "1663,")], "DROP DATABASE")
    rows = [e["row"].split(":") for e in walindex.events(found, "database_row")
            if e["xid"] in ("0", drops[0]["xid"])]
    deleted = [r[1:] for r in rows if r[0] == "2"]
    t.equal(len(deleted), 1, "the row of pg_database is deleted")
    t.true(["3"] + deleted[0] in rows, "and was changed in place before")
    _, end = walindex.family(found, int(drops[0]["xid"]))
    t.true(end is not None and end["commit"] == "1", "its commit is there")
    creates = [e for e in walindex.events(found, "database_create") if e["database"] == doomed]
    t.equal(len(creates), 1, "CREATE DATABASE")

    gids = walindex.events(found, "prepare")
    t.equal([(g["xid"], bytes.fromhex(g["text"])) for g in gids], [(str(prepared), b"gid 1")], "gid")
    _, end = walindex.family(found, prepared)
    t.equal((end["commit"], end["prepared"]), ("1", "1"), "COMMIT PREPARED by its own xid")
    rows = walindex.rows_of(found, prepared)[two]
    t.equal(rows["i"] + rows["l"], 2000, "its rows")

    checkpoints = walindex.events(found, "checkpoint")
    t.true(any(c["shutdown"] == "1" for c in checkpoints), "the clean shutdown")
    t.true(any(c["shutdown"] == "0" for c in checkpoints), "online ones")
    t.equal(len(walindex.events(found, "backup_end")), 1, "the end of the backup")


def dumped_blocks(pg, t, names):
    """Blocks of every block reference, as pg_waldump says."""
    found, commits, records = {}, 0, 0
    out = t.run([pgserver.tool("pg_waldump"), "-p", str(t.dir / "kept"), names[0], names[-1]],
                timeout=300).out
    for line in out.splitlines():
        records += 1
        commits += " COMMIT " in line
        for rel, fork, block in RELATION.findall(line):
            if FORKS[fork or None] != 1:
                found.setdefault((rel, FORKS[fork or None]), set()).add(int(block))
    return found, commits, records


@tap.check("pgbench: blocks, commits and records are those pg_waldump sees")
def _(t):
    setup, pg = primary(t)
    (t.dir / "kept").mkdir()
    pg.archive(f"{setup.archive_command()} && cp %p {t.dir}/kept/%f")
    pg.reload()
    tap.run([pgserver.tool("pgbench"), "-i", "-q", "-s", "2", "postgres"], env=pg.env, timeout=300)
    tap.run([pgserver.tool("pgbench"), "-n", "-c", "4", "-t", "500", "postgres"], env=pg.env,
            timeout=300)
    pg.psql("vacuum")
    found = indexes(t, setup, pg)
    names = sorted(p.name for p in (t.dir / "kept").iterdir())
    whole = [i for i in found if i.seam or i.name in names]
    want, commits, records = dumped_blocks(pg, t, names)
    got = walindex.blocks(whole)
    for key, blocks in want.items():
        t.true(blocks <= got.get(key, set()), f"all blocks of {key} are there")
    for key, blocks in got.items():
        more = blocks - want.get(key, set())
        t.true(not more or key[1] == 2, f"no others of {key}: {sorted(more)[:5]}")
    t.equal(sum(int(i.totals["commits"]) for i in whole), commits, "commits")
    t.true(all(i.summary["damage"] == "0" and i.totals["unread"] == "0" and
               i.summary["missing"] == "0" for i in whole), "nothing damaged, unread or missing")
    t.equal(sum(int(i.summary["records"]) for i in whole if not i.seam) +
            sum(1 for i in whole if i.seam), records, "records")
    t.diag(f"largest index: {max(i.sizes()['all'] for i in whole)} bytes")


@tap.check("damage inside of a segment is in the index and in a warning, and is archived")
def _(t):
    setup, pg = primary(t)
    pg.psql("create table t as select i from generate_series(1, 20000) i")
    name = pg.current_wal()
    path = pg.data / "pg_wal" / name
    pg.switch_wal()
    pg.wait_archived(name)
    data = bytearray(path.read_bytes())
    data[200000] ^= 1
    copy = pg.data / "pg_wal" / ("000000010000000000000F" + name[-2:])
    start = int(name[-8:], 16) << 20
    wanted = int(copy.name[-8:], 16) << 20
    high = 0
    for page in range(0, len(data), 8192):
        if data[page:page + 16] != bytes(16):
            address = int.from_bytes(data[page + 8:page + 16], "little") - start + wanted
            data[page + 8:page + 16] = (address + high).to_bytes(8, "little")
    copy.write_bytes(data)
    result = setup.push(pg.data, f"pg_wal/{copy.name}")
    copy.unlink()
    t.equal(result.code, 0, "archived")
    t.contains(result.err, "although its WAL is damaged at", "the warning")
    t.equal(result.err.count("warning"), 1, "once")
    path = next((t.dir / "a").rglob(copy.name))
    index = walindex.Index(walindex.extract(t, setup, path), copy.name)
    t.true(index.summary["damage"] != "0", "the index says so")


tap.main()
