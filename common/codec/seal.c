/* SPDX-License-Identifier: PostgreSQL */
#include "codec/seal.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/hex.h"
#include "base/io.h"
#include "codec/curve.h"

#define SEAL_VERSION 1
#define SEAL_NAME_OFFSET 112
#define SEAL_FRONT_SIZE (4 + DIGEST_SIZE)
#define FLAG_FRONT 1
#define FINGERPRINT_SHOWN 8
#define SEAL_FILE_MAX ((uint64_t)1 << 30)

static const char signed_label[] = "seawall-seal-v1\n";
#define SIGNED_LABEL_SIZE (sizeof(signed_label) - 1)

static bool
name_is_good(const uint8_t *name, size_t length)
{
    if (length == 0 || length > SEAL_NAME_MAX)
        return false;
    for (size_t i = 0; i < length; i++) {
        if (name[i] <= 0x20 || name[i] >= 0x7f)
            return false;
    }
    return true;
}

int
seal_fingerprint(const struct writer_key *key, const char *name, const uint8_t *file_digest,
                 uint8_t *ret_fingerprint, struct err *err)
{
    uint8_t length[2];
    size_t name_length = strlen(name);
    const struct span spans[] = {
        {length, sizeof(length)},
        {(const uint8_t *)name, name_length},
        {file_digest, DIGEST_SIZE},
    };

    if (!name_is_good((const uint8_t *)name, name_length))
        return err_set(err, ERR_INTERNAL, "object name cannot be sealed");
    put_u16_be(length, (uint16_t)name_length);
    return digest_hmac((struct span){key->fingerprint_key, KEY_SIZE}, spans, ARRAY_SIZE(spans),
                       ret_fingerprint, err);
}

/* The bytes the signature covers, with their label in front. */
struct signed_bytes {
    uint8_t data[SIGNED_LABEL_SIZE + SEAL_SIZE_MAX];
    size_t size;
};

static void
collect_signed(const uint8_t *bytes, size_t size, struct signed_bytes *ret)
{
    memcpy(ret->data, signed_label, SIGNED_LABEL_SIZE);
    memcpy(ret->data + SIGNED_LABEL_SIZE, bytes, size);
    ret->size = SIGNED_LABEL_SIZE + size;
}

int
seal_write(const struct seal *seal, const struct writer_key *key, uint8_t *bytes, size_t *ret_size,
           struct err *err)
{
    size_t name_length = strnlen(seal->name, sizeof(seal->name));
    struct signed_bytes text;

    if (!name_is_good((const uint8_t *)seal->name, name_length))
        return err_set(err, ERR_INTERNAL, "object name cannot be sealed");
    if ((seal->encryption != ENCRYPTION_NONE && seal->encryption != ENCRYPTION_AGE) ||
        seal->compression > COMPRESSION_ZSTD || seal->file_size > SEAL_FILE_MAX ||
        seal->front_size > seal->payload_size)
        return err_set(err, ERR_INTERNAL, "values that cannot be sealed");

    bytes[0] = SEAL_VERSION;
    bytes[1] = (uint8_t)seal->encryption;
    bytes[2] = (uint8_t)seal->compression;
    bytes[3] = (uint8_t)name_length;
    put_u32_be(bytes + 4, seal->front_size != 0 ? FLAG_FRONT : 0);
    put_u64_be(bytes + 8, seal->system_id);
    put_u64_be(bytes + 16, seal->file_size);
    put_u64_be(bytes + 24, seal->payload_size);
    put_u64_be(bytes + 32, (uint64_t)seal->created_us);
    memcpy(bytes + 40, key->public_half.id, WRITER_ID_SIZE);
    memcpy(bytes + 48, seal->fingerprint, DIGEST_SIZE);
    memcpy(bytes + 80, seal->payload_digest, DIGEST_SIZE);
    memcpy(bytes + SEAL_NAME_OFFSET, seal->name, name_length);

    size_t size = SEAL_NAME_OFFSET + name_length;
    if (seal->front_size != 0) {
        put_u32_be(bytes + size, seal->front_size);
        memcpy(bytes + size + 4, seal->front_digest, DIGEST_SIZE);
        size += SEAL_FRONT_SIZE;
    }
    collect_signed(bytes, size, &text);
    if (curve_ed25519_sign(key->seed, (struct span){text.data, text.size}, bytes + size, err) < 0)
        return -1;
    *ret_size = size + CURVE_SIGNATURE_SIZE;
    return 0;
}

/* What stands behind the name. */
static int
read_front(const uint8_t *bytes, struct seal *ret, struct err *err)
{
    struct cursor cursor;

    cursor_init(&cursor, bytes, SEAL_FRONT_SIZE);
    ret->front_size = cursor_u32_be(&cursor);
    memcpy(ret->front_digest, bytes + 4, DIGEST_SIZE);
    if (ret->front_size == 0 || ret->front_size > ret->payload_size)
        return err_set(err, ERR_CORRUPT, "seal says a beginning of %u bytes", ret->front_size);
    return 0;
}

/* Everything but the signature. `size` is SEAL_SIZE_MIN at least. */
static int
read_fields(const uint8_t *bytes, size_t size, struct seal *ret, struct err *err)
{
    struct cursor cursor;
    uint8_t encryption = bytes[1];
    uint8_t compression = bytes[2];
    size_t name_length = bytes[3];

    uint32_t flags = 0;

    cursor_init(&cursor, bytes + 4, 4);
    flags = cursor_u32_be(&cursor);
    if (flags > FLAG_FRONT)
        return err_set(err, ERR_CORRUPT, "seal has unknown flags");
    size_t front_size = flags == FLAG_FRONT ? SEAL_FRONT_SIZE : 0;
    if (size != SEAL_NAME_OFFSET + name_length + front_size + CURVE_SIGNATURE_SIZE)
        return err_set(err, ERR_CORRUPT, "seal has %zu bytes with a name of %zu", size,
                       name_length);
    if (encryption > ENCRYPTION_AGE || compression > COMPRESSION_ZSTD)
        return err_set(err, ERR_CORRUPT, "seal has unknown encryption %u or compression %u",
                       encryption, compression);

    cursor_init(&cursor, bytes, size);
    (void)cursor_bytes(&cursor, 8);
    ret->encryption = (enum encryption)encryption;
    ret->compression = (enum compression)compression;
    ret->system_id = cursor_u64_be(&cursor);
    ret->file_size = cursor_u64_be(&cursor);
    ret->payload_size = cursor_u64_be(&cursor);
    ret->created_us = (int64_t)cursor_u64_be(&cursor);
    memcpy(ret->writer_id, bytes + 40, WRITER_ID_SIZE);
    memcpy(ret->fingerprint, bytes + 48, DIGEST_SIZE);
    memcpy(ret->payload_digest, bytes + 80, DIGEST_SIZE);

    if (ret->file_size > SEAL_FILE_MAX)
        return err_set(err, ERR_CORRUPT, "seal says a file of %llu bytes",
                       (unsigned long long)ret->file_size);
    if (!name_is_good(bytes + SEAL_NAME_OFFSET, name_length))
        return err_set(err, ERR_CORRUPT, "seal has a malformed object name");
    memcpy(ret->name, bytes + SEAL_NAME_OFFSET, name_length);
    ret->name[name_length] = '\0';
    return flags == FLAG_FRONT ? read_front(bytes + SEAL_NAME_OFFSET + name_length, ret, err) : 0;
}

/* Eight bytes do not name a key for certain, so every writer of that id is tried. */
static int
verify(const uint8_t *bytes, size_t size, const struct seal *seal, const struct keyring *keyring,
       struct err *err)
{
    char id[2 * WRITER_ID_SIZE + 1];
    const uint8_t *signature = bytes + size - CURVE_SIGNATURE_SIZE;
    struct signed_bytes text;
    bool known = false;

    collect_signed(bytes, size - CURVE_SIGNATURE_SIZE, &text);
    for (size_t i = 0; i < keyring->n_writers; i++) {
        const struct writer_public *writer = &keyring->writers[i];
        bool good = false;

        if (memcmp(writer->id, seal->writer_id, WRITER_ID_SIZE) != 0)
            continue;
        known = true;
        if (curve_ed25519_verify(writer->public_key, (struct span){text.data, text.size},
                                 signature, &good, err) < 0)
            return -1;
        if (good)
            return 0;
    }

    (void)hex_text(seal->writer_id, WRITER_ID_SIZE, id);
    if (known)
        return err_set(err, ERR_CORRUPT, "seal's signature does not verify under writer key %s",
                       id);
    (void)err_set(err, ERR_CONFIG, "seal is by writer key %s, which is not a configured writer",
                  id);
    return err_hint(err, "If the key is yours, add its public key to \"writers\".");
}

int
seal_read(const uint8_t *bytes, size_t size, const struct keyring *keyring, struct seal *ret,
          struct err *err)
{
    struct seal seal = {.encryption = ENCRYPTION_NONE};

    if (size < 1 || bytes[0] == 0)
        return err_set(err, ERR_CORRUPT, "seal is malformed");
    if (bytes[0] != SEAL_VERSION) {
        (void)err_set(err, ERR_CONFIG, "seal has version %u, this program reads version %d",
                      bytes[0], SEAL_VERSION);
        return err_hint(err, "Use a newer version of Seawall to read this object.");
    }
    if (size < SEAL_SIZE_MIN || size > SEAL_SIZE_MAX)
        return err_set(err, ERR_CORRUPT, "seal has %zu bytes", size);
    if (read_fields(bytes, size, &seal, err) < 0 || verify(bytes, size, &seal, keyring, err) < 0)
        return -1;
    *ret = seal;
    return 0;
}

/* ---- two objects under one name ---- */

enum seal_content
seal_compare(const struct seal *one, const struct seal *other)
{
    if (digest_equal(one->fingerprint, other->fingerprint))
        return SEAL_SAME;
    if (memcmp(one->writer_id, other->writer_id, WRITER_ID_SIZE) == 0 ||
        one->file_size != other->file_size)
        return SEAL_OTHER;
    return SEAL_UNKNOWN;
}

const char *
seal_text(const struct seal *seal, char *text)
{
    char writer[2 * WRITER_ID_SIZE + 1];
    char fingerprint[2 * FINGERPRINT_SHOWN + 1];
    char created[CLOCK_TEXT_SIZE];

    (void)snprintf(text, SEAL_TEXT_SIZE, "writer %s, fingerprint %s, created %s",
                   hex_text(seal->writer_id, WRITER_ID_SIZE, writer),
                   hex_text(seal->fingerprint, FINGERPRINT_SHOWN, fingerprint),
                   clock_text(seal->created_us, created));
    return text;
}
