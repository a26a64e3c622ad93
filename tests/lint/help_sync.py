#!/usr/bin/env python3
# SPDX-License-Identifier: PostgreSQL
"""--help of every program is what its man page says: help_sync.py ROOT [PROGRAM]..."""

import pathlib
import re
import subprocess
import sys

import harness

WIDTH = 80


def run_program(program, argument):
    try:
        return subprocess.run(
            [str(program), argument], stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=30, check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as problem:
        return subprocess.CompletedProcess([], 1, "", str(problem))


def check_run(run, argument):
    if run.returncode != 0:
        yield f"{argument} ends with {run.returncode}"
    if run.stderr:
        yield f"{argument} writes to stderr"
    if not run.stdout.endswith("\n"):
        yield f"{argument} writes no line to stdout"
    for line in run.stdout.split("\n"):
        if len(line) > WIDTH:
            yield f"{argument} has a line of {len(line)} columns"
        if line != line.rstrip():
            yield f"{argument} has a line with blanks at its end"


def help_options(text):
    """{option: has an argument} of lines like "  --config FILE  text"."""
    return {
        match.group(1): match.group(2) is not None
        for match in re.finditer(r"^  (--[a-z][a-z0-9-]*)(?: ([A-Z]\S*))?(?=  |\n)", text, re.M)
    }


def man_options(text):
    """The same of entries like ".It Fl -config Ar file"."""
    return {
        "-" + match.group(1): match.group(2) is not None
        for match in re.finditer(r"^\.It Fl (-[a-z][a-z0-9-]*)(?: (?:Ns =|Ns )?\s*(Ar) .*)?", text, re.M)
    }


def compare(in_help, in_page, page):
    for option in sorted(set(in_help) | set(in_page)):
        if option not in in_help:
            yield f"{option} is in {page}, but not in --help"
        elif option not in in_page:
            yield f"{option} is in --help, but not in {page}"
        elif in_help[option] != in_page[option]:
            yield f"{option}: --help and {page} disagree about its argument"
    for option in ("--help", "--version"):
        if option not in in_help:
            yield f"{option} is not in --help"


def check_program(root, program):
    page = f"docs/{program.name}.1"
    run = run_program(program, "--help")
    yield from check_run(run, "--help")
    if not run.stdout.startswith(f"Usage: {program.name} "):
        yield f'--help does not begin with "Usage: {program.name} "'
    if (root / page).exists():
        yield from compare(help_options(run.stdout), man_options(harness.read(root, page)), page)
    else:
        yield f"{page} does not exist"
    run = run_program(program, "--version")
    yield from check_run(run, "--version")
    if not run.stdout.startswith(f"{program.name} (Seawall) "):
        yield f'--version does not begin with "{program.name} (Seawall) "'


def check_programs(root, programs):
    return [f"{p.name}: {problem}" for p in programs for problem in check_program(root, p)]


def check_sample(root):
    return check_programs(root, sorted((root / "bin").glob("*")))


PROGRAM = """#!/bin/sh
# SPDX-License-Identifier: PostgreSQL
if [ "$1" = --version ]; then echo "prog (Seawall) 1"; exit; fi
cat <<'END'
Usage: prog [--config FILE] PATH

Options:
  --config FILE  file
  --target-dir-with-a-long-name DIR
                 text
  --json         print JSON --not-an-option
  --help         help
  --version      version
END
"""
PAGE = """.Bl -tag
.It Fl -config Ar file
.It Fl -target-dir-with-a-long-name Ar dir
.It Fl -json
.It Fl -help
.It Fl -version
.El
"""


def sample(title, expected, program=PROGRAM, page=PAGE):
    return (title, {"bin/prog": program, "docs/prog.1": page}, expected)


SAMPLES = (
    sample("help and page agree", None),
    sample("an option only in help", "--json is in --help, but not in docs/prog.1",
           page=PAGE.replace("-json", "-x")),
    sample("an option only in the page", "--x is in docs/prog.1, but not in --help",
           page=PAGE.replace("-json", "-x")),
    sample("an argument only in help", "--config: --help and docs/prog.1 disagree",
           page=PAGE.replace("-config Ar file", "-config")),
    sample("no --help option", "--help is not in --help", PROGRAM.replace("  --help ", "")),
    sample("a wide line", "a line of 93 columns", PROGRAM.replace("print JSON", "x" * 60)),
    sample("stderr", "--help writes to stderr", PROGRAM + "echo x >&2\n"),
    sample("exit code", "--help ends with 3", PROGRAM + "exit 3\n"),
    sample("help on stderr", "--help writes no line to stdout", PROGRAM.replace("cat <<", "cat >&2 <<")),
    sample("another name", "does not begin with", PROGRAM.replace("Usage: prog", "Usage: other")),
    sample("no version", "--version does not begin with", PROGRAM.replace("(Seawall)", "")),
    ("no page", {"bin/prog": PROGRAM}, "docs/prog.1 does not exist"),
)


def main():
    programs = [pathlib.Path(argument).resolve() for argument in sys.argv[2:]]
    real = harness.root_of_arguments()

    def check(root):
        return check_programs(root, programs) if root == real else check_sample(root)

    harness.run(f"--help and man pages of {len(programs)} programs agree", check, SAMPLES, real)


if __name__ == "__main__":
    main()
