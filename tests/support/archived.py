# SPDX-License-Identifier: PostgreSQL
"""archived.py: small archives on directory stores for the cli checks."""
import pathlib

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


def push_all(t, setup, pgdata, numbers):
    """Archive segments and remove them from pg_wal, as the server does later."""
    for number in numbers:
        path = pgdata.write_segment(number)
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


def writer_public(setup):
    """The public half of a setup's writer key."""
    return tap.run([seawall.program("objtool"), "writer-public",
                    str(setup.dir / "writer.key")]).out.strip()
