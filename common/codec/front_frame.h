/* SPDX-License-Identifier: PostgreSQL */
/*
 * front_frame.h: the skippable frame in front of the data frame: what the
 * file is, and the segment index (docs/format.md section 3).
 */
#ifndef CODEC_FRONT_FRAME_H
#define CODEC_FRONT_FRAME_H

#include "base/buf.h"
#include "codec/digest.h"

#define FRONT_FRAME_SIZE ((size_t)64) /* without the index */
#define FRONT_FRAME_INDEX_MAX ((size_t)1048576)

struct front_frame {
    uint8_t file_digest[DIGEST_SIZE];
    uint64_t file_size;
    uint32_t index_version; /* 0: no index */
    uint32_t index_size;    /* bytes behind these 64 */
};

/* `bytes` has FRONT_FRAME_SIZE. */
void front_frame_write(const struct front_frame *front, uint8_t *bytes);

/* From FRONT_FRAME_SIZE bytes. 0 or -1 (ERR_CORRUPT). */
int front_frame_read(const uint8_t *bytes, struct front_frame *ret, struct err *err) MUST_USE;

#endif
