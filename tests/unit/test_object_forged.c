/* SPDX-License-Identifier: PostgreSQL */
/*
 * Objects a holder of the writer key could make, and the format does not have.
 */
#include "object_bench.h"

/* An object made by hand, signed, around any stored payload. */
static void
craft(const struct seal *like, const struct age_header *header, const uint8_t *file_key,
      struct span payload, struct buf *ret)
{
    struct seal seal = *like;
    struct age_header text = {.seal_size = 0};
    struct envelope envelope;
    uint8_t frame[ENVELOPE_SEAL_FRAME_SIZE];
    uint8_t mac[DIGEST_SIZE];

    buf_clear(ret);
    seal.payload_size = payload.size;
    assert_int_equal(digest_sha256(&payload, 1, seal.payload_digest, &err), 0);
    assert_int_equal(seal_write(&seal, &key, envelope.seal, &envelope.seal_size, &err), 0);
    if (header == NULL) {
        size_t size = envelope_write_seal_frame(envelope.seal, envelope.seal_size, frame);
        assert_int_equal(buf_append(ret, frame, size, &err), 0);
    } else {
        text = *header;
        memcpy(text.seal, envelope.seal, envelope.seal_size);
        text.seal_size = envelope.seal_size;
        assert_int_equal(age_header_write(&text, ret, &err), 0);
        assert_int_equal(age_wrap_mac(file_key, span_of(ret), mac, &err), 0);
        assert_int_equal(age_header_write_mac(mac, ret, &err), 0);
    }
    assert_int_equal(buf_append(ret, payload.data, payload.size, &err), 0);
}

static void
chunks_out_of_place_are_refused_though_signed(void **state)
{
    static const struct {
        int order[4]; /* of three chunks; -1: none */
        int want;
    } table[] = {
        {{0, 1, 2, -1}, 0},  {{1, 0, 2, -1}, -1}, {{0, 2, -1, -1}, -1}, {{0, 1, 1, 2}, -1},
        {{0, 1, -1, -1}, -1}, {{0, 1, 2, 2}, -1},  {{2, -1, -1, -1}, -1}, {{-1, -1, -1, -1}, -1},
    };
    const size_t size = 2 * AGE_CHUNK_SIZE + 100;
    const struct object_format format = format_of(3);
    AUTO(buf) struct buf object = BUF_INIT(MIB);
    AUTO(buf) struct buf crafted = BUF_INIT(MIB);
    struct object opened;
    struct age_header header;
    uint8_t file_key[AGE_FILE_KEY_SIZE];

    (void)state;
    pack(&format, NAME, NULL, (struct span){file, size}, &object);
    assert_int_equal(
        object_open(object.data, object.size, NAME, SYSTEM_ID, &keyring, &opened, &err), 0);
    assert_int_equal(age_header_read(opened.header.data, opened.header.size, &header, &err), 0);
    assert_int_equal(age_wrap_open(&header.stanzas[0], &keyring.identities[0], file_key, &err), 0);
    const uint8_t *chunks = opened.payload.data + AGE_NONCE_SIZE;

    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        AUTO(buf) struct buf payload = BUF_INIT(MIB);

        assert_int_equal(buf_append(&payload, opened.payload.data, AGE_NONCE_SIZE, &err), 0);
        for (size_t k = 0; k < 4 && table[i].order[k] >= 0; k++) {
            size_t offset = (size_t)table[i].order[k] * AGE_SEALED_CHUNK_SIZE;
            size_t rest = opened.payload.size - AGE_NONCE_SIZE - offset;

            assert_int_equal(buf_append(&payload, chunks + offset,
                                        MIN_OF(rest, AGE_SEALED_CHUNK_SIZE), &err),
                             0);
        }
        craft(&opened.seal, &header, file_key, span_of(&payload), &crafted);
        assert_int_equal(read_back(span_of(&crafted), (struct span){file, size}), table[i].want);
        assert_true(table[i].want == 0 || err.kind == ERR_CORRUPT);
    }
}

/* What is wrong with a payload, inside a good envelope. */
static void
payloads_that_are_not_the_sealed_file_are_refused_though_signed(void **state)
{
    static const struct {
        size_t offset;
        uint8_t mask;
    } table[] = {
        {0, 1}, {4, 1}, {8, 1}, {16, 1}, {47, 0x80}, {55, 1}, {48, 1}, {59, 1}, {63, 1}, {60, 1},
    };
    AUTO(buf) struct buf object = BUF_INIT(MIB);
    AUTO(buf) struct buf crafted = BUF_INIT(MIB);
    const struct span want = {file, SMALL};
    struct object opened;

    (void)state;
    for (size_t f = 0; f < 3; f++) {
        const struct object_format format = format_of(f);

        pack(&format, NAME, NULL, want, &object);
        assert_int_equal(
            object_open(object.data, object.size, NAME, SYSTEM_ID, &keyring, &opened, &err), 0);
        uint8_t *payload = object.data + opened.header.size;
        for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
            bool unknown_index = table[i].offset == 59;

            payload[table[i].offset] ^= table[i].mask;
            craft(&opened.seal, NULL, NULL, opened.payload, &crafted);
            assert_int_equal(read_back(span_of(&crafted), want), unknown_index ? 0 : -1);
            payload[table[i].offset] ^= table[i].mask;
        }
        /* A second front frame, the data frame twice, nothing but the front frame. */
        const struct {
            size_t from;
            size_t to;
        } twice[] = {{0, FRONT_FRAME_SIZE}, {FRONT_FRAME_SIZE, opened.payload.size}};
        for (size_t i = 0; i < ARRAY_SIZE(twice); i++) {
            AUTO(buf) struct buf longer = BUF_INIT(MIB);

            assert_int_equal(buf_append(&longer, payload, twice[i].to, &err), 0);
            assert_int_equal(buf_append(&longer, payload + twice[i].from,
                                        opened.payload.size - twice[i].from, &err),
                             0);
            craft(&opened.seal, NULL, NULL, span_of(&longer), &crafted);
            assert_int_equal(read_back(span_of(&crafted), want), -1);
        }
        craft(&opened.seal, NULL, NULL, (struct span){payload, FRONT_FRAME_SIZE}, &crafted);
        assert_int_equal(read_back(span_of(&crafted), want), -1);
        /* Another size or compression in the seal. */
        opened.seal.file_size++;
        craft(&opened.seal, NULL, NULL, opened.payload, &crafted);
        assert_int_equal(read_back(span_of(&crafted), want), -1);
        opened.seal.file_size--;
        opened.seal.compression = (enum compression)((f + 1) % 3);
        craft(&opened.seal, NULL, NULL, opened.payload, &crafted);
        assert_int_equal(read_back(span_of(&crafted), want), -1);
        opened.seal.compression = format.compression;
        opened.seal.encryption = ENCRYPTION_AGE;
        craft(&opened.seal, NULL, NULL, opened.payload, &crafted);
        assert_int_equal(read_back(span_of(&crafted), want), -1);
    }
}

/* The seal of one object around the payload of another, as anybody could put them together. */
static void
join(const struct buf *sealed, const struct buf *other, bool encrypted, struct buf *ret)
{
    struct envelope envelope;
    struct age_header header;
    uint8_t frame[ENVELOPE_SEAL_FRAME_SIZE];
    uint8_t file_key[AGE_FILE_KEY_SIZE];
    uint8_t mac[DIGEST_SIZE];
    size_t size = 0;

    buf_clear(ret);
    assert_int_equal(envelope_read(sealed->data, sealed->size, &envelope, &err), 0);
    if (!encrypted) {
        size = envelope_write_seal_frame(envelope.seal, envelope.seal_size, frame);
        assert_int_equal(buf_append(ret, frame, size, &err), 0);
    } else {
        assert_int_equal(age_header_read(other->data, other->size, &header, &err), 0);
        size = header.size;
        assert_int_equal(
            age_wrap_open(&header.stanzas[0], &keyring.identities[0], file_key, &err), 0);
        memcpy(header.seal, envelope.seal, envelope.seal_size);
        assert_int_equal(age_header_write(&header, ret, &err), 0);
        assert_int_equal(age_wrap_mac(file_key, span_of(ret), mac, &err), 0);
        assert_int_equal(age_header_write_mac(mac, ret, &err), 0);
    }
    assert_int_equal(buf_append(ret, other->data + size, other->size - size, &err), 0);
}

static void
an_index_that_is_not_the_sealed_one_is_refused(void **state)
{
    static const size_t sizes[] = {1, 5000, 65472, 65473, 200000};

    (void)state;
    for (size_t f = 0; f < N_FORMATS; f++)
        for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
            const struct object_format format = format_of(f);
            const struct object_index index = {9, file, sizes[i]};
            const struct object_index false_one = {9, file + 1, sizes[i]};
            AUTO(buf) struct buf genuine = BUF_INIT(2 * MIB);
            AUTO(buf) struct buf other = BUF_INIT(2 * MIB);
            AUTO(buf) struct buf joined = BUF_INIT(2 * MIB);
            AUTO(buf) struct buf found = BUF_INIT(OBJECT_INDEX_MAX);
            uint32_t version = 0;

            pack(&format, NAME, &index, (struct span){file, 300000}, &genuine);
            pack(&format, NAME, &false_one, (struct span){file, 300000}, &other);
            join(&genuine, &genuine, format.encryption == ENCRYPTION_AGE, &joined);
            assert_int_equal(object_read_index(joined.data, joined.size, &keyring, NULL, &version,
                                               &found, &err),
                             0);
            join(&genuine, &other, format.encryption == ENCRYPTION_AGE, &joined);
            assert_int_equal(object_read_index(joined.data, joined.size, &keyring, NULL, &version,
                                               &found, &err),
                             -1);
            assert_int_equal(err.kind, ERR_CORRUPT);
        }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chunks_out_of_place_are_refused_though_signed),
        cmocka_unit_test(payloads_that_are_not_the_sealed_file_are_refused_though_signed),
        cmocka_unit_test(an_index_that_is_not_the_sealed_one_is_refused),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
