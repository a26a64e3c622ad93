/* SPDX-License-Identifier: PostgreSQL */
#include "codec/bech32.h"

#include <string.h>

#define GROUPS 52 /* of five bits, for 32 bytes: 256 bits and four of padding */
#define CHECKSUM 6

static const char alphabet[] = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";

static char
lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static char
upper(char c)
{
    return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

static bool
is_upper(const char *prefix)
{
    for (; *prefix != '\0'; prefix++) {
        if (*prefix >= 'A' && *prefix <= 'Z')
            return true;
    }
    return false;
}

/* The checksum polynomial of BIP 173, one five-bit group at a time. */
static uint32_t
step(uint32_t state, uint8_t group)
{
    static const uint32_t generator[] = {0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd,
                                         0x2a1462b3};
    uint32_t top = state >> 25;

    state = (state & 0x1ffffff) << 5 ^ group;
    for (size_t i = 0; i < 5; i++)
        state ^= (top >> i & 1) != 0 ? generator[i] : 0;
    return state;
}

static uint32_t
checksum_of_prefix(const char *prefix)
{
    uint32_t state = 1;

    for (const char *c = prefix; *c != '\0'; c++)
        state = step(state, (uint8_t)((uint8_t)lower(*c) >> 5));
    state = step(state, 0);
    for (const char *c = prefix; *c != '\0'; c++)
        state = step(state, (uint8_t)((uint8_t)lower(*c) & 31));
    return state;
}

void
bech32_write(const char *prefix, const uint8_t *key, char *text)
{
    bool in_upper = is_upper(prefix);
    uint32_t state = checksum_of_prefix(prefix);
    size_t used = strlen(prefix);
    uint32_t bits = 0;
    unsigned count = 0;

    memcpy(text, prefix, used);
    text[used++] = '1';
    /* One zero byte more than the key has: its first bits are the padding. */
    for (size_t i = 0, groups = 0; groups < GROUPS; i++) {
        bits = bits << 8 | (i < BECH32_KEY_SIZE ? key[i] : 0U);
        count += 8;
        for (; count >= 5 && groups < GROUPS; groups++) {
            count -= 5;
            uint8_t group = bits >> count & 31;
            state = step(state, group);
            text[used++] = alphabet[group];
        }
    }
    for (size_t i = 0; i < CHECKSUM; i++)
        state = step(state, 0);
    state ^= 1;
    for (unsigned i = 0; i < CHECKSUM; i++)
        text[used++] = alphabet[state >> (5 * (5 - i)) & 31];
    text[used] = '\0';
    for (char *c = text; in_upper && *c != '\0'; c++)
        *c = upper(*c);
}

/* The value of a character, -1 if it is none or in the other case. */
static int
group_of(char c, bool in_upper)
{
    if (c == '\0' || (in_upper ? lower(c) == c && upper(c) != c : upper(c) == c && lower(c) != c))
        return -1;
    const char *found = strchr(alphabet, lower(c));
    return found == NULL ? -1 : (int)(found - alphabet);
}

bool
bech32_read(const char *prefix, const char *text, size_t length, uint8_t *ret_key)
{
    bool in_upper = is_upper(prefix);
    uint32_t state = checksum_of_prefix(prefix);
    size_t prefix_length = strlen(prefix);
    uint32_t bits = 0;
    unsigned count = 0;
    size_t used = 0;

    if (length != BECH32_LENGTH(prefix_length) || memcmp(text, prefix, prefix_length) != 0 ||
        text[prefix_length] != '1')
        return false;
    text += prefix_length + 1;
    for (size_t i = 0; i < GROUPS + CHECKSUM; i++) {
        int group = group_of(text[i], in_upper);

        if (group < 0)
            return false;
        state = step(state, (uint8_t)group);
        if (i >= GROUPS)
            continue;
        bits = bits << 5 | (uint32_t)group;
        count += 5;
        if (count >= 8) {
            count -= 8;
            ret_key[used++] = (uint8_t)(bits >> count & 0xff);
        }
        if (i == GROUPS - 1 && (bits & ((1U << count) - 1)) != 0)
            return false;
    }
    return state == 1;
}
