# SPDX-License-Identifier: PostgreSQL
"""crafted.py: archives made by hand, object by object, without a server and without `seawall
backup`: sealed by objtool, written into directory stores.

    a = crafted.Archive(t, "ab")
    a.wal(1, range(5, 10))                      segments 5 to 9 of timeline 1, in both stores
    a.history(2, [(1, "0/700000")], stores="a")
    a.backup("20261122T153600Z", start=5, stop=5)
"""
import calendar
import hashlib
import io
import json
import os
import pathlib
import shutil
import struct
import tarfile
import time

import archived
import seawall
import tap
from madewal import PAGE, POINT_AT, SIZE, SWITCH, SWITCH_AT, record, segment



def lsn(position):
    return "%X/%X" % (position >> 32, position & 0xFFFFFFFF)


def epoch(label):
    """Seconds since 1970 of a backup's label."""
    return calendar.timegm(tuple(int(label[a:b]) for a, b in (
        (0, 4), (4, 6), (6, 8), (9, 11), (11, 13), (13, 15))))


def records_segment(number, lengths, timeline=1, size=SIZE, system_id=seawall.SYSTEM_ID,
                    remaining=0):
    """A segment with records of these data lengths, zeros behind them, as a switch leaves it; and
    the start of each. remaining: bytes of a record from the segment before, in front of them."""
    out, starts, base = bytearray(), [], number * size
    prev = (number - 1) * size + SWITCH_AT

    def page(contrecord):
        address = base + len(out)
        out.extend(struct.pack("=HHIQI4x", 0xD110, (2 if len(out) == 0 else 0) |
                               (1 if contrecord else 0), timeline, address, contrecord))
        if address == base:
            out.extend(struct.pack("=QII", system_id, size, PAGE))

    def put(data, continued=False):
        while data:
            if len(out) == size:
                return
            if len(out) % PAGE == 0:
                page(len(data) if continued else 0)
            piece = data[:PAGE - len(out) % PAGE]
            out.extend(piece)
            data, continued = data[len(piece):], True
        while len(out) % 8:
            out.append(0)

    if remaining:
        put(b"r" * remaining, True)
    for length in lengths:
        if len(out) >= size:
            break
        if len(out) % PAGE == 0:
            page(0)
        starts.append(base + len(out))
        put(record(bytes(length), prev=prev))
        prev = starts[-1]
    return bytes(out) + bytes(size - len(out)), starts


def switch_across(number, timeline=1, system_id=seawall.SYSTEM_ID):
    """Three segments; the first ends with two thirds of a switch record. The rest of it is all there
    is in the second."""
    base, at = number * SIZE, SIZE - 16
    data = at - 0x28 - (SIZE // PAGE - 1) * 24 - 29    # one record that fills the first segment
    first, starts = records_segment(number, [data], timeline, system_id=system_id)
    switch = record(kind=SWITCH, prev=starts[0])
    second = struct.pack("=HHIQI4xQII", 0xD110, 3, timeline, base + SIZE, 8, system_id, SIZE, PAGE)
    second += switch[16:]
    return (first[:at] + switch[:16], second + bytes(SIZE - len(second)),
            segment(number + 2, timeline, system_id, prev=base + at))


class Archive:
    """A configuration and its directory stores, one for each letter."""

    def __init__(self, t, stores="a", cluster="main", system_id=seawall.SYSTEM_ID, **settings):
        self.t, self.letters, self.cluster, self.system_id = t, stores, cluster, system_id
        self.setup = seawall.Setup(t.dir, [seawall.dir_store(s, t.dir / s) for s in stores],
                                   cluster=cluster, **settings)

    def path(self, store, name):
        """Where an object is."""
        return pathlib.Path(self.t.dir) / store / name

    def wal_name(self, file):
        base = "%s/%d/" % (self.cluster, self.system_id)
        if file.endswith(".history"):
            return base + "history/" + file
        return base + "wal/%s/%s/%s" % (file[:8], file[8:16], file)

    def segment_path(self, store, timeline, number):
        return self.path(store, self.wal_name(seawall.segment_name(timeline, number, SIZE)))

    def seal(self, name, data, created=None, keys="."):
        """The bytes of an object; keys: the folder of the writer key, beside the configuration."""
        source, target = self.t.dir / "seal.in", self.t.dir / "seal.out"
        source.write_bytes(data)
        argv = [os.environ.get("OBJTOOL") or seawall.program("objtool"), "pack",
                "--writer", self.setup.dir / keys / "writer.key", "--name", name,
                "--system-id", str(self.system_id),
                "--created", str(int((time.time() if created is None else created) * 1000000))]
        argv += ["--recipient", self.setup.recipient] if self.encrypted() else ["--none"]
        result = tap.run([str(a) for a in argv + [source, target]])
        self.t.equal(result.code, 0, "objtool: " + result.err)
        data = target.read_bytes()
        target.unlink()
        return data

    def encrypted(self):
        return self.setup.settings["encryption"] != "none"

    def put(self, name, data, stores=None, created=None):
        """Seal and store."""
        sealed = self.seal(name, data, created)
        for store in stores or self.letters:
            path = self.path(store, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(sealed)

    def wal(self, timeline, numbers, stores=None, created=None, data=None):
        for number in numbers:
            name = self.wal_name(seawall.segment_name(timeline, number, SIZE))
            self.put(name, data or segment(number, timeline, self.system_id, created), stores,
                     created)

    def history(self, timeline, lines, stores=None, text=None):
        text = text or "".join("%d\t%s\tno recovery target specified\n" % line for line in lines)
        self.put(self.wal_name("%08X.history" % timeline), text.encode(), stores)

    def backup_name(self, label, rest):
        return "%s/%d/backup/%s/%s" % (self.cluster, self.system_id, label, rest)

    def backup(self, label, start, stop=None, timeline=1, stores=None, part_size=65536,
               files=None, change=None, seconds=5):
        """A complete backup: start and stop are segment numbers (or LSNs above 4096). files: path to
        bytes. change(complete) may spoil the completion."""
        stop = start if stop is None else stop
        start = start * SIZE + 0x28 if start < 4096 else start
        stop = stop * SIZE + 0x138 if stop < 4096 else stop
        files = files or {"PG_VERSION": b"15\n", "base/5/16384": os.urandom(3 * PAGE),
                          "global/pg_control": seawall.pg_control(self.system_id, timeline, SIZE)}
        tar, lines = self.tar(label, files, part_size)
        parts = [tar[i:i + part_size] for i in range(0, len(tar), part_size)]
        stored = 0
        for number, part in enumerate(parts, 1):
            name = self.backup_name(label, "part-%08d" % number)
            self.put(name, part, stores)
            stored += self.path((stores or self.letters)[0], name).stat().st_size
        manifest = "".join(json.dumps(line) + "\n" for line in lines).encode()
        self.put(self.backup_name(label, "manifest-00000001"), manifest, stores)
        complete = {
            "seawall_backup": 1, "label": label, "system_id": str(self.system_id),
            "cluster": self.cluster, "kind": "full", "server_version": 150020,
            "catalog_version": 202209061, "control_version": 1300, "segment_size": SIZE,
            "block_size": PAGE, "data_checksums": True, "from_standby": False,
            "start_lsn": lsn(start), "start_timeline": timeline, "start_time": epoch(label),
            "checkpoint_lsn": lsn(start + 0x38), "stop_lsn": lsn(stop),
            "stop_timeline": timeline, "stop_time": epoch(label) + seconds,
            "first_wal": seawall.segment_name(timeline, start // SIZE, SIZE),
            "last_wal": seawall.segment_name(timeline, (stop - 1) // SIZE, SIZE),
            "parts": len(parts), "manifests": 1, "files": len(files),
            "bytes": sum(len(data) for data in files.values()), "stored_bytes": stored,
            "manifest_digests": [hashlib.sha256(manifest).hexdigest()],
            "parts_digest": hashlib.sha256(
                b"".join(hashlib.sha256(part).digest() for part in parts)).hexdigest(),
            "backup_label": "START WAL LOCATION: %s\n" % lsn(start), "tablespace_map": None,
            "tablespaces": [], "damage": [], "damage_count": 0,
        }
        if complete["tablespace_map"] is None:
            del complete["tablespace_map"]
        if change:
            change(complete)
        self.put(self.backup_name(label, "complete"), json.dumps(complete).encode(), stores)
        return complete

    def tar(self, label, files, part_size):
        """The tar archive of a backup, and the lines of its manifest."""
        out = io.BytesIO()
        lines = [{"seawall_manifest": 1, "label": label, "system_id": str(self.system_id),
                  "block_size": PAGE}]
        with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
            for path, data in files.items():
                info = tarfile.TarInfo(path)
                info.size, info.mode = len(data), 0o600
                at = out.tell() + 512
                tar.addfile(info, io.BytesIO(data))
                runs, offset = [], 0
                while offset < len(data):
                    place = at + offset
                    length = min(len(data) - offset, part_size - place % part_size)
                    runs.append([offset, length, label, place // part_size + 1,
                                 place % part_size])
                    offset += length
                lines.append({"type": "file", "path": path, "mode": 0o600, "mtime": 1795361760,
                              "size": len(data), "crc32c": "%08x" % seawall.crc32c(data),
                              "runs": runs})
        lines.append({"type": "end", "files": len(files), "dirs": 0,
                      "bytes": sum(len(data) for data in files.values())})
        return out.getvalue(), lines

    def damage(self, path, at=-20):
        data = bytearray(path.read_bytes())
        data[at] ^= 0x10
        archived.rewrite(path, bytes(data))

    def store_away(self, store):
        (self.t.dir / store).rename(self.t.dir / (store + ".away"))

    def remove(self, store, name):
        shutil.rmtree(self.path(store, name))

    def plan(self, *args, **options):
        return self.setup.run("seawall-plan", *args, **options)

    def plan_json(self, *args):
        """A plan that must be possible, as JSON."""
        result = self.plan(*args, "--json")
        self.t.equal(result.code, 0, "plan: " + result.err)
        return json.loads(result.out)
