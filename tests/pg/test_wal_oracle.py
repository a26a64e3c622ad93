# SPDX-License-Identifier: PostgreSQL
"""The WAL decoder against PostgreSQL's own readers: pg_waldump of the server that is installed, and
pg_walinspect of the other versions. Record for record: place, length, resource manager,
transaction, the link to the one before, every block and whether it has a page image."""
import npmpg
import pgserver
import tap
from oracle import (RMGRS, archiving, compare, decode, inspect, inspected, kinds, number, proven,
                    same, segments)

WORK = """
create table t (i int primary key, v text, a int[], p point);
create index on t using gin (a);
create index on t using gist (p);
create index on t using spgist (p);
create index on t using hash (i);
create index on t using brin (i);
insert into t select i, repeat(md5(i::text), 3), array[i % 7, i % 11], point(i, -i)
  from generate_series(1, 2000) i;
checkpoint;
update t set v = v || 'x' where i % 3 = 0;
delete from t where i % 5 = 0;
begin; insert into t (i) values (-1); savepoint a; insert into t (i) values (-2);
  rollback to a; savepoint b; insert into t (i) values (-3); release b; commit;
begin; insert into t (i) values (-4); prepare transaction 'kept'; commit prepared 'kept';
begin; insert into t (i) values (-5); prepare transaction 'gone'; rollback prepared 'gone';
do $$ begin for n in 1..70 loop
  begin insert into t (i) values (-100 - n); exception when others then null; end; end loop; end $$;
select pg_logical_emit_message(true, 'seawall', repeat('m', 100));
select pg_logical_emit_message(false, 'seawall', repeat('n', 5000000));
create sequence s; select nextval('s'), nextval('s');
vacuum t; vacuum full t; truncate t; drop table t; drop sequence s;
create database other; drop database other;
select pg_create_restore_point('here');
"""


def work(pg, before=()):
    """WORK statement by statement, as psql -c would put it into one transaction."""
    script = pg.data.parent / "work.sql"
    script.write_text("".join("set %s;\n" % setting for setting in before) + WORK)
    pg._tool([pgserver.tool("psql"), "-AtqX", "-v", "ON_ERROR_STOP=1", "-f", script], timeout=300)


@tap.check("segments of 1 MB, every compression, records longer than a segment: as pg_waldump")
def _(t):
    pg, archive = archiving(t, wal_segsize=1)
    pg.configure(wal_level="logical")
    pg.start()
    for compression in ("off", "pglz", "lz4", "zstd"):
        work(pg, ["wal_compression = %s" % compression])
    work(pg, ["wal_compression = off", "wal_consistency_checking = 'all'"])
    pg.wait_archived(pg.switch_wal())
    ours, about = compare(t, segments(archive), "1 MB")
    t.true(any(line.endswith(" open") for line in about if line.startswith("seam")),
           "a record is longer than a segment")
    t.true(any(line.endswith(" record") for line in about if line.startswith("seam")),
           "records cross borders")
    t.true(any(block[4] == "?" for line in ours for block in line.blocks),
           "images that are for checks only")
    seen = kinds(ours)
    for op in (0x00, 0x10, 0x20, 0x30, 0x40):
        t.true(any(rmgr == 1 and info & 0x70 == op for rmgr, info in seen), "transaction %02x" % op)
    for rmgr in (0, 1, 2, 4, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 21):
        t.true(any(found == rmgr for found, _ in seen), "records of %s" % RMGRS[rmgr])


@tap.check("segments of 16 MB and two timelines: as pg_waldump")
def _(t):
    pg, archive = archiving(t, checksums=True)
    pg.start()
    tap.run([pgserver.tool("pgbench"), "-i", "-q", "-s", "2", "postgres"], env=pg.env, timeout=300)
    standby = t.enter(pg.standby(t.dir / "standby"))
    standby.archive("cp %%p %s/%%f" % archive)
    standby.start()
    tap.run([pgserver.tool("pgbench"), "-n", "-c", "2", "-t", "1500", "postgres"], env=pg.env,
            timeout=300)
    work(pg)
    standby.wait_replayed(pg.lsn())
    pg.stop()
    standby.promote()
    work(standby)
    standby.wait_archived(standby.switch_wal())
    compare(t, segments(archive), "the first timeline")
    files = segments(archive, 2)
    ours, about = compare(t, files, "the second timeline")
    t.true(" 1-2 " in about[0], "both timelines in one segment: %s" % about[0])
    t.true((0, 0x90) in kinds(ours), "the end of recovery")


@tap.check("a record that a crash cut off is passed over: as pg_waldump")
def _(t):
    pg, archive = archiving(t, wal_segsize=1)
    pg.start()
    work(pg)
    pg.switch_wal()
    pg.psql("checkpoint")
    last = pg.data / "pg_wal" / pg.current_wal()
    pg.psql("select pg_logical_emit_message(false, 'x', repeat('y', 50000))")
    pg.psql("create table after (i int)")
    pg.stop("immediate")
    # two pages of the message remain, the rest was never written
    message = [line for line in decode([last])[0] if line.rmgr == 21][0]
    cut = (message.lsn % 1048576) // 8192 * 8192 + 2 * 8192
    with open(last, "r+b") as f:
        f.seek(cut)
        f.write(bytes(1048576 - cut))
    pg.start()
    pg.psql("create table again as select generate_series(1, 1000)")
    pg.wait_archived(pg.switch_wal())
    ours, about = compare(t, segments(archive), "abandoned")
    named = [line for line in ours if (line.rmgr, line.info & 0xf0) == (0, 0xd0)]
    t.equal(len(named), 1, "records that name it")
    t.equal(named[0].lsn % 1048576, cut + 24, "its place")
    t.true(all(line.lsn != message.lsn for line in ours), "the message is not among the records")
    t.true(any(line.lsn > named[0].lsn and line.rmgr == 10 for line in ours), "WAL goes on")


@tap.check("one turned bit anywhere in a real segment is damage")
def _(t):
    pg, archive = archiving(t, wal_segsize=1)
    pg.start()
    pg.psql("create table t as select i, md5(i::text) from generate_series(1, 20000) i")
    pg.wait_archived(pg.switch_wal())
    file = segments(archive)[-2]
    content = file.read_bytes()
    ours, about = decode([file])
    proven(t, about)
    copy = t.dir / file.name
    for n in range(60):
        line = ours[n * len(ours) // 60]
        place = line.lsn % len(content) + (n * 7) % 24
        turned = bytearray(content)
        turned[place] ^= 1 << n % 8
        copy.write_bytes(turned)
        outcome = decode([copy])[1][0]
        t.true(outcome.split(" ", 6)[6] not in ("open", "full", "switched", "zero_end"),
               "byte %d: %s" % (place, outcome))


def other_version(t, major):
    pg, archive = archiving(t, wal_segsize=1, bin=npmpg.bindir(major))
    pg.configure(wal_level="logical", wal_keep_size="512MB")
    pg.start()
    start = pg.value("select pg_current_wal_insert_lsn()")
    work(pg)
    work(pg, ["wal_compression = on"])
    before = pg.value("select pg_current_wal_insert_lsn()")
    pg.psql("create table c (i int)")
    pg.psql("do $$ begin for n in 1..300 loop insert into c values (n); commit; end loop; end $$")
    end = pg.value("select pg_current_wal_insert_lsn()")
    return pg, archive, start, before, end


def version_check(major):
    @tap.check("PostgreSQL %d: every record, every border%s" % (
        major, ", as pg_walinspect" if major >= 15 else ""))
    def _(t):
        pg, archive, start, before, end = other_version(t, major)
        want = []
        if major >= 15:
            pg.psql("create extension pg_walinspect")
            want = inspect(pg, start, end)
        pg.wait_archived(pg.switch_wal())
        ours, about = decode(segments(archive))
        proven(t, about)
        t.true(all(line.split()[3] == str(major) for line in about
                   if line.startswith("segment")), "the version")
        # complete: each points back at the one before
        t.true(all(b.prev == a.lsn for a, b in zip(ours, ours[1:])), "the chain")
        t.true(all(b.lsn >= a.end for a, b in zip(ours, ours[1:])), "the places")
        commits = [line for line in ours if number(before) <= line.lsn < number(end)
                   and line.rmgr == 1 and line.info & 0x70 == 0 and line.xid]
        t.equal(len(commits), 301, "commits")
        t.equal(len({line.xid for line in commits}), 301, "transactions that commit")
        if major >= 15:
            same(t, inspected(ours, start, end), want, "PostgreSQL %d" % major)


for version in (13, 14, 15, 16, 17, 18):
    version_check(version)

tap.main()
