/* SPDX-License-Identifier: PostgreSQL */
#include "object_bench.h"

#include <openssl/rand.h>

static bool constant_random;

/* Stands in front of libcrypto's: a generator that repeats itself. */
int
RAND_bytes(unsigned char *bytes, int size)
{
    if (!constant_random)
        return RAND_priv_bytes(bytes, size);
    memset(bytes, 7, (size_t)size);
    return 1;
}

static void
files_of_all_sizes_come_back(void **state)
{
    static const size_t sizes[] = {0,          1,          42,      65535,   65536,   65537,
                                   256 * 1024 - 1, 256 * 1024, 256 * 1024 + 1, MIB, FILE_MAX};
    AUTO(buf) struct buf object = BUF_INIT(64 * MIB);

    (void)state;
    for (size_t f = 0; f < N_FORMATS; f++) {
        const struct object_format format = format_of(f);

        for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
            pack(&format, NAME, NULL, (struct span){file, sizes[i]}, &object);
            assert_int_equal(read_back(span_of(&object), (struct span){file, sizes[i]}), 0);
        }
    }
}

static void
payloads_of_whole_chunks_come_back(void **state)
{
    AUTO(buf) struct buf object = BUF_INIT(MIB);
    const struct object_format format = format_of(3);

    (void)state;
    /* Front frame 64, header 15, a word per block, end mark 4: the payload ends with a chunk. */
    for (size_t size = AGE_CHUNK_SIZE - 64 - 15 - 4 - 4 - 2; size < AGE_CHUNK_SIZE; size++) {
        pack(&format, NAME, NULL, (struct span){file, size}, &object);
        assert_int_equal(read_back(span_of(&object), (struct span){file, size}), 0);
    }
}

static void
any_flipped_bit_is_noticed(void **state)
{
    AUTO(buf) struct buf object = BUF_INIT(MIB);
    const struct span want = {file, SMALL};

    (void)state;
    for (size_t f = 0; f < N_FORMATS; f++) {
        const struct object_format format = format_of(f);

        pack(&format, NAME, NULL, want, &object);
        for (size_t i = 0; i < object.size; i++) {
            const uint8_t masks[] = {(uint8_t)(1U << i % 8), 0x20, 0xff};

            for (size_t m = 0; m < ARRAY_SIZE(masks); m++) {
                object.data[i] ^= masks[m];
                assert_int_equal(read_back(span_of(&object), want), -1);
                object.data[i] ^= masks[m];
            }
        }
        assert_int_equal(read_back(span_of(&object), want), 0);
    }
}

static void
any_cut_and_any_byte_more_is_noticed(void **state)
{
    AUTO(buf) struct buf object = BUF_INIT(MIB);
    const struct span want = {file, SMALL};

    (void)state;
    for (size_t f = 0; f < N_FORMATS; f++) {
        const struct object_format format = format_of(f);

        pack(&format, NAME, NULL, want, &object);
        for (size_t size = 0; size < object.size; size++)
            assert_int_equal(read_back((struct span){object.data, size}, want), -1);
        assert_int_equal(buf_append(&object, "", 1, &err), 0);
        assert_int_equal(read_back(span_of(&object), want), -1);
        assert_int_equal(err.kind, ERR_CORRUPT);
    }
}

static void
an_object_is_only_what_it_was_sealed_as(void **state)
{
    AUTO(buf) struct buf object = BUF_INIT(MIB);
    AUTO(keyring) struct keyring stranger = KEYRING_INIT;
    struct writer_key other;
    struct object opened;

    (void)state;
    assert_int_equal(writer_key_generate(&other, &err), 0);
    assert_int_equal(keyring_add_writer(&stranger, &other.public_half, &err), 0);
    for (size_t f = 0; f < N_FORMATS; f++) {
        const struct object_format format = format_of(f);

        pack(&format, NAME, NULL, (struct span){file, SMALL}, &object);
        assert_int_equal(object_open(object.data, object.size, NAME "x", SYSTEM_ID, &keyring,
                                     &opened, &err),
                         -1);
        assert_int_equal(err.kind, ERR_CORRUPT);
        assert_int_equal(object_open(object.data, object.size, NAME, SYSTEM_ID + 1, &keyring,
                                     &opened, &err),
                         -1);
        assert_int_equal(err.kind, ERR_CORRUPT);
        assert_int_equal(
            object_open(object.data, object.size, NAME, SYSTEM_ID, &stranger, &opened, &err), -1);
        assert_int_equal(err.kind, ERR_CONFIG);
    }
    /* Opening needs no identity, unpacking does. */
    stranger = KEYRING_INIT;
    assert_int_equal(keyring_add_writer(&stranger, &key.public_half, &err), 0);
    assert_int_equal(
        object_open(object.data, object.size, NAME, SYSTEM_ID, &stranger, &opened, &err), 0);
    assert_int_equal(object_unpack(&opened, &stranger, NULL, NULL, NULL, &err), -1);
    assert_int_equal(err.kind, ERR_CONFIG);
}

static void
keys_stay_distinct_when_the_generator_repeats_itself(void **state)
{
    uint8_t file_keys[5][AGE_FILE_KEY_SIZE];
    AUTO(buf) struct buf object = BUF_INIT(MIB);
    AUTO(buf) struct buf again = BUF_INIT(MIB);
    static const uint8_t index_bytes[1];
    const struct object_index index = {1, index_bytes, 0};
    struct object opened;

    (void)state;
    constant_random = true;
    for (size_t i = 0; i < 5; i++) {
        struct object_format format = format_of(i == 1 ? 5 : 4);
        struct age_header header;

        format.level = i == 2 ? 3 : 0;
        pack(&format, NAME, i == 3 ? &index : NULL, (struct span){file + (i == 4), SMALL}, &object);
        assert_int_equal(
            object_open(object.data, object.size, NAME, SYSTEM_ID, &keyring, &opened, &err), 0);
        assert_int_equal(age_header_read(opened.header.data, opened.header.size, &header, &err), 0);
        assert_int_equal(
            age_wrap_open(&header.stanzas[0], &keyring.identities[0], file_keys[i], &err), 0);
        for (size_t k = 0; k < i; k++)
            assert_memory_not_equal(file_keys[i], file_keys[k], AGE_FILE_KEY_SIZE);
        assert_memory_not_equal(header.stanzas[0].share, header.stanzas[1].share, KEY_SIZE);
        pack(&format, NAME, i == 3 ? &index : NULL, (struct span){file + (i == 4), SMALL}, &again);
        assert_int_equal(again.size, object.size);
        assert_memory_equal(again.data, object.data, object.size);
    }
    constant_random = false;
    const struct object_format format = format_of(4);
    pack(&format, NAME, NULL, (struct span){file, SMALL}, &object);
    pack(&format, NAME, NULL, (struct span){file, SMALL}, &again);
    assert_memory_not_equal(again.data + again.size - 16, object.data + object.size - 16, 16);
}

static void
an_index_is_read_from_the_beginning_alone(void **state)
{
    static const size_t sizes[] = {0, 1, 65472, 65473, OBJECT_INDEX_MAX};
    AUTO(buf) struct buf object = BUF_INIT(8 * MIB);
    AUTO(buf) struct buf found = BUF_INIT(OBJECT_INDEX_MAX);

    (void)state;
    for (size_t f = 0; f < N_FORMATS; f++) {
        const struct object_format format = format_of(f);

        for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
            const struct object_index index = {9, file + MIB, sizes[i]};
            uint32_t version = 0;
            struct seal seal;

            pack(&format, NAME, &index, (struct span){file, 2 * MIB}, &object);
            assert_int_equal(read_back(span_of(&object), (struct span){file, 2 * MIB}), 0);
            assert_int_equal(object_read_index(object.data,
                                               MIN_OF(object.size, OBJECT_INDEX_BYTES), &keyring,
                                               &seal, &version, &found, &err),
                             0);
            assert_string_equal(seal.name, NAME);
            assert_int_equal(version, 9);
            assert_int_equal(found.size, sizes[i]);
            assert_true(sizes[i] == 0 || memcmp(found.data, file + MIB, sizes[i]) == 0);
            size_t short_by = sizes[i] == OBJECT_INDEX_MAX ? OBJECT_INDEX_MAX / 2 : 1200;
            if (sizes[i] > 65472)
                assert_int_equal(object_read_index(object.data, short_by, &keyring, NULL, &version,
                                                   &found, &err),
                                 OBJECT_SHORT);
        }
        const struct object_index large = {9, file, OBJECT_INDEX_MAX + 1};
        const struct object_label label = {NAME, SYSTEM_ID, 0};
        AUTO(object_packer) struct object_packer *packer = NULL;
        struct span spans[2];
        assert_int_equal(object_packer_new(&format, &key, 0, &packer, &err), 0);
        assert_int_equal(object_packer_finish(packer, &label, &large, spans, NULL, &err), -1);
    }
}

static void
a_seal_is_read_from_the_first_kilobyte(void **state)
{
    char name[SEAL_NAME_MAX + 1];
    AUTO(buf) struct buf object = BUF_INIT(MIB);
    struct seal seal;

    (void)state;
    memset(name, 'n', SEAL_NAME_MAX);
    name[SEAL_NAME_MAX] = '\0';
    for (size_t f = 0; f < N_FORMATS; f++) {
        const struct object_format format = format_of(f);

        const struct object_index index = {9, file, 10};

        pack(&format, name, &index, (struct span){file, SMALL}, &object);
        assert_int_equal(
            object_peek(object.data, MIN_OF(object.size, (size_t)1024), &keyring, &seal, &err), 0);
        assert_string_equal(seal.name, name);
        assert_int_equal(seal.file_size, SMALL);
        assert_int_equal(seal.created_us, 1234567);
        assert_int_equal(object_peek(object.data, 300, &keyring, &seal, &err), -1);
    }
}

static int
stop(void *context, const uint8_t *bytes, size_t size, struct err *error)
{
    (void)context;
    (void)bytes;
    (void)size;
    return err_set(error, ERR_LOCAL, "stopped");
}

static void
the_error_of_a_sink_is_handed_on(void **state)
{
    const struct object_format format = format_of(4);
    AUTO(buf) struct buf object = BUF_INIT(MIB);
    uint8_t digest[DIGEST_SIZE];
    uint8_t want[DIGEST_SIZE];
    const struct span content = {file, SMALL};
    struct object opened;

    (void)state;
    pack(&format, NAME, NULL, content, &object);
    assert_int_equal(
        object_open(object.data, object.size, NAME, SYSTEM_ID, &keyring, &opened, &err), 0);
    assert_int_equal(object_unpack(&opened, &keyring, stop, NULL, NULL, &err), -1);
    assert_int_equal(err.kind, ERR_LOCAL);
    assert_int_equal(object_unpack(&opened, &keyring, NULL, NULL, digest, &err), 0);
    assert_int_equal(digest_sha256(&content, 1, want, &err), 0);
    assert_true(digest_equal(digest, want));
}

static void
a_packer_refuses_what_it_cannot_pack(void **state)
{
    const struct object_label label = {NAME, SYSTEM_ID, 0};
    struct object_format format = format_of(4);
    AUTO(object_packer) struct object_packer *packer = NULL;
    struct span spans[2];

    (void)state;
    format.n_recipients = 0;
    assert_int_equal(object_packer_new(&format, &key, 1, &packer, &err), -1);
    assert_int_equal(err.kind, ERR_CONFIG);
    format.n_recipients = KEYS_MAX + 1;
    assert_int_equal(object_packer_new(&format, &key, 1, &packer, &err), -1);
    assert_int_equal(err.kind, ERR_CONFIG);
    format = format_of(4);
    assert_int_equal(object_packer_new(&format, &key, OBJECT_FILE_MAX + 1, &packer, &err), -1);
    assert_int_equal(err.kind, ERR_LOCAL);
    assert_int_equal(object_packer_new(&format, &key, SMALL, &packer, &err), 0);
    assert_int_equal(object_packer_write(packer, file, SMALL, &err), 0);
    assert_int_equal(object_packer_finish(packer, &label, NULL, spans, NULL, &err), 0);
    assert_int_equal(object_packer_write(packer, file, 1, &err), -1);
    assert_int_equal(object_packer_finish(packer, &label, NULL, spans, NULL, &err), -1);
    assert_true(object_size_bound(UINT64_MAX) == object_size_bound(OBJECT_FILE_MAX));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_of_all_sizes_come_back),
        cmocka_unit_test(payloads_of_whole_chunks_come_back),
        cmocka_unit_test(any_flipped_bit_is_noticed),
        cmocka_unit_test(any_cut_and_any_byte_more_is_noticed),
        cmocka_unit_test(an_object_is_only_what_it_was_sealed_as),
        cmocka_unit_test(keys_stay_distinct_when_the_generator_repeats_itself),
        cmocka_unit_test(an_index_is_read_from_the_beginning_alone),
        cmocka_unit_test(a_seal_is_read_from_the_first_kilobyte),
        cmocka_unit_test(the_error_of_a_sink_is_handed_on),
        cmocka_unit_test(a_packer_refuses_what_it_cannot_pack),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
