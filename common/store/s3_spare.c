/* SPDX-License-Identifier: PostgreSQL */
#include "store/s3_spare.h"

#include <stdlib.h>
#include <string.h>

#include "store/http_lane.h"
#include "store/s3_list.h"
#include "store/s3_request.h"

#define BODY_MAX (64 * KIB) /* a list of one name */

static void
release(struct s3_spare *spare)
{
    http_free(spare->http);
    http_lane_free(spare->lane);
    *spare = (struct s3_spare){.s3 = spare->s3};
}

static void
on_answer(void *context)
{
    struct s3_spare *spare = context;
    const struct http_response *response = http_response(spare->http);
    const struct buf *body = &response->body;
    struct s3_list list = {0};
    struct err ignored = ERR_INIT;
    bool good = response->failure == HTTP_WHOLE && response->head.status == 200 &&
                s3_list_parse(body->data, body->size, NULL, &list, &ignored) == 0 &&
                strcmp(list.start_after, spare->mark) == 0;

    if (good) {
        http_free(TAKE_PTR(spare->http));
        spare->ready = true;
        return;
    }
    /* Who needs one asks on a new connection; none is tried again before they are wanted anew. */
    spare->s3->spares_wanted = false;
    release(spare);
}

static int
begin(struct s3_spare *spare, struct err *err)
{
    struct s3 *s3 = spare->s3;
    struct s3_ask ask = {.verb = S3_LIST, .name = "", .max = 1, .start_after = spare->mark};

    s3_list_mark(s3, "", "", spare->mark);
    if (http_lane_new(&spare->lane, err) < 0)
        return -1;
    struct http_request http = {
        .max_body = BODY_MAX, .lane = spare->lane, .done = on_answer, .context = spare};
    return s3_request_start(s3, &ask, &http, &spare->http, err);
}

void
s3_spares_fill(struct s3 *s3)
{
    struct err ignored = ERR_INIT;

    s3->spares_wanted = true;
    for (size_t i = 0; i < S3_SPARES && s3->spares_wanted; i++) {
        struct s3_spare *spare = &s3->spares[i];

        if (spare->lane != NULL)
            continue;
        spare->s3 = s3;
        if (begin(spare, &ignored) < 0) {
            release(spare);
            s3->spares_wanted = false;
        }
    }
}

struct http_lane *
s3_spare_take(struct s3 *s3)
{
    for (size_t i = 0; i < S3_SPARES; i++) {
        struct s3_spare *spare = &s3->spares[i];

        if (!spare->ready)
            continue;
        struct http_lane *lane = TAKE_PTR(spare->lane);

        release(spare);
        if (s3->spares_wanted)
            s3_spares_fill(s3);
        return lane;
    }
    return NULL;
}

void
s3_spares_done(struct s3 *s3)
{
    s3->spares_wanted = false;
    for (size_t i = 0; i < S3_SPARES; i++)
        release(&s3->spares[i]);
}
