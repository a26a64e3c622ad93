/* SPDX-License-Identifier: PostgreSQL */
/*
 * seawall-sync: copy what a store lacks and another one has.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "archive/sync.h"
#include "base/amount.h"
#include "base/clock.h"
#include "base/json.h"
#include "config/program.h"

#define SYNC_TIMEOUT_MS (30 * 24 * 3600 * (int64_t)1000)
#define LISTED_MAX 10000 /* findings, and copies, in a JSON document */
#define PLACE_SIZE 512

static const char *config_file;
static const char *only_store;
static const char *since;
static bool deep;
static bool dry_run;
static bool as_json;
static bool verbose;

static const struct cli_option options[] = {
    {"--store", "NAME", "write into this store only", &only_store, NULL},
    {"--since", "POSITION",
     "only WAL from this LSN or segment on, and history files; no backups", &since, NULL},
    {"--dry-run", NULL, "write nothing, print what would be copied", NULL, &dry_run},
    {"--deep", NULL, "read and compare also what all stores have", NULL, &deep},
    {"--config", "FILE", "configuration file", &config_file, NULL},
    {"--json", NULL, "print one JSON document", NULL, &as_json},
    {"--verbose", NULL, "say more: every object that is copied", NULL, &verbose},
    {NULL, NULL, NULL, NULL, NULL},
};

static const struct cli cli = {
    .program = "seawall-sync",
    .synopsis = "[--store NAME] [--since POSITION] [--dry-run] [--deep] [OPTION]...",
    .summary = "Copy what one store lacks and another one has, without any decryption key.",
    .options = options,
    .epilogue =
        "Nothing is ever replaced or removed; an interrupted run is continued by the next one.\n"
        "Exit status: 0 the stores are in step (with --dry-run: nothing but missing objects);\n"
        "15 damaged copies were found; 12 conflicts, foreign objects, or objects without a good\n"
        "copy; 10 a store is away or something failed: run it again; 11 to 16 other failures.",
};

struct output {
    struct json *json; /* NULL: text */
    uint64_t n_findings;
    uint64_t n_copies;
};

static void
finding(void *context, enum sync_kind kind, const char *store, const char *name, const char *why)
{
    struct output *output = context;

    output->n_findings++;
    if (output->json == NULL) {
        (void)printf("%s in store \"%s\": %s: %s\n", sync_kind_name(kind), store, name, why);
        return;
    }
    if (output->n_findings > LISTED_MAX)
        return;
    json_open_object(output->json, NULL);
    json_add_text(output->json, "kind", sync_kind_name(kind));
    json_add_text(output->json, "store", store);
    json_add_text(output->json, "object", name);
    json_add_text(output->json, "reason", why);
    json_close(output->json);
}

static void
copied(void *context, const char *from, const char *to, const char *name, uint64_t size)
{
    struct output *output = context;
    char amount[AMOUNT_SIZE];

    output->n_copies++;
    if (output->json == NULL && (verbose || dry_run))
        (void)printf("%s from \"%s\" to \"%s\": %s, %s\n", dry_run ? "would copy" : "copied", from,
                     to, name, amount_text(size, amount));
}

static void
print_store(const struct archive *archive, size_t i, const struct sync_totals *at)
{
    char place[PLACE_SIZE];
    char amount[AMOUNT_SIZE];

    (void)printf("%s: %" PRIu64 " objects, %" PRIu64 " lacking, %" PRIu64 " %s (%s)",
                 archive_store_text(archive, i, place, sizeof(place)), at->n_objects,
                 at->n_lacking, at->n_copied, dry_run ? "would be copied" : "copied into it",
                 amount_text(at->copied_bytes, amount));
    for (size_t kind = 0; kind < SYNC_KINDS; kind++)
        if (at->n_found[kind] > 0)
            (void)printf(", %" PRIu64 " %s", at->n_found[kind],
                         sync_kind_name((enum sync_kind)kind));
    if (at->n_others > 0)
        (void)printf(", %" PRIu64 " other names", at->n_others);
    (void)printf("%s\n", at->away ? ", AWAY" : "");
}

static void
json_store(struct json *json, const char *name, const struct sync_totals *at)
{
    json_open_object(json, NULL);
    json_add_text(json, "name", name);
    json_add_bool(json, "away", at->away);
    json_add_number(json, "objects", (int64_t)at->n_objects);
    json_add_number(json, "lacking", (int64_t)at->n_lacking);
    json_add_number(json, "copied", (int64_t)at->n_copied);
    json_add_number(json, "copied_bytes", (int64_t)at->copied_bytes);
    json_add_number(json, "other_names", (int64_t)at->n_others);
    for (size_t kind = 0; kind < SYNC_KINDS; kind++)
        json_add_number(json, sync_kind_name((enum sync_kind)kind), (int64_t)at->n_found[kind]);
    json_close(json);
}

static int
print_totals(const struct archive *archive, const struct sync_totals *totals, uint64_t incomplete,
             struct err *err)
{
    for (size_t i = 0; i < archive->n_stores; i++)
        print_store(archive, i, &totals[i]);
    if (incomplete > 0)
        (void)printf("%" PRIu64 " backups are complete in no store and were left alone\n",
                     incomplete);
    return fflush(stdout) == 0 ? 0
                               : err_set(err, ERR_LOCAL, "could not write to standard output");
}

static int
print_json(struct json *json, const struct archive *archive, const struct output *output,
           const struct sync_totals *totals, uint64_t incomplete, struct err *err)
{
    json_close(json);
    json_add_number(json, "findings_left_off",
                    (int64_t)(output->n_findings - MIN_OF(output->n_findings, LISTED_MAX)));
    json_add_number(json, "copied", (int64_t)output->n_copies);
    json_add_number(json, "incomplete_backups", (int64_t)incomplete);
    json_open_array(json, "stores");
    for (size_t i = 0; i < archive->n_stores; i++)
        json_store(json, archive->stores[i].settings->name, &totals[i]);
    json_close(json);
    return json_print(json, err);
}

/* Sync and print, whatever was found. 0 or -1: the verdict. */
static int
sync_and_print(struct archive *archive, struct sync_request *request, struct err *err)
{
    struct sync_totals totals[SETTINGS_STORES_MAX];
    AUTO(json) struct json *json = as_json ? json_new() : NULL;
    struct output output = {.json = json};
    struct err print_err = ERR_INIT;
    uint64_t incomplete = 0;

    if (as_json && json == NULL)
        return err_memory(err, "JSON");
    if (as_json) {
        json_add_text(json, "cluster", archive->settings->cluster);
        json_add_bool(json, "dry_run", dry_run);
        json_add_bool(json, "deep", deep);
        json_open_array(json, "findings");
    }
    request->finding = finding;
    request->copied = copied;
    request->context = &output;
    int rc = sync_archive(archive, request, &log_notices, totals, &incomplete, err);
    int print_rc = as_json ? print_json(json, archive, &output, totals, incomplete, &print_err)
                           : print_totals(archive, totals, incomplete, &print_err);
    if (print_rc < 0 && rc == 0) {
        *err = print_err;
        return -1;
    }
    return rc;
}

/* Which stores may be written to. 0 or -1. */
static int
choose_targets(const struct settings *settings, uint32_t *ret_targets, struct err *err)
{
    if (only_store == NULL) {
        *ret_targets = UINT32_MAX;
        return 0;
    }
    for (size_t i = 0; i < settings->n_stores; i++)
        if (strcmp(settings->stores[i].name, only_store) == 0) {
            *ret_targets = (uint32_t)1 << i;
            return 0;
        }
    (void)err_set(err, ERR_CONFIG, "--store: there is no store of that name");
    return err_hint(err, "The stores and their names are in \"%s\".", settings->file);
}

/* Only a deep comparison has a use for the identity, where it happens to be. */
static enum archive_purpose
purpose_of(const struct settings *settings)
{
    bool readable = settings->encrypted && settings->identity_file != NULL &&
                    access(settings->identity_file, R_OK) == 0;

    return deep && readable ? ARCHIVE_READ : ARCHIVE_LOOK;
}

static int
run(char **arguments UNUSED, int n UNUSED, struct err *err)
{
    struct sync_request request = {
        .deep = deep,
        .dry_run = dry_run,
        .deadline_ms = clock_boot_ms() + SYNC_TIMEOUT_MS,
    };
    AUTO(settings) struct settings *settings = NULL;
    AUTO(archive) struct archive *archive = NULL;

    if (since != NULL && !sync_since_parse(since, &request.since))
        return err_set(err, ERR_CONFIG, "--since is neither a WAL position nor a segment's name");
    if (settings_read(config_file, &settings, err) < 0 ||
        choose_targets(settings, &request.targets, err) < 0 ||
        archive_open(settings, purpose_of(settings), &archive, err) < 0)
        return -1;
    return sync_and_print(archive, &request, err);
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
