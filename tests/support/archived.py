# SPDX-License-Identifier: PostgreSQL
"""archived.py: small archives on directory stores for the cli checks."""
import pathlib

import madewal
import seawall
import tap

MIB = 1 << 20


def object_path(store, name, system_id=seawall.SYSTEM_ID, cluster="main"):
    """Where the object of a WAL file is in a directory store (docs/format.md section 1)."""
    base = pathlib.Path(store) / cluster / str(system_id)
    if name.endswith(".history"):
        return base / "history" / name
    return base / "wal" / name[:8] / name[8:16] / name


def setup_with(t, stores="a", **settings):
    """A Setup with one directory store per letter, and a Pgdata with 1 MiB segments."""
    setup = seawall.Setup(t.dir, [seawall.dir_store(s, t.dir / s) for s in stores], **settings)
    return setup, seawall.Pgdata(t.dir / "data", segment_size=MIB)


def push_all(t, setup, pgdata, numbers, replayable=False):
    """Archive segments and remove them from pg_wal, as the server does later. replayable: their
    records are in order."""
    for number in numbers:
        path = (pgdata.write(pgdata.name(number), madewal.segment(number, pgdata.timeline,
                                                                  pgdata.system_id))
                if replayable else pgdata.write_segment(number))
        result = setup.push(pgdata, path)
        t.equal(result.code, 0, "push of %s: %s" % (path, result.err))
        (pgdata.dir / path).unlink()


def bring_back(t, setup, pgdata, name):
    """Fetch into a file of the check's directory; returns its bytes."""
    target = t.dir / ("back-" + name)
    target.unlink(missing_ok=True)
    result = setup.fetch(pgdata, name, target)
    t.equal(result.code, 0, "fetch of %s: %s" % (name, result.err))
    return target.read_bytes()


def rewrite(path, data):
    """Change an object in a directory store behind Seawall's back."""
    path.chmod(0o600)
    path.write_bytes(data)


def bech32_bytes(text):
    """The bytes in a bech32 text whose checksum is taken on trust."""
    digits = ["qpzry9x8gf2tvdw0s3jn54khce6mua7l".index(c) for c in text.lower().rpartition("1")[2]]
    value = 0
    for digit in digits[:-6]:
        value = value << 5 | digit
    return (value >> len(digits[:-6]) * 5 % 8).to_bytes(len(digits[:-6]) * 5 // 8, "big")


def writer_public(setup):
    """The public half of a setup's writer key, derived by openssl."""
    seed = bech32_bytes((setup.dir / "writer.key").read_text().split()[-1])
    pkcs8 = bytes.fromhex("302e020100300506032b657004220420") + seed
    (setup.dir / "writer.der").write_bytes(pkcs8)
    result = tap.run(["openssl", "pkey", "-inform", "DER", "-in", setup.dir / "writer.der",
                      "-pubout", "-outform", "DER"], text=False)
    (setup.dir / "writer.der").unlink()
    return seawall.bech32("swwriter", result.out[-32:])
