/* SPDX-License-Identifier: PostgreSQL */
/*
 * seawall: finds and runs seawall-VERB, beside itself first, then on the PATH.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/exit.h"
#include "base/log.h"
#include "base/process.h"

#define ARGUMENTS_MAX 256

static const struct {
    const char *name;
    const char *what;
} verbs[] = {
    {"agent", "the process that serves the hooks"},
    {"backup", "take a base backup into all stores"},
    {"check", "prove that stores, keys and server settings work"},
    {"events", "what happened: drops, truncates, mass deletes, restore points"},
    {"keygen", "make the keys of a new archive"},
    {"list", "backups, timelines, WAL ranges and gaps, per store"},
    {"names", "store what databases and relations are called now"},
    {"plan", "how a recovery would go, and whether all it needs is there"},
    {"restore", "bring a backup into an empty directory, ready to recover"},
    {"status", "the agent, files that wait to be archived, the lag of each store"},
    {"sync", "copy what a store lacks and another one has"},
    {"verify", "read the whole archive and verify every object"},
};

static void
print_help(void)
{
    (void)printf("Usage: seawall [--config FILE] VERB [OPTION]...\n\n"
                 "PostgreSQL disaster recovery: the verbs besides the hooks seawall-push and\n"
                 "seawall-fetch.\n\n");
    for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
        (void)printf("  %-10s %s\n", verbs[i].name, verbs[i].what);
    (void)printf("\nOptions:\n"
                 "  --config FILE  configuration file, handed to the verb\n"
                 "  --help         show this help, then exit\n"
                 "  --version      show the version, then exit\n\n"
                 "\"seawall VERB --help\" tells more about a verb.\n");
}

/* A verb is letters only, so that it can be put into a file name. */
static bool
is_verb(const char *text)
{
    return text[0] != '\0' && strlen(text) <= 32 &&
           text[strspn(text, "abcdefghijklmnopqrstuvwxyz")] == '\0';
}

static int
usage(struct err *err, const char *what, const char *argument)
{
    char quoted[80];

    (void)err_set(err, ERR_CONFIG, "%s%s", what,
                  argument == NULL ? ""
                                   : err_quote(argument, strlen(argument), quoted, sizeof(quoted)));
    return err_hint(err, "Try \"seawall --help\".");
}

/* Run the verb's program in our place; only failures return. */
static int
run_verb(const char *verb, char **arguments, struct err *err)
{
    char directory[PATH_MAX];
    char path[PATH_MAX + 64];
    char program[64];

    (void)snprintf(program, sizeof(program), "seawall-%s", verb);
    arguments[0] = program;
    if (process_directory(directory, sizeof(directory), err) < 0)
        return -1;
    (void)snprintf(path, sizeof(path), "%s/%s", directory, program);
    (void)execv(path, arguments);
    if (errno == ENOENT)
        (void)execvp(program, arguments);
    if (errno == ENOENT)
        return usage(err, "there is no verb named ", verb);
    return err_sys(err, errno, "could not run \"%s\"", program);
}

/*
 * Options before the verb: --config goes behind the verb, where it is understood. 0 with
 * *ret_verb NULL: help or version was printed.
 */
static int
arrange(int argc, char **argv, char **ret_arguments, const char **ret_verb, struct err *err)
{
    int at = 1;
    int n = 1;

    for (; at < argc && argv[at][0] == '-'; at++) {
        if (strcmp(argv[at], "--help") == 0 || strcmp(argv[at], "--version") == 0) {
            if (argv[at][2] == 'h')
                print_help();
            else
                (void)printf("seawall (Seawall) %s\n", SEAWALL_VERSION);
            *ret_verb = NULL;
            return 0;
        }
        if (strcmp(argv[at], "--config") == 0 && at + 1 < argc) {
            ret_arguments[n++] = argv[at++];
            ret_arguments[n++] = argv[at];
        } else if (strncmp(argv[at], "--config=", 9) == 0) {
            ret_arguments[n++] = argv[at];
        } else {
            return usage(err, "unknown option or missing argument: ", argv[at]);
        }
        if (n > ARGUMENTS_MAX / 2)
            return usage(err, "too many options", NULL);
    }
    if (at == argc)
        return usage(err, "a verb is missing", NULL);
    if (!is_verb(argv[at]))
        return usage(err, "there is no verb named ", argv[at]);
    *ret_verb = argv[at++];
    for (; at < argc; at++) {
        if (n == ARGUMENTS_MAX - 1)
            return usage(err, "too many arguments", NULL);
        ret_arguments[n++] = argv[at];
    }
    ret_arguments[n] = NULL;
    return 0;
}

int
main(int argc, char **argv)
{
    struct err err = ERR_INIT;
    char *arguments[ARGUMENTS_MAX] = {NULL};
    const char *verb = NULL;

    log_init("seawall", false);
    if (arrange(argc, argv, arguments, &verb, &err) == 0) {
        if (verb == NULL)
            return EXIT_DONE;
        (void)!run_verb(verb, arguments, &err);
    }
    log_err(&err);
    return exit_code(EXIT_SIDE_ARCHIVE, err.kind);
}
