/* SPDX-License-Identifier: PostgreSQL */
/*
 * Seals: as they come (the signature stops nearly all), and signed by a known
 * key first, so that every field is reached. What is read is written alike.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "codec/curve.h"
#include "codec/seal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
read_and_write(const uint8_t *data, size_t size, const struct keyring *keyring,
               const struct writer_key *key)
{
    struct seal seal;
    struct err err;
    uint8_t bytes[SEAL_SIZE_MAX];
    size_t written = 0;

    if (seal_read(data, size, keyring, &seal, &err) < 0)
        return;
    if (seal.file_size > (uint64_t)1 << 30 || strlen(seal.name) != data[3])
        abort();
    /* Ed25519 signatures are deterministic, so the bytes are the same. */
    if (seal_write(&seal, key, bytes, &written, &err) < 0 || written != size ||
        memcmp(bytes, data, size) != 0)
        abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char text[] =
        "SEAWALL-WRITER-KEY-1QQQSYQCYQ5RQWZQFPG9SCRGWPUGPZYSNZS23V9CCRYDPK8QARC0S4KWUW6";
    struct writer_key key;
    AUTO(keyring) struct keyring keyring = KEYRING_INIT;
    struct err err;

    if (writer_key_parse(text, strlen(text), "w", &key, &err) < 0 ||
        keyring_add_writer(&keyring, &key.public_half, &err) < 0)
        abort();
    read_and_write(data, size, &keyring, &key);
    if (size < SEAL_SIZE_MIN || size > SEAL_SIZE_MAX)
        return 0;

    uint8_t message[16 + SEAL_SIZE_MAX];
    size_t signed_size = size - CURVE_SIGNATURE_SIZE;
    memcpy(message, "seawall-seal-v1\n", 16);
    memcpy(message + 16, data, size);
    memcpy(message + 16 + 40, key.public_half.id, WRITER_ID_SIZE);
    if (curve_ed25519_sign(key.seed, (struct span){message, 16 + signed_size},
                           message + 16 + signed_size, &err) < 0)
        abort();
    read_and_write(message + 16, size, &keyring, &key);
    return 0;
}
