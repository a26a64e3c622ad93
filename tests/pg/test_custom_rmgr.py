# SPDX-License-Identifier: PostgreSQL
"""Records of an extension's resource managers (PostgreSQL 15 and later), written by a module of
ours (tests/support/rmgr_module.c): decoded as pg_waldump and pg_walinspect do, indexed, archived,
planned and recovered, where the module's own redo proves every byte."""
import json
import re

import npmpg
import oracle
import pgheaders
import pgserver
import seawall
import tap
import walindex

FIRST, LAST = 128, 255
NEW, IMAGES, CHANGED = 0, 1, 2
NAMES = {"seawall_first": FIRST, "seawall_last": LAST}
MOST_BLOCKS = 33

# rmgr, info, first block, blocks, how, size
RECORDS = (
    (FIRST, 0x00, 0, 0, NEW, 0),                    # nothing but its header
    (LAST, 0xf0, 0, 0, NEW, 1),
    (FIRST, 0x50, 0, 0, NEW, 247),                  # the longest and ...
    (FIRST, 0x60, 0, 0, NEW, 248),                  # ... the shortest of their kind of header
    (LAST, 0x10, 0, 0, NEW, 70000),                 # over pages
    (FIRST, 0x20, 0, 0, NEW, 2600000),              # longer than two segments
    (FIRST, 0x30, 0, 3, NEW, 40),
    (LAST, 0x40, 3, 1, IMAGES, 0),
    (FIRST, 0x70, 0, 4, CHANGED, 9000),
    (LAST, 0x80, 2, MOST_BLOCKS, NEW, 100),
    (FIRST, 0x90, 1, MOST_BLOCKS, IMAGES, 300000),
    (LAST, 0xa0, 5, 20, CHANGED, 12),
)


def module(t, pg):
    """For the server that is installed meson has made it."""
    if pg.major() in pgheaders.HEADERS and pg.bin == npmpg.bindir(pg.major()):
        return pgheaders.rmgr_module(t, pg.major())
    path = seawall.BIN / "tests" / "support" / ("rmgr_module-%d.so" % pg.major())
    if not path.exists():
        raise tap.Skip("built without the headers of PostgreSQL %d's server (or with a sanitizer)"
                       % pg.major())
    return path


def prepare(t, pg):
    """Load the module, and start."""
    path = module(t, pg)
    pg.configure(shared_preload_libraries=str(path))
    pg.start()
    pg.psql("create function written(int, int, regclass, int, int, int, int, int) returns pg_lsn "
            "language c strict as '%s', 'seawall_rmgr_write'; create table pages ()" % path)


class Written:
    """What was asked of the module."""

    def __init__(self):
        self.records = self.bytes = self.pages = self.seed = 0
        self.blocks, self.of_rmgr = set(), {FIRST: 0, LAST: 0}

    def write(self, pg, records, before=""):
        for rmgr, info, first, blocks, how, size in records:
            self.seed += 100
            pg.psql("%s select written(%d, %d, 'pages', %d, %d, %d, %d, %d)" % (
                before, rmgr, info, first, blocks, how, self.seed, size))
            self.records += 1
            self.bytes += size
            self.pages += blocks
            self.blocks |= set(range(first, first + blocks))
            self.of_rmgr[rmgr] += 1


def everything(pg, written):
    """Every kind of record, beside those of tables and inside of transactions of theirs."""
    known = pg.value("select enumvals from pg_settings where name = 'wal_compression'")
    for setting in ("off", "pglz", "lz4", "zstd"):
        if setting not in known:
            continue
        written.write(pg, RECORDS, "set wal_compression = %s;" % setting)
        pg.psql("checkpoint")
        written.write(pg, RECORDS[8:9])             # the first change since: an image
    written.write(pg, RECORDS, "set wal_consistency_checking = 'all';")
    written.write(pg, RECORDS[:2], "begin; create table t%d (i int); savepoint a; "
                                   "insert into t%d values (1); savepoint b;" % (
                                       written.seed, written.seed))


def ours_of(lines):
    return [line for line in lines if line.rmgr >= FIRST]


def decoded(t, **options):
    """Everything, written by a server and decoded; pg_walinspect has been agreed with."""
    pg, archive = oracle.archiving(t, wal_segsize=1, **options)
    pg.configure(wal_level="logical", wal_keep_size="512MB")
    prepare(t, pg)
    pg.psql("create extension pg_walinspect")
    start = pg.value("select pg_current_wal_insert_lsn()")
    written = Written()
    everything(pg, written)
    end = pg.value("select pg_current_wal_insert_lsn()")
    pg.psql("create table behind (i int)")      # what is asked for must have been written out
    want = oracle.inspect(pg, start, end, NAMES)
    pg.wait_archived(pg.switch_wal())
    files = oracle.segments(archive)
    lines, about = oracle.decode(files)
    oracle.proven(t, about)
    oracle.same(t, oracle.inspected(lines, start, end), want, "pg_walinspect")
    mine = ours_of(lines)
    for rmgr, n in written.of_rmgr.items():
        t.equal(len([line for line in mine if line.rmgr == rmgr]), n, "records of %d" % rmgr)
    t.equal({line.info & 0xf0 for line in mine}, {record[1] for record in RECORDS}, "their kinds")
    t.equal(max(len(line.blocks) for line in mine), MOST_BLOCKS, "the most blocks there can be")
    images = {block[4] for line in mine for block in line.blocks}
    t.equal(images, {"", "!", "?"}, "with images, without, and for checks")
    t.true(any(line.total > 2 << 20 for line in mine), "longer than two segments")
    t.true(any(line.endswith(" open") for line in about if line.startswith("seam")),
           "a segment in the middle of one record")
    return files


@tap.check("a server's records of its own: as pg_waldump and pg_walinspect")
def _(t):
    oracle.compare(t, decoded(t), "custom resource managers")


@tap.check("one turned bit anywhere in such a record is damage")
def _(t):
    pg, archive = oracle.archiving(t, wal_segsize=1)
    prepare(t, pg)
    written = Written()
    for _ in range(4):
        written.write(pg, RECORDS[:5] + RECORDS[6:10])
    pg.wait_archived(pg.switch_wal())
    turned = 0
    for file in oracle.segments(archive):
        content = file.read_bytes()
        copy = t.dir / file.name
        mine = ours_of(oracle.decode([file])[0])
        for n, line in enumerate(mine):
            inside = line.lsn % len(content)
            if inside + line.total > len(content) - 8192:
                continue
            place = inside + n * 37 % min(line.total, 8192 - inside % 8192)
            changed = bytearray(content)
            changed[place] ^= 1 << n % 8
            copy.write_bytes(changed)
            outcome = oracle.decode([copy])[1][0]
            t.true(outcome.split(" ", 6)[6] not in ("open", "full", "switched", "zero_end"),
                   "byte %d of %s: %s" % (place, file.name, outcome))
            turned += 1
    t.true(turned > 20, "%d bits" % turned)


def archived_server(t, **options):
    setup = seawall.Setup(t.dir, [seawall.dir_store("a", t.dir / "a")])
    pg = t.enter(pgserver.Cluster(t.dir / "primary", wal_segsize=1, **options))
    setup.write(conninfo="host=%s user=postgres dbname=postgres" % pg.sockets,
                pgdata=str(pg.data))
    pg.archive(setup.archive_command())
    return pg, setup


def place_of(pg, name):
    """A relation as the index names it."""
    return pg.value("select (select dattablespace from pg_database where datname = "
                    "current_database()) || '/' || (select oid from pg_database where datname = "
                    "current_database()) || '/' || pg_relation_filenode('%s')" % name)


def as_json(t, setup, verb, *arguments):
    result = setup.run(verb, "--json", *arguments)
    t.equal(result.code, 0, result.err)
    return json.loads(result.out)


def content(pg):
    """The relation's file, once everything is on disk."""
    pg.psql("checkpoint")
    return (pg.data / pg.value("select pg_relation_filepath('pages')")).read_bytes()


def recovered(t, **options):
    pg, setup = archived_server(t, **options)
    prepare(t, pg)
    pg.psql("create table users as select generate_series(1, 5000) i")
    t.equal(setup.run("seawall-names").code, 0, "names")
    t.equal(setup.run("seawall-backup").code, 0, "backup")
    written = Written()
    everything(pg, written)
    deleted = int(pg.sql("begin; select pg_current_xact_id(); "
                         "select written(128, 0, 'pages', 0, 2, 0, 1, 1500000); delete from users; "
                         "select written(255, 0, 'pages', 2, 2, 2, 7, 8); commit")[0][0])
    pg.psql("insert into users select generate_series(1, 77)")
    pg.wait_archived(pg.switch_wal())
    t.equal(pg.archive_stats()["failed_count"], "0", "failed archivings")
    want = content(pg)
    relation = place_of(pg, "pages")
    pg.stop()

    indexes = walindex.of_store(t, setup, t.dir / "a")
    t.equal(sum(int(index.totals["custom"]) for index in indexes), written.records + 2, "counted")
    t.true(walindex.blocks(indexes)[(relation, 0)] >= written.blocks, "blocks they change")
    told = [e for e in as_json(t, setup, "seawall-events")["events"] if "xid" in e]
    t.equal([(e["kind"], e["xid"], e["rows"], e["relations"]) for e in told],
            [("delete", deleted, 5000, ["public.users"])], "events")
    plan = as_json(t, setup, "seawall-plan", "--latest")
    t.equal((plan["gap_behind"], [store["whole"] for store in plan["stores"]]), (False, [True]),
            "the plan")

    copy = t.dir / "copy"
    result = setup.run("seawall-restore", "--latest", "--target-dir", str(copy),
                       "--target-action", "promote")
    t.equal(result.code, 0, result.err)
    after = t.enter(pgserver.Cluster(copy, create=False, **options))
    after.configure(archive_mode="off", restore_command=setup.restore_command())
    after.start()
    after.wait_promoted()
    proof = after.wait_log(r"seawall_rmgr: (\d+) records, (\d+) bytes, (\d+) pages proven")
    t.equal([int(n) for n in proof.groups()],
            [written.records + 2, written.bytes + 1500008, written.pages + 4], "redo")
    t.equal(after.value("select count(*) from users"), "77", "rows")
    t.true(content(after) == want, "the relation's pages, byte by byte")
    t.true(re.search("PANIC|FATAL", after.log_text()) is None, "no complaint")


@tap.check("indexed, told, planned and recovered through the archive, and the module's redo agrees")
def _(t):
    recovered(t)


def check_version(major):
    @tap.check("PostgreSQL %d: as pg_walinspect" % major)
    def _(t):
        decoded(t, bin=npmpg.bindir(major))

    @tap.check("PostgreSQL %d: recovered through the archive" % major)
    def _(t):
        recovered(t, bin=npmpg.bindir(major))


for _major in sorted(pgheaders.HEADERS):
    check_version(_major)

tap.main()
