/* SPDX-License-Identifier: PostgreSQL */
/*
 * http_lane.h: connections apart from those that all requests of the loop share. Private to
 * common/store.
 *
 * Requests of one lane, made one after the other, go over one connection, and no request without
 * that lane does: so it is known what was asked there before. If that connection has been closed,
 * the next request is made on a new one.
 */
#ifndef STORE_HTTP_LANE_H
#define STORE_HTTP_LANE_H

#include <curl/curl.h>

#include "base/cleanup.h"
#include "base/err.h"

struct http_lane {
    CURLSH *share;
};

/* 0 or -1 (ERR_INTERNAL). */
int http_lane_new(struct http_lane **ret_lane, struct err *err) MUST_USE;

/* Closes its connection. Every request of the lane has been freed before. NULL is fine. */
void http_lane_free(struct http_lane *lane);

DEFINE_POINTER_CLEANUP(http_lane, struct http_lane, http_lane_free);

#endif
