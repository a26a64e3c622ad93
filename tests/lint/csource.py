# SPDX-License-Identifier: PostgreSQL
"""Enough of C to lint it: comments and literals blanked, functions and statements found."""

import re

TOKEN = re.compile(
    r"""/\*.*?\*/ | //[^\n]* | "(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])*'""", re.S | re.X
)


def blanked(text):
    """The text with comments and the insides of literals replaced by blanks; lines stay."""

    def blank(match):
        token = match.group()
        if token[0] in "\"'":
            return token[0] + " " * (len(token) - 2) + token[0]
        return re.sub(r"[^\n]", " ", token)

    return TOKEN.sub(blank, text)


def comments(text):
    """(line, text) of every comment."""
    return [
        (text.count("\n", 0, m.start()) + 1, m.group())
        for m in TOKEN.finditer(text)
        if m.group()[0] == "/"
    ]


def without_directives(code):
    """Blanked code without preprocessor lines (and their continuations)."""
    return re.sub(r"^[ \t]*#(?:\\\n|[^\n])*", lambda m: "\n" * m.group().count("\n"), code, flags=re.M)


class Function:
    """A definition in the house style: its braces stand in the first column."""

    def __init__(self, name, start, end, lines, parameters):
        self.name = name
        self.start = start  # line numbers from 1: the name, the closing brace
        self.end = end
        self.lines = lines
        self.parameters = parameters

    def length(self):
        """Lines without those inside constant tables, which are data."""
        count = 0
        table = None
        for line in self.lines:
            if table is not None:
                if line.rstrip() == table + "};" or line.rstrip().endswith("};"):
                    table = None
                continue
            count += 1
            if re.search(r"=\s*\{\s*$", line) and "const" in line + self.before(line):
                table = line[: len(line) - len(line.lstrip())]
        return count

    def before(self, line):
        """The lines of an anonymous struct whose declarator ends in `line`."""
        if not line.lstrip().startswith("}"):
            return ""
        at = self.lines.index(line)
        indent = line[: len(line) - len(line.lstrip())]
        while at > 0:
            at -= 1
            if self.lines[at].startswith(indent) and not self.lines[at][len(indent)].isspace():
                return self.lines[at]
        return ""


def functions(text):
    """Every function defined in the text."""
    lines = without_directives(blanked(text)).split("\n")
    found = []
    for i, line in enumerate(lines):
        if line.rstrip() != "{" or i == 0:
            continue
        start = i - 1
        while start > 0 and not re.match(r"[A-Za-z_]\w*(?: [\w *]*)?\(", lines[start]):
            start -= 1
        end = i
        while end < len(lines) and lines[end].rstrip() != "}":
            end += 1
        head = " ".join(lines[start:i])
        match = re.match(r"(?:[\w *]* \**)?([A-Za-z_]\w*)\((.*)\)", head)
        if match is None:
            continue
        found.append(
            Function(match.group(1), start + 1, end + 1, lines[start : end + 1], split(match.group(2)))
        )
    return found


def split(parameters):
    """The parameters between commas that stand in no parentheses."""
    parts, depth = [""], 0
    for c in parameters:
        depth += (c == "(") - (c == ")")
        if c == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += c
    parts = [p.strip() for p in parts]
    return [] if parts in ([""], ["void"]) else parts


def top_statements(text):
    """(line, statement) of everything at file scope; what stands in braces becomes {}."""
    code = without_directives(blanked(text))
    found, statement, start, depth, line = [], "", None, 0, 1
    for c in code:
        if c == "\n":
            line += 1
        if c == "{":
            depth += 1
            statement += "{" if depth == 1 else ""
        elif c == "}":
            depth -= 1
            statement += "}" if depth == 0 else ""
            if depth == 0 and re.search(r"\)\s*\{\}$", statement) and "=" not in statement:
                statement, start = "", None  # the end of a function
        elif depth == 0 and c == ";":
            found.append((start or line, " ".join(statement.split())))
            statement, start = "", None
        elif depth == 0:
            if start is None and not c.isspace():
                start = line
            statement += c
    return found
