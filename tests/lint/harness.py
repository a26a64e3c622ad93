# SPDX-License-Identifier: PostgreSQL
"""What the lints share: finding sources, printing TAP, proving that a lint can fail.

A lint is a function from the root of a tree to a list of problems ("file:line: text"). run()
applies it to the real tree, then to small made-up trees: for each of these it says which problem
must be found there, or that none may be.
"""

import os
import pathlib
import sys
import tempfile

PROGRAM_FOLDERS = ("archive", "restore", "front")
SOURCE_FOLDERS = ("common",) + PROGRAM_FOLDERS + ("agent",)


def sources(root, folders, suffixes):
    """Paths relative to root, sorted; no build directories, nothing hidden."""
    found = []
    for folder in folders:
        for directory, names, files in os.walk(root / folder):
            names[:] = [n for n in names if not n.startswith((".", "build", "__"))]
            for file in files:
                if file.endswith(suffixes):
                    found.append((pathlib.Path(directory) / file).relative_to(root))
    return sorted(found)


def read(root, path):
    return (root / path).read_text(encoding="utf-8")


class Tap:
    def __init__(self):
        self.n = 0
        self.failed = 0

    def result(self, name, problems):
        self.n += 1
        self.failed += bool(problems)
        print(f"{'not ok' if problems else 'ok'} {self.n} - {name}")
        for problem in problems:
            print(f"# {problem}")

    def skip(self, name, reason):
        self.n += 1
        print(f"ok {self.n} - {name} # SKIP {reason}")

    def finish(self):
        print(f"1..{self.n}")
        sys.exit(1 if self.failed else 0)


def write_tree(root, files):
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
        if content.startswith("#!"):
            path.chmod(0o755)


def judge(problems, expected):
    """What is wrong with the problems found in a made-up tree."""
    if expected is None:
        return [f"unexpected: {p}" for p in problems]
    if not any(expected in p for p in problems):
        return [f"not found: {expected}"] + [f"but: {p}" for p in problems]
    return []


def root_of_arguments():
    return pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()


def run(name, check, samples, root=None):
    """samples: (name, {path: content}, text of the expected problem or None)."""
    tap = Tap()
    root = root_of_arguments() if root is None else root
    if (root / "meson.build").exists():
        tap.result(name, check(root))
    else:
        tap.result(name, [f"{root} is not the root of the source tree"])
    for title, files, expected in samples:
        with tempfile.TemporaryDirectory() as directory:
            tree = pathlib.Path(directory)
            write_tree(tree, files)
            tap.result(f"self-test: {title}", judge(check(tree), expected))
    tap.finish()
