/* SPDX-License-Identifier: PostgreSQL */
#include "archive/window.h"

#include "base/macros.h"

#define GAIN_PERCENT 105
#define MUCH_PERCENT 125
#define VAIN_MAX 2
#define REST_MS 30000
#define TROUBLE_MS 2000

static void
begin_period(struct window *window, int64_t now_ms)
{
    window->objects = 0;
    window->bytes = 0;
    window->began_ms = now_ms;
}

void
window_init(struct window *window, int64_t now_ms)
{
    *window = (struct window){.size = WINDOW_START, .best_size = WINDOW_START};
    window->trouble_ms = now_ms - TROUBLE_MS;
    begin_period(window, now_ms);
}

static void
grow(struct window *window, bool much)
{
    size_t more = much ? window->size : MAX_OF(window->size / 4, (size_t)1);

    window->size = MIN_OF(window->size + more, (size_t)WINDOW_MAX);
}

static void
judge_period(struct window *window, uint64_t rate, int64_t now_ms)
{
    if (rate * 100 >= window->best_rate * GAIN_PERCENT) {
        bool much = rate * 100 >= window->best_rate * MUCH_PERCENT;

        window->best_rate = rate;
        window->best_size = window->size;
        window->vain = 0;
        grow(window, much);
    } else if (window->vain < VAIN_MAX) {
        window->vain++;
        if (window->vain == VAIN_MAX) {
            window->size = window->best_size;
            window->again_ms = now_ms + REST_MS;
        }
    } else if (now_ms >= window->again_ms) {
        /* The link may have changed: what was best then does not bind any more. */
        window->best_rate = rate;
        window->best_size = window->size;
        window->vain = 0;
        grow(window, false);
    }
}

void
window_archived(struct window *window, uint64_t bytes, bool full, int64_t now_ms)
{
    /* A period in which there was not enough to do says nothing about the link. */
    if (!full) {
        begin_period(window, now_ms);
        return;
    }
    window->objects++;
    window->bytes += bytes;
    if (window->objects < window->size || now_ms <= window->began_ms)
        return;
    judge_period(window, window->bytes * 1000 / (uint64_t)(now_ms - window->began_ms), now_ms);
    begin_period(window, now_ms);
}

void
window_trouble(struct window *window, int64_t now_ms)
{
    if (now_ms - window->trouble_ms < TROUBLE_MS)
        return;
    window->trouble_ms = now_ms;
    window->size = MAX_OF(window->size / 2, (size_t)1);
    window->best_size = window->size;
    window->best_rate = 0;
    window->vain = 0;
    begin_period(window, now_ms);
}
