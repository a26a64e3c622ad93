#!/usr/bin/env python3
# SPDX-License-Identifier: PostgreSQL
"""Rules 6 to 9: what is banned, how large things may be, what every file begins with."""

import re

import csource
import harness

FUNCTION_LINES = 60
MAIN_LINES = 80
FILE_LINES = 500
TEST_FILE_LINES = 1000
COLUMNS = 100
PARAMETERS = 6  # and struct err *err
GLOBALS_ALLOWED = ("common/base/process.c", "common/base/log.c", "common/base/exit.c",
                   "common/base/json_read.c",
                   "agent/seawall_archive.c")

BANNED = (
    (re.compile(r"\bgoto\b"), "goto"),
    (re.compile(r"\b(alloca|__builtin_alloca)\s*\("), "alloca"),
    (re.compile(r"\b(strto[a-z]*(?<!strtok)(?<!strtok_r))\s*\("), "strto*: use decimal_read()"),
    (re.compile(r"\bv?[fs]?scanf\s*\("), "scanf"),
    (re.compile(r"\bato(i|l|ll|f)\s*\("), "ato*: use decimal_read()"),
    (re.compile(r"\b(strcpy|strcat|strncat|stpcpy)\s*\("), "strcpy and strcat"),
    (re.compile(r"\bv?sprintf\s*\("), "sprintf: use snprintf()"),
    (re.compile(r"\bstrtok(_r)?\s*\("), "strtok"),
    (re.compile(r"\b(gmtime|localtime)(_r)?\s*\("), "gmtime and localtime: use clock_text()"),
    (re.compile(r"\btypedef\s+(struct|union|enum)\b"), "typedef of a struct"),
)

# A whole line of a comment that could be compiled.
CODE = re.compile(r"^[\s*]*(?:(?:if|for|while|switch)\s*\(.*\{|return\b[^.]*;|\w+\([^()]*\);|#include .*)\s*$")


def is_test(path):
    return path.parts[0] == "tests"


def may_have_globals(path):
    """Besides a few modules: the values that a program's table of options points at."""
    return path.as_posix() in GLOBALS_ALLOWED or path.name.startswith("main_") or is_test(path)


def check_lines(path, text):
    for number, line in enumerate(text.split("\n"), 1):
        if "\t" in line:
            yield number, "a tab"
        if line != line.rstrip():
            yield number, "blanks at the end of the line"
        if path.suffix in (".c", ".h") and len(line) > COLUMNS:
            yield number, f"{len(line)} columns, more than {COLUMNS}"


def check_begin(path, text):
    lines = text.split("\n")
    spdx = "SPDX-License-Identifier: PostgreSQL"
    if path.suffix in (".c", ".h", ".def"):
        if lines[0] != f"/* {spdx} */":
            yield 1, "the first line is not the SPDX line"
    elif f"# {spdx}" not in lines[:2]:
        yield 1, "there is no SPDX line at the top"
    if path.suffix == ".h":
        folder = "tests" if is_test(path) else path.parent.name
        guard = f"{folder}_{path.stem}_H".upper().replace("-", "_")
        if f"#ifndef {guard}\n#define {guard}\n" not in text:
            yield 1, f"the include guard is not {guard}"


def check_words(path, text):
    for number, line in enumerate(csource.blanked(text).split("\n"), 1):
        for pattern, what in BANNED:
            if is_test(path) and what == "strcpy and strcat":
                continue
            if pattern.search(line):
                yield number, f"banned: {what}"


def check_comments(path, text):
    for number, comment in csource.comments(text):
        if comment.startswith("//"):
            yield number, "a // comment"
        if path.suffix != ".c":
            continue
        for offset, line in enumerate(comment[2:].removesuffix("*/").split("\n")):
            if CODE.match(line):
                yield number + offset, "commented-out code"


def check_sizes(path, text):
    lines = text.count("\n")
    limit = TEST_FILE_LINES if is_test(path) else FILE_LINES
    if lines > limit:
        yield lines, f"the file has {lines} lines, more than {limit}"
    for function in csource.functions(text):
        limit = MAIN_LINES if function.name == "main" else FUNCTION_LINES
        if function.length() > limit:
            yield function.start, f"{function.name}() has {function.length()} lines, more than {limit}"
        if len([p for p in function.parameters if p != "struct err *err"]) > PARAMETERS:
            yield function.start, f"{function.name}() has more than {PARAMETERS} parameters"


def check_functions(path, text):
    """Conditional compilation and hidden state inside of functions."""
    raw = text.split("\n")
    code = csource.blanked(text).split("\n")
    for function in csource.functions(text):
        for number in range(function.start, function.end):
            if re.match(r"\s*#\s*(if|ifdef|ifndef|else|elif)\b", raw[number]):
                yield number + 1, "conditional compilation inside a function"
            if may_have_globals(path):
                continue
            if re.match(r"\s+static\b", code[number]) and not is_constant(code[number]):
                yield number + 1, "a mutable static variable"


def is_constant(declaration):
    """Is the variable itself constant, not only what it points at?"""
    head = declaration.split("=")[0]
    if "*" in head:
        return re.search(r"\bconst\b", head.rsplit("*", 1)[1]) is not None
    return re.search(r"\bconst\b", head) is not None


def check_globals(path, text):
    if may_have_globals(path):
        return
    for number, statement in csource.top_statements(text):
        head = statement.split("=")[0]
        if "(" in head or head.startswith(("extern", "typedef")):
            continue
        if re.fullmatch(r"(struct|union|enum)( \w+)?( ?\{\})?", head.strip()) or not head.strip():
            continue
        if not is_constant(statement):
            yield number, "a mutable global variable"


def check_unique(root):
    seen = {}
    for path in harness.sources(root, harness.SOURCE_FOLDERS, (".c", ".h")):
        if path.name in seen:
            yield f"{path}:1: there is also {seen[path.name]}"
        seen[path.name] = path


C_CHECKS = (
    check_lines, check_begin, check_words, check_comments, check_sizes, check_functions,
    check_globals,
)


def check(root):
    problems = list(check_unique(root))
    folders = harness.SOURCE_FOLDERS + ("tests",)
    for path in harness.sources(root, folders, (".c", ".h", ".def", ".py", ".sh")):
        if "golden" in path.parts or "corpus" in path.parts:
            continue
        checks = C_CHECKS if path.suffix in (".c", ".h") else (check_lines, check_begin)
        text = harness.read(root, path)
        for function in checks:
            problems += [f"{path}:{number}: {what}" for number, what in function(path, text)]
    return problems


SPDX = "/* SPDX-License-Identifier: PostgreSQL */\n"


def sample(title, body, expected, path="common/base/x.c"):
    return (title, {path: SPDX + body}, expected)


def function(lines, name="f", parameters="void", line="    x();\n"):
    return f"int\n{name}({parameters})\n{{\n" + line * lines + "}\n"


TABLE = "    static const int t[] = {\n" + "        1,\n" * 70 + "    };\n"
STRUCT_TABLE = "    static const struct {\n        int a;\n    } t[] = {\n" + "        {1},\n" * 70 + "    };\n"

SAMPLES = (
    sample("a clean file", "#include <x.h>\n\n/* Why. */\nstatic const char *const w[] = {\"goto\"};\n"
           + function(3), None),
    sample("goto", function(1, line="    goto end;\n"), "x.c:5: banned: goto"),
    sample("strtoul", function(1, line="    strtoul(a, b, 0);\n"), "banned: strto*"),
    sample("strtok", function(1, line="    strtok(a, b);\n"), "banned: strtok"),
    sample("sscanf", function(1, line="    sscanf(a, b);\n"), "banned: scanf"),
    sample("atoi", function(1, line="    atoi(a);\n"), "banned: ato*"),
    sample("strcpy", function(1, line="    strcpy(a, b);\n"), "banned: strcpy"),
    sample("sprintf", function(1, line="    sprintf(a, b);\n"), "banned: sprintf"),
    sample("snprintf is fine", function(1, line="    snprintf(a, 1, b);\n"), None),
    sample("gmtime_r", function(1, line="    gmtime_r(a, b);\n"), "banned: gmtime"),
    sample("alloca", function(1, line="    alloca(1);\n"), "banned: alloca"),
    sample("typedef", "typedef struct x x_t;\n", "typedef of a struct"),
    sample("mutable global", "static int counter;\n", "x.c:2: a mutable global"),
    sample("mutable pointer", "static const char *name = \"x\";\n", "a mutable global"),
    sample("mutable struct", "struct x x = {1};\n", "a mutable global"),
    sample("mutable static", function(1, line="    static int n;\n"), "a mutable static"),
    sample("globals of log.c", "static int n;\n", None, "common/base/log.c"),
    sample("option values", "static bool verbose;\n", None, "archive/main_push.c"),
    sample("types are no globals", "struct x {\n    int a;\n};\nenum {\n    A,\n};\nstruct y;\n", None),
    sample("#if in a function", function(1, line="#ifdef X\n#endif\n"), "conditional compilation"),
    sample("#if outside", "#ifdef X\n#endif\n" + function(1), None),
    sample("commented-out code", "/* x = 1;\nfree(x);\n*/\n", "x.c:3: commented-out code"),
    sample("// comments", "// no\n", "a // comment"),
    sample("a long function", function(58), "f() has 61 lines"),
    sample("a function that just fits", function(57), None),
    sample("a table does not count", function(1, line=TABLE + "    x();\n" * 54), None),
    sample("a struct table does not count", function(1, line=STRUCT_TABLE + "    x();\n" * 51), None),
    sample("code behind a table counts", function(1, line=TABLE + "    x();\n" * 57), "f() has 6"),
    sample("a long main", function(78, "main"), "main() has 81 lines"),
    sample("a main that fits", function(77, "main"), None),
    sample("many parameters", function(1, "f", "a a, b b, c c, d d, e e, f f, g g"), "parameters"),
    sample("six parameters and err",
           function(1, "f", "a a, b b, c c, d d, e e, int (*f)(g, h), struct err *err"), None),
    sample("a long file", "/* */\n" * 500, "501 lines, more than 500"),
    sample("a long test", "/* */\n" * 500, None, "tests/unit/test_x.c"),
    sample("a long line", "/* " + "x" * 98 + "*/\n", "103 columns"),
    sample("a tab", "\tx\n", "a tab"),
    sample("trailing blanks", "int f(void); \n", "blanks at the end"),
    ("no SPDX line", {"front/x.c": "int f(void);\n"}, "SPDX"),
    ("no SPDX line in a script", {"tests/x.py": "#!/usr/bin/env python3\n"}, "SPDX"),
    sample("the right guard", "#ifndef BASE_X_H\n#define BASE_X_H\n#endif\n", None, "common/base/x.h"),
    sample("a wrong guard", "#ifndef X_H\n#define X_H\n#endif\n", "not BASE_X_H", "common/base/x.h"),
    ("one name twice", {"common/base/x.c": SPDX, "front/x.c": SPDX}, "there is also common/base/x.c"),
)

if __name__ == "__main__":
    harness.run("rules 6 to 9 hold", check, SAMPLES)
