/* SPDX-License-Identifier: PostgreSQL */
#include "codec/envelope.h"

#include <string.h>

#include "base/io.h"
#include "codec/age_header.h"

#define MAGIC 0x184D2A5EU

static const char label[] = "SWSEAL01";
#define LABEL_SIZE (sizeof(label) - 1)
#define FIXED_SIZE (8 + LABEL_SIZE)

static bool
is_seal_frame(const uint8_t *bytes, size_t size)
{
    struct cursor cursor;

    cursor_init(&cursor, bytes, size);
    return cursor_u32_le(&cursor) == MAGIC && !cursor.failed;
}

static int
read_seal_frame(const uint8_t *bytes, size_t size, struct envelope *ret, struct err *err)
{
    struct cursor cursor;

    cursor_init(&cursor, bytes, size);
    (void)cursor_u32_le(&cursor);
    uint32_t content = cursor_u32_le(&cursor);
    const uint8_t *found = cursor_bytes(&cursor, LABEL_SIZE);
    if (found == NULL || memcmp(found, label, LABEL_SIZE) != 0)
        return err_set(err, ERR_CORRUPT, "seal frame is malformed");
    if (content <= LABEL_SIZE || content - LABEL_SIZE > SEAL_SIZE_MAX)
        return err_set(err, ERR_CORRUPT, "seal frame has %u bytes", content);
    const uint8_t *seal = cursor_bytes(&cursor, content - LABEL_SIZE);
    if (seal == NULL)
        return err_set(err, ERR_CORRUPT, "seal frame does not end");
    ret->encryption = ENCRYPTION_NONE;
    ret->seal_size = content - LABEL_SIZE;
    memcpy(ret->seal, seal, ret->seal_size);
    return 0;
}

int
envelope_read(const void *bytes, size_t size, struct envelope *ret, struct err *err)
{
    if (is_seal_frame(bytes, size))
        return read_seal_frame(bytes, size, ret, err);
    if (!age_header_is(bytes, size))
        return err_set(err, ERR_CORRUPT, "not an object of Seawall");
    ret->encryption = ENCRYPTION_AGE;
    return age_header_read_seal(bytes, size, ret->seal, &ret->seal_size, err);
}

int
envelope_read_header(const void *bytes, size_t size, struct envelope *ret,
                     size_t *ret_header_size, struct err *err)
{
    struct age_header header;

    if (envelope_read(bytes, size, ret, err) < 0)
        return -1;
    if (ret->encryption == ENCRYPTION_NONE) {
        *ret_header_size = FIXED_SIZE + ret->seal_size;
        return 0;
    }
    if (age_header_read(bytes, size, &header, err) < 0)
        return -1;
    *ret_header_size = header.size;
    return 0;
}

size_t
envelope_write_seal_frame(const uint8_t *seal, size_t seal_size, uint8_t *bytes)
{
    put_u32_le(bytes, MAGIC);
    put_u32_le(bytes + 4, (uint32_t)(LABEL_SIZE + seal_size));
    memcpy(bytes + 8, label, LABEL_SIZE);
    memcpy(bytes + FIXED_SIZE, seal, seal_size);
    return FIXED_SIZE + seal_size;
}
