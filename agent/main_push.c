/* SPDX-License-Identifier: PostgreSQL */
/*
 * seawall-push: PostgreSQL's archive_command. Exit 0 means stored; every failure is 10 to 16, for
 * PostgreSQL does not count what passes 125.
 */
#include "agent/hook.h"
#include "base/clock.h"
#include "base/process.h"
#include "config/program.h"

/* Below the 60 seconds that pg_ctl waits for a server to stop. */
#define STANDARD_MS 45000
#define FIRST_DEADLINE_MS 60000

static const char *config_file;
static const char *runtime_dir;
static const char *timeout;
static bool one_shot;
static bool verbose;

static const struct cli_option options[] = {
    {"--config", "FILE", "configuration file", &config_file, NULL},
    {"--one-shot", NULL, "do the work without an agent", NULL, &one_shot},
    {"--timeout", "SECONDS", "give up after this long", &timeout, NULL},
    {"--runtime-dir", "DIR", "where the agent's socket is", &runtime_dir, NULL},
    {"--verbose", NULL, "say more", NULL, &verbose},
    {NULL, NULL, NULL, NULL, NULL},
};

static const struct cli cli = {
    .program = "seawall-push",
    .synopsis = "[--config FILE] [--one-shot] [--timeout SECONDS] [--runtime-dir DIR] [--verbose] "
                "PATH",
    .summary = "Archive one WAL file: archive_command = 'seawall-push %p'.",
    .options = options,
    .min_arguments = 1,
    .max_arguments = 1,
    .epilogue = "Exit status: 0 stored; 10 transient; 11 refused by the store; 12 other content\n"
                "under this name; 13 local file; 14 configuration; 15 integrity; 16 internal.",
};

static int
run(char **arguments, int n UNUSED, struct err *err)
{
    AUTO(hook_answer) struct hook_answer answer = HOOK_ANSWER_INIT;
    struct hook hook = {
        .config = config_file,
        .runtime_dir = runtime_dir,
        .timeout = timeout,
        .verb = WIRE_PUSH,
        .path = arguments[0],
        .standard_ms = STANDARD_MS,
        .late_code = exit_code(EXIT_SIDE_ARCHIVE, ERR_TRANSIENT),
        .start = true,
        .alone = true,
    };

    int64_t start_ms = clock_boot_ms();
    int rc = one_shot ? HOOK_OFF : hook_ask(&hook, &answer, &log_notices, err);
    if (rc == HOOK_SILENT)
        return hook_become_instead(&hook, start_ms, verbose, err);
    return rc == HOOK_OFF ? hook_become(&hook, verbose, err) : rc;
}

static const struct program program = {
    .cli = &cli,
    .side = EXIT_SIDE_ARCHIVE,
    .run = run,
    .verbose = &verbose,
    .first_deadline_ms = FIRST_DEADLINE_MS,
};

int
main(int argc, char **argv)
{
    return program_main(&program, argc, argv);
}
