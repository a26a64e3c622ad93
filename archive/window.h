/* SPDX-License-Identifier: PostgreSQL */
/*
 * window.h: how many objects should be under way to the stores at once. Pure: it is told what
 * happens and when.
 *
 * The rule. The window begins at WINDOW_START. A period is the time in which as many objects as
 * the window is wide were archived while it was full; its rate is bytes by time. If a period
 * was at least 25 % faster than the best one with a narrower window, the window doubles; if 5 %, it
 * grows by a quarter (by one at least). After two periods that were not, the link, the stores or
 * the processor are the bound: the window goes back to the width that was best, and another growth
 * is tried after 30 seconds. A request that failed or had to be repeated halves it, once in two
 * seconds.
 */
#ifndef ARCHIVE_WINDOW_H
#define ARCHIVE_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WINDOW_START 4
#define WINDOW_MAX 32

struct window {
    size_t size;
    size_t best_size;
    uint64_t best_rate; /* bytes a second; 0: none yet */
    unsigned vain;      /* periods without gain since */
    int64_t again_ms;   /* when to try to grow again */
    int64_t trouble_ms;
    size_t objects; /* of this period */
    uint64_t bytes;
    int64_t began_ms;
};

void window_init(struct window *window, int64_t now_ms);

/* An object of this size was archived. full: the window let nothing else begin meanwhile. */
void window_archived(struct window *window, uint64_t bytes, bool full, int64_t now_ms);

/* A request failed, timed out, or was repeated. */
void window_trouble(struct window *window, int64_t now_ms);

#endif
