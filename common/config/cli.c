/* SPDX-License-Identifier: PostgreSQL */
#include "config/cli.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/io.h"
#include "config/nearest.h"

#define HELP_MAX (64 * KIB)
#define HELP_COLUMN_MAX 30 /* a longer option has its text on the next line */

static const struct cli_option common_options[] = {
    {.name = "--help", .help = "show this help and exit"},
    {.name = "--version", .help = "show the version and exit"},
};

struct parse {
    const struct cli *cli;
    int argc;
    char **argv;
    int at;
    int n; /* positional arguments so far, moved to argv[1..n] */
    uint64_t seen;
};

static int
fail_with_hint(const struct cli *cli, struct err *err)
{
    return err_hint(err, "Try \"%s --help\".", cli->program);
}

/* ---- help ---- */

/*
 * Append `text` wrapped at CLI_HELP_WIDTH and a line end. The first line begins where the buffer
 * stands, at `column`; the following ones are indented.
 */
static int
put_wrapped(struct buf *help, size_t column, size_t indent, const char *text, size_t length,
            struct err *err)
{
    size_t at = 0;
    bool first = true;

    while (at < length) {
        size_t word = 0;

        while (at + word < length && text[at + word] != ' ')
            word++;
        if (!first && column + 1 + word > CLI_HELP_WIDTH) {
            if (buf_printf(help, err, "\n%*s", (int)indent, "") != 0)
                return -1;
            column = indent;
            first = true;
        }
        if (buf_printf(help, err, "%s%.*s", first ? "" : " ", (int)word, text + at) != 0)
            return -1;
        column += word + !first;
        first = false;
        at += word;
        while (at < length && text[at] == ' ')
            at++;
    }
    return buf_printf(help, err, "\n") == 0 ? 0 : -1;
}

/* How much of a line stands in front of its text: "  12  " of "  12  conflict". */
static size_t
lead_length(const char *line, size_t length)
{
    size_t blanks = MIN_OF(strspn(line, " "), length);
    size_t gap = blanks;

    while (gap + 1 < length && gap < HELP_COLUMN_MAX && memcmp(line + gap, "  ", 2) != 0)
        gap++;
    if (blanks == 0 || gap + 1 >= length || gap >= HELP_COLUMN_MAX)
        return blanks;
    while (gap < length && line[gap] == ' ')
        gap++;
    return gap;
}

/* Each line of the text by itself, what is wrapped standing below the line's text. */
static int
put_lines(struct buf *help, const char *text, struct err *err)
{
    while (*text != '\0') {
        size_t length = strcspn(text, "\n");
        size_t lead = lead_length(text, length);

        if (buf_append(help, text, lead, err) != 0 ||
            put_wrapped(help, lead, lead, text + lead, length - lead, err) < 0)
            return -1;
        text += length + (text[length] == '\n');
    }
    return 0;
}

static size_t
option_width(const struct cli_option *option)
{
    return strlen(option->name) + (option->argument == NULL ? 0 : 1 + strlen(option->argument));
}

static int
put_option(struct buf *help, const struct cli_option *option, size_t text_column, struct err *err)
{
    size_t width = 2 + option_width(option);
    bool fits = width + 2 <= text_column;
    const char *argument = option->argument == NULL ? "" : option->argument;

    if (buf_printf(help, err, "  %s%s%s%s%*s", option->name, *argument == '\0' ? "" : " ", argument,
                   fits ? "" : "\n", (int)(fits ? text_column - width : text_column), "") != 0)
        return -1;
    return put_wrapped(help, text_column, text_column, option->help, strlen(option->help), err);
}

static int
put_options(struct buf *help, const struct cli_option *options, struct err *err)
{
    size_t widest = strlen("--version");

    for (const struct cli_option *option = options; option->name != NULL; option++)
        if (option_width(option) + 4 <= HELP_COLUMN_MAX)
            widest = MAX_OF(widest, option_width(option));
    if (buf_printf(help, err, "\nOptions:\n") != 0)
        return -1;
    for (const struct cli_option *option = options; option->name != NULL; option++)
        if (put_option(help, option, widest + 4, err) < 0)
            return -1;
    for (size_t i = 0; i < ARRAY_SIZE(common_options); i++)
        if (put_option(help, &common_options[i], widest + 4, err) < 0)
            return -1;
    return 0;
}

static int
put_help(struct buf *help, const struct cli *cli, struct err *err)
{
    size_t indent = strlen("Usage: ") + strlen(cli->program) + 1;

    if (buf_printf(help, err, "Usage: %s ", cli->program) != 0 ||
        put_wrapped(help, indent, indent, cli->synopsis, strlen(cli->synopsis), err) < 0 ||
        buf_printf(help, err, "\n") != 0 || put_lines(help, cli->summary, err) < 0 ||
        put_options(help, cli->options, err) < 0)
        return -1;
    if (cli->epilogue == NULL)
        return 0;
    return buf_printf(help, err, "\n") == 0 ? put_lines(help, cli->epilogue, err) : -1;
}

static int
print_help(const struct cli *cli, struct err *err)
{
    AUTO(buf) struct buf help = BUF_INIT(HELP_MAX);

    if (put_help(&help, cli, err) < 0)
        return err_set(err, ERR_INTERNAL, "could not make the help text");
    if (io_write_full(STDOUT_FILENO, help.data, help.size, "standard output", err) < 0)
        return -1;
    return CLI_HELP;
}

static int
print_version(const struct cli *cli, struct err *err)
{
    char line[128];
    int length = snprintf(line, sizeof(line), "%s (Seawall) %s\n", cli->program, SEAWALL_VERSION);

    if (length < 0 || (size_t)length >= sizeof(line))
        return err_set(err, ERR_INTERNAL, "could not make the version text");
    if (io_write_full(STDOUT_FILENO, line, (size_t)length, "standard output", err) < 0)
        return -1;
    return CLI_VERSION;
}

/* ---- parsing ---- */

static bool
looks_like_option(const char *text)
{
    return text[0] == '-' && text[1] != '\0';
}

static bool
is_named(const char *text, size_t length, const char *name)
{
    return strlen(name) == length && memcmp(text, name, length) == 0;
}

/* What stands behind "=" may be a secret somebody put on the wrong command line. */
static int
fail_unknown(const struct cli *cli, const char *text, size_t length, struct err *err)
{
    char quoted[64];
    char name[64];
    const char *best = NULL;
    unsigned distance = NEAREST_MAX + 1;

    /* "-pSECRET" has no "=": one letter is all that is said of a short option. */
    length = text[1] == '-' ? length : MIN_OF(length, (size_t)2);
    (void)err_quote(text, length, quoted, sizeof(quoted));
    (void)snprintf(name, sizeof(name), "%.*s", (int)MIN_OF(length, sizeof(name) - 1), text);
    (void)err_set(err, ERR_CONFIG, "unknown option \"%s\"", quoted);
    for (const struct cli_option *option = cli->options; option->name != NULL; option++) {
        unsigned d = nearest_distance(name, option->name);

        best = d < distance ? option->name : best;
        distance = MIN_OF(d, distance);
    }
    if (best != NULL)
        return err_hint(err, "Did you mean \"%s\"? Try \"%s --help\".", best, cli->program);
    return fail_with_hint(cli, err);
}

static int
set_flag(const struct cli *cli, const struct cli_option *option, bool has_value, struct err *err)
{
    if (has_value) {
        (void)err_set(err, ERR_CONFIG, "option \"%s\" takes no value", option->name);
        return fail_with_hint(cli, err);
    }
    if (option->flag != NULL)
        *option->flag = true;
    return 0;
}

static bool
is_repeated(const struct cli *cli, const struct cli_option *option)
{
    return cli->repeated != NULL && strcmp(cli->repeated, option->name) == 0;
}

static int
add_repeated(const struct cli *cli, const char *value, struct err *err)
{
    size_t n = 0;

    while (cli->repeated_values[n] != NULL)
        n++;
    if (n == CLI_REPEATED_MAX) {
        (void)err_set(err, ERR_CONFIG, "option \"%s\" is given more than %d times", cli->repeated,
                      CLI_REPEATED_MAX);
        return fail_with_hint(cli, err);
    }
    cli->repeated_values[n] = value;
    return 0;
}

/* `inline_value` is what stands behind "=", or NULL. */
static int
set_option(struct parse *parse, const struct cli_option *option, const char *inline_value,
           struct err *err)
{
    const struct cli *cli = parse->cli;
    uint64_t bit = (uint64_t)1 << (option - cli->options);

    if ((parse->seen & bit) != 0 && !is_repeated(cli, option)) {
        (void)err_set(err, ERR_CONFIG, "option \"%s\" is given twice", option->name);
        return fail_with_hint(cli, err);
    }
    parse->seen |= bit;
    if (option->argument == NULL)
        return set_flag(cli, option, inline_value != NULL, err);

    const char *value = inline_value;
    if (value == NULL && parse->at + 1 < parse->argc &&
        !looks_like_option(parse->argv[parse->at + 1]))
        value = parse->argv[++parse->at];
    if (value == NULL || value[0] == '\0') {
        (void)err_set(err, ERR_CONFIG, "option \"%s\" needs a value", option->name);
        return fail_with_hint(cli, err);
    }
    if (is_repeated(cli, option))
        return add_repeated(cli, value, err);
    *option->value = value;
    return 0;
}

static int
parse_option(struct parse *parse, struct err *err)
{
    const struct cli *cli = parse->cli;
    const char *text = parse->argv[parse->at];
    size_t length = strcspn(text, "=");
    const char *value = text[length] == '=' ? text + length + 1 : NULL;

    for (const struct cli_option *option = cli->options; option->name != NULL; option++)
        if (is_named(text, length, option->name))
            return set_option(parse, option, value, err);
    for (size_t i = 0; i < ARRAY_SIZE(common_options); i++) {
        if (!is_named(text, length, common_options[i].name))
            continue;
        if (set_flag(cli, &common_options[i], value != NULL, err) < 0)
            return -1;
        return i == 0 ? print_help(cli, err) : print_version(cli, err);
    }
    return fail_unknown(cli, text, length, err);
}

static int
add_argument(struct parse *parse, struct err *err)
{
    char *text = parse->argv[parse->at];

    if (text[0] == '\0' && parse->cli->max_arguments != CLI_REST) {
        (void)err_set(err, ERR_CONFIG, "argument %d is empty", parse->n + 1);
        return fail_with_hint(parse->cli, err);
    }
    parse->argv[++parse->n] = text;
    return 0;
}

static int
check_count(const struct parse *parse, struct err *err)
{
    const struct cli *cli = parse->cli;

    if (parse->n >= cli->min_arguments &&
        (cli->max_arguments == CLI_REST || parse->n <= cli->max_arguments))
        return 0;
    (void)err_set(err, ERR_CONFIG, "too %s arguments: %d instead of %s%d",
                  parse->n < cli->min_arguments ? "few" : "many", parse->n,
                  cli->min_arguments == cli->max_arguments ? ""
                  : parse->n < cli->min_arguments          ? "at least "
                                                           : "at most ",
                  parse->n < cli->min_arguments ? cli->min_arguments : cli->max_arguments);
    return fail_with_hint(cli, err);
}

int
cli_parse(const struct cli *cli, int argc, char **argv, char ***ret_arguments, int *ret_n,
          struct err *err)
{
    struct parse parse = {.cli = cli, .argc = argc, .argv = argv};
    bool options_ended = false;
    size_t n_options = 0;

    while (cli->options[n_options].name != NULL)
        n_options++;
    if (n_options > CLI_OPTIONS_MAX || argc < 1)
        return err_set(err, ERR_INTERNAL, "the table of options does not fit");
    for (parse.at = 1; parse.at < argc; parse.at++) {
        int rc = 0;

        if (options_ended || !looks_like_option(argv[parse.at])) {
            rc = add_argument(&parse, err);
            options_ended = options_ended || cli->max_arguments == CLI_REST;
        } else if (strcmp(argv[parse.at], "--") == 0) {
            options_ended = true;
        } else {
            rc = parse_option(&parse, err);
        }
        if (rc != 0)
            return rc;
    }
    if (check_count(&parse, err) < 0)
        return -1;
    if (parse.n + 1 < argc)
        argv[parse.n + 1] = NULL;
    *ret_arguments = argv + 1;
    *ret_n = parse.n;
    return 0;
}
