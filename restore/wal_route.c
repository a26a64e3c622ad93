/* SPDX-License-Identifier: PostgreSQL */
#include "restore/wal_route.h"

#include <stdlib.h>
#include <string.h>

void
wal_route_init(struct wal_route *route, uint32_t segment_size)
{
    *route = (struct wal_route){.segment_size = segment_size};
}

static void
forget(struct wal_route *route, size_t i)
{
    free(route->histories[i]);
    route->n--;
    memmove(&route->histories[i], &route->histories[i + 1],
            (route->n - i) * sizeof(struct wal_history *));
}

void
wal_route_done(struct wal_route *route)
{
    while (route->n > 0)
        forget(route, route->n - 1);
}

void
wal_route_learn(struct wal_route *route, const struct wal_history *history)
{
    struct wal_history *copy = malloc(sizeof(*copy));
    size_t at = 0;

    if (copy == NULL)
        return;
    memcpy(copy, history, sizeof(*copy));
    while (at < route->n && route->histories[at]->timeline < history->timeline)
        at++;
    if (at < route->n && route->histories[at]->timeline == history->timeline) {
        free(route->histories[at]);
        route->histories[at] = copy;
        return;
    }
    if (route->n == WAL_ROUTE_HISTORIES) {
        /* The oldest timelines are ancestors of the newer ones, which name them. */
        if (at == 0) {
            free(copy);
            return;
        }
        forget(route, 0);
        at--;
    }
    memmove(&route->histories[at + 1], &route->histories[at],
            (route->n - at) * sizeof(struct wal_history *));
    route->histories[at] = copy;
    route->n++;
}

/* Does a recovery to the end of this history pass through the timeline? */
static bool
passes(const struct wal_history *history, uint32_t timeline)
{
    if (history->timeline == timeline)
        return true;
    for (size_t i = 0; i < history->n_entries; i++)
        if (history->entries[i].timeline == timeline)
            return true;
    return false;
}

/* Where recovery seems to be going: NULL if only the timeline itself is known. */
static const struct wal_history *
target(const struct wal_route *route)
{
    for (size_t i = route->n; i > 0; i--)
        if (passes(route->histories[i - 1], route->timeline))
            return route->histories[i - 1];
    return NULL;
}

/* The candidates down to `lowest`. */
static size_t
candidates_from(const struct wal_route *route, uint64_t number, uint32_t lowest, uint32_t *ret)
{
    const struct wal_history *history = target(route);
    size_t n = 0;

    if (history == NULL) {
        ret[n++] = route->timeline;
        if (lowest != 0 && lowest < route->timeline)
            ret[n++] = lowest;
        return n;
    }
    for (size_t i = history->n_entries + 1; i > 0 && n < WAL_ROUTE_CANDIDATES; i--) {
        const struct wal_history_entry *before = i == 1 ? NULL : &history->entries[i - 2];
        uint32_t timeline =
            i > history->n_entries ? history->timeline : history->entries[i - 1].timeline;

        if (timeline < lowest)
            break;
        if (before == NULL || number >= before->switch_lsn / route->segment_size)
            ret[n++] = timeline;
    }
    return n;
}

static bool
was_asked(const struct wal_route *route, uint32_t timeline)
{
    for (size_t i = 0; i < route->n_asked; i++)
        if (route->timelines_asked[i] == timeline)
            return true;
    return false;
}

/* It would have asked for a newer timeline's segment first, if that were on its way. */
static bool
contradicted(const struct wal_route *route)
{
    uint32_t candidates[WAL_ROUTE_CANDIDATES];
    size_t n = candidates_from(route, route->number, route->timeline, candidates);

    for (size_t i = 0; i < n; i++)
        if (candidates[i] > route->timeline && !was_asked(route, candidates[i]))
            return true;
    return false;
}

bool
wal_route_asked(struct wal_route *route, uint32_t timeline, uint64_t number)
{
    bool turned = false;

    if (route->timeline == 0 || route->number != number)
        route->n_asked = 0;
    /* A server that goes below has been started again. */
    if (timeline < route->floor)
        route->floor = 0;
    route->timeline = timeline;
    route->number = number;
    if (!was_asked(route, timeline) && route->n_asked < WAL_ROUTE_CANDIDATES)
        route->timelines_asked[route->n_asked++] = timeline;
    if (route->segment_size == 0)
        return false;
    for (const struct wal_history *wrong = target(route); wrong != NULL && contradicted(route);
         wrong = target(route)) {
        for (size_t i = route->n; i > 0; i--)
            if (route->histories[i - 1] == wrong)
                forget(route, i - 1);
        turned = true;
    }
    return turned;
}

void
wal_route_served(struct wal_route *route, uint32_t timeline)
{
    route->floor = timeline;
}

size_t
wal_route_candidates(const struct wal_route *route, uint64_t number, uint32_t *ret)
{
    if (route->segment_size == 0 || route->timeline == 0)
        return 0;
    return candidates_from(route, number, route->floor, ret);
}
