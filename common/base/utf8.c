/* SPDX-License-Identifier: PostgreSQL */
#include "base/utf8.h"

#include <stdint.h>

/* The length of the sequence at bytes[0], and which second bytes may follow; 0: none begins so. */
static size_t
sequence(uint8_t first, uint8_t *ret_low, uint8_t *ret_high)
{
    *ret_low = 0x80;
    *ret_high = 0xBF;
    if (first < 0x80)
        return 1;
    if (first < 0xC2)
        return 0;
    if (first < 0xE0)
        return 2;
    if (first < 0xF0) {
        if (first == 0xE0)
            *ret_low = 0xA0;
        if (first == 0xED)
            *ret_high = 0x9F;
        return 3;
    }
    if (first == 0xF0)
        *ret_low = 0x90;
    if (first == 0xF4)
        *ret_high = 0x8F;
    return first <= 0xF4 ? 4 : 0;
}

bool
utf8_valid(const char *text, size_t length)
{
    const uint8_t *bytes = (const uint8_t *)text;
    size_t n = 0;

    for (size_t at = 0; at < length; at += n) {
        uint8_t low = 0;
        uint8_t high = 0;

        n = sequence(bytes[at], &low, &high);
        if (n == 0 || n > length - at)
            return false;
        if (n > 1 && (bytes[at + 1] < low || bytes[at + 1] > high))
            return false;
        for (size_t i = 2; i < n; i++)
            if ((bytes[at + i] & 0xC0) != 0x80)
                return false;
    }
    return true;
}
