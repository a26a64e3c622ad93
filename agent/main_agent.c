/* SPDX-License-Identifier: PostgreSQL */
/*
 * seawall-agent: serves the hooks of one data directory; or does one request of theirs by itself.
 */
#include <malloc.h>
#include <string.h>

#include "agent/agent.h"
#include "agent/hook.h"
#include "agent/oneshot.h"
#include "base/hex.h"
#include "base/io.h"
#include "base/log.h"
#include "base/process.h"
#include "config/program.h"

#define OWN_PAGES_FROM (1 << 20) /* bytes of an allocation */
#define FIRST_DEADLINE_MS 60000
#define ASK_MS 10000
#define TIMEOUT_MAX_S 3600

static const char *config_file;
static const char *runtime_dir;
static const char *timeout;
static const char *elapsed;
static bool foreground;
static bool background;
static bool one_shot;
static bool verbose;

static const struct cli_option options[] = {
    {"--config", "FILE", "configuration file", &config_file, NULL},
    {"--foreground", NULL, "serve until told to stop", NULL, &foreground},
    {"--background", NULL, "serve as hooks start it: say on standard output how it began", NULL,
     &background},
    {"--one-shot", NULL, "push PATH or fetch NAME PATH, without serving anybody", NULL, &one_shot},
    {"--timeout", "SECONDS", "with --one-shot: give up after this long", &timeout, NULL},
    {"--elapsed", "MILLISECONDS", "with --one-shot: of the time there is this much has passed",
     &elapsed, NULL},
    {"--runtime-dir", "DIR", "where the socket is", &runtime_dir, NULL},
    {"--verbose", NULL, "say more", NULL, &verbose},
    {NULL, NULL, NULL, NULL, NULL},
};

static const struct cli cli = {
    .program = "seawall-agent",
    .synopsis = "[--config FILE] [--runtime-dir DIR] (--foreground | --background | --one-shot "
                "push PATH | --one-shot fetch NAME PATH | status | stop)",
    .summary = "Serve seawall-push and seawall-fetch of the data directory it is started in.",
    .options = options,
    .min_arguments = 0,
    .max_arguments = 3,
    .epilogue = "Exit status: 0 done, or started in the background; with --one-shot that of\n"
                "seawall-push or seawall-fetch; else 10 transient, 12 another agent serves in the\n"
                "foreground, 13 local, 14 configuration, 16 internal.",
};

static int
usage(struct err *err, const char *text)
{
    (void)err_set(err, ERR_CONFIG, "%s", text);
    return err_hint(err, "Try \"seawall-agent --help\".");
}

static int
run_one_shot(char **arguments, int n, struct err *err)
{
    struct oneshot oneshot = {.config = config_file};
    uint64_t seconds = 0;
    uint64_t passed = 0;

    if (timeout != NULL && (!decimal_read(timeout, strlen(timeout), TIMEOUT_MAX_S, &seconds) ||
                            seconds == 0))
        return usage(err, "--timeout must be between 1 and 3600 seconds");
    if (elapsed != NULL &&
        !decimal_read(elapsed, strlen(elapsed), TIMEOUT_MAX_S * 1000, &passed))
        return usage(err, "--elapsed must be between 0 and 3600000 milliseconds");
    oneshot.timeout_ms = (int64_t)seconds * 1000;
    oneshot.elapsed_ms = (int64_t)passed;
    /* What is said is said to the one who started the hook. */
    if (n == 2 && strcmp(arguments[0], "push") == 0) {
        log_init("seawall-push", verbose);
        return oneshot_push(&oneshot, arguments[1], err);
    }
    if (n == 3 && strcmp(arguments[0], "fetch") == 0) {
        log_init("seawall-fetch", verbose);
        return oneshot_fetch(&oneshot, arguments[1], arguments[2], err);
    }
    return usage(err, "--one-shot needs: push PATH, or fetch NAME PATH");
}

/* Ask the agent that serves this directory. */
static int
run_verb(enum wire_verb verb, struct err *err)
{
    AUTO(hook_answer) struct hook_answer answer = HOOK_ANSWER_INIT;
    struct hook hook = {
        .config = config_file, .runtime_dir = runtime_dir, .verb = verb, .standard_ms = ASK_MS};
    int rc = hook_ask(&hook, &answer, &log_notices, err);

    if (rc < 0)
        return -1;
    if (rc == HOOK_NOBODY) {
        log_line(LOG_INFO, "no agent serves this directory");
        return 0;
    }
    if (answer.data.size == 0)
        return 0;
    if (buf_append_text(&answer.data, "\n", err) != 0)
        return -1;
    return io_write_full(STDOUT_FILENO, answer.data.data, answer.data.size, "standard output", err);
}

static int
run(char **arguments, int n, struct err *err)
{
    struct agent_options agent = {
        .config = config_file, .runtime_dir = runtime_dir, .foreground = foreground};

    if (foreground + background + one_shot > 1)
        return usage(err, "only one of --foreground, --background and --one-shot can be given");
    if (one_shot)
        return run_one_shot(arguments, n, err);
    if (timeout != NULL || elapsed != NULL)
        return usage(err, "--timeout and --elapsed go with --one-shot");
    if (n == 1 && !foreground && !background && strcmp(arguments[0], "status") == 0)
        return run_verb(WIRE_STATUS, err);
    if (n == 1 && !foreground && !background && strcmp(arguments[0], "stop") == 0)
        return run_verb(WIRE_STOP, err);
    if (n != 0 || (!foreground && !background))
        return usage(err, "say what to do: --foreground, --background, --one-shot, status or stop");
    if (foreground && process_watchdog(0, 0, err) < 0)
        return -1;
    /* Objects come and go for hours: what is freed goes back, and is not kept in pieces. */
    (void)mallopt(M_MMAP_THRESHOLD, OWN_PAGES_FROM);
    return agent_run(&agent, err);
}

static const struct program archive_side = {
    .cli = &cli,
    .side = EXIT_SIDE_ARCHIVE,
    .run = run,
    .verbose = &verbose,
    .first_deadline_ms = FIRST_DEADLINE_MS,
};

static const struct program restore_side = {
    .cli = &cli,
    .side = EXIT_SIDE_RESTORE,
    .run = run,
    .verbose = &verbose,
    .first_deadline_ms = FIRST_DEADLINE_MS,
    .die_by_signal = true,
};

/* Known before the command line is read: an error in that must not look like the end of WAL. */
static bool
is_fetch(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "fetch") == 0)
            return true;
    return false;
}

int
main(int argc, char **argv)
{
    return program_main(is_fetch(argc, argv) ? &restore_side : &archive_side, argc, argv);
}
