/* SPDX-License-Identifier: PostgreSQL */
#include "archive/check.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/statvfs.h>

#include "base/clock.h"
#include "base/hex.h"

#define RETRY_MS 10000
#define RANDOM_SIZE 16
#define CONTENT_SIZE 64
#define CONTENT_MAX 4096
#define SKEW_WARNING_S 60
#define SKEW_FAILURE_S 600
#define FREE_PERCENT 5
#define FREE_BYTES ((uint64_t)GIB)
#define CONSISTENT_MS 2000
#define DIRECTORY_SCHEME "file://"

/* One store while it is being tried. */
struct trial {
    struct store_loop *loop;
    struct store *store;
    const struct settings_store *settings;
    struct check_report *report;
    const char *cluster;
    int64_t deadline_ms;
    char name[OBJECT_NAME_SIZE];   /* of the check object */
    char absent[OBJECT_NAME_SIZE]; /* a name nobody ever used */
    char content[CONTENT_SIZE];    /* what is put first */
    char other[CONTENT_SIZE];      /* what must not replace it */
    const char *expected;          /* what must be there: content, unless it was replaced */
    int64_t put_ms;
    bool skew_known;
    int64_t skew_s;
};

static void
failed(const struct trial *trial, const char *name, const struct err *err)
{
    check_report_failed(trial->report, name, err);
}

/* Wait for a task that was started (or not: rc < 0); what it says about the clock is kept. */
static int
finish(struct trial *trial, int rc, struct store_task *task, struct err *err)
{
    int64_t skew_s = 0;

    if (rc < 0)
        return -1;
    rc = store_task_wait(trial->loop, task, err);
    if (store_task_clock_skew(task, &skew_s)) {
        trial->skew_known = true;
        trial->skew_s = skew_s;
    }
    return rc;
}

static struct store_limits
limits_of(const struct trial *trial)
{
    return (struct store_limits){.deadline_ms = trial->deadline_ms, .retry_ms = RETRY_MS};
}

static int
put(struct trial *trial, const char *name, const char *content, struct err *err)
{
    AUTO(store_task) struct store_task *task = NULL;
    struct span span = {(const uint8_t *)content, strlen(content)};
    struct store_limits limits = limits_of(trial);
    int rc = store_start_put(trial->store, name, &span, 1, &limits, &task, err);

    return finish(trial, rc, task, err);
}

/* Get an object and hold it against `content`, unless that is NULL. */
static int
get(struct trial *trial, const char *name, const char *content, bool *ret_same, struct err *err)
{
    AUTO(store_task) struct store_task *task = NULL;
    struct store_range whole = {.max_size = CONTENT_MAX};
    struct store_limits limits = limits_of(trial);
    int rc = store_start_get(trial->store, name, &whole, &limits, &task, err);

    rc = finish(trial, rc, task, err);
    if (rc == 0 && content != NULL) {
        struct span body = store_task_body(task);

        *ret_same = body.size == strlen(content) && memcmp(body.data, content, body.size) == 0;
    }
    return rc;
}

/* ---- the steps, in their order; -1: what follows would say nothing new ---- */

static int
make_names(struct trial *trial, struct err *err)
{
    uint8_t bytes[2 * RANDOM_SIZE];
    char here[2 * RANDOM_SIZE + 1];
    char nowhere[2 * RANDOM_SIZE + 1];

    if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
        return err_sys(err, errno, "could not get random numbers");
    (void)hex_text(bytes, RANDOM_SIZE, here);
    (void)hex_text(bytes + RANDOM_SIZE, RANDOM_SIZE, nowhere);
    (void)snprintf(trial->name, sizeof(trial->name), "%s/probe/check/%s", trial->cluster, here);
    (void)snprintf(trial->absent, sizeof(trial->absent), "%s/probe/check/%s", trial->cluster,
                   nowhere);
    (void)snprintf(trial->content, sizeof(trial->content), "seawall-check-1 %s\n", here);
    (void)snprintf(trial->other, sizeof(trial->other), "seawall-check-2 %s\n", here);
    trial->expected = trial->content;
    return 0;
}

static void
overwrites(const struct trial *trial, const char *name, const char *object)
{
    struct err err = ERR_INIT;

    (void)err_set(&err, ERR_DENIED,
                  "store \"%s\" overwrites existing objects: \"%s\" was written twice",
                  store_name(trial->store), object);
    (void)err_hint(&err,
                   "It must honour conditional create (If-None-Match: *), or seawall-push stores "
                   "nothing there. On Ceph the bucket must not be versioned; a proxy in between "
                   "must pass the header on.");
    failed(trial, name, &err);
}

/* Reach it, with credentials, and prove the condition on the object that every push asks about. */
static int
try_probe(struct trial *trial)
{
    char probe[OBJECT_NAME_SIZE];
    struct err err = ERR_INIT;

    if (store_creates_exclusively(trial->store))
        return 0;
    object_name_probe(trial->cluster, probe);
    int rc = put(trial, probe, OBJECT_PROBE_CONTENT, &err);
    if (rc == 0)
        rc = put(trial, probe, OBJECT_PROBE_CONTENT, &err);
    if (rc < 0) {
        failed(trial, "reach", &err);
        return -1;
    }
    check_report_ok(trial->report, "reach",
                    "store \"%s\": reached, and the credentials are accepted",
                    store_name(trial->store));
    if (rc == STORE_EXISTS)
        check_report_ok(trial->report, "probe", "store \"%s\": the probe object is not replaced",
                        store_name(trial->store));
    else
        overwrites(trial, "probe", probe);
    return 0;
}

/* "Exists" for a random name can only be our own put whose answer was lost: the get decides. */
static int
try_put(struct trial *trial)
{
    struct err err = ERR_INIT;
    int64_t started_ms = clock_boot_ms();

    if (put(trial, trial->name, trial->content, &err) < 0) {
        failed(trial, "put", &err);
        return -1;
    }
    trial->put_ms = clock_boot_ms() - started_ms;
    return 0;
}

static void
try_put_again(struct trial *trial)
{
    struct err err = ERR_INIT;
    int rc = put(trial, trial->name, trial->other, &err);

    if (rc < 0) {
        failed(trial, "conditional-create", &err);
    } else if (rc == STORE_EXISTS) {
        check_report_ok(trial->report, "conditional-create",
                        "store \"%s\": creates only if absent (%s)", store_name(trial->store),
                        store_creates_exclusively(trial->store) ? "link"
                                                                : "If-None-Match honoured");
    } else {
        trial->expected = trial->other;
        overwrites(trial, "conditional-create", trial->name);
    }
}

static void
try_get(struct trial *trial)
{
    const char *store = store_name(trial->store);
    struct err err = ERR_INIT;
    bool same = false;
    int64_t started_ms = clock_boot_ms();
    int rc = get(trial, trial->name, trial->expected, &same, &err);
    int64_t get_ms = clock_boot_ms() - started_ms;

    if (rc == 0 && same) {
        check_report_ok(trial->report, "read-after-write",
                        "store \"%s\": gives back what was written (put %" PRId64
                        " ms, get %" PRId64 " ms)",
                        store, trial->put_ms, get_ms);
        return;
    }
    if (rc == 0)
        (void)err_set(&err, ERR_CORRUPT, "store \"%s\": gives back other bytes than were written",
                      store);
    else if (rc > 0)
        (void)err_set(&err, ERR_CONFLICT,
                      "store \"%s\": does not have \"%s\", which it accepted a moment ago", store,
                      trial->name);
    if (rc >= 0)
        (void)err_hint(&err, "Objects must be readable, unchanged, as soon as they are accepted: "
                             "look for a cache or proxy in between.");
    failed(trial, "read-after-write", &err);
}

/* Does the listing of exactly this name show it? 1: it does; 0: not; -1. */
static int
listed(struct trial *trial, struct err *err)
{
    AUTO(store_task) struct store_task *task = NULL;
    struct store_limits limits = limits_of(trial);
    int rc = store_start_list(trial->store, trial->name, NULL, 10, &limits, &task, err);

    rc = finish(trial, rc, task, err);
    if (rc != 0)
        return rc < 0 ? -1 : err_set(err, ERR_INTERNAL, "a list had outcome %d", rc);

    const struct store_page *page = store_task_page(task);
    return page->n_entries == 1 && strcmp(page->entries[0].name, trial->name) == 0 &&
           page->entries[0].size == strlen(trial->expected);
}

static void
try_list(struct trial *trial)
{
    const char *store = store_name(trial->store);
    bool late = trial->settings->eventually_consistent;
    struct err err = ERR_INIT;
    int rc = listed(trial, &err);

    if (rc == 0 && late) {
        clock_sleep_until(MIN_OF(clock_boot_ms() + CONSISTENT_MS, trial->deadline_ms));
        rc = listed(trial, &err);
    }
    if (rc > 0) {
        check_report_ok(trial->report, "list", "store \"%s\": lists what was written", store);
        return;
    }
    if (rc < 0) {
        if (err.kind == ERR_DENIED)
            (void)err_hint(&err, "Grant s3:ListBucket on the bucket: without it an absent file "
                                 "cannot be told from a forbidden one, and recovery refuses to "
                                 "end.");
        failed(trial, "list", &err);
        return;
    }
    (void)err_set(&err, ERR_CONFLICT, "store \"%s\": does not list what was written %s", store,
                  late ? "two seconds ago" : "a moment ago");
    if (late) {
        check_report_warning(trial->report, "list", &err);
        return;
    }
    (void)err_hint(&err, "Set eventually_consistent = true for this store.");
    failed(trial, "list", &err);
}

static void
try_absent(struct trial *trial)
{
    const char *store = store_name(trial->store);
    struct err err = ERR_INIT;
    int rc = get(trial, trial->absent, NULL, NULL, &err);

    if (rc == STORE_ABSENT) {
        check_report_ok(trial->report, "absence",
                        "store \"%s\": says clearly what it does not have", store);
        return;
    }
    if (rc >= 0) {
        (void)err_set(&err, ERR_CORRUPT, "store \"%s\": claims that a name nobody used %s", store,
                      rc == 0 ? "has content" : "was deleted");
    } else if (err.kind == ERR_DENIED) {
        (void)err_wrap(&err, "asked for what does not exist, the store refuses");
        (void)err_hint(&err, "Grant s3:ListBucket on the bucket: without it a store answers 403 "
                             "where it should say \"absent\", and recovery refuses to end.");
    }
    failed(trial, "absence", &err);
}

static void
judge_clock(const struct trial *trial)
{
    int64_t skew_s = trial->skew_s < 0 ? -trial->skew_s : trial->skew_s;
    struct err err = ERR_INIT;

    if (!trial->skew_known)
        return;
    if (skew_s <= SKEW_WARNING_S) {
        check_report_ok(trial->report, "clock",
                        "store \"%s\": its clock and ours differ by %" PRId64 " s",
                        store_name(trial->store), skew_s);
        return;
    }
    (void)err_set(&err, ERR_DENIED, "store \"%s\": our clock is %" PRId64 " s %s the store's",
                  store_name(trial->store), skew_s, trial->skew_s > 0 ? "behind" : "ahead of");
    (void)err_hint(&err, "Set this machine's clock (NTP): S3 refuses requests that are 15 minutes "
                         "off, and times in reports are wrong.");
    if (skew_s > SKEW_FAILURE_S)
        failed(trial, "clock", &err);
    else
        check_report_warning(trial->report, "clock", &err);
}

/* Always tried when something was put: the check object is nobody's to keep. */
static void
try_delete(struct trial *trial)
{
    AUTO(store_task) struct store_task *task = NULL;
    struct store_limits limits = limits_of(trial);
    struct err err = ERR_INIT;
    int rc = store_start_delete(trial->store, trial->name, &limits, &task, &err);

    rc = finish(trial, rc, task, &err);
    if (rc < 0 && err.kind == ERR_DENIED) {
        check_report_ok(trial->report, "delete",
                        "store \"%s\": cannot delete (append-only credentials); \"%s\" stays",
                        store_name(trial->store), trial->name);
    } else if (rc < 0) {
        (void)err_wrap(&err, "the check object stays");
        check_report_warning(trial->report, "delete", &err);
    } else {
        check_report_ok(trial->report, "delete",
                        "store \"%s\": deletion is allowed; %s would protect the archive from a "
                        "stolen host",
                        store_name(trial->store),
                        store_creates_exclusively(trial->store)
                            ? "snapshots of that file system"
                            : "Object Lock, or a policy without DeleteObject,");
    }
}

static void
judge_space(const struct trial *trial)
{
    const char *place = store_place(trial->store);
    size_t scheme = strlen(DIRECTORY_SCHEME);
    struct statvfs st;
    struct err err = ERR_INIT;

    if (strncmp(place, DIRECTORY_SCHEME, scheme) != 0)
        return;
    if (statvfs(place + scheme, &st) < 0) {
        (void)err_sys(&err, errno, "store \"%s\": could not ask for its free space",
                      store_name(trial->store));
        check_report_warning(trial->report, "space", &err);
        return;
    }
    /* Some file systems (overlays, FUSE) do not know their size. */
    if (st.f_blocks == 0)
        return;

    uint64_t percent = (uint64_t)st.f_bavail / MAX_OF((uint64_t)st.f_blocks / 100, 1);
    uint64_t free_mib = (uint64_t)st.f_bavail * st.f_frsize / MIB;
    if (percent >= FREE_PERCENT && free_mib >= FREE_BYTES / MIB) {
        check_report_ok(trial->report, "space",
                        "store \"%s\": %" PRIu64 " MiB (%" PRIu64 " %%) are free",
                        store_name(trial->store), free_mib, MIN_OF(percent, 100));
        return;
    }
    (void)err_set(&err, ERR_TRANSIENT,
                  "store \"%s\": only %" PRIu64 " MiB (%" PRIu64 " %%) are free",
                  store_name(trial->store), free_mib, percent);
    (void)err_hint(&err, "When it is full, nothing is archived and pg_wal grows.");
    check_report_warning(trial->report, "space", &err);
}

void
check_store(struct archive *archive, size_t i, struct check_report *report)
{
    const struct archive_store *store = &archive->stores[i];
    struct trial trial = {
        .loop = archive->loop,
        .store = store->store,
        .settings = store->settings,
        .report = report,
        .cluster = archive->settings->cluster,
        .deadline_ms = clock_boot_ms() + archive->settings->push_timeout * 1000,
    };
    struct err err = ERR_INIT;

    if (store->store == NULL) {
        check_report_failed(report, "reach", &store->open_err);
        return;
    }
    if (make_names(&trial, &err) < 0) {
        failed(&trial, "put", &err);
        return;
    }
    if (try_probe(&trial) == 0 && try_put(&trial) == 0) {
        try_put_again(&trial);
        try_get(&trial);
        try_list(&trial);
        try_absent(&trial);
        try_delete(&trial);
    }
    judge_clock(&trial);
    judge_space(&trial);
}
