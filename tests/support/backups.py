# SPDX-License-Identifier: PostgreSQL
"""backups.py: base backups made by hand (docs/format.md section 12), good ones and bad ones.

    backup = backups.Backup(setup, store)
    backup.dir("base"); backup.file("base/1", b"...")
    backup.write()
"""
import hashlib
import json
import pathlib

import archived
import seawall
import tap

LABEL = "20261122T153600Z"
LABEL_TEXT = ("START WAL LOCATION: 0/100028 (file 000000010000000000000001)\n"
              "CHECKPOINT LOCATION: 0/100060\nBACKUP METHOD: streamed\nBACKUP FROM: primary\n"
              "START TIME: 2026-11-22 15:36:00 UTC\nLABEL: seawall\nSTART TIMELINE: 1\n")
CONTROL = seawall.pg_control(segment_size=archived.MIB)


class Backup:
    """Parts hold files without tar headers around them: a restore walks the manifest's runs."""

    def __init__(self, setup, stores, label=LABEL, part_size=2048):
        self.setup, self.stores, self.label = setup, [pathlib.Path(s) for s in stores], label
        self.part_size = part_size
        self.parts = [b""]
        self.lines = []
        self.complete = {}
        self.n_files = self.n_dirs = self.n_bytes = 0
        self.tablespaces = []

    def dir(self, path, mode=0o700, **more):
        self.lines.append(dict({"type": "dir", "path": path, "mode": mode}, **more))
        self.n_dirs += 1

    def runs_of(self, content):
        """Put the content into the parts; the runs that say where."""
        runs, at = [], 0
        while at < len(content):
            if len(self.parts[-1]) >= self.part_size:
                self.parts.append(b"")
            piece = content[at:at + self.part_size - len(self.parts[-1])]
            runs.append([at, len(piece), self.label, len(self.parts), len(self.parts[-1])])
            self.parts[-1] += piece
            at += len(piece)
        return runs

    def file(self, path, content=b"content", mode=0o600, **more):
        """more: members of the line to be changed or added."""
        line = {"type": "file", "path": path, "mode": mode, "mtime": 1700000000,
                "size": len(content), "crc32c": "%08x" % seawall.crc32c(content),
                "runs": self.runs_of(content)}
        line.update(more)
        if "path_hex" in more:
            del line["path"]
        self.lines.append(line)
        self.n_files += 1
        self.n_bytes += line["size"]

    def usual(self, control=True, label=True):
        """What every backup has, pg_control last."""
        for path in ("global", "base", "pg_wal", "pg_tblspc"):
            self.dir(path)
        self.file("PG_VERSION", b"15\n")
        self.file("postgresql.auto.conf", b"# before\nport = 5433", mode=0o640)
        self.file("base/big", bytes(i * 7 % 251 for i in range(20000)))
        self.file("base/empty", b"")
        if label:
            self.file("backup_label", LABEL_TEXT.encode())
        if control:
            self.file("global/pg_control", CONTROL)
        return self

    def name(self, rest):
        return "main/%d/backup/%s/%s" % (seawall.SYSTEM_ID, self.label, rest)

    def put(self, rest, content):
        source = self.setup.dir / "plain"
        packed = self.setup.dir / "packed"
        source.write_bytes(content)
        result = tap.run([seawall.program("objtool"), "pack", "--recipient", self.setup.recipient,
                          "--writer", self.setup.dir / "writer.key", "--name", self.name(rest),
                          "--system-id", str(seawall.SYSTEM_ID), source, packed])
        if result.code != 0:
            raise tap.Failure("objtool: " + result.err)
        for store in self.stores:
            path = store / self.name(rest)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(packed.read_bytes())

    def manifest(self):
        head = {"seawall_manifest": 1, "label": self.label, "system_id": str(seawall.SYSTEM_ID),
                "block_size": 8192}
        end = {"type": "end", "files": self.n_files, "dirs": self.n_dirs, "bytes": self.n_bytes}
        return "".join(json.dumps(line) + "\n" for line in [head] + self.lines + [end]).encode()

    def write(self, **complete):
        """Seal everything into the stores; complete: members of that object to be changed."""
        for i, part in enumerate(self.parts):
            self.put("part-%08d" % (i + 1), part)
        manifest = self.manifest()
        self.put("manifest-00000001", manifest)
        parts = b"".join(hashlib.sha256(part).digest() for part in self.parts)
        members = {
            "seawall_backup": 1, "label": self.label, "system_id": str(seawall.SYSTEM_ID),
            "cluster": "main", "kind": "full", "server_version": 150020,
            "catalog_version": seawall.CATALOG_15, "control_version": 1300,
            "segment_size": archived.MIB, "block_size": 8192, "data_checksums": False,
            "from_standby": False, "start_lsn": "0/100028", "start_timeline": 1,
            "start_time": 1795361760, "checkpoint_lsn": "0/100060", "stop_lsn": "0/100138",
            "stop_timeline": 1, "stop_time": 1795361765,
            "first_wal": "000000010000000000000001", "last_wal": "000000010000000000000001",
            "parts": len(self.parts), "manifests": 1, "files": self.n_files,
            "bytes": self.n_bytes, "stored_bytes": 1000,
            "manifest_digests": [hashlib.sha256(manifest).hexdigest()],
            "parts_digest": hashlib.sha256(parts).hexdigest(), "backup_label": LABEL_TEXT,
            "tablespace_map": "".join("%d %s\n" % pair for pair in self.tablespaces) or None,
            "tablespaces": [{"oid": oid, "path": str(path)} for oid, path in self.tablespaces],
            "damage": [], "damage_count": 0}
        members.update(complete)
        members = {key: value for key, value in members.items() if value is not None}
        self.put("complete", json.dumps(members).encode())
        return self

    def path(self, store, rest):
        """Where an object is in a directory store."""
        return pathlib.Path(store) / self.name(rest)


class Place:
    """An archive with two segments and a backup by hand in each of its stores, in a new directory;
    argv restores that backup to target."""

    def __init__(self, base, stores="ab"):
        self.dir = base
        base.mkdir()
        self.setup = seawall.Setup(base, [seawall.dir_store(s, base / s) for s in stores])
        self.pgdata = seawall.Pgdata(base / "data", segment_size=archived.MIB)
        for number in (1, 2):
            path = self.pgdata.write(self.pgdata.name(number), archived.madewal.segment(
                number, self.pgdata.timeline, self.pgdata.system_id))
            if self.setup.push(self.pgdata, path).code != 0:
                raise tap.Failure("push")
        Backup(self.setup, [base / s for s in stores]).usual().write()
        self.target = base / "target"
        self.argv = self.setup.argv("seawall-restore", "--backup-end", "--backup", LABEL,
                                    "--target-dir", self.target, "--patience", 5)
