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

A check is named by its beginning, up to a place where its name is put together; exactly one check of
the file begins so, or has that name.
"""

import ast
import re

import harness

DOCUMENT = "docs/faults.md"
COUNTS = {"A": 10, "B": 18, "C": 22, "D": 23, "E": 9, "F": 13, "G": 12, "H": 11, "J": 13, "K": 4,
          "I": 17}
ITEM = re.compile(r"`([^`]+)`(?: (.*))?")
EXCUSE = re.compile(r"(not applicable|open): (.*)")


def python_names(text):
    """First arguments of decorators: what tap.check() and what is made of it are given."""
    for node in ast.walk(ast.parse(text)):
        for decorator in getattr(node, "decorator_list", ()):
            if isinstance(decorator, ast.Call) and decorator.args:
                first = decorator.args[0]
                if isinstance(first, ast.BinOp):
                    first = first.left
                if isinstance(first, ast.Constant) and isinstance(first.value, str):
                    yield first.value


def c_names(text):
    """Functions that get cmocka's state, and the names of rows in tables."""
    yield from re.findall(r"^(\w+)\(void \*\*state\b", text, flags=re.M)
    yield from re.findall(r'\{\s*"((?:\\.|[^"\\])*)"', text)


def check_names(path, text):
    return list({"py": python_names, "c": c_names}.get(path.rsplit(".", 1)[-1], lambda _: ())(text))


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
        known[path] = check_names(path, harness.read(root, path))
    if name is None:
        return f"{path} has checks: name one" if known[path] and "/fuzz/" not in path else None
    fitting = {n for n in known[path] if n == name} or {n for n in known[path] if n.startswith(name)}
    if len(fitting) != 1:
        return f'{path} has {len(fitting) or "no"} check{"s" * (len(fitting) > 1)} "{name}"'
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
    "tests/cli/test_x.py": '@tap.check("it works")\ndef _(t):\n    pass\n\n'
                           '@tap.check("it works "\n           "twice: %s" % x)\ndef _(t):\n    pass\n\n'
                           '@damaged("in half", 15)\ndef _(t):\n    pass\n',
    "tests/cli/test_tap.py": "print('ok 1')\n",
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
    sample("the beginning of a name that is put together", "`cli/test_x.py` it works twice", None),
    sample("what a check's maker is given", "`cli/test_x.py` in half", None),
    sample("a file whose checks have no names", "`cli/test_tap.py`<br>`fuzz/fuzz_x.c`", None),
    sample("a reason", "not applicable: there is none yet", None),
    sample("a file that is gone", "`cli/test_y.py` it works", "tests/cli/test_y.py does not exist"),
    sample("a check that is gone", "`cli/test_x.py` it worked",
           'B7: tests/cli/test_x.py has no check "it worked"'),
    sample("a function that is gone", "`unit/test_x.c` it_hold_s", 'has no check "it_hold_s"'),
    sample("a beginning of several", "`cli/test_x.py` i", 'has 3 checks "i"'),
    sample("no check named", "`cli/test_x.py`", "name one"),
    sample("no backquotes", "cli/test_x.py it works", "neither a test nor a reason"),
    sample("a remark alone", "(it is so)", "names nothing that proves it"),
    sample("nothing", "", "has an empty cell"),
    sample("no reason", "open: later", "gives no reason"),
    ("no document", TREE, "docs/faults.md does not exist"),
)

if __name__ == "__main__":
    harness.run("faults and invariants name what proves them", check, SAMPLES)
