# SPDX-License-Identifier: PostgreSQL
"""shims.py: programs without memory, with another clock, without randomness, by tests/support/shim.

    env = shims.env(SHIM_FAIL=12, SHIM_EVER=1)
"""
import os
import pathlib

import seawall
import tap


def need():
    """The shim takes the allocator's names, which a sanitizer's runtime needs for itself."""
    if os.environ.get("SEAWALL_SANITIZED"):
        raise tap.Skip("a sanitizer's runtime has an allocator of its own")


def library():
    path = seawall.BIN / "tests" / "support" / "shim.so"
    if not path.is_file():
        raise tap.Failure("no %s (SEAWALL_BIN)" % path)
    return str(path)


def env(**settings):
    """The environment for a program with the shim."""
    return dict({k: str(v) for k, v in settings.items()}, LD_PRELOAD=library())


def allocations(report):
    """What the last program to end with SHIM_REPORT has counted."""
    return int(pathlib.Path(report).read_text())
