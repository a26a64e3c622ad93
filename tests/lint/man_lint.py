#!/usr/bin/env python3
# SPDX-License-Identifier: PostgreSQL
"""Man pages pass mandoc without a warning."""

import re
import shutil
import subprocess

import harness


def check(root):
    problems = []
    pages = [p for p in sorted((root / "docs").glob("*.[1-8]"))]
    for page in pages:
        run = subprocess.run(
            ["mandoc", "-T", "lint", "-W", "warning", str(page)], capture_output=True, text=True, check=False
        )
        for line in (run.stdout + run.stderr).split("\n"):
            match = re.search(r":(\d+):\d+: (WARNING|ERROR|UNSUPP|SYSERR|BADARG): (.*)", line)
            if match:
                problems.append(f"docs/{page.name}:{match.group(1)}: {match.group(3)}")
        if run.returncode >= 2 and not problems:
            problems.append(f"docs/{page.name}: mandoc ended with {run.returncode}")
    return problems if pages else ["there are no man pages in docs/"]


HEAD = ".Dd January 1, 2026\n.Dt X 1\n.Os\n.Sh NAME\n.Nm x\n.Nd a page\n"
SAMPLES = (
    ("a clean page", {"docs/x.1": HEAD + ".Sh DESCRIPTION\nText.\n"}, None),
    ("an open list", {"docs/x.1": HEAD + ".Sh DESCRIPTION\n.Bl -bullet\n.It\nText.\n"}, "docs/x.1:"),
    ("an unknown macro", {"docs/x.5": HEAD + ".Sh DESCRIPTION\n.Xx\n"}, "docs/x.5:8"),
    ("no page", {"docs/x.md": ""}, "no man pages"),
)

if __name__ == "__main__":
    if shutil.which("mandoc") is None:
        tap = harness.Tap()
        tap.skip("man pages are clean", "mandoc is not installed")
        tap.finish()
    harness.run("man pages are clean", check, SAMPLES)
