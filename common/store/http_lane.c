/* SPDX-License-Identifier: PostgreSQL */
#include "store/http_lane.h"

#include <stdlib.h>

int
http_lane_new(struct http_lane **ret_lane, struct err *err)
{
    AUTO(http_lane) struct http_lane *lane = calloc(1, sizeof(*lane));

    if (lane == NULL)
        return err_memory(err, "connection");
    lane->share = curl_share_init();
    if (lane->share == NULL ||
        curl_share_setopt(lane->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_CONNECT) != CURLSHE_OK)
        return err_memory(err, "connection");
    *ret_lane = TAKE_PTR(lane);
    return 0;
}

void
http_lane_free(struct http_lane *lane)
{
    if (lane == NULL)
        return;
    if (lane->share != NULL)
        (void)curl_share_cleanup(lane->share);
    free(lane);
}
