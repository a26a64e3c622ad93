#!/usr/bin/env python3
# SPDX-License-Identifier: PostgreSQL
"""Rule 1: who may include whom (docs/hacking.md)."""

import re

import harness

COMMON = ("base", "codec", "wal", "store", "config", "catalog")
SIBLINGS = ("codec", "wal", "store", "config")
MAY_SEE = {
    "base": {"base"},
    **{sibling: {"base", sibling} for sibling in SIBLINGS},
    "catalog": set(COMMON),
    **{program: set(COMMON) | {program} for program in harness.PROGRAM_FOLDERS},
    "agent": set(COMMON) | {"agent", "archive", "restore"},
}

# A third-party header and the only places it enters through.
THIRD_PARTY = (
    (r"curl/.*", ("common/store/",)),
    (r"expat\.h", ("common/store/",)),
    (r"libconfig\.h", ("common/config/",)),
    (r"lz4\w*\.h", ("common/codec/",)),
    (r"zstd\w*\.h", ("common/codec/",)),
    (r"openssl/.*", ("common/codec/", "common/store/")),
    (r"jansson\.h", ("common/base/json.", "common/base/json_read.c")),
    (r"libpq-fe\.h", ("archive/", "restore/")),
    (r"cmocka\.h", ()),
)

# Headers only their own folder may see.
PRIVATE = re.compile(r"store/(backend|loop|http|s3\w*)\.h|config/(settings_parts|nearest)\.h")

SYSTEM = re.compile(
    r"(sys|linux|netinet|arpa|net)/\w+(/\w+)*\.h|"
    r"(assert|ctype|dirent|dlfcn|endian|errno|fcntl|fnmatch|ftw|getopt|glob|grp|inttypes|libgen|"
    r"limits|locale|malloc|math|netdb|nmmintrin|poll|pthread|pwd|sched|setjmp|signal|spawn|stdalign|"
    r"stdarg|stdatomic|stdbool|stddef|stdint|stdio|stdlib|stdnoreturn|string|strings|syslog|"
    r"termios|threads|time|uchar|unistd|wchar|cpuid|immintrin|x86intrin|arm_acle)\.h"
)


def layer_of(path):
    parts = path.parts
    if parts[0] == "common":
        return parts[1] if len(parts) > 2 else None
    return parts[0]


def check_quoted(root, path, header):
    own = layer_of(path)
    if PRIVATE.fullmatch(header) and header.split("/")[0] != own:
        return f'"{header}" is private to common/{header.split("/")[0]}'
    if "/" not in header:
        return f'"{header}" is named without its folder'
    seen = header.split("/")[0]
    if own in MAY_SEE and seen not in MAY_SEE[own]:
        return f'{own} must not include "{header}"'
    if not (root / "common" / header).exists() and not (root / header).exists():
        return f'"{header}" does not exist'
    return None


def check_system(path, header):
    for pattern, places in THIRD_PARTY:
        if re.fullmatch(pattern, header):
            if path.as_posix().startswith(places):
                return None
            return f"<{header}> enters only through {' and '.join(places) or 'tests/'}"
    if SYSTEM.fullmatch(header):
        return None
    return f"<{header}> is not known to this lint: libc, or which folder's?"


def check(root):
    problems = []
    for path in harness.sources(root, harness.SOURCE_FOLDERS, (".c", ".h", ".def")):
        if layer_of(path) not in MAY_SEE:
            problems.append(f"{path}:1: is in no layer")
            continue
        for number, line in enumerate(harness.read(root, path).split("\n"), 1):
            match = re.match(r'\s*#\s*include\s*(?:"([^"]+)"|<([^>]+)>)', line)
            if match is None:
                continue
            if match.group(1) is not None:
                problem = check_quoted(root, path, match.group(1))
            else:
                problem = check_system(path, match.group(2))
            if problem is not None:
                problems.append(f"{path}:{number}: {problem}")
    return problems


def sample(title, path, line, expected):
    files = {
        "common/base/err.h": "",
        "common/wal/wal_page.h": "",
        "common/store/store.h": "",
        "common/store/http.h": "",
        "common/catalog/catalog.h": "",
        "archive/push.h": "",
        "agent/wire.h": "",
        path: f"\n{line}\n",
    }
    return (title, files, expected)


SAMPLES = (
    sample("base sees itself", "common/base/err.c", '#include "base/err.h"', None),
    sample("base is below", "common/base/x.c", '#include "wal/wal_page.h"',
           'x.c:2: base must not include "wal/wal_page.h"'),
    sample("siblings are blind", "common/codec/x.c", '#include "store/store.h"',
           'codec must not include "store/store.h"'),
    sample("siblings do not look up", "common/wal/x.c", '#include "catalog/catalog.h"',
           'wal must not include "catalog/catalog.h"'),
    sample("catalog sees stores", "common/catalog/x.c", '#include "store/store.h"', None),
    sample("restore is blind to archive", "restore/x.c", '#include "archive/push.h"',
           'restore must not include "archive/push.h"'),
    sample("front is blind to archive", "front/x.c", '#include "archive/push.h"',
           'front must not include "archive/push.h"'),
    sample("the agent is above both sides", "agent/x.c", '#include "archive/push.h"', None),
    sample("both sides are blind to the agent", "restore/x.c", '#include "agent/wire.h"',
           'restore must not include "agent/wire.h"'),
    sample("archive sees itself", "archive/x.c", '#include "archive/push.h"', None),
    sample("common is blind to programs", "common/catalog/x.c", '#include "archive/push.h"',
           'catalog must not include "archive/push.h"'),
    sample("private headers", "archive/x.c", '#include "store/http.h"', "private to common/store"),
    sample("own private headers", "common/store/x.c", '#include "store/http.h"', None),
    sample("bare names", "archive/x.c", '#include "push.h"', "without its folder"),
    sample("absent headers", "archive/x.c", '#include "base/no.h"', "does not exist"),
    sample("curl in the store", "common/store/x.c", "#include <curl/curl.h>", None),
    sample("curl elsewhere", "archive/x.c", "# include <curl/curl.h>", "only through common/store/"),
    sample("lz4hc elsewhere", "common/store/x.c", "#include <lz4hc.h>", "only through common/codec/"),
    sample("jansson in json.c", "common/base/json.c", "#include <jansson.h>", None),
    sample("jansson in json_read.c", "common/base/json_read.c", "#include <jansson.h>", None),
    sample("jansson in base", "common/base/log.c", "#include <jansson.h>", "common/base/json."),
    sample("libpq in common", "common/store/x.c", "#include <libpq-fe.h>", "archive/ and restore/"),
    sample("cmocka outside tests", "common/base/x.c", "#include <cmocka.h>", "only through tests/"),
    sample("unknown libraries", "common/base/x.c", "#include <zlib.h>", "is not known"),
    sample("libc", "common/base/x.c", "#include <sys/stat.h>", None),
    sample("files outside of layers", "common/other/x.c", "", "is in no layer"),
)

if __name__ == "__main__":
    harness.run("includes follow the layers", check, SAMPLES)
