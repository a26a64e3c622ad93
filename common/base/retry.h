/* SPDX-License-Identifier: PostgreSQL */
/*
 * retry.h: how long to wait before the next attempt. Pure: it neither sleeps
 * nor reads a clock nor draws random numbers.
 */
#ifndef BASE_RETRY_H
#define BASE_RETRY_H

#include <stdint.h>

#define RETRY_BASE_MS 100
#define RETRY_CAP_MS 10000

/*
 * Full jitter: uniform in [base/2, min(cap, base * 2^attempt)], attempt 0 being the wait after
 * the first failure. `random` is any 32 random bits. A server's Retry-After (ms, 0: none) raises
 * the wait to at most the cap.
 */
int64_t retry_delay_ms(unsigned attempt, uint32_t random, int64_t retry_after_ms);

/* 32 bits for the jitter, not for secrets. */
uint32_t retry_random(void);

#endif
