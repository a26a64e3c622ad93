#!/usr/bin/env python3
# SPDX-License-Identifier: PostgreSQL
"""The code map of docs/architecture.md lists every source folder and .c file once, and no other.

The section "Code map" has a table. All cells of a row but the last name code in backquotes: a
folder (`common/base/`), a file of it (`buf.c` in the row of its folder or below), or a path
(`common/base/buf.c`). Headers may be named, and must then exist. The last cell says what it is.
"""

import re

import harness

DOCUMENT = "docs/architecture.md"


def map_rows(text):
    """(line, names) of the rows below the heading."""
    inside = False
    for number, line in enumerate(text.split("\n"), 1):
        if re.match(r"#+\s", line):
            inside = re.match(r"#+\s+(\d+\.?\s+)?Code map\s*$", line) is not None
        elif inside and line.startswith("|"):
            cells = line.strip().strip("|").split("|")
            names = re.findall(r"`([^`]+)`", "|".join(cells[:-1]))
            if names:
                yield number, names


def expected_names(root):
    files = harness.sources(root, harness.SOURCE_FOLDERS, (".c", ".h", ".def"))
    folders = {f"{path.parent.as_posix()}/" for path in files}
    return folders, {path.as_posix() for path in files}


def check(root):
    if not (root / DOCUMENT).exists():
        return [f"{DOCUMENT} does not exist: write it, with the code map this lint compares"]
    folders, files = expected_names(root)
    rows = list(map_rows(harness.read(root, DOCUMENT)))
    if not rows:
        return [f'{DOCUMENT}: there is no table under a heading "Code map"']
    problems, seen, folder = [], set(), ""
    for number, names in rows:
        for name in names:
            if name.endswith("/"):
                folder = path = name
            else:
                path = name if "/" in name else folder + name
            if path in seen:
                problems.append(f"{DOCUMENT}:{number}: {path} is listed twice")
            elif path not in folders | files and not (name.endswith("/") and (root / path).is_dir()):
                problems.append(f"{DOCUMENT}:{number}: {path} does not exist")
            seen.add(path)
    wanted = folders | {f for f in files if f.endswith(".c")}
    return problems + [f"{DOCUMENT}: {path} is not listed" for path in sorted(wanted - seen)]


TREE = {"common/base/buf.c": "", "common/base/buf.h": "", "common/base/macros.h": "", "archive/push.c": ""}
MAP = """# Architecture

## Code map

| code | what |
|---|---|
| `common/base/` | the base |
| `buf.c`, `buf.h` | bytes like `ghost.c` |
| `archive/` | `push.c` |
| `archive/push.c` | the hook |

## More

| `ghost.c` | is not in the map |
"""


def sample(title, text, expected, more=None):
    return (title, {**TREE, **(more or {}), DOCUMENT: text}, expected)


SAMPLES = (
    sample("the map is complete", MAP, None),
    sample("a new file", MAP, "common/base/err.c is not listed", {"common/base/err.c": ""}),
    sample("a new folder", MAP, "common/wal/ is not listed", {"common/wal/x.h": ""}),
    sample("a file that is gone", MAP.replace("`buf.h`", "`old.c`"), "common/base/old.c does not exist"),
    sample("a folder that is gone", MAP.replace("`archive/` |", "`archive/` `old/` |"),
           ":9: old/ does not exist"),
    sample("listed twice", MAP.replace("`buf.h`", "`buf.c`"), "common/base/buf.c is listed twice"),
    sample("no map", "# Architecture\n", "there is no table"),
    ("no document", TREE, "docs/architecture.md does not exist"),
)

if __name__ == "__main__":
    harness.run("the code map is the code", check, SAMPLES)
