/* SPDX-License-Identifier: PostgreSQL */
/*
 * object.h: a file becomes a stored object, and a stored object the file again
 * (docs/format.md). The one way in and the one way out for every layer above.
 *
 * Packing reads the file's bytes once, in pieces, and holds only the compressed
 * form: memory is object_size_bound() and what the compressor needs. Opening
 * verifies everything that needs no identity; unpacking hands out pieces of the
 * file as they decode, and its return value 0 is the only statement that they
 * were the whole file.
 */
#ifndef CODEC_OBJECT_H
#define CODEC_OBJECT_H

#include "base/buf.h"
#include "codec/seal.h"

#define OBJECT_HEADER_MAX ((size_t)16384)     /* age header, or the seal frame */
#define OBJECT_INDEX_MAX ((size_t)1048576)    /* segment index in the front frame */
#define OBJECT_FILE_MAX ((uint64_t)1 << 30)   /* 1 GiB, the largest WAL segment */

struct object_format {
    enum compression compression;
    int level; /* of the compressor; 0: its default (lz4 fast, zstd 1) */
    enum encryption encryption;
    const struct age_recipient *recipients; /* borrowed; ENCRYPTION_AGE needs at least one */
    size_t n_recipients;
};

/* What the packed object is called and whose it is. */
struct object_label {
    const char *name; /* object name, borrowed */
    uint64_t system_id;
    int64_t created_us;
};

/* A segment index to be put in front, or NULL data and version 0. */
struct object_index {
    uint32_t version;
    const uint8_t *data;
    size_t size;
};

struct object_packer; /* opaque */

/* Upper bound of an object's size for a file of this size (index included). */
uint64_t object_size_bound(uint64_t file_size);

/*
 * Begin an object for a file of exactly `file_size` bytes. format, its recipients and key are
 * borrowed until object_packer_free(). 0 or -1 (ERR_CONFIG: recipients, level; ERR_LOCAL: a file
 * above OBJECT_FILE_MAX; ERR_INTERNAL).
 */
int object_packer_new(const struct object_format *format, const struct writer_key *key,
                      uint64_t file_size, struct object_packer **ret_packer,
                      struct err *err) MUST_USE;

/* The next piece of the file, of any size. 0 or -1 (ERR_LOCAL when file_size is passed). */
int object_packer_write(struct object_packer *packer, const void *bytes, size_t size,
                        struct err *err) MUST_USE;

/*
 * The file is complete (exactly file_size bytes, else ERR_LOCAL): seal and encrypt, once. The
 * packed object is ret_spans[0] (header) followed by ret_spans[1] (payload), owned by the packer.
 * index may be NULL, ret_seal too. 0 or -1; after -1 the packer can only be freed.
 */
int object_packer_finish(struct object_packer *packer, const struct object_label *label,
                         const struct object_index *index, struct span *ret_spans,
                         struct seal *ret_seal, struct err *err) MUST_USE;

/* How much is held: the compressed bytes so far, without what finishing adds. */
size_t object_packer_size(const struct object_packer *packer);

/* The most that finishing adds for a file of this size: header, index, tags. */
uint64_t object_size_overhead(uint64_t file_size);

/* SHA-256 of the file; valid after object_packer_finish(). */
const uint8_t *object_packer_digest(const struct object_packer *packer);

void object_packer_free(struct object_packer *packer);

DEFINE_POINTER_CLEANUP(object_packer, struct object_packer, object_packer_free);

/* An object in memory whose seal, name, system id and payload hash have been verified. */
struct object {
    struct seal seal;
    struct span header;
    struct span payload;
};

/*
 * Parse the envelope, verify the seal, compare name and system id (steps 1 to 4 of section 9).
 * `bytes` is borrowed by ret_object. 0, or -1: ERR_CORRUPT, or ERR_CONFIG (unknown writer, newer
 * format). Needs no identity.
 */
int object_open(const void *bytes, size_t size, const char *name, uint64_t system_id,
                const struct keyring *keyring, struct object *ret_object, struct err *err) MUST_USE;

/*
 * The seal alone, from the first bytes of an object (1,024 suffice). The payload is not looked
 * at. Same results as object_open().
 */
int object_peek(const void *bytes, size_t size, const struct keyring *keyring,
                struct seal *ret_seal, struct err *err) MUST_USE;

/* Gets the file's bytes in order. Returns 0, or -1 to stop with *err set. */
typedef int (*object_sink)(void *context, const uint8_t *bytes, size_t size, struct err *err);

/*
 * Decrypt, decode and verify (steps 5 to 8), handing the pieces to `sink` (NULL: verify only).
 * The file is right if and only if this returns 0. -1: ERR_CORRUPT, ERR_CONFIG (no identity
 * of ours opens it), or the sink's error. ret_digest (SHA-256 of the file, may be NULL).
 * The payload is decrypted chunk by chunk; `object` is not modified.
 */
int object_unpack(const struct object *object, const struct keyring *keyring, object_sink sink,
                  void *context, uint8_t *ret_digest, struct err *err) MUST_USE;

/*
 * The same, straight into `file`, which has room for seal.file_size bytes, for a caller who checks
 * every byte he uses by an authentic sum of his own, as a restore does: step 8 is left out. What is
 * stored is authentic as ever, by the seal and by encryption, and the frame's checksum is compared;
 * the caller's sum stands for the decoding alone. ret_digest: SHA-256 of the file, as the writer
 * put it into the front frame.
 */
int object_unpack_into(const struct object *object, const struct keyring *keyring, uint8_t *file,
                       uint8_t *ret_digest, struct err *err) MUST_USE;

enum object_outcome {
    OBJECT_SHORT = 1, /* more of the object is needed; OBJECT_INDEX_BYTES suffice in any case */
};

/* From this many first bytes of any object, or the whole of a shorter one, the index is read. */
#define OBJECT_INDEX_BYTES (OBJECT_HEADER_MAX + OBJECT_INDEX_MAX + (size_t)2 * 65536)

/*
 * The segment index alone, from the first bytes of an object: decrypts only the chunks needed.
 * `available` is how much of the object is in memory: OBJECT_HEADER_MAX at least, or all of it.
 * The seal is verified, its payload hash is not. The index is authentic if the seal has a digest of
 * the beginning (seal.front_size is not 0), which is compared; without one it is only as authentic
 * as encryption makes it: anybody who knows a recipient could have written it. 0 (ret_index
 * holds it, replacing its content; version 0: none), OBJECT_SHORT, or -1 as for object_open() and
 * object_unpack(). ret_seal (may be NULL) is filled with 0 and with OBJECT_SHORT.
 */
int object_read_index(const void *bytes, size_t available, const struct keyring *keyring,
                      struct seal *ret_seal, uint32_t *ret_version, struct buf *ret_index,
                      struct err *err) MUST_USE;

#endif
