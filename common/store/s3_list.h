/* SPDX-License-Identifier: PostgreSQL */
/*
 * s3_list.h: from a ListObjectsV2 answer to a page of names.
 */
#ifndef STORE_S3_LIST_H
#define STORE_S3_LIST_H

#include "store/backend.h"
#include "store/s3_xml.h"

/*
 * Add the keys to the task's page. They must lie under `root` ("" or "a/b/") and each sort after
 * the one before, the first after `last_key` (S3_KEY_MAX + 1 bytes), which is moved on to the
 * last. 0 or -1: ERR_TRANSIENT if the answer is no list (another may be), ERR_CORRUPT if it is a
 * wrong one; last_key then stays.
 */
int s3_list_read(struct store_task *task, const char *root, const struct buf *body, char *last_key,
                 bool *ret_more, struct err *err) MUST_USE;

#endif
