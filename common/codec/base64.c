/* SPDX-License-Identifier: PostgreSQL */
#include "codec/base64.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void
base64_write(const uint8_t *bytes, size_t size, char *text)
{
    uint32_t bits = 0;
    unsigned count = 0;

    for (size_t i = 0; i < size; i++) {
        bits = bits << 8 | bytes[i];
        count += 8;
        while (count >= 6) {
            count -= 6;
            *text++ = alphabet[bits >> count & 63];
        }
    }
    if (count > 0)
        *text = alphabet[bits << (6 - count) & 63];
}

static int
value_of(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '+')
        return 62;
    return c == '/' ? 63 : -1;
}

bool
base64_read(const char *text, size_t length, uint8_t *bytes, size_t capacity, size_t *ret_size)
{
    uint32_t bits = 0;
    unsigned count = 0;
    size_t size = 0;

    if (length % 4 == 1)
        return false;
    for (size_t i = 0; i < length; i++) {
        int value = value_of(text[i]);

        if (value < 0)
            return false;
        bits = bits << 6 | (uint32_t)value;
        count += 6;
        if (count >= 8) {
            count -= 8;
            if (size == capacity)
                return false;
            bytes[size++] = (uint8_t)(bits >> count & 0xff);
        }
    }
    if ((bits & ((1U << count) - 1)) != 0)
        return false;
    *ret_size = size;
    return true;
}
