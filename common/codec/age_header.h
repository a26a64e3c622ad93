/* SPDX-License-Identifier: PostgreSQL */
/*
 * age_header.h: the text in front of an encrypted object (docs/format.md
 * section 5). Pure: no cryptography, the MAC is carried and not checked.
 */
#ifndef CODEC_AGE_HEADER_H
#define CODEC_AGE_HEADER_H

#include <stdbool.h>

#include "codec/seal.h"

#define AGE_HEADER_MAX ((size_t)16384)

/* An X25519 recipient stanza. */
struct age_stanza {
    uint8_t share[KEY_SIZE];
    uint8_t wrapped[32]; /* file key and tag */
};

struct age_header {
    uint8_t seal[SEAL_SIZE_MAX];
    size_t seal_size;
    struct age_stanza stanzas[KEYS_MAX];
    size_t n_stanzas;
    uint8_t mac[DIGEST_SIZE];
    size_t mac_covers; /* the header's bytes up to and including "---" */
    size_t size;       /* of the whole header */
    bool has_foreign;  /* there were stanzas of other types; they are not kept */
};

/* Do the bytes begin as an age v1 file? */
bool age_header_is(const void *bytes, size_t size);

/*
 * Read a header that ends within bytes[0..size). 0 or -1: ERR_CORRUPT, or ERR_CONFIG (the seal
 * stanza has a newer version). Refused: another first stanza than the seal, a second seal, none
 * or more than KEYS_MAX X25519 stanzas, more than AGE_HEADER_MAX bytes, and whatever age refuses
 * (base64 that is not canonical, lines of a wrong length).
 */
int age_header_read(const void *bytes, size_t size, struct age_header *ret,
                    struct err *err) MUST_USE;

/* Only the seal stanza, from the beginning of a header. ret_seal has SEAL_SIZE_MAX. */
int age_header_read_seal(const void *bytes, size_t size, uint8_t *ret_seal, size_t *ret_size,
                         struct err *err) MUST_USE;

/* Append the header up to and including "---", from `seal` and `stanzas` alone. 0 or -1. */
int age_header_write(const struct age_header *header, struct buf *text, struct err *err) MUST_USE;

/* Append what is left: the MAC and the last line end. 0 or -1. */
int age_header_write_mac(const uint8_t *mac, struct buf *text, struct err *err) MUST_USE;

#endif
