/* SPDX-License-Identifier: PostgreSQL */
/*
 * s3_spare.h: connections on which nothing has been asked that could be answered with "no such
 * object". Private to common/store.
 *
 * On each of them one marked list was asked for and answered (s3_list.h), and nothing else ever:
 * whatever comes late there, or twice, is that list. So a "no such object" there is the answer to
 * the one question for which the connection is taken, as on a new one, but without the three
 * round trips that a new one costs.
 */
#ifndef STORE_S3_SPARE_H
#define STORE_S3_SPARE_H

#include "store/s3.h"

/* Begin to make those that are lacking; from now on each that is taken is replaced. */
void s3_spares_fill(struct s3 *s3);

/* One that is ready, for one request, or NULL. The caller frees it. */
struct http_lane *s3_spare_take(struct s3 *s3);

/* Give up all of them. */
void s3_spares_done(struct s3 *s3);

#endif
