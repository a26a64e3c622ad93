/* SPDX-License-Identifier: PostgreSQL */
#include "restore/flights.h"

#include "base/macros.h"

#define GAIN_PERCENT 110
#define VAIN_MAX 2
#define REST_MS 30000

void
flights_init(struct flights *flights)
{
    *flights = (struct flights){.n = FLIGHTS_FIRST, .best_n = FLIGHTS_FIRST};
}

static void
grow(struct flights *flights, uint64_t rate)
{
    flights->best_rate = rate;
    flights->best_n = flights->n;
    flights->vain = 0;
    flights->n = MIN_OF(flights->n + 1, (size_t)FLIGHTS_MAX);
}

static void
judge(struct flights *flights, uint64_t rate, int64_t now_ms)
{
    if (flights->vain == VAIN_MAX) {
        /* The link may have changed: what was best then does not bind any more. */
        if (now_ms >= flights->again_ms)
            grow(flights, rate);
    } else if (rate * 100 >= flights->best_rate * GAIN_PERCENT) {
        grow(flights, rate);
    } else if (++flights->vain == VAIN_MAX) {
        flights->n = flights->best_n;
        flights->again_ms = now_ms + REST_MS;
    }
}

void
flights_landed(struct flights *flights, uint64_t bytes, int64_t now_ms)
{
    flights->landed++;
    if (flights->landed > FLIGHTS_WARM) {
        flights->files++;
        flights->bytes += bytes;
    }
    if (flights->landed > FLIGHTS_WARM &&
        (flights->files < 2 * flights->n || now_ms <= flights->began_ms))
        return;
    if (flights->files > 0 && flights->waited)
        judge(flights, flights->bytes * 1000 / (uint64_t)(now_ms - flights->began_ms), now_ms);
    flights->files = 0;
    flights->bytes = 0;
    flights->began_ms = now_ms;
    flights->waited = false;
}

void
flights_waited(struct flights *flights)
{
    flights->waited = true;
}
