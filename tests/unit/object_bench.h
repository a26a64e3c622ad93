/* SPDX-License-Identifier: PostgreSQL */
/*
 * object_bench.h: keys, a file and the two directions, for the tests of
 * objects. Included once by each of them.
 */
#ifndef TESTS_OBJECT_BENCH_H
#define TESTS_OBJECT_BENCH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "codec/age_stream.h"
#include "codec/age_wrap.h"
#include "codec/envelope.h"
#include "codec/front_frame.h"
#include "codec/object.h"

#define NAME "main/7413305566020948123/wal/00000001/00000000/000000010000000000000007"
#define SYSTEM_ID UINT64_C(7413305566020948123)
#define FILE_MAX (16 * MIB)
#define SMALL 42

static struct err err;
static struct writer_key key;
static struct keyring keyring;
static struct age_recipient recipients[2];
static uint8_t *file;

static struct object_format
format_of(size_t i)
{
    static const enum compression compressions[] = {COMPRESSION_NONE, COMPRESSION_LZ4,
                                                    COMPRESSION_ZSTD};

    return (struct object_format){
        .compression = compressions[i % 3],
        .encryption = i < 3 ? ENCRYPTION_NONE : ENCRYPTION_AGE,
        .recipients = recipients,
        .n_recipients = 2,
    };
}

#define N_FORMATS 6

static void
pack(const struct object_format *format, const char *name, const struct object_index *index,
     struct span content, struct buf *ret)
{
    const struct object_label label = {name, SYSTEM_ID, 1234567};
    AUTO(object_packer) struct object_packer *packer = NULL;
    struct span spans[2];

    buf_clear(ret);
    assert_int_equal(object_packer_new(format, &key, content.size, &packer, &err), 0);
    assert_int_equal(object_packer_write(packer, content.data, content.size, &err), 0);
    assert_int_equal(object_packer_finish(packer, &label, index, spans, NULL, &err), 0);
    assert_int_equal(buf_append(ret, spans[0].data, spans[0].size, &err), 0);
    assert_int_equal(buf_append(ret, spans[1].data, spans[1].size, &err), 0);
    assert_true(ret->size <= object_size_bound(content.size));
}

struct check {
    struct span want;
    size_t got;
};

static int
compare(void *context, const uint8_t *bytes, size_t size, struct err *error)
{
    struct check *check = context;

    if (size > check->want.size - check->got ||
        memcmp(check->want.data + check->got, bytes, size) != 0)
        return err_set(error, ERR_INTERNAL, "other content");
    check->got += size;
    return 0;
}

/* Straight into memory of exactly its size it is the same. */
static void
assert_unpacks_into(const struct object *opened, struct span want)
{
    AUTO(ptr) uint8_t *got = malloc(MAX_OF(want.size, (size_t)1));
    uint8_t digest[DIGEST_SIZE];
    uint8_t want_digest[DIGEST_SIZE];

    assert_non_null(got);
    assert_int_equal(object_unpack_into(opened, &keyring, got, digest, &err), 0);
    assert_true(want.size == 0 || memcmp(got, want.data, want.size) == 0);
    assert_int_equal(digest_sha256(&want, 1, want_digest, &err), 0);
    assert_memory_equal(digest, want_digest, DIGEST_SIZE);
}

/* Open and unpack: 0 only if the content comes back. Nothing refused is ERR_INTERNAL. */
static int
read_back(struct span object, struct span want)
{
    struct check check = {want, 0};
    struct object opened;

    err_clear(&err);
    int rc = object_open(object.data, object.size, NAME, SYSTEM_ID, &keyring, &opened, &err);
    if (rc == 0)
        rc = object_unpack(&opened, &keyring, compare, &check, NULL, &err);
    assert_true(rc == 0 || err.kind == ERR_CORRUPT || err.kind == ERR_CONFIG);
    if (rc == 0) {
        assert_int_equal(check.got, want.size);
        assert_unpacks_into(&opened, want);
    }
    return rc;
}

static struct span
span_of(const struct buf *buf)
{
    return (struct span){buf->data, buf->size};
}

static int
set_up(void **state)
{
    uint32_t random = 1;
    struct age_identity identity;

    (void)state;
    file = malloc(FILE_MAX + 1);
    if (file == NULL || writer_key_generate(&key, &err) < 0 ||
        keyring_add_writer(&keyring, &key.public_half, &err) < 0)
        return -1;
    /* The first 2 MiB do not compress; behind them it is mixed. */
    for (size_t i = 0; i <= FILE_MAX; i++) {
        random = random * 1103515245 + 12345;
        file[i] = (uint8_t)(i < 2 * MIB || i % 8192 < 2000 ? random >> 16 & 0xff : i / 64 & 0xff);
    }
    for (size_t i = 0; i < 2; i++) {
        if (age_identity_generate(&identity, &err) < 0)
            return -1;
        memcpy(recipients[i].public_key, identity.public_key, KEY_SIZE);
        keyring.identities[keyring.n_identities++] = identity;
    }
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    free(file);
    return 0;
}

#endif
