/* SPDX-License-Identifier: PostgreSQL */
/*
 * seawall-fetch: PostgreSQL's restore_command. Exit 0: the file is there, verified; 1: proven that
 * it does not exist. Every doubt passes 125, so that PostgreSQL stops instead of promoting short -
 * but for one question, where stopping would be worse (agent/promotion.h).
 */
#include <unistd.h>

#include "agent/hook.h"
#include "agent/promotion.h"
#include "base/arrival.h"
#include "base/clock.h"
#include "base/process.h"
#include "config/program.h"

#define STANDARD_MS 120000
#define FIRST_DEADLINE_MS 125000

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
    .program = "seawall-fetch",
    .synopsis = "[--config FILE] [--one-shot] [--timeout SECONDS] [--runtime-dir DIR] [--verbose] "
                "NAME PATH",
    .summary = "Bring one WAL file back: restore_command = 'seawall-fetch %f %p'.",
    .options = options,
    .min_arguments = 2,
    .max_arguments = 2,
    .epilogue =
        "Exit status: 0 restored and verified; 1 proven absent; 200 transient;\n"
        "201 integrity; 202 configuration, keys or refused by the store; 203 gap, deleted or\n"
        "stores disagree; 204 local file; 205 internal.",
};

/* The destination is opened first: that it cannot be written is known before anybody is asked. */
static int
ask_agent(const struct hook *hook, bool *ret_decided, struct err *err)
{
    AUTO(arrival) struct arrival arrival = ARRIVAL_INIT;
    AUTO(hook_answer) struct hook_answer answer = HOOK_ANSWER_INIT;

    if (arrival_open(hook->path, &arrival, err) < 0)
        return -1;
    int rc = hook_ask(hook, &answer, &log_notices, err);
    *ret_decided = answer.decided;
    return rc != 0 ? rc : arrival_put(&arrival, answer.file, hook->name, err);
}

static int
run(char **arguments, int n UNUSED, struct err *err)
{
    struct hook hook = {
        .config = config_file,
        .runtime_dir = runtime_dir,
        .timeout = timeout,
        .verb = WIRE_FETCH,
        .name = arguments[0],
        .path = arguments[1],
        .standard_ms = STANDARD_MS,
        .late_code = exit_code(EXIT_SIDE_RESTORE, ERR_TRANSIENT),
        .start = true,
        .alone = true,
    };

    if (promotion_has(hook.name, hook.path)) {
        log_line(LOG_INFO, "%s: the server that is promoted has its own", hook.name);
        return EXIT_PROVEN_ABSENT;
    }

    int64_t start_ms = clock_boot_ms();
    bool decided = false;
    int rc = one_shot ? HOOK_OFF : ask_agent(&hook, &decided, err);
    if (rc == HOOK_SILENT || (rc < 0 && !decided && access("standby.signal", F_OK) == 0))
        return hook_become_instead(&hook, start_ms, verbose, err);
    if (rc == HOOK_OFF)
        return hook_become(&hook, verbose, err);
    return rc == HOOK_ABSENT ? EXIT_PROVEN_ABSENT : rc;
}

static const struct program program = {
    .cli = &cli,
    .side = EXIT_SIDE_RESTORE,
    .run = run,
    .verbose = &verbose,
    .first_deadline_ms = FIRST_DEADLINE_MS,
    .die_by_signal = true,
};

int
main(int argc, char **argv)
{
    return program_main(&program, argc, argv);
}
