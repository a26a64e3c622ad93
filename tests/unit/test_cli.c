/* SPDX-License-Identifier: PostgreSQL */
#include "config/cli.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "config/nearest.h"

#define ARGUMENTS_MAX 10

struct answers {
    const char *config;
    const char *target;
    bool json;
};

static struct answers answers;

static const struct cli_option options[] = {
    {.name = "--config",
     .argument = "FILE",
     .help = "configuration file",
     .value = &answers.config},
    {.name = "--target-dir-with-a-very-long-name",
     .argument = "DIRECTORY",
     .help =
         "an option whose name leaves no room, and whose help text is so long that it has to go "
         "on on another line",
     .value = &answers.target},
    {.name = "--json", .help = "print JSON", .flag = &answers.json},
    {.name = NULL},
};

static struct cli
make_cli(int min, int max)
{
    return (struct cli){
        .program = "seawall-test",
        .synopsis = "[--config FILE] [--target-dir-with-a-very-long-name DIRECTORY] [--json] NAME "
                    "PATH",
        .summary = "Does what a test needs and nothing else, in a sentence that is longer than one "
                   "line of a terminal.",
        .options = options,
        .min_arguments = min,
        .max_arguments = max,
        .epilogue = "Exit codes:\n  0    done\n  1    proven absent, which means that no store has "
                    "the file and that it is known not to exist\n",
    };
}

struct outcome {
    int rc;
    int n;
    char **arguments;
    struct err err;
    char *argv[ARGUMENTS_MAX + 2];
    int argc;
};

/* `line` is cut at blanks; "''" stands for an empty argument. */
static void
run(const struct cli *cli, const char *line, struct outcome *ret)
{
    static char words[512];
    char *rest = words;

    answers = (struct answers){.config = NULL};
    *ret = (struct outcome){.n = -1, .argc = 1};
    ret->argv[0] = words + sizeof(words) - 1;
    (void)snprintf(words, sizeof(words), "%s", line);
    for (char *word; (word = strsep(&rest, " ")) != NULL;) {
        if (*word == '\0')
            continue;
        assert_true(ret->argc <= ARGUMENTS_MAX);
        ret->argv[ret->argc++] = strcmp(word, "''") == 0 ? word + 2 : word;
    }
    ret->rc = cli_parse(cli, ret->argc, ret->argv, &ret->arguments, &ret->n, &ret->err);
}

static void
command_lines_are_parsed_as_written(void **state)
{
    static const struct {
        const char *line;
        const char *config;
        const char *target;
        bool json;
        const char *arguments; /* joined by commas */
    } cases[] = {
        {"", NULL, NULL, false, ""},
        {"a", NULL, NULL, false, "a"},
        {"a b c", NULL, NULL, false, "a,b,c"},
        {"--config f a", "f", NULL, false, "a"},
        {"--config=f a", "f", NULL, false, "a"},
        {"--config=-f a", "-f", NULL, false, "a"},
        {"--config=a=b", "a=b", NULL, false, ""},
        {"--config - a", "-", NULL, false, "a"},
        {"a --json b --config f c", "f", NULL, true, "a,b,c"},
        {"--json -- --config f", NULL, NULL, true, "--config,f"},
        {"a -- -b --", NULL, NULL, false, "a,-b,--"},
        {"- a", NULL, NULL, false, "-,a"},
        {"--target-dir-with-a-very-long-name d", NULL, "d", false, ""},
        {"a b -- --help", NULL, NULL, false, "a,b,--help"},
    };
    struct cli cli = make_cli(0, 3);

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct outcome outcome;
        char joined[128] = "";

        run(&cli, cases[i].line, &outcome);
        assert_int_equal(outcome.rc, 0);
        for (int j = 0; j < outcome.n; j++)
            (void)snprintf(joined + strlen(joined), sizeof(joined) - strlen(joined), "%s%s",
                           j == 0 ? "" : ",", outcome.arguments[j]);
        assert_string_equal(joined, cases[i].arguments);
        assert_null(outcome.arguments[outcome.n]);
        assert_int_equal(answers.json, cases[i].json);
        assert_string_equal(answers.config == NULL ? "(null)" : answers.config,
                            cases[i].config == NULL ? "(null)" : cases[i].config);
        assert_string_equal(answers.target == NULL ? "(null)" : answers.target,
                            cases[i].target == NULL ? "(null)" : cases[i].target);
    }
}

static void
wrong_command_lines_are_refused_with_a_hint(void **state)
{
    static const struct {
        const char *line;
        const char *text;
        const char *hint;
    } cases[] = {
        {"", "too few arguments: 0 instead of at least 1", "Try \"seawall-test --help\"."},
        {"a b c", "too many arguments: 3 instead of at most 2", "Try"},
        {"--config", "option \"--config\" needs a value", "Try"},
        {"a --config", "option \"--config\" needs a value", "Try"},
        {"--config --json a", "option \"--config\" needs a value", "Try"},
        {"--config -x a", "option \"--config\" needs a value", "Try"},
        {"--config -- a", "option \"--config\" needs a value", "Try"},
        {"--config= a", "option \"--config\" needs a value", "Try"},
        {"--config '' a", "option \"--config\" needs a value", "Try"},
        {"--config f --config=g a", "option \"--config\" is given twice", "Try"},
        {"--json --json a", "option \"--json\" is given twice", "Try"},
        {"--json=yes a", "option \"--json\" takes no value", "Try"},
        {"--json= a", "option \"--json\" takes no value", "Try"},
        {"--help=x a", "option \"--help\" takes no value", "Try"},
        {"--conf f a", "unknown option \"--conf\"", "Did you mean \"--config\"?"},
        {"--jason a", "unknown option \"--jason\"", "Did you mean \"--json\"?"},
        {"-json a", "unknown option \"-j\"", "Try"},
        {"-v a", "unknown option \"-v\"", "Try"},
        {"a -b", "unknown option \"-b\"", "Try"},
        {"a ''", "argument 2 is empty", "Try"},
        {"-- ''", "argument 1 is empty", "Try"},
        {"--=x a", "unknown option \"--\"", "Try"},
        {"--\x1b[31m a", "unknown option \"--\\x1b[31m\"", "Try"},
    };
    struct cli cli = make_cli(1, 2);

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct outcome outcome;

        run(&cli, cases[i].line, &outcome);
        assert_int_equal(outcome.rc, -1);
        assert_int_equal(outcome.err.kind, ERR_CONFIG);
        assert_string_equal(outcome.err.text, cases[i].text);
        assert_non_null(strstr(outcome.err.hint, cases[i].hint));
        assert_int_equal(outcome.n, -1);
    }
}

static void
an_option_that_may_be_repeated_gives_all_its_values(void **state)
{
    static const char *values[CLI_REPEATED_MAX + 1];
    struct cli cli = make_cli(0, 2);
    struct outcome outcome;

    (void)state;
    cli.repeated = "--target-dir-with-a-very-long-name";
    cli.repeated_values = values;
    run(&cli,
        "--target-dir-with-a-very-long-name a --target-dir-with-a-very-long-name=b x", &outcome);
    assert_int_equal(outcome.rc, 0);
    assert_int_equal(outcome.n, 1);
    assert_string_equal(values[0], "a");
    assert_string_equal(values[1], "b");
    assert_null(values[2]);
    run(&cli, "--target-dir-with-a-very-long-name", &outcome);
    assert_int_equal(outcome.rc, -1);
    for (size_t i = 0; i < CLI_REPEATED_MAX; i++)
        values[i] = "x";
    run(&cli, "--target-dir-with-a-very-long-name b", &outcome);
    assert_non_null(strstr(outcome.err.text, " is given more than 256 times"));
}

static void
a_fixed_number_of_arguments_is_named_exactly(void **state)
{
    struct cli cli = make_cli(2, 2);
    struct outcome outcome;

    (void)state;
    run(&cli, "a", &outcome);
    assert_string_equal(outcome.err.text, "too few arguments: 1 instead of 2");
    run(&cli, "a b c", &outcome);
    assert_string_equal(outcome.err.text, "too many arguments: 3 instead of 2");
}

static void
values_on_a_wrong_command_line_are_never_echoed(void **state)
{
    static const char *const lines[] = {
        "--secret-access-key=CANARY",
        "--secret-access-key CANARY",
        "-pCANARY",
        "CANARY CANARY CANARY",
        "--json=CANARY",
        "--config CANARY --config=CANARY",
    };
    struct cli cli = make_cli(1, 2);

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
        struct outcome outcome;

        run(&cli, lines[i], &outcome);
        assert_int_equal(outcome.rc, -1);
        assert_null(strstr(outcome.err.text, "CANARY"));
        assert_null(strstr(outcome.err.hint, "CANARY"));
    }
}

static void
with_a_rest_the_first_argument_ends_the_options(void **state)
{
    struct cli cli = make_cli(0, CLI_REST);
    struct outcome outcome;

    (void)state;
    run(&cli, "--config f backup --full --json -- '' --help", &outcome);
    assert_int_equal(outcome.rc, 0);
    assert_int_equal(outcome.n, 6);
    assert_string_equal(outcome.arguments[0], "backup");
    assert_string_equal(outcome.arguments[1], "--full");
    assert_string_equal(outcome.arguments[3], "--");
    assert_string_equal(outcome.arguments[5], "--help");
    assert_null(outcome.arguments[6]);
    assert_false(answers.json);
    run(&cli, "--full backup", &outcome);
    assert_int_equal(outcome.rc, -1);
}

/* What cli_parse() writes to stdout, as a string in a static buffer. */
static const char *
captured(const char *line, int expected)
{
    static char text[8192];
    struct cli cli = make_cli(1, 2);
    struct outcome outcome;
    FILE *file = tmpfile();
    int saved = dup(STDOUT_FILENO);

    assert_non_null(file);
    (void)fflush(stdout);
    assert_true(dup2(fileno(file), STDOUT_FILENO) >= 0);
    run(&cli, line, &outcome);
    assert_true(dup2(saved, STDOUT_FILENO) >= 0);
    (void)close(saved);
    rewind(file);
    text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
    (void)fclose(file);
    assert_int_equal(outcome.rc, expected);
    return text;
}

static void
help_is_wrapped_at_eighty_columns(void **state)
{
    static const char expected[] =
        "Usage: seawall-test [--config FILE] [--target-dir-with-a-very-long-name\n"
        "                    DIRECTORY] [--json] NAME PATH\n"
        "\n"
        "Does what a test needs and nothing else, in a sentence that is longer than one\n"
        "line of a terminal.\n"
        "\n"
        "Options:\n"
        "  --config FILE  configuration file\n"
        "  --target-dir-with-a-very-long-name DIRECTORY\n"
        "                 an option whose name leaves no room, and whose help text is so\n"
        "                 long that it has to go on on another line\n"
        "  --json         print JSON\n"
        "  --help         show this help and exit\n"
        "  --version      show the version and exit\n"
        "\n"
        "Exit codes:\n"
        "  0    done\n"
        "  1    proven absent, which means that no store has the file and that it is\n"
        "       known not to exist\n";

    (void)state;
    assert_string_equal(captured("--help", CLI_HELP), expected);
    assert_string_equal(captured("a b c --json --help --nonsense", CLI_HELP), expected);
}

static void
version_names_program_and_suite(void **state)
{
    (void)state;
    assert_string_equal(captured("--version", CLI_VERSION),
                        "seawall-test (Seawall) " SEAWALL_VERSION "\n");
}

static void
help_that_cannot_be_written_is_an_error(void **state)
{
    struct cli cli = make_cli(0, 0);
    struct outcome outcome;
    int saved = dup(STDOUT_FILENO);
    FILE *full = fopen("/dev/full", "w");

    (void)state;
    assert_non_null(full);
    (void)fflush(stdout);
    assert_true(dup2(fileno(full), STDOUT_FILENO) >= 0);
    run(&cli, "--help", &outcome);
    assert_true(dup2(saved, STDOUT_FILENO) >= 0);
    (void)close(saved);
    (void)fclose(full);
    assert_int_equal(outcome.rc, -1);
    assert_int_equal(outcome.err.kind, ERR_LOCAL);
}

static void
near_names_are_told_from_far_ones(void **state)
{
    static const char long_word[] =
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    static const struct {
        const char *word;
        const char *name;
        unsigned distance;
    } cases[] = {
        {"cluster", "cluster", 0},
        {"Cluster", "cluster", 0},
        {"push-timeout", "push_timeout", 0},
        {"clster", "cluster", 1},
        {"xcluster", "cluster", 1},
        {"clustre", "cluster", 2},
        {"r", "rpo", NEAREST_MAX + 1},
        {"", "rpo", NEAREST_MAX + 1},
        {long_word, long_word, NEAREST_MAX + 1},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        assert_int_equal(nearest_distance(cases[i].word, cases[i].name), cases[i].distance);
    assert_true(nearest_distance("nonsense", "cluster") > NEAREST_MAX);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(command_lines_are_parsed_as_written),
        cmocka_unit_test(wrong_command_lines_are_refused_with_a_hint),
        cmocka_unit_test(an_option_that_may_be_repeated_gives_all_its_values),
        cmocka_unit_test(a_fixed_number_of_arguments_is_named_exactly),
        cmocka_unit_test(values_on_a_wrong_command_line_are_never_echoed),
        cmocka_unit_test(with_a_rest_the_first_argument_ends_the_options),
        cmocka_unit_test(help_is_wrapped_at_eighty_columns),
        cmocka_unit_test(version_names_program_and_suite),
        cmocka_unit_test(help_that_cannot_be_written_is_an_error),
        cmocka_unit_test(near_names_are_told_from_far_ones),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
