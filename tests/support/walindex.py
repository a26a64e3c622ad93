# SPDX-License-Identifier: PostgreSQL
"""walindex.py: the segment indexes of archived objects, as indextool shows them.

    indexes = walindex.of_store(t, setup, t.dir / "a", pg.system_id())   in the order of segments
    for index in indexes: index.events, index.ends, index.work, index.forks, index.totals

A line of indextool is a dict of strings. Records that cross a border have an index of their own
(`seam`), in front of that of the segment they end in.
"""
import os
import pathlib

import archived
import tap

BUILD = os.path.abspath(os.environ.get("SEAWALL_BIN", ""))
INDEXTOOL = os.environ.get("INDEXTOOL") or os.path.join(BUILD, "tests/support/indextool")
OBJTOOL = os.environ.get("OBJTOOL") or os.path.join(BUILD, "tests/support/objtool")
NO_RECORD, GOES_ON = 2, 3


def items(text):
    """"a,b," -> ["a", "b"]"""
    return text.split(",")[:-1]


class Index:
    def __init__(self, path, name, seam=False):
        self.path, self.name, self.seam = path, name, seam
        lines = [line.split(" ") for line in run(0, "show", path).splitlines()]
        parsed = [(words[0], dict(word.split("=", 1) for word in words[1:])) for words in lines]
        self.summary = next(fields for kind, fields in parsed if kind == "summary")
        self.totals = next(fields for kind, fields in parsed if kind == "totals")
        self.minutes, self.events, self.ends, self.work, self.forks = (
            [fields for kind, fields in parsed if kind == wanted]
            for wanted in ("minute", "event", "end", "work", "fork"))

    def sizes(self):
        return {name: int(size) for name, size in
                (line.split(" ") for line in run(0, "sizes", self.path).splitlines())}


def run(code, *argv):
    result = tap.run([INDEXTOOL, *map(str, argv)])
    if result.code != code:
        raise tap.Failure(f"indextool {argv}: {result.code} {result.err}")
    return result.out


def extract(t, setup, path, identity=True):
    """The index in an object, as a file; None if there is none."""
    target = pathlib.Path(t.dir) / (path.name + ".index")
    keys = ["--identity", str(setup.dir / "identity.txt")] if identity else []
    version = t.run([OBJTOOL, "index", *keys, "--writer", archived.writer_public(setup),
                     str(path), str(target)], code=0).out.strip()
    return target if version == "1" else None


def of_store(t, setup, store, identity=True):
    """All indexes of segments in a directory store, and of what crosses their borders."""
    result, chain = [], []      # chain: the last segment, and those its open record came through
    for path in sorted(pathlib.Path(store).rglob("wal/**/*")):
        if path.is_dir() or len(path.name) != 24:
            continue
        index = Index(extract(t, setup, path, identity), path.name)
        code = NO_RECORD
        if chain:
            seam = pathlib.Path(str(index.path) + ".seam")
            got = tap.run([INDEXTOOL, "seam", *map(str, chain), str(index.path), str(seam)])
            code = got.code
            if code == 0:
                result.append(Index(seam, path.name, seam=True))
            elif code not in (NO_RECORD, GOES_ON):
                raise tap.Failure(f"{chain[-1].name} and {index.name}: {got.err}")
        result.append(index)
        chain = (chain if code == GOES_ON else []) + [index.path]
    return result


def family(indexes, xid):
    """xids of a transaction: its own and those of its subtransactions; and its end."""
    for index in indexes:
        for end in index.ends:
            if int(end["xid"]) == xid:
                return {xid, *map(int, items(end["subxids"]))}, end
    return {xid}, None


def work_of(indexes, xid):
    """All work of a transaction and its subtransactions."""
    xids, _ = family(indexes, xid)
    return [work for index in indexes for work in index.work if int(work["xid"]) in xids]


def rows_of(indexes, xid):
    """relation -> {"i": ..., "l": ..., "u": ..., "d": ..., "m": ..., "p": ...} over all segments."""
    sums = {}
    for work in work_of(indexes, xid):
        for item in items(work["rows"]):
            relation, *counts = item.split(":")
            place = sums.setdefault(relation, dict.fromkeys("iludmp", 0))
            for count in counts:
                place[count[0]] += int(count[1:])
    return sums


def events(indexes, kind):
    return [event for index in indexes for event in index.events if event["kind"] == kind]


def blocks(indexes):
    """(relation, fork) -> set of blocks"""
    result = {}
    for index in indexes:
        for fork in index.forks:
            place = result.setdefault((fork["relation"], int(fork["fork"])), set())
            for item in items(fork["blocks"]):
                first, n = item.split("+")
                place.update(range(int(first), int(first) + int(n)))
    return result
