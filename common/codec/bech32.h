/* SPDX-License-Identifier: PostgreSQL */
/*
 * bech32.h: 32-byte keys as text (BIP 173). As in age the text may be longer than the 90
 * characters of BIP 173, and the prefix decides the case of all of it.
 */
#ifndef CODEC_BECH32_H
#define CODEC_BECH32_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BECH32_KEY_SIZE 32
#define BECH32_PREFIX_MAX 32

/* Characters of a key's text without its NUL: prefix, "1", 52 for the key, 6 for the checksum. */
#define BECH32_LENGTH(prefix_length) ((prefix_length) + 1 + 52 + 6)

/*
 * Writes BECH32_LENGTH characters and a NUL. `prefix` is at most BECH32_PREFIX_MAX characters;
 * if it holds an upper-case letter the text is all upper case, else all lower case.
 */
void bech32_write(const char *prefix, const uint8_t *key, char *text);

/*
 * The whole of text[0..length): exactly this prefix in this case, a 32-byte key, zero padding
 * bits, the checksum. False if anything differs; ret_key is then undefined.
 */
bool bech32_read(const char *prefix, const char *text, size_t length, uint8_t *ret_key);

#endif
