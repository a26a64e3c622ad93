#!/usr/bin/env python3
# SPDX-License-Identifier: PostgreSQL
"""Make the golden objects of a new format version: OBJTOOL=... tests/golden/make.py DIRECTORY

DIRECTORY holds writer.key and identity.txt (test keys, readable by everybody). The objects and
README.md, the table of their seals, are written there. Objects are never made again: a released
format must decode for ever, so this refuses a directory that has any of them.
"""
import os
import subprocess
import sys
import tempfile

import golden_files

OBJTOOL = os.environ["OBJTOOL"]
COLUMNS = ("file_size", "payload_size", "fingerprint", "payload_digest")


def run(*command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout.decode().strip()


def public_keys(directory):
    """The comments of the key files say the public halves, as age-keygen's do."""
    keys = []
    for name in ("writer.key", "identity.txt"):
        with open(os.path.join(directory, name), encoding="ascii") as file:
            keys += [line.split(": ")[1].strip() for line in file
                     if line.startswith("# public key: ")]
    return keys


def main():
    directory = sys.argv[1]
    targets = [os.path.join(directory, item[0]) for item in golden_files.objects()]
    present = [path for path in targets + [os.path.join(directory, "README.md")]
               if os.path.lexists(path)]
    if present:
        raise SystemExit(f"refusing to overwrite {present[0]}: golden objects are for ever")

    writer, recipient = public_keys(directory)
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        for plain, content in golden_files.contents().items():
            with open(os.path.join(scratch, plain), "wb") as file:
                file.write(content)
        for (name, plain, compression, encryption), path in zip(golden_files.objects(), targets):
            keys = ["--none"] if encryption == "none" else ["--recipient", recipient]
            run(OBJTOOL, "pack", "--compression", compression, *keys, "--writer",
                os.path.join(directory, "writer.key"), "--name", golden_files.NAMES[plain],
                "--system-id", str(golden_files.SYSTEM_ID), "--created",
                str(golden_files.CREATED_US), os.path.join(scratch, plain), path)
            seal = dict(line.split(" ", 1)
                        for line in run(OBJTOOL, "show", "--writer", writer, path).splitlines())
            rows.append(f"| {name} | " + " | ".join(seal[column] for column in COLUMNS) + " |")

    with open(os.path.join(directory, "README.md"), "w", encoding="ascii") as file:
        file.write("# Golden objects\n\n"
                   "Made once by tests/golden/make.py; they must decode for ever. The keys beside "
                   "them are\nfor tests only and protect nothing. The files inside are made by "
                   "tests/golden/golden_files.py.\n\n"
                   f"| | |\n|---|---|\n| writer | {writer} |\n| recipient | {recipient} |\n"
                   f"| system id | {golden_files.SYSTEM_ID} |\n"
                   f"| created, microseconds | {golden_files.CREATED_US} |\n\n"
                   "| object | " + " | ".join(COLUMNS) + " |\n|---|---|---|---|---|\n")
        file.write("\n".join(rows) + "\n")


main()
