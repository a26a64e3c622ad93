# SPDX-License-Identifier: PostgreSQL
"""places.py: stores of a soak that can be made to fail, and looked into behind the scenes."""
import contextlib
import os
import pathlib

import archived
import fakes3
import seawall
import valve


class Directory:
    """A directory store. faults() names what can be done to it; heal() undoes all of that."""

    def __init__(self, name, path, small=False):
        self.name, self.path, self.small = name, pathlib.Path(path), small
        self.away = self.path.with_name(self.path.name + ".away")
        self.filler = self.path.with_name("filler")
        self.settings = seawall.dir_store(name, path)
        self.fault = None

    def faults(self):
        return ["away", "readonly"] + (["full"] if self.small else [])

    def fail(self, fault, dice):
        self.fault = fault
        if fault == "away":
            self.path.rename(self.away)
        elif fault == "readonly":
            self._mode(0o500)
        elif fault == "full":
            fill(self.filler)

    def heal(self):
        if self.fault == "away":
            self.away.rename(self.path)
        elif self.fault == "readonly":
            self._mode(0o700)
        elif self.fault == "full":
            self.filler.unlink()
        self.fault = None

    def _mode(self, mode):
        for folder, _, _ in os.walk(self.path):
            os.chmod(folder, mode)

    def close(self):
        pass

    def names(self):
        return {name for name in seawall.stored(self.path) if ".seawall-tmp." not in name}

    def read(self, name):
        return (self.path / name).read_bytes()

    def delete(self, name):
        (self.path / name).unlink()

    def damage(self, name, at):
        data = bytearray(self.read(name))
        data[at % len(data)] ^= 0x10
        archived.rewrite(self.path / name, bytes(data))


class Bucket:
    """An S3 bucket behind a connection that can be lost."""

    def __init__(self, name):
        self.name = name
        self.bucket = fakes3.Bucket()
        self.valve = valve.Valve(self.bucket.server.server_address[1])
        self.settings = dict(self.bucket.store(name), access_key_id="fake",
                             secret_access_key="fakesecret",
                             endpoint="http://127.0.0.1:%d" % self.valve.port)
        self.fault = None

    def faults(self):
        return ["busy", "closes", "hangs", "cuts", "slow", "lost", "silent"]

    def fail(self, fault, dice):
        self.fault = fault
        if fault == "slow":
            self.bucket.delay_s = dice.choice([0.1, 0.5, 1.5])
        elif fault in ("lost", "silent"):
            self.valve.arm(dice.choice([0, 300, 5000, 100000]),
                           "cut" if fault == "lost" else "hole")
        else:
            self.bucket.fault = fault

    def heal(self):
        self.bucket.fault, self.bucket.delay_s = None, 0
        if self.fault in ("lost", "silent"):
            self.valve.open()
        self.fault = None

    def close(self):
        self.valve.__exit__()
        self.bucket.__exit__()

    def names(self):
        return {key[len("root/"):] for key in list(self.bucket.objects)}

    def read(self, name):
        return self.bucket.objects["root/" + name]

    def delete(self, name):
        del self.bucket.objects["root/" + name]

    def damage(self, name, at):
        data = bytearray(self.read(name))
        data[at % len(data)] ^= 0x10
        self.bucket.objects["root/" + name] = bytes(data)


def fill(path):
    """Leave no room on the file system of path."""
    with contextlib.suppress(OSError), open(path, "wb", buffering=0) as f:
        while f.write(bytes(1 << 20)):
            pass
