# SPDX-License-Identifier: PostgreSQL
"""runbook.py: the blocks of docs/runbook.md that follow a line <!-- test: name -->."""
import pathlib
import re

import seawall
import tap

FILE = pathlib.Path(__file__).resolve().parents[2] / "docs" / "runbook.md"


def blocks():
    """The marked blocks by name."""
    found = re.findall(r"^<!-- test: (\S+) -->\n```\w*\n(.*?)^```$",
                       FILE.read_text(encoding="utf-8"), re.M | re.S)
    names = [name for name, text in found]
    if len(names) != len(set(names)) or not names:
        raise tap.Failure("marks in %s: %s" % (FILE, names))
    return dict(found)


def block(name):
    try:
        return blocks()[name]
    except KeyError:
        raise tap.Failure("no block %s in %s" % (name, FILE)) from None


def do(t, names, directory, **variables):
    """Run blocks one after the other, as a person would paste them into one shell that stops at
    the first failure. The variables are what the page says to set first."""
    script = "set -eu\n" + "".join(block(name) for name in names)
    programs = ":".join(str(seawall.BIN / folder)
                        for folder in ("agent", "archive", "restore", "front"))
    directory.mkdir(exist_ok=True)
    return t.run(["sh", "-c", script], cwd=directory, env=dict(
        {key: str(value) for key, value in variables.items()},
        PATH=programs + ":/usr/local/bin:/usr/bin:/bin"))
