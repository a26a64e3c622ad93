/* SPDX-License-Identifier: PostgreSQL */
/*
 * Objects. The first byte says what the rest is:
 *
 *      0   an object as it is
 *      1   the payload of an unencrypted object, sealed and signed here
 *      2   the payload of an encrypted object, before encryption
 *      3   stored chunks, opened with a fixed key
 *
 * In 1 and 2 the second byte is the compression and the next three are the size
 * of the file; whatever is in the payload, never more than that comes out.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "codec/age_stream.h"
#include "codec/age_wrap.h"
#include "codec/envelope.h"
#include "codec/front_frame.h"
#include "codec/object.h"

#define NAME "main/1/history/00000002.history"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct writer_key key;
static struct keyring keyring;
static const uint8_t file_key[AGE_FILE_KEY_SIZE] = "fixed for fuzzi";
static const uint8_t nonce[AGE_NONCE_SIZE] = "and this as wel";

static void
must(int rc)
{
    if (rc != 0)
        abort();
}

static void
make_keys(void)
{
    static const char text[] =
        "SEAWALL-WRITER-KEY-1QQQSYQCYQ5RQWZQFPG9SCRGWPUGPZYSNZS23V9CCRYDPK8QARC0S4KWUW6";
    static const char identity[] =
        "AGE-SECRET-KEY-1QQQSYQCYQ5RQWZQFPG9SCRGWPUGPZYSNZS23V9CCRYDPK8QARC0SWRYDWG";
    struct err err;

    if (keyring.n_writers > 0)
        return;
    must(writer_key_parse(text, strlen(text), "w", &key, &err));
    must(keyring_add_writer(&keyring, &key.public_half, &err));
    must(keyring_add_identities(&keyring, identity, strlen(identity), "i", &err));
}

static int
count(void *context, const uint8_t *bytes, size_t size, struct err *err)
{
    (void)bytes;
    (void)err;
    *(uint64_t *)context += size;
    return 0;
}

static void
unpack(struct span bytes)
{
    AUTO(buf) struct buf index = BUF_INIT(OBJECT_INDEX_MAX);
    struct object object;
    struct seal seal;
    struct err err;
    uint32_t version = 0;
    uint64_t got = 0;

    if (object_read_index(bytes.data, bytes.size, &keyring, NULL, &version, &index, &err) == 0 &&
        version == 0 && index.size != 0)
        abort();
    int peeked = object_peek(bytes.data, bytes.size, &keyring, &seal, &err);
    if (object_open(bytes.data, bytes.size, NAME, 1, &keyring, &object, &err) < 0)
        return;
    int rc = object_unpack(&object, &keyring, count, &got, NULL, &err);
    if (peeked < 0 || got > object.seal.file_size || (rc == 0 && got != object.seal.file_size))
        abort();
}

static void
seal_payload(enum encryption encryption, const uint8_t *head, struct span payload,
             struct envelope *ret)
{
    struct err err;
    struct seal seal = {
        .encryption = encryption,
        .compression = (enum compression)(head[0] % 3),
        .system_id = 1,
        .file_size = (uint64_t)head[1] << 16 | (uint64_t)head[2] << 8 | head[3],
        .payload_size = payload.size,
        .name = NAME,
    };

    must(digest_sha256(&payload, 1, seal.payload_digest, &err));
    must(seal_write(&seal, &key, ret->seal, &ret->seal_size, &err));
}

static void
run_plain(const uint8_t *head, struct span payload)
{
    struct envelope envelope;
    uint8_t frame[ENVELOPE_SEAL_FRAME_SIZE];
    AUTO(buf) struct buf object = BUF_INIT(16 * MIB);
    struct err err;

    seal_payload(ENCRYPTION_NONE, head, payload, &envelope);
    size_t size = envelope_write_seal_frame(envelope.seal, envelope.seal_size, frame);
    must(buf_append(&object, frame, size, &err));
    must(buf_append(&object, payload.data, payload.size, &err));
    unpack((struct span){object.data, object.size});
}

static void
encrypt(struct span payload, struct buf *ret)
{
    struct err err;
    AUTO(age_stream) struct age_stream stream = AGE_STREAM_INIT;
    uint8_t stream_key[DIGEST_SIZE];

    must(age_wrap_stream_key(file_key, nonce, stream_key, &err));
    must(age_stream_begin(&stream, AEAD_SEAL, stream_key, &err));
    must(buf_append(ret, nonce, sizeof(nonce), &err));
    for (size_t offset = 0; offset < payload.size; offset += AGE_CHUNK_SIZE) {
        size_t size = MIN_OF(AGE_CHUNK_SIZE, payload.size - offset);

        must(buf_reserve(ret, size + AEAD_TAG_SIZE, &err));
        memcpy(ret->data + ret->size, payload.data + offset, size);
        must(age_stream_seal(&stream, ret->data + ret->size, size,
                             offset + size == payload.size, &err));
        ret->size += size + AEAD_TAG_SIZE;
    }
}

static void
run_encrypted(const uint8_t *head, struct span payload)
{
    static const uint8_t ephemeral[KEY_SIZE] = {9};
    struct err err;
    struct envelope envelope;
    struct age_header header = {.n_stanzas = 1};
    struct age_recipient recipient;
    uint8_t mac[DIGEST_SIZE];
    AUTO(buf) struct buf object = BUF_INIT(16 * MIB);
    AUTO(buf) struct buf stored = BUF_INIT(16 * MIB);

    encrypt(payload, &stored);
    seal_payload(ENCRYPTION_AGE, head, (struct span){stored.data, stored.size}, &envelope);
    memcpy(recipient.public_key, keyring.identities[0].public_key, KEY_SIZE);
    must(age_wrap_seal(file_key, &recipient, ephemeral, &header.stanzas[0], &err));
    memcpy(header.seal, envelope.seal, envelope.seal_size);
    header.seal_size = envelope.seal_size;
    must(age_header_write(&header, &object, &err));
    must(age_wrap_mac(file_key, (struct span){object.data, object.size}, mac, &err));
    must(age_header_write_mac(mac, &object, &err));
    must(buf_append(&object, stored.data, stored.size, &err));
    unpack((struct span){object.data, object.size});
}

static void
run_chunks(struct span bytes)
{
    static uint8_t text[AGE_CHUNK_SIZE];
    AUTO(age_stream) struct age_stream stream = AGE_STREAM_INIT;
    uint8_t stream_key[DIGEST_SIZE];
    struct err err;

    must(age_wrap_stream_key(file_key, nonce, stream_key, &err));
    must(age_stream_begin(&stream, AEAD_OPEN, stream_key, &err));
    while (bytes.size > 0) {
        size_t size = MIN_OF(bytes.size, AGE_SEALED_CHUNK_SIZE);

        if (age_stream_open(&stream, (struct span){bytes.data, size}, size == bytes.size, text,
                            &err) < 0)
            return;
        bytes = (struct span){bytes.data + size, bytes.size - size};
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 5)
        return 0;
    make_keys();
    switch (data[0] % 4) {
    case 0:
        unpack((struct span){data + 1, size - 1});
        break;
    case 1:
        run_plain(data + 1, (struct span){data + 5, size - 5});
        break;
    case 2:
        run_encrypted(data + 1, (struct span){data + 5, size - 5});
        break;
    default:
        run_chunks((struct span){data + 1, size - 1});
        break;
    }
    return 0;
}
