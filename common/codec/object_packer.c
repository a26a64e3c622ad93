/* SPDX-License-Identifier: PostgreSQL */
/*
 * One buffer holds the object from the first compressed byte to the last
 * encrypted one:
 *
 *      | gap .......................... | data frame ............... |
 *      | gap ......... | front | index  | data frame ............... |     finish
 *      | nonce | chunk 0 | tag | chunk 1 | tag | ... last chunk | tag |    encrypted
 *
 * The gap has room for the front frame with the largest index, the nonce, and
 * the tags of all chunks. The chunks are moved down and encrypted first to
 * last: the output of chunk i ends at most where the input of chunk i+1 begins,
 * because the tags still to come lie between them.
 */
#include "codec/object.h"

#include <string.h>

#include "base/secret.h"
#include "codec/age_header.h"
#include "codec/age_stream.h"
#include "codec/age_wrap.h"
#include "codec/envelope.h"
#include "codec/frame.h"
#include "codec/front_frame.h"
#include "codec/hedge.h"
#include "codec/libcrypto.h"

enum state {
    STATE_OPEN,
    STATE_FINISHED,
    STATE_FAILED,
};

struct object_packer {
    const struct object_format *format;
    const struct writer_key *key;
    uint64_t file_size;
    enum state state;
    struct frame_encoder *encoder;
    struct frame_output data; /* within `buffer`, behind the gap */
    struct digest digest;
    uint8_t file_digest[DIGEST_SIZE];
    struct buf header;
    uint8_t *buffer;
    uint8_t *payload; /* front frame and data frame; later, the stored payload */
    size_t payload_size;
};

/* One object's secrets. */
struct secrets {
    uint8_t file_key[HEDGE_KEY_SIZE];
    uint8_t nonce[HEDGE_KEY_SIZE];
    struct digest_secret base;
};

static void
secrets_done(struct secrets *secrets)
{
    secret_wipe(secrets, sizeof(*secrets));
}

DEFINE_CLEANUP(secrets, struct secrets, secrets_done);

static size_t
chunk_count(size_t payload_size)
{
    return (payload_size + AGE_CHUNK_SIZE - 1) / AGE_CHUNK_SIZE;
}

/* Room in front of the data frame. */
static size_t
gap_size(uint64_t file_size)
{
    size_t front = FRONT_FRAME_SIZE + FRONT_FRAME_INDEX_MAX;

    return front + AGE_NONCE_SIZE +
           AEAD_TAG_SIZE * chunk_count(front + frame_size_bound(file_size));
}

uint64_t
object_size_bound(uint64_t file_size)
{
    uint64_t size = MIN_OF(file_size, OBJECT_FILE_MAX);

    return OBJECT_HEADER_MAX + gap_size(size) + frame_size_bound(size);
}

uint64_t
object_size_overhead(uint64_t file_size)
{
    return OBJECT_HEADER_MAX + gap_size(MIN_OF(file_size, OBJECT_FILE_MAX));
}

static int
check_format(const struct object_format *format, uint64_t file_size, struct err *err)
{
    if (file_size > OBJECT_FILE_MAX)
        return err_set(err, ERR_LOCAL, "a file of %llu bytes is too large for an object",
                       (unsigned long long)file_size);
    if (format->encryption == ENCRYPTION_NONE)
        return 0;
    if (format->encryption != ENCRYPTION_AGE)
        return err_set(err, ERR_INTERNAL, "unknown encryption %d", (int)format->encryption);
    if (format->n_recipients == 0)
        return err_set(err, ERR_CONFIG, "encryption needs at least one recipient");
    if (format->n_recipients > KEYS_MAX)
        return err_set(err, ERR_CONFIG, "more than %d recipients", KEYS_MAX);
    return 0;
}

int
object_packer_new(const struct object_format *format, const struct writer_key *key,
                  uint64_t file_size, struct object_packer **ret_packer, struct err *err)
{
    if (check_format(format, file_size, err) < 0)
        return -1;
    AUTO(object_packer) struct object_packer *packer = calloc(1, sizeof(*packer));
    if (packer == NULL)
        return err_memory(err, "object");

    size_t gap = gap_size(file_size);
    size_t capacity = frame_size_bound(file_size);
    packer->format = format;
    packer->key = key;
    packer->file_size = file_size;
    packer->header = BUF_INIT(AGE_HEADER_MAX);
    packer->buffer = malloc(gap + capacity);
    if (packer->buffer == NULL)
        return err_memory(err, "object");
    packer->data = (struct frame_output){.data = packer->buffer + gap, .capacity = capacity};
    if (digest_begin(&packer->digest, err) < 0 ||
        frame_encoder_new(format->compression, format->level, file_size, &packer->data,
                          &packer->encoder, err) < 0)
        return -1;
    *ret_packer = TAKE_PTR(packer);
    return 0;
}

int
object_packer_write(struct object_packer *packer, const void *bytes, size_t size, struct err *err)
{
    const uint8_t *rest = bytes;

    if (packer->state != STATE_OPEN)
        return err_set(err, ERR_INTERNAL, "object is not open for writing");
    /* In pieces that are still in the cache when the compressor reads them. */
    while (size > 0) {
        size_t part = MIN_OF(size, FRAME_PIECE_SIZE);

        if (frame_encoder_write(packer->encoder, rest, part, err) < 0 ||
            digest_add(&packer->digest, rest, part, err) < 0) {
            packer->state = STATE_FAILED;
            return -1;
        }
        rest += part;
        size -= part;
    }
    return 0;
}

static const struct object_index no_index = {.version = 0};

static int
check_finish(const struct object_packer *packer, const struct object_label *label,
             const struct object_index *index, struct err *err)
{
    if (packer->state != STATE_OPEN)
        return err_set(err, ERR_INTERNAL, "object is not open for writing");
    if (strlen(label->name) > SEAL_NAME_MAX)
        return err_set(err, ERR_INTERNAL, "object name is too long");
    if (index->size > OBJECT_INDEX_MAX || (index->version == 0 && index->size != 0))
        return err_set(err, ERR_INTERNAL, "segment index of version %u with %zu bytes",
                       index->version, index->size);
    return 0;
}

/* Put the front frame and the index right in front of the data frame. */
static void
put_front(struct object_packer *packer, const struct object_index *index)
{
    struct front_frame front = {
        .file_size = packer->file_size,
        .index_version = index->version,
        .index_size = (uint32_t)index->size,
    };

    memcpy(front.file_digest, packer->file_digest, DIGEST_SIZE);
    packer->payload = packer->data.data - index->size - FRONT_FRAME_SIZE;
    packer->payload_size = FRONT_FRAME_SIZE + index->size + packer->data.size;
    front_frame_write(&front, packer->payload);
    if (index->size > 0)
        memcpy(packer->payload + FRONT_FRAME_SIZE, index->data, index->size);
}

static int
make_secrets(const struct object_packer *packer, const struct object_label *label,
             const struct object_index *index, struct secrets *ret, struct err *err)
{
    AUTO(digest_secret) struct digest_secret random;
    const struct hedge_context context = {
        .name = {(const uint8_t *)label->name, strlen(label->name)},
        .file_digest = packer->file_digest,
        .compression = (uint8_t)packer->format->compression,
        .level = (uint32_t)packer->format->level,
        .library_version = frame_library_version(packer->format->compression),
        .index_version = index->version,
        .index = {index->data, index->size},
    };

    if (libcrypto_random(random.bytes, HEDGE_RANDOM_SIZE, err) < 0 ||
        hedge_begin(packer->key, random.bytes, &context, &ret->base, err) < 0 ||
        hedge_file_key(&ret->base, ret->file_key, err) < 0)
        return -1;
    return hedge_nonce(&ret->base, ret->nonce, err);
}

/* Encrypt the payload as the picture above says. */
static int
encrypt_payload(struct object_packer *packer, const struct secrets *secrets, struct err *err)
{
    AUTO(digest_secret) struct digest_secret key;
    AUTO(age_stream) struct age_stream stream = AGE_STREAM_INIT;
    const uint8_t *in = packer->payload;
    size_t left = packer->payload_size;
    uint8_t *start = packer->payload - AEAD_TAG_SIZE * chunk_count(left) - AGE_NONCE_SIZE;
    uint8_t *out = start;

    if (age_wrap_stream_key(secrets->file_key, secrets->nonce, key.bytes, err) < 0 ||
        age_stream_begin(&stream, AEAD_SEAL, key.bytes, err) < 0 ||
        digest_begin(&packer->digest, err) < 0 ||
        digest_add(&packer->digest, secrets->nonce, AGE_NONCE_SIZE, err) < 0)
        return -1;
    memcpy(out, secrets->nonce, AGE_NONCE_SIZE);
    out += AGE_NONCE_SIZE;
    while (left > 0) {
        size_t size = MIN_OF(left, AGE_CHUNK_SIZE);

        memmove(out, in, size);
        if (age_stream_seal(&stream, out, size, size == left, err) < 0 ||
            digest_add(&packer->digest, out, size + AEAD_TAG_SIZE, err) < 0)
            return -1;
        in += size;
        left -= size;
        out += size + AEAD_TAG_SIZE;
    }
    packer->payload = start;
    packer->payload_size = (size_t)(out - start);
    return 0;
}

/* Wrap the file key for every recipient. */
static int
make_stanzas(const struct object_packer *packer, const struct secrets *secrets,
             struct age_header *header, struct err *err)
{
    const struct object_format *format = packer->format;

    for (size_t i = 0; i < format->n_recipients; i++) {
        AUTO(digest_secret) struct digest_secret ephemeral;
        const struct age_recipient *recipient = &format->recipients[i];

        if (hedge_ephemeral(&secrets->base, (uint16_t)i, recipient, ephemeral.bytes, err) < 0 ||
            age_wrap_seal(secrets->file_key, recipient, ephemeral.bytes, &header->stanzas[i],
                          err) < 0)
            return -1;
    }
    header->n_stanzas = format->n_recipients;
    return 0;
}

/* The envelope's header around a seal that is written. */
static int
write_header(struct object_packer *packer, const struct secrets *secrets,
             const struct envelope *envelope, struct err *err)
{
    struct age_header header = {.seal_size = envelope->seal_size};
    uint8_t frame[ENVELOPE_SEAL_FRAME_SIZE];
    uint8_t mac[DIGEST_SIZE];

    if (packer->format->encryption == ENCRYPTION_NONE) {
        size_t size = envelope_write_seal_frame(envelope->seal, envelope->seal_size, frame);
        int rc = buf_append(&packer->header, frame, size, err);

        return rc == BUF_FULL ? err_set(err, ERR_INTERNAL, "seal frame is too large") : rc;
    }
    memcpy(header.seal, envelope->seal, envelope->seal_size);
    if (make_stanzas(packer, secrets, &header, err) < 0 ||
        age_header_write(&header, &packer->header, err) < 0 ||
        age_wrap_mac(secrets->file_key, (struct span){packer->header.data, packer->header.size},
                     mac, err) < 0)
        return -1;
    return age_header_write_mac(mac, &packer->header, err);
}

static int
store_payload(struct object_packer *packer, const struct secrets *secrets, struct err *err)
{
    if (packer->format->encryption == ENCRYPTION_AGE)
        return encrypt_payload(packer, secrets, err);
    if (digest_begin(&packer->digest, err) < 0)
        return -1;
    return digest_add(&packer->digest, packer->payload, packer->payload_size, err);
}

/*
 * Who reads the index alone is to know that it is ours: the stored bytes it lies in have a digest
 * in the seal. It is of what is stored, so it tells nobody whether a guess about the file is right.
 */
static int
digest_front(const struct object_packer *packer, const struct object_index *index,
             struct seal *seal, struct err *err)
{
    size_t chunks = chunk_count(FRONT_FRAME_SIZE + index->size);
    size_t size = packer->format->encryption == ENCRYPTION_AGE
                      ? AGE_NONCE_SIZE + chunks * AGE_SEALED_CHUNK_SIZE
                      : chunks * AGE_CHUNK_SIZE;
    const struct span front = {packer->payload, MIN_OF(size, packer->payload_size)};

    seal->front_size = (uint32_t)front.size;
    return digest_sha256(&front, 1, seal->front_digest, err);
}

static int
finish(struct object_packer *packer, const struct object_label *label,
       const struct object_index *index, struct seal *seal, struct err *err)
{
    AUTO(secrets) struct secrets secrets;
    struct envelope envelope = {.encryption = packer->format->encryption};

    if (frame_encoder_finish(packer->encoder, err) < 0 ||
        digest_end(&packer->digest, packer->file_digest, err) < 0)
        return -1;
    put_front(packer, index);
    if (make_secrets(packer, label, index, &secrets, err) < 0 ||
        store_payload(packer, &secrets, err) < 0)
        return -1;

    *seal = (struct seal){
        .encryption = packer->format->encryption,
        .compression = packer->format->compression,
        .system_id = label->system_id,
        .file_size = packer->file_size,
        .payload_size = packer->payload_size,
        .created_us = label->created_us,
    };
    if (index->version != 0 && digest_front(packer, index, seal, err) < 0)
        return -1;
    memcpy(seal->name, label->name, strlen(label->name) + 1);
    memcpy(seal->writer_id, packer->key->public_half.id, WRITER_ID_SIZE);
    if (seal_fingerprint(packer->key, label->name, packer->file_digest, seal->fingerprint, err) <
            0 ||
        digest_end(&packer->digest, seal->payload_digest, err) < 0 ||
        seal_write(seal, packer->key, envelope.seal, &envelope.seal_size, err) < 0)
        return -1;
    return write_header(packer, &secrets, &envelope, err);
}

int
object_packer_finish(struct object_packer *packer, const struct object_label *label,
                     const struct object_index *index, struct span *ret_spans,
                     struct seal *ret_seal, struct err *err)
{
    struct seal seal;

    if (index == NULL)
        index = &no_index;
    if (check_finish(packer, label, index, err) < 0)
        return -1;
    if (finish(packer, label, index, &seal, err) < 0) {
        packer->state = STATE_FAILED;
        return -1;
    }
    packer->state = STATE_FINISHED;
    /* Many packed objects wait for a slow link; their compressors need not. */
    frame_encoder_free(packer->encoder);
    packer->encoder = NULL;
    ret_spans[0] = (struct span){packer->header.data, packer->header.size};
    ret_spans[1] = (struct span){packer->payload, packer->payload_size};
    if (ret_seal != NULL)
        *ret_seal = seal;
    return 0;
}

size_t
object_packer_size(const struct object_packer *packer)
{
    return packer->data.size;
}

const uint8_t *
object_packer_digest(const struct object_packer *packer)
{
    return packer->file_digest;
}

void
object_packer_free(struct object_packer *packer)
{
    if (packer == NULL)
        return;
    frame_encoder_free(packer->encoder);
    digest_done(&packer->digest);
    buf_done(&packer->header);
    free(packer->buffer);
    free(packer);
}
