#!/usr/bin/env python3
# SPDX-License-Identifier: PostgreSQL
"""settings.def, docs/seawall.conf.5 and conf/seawall.conf name the same settings and defaults."""

import re

import harness

DEFINITIONS = "common/config/settings.def"
MAN_PAGE = "docs/seawall.conf.5"
EXAMPLE = "conf/seawall.conf"

# Section of settings.def: section of the man page, and the groups that belong to it.
SECTIONS = {
    "SETTINGS_TOP": "SETTINGS",
    "SETTINGS_STORE": "STORES",
    "SETTINGS_ENCRYPTION": "ENCRYPTION",
    "SETTINGS_OBJECTIVES": "OBJECTIVES",
}
GROUPS = ("stores", "encryption", "objectives")
UNITS = {"s": 1, "min": 60, "h": 3600, "d": 86400, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}


class Setting:
    """default: the text as it is written in a configuration file, or None."""

    def __init__(self, name, kind, section, default, required):
        self.name, self.kind, self.section = name, kind, section
        self.default, self.required = default, required


def definitions(text):
    section, settings = None, []
    for line in text.split("\n"):
        match = re.match(r"#ifdef (\w+)", line)
        if match:
            section = SECTIONS.get(match.group(1))
        match = re.match(r'([A-Z]+)\("(\w+)", \w+, ([^,]+), (.*)', line)
        if not match or section is None:
            continue
        kind, name, default, rest = match.groups()
        required = kind == "STRING" and rest.startswith("true,")
        if kind == "LIST" or default == "NULL":
            default = None
        settings.append(Setting(name, kind, section, default, required))
    return settings


def man_entries(text):
    """{section: {name: text of the entry}}"""
    section, name, entries = None, None, {}
    for line in text.split("\n"):
        if line.startswith(".Sh "):
            section, name = line[4:].strip('"'), None
        match = re.match(r"\.It Ic (\w+) = ", line)
        if match:
            name = match.group(1)
            entries.setdefault(section, {})[name] = ""
        elif name is not None:
            entries[section][name] += " " + re.sub(r"^\.[A-Z][a-z] ", "", line).replace("\\(dq", '"')
    return entries


def check_entry(setting, entry):
    if "Example:" not in entry:
        yield "has no example"
    if setting.required:
        if "Required." not in entry:
            yield "is not called required"
        return
    match = re.search(r'Default: ("[^"]*"|\w+)', entry)
    expected = setting.default or "none"
    if match is None:
        yield "has no default"
    elif match.group(1) != expected:
        yield f"has default {match.group(1)} instead of {expected}"


def check_man(settings, text):
    entries = man_entries(text)
    for section in SECTIONS.values():
        known = [s.name for s in settings if s.section == section]
        if section == "SETTINGS":
            known += GROUPS
        for name in entries.get(section, {}):
            if name not in known:
                yield f'{MAN_PAGE}: section {section}: "{name}" is no setting'
        for name in known:
            if name not in entries.get(section, {}):
                yield f'{MAN_PAGE}: section {section}: "{name}" is missing'
    for setting in settings:
        entry = entries.get(setting.section, {}).get(setting.name)
        for problem in check_entry(setting, entry) if entry is not None else ():
            yield f'{MAN_PAGE}: "{setting.name}" {problem}'


def same_value(kind, written, default):
    match = re.fullmatch(r'"(\d+)(s|min|h|d|KiB|MiB|GiB)"', written)
    if kind in ("SECONDS", "SIZE") and match:
        return str(int(match.group(1)) * UNITS[match.group(2)]) == default
    return written == default


def check_example(settings, text):
    written = {}
    for number, line in enumerate(text.split("\n"), 1):
        for match in re.finditer(r"(?:^\s*(#?)\s*|[{;]\s*())(\w+) = ([^;{(]+);", line):
            commented = bool(match.group(1))
            written.setdefault(match.group(3), []).append((number, commented, match.group(4)))
        for match in re.finditer(r"(?:^|[#{;])\s*(\w+) = [({]", line):
            written.setdefault(match.group(1), []).append((number, line.lstrip().startswith("#"), None))
    known = {s.name: s for s in settings}
    for name, places in written.items():
        if name not in known and name not in GROUPS:
            yield f'{EXAMPLE}:{places[0][0]}: "{name}" is no setting'
    for name in list(known) + list(GROUPS):
        if name not in written:
            yield f'{EXAMPLE}: "{name}" is missing'
    for setting in settings:
        if setting.default is None or setting.name not in written:
            continue
        defaults = [v for _, commented, v in written[setting.name] if commented]
        if not any(v is not None and same_value(setting.kind, v, setting.default) for v in defaults):
            yield f'{EXAMPLE}: there is no "# {setting.name} = {setting.default};"'


def check(root):
    texts = {}
    for path in (DEFINITIONS, MAN_PAGE, EXAMPLE):
        if not (root / path).exists():
            return [f"{path} does not exist"]
        texts[path] = harness.read(root, path)
    settings = definitions(texts[DEFINITIONS])
    if not settings:
        return [f"{DEFINITIONS}: no settings found"]
    return list(check_man(settings, texts[MAN_PAGE])) + list(check_example(settings, texts[EXAMPLE]))


DEF = """#ifdef SETTINGS_TOP
STRING("cluster", cluster, NULL, true, "name")
SECONDS("wait", wait, 3600, 1, 9, "wait, or not")
CHOICE("how", how, "lz4", "lz4 none", "how")
#endif
#ifdef SETTINGS_STORE
FILEPATH("ca_file", ca_file, NULL, "file")
BOOLEAN("http", http, false, "x")
#endif
"""
MAN = """.Sh SETTINGS
.It Ic cluster = Ar string
Required.
Example: x
.It Ic wait = Ar time
Default: 3600.
Example: x
.It Ic how = Ar string
Default:
.Ql \\(dqlz4\\(dq .
Example: x
.It Ic stores = Ar x
.It Ic encryption = Ar x
.It Ic objectives = Ar x
.Sh STORES
.It Ic ca_file = Ar x
Default: none.
Example: x
.It Ic http = Ar x
Default: false.
Example: x
"""
CONF = """cluster = "main";
# wait = "1h";
# how = "lz4";
stores = ( { ca_file = "x"; } );
  # http = false;
encryption = {
# objectives = {
"""


def sample(title, expected, definitions=DEF, man=MAN, conf=CONF):
    return (title, {DEFINITIONS: definitions, MAN_PAGE: man, EXAMPLE: conf}, expected)


SAMPLES = (
    sample("all agree", None),
    sample("a new setting", '"new" is missing',
           DEF.replace("#ifdef SETTINGS_STORE", 'X\n#ifdef SETTINGS_STORE\nNUMBER("new", new, 1, 1, 2, "x")')),
    sample("a removed setting", '"how" is no setting', DEF.replace("CHOICE", "x")),
    sample("another default in the page", "has default 3601 instead of 3600",
           man=MAN.replace("3600", "3601")),
    sample("another word in the page", 'has default "zstd" instead of "lz4"',
           man=MAN.replace("lz4", "zstd")),
    sample("no default in the page", '"http" has no default', man=MAN.replace("Default: false", "x")),
    sample("no example", '"cluster" has no example', man=MAN.replace("Required.\nExample: x", "Required.")),
    sample("not required", "is not called required", man=MAN.replace("Required.", "")),
    sample("the wrong section", 'section STORES: "ca_file" is missing',
           man=MAN.replace("Sh STORES", "Sh OBJECTIVES")),
    sample("a group without an entry", '"stores" is missing', man=MAN.replace("stores", "stars")),
    sample("not in the example", 'conf/seawall.conf: "http" is missing', conf=CONF.replace("http", "https")),
    sample("unknown in the example", '"https" is no setting', conf=CONF.replace("http", "https")),
    sample("another default in the example", 'there is no "# how = "lz4";"',
           conf=CONF.replace("lz4", "zstd")),
    sample("another time in the example", 'there is no "# wait = 3600;"', conf=CONF.replace("1h", "2h")),
    sample("a default that is not commented out", 'there is no "# how', conf=CONF.replace("# how", "how")),
    ("no man page", {DEFINITIONS: DEF, EXAMPLE: CONF}, "docs/seawall.conf.5 does not exist"),
)

if __name__ == "__main__":
    harness.run("settings, man page and example agree", check, SAMPLES)
