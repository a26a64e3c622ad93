#!/usr/bin/env python3
# SPDX-License-Identifier: PostgreSQL
"""Every golden object is there, has the seal its README.md says, and decodes to its file.

Prints TAP. OBJTOOL names the program built from tests/support/objtool.c.
"""
import os
import subprocess
import sys
import tempfile

import golden_files

OBJTOOL = os.environ["OBJTOOL"]
HERE = os.path.dirname(os.path.abspath(__file__))
COLUMNS = ("file_size", "payload_size", "fingerprint", "payload_digest")


def read_table(directory):
    """README.md: rows of the name, then one or more values."""
    table = {}
    with open(os.path.join(directory, "README.md"), encoding="ascii") as file:
        for line in file:
            cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
            if len(cells) > 1:
                table[cells[0]] = cells[1:]
    return table


def run(*command):
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
    if result.returncode != 0:
        print("# " + result.stderr.decode(errors="replace").strip())
        return None
    return result.stdout.decode()


def check(directory, table, item, content, scratch):
    """Yields (what, whether it holds)."""
    name, plain, compression, encryption = item
    path = os.path.join(directory, name)
    writer = table["writer"][0]
    shown = run(OBJTOOL, "show", "--writer", writer, path)
    seal = dict(line.split(" ", 1) for line in (shown or "").splitlines())
    yield f"{name}: seal verifies", shown is not None
    yield f"{name}: seal is the table's", \
        [seal.get(column) for column in COLUMNS] == table.get(name) and \
        seal.get("name") == golden_files.NAMES[plain] and \
        seal.get("created_us") == table["created, microseconds"][0] and \
        seal.get("compression") == str(golden_files.COMPRESSIONS.index(compression)) and \
        seal.get("encryption") == str(golden_files.ENCRYPTIONS.index(encryption))

    back = os.path.join(scratch, "back")
    done = run(OBJTOOL, "unpack", "--identity", os.path.join(directory, "identity.txt"),
               "--writer", writer, "--name", golden_files.NAMES[plain], "--system-id",
               table["system id"][0], path, back)
    same = False
    if done is not None:
        with open(back, "rb") as file:
            same = file.read() == content
    yield f"{name}: decodes to its file", same


def main():
    count = 0
    good = True
    directory = os.path.join(HERE, "format-1")
    table = read_table(directory)
    files = golden_files.contents()
    with tempfile.TemporaryDirectory() as scratch:
        for item in golden_files.objects():
            for text, passed in check(directory, table, item, files[item[1]], scratch):
                count += 1
                good = good and passed
                print(f"{'ok' if passed else 'not ok'} {count} - {text}")
    print(f"1..{count}")
    return 0 if good else 1


sys.exit(main())
