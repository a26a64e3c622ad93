/* SPDX-License-Identifier: PostgreSQL */
/*
 * s3_list.h: a ListObjectsV2 answer becomes entries of a page. Private to common/store.
 *
 * A list can say whose answer it is: S3 repeats the start-after it was asked with. A mark makes
 * that different in every request, without changing what is listed: it sorts before any name
 * that store.h allows. An answer with the mark was made for this request and after it was sent. An
 * answer with another one was made for another request, or the service writes marks its own way;
 * one without any can be anything's.
 */
#ifndef STORE_S3_LIST_H
#define STORE_S3_LIST_H

#include "store/s3.h"

/*
 * Where to start a list of what sorts after `after` (a whole key; empty: from the first) below
 * `prefix` (without the root): ret_mark, S3_KEY_MAX + 1 bytes. Empty: there is no room for one.
 */
void s3_list_mark(struct s3 *s3, const char *after, const char *prefix, char *ret_mark);

enum s3_list_outcome {
    S3_LIST_DOUBTED = 1, /* it may be the answer to something else */
};

/* How the list was asked for. */
struct s3_list_asked {
    const char *root;
    const char *mark; /* or empty */
    bool trusted;     /* nothing else's answer can come on this connection */
};

/*
 * Add the keys of one page, without the root, to the task. last_key (S3_KEY_MAX + 1 bytes): what
 * the keys asked for sort after, and afterwards the last key listed. *ret_more: others follow.
 * *ret_marked: the answer has the mark. 0, S3_LIST_DOUBTED (last_key is as before, the task's page
 * is to be reset), or -1: ERR_TRANSIENT for what is no list and may be one next time, ERR_CORRUPT
 * for a list that is wrong.
 */
int s3_list_read(struct store_task *task, const struct s3_list_asked *asked, const struct buf *body,
                 char *last_key, bool *ret_more, bool *ret_marked, struct err *err) MUST_USE;

#endif
