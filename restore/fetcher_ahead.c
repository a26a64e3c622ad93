/* SPDX-License-Identifier: PostgreSQL */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "restore/fetcher_parts.h"
#include "wal/backup_label.h"

#define WINDOW_FIRST 4
#define WINDOW_MAX 64
#define BACKWARD_MAX 1 /* from the checkpoint to its redo point; further back it is no recovery */
#define AGAIN_MAX 2
#define NEAR_END 8 /* segments: time enough to make connections */
#define KEEP_MS (5 * 60 * 1000) /* what nobody asks for is not kept on the server's disk for ever \
                                 */
#define LABEL_MAX 8192
#define PAUSE_MS 1000
#define PAUSE_DOUBLINGS 5
#define DISK_PAUSE_MS 60000

/* ---- what is known ---- */

void
ahead_init(struct fetcher *fetcher)
{
    const struct pgdata *pgdata = fetcher->options.pgdata;
    struct foresight *sight = &fetcher->sight;

    *sight = (struct foresight){.window = WINDOW_FIRST};
    flights_init(&sight->flights);
    if (pgdata->has_control)
        sight->segment_size = pgdata->control.segment_size;
    wal_route_init(&sight->route, (uint32_t)sight->segment_size);
}

void
ahead_done(struct fetcher *fetcher)
{
    wal_route_done(&fetcher->sight.route);
}

void
ahead_learn(struct fetcher *fetcher, const struct wal_history *history)
{
    wal_route_learn(&fetcher->sight.route, history);
    /* There may be more on another timeline. */
    fetcher->sight.has_end = false;
}

bool
ahead_doubts(const struct fetcher *fetcher, const struct wal_name *wal)
{
    const struct foresight *sight = &fetcher->sight;

    return sight->has_end && wal->kind == WAL_NAME_SEGMENT &&
           wal_name_segment_number(wal, (uint32_t)sight->segment_size) >= sight->end;
}

bool
ahead_is_standby(const struct fetcher *fetcher)
{
    return faccessat(fetcher->options.pgdata->directory, "standby.signal", F_OK, 0) == 0;
}

static bool
is_last(const struct foresight *sight, const struct wal_name *wal)
{
    return sight->has_last && strcmp(sight->last.text, wal->text) == 0;
}

/* Will the server, as far as can be told, ask for it? */
static bool
is_wanted(const struct foresight *sight, const struct errand *errand)
{
    uint32_t timelines[WAL_ROUTE_CANDIDATES];

    if (is_last(sight, &errand->wal) && sight->again > 0)
        return sight->position <= sight->last_number + 1;
    if (errand->number < sight->position || errand->number > sight->position + WINDOW_MAX)
        return false;
    size_t n = wal_route_candidates(&sight->route, errand->number, timelines);
    for (size_t i = 0; i < n; i++)
        if (timelines[i] == errand->wal.timeline)
            return true;
    return false;
}

static void
drop_unwanted(struct fetcher *fetcher)
{
    struct errand *next = NULL;

    for (struct errand *errand = fetcher->errands; errand != NULL; errand = next) {
        next = errand->next;
        if ((errand->state == ERRAND_AHEAD || errand->state == ERRAND_READY) &&
            !is_wanted(&fetcher->sight, errand))
            fetcher_drop(fetcher, errand);
    }
}

/* backup_label names the first segment. 0, or another value: there is none, or it is unreadable. */
static int
read_label(int directory, struct backup_label *ret)
{
    struct err ignored = ERR_INIT;
    AUTO(fd) int fd = -1;
    char text[LABEL_MAX];
    size_t got = 0;

    if (directory < 0 ||
        fs_open_file(directory, "backup_label", "backup_label", &fd, NULL, &ignored) != 0 ||
        io_read_full(fd, text, sizeof(text) - 1, &got, "backup_label", &ignored) != IO_SHORT)
        return -1;
    text[got] = '\0';
    return backup_label_parse(text, ret, &ignored);
}

void
ahead_foresee(struct fetcher *fetcher)
{
    struct foresight *sight = &fetcher->sight;
    struct backup_label label;

    if (sight->segment_size == 0 || sight->started ||
        read_label(fetcher->options.pgdata->directory, &label) != 0 ||
        label.start_lsn < sight->segment_size)
        return;
    uint64_t number = label.start_lsn / sight->segment_size;
    (void)wal_route_asked(&sight->route, label.start_timeline, number);
    sight->started = true;
    sight->position = number - 1;
    sight->asked_ms = clock_boot_ms();
}

void
ahead_asked(struct fetcher *fetcher, const struct wal_name *wal)
{
    struct foresight *sight = &fetcher->sight;

    if (sight->segment_size == 0)
        return;
    uint64_t number = wal_name_segment_number(wal, (uint32_t)sight->segment_size);
    if (wal_route_asked(&sight->route, wal->timeline, number))
        sight->has_end = false;
    if (sight->started && number == sight->position + 1) {
        sight->window = MIN_OF(sight->window * 2, (size_t)WINDOW_MAX);
        sight->backward = 0;
    } else if (!sight->started || number != sight->position) {
        bool back = sight->started && number < sight->position;

        sight->window = WINDOW_FIRST;
        sight->backward = back ? sight->backward + 1 : 0;
    }
    sight->started = true;
    sight->position = number;
    sight->asked_ms = clock_boot_ms();
    sight->near = true;
    if (sight->has_end && number > sight->end)
        sight->has_end = false;
    drop_unwanted(fetcher);
}

void
ahead_waited(struct fetcher *fetcher)
{
    flights_waited(&fetcher->sight.flights);
}

static void
note_size(struct foresight *sight, const struct errand *errand)
{
    size_t size = errand->task == NULL ? 0 : fetch_task_object_size(errand->task);

    if (size == 0)
        return;
    sight->sizes[sight->n_sizes++ % AHEAD_SIZES] = size;
    flights_landed(&sight->flights, size, clock_boot_ms());
}

void
ahead_served(struct fetcher *fetcher, const struct errand *errand)
{
    struct foresight *sight = &fetcher->sight;

    note_size(sight, errand);
    sight->failures = 0;
    wal_route_served(&sight->route, errand->wal.timeline);
    if (sight->has_end && errand->number >= sight->end)
        sight->has_end = false;
    if (is_last(sight, &errand->wal))
        return;
    sight->has_last = true;
    sight->last = errand->wal;
    sight->last_number = errand->number;
    sight->again = 0;
}

void
ahead_absent(struct fetcher *fetcher, const struct errand *errand)
{
    fetcher->sight.has_end = true;
    fetcher->sight.end = errand->number;
}

void
ahead_pause(struct fetcher *fetcher, bool disk)
{
    struct foresight *sight = &fetcher->sight;
    unsigned doublings = MIN_OF(sight->failures, (unsigned)PAUSE_DOUBLINGS);
    int64_t pause_ms = disk ? DISK_PAUSE_MS : (int64_t)PAUSE_MS << doublings;

    sight->failures++;
    flights_init(&sight->flights);
    sight->paused_until_ms = clock_boot_ms() + pause_ms;
}

/* ---- an errand has ended ---- */

static int64_t
deadline(const struct fetcher *fetcher)
{
    return clock_boot_ms() + fetcher->options.archive->settings->fetch_timeout * 1000;
}

static void
begin(struct fetcher *fetcher, uint32_t timeline, uint64_t number)
{
    struct foresight *sight = &fetcher->sight;
    struct err err = ERR_INIT;
    struct wal_name wal;

    wal_name_of_segment(timeline, number, (uint32_t)sight->segment_size, &wal);
    if (fetcher_begin(fetcher, &wal, ERRAND_AHEAD, deadline(fetcher), &err) == NULL)
        ahead_pause(fetcher, false);
    else
        sight->more = true;
}

/* No store has it: the server would go on with an older timeline's, if there is one. */
static void
look_below(struct fetcher *fetcher, uint32_t timeline, uint64_t number)
{
    struct foresight *sight = &fetcher->sight;
    uint32_t timelines[WAL_ROUTE_CANDIDATES];
    size_t n = wal_route_candidates(&sight->route, number, timelines);

    for (size_t i = 0; i < n; i++)
        if (timelines[i] < timeline) {
            begin(fetcher, timelines[i], number);
            return;
        }
    if (!sight->has_end || number < sight->end)
        sight->end = number;
    sight->has_end = true;
}

static void
become_ready(struct fetcher *fetcher, struct errand *errand)
{
    struct foresight *sight = &fetcher->sight;

    note_size(sight, errand);
    sight->failures = 0;
    errand->file = fetch_task_take_file(errand->task);
    errand->file_size = fetch_task_file_size(errand->task);
    fetch_task_free(TAKE_PTR(errand->task));
    errand->state = ERRAND_READY;
}

void
ahead_ended(struct fetcher *fetcher, struct errand *errand)
{
    struct err err = ERR_INIT;
    uint32_t timeline = errand->wal.timeline;
    uint64_t number = errand->number;
    bool again = is_last(&fetcher->sight, &errand->wal);
    int rc = fetch_task_result(errand->task, &err);

    if (rc == 0) {
        become_ready(fetcher, errand);
        return;
    }
    fetcher_drop(fetcher, errand);
    if (rc == FETCH_NOT_FOUND) {
        if (!again)
            look_below(fetcher, timeline, number);
        return;
    }
    ahead_pause(fetcher, err.kind == ERR_LOCAL);
    /* Who waits for a file needs the room more. */
    if (err.kind == ERR_LOCAL)
        fetcher_drop_ahead(fetcher);
}

/* ---- the limits ---- */

struct load {
    size_t flights; /* not those whose object has come: the link is free again */
    size_t kept; /* ready, or to become so */
    size_t on_the_way;
    uint64_t memory;  /* that they take by now */
    uint64_t claimed; /* that they may take */
};

/* How large an object may be expected to be. */
static uint64_t
expected_size(const struct foresight *sight)
{
    uint64_t most = 0;

    for (size_t i = 0; i < MIN_OF(sight->n_sizes, (size_t)AHEAD_SIZES); i++)
        most = MAX_OF(most, (uint64_t)sight->sizes[i]);
    return most == 0 ? object_size_bound(sight->segment_size) : most + most / 8;
}

static struct load
weigh(const struct fetcher *fetcher)
{
    uint64_t expected = expected_size(&fetcher->sight);
    struct load load = {.flights = 0};

    for (const struct errand *errand = fetcher->errands; errand != NULL; errand = errand->next) {
        uint64_t memory = errand->task == NULL ? 0 : fetch_task_memory(errand->task);

        load.memory += memory;
        if (errand->state == ERRAND_READY) {
            load.kept++;
        } else if (errand->is_segment) {
            load.flights += fetch_task_loads(errand->task);
            load.claimed += MAX_OF(memory, expected);
        }
        if (errand->state == ERRAND_AHEAD) {
            load.kept++;
            load.on_the_way++;
        }
    }
    return load;
}

static bool
may_begin(const struct fetcher *fetcher)
{
    const struct foresight *sight = &fetcher->sight;
    struct load load = weigh(fetcher);
    uint64_t expected = expected_size(sight);

    return load.flights < sight->flights.n &&
           (load.kept + 1) * sight->segment_size <= fetcher->options.spool_max &&
           load.claimed + expected <= fetcher->options.memory_max &&
           spool_has_room(&fetcher->spool, (load.on_the_way + 1) * sight->segment_size);
}

/* Objects turned out larger than those before: the youngest one is given up. */
static void
keep_memory(struct fetcher *fetcher)
{
    while (weigh(fetcher).memory > fetcher->options.memory_max) {
        struct errand *youngest = NULL;

        for (struct errand *errand = fetcher->errands; errand != NULL; errand = errand->next)
            if (errand->state == ERRAND_AHEAD && !fetch_task_at_work(errand->task))
                youngest = errand;
        if (youngest == NULL)
            return;
        fetcher_drop(fetcher, youngest);
        flights_init(&fetcher->sight.flights);
    }
}

/* ---- what comes next ---- */

static bool
is_under_way(const struct fetcher *fetcher, uint64_t number)
{
    for (const struct errand *errand = fetcher->errands; errand != NULL; errand = errand->next)
        if (errand->is_segment && errand->number == number && errand->state != ERRAND_DROPPED)
            return true;
    return false;
}

/*
 * At the end of recovery the server asks for the last segment once more, or twice (PostgreSQL 15
 * and later: next, last, next, last). A standby does not: it waits for the next one.
 */
static bool
begin_last_again(struct fetcher *fetcher)
{
    struct foresight *sight = &fetcher->sight;

    if (!sight->has_last || sight->again == AGAIN_MAX || !sight->has_end ||
        sight->end != sight->last_number + 1 || sight->position < sight->last_number ||
        sight->position > sight->end || is_under_way(fetcher, sight->last_number) ||
        ahead_is_standby(fetcher) || !may_begin(fetcher))
        return false;
    sight->again++;
    begin(fetcher, sight->last.timeline, sight->last_number);
    return true;
}

static void
begin_next(struct fetcher *fetcher)
{
    struct foresight *sight = &fetcher->sight;
    uint32_t timelines[WAL_ROUTE_CANDIDATES];

    for (uint64_t number = sight->position + 1; number <= sight->position + sight->window;
         number++) {
        if (sight->has_end && number >= sight->end)
            return;
        if (is_under_way(fetcher, number))
            continue;
        if (wal_route_candidates(&sight->route, number, timelines) > 0 && may_begin(fetcher))
            begin(fetcher, timelines[0], number);
        return;
    }
}

static bool
has_kept(const struct fetcher *fetcher)
{
    for (const struct errand *errand = fetcher->errands; errand != NULL; errand = errand->next)
        if (errand->state == ERRAND_READY)
            return true;
    return false;
}

/*
 * Absences must be proven soon, one after the other, while recovery waits. A standby asks for ever,
 * and has time.
 */
static void
announce_end(struct fetcher *fetcher)
{
    struct foresight *sight = &fetcher->sight;
    const struct archive *archive = fetcher->options.archive;

    if (!sight->near || !sight->has_end || sight->end > sight->position + NEAR_END)
        return;
    sight->near = false;
    if (ahead_is_standby(fetcher))
        return;
    for (size_t i = 0; i < archive->n_stores; i++)
        if (archive->stores[i].store != NULL)
            store_expect_absence(archive->stores[i].store);
}

void
ahead_advance(struct fetcher *fetcher)
{
    struct foresight *sight = &fetcher->sight;
    int64_t now_ms = clock_boot_ms();

    sight->more = false;
    if (!sight->started)
        return;
    if (now_ms >= sight->asked_ms + KEEP_MS) {
        fetcher_drop_ahead(fetcher);
        sight->started = false;
        return;
    }
    keep_memory(fetcher);
    announce_end(fetcher);
    if (now_ms < sight->paused_until_ms || sight->backward > BACKWARD_MAX)
        return;
    if (!begin_last_again(fetcher))
        begin_next(fetcher);
}

int64_t
ahead_due_ms(const struct fetcher *fetcher)
{
    const struct foresight *sight = &fetcher->sight;
    int64_t due_ms = INT64_MAX;

    if (sight->more)
        return 0;
    if (!sight->started)
        return due_ms;
    if (has_kept(fetcher))
        due_ms = sight->asked_ms + KEEP_MS;
    if (clock_boot_ms() < sight->paused_until_ms)
        due_ms = MIN_OF(due_ms, sight->paused_until_ms);
    return due_ms;
}
