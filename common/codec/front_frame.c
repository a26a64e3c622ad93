/* SPDX-License-Identifier: PostgreSQL */
#include "codec/front_frame.h"

#include <string.h>

#include "base/io.h"

#define MAGIC 0x184D2A5DU
#define FIXED_CONTENT 56

static const char label[] = "SWINDEX1";
#define LABEL_SIZE (sizeof(label) - 1)

void
front_frame_write(const struct front_frame *front, uint8_t *bytes)
{
    put_u32_le(bytes, MAGIC);
    put_u32_le(bytes + 4, FIXED_CONTENT + front->index_size);
    memcpy(bytes + 8, label, LABEL_SIZE);
    memcpy(bytes + 16, front->file_digest, DIGEST_SIZE);
    put_u64_be(bytes + 48, front->file_size);
    put_u32_be(bytes + 56, front->index_version);
    put_u32_be(bytes + 60, front->index_size);
}

int
front_frame_read(const uint8_t *bytes, struct front_frame *ret, struct err *err)
{
    struct cursor cursor;
    struct front_frame front = {.index_version = 0};

    cursor_init(&cursor, bytes, FRONT_FRAME_SIZE);
    uint32_t magic = cursor_u32_le(&cursor);
    uint32_t content = cursor_u32_le(&cursor);
    (void)cursor_bytes(&cursor, LABEL_SIZE + DIGEST_SIZE);
    memcpy(front.file_digest, bytes + 16, DIGEST_SIZE);
    front.file_size = cursor_u64_be(&cursor);
    front.index_version = cursor_u32_be(&cursor);
    front.index_size = cursor_u32_be(&cursor);

    if (magic != MAGIC || memcmp(bytes + 8, label, LABEL_SIZE) != 0)
        return err_set(err, ERR_CORRUPT, "payload does not begin with a front frame");
    if (front.index_size > FRONT_FRAME_INDEX_MAX || content != FIXED_CONTENT + front.index_size ||
        (front.index_version == 0 && front.index_size != 0))
        return err_set(err, ERR_CORRUPT, "front frame has a wrong size");
    *ret = front;
    return 0;
}
