# SPDX-License-Identifier: PostgreSQL
"""seawall.py: Seawall set up in a directory, and made-up servers' files for it to archive.

    setup = seawall.Setup(t.dir, stores=[seawall.dir_store("a", t.dir / "a")])
    pgdata = seawall.Pgdata(t.dir / "data")
    result = setup.push(pgdata, pgdata.write_segment(1))
    result = setup.fetch(pgdata, seawall.segment_name(1, 1), "pg_wal/RECOVERYXLOG")
"""
import collections
import functools
import os
import pathlib
import re
import shlex
import signal
import struct

import tap

BIN = pathlib.Path(os.environ.get("SEAWALL_BIN", ".")).absolute()
FOLDERS = ("", "agent", "archive", "restore", "front", "tests/support", "tests/fuzz", "tests/unit")

HOOKS = ("seawall-push", "seawall-fetch")
SYSTEM_ID = 7413305566020948123
MIB = 1 << 20
CATALOG_15 = 202209061

# a sanitizer's report never reads as an answer; a leak check cannot work under ptrace
TRACED = {"ASAN_OPTIONS": "exitcode=200:detect_leaks=0", "LSAN_OPTIONS": None}

Killed = collections.namedtuple("Killed", "stops sent code out err")


def program(name):
    """The path of a built program; a check that needs a missing one fails."""
    for folder in FOLDERS:
        path = BIN / folder / name
        if path.is_file() and os.access(path, os.X_OK):
            return str(path)
    raise tap.Failure("no program %s below %s (SEAWALL_BIN)" % (name, BIN))


def verbs_path():
    """The environment in which `seawall` of a build finds its verbs, each in a folder of its own;
    once installed they stand beside it."""
    return {"PATH": ":".join([str(BIN / folder) for folder in FOLDERS] + [os.environ["PATH"]])}


os.environ.update(verbs_path())  # programs of a build are not beside each other


def have(name):
    """Whether the program was built."""
    try:
        return bool(program(name))
    except tap.Failure:
        return False


def alive(pid):
    """Whether a process runs; a zombie does not."""
    try:
        with open("/proc/%d/stat" % pid, encoding="latin-1") as f:
            return f.read().rpartition(") ")[2][0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def killat(t, argv, at=None, sig=signal.SIGKILL, children=False, resume=False, env=None, cwd=None,
           timeout=60):
    """Run argv under tests/support/killat. Without at: count. code is the command's own, negative
    for a signal; sent says whether stop `at` was reached. resume: a stopped one is continued."""
    argv = [program("killat")] + (["--count"] if at is None else
                                  ["--at", str(at), "--signal", str(int(sig))]) + (
        ["--children"] if children else []) + (["--resume"] if resume else []) + ["--"] + [str(a) for a in argv]
    result = tap.run(argv, env=dict(TRACED, **(env or {})), cwd=cwd or t.dir, timeout=timeout)
    match = re.search(r"killat: stops=(\d+) sent=(\d) (exit|signal)=(\d+)\n\Z", result.err)
    if not match:
        raise tap.Failure("killat failed (%d): %s" % (result.code, result.err))
    code = int(match[4]) if match[3] == "exit" else -int(match[4])
    return Killed(int(match[1]), match[2] == "1", code, result.out, result.err[:match.start()])


# Keys: bech32 (BIP 173) is small enough to have a second implementation here.

def bech32(prefix, data):
    """bech32 of bytes, lower case, without the length limit of addresses."""
    digits, bits, value = [], 0, 0
    for byte in data:
        value, bits = (value << 8) | byte, bits + 8
        while bits >= 5:
            bits -= 5
            digits.append(value >> bits & 31)
    if bits:
        digits.append(value << (5 - bits) & 31)

    check = 1
    for digit in ([ord(c) >> 5 for c in prefix] + [0] + [ord(c) & 31 for c in prefix] + digits
                  + [0] * 6):
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ digit
        for i, generator in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD,
                                       0x2A1462B3)):
            check ^= generator if top >> i & 1 else 0
    check ^= 1
    digits += [check >> 5 * (5 - i) & 31 for i in range(6)]
    return prefix + "1" + "".join("qpzry9x8gf2tvdw0s3jn54khce6mua7l"[d] for d in digits)


def make_keys(directory, seed=None):
    """Write identity.txt (by age-keygen) and writer.key into directory; return the recipient."""
    directory = pathlib.Path(directory)
    identity = tap.run(["age-keygen"])
    if identity.code != 0:
        raise tap.Failure("age-keygen: " + identity.err)
    seed = seed or os.urandom(32)
    for name, text in (("identity.txt", identity.out),
                       ("writer.key", bech32("seawall-writer-key-", seed).upper() + "\n")):
        with os.fdopen(os.open(directory / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600),
                       "w") as f:
            f.write(text)
    return re.search(r"age1[a-z0-9]+", identity.out)[0]


# Configuration

def libconfig(value, depth=0):
    """A Python value in libconfig syntax; dicts are groups, lists and tuples are lists."""
    pad = "  " * depth
    if isinstance(value, dict):
        lines = "".join("%s  %s = %s;\n" % (pad, k, libconfig(v, depth + 1))
                        for k, v in value.items() if v is not None)
        return "{\n%s%s}" % (lines, pad)
    if isinstance(value, (list, tuple)):
        return "( " + ", ".join(libconfig(v, depth) for v in value) + " )"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return "%d%s" % (value, "" if -2**31 <= value < 2**31 else "L")
    text = str(value).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return '"%s"' % text


def dir_store(name, path, **settings):
    """A directory store; makes the directory."""
    path = pathlib.Path(path).absolute()
    path.mkdir(parents=True, exist_ok=True)
    return dict(name=name, url="file://%s" % path, **settings)


def stored(path):
    """Relative names of all files below a directory store, sorted."""
    path = pathlib.Path(path)
    return sorted(str(f.relative_to(path)) for f in path.rglob("*") if not f.is_dir())


class Setup:
    """A configuration file with its keys in directory/seawall."""

    def __init__(self, directory, stores, cluster="main", encryption=True, keys=True, **settings):
        """settings are further top-level settings; None leaves a setting out.
        encryption: True makes keys, False is "none", or the setting itself.
        keys=False makes no key files: setup.keygen() runs `seawall keygen` instead."""
        self.dir = pathlib.Path(directory) / "seawall"
        self.dir.mkdir(mode=0o700)
        self.config = self.dir / "seawall.conf"
        self.recipient = make_keys(self.dir) if keys else None
        if encryption is True:
            encryption = {"recipients": [self.recipient] if keys else [],
                          "identity_file": "identity.txt"}
        elif encryption is False:
            encryption = "none"
        self.settings = dict(cluster=cluster, stores=list(stores), encryption=encryption,
                             writer_key_file="writer.key")
        self.write(**settings)

    def write(self, **settings):
        """Change settings and write the file, private as secrets in it demand."""
        self.settings.update(settings)
        text = "".join("%s = %s;\n" % (k, libconfig(v))
                       for k, v in self.settings.items() if v is not None)
        with os.fdopen(os.open(self.config, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600),
                       "w") as f:
            f.write(text)

    def argv(self, name, *args, agent=False):
        """The command line. Hooks do their work themselves, in the process that is started, unless
        agent=True has them ask their agent as they do by default."""
        alone = ["--one-shot"] if name in HOOKS and not agent else []
        return [program(name), "--config", str(self.config)] + alone + [str(a) for a in args]

    def run(self, name, *args, cwd=None, env=None, timeout=120, agent=False, **options):
        return tap.run(self.argv(name, *args, agent=agent), cwd=cwd, env=env, timeout=timeout,
                       **options)

    def push(self, pgdata, path, **options):
        """seawall-push of a path relative to pgdata, in pgdata as PostgreSQL does it; with
        agent=True through the agent."""
        return self.run("seawall-push", path, cwd=str(getattr(pgdata, "dir", pgdata)), **options)

    def fetch(self, pgdata, name, path, **options):
        return self.run("seawall-fetch", name, path, cwd=str(getattr(pgdata, "dir", pgdata)),
                        **options)

    def seawall(self, *args, **options):
        """seawall VERB ...: keygen, check, list."""
        return self.run("seawall", *args, env=dict(verbs_path(), **options.pop("env", {})), **options)

    def keygen(self, *args, **options):
        return tap.run([program("seawall"), "keygen"] + [str(a) for a in args],
                       cwd=str(self.dir), **options)

    def archive_command(self, prefix=""):
        return (prefix + shlex.join(self.argv("seawall-push", agent=True))).replace("%", "%%") + ' "%p"'

    def restore_command(self, prefix=""):
        return (prefix + shlex.join(self.argv("seawall-fetch", agent=True))).replace("%", "%%") + ' "%f" "%p"'


# Files of a server that does not exist

def segment_name(timeline, number, size=16 * MIB):
    per_log = (1 << 32) // size
    return "%08X%08X%08X" % (timeline, number // per_log, number % per_log)


def segment(number, timeline=1, size=16 * MIB, system_id=SYSTEM_ID, seed=0, fill=1.0):
    """The bytes of a WAL segment of PostgreSQL 15 on this machine's byte order: every page has
    a correct header and one XLOG_NOOP record that fills it, with text that depends on seed, number
    and page, compressible about like real WAL. fill < 1 leaves the last pages zero, as a forced
    switch does."""
    pages = []
    start = number * size
    for page in range(size // 8192):
        if page >= fill * (size // 8192):
            pages.append(bytes(8192))
            continue
        address = start + page * 8192
        header = struct.pack("=HHIQI4x", 0xD110, 0x0002 if page == 0 else 0, timeline, address, 0)
        if page == 0:
            header += struct.pack("=QII", system_id, size, 8192)
        before = address - 8192 + (40 if page == 1 else 24)
        pages.append(header + filler(8192 - len(header), max(before, 0), seed, address))
    return b"".join(pages)


def filler(length, before, seed, address):
    """A record of this length; only its first 517 bytes of data change, so that its CRC is cheap."""
    text = struct.pack("=BI", 254, length - 29) + b"".join(
        struct.pack("=IIQ", seed, (address * 2654435761 + i * 40503) & 0xFFFFFFFF, address + i)
        for i in range(32))
    rest = length - 24 - len(text)
    head = struct.pack("=IIQBB2x", length, 0, before, 0x20, 0)
    crc = crc_step(head, crc_skip(rest, crc_step(text, 0xFFFFFFFF))) ^ 0xFFFFFFFF
    return head + struct.pack("=I", crc) + text + FILLER[:rest]


FILLER = bytes(range(64, 96)) * 256


@functools.cache
def crc_table():
    table = []
    for crc in range(256):
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
        table.append(crc)
    return table


def crc_step(data, crc):
    """CRC-32C's register behind these bytes."""
    table = crc_table()
    for byte in data:
        crc = crc >> 8 ^ table[(crc ^ byte) & 0xFF]
    return crc


@functools.cache
def crc_columns(length):
    """What `length` bytes of FILLER make of a register of zeros, and of each single bit."""
    zeros = crc_step(FILLER[:length], 0)
    return zeros, [crc_step(FILLER[:length], 1 << bit) ^ zeros for bit in range(32)]


def crc_skip(length, crc):
    """The register behind `length` bytes of FILLER."""
    result, columns = crc_columns(length)
    for bit, column in enumerate(columns):
        if crc >> bit & 1:
            result ^= column
    return result


def crc32c(data):
    """CRC-32C (RFC 3720) of bytes."""
    return crc_step(data, 0xFFFFFFFF) ^ 0xFFFFFFFF


def pg_control(system_id=SYSTEM_ID, timeline=1, segment_size=16 * MIB, checkpoint=0x1000028,
               state=6, version=1300, catalog=CATALOG_15):
    """The bytes of a global/pg_control of PostgreSQL 13 to 16."""
    data = bytearray(8192)

    def put(offset, form, *values):
        struct.pack_into("=" + form, data, offset, *values)

    put(0, "QII", system_id, version, catalog)
    put(16, "i4xqQ", state, 1700000000, checkpoint)
    put(40, "QIIB", checkpoint, timeline, timeline, 1)          # redo, this and previous timeline
    put(64, "QII", 740, 24576, 1)                               # next xid, oid, multixact
    put(172, "ii", 1, 0)                                        # wal_level = replica
    put(180, "iiiii", 100, 8, 10, 0, 64)
    put(204, "I", 8)
    put(208, "dII", 1234567.0, 8192, 131072)
    put(224, "IIII", 8192, segment_size, 64, 32)
    put(240, "IIB", 1996, 2048, 1)
    put(288, "I", crc32c(data[:288]))
    return bytes(data)


class Pgdata:
    """A data directory with just what an archiver looks at."""

    def __init__(self, directory, system_id=SYSTEM_ID, timeline=1, segment_size=16 * MIB):
        self.dir = pathlib.Path(directory)
        self.system_id, self.timeline, self.segment_size = system_id, timeline, segment_size
        self.wal = self.dir / "pg_wal"
        self.status = self.wal / "archive_status"
        self.status.mkdir(parents=True)
        (self.dir / "global").mkdir()
        (self.dir / "PG_VERSION").write_text("15\n")
        (self.dir / "global" / "pg_control").write_bytes(
            pg_control(system_id, timeline, segment_size))
        self.dir.chmod(0o700)

    def name(self, number):
        return segment_name(self.timeline, number, self.segment_size)

    def segment(self, number, **options):
        """The bytes of a segment of this server."""
        return segment(number, **dict(dict(timeline=self.timeline, size=self.segment_size,
                                           system_id=self.system_id), **options))

    def write(self, name, data):
        """Put a file into pg_wal with its .ready; returns the path relative to the directory."""
        (self.wal / name).write_bytes(data)
        (self.status / (name + ".ready")).touch()
        return "pg_wal/" + name

    def write_segment(self, number, **options):
        return self.write(self.name(number), self.segment(number, **options))

    def write_history(self, timeline, lines):
        """lines: (parent timeline, LSN as text, reason)."""
        text = "".join("%d\t%s\t%s\n" % line for line in lines)
        return self.write("%08X.history" % timeline, text.encode())
