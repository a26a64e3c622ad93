/* SPDX-License-Identifier: PostgreSQL */
#include "base/retry.h"

#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/macros.h"

int64_t
retry_delay_ms(unsigned attempt, uint32_t random, int64_t retry_after_ms)
{
    int64_t top = attempt >= 7 ? RETRY_CAP_MS : MIN_OF(RETRY_BASE_MS << attempt, RETRY_CAP_MS);
    int64_t low = RETRY_BASE_MS / 2;
    int64_t delay = low + (int64_t)((uint64_t)(top - low + 1) * random >> 32);

    return MAX_OF(delay, MIN_OF(retry_after_ms, RETRY_CAP_MS));
}

uint32_t
retry_random(void)
{
    uint32_t value = 0;

    if (getrandom(&value, sizeof(value), GRND_NONBLOCK) != (ssize_t)sizeof(value))
        value = (uint32_t)(clock_real_us() * 2654435761LL) ^ (uint32_t)getpid();
    return value;
}
