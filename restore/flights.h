/* SPDX-License-Identifier: PostgreSQL */
/*
 * flights.h: how many files should be on their way from the stores at once. Pure: it is told what
 * happens and when.
 *
 * Files share the link, and the server needs one after the other: too many at once, and the next
 * one is late although the link is busy. The number begins at FLIGHTS_FIRST. Once connections are
 * warm (FLIGHTS_WARM files), periods of twice as many files as fly are compared. One more flies
 * after a period in which the server had to wait, if that was at least 10 % faster than the best
 * one with fewer; after two that were not, the best number holds for 30 seconds. Trouble begins
 * anew.
 */
#ifndef RESTORE_FLIGHTS_H
#define RESTORE_FLIGHTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FLIGHTS_FIRST 3
#define FLIGHTS_MAX 16
#define FLIGHTS_WARM 8

struct flights {
    size_t n;
    size_t best_n;
    uint64_t best_rate; /* bytes a second; 0: none yet */
    unsigned vain;      /* periods without gain since */
    int64_t again_ms;   /* when to try more again */
    size_t landed;      /* since the beginning */
    size_t files;       /* of this period */
    uint64_t bytes;
    int64_t began_ms;
    bool waited;
};

void flights_init(struct flights *flights);

/* An object of this size has arrived. */
void flights_landed(struct flights *flights, uint64_t bytes, int64_t now_ms);

/* The server asked for a file that was not there yet. */
void flights_waited(struct flights *flights);

#endif
