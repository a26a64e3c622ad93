/* SPDX-License-Identifier: PostgreSQL */
/*
 * seawall-restore: a backup becomes a data directory that recovers to a target.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hex.h"
#include "base/process.h"
#include "config/program.h"
#include "restore/restore.h"
#include "restore/restore_report.h"

#define PLAN_TIMEOUT_MS ((int64_t)24 * 3600 * 1000)
#define PATIENCE_S (15 * 60)
#define PATIENCE_MAX_S (7 * 24 * 3600)

static const char *config_file;
static struct target_options target_words;
static const char *plan_file;
static const char *target_directory;
static const char *backup_label;
static const char *system_id_text;
static const char *tablespaces[CLI_REPEATED_MAX + 1];
static const char *action_text;
static const char *patience_text;
static bool as_json;
static bool verbose;

static const struct cli_option options[] = {
    {"--config", "FILE", "configuration file", &config_file, NULL},
    {"--target-dir", "DIR", "the data directory to be made: absent, or empty", &target_directory,
     NULL},
    {"--time", "TIME", "recover to this time, which names its zone: \"2026-11-22 15:36:00+00\"",
     &target_words.time, NULL},
    {"--lsn", "LSN", "recover up to the record that begins there, without it", &target_words.lsn,
     NULL},
    {"--xid", "XID", "recover up to this transaction's end", &target_words.xid, NULL},
    {"--name", "NAME", "recover to this restore point", &target_words.name, NULL},
    {"--before", "EVENT", "recover to just before this event: its LSN, or KIND:NAME",
     &target_words.before, NULL},
    {"--latest", NULL, "recover all archived WAL", NULL, &target_words.latest},
    {"--backup-end", NULL, "recover no further than to the end of the backup", NULL,
     &target_words.backup_end},
    {"--timeline", "TIMELINE", "follow this one: latest (default), current or a number",
     &target_words.timeline, NULL},
    {"--plan", "FILE", "carry out this plan of \"seawall plan --output\"", &plan_file, NULL},
    {"--backup", "LABEL", "restore this backup", &backup_label, NULL},
    {"--system-id", "NUMBER", "restore this server, if the archive holds several", &system_id_text,
     NULL},
    {"--tablespace", "OID=DIR", "put a tablespace there; may be given several times", NULL, NULL},
    {"--target-action", "ACTION", "at the target: pause, promote or shutdown", &action_text, NULL},
    {"--patience", "SECONDS", "go on asking stores that are away for this long, 900 by default",
     &patience_text, NULL},
    {"--json", NULL, "print events as JSON, one a line", NULL, &as_json},
    {"--verbose", NULL, "say more", NULL, &verbose},
    {NULL, NULL, NULL, NULL, NULL},
};

static const struct cli cli = {
    .program = "seawall-restore",
    .synopsis = "[--config FILE] (TARGET | --plan FILE) --target-dir DIR [OPTION]...",
    .summary = "Restore a backup into an empty directory, set up to recover to a target. TARGET is "
               "one of --time, --lsn, --xid, --name, --before, --latest and --backup-end.",
    .options = options,
    .epilogue = "Exit status: 0 restored; 10 transient; 11 refused by the store; 12 something is\n"
                "missing; 13 local directory or disk; 14 configuration, keys or usage;\n"
                "15 integrity; 16 internal.",
    .repeated = "--tablespace",
    .repeated_values = tablespaces,
};

static int
usage(struct err *err, const char *what)
{
    (void)err_set(err, ERR_CONFIG, "%s", what);
    return err_hint(err, "Try \"%s --help\".", cli.program);
}

/* What is to be planned: the target of the command line, or once more what a plan says. */
static int
read_wish(struct plan *plan, struct plan_request *request, struct err *err)
{
    const struct target_options none = {.time = NULL};

    request->deadline_ms = clock_boot_ms() + PLAN_TIMEOUT_MS;
    if (plan_file == NULL) {
        request->label = backup_label;
        if (system_id_text != NULL &&
            !decimal_read(system_id_text, strlen(system_id_text), UINT64_MAX, &request->system_id))
            return usage(err, "--system-id is not a number");
        return target_parse(&target_words, &request->target, err);
    }
    if (memcmp(&target_words, &none, sizeof(none)) != 0 || backup_label != NULL ||
        system_id_text != NULL)
        return usage(err, "--plan says target, timeline, backup and system identifier itself");
    if (plan_read(plan_file, plan, err) < 0)
        return -1;
    request->target = plan->target;
    request->target.timeline_kind = TARGET_TIMELINE_NUMBER;
    request->target.timeline = plan->timeline;
    request->system_id = plan->system_id;
    request->label = plan->label;
    return 0;
}

static int
read_action(enum target_kind kind, enum restore_action *ret, struct err *err)
{
    static const enum restore_action actions[] = {RESTORE_PAUSE, RESTORE_PROMOTE, RESTORE_SHUTDOWN};

    *ret = restore_settings_action(kind);
    if (action_text == NULL)
        return 0;
    for (size_t i = 0; i < ARRAY_SIZE(actions); i++) {
        if (strcmp(action_text, restore_settings_action_name(actions[i])) != 0)
            continue;
        if (kind == TARGET_LATEST && actions[i] != RESTORE_PROMOTE)
            return usage(err, "--target-action needs a target: PostgreSQL promotes at the end of "
                              "the WAL");
        *ret = actions[i];
        return 0;
    }
    return usage(err, "--target-action is pause, promote or shutdown");
}

static int
read_mappings(struct restore_mapping *ret_mappings, size_t *ret_n, struct err *err)
{
    size_t n = 0;

    for (; tablespaces[n] != NULL; n++)
        if (restore_mapping_parse(tablespaces[n], &ret_mappings[n], err) < 0)
            return -1;
    *ret_n = n;
    return 0;
}

static int
read_patience(int64_t *ret_ms, struct err *err)
{
    uint64_t seconds = PATIENCE_S;

    if (patience_text != NULL &&
        (!decimal_read(patience_text, strlen(patience_text), PATIENCE_MAX_S, &seconds) ||
         seconds == 0))
        return err_set(err, ERR_CONFIG, "--patience must be between 1 and %d seconds",
                       PATIENCE_MAX_S);
    *ret_ms = (int64_t)seconds * 1000;
    return 0;
}

/* On the PATH, where only absolute directories can be meant for a server that runs elsewhere. */
static bool
find_on_path(char *ret_path, size_t size)
{
    const char *at = getenv("PATH");

    while (at != NULL && *at != '\0') {
        size_t length = strcspn(at, ":");

        if (*at == '/' &&
            (size_t)snprintf(ret_path, size, "%.*s/seawall-fetch", (int)length, at) < size &&
            access(ret_path, X_OK) == 0)
            return true;
        at += length + (at[length] == ':');
    }
    return false;
}

/* Beside ourselves first, as `seawall` finds its verbs. */
static int
fetch_program(char *ret_path, size_t size, struct err *err)
{
    char directory[PATH_MAX];

    if (process_directory(directory, sizeof(directory), err) < 0)
        return -1;
    if ((size_t)snprintf(ret_path, size, "%s/seawall-fetch", directory) >= size)
        return err_set(err, ERR_CONFIG, "the name of the program's directory is too long");
    if (access(ret_path, X_OK) == 0)
        return 0;
    (void)err_sys(err, errno, "could not find the program \"%s\"", ret_path);
    if (find_on_path(ret_path, size)) {
        err_clear(err);
        return 0;
    }
    return err_hint(err, "The restored server runs it to fetch its WAL.");
}

static int
carry_out(struct archive *archive, struct plan *plan, struct restore_request *request,
          const struct plan_request *wish, struct err *err)
{
    AUTO(backup_complete) struct backup_complete complete = BACKUP_COMPLETE_INIT;
    AUTO(restore_result) struct restore_result result = {.path = NULL};
    struct plan_request planned = *wish;
    char label[BACKUP_LABEL_SIZE];
    struct restore_report report;

    if (planned.label != NULL) {
        (void)snprintf(label, sizeof(label), "%.16s", planned.label);
        planned.label = strlen(wish->label) < sizeof(label) ? label : wish->label;
    }
    if (plan_file != NULL && strcmp(plan->cluster, archive->settings->cluster) != 0)
        return err_set(err, ERR_CONFIG, "the plan is for cluster \"%s\", not for \"%s\"",
                       plan->cluster, archive->settings->cluster);
    if (plan_make(archive, &planned, &log_notices, plan, &complete, err) < 0)
        return -1;
    request->plan = plan;
    request->complete = &complete;
    if (restore_report_begin(&report, archive, request, as_json, err) < 0)
        return -1;
    request->watch = &report.watch;
    int rc = restore_run(archive, request, &log_notices, &result, err);
    if (restore_report_end(&report, rc == 0 ? &result : NULL, err) < 0)
        return -1;
    return rc;
}

static int
run(char **arguments UNUSED, int n UNUSED, struct err *err)
{
    AUTO(settings) struct settings *settings = NULL;
    AUTO(archive) struct archive *archive = NULL;
    AUTO(ptr) struct plan *plan = calloc(1, sizeof(*plan));
    struct plan_request wish = {.system_id = 0};
    struct restore_mapping mappings[CLI_REPEATED_MAX];
    char program[PATH_MAX];
    struct restore_request request = {
        .directory = target_directory,
        .mappings = mappings,
        .fetch_program = program,
    };

    if (plan == NULL)
        return err_memory(err, "a plan");
    if (target_directory == NULL)
        return usage(err, "--target-dir is missing");
    if (read_mappings(mappings, &request.n_mappings, err) < 0 || read_wish(plan, &wish, err) < 0 ||
        read_action(wish.target.kind, &request.action, err) < 0 ||
        read_patience(&request.patience_ms, err) < 0 ||
        fetch_program(program, sizeof(program), err) < 0 ||
        settings_read(config_file, &settings, err) < 0 ||
        archive_open(settings, ARCHIVE_READ, &archive, err) < 0)
        return -1;
    if (geteuid() == 0)
        log_line(LOG_WARNING, "the files will belong to root, and no server runs as root");
    return carry_out(archive, plan, &request, &wish, err);
}

static const struct program program = {
    .cli = &cli,
    .side = EXIT_SIDE_ARCHIVE,
    .run = run,
    .verbose = &verbose,
};

int
main(int argc, char **argv)
{
    return program_main(&program, argc, argv);
}
