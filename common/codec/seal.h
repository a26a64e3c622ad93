/* SPDX-License-Identifier: PostgreSQL */
/*
 * seal.h: the signed statement every object carries about itself
 * (docs/format.md section 7).
 *
 * Pure: bytes in, facts out. Verifying needs the public writer keys only.
 */
#ifndef CODEC_SEAL_H
#define CODEC_SEAL_H

#include "codec/digest.h"
#include "codec/keys.h"

#define SEAL_NAME_MAX 255
#define SEAL_SIZE_MAX (212 + SEAL_NAME_MAX)
#define SEAL_SIZE_MIN 177

enum encryption {
    ENCRYPTION_NONE = 0,
    ENCRYPTION_AGE = 1,
};

enum compression {
    COMPRESSION_NONE = 0, /* an lz4 frame of stored blocks */
    COMPRESSION_LZ4 = 1,
    COMPRESSION_ZSTD = 2,
};

struct seal {
    enum encryption encryption;
    enum compression compression;
    uint64_t system_id;
    uint64_t file_size;
    uint64_t payload_size;
    int64_t created_us; /* since 1970-01-01 UTC */
    uint8_t writer_id[WRITER_ID_SIZE];
    uint8_t fingerprint[DIGEST_SIZE];
    uint8_t payload_digest[DIGEST_SIZE];
    uint32_t front_size; /* so many first bytes of the payload, in which the index is; 0: none */
    uint8_t front_digest[DIGEST_SIZE]; /* their SHA-256 */
    char name[SEAL_NAME_MAX + 1];
};

/* HMAC(k_fp, name || SHA-256 of the file): what decides "same content". 0 or -1 (ERR_INTERNAL). */
int seal_fingerprint(const struct writer_key *key, const char *name, const uint8_t *file_digest,
                     uint8_t *ret_fingerprint, struct err *err) MUST_USE;

/* Sign. writer_id is taken from the key. `bytes` has SEAL_SIZE_MAX. 0 or -1 (ERR_INTERNAL, also
 * for what seal_read() would refuse). */
int seal_write(const struct seal *seal, const struct writer_key *key, uint8_t *bytes,
               size_t *ret_size, struct err *err) MUST_USE;

/* Do the seals of two objects, both verified and under one name, stand for the same file? */
enum seal_content {
    SEAL_SAME,    /* equal fingerprints */
    SEAL_OTHER,   /* one writer and other fingerprints, or files of other sizes */
    SEAL_UNKNOWN, /* another writer's fingerprint has another key: only the files themselves tell */
};

enum seal_content seal_compare(const struct seal *one, const struct seal *other);

/* "writer 0123456789abcdef, fingerprint 0123456789abcdef, created 2026-11-22T15:36:00Z": what tells
 * one content from another (of the fingerprint the first 8 bytes). Returns `text`. */
#define SEAL_TEXT_SIZE 128

const char *seal_text(const struct seal *seal, char *text);

/*
 * Parse and verify against the keyring's writers. Returns 0, or -1: ERR_CORRUPT (form,
 * signature), ERR_CONFIG (writer key id not among the writers, or a newer seal version; the
 * text names them). Name and system id are the caller's to compare. A name that is read is
 * printable ASCII without blanks, so it may stand in messages.
 */
int seal_read(const uint8_t *bytes, size_t size, const struct keyring *keyring, struct seal *ret,
              struct err *err) MUST_USE;

#endif
