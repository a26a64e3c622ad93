/* SPDX-License-Identifier: PostgreSQL */
#include <limits.h>
#include <stdbool.h>
#include <string.h>

#include "base/hex.h"
#include "config/settings_parts.h"

struct scan {
    const char *text;
    size_t size;
    size_t at;
    unsigned line;
    const char *file;
    unsigned assignments;
    unsigned depth;
    bool after_string; /* nothing but blanks and comments since a string */
};

static int
fail(const struct scan *scan, struct err *err, const char *what)
{
    return settings_fail(err, scan->file, scan->line, "%s", what);
}

static char
peek(const struct scan *scan, size_t ahead)
{
    return scan->size - scan->at > ahead ? scan->text[scan->at + ahead] : '\0';
}

/* One line, which starts at scan->at, for what must not be in any line, wherever it stands. */
static int
check_line(const struct scan *scan, size_t length, struct err *err)
{
    static const char include[] = "@include";
    const char *line = scan->text + scan->at;
    size_t blanks = 0;

    if (length > SETTINGS_LINE_MAX)
        return fail(scan, err, "the line is too long (more than 4096 bytes)");
    for (size_t i = 0; i < length; i++) {
        unsigned char byte = (unsigned char)line[i];
        bool line_end = byte == '\r' && i + 1 == length && scan->at + length < scan->size;

        if (byte == '\0')
            return fail(scan, err, "the line contains a NUL byte");
        if ((byte < 0x20 && byte != '\t' && !line_end) || byte == 0x7f)
            return fail(scan, err, "the line contains a control character");
    }
    while (blanks < length && (line[blanks] == ' ' || line[blanks] == '\t'))
        blanks++;
    if (length - blanks >= sizeof(include) - 1 &&
        memcmp(line + blanks, include, sizeof(include) - 1) == 0)
        return fail(scan, err, "@include is not supported");
    return 0;
}

static int
check_lines(struct scan *scan, struct err *err)
{
    while (scan->at < scan->size) {
        const char *start = scan->text + scan->at;
        const char *end = memchr(start, '\n', scan->size - scan->at);
        size_t length = end == NULL ? scan->size - scan->at : (size_t)(end - start);

        if (check_line(scan, length, err) < 0)
            return -1;
        scan->at += length + (end != NULL);
        scan->line++;
    }
    scan->at = 0;
    scan->line = 1;
    return 0;
}

static void
skip_line_comment(struct scan *scan)
{
    while (scan->at < scan->size && scan->text[scan->at] != '\n')
        scan->at++;
}

/* libconfig takes an open comment for the end of the file, and with it every later setting. */
static int
skip_block_comment(struct scan *scan, struct err *err)
{
    unsigned start = scan->line;

    for (scan->at += 2; scan->at < scan->size; scan->at++) {
        if (peek(scan, 0) == '*' && peek(scan, 1) == '/') {
            scan->at += 2;
            return 0;
        }
        scan->line += peek(scan, 0) == '\n';
    }
    scan->line = start;
    return fail(scan, err, "the comment is not closed");
}

static int
skip_string(struct scan *scan, struct err *err)
{
    if (scan->after_string)
        return fail(scan, err, "two strings in a row: a comma or semicolon is missing");
    scan->after_string = true;
    for (scan->at++; scan->at < scan->size && peek(scan, 0) != '\n'; scan->at++) {
        char c = peek(scan, 0);

        if (c == '"') {
            scan->at++;
            return 0;
        }
        if (c != '\\')
            continue;
        scan->at++;
        if (peek(scan, 0) != '\\' && peek(scan, 0) != '"') {
            (void)fail(scan, err, "unknown escape in a string");
            return err_hint(err, "Only \\\\ and \\\" may be written in a string; a backslash is "
                                 "doubled.");
        }
    }
    return fail(scan, err, "the string is not closed on its line");
}

static bool
in_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '*' || c == '.';
}

/* libconfig cuts integers to 32 bits without a word: 4294967341 would be 45. */
static int
skip_word(struct scan *scan, struct err *err)
{
    const char *start = scan->text + scan->at;
    bool number = start[0] >= '0' && start[0] <= '9';
    uint64_t value = 0;
    size_t length = 0;

    while (in_word(peek(scan, length)) || (!number && peek(scan, length) == '-'))
        length++;
    scan->at += length;
    if (!number || decimal_read(start, length, INT_MAX, &value))
        return 0;
    (void)fail(scan, err, "a number that is not a whole decimal one, or is too large");
    return err_hint(err, "Numbers have digits only, no leading zeros, and are at most %d.",
                    INT_MAX);
}

static int
skip_other(struct scan *scan, struct err *err)
{
    char c = peek(scan, 0);

    if (c == '@')
        return fail(scan, err, "@include is not supported");
    if (c == '\n') {
        scan->line++;
    } else if (c == '=' || c == ':') {
        if (++scan->assignments > SETTINGS_ASSIGNMENTS_MAX)
            return fail(scan, err, "too many settings");
    } else if (c == '{' || c == '(' || c == '[') {
        if (++scan->depth > SETTINGS_DEPTH_MAX)
            return fail(scan, err, "groups and lists are nested too deep");
    } else if ((c == '}' || c == ')' || c == ']') && scan->depth > 0) {
        scan->depth--;
    }
    if (c != ' ' && c != '\t' && c != '\r' && c != '\n')
        scan->after_string = false;
    scan->at++;
    return 0;
}

static int
skip_token(struct scan *scan, struct err *err)
{
    char c = peek(scan, 0);

    if (c == '#' || (c == '/' && peek(scan, 1) == '/')) {
        skip_line_comment(scan);
        return 0;
    }
    if (c == '/' && peek(scan, 1) == '*')
        return skip_block_comment(scan, err);
    if (c == '"')
        return skip_string(scan, err);
    if (in_word(c)) {
        scan->after_string = false;
        return skip_word(scan, err);
    }
    return skip_other(scan, err);
}

int
settings_scan(const char *text, size_t size, const char *file, struct err *err)
{
    struct scan scan = {.text = text, .size = size, .line = 1, .file = file};

    if (size > SETTINGS_FILE_MAX)
        return settings_fail(err, file, 0, "the file is too large (more than %zu bytes)",
                             SETTINGS_FILE_MAX);
    if (size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
        (void)fail(&scan, err, "the file begins with a byte order mark");
        return err_hint(err, "Save it as UTF-8 without one.");
    }
    if (check_lines(&scan, err) < 0)
        return -1;
    while (scan.at < scan.size)
        if (skip_token(&scan, err) < 0)
            return -1;
    return 0;
}
