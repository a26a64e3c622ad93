# SPDX-License-Identifier: PostgreSQL
"""oracle.py: what our WAL decoder reads in segments, and what PostgreSQL's own readers do.

    ours, about = oracle.compare(t, oracle.segments(t.dir / "archive"), "what it is")
    want = oracle.inspect(pg, "0/3000000", "0/3100000")
"""
import os
import re
import subprocess

import pgserver
import tap

WALDUMP_LINES = os.environ.get("WALDUMP_LINES") or os.path.join(
    os.path.abspath(os.environ.get("SEAWALL_BIN", "")), "tests/support/waldump_lines")
RMGRS = ("XLOG Transaction Storage CLOG Database Tablespace MultiXact RelMap Standby Heap2 Heap "
         "Btree Hash Gin Gist Sequence SPGist BRIN CommitTs ReplicationOrigin Generic "
         "LogicalMessage").split()
FORKS = ("main", "fsm", "vm", "init")
RECORD = re.compile(r"rmgr: (\w+) +len \(rec/tot\): +(\d+)/ *(\d+), tx: +(\d+), "
                    r"lsn: (\w+)/(\w+), prev (\w+)/(\w+), desc: ")
BLOCK = re.compile(r"blkref #(\d+): rel (\d+)/(\d+)/(\d+)(?: fork (\w+))? blk (\d+)"
                   r"(?: \(?FPW\)?( for WAL verification)?)?")
IMAGE = re.compile(r"blk \d+ \(?FPW")


class Line:
    """A record as our tool prints it."""

    def __init__(self, text):
        part = text.split()
        self.lsn, self.prev, self.end = (int(part[i], 16) for i in (0, 6, 7))
        self.total, self.images, self.rmgr, self.xid = (int(part[i]) for i in (1, 2, 3, 5))
        self.info = int(part[4], 16)
        self.main = int(part[10].split("/")[0])
        self.blocks = []
        for block in part[11:]:
            number, relation, fork, at = block.rstrip("!?").split(":")
            self.blocks.append((int(number), relation, int(fork), int(at),
                                block[-1] if block[-1] in "!?" else ""))

    def facts(self):
        return (self.lsn, self.total, self.total - self.images, self.rmgr, self.xid, self.prev,
                self.blocks)


def decode(files, piece=65536):
    """Our records and the lines about segments and borders."""
    result = tap.run([WALDUMP_LINES, str(piece)] + [str(f) for f in files], timeout=300)
    if result.code != 0:
        raise tap.Failure(result.err)
    lines = result.out.splitlines()
    return ([Line(line) for line in lines if not line.startswith("#")],
            [line[2:] for line in lines if line.startswith("#")])


def rmgr_number(name, registered=()):
    """Its number. pg_waldump has no name for those of extensions; `registered`: name -> number."""
    if name in registered:
        return registered[name]
    return int(name[6:]) if name.startswith("custom") else RMGRS.index(name)


def blocks_in(text):
    found = []
    for match in BLOCK.finditer(text):
        image = "" if not IMAGE.search(match[0]) else "?" if match[7] else "!"
        found.append((int(match[1]), "%s/%s/%s" % match.group(2, 3, 4),
                      FORKS.index(match[5] or "main"), int(match[6]), image))
    return found


def waldump(files):
    """What pg_waldump says of the same segments, as far as it comes."""
    # as bytes: what it describes may be text of any encoding
    result = subprocess.run([pgserver.tool("pg_waldump"), str(files[0]), files[-1].name],
                            capture_output=True, check=False, timeout=300)
    found = []
    for line in result.stdout.decode("latin-1").splitlines():
        match = RECORD.match(line)
        if not match:
            raise tap.Failure("pg_waldump says: %r" % line)
        high, low, prev_high, prev_low = (int(match[i], 16) for i in (5, 6, 7, 8))
        found.append((high << 32 | low, int(match[3]), int(match[2]), rmgr_number(match[1]),
                      int(match[4]), prev_high << 32 | prev_low, blocks_in(line[match.end():])))
    return found


def segments(directory, timeline=1):
    """The segments of a timeline in a directory, in order."""
    return sorted(f for f in directory.iterdir()
                  if re.fullmatch("%08X[0-9A-F]{16}" % timeline, f.name))


def same(t, got, want, what):
    """The same records on both sides, and some."""
    for ours, theirs in zip(got, want):
        if ours != theirs:
            t.fail("%s:\n# ours   %s\n# theirs %s" % (what, ours, theirs))
            break
    t.equal(len(got), len(want), "%s: number of records" % what)
    t.true(len(want) > 100, "%s: there are records" % what)


def proven(t, about, last=("open", "full", "switched")):
    """Nothing is damaged, and every border holds."""
    for line in about:
        t.true("BROKEN" not in line, line)
        if line.startswith("segment"):
            t.true(line.split(" ", 6)[6] in ("open", "full", "switched", "zero_end"), line)
    t.true(about[-1].split()[-1] in last, "the last segment: %s" % about[-1])


def compare(t, files, what):
    """pg_waldump and we, in pieces of several sizes, over consecutive segments."""
    ours, about = decode(files)
    proven(t, about, ("open", "full", "switched", "zero_end"))
    same(t, [line.facts() for line in ours], waldump(files), what)
    for piece in (1000003, 4096, 111):
        again, about_again = decode(files, piece)
        t.true([line.facts() for line in again] == [line.facts() for line in ours]
               and about_again == about, "%s: the same in pieces of %d" % (what, piece))
    return ours, about


def number(text):
    """A position as PostgreSQL writes it."""
    high, low = text.split("/")
    return int(high, 16) << 32 | int(low, 16)


def inspect(pg, start, end, registered=()):
    """What pg_walinspect says of the records between two positions."""
    rows = pg.sql("select start_lsn, end_lsn, prev_lsn, xid, resource_manager, record_length, "
                  "main_data_length, fpi_length, regexp_replace(block_ref, '[\\n\\r]', ' ', 'g') "
                  "from pg_get_wal_records_info('%s', '%s')" % (start, end), timeout=300)

    return [(number(row[0]), number(row[1]), number(row[2]), int(row[3]), rmgr_number(row[4], registered), int(row[5]),
             int(row[6]), int(row[7]), blocks_in(row[8])) for row in rows]


def inspected(ours, start, end):
    """Our records as inspect() shows them."""
    return [(line.lsn, line.end, line.prev, line.xid, line.rmgr, line.total, line.main,
             line.images, line.blocks) for line in ours
            if number(start) <= line.lsn < number(end)]


def archiving(t, **options):
    """A server, not started, whose archive is a directory of plain segments."""
    archive = t.dir / "archive"
    archive.mkdir()
    pg = t.enter(pgserver.Cluster(t.dir / "primary", **options))
    pg.archive("test ! -e %s/%%f && cp %%p %s/%%f" % (archive, archive),
               max_prepared_transactions="10")
    return pg, archive


def kinds(records):
    """Resource manager and kind of record, of those that occur."""
    return {(line.rmgr, line.info & 0xf0) for line in records}
