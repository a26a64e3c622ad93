/* SPDX-License-Identifier: PostgreSQL */
#include "codec/object.h"

#include <string.h>

#include "base/secret.h"
#include "codec/age_header.h"
#include "codec/age_stream.h"
#include "codec/age_wrap.h"
#include "codec/digest.h"
#include "codec/envelope.h"
#include "codec/front_frame.h"
#include "codec/payload.h"

_Static_assert(OBJECT_HEADER_MAX == AGE_HEADER_MAX, "one limit, stated for callers");
_Static_assert(OBJECT_INDEX_MAX == FRONT_FRAME_INDEX_MAX, "one limit, stated for callers");

struct file_key {
    uint8_t bytes[AGE_FILE_KEY_SIZE];
};

static void
file_key_done(struct file_key *key)
{
    secret_wipe(key, sizeof(*key));
}

DEFINE_CLEANUP(file_key, struct file_key, file_key_done);

/* The envelope and its verified seal. */
static int
read_seal(const struct envelope *envelope, const struct keyring *keyring, struct seal *ret,
          struct err *err)
{
    struct seal seal;

    if (seal_read(envelope->seal, envelope->seal_size, keyring, &seal, err) < 0)
        return -1;
    if (seal.encryption != envelope->encryption)
        return err_set(err, ERR_CORRUPT, "seal of another encryption than the object's");
    *ret = seal;
    return 0;
}

int
object_peek(const void *bytes, size_t size, const struct keyring *keyring, struct seal *ret_seal,
            struct err *err)
{
    struct envelope envelope;

    if (envelope_read(bytes, size, &envelope, err) < 0)
        return -1;
    return read_seal(&envelope, keyring, ret_seal, err);
}

static int
check_identity(const struct seal *seal, const char *name, uint64_t system_id, struct err *err)
{
    if (strcmp(seal->name, name) != 0)
        return err_set(err, ERR_CORRUPT, "seal is for the object \"%s\"", seal->name);
    if (seal->system_id != system_id)
        return err_set(err, ERR_CORRUPT, "seal is for system identifier %llu, not %llu",
                       (unsigned long long)seal->system_id, (unsigned long long)system_id);
    return 0;
}

int
object_open(const void *bytes, size_t size, const char *name, uint64_t system_id,
            const struct keyring *keyring, struct object *ret_object, struct err *err)
{
    struct envelope envelope;
    struct object object;
    uint8_t digest[DIGEST_SIZE];
    size_t header_size = 0;

    if (envelope_read_header(bytes, size, &envelope, &header_size, err) < 0 ||
        read_seal(&envelope, keyring, &object.seal, err) < 0 ||
        check_identity(&object.seal, name, system_id, err) < 0)
        return -1;
    object.header = (struct span){bytes, header_size};
    object.payload = (struct span){(const uint8_t *)bytes + header_size, size - header_size};
    if (object.payload.size != object.seal.payload_size)
        return err_set(err, ERR_CORRUPT, "payload has %zu bytes, the seal says %llu",
                       object.payload.size, (unsigned long long)object.seal.payload_size);
    if (digest_sha256(&object.payload, 1, digest, err) < 0)
        return -1;
    if (!digest_equal(digest, object.seal.payload_digest))
        return err_set(err, ERR_CORRUPT, "the payload's SHA-256 is not the seal's");
    *ret_object = object;
    return 0;
}

/* Try every identity on every stanza, then the header's MAC. */
static int
unwrap(struct span bytes, const struct keyring *keyring, struct file_key *ret_key, struct err *err)
{
    struct age_header header;
    uint8_t mac[DIGEST_SIZE];
    int rc = AGE_WRAP_NOT_OURS;

    if (age_header_read(bytes.data, bytes.size, &header, err) < 0)
        return -1;
    for (size_t i = 0; rc == AGE_WRAP_NOT_OURS && i < header.n_stanzas; i++) {
        for (size_t k = 0; rc == AGE_WRAP_NOT_OURS && k < keyring->n_identities; k++)
            rc = age_wrap_open(&header.stanzas[i], &keyring->identities[k], ret_key->bytes, err);
    }
    if (rc == AGE_WRAP_NOT_OURS) {
        (void)err_set(err, ERR_CONFIG, "no identity opens the object (it has %zu recipients)",
                      header.n_stanzas);
        /* age cannot tell a damaged stanza from somebody else's. */
        return err_hint(err, "Add the identity of one of its recipients to the identity_file; if "
                             "other objects open, the header of this one is damaged.");
    }
    if (rc < 0 ||
        age_wrap_mac(ret_key->bytes, (struct span){bytes.data, header.mac_covers}, mac, err) < 0)
        return -1;
    if (!digest_equal(mac, header.mac))
        return err_set(err, ERR_CORRUPT, "the age header's MAC does not match");
    return 0;
}

/* A stored payload as a sequence of plain chunks; unencrypted ones are handed out as they are. */
struct chunks {
    struct age_stream stream;
    bool encrypted;
    struct span rest;  /* in memory */
    uint64_t stored;   /* stored bytes not yet consumed, in memory or not */
    uint8_t *text;     /* AGE_CHUNK_SIZE */
};

static void
chunks_done(struct chunks *chunks)
{
    age_stream_done(&chunks->stream);
    free(chunks->text);
}

DEFINE_CLEANUP(chunks, struct chunks, chunks_done);

enum chunks_outcome {
    CHUNKS_END = 1,
    CHUNKS_SHORT = 2, /* the next chunk is not wholly in memory */
};

/* `object` may hold less of the payload than its seal says. 0 or -1. */
static int
chunks_begin(struct chunks *chunks, const struct object *object, const struct keyring *keyring,
             struct err *err)
{
    AUTO(file_key) struct file_key file_key;
    AUTO(digest_secret) struct digest_secret key;

    chunks->rest = object->payload;
    chunks->stored = object->seal.payload_size;
    chunks->encrypted = object->seal.encryption == ENCRYPTION_AGE;
    if (!chunks->encrypted)
        return 0;
    if (unwrap(object->header, keyring, &file_key, err) < 0)
        return -1;
    if (chunks->stored <= AGE_NONCE_SIZE)
        return err_set(err, ERR_CORRUPT, "payload ends within its nonce");
    if (chunks->rest.size < AGE_NONCE_SIZE) {
        chunks->rest.size = 0;
        return 0;
    }
    if (age_wrap_stream_key(file_key.bytes, chunks->rest.data, key.bytes, err) < 0 ||
        age_stream_begin(&chunks->stream, AEAD_OPEN, key.bytes, err) < 0)
        return -1;
    chunks->rest.data += AGE_NONCE_SIZE;
    chunks->rest.size -= AGE_NONCE_SIZE;
    chunks->stored -= AGE_NONCE_SIZE;
    chunks->text = malloc(AGE_CHUNK_SIZE);
    return chunks->text == NULL ? err_memory(err, "chunk") : 0;
}

/* 0 (valid until the next call), CHUNKS_END, CHUNKS_SHORT, or -1. */
static int
chunks_next(struct chunks *chunks, struct span *ret_text, struct err *err)
{
    size_t unit = chunks->encrypted ? AGE_SEALED_CHUNK_SIZE : AGE_CHUNK_SIZE;

    if (chunks->stored == 0)
        return CHUNKS_END;
    bool last = chunks->stored <= unit;
    size_t size = last ? (size_t)chunks->stored : unit;
    if (chunks->rest.size < size)
        return CHUNKS_SHORT;

    struct span chunk = {chunks->rest.data, size};
    if (chunks->encrypted &&
        age_stream_open(&chunks->stream, chunk, last, chunks->text, err) < 0)
        return -1;
    chunks->rest.data += size;
    chunks->rest.size -= size;
    chunks->stored -= size;
    *ret_text = chunks->encrypted ? (struct span){chunks->text, size - AEAD_TAG_SIZE} : chunk;
    return 0;
}

/* The stored payload through the reader. */
static int
read_payload(const struct object *object, const struct keyring *keyring,
             struct payload_reader *reader, uint8_t *ret_digest, struct err *err)
{
    AUTO(chunks) struct chunks chunks = {.stream = AGE_STREAM_INIT};
    struct span text;
    int rc;

    if (chunks_begin(&chunks, object, keyring, err) < 0)
        return -1;
    while ((rc = chunks_next(&chunks, &text, err)) == 0) {
        if (payload_reader_write(reader, text.data, text.size, err) < 0)
            return -1;
    }
    if (rc == CHUNKS_SHORT)
        return err_set(err, ERR_CORRUPT, "payload is shorter than the seal says");
    return rc < 0 ? -1 : payload_reader_finish(reader, ret_digest, err);
}

int
object_unpack(const struct object *object, const struct keyring *keyring, object_sink sink,
              void *context, uint8_t *ret_digest, struct err *err)
{
    AUTO(payload_reader) struct payload_reader *reader = NULL;
    uint8_t digest[DIGEST_SIZE];

    if (payload_reader_new(object->seal.compression, object->seal.file_size, sink, context,
                           &reader, err) < 0 ||
        read_payload(object, keyring, reader, digest, err) < 0)
        return -1;
    if (ret_digest != NULL)
        memcpy(ret_digest, digest, DIGEST_SIZE);
    return 0;
}

int
object_unpack_into(const struct object *object, const struct keyring *keyring, uint8_t *file,
                   uint8_t *ret_digest, struct err *err)
{
    AUTO(payload_reader) struct payload_reader *reader = NULL;

    if (payload_reader_new_into(object->seal.compression, object->seal.file_size, file, &reader,
                                err) < 0)
        return -1;
    return read_payload(object, keyring, reader, ret_digest, err);
}

/* Collect `size` bytes of the payload in all. 0, OBJECT_SHORT, or -1. */
static int
collect(struct chunks *chunks, struct buf *bytes, size_t size, struct err *err)
{
    while (bytes->size < size) {
        struct span text;
        int rc = chunks_next(chunks, &text, err);

        if (rc == CHUNKS_SHORT)
            return OBJECT_SHORT;
        if (rc == CHUNKS_END)
            return err_set(err, ERR_CORRUPT, "payload ends within the front frame");
        if (rc < 0)
            return -1;
        rc = buf_append(bytes, text.data, text.size, err);
        if (rc == BUF_FULL)
            return err_set(err, ERR_INTERNAL, "front frame is too large");
        if (rc < 0)
            return -1;
    }
    return 0;
}

static int
read_index(const struct object *object, const struct keyring *keyring, uint32_t *ret_version,
           struct buf *ret_index, struct err *err)
{
    AUTO(chunks) struct chunks chunks = {.stream = AGE_STREAM_INIT};
    AUTO(buf)
    struct buf bytes = BUF_INIT(FRONT_FRAME_SIZE + FRONT_FRAME_INDEX_MAX + AGE_CHUNK_SIZE);
    struct front_frame front;

    if (chunks_begin(&chunks, object, keyring, err) < 0)
        return -1;
    int rc = collect(&chunks, &bytes, FRONT_FRAME_SIZE, err);
    if (rc != 0)
        return rc;
    if (front_frame_read(bytes.data, &front, err) < 0)
        return -1;
    rc = collect(&chunks, &bytes, FRONT_FRAME_SIZE + front.index_size, err);
    if (rc != 0)
        return rc;

    buf_clear(ret_index);
    rc = buf_append(ret_index, bytes.data + FRONT_FRAME_SIZE, front.index_size, err);
    if (rc == BUF_FULL)
        return err_set(err, ERR_CORRUPT, "segment index of %u bytes is larger than expected",
                       front.index_size);
    if (rc < 0)
        return -1;
    *ret_version = front.index_version;
    return 0;
}

/* Only what the seal covers is read. 0, OBJECT_SHORT or -1. */
static int
prove_front(struct object *object, struct err *err)
{
    uint8_t digest[DIGEST_SIZE];

    if (object->payload.size < object->seal.front_size)
        return OBJECT_SHORT;
    object->payload.size = object->seal.front_size;
    if (digest_sha256(&object->payload, 1, digest, err) < 0)
        return -1;
    if (!digest_equal(digest, object->seal.front_digest))
        return err_set(err, ERR_CORRUPT, "the beginning's SHA-256 is not the seal's");
    return 0;
}

int
object_read_index(const void *bytes, size_t available, const struct keyring *keyring,
                  struct seal *ret_seal, uint32_t *ret_version, struct buf *ret_index,
                  struct err *err)
{
    struct envelope envelope;
    struct object object;
    size_t header_size = 0;

    if (envelope_read_header(bytes, available, &envelope, &header_size, err) < 0)
        return -1;
    if (read_seal(&envelope, keyring, &object.seal, err) < 0)
        return -1;
    object.header = (struct span){bytes, header_size};
    object.payload = (struct span){(const uint8_t *)bytes + header_size, available - header_size};
    if (object.seal.front_size != 0) {
        int rc = prove_front(&object, err);

        if (rc == OBJECT_SHORT && ret_seal != NULL)
            *ret_seal = object.seal;
        if (rc != 0)
            return rc;
    }
    int rc = read_index(&object, keyring, ret_version, ret_index, err);
    if (rc >= 0 && ret_seal != NULL)
        *ret_seal = object.seal;
    return rc;
}
