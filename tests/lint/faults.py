#!/usr/bin/env python3
# SPDX-License-Identifier: PostgreSQL
"""Every fault and invariant of docs/faults.md names tests that exist, or says why none can.

The document is tables. The first cell of a row is its number (B7, I3), the last one says what proves
it, in items separated by <br>:

    `cli/test_push.py` a missing file is 13         a check of tests/cli/test_push.py
    `unit/test_fs.c` a_taken_name_is_not_touched    a test function, or a row of a table of tests
    `fuzz/fuzz_seal.c`                              a file whose checks have no names
    not applicable: reason     open: reason
    (a remark)

A check is named by its name or the beginning of it. The checks of a Python file are those that it
lists itself, with --list.
"""

import os
import re
import subprocess
import sys

import harness

DOCUMENT = "docs/faults.md"
BEGINNING = 8  # characters that say which check is meant
COUNTS = {"A": 10, "B": 18, "C": 22, "D": 23, "E": 9, "F": 13, "G": 12, "H": 11, "J": 13, "K": 4,
          "I": 17}
ITEM = re.compile(r"`([^`]+)`(?: (.*))?")
EXCUSE = re.compile(r"(not applicable|open): (.*)")


def python_names(root, path):
    """What the program lists; nothing if it does not speak tap.py's language."""
    if "tap.main()" not in harness.read(root, path):
        return []
    env = {name: value for name, value in os.environ.items() if not name.startswith("SEAWALL_")}
    env["PYTHONPATH"] = str(root / "tests" / "support")
    run = subprocess.run([sys.executable, "-B", root / path, "--list"], env=env, cwd=root,
                         capture_output=True, text=True, timeout=60, check=False)
    return run.stdout.splitlines() if run.returncode == 0 else ["(cannot be listed)"]


def c_names(text):
    """Functions that get cmocka's state, and the names of rows in tables."""
    yield from re.findall(r"^(\w+)\(void \*\*state\b", text, flags=re.M)
    yield from re.findall(r'\{\s*"((?:\\.|[^"\\])*)"', text)


def check_names(root, path):
    if path.endswith(".py"):
        return python_names(root, path)
    return list(c_names(harness.read(root, path))) if path.endswith(".c") else []


def table_rows(text):
    """(line, number, last cell) of the rows that have a number."""
    for number, line in enumerate(text.split("\n"), 1):
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))]
        match = re.fullmatch(r"([A-Z])(\d+)", cells[0])
        if line.startswith("|") and match:
            yield number, match.group(1), int(match.group(2)), cells


def item_problem(root, item, known):
    """What is wrong with an item, or None. known: names of files that were read."""
    excuse = EXCUSE.fullmatch(item)
    if excuse:
        return None if len(excuse.group(2).split()) > 2 else f'"{item}" gives no reason'
    match = ITEM.fullmatch(item)
    if not match:
        return f'"{item}" is neither a test nor a reason'
    path, name = "tests/" + match.group(1), match.group(2)
    if not (root / path).is_file():
        return f"{path} does not exist"
    if path not in known:
        known[path] = check_names(root, path)
    if name is None:
        return f"{path} has checks: name one" if known[path] and "/fuzz/" not in path else None
    if name not in known[path] and (len(name) < BEGINNING or
                                    not any(n.startswith(name) for n in known[path])):
        return f'{path} has no check "{name}"'
    return None


def check(root):
    if not (root / DOCUMENT).exists():
        return [f"{DOCUMENT} does not exist"]
    problems, seen, known = [], set(), {}
    for line, group, number, cells in table_rows(harness.read(root, DOCUMENT)):
        row = f"{group}{number}"
        if not 1 <= number <= COUNTS.get(group, 0):
            problems.append(f"{DOCUMENT}:{line}: {row}: there is no such row")
        if row in seen:
            problems.append(f"{DOCUMENT}:{line}: {row} is there twice")
        seen.add(row)
        if len(cells) < 3 or not all(cells):
            problems.append(f"{DOCUMENT}:{line}: {row} has an empty cell")
            continue
        items = [item.strip() for item in cells[-1].split("<br>")]
        items = [item for item in items if not re.fullmatch(r"\(.*\)", item)]
        if not items:
            problems.append(f"{DOCUMENT}:{line}: {row} names nothing that proves it")
        for item in items:
            problem = item_problem(root, item, known)
            if problem:
                problems.append(f"{DOCUMENT}:{line}: {row}: {problem}")
    wanted = [f"{group}{n}" for group, count in COUNTS.items() for n in range(1, count + 1)]
    return problems + [f"{DOCUMENT}: {row} is missing" for row in wanted if row not in seen]


ROWS = {f"{group}{n}": f"| {group}{n} | it happens | 13 | `cli/test_x.py` it works |"
        for group, count in COUNTS.items() for n in range(1, count + 1)}
TREE = {
    "tests/support/tap.py": "NAMES = []\n\n\ndef check(name):\n    NAMES.append(name)\n"
                            "    return lambda f: f\n\n\ndef main():\n    print(*NAMES, sep='\\n')\n",
    "tests/cli/test_x.py": "import tap\n\nfor n in (2, 3):\n    tap.check('part %d of it' % n)(0)\n"
                           "tap.check('it works')(0)\ntap.main()\n",
    "tests/cli/test_tap.py": "print('ok 1')\n",
    "tests/cli/test_bad.py": "import nothing\ntap.main()\n",
    "tests/unit/test_x.c": "static void\nit_holds(void **state)\n{\n}\n\n"
                           'static const struct row t[] = {{"a row \\"of\\" it", 1}};\n',
    "tests/fuzz/fuzz_x.c": "int\nLLVMFuzzerTestOneInput(const uint8_t *data, size_t size)\n",
}


def document(change=None, without=None):
    rows = dict(ROWS, **({"B7": change} if change else {}))
    return "# Faults\n\n| | fault | outcome | proven by |\n|---|---|---|---|\n" + "".join(
        line + "\n" for row, line in rows.items() if row != without)


def sample(title, cell, expected):
    return (title, {**TREE, DOCUMENT: document(f"| B7 | x | 0 | {cell} |")}, expected)


SAMPLES = (
    ("every row names a check", {**TREE, DOCUMENT: document()}, None),
    ("a row is missing", {**TREE, DOCUMENT: document(without="E3")}, "E3 is missing"),
    ("a row twice", {**TREE, DOCUMENT: document() + ROWS["K4"] + "\n"}, "K4 is there twice"),
    ("a row nobody knows", {**TREE, DOCUMENT: document() + "| K5 | x | 0 | open: it is so |\n"},
     "K5: there is no such row"),
    sample("several, and a remark", "`unit/test_x.c` it_holds<br>`cli/test_x.py` it works<br>(so)", None),
    sample("a row of a table of tests", '`unit/test_x.c` a row \\"of\\" it', None),
    sample("a name that is put together", "`cli/test_x.py` part 2 of it", None),
    sample("the beginning of a name", "`cli/test_x.py` part 3 of", None),
    sample("a file whose checks have no names", "`cli/test_tap.py`<br>`fuzz/fuzz_x.c`", None),
    sample("a reason", "not applicable: there is none yet", None),
    sample("a file that is gone", "`cli/test_y.py` it works", "tests/cli/test_y.py does not exist"),
    sample("a check that is gone", "`cli/test_x.py` it worked",
           'B7: tests/cli/test_x.py has no check "it worked"'),
    sample("a function that is gone", "`unit/test_x.c` it_hold_s", 'has no check "it_hold_s"'),
    sample("a beginning that says nothing", "`cli/test_x.py` part", 'has no check "part"'),
    sample("a file that cannot be listed", "`cli/test_bad.py` it works", "has no check"),
    sample("no check named", "`cli/test_x.py`", "name one"),
    sample("no backquotes", "cli/test_x.py it works", "neither a test nor a reason"),
    sample("a remark alone", "(it is so)", "names nothing that proves it"),
    sample("nothing", "", "has an empty cell"),
    sample("no reason", "open: later", "gives no reason"),
    ("no document", TREE, "docs/faults.md does not exist"),
)

if __name__ == "__main__":
    harness.run("faults and invariants name what proves them", check, SAMPLES)
